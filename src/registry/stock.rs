//! The registry's side of comparing metadata with documents (`sekisho verify-store`, `sekisho check --store`). Blocks.

use super::Registry;
use super::rows::{self, Stored};
use super::schema::{Availability, TenantNumber, kind_number, uuid_urn};
use crate::metadata::{Kind, codes};
use crate::store::StoreError;
use crate::store::sql::{Connection, params};

/// What the registry says of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredDocument {
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
    /// Every stable entry of a repository.
    pub fn documents_blocking(&self, repository: String) -> Result<Vec<RegisteredDocument>, StoreError> {
        let name = self.tenant.0.clone();
        self.store.read_blocking(move |connection| {
            let tenant = TenantNumber::find(connection, &name)?.unwrap_or(TenantNumber(0));
            let mut find = connection.prepare_cached(
                "SELECT uuid, unique_id, hash, size, status FROM registry_object
                 WHERE tenant = ?1 AND kind = ?2 AND on_demand = 0 AND repository = ?3 AND status <> ?4",
            )?;
            let superseded = Availability::Superseded as i64;
            let entry = kind_number(Kind::DocumentEntry);
            let found = find.query_map(params![tenant.0, entry, repository, superseded], |row| {
                Ok(RegisteredDocument {
                    id: uuid_urn(row.get(0)?),
                    unique_id: row.get::<Option<String>>(1)?.unwrap_or_default(),
                    hash: row.get::<Option<String>>(2)?.unwrap_or_default(),
                    size: row.get::<Option<i64>>(3)?.unwrap_or_default().unsigned_abs(),
                    approved: row.get::<i64>(4)? == Availability::Approved as i64,
                })
            })?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    /// Deprecates entries, by entryUUID: what they promise cannot be retrieved.
    pub fn deprecate_blocking(&self, entries: Vec<String>) -> Result<(), StoreError> {
        let registry = self.clone();
        self.store.write_blocking(move |connection: &Connection| registry.deprecate_now(connection, entries))
    }

    /// Deprecates entries, by entryUUID: their time is over. Durable on return.
    pub async fn deprecate(&self, entries: Vec<String>) -> Result<(), StoreError> {
        let registry = self.clone();
        self.store.write(move |connection: &Connection| registry.deprecate_now(connection, entries)).await
    }

    fn deprecate_now(&self, connection: &Connection, entries: Vec<String>) -> Result<(), StoreError> {
        let tenant = TenantNumber::find(connection, &self.tenant.0)?.unwrap_or(TenantNumber(0));
        for id in entries {
            let Some(stored) = Stored::by_id(connection, tenant, &id)? else { continue };
            if stored.availability != Availability::Approved {
                continue;
            }
            rows::rewrite(connection, stored.object, |object| {
                object.status = Some(codes::DEPRECATED.to_owned());
            })?;
        }
        Ok(())
    }
}
