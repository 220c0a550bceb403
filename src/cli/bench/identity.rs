//! Rows 10 and 11: a patient index that is filled like a bulk load fills it, then questions, half of them with an error, and
//! a feed, half of it news of patients who are known elsewhere. In this process, on a real store; what the wire adds is
//! measured with the transactions.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};

use super::Run;
use super::figures::{Figures, Row};
use super::load::Outcome;
use super::process;
use crate::demographics::{
    Address, BirthRange, BirthTime, Demographics, DemographicsChange, Name, Representation, Sex, Telecom,
};
use crate::identity::index::{Index, MIGRATION};
use crate::ids::{Oid, PatientId};
use crate::limits;
use crate::store::Store;
use crate::transactions::identity::DemographicsQuery;

/// Connections of a feed.
const FEEDERS: usize = 32;
/// From which degree on a patient is an answer.
const DEGREE: u8 = 80;
/// Surnames in kanji and kana; the first ones are the most frequent.
const FAMILIES: [(&str, &str); 24] = [
    ("佐藤", "サトウ"),
    ("鈴木", "スズキ"),
    ("高橋", "タカハシ"),
    ("田中", "タナカ"),
    ("渡辺", "ワタナベ"),
    ("伊藤", "イトウ"),
    ("山本", "ヤマモト"),
    ("中村", "ナカムラ"),
    ("小林", "コバヤシ"),
    ("加藤", "カトウ"),
    ("吉田", "ヨシダ"),
    ("山田", "ヤマダ"),
    ("佐々木", "ササキ"),
    ("山口", "ヤマグチ"),
    ("松本", "マツモト"),
    ("井上", "イノウエ"),
    ("木村", "キムラ"),
    ("斎藤", "サイトウ"),
    ("清水", "シミズ"),
    ("阿部", "アベ"),
    ("森", "モリ"),
    ("池田", "イケダ"),
    ("橋本", "ハシモト"),
    ("石川", "イシカワ"),
];
/// First and second halves of given names: kanji and kana.
const FIRST: [(&str, &str); 16] = [
    ("美", "ミ"),
    ("裕", "ユウ"),
    ("健", "ケン"),
    ("和", "カズ"),
    ("恵", "エ"),
    ("直", "ナオ"),
    ("智", "トモ"),
    ("明", "アキ"),
    ("正", "マサ"),
    ("由", "ユ"),
    ("久", "ヒサ"),
    ("幸", "ユキ"),
    ("義", "ヨシ"),
    ("千", "チ"),
    ("陽", "ヨウ"),
    ("真", "マ"),
];
const SECOND: [(&str, &str); 16] = [
    ("子", "コ"),
    ("一", "イチ"),
    ("美", "ミ"),
    ("太", "タ"),
    ("代", "ヨ"),
    ("彦", "ヒコ"),
    ("香", "カ"),
    ("也", "ヤ"),
    ("江", "エ"),
    ("介", "スケ"),
    ("里", "リ"),
    ("樹", "キ"),
    ("奈", "ナ"),
    ("男", "オ"),
    ("之", "ユキ"),
    ("穂", "ホ"),
];

/// Rows 10 and 11.
pub async fn rows(run: &Run) -> Result<Vec<Row>, String> {
    let folder = run.dir.join("identity");
    let opening = tokio::task::spawn_blocking(move || {
        let store = Store::open(&folder, &[MIGRATION])?;
        let index = Index::open(store.clone(), "bench")?;
        Ok::<_, crate::store::StoreError>((store, index))
    });
    let (store, index) =
        opening.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    let filled = fill(&index, run.entries).await?;
    let found = questions(&index, run).await?;
    let fed = feed(&index, run).await?;
    let closing = tokio::task::spawn_blocking(move || store.close());
    closing.await.map_err(|error| error.to_string())?;
    Ok(vec![filled, found, fed])
}

/// What this process has cost since some moment. Who asks and who answers are one process.
struct Cost(f64);

impl Cost {
    fn begin() -> Self {
        Self(process::cpu_seconds(std::process::id()))
    }
    fn figures(&self, outcome: &Outcome) -> Figures {
        let process = std::process::id();
        Figures::of(outcome, process::cpu_seconds(process) - self.0, process::peak_mib(process))
    }
}

async fn fill(index: &Index, patients: u64) -> Result<Row, String> {
    let (start, cost) = (Instant::now(), Cost::begin());
    let announcements = stream::iter(0..patients).map(|number| announce(index, 1, number, person(number)));
    let mut announcements = announcements.buffer_unordered(limits::IMPORT_ROWS_AT_ONCE);
    while let Some(done) = announcements.next().await {
        done?;
    }
    let outcome = Outcome { good: patients, seconds: start.elapsed().as_secs_f64(), ..Outcome::default() };
    let (rate, figures) = (outcome.rate(), cost.figures(&outcome));
    Ok(Row {
        work: format!("bulk load of {patients} patients, matching included"),
        ours: Figures { p50: None, p99: None, ..figures },
        limit: Figures::default(),
        reach: "minutes for a million".into(),
        reached: format!("{:.1} min for a million", 1e6 / rate / 60.0),
        met: None,
    })
}

async fn questions(index: &Index, run: &Run) -> Result<Row, String> {
    let (hits, misses) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let cost = Cost::begin();
    let outcome = load(run.connections, run.duration, |number| {
        let (index, hits, misses) = (index.clone(), hits.clone(), misses.clone());
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
            let (matches, _) = index.find(query, 10).await.map_err(|error| error.to_string())?;
            let id = identifier(1, patient)?;
            let found = matches.iter().any(|found| found.identifiers.contains(&id));
            if found { &hits } else { &misses }.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    })
    .await?;
    let (hits, misses) = (hits.load(Ordering::Relaxed), misses.load(Ordering::Relaxed));
    let p99 = outcome.quantile(0.99);
    Ok(Row {
        work: format!(
            "row 10: a patient among {}, half of the questions with an error; {:.2} % found",
            run.entries,
            100.0 * hits as f64 / (hits + misses).max(1) as f64
        ),
        ours: cost.figures(&outcome),
        limit: Figures::default(),
        reach: "p99 ≤ 30 ms".into(),
        reached: format!("{p99:.1} ms"),
        met: Some(p99 <= 30.0),
    })
}

async fn feed(index: &Index, run: &Run) -> Result<Row, String> {
    let cost = Cost::begin();
    let outcome = load(FEEDERS, run.duration, |number| {
        let index = index.clone();
        let known = scatter(number) % run.entries.max(1);
        let run_number = run.entries + number;
        async move {
            if number % 2 == 1 {
                let mut person = person(known);
                err(&mut person, number / 2);
                announce(&index, 2, run_number, person).await
            } else {
                announce(&index, 1, run_number, person(run_number)).await
            }
        }
    })
    .await?;
    let rate = outcome.rate();
    Ok(Row {
        work: format!(
            "row 11: a feed of {FEEDERS} into {} patients, durable, matching included",
            run.entries
        ),
        ours: cost.figures(&outcome),
        limit: Figures::default(),
        reach: "≥ 3000 /s".into(),
        reached: format!("{rate:.0} /s"),
        met: Some(rate >= 3_000.0),
    })
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
    let mut outcome = Outcome::default();
    for millis in join_all((0..connections).map(|_| connection())).await {
        outcome.millis.extend(millis?);
    }
    outcome.millis.sort_by(f64::total_cmp);
    outcome.good = outcome.millis.len() as u64;
    outcome.seconds = start.elapsed().as_secs_f64();
    Ok(outcome)
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

/// The patient of a number: always the same one.
fn person(number: u64) -> Demographics {
    let draw = |salt: u64, most: usize| (scatter(number ^ (salt << 56)) % most as u64) as usize;
    // The lesser of two draws: the first names are several times as frequent as the last.
    let frequent = |salt: u64, most: usize| draw(salt, most).min(draw(salt + 1, most));
    let (family, family_kana) = FAMILIES[frequent(1, FAMILIES.len())];
    let (first, second) = (FIRST[draw(3, FIRST.len())], SECOND[draw(4, SECOND.len())]);
    let name = |family: &str, given: String, representation| Name {
        family: family.into(),
        given,
        representation: Some(representation),
        ..Name::default()
    };
    let (year, month, day) = (1930 + draw(5, 90), 1 + draw(6, 12), 1 + draw(7, 28));
    let (postcode, town) = (draw(8, 4_000), draw(9, 40));
    Demographics {
        names: vec![
            name(family, format!("{}{}", first.0, second.0), Representation::Ideographic),
            name(family_kana, format!("{}{}", first.1, second.1), Representation::Phonetic),
        ],
        birth: BirthTime::parse(&format!("{year:04}{month:02}{day:02}")),
        sex: Some(if draw(10, 2) == 0 { Sex::Female } else { Sex::Male }),
        addresses: vec![Address {
            postcode: format!("{:03}-{:04}", 100 + postcode / 10, 100 * (postcode % 10) + town),
            state: "宮城県".into(),
            city: format!("第{}市", postcode / 100),
            street: format!(
                "{}町{}-{}",
                FAMILIES[town % FAMILIES.len()].0,
                1 + draw(11, 20),
                1 + draw(12, 30)
            ),
            ..Address::default()
        }],
        telecoms: vec![Telecom {
            value: format!("022-{:03}-{:04}", draw(13, 900), draw(14, 10_000)),
            ..Telecom::default()
        }],
        ..Demographics::default()
    }
}

/// One error of several kinds.
fn err(person: &mut Demographics, number: u64) {
    match number % 5 {
        0 => person.addresses.clear(),
        1 => person.birth = person.birth.as_ref().and_then(|birth| exchanged(birth.as_str())),
        2 => person.names.truncate(1),
        3 => person.names.iter_mut().take(1).for_each(|name| name.family = "渡邉".into()),
        _ => person.names.iter_mut().for_each(|name| name.given.push('コ')),
    }
}

/// A birth with its last two digits exchanged, or one of them wrong.
fn exchanged(birth: &str) -> Option<BirthTime> {
    let (rest, last) = birth.split_at_checked(6)?;
    let day: u32 = last.parse().ok()?;
    BirthTime::parse(&format!("{rest}{:02}", if day < 20 { day + 10 } else { day - 10 }))
}

/// Numbers that look random (splitmix64).
fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
