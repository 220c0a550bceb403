//! Keys in memory: those that are not in a run yet, and whom the latest writes share them with.

use std::collections::VecDeque;

use super::Marks;
use super::run::Entry;
use crate::limits;

/// Places in a chain beyond which it begins anew, long before their numbers end.
const MOST_PLACES: u32 = u32::MAX / 2;

/// Numbers by key, the latest first; the oldest may go. Keys are hashes.
struct Chains {
    /// Of keys that are alike in some bits, behind which place the latest is; 0: there is none. Made with the first.
    latest: Vec<u32>,
    alike: usize,
    links: VecDeque<Link>,
    /// How many there ever were.
    places: u32,
}

struct Link {
    key: u64,
    number: u32,
    /// What was the latest of its kind before.
    before: u32,
}

impl Chains {
    /// For about so many at once.
    fn of(most: usize) -> Self {
        let alike = most.next_power_of_two();
        Self { latest: Vec::new(), alike, links: VecDeque::new(), places: 0 }
    }
    fn alike(&self, key: u64) -> usize {
        // The last bit tells rare names from the other keys.
        (key >> 1) as usize & (self.alike - 1)
    }
    fn push(&mut self, key: u64, number: u32) {
        if self.latest.is_empty() {
            self.latest = vec![0; self.alike];
        }
        self.places += 1;
        let alike = self.alike(key);
        if let Some(latest) = self.latest.get_mut(alike) {
            let before = std::mem::replace(latest, self.places);
            self.links.push_back(Link { key, number, before });
        }
    }
    fn forget_oldest(&mut self, links: usize) {
        self.links.drain(..links.min(self.links.len()));
    }
    fn find(&self, key: u64) -> impl Iterator<Item = u32> + '_ {
        let first = self.places as usize - self.links.len();
        let at = move |place: u32| self.links.get((place as usize).checked_sub(first + 1)?);
        let latest = self.latest.get(self.alike(key)).and_then(|latest| at(*latest));
        let chain = std::iter::successors(latest, move |link| at(link.before));
        chain.filter(move |link| link.key == key).map(|link| link.number)
    }
}

/// Records by key.
pub(super) struct InMemory(Chains);

impl Default for InMemory {
    fn default() -> Self {
        Self(Chains::of(limits::MAX_KEYS_IN_MEMORY))
    }
}

impl InMemory {
    pub(super) fn len(&self) -> usize {
        self.0.links.len()
    }
    pub(super) fn insert(&mut self, key: u64, record: u32) {
        self.0.push(key, record);
    }
    /// Records with a key, the latest first.
    pub(super) fn find(&self, key: u64) -> impl Iterator<Item = u32> + '_ {
        self.0.find(key)
    }
    /// All of it, in the order of a run.
    pub(super) fn sorted(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.0.links.iter().map(|link| (link.key, link.number)).collect();
        entries.sort_unstable();
        entries
    }
}

/// The latest writes, and up to where earlier ones are forgotten.
pub(super) struct RecentlyWritten {
    latest: VecDeque<Recent>,
    /// How many went before them.
    gone: u32,
    forgotten: Marks,
    /// Writes by key.
    by_key: Chains,
}

/// A record that was just written.
struct Recent {
    record: u64,
    /// Where the record was added or changed.
    marks: Marks,
    keys: usize,
}

impl RecentlyWritten {
    /// Nothing is known of what was written up to some marks.
    pub(super) fn behind(forgotten: Marks) -> Self {
        let by_key = Chains::of(limits::MAX_RECENT_RECORDS * limits::MAX_BLOCKING_KEYS / 2);
        Self { latest: VecDeque::new(), gone: 0, forgotten, by_key }
    }
    /// Takes up a write; forgets the oldest.
    pub(super) fn push(&mut self, record: u64, marks: Marks, keys: &[u64]) {
        if self.by_key.places.max(self.gone) > MOST_PLACES {
            *self = Self::behind(self.latest.back().map_or(self.forgotten, |latest| latest.marks));
        }
        let number = self.gone + self.latest.len() as u32;
        keys.iter().for_each(|key| self.by_key.push(*key, number));
        self.latest.push_back(Recent { record, marks, keys: keys.len() });
        if self.latest.len() > limits::MAX_RECENT_RECORDS
            && let Some(oldest) = self.latest.pop_front()
        {
            self.by_key.forget_oldest(oldest.keys);
            self.gone += 1;
            self.forgotten = oldest.marks;
        }
    }
    /// Records written behind some marks that have one of the keys; None if those are no longer known.
    pub(super) fn since(&self, marks: Marks, keys: &[u64]) -> Option<Vec<u64>> {
        if !marks.reaches(self.forgotten) {
            return None;
        }
        let written = |number: u32| self.latest.get(number.checked_sub(self.gone)? as usize);
        let since = |key: &u64| {
            let writes = self.by_key.find(*key).map_while(written);
            writes.take_while(|recent| !marks.reaches(recent.marks)).map(|recent| recent.record)
        };
        Some(keys.iter().flat_map(since).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(record: u64) -> Marks {
        Marks { record, former: 0 }
    }

    #[test]
    fn the_latest_writes_are_known_by_key_and_what_went_before_is_not_guessed() {
        let mut recent = RecentlyWritten::behind(marks(10));
        let most = limits::MAX_RECENT_RECORDS as u64;
        let since = |recent: &RecentlyWritten, after, key| recent.since(marks(after), &[key]);
        // Keys that differ in bits that no chain looks at, and one that all have.
        for record in 11..=10 + most {
            recent.push(record, marks(record), &[2, (record % 3) << 40, record << 1]);
        }
        assert_eq!(since(&recent, 9, 2), None);
        assert_eq!(since(&recent, 10, 2).unwrap().len() as u64, most);
        assert_eq!(since(&recent, 8 + most, 2), Some(vec![10 + most, 9 + most]));
        assert_eq!(since(&recent, 10, 12 << 1), Some(vec![12]));
        assert_eq!(since(&recent, 12, 12 << 1), Some(vec![]));
        let thirds = since(&recent, 10, 1 << 40).unwrap();
        assert!(thirds.iter().all(|record| record % 3 == 1) && thirds.len() as u64 == most / 3);

        recent.push(11 + most, marks(11 + most), &[2]);
        assert_eq!((since(&recent, 10, 2), since(&recent, 11, 11 << 1)), (None, Some(vec![])));
        assert_eq!(since(&recent, 11, 2).unwrap().len() as u64, most);
        // All of what a chain goes back to is gone.
        for record in 1..=most {
            recent.push(11 + most + record, marks(11 + most + record), &[]);
        }
        assert_eq!(since(&recent, 11 + most, 2), Some(vec![]));
    }
}
