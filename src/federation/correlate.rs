//! Correlation from configuration: a table of who is who elsewhere. PIX, XCPD and the cross-reference cache implement the
//! same trait.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::future::BoxFuture;
use serde::Deserialize;

use crate::federation::Correlate;
use crate::ids::{HomeCommunityId, PatientId};

/// A row of the table, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorrelationRow {
    /// The patient here, as CX.
    pub local: String,
    /// The community there.
    pub home: String,
    /// The patient there, as CX.
    pub patient: String,
}

type Identities = Vec<(HomeCommunityId, PatientId)>;

/// A correlation table; its rows can be replaced while it is used.
#[derive(Debug, Default)]
pub struct CorrelationTable(RwLock<Arc<HashMap<PatientId, Identities>>>);

impl CorrelationTable {
    /// A table of those rows, or one sentence for each row that is wrong.
    pub fn new(rows: &[CorrelationRow]) -> Result<Self, Vec<String>> {
        let table = Self::default();
        table.replace(rows)?;
        Ok(table)
    }

    /// Puts other rows in force; if any of them is wrong, the present ones stay.
    pub fn replace(&self, rows: &[CorrelationRow]) -> Result<(), Vec<String>> {
        let mut wrong = Vec::new();
        let mut identities = HashMap::<PatientId, Identities>::new();
        for (number, row) in (1..).zip(rows) {
            // Identifiers of patients are not repeated in messages that may reach a log.
            let mut cx = |text: &str, key: &str| {
                PatientId::parse(text)
                    .map_err(|_| wrong.push(format!("row {number}: {key} must read id^^^&OID&ISO")))
                    .ok()
            };
            let (local, patient) = (cx(&row.local, "local"), cx(&row.patient, "patient"));
            let home = HomeCommunityId::parse(&row.home)
                .map_err(|error| wrong.push(format!("row {number}: home: {error}")))
                .ok();
            if let (Some(local), Some(home), Some(patient)) = (local, home, patient) {
                let known = identities.entry(local).or_default();
                if !known.contains(&(home.clone(), patient.clone())) {
                    known.push((home, patient));
                }
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(identities);
        Ok(())
    }
}

impl Correlate for CorrelationTable {
    fn identities<'a>(&'a self, patient: &'a PatientId) -> BoxFuture<'a, Identities> {
        let table = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        Box::pin(std::future::ready(table.get(patient).cloned().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(local: &str, home: &str, patient: &str) -> CorrelationRow {
        CorrelationRow { local: local.into(), home: home.into(), patient: patient.into() }
    }

    #[tokio::test]
    async fn several_identities_per_community_and_none_for_strangers() {
        let table = CorrelationTable::new(&[
            row("1^^^&1.2&ISO", "urn:oid:1.5", "A^^^&1.3&ISO"),
            row("1^^^&1.2&ISO", "1.5", "B^^^&1.3&ISO"),
            row("1^^^&1.2&ISO", "urn:oid:1.5", "A^^^&1.3&ISO"),
        ])
        .unwrap();
        let patient = PatientId::parse("1^^^&1.2&ISO^^").unwrap();
        assert_eq!(table.identities(&patient).await.len(), 2);
        assert!(table.identities(&PatientId::parse("2^^^&1.2&ISO").unwrap()).await.is_empty());
    }

    #[test]
    fn every_wrong_row_is_named_without_naming_the_patient() {
        let rows = [row("secret", "urn:oid:1.5", "A^^^&1.3&ISO"), row("1^^^&1.2&ISO", "x", "secret")];
        let wrong = CorrelationTable::new(&rows).unwrap_err();
        assert_eq!(wrong.len(), 3);
        assert!(wrong[0].starts_with("row 1") && wrong.iter().all(|w| !w.contains("secret")));
    }
}
