//! Keys in memory: those that are not in a run yet, and whom the latest writes share them with.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use super::Marks;
use super::run::Entry;
use crate::limits;

/// Keys are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash << 8 | u64::from(*byte));
    }
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

type ByKey<T> = HashMap<u64, T, BuildHasherDefault<Hashed>>;

/// No further one.
const END: u32 = u32::MAX;

/// Records by key. Of each key the last place is known, and from every place the one before.
#[derive(Default)]
pub(super) struct InMemory {
    last: ByKey<u32>,
    /// Key, record, and the place before of the same key.
    places: Vec<(u64, u32, u32)>,
}

impl InMemory {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }
    pub(super) fn insert(&mut self, key: u64, record: u32) {
        let place = self.places.len() as u32;
        let before = self.last.insert(key, place).unwrap_or(END);
        self.places.push((key, record, before));
    }
    /// Records with a key, the latest first.
    pub(super) fn find(&self, key: u64) -> impl Iterator<Item = u32> + '_ {
        let place = |place: u32| self.places.get(place as usize);
        let last = self.last.get(&key).and_then(|last| place(*last));
        std::iter::successors(last, move |(.., before)| place(*before)).map(|(_, record, _)| *record)
    }
    /// All of it, in the order of a run.
    pub(super) fn sorted(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.places.iter().map(|(key, record, _)| (*key, *record)).collect();
        entries.sort_unstable();
        entries
    }
}

/// The latest writes, and up to where earlier ones are forgotten.
#[derive(Default)]
pub(super) struct RecentlyWritten {
    latest: VecDeque<Recent>,
    /// How many went before them.
    gone: u64,
    forgotten: Marks,
    /// The number of the last write with a key.
    last: ByKey<u64>,
}

/// A record that was just written.
struct Recent {
    record: u64,
    /// Where the record was added or changed.
    marks: Marks,
    /// Its blocking keys, ascending, and behind each the number of the write before that has it.
    keys: Box<[(u64, Option<u64>)]>,
}

impl RecentlyWritten {
    /// Nothing is known of what was written up to some marks.
    pub(super) fn behind(forgotten: Marks) -> Self {
        Self { forgotten, ..Self::default() }
    }
    /// Takes up a write; forgets the oldest.
    pub(super) fn push(&mut self, record: u64, marks: Marks, keys: &[u64]) {
        let number = self.gone + self.latest.len() as u64;
        let keys = keys.iter().map(|key| (*key, self.last.insert(*key, number))).collect();
        self.latest.push_back(Recent { record, marks, keys });
        if self.latest.len() > limits::MAX_RECENT_RECORDS
            && let Some(oldest) = self.latest.pop_front()
        {
            for (key, _) in &oldest.keys {
                if self.last.get(key) == Some(&self.gone) {
                    self.last.remove(key);
                }
            }
            self.gone += 1;
            self.forgotten = oldest.marks;
        }
    }
    /// Records written behind some marks that have one of the keys; None if those are no longer known.
    pub(super) fn since(&self, marks: Marks, keys: &[u64]) -> Option<Vec<u64>> {
        if !marks.reaches(self.forgotten) {
            return None;
        }
        let mut news = Vec::new();
        for key in keys {
            let mut number = self.last.get(key).copied();
            while let Some(recent) = number.and_then(|number| self.written(number)) {
                if marks.reaches(recent.marks) {
                    break;
                }
                news.push(recent.record);
                let place = recent.keys.binary_search_by_key(key, |(key, _)| *key);
                number = place.ok().and_then(|place| recent.keys.get(place)?.1);
            }
        }
        Some(news)
    }
    fn written(&self, number: u64) -> Option<&Recent> {
        self.latest.get(number.checked_sub(self.gone)? as usize)
    }
}
