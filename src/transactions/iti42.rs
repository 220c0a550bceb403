//! ITI-42 Register Document Set-b (ITI TF-2: 3.42).

use bytes::Bytes;

use super::errors::{RegistryResponse, read_errors, read_status, write_errors};
use super::{Malformed, Transaction};
use crate::metadata::Submission;
use crate::wire::xml::{Element, Ns, Writer};

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
pub fn read_request(body: Element<'_>) -> Result<Submission, Malformed> {
    Submission::read(body).map_err(|error| Malformed {
        rule: error.rule,
        section: "ITI TF-2: 3.42.4.1.2",
        problem: format!("line {}, column {}: {}", error.line, error.column, error.problem),
    })
}

/// Writes one.
pub fn write_request(submission: &Submission) -> Bytes {
    let mut out = Writer::with_capacity(8 * 1024);
    submission.write(&mut out);
    out.finish().into()
}

/// Reads an rs:RegistryResponse.
pub fn read_response(body: Element<'_>) -> Result<RegistryResponse, Malformed> {
    Ok(RegistryResponse { status: read_status(body)?, errors: read_errors(body) })
}

/// Writes one.
pub fn write_response(response: &RegistryResponse) -> Bytes {
    let mut out = Writer::with_capacity(512 + 300 * response.errors.len());
    out.start(Ns::RS, "RegistryResponse").declare(&[Ns::RS]).attr("status", response.status.urn());
    write_errors(&mut out, &response.errors);
    out.end();
    out.finish().into()
}
