//! The registry's tables, and the numbers that stand in them for names.
//!
//! The tenant leads every key. Of objects and patients it is the upper part of the number itself, so that in SQLite the
//! primary key leads with it too and one tenant's rows lie together. In PostgreSQL the primary key is both: statements name
//! the tenant beside the number, which SQLite finds a row by alone.

use std::collections::{BTreeSet, HashMap};

use super::retention;
use crate::ids::EntryUuid;
use crate::metadata::Kind;
use crate::metadata::codes;
use crate::store::sql::{Asked, Connection, List, OptionalExtension, params};
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
        Step::Both(LOCALS),
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

/// What ITI-64 asks for: in whose documents a local patient stands ([`Values::SourcePatientId`]). Of entries that were there
/// before, nothing is noted.
const LOCALS: &str =
    "CREATE INDEX registry_value_local ON registry_value (tenant, value) WHERE attribute = 6;";
const _: () = assert!(Values::SourcePatientId as i64 == 6);

/// Bits of a number below the tenant's.
const TENANT_SHIFT: u32 = 40;
/// All of them.
const LAST_NUMBER: i64 = (1 << TENANT_SHIFT) - 1;

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
        self.next(self.ask_greatest(connection, GREATEST_OBJECT)?)
    }
    /// Notes that a patient was announced, who gets a number now if there is none.
    pub(super) fn announced(self, connection: &Connection, cx: &str) -> Result<(), StoreError> {
        let free = self.next(self.ask_greatest(connection, GREATEST_PATIENT)?)?;
        let insert =
            "INSERT INTO registry_patient (patient, tenant, patient_id, announced) VALUES (?1, ?2, ?3, 1)
                      ON CONFLICT (tenant, patient_id) DO UPDATE SET announced = 1";
        connection.prepare_cached(insert)?.execute(params![free, self.0, cx])?;
        Ok(())
    }
    fn ask_greatest<'c>(self, connection: &'c Connection, greatest: &str) -> Result<Asked<'c>, StoreError> {
        let first = self.0 << TENANT_SHIFT;
        Ok(connection.ask(greatest, [first, first | LAST_NUMBER])?)
    }
    /// The number behind the greatest.
    fn next(self, greatest: Asked<'_>) -> Result<i64, StoreError> {
        let first = self.0 << TENANT_SHIFT;
        match greatest.first(|row| row.get(0))?.unwrap_or(first) {
            full if full >= first | LAST_NUMBER => {
                Err(StoreError::Damaged("a tenant ran out of numbers".to_owned()))
            }
            greatest => Ok(greatest + 1),
        }
    }
}

/// Not `max`: where PostgreSQL knows nothing of a table yet, it would read all of a tenant's rows for that.
const GREATEST_OBJECT: &str = "SELECT object FROM registry_object
    WHERE object BETWEEN ?1 AND ?2 AND +tenant = ?1 >> 40 ORDER BY object DESC LIMIT 1";
const GREATEST_PATIENT: &str = "SELECT patient FROM registry_patient
    WHERE patient BETWEEN ?1 AND ?2 AND +tenant = ?1 >> 40 ORDER BY patient DESC LIMIT 1";

/// The numbers that new objects and patients of a tenant get.
pub(super) struct FreeNumbers {
    tenant: TenantNumber,
    pub(super) object: i64,
    patient: i64,
    /// Of patients who have one.
    patients: HashMap<String, i64>,
}

/// [`FreeNumbers`] that were asked for.
pub(super) struct FreeNumbersAsked<'c> {
    tenant: TenantNumber,
    object: Asked<'c>,
    patient: Asked<'c>,
    patients: Asked<'c>,
}

impl FreeNumbers {
    /// Asks for them, and for what these patients have.
    pub(super) fn ask<'c>(
        connection: &'c Connection,
        tenant: TenantNumber,
        patients: BTreeSet<&str>,
    ) -> Result<FreeNumbersAsked<'c>, StoreError> {
        const FIND: &str = "SELECT patient_id, patient FROM registry_patient
            WHERE tenant = ?1 AND patient_id IN (SELECT value FROM json_each(?))";
        let patients = List::Texts(patients.into_iter().map(str::to_owned).collect());
        Ok(FreeNumbersAsked {
            tenant,
            object: tenant.ask_greatest(connection, GREATEST_OBJECT)?,
            patient: tenant.ask_greatest(connection, GREATEST_PATIENT)?,
            patients: connection.ask(FIND, params![tenant.0, patients])?,
        })
    }

    /// The number of a patient of those who were asked for, given now if there is none.
    pub(super) fn patient(&mut self, connection: &Connection, cx: &str) -> Result<i64, StoreError> {
        if let Some(known) = self.patients.get(cx) {
            return Ok(*known);
        }
        let patient = self.patient;
        connection
            .prepare_cached("INSERT INTO registry_patient (patient, tenant, patient_id) VALUES (?1, ?2, ?3)")?
            .run(params![patient, self.tenant.0, cx])?;
        self.patients.insert(cx.to_owned(), patient);
        self.patient += 1;
        Ok(patient)
    }
}

impl FreeNumbersAsked<'_> {
    /// Whose numbers they are.
    pub(super) fn tenant(&self) -> TenantNumber {
        self.tenant
    }
    /// The numbers, which nobody else gets before this transaction ends.
    pub(super) fn answer(self) -> Result<FreeNumbers, StoreError> {
        let Self { tenant, object, patient, patients } = self;
        Ok(FreeNumbers {
            tenant,
            object: tenant.next(object)?,
            patient: tenant.next(patient)?,
            patients: patients.all(|row| Ok((row.get(0)?, row.get(1)?)))?,
        })
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
    /// As a canonical CX.
    SourcePatientId,
}

impl Values {
    /// What the attribute is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AuthorPerson => "authorPerson",
            Self::EventCode => "eventCodeList",
            Self::ConfidentialityCode => "confidentialityCode",
            Self::ReferenceId => "referenceIdList",
            Self::FolderCode => "codeList",
            Self::SourcePatientId => "sourcePatientId",
        }
    }
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
