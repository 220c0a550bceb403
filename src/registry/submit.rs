//! What an accepted submission does to the registry (ITI TF-2: 3.42.4.1.3): its objects are stored; what it replaces is
//! deprecated, with its transforms and addenda, and takes its place in folders; folders get their time. Runs in the
//! writer, after the rules. How often it waits for the database does not depend on how many objects there are.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::prepare::{self, Prepared};
use super::retention;
use super::rows;
use super::rules::{End, References};
use super::schema::{Availability, FreeNumbersAsked, TenantNumber, kind_number};
use crate::metadata::{Kind, Relation, codes};
use crate::store::StoreError;
use crate::store::sql::{Connection, List, params};

/// Stores a submission that the rules have passed.
pub(super) fn store(
    connection: &Connection,
    free: FreeNumbersAsked<'_>,
    objects: &[Prepared],
    references: &References<'_>,
    now: &str,
) -> Result<(), StoreError> {
    let tenant = free.tenant();
    let effects = Effects::of(connection, tenant, objects, references)?;
    let mut named = Numbers::of(references);
    let made = effects.linking_associations(connection, tenant, objects, &mut named)?;
    insert_all(connection, free, objects, &made, &mut named)?;
    effects.take_place(connection, tenant, now)
}

/// Inserts what was submitted and what the registry made of it. `named` knows whatever else they refer to.
pub(super) fn insert_all(
    connection: &Connection,
    free: FreeNumbersAsked<'_>,
    objects: &[Prepared],
    made: &[Prepared],
    named: &mut Numbers,
) -> Result<(), StoreError> {
    let tenant = free.tenant();
    let mut free = free.answer()?;
    let first = free.object;
    retention::note_day(connection, tenant, first)?;
    for (new, number) in objects.iter().chain(made).zip(first..) {
        named.insert(new.object.id.clone(), number);
    }
    for (new, number) in objects.iter().chain(made).zip(first..) {
        let patient = new.patient.as_deref().map(|cx| free.patient(connection, cx)).transpose()?;
        let ends = match &new.object.association {
            None => None,
            Some(association) => Some((named.get(&association.source)?, named.get(&association.target)?)),
        };
        rows::insert(connection, tenant, number, patient, ends, new)?;
    }
    Ok(())
}

/// The numbers of objects, by entryUUID: of those in the registry that the submission names, and of the new ones.
#[derive(Default)]
pub(super) struct Numbers(HashMap<String, i64>);

impl Numbers {
    pub(super) fn of(references: &References<'_>) -> Self {
        Self(references.stored().map(|(id, stored)| (id.to_owned(), stored.object)).collect())
    }
    pub(super) fn insert(&mut self, id: String, number: i64) {
        self.0.insert(id, number);
    }
    fn get(&self, id: &str) -> Result<i64, StoreError> {
        let unknown = || StoreError::Damaged(format!("{id} passed the rules and is not there"));
        self.0.get(id).copied().ok_or_else(unknown)
    }
}

/// What changes besides the new objects.
#[derive(Default)]
pub(super) struct Effects {
    /// Entries in the registry.
    deprecated: BTreeSet<i64>,
    /// Folders in the registry.
    pub(super) updated_folders: BTreeSet<i64>,
    /// Folders in the registry, and the place of the entry that comes into them.
    joined: BTreeSet<(i64, usize)>,
}

impl Effects {
    fn of(
        connection: &Connection,
        tenant: TenantNumber,
        objects: &[Prepared],
        references: &References<'_>,
    ) -> Result<Self, StoreError> {
        let mut effects = Self::default();
        let mut by_submission = BTreeSet::new();
        // The places of what replaces them.
        let mut originals: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for association in objects.iter().filter_map(|new| new.object.association.as_ref()) {
            let relation = Relation::parse(&association.association_type);
            let ends = (references.get(&association.source), references.get(&association.target));
            match (relation, ends) {
                (Some(Relation::HasMember), (Some(End::Stored(folder)), Some(target)))
                    if folder.kind == Kind::Folder =>
                {
                    effects.updated_folders.insert(folder.object);
                    if let End::New(place, _) = target {
                        by_submission.insert((folder.object, place));
                    }
                }
                (Some(relation), (Some(End::New(place, _)), Some(End::Stored(original))))
                    if relation.replaces() =>
                {
                    originals.entry(original.object).or_default().push(place);
                }
                _ => {}
            }
        }
        let replaced: Vec<_> = originals.keys().copied().collect();
        for (original, folder) in folders_of(connection, tenant, replaced.clone())? {
            effects.updated_folders.insert(folder);
            let places = originals.get(&original).into_iter().flatten();
            effects.joined.extend(places.map(|place| (folder, *place)));
        }
        effects.deprecate(connection, tenant, replaced)?;
        effects.joined.retain(|link| !by_submission.contains(link));
        Ok(effects)
    }

    /// Entries, their transforms and addenda, and theirs: a deprecated document has no approved ones.
    pub(super) fn deprecate(
        &mut self,
        connection: &Connection,
        tenant: TenantNumber,
        entries: Vec<i64>,
    ) -> Result<(), StoreError> {
        const CHILDREN: &str =
            "SELECT a.source FROM registry_object a JOIN registry_object e ON e.object = a.source AND e.tenant = a.tenant
             WHERE a.tenant = ?1 AND a.relation IN (?2, ?3) AND a.status = ?4 AND e.status = ?4
                 AND a.target IN (SELECT value FROM json_each(?))";
        let (transform, append) = (Relation::Transform as i64, Relation::Append as i64);
        let approved = Availability::Approved as i64;
        let mut due = entries;
        loop {
            // Associations may run in circles.
            due.retain(|entry| self.deprecated.insert(*entry));
            if due.is_empty() {
                return Ok(());
            }
            let parents = List::Integers(due);
            let children = params![tenant.0, transform, append, approved, parents];
            due = connection.ask(CHILDREN, children)?.all(|row| row.get(0))?;
        }
    }

    /// Changes what is to be changed.
    pub(super) fn take_place(
        &self,
        connection: &Connection,
        tenant: TenantNumber,
        now: &str,
    ) -> Result<(), StoreError> {
        let listed = |set: &BTreeSet<i64>| set.iter().copied().collect();
        rows::rewrite(connection, tenant, listed(&self.deprecated), |object| {
            object.status = Some(codes::DEPRECATED.to_owned());
        })?;
        rows::rewrite(connection, tenant, listed(&self.updated_folders), |object| {
            object.set_slot(codes::slot::LAST_UPDATE_TIME, vec![now.to_owned()]);
        })
    }

    /// The replacement's way into the original's folders: folder to entry, and the set to that association.
    fn linking_associations(
        &self,
        connection: &Connection,
        tenant: TenantNumber,
        objects: &[Prepared],
        numbers: &mut Numbers,
    ) -> Result<Vec<Prepared>, StoreError> {
        let Some(set) = objects.iter().find(|new| new.object.kind == Kind::SubmissionSet) else {
            return Ok(Vec::new());
        };
        let folders: BTreeSet<_> = self.joined.iter().map(|(folder, _)| *folder).collect();
        let ids = rows::ids_of(connection, tenant, folders.into_iter().collect())?;
        let mut made = Vec::new();
        for (folder, place) in &self.joined {
            let (Some(id), Some(entry)) = (ids.get(folder), objects.get(*place)) else { continue };
            let link = prepare::membership(id, &entry.object.id);
            numbers.insert(id.clone(), *folder);
            made.push(prepare::membership(&set.object.id, &link.object.id));
            made.push(link);
        }
        Ok(made)
    }
}

/// The approved folders that entries are in: entry, folder. A membership that Metadata Update has ended is none.
pub(super) fn folders_of(
    connection: &Connection,
    tenant: TenantNumber,
    entries: Vec<i64>,
) -> Result<Vec<(i64, i64)>, StoreError> {
    const FIND: &str = "SELECT DISTINCT a.target, f.object FROM registry_object a
         JOIN registry_object f ON f.object = a.source AND f.tenant = a.tenant
         WHERE a.tenant = ?1 AND a.relation = ?2 AND f.kind = ?3 AND a.status = ?4 AND f.status = ?4
             AND a.target IN (SELECT value FROM json_each(?))";
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let (member, folder) = (Relation::HasMember as i64, kind_number(Kind::Folder));
    let of_these = params![tenant.0, member, folder, Availability::Approved as i64, List::Integers(entries)];
    Ok(connection.ask(FIND, of_these)?.all(|row| Ok((row.get(0)?, row.get(1)?)))?)
}
