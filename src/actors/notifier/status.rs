//! What the operator sees of a consumer of notifications. Never a patient.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::time::now_dtm;

/// A consumer, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ConsumerStatus {
    /// As configured.
    pub name: String,
    /// `ITI-10`, `ITI-46` or `ITI-64`.
    pub transaction: &'static str,
    /// Events that it was not told of yet.
    pub waiting: u64,
    /// Notifications that it took, since the start.
    pub told: u64,
    /// Notifications that it refused for good, since the start.
    pub refused: u64,
    /// Events that were no longer kept when its turn came: it must ask for everything anew.
    pub lost: u64,
    /// When it took the last one (DTM).
    pub last_told: Option<String>,
    /// What went wrong last, and when (DTM).
    pub last_problem: Option<(String, String)>,
    /// Whether the one that is its turn did not arrive yet.
    pub failing: bool,
}

/// A status that changes.
#[derive(Debug, Clone)]
pub(super) struct Watched(Arc<Mutex<ConsumerStatus>>);

impl Watched {
    pub(super) fn new(name: &str, transaction: &'static str) -> Self {
        let status = ConsumerStatus { name: name.to_owned(), transaction, ..ConsumerStatus::default() };
        let watched = Self(Arc::new(Mutex::new(status)));
        // Counted from the start, so that alarms can be set on them.
        for outcome in ["told", "refused", "failed", "lost"] {
            watched.count(outcome, 0);
        }
        watched
    }
    pub(super) fn is(&self, name: &str, transaction: &str) -> bool {
        let status = self.lock();
        status.name == name && status.transaction == transaction
    }
    pub(super) fn get(&self) -> ConsumerStatus {
        self.lock().clone()
    }
    /// So many events are still to be told.
    pub(super) fn waiting(&self, events: u64) {
        let mut status = self.lock();
        status.waiting = events;
        let consumer = status.name.clone();
        drop(status);
        metrics::gauge!("sekisho_notifications_waiting", "consumer" => consumer).set(events as f64);
    }
    pub(super) fn told(&self) {
        let mut status = self.lock();
        status.told += 1;
        status.failing = false;
        status.last_told = Some(now_dtm());
        drop(status);
        self.count("told", 1);
    }
    pub(super) fn refused(&self, problem: &str) {
        let mut status = self.lock();
        status.refused += 1;
        status.failing = false;
        status.last_problem = Some((problem.to_owned(), now_dtm()));
        drop(status);
        self.count("refused", 1);
    }
    pub(super) fn failed(&self, problem: &str) {
        let mut status = self.lock();
        status.failing = true;
        status.last_problem = Some((problem.to_owned(), now_dtm()));
        drop(status);
        self.count("failed", 1);
    }
    pub(super) fn lost(&self, events: u64) {
        let mut status = self.lock();
        status.lost += events;
        status.last_problem = Some((format!("{events} events were no longer kept"), now_dtm()));
        drop(status);
        self.count("lost", events);
    }

    fn count(&self, outcome: &'static str, by: u64) {
        let name = self.lock().name.clone();
        metrics::counter!("sekisho_notifications_total", "consumer" => name, "outcome" => outcome)
            .increment(by);
    }
    fn lock(&self) -> MutexGuard<'_, ConsumerStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
