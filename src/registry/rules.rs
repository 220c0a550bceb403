//! The rules of ITI TF-2: 3.42.4.1.3 that need the registry: what a submission may refer to, repeat and change. All
//! violations are found, not the first. Runs in the writer, so that nothing changes between the check and the commit.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::patients::{KnownBy, Standing};
use super::prepare::Prepared;
use super::rows::Stored;
use super::schema::{Availability, TenantNumber};
use super::{RegistrySettings, my_numbers};
use crate::limits;
use crate::metadata::views::DocumentEntry;
use crate::metadata::{Association, Kind, Relation};
use crate::store::StoreError;
use crate::store::sql::{Asked, Connection};
use crate::transactions::errors::{RegistryError, code};

/// A rule that only the registry can check, as codeContext names it. None can be turned off: what one refuses would leave
/// the registry with references into nothing, or with two truths.
#[derive(Debug)]
pub struct Rule {
    /// Its stable name.
    pub id: &'static str,
    /// Where the Technical Framework or a supplement has it.
    pub section: &'static str,
    /// What it asks for, as a sentence without its end.
    pub text: &'static str,
}

impl Rule {
    /// What a peer is told: what is wrong, by which rule, with which object.
    pub(super) fn broken(&self, code: &'static str, object: &str, problem: &str) -> RegistryError {
        let Self { id, section, .. } = self;
        RegistryError::error(code, format!("{problem} ({id}; {section}): {object}"))
    }
}

macro_rules! rules {
    ($($name:ident $id:literal $section:literal $text:literal;)*) => {
        $(const $name: crate::registry::rules::Rule =
            crate::registry::rules::Rule { id: $id, section: $section, text: $text };)*
        /// The rules of this room.
        pub(super) const RULES: &[crate::registry::rules::Rule] = &[$($name),*];
    };
}
pub(super) use rules;
rules! {
    ID_EXISTS "registry.entry-uuid.exists" "ITI TF-2: 3.42.4.1.3.1"
        "an entryUUID that is submitted is no other object's, in the submission or in the registry";
    KEY "registry.key.length" "ITI TF-3: 4.2.3.1"
        "what objects are found by fits a database's keys: identifiers have at most 1,024 bytes, codes with their scheme and \
         names of authors 2,560, and none has a NUL";
    PATIENT_KNOWN "registry.patient-id.known" "ITI TF-2: 3.42.4.1.3.3"
        "a patient is of an assigning authority that the registry serves, known to it where it is fed, and not merged away";
    UNIQUE_ID "registry.unique-id.unused" "ITI TF-2: 3.42.4.1.3.3"
        "the uniqueId of a SubmissionSet or folder is no other object's; an entry's is no set's and no folder's";
    SAME_DOCUMENT "registry.unique-id.same-document" "ITI TF-2: 3.42.4.1.3.3"
        "entries with one uniqueId are all stable or all on-demand, and of one hash and size";
    REFERENCE "registry.association.reference" "ITI TF-2: 3.42.4.1.3.5"
        "both ends of an association are in the submission or in the registry, where its type wants them";
    RELATION "registry.association.type" "ITI TF-3: 4.2.2"
        "an association is of a type that registries keep";
    ENDS "registry.association.ends" "ITI TF-3: 4.2.2"
        "the ends of an association are of the kinds that its type has";
    DEPRECATED "registry.association.deprecated" "ITI TF-2: 3.42.4.1.3.5"
        "what an association leads to is approved, a folder into which something is put too, and nothing replaces it at the \
         same time";
    ONE_PATIENT "registry.association.patient-id" "ITI TF-2: 3.42.4.1.3.5"
        "both ends of an association between entries are of one patient; so are a folder, what is put into it and the \
         SubmissionSet that does so";
}

/// One end of an association.
#[derive(Clone, Copy)]
pub(super) enum End<'a> {
    /// In the submission: its place.
    New(usize, &'a Prepared),
    /// In the registry.
    Stored(&'a Stored),
}

impl End<'_> {
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::New(_, new) => new.object.kind,
            Self::Stored(stored) => stored.kind,
        }
    }
    pub(super) fn patient(&self) -> Option<&str> {
        match self {
            Self::New(_, new) => new.patient.as_deref(),
            Self::Stored(stored) => stored.patient.as_deref(),
        }
    }
    pub(super) fn on_demand(self) -> bool {
        match self {
            Self::New(_, new) => DocumentEntry::of(&new.object).is_some_and(DocumentEntry::is_on_demand),
            Self::Stored(stored) => stored.on_demand,
        }
    }
    pub(super) fn is_deprecated(self) -> bool {
        matches!(self, Self::Stored(stored) if stored.availability != Availability::Approved)
    }
}

/// What the objects of a submission refer to, and what the registry knows of them.
pub(super) struct References<'a> {
    objects: &'a [Prepared],
    new: HashMap<&'a str, usize>,
    /// Objects of the registry whose entryUUID is named or given.
    stored: HashMap<String, Stored>,
    /// Objects of the registry with a uniqueId that is given.
    same_unique_id: HashMap<String, Vec<Stored>>,
    patients: HashMap<String, Standing>,
}

/// [`References`] that were asked for.
pub(super) struct Resolving<'a, 'c> {
    objects: &'a [Prepared],
    new: HashMap<&'a str, usize>,
    stored: Asked<'c>,
    same_unique_id: Asked<'c>,
    patients: Asked<'c>,
}

impl<'a> References<'a> {
    /// Asks for everything at once.
    pub(super) fn ask<'c>(
        connection: &'c Connection,
        tenant: TenantNumber,
        objects: &'a [Prepared],
    ) -> Result<Resolving<'a, 'c>, StoreError> {
        let new = objects.iter().enumerate().map(|(place, new)| (new.object.id.as_str(), place)).collect();
        let associations = objects.iter().filter_map(|new| new.object.association.as_ref());
        let named = associations.flat_map(|association| [&association.source, &association.target]);
        let ids: BTreeSet<&str> =
            objects.iter().map(|new| &new.object.id).chain(named).map(String::as_str).collect();
        let unique_ids: BTreeSet<&str> = objects.iter().filter_map(Prepared::unique_id).collect();
        let owned = |texts: BTreeSet<&str>| texts.into_iter().map(str::to_owned).collect();
        Ok(Resolving {
            objects,
            new,
            stored: Stored::ask_ids(connection, tenant, ids.into_iter())?,
            same_unique_id: Stored::ask_unique_ids(connection, tenant, owned(unique_ids))?,
            patients: Standing::ask(connection, tenant, owned(patients(objects)))?,
        })
    }
    /// The objects in the registry that are named, by entryUUID.
    pub(super) fn stored(&self) -> impl Iterator<Item = (&str, &Stored)> {
        self.stored.iter().map(|(id, stored)| (id.as_str(), stored))
    }
    /// What an id names, if anything.
    pub(super) fn get(&self, id: &str) -> Option<End<'_>> {
        match self.new.get(id) {
            Some(&place) => self.objects.get(place).map(|new| End::New(place, new)),
            None => self.stored.get(id).map(End::Stored),
        }
    }
}

impl<'a> Resolving<'a, '_> {
    /// What the registry knows.
    pub(super) fn answer(self, known_by: KnownBy) -> Result<References<'a>, StoreError> {
        Ok(References {
            objects: self.objects,
            new: self.new,
            stored: Stored::by_ids(self.stored)?,
            same_unique_id: Stored::by_unique_ids(self.same_unique_id)?,
            patients: Standing::of_all(self.patients, known_by)?,
        })
    }
}

/// The patients of a submission.
pub(super) fn patients(objects: &[Prepared]) -> BTreeSet<&str> {
    objects.iter().filter_map(|new| new.patient.as_deref()).collect()
}

/// Checks a submission against the registry; an empty list means that it may be stored.
pub(super) fn check(
    settings: &RegistrySettings,
    objects: &[Prepared],
    references: &References<'_>,
) -> Vec<RegistryError> {
    let mut errors = Vec::new();
    unknown_patients(settings, references, &mut errors);
    let set = objects.iter().find(|new| new.object.kind == Kind::SubmissionSet);
    let of_set = set.and_then(|set| set.patient.as_deref());
    for (place, new) in objects.iter().enumerate() {
        keys(new, &mut errors);
        my_numbers::check(&settings.domains, new, &mut errors);
        used_id(place, references, &mut errors);
        used_unique_id(new, references, &mut errors);
        if let Some(association) = &new.object.association {
            check_association(new, association, of_set, references, &mut errors);
        }
    }
    replaced_meanwhile(objects, &mut errors);
    errors
}

/// The entryUUID of the object at a place is no other object's, in the registry or in the submission: whoever turns the
/// metadata rules off has that to lean on.
pub(super) fn used_id(place: usize, references: &References<'_>, errors: &mut Vec<RegistryError>) {
    let Some(new) = references.objects.get(place) else { return };
    let problem = if references.new.get(new.object.id.as_str()) != Some(&place) {
        "another object of the submission has this entryUUID"
    } else if references.stored.contains_key(&new.object.id) {
        "the registry has an object with this entryUUID already"
    } else {
        return;
    };
    errors.push(error(code::REGISTRY_METADATA_ERROR, &ID_EXISTS, new, problem));
}

/// What is looked up can be: whoever turns the metadata rules off is told here, and not by one of two databases.
pub(super) fn keys(new: &Prepared, errors: &mut Vec<RegistryError>) {
    let identifiers = [("uniqueId", new.unique_id()), ("patientId", new.patient.as_deref())];
    let identifiers = identifiers.into_iter().filter_map(|(name, id)| Some((name, id?)));
    let identifiers = identifiers.map(|(name, id)| (name, id, limits::MAX_IDENTIFIER_BYTES));
    let values = new.values.iter().map(|(of, value)| (of.name(), value.as_str(), limits::MAX_KEY_BYTES));
    for (name, key, most) in identifiers.chain(values) {
        if key.len() > most || key.contains('\0') {
            let problem = format!("{name} has {} bytes; {most} are allowed, and no NUL", key.len());
            errors.push(error(code::REGISTRY_METADATA_ERROR, &KEY, new, &problem));
        }
    }
}

/// The uniqueId is no object's in the registry, or the same document's.
pub(super) fn used_unique_id(new: &Prepared, references: &References<'_>, errors: &mut Vec<RegistryError>) {
    let Some(unique_id) = new.unique_id() else { return };
    let stored = references.same_unique_id.get(unique_id).into_iter().flatten();
    // An older version may be from before its document was assembled.
    for stored in stored.filter(|stored| stored.availability != Availability::Superseded) {
        for error in repeated_unique_id(new, unique_id, stored) {
            // The same document may be there many times, and differs from all of them alike.
            if !errors.contains(&error) {
                errors.push(error);
            }
        }
    }
}

/// The patients are among those whom the registry knows, or may come to know by this submission.
pub(super) fn unknown_patients(
    settings: &RegistrySettings,
    references: &References<'_>,
    errors: &mut Vec<RegistryError>,
) {
    let mut seen = HashSet::new();
    for new in references.objects {
        let Some(cx) = new.patient.as_deref().filter(|cx| seen.insert(*cx)) else { continue };
        let problem = match references.patients.get(cx) {
            // Refused by a rule of its own, which does not repeat it.
            _ if settings.domains.refuse_cx(cx) => continue,
            _ if !settings.serves(cx) => "is of no assigning authority that this registry serves",
            Some(Standing::Subsumed) => "was merged into another",
            Some(Standing::Known(_)) => continue,
            Some(Standing::Unknown) | None if settings.known_by == KnownBy::Feed => {
                "is known to this registry by no feed"
            }
            Some(Standing::Unknown) | None => continue,
        };
        let problem = format!("patientId {cx} {problem}");
        errors.push(error(code::UNKNOWN_PATIENT_ID, &PATIENT_KNOWN, new, &problem));
    }
}

/// What is wrong with a uniqueId that the registry has already.
fn repeated_unique_id(new: &Prepared, unique_id: &str, stored: &Stored) -> Vec<RegistryError> {
    let kind = kind_name(new.object.kind);
    let Some(entry) = DocumentEntry::of(&new.object) else {
        let problem = format!("the uniqueId {unique_id} of this {kind} is in use");
        return vec![error(code::DUPLICATE_UNIQUE_ID_IN_REGISTRY, &UNIQUE_ID, new, &problem)];
    };
    if stored.kind != Kind::DocumentEntry {
        let problem =
            format!("the uniqueId {unique_id} of this {kind} is that of a {}", kind_name(stored.kind));
        return vec![error(code::REGISTRY_METADATA_ERROR, &UNIQUE_ID, new, &problem)];
    }
    if stored.on_demand != entry.is_on_demand() {
        let problem = format!("the uniqueId {unique_id} is both of a stable and of an on-demand entry");
        return vec![error(code::REGISTRY_METADATA_ERROR, &SAME_DOCUMENT, new, &problem)];
    }
    let same_hash = match (entry.hash(), &stored.hash) {
        (Some(new), Some(stored)) => new.eq_ignore_ascii_case(stored),
        (new, stored) => new.is_none() && stored.is_none(),
    };
    let differences = [
        (same_hash, code::NON_IDENTICAL_HASH, "hash"),
        (entry.size() == stored.size, code::NON_IDENTICAL_SIZE, "size"),
    ];
    let differing = differences.into_iter().filter(|(same, ..)| !same);
    let told = differing.map(|(_, code, what)| {
        let problem =
            format!("the document with the uniqueId {unique_id} has another {what} in the registry");
        error(code, &SAME_DOCUMENT, new, &problem)
    });
    told.collect()
}

fn check_association(
    new: &Prepared,
    association: &Association,
    of_set: Option<&str>,
    references: &References<'_>,
    errors: &mut Vec<RegistryError>,
) {
    let source = references.get(&association.source);
    let target = references.get(&association.target);
    for (end, found, id) in [
        ("sourceObject", source.is_some(), &association.source),
        ("targetObject", target.is_some(), &association.target),
    ] {
        if !found {
            let problem = format!("{end} {id:?} is neither in the submission nor in the registry");
            errors.push(error(code::UNRESOLVED_REFERENCE, &REFERENCE, new, &problem));
        }
    }
    let (Some(source), Some(target)) = (source, target) else { return };
    let wrong = match Relation::parse(&association.association_type).filter(|relation| !relation.is_update())
    {
        None => {
            let problem =
                format!("no registry keeps associations of type {:?}", association.association_type);
            Err((code::REGISTRY_METADATA_ERROR, &RELATION, problem))
        }
        Some(Relation::HasMember) => membership(source, target, of_set),
        Some(relation) => relationship(relation, source, target),
    };
    if let Err((code, rule, problem)) = wrong {
        errors.push(error(code, rule, new, &problem));
    }
}

/// What an entry of the submission replaces is deprecated by that, and no other entry of it may relate to it as well.
fn replaced_meanwhile(objects: &[Prepared], errors: &mut Vec<RegistryError>) {
    let relations = objects.iter().filter_map(|new| {
        let association = new.object.association.as_ref()?;
        let relation = Relation::parse(&association.association_type)?;
        (relation != Relation::HasMember).then_some((new, association, relation))
    });
    let mut replaced = HashMap::new();
    for (_, association, _) in relations.clone().filter(|(.., relation)| relation.replaces()) {
        replaced.entry(association.target.as_str()).or_insert(association.source.as_str());
    }
    for (new, association, _) in relations {
        if replaced.get(association.target.as_str()).is_some_and(|by| *by != association.source) {
            let problem = "another entry of the submission replaces the target";
            errors.push(error(code::REGISTRY_DEPRECATED_DOCUMENT, &DEPRECATED, new, problem));
        }
    }
}

type Verdict = Result<(), (&'static str, &'static Rule, String)>;

/// A HasMember: what a submission puts into its set and into folders (ITI TF-3: 4.2.2.1).
fn membership(source: End<'_>, target: End<'_>, of_set: Option<&str>) -> Verdict {
    let ends = |problem: &str| Err((code::REGISTRY_METADATA_ERROR, &ENDS, problem.to_owned()));
    match (source, source.kind(), target.kind()) {
        (End::Stored(_), Kind::SubmissionSet, _) => {
            ends("a SubmissionSet that is in the registry takes no further members")
        }
        (_, Kind::SubmissionSet, Kind::SubmissionSet) => ends("a SubmissionSet is no member of another"),
        // An entry of another patient may be referred to: a mother's in her child's set.
        (_, Kind::SubmissionSet, _) => Ok(()),
        (_, Kind::Folder, Kind::DocumentEntry) => {
            approved(source, "the folder")?;
            approved(target, "the entry")?;
            one_patient(source, target)?;
            // Nobody but the folder's patient's own submission puts something into it (ITI TF-3: 4.2.2.1.4).
            match source.patient() == of_set {
                true => Ok(()),
                false => Err((
                    code::PATIENT_ID_DOES_NOT_MATCH,
                    &ONE_PATIENT,
                    format!(
                        "the folder is of another patient than the SubmissionSet, {}",
                        of_set.unwrap_or("(none)")
                    ),
                )),
            }
        }
        (_, Kind::Folder, _) => ends("only a DocumentEntry is member of a Folder"),
        _ => ends("only a SubmissionSet or a Folder has members"),
    }
}

/// Any other association: from an entry of the submission to another entry (ITI TF-3: 4.2.2.2).
fn relationship(relation: Relation, source: End<'_>, target: End<'_>) -> Verdict {
    let ends = |problem: &str| Err((code::REGISTRY_METADATA_ERROR, &ENDS, problem.to_owned()));
    let unresolved = |problem: &str| Err((code::UNRESOLVED_REFERENCE, &REFERENCE, problem.to_owned()));
    match (source, target) {
        (End::Stored(_), _) => return unresolved("sourceObject is not in the submission"),
        (_, End::New(..)) if relation.has_target_in_registry() => {
            return unresolved("targetObject is not in the registry");
        }
        (End::New(source, _), End::New(target, _)) if source == target => {
            return ends("source and target are the same entry");
        }
        _ => {}
    }
    if source.kind() != Kind::DocumentEntry || target.kind() != Kind::DocumentEntry {
        return ends("both ends must be DocumentEntries");
    }
    if relation == Relation::IsSnapshotOf && (source.on_demand() || !target.on_demand()) {
        return ends("a snapshot is stable, and of an on-demand entry");
    }
    approved(target, "the target")?;
    one_patient(source, target)
}

fn approved(end: End<'_>, what: &str) -> Verdict {
    if end.is_deprecated() {
        return Err((code::REGISTRY_DEPRECATED_DOCUMENT, &DEPRECATED, format!("{what} is deprecated")));
    }
    Ok(())
}

fn one_patient(source: End<'_>, target: End<'_>) -> Verdict {
    if source.patient() == target.patient() {
        return Ok(());
    }
    let problem =
        format!("the source is of patient {}, the target of another", source.patient().unwrap_or("(none)"));
    Err((code::PATIENT_ID_DOES_NOT_MATCH, &ONE_PATIENT, problem))
}

/// What is wrong with an object of a submission.
pub(super) fn error(code: &'static str, rule: &Rule, new: &Prepared, problem: &str) -> RegistryError {
    rule.broken(code, &format!("{} {:?}", kind_name(new.object.kind), new.submitted), problem)
}

pub(super) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::DocumentEntry => "DocumentEntry",
        Kind::SubmissionSet => "SubmissionSet",
        Kind::Folder => "Folder",
        Kind::Association => "Association",
    }
}
