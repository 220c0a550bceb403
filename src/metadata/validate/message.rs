//! Rules on a message as a whole: identifiers, patients, who is in it.

use std::collections::{HashMap, HashSet};

use super::findings::Findings;
use super::{Context, objects, table, values};
use crate::ids::PatientId;
use crate::metadata::codes::{association, identifier};
use crate::metadata::rim::{Kind, Object, Submission};

/// A message under check, with what several rules ask of it.
pub(super) struct Message<'a> {
    submission: &'a Submission,
    context: Context,
    pub(super) by_id: HashMap<&'a str, &'a Object>,
    set: Option<&'a Object>,
}

impl<'a> Message<'a> {
    pub(super) fn of(submission: &'a Submission, context: Context) -> Self {
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

    pub(super) fn is_update(&self) -> bool {
        self.context.is_update()
    }

    pub(super) fn check_ids(&self, found: &mut Findings<'_>) {
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

    pub(super) fn check_answer(&self, found: &mut Findings<'_>) {
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

    pub(super) fn check_submission(&self, found: &mut Findings<'_>) {
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
        if self.context == Context::RestrictedUpdate && set.home.is_none() {
            let problem = "the SubmissionSet has no homeCommunityId";
            found.add(&table::SET_HOME, &set.id, "", problem);
        }
        self.check_patients(set, found);
        // In an update, the registry asks for the set's members, and for more of them.
        if !self.context.is_update() {
            self.check_members(set, found);
        }
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
