//! The server: bounds and serves the requests of each connection.

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
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::{debug, error};

use super::waiting::{self, Phase, SharedPhase, Socket, SocketLimits};
use crate::limits::{self, Limits};
use crate::wire::http::TlsServer;
use crate::wire::listen::{self, Closing, Door, Peer, Protocol, ServerHandle};
use crate::wire::stream::{Body, StreamError};

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

/// Opens a listener and serves it in the background.
pub async fn serve(listener: Listener) -> std::io::Result<ServerHandle> {
    let door = Door {
        address: listener.address,
        tls: listener.tls.clone(),
        max_connections: listener.limits.max_connections,
    };
    listen::open(door, Serving::new(&listener)).await
}

/// What all connections of a listener share.
struct Serving {
    handler: Arc<dyn Handler>,
    http: http1::Builder,
    socket_limits: SocketLimits,
    body_idle: Duration,
}

impl Serving {
    fn new(listener: &Listener) -> Self {
        let Listener { limits, handler, .. } = listener;
        let body_idle = Duration::from_millis(limits.body_idle_timeout_ms);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits::HTTP_KEEP_ALIVE)
            .max_headers(limits::MAX_HTTP_HEADERS)
            .max_header_size(limits::MAX_HTTP_HEADER_BYTES)
            .max_buf_size(limits::HTTP_BUFFER_BYTES);
        let socket_limits =
            SocketLimits { head: Duration::from_millis(limits.header_timeout_ms), write_idle: body_idle };
        Self { handler: Arc::clone(handler), http, socket_limits, body_idle }
    }
}

impl Protocol for Serving {
    const PLAIN: &'static str = "http";
    const SECURE: &'static str = "https";

    /// The requests of one connection.
    async fn exchange<S>(&self, stream: S, peer: Peer, mut closing: Closing)
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
            () = closing.begun() => None,
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
            Ok(()) => listen::linger(connection.into_parts().io.into_inner()).await,
            Err(error) => debug!(%address, error = super::causes(&error), "connection ended"),
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
