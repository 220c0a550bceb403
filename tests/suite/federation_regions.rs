//! Whole regions over real sockets: gateways that ask each other, documents that stream through both, and a gateway before
//! an existing registry and repository.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use sekisho::actors::initiating_gateway::InitiatingGateway;
use sekisho::actors::own_community::OwnCommunity;
use sekisho::actors::responding_gateway::RespondingGateway;
use sekisho::federation::breaker::RetryBudget;
use sekisho::federation::bridge::Bridge;
use sekisho::federation::correlate::CorrelationTable;
use sekisho::federation::directory::{Directory, DirectorySettings};
use sekisho::federation::line::{Line, Prudence, PrudenceSettings};
use sekisho::federation::{Source, Unavailable};
use sekisho::limits::Limits;
use sekisho::server::{Front, Place, Service, Services};
use sekisho::transactions::Caller;
use sekisho::transactions::errors::Status;
use sekisho::transactions::iti18::{ITI18, QueryRequest, QueryResponse};
use sekisho::transactions::iti38::ITI38;
use sekisho::transactions::iti39::ITI39;
use sekisho::transactions::iti43::{
    DocumentHead, ITI43, RetrieveRequest, RetrieveResponse, RetrievedDocument,
};
use sekisho::wire::http::{Client, ClientSettings, ServerHandle};
use sekisho::wire::soap::Endpoint;
use sekisho::wire::stream::{Content, StreamError};

use crate::support::certs::TempDir;
use crate::support::community::{
    InMemory, PATIENT, collected, community_file, entry_xml, find_documents, found, home, objects, wanted,
};
use crate::support::http::plain;

/// A region on a socket of its own.
struct Region {
    home: String,
    server: ServerHandle,
    gateway: InitiatingGateway,
    directory: Arc<Directory>,
    folder: TempDir,
}

impl Region {
    async fn new(oid: &str, source: Arc<dyn Source>) -> Self {
        let folder = TempDir::new();
        let settings = DirectorySettings { folder: folder.path().to_owned(), ..DirectorySettings::default() };
        let directory = Directory::load(settings).unwrap();
        let own = OwnCommunity::new("Region", home(oid), source);
        let deadline = Duration::from_secs(5);
        let correlation = Arc::new(CorrelationTable::default());
        let gateway = InitiatingGateway::new(own.clone(), Arc::clone(&directory), correlation, deadline);
        let responding = RespondingGateway::new(own, deadline);
        let mut services = Services::new();
        let (query, retrieve) = (responding.clone(), responding);
        services
            .offer(
                Place::Services,
                Service::query(&ITI38, move |request, caller| {
                    let gateway = query.clone();
                    async move { gateway.cross_gateway_query(request, &caller).await }
                }),
            )
            .offer(
                Place::Services,
                Service::retrieve(&ITI39, move |request, caller| {
                    let gateway = retrieve.clone();
                    async move { gateway.cross_gateway_retrieve(request, &caller).await }
                }),
            );
        let limits = Limits::default();
        let server = plain(limits.clone(), Front::new(services, &limits)).await;
        Self { home: oid.to_owned(), server, gateway, directory, folder }
    }

    fn knows(&self, other: &Region, quirks: &str) {
        let text = community_file(&other.home, other.server.address, quirks)
            .replace("/iti38", "/services/iti-38")
            .replace("/iti39", "/services/iti-39")
            .replace("deadline_ms = 1500", "deadline_ms = 4000");
        std::fs::write(self.folder.path().join(format!("{}.toml", other.home)), text).unwrap();
        assert_eq!(self.directory.reload(), []);
    }

    async fn find(&self) -> QueryResponse {
        self.gateway.registry_stored_query(find_documents(PATIENT), &Caller::default()).await
    }

    async fn fetch(&self, from: &str, ids: &[&str]) -> RetrieveResponse {
        let documents = ids.iter().map(|id| wanted(from, id)).collect();
        self.gateway.retrieve_document_set(RetrieveRequest { documents }, &Caller::default()).await
    }
}

const EAST: &str = "1.2.200";
const WEST: &str = "1.2.300";

#[tokio::test]
async fn attack_57_gateways_that_know_each_other_do_not_ask_in_circles() {
    let sources = [Arc::new(InMemory::with(&["1.2.200.1"])), Arc::new(InMemory::with(&["1.2.300.1"]))];
    let east = Region::new(EAST, Arc::clone(&sources[0]) as _).await;
    let west = Region::new(WEST, Arc::clone(&sources[1]) as _).await;
    east.knows(&west, "");
    west.knows(&east, "");
    let response = east.find().await;
    assert_eq!(response.status, Status::Success, "{:#?}", response.errors);
    assert_eq!(found(&response), ["1.2.200.1", "1.2.300.1"]);
    for source in &sources {
        assert_eq!(source.queries.lock().unwrap().len(), 1, "each registry is asked once");
    }
    // Not even for a third community's home: a Responding Gateway answers for its own.
    let mut request = find_documents(PATIENT);
    request.home = Some("urn:oid:1.2.200".to_owned());
    let own = OwnCommunity::new("West", home(WEST), Arc::clone(&sources[1]) as _);
    let responding = RespondingGateway::new(own, Duration::from_secs(1));
    let response = responding.cross_gateway_query(request, &Caller::default()).await;
    assert_eq!(response.errors[0].code, "XDSUnknownCommunity");
    let documents = collected(east.fetch(WEST, &["1.2.300.1"]).await).await;
    assert_eq!(documents["1.2.300.1"], "document 1.2.300.1");
}

/// Documents that are made as they are read: `SIZE` bytes under the id `SIZE`, or `SIZE.broken`, which breaks off half-way.
#[derive(Default)]
struct Makes {
    /// Chunks made so far.
    made: Arc<AtomicUsize>,
    /// Whether the registry says something else of them.
    lies: bool,
}

const CHUNK: usize = 64 * 1024;

impl Source for Makes {
    fn query<'a>(
        &'a self,
        _: QueryRequest,
        _: &'a Caller,
        _: Instant,
    ) -> BoxFuture<'a, Result<QueryResponse, Unavailable>> {
        let bytes = vec![if self.lies { b'y' } else { b'x' }; 8 * 1024 * 1024];
        let entry = entry_xml(None, "8388608", &bytes).replace("0.0.9", "1.2.200.9");
        Box::pin(async move { Ok(QueryResponse::new(Vec::new(), objects(&entry))) })
    }

    fn retrieve<'a>(
        &'a self,
        request: RetrieveRequest,
        _: &'a Caller,
        _: Instant,
    ) -> BoxFuture<'a, Result<RetrieveResponse, Unavailable>> {
        let document = |request: sekisho::transactions::iti43::DocumentRequest| {
            let (size, broken) = match request.document.strip_suffix(".broken") {
                Some(size) => (size.parse::<usize>().unwrap(), true),
                None => (request.document.parse::<usize>().unwrap(), false),
            };
            let made = Arc::clone(&self.made);
            let stream = futures_util::stream::unfold(0, move |at| {
                let made = Arc::clone(&made);
                async move {
                    if broken && at >= size / 2 {
                        return Some((Err(StreamError::Store("gone".into())), usize::MAX));
                    }
                    let length = CHUNK.min(size.checked_sub(at)?);
                    if length == 0 {
                        return None;
                    }
                    made.fetch_add(1, Ordering::SeqCst);
                    Some((Ok(Bytes::from(vec![b'x'; length])), at + length))
                }
            });
            let mime_type = "application/dicom".to_owned();
            let head = DocumentHead { request, new_repository: None, new_document: None, mime_type };
            RetrievedDocument { head, content: Content::from_stream(None, Box::pin(stream)) }
        };
        let documents = request.documents.into_iter().map(document).collect();
        Box::pin(async move { Ok(RetrieveResponse::new(Vec::new(), documents)) })
    }
}

async fn asker_and(makes: Makes, quirks: &str) -> (Region, Region) {
    let east = Region::new(EAST, Arc::new(makes)).await;
    let west = Region::new(WEST, Arc::new(InMemory::default())).await;
    west.knows(&east, quirks);
    (east, west)
}

#[tokio::test]
async fn large_documents_stream_through_between_small_ones_in_their_order() {
    let (_east, west) = asker_and(Makes::default(), "").await;
    let ids = ["10", "5000000", "0", "2000001", "70000", "1048577"];
    let response = west.fetch(EAST, &ids).await;
    assert_eq!(response.status, Status::Success, "{:#?}", response.errors);
    let documents = collected(response).await;
    for id in ids {
        let bytes = &documents[id];
        assert_eq!(bytes.len().to_string(), id);
        assert!(bytes.iter().all(|b| *b == b'x'));
    }
}

#[tokio::test]
async fn nobody_reads_further_than_the_consumer_does() {
    let makes = Makes::default();
    let made = Arc::clone(&makes.made);
    let (_east, west) = asker_and(makes, "").await;
    const SIZE: usize = 256 * 1024 * 1024;
    let mut response = west.fetch(EAST, &[&SIZE.to_string()]).await;
    assert_eq!(response.status, Status::Success);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let ahead = made.load(Ordering::SeqCst) * CHUNK;
    assert!(ahead < 32 * 1024 * 1024, "{ahead} bytes were made before anybody read them");
    let content = &mut response.documents[0].content;
    for _ in 0..4 {
        assert!(content.next().await.unwrap().is_ok());
    }
    drop(response);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(made.load(Ordering::SeqCst) * CHUNK < SIZE, "and it ends with its reader");
}

#[tokio::test]
async fn a_document_that_breaks_off_early_is_an_error_and_later_breaks_the_answer_off() {
    let (_east, west) = asker_and(Makes::default(), "").await;
    let response = west.fetch(EAST, &["10", "400000.broken"]).await;
    assert_eq!(response.status, Status::PartialSuccess);
    assert_eq!(response.errors[0].location.as_deref(), Some("400000.broken"));
    assert!(response.errors[0].context.contains("urn:oid:1.2.200"), "{:?}", response.errors);
    assert_eq!(collected(response).await["10"].len(), 10);

    let mut response = west.fetch(EAST, &["40000000.broken"]).await;
    assert_eq!(response.status, Status::Success, "nobody can know yet");
    let mut last = None;
    while let Some(chunk) = response.documents[0].content.next().await {
        last = Some(chunk);
    }
    assert!(matches!(last, Some(Err(_))), "never silently short");
}

#[tokio::test]
async fn a_large_document_that_differs_from_its_metadata_is_counted_and_withheld_if_so_configured() {
    for (quirks, whole) in [("", true), ("quirks = [\"enforce-hash\"]", false)] {
        let (_east, west) = asker_and(Makes { lies: true, ..Makes::default() }, quirks).await;
        assert_eq!(west.find().await.status, Status::Success);
        let mut response = west.fetch(EAST, &["8388608"]).await;
        let mut ok = true;
        while let Some(chunk) = response.documents[0].content.next().await {
            ok &= chunk.is_ok();
        }
        assert_eq!(ok, whole);
        let communities = west.directory.communities();
        let observed = communities.all()[0].peer.member.observed.counts();
        assert!(observed.oddities.contains(&("wrong-bytes", 1)), "{:?}", observed.oddities);
    }
}

#[tokio::test]
async fn a_gateway_before_an_existing_registry_and_repository() {
    let existing = Arc::new(InMemory::with(&["1.2.200.1", "1.2.200.2"]));
    let mut services = Services::new();
    let (registry, repository) = (Arc::clone(&existing), existing);
    let soon = || Instant::now() + Duration::from_secs(5);
    services
        .offer(
            Place::Services,
            Service::query(&ITI18, move |request, caller| {
                let registry = Arc::clone(&registry);
                async move { registry.query(request, &caller, soon()).await.unwrap() }
            }),
        )
        .offer(
            Place::Services,
            Service::retrieve(&ITI43, move |request, caller| {
                let repository = Arc::clone(&repository);
                async move { repository.retrieve(request, &caller, soon()).await.unwrap() }
            }),
        );
    let limits = Limits::default();
    let server = plain(limits.clone(), Front::new(services, &limits)).await;
    let member = OwnCommunity::new("East", home(EAST), Arc::new(InMemory::default())).member;
    let line = |transaction: &str, port: u16| Line {
        member: Arc::clone(&member),
        prudence: Prudence::new(&PrudenceSettings::default(), RetryBudget::new()),
        client: Client::new(&ClientSettings::default()).unwrap(),
        endpoint: Endpoint {
            url: format!("http://127.0.0.1:{port}/services/{transaction}").parse().unwrap(),
            relates_to_optional: false,
        },
        limits: limits.clone(),
        channel: None,
    };
    let port = server.address.port();
    let repositories = HashMap::from([
        ("1.2.200.9".to_owned(), line("iti-43", port)),
        ("1.2.200.8".to_owned(), line("iti-43", 1)),
    ]);
    let east = Region::new(EAST, Arc::new(Bridge { registry: line("iti-18", port), repositories })).await;
    let west = Region::new(WEST, Arc::new(InMemory::default())).await;
    west.knows(&east, "");

    for region in [&east, &west] {
        let response = region.find().await;
        assert_eq!(found(&response), ["1.2.200.1", "1.2.200.2"]);
        assert!(response.objects.iter().all(|o| o.home.as_deref() == Some("urn:oid:1.2.200")));
        let mut documents =
            vec![wanted(EAST, "1.2.200.1"), wanted(EAST, "1.2.200.2"), wanted(EAST, "1.2.200.3")];
        for (repository, id) in [("1.2.200.8", "1.2.200.4"), ("1.2.200.7", "1.2.200.5")] {
            let mut elsewhere = wanted(EAST, id);
            elsewhere.repository = repository.to_owned();
            documents.push(elsewhere);
        }
        let request = RetrieveRequest { documents };
        let response = region.gateway.retrieve_document_set(request, &Caller::default()).await;
        assert_eq!(response.status, Status::PartialSuccess);
        let mut errors: Vec<_> =
            response.errors.iter().map(|e| (e.location.as_deref().unwrap(), e.code.as_ref())).collect();
        errors.sort_unstable();
        assert_eq!(
            errors,
            [
                ("1.2.200.3", "XDSDocumentUniqueIdError"),
                ("1.2.200.4", "XDSRepositoryError"),
                ("1.2.200.5", "XDSUnknownRepositoryId"),
            ]
        );
        assert_eq!(collected(response).await.len(), 2);
    }
}
