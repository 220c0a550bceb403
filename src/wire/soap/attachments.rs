//! The parts behind an envelope, one after the other, as they arrive.

use bytes::Bytes;

use crate::wire::stream::StreamError;

/// A part's identity. Read its bytes with [`Attachments::chunk`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedPart {
    /// Decoded Content-ID; compare with the decoded `cid:` of an xop:Include.
    pub content_id: String,
    /// Content-Type as sent.
    pub content_type: Option<String>,
}

/// The parts of a message besides the envelope. Those that came before a root part that was not first are given first.
/// Empty for a simple SOAP message.
pub struct Attachments {
    // TODO(soap): early parts (memory or file), then the MultipartReader
}

#[allow(unused_variables)]
impl Attachments {
    /// No parts.
    pub fn none() -> Self {
        Self {}
    }
    /// Goes to the next part. None behind the last. A part with a Content-ID that an earlier one had is an error.
    pub async fn next(&mut self) -> Result<Option<AttachedPart>, StreamError> {
        todo!()
    }
    /// The next chunk of this part; None at its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, StreamError> {
        todo!()
    }
    /// Passes over everything that is left (bounded by the document limit), so that the connection can be used again.
    pub async fn drain(&mut self) -> Result<(), StreamError> {
        todo!()
    }
}
