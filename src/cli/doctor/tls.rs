//! A TLS handshake that goes on in spite of everything, to tell all that is wrong with it at once.

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openssl::ssl::{Ssl, SslContext, SslFiletype, SslMethod, SslVerifyMode};
use openssl::x509::{X509, X509NameRef};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use super::{Finding, Side};
use crate::config::ClientTls;
use crate::config::probe::{self, Validity};

/// X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH: the certificate is for another name.
const OTHER_NAME: [i32; 2] = [62, 64];
/// X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, …_LOCALLY, SELF_SIGNED_CERT_IN_CHAIN, DEPTH_ZERO_SELF_SIGNED_CERT,
/// UNABLE_TO_VERIFY_LEAF_SIGNATURE: somebody in the chain is not trusted.
const NOT_TRUSTED: [i32; 5] = [2, 18, 19, 20, 21];
/// X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED.
const OUT_OF_DATE: [i32; 2] = [9, 10];

/// How long an alert may take: a server that goes on waits for our request.
const ALERT_WAIT: Duration = Duration::from_millis(500);

#[derive(Debug, Clone)]
struct Complaint {
    code: i32,
    text: String,
    subject: String,
    issuer: String,
}

/// Shakes hands, and tells; None where that came to nothing.
pub async fn shake_hands(
    stream: TcpStream,
    host: &str,
    tls: Option<&ClientTls>,
    findings: &mut Vec<Finding>,
) -> Option<SslStream<TcpStream>> {
    let complaints = Arc::new(Mutex::new(Vec::new()));
    let session = match session(host, tls, &complaints) {
        Ok(session) => session,
        Err(problem) => {
            let next = "mend the files that --ca, --cert and --key (or the configuration) name";
            findings.push(Finding::bad("TLS", Side::Ours, problem, next));
            return None;
        }
    };
    let mut stream = match SslStream::new(session, stream) {
        Ok(stream) => stream,
        Err(error) => {
            findings.push(Finding::bad("TLS", Side::Ours, error.to_string(), ""));
            return None;
        }
    };
    if let Err(error) = std::pin::Pin::new(&mut stream).connect().await {
        findings.push(refused(&error.to_string(), tls));
        return None;
    }
    describe(&stream, findings);
    let complaints = complaints.lock().map(|complaints| complaints.clone()).unwrap_or_default();
    judge_chain(&complaints, tls, findings);
    match refusal(&mut stream).await {
        None => Some(stream),
        Some(alert) => {
            findings.push(refused(&alert, tls));
            None
        }
    }
}

/// In TLS 1.3 the server judges our certificate when we take the handshake to be over. Its alert has to be read before
/// anything is sent: a connection that is reset meanwhile takes the alert with it.
async fn refusal(stream: &mut SslStream<TcpStream>) -> Option<String> {
    let mut nothing = [0];
    match tokio::time::timeout(ALERT_WAIT, stream.read(&mut nothing)).await {
        Ok(Ok(0)) => Some("the peer closed the connection after the handshake".to_owned()),
        Ok(Err(error)) => Some(error.to_string()),
        Ok(Ok(_)) | Err(_) => None,
    }
}

fn session(
    host: &str,
    tls: Option<&ClientTls>,
    complaints: &Arc<Mutex<Vec<Complaint>>>,
) -> Result<Ssl, String> {
    let text = |error: openssl::error::ErrorStack| error.to_string();
    let mut context = SslContext::builder(SslMethod::tls_client()).map_err(text)?;
    match tls {
        Some(tls) => trust(&mut context, tls)?,
        None => context.set_default_verify_paths().map_err(text)?,
    }
    let seen = Arc::clone(complaints);
    context.set_verify_callback(SslVerifyMode::PEER, move |good, store| {
        if !good && let Ok(mut seen) = seen.lock() {
            let current = store.current_cert();
            seen.push(Complaint {
                code: store.error().as_raw(),
                text: store.error().error_string().to_owned(),
                subject: current.map(|c| one_line(c.subject_name())).unwrap_or_default(),
                issuer: current.map(|c| one_line(c.issuer_name())).unwrap_or_default(),
            });
        }
        true
    });
    let mut session = Ssl::new(&context.build()).map_err(text)?;
    match host.parse::<IpAddr>() {
        Ok(address) => session.param_mut().set_ip(address).map_err(text)?,
        Err(_) => {
            session.set_hostname(host).map_err(text)?;
            session.param_mut().set_host(host).map_err(text)?;
        }
    }
    Ok(session)
}

fn trust(context: &mut openssl::ssl::SslContextBuilder, tls: &ClientTls) -> Result<(), String> {
    let at = |file: &Path, error: openssl::error::ErrorStack| format!("{}: {error}", file.display());
    context.set_ca_file(&tls.ca).map_err(|error| at(&tls.ca, error))?;
    if let Some((certificate, key)) = &tls.identity {
        context.set_certificate_chain_file(certificate).map_err(|error| at(certificate, error))?;
        context.set_private_key_file(key, SslFiletype::PEM).map_err(|error| at(key, error))?;
        context.check_private_key().map_err(|error| at(key, error))?;
    }
    Ok(())
}

/// A handshake that the other side broke off.
pub fn refused(error: &str, tls: Option<&ClientTls>) -> Finding {
    let ours = tls.is_some_and(|tls| tls.identity.is_some());
    let wants_certificate = ["certificate required", "handshake failure", "bad certificate", "unknown ca"]
        .iter()
        .any(|alert| error.contains(alert));
    match (wants_certificate, ours) {
        (true, false) => Finding::bad(
            "TLS",
            Side::Ours,
            format!("the peer wants a client certificate ({error})"),
            "give ours: --cert and --key, or `tls` in the configuration",
        ),
        (true, true) => Finding::bad(
            "TLS",
            Side::Theirs,
            format!("the peer does not take our certificate ({error})"),
            "ask the peer to trust the CA of our certificate",
        ),
        (false, _) => Finding::bad(
            "TLS",
            Side::Theirs,
            format!("no TLS handshake: {error}"),
            "is this port for https? do both sides have a TLS version and a cipher in common?",
        ),
    }
}

fn describe(stream: &SslStream<TcpStream>, findings: &mut Vec<Finding>) {
    let ssl = stream.ssl();
    let cipher = ssl.current_cipher().map_or("no cipher", |cipher| cipher.name());
    findings.push(Finding::ok("TLS", format!("{} with {cipher}", ssl.version_str())));
    let chain: Vec<X509> =
        ssl.peer_cert_chain().into_iter().flatten().map(openssl::x509::X509Ref::to_owned).collect();
    for (depth, certificate) in chain.iter().enumerate() {
        let what = format!("{depth}: {}", one_line(certificate.subject_name()));
        findings.push(match probe::validity(certificate) {
            Validity::Good => {
                Finding::ok("certificate", format!("{what}, until {}", certificate.not_after()))
            }
            Validity::EndsSoon(end) => {
                Finding::note("certificate", Side::Theirs, format!("{what} ends on {end}"), "remind the peer")
            }
            Validity::Bad(problem) => Finding::bad(
                "certificate",
                Side::Theirs,
                format!("{what} {problem}"),
                "the peer must renew it, unless our clock is wrong",
            ),
        });
    }
    if let Some(names) = chain.first().map(names)
        && !names.is_empty()
    {
        findings.push(Finding::ok("SAN", names.join(", ")));
    }
}

fn judge_chain(complaints: &[Complaint], tls: Option<&ClientTls>, findings: &mut Vec<Finding>) {
    let mut said = Vec::new();
    for complaint in complaints.iter().filter(|complaint| !OUT_OF_DATE.contains(&complaint.code)) {
        if said.contains(&complaint.code) {
            continue;
        }
        said.push(complaint.code);
        findings.push(if OTHER_NAME.contains(&complaint.code) {
            Finding::bad(
                "SAN",
                Side::Theirs,
                "the certificate is not for the name or address of the URL",
                "call the peer by a name of its certificate, or ask for one with this subjectAltName",
            )
        } else if NOT_TRUSTED.contains(&complaint.code) {
            let whom = tls.map_or("the system's CAs".to_owned(), |tls| tls.ca.display().to_string());
            Finding::bad(
                "trust",
                Side::Ours,
                format!("{} is signed by {}, which is not in {whom}", complaint.subject, complaint.issuer),
                format!(
                    "after checking it with the peer, add the CA {} to the trusted ones",
                    complaint.issuer
                ),
            )
        } else {
            Finding::bad("trust", Side::Theirs, format!("{}: {}", complaint.subject, complaint.text), "")
        });
    }
    if complaints.is_empty() {
        findings.push(Finding::ok("trust", "the chain leads to a CA that we trust"));
    }
}

fn names(certificate: &X509) -> Vec<String> {
    let names = certificate.subject_alt_names();
    let text = |name: &openssl::x509::GeneralNameRef| {
        let address = name.ipaddress().and_then(|bytes| match bytes.len() {
            4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
            16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
            _ => None,
        });
        name.dnsname().or(name.uri()).map(str::to_owned).or(address.map(|address| address.to_string()))
    };
    names.into_iter().flatten().filter_map(|name| text(&name)).collect()
}

fn one_line(name: &X509NameRef) -> String {
    let part = |entry: &openssl::x509::X509NameEntryRef| {
        let value = entry.data().to_string().unwrap_or_default();
        format!("{}={value}", entry.object().nid().short_name().unwrap_or("?"))
    };
    name.entries().map(part).collect::<Vec<_>>().join(", ")
}
