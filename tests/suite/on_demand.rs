//! ITI-61 over a socket: what is registered on demand, what is not, and who finds it.

use sekisho::metadata::views::{Membership, association, has_member};
use sekisho::metadata::{Kind, Submission, codes};
use sekisho::transactions::errors::{RegistryResponse, Status, code};
use sekisho::transactions::iti18::ITI18;
use sekisho::transactions::iti42::ITI42;
use sekisho::transactions::iti61::ITI61;

use crate::support::hosted::{APPROVED, Standalone};
use crate::support::submissions::{Document, oid, on_demand, submission};

const PATIENT: &str = "1^^^&1.2.3&ISO";

fn codes_of(response: &RegistryResponse) -> Vec<&str> {
    response.errors.iter().map(|error| &*error.code).collect()
}

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
    let mut first = on_demand(PATIENT, &oid());
    let id = sekisho::ids::EntryUuid::random().as_str().to_owned();
    rename(&mut first, &id);
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

/// Gives the entry an entryUUID.
fn rename(submission: &mut Submission, id: &str) {
    let entry = &mut submission.objects[1];
    entry.id = id.to_owned();
    entry.classifications.iter_mut().for_each(|one| one.classified_object = Some(id.to_owned()));
    entry.external_identifiers.iter_mut().for_each(|one| one.registry_object = Some(id.to_owned()));
    submission.objects[2] = has_member("set", id, Membership::Original);
}
