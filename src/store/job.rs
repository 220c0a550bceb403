//! A piece of work on its way to one of the store's threads, and its answer on the way back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{Connection, StoreError};

/// Work that runs on a thread of the store. It is answered apart from being run: a writer's jobs are told nothing before
/// their group is committed.
pub(super) trait Job: Send {
    /// Runs it; whether its changes stand.
    fn run(&mut self, connection: &Connection) -> bool;
    /// What it did failed after all.
    fn fail(&mut self, error: StoreError);
    /// Answers it, with what became of the group that it ran in.
    fn answer(self: Box<Self>, group: Result<(), Arc<StoreError>>);
}

/// Who waits for an answer.
pub(super) enum Answer<T> {
    /// A task of the runtime.
    Task(tokio::sync::oneshot::Sender<Result<T, StoreError>>),
    /// A thread.
    Thread(std::sync::mpsc::SyncSender<Result<T, StoreError>>),
}

/// Told what became of a job, on the store's thread, before whoever waits for it: None if its changes do not stand, or may not.
pub(super) type Then<T> = Box<dyn FnOnce(Option<&T>) + Send>;

/// The one implementation.
pub(super) struct Work<T, F> {
    work: Option<F>,
    result: Option<Result<T, StoreError>>,
    then: Option<Then<T>>,
    answer: Answer<T>,
}

impl<T, F> Work<T, F>
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
{
    pub(super) fn boxed(work: F, answer: Answer<T>) -> Box<dyn Job> {
        Box::new(Self { work: Some(work), result: None, then: None, answer })
    }

    pub(super) fn boxed_with(work: F, then: Then<T>, answer: Answer<T>) -> Box<dyn Job> {
        Box::new(Self { work: Some(work), result: None, then: Some(then), answer })
    }

    /// Whether nobody waits any more: the request ran into its deadline while the job stood in the queue.
    fn abandoned(&self) -> bool {
        matches!(&self.answer, Answer::Task(sender) if sender.is_closed())
    }
}

impl<T, F> Job for Work<T, F>
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
{
    fn run(&mut self, connection: &Connection) -> bool {
        let Some(work) = self.work.take().filter(|_| !self.abandoned()) else { return false };
        // A panic leaves nothing broken behind: the transaction or savepoint around the job is rolled back.
        let result = catch_unwind(AssertUnwindSafe(|| work(connection)));
        self.result.insert(result.unwrap_or(Err(StoreError::Panicked))).is_ok()
    }

    fn fail(&mut self, error: StoreError) {
        self.result = Some(Err(error));
    }

    fn answer(self: Box<Self>, group: Result<(), Arc<StoreError>>) {
        let group = group.map_err(StoreError::Group);
        let result = match self.result {
            Some(Ok(value)) => group.map(|()| value),
            Some(Err(own)) => Err(own),
            None => Err(group.err().unwrap_or(StoreError::Closed)),
        };
        if let Some(then) = self.then {
            then(result.as_ref().ok());
        }
        // Whoever does not wait any more needs no answer.
        match self.answer {
            Answer::Task(sender) => drop(sender.send(result)),
            Answer::Thread(sender) => drop(sender.send(result)),
        }
    }
}
