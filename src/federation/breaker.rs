//! A circuit breaker, and the budget that bounds retries over all communities together.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::limits;

/// What a breaker lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerState {
    /// Everything.
    Closed,
    /// Nothing, until the pause is over.
    Open,
    /// One request, to see whether the service is back.
    HalfOpen,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    Probing,
}

/// Opens after a number of consecutive failures, probes with one request after a pause, and closes on a success.
#[derive(Debug)]
pub struct Breaker {
    state: Mutex<State>,
    failures: u32,
    pause: Duration,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(failures: u32, pause: Duration) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::Closed { failures: 0 }), failures: failures.max(1), pause })
    }

    /// Leave to ask at `now`; None while the breaker is open or its probe is under way.
    pub fn admit(self: &Arc<Self>, now: Instant) -> Option<Admission> {
        let mut state = self.lock();
        let probe = match *state {
            State::Closed { .. } => false,
            State::Open { until } if now >= until => {
                *state = State::Probing;
                true
            }
            State::Open { .. } | State::Probing => return None,
        };
        Some(Admission { breaker: Arc::clone(self), probe, settled: false })
    }

    /// What it would do at `now`.
    pub fn state(&self, now: Instant) -> BreakerState {
        match *self.lock() {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { until } if now < until => BreakerState::Open,
            State::Open { .. } | State::Probing => BreakerState::HalfOpen,
        }
    }

    /// A failure that shows only later, in the middle of a document.
    pub fn failed(&self, now: Instant) {
        let mut state = self.lock();
        *state = match *state {
            State::Closed { failures } if failures + 1 < self.failures => {
                State::Closed { failures: failures + 1 }
            }
            State::Open { until } => State::Open { until },
            State::Closed { .. } | State::Probing => State::Open { until: now + self.pause },
        };
    }

    fn succeeded(&self) {
        *self.lock() = State::Closed { failures: 0 };
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave to ask once. Dropped unsettled (the asker went away), it counts as nothing, and a probe is free again.
#[derive(Debug)]
pub struct Admission {
    breaker: Arc<Breaker>,
    probe: bool,
    settled: bool,
}

impl Admission {
    /// The service answered.
    pub fn succeeded(mut self) {
        self.settled = true;
        self.breaker.succeeded();
    }

    /// The service is down.
    pub fn failed(mut self, now: Instant) {
        self.settled = true;
        self.breaker.failed(now);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if self.probe && !self.settled {
            let mut state = self.breaker.lock();
            if matches!(*state, State::Probing) {
                *state = State::Open { until: Instant::now() };
            }
        }
    }
}

/// A token bucket over all communities: every first attempt earns a fraction of a retry, so that retries stay a fraction
/// of the traffic however many communities fail at once.
#[derive(Debug)]
pub struct RetryBudget(AtomicI64);

impl RetryBudget {
    /// A full bucket.
    pub fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(limits::RETRY_BUDGET_MILLIS)))
    }

    /// A first attempt was made.
    pub fn earn(&self) {
        let more = |had: i64| Some((had + limits::RETRY_EARNED_MILLIS).min(limits::RETRY_BUDGET_MILLIS));
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// Takes one retry, if there is one.
    pub fn spend(&self) -> bool {
        let less = |had: i64| (had >= 1_000).then(|| had - 1_000);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(10);

    #[test]
    fn opens_after_consecutive_failures_and_closes_by_probing() {
        let breaker = Breaker::new(2, PAUSE);
        let start = Instant::now();
        breaker.admit(start).unwrap().failed(start);
        breaker.admit(start).unwrap().succeeded();
        breaker.admit(start).unwrap().failed(start);
        assert_eq!(breaker.state(start), BreakerState::Closed, "the success began the count anew");
        breaker.admit(start).unwrap().failed(start);
        assert_eq!(breaker.state(start), BreakerState::Open);
        assert!(breaker.admit(start + PAUSE / 2).is_none());

        let probe = breaker.admit(start + PAUSE).unwrap();
        assert!(breaker.admit(start + PAUSE).is_none(), "one probe at a time");
        probe.failed(start + PAUSE);
        assert_eq!(breaker.state(start + PAUSE), BreakerState::Open);
        breaker.admit(start + 2 * PAUSE).unwrap().succeeded();
        assert_eq!(breaker.state(start + 2 * PAUSE), BreakerState::Closed);
    }

    #[test]
    fn an_abandoned_probe_lets_the_next_one_through() {
        let breaker = Breaker::new(1, Duration::ZERO);
        let now = Instant::now();
        breaker.admit(now).unwrap().failed(now);
        drop(breaker.admit(now).unwrap());
        assert!(breaker.admit(Instant::now()).is_some());
    }

    #[test]
    fn retries_are_a_fraction_of_first_attempts() {
        let budget = RetryBudget::new();
        let mut retries = 0;
        while budget.spend() {
            retries += 1;
        }
        assert_eq!(retries, limits::RETRY_BUDGET_MILLIS / 1_000);
        for _ in 0..1_000 / limits::RETRY_EARNED_MILLIS {
            assert!(!budget.spend());
            budget.earn();
        }
        assert!(budget.spend());
    }
}
