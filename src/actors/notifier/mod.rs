//! The PIX Manager's notifications: consumers are told when identifiers are linked anew (ITI-10, ITI-46; ITI TF-2: 3.10,
//! 3.46), registries when a local patient is somebody else's now (ITI-64; ITI TF-2: 3.64). The command line starts it.
//!
//! Each consumer has a place in the index's events and a task of its own: one that is away holds nobody up (user pain 85), and
//! what it misses waits, in order, as long as the index keeps its events; what it missed for good is counted and shown (user
//! pain 84). A notification that was sent and not acknowledged is sent again, under the same id.

mod notice;
pub mod send;
mod status;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::task::JoinSet;

use self::status::Watched;
use crate::delivery::outbox::{Link, Outbox};
use crate::demographics::Demographics;
use crate::identity::index::{Event, Index, IndexError};
use crate::ids::Oid;
use crate::limits;
use crate::store::StoreError;
use crate::transactions::identity::IdentifiersChanged;
use crate::transactions::iti64::LinkChange;

pub use self::status::ConsumerStatus;

/// Whoever is told.
pub struct Consumer {
    /// As configured; its place is kept under this name.
    pub name: String,
    /// Of what.
    pub interest: Interest,
    /// How.
    pub channel: Box<dyn Channel>,
}

/// Of what a consumer is told.
#[derive(Debug, Clone)]
pub enum Interest {
    /// Changed identifiers in these domains, none meaning all.
    Identifiers(Vec<Oid>),
    /// Links of local patients to those of an affinity domain; `source` is the OID that we sign with.
    Links {
        /// The affinity domain.
        affinity: Oid,
        /// MSH-3.
        source: Oid,
    },
}

/// What is told.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time")]
pub enum Notice {
    /// ITI-10, ITI-46.
    Identifiers(IdentifiersChanged),
    /// ITI-64.
    Link(LinkChange),
}

/// How a consumer is told.
pub trait Channel: Send + Sync {
    /// `ITI-10`, `ITI-46` or `ITI-64`.
    fn transaction(&self) -> &'static str;
    /// Sends a notice under an id, and waits until it is acknowledged.
    fn tell<'a>(&'a self, id: &'a str, notice: &'a Notice) -> BoxFuture<'a, Result<(), NotTold>>;
}

/// Why a consumer was not told. What is said is for the operator: never a patient's data, never a peer's own text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTold {
    /// It may be told later.
    #[error("{0}")]
    Later(String),
    /// It does not want to hear it, and would not later.
    #[error("{0}")]
    Refused(String),
}

/// The notifier: a task for each consumer, until it is dropped.
pub struct Notifier {
    index: Index,
    outbox: Outbox,
    telling: Mutex<Telling>,
}

/// Whom it tells.
#[derive(Default)]
struct Telling {
    statuses: Vec<Watched>,
    tasks: JoinSet<()>,
}

impl Notifier {
    /// Starts telling consumers what the index tells.
    pub fn start(index: &Index, outbox: &Outbox, consumers: Vec<Consumer>) -> Self {
        let notifier = Self { index: index.clone(), outbox: outbox.clone(), telling: Mutex::default() };
        *notifier.telling() = notifier.begin(consumers, &[]);
        notifier
    }

    /// Tells those consumers from now on, and nobody else. Who was among them before goes on at his place; what he was being
    /// told at this moment he may be told again, under the same id.
    pub async fn replace(&self, consumers: Vec<Consumer>) {
        let Telling { statuses, mut tasks } = std::mem::take(&mut *self.telling());
        tasks.shutdown().await;
        let telling = self.begin(consumers, &statuses);
        *self.telling() = telling;
    }

    fn begin(&self, consumers: Vec<Consumer>, before: &[Watched]) -> Telling {
        let mut telling = Telling::default();
        for consumer in consumers {
            let (name, transaction) = (&consumer.name, consumer.channel.transaction());
            let known = before.iter().find(|status| status.is(name, transaction));
            let status = known.cloned().unwrap_or_else(|| Watched::new(name, transaction));
            telling.statuses.push(status.clone());
            let (index, outbox) = (self.index.clone(), self.outbox.clone());
            telling.tasks.spawn(Follower { consumer, status, index, outbox }.follow());
        }
        telling
    }

    /// How the consumers are.
    pub fn statuses(&self) -> Vec<ConsumerStatus> {
        self.telling().statuses.iter().map(Watched::get).collect()
    }

    fn telling(&self) -> MutexGuard<'_, Telling> {
        self.telling.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Follower {
    consumer: Consumer,
    status: Watched,
    index: Index,
    outbox: Outbox,
}

impl Follower {
    async fn follow(self) {
        let mut news = self.index.watch_events();
        let last = *news.borrow();
        let mut position = self.start(last).await;
        loop {
            self.waiting(position);
            match self.tell_next(position).await {
                Ok(Some(told)) => position = told,
                Ok(None) => {
                    // The index lives as long as we do; if it is gone, there is nothing more to tell.
                    if news.wait_for(|last| *last > position).await.is_err() {
                        return;
                    }
                }
                Err(problem) => {
                    tracing::error!(consumer = self.consumer.name, %problem, "notifications wait for the store");
                    tokio::time::sleep(limits::NOTIFY_PAUSE).await;
                }
            }
        }
    }

    fn waiting(&self, position: u64) {
        let last = *self.index.watch_events().borrow();
        self.status.waiting(last.saturating_sub(position));
    }

    /// Where it goes on. A new consumer is told what happens from now on; a place beyond the last event is one of another
    /// index, older data restored, say.
    async fn start(&self, last: u64) -> u64 {
        loop {
            let name = &self.consumer.name;
            let placed = async {
                let position = self.outbox.position(name, last).await?.min(last);
                self.outbox.advance(name, position, Vec::new()).await?;
                Ok::<_, StoreError>(position)
            };
            match placed.await {
                Ok(position) => return position,
                Err(problem) => {
                    tracing::error!(consumer = name, %problem, "notifications wait for the store");
                    tokio::time::sleep(limits::NOTIFY_PAUSE).await;
                }
            }
        }
    }

    /// Tells what is next, and gives the new position; None if there is nothing.
    async fn tell_next(&self, position: u64) -> Result<Option<u64>, IndexError> {
        let events = self.index.events(position, limits::NOTIFY_EVENTS_AT_ONCE).await?;
        let Some(first) = events.first() else { return Ok(None) };
        let lost = first.number.saturating_sub(position + 1);
        if lost > 0 {
            tracing::error!(
                consumer = self.consumer.name,
                lost,
                "a consumer missed events that are no longer kept"
            );
            self.status.lost(lost);
        }
        let mut reached = position;
        for event in events {
            let (notices, links) = self.notices(&event).await?;
            let concerns = !notices.is_empty() || !links.is_empty();
            for (part, notice) in notices.iter().enumerate() {
                self.tell(reached, &self.id(event.number, part), notice).await;
            }
            reached = event.number;
            if concerns {
                self.outbox.advance(&self.consumer.name, reached, links).await?;
                return Ok(Some(reached));
            }
        }
        self.outbox.advance(&self.consumer.name, reached, Vec::new()).await?;
        Ok(Some(reached))
    }

    /// The same whenever it is sent; at most 20 characters as long as there are fewer than 10^11 events (MSH-10 in HL7 2.5).
    fn id(&self, event: u64, part: usize) -> String {
        match part {
            0 => format!("{}-{event}", self.outbox.epoch()),
            part => format!("{}-{event}-{part}", self.outbox.epoch()),
        }
    }

    async fn notices(&self, event: &Event) -> Result<(Vec<Notice>, Vec<Link>), IndexError> {
        match &self.consumer.interest {
            Interest::Identifiers(domains) => {
                let Some(identifiers) = notice::update(&event.kind, domains) else {
                    return Ok(Default::default());
                };
                let mut person = Demographics::default();
                if let Some(patient) = identifiers.first() {
                    match self.index.corresponding(patient).await {
                        Ok((_, known)) => person = known,
                        Err(IndexError::Store(problem)) => return Err(problem.into()),
                        // Gone since: a later event tells that.
                        Err(_) => {}
                    }
                }
                let changed = IdentifiersChanged { identifiers, person: Box::new(person) };
                Ok((vec![Notice::Identifiers(changed)], Vec::new()))
            }
            Interest::Links { affinity, source } => {
                let mut believed = HashMap::new();
                for local in notice::locals(&event.kind, affinity) {
                    if let Some(patient) = self.outbox.linked_to(&self.consumer.name, local).await? {
                        believed.insert(local.clone(), patient);
                    }
                }
                let links = notice::links(&event.kind, affinity, &believed, source.as_str());
                Ok((links.told.into_iter().map(Notice::Link).collect(), links.known))
            }
        }
    }

    /// Tells it, however long that takes; returns when the consumer took it, or refused it for good.
    async fn tell(&self, position: u64, id: &str, notice: &Notice) {
        let consumer = &self.consumer.name;
        let mut pause = limits::NOTIFY_PAUSE;
        loop {
            let sending = self.consumer.channel.tell(id, notice);
            let sent = tokio::time::timeout(limits::NOTIFY_DEADLINE, sending).await;
            match sent.unwrap_or_else(|_| Err(NotTold::Later("no acknowledgement in time".to_owned()))) {
                Ok(()) => return self.status.told(),
                Err(NotTold::Refused(problem)) => {
                    tracing::error!(
                        consumer,
                        id,
                        problem,
                        "a consumer refused a notification; it goes on with the next"
                    );
                    return self.status.refused(&problem);
                }
                Err(NotTold::Later(problem)) => {
                    tracing::warn!(consumer, id, problem, "a consumer was not told; it is told later");
                    self.status.failed(&problem);
                    self.waiting(position);
                }
            }
            tokio::time::sleep(jittered(pause)).await;
            pause = (2 * pause).min(limits::MAX_NOTIFY_PAUSE);
        }
    }
}

/// Between half and one and a half of the pause, so that consumers that failed together are not tried together.
fn jittered(pause: Duration) -> Duration {
    let random = uuid::Uuid::new_v4().as_bytes().first().copied().unwrap_or(128);
    pause * (128 + u32::from(random)) / 256
}
