//! ITI-61 Register On-Demand Document Entry (ITI TF-2: 3.61): ITI-42's bodies, with on-demand entries.

pub use super::iti42::{read_request, read_response, write_request, write_response};

use super::Transaction;
use crate::wire::xml::Ns;

/// The transaction. The Technical Framework names the request's action only; peers' descriptions have this one for the
/// response, without `Entry`. Whoever sends the request reads any.
pub const ITI61: Transaction = Transaction {
    id: "ITI-61",
    name: "Register On-Demand Document Entry",
    action: "urn:ihe:iti:2010:RegisterOnDemandDocumentEntry",
    response_action: "urn:ihe:iti:2010:RegisterOnDemandDocumentResponse",
    body: (Ns::LCM, "SubmitObjectsRequest"),
    mtom: false,
};
