//! ITI-39 Cross Gateway Retrieve (ITI TF-2: 3.39): ITI-43's bodies, with HomeCommunityId required.

pub use super::iti43::{
    RetrieveRequest, RetrieveResponse, read_request, read_response, write_request, write_response,
};

use super::Transaction;
use crate::wire::xml::Ns;

/// The transaction.
pub const ITI39: Transaction = Transaction {
    id: "ITI-39",
    name: "Cross Gateway Retrieve",
    action: "urn:ihe:iti:2007:CrossGatewayRetrieve",
    response_action: "urn:ihe:iti:2007:CrossGatewayRetrieveResponse",
    body: (Ns::XDS, "RetrieveDocumentSetRequest"),
    mtom: true,
};
