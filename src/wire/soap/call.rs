//! One request to a peer and its answer.

use std::time::Instant;

use crate::limits::Limits;
use crate::wire::http::Client;
use crate::wire::soap::{Fault, Message, Outgoing, SoapError};

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

/// Where and how to call.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The URL.
    pub url: hyper::Uri,
    /// Quirk: answers without wsa:RelatesTo are accepted (a wrong one never is).
    pub relates_to_optional: bool,
}

/// Sends a request and reads the answer up to the end of its envelope. The answer's form may differ from the request's.
#[allow(unused_variables)]
pub async fn call(
    client: &Client,
    endpoint: &Endpoint,
    request: Outgoing,
    limits: &Limits,
    deadline: Instant,
) -> Result<Message, CallError> {
    todo!()
}
