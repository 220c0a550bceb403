//! Turns with the scanner: as many documents are scanned at once as it has threads. A turn is for who makes use of it: where
//! others wait, whoever sends too slowly loses it, and is told to come again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::limits;
use crate::wire::scanner::Scan;

/// All turns. Cheap to clone.
#[derive(Clone)]
pub(super) struct Turns {
    free: Arc<Semaphore>,
    taken: Arc<Mutex<Vec<Weak<Taken>>>>,
    /// How long a document waits for one.
    pub(super) patience: Duration,
    /// How long a sender has before its pace is looked at.
    pub(super) grace: Duration,
    /// Bytes in a second that keep it a turn that others wait for.
    pub(super) slowest: u64,
}

/// A turn.
pub(super) type Turn = OwnedSemaphorePermit;

/// A scan under way with its turn.
pub(super) struct Taken {
    since: Instant,
    sent: AtomicU64,
    /// There while the sender is waited for; gone for good where the turn was taken away.
    waiting: Mutex<Option<(Scan, Turn)>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            free: Arc::new(Semaphore::new(limits::MAX_CONCURRENT_SCANS)),
            taken: Arc::default(),
            patience: limits::SCAN_TURN_WAIT,
            grace: limits::SCAN_GRACE,
            slowest: limits::SCAN_SLOWEST_BYTES,
        }
    }
}

impl Turns {
    /// A turn, if one comes in time.
    pub(super) async fn wait(&self) -> Option<Turn> {
        if let Ok(turn) = Arc::clone(&self.free).try_acquire_owned() {
            return Some(turn);
        }
        let end = Instant::now() + self.patience;
        while Instant::now() < end {
            self.take_from_slowest();
            let step = limits::SCAN_TURN_LOOK.min(self.patience);
            if let Ok(Ok(turn)) = timeout(step, Arc::clone(&self.free).acquire_owned()).await {
                return Some(turn);
            }
        }
        None
    }

    /// Notes a scan whose sender is waited for.
    pub(super) fn taken(&self, scan: Scan, turn: Turn, sent: u64) -> Arc<Taken> {
        let waiting = Mutex::new(Some((scan, turn)));
        let taken = Arc::new(Taken { since: Instant::now(), sent: AtomicU64::new(sent), waiting });
        let mut all = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|one| one.strong_count() > 0);
        all.push(Arc::downgrade(&taken));
        taken
    }

    fn take_from_slowest(&self) {
        let all: Vec<_> = {
            let all = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            all.iter().filter_map(Weak::upgrade).collect()
        };
        let is_slow = |one: &&Arc<Taken>| one.since.elapsed() >= self.grace && one.pace() < self.slowest;
        let slow = all.iter().filter(is_slow).filter(|one| one.is_waiting());
        if let Some(slowest) = slow.min_by_key(|one| one.pace()) {
            // Its turn is free with that.
            drop(slowest.resume(0));
        }
    }
}

impl Taken {
    /// The scan, for the next so many bytes; None if its turn went to somebody else.
    pub(super) fn resume(&self, bytes: u64) -> Option<(Scan, Turn)> {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The scanner has them, and the sender is waited for again.
    pub(super) fn pause(&self, scan: Scan, turn: Turn) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some((scan, turn));
    }

    fn is_waiting(&self) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Bytes in a second.
    fn pace(&self) -> u64 {
        self.sent.load(Ordering::Relaxed) / self.since.elapsed().as_secs().max(1)
    }
}
