//! What lies in sled at the start is counted, and as much of it brought into memory as there is room for.

use std::ops::Bound;
use std::sync::Weak;
use std::sync::atomic::Ordering;

use super::key::Key;
use super::memory::Stamps;
use super::{Entry, Inner, now};
use crate::limits;

/// Counts what lies there and brings it into memory, which takes some seconds for each million: beside, so that the start
/// need not wait. Ends early when the cache is gone.
pub(super) fn take(cache: &Weak<Inner>) {
    let Some(stamps) = cache.upgrade().map(|inner| inner.memory.stamps()) else { return };
    let mut after = Bound::Unbounded;
    while let Some(inner) = cache.upgrade() {
        let some = inner.guarded(|inner| inner.take_stock_of_some(after.clone(), &stamps)).flatten();
        let Some(last) = some else {
            inner.counting.store(false, Ordering::Release);
            return;
        };
        after = Bound::Excluded(last);
    }
}

impl Inner {
    /// Gives the last key, as long as more may follow.
    fn take_stock_of_some(
        &self,
        after: Bound<sled::IVec>,
        stamps: &Stamps,
    ) -> sled::Result<Option<sled::IVec>> {
        let (now, full) = (now(), self.memory.is_full());
        let mut last = None;
        for pair in self.entries.range((after, Bound::Unbounded)).take(limits::CROSSREF_STOCK_AT_ONCE) {
            let (key, bytes) = pair?;
            self.counted(1);
            if let (false, Some(name)) = (full, Key::read(&key, &self.tenant))
                && Entry::decode(&bytes).is_some_and(|entry| entry.expires > now)
            {
                self.memory.hold(&name, &bytes, stamps.of(&name));
            }
            last = Some(key);
        }
        Ok(last)
    }
}
