//! ITI-43 Retrieve Document Set (ITI TF-2: 3.43). ITI-39 has the same bodies.

use bytes::Bytes;

use super::errors::{RegistryError, Status};
use super::{Malformed, Transaction};
use crate::wire::soap::{Attachment, Form};
use crate::wire::stream::Content;
use crate::wire::xml::{Element, Ns};

/// The transaction.
pub const ITI43: Transaction = Transaction {
    id: "ITI-43",
    name: "Retrieve Document Set",
    action: "urn:ihe:iti:2007:RetrieveDocumentSet",
    response_action: "urn:ihe:iti:2007:RetrieveDocumentSetResponse",
    body: (Ns::XDS, "RetrieveDocumentSetRequest"),
    mtom: true,
};

/// One document wanted, identifiers as sent: they are echoed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DocumentRequest {
    /// HomeCommunityId.
    pub home: Option<String>,
    /// RepositoryUniqueId.
    pub repository: String,
    /// DocumentUniqueId.
    pub document: String,
}

/// Documents wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrieveRequest {
    /// In order.
    pub documents: Vec<DocumentRequest>,
}

/// Where the bytes of a received document are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentSource {
    /// Inline base64, decoded.
    Inline(Bytes),
    /// In the part with that decoded Content-ID.
    Part(String),
}

/// One document of an answer, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentHead {
    /// The request that it answers.
    pub request: DocumentRequest,
    /// NewRepositoryUniqueId (on-demand, persisted).
    pub new_repository: Option<String>,
    /// NewDocumentUniqueId (on-demand).
    pub new_document: Option<String>,
    /// mimeType.
    pub mime_type: String,
}

/// An answer as read: the bytes of its documents are inline or still arriving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrieveResponseHead {
    /// The status.
    pub status: Status,
    /// Errors and warnings.
    pub errors: Vec<RegistryError>,
    /// Documents and where their bytes are.
    pub documents: Vec<(DocumentHead, DocumentSource)>,
}

/// One document to send.
#[derive(Debug)]
pub struct RetrievedDocument {
    /// What it is.
    pub head: DocumentHead,
    /// Its bytes.
    pub content: Content,
}

/// An answer to send.
#[derive(Debug)]
pub struct RetrieveResponse {
    /// The status.
    pub status: Status,
    /// Errors and warnings.
    pub errors: Vec<RegistryError>,
    /// Documents.
    pub documents: Vec<RetrievedDocument>,
}

impl RetrieveResponse {
    /// From errors and documents, with the status that follows.
    pub fn new(errors: Vec<RegistryError>, documents: Vec<RetrievedDocument>) -> Self {
        Self { status: Status::of(&errors, !documents.is_empty()), errors, documents }
    }
}

/// Reads an xds:RetrieveDocumentSetRequest.
#[allow(unused_variables)]
pub fn read_request(body: Element<'_>) -> Result<RetrieveRequest, Malformed> {
    todo!()
}
/// Writes one.
#[allow(unused_variables)]
pub fn write_request(request: &RetrieveRequest) -> Bytes {
    todo!()
}
/// Reads an xds:RetrieveDocumentSetResponse.
#[allow(unused_variables)]
pub fn read_response(body: Element<'_>) -> Result<RetrieveResponseHead, Malformed> {
    todo!()
}
/// Writes one: the body, and the documents as attachments; inline base64 in [`Form::Simple`] (then every document is
/// collected, up to the envelope limit).
#[allow(unused_variables)]
pub async fn write_response(
    response: RetrieveResponse,
    form: Form,
) -> Result<(Vec<Bytes>, Vec<Attachment>), crate::wire::stream::StreamError> {
    todo!()
}
