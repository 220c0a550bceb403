//! ITI-41 Provide and Register Document Set-b (ITI TF-2: 3.41).

use bytes::Bytes;

use super::iti43::DocumentSource;
use super::{Malformed, Transaction};
use crate::metadata::Submission;
use crate::wire::soap::{Attachment, Form};
use crate::wire::stream::{Content, StreamError};
use crate::wire::xml::{Element, Ns};

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
#[allow(unused_variables)]
pub fn read_request(body: Element<'_>) -> Result<ProvideRequest, Malformed> {
    todo!()
}
/// Writes one: documents by the id of their entry.
#[allow(unused_variables)]
pub async fn write_request(
    submission: &Submission,
    documents: Vec<(String, String, Content)>,
    form: Form,
) -> Result<(Vec<Bytes>, Vec<Attachment>), StreamError> {
    todo!()
}
