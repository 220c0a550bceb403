//! A line to one remote service: its endpoint, its pool of connections, and the prudence with which it is asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::federation::Unavailable;
use crate::federation::breaker::{Breaker, BreakerState, RetryBudget};
use crate::federation::member::Member;
use crate::limits::{self, Limits};
use crate::transactions::{Caller, Malformed, Transaction};
use crate::wire::http::Client;
use crate::wire::soap::{self, CallError, Endpoint, Form, Message, Outgoing, ReplyChannel};

/// What all lines to one community share.
#[derive(Debug)]
pub struct Prudence {
    breaker: Arc<Breaker>,
    slots: Semaphore,
    retries: Arc<RetryBudget>,
    deadline: Duration,
    attempts: u32,
}

/// The numbers of a [`Prudence`]; the default is that of [`limits`].
#[derive(Debug, Clone)]
pub struct PrudenceSettings {
    /// For one answer.
    pub deadline: Duration,
    /// Requests at once.
    pub concurrent: usize,
    /// Attempts, the first included.
    pub attempts: u32,
    /// Consecutive failures that open the breaker.
    pub breaker_failures: u32,
    /// How long it stays open.
    pub breaker_pause: Duration,
}

impl Default for PrudenceSettings {
    fn default() -> Self {
        Self {
            deadline: limits::PEER_DEADLINE,
            concurrent: limits::MAX_CONCURRENT_PER_PEER,
            attempts: limits::MAX_PEER_ATTEMPTS,
            breaker_failures: limits::BREAKER_FAILURES,
            breaker_pause: limits::BREAKER_PAUSE,
        }
    }
}

impl Prudence {
    /// With its own breaker and slots, and the budget of retries that is common to all communities.
    pub fn new(settings: &PrudenceSettings, retries: Arc<RetryBudget>) -> Arc<Self> {
        Arc::new(Self {
            breaker: Breaker::new(settings.breaker_failures, settings.breaker_pause),
            slots: Semaphore::new(settings.concurrent.clamp(1, Semaphore::MAX_PERMITS)),
            retries,
            deadline: settings.deadline,
            attempts: settings.attempts.max(1),
        })
    }

    /// What the breaker lets through now.
    pub fn breaker(&self) -> BreakerState {
        self.breaker.state(Instant::now())
    }

    /// An answer broke off after its head.
    pub fn broke_off(&self, why: Unavailable) {
        if why.is_outage() {
            self.breaker.failed(Instant::now());
        }
    }
}

/// A line to one endpoint of a community.
#[derive(Debug)]
pub struct Line {
    /// Whose it is.
    pub member: Arc<Member>,
    /// Shared with the community's other lines.
    pub prudence: Arc<Prudence>,
    /// The pool.
    pub client: Client,
    /// Where.
    pub endpoint: Endpoint,
    /// How its answers come, where they come on connections of their own.
    pub channel: Option<ReplyChannel>,
    /// Bounds of an answer.
    pub limits: Limits,
}

/// A request to send, as often as it takes.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// What it is.
    pub transaction: &'a Transaction,
    /// How it travels.
    pub form: Form,
    /// Its wsa:MessageID in every attempt; None: another one in each.
    pub message_id: Option<String>,
    /// Header blocks besides the addressing.
    pub headers: Vec<Bytes>,
    /// The body's child element.
    pub body: Bytes,
    /// On whose behalf.
    pub caller: &'a Caller,
    /// When the answer's envelope must be here.
    pub deadline: Instant,
}

impl<'a> Question<'a> {
    /// A question without documents and headers.
    pub fn simple(transaction: &'a Transaction, body: Bytes, caller: &'a Caller, deadline: Instant) -> Self {
        let (form, headers) = (Form::Simple, Vec::new());
        Self { transaction, form, message_id: None, headers, body, caller, deadline }
    }
}

impl Line {
    /// Asks, again if need be, and reads the answer. What goes wrong is counted and logged here; only its category goes on.
    /// Queries and retrieves are safe to repeat, and nothing else may be asked this way.
    pub async fn ask<T>(
        &self,
        question: Question<'_>,
        read: impl FnOnce(Message) -> Result<T, Malformed>,
    ) -> Result<T, Unavailable> {
        let caller = question.caller;
        let answer = match self.message(question).await {
            Ok(message) => read(message).map_err(|malformed| {
                self.log(caller, &malformed);
                Unavailable::Malformed
            }),
            Err(why) => Err(why),
        };
        match &answer {
            Ok(_) => self.member.answered(),
            Err(why) => self.member.failed(*why),
        }
        answer
    }

    async fn message(&self, question: Question<'_>) -> Result<Message, Unavailable> {
        let deadline = question.deadline.min(Instant::now() + self.prudence.deadline);
        let slot = tokio::time::timeout_at(deadline.into(), self.prudence.slots.acquire());
        let _slot = slot.await.map_err(|_| Unavailable::Busy)?.map_err(|_| Unavailable::Internal)?;
        self.prudence.retries.earn();
        let mut pause = limits::PEER_RETRY_PAUSE;
        let mut failed = Unavailable::Suspended;
        for attempt in 1.. {
            let Some(admission) = self.prudence.breaker.admit(Instant::now()) else { break };
            let started = Instant::now();
            let call = self.call(self.outgoing(&question), deadline);
            let error = match tokio::time::timeout_at(deadline.into(), call).await {
                Ok(Ok(message)) => {
                    admission.succeeded();
                    return Ok(message);
                }
                Ok(Err(error)) => error,
                Err(_) => CallError::Deadline(started.elapsed().as_millis() as u64),
            };
            failed = Unavailable::from(&error);
            self.log(question.caller, &redacted(&error));
            if failed.is_outage() {
                admission.failed(Instant::now());
            } else {
                admission.succeeded();
            }
            let wait = jittered(pause);
            let again = attempt < self.prudence.attempts
                && may_retry(&error)
                && Instant::now() + wait < deadline
                && self.prudence.retries.spend();
            if !again {
                break;
            }
            metrics::counter!("sekisho_peer_retries_total", "community" => self.member.home().to_urn())
                .increment(1);
            tokio::time::sleep(wait).await;
            pause *= 2;
        }
        Err(failed)
    }

    async fn call(&self, request: Outgoing, deadline: Instant) -> Result<Message, CallError> {
        let Self { client, endpoint, limits, .. } = self;
        match &self.channel {
            None => soap::call(client, endpoint, request, limits, deadline).await,
            Some(channel) => soap::call_through(client, endpoint, channel, request, limits, deadline).await,
        }
    }

    fn outgoing(&self, question: &Question<'_>) -> Outgoing {
        Outgoing {
            form: question.form,
            action: question.transaction.action.to_owned(),
            to: Some(self.endpoint.url.to_string()),
            message_id: question.message_id.clone(),
            headers: question.headers.clone(),
            body: vec![question.body.clone()],
            ..Outgoing::default()
        }
    }

    fn log(&self, caller: &Caller, problem: &dyn std::fmt::Display) {
        let (community, endpoint) = (self.member.home(), &self.endpoint.url);
        tracing::warn!(trace = &*caller.trace, %community, %endpoint, %problem, "a community failed");
    }
}

/// A fault's reason is the peer's own text and may hold a patient's data: it stays out of the log.
fn redacted(error: &CallError) -> String {
    match error {
        CallError::Fault(fault) => format!("SOAP fault {:?}", fault.code),
        other => other.to_string(),
    }
}

/// An error page with status 200 comes from a balancer whose server is away, as 502 to 504 do.
fn may_retry(error: &CallError) -> bool {
    error.may_retry() || matches!(error, CallError::NotSoap { status: 200, .. })
}

/// Between half and one and a half of the pause.
fn jittered(pause: Duration) -> Duration {
    let random = uuid::Uuid::new_v4().as_bytes().first().copied().unwrap_or(128);
    pause * (128 + u32::from(random)) / 256
}
