//! The writer: one thread, one connection, group commit.

use std::fs::File;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};

use super::job::Job;
use super::sql::Access;
use super::{Connection, Hooks, StoreError};
use crate::limits;

/// A thread's way to the database.
pub(super) trait Line: Send + 'static {
    /// The connection for what comes next: made anew where the last one was lost.
    fn connection(&mut self) -> Result<&Connection, StoreError>;
    /// A group of writing jobs ran.
    fn written(&mut self) {}
}

/// Starts the writer.
pub(super) fn start(
    line: impl Line,
    hooks: Hooks,
    lock: File,
    threads: &mut Vec<JoinHandle<()>>,
) -> Result<SyncSender<Box<dyn Job>>, StoreError> {
    let (sender, queue) = sync_channel(limits::MAX_QUEUED_WRITES);
    let writer = Writer { line, queue, hooks, _lock: lock };
    threads.push(thread::Builder::new().name("store-writer".to_owned()).spawn(|| writer.run())?);
    Ok(sender)
}

struct Writer<L> {
    line: L,
    queue: Receiver<Box<dyn Job>>,
    hooks: Hooks,
    /// The directory is ours as long as somebody may write.
    _lock: File,
}

impl<L: Line> Writer<L> {
    fn run(mut self) {
        loop {
            let first = match self.queue.recv_timeout(limits::STORE_WATCH) {
                Ok(first) => first,
                // So that it is known that the database is away before somebody needs it.
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.line.connection();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut group = vec![first];
            let outcome = self.write(&mut group).map_err(Arc::new);
            if let Err(error) = &outcome {
                tracing::error!(%error, jobs = group.len(), "a group of writes was not committed");
            }
            for job in group {
                job.answer(outcome.clone());
            }
            self.line.written();
        }
    }

    /// Runs the group's first job and whatever else is waiting, and commits all of it at once.
    fn write(&mut self, group: &mut Vec<Box<dyn Job>>) -> Result<(), StoreError> {
        let connection = self.line.connection()?;
        let transacted = transact(connection, &self.queue, &self.hooks, group);
        if transacted.is_err()
            && let Err(error) = connection.roll_back()
        {
            tracing::error!(%error, "a failed group could not be rolled back");
        }
        transacted
    }
}

fn transact(
    connection: &Connection,
    queue: &Receiver<Box<dyn Job>>,
    hooks: &Hooks,
    group: &mut Vec<Box<dyn Job>>,
) -> Result<(), StoreError> {
    let changes = connection.changes();
    connection.begin(Access::Write)?;
    let mut next = 0;
    while let Some(job) = group.get_mut(next) {
        attempt(connection, job.as_mut())?;
        next += 1;
        if next < limits::MAX_GROUP_JOBS {
            group.extend(queue.try_recv());
        }
    }
    if connection.changes() != changes {
        let hooks = hooks.read().unwrap_or_else(PoisonError::into_inner).clone();
        for hook in hooks {
            hook()?;
        }
    }
    Ok(connection.commit()?)
}

/// Runs one job in a savepoint of its own.
fn attempt(connection: &Connection, job: &mut dyn Job) -> Result<(), StoreError> {
    connection.save()?;
    let mut stands = job.run(connection);
    // On some errors (disk full, I/O) the database rolls back the whole transaction: then nothing of the group stands.
    if !connection.in_transaction() {
        return Err(connection.why_ended());
    }
    if stands && let Err(error) = connection.keep() {
        job.fail(error.into());
        stands = false;
    }
    if !stands {
        connection.undo()?;
    }
    Ok(())
}
