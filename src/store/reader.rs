//! The readers: a few threads, each with its own connection, that share one queue.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, OpenFlags};

use super::job::Job;
use super::{StoreError, lock, writer};
use crate::limits;

type Queue = Arc<Mutex<Receiver<Box<dyn Job>>>>;

/// Starts the readers.
pub(super) fn start(
    file: &Path,
    threads: &mut Vec<JoinHandle<()>>,
) -> Result<SyncSender<Box<dyn Job>>, StoreError> {
    let (sender, receiver) = sync_channel(limits::MAX_QUEUED_READS);
    let queue: Queue = Arc::new(Mutex::new(receiver));
    for number in 0..limits::STORE_READERS {
        let (connection, queue) = (connect(file)?, queue.clone());
        let reader = thread::Builder::new().name(format!("store-reader-{number}"));
        threads.push(reader.spawn(move || serve(&connection, &queue))?);
    }
    Ok(sender)
}

fn connect(file: &Path) -> Result<Connection, StoreError> {
    // Opened for writing all the same: a reader must be able to make the shared-memory index of the WAL.
    let connection = Connection::open_with_flags(
        file,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    writer::tune(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn serve(connection: &Connection, queue: &Queue) {
    loop {
        // The lock is given back before the job runs.
        let next = lock(queue).recv();
        let Ok(mut job) = next else { return };
        let outcome = read(connection, job.as_mut());
        job.answer(outcome.map_err(Arc::new));
    }
}

/// Runs a job within one read transaction, so that all of its statements see the same moment.
fn read(connection: &Connection, job: &mut dyn Job) -> Result<(), StoreError> {
    connection.prepare_cached("BEGIN")?.execute([])?;
    job.run(connection);
    connection.prepare_cached("ROLLBACK")?.execute([])?;
    Ok(())
}
