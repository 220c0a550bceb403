//! The reader: parts one after the other from a stream of chunks, each in bounded memory.

use bytes::Bytes;

use crate::wire::stream::{ByteStream, StreamError};

/// Headers of a part that matter here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartHeaders {
    /// Content-ID, decoded for comparing ([`super::decode_content_id`]).
    pub content_id: Option<String>,
    /// Content-Type as sent.
    pub content_type: Option<String>,
    /// Content-Transfer-Encoding, lower case; the reader has undone it already.
    pub transfer_encoding: Option<String>,
}

/// Reads the parts of a multipart body.
pub struct MultipartReader {
    #[allow(dead_code)]
    body: ByteStream,
}

#[allow(unused_variables)]
impl MultipartReader {
    /// A reader of the parts that `boundary` separates.
    pub fn new(body: ByteStream, boundary: &str) -> Result<Self, StreamError> {
        todo!()
    }
    /// Goes to the next part, passing over what is left of this one. None behind the last.
    pub async fn next_part(&mut self) -> Result<Option<PartHeaders>, StreamError> {
        todo!()
    }
    /// The next chunk of this part, decoded; None at its end.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, StreamError> {
        todo!()
    }
}
