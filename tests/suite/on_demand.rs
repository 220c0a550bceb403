//! ITI-61 over a socket: what is registered on demand, what is not, and who finds it.

use sekisho::metadata::views::{Membership, association, has_member};
use sekisho::metadata::{Kind, Submission, codes};
use sekisho::transactions::errors::{Status, code};
use sekisho::transactions::iti18::ITI18;
use sekisho::transactions::iti42::ITI42;
use sekisho::transactions::iti43::DocumentHead;
use sekisho::transactions::iti61::ITI61;

use crate::support::hosted::{APPROVED, REPOSITORY, Standalone, codes_of};
use crate::support::submissions::{Document, named, oid, on_demand, submission};

const PATIENT: &str = "1^^^&1.2.3&ISO";

async fn found(standalone: &Standalone, types: &[&str]) -> usize {
    const FIND_DOCUMENTS: &str = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d";
    let patient = format!("'{PATIENT}'");
    let types = types.iter().map(|kind| format!("'{kind}'")).collect::<Vec<_>>().join(",");
    let types = format!("({types})");
    let parameters = [
        ("$XDSDocumentEntryPatientId", patient.as_str()),
        ("$XDSDocumentEntryStatus", APPROVED),
        ("$XDSDocumentEntryType", types.as_str()),
    ];
    standalone.ask(&ITI18, FIND_DOCUMENTS, &parameters).await.objects.len()
}

#[tokio::test]
async fn an_on_demand_entry_is_found_when_asked_for_by_type() {
    let standalone = Standalone::start(&[]).await;
    let unique_id = oid();
    assert_eq!(standalone.register(&ITI61, &on_demand(PATIENT, &unique_id)).await.status, Status::Success);
    // Another source may offer the same content.
    assert_eq!(standalone.register(&ITI61, &on_demand(PATIENT, &unique_id)).await.status, Status::Success);
    assert_eq!(standalone.entries_of(PATIENT).await.len(), 0);
    assert_eq!(found(&standalone, &[codes::ON_DEMAND]).await, 2);
    assert_eq!(found(&standalone, &[codes::STABLE]).await, 0);
    assert_eq!(found(&standalone, &[codes::STABLE, codes::ON_DEMAND]).await, 2);
    standalone.stop().await;
}

#[tokio::test]
async fn what_only_a_stable_document_has_is_refused() {
    let standalone = Standalone::start(&[]).await;
    for (slot, value) in [("creationTime", "20260101"), ("hash", &"a".repeat(40)), ("size", "1")] {
        let mut submission = on_demand(PATIENT, &oid());
        submission.objects[1].set_slot(slot, vec![value.to_owned()]);
        let response = standalone.register(&ITI61, &submission).await;
        assert_eq!(
            (response.status, codes_of(&response)),
            (Status::Failure, vec![code::REGISTRY_METADATA_ERROR])
        );
        assert!(response.errors[0].context.contains(slot), "{:?}", response.errors);
    }
    assert_eq!(found(&standalone, &[codes::ON_DEMAND]).await, 0);
    standalone.stop().await;
}

#[tokio::test]
async fn each_transaction_takes_its_own_kind_of_entry() {
    let standalone = Standalone::start(&[]).await;
    let response = standalone.register(&ITI42, &on_demand(PATIENT, &oid())).await;
    assert!(codes_of(&response).contains(&code::REGISTRY_METADATA_ERROR), "{response:?}");
    let mut stable = on_demand(PATIENT, &oid());
    stable.objects[1].object_type = Some(codes::STABLE.to_owned());
    let response = standalone.register(&ITI61, &stable).await;
    assert!(codes_of(&response).contains(&code::REGISTRY_METADATA_ERROR), "{response:?}");
    standalone.stop().await;
}

#[tokio::test]
async fn a_stable_documents_unique_id_is_not_offered_on_demand() {
    let standalone = Standalone::start(&[]).await;
    let document = Document::new(10);
    let (unique_id, bytes) = (document.unique_id.clone(), document.bytes());
    let stable =
        standalone.submit(&submission(PATIENT, &[document]), vec![("Document0".to_owned(), bytes)]).await;
    assert_eq!(stable.errors, []);
    let response = standalone.register(&ITI61, &on_demand(PATIENT, &unique_id)).await;
    assert_eq!(codes_of(&response), [code::REGISTRY_METADATA_ERROR]);
    standalone.stop().await;
}

#[tokio::test]
async fn an_on_demand_entry_may_replace_another_and_lie_in_a_set_by_reference() {
    let standalone = Standalone::start(&[]).await;
    let first = named(on_demand(PATIENT, &oid()));
    let id = first.objects[1].id.clone();
    assert_eq!(standalone.register(&ITI61, &first).await.errors, []);
    let mut second = on_demand(PATIENT, &oid());
    second.objects.push(association(codes::association::RPLC, "Document0", &id));
    assert_eq!(standalone.register(&ITI61, &second).await.errors, []);
    assert_eq!(found(&standalone, &[codes::ON_DEMAND]).await, 1);
    let mut reference = on_demand(PATIENT, &oid());
    reference.objects.retain(|object| object.kind == Kind::SubmissionSet);
    reference.objects.push(has_member("set", &id, Membership::Reference));
    assert_eq!(standalone.register(&ITI61, &reference).await.errors, []);
    standalone.stop().await;
}

/// Retrieves a document that must be there.
async fn retrieved(standalone: &Standalone, unique_id: &str) -> (DocumentHead, Vec<u8>) {
    let (head, mut documents) = standalone.retrieve(&[(REPOSITORY, unique_id)]).await;
    assert_eq!((head.status, head.errors.len(), head.documents.len()), (Status::Success, 0, 1));
    (head.documents.into_iter().next().unwrap().0, documents.remove(0))
}

fn offered(unique_id: &str) -> Submission {
    let mut submission = on_demand(PATIENT, unique_id);
    submission.objects[1].mime_type = Some("text/html".to_owned());
    submission
}

async fn submit_one(standalone: &Standalone) -> String {
    let document = Document::new(10);
    let (unique_id, bytes) = (document.unique_id.clone(), document.bytes());
    let documents = vec![("Document0".to_owned(), bytes)];
    assert_eq!(standalone.submit(&submission(PATIENT, &[document]), documents).await.errors, []);
    unique_id
}

/// 3.43.4.2.2: another uniqueId, the same one for the same content, and no repository that would keep it.
#[tokio::test]
async fn an_on_demand_document_is_made_of_what_there_is() {
    let standalone = Standalone::start(&["standalone.on_demand=assemble"]).await;
    let on_demand_id = oid();
    let first = submit_one(&standalone).await;
    assert_eq!(standalone.register(&ITI61, &offered(&on_demand_id)).await.errors, []);
    let (head, bytes) = retrieved(&standalone, &on_demand_id).await;
    assert_eq!((&*head.request.document, &*head.mime_type), (&*on_demand_id, "text/html"));
    assert_eq!(head.new_repository, None);
    assert_ne!(head.new_document.as_deref(), Some(&*on_demand_id));
    assert!(String::from_utf8(bytes.clone()).unwrap().contains(&first));
    assert_eq!(retrieved(&standalone, &on_demand_id).await, (head.clone(), bytes.clone()));
    let second = submit_one(&standalone).await;
    let (newer, more) = retrieved(&standalone, &on_demand_id).await;
    assert_ne!(newer.new_document, head.new_document);
    assert!(String::from_utf8(more).unwrap().contains(&second));
    assert_eq!(standalone.entries_of(PATIENT).await.len(), 2, "nothing is kept");
    standalone.stop().await;
}

/// 3.43.4.2.3: what was given out is kept as a snapshot, which replaces the one before.
#[tokio::test]
async fn a_snapshot_is_kept_and_retrieved_again() {
    let standalone = Standalone::start(&["standalone.on_demand=persist"]).await;
    let on_demand_id = oid();
    submit_one(&standalone).await;
    assert_eq!(standalone.register(&ITI61, &offered(&on_demand_id)).await.errors, []);
    // Of those who ask at the same time, one is enough to keep it.
    let ask = || retrieved(&standalone, &on_demand_id);
    let (one, other, third) = tokio::join!(ask(), ask(), ask());
    assert_eq!((&one, &one), (&other, &third));
    let (head, bytes) = one;
    assert_eq!(head.new_repository.as_deref(), Some(REPOSITORY));
    let snapshot = head.new_document.unwrap();
    assert_eq!(standalone.entries_of(PATIENT).await.len(), 2);
    submit_one(&standalone).await;
    let (newer, _) = retrieved(&standalone, &on_demand_id).await;
    assert_ne!(newer.new_document.as_ref(), Some(&snapshot));
    assert_eq!(standalone.entries_of(PATIENT).await.len(), 3, "the newer snapshot replaced the older");
    // The older one is what it was.
    let (head, again) = retrieved(&standalone, &snapshot).await;
    assert_eq!((again, head.new_document), (bytes, None));
    // It is of the on-demand entry.
    const GET_RELATED: &str = "urn:uuid:d90e5407-b356-4d91-a89f-873917b4b0e6";
    let parameters = [
        ("$XDSDocumentEntryUniqueId", &*format!("'{snapshot}'")),
        ("$AssociationTypes", &*format!("('{}')", codes::association::IS_SNAPSHOT_OF)),
        ("$XDSDocumentEntryType", &*format!("('{}','{}')", codes::STABLE, codes::ON_DEMAND)),
    ];
    let related = standalone.ask(&ITI18, GET_RELATED, &parameters).await;
    assert!(related.objects.iter().any(|object| object.unique_id.as_deref() == Some(&*on_demand_id)));
    standalone.stop().await;
}

/// Somebody removes a snapshot's bytes, and the next who asks gets it, and has it kept, all the same.
#[tokio::test]
async fn a_snapshot_whose_bytes_were_removed_is_kept_once_more() {
    let standalone = Standalone::start(&["standalone.on_demand=persist"]).await;
    let on_demand_id = oid();
    submit_one(&standalone).await;
    assert_eq!(standalone.register(&ITI61, &offered(&on_demand_id)).await.errors, []);
    let (head, bytes) = retrieved(&standalone, &on_demand_id).await;
    let snapshot = head.new_document.as_deref().unwrap();
    assert_eq!(standalone.remove_documents(&[(REPOSITORY, snapshot)]).await.errors, []);
    assert_eq!(standalone.document(REPOSITORY, snapshot).await.unwrap_err(), code::DOCUMENT_UNIQUE_ID_ERROR);
    for _ in 0..2 {
        assert_eq!(retrieved(&standalone, &on_demand_id).await, (head.clone(), bytes.clone()));
        assert_eq!(standalone.document(REPOSITORY, snapshot).await.unwrap(), bytes);
    }
    assert_eq!(standalone.entries_of(PATIENT).await.len(), 2, "one document, one snapshot");
    standalone.stop().await;
}
