//! Correlation from configuration: a table of who is who elsewhere. PIX, XCPD and the cross-reference cache implement the
//! same trait.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::future::BoxFuture;

use crate::federation::Correlate;
use crate::ids::{HomeCommunityId, PatientId};

/// A row of the table: a patient of ours, a community, and the same person there.
pub type CorrelationRow = (PatientId, HomeCommunityId, PatientId);

type Identities = Vec<(HomeCommunityId, PatientId)>;

/// A correlation table; its rows can be replaced while it is used.
#[derive(Debug, Default)]
pub struct CorrelationTable(RwLock<Arc<HashMap<PatientId, Identities>>>);

impl CorrelationTable {
    /// A table of those rows.
    pub fn new(rows: impl IntoIterator<Item = CorrelationRow>) -> Self {
        let table = Self::default();
        table.replace(rows);
        table
    }

    /// Puts other rows in force.
    pub fn replace(&self, rows: impl IntoIterator<Item = CorrelationRow>) {
        let mut identities = HashMap::<PatientId, Identities>::new();
        for (local, home, remote) in rows {
            let known = identities.entry(local).or_default();
            if !known.contains(&(home.clone(), remote.clone())) {
                known.push((home, remote));
            }
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(identities);
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

    fn row(local: &str, home: &str, remote: &str) -> CorrelationRow {
        let patient = |text| PatientId::parse(text).unwrap();
        (patient(local), HomeCommunityId::parse(home).unwrap(), patient(remote))
    }

    #[tokio::test]
    async fn several_identities_per_community_and_none_for_strangers() {
        let table = CorrelationTable::new([
            row("1^^^&1.2&ISO", "urn:oid:1.5", "A^^^&1.3&ISO"),
            row("1^^^&1.2&ISO", "1.5", "B^^^&1.3&ISO"),
            row("1^^^&1.2&ISO", "urn:oid:1.5", "A^^^&1.3&ISO"),
        ]);
        let patient = PatientId::parse("1^^^&1.2&ISO^^").unwrap();
        assert_eq!(table.identities(&patient).await.len(), 2);
        assert!(table.identities(&PatientId::parse("2^^^&1.2&ISO").unwrap()).await.is_empty());
        table.replace([]);
        assert!(table.identities(&patient).await.is_empty());
    }
}
