//! ITI-57 and ITI-92 over a socket: an entry gets a new version, and nobody changes who may not.

use sekisho::metadata::views::{Membership, has_member};
use sekisho::metadata::{Kind, Object, Submission, codes};
use sekisho::transactions::Transaction;
use sekisho::transactions::errors::{RegistryResponse, Status, code};
use sekisho::transactions::iti18::ITI18;
use sekisho::transactions::iti42::ITI42;
use sekisho::transactions::iti57::ITI57;
use sekisho::transactions::iti92::ITI92;
use sekisho::wire::xml::Tree;

use crate::support::hosted::Standalone;
use crate::support::submissions::{Document, submission};

const PATIENT: &str = "1^^^&1.2.3&ISO";

fn codes_of(response: &RegistryResponse) -> Vec<&str> {
    response.errors.iter().map(|error| &*error.code).collect()
}

/// A patient's only document, as the registry gives it.
async fn submitted(standalone: &Standalone) -> Object {
    let document = Document::new(10);
    let bytes = document.bytes();
    let answer =
        standalone.submit(&submission(PATIENT, &[document]), vec![("Document0".to_owned(), bytes)]).await;
    assert_eq!(answer.errors, []);
    let id = standalone.entries_of(PATIENT).await.remove(0);
    get(standalone, &id).await
}

async fn get(standalone: &Standalone, id: &str) -> Object {
    const GET_DOCUMENTS: &str = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4";
    let named = format!("('{id}')");
    let answer = standalone.ask(&ITI18, GET_DOCUMENTS, &[("$XDSDocumentEntryEntryUUID", &named)]).await;
    let (start, rest) = answer.objects[0].xml.clone();
    let rim = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0";
    let xml = [format!("<x xmlns:rim=\"{rim}\">").as_bytes(), &start, &rest, b"</x>"].concat();
    let tree = Tree::parse(xml.into()).unwrap();
    Object::read(tree.root().children().next().unwrap()).unwrap().unwrap()
}

/// A submission that makes a new version of an entry.
fn update(current: &Object, previous: &str) -> Submission {
    let mut entry = current.clone();
    entry.id = "new".to_owned();
    entry.lid = current.lid.clone();
    (entry.version, entry.status) = (None, None);
    entry.name[0].value = "訂正後の題名".to_owned();
    entry.classifications.iter_mut().for_each(|one| one.classified_object = Some("new".to_owned()));
    entry.external_identifiers.iter_mut().for_each(|one| one.registry_object = Some("new".to_owned()));
    let mut member = has_member("set", "new", Membership::Original);
    member.set_slot(codes::slot::PREVIOUS_VERSION, vec![previous.to_owned()]);
    let mut set = submission(PATIENT, &[]);
    set.objects.retain(|object| object.kind == Kind::SubmissionSet);
    set.objects.extend([entry, member]);
    set
}

#[tokio::test]
async fn an_entry_gets_a_new_version_by_either_transaction() {
    for transaction in [&ITI57, &ITI92] {
        let standalone = Standalone::start(&[]).await;
        let first = submitted(&standalone).await;
        assert_eq!(first.version.as_deref(), Some("1"));
        let wrong = standalone.register(transaction, &update(&first, "7")).await;
        assert_eq!((wrong.status, codes_of(&wrong)), (Status::Failure, vec![code::METADATA_VERSION]));
        assert_eq!(standalone.register(transaction, &update(&first, "1")).await.errors, []);
        let found = standalone.entries_of(PATIENT).await;
        assert_eq!(found.len(), 1);
        let second = get(&standalone, &found[0]).await;
        assert_eq!((second.version.as_deref(), &second.lid), (Some("2"), &first.lid));
        assert_eq!(second.name[0].value, "訂正後の題名");
        // Of two who correct the same version, the second is told.
        let late = standalone.register(transaction, &update(&first, "1")).await;
        assert_eq!(codes_of(&late), [code::METADATA_VERSION]);
        standalone.stop().await;
    }
}

#[tokio::test]
async fn an_update_is_no_registration_and_a_registration_no_update() {
    let standalone = Standalone::start(&[]).await;
    let first = submitted(&standalone).await;
    let response = standalone.register(&ITI42, &update(&first, "1")).await;
    assert_eq!(codes_of(&response), [code::REGISTRY_METADATA_ERROR]);
    assert!(response.errors[0].context.contains("assoc.update-slots.prohibited"), "{response:?}");
    let mut new = update(&first, "1");
    new.objects[1].lid = None;
    assert_eq!(codes_of(&standalone.register(&ITI57, &new).await), [code::METADATA_UPDATE]);
    assert_eq!(codes_of(&standalone.register(&ITI92, &new).await), [code::INVALID_REQUEST]);
    standalone.stop().await;
}

#[tokio::test]
async fn who_may_not_update_changes_nothing() {
    let standalone = Standalone::start(&["standalone.permit.update=[\"CN=administrator\"]"]).await;
    let first = submitted(&standalone).await;
    for transaction in [&ITI57, &ITI92] {
        let response = standalone.register(transaction, &update(&first, "1")).await;
        assert_eq!(codes_of(&response), [code::LOCAL_POLICY_RESTRICTION]);
    }
    assert_eq!(standalone.entries_of(PATIENT).await, [first.id]);
    standalone.stop().await;

    let closed = Standalone::start(&["standalone.permit.update=[]"]).await;
    let offered = |transaction: &Transaction| closed.url(transaction).is_some();
    assert!(!offered(&ITI57) && !offered(&ITI92));
    closed.stop().await;
}
