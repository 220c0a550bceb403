//! The client: one pool of connections per peer.

use std::time::Instant;

use hyper::{HeaderMap, Response, Uri};

use crate::wire::http::TlsClient;
use crate::wire::stream::Body;

/// Why an HTTP exchange failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HttpError {
    /// Nothing was sent.
    #[error("no connection: {0}")]
    Connect(String),
    /// Not in time; milliseconds given.
    #[error("no answer within {0} ms")]
    Deadline(u64),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Interrupted(String),
}

/// How a peer is reached.
#[derive(Debug, Clone, Default)]
pub struct ClientSettings {
    /// Trust and our certificate, for https.
    pub tls: Option<TlsClient>,
    /// Milliseconds for connecting; 0 takes the default.
    pub connect_timeout_ms: u64,
    /// Milliseconds that a body may pause; 0 takes the default.
    pub body_idle_timeout_ms: u64,
    /// Idle connections kept; 0 takes the default.
    pub max_idle: usize,
}

/// A pooled client for one peer. Cheap to clone.
#[derive(Clone)]
pub struct Client {}

#[allow(unused_variables)]
impl Client {
    /// A client with its own pool.
    pub fn new(settings: &ClientSettings) -> Result<Self, HttpError> {
        todo!()
    }
    /// Posts a body; returns when the answer's head has arrived. The answer's body is cut off by the idle limit.
    pub async fn post(
        &self,
        url: &Uri,
        headers: HeaderMap,
        length: Option<u64>,
        body: Body,
        deadline: Instant,
    ) -> Result<Response<Body>, HttpError> {
        todo!()
    }
    /// Gets (health, WSDL, doctor).
    pub async fn get(&self, url: &Uri, deadline: Instant) -> Result<Response<Body>, HttpError> {
        todo!()
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}
