//! Listeners of any protocol: accepts, bounds, TLS, and shutting down after what is in flight.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use openssl::ssl::{Ssl, SslContext};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_openssl::SslStream;
use tracing::{debug, warn};

use crate::limits;
use crate::wire::http::{PeerCertificate, TlsServer};

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// How it came: `https`, `http`, `mllps`, `mllp`.
    pub scheme: &'static str,
    /// Its verified certificate, under mutual TLS.
    pub certificate: Option<Arc<PeerCertificate>>,
}

/// What is spoken over the connections of a listener.
pub trait Protocol: Send + Sync + 'static {
    /// [`Peer::scheme`] without TLS.
    const PLAIN: &'static str;
    /// [`Peer::scheme`] with TLS.
    const SECURE: &'static str;

    /// Serves one connection to its end.
    fn exchange<S>(&self, stream: S, peer: Peer, closing: Closing) -> impl Future<Output = ()> + Send
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static;
}

/// A listener to open.
pub struct Door {
    /// Where; port 0 takes a free one.
    pub address: SocketAddr,
    /// TLS, or plain. [`TlsServer`] can be replaced while serving.
    pub tls: Option<TlsServer>,
    /// Further connections are closed at once.
    pub max_connections: usize,
}

/// Tells a connection that its listener closes: it finishes what is in flight and ends.
#[derive(Clone)]
pub struct Closing(watch::Receiver<State>);

impl Closing {
    /// Waits until it does.
    pub async fn begun(&mut self) {
        left(&mut self.0, State::Serve).await;
    }
    /// Whether it has.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow() != State::Serve
    }
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
pub async fn open<P: Protocol>(door: Door, protocol: P) -> std::io::Result<ServerHandle> {
    let Door { address, tls, max_connections } = door;
    let socket = TcpListener::bind(address).await?;
    let address = socket.local_addr()?;
    let max_connections = u32::try_from(max_connections).unwrap_or(u32::MAX).max(1);
    let connections = Arc::new(Semaphore::new(max_connections as usize));
    let (state, watching) = watch::channel(State::Serve);
    let serving = Arc::new(Serving { tls, protocol });
    tokio::spawn(accept(socket, serving, Arc::clone(&connections), watching));
    Ok(ServerHandle { address, state, connections, max_connections })
}

async fn accept<P: Protocol>(
    socket: TcpListener,
    serving: Arc<Serving<P>>,
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
struct Serving<P> {
    tls: Option<TlsServer>,
    protocol: P,
}

impl<P: Protocol> Serving<P> {
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
        let closing = Closing(state.clone());
        let whole = async {
            match &self.tls {
                None => {
                    let peer = Peer { address, scheme: P::PLAIN, certificate: None };
                    self.protocol.exchange(stream, peer, closing).await;
                }
                Some(tls) => {
                    if let Some(stream) = handshake(tls.context(), stream, address).await {
                        let certificate = stream.ssl().peer_certificate();
                        let certificate = certificate.map(|shown| Arc::new(PeerCertificate::of(&shown)));
                        let peer = Peer { address, scheme: P::SECURE, certificate };
                        self.protocol.exchange(stream, peer, closing).await;
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
}

/// Closes our side, and takes in a little of what the client still sends, so that it gets to read our answer.
pub(super) async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut socket: S) {
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
