//! The front: takes HTTP requests, leads each to its service and back, and turns whatever goes wrong into a fault.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response};
use uuid::Uuid;

use super::admission::{Admission, Room};
use super::asynchronous::{Later, accepted};
use super::elsewhere::{Elsewhere, Exchange};
use super::faults::Refusal;
use super::observe::{self, InFlight, Intake, Outcome, Outflow};
use super::service::Service;
use super::services::{self, Services};
use super::wsdl;
use crate::limits::Limits;
use crate::transactions::dry_run::{self, Effect};
use crate::transactions::errors::Status;
use crate::transactions::{Caller, Transaction, User};
use crate::trust::Xua;
use crate::wire::http::{Handler, Peer};
use crate::wire::soap::{self, Envelope, EnvelopeMemory, Form, Message, Outgoing, Route};
use crate::wire::stream::Body;

/// What an answer to a message without wsa:MessageID relates to (WS-Addressing 1.0 Core, 3.1).
const UNSPECIFIED_MESSAGE: &str = "http://www.w3.org/2005/08/addressing/unspecified";

/// The SOAP front of a gateway: cheap to clone; several listeners may share it, and then they share its admission.
#[derive(Clone)]
pub struct Front {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) services: Services,
    admission: Admission,
    envelopes: EnvelopeMemory,
    pub(super) limits: Limits,
    /// Whose assertions are taken; None takes no notice of any.
    xua: RwLock<Option<Arc<Xua>>>,
    pub(super) exchange: Option<Exchange>,
    pub(super) elsewhere: Arc<Elsewhere>,
    /// For answers to our own requests: those who wait for them hold places of `admission`.
    pub(super) replies: Admission,
}

/// How a request ended that was not refused.
pub(super) enum Ended {
    Answered(Status),
    Accepted,
    Reply,
    Described,
}

/// What is known of a request so far: what its fault needs.
#[derive(Default)]
pub(super) struct Seen {
    transaction: Option<&'static Transaction>,
    pub(super) message_id: Option<Arc<str>>,
    /// The header that asks for a dry run.
    dry_run: Option<HeaderValue>,
}

impl Front {
    /// A front for services, whose answers all go back on the same connection.
    pub fn new(services: Services, limits: &Limits) -> Self {
        Self::made(services, limits, None)
    }
    /// The same with answers that go, and come, on connections of their own.
    pub fn exchanging(services: Services, limits: &Limits, exchange: Exchange) -> Self {
        Self::made(services, limits, Some(exchange))
    }
    fn made(services: Services, limits: &Limits, exchange: Option<Exchange>) -> Self {
        Self {
            inner: Arc::new(Inner {
                services,
                admission: Admission::new(limits),
                envelopes: EnvelopeMemory::new(limits),
                limits: limits.clone(),
                xua: RwLock::default(),
                exchange,
                elsewhere: Elsewhere::new(),
                replies: Admission::new(limits),
            }),
        }
    }
    /// Says whose assertions are taken, and where there must be one, from the next message on.
    pub fn trust(&self, xua: Option<Arc<Xua>>) {
        *self.inner.xua.write().unwrap_or_else(PoisonError::into_inner) = xua;
    }
    /// Waits for the answers that are still to be delivered elsewhere, and no longer than `grace`.
    pub async fn settle(&self, grace: Duration) {
        self.inner.elsewhere.settle(grace).await;
    }
}

impl Handler for Front {
    fn handle(&self, peer: Peer, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        Box::pin(Arc::clone(&self.inner).handle(peer, request))
    }
}

impl Inner {
    async fn handle(self: Arc<Self>, peer: Peer, request: Request<Body>) -> Response<Body> {
        let started = Instant::now();
        let in_flight = InFlight::begin();
        let trace: Arc<str> = Uuid::new_v4().to_string().into();
        let form = soap::form_of(request.headers());
        let intake = Arc::new(Intake::default());
        let request = request.map(|body| intake.watch(body));

        let mut seen = Seen::default();
        let exchange = self.exchange(&peer, &trace, request, &mut seen);
        let ended = AssertUnwindSafe(exchange).catch_unwind().await;
        let ended = ended.unwrap_or_else(|_panic| Err(Refusal::panicked()));

        let outcome = match &ended {
            Ok((Ended::Answered(status), _)) => Outcome::Answered(*status),
            Ok((Ended::Accepted, _)) => Outcome::Accepted,
            Ok((Ended::Reply, _)) => Outcome::Reply,
            Ok((Ended::Described, _)) => Outcome::Described,
            Err(refusal) => Outcome::Refused(refusal),
        };
        observe::ended(&outcome, seen.transaction, &peer, &trace, started);
        let label = observe::label(seen.transaction);
        metrics::counter!("sekisho_request_bytes_total", "transaction" => label).increment(intake.bytes());

        let mut response = match ended {
            Ok((_, response)) => response,
            Err(refusal) => {
                let relates_to = seen.message_id.as_deref().unwrap_or(UNSPECIFIED_MESSAGE);
                refusal.response(form, relates_to, &trace)
            }
        };
        if !intake.is_whole() {
            // What is left of the request would be taken for the next one.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response.map(|body| Outflow::watch(body, label, trace, in_flight))
    }

    /// One request.
    async fn exchange(
        self: &Arc<Self>,
        peer: &Peer,
        trace: &Arc<str>,
        request: Request<Body>,
        seen: &mut Seen,
    ) -> Result<(Ended, Response<Body>), Refusal> {
        seen.dry_run = dry_run::mark(request.headers()).cloned();
        if let Some(replies) = self.replies_at(request.uri().path()) {
            return self.take_reply(replies, peer, trace, request, seen).await;
        }
        let there = self.services.at(request.uri().path()).ok_or_else(Refusal::unknown_path)?;
        match (request.method(), request.uri().query()) {
            (&Method::POST, _) => {}
            (&Method::GET, Some(query)) => {
                let described = wsdl::describe(there, peer.scheme, &request, query);
                return described.map(|response| (Ended::Described, response));
            }
            (method, _) => return Err(Refusal::method(method)),
        }
        let _place = self.admission.enter().await?;
        let message = self.receive(request).await?;
        seen.message_id = message.envelope.addressing.message_id.as_deref().map(Arc::from);
        self.serve(there, peer, trace, message, seen).await
    }

    /// One message to those services.
    pub(super) async fn serve(
        self: &Arc<Self>,
        there: &[Arc<Service>],
        peer: &Peer,
        trace: &Arc<str>,
        message: Message,
        seen: &mut Seen,
    ) -> Result<(Ended, Response<Body>), Refusal> {
        let service = services::dispatch(there, &message.envelope)?;
        seen.transaction = Some(service.transaction);
        let user = self.user(&message.envelope, peer, service.transaction, trace)?;
        let effect = Effect::of(seen.dry_run.as_ref(), &message.envelope)?;
        if effect == Effect::DryRun && !service.rehearses() {
            return Err(Refusal::no_dry_run());
        }
        let caller = Caller {
            address: Some(peer.address),
            certificate: peer.certificate.as_ref().map(|certificate| certificate.subject.as_str().into()),
            fingerprint: peer.certificate.as_ref().map(|certificate| certificate.fingerprint.as_str().into()),
            trace: Arc::clone(trace),
            message_id: seen.message_id.clone(),
            system: None,
            purpose: user.as_ref().and_then(User::purpose),
            user: user.map(Arc::new),
            effect,
        };
        match message.envelope.route(self.allowed())? {
            Route::Back => {
                let (status, response) = self.answer(&service, message, caller).await?;
                Ok((Ended::Answered(status), response))
            }
            Route::Nowhere => {
                self.answer(&service, message, caller).await?;
                Ok((Ended::Accepted, accepted()))
            }
            Route::Elsewhere { reply, fault } => {
                let later = Later { service, caller, reply, fault };
                self.accept(later, message).await?;
                Ok((Ended::Accepted, accepted()))
            }
        }
    }

    /// The user on whose behalf a message is sent, verified before anything of its body is acted on.
    fn user(
        &self,
        envelope: &Envelope,
        peer: &Peer,
        transaction: &Transaction,
        trace: &str,
    ) -> Result<Option<User>, Refusal> {
        let xua = self.xua.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(xua) = xua else { return Ok(None) };
        let user = xua.authenticate(envelope, peer, transaction, jiff::Timestamp::now());
        observe::authenticated(&user, peer, trace);
        Ok(user?)
    }

    /// The request's message, up to the end of its envelope.
    pub(super) async fn receive(&self, request: Request<Body>) -> Result<Message, Refusal> {
        let (head, body) = request.into_parts();
        self.refuse_large(&head.headers)?;
        let patience = Duration::from_millis(self.limits.request_deadline_ms);
        let receiving = soap::receive_within(&head.headers, body, &self.limits, &self.envelopes);
        match tokio::time::timeout(patience, receiving).await {
            Ok(message) => Ok(message?),
            Err(_) => Err(Refusal::request_late(patience)),
        }
    }

    /// Refuses by its declared length a message that would be refused when its last bytes arrive.
    fn refuse_large(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let limit = self.limits.max_envelope_bytes as u64;
        let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        match (soap::form_of(headers), declared) {
            (Form::Simple, Some(declared)) if declared > limit => Err(Refusal::too_large(declared, limit)),
            _ => Ok(()),
        }
    }

    async fn answer(
        &self,
        service: &Service,
        message: Message,
        caller: Caller,
    ) -> Result<(Status, Response<Body>), Refusal> {
        let relates_to = caller.message_id.as_deref().unwrap_or(UNSPECIFIED_MESSAGE).to_owned();
        let effect = caller.effect;
        let (status, outgoing, room) = self.find_answer(service, message, caller, relates_to).await?;
        let reply = soap::send(outgoing);
        let mut response = Response::new(room.hold(reply.body));
        if let Ok(content_type) = HeaderValue::try_from(reply.content_type) {
            response.headers_mut().insert(CONTENT_TYPE, content_type);
        }
        if let Some(length) = reply.length {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        if effect == Effect::DryRun {
            response.headers_mut().insert(dry_run::HTTP_HEADER, HeaderValue::from_static("true"));
        }
        Ok((status, response))
    }

    /// The service's answer as a message, and the room that it takes.
    pub(super) async fn find_answer(
        &self,
        service: &Service,
        message: Message,
        caller: Caller,
        relates_to: String,
    ) -> Result<(Status, Outgoing, Room), Refusal> {
        let form = message.form;
        let (patience, effect) = (service.deadline(&self.limits), caller.effect);
        let mut answered = tokio::time::timeout(patience, service.answer(message, caller))
            .await
            .map_err(|_| Refusal::answer_late(patience))??;
        if effect == Effect::DryRun {
            metrics::counter!("sekisho_dry_runs_total", "transaction" => service.transaction.id).increment(1);
            answered.headers.push(dry_run::answer_block());
        }
        let room = self.admission.room(answered.in_memory()).await?;
        let outgoing = Outgoing {
            form,
            action: service.transaction.response_action.to_owned(),
            relates_to: Some(relates_to),
            headers: answered.headers,
            body: answered.body,
            attachments: answered.attachments,
            ..Outgoing::default()
        };
        Ok((answered.status, outgoing, room))
    }
}
