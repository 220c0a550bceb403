//! ITI-41 Provide and Register Document Set-b (ITI TF-2: 3.41).

use bytes::Bytes;

use super::iti43::{DocumentParts, DocumentSource, read_content};
use super::{Malformed, Transaction, iti42};
use crate::limits;
use crate::metadata::Submission;
use crate::wire::soap::{Attachment, Form};
use crate::wire::stream::{Content, StreamError};
use crate::wire::xml::{Element, Ns, Writer};

pub use super::iti42::{read_response, write_response};

/// The transaction.
pub const ITI41: Transaction = Transaction {
    id: "ITI-41",
    name: "Provide and Register Document Set-b",
    action: "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b",
    response_action: "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse",
    body: (Ns::XDS, "ProvideAndRegisterDocumentSetRequest"),
    mtom: true,
};

/// A submission as read; the bytes of its documents are inline or still arriving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvideRequest {
    /// The metadata.
    pub submission: Submission,
    /// xds:Document/@id and where its bytes are, in order.
    pub documents: Vec<(String, DocumentSource)>,
}

/// Reads an xds:ProvideAndRegisterDocumentSetRequest.
pub fn read_request(body: Element<'_>) -> Result<ProvideRequest, Malformed> {
    let malformed = |rule, problem: String| Malformed { rule, section: "ITI TF-2: 3.41.4.1.2", problem };
    let submission = body.child(Ns::LCM, "SubmitObjectsRequest").ok_or_else(|| {
        malformed("provide.submit-objects", "the request holds no lcm:SubmitObjectsRequest".into())
    })?;
    let document = |element: Element<'_>| {
        let id = element.attr("id").map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| malformed("provide.document-id", "an xds:Document has no id".into()))?;
        Ok((id, read_content(element)?))
    };
    let documents = body
        .children_named(Ns::XDS, "Document")
        .take(limits::MAX_DOCUMENTS_PER_SUBMISSION + 1)
        .map(document)
        .collect::<Result<Vec<_>, Malformed>>()?;
    if documents.len() > limits::MAX_DOCUMENTS_PER_SUBMISSION {
        let problem =
            format!("more than {} documents in one submission", limits::MAX_DOCUMENTS_PER_SUBMISSION);
        return Err(malformed("provide.too-many", problem));
    }
    Ok(ProvideRequest { submission: iti42::read_request(submission)?, documents })
}

/// Writes one: documents as (id of their entry, media type, bytes).
pub async fn write_request(
    submission: &Submission,
    documents: Vec<(String, String, Content)>,
    form: Form,
) -> Result<(Vec<Bytes>, Vec<Attachment>), StreamError> {
    let mut out = Writer::with_capacity(8 * 1024);
    out.start(Ns::XDS, "ProvideAndRegisterDocumentSetRequest").declare(&[Ns::XDS]);
    submission.write(&mut out);
    let mut parts = DocumentParts::new(form);
    for (id, media_type, content) in documents {
        out.start(Ns::XDS, "Document").attr("id", &id);
        parts.write(&mut out, &media_type, content).await?;
        out.end();
    }
    out.end();
    Ok((vec![out.finish().into()], parts.attachments))
}
