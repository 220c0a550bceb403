//! What a tenant has in these tests: for every tenant the same patients, identifiers and codes, and in every object and
//! document its owner's name.

use bytes::Bytes;
use sekisho::metadata::views::{Membership, association, has_member};
use sekisho::metadata::{Code, FolderBuilder, Object, Submission, codes};
use sekisho::transactions::iti61::ITI61;

use crate::support::hosted::Standalone;
use crate::support::submissions::{Document, on_demand, submission};

pub const PATIENT: &str = "1^^^&1.2.3&ISO";
pub const REFERENCE_ID: &str = "R1^^^&1.2.3.77&ISO^urn:ihe:iti:xds:2013:accession";

macro_rules! ids { ($($name:ident $number:literal;)*) => { $(
    pub const $name: &str = concat!("urn:uuid:00000000-0000-4000-8000-0000000000", $number);
)* } }
ids! {
    FIRST_SET "01"; REPORT "02"; OLD_LETTER "03"; FOLDER "04"; FOLDER_MEMBER "05"; REPORT_MEMBER "06";
    SECOND_SET "11"; ADDENDUM "12"; NEW_LETTER "13"; APPENDS "14"; REPLACES "15";
    LIST "22";
}
pub const FIRST_SET_UID: &str = "1.2.3.100.1";
pub const REPORT_UID: &str = "1.2.3.100.2";
pub const OLD_LETTER_UID: &str = "1.2.3.100.3";
pub const FOLDER_UID: &str = "1.2.3.100.4";
pub const SECOND_SET_UID: &str = "1.2.3.100.11";
pub const ADDENDUM_UID: &str = "1.2.3.100.12";
pub const NEW_LETTER_UID: &str = "1.2.3.100.13";
pub const LIST_UID: &str = "1.2.3.100.22";

/// Every object that can be named.
pub const OBJECTS: [&str; 12] = [
    FIRST_SET,
    REPORT,
    OLD_LETTER,
    FOLDER,
    FOLDER_MEMBER,
    REPORT_MEMBER,
    SECOND_SET,
    ADDENDUM,
    NEW_LETTER,
    APPENDS,
    REPLACES,
    LIST,
];
/// Every stored document.
pub const DOCUMENTS: [&str; 4] = [REPORT_UID, OLD_LETTER_UID, ADDENDUM_UID, NEW_LETTER_UID];

/// A document's bytes.
pub fn bytes(owner: &str, unique_id: &str) -> Bytes {
    format!("{owner} keeps {unique_id}").into()
}

/// Which slot tells whose an object is.
const OWNER: &str = "urn:example:owner";

/// The mark of an owner in an object's XML.
pub fn mark(owner: &str) -> String {
    format!("owner-{owner}")
}

/// Puts the owner's name on everything.
pub fn owned(owner: &str, mut submission: Submission) -> Submission {
    for object in &mut submission.objects {
        object.set_slot(OWNER, vec![mark(owner)]);
    }
    submission
}

/// The same with ids that are the same each time, so that it can be sent again.
fn fixed(mut submission: Submission) -> Submission {
    let set = submission.objects[0].id.clone();
    let number = &set[set.len() - 2..];
    for (place, object) in submission.objects.iter_mut().enumerate() {
        if !object.id.starts_with("urn:uuid:00000000") {
            object.id = format!("urn:uuid:00000000-0000-4000-8000-{number}00000000{place:02}");
        }
    }
    submission
}

/// A SubmissionSet and entries with these ids and uniqueIds.
pub fn with_entries(set: (&str, &str), entries: &[(&str, &str)]) -> Submission {
    let document = |(_, unique_id): &(&str, &str)| Document { unique_id: (*unique_id).to_owned(), size: 0 };
    let documents: Vec<_> = entries.iter().map(document).collect();
    let mut made = submission(PATIENT, &documents);
    let mut names = vec![("set".to_owned(), set.0.to_owned())];
    names.extend(entries.iter().enumerate().map(|(n, (id, _))| (format!("Document{n}"), (*id).to_owned())));
    made.objects.iter_mut().for_each(|object| rename(object, &names));
    let identifier = made.objects[0].external_identifiers.iter_mut();
    for one in identifier.filter(|one| one.scheme == codes::identifier::SS_UNIQUE_ID) {
        one.value = set.1.to_owned();
    }
    made
}

fn rename(object: &mut Object, names: &[(String, String)]) {
    let new = |id: &mut String| {
        if let Some((_, new)) = names.iter().find(|(old, _)| old == id) {
            id.clone_from(new);
        }
    };
    new(&mut object.id);
    if let Some(association) = &mut object.association {
        new(&mut association.source);
        new(&mut association.target);
    }
    object.classifications.iter_mut().filter_map(|one| one.classified_object.as_mut()).for_each(new);
    object.external_identifiers.iter_mut().filter_map(|one| one.registry_object.as_mut()).for_each(new);
}

/// An association with a given id.
pub fn linked(id: &str, kind: &str, source: &str, target: &str) -> Object {
    Object { id: id.to_owned(), ..association(kind, source, target) }
}

/// Two entries, one of them in a folder.
pub fn first(owner: &str) -> Submission {
    let mut made =
        with_entries((FIRST_SET, FIRST_SET_UID), &[(REPORT, REPORT_UID), (OLD_LETTER, OLD_LETTER_UID)]);
    made.objects[1].set_slot(codes::slot::REFERENCE_ID_LIST, vec![REFERENCE_ID.to_owned()]);
    made.objects[2].id = REPORT_MEMBER.to_owned();
    let folder = FolderBuilder::new(FOLDER)
        .title("ja-JP", "経過")
        .codes([&Code::new("1", "1.2.3.5", "1")])
        .patient_id(PATIENT)
        .unique_id(FOLDER_UID);
    made.objects.push(folder.build());
    made.objects.push(association(codes::association::HAS_MEMBER, FIRST_SET, FOLDER));
    made.objects.push(linked(FOLDER_MEMBER, codes::association::HAS_MEMBER, FOLDER, REPORT));
    made.objects.push(association(codes::association::HAS_MEMBER, FIRST_SET, FOLDER_MEMBER));
    owned(owner, fixed(made))
}

/// An addendum to one, and a replacement of the other.
pub fn second(owner: &str) -> Submission {
    let entries = [(ADDENDUM, ADDENDUM_UID), (NEW_LETTER, NEW_LETTER_UID)];
    let mut made = with_entries((SECOND_SET, SECOND_SET_UID), &entries);
    made.objects.push(linked(APPENDS, codes::association::APND, ADDENDUM, REPORT));
    made.objects.push(linked(REPLACES, codes::association::RPLC, NEW_LETTER, OLD_LETTER));
    owned(owner, fixed(made))
}

/// An on-demand entry of a repository.
pub fn listed(owner: &str, repository: &str) -> Submission {
    let mut made = on_demand(PATIENT, LIST_UID);
    let names = [("Document0".to_owned(), LIST.to_owned())];
    made.objects.iter_mut().for_each(|object| rename(object, &names));
    for entry in made.objects.iter_mut().filter(|object| object.id == LIST) {
        entry.set_slot(codes::slot::REPOSITORY_UNIQUE_ID, vec![repository.to_owned()]);
        entry.mime_type = Some("text/html".to_owned());
    }
    owned(owner, made)
}

/// A new SubmissionSet with an entry for a document that lies elsewhere.
fn elsewhere() -> Submission {
    let mut made = submission(PATIENT, &[Document::new(0)]);
    lies_in(&mut made.objects[1], "1.2.3.99", b"elsewhere");
    made
}

/// Says of an entry what its repository would.
fn lies_in(entry: &mut Object, repository: &str, document: &[u8]) {
    let hash: String = openssl::sha::sha1(document).iter().map(|byte| format!("{byte:02x}")).collect();
    for (name, value) in [
        (codes::slot::HASH, hash),
        (codes::slot::SIZE, document.len().to_string()),
        (codes::slot::REPOSITORY_UNIQUE_ID, repository.to_owned()),
    ] {
        entry.set_slot(name, vec![value]);
    }
}

/// A new entry with a relation to something.
pub fn related(kind: &str, target: &str) -> Submission {
    let mut made = elsewhere();
    made.objects.push(association(kind, "Document0", target));
    made
}

/// A SubmissionSet that takes in something that is there already.
pub fn taking_in(object: &str) -> Submission {
    let mut made = submission(PATIENT, &[]);
    made.objects.push(has_member("set", object, Membership::Reference));
    made
}

/// A new entry that is put into a folder.
pub fn put_into(folder: &str) -> Submission {
    let mut made = elsewhere();
    let member = association(codes::association::HAS_MEMBER, folder, "Document0");
    made.objects.push(association(codes::association::HAS_MEMBER, "set", &member.id));
    made.objects.push(member);
    made
}

/// A new version of the report (ITI-57, ITI-92).
pub fn revised(owner: &str, repository: &str, previous: &str) -> Submission {
    let mut made = with_entries(("set", &crate::support::submissions::oid()), &[("new", REPORT_UID)]);
    lies_in(&mut made.objects[1], repository, &bytes(owner, REPORT_UID));
    made.objects[1].lid = Some(REPORT.to_owned());
    made.objects[1].name[0].value = "訂正後".to_owned();
    made.objects[2].set_slot(codes::slot::PREVIOUS_VERSION, vec![previous.to_owned()]);
    owned(owner, made)
}

/// A change of status (ITI-57).
pub fn deprecating(object: &str) -> Submission {
    let mut made = submission(PATIENT, &[]);
    let mut change = association(codes::association::UPDATE_AVAILABILITY_STATUS, "set", object);
    change.set_slot("OriginalStatus", vec![codes::APPROVED.to_owned()]);
    change.set_slot("NewStatus", vec![codes::DEPRECATED.to_owned()]);
    made.objects.push(change);
    made
}

/// Gives a tenant all of it.
pub async fn fill(tenant: &Standalone, owner: &str, repository: &str) {
    for (submission, documents) in [
        (first(owner), [(REPORT, REPORT_UID), (OLD_LETTER, OLD_LETTER_UID)]),
        (second(owner), [(ADDENDUM, ADDENDUM_UID), (NEW_LETTER, NEW_LETTER_UID)]),
    ] {
        let documents = documents.map(|(id, unique_id)| (id.to_owned(), bytes(owner, unique_id)));
        assert_eq!(tenant.submit(&submission, documents.into()).await.errors, [], "{owner}");
    }
    assert_eq!(tenant.register(&ITI61, &listed(owner, repository)).await.errors, [], "{owner}");
}
