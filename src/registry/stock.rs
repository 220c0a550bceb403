//! The registry's side of comparing metadata with documents (`sekisho verify-store`, `sekisho check --store`). Blocks.

use std::collections::HashSet;

use super::Registry;
use super::rows::{self, Stored};
use super::schema::{Availability, TenantNumber, kind_number, uuid_urn};
use crate::metadata::{Kind, codes};
use crate::store::StoreError;
use crate::store::sql::{Connection, List, params};

/// What the registry says of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredDocument {
    /// Its number in the registry, in the order of submission.
    pub number: i64,
    /// entryUUID.
    pub id: String,
    /// uniqueId.
    pub unique_id: String,
    /// SHA-1, lower case.
    pub hash: String,
    /// Bytes.
    pub size: u64,
    /// Whether a query finds it by default.
    pub approved: bool,
}

impl Registry {
    /// Stable entries of a repository behind a number, at most `most`, within a transaction.
    pub fn documents_within(
        &self,
        connection: &Connection,
        repository: &str,
        after: i64,
        most: usize,
    ) -> Result<Vec<RegisteredDocument>, StoreError> {
        let Some(tenant) = TenantNumber::find(connection, &self.tenant.0)? else { return Ok(Vec::new()) };
        let mut find = connection.prepare_cached(
            "SELECT object, uuid, unique_id, hash, size, status FROM registry_object
             WHERE tenant = ?1 AND object > ?2 AND kind = ?3 AND on_demand = 0 AND repository = ?4 AND status <> ?5
             ORDER BY object LIMIT ?6",
        )?;
        let superseded = Availability::Superseded as i64;
        let entry = kind_number(Kind::DocumentEntry);
        let values = params![tenant.0, after, entry, repository, superseded, most as i64];
        let found = find.query_map(values, |row| {
            Ok(RegisteredDocument {
                number: row.get(0)?,
                id: uuid_urn(row.get(1)?),
                unique_id: row.get::<Option<String>>(2)?.unwrap_or_default(),
                hash: row.get::<Option<String>>(3)?.unwrap_or_default(),
                size: row.get::<Option<i64>>(4)?.unwrap_or_default().unsigned_abs(),
                approved: row.get::<i64>(5)? == Availability::Approved as i64,
            })
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// Deprecates entries, by entryUUID and uniqueId of the document, whose document is not `stored` as the transaction
    /// finds things: what they promise cannot be retrieved.
    pub fn deprecate_promises_blocking(
        &self,
        entries: Vec<(String, String)>,
        stored: impl Fn(&Connection, &str) -> Result<bool, StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let registry = self.clone();
        self.store.write_blocking(move |connection: &Connection| {
            let mut broken = Vec::new();
            for (id, unique_id) in entries {
                if !stored(connection, &unique_id)? {
                    broken.push(id);
                }
            }
            registry.deprecate_now(connection, broken)
        })
    }

    /// Those of these documents of a repository that an entry names, within a transaction.
    pub fn named_within(
        &self,
        connection: &Connection,
        repository: &str,
        unique_ids: Vec<String>,
    ) -> Result<HashSet<String>, StoreError> {
        let Some(tenant) = TenantNumber::find(connection, &self.tenant.0)? else { return Ok(HashSet::new()) };
        let mut find = connection.prepare_cached(
            "SELECT unique_id FROM registry_object
             WHERE tenant = ?1 AND kind = ?2 AND on_demand = 0 AND repository = ?3 AND status <> ?4
                 AND unique_id IN (SELECT value FROM json_each(?))",
        )?;
        let superseded = Availability::Superseded as i64;
        let entry = kind_number(Kind::DocumentEntry);
        let values = params![tenant.0, entry, repository, superseded, List::Texts(unique_ids)];
        Ok(find.query_map(values, |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// Deprecates entries, by entryUUID: their time is over. Durable on return.
    pub async fn deprecate(&self, entries: Vec<String>) -> Result<(), StoreError> {
        let registry = self.clone();
        self.store.write(move |connection: &Connection| registry.deprecate_now(connection, entries)).await
    }

    fn deprecate_now(&self, connection: &Connection, entries: Vec<String>) -> Result<(), StoreError> {
        let tenant = TenantNumber::find(connection, &self.tenant.0)?.unwrap_or(TenantNumber(0));
        let stored =
            Stored::by_ids(Stored::ask_ids(connection, tenant, entries.iter().map(String::as_str))?)?;
        let approved = stored.values().filter(|stored| stored.availability == Availability::Approved);
        rows::rewrite(connection, tenant, approved.map(|stored| stored.object).collect(), |object| {
            object.status = Some(codes::DEPRECATED.to_owned());
        })
    }
}
