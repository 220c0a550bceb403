//! What is noted beside the documents' rows: how much is stored, and with which keys.

use std::collections::HashMap;

use super::Repository;
use super::index::Index;
use super::sealing::{Keys, Wrapped};
use crate::store::sql::{self, Asked, params};
use crate::store::{Connection, StoreError};

/// How much a repository holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Documents.
    pub documents: u64,
    /// Their bytes, as they were submitted.
    pub bytes: u64,
}

/// How much a repository may hold; None is as much as there is room for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// Documents.
    pub documents: Option<u64>,
    /// Their bytes, as they were submitted.
    pub bytes: Option<u64>,
}

impl Quota {
    /// Whether so much is within it.
    pub fn admits(self, usage: Usage) -> bool {
        let within = |used: u64, most: Option<u64>| most.is_none_or(|most| used <= most);
        within(usage.documents, self.documents) && within(usage.bytes, self.bytes)
    }
}

/// What a transaction adds to the usage; less than nothing for a removal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) documents: i64,
    pub(super) bytes: i64,
}

impl Change {
    /// One more document.
    pub(super) fn add(&mut self, size: u64) {
        self.documents += 1;
        self.bytes += size as i64;
    }

    /// One less.
    pub(super) fn take(&mut self, size: u64) {
        self.documents -= 1;
        self.bytes -= size as i64;
    }
}

impl Repository {
    /// Whether documents, of which uniqueId and size are given, would be within the quota. What is stored already counts
    /// once, as it does when it is submitted again.
    pub async fn has_room(&self, documents: HashMap<String, u64>) -> Result<bool, StoreError> {
        let rooms = self.rooms.clone();
        let quota = rooms.quota;
        if quota == Quota::default() {
            return Ok(true);
        }
        let has_room = move |connection: &Connection| {
            let before = rooms.index.usage(connection)?;
            let known = rooms.index.find_all(connection, documents.keys().cloned().collect())?;
            let mut after = before;
            for (_, size) in documents.iter().filter(|(id, _)| known.get(id).is_none()) {
                after.documents += 1;
                after.bytes = after.bytes.saturating_add(*size);
            }
            Ok(after == before || quota.admits(after))
        };
        self.store.read(has_room).await
    }
}

/// How much is stored, as it was counted and as it is: the same, if nobody changed rows by hand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recount {
    /// What every submission and removal has counted.
    pub counted: Usage,
    /// What there is.
    pub stored: Usage,
}

impl Recount {
    /// What is to be added to the count.
    fn missing(self) -> Change {
        let missing = |stored: u64, counted: u64| stored as i64 - counted as i64;
        let Self { counted, stored } = self;
        Change {
            documents: missing(stored.documents, counted.documents),
            bytes: missing(stored.bytes, counted.bytes),
        }
    }
}

/// How much is stored and will be with a change.
pub(super) fn usage(parts: Asked<'_>, change: Change) -> Result<Usage, StoreError> {
    let parts: Vec<_> = parts.all(|row| Ok(Change { documents: row.get(0)?, bytes: row.get(1)? }))?;
    let Change { documents, bytes } = parts.into_iter().fold(change, |sum, part| Change {
        documents: sum.documents + part.documents,
        bytes: sum.bytes + part.bytes,
    });
    Ok(Usage { documents: documents.max(0) as u64, bytes: bytes.max(0) as u64 })
}

impl Index {
    /// Counts what is stored anew.
    pub(super) fn recount(&self, connection: &Connection) -> Result<Recount, StoreError> {
        let mut count = connection.prepare_cached(
            "SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM repository_document
             WHERE tenant = ?1 AND repository = ?2",
        )?;
        let stored = count.query_row(params![self.tenant, self.repository], |row| {
            let number = |column| Ok::<_, sql::Error>(row.get::<i64>(column)?.unsigned_abs());
            Ok(Usage { documents: number(0)?, bytes: number(1)? })
        })?;
        Ok(Recount { counted: self.usage(connection)?, stored })
    }

    /// Makes the count what is stored.
    pub(super) fn correct_usage(&self, connection: &Connection) -> Result<(), StoreError> {
        let missing = self.recount(connection)?.missing();
        self.count(connection, missing)
    }

    /// How much is stored.
    pub(super) fn usage(&self, connection: &Connection) -> Result<Usage, StoreError> {
        usage(self.ask_usage(connection)?, Change::default())
    }

    /// Asks for it.
    pub(super) fn ask_usage<'c>(&self, connection: &'c Connection) -> Result<Asked<'c>, StoreError> {
        let find = "SELECT documents, bytes FROM repository_usage WHERE tenant = ?1 AND repository = ?2";
        Ok(connection.ask(find, params![self.tenant, self.repository])?)
    }

    /// Counts what a transaction changes.
    pub(super) fn count(&self, connection: &Connection, change: Change) -> Result<(), StoreError> {
        if change == Change::default() {
            return Ok(());
        }
        connection
            .prepare_cached(
                "INSERT INTO repository_usage (tenant, repository, part, documents, bytes) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (tenant, repository, part) DO UPDATE SET
                     documents = repository_usage.documents + excluded.documents,
                     bytes = repository_usage.bytes + excluded.bytes",
            )?
            .run(params![self.tenant, self.repository, self.part, change.documents, change.bytes])?;
        Ok(())
    }

    /// Notes that rows may be wrapped with a key.
    pub(super) fn note_key(&self, connection: &Connection, keys: &Keys) -> Result<(), StoreError> {
        let id = keys.current();
        connection
            .prepare_cached(
                "INSERT INTO repository_key (tenant, repository, key_id, proof) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (tenant, repository, key_id) DO NOTHING",
            )?
            .run(params![self.tenant, self.repository, id, keys.proof(id).unwrap_or_default()])?;
        Ok(())
    }

    /// Keys that rows may be wrapped with: id and proof.
    pub(super) fn keys(&self, connection: &Connection) -> Result<Vec<(String, String)>, StoreError> {
        let mut find = connection.prepare_cached(
            "SELECT key_id, proof FROM repository_key WHERE tenant = ?1 AND repository = ?2 ORDER BY key_id",
        )?;
        let keys =
            find.query_map(params![self.tenant, self.repository], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(keys.collect::<Result<_, _>>()?)
    }

    /// Notes that no row is wrapped with any other key than this one.
    pub(super) fn forget_other_keys(&self, connection: &Connection, key_id: &str) -> Result<(), StoreError> {
        connection
            .prepare_cached(
                "DELETE FROM repository_key WHERE tenant = ?1 AND repository = ?2 AND key_id <> ?3
                 AND NOT EXISTS (SELECT 1 FROM repository_document d WHERE d.tenant = ?1 AND d.repository = ?2
                     AND d.key_id = repository_key.key_id)",
            )?
            .execute(params![self.tenant, self.repository, key_id])?;
        Ok(())
    }

    /// Puts another wrapping in a row's place, if the row is still as it was; whether it was.
    pub(super) fn rewrap(
        &self,
        connection: &Connection,
        unique_id: &str,
        was: &Wrapped,
        is: &Wrapped,
    ) -> Result<bool, StoreError> {
        let changed = connection
            .prepare_cached(
                "UPDATE repository_document SET key_id = ?4, data_key = ?5
                 WHERE tenant = ?1 AND repository = ?2 AND unique_id = ?3 AND data_key = ?6",
            )?
            .execute(params![
                self.tenant,
                self.repository,
                unique_id,
                is.key_id,
                is.data_key,
                was.data_key
            ])?;
        Ok(changed > 0)
    }
}
