//! Parts that arrive before the root part: kept, in memory up to a bound, in a file without a name beyond.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use uuid::Uuid;

use super::AttachedPart;
use crate::limits;
use crate::wire::mime::MultipartReader;
use crate::wire::stream::StreamError;

/// One kept part: its first chunks, then a place in the file.
#[derive(Debug)]
pub(super) struct EarlyPart {
    pub(super) part: AttachedPart,
    head: VecDeque<Bytes>,
    at: u64,
    end: u64,
}

/// The kept parts, in the order in which they came.
#[derive(Debug)]
pub(super) struct EarlyParts {
    parts: VecDeque<EarlyPart>,
    spool: Option<Spool>,
    in_memory: usize,
    in_all: u64,
    limit: u64,
}

impl EarlyParts {
    /// None yet; together they may have `limit` bytes.
    pub(super) fn new(limit: u64) -> Self {
        Self { parts: VecDeque::new(), spool: None, in_memory: 0, in_all: 0, limit }
    }

    /// Whether there are none (left).
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Keeps the part that `reader` stands at.
    pub(super) async fn keep(
        &mut self,
        part: AttachedPart,
        reader: &mut MultipartReader,
    ) -> Result<(), StreamError> {
        let start = self.spool.as_ref().map_or(0, |spool| spool.length);
        let mut kept = EarlyPart { part, head: VecDeque::new(), at: start, end: start };
        while let Some(chunk) = reader.next_chunk().await? {
            self.in_all += chunk.len() as u64;
            if self.in_all > self.limit {
                return Err(StreamError::TooLarge {
                    what: "the MIME parts before the root part (bytes)",
                    limit: self.limit,
                });
            }
            // Once a part is in the file, the rest of it follows there.
            if kept.at == kept.end && self.in_memory + chunk.len() <= limits::MAX_EARLY_PART_MEMORY {
                self.in_memory += chunk.len();
                // Copied: a small slice would hold on to the whole buffer that it was received in.
                kept.head.push_back(Bytes::copy_from_slice(&chunk));
                continue;
            }
            if self.spool.is_none() {
                self.spool = Some(Spool::create().await?);
            }
            if let Some(spool) = &mut self.spool {
                spool.append(&chunk).await?;
                kept.end = spool.length;
            }
        }
        if let Some(spool) = &mut self.spool {
            spool.flush().await?;
        }
        self.parts.push_back(kept);
        Ok(())
    }

    /// The next kept part.
    pub(super) fn next(&mut self) -> Option<EarlyPart> {
        self.parts.pop_front()
    }

    /// The next chunk of a kept part.
    pub(super) async fn chunk(&self, part: &mut EarlyPart) -> Result<Option<Bytes>, StreamError> {
        if let Some(chunk) = part.head.pop_front() {
            return Ok(Some(chunk));
        }
        let length = (part.end - part.at).min(limits::CHUNK_BYTES as u64);
        match &self.spool {
            Some(spool) if length > 0 => {
                let chunk = spool.read(part.at, length as usize).await?;
                part.at += length;
                Ok(Some(chunk))
            }
            _ => Ok(None),
        }
    }
}

/// A temporary file that only this process can open: it is removed from its folder as soon as it is open, so that nothing
/// of it is left whatever happens to us.
#[derive(Debug)]
struct Spool {
    file: Arc<File>,
    /// Bytes appended, those of `pending` included.
    length: u64,
    pending: BytesMut,
}

impl Spool {
    async fn create() -> Result<Self, StreamError> {
        let file = blocking(|| {
            let path = std::env::temp_dir().join(format!("sekisho-{}.part", Uuid::new_v4().simple()));
            let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
            std::fs::remove_file(&path)?;
            Ok(file)
        })
        .await?;
        Ok(Self { file: Arc::new(file), length: 0, pending: BytesMut::new() })
    }

    async fn append(&mut self, chunk: &[u8]) -> Result<(), StreamError> {
        self.pending.extend_from_slice(chunk);
        self.length += chunk.len() as u64;
        if self.pending.len() >= limits::CHUNK_BYTES { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), StreamError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let (file, pending) = (Arc::clone(&self.file), self.pending.split().freeze());
        let at = self.length - pending.len() as u64;
        blocking(move || file.write_all_at(&pending, at)).await
    }

    async fn read(&self, at: u64, length: usize) -> Result<Bytes, StreamError> {
        let file = Arc::clone(&self.file);
        blocking(move || {
            let mut chunk = vec![0; length];
            file.read_exact_at(&mut chunk, at)?;
            Ok(chunk.into())
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StreamError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| StreamError::Store(format!("a temporary file: {error}"))),
        Err(error) => Err(StreamError::Store(format!("a temporary file: {error}"))),
    }
}
