//! The way of a request, step by step.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use hyper::Uri;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Finding, Patient, Side, soap_client, tls};
use crate::cli::peer::PeerError;
use crate::cli::query::{find_documents, status};
use crate::ids::PatientId;
use crate::transactions::iti18::ITI18;
use crate::transactions::iti38::ITI38;
use crate::wire::soap::CallError;

/// A difference of clocks that assertions and audit records do not survive.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);
/// Bytes of an HTTP answer's head that are looked at.
const HEAD_BYTES: usize = 16 * 1024;
/// A patient whom nobody has.
pub(super) const NOBODY: &str = "sekisho-doctor^^^&2.25.318902478213461.9.2&ISO";

/// Looks at one peer. Stops at the first step behind which nothing can hold.
pub async fn examine(patient: &Patient, deadline: Duration) -> Vec<Finding> {
    let mut findings = Vec::new();
    let host = patient.url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let https = patient.url.scheme_str() == Some("https");
    let port = patient.url.port_u16().unwrap_or(if https { 443 } else { 80 });
    let Some(addresses) = look_up(host, port, deadline, &mut findings).await else { return findings };
    let Some(stream) = connect(&addresses, deadline, &mut findings).await else { return findings };
    let head = if https {
        let shaken =
            timeout(deadline, tls::shake_hands(stream, host, patient.tls.as_ref(), &mut findings)).await;
        match shaken {
            Ok(Some(stream)) => get(stream, &patient.url, deadline).await,
            Ok(None) => return findings,
            Err(_) => {
                let what = "the TLS handshake does not end";
                findings.push(Finding::bad("TLS", Side::Theirs, what, "is this port for https?"));
                return findings;
            }
        }
    } else {
        findings.push(Finding::note("TLS", Side::Theirs, "none: http", "patients' data travel unencrypted"));
        get(stream, &patient.url, deadline).await
    };
    match head {
        Ok(head) => judge_head(&head, &mut findings),
        Err(error) if https && error.contains("alert") => {
            findings.push(tls::refused(&error, patient.tls.as_ref()));
            return findings;
        }
        Err(error) => {
            findings.push(Finding::bad("HTTP", Side::Theirs, error, "ask the peer what its server log says"))
        }
    }
    findings.push(ask(patient, deadline).await);
    findings
}

pub(super) async fn look_up(
    host: &str,
    port: u16,
    deadline: Duration,
    findings: &mut Vec<Finding>,
) -> Option<Vec<SocketAddr>> {
    let found = timeout(deadline, tokio::net::lookup_host((host, port))).await;
    let addresses = match found {
        Ok(Ok(addresses)) => addresses.collect::<Vec<_>>(),
        Ok(Err(error)) => {
            let next = "mend the name in the URL, or the name server that this machine uses";
            findings.push(Finding::bad("DNS", Side::Network, format!("{host}: {error}"), next));
            return None;
        }
        Err(_) => {
            let next = "does this machine reach its name server?";
            findings.push(Finding::bad("DNS", Side::Network, format!("{host}: no answer"), next));
            return None;
        }
    };
    let list: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    findings.push(Finding::ok("DNS", format!("{host} is {}", list.join(", "))));
    Some(addresses)
}

pub(super) async fn connect(
    addresses: &[SocketAddr],
    deadline: Duration,
    findings: &mut Vec<Finding>,
) -> Option<TcpStream> {
    for address in addresses {
        let started = Instant::now();
        let (side, what, next) = match timeout(deadline, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let what = format!("{address} after {} ms", started.elapsed().as_millis());
                findings.push(Finding::ok("TCP", what));
                return Some(stream);
            }
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => (
                Side::Theirs,
                format!("{address} refuses"),
                "nothing listens there: is the peer up, is the port right?",
            ),
            Ok(Err(error)) => {
                (Side::Network, format!("{address}: {error}"), "ask who runs the line and the firewalls")
            }
            Err(_) => (
                Side::Network,
                format!("{address}: no answer"),
                "a firewall in between drops packets: ask who runs it",
            ),
        };
        findings.push(Finding::bad("TCP", side, what, next));
    }
    None
}

/// The head of the answer to `GET …?wsdl`.
async fn get<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    url: &Uri,
    deadline: Duration,
) -> Result<String, String> {
    let authority = url.authority().map(ToString::to_string).unwrap_or_default();
    let request = format!(
        "GET {}?wsdl HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: sekisho-doctor\r\nConnection: close\r\n\r\n",
        url.path()
    );
    let exchange = async {
        stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
        let mut head = Vec::new();
        let mut chunk = [0; 1024];
        while head.len() < HEAD_BYTES && !head.windows(4).any(|four| four == b"\r\n\r\n") {
            match stream.read(&mut chunk).await {
                Ok(0) => break,
                Ok(read) => head.extend_from_slice(&chunk[..read]),
                Err(error) => return Err(error.to_string()),
            }
        }
        match head.is_empty() {
            true => Err("the connection was closed without an answer".to_owned()),
            false => Ok(String::from_utf8_lossy(&head).into_owned()),
        }
    };
    timeout(deadline, exchange).await.unwrap_or_else(|_| Err("no answer to GET".to_owned()))
}

fn judge_head(head: &str, findings: &mut Vec<Finding>) {
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    findings.push(match status {
        None => Finding::bad("HTTP", Side::Theirs, "the answer is not HTTP/1.1", "is this the right port?"),
        Some(code) if code.starts_with('2') => Finding::ok("HTTP", format!("GET ?wsdl: {first}")),
        Some(_) => {
            Finding::note("HTTP", Side::Theirs, format!("GET ?wsdl: {first}"), "it serves no WSDL here")
        }
    });
    let date = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("date"))
        .and_then(|(_, value)| http_date(value.trim()));
    match date {
        Some(theirs) => findings.push(judge_clock(theirs)),
        None => findings.push(Finding::note("clock", Side::Theirs, "no Date header: cannot be compared", "")),
    }
}

fn http_date(text: &str) -> Option<SystemTime> {
    let time = jiff::fmt::strtime::parse("%a, %d %b %Y %H:%M:%S GMT", text).ok()?.to_datetime().ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().into())
}

fn judge_clock(theirs: SystemTime) -> Finding {
    let ours = SystemTime::now();
    let (apart, who) = match ours.duration_since(theirs) {
        Ok(apart) => (apart, "behind"),
        Err(error) => (error.duration(), "ahead"),
    };
    let what = format!("the peer's clock is {} s {who} ours", apart.as_secs());
    if apart > CLOCK_TOLERANCE {
        Finding::bad("clock", Side::Network, what, "both sides must follow time servers (ITI-1)")
    } else {
        Finding::ok("clock", what)
    }
}

/// A stored query for a patient whom nobody has: any AdhocQueryResponse will do.
async fn ask(patient: &Patient, deadline: Duration) -> Finding {
    let path = patient.url.path().to_ascii_lowercase();
    let transaction = if path.ends_with("iti-38") || path.ends_with("iti38") { &ITI38 } else { &ITI18 };
    let peer = match soap_client(patient, deadline) {
        Ok(peer) => peer,
        Err(stop) => return Finding::bad("SOAP", Side::Ours, stop.message, ""),
    };
    let nobody = match PatientId::parse(NOBODY) {
        Ok(nobody) => nobody,
        Err(error) => return Finding::bad("SOAP", Side::Ours, error.to_string(), ""),
    };
    let mut request = find_documents(&nobody);
    request.home.clone_from(&patient.home);
    let id = transaction.id;
    match peer.query(transaction, &patient.url, &request).await {
        Ok(response) => {
            let codes: Vec<_> = response.errors.iter().map(|error| error.code.to_string()).collect();
            let codes = if codes.is_empty() { String::new() } else { format!(" ({})", codes.join(", ")) };
            let what = format!("{id} for a patient whom nobody has: {}{codes}", status(response.status));
            Finding::ok("SOAP", what)
        }
        Err(PeerError::Call(CallError::Fault(fault))) => Finding::note(
            "SOAP",
            Side::Theirs,
            format!("{id}: SOAP fault: {}", fault.reason),
            "it speaks SOAP; ask the peer why, with the time of this question",
        ),
        Err(error) => Finding::bad("SOAP", Side::Theirs, format!("{id}: {error}"), "is the path right?"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_dates_are_read() {
        let date = http_date("Thu, 01 Jan 1970 00:01:00 GMT").unwrap();
        assert_eq!(date.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs(), 60);
    }
}
