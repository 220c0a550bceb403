//! What the operator sees of each request: one line in the log, and metrics. Never content, never a patient.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::{Buf, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tracing::{info, warn};

use super::faults::Refusal;
use crate::transactions::Transaction;
use crate::transactions::User;
use crate::transactions::errors::Status;
use crate::trust::Refused;
use crate::wire::http::Peer;
use crate::wire::stream::{Body, StreamError};

/// How a request ended.
pub(super) enum Outcome<'a> {
    Answered(Status),
    Refused(&'a Refusal),
    /// Its answer goes elsewhere, or nowhere.
    Accepted,
    /// It was an answer to a request of ours.
    Reply,
    Described,
}

impl Outcome<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Answered(answered) => status(*answered),
            Self::Refused(_) => "fault",
            Self::Accepted => "accepted",
            Self::Reply => "reply",
            Self::Described => "description",
        }
    }
}

/// The name of a response's status.
pub(super) fn status(status: Status) -> &'static str {
    match status {
        Status::Success => "success",
        Status::PartialSuccess => "partial",
        Status::Failure => "failure",
    }
}

/// The label of a transaction that is not known (yet).
pub(super) fn label(transaction: Option<&'static Transaction>) -> &'static str {
    transaction.map_or("unknown", |transaction| transaction.id)
}

/// Counts a request and writes its line.
pub(super) fn ended(
    outcome: &Outcome<'_>,
    transaction: Option<&'static Transaction>,
    peer: &Peer,
    trace: &str,
    started: Instant,
) {
    let (transaction, name) = (label(transaction), outcome.name());
    let took = started.elapsed();
    metrics::counter!("sekisho_requests_total", "transaction" => transaction, "outcome" => name).increment(1);
    metrics::histogram!("sekisho_request_seconds", "transaction" => transaction).record(took);
    let subject = peer.certificate.as_ref().map_or("", |certificate| certificate.subject.as_str());
    let rule = match outcome {
        Outcome::Refused(refusal) => refusal.rule,
        _ => "",
    };
    let milliseconds = took.as_millis() as u64;
    info!(trace, transaction, outcome = name, rule, peer = %peer.address, subject, milliseconds, "request");
    if let Outcome::Refused(refusal) = outcome {
        refused(refusal, trace);
    }
}

/// Counts a refusal, and logs what it does not tell the sender.
pub(super) fn refused(refusal: &Refusal, trace: &str) {
    metrics::counter!("sekisho_faults_total", "rule" => refusal.rule).increment(1);
    if let Some(problem) = refusal.internal.as_deref() {
        warn!(trace, problem, "internal problem");
    }
}

/// Counts what came of looking for a user, and logs who was refused: by certificate and address, never by name.
pub(super) fn authenticated(user: &Result<Option<User>, Refused>, peer: &Peer, trace: &str) {
    let outcome = match user {
        Ok(Some(_)) => "verified",
        Ok(None) => "none",
        Err(refused) => refused.rule.name,
    };
    metrics::counter!("sekisho_assertions_total", "outcome" => outcome).increment(1);
    if let Err(refused) = user {
        let subject = peer.certificate.as_ref().map_or("", |certificate| certificate.subject.as_str());
        let (rule, address) = (refused.rule.name, peer.address);
        warn!(trace, rule, %address, subject, "authentication failure: an assertion is not taken");
    }
}

/// How much of a request's body was taken in.
#[derive(Default)]
pub(super) struct Intake {
    bytes: AtomicU64,
    whole: AtomicBool,
}

impl Intake {
    /// Whether the body was read to its end: only then can another request follow on the connection.
    pub(super) fn is_whole(&self) -> bool {
        self.whole.load(Ordering::Relaxed)
    }
    /// Bytes so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
    /// The body, watched.
    pub(super) fn watch(self: &Arc<Self>, body: Body) -> Body {
        self.whole.store(body.is_end_stream(), Ordering::Relaxed);
        Body::new(Inflow { inner: body, intake: Arc::clone(self) })
    }
}

/// A request's body on its way in.
struct Inflow {
    inner: Body,
    intake: Arc<Intake>,
}

impl HttpBody for Inflow {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let bytes = frame.data_ref().map_or(0, Buf::remaining) as u64;
            self.intake.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        let ended = matches!(polled, Poll::Ready(None)) || self.inner.is_end_stream();
        if ended {
            self.intake.whole.store(true, Ordering::Relaxed);
        }
        polled
    }
    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A request in flight, from its head to the last byte of its answer.
pub(super) struct InFlight;

impl InFlight {
    pub(super) fn begin() -> Self {
        metrics::gauge!("sekisho_requests_in_flight").increment(1);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        metrics::gauge!("sekisho_requests_in_flight").decrement(1);
    }
}

/// An answer's body on its way out.
pub(super) struct Outflow {
    inner: Body,
    transaction: &'static str,
    trace: Arc<str>,
    bytes: u64,
    _in_flight: InFlight,
}

impl Outflow {
    /// The body, watched.
    pub(super) fn watch(
        inner: Body,
        transaction: &'static str,
        trace: Arc<str>,
        in_flight: InFlight,
    ) -> Body {
        Body::new(Self { inner, transaction, trace, bytes: 0, _in_flight: in_flight })
    }
}

impl HttpBody for Outflow {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => self.bytes += frame.data_ref().map_or(0, Buf::remaining) as u64,
            Poll::Ready(Some(Err(error))) => {
                metrics::counter!("sekisho_answers_broken_off_total", "transaction" => self.transaction)
                    .increment(1);
                warn!(trace = %self.trace, transaction = self.transaction, %error, "answer broken off");
            }
            _ => (),
        }
        polled
    }
    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Outflow {
    fn drop(&mut self) {
        metrics::counter!("sekisho_answer_bytes_total", "transaction" => self.transaction)
            .increment(self.bytes);
    }
}
