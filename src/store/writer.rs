//! The writer: one thread, one connection, group commit; and the thread that checkpoints behind it.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::job::Job;
use super::{Hooks, StoreError};
use crate::limits;

/// Opens the writer's connection and puts the database into WAL mode.
pub(super) fn connect(file: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(
        file,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    // Takes hold when the file is made: rows of a few kilobytes lie within one page.
    connection.pragma_update(None, "page_size", limits::STORE_PAGE_BYTES)?;
    tune(&connection)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // An acknowledged commit survives a loss of power: the WAL is synced at every one.
    connection.pragma_update(None, "synchronous", "full")?;
    // The thread below checkpoints, so that no commit waits for it.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(connection)
}

/// What holds for every connection.
pub(super) fn tune(connection: &Connection) -> Result<(), StoreError> {
    // Without this, statements over partial indexes are compiled anew whenever a bound value changes.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.busy_timeout(limits::STORE_BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(limits::MAX_PREPARED_STATEMENTS);
    connection.pragma_update(None, "mmap_size", limits::STORE_MMAP_BYTES)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    Ok(())
}

/// Starts the writer and its checkpointer.
pub(super) fn start(
    file: &Path,
    connection: Connection,
    hooks: Hooks,
    lock: File,
    threads: &mut Vec<JoinHandle<()>>,
) -> Result<SyncSender<Box<dyn Job>>, StoreError> {
    let (sender, queue) = sync_channel(limits::MAX_QUEUED_WRITES);
    let (checkpoints, due) = sync_channel(1);
    let overgrown = Arc::new(AtomicBool::new(false));
    let checkpointer = Checkpointer { connection: connect(file)?, due, overgrown: overgrown.clone() };
    let writer =
        Writer { connection, queue, hooks, checkpoints, overgrown, since_checkpoint: 0, _lock: lock };
    threads.push(thread::Builder::new().name("store-writer".to_owned()).spawn(|| writer.run())?);
    threads.push(thread::Builder::new().name("store-checkpoint".to_owned()).spawn(|| checkpointer.run())?);
    Ok(sender)
}

struct Writer {
    connection: Connection,
    queue: Receiver<Box<dyn Job>>,
    hooks: Hooks,
    checkpoints: SyncSender<()>,
    /// The WAL has grown beyond its bound, since there was never a moment without readers and writers.
    overgrown: Arc<AtomicBool>,
    since_checkpoint: usize,
    /// The directory is ours as long as somebody may write.
    _lock: File,
}

impl Writer {
    fn run(mut self) {
        while let Ok(first) = self.queue.recv() {
            let mut group = vec![first];
            let outcome = self.transact(&mut group).map_err(Arc::new);
            if let Err(error) = &outcome {
                tracing::error!(%error, jobs = group.len(), "a group of writes was not committed");
                self.abort();
            }
            self.since_checkpoint += group.len();
            for job in group {
                job.answer(outcome.clone());
            }
            self.checkpoint();
        }
    }

    /// Runs the group's first job and whatever else is waiting, and commits all of it at once.
    fn transact(&self, group: &mut Vec<Box<dyn Job>>) -> Result<(), StoreError> {
        let changes = self.connection.total_changes();
        self.execute("BEGIN IMMEDIATE")?;
        let mut next = 0;
        while let Some(job) = group.get_mut(next) {
            self.attempt(job.as_mut())?;
            next += 1;
            if next < limits::MAX_GROUP_JOBS {
                group.extend(self.queue.try_recv());
            }
        }
        if self.connection.total_changes() != changes {
            let hooks = self.hooks.read().unwrap_or_else(PoisonError::into_inner).clone();
            for hook in hooks {
                hook()?;
            }
        }
        self.execute("COMMIT")
    }

    /// Runs one job in a savepoint of its own.
    fn attempt(&self, job: &mut dyn Job) -> Result<(), StoreError> {
        self.execute("SAVEPOINT job")?;
        let stands = job.run(&self.connection);
        // On some errors (disk full, I/O) SQLite rolls back the whole transaction: then nothing of the group stands.
        if self.connection.is_autocommit() {
            return Err(StoreError::Damaged("the transaction ended in the middle of a group".to_owned()));
        }
        if !stands {
            self.execute("ROLLBACK TO job")?;
        }
        self.execute("RELEASE job")
    }

    fn abort(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK")
        {
            tracing::error!(%error, "a failed group could not be rolled back");
        }
    }

    /// Has a checkpoint made when enough was written; makes one itself only when the WAL has grown out of bounds.
    fn checkpoint(&mut self) {
        if self.since_checkpoint >= limits::CHECKPOINT_AFTER_JOBS {
            self.since_checkpoint = 0;
            // Full means that one is due already.
            let _ = self.checkpoints.try_send(());
        }
        if self.overgrown.swap(false, Ordering::Relaxed)
            && let Err(error) = checkpoint(&self.connection, "RESTART")
        {
            tracing::warn!(%error, "the WAL could not be restarted");
        }
    }

    fn execute(&self, sql: &str) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
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
    Ok(connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get(1))?)
}
