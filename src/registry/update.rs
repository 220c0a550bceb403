//! Metadata Update (XDS Metadata Update supplement: 3.57.4.1.3; RMU supplement: 3.92.4.1.3): a submission that makes new
//! versions of entries and folders, changes statuses, and adds associations. What it asks for is planned, with everything
//! that is wrong with it; a plan without errors is carried out ([`super::revise`]). Runs in the writer.
//!
//! All versions of an object share its logical id, which is the first one's entryUUID. Older ones are Deprecated and, in
//! the store, superseded: queries give them only where somebody asks for them (`$MetadataLevel` 2, or their entryUUID).

use std::collections::{HashMap, HashSet};

use super::prepare::Prepared;
use super::rows::{self, Link, Stored};
use super::rules::{self, End, References, Rule, kind_name, rules};
use super::schema::{Availability, TenantNumber};
use super::{RegistrySettings, my_numbers};
use crate::metadata::codes::slot;
use crate::metadata::views::{DocumentEntry, Folder, awaits_assembly};
use crate::metadata::{Association, Kind, Object, Relation};
use crate::store::StoreError;
use crate::store::sql::Connection;
use crate::transactions::errors::{RegistryError, code};

rules! {
    SET "registry.update.set" "XDS Metadata Update: 3.57.4.1.3.1"
        "what asks for a change leads from the SubmissionSet";
    LOGICAL_ID "registry.update.logical-id" "XDS Metadata Update: 3.57.4.1.3.3.1"
        "a new version says the logicalID of an object that the registry has, and has an entryUUID of its own";
    MEMBER "registry.update.member" "XDS Metadata Update: 3.57.4.1.3.3.1"
        "a HasMember leads from the SubmissionSet to a new version";
    VERSION "registry.update.previous-version" "XDS Metadata Update: 3.57.4.1.3.3.1"
        "PreviousVersion is the latest version that the registry has";
    SAME "registry.update.same-object" "XDS Metadata Update: 3.57.4.1.3.3.1"
        "all versions are of one kind, objectType, uniqueId, hash and size (a document that is assembled late gets the last \
         two by ITI-57, once), and a submission makes one of them";
    APPROVED "registry.update.approved" "XDS Metadata Update: 3.57.4.1.3.3.1"
        "in ITI-57, the latest version is approved";
    UNMODIFIABLE "registry.update.unmodifiable" "RMU: 3.92.4.1.3"
        "ITI-92 makes new versions of entries, with the same repositoryUniqueId, sourcePatientId and documentAvailability";
    PROPAGATION "registry.update.propagation" "XDS Metadata Update: 3.57.4.1.3.3.1"
        "associations are added to a new version only where it takes over none; in ITI-92 it does";
    STATUS "registry.update.status" "XDS Metadata Update: 3.57.4.1.3.3.2"
        "a change of status says the status that is left and the one that is wanted, of the latest version of an entry, a \
         folder or an association between such";
    SUBMIT "registry.update.association" "XDS Metadata Update: 3.57.4.1.3.3.5"
        "an association that is added is one that a registration could have, between approved objects, and is not there yet";
    OPERATION "registry.update.operation" "XDS Metadata Update: 3.57.4.1.3.1"
        "everything in the submission belongs to an operation of Metadata Update";
    PATIENT "registry.update.patient-id" "XDS Metadata Update: 3.57.4.1.3.3"
        "after the update, both ends of every association are of one patient; ITI-92 changes no patient";
}

/// Which transaction asks for an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// ITI-57: anything that Metadata Update knows.
    Full,
    /// ITI-92: new versions of entries, of which some attributes stay as they are.
    Restricted,
}

impl Update {
    /// The code of ITI-57, or that of ITI-92.
    fn pick(self, full: &'static str, restricted: &'static str) -> &'static str {
        match self {
            Self::Full => full,
            Self::Restricted => restricted,
        }
    }
}

/// A new version of an object.
pub(super) struct Version {
    /// Its place in the submission.
    pub(super) place: usize,
    /// What it is a version of.
    pub(super) latest: Stored,
    /// Whether it takes over associations.
    pub(super) propagates: bool,
}

/// An object whose status changes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// In the submission: its place.
    New(usize),
    /// In the registry: its number.
    Stored(i64),
}

/// What a submission asks for.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) versions: Vec<Version>,
    pub(super) statuses: Vec<(Target, Availability)>,
    /// Associations of the registry that a new version takes over.
    pub(super) propagated: Vec<Link>,
    /// Entries that a submitted association replaces, by number.
    pub(super) replaced: Vec<i64>,
    /// Folders of the registry whose content changes, by number.
    pub(super) folders: HashSet<i64>,
}

impl Plan {
    /// The new version of an object of the registry.
    pub(super) fn version_of(&self, number: i64) -> Option<&Version> {
        self.versions.iter().find(|version| version.latest.object == number)
    }
}

/// Plans an update; with errors, nothing of it may be carried out.
pub(super) fn plan(
    connection: &Connection,
    tenant: TenantNumber,
    settings: &RegistrySettings,
    update: Update,
    objects: &[Prepared],
    references: &References<'_>,
) -> Result<(Plan, Vec<RegistryError>), StoreError> {
    let mut planning = Planning {
        connection,
        tenant,
        update,
        objects,
        references,
        set: objects.iter().find(|new| new.object.kind == Kind::SubmissionSet),
        plan: Plan::default(),
        errors: Vec::new(),
    };
    rules::unknown_patients(settings, references, &mut planning.errors);
    for (place, new) in objects.iter().enumerate() {
        rules::keys(new, &mut planning.errors);
        my_numbers::check(&settings.domains, new, &mut planning.errors);
        rules::used_id(place, references, &mut planning.errors);
        if new.object.kind == Kind::SubmissionSet {
            rules::used_unique_id(new, references, &mut planning.errors);
        }
    }
    for (place, new) in objects.iter().enumerate() {
        if matches!(new.object.kind, Kind::DocumentEntry | Kind::Folder) {
            planning.version(place, new)?;
        }
    }
    let mut submitted = HashSet::new();
    for new in objects {
        if let Some(association) = &new.object.association {
            planning.trigger(new, association, &mut submitted)?;
        }
    }
    planning.unplanned(&submitted);
    planning.propagate()?;
    Ok((planning.plan, planning.errors))
}

struct Planning<'a> {
    connection: &'a Connection,
    tenant: TenantNumber,
    update: Update,
    objects: &'a [Prepared],
    references: &'a References<'a>,
    set: Option<&'a Prepared>,
    plan: Plan,
    errors: Vec<RegistryError>,
}

impl<'a> Planning<'a> {
    fn wrong(&mut self, code: &'static str, rule: &Rule, new: &Prepared, problem: &str) {
        let object = format!("{} {:?}", kind_name(new.object.kind), new.submitted);
        self.errors.push(rule.broken(code, &object, problem));
    }

    /// A new version of an entry or folder.
    fn version(&mut self, place: usize, new: &'a Prepared) -> Result<(), StoreError> {
        let object = &new.object;
        if self.update == Update::Restricted && object.kind != Kind::DocumentEntry {
            self.wrong(code::OBJECT_TYPE, &UNMODIFIABLE, new, "only entries can be updated by ITI-92");
            return Ok(());
        }
        let lid = match object.lid.as_deref() {
            Some(lid) if lid.starts_with("urn:uuid:") && lid != object.id => lid,
            _ => {
                let code = self.update.pick(code::METADATA_UPDATE, code::INVALID_REQUEST);
                let problem = "its lid is not the logicalID, a UUID, of an object that is to be updated";
                self.wrong(code, &LOGICAL_ID, new, problem);
                return Ok(());
            }
        };
        let Some(member) = self.member(object) else {
            let code = self.update.pick(code::METADATA_UPDATE, code::METADATA_ANNOTATION);
            self.wrong(code, &MEMBER, new, "no HasMember leads to it from the SubmissionSet");
            return Ok(());
        };
        let Some(latest) = Stored::versions(self.connection, self.tenant, lid)?.pop() else {
            self.wrong(
                code::METADATA_VERSION,
                &LOGICAL_ID,
                new,
                "the registry has no object of that logicalID",
            );
            return Ok(());
        };
        if self.plan.version_of(latest.object).is_some() {
            let code = self.update.pick(code::METADATA_UPDATE, code::INVALID_REQUEST);
            self.wrong(code, &SAME, new, "another object of the submission is a new version of the same one");
            return Ok(());
        }
        match member.slot(slot::PREVIOUS_VERSION) {
            [previous] if rows::version_number(Some(previous)) == Some(latest.version) => {}
            given => {
                let number = latest.version;
                let problem =
                    format!("PreviousVersion is {given:?}, the registry's latest version is {number}");
                self.wrong(code::METADATA_VERSION, &VERSION, new, &problem);
            }
        }
        let propagates =
            !member.slot_value(slot::ASSOCIATION_PROPAGATION).is_some_and(|v| v.eq_ignore_ascii_case("no"));
        if self.update == Update::Restricted && !propagates {
            self.wrong(code::METADATA_ANNOTATION, &PROPAGATION, new, "AssociationPropagation is no");
        }
        self.check_same(new, &latest)?;
        self.plan.versions.push(Version { place, latest, propagates });
        Ok(())
    }

    /// The HasMember from the set to an object.
    fn member(&self, object: &Object) -> Option<&'a Object> {
        let set = self.set?;
        let is_it = |association: &Association| {
            Relation::parse(&association.association_type) == Some(Relation::HasMember)
                && association.source == set.object.id
                && association.target == object.id
        };
        let objects = self.objects.iter().map(|new| &new.object);
        objects.into_iter().find(|object| object.association.as_ref().is_some_and(is_it))
    }

    /// What must not differ between versions.
    fn check_same(&mut self, new: &'a Prepared, latest: &Stored) -> Result<(), StoreError> {
        if latest.kind != new.object.kind {
            let code = self.update.pick(code::METADATA_UPDATE, code::OBJECT_TYPE);
            let problem = format!("what has this logicalID is a {}", kind_name(latest.kind));
            self.wrong(code, &SAME, new, &problem);
            return Ok(());
        }
        if self.update == Update::Full && latest.availability != Availability::Approved {
            self.wrong(code::METADATA_UPDATE, &APPROVED, new, "the latest version is deprecated");
        }
        let old = rows::object(self.connection, latest.object)?;
        if unique_id(&old) != unique_id(&new.object) {
            let code = self.update.pick(code::METADATA_UPDATE, code::METADATA_IDENTIFIER);
            self.wrong(code, &SAME, new, "its uniqueId is not that of the other versions");
        }
        let Some((old, entry)) = DocumentEntry::of(&old).zip(DocumentEntry::of(&new.object)) else {
            return Ok(());
        };
        if old.0.object_type != entry.0.object_type {
            let code = self.update.pick(code::METADATA_UPDATE, code::UNMODIFIABLE_METADATA);
            self.wrong(code, &SAME, new, "its objectType is not that of the other versions");
        }
        let is_assembled = self.update == Update::Full && awaits_assembly(old.hash(), old.size());
        if !is_assembled && !same_hash(old.hash(), entry.hash()) {
            let problem = "its hash is not that of the other versions";
            self.wrong(code::NON_IDENTICAL_HASH, &SAME, new, problem);
        }
        if !is_assembled && old.size() != entry.size() {
            let problem = "its size is not that of the other versions";
            self.wrong(code::NON_IDENTICAL_SIZE, &SAME, new, problem);
        }
        if self.update == Update::Restricted {
            for (name, slot) in [
                ("repositoryUniqueId", slot::REPOSITORY_UNIQUE_ID),
                ("sourcePatientId", slot::SOURCE_PATIENT_ID),
                ("documentAvailability", slot::DOCUMENT_AVAILABILITY),
            ] {
                if old.0.slot(slot) != entry.0.slot(slot) {
                    let problem = format!("{name} cannot be changed by ITI-92");
                    self.wrong(code::UNMODIFIABLE_METADATA, &UNMODIFIABLE, new, &problem);
                }
            }
            if latest.patient != new.patient {
                let problem = "patientId cannot be changed by ITI-92";
                self.wrong(code::PATIENT_ID_RECONCILIATION, &PATIENT, new, problem);
            }
        }
        Ok(())
    }

    /// An association that asks for something.
    fn trigger(
        &mut self,
        new: &'a Prepared,
        association: &'a Association,
        submitted: &mut HashSet<&'a str>,
    ) -> Result<(), StoreError> {
        let relation = Relation::parse(&association.association_type);
        let Some(relation) = relation.filter(|relation| relation.is_update()) else { return Ok(()) };
        if self.update == Update::Restricted {
            let problem = "statuses and associations cannot be changed by ITI-92";
            self.wrong(code::UNMODIFIABLE_METADATA, &UNMODIFIABLE, new, problem);
            return Ok(());
        }
        if self.set.is_none_or(|set| association.source != set.object.id) {
            self.wrong(code::METADATA_UPDATE, &SET, new, "its sourceObject is not the SubmissionSet");
            return Ok(());
        }
        let Some(target) = self.references.get(&association.target) else {
            let problem = "its targetObject is neither in the submission nor in the registry";
            self.wrong(code::UNRESOLVED_REFERENCE, &OPERATION, new, problem);
            return Ok(());
        };
        match (relation, target) {
            (Relation::SubmitAssociation, End::New(_, inner)) if inner.object.association.is_some() => {
                submitted.insert(&inner.object.id);
                self.submitted(inner)
            }
            (Relation::SubmitAssociation, _) => {
                let problem = "its targetObject is no association of the submission";
                self.wrong(code::METADATA_UPDATE, &SUBMIT, new, problem);
                Ok(())
            }
            (_, target) => self.status(new, target),
        }
    }

    /// An UpdateAvailabilityStatus.
    fn status(&mut self, new: &'a Prepared, target: End<'a>) -> Result<(), StoreError> {
        let status = |name| match new.object.slot(name) {
            [urn] => Availability::parse(urn),
            _ => None,
        };
        let (Some(from), Some(to)) = (status(slot::ORIGINAL_STATUS), status(slot::NEW_STATUS)) else {
            let problem = "OriginalStatus and NewStatus must each be there once, as Approved or Deprecated";
            self.wrong(code::METADATA_UPDATE, &STATUS, new, problem);
            return Ok(());
        };
        // Where a new version comes with the same submission, the status is the new version's.
        let version = match target {
            End::New(place, _) => self.plan.versions.iter().find(|version| version.place == place),
            End::Stored(stored) => self.plan.version_of(stored.object),
        };
        let (changes, current) = match (version, target) {
            (Some(version), _) => (Target::New(version.place), version.latest.availability),
            (None, End::Stored(stored)) => {
                if let Some(problem) = self.not_changeable(stored)? {
                    self.wrong(code::METADATA_UPDATE, &STATUS, new, problem);
                    return Ok(());
                }
                (Target::Stored(stored.object), stored.availability)
            }
            (None, End::New(..)) => {
                self.wrong(
                    code::METADATA_UPDATE,
                    &STATUS,
                    new,
                    "its targetObject is new, and has no status yet",
                );
                return Ok(());
            }
        };
        if current != from {
            let problem = "OriginalStatus is not the status that the object has";
            self.wrong(code::METADATA_UPDATE, &STATUS, new, problem);
        }
        if self.plan.statuses.iter().any(|(planned, _)| *planned == changes) {
            self.wrong(code::METADATA_UPDATE, &STATUS, new, "another change is of the same object");
        }
        self.plan.statuses.push((changes, to));
        Ok(())
    }

    /// Why the status of an object of the registry cannot be changed.
    fn not_changeable(&self, stored: &Stored) -> Result<Option<&'static str>, StoreError> {
        if stored.availability == Availability::Superseded {
            return Ok(Some("its targetObject is not the latest version"));
        }
        Ok(match stored.kind {
            Kind::SubmissionSet => Some("a SubmissionSet is always Approved"),
            Kind::Association => {
                let link = Link::of(self.connection, stored.object)?;
                match Stored::by_number(self.connection, self.tenant, link.source)? {
                    Some(source) if source.kind == Kind::SubmissionSet => {
                        Some("what a SubmissionSet holds, it holds for ever")
                    }
                    source => self.of_another_patient(source.and_then(|source| source.patient).as_deref()),
                }
            }
            Kind::DocumentEntry | Kind::Folder => self.of_another_patient(stored.patient.as_deref()),
        })
    }

    fn of_another_patient(&self, patient: Option<&str>) -> Option<&'static str> {
        let sets = self.set.and_then(|set| set.patient.as_deref());
        (patient != sets).then_some("its targetObject is of another patient than the SubmissionSet")
    }

    /// An association that a SubmitAssociation names.
    fn submitted(&mut self, inner: &'a Prepared) -> Result<(), StoreError> {
        let Some(association) = &inner.object.association else { return Ok(()) };
        let relation =
            Relation::parse(&association.association_type).filter(|relation| !relation.is_update());
        let Some(relation) = relation else {
            let problem =
                format!("{:?} is no type of association that can be added", association.association_type);
            self.wrong(code::REGISTRY_METADATA_ERROR, &SUBMIT, inner, &problem);
            return Ok(());
        };
        let (source, target) =
            (self.references.get(&association.source), self.references.get(&association.target));
        let (Some(source), Some(target)) = (source, target) else {
            let problem = "one of its ends is neither in the submission nor in the registry";
            self.wrong(code::UNRESOLVED_REFERENCE, &SUBMIT, inner, problem);
            return Ok(());
        };
        let wanted = match relation {
            Relation::HasMember => (Kind::Folder, Kind::DocumentEntry),
            _ => (Kind::DocumentEntry, Kind::DocumentEntry),
        };
        if (source.kind(), target.kind()) != wanted {
            let problem = "a folder holds entries, and every other association is between entries";
            self.wrong(code::METADATA_UPDATE, &SUBMIT, inner, problem);
            return Ok(());
        }
        if relation == Relation::IsSnapshotOf && (source.on_demand() || !target.on_demand()) {
            let problem = "a snapshot is stable, and of an on-demand entry";
            self.wrong(code::METADATA_UPDATE, &SUBMIT, inner, problem);
        }
        for end in [source, target] {
            if end.is_deprecated() {
                self.wrong(code::METADATA_UPDATE, &SUBMIT, inner, "one of its ends is deprecated");
            }
            // CP-ITI-1029.
            let taken_over = |version: &Version| {
                matches!(end, End::New(place, _) if place == version.place) && version.propagates
            };
            if self.plan.versions.iter().any(taken_over) {
                let problem = "one of its ends is a new version that takes over associations by itself";
                self.wrong(code::METADATA_UPDATE_OPERATION, &PROPAGATION, inner, problem);
            }
        }
        let set = self.set.and_then(|set| set.patient.as_deref());
        if source.patient() != target.patient() || source.patient() != set {
            let problem = "its ends and the SubmissionSet are of different patients";
            self.wrong(code::PATIENT_ID_RECONCILIATION, &PATIENT, inner, problem);
        }
        if let (End::Stored(source), End::Stored(target)) = (source, target) {
            let links = Link::at(self.connection, self.tenant, source.object)?;
            let is_there = |link: &Link| {
                link.target == target.object && link.relation == Some(relation as i64) && link.approved
            };
            if links.iter().any(is_there) {
                self.wrong(
                    code::METADATA_UPDATE,
                    &SUBMIT,
                    inner,
                    "the registry has this association already",
                );
            }
        }
        match (relation, source, target) {
            (Relation::HasMember, End::Stored(folder), _) => drop(self.plan.folders.insert(folder.object)),
            (relation, _, End::Stored(original)) if relation.replaces() => {
                self.plan.replaced.push(original.object);
            }
            _ => {}
        }
        Ok(())
    }

    /// Whatever of the submission asks for nothing that is known.
    fn unplanned(&mut self, submitted: &HashSet<&str>) {
        let Some(set) = self.set else { return };
        for new in self.objects {
            let Some(association) = &new.object.association else { continue };
            let relation = Relation::parse(&association.association_type);
            let is_known = match relation {
                Some(relation) if relation.is_update() => true,
                Some(Relation::HasMember) if association.source == set.object.id => {
                    matches!(self.references.get(&association.target), Some(End::New(_, target))
                        if matches!(target.object.kind, Kind::DocumentEntry | Kind::Folder))
                }
                _ => submitted.contains(new.object.id.as_str()),
            };
            if !is_known {
                let code = self.update.pick(code::METADATA_UPDATE_OPERATION, code::UNMODIFIABLE_METADATA);
                self.wrong(code, &OPERATION, new, "it belongs to no operation of Metadata Update");
            }
        }
    }

    /// The associations that new versions take over: those of the version before that are approved, but not the
    /// membership in SubmissionSets, which is of what was submitted then.
    fn propagate(&mut self) -> Result<(), StoreError> {
        let mut found: HashMap<i64, Link> = HashMap::new();
        for version in self.plan.versions.iter().filter(|version| version.propagates) {
            for link in Link::at(self.connection, self.tenant, version.latest.object)? {
                let is_update = link
                    .relation
                    .is_none_or(|relation| relation >= Relation::UpdateAvailabilityStatus as i64);
                if link.approved && !is_update {
                    found.insert(link.number, link);
                }
            }
        }
        let mut found: Vec<_> = found.into_values().collect();
        found.sort_unstable_by_key(|link| link.number);
        for link in found {
            self.take_over(link)?;
        }
        Ok(())
    }

    fn take_over(&mut self, link: Link) -> Result<(), StoreError> {
        let mut patients = Vec::new();
        for end in [link.source, link.target] {
            match self.plan.version_of(end) {
                // The other end is left by its own new version.
                Some(version) if !version.propagates => return Ok(()),
                Some(version) => {
                    patients.push(self.objects.get(version.place).and_then(|new| new.patient.clone()));
                }
                None => {
                    let Some(other) = Stored::by_number(self.connection, self.tenant, end)? else {
                        return Ok(());
                    };
                    if other.kind == Kind::SubmissionSet || other.availability == Availability::Superseded {
                        return Ok(());
                    }
                    patients.push(other.patient);
                }
            }
        }
        let updated = [link.source, link.target].into_iter().find_map(|end| self.plan.version_of(end));
        if patients.first() != patients.last()
            && let Some(new) = updated.and_then(|version| self.objects.get(version.place))
        {
            let problem =
                "an association would lead to another patient's object; AssociationPropagation may be no";
            self.wrong(code::PATIENT_ID_RECONCILIATION, &PATIENT, new, problem);
        }
        if link.relation == Some(Relation::HasMember as i64) && self.plan.version_of(link.source).is_none() {
            self.plan.folders.insert(link.source);
        }
        self.plan.propagated.push(link);
        Ok(())
    }
}

fn unique_id(object: &Object) -> Option<&str> {
    match object.kind {
        Kind::DocumentEntry => DocumentEntry(object).unique_id(),
        Kind::Folder => Folder(object).unique_id(),
        Kind::SubmissionSet | Kind::Association => None,
    }
}

fn same_hash(one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        (one, other) => one.is_none() && other.is_none(),
    }
}
