//! Who feeds a domain (ITI TF-2: 3.8.4.1.1: one source for each), over TLS: what a message says of its sender anybody on the
//! network can write, the certificate that it comes under only its owner can show. By HL7 v2 and V3.

use std::time::Instant;

use bytes::Bytes;
use openssl::hash::MessageDigest;
use openssl::x509::X509;
use sekisho::transactions::iti44::{ITI44_ADD, ITI44_MERGE};
use sekisho::wire::hl7v2::mllp::{MllpClient, MllpPeer};
use sekisho::wire::http::TlsClient;

use crate::support::certs::{Authority, Pair, Usage, VALID};
use crate::support::hl7v3::{add, id, merge};
use crate::support::hosted::Standalone;
use crate::support::http::PATIENCE;
use crate::{hl7v2_identity, identity_v3};

/// Fed by whoever has the certificate of `hospital`, by its subject.
const BY_SUBJECT: &str = "2.999.1.1";
/// Fed by HIS|CLINIC (in V3, device 2.999.9), under the certificate of `clinic`, by its SHA-256.
const BY_BOTH: &str = "2.999.1.2";
const DEVICE: &str = "2.999.1.3";

struct Region {
    standalone: Standalone,
    authority: Authority,
    hospital: Pair,
    clinic: Pair,
}

impl Region {
    async fn start() -> Self {
        let authority = Authority::new("Region CA");
        let [hospital, clinic] =
            ["hospital", "clinic"].map(|name| authority.issue(name, Usage::Client, VALID));
        let server = authority.server();
        let tls = format!(
            "tls = {{ certificate = {:?}, key = {:?}, client_ca = {:?} }}\n",
            server.certificate,
            server.key,
            authority.ca()
        );
        let domain = |oid: &str, namespace: &str, source: &str| {
            format!(
                "[[identity.domains]]\noid = \"{oid}\"\nnamespace = \"{namespace}\"\nsource = {{ {source} }}\n"
            )
        };
        let digest = fingerprint(&clinic);
        let configuration = [
            "[community]\nhome = \"urn:oid:1.2.3\"\nname = \"試験\"\nauthorities = [\"2.999.1.2\"]\n\
             [standalone]\nrepository = \"1.2.3.4\"\npatients = \"fed\"\n[listen.soap]\naddress = \"127.0.0.1:0\"\n",
            &tls,
            "[listen.mllps]\naddress = \"127.0.0.1:0\"\n",
            &tls,
            &domain(BY_SUBJECT, "HOSPITAL", "certificates = [\"C=JP, O=Test Region, CN=hospital\"]"),
            &domain(
                BY_BOTH,
                "CLINIC",
                &format!("application = \"HIS\", facility = \"CLINIC\", certificates = [\"{digest}\"]"),
            ),
            &domain(
                DEVICE,
                "DEVICE",
                &format!("application = \"2.999.9\", facility = \"\", certificates = [\"{digest}\"]"),
            ),
        ];
        let standalone = Standalone::configured(&configuration.concat(), &[]).await;
        Self { standalone, authority, hospital, clinic }
    }

    /// Tells by HL7 v2 as whoever has a certificate.
    async fn tell(&self, pair: &Pair, name: &str, facility: &str, segments: &str) -> String {
        let place = self.standalone.running().bound().mllps.clone().unwrap();
        let port = place.rsplit_once(':').unwrap().1.parse().unwrap();
        let tls = TlsClient::new(&self.authority.ca(), Some((&pair.certificate, &pair.key))).unwrap();
        let peer = MllpPeer { host: "127.0.0.1".to_owned(), port, tls: Some(tls) };
        let event = if segments.contains("MRG") { "A40" } else { "A04" };
        let message = format!(
            "MSH|^~\\&|HIS|{facility}|SEKISHO|GATE|20260101||ADT^{event}|M1|P|2.5||||||UNICODE UTF-8\rEVN||20260101\r\
             {segments}\r"
        );
        let client = MllpClient::new(&peer).unwrap();
        let answer = client.send(message.as_bytes(), Instant::now() + PATIENCE);
        let answer = hl7v2_identity::told(&format!("source-{name}"), &answer.await.unwrap());
        answer.field("MSA", 1).value().into_owned()
    }

    /// Tells by HL7 V3.
    async fn tell_v3(&self, pair: &Pair, name: &str, message: String) -> bool {
        let transaction = if message.contains("replacementOf") { &ITI44_MERGE } else { &ITI44_ADD };
        let sender = self.standalone.seen_by(&self.authority, pair);
        let answer = sender.call(transaction, vec![Bytes::from(message)], Vec::new()).await.unwrap();
        let shown = identity_v3::shown(&answer);
        identity_v3::check(&format!("iti44-source-{name}"), &shown);
        shown.contains("typeCode code=\"CA\"")
    }
}

/// As programs show it.
fn fingerprint(pair: &Pair) -> String {
    let certificate = X509::from_pem(&std::fs::read(&pair.certificate).unwrap()).unwrap();
    let digest = certificate.digest(MessageDigest::sha256()).unwrap();
    digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

fn pid(identifiers: &str) -> String {
    format!("PID|||{identifiers}||YAMADA^HANAKO||19600229|F")
}

#[tokio::test]
async fn a_domain_is_fed_under_its_sources_certificate_only() {
    let region = Region::start().await;
    let Region { hospital, clinic, .. } = &region;
    let visit = |identifiers: &str| pid(identifiers) + "\rPV1||O";
    let merged = |surviving: &str, subsumed: &str| format!("{}\rMRG|{subsumed}", pid(surviving));
    let (h1, h2) = ("H1^^^HOSPITAL&2.999.1.1&ISO", "H2^^^HOSPITAL&2.999.1.1&ISO");
    let (c1, c2) = ("C1^^^CLINIC&2.999.1.2&ISO", "C2^^^CLINIC&2.999.1.2&ISO");
    for (pair, name, facility, segments, expected) in [
        // Whoever has the certificate, whatever it calls itself; without the authority, it is meant by that.
        (hospital, "its-certificate", "ANY", visit(h1), "AA"),
        (hospital, "its-certificate-without-authority", "ANY", visit("H2"), "AA"),
        (clinic, "another-certificate", "ANY", visit(h1), "AE"),
        (clinic, "another-certificate-merge", "ANY", merged(h1, h2), "AE"),
        // Both must hold.
        (clinic, "both", "CLINIC", visit(c1), "AA"),
        (clinic, "both-again", "CLINIC", visit(c2), "AA"),
        (hospital, "another-certificate-same-name", "CLINIC", visit(c1), "AE"),
        (hospital, "another-certificate-same-name-merge", "CLINIC", merged(c1, c2), "AE"),
        (clinic, "its-certificate-another-name", "OTHER", visit(c1), "AE"),
        // Passed over beside one that counts, by a registry that serves it, too.
        (hospital, "beside-its-own", "CLINIC", visit(&format!("{h1}~C3^^^&2.999.1.2&ISO")), "AA"),
        (clinic, "nothing-of-another", "CLINIC", merged(c1, "C3^^^&2.999.1.2&ISO"), "AE"),
        (clinic, "both-merge", "CLINIC", merged(c1, c2), "AA"),
    ] {
        assert_eq!(region.tell(pair, name, facility, &segments).await, expected, "{name}");
    }
    region.standalone.stop().await;
}

#[tokio::test]
async fn a_device_feeds_under_its_certificate_only() {
    let region = Region::start().await;
    let Region { hospital, clinic, .. } = &region;
    let person = identity_v3::hanako();
    let (one, two) = (id(DEVICE, "1"), id(DEVICE, "2"));
    for (pair, name, message, expected) in [
        (clinic, "both", add(&one, &person), true),
        (clinic, "both-again", add(&two, &person), true),
        (hospital, "another-certificate", add(&one, &person), false),
        (hospital, "another-certificate-merge", merge(&one, &two, &person), false),
        (clinic, "its-certificate-another-device", add(&id(BY_BOTH, "C1"), &person), false),
        (clinic, "both-merge", merge(&one, &two, &person), true),
    ] {
        assert_eq!(region.tell_v3(pair, name, message).await, expected, "{name}");
    }
    region.standalone.stop().await;
}
