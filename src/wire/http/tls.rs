//! TLS identities: our certificates, whom we trust, and whom we met (ITI TF-2: 3.19, BCP 195: TLS 1.2 and up, no
//! renegotiation, forward secrecy and authenticated ciphers only). Whoever opens a listener or calls a peer uses them.

use std::fmt::Display;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    SslConnector, SslConnectorBuilder, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions,
    SslVerifyMode, SslVersion,
};
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::{X509, X509Ref};

use crate::limits;

/// TLS 1.2 suites; those of TLS 1.3 are all fit to use.
const CIPHERS: &str = "ECDHE+AESGCM:ECDHE+CHACHA20";
/// OpenSSL's level 2: RSA from 2048 bits, no SHA-1 signatures.
const SECURITY_LEVEL: u32 = 2;

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
    context: Arc<RwLock<SslContext>>,
}

/// The client's side of TLS.
#[derive(Clone)]
pub struct TlsClient {
    parts: Arc<ClientParts>,
}

struct ClientParts {
    trust: Vec<X509>,
    identity: Option<Identity>,
}

/// A certificate, the chain that is sent with it, and its key.
struct Identity {
    leaf: X509,
    chain: Vec<X509>,
    key: PKey<Private>,
}

impl TlsServer {
    /// From PEM files. With `client_ca`, every client must show a certificate that it signed (mutual TLS).
    pub fn new(certificate: &Path, key: &Path, client_ca: Option<&Path>) -> Result<Self, TlsError> {
        let identity = Identity::read(certificate, key)?;
        let trust = client_ca.map(read_certificates).transpose()?;
        let context = server_context(&identity, trust.as_deref())
            .map_err(|error| unusable(certificate, "OpenSSL refuses it", error))?;
        Ok(Self { context: Arc::new(RwLock::new(context)) })
    }
    /// Takes over certificate and trust from another one: new connections use it, open ones go on. Sessions of the old
    /// one cannot be resumed, so that whoever lost our trust is asked again.
    pub fn replace(&self, with: &TlsServer) {
        let context = with.context();
        *self.context.write().unwrap_or_else(PoisonError::into_inner) = context;
    }
    /// When our certificate expires, in seconds since 1970.
    pub fn expires_at(&self) -> Option<i64> {
        let context = self.context();
        let since_1970 = Asn1Time::from_unix(0).ok()?.diff(context.certificate()?.not_after()).ok()?;
        Some(i64::from(since_1970.days) * 86_400 + i64::from(since_1970.secs))
    }
    /// What the next connection is accepted with.
    pub(in crate::wire) fn context(&self) -> SslContext {
        self.context.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl TlsClient {
    /// From PEM files: whom to trust, and our certificate and key for mutual TLS.
    pub fn new(ca: &Path, identity: Option<(&Path, &Path)>) -> Result<Self, TlsError> {
        let trust = read_certificates(ca)?;
        let identity = identity.map(|(certificate, key)| Identity::read(certificate, key)).transpose()?;
        let client = Self { parts: Arc::new(ClientParts { trust, identity }) };
        client.connector().map_err(|error| unusable(ca, "OpenSSL refuses it", error))?;
        Ok(client)
    }
    /// A connector: it verifies the peer's chain, and its name against the subjectAltName (DNS or IP address).
    pub(in crate::wire) fn connector(&self) -> Result<SslConnectorBuilder, ErrorStack> {
        let mut connector = SslConnector::builder(SslMethod::tls_client())?;
        harden(&mut connector)?;
        connector.set_cert_store(store(&self.parts.trust)?);
        connector.set_verify(SslVerifyMode::PEER);
        if let Some(identity) = &self.parts.identity {
            identity.install(&mut connector)?;
        }
        Ok(connector)
    }
}

impl PeerCertificate {
    /// What a verified certificate says.
    pub(in crate::wire) fn of(certificate: &X509Ref) -> Self {
        let fingerprint = certificate.digest(MessageDigest::sha256()).map(|digest| hex(&digest));
        let names = certificate.subject_alt_names().into_iter().flatten().filter_map(|name| {
            name.dnsname().or_else(|| name.uri()).map(|text| printable(text, limits::MAX_SUBJECT_CHARS))
        });
        Self {
            subject: subject(certificate),
            fingerprint: fingerprint.unwrap_or_default(),
            names: names.take(limits::MAX_CERTIFICATE_NAMES).collect(),
        }
    }
}

impl Identity {
    fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let mut chain = read_certificates(certificate)?;
        let leaf = chain.remove(0);
        let now = Asn1Time::days_from_now(0)
            .map_err(|error| unusable(certificate, "the clock is not readable", error))?;
        if leaf.not_after() < now {
            let when = leaf.not_after();
            return Err(TlsError(format!(
                "{}: the certificate expired on {when}; renew it",
                certificate.display()
            )));
        }
        if leaf.not_before() > now {
            let when = leaf.not_before();
            return Err(TlsError(format!(
                "{}: the certificate is not valid before {when}; check the clock",
                certificate.display()
            )));
        }
        // Without the callback OpenSSL would ask on the terminal for the passphrase of an encrypted key.
        let key_text = read(key)?;
        let private = PKey::private_key_from_pem_callback(&key_text, |_| Err(ErrorStack::get()))
            .map_err(|error| unusable(key, "not an unencrypted PEM private key", error))?;
        let belongs = leaf.public_key().is_ok_and(|public| public.public_eq(&private));
        if !belongs {
            return Err(TlsError(format!(
                "{}: this key does not belong to the certificate in {}",
                key.display(),
                certificate.display()
            )));
        }
        Ok(Self { leaf, chain, key: private })
    }
    fn install(&self, context: &mut SslContextBuilder) -> Result<(), ErrorStack> {
        context.set_certificate(&self.leaf)?;
        for certificate in &self.chain {
            context.add_extra_chain_cert(certificate.clone())?;
        }
        context.set_private_key(&self.key)?;
        context.check_private_key()
    }
}

fn server_context(identity: &Identity, trust: Option<&[X509]>) -> Result<SslContext, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_server())?;
    harden(&mut context)?;
    identity.install(&mut context)?;
    // OpenSSL resumes a session with a client certificate only within a named context.
    context.set_session_id_context(b"sekisho")?;
    if let Some(trust) = trust {
        context.set_cert_store(store(trust)?);
        let mut names = Stack::new()?;
        for authority in trust {
            names.push(authority.subject_name().to_owned()?)?;
        }
        context.set_client_ca_list(names);
        context.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    }
    Ok(context.build())
}

/// What holds on both sides. A chain of more bytes than OpenSSL's `max_cert_list` (100 KiB) is refused before it is parsed.
fn harden(context: &mut SslContextBuilder) -> Result<(), ErrorStack> {
    context.set_security_level(SECURITY_LEVEL);
    context.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    context.set_cipher_list(CIPHERS)?;
    context.set_options(
        SslOptions::NO_RENEGOTIATION | SslOptions::NO_COMPRESSION | SslOptions::CIPHER_SERVER_PREFERENCE,
    );
    // To a slow reader a write is tried again later, from wherever the bytes to send lie by then.
    context.set_mode(
        SslMode::ENABLE_PARTIAL_WRITE | SslMode::ACCEPT_MOVING_WRITE_BUFFER | SslMode::RELEASE_BUFFERS,
    );
    context.set_verify_depth(limits::MAX_TLS_CHAIN);
    Ok(())
}

fn store(trust: &[X509]) -> Result<X509Store, ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    for authority in trust {
        store.add_cert(authority.clone())?;
    }
    Ok(store.build())
}

/// At least one certificate.
fn read_certificates(path: &Path) -> Result<Vec<X509>, TlsError> {
    let all = X509::stack_from_pem(&read(path)?)
        .map_err(|error| unusable(path, "not a PEM file of certificates", error))?;
    if all.is_empty() {
        return Err(TlsError(format!("{}: no PEM certificate in this file", path.display())));
    }
    Ok(all)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| unusable(path, "cannot be read", error))
}

fn unusable(path: &Path, problem: &str, error: impl Display) -> TlsError {
    TlsError(format!("{}: {problem}: {error}", path.display()))
}

fn subject(certificate: &X509Ref) -> String {
    let entries = certificate.subject_name().entries().map(|entry| {
        let name = entry.object().nid().short_name().unwrap_or("OID");
        let value = entry.data().to_string().unwrap_or_default();
        format!("{name}={}", escaped(&value))
    });
    printable(&entries.collect::<Vec<_>>().join(", "), limits::MAX_SUBJECT_CHARS)
}

/// With a backslash before what separates entries: nobody's name becomes another's organisation (RFC 4514: 2.4).
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace(',', "\\,")
}

/// Without control characters, which would forge lines in a log, and not longer than `limit`.
fn printable(text: &str, limit: usize) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(limit).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl std::fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsServer")
    }
}

impl std::fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsClient")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_36_renegotiation_and_compression_are_off() {
        let mut context = SslContext::builder(SslMethod::tls_server()).unwrap();
        harden(&mut context).unwrap();
        assert!(context.options().contains(SslOptions::NO_RENEGOTIATION | SslOptions::NO_COMPRESSION));
        assert_eq!(context.min_proto_version(), Some(SslVersion::TLS1_2));
    }

    #[test]
    fn a_subject_cannot_pass_for_another_one() {
        let named = |entries: &[(&str, &str)]| {
            let mut name = openssl::x509::X509Name::builder().unwrap();
            entries.iter().for_each(|(key, value)| name.append_entry_by_text(key, value).unwrap());
            let mut certificate = X509::builder().unwrap();
            certificate.set_subject_name(&name.build()).unwrap();
            subject(&certificate.build())
        };
        assert_eq!(named(&[("CN", "gateway"), ("O", "Minato")]), "CN=gateway, O=Minato");
        assert_eq!(named(&[("CN", "gateway, O=Minato")]), "CN=gateway\\, O=Minato");
        assert_eq!(named(&[("CN", "gateway\\, O=Minato")]), "CN=gateway\\\\\\, O=Minato");
    }

    #[test]
    fn a_subject_cannot_forge_log_lines() {
        assert_eq!(printable("CN=a\r\nlevel=ERROR", 100), "CN=a\u{fffd}\u{fffd}level=ERROR");
        assert_eq!(printable("abcdef", 3), "abc");
    }
}
