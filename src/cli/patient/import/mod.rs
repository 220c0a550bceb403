//! `sekisho patient import`: patients in bulk. Rows are announced like messages, many at once, so that they share commits;
//! good rows are kept, bad ones told with file, line and rule. A run that was broken off is simply started again: what is
//! there already changes nothing.

mod batch;
mod table;

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use indicatif::ProgressBar;
use serde_json::json;
use tokio::sync::mpsc;

use crate::actors::identity_feed::{all_of, in_order};
use crate::cli::named::charset;
use crate::cli::output::Output;
use crate::cli::{Exit, Outcome, Stop};
use crate::demographics::{Authority, DemographicsChange, Domains, Identifier, Visit, refused_in};
use crate::identity::index::{Announced, Dated, Index, IndexError};
use crate::ids::{Oid, PatientId};
use crate::limits;
use crate::registry::Registry;
use crate::transactions::identity::{IdentityError, Place};
use crate::wire::hl7v2::Charset;

/// Load patients.
#[derive(Debug, Args)]
pub struct Import {
    /// CSV with a header, or HL7 v2 messages one after the other (with or without FHS and BHS)
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Domain of a CSV's ids: its OID or namespace
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Domain of a CSV's column `insured`
    #[arg(long, value_name = "DOMAIN")]
    insured_domain: Option<String>,
    /// Character set of HL7 v2 messages whose MSH-18 names none
    #[arg(long, value_name = "NAME", default_value = "UNICODE UTF-8", value_parser = charset)]
    charset: Charset,
}

/// Who is told of whom is imported, as by a feed: the patient index, and the registries that are hosted beside it.
#[derive(Clone, Copy)]
pub struct Receivers<'a> {
    /// The patient index.
    pub index: &'a Index,
    /// The registries, which keep identifiers of the affinity domain only; the region's own first.
    pub registries: &'a [Registry],
}

/// What a row or message says.
pub enum Entry {
    /// Somebody is there.
    Announce { identifiers: Vec<Dated>, change: Box<DemographicsChange>, visit: Option<Box<Visit>> },
    /// Two identifiers were merged.
    Merge { surviving: PatientId, subsumed: PatientId, change: Box<DemographicsChange> },
}

/// An entry, or why it is none, and where it stands.
pub struct Item {
    line: u64,
    entry: Result<Entry, String>,
}

/// Where entries of a file go.
pub type Items = mpsc::Sender<Item>;

/// How many came to what.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    added: u64,
    changed: u64,
    unchanged: u64,
    merged: u64,
    already_merged: u64,
    bad: u64,
}

/// Domains by which a file's identifiers are read.
pub struct Naming {
    domains: std::sync::Arc<Domains>,
    patients: Option<Oid>,
    insured: Option<Oid>,
    charset: Charset,
}

impl Import {
    /// Loads.
    pub async fn run(
        &self,
        receivers: Receivers<'_>,
        domains: &std::sync::Arc<Domains>,
        output: Output,
    ) -> Outcome {
        let domain = |name: &Option<String>| name.as_deref().map(|name| named(domains, name)).transpose();
        let (patients, insured) = (domain(&self.domain)?, domain(&self.insured_domain)?);
        let mut total = Counts::default();
        for file in &self.files {
            let naming = Naming {
                domains: domains.clone(),
                patients: patients.clone(),
                insured: insured.clone(),
                charset: self.charset,
            };
            let counts = load(receivers, file, naming, output).await?;
            total.add(counts);
        }
        let told = total.named().map(|(name, count)| format!("{count} {name}"));
        output.line(&told.join(", "));
        let named = total.named().map(|(name, count)| (name.replace(' ', "_"), json!(count)));
        output.json(&named.into_iter().collect::<serde_json::Map<_, _>>().into());
        Ok(if total.bad == 0 { Exit::Done } else { Exit::No })
    }
}

impl Counts {
    fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("added", self.added),
            ("changed", self.changed),
            ("unchanged", self.unchanged),
            ("merged", self.merged),
            ("already merged", self.already_merged),
            ("bad", self.bad),
        ]
    }
    fn add(&mut self, other: Self) {
        self.added += other.added;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
        self.merged += other.merged;
        self.already_merged += other.already_merged;
        self.bad += other.bad;
    }
}

/// The OID of a domain that the configuration has.
fn named(domains: &Domains, name: &str) -> Result<Oid, Stop> {
    let by_namespace = Authority { namespace: name.into(), ..Authority::default() };
    let found = domains.by_oid(name).or_else(|| domains.find(&by_namespace));
    let known = || domains.iter().map(|domain| format!("{} ({})", domain.namespace, domain.oid));
    found.map(|domain| domain.oid.clone()).ok_or_else(|| {
        let known = known().collect::<Vec<_>>().join(", ");
        Stop::new(Exit::Usage, format!("the configuration has no domain {name:?}; it has {known}"))
    })
}

/// Loads a file, reading it on a thread of its own.
async fn load(receivers: Receivers<'_>, file: &Path, naming: Naming, output: Output) -> Result<Counts, Stop> {
    let unreadable = |error: std::io::Error| Stop::new(Exit::Usage, format!("{}: {error}", file.display()));
    let opened = File::open(file).map_err(unreadable)?;
    let bar = output.progress(opened.metadata().ok().map(|metadata| metadata.len()));
    let (items, received) = mpsc::channel(limits::IMPORT_ROWS_AT_ONCE);
    let reading = {
        let bar = bar.clone();
        tokio::task::spawn_blocking(move || read(opened, &bar, &naming, &items))
    };
    let counts = announce_all(receivers, received, file, &bar).await;
    bar.finish_and_clear();
    let read = reading.await.map_err(|error| Stop::new(Exit::Unavailable, error.to_string()))?;
    let counts = counts?;
    read.map_err(|problem| Stop::new(Exit::Usage, format!("{}: {problem}", file.display())))?;
    Ok(counts)
}

/// Reads a file as what its first bytes say that it is.
fn read(file: File, bar: &ProgressBar, naming: &Naming, items: &Items) -> Result<(), String> {
    let mut file = BufReader::with_capacity(256 * 1024, bar.wrap_read(file));
    let mut beginning = [0; batch::BEGINNING];
    let length = file.read(&mut beginning).map_err(|error| error.to_string())?;
    let beginning = &beginning[..length];
    let file = std::io::Cursor::new(beginning.to_vec()).chain(file);
    if batch::begins(beginning) {
        batch::read(BufReader::new(file), naming, items)
    } else {
        table::read(file, naming, items)
    }
}

/// Announces what is read, many at once, but what names one identifier in the order of the file.
async fn announce_all(
    receivers: Receivers<'_>,
    mut items: mpsc::Receiver<Item>,
    file: &Path,
    bar: &ProgressBar,
) -> Result<Counts, Stop> {
    let mut counts = Counts::default();
    let mut running: FuturesUnordered<BoxFuture<'_, (u64, Vec<PatientId>, Outcomes)>> =
        FuturesUnordered::new();
    let mut busy: HashSet<PatientId> = HashSet::new();
    loop {
        let item = items.recv().await;
        let identifiers = match &item {
            Some(Item { entry: Ok(entry), .. }) => entry.identifiers(),
            _ => Vec::new(),
        };
        let must_wait = |running: usize, busy: &HashSet<PatientId>| {
            running >= limits::IMPORT_ROWS_AT_ONCE
                || (item.is_none() && running > 0)
                || identifiers.iter().any(|identifier| busy.contains(identifier))
        };
        while must_wait(running.len(), &busy)
            && let Some((line, done, outcome)) = running.next().await
        {
            for identifier in &done {
                busy.remove(identifier);
            }
            counts.count(outcome, file, line, bar)?;
        }
        match item {
            None => return Ok(counts),
            Some(Item { line, entry: Err(problem) }) => {
                counts.count(Outcomes::Bad(problem), file, line, bar)?;
            }
            Some(Item { line, entry: Ok(entry) }) => {
                busy.extend(identifiers.iter().cloned());
                running.push(Box::pin(async move { (line, identifiers, receivers.tell(entry).await) }));
            }
        }
    }
}

/// What no network may keep.
const MY_NUMBER: &str = "an id is an Individual Number (My Number), which must not be kept";

/// Bad entries of a file that are told each: where all are bad, it is for one reason.
const MOST_BAD_TOLD: u64 = 100;
const MORE_BAD: u64 = MOST_BAD_TOLD + 1;

/// What became of an entry.
enum Outcomes {
    Announced(Announced),
    Merged,
    /// It is about an identifier that a merge ended before, by an earlier run, say.
    AlreadyMerged,
    Bad(String),
    Broken(String),
}

impl Counts {
    fn count(&mut self, outcome: Outcomes, file: &Path, line: u64, bar: &ProgressBar) -> Result<(), Stop> {
        match outcome {
            Outcomes::Announced(Announced::Added) => self.added += 1,
            Outcomes::Announced(Announced::Changed) => self.changed += 1,
            Outcomes::Announced(Announced::Unchanged) => self.unchanged += 1,
            Outcomes::Merged => self.merged += 1,
            Outcomes::AlreadyMerged => self.already_merged += 1,
            Outcomes::Bad(problem) => {
                self.bad += 1;
                match self.bad {
                    ..=MOST_BAD_TOLD => bar.suspend(|| eprintln!("{}:{line}: {problem}", file.display())),
                    MORE_BAD => {
                        bar.suspend(|| eprintln!("{}: more are bad, and counted only", file.display()))
                    }
                    _ => {}
                }
            }
            Outcomes::Broken(problem) => {
                return Err(Stop::new(
                    Exit::Unavailable,
                    format!("{}:{line}: {problem}; start again to go on", file.display()),
                ));
            }
        }
        Ok(())
    }
}

impl Entry {
    fn identifiers(&self) -> Vec<PatientId> {
        match self {
            Self::Announce { identifiers, .. } => {
                identifiers.iter().map(|told| told.patient.clone()).collect()
            }
            Self::Merge { surviving, subsumed, .. } => vec![surviving.clone(), subsumed.clone()],
        }
    }
}

impl Receivers<'_> {
    async fn tell(self, entry: Entry) -> Outcomes {
        let done = match entry {
            Entry::Announce { identifiers, change, visit } => {
                let announcing = self.registries.iter().filter_map(|registry| {
                    let told = (1..).map(Place::Identifier).zip(&identifiers);
                    let known = told.filter(|(_, told)| serves(registry, &told.patient));
                    let known: Vec<_> = known.map(|(place, told)| (place, told.patient.clone())).collect();
                    (!known.is_empty()).then(|| registry.announcing(known))
                });
                let along = all_of(announcing.collect());
                let (told, visit) = (identifiers.clone(), visit.map(|visit| *visit));
                match self.index.announce_along(told, *change, visit, along).await {
                    Err(IndexError::Subsumed(ended)) => self.told_before(&identifiers, ended).await,
                    done => done.map(Outcomes::Announced),
                }
            }
            Entry::Merge { surviving, subsumed, change } => {
                let serving = |registry: &&Registry| {
                    [&surviving, &subsumed].into_iter().all(|patient| serves(registry, patient))
                };
                let serving = self.registries.iter().filter(serving);
                let merging = serving.map(|registry| registry.merging(surviving.clone(), subsumed.clone()));
                let along = in_order(merging.collect());
                let merged = self.index.merge(surviving.clone(), subsumed.clone(), (*change).clone(), along);
                match merged.await {
                    Err(IndexError::Subsumed(ended)) if ended == subsumed => {
                        self.merged_before(surviving, ended, *change).await
                    }
                    done => done.map(|()| Outcomes::Merged),
                }
            }
        };
        done.unwrap_or_else(|error| match error {
            IndexError::Store(error) => Outcomes::Broken(error.to_string()),
            IndexError::Along(errors) => Outcomes::Bad(first(&errors)),
            error => Outcomes::Bad(error.to_string()),
        })
    }
}

impl Receivers<'_> {
    /// What becomes of an announcement that names an identifier which ended: nothing, if all of it is known. Of somebody who
    /// is not, something would be lost.
    async fn told_before(self, told: &[Dated], ended: PatientId) -> Result<Outcomes, IndexError> {
        for Dated { patient, .. } in told.iter().filter(|told| !self.index.is_insured(&told.patient)) {
            if self.index.survivor_of(patient).await?.is_none() {
                return Err(IndexError::Subsumed(ended));
            }
        }
        Ok(Outcomes::AlreadyMerged)
    }

    /// What becomes of a merge whose subsumed identifier ended before: it is known, unless that was merged into somebody
    /// else. What the rows before it made of who survived, it takes back, as it did in the first run.
    async fn merged_before(
        self,
        surviving: PatientId,
        ended: PatientId,
        change: DemographicsChange,
    ) -> Result<Outcomes, IndexError> {
        let [stands, instead] =
            [self.index.survivor_of(&surviving).await?, self.index.survivor_of(&ended).await?];
        if stands != instead {
            return Err(IndexError::Subsumed(ended));
        }
        match self.index.announce([surviving], change, None).await {
            Ok(_) | Err(IndexError::Subsumed(_)) => Ok(Outcomes::AlreadyMerged),
            Err(error) => Err(error),
        }
    }
}

/// What is wrong in the first place.
fn first(errors: &[IdentityError]) -> String {
    errors.first().map_or_else(String::new, |error| error.text.clone())
}

/// Whether an identifier is of the affinity domain.
fn serves(registry: &Registry, patient: &PatientId) -> bool {
    registry.settings().serves(&patient.to_cx())
}

impl Naming {
    /// An identifier of a domain, unless no network may keep it.
    fn identifier(&self, id: &str, domain: &Oid) -> Result<PatientId, String> {
        match id.trim() {
            "" => Err("there is no id".to_owned()),
            id if refused_in(self.domains.by_oid(domain.as_str()), id) => Err(MY_NUMBER.to_owned()),
            id => Ok(PatientId::new(id, domain.clone())),
        }
    }

    /// Whether another number may be kept: of an account, of a visit.
    fn may_keep(&self, number: &Identifier) -> Result<(), String> {
        match refused_in(self.domains.find(&number.authority), &number.id) {
            true => Err(MY_NUMBER.to_owned()),
            false => Ok(()),
        }
    }
}
