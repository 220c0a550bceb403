//! Records as they are compared, in memory, as far as it may be taken: a candidate costs a look then, and no way through the
//! database.
//!
//! The database holds the truth, and whatever is not known here is asked there:
//! - A record is taken up by whoever first reads it there, or by the writer once a change is committed.
//! - While a change is under way, and for good where nobody knows what became of it, nothing is told of its record.
//!
//! So what a reader finds is never older than the moment of its transaction. It may be newer: then the writer sees, by what
//! was written since, that it has to look again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::identity::matching::Prepared;

/// Who writes into one part keeps readers from no other.
const PARTS: u32 = 64;
/// Bytes that a record takes beside its place and those that are compared: what the allocator adds.
const BESIDE: usize = 16;

/// What is known of an index's records.
pub(super) struct Memory {
    /// By the last bits of a record's number, then by the rest.
    parts: Vec<RwLock<Vec<Held>>>,
    changing: Mutex<Changing>,
    room: Arc<Room>,
    /// There was no room for a record: others may be missing whose change nobody noted.
    full: AtomicBool,
}

/// Bytes of memory that an index may take, for records and for their keys.
pub(super) struct Room {
    most: AtomicUsize,
    taken: AtomicUsize,
}

impl Room {
    pub(super) fn of(most: usize) -> Arc<Self> {
        Arc::new(Self { most: AtomicUsize::new(most), taken: AtomicUsize::new(0) })
    }
    /// How much it is from now on. What was taken stays.
    pub(super) fn bound(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }
    /// Takes bytes if there are so many.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let most = self.most.load(Ordering::Relaxed);
        let after = |taken: usize| taken.checked_add(bytes).filter(|after| *after <= most);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after).is_ok()
    }
    /// Gives bytes back that were taken.
    pub(super) fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What is known of a record.
#[derive(Default)]
enum Held {
    /// Nothing yet.
    #[default]
    Unknown,
    /// It has ended, or nobody knows what became of it: only the database does.
    Closed,
    /// Its revision, and how it is compared.
    Known(u32, Prepared),
}

impl Held {
    fn bytes(&self) -> usize {
        match self {
            Self::Unknown | Self::Closed => 0,
            Self::Known(_, prepared) => BESIDE + prepared.as_bytes().len(),
        }
    }
}

/// What the writer changes, from when a job does so until it is known what became of it.
#[derive(Default)]
struct Changing {
    /// The job that runs.
    job: u64,
    jobs: HashMap<u64, Vec<u32>>,
    records: HashMap<u32, Change>,
}

#[derive(Default)]
struct Change {
    jobs: usize,
    /// What will be known.
    to: Held,
}

/// A look at what is known from one moment on.
pub(super) struct Look<'m> {
    memory: &'m Memory,
    changing: Vec<u32>,
}

impl Memory {
    /// Of nothing so far.
    pub(super) fn within(room: Arc<Room>) -> Self {
        let parts = (0..PARTS).map(|_| RwLock::default()).collect();
        Self { parts, changing: Mutex::default(), room, full: AtomicBool::new(false) }
    }

    /// Whether nothing more can be taken up.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Looks at it from now on. A reader's transaction must have begun before.
    pub(super) fn look(&self) -> Look<'_> {
        Look { memory: self, changing: self.changing().records.keys().copied().collect() }
    }

    /// Takes up what the database says of a record of which nothing is known.
    pub(super) fn fill(&self, record: u64, revision: i64, prepared: &Prepared) {
        let Some(number) = number(record).filter(|_| !self.is_full()) else { return };
        let changing = self.changing();
        if !changing.records.contains_key(&number) {
            let may_go = |held: &Held| matches!(held, Held::Unknown) && !self.is_full();
            self.put(number, known(revision, prepared), may_go);
        }
    }

    /// A writing job runs from here on.
    pub(super) fn begin(&self, job: u64) {
        self.changing().job = job;
    }

    /// The job that runs changes a record, or ends it.
    pub(super) fn change(&self, record: u64, to: Option<(i64, &Prepared)>) {
        let Some(number) = number(record) else { return };
        let mut changing = self.changing();
        let job = changing.job;
        changing.jobs.entry(job).or_default().push(number);
        let change = changing.records.entry(number).or_default();
        change.jobs += 1;
        change.to = to.map_or(Held::Closed, |(revision, prepared)| known(revision, prepared));
    }

    /// What became of a job. Jobs are settled in the order in which they ran.
    pub(super) fn settle(&self, job: u64, became: Became) {
        let mut changing = self.changing();
        for number in changing.jobs.remove(&job).unwrap_or_default() {
            let Some(change) = changing.records.get_mut(&number) else { continue };
            change.jobs -= 1;
            if became == Became::Unknown {
                change.to = Held::Closed;
            }
            if change.jobs == 0 {
                let to = std::mem::take(&mut change.to);
                changing.records.remove(&number);
                self.put(number, to, |_| true);
            }
        }
    }

    fn changing(&self) -> MutexGuard<'_, Changing> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something in a record's place if what is there may go. What ended has a place, too: a reader that has not heard of
    /// it comes late.
    fn put(&self, number: u32, held: Held, may_go: impl FnOnce(&Held) -> bool) {
        let Some(part) = self.parts.get((number % PARTS) as usize) else { return };
        let mut part = part.write().unwrap_or_else(PoisonError::into_inner);
        let place = (number / PARTS) as usize;
        let more = (place + 1).saturating_sub(part.len());
        if !self.room.take(more * size_of::<Held>()) {
            self.refuse();
            return;
        }
        if more > 0 {
            part.resize_with(place + 1, Held::default);
        }
        let Some(place) = part.get_mut(place).filter(|place| may_go(place)) else { return };
        self.room.give_back(place.bytes());
        *place = if self.room.take(held.bytes()) { held } else { self.refuse() };
    }

    fn refuse(&self) -> Held {
        self.full.store(true, Ordering::Relaxed);
        Held::Closed
    }
}

/// What became of a job's changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Became {
    /// They are on disk.
    Durable,
    /// They do not stand, or nobody knows.
    Unknown,
}

impl Look<'_> {
    /// What a reader makes of a record, its revision and how it is compared; None: ask the database.
    pub(super) fn at<T>(&self, record: u64, read: impl FnOnce(i64, &Prepared) -> T) -> Option<T> {
        let number = number(record).filter(|number| !self.changing.contains(number))?;
        let part = self.memory.parts.get((number % PARTS) as usize)?;
        let part = part.read().unwrap_or_else(PoisonError::into_inner);
        match part.get((number / PARTS) as usize)? {
            Held::Known(revision, prepared) => Some(read(i64::from(*revision), prepared)),
            Held::Unknown | Held::Closed => None,
        }
    }
}

/// Keys know records by 32 bits, too.
fn number(record: u64) -> Option<u32> {
    u32::try_from(record).ok()
}

fn known(revision: i64, prepared: &Prepared) -> Held {
    u32::try_from(revision).map_or(Held::Closed, |revision| Held::Known(revision, prepared.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demographics::{BirthTime, Demographics, Name};

    fn person(family: &str) -> Prepared {
        let name = Name { family: family.into(), given: "花子".into(), ..Name::default() };
        let birth = BirthTime::parse("19600229");
        Prepared::of(&Demographics { names: vec![name], birth, ..Demographics::default() })
    }

    fn at(memory: &Memory, record: u64) -> Option<(i64, Prepared)> {
        memory.look().at(record, |revision, prepared| (revision, prepared.clone()))
    }

    fn revision(memory: &Memory, record: u64) -> Option<i64> {
        at(memory, record).map(|(revision, _)| revision)
    }

    #[test]
    fn nothing_is_told_while_a_record_changes_and_where_nobody_knows_what_became_of_it() {
        let memory = Memory::within(Room::of(1 << 20));
        memory.fill(3, 1, &person("山田"));
        assert_eq!(at(&memory, 3), Some((1, person("山田"))));
        memory.begin(1);
        memory.change(3, Some((2, &person("鈴木"))));
        memory.change(4, Some((1, &person("佐藤"))));
        memory.fill(4, 1, &person("高橋"));
        assert_eq!((revision(&memory, 3), revision(&memory, 4)), (None, None));
        memory.begin(2);
        memory.change(3, Some((3, &person("田中"))));
        memory.settle(1, Became::Durable);
        assert_eq!((revision(&memory, 3), at(&memory, 4)), (None, Some((1, person("佐藤")))));
        memory.settle(2, Became::Durable);
        assert_eq!(at(&memory, 3), Some((3, person("田中"))));

        // A reader that has not heard of the last change comes late.
        memory.fill(3, 2, &person("鈴木"));
        assert_eq!(revision(&memory, 3), Some(3));
        memory.begin(3);
        memory.change(3, Some((4, &person("鈴木"))));
        memory.change(4, None);
        memory.settle(3, Became::Unknown);
        for record in [3, 4] {
            memory.fill(record, 3, &person("田中"));
            assert_eq!(revision(&memory, record), None);
        }
        memory.begin(4);
        memory.change(3, Some((5, &person("鈴木"))));
        memory.settle(4, Became::Durable);
        assert_eq!(revision(&memory, 3), Some(5));
    }

    #[test]
    fn a_look_tells_nothing_of_what_was_changing_when_it_began() {
        let memory = Memory::within(Room::of(1 << 20));
        memory.fill(3, 1, &person("山田"));
        memory.begin(1);
        memory.change(3, Some((2, &person("鈴木"))));
        let look = memory.look();
        memory.settle(1, Became::Durable);
        assert!(look.at(3, |_, _| ()).is_none());
        assert_eq!(revision(&memory, 3), Some(2));
    }

    #[test]
    fn no_more_is_taken_than_may_be() {
        let one = size_of::<Held>() + BESIDE + person("山田").as_bytes().len();
        let room = Room::of(10 * one);
        let memory = Memory::within(room.clone());
        let taken = || room.taken.load(Ordering::Relaxed);
        (1..=100).for_each(|record| memory.fill(record, 1, &person("山田")));
        let known = (1..=100).filter(|record| revision(&memory, *record).is_some()).count();
        assert_eq!((known, taken(), memory.is_full()), (10, 10 * one, true));

        // What ends makes room for what changes, and for nobody who may have heard of an older state.
        memory.begin(1);
        [1, 2].into_iter().for_each(|record| memory.change(record, None));
        [50, 60].into_iter().for_each(|record| memory.change(record, Some((2, &person("山田")))));
        memory.settle(1, Became::Durable);
        assert_eq!([1, 2, 50, 60].map(|record| revision(&memory, record)), [None, None, Some(2), None]);
        memory.begin(2);
        memory.change(3, None);
        memory.settle(2, Became::Durable);
        for record in [1, 60, 70] {
            memory.fill(record, 1, &person("山田"));
            assert_eq!(revision(&memory, record), None);
        }
        assert!(taken() <= 10 * one);
    }

    #[test]
    fn who_ended_before_anybody_was_taken_up_is_not_taken_up_by_who_comes_late() {
        for became in [Became::Durable, Became::Unknown] {
            let memory = Memory::within(Room::of(1 << 20));
            memory.begin(1);
            memory.change(900, None);
            memory.settle(1, became);
            memory.fill(900, 1, &person("山田"));
            assert_eq!(revision(&memory, 900), None);
        }
    }

    #[test]
    fn numbers_that_keys_do_not_know_are_asked_in_the_database() {
        let memory = Memory::within(Room::of(1 << 20));
        memory.fill(u64::MAX, 1, &person("山田"));
        memory.fill(2, i64::MAX, &person("山田"));
        assert_eq!(
            (revision(&memory, u64::MAX), revision(&memory, 2), revision(&memory, 9)),
            (None, None, None)
        );
    }
}
