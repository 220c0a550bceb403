//! A SOAP front over actors of straw, and messages to send to it.

use std::net::SocketAddr;
use std::time::Instant;

use hyper::header::{CONTENT_TYPE, DATE, HeaderValue};
use hyper::{HeaderMap, Method, Response, Uri};
use sekisho::limits::Limits;
use sekisho::server::{Front, Place, Service, Services};
use sekisho::transactions::Caller;
use sekisho::transactions::errors::{RegistryError, RegistryResponse, code};
use sekisho::transactions::iti18::{ITI18, QueryRequest, QueryResponse};
use sekisho::transactions::iti38::ITI38;
use sekisho::transactions::iti42::ITI42;
use sekisho::transactions::iti43::{DocumentHead, ITI43, RetrieveResponse, RetrievedDocument};
use sekisho::wire::http::{Client, ClientSettings, ServerHandle};
use sekisho::wire::stream::{Body, Content};

use super::http::{PATIENCE, collect, plain, whole};
use super::messages;

/// The stored query whose actor never answers, and the one whose actor panics.
pub const STUCK: &str = "urn:uuid:00000000-0000-0000-0000-00000000dead";
pub const PANICS: &str = "urn:uuid:00000000-0000-0000-0000-00000000bad0";
/// Any other one.
pub const QUERY: &str = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d";

/// A front on which every transaction has an actor.
pub async fn front(limits: Limits) -> ServerHandle {
    plain(limits.clone(), Front::new(services(), &limits)).await
}

pub fn services() -> Services {
    let mut services = Services::new();
    services
        .offer(Place::Services, Service::query(&ITI18, query))
        .offer(Place::Services, Service::query(&ITI38, async |_, caller: Caller| named("ITI-38", &caller)))
        .offer(
            Place::Services,
            Service::retrieve(&ITI43, async |request: sekisho::transactions::iti43::RetrieveRequest, _| {
                let documents = request.documents.into_iter().map(|request| {
                    let mime_type = "text/plain".to_owned();
                    let head = DocumentHead { request, new_repository: None, new_document: None, mime_type };
                    RetrievedDocument { head, content: Content::from_bytes("a document") }
                });
                RetrieveResponse::new(Vec::new(), documents.collect())
            }),
        )
        .offer(
            Place::Hosted,
            Service::register(&ITI42, async |_, _| RegistryResponse::from_errors(Vec::new())),
        )
        .offer(
            Place::Hosted,
            Service::provide(async |_, mut parts: sekisho::wire::soap::Attachments, _| {
                parts.drain().await?;
                Ok(RegistryResponse::from_errors(Vec::new()))
            }),
        );
    services
}

async fn query(request: QueryRequest, caller: Caller) -> QueryResponse {
    match request.query.as_str() {
        STUCK => std::future::pending().await,
        PANICS => panic!("as it was told to"),
        _ => named("ITI-18", &caller),
    }
}

/// An answer that tells which actor gave it, and to whom.
fn named(actor: &str, caller: &Caller) -> QueryResponse {
    assert!(caller.address.is_some() && !caller.trace.is_empty());
    let message = caller.message_id.as_deref().unwrap_or("none");
    QueryResponse::failure(RegistryError::error(code::REGISTRY_ERROR, format!("{actor} for {message}")))
}

pub const SIMPLE: &str = "application/soap+xml; charset=UTF-8";
pub const MESSAGE_ID: &str = "urn:uuid:6d296e90-e5dc-43d0-b455-7c1f3eb35d83";

/// A stored query's body.
pub fn adhoc_query(query: &str) -> String {
    format!(
        "<q:AdhocQueryRequest xmlns:q=\"urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0\" \
         xmlns:rim=\"urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0\"><q:ResponseOption returnComposedObjects=\"true\" \
         returnType=\"LeafClass\"/><rim:AdhocQuery id=\"{query}\"><rim:Slot name=\"$XDSDocumentEntryPatientId\">\
         <rim:ValueList><rim:Value>'CANARY^^^&amp;1.2.3&amp;ISO'</rim:Value></rim:ValueList></rim:Slot></rim:AdhocQuery>\
         </q:AdhocQueryRequest>"
    )
}

/// The body of a retrieve.
pub const RETRIEVE: &str = "<x:RetrieveDocumentSetRequest xmlns:x=\"urn:ihe:iti:xds-b:2007\"><x:DocumentRequest>\
    <x:RepositoryUniqueId>1.2.3</x:RepositoryUniqueId><x:DocumentUniqueId>1.2.3.4</x:DocumentUniqueId>\
    </x:DocumentRequest></x:RetrieveDocumentSetRequest>";

/// An envelope, with more header blocks.
pub fn envelope(action: &str, headers: &str, body: &str) -> String {
    format!(
        "<e:Envelope xmlns:e=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:a=\"http://www.w3.org/2005/08/addressing\"><e:Header><a:Action e:mustUnderstand=\"1\">{action}</a:Action>\
         <a:MessageID>{MESSAGE_ID}</a:MessageID>{headers}</e:Header><e:Body>{body}</e:Body></e:Envelope>"
    )
}

/// A stored query.
pub fn stored_query(query: &str) -> String {
    envelope(ITI18.action, "", &adhoc_query(query))
}

/// An envelope as the root of an MTOM message; gives Content-Type and body.
pub fn mtom(envelope: &str) -> (String, String) {
    let content_type = "multipart/related; type=\"application/xop+xml\"; start=\"<r>\"; \
                        start-info=\"application/soap+xml\"; boundary=\"b\"";
    let body = format!(
        "--b\r\nContent-Type: application/xop+xml; type=\"application/soap+xml\"\r\nContent-ID: <r>\r\n\r\n\
         {envelope}\r\n--b--\r\n"
    );
    (content_type.to_owned(), body)
}

/// A client of a front.
pub struct Asks {
    pub client: Client,
    pub address: SocketAddr,
}

impl Asks {
    pub fn of(server: &ServerHandle) -> Self {
        Self { client: Client::new(&ClientSettings::default()).unwrap(), address: server.address }
    }
    pub async fn post(
        &self,
        path: &str,
        content_type: &str,
        body: impl Into<bytes::Bytes>,
    ) -> Response<Body> {
        let url: Uri = format!("http://{}{path}", self.address).parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::try_from(content_type).unwrap());
        let body = body.into();
        let length = Some(body.len() as u64);
        self.client.post(&url, headers, length, whole(body), Instant::now() + PATIENCE).await.unwrap()
    }
    /// Posts; gives status and body.
    pub async fn text(&self, path: &str, content_type: &str, body: String) -> (u16, String) {
        let answer = self.post(path, content_type, body).await;
        let status = answer.status().as_u16();
        let body = collect(answer.into_body()).await;
        messages::keep_envelopes("answer", &body);
        (status, String::from_utf8(body.to_vec()).unwrap())
    }
    /// Any other method, on a connection of its own.
    pub async fn method(&self, method: Method, path: &str) -> String {
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: gate.example:8443\r\nConnection: close\r\n\r\n");
        super::http::raw(self.address, request.as_bytes()).await
    }
}

/// Status, headers and body of an answer, for a golden.
pub async fn shown(answer: Response<Body>) -> String {
    let (head, body) = answer.into_parts();
    let mut headers: Vec<_> = head.headers.iter().filter(|(name, _)| *name != DATE).collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    let headers = headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()));
    let body = collect(body).await;
    messages::keep_envelopes("answer", &body);
    format!("HTTP {}\n{}\n{}\n", head.status, headers.collect::<String>(), String::from_utf8_lossy(&body))
}
