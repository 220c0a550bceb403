//! Each transaction against a region, then through a gateway, plain and over TLS.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

use super::figures::{Figures, Row};
use super::load::{self, Outcome, Shot};
use super::process::Process;
use super::setting::{Neighbour, Region};
use super::{Run, data};
use crate::cli::demo::certificates;
use crate::transactions::Transaction;
use crate::transactions::iti18::{ITI18, ReturnType};
use crate::transactions::iti38::ITI38;
use crate::transactions::iti39::ITI39;
use crate::transactions::iti41::ITI41;
use crate::transactions::iti43::{DocumentRequest, ITI43};
use crate::wire::http::TlsClient;

const ENTRIES: u64 = 50;
const DOCUMENT: usize = 100_000;
const SENDERS: usize = 32;
/// What every good answer holds.
pub const SUCCESS: &str = "ResponseStatusType:Success";
const REMOTE: u64 = 7;

/// How the load reaches a region.
#[derive(Clone, Default)]
pub struct Tls {
    /// Our certificate and whom we trust; None is plain HTTP.
    client: Option<TlsClient>,
    /// Certificate and key of the bare server.
    limit: Vec<PathBuf>,
}

impl Tls {
    fn is_on(&self) -> bool {
        self.client.is_some()
    }
    fn base(&self, process: &Process) -> String {
        if self.is_on() { process.https() } else { process.http() }
    }
}

/// ITI-18, 43 and 41 of a region that hosts 50 entries of the patient asked for, over plain HTTP.
pub async fn plain(run: &Run) -> Result<Vec<Row>, String> {
    let region = Region::new(run, "standalone", 1)?;
    let process = region.start(&[], &[])?;
    let patient = data::patient(1);
    region.fill(&process.http(), &patient, 1, ENTRIES, DOCUMENT).await?;
    let mut rows = vec![
        query(run, &process, &Tls::default(), ITI18, "/services/iti-18", None, &patient, 0.5).await?,
        retrieve(run, &process, &Tls::default(), ITI43, "/services/iti-43", None, &region, 1, 0.05).await?,
    ];
    rows.extend(provide(run, &process, &patient).await?);
    Ok(rows)
}

/// ITI-38 and 39 of such a region's gateway, then ITI-18 and 43 through a gateway before two of them.
pub async fn federated(run: &Run) -> Result<Vec<Row>, String> {
    through(run, &Tls::default(), 1.0).await
}

/// The same over mutual TLS.
pub async fn tls(run: &Run) -> Result<Vec<Row>, String> {
    let tls = certificates(&run.dir)?;
    let mut region = Region::new(run, "standalone-tls", 2)?;
    region.tls = true;
    let process = region.start(&[], &[])?;
    let patient = data::patient(1);
    region.fill(&process.http(), &patient, 1, ENTRIES, DOCUMENT).await?;
    let mut rows = vec![
        query(run, &process, &tls, ITI18, "/services/iti-18", None, &patient, 0.75).await?,
        retrieve(run, &process, &tls, ITI43, "/services/iti-43", None, &region, 1, 0.075).await?,
    ];
    if let Some(row) = rows.get(1).cloned() {
        rows.push(Row::share(
            "row 3: ITI-43, 100 kB, beside a bare server over the same TLS",
            row.ours,
            row.limit,
            0.5,
        ));
    }
    drop(process);
    rows.extend(through(run, &tls, 1.5).await?);
    Ok(rows)
}

async fn through(run: &Run, tls: &Tls, allowance: f64) -> Result<Vec<Row>, String> {
    let patient = data::patient(1);
    let suffix = if tls.is_on() { "-tls" } else { "" };
    // Each remote region needs a neighbour to be a gateway at all.
    let nowhere =
        [Neighbour { home: "urn:oid:1.2.392.200270.4.99.999".into(), base: "http://127.0.0.1:9".into() }];
    let mut remote = Vec::new();
    for number in [REMOTE, REMOTE + 1] {
        let mut region = Region::new(run, &format!("remote-{number}{suffix}"), number as usize)?;
        region.tls = tls.is_on();
        let process = region.start(&nowhere, &[])?;
        region.fill(&process.http(), &patient, number, ENTRIES / 2, DOCUMENT).await?;
        remote.push((region, process));
    }
    let neighbours: Vec<_> = remote
        .iter()
        .map(|(region, process)| Neighbour { home: region.home.clone(), base: tls.base(process) })
        .collect();
    let mut gateway = Region::new(run, &format!("gateway{suffix}"), 6)?;
    gateway.tls = tls.is_on();
    let process = gateway.start(&neighbours, std::slice::from_ref(&patient))?;
    let (first, server) = &remote[0];
    let home = Some(first.home.as_str());
    Ok(vec![
        query(run, server, tls, ITI38, "/services/iti-38", home, &patient, 0.5 * allowance).await?,
        retrieve(run, server, tls, ITI39, "/services/iti-39", home, first, REMOTE, 0.05 * allowance).await?,
        query(run, &process, tls, ITI18, "/services/iti-18", None, &patient, allowance)
            .await
            .map(federated_row)?,
        retrieve(run, &process, tls, ITI43, "/services/iti-43", home, first, REMOTE, 0.15 * allowance)
            .await
            .map(federated_row)?,
    ])
}

fn federated_row(mut row: Row) -> Row {
    row.work = format!("federated {}", row.work);
    row
}

#[allow(clippy::too_many_arguments)]
async fn query(
    run: &Run,
    server: &Process,
    tls: &Tls,
    transaction: Transaction,
    path: &str,
    home: Option<&str>,
    patient: &str,
    reach: f64,
) -> Result<Row, String> {
    let mut query = data::find_documents(patient, ReturnType::LeafClass);
    query.home = home.map(str::to_owned);
    let (content_type, body) = data::query_request(transaction, &query).await?;
    let shot = shot(&tls.base(server), path, content_type, body)?;
    let (ours, limit) = beside_the_limit(run, server, tls, &shot).await?;
    let entries = if home.is_some() { ENTRIES / 2 } else { ENTRIES };
    Ok(Row::cpu(format!("{}, {entries} entries{}", transaction.id, over(tls)), ours, limit, reach))
}

#[allow(clippy::too_many_arguments)]
async fn retrieve(
    run: &Run,
    server: &Process,
    tls: &Tls,
    transaction: Transaction,
    path: &str,
    home: Option<&str>,
    region: &Region,
    documents: u64,
    reach: f64,
) -> Result<Row, String> {
    let wanted = DocumentRequest {
        home: home.map(str::to_owned),
        repository: region.repository.clone(),
        document: data::unique_id(documents, 1),
    };
    let (content_type, body) = data::retrieve_request(transaction, vec![wanted]).await?;
    let shot = shot(&tls.base(server), path, content_type, body)?;
    let (ours, limit) = beside_the_limit(run, server, tls, &shot).await?;
    Ok(Row::cpu(format!("{}, 100 kB{}", transaction.id, over(tls)), ours, limit, reach))
}

/// ITI-41 of 100 kB by 32 senders, beside the disk's own rate of appending and syncing as much, one at a time.
pub async fn provide(run: &Run, server: &Process, patient: &str) -> Result<Vec<Row>, String> {
    const MARK: &str = "1000000000";
    let mut submission = data::submission(patient, 41, 1, 1, "text/xml");
    // Symbolic ids, so that only uniqueIds have to differ between requests.
    let ids: Vec<String> = submission.objects.iter().map(|object| object.id.clone()).collect();
    let document = Bytes::from(vec![b'b'; DOCUMENT]);
    for object in &mut submission.objects {
        for identifier in &mut object.external_identifiers {
            if let Some(stem) = identifier.value.strip_prefix(&data::unique_id(41, 1)) {
                identifier.value =
                    format!("{}{stem}", data::unique_id(41, 0).trim_end_matches('0').to_owned() + MARK);
            }
        }
    }
    let (content_type, body) = data::provide_request(&submission, &document).await?;
    let mut template = body.to_vec();
    for (number, id) in ids.iter().enumerate() {
        // As long as what it replaces, so that nothing else of the message moves.
        let symbolic =
            format!("{:<width$}", format!("Object{number:02}"), width = id.len()).replace(' ', "x");
        replace_all(&mut template, id.as_bytes(), symbolic.as_bytes());
    }
    let places: Vec<usize> = memchr::memmem::find_iter(&template, MARK.as_bytes()).collect();
    let template = Arc::new(template);
    // Others each time: the store may have those of an earlier run.
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let first = 1_000_000_001 + since % 4_000_000 * 2_000;
    let body = Arc::new(move |number: u64| {
        let mut bytes = template.as_ref().clone();
        let digits = (first + number).to_string();
        for place in &places {
            bytes[*place..place + MARK.len()].copy_from_slice(digits.as_bytes());
        }
        Bytes::from(bytes)
    });
    let url = format!("{}/services/iti-41", server.http());
    let shot = Shot { url: url.parse().map_err(|_| url.clone())?, content_type, body, expect: SUCCESS };
    let ours = measured(run, server, None, &shot, SENDERS).await?;
    let disk = Figures { rate: Some(raw_sync_rate(run, DOCUMENT)?), ..Figures::default() };
    Ok(vec![
        Row::cpu(format!("{}, 100 kB, durable", ITI41.id), ours.clone(), Figures::default(), 0.4),
        Row::share("row 5: the same, beside appending and syncing 100 kB", ours, disk, 0.5),
    ])
}

fn replace_all(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let places: Vec<usize> = memchr::memmem::find_iter(bytes, from).collect();
    for place in places {
        bytes[place..place + from.len()].copy_from_slice(to);
    }
}

/// How often in a second the disk itself takes so many bytes, each time synced before the next.
pub(super) fn raw_sync_rate(run: &Run, bytes: usize) -> Result<f64, String> {
    use std::io::Write;
    let path = run.dir.join("raw-sync");
    let mut file = std::fs::File::create(&path).map_err(|error| error.to_string())?;
    let document = vec![b'c'; bytes];
    let (start, mut count) = (Instant::now(), 0u32);
    while start.elapsed() < Duration::from_secs(2) {
        file.write_all(&document).and_then(|()| file.sync_data()).map_err(|error| error.to_string())?;
        count += 1;
    }
    let rate = f64::from(count) / start.elapsed().as_secs_f64();
    let _ = std::fs::remove_file(path);
    Ok(rate)
}

fn shot(base: &str, path: &str, content_type: String, body: Bytes) -> Result<Shot, String> {
    let url = format!("{base}{path}");
    let url = url.parse().map_err(|error| format!("{url}: {error}"))?;
    Ok(Shot { url, content_type, body: Arc::new(move |_| body.clone()), expect: SUCCESS })
}

fn over(tls: &Tls) -> &'static str {
    if tls.is_on() { ", mutual TLS" } else { "" }
}

/// Our figures, and those of a bare server that gives the same answer.
pub async fn beside_the_limit(
    run: &Run,
    server: &Process,
    tls: &Tls,
    shot: &Shot,
) -> Result<(Figures, Figures), String> {
    let answer = run.dir.join("answer");
    keep_answer(&answer, shot, tls.client.clone()).await?;
    let ours = measured(run, server, tls.client.clone(), shot, run.connections).await?;
    let answer = answer.to_string_lossy().into_owned();
    let mut arguments = vec!["bench", "--serve-limit", &answer];
    let files: Vec<_> = tls.limit.iter().map(|file| file.to_string_lossy().into_owned()).collect();
    if let [certificate, key] = files.as_slice() {
        arguments.extend(["--serve-tls", certificate, key]);
    }
    let bare = Process::start(&arguments).map_err(|error| error.to_string())?;
    let path = shot.url.path();
    let shot =
        Shot { url: format!("{}{path}", tls.base(&bare)).parse().map_err(|_| "address")?, ..shot.clone() };
    let limit = measured(run, &bare, tls.client.clone(), &shot, run.connections).await?;
    Ok((ours, limit))
}

/// Writes a real answer as the bare server wants it: Content-Type, a line feed, the body.
async fn keep_answer(file: &Path, shot: &Shot, tls: Option<TlsClient>) -> Result<(), String> {
    let settings = crate::wire::http::ClientSettings { tls, ..Default::default() };
    let client = crate::wire::http::Client::new(&settings).map_err(|error| error.to_string())?;
    let body = load::exchange(&client, shot, 0).await?.concat();
    // The type does not matter to the load; the bytes do.
    let mut whole = b"application/octet-stream\n".to_vec();
    whole.extend_from_slice(&body);
    std::fs::write(file, whole).map_err(|error| error.to_string())
}

/// A load against a server, and what it cost.
pub async fn measured(
    run: &Run,
    server: &Process,
    tls: Option<TlsClient>,
    shot: &Shot,
    connections: usize,
) -> Result<Figures, String> {
    // Warm: connections' code paths, caches, prepared statements.
    load::run(shot, tls.clone(), connections, Duration::from_millis(500)).await?;
    server.reset_peak();
    let before = server.cpu_seconds();
    let outcome = load::run(shot, tls, connections, run.duration).await?;
    let cpu = server.cpu_seconds() - before;
    refuse_failures(&outcome)?;
    Ok(Figures::of(&outcome, cpu, server.peak_mib()))
}

fn refuse_failures(outcome: &Outcome) -> Result<(), String> {
    match &outcome.first_bad {
        Some(bad) => Err(format!(
            "{} of {} answers were wrong; the first: {bad}",
            outcome.bad,
            outcome.bad + outcome.good
        )),
        None => Ok(()),
    }
}

/// Certificates for everybody: `ca.pem` and `tls/` in the run's folder.
fn certificates(dir: &Path) -> Result<Tls, String> {
    let folder = dir.join("tls");
    certificates::provide(dir, &[&folder]).map_err(|error| error.to_string())?;
    let identity = (folder.join("client.pem"), folder.join("client.key"));
    let client = TlsClient::new(&dir.join("ca.pem"), Some((&identity.0, &identity.1)))
        .map_err(|error| error.to_string())?;
    Ok(Tls { client: Some(client), limit: vec![folder.join("server.pem"), folder.join("server.key")] })
}
