//! Entries that were read or written lately, in memory, in front of sled: there a read touches several pages, and each 64th
//! touch of a page puts sled's own books in order, which is what its slowest reads wait for.
//!
//! Nothing here outlives what sled says. Each entry has its patient's [`Stamp`] from *before* sled was read, and holds only
//! while the stamp is still the same; whoever changes or removes what sled has renews the stamp *behind* it. So what a reader
//! brings who was overtaken by a writer is never believed. Patients share stamps: a change costs a few others a read of sled.

use std::hash::RandomState;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

use super::key::Key;
use crate::limits;

/// Entries in memory, bounded by their bytes.
pub(super) struct Memory {
    held: Cache<Box<[u8]>, Held, Bytes, RandomState>,
    stamps: Box<[AtomicU64]>,
}

/// How often something was changed of a patient, or of another who has the same stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp(u64);

/// All stamps as they were.
pub(super) struct Stamps(Box<[Stamp]>);

#[derive(Clone)]
struct Held {
    entry: Arc<[u8]>,
    stamp: Stamp,
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Box<[u8]>, Held> for Bytes {
    fn weight(&self, key: &Box<[u8]>, held: &Held) -> u64 {
        (key.len() + held.entry.len()) as u64 + limits::CROSSREF_HELD_OVERHEAD
    }
}

impl Memory {
    /// Of so many bytes.
    pub fn new(bytes: u64) -> Result<Self, String> {
        let entries = usize::try_from(bytes / limits::CROSSREF_HELD_BYTES).unwrap_or(usize::MAX);
        let options = OptionsBuilder::new()
            .shards(limits::CROSSREF_MEMORY_SHARDS)
            .estimated_items_capacity(entries)
            .weight_capacity(bytes)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            held: Cache::with_options(options, Bytes, RandomState::new(), DefaultLifecycle::default()),
            stamps: (0..limits::CROSSREF_STAMPS).map(|_| AtomicU64::new(0)).collect(),
        })
    }

    /// An entry that still holds.
    pub fn get(&self, key: &Key) -> Option<Arc<[u8]>> {
        let Held { entry, stamp } = self.held.get(key.in_tenant())?;
        (stamp == self.stamp(key)).then_some(entry)
    }

    /// To be taken before sled is read or written.
    pub fn stamp(&self, key: &Key) -> Stamp {
        Stamp(self.stamps[key.share_of(self.stamps.len())].load(Ordering::Acquire))
    }

    /// All of them, to be taken before much of sled is read.
    pub fn stamps(&self) -> Stamps {
        Stamps(self.stamps.iter().map(|stamp| Stamp(stamp.load(Ordering::Acquire))).collect())
    }

    /// Holds what sled said, or was told, after the stamp was taken.
    pub fn hold(&self, key: &Key, entry: &[u8], stamp: Stamp) {
        self.held.insert(key.in_tenant().into(), Held { entry: entry.into(), stamp });
    }

    /// To be called behind a change of what sled had; gives the stamp of what was written by it, unless somebody else changed
    /// something, too, since `before` was taken.
    pub fn renew(&self, key: &Key, before: Stamp) -> Option<Stamp> {
        let was = self.stamps[key.share_of(self.stamps.len())].fetch_add(1, Ordering::AcqRel);
        (was == before.0).then_some(Stamp(was + 1))
    }

    /// Behind a removal from sled.
    pub fn forget(&self, key: &Key) {
        self.renew(key, Stamp(0));
        self.held.remove(key.in_tenant());
    }

    /// Behind the removal of everything.
    pub fn forget_all(&self) {
        for stamp in &self.stamps {
            stamp.fetch_add(1, Ordering::AcqRel);
        }
        self.held.clear();
    }

    /// Whether what is brought now pushes out something else.
    pub fn is_full(&self) -> bool {
        self.held.weight() >= self.held.capacity() / 100 * limits::CROSSREF_MEMORY_FULL_PERCENT
    }

    /// Entries, whether they still hold or not.
    pub fn count(&self) -> usize {
        self.held.len()
    }
}

impl Stamps {
    /// That of an entry.
    pub fn of(&self, key: &Key) -> Stamp {
        self.0[key.share_of(self.0.len())]
    }
}
