//! ITI-38 Cross Gateway Query (ITI TF-2: 3.38): ITI-18's bodies, with `home` on everything.

pub use super::iti18::{
    QueryRequest, QueryResponse, read_request, read_response, write_request, write_response,
};

use super::Transaction;
use crate::wire::xml::Ns;

/// The transaction.
pub const ITI38: Transaction = Transaction {
    id: "ITI-38",
    name: "Cross Gateway Query",
    action: "urn:ihe:iti:2007:CrossGatewayQuery",
    response_action: "urn:ihe:iti:2007:CrossGatewayQueryResponse",
    body: (Ns::QUERY, "AdhocQueryRequest"),
    mtom: false,
};
