//! The hosted Document Repository's bytes: staged as they arrive, retrievable once committed (ITI TF-2: 3.41.4, 3.43.4).

use std::path::Path;
use std::sync::Arc;

use crate::ids::Oid;
use crate::store::{Connection, Migration, Store, StoreError};
use crate::wire::stream::{Content, StreamError};

/// The repository's tables.
pub const MIGRATION: Migration = Migration { room: "repository", steps: &[] };

/// A document that was received whole and is not retrievable yet. Dropping it gives its space back.
pub struct Staged {
    /// Bytes.
    pub size: u64,
    /// SHA-1, lower-case hex.
    pub sha1: String,
}

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

/// The repository of one tenant.
#[derive(Clone)]
pub struct Repository {}

#[allow(unused_variables)]
impl Repository {
    /// Opens the repository `id` of a tenant under `directory`, settles what a crash left behind, and hooks its sync into
    /// the store's commits.
    pub fn open(directory: &Path, store: Store, tenant: Arc<str>, id: Oid) -> Result<Self, StoreError> {
        todo!()
    }
    /// repositoryUniqueId.
    pub fn id(&self) -> &Oid {
        todo!()
    }
    /// Takes a document from a stream, hashing on the way; at most `limit` bytes.
    pub async fn stage(&self, content: Content, limit: u64) -> Result<Staged, StreamError> {
        todo!()
    }
    /// What is stored under a uniqueId.
    pub async fn find(&self, unique_id: &str) -> Result<Option<StoredDocument>, StoreError> {
        todo!()
    }
    /// The job that makes staged documents retrievable under their uniqueIds and mime types; runs in the submission's
    /// transaction.
    pub fn commit(
        &self,
        documents: Vec<(String, String, Staged)>,
    ) -> Box<dyn FnOnce(&Connection) -> Result<(), StoreError> + Send> {
        todo!()
    }
    /// A stored document's bytes, as a stream whose chunks are read off the runtime's threads.
    pub async fn retrieve(&self, unique_id: &str) -> Result<Option<(StoredDocument, Content)>, StoreError> {
        todo!()
    }
}
