//! What answers a transaction: the glue between a message and an actor's method, the same for every actor.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::faults::Refusal;
use crate::limits::{self, Limits};
use crate::metadata::Submission;
use crate::transactions::errors::{RegistryResponse, Status};
use crate::transactions::iti18::{self, QueryRequest, QueryResponse};
use crate::transactions::iti41::{self, ITI41, ProvideRequest};
use crate::transactions::iti42;
use crate::transactions::iti43::{self, RetrieveRequest, RetrieveResponse};
use crate::transactions::iti62::{self, ITI62, RemoveRequest};
use crate::transactions::iti86::{self, ITI86};
use crate::transactions::{Caller, Malformed, Transaction};
use crate::wire::aside;
use crate::wire::soap::{Attachment, Attachments, Envelope, Message};
use crate::wire::stream::StreamError;
use crate::wire::xml::Element;

/// A transaction and the actor's method that answers it.
pub struct Service {
    /// The transaction.
    pub transaction: &'static Transaction,
    shape: Shape,
    /// Whether the actor heeds [`Caller::effect`].
    rehearses: bool,
}

type Ask<Request, Response> = Box<dyn Fn(Request, Caller) -> BoxFuture<'static, Response> + Send + Sync>;
type Exchange =
    Box<dyn Fn(&Envelope, Caller) -> Result<BoxFuture<'static, Written>, Malformed> + Send + Sync>;
type AskWithParts<Request, Response> =
    Box<dyn Fn(Request, Attachments, Caller) -> BoxFuture<'static, Response> + Send + Sync>;

/// Transactions share bodies: ITI-38 and ITI-51 have those of ITI-18, ITI-39 those of ITI-43.
enum Shape {
    Query(Ask<QueryRequest, QueryResponse>),
    Retrieve(Ask<RetrieveRequest, RetrieveResponse>),
    Register(Ask<Submission, RegistryResponse>),
    RemoveMetadata(Ask<RemoveRequest, RegistryResponse>),
    RemoveDocuments(Ask<RetrieveRequest, RegistryResponse>),
    Provide(AskWithParts<ProvideRequest, Result<RegistryResponse, StreamError>>),
    Exchange(Exchange),
}

/// An answer that its transaction has written: those on patient identity have bodies, and headers, of their own.
pub struct Written {
    /// For the metrics: whether the answer is what was asked for.
    pub status: Status,
    /// Header blocks besides the addressing.
    pub headers: Vec<Bytes>,
    /// The body's child element.
    pub body: Bytes,
}

/// An actor's response, written.
pub(super) struct Answered {
    pub(super) status: Status,
    pub(super) headers: Vec<Bytes>,
    pub(super) body: Vec<Bytes>,
    pub(super) attachments: Vec<Attachment>,
}

impl Service {
    fn of(transaction: &'static Transaction, shape: Shape) -> Self {
        Self { transaction, shape, rehearses: false }
    }
    /// The same service, whose actor takes dry runs too ([`Caller::effect`]); others refuse them.
    pub fn rehearsing(self) -> Self {
        Self { rehearses: true, ..self }
    }
    /// Whether a dry run may be asked of it.
    pub(super) fn rehearses(&self) -> bool {
        self.rehearses
    }
    /// ITI-18, ITI-38 or ITI-51.
    pub fn query<F>(
        transaction: &'static Transaction,
        ask: impl Fn(QueryRequest, Caller) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = QueryResponse> + Send + 'static,
    {
        let ask = Box::new(move |request, caller| ask(request, caller).boxed());
        Self::of(transaction, Shape::Query(ask))
    }
    /// ITI-43 or ITI-39.
    pub fn retrieve<F>(
        transaction: &'static Transaction,
        ask: impl Fn(RetrieveRequest, Caller) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = RetrieveResponse> + Send + 'static,
    {
        let ask = Box::new(move |request, caller| ask(request, caller).boxed());
        Self::of(transaction, Shape::Retrieve(ask))
    }
    /// ITI-42, ITI-57, ITI-61 or ITI-92.
    pub fn register<F>(
        transaction: &'static Transaction,
        ask: impl Fn(Submission, Caller) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = RegistryResponse> + Send + 'static,
    {
        let ask = Box::new(move |request, caller| ask(request, caller).boxed());
        Self::of(transaction, Shape::Register(ask))
    }
    /// ITI-62.
    pub fn remove_metadata<F>(ask: impl Fn(RemoveRequest, Caller) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = RegistryResponse> + Send + 'static,
    {
        let ask = Box::new(move |request, caller| ask(request, caller).boxed());
        Self::of(&ITI62, Shape::RemoveMetadata(ask))
    }
    /// ITI-86.
    pub fn remove_documents<F>(ask: impl Fn(RetrieveRequest, Caller) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = RegistryResponse> + Send + 'static,
    {
        let ask = Box::new(move |request, caller| ask(request, caller).boxed());
        Self::of(&ITI86, Shape::RemoveDocuments(ask))
    }
    /// ITI-41. The documents may still be arriving; an error means that they did not arrive whole.
    pub fn provide<F>(ask: impl Fn(ProvideRequest, Attachments, Caller) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<RegistryResponse, StreamError>> + Send + 'static,
    {
        let ask = Box::new(move |request, parts, caller| ask(request, parts, caller).boxed());
        Self::of(&ITI41, Shape::Provide(ask))
    }

    /// A transaction on patient identity: it reads the envelope at once, and writes its answer itself.
    pub fn exchange<F>(
        transaction: &'static Transaction,
        ask: impl Fn(&Envelope, Caller) -> Result<F, Malformed> + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Written> + Send + 'static,
    {
        let ask = Box::new(move |envelope: &Envelope, caller| ask(envelope, caller).map(FutureExt::boxed));
        Self::of(transaction, Shape::Exchange(ask))
    }

    /// Whether its answer may go to an address of its own: it is safe to ask it again where a delivery must be repeated,
    /// and all of the request is here before the answer is begun.
    pub(super) fn may_answer_elsewhere(&self) -> bool {
        matches!(self.shape, Shape::Query(_) | Shape::Retrieve(_) | Shape::Exchange(_))
    }

    /// How long the actor may take. Where documents arrive meanwhile, that is up to the sender's line.
    pub(super) fn deadline(&self, limits: &Limits) -> Duration {
        match self.shape {
            Shape::Provide(_) => limits::SUBMISSION_DEADLINE,
            _ => Duration::from_millis(limits.request_deadline_ms),
        }
    }

    /// Reads the request, asks the actor, writes its response.
    pub(super) async fn answer(&self, message: Message, caller: Caller) -> Result<Answered, Refusal> {
        let Message { form, envelope, mut attachments, memory: _taken } = message;
        if !matches!(self.shape, Shape::Provide(_)) {
            // Nothing in them is wanted, but behind them comes the next request.
            attachments.drain().await?;
        }
        match &self.shape {
            Shape::Query(ask) => {
                let request = read(&envelope, iti18::read_request)?;
                drop(envelope);
                let response = ask(request, caller).await;
                Ok(Answered::plain(response.status, iti18::write_response(&response)))
            }
            Shape::Retrieve(ask) => {
                let request = read(&envelope, iti43::read_request)?;
                drop(envelope);
                let response = ask(request, caller).await;
                let status = response.status;
                let written = iti43::write_response(response, form).await;
                let (body, attachments) = written.map_err(Refusal::answer_failed)?;
                Ok(Answered { status, headers: Vec::new(), body, attachments })
            }
            Shape::Register(ask) => {
                let request = read(&envelope, iti42::read_request)?;
                drop(envelope);
                Ok(Answered::registry(&ask(request, caller).await))
            }
            Shape::RemoveMetadata(ask) => {
                let request = read(&envelope, iti62::read_request)?;
                drop(envelope);
                Ok(Answered::registry(&ask(request, caller).await))
            }
            Shape::RemoveDocuments(ask) => {
                let request = read(&envelope, iti86::read_request)?;
                drop(envelope);
                Ok(Answered::registry(&ask(request, caller).await))
            }
            Shape::Provide(ask) => {
                let request = read(&envelope, iti41::read_request)?;
                drop(envelope);
                Ok(Answered::registry(&ask(request, attachments, caller).await?))
            }
            Shape::Exchange(ask) => {
                let asked = ask(&envelope, caller)?;
                drop(envelope);
                let Written { status, headers, body } = asked.await;
                Ok(Answered { headers, ..Answered::plain(status, vec![body]) })
            }
        }
    }
}

impl Answered {
    fn plain(status: Status, body: Vec<Bytes>) -> Self {
        Self { status, headers: Vec::new(), body, attachments: Vec::new() }
    }
    /// Bytes that are in memory already and wait for a reader.
    pub(super) fn in_memory(&self) -> usize {
        let documents = self.attachments.iter().flat_map(|attachment| &attachment.content.head);
        self.body.iter().chain(documents).map(Bytes::len).sum()
    }
    fn registry(response: &RegistryResponse) -> Self {
        Self::plain(response.status, vec![iti42::write_response(response)])
    }
}

/// The body was matched with the transaction before, so it is there. A large one is read aside.
fn read<T>(envelope: &Envelope, reader: impl Fn(Element<'_>) -> Result<T, Malformed>) -> Result<T, Refusal> {
    let body = envelope.body().ok_or_else(Refusal::empty_body)?;
    let bytes = envelope.tree.source().len();
    Ok(aside::beyond(limits::PARSE_INLINE_BYTES, bytes, || reader(body))?)
}
