//! The patients of a registry: whom the feed announced, and who was merged into whom (ITI TF-2: 3.8.4.1.3, 3.8.4.2.3,
//! 3.44.4.1.3, 3.44.4.2.4; what a merge does to queries: 3.18.4.1.2.3.9). Runs in the writer, questions in readers.
//!
//! A merge gives everything that the subsumed identifier has to the surviving one, in the objects as they are returned and
//! in the columns that are asked: queries know nothing of merges, and a chain of them needs no walk. No message undoes one.

use std::collections::HashMap;

use super::RegistrySettings;
use super::rows;
use super::schema::TenantNumber;
use crate::ids::PatientId;
use crate::store::StoreError;
use crate::store::sql::{Asked, Connection, List, params};
use crate::transactions::identity::{Answer, ErrorCode, IdentityError, Place, Retry};

/// By what a registry knows its patients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KnownBy {
    /// Whoever has a document, too.
    #[default]
    Submissions,
    /// Only whom a Patient Identity Feed announced.
    Feed,
}

/// What a query about a patient whom nobody knows is answered with (ITI TF-2: 3.18.4.1.3: by policy).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownPatient {
    /// Nothing was found.
    #[default]
    Empty,
    /// XDSUnknownPatientId.
    Refused,
}

/// What a registry knows of a patient id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Unknown,
    /// Active; the patient's number.
    Known(i64),
    /// Merged into another patient, and of no use any more.
    Subsumed,
}

impl Standing {
    /// That of one patient.
    pub(super) fn of(
        connection: &Connection,
        tenant: TenantNumber,
        known_by: KnownBy,
        cx: &str,
    ) -> Result<Self, StoreError> {
        let found = Self::of_all(Self::ask(connection, tenant, vec![cx.to_owned()])?, known_by)?;
        Ok(found.into_values().next().unwrap_or(Self::Unknown))
    }

    /// Asks for the patients with these ids.
    pub(super) fn ask(
        connection: &Connection,
        tenant: TenantNumber,
        ids: Vec<String>,
    ) -> Result<Asked<'_>, StoreError> {
        const FIND: &str = "SELECT patient_id, patient, announced, survivor FROM registry_patient
            WHERE tenant = ?1 AND patient_id = ?2";
        const FIND_ALL: &str = "SELECT patient_id, patient, announced, survivor FROM registry_patient
            WHERE tenant = ?1 AND patient_id IN (SELECT value FROM json_each(?))";
        Ok(match ids.as_slice() {
            [id] => connection.ask(FIND, params![tenant.0, id])?,
            _ => connection.ask(FIND_ALL, params![tenant.0, List::Texts(ids)])?,
        })
    }

    /// What is known of them, by id.
    pub(super) fn of_all(asked: Asked<'_>, known_by: KnownBy) -> Result<HashMap<String, Self>, StoreError> {
        Ok(asked.all(|row| {
            let standing = match (row.get(2)?, row.get::<Option<i64>>(3)?) {
                (_, Some(_)) => Self::Subsumed,
                (false, None) if known_by == KnownBy::Feed => Self::Unknown,
                (_, None) => Self::Known(row.get(1)?),
            };
            Ok((row.get(0)?, standing))
        })?)
    }
}

/// Makes patients known, those whom the message has in that place of it. One that a merge ended stays ended.
pub(super) fn announce(
    connection: &Connection,
    tenant: TenantNumber,
    patients: &[(Place, PatientId)],
) -> Result<Answer<()>, StoreError> {
    let named: Vec<String> = patients.iter().map(|(_, id)| id.to_cx()).collect();
    let standing = Standing::of_all(Standing::ask(connection, tenant, named.clone())?, KnownBy::Feed)?;
    let ended = |cx: &String| standing.get(cx) == Some(&Standing::Subsumed);
    let errors: Vec<_> = (patients.iter().zip(&named))
        .filter(|(_, cx)| ended(cx))
        .map(|((place, _), _)| subsumed(place.clone()))
        .collect();
    if !errors.is_empty() {
        return Ok(Err(errors));
    }
    let announced = |cx: &&String| matches!(standing.get(*cx), Some(Standing::Known(_)));
    for cx in named.iter().filter(|cx| !announced(cx)) {
        tenant.announced(connection, cx)?;
    }
    Ok(Ok(()))
}

/// Ends an identifier: another stands for it and for everything that it has. Nothing changes where one of the two is not
/// active and known, or both are the same.
pub(super) fn merge(
    connection: &Connection,
    tenant: TenantNumber,
    settings: &RegistrySettings,
    surviving: &PatientId,
    ended: &PatientId,
) -> Result<Answer<()>, StoreError> {
    if surviving == ended {
        return Ok(Err(vec![IdentityError {
            code: ErrorCode::DuplicateKeyIdentifier,
            place: Place::Subsumed,
            text: "the surviving and the subsumed identifier are the same (ITI TF-2: 3.44.4.2.4)".to_owned(),
            retry: Retry::Pointless,
        }]));
    }
    let mut errors = Vec::new();
    let mut active = |id: &PatientId, place| -> Result<Option<i64>, StoreError> {
        match Standing::of(connection, tenant, settings.known_by, &id.to_cx())? {
            Standing::Known(patient) => return Ok(Some(patient)),
            Standing::Subsumed => errors.push(subsumed(place)),
            Standing::Unknown => errors.push(unknown(place)),
        }
        Ok(None)
    };
    let into = active(surviving, Place::Identifier(1))?;
    let from = active(ended, Place::Subsumed)?;
    let (Some(into), Some(from)) = (into, from) else { return Ok(Err(errors)) };
    connection
        .prepare_cached("UPDATE registry_patient SET survivor = ?2 WHERE patient = ?1 AND tenant = ?1 >> 40")?
        .execute([from, into])?;
    let cx = surviving.to_cx();
    for object in rows::of_patient(connection, tenant, from)? {
        rows::give_to(connection, object, into, &cx)?;
    }
    Ok(Ok(()))
}

pub(super) fn subsumed(place: Place) -> IdentityError {
    IdentityError::unknown_key(place, "this identifier was merged into another (ITI TF-2: 3.8.4.2.3)")
}

pub(super) fn unknown(place: Place) -> IdentityError {
    IdentityError::unknown_key(place, "this registry knows no such patient (ITI TF-2: 3.8.4.2.3)")
}
