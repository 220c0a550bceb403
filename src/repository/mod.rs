//! The hosted Document Repository's bytes: staged as they arrive, retrievable once committed (ITI TF-2: 3.41.4, 3.43.4).
//! Called by `actors::document_repository`.
//!
//! | where | what |
//! |---|---|
//! | `segments/NNNNNNNN.seg` | documents up to [`limits::SMALL_DOCUMENT_BYTES`], one behind the other ([`segments`]) |
//! | `large/xx/uuid` | larger ones, a file each ([`files`]) |
//! | `incoming/uuid` | larger ones that are still arriving |
//! | tables of the store | which document is where ([`index`]) |
//!
//! The rule that everything here keeps: **a document's bytes are durable before its row is**. Small documents wait in
//! memory, are appended in the store's writer once their submission is accepted, and are written and synced by a hook
//! before the group commits: one sync for all who wait. Large ones are written and synced while they arrive. So whatever a crash
//! leaves behind is bytes without a row, which [`Repository::open`] settles. Removal turns the order round ([`erasing`]).
//!
//! No file is named after an identifier that came from outside.

mod erasing;
mod files;
mod index;
mod reading;
mod recent;
mod record;
mod segments;
mod settling;
mod staging;
mod verifying;
mod weighing;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ids::Oid;
use crate::limits;
use crate::store::{Connection, Migration, Store, StoreError};
use crate::wire::stream::Content;

use files::LargeFiles;
use index::{Index, Place, Row};
use recent::Recent;
use segments::Segments;
use staging::{Held, MemoryBudget};

pub use settling::Settled;
pub use staging::{StageError, Staged, Staging};
pub use verifying::Condition;
pub use weighing::Weighing;

/// The repository's tables.
pub const MIGRATION: Migration = index::MIGRATION;

/// What is known of a stored document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocument {
    /// DocumentEntry.uniqueId.
    pub unique_id: String,
    /// As submitted.
    pub mime_type: String,
    /// Bytes.
    pub size: u64,
    /// SHA-1, lower-case hex.
    pub sha1: String,
}

/// A document that was asked for.
#[derive(Debug)]
pub enum Retrieved {
    /// Here it is. Small ones were verified already; large ones are on the way, and break off if they turn out wrong.
    Found(StoredDocument, Content),
    /// There is none under that uniqueId.
    Unknown,
    /// What is on the disk is not what was stored: never given out.
    Damaged,
}

/// A document to be made retrievable.
#[derive(Debug)]
pub struct Submitted {
    /// DocumentEntry.uniqueId.
    pub unique_id: String,
    /// DocumentEntry.mimeType.
    pub mime_type: String,
    /// Its bytes.
    pub staged: Staged,
}

/// What runs in a submission's transaction.
pub type CommitJob = Box<dyn FnOnce(&Connection) -> Result<(), StoreError> + Send>;

/// What a repository is opened with.
#[derive(Debug, Clone)]
pub struct Opening {
    directory: PathBuf,
    tenant: Arc<str>,
    id: Oid,
}

impl Opening {
    /// The repository `id` of a tenant, with its files under `directory`, which is its alone.
    pub fn new(directory: impl Into<PathBuf>, tenant: Arc<str>, id: Oid) -> Self {
        Self { directory: directory.into(), tenant, id }
    }
}

/// The repository of one tenant. Cheap to clone.
#[derive(Clone)]
pub struct Repository {
    rooms: Arc<Rooms>,
    store: Store,
    id: Oid,
    segments: Arc<Path>,
}

/// What jobs on other threads share.
struct Rooms {
    index: Index,
    segments: Arc<Segments>,
    files: LargeFiles,
    memory: Arc<MemoryBudget>,
    recent: Recent,
}

impl Repository {
    /// Opens a tenant's repository; settles what a crash left behind, and hooks its sync into the store's commits. Blocks:
    /// for start-up.
    pub fn open(store: Store, opening: Opening) -> Result<Self, StoreError> {
        let Opening { directory, tenant, id } = opening;
        let directory = directory.as_path();
        let index = Index::new(tenant, &id);
        let files = LargeFiles::open(directory)?;
        let folder: Arc<Path> = directory.join("segments").into();
        erasing::erase_all(&store, &index, &folder, &files)?;
        let (segments, settled) = settling::settle(directory, &store, &index, &files)?;
        settled.report(directory);
        let segments = Arc::new(segments);
        let hooked = segments.clone();
        store.before_commit(Arc::new(move || hooked.sync()));
        let memory = Arc::new(MemoryBudget::new(limits::MAX_STAGED_MEMORY));
        Ok(Self {
            rooms: Arc::new(Rooms { index, segments, files, memory, recent: Recent::default() }),
            store,
            id,
            segments: folder,
        })
    }

    /// repositoryUniqueId.
    pub fn id(&self) -> &Oid {
        &self.id
    }

    /// Begins to take a document of at most `limit` bytes.
    pub fn receive(&self, limit: u64) -> Staging {
        Staging::new(self.rooms.files.clone(), self.rooms.memory.clone(), limit)
    }

    /// Takes a document from a stream, hashing on the way; at most `limit` bytes.
    pub async fn stage(&self, mut content: Content, limit: u64) -> Result<Staged, StageError> {
        let mut staging = self.receive(limit);
        while let Some(chunk) = content.next().await {
            staging.write(chunk?).await?;
        }
        staging.finish().await
    }

    /// What is stored under uniqueIds, in their order.
    pub async fn find(&self, unique_ids: Vec<String>) -> Result<Vec<Option<StoredDocument>>, StoreError> {
        let rooms = self.rooms.clone();
        let find = move |connection: &Connection| {
            let row = |id: &String| Ok(rooms.index.find(connection, id)?.map(|row| row.document));
            unique_ids.iter().map(row).collect()
        };
        self.store.read(find).await
    }

    /// Brings staged documents to where they will lie, and gives the job that makes them retrievable: it runs in the
    /// submission's transaction. A uniqueId that is stored with the same bytes stays as it is, without a second copy; one
    /// that is stored with others fails the job, which leaves nothing behind (ask [`Repository::find`] which it was).
    pub async fn commit(&self, documents: Vec<Submitted>) -> Result<CommitJob, StoreError> {
        let rooms = self.rooms.clone();
        Ok(Box::new(move |connection| {
            let before = rooms.segments.mark();
            let stored = rooms.store(connection, documents);
            if stored.is_err() {
                rooms.segments.rewind(before);
            }
            stored
        }))
    }

    /// Removes documents by uniqueId: none of them can be retrieved any more when this returns, even after a crash, and
    /// their space is given back. `also` runs in the same transaction. Says of each whether it was there.
    pub async fn remove(&self, unique_ids: Vec<String>, also: CommitJob) -> Result<Vec<bool>, StoreError> {
        let rooms = self.rooms.clone();
        let ids: Arc<[String]> = unique_ids.into();
        let removed = ids.clone();
        let remove = move |connection: &Connection| {
            let found: Result<Vec<_>, _> = ids.iter().map(|id| rooms.index.remove(connection, id)).collect();
            also(connection)?;
            found
        };
        let found = self.store.write(remove).await?;
        removed.iter().for_each(|id| self.rooms.recent.forget(id));
        let repository = self.clone();
        let erase = move || {
            let Self { rooms, store, segments, .. } = &repository;
            if let Err(error) = erasing::erase_all(store, &rooms.index, segments, &rooms.files) {
                tracing::error!(%error, "removed documents could not be erased yet");
            }
            // A reader may have remembered a row that it saw before.
            removed.iter().for_each(|id| rooms.recent.forget(id));
        };
        // They are removed, whatever becomes of their bytes.
        let _ = tokio::task::spawn_blocking(erase).await;
        Ok(found)
    }

    /// A stored document's bytes.
    pub async fn retrieve(&self, unique_id: &str) -> Result<Retrieved, StoreError> {
        let mut retrieved = self.retrieve_all(vec![unique_id.to_owned()]).await?;
        Ok(retrieved.pop().unwrap_or(Retrieved::Unknown))
    }

    /// The bytes of several documents, in the order asked for. Small ones are read and verified before this returns, up to
    /// [`limits::MAX_EAGER_BYTES`] in all; others are read, off the runtime's threads, as their stream is.
    pub async fn retrieve_all(&self, unique_ids: Vec<String>) -> Result<Vec<Retrieved>, StoreError> {
        if let Some(retrieved) = reading::retrieve_cached(&self.rooms, &unique_ids) {
            return Ok(retrieved);
        }
        let rooms = self.rooms.clone();
        let retrieve = move |connection: &Connection| {
            let mut eager = limits::MAX_EAGER_BYTES;
            let mut one = |id: &String| match rooms.index.find(connection, id)? {
                Some(row) => Ok(reading::retrieve(&rooms, Arc::new(row), &mut eager)),
                None => Ok(Retrieved::Unknown),
            };
            unique_ids.iter().map(&mut one).collect()
        };
        self.store.read(retrieve).await
    }
}

impl Rooms {
    /// Appends and indexes what is new. Runs in the store's writer.
    fn store(&self, connection: &Connection, documents: Vec<Submitted>) -> Result<(), StoreError> {
        let mut appended = false;
        for Submitted { unique_id, mime_type, staged } in documents {
            if let Some(known) = self.index.find(connection, &unique_id)? {
                if (known.document.size, &known.document.sha1) != (staged.size, &staged.sha1) {
                    return Err(std::io::Error::from(ErrorKind::AlreadyExists).into());
                }
                continue;
            }
            let (size, sha1, crc) = (staged.size, staged.sha1, staged.crc);
            let place = match staged.held {
                Held::Memory(held) => {
                    appended = true;
                    self.segments.append(self.index.fingerprint(&unique_id), held.chunks(), size, crc)?
                }
                Held::File(file) => Place::File(file.keep()),
            };
            let document = StoredDocument { unique_id, mime_type, size, sha1 };
            self.index.insert(connection, &Row { document, place, crc })?;
        }
        if appended {
            self.index.set_segment_end(connection, self.segments.mark())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
