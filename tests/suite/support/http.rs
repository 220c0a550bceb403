//! Servers and raw clients for tests of the wire.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response};
use sekisho::limits::Limits;
use sekisho::wire::http::{Handler, Listener, Peer, ServerHandle, serve};
use sekisho::wire::stream::Body;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::messages;
use super::submissions::any_below;

/// How long a test waits for what must happen. Nothing is measured by it: a machine may be as slow as it likes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Where nobody listens: no free port is ever this one, as one that was free a moment ago may be somebody's by now.
pub const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// A port for a server that must be told one. Not one of those that the system gives by itself, which may be somebody's
/// before the server has it.
pub fn unused_port() -> u16 {
    let some = || 10_000 + any_below(20_000) as u16;
    std::iter::repeat_with(some)
        .find(|port| std::net::TcpListener::bind((NOBODY.ip(), *port)).is_ok())
        .unwrap()
}

/// A handler made of a function.
pub struct Answers<F>(pub F);

impl<F, A> Handler for Answers<F>
where
    F: Fn(Peer, Request<Body>) -> A + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    fn handle(&self, peer: Peer, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        (self.0)(peer, request).boxed()
    }
}

/// A plain server on a free port.
pub async fn plain(limits: Limits, handler: impl Handler) -> ServerHandle {
    let address = "127.0.0.1:0".parse().unwrap();
    serve(Listener { address, tls: None, limits, handler: Arc::new(handler) }).await.unwrap()
}

/// A body that is here.
pub fn whole(bytes: impl Into<Bytes>) -> Body {
    Body::new(Full::new(bytes.into()).map_err(|never| match never {}))
}

/// A body's bytes.
pub async fn collect(body: Body) -> Bytes {
    body.collect().await.unwrap().to_bytes()
}

/// Sends bytes as they are, and gives everything that comes back until the other side closes.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may refuse, and close, before it has read everything.
    let _ = stream.write_all(bytes).await;
    until_closed(&mut stream).await
}

/// Everything that comes until the other side closes or resets the connection.
pub async fn until_closed(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let mut buffer = [0; 64 * 1024];
    let reading = async {
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            all.extend_from_slice(&buffer[..read]);
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the other side never closed the connection");
    messages::keep_envelopes("raw-answer", &all);
    String::from_utf8_lossy(&all).into_owned()
}
