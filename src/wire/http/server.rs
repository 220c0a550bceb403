//! The server: accepts, bounds, serves, and shuts down after what is in flight.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use hyper::{Request, Response};

use crate::limits::Limits;
use crate::wire::http::{PeerCertificate, TlsServer};
use crate::wire::stream::Body;

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
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

/// A running listener.
pub struct ServerHandle {
    /// The bound address.
    pub address: SocketAddr,
}

#[allow(unused_variables)]
impl ServerHandle {
    /// Stops accepting, finishes what is in flight, and cuts off what is left after `grace`.
    pub async fn shutdown(self, grace: Duration) {
        todo!()
    }
}

/// Opens a listener and serves it in the background.
#[allow(unused_variables)]
pub async fn serve(listener: Listener) -> std::io::Result<ServerHandle> {
    todo!()
}
