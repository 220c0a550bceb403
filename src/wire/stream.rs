//! Document bytes on their way from a socket or a file to another, never whole in memory.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;

/// Why a stream of document bytes ended before its end.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StreamError {
    /// The peer closed or reset the connection in the middle.
    #[error("the connection ended in the middle of the message: {0}")]
    Interrupted(String),
    /// Nothing arrived, or nothing could be sent, for longer than the idle limit.
    #[error("the other side paused longer than {0} ms")]
    Idle(u64),
    /// A named limit was exceeded.
    #[error("{what} exceeds the limit of {limit}")]
    TooLarge {
        /// What was too large, as an operator knows it.
        what: &'static str,
        /// The limit, in `what`'s own unit.
        limit: u64,
    },
    /// The bytes break the rules of MIME or of their transfer encoding.
    #[error("{0}")]
    Malformed(String),
    /// Our own disk or store failed.
    #[error("the store failed: {0}")]
    Store(String),
}

/// A stream of chunks.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, StreamError>> + Send>>;

/// The body of an HTTP message, in or out.
pub type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, StreamError>;

/// A document's bytes: chunks that are here already, then, perhaps, a stream of those still to come.
pub struct Content {
    /// How many bytes in all, where that is known before they are read.
    pub length: Option<u64>,
    /// The chunks that are in memory.
    pub head: Vec<Bytes>,
    /// What follows them.
    pub rest: Option<ByteStream>,
}

impl Content {
    /// Bytes that are in memory.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { length: Some(bytes.len() as u64), head: vec![bytes], rest: None }
    }
    /// A stream of known or unknown length.
    pub fn from_stream(length: Option<u64>, stream: ByteStream) -> Self {
        Self { length, head: Vec::new(), rest: Some(stream) }
    }
    /// The next chunk, or None at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, StreamError>> {
        if !self.head.is_empty() {
            return Some(Ok(self.head.remove(0)));
        }
        match &mut self.rest {
            Some(rest) => futures_util::StreamExt::next(rest).await,
            None => None,
        }
    }
    /// All of it, if it has at most `limit` bytes.
    pub async fn collect(mut self, limit: u64) -> Result<Bytes, StreamError> {
        let mut all = Vec::new();
        while let Some(chunk) = self.next().await {
            let chunk = chunk?;
            if (all.len() + chunk.len()) as u64 > limit {
                return Err(StreamError::TooLarge { what: "document", limit });
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.into())
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content({:?} bytes)", self.length)
    }
}
