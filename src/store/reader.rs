//! The readers: a few threads, each with its own connection, that share one queue.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use super::job::Job;
use super::sql::Access;
use super::{Connection, StoreError, lock};
use crate::limits;

type Queue = Arc<Mutex<Receiver<Box<dyn Job>>>>;

/// Starts the readers.
pub(super) fn start(
    connections: Vec<Connection>,
    threads: &mut Vec<JoinHandle<()>>,
) -> Result<SyncSender<Box<dyn Job>>, StoreError> {
    let (sender, receiver) = sync_channel(limits::MAX_QUEUED_READS);
    let queue: Queue = Arc::new(Mutex::new(receiver));
    for (number, connection) in connections.into_iter().enumerate() {
        let queue = queue.clone();
        let reader = thread::Builder::new().name(format!("store-reader-{number}"));
        threads.push(reader.spawn(move || serve(&connection, &queue))?);
    }
    Ok(sender)
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
    connection.begin(Access::Read)?;
    job.run(connection);
    Ok(connection.roll_back()?)
}
