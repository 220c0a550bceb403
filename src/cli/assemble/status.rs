//! What the operator is shown of a region.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::stocktaking::Stocktaking;
use crate::actors::notifier::Notifier;
use crate::admin::{Community, Gateway, Listener, Status, StatusSource};
use crate::config::{Mode, Problems, Settings};
use crate::federation::breaker::BreakerState;
use crate::federation::directory::{CommunityStatus, Directory};
use crate::federation::member::Oddity;
use crate::identity::crossref::Crossref;
use crate::repository::Bucket;
use crate::server::Listening;
use crate::store::Store;

/// What an operator reads until the gateway is started anew.
const CACHE_DAMAGED: &str = "the cross-reference cache was damaged, or could not be read or written: it costs time, and no \
                             answer is wrong by it; look at the disk and at the log";

/// A region as its operator sees it.
pub struct Seen {
    gateway: Gateway,
    listeners: Vec<Listener>,
    directory: Option<Arc<Directory>>,
    problems: Arc<Alarms>,
    notifier: Option<Arc<Notifier>>,
    cache: Option<Crossref>,
    bucket: Option<Bucket>,
    stock: Option<Stocktaking>,
    store: Option<Store>,
    since: Instant,
}

/// What is wrong with the files on disk, while the old state stays in force.
#[derive(Debug, Default)]
pub struct Alarms(Mutex<Vec<String>>);

impl Alarms {
    /// Replaces what was said before.
    pub fn set(&self, problems: Vec<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = problems;
    }
    fn get(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Problems as sentences, each with its place.
pub fn sentences(problems: &Problems) -> Vec<String> {
    let sentence = |problem: &crate::config::Problem| match &problem.position {
        Some(position) => format!("{}:{}: {}", problem.file, position.line, problem.message),
        None => format!("{}: {}", problem.file, problem.message),
    };
    problems.0.iter().map(sentence).collect()
}

impl Seen {
    /// A region with its listeners, as far as they are open; `listeners` says where.
    pub fn new(
        settings: &Settings,
        listening: Vec<Listening>,
        directory: Option<Arc<Directory>>,
        problems: Arc<Alarms>,
        notifier: Option<Arc<Notifier>>,
        cache: Option<Crossref>,
    ) -> Self {
        let mode = match settings.mode {
            Mode::Standalone(_) => "standalone",
            Mode::Hosted(_) => "hosted",
            Mode::Bridge(_) => "bridge",
        };
        let listener = |listening: Listening| Listener {
            name: listening.name.to_owned(),
            insecure: listening.is_insecure(),
            address: listening.address,
            tls: listening.tls,
        };
        Self {
            gateway: Gateway {
                name: settings.community.name.clone(),
                home: settings.community.home.to_urn(),
                mode,
                version: env!("CARGO_PKG_VERSION"),
                uptime_seconds: 0,
            },
            listeners: listening.into_iter().map(listener).collect(),
            directory,
            problems,
            notifier,
            cache,
            bucket: None,
            stock: None,
            store: None,
            since: Instant::now(),
        }
    }

    /// The same with the object store of its documents.
    pub fn with_bucket(self, bucket: Option<Bucket>) -> Self {
        Self { bucket, ..self }
    }

    /// The same with what is looked at from time to time.
    pub fn with_stock(self, stock: Stocktaking) -> Self {
        Self { stock: Some(stock), ..self }
    }

    /// The same with the store, whose database may be away.
    pub fn with_store(self, store: Option<Store>) -> Self {
        Self { store, ..self }
    }
}

impl StatusSource for Seen {
    fn ready(&self) -> Result<(), String> {
        // It is opened last: when it answers, everything else does that is our own.
        if self.store.as_ref().is_some_and(Store::is_away) {
            return Err("the database is away".to_owned());
        }
        self.bucket.as_ref().map_or(Ok(()), Bucket::ready)?;
        self.stock.as_ref().and_then(Stocktaking::shortage).map_or(Ok(()), Err)
    }

    fn status(&self) -> Status {
        let mut problems = self.problems.get();
        problems.extend(self.ready().err());
        problems.extend(self.stock.iter().flat_map(Stocktaking::warnings));
        let mut communities = Vec::new();
        if let Some(directory) = &self.directory {
            let status = directory.status();
            problems.extend(status.problems.iter().map(ToString::to_string));
            communities.extend(status.communities.into_iter().map(community));
        }
        if self.cache.as_ref().is_some_and(Crossref::alarm) {
            problems.push(CACHE_DAMAGED.to_owned());
        }
        let uptime_seconds = self.since.elapsed().as_secs();
        Status {
            gateway: Gateway { uptime_seconds, ..self.gateway.clone() },
            listeners: self.listeners.clone(),
            tenants: self.stock.as_ref().map(|stock| stock.latest().tenants).unwrap_or_default(),
            communities,
            consumers: self.notifier.as_ref().map(|notifier| notifier.statuses()).unwrap_or_default(),
            problems,
        }
    }
}

fn community(status: CommunityStatus) -> Community {
    let observed = status.observed;
    let failures = observed.failures.iter().map(|(_, count)| count).sum();
    let wrong_bytes = |(kind, _): &&(&str, u64)| *kind == Oddity::WrongBytes.label();
    Community {
        name: status.name,
        home: status.homes.into_iter().next().unwrap_or_default(),
        enabled: status.enabled,
        circuit: match status.breaker {
            BreakerState::Closed => "closed",
            BreakerState::Open => "open",
            BreakerState::HalfOpen => "half-open",
        },
        requests: observed.answers + failures,
        failures,
        last_answer_seconds_ago: observed.last_answer_seconds_ago,
        last_failure: observed.last_failure.map(|(reason, time)| format!("{reason} at {time} UTC")),
        hash_mismatches: observed.oddities.iter().find(wrong_bytes).map_or(0, |(_, count)| *count),
    }
}
