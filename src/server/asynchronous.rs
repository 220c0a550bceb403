//! Asynchronous web services (ITI TF-2: V.3) at the front: requests whose answers go elsewhere are accepted at once and
//! worked on afterwards; answers to our own requests are handed to those who wait for them.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::BodyExt as _;
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::oneshot;
use tracing::warn;
use uuid::Uuid;

use super::elsewhere::{Parcel, Written, deliver};
use super::faults::Refusal;
use super::front::{Ended, Inner, Seen};
use super::observe;
use super::service::Service;
use super::services::{self, REPLIES};
use crate::limits;
use crate::transactions::Caller;
use crate::wire::http::Peer;
use crate::wire::soap::{
    AllowedReplies, Attachments, Destination, Envelope, EnvelopeShare, Form, Message, Outgoing, Replies,
    SoapError, Undelivered,
};
use crate::wire::stream::Body;
use crate::wire::xml::Tree;

/// A request whose answer goes elsewhere.
pub(super) struct Later {
    pub(super) service: Arc<Service>,
    pub(super) caller: Caller,
    pub(super) reply: Destination,
    pub(super) fault: Option<Destination>,
}

/// 202 without a body: all that an accepted message gets on its own connection.
pub(super) fn accepted() -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

impl Inner {
    /// Where replies may go.
    pub(super) fn allowed(&self) -> &AllowedReplies {
        static NONE: AllowedReplies = AllowedReplies::none();
        self.exchange.as_ref().map_or(&NONE, |exchange| &exchange.allowed)
    }

    /// Takes a request whose answer goes elsewhere; what is wrong by then goes back on its own connection.
    pub(super) async fn accept(self: &Arc<Self>, later: Later, mut message: Message) -> Result<(), Refusal> {
        let Some(exchange) = self.exchange.clone().filter(|_| later.service.may_answer_elsewhere()) else {
            return Err(Refusal::not_elsewhere());
        };
        let place = self.elsewhere.enter(&later.reply.url)?;
        message.attachments.drain().await?;
        let (form, request) = (message.form, message.envelope.tree.source().clone());
        let mut first = Some(Message { attachments: Attachments::none(), ..message });
        let (inner, later) = (Arc::clone(self), Arc::new(later));
        tokio::spawn(async move {
            let (transaction, caller) = (later.service.transaction, later.caller.clone());
            let make = || {
                let message = first.take().map_or_else(|| read_again(form, request.clone()), Ok);
                Arc::clone(&inner).parcel(Arc::clone(&later), message, form).boxed()
            };
            deliver(&exchange.client, transaction, &caller, make).await;
            drop(place);
        });
        Ok(())
    }

    /// The answer, or the fault that there is instead; None for a fault that nobody wants.
    async fn parcel(
        self: Arc<Self>,
        later: Arc<Later>,
        message: Result<Message, Refusal>,
        form: Form,
    ) -> Option<Parcel> {
        let Later { service, caller, reply, fault } = &*later;
        let relates_to = caller.message_id.as_deref().unwrap_or_default().to_owned();
        let answer = async { self.find_answer(service, message?, caller.clone(), relates_to.clone()).await };
        let answer = AssertUnwindSafe(answer).catch_unwind().await;
        match answer.unwrap_or_else(|_panic| Err(Refusal::panicked())) {
            Ok((status, answer, room)) => {
                let answer = Outgoing {
                    to: Some(reply.address.clone()),
                    message_id: Some(format!("urn:uuid:{}", Uuid::new_v4())),
                    headers: reply.parameters.clone(),
                    ..answer
                };
                Some(Parcel {
                    url: reply.url.clone(),
                    outcome: observe::status(status),
                    content: Written::Answer(Box::new(answer)),
                    room: Some(room),
                })
            }
            Err(refusal) => {
                observe::refused(&refusal, &caller.trace);
                let destination = fault.as_ref()?;
                let fault = refusal.fault.traced(&*caller.trace);
                let (content_type, body) = fault.message(form, destination, &relates_to);
                Some(Parcel {
                    url: destination.url.clone(),
                    outcome: "fault",
                    content: Written::Fault(content_type, body.into()),
                    room: None,
                })
            }
        }
    }

    /// Who waits for answers, if this is where they come.
    pub(super) fn replies_at(&self, path: &str) -> Option<&Replies> {
        let here = path.strip_suffix('/').unwrap_or(path) == REPLIES;
        self.exchange.as_ref().filter(|_| here)?.replies.as_ref()
    }

    /// Hands an answer to the one who waits for it, and holds the connection until all of it was read. A deferred answer is a
    /// request, which is served.
    pub(super) async fn take_reply(
        self: &Arc<Self>,
        replies: &Replies,
        peer: &Peer,
        trace: &Arc<str>,
        request: Request<Body>,
        seen: &mut Seen,
    ) -> Result<(Ended, Response<Body>), Refusal> {
        if request.method() != Method::POST {
            return Err(Refusal::method(request.method()));
        }
        let (held, released) = oneshot::channel::<()>();
        let request = request.map(|body| {
            Body::new(body.map_frame(move |frame| {
                let _held = &held;
                frame
            }))
        });
        let place = self.replies.enter().await?;
        let message = self.receive(request).await?;
        seen.message_id = message.envelope.addressing.message_id.as_deref().map(Arc::from);
        let there = self.services.at(REPLIES).unwrap_or_default();
        if services::asks(there, &message.envelope) {
            return self.serve(there, peer, trace, message, seen).await;
        }
        drop(place);
        let subject = peer.certificate.as_ref().map(|certificate| certificate.subject.as_str());
        match replies.deliver(message, subject) {
            Ok(()) => {
                metrics::counter!("sekisho_async_replies_total", "outcome" => "taken").increment(1);
                // Its documents are read by the one who waited; whoever sends them waits for us as long.
                let _ = tokio::time::timeout(limits::SUBMISSION_DEADLINE, released).await;
            }
            Err(undelivered) => {
                let outcome = undelivered.label();
                metrics::counter!("sekisho_async_replies_total", "outcome" => outcome).increment(1);
                let subject = subject.unwrap_or_default();
                warn!(outcome, peer = %peer.address, subject, "a reply that nobody waits for");
                if undelivered == Undelivered::Unrelated {
                    return Err(Refusal::unrelated());
                }
            }
        }
        Ok((Ended::Reply, accepted()))
    }
}

/// The request once more, from its bytes.
fn read_again(form: Form, request: Bytes) -> Result<Message, Refusal> {
    let tree = Tree::parse(request).map_err(SoapError::from)?;
    let memory = EnvelopeShare::default();
    Ok(Message { form, envelope: Envelope::read(tree)?, attachments: Attachments::none(), memory })
}
