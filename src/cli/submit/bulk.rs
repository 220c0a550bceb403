//! `sekisho submit DIR`: every file of a folder becomes a document, in a submission of its own, several at once. uniqueIds
//! follow from the documents ([`identity`]), so that sending one again is no second document; what was accepted is in a
//! journal and not sent again.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt as _;
use openssl::sha::Sha256;

use super::facts::{Facts, read_table};
use super::folder::{Walked, beginning, beside, walk};
use super::journal::Journal;
use super::mapping::CodeMap;
use super::outcome::{Fate, Told, is_busy, tell};
use super::{Batch, Document, code, defaults, mime_type, opened};
use crate::cli::named::Naming;
use crate::cli::output::Output;
use crate::cli::peer::{PeerError, Place};
use crate::cli::{Exit, Outcome, Stop};
use crate::ids::PatientId;
use crate::limits;
use crate::metadata::cda::{ClinicalDocument, InstanceIdentifier};
use crate::metadata::{Author, Code};
use crate::time::is_dtm;
use crate::transactions::errors::{RegistryError, Severity, Status, code};
use crate::wire::soap::CallError;
use crate::wire::xml::Tree;

/// The table of a folder.
const TABLE: &str = "metadata.csv";

/// A folder and what holds for all of its documents.
pub struct Bulk {
    /// The folder.
    pub folder: PathBuf,
    /// A CSV; `metadata.csv` of the folder, if that is there, where it is not named.
    pub table: Option<PathBuf>,
    /// Codes to codes.
    pub map: CodeMap,
    /// The file that says so.
    pub map_file: Option<PathBuf>,
    /// What patients may be named by.
    pub naming: Naming,
    /// What is said of documents that say nothing themselves.
    pub facts: Facts,
    /// Of times without zone, in minutes east.
    pub zone: i32,
    /// Which of a CDA's patient identifiers is the affinity domain's; the first if None.
    pub authority: Option<String>,
    /// sourceId.
    pub source: String,
    /// Submissions at once.
    pub parallel: usize,
    /// Where the journal is; None in a dry run.
    pub journal: Option<PathBuf>,
}

const STRANGER: &str = "the table has a row for it, and there is no such file";
const LINK: &str = "it is a symbolic link, which could lead out of the folder";

fn unusable((file, problem): (String, &str)) -> Told {
    Told { file, unique_id: String::new(), fate: Fate::Unusable(vec![problem.to_owned()]) }
}

/// What runs.
struct Running {
    bulk: Bulk,
    place: Place,
    rows: HashMap<String, Facts>,
    journal: Option<Journal>,
    away: AtomicBool,
}

impl Bulk {
    /// Submits everything and tells what became of each file.
    pub async fn run(self, place: Place, output: Output) -> Outcome {
        let table =
            self.table.clone().or_else(|| Some(self.folder.join(TABLE)).filter(|file| file.is_file()));
        let folder = self.folder.clone();
        let journal = self.journal.clone();
        let (url, map) = (place.url.to_string(), self.map_file.clone());
        let read = move || -> Result<_, String> {
            let rows = table.as_ref().map(|table| read_table(table)).transpose()?.unwrap_or_default();
            let opened = journal.as_ref().map(|journal| Journal::open(journal, &url)).transpose()?;
            let left_out = table.into_iter().chain(journal).chain(map).chain([folder.join(TABLE)]);
            Ok((walk(&folder, left_out)?, rows, opened))
        };
        let read = tokio::task::spawn_blocking(read).await;
        let read = read.map_err(|error| Stop::new(Exit::Unavailable, error.to_string()))?;
        let (Walked { files, links }, rows, journal) =
            read.map_err(|problem| Stop::new(Exit::Usage, problem))?;
        let is_strange = |file: &&String| files.binary_search(file).is_err() && !links.contains(file);
        let strangers = rows.keys().filter(is_strange).cloned().map(|file| (file, STRANGER));
        let mut told: Vec<_> = strangers.map(unusable).collect();
        told.extend(links.into_iter().map(|file| (file, LINK)).map(unusable));

        let parallel = self.parallel;
        let running = Arc::new(Running { bulk: self, place, rows, journal, away: AtomicBool::new(false) });
        let progress = output.files(files.len() as u64);
        if output == Output::Lines {
            told.iter().for_each(|one| output.line(&one.line()));
        }
        let each = futures_util::stream::iter(files).map(|file| Arc::clone(&running).submit(file));
        let mut each = each.buffer_unordered(parallel);
        while let Some(one) = each.next().await {
            progress.inc(1);
            if output == Output::Lines {
                output.line(&one.line());
            }
            told.push(one);
        }
        progress.finish_and_clear();
        told.sort_by(|one, other| one.file.cmp(&other.file));
        Ok(tell(&told, running.journal.is_none(), output))
    }
}

impl Running {
    async fn submit(self: Arc<Self>, file: String) -> Told {
        if self.away.load(Ordering::Relaxed) {
            return Told { file, unique_id: String::new(), fate: Fate::Untried };
        }
        let (unique_id, fate) = match self.prepare(&file).await {
            Err(problems) => (String::new(), Fate::Unusable(problems)),
            Ok(prepared) => (prepared.document.unique_id.clone(), self.send(&file, prepared).await),
        };
        if matches!(fate, Fate::Unanswered(_)) {
            self.away.store(true, Ordering::Relaxed);
        }
        Told { file, unique_id, fate }
    }

    async fn send(&self, file: &str, prepared: Prepared) -> Fate {
        let sha1 = prepared.document.sha1.clone();
        if self.journal.as_ref().is_some_and(|journal| journal.has(file, &sha1)) {
            return Fate::There;
        }
        let path = self.bulk.folder.join(file);
        let mut pause = limits::BULK_RETRY_PAUSE;
        let mut attempt = 1;
        let fate = loop {
            // Its stream is new each time.
            let document = match opened(&path).await {
                Ok((_, _, content)) => Document { content, ..prepared.document.again() },
                Err(stop) => return Fate::Unusable(vec![stop.message]),
            };
            let fate = self.attempt(&prepared, document).await;
            let busy = matches!(&fate, Fate::Refused(errors) if errors.iter().any(is_busy));
            if !busy || attempt >= limits::MAX_BULK_ATTEMPTS {
                break fate;
            }
            tokio::time::sleep(pause).await;
            (attempt, pause) = (attempt + 1, pause * 2);
        };
        if let (Fate::Accepted | Fate::There, Some(journal)) = (&fate, &self.journal)
            && let Err(error) = journal.accept(file, &sha1)
        {
            return Fate::Unanswered(format!("it was accepted, and the journal cannot be written: {error}"));
        }
        fate
    }

    async fn attempt(&self, prepared: &Prepared, document: Document) -> Fate {
        let Prepared { patient, language, set, .. } = prepared;
        let mut batch = Batch::new(patient.clone(), &self.bulk.source, language).with_unique_id(set);
        if let Some(journal) = &self.journal {
            batch = batch.at(journal.begun());
        }
        batch.add(document);
        let (submission, documents) = batch.finish();
        let Place { peer, url, .. } = &self.place;
        let answered = match self.journal {
            Some(_) => peer.submit(url, &submission, documents).await,
            None => peer.rehearse(url, &submission, documents).await,
        };
        match answered {
            Ok(response) if response.status == Status::Success => Fate::Accepted,
            Ok(response) => {
                let mut errors = response.errors;
                errors.retain(|error| error.severity == Severity::Error);
                // The set's uniqueId follows from the document: it was accepted under another journal. Of the document's
                // own it would mean that another one has it.
                let own = &*prepared.document.unique_id;
                let is_set = |error: &RegistryError| {
                    error.code == code::DUPLICATE_UNIQUE_ID_IN_REGISTRY
                        && !error.context.split([' ', '"', '\'', ',']).any(|word| word == own)
                };
                let there = !errors.is_empty() && errors.iter().all(is_set);
                if there { Fate::There } else { Fate::Refused(errors) }
            }
            Err(PeerError::Call(CallError::Fault(fault))) => {
                Fate::Refused(vec![RegistryError::error("SOAP fault", fault.reason.clone())])
            }
            Err(error) => Fate::Unanswered(error.to_string()),
        }
    }

    /// Gathers what is said of a file.
    async fn prepare(&self, file: &str) -> Result<Prepared, Vec<String>> {
        let Bulk { folder, map, facts: options, source, zone, authority, .. } = &self.bulk;
        let path = folder.join(file);
        let unreadable = |error: std::io::Error| vec![error.to_string()];
        let row = self.rows.get(file).cloned().unwrap_or_default();
        let beside = match tokio::fs::read(beside(&path)).await {
            Ok(text) => Facts::of_json(&text).map_err(|problem| vec![format!("{file}.json: {problem}")])?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Facts::default(),
            Err(error) => return Err(unreadable(error)),
        };
        let header = beginning(&path).await.map_err(unreadable)?;
        let header = Tree::parse_beginning(header).ok();
        let header = header.as_ref().and_then(ClinicalDocument::of);
        let named: Vec<_> = header.iter().flat_map(|cda| cda.patients()).collect();
        let header = header.map(|cda| Facts::of_cda(cda, map, *zone, authority.as_deref()));
        let facts = row.or(beside).or(header.unwrap_or_default()).or(options.clone());
        let (size, sha1, content) = opened(&path).await.map_err(|stop| vec![stop.message])?;
        let modified =
            tokio::fs::metadata(&path).await.and_then(|about| about.modified()).map_err(unreadable)?;
        let modified =
            jiff::Timestamp::try_from(modified).map(|time| time.strftime("%Y%m%d%H%M%S").to_string());

        let mut problems = Vec::new();
        let patient = match facts.patient.as_deref().map(|text| self.bulk.naming.patient(text)) {
            Some(Ok(patient)) => {
                problems.extend(is_anothers(&patient, &named).then(|| ANOTHERS.to_owned()));
                Some(patient)
            }
            Some(Err(stop)) => {
                problems.push(format!("patient: {}", stop.message));
                None
            }
            None => {
                problems.push(
                    "nothing says whose document this is: give `patient` in the CSV or JSON, or --patient"
                        .into(),
                );
                None
            }
        };
        let mut coded =
            |attribute: &str, said: &Option<String>, default: Code| match said.as_deref().map(code) {
                Some(Ok(code)) => map.of(attribute, code),
                Some(Err(problem)) => {
                    problems.push(format!("{attribute}: {problem}"));
                    default
                }
                None => map.of(attribute, default),
            };
        let kind = coded("type", &facts.kind, defaults::kind());
        let class = coded("class", &facts.class.or(facts.kind), kind.clone());
        let format = coded("format", &facts.format, super::sufficient_format());
        let confidentiality = coded("confidentiality", &facts.confidentiality, defaults::confidentiality());
        let facility = coded("facility", &facts.facility, defaults::facility());
        let practice = coded("practice", &facts.practice, defaults::practice());
        for (name, time) in [
            ("created", &facts.created),
            ("service_start", &facts.service_start),
            ("service_stop", &facts.service_stop),
        ] {
            if let Some(time) = time.as_deref().filter(|time| !is_dtm(time, 4)) {
                problems
                    .push(format!("{name}: {time:?} is no DTM in UTC such as 20260131 or 20260131093000"));
            }
        }
        let Some(patient) = patient.filter(|_| problems.is_empty()) else { return Err(problems) };
        let cx = patient.to_cx();
        let unique_id = facts.unique_id.unwrap_or_else(|| identity(&["document", source, &cx, file, &sha1]));
        let set = identity(&["submission", source, &cx, &unique_id, &sha1]);
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let document = Document {
            unique_id,
            title: facts.title.unwrap_or(name),
            mime_type: facts.mime_type.unwrap_or_else(|| mime_type(&path).to_owned()),
            created: facts.created.or(modified.ok()).unwrap_or_default(),
            service_start: facts.service_start,
            service_stop: facts.service_stop,
            author: Author {
                person: facts.author,
                institutions: facts.institution.into_iter().collect(),
                ..Author::default()
            },
            class,
            kind,
            format,
            confidentiality,
            facility,
            practice,
            source_patient: facts.source_patient.unwrap_or(cx),
            source_patient_info: Vec::new(),
            size,
            sha1,
            content,
        };
        let language = facts.language.unwrap_or_else(|| defaults::LANGUAGE.to_owned());
        Ok(Prepared { patient, language, set, document })
    }
}

const ANOTHERS: &str = "its header names another patient of the same authority";

/// Whether a CDA's header gives its patient another identifier than this one, of the same authority.
fn is_anothers(patient: &PatientId, named: &[InstanceIdentifier]) -> bool {
    let same = |named: &&InstanceIdentifier| named.root == patient.authority().as_str();
    let is_it = |named: &InstanceIdentifier| {
        named.cx().and_then(|cx| PatientId::parse(&cx).ok()).is_some_and(|named| named == *patient)
    };
    named.iter().any(|one| same(&one)) && !named.iter().filter(same).any(is_it)
}

/// A document that can be sent.
struct Prepared {
    patient: PatientId,
    language: String,
    /// uniqueId of its SubmissionSet.
    set: String,
    document: Document,
}

/// An OID that follows from texts: 2.25 and half of their SHA-256, which is as good as a random UUID.
fn identity(parts: &[&str]) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update(&(part.len() as u64).to_be_bytes());
        sha.update(part.as_bytes());
    }
    let mut half = [0; 16];
    half.iter_mut().zip(sha.finish()).for_each(|(to, from)| *to = from);
    format!("2.25.{}", u128::from_be_bytes(half))
}
