//! Correlation from configuration: a table of who is who elsewhere. PIX, XCPD and the cross-reference cache implement the
//! same trait.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::future::BoxFuture;

use crate::federation::member::Member;
use crate::federation::{Correlate, Uncorrelated, Whereabouts};
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

impl CorrelationTable {
    /// The patient's identifiers in a community.
    pub fn find(&self, patient: &PatientId, member: &Member) -> Vec<PatientId> {
        let table = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        let there = table.get(patient).into_iter().flatten().filter(|(home, _)| member.is(home));
        there.map(|(_, id)| id.clone()).collect()
    }
}

impl Correlate for CorrelationTable {
    fn identities<'a>(
        &'a self,
        asked: Whereabouts<'a>,
    ) -> BoxFuture<'a, Result<Vec<PatientId>, Uncorrelated>> {
        Box::pin(std::future::ready(Ok(self.find(asked.patient, asked.member))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::federation::member::Role;

    fn row(local: &str, home: &str, remote: &str) -> CorrelationRow {
        let patient = |text| PatientId::parse(text).unwrap();
        (patient(local), HomeCommunityId::parse(home).unwrap(), patient(remote))
    }

    #[test]
    fn several_identities_per_community_and_none_for_strangers() {
        let table = CorrelationTable::new([
            row("1^^^&1.2&ISO", "urn:oid:1.5", "A^^^&1.3&ISO"),
            row("1^^^&1.2&ISO", "1.5", "B^^^&1.3&ISO"),
            row("1^^^&1.2&ISO", "urn:oid:1.5", "A^^^&1.3&ISO"),
        ]);
        let patient = PatientId::parse("1^^^&1.2&ISO^^").unwrap();
        let member =
            |home| Member::new(Role::Peer, "elsewhere", HomeCommunityId::parse(home).unwrap(), Vec::new());
        assert_eq!(table.find(&patient, &member("urn:oid:1.5")).len(), 2);
        assert!(table.find(&patient, &member("urn:oid:1.6")).is_empty());
        assert!(table.find(&PatientId::parse("2^^^&1.2&ISO").unwrap(), &member("1.5")).is_empty());
        table.replace([]);
        assert!(table.find(&patient, &member("1.5")).is_empty());
    }
}
