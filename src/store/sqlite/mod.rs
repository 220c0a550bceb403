//! SQLite in WAL mode, in a file that this process alone writes: the default. How a connection is made, and the thread that
//! checkpoints behind the writer.

pub(super) mod values;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use rusqlite::OpenFlags;
use rusqlite::config::DbConfig;

use super::StoreError;
use super::sql::Connection;
use super::writer::Line;
use crate::limits;

/// The file, from which each thread of the store gets its connection.
pub(super) struct Sqlite {
    file: PathBuf,
}

impl Sqlite {
    /// The database of a directory.
    pub(super) fn of(directory: &Path) -> Self {
        Self { file: directory.join("sekisho.db") }
    }

    /// Whether there is one.
    pub(super) fn exists(&self) -> bool {
        self.file.exists()
    }

    /// A connection that may write; it puts the database into WAL mode.
    pub(super) fn for_writing(&self) -> Result<Connection, StoreError> {
        let connection = rusqlite::Connection::open_with_flags(
            &self.file,
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        // Takes hold when the file is made: rows of a few kilobytes lie within one page.
        connection.pragma_update(None, "page_size", limits::STORE_PAGE_BYTES)?;
        tune(&connection, limits::STORE_WRITER_CACHE_KIB)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        // An acknowledged commit survives a loss of power: the WAL is synced at every one.
        connection.pragma_update(None, "synchronous", "full")?;
        // The thread below checkpoints, so that no commit waits for it.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        Ok(connection.into())
    }

    /// A connection that may only read.
    pub(super) fn for_reading(&self) -> Result<Reading, StoreError> {
        // Opened for writing all the same: a reader must be able to make the shared-memory index of the WAL.
        let connection = rusqlite::Connection::open_with_flags(
            &self.file,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        tune(&connection, limits::STORE_READER_CACHE_KIB)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(Reading(connection.into()))
    }

    /// The writer's side, and the thread that checkpoints behind it.
    pub(super) fn writing(
        &self,
        connection: Connection,
        threads: &mut Vec<JoinHandle<()>>,
    ) -> Result<Writing, StoreError> {
        let (checkpoints, due) = sync_channel(1);
        let overgrown = Arc::new(AtomicBool::new(false));
        let checkpointer =
            Checkpointer { connection: self.for_writing()?, due, overgrown: overgrown.clone() };
        let thread = thread::Builder::new().name("store-checkpoint".to_owned());
        threads.push(thread.spawn(|| checkpointer.run())?);
        Ok(Writing { connection, checkpoints, overgrown, at_checkpoint: 0 })
    }
}

/// What holds for every connection.
fn tune(connection: &rusqlite::Connection, cache_kib: i64) -> Result<(), StoreError> {
    // Without this, statements over partial indexes are compiled anew whenever a bound value changes.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.busy_timeout(limits::STORE_BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(limits::MAX_PREPARED_STATEMENTS);
    // Negative: in KiB, not in pages.
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    // As in PostgreSQL, and as stored queries want it.
    connection.pragma_update(None, "case_sensitive_like", true)?;
    Ok(())
}

/// A reader's connection.
pub(super) struct Reading(Connection);

impl Line for Reading {
    fn connection(&mut self) -> Result<&Connection, StoreError> {
        Ok(&self.0)
    }
}

/// The writer's connection.
pub(super) struct Writing {
    connection: Connection,
    checkpoints: SyncSender<()>,
    /// The WAL has grown beyond its bound, since there was never a moment without readers and writers.
    overgrown: Arc<AtomicBool>,
    /// Rows that had been changed when the last checkpoint was due.
    at_checkpoint: u64,
}

impl Line for Writing {
    fn connection(&mut self) -> Result<&Connection, StoreError> {
        Ok(&self.connection)
    }

    /// Has a checkpoint made when enough was written; makes one itself only when the WAL has grown out of bounds.
    fn written(&mut self) {
        let changes = self.connection.changes();
        if changes.saturating_sub(self.at_checkpoint) >= limits::CHECKPOINT_AFTER_ROWS {
            self.at_checkpoint = changes;
            // Full means that one is due already.
            let _ = self.checkpoints.try_send(());
        }
        if self.overgrown.swap(false, Ordering::Relaxed)
            && let Err(error) = checkpoint(&self.connection, "RESTART")
        {
            tracing::warn!(%error, "the WAL could not be restarted");
        }
    }
}

struct Checkpointer {
    connection: Connection,
    due: Receiver<()>,
    overgrown: Arc<AtomicBool>,
}

impl Checkpointer {
    fn run(self) {
        while self.due.recv().is_ok() {
            match checkpoint(&self.connection, "PASSIVE") {
                Ok(pages) if pages > limits::MAX_WAL_PAGES => self.overgrown.store(true, Ordering::Relaxed),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "a checkpoint failed"),
            }
        }
    }
}

/// Brings what is in the WAL into the database file; returns the pages in the WAL.
fn checkpoint(connection: &Connection, mode: &str) -> Result<i64, StoreError> {
    Ok(connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), (), |row| row.get(1))?)
}
