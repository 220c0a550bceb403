//! Admission: so many requests are worked on, so many wait for a short while, and the others are shed at once with a fault
//! (attack 34), so that those who are let in are answered in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{self, Limits};

/// The gate of one front.
pub(super) struct Admission {
    working: Arc<Semaphore>,
    waiting: AtomicUsize,
    max_waiting: usize,
    patience: Duration,
}

/// There is no place now.
#[derive(Debug)]
pub(super) struct Shed;

/// A request that waits; gives its place back also when its client goes away.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Admission {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            working: Arc::new(Semaphore::new(limits.max_concurrent_requests)),
            waiting: AtomicUsize::new(0),
            max_waiting: limits.max_queued_requests,
            patience: limits::MAX_QUEUE_WAIT,
        }
    }
    /// A place among those that are worked on, until it is dropped.
    pub(super) async fn enter(&self) -> Result<OwnedSemaphorePermit, Shed> {
        if let Ok(place) = Arc::clone(&self.working).try_acquire_owned() {
            return Ok(place);
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= self.max_waiting {
            return Err(Shed);
        }
        let place = Arc::clone(&self.working).acquire_owned();
        match tokio::time::timeout(self.patience, place).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(Shed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_and_one() -> Admission {
        let limits = Limits { max_concurrent_requests: 1, max_queued_requests: 1, ..Limits::default() };
        Admission::new(&limits)
    }

    #[tokio::test]
    async fn one_works_one_waits_and_the_third_is_shed() {
        let admission = one_and_one();
        let first = admission.enter().await.unwrap();
        let mut second = Box::pin(admission.enter());
        assert!(futures_util::poll!(&mut second).is_pending());
        assert!(admission.enter().await.is_err(), "the queue is full");
        drop(first);
        let second = second.await.unwrap();

        let gone = Box::pin(admission.enter());
        drop(gone);
        drop(second);
        assert!(admission.enter().await.is_ok());
        assert_eq!(admission.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn who_waited_too_long_is_shed() {
        let admission = Admission { patience: Duration::from_millis(10), ..one_and_one() };
        let _busy = admission.enter().await.unwrap();
        assert!(admission.enter().await.is_err());
        assert_eq!(admission.waiting.load(Ordering::Relaxed), 0);
    }
}
