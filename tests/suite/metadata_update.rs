//! ITI-57 and ITI-92 over a socket: entries and folders get new versions, statuses and associations change, and nobody
//! changes who may not.

use sekisho::metadata::codes::association::{APND, SUBMIT_ASSOCIATION, UPDATE_AVAILABILITY_STATUS};
use sekisho::metadata::codes::identifier;
use sekisho::metadata::codes::slot::{
    ASSOCIATION_PROPAGATION, HASH, NEW_STATUS, ORIGINAL_STATUS, PREVIOUS_VERSION, SIZE,
};
use sekisho::metadata::views::{Membership, association, has_member};
use sekisho::metadata::{Kind, Object, Submission, codes};
use sekisho::transactions::Transaction;
use sekisho::transactions::errors::{Status, code};
use sekisho::transactions::iti18::ITI18;
use sekisho::transactions::iti42::ITI42;
use sekisho::transactions::iti57::ITI57;
use sekisho::transactions::iti92::ITI92;
use sekisho::wire::xml::Tree;

use crate::support::draft::{Draft, HAS_MEMBER, found, id, with_ids};
use crate::support::hosted::{Standalone, codes_of};
use crate::support::submissions::{Document, rename, submission};

const PATIENT: &str = "1^^^&1.2.3&ISO";

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
    rename(&mut entry, "new");
    (entry.version, entry.status) = (None, None);
    entry.name[0].value = "訂正後の題名".to_owned();
    let mut member = has_member("set", "new", Membership::Original);
    member.set_slot(PREVIOUS_VERSION, vec![previous.to_owned()]);
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

/// A new version of what has a name, under a new one, and its membership in a set.
async fn version(hosted: &Standalone, set: &str, name: &str, new: &str, previous: &str) -> [Object; 2] {
    let mut object = hosted.object(name).await;
    (object.version, object.status) = (None, None);
    rename(&mut object, &id(new));
    let mut member = match object.kind {
        Kind::DocumentEntry => has_member(&id(set), &id(new), Membership::Original),
        _ => association(HAS_MEMBER, &id(set), &id(new)),
    };
    member.set_slot(PREVIOUS_VERSION, vec![previous.to_owned()]);
    [object, member]
}

/// What asks for a change of status.
fn status(set: &str, target: &str, from: &str, to: &str) -> Object {
    let mut trigger = association(UPDATE_AVAILABILITY_STATUS, &id(set), &id(target));
    trigger.set_slot(ORIGINAL_STATUS, vec![from.to_owned()]);
    trigger.set_slot(NEW_STATUS, vec![to.to_owned()]);
    trigger
}

async fn accepted(hosted: &Standalone, transaction: &Transaction, set: &str, objects: &[Object]) {
    let draft = objects.iter().cloned().fold(Draft::new(set), Draft::object);
    assert_eq!(hosted.register(transaction, &draft.submission()).await.errors, [], "{set}");
}

/// A query, parameters in which `{name}` is an entryUUID, and the names of what is found.
type Finds<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

async fn finds(hosted: &Standalone, rows: &[Finds<'_>]) {
    for (query, parameters, expected) in rows {
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, with_ids(value))).collect();
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = hosted.ask(&ITI18, query, &parameters).await;
        assert_eq!((answer.status, &*found(&answer)), (Status::Success, *expected), "{query} {parameters:?}");
    }
}

const FIND_DOCUMENTS: &str = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d";
const GET_DOCUMENTS: &str = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4";
const GET_FOLDERS: &str = "urn:uuid:5737b14c-8a1a-4539-b659-e03a34a5e1e4";
const GET_FOLDERS_FOR: &str = "urn:uuid:10cae35a-c7f9-4cf5-b61e-fc3278ffb578";
const GET_FOLDER_AND_CONTENTS: &str = "urn:uuid:b909a503-523d-4517-8acf-8e5834dfc4c7";
const GET_ASSOCIATIONS: &str = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155";
const GET_RELATED: &str = "urn:uuid:d90e5407-b356-4d91-a89f-873917b4b0e6";
const P1: (&str, &str) = ("$XDSDocumentEntryPatientId", "'P1^^^&1.2.3&ISO'");
const ANY: (&str, &str) = (
    "$XDSDocumentEntryStatus",
    "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved','urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated')",
);
const ADDENDA: (&str, &str) = ("$AssociationTypes", "('urn:ihe:iti:2007:AssociationType:APND')");
const LEVEL_2: (&str, &str) = ("$MetadataLevel", "2");

/// A document in a folder with an addendum.
async fn world() -> Standalone {
    let hosted = Standalone::start(&[]).await;
    let first = Draft::new("first").entries(&["a"]).folder("f", &["F"]).put("f", "a");
    hosted.accept(&first).await;
    hosted.accept(&Draft::new("second").entries(&["b"]).relate(APND, "b", "+", "a")).await;
    hosted
}

/// 3.57.4.1.3.3.1: versions take over folders and relationships, unless AssociationPropagation is no; older ones are shown to
/// those who ask for them.
#[tokio::test]
async fn versions_take_over_associations_unless_that_is_not_wanted() {
    for transaction in [&ITI57, &ITI92] {
        let hosted = world().await;
        let a2 = version(&hosted, "third", "a", "a2", "1").await;
        accepted(&hosted, transaction, "third", &a2).await;
        finds(
            &hosted,
            &[
                (FIND_DOCUMENTS, &[P1, ANY], "a2 b"),
                (FIND_DOCUMENTS, &[P1, ANY, LEVEL_2], "a a2 b"),
                (GET_DOCUMENTS, &[("$XDSDocumentEntryLogicalID", "'{a}'")], "a2"),
                (GET_DOCUMENTS, &[("$XDSDocumentEntryLogicalID", "'{a}'"), LEVEL_2], "a a2"),
                (GET_DOCUMENTS, &[("$XDSDocumentEntryEntryUUID", "'{a}'")], "a"),
                (GET_FOLDERS_FOR, &[("$XDSDocumentEntryEntryUUID", "'{a2}'")], "f"),
            ],
        )
        .await;
        let related = [("$XDSDocumentEntryEntryUUID", with_ids("'{b}'")), (ADDENDA.0, ADDENDA.1.to_owned())];
        let related: Vec<_> = related.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = hosted.ask(&ITI18, GET_RELATED, &related).await;
        assert!(["a2", "b"].iter().all(|one| found(&answer).split(' ').any(|name| name == *one)));
        hosted.stop().await;
    }
    let hosted = world().await;
    let [a2, mut member] = version(&hosted, "third", "a", "a2", "1").await;
    member.set_slot(ASSOCIATION_PROPAGATION, vec!["no".to_owned()]);
    accepted(&hosted, &ITI57, "third", &[a2, member]).await;
    finds(
        &hosted,
        &[
            (GET_FOLDERS_FOR, &[("$XDSDocumentEntryEntryUUID", "'{a2}'")], ""),
            (GET_RELATED, &[("$XDSDocumentEntryEntryUUID", "'{a2}'"), ADDENDA], ""),
        ],
    )
    .await;
    hosted.stop().await;
}

/// 3.57.4.1.3.3.1: folders have versions as well, and keep their entries.
#[tokio::test]
async fn a_folder_gets_a_new_version_with_its_entries() {
    let hosted = world().await;
    let f2 = version(&hosted, "third", "f", "f2", "1").await;
    accepted(&hosted, &ITI57, "third", &f2).await;
    finds(
        &hosted,
        &[
            (GET_FOLDERS, &[("$XDSFolderLogicalID", "'{f}'")], "f2"),
            (GET_FOLDERS, &[("$XDSFolderLogicalID", "'{f}'"), LEVEL_2], "f f2"),
            (GET_FOLDERS_FOR, &[("$XDSDocumentEntryEntryUUID", "'{a}'")], "f2"),
        ],
    )
    .await;
    let of = with_ids("'{f2}'");
    let contents = hosted.ask(&ITI18, GET_FOLDER_AND_CONTENTS, &[("$XDSFolderEntryUUID", &of)]).await;
    assert_eq!(contents.objects.len(), 3, "{}", found(&contents));
    assert_eq!(hosted.object("f2").await.version.as_deref(), Some("2"));
    hosted.stop().await;
}

/// 3.57.4.1.3.3.2: statuses change in both directions; of what is deprecated ITI-57 makes no version, and ITI-92 a
/// deprecated one.
#[tokio::test]
async fn statuses_go_and_come_back() {
    let hosted = world().await;
    let is_approved = async |name: &str| hosted.object(name).await.status.as_deref() == Some(codes::APPROVED);
    let down = status("third", "a", codes::APPROVED, codes::DEPRECATED);
    accepted(&hosted, &ITI57, "third", &[down]).await;
    assert!(!is_approved("a").await && is_approved("b").await);
    let objects = version(&hosted, "fourth", "a", "a2", "1").await;
    let draft = objects.iter().cloned().fold(Draft::new("fourth"), Draft::object).submission();
    assert_eq!(codes_of(&hosted.register(&ITI57, &draft).await), [code::METADATA_UPDATE]);
    assert_eq!(hosted.register(&ITI92, &draft).await.errors, []);
    assert!(!is_approved("a2").await);
    let up = status("fifth", "a2", codes::DEPRECATED, codes::APPROVED);
    accepted(&hosted, &ITI57, "fifth", &[up]).await;
    assert!(is_approved("a2").await);
    // A new version and its status in one submission.
    let [a3, member] = version(&hosted, "sixth", "a2", "a3", "2").await;
    let down = status("sixth", "a3", codes::APPROVED, codes::DEPRECATED);
    accepted(&hosted, &ITI57, "sixth", &[a3, member, down]).await;
    assert!(!is_approved("a3").await);
    hosted.stop().await;
}

/// 3.57.4.1.3.3.5 and .4: an association is added, by a submission of its own, and ended again.
#[tokio::test]
async fn associations_come_and_go() {
    let hosted = world().await;
    let mut link = association(HAS_MEMBER, &id("f"), &id("b"));
    link.id = id("f>b");
    let submit = association(SUBMIT_ASSOCIATION, &id("third"), &id("f>b"));
    accepted(&hosted, &ITI57, "third", &[link, submit]).await;
    let in_folder = |status| [("$uuid", "('{f>b}')"), ("$XDSAssociationStatus", status)];
    let (approved, deprecated) = (format!("('{}')", codes::APPROVED), format!("('{}')", codes::DEPRECATED));
    let folders: Finds<'_> = (GET_FOLDERS_FOR, &[("$XDSDocumentEntryEntryUUID", "'{b}'")], "f");
    finds(&hosted, &[folders, (GET_ASSOCIATIONS, &in_folder(&deprecated), "")]).await;
    let end = status("fourth", "f>b", codes::APPROVED, codes::DEPRECATED);
    accepted(&hosted, &ITI57, "fourth", &[end]).await;
    finds(&hosted, &[(folders.0, folders.1, ""), (GET_ASSOCIATIONS, &in_folder(&approved), "")]).await;
    hosted.stop().await;
}

/// TF-1 10.2.10: a stable document that is assembled when it is retrieved first has the hash and size of nothing until then,
/// and gets its own by ITI-57, once. It may be registered again as what it is now.
#[tokio::test]
async fn a_document_that_is_assembled_late_gets_its_hash_and_size() {
    let hosted = world().await;
    let described = |[mut entry, member]: [Object; 2], hash: &str| {
        entry.set_slot(HASH, vec![hash.repeat(40)]);
        entry.set_slot(SIZE, vec!["7".to_owned()]);
        [entry, member]
    };
    let late =
        |objects: [Object; 2]| Draft::new("other").object(objects[0].clone()).object(objects[1].clone());
    let restricted = late(described(version(&hosted, "other", "a", "a2", "1").await, "b")).submission();
    assert!(codes_of(&hosted.register(&ITI92, &restricted).await).contains(&code::NON_IDENTICAL_HASH));
    let assembled = described(version(&hosted, "assembled", "a", "a2", "1").await, "b");
    accepted(&hosted, &ITI57, "assembled", &assembled).await;
    let now = hosted.object("a2").await;
    assert_eq!((now.slot_value(HASH), now.slot_value(SIZE)), (Some(&*"b".repeat(40)), Some("7")));
    let twice = late(described(version(&hosted, "other", "a2", "a3", "2").await, "c")).submission();
    assert!(codes_of(&hosted.register(&ITI57, &twice).await).contains(&code::NON_IDENTICAL_HASH));

    let unique_id = now.identifier(identifier::DE_UNIQUE_ID).unwrap();
    let again = Draft::new("again").entries(&["again1"]).unique_id("again1", unique_id);
    let refused = hosted.register(&ITI42, &again.submission()).await;
    assert_eq!(codes_of(&refused), [code::NON_IDENTICAL_HASH, code::NON_IDENTICAL_SIZE]);
    hosted
        .accept(&again.change("again1", |entry| {
            entry.set_slot(HASH, vec!["b".repeat(40)]);
            entry.set_slot(SIZE, vec!["7".to_owned()]);
        }))
        .await;
    hosted.stop().await;
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
