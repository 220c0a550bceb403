//! A store in trouble, over sockets (ITI TF-3: Table 4.2.4.1-2): what a registry and a repository answer each transaction when
//! the database is too busy, full or broken, with nothing changed, and that they serve on when it is over; and what the
//! sender of a submission is told by a gateway before a registry of somebody else's that is away, or has something to say.

use std::io::ErrorKind;

use bytes::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Response};
use sekisho::limits::Limits;
use sekisho::store::{StoreError, Trouble, rusqlite};
use sekisho::transactions::errors::{RegistryError, RegistryResponse, Severity, Status, code};
use sekisho::transactions::iti18::ITI18;
use sekisho::transactions::iti41::ITI41;
use sekisho::transactions::iti42::{self, ITI42};
use sekisho::transactions::iti57::ITI57;
use sekisho::transactions::iti61::ITI61;
use sekisho::transactions::iti92::ITI92;
use sekisho::wire::http::{Peer, ServerHandle};
use sekisho::wire::soap::{Envelope, Form, Outgoing, send};
use sekisho::wire::stream::Body;
use sekisho::wire::xml::Tree;

use crate::support::draft::{Draft, PATIENT, id};
use crate::support::hosted::{REPOSITORY, Standalone, codes_of};
use crate::support::http::{Answers, NOBODY, collect, plain};
use crate::support::postgres;
use crate::support::submissions::{Document, named, submission};

/// What PostgreSQL says, and what registry and repository say then.
const TROUBLES: &[(&str, &str, &str)] = &[
    ("55P03", code::REGISTRY_BUSY, code::REPOSITORY_BUSY),
    ("40001", code::REGISTRY_BUSY, code::REPOSITORY_BUSY),
    ("53300", code::REGISTRY_BUSY, code::REPOSITORY_BUSY),
    ("53100", code::REGISTRY_OUT_OF_RESOURCES, code::REPOSITORY_OUT_OF_RESOURCES),
    ("53200", code::REGISTRY_OUT_OF_RESOURCES, code::REPOSITORY_OUT_OF_RESOURCES),
    ("XX000", code::REGISTRY_ERROR, code::REPOSITORY_ERROR),
];

const TABLES: [&str; 2] = ["registry_object", "repository_document"];

/// From now on, whoever looks at an object or a document meets an error.
fn begin(database: &str, state: &str) {
    let function = format!(
        "CREATE FUNCTION trouble() RETURNS boolean STABLE LANGUAGE plpgsql AS $$ BEGIN \
         RAISE EXCEPTION 'trouble with the patient''s row' USING ERRCODE = '{state}'; END $$;"
    );
    let hidden = TABLES.map(|table| {
        format!(
            "ALTER TABLE {table} RENAME TO {table}_hidden; \
             CREATE VIEW {table} AS SELECT * FROM {table}_hidden WHERE trouble();"
        )
    });
    postgres::run(database, &(function + &hidden.concat()));
}

fn end(database: &str) {
    let shown =
        TABLES.map(|table| format!("DROP VIEW {table}; ALTER TABLE {table}_hidden RENAME TO {table};"));
    postgres::run(database, &(shown.concat() + "DROP FUNCTION trouble();"));
}

#[tokio::test]
async fn a_database_in_trouble_is_told_by_the_code_that_says_what_kind() {
    let database = postgres::schema();
    let hosted = Standalone::start(&[&format!("store.postgres={database}")]).await;
    hosted.accept(&Draft::new("known").entries(&["entry"])).await;
    let stored = Document::new(10);
    let said = named(submission(PATIENT, std::slice::from_ref(&stored)));
    let removable: Vec<_> = said.objects.iter().map(|object| object.id.clone()).collect();
    let sent = vec![(removable[1].clone(), stored.bytes())];
    assert_eq!(hosted.submit(&said, sent).await.errors, []);

    for (state, registrys, repositorys) in TROUBLES {
        let before = hosted.entries_of(PATIENT).await;
        let fresh = Document::new(10);
        let new = submission(PATIENT, std::slice::from_ref(&fresh));
        begin(&database, state);
        let mut answers: Vec<(&str, RegistryResponse, &str)> = Vec::new();
        let provided = hosted.submit(&new, vec![("Document0".to_owned(), fresh.bytes())]).await;
        answers.push((ITI41.id, provided, repositorys));
        let draft = Draft::new("set").entries(&["new"]).submission();
        answers.push((ITI42.id, hosted.register(&ITI42, &draft).await, registrys));
        let offer = Draft::new("set").on_demand("offer").submission();
        answers.push((ITI61.id, hosted.register(&ITI61, &offer).await, registrys));
        let change = submission(PATIENT, &[]);
        answers.push((ITI57.id, hosted.register(&ITI57, &change).await, registrys));
        answers.push((ITI92.id, hosted.register(&ITI92, &change).await, registrys));
        answers.push(("ITI-62", hosted.remove(removable.clone()).await, registrys));
        let removed = hosted.remove_documents(&[(REPOSITORY, &stored.unique_id)]).await;
        answers.push(("ITI-86", removed, code::REMOVE_DOCUMENTS));
        let named = format!("('{}')", id("entry"));
        let question = [("$XDSDocumentEntryEntryUUID", &*named)];
        let found = hosted.ask(&ITI18, "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4", &question).await;
        assert_eq!(found.objects.len(), 0);
        answers.push((ITI18.id, RegistryResponse { status: found.status, errors: found.errors }, registrys));
        let (retrieved, documents) = hosted.retrieve(&[(REPOSITORY, "1.2.3.4.5.6")]).await;
        assert_eq!(documents.len(), 0);
        assert_eq!(retrieved.errors[0].location.as_deref(), Some("1.2.3.4.5.6"));
        let retrieved = RegistryResponse { status: retrieved.status, errors: retrieved.errors };
        answers.push(("ITI-43", retrieved, repositorys));
        end(&database);

        for (transaction, answer, expected) in answers {
            assert_eq!(
                (answer.status, codes_of(&answer)),
                (Status::Failure, vec![expected]),
                "{transaction}, {state}: {answer:?}"
            );
            // Nothing of what the database said, and a trace by which the operator finds it.
            let context = &answer.errors[0].context;
            assert!(context.contains("(trace ") && !context.contains("row"), "{transaction}: {context}");
        }
        assert_eq!(hosted.entries_of(PATIENT).await, before, "{state}: something was changed");
        assert_eq!(hosted.document(REPOSITORY, &stored.unique_id).await.unwrap(), stored.bytes());
        let again = hosted.submit(&new, vec![("Document0".to_owned(), fresh.bytes())]).await;
        assert_eq!(again.errors, [], "{state}: it does not serve on");
    }
    hosted.stop().await;
}

/// What SQLite says is sorted in the same way.
#[test]
fn sqlites_errors_are_the_same_troubles() {
    use rusqlite::ffi;
    for (said, expected) in [
        (ffi::SQLITE_BUSY, Trouble::Busy),
        (ffi::SQLITE_LOCKED, Trouble::Busy),
        (ffi::SQLITE_FULL, Trouble::OutOfResources),
        (ffi::SQLITE_NOMEM, Trouble::OutOfResources),
        (ffi::SQLITE_CORRUPT, Trouble::Broken),
        (ffi::SQLITE_IOERR, Trouble::Broken),
        (ffi::SQLITE_READONLY, Trouble::Broken),
    ] {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(said), None);
        assert_eq!(StoreError::from(error).trouble(), expected, "{said}");
    }
    for (kind, expected) in [
        (ErrorKind::StorageFull, Trouble::OutOfResources),
        (ErrorKind::QuotaExceeded, Trouble::OutOfResources),
        (ErrorKind::PermissionDenied, Trouble::Broken),
    ] {
        assert_eq!(StoreError::from(std::io::Error::from(kind)).trouble(), expected, "{kind}");
    }
}

/// A registry and repository of somebody else's, which answers everything alike.
async fn behind(response: RegistryResponse) -> ServerHandle {
    let handler = Answers(move |_: Peer, request: Request<Body>| {
        let response = response.clone();
        async move {
            let content_type = request.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
            let sent = String::from_utf8_lossy(&collect(request.into_body()).await).into_owned();
            let (_, envelope) = sent.split_once("<soap:Envelope").unwrap();
            let (envelope, _) = envelope.split_once("</soap:Envelope>").unwrap();
            let envelope = Bytes::from(format!("<soap:Envelope{envelope}</soap:Envelope>"));
            let addressing = Envelope::read(Tree::parse(envelope).unwrap()).unwrap().addressing;
            let mtom = content_type.starts_with("multipart");
            let reply = send(Outgoing {
                form: if mtom { Form::Mtom } else { Form::Simple },
                action: if mtom { ITI41.response_action } else { ITI42.response_action }.to_owned(),
                relates_to: addressing.message_id,
                body: vec![iti42::write_response(&response)],
                ..Outgoing::default()
            });
            let mut answer = Response::new(reply.body);
            answer.headers_mut().insert(CONTENT_TYPE, reply.content_type.parse().unwrap());
            answer
        }
    });
    plain(Limits::default(), handler).await
}

/// A gateway before what is at an address.
async fn bridge(address: std::net::SocketAddr) -> Standalone {
    let configuration = format!(
        "[community]\nhome = \"urn:oid:1.2.3\"\nname = \"試験\"\n[listen.http]\naddress = \"127.0.0.1:0\"\n\
         [bridge]\niti18 = \"http://{address}/18\"\niti41 = \"http://{address}/41\"\niti42 = \"http://{address}/42\"\n\
         [bridge.iti43]\n\"{REPOSITORY}\" = \"http://{address}/43\"\n[federation]\ncommunities = \"communities\"\n"
    );
    let folder = std::sync::Arc::new(crate::support::certs::TempDir::new());
    std::fs::create_dir(folder.path().join("communities")).unwrap();
    Standalone::in_folder(folder, &configuration, &[]).await
}

async fn both(gateway: &Standalone) -> [RegistryResponse; 2] {
    let draft = Draft::new("set").entries(&["entry"]).submission();
    let registered = gateway.register(&ITI42, &draft).await;
    let document = Document::new(10);
    let said = submission(PATIENT, std::slice::from_ref(&document));
    [registered, gateway.submit(&said, vec![("Document0".to_owned(), document.bytes())]).await]
}

/// 3.41.4.2: what the registry behind says comes to the sender, warnings too.
#[tokio::test]
async fn what_stands_behind_is_heard() {
    let kept = || RegistryError::warning(code::EXTRA_METADATA_NOT_SAVED, "urn:example:extra");
    for (errors, status) in [
        (vec![kept()], Status::Success),
        (vec![RegistryError::error(code::REGISTRY_NOT_AVAILABLE, "it is away")], Status::Failure),
        (vec![RegistryError::error(code::REGISTRY_BUSY, "later"), kept()], Status::Failure),
    ] {
        let server = behind(RegistryResponse { status, errors: errors.clone() }).await;
        let gateway = bridge(server.address).await;
        for answer in both(&gateway).await {
            assert_eq!(answer, RegistryResponse { status, errors: errors.clone() });
        }
        gateway.stop().await;
    }
}

/// A registry that nobody reaches is not available; whether anything was stored is said.
#[tokio::test]
async fn a_registry_that_is_away_is_not_available() {
    let gateway = bridge(NOBODY).await;
    let [registered, provided] = both(&gateway).await;
    for (answer, expected) in [(registered, code::REGISTRY_NOT_AVAILABLE), (provided, code::REPOSITORY_ERROR)]
    {
        assert_eq!((answer.status, codes_of(&answer)), (Status::Failure, vec![expected]));
        let [error] = &answer.errors[..] else { panic!("{answer:?}") };
        assert!(
            error.severity == Severity::Error && error.context.contains("nothing was stored"),
            "{error:?}"
        );
    }
    gateway.stop().await;
}
