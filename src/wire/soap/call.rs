//! One request to a peer and its answer.

use std::time::Instant;

use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Response, Uri};
use tokio::time::timeout_at;
use uuid::Uuid;

use super::receive::{Received, read};
use super::{Envelope, EnvelopeShare, Fault, Message, Outgoing, ReplyChannel, SoapError, send};
use crate::limits::Limits;
use crate::wire::http::{Client, HttpError};
use crate::wire::stream::{Body, StreamError};
use crate::wire::xml::{Element, Ns, Tree};

/// Why a call got no usable answer. Says which side is wrong; safe to show to operators.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// No connection: refused, unreachable, name not found, TLS. Nothing was sent.
    #[error("no connection: {0}")]
    Connect(String),
    /// Not in time.
    #[error("no answer within {0} ms")]
    Deadline(u64),
    /// The connection broke after the request was sent.
    #[error("the connection broke: {0}")]
    Interrupted(String),
    /// Not a SOAP message: HTTP status, Content-Type.
    #[error("HTTP {status} with Content-Type {content_type:?} is no SOAP answer")]
    NotSoap {
        /// HTTP status.
        status: u16,
        /// Content-Type, empty if none.
        content_type: String,
    },
    /// An answer without a body.
    #[error("HTTP {0} with an empty body")]
    Empty(u16),
    /// A SOAP message that breaks rules.
    #[error("the answer is malformed: {0}")]
    Malformed(#[from] SoapError),
    /// wsa:RelatesTo is missing or names another message.
    #[error("wsa:RelatesTo of the answer is {0:?}, not the request's wsa:MessageID")]
    WrongRelatesTo(Option<String>),
    /// Too many answers to asynchronous requests are waited for. Nothing was sent.
    #[error("too many answers to asynchronous requests are waited for")]
    TooManyAwaited,
    /// A SOAP fault.
    #[error("SOAP fault: {}", .0.reason)]
    Fault(Box<Fault>),
}

impl CallError {
    /// Whether the request surely did nothing at the peer, or can be repeated (queries and retrieves are).
    pub fn may_retry(&self) -> bool {
        matches!(
            self,
            Self::Connect(_)
                | Self::Interrupted(_)
                | Self::Empty(_)
                | Self::NotSoap { status: 502..=504, .. }
        )
    }
}

impl From<HttpError> for CallError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Connect(why) => Self::Connect(why),
            HttpError::Deadline(ms) => Self::Deadline(ms),
            HttpError::Interrupted(why) => Self::Interrupted(why),
        }
    }
}

/// Where and how to call.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The URL.
    pub url: Uri,
    /// Quirk: answers without wsa:RelatesTo are accepted (a wrong one never is).
    pub relates_to_optional: bool,
}

/// Sends a request and reads the answer up to the end of its envelope. The answer's form may differ from the request's.
///
/// The deadline covers everything up to that end; the parts behind the envelope are cut off by the client's idle limit.
pub async fn call(
    client: &Client,
    endpoint: &Endpoint,
    request: Outgoing,
    limits: &Limits,
    deadline: Instant,
) -> Result<Message, CallError> {
    let allowed = deadline.saturating_duration_since(Instant::now()).as_millis() as u64;
    let exchange = exchange(client, endpoint, request, limits, deadline);
    timeout_at(deadline.into(), exchange).await.unwrap_or(Err(CallError::Deadline(allowed)))
}

/// The same, with the answer on a connection of its own ([`ReplyChannel`]). A peer that answers on this one all the same is
/// understood: what comes first counts.
pub async fn call_through(
    client: &Client,
    endpoint: &Endpoint,
    channel: &ReplyChannel,
    mut request: Outgoing,
    limits: &Limits,
    deadline: Instant,
) -> Result<Message, CallError> {
    let allowed = deadline.saturating_duration_since(Instant::now()).as_millis() as u64;
    let message_id = request.message_id.take().unwrap_or_else(|| format!("urn:uuid:{}", Uuid::new_v4()));
    let awaited = channel.replies.expect(&message_id, channel.from.clone());
    let mut awaited = awaited.ok_or(CallError::TooManyAwaited)?;
    request.message_id = Some(message_id);
    request.reply_to = Some(channel.replies.address().to_owned());
    let (client, called, bounds) = (client.clone(), endpoint.clone(), limits.clone());
    // On its own: the answer may be here before the request's acknowledgement, which then must not be cut off.
    let mut posted = tokio::spawn(async move {
        let exchange = exchange(&client, &called, request, &bounds, deadline);
        timeout_at(deadline.into(), exchange).await.unwrap_or(Err(CallError::Deadline(allowed)))
    });
    let answered = async {
        let acknowledged = tokio::select! {
            message = awaited.arrived() => return read_reply(message),
            posted = &mut posted => posted,
        };
        match acknowledged {
            Ok(Err(CallError::Empty(200..=299))) => read_reply(awaited.arrived().await),
            Ok(answer) => answer,
            Err(ended) => Err(CallError::Interrupted(ended.to_string())),
        }
    };
    timeout_at(deadline.into(), answered).await.unwrap_or(Err(CallError::Deadline(allowed)))
}

/// A message that came as an answer: its wsa:RelatesTo is the request's, or it would not have come here.
fn read_reply(message: Message) -> Result<Message, CallError> {
    match fault_of(&message.envelope.tree) {
        Some(fault) => Err(CallError::Fault(Box::new(Fault::read(fault)))),
        None => Ok(message),
    }
}

async fn exchange(
    client: &Client,
    endpoint: &Endpoint,
    request: Outgoing,
    limits: &Limits,
    deadline: Instant,
) -> Result<Message, CallError> {
    let request = send(request);
    let mut headers = HeaderMap::new();
    let content_type = HeaderValue::try_from(request.content_type)
        .map_err(|error| CallError::Connect(format!("the request's Content-Type cannot be sent: {error}")))?;
    headers.insert(CONTENT_TYPE, content_type);
    let answer = client.post(&endpoint.url, headers, request.length, request.body, deadline).await?;
    read_answer(answer, &request.message_id, endpoint.relates_to_optional, limits).await
}

async fn read_answer(
    answer: Response<Body>,
    message_id: &str,
    relates_to_optional: bool,
    limits: &Limits,
) -> Result<Message, CallError> {
    let (head, body) = answer.into_parts();
    let status = head.status.as_u16();
    let Received { form, tree, attachments, memory } =
        match read(&head.headers, body, limits, EnvelopeShare::default()).await {
            Ok(received) => received,
            Err(SoapError::Empty) => return Err(CallError::Empty(status)),
            Err(SoapError::ContentType(content_type)) => {
                return Err(CallError::NotSoap { status, content_type });
            }
            Err(SoapError::Stream(error @ (StreamError::Interrupted(_) | StreamError::Idle(_)))) => {
                return Err(CallError::Interrupted(error.to_string()));
            }
            Err(error) => return Err(CallError::Malformed(error)),
        };
    // Before anything else is demanded: faults come under every status, from old stacks in SOAP 1.1, and often without
    // any addressing header.
    if let Some(fault) = fault_of(&tree) {
        return Err(CallError::Fault(Box::new(Fault::read(fault))));
    }
    let envelope = Envelope::read(tree)?;
    if envelope.body().is_none() && status == 202 {
        // Some stacks acknowledge an asynchronous request with an envelope around nothing.
        return Err(CallError::Empty(status));
    }
    match &envelope.addressing.relates_to {
        Some(id) if id == message_id => {}
        None if relates_to_optional => {}
        other => return Err(CallError::WrongRelatesTo(other.clone())),
    }
    Ok(Message { form, envelope, attachments, memory })
}

/// The soap:Fault of an envelope of either version.
fn fault_of(tree: &Tree) -> Option<Element<'_>> {
    [Ns::SOAP, Ns::SOAP11].into_iter().find_map(|version| {
        let envelope = Some(tree.root()).filter(|root| root.is(version, "Envelope"))?;
        envelope.child(version, "Body")?.child(version, "Fault")
    })
}
