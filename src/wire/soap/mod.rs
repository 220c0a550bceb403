//! SOAP 1.2 with WS-Addressing 1.0, simple or as MTOM/XOP (ITI TF-2: Appendix V).

mod attachments;
mod binary;
mod call;
mod destination;
mod early;
mod envelope;
mod fault;
mod memory;
mod receive;
mod replies;
mod send;
#[cfg(test)]
mod tests;

pub use attachments::{AttachedPart, Attachments};
pub use binary::{BinaryContent, binary_content};
pub use call::{CallError, Endpoint, call, call_through};
pub use destination::{AllowedReplies, AllowedReply, Destination, Route};
pub use envelope::{ANONYMOUS, Addressing, Envelope, NONE_ADDRESS};
pub use fault::{Fault, FaultCode, Subcode};
pub use memory::{EnvelopeMemory, EnvelopeShare};
pub use receive::{SoapError, form_of, receive, receive_within};
pub use replies::{Replies, ReplyChannel, Undelivered};
pub use send::{Attachment, Outgoing, Reply, send};

/// How a message travels. A reply mirrors the request's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Form {
    /// `application/soap+xml`.
    #[default]
    Simple,
    /// `multipart/related; type="application/xop+xml"`.
    Mtom,
}

/// A received message. The parts behind the envelope may still be arriving.
#[derive(Debug)]
pub struct Message {
    /// How it came.
    pub form: Form,
    /// Headers and body.
    pub envelope: Envelope,
    /// The other parts.
    pub attachments: Attachments,
    /// What the envelope takes of the memory for all of them.
    pub memory: EnvelopeShare,
}
