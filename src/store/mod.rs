//! The database: one writer that commits in groups, a few readers. SQLite in a file of ours, or a PostgreSQL that several
//! gateways share. Knows no XDS.
//!
//! Rooms above bring their own tables ([`Migration`]) and their own statements; what they hand in runs on the store's
//! threads, never on the runtime's. A writing job is answered only when its changes are on disk. Jobs that arrive while
//! one group is being synced make the next group, so that many senders share one sync and a single one never waits for
//! company.

mod job;
mod lock;
mod migrate;
mod owner;
mod postgres;
mod reader;
pub mod sql;
mod sqlite;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Instant;

use job::{Answer, Job, Relay, Work};
pub use job::{Found, Write};
pub use migrate::{Due, Migrating, Migration, Step};
pub use owner::{AtWork, Claim, Duty, Freed};
use owner::{Hold, Holds, Taking};
pub use postgres::PostgresSettings;
use postgres::{Away, PostgresLine};
pub use rusqlite;
pub use sql::Connection;
use sqlite::Sqlite;
use writer::Line;

use crate::limits;

/// Why the store could not do something. Internal text: for the log, never for a peer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A statement failed.
    #[error(transparent)]
    Sql(#[from] sql::Error),
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
    /// What is stored is not what was stored: a damaged row.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// Another process has it open; holds the directory. Two writers would write over each other's documents.
    #[error("another process uses {0}")]
    InUse(PathBuf),
    /// Another gateway has it; holds what.
    #[error("another gateway that uses this database has {0}")]
    Held(String),
    /// They lie in another gateway's folder; holds what.
    #[error(
        "{0} lie in another gateway's folder: start this one with that folder (data.directory); if it is gone for good, \
         `sekisho claims` frees them"
    )]
    Claimed(String),
    /// The queue to the writer or to the readers is full.
    #[error("the store is busy")]
    Busy,
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
    /// A job panicked; its changes are undone.
    #[error("a job panicked")]
    Panicked,
    /// The commit of the whole group failed, and this job's changes with it.
    #[error("the group was not committed: {0}")]
    Group(Arc<StoreError>),
}

/// What an operator can do about a [`StoreError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Too much work at once: later it will be possible.
    Busy,
    /// Disk or memory is used up.
    OutOfResources,
    /// Anything else.
    Broken,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error.into())
    }
}

/// The disk, or what somebody may use of it.
fn is_used_up(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(kind, StorageFull | QuotaExceeded | FileTooLarge)
}

impl StoreError {
    /// What kind of trouble this is.
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Busy | Self::Closed => Trouble::Busy,
            Self::Io(error) if is_used_up(error.kind()) => Trouble::OutOfResources,
            Self::Sql(error) => error.trouble(),
            Self::Group(error) => error.trouble(),
            _ => Trouble::Broken,
        }
    }
}

/// Which database.
#[derive(Debug, Clone, Default)]
#[expect(clippy::large_enum_variant, reason = "there is one")]
pub enum Backend {
    /// A file in the store's directory.
    #[default]
    Sqlite,
    /// A server, which other gateways may use too.
    Postgres(PostgresSettings),
}

/// Runs in the writer before each group's commit; a failure fails the group (the repository syncs its files here).
pub type BeforeCommit = Arc<dyn Fn() -> std::io::Result<()> + Send + Sync>;

/// The hooks, shared with the writer.
type Hooks = Arc<RwLock<Vec<BeforeCommit>>>;

/// The database. Cheap to clone. It closes when the last clone is gone, or at [`Store::close`].
#[derive(Clone)]
pub struct Store(Arc<Shared>);

struct Shared {
    directory: PathBuf,
    hooks: Hooks,
    /// Gone once the store is closed.
    queues: Mutex<Option<Queues>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    away: Away,
    /// What is this gateway's alone in a database of several.
    holds: Option<Holds>,
}

#[derive(Clone)]
struct Queues {
    writer: SyncSender<Box<dyn Job>>,
    readers: SyncSender<Box<dyn Job>>,
}

impl Store {
    /// Opens or creates `directory/sekisho.db` and migrates it. The directory is this store's alone until it is closed.
    pub fn open(directory: &Path, migrations: &[Migration]) -> Result<Store, StoreError> {
        Self::open_in(&Backend::Sqlite, directory, migrations)
    }

    /// Opens a database and migrates it. The directory, where rooms above may keep files of their own, is this store's
    /// alone until it is closed, also where the database is elsewhere. Blocks.
    pub fn open_in(
        backend: &Backend,
        directory: &Path,
        migrations: &[Migration],
    ) -> Result<Store, StoreError> {
        lock::own_directory(directory)?;
        let lock = lock::take(directory)?;
        File::open(directory)?.sync_all()?;
        let hooks = Hooks::default();
        let away = Away::default();
        let mut threads = Vec::new();
        let holds = matches!(backend, Backend::Postgres(_)).then(Holds::default);
        let queues = match backend {
            Backend::Sqlite => {
                let database = Sqlite::of(directory);
                let connection = database.for_writing()?;
                migrate::run(&connection, migrations)?;
                let writing = database.writing(connection, &mut threads)?;
                let reading = (0..limits::STORE_READERS).map(|_| database.for_reading());
                start(writing, reading.collect::<Result<_, _>>()?, lock, hooks.clone(), &mut threads)?
            }
            Backend::Postgres(settings) => {
                let line = || PostgresLine::new(settings.clone(), away.clone());
                let mut writing = line().keeping(holds.clone().unwrap_or_default());
                writing.with_connection(|connection| migrate::run(connection, migrations))?;
                let reading = (0..limits::POSTGRES_READERS).map(|_| line());
                start(writing, reading.collect(), lock, hooks.clone(), &mut threads)?
            }
        };
        Ok(Self(Arc::new(Shared {
            directory: directory.to_owned(),
            hooks,
            queues: Mutex::new(Some(queues)),
            threads: Mutex::new(threads),
            away,
            holds,
        })))
    }

    /// What opening a database would migrate; or migrates it, without opening it. Blocks.
    pub fn migrate(
        backend: &Backend,
        directory: &Path,
        migrations: &[Migration],
        migrating: Migrating,
    ) -> Result<Vec<Due>, StoreError> {
        let work = |connection: &Connection| match migrating {
            Migrating::Look => migrate::look(connection, migrations),
            Migrating::CarryOut => migrate::run(connection, migrations),
        };
        match backend {
            Backend::Postgres(settings) => {
                PostgresLine::new(settings.clone(), Away::default()).with_connection(work)
            }
            Backend::Sqlite if migrating == Migrating::Look && !Sqlite::of(directory).exists() => {
                Ok(migrations.iter().map(Due::from_nothing).collect())
            }
            Backend::Sqlite => {
                lock::own_directory(directory)?;
                let _lock = lock::take(directory)?;
                work(&Sqlite::of(directory).for_writing()?)
            }
        }
    }

    /// Makes something this gateway's alone for as long as the store is open: what is kept in memory of it, or in files,
    /// would go stale if others wrote too. An embedded database is one gateway's anyway. Blocks.
    pub fn hold(&self, what: &str) -> Result<(), StoreError> {
        let Some(holds) = &self.0.holds else { return Ok(()) };
        let hold = holds.begin(what);
        // One that was killed a moment ago is let go of as soon as the database hears of it.
        let patience = Instant::now() + limits::STORE_BUSY_TIMEOUT;
        loop {
            let taking = hold.clone();
            match self.write_blocking(move |connection| taking.take(connection, Taking::First)) {
                Err(StoreError::Held(_)) if Instant::now() < patience => {
                    std::thread::sleep(limits::STORE_LOCK_PAUSE);
                }
                Err(error) => {
                    holds.forget(&hold);
                    return Err(error);
                }
                Ok(()) => return Ok(()),
            }
        }
    }

    /// Something that one gateway of several does as long as it lives. An embedded database has one gateway.
    pub fn duty(&self, what: &str) -> Duty {
        Duty::of(self.clone(), what)
    }

    /// Says that something lies in this store's directory, and in no other gateway's. Blocks.
    pub fn claim(&self, what: &str) -> Result<(), StoreError> {
        let Some(holds) = self.0.holds.clone() else { return Ok(()) };
        let claim = Hold::of_directory(what, &self.0.directory)?;
        self.write_blocking(move |connection| claim.note(connection, &holds))
    }

    /// Whether another store has claimed something for its directory.
    pub async fn is_claimed_elsewhere(&self, what: String) -> Result<bool, StoreError> {
        if self.0.holds.is_none() {
            return Ok(false);
        }
        let directory = self.0.directory.clone();
        self.read(move |connection| Hold::of_directory(&what, &directory)?.is_anothers(connection)).await
    }

    /// Whether the database cannot be reached at present.
    pub fn is_away(&self) -> bool {
        self.0.away.get()
    }

    /// The directory, where rooms above may keep files of their own.
    pub fn directory(&self) -> &Path {
        &self.0.directory
    }

    /// Adds a hook that runs before each group's commit.
    pub fn before_commit(&self, hook: BeforeCommit) {
        self.0.hooks.write().unwrap_or_else(PoisonError::into_inner).push(hook);
    }

    /// Runs a reading job on one of the readers. All that it reads is of one moment.
    pub async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        send(&self.queues()?.readers, Work::boxed(job, None, Answer::Task(answer)))?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    /// The same; what it comes to may be a writing job, which is queued at once.
    pub async fn read_then_write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<Found<T>, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let queues = self.queues()?;
        send(&queues.readers, Relay::boxed(job, queues.writer.clone(), Answer::Task(answer)))?;
        // Whoever closes the store waits until nobody can send any more.
        drop(queues);
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Runs a writing job inside the next group's transaction, in a savepoint of its own: an Err rolls this job back and no
    /// other. Returns when the group is durable on disk.
    pub async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        send(&self.queues()?.writer, Work::boxed(job, None, Answer::Task(answer)))?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    /// The same, for a job of which somebody is told what became of it.
    pub async fn write_then<T: Send + 'static>(&self, write: Write<T>) -> Result<T, StoreError> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        send(&self.queues()?.writer, Work::boxed(write.job, Some(write.then), Answer::Task(answer)))?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    /// [`Store::read`] for start-up code and commands: blocks the calling thread.
    pub fn read_blocking<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = std::sync::mpsc::sync_channel(1);
        send(&self.queues()?.readers, Work::boxed(job, None, Answer::Thread(answer)))?;
        answered.recv().unwrap_or(Err(StoreError::Closed))
    }

    /// [`Store::write`] for start-up code and commands: blocks the calling thread.
    pub fn write_blocking<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = std::sync::mpsc::sync_channel(1);
        send(&self.queues()?.writer, Work::boxed(job, None, Answer::Thread(answer)))?;
        answered.recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Finishes what is queued, brings everything into the database file and closes it. Blocks; later jobs are told
    /// [`StoreError::Closed`].
    pub fn close(&self) {
        lock(&self.0.queues).take();
        for thread in lock(&self.0.threads).drain(..) {
            // A thread that panicked has nothing left to close.
            let _ = thread.join();
        }
        self.0.hooks.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn queues(&self) -> Result<Queues, StoreError> {
        lock(&self.0.queues).clone().ok_or(StoreError::Closed)
    }
}

/// Starts the threads. The writer holds the lock on the directory.
fn start(
    writing: impl Line,
    reading: Vec<impl Line>,
    lock: File,
    hooks: Hooks,
    threads: &mut Vec<JoinHandle<()>>,
) -> Result<Queues, StoreError> {
    let writer = writer::start(writing, hooks, lock, threads)?;
    let readers = reader::start(reading, threads)?;
    Ok(Queues { writer, readers })
}

fn send(queue: &SyncSender<Box<dyn Job>>, job: Box<dyn Job>) -> Result<(), StoreError> {
    queue.try_send(job).map_err(|error| match error {
        TrySendError::Full(_) => StoreError::Busy,
        TrySendError::Disconnected(_) => StoreError::Closed,
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
