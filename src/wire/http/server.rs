//! The server: accepts, bounds, serves, and shuts down after what is in flight.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use openssl::ssl::{Ssl, SslContext};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_openssl::SslStream;
use tracing::{debug, error, warn};

use super::waiting::{self, Phase, SharedPhase, Socket, SocketLimits};
use crate::limits::{self, Limits};
use crate::wire::http::{PeerCertificate, TlsServer};
use crate::wire::stream::{Body, StreamError};

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// `https` or `http`: how it came.
    pub scheme: &'static str,
    /// Its verified certificate, under mutual TLS.
    pub certificate: Option<Arc<PeerCertificate>>,
}

/// What answers requests. Must not block. A panic in it becomes a 500 for that request alone.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request.
    fn handle(&self, peer: Peer, request: Request<Body>) -> BoxFuture<'static, Response<Body>>;
}

/// A listener to open.
pub struct Listener {
    /// Where; port 0 takes a free one.
    pub address: SocketAddr,
    /// TLS, or plain. [`TlsServer`] can be replaced while serving.
    pub tls: Option<TlsServer>,
    /// Bounds.
    pub limits: Limits,
    /// What answers.
    pub handler: Arc<dyn Handler>,
}

/// A running listener. Dropping it without [`ServerHandle::shutdown`] cuts everything off.
#[must_use = "the listener closes when its handle is dropped"]
pub struct ServerHandle {
    /// The bound address.
    pub address: SocketAddr,
    state: watch::Sender<State>,
    connections: Arc<Semaphore>,
    max_connections: u32,
}

/// What a listener and its connections are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Serve,
    Finish,
    Cut,
}

impl ServerHandle {
    /// Stops accepting, finishes what is in flight, and cuts off what is left after `grace`.
    pub async fn shutdown(self, grace: Duration) {
        self.state.send_replace(State::Finish);
        // Every connection holds a permit until it has ended.
        let all_ended = self.connections.acquire_many(self.max_connections);
        if tokio::time::timeout(grace, all_ended).await.is_err() {
            warn!(address = %self.address, "connections still busy after the shutdown's grace were cut off");
            self.state.send_replace(State::Cut);
        }
    }
}

/// Opens a listener and serves it in the background.
pub async fn serve(listener: Listener) -> std::io::Result<ServerHandle> {
    let socket = TcpListener::bind(listener.address).await?;
    let address = socket.local_addr()?;
    let max_connections = u32::try_from(listener.limits.max_connections).unwrap_or(u32::MAX).max(1);
    let connections = Arc::new(Semaphore::new(max_connections as usize));
    let (state, watching) = watch::channel(State::Serve);
    let serving = Serving::new(listener);
    tokio::spawn(accept(socket, Arc::new(serving), Arc::clone(&connections), watching));
    Ok(ServerHandle { address, state, connections, max_connections })
}

async fn accept(
    socket: TcpListener,
    serving: Arc<Serving>,
    connections: Arc<Semaphore>,
    mut state: watch::Receiver<State>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            _ = left(&mut state, State::Serve) => return,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, or a connection that is gone already: others may go on.
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                continue;
            }
        };
        match Arc::clone(&connections).try_acquire_owned() {
            Ok(permit) => {
                let connection = Arc::clone(&serving).connection(stream, address, state.clone(), permit);
                tokio::spawn(connection);
            }
            Err(_) => {
                metrics::counter!("sekisho_connections_shed_total").increment(1);
                debug!(%address, "closed at once: the listener has all the connections that it may have");
            }
        }
    }
}

/// Waits until the listener leaves a state.
async fn left(state: &mut watch::Receiver<State>, from: State) -> State {
    match state.wait_for(|now| *now != from).await {
        Ok(now) => *now,
        // The handle was dropped.
        Err(_) => State::Cut,
    }
}

/// What all connections of a listener share.
struct Serving {
    tls: Option<TlsServer>,
    handler: Arc<dyn Handler>,
    http: http1::Builder,
    socket_limits: SocketLimits,
    body_idle: Duration,
}

impl Serving {
    fn new(listener: Listener) -> Self {
        let Listener { tls, limits, handler, .. } = listener;
        let body_idle = Duration::from_millis(limits.body_idle_timeout_ms);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits::HTTP_KEEP_ALIVE)
            .max_header_size(limits::MAX_HTTP_HEADER_BYTES)
            .max_buf_size(limits::HTTP_BUFFER_BYTES);
        let head = Duration::from_millis(limits.header_timeout_ms);
        Self { tls, handler, http, socket_limits: SocketLimits { head, write_idle: body_idle }, body_idle }
    }

    /// One connection from its first byte to its last.
    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        address: SocketAddr,
        mut state: watch::Receiver<State>,
        _permit: OwnedSemaphorePermit,
    ) {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%address, %error, "TCP_NODELAY refused");
        }
        let mut finishing = state.clone();
        let whole = async {
            match &self.tls {
                None => {
                    let peer = Peer { address, scheme: "http", certificate: None };
                    self.exchange(stream, peer, &mut finishing).await;
                }
                Some(tls) => {
                    if let Some(stream) = handshake(tls.context(), stream, address).await {
                        let certificate = stream.ssl().peer_certificate();
                        let certificate = certificate.map(|shown| Arc::new(PeerCertificate::of(&shown)));
                        let peer = Peer { address, scheme: "https", certificate };
                        self.exchange(stream, peer, &mut finishing).await;
                    }
                }
            }
        };
        let cut = state.wait_for(|now| *now == State::Cut).map(|_| ());
        tokio::select! {
            () = whole => (),
            () = cut => debug!(%address, "cut off"),
        }
    }

    /// The requests of one connection.
    async fn exchange<S>(&self, stream: S, peer: Peer, state: &mut watch::Receiver<State>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let address = peer.address;
        let phase = SharedPhase::new(Phase::Head);
        let socket = Socket::new(stream, phase.clone(), self.socket_limits);
        let service =
            ConnectionService { handler: Arc::clone(&self.handler), peer, phase, body_idle: self.body_idle };
        let mut connection = self.http.serve_connection(TokioIo::new(socket), service);
        let mut serving = std::future::poll_fn(|cx| connection.poll_without_shutdown(cx)).boxed();
        let first = tokio::select! {
            ended = &mut serving => Some(ended),
            _ = left(state, State::Serve) => None,
        };
        drop(serving);
        let ended = match first {
            Some(ended) => ended,
            None => {
                Pin::new(&mut connection).graceful_shutdown();
                std::future::poll_fn(|cx| connection.poll_without_shutdown(cx)).await
            }
        };
        match ended {
            Ok(()) => linger(connection.into_parts().io.into_inner()).await,
            Err(error) => debug!(%address, error = super::causes(&error), "connection ended"),
        }
    }
}

/// Closes our side, and takes in a little of what the client still sends, so that it gets to read our answer.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut socket: S) {
    let rest = async {
        socket.shutdown().await?;
        let mut left = limits::HTTP_LINGER_BYTES;
        let mut sink = vec![0; limits::CHUNK_BYTES];
        loop {
            match socket.read(&mut sink).await? {
                0 => return Ok::<(), std::io::Error>(()),
                taken if taken >= left => return Ok(()),
                taken => left -= taken,
            }
        }
    };
    // The connection is over whatever comes of it.
    let _ = tokio::time::timeout(limits::HTTP_LINGER, rest).await;
}

async fn handshake(
    context: SslContext,
    stream: TcpStream,
    address: SocketAddr,
) -> Option<SslStream<TcpStream>> {
    let refused = |reason: &'static str, error: &dyn std::fmt::Display| {
        metrics::counter!("sekisho_tls_failures_total", "reason" => reason).increment(1);
        debug!(%address, reason, %error, "TLS handshake failed");
    };
    let stream = Ssl::new(&context).and_then(|ssl| SslStream::new(ssl, stream));
    let mut stream = match stream {
        Ok(stream) => stream,
        Err(error) => {
            refused("internal", &error);
            return None;
        }
    };
    match tokio::time::timeout(limits::TLS_HANDSHAKE_TIMEOUT, Pin::new(&mut stream).accept()).await {
        Ok(Ok(())) => {
            let resumed = if stream.ssl().session_reused() { "yes" } else { "no" };
            metrics::counter!("sekisho_tls_handshakes_total", "resumed" => resumed).increment(1);
            Some(stream)
        }
        Ok(Err(error)) => {
            let verified = stream.ssl().verify_result();
            match verified {
                openssl::x509::X509VerifyResult::OK => refused("protocol", &error),
                problem => refused("certificate", &problem),
            }
            None
        }
        Err(_) => {
            refused("timeout", &"not finished in time");
            None
        }
    }
}

/// Hands the requests of one connection to the handler.
struct ConnectionService {
    handler: Arc<dyn Handler>,
    peer: Peer,
    phase: SharedPhase,
    body_idle: Duration,
}

impl hyper::service::Service<Request<Incoming>> for ConnectionService {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.phase.set(Phase::Answer);
        let phase = self.phase.clone();
        let body_idle = self.body_idle;
        let request = request.map(|body| waiting::received(body, body_idle));
        let (handler, peer) = (Arc::clone(&self.handler), self.peer.clone());
        let handled = AssertUnwindSafe(async move { handler.handle(peer, request).await }).catch_unwind();
        Box::pin(async move {
            let response = handled.await.unwrap_or_else(|_| {
                error!("a request handler panicked");
                internal_error()
            });
            Ok(response.map(|body| Answer { body, phase }))
        })
    }
}

fn internal_error() -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// An answer's body, which tells the connection's phase when it is done with.
struct Answer {
    body: Body,
    phase: SharedPhase,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.phase.set(Phase::Idle);
    }
}
