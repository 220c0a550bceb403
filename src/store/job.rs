//! A piece of work on its way to one of the store's threads, and its answer on the way back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};

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
    Thread(SyncSender<Result<T, StoreError>>),
}

impl<T> Answer<T> {
    /// Whether nobody waits any more: the request ran into its deadline while the job stood in the queue.
    fn is_moot(&self) -> bool {
        matches!(self, Self::Task(sender) if sender.is_closed())
    }
    fn give(self, result: Result<T, StoreError>) {
        // Whoever does not wait any more needs no answer.
        match self {
            Self::Task(sender) => drop(sender.send(result)),
            Self::Thread(sender) => drop(sender.send(result)),
        }
    }
}

/// Told what became of a job, on the store's thread, before whoever waits for it: None if its changes do not stand, or may not.
pub(super) type Then<T> = Box<dyn FnOnce(Option<&T>) + Send>;

/// What a writing job does.
type Writing<T> = Box<dyn FnOnce(&Connection) -> Result<T, StoreError> + Send>;

/// A writing job, and who is told what became of it.
pub struct Write<T> {
    pub(super) job: Writing<T>,
    pub(super) then: Then<T>,
}

impl<T> Write<T> {
    /// `then` is told on a thread of the store what became of the job, jobs one after the other as they ran: None if it did not
    /// run, its changes do not stand, or nobody knows. It must not block.
    pub fn new(
        job: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        then: impl FnOnce(Option<&T>) + Send + 'static,
    ) -> Self {
        Self { job: Box::new(job), then: Box::new(then) }
    }
}

/// What a reading job comes to.
pub enum Found<T> {
    /// An answer.
    Answer(T),
    /// A writing job, whose answer it is.
    Write(Write<T>),
}

/// A reading job that may go on as a writing one, without a way over whoever waits.
pub(super) struct Relay<T, F> {
    read: Option<F>,
    found: Option<Result<Found<T>, StoreError>>,
    writer: SyncSender<Box<dyn Job>>,
    answer: Answer<T>,
}

impl<T, F> Relay<T, F>
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> Result<Found<T>, StoreError> + Send + 'static,
{
    pub(super) fn boxed(read: F, writer: SyncSender<Box<dyn Job>>, answer: Answer<T>) -> Box<dyn Job> {
        Box::new(Self { read: Some(read), found: None, writer, answer })
    }
}

impl<T, F> Job for Relay<T, F>
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> Result<Found<T>, StoreError> + Send + 'static,
{
    fn run(&mut self, connection: &Connection) -> bool {
        let Some(read) = self.read.take().filter(|_| !self.answer.is_moot()) else { return false };
        let found = catch_unwind(AssertUnwindSafe(|| read(connection)));
        self.found.insert(found.unwrap_or(Err(StoreError::Panicked))).is_ok()
    }

    fn fail(&mut self, error: StoreError) {
        self.found = Some(Err(error));
    }

    fn answer(self: Box<Self>, group: Result<(), Arc<StoreError>>) {
        let found = self.found.unwrap_or(Err(StoreError::Closed));
        match group.map_err(StoreError::Group).and(found) {
            Ok(Found::Answer(answer)) => self.answer.give(Ok(answer)),
            Ok(Found::Write(Write { job, then })) => {
                let (mut job, error) = match self.writer.try_send(Work::boxed(job, Some(then), self.answer)) {
                    Ok(()) => return,
                    Err(TrySendError::Full(job)) => (job, StoreError::Busy),
                    Err(TrySendError::Disconnected(job)) => (job, StoreError::Closed),
                };
                job.fail(error);
                job.answer(Ok(()));
            }
            Err(error) => self.answer.give(Err(error)),
        }
    }
}

/// Any other job.
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
    pub(super) fn boxed(work: F, then: Option<Then<T>>, answer: Answer<T>) -> Box<dyn Job> {
        Box::new(Self { work: Some(work), result: None, then, answer })
    }
}

impl<T, F> Job for Work<T, F>
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
{
    fn run(&mut self, connection: &Connection) -> bool {
        let Some(work) = self.work.take().filter(|_| !self.answer.is_moot()) else { return false };
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
        self.answer.give(result);
    }
}
