//! ITI-86 Remove Documents (IHE ITI RMD supplement: 3.86): ITI-43's requests under a name of their own.

use bytes::Bytes;

use super::Transaction;
use super::iti43::{RetrieveRequest, write_documents};
use crate::wire::xml::Ns;

pub use super::iti42::{read_response, write_response};
pub use super::iti43::{DocumentRequest, read_request};

/// The transaction.
pub const ITI86: Transaction = Transaction {
    id: "ITI-86",
    name: "Remove Documents",
    action: "urn:ihe:iti:2017:RemoveDocuments",
    response_action: "urn:ihe:iti:2017:RemoveDocumentsResponse",
    body: (Ns::RMD, "RemoveDocumentsRequest"),
    mtom: false,
};

/// Writes an rmd:RemoveDocumentsRequest.
pub fn write_request(request: &RetrieveRequest) -> Bytes {
    write_documents(Ns::RMD, "RemoveDocumentsRequest", request)
}
