//! A stand-alone registry and repository in this process, and messages to it over a socket.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hyper::Uri;
use sekisho::cli::assemble::Running;
use sekisho::limits::Limits;
use sekisho::metadata::{Object, Submission};
use sekisho::transactions::errors::RegistryResponse;
use sekisho::transactions::iti18::{ITI18, Parameter, QueryRequest, QueryResponse, ReturnType};
use sekisho::transactions::iti41::{self, ITI41};
use sekisho::transactions::iti42::ITI42;
use sekisho::transactions::iti86::ITI86;
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

const CONFIG: &str = "[community]\nhome = \"urn:oid:1.2.3\"\nname = \"試験\"\n[listen.http]\naddress = \
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
        let parts = documents
            .into_iter()
            .map(|(id, bytes)| (id, "text/plain".to_owned(), Content::from_bytes(bytes)));
        let written = iti41::write_request(submission, parts.collect(), Form::Mtom).await;
        let (body, attachments) = written.unwrap();
        let message = self.call(&ITI41, body, attachments).await.unwrap();
        iti42::read_response(message.envelope.body().unwrap()).unwrap()
    }

    /// Stops it, once its tenants are dropped, and gives its folder.
    pub async fn stop(self) -> Arc<TempDir> {
        let running = Arc::into_inner(self.running).expect("a tenant is still in use");
        running.shutdown().await;
        self.folder
    }
}
