//! Which document is where: the repository's tables, every statement of which names tenant and repository.

use std::collections::HashMap;
use std::sync::Arc;

use openssl::sha::Sha256;
use uuid::Uuid;

use super::StoredDocument;
use super::sealing::{Wrapped, sealed_size};
use crate::ids::Oid;
use crate::limits;
use crate::store::sql::{self, Asked, List, OptionalExtension, params};
use crate::store::{Connection, Migration, Step, StoreError};

pub(super) const MIGRATION: Migration = Migration {
    room: "repository",
    steps: &[
        Step::Both(
            "
        CREATE TABLE repository_document (
            tenant TEXT NOT NULL,
            repository TEXT NOT NULL,
            unique_id TEXT NOT NULL,
            mime_type TEXT NOT NULL,
            size INTEGER NOT NULL,
            sha1 TEXT NOT NULL,
            crc INTEGER NOT NULL,
            segment INTEGER,    -- a small document: number of the segment
            position INTEGER,   -- and where its record begins
            file TEXT,          -- a large one: the file's name
            CHECK ((segment IS NULL) = (position IS NULL) AND (segment IS NULL) = (file IS NOT NULL)),
            PRIMARY KEY (tenant, repository, unique_id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX repository_file ON repository_document (tenant, repository, file) WHERE file IS NOT NULL;
        CREATE TABLE repository_segment (
            tenant TEXT NOT NULL,
            repository TEXT NOT NULL,
            segment INTEGER NOT NULL,
            length INTEGER NOT NULL,    -- up to where rows may refer to it
            PRIMARY KEY (tenant, repository, segment)
        ) STRICT, WITHOUT ROWID;
    ",
        ),
        Step::Both(
            "
        -- Documents whose rows are gone and whose bytes are to follow.
        CREATE TABLE repository_erasure (
            tenant TEXT NOT NULL,
            repository TEXT NOT NULL,
            segment INTEGER NOT NULL,   -- 0 for a large one
            position INTEGER NOT NULL,
            file TEXT NOT NULL,         -- empty for a small one
            size INTEGER NOT NULL,
            PRIMARY KEY (tenant, repository, segment, position, file)
        ) STRICT, WITHOUT ROWID;
    ",
        ),
        Step::Both(
        "
        -- Where documents are encrypted: which of the tenant's keys wraps the document's own, and that one, wrapped. From
        -- here on `file` may also be the key of an object, which has a slash in it.
        ALTER TABLE repository_document ADD COLUMN key_id TEXT;
        ALTER TABLE repository_document ADD COLUMN data_key TEXT;
        -- Keys that rows may be wrapped with, and by what each is known again.
        CREATE TABLE repository_key (
            tenant TEXT NOT NULL,
            repository TEXT NOT NULL,
            key_id TEXT NOT NULL,
            proof TEXT NOT NULL,
            PRIMARY KEY (tenant, repository, key_id)
        ) STRICT, WITHOUT ROWID;
        -- What is stored, in several parts, so that gateways do not wait for one another: their sum counts.
        CREATE TABLE repository_usage (
            tenant TEXT NOT NULL,
            repository TEXT NOT NULL,
            part INTEGER NOT NULL,
            documents INTEGER NOT NULL,
            bytes INTEGER NOT NULL,
            PRIMARY KEY (tenant, repository, part)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO repository_usage (tenant, repository, part, documents, bytes)
        SELECT tenant, repository, 0, count(*), sum(size) FROM repository_document GROUP BY tenant, repository;
    ",
        ),
        Step::Both(
            "
        -- By what this database is told from others that an object store may know.
        CREATE TABLE repository_name (
            tenant TEXT NOT NULL,
            repository TEXT NOT NULL,
            name TEXT NOT NULL,
            PRIMARY KEY (tenant, repository)
        ) STRICT, WITHOUT ROWID;
    ",
        ),
    ],
};

/// Where a document's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In a segment, as the record that begins there.
    Segment(Position),
    /// In a file of its own.
    File(String),
    /// In an object of its own, whose key this is.
    Object(String),
}

impl Place {
    /// Files have no slash in their names, objects do in their keys.
    fn named(name: String) -> Self {
        if name.contains('/') { Self::Object(name) } else { Self::File(name) }
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::Segment(_) => None,
            Self::File(name) | Self::Object(name) => Some(name),
        }
    }
}

/// A place in the segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// Number of the segment, from 1.
    pub(super) segment: u32,
    /// Bytes from its beginning.
    pub(super) offset: u64,
}

/// A document's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) document: StoredDocument,
    pub(super) place: Place,
    /// CRC-32 of the bytes as they are stored.
    pub(super) crc: u32,
    /// What they are sealed with.
    pub(super) wrapped: Option<Wrapped>,
}

impl Row {
    fn read(row: &sql::Row<'_>) -> sql::Result<Self> {
        let place = match row.get(7)? {
            Some(name) => Place::named(name),
            None => Place::Segment(Position { segment: row.get(5)?, offset: bytes(row, 6)? }),
        };
        let document = StoredDocument {
            unique_id: row.get(0)?,
            mime_type: row.get(1)?,
            size: bytes(row, 2)?,
            sha1: row.get(3)?,
        };
        let wrapped = match (row.get(8)?, row.get(9)?) {
            (Some(key_id), Some(data_key)) => Some(Wrapped { key_id, data_key }),
            _ => None,
        };
        Ok(Self { document, place, crc: row.get(4)?, wrapped })
    }

    /// How many bytes are stored.
    pub(super) fn stored_size(&self) -> u64 {
        let size = self.document.size;
        if self.wrapped.is_some() { sealed_size(size) } else { size }
    }
}

/// Rows of a repository that fit.
fn select(which: &str) -> String {
    format!(
        "SELECT unique_id, mime_type, size, sha1, crc, segment, position, file, key_id, data_key
         FROM repository_document WHERE tenant = ?1 AND repository = ?2 AND {which}"
    )
}

/// Rows that were asked for, by uniqueId.
pub(super) struct Rows(HashMap<String, Arc<Row>>);

impl Rows {
    pub(super) fn read(asked: Asked<'_>) -> Result<Self, StoreError> {
        let by_id =
            |row: &sql::Row<'_>| Row::read(row).map(|row| (row.document.unique_id.clone(), Arc::new(row)));
        Ok(Self(asked.all(by_id)?))
    }

    pub(super) fn get(&self, unique_id: &str) -> Option<&Arc<Row>> {
        // PostgreSQL has no NUL: it stores, and gives, the picture of one.
        let pictured = || self.0.get(&unique_id.replace('\0', "\u{2400}"));
        self.0.get(unique_id).or_else(|| unique_id.contains('\0').then(pictured)?)
    }

    pub(super) fn into_documents(self) -> impl Iterator<Item = StoredDocument> {
        self.0.into_values().map(|row| row.document.clone())
    }
}

/// Bytes of a document that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Erasure {
    pub(super) place: Place,
    pub(super) size: u64,
}

impl Erasure {
    fn key(&self) -> (u32, i64, &str) {
        match &self.place {
            Place::Segment(position) => (position.segment, position.offset as i64, ""),
            Place::File(name) | Place::Object(name) => (0, 0, name),
        }
    }
}

/// The rows of one repository of one tenant.
#[derive(Clone)]
pub(super) struct Index {
    pub(super) tenant: Arc<str>,
    pub(super) repository: Arc<str>,
    /// Which part of the usage this process counts in.
    pub(super) part: u32,
}

impl Index {
    pub(super) fn new(tenant: Arc<str>, repository: &Oid) -> Self {
        let part = Uuid::new_v4().as_fields().0 % limits::USAGE_PARTS;
        Self { tenant, repository: repository.as_str().into(), part }
    }

    /// What a segment's record says about whose document it holds: enough to tell records apart, too little to tell whose
    /// it is to somebody who has only the file.
    pub(super) fn fingerprint(&self, unique_id: &str) -> [u8; 16] {
        let mut hasher = Sha256::new();
        for part in [&*self.tenant, &*self.repository, unique_id] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        let mut fingerprint = [0; 16];
        fingerprint.copy_from_slice(&hasher.finish()[..16]);
        fingerprint
    }

    pub(super) fn find(&self, connection: &Connection, unique_id: &str) -> Result<Option<Row>, StoreError> {
        let mut statement = connection.prepare_cached(&select("unique_id = ?3"))?;
        let row = statement.query_row(params![self.tenant, self.repository, unique_id], Row::read);
        Ok(row.optional()?)
    }

    /// Rows of these documents.
    pub(super) fn find_all(
        &self,
        connection: &Connection,
        unique_ids: Vec<String>,
    ) -> Result<Rows, StoreError> {
        Rows::read(self.ask_all(connection, unique_ids)?)
    }

    /// Asks for them.
    pub(super) fn ask_all<'c>(
        &self,
        connection: &'c Connection,
        unique_ids: Vec<String>,
    ) -> Result<Asked<'c>, StoreError> {
        let these = params![self.tenant, self.repository, List::Texts(unique_ids)];
        Ok(connection.ask(&select("unique_id IN (SELECT value FROM json_each(?))"), these)?)
    }

    /// Rows behind a uniqueId in their order, at most `most`.
    pub(super) fn after(
        &self,
        connection: &Connection,
        unique_id: &str,
        most: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let mut find = connection.prepare_cached(&select("unique_id > ?3 ORDER BY unique_id LIMIT ?4"))?;
        let after = params![self.tenant, self.repository, unique_id, most as i64];
        Ok(find.query_map(after, Row::read)?.collect::<Result<_, _>>()?)
    }

    pub(super) fn insert(&self, connection: &Connection, row: &Row) -> Result<(), StoreError> {
        let position = match &row.place {
            Place::Segment(position) => Some(position),
            _ => None,
        };
        connection
            .prepare_cached(
                "INSERT INTO repository_document (tenant, repository, unique_id, mime_type, size, sha1, crc, segment,
                     position, file, key_id, data_key)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?
            .run(params![
                self.tenant,
                self.repository,
                row.document.unique_id,
                row.document.mime_type,
                row.document.size as i64,
                row.document.sha1,
                row.crc,
                position.map(|p| p.segment),
                position.map(|p| p.offset as i64),
                row.place.name(),
                row.wrapped.as_ref().map(|wrapped| &wrapped.key_id),
                row.wrapped.as_ref().map(|wrapped| &wrapped.data_key),
            ])?;
        Ok(())
    }

    /// Takes a document's row away, and notes that its bytes are to follow.
    pub(super) fn remove(&self, connection: &Connection, row: &Row) -> Result<(), StoreError> {
        connection
            .prepare_cached(
                "DELETE FROM repository_document WHERE tenant = ?1 AND repository = ?2 AND unique_id = ?3",
            )?
            .run(params![self.tenant, self.repository, row.document.unique_id])?;
        let erasure = Erasure { size: row.stored_size(), place: row.place.clone() };
        self.note_erasure(connection, &erasure)
    }

    /// Notes bytes that are to be erased.
    pub(super) fn note_erasure(&self, connection: &Connection, erasure: &Erasure) -> Result<(), StoreError> {
        let (segment, position, file) = erasure.key();
        connection
            .prepare_cached(
                "INSERT INTO repository_erasure (tenant, repository, segment, position, file, size)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (tenant, repository, segment, position, file) DO NOTHING",
            )?
            .run(params![self.tenant, self.repository, segment, position, file, erasure.size as i64])?;
        Ok(())
    }

    /// Bytes that are to be erased, in the order of their places behind one; at most `most` documents.
    pub(super) fn erasures(
        &self,
        connection: &Connection,
        after: Option<&Erasure>,
        most: usize,
    ) -> Result<Vec<Erasure>, StoreError> {
        let (segment, position, file) = after.map_or((0, 0, ""), Erasure::key);
        let mut find = connection.prepare_cached(
            "SELECT segment, position, file, size FROM repository_erasure
             WHERE tenant = ?1 AND repository = ?2 AND (segment, position, file) > (?3, ?4, ?5)
             ORDER BY segment, position, file LIMIT ?6",
        )?;
        let behind = params![self.tenant, self.repository, segment, position, file, most as i64];
        let found = find.query_map(behind, |row| {
            let place = match row.get(0)? {
                0 => Place::named(row.get(2)?),
                segment => Place::Segment(Position { segment, offset: bytes(row, 1)? }),
            };
            Ok(Erasure { place, size: bytes(row, 3)? })
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// Notes that bytes are erased.
    pub(super) fn erased(&self, connection: &Connection, erasure: &Erasure) -> Result<(), StoreError> {
        let (segment, position, file) = erasure.key();
        connection
            .prepare_cached(
                "DELETE FROM repository_erasure
                 WHERE tenant = ?1 AND repository = ?2 AND segment = ?3 AND position = ?4 AND file = ?5",
            )?
            .run(params![self.tenant, self.repository, segment, position, file])?;
        Ok(())
    }

    /// Notes how far a segment is in use.
    pub(super) fn set_segment_end(&self, connection: &Connection, end: Position) -> Result<(), StoreError> {
        connection
            .prepare_cached(
                "INSERT INTO repository_segment (tenant, repository, segment, length) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (tenant, repository, segment) DO UPDATE SET length = excluded.length",
            )?
            .run(params![self.tenant, self.repository, end.segment, end.offset as i64])?;
        Ok(())
    }

    /// The last segment in use and how far it is.
    pub(super) fn segment_end(&self, connection: &Connection) -> Result<Option<Position>, StoreError> {
        let end = connection.query_row(
            "SELECT segment, length FROM repository_segment WHERE tenant = ?1 AND repository = ?2
             ORDER BY segment DESC LIMIT 1",
            params![self.tenant, self.repository],
            |row| Ok(Position { segment: row.get(0)?, offset: bytes(row, 1)? }),
        );
        Ok(end.optional()?)
    }

    /// Our name, given when it is asked for first.
    pub(super) fn name(&self, connection: &Connection) -> Result<String, StoreError> {
        connection.execute(
            "INSERT INTO repository_name (tenant, repository, name) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            params![self.tenant, self.repository, Uuid::new_v4().to_string()],
        )?;
        let find = "SELECT name FROM repository_name WHERE tenant = ?1 AND repository = ?2";
        Ok(connection.query_row(find, params![self.tenant, self.repository], |row| row.get(0))?)
    }

    /// Whether any document is in an object: their keys have a slash in them.
    pub(super) fn has_objects(&self, connection: &Connection) -> Result<bool, StoreError> {
        let mut statement = connection.prepare_cached(
            "SELECT 1 FROM repository_document WHERE tenant = ?1 AND repository = ?2 AND file LIKE ? LIMIT 1",
        )?;
        Ok(statement.exists(params![self.tenant, self.repository, "%/%"])?)
    }

    /// Whether a document refers to that file or object.
    pub(super) fn has_file(&self, connection: &Connection, file: &str) -> Result<bool, StoreError> {
        let mut statement = connection.prepare_cached(
            "SELECT 1 FROM repository_document WHERE tenant = ?1 AND repository = ?2 AND file = ?3",
        )?;
        Ok(statement.exists(params![self.tenant, self.repository, file])?)
    }
}

/// A number of bytes: SQLite's integers have a sign.
fn bytes(row: &sql::Row<'_>, column: usize) -> sql::Result<u64> {
    Ok(row.get::<i64>(column)? as u64)
}
