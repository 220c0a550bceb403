//! Objects as rows: what of an object stands in which column, inserting, finding, rewriting.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::fragment::{self, Fragment};
use super::prepare::Prepared;
use super::schema::{Availability, TenantNumber, Values, kind_number, kind_of, uuid_bytes, uuid_urn};
use crate::metadata::views::{CodeRef, DocumentEntry, Folder, SubmissionSet};
use crate::metadata::{Kind, Object, Relation};
use crate::store::{StoreError, rusqlite};
use crate::time;

/// What the rules want to know of an object that is in the registry.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) object: i64,
    pub(super) kind: Kind,
    pub(super) availability: Availability,
    pub(super) on_demand: bool,
    /// Canonical CX.
    pub(super) patient: Option<String>,
    /// Lower case.
    pub(super) hash: Option<String>,
    pub(super) size: Option<u64>,
}

const STORED: &str = "SELECT o.object, o.kind, o.status, o.on_demand, p.patient_id, o.hash, o.size, o.version
    FROM registry_object o LEFT JOIN registry_patient p ON p.patient = o.patient
    WHERE o.tenant = ?1 AND ";

impl Stored {
    /// The object with an entryUUID.
    pub(super) fn by_id(
        connection: &Connection,
        tenant: TenantNumber,
        id: &str,
    ) -> Result<Option<Self>, StoreError> {
        let Some(uuid) = uuid_bytes(id) else { return Ok(None) };
        let mut find = connection.prepare_cached(&format!("{STORED} o.uuid = ?2"))?;
        find.query_row(params![tenant.0, uuid], |row| Ok(Self::read(row))).optional()?.transpose()
    }
    /// The versions of a logical object (XDS Metadata Update: 4.2.1), with their numbers, oldest first. The first one's
    /// entryUUID is the logical id.
    pub(super) fn versions(
        connection: &Connection,
        tenant: TenantNumber,
        lid: &str,
    ) -> Result<Vec<(Self, i64)>, StoreError> {
        let Some(uuid) = uuid_bytes(lid) else { return Ok(Vec::new()) };
        let mut find = connection.prepare_cached(&format!(
            "{STORED} o.object IN (
                 SELECT object FROM registry_object WHERE tenant = ?1 AND uuid = ?2 AND version = 1
                 UNION ALL
                 SELECT object FROM registry_object WHERE tenant = ?1 AND logical_id = ?3 AND version > 1)
             ORDER BY o.version"
        ))?;
        let mut rows = find.query(params![tenant.0, uuid, uuid_urn(uuid)])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push((Self::read(row)?, row.get(7)?));
        }
        Ok(found)
    }
    /// All objects with a uniqueId.
    pub(super) fn by_unique_id(
        connection: &Connection,
        tenant: TenantNumber,
        unique_id: &str,
    ) -> Result<Vec<Self>, StoreError> {
        let mut find = connection.prepare_cached(&format!("{STORED} o.unique_id = ?2"))?;
        let mut rows = find.query(params![tenant.0, unique_id])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(Self::read(row)?);
        }
        Ok(found)
    }
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            object: row.get(0)?,
            kind: kind_of(row.get(1)?)?,
            availability: match row.get(2)? {
                0_i64 => Availability::Approved,
                _ => Availability::Deprecated,
            },
            on_demand: row.get::<_, Option<bool>>(3)?.unwrap_or(false),
            patient: row.get(4)?,
            hash: row.get(5)?,
            size: row.get::<_, Option<i64>>(6)?.map(i64::unsigned_abs),
        })
    }
}

/// The ends of an association, by number.
pub(super) type Ends = (i64, i64);

const INSERT: &str = "INSERT INTO registry_object (
    object, tenant, kind, status, uuid, logical_id, version, patient, unique_id,
    on_demand, repository, hash, size, class_code, type_code, format_code, facility_type_code,
    practice_setting_code, creation_time, service_start_time, service_stop_time,
    source_id, content_type_code, submission_time, last_update_time,
    relation, source, target, start, fragment)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,
    ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29)";

/// Inserts a new object under its number.
pub(super) fn insert(
    connection: &Connection,
    tenant: TenantNumber,
    number: i64,
    patient: Option<i64>,
    ends: Option<Ends>,
    prepared: &Prepared,
) -> Result<(), StoreError> {
    let object = &prepared.object;
    let uuid = uuid_bytes(&object.id)
        .ok_or_else(|| StoreError::Damaged("an object without UUID was to be stored".to_owned()))?;
    let entry = DocumentEntry::of(object);
    let set = SubmissionSet::of(object);
    let folder = Folder::of(object);
    let relation = object
        .association
        .as_ref()
        .and_then(|association| Relation::parse(&association.association_type))
        .map(|relation| relation as i64);
    connection.prepare_cached(INSERT)?.execute(params![
        number,
        tenant.0,
        kind_number(object.kind),
        Availability::Approved as i64,
        uuid,
        object.lid,
        patient,
        prepared.unique_id(),
        entry.map(DocumentEntry::is_on_demand),
        entry.and_then(DocumentEntry::repository_unique_id),
        entry.and_then(DocumentEntry::hash).map(str::to_ascii_lowercase),
        entry.and_then(DocumentEntry::size).and_then(|size| i64::try_from(size).ok()),
        entry.and_then(DocumentEntry::class_code).map(code_key),
        entry.and_then(DocumentEntry::type_code).map(code_key),
        entry.and_then(DocumentEntry::format_code).map(code_key),
        entry.and_then(DocumentEntry::facility_type_code).map(code_key),
        entry.and_then(DocumentEntry::practice_setting_code).map(code_key),
        entry.and_then(DocumentEntry::creation_time).and_then(moment),
        entry.and_then(DocumentEntry::service_start_time).and_then(moment),
        entry.and_then(DocumentEntry::service_stop_time).and_then(moment),
        set.and_then(SubmissionSet::source_id),
        set.and_then(SubmissionSet::content_type_code).map(code_key),
        set.and_then(SubmissionSet::submission_time).and_then(moment),
        folder.and_then(Folder::last_update_time).and_then(moment),
        relation,
        ends.map(|(source, _)| source),
        ends.map(|(_, target)| target),
        prepared.fragment.start as i64,
        prepared.fragment.bytes,
    ])?;
    insert_values(connection, number, object)
}

/// Inserts the attributes that may have several values.
fn insert_values(connection: &Connection, number: i64, object: &Object) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO registry_value VALUES (?1, ?2, ?3)")?;
    let mut add = |attribute: Values, value: &str| -> Result<(), StoreError> {
        insert.execute(params![number, attribute as i64, value])?;
        Ok(())
    };
    match object.kind {
        Kind::DocumentEntry => {
            let entry = DocumentEntry(object);
            for person in entry.authors().filter_map(|author| author.person()) {
                add(Values::AuthorPerson, person)?;
            }
            for code in entry.event_codes() {
                add(Values::EventCode, &code_key(code))?;
            }
            for code in entry.confidentiality_codes() {
                add(Values::ConfidentialityCode, &code_key(code))?;
            }
            for id in entry.reference_ids() {
                add(Values::ReferenceId, id)?;
            }
        }
        Kind::SubmissionSet => {
            for person in SubmissionSet(object).authors().filter_map(|author| author.person()) {
                add(Values::AuthorPerson, person)?;
            }
        }
        Kind::Folder => {
            for code in Folder(object).codes() {
                add(Values::FolderCode, &code_key(code))?;
            }
        }
        Kind::Association => {}
    }
    Ok(())
}

/// Changes an object that is stored. Of the columns, only status and lastUpdateTime may differ afterwards.
pub(super) fn rewrite(
    connection: &Connection,
    number: i64,
    change: impl FnOnce(&mut Object),
) -> Result<(), StoreError> {
    let fragment: Vec<u8> = connection
        .prepare_cached("SELECT fragment FROM registry_object WHERE object = ?1")?
        .query_row([number], |row| row.get(0))?;
    let mut object = fragment::read(&fragment)?;
    change(&mut object);
    let status = object.status.as_deref().and_then(Availability::parse);
    let updated = Folder::of(&object).and_then(Folder::last_update_time).and_then(moment);
    let fragment = Fragment::of(&object);
    connection
        .prepare_cached(
            "UPDATE registry_object SET status = ?2, last_update_time = ?3, start = ?4, fragment = ?5
             WHERE object = ?1",
        )?
        .execute(params![
            number,
            status.unwrap_or(Availability::Approved) as i64,
            updated,
            fragment.start as i64,
            fragment.bytes
        ])?;
    Ok(())
}

/// A coded value as it is compared: `code^^scheme`.
pub(super) fn code_key(code: CodeRef<'_>) -> String {
    format!("{}^^{}", code.code, code.scheme)
}

/// A DTM as it is compared: its earliest moment, as a number of 14 digits.
pub(super) fn moment(dtm: &str) -> Option<i64> {
    if time::is_dtm(dtm, 4) { time::floor(dtm).parse().ok() } else { None }
}
