//! Document bytes on their way from a socket or a file to another, never whole in memory.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};

use crate::limits;

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
    /// The same once more; None where some of it is not in memory.
    pub fn again(&self) -> Option<Self> {
        self.rest.is_none().then(|| Self { length: self.length, head: self.head.clone(), rest: None })
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
        let mut all = Gathered::new("document", limit);
        while let Some(chunk) = self.next().await {
            all.push(chunk?)?;
        }
        Ok(all.finish())
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content({:?} bytes)", self.length)
    }
}

/// Chunks put together, up to a limit. A single chunk is kept as it is.
#[derive(Debug)]
pub struct Gathered {
    what: &'static str,
    limit: u64,
    first: Bytes,
    all: BytesMut,
}

impl Gathered {
    /// Nothing yet; at most `limit` bytes of `what`.
    pub fn new(what: &'static str, limit: u64) -> Self {
        Self { what, limit, first: Bytes::new(), all: BytesMut::new() }
    }
    /// Adds a chunk.
    pub fn push(&mut self, chunk: Bytes) -> Result<(), StreamError> {
        if (self.len() + chunk.len()) as u64 > self.limit {
            return Err(StreamError::TooLarge { what: self.what, limit: self.limit });
        }
        if self.is_empty() {
            self.first = chunk;
            return Ok(());
        }
        if self.all.is_empty() {
            self.all.reserve(2 * (self.first.len() + chunk.len()));
            self.all.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.all.extend_from_slice(&chunk);
        Ok(())
    }
    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.first.len() + self.all.len()
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// All of them.
    pub fn finish(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.freeze() }
    }
}

/// A body's chunks as a stream; trailers are left out.
pub fn chunks(body: Body) -> ByteStream {
    Box::pin(body.into_data_stream())
}

/// One body out of several contents, one behind the other, and its length where every one's is known.
///
/// Small chunks are joined to frames of about [`limits::FRAME_BYTES`], large ones are passed on as they are: few frames
/// are few writes. What is joined is never held back while the next content makes one wait. A content that is shorter or
/// longer than it said breaks the body off: the reader must not take it for whole.
pub fn body(contents: impl IntoIterator<Item = Content>) -> (Option<u64>, Body) {
    let sources: VecDeque<Source> = contents.into_iter().map(Source::from).collect();
    let length = sources.iter().map(|source| source.unsaid).sum();
    let frames = Frames { sources, left: length, joined: BytesMut::new(), behind: None };
    (length, frames.boxed_unsync())
}

/// A [`Content`] being sent.
struct Source {
    head: VecDeque<Bytes>,
    rest: Option<ByteStream>,
    /// Bytes that it still owes, where its length is known.
    unsaid: Option<u64>,
}

impl From<Content> for Source {
    fn from(content: Content) -> Self {
        Self { head: content.head.into(), rest: content.rest, unsaid: content.length }
    }
}

impl Source {
    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        let chunk = match (self.head.pop_front(), &mut self.rest) {
            (Some(chunk), _) => Some(chunk),
            (None, Some(rest)) => ready!(rest.as_mut().poll_next(context)?),
            (None, None) => None,
        };
        if let Some(unsaid) = &mut self.unsaid {
            let length = chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
            let as_said = if chunk.is_some() { length <= *unsaid } else { *unsaid == 0 };
            if !as_said {
                return Poll::Ready(Some(Err(StreamError::Malformed(
                    "a document does not have the length that was announced for it".to_owned(),
                ))));
            }
            *unsaid -= length;
        }
        Poll::Ready(chunk.map(Ok))
    }
}

/// The body that [`body`] makes.
struct Frames {
    sources: VecDeque<Source>,
    /// Bytes that the whole body still owes, where that is known.
    left: Option<u64>,
    /// Small chunks, joined.
    joined: BytesMut,
    /// A large chunk that goes out behind `joined`.
    behind: Option<Bytes>,
}

impl Frames {
    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        while let Some(source) = self.sources.front_mut() {
            match ready!(source.poll_chunk(context)) {
                Some(Err(error)) => {
                    self.sources.clear();
                    self.joined.clear();
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Ok(chunk)) if chunk.is_empty() => {}
                Some(chunk) => return Poll::Ready(Some(chunk)),
                None => {
                    self.sources.pop_front();
                }
            }
        }
        Poll::Ready(None)
    }

    fn poll_joined(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        if let Some(chunk) = self.behind.take() {
            return Poll::Ready(Some(Ok(chunk)));
        }
        loop {
            let chunk = match self.poll_chunk(context) {
                Poll::Ready(Some(Ok(chunk))) => chunk,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) | Poll::Pending if !self.joined.is_empty() => {
                    return Poll::Ready(Some(Ok(self.joined.split().freeze())));
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            };
            let large = chunk.len() >= limits::LARGE_CHUNK_BYTES;
            if large && self.joined.is_empty() {
                return Poll::Ready(Some(Ok(chunk)));
            }
            if large || self.joined.len() + chunk.len() > limits::FRAME_BYTES {
                self.behind = large.then(|| chunk.clone());
                let frame = self.joined.split().freeze();
                if !large {
                    self.joined.extend_from_slice(&chunk);
                }
                return Poll::Ready(Some(Ok(frame)));
            }
            self.joined.extend_from_slice(&chunk);
        }
    }
}

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        let chunk = ready!(self.poll_joined(context)?);
        if let (Some(left), Some(chunk)) = (&mut self.left, &chunk) {
            *left -= chunk.len() as u64;
        }
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.sources.is_empty() && self.joined.is_empty() && self.behind.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map(SizeHint::with_exact).unwrap_or_default()
    }
}
