//! The way of a message over MLLP: name, address, TLS, and a question that changes nothing.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::steps::{NOBODY, connect, look_up};
use super::{Finding, Patient, Side, tls};
use crate::config::ClientTls;
use crate::demographics::{Authority, Identifier};
use crate::ids::PatientId;
use crate::transactions::hl7v2::{Parties, control_id};
use crate::transactions::identity::CorrespondingQuery;
use crate::transactions::iti9;
use crate::wire::hl7v2::mllp::{MllpClient, MllpError, MllpPeer};
use crate::wire::hl7v2::{Charset, Message};
use crate::wire::http::TlsClient;

/// Schemes of MLLP.
pub const SCHEMES: [&str; 2] = ["mllp", "mllps"];

/// Looks at one peer. Stops at the first step behind which nothing can hold.
pub async fn examine(patient: &Patient, deadline: Duration) -> Vec<Finding> {
    let mut findings = Vec::new();
    let host = patient.url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let Some(port) = patient.url.port_u16() else {
        let next = "write mllp://HOST:PORT or mllps://HOST:PORT";
        return vec![Finding::bad("DNS", Side::Ours, format!("{} names no port", patient.url), next)];
    };
    let secure = patient.url.scheme_str() == Some("mllps");
    let Some(addresses) = look_up(host, port, deadline, &mut findings).await else { return findings };
    let Some(stream) = connect(&addresses, deadline, &mut findings).await else { return findings };
    if secure {
        let shaken = timeout(deadline, tls::shake_hands(stream, host, patient.tls.as_ref(), &mut findings));
        match shaken.await {
            Ok(Some(_)) => {}
            Ok(None) => return findings,
            Err(_) => {
                let what = "the TLS handshake does not end";
                findings.push(Finding::bad("TLS", Side::Theirs, what, "is this port for MLLP over TLS?"));
                return findings;
            }
        }
    } else {
        findings.push(Finding::note("TLS", Side::Theirs, "none: mllp", "patients' data travel unencrypted"));
    }
    findings.push(match client(patient, host, port, secure) {
        Ok(client) => echo(patient, &client, deadline).await,
        Err(problem) => Finding::bad("HL7 v2", Side::Ours, problem, ""),
    });
    findings
}

fn client(patient: &Patient, host: &str, port: u16, secure: bool) -> Result<MllpClient, String> {
    let tls = match patient.tls.as_ref().filter(|_| secure) {
        None if secure => return Err("nothing says whom to trust: --ca".to_owned()),
        None => None,
        Some(ClientTls { ca, identity }) => {
            let identity = identity.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
            Some(TlsClient::new(ca, identity).map_err(|error| error.to_string())?)
        }
    };
    MllpClient::new(&MllpPeer { host: host.to_owned(), port, tls }).map_err(|error| error.to_string())
}

/// ITI-9 about a patient whom nobody has: any answer will do, and nothing is changed by it. Whoever takes notifications only
/// answers that he takes no queries.
async fn echo(patient: &Patient, client: &MllpClient, deadline: Duration) -> Finding {
    let id = control_id();
    let nobody = PatientId::parse(NOBODY).ok().map(|nobody| Identifier {
        id: nobody.id().to_owned(),
        authority: Authority::of_oid(nobody.authority().as_str()),
        ..Identifier::default()
    });
    let query = CorrespondingQuery { patient: nobody.unwrap_or_default(), wanted: Vec::new() };
    let own = || ("SEKISHO".to_owned(), "DOCTOR".to_owned());
    let parties = Parties {
        sender: own(),
        receiver: patient.system.clone().unwrap_or_else(own),
        charset: Charset::Utf8,
    };
    let message = iti9::request(&query, &id, &parties, &id).encode(Charset::Utf8);
    let answer = client.send(&message.bytes, Instant::now() + deadline).await;
    let bad = |what: &str, next: &str| Finding::bad("HL7 v2", Side::Theirs, what, next);
    let answer = match answer {
        Ok(answer) => Message::read(&answer, Charset::Utf8),
        Err(MllpError::Deadline) => {
            return bad(
                "no answer to an ITI-9",
                "some answer nothing to what they do not know: ask the peer",
            );
        }
        Err(error) => return bad(&error.to_string(), "ask the peer what its log says"),
    };
    let Ok(answer) = answer else { return bad("the answer is no HL7 v2 message", "is this the right port?") };
    let Some(msa) = answer.segment("MSA").filter(|msa| msa.field(2).value() == id) else {
        return bad("the answer has no MSA with our MSH-10", "the peer must repeat MSH-10 in MSA-2");
    };
    let code = msa.field(1).value().into_owned();
    let what = format!("ITI-9 about a patient whom nobody has: {code}");
    match code.as_str() {
        "AA" | "AE" | "CA" | "CE" => Finding::ok("HL7 v2", what),
        "AR" | "CR" => {
            Finding::note("HL7 v2", Side::Theirs, what, "it speaks HL7 v2, and takes no such queries")
        }
        _ => bad(&what, "MSA-1 must be one of HL7 table 0008"),
    }
}
