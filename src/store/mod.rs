//! The embedded database: SQLite in WAL mode, one writer that commits in groups, a few readers. Knows no XDS.
//!
//! Rooms above bring their own tables ([`Migration`]) and their own statements; what they hand in runs on the store's
//! threads, never on the runtime's.

use std::path::Path;
use std::sync::Arc;

pub use rusqlite::{self, Connection};

/// Why the store could not do something. Internal text: for the log, never for a peer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite said so.
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The disk said so.
    #[error("disk: {0}")]
    Io(#[from] std::io::Error),
    /// The database was written by a newer version of this program.
    #[error(
        "the database has schema {found} of {room}; this program knows {known}: install the newer version again"
    )]
    NewerSchema {
        /// Whose tables.
        room: &'static str,
        /// In the file.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// The queue to the writer is full.
    #[error("the store is busy")]
    Busy,
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
}

/// Numbered, forward-only changes to one room's tables.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Whose tables.
    pub room: &'static str,
    /// SQL scripts; number n brings the schema from n to n + 1.
    pub steps: &'static [&'static str],
}

/// Runs in the writer before each group's commit; a failure fails the group (the repository syncs its files here).
pub type BeforeCommit = Arc<dyn Fn() -> std::io::Result<()> + Send + Sync>;

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {}

#[allow(unused_variables)]
impl Store {
    /// Opens or creates `directory/sekisho.db` and migrates it.
    pub fn open(directory: &Path, migrations: &[Migration]) -> Result<Store, StoreError> {
        todo!()
    }
    /// Adds a hook that runs before each group's commit.
    pub fn before_commit(&self, hook: BeforeCommit) {
        todo!()
    }
    /// Runs a reading job on one of the readers.
    pub async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        todo!()
    }
    /// Runs a writing job inside the next group's transaction, in a savepoint of its own: an Err rolls this job back and no
    /// other. Returns when the group is durable on disk.
    pub async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        todo!()
    }
}
