//! What has been kept for long enough: finding it, a window of numbers at a time, and what its removal takes along.
//!
//! Age counts from the day (UTC) on which the registry took an object in: what submitters say of time decides nothing here.
//! An object has no time of its own; a day has the first of its numbers, which are given in the order of submission. What
//! was there before days were noted counts as of the first day that is.

use std::collections::BTreeSet;

use super::rows::{Link, Stored};
use super::schema::{Availability, TenantNumber, kind_number, uuid_urn};
use super::{Also, Registry, bounded, remove};
use crate::limits;
use crate::metadata::Kind;
use crate::store::StoreError;
use crate::store::sql::{Connection, params};
use crate::time;
use crate::transactions::errors::RegistryError;

/// Days, and the first number that was given on each.
pub(super) const DAYS: &str = "
CREATE TABLE registry_day (
    tenant BIGINT NOT NULL,
    day BIGINT NOT NULL,            -- since 1970-01-01
    first_object BIGINT NOT NULL,
    PRIMARY KEY (tenant, day)
);
";

/// Entries of an age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Age {
    /// Full days since they were taken in.
    pub days: u32,
    /// classCode, `code^^scheme`; None for all.
    pub class: Option<String>,
    /// Which of them.
    pub standing: Standing,
}

/// Which entries of an age are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Those that are approved.
    Approved,
    /// Deprecated ones too.
    Any,
}

/// A window of entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Window {
    /// Those of the age.
    pub entries: Vec<Aged>,
    /// Where the next window begins; None behind the last one.
    pub next: Option<i64>,
}

/// An entry of an age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aged {
    /// entryUUID.
    pub id: String,
    /// repositoryUniqueId and uniqueId of a stable document.
    pub document: Option<(String, String)>,
}

/// Notes that objects from a number on are taken in today.
pub(super) fn note_day(connection: &Connection, tenant: TenantNumber, first: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO registry_day (tenant, day, first_object) VALUES (?1, ?2, ?3)
             ON CONFLICT (tenant, day) DO UPDATE SET first_object = excluded.first_object
             WHERE excluded.first_object < registry_day.first_object",
        )?
        .run(params![tenant.0, time::utc_day(), first])?;
    Ok(())
}

/// The number below which everything was taken in on a day or before; None if nothing was. Numbers of objects that are
/// removed may be given again, so that a later day can begin with a lower one.
fn end_of_day(connection: &Connection, tenant: TenantNumber, day: i64) -> Result<Option<i64>, StoreError> {
    let mut find = connection.prepare_cached(
        "SELECT min(day), min(CASE WHEN day > ?2 THEN first_object END) FROM registry_day WHERE tenant = ?1",
    )?;
    let (earliest, end): (Option<i64>, Option<i64>) =
        find.query_row([tenant.0, day], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(earliest.filter(|earliest| *earliest <= day).map(|_| end.unwrap_or(i64::MAX)))
}

impl Registry {
    /// Begins to count days for what is there already, if that has not begun.
    pub async fn begin_days(&self) -> Result<(), StoreError> {
        let name = self.tenant.0.clone();
        let begin = move |connection: &Connection| {
            let Some(tenant) = TenantNumber::find(connection, &name)? else { return Ok(()) };
            let begun = connection
                .prepare_cached("SELECT 1 FROM registry_day WHERE tenant = ?1 LIMIT 1")?
                .exists([tenant.0])?;
            if begun { Ok(()) } else { note_day(connection, tenant, tenant.next_object(connection)?) }
        };
        self.store.write(begin).await
    }

    /// Latest versions of an age, in the window from `after` on.
    pub async fn aged(&self, age: Age, after: i64) -> Result<Window, StoreError> {
        let registry = self.clone();
        let find = move |connection: &Connection| match registry.tenant(connection)? {
            Some(tenant) => window(connection, tenant, &age, after),
            None => Ok(Window::default()),
        };
        self.store.read(find).await
    }

    /// What leaves with an entry, by entryUUID: its versions, the associations at them, and SubmissionSets that would be left
    /// with nothing. Or why it cannot leave (RMD: 3.62.4.1.3).
    pub async fn leaving(
        &self,
        entry: String,
    ) -> Result<Result<Vec<String>, Vec<RegistryError>>, StoreError> {
        let registry = self.clone();
        let find = move |connection: &Connection| {
            let Some(tenant) = registry.tenant(connection)? else { return Ok(Ok(Vec::new())) };
            let ids = with_entry(connection, tenant, &entry)?;
            let errors = bounded(remove::check(connection, tenant, &ids)?);
            Ok(if errors.is_empty() { Ok(ids) } else { Err(errors) })
        };
        self.store.read(find).await
    }

    /// The removal of objects as a part of another room's transaction, which fails where they cannot be removed any more.
    pub fn removing(&self, objects: Vec<String>) -> Also {
        let registry = self.clone();
        Box::new(move |connection| {
            let tenant = TenantNumber::find(connection, &registry.tenant.0)?.unwrap_or(TenantNumber(0));
            match remove::remove(connection, tenant, &objects)?.is_empty() {
                true => Ok(()),
                false => {
                    Err(StoreError::Io(std::io::Error::other("objects changed before they were removed")))
                }
            }
        })
    }
}

fn window(
    connection: &Connection,
    tenant: TenantNumber,
    age: &Age,
    after: i64,
) -> Result<Window, StoreError> {
    let day = time::utc_day() - i64::from(age.days);
    let Some(end) = end_of_day(connection, tenant, day)? else { return Ok(Window::default()) };
    let mut last = connection.prepare_cached(
        "SELECT max(object) FROM (SELECT object FROM registry_object
             WHERE tenant = ?1 AND object > ?2 AND object < ?3 ORDER BY object LIMIT ?4) AS windowed",
    )?;
    let most = limits::RETENTION_WINDOW_OBJECTS;
    let last: Option<i64> = last.query_row(params![tenant.0, after, end, most], |row| row.get(0))?;
    let Some(last) = last else { return Ok(Window::default()) };
    let mut find = connection.prepare_cached(
        "SELECT uuid, on_demand, repository, unique_id FROM registry_object
         WHERE tenant = ?1 AND object > ?2 AND object <= ?3 AND kind = ?4 AND status <= ?5
             AND coalesce(class_code, '') = coalesce(?6, class_code, '') ORDER BY object",
    )?;
    let status = match age.standing {
        Standing::Approved => Availability::Approved,
        Standing::Any => Availability::Deprecated,
    };
    let entry = kind_number(Kind::DocumentEntry);
    let parameters = params![tenant.0, after, last, entry, status as i64, age.class];
    let found = find.query_map(parameters, |row| {
        let document = match (row.get::<Option<bool>>(1)?, row.get(2)?, row.get(3)?) {
            (Some(false), Some(repository), Some(unique_id)) => Some((repository, unique_id)),
            _ => None,
        };
        Ok(Aged { id: uuid_urn(row.get(0)?), document })
    })?;
    Ok(Window { entries: found.collect::<Result<_, _>>()?, next: Some(last) })
}

fn with_entry(connection: &Connection, tenant: TenantNumber, entry: &str) -> Result<Vec<String>, StoreError> {
    let Some(stored) = Stored::by_id(connection, tenant, entry)? else { return Ok(Vec::new()) };
    let (lid, _) = name_of(connection, tenant, stored.object)?;
    let mut due: Vec<_> = Stored::versions(connection, tenant, &lid)?.iter().map(|one| one.object).collect();
    due.push(stored.object);
    let mut going = BTreeSet::new();
    let mut ends = BTreeSet::new();
    while let Some(object) = due.pop() {
        // More than can be removed at once is told by whoever removes.
        if going.len() > limits::MAX_OBJECTS_PER_REMOVAL || !going.insert(object) {
            continue;
        }
        for link in Link::at(connection, tenant, object)? {
            due.push(link.number);
            ends.extend([link.source, link.target]);
        }
    }
    for end in ends {
        let is_left = |link: &Link| !going.contains(&link.number);
        let is_set = Stored::by_number(connection, tenant, end)?
            .is_some_and(|stored| stored.kind == Kind::SubmissionSet);
        if is_set && !Link::at(connection, tenant, end)?.iter().any(is_left) {
            going.insert(end);
        }
    }
    going.into_iter().map(|object| Ok(name_of(connection, tenant, object)?.1)).collect()
}

/// An object's logical id and entryUUID.
fn name_of(
    connection: &Connection,
    tenant: TenantNumber,
    object: i64,
) -> Result<(String, String), StoreError> {
    let mut find = connection
        .prepare_cached("SELECT logical_id, uuid FROM registry_object WHERE tenant = ?1 AND object = ?2")?;
    Ok(find.query_row([tenant.0, object], |row| Ok((row.get(0)?, uuid_urn(row.get(1)?))))?)
}
