//! What lies in sled at the start is counted, and as much of it brought into memory as there is room for.

use std::ops::Bound;
use std::sync::atomic::Ordering;
use std::sync::{PoisonError, Weak};

use super::key::Key;
use super::memory::Stamps;
use super::{Entry, Inner, now};
use crate::limits;

/// How far entries are counted, in the order of their keys. What comes and goes behind that is counted later, or not at all.
#[derive(Default)]
pub(super) enum Counted {
    /// None yet.
    #[default]
    None,
    /// Up to this one.
    To(sled::IVec),
    All,
}

impl Counted {
    /// Whether a change of this entry changes the count; None where everything is counted.
    pub(super) fn covers(counted: Option<&Self>, key: &[u8]) -> bool {
        match counted {
            Some(Self::None) => false,
            Some(Self::To(last)) => key <= last.as_ref(),
            Some(Self::All) | None => true,
        }
    }
}

/// Counts what lies there and brings it into memory, which takes some seconds for each million: beside, so that the start
/// need not wait. Ends early when the cache is gone.
pub(super) fn take(cache: &Weak<Inner>) {
    let Some(stamps) = cache.upgrade().map(|inner| inner.memory.stamps()) else { return };
    let mut after = Bound::Unbounded;
    while let Some(inner) = cache.upgrade() {
        let some = inner.guarded(|inner| inner.take_stock_of_some(after.clone(), &stamps)).flatten();
        let Some(last) = some else {
            // A damaged page ends it, too: what lies behind it is not known.
            *inner.counted.lock().unwrap_or_else(PoisonError::into_inner) = Counted::All;
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
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut last = None;
        for pair in self.entries.range((after, Bound::Unbounded)).take(limits::CROSSREF_STOCK_AT_ONCE) {
            let (key, bytes) = pair?;
            self.count(1);
            if let (false, Some(name)) = (full, Key::read(&key, &self.tenant))
                && Entry::decode(&bytes).is_some_and(|entry| entry.expires > now)
            {
                self.memory.hold(&name, &bytes, stamps.of(&name));
            }
            last = Some(key);
        }
        *counted = last.clone().map_or(Counted::All, Counted::To);
        Ok(last)
    }
}
