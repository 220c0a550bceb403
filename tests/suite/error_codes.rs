//! Every error code that a registry and repository have for submissions, updates and removals, as a message over a socket: a
//! table of what is wrong with a request, by transaction, code and section. Whatever is refused changes nothing.

use bytes::Bytes;
use sekisho::ids::EntryUuid;
use sekisho::metadata::codes::{association, identifier, scheme, slot};
use sekisho::metadata::views::{Membership, association, has_member};
use sekisho::metadata::{Code, FolderBuilder, Kind, Object, Submission, codes};
use sekisho::transactions::Transaction;
use sekisho::transactions::errors::{RegistryResponse, Status, code};
use sekisho::transactions::iti18::ITI18;
use sekisho::transactions::iti41::ITI41;
use sekisho::transactions::iti42::ITI42;
use sekisho::transactions::iti43::{DocumentRequest, RetrieveRequest};
use sekisho::transactions::iti57::ITI57;
use sekisho::transactions::iti61::ITI61;
use sekisho::transactions::iti62::{self, ITI62, RemoveRequest};
use sekisho::transactions::iti86::{self, ITI86};
use sekisho::transactions::iti92::ITI92;

use crate::support::hosted::{REPOSITORY, Standalone};
use crate::support::submissions::{Document, oid, on_demand, submission};

const PATIENT: &str = "1^^^&1.2.3&ISO";
const OTHER_PATIENT: &str = "2^^^&1.2.3&ISO";
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
    /// An entry that was replaced.
    deprecated: String,
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

struct Case {
    transaction: &'static Transaction,
    code: &'static str,
    /// What codeContext names.
    section: &'static str,
    make: fn(&World) -> Sent,
}

const fn case(
    transaction: &'static Transaction,
    code: &'static str,
    section: &'static str,
    make: fn(&World) -> Sent,
) -> Case {
    Case { transaction, code, section, make }
}

/// A right submission, changed; with its document.
fn provide(change: impl FnOnce(&mut Submission)) -> Sent {
    let document = Document::new(20);
    let mut said = submission(PATIENT, std::slice::from_ref(&document));
    change(&mut said);
    Sent::Provide(said, vec![("Document0", document.bytes())])
}

/// The same as the repository passes it on.
fn register(change: impl FnOnce(&mut Submission)) -> Sent {
    let mut said = submission(PATIENT, &[Document::new(20)]);
    complete(&mut said.objects[ENTRY]);
    change(&mut said);
    Sent::Metadata(said)
}

fn complete(entry: &mut Object) {
    entry.set_slot(slot::HASH, vec!["0".repeat(40)]);
    entry.set_slot(slot::SIZE, vec!["20".to_owned()]);
    entry.set_slot(slot::REPOSITORY_UNIQUE_ID, vec![REPOSITORY.to_owned()]);
}

fn register_on_demand(change: impl FnOnce(&mut Submission)) -> Sent {
    let mut said = on_demand(PATIENT, &oid());
    change(&mut said);
    Sent::Metadata(said)
}

/// A new version of an object that is held, changed.
fn update(world: &World, kind: Kind, change: impl FnOnce(&mut Submission)) -> Sent {
    let held = world.held.objects.iter().find(|object| object.kind == kind).unwrap();
    let mut new = held.clone();
    if kind == Kind::DocumentEntry {
        let document = &world.document;
        let sha1 = openssl::sha::sha1(&document.bytes());
        complete(&mut new);
        new.set_slot(slot::HASH, vec![sha1.iter().map(|byte| format!("{byte:02x}")).collect()]);
    }
    (new.id, new.lid) = ("new".to_owned(), Some(held.id.clone()));
    new.classifications.iter_mut().for_each(|one| one.classified_object = Some("new".to_owned()));
    new.external_identifiers.iter_mut().for_each(|one| one.registry_object = Some("new".to_owned()));
    let mut member = match kind {
        Kind::DocumentEntry => has_member("set", "new", Membership::Original),
        _ => association(association::HAS_MEMBER, "set", "new"),
    };
    member.set_slot(slot::PREVIOUS_VERSION, vec!["1".to_owned()]);
    let mut said = submission(PATIENT, &[]);
    said.objects.extend([new, member]);
    change(&mut said);
    Sent::Metadata(said)
}

/// A SubmissionSet that asks for a change of status.
fn status(target: &str, from: &str, to: &str) -> Sent {
    let mut said = submission(PATIENT, &[]);
    let mut trigger = association(association::UPDATE_AVAILABILITY_STATUS, "set", target);
    trigger.set_slot(slot::ORIGINAL_STATUS, vec![from.to_owned()]);
    trigger.set_slot(slot::NEW_STATUS, vec![to.to_owned()]);
    said.objects.push(trigger);
    Sent::Metadata(said)
}

fn identify(object: &mut Object, scheme: &str, value: &str) {
    let it = object.external_identifiers.iter_mut().find(|one| one.scheme == scheme).unwrap();
    value.clone_into(&mut it.value);
}

fn relate(said: &mut Submission, kind: &str, target: &str) {
    said.objects.push(association(kind, "Document0", target));
}

/// The same patient in all objects.
fn all_of(said: &mut Submission, patient: &str) {
    identify(&mut said.objects[SET], identifier::SS_PATIENT_ID, patient);
    identify(&mut said.objects[ENTRY], identifier::DE_PATIENT_ID, patient);
}

fn without_class(said: &mut Submission) {
    said.objects[ENTRY].classifications.retain(|one| one.scheme.as_deref() != Some(scheme::CLASS_CODE));
}

fn twice(said: &mut Submission) {
    let mut again = said.objects[ENTRY].clone();
    again.id = "Document1".to_owned();
    again.classifications.iter_mut().for_each(|one| one.classified_object = Some("Document1".to_owned()));
    again.external_identifiers.iter_mut().for_each(|one| one.registry_object = Some("Document1".to_owned()));
    said.objects.extend([again, has_member("set", "Document1", Membership::Original)]);
}

fn set_of(world: &World) -> &str {
    world.held.objects[SET].identifier(identifier::SS_UNIQUE_ID).unwrap()
}

impl World {
    fn id(&self, place: usize) -> String {
        self.held.objects[place].id.clone()
    }
    fn folder(&self) -> &Object {
        self.held.objects.iter().find(|object| object.kind == Kind::Folder).unwrap()
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
        let first = named(submission(PATIENT, std::slice::from_ref(&old)));
        let deprecated = first.objects[ENTRY].id.clone();
        assert_eq!(standalone.submit(&first, vec![(deprecated.clone(), old.bytes())]).await.errors, []);
        let new = Document::new(6);
        let mut second = submission(PATIENT, std::slice::from_ref(&new));
        relate(&mut second, association::RPLC, &deprecated);
        assert_eq!(standalone.submit(&second, vec![("Document0".to_owned(), new.bytes())]).await.errors, []);

        let unique_id = oid();
        assert_eq!(standalone.register(&ITI61, &on_demand(PATIENT, &unique_id)).await.errors, []);
        Self { standalone, held, document, deprecated, on_demand: unique_id }
    }

    async fn send(&self, transaction: &Transaction, sent: Sent) -> RegistryResponse {
        match sent {
            Sent::Provide(said, documents) => {
                let documents = documents.into_iter().map(|(id, bytes)| (id.to_owned(), bytes));
                self.standalone.submit(&said, documents.collect()).await
            }
            Sent::Metadata(said) => self.standalone.register(transaction, &said).await,
            Sent::Remove(objects) => {
                let body = iti62::write_request(&RemoveRequest { objects });
                self.standalone.answered(transaction, body).await
            }
            Sent::RemoveDocuments(documents) => {
                let asked = documents.into_iter().map(|(repository, document)| DocumentRequest {
                    home: None,
                    repository: repository.to_owned(),
                    document,
                });
                let body = iti86::write_request(&RetrieveRequest { documents: asked.collect() });
                self.standalone.answered(transaction, body).await
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

/// The same with entryUUIDs instead of symbolic ids.
fn named(mut said: Submission) -> Submission {
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
        object.classifications.iter_mut().for_each(|one| one.classified_object = Some(object.id.clone()));
        object.external_identifiers.iter_mut().for_each(|one| one.registry_object = Some(object.id.clone()));
    }
    said
}

const CASES: &[Case] = &[
    // ITI-41, by the repository.
    case(&ITI41, code::MISSING_DOCUMENT, "3.41.4.1.3", |_| {
        Sent::Provide(submission(PATIENT, &[Document::new(3)]), vec![])
    }),
    case(&ITI41, code::MISSING_DOCUMENT_METADATA, "3.41.4.1.3", |_| {
        let Sent::Provide(said, mut documents) = provide(|_| ()) else { unreachable!() };
        documents.push(("Document7", Bytes::from_static(b"x")));
        Sent::Provide(said, documents)
    }),
    case(&ITI41, code::REPOSITORY_METADATA_ERROR, "3.41.4.1.3", |_| {
        provide(|said| said.objects[ENTRY].set_slot(slot::HASH, vec!["0".repeat(40)]))
    }),
    case(&ITI41, code::REPOSITORY_METADATA_ERROR, "3.41.4.1.3", |_| {
        provide(|said| said.objects[ENTRY].set_slot(slot::SIZE, vec!["7".to_owned()]))
    }),
    case(&ITI41, code::REPOSITORY_METADATA_ERROR, "4.2.3.2.3", |_| provide(without_class)),
    case(&ITI41, code::REPOSITORY_DUPLICATE_UNIQUE_ID_IN_MESSAGE, "4.2.4.1", |_| {
        let Sent::Provide(said, mut documents) = provide(twice) else { unreachable!() };
        documents.push(("Document1", documents[0].1.clone()));
        Sent::Provide(said, documents)
    }),
    case(&ITI41, code::INVALID_DOCUMENT_CONTENT, "4.2.3.2.15", |_| {
        let Sent::Provide(mut said, _) = provide(|_| ()) else { unreachable!() };
        said.objects[ENTRY].mime_type = Some("image/png".to_owned());
        Sent::Provide(said, vec![("Document0", Bytes::from_static(b"%PDF-1.7"))])
    }),
    // ITI-41, by the registry behind it.
    case(&ITI41, code::NON_IDENTICAL_HASH, "3.42.4.1.3", |world| {
        let mut said = submission(PATIENT, std::slice::from_ref(&world.document));
        said.objects[ENTRY].id = "Document0".to_owned();
        Sent::Provide(said, vec![("Document0", Document::new(20).bytes())])
    }),
    case(&ITI41, code::NON_IDENTICAL_SIZE, "3.42.4.1.3", |world| {
        let said = submission(PATIENT, std::slice::from_ref(&world.document));
        Sent::Provide(said, vec![("Document0", Bytes::from_static(b"shorter"))])
    }),
    case(&ITI41, code::UNKNOWN_PATIENT_ID, "3.42.4.1.3", |_| provide(|said| all_of(said, "1^^^&1.2.77&ISO"))),
    case(&ITI41, code::PATIENT_ID_DOES_NOT_MATCH, "3.42.4.1.3", |_| {
        provide(|said| identify(&mut said.objects[ENTRY], identifier::DE_PATIENT_ID, OTHER_PATIENT))
    }),
    case(&ITI41, code::DUPLICATE_UNIQUE_ID_IN_REGISTRY, "3.42.4.1.3", |world| {
        provide(|said| identify(&mut said.objects[SET], identifier::SS_UNIQUE_ID, set_of(world)))
    }),
    case(&ITI41, code::UNRESOLVED_REFERENCE, "3.42.4.1.3", |_| {
        provide(|said| relate(said, association::APND, VOID))
    }),
    case(&ITI41, code::REGISTRY_DEPRECATED_DOCUMENT, "3.42.4.1.3", |world| {
        provide(|said| relate(said, association::APND, &world.deprecated))
    }),
    // ITI-42.
    case(&ITI42, code::REGISTRY_METADATA_ERROR, "4.2.3.2.3", |_| register(without_class)),
    case(&ITI42, code::REGISTRY_METADATA_ERROR, "4.2.3.2.10", |_| {
        register(|said| said.objects[ENTRY].slots.retain(|one| one.name != slot::HASH))
    }),
    case(&ITI42, code::REGISTRY_METADATA_ERROR, "3.42.4.1.3", |_| {
        register(|said| said.objects[MEMBER].set_slot(slot::PREVIOUS_VERSION, vec!["1".to_owned()]))
    }),
    case(&ITI42, code::REGISTRY_METADATA_ERROR, "3.42.4.1.3", |world| {
        register(|said| {
            let id = world.id(ENTRY);
            let entry = &mut said.objects[ENTRY];
            entry.id = id.clone();
            entry.classifications.iter_mut().for_each(|one| one.classified_object = Some(id.clone()));
            entry.external_identifiers.iter_mut().for_each(|one| one.registry_object = Some(id.clone()));
            said.objects[MEMBER] = has_member("set", &id, Membership::Original);
        })
    }),
    case(&ITI42, code::REGISTRY_DUPLICATE_UNIQUE_ID_IN_MESSAGE, "4.2.4.1", |_| register(twice)),
    case(&ITI42, code::UNKNOWN_PATIENT_ID, "3.42.4.1.3", |_| {
        register(|said| all_of(said, "1^^^&1.2.77&ISO"))
    }),
    case(&ITI42, code::PATIENT_ID_DOES_NOT_MATCH, "3.42.4.1.3", |_| {
        register(|said| identify(&mut said.objects[ENTRY], identifier::DE_PATIENT_ID, OTHER_PATIENT))
    }),
    case(&ITI42, code::PATIENT_ID_DOES_NOT_MATCH, "3.42.4.1.3.5", |world| {
        register(|said| {
            all_of(said, OTHER_PATIENT);
            relate(said, association::APND, &world.id(ENTRY));
        })
    }),
    case(&ITI42, code::NON_IDENTICAL_HASH, "3.42.4.1.3", |world| {
        register(|said| {
            identify(&mut said.objects[ENTRY], identifier::DE_UNIQUE_ID, &world.document.unique_id)
        })
    }),
    case(&ITI42, code::NON_IDENTICAL_SIZE, "3.42.4.1.3", |world| {
        register(|said| {
            identify(&mut said.objects[ENTRY], identifier::DE_UNIQUE_ID, &world.document.unique_id);
            said.objects[ENTRY].set_slot(slot::SIZE, vec!["7".to_owned()]);
        })
    }),
    case(&ITI42, code::DUPLICATE_UNIQUE_ID_IN_REGISTRY, "3.42.4.1.3", |world| {
        register(|said| identify(&mut said.objects[SET], identifier::SS_UNIQUE_ID, set_of(world)))
    }),
    case(&ITI42, code::DUPLICATE_UNIQUE_ID_IN_REGISTRY, "3.42.4.1.3", |world| {
        register(|said| {
            let taken = world.folder().identifier(identifier::FOLDER_UNIQUE_ID).unwrap();
            let folder = FolderBuilder::new("folder")
                .title("ja-JP", "入院")
                .codes([&Code::new("A", "1.2.3.5", "入院")])
                .patient_id(PATIENT)
                .unique_id(taken);
            said.objects.extend([folder.build(), association(association::HAS_MEMBER, "set", "folder")]);
        })
    }),
    case(&ITI42, code::UNRESOLVED_REFERENCE, "3.42.4.1.3", |_| {
        register(|said| relate(said, association::RPLC, VOID))
    }),
    case(&ITI42, code::UNRESOLVED_REFERENCE, "4.2.3.1.5", |_| {
        register(|said| relate(said, association::APND, "Document9"))
    }),
    case(&ITI42, code::REGISTRY_DEPRECATED_DOCUMENT, "3.42.4.1.3", |world| {
        register(|said| relate(said, association::RPLC, &world.deprecated))
    }),
    // ITI-61.
    case(&ITI61, code::REGISTRY_METADATA_ERROR, "4.2.3.2.6", |_| {
        register_on_demand(|said| {
            said.objects[ENTRY].set_slot(slot::CREATION_TIME, vec!["20260101".to_owned()]);
        })
    }),
    case(&ITI61, code::REGISTRY_METADATA_ERROR, "3.42.4.1.3", |world| {
        let mut said = on_demand(PATIENT, &world.document.unique_id);
        said.objects[SET].id = "set".to_owned();
        Sent::Metadata(said)
    }),
    case(&ITI61, code::UNKNOWN_PATIENT_ID, "3.42.4.1.3", |_| {
        register_on_demand(|said| all_of(said, "1^^^&1.2.77&ISO"))
    }),
    // ITI-57.
    case(&ITI57, code::METADATA_VERSION, "3.57.4.1.3", |world| {
        update(world, Kind::DocumentEntry, |said| said.objects[ENTRY].lid = Some(VOID.to_owned()))
    }),
    case(&ITI57, code::METADATA_VERSION, "3.57.4.1.3", |world| {
        update(world, Kind::DocumentEntry, |said| {
            said.objects[MEMBER].set_slot(slot::PREVIOUS_VERSION, vec!["2".to_owned()]);
        })
    }),
    case(&ITI57, code::METADATA_UPDATE, "3.57.4.1.3", |world| {
        update(world, Kind::Folder, |said| said.objects[ENTRY].lid = None)
    }),
    case(&ITI57, code::METADATA_UPDATE, "3.57.4.1.3", |world| {
        status(&world.deprecated, codes::APPROVED, codes::DEPRECATED)
    }),
    case(&ITI57, code::REGISTRY_METADATA_ERROR, "4.2.3.2.3", |world| {
        update(world, Kind::DocumentEntry, without_class)
    }),
    case(&ITI57, code::REGISTRY_METADATA_ERROR, "4.2.2", |world| {
        update(world, Kind::DocumentEntry, |said| said.objects.push(association("urn:x", "new", VOID)))
    }),
    case(&ITI57, code::METADATA_UPDATE_OPERATION, "3.57.4.1.3", |world| {
        update(world, Kind::DocumentEntry, |said| {
            said.objects.push(has_member("set", &world.deprecated, Membership::Reference));
        })
    }),
    case(&ITI57, code::UNRESOLVED_REFERENCE, "3.57.4.1.3", |_| {
        status(VOID, codes::APPROVED, codes::DEPRECATED)
    }),
    case(&ITI57, code::PATIENT_ID_RECONCILIATION, "3.57.4.1.3", |world| {
        update(world, Kind::DocumentEntry, |said| {
            all_of(said, OTHER_PATIENT);
        })
    }),
    case(&ITI57, code::UNKNOWN_PATIENT_ID, "3.42.4.1.3", |world| {
        update(world, Kind::DocumentEntry, |said| all_of(said, "1^^^&1.2.77&ISO"))
    }),
    case(&ITI57, code::NON_IDENTICAL_HASH, "3.57.4.1.3", |world| {
        update(world, Kind::DocumentEntry, |said| {
            said.objects[ENTRY].set_slot(slot::HASH, vec!["f".repeat(40)]);
        })
    }),
    case(&ITI57, code::NON_IDENTICAL_SIZE, "3.57.4.1.3", |world| {
        update(world, Kind::DocumentEntry, |said| {
            said.objects[ENTRY].set_slot(slot::SIZE, vec!["21".to_owned()]);
        })
    }),
    // ITI-92.
    case(&ITI92, code::INVALID_REQUEST, "3.57.4.1.3", |world| {
        update(world, Kind::DocumentEntry, |said| said.objects[ENTRY].lid = None)
    }),
    case(&ITI92, code::METADATA_VERSION, "3.57.4.1.3", |world| {
        update(world, Kind::DocumentEntry, |said| {
            said.objects[MEMBER].set_slot(slot::PREVIOUS_VERSION, vec!["2".to_owned()]);
        })
    }),
    case(&ITI92, code::METADATA_ANNOTATION, "3.57.4.1.3", |world| {
        update(world, Kind::DocumentEntry, |said| {
            said.objects[MEMBER].set_slot(slot::ASSOCIATION_PROPAGATION, vec!["no".to_owned()]);
        })
    }),
    case(&ITI92, code::METADATA_IDENTIFIER, "3.57.4.1.3", |world| {
        update(world, Kind::DocumentEntry, |said| {
            identify(&mut said.objects[ENTRY], identifier::DE_UNIQUE_ID, "1.2.3.4.5.6");
        })
    }),
    case(&ITI92, code::UNMODIFIABLE_METADATA, "3.92.4.1.3", |world| {
        update(world, Kind::DocumentEntry, |said| {
            let other = vec!["S2^^^&1.2.3.7&ISO".to_owned()];
            said.objects[ENTRY].set_slot(slot::SOURCE_PATIENT_ID, other);
        })
    }),
    case(&ITI92, code::OBJECT_TYPE, "3.92.4.1.3", |world| update(world, Kind::Folder, |_| ())),
    case(&ITI92, code::PATIENT_ID_RECONCILIATION, "3.57.4.1.3", |world| {
        update(world, Kind::DocumentEntry, |said| all_of(said, OTHER_PATIENT))
    }),
    case(&ITI92, code::UNKNOWN_COMMUNITY, "3.92.4.1.3", |world| {
        update(world, Kind::DocumentEntry, |said| said.objects[SET].home = Some("urn:oid:1.2.9".to_owned()))
    }),
    // ITI-62.
    case(&ITI62, code::UNRESOLVED_REFERENCE, "3.62.4.1.3", |_| Sent::Remove(vec![VOID.to_owned()])),
    case(&ITI62, code::REFERENCES_EXIST, "3.62.4.1.3", |world| Sent::Remove(vec![world.id(ENTRY)])),
    case(&ITI62, code::UNREFERENCED_OBJECT, "3.62.4.1.3", |world| {
        let ids = world.held.objects.iter().filter(|object| object.kind == Kind::Association);
        Sent::Remove(ids.map(|object| object.id.clone()).collect())
    }),
    case(&ITI62, code::METADATA_MODEL, "4.1.4", |world| Sent::Remove(vec![world.id(MEMBER)])),
    // ITI-86.
    case(&ITI86, code::DOCUMENT_UNIQUE_ID_ERROR, "3.86.4.1.3", |_| {
        Sent::RemoveDocuments(vec![(REPOSITORY, "1.2.99".to_owned())])
    }),
    case(&ITI86, code::DOCUMENT_UNIQUE_ID_ERROR, "3.86.4.1.3", |world| {
        Sent::RemoveDocuments(vec![(REPOSITORY, world.on_demand.clone())])
    }),
    case(&ITI86, code::UNKNOWN_REPOSITORY_ID, "3.86.4.1.3", |world| {
        Sent::RemoveDocuments(vec![("1.2.99", world.document.unique_id.clone())])
    }),
];

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_code_and_section_and_changes_nothing() {
    let world = World::new().await;
    let before = world.everything().await;
    assert!(before.len() > 10);
    let mut wrong = Vec::new();
    for (number, Case { transaction, code, section, make }) in CASES.iter().enumerate() {
        let response = world.send(transaction, make(&world)).await;
        let told = response.errors.iter().find(|error| error.code == *code);
        if response.status != Status::Failure || !told.is_some_and(|error| error.context.contains(section)) {
            wrong.push(format!("case {number}, {}: {code} ({section}): {response:#?}", transaction.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(world.everything().await, before);
    world.standalone.stop().await;
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
