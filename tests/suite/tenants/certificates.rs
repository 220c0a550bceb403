//! Callers with certificates, over mutual TLS: each is somebody at its own tenant, and nobody at its neighbour's, whatever
//! it asks for.

use std::sync::Arc;

use sekisho::transactions::errors::{RegistryError, Status, code};
use sekisho::transactions::iti18::{ITI18, QueryRequest, ReturnType};
use sekisho::transactions::iti38::ITI38;
use sekisho::transactions::iti39::ITI39;
use sekisho::transactions::iti42::ITI42;
use sekisho::transactions::iti43::{self, ITI43};
use sekisho::transactions::iti44::ITI44_ADD;
use sekisho::transactions::iti57::ITI57;
use sekisho::transactions::iti61::ITI61;
use sekisho::transactions::iti62::{self, ITI62, RemoveRequest};
use sekisho::transactions::iti86::{self, ITI86};
use sekisho::transactions::iti92::ITI92;
use sekisho::transactions::{Transaction, dry_run, iti42};
use sekisho::wire::soap::Outgoing;

use super::estate::{DOCUMENTS, PATIENT, REPORT, REPORT_UID, deprecating, fill, first, listed, revised};
use super::queries::QUERIES;
use super::{EAST, NAME, wanted};
use crate::support::certs::{Authority, TempDir, Usage, VALID};
use crate::support::hl7v3::{add, id, person};
use crate::support::hosted::Standalone;

/// A store with two regions in it, and certificates for both.
async fn store(authority: &Authority) -> Standalone {
    let server = authority.server();
    let shown = |path: std::path::PathBuf| path.display().to_string();
    let (certificate, key, ca) = (shown(server.certificate), shown(server.key), shown(authority.ca()));
    let mut configuration = format!(
        "[community]\nhome = \"urn:oid:1.2.3\"\nname = \"国\"\n[listen.soap]\naddress = \"127.0.0.1:0\"\n\
         tls = {{ certificate = \"{certificate}\", key = \"{key}\", client_ca = \"{ca}\" }}\n\
         [hosted]\nrepository = \"1.2.3.4\"\npatients = \"any\"\n[federation]\ncommunities = \"communities\"\n"
    );
    for (name, home, repository) in [("east", "1.2.4", "1.2.4.4"), ("west", "1.2.5", "1.2.5.4")] {
        let keys = ["submit", "query", "feed", "gateway", "multi_patient", "update", "remove"];
        let permit = keys.map(|key| format!("{key} = [\"C=JP, O=Test Region, CN={name}\"]")).join(", ");
        configuration.push_str(&format!(
            "[[tenants]]\nname = \"{name}\"\nhome = \"urn:oid:{home}\"\nrepository = \"{repository}\"\n\
             patients = \"any\"\non_demand = \"assemble\"\nfederated = true\npermit = {{ {permit} }}\n"
        ));
    }
    let folder = TempDir::new();
    std::fs::create_dir(folder.path().join("communities")).unwrap();
    Standalone::in_folder(Arc::new(folder), &configuration, &[]).await
}

fn codes(errors: &[RegistryError]) -> Vec<&str> {
    let mut codes: Vec<_> = errors.iter().map(|error| &*error.code).collect();
    codes.dedup();
    codes
}

/// The errors of a retrieve, and how many documents came.
async fn retrieved(
    at: &Standalone,
    transaction: &Transaction,
    document: &str,
) -> (Vec<RegistryError>, usize) {
    let mut request = wanted(&[(EAST, document)]);
    request.documents[0].home = Some("urn:oid:1.2.4".to_owned());
    let answer = at.call(transaction, vec![iti43::write_request(&request)], Vec::new()).await.unwrap();
    let answer = iti43::read_response(answer.envelope.body().unwrap()).unwrap();
    (answer.errors, answer.documents.len())
}

#[tokio::test]
async fn a_neighbours_certificate_opens_nothing() {
    let authority = Authority::new("authority");
    let region = store(&authority).await;
    let [east, west] = ["east", "west"]
        .map(|name| region.tenant("east").seen_by(&authority, &authority.issue(name, Usage::Client, VALID)));
    fill(&east, "east", EAST).await;
    let refused = [code::LOCAL_POLICY_RESTRICTION];

    for query in QUERIES {
        assert_ne!(query.ask(&east).await.objects.len(), 0, "{}", query.name);
        let answer = query.ask(&west).await;
        assert_eq!((codes(&answer.errors), answer.objects.len()), (refused.to_vec(), 0), "{}", query.name);
    }
    let cross = QueryRequest {
        query: "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d".to_owned(),
        home: Some("urn:oid:1.2.4".to_owned()),
        return_type: ReturnType::LeafClass,
        parameters: [
            ("$XDSDocumentEntryPatientId", format!("'{PATIENT}'")),
            ("$XDSDocumentEntryStatus", crate::support::hosted::APPROVED.to_owned()),
        ]
        .map(|(name, value)| sekisho::transactions::iti18::Parameter {
            name: name.to_owned(),
            values: vec![value],
        })
        .into(),
    };
    assert_ne!(east.question(&ITI38, &cross).await.objects.len(), 0);
    let answer = west.question(&ITI38, &cross).await;
    assert_eq!((codes(&answer.errors), answer.objects.len()), (refused.to_vec(), 0));
    for transaction in [&ITI43, &ITI39] {
        for document in DOCUMENTS {
            assert_eq!(retrieved(&east, transaction, document).await, (vec![], 1));
            let (errors, documents) = retrieved(&west, transaction, document).await;
            assert_eq!((codes(&errors), documents), (refused.to_vec(), 0), "{}", transaction.id);
        }
    }

    assert_eq!(codes(&west.submit(&first("west"), Vec::new()).await.errors), refused);
    for (transaction, said) in [
        (&ITI42, first("west")),
        (&ITI61, listed("west", EAST)),
        (&ITI57, deprecating(REPORT)),
        (&ITI92, revised("west", EAST, "1")),
    ] {
        assert_eq!(codes(&west.register(transaction, &said).await.errors), refused, "{}", transaction.id);
        // A dry run tells no more.
        let marked = Outgoing {
            headers: vec![dry_run::request_block()],
            body: vec![iti42::write_request(&said)],
            ..Outgoing::default()
        };
        let answer = west.send(transaction, marked).await.unwrap();
        let answer = iti42::read_response(answer.envelope.body().unwrap()).unwrap();
        assert_eq!(codes(&answer.errors), refused, "dry {}", transaction.id);
    }
    let removals = [
        (&ITI62, iti62::write_request(&RemoveRequest { objects: vec![REPORT.to_owned()] })),
        (&ITI86, iti86::write_request(&wanted(&[(EAST, REPORT_UID)]))),
    ];
    for (transaction, body) in removals {
        assert_eq!(codes(&west.answered(transaction, body).await.errors), refused, "{}", transaction.id);
    }
    let patient = add(&id("1.2.3", "1"), &person(NAME[0], NAME[1], NAME[2], "19600101"));
    for (caller, expected) in [(&east, "typeCode code=\"CA\""), (&west, "typeCode code=\"CE\"")] {
        let answer = caller.call(&ITI44_ADD, vec![patient.clone().into()], Vec::new()).await.unwrap();
        let text = String::from_utf8_lossy(answer.envelope.body().unwrap().tree().source()).into_owned();
        assert!(text.contains(expected), "{text}");
    }

    // Nothing of it happened.
    let report = ("$XDSDocumentEntryEntryUUID", format!("('{REPORT}')"));
    let report = [(report.0, report.1.as_str())];
    let found = east.ask(&ITI18, "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4", &report).await;
    assert_eq!((found.status, found.objects.len()), (Status::Success, 1));
    assert_eq!(retrieved(&east, &ITI43, REPORT_UID).await, (vec![], 1));
    drop((east, west));
    region.stop().await;
}
