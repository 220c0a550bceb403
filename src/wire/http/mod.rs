//! HTTP/1.1 over plain sockets or openssl TLS: a bounded server and a pooled client. h2 stays off.

mod client;
mod server;
mod tls;

pub use client::{Client, ClientSettings, HttpError};
pub use server::{Handler, Listener, Peer, ServerHandle, serve};
pub use tls::{PeerCertificate, TlsClient, TlsError, TlsServer};
