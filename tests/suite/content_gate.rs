//! The content gate over sockets: documents are what they say, nothing that a scanner finds becomes visible, and a scanner
//! that is away means what the configuration says.

use bytes::Bytes;
use sekisho::metadata::codes::identifier;
use sekisho::metadata::{Kind, Submission};
use sekisho::transactions::errors::{RegistryResponse, Severity, Status, code};
use sekisho::transactions::iti43::{self, DocumentRequest, ITI43, RetrieveRequest};

use crate::support::certs::TempDir;
use crate::support::hosted::{REPOSITORY, Standalone};
use crate::support::http::raw;
use crate::support::program::{Served, run};
use crate::support::scanners::{Clamd, Manner, Straw, eicar};
use crate::support::submissions::{Document, submission};

const PATIENT: &str = "1^^^&1.2.3&ISO";

/// A submission of one document of a media type.
fn of(media_type: &str) -> Submission {
    let mut said = submission(PATIENT, &[Document::new(0)]);
    said.objects[1].mime_type = Some(media_type.to_owned());
    said
}

async fn submit(standalone: &Standalone, media_type: &str, document: &[u8]) -> RegistryResponse {
    let documents = vec![("Document0".to_owned(), Bytes::copy_from_slice(document))];
    standalone.submit(&of(media_type), documents).await
}

fn cda(media_type: &str, base64: &str) -> Vec<u8> {
    format!(
        "<?xml version=\"1.0\"?><ClinicalDocument xmlns=\"urn:hl7-org:v3\"><title>x</title><component><nonXMLBody>\
         <text mediaType=\"{media_type}\" representation=\"B64\">{base64}</text></nonXMLBody></component></ClinicalDocument>"
    )
    .into_bytes()
}

/// A document that is no small one, with something at its end.
fn large(end: &[u8]) -> Vec<u8> {
    let document = Document { unique_id: "1.2.3".to_owned(), size: 1_500_000 };
    let mut document = document.bytes().to_vec();
    document[0] = b'x';
    document.extend_from_slice(end);
    document
}

/// Nothing of what was refused is there, be it metadata or document.
async fn is_empty(standalone: &Standalone, said: &Submission) {
    assert_eq!(standalone.entries_of(PATIENT).await, [""; 0]);
    let entry = said.objects.iter().find(|object| object.kind == Kind::DocumentEntry).unwrap();
    let document = entry.identifier(identifier::DE_UNIQUE_ID).unwrap().to_owned();
    let asked = RetrieveRequest {
        documents: vec![DocumentRequest { home: None, repository: REPOSITORY.to_owned(), document }],
    };
    let answer = standalone.call(&ITI43, vec![iti43::write_request(&asked)], Vec::new()).await.unwrap();
    let answer = iti43::read_response(answer.envelope.body().unwrap()).unwrap();
    assert_eq!((answer.status, answer.documents.len()), (Status::Failure, 0));
}

#[tokio::test]
async fn documents_are_what_their_entries_say() {
    let standalone = Standalone::start(&[
        "standalone.content.allow=[\"text/xml\", \"application/pdf\", \"text/plain\"]",
        "rules.\"document.type.signature\"=enforce",
    ])
    .await;
    for (media_type, document, rule) in [
        ("application/pdf", b"%PDF-1.7 ...".to_vec(), None),
        ("text/xml", cda("application/pdf", "JVBERi0xLjcK"), None),
        ("application/pdf", b"MZ\x90\0\x03\0\0\0".to_vec(), Some("document.type.content")),
        ("application/pdf", b"hello".to_vec(), Some("document.type.signature")),
        ("image/png", b"\x89PNG\r\n\x1a\n".to_vec(), Some("document.type.allowed")),
        ("text/xml", cda("application/pdf", "TVqQAAMAAAAEAAAA"), Some("document.type.content")),
        ("text/xml", cda("image/png", "iVBORw0KGgo="), Some("document.type.allowed")),
    ] {
        let response = submit(&standalone, media_type, &document).await;
        match rule {
            None => assert_eq!(response.errors, [], "{media_type}"),
            Some(rule) => {
                assert_eq!((response.status, response.errors.len()), (Status::Failure, 1), "{response:?}");
                let error = &response.errors[0];
                assert_eq!(error.code, code::INVALID_DOCUMENT_CONTENT);
                assert!(error.context.contains(rule) && error.context.contains("ITI TF-"), "{error:?}");
            }
        }
    }
    assert_eq!(standalone.entries_of(PATIENT).await.len(), 2);
    standalone.stop().await;
}

/// Clean and infected documents, small and large, through one scanner.
async fn scans(address: &str) {
    let scanner = format!("standalone.content.scanner=\"{address}\"");
    let standalone = Standalone::start(&[&scanner]).await;
    for document in [eicar(), large(&eicar())] {
        let said = of("application/octet-stream");
        let sent = vec![("Document0".to_owned(), Bytes::from(document))];
        let response = standalone.submit(&said, sent).await;
        assert_eq!((response.status, response.errors.len()), (Status::Failure, 1), "{address}: {response:?}");
        let error = &response.errors[0];
        assert_eq!((&*error.code, error.severity), (code::INVALID_DOCUMENT_CONTENT, Severity::Error));
        assert!(error.context.contains("found \"Eicar-Test-Signature"), "{address}: {error:?}");
        is_empty(&standalone, &said).await;
    }
    for document in [b"".to_vec(), b"clean".to_vec(), large(b"clean")] {
        assert_eq!(submit(&standalone, "application/octet-stream", &document).await.errors, [], "{address}");
    }
    assert_eq!(standalone.entries_of(PATIENT).await.len(), 3);
    standalone.stop().await;
}

#[tokio::test]
async fn what_a_scanner_finds_is_refused_and_never_visible() {
    let clamd = Straw::clamd(Manner::Good).await;
    scans(&clamd.address).await;
    let seen = clamd.documents();
    assert!(seen.contains(&large(b"clean")) && seen.contains(&eicar()), "every byte was scanned");
    for manner in [
        Manner::Good,
        Manner::Preview(0),
        Manner::Preview(1024),
        Manner::Preview(65_536),
        Manner::Echo,
        Manner::Requests,
    ] {
        let icap = Straw::icap(manner).await;
        scans(&icap.address).await;
        assert!(icap.documents().contains(&large(b"clean")), "{manner:?}: every byte was scanned");
    }
}

/// clamd of Debian's clamav-daemon; `.ci/run` installs it.
#[tokio::test]
async fn clamd_itself_finds_what_it_knows() {
    let Some(clamd) = Clamd::start().await else {
        eprintln!("clamd is not installed: only its protocol was tested");
        return;
    };
    for address in &clamd.addresses {
        scans(address).await;
    }
    // StreamMaxLength is 2 MB there.
    let scanner = format!("standalone.content.scanner=\"{}\"", clamd.addresses[0]);
    let standalone = Standalone::start(&[&scanner]).await;
    let response = submit(&standalone, "application/octet-stream", &vec![b'x'; 3_000_000]).await;
    assert!(response.errors[0].context.contains("could not be scanned"), "{response:?}");
    standalone.stop().await;
}

/// A document that gets no verdict: the answer, where that refuses it.
async fn without_verdict(scanner: &str, away: &str) -> Option<RegistryResponse> {
    let (scanner, away) = (
        format!("standalone.content.scanner=\"{scanner}\""),
        format!("standalone.content.scanner_away={away}"),
    );
    let standalone = Standalone::start(&[&scanner, &away]).await;
    let said = of("application/octet-stream");
    let response = standalone.submit(&said, vec![("Document0".to_owned(), Bytes::from(large(b"")))]).await;
    let refused = response.status == Status::Failure;
    if refused {
        is_empty(&standalone, &said).await;
    } else {
        assert_eq!(response.errors, [], "{scanner}");
    }
    standalone.stop().await;
    refused.then_some(response)
}

fn is_refused_without_verdict(response: &RegistryResponse) {
    assert_eq!(response.errors[0].code, code::REPOSITORY_ERROR);
    let context = &response.errors[0].context;
    assert!(context.contains("could not be scanned for malware; try again later"), "{context}");
    assert!(!context.contains("127.0.0.1") && !context.contains("clamd"), "no internal text: {context}");
}

#[tokio::test]
async fn a_scanner_that_is_away_means_what_the_configuration_says() {
    let clamd = Straw::clamd(Manner::HangsUp).await;
    for address in
        [&clamd.address, "clamd:///nowhere/clamd.sock", "clamd://127.0.0.1:1", "icap://127.0.0.1:1/x"]
    {
        is_refused_without_verdict(&without_verdict(address, "refuse").await.unwrap());
        assert!(without_verdict(address, "pass").await.is_none(), "{address}");
    }
}

/// What its sender may have brought about lets nothing pass.
#[tokio::test]
async fn a_scanner_that_is_there_lets_nothing_pass_unscanned() {
    let (clamd, icap) = (Straw::clamd(Manner::AtMost(100_000)).await, Straw::icap(Manner::Overloaded).await);
    for address in [&clamd.address, &icap.address] {
        for away in ["refuse", "pass"] {
            let response = without_verdict(address, away).await;
            is_refused_without_verdict(&response.unwrap_or_else(|| panic!("{address} {away}: it passed")));
        }
    }
}

#[tokio::test]
async fn the_operator_sees_that_a_scanner_is_away() {
    let shown = async |scanner: &str, away: &str| {
        let scanner = format!("standalone.content.scanner=\"{scanner}\"");
        let away = format!("standalone.content.scanner_away={away}");
        let standalone = Standalone::start(&[&scanner, &away, "listen.operator.address=127.0.0.1:0"]).await;
        let address = standalone.running().bound().operator.clone().unwrap();
        let address = address.trim_start_matches("http://").parse().unwrap();
        let mut pages = String::new();
        for path in ["/", "/?lang=ja", "/status", "/metrics"] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            pages.push_str(&raw(address, request.as_bytes()).await);
        }
        standalone.stop().await;
        pages
    };
    let clamd = Straw::clamd(Manner::Good).await;
    for (scanner, away, expected) in [
        (
            clamd.address.as_str(),
            "refuse",
            ["<td class=\"\">answers", "応答あり", "\"scanner\": \"answers\""],
        ),
        (
            "clamd://127.0.0.1:1",
            "refuse",
            [
                "AWAY: documents are refused",
                "文書を拒否しています",
                "documents are refused: start it, or mend content.scanner",
            ],
        ),
        (
            "clamd://127.0.0.1:1",
            "pass",
            ["documents are taken UNSCANNED", "検査せずに受け入れています", "\"scanner\": \"away-passing\""],
        ),
    ] {
        let pages = shown(scanner, away).await;
        for expected in expected {
            assert!(pages.contains(expected), "{expected}: {pages}");
        }
        assert!(pages.contains("sekisho_tenant_scanner_up{tenant=\"own\"}"), "{pages}");
    }
}

/// The verdict is in the reply and in the log, and what was in the document is in neither.
#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_is_in_the_log_too() {
    let (clamd, folder) = (Straw::clamd(Manner::Good).await, TempDir::new());
    let file = folder.path().join("letter");
    std::fs::write(&file, eicar()).unwrap();
    let scanner = format!("standalone.content.scanner={}", clamd.address);
    let served = Served::start("examples/standalone/sekisho.toml", &folder.path().join("data"), &[&scanner]);
    let url = served.endpoint("iti41");
    let submit = ["submit", "--url", &url, "--patient", PATIENT, file.to_str().unwrap()];
    let (exit, told, _) = tokio::task::block_in_place(|| run(&submit, ""));
    assert!(exit == 1 && told.contains("InvalidDocumentContent") && told.contains("Eicar"), "{told}");
    let (_, metrics) = served.get("/metrics");
    assert!(metrics.contains("sekisho_document_scans_total{verdict=\"found\"} 1"), "{metrics}");
    let log = served.into_log();
    let line = log.lines().find(|line| line.contains("the malware scanner found something in it"));
    assert!(
        line.is_some_and(|line| line.contains("Eicar-Test-Signature") && line.contains("trace")),
        "{log}"
    );
    assert!(!log.contains("X5O!P"), "{log}");
}

#[tokio::test]
async fn several_documents_are_judged_each_for_itself() {
    let clamd = Straw::clamd(Manner::Good).await;
    let scanner = format!("standalone.content.scanner=\"{}\"", clamd.address);
    let standalone = Standalone::start(&[&scanner]).await;
    let documents = [Document::new(0), Document::new(0), Document::new(0)];
    let said = submission(PATIENT, &documents);
    let sent = [b"clean".to_vec(), eicar(), [eicar(), b"!".to_vec()].concat()];
    let sent = sent.into_iter().enumerate().map(|(n, bytes)| (format!("Document{n}"), bytes.into()));
    let response = standalone.submit(&said, sent.collect()).await;
    let named =
        |n: usize| response.errors.iter().any(|error| error.context.contains(&documents[n].unique_id));
    assert_eq!((response.errors.len(), named(0), named(1), named(2)), (2, false, true, true), "{response:?}");
    is_empty(&standalone, &said).await;
    standalone.stop().await;
}

#[test]
fn check_tells_what_is_wrong_with_the_gates_settings() {
    let check = |set: &[&str]| {
        let mut arguments = vec!["check", "--config", "examples/standalone/sekisho.toml", "--json"];
        set.iter().for_each(|set| arguments.extend(["--set", set]));
        run(&arguments, "")
    };
    for (set, expected) in [
        (vec!["standalone.content.scanner=http://x:1"], "clamd://host:port"),
        (vec!["standalone.content.scanner=clamd://x"], "clamd://host:port"),
        (vec!["standalone.content.scanner=icap://x"], "icap://host:port/service"),
        (vec!["standalone.content.scanner_away=pass"], "no scanner that could be away"),
        (vec!["standalone.senders=[{certificate=\"CN=x\"}]"], "nothing is said of this sender"),
        (
            vec!["standalone.senders=[{certificate=\"CN=x\", rules={\"de.hash.sha\"=\"off\"}}]"],
            "did you mean \\\"de.hash.sha1",
        ),
        (vec!["standalone.content.allow=[\"pdf\"]"], "is no media type"),
        (vec!["standalone.content.scaner=\"\""], "did you mean `scanner`"),
    ] {
        let (exit, told, _) = check(&set);
        assert!(exit == 2 && told.contains(expected), "{set:?}: {told}");
    }
    let good =
        ["standalone.content.scanner=icap://[::1]:1344/avscan", "standalone.content.scanner_away=pass"];
    assert_eq!(check(&good).0, 0);
}
