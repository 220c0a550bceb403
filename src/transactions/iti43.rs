//! ITI-43 Retrieve Document Set (ITI TF-2: 3.43). ITI-39 has the same bodies.

use base64::Engine;
use bytes::Bytes;

use super::errors::{RegistryError, Status, read_errors, read_status, write_errors};
use super::{Malformed, Transaction};
use crate::limits;
use crate::wire::soap::{Attachment, BinaryContent, Form, binary_content};
use crate::wire::stream::{Content, StreamError};
use crate::wire::xml::{Element, Ns, Writer};

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

impl RetrieveRequest {
    /// Leaves what one answer can account for with documents; an error of that code for each of the others.
    pub fn take_beyond(&mut self, code: &'static str) -> Vec<RegistryError> {
        let most = limits::MAX_DOCUMENTS_PER_RETRIEVE;
        let beyond = self.documents.split_off(most.min(self.documents.len()));
        let problem =
            format!("at most {most} documents are taken at once: send another request for this one");
        let refused = RegistryError::error(code, problem);
        beyond.into_iter().map(|wanted| refused.clone().at(wanted.document)).collect()
    }
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

fn malformed(rule: &'static str, problem: String) -> Malformed {
    Malformed { rule, section: "ITI TF-2: 3.43.4", problem }
}

fn text_of(element: Element<'_>, name: &str) -> Option<String> {
    element.child(Ns::XDS, name).map(|child| child.text().trim().to_owned()).filter(|text| !text.is_empty())
}

/// The three identifiers of a DocumentRequest or DocumentResponse. Missing ones stay empty: the actor answers for them.
fn read_identifiers(element: Element<'_>) -> DocumentRequest {
    DocumentRequest {
        home: text_of(element, "HomeCommunityId"),
        repository: text_of(element, "RepositoryUniqueId").unwrap_or_default(),
        document: text_of(element, "DocumentUniqueId").unwrap_or_default(),
    }
}

fn write_identifiers(out: &mut Writer, request: &DocumentRequest) {
    if let Some(home) = &request.home {
        out.leaf(Ns::XDS, "HomeCommunityId", home);
    }
    out.leaf(Ns::XDS, "RepositoryUniqueId", &request.repository);
    out.leaf(Ns::XDS, "DocumentUniqueId", &request.document);
}

/// Reads an xds:RetrieveDocumentSetRequest.
pub fn read_request(body: Element<'_>) -> Result<RetrieveRequest, Malformed> {
    let documents: Vec<_> = body
        .children_named(Ns::XDS, "DocumentRequest")
        .take(limits::MAX_DOCUMENT_REQUESTS + 1)
        .map(read_identifiers)
        .collect();
    match documents.len() {
        0 => Err(malformed("retrieve.no-request", "the request holds no xds:DocumentRequest".into())),
        n if n > limits::MAX_DOCUMENT_REQUESTS => Err(malformed(
            "retrieve.too-many",
            format!(
                "more than {} documents are asked for; ask in several requests",
                limits::MAX_DOCUMENT_REQUESTS
            ),
        )),
        _ => Ok(RetrieveRequest { documents }),
    }
}

/// Writes one.
pub fn write_request(request: &RetrieveRequest) -> Bytes {
    write_documents(Ns::XDS, "RetrieveDocumentSetRequest", request)
}

/// Writes DocumentRequests in an element of that name.
pub(super) fn write_documents(ns: Ns, local: &str, request: &RetrieveRequest) -> Bytes {
    let mut out = Writer::with_capacity(256 + 256 * request.documents.len());
    let both = [ns, Ns::XDS];
    out.start(ns, local).declare(if ns == Ns::XDS { &both[1..] } else { &both });
    for document in &request.documents {
        out.start(Ns::XDS, "DocumentRequest");
        write_identifiers(&mut out, document);
        out.end();
    }
    out.end();
    out.finish().into()
}

/// Reads an xds:RetrieveDocumentSetResponse.
pub fn read_response(body: Element<'_>) -> Result<RetrieveResponseHead, Malformed> {
    let registry = body
        .child(Ns::RS, "RegistryResponse")
        .ok_or_else(|| malformed("retrieve.response", "the answer holds no rs:RegistryResponse".into()))?;
    let document = |element: Element<'_>| {
        let content = element.child(Ns::XDS, "Document").ok_or_else(|| {
            malformed("retrieve.document", "a DocumentResponse holds no xds:Document".into())
        })?;
        let head = DocumentHead {
            request: read_identifiers(element),
            new_repository: text_of(element, "NewRepositoryUniqueId"),
            new_document: text_of(element, "NewDocumentUniqueId"),
            mime_type: text_of(element, "mimeType").unwrap_or_default(),
        };
        Ok((head, read_content(content)?))
    };
    Ok(RetrieveResponseHead {
        status: read_status(registry)?,
        errors: read_errors(registry),
        documents: body
            .children_named(Ns::XDS, "DocumentResponse")
            .map(document)
            .collect::<Result<_, _>>()?,
    })
}

/// Where the bytes of an xds:Document are.
pub(super) fn read_content(document: Element<'_>) -> Result<DocumentSource, Malformed> {
    match binary_content(document) {
        Ok(BinaryContent::Inline(bytes)) => Ok(DocumentSource::Inline(bytes)),
        Ok(BinaryContent::Part(id)) => Ok(DocumentSource::Part(id)),
        Err(problem) => Err(Malformed { rule: "document.content", section: "ITI TF-2: V.3.6", problem }),
    }
}

/// Writes one: the body, and the documents as attachments; inline base64 in [`Form::Simple`] (then every document is
/// collected, up to the envelope limit).
pub async fn write_response(
    response: RetrieveResponse,
    form: Form,
) -> Result<(Vec<Bytes>, Vec<Attachment>), StreamError> {
    let mut out = Writer::with_capacity(1024 + 512 * response.documents.len());
    out.start(Ns::XDS, "RetrieveDocumentSetResponse").declare(&[Ns::XDS, Ns::RS]);
    out.start(Ns::RS, "RegistryResponse").attr("status", response.status.urn());
    write_errors(&mut out, &response.errors);
    out.end();
    let mut parts = DocumentParts::new(form);
    for RetrievedDocument { head, content } in response.documents {
        out.start(Ns::XDS, "DocumentResponse");
        write_identifiers(&mut out, &head.request);
        if let Some(repository) = &head.new_repository {
            out.leaf(Ns::XDS, "NewRepositoryUniqueId", repository);
        }
        if let Some(document) = &head.new_document {
            out.leaf(Ns::XDS, "NewDocumentUniqueId", document);
        }
        out.leaf(Ns::XDS, "mimeType", &head.mime_type).start(Ns::XDS, "Document");
        parts.write(&mut out, &head.mime_type, content).await?;
        out.end().end();
    }
    out.end();
    Ok((vec![out.finish().into()], parts.attachments))
}

/// Documents on their way into a message: as parts that the body refers to, or inline where there are no parts.
pub(super) struct DocumentParts {
    form: Form,
    stem: uuid::Uuid,
    inline_left: u64,
    pub(super) attachments: Vec<Attachment>,
}

impl DocumentParts {
    pub(super) fn new(form: Form) -> Self {
        // Base64 makes four bytes of three.
        let inline_left = limits::MAX_ENVELOPE_BYTES as u64 / 4 * 3;
        Self { form, stem: uuid::Uuid::new_v4(), inline_left, attachments: Vec::new() }
    }

    /// Writes the content of the element that is open.
    pub(super) async fn write(
        &mut self,
        out: &mut Writer,
        mime_type: &str,
        content: Content,
    ) -> Result<(), StreamError> {
        if self.form == Form::Simple {
            let bytes = content.collect(self.inline_left).await?;
            self.inline_left -= bytes.len() as u64;
            out.raw(base64::engine::general_purpose::STANDARD.encode(&bytes).as_bytes());
            return Ok(());
        }
        let content_id = format!("{}.{}@sekisho", self.attachments.len() + 1, self.stem);
        out.start(Ns::XOP, "Include").declare(&[Ns::XOP]).attr("href", &format!("cid:{content_id}")).end();
        self.attachments.push(Attachment { content_id, content_type: header_safe(mime_type), content });
        Ok(())
    }
}

/// A media type as a part's Content-Type: what is no media type must not reach a header.
fn header_safe(mime_type: &str) -> String {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"/+-._;= \"".contains(&b);
    let fits = mime_type.len() <= 256 && mime_type.contains('/') && mime_type.bytes().all(legal);
    if fits { mime_type.to_owned() } else { "application/octet-stream".to_owned() }
}
