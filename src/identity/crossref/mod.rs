//! Who a patient is elsewhere: the cross-reference cache in sled (design: section 4; ITI TF-2: 3.55.4.2.3.1, caching).
//!
//! It is a cache: every entry can be obtained again, so that damage costs time and never an answer. A damaged directory is
//! moved aside and a new one begun. What it says may be wrong in one way only, by being old; hence an entry goes when its
//! time is over, and when a merge, a link or a change of demographics touches its patient ([`follow`]). An answer that was
//! asked for before such an event is not kept behind it ([`Ticket`]).
//!
//! | tree | key | value |
//! |---|---|---|
//! | `entries` | tenant, domain, patient, community ([`key`]) | [`Entry`] |
//! | `expiry` | second in which it expires, key of the entry | nothing |
//! | `place` | `event` | number of the last event of the index that was followed |
//!
//! Reading is done where it is asked for: from [`memory`], or as a point read of sled of some microseconds (`sekisho bench
//! --only crossref`). Writing is done on threads for such work, one writer at a time for each share of the patients.

mod entry;
pub mod follow;
mod forgetting;
mod key;
mod memory;
mod opening;
mod stock;
#[cfg(test)]
mod tests;
pub mod transfer;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use metrics::{Counter, counter, gauge};

use self::forgetting::Stripe;
use self::key::Key;
use self::memory::Memory;
use self::opening::Opening;
use self::stock::Counted;
use crate::ids::{HomeCommunityId, PatientId};
use crate::limits;

pub use entry::{Decided, Digest, Entry};

/// Where the cache lies and how large it may grow.
#[derive(Debug, Clone)]
pub struct CrossrefSettings {
    /// Its folder.
    pub directory: PathBuf,
    /// Whose patients: part of every key.
    pub tenant: String,
    /// Entries; beyond it those go that would expire first.
    pub most: usize,
    /// Bytes of memory: [`limits::CROSSREF_HELD_PERCENT`] of them for entries, the rest for sled's pages.
    pub memory: u64,
}

/// Why the cache cannot be opened. A damaged one is no such reason.
#[derive(Debug, thiserror::Error)]
pub enum CrossrefError {
    /// The disk, or another process that has it open.
    #[error("{0}: {1}")]
    Unusable(PathBuf, String),
}

/// The cache could not be written. The reason is in the log, and an alarm tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cross-reference cache could not be written")]
pub struct NotWritten;

/// The cache. Cheap to clone.
#[derive(Clone)]
pub struct Crossref {
    inner: Arc<Inner>,
}

struct Inner {
    entries: sled::Tree,
    expiry: sled::Tree,
    place: sled::Tree,
    tenant: String,
    most: usize,
    memory: Memory,
    /// Of what was counted so far.
    count: AtomicI64,
    stripes: Box<[Stripe]>,
    lookups: Lookups,
    /// How far what lay there at the start is counted, and whether all of it is.
    counted: Mutex<Counted>,
    counting: AtomicBool,
    /// What happened in the patient index while nobody followed it is not known yet: nothing is told meanwhile.
    behind: AtomicBool,
    /// It was begun anew, or something in it could not be read.
    alarm: AtomicBool,
}

/// What lookups found. Looking for a counter by its name costs more than much of a lookup.
struct Lookups {
    behind: Counter,
    hit: Counter,
    hit_none: Counter,
    stale: Counter,
    miss: Counter,
    memory: Counter,
}

impl Lookups {
    fn new() -> Self {
        let outcome =
            |outcome: &'static str| counter!("sekisho_crossref_lookups_total", "outcome" => outcome);
        Self {
            behind: outcome("behind"),
            hit: outcome("hit"),
            hit_none: outcome("hit-none"),
            stale: outcome("stale"),
            miss: outcome("miss"),
            memory: counter!("sekisho_crossref_memory_hits_total"),
        }
    }
}

/// What the cache knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// It holds.
    Hit(Entry),
    /// It is too old: ask again.
    Stale,
    /// Nothing.
    Miss,
}

/// Taken before a question is asked, and shown when its answer is to be kept: if the patient was forgotten meanwhile, the
/// answer may be about somebody else.
#[derive(Debug, Clone)]
pub struct Ticket {
    local: PatientId,
    forgotten: u64,
}

impl Crossref {
    /// Opens the cache, or begins a new one where it is damaged. Touches the disk.
    pub fn open(settings: &CrossrefSettings) -> Result<Self, CrossrefError> {
        let CrossrefSettings { directory, tenant, most, memory } = settings;
        let held = memory / 100 * limits::CROSSREF_HELD_PERCENT;
        let pages = (memory - held).max(limits::CROSSREF_LEAST_PAGES_BYTES);
        let memory = Memory::new(held).map_err(|why| CrossrefError::Unusable(directory.clone(), why))?;
        let (trees, damaged) = match opening::unlocked(directory, pages) {
            Ok(trees) => (trees, false),
            Err(Opening::Locked(why) | Opening::Unusable(why)) => {
                return Err(CrossrefError::Unusable(directory.clone(), why));
            }
            Err(Opening::Damaged(why)) => {
                tracing::error!(problem = why, "the cross-reference cache is damaged; a new one is begun");
                counter!("sekisho_crossref_damaged_total").increment(1);
                opening::move_aside(directory)
                    .map_err(|error| CrossrefError::Unusable(directory.clone(), error.to_string()))?;
                let trees = opening::trees(directory, pages).map_err(|why| match why {
                    Opening::Locked(why) | Opening::Unusable(why) | Opening::Damaged(why) => {
                        CrossrefError::Unusable(directory.clone(), why)
                    }
                })?;
                (trees, true)
            }
        };
        let [entries, expiry, place] = trees;
        let counting = !entries.is_empty();
        let inner = Arc::new(Inner {
            entries,
            expiry,
            place,
            tenant: tenant.clone(),
            most: (*most).max(1),
            memory,
            count: AtomicI64::new(0),
            stripes: (0..limits::CROSSREF_STRIPES).map(|_| Stripe::default()).collect(),
            lookups: Lookups::new(),
            counted: Mutex::default(),
            counting: AtomicBool::new(counting),
            behind: AtomicBool::new(false),
            alarm: AtomicBool::new(damaged),
        });
        if counting {
            let weak = Arc::downgrade(&inner);
            std::thread::spawn(move || stock::take(&weak));
        }
        Ok(Self { inner })
    }

    /// What is known of a patient of ours in a community.
    pub fn get(&self, local: &PatientId, community: &HomeCommunityId) -> Lookup {
        self.get_at(local, community, now())
    }

    fn get_at(&self, local: &PatientId, community: &HomeCommunityId, now: u64) -> Lookup {
        let lookups = &self.inner.lookups;
        let key = self.inner.key(local, Some(community));
        if self.inner.behind.load(Ordering::Acquire) || self.inner.stripe(&key).is_silent() {
            lookups.behind.increment(1);
            return Lookup::Stale;
        }
        let (lookup, counter) = match self.inner.read(&key) {
            None => (Lookup::Miss, &lookups.miss),
            Some(entry) if entry.expires <= now => (Lookup::Stale, &lookups.stale),
            Some(entry) if entry.remote.is_empty() => (Lookup::Hit(entry), &lookups.hit_none),
            Some(entry) => (Lookup::Hit(entry), &lookups.hit),
        };
        counter.increment(1);
        lookup
    }

    /// Tells nothing until [`follow`] has caught up with a patient index: whom to forget is not known before. At start.
    pub fn await_index(&self) {
        self.inner.behind.store(true, Ordering::Release);
    }

    /// Before a question about a patient is asked.
    pub fn ticket(&self, local: &PatientId) -> Ticket {
        let stripe = self.inner.stripe(&self.inner.key(local, None));
        let forgotten = stripe.forgotten.load(Ordering::Acquire);
        Ticket { local: local.clone(), forgotten }
    }

    /// Keeps an answer until it expires; nothing that has expired already, and nothing about a patient who was forgotten
    /// since the ticket was taken. What cannot be kept is asked again.
    pub async fn keep(&self, ticket: Ticket, community: HomeCommunityId, entry: Entry) {
        if entry.expires > now() {
            let _ = self.write(move |inner| inner.keep(&ticket, &community, &entry)).await;
        }
    }

    /// Forgets all about patients: they were merged, linked, changed, or their consent is gone. If it fails, nothing is told
    /// of them by this process until it is tried again.
    pub async fn forget(&self, patients: Vec<PatientId>) -> Result<(), NotWritten> {
        self.aside(move |inner| inner.forget_each(&patients)).await
    }

    /// The same, of whom the events up to one are about; that one is noted behind it. After a crash between the two they are
    /// forgotten once more.
    pub async fn follow(&self, patients: Vec<PatientId>, event: u64) -> Result<(), NotWritten> {
        self.aside(move |inner| {
            inner.forget_each(&patients)?;
            inner.guarded(|inner| inner.has_followed(event))
        })
        .await
    }

    /// Forgets everything: whom it should forget is not known.
    pub async fn forget_all(&self) -> Result<(), NotWritten> {
        self.write(Inner::forget_all).await
    }

    /// Entries, more or less.
    pub fn count(&self) -> usize {
        usize::try_from(self.inner.count.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Entries that are in memory.
    pub fn in_memory(&self) -> usize {
        self.inner.memory.count()
    }

    /// Whether what lay there at the start is counted, and in memory as far as there is room.
    pub fn has_taken_stock(&self) -> bool {
        !self.inner.counting.load(Ordering::Acquire)
    }

    /// Whether the operator should know that something in it was damaged.
    pub fn alarm(&self) -> bool {
        self.inner.alarm.load(Ordering::Relaxed)
    }

    /// Number of the last event of the index that was followed.
    pub fn followed(&self) -> Option<u64> {
        let bytes = self.inner.guarded(|inner| inner.place.get("event"))??;
        Some(u64::from_be_bytes(bytes.as_ref().try_into().ok()?))
    }

    /// Notes how far events were followed.
    pub async fn has_followed(&self, event: u64) -> Result<(), NotWritten> {
        self.write(move |inner| inner.has_followed(event)).await
    }

    /// Writes everything to disk. What is not flushed is lost in a crash, which is no harm, except for how far events were
    /// followed: then they are followed again.
    pub async fn flush(&self) -> Result<(), NotWritten> {
        self.write(|inner| inner.entries.flush().map(drop)).await
    }

    async fn write(
        &self,
        work: impl FnOnce(&Inner) -> sled::Result<()> + Send + 'static,
    ) -> Result<(), NotWritten> {
        self.aside(|inner| inner.guarded(work)).await
    }

    async fn aside(
        &self,
        work: impl FnOnce(&Inner) -> Option<()> + Send + 'static,
    ) -> Result<(), NotWritten> {
        let inner = Arc::clone(&self.inner);
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.ok().flatten().ok_or(NotWritten)
    }
}

impl Inner {
    fn key(&self, local: &PatientId, community: Option<&HomeCommunityId>) -> Key {
        Key::new(&self.tenant, local, community)
    }

    fn stripe(&self, key: &Key) -> &Stripe {
        &self.stripes[key.share_of(self.stripes.len())]
    }

    fn read(&self, key: &Key) -> Option<Entry> {
        if let Some(entry) = self.memory.get(key).and_then(|bytes| Entry::decode(&bytes)) {
            self.lookups.memory.increment(1);
            return Some(entry);
        }
        let stamp = self.memory.stamp(key);
        let bytes = self.guarded(|inner| inner.entries.get(key.stored()))??;
        let entry = Entry::decode(&bytes);
        match entry {
            Some(_) => self.memory.hold(key, &bytes, stamp),
            None => self.alarm.store(true, Ordering::Relaxed),
        }
        entry
    }

    fn keep(&self, ticket: &Ticket, community: &HomeCommunityId, entry: &Entry) -> sled::Result<()> {
        let key = self.key(&ticket.local, Some(community));
        let stripe = self.stripe(&key);
        let writing = stripe.writing();
        if stripe.forgotten.load(Ordering::Acquire) != ticket.forgotten {
            return Ok(());
        }
        self.put(&key, entry)?;
        drop(writing);
        self.make_room()
    }

    fn put(&self, key: &Key, entry: &Entry) -> sled::Result<()> {
        let Some(bytes) = entry.encode() else { return Ok(()) };
        let stamp = self.memory.stamp(key);
        let counted = self.counted();
        let before = self.entries.insert(key.stored(), bytes.as_slice())?;
        if before.is_none() && Counted::covers(counted.as_deref(), key.stored()) {
            self.count(1);
        }
        drop(counted);
        // Where nothing was, nobody can have read what is old now.
        let stamp = if before.is_some() { self.memory.renew(key, stamp) } else { Some(stamp) };
        if let Some(stamp) = stamp {
            self.memory.hold(key, &bytes, stamp);
        }
        match before.as_deref().map(Entry::decode) {
            Some(Some(before)) if before.expires != entry.expires => {
                self.expiry.remove(expiry_key(before.expires, key.stored()))?;
            }
            _ => {}
        }
        self.expiry.insert(expiry_key(entry.expires, key.stored()), &[]).map(drop)
    }

    fn take(&self, key: &[u8]) -> sled::Result<()> {
        let counted = self.counted();
        let removed = self.entries.remove(key);
        if matches!(removed, Ok(Some(_))) && Counted::covers(counted.as_deref(), key) {
            self.count(-1);
        }
        drop(counted);
        // Whatever became of it.
        if let Some(key) = Key::read(key, &self.tenant) {
            self.memory.forget(&key);
        }
        if let Some(before) = removed?.as_deref().and_then(Entry::decode) {
            self.expiry.remove(expiry_key(before.expires, key))?;
        }
        Ok(())
    }

    /// A few of those that expired go with every one that comes, and more of what is too much.
    fn make_room(&self) -> sled::Result<()> {
        let now = now();
        for swept in 0..limits::CROSSREF_EVICTED_PER_WRITE {
            let full =
                usize::try_from(self.count.load(Ordering::Relaxed)).is_ok_and(|count| count > self.most);
            if swept >= limits::CROSSREF_SWEPT_PER_WRITE && !full {
                break;
            }
            let Some((key, _)) = self.expiry.first()? else { break };
            let Some((second, entry)) = read_expiry_key(&key) else {
                self.expiry.remove(&key)?;
                continue;
            };
            if second > now && !full {
                break;
            }
            let name = Key::read(entry, &self.tenant);
            let _writing = name.as_ref().map(|name| self.stripe(name).writing());
            self.expiry.remove(&key)?;
            let Some(stored) = self.entries.get(entry)? else { continue };
            // An entry that was written anew since has another place in the order; a damaged one has no other.
            if Entry::decode(&stored).is_none_or(|stored| stored.expires == second) {
                self.take(entry)?;
                if second > now {
                    counter!("sekisho_crossref_evicted_total").increment(1);
                }
            }
        }
        Ok(())
    }

    /// Whoever adds or removes an entry holds this meanwhile, as long as there is something to count.
    fn counted(&self) -> Option<MutexGuard<'_, Counted>> {
        let lock = || self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        self.counting.load(Ordering::Acquire).then(lock)
    }

    fn count(&self, change: i64) {
        let count = self.count.fetch_add(change, Ordering::Relaxed) + change;
        gauge!("sekisho_crossref_entries").set(count.max(0) as f64);
    }

    fn forget_each(&self, patients: &[PatientId]) -> Option<()> {
        let fails = |patient| self.guarded(|inner| inner.forget(patient)).is_none();
        let failed = patients.iter().position(fails);
        patients.iter().skip(failed.unwrap_or(patients.len())).for_each(|patient| self.silence(patient));
        failed.is_none().then_some(())
    }

    fn has_followed(&self, event: u64) -> sled::Result<()> {
        self.place.insert("event", &event.to_be_bytes()).map(drop)
    }

    /// A damaged page shows itself as an error or, in sled, as a panic: the one who asked learns that nothing is known.
    fn guarded<T>(&self, work: impl FnOnce(&Self) -> sled::Result<T>) -> Option<T> {
        let problem = match catch_unwind(AssertUnwindSafe(|| work(self))) {
            Ok(Ok(done)) => return Some(done),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "a damaged page".to_owned(),
        };
        self.alarm.store(true, Ordering::Relaxed);
        counter!("sekisho_crossref_errors_total").increment(1);
        tracing::error!(problem, "the cross-reference cache failed");
        None
    }
}

fn expiry_key(second: u64, key: &[u8]) -> Vec<u8> {
    [&second.to_be_bytes(), key].concat()
}

fn read_expiry_key(key: &[u8]) -> Option<(u64, &[u8])> {
    let (second, entry) = key.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*second), entry))
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
