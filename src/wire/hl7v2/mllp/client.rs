//! The client's side: a message goes out, its acknowledgement comes back. Connections are kept and used again; one that its
//! server closed meanwhile is replaced.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use futures_util::FutureExt;
use openssl::ssl::SslConnector;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout_at;
use tokio_openssl::SslStream;

use super::frames::{FrameError, Frames, frame};
use crate::limits;
use crate::wire::http::TlsClient;

/// Whom to connect to.
#[derive(Debug, Clone)]
pub struct MllpPeer {
    /// A name or an IP address: with TLS, the certificate must be its.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// TLS, or plain.
    pub tls: Option<TlsClient>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MllpError {
    /// Nothing was sent.
    #[error("no connection: {0}")]
    Connect(String),
    /// Not in time. Whether the message was acted on is not known.
    #[error("no acknowledgement in time")]
    Deadline,
    /// The peer closed the connection, or it broke. Whether the message was acted on is not known.
    #[error("the connection ended before an acknowledgement came")]
    Closed,
    /// What came is no frame.
    #[error("the acknowledgement cannot be read: {0}")]
    Answer(FrameError),
}

/// A client of one peer. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct MllpClient {
    shared: Arc<Shared>,
}

struct Shared {
    host: String,
    port: u16,
    tls: Option<SslConnector>,
    idle: Mutex<Vec<Line>>,
}

/// A connection on which nothing is under way.
struct Line {
    stream: Box<dyn Stream>,
    since: Instant,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl MllpClient {
    /// A client; connects when there is something to send.
    pub fn new(peer: &MllpPeer) -> Result<Self, MllpError> {
        let MllpPeer { host, port, tls } = peer;
        let tls = tls.as_ref().map(|tls| tls.connector().map(|connector| connector.build())).transpose();
        let tls = tls.map_err(|error| MllpError::Connect(error.to_string()))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { shared: Arc::new(Shared { host, port: *port, tls, idle: Mutex::default() }) })
    }

    /// Sends a message and returns the content of the frame that comes back. A message may be sent twice, if a kept connection
    /// ends without an answer: acknowledgements name MSH-10, and receivers tell repetitions by it.
    pub async fn send(&self, message: &[u8], deadline: Instant) -> Result<Bytes, MllpError> {
        let exchange = async {
            if let Some(line) = self.kept() {
                match self.exchange(line, message).await {
                    Err(MllpError::Closed) => {}
                    answered => return answered,
                }
            }
            let line = self.connect().await?;
            self.exchange(line, message).await
        };
        timeout_at(deadline.into(), exchange).await.unwrap_or(Err(MllpError::Deadline))
    }

    /// Connects (and ends the connection): whether somebody is there who speaks TLS as we do.
    pub async fn try_connect(&self) -> Result<(), MllpError> {
        self.connect().await.map(drop)
    }

    async fn exchange(&self, mut line: Line, message: &[u8]) -> Result<Bytes, MllpError> {
        let closed = |_| MllpError::Closed;
        line.stream.write_all(&frame(message)).await.map_err(closed)?;
        line.stream.flush().await.map_err(closed)?;
        let mut frames = Frames::new();
        let answer = loop {
            if let Some(answer) = frames.next_frame() {
                break answer.map_err(|(error, _)| MllpError::Answer(error))?;
            }
            let buffer = frames.buffer();
            buffer.reserve(limits::MIN_READ_BYTES);
            if line.stream.read_buf(buffer).await.map_err(closed)? == 0 {
                break frames.end().ok_or(MllpError::Closed)?;
            }
        };
        // What follows an answer was not asked for.
        if frames.is_empty() {
            self.keep(line);
        }
        Ok(answer)
    }

    async fn connect(&self) -> Result<Line, MllpError> {
        let failed = |error: &dyn std::fmt::Display| MllpError::Connect(error.to_string());
        let Shared { host, port, tls, .. } = &*self.shared;
        let connecting = async {
            let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(|e| failed(&e))?;
            stream.set_nodelay(true).map_err(|e| failed(&e))?;
            let Some(tls) = tls else { return Ok(Box::new(stream) as Box<dyn Stream>) };
            let ssl = tls.configure().and_then(|tls| tls.into_ssl(host)).map_err(|e| failed(&e))?;
            let mut stream = SslStream::new(ssl, stream).map_err(|e| failed(&e))?;
            if let Err(error) = Pin::new(&mut stream).connect().await {
                let verified = stream.ssl().verify_result();
                return Err(match verified {
                    openssl::x509::X509VerifyResult::OK => failed(&error),
                    problem => MllpError::Connect(format!("its certificate is refused: {problem}")),
                });
            }
            Ok(Box::new(stream) as Box<dyn Stream>)
        };
        let connected = tokio::time::timeout(limits::PEER_CONNECT_TIMEOUT, connecting).await;
        let stream = connected.unwrap_or_else(|_| Err(MllpError::Connect("not in time".to_owned())))?;
        Ok(Line { stream, since: Instant::now() })
    }

    /// A kept connection that is still good.
    fn kept(&self) -> Option<Line> {
        loop {
            let mut line = self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            // Its end, or a late answer to somebody else's question, would be there to read.
            let silent = line.stream.read(&mut [0; 1]).now_or_never().is_none();
            if silent && line.since.elapsed() < limits::MLLP_CLIENT_IDLE {
                return Some(line);
            }
        }
    }

    fn keep(&self, line: Line) {
        let mut idle = self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < limits::MAX_IDLE_PER_PEER {
            idle.push(Line { since: Instant::now(), ..line });
        }
    }
}

impl std::fmt::Debug for MllpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MllpClient({}:{})", self.shared.host, self.shared.port)
    }
}
