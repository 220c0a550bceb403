//! ITI-57 Update Document Set (XDS Metadata Update supplement: 3.57): ITI-42's bodies, which ask for new versions, statuses and associations.

pub use super::iti42::{read_request, read_response, write_request, write_response};

use super::Transaction;
use crate::wire::xml::Ns;

/// The transaction.
pub const ITI57: Transaction = Transaction {
    id: "ITI-57",
    name: "Update Document Set",
    action: "urn:ihe:iti:2010:UpdateDocumentSet",
    response_action: "urn:ihe:iti:2010:UpdateDocumentSetResponse",
    body: (Ns::LCM, "SubmitObjectsRequest"),
    mtom: false,
};
