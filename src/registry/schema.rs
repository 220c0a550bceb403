//! The registry's tables, and the numbers that stand in them for names.
//!
//! The tenant leads every key. Of objects and patients it is the upper part of the number itself, so that in SQLite the
//! primary key leads with it too and one tenant's rows lie together. In PostgreSQL the primary key is both: statements name
//! the tenant beside the number, which SQLite finds a row by alone.

use super::retention;
use crate::ids::EntryUuid;
use crate::metadata::Kind;
use crate::metadata::codes;
use crate::store::sql::{Connection, OptionalExtension, params};
use crate::store::{Migration, Step, StoreError};

/// The registry's tables.
pub const MIGRATION: Migration = Migration {
    room: "registry",
    steps: &[
        Step::Each { sqlite: FIRST, postgres: include_str!("schema.postgres.sql") },
        Step::Both(VERSIONS),
        Step::Both(IDENTITIES),
        Step::Both(AVAILABILITY),
        Step::Both(retention::DAYS),
        VALUES_OF_TENANTS,
        Step::Both(PACKED),
    ],
};

const FIRST: &str = "
CREATE TABLE registry_tenant (
    tenant INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE registry_patient (
    patient INTEGER PRIMARY KEY,           -- tenant << 40 | n
    tenant INTEGER NOT NULL,
    patient_id TEXT NOT NULL               -- CX
) STRICT;
CREATE UNIQUE INDEX registry_patient_id ON registry_patient (tenant, patient_id);

-- Every registry object. The columns are what queries and rules ask for; the answer is the fragment.
CREATE TABLE registry_object (
    object INTEGER PRIMARY KEY,            -- tenant << 40 | n, in the order of submission
    tenant INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    status INTEGER NOT NULL,
    uuid BLOB NOT NULL,                    -- 16 bytes
    logical_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    patient INTEGER,
    unique_id TEXT,
    -- of a DocumentEntry
    on_demand INTEGER,
    repository TEXT,
    hash TEXT,                             -- lower case
    size INTEGER,
    class_code TEXT,                       -- code^^scheme
    type_code TEXT,
    format_code TEXT,
    facility_type_code TEXT,
    practice_setting_code TEXT,
    creation_time INTEGER,                 -- YYYYMMDDhhmmss
    service_start_time INTEGER,
    service_stop_time INTEGER,
    -- of a SubmissionSet
    source_id TEXT,
    content_type_code TEXT,
    submission_time INTEGER,
    -- of a Folder
    last_update_time INTEGER,
    -- of an Association
    relation INTEGER,
    source INTEGER,
    target INTEGER,
    -- the object as it is returned: bytes of its start tag, and all of it
    start INTEGER NOT NULL,
    fragment BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX registry_object_uuid ON registry_object (tenant, uuid);
CREATE INDEX registry_object_unique_id ON registry_object (tenant, unique_id) WHERE unique_id IS NOT NULL;
CREATE INDEX registry_object_patient ON registry_object (tenant, patient, kind) WHERE patient IS NOT NULL;
CREATE INDEX registry_object_source ON registry_object (tenant, source, relation) WHERE source IS NOT NULL;
CREATE INDEX registry_object_target ON registry_object (tenant, target, relation) WHERE target IS NOT NULL;

-- Attributes with several values.
CREATE TABLE registry_value (
    object INTEGER NOT NULL,               -- leads with the tenant
    attribute INTEGER NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (object, attribute, value)
) STRICT, WITHOUT ROWID;

-- Accepted submissions, so that one that is sent again is answered again.
CREATE TABLE registry_submission (
    tenant INTEGER NOT NULL,
    unique_id TEXT NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (tenant, unique_id)
) STRICT, WITHOUT ROWID;
";

/// First versions are found by their entryUUID, which is the logical id: only what was updated costs an index.
const VERSIONS: &str = "
CREATE INDEX registry_object_logical_id ON registry_object (tenant, logical_id) WHERE version > 1;
";

/// What the Patient Identity Feed says.
const IDENTITIES: &str = "
-- A feed announced the patient, who may have no document yet.
ALTER TABLE registry_patient ADD COLUMN announced INTEGER NOT NULL DEFAULT 0;
-- The patient whom a merge put in this one's place.
ALTER TABLE registry_patient ADD COLUMN survivor INTEGER;
";

/// documentAvailability (XDS Metadata Update). An entry that says nothing is online.
const AVAILABILITY: &str = "
ALTER TABLE registry_object ADD COLUMN offline INTEGER;
";

/// In PostgreSQL they had it from the beginning.
const VALUES_OF_TENANTS: Step = Step::Each {
    sqlite: "
ALTER TABLE registry_value ADD COLUMN tenant INTEGER NOT NULL DEFAULT 0;
UPDATE registry_value SET tenant = object >> 40;
",
    postgres: "",
};

/// Fragments are packed from here on, which older programs cannot read. What is there stays as it is.
const PACKED: &str = "-- nothing";

/// Bits of a number below the tenant's.
const TENANT_SHIFT: u32 = 40;

/// A tenant's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TenantNumber(pub i64);

impl TenantNumber {
    /// The number of a tenant that has one.
    pub(super) fn find(connection: &Connection, name: &str) -> Result<Option<Self>, StoreError> {
        let mut find = connection.prepare_cached("SELECT tenant FROM registry_tenant WHERE name = ?1")?;
        Ok(find.query_row([name], |row| row.get(0)).optional()?.map(Self))
    }
    /// The number of a tenant, given to it now if it has none.
    pub(super) fn find_or_make(connection: &Connection, name: &str) -> Result<Self, StoreError> {
        if let Some(found) = Self::find(connection, name)? {
            return Ok(found);
        }
        let insert = "INSERT INTO registry_tenant (name) VALUES (?1) RETURNING tenant";
        Ok(Self(connection.query_row(insert, [name], |row| row.get(0))?))
    }
    /// The next free number of an object.
    pub(super) fn next_object(self, connection: &Connection) -> Result<i64, StoreError> {
        self.next(
            connection,
            "SELECT max(object) FROM registry_object WHERE object BETWEEN ?1 AND ?2 AND +tenant = ?1 >> 40",
        )
    }
    /// The number of a patient, given now if there is none.
    pub(super) fn patient(self, connection: &Connection, cx: &str) -> Result<i64, StoreError> {
        const FIND: &str = "SELECT patient FROM registry_patient WHERE tenant = ?1 AND patient_id = ?2";
        let mut find = connection.prepare_cached(FIND)?;
        if let Some(found) = find.query_row(params![self.0, cx], |row| row.get(0)).optional()? {
            return Ok(found);
        }
        let patient = self
            .next(connection, "SELECT max(patient) FROM registry_patient WHERE patient BETWEEN ?1 AND ?2 AND +tenant = ?1 >> 40")?;
        connection
            .prepare_cached("INSERT INTO registry_patient (patient, tenant, patient_id) VALUES (?1, ?2, ?3)")?
            .execute(params![patient, self.0, cx])?;
        Ok(patient)
    }
    fn next(self, connection: &Connection, greatest: &str) -> Result<i64, StoreError> {
        let first = self.0 << TENANT_SHIFT;
        let last = first | ((1 << TENANT_SHIFT) - 1);
        let greatest: Option<i64> =
            connection.prepare_cached(greatest)?.query_row([first, last], |row| row.get(0))?;
        match greatest.unwrap_or(first) {
            full if full >= last => Err(StoreError::Damaged("a tenant ran out of numbers".to_owned())),
            greatest => Ok(greatest + 1),
        }
    }
}

/// availabilityStatus, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Availability {
    Approved = 0,
    Deprecated = 1,
    /// Deprecated, and not the latest version.
    Superseded = 2,
}

impl Availability {
    pub(super) fn parse(urn: &str) -> Option<Self> {
        match urn {
            codes::APPROVED => Some(Self::Approved),
            codes::DEPRECATED => Some(Self::Deprecated),
            _ => None,
        }
    }
    pub(super) fn urn(self) -> &'static str {
        match self {
            Self::Approved => codes::APPROVED,
            Self::Deprecated | Self::Superseded => codes::DEPRECATED,
        }
    }
}

/// What stands in `kind`.
pub(super) fn kind_number(kind: Kind) -> i64 {
    match kind {
        Kind::DocumentEntry => 0,
        Kind::SubmissionSet => 1,
        Kind::Folder => 2,
        Kind::Association => 3,
    }
}

/// The opposite of [`kind_number`].
pub(super) fn kind_of(number: i64) -> Result<Kind, StoreError> {
    Ok(match number {
        0 => Kind::DocumentEntry,
        1 => Kind::SubmissionSet,
        2 => Kind::Folder,
        3 => Kind::Association,
        _ => return Err(StoreError::Damaged(format!("an object of kind {number}"))),
    })
}

/// Attributes with several values, as numbered in `registry_value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    AuthorPerson = 1,
    EventCode,
    ConfidentialityCode,
    ReferenceId,
    FolderCode,
}

/// The 16 bytes of an entryUUID; None for a text that is none.
pub(super) fn uuid_bytes(urn: &str) -> Option<[u8; 16]> {
    let urn = EntryUuid::parse(urn).ok()?;
    uuid::Uuid::parse_str(urn.as_str()).ok().map(uuid::Uuid::into_bytes)
}

/// The URN of 16 bytes.
pub(super) fn uuid_urn(bytes: [u8; 16]) -> String {
    uuid::Uuid::from_bytes(bytes).urn().encode_lower(&mut uuid::Uuid::encode_buffer()).to_owned()
}
