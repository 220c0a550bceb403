//! Who a patient is elsewhere: the cross-reference cache in sled (design: section 4; ITI TF-2: 3.55.4.2.3.1, caching).
//!
//! It is a cache: every entry can be obtained again, so that damage costs time and never an answer. A damaged directory is
//! moved aside and a new one begun. What it says may be wrong in one way only, by being old; hence an entry goes when its
//! time is over, and when a merge, a link or a change of demographics touches its patient ([`follow`]). An answer that was
//! asked for before such an event is not kept behind it ([`Ticket`]).
//!
//! | tree | key | value |
//! |---|---|---|
//! | `entries` | tenant, domain, patient (each behind its length), community | [`Entry`] |
//! | `expiry` | second in which it expires, key of the entry | nothing |
//! | `place` | `event` | number of the last event of the index that was followed |
//!
//! Reading is done where it is asked for: a point read of some microseconds (`sekisho bench --only crossref`). Writing is done
//! on threads for such work.

mod entry;
pub mod follow;
#[cfg(test)]
mod tests;
pub mod transfer;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

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
    /// Bytes of memory for pages.
    pub memory: u64,
}

/// Why the cache cannot be opened. A damaged one is no such reason.
#[derive(Debug, thiserror::Error)]
pub enum CrossrefError {
    /// The disk, or another process that has it open.
    #[error("{0}: {1}")]
    Unusable(PathBuf, String),
}

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
    count: AtomicUsize,
    /// How often patients were forgotten, by a hash of their key: see [`Ticket`].
    forgotten: Box<[AtomicU64]>,
    /// What happened in the patient index while nobody followed it is not known yet: nothing is told meanwhile.
    behind: AtomicBool,
    /// It was begun anew, or something in it could not be read.
    alarm: AtomicBool,
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
        let (trees, damaged) = match unlocked(directory, *memory) {
            Ok(trees) => (trees, false),
            Err(Opening::Locked(why) | Opening::Unusable(why)) => {
                return Err(CrossrefError::Unusable(directory.clone(), why));
            }
            Err(Opening::Damaged(why)) => {
                tracing::error!(problem = why, "the cross-reference cache is damaged; a new one is begun");
                metrics::counter!("sekisho_crossref_damaged_total").increment(1);
                move_aside(directory)
                    .map_err(|error| CrossrefError::Unusable(directory.clone(), error.to_string()))?;
                let trees = trees(directory, *memory).map_err(|why| match why {
                    Opening::Locked(why) | Opening::Unusable(why) | Opening::Damaged(why) => {
                        CrossrefError::Unusable(directory.clone(), why)
                    }
                })?;
                (trees, true)
            }
        };
        let [entries, expiry, place] = trees;
        let inner = Arc::new(Inner {
            entries,
            expiry,
            place,
            tenant: tenant.clone(),
            most: (*most).max(1),
            count: AtomicUsize::new(0),
            forgotten: (0..limits::CROSSREF_STRIPES).map(|_| AtomicU64::new(0)).collect(),
            behind: AtomicBool::new(false),
            alarm: AtomicBool::new(damaged),
        });
        inner.count_aside();
        Ok(Self { inner })
    }

    /// What is known of a patient of ours in a community.
    pub fn get(&self, local: &PatientId, community: &HomeCommunityId) -> Lookup {
        self.get_at(local, community, now())
    }

    fn get_at(&self, local: &PatientId, community: &HomeCommunityId, now: u64) -> Lookup {
        if self.inner.behind.load(Ordering::Acquire) {
            metrics::counter!("sekisho_crossref_lookups_total", "outcome" => "behind").increment(1);
            return Lookup::Stale;
        }
        let found = self.inner.read(&self.inner.key(local, Some(community)));
        let (lookup, label) = match found {
            None => (Lookup::Miss, "miss"),
            Some(entry) if entry.expires <= now => (Lookup::Stale, "stale"),
            Some(entry) if entry.remote.is_empty() => (Lookup::Hit(entry), "hit-none"),
            Some(entry) => (Lookup::Hit(entry), "hit"),
        };
        metrics::counter!("sekisho_crossref_lookups_total", "outcome" => label).increment(1);
        lookup
    }

    /// Tells nothing until [`follow`] has caught up with a patient index: whom to forget is not known before. At start.
    pub fn await_index(&self) {
        self.inner.behind.store(true, Ordering::Release);
    }

    /// Before a question about a patient is asked.
    pub fn ticket(&self, local: &PatientId) -> Ticket {
        let forgotten = self.inner.stripe(local).load(Ordering::Acquire);
        Ticket { local: local.clone(), forgotten }
    }

    /// Keeps an answer until it expires; nothing that has expired already, and nothing about a patient who was forgotten
    /// since the ticket was taken.
    pub async fn keep(&self, ticket: Ticket, community: HomeCommunityId, entry: Entry) {
        if entry.expires <= now() {
            return;
        }
        self.aside(move |inner| inner.keep(&ticket, &community, &entry)).await;
    }

    /// Forgets all about patients: they were merged, linked, changed, or their consent is gone.
    pub async fn forget(&self, patients: Vec<PatientId>) {
        self.aside(move |inner| patients.iter().try_for_each(|patient| inner.forget(patient))).await;
    }

    /// Forgets everything: whom it should forget is not known.
    pub async fn forget_all(&self) {
        self.aside(Inner::forget_all).await;
    }

    /// Entries, more or less.
    pub fn count(&self) -> usize {
        self.inner.count.load(Ordering::Relaxed)
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
    pub async fn has_followed(&self, event: u64) {
        self.aside(move |inner| inner.place.insert("event", &event.to_be_bytes()).map(drop)).await;
    }

    /// Writes everything to disk. What is not flushed is lost in a crash, which is no harm, except for how far events were
    /// followed: then they are followed again.
    pub async fn flush(&self) {
        self.aside(|inner| inner.entries.flush().map(drop)).await;
    }

    async fn aside(&self, work: impl FnOnce(&Inner) -> sled::Result<()> + Send + 'static) {
        let inner = Arc::clone(&self.inner);
        let done = tokio::task::spawn_blocking(move || inner.guarded(work)).await;
        if done.is_err() {
            tracing::error!("a write to the cross-reference cache did not end");
        }
    }
}

impl Inner {
    /// Tenant, domain and patient behind their lengths, then the community: a patient's entries stand together, and no
    /// patient's key begins another's.
    fn key(&self, local: &PatientId, community: Option<&HomeCommunityId>) -> Vec<u8> {
        let community = community.map_or("", |community| community.oid().as_str());
        let mut key = Vec::with_capacity(self.tenant.len() + local.id().len() + community.len() + 72);
        for part in [self.tenant.as_str(), local.authority().as_str(), local.id()] {
            key.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            key.extend_from_slice(part.as_bytes());
        }
        key.extend_from_slice(community.as_bytes());
        key
    }

    fn stripe(&self, local: &PatientId) -> &AtomicU64 {
        let hash = crc32fast::hash(&self.key(local, None)) as usize;
        &self.forgotten[hash % self.forgotten.len()]
    }

    fn read(&self, key: &[u8]) -> Option<Entry> {
        let bytes = self.guarded(|inner| inner.entries.get(key))??;
        let entry = Entry::decode(&bytes);
        if entry.is_none() {
            self.alarm.store(true, Ordering::Relaxed);
        }
        entry
    }

    fn keep(&self, ticket: &Ticket, community: &HomeCommunityId, entry: &Entry) -> sled::Result<()> {
        let stripe = self.stripe(&ticket.local);
        if stripe.load(Ordering::Acquire) != ticket.forgotten {
            return Ok(());
        }
        let key = self.key(&ticket.local, Some(community));
        self.put(&key, entry)?;
        // Forgotten while it was written: the one who forgot may have looked before it was there.
        if stripe.load(Ordering::Acquire) != ticket.forgotten {
            self.take(&key)?;
        }
        self.make_room()
    }

    fn put(&self, key: &[u8], entry: &Entry) -> sled::Result<()> {
        let before = self.entries.insert(key, entry.encode())?;
        match before.as_deref().and_then(Entry::decode) {
            Some(before) if before.expires != entry.expires => {
                self.expiry.remove(expiry_key(before.expires, key))?;
            }
            Some(_) => {}
            None => self.counted(1),
        }
        self.expiry.insert(expiry_key(entry.expires, key), &[]).map(drop)
    }

    fn take(&self, key: &[u8]) -> sled::Result<()> {
        if let Some(before) = self.entries.remove(key)? {
            self.counted(-1);
            if let Some(before) = Entry::decode(&before) {
                self.expiry.remove(expiry_key(before.expires, key))?;
            }
        }
        Ok(())
    }

    fn forget(&self, patient: &PatientId) -> sled::Result<()> {
        self.stripe(patient).fetch_add(1, Ordering::AcqRel);
        let keys: Vec<_> =
            self.entries.scan_prefix(self.key(patient, None)).keys().collect::<sled::Result<_>>()?;
        keys.iter().try_for_each(|key| self.take(key))?;
        metrics::counter!("sekisho_crossref_invalidated_total").increment(keys.len() as u64);
        Ok(())
    }

    fn forget_all(&self) -> sled::Result<()> {
        for stripe in &self.forgotten {
            stripe.fetch_add(1, Ordering::AcqRel);
        }
        for key in self.entries.iter().keys() {
            self.take(&key?)?;
        }
        Ok(())
    }

    /// A few of those that expired go with every one that comes, and what is too much goes at once.
    fn make_room(&self) -> sled::Result<()> {
        let now = now();
        for swept in 0.. {
            let full = self.count.load(Ordering::Relaxed) > self.most;
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
            self.expiry.remove(&key)?;
            // An entry that was written anew since has another place in the order.
            let stored = self.entries.get(entry)?;
            if stored.as_deref().and_then(Entry::decode).is_some_and(|stored| stored.expires == second) {
                self.take(entry)?;
                if second > now {
                    metrics::counter!("sekisho_crossref_evicted_total").increment(1);
                }
            }
        }
        Ok(())
    }

    fn counted(&self, change: isize) {
        let count = match change {
            1.. => self.count.fetch_add(1, Ordering::Relaxed) + 1,
            _ => self.count.fetch_sub(1, Ordering::Relaxed).saturating_sub(1),
        };
        metrics::gauge!("sekisho_crossref_entries").set(count as f64);
    }

    /// Counting takes a second for each million: beside, so that the start need not wait for it.
    fn count_aside(self: &Arc<Self>) {
        if self.entries.is_empty() {
            return;
        }
        let inner = Arc::clone(self);
        std::thread::spawn(move || {
            let there = inner.guarded(|inner| Ok(inner.entries.len())).unwrap_or_default();
            inner.count.fetch_add(there, Ordering::Relaxed);
        });
    }

    /// A damaged page shows itself as an error or, in sled, as a panic: the one who asked learns that nothing is known.
    fn guarded<T>(&self, work: impl FnOnce(&Self) -> sled::Result<T>) -> Option<T> {
        let problem = match catch_unwind(AssertUnwindSafe(|| work(self))) {
            Ok(Ok(done)) => return Some(done),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "a damaged page".to_owned(),
        };
        self.alarm.store(true, Ordering::Relaxed);
        metrics::counter!("sekisho_crossref_errors_total").increment(1);
        tracing::error!(problem, "the cross-reference cache failed");
        None
    }
}

enum Opening {
    Locked(String),
    Unusable(String),
    Damaged(String),
}

/// A process that is on its way out, as at a restart, is waited for up to [`limits::CROSSREF_BUSY_TIMEOUT`].
fn unlocked(directory: &Path, memory: u64) -> Result<[sled::Tree; 3], Opening> {
    let patience = Instant::now() + limits::CROSSREF_BUSY_TIMEOUT;
    loop {
        match trees(directory, memory) {
            Err(Opening::Locked(_)) if Instant::now() < patience => {
                std::thread::sleep(limits::STORE_LOCK_PAUSE);
            }
            opened => return opened,
        }
    }
}

fn trees(directory: &Path, memory: u64) -> Result<[sled::Tree; 3], Opening> {
    let open = || -> sled::Result<[sled::Tree; 3]> {
        let config = sled::Config::new().path(directory).cache_capacity(memory).print_profile_on_drop(false);
        let db = config.open()?;
        Ok([db.open_tree("entries")?, db.open_tree("expiry")?, db.open_tree("place")?])
    };
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(Ok(trees)) => Ok(trees),
        Ok(Err(sled::Error::Io(error))) if is_lock(&error) => Err(Opening::Locked(error.to_string())),
        // No permission, no space: what lies there is whole.
        Ok(Err(sled::Error::Io(error))) if !is_damage(&error) => Err(Opening::Unusable(error.to_string())),
        Ok(Err(error)) => Err(Opening::Damaged(error.to_string())),
        Err(_) => Err(Opening::Damaged("it cannot be read".to_owned())),
    }
}

/// sled gives its lock no kind of its own.
fn is_lock(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::Other && error.to_string().contains("could not acquire lock")
}

fn is_damage(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput)
}

/// The damaged one stays for those who want to know why; the one before it goes.
fn move_aside(directory: &Path) -> std::io::Result<()> {
    let mut aside = directory.as_os_str().to_owned();
    aside.push(".damaged");
    let aside = PathBuf::from(aside);
    if aside.exists() {
        std::fs::remove_dir_all(&aside)?;
    }
    std::fs::rename(directory, &aside)
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
