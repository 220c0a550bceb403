//! Every error code that a registry and repository have for submissions, updates and removals, as a message over a socket: a
//! table of what is wrong with a request ([`cases`]), by transaction, code, and the section or rule that codeContext names.
//! Whatever is refused changes nothing.

mod cases;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sekisho::metadata::codes::{association, slot};
use sekisho::metadata::views::association;
use sekisho::metadata::{Code, FolderBuilder, Kind, Object, Submission};
use sekisho::registry;
use sekisho::transactions::Transaction;
use sekisho::transactions::errors::{RegistryError, RegistryResponse, Status, code};
use sekisho::transactions::iti18::ITI18;
use sekisho::transactions::iti61::ITI61;
use sekisho::transactions::iti86::ITI86;

use self::cases::{CASES, Case};
use crate::support::hosted::{REPOSITORY, Standalone, codes_of};
use crate::support::submissions::{Document, named, oid, on_demand, submission};

/// Rules that the metadata rules leave nothing to, unless they are turned off.
const UNREACHED: [&str; 2] = ["registry.association.type", "registry.key.length"];
const PATIENT: &str = "1^^^&1.2.3&ISO";
const OTHER_PATIENT: &str = "2^^^&1.2.3&ISO";
/// An Individual Number (My Number) as a patient's; and what is none, since its last digit is not that of the others.
const MY_NUMBER: &str = "123456789018^^^&1.2.3&ISO";
const TWELVE_DIGITS: &str = "123456789012^^^&1.2.3&ISO";
const VOID: &str = "urn:uuid:00000000-0000-4000-8000-000000000000";
/// Places of objects in a submission of one document.
const SET: usize = 0;
const ENTRY: usize = 1;
const MEMBER: usize = 2;

/// What is registered before.
struct World {
    standalone: Standalone,
    /// A document in a folder.
    held: Submission,
    document: Document,
    /// An entry that was replaced, and its document.
    deprecated: (Object, Document),
    /// The entry that replaced it.
    current: String,
    /// An on-demand entry's uniqueId.
    on_demand: String,
}

/// What is sent.
enum Sent {
    Provide(Submission, Vec<(&'static str, Bytes)>),
    Metadata(Submission),
    Remove(Vec<String>),
    RemoveDocuments(Vec<(&'static str, String)>),
}

impl World {
    fn id(&self, place: usize) -> String {
        self.held.objects[place].id.clone()
    }
    fn folder(&self) -> &Object {
        self.held.objects.iter().find(|object| object.kind == Kind::Folder).unwrap()
    }

    /// The membership of the document in the folder.
    fn in_folder(&self) -> String {
        let folder = &self.folder().id;
        let is_it = |object: &&Object| object.association.as_ref().is_some_and(|one| one.source == *folder);
        self.held.objects.iter().find(is_it).unwrap().id.clone()
    }

    async fn new() -> Self {
        let standalone =
            Standalone::start(&["standalone.patients=own", "community.authorities=[\"1.2.3\"]"]).await;
        let document = Document::new(20);
        let mut held = submission(PATIENT, std::slice::from_ref(&document));
        let folder = FolderBuilder::new("folder")
            .title("ja-JP", "入院")
            .codes([&Code::new("A", "1.2.3.5", "入院")])
            .patient_id(PATIENT)
            .unique_id(oid());
        let in_folder = association(association::HAS_MEMBER, "folder", "Document0");
        let by_set = association(association::HAS_MEMBER, "set", &in_folder.id);
        held.objects.push(folder.build());
        held.objects.extend([association(association::HAS_MEMBER, "set", "folder"), in_folder, by_set]);
        let held = named(held);
        let entry = held.objects[ENTRY].id.clone();
        assert_eq!(standalone.submit(&held, vec![(entry, document.bytes())]).await.errors, []);

        let old = Document::new(5);
        let mut first = named(submission(PATIENT, std::slice::from_ref(&old)));
        let deprecated = first.objects[ENTRY].id.clone();
        assert_eq!(standalone.submit(&first, vec![(deprecated.clone(), old.bytes())]).await.errors, []);
        let new = Document::new(6);
        let mut second = submission(PATIENT, std::slice::from_ref(&new));
        second.objects.push(association(association::RPLC, "Document0", &deprecated));
        let second = named(second);
        let current = second.objects[ENTRY].id.clone();
        assert_eq!(standalone.submit(&second, vec![(current.clone(), new.bytes())]).await.errors, []);

        let unique_id = oid();
        assert_eq!(standalone.register(&ITI61, &on_demand(PATIENT, &unique_id)).await.errors, []);
        let deprecated = (first.objects.remove(ENTRY), old);
        Self { standalone, held, document, deprecated, current, on_demand: unique_id }
    }

    async fn send(&self, transaction: &Transaction, sent: Sent) -> RegistryResponse {
        match sent {
            Sent::Provide(said, documents) => {
                let documents = documents.into_iter().map(|(id, bytes)| (id.to_owned(), bytes));
                self.standalone.submit(&said, documents.collect()).await
            }
            Sent::Metadata(said) => self.standalone.register(transaction, &said).await,
            Sent::Remove(objects) => self.standalone.remove(objects).await,
            Sent::RemoveDocuments(documents) => {
                let documents: Vec<_> =
                    documents.iter().map(|(repository, document)| (*repository, &**document)).collect();
                self.standalone.remove_documents(&documents).await
            }
        }
    }

    /// Everything about the patients, as far as queries give it.
    async fn everything(&self) -> Vec<String> {
        const GET_ALL: &str = "urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3";
        const ANY: &str = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved','urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated')";
        let mut found = Vec::new();
        for patient in [PATIENT, OTHER_PATIENT] {
            let patient = format!("'{patient}'");
            let parameters = [
                ("$patientId", patient.as_str()),
                ("$XDSDocumentEntryStatus", ANY),
                ("$XDSSubmissionSetStatus", ANY),
                ("$XDSFolderStatus", ANY),
            ];
            let answer = self.standalone.ask(&ITI18, GET_ALL, &parameters).await;
            assert_eq!(answer.errors, []);
            found.extend(answer.objects.into_iter().map(|object| {
                let (start, rest) = object.xml;
                String::from_utf8([&start[..], &rest[..]].concat()).unwrap()
            }));
        }
        found.sort_unstable();
        found
    }
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_code_and_section_and_changes_nothing() {
    let world = World::new().await;
    let before = world.everything().await;
    assert!(before.len() > 10);
    let (mut wrong, mut broken) = (Vec::new(), BTreeSet::from(UNREACHED));
    for (number, Case { transaction, code, named, make }) in CASES.iter().enumerate() {
        let response = world.send(transaction, make(&world)).await;
        let is_it = |error: &RegistryError| error.code == *code && error.context.contains(named);
        let repeats = |error: &RegistryError| error.context.contains("123456789018");
        if response.status != Status::Failure
            || !response.errors.iter().any(is_it)
            || response.errors.iter().any(repeats)
        {
            wrong.push(format!("case {number}, {}: {code} ({named}): {response:#?}", transaction.id));
        }
        let all = response.errors.iter().map(|error| error.context.as_str());
        let said: String = all.collect();
        broken.extend(registry::rules().map(|rule| rule.id).filter(|id| said.contains(&format!("({id}; "))));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(world.everything().await, before);
    let all: BTreeSet<_> = registry::rules().map(|rule| rule.id).collect();
    let unbroken: Vec<_> = all.difference(&broken).collect();
    assert!(unbroken.is_empty(), "rules that nothing broke: {unbroken:?}");
    world.standalone.stop().await;
}

#[tokio::test]
async fn twelve_digits_that_are_no_my_number_are_a_patients() {
    let standalone = Standalone::start(&[]).await;
    assert_eq!(standalone.register(&ITI61, &on_demand(TWELVE_DIGITS, &oid())).await.errors, []);
    standalone.stop().await;
}

/// What the metadata rules let pass where somebody has turned them off, the registry still does not keep.
#[tokio::test]
async fn an_association_that_no_registry_keeps_is_refused_with_all_rules_off() {
    let off = ["rules.\"assoc.type.known\"=\"off\""];
    let standalone = Standalone::start(&off).await;
    let mut said = on_demand(PATIENT, &oid());
    said.objects.push(association("urn:example:Likes", "Document0", VOID));
    said.objects.push(association("urn:example:Likes", "Document0", "set"));
    let response = standalone.register(&ITI61, &said).await;
    assert!(response.errors.iter().any(|error| error.context.contains(UNREACHED[0])), "{response:?}");
    assert!(codes_of(&response).contains(&code::REGISTRY_METADATA_ERROR));
    standalone.stop().await;
}

/// What no key of a database can hold is refused by name, on both databases alike.
#[tokio::test]
async fn an_identifier_that_is_too_long_is_refused_with_all_rules_off() {
    let off =
        ["de.unique-id.identifier", "de.reference-id-list.cxi", "object.text.length", "slot.value.length"];
    let off = off.map(|rule| format!("rules.\"{rule}\"=\"off\""));
    let standalone = Standalone::start(&off.each_ref().map(String::as_str)).await;
    let with_unique_id = |bytes| on_demand(PATIENT, &oid().repeat(bytes)[..bytes]);
    let with_reference = |bytes| {
        let mut said = on_demand(PATIENT, &oid());
        let entry = said.objects.iter_mut().find(|object| object.kind == Kind::DocumentEntry).unwrap();
        entry.set_slot(slot::REFERENCE_ID_LIST, vec![oid().repeat(bytes)[..bytes].to_owned()]);
        said
    };
    for (longest, longer, what) in [
        (with_unique_id(1_024), with_unique_id(1_025), "uniqueId has 1025 bytes"),
        (with_reference(2_560), with_reference(2_561), "referenceIdList has 2561 bytes"),
    ] {
        assert_eq!(codes_of(&standalone.register_invalid(&ITI61, &longest).await), [""; 0]);
        let response = standalone.register_invalid(&ITI61, &longer).await;
        let said =
            response.errors.iter().any(|e| e.context.contains(what) && e.context.contains(UNREACHED[1]));
        assert!(said, "{what}: {response:?}");
        assert_eq!(codes_of(&response), [code::REGISTRY_METADATA_ERROR]);
    }
    standalone.stop().await;
}

/// 3.43.5: whatever identifiers are away, each document is accounted for.
#[tokio::test]
async fn a_retrieve_without_identifiers_is_answered_for_each_document() {
    let world = World::new().await;
    let document = world.document.unique_id.as_str();
    for (repository, asked, expected) in [
        ("", document, code::UNKNOWN_REPOSITORY_ID),
        (REPOSITORY, "", code::DOCUMENT_UNIQUE_ID_ERROR),
        ("", "", code::UNKNOWN_REPOSITORY_ID),
    ] {
        let (answer, documents) =
            world.standalone.retrieve(&[(repository, asked), (REPOSITORY, document)]).await;
        assert_eq!((answer.status, documents.len()), (Status::PartialSuccess, 1));
        let [error] = &answer.errors[..] else { panic!("{answer:?}") };
        assert_eq!((&*error.code, error.location.as_deref().unwrap_or_default()), (expected, asked));
        let removed = world.standalone.remove_documents(&[(repository, asked)]).await;
        assert_eq!((removed.status, codes_of(&removed)), (Status::Failure, vec![expected]));
    }
    world.standalone.stop().await;
}

/// 3.43.5, 4.2.4: beyond what is taken at once, each document has an error, and the others their answers.
#[tokio::test]
async fn a_request_for_very_many_documents_is_answered_for_each() {
    const AT_ONCE: usize = 1_000;
    let world = World::new().await;
    let asked = vec![(REPOSITORY, world.document.unique_id.as_str()); AT_ONCE + 2];
    let (answer, documents) = world.standalone.retrieve(&asked).await;
    assert_eq!((answer.status, documents.len()), (Status::PartialSuccess, AT_ONCE));
    let errors: Vec<_> = answer.errors.iter().map(|e| (&*e.code, e.location.as_ref())).collect();
    assert_eq!(errors, [(code::TOO_MANY_RESULTS, Some(&world.document.unique_id)); 2]);
    let mut asked = vec![world.document.unique_id.clone()];
    asked.extend((0..AT_ONCE).map(|n| format!("1.2.99.{n}")));
    let wanted: Vec<_> = asked.iter().map(|unique_id| (REPOSITORY, unique_id.as_str())).collect();
    let answer = world.standalone.remove_documents(&wanted).await;
    // Errors of such an answer are counted beyond some hundred: ask for less, and each is told.
    assert_eq!(answer.status, Status::PartialSuccess, "{:?}", answer.errors.first());
    let last = [(REPOSITORY, world.document.unique_id.as_str())];
    assert_eq!(codes_of(&world.standalone.remove_documents(&last).await), [code::DOCUMENT_UNIQUE_ID_ERROR]);
    world.standalone.stop().await;
}

/// Every code that we emit is named by a test of this suite, so that none comes without an example at the wire.
#[test]
fn every_code_is_named_by_a_test() {
    fn sources(folder: &Path) -> String {
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let text = |path: PathBuf| match path.is_dir() {
            true => sources(&path),
            false => std::fs::read_to_string(&path).unwrap_or_default(),
        };
        files.map(text).collect()
    }
    let suite = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite"));
    let is_named = |(name, text): &&(&str, &str)| {
        suite.contains(&format!("code::{name}")) || suite.contains(&format!("{text:?}"))
    };
    let unnamed: Vec<_> = code::ALL.iter().filter(|code| !is_named(code)).collect();
    assert!(unnamed.is_empty(), "codes that no test names: {unnamed:?}");
}

/// Statuses besides Failure: Success with every pattern is the other suites'; here, the one PartialSuccess there is.
#[tokio::test]
async fn of_documents_that_are_removed_each_counts_for_itself() {
    let world = World::new().await;
    let documents = vec![(REPOSITORY, world.document.unique_id.clone()), (REPOSITORY, "1.2.99".to_owned())];
    let response = world.send(&ITI86, Sent::RemoveDocuments(documents)).await;
    assert_eq!((response.status, response.errors.len()), (Status::PartialSuccess, 1), "{response:?}");
    world.standalone.stop().await;
}
