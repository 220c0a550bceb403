//! Documents on their way in: hashed as they arrive, kept in memory while they are small, written to a file as soon as
//! they are not; sealed before they leave memory where documents are encrypted.

use std::fs::File;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use openssl::sha::Sha1;
use tokio::task::{JoinHandle, spawn_blocking};

use super::files::{LargeFiles, Unkept, write_all};
use super::objects::Unlinked;
use super::sealing::{DataKey, Sealer, Seals, sealed_size};
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
    /// Of the bytes as they are held.
    pub(super) crc: u32,
    pub(super) held: Held,
    /// What they are sealed with.
    pub(super) key: Option<DataKey>,
}

/// Where a staged document waits.
#[derive(Debug)]
pub(super) enum Held {
    /// In memory, to be appended to a segment or put into an object.
    Memory(InMemory),
    /// In a file: durable already, or to be put into an object.
    File(Unkept),
    /// In an object, durable already.
    Object(Unlinked),
    /// It could not be brought to its place.
    Nothing,
}

impl Held {
    /// A row refers to it.
    pub(super) fn keep(self) {
        match self {
            Self::File(file) => file.keep(),
            Self::Object(object) => object.link(),
            Self::Memory(_) | Self::Nothing => {}
        }
    }
}

impl Staged {
    /// How many bytes are held.
    pub(super) fn stored_size(&self) -> u64 {
        if self.key.is_some() { sealed_size(self.size) } else { self.size }
    }
}

/// What becomes of a large document's file when it is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    /// It is made durable, under the name by which it can be retrieved.
    Kept,
    /// It is put into an object.
    PassedOn,
}

/// Where documents are staged.
#[derive(Debug, Clone)]
pub(super) struct Dock {
    pub(super) files: LargeFiles,
    pub(super) whole: Whole,
    pub(super) memory: StagingMemory,
    pub(super) seals: Seals,
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
    dock: Dock,
    limit: u64,
    size: u64,
    sink: Sink,
}

enum Sink {
    Memory(InMemory, Sha1),
    File(Spool),
}

impl Staging {
    pub(super) fn new(dock: Dock, limit: u64) -> Self {
        let sink = Sink::Memory(InMemory::new(dock.memory.clone()), Sha1::new());
        Self { dock, limit, size: 0, sink }
    }

    /// Takes the next chunk; waits while the disk is behind.
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), StageError> {
        self.size += chunk.len() as u64;
        if self.size > self.limit {
            return Err(StreamError::TooLarge { what: "a document, in bytes,", limit: self.limit }.into());
        }
        match &mut self.sink {
            Sink::Memory(held, sha1) => {
                if self.size <= limits::SMALL_DOCUMENT_BYTES && held.reserve(chunk.len()) {
                    sha1.update(&chunk);
                    held.keep(chunk);
                    return Ok(());
                }
                // What is in memory is hashed already.
                let mut spool = Spool::new(&self.dock, sha1.clone(), held.take())?;
                spool.push(chunk).await?;
                self.sink = Sink::File(spool);
            }
            Sink::File(spool) => spool.push(chunk).await?,
        }
        Ok(())
    }

    /// The document is here whole.
    pub async fn finish(self) -> Result<Staged, StageError> {
        let (sha1, crc, key, held) = match self.sink {
            Sink::Memory(mut held, sha1) => {
                let sealer = self.dock.seals.sealer().map_err(StoreError::from)?;
                let key = sealer.map(|sealer| held.seal(sealer)).transpose().map_err(StoreError::from)?;
                (sha1, held.crc(), key, Held::Memory(held))
            }
            Sink::File(spool) => spool.finish(self.dock.whole).await?,
        };
        Ok(Staged { size: self.size, sha1: hex(&sha1.finish()), crc, held, key })
    }
}

/// How many bytes of documents may wait in memory, over all submissions to all repositories that share it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StagingMemory(Arc<AtomicUsize>);

impl Default for StagingMemory {
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(limits::MAX_STAGED_MEMORY)))
    }
}

impl StagingMemory {
    fn take(&self, bytes: usize) -> bool {
        let take = |free: usize| free.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Chunks as they came, counted against the budget.
#[derive(Debug)]
pub(super) struct InMemory {
    chunks: Vec<Bytes>,
    reserved: usize,
    budget: StagingMemory,
}

impl InMemory {
    fn new(budget: StagingMemory) -> Self {
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

    /// Seals what is held; gives the key.
    fn seal(&mut self, mut sealer: Sealer) -> io::Result<DataKey> {
        let mut sealed = Vec::new();
        self.chunks.iter().try_for_each(|chunk| sealer.push(chunk, &mut sealed))?;
        let key = sealer.finish(&mut sealed)?;
        self.chunks = sealed;
        Ok(key)
    }

    /// CRC-32 of what is held.
    fn crc(&self) -> u32 {
        let mut crc = crc32fast::Hasher::new();
        self.chunks.iter().for_each(|chunk| crc.update(chunk));
        crc.finalize()
    }

    /// What is held, to go elsewhere: still counted until `self` is dropped, which is when the file has it.
    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new(self.budget.clone()))
    }
}

impl Drop for InMemory {
    fn drop(&mut self) {
        self.budget.give_back(self.reserved);
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

/// What batches are written to. SHA-1 is for the metadata, CRC-32 for reading back: the first costs more than serving a
/// document may.
struct Target {
    files: LargeFiles,
    sha1: Sha1,
    crc: crc32fast::Hasher,
    sealer: Option<Sealer>,
    unkept: Unkept,
    file: File,
}

/// What a whole document in a file came to.
type Spooled = (Sha1, u32, Option<DataKey>, Held);

impl Spool {
    /// Begins with what waited in memory, and is hashed already.
    fn new(dock: &Dock, sha1: Sha1, begun: InMemory) -> Result<Self, StoreError> {
        let (files, sealer) = (dock.files.clone(), dock.seals.sealer()?);
        let begin = move || {
            let (unkept, file) = files.create()?;
            let mut target = Target { files, sha1, crc: crc32fast::Hasher::new(), sealer, unkept, file };
            target.append(begun.chunks())?;
            Ok(target)
        };
        Ok(Self { batch: Vec::new(), gathered: 0, writing: Some(spawn_blocking(begin)) })
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
            batch.iter().for_each(|chunk| target.sha1.update(chunk));
            target.append(&batch)?;
            Ok(target)
        }));
        Ok(())
    }

    async fn finish(mut self, whole: Whole) -> Result<Spooled, StoreError> {
        self.flush().await?;
        let target = self.written().await?;
        joined(spawn_blocking(move || target.finish(whole))).await
    }

    async fn written(&mut self) -> Result<Target, StoreError> {
        match self.writing.take() {
            Some(writing) => joined(writing).await,
            None => Err(io::Error::other("an earlier part of this document could not be written").into()),
        }
    }
}

impl Target {
    /// Writes chunks that are hashed already, sealed where that is the way.
    fn append(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        let Some(sealer) = &mut self.sealer else { return self.write(chunks) };
        let mut sealed = Vec::new();
        chunks.iter().try_for_each(|chunk| sealer.push(chunk, &mut sealed))?;
        self.write(&sealed)
    }

    fn write(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        chunks.iter().for_each(|chunk| self.crc.update(chunk));
        let mut slices: Vec<_> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
        write_all(&mut self.file, &mut slices)
    }

    fn finish(mut self, whole: Whole) -> io::Result<Spooled> {
        let mut sealed = Vec::new();
        let key = self.sealer.take().map(|sealer| sealer.finish(&mut sealed)).transpose()?;
        self.write(&sealed)?;
        let file = match whole {
            Whole::Kept => self.files.finish(self.unkept, &self.file)?,
            Whole::PassedOn => self.unkept,
        };
        Ok((self.sha1, self.crc.finalize(), key, Held::File(file)))
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
