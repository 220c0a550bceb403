//! What the makers of on-demand documents ask the registry (ITI TF-2: 3.43.4.2.2, 3.61.4): which entry is meant, what the
//! patient has, and which snapshot was the last. Runs in a reader.

use super::rows;
use super::schema::{Availability, TenantNumber, kind_number, uuid_urn};
use crate::limits;
use crate::metadata::{Kind, Object, Relation};
use crate::store::StoreError;
use crate::store::sql::{Connection, OptionalExtension, params};

/// An on-demand entry, as of a moment.
#[derive(Debug, Clone)]
pub struct OnDemandEntry {
    /// As it is returned.
    pub entry: Object,
    /// Approved stable entries of the same patient, but for snapshots; oldest submission first.
    pub documents: Vec<Object>,
    /// entryUUID of the approved snapshot, if there is one (IsSnapshotOf).
    pub snapshot: Option<String>,
}

impl OnDemandEntry {
    /// The approved on-demand entry of a uniqueId in a repository; the newest, if there are several.
    pub(super) fn find(
        connection: &Connection,
        tenant: TenantNumber,
        unique_id: &str,
        repository: &str,
    ) -> Result<Option<Self>, StoreError> {
        let found: Option<(i64, i64)> = connection
            .prepare_cached(
                "SELECT object, patient FROM registry_object
                 WHERE tenant = ?1 AND unique_id = ?2 AND kind = ?3 AND status = ?4 AND on_demand = 1
                     AND coalesce(repository, ?5) = ?5
                 ORDER BY object DESC LIMIT 1",
            )?
            .query_row(
                params![
                    tenant.0,
                    unique_id,
                    kind_number(Kind::DocumentEntry),
                    Availability::Approved as i64,
                    repository
                ],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        let Some((number, patient)) = found else { return Ok(None) };
        Ok(Some(Self {
            entry: rows::object(connection, number)?,
            documents: documents(connection, tenant, patient)?,
            snapshot: snapshot(connection, tenant, number)?,
        }))
    }
}

fn documents(connection: &Connection, tenant: TenantNumber, patient: i64) -> Result<Vec<Object>, StoreError> {
    let mut find = connection.prepare_cached(
        "SELECT e.object FROM registry_object e
         WHERE e.tenant = ?1 AND e.patient = ?2 AND e.kind = ?3 AND e.status = ?4 AND e.on_demand = 0
             AND NOT EXISTS (SELECT 1 FROM registry_object a
                 WHERE a.tenant = ?1 AND a.source = e.object AND a.relation = ?5)
         ORDER BY e.object LIMIT ?6",
    )?;
    let entry = kind_number(Kind::DocumentEntry);
    let found = find.query_map(
        params![
            tenant.0,
            patient,
            entry,
            Availability::Approved as i64,
            Relation::IsSnapshotOf as i64,
            limits::MAX_QUERY_RESULTS as i64
        ],
        |row| row.get(0),
    )?;
    found.map(|number| rows::object(connection, number?)).collect()
}

fn snapshot(
    connection: &Connection,
    tenant: TenantNumber,
    on_demand: i64,
) -> Result<Option<String>, StoreError> {
    let mut find = connection.prepare_cached(
        "SELECT e.uuid FROM registry_object a JOIN registry_object e ON e.object = a.source AND e.tenant = a.tenant
         WHERE a.tenant = ?1 AND a.target = ?2 AND a.relation = ?3 AND e.status = ?4
         ORDER BY e.object DESC LIMIT 1",
    )?;
    let found = find.query_row(
        params![tenant.0, on_demand, Relation::IsSnapshotOf as i64, Availability::Approved as i64],
        |row| row.get(0),
    );
    Ok(found.optional()?.map(uuid_urn))
}
