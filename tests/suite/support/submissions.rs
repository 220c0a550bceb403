//! Submissions of documents whose bytes follow from their uniqueId, so that a test that has only the identifiers knows what
//! must come back.

use bytes::Bytes;
use sekisho::ids::EntryUuid;
use sekisho::metadata::views::{Membership, has_member};
use sekisho::metadata::{
    Author, Code, DocumentEntryBuilder, Kind, Object, Submission, SubmissionSetBuilder, codes,
};
use uuid::Uuid;

/// A document that is submitted.
#[derive(Debug, Clone)]
pub struct Document {
    pub unique_id: String,
    pub size: usize,
}

impl Document {
    pub fn new(size: usize) -> Self {
        Self { unique_id: oid(), size }
    }

    /// Its bytes.
    pub fn bytes(&self) -> Bytes {
        let seed = self.unique_id.bytes().fold(7_usize, |seed, byte| seed * 31 % 65_521 + usize::from(byte));
        // A linear congruential sequence: no stretch of one document stands in another.
        let mut state = seed as u64;
        let mut next = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        // By chance they would begin as a program does, or as XML.
        (0..self.size).map(|n| if n == 0 { b'~' } else { next(n) }).collect()
    }
}

/// A SubmissionSet with an entry for each document; entries have the symbolic ids `Document0` and so on.
pub fn submission(patient: &str, documents: &[Document]) -> Submission {
    let author = Author { person: Some("D0001^佐藤^健一".to_owned()), ..Author::default() };
    let set = SubmissionSetBuilder::new("set")
        .authors([&author])
        .content_type_code(&code("18842-5"))
        .patient_id(patient)
        .source_id("1.2.3.8")
        .submission_time("20260116093000")
        .unique_id(oid());
    let mut objects = vec![set.build()];
    for (number, document) in documents.iter().enumerate() {
        let id = format!("Document{number}");
        let entry = DocumentEntryBuilder::stable(&*id)
            .mime_type("application/octet-stream")
            .title("ja-JP", "退院時サマリー")
            .class_code(&code("18842-5"))
            .confidentiality_codes([&code("N")])
            .creation_time("20260115")
            .facility_type_code(&code("11"))
            .format_code(&code("urn:ihe:pcc:xds-ms:2007"))
            .language_code("ja-JP")
            .patient_id(patient)
            .practice_setting_code(&code("01"))
            .source_patient_id("S1^^^&1.2.3.7&ISO")
            .type_code(&code("18842-5"))
            .unique_id(&*document.unique_id);
        objects.push(entry.build());
        objects.push(has_member("set", &id, Membership::Original));
    }
    Submission { objects, ..Submission::default() }
}

/// A SubmissionSet with an on-demand entry, `Document0`.
pub fn on_demand(patient: &str, unique_id: &str) -> Submission {
    let document = Document { unique_id: unique_id.to_owned(), size: 0 };
    let mut submission = submission(patient, &[document]);
    for entry in submission.objects.iter_mut().filter(|object| object.kind == Kind::DocumentEntry) {
        entry.object_type = Some(codes::ON_DEMAND.to_owned());
        entry.slots.retain(|slot| slot.name != codes::slot::CREATION_TIME);
        entry.set_slot(codes::slot::REPOSITORY_UNIQUE_ID, vec!["1.2.3.4".to_owned()]);
    }
    submission
}

/// The same with entryUUIDs instead of symbolic ids, so that a test can name what it submitted.
pub fn named(mut said: Submission) -> Submission {
    let names: Vec<_> = said.objects.iter().map(|object| object.id.clone()).collect();
    let ids: Vec<_> = names.iter().map(|_| EntryUuid::random().as_str().to_owned()).collect();
    let rename = |id: &mut String| {
        if let Some(place) = names.iter().position(|name| name == id) {
            id.clone_from(&ids[place]);
        }
    };
    for object in &mut said.objects {
        rename(&mut object.id);
        if let Some(association) = &mut object.association {
            rename(&mut association.source);
            rename(&mut association.target);
        }
        refer_to_itself(object);
    }
    said
}

/// Gives an object another id.
pub fn rename(object: &mut Object, id: &str) {
    id.clone_into(&mut object.id);
    refer_to_itself(object);
}

fn refer_to_itself(object: &mut Object) {
    let id = Some(object.id.clone());
    object.classifications.iter_mut().for_each(|one| one.classified_object.clone_from(&id));
    object.external_identifiers.iter_mut().for_each(|one| one.registry_object.clone_from(&id));
}

/// A new OID.
pub fn oid() -> String {
    format!("2.25.{}", Uuid::new_v4().as_u128())
}

/// A number below `end`; nothing follows from which.
pub fn any_below(end: usize) -> usize {
    (Uuid::new_v4().as_u128() % end as u128) as usize
}

fn code(code: &str) -> Code {
    Code::new(code, "1.2.3.5", code)
}
