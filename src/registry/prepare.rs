//! A submission made ready to be stored: symbolic ids replaced everywhere, what the registry says itself filled in
//! (ITI TF-2: 3.42.4.1.3.1, ITI TF-3: 4.2.3.1.5). Nothing here asks the store.

use std::collections::HashMap;

use super::fragment::Fragment;
use super::rows;
use super::schema::Values;
use crate::ids::EntryUuid;
use crate::limits;
use crate::metadata::views::{DocumentEntry, Folder, SubmissionSet, association};
use crate::metadata::{Kind, Object, Submission, codes};
use crate::wire::aside;

/// An object of a submission that is ready.
pub(super) struct Prepared {
    /// With its own id everywhere.
    pub(super) object: Object,
    /// The id under which the sender knows it: errors name this one.
    pub(super) submitted: String,
    /// Its patient as a canonical CX; None for associations.
    pub(super) patient: Option<String>,
    /// As it is stored: made here, since the writer has enough to do.
    pub(super) fragment: Fragment,
    /// Its attributes that may have several values, as queries find them.
    pub(super) values: Vec<(Values, String)>,
}

impl Prepared {
    /// uniqueId, of entries, sets and folders.
    pub(super) fn unique_id(&self) -> Option<&str> {
        match self.object.kind {
            Kind::DocumentEntry => DocumentEntry(&self.object).unique_id(),
            Kind::SubmissionSet => SubmissionSet(&self.object).unique_id(),
            Kind::Folder => Folder(&self.object).unique_id(),
            Kind::Association => None,
        }
    }
}

/// What the objects of a submission are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holding {
    /// New ones: the logical id of each is its own id.
    New,
    /// New versions of entries and folders, which say their logical id.
    Versions,
}

/// Prepares all objects of a submission, those of a large one aside. `now` is a DTM with seconds.
pub(super) fn prepare(submission: Submission, holding: Holding, now: &str) -> Vec<Prepared> {
    let objects = submission.objects.len();
    aside::beyond(limits::INLINE_OBJECTS, objects, || prepare_all(submission, holding, now))
}

fn prepare_all(submission: Submission, holding: Holding, now: &str) -> Vec<Prepared> {
    let ids: HashMap<String, EntryUuid> =
        submission.objects.iter().map(|object| (object.id.clone(), own_id(&object.id))).collect();
    submission.objects.into_iter().map(|object| prepare_object(object, holding, &ids, now)).collect()
}

/// An association that the registry makes itself.
pub(super) fn membership(source: &str, target: &str) -> Prepared {
    made(association(codes::association::HAS_MEMBER, source, target))
}

/// An association of the registry once more, with an id of its own.
pub(super) fn anew(mut object: Object) -> Prepared {
    object.id = EntryUuid::random().as_str().to_owned();
    made(object)
}

/// A package or entry that the registry makes itself.
pub(super) fn made(mut object: Object) -> Prepared {
    for classification in &mut object.classifications {
        classification.id = Some(EntryUuid::random().as_str().to_owned());
        classification.classified_object = Some(object.id.clone());
    }
    for identifier in &mut object.external_identifiers {
        identifier.id = Some(EntryUuid::random().as_str().to_owned());
        identifier.registry_object = Some(object.id.clone());
    }
    fill(&mut object);
    let submitted = object.id.clone();
    ready(object, submitted)
}

/// The next version of an object of the registry, for a patient.
pub(super) fn next_version(mut object: Object, patient: &str) -> Prepared {
    let (lid, version) = (object.lid.take(), rows::version_number(object.version.as_deref()));
    object.id = EntryUuid::random().as_str().to_owned();
    rows::set_patient(&mut object, patient);
    let mut next = made(object);
    next.object.lid = lid;
    next.object.version = Some((version.unwrap_or(1) + 1).to_string());
    next.fragment = Fragment::of(&next.object);
    next
}

/// The entryUUID that an object has or gets.
fn own_id(submitted: &str) -> EntryUuid {
    EntryUuid::parse(submitted).unwrap_or_else(|_| EntryUuid::random())
}

fn prepare_object(
    mut object: Object,
    holding: Holding,
    ids: &HashMap<String, EntryUuid>,
    now: &str,
) -> Prepared {
    let refer = |id: &mut String| match ids.get(id.as_str()) {
        Some(new) => new.as_str().clone_into(id),
        // An object in the registry, or nothing: the rules see to that.
        None => {
            if let Ok(known) = EntryUuid::parse(id) {
                known.as_str().clone_into(id);
            }
        }
    };
    let submitted = object.id.clone();
    refer(&mut object.id);
    if let Some(association) = &mut object.association {
        refer(&mut association.source);
        refer(&mut association.target);
    }
    for classification in &mut object.classifications {
        replace_symbolic(&mut classification.id);
        classification.classified_object = Some(object.id.clone());
    }
    for identifier in &mut object.external_identifiers {
        replace_symbolic(&mut identifier.id);
        identifier.registry_object = Some(object.id.clone());
    }
    if object.kind == Kind::Folder {
        object.set_slot(codes::slot::LAST_UPDATE_TIME, vec![now.to_owned()]);
    }
    let lid = object.lid.take();
    fill(&mut object);
    if holding == Holding::Versions && matches!(object.kind, Kind::DocumentEntry | Kind::Folder) {
        object.lid = lid.map(|lid| lid.to_ascii_lowercase());
    }
    ready(object, submitted)
}

/// An object that will not change any more.
fn ready(object: Object, submitted: String) -> Prepared {
    let (fragment, values) = (Fragment::of(&object), rows::values(&object));
    Prepared { submitted, patient: patient_of(&object), fragment, values, object }
}

/// An object's patient as a canonical CX.
fn patient_of(object: &Object) -> Option<String> {
    let patient = match object.kind {
        Kind::DocumentEntry => DocumentEntry(object).patient(),
        Kind::SubmissionSet => SubmissionSet(object).patient(),
        Kind::Folder => Folder(object).patient(),
        Kind::Association => None,
    };
    patient.map(|id| id.to_cx())
}

/// What the registry says of every object, whatever was sent. `home` is the actors' to add.
fn fill(object: &mut Object) {
    object.home = None;
    object.lid = Some(object.id.clone());
    object.version = Some("1".to_owned());
    object.status = Some(codes::APPROVED.to_owned());
}

/// Nested objects need an id of their own, and nothing refers to it.
fn replace_symbolic(id: &mut Option<String>) {
    match id {
        Some(known) if EntryUuid::parse(known).is_ok() => {}
        _ => *id = Some(EntryUuid::random().as_str().to_owned()),
    }
}
