//! The parts behind an envelope, one after the other, as they arrive.

use std::collections::HashSet;
use std::fmt;

use bytes::Bytes;

use super::early::{EarlyPart, EarlyParts};
use crate::wire::mime::{MultipartReader, PartHeaders};
use crate::wire::stream::StreamError;

/// A part's identity. Read its bytes with [`Attachments::chunk`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedPart {
    /// Decoded Content-ID; compare with the decoded `cid:` of an xop:Include. Empty where the part has none.
    pub content_id: String,
    /// Content-Type as sent.
    pub content_type: Option<String>,
}

impl From<PartHeaders> for AttachedPart {
    fn from(headers: PartHeaders) -> Self {
        Self { content_id: headers.content_id.unwrap_or_default(), content_type: headers.content_type }
    }
}

/// The parts of a message besides the envelope. Those that came before a root part that was not first are given first.
/// Empty for a simple SOAP message.
pub struct Attachments {
    arriving: Option<Arriving>,
}

struct Arriving {
    reader: MultipartReader,
    early: EarlyParts,
    /// Where [`Attachments::chunk`] reads.
    current: Current,
    /// Content-IDs so far, the root's included.
    seen: HashSet<String>,
    max_document_bytes: u64,
    /// Bytes of the current part so far.
    read: u64,
}

enum Current {
    Early(EarlyPart),
    Reader,
}

impl Attachments {
    /// No parts.
    pub fn none() -> Self {
        Self { arriving: None }
    }

    /// The parts of a multipart message: `early` ones, then those behind the root part, at whose end `reader` stands.
    pub(super) fn new(
        reader: MultipartReader,
        early: EarlyParts,
        root: Option<String>,
        max_document_bytes: u64,
    ) -> Self {
        let seen = root.into_iter().collect();
        Self {
            arriving: Some(Arriving {
                reader,
                early,
                current: Current::Reader,
                seen,
                max_document_bytes,
                read: 0,
            }),
        }
    }

    /// Goes to the next part. None behind the last: then the whole body has been read, its end included. A part with a
    /// Content-ID that an earlier one had is an error.
    pub async fn next(&mut self) -> Result<Option<AttachedPart>, StreamError> {
        let Some(arriving) = &mut self.arriving else {
            return Ok(None);
        };
        arriving.read = 0;
        let part = match arriving.early.next() {
            Some(early) => {
                let part = early.part.clone();
                arriving.current = Current::Early(early);
                part
            }
            None => {
                arriving.current = Current::Reader;
                match arriving.reader.next_part().await? {
                    Some(headers) => headers.into(),
                    None => return Ok(None),
                }
            }
        };
        if !part.content_id.is_empty() && !arriving.seen.insert(part.content_id.clone()) {
            return Err(StreamError::Malformed(
                "two MIME parts have the same Content-ID (RFC 2387, 3.2)".to_owned(),
            ));
        }
        Ok(Some(part))
    }

    /// The next chunk of this part; None at its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, StreamError> {
        let Some(arriving) = &mut self.arriving else {
            return Ok(None);
        };
        let chunk = match &mut arriving.current {
            Current::Early(part) => arriving.early.chunk(part).await?,
            Current::Reader => arriving.reader.next_chunk().await?,
        };
        arriving.read += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        if arriving.read > arriving.max_document_bytes {
            return Err(StreamError::TooLarge {
                what: "a document (bytes)",
                limit: arriving.max_document_bytes,
            });
        }
        Ok(chunk)
    }

    /// Passes over everything that is left (bounded by the document limit), so that the connection can be used again.
    pub async fn drain(&mut self) -> Result<(), StreamError> {
        let Some(limit) = self.arriving.as_ref().map(|arriving| arriving.max_document_bytes) else {
            return Ok(());
        };
        let mut drained = 0;
        loop {
            while let Some(chunk) = self.chunk().await? {
                drained += chunk.len() as u64;
                if drained > limit {
                    return Err(StreamError::TooLarge { what: "what is left of the message (bytes)", limit });
                }
            }
            if self.next().await?.is_none() {
                return Ok(());
            }
        }
    }
}

impl fmt::Debug for Attachments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.arriving.is_some() { "Attachments(arriving)" } else { "Attachments(none)" })
    }
}
