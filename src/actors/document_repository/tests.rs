use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use uuid::Uuid;

use super::*;
use crate::ids::Oid;
use crate::metadata::rim::{Object, Submission};
use crate::metadata::views::{Membership, association, has_member};
use crate::metadata::{Author, Code, DocumentEntryBuilder, SubmissionSetBuilder, codes};
use crate::registry::{RegistrySettings, Tenant};
use crate::repository::Opening;
use crate::store::{Backend, Store, testing};
use crate::transactions::errors::Status;
use crate::transactions::iti18::{Parameter, QueryRequest, ReturnType};
use crate::transactions::iti41;
use crate::wire::soap::{self, Form, Outgoing};
use crate::wire::stream::Content;

const PATIENT: &str = "7^^^&1.2.3.4&ISO";
const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// A hosted region's repository and registry, in a folder that goes away with them.
struct Hosted {
    directory: PathBuf,
    store: Store,
    actor: DocumentRepository,
}

impl Hosted {
    fn new() -> Self {
        Self::on(&Backend::Sqlite)
    }

    fn on(backend: &Backend) -> Self {
        let directory = std::env::temp_dir().join(format!("sekisho-{}", Uuid::new_v4().simple()));
        let migrations = [registry::MIGRATION, crate::repository::MIGRATION];
        let store = Store::open_in(backend, &directory, &migrations).unwrap();
        let tenant = Tenant("region".into());
        let id = Oid::parse("1.2.3.9").unwrap();
        let repository =
            Repository::open(store.clone(), Opening::new(&directory, tenant.0.clone(), id)).unwrap();
        let registry = Registry::new(store.clone(), tenant, RegistrySettings::default());
        let permits = Permits { remove: crate::actors::permits::Callers::Anybody, ..Permits::default() };
        let limits = Limits { max_document_bytes: 64 * MIB as u64, ..Limits::default() };
        Self { directory, store, actor: DocumentRepository::new(repository, registry, limits, permits) }
    }

    /// Sends a submission through the wire's own code, as a client would.
    async fn provide(&self, draft: &Draft, form: Form) -> RegistryResponse {
        let (headers, chunks) = draft.message(form).await;
        self.provide_message(&headers, chunks).await.unwrap()
    }

    async fn provide_message(
        &self,
        headers: &HeaderMap,
        chunks: Vec<Result<Bytes, StreamError>>,
    ) -> Result<RegistryResponse, StreamError> {
        let body = StreamBody::new(stream::iter(chunks).map(|chunk| chunk.map(Frame::data))).boxed_unsync();
        let message = soap::receive(headers, body, &Limits::default()).await.unwrap();
        let request = iti41::read_request(message.envelope.body().unwrap()).unwrap();
        self.actor.provide_and_register(request, message.attachments, &Caller::default()).await
    }

    async fn accept(&self, draft: &Draft) {
        let response = self.provide(draft, Form::Mtom).await;
        assert_eq!(response.status, Status::Success, "{:?}", response.errors);
    }

    /// The error codes, each once, in order.
    async fn refuse(&self, draft: &Draft) -> Vec<String> {
        let response = self.provide(draft, Form::Mtom).await;
        assert_eq!(response.status, Status::Failure);
        let mut codes: Vec<_> = response.errors.iter().map(|error| error.code.to_string()).collect();
        codes.dedup();
        codes
    }

    async fn retrieve(&self, documents: &[(&str, &str)]) -> RetrieveResponse {
        let wanted = |(repository, document): &(&str, &str)| DocumentRequest {
            home: None,
            repository: (*repository).to_owned(),
            document: (*document).to_owned(),
        };
        let request = RetrieveRequest { documents: documents.iter().map(wanted).collect() };
        self.actor.retrieve_document_set(request, &Caller::default()).await
    }

    async fn bytes(&self, unique_id: &str) -> Bytes {
        let mut response = self.retrieve(&[("1.2.3.9", unique_id)]).await;
        assert_eq!(response.status, Status::Success, "{:?}", response.errors);
        response.documents.remove(0).content.collect(u64::MAX).await.unwrap()
    }

    /// The entries that the registry has.
    async fn entries(&self) -> Vec<crate::transactions::iti18::RegistryObject> {
        let parameter =
            |name: &str, value: &str| Parameter { name: name.to_owned(), values: vec![value.to_owned()] };
        let request = QueryRequest {
            query: "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d".to_owned(),
            home: None,
            return_type: ReturnType::LeafClass,
            parameters: vec![
                parameter("$XDSDocumentEntryPatientId", &format!("'{PATIENT}'")),
                parameter("$XDSDocumentEntryStatus", &format!("('{}')", codes::APPROVED)),
            ],
        };
        self.actor.registry.query(request).await.unwrap().objects
    }

    /// Nothing at all was kept: no entry, no row, no file.
    async fn is_empty(&self) -> bool {
        for _ in 0..1_000 {
            if self.large_files() == 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let rows = |connection: &crate::store::Connection| {
            Ok(connection
                .query_row("SELECT count(*) FROM repository_document", (), |row| row.get::<i64>(0))?)
        };
        self.large_files() == 0
            && self.entries().await.is_empty()
            && self.store.read(rows).await.unwrap() == 0
    }

    fn large_files(&self) -> usize {
        let files = |folder: PathBuf| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let large = files(self.directory.join("large")).flat_map(files).count();
        large + files(self.directory.join("incoming")).count()
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        self.store.close();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A submission in the making.
#[derive(Clone)]
struct Draft {
    objects: Vec<Object>,
    documents: Vec<(String, Bytes)>,
}

impl Draft {
    fn new() -> Self {
        let author = Author { person: Some("1^Yamada^Taro".to_owned()), ..Author::default() };
        let set = SubmissionSetBuilder::new("set")
            .authors([&author])
            .content_type_code(&code("content"))
            .patient_id(PATIENT)
            .source_id("1.2.3.8")
            .submission_time("20260116093000")
            .unique_id(oid());
        Self { objects: vec![set.build()], documents: Vec::new() }
    }

    fn one(unique_id: &str, bytes: Bytes) -> Self {
        Self::new().document("Document01", unique_id, bytes)
    }

    fn document(mut self, id: &str, unique_id: &str, bytes: Bytes) -> Self {
        self.documents.push((id.to_owned(), bytes));
        self.entry(id, unique_id)
    }

    fn entry(mut self, id: &str, unique_id: &str) -> Self {
        let entry = DocumentEntryBuilder::stable(id)
            .mime_type("text/xml")
            .class_code(&code("class"))
            .confidentiality_codes([&code("N")])
            .creation_time("20260115")
            .facility_type_code(&code("facility"))
            .format_code(&code("format"))
            .language_code("ja-JP")
            .patient_id(PATIENT)
            .practice_setting_code(&code("practice"))
            .source_patient_id("S1^^^&1.2.3.7&ISO")
            .type_code(&code("type"))
            .unique_id(unique_id);
        self.objects.push(entry.build());
        self.objects.push(has_member("set", id, Membership::Original));
        self
    }

    fn change(mut self, id: &str, change: impl FnOnce(&mut Object)) -> Self {
        change(self.objects.iter_mut().find(|object| object.id == id).unwrap());
        self
    }

    async fn message(&self, form: Form) -> (HeaderMap, Vec<Result<Bytes, StreamError>>) {
        let submission = Submission { objects: self.objects.clone(), ..Submission::default() };
        let documents = self.documents.iter().cloned();
        let documents =
            documents.map(|(id, bytes)| (id, "text/xml".to_owned(), Content::from_bytes(bytes))).collect();
        let (body, attachments) = iti41::write_request(&submission, documents, form).await.unwrap();
        let outgoing = Outgoing {
            form,
            action: iti41::ITI41.action.to_owned(),
            to: Some("http://127.0.0.1/".to_owned()),
            body,
            attachments,
            ..Outgoing::default()
        };
        let reply = soap::send(outgoing);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, reply.content_type.parse().unwrap());
        let bytes = reply.body.collect().await.unwrap().to_bytes();
        (headers, bytes.chunks(50_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect())
    }
}

fn code(code: &str) -> Code {
    Code::new(code, "1.2.3.5", code)
}

fn oid() -> String {
    format!("2.25.{}", Uuid::new_v4().as_u128())
}

fn bytes(size: usize) -> Bytes {
    (0..size).map(|i| (i * 31 + i / 251) as u8).collect()
}

#[tokio::test]
async fn documents_of_every_size_are_registered_and_come_back() {
    let hosted = Hosted::new();
    let mut draft = Draft::new();
    let sizes = [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, MIB - 1, MIB, MIB + 1, 20 * MIB]
        .map(|size| (size, oid()));
    for (size, unique_id) in &sizes {
        draft = draft.document(&format!("Document{size}"), unique_id, bytes(*size));
    }
    hosted.accept(&draft).await;
    let entries = hosted.entries().await;
    assert_eq!(entries.len(), sizes.len());
    for (size, unique_id) in &sizes {
        assert!(hosted.bytes(unique_id).await == bytes(*size), "{size}");
        let entry = entries.iter().find(|entry| entry.unique_id.as_ref() == Some(unique_id)).unwrap();
        let sha1 = openssl::sha::sha1(&bytes(*size)).map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(
            (entry.size, entry.hash.as_deref(), entry.repository.as_deref()),
            (Some(*size as u64), Some(sha1.as_str()), Some("1.2.3.9"))
        );
    }
}

#[tokio::test]
async fn an_inline_document_is_stored_as_one_in_a_part_is() {
    let hosted = Hosted::new();
    let response = hosted.provide(&Draft::one("1.2.3.1", bytes(2 * MIB)), Form::Simple).await;
    assert_eq!(response.status, Status::Success, "{:?}", response.errors);
    assert!(hosted.bytes("1.2.3.1").await == bytes(2 * MIB));
}

#[tokio::test]
async fn each_document_request_has_its_answer() {
    let hosted = Hosted::new();
    hosted.accept(&Draft::one("1.2.3.1", bytes(100))).await;
    let mut request = RetrieveRequest { documents: Vec::new() };
    for (home, repository, document) in [
        (None, "1.2.3.9", "unknown"),
        (Some("urn:oid:9.9"), "1.2.3.9", "1.2.3.1"),
        (None, "9.9.9", "1.2.3.1"),
        (None, "1.2.3.9", "1.2.3.1"),
    ] {
        request.documents.push(DocumentRequest {
            home: home.map(str::to_owned),
            repository: repository.to_owned(),
            document: document.to_owned(),
        });
    }
    let response = hosted.actor.retrieve_document_set(request.clone(), &Caller::default()).await;
    assert_eq!(response.status, Status::PartialSuccess);
    let errors: Vec<_> = response.errors.iter().map(|e| (&*e.code, e.location.as_deref())).collect();
    assert_eq!(
        errors,
        [("XDSDocumentUniqueIdError", Some("unknown")), ("XDSUnknownRepositoryId", Some("1.2.3.1"))]
    );
    let heads: Vec<_> = response.documents.iter().map(|document| &document.head).collect();
    assert_eq!([&heads[0].request, &heads[1].request], [&request.documents[1], &request.documents[3]]);
    assert!(heads.iter().all(|head| head.mime_type == "text/xml" && head.new_document.is_none()));

    // Beyond what is given at once, each has an error.
    request.documents = vec![request.documents[3].clone(); limits::MAX_DOCUMENTS_PER_RETRIEVE + 2];
    let response = hosted.actor.retrieve_document_set(request, &Caller::default()).await;
    let counts = (response.documents.len(), response.errors.len());
    assert_eq!((response.status, counts), (Status::PartialSuccess, (limits::MAX_DOCUMENTS_PER_RETRIEVE, 2)));
    assert!(
        response
            .errors
            .iter()
            .all(|e| e.code == code::TOO_MANY_RESULTS && e.location.as_deref() == Some("1.2.3.1"))
    );
}

#[tokio::test]
async fn attack_49_identifiers_are_only_identifiers() {
    let hosted = Hosted::new();
    let long = "9".repeat(4_096);
    for id in ["../../etc/passwd", "/etc/passwd", "a\0b", "１.２.３", "' OR 1=1 --", "", &long] {
        for (asked, code) in [
            (("1.2.3.9", id), code::DOCUMENT_UNIQUE_ID_ERROR),
            ((id, "1.2.3.1"), code::UNKNOWN_REPOSITORY_ID),
        ] {
            let response = hosted.retrieve(&[asked]).await;
            assert_eq!(response.status, Status::Failure);
            assert_eq!(response.errors[0].code, code);
            assert!(response.errors[0].context.len() < 500, "what is repeated is cut");
        }
    }
    hosted.accept(&Draft::one("../../../../tmp/sekisho-escape", bytes(2 * MIB))).await;
    assert!(hosted.bytes("../../../../tmp/sekisho-escape").await == bytes(2 * MIB));
    assert!(!fs::exists("/tmp/sekisho-escape").unwrap());
}

#[tokio::test]
async fn attack_51_declared_hash_and_size_are_compared_with_the_bytes() {
    let hosted = Hosted::new();
    let draft = Draft::one("1.2.3.1", bytes(100));
    let sha1 = openssl::sha::sha1(&bytes(100)).map(|byte| format!("{byte:02x}")).concat();
    let with = |name: &'static str, value: &str| {
        let value = vec![value.to_owned()];
        draft.clone().change("Document01", |entry| entry.set_slot(name, value))
    };
    for wrong in [with("hash", &"0".repeat(40)), with("size", "99"), with("size", "0")] {
        assert_eq!(hosted.refuse(&wrong).await, [code::REPOSITORY_METADATA_ERROR]);
    }
    let both =
        with("hash", &"0".repeat(40)).change("Document01", |e| e.set_slot("size", vec!["1".to_owned()]));
    assert_eq!(hosted.provide(&both, Form::Mtom).await.errors.len(), 2, "all at once");
    assert!(hosted.is_empty().await);
    // Another repository's id is replaced by ours.
    let right = with("hash", &sha1.to_uppercase()).change("Document01", |entry| {
        entry.set_slot("size", vec!["100".to_owned()]);
        entry.set_slot("repositoryUniqueId", vec!["9.9.9".to_owned()]);
    });
    // Arc 9 is no OID's: a repositoryUniqueId has to be one even where it is replaced.
    assert_eq!(hosted.refuse(&right).await, [code::REPOSITORY_METADATA_ERROR]);
    let right =
        right.change("Document01", |entry| entry.set_slot("repositoryUniqueId", vec!["1.9.9".to_owned()]));
    hosted.accept(&right).await;
    assert_eq!(hosted.entries().await[0].repository.as_deref(), Some("1.2.3.9"));
}

#[tokio::test]
async fn attack_52_same_unique_id_with_the_same_bytes_or_with_others() {
    let hosted = Hosted::new();
    let first = Draft::one("1.2.3.1", bytes(100));
    hosted.accept(&first).await;
    hosted.accept(&first).await;
    assert_eq!(hosted.entries().await.len(), 1, "the same submission once more is answered as before");

    hosted.accept(&Draft::one("1.2.3.1", bytes(100))).await;
    assert_eq!(hosted.entries().await.len(), 2, "another submission of the same document is another entry");

    let other = Draft::one("1.2.3.1", bytes(101)).document("Document02", "1.2.3.2", bytes(10));
    let codes = hosted.refuse(&other).await;
    assert!(codes.iter().any(|code| code == code::NON_IDENTICAL_HASH), "{codes:?}");
    assert!(hosted.bytes("1.2.3.1").await == bytes(100));
    assert_eq!(hosted.entries().await.len(), 2);
    assert_eq!(hosted.retrieve(&[("1.2.3.9", "1.2.3.2")]).await.status, Status::Failure);
}

#[tokio::test]
async fn attack_52_when_the_registry_has_forgotten_the_repository_still_refuses_other_bytes() {
    let hosted = Hosted::new();
    hosted.accept(&Draft::one("1.2.3.1", bytes(100))).await;
    let forget = |connection: &crate::store::Connection| {
        let tables: Vec<String> = connection
            .prepare_cached("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'registry_%'")?
            .query_map((), |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        connection.execute_batch("PRAGMA defer_foreign_keys = ON")?;
        tables
            .iter()
            .filter(|table| *table != "registry_tenant")
            .try_for_each(|table| connection.execute(&format!("DELETE FROM {table}"), ()).map(drop))?;
        Ok(())
    };
    hosted.store.write(forget).await.unwrap();
    assert!(hosted.entries().await.is_empty());
    let codes = hosted.refuse(&Draft::one("1.2.3.1", bytes(101))).await;
    assert_eq!(codes, [code::NON_IDENTICAL_SIZE, code::NON_IDENTICAL_HASH]);
    assert!(hosted.entries().await.is_empty());
    hosted.accept(&Draft::one("1.2.3.1", bytes(100))).await;
}

#[tokio::test]
async fn attack_52_of_two_at_the_same_time_with_other_bytes_one_is_refused() {
    let hosted = Hosted::new();
    let drafts: Vec<_> = (0..8).map(|n| Draft::one("1.2.3.1", bytes(1_000 + n))).collect();
    let responses =
        futures_util::future::join_all(drafts.iter().map(|draft| hosted.provide(draft, Form::Mtom))).await;
    let accepted: Vec<_> =
        responses.iter().enumerate().filter(|(_, response)| response.status == Status::Success).collect();
    assert_eq!(accepted.len(), 1);
    assert!(hosted.bytes("1.2.3.1").await == bytes(1_000 + accepted[0].0));
    assert_eq!(hosted.entries().await.len(), 1);
}

#[tokio::test]
async fn documents_and_entries_must_be_the_same_ones() {
    let hosted = Hosted::new();
    let missing = Draft::one("1.2.3.1", bytes(10)).entry("Document02", "1.2.3.2");
    assert_eq!(hosted.refuse(&missing).await, [code::MISSING_DOCUMENT]);
    let mut surplus = Draft::one("1.2.3.1", bytes(10));
    surplus.documents.push(("Document02".to_owned(), bytes(20)));
    assert_eq!(hosted.refuse(&surplus).await, [code::MISSING_DOCUMENT_METADATA]);
    let twice = Draft::one("1.2.3.1", bytes(10)).document("Document02", "1.2.3.1", bytes(10));
    assert_eq!(hosted.refuse(&twice).await, [code::REPOSITORY_DUPLICATE_UNIQUE_ID_IN_MESSAGE]);
    assert!(hosted.is_empty().await);
}

#[tokio::test]
async fn attack_65_what_the_registry_refuses_leaves_nothing() {
    let hosted = Hosted::new();
    let mut draft = Draft::one("1.2.3.1", bytes(3 * MIB)).document("Document02", "1.2.3.2", bytes(10));
    let nobody = format!("urn:uuid:{}", Uuid::new_v4());
    draft.objects.push(association(codes::association::RPLC, "Document01", &nobody));
    assert_eq!(hosted.refuse(&draft).await, [code::UNRESOLVED_REFERENCE]);
    assert!(hosted.is_empty().await);
}

#[tokio::test]
async fn attack_65_a_message_that_ends_too_early_leaves_nothing() {
    let hosted = Hosted::new();
    let draft = Draft::one("1.2.3.1", bytes(3 * MIB)).document("Document02", "1.2.3.2", bytes(10));
    let (headers, whole) = draft.message(Form::Mtom).await;
    for end in [1, 2, 30, whole.len() - 1] {
        let mut chunks = whole[..end].to_vec();
        assert!(hosted.provide_message(&headers, chunks.clone()).await.is_err(), "ended after {end}");
        chunks.push(Err(StreamError::Interrupted("reset".to_owned())));
        let error = hosted.provide_message(&headers, chunks).await.unwrap_err();
        assert!(matches!(error, StreamError::Interrupted(_)), "{error}");
    }
    assert!(hosted.is_empty().await);
}

#[tokio::test]
async fn attack_20_a_part_that_is_not_there_is_a_fault_and_leaves_nothing() {
    let hosted = Hosted::new();
    let (headers, chunks) = Draft::one("1.2.3.1", bytes(10)).message(Form::Mtom).await;
    let whole: Vec<u8> = chunks.into_iter().flat_map(Result::unwrap).collect();
    let text = String::from_utf8_lossy(&whole);
    let href = text.split("href=\"cid:").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    let other = text.replacen(&format!("cid:{href}"), "cid:another", 1);
    let error = hosted.provide_message(&headers, vec![Ok(other.into_bytes().into())]).await.unwrap_err();
    assert!(matches!(&error, StreamError::Malformed(problem) if problem.contains("another")), "{error}");
    assert!(hosted.is_empty().await);
}

#[tokio::test]
async fn a_document_beyond_the_limit_is_a_fault_and_leaves_nothing() {
    let mut hosted = Hosted::new();
    hosted.actor.limits.max_document_bytes = 3 * MIB as u64;
    hosted.accept(&Draft::one("1.2.3.1", bytes(3 * MIB))).await;
    for form in [Form::Mtom, Form::Simple] {
        let (headers, chunks) = Draft::one("1.2.3.2", bytes(3 * MIB + 1)).message(form).await;
        let error = hosted.provide_message(&headers, chunks).await.unwrap_err();
        assert!(matches!(error, StreamError::TooLarge { limit, .. } if limit == 3 * MIB as u64), "{error}");
    }
    assert_eq!(hosted.entries().await.len(), 1);
}

/// What the registry knows, which documents are there, the end of the job, the end of its group.
#[tokio::test]
async fn a_submission_waits_four_times_for_postgresql_however_many_documents_it_has() {
    let hosted = Hosted::on(&testing::backend("on_postgres"));
    for documents in [1, 50] {
        let mut least = u64::MAX;
        // A connection that was silent for a while is tried first, and statements are prepared: the least of several.
        for _ in 0..3 {
            let documents = (0..documents).map(|n| format!("Document{n}"));
            let draft = documents.fold(Draft::new(), |draft, id| draft.document(&id, &oid(), bytes(100)));
            let before = hosted.store.write(|connection| Ok(connection.waits())).await.unwrap();
            hosted.accept(&draft).await;
            let after = hosted.store.write(|connection| Ok(connection.waits())).await.unwrap();
            // The end of the first job, and of its group.
            least = least.min(after - before - 2);
        }
        assert_eq!(least, 4, "{documents}");
    }
}
