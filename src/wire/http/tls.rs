//! TLS identities: our certificates, whom we trust, and whom we met (ITI TF-2: 3.19, BCP 195, TLS 1.2 and up).

use std::path::Path;
use std::sync::Arc;

/// Why a certificate, key or trust list cannot be used: names the file and what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(pub String);

/// What is known of a peer from its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The subject, as one line.
    pub subject: String,
    /// SHA-256 of the DER, lower-case hex.
    pub fingerprint: String,
    /// subjectAltName DNS names and URIs.
    pub names: Vec<String>,
}

/// The server's side of TLS; cheap to clone, and replaceable while serving ([`TlsServer::replace`]).
#[derive(Clone)]
pub struct TlsServer {
    // TODO(http)
}

#[allow(unused_variables)]
impl TlsServer {
    /// From PEM files. With `client_ca`, every client must show a certificate that it signed (mutual TLS).
    pub fn new(certificate: &Path, key: &Path, client_ca: Option<&Path>) -> Result<Self, TlsError> {
        todo!()
    }
    /// Takes over certificate and trust from another one: new connections use it, open ones go on.
    pub fn replace(&self, with: &TlsServer) {
        todo!()
    }
}

/// The client's side of TLS.
#[derive(Clone)]
pub struct TlsClient {
    #[allow(dead_code)]
    inner: Arc<()>,
}

#[allow(unused_variables)]
impl TlsClient {
    /// From PEM files: whom to trust, and our certificate and key for mutual TLS.
    pub fn new(ca: &Path, identity: Option<(&Path, &Path)>) -> Result<Self, TlsError> {
        todo!()
    }
}

impl std::fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsClient")
    }
}
