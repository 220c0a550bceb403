//! The readers: a few threads, each with its own connection, that share one queue.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use super::job::Job;
use super::sql::Access;
use super::writer::Line;
use super::{Connection, StoreError, lock};
use crate::limits;

type Queue = Arc<Mutex<Receiver<Box<dyn Job>>>>;

/// Starts the readers.
pub(super) fn start(
    lines: Vec<impl Line>,
    threads: &mut Vec<JoinHandle<()>>,
) -> Result<SyncSender<Box<dyn Job>>, StoreError> {
    let (sender, receiver) = sync_channel(limits::MAX_QUEUED_READS);
    let queue: Queue = Arc::new(Mutex::new(receiver));
    for (number, mut line) in lines.into_iter().enumerate() {
        let queue = queue.clone();
        let reader = thread::Builder::new().name(format!("store-reader-{number}"));
        threads.push(reader.spawn(move || serve(&mut line, &queue))?);
    }
    Ok(sender)
}

fn serve(line: &mut impl Line, queue: &Queue) {
    loop {
        // The lock is given back before the job runs.
        let next = lock(queue).recv();
        let Ok(job) = next else { return };
        match line.connection() {
            Ok(connection) => read(connection, job),
            Err(error) => job.answer(Err(Arc::new(error))),
        }
    }
}

/// Runs a job within one read transaction, so that all of its statements see the same moment.
fn read(connection: &Connection, mut job: Box<dyn Job>) {
    let begun = connection.begin(Access::Read).map_err(|error| Arc::new(error.into()));
    if begun.is_ok() {
        job.run(connection);
    }
    // Nobody waits for the end of a transaction that has changed nothing.
    job.answer(begun);
    if let Err(error) = connection.roll_back() {
        tracing::warn!(%error, "a reading transaction could not be ended");
    }
}
