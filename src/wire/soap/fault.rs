//! Faults: SOAP 1.2's own and WS-Addressing's, written in schema order and read under any status and prefix.

use crate::wire::soap::Form;
use crate::wire::xml::{Element, Ns};

/// env:Code/env:Value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultCode {
    /// Not SOAP 1.2.
    VersionMismatch,
    /// A header that must be understood is not.
    MustUnderstand,
    /// An encoding that is not read.
    DataEncodingUnknown,
    /// The message is at fault; HTTP 400.
    Sender,
    /// We are; HTTP 500.
    Receiver,
}

/// A subcode, outermost first in [`Fault::subcodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subcode(
    /// Its namespace.
    pub Ns,
    /// Its local name, such as `InvalidAddressingHeader`.
    pub &'static str,
);

/// A fault to send, or one that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The code.
    pub code: FaultCode,
    /// Subcodes, outermost first.
    pub subcodes: Vec<Subcode>,
    /// One sentence for people: what is wrong, where, by which rule. Never patient data, never internal text.
    pub reason: String,
    /// wsa:ProblemHeaderQName (as `prefix:local`) in the detail.
    pub problem_header: Option<&'static str>,
    /// wsa:ProblemAction in the detail.
    pub problem_action: Option<String>,
    /// Header blocks that were not understood: (namespace, local name); each becomes a soap:NotUnderstood header.
    pub not_understood: Vec<(String, String)>,
    /// The trace id, written into the detail and the reason's end.
    pub trace: Option<String>,
    /// Overrides the HTTP status that follows from the code (415 where MTOM is insisted on, 503 when shedding).
    pub status: Option<u16>,
}

#[allow(unused_variables)]
impl Fault {
    /// The message is at fault.
    pub fn sender(reason: impl Into<String>) -> Self {
        Self::new(FaultCode::Sender, reason)
    }
    /// We are.
    pub fn receiver(reason: impl Into<String>) -> Self {
        Self::new(FaultCode::Receiver, reason)
    }
    /// A fault with that code.
    pub fn new(code: FaultCode, reason: impl Into<String>) -> Self {
        Self {
            code,
            subcodes: Vec::new(),
            reason: reason.into(),
            problem_header: None,
            problem_action: None,
            not_understood: Vec::new(),
            trace: None,
            status: None,
        }
    }
    /// 400 for Sender, 500 for the others (SOAP 1.2 Part 2, 7.5.2.2), unless overridden.
    pub fn http_status(&self) -> u16 {
        self.status.unwrap_or(if self.code == FaultCode::Sender { 400 } else { 500 })
    }
    /// `…/addressing/fault` for WS-Addressing's faults, `…/addressing/soap/fault` for others.
    pub fn action(&self) -> &'static str {
        todo!()
    }
    /// The whole envelope as bytes.
    pub fn envelope(&self, relates_to: Option<&str>) -> Vec<u8> {
        todo!()
    }
    /// The answer as (status, Content-Type, body), in the form of the request.
    pub fn answer(&self, form: Form, relates_to: Option<&str>) -> (u16, String, Vec<u8>) {
        todo!()
    }
    /// Reads a soap:Fault element (1.2, or 1.1 from old stacks).
    pub fn read(element: Element<'_>) -> Fault {
        todo!()
    }
}
