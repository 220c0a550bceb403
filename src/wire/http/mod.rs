//! HTTP/1.1 over plain sockets or openssl TLS: a bounded server and a pooled client. h2 stays off.

mod client;
mod server;
mod tls;
mod waiting;

pub use client::{Client, ClientSettings, HttpError};
pub use server::{Handler, Listener, serve};
pub use tls::{PeerCertificate, TlsClient, TlsError, TlsServer};

pub use crate::wire::listen::{Peer, ServerHandle};

/// An error and what it came from, as one line.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
