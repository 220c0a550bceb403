//! What an accepted submission does to the registry (ITI TF-2: 3.42.4.1.3): its objects are stored; what it replaces is
//! deprecated, with its transforms and addenda, and takes its place in folders; folders get their time. Runs in the
//! writer, after the rules.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::prepare::{self, Prepared};
use super::retention;
use super::rows;
use super::rules::{End, References};
use super::schema::{Availability, TenantNumber, kind_number, uuid_urn};
use crate::metadata::{Kind, Relation, codes};
use crate::store::StoreError;
use crate::store::sql::{Connection, params};

/// Stores a submission that the rules have passed.
pub(super) fn store(
    connection: &Connection,
    tenant: TenantNumber,
    objects: &[Prepared],
    references: &References<'_>,
    now: &str,
) -> Result<(), StoreError> {
    let effects = Effects::of(connection, tenant, objects, references)?;
    let mut numbers = Numbers::of(references);
    let made = effects.linking_associations(connection, objects, &mut numbers)?;
    insert_all(connection, tenant, objects, &made, &mut numbers)?;
    effects.take_place(connection, now)
}

/// Inserts what was submitted and what the registry made of it. `numbers` knows whatever else they refer to.
pub(super) fn insert_all(
    connection: &Connection,
    tenant: TenantNumber,
    objects: &[Prepared],
    made: &[Prepared],
    numbers: &mut Numbers,
) -> Result<(), StoreError> {
    let first = tenant.next_object(connection)?;
    retention::note_day(connection, tenant, first)?;
    for (new, number) in objects.iter().chain(made).zip(first..) {
        numbers.insert(new.object.id.clone(), number);
    }
    let mut patients = HashMap::new();
    for (new, number) in objects.iter().chain(made).zip(first..) {
        let patient = match new.patient.as_deref() {
            None => None,
            Some(cx) => match patients.get(cx) {
                Some(&known) => Some(known),
                None => {
                    let found = tenant.patient(connection, cx)?;
                    patients.insert(cx, found);
                    Some(found)
                }
            },
        };
        let ends = match &new.object.association {
            None => None,
            Some(association) => Some((numbers.get(&association.source)?, numbers.get(&association.target)?)),
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
                    effects.deprecate(connection, tenant, original.object)?;
                    for folder in folders_of(connection, tenant, original.object)? {
                        effects.updated_folders.insert(folder);
                        effects.joined.insert((folder, place));
                    }
                }
                _ => {}
            }
        }
        effects.joined.retain(|link| !by_submission.contains(link));
        Ok(effects)
    }

    /// An entry, its transforms and addenda, and theirs: a deprecated document has no approved ones.
    pub(super) fn deprecate(
        &mut self,
        connection: &Connection,
        tenant: TenantNumber,
        entry: i64,
    ) -> Result<(), StoreError> {
        let mut children = connection.prepare_cached(
            "SELECT a.source FROM registry_object a JOIN registry_object e ON e.object = a.source AND e.tenant = a.tenant
             WHERE a.tenant = ?1 AND a.target = ?2 AND a.relation IN (?3, ?4) AND a.status = ?5 AND e.status = ?5",
        )?;
        let mut due = VecDeque::from([entry]);
        while let Some(entry) = due.pop_front() {
            // Associations may run in circles.
            if !self.deprecated.insert(entry) {
                continue;
            }
            let found = children.query_map(
                params![
                    tenant.0,
                    entry,
                    Relation::Transform as i64,
                    Relation::Append as i64,
                    Availability::Approved as i64
                ],
                |row| row.get(0),
            )?;
            for child in found {
                due.push_back(child?);
            }
        }
        Ok(())
    }

    /// Changes what is to be changed.
    pub(super) fn take_place(&self, connection: &Connection, now: &str) -> Result<(), StoreError> {
        for &entry in &self.deprecated {
            rows::rewrite(connection, entry, |object| object.status = Some(codes::DEPRECATED.to_owned()))?;
        }
        for &folder in &self.updated_folders {
            let time = || vec![now.to_owned()];
            rows::rewrite(connection, folder, |object| {
                object.set_slot(codes::slot::LAST_UPDATE_TIME, time())
            })?;
        }
        Ok(())
    }

    /// The replacement's way into the original's folders: folder to entry, and the set to that association.
    fn linking_associations(
        &self,
        connection: &Connection,
        objects: &[Prepared],
        numbers: &mut Numbers,
    ) -> Result<Vec<Prepared>, StoreError> {
        let set = objects.iter().find(|new| new.object.kind == Kind::SubmissionSet);
        let mut made = Vec::new();
        for &(folder, place) in &self.joined {
            let (Some(set), Some(entry)) = (set, objects.get(place)) else { continue };
            let uuid = connection
                .prepare_cached("SELECT uuid FROM registry_object WHERE object = ?1 AND tenant = ?1 >> 40")?
                .query_row([folder], |row| row.get(0))?;
            let id = uuid_urn(uuid);
            let link = prepare::membership(&id, &entry.object.id);
            numbers.insert(id, folder);
            made.push(prepare::membership(&set.object.id, &link.object.id));
            made.push(link);
        }
        Ok(made)
    }
}

/// The approved folders that an entry is in. A membership that Metadata Update has ended is none.
pub(super) fn folders_of(
    connection: &Connection,
    tenant: TenantNumber,
    entry: i64,
) -> Result<Vec<i64>, StoreError> {
    let mut find = connection.prepare_cached(
        "SELECT DISTINCT f.object FROM registry_object a JOIN registry_object f ON f.object = a.source AND f.tenant = a.tenant
         WHERE a.tenant = ?1 AND a.target = ?2 AND a.relation = ?3 AND f.kind = ?4 AND a.status = ?5 AND f.status = ?5",
    )?;
    let folders = find.query_map(
        params![
            tenant.0,
            entry,
            Relation::HasMember as i64,
            kind_number(Kind::Folder),
            Availability::Approved as i64
        ],
        |row| row.get(0),
    )?;
    Ok(folders.collect::<Result<_, _>>()?)
}
