//! A gateway on PostgreSQL is killed at each step by which a submission (ITI-41) becomes visible (attack 65): what stands
//! between it and the database lets everything through, and holds the step that is meant.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::durability::{self, Begun, CONFIG};
use crate::support::certs::TempDir;
use crate::support::postgres;
use crate::support::program::Served;
use crate::support::submissions::Document;

/// A step of the transaction that makes a submission visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The documents have come; the database does not know yet.
    Arrived,
    /// The rows are there and the documents are on disk; the commit is on its way.
    Ready,
    /// The database has committed; the gateway does not know.
    Committed,
    /// The gateway was just told; the reply is not out.
    Told,
}

/// Where a step is waited for, once it is armed: a start has transactions of its own.
struct Toll {
    step: Step,
    armed: AtomicBool,
    reached: Notify,
}

impl Toll {
    fn at(&self, step: Step) -> bool {
        self.step == step && self.armed.load(Ordering::SeqCst)
    }

    /// Nothing passes any more.
    async fn hold(&self) {
        self.reached.notify_one();
        std::future::pending().await
    }

    /// Lets gateways through to a database until it is dropped, with whoever is on the way.
    async fn serve(self: Arc<Self>, listener: UnixListener, database: PathBuf) {
        let mut passing = JoinSet::new();
        while let Ok((gateway, _)) = listener.accept().await {
            let database = UnixStream::connect(&database).await.unwrap();
            passing.spawn(Arc::clone(&self).pass(gateway, database));
        }
    }

    async fn pass(self: Arc<Self>, gateway: UnixStream, database: UnixStream) {
        let (mut from_gateway, mut to_gateway) = gateway.into_split();
        let (mut from_database, mut to_database) = database.into_split();
        let commits = AtomicBool::new(false);
        let up = async {
            let mut bytes = vec![0; 64 * 1024];
            while let Ok(read @ 1..) = from_gateway.read(&mut bytes).await {
                let has = |words: &[u8]| bytes[..read].windows(words.len()).any(|some| some == words);
                let commit = has(b"COMMIT\0");
                if (self.at(Step::Arrived) && has(b"READ WRITE")) || (self.at(Step::Ready) && commit) {
                    self.hold().await;
                }
                commits.fetch_or(commit && self.armed.load(Ordering::SeqCst), Ordering::SeqCst);
                if to_database.write_all(&bytes[..read]).await.is_err() {
                    return;
                }
            }
        };
        let down = async {
            let mut bytes = vec![0; 64 * 1024];
            while let Ok(read @ 1..) = from_database.read(&mut bytes).await {
                let committed = commits.load(Ordering::SeqCst);
                if committed && self.at(Step::Committed) {
                    self.hold().await;
                }
                if to_gateway.write_all(&bytes[..read]).await.is_err() {
                    return;
                }
                if committed && self.at(Step::Told) {
                    self.reached.notify_one();
                }
            }
        };
        tokio::select! {
            () = up => (),
            () = down => (),
        }
    }
}

/// The same database by way of a socket in a folder; and the socket that it has itself.
fn by_way_of(folder: &Path, database: &str) -> (String, PathBuf) {
    let host = database.split(' ').find_map(|part| part.strip_prefix("host=")).unwrap();
    assert!(host.starts_with('/'), "the tests' database is reached by a Unix socket: {host}");
    let way = database.replace(&format!("host={host}"), &format!("host={}", folder.display()));
    (way, Path::new(host).join(".s.PGSQL.5432"))
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_65_a_kill_at_each_step_of_a_commit_on_postgres() {
    let (data, database, begun) = (TempDir::new(), postgres::schema(), Begun::default());
    let direct = format!("store.postgres={database}");
    for step in [Step::Arrived, Step::Ready, Step::Committed, Step::Told] {
        for size in [5_000, 3_000_000] {
            let folder = TempDir::new();
            let (way, socket) = by_way_of(folder.path(), &database);
            let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
            let toll = Arc::new(Toll { step, armed: AtomicBool::default(), reached: Notify::new() });
            let serving = tokio::spawn(Arc::clone(&toll).serve(listener, socket));
            let served = Served::start(CONFIG, data.path(), &[&format!("store.postgres={way}")]);

            toll.armed.store(true, Ordering::SeqCst);
            let documents = vec![Document::new(size), Document::new(100)];
            let submission = durability::submit(&served, &begun, documents.clone());
            let killed = async {
                let reached = tokio::time::timeout(durability::DEADLINE, toll.reached.notified()).await;
                reached.unwrap_or_else(|_| panic!("{step:?} is never reached"));
                served.kill_now();
            };
            let (answer, ()) = tokio::join!(submission, killed);
            assert!(answer.is_none() || step == Step::Told, "{step:?}: it was answered before it was kept");
            // As the kernel does: with the gateway its connections end.
            serving.abort();
            let _ = serving.await;
            drop(served);

            let served = Served::start(CONFIG, data.path(), &[&direct]);
            durability::check(&served, &begun).await;
            let peer = sekisho::cli::peer::Peer::plain(durability::DEADLINE).unwrap();
            let known = durability::entries(&peer, &served).await;
            if matches!(step, Step::Arrived | Step::Ready) {
                assert!(!known.contains_key(&documents[0].unique_id), "{step:?}: it was never committed");
            }
            // The same again is taken, whatever became of it before.
            let again = durability::submit(&served, &begun, documents).await.unwrap();
            assert_eq!(again.errors, [], "{step:?}, {size}");
            durability::check(&served, &begun).await;
        }
    }
}
