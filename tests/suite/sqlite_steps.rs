//! A gateway on SQLite is killed at each step by which a submission (ITI-41) becomes durable and visible (attack 65), and
//! meets a disk that fails at each of them (attack 64). What stands between it and the C library (`support/toll.c`) holds the
//! call that is meant, or lets it fail.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sekisho::cli::peer::Peer;
use sekisho::transactions::errors::Status;

use crate::durability::{self, Begun, CONFIG, DEADLINE};
use crate::support::certs::TempDir;
use crate::support::program::{Served, run};
use crate::support::submissions::Document;
use crate::support::waiting::until;

/// What a start finds of a submission whose gateway was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    All,
}

/// Steps in their order (docs/storage.md, "What is durable when"), and what a kill leaves of the submission.
const STEPS: [(&str, &str, Left); 9] = [
    ("the large document has come", "before sync /incoming/", Left::Nothing),
    ("it is on disk", "before rename /large/", Left::Nothing),
    ("it has its name", "after rename /large/", Left::Nothing),
    ("the small one is in its segment", "before sync .seg", Left::Nothing),
    ("all documents are on disk", "after sync .seg", Left::Nothing),
    ("the commit begins", "after write .db-wal", Left::Nothing),
    ("the commit is written", "before sync .db-wal", Left::All),
    ("the commit is on disk, and nobody knows", "after sync .db-wal", Left::All),
    ("the reply is about to go out", "before write socket:", Left::All),
];

/// The calls that a disk may fail.
const FAILURES: [&str; 6] = [
    "fail sync /incoming/",
    "fail rename /large/",
    "fail write .seg",
    "fail sync .seg",
    "fail write .db-wal",
    "fail sync .db-wal",
];

/// A toll in a folder of its own.
pub struct Toll(TempDir);

impl Toll {
    /// That lets everything pass.
    pub fn new() -> Self {
        Self(TempDir::new())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Serves what lies in a folder, with the toll at a step.
    fn serve(&self, data: &Path, step: &str) -> Served {
        self.serve_as(CONFIG, data, step)
    }

    /// The same by another configuration.
    pub fn serve_as(&self, config: &str, data: &Path, step: &str) -> Served {
        let preloaded = preloaded().display().to_string();
        let folder = self.0.path().display().to_string();
        let environment = [("LD_PRELOAD", &*preloaded), ("TOLL_STEP", step), ("TOLL_FOLDER", &*folder)];
        Served::start_with(config, data, &environment)
    }

    /// A start takes such steps too: from now on it counts.
    pub fn arm(&self) {
        std::fs::write(self.file("armed"), "").unwrap();
    }

    /// All passes again.
    pub fn disarm(&self) {
        std::fs::remove_file(self.file("armed")).unwrap();
    }

    /// Whether anything was held, or failed.
    pub fn is_reached(&self) -> bool {
        self.file("reached").exists()
    }
}

/// The toll, compiled once.
fn preloaded() -> &'static Path {
    static COMPILED: OnceLock<PathBuf> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("toll.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/support/toll.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(&file).arg(source).arg("-ldl");
        assert!(compiler.status().unwrap().success());
        file
    })
}

/// One document that is a file of its own, and one that goes into a segment.
fn documents() -> Vec<Document> {
    vec![Document::new(3_000_000), Document::new(100)]
}

/// The embedded database, as it is left.
fn serve(data: &Path) -> Served {
    Served::start_with(CONFIG, data, &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_65_a_kill_at_each_step_of_a_submission_on_sqlite() {
    let (data, begun) = (TempDir::new(), Begun::default());
    for (what, step, left) in STEPS {
        let toll = Toll::new();
        let served = toll.serve(data.path(), step);
        toll.arm();
        let documents = documents();
        let submission = durability::submit(&served, &begun, documents.clone());
        let killed = async {
            until(what, async || toll.is_reached()).await;
            served.kill_now();
        };
        let (answer, ()) = tokio::join!(submission, killed);
        assert!(answer.is_none(), "{what}: it was answered");
        drop(served);

        let served = serve(data.path());
        durability::check(&served, &begun).await;
        let known = durability::entries(&Peer::plain(DEADLINE).unwrap(), &served).await;
        let expected = left == Left::All;
        assert_eq!(known.contains_key(&documents[0].unique_id), expected, "{what}");
        // The same again is taken, whatever became of it before.
        let again = durability::submit(&served, &begun, documents).await.unwrap();
        assert_eq!(again.errors, [], "{what}");
        durability::check(&served, &begun).await;
    }
    in_order(data.path(), &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_64_a_disk_that_fails_at_a_step_refuses_that_submission_and_no_other() {
    let (data, begun) = (TempDir::new(), Begun::default());
    for step in FAILURES {
        let toll = Toll::new();
        let served = toll.serve(data.path(), step);
        toll.arm();
        let documents = documents();
        let refused = durability::submit(&served, &begun, documents.clone()).await.unwrap();
        assert!(toll.is_reached(), "{step} is never reached");
        assert_eq!(refused.status, Status::Failure, "{step}");
        for error in &refused.errors {
            assert_eq!(error.code, "XDSRepositoryError", "{step}: {error:?}");
            assert!(!error.context.contains("os error"), "no internal text: {error:?}");
        }
        durability::check(&served, &begun).await;
        toll.disarm();
        let again = durability::submit(&served, &begun, documents).await.unwrap();
        assert_eq!(again.errors, [], "{step}: the disk is well again");
        durability::check(&served, &begun).await;
        drop(served);
        let served = serve(data.path());
        durability::check(&served, &begun).await;
    }
    // Where it is the commit that failed, its bytes stay: a crash might still find it made.
    in_order(data.path(), &["--settle"]);
    in_order(data.path(), &[]);
    durability::check(&serve(data.path()), &begun).await;
}

/// Nothing is there that no row refers to, and what is counted is what there is.
fn in_order(data: &Path, more: &[&str]) {
    let data = format!("data.directory={}", data.display());
    let (code, told, log) = run(&[&["verify-store", "--config", CONFIG, "--set", &data], more].concat(), "");
    assert_eq!(code, 0, "{told}{log}");
}
