//! What is wrong with a request, by transaction: its code, and what codeContext names of it.

use bytes::Bytes;
use sekisho::metadata::codes::{association, identifier, scheme, slot};
use sekisho::metadata::views::{Membership, association, has_member};
use sekisho::metadata::{Code, FolderBuilder, Kind, Object, Submission, codes};
use sekisho::transactions::Transaction;
use sekisho::transactions::errors::code;
use sekisho::transactions::iti41::ITI41;
use sekisho::transactions::iti42::ITI42;
use sekisho::transactions::iti57::ITI57;
use sekisho::transactions::iti61::ITI61;
use sekisho::transactions::iti62::ITI62;
use sekisho::transactions::iti86::ITI86;
use sekisho::transactions::iti92::ITI92;

use super::{ENTRY, MEMBER, MY_NUMBER, OTHER_PATIENT, PATIENT, SET, Sent, VOID, World};
use crate::support::hosted::REPOSITORY;
use crate::support::submissions::{Document, oid, on_demand, rename, submission};

/// A request that is wrong.
pub(super) struct Case {
    pub(super) transaction: &'static Transaction,
    pub(super) code: &'static str,
    /// What codeContext names: the section, or the rule.
    pub(super) named: &'static str,
    pub(super) make: fn(&World) -> Sent,
}

const fn case(
    transaction: &'static Transaction,
    code: &'static str,
    named: &'static str,
    make: fn(&World) -> Sent,
) -> Case {
    Case { transaction, code, named, make }
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
    let mut said = submission(PATIENT, &[]);
    said.objects.extend(version(held, &world.document, "new"));
    change(&mut said);
    Sent::Metadata(said)
}

/// The next version of an object, and its membership.
fn version(held: &Object, document: &Document, id: &str) -> [Object; 2] {
    let mut new = held.clone();
    if held.kind == Kind::DocumentEntry {
        let sha1 = openssl::sha::sha1(&document.bytes());
        complete(&mut new);
        new.set_slot(slot::HASH, vec![sha1.iter().map(|byte| format!("{byte:02x}")).collect()]);
        new.set_slot(slot::SIZE, vec![document.size.to_string()]);
    }
    new.lid = Some(held.id.clone());
    rename(&mut new, id);
    let mut member = match held.kind {
        Kind::DocumentEntry => has_member("set", id, Membership::Original),
        _ => association(association::HAS_MEMBER, "set", id),
    };
    member.set_slot(slot::PREVIOUS_VERSION, vec!["1".to_owned()]);
    [new, member]
}

/// A SubmissionSet that asks for a change of status.
fn status(target: &str, from: &str, to: &str) -> Sent {
    asking(PATIENT, [change_of_status("set", target, from, to)])
}

fn change_of_status(source: &str, target: &str, from: &str, to: &str) -> Object {
    let mut trigger = association(association::UPDATE_AVAILABILITY_STATUS, source, target);
    trigger.set_slot(slot::ORIGINAL_STATUS, vec![from.to_owned()]);
    trigger.set_slot(slot::NEW_STATUS, vec![to.to_owned()]);
    trigger
}

/// An association that is to be added, and what asks for it.
fn added(kind: &str, source: &str, target: &str) -> [Object; 2] {
    let inner = association(kind, source, target);
    let trigger = association(association::SUBMIT_ASSOCIATION, "set", &inner.id);
    [inner, trigger]
}

/// A SubmissionSet with associations.
fn asking(patient: &str, associations: impl IntoIterator<Item = Object>) -> Sent {
    let mut said = submission(patient, &[]);
    said.objects.extend(associations);
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
    rename(&mut again, "Document1");
    said.objects.extend([again, has_member("set", "Document1", Membership::Original)]);
}

fn set_of(world: &World) -> &str {
    world.held.objects[SET].identifier(identifier::SS_UNIQUE_ID).unwrap()
}

pub(super) const CASES: &[Case] = &[
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
        provide(|said| relate(said, association::APND, &world.deprecated.0.id))
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
            rename(&mut said.objects[ENTRY], &id);
            said.objects[MEMBER] = has_member("set", &id, Membership::Original);
        })
    }),
    case(&ITI42, code::REGISTRY_DUPLICATE_UNIQUE_ID_IN_MESSAGE, "4.2.4.1", |_| register(twice)),
    case(&ITI42, code::UNKNOWN_PATIENT_ID, "3.42.4.1.3", |_| {
        register(|said| all_of(said, "1^^^&1.2.77&ISO"))
    }),
    // An Individual Number, which nobody may keep.
    case(&ITI42, code::REGISTRY_METADATA_ERROR, "patientId has an Individual Number", |_| {
        register(|said| all_of(said, MY_NUMBER))
    }),
    case(&ITI42, code::REGISTRY_METADATA_ERROR, "sourcePatientId has an Individual Number", |_| {
        register(|said| said.objects[ENTRY].set_slot(slot::SOURCE_PATIENT_ID, vec![MY_NUMBER.to_owned()]))
    }),
    case(&ITI41, code::REGISTRY_METADATA_ERROR, "sourcePatientInfo has an Individual Number", |_| {
        let info = vec![format!("PID-3|A1^^^&1.2.3.7&ISO~{MY_NUMBER}")];
        provide(|said| said.objects[ENTRY].set_slot(slot::SOURCE_PATIENT_INFO, info))
    }),
    case(&ITI61, code::REGISTRY_METADATA_ERROR, "registry.patient-id.my-number", |_| {
        register_on_demand(|said| all_of(said, MY_NUMBER))
    }),
    case(&ITI57, code::REGISTRY_METADATA_ERROR, "registry.patient-id.my-number", |world| {
        update(world, Kind::DocumentEntry, |said| all_of(said, MY_NUMBER))
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
        register(|said| relate(said, association::RPLC, &world.deprecated.0.id))
    }),
    case(&ITI42, code::REGISTRY_METADATA_ERROR, "registry.association.ends", |world| {
        register(|said| relate(said, association::RPLC, &world.folder().id))
    }),
    case(&ITI42, code::PATIENT_ID_DOES_NOT_MATCH, "registry.association.patient-id", |world| {
        // Another patient's set puts into the folder what is of the folder's patient.
        let link = association(association::HAS_MEMBER, &world.folder().id, &world.current);
        let held = association(association::HAS_MEMBER, "set", &link.id);
        asking(OTHER_PATIENT, [link, held])
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
        status(&world.deprecated.0.id, codes::APPROVED, codes::DEPRECATED)
    }),
    case(&ITI57, code::REGISTRY_METADATA_ERROR, "4.2.3.2.3", |world| {
        update(world, Kind::DocumentEntry, without_class)
    }),
    case(&ITI57, code::REGISTRY_METADATA_ERROR, "4.2.2", |world| {
        update(world, Kind::DocumentEntry, |said| said.objects.push(association("urn:x", "new", VOID)))
    }),
    case(&ITI57, code::METADATA_UPDATE_OPERATION, "3.57.4.1.3", |world| {
        update(world, Kind::DocumentEntry, |said| {
            said.objects.push(has_member("set", &world.deprecated.0.id, Membership::Reference));
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
    case(&ITI57, code::METADATA_UPDATE, "registry.update.member", |world| {
        update(world, Kind::DocumentEntry, |said| drop(said.objects.remove(MEMBER)))
    }),
    case(&ITI57, code::METADATA_UPDATE, "registry.update.approved", |world| {
        let (entry, document) = &world.deprecated;
        asking(PATIENT, version(entry, document, "new"))
    }),
    case(&ITI57, code::METADATA_UPDATE, "registry.update.same-object", |world| {
        update(world, Kind::DocumentEntry, |said| {
            identify(&mut said.objects[ENTRY], identifier::DE_UNIQUE_ID, "1.2.3.4.5.6");
        })
    }),
    case(&ITI57, code::METADATA_UPDATE, "registry.update.same-object", |world| {
        update(world, Kind::DocumentEntry, |said| {
            // The same logicalID in upper case is the same all the same.
            let [mut again, member] = version(&world.held.objects[ENTRY], &world.document, "again");
            let lid = again.lid.unwrap().to_ascii_uppercase();
            again.lid = Some(lid.replacen("URN:UUID:", "urn:uuid:", 1));
            identify(&mut again, identifier::DE_UNIQUE_ID, &oid());
            said.objects.extend([again, member]);
        })
    }),
    case(&ITI57, code::METADATA_UPDATE, "registry.update.set", |world| {
        let source = world.id(ENTRY);
        asking(PATIENT, [change_of_status(&source, &world.current, codes::APPROVED, codes::DEPRECATED)])
    }),
    case(&ITI57, code::METADATA_UPDATE, "registry.update.status", |world| {
        asking(PATIENT, [association(association::UPDATE_AVAILABILITY_STATUS, "set", &world.current)])
    }),
    case(&ITI57, code::METADATA_UPDATE, "registry.update.status", |world| {
        let change = || change_of_status("set", &world.current, codes::APPROVED, codes::DEPRECATED);
        asking(PATIENT, [change(), change()])
    }),
    case(&ITI57, code::METADATA_UPDATE, "registry.update.status", |world| {
        let set = world.id(SET);
        asking(PATIENT, [change_of_status("set", &set, codes::APPROVED, codes::DEPRECATED)])
    }),
    case(&ITI57, code::METADATA_UPDATE, "another patient than the SubmissionSet", |world| {
        let change = change_of_status("set", &world.current, codes::APPROVED, codes::DEPRECATED);
        asking(OTHER_PATIENT, [change])
    }),
    case(&ITI57, code::METADATA_UPDATE, "another patient than the SubmissionSet", |world| {
        let change = change_of_status("set", &world.in_folder(), codes::APPROVED, codes::DEPRECATED);
        asking(OTHER_PATIENT, [change])
    }),
    case(&ITI57, code::METADATA_UPDATE, "registry.update.association", |world| {
        asking(PATIENT, [association(association::SUBMIT_ASSOCIATION, "set", &world.in_folder())])
    }),
    case(&ITI57, code::METADATA_UPDATE, "the registry has this association already", |world| {
        asking(PATIENT, added(association::HAS_MEMBER, &world.folder().id, &world.id(ENTRY)))
    }),
    case(&ITI57, code::METADATA_UPDATE, "one of its ends is deprecated", |world| {
        asking(PATIENT, added(association::APND, &world.id(ENTRY), &world.deprecated.0.id))
    }),
    case(&ITI57, code::METADATA_UPDATE, "every other association is between entries", |world| {
        asking(PATIENT, added(association::APND, &world.id(ENTRY), &world.folder().id))
    }),
    case(&ITI57, code::REGISTRY_METADATA_ERROR, "assoc.type.known", |world| {
        asking(PATIENT, added("urn:x", &world.id(ENTRY), &world.current))
    }),
    case(&ITI57, code::UNRESOLVED_REFERENCE, "registry.update.association", |world| {
        asking(PATIENT, added(association::APND, &world.id(ENTRY), VOID))
    }),
    case(&ITI57, code::PATIENT_ID_RECONCILIATION, "registry.update.patient-id", |world| {
        asking(OTHER_PATIENT, added(association::APND, &world.id(ENTRY), &world.current))
    }),
    case(&ITI57, code::METADATA_UPDATE_OPERATION, "registry.update.propagation", |world| {
        update(world, Kind::DocumentEntry, |said| {
            said.objects.extend(added(association::APND, "new", &world.current));
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
    case(&ITI92, code::METADATA_ANNOTATION, "registry.update.member", |world| {
        update(world, Kind::DocumentEntry, |said| drop(said.objects.remove(MEMBER)))
    }),
    case(&ITI92, code::OBJECT_TYPE, "registry.update.same-object", |world| {
        update(world, Kind::DocumentEntry, |said| said.objects[ENTRY].lid = Some(world.folder().id.clone()))
    }),
    case(&ITI92, code::UNMODIFIABLE_METADATA, "objectType is not that", |world| {
        update(world, Kind::DocumentEntry, |said| {
            let entry = &mut said.objects[ENTRY];
            entry.object_type = Some(codes::ON_DEMAND.to_owned());
            let stable_only = [slot::CREATION_TIME, slot::HASH, slot::SIZE];
            entry.slots.retain(|one| !stable_only.contains(&one.name.as_str()));
        })
    }),
    case(&ITI92, code::UNMODIFIABLE_METADATA, "repositoryUniqueId", |world| {
        update(world, Kind::DocumentEntry, |said| {
            said.objects[ENTRY].set_slot(slot::REPOSITORY_UNIQUE_ID, vec!["1.2.3.99".to_owned()]);
        })
    }),
    case(&ITI92, code::UNMODIFIABLE_METADATA, "documentAvailability", |world| {
        update(world, Kind::DocumentEntry, |said| {
            said.objects[ENTRY].set_slot(slot::DOCUMENT_AVAILABILITY, vec![codes::OFFLINE.to_owned()]);
        })
    }),
    case(&ITI92, code::UNMODIFIABLE_METADATA, "registry.update.unmodifiable", |world| {
        status(&world.current, codes::APPROVED, codes::DEPRECATED)
    }),
    case(&ITI92, code::UNKNOWN_PATIENT_ID, "3.42.4.1.3", |world| {
        update(world, Kind::DocumentEntry, |said| all_of(said, "1^^^&1.2.77&ISO"))
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
