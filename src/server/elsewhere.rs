//! Answers that go to addresses of their own (asynchronous web services, ITI TF-2: V.3): how many requests are under way so,
//! and their delivery. Every one of them ends in the log and is counted: delivered, or undelivered and why.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::uri::Authority;
use hyper::{HeaderMap, StatusCode, Uri};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{info, warn};

use super::admission::{Room, Shed};
use super::faults::whole;
use super::observe;
use crate::limits;
use crate::transactions::{Caller, Transaction};
use crate::wire::http::{Client, HttpError};
use crate::wire::soap::{self, AllowedReplies, Outgoing, Replies};
use crate::wire::stream::{self, Content};

/// How a front exchanges messages asynchronously.
#[derive(Clone)]
pub struct Exchange {
    /// Where answers may go.
    pub allowed: AllowedReplies,
    /// With our identity towards those places.
    pub client: Client,
    /// Who waits for answers to our own requests; None takes none.
    pub replies: Option<Replies>,
}

/// Requests whose answers go elsewhere.
pub(super) struct Elsewhere {
    open: Arc<Semaphore>,
    hosts: Mutex<HashMap<Authority, usize>>,
}

/// The place of one of them, until it is dropped.
pub(super) struct Place {
    elsewhere: Arc<Elsewhere>,
    host: Authority,
    _permit: OwnedSemaphorePermit,
}

impl Elsewhere {
    pub(super) fn new() -> Arc<Self> {
        let open = Arc::new(Semaphore::new(limits::MAX_ASYNC_EXCHANGES));
        Arc::new(Self { open, hosts: Mutex::default() })
    }

    /// A place for a request whose answer goes to `url`. Nobody waits for one: the requester can.
    pub(super) fn enter(self: &Arc<Self>, url: &Uri) -> Result<Place, Shed> {
        let permit = Arc::clone(&self.open).try_acquire_owned().map_err(|_| Shed)?;
        let host = url.authority().cloned().ok_or(Shed)?;
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let there = hosts.entry(host.clone()).or_default();
        if *there >= limits::MAX_ASYNC_EXCHANGES_PER_HOST {
            return Err(Shed);
        }
        *there += 1;
        metrics::gauge!("sekisho_async_exchanges_open").increment(1);
        Ok(Place { elsewhere: Arc::clone(self), host, _permit: permit })
    }

    /// Waits until all that were accepted have ended, and says so if some have not.
    pub(super) async fn settle(&self, grace: Duration) {
        let all = self.open.acquire_many(limits::MAX_ASYNC_EXCHANGES as u32);
        if tokio::time::timeout(grace, all).await.is_err() {
            let open = limits::MAX_ASYNC_EXCHANGES - self.open.available_permits();
            metrics::counter!("sekisho_async_answers_total", "transaction" => "unknown", "outcome" => "abandoned")
                .increment(open as u64);
            warn!(open, "asynchronous answers are abandoned: the shutdown does not wait longer");
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::gauge!("sekisho_async_exchanges_open").decrement(1);
        let mut hosts = self.elsewhere.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = hosts.get_mut(&self.host) {
            *there -= 1;
            if *there == 0 {
                hosts.remove(&self.host);
            }
        }
    }
}

/// A message to deliver.
pub(super) struct Parcel {
    /// Where to.
    pub(super) url: Uri,
    /// `success`, `partial`, `failure` or `fault`.
    pub(super) outcome: &'static str,
    /// What.
    pub(super) content: Written,
    /// What it holds in memory.
    pub(super) room: Option<Room>,
}

/// What a parcel holds.
pub(super) enum Written {
    /// An answer, which may stream.
    Answer(Box<Outgoing>),
    /// A fault: Content-Type and body.
    Fault(String, Bytes),
}

impl Written {
    fn again(&self) -> Option<Self> {
        match self {
            Self::Answer(message) => message.again().map(Box::new).map(Self::Answer),
            Self::Fault(content_type, body) => Some(Self::Fault(content_type.clone(), body.clone())),
        }
    }
}

/// Why a parcel did not arrive.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("HTTP {0}")]
    Refused(StatusCode),
}

impl Lost {
    /// Whether it may arrive later. Redirects are refusals: they are not followed (attack 18).
    fn may_retry(&self) -> bool {
        match self {
            Self::Http(_) => true,
            Self::Refused(status) => matches!(status.as_u16(), 408 | 429 | 502..=504),
        }
    }
}

/// Delivers what `make` makes, as often as it takes. It is asked again only for what cannot be sent twice from memory, so
/// that must be safe to repeat.
pub(super) async fn deliver(
    client: &Client,
    transaction: &'static Transaction,
    caller: &Caller,
    mut make: impl FnMut() -> BoxFuture<'static, Option<Parcel>>,
) {
    let started = Instant::now();
    let mut pause = limits::REPLY_RETRY_PAUSE;
    let mut kept = None;
    for attempt in 1..=limits::MAX_REPLY_ATTEMPTS {
        let parcel = match kept.take() {
            Some(parcel) => Some(parcel),
            None => make().await,
        };
        let Some(Parcel { url, outcome, content, room }) = parcel else {
            return ended(transaction, caller, "unwanted", "fault", started);
        };
        let again = content.again();
        let problem = match send(client, &url, content).await {
            Ok(()) => return ended(transaction, caller, "delivered", outcome, started),
            Err(problem) => problem,
        };
        let host = url.authority().map_or("", Authority::as_str);
        warn!(trace = &*caller.trace, host, attempt, %problem, "an asynchronous answer did not arrive");
        if !problem.may_retry() || attempt == limits::MAX_REPLY_ATTEMPTS {
            return ended(transaction, caller, "undelivered", outcome, started);
        }
        kept = again.map(|content| Parcel { url, outcome, content, room });
        tokio::time::sleep(pause).await;
        pause *= 3;
    }
}

async fn send(client: &Client, url: &Uri, content: Written) -> Result<(), Lost> {
    let (content_type, length, body, patience) = match content {
        Written::Answer(message) => {
            let streams = message.attachments.iter().any(|attachment| attachment.content.rest.is_some());
            let patience = if streams { limits::SUBMISSION_DEADLINE } else { limits::REPLY_DEADLINE };
            let reply = soap::send(*message);
            (reply.content_type, reply.length, reply.body, patience)
        }
        Written::Fault(content_type, body) => {
            (content_type, Some(body.len() as u64), whole(body), limits::REPLY_DEADLINE)
        }
    };
    let mut headers = HeaderMap::new();
    if let Ok(content_type) = HeaderValue::try_from(content_type) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    let answer = client.post(url, headers, length, body, Instant::now() + patience).await?;
    let status = answer.status();
    // Nothing in it is wanted, but a peer whose words are cut off takes it for a failure.
    let rest = Content::from_stream(None, stream::chunks(answer.into_body()));
    let _ =
        tokio::time::timeout(limits::HTTP_LINGER, rest.collect(limits::MAX_MIME_PREAMBLE_BYTES as u64)).await;
    if status.is_success() { Ok(()) } else { Err(Lost::Refused(status)) }
}

fn ended(
    transaction: &'static Transaction,
    caller: &Caller,
    delivery: &'static str,
    outcome: &'static str,
    started: Instant,
) {
    let label = observe::label(Some(transaction));
    metrics::counter!("sekisho_async_answers_total", "transaction" => label, "outcome" => delivery)
        .increment(1);
    let milliseconds = started.elapsed().as_millis() as u64;
    let trace = &*caller.trace;
    info!(trace, transaction = label, outcome, delivery, milliseconds, "asynchronous answer");
}
