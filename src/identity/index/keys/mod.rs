//! Which records have a key: blocking keys of matching, and what questions are narrowed down by.
//!
//! A record has some twenty keys, at random places of their order: as rows of a B-tree every message would dirty as many
//! pages. So they are kept beside the database: what is new in memory, the rest in ordered files ([`run::Run`]) that are
//! written at once and joined as they become many. All of it is derived from the records. It needs no sync with them: the
//! marks in a run tell up to which record and change it reaches, and what lies behind is read anew at the next start. It is
//! never wrong for long either: a record that has lost a key is still found under it, and then does not fit.

mod memory;
mod run;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use self::memory::{InMemory, RecentlyWritten};
use self::run::{Entries, Entry, Run};
use super::memory::Room;
use crate::limits;

/// How far records were written at some moment: their number and the number of changes to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marks {
    pub(super) record: u64,
    pub(super) former: u64,
}

impl Marks {
    fn reaches(self, other: Self) -> bool {
        self.record >= other.record && self.former >= other.former
    }
}

/// Keys that are looked up together, and the records that have them, up to a number for each key.
pub(super) struct Sought {
    keys: Box<[(u64, usize)]>,
    /// Records, each with the place of its key.
    found: Vec<(u32, usize)>,
}

impl Sought {
    /// Keys, each with how many records are enough.
    pub(super) fn of(keys: impl IntoIterator<Item = (u64, usize)>) -> Self {
        Self { keys: keys.into_iter().collect(), found: Vec::new() }
    }
    /// What was found of keys of which it was not enough. A record that has several of them is among it as often.
    pub(super) fn few(&self) -> impl Iterator<Item = u32> + '_ {
        self.found.iter().filter(|(_, place)| !self.is_enough(*place)).map(|(record, _)| *record)
    }
    /// All that was found.
    pub(super) fn all(&self) -> impl Iterator<Item = u32> + '_ {
        self.found.iter().map(|(record, _)| *record)
    }
    /// The keys.
    fn keys(&self) -> impl Iterator<Item = u64> + '_ {
        self.keys.iter().map(|(key, _)| *key)
    }
    /// Takes up the records of each key, as many as are still wanted.
    fn look<I: Iterator<Item = u32>>(&mut self, records: impl Fn(u64) -> I) {
        for (place, (key, wanted)) in self.keys.iter_mut().enumerate() {
            let before = self.found.len();
            self.found.extend(records(*key).take(*wanted).map(|record| (record, place)));
            *wanted -= self.found.len() - before;
        }
    }
    fn is_enough(&self, place: usize) -> bool {
        self.keys.get(place).is_some_and(|(_, wanted)| *wanted == 0)
    }
}

/// The keys of one tenant's records.
pub(super) struct Keys {
    folder: PathBuf,
    generation: Vec<u8>,
    held: RwLock<Held>,
    recent: RwLock<RecentlyWritten>,
    room: Arc<Room>,
    /// Somebody writes a run.
    writing: AtomicBool,
}

/// Where keys are.
#[derive(Default)]
struct Held {
    delta: InMemory,
    /// What is being written into a run.
    frozen: Arc<InMemory>,
    /// Oldest first, each at least twice as large as the next.
    runs: Arc<Vec<Arc<Run>>>,
}

impl Keys {
    /// Opens what is in a folder of an index that is written up to some marks; gives the marks behind which records' keys
    /// must be inserted again.
    pub(super) fn open(
        folder: PathBuf,
        generation: Vec<u8>,
        written: Marks,
        room: Arc<Room>,
    ) -> std::io::Result<(Self, Marks)> {
        std::fs::create_dir_all(&folder)?;
        let (runs, reached) = open_runs(&folder, &generation, written)?;
        let held = RwLock::new(Held { runs: Arc::new(runs), ..Held::default() });
        let recent = RwLock::new(RecentlyWritten::behind(written));
        Ok((Self { folder, generation, held, recent, room, writing: AtomicBool::new(false) }, reached))
    }

    /// How much memory there is for keys and records.
    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// Takes runs into memory, the smallest first, as far as there is room. Blocks.
    pub(super) fn hold(&self) {
        let runs = Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner).runs);
        runs.iter().rev().for_each(|run| self.hold_run(run));
    }

    fn hold_run(&self, run: &Run) {
        if let Err(error) = run.hold(&self.room) {
            tracing::warn!(%error, "a run of the index's keys could not be taken into memory");
        }
    }

    /// Adds a record's keys.
    pub(super) fn insert(&self, record: u64, keys: &[u64]) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        keys.iter().for_each(|key| held.delta.insert(*key, record as u32));
    }

    /// Adds a record's keys as it is written, up to some marks: blocking keys, which ascend, and those for searches. The
    /// writer's.
    pub(super) fn write(&self, record: u64, marks: Marks, blocking: &[u64], searches: &[u64]) {
        self.insert(record, blocking);
        self.insert(record, searches);
        self.recent.write().unwrap_or_else(PoisonError::into_inner).push(record, marks, blocking);
    }

    /// Records written behind some marks that have one of the blocking keys; None if those are no longer known.
    pub(super) fn written_since(&self, marks: Marks, keys: &[u64]) -> Option<Vec<u64>> {
        self.recent.read().unwrap_or_else(PoisonError::into_inner).since(marks, keys)
    }

    /// Looks up all that is sought.
    pub(super) fn find(&self, sought: &mut Sought) {
        let (frozen, runs) = {
            let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
            sought.look(|key| held.delta.find(key));
            (Arc::clone(&held.frozen), Arc::clone(&held.runs))
        };
        sought.look(|key| frozen.find(key));
        for run in runs.iter() {
            if let Err(error) = run.look(sought) {
                tracing::error!(%error, "a run of the index's keys cannot be read; it is made anew at the next start");
            }
        }
    }

    /// Whether what is in memory should become a run. Whoever is told so must call [`Self::flush`].
    pub(super) fn is_full(&self) -> bool {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.delta.len() >= limits::MAX_KEYS_IN_MEMORY && !self.writing.swap(true, Ordering::Relaxed)
    }

    /// Writes what is in memory as a run that reaches to some marks, and joins runs of similar size. The marks must have been
    /// committed before this is called; without them it is not done. Blocks.
    pub(super) fn flush(&self, to: Option<Marks>) {
        let done = to.map_or(Ok(()), |to| self.write_run(to).and_then(|()| self.join_runs()));
        if let Err(error) = done {
            tracing::warn!(%error, "a run of the index's keys could not be written; they stay in memory");
        }
        // What found no room while two were joined.
        self.hold();
        self.writing.store(false, Ordering::Relaxed);
    }

    fn write_run(&self, to: Marks) -> std::io::Result<()> {
        let (frozen, from) = {
            let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
            let delta = std::mem::take(&mut held.delta);
            held.frozen = Arc::new(delta);
            (held.frozen.clone(), held.runs.last().map_or(Marks::default(), |run| run.to))
        };
        let run = Run::write(self.name(), &self.generation, from, to, frozen.sorted().into_iter().map(Ok));
        drop(frozen);
        if let Ok(run) = &run {
            self.hold_run(run);
        }
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let frozen = std::mem::take(&mut held.frozen);
        match run {
            Ok(run) => Arc::make_mut(&mut held.runs).push(Arc::new(run)),
            Err(error) => {
                frozen.sorted().into_iter().for_each(|(key, record)| held.delta.insert(key, record));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Joins the last two runs as long as the last is more than half as large as the one before it.
    fn join_runs(&self) -> std::io::Result<()> {
        loop {
            let runs = Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner).runs);
            let [.., one, another] = runs.as_slice() else { return Ok(()) };
            if another.count * 2 <= one.count {
                return Ok(());
            }
            let merged = merge(one.entries(), another.entries());
            let joined = Run::write(self.name(), &self.generation, one.from, another.to, merged)?;
            let joined = Arc::new(joined);
            {
                let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
                let runs = Arc::make_mut(&mut held.runs);
                runs.truncate(runs.len().saturating_sub(2));
                runs.push(Arc::clone(&joined));
            }
            // Whoever still reads them has them open. If they stay, the next start sees that they are contained.
            for old in [one, another] {
                let _ = std::fs::remove_file(old.path());
            }
            drop(runs);
            self.hold_run(&joined);
        }
    }

    fn name(&self) -> PathBuf {
        self.folder.join(format!("{}.run", uuid::Uuid::new_v4()))
    }
}

/// The entries of two runs in order.
fn merge<'r>(
    mut one: Entries<'r>,
    mut another: Entries<'r>,
) -> impl Iterator<Item = std::io::Result<Entry>> + 'r {
    std::iter::from_fn(move || match (one.peek(), another.peek()) {
        (Some(Ok(a)), Some(Ok(b))) if a > b => another.next(),
        (Some(_), _) => one.next(),
        (None, _) => another.next(),
    })
}

/// The runs in a folder that follow on each other, and how far they reach. Whatever else is there goes.
fn open_runs(folder: &Path, generation: &[u8], written: Marks) -> std::io::Result<(Vec<Arc<Run>>, Marks)> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        match Run::open(path.clone(), generation) {
            // A database that was put back to an earlier state has other records behind that.
            Ok(run) if written.reaches(run.to) => found.push(run),
            _ => std::fs::remove_file(path)?,
        }
    }
    let order = |marks: Marks| (marks.record, marks.former);
    found.sort_by_key(|run| (order(run.from), std::cmp::Reverse(order(run.to))));
    let (mut runs, mut reached) = (Vec::new(), Marks::default());
    for run in found {
        if run.from == reached && run.to != reached {
            reached = run.to;
            runs.push(Arc::new(run));
        } else {
            std::fs::remove_file(run.path())?;
        }
    }
    Ok((runs, reached))
}

#[cfg(test)]
mod tests;
