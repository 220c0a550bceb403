//! One answer from many (ITI TF-2: 3.18.4.1.3, 3.38.4.1.3; ITI TF-3: Table 4.2.4.2-3).
//!
//! Each community's answer is judged by itself, where and when it arrives ([`judge`]): what breaks the rules is named,
//! counted, and taken out where passing it on would mislead. [`merge`] then makes one answer in the order of the
//! communities, so that it is the same however they raced. `docs/federation.md` lists what becomes of which fault.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::Finder;

use crate::federation::member::{Member, Oddity, Role};
use crate::federation::quirks::{InvalidMetadata, MissingHome};
use crate::federation::{Unavailable, rules};
use crate::ids::HomeCommunityId;
use crate::limits;
use crate::transactions::errors::{RegistryError, Severity, Status, code};
use crate::transactions::iti18::{ObjectKind, QueryResponse, RegistryObject, with_home};
use crate::wire::xml::{Ns, Writer};

/// The Slot that marks a document which an earlier community in the same answer has, too; its value is that one's
/// `home|entryUUID`.
pub const DUPLICATE_OF: &str = "urn:sekisho:2026:duplicateOf";

/// How a community did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It answered, with or without objects.
    Succeeded,
    /// It answered, with errors.
    Partly,
    /// It gave nothing.
    Failed,
}

/// A community's answer, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// How it did.
    pub outcome: Outcome,
    /// Its own errors, and ours about it.
    pub errors: Vec<RegistryError>,
    /// What is passed on.
    pub objects: Vec<RegistryObject>,
}

/// The error for a community that could not be had. The consumer may show it to people: it names the community in words,
/// too.
pub fn unavailable(member: &Member, why: Unavailable) -> RegistryError {
    let context = format!("{} is unavailable: {} (ITI TF-2: 3.18.4.1.3)", member.title(), why.reason());
    RegistryError::error(code::UNAVAILABLE_COMMUNITY, context).at(member.home().to_urn())
}

/// Judges one answer.
pub fn judge(member: &Member, answer: Result<QueryResponse, Unavailable>) -> Judged {
    let response = match answer {
        Ok(response) => response,
        Err(why) => {
            let errors = vec![unavailable(member, why)];
            return Judged { outcome: Outcome::Failed, errors, objects: Vec::new() };
        }
    };
    let status = response.status;
    let mut errors = judge_errors(member, status, response.errors);
    let objects = match member.role {
        Role::Own => at_home(member, response.objects),
        Role::Peer => {
            let passed = judge_objects(member, response.objects, &mut errors);
            rules::hold(member, passed, &mut errors)
        }
    };
    let outcome = match errors.iter().any(|e| e.severity == Severity::Error) {
        false => Outcome::Succeeded,
        true if !objects.is_empty() || status == Status::PartialSuccess => Outcome::Partly,
        true => Outcome::Failed,
    };
    Judged { outcome, errors, objects }
}

impl Judged {
    /// One community's answers to several questions (a patient with several identities there) as one.
    pub fn join(answers: Vec<Judged>) -> Judged {
        let outcome = common_outcome(answers.iter().map(|answer| answer.outcome));
        let mut joined = Judged { outcome, errors: Vec::new(), objects: Vec::new() };
        for answer in answers {
            joined.errors.extend(answer.errors);
            joined.objects.extend(answer.objects);
        }
        let mut seen = HashSet::new();
        joined.errors.retain(|error| seen.insert(error.clone()));
        let mut seen = HashSet::new();
        joined.objects.retain(|object| seen.insert((object.home.clone(), object.id.clone())));
        joined
    }
}

/// Makes one answer: status by communities, not by objects; documents that several communities have are marked.
pub fn merge(answers: Vec<Judged>) -> QueryResponse {
    let status = match common_outcome(answers.iter().map(|answer| answer.outcome)) {
        Outcome::Succeeded => Status::Success,
        Outcome::Partly => Status::PartialSuccess,
        Outcome::Failed => Status::Failure,
    };
    let mut errors = Vec::new();
    let mut objects = Vec::with_capacity(answers.iter().map(|answer| answer.objects.len()).sum());
    for answer in answers {
        errors.extend(answer.errors);
        objects.extend(answer.objects);
    }
    mark_duplicates(&mut objects);
    QueryResponse { status, errors: bounded(errors), objects }
}

/// At most [`limits::MAX_ERRORS_PER_ANSWER`] errors: the last one then says how many there were.
pub fn bounded(mut errors: Vec<RegistryError>) -> Vec<RegistryError> {
    let all = errors.len();
    if all > limits::MAX_ERRORS_PER_ANSWER {
        let kept = limits::MAX_ERRORS_PER_ANSWER - 1;
        let rest = errors.split_off(kept);
        let severity = match rest.iter().any(|e| e.severity == Severity::Error) {
            true => Severity::Error,
            false => Severity::Warning,
        };
        let context = format!("{} more errors and warnings are left out", all - kept);
        errors.push(RegistryError { severity, ..RegistryError::error(code::REGISTRY_ERROR, context) });
    }
    errors
}

fn common_outcome(outcomes: impl Iterator<Item = Outcome>) -> Outcome {
    outcomes
        .reduce(|one, other| if one == other { one } else { Outcome::Partly })
        .unwrap_or(Outcome::Succeeded)
}

/// A community's own errors: XDSUnknownPatientId is stripped, the rest is kept and has a location.
fn judge_errors(member: &Member, status: Status, errors: Vec<RegistryError>) -> Vec<RegistryError> {
    let explained = status == Status::Success || errors.iter().any(|e| e.severity == Severity::Error);
    let mut unlocated = 0;
    let mut kept: Vec<_> = errors.into_iter().filter(|e| e.code != code::UNKNOWN_PATIENT_ID).collect();
    for error in &mut kept {
        if error.location.as_deref().is_none_or(str::is_empty) {
            unlocated += 1;
            error.location = Some(member.home().to_urn());
        }
    }
    if !explained {
        member.noticed(Oddity::UnexplainedStatus, 1);
        let context =
            format!("{} answered {status:?} without a RegistryError (ITI TF-3: 4.2.4)", member.title());
        kept.push(RegistryError::error(code::REGISTRY_ERROR, context).at(member.home().to_urn()));
    }
    if unlocated > 0 && member.role == Role::Peer {
        member.noticed(Oddity::MissingLocation, unlocated);
        let context = format!(
            "{} sent {unlocated} RegistryError without location; its homeCommunityId was filled in \
             (ITI TF-2: 3.38.4.1.3)",
            member.title()
        );
        kept.push(RegistryError::warning(code::REGISTRY_ERROR, context).at(member.home().to_urn()));
    }
    kept
}

/// Our own registry's objects, with our own home on each (ITI TF-2: 3.18.4.1.3).
pub fn at_home(member: &Member, objects: Vec<RegistryObject>) -> Vec<RegistryObject> {
    let home = member.home().to_urn();
    objects.into_iter().map(|object| with_home(object, &home)).collect()
}

/// What becomes of an object.
enum Verdict {
    Pass,
    Fill,
    Drop,
}

/// What was wrong with a peer's objects.
#[derive(Default)]
struct Findings {
    without_home: u64,
    foreign: u64,
    repeated: u64,
    /// Entries that lack something, and what the first one lacks.
    invalid: u64,
    lacking: &'static str,
    /// Kinds of the objects without home.
    kinds: Vec<&'static str>,
}

fn judge_objects(
    member: &Member,
    objects: Vec<RegistryObject>,
    errors: &mut Vec<RegistryError>,
) -> Vec<RegistryObject> {
    let mut findings = Findings::default();
    let mut seen = HashSet::with_capacity(objects.len());
    let verdicts: Vec<Verdict> = objects
        .iter()
        .map(|object| match judge_object(member, object, &mut findings) {
            Verdict::Drop => Verdict::Drop,
            _ if !object.id.is_empty() && !seen.insert((object.home.as_deref(), object.id.as_str())) => {
                findings.repeated += 1;
                Verdict::Drop
            }
            other => other,
        })
        .collect();
    drop(seen);
    let home = member.home().to_urn();
    let passed = objects
        .into_iter()
        .zip(verdicts)
        .filter_map(|(object, verdict)| match verdict {
            Verdict::Pass => Some(object),
            Verdict::Fill => Some(with_home(object, &home)),
            Verdict::Drop => None,
        })
        .collect();
    findings.report(member, errors);
    passed
}

fn judge_object(member: &Member, object: &RegistryObject, findings: &mut Findings) -> Verdict {
    let verdict = match (&object.home, object.kind) {
        (Some(home), _) if member.is_named(home) => Verdict::Pass,
        (Some(_), _) => {
            findings.foreign += 1;
            return Verdict::Drop;
        }
        // The Technical Framework asks for home on entries, packages and ObjectRefs only; we give it on everything.
        (None, ObjectKind::Association | ObjectKind::Other) => Verdict::Fill,
        (None, kind) => {
            findings.without_home += 1;
            let element = element_of(kind);
            if !findings.kinds.contains(&element) {
                findings.kinds.push(element);
            }
            match member.quirks.missing_home {
                MissingHome::Fill => Verdict::Fill,
                MissingHome::Report => return Verdict::Drop,
            }
        }
    };
    if let Some(lacking) = lacks(object) {
        findings.invalid += 1;
        findings.lacking = lacking;
        if member.quirks.invalid_metadata == InvalidMetadata::Drop {
            return Verdict::Drop;
        }
    }
    verdict
}

fn element_of(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::DocumentEntry => "ExtrinsicObject",
        ObjectKind::Package => "RegistryPackage",
        ObjectKind::Association => "Association",
        ObjectKind::ObjectRef => "ObjectRef",
        ObjectKind::Other => "other",
    }
}

/// What an entry lacks of that which every entry in an answer must have (ITI TF-3: Table 4.3.1.1-3), as far as a gateway
/// can see without validating: the objects pass through as bytes.
fn lacks(object: &RegistryObject) -> Option<&'static str> {
    static LANGUAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("languageCode"));
    if object.kind != ObjectKind::DocumentEntry {
        return None;
    }
    let needed = [
        ("uniqueId", object.unique_id.is_some()),
        ("repositoryUniqueId", object.repository.is_some()),
        ("patientId", object.patient_id.is_some()),
        ("languageCode", LANGUAGE.find(&object.xml.1).is_some()),
    ];
    needed.iter().find(|(_, there)| !there).map(|(name, _)| *name)
}

impl Findings {
    fn report(self, member: &Member, errors: &mut Vec<RegistryError>) {
        let title = member.title();
        let mut add = |oddity, times: u64, severity, code, context: String| {
            member.noticed(oddity, times);
            if times > 0 {
                let error = RegistryError { severity, ..RegistryError::error(code, context) };
                errors.push(error.at(member.home().to_urn()));
            }
        };
        let (filled, what) = match member.quirks.missing_home {
            MissingHome::Fill => (Severity::Warning, "its own was filled in"),
            MissingHome::Report => (Severity::Error, "they were left out"),
        };
        let context = format!(
            "{title} sent {} objects without home ({}); {what} (ITI TF-2: 3.38.4.1.3)",
            self.without_home,
            self.kinds.join(", ")
        );
        add(Oddity::MissingHome, self.without_home, filled, code::MISSING_HOME_COMMUNITY_ID, context);
        let context = format!(
            "{title} sent {} objects with the home of another community; they were left out",
            self.foreign
        );
        add(Oddity::ForeignHome, self.foreign, Severity::Error, code::REGISTRY_ERROR, context);
        let context =
            format!("{title} sent {} objects more than once; the repetitions were left out", self.repeated);
        add(Oddity::DuplicateObject, self.repeated, Severity::Warning, code::REGISTRY_ERROR, context);
        let (severity, what) = match member.quirks.invalid_metadata {
            InvalidMetadata::Pass => (Severity::Warning, "they are passed on as they are"),
            InvalidMetadata::Drop => (Severity::Error, "they were left out"),
        };
        let context = format!(
            "{title} sent {} document entries that lack a required attribute, such as {}; {what} \
             (ITI TF-3: 4.2.3.2)",
            self.invalid, self.lacking
        );
        add(Oddity::InvalidMetadata, self.invalid, severity, code::REGISTRY_ERROR, context);
    }
}

/// Marks entries whose document (uniqueId, hash and size) an earlier entry of another community has, too.
fn mark_duplicates(objects: &mut [RegistryObject]) {
    let mut first = HashMap::<(&str, String, u64), usize>::new();
    let mut marks = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        if object.kind != ObjectKind::DocumentEntry {
            continue;
        }
        let (Some(unique_id), Some(hash), Some(size)) = (&object.unique_id, &object.hash, object.size) else {
            continue;
        };
        match first.entry((unique_id, hash.to_ascii_lowercase(), size)) {
            std::collections::hash_map::Entry::Vacant(vacant) => {
                vacant.insert(index);
            }
            std::collections::hash_map::Entry::Occupied(occupied) => {
                let original = &objects[*occupied.get()];
                if !same_home(original, object) {
                    let home = original.home.as_deref().unwrap_or_default();
                    marks.push((index, format!("{home}|{}", original.id)));
                }
            }
        }
    }
    for (index, original) in marks {
        let rest = &mut objects[index].xml.1;
        *rest = with_slot(rest, DUPLICATE_OF, &original);
    }
}

fn same_home(one: &RegistryObject, other: &RegistryObject) -> bool {
    let oid = |object: &RegistryObject| object.home.as_deref().and_then(|h| HomeCommunityId::parse(h).ok());
    one.home == other.home || oid(one) == oid(other)
}

/// A Slot before everything else in an object: where the schema has Slots.
fn with_slot(rest: &Bytes, name: &str, value: &str) -> Bytes {
    let mut out = Writer::with_capacity(rest.len() + 256);
    out.start(Ns::RIM, "Slot").declare(&[Ns::RIM]).attr("name", name);
    out.start(Ns::RIM, "ValueList").leaf(Ns::RIM, "Value", value).end().end();
    out.raw(rest);
    out.finish().into()
}
