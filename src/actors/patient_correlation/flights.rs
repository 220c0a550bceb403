//! One question under way for all who want its answer at the same time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};

use crate::limits;

type Answering<V> = BoxFuture<'static, V>;

/// Questions under way, by what they are about.
pub(super) struct Flights<K, V: Clone>(Mutex<HashMap<K, WeakShared<Answering<V>>>>);

impl<K, V: Clone> Default for Flights<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Flights<K, V> {
    /// The answer of the question that is under way, or of a new one. It goes on as long as anybody waits for it.
    pub(super) async fn join(&self, key: K, ask: impl FnOnce() -> Answering<V>) -> V {
        self.flight(key, ask).await
    }

    fn flight(&self, key: K, ask: impl FnOnce() -> Answering<V>) -> Shared<Answering<V>> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(under_way) =
            flights.get(&key).and_then(WeakShared::upgrade).filter(|flight| flight.peek().is_none())
        {
            return under_way;
        }
        if flights.len() >= limits::MAX_SHARED_DISCOVERIES {
            flights.retain(|_, flight| flight.upgrade().is_some());
        }
        let flight = ask().shared();
        // Beyond the bound a question is asked for one alone.
        if let Some(weak) = flight.downgrade().filter(|_| flights.len() < limits::MAX_SHARED_DISCOVERIES) {
            flights.insert(key, weak);
        }
        flight
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn concurrent_questions_are_one_and_later_ones_are_new() {
        let flights = Flights::<u8, u32>::default();
        let asked = Arc::new(AtomicU32::new(0));
        let ask = || {
            let asked = Arc::clone(&asked);
            async move {
                tokio::task::yield_now().await;
                asked.fetch_add(1, Ordering::Relaxed)
            }
            .boxed()
        };
        let (one, two, other) =
            tokio::join!(flights.join(1, ask), flights.join(1, ask), flights.join(2, ask));
        assert_eq!((one, two, other), (0, 0, 1));
        assert_eq!(flights.join(1, ask).await, 2);
        // Whoever asked went away.
        drop(flights.flight(3, || Box::pin(std::future::pending())));
        assert_eq!(flights.join(3, ask).await, 3);
    }
}
