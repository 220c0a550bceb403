//! Who may be the same as a record: found by shared keys, compared, and what follows.

use std::cmp::Reverse;

use super::keys::{Keys, Sought};
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
    // What so many share says nothing.
    let mut sought = Sought::of(blocking.iter().map(|key| (*key, most_sharing(*key) + 1)));
    keys.find(&mut sought);
    let mut found: Vec<u32> = sought.few().collect();
    found.sort_unstable();
    let shared = found.chunk_by(|one, another| one == another);
    let mut candidates: Vec<_> =
        shared.filter_map(|same| Some((Reverse(same.len()), *same.first()?))).collect();
    candidates.sort_unstable();
    candidates.truncate(limits::MAX_CANDIDATES);
    candidates.into_iter().map(|(_, record)| record).collect()
}
