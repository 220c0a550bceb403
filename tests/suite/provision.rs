//! ITI-41 and ITI-43 over a socket, row by row: what a submission with documents is refused with, what the repository adds,
//! and which status, codes and locations a retrieval has. A row begins with the section of ITI TF-2.

use bytes::Bytes;
use sekisho::metadata::codes::association::RPLC;
use sekisho::metadata::codes::{identifier, slot};
use sekisho::metadata::rim::{Object, Submission};
use sekisho::metadata::views::association;
use sekisho::metadata::{Kind, codes};
use sekisho::transactions::errors::{RegistryResponse, Severity, Status, code};
use sekisho::transactions::iti43::{self, DocumentRequest, ITI43, RetrieveRequest, RetrieveResponseHead};

use crate::support::draft::{Draft, PATIENT};
use crate::support::hosted::{REPOSITORY, Standalone};
use crate::support::submissions::{Document, submission};

const BYTES: &[u8] = b"a document";

fn document(unique_id: &str) -> Document {
    Document { unique_id: unique_id.to_owned(), size: BYTES.len() }
}

/// A submission of one document with that uniqueId, whose set has the same with `.1` behind it.
fn one(unique_id: &str) -> Submission {
    let mut submission = submission(PATIENT, &[document(unique_id)]);
    set_identifier(&mut submission, identifier::SS_UNIQUE_ID, &format!("{unique_id}.1"));
    submission
}

fn set_identifier(submission: &mut Submission, scheme: &str, value: &str) {
    let all = submission.objects.iter_mut().flat_map(|object| &mut object.external_identifiers);
    all.filter(|one| one.scheme == scheme).for_each(|one| value.clone_into(&mut one.value));
}

fn with(mut submission: Submission, change: impl FnOnce(&mut Object)) -> Submission {
    change(submission.objects.iter_mut().find(|object| object.kind == Kind::DocumentEntry).unwrap());
    submission
}

fn and(mut submission: Submission, object: Object) -> Submission {
    submission.objects.push(object);
    submission
}

fn says(name: &'static str, value: &'static str) -> impl FnOnce(&mut Object) {
    move |entry| entry.set_slot(name, vec![value.to_owned()])
}

fn sent(ids: &[&str]) -> Vec<(String, Bytes)> {
    ids.iter().map(|id| ((*id).to_owned(), Bytes::from_static(BYTES))).collect()
}

async fn retrieve(hosted: &Standalone, documents: &[(Option<&str>, &str, &str)]) -> RetrieveResponseHead {
    let wanted = |(home, repository, document): &(Option<&str>, &str, &str)| DocumentRequest {
        home: home.map(str::to_owned),
        repository: (*repository).to_owned(),
        document: (*document).to_owned(),
    };
    let request = RetrieveRequest { documents: documents.iter().map(wanted).collect() };
    let message = hosted.call(&ITI43, vec![iti43::write_request(&request)], Vec::new()).await.unwrap();
    iti43::read_response(message.envelope.body().unwrap()).unwrap()
}

/// Stored already: `1.2.3.61`; its set is `1.2.3.61.1`, and its entry was replaced.
async fn hosted() -> Standalone {
    let hosted = Standalone::start(&[]).await;
    let answer = hosted.submit(&one("1.2.3.61"), sent(&["Document0"])).await;
    assert_eq!(answer.errors, []);
    hosted
}

type Refusal = (&'static str, Submission, Vec<(String, Bytes)>, &'static str, &'static [&'static str]);

#[rustfmt::skip]
fn refusals() -> Vec<Refusal> {
    let whole = || sent(&["Document0"]);
    let other = |bytes: &'static [u8]| vec![("Document0".to_owned(), Bytes::from_static(bytes))];
    let two = || submission(PATIENT, &[document("1.2.3.62"), document("1.2.3.62")]);
    let on_demand = |entry: &mut Object| entry.object_type = Some(codes::ON_DEMAND.to_owned());
    vec![
        ("3.41.4.1.3", one("1.2.3.62"), sent(&[]), code::MISSING_DOCUMENT, &["Document0", "1.2.3.62"]),
        ("3.41.4.1.3", one("1.2.3.62"), sent(&["Document0", "Document9"]), code::MISSING_DOCUMENT_METADATA, &["Document9"]),
        ("3.41.4.1.2", one("1.2.3.62"), sent(&["Document0", "Document0"]), code::REPOSITORY_METADATA_ERROR, &["document.id.unique"]),
        ("3.41.4.1.3", with(one("1.2.3.62"), says(slot::HASH, "0000000000000000000000000000000000000000")), whole(), code::REPOSITORY_METADATA_ERROR, &["document.hash", "1.2.3.62"]),
        ("3.41.4.1.3", with(one("1.2.3.62"), says(slot::SIZE, "11")), whole(), code::REPOSITORY_METADATA_ERROR, &["document.size", "1.2.3.62"]),
        ("3.41.4.1.3", with(one("1.2.3.62"), says(slot::CREATION_TIME, "yesterday")), whole(), code::REPOSITORY_METADATA_ERROR, &["de.creation-time"]),
        ("3.41.4.1.2", with(one("1.2.3.62"), on_demand), whole(), code::REPOSITORY_METADATA_ERROR, &["de.object-type"]),
        ("TF-3 4.2.4.1", two(), sent(&["Document0", "Document1"]), code::REPOSITORY_DUPLICATE_UNIQUE_ID_IN_MESSAGE, &["1.2.3.62"]),
        // The same uniqueId with other bytes.
        ("3.41.4.1.3.2", one("1.2.3.61"), other(b"A DOCUMENT"), code::NON_IDENTICAL_HASH, &["1.2.3.61"]),
        ("3.41.4.1.3.2", one("1.2.3.61"), other(b"another document"), code::NON_IDENTICAL_SIZE, &["1.2.3.61"]),
        // What the registry refuses is told as it is.
        ("3.42.4.2.3.1", with_set("1.2.3.62", "1.2.3.61.1"), whole(), code::DUPLICATE_UNIQUE_ID_IN_REGISTRY, &["SubmissionSet", "1.2.3.61.1"]),
        ("3.42.4.2.3.1", and(one("1.2.3.62"), association(RPLC, "Document0", "urn:uuid:6d296e90-e5dc-43d0-b455-7c1f3eb35d83")), whole(), code::UNRESOLVED_REFERENCE, &["targetObject"]),
        ("3.42.4.2.3.1", patient_of_set(one("1.2.3.62"), "P2^^^&1.2.3&ISO"), whole(), code::PATIENT_ID_DOES_NOT_MATCH, &["P1^^^&1.2.3&ISO"]),
    ]
}

fn with_set(unique_id: &str, set: &str) -> Submission {
    let mut submission = one(unique_id);
    set_identifier(&mut submission, identifier::SS_UNIQUE_ID, set);
    submission
}

fn patient_of_set(mut submission: Submission, patient: &str) -> Submission {
    set_identifier(&mut submission, identifier::SS_PATIENT_ID, patient);
    submission
}

fn codes_of(answer: &RegistryResponse) -> Vec<&str> {
    answer.errors.iter().map(|error| &*error.code).collect()
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_with_its_code_and_leaves_nothing() {
    let hosted = hosted().await;
    let before = hosted.entries_of(PATIENT).await;
    for (section, submission, documents, code, context) in refusals() {
        let answer = hosted.submit(&submission, documents).await;
        let row = format!("{section}: {code} {context:?}, and not {:?}", answer.errors);
        assert_eq!(answer.status, Status::Failure, "{row}");
        let found = answer.errors.iter().find(|error| error.code == code);
        let found = found.unwrap_or_else(|| panic!("{row}"));
        assert!(context.iter().all(|part| found.context.contains(part)), "{row}");
        assert!(answer.errors.iter().all(|error| error.severity == Severity::Error), "{row}");
    }
    assert_eq!(hosted.entries_of(PATIENT).await, before);
    let left = retrieve(&hosted, &[(None, REPOSITORY, "1.2.3.62")]).await;
    assert_eq!(left.errors[0].code, code::DOCUMENT_UNIQUE_ID_ERROR);
    hosted.stop().await;
}

/// 3.41.4.1.3: the repository adds hash, size and its own repositoryUniqueId, whatever was sent; a right hash may be in
/// upper case.
#[tokio::test]
async fn the_repository_says_what_it_has() {
    let hosted = Standalone::start(&[]).await;
    let right = openssl::hash::hash(openssl::hash::MessageDigest::sha1(), BYTES).unwrap();
    let right: String = right.iter().map(|byte| format!("{byte:02X}")).collect();
    let said = with(one("1.2.3.63"), |entry| {
        entry.set_slot(slot::HASH, vec![right.clone()]);
        entry.set_slot(slot::SIZE, vec![BYTES.len().to_string()]);
        entry.set_slot(slot::REPOSITORY_UNIQUE_ID, vec!["1.2.3.999".to_owned()]);
        entry.mime_type = Some("text/x-example".to_owned());
    });
    for submission in [one("1.2.3.62"), said] {
        assert_eq!(hosted.submit(&submission, sent(&["Document0"])).await.errors, []);
    }
    let entries = hosted.entries_of(PATIENT).await;
    assert_eq!(entries.len(), 2);
    for entry in entries {
        let quoted = format!("('{entry}')");
        let found = hosted
            .ask(
                &sekisho::transactions::iti18::ITI18,
                "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4",
                &[("$XDSDocumentEntryEntryUUID", &quoted)],
            )
            .await;
        let found = &found.objects[0];
        assert_eq!(found.hash.as_deref().map(str::to_ascii_uppercase), Some(right.clone()));
        assert_eq!((found.size, found.repository.as_deref()), (Some(BYTES.len() as u64), Some(REPOSITORY)));
    }
    // The media type is that of the entry.
    let answer = retrieve(&hosted, &[(None, REPOSITORY, "1.2.3.63")]).await;
    assert_eq!(answer.documents[0].0.mime_type, "text/x-example");
    hosted.stop().await;
}

/// 3.41.4.1.3.2: the same bytes under the same uniqueId are no error, in another submission or in the same one again.
#[tokio::test]
async fn attack_52_the_same_document_again_is_accepted() {
    let hosted = hosted().await;
    let again = with_set("1.2.3.61", "1.2.3.64");
    for _ in 0..2 {
        assert_eq!(hosted.submit(&again, sent(&["Document0"])).await.errors, []);
        assert_eq!(hosted.entries_of(PATIENT).await.len(), 2);
    }
    let answer = retrieve(&hosted, &[(None, REPOSITORY, "1.2.3.61")]).await;
    assert_eq!((answer.status, answer.documents.len()), (Status::Success, 1));
    hosted.stop().await;
}

/// A replacement by ITI-41, of one that ITI-42 registered too.
#[tokio::test]
async fn a_document_replaces_another() {
    let hosted = hosted().await;
    hosted.accept(&Draft::new("set").entries(&["entry"])).await;
    for (number, original) in hosted.entries_of(PATIENT).await.into_iter().enumerate() {
        let new = and(one(&format!("1.2.3.7{number}")), association(RPLC, "Document0", &original));
        assert_eq!(hosted.submit(&new, sent(&["Document0"])).await.errors, []);
        let late = and(one("1.2.3.79"), association(RPLC, "Document0", &original));
        let refused = hosted.submit(&late, sent(&["Document0"])).await;
        assert_eq!(codes_of(&refused), [code::REGISTRY_DEPRECATED_DOCUMENT]);
    }
    hosted.stop().await;
}

type Retrieval = (
    &'static str,
    &'static [(Option<&'static str>, &'static str, &'static str)],
    Status,
    &'static [(&'static str, &'static str)],
    usize,
);

const HOME: Option<&str> = Some("urn:oid:1.2.3");

#[rustfmt::skip]
const RETRIEVALS: &[Retrieval] = &[
    ("3.43.4.1.3", &[(None, REPOSITORY, "1.2.3.61")], Status::Success, &[], 1),
    ("3.43.4.1.3", &[(HOME, REPOSITORY, "1.2.3.61")], Status::Success, &[], 1),
    ("3.43.4.1.3", &[(None, REPOSITORY, "1.2.3.61"), (None, REPOSITORY, "1.2.3.62")], Status::Success, &[], 2),
    ("3.43.4.1.3", &[(None, REPOSITORY, "1.2.3.61"), (HOME, REPOSITORY, "1.2.3.61")], Status::Success, &[], 2),
    ("3.43.5", &[(None, REPOSITORY, "9.9")], Status::Failure, &[(code::DOCUMENT_UNIQUE_ID_ERROR, "9.9")], 0),
    ("3.43.5", &[(None, "1.2.3.999", "1.2.3.61")], Status::Failure, &[(code::UNKNOWN_REPOSITORY_ID, "1.2.3.61")], 0),
    ("3.43.5", &[(None, REPOSITORY, "9.9"), (None, REPOSITORY, "1.2.3.61")], Status::PartialSuccess, &[(code::DOCUMENT_UNIQUE_ID_ERROR, "9.9")], 1),
    ("3.43.5", &[(None, "1.2.3.999", "1.2.3.62"), (None, REPOSITORY, "1.2.3.61"), (HOME, REPOSITORY, "9.9")], Status::PartialSuccess, &[(code::UNKNOWN_REPOSITORY_ID, "1.2.3.62"), (code::DOCUMENT_UNIQUE_ID_ERROR, "9.9")], 1),
    ("3.43.5", &[(None, "1.2.3.999", "1.2.3.62"), (None, REPOSITORY, "9.9")], Status::Failure, &[(code::UNKNOWN_REPOSITORY_ID, "1.2.3.62"), (code::DOCUMENT_UNIQUE_ID_ERROR, "9.9")], 0),
    ("3.43.5", &[(None, REPOSITORY, "../../etc/passwd")], Status::Failure, &[(code::DOCUMENT_UNIQUE_ID_ERROR, "../../etc/passwd")], 0),
];

#[tokio::test]
async fn every_outcome_of_a_retrieval_has_its_status_codes_and_locations() {
    let hosted = hosted().await;
    assert_eq!(hosted.submit(&one("1.2.3.62"), sent(&["Document0"])).await.errors, []);
    for (section, wanted, status, errors, documents) in RETRIEVALS {
        let answer = retrieve(&hosted, wanted).await;
        let row = format!("{section}: {wanted:?}: {:?}", answer.errors);
        assert_eq!((answer.status, answer.documents.len()), (*status, *documents), "{row}");
        let found: Vec<_> = answer
            .errors
            .iter()
            .map(|error| (&*error.code, error.location.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(found, *errors, "{row}");
        for error in &answer.errors {
            assert_eq!(error.severity, Severity::Error, "{row}");
            assert!(error.context.contains(error.location.as_deref().unwrap()), "{row}");
        }
        // What was asked is repeated as it was asked, the homeCommunityId only if it was.
        for (head, _) in &answer.documents {
            let DocumentRequest { home, repository, document } = &head.request;
            assert!(wanted.contains(&(home.as_deref(), repository, document)), "{row}");
            assert_eq!((&head.new_document, &head.new_repository), (&None, &None), "{row}");
        }
    }
    hosted.stop().await;
}
