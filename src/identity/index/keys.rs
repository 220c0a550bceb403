//! Which records have a key: blocking keys of matching, and what questions are narrowed down by. Derived from the records
//! and never wrong for long: a record that has lost a key is still found under it, and then does not fit.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};

use crate::limits;

/// How far records were written at some moment: their number and the number of changes to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marks {
    pub(super) record: u64,
    pub(super) former: u64,
}

/// A record that was just written.
#[derive(Debug, Clone)]
pub(super) struct Recent {
    pub(super) record: u64,
    /// Where the record was added or changed.
    pub(super) marks: Marks,
    /// Ascending.
    pub(super) keys: Arc<[u64]>,
}

/// The keys of one tenant's records.
pub(super) struct Keys {
    delta: RwLock<BTreeSet<(u64, u32)>>,
    recent: RwLock<RecentlyWritten>,
}

/// The latest writes, and up to where earlier ones are forgotten.
#[derive(Default)]
struct RecentlyWritten {
    latest: VecDeque<Recent>,
    forgotten: Marks,
}

impl Keys {
    pub(super) fn new(written: Marks) -> Self {
        let recent = RecentlyWritten { latest: VecDeque::new(), forgotten: written };
        Self { delta: RwLock::default(), recent: RwLock::new(recent) }
    }

    /// Adds a record's keys.
    pub(super) fn insert(&self, record: u64, keys: &[u64]) {
        let mut delta = self.delta.write().unwrap_or_else(PoisonError::into_inner);
        delta.extend(keys.iter().map(|key| (*key, record as u32)));
    }

    /// Adds a record's keys as it is written; the writer's.
    pub(super) fn write(&self, recent: Recent) {
        self.insert(recent.record, &recent.keys);
        let mut written = self.recent.write().unwrap_or_else(PoisonError::into_inner);
        written.latest.push_back(recent);
        if written.latest.len() > limits::MAX_RECENT_RECORDS
            && let Some(oldest) = written.latest.pop_front()
        {
            written.forgotten = oldest.marks;
        }
    }

    /// Records written behind some marks that have one of the keys, which ascend; None if those are no longer known.
    pub(super) fn written_since(&self, marks: Marks, keys: &[u64]) -> Option<Vec<u64>> {
        let written = self.recent.read().unwrap_or_else(PoisonError::into_inner);
        let is_behind = |at: Marks| at.record > marks.record || at.former > marks.former;
        if is_behind(written.forgotten) {
            return None;
        }
        let news = written.latest.iter().rev().take_while(|recent| is_behind(recent.marks));
        Some(news.filter(|recent| share(&recent.keys, keys)).map(|recent| recent.record).collect())
    }

    /// Appends up to `most` records with a key.
    pub(super) fn find(&self, key: u64, most: usize, into: &mut Vec<u32>) {
        let delta = self.delta.read().unwrap_or_else(PoisonError::into_inner);
        into.extend(delta.range((key, 0)..=(key, u32::MAX)).take(most).map(|(_, record)| *record));
    }
}

/// Whether two ascending lists have something in common.
fn share(a: &[u64], b: &[u64]) -> bool {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        match x.cmp(y) {
            std::cmp::Ordering::Less => drop(a.next()),
            std::cmp::Ordering::Greater => drop(b.next()),
            std::cmp::Ordering::Equal => return true,
        }
    }
    false
}
