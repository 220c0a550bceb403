//! Documents on their way in: hashed as they arrive, kept in memory while they are small, written to a file as soon as
//! they are not.

use std::fs::File;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use openssl::sha::Sha1;
use tokio::task::{JoinHandle, spawn_blocking};

use super::files::{LargeFiles, Unkept, write_all};
use crate::limits;
use crate::store::StoreError;
use crate::wire::stream::StreamError;

/// A document that was received whole and is not retrievable yet. Dropping it gives its space back.
#[derive(Debug)]
pub struct Staged {
    /// Bytes.
    pub size: u64,
    /// SHA-1, lower-case hex.
    pub sha1: String,
    pub(super) crc: u32,
    pub(super) held: Held,
}

/// Where a staged document waits.
#[derive(Debug)]
pub(super) enum Held {
    /// In memory, to be appended to a segment.
    Memory(InMemory),
    /// In a file, durable already.
    File(Unkept),
}

/// Why a document could not be staged. Nothing is left of it.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// What it came from broke off, or it exceeds a limit.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// It could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A document that is being received. Dropping it leaves nothing behind.
pub struct Staging {
    files: LargeFiles,
    limit: u64,
    size: u64,
    sink: Sink,
}

enum Sink {
    Memory(InMemory, Digests),
    File(Spool),
}

impl Staging {
    pub(super) fn new(files: LargeFiles, memory: Arc<MemoryBudget>, limit: u64) -> Self {
        let sink = Sink::Memory(InMemory::new(memory), Digests::new());
        Self { files, limit, size: 0, sink }
    }

    /// Takes the next chunk; waits while the disk is behind.
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), StageError> {
        self.size += chunk.len() as u64;
        if self.size > self.limit {
            return Err(StreamError::TooLarge { what: "a document, in bytes,", limit: self.limit }.into());
        }
        match &mut self.sink {
            Sink::Memory(held, digests) => {
                if self.size <= limits::SMALL_DOCUMENT_BYTES && held.reserve(chunk.len()) {
                    digests.update(&chunk);
                    held.keep(chunk);
                    return Ok(());
                }
                // The digests cover what is in memory already: only the new chunk is still to be hashed.
                let mut spool = Spool::new(self.files.clone(), digests.clone(), held.take());
                spool.push(chunk).await?;
                self.sink = Sink::File(spool);
            }
            Sink::File(spool) => spool.push(chunk).await?,
        }
        Ok(())
    }

    /// The document is here whole.
    pub async fn finish(self) -> Result<Staged, StageError> {
        let (digests, held) = match self.sink {
            Sink::Memory(held, digests) => (digests, Held::Memory(held)),
            Sink::File(spool) => {
                let (digests, file) = spool.finish().await?;
                (digests, Held::File(file))
            }
        };
        let (sha1, crc) = digests.finish();
        Ok(Staged { size: self.size, sha1, crc, held })
    }
}

/// How many bytes of documents may wait in memory, over all submissions.
#[derive(Debug)]
pub(super) struct MemoryBudget {
    free: AtomicUsize,
}

impl MemoryBudget {
    pub(super) fn new(bytes: usize) -> Self {
        Self { free: AtomicUsize::new(bytes) }
    }

    fn take(&self, bytes: usize) -> bool {
        let take = |free: usize| free.checked_sub(bytes);
        self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.free.load(Ordering::Relaxed)
    }
}

/// Chunks as they came, counted against the budget.
#[derive(Debug)]
pub(super) struct InMemory {
    chunks: Vec<Bytes>,
    reserved: usize,
    budget: Arc<MemoryBudget>,
}

impl InMemory {
    fn new(budget: Arc<MemoryBudget>) -> Self {
        Self { chunks: Vec::new(), reserved: 0, budget }
    }

    pub(super) fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }

    fn reserve(&mut self, bytes: usize) -> bool {
        let granted = self.budget.take(bytes);
        self.reserved += if granted { bytes } else { 0 };
        granted
    }

    /// Keeps a chunk. A small one is copied: as a slice it would hold on to the whole buffer that it was received in, and
    /// many small documents to many times what they are counted for.
    fn keep(&mut self, chunk: Bytes) {
        let small = chunk.len() < limits::MIN_KEPT_SLICE_BYTES;
        self.chunks.push(if small { Bytes::copy_from_slice(&chunk) } else { chunk });
    }

    /// What is held, to go elsewhere: still counted until `self` is dropped, which is when the file has it.
    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new(self.budget.clone()))
    }
}

impl Drop for InMemory {
    fn drop(&mut self) {
        self.budget.free.fetch_add(self.reserved, Ordering::Relaxed);
    }
}

/// SHA-1 for the metadata, CRC-32 for reading back: the first costs more than serving a document may.
#[derive(Clone)]
struct Digests {
    sha1: Sha1,
    crc: crc32fast::Hasher,
}

impl Digests {
    fn new() -> Self {
        Self { sha1: Sha1::new(), crc: crc32fast::Hasher::new() }
    }

    fn update(&mut self, chunk: &[u8]) {
        self.sha1.update(chunk);
        self.crc.update(chunk);
    }

    fn finish(self) -> (String, u32) {
        (hex(&self.sha1.finish()), self.crc.finalize())
    }
}

/// A document on its way into a file: chunks are gathered, and hashed and written on a blocking thread a batch at a time,
/// while the next batch is gathered. Two batches are the most that is in memory.
struct Spool {
    batch: Vec<Bytes>,
    gathered: usize,
    /// The batch before. None after a failure.
    writing: Option<JoinHandle<io::Result<Target>>>,
}

/// What batches are written to.
struct Target {
    files: LargeFiles,
    digests: Digests,
    unkept: Unkept,
    file: File,
}

impl Spool {
    /// Begins with what waited in memory, and is hashed already.
    fn new(files: LargeFiles, digests: Digests, begun: InMemory) -> Self {
        let begin = move || {
            let (unkept, file) = files.create()?;
            let mut target = Target { files, digests, unkept, file };
            target.append(begun.chunks())?;
            Ok(target)
        };
        Self { batch: Vec::new(), gathered: 0, writing: Some(spawn_blocking(begin)) }
    }

    async fn push(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        self.gathered += chunk.len();
        self.batch.push(chunk);
        if self.gathered >= limits::SPOOL_BATCH_BYTES { self.flush().await } else { Ok(()) }
    }

    /// Waits for the batch before this one, and hands this one over.
    async fn flush(&mut self) -> Result<(), StoreError> {
        let mut target = self.written().await?;
        let batch = std::mem::take(&mut self.batch);
        self.gathered = 0;
        self.writing = Some(spawn_blocking(move || {
            batch.iter().for_each(|chunk| target.digests.update(chunk));
            target.append(&batch)?;
            Ok(target)
        }));
        Ok(())
    }

    async fn finish(mut self) -> Result<(Digests, Unkept), StoreError> {
        self.flush().await?;
        let target = self.written().await?;
        let finish = move || {
            let Target { files, digests, unkept, file } = target;
            Ok((digests, files.finish(unkept, &file)?))
        };
        joined(spawn_blocking(finish)).await
    }

    async fn written(&mut self) -> Result<Target, StoreError> {
        match self.writing.take() {
            Some(writing) => joined(writing).await,
            None => Err(io::Error::other("an earlier part of this document could not be written").into()),
        }
    }
}

impl Target {
    fn append(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        let mut slices: Vec<_> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
        write_all(&mut self.file, &mut slices)
    }
}

/// What a blocking thread came to.
async fn joined<T>(job: JoinHandle<io::Result<T>>) -> Result<T, StoreError> {
    Ok(job.await.map_err(|_| StoreError::Panicked)??)
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
