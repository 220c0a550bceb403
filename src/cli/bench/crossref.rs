//! Row 9: a hit in the cross-reference cache, in this process: key built, value decoded, lifetime checked, counted; beside it
//! the same point read of a bare sled tree. Measured as after a restart, when stock is taken. Folders that were filled before
//! (`--dir`) are filled further.

use std::path::Path;
use std::time::{Duration, Instant};

use super::figures::{Figures, Row};
use super::{Run, process};
use crate::admin::install_metrics;
use crate::identity::crossref::{Crossref, CrossrefSettings, Lookup};
use crate::ids::{HomeCommunityId, Oid, PatientId};
use crate::limits;

/// Entries for each of `--entries`: five millions by default.
const ENTRIES_EACH: u64 = 5;
const READS: u64 = 1_000_000;
const LOCAL: &str = "1.2.392.100495.20.3.51.11310000001";
const COMMUNITIES: u64 = 5;

/// Row 9.
pub fn row(run: &Run) -> Result<Vec<Row>, String> {
    // As in a gateway: counting costs something, too.
    install_metrics().map_err(|error| error.to_string())?;
    let entries = run.entries * ENTRIES_EACH;
    let directory = run.dir.join("crossref");
    drop(filled(&directory, run.crossref_bytes, entries)?);
    let began = Instant::now();
    let cache = opened(&directory, run.crossref_bytes)?;
    let stocktaking = began.elapsed().as_secs_f64();
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % entries
    };
    let mut times = Vec::with_capacity(READS as usize);
    for _ in 0..READS {
        let (patient, home) = entry(next())?;
        let started = Instant::now();
        let found = cache.get(&patient, &home);
        times.push(started.elapsed());
        if !matches!(found, Lookup::Hit(_)) {
            return Err("an entry that was kept was not found".into());
        }
    }
    let peak_mib = Some(process::peak_mib(std::process::id()));
    let ours = Figures { peak_mib, ..figures(times) };
    let in_memory = cache.in_memory() as f64 * 100.0 / entries as f64;
    drop(cache);
    let limit = bare(&run.dir.join("bare"), run.crossref_bytes, entries, &mut next)?;
    let p99 = ours.p99.unwrap_or(f64::NAN) * 1e3;
    Ok(vec![Row {
        work: format!(
            "row 9: cross-reference hit, {entries} entries, {} MiB of memory with {in_memory:.0} % of them \
             ({stocktaking:.0} s after the start)",
            run.crossref_bytes >> 20
        ),
        reach: "≤ 20 µs p99".into(),
        reached: format!("{p99:.1} µs p99"),
        met: Some(p99 <= 20.0),
        ours,
        limit,
    }])
}

/// The patient and community of an entry.
fn entry(number: u64) -> Result<(PatientId, HomeCommunityId), String> {
    let authority = Oid::parse(LOCAL).map_err(|error| error.to_string())?;
    let home = format!("1.2.392.200270.4.97.{}", number % COMMUNITIES);
    let home = HomeCommunityId::parse(&home).map_err(|error| error.to_string())?;
    Ok((PatientId::new(&format!("{:08}", number / COMMUNITIES), authority), home))
}

/// Open, and ready for measuring.
fn opened(directory: &Path, memory: u64) -> Result<Crossref, String> {
    let settings = CrossrefSettings {
        directory: directory.to_owned(),
        tenant: "urn:oid:1.2.392.200270.4.99.1".to_owned(),
        most: limits::MAX_CROSSREF_ENTRIES,
        memory,
    };
    let cache = Crossref::open(&settings).map_err(|error| error.to_string())?;
    while !cache.has_taken_stock() {
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(cache)
}

/// Filled as an operator would: by import.
fn filled(directory: &Path, memory: u64, entries: u64) -> Result<Crossref, String> {
    let cache = opened(directory, memory)?;
    // They lie there in their order.
    for number in cache.count() as u64..entries {
        let (patient, home) = entry(number)?;
        let line = format!(
            "{{\"local\":\"{}\",\"community\":\"{home}\",\"remote\":[\"R{number:08}^^^&1.2.392.200270.4.98.1&ISO\"],\
             \"expires\":\"2199-01-01T00:00:00Z\"}}",
            patient.to_cx()
        );
        cache.import(line.as_bytes()).map_err(|error| error.to_string())?;
    }
    Ok(cache)
}

/// The same number of reads of values of the same size.
fn bare(
    directory: &Path,
    memory: u64,
    entries: u64,
    next: &mut impl FnMut() -> u64,
) -> Result<Figures, String> {
    let wrong = |error: sled::Error| error.to_string();
    let config = sled::Config::new().path(directory).cache_capacity(memory);
    let tree = config.open().map_err(wrong)?;
    let key = |number: u64| format!("urn:oid:1.2.392.200270.4.99.1 {LOCAL} {number:08}");
    for number in tree.len() as u64..entries {
        tree.insert(key(number), vec![7_u8; 72]).map_err(wrong)?;
    }
    let mut times = Vec::with_capacity(READS as usize);
    for _ in 0..READS {
        let key = key(next());
        let started = Instant::now();
        tree.get(&key).map_err(wrong)?;
        times.push(started.elapsed());
    }
    Ok(figures(times))
}

fn figures(mut times: Vec<Duration>) -> Figures {
    times.sort_unstable();
    let quantile = |share: f64| {
        let place = (times.len() as f64 * share) as usize;
        times.get(place).map(|time| time.as_secs_f64() * 1e3)
    };
    let total: Duration = times.iter().sum();
    let rate = Some(times.len() as f64 / total.as_secs_f64());
    Figures { rate, p50: quantile(0.5), p99: quantile(0.99), ..Figures::default() }
}
