//! Rows 10 and 11: a patient index that is filled like a bulk load fills it, then questions, half of them with an error, and
//! a feed, half of it news of patients who are known elsewhere. The questions are ITI-47, the feed is ITI-8 over MLLP, to a
//! gateway of its own.

use std::future::Future;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};

use super::figures::{Figures, Row};
use super::load::{self, Outcome, Shot};
use super::people::{err, person, scatter};
use super::process::{self, Process};
use super::setting::Region;
use super::transactions::raw_sync_rate;
use super::{Run, data};
use crate::cli::patient;
use crate::demographics::{Authority, BirthRange, Demographics, DemographicsChange, Identifier};
use crate::identity::index::Index;
use crate::ids::{Oid, PatientId};
use crate::limits;
use crate::transactions::hl7v2::{Parties, control_id};
use crate::transactions::hl7v3;
use crate::transactions::identity::{DemographicsQuery, Feed, FeedEvent};
use crate::transactions::iti8::{self, Occasion};
use crate::transactions::iti47::ITI47_FIND;
use crate::wire::hl7v2::Charset;
use crate::wire::http::{Client, ClientSettings};
use crate::wire::soap::Form;

/// Connections of a feed.
const FEEDERS: usize = 32;
/// More messages than any gateway takes in a second.
const MOST_PER_SECOND: u64 = 10_000;
/// Whom the questions are from.
const DEVICE: &str = "1.2.392.100495.20.3.52";
/// From which degree on a patient is an answer.
const DEGREE: u8 = 80;

/// Our domains: two hospitals.
const DOMAINS: &str = "[listen.mllp]\naddress = \"127.0.0.1:0\"\n\
    [[identity.domains]]\noid = \"1.2.392.100495.20.3.51.1\"\nnamespace = \"ONE\"\n\
    [[identity.domains]]\noid = \"1.2.392.100495.20.3.51.2\"\nnamespace = \"TWO\"\n";

/// Rows 10 and 11.
pub async fn rows(run: &Run) -> Result<Vec<Row>, String> {
    let region = Region::new(run, "identity", 51)?.with(DOMAINS);
    // The gateway itself makes the store; the load goes on in what it made.
    drop(region.start(&[], &[])?);
    let mut rows = Vec::new();
    // What an earlier run loaded in the same folder is measured again.
    let mark = region.dir.join(format!("loaded-{}", run.entries));
    if !mark.exists() {
        rows.push(fill(&region, run.entries).await?);
        std::fs::write(&mark, "").map_err(|error| format!("{}: {error}", mark.display()))?;
    }
    let process = region.start(&[], &[])?;
    rows.push(questions(&process, run).await?);
    // Each load has patients of its own, also beside those of an earlier run.
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    rows.push(feed(&process, run, FEEDERS, since << 16).await?);
    rows.push(feed(&process, run, 1, (since << 16) + (1 << 40)).await?);
    Ok(rows)
}

/// Loads patients as `sekisho patient import` does, with the gateway stopped.
async fn fill(region: &Region, patients: u64) -> Result<Row, String> {
    let opened = patient::open(&region.dir.join("sekisho.toml"), &[]).await.map_err(|stop| stop.message)?;
    let (start, us) = (Instant::now(), std::process::id());
    let before = process::cpu_seconds(us);
    let announcements =
        stream::iter(0..patients).map(|number| announce(&opened.index, 1, number, person(number)));
    let mut announcements = announcements.buffer_unordered(limits::IMPORT_ROWS_AT_ONCE);
    while let Some(done) = announcements.next().await {
        done?;
    }
    drop(announcements);
    let outcome = Outcome { good: patients, seconds: start.elapsed().as_secs_f64(), ..Outcome::default() };
    let figures = Figures::of(&outcome, process::cpu_seconds(us) - before, process::peak_mib(us));
    let closing = tokio::task::spawn_blocking(move || opened.store.close());
    closing.await.map_err(|error| error.to_string())?;
    Ok(Row {
        work: format!("bulk load of {patients} patients, matching included"),
        ours: Figures { p50: None, p99: None, ..figures },
        limit: Figures::default(),
        reach: "minutes for a million".into(),
        reached: format!("{:.1} min for a million", 1e6 / outcome.rate() / 60.0),
        met: None,
    })
}

/// What a gateway's process has cost since some moment.
struct Cost<'a>(&'a Process, f64);

impl<'a> Cost<'a> {
    fn begin(process: &'a Process) -> Self {
        process.reset_peak();
        Self(process, process.cpu_seconds())
    }
    fn figures(&self, outcome: &Outcome) -> Figures {
        Figures::of(outcome, self.0.cpu_seconds() - self.1, self.0.peak_mib())
    }
}

async fn questions(process: &Process, run: &Run) -> Result<Row, String> {
    let (hits, misses) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let client = Client::new(&ClientSettings::default()).map_err(|error| error.to_string())?;
    let url = format!("{}/services/iti-47", process.http());
    let url: hyper::Uri = url.parse().map_err(|_| url)?;
    let cost = Cost::begin(process);
    let outcome = load(run.connections, run.duration, |number| {
        let (client, url, hits, misses) = (client.clone(), url.clone(), hits.clone(), misses.clone());
        let patient = scatter(number) % run.entries.max(1);
        async move {
            let mut asked = person(patient);
            if number % 2 == 1 {
                err(&mut asked, number);
            }
            let query = DemographicsQuery {
                names: asked.names,
                birth: asked.birth.map(BirthRange::Within),
                sex: asked.sex,
                addresses: asked.addresses,
                minimum_degree: Some(DEGREE),
                ..DemographicsQuery::default()
            };
            let body = vec![hl7v3::known::write_find_query(&query, DEVICE)];
            let (content_type, body) = data::request(ITI47_FIND, Form::Simple, body, Vec::new()).await?;
            let shot = Shot { url, content_type, body: Arc::new(move |_| body.clone()), expect: "" };
            let answer = load::exchange(&client, &shot, 0).await?.concat();
            if memchr::memmem::find(&answer, b":typeCode code=\"AA\"").is_none() {
                return Err(format!("no answer: {}", String::from_utf8_lossy(&answer)));
            }
            let id = format!("extension=\"{patient:08}\"");
            let found = memchr::memmem::find(&answer, id.as_bytes()).is_some();
            if found { &hits } else { &misses }.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    })
    .await?;
    let (hits, misses) = (hits.load(Ordering::Relaxed), misses.load(Ordering::Relaxed));
    let p99 = outcome.quantile(0.99);
    let most = if run.entries > 1_000_000 { 60.0 } else { 30.0 };
    Ok(Row {
        work: format!(
            "row 10: ITI-47, a patient among {}, half of the questions with an error; {:.2} % found",
            run.entries,
            100.0 * hits as f64 / (hits + misses).max(1) as f64
        ),
        ours: cost.figures(&outcome),
        limit: Figures::default(),
        reach: format!("p99 ≤ {most} ms"),
        reached: format!("{p99:.1} ms"),
        met: Some(p99 <= most),
    })
}

/// ITI-8 over MLLP, each connection waiting for its acknowledgement; half of it news of patients who are known elsewhere.
async fn feed(process: &Process, run: &Run, connections: usize, from: u64) -> Result<Row, String> {
    let address = process.ready["mllp"].as_str().and_then(|url| url.rsplit('/').next());
    let address = address.ok_or("the gateway does not listen for MLLP")?.to_owned();
    // Written before: whoever sends them is another machine, and takes as little of this one as can be.
    let messages = (from..from + MOST_PER_SECOND * run.duration.as_secs()).map(|number| news(run, number));
    let messages = messages.collect::<Result<Vec<_>, _>>()?;
    let (cost, duration) = (Cost::begin(process), run.duration);
    let sending = tokio::task::spawn_blocking(move || {
        let (next, start) = (AtomicU64::new(0), Instant::now());
        let sender = || send(&address, &messages, &next, start + duration);
        let millis = std::thread::scope(|scope| {
            let senders: Vec<_> = (0..connections).map(|_| scope.spawn(sender)).collect();
            let sent = senders.into_iter().map(|sender| sender.join().map_err(|_| "a sender panicked")?);
            sent.collect::<Result<Vec<_>, String>>()
        })?;
        Ok::<_, String>(outcome(millis.concat(), start))
    });
    let outcome = sending.await.map_err(|error| error.to_string())??;
    let (rate, p99) = (outcome.rate(), outcome.quantile(0.99));
    let asked = connections == FEEDERS;
    Ok(Row {
        work: format!(
            "row 11: ITI-8 over MLLP, {connections} at a time, into {} patients, durable, matching included; beside \
             a page appended and synced",
            run.entries
        ),
        ours: cost.figures(&outcome),
        limit: Figures {
            rate: Some(raw_sync_rate(run, limits::STORE_PAGE_BYTES as usize)?),
            ..Figures::default()
        },
        reach: if asked { "≥ 3000 /s" } else { "" }.into(),
        reached: if asked { format!("{rate:.0} /s") } else { format!("{rate:.0} /s, p99 {p99:.1} ms") },
        met: asked.then_some(rate >= 3_000.0),
    })
}

/// A connection: sends messages one after the other, each when the one before it is acknowledged; how long that took, in
/// milliseconds.
fn send(
    address: &str,
    messages: &[(String, Vec<u8>)],
    next: &AtomicU64,
    until: Instant,
) -> Result<Vec<f64>, String> {
    let failed = |error: std::io::Error| format!("MLLP: {error}");
    let mut socket = TcpStream::connect(address).map_err(failed)?;
    socket.set_nodelay(true).map_err(failed)?;
    socket.set_read_timeout(Some(Duration::from_secs(60))).map_err(failed)?;
    let (mut millis, mut answer) = (Vec::new(), Vec::new());
    while Instant::now() < until {
        let number = next.fetch_add(1, Ordering::Relaxed) as usize;
        let (id, message) = messages.get(number).ok_or("there are no more messages")?;
        let began = Instant::now();
        socket.write_all(message).map_err(failed)?;
        answer.clear();
        while !answer.ends_with(b"\x1c\r") {
            let mut piece = [0; 4096];
            match socket.read(&mut piece).map_err(failed)? {
                0 => return Err("the gateway closed the connection".into()),
                read => answer.extend_from_slice(&piece[..read]),
            }
        }
        let accepted = format!("\rMSA|AA|{id}");
        if memchr::memmem::find(&answer, accepted.as_bytes()).is_none() {
            return Err(format!("not accepted: {}", String::from_utf8_lossy(&answer)));
        }
        millis.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(millis)
}

/// The n-th message of a feed: of somebody new, or, every other one, of somebody who is known elsewhere, with an error.
fn news(run: &Run, number: u64) -> Result<(String, Vec<u8>), String> {
    let fresh = run.entries + number;
    if number.is_multiple_of(2) {
        return announcement(1, fresh, &person(fresh));
    }
    let mut known = person(scatter(number) % run.entries.max(1));
    err(&mut known, number / 2);
    announcement(2, fresh, &known)
}

/// An A04 in its frame, and its MSH-10.
fn announcement(facility: u32, number: u64, person: &Demographics) -> Result<(String, Vec<u8>), String> {
    let patient = identifier(facility, number)?;
    let event = FeedEvent::Announce {
        identifiers: vec![Identifier {
            id: patient.id().to_owned(),
            authority: Authority::of_oid(patient.authority().as_str()),
            ..Identifier::default()
        }],
        ended: Vec::new(),
        change: Box::new(DemographicsChange::set(person)),
        visit: None,
    };
    let party = || ("HIS".to_owned(), "BENCH".to_owned());
    let parties = Parties { sender: party(), receiver: party(), charset: Charset::Utf8 };
    let id = control_id();
    let message = iti8::request(&Feed { event, source: party() }, Occasion::Registration, &parties, &id);
    let message = message.encode(Charset::Utf8).bytes;
    Ok((id, [b"\x0b", message.as_slice(), b"\x1c\r"].concat()))
}

/// Numbered work by so many at once, each beginning the next when one is done.
async fn load<F>(connections: usize, duration: Duration, work: impl Fn(u64) -> F) -> Result<Outcome, String>
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let (next, start) = (AtomicU64::new(0), Instant::now());
    let connection = || async {
        let mut millis = Vec::new();
        while start.elapsed() < duration {
            let began = Instant::now();
            let done = tokio::spawn(work(next.fetch_add(1, Ordering::Relaxed)));
            done.await.map_err(|error| error.to_string())??;
            millis.push(began.elapsed().as_secs_f64() * 1e3);
        }
        Ok::<_, String>(millis)
    };
    let millis = join_all((0..connections).map(|_| connection())).await;
    Ok(outcome(millis.into_iter().collect::<Result<Vec<_>, _>>()?.concat(), start))
}

/// What came of work that began then, and took so many milliseconds each.
fn outcome(mut millis: Vec<f64>, start: Instant) -> Outcome {
    let seconds = start.elapsed().as_secs_f64();
    millis.sort_by(f64::total_cmp);
    Outcome { good: millis.len() as u64, seconds, millis, ..Outcome::default() }
}

async fn announce(index: &Index, facility: u32, number: u64, person: Demographics) -> Result<(), String> {
    let change = DemographicsChange::set(&person);
    let done = index.announce(vec![identifier(facility, number)?], change, None).await;
    done.map(|_| ()).map_err(|error| error.to_string())
}

fn identifier(facility: u32, number: u64) -> Result<PatientId, String> {
    let domain =
        Oid::parse(&format!("1.2.392.100495.20.3.51.{facility}")).map_err(|error| error.to_string())?;
    Ok(PatientId::new(&format!("{number:08}"), domain))
}
