//! A gateway that asks another asynchronously (ITI TF-1: 18.2, Asynchronous Web Services Exchange Option): answers come to
//! its own address, documents stream through, and whatever comes there unasked is nobody's.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::{Request, Response};
use sekisho::actors::initiating_gateway::InitiatingGateway;
use sekisho::actors::own_community::OwnCommunity;
use sekisho::actors::responding_gateway::RespondingGateway;
use sekisho::federation::Source;
use sekisho::federation::correlate::CorrelationTable;
use sekisho::federation::directory::{Directory, DirectorySettings};
use sekisho::limits::Limits;
use sekisho::server::{Exchange, Front, Place, Service, Services};
use sekisho::transactions::Caller;
use sekisho::transactions::errors::Status;
use sekisho::transactions::iti18::QueryResponse;
use sekisho::transactions::iti38::ITI38;
use sekisho::transactions::iti39::ITI39;
use sekisho::transactions::iti43::{RetrieveRequest, RetrieveResponse};
use sekisho::wire::http::{Client, ClientSettings, Handler, Peer, ServerHandle};
use sekisho::wire::soap::{AllowedReplies, Replies};
use sekisho::wire::stream::Body;

use crate::support::certs::TempDir;
use crate::support::community::{
    Behaviour, InMemory, PATIENT, Scripted, collected, community_file, find_documents, found, home, wanted,
};
use crate::support::front::{Asks, SIMPLE, envelope};
use crate::support::http::plain;
use crate::support::sink::Sink;

const EAST: &str = "1.2.200";
const WEST: &str = "1.2.300";

/// A front that is made when its address is known; counts what it accepts with 202.
#[derive(Clone, Default)]
struct Later {
    front: Arc<OnceLock<Front>>,
    accepted: Arc<AtomicUsize>,
}

impl Handler for Later {
    fn handle(&self, peer: Peer, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let accepted = Arc::clone(&self.accepted);
        let answering = self.front.get().unwrap().handle(peer, request);
        Box::pin(answering.inspect(move |answer| {
            accepted.fetch_add(usize::from(answer.status() == 202), Ordering::SeqCst);
        }))
    }
}

fn exchange(allowed: &[String], replies: Option<Replies>) -> Exchange {
    Exchange {
        allowed: AllowedReplies::new(allowed.iter().map(|url| url.parse().unwrap()).collect()),
        client: Client::new(&ClientSettings::default()).unwrap(),
        replies,
    }
}

/// A gateway of region WEST, whose communities answer to `replies`.
struct Asking {
    server: ServerHandle,
    replies: Replies,
    gateway: InitiatingGateway,
    _folder: TempDir,
}

impl Asking {
    async fn of(community: impl FnOnce(&str) -> String) -> Self {
        let later = Later::default();
        let server = plain(Limits::default(), later.clone()).await;
        let url = format!("http://{}/services/replies", server.address);
        let replies = Replies::new(&url.parse().unwrap());
        let front =
            Front::exchanging(Services::new(), &Limits::default(), exchange(&[], Some(replies.clone())));
        assert!(later.front.set(front).is_ok());
        let folder = TempDir::new();
        std::fs::write(folder.path().join("east.toml"), community(&url)).unwrap();
        let settings = DirectorySettings {
            folder: folder.path().to_owned(),
            replies: Some(replies.clone()),
            ..DirectorySettings::default()
        };
        let directory = Directory::load(settings).unwrap();
        let own = OwnCommunity::new("West", home(WEST), Arc::new(InMemory::default()) as Arc<dyn Source>);
        let correlation = Arc::new(CorrelationTable::default());
        let gateway = InitiatingGateway::new(own, directory, correlation, Duration::from_secs(5));
        Self { server, replies, gateway, _folder: folder }
    }

    async fn find(&self) -> QueryResponse {
        self.gateway.registry_stored_query(find_documents(PATIENT), &Caller::default()).await
    }

    async fn fetch(&self, ids: &[&str]) -> RetrieveResponse {
        let documents = ids.iter().map(|id| wanted(EAST, id)).collect();
        self.gateway.retrieve_document_set(RetrieveRequest { documents }, &Caller::default()).await
    }
}

/// A Responding Gateway of region EAST that replies wherever it is told to on this machine.
fn responding(source: Arc<dyn Source>, allowed: &[String]) -> Front {
    let gateway =
        RespondingGateway::new(OwnCommunity::new("East", home(EAST), source), Duration::from_secs(5));
    let (query, retrieve) = (gateway.clone(), gateway);
    let mut services = Services::new();
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
    Front::exchanging(services, &Limits::default(), exchange(allowed, None))
}

fn file(east: &ServerHandle) -> String {
    community_file(EAST, east.address, "asynchronous = true")
        .replace("/iti38", "/services/iti-38")
        .replace("/iti39", "/services/iti-39")
        .replace("deadline_ms = 1500", "deadline_ms = 4000")
}

#[tokio::test]
async fn answers_come_on_connections_of_their_own_with_documents_of_any_size() {
    let large = bytes::Bytes::from(vec![b'x'; 9_000_000]);
    let mut source = InMemory::with(&["1.2.200.1", "1.2.200.3"]);
    source.documents.insert(1, ("1.2.200.2".to_owned(), large.clone()));
    let later = Later::default();
    let east = plain(Limits::default(), later.clone()).await;
    let west = Asking::of(|_| file(&east)).await;
    let allowed = [west.replies.address().to_owned()];
    assert!(later.front.set(responding(Arc::new(source), &allowed)).is_ok());

    let response = west.find().await;
    assert_eq!(response.status, Status::Success, "{:#?}", response.errors);
    assert_eq!(found(&response), ["1.2.200.1", "1.2.200.2", "1.2.200.3"]);
    let documents = collected(west.fetch(&["1.2.200.1", "1.2.200.2", "1.2.200.3"]).await).await;
    assert_eq!(documents["1.2.200.1"], "document 1.2.200.1");
    assert!(documents["1.2.200.2"] == large);
    assert_eq!(documents["1.2.200.3"], "document 1.2.200.3");
    let missing = west.fetch(&["1.2.200.4"]).await;
    assert_eq!(missing.errors[0].code, "XDSDocumentUniqueIdError");
    assert_eq!(later.accepted.load(Ordering::SeqCst), 3, "each was answered with 202 at first");
    assert_eq!(west.replies.open(), 0);
}

#[tokio::test]
async fn a_fault_that_comes_later_is_the_communitys() {
    let mut sink = Sink::new(&[]).await;
    let west = Asking::of(|_| community_file(EAST, sink.server.address, "asynchronous = true")).await;
    let asking = async { west.find().await };
    let telling = async {
        let question = sink.next().await;
        assert_eq!(question.text("Address"), west.replies.address());
        let fault = "<e:Fault><e:Code><e:Value>e:Receiver</e:Value></e:Code><e:Reason><e:Text xml:lang=\"en\">no</e:Text>\
                     </e:Reason></e:Fault>";
        let relates_to = format!("<a:RelatesTo>{}</a:RelatesTo>", question.text("MessageID"));
        let reply = envelope("urn:fault", &relates_to, fault);
        let asks = Asks::of(&west.server);
        assert_eq!(asks.text("/services/replies", SIMPLE, reply.clone()).await, (202, String::new()));
        assert_eq!(
            asks.text("/services/replies", SIMPLE, reply).await,
            (202, String::new()),
            "a second one is passed over"
        );
    };
    let (response, ()) = tokio::join!(asking, telling);
    assert_eq!(response.errors[0].code, "XDSUnavailableCommunity");
    assert!(response.errors[0].context.contains("fault"), "{}", response.errors[0].context);
}

#[tokio::test]
async fn an_answer_that_never_comes_is_a_community_that_is_late_and_one_that_comes_too_late_is_nobodys() {
    let mut sink = Sink::new(&[]).await;
    let file = |_: &str| {
        community_file(EAST, sink.server.address, "asynchronous = true")
            .replace("ms = 1500", "ms = 300\nattempts = 1")
    };
    let west = Asking::of(file).await;
    let response = west.find().await;
    assert_eq!(response.errors[0].code, "XDSUnavailableCommunity");
    let question = sink.next().await;
    let relates_to = format!("<a:RelatesTo>{}</a:RelatesTo>", question.text("MessageID"));
    let asks = Asks::of(&west.server);
    let late = envelope("urn:x", &relates_to, "<q/>");
    assert_eq!(asks.text("/services/replies", SIMPLE, late).await, (202, String::new()));
    let (status, body) = asks.text("/services/replies", SIMPLE, envelope("urn:x", "", "<q/>")).await;
    assert!(status == 400 && body.contains("wsa:RelatesTo"), "{body}");
    assert!(asks.method(hyper::Method::GET, "/services/replies").await.starts_with("HTTP/1.1 405 "));
}

/// Whoever knows the id of a message, and is not who was asked, answers nothing.
#[tokio::test]
async fn attack_58_an_answer_under_another_certificate_is_not_taken() {
    let mut sink = Sink::new(&[]).await;
    let file = |_: &str| {
        let from = "asynchronous = { subject = \"CN=gate.east.example\" }";
        community_file(EAST, sink.server.address, from).replace("ms = 1500", "ms = 500\nattempts = 1")
    };
    let west = Asking::of(file).await;
    let telling = async {
        let question = sink.next().await;
        let relates_to = format!("<a:RelatesTo>{}</a:RelatesTo>", question.text("MessageID"));
        let spoofed = envelope("urn:x", &relates_to, "<q/>");
        assert_eq!(Asks::of(&west.server).text("/services/replies", SIMPLE, spoofed).await.0, 202);
    };
    let (response, ()) = tokio::join!(west.find(), telling);
    assert!(response.errors[0].context.contains("time"), "{}", response.errors[0].context);
}

#[tokio::test]
async fn a_peer_that_answers_at_once_all_the_same_is_understood() {
    let east = Scripted::new(EAST, Behaviour::Right).await;
    let west = Asking::of(|_| east.file("asynchronous = true").1).await;
    let response = west.find().await;
    assert_eq!(response.status, Status::Success, "{:#?}", response.errors);
    assert_eq!(found(&response), ["1.2.200.1", "1.2.200.2"]);
    assert!(east.last_request().contains(west.replies.address()), "it was asked asynchronously");
    let documents = collected(west.fetch(&["1.2.200.1"]).await).await;
    assert_eq!(documents["1.2.200.1"], "document 1.2.200.1");
    assert_eq!(west.replies.open(), 0, "nobody waits any longer");
}
