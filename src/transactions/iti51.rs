//! ITI-51 Multi-Patient Stored Query (ITI TF-2: 3.51): ITI-18's bodies, with queries of its own.

pub use super::iti18::{
    QueryRequest, QueryResponse, read_request, read_response, write_request, write_response,
};

use super::Transaction;
use crate::wire::xml::Ns;

/// The transaction.
pub const ITI51: Transaction = Transaction {
    id: "ITI-51",
    name: "Multi-Patient Stored Query",
    action: "urn:ihe:iti:2009:MultiPatientStoredQuery",
    response_action: "urn:ihe:iti:2009:MultiPatientStoredQueryResponse",
    body: (Ns::QUERY, "AdhocQueryRequest"),
    mtom: false,
};
