//! Objects as rows: what of an object stands in which column, inserting, finding, rewriting.

use std::collections::HashMap;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::fragment::{self, Fragment};
use super::prepare::Prepared;
use super::schema::{Availability, TenantNumber, Values, kind_number, kind_of, uuid_bytes, uuid_urn};
use crate::ids::PatientId;
use crate::limits;
use crate::metadata::codes::{self, identifier, slot};
use crate::metadata::views::{AuthorRef, CodeRef, DocumentEntry, Folder, SubmissionSet};
use crate::metadata::{Kind, Object, Relation};
use crate::store::sql::{Asked, Connection, List, OptionalExtension, Row, params};
use crate::store::{StoreError, sql};
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
    /// Its number among the versions of its object, from 1.
    pub(super) version: i64,
}

const STORED: &str =
    "SELECT o.object, o.kind, o.status, o.on_demand, p.patient_id, o.hash, o.size, o.version,
        o.uuid, o.unique_id
    FROM registry_object o LEFT JOIN registry_patient p ON p.patient = o.patient AND p.tenant = o.tenant
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
    /// The object of a number.
    pub(super) fn by_number(
        connection: &Connection,
        tenant: TenantNumber,
        number: i64,
    ) -> Result<Option<Self>, StoreError> {
        let mut find = connection.prepare_cached(&format!("{STORED} o.object = ?2"))?;
        find.query_row([tenant.0, number], |row| Ok(Self::read(row))).optional()?.transpose()
    }
    /// The versions of a logical object (XDS Metadata Update: 4.2.1), oldest first. The first one's
    /// entryUUID is the logical id.
    pub(super) fn versions(
        connection: &Connection,
        tenant: TenantNumber,
        lid: &str,
    ) -> Result<Vec<Self>, StoreError> {
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
            found.push(Self::read(&row)?);
        }
        Ok(found)
    }
    /// Asks for the objects with one of these entryUUIDs. What is no UUID is no object's.
    pub(super) fn ask_ids<'c, 'i>(
        connection: &'c Connection,
        tenant: TenantNumber,
        ids: impl Iterator<Item = &'i str>,
    ) -> Result<Asked<'c>, StoreError> {
        let uuids = ids.filter_map(uuid_bytes).map(|uuid| uuid.to_vec()).collect();
        let sql = format!("{STORED} o.uuid IN (SELECT unhex(value) FROM json_each(?))");
        Ok(connection.ask(&sql, params![tenant.0, List::Blobs(uuids)])?)
    }
    /// Asks for the objects with one of these uniqueIds.
    pub(super) fn ask_unique_ids(
        connection: &Connection,
        tenant: TenantNumber,
        unique_ids: Vec<String>,
    ) -> Result<Asked<'_>, StoreError> {
        let sql = format!("{STORED} o.unique_id IN (SELECT value FROM json_each(?)) ORDER BY o.object");
        Ok(connection.ask(&sql, params![tenant.0, List::Texts(unique_ids)])?)
    }
    /// Them, by entryUUID.
    pub(super) fn by_ids(asked: Asked<'_>) -> Result<HashMap<String, Self>, StoreError> {
        let found: Vec<_> = asked.all(|row| Ok((uuid_urn(row.get(8)?), Self::read(row))))?;
        found.into_iter().map(|(id, stored)| Ok((id, stored?))).collect()
    }
    /// Them, by uniqueId; of each, the oldest first.
    pub(super) fn by_unique_ids(asked: Asked<'_>) -> Result<HashMap<String, Vec<Self>>, StoreError> {
        let mut by_unique_id: HashMap<String, Vec<Self>> = HashMap::new();
        let found: Vec<(String, _)> = asked.all(|row| Ok((row.get(9)?, Self::read(row))))?;
        for (unique_id, stored) in found {
            by_unique_id.entry(unique_id).or_default().push(stored?);
        }
        Ok(by_unique_id)
    }
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            object: row.get(0)?,
            kind: kind_of(row.get(1)?)?,
            availability: match row.get(2)? {
                0_i64 => Availability::Approved,
                2 => Availability::Superseded,
                _ => Availability::Deprecated,
            },
            on_demand: row.get::<Option<bool>>(3)?.unwrap_or(false),
            patient: row.get(4)?,
            hash: row.get(5)?,
            size: row.get::<Option<i64>>(6)?.map(i64::unsigned_abs),
            version: row.get(7)?,
        })
    }
}

/// An association, by numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) number: i64,
    pub(super) source: i64,
    pub(super) target: i64,
    pub(super) relation: Option<i64>,
    pub(super) approved: bool,
}

impl Link {
    /// The association of a number.
    pub(super) fn of(connection: &Connection, number: i64) -> Result<Self, StoreError> {
        const FIND: &str = "SELECT object, source, target, relation, status FROM registry_object WHERE object = ?1 AND tenant = ?1 >> 40";
        Ok(connection.prepare_cached(FIND)?.query_row([number], Self::read)?)
    }
    /// Every association that begins or ends at an object.
    pub(super) fn at(
        connection: &Connection,
        tenant: TenantNumber,
        number: i64,
    ) -> Result<Vec<Self>, StoreError> {
        let mut find = connection.prepare_cached(
            "SELECT object, source, target, relation, status FROM registry_object WHERE tenant = ?1 AND source = ?2
             UNION
             SELECT object, source, target, relation, status FROM registry_object WHERE tenant = ?1 AND target = ?2",
        )?;
        let found = find.query_map([tenant.0, number], Self::read)?;
        Ok(found.collect::<Result<_, _>>()?)
    }
    fn read(row: &Row<'_>) -> sql::Result<Self> {
        Ok(Self {
            number: row.get(0)?,
            source: row.get(1)?,
            target: row.get(2)?,
            relation: row.get(3)?,
            approved: row.get::<i64>(4)? == Availability::Approved as i64,
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
    relation, source, target, start, fragment, offline)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,
    ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31)";

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
    connection.prepare_cached(INSERT)?.run(params![
        number,
        tenant.0,
        kind_number(object.kind),
        object.status.as_deref().and_then(Availability::parse).unwrap_or(Availability::Approved) as i64,
        uuid,
        object.lid,
        version_number(object.version.as_deref()).unwrap_or(1),
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
        prepared.fragment.stored,
        object.slot_value(slot::DOCUMENT_AVAILABILITY).map(|availability| availability == codes::OFFLINE),
    ])?;
    let mut insert = connection.prepare_cached("INSERT INTO registry_value (tenant, object, attribute, value) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?;
    for (attribute, value) in &prepared.values {
        insert.run(params![tenant.0, number, *attribute as i64, value])?;
    }
    Ok(())
}

/// A local patient, as link changes name them (ITI-64): none that no key holds.
fn local(object: &Object) -> Option<String> {
    let local = PatientId::parse(object.slot_value(slot::SOURCE_PATIENT_ID)?).ok()?.to_cx();
    (local.len() <= limits::MAX_KEY_BYTES).then_some(local)
}

/// The attributes that are found by a value of their own, as they are compared.
pub(super) fn values(object: &Object) -> Vec<(Values, String)> {
    let person =
        |author: AuthorRef<'_>| Some((Values::AuthorPerson, comparable(author.person()?.to_owned())));
    let coded = |attribute| move |code| (attribute, code_key(code));
    match object.kind {
        Kind::DocumentEntry => {
            let entry = DocumentEntry(object);
            let references = entry.reference_ids().iter();
            let authors = entry.authors().filter_map(person);
            let events = entry.event_codes().map(coded(Values::EventCode));
            let confidentiality = entry.confidentiality_codes().map(coded(Values::ConfidentialityCode));
            let references = references.map(|id| (Values::ReferenceId, comparable(id.to_owned())));
            let local = local(object).map(|cx| (Values::SourcePatientId, cx));
            authors.chain(events).chain(confidentiality).chain(references).chain(local).collect()
        }
        Kind::SubmissionSet => SubmissionSet(object).authors().filter_map(person).collect(),
        Kind::Folder => Folder(object).codes().map(coded(Values::FolderCode)).collect(),
        Kind::Association => Vec::new(),
    }
}

/// The number of a version. `1.1` is what ebRIM says where nobody said anything.
pub(super) fn version_number(name: Option<&str>) -> Option<i64> {
    match name?.trim() {
        "1.1" => Some(1),
        number => number.parse().ok().filter(|number| *number > 0),
    }
}

/// An object as it is stored.
pub(super) fn object(connection: &Connection, number: i64) -> Result<Object, StoreError> {
    let fragment: Vec<u8> = connection
        .prepare_cached("SELECT fragment FROM registry_object WHERE object = ?1 AND tenant = ?1 >> 40")?
        .query_row([number], |row| row.get(0))?;
    fragment::read(&fragment)
}

/// Makes objects older versions of others.
pub(super) fn supersede(
    connection: &Connection,
    tenant: TenantNumber,
    objects: Vec<i64>,
) -> Result<(), StoreError> {
    rewrite(connection, tenant, objects.clone(), |object| {
        object.status = Some(Availability::Superseded.urn().to_owned());
    })?;
    let set = "UPDATE registry_object SET status = ?2 WHERE +tenant = ?1
        AND object IN (SELECT value FROM json_each(?))";
    let superseded = Availability::Superseded as i64;
    connection.prepare_cached(set)?.run(params![tenant.0, superseded, List::Integers(objects)])?;
    Ok(())
}

/// Changes objects that are stored. Of the columns, only status and lastUpdateTime may differ afterwards.
pub(super) fn rewrite(
    connection: &Connection,
    tenant: TenantNumber,
    objects: Vec<i64>,
    change: impl Fn(&mut Object),
) -> Result<(), StoreError> {
    if objects.is_empty() {
        return Ok(());
    }
    let find = "SELECT object, fragment FROM registry_object WHERE +tenant = ?1
        AND object IN (SELECT value FROM json_each(?))";
    let stored = connection.ask(find, params![tenant.0, List::Integers(objects)])?;
    let stored: Vec<(i64, Vec<u8>)> = stored.all(|row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut update = connection.prepare_cached(
        "UPDATE registry_object SET status = ?3, last_update_time = ?4, start = ?5, fragment = ?6
         WHERE object = ?2 AND +tenant = ?1",
    )?;
    for (number, fragment) in stored {
        let mut object = fragment::read(&fragment)?;
        change(&mut object);
        let status = object.status.as_deref().and_then(Availability::parse);
        let updated = Folder::of(&object).and_then(Folder::last_update_time).and_then(moment);
        let fragment = Fragment::of(&object);
        update.run(params![
            tenant.0,
            number,
            status.unwrap_or(Availability::Approved) as i64,
            updated,
            fragment.start as i64,
            fragment.stored
        ])?;
    }
    Ok(())
}

/// The entryUUIDs of objects, by number.
pub(super) fn ids_of(
    connection: &Connection,
    tenant: TenantNumber,
    objects: Vec<i64>,
) -> Result<HashMap<i64, String>, StoreError> {
    if objects.is_empty() {
        return Ok(HashMap::new());
    }
    let find = "SELECT object, uuid FROM registry_object WHERE +tenant = ?1
        AND object IN (SELECT value FROM json_each(?))";
    let asked = connection.ask(find, params![tenant.0, List::Integers(objects)])?;
    Ok(asked.all(|row| Ok((row.get(0)?, uuid_urn(row.get(1)?))))?)
}

/// Every object of a patient.
pub(super) fn of_patient(
    connection: &Connection,
    tenant: TenantNumber,
    patient: i64,
) -> Result<Vec<i64>, StoreError> {
    const FIND: &str = "SELECT object FROM registry_object WHERE tenant = ?1 AND patient = ?2";
    let mut find = connection.prepare_cached(FIND)?;
    let found = find.query_map([tenant.0, patient], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Makes an object another patient's. It is no new version: whoever asks sees it as if it had always been so.
pub(super) fn give_to(
    connection: &Connection,
    number: i64,
    patient: i64,
    cx: &str,
) -> Result<(), StoreError> {
    let mut object = object(connection, number)?;
    set_patient(&mut object, cx);
    let fragment = Fragment::of(&object);
    connection
        .prepare_cached(
            "UPDATE registry_object SET patient = ?2, start = ?3, fragment = ?4 WHERE object = ?1 AND tenant = ?1 >> 40",
        )?
        .execute(params![number, patient, fragment.start as i64, fragment.stored])?;
    Ok(())
}

/// Writes a patientId into an object.
pub(super) fn set_patient(object: &mut Object, cx: &str) {
    let scheme = match object.kind {
        Kind::DocumentEntry => identifier::DE_PATIENT_ID,
        Kind::SubmissionSet => identifier::SS_PATIENT_ID,
        Kind::Folder => identifier::FOLDER_PATIENT_ID,
        Kind::Association => return,
    };
    for identifier in object.external_identifiers.iter_mut().filter(|one| one.scheme == scheme) {
        cx.clone_into(&mut identifier.value);
    }
}

/// A coded value as it is compared: `code^^scheme`.
pub(super) fn code_key(code: CodeRef<'_>) -> String {
    comparable(format!("{}^^{}", code.code, code.scheme))
}

/// A text as it is compared: in Unicode's normalization form C (ITI TF-2: Appendix F).
pub(super) fn comparable(text: String) -> String {
    if is_nfc(&text) { text } else { text.nfc().collect() }
}

/// A DTM as it is compared: its earliest moment, as a number of 14 digits.
pub(super) fn moment(dtm: &str) -> Option<i64> {
    if time::is_dtm(dtm, 4) { time::floor(dtm).parse().ok() } else { None }
}
