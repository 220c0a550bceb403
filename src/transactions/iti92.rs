//! ITI-92 Restricted Update Document Set (RMU supplement: 3.92): ITI-42's bodies, which ask for new versions of entries.

pub use super::iti42::{read_request, read_response, write_request, write_response};

use super::Transaction;
use crate::wire::xml::Ns;

/// The transaction.
pub const ITI92: Transaction = Transaction {
    id: "ITI-92",
    name: "Restricted Update Document Set",
    action: "urn:ihe:iti:2018:RestrictedUpdateDocumentSet",
    response_action: "urn:ihe:iti:2018:RestrictedUpdateDocumentSetResponse",
    body: (Ns::LCM, "SubmitObjectsRequest"),
    mtom: false,
};
