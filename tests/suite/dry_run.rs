//! Dry runs over a socket: every transaction that changes something says what would come of it, all of it at once, and
//! changes nothing; nobody can take the answer for a real one.

use bytes::Bytes;
use sekisho::limits::Limits;
use sekisho::metadata::{Kind, Submission, codes};
use sekisho::transactions::errors::{RegistryResponse, Severity, Status, code};
use sekisho::transactions::iti18::ITI18;
use sekisho::transactions::iti41::ITI41;
use sekisho::transactions::iti42::ITI42;
use sekisho::transactions::iti43::{DocumentRequest, RetrieveRequest};
use sekisho::transactions::iti57::ITI57;
use sekisho::transactions::iti61::ITI61;
use sekisho::transactions::iti62::{self, ITI62, RemoveRequest};
use sekisho::transactions::iti86::{self, ITI86};
use sekisho::transactions::{Transaction, dry_run, iti41, iti42};
use sekisho::wire::soap::{Form, Message, Outgoing};
use sekisho::wire::stream::Content;

use crate::support::certs::TempDir;
use crate::support::front::{Asks, SIMPLE, envelope, front};
use crate::support::hosted::{REPOSITORY, Standalone};
use crate::support::program::{Served, run};
use crate::support::submissions::{Document, on_demand, submission};

const PATIENT: &str = "1^^^&1.2.3&ISO";

/// Sends a message as a dry run; the answer is marked as one, in HTTP and SOAP.
async fn rehearse(standalone: &Standalone, transaction: &Transaction, message: Outgoing) -> RegistryResponse {
    let marked = Outgoing { headers: vec![dry_run::request_block()], ..message };
    let answer: Message = standalone.send(transaction, marked).await.unwrap();
    assert!(dry_run::is_marked(&answer.envelope), "{transaction:?}");
    let response = iti42::read_response(answer.envelope.body().unwrap()).unwrap();
    let warnings: Vec<_> =
        response.errors.iter().filter(|error| error.severity == Severity::Warning).collect();
    assert!(warnings.len() == 1 && warnings[0].context.contains("nothing was stored"), "{response:?}");
    response
}

async fn metadata(standalone: &Standalone, transaction: &Transaction, said: &Submission) -> RegistryResponse {
    let message = Outgoing { body: vec![iti42::write_request(said)], ..Outgoing::default() };
    rehearse(standalone, transaction, message).await
}

async fn documents(
    standalone: &Standalone,
    said: &Submission,
    documents: &[(&str, Bytes)],
) -> RegistryResponse {
    let parts = documents
        .iter()
        .map(|(id, bytes)| ((*id).to_owned(), "text/plain".to_owned(), Content::from_bytes(bytes.clone())));
    let (body, attachments) = iti41::write_request(said, parts.collect(), Form::Mtom).await.unwrap();
    rehearse(standalone, &ITI41, Outgoing { body, attachments, ..Outgoing::default() }).await
}

fn codes_of(response: &RegistryResponse) -> Vec<&str> {
    let errors = response.errors.iter().filter(|error| error.severity == Severity::Error);
    let mut codes: Vec<_> = errors.map(|error| &*error.code).collect();
    codes.sort_unstable();
    codes
}

/// The files of a data directory's documents, and their lengths.
fn stored(folder: &TempDir) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for room in ["segments", "large", "incoming"] {
        for file in walk(&folder.path().join("data").join(room)) {
            found.push((file.display().to_string(), file.metadata().unwrap().len()));
        }
    }
    found
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_good_submission_would_be_accepted_and_nothing_is_stored() {
    let standalone = Standalone::start(&[]).await;
    let before = stored(&standalone.folder);
    // The second does not fit into memory: staged, it would be a file.
    for size in [10, 3 * 1024 * 1024] {
        let document = Document::new(size);
        let said = submission(PATIENT, std::slice::from_ref(&document));
        let response = documents(&standalone, &said, &[("Document0", document.bytes())]).await;
        assert_eq!((response.status, response.errors.len()), (Status::Success, 1), "{response:?}");
    }
    let registered = on_demand(PATIENT, "1.2.3.9.9");
    assert_eq!(metadata(&standalone, &ITI61, &registered).await.status, Status::Success);
    assert_eq!(standalone.entries_of(PATIENT).await, [""; 0]);
    assert_eq!(stored(&standalone.folder), before);
    standalone.stop().await;
}

#[tokio::test]
async fn every_error_is_told_at_once() {
    let standalone =
        Standalone::start(&["standalone.patients=own", "community.authorities=[\"1.2.3\"]"]).await;
    let first = Document::new(10);
    let said = submission(PATIENT, std::slice::from_ref(&first));
    let real = standalone.submit(&said, vec![("Document0".to_owned(), first.bytes())]).await;
    assert_eq!(real.errors, []);

    // A uniqueId that is there with other bytes, a patient of nobody's, a wrong size, no class code, a document that is
    // missing, one that nobody describes, and a reference into the void.
    let mut wrong = submission("1^^^&2.9.9&ISO", &[first.clone(), Document::new(5)]);
    wrong.objects[1].set_slot(codes::slot::SIZE, vec!["7".to_owned()]);
    wrong.objects[1].classifications.retain(|c| c.scheme.as_deref() != Some(codes::scheme::CLASS_CODE));
    wrong.objects.push(sekisho::metadata::views::association(
        codes::association::APND,
        "Document0",
        "urn:uuid:00000000-0000-4000-8000-000000000000",
    ));
    let sent = [("Document0", Bytes::from_static(b"other bytes")), ("Document9", Bytes::from_static(b"x"))];
    let response = documents(&standalone, &wrong, &sent).await;
    assert_eq!(response.status, Status::Failure);
    let expected = [
        code::UNRESOLVED_REFERENCE,
        code::MISSING_DOCUMENT,
        code::MISSING_DOCUMENT_METADATA,
        code::NON_IDENTICAL_HASH,
        code::NON_IDENTICAL_SIZE,
        code::REPOSITORY_METADATA_ERROR,
        code::UNKNOWN_PATIENT_ID,
    ];
    for expected in expected {
        assert!(codes_of(&response).contains(&expected), "{expected}: {response:#?}");
    }
    standalone.stop().await;
}

#[tokio::test]
async fn a_quota_that_would_be_exceeded_is_told() {
    let standalone = Standalone::start(&["standalone.quota={ documents = 2, bytes = 1000 }"]).await;
    let stored = Document::new(600);
    let said = submission(PATIENT, std::slice::from_ref(&stored));
    let real = standalone.submit(&said, vec![("Document0".to_owned(), stored.bytes())]).await;
    assert_eq!(real.errors, []);
    let full = vec![code::REPOSITORY_OUT_OF_RESOURCES];
    for (new, expected) in [
        (vec![Document::new(400)], vec![]),
        (vec![Document::new(401)], full.clone()),
        (vec![Document::new(1), Document::new(1)], full),
        // What is there already counts once.
        (vec![stored.clone(), Document::new(400)], vec![]),
        (vec![stored.clone()], vec![]),
    ] {
        let said = submission(PATIENT, &new);
        let names: Vec<_> = (0..new.len()).map(|number| format!("Document{number}")).collect();
        let sent: Vec<_> =
            names.iter().zip(&new).map(|(name, document)| (name.as_str(), document.bytes())).collect();
        let response = documents(&standalone, &said, &sent).await;
        assert_eq!(codes_of(&response), expected, "{response:?}");
        let real = sent.into_iter().map(|(name, bytes)| (name.to_owned(), bytes));
        if !expected.is_empty() {
            let real = standalone.submit(&said, real.collect()).await;
            assert_eq!(codes_of(&real), expected);
            assert_eq!(real.errors[0], response.errors[0], "the real one says the same");
        }
    }
    standalone.stop().await;
}

/// What is wrong in the message hides nothing of the same kind that only the registry knows.
#[tokio::test]
async fn one_error_hides_no_other_of_its_code() {
    const VOID: &str = "urn:uuid:00000000-0000-4000-8000-000000000000";
    let standalone = Standalone::start(&[]).await;
    let document = Document::new(5);
    let mut said = submission(PATIENT, std::slice::from_ref(&document));
    for target in ["nobody", VOID] {
        let relation = codes::association::APND;
        said.objects.push(sekisho::metadata::views::association(relation, "Document0", target));
    }
    let response = documents(&standalone, &said, &[("Document0", document.bytes())]).await;
    for target in ["nobody", VOID] {
        let told = response.errors.iter().filter(|error| error.context.contains(target)).count();
        assert_eq!(told, 1, "{target}: {response:#?}");
    }
    standalone.stop().await;
}

#[tokio::test]
async fn what_was_accepted_before_would_be_accepted_again() {
    let standalone = Standalone::start(&[]).await;
    let document = Document::new(10);
    let said = submission(PATIENT, std::slice::from_ref(&document));
    standalone.submit(&said, vec![("Document0".to_owned(), document.bytes())]).await;
    let response = documents(&standalone, &said, &[("Document0", document.bytes())]).await;
    assert_eq!((response.status, codes_of(&response)), (Status::Success, Vec::new()), "{response:?}");
    standalone.stop().await;
}

#[tokio::test]
async fn updates_and_removals_are_rehearsed_too() {
    let standalone = Standalone::start(&[]).await;
    let document = Document::new(10);
    let said = submission(PATIENT, std::slice::from_ref(&document));
    standalone.submit(&said, vec![("Document0".to_owned(), document.bytes())]).await;
    let entry = standalone.entries_of(PATIENT).await.remove(0);

    let mut update = submission(PATIENT, std::slice::from_ref(&document));
    update.objects[1].lid = Some(entry.clone());
    let response = metadata(&standalone, &ITI57, &update).await;
    assert_eq!(response.status, Status::Failure);
    assert!(codes_of(&response).contains(&code::METADATA_VERSION), "{response:?}");

    let remove = |objects: Vec<String>| Outgoing {
        body: vec![iti62::write_request(&RemoveRequest { objects })],
        ..Outgoing::default()
    };
    let response = rehearse(&standalone, &ITI62, remove(vec![entry.clone()])).await;
    assert_eq!(codes_of(&response)[0], code::REFERENCES_EXIST, "{response:?}");

    let asked = |unique_id: &str| RetrieveRequest {
        documents: vec![DocumentRequest {
            home: None,
            repository: REPOSITORY.to_owned(),
            document: unique_id.to_owned(),
        }],
    };
    for (unique_id, expected) in
        [(&*document.unique_id, vec![]), ("1.2.99", vec![code::DOCUMENT_UNIQUE_ID_ERROR])]
    {
        let body = vec![iti86::write_request(&asked(unique_id))];
        let response = rehearse(&standalone, &ITI86, Outgoing { body, ..Outgoing::default() }).await;
        assert_eq!(codes_of(&response), expected);
    }
    assert_eq!(standalone.entries_of(PATIENT).await, [entry]);
    standalone.stop().await;
}

#[tokio::test]
async fn a_service_without_dry_runs_refuses_one() {
    let server = front(Limits::default()).await;
    let asks = Asks::of(&server);
    let block = String::from_utf8(dry_run::request_block().to_vec()).unwrap().replace("soap:", "e:");
    let body = String::from_utf8(iti42::write_request(&submission(PATIENT, &[])).to_vec()).unwrap();
    for (transaction, path) in [(&ITI42, "/hosted/iti-42"), (&ITI18, "/services/iti-18")] {
        let body = match transaction.id {
            "ITI-42" => body.clone(),
            _ => crate::support::front::adhoc_query(crate::support::front::QUERY),
        };
        let message = envelope(transaction.action, &block, &body);
        let (status, answer) = asks.text(path, SIMPLE, message).await;
        assert!(answer.contains("has no dry run"), "{status} {answer}");
    }
}

#[test]
fn the_program_asks_for_a_dry_run_and_http_can_too() {
    let folder = TempDir::new();
    let served = Served::start("examples/standalone/sekisho.toml", &folder.path().join("data"), &[]);
    let submit = |more: &[&str]| {
        let url = served.endpoint("iti41");
        let given = ["submit", "--url", &url, "--patient", PATIENT, "--json", "Cargo.toml"];
        let (exit, told, log) = run(&[&given[..], more].concat(), "");
        assert_eq!(log, "");
        (exit, serde_json::from_str::<serde_json::Value>(&told).unwrap())
    };
    let (exit, told) = submit(&["--dry-run"]);
    assert_eq!((exit, &told["status"], &told["dryRun"]), (0, &"Success".into(), &true.into()), "{told}");
    let (exit, told) = submit(&["--dry-run", "--created", "yesterday", "--source", "none"]);
    assert_eq!((exit, &told["status"]), (1, &"Failure".into()));
    assert_eq!(told["errors"].as_array().unwrap().len(), 3, "two errors and the warning: {told}");

    // Without SOAP header blocks.
    let mut said = submission(PATIENT, &[]);
    said.objects.retain(|object| object.kind == Kind::SubmissionSet);
    let body = String::from_utf8(iti42::write_request(&said).to_vec()).unwrap();
    let message = envelope(ITI42.action, "", &body);
    for (mark, expected) in [("true", "dry run: the request would be"), ("maybe", "must be &quot;true&quot;")]
    {
        let head =
            format!("POST /services/iti-42 HTTP/1.1\r\nContent-Type: {SIMPLE}\r\nSekisho-Dry-Run: {mark}");
        let (_, answer) = served.request("http", &head, &message);
        assert!(answer.contains(expected) || answer.contains(&expected.replace("&quot;", "\"")), "{answer}");
    }
}
