//! What the store promises: groups, isolation of jobs, nothing visible before it is durable, nothing lost after.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use crate::limits;
use crate::store::testing;
use crate::store::*;

const NOTES: Migration = Migration {
    room: "notes",
    steps: &[Step::Both("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT")],
};

/// A directory of its own that goes when the test ends.
pub(super) struct Scratch(pub(super) PathBuf, pub(super) Backend);

impl Scratch {
    pub(super) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("sekisho-store-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path, testing::backend(module_path!()))
    }
    pub(super) fn store(&self) -> Store {
        self.open(&[NOTES]).unwrap()
    }
    fn open(&self, migrations: &[Migration]) -> Result<Store, StoreError> {
        Store::open_in(&self.1, &self.0, migrations)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(super) fn insert(connection: &Connection, id: i64) -> Result<(), StoreError> {
    connection.prepare_cached("INSERT INTO note VALUES (?1, 'x')")?.execute([id])?;
    Ok(())
}

pub(super) fn ids(store: &Store) -> Vec<i64> {
    store
        .read_blocking(|connection| {
            let mut statement = connection.prepare_cached("SELECT id FROM note ORDER BY id")?;
            Ok(statement.query_map((), |row| row.get(0))?.collect::<Result<_, _>>()?)
        })
        .unwrap()
}

/// Holds the writer in a job until told to go on; what is queued meanwhile makes one group.
fn hold(store: &Store) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    let (started, running) = mpsc::channel();
    let store = store.clone();
    std::thread::spawn(move || {
        store.write_blocking(move |_| {
            started.send(()).unwrap();
            let _ = released.recv();
            Ok(())
        })
    });
    running.recv().unwrap();
    release
}

fn count_commits(store: &Store) -> Arc<AtomicUsize> {
    let commits = Arc::new(AtomicUsize::new(0));
    let counter = commits.clone();
    store.before_commit(Arc::new(move || {
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }));
    commits
}

/// Queues one job per id while the writer is held, then lets it go.
pub(super) async fn together(
    store: &Store,
    ids: std::ops::Range<i64>,
    job: impl Fn(&Connection, i64) -> Result<(), StoreError> + Clone + Send + 'static,
) -> Vec<Result<(), StoreError>> {
    let release = hold(store);
    let jobs = ids.map(|id| {
        let job = job.clone();
        store.write(move |connection| job(connection, id))
    });
    let mut jobs = futures_util::future::join_all(jobs);
    // The first poll queues them all.
    assert!(futures_util::poll!(&mut jobs).is_pending());
    drop(release);
    jobs.await
}

#[tokio::test]
async fn jobs_that_wait_share_one_commit() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let commits = count_commits(&store);
    let results = together(&store, 0..100, insert).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(ids(&store).len(), 100);
    assert_eq!(commits.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_job_that_fails_or_panics_takes_back_its_own_changes_only() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let results = together(&store, 0..6, |connection, id| {
        insert(connection, id)?;
        match id {
            2 => Err(StoreError::Damaged("on purpose".to_owned())),
            3 => panic!("on purpose"),
            4 => insert(connection, 1),
            _ => Ok(()),
        }
    })
    .await;
    assert_eq!(ids(&store), [0, 1, 5]);
    assert!(matches!(results[2], Err(StoreError::Damaged(_))));
    assert!(matches!(results[3], Err(StoreError::Panicked)));
    assert!(matches!(results[4], Err(StoreError::Sql(_))));
}

#[tokio::test]
async fn a_hook_that_fails_fails_the_group_and_the_next_group_is_well() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let broken = Arc::new(AtomicUsize::new(1));
    let switch = broken.clone();
    store.before_commit(Arc::new(move || match switch.load(Ordering::SeqCst) {
        0 => Ok(()),
        _ => Err(std::io::ErrorKind::StorageFull.into()),
    }));
    let results = together(&store, 0..10, insert).await;
    for result in results {
        assert_eq!(result.unwrap_err().trouble(), Trouble::OutOfResources);
    }
    assert!(ids(&store).is_empty());
    broken.store(0, Ordering::SeqCst);
    store.write(|connection| insert(connection, 7)).await.unwrap();
    assert_eq!(ids(&store), [7]);
}

#[tokio::test]
async fn a_job_that_ends_the_transaction_itself_fails_its_group() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let lost = store
        .write(|connection| {
            insert(connection, 1)?;
            Ok(connection.execute_batch("ROLLBACK")?)
        })
        .await;
    assert!(lost.is_err());
    store.write(|connection| insert(connection, 2)).await.unwrap();
    assert_eq!(ids(&store), [2]);
}

#[tokio::test]
async fn nothing_is_visible_before_its_commit() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let (seen, look) = mpsc::channel();
    let reader = store.clone();
    store.before_commit(Arc::new(move || {
        seen.send(ids(&reader)).unwrap();
        Ok(())
    }));
    store.write(|connection| insert(connection, 1)).await.unwrap();
    assert!(look.recv().unwrap().is_empty());
    assert_eq!(ids(&store), [1]);
    store.close();
}

#[tokio::test]
async fn readers_cannot_write_and_a_panic_does_not_end_them() {
    let scratch = Scratch::new();
    let store = scratch.store();
    for _ in 0..2 * limits::STORE_READERS {
        assert!(store.read(|connection| insert(connection, 1)).await.is_err());
        let panicked = store.read::<()>(|_| panic!("on purpose")).await;
        assert!(matches!(panicked, Err(StoreError::Panicked)));
    }
    assert!(ids(&store).is_empty());
}

#[tokio::test]
async fn more_jobs_than_the_queue_holds_are_told_that_the_store_is_busy() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let many = limits::MAX_QUEUED_WRITES as i64 + 10;
    let results = together(&store, 0..many, insert).await;
    let busy = results.iter().filter(|result| matches!(result, Err(StoreError::Busy))).count();
    assert_eq!(busy, 10);
    assert_eq!(ids(&store).len(), limits::MAX_QUEUED_WRITES);
}

#[test]
fn a_closed_store_opens_again_with_everything() {
    let scratch = Scratch::new();
    let store = scratch.store();
    store.write_blocking(|connection| insert(connection, 1)).unwrap();
    store.close();
    assert!(matches!(store.write_blocking(|connection| insert(connection, 2)), Err(StoreError::Closed)));
    assert_eq!(ids(&scratch.store()), [1]);
}

#[test]
fn a_directory_has_one_store_at_a_time() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let second = scratch.open(&[NOTES]).map(|_| ());
    assert!(matches!(&second, Err(StoreError::InUse(directory)) if *directory == scratch.0), "{second:?}");
    let waiting = std::thread::spawn({
        let (directory, backend) = (scratch.0.clone(), scratch.1.clone());
        move || Store::open_in(&backend, &directory, &[NOTES]).map(|store| ids(&store))
    });
    store.write_blocking(|connection| insert(connection, 1)).unwrap();
    store.close();
    assert_eq!(waiting.join().unwrap().unwrap(), [1], "the next one takes over what the first has written");
}

#[test]
fn migrations_run_once_and_a_newer_schema_is_refused() {
    let scratch = Scratch::new();
    scratch.store().close();
    const SECOND: Migration = Migration {
        room: "notes",
        steps: &[NOTES.steps[0], Step::Both("ALTER TABLE note ADD COLUMN author TEXT")],
    };
    let store = scratch.open(&[SECOND]).unwrap();
    store.write_blocking(|c| Ok(c.execute("INSERT INTO note VALUES (1, 'x', 'me')", ())?)).unwrap();
    store.close();
    let refused = scratch.open(&[NOTES]).map(|_| ());
    assert!(matches!(refused, Err(StoreError::NewerSchema { room: "notes", found: 2, known: 1 })));
    assert_eq!(ids(&scratch.open(&[SECOND]).unwrap()), [1]);
}
