//! `sekisho submit DIR`: every file of a folder becomes a document, in a submission of its own, several at once. uniqueIds
//! follow from the documents ([`identity`]), so that sending one again is no second document; what was accepted is in a
//! journal and not sent again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::StreamExt as _;
use openssl::sha::Sha256;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use super::facts::{Facts, read_table};
use super::journal::Journal;
use super::mapping::CodeMap;
use super::{Batch, Document, code, defaults, mime_type, opened};
use crate::cli::output::Output;
use crate::cli::peer::{PeerError, Place};
use crate::cli::query::errors_json;
use crate::cli::{Exit, Outcome, Stop};
use crate::ids::PatientId;
use crate::limits;
use crate::metadata::cda::ClinicalDocument;
use crate::metadata::{Author, Code};
use crate::time::is_dtm;
use crate::transactions::errors::{RegistryError, Severity, Status, code};
use crate::wire::media;
use crate::wire::soap::CallError;
use crate::wire::xml::Tree;

/// A folder and what holds for all of its documents.
pub struct Bulk {
    /// The folder.
    pub folder: PathBuf,
    /// A CSV; `metadata.csv` of the folder, if that is there, where it is not named.
    pub table: Option<PathBuf>,
    /// Codes to codes.
    pub map: CodeMap,
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

/// What became of a file.
enum Fate {
    /// It is a document now, or would be.
    Accepted,
    /// It was one before.
    There,
    /// The peer says no.
    Refused(Vec<RegistryError>),
    /// It was not sent: something is missing.
    Unusable(Vec<String>),
    /// There was no answer.
    Unanswered(String),
    /// It was not tried, since others got no answer.
    Untried,
}

/// A file and what became of it.
struct Told {
    file: String,
    unique_id: String,
    fate: Fate,
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
        let table = self
            .table
            .clone()
            .or_else(|| Some(self.folder.join("metadata.csv")).filter(|file| file.is_file()));
        let folder = self.folder.clone();
        let journal = self.journal.clone();
        let left_out: Vec<PathBuf> = table.iter().chain(&journal).cloned().collect();
        let read = move || -> Result<_, String> {
            let files = walk(&folder, &left_out)?;
            let rows = table.map(|table| read_table(&table)).transpose()?.unwrap_or_default();
            let journal = journal.map(|journal| Journal::open(&journal)).transpose()?;
            Ok((files, rows, journal))
        };
        let read = tokio::task::spawn_blocking(read).await;
        let read = read.map_err(|error| Stop::new(Exit::Unavailable, error.to_string()))?;
        let (files, rows, journal) = read.map_err(|problem| Stop::new(Exit::Usage, problem))?;
        let strangers: Vec<_> =
            rows.keys().filter(|file| files.binary_search(file).is_err()).cloned().collect();

        let parallel = self.parallel;
        let running = Arc::new(Running { bulk: self, place, rows, journal, away: AtomicBool::new(false) });
        let progress = output.files(files.len() as u64);
        let mut told: Vec<Told> = Vec::with_capacity(files.len());
        told.extend(strangers.into_iter().map(|file| {
            let problem = "the table has a row for it, and there is no such file".to_owned();
            Told { file, unique_id: String::new(), fate: Fate::Unusable(vec![problem]) }
        }));
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
                // The set's uniqueId follows from the document: it was accepted under another journal.
                let there = errors.iter().all(|error| error.code == code::DUPLICATE_UNIQUE_ID_IN_REGISTRY);
                if there && !errors.is_empty() { Fate::There } else { Fate::Refused(errors) }
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
        let header = header.map(|cda| Facts::of_cda(cda, map, *zone, authority.as_deref()));
        let facts = row.or(beside).or(header.unwrap_or_default()).or(options.clone());
        let (size, sha1, content) = opened(&path).await.map_err(|stop| vec![stop.message])?;
        let modified =
            tokio::fs::metadata(&path).await.and_then(|about| about.modified()).map_err(unreadable)?;
        let modified =
            jiff::Timestamp::try_from(modified).map(|time| time.strftime("%Y%m%d%H%M%S").to_string());

        let mut problems = Vec::new();
        let patient = match facts.patient.as_deref().map(PatientId::parse) {
            Some(Ok(patient)) => Some(patient),
            Some(Err(error)) => {
                problems.push(format!("patient: {error}"));
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

/// A document that can be sent.
struct Prepared {
    patient: PatientId,
    language: String,
    /// uniqueId of its SubmissionSet.
    set: String,
    document: Document,
}

impl Told {
    fn outcome(&self) -> &'static str {
        match self.fate {
            Fate::Accepted => "accepted",
            Fate::There => "there already",
            Fate::Refused(_) => "refused",
            Fate::Unusable(_) => "not sent",
            Fate::Unanswered(_) => "no answer",
            Fate::Untried => "not tried",
        }
    }

    /// What is wrong, each with what to do next.
    fn problems(&self) -> Vec<(String, &'static str)> {
        match &self.fate {
            Fate::Accepted | Fate::There | Fate::Untried => Vec::new(),
            Fate::Refused(errors) => errors
                .iter()
                .map(|error| (format!("{}: {}", error.code, error.context), next_step(error)))
                .collect(),
            Fate::Unusable(problems) => problems.iter().map(|problem| (problem.clone(), "mend it")).collect(),
            Fate::Unanswered(why) => vec![(why.clone(), "start again; `sekisho doctor URL` tells why")],
        }
    }

    fn line(&self) -> String {
        let problems: Vec<_> =
            self.problems().into_iter().map(|(problem, next)| format!("{problem}; {next}")).collect();
        let plain = |text: &str| text.replace(char::is_control, " ");
        format!(
            "{}\t{}\t{}\t{}",
            self.outcome(),
            plain(&self.file),
            self.unique_id,
            plain(&problems.join(" | "))
        )
    }

    fn json(&self) -> Value {
        let errors = match &self.fate {
            Fate::Refused(errors) => errors_json(errors),
            _ => json!(self.problems().iter().map(|(problem, _)| problem).collect::<Vec<_>>()),
        };
        let mut next: Vec<_> = self.problems().iter().map(|(_, next)| *next).collect();
        next.dedup();
        json!({ "file": self.file, "outcome": self.outcome(), "uniqueId": self.unique_id, "errors": errors, "next": next })
    }
}

/// Shows failures and a summary; says what they mean for a script.
fn tell(told: &[Told], dry_run: bool, output: Output) -> Exit {
    let count = |outcome: &str| told.iter().filter(|one| one.outcome() == outcome).count();
    let outcomes = ["accepted", "there already", "refused", "not sent", "no answer", "not tried"];
    if output == Output::People {
        let problems = told.iter().flat_map(|one| {
            one.problems().into_iter().map(|(problem, next)| [one.file.clone(), problem, next.to_owned()])
        });
        let problems: Vec<_> = problems.collect();
        if !problems.is_empty() {
            output.table(["file", "what is wrong", "next"], &problems);
        }
    }
    let summary: Vec<_> = outcomes
        .iter()
        .map(|outcome| (*outcome, count(outcome)))
        .filter(|(_, count)| *count > 0)
        .map(|(outcome, count)| format!("{count} {outcome}"))
        .collect();
    if output == Output::People {
        let dry = if dry_run { " (dry run: nothing was stored)" } else { "" };
        output.line(&format!("{} files: {}{dry}", told.len(), summary.join(", ")));
    }
    output.json(&json!({
        "files": told.len(),
        "dryRun": dry_run,
        "counts": outcomes.iter().map(|outcome| ((*outcome).to_owned(), count(outcome).into())).collect::<serde_json::Map<_, _>>(),
        "documents": told.iter().map(Told::json).collect::<Vec<_>>(),
    }));
    match (count("no answer"), count("refused") + count("not sent")) {
        (0, 0) => Exit::Done,
        (0, _) => Exit::No,
        _ => Exit::Unavailable,
    }
}

/// What to do about an error. Whatever it is, what was accepted is not sent again.
fn next_step(error: &RegistryError) -> &'static str {
    match &*error.code {
        code::UNKNOWN_PATIENT_ID => "announce the patient first (`sekisho feed`), or mend `patient`",
        code::NON_IDENTICAL_HASH | code::NON_IDENTICAL_SIZE => {
            "another document has this uniqueId: give this one its own"
        }
        code::REGISTRY_METADATA_ERROR | code::REPOSITORY_METADATA_ERROR => {
            "mend what the rule names: docs/validation.md"
        }
        code::LOCAL_POLICY_RESTRICTION => "ask the peer's operator for permission",
        _ if is_busy(error) => "start again later",
        _ => "mend it and start again",
    }
}

fn is_busy(error: &RegistryError) -> bool {
    [code::REGISTRY_BUSY, code::REPOSITORY_BUSY].contains(&&*error.code)
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

/// The JSON that may lie beside a file.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

/// As much of a file as shows a CDA's header; of others, little.
async fn beginning(path: &Path) -> std::io::Result<Bytes> {
    let mut file = tokio::fs::File::open(path).await?;
    let mut head = vec![0; media::SIGNATURE_BYTES];
    let mut read = 0;
    while let Some(room) = head.get_mut(read..).filter(|room| !room.is_empty()) {
        let more = file.read(room).await?;
        read += more;
        if more == 0 {
            break;
        }
        if read == media::SIGNATURE_BYTES && media::is_markup(&head) {
            head.resize(limits::MAX_INSPECTED_BYTES, 0);
        }
    }
    head.truncate(read);
    Ok(head.into())
}

/// The files of a folder and its folders, as paths within it, in order: without hidden ones, without what is left out, and
/// without JSON that lies beside another file.
fn walk(folder: &Path, left_out: &[PathBuf]) -> Result<Vec<String>, String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let problem = |error: std::io::Error| format!("{}: {error}", next.display());
        for entry in std::fs::read_dir(&next).map_err(problem)? {
            let entry = entry.map_err(problem)?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(problem)?);
            if entry.file_name().as_encoded_bytes().starts_with(b".") || left_out.contains(&path) {
                continue;
            }
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && !is_beside(&path) {
                let within = path.strip_prefix(folder).unwrap_or(&path);
                let name =
                    within.to_str().ok_or_else(|| format!("{}: the name is not UTF-8", path.display()))?;
                files.push(name.to_owned());
            }
            if files.len() > limits::MAX_BULK_FILES {
                return Err(format!("more than {} files: divide the folder", limits::MAX_BULK_FILES));
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// Whether a file is the JSON beside another one.
fn is_beside(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json") && path.with_extension("").is_file()
}
