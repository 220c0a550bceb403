//! ITI-42 Register Document Set-b (ITI TF-2: 3.42).

use bytes::Bytes;

use super::errors::RegistryResponse;
use super::{Malformed, Transaction};
use crate::metadata::Submission;
use crate::wire::xml::{Element, Ns};

/// The transaction.
pub const ITI42: Transaction = Transaction {
    id: "ITI-42",
    name: "Register Document Set-b",
    action: "urn:ihe:iti:2007:RegisterDocumentSet-b",
    response_action: "urn:ihe:iti:2007:RegisterDocumentSet-bResponse",
    body: (Ns::LCM, "SubmitObjectsRequest"),
    mtom: false,
};

/// Reads an lcm:SubmitObjectsRequest.
#[allow(unused_variables)]
pub fn read_request(body: Element<'_>) -> Result<Submission, Malformed> {
    todo!()
}
/// Writes one.
#[allow(unused_variables)]
pub fn write_request(submission: &Submission) -> Bytes {
    todo!()
}
/// Reads an rs:RegistryResponse.
#[allow(unused_variables)]
pub fn read_response(body: Element<'_>) -> Result<RegistryResponse, Malformed> {
    todo!()
}
/// Writes one.
#[allow(unused_variables)]
pub fn write_response(response: &RegistryResponse) -> Bytes {
    todo!()
}
