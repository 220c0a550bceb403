//! Rows 1, 2, 5, 13 and 14: what a filled store changes in the cost of a query and a submission, in the start, and in the
//! memory of a gateway that nobody asks.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};

use super::figures::{Figures, Row};
use super::load::{self, Shot};
use super::process::Process;
use super::setting::Region;
use super::transactions::{SUCCESS, Tls, beside_the_limit, measured, provide};
use super::{Run, data};
use crate::transactions::iti18::{ITI18, ReturnType};
use crate::transactions::iti42::{self, ITI42};
use crate::wire::http::{Client, ClientSettings};
use crate::wire::soap::Form;

/// Entries of each patient, as many as one submission has.
const ENTRIES: u64 = 50;
/// Patients of the small registry that the filled one is compared with.
const FEW: u64 = 20;
const SENDERS: usize = 8;

/// Rows 1, 2, 5, 13 and 14.
pub async fn filled(run: &Run) -> Result<Vec<Row>, String> {
    let patients = (run.entries / ENTRIES).max(FEW);
    let region = Region::new(run, "filled", 21)?;
    let mut rows = Vec::new();
    // Another database is one for all regions.
    let small = if run.with.is_empty() {
        let few = Region::new(run, "few", 22)?.start(&[], &[])?;
        rows.push(idle("row 14: idle, with an empty store", &few));
        register(&few, 0..FEW).await?;
        Some(measured(run, &few, None, &question(&few, FEW).await?, run.connections).await?)
    } else {
        None
    };
    let process = region.start(&[], &[])?;
    fill(&process, &region.dir.join("patients"), patients).await?;
    let anybody = question(&process, patients).await?;
    let (large, limit) = beside_the_limit(run, &process, &Tls::default(), &anybody).await?;
    rows.push(Row::share(
        format!("row 1: ITI-18, {ENTRIES} of {} entries, any patient", patients * ENTRIES),
        large.clone(),
        limit,
        0.25,
    ));
    rows.push(steady(&large));
    rows.extend(small.map(|small| independent_of_size(small, large, patients * ENTRIES)));
    rows.extend(provide(run, &process, &data::patient(patients)).await?);
    // Killed, not stopped: the start has the last commits to take over from the log.
    drop(process);
    let began = Instant::now();
    let process = region.start(&[], &[])?;
    let seconds = began.elapsed().as_secs_f64();
    rows.push(Row {
        work: format!("row 13: start to ready with {} entries, after a kill", patients * ENTRIES),
        ours: Figures::default(),
        limit: Figures::default(),
        reach: "≤ 1 s".into(),
        reached: format!("{seconds:.2} s"),
        met: Some(seconds <= 1.0),
    });
    rows.push(idle(&format!("row 14: idle, with {} entries", patients * ENTRIES), &process));
    Ok(rows)
}

/// Row 1's other half: how far the slowest of a hundred answers is behind the usual one.
fn steady(ours: &Figures) -> Row {
    const TIMES: f64 = 5.0;
    let times = ours.p99.unwrap_or(f64::NAN) / ours.p50.unwrap_or(f64::NAN);
    Row {
        work: "row 1: p99 beside p50".into(),
        ours: ours.clone(),
        limit: Figures::default(),
        reach: format!("≤ {TIMES} times"),
        reached: format!("{times:.1} times"),
        met: Some(times <= TIMES),
    }
}

/// Row 2, by CPU time: rates would compare two moments of the machine, too.
fn independent_of_size(small: Figures, large: Figures, entries: u64) -> Row {
    let share = small.cpu.unwrap_or(f64::NAN) / large.cpu.unwrap_or(f64::NAN);
    Row {
        work: format!(
            "row 2: ITI-18, {ENTRIES} of {entries} entries, any patient; limit: of {}",
            FEW * ENTRIES
        ),
        ours: large,
        limit: small,
        reach: "≥ 80 % of the small registry's".into(),
        reached: format!("{:.0} %", share * 100.0),
        met: Some(share >= 0.8),
    }
}

fn idle(work: &str, process: &Process) -> Row {
    const MOST_MIB: f64 = 40.0;
    let resident = process.resident_mib();
    Row {
        work: work.to_owned(),
        ours: Figures { peak_mib: Some(process.peak_mib()), ..Figures::default() },
        limit: Figures::default(),
        reach: format!("≤ {MOST_MIB} MiB"),
        reached: format!("{resident:.1} MiB"),
        met: Some(resident <= MOST_MIB),
    }
}

/// Registers the entries of so many patients, going on where an earlier run in the same folder stopped: a file says where.
async fn fill(process: &Process, mark: &Path, patients: u64) -> Result<(), String> {
    const STEP: usize = 2_000;
    let registered =
        std::fs::read_to_string(mark).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    for first in (registered..patients).step_by(STEP) {
        let next = patients.min(first + STEP as u64);
        register(process, first..next).await?;
        std::fs::write(mark, next.to_string()).map_err(|error| format!("{}: {error}", mark.display()))?;
    }
    Ok(())
}

/// Registers the entries of patients, several submissions at once. Some may be there already.
async fn register(process: &Process, patients: std::ops::Range<u64>) -> Result<(), String> {
    let client = Client::new(&ClientSettings::default()).map_err(|error| error.to_string())?;
    let url = format!("{}/services/iti-42", process.http());
    let url: hyper::Uri = url.parse().map_err(|_| url)?;
    let one = |patient: u64| {
        let (client, url) = (&client, url.clone());
        async move {
            let submission = data::registration(&data::patient(patient), 1_000 + patient, ENTRIES);
            let body = vec![iti42::write_request(&submission)];
            let (content_type, body) = data::request(ITI42, Form::Simple, body, Vec::new()).await?;
            let shot = Shot { url, content_type, body: Arc::new(move |_| body.clone()), expect: SUCCESS };
            let answer = load::exchange(client, &shot, 0).await?.concat();
            let done = [SUCCESS, "XDSDuplicateUniqueIdInRegistry"];
            match done.iter().any(|done| memchr::memmem::find(&answer, done.as_bytes()).is_some()) {
                true => Ok(()),
                false => Err(format!("filling failed: {}", String::from_utf8_lossy(&answer))),
            }
        }
    };
    futures_util::stream::iter(patients).map(one).buffer_unordered(SENDERS).try_collect().await
}

/// FindDocuments for another patient each time, all over the registry.
async fn question(process: &Process, patients: u64) -> Result<Shot, String> {
    /// Coprime with every number of patients that is no multiple of it: the walk comes by everybody.
    const STRIDE: u64 = 7_919;
    let mark = data::patient(9_876_543_210);
    let query = data::find_documents(&mark, ReturnType::LeafClass);
    let (content_type, template) = data::query_request(ITI18, &query).await?;
    // The patient's id is XML text: its first component has nothing to escape.
    let place = memchr::memmem::find(&template, b"9876543210").ok_or("the query names no patient")?;
    let body = Arc::new(move |number: u64| {
        let mut bytes = template.to_vec();
        let digits = format!("{:010}", number * STRIDE % patients);
        bytes[place..place + digits.len()].copy_from_slice(digits.as_bytes());
        Bytes::from(bytes)
    });
    let url = format!("{}/services/iti-18", process.http());
    Ok(Shot { url: url.parse().map_err(|_| url)?, content_type, body, expect: SUCCESS })
}
