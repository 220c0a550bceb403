//! Documents of which only size and hash are wanted: a dry run keeps nothing.

use bytes::Bytes;
use openssl::sha::Sha1;

use super::staging::hex;
use crate::wire::stream::StreamError;

/// A document that is measured as it arrives.
pub struct Weighing {
    limit: u64,
    size: u64,
    sha1: Sha1,
}

impl Weighing {
    /// Of a document of at most `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self { limit, size: 0, sha1: Sha1::new() }
    }

    /// Takes the next chunk.
    pub fn write(&mut self, chunk: &Bytes) -> Result<(), StreamError> {
        self.size += chunk.len() as u64;
        if self.size > self.limit {
            return Err(StreamError::TooLarge { what: "a document, in bytes,", limit: self.limit });
        }
        self.sha1.update(chunk);
        Ok(())
    }

    /// Its bytes, and its SHA-1 in lower-case hex.
    pub fn finish(self) -> (u64, String) {
        (self.size, hex(&self.sha1.finish()))
    }
}
