//! Admission: so many requests are worked on, so many wait for a short while, and the others are shed at once with a fault
//! (attack 34), so that those who are let in are answered in time. The same for what their answers hold in memory: a place is
//! free again when an answer is found, but a slow reader holds the answer for as long as it likes (attack 31).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::BodyExt as _;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::limits::{self, Limits};
use crate::wire::stream::Body;

/// The gate of one front.
pub(super) struct Admission {
    working: Arc<Semaphore>,
    waiting: AtomicUsize,
    max_waiting: usize,
    /// Room for answers, in units of [`UNIT_BYTES`].
    room: Arc<Semaphore>,
    all_room: u32,
    patience: Duration,
}

/// Unit in which room for answers is counted.
const UNIT_BYTES: usize = 1024;

/// Room for one answer, until its body is dropped; None for a small one.
pub(super) struct Room(Option<OwnedSemaphorePermit>);

impl Room {
    /// The answer that it is for.
    pub(super) fn hold(self, body: Body) -> Body {
        match self.0 {
            None => body,
            Some(room) => Body::new(body.map_frame(move |frame| {
                let _held = &room;
                frame
            })),
        }
    }
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
        let all_room = u32::try_from(limits.max_answer_memory_bytes / UNIT_BYTES).unwrap_or(u32::MAX).max(1);
        let room = Arc::new(Semaphore::new(all_room as usize));
        Self {
            room,
            all_room,
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
        self.in_time(Arc::clone(&self.working).acquire_owned()).await
    }

    /// Room for an answer with so many bytes in memory. One that is larger than all room gets all of it.
    pub(super) async fn room(&self, bytes: usize) -> Result<Room, Shed> {
        if bytes <= limits::SMALL_ANSWER_BYTES {
            return Ok(Room(None));
        }
        let units = u32::try_from(bytes / UNIT_BYTES).unwrap_or(u32::MAX).min(self.all_room);
        let room = self.in_time(Arc::clone(&self.room).acquire_many_owned(units)).await?;
        Ok(Room(Some(room)))
    }

    async fn in_time(
        &self,
        permit: impl Future<Output = Result<OwnedSemaphorePermit, AcquireError>>,
    ) -> Result<OwnedSemaphorePermit, Shed> {
        match tokio::time::timeout(self.patience, permit).await {
            Ok(Ok(permit)) => Ok(permit),
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

    #[tokio::test]
    async fn answers_have_room_until_they_are_read() {
        let limits = Limits { max_answer_memory_bytes: 100 * UNIT_BYTES, ..Limits::default() };
        let admission = Admission { patience: Duration::from_millis(10), ..Admission::new(&limits) };
        let first = admission.room(70 * UNIT_BYTES).await.unwrap().hold(Body::default());
        assert!(admission.room(70 * UNIT_BYTES).await.is_err());
        assert!(admission.room(limits::SMALL_ANSWER_BYTES).await.is_ok(), "small ones are not kept waiting");
        drop(first);
        let larger_than_all = admission.room(usize::MAX).await.unwrap();
        assert!(admission.room(70 * UNIT_BYTES).await.is_err());
        drop(larger_than_all);
        assert!(admission.room(70 * UNIT_BYTES).await.is_ok());
    }
}
