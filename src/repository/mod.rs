//! The hosted Document Repository's bytes: staged as they arrive, retrievable once committed (ITI TF-2: 3.41.4, 3.43.4).
//! Called by `actors::document_repository`.
//!
//! | where | what |
//! |---|---|
//! | `segments/NNNNNNNN.seg` | documents up to [`limits::SMALL_DOCUMENT_BYTES`], one behind the other ([`segments`]) |
//! | `large/xx/uuid` | larger ones, a file each ([`files`]) |
//! | `incoming/uuid` | larger ones that are still arriving |
//! | an S3-compatible store | documents of any size, an object each, if so configured ([`objects`]) |
//! | tables of the store | which document is where ([`index`]), how much is stored ([`ledger`]) |
//!
//! The rule that everything here keeps: **a document's bytes are durable before its row is**. Small documents wait in
//! memory, are appended in the store's writer once their submission is accepted, and are written and synced by a hook
//! before the group commits: one sync for all who wait. Large ones are written and synced while they arrive. Objects are
//! put once their submission was found to be in order, before its transaction begins. So whatever a crash leaves behind is
//! bytes without a row, which is settled ([`settling`], [`orphans`]). Removal turns the order round ([`erasing`]).
//!
//! Where a tenant has keys, everything is sealed before it leaves memory ([`sealing`]). New documents go where the
//! configuration says; old ones are read from where they were put, and as they were.
//!
//! No file and no object is named after an identifier that came from outside.

mod erasing;
mod files;
mod index;
mod ledger;
mod objects;
mod orphans;
mod reading;
mod recent;
mod record;
mod rotating;
mod s3;
mod sealing;
mod segments;
mod settling;
mod staging;
mod unpacking;
mod verifying;
mod weighing;

use std::collections::{HashMap, HashSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::ids::Oid;
use crate::limits;
use crate::store::{Connection, Migration, Store, StoreError};
use crate::wire::stream::Content;

use erasing::Places;
use files::LargeFiles;
use index::{Index, Place, Position, Row};
use ledger::Change;
use objects::Objects;
use reading::Found;
use recent::Recent;
use sealing::Seals;
use segments::Segments;
use staging::{Dock, Held, Whole};

pub use ledger::{Quota, Recount, Usage};
pub use objects::Bucket;
pub use rotating::Rotated;
pub use s3::S3Settings;
pub use sealing::Keys;
pub use settling::Settled;
pub use staging::{StageError, Staged, Staging, StagingMemory};
pub use verifying::{Condition, Stray};
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
    /// What is there is not what was stored: never given out.
    Damaged,
    /// The object store that has it does not answer.
    Away,
}

/// Who can remove documents with their bytes, of several gateways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remover {
    /// They lie in this one's folder.
    ThisGateway,
    /// They lie in another one's.
    AnotherGateway,
    /// They lie where all reach them, or in no repository of ours.
    Anyone,
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

/// Where new documents are kept.
#[derive(Debug, Clone, Default)]
pub enum Documents {
    /// In the repository's own folder: for one process.
    #[default]
    Files,
    /// In a bucket, which several gateways may share.
    Objects(Bucket),
}

/// What a repository is opened with.
#[derive(Debug, Clone)]
pub struct Opening {
    directory: PathBuf,
    tenant: Arc<str>,
    id: Oid,
    documents: Documents,
    keys: Option<Keys>,
    quota: Quota,
    memory: StagingMemory,
}

impl Opening {
    /// The repository `id` of a tenant, with its files under `directory`, which is its alone.
    pub fn new(directory: impl Into<PathBuf>, tenant: Arc<str>, id: Oid) -> Self {
        let (documents, keys, quota) = (Documents::Files, None, Quota::default());
        let memory = StagingMemory::default();
        Self { directory: directory.into(), tenant, id, documents, keys, quota, memory }
    }

    /// The same with new documents kept there.
    pub fn with_documents(self, documents: Documents) -> Self {
        Self { documents, ..self }
    }

    /// The same with a bound on what it holds.
    pub fn with_quota(self, quota: Quota) -> Self {
        Self { quota, ..self }
    }

    /// The same with memory for documents on their way in that others use too.
    pub fn with_memory(self, memory: StagingMemory) -> Self {
        Self { memory, ..self }
    }

    /// The same with documents encrypted with the tenant's keys.
    pub fn with_keys(self, keys: Option<Keys>) -> Self {
        Self { keys, ..self }
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
    /// Where new documents go; None: into segments and files.
    objects: Option<Objects>,
    dock: Dock,
    recent: Recent,
    quota: Quota,
    /// What was found when it was opened.
    settled: Settled,
}

impl Repository {
    /// Opens a tenant's repository; settles what a crash left behind, and hooks its sync into the store's commits. Blocks:
    /// for start-up.
    pub fn open(store: Store, opening: Opening) -> Result<Self, StoreError> {
        let Opening { directory, tenant, id, documents, keys, quota, memory } = opening;
        let directory = directory.as_path();
        let index = Index::new(tenant.clone(), &id);
        rotating::check_keys(&store, &index, keys.as_ref())?;
        let files = LargeFiles::open(directory)?;
        let folder: Arc<Path> = directory.join("segments").into();
        let (objects, whole) = match documents {
            Documents::Files => (None, Whole::Kept),
            Documents::Objects(bucket) => (Some(Objects::new(bucket, &tenant, &id)), Whole::PassedOn),
        };
        let (segments, settled) = if objects.is_some() {
            // What was in files before is read from there; it may be another gateway's that had it.
            let nowhere = Position { segment: 1, offset: 0 };
            (Segments::new(folder.to_path_buf(), nowhere), settling::settle_incoming(&files)?)
        } else {
            let places = Places { segments: &folder, files: &files, objects: None };
            erasing::erase_all(&store, &index, places)?;
            settling::settle(directory, &store, &index, &files)?
        };
        settled.report(directory);
        let segments = Arc::new(segments);
        if objects.is_none() {
            let hooked = segments.clone();
            store.before_commit(Arc::new(move || hooked.sync()));
        }
        let seals = Seals::new(keys, &tenant, id.as_str());
        let dock = Dock { files, whole, memory, seals };
        let rooms = Rooms { index, segments, objects, dock, recent: Recent::default(), quota, settled };
        let repository = Self { rooms: Arc::new(rooms), store, id, segments: folder };
        orphans::look_after(&repository);
        Ok(repository)
    }

    /// repositoryUniqueId.
    pub fn id(&self) -> &Oid {
        &self.id
    }

    /// What a gateway claims ([`Store::claim`]) that has a repository's documents in its folder.
    pub fn claim(repository: &str) -> String {
        format!("the documents of repository {repository}")
    }

    /// Whose work it is to remove a repository's documents.
    pub async fn remover(&self, repository: &str) -> Result<Remover, StoreError> {
        if repository == self.id.as_str() {
            let in_folder = self.rooms.objects.is_none();
            return Ok(if in_folder { Remover::ThisGateway } else { Remover::Anyone });
        }
        let elsewhere = self.store.is_claimed_elsewhere(Self::claim(repository)).await?;
        Ok(if elsewhere { Remover::AnotherGateway } else { Remover::Anyone })
    }

    /// Begins to take a document of at most `limit` bytes.
    pub fn receive(&self, limit: u64) -> Staging {
        Staging::new(self.rooms.dock.clone(), limit)
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
            let found = rooms.index.find_all(connection, unique_ids.clone())?;
            Ok(unique_ids.iter().map(|id| found.get(id).map(|row| row.document.clone())).collect())
        };
        self.store.read(find).await
    }

    /// Brings staged documents to where they will lie, and gives the job that makes them retrievable: it runs in the
    /// submission's transaction. A uniqueId that is stored with the same bytes stays as it is, without a second copy; one
    /// that is stored with others fails the job, which leaves nothing behind (ask [`Repository::find`] which it was).
    pub async fn commit(&self, documents: Vec<Submitted>) -> Result<CommitJob, StoreError> {
        let rooms = self.rooms.clone();
        let documents = rooms.put(documents).await?;
        Ok(Box::new(move |connection| {
            let before = rooms.segments.mark();
            let stored = rooms.store(connection, documents);
            if stored.is_err() {
                rooms.segments.rewind(before);
            }
            stored
        }))
    }

    /// How much is stored: read from a few rows, whatever their sum is.
    pub async fn usage(&self) -> Result<Usage, StoreError> {
        let rooms = self.rooms.clone();
        self.store.read(move |connection| rooms.index.usage(connection)).await
    }

    /// The same within a transaction, such as a submission's.
    pub fn usage_within(&self, connection: &Connection) -> Result<Usage, StoreError> {
        self.rooms.index.usage(connection)
    }

    /// Those of these documents that are stored, by uniqueId, within a transaction.
    pub fn find_within(
        &self,
        connection: &Connection,
        unique_ids: Vec<String>,
    ) -> Result<HashMap<String, StoredDocument>, StoreError> {
        let found = self.rooms.index.find_all(connection, unique_ids)?;
        Ok(found.into_documents().map(|document| (document.unique_id.clone(), document)).collect())
    }

    /// Documents behind a uniqueId in their order, at most `most`, within a transaction.
    pub fn list_within(
        &self,
        connection: &Connection,
        after: &str,
        most: usize,
    ) -> Result<Vec<StoredDocument>, StoreError> {
        let found = self.rooms.index.after(connection, after, most)?;
        Ok(found.into_iter().map(|row| row.document).collect())
    }

    /// Whether a document is stored, within a transaction.
    pub fn has_within(&self, connection: &Connection, unique_id: &str) -> Result<bool, StoreError> {
        Ok(self.rooms.index.find(connection, unique_id)?.is_some())
    }

    /// What was found when it was opened.
    pub fn settled(&self) -> &Settled {
        &self.rooms.settled
    }

    /// Removes documents by uniqueId: none of them can be retrieved any more when this returns, even after a crash, and
    /// their space is given back. `also` runs in the same transaction. Says of each whether it was there.
    pub async fn remove(&self, unique_ids: Vec<String>, also: CommitJob) -> Result<Vec<bool>, StoreError> {
        self.remove_if(unique_ids, |_, _| Ok(true), |_| also).await
    }

    /// The same of those that `may` be removed as the transaction finds things; `also` is told which they were.
    pub async fn remove_if(
        &self,
        unique_ids: Vec<String>,
        may: impl Fn(&Connection, &str) -> Result<bool, StoreError> + Send + 'static,
        also: impl FnOnce(Vec<String>) -> CommitJob + Send + 'static,
    ) -> Result<Vec<bool>, StoreError> {
        let rooms = self.rooms.clone();
        let ids: Arc<[String]> = unique_ids.into();
        let asked = ids.clone();
        let remove = move |connection: &Connection| {
            let rows = rooms.index.find_all(connection, asked.to_vec())?;
            let mut change = Change::default();
            let (mut found, mut removed) = (Vec::with_capacity(asked.len()), Vec::new());
            let mut seen = HashSet::new();
            for id in asked.iter() {
                let goes = seen.insert(id) && may(connection, id)?;
                let row = rows.get(id).filter(|_| goes);
                found.push(row.is_some());
                if let Some(row) = row {
                    rooms.index.remove(connection, row)?;
                    change.take(row.document.size);
                    removed.push(id.clone());
                }
            }
            rooms.index.count(connection, change)?;
            also(removed)(connection)?;
            Ok(found)
        };
        let found = self.store.write(remove).await?;
        ids.iter().for_each(|id| self.rooms.recent.forget(id));
        let repository = self.clone();
        let erase = move || {
            let rooms = &repository.rooms;
            repository.erase();
            // A reader may have remembered a row that it saw before.
            ids.iter().for_each(|id| rooms.recent.forget(id));
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
            let found = rooms.index.find_all(connection, unique_ids.clone())?;
            let mut one = |id: &String| match found.get(id) {
                Some(row) => reading::retrieve(&rooms, row.clone(), &mut eager),
                None => Found::Retrieved(Retrieved::Unknown),
            };
            Ok(unique_ids.iter().map(&mut one).collect::<Vec<_>>())
        };
        let found = self.store.read(retrieve).await?;
        let fetch = |found| {
            let rooms = self.rooms.clone();
            async move {
                match found {
                    Found::Retrieved(retrieved) => retrieved,
                    Found::Object(row, reading) => reading::retrieve_object(&rooms, row, reading).await,
                }
            }
        };
        Ok(stream::iter(found).map(fetch).buffered(limits::MAX_OBJECTS_AT_ONCE).collect().await)
    }

    /// Erases what was noted; what cannot be erased now stays noted. Blocks.
    fn erase(&self) {
        let Self { rooms, store, segments, .. } = self;
        let places = Places { segments, files: &rooms.dock.files, objects: rooms.objects.as_ref() };
        if let Err(error) = erasing::erase_all(store, &rooms.index, places) {
            tracing::error!(%error, "removed documents could not be erased yet");
        }
    }
}

/// An object's row, in a gateway that knows of no object store.
fn no_object_store() -> io::Error {
    io::Error::other("it lies in an object store, and the configuration names none: add [documents.s3]")
}

impl Rooms {
    /// Puts staged documents into objects, if that is where they go. They are durable then.
    async fn put(&self, documents: Vec<Submitted>) -> Result<Vec<Submitted>, StoreError> {
        let Some(objects) = &self.objects else { return Ok(documents) };
        let put = |document| put(objects.clone(), document);
        let put = stream::iter(documents).map(put).buffered(limits::MAX_OBJECTS_AT_ONCE);
        Ok(put.try_collect().await?)
    }

    /// Appends and indexes what is new. Runs in the store's writer.
    fn store(&self, connection: &Connection, documents: Vec<Submitted>) -> Result<(), StoreError> {
        let ids = documents.iter().map(|document| document.unique_id.clone()).collect();
        let known = self.index.ask_all(connection, ids)?;
        let bounded = self.quota != Quota::default();
        let usage = bounded.then(|| self.index.ask_usage(connection)).transpose()?;
        let known = index::Rows::read(known)?;
        // Two entries may be of one document.
        let mut new = HashMap::new();
        let (mut appended, mut sealed, mut change) = (false, false, Change::default());
        let mut stored = Vec::with_capacity(documents.len());
        for Submitted { unique_id, mime_type, staged } in documents {
            let before = known.get(&unique_id).map(|row| (row.document.size, row.document.sha1.clone()));
            if let Some(before) = before.or_else(|| new.get(&unique_id).cloned()) {
                if before != (staged.size, staged.sha1) {
                    return Err(io::Error::from(ErrorKind::AlreadyExists).into());
                }
                continue;
            }
            let stored_size = staged.stored_size();
            let wrapped = staged.key.as_ref().map(|key| self.dock.seals.wrap(&unique_id, key)).transpose()?;
            let (size, sha1, crc) = (staged.size, staged.sha1, staged.crc);
            let place = match &staged.held {
                Held::Memory(held) => {
                    appended = true;
                    let fingerprint = self.index.fingerprint(&unique_id);
                    self.segments.append(fingerprint, held.chunks(), stored_size, crc)?
                }
                Held::File(file) => Place::File(file.name().to_owned()),
                Held::Object(object) => Place::Object(object.key().to_owned()),
                Held::Nothing => return Err(io::Error::from(ErrorKind::NotFound).into()),
            };
            stored.push(staged.held);
            sealed |= wrapped.is_some();
            change.add(size);
            new.insert(unique_id.clone(), (size, sha1.clone()));
            let document = StoredDocument { unique_id, mime_type, size, sha1 };
            self.index.insert(connection, &Row { document, place, crc, wrapped })?;
        }
        if change != Change::default()
            && let Some(usage) = usage
            && !self.quota.admits(ledger::usage(usage, change)?)
        {
            return Err(io::Error::from(ErrorKind::QuotaExceeded).into());
        }
        if appended {
            self.index.set_segment_end(connection, self.segments.mark())?;
        }
        if let (true, Some(keys)) = (sealed, self.dock.seals.keys()) {
            self.index.note_key(connection, keys)?;
        }
        self.index.count(connection, change)?;
        // What is not kept goes away: nothing may fail behind this.
        stored.into_iter().for_each(Held::keep);
        Ok(())
    }
}

/// Puts a staged document into an object.
async fn put(objects: Objects, mut document: Submitted) -> io::Result<Submitted> {
    let staged = &mut document.staged;
    let object = match std::mem::replace(&mut staged.held, Held::Nothing) {
        Held::Memory(held) => objects.put(held.chunks().to_vec()).await?,
        Held::File(file) => objects.put_file(file, staged.stored_size()).await?,
        Held::Object(object) => object,
        Held::Nothing => return Err(ErrorKind::NotFound.into()),
    };
    staged.held = Held::Object(object);
    Ok(document)
}

#[cfg(test)]
mod tests;
