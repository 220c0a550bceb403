//! Malware scanners: documents are sent to them chunk by chunk while they arrive, and a verdict comes back. Two protocols:
//! clamd's INSTREAM ([`clamd`]) and ICAP ([`icap`], RFC 3507). Knows no IHE; nothing here decides what a verdict means.

mod clamd;
mod icap;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::limits;

/// Where a scanner is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// `clamd://host:port`, `clamd:///path/of/socket`
    Clamd(Endpoint),
    /// `icap://host:port/service`
    Icap {
        /// Where the server is.
        host: String,
        /// Its port; 1344 where the URL has none.
        port: u16,
        /// The service, without `/` before it.
        service: String,
    },
}

/// Where to connect.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A name or address, and a port.
    Tcp(String, u16),
    /// A Unix socket.
    Unix(PathBuf),
}

/// What a scanner says of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It found nothing.
    Clean,
    /// It found something, which it calls so: printable ASCII.
    Found(String),
}

/// Why there is no verdict. For the log: no part of a document is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// It cannot be reached, or went away.
    #[error("the scanner is away: {0}")]
    Away(String),
    /// It takes no bytes, or gives no verdict, in time.
    #[error("the scanner does not answer within {0:?}")]
    Late(Duration),
    /// It does not want to, or says what we do not understand.
    #[error("the scanner gave no verdict: {0}")]
    NoVerdict(String),
}

/// How long a scanner may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// To be reached.
    pub connect: Duration,
    /// To take bytes.
    pub write: Duration,
    /// For its verdict.
    pub verdict: Duration,
}

/// A scanner. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Scanner {
    /// clamd.
    Clamd(Endpoint, Patience),
    /// An ICAP server.
    Icap(icap::Server),
}

/// A document on its way to a scanner. Dropping it ends the connection.
pub enum Scan {
    /// To clamd.
    Clamd(clamd::Scan),
    /// To an ICAP server.
    Icap(Box<icap::Scan>),
}

impl Address {
    /// Reads a URL.
    pub fn parse(url: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{url:?} is none of clamd://host:port, clamd:///path/of/socket and icap://host:port/service"
            )
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        if scheme == "clamd" && rest.starts_with('/') {
            return Ok(Self::Clamd(Endpoint::Unix(rest.into())));
        }
        let (authority, service) = rest.split_once('/').unwrap_or((rest, ""));
        let authority: hyper::http::uri::Authority = authority.parse().map_err(|_| wrong())?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        match (scheme, authority.port_u16()) {
            ("clamd", Some(port)) if service.is_empty() => Ok(Self::Clamd(Endpoint::Tcp(host, port))),
            ("icap", port) if !service.is_empty() && service.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Ok(Self::Icap { host, port: port.unwrap_or(1344), service: service.to_owned() })
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clamd(Endpoint::Unix(path)) => write!(f, "clamd://{}", path.display()),
            Self::Clamd(Endpoint::Tcp(host, port)) => write!(f, "clamd://{host}:{port}"),
            Self::Icap { host, port, service } => write!(f, "icap://{host}:{port}/{service}"),
        }
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: limits::SCANNER_CONNECT_TIMEOUT,
            write: limits::SCANNER_WRITE_TIMEOUT,
            verdict: limits::SCAN_VERDICT_TIMEOUT,
        }
    }
}

impl Scanner {
    /// The scanner at an address.
    pub fn new(address: Address, patience: Patience) -> Self {
        match address {
            Address::Clamd(endpoint) => Self::Clamd(endpoint, patience),
            Address::Icap { host, port, service } => {
                Self::Icap(icap::Server::new(host, port, service, patience))
            }
        }
    }

    /// Begins with a document.
    pub async fn begin(&self) -> Result<Scan, ScanError> {
        match self {
            Self::Clamd(endpoint, patience) => {
                Ok(Scan::Clamd(clamd::Scan::begin(endpoint, *patience).await?))
            }
            Self::Icap(server) => Ok(Scan::Icap(Box::new(server.begin().await?))),
        }
    }

    /// Whether it is there: it answers a question that no document is in (clamd's PING, ICAP's OPTIONS).
    pub async fn ping(&self) -> Result<(), ScanError> {
        match self {
            Self::Clamd(endpoint, patience) => {
                within(patience.connect, clamd::ping(endpoint, *patience)).await
            }
            Self::Icap(server) => server.ping().await,
        }
    }
}

impl Scan {
    /// Sends the next chunk; waits while the scanner is behind.
    pub async fn chunk(&mut self, chunk: &Bytes) -> Result<(), ScanError> {
        match self {
            Self::Clamd(scan) => scan.chunk(chunk).await,
            Self::Icap(scan) => scan.chunk(chunk).await,
        }
    }

    /// The document is whole.
    pub async fn finish(self) -> Result<Verdict, ScanError> {
        match self {
            Self::Clamd(scan) => scan.finish().await,
            Self::Icap(scan) => scan.finish().await,
        }
    }
}

impl Verdict {
    /// What was found, as far as it can be shown.
    fn found(name: &str) -> Self {
        let shown = name.trim().chars().filter(|c| c.is_ascii_graphic() || *c == ' ');
        Self::Found(shown.take(limits::MAX_FINDING_CHARS).collect())
    }
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        Self::Away(error.to_string())
    }
}

/// A connection to a scanner.
enum Connection {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Connection {
    async fn open(endpoint: &Endpoint, patience: Patience) -> Result<Self, ScanError> {
        let open = async {
            Ok(match endpoint {
                Endpoint::Tcp(host, port) => {
                    let stream = TcpStream::connect((host.as_str(), *port)).await?;
                    // Chunks come with their own lengths before them: two small writes each.
                    stream.set_nodelay(true)?;
                    Self::Tcp(stream)
                }
                Endpoint::Unix(path) => Self::Unix(UnixStream::connect(path).await?),
            })
        };
        within(patience.connect, open).await
    }
}

/// Awaits what the scanner has to do, no longer than `patience`.
async fn within<T>(
    patience: Duration,
    what: impl Future<Output = Result<T, ScanError>>,
) -> Result<T, ScanError> {
    timeout(patience, what).await.unwrap_or(Err(ScanError::Late(patience)))
}

/// Writes slices, one behind the other.
async fn write(
    to: &mut (impl AsyncWrite + Unpin),
    slices: &[&[u8]],
    patience: Patience,
) -> Result<(), ScanError> {
    let write = async {
        for slice in slices {
            to.write_all(slice).await?;
        }
        Ok(to.flush().await?)
    };
    within(patience.write, write).await
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
