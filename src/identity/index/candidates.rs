//! Who may be the same as a record: found by shared keys, compared, and what follows.

use std::collections::HashMap;

use super::keys::Keys;
use super::schema::Tables;
use crate::identity::matching::{Comparison, Prepared, Verdict, most_sharing};
use crate::limits;
use crate::store::StoreError;

/// A record that may be the same person's, as it was compared.
#[derive(Debug, Clone)]
pub(super) struct Scored {
    pub(super) record: i64,
    pub(super) revision: i64,
    pub(super) comparison: Comparison,
}

impl Tables<'_> {
    /// All that may be the same person's as a prepared record, `own` left out.
    pub(super) fn score_all(
        self,
        keys: &Keys,
        prepared: &Prepared,
        blocking: &[u64],
        own: Option<i64>,
    ) -> Result<Vec<Scored>, StoreError> {
        let found = candidates(keys, blocking).into_iter().map(|record| self.global(u64::from(record)));
        let mut scored = Vec::new();
        self.each_comparable(
            found.filter(|candidate| Some(*candidate) != own),
            |record, revision, other| {
                scored.extend(self.score(prepared, record, revision, other));
            },
        )?;
        Ok(scored)
    }
    /// Compares a record with a prepared one; None if it is clearly another.
    pub(super) fn score(
        self,
        prepared: &Prepared,
        record: i64,
        revision: i64,
        other: &Prepared,
    ) -> Option<Scored> {
        let comparison = self.matcher.model.compare(prepared, other);
        let alike = self.matcher.thresholds.verdict(&comparison) != Verdict::Different;
        alike.then_some(Scored { record, revision, comparison })
    }
}

/// Records that share a key, those that share the most first; a bounded number of them.
pub(super) fn candidates(keys: &Keys, blocking: &[u64]) -> Vec<u32> {
    let mut found = Vec::new();
    for key in blocking {
        let before = found.len();
        let most = most_sharing(*key);
        keys.find(*key, most + 1, &mut found);
        if found.len() - before > most {
            // So many share it that it says nothing.
            found.truncate(before);
        }
    }
    let mut shared: HashMap<u32, usize> = HashMap::with_capacity(found.len());
    for record in found {
        *shared.entry(record).or_default() += 1;
    }
    let mut candidates: Vec<_> = shared.into_iter().collect();
    candidates.sort_unstable_by_key(|(record, shared)| (std::cmp::Reverse(*shared), *record));
    candidates.truncate(limits::MAX_CANDIDATES);
    candidates.into_iter().map(|(record, _)| record).collect()
}
