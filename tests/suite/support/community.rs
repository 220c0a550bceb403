//! Communities for tests: one behind a real socket that misbehaves as told, written on bytes so that it shares nothing with
//! what it tests, and one inside the process.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use sekisho::actors::initiating_gateway::InitiatingGateway;
use sekisho::actors::own_community::OwnCommunity;
use sekisho::federation::correlate::{CorrelationRow, CorrelationTable};
use sekisho::federation::directory::{Directory, DirectorySettings};
use sekisho::federation::{Source, Unavailable};
use sekisho::ids::{HomeCommunityId, PatientId};
use sekisho::transactions::Caller;
use sekisho::transactions::errors::{RegistryError, code};
use sekisho::transactions::iti18::{
    Parameter, QueryRequest, QueryResponse, RegistryObject, ReturnType, read_response, write_response,
};
use sekisho::transactions::iti43::{
    DocumentHead, DocumentRequest, RetrieveRequest, RetrieveResponse, RetrievedDocument,
};
use sekisho::wire::stream::Content;
use sekisho::wire::xml::Tree;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::certs::TempDir;
use super::messages;

pub const FIND_DOCUMENTS: &str = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d";
pub const GET_DOCUMENTS: &str = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4";
pub const PATIENT: &str = "P1^^^&1.2.392.1&ISO";

/// How a community behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// As it should.
    Right,
    /// Closes every connection at once.
    Closes,
    /// Resets the connection in the middle of its answer.
    ResetsMidBody,
    /// Sends a part of its answer and then nothing.
    Stalls,
    /// Bytes that are not XML, under the right Content-Type.
    Garbage,
    /// An error page with status 200.
    Html,
    /// Status 200 without a body.
    Empty,
    /// A multipart answer that ends within a part.
    TruncatedMtom,
    /// wsa:RelatesTo names another message.
    WrongRelatesTo,
    /// Objects without home.
    NoHome,
    /// A SOAP fault.
    Fault,
    /// Right, after a while.
    Slow(Duration),
    /// Objects with the home of another community.
    Spoofs(&'static str),
    /// The bytes of documents differ from their metadata.
    OtherBytes,
    /// Every object and document twice.
    Twice,
    /// XDSUnknownPatientId.
    UnknownPatient,
    /// An error without location.
    NoLocation,
    /// Entries without languageCode.
    NoLanguage,
    /// At most so many documents per request.
    AtMost(usize),
    /// The parts of its documents come in the opposite order.
    Backwards,
    /// The first document refers to a part that is not there.
    NoPart,
    /// Documents that were asked for are left out, silently.
    Forgets,
}

/// A community behind a socket: ITI-38 on `/iti38`, ITI-39 on `/iti39`. It goes when it is dropped.
pub struct Scripted {
    pub address: SocketAddr,
    script: Script,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Scripted {
    /// A community with two small documents, `HOME.1` and `HOME.2` (home without `urn:oid:`).
    pub async fn new(home: &str, behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let documents = (1..=2).map(|n| {
            let id = format!("{home}.{n}");
            let bytes = Bytes::from(format!("document {id}"));
            (id, bytes)
        });
        let script = Script {
            home: home.to_owned(),
            behaviour: Arc::new(Mutex::new(behaviour)),
            requests: Arc::default(),
            last_request: Arc::default(),
            documents: Arc::new(Mutex::new(documents.collect())),
        };
        let serving = script.clone();
        let task = tokio::spawn(async move {
            // Connections belong to this task, and end with it.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serving.clone().serve(stream));
            }
        });
        Self { script, address, task }
    }

    pub fn set(&self, behaviour: Behaviour) {
        *self.script.behaviour.lock().unwrap() = behaviour;
    }

    /// Requests so far.
    pub fn count(&self) -> usize {
        self.script.requests.load(Ordering::SeqCst)
    }

    pub fn last_request(&self) -> String {
        self.script.last_request.lock().unwrap().clone()
    }

    pub fn add(&self, id: &str, bytes: impl Into<Bytes>) {
        self.script.documents.lock().unwrap().insert(id.to_owned(), bytes.into());
    }

    /// Its file for the directory, with further lines.
    pub fn file(&self, more: &str) -> (String, String) {
        (self.script.home.clone(), community_file(&self.script.home, self.address, more))
    }
}

/// A community's file: it shares the patient's authority with us, has a second and a half, and a breaker that opens early.
pub fn community_file(home: &str, address: SocketAddr, more: &str) -> String {
    format!(
        "name = \"Region {home}\"\nhome = [\"urn:oid:{home}\"]\nauthorities = [\"1.2.392.1\"]\n{more}\n\
         [endpoints]\niti38 = \"http://{address}/iti38\"\niti39 = \"http://{address}/iti39\"\n\
         [limits]\ndeadline_ms = 1500\nbreaker_failures = 3\nbreaker_pause_ms = 200\n"
    )
}

#[derive(Clone)]
struct Script {
    home: String,
    behaviour: Arc<Mutex<Behaviour>>,
    requests: Arc<AtomicUsize>,
    last_request: Arc<Mutex<String>>,
    documents: Arc<Mutex<HashMap<String, Bytes>>>,
}

const OK: &str = "200 OK";
const SOAP: &str = "application/soap+xml; charset=UTF-8";
const BOUNDARY: &str = "--the-boundary-of-a-peer";

impl Script {
    async fn serve(self, mut stream: TcpStream) {
        while let Some((path, request)) = read_request(&mut stream).await {
            self.requests.fetch_add(1, Ordering::SeqCst);
            messages::keep_envelopes("request-to-a-peer", request.as_bytes());
            *self.last_request.lock().unwrap() = request.clone();
            let behaviour = *self.behaviour.lock().unwrap();
            let (status, content_type, body) = match path.contains("39") {
                true => self.documents_answer(behaviour, &request),
                false => (OK, SOAP.to_owned(), self.query_answer(behaviour, &request).into_bytes()),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let half = body.len() / 2;
            match behaviour {
                Behaviour::Closes => return,
                Behaviour::ResetsMidBody => {
                    let _ = stream.write_all(&[head.as_bytes(), &body[..half]].concat()).await;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    let _ = stream.set_zero_linger();
                    return;
                }
                Behaviour::Stalls => {
                    let _ = stream.write_all(&[head.as_bytes(), &body[..half]].concat()).await;
                    std::future::pending::<()>().await;
                }
                Behaviour::Html => {
                    let page = "<html><body>Bad gateway</body></html>";
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{page}",
                        page.len()
                    );
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
                Behaviour::Empty => {
                    let answer =
                        format!("HTTP/1.1 200 OK\r\nContent-Type: {SOAP}\r\nContent-Length: 0\r\n\r\n");
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
                Behaviour::TruncatedMtom => {
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\r\n");
                    let _ = stream.write_all(&[answer.as_bytes(), &body[..half]].concat()).await;
                    return;
                }
                Behaviour::Slow(pause) => {
                    tokio::time::sleep(pause).await;
                    let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
                }
                _ => {
                    if stream.write_all(&[head.as_bytes(), &body].concat()).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn query_answer(&self, behaviour: Behaviour, request: &str) -> String {
        let documents = self.documents.lock().unwrap();
        let mut ids: Vec<_> = documents.keys().collect();
        ids.sort();
        let mut entries = String::new();
        for id in ids {
            let home = match behaviour {
                Behaviour::NoHome => None,
                Behaviour::Spoofs(other) => Some(other),
                _ => Some(self.home.as_str()),
            };
            let mut entry = entry_xml(home, id, &documents[id]);
            if behaviour == Behaviour::NoLanguage {
                entry = entry.replace("languageCode", "languageCod");
            }
            entries.push_str(&entry);
            if behaviour == Behaviour::Twice {
                entries.push_str(&entry);
            }
        }
        let (status, errors, entries) = match behaviour {
            Behaviour::UnknownPatient => {
                let error = error_xml("XDSUnknownPatientId", Some(&format!("urn:oid:{}", self.home)));
                ("urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure", error, String::new())
            }
            Behaviour::NoLocation => {
                let error = error_xml("XDSRegistryError", None);
                ("urn:ihe:iti:2007:ResponseStatusType:PartialSuccess", error, entries)
            }
            _ => ("urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success", String::new(), entries),
        };
        let body = format!(
            r#"<query:AdhocQueryResponse xmlns:query="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0" xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0" xmlns:rs="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0" status="{status}">{errors}<rim:RegistryObjectList>{entries}</rim:RegistryObjectList></query:AdhocQueryResponse>"#
        );
        envelope(behaviour, request, "urn:ihe:iti:2007:CrossGatewayQueryResponse", &body)
    }

    fn documents_answer(&self, behaviour: Behaviour, request: &str) -> (&'static str, String, Vec<u8>) {
        let documents = self.documents.lock().unwrap();
        let wanted = texts(request, "DocumentUniqueId");
        let mut responses = String::new();
        let mut parts = Vec::new();
        let refuses = matches!(behaviour, Behaviour::AtMost(most) if wanted.len() > most);
        let repeats = if behaviour == Behaviour::Twice { 2 } else { 1 };
        for (number, id) in wanted.iter().enumerate().filter(|_| !refuses) {
            let Some(bytes) = documents.get(id) else { continue };
            if behaviour == Behaviour::Forgets && number == 0 {
                continue;
            }
            for repeat in 0..repeats {
                responses.push_str(&format!(
                    r#"<xds:DocumentResponse><xds:HomeCommunityId>urn:oid:{}</xds:HomeCommunityId><xds:RepositoryUniqueId>{}.9</xds:RepositoryUniqueId><xds:DocumentUniqueId>{id}</xds:DocumentUniqueId><xds:mimeType>text/plain</xds:mimeType><xds:Document><xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:{number}.{repeat}@peer"/></xds:Document></xds:DocumentResponse>"#,
                    self.home, self.home
                ));
                let bytes = match behaviour {
                    Behaviour::OtherBytes => Bytes::from("re-saved on the way"),
                    _ => bytes.clone(),
                };
                parts.push((format!("{number}.{repeat}@peer"), bytes));
            }
        }
        match behaviour {
            Behaviour::Backwards => parts.reverse(),
            Behaviour::NoPart => drop(parts.remove(0)),
            _ => {}
        }
        let (status, errors) = match refuses {
            true => (
                "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure",
                error_xml("XDSRepositoryError", Some(&format!("urn:oid:{}", self.home))),
            ),
            false => ("urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success", String::new()),
        };
        let body = format!(
            r#"<xds:RetrieveDocumentSetResponse xmlns:xds="urn:ihe:iti:xds-b:2007" xmlns:rs="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"><rs:RegistryResponse status="{status}">{errors}</rs:RegistryResponse>{responses}</xds:RetrieveDocumentSetResponse>"#
        );
        let action = "urn:ihe:iti:2007:CrossGatewayRetrieveResponse";
        let root = envelope(behaviour, request, action, &body);
        let mut message = format!(
            "--{BOUNDARY}\r\nContent-Type: application/xop+xml; charset=UTF-8; type=\"application/soap+xml\"\r\n\
             Content-ID: <root@peer>\r\n\r\n{root}"
        )
        .into_bytes();
        for (id, bytes) in parts {
            let head = format!(
                "\r\n--{BOUNDARY}\r\nContent-Type: text/plain\r\nContent-ID: <{id}>\r\n\
                 Content-Transfer-Encoding: binary\r\n\r\n"
            );
            message.extend_from_slice(head.as_bytes());
            message.extend_from_slice(&bytes);
        }
        message.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        let content_type = format!(
            "multipart/related; type=\"application/xop+xml\"; start=\"<root@peer>\"; \
             start-info=\"application/soap+xml\"; boundary=\"{BOUNDARY}\""
        );
        (OK, content_type, message)
    }
}

fn envelope(behaviour: Behaviour, request: &str, action: &str, body: &str) -> String {
    if behaviour == Behaviour::Garbage {
        return "\u{1}\u{2} this is not XML <<<<".to_owned();
    }
    let asked = texts(request, "MessageID").into_iter().next().unwrap_or_default();
    let relates_to = match behaviour {
        Behaviour::WrongRelatesTo => "urn:uuid:00000000-0000-4000-8000-000000000000",
        _ => &asked,
    };
    let body = match behaviour {
        Behaviour::Fault => {
            "<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason>\
             <s:Text xml:lang=\"en\">out of order: P1 is unknown</s:Text></s:Reason></s:Fault>"
        }
        _ => body,
    };
    format!(
        r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:wsa="http://www.w3.org/2005/08/addressing"><s:Header><wsa:Action s:mustUnderstand="true">{action}</wsa:Action><wsa:MessageID>urn:uuid:{}</wsa:MessageID><wsa:RelatesTo>{relates_to}</wsa:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>"#,
        uuid::Uuid::new_v4()
    )
}

fn error_xml(code: &str, location: Option<&str>) -> String {
    let location = location.map_or(String::new(), |location| format!(r#" location="{location}""#));
    format!(
        r#"<rs:RegistryErrorList><rs:RegistryError errorCode="{code}" codeContext="the peer says so" severity="urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"{location}/></rs:RegistryErrorList>"#
    )
}

/// An ExtrinsicObject as a registry gives it, under a root that declares `rim`.
pub fn entry_xml(home: Option<&str>, unique_id: &str, bytes: &[u8]) -> String {
    let uuid = uuid_of(unique_id);
    let home_attribute = home.map_or(String::new(), |home| format!(r#" home="urn:oid:{home}""#));
    let owner = home.unwrap_or("0.0");
    format!(
        r#"<rim:ExtrinsicObject id="{uuid}" lid="{uuid}"{home_attribute} mimeType="text/plain" objectType="urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1" status="urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"><rim:Slot name="hash"><rim:ValueList><rim:Value>{}</rim:Value></rim:ValueList></rim:Slot><rim:Slot name="languageCode"><rim:ValueList><rim:Value>ja-JP</rim:Value></rim:ValueList></rim:Slot><rim:Slot name="repositoryUniqueId"><rim:ValueList><rim:Value>{owner}.9</rim:Value></rim:ValueList></rim:Slot><rim:Slot name="size"><rim:ValueList><rim:Value>{}</rim:Value></rim:ValueList></rim:Slot><rim:ExternalIdentifier id="urn:uuid:1" registryObject="{uuid}" identificationScheme="urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427" value="{PATIENT_XML}"/><rim:ExternalIdentifier id="urn:uuid:2" registryObject="{uuid}" identificationScheme="urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab" value="{unique_id}"/></rim:ExtrinsicObject>"#,
        sha1(bytes),
        bytes.len()
    )
}

const PATIENT_XML: &str = "P1^^^&amp;1.2.392.1&amp;ISO";

/// The entryUUID that belongs to a uniqueId here: the same in every run.
pub fn uuid_of(unique_id: &str) -> String {
    let digest = sha1(unique_id.as_bytes());
    format!(
        "urn:uuid:{}-{}-4{}-8{}-{}",
        &digest[..8],
        &digest[8..12],
        &digest[12..15],
        &digest[15..18],
        &digest[18..30]
    )
}

pub fn sha1(bytes: &[u8]) -> String {
    openssl::sha::sha1(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// The texts of all elements of that local name.
fn texts(xml: &str, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for piece in xml.split(&format!(":{name}")).skip(1) {
        if let Some((attributes, rest)) = piece.split_once('>')
            && !attributes.contains('<')
            && let Some((text, _)) = rest.split_once("</")
            && !text.is_empty()
        {
            found.push(text.to_owned());
        }
    }
    found
}

/// Reads a request: its path and its body, or None at the end.
async fn read_request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).to_ascii_lowercase();
    let length =
        head.split("content-length:").nth(1).and_then(|l| l.lines().next()?.trim().parse::<usize>().ok());
    let whole = |bytes: &[u8]| match length {
        Some(length) => bytes.len() >= head_end + length,
        None => bytes.ends_with(b"0\r\n\r\n"),
    };
    while !whole(&bytes) {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let path = head.split(' ').nth(1)?.to_owned();
    Some((path, String::from_utf8_lossy(&bytes[head_end..]).into_owned()))
}

/// A region's own registry and repository, in memory.
#[derive(Default)]
pub struct InMemory {
    pub documents: Vec<(String, Bytes)>,
    pub queries: Mutex<Vec<QueryRequest>>,
    /// How often it lets others go first.
    pub yields: usize,
}

impl InMemory {
    pub fn with(ids: &[&str]) -> Self {
        let documents = ids.iter().map(|id| ((*id).to_owned(), Bytes::from(format!("document {id}"))));
        Self { documents: documents.collect(), ..Self::default() }
    }
}

impl Source for InMemory {
    fn query<'a>(
        &'a self,
        request: QueryRequest,
        _: &'a Caller,
        _: Instant,
    ) -> BoxFuture<'a, Result<QueryResponse, Unavailable>> {
        Box::pin(async move {
            for _ in 0..self.yields {
                tokio::task::yield_now().await;
            }
            self.queries.lock().unwrap().push(request);
            let entries: String =
                self.documents.iter().map(|(id, bytes)| entry_xml(None, id, bytes)).collect();
            Ok(QueryResponse::new(Vec::new(), objects(&entries)))
        })
    }

    fn retrieve<'a>(
        &'a self,
        request: RetrieveRequest,
        _: &'a Caller,
        _: Instant,
    ) -> BoxFuture<'a, Result<RetrieveResponse, Unavailable>> {
        Box::pin(async move {
            let (mut errors, mut documents) = (Vec::new(), Vec::new());
            for wanted in request.documents {
                match self.documents.iter().find(|(id, _)| *id == wanted.document) {
                    Some((_, bytes)) => documents.push(RetrievedDocument {
                        head: DocumentHead {
                            request: wanted,
                            new_repository: None,
                            new_document: None,
                            mime_type: "text/plain".to_owned(),
                        },
                        content: Content::from_bytes(bytes.clone()),
                    }),
                    None => errors.push(
                        RegistryError::error(code::DOCUMENT_UNIQUE_ID_ERROR, "there is no such document")
                            .at(wanted.document),
                    ),
                }
            }
            Ok(RetrieveResponse::new(errors, documents))
        })
    }
}

/// Objects from their XML, as an answer to ITI-18 gives them.
pub fn objects(xml: &str) -> Vec<RegistryObject> {
    let text = format!(
        r#"<query:AdhocQueryResponse xmlns:query="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0" xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0" status="urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"><rim:RegistryObjectList>{xml}</rim:RegistryObjectList></query:AdhocQueryResponse>"#
    );
    let tree = Tree::parse(Bytes::from(text)).unwrap();
    read_response(tree.root()).unwrap().objects
}

/// A gateway of region 1.2.100 with its own document `1.2.100.1`, to the communities of those files.
pub struct Gateway {
    pub gateway: InitiatingGateway,
    pub directory: Arc<Directory>,
    pub own: Arc<InMemory>,
    pub folder: TempDir,
}

pub const OWN: &str = "1.2.100";

impl Gateway {
    pub fn new(files: &[(String, String)]) -> Self {
        Self::correlating(files, [])
    }

    pub fn correlating(files: &[(String, String)], rows: impl IntoIterator<Item = CorrelationRow>) -> Self {
        let folder = TempDir::new();
        for (name, text) in files {
            std::fs::write(folder.path().join(format!("{name}.toml")), text).unwrap();
        }
        let settings = DirectorySettings {
            folder: folder.path().to_owned(),
            own: vec![home(OWN)],
            ..DirectorySettings::default()
        };
        let directory = Directory::load(settings).unwrap();
        let own = Arc::new(InMemory::with(&["1.2.100.1"]));
        let source = Arc::clone(&own) as Arc<dyn Source>;
        let correlation = Arc::new(CorrelationTable::new(rows));
        let gateway = InitiatingGateway::new(
            OwnCommunity::new("Own Region", home(OWN), source),
            Arc::clone(&directory),
            correlation,
            Duration::from_millis(2000),
        );
        Self { gateway, directory, own, folder }
    }

    pub async fn find(&self) -> QueryResponse {
        let response = self.gateway.registry_stored_query(find_documents(PATIENT), &Caller::default()).await;
        messages::keep("federated-answer", &write_response(&response).concat());
        response
    }

    pub async fn fetch(&self, documents: &[(&str, &str)]) -> RetrieveResponse {
        let documents = documents.iter().map(|(home, id)| wanted(home, id)).collect();
        self.gateway.retrieve_document_set(RetrieveRequest { documents }, &Caller::default()).await
    }

    /// How often a community was noticed to break a rule.
    pub fn oddities(&self, of: &str) -> Vec<(&'static str, u64)> {
        let communities = self.directory.communities();
        communities.find(&home(of)).unwrap().peer.member.observed.counts().oddities
    }
}

pub fn home(oid: &str) -> HomeCommunityId {
    HomeCommunityId::parse(oid).unwrap()
}

pub fn patient(cx: &str) -> PatientId {
    PatientId::parse(cx).unwrap()
}

/// Document `id` of the repository of a community.
pub fn wanted(home: &str, id: &str) -> DocumentRequest {
    DocumentRequest {
        home: Some(format!("urn:oid:{home}")),
        repository: format!("{home}.9"),
        document: id.to_owned(),
    }
}

pub fn stored_query(query: &str, home: Option<&str>, parameters: &[(&str, &str)]) -> QueryRequest {
    let parameter = |(name, value): &(&str, &str)| Parameter {
        name: (*name).to_owned(),
        values: vec![(*value).to_owned()],
    };
    QueryRequest {
        query: query.to_owned(),
        home: home.map(str::to_owned),
        return_type: ReturnType::LeafClass,
        parameters: parameters.iter().map(parameter).collect(),
    }
}

pub fn find_documents(patient: &str) -> QueryRequest {
    let patient = format!("'{patient}'");
    let approved = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')";
    stored_query(
        FIND_DOCUMENTS,
        None,
        &[("$XDSDocumentEntryPatientId", &patient), ("$XDSDocumentEntryStatus", approved)],
    )
}

/// uniqueIds of the entries of an answer, sorted.
pub fn found(response: &QueryResponse) -> Vec<&str> {
    let mut ids: Vec<_> = response.objects.iter().filter_map(|o| o.unique_id.as_deref()).collect();
    ids.sort_unstable();
    ids
}

/// Documents of an answer by id, whole.
pub async fn collected(response: RetrieveResponse) -> HashMap<String, Bytes> {
    let mut all = HashMap::new();
    for document in response.documents {
        let bytes = document.content.collect(u64::MAX).await.unwrap();
        all.insert(document.head.request.document, bytes);
    }
    all
}
