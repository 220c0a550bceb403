//! The documents of one answer as streams that share its connection. They are read one after the other in the order of
//! their parts: a stream takes the connection from the desk when it is first polled and puts it back at its end, or when it
//! is dropped. No byte is read before somebody wants it, so that the pressure of a slow reader reaches the sender.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream;

use crate::limits;
use crate::transactions::iti43::{DocumentSource, RetrieveResponse, RetrieveResponseHead, RetrievedDocument};
use crate::wire::soap::Attachments;
use crate::wire::stream::{ByteStream, Content, StreamError};

/// Joins an answer's head with the parts that are still arriving.
pub fn join(head: RetrieveResponseHead, attachments: Attachments) -> RetrieveResponse {
    let mut wanted = HashMap::new();
    for (_, source) in &head.documents {
        if let DocumentSource::Part(id) = source {
            wanted.insert(id.clone(), Vec::new());
        }
    }
    let desk: Desk = Arc::new(Mutex::new(Some(Parts { attachments, wanted, held: 0, broken: None })));
    let documents = head.documents.into_iter().map(|(head, source)| RetrievedDocument {
        head,
        content: match source {
            DocumentSource::Inline(bytes) => Content::from_bytes(bytes),
            DocumentSource::Part(id) => Content::from_stream(None, document(Arc::clone(&desk), id)),
        },
    });
    RetrieveResponse { status: head.status, errors: head.errors, documents: documents.collect() }
}

type Desk = Arc<Mutex<Option<Parts>>>;

/// A connection and what was read from it too early.
struct Parts {
    attachments: Attachments,
    /// Parts that are still wanted, with their chunks if they came before their turn.
    wanted: HashMap<String, Vec<Bytes>>,
    held: usize,
    broken: Option<StreamError>,
}

enum Found {
    Ahead(Vec<Bytes>),
    Next,
}

impl Parts {
    /// Goes to a part. Parts that are wanted later are held in memory, up to a bound; others are passed over.
    async fn find(&mut self, id: &str) -> Result<Found, StreamError> {
        match self.wanted.remove(id) {
            Some(chunks) if !chunks.is_empty() => return Ok(Found::Ahead(chunks)),
            Some(_) => {}
            None => return Err(StreamError::Malformed("two documents refer to one part".into())),
        }
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        loop {
            let Some(part) = self.attachments.next().await? else {
                return Err(StreamError::Malformed(format!("there is no part {id:?}")));
            };
            if part.content_id == id {
                return Ok(Found::Next);
            }
            if self.wanted.contains_key(&part.content_id) {
                self.hold(part.content_id).await?;
            }
        }
    }

    async fn hold(&mut self, id: String) -> Result<(), StreamError> {
        let mut chunks = Vec::new();
        while let Some(chunk) = self.attachments.chunk().await? {
            self.held += chunk.len();
            if self.held > limits::PREFETCH_TOTAL_BYTES {
                let limit = limits::PREFETCH_TOTAL_BYTES as u64;
                return Err(StreamError::TooLarge { what: "parts that come before their turn", limit });
            }
            chunks.push(chunk);
        }
        // An empty part counts as come, too.
        if chunks.is_empty() {
            chunks.push(Bytes::new());
        }
        self.wanted.insert(id, chunks);
        Ok(())
    }

    /// Reads the end of the message, if it comes at once, so that the connection can be used again.
    async fn finish(&mut self) {
        if self.wanted.is_empty() && self.broken.is_none() {
            let drained = tokio::time::timeout(limits::PEER_DRAIN_WAIT, self.attachments.drain()).await;
            tracing::trace!(whole = matches!(drained, Ok(Ok(()))), "end of an answer with documents");
        }
    }
}

/// The connection, taken from the desk; it goes back there whatever happens.
struct Turn {
    desk: Desk,
    parts: Option<Parts>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(parts) = self.parts.take() {
            *self.desk.lock().unwrap_or_else(PoisonError::into_inner) = Some(parts);
        }
    }
}

enum Reading {
    Waiting { desk: Desk, id: String },
    Ahead(std::vec::IntoIter<Bytes>, Turn),
    Live(Turn),
    Done,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>, StreamError> {
        loop {
            match self {
                Self::Waiting { desk, id } => {
                    let parts = desk.lock().unwrap_or_else(PoisonError::into_inner).take();
                    let mut turn = Turn { desk: Arc::clone(desk), parts };
                    let Some(parts) = &mut turn.parts else {
                        return Err(StreamError::Malformed(
                            "documents of one answer are read in order".into(),
                        ));
                    };
                    let found = parts.find(id).await.inspect_err(|e| parts.broken = Some(e.clone()))?;
                    *self = match found {
                        Found::Ahead(chunks) => Self::Ahead(chunks.into_iter(), turn),
                        Found::Next => Self::Live(turn),
                    };
                }
                Self::Ahead(chunks, _) => match chunks.next() {
                    Some(chunk) if chunk.is_empty() => {}
                    Some(chunk) => return Ok(Some(chunk)),
                    None => return self.end().await,
                },
                Self::Live(turn) => {
                    let Some(parts) = &mut turn.parts else { return Ok(None) };
                    match parts.attachments.chunk().await {
                        Ok(Some(chunk)) => return Ok(Some(chunk)),
                        Ok(None) => return self.end().await,
                        Err(error) => {
                            parts.broken = Some(error.clone());
                            return Err(error);
                        }
                    }
                }
                Self::Done => return Ok(None),
            }
        }
    }

    async fn end(&mut self) -> Result<Option<Bytes>, StreamError> {
        if let Self::Ahead(_, turn) | Self::Live(turn) = self
            && let Some(parts) = &mut turn.parts
        {
            parts.finish().await;
        }
        *self = Self::Done;
        Ok(None)
    }
}

fn document(desk: Desk, id: String) -> ByteStream {
    Box::pin(stream::unfold(Reading::Waiting { desk, id }, |mut reading| async move {
        match reading.next().await {
            Ok(Some(chunk)) => Some((Ok(chunk), reading)),
            Ok(None) => None,
            Err(error) => Some((Err(error), Reading::Done)),
        }
    }))
}
