//! The client: one pool of connections per peer. It follows no redirects, knows no proxies, and reads no environment: it
//! connects where it is told to and nowhere else.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::header::{CONTENT_LENGTH, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, Uri};
use hyper_openssl::client::legacy::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client as Pool, Error as PoolError};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tower_service::Service;

use super::{causes, waiting};
use crate::limits;
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
pub struct Client {
    pool: Pool<Connector, Body>,
    body_idle: Duration,
}

impl Client {
    /// A client with its own pool.
    pub fn new(settings: &ClientSettings) -> Result<Self, HttpError> {
        let connect_timeout = or_default(settings.connect_timeout_ms, limits::PEER_CONNECT_TIMEOUT);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(limits::CLIENT_KEEP_ALIVE)
            .pool_max_idle_per_host(match settings.max_idle {
                0 => limits::MAX_IDLE_PER_PEER,
                some => some,
            })
            .http1_max_buf_size(limits::HTTP_BUFFER_BYTES)
            .build(Connector::new(settings.tls.as_ref(), connect_timeout)?);
        Ok(Self {
            pool,
            body_idle: or_default(settings.body_idle_timeout_ms, limits::HTTP_BODY_IDLE_TIMEOUT),
        })
    }
    /// Posts a body; returns when the answer's head has arrived. The answer's body is cut off by the idle limit.
    pub async fn post(
        &self,
        url: &Uri,
        mut headers: HeaderMap,
        length: Option<u64>,
        body: Body,
        deadline: Instant,
    ) -> Result<Response<Body>, HttpError> {
        if let Some(length) = length {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        self.exchange(Method::POST, url, headers, body, deadline).await
    }
    /// Gets (health, WSDL, doctor).
    pub async fn get(&self, url: &Uri, deadline: Instant) -> Result<Response<Body>, HttpError> {
        self.exchange(Method::GET, url, HeaderMap::new(), Body::default(), deadline).await
    }

    async fn exchange(
        &self,
        method: Method,
        url: &Uri,
        headers: HeaderMap,
        body: Body,
        deadline: Instant,
    ) -> Result<Response<Body>, HttpError> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = url.clone();
        *request.headers_mut() = headers;
        self.send(request, deadline).await
    }

    /// Sends any request; returns when the answer's head has arrived. The answer's body is cut off by the idle limit.
    pub async fn send(&self, request: Request<Body>, deadline: Instant) -> Result<Response<Body>, HttpError> {
        let patience = deadline.saturating_duration_since(Instant::now());
        match tokio::time::timeout(patience, self.pool.request(request)).await {
            Ok(Ok(response)) => Ok(response.map(|body| waiting::received(body, self.body_idle))),
            Ok(Err(error)) => Err(classify(&error)),
            Err(_) => Err(HttpError::Deadline(patience.as_millis() as u64)),
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

fn or_default(milliseconds: u64, default: Duration) -> Duration {
    if milliseconds == 0 { default } else { Duration::from_millis(milliseconds) }
}

fn classify(error: &PoolError) -> HttpError {
    // The pool's own words ("client error (Connect)") say nothing that the causes do not.
    let what = std::error::Error::source(error).map_or_else(|| error.to_string(), causes);
    if error.is_connect() { HttpError::Connect(what) } else { HttpError::Interrupted(what) }
}

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;
type ConnectFuture = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Opens connections, TLS included, within the connect timeout.
#[derive(Clone)]
struct Connector {
    tcp: HttpConnector,
    tls: Option<HttpsConnector<HttpConnector>>,
    timeout: Duration,
}

impl Connector {
    fn new(tls: Option<&TlsClient>, timeout: Duration) -> Result<Self, HttpError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let tls = tls
            .map(|tls| HttpsConnector::with_connector(tcp.clone(), tls.connector()?))
            .transpose()
            .map_err(|error| HttpError::Connect(error.to_string()))?;
        Ok(Self { tcp, tls, timeout })
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = ConnectFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }
    fn call(&mut self, url: Uri) -> ConnectFuture {
        let connecting: ConnectFuture = match (url.scheme_str(), &mut self.tls) {
            (Some("https"), Some(tls)) => tls.call(url),
            (Some("https"), None) => Box::pin(async { Err("https needs a CA to trust".into()) }),
            _ => {
                let connecting = self.tcp.call(url);
                Box::pin(async move { Ok(MaybeHttpsStream::Http(connecting.await?)) })
            }
        };
        let timeout = self.timeout;
        Box::pin(async move {
            tokio::time::timeout(timeout, connecting)
                .await
                .unwrap_or_else(|_| Err(format!("not connected within {} ms", timeout.as_millis()).into()))
        })
    }
}
