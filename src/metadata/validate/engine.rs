//! The walk over a message: each object for itself ([`super::objects`]), then the message as a whole, then its associations
//! ([`super::associations`]). Nothing is decided here about how bad a violation is.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::table::{self, Rule};
use super::{Context, Level, Report, Settings, Violation, associations, objects, values};
use crate::ids::PatientId;
use crate::limits;
use crate::metadata::codes::{association, identifier};
use crate::metadata::rim::{Kind, Object, Submission};
use crate::metadata::views::DocumentEntry;

/// Checks a submission or an answer against every rule that is not off.
pub fn check(submission: &Submission, context: Context, settings: &Settings) -> Report {
    let message = Message::of(submission, context);
    let mut found = Findings::new(settings);
    for object in &submission.objects {
        objects::check(object, context, &mut found);
    }
    message.check_ids(&mut found);
    match context {
        Context::QueryResponse => message.check_answer(&mut found),
        _ => message.check_submission(&mut found),
    }
    for (object, association) in submission.associations() {
        associations::check(&message, object, association, &mut found);
    }
    found.report
}

/// Checks that the stable entries of an ITI-41 and its documents (the ids of its xds:Document elements) are the same ones.
pub fn check_documents<'a>(
    submission: &'a Submission,
    documents: impl IntoIterator<Item = &'a str>,
    settings: &Settings,
) -> Report {
    let mut found = Findings::new(settings);
    let entries: HashSet<&str> =
        submission.document_entries().filter(|e| !e.is_on_demand()).map(DocumentEntry::entry_uuid).collect();
    let mut seen = HashSet::new();
    for id in documents {
        if !seen.insert(id) {
            found.add(&table::DOCUMENT_UNIQUE, id, id, "two documents have this id");
        } else if !entries.contains(id) {
            found.add(&table::ENTRY_MISSING, id, id, "no entry of the submission has this document's id");
        }
    }
    for entry in submission.document_entries() {
        if !entry.is_on_demand() && !seen.contains(entry.entry_uuid()) {
            let unique_id = entry.unique_id().unwrap_or_default();
            found.add(&table::DOCUMENT_MISSING, entry.entry_uuid(), unique_id, "the entry has no document");
        }
    }
    found.report
}

/// Checks what an entry says of its document against the document: its size in bytes and its SHA-1 in hex. What the entry
/// does not say is right.
pub fn check_content(entry: DocumentEntry<'_>, size: u64, sha1: &str, settings: &Settings) -> Report {
    let mut found = Findings::new(settings);
    let unique_id = entry.unique_id().unwrap_or_default();
    if let Some(said) = entry.hash().filter(|said| !said.eq_ignore_ascii_case(sha1)) {
        let message = format!("the hash of document {unique_id:?} is {sha1}, not what its entry says");
        found.add(&table::DOCUMENT_HASH, entry.entry_uuid(), said, message);
    }
    // A size that is no number is another rule's.
    if let Some(said) = entry.size().filter(|said| *said != size) {
        let message = format!("document {unique_id:?} has {size} bytes, not what its entry says");
        found.add(&table::DOCUMENT_SIZE, entry.entry_uuid(), &said.to_string(), message);
    }
    found.report
}

/// Violations as they are found, sorted by how strictly their rules are taken.
pub(super) struct Findings<'s> {
    settings: &'s Settings,
    today: Date,
    report: Report,
}

impl<'s> Findings<'s> {
    fn new(settings: &'s Settings) -> Self {
        Self { settings, today: Timestamp::now().to_zoned(TimeZone::UTC).date(), report: Report::default() }
    }

    /// Takes a violation in. Whatever of it a peer wrote is cut: what it sent too long would come back many times.
    pub(super) fn add(&mut self, rule: &'static Rule, object: &str, value: &str, message: impl AsRef<str>) {
        let cut = |text: &str, chars| text.chars().take(chars).collect();
        let list = match self.settings.level(rule.id, self.today) {
            Level::Off => return,
            Level::Report => &mut self.report.reported,
            Level::Enforce => &mut self.report.enforced,
        };
        // Each list for itself: no flood of what is only reported may hide what is enforced.
        if list.len() >= limits::MAX_VIOLATIONS_PER_MESSAGE {
            return;
        }
        list.push(Violation {
            rule: rule.id,
            section: rule.section,
            class: rule.class,
            object: cut(object, limits::MAX_VIOLATION_VALUE_CHARS),
            value: cut(value, limits::MAX_VIOLATION_VALUE_CHARS),
            message: cut(message.as_ref(), limits::MAX_VIOLATION_MESSAGE_CHARS),
        });
    }
}

/// A message under check, with what several rules ask of it.
pub(super) struct Message<'a> {
    submission: &'a Submission,
    context: Context,
    pub(super) by_id: HashMap<&'a str, &'a Object>,
    set: Option<&'a Object>,
}

impl<'a> Message<'a> {
    fn of(submission: &'a Submission, context: Context) -> Self {
        Self {
            submission,
            context,
            by_id: submission.objects.iter().map(|object| (object.id.as_str(), object)).collect(),
            set: submission.of(Kind::SubmissionSet).next(),
        }
    }

    pub(super) fn is_answer(&self) -> bool {
        self.context == Context::QueryResponse
    }

    fn check_ids(&self, found: &mut Findings<'_>) {
        let mut ids = HashSet::new();
        for object in &self.submission.objects {
            let id = object.id.as_str();
            if id.is_empty() {
                continue;
            }
            if !ids.insert(id) {
                found.add(&table::ID_UNIQUE, id, id, "two objects of the message have this id");
            }
            let claims = id.get(..9).is_some_and(|prefix| prefix.eq_ignore_ascii_case("urn:uuid:"));
            if !claims && !self.is_answer() {
                continue;
            }
            if (values::UUID.check)(id).is_err() {
                found.add(&table::ID_UUID, id, id, format!("the id must be {}", values::UUID.must_be));
            } else if (values::LOWER_CASE_UUID.check)(id).is_err() {
                found.add(&table::ID_CASE, id, id, "the id must be in lower case");
            }
        }
        for _ in self.submission.object_refs.iter().filter(|id| id.is_empty()) {
            found.add(&table::REF_ID, "", "", "an ObjectRef has no id");
        }
        objects::check_slots(&self.submission.request_slots, "", found);
    }

    fn check_answer(&self, found: &mut Findings<'_>) {
        let mut patients =
            self.submission.objects.iter().filter_map(|object| Some((object, patient_of(object)?)));
        let Some((_, first)) = patients.next() else { return };
        for (object, patient) in patients {
            if !is_same_patient(first, patient) {
                found.add(
                    &table::RESPONSE_PATIENT,
                    &object.id,
                    patient,
                    "the answer holds another patient's objects",
                );
            }
        }
    }

    fn check_submission(&self, found: &mut Findings<'_>) {
        let sets = self.submission.of(Kind::SubmissionSet).count();
        if sets != 1 {
            let message = format!("a submission has exactly one SubmissionSet, and this one has {sets}");
            found.add(&table::SET_COUNT, self.set.map_or("", |set| &set.id), "", message);
        }
        let (mut lids, mut unique_ids) = (HashSet::new(), HashSet::new());
        for object in &self.submission.objects {
            if let Some(lid) = object.lid.as_deref().filter(|lid| !lids.insert(*lid)) {
                found.add(&table::LID_UNIQUE, &object.id, lid, "two objects of the submission have this lid");
            }
            if let Some(unique_id) = unique_id_of(object).filter(|id| !unique_ids.insert(*id)) {
                let message = format!("two objects of the submission have the uniqueId {unique_id:?}");
                found.add(&table::UNIQUE_ID_UNIQUE, &object.id, unique_id, message);
            }
        }
        let Some(set) = self.set else { return };
        self.check_patients(set, found);
        self.check_members(set, found);
    }

    fn check_patients(&self, set: &Object, found: &mut Findings<'_>) {
        let Some(wanted) = patient_of(set) else { return };
        for object in &self.submission.objects {
            let rule = match object.kind {
                Kind::DocumentEntry => &table::DE_PATIENT,
                Kind::Folder => &table::FOLDER_PATIENT,
                Kind::SubmissionSet | Kind::Association => continue,
            };
            if let Some(patient) = patient_of(object).filter(|patient| !is_same_patient(wanted, patient)) {
                found.add(rule, &object.id, patient, "the patientId is not the SubmissionSet's");
            }
        }
    }

    fn check_members(&self, set: &Object, found: &mut Findings<'_>) {
        let members: HashSet<&str> = self
            .submission
            .associations()
            .filter(|(_, a)| a.association_type == association::HAS_MEMBER && a.source == set.id)
            .map(|(_, a)| a.target.as_str())
            .collect();
        for object in &self.submission.objects {
            let counts = matches!(object.kind, Kind::DocumentEntry | Kind::Folder);
            if counts && !members.contains(object.id.as_str()) {
                found.add(
                    &table::SET_MEMBERS,
                    &object.id,
                    "",
                    "no HasMember leads to it from the SubmissionSet",
                );
            }
        }
    }
}

fn unique_id_of(object: &Object) -> Option<&str> {
    identifier_of(object, [identifier::DE_UNIQUE_ID, identifier::SS_UNIQUE_ID, identifier::FOLDER_UNIQUE_ID])
}

fn patient_of(object: &Object) -> Option<&str> {
    identifier_of(
        object,
        [identifier::DE_PATIENT_ID, identifier::SS_PATIENT_ID, identifier::FOLDER_PATIENT_ID],
    )
}

fn identifier_of<'a>(object: &'a Object, [entry, set, folder]: [&str; 3]) -> Option<&'a str> {
    object.identifier(match object.kind {
        Kind::DocumentEntry => entry,
        Kind::SubmissionSet => set,
        Kind::Folder => folder,
        Kind::Association => return None,
    })
}

/// Two spellings of one CX are the same patient.
fn is_same_patient(one: &str, other: &str) -> bool {
    one == other
        || matches!((PatientId::parse(one), PatientId::parse(other)), (Ok(one), Ok(other)) if one == other)
}
