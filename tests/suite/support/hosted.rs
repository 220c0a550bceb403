//! A stand-alone registry and repository in this process, and messages to it over a socket.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hyper::Uri;
use sekisho::cli::assemble::Running;
use sekisho::cli::peer::{Peer, PeerError, Sink};
use sekisho::limits::Limits;
use sekisho::metadata::{Object, Submission};
use sekisho::transactions::errors::RegistryResponse;
use sekisho::transactions::iti18::{ITI18, Parameter, QueryRequest, QueryResponse, ReturnType};
use sekisho::transactions::iti41::{self, ITI41};
use sekisho::transactions::iti42::ITI42;
use sekisho::transactions::iti43::{
    DocumentHead, DocumentRequest, ITI43, RetrieveRequest, RetrieveResponseHead,
};
use sekisho::transactions::iti62::{self, ITI62, RemoveRequest};
use sekisho::transactions::iti86::{self, ITI86};
use sekisho::transactions::{Transaction, iti18, iti42};
use sekisho::wire::http::{Client, ClientSettings, TlsClient};
use sekisho::wire::soap::{Attachment, CallError, Endpoint, Form, Message, Outgoing, call};
use sekisho::wire::stream::Content;
use sekisho::wire::xml::{Ns, Tree};

use super::certs::{Authority, Pair, TempDir};
use super::draft::{Draft, id};
use super::http::PATIENCE;
use super::{messages, postgres};

/// repositoryUniqueId.
pub const REPOSITORY: &str = "1.2.3.4";
/// The URN of a status, as a parameter.
pub const APPROVED: &str = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')";

/// A registry and repository of one region, open to everybody.
pub const CONFIG: &str = "[community]\nhome = \"urn:oid:1.2.3\"\nname = \"試験\"\n[listen.http]\naddress = \
    \"127.0.0.1:0\"\n[standalone]\nrepository = \"1.2.3.4\"\npatients = \"any\"\n\
    permit = { update = [\"*\"], remove = [\"*\"] }\n";

/// A registry and repository, or one of its tenants.
pub struct Standalone {
    running: Arc<Running>,
    client: Client,
    /// What the names of its endpoints begin with.
    prefix: String,
    /// Its data lie there.
    pub folder: Arc<TempDir>,
}

impl Standalone {
    /// Starts one with settings laid over the usual ones.
    pub async fn start(overrides: &[&str]) -> Self {
        Self::configured(CONFIG, overrides).await
    }

    /// Starts what a configuration says.
    pub async fn configured(configuration: &str, overrides: &[&str]) -> Self {
        Self::in_folder(Arc::new(TempDir::new()), configuration, overrides).await
    }

    /// The same where something has been before.
    pub async fn in_folder(folder: Arc<TempDir>, configuration: &str, overrides: &[&str]) -> Self {
        let file = folder.path().join("sekisho.toml");
        std::fs::write(&file, configuration).unwrap();
        let overrides = overrides.iter().map(|text| (*text).to_owned());
        let overrides: Vec<_> = postgres::setting_for(folder.path()).into_iter().chain(overrides).collect();
        let running = Running::start(&file, &overrides).await.map_err(|stop| stop.message).unwrap();
        let client = Client::new(&ClientSettings::default()).unwrap();
        Self { running: Arc::new(running), client, prefix: String::new(), folder }
    }

    /// A tenant in the same process.
    pub fn tenant(&self, name: &str) -> Self {
        Self {
            running: Arc::clone(&self.running),
            client: self.client.clone(),
            prefix: format!("hosted-{name}-"),
            folder: Arc::clone(&self.folder),
        }
    }

    /// The same, as whoever has a certificate sees it.
    pub fn seen_by(&self, authority: &Authority, pair: &Pair) -> Self {
        let tls = TlsClient::new(&authority.ca(), Some((&pair.certificate, &pair.key))).unwrap();
        let settings = ClientSettings { tls: Some(tls), ..ClientSettings::default() };
        Self {
            running: Arc::clone(&self.running),
            client: Client::new(&settings).unwrap(),
            prefix: self.prefix.clone(),
            folder: Arc::clone(&self.folder),
        }
    }

    /// The process.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// Where a transaction is answered, if it is.
    pub fn url(&self, transaction: &Transaction) -> Option<Uri> {
        let name = transaction.id.to_ascii_lowercase().replace('-', "");
        self.running.bound().endpoints.get(&format!("{}{name}", self.prefix)).map(|url| url.parse().unwrap())
    }

    /// Sends a body, and gives the answer, which has the transaction's own action.
    pub async fn call(
        &self,
        transaction: &Transaction,
        body: Vec<Bytes>,
        attachments: Vec<Attachment>,
    ) -> Result<Message, CallError> {
        self.send(transaction, Outgoing { body, attachments, ..Outgoing::default() }).await
    }

    /// Sends a message as it is, but for what follows from its transaction.
    pub async fn send(&self, transaction: &Transaction, message: Outgoing) -> Result<Message, CallError> {
        // The published schema of ITI-86 has room for one document only, the supplement's text for any number.
        if *transaction != ITI86 {
            messages::keep(transaction.id, &message.body.concat());
        }
        self.deliver(transaction, message).await
    }

    /// The same with what need not be valid, and is not kept for the schemas.
    pub async fn deliver(&self, transaction: &Transaction, message: Outgoing) -> Result<Message, CallError> {
        let endpoint = Endpoint { url: self.url(transaction).unwrap(), relates_to_optional: false };
        let request = Outgoing {
            form: if transaction.mtom { Form::Mtom } else { Form::Simple },
            action: transaction.action.to_owned(),
            to: Some(endpoint.url.to_string()),
            ..message
        };
        let deadline = Instant::now() + PATIENCE;
        let message = call(&self.client, &endpoint, request, &Limits::default(), deadline).await?;
        assert_eq!(message.envelope.addressing.action.as_deref(), Some(transaction.response_action));
        Ok(message)
    }

    /// Asks a stored query for whole objects.
    pub async fn ask(
        &self,
        transaction: &Transaction,
        query: &str,
        parameters: &[(&str, &str)],
    ) -> QueryResponse {
        let parameters = parameters
            .iter()
            .map(|(name, value)| Parameter { name: (*name).to_owned(), values: vec![(*value).to_owned()] })
            .collect();
        let return_type = ReturnType::LeafClass;
        let request = QueryRequest { query: query.to_owned(), home: None, return_type, parameters };
        self.question(transaction, &request).await
    }

    /// Asks a stored query.
    pub async fn question(&self, transaction: &Transaction, request: &QueryRequest) -> QueryResponse {
        let message = self.call(transaction, vec![iti18::write_request(request)], Vec::new()).await.unwrap();
        iti18::read_response(message.envelope.body().unwrap()).unwrap()
    }

    /// The entryUUIDs of a patient's approved entries.
    pub async fn entries_of(&self, patient: &str) -> Vec<String> {
        const FIND_DOCUMENTS: &str = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d";
        let patient = format!("'{patient}'");
        let parameters =
            [("$XDSDocumentEntryPatientId", patient.as_str()), ("$XDSDocumentEntryStatus", APPROVED)];
        let answer = self.ask(&ITI18, FIND_DOCUMENTS, &parameters).await;
        assert_eq!(answer.errors, []);
        answer.objects.into_iter().map(|object| object.id).collect()
    }

    /// Sends metadata: ITI-42 and its likes.
    pub async fn register(&self, transaction: &Transaction, submission: &Submission) -> RegistryResponse {
        self.answered(transaction, iti42::write_request(submission)).await
    }

    /// The same of metadata that no schema need allow.
    pub async fn register_invalid(
        &self,
        transaction: &Transaction,
        submission: &Submission,
    ) -> RegistryResponse {
        let message = Outgoing { body: vec![iti42::write_request(submission)], ..Outgoing::default() };
        let message = self.deliver(transaction, message).await.unwrap();
        iti42::read_response(message.envelope.body().unwrap()).unwrap()
    }

    /// Sends a body that is answered with an rs:RegistryResponse.
    pub async fn answered(&self, transaction: &Transaction, body: Bytes) -> RegistryResponse {
        let message = self.call(transaction, vec![body], Vec::new()).await.unwrap();
        iti42::read_response(message.envelope.body().unwrap()).unwrap()
    }

    /// Registers what must be accepted.
    pub async fn accept(&self, draft: &Draft) {
        assert_eq!(self.register(&ITI42, &draft.submission()).await.errors, []);
    }

    /// The object of a name, as the registry gives it.
    pub async fn object(&self, name: &str) -> Object {
        const GET_DOCUMENTS: &str = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4";
        const GET_FOLDERS: &str = "urn:uuid:5737b14c-8a1a-4539-b659-e03a34a5e1e4";
        let named = format!("('{}')", id(name));
        let mut found = Vec::new();
        for (query, parameter) in
            [(GET_DOCUMENTS, "$XDSDocumentEntryEntryUUID"), (GET_FOLDERS, "$XDSFolderEntryUUID")]
        {
            found.extend(self.ask(&ITI18, query, &[(parameter, &named)]).await.objects);
        }
        let (start, rest) = found.pop().expect("it is there").xml;
        let rim = Ns::RIM.uri();
        let xml = [format!("<x xmlns:rim=\"{rim}\">").as_bytes(), &start, &rest, b"</x>"].concat();
        let tree = Tree::parse(xml.into()).unwrap();
        Object::read(tree.root().children().next().unwrap()).unwrap().unwrap()
    }

    /// Submits documents with their metadata: ITI-41.
    pub async fn submit(&self, submission: &Submission, documents: Vec<(String, Bytes)>) -> RegistryResponse {
        let message = self.send(&ITI41, provided(submission, documents).await).await.unwrap();
        iti42::read_response(message.envelope.body().unwrap()).unwrap()
    }

    /// The same with metadata that no schema need allow.
    pub async fn submit_invalid(
        &self,
        submission: &Submission,
        documents: Vec<(String, Bytes)>,
    ) -> RegistryResponse {
        let message = self.deliver(&ITI41, provided(submission, documents).await).await.unwrap();
        iti42::read_response(message.envelope.body().unwrap()).unwrap()
    }

    /// Retrieves documents of repositories: ITI-43. Gives the answer, and the bytes of its documents.
    pub async fn retrieve(&self, documents: &[(&str, &str)]) -> (RetrieveResponseHead, Vec<Vec<u8>>) {
        self.fetch(&ITI43, &wanted(documents)).await
    }

    /// The same by ITI-39 too.
    pub async fn fetch(
        &self,
        transaction: &Transaction,
        request: &RetrieveRequest,
    ) -> (RetrieveResponseHead, Vec<Vec<u8>>) {
        let mut collected = Collected::default();
        let url = self.url(transaction).unwrap();
        let peer = Peer::plain(PATIENCE).unwrap();
        let answer = peer.retrieve(transaction, &url, request, &mut collected).await.unwrap();
        (answer, collected.0)
    }

    /// One document's bytes, or the code of the error.
    pub async fn document(&self, repository: &str, document: &str) -> Result<Vec<u8>, String> {
        let (answer, mut documents) = self.retrieve(&[(repository, document)]).await;
        match answer.errors.first() {
            Some(error) => Err(error.code.to_string()),
            None => Ok(documents.remove(0)),
        }
    }

    /// Removes objects by entryUUID: ITI-62.
    pub async fn remove(&self, objects: Vec<String>) -> RegistryResponse {
        self.answered(&ITI62, iti62::write_request(&RemoveRequest { objects })).await
    }

    /// Removes documents of repositories: ITI-86.
    pub async fn remove_documents(&self, documents: &[(&str, &str)]) -> RegistryResponse {
        self.answered(&ITI86, iti86::write_request(&wanted(documents))).await
    }

    /// Stops it, once its tenants are dropped, and gives its folder.
    pub async fn stop(self) -> Arc<TempDir> {
        let running = Arc::into_inner(self.running).expect("a tenant is still in use");
        running.shutdown().await;
        self.folder
    }
}

/// The objects of an answer, as a registry reads them.
pub fn objects_in(answer: &QueryResponse) -> Vec<Object> {
    let slices = answer.objects.iter().flat_map(|object| [&object.xml.0[..], &object.xml.1[..]]);
    let list: Vec<u8> = slices.flatten().copied().collect();
    let head = format!("<rim:RegistryObjectList xmlns:rim=\"{}\">", Ns::RIM.uri());
    let xml = [head.as_bytes(), &list, b"</rim:RegistryObjectList>"].concat();
    Submission::read(Tree::parse(xml.into()).unwrap().root()).unwrap().objects
}

/// A submission and its documents as a message.
async fn provided(submission: &Submission, documents: Vec<(String, Bytes)>) -> Outgoing {
    let part = |(id, bytes)| (id, "text/plain".to_owned(), Content::from_bytes(bytes));
    let parts = documents.into_iter().map(part).collect();
    let (body, attachments) = iti41::write_request(submission, parts, Form::Mtom).await.unwrap();
    Outgoing { body, attachments, ..Outgoing::default() }
}

/// DocumentRequests, each of a repository and a document.
pub fn wanted(documents: &[(&str, &str)]) -> RetrieveRequest {
    let request = |(repository, document): &(&str, &str)| DocumentRequest {
        home: None,
        repository: (*repository).to_owned(),
        document: (*document).to_owned(),
    };
    RetrieveRequest { documents: documents.iter().map(request).collect() }
}

/// Collects what is retrieved.
#[derive(Default)]
struct Collected(Vec<Vec<u8>>);

impl Sink for Collected {
    async fn begin(&mut self, _: &DocumentHead) -> Result<(), PeerError> {
        self.0.push(Vec::new());
        Ok(())
    }
    async fn chunk(&mut self, bytes: Bytes) -> Result<(), PeerError> {
        self.0.last_mut().unwrap().extend_from_slice(&bytes);
        Ok(())
    }
    async fn end(&mut self) -> Result<(), PeerError> {
        Ok(())
    }
}

/// The codes of an answer's errors.
pub fn codes_of(response: &RegistryResponse) -> Vec<&str> {
    response.errors.iter().map(|error| &*error.code).collect()
}
