//! Documents in a real S3-compatible store, encrypted: the store is away, or the process is killed at a step of ITI-41
//! (attacks 64 and 65). What holds of the repository wherever it keeps documents stands in its own tests.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sekisho::transactions::errors::Status;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::durability::{self, Begun, CONFIG};
use crate::support::certs::TempDir;
use crate::support::http::{NOBODY, PATIENCE};
use crate::support::program::{Served, run};
use crate::support::submissions::Document;
use crate::support::{postgres, s3};

/// The settings for documents in the test's bucket, at an endpoint, under the folder's own prefix; encrypted.
pub fn settings(folder: &Path, endpoint: &str) -> Vec<String> {
    let bucket = s3::bucket();
    let secret = |name: &str, text: &str| {
        let file = folder.join(name);
        std::fs::write(&file, text).unwrap();
        format!("{{ file = {:?} }}", file.display().to_string())
    };
    let prefix =
        folder.file_name().unwrap().to_str().unwrap().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    vec![
        format!("documents.s3.endpoint={endpoint}"),
        format!("documents.s3.bucket={}", bucket.bucket),
        format!("documents.s3.prefix=suite/{prefix}"),
        format!("documents.s3.access_key={}", secret("access-key", &bucket.access_key)),
        format!("documents.s3.secret_key={}", secret("secret-key", &bucket.secret_key)),
        "standalone.encryption.current=test".to_owned(),
        format!("standalone.encryption.keys.test={}", secret("tenant-key", &"5a".repeat(32))),
    ]
}

fn serve(folder: &TempDir, endpoint: &str) -> Served {
    let settings = settings(folder.path(), endpoint);
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    Served::start(CONFIG, &folder.path().join("data"), &settings)
}

async fn accepted(served: &Served, begun: &Begun, size: usize) {
    let response = durability::submit(served, begun, vec![Document::new(size)]).await.unwrap();
    assert_eq!(response.status, Status::Success, "{:?}", response.errors);
}

/// What `verify-store` finds when the service is stopped.
fn verified(folder: &TempDir) -> (i32, Value) {
    let data = format!("data.directory={}", folder.path().join("data").display());
    let mut arguments = vec!["verify-store", "--config", CONFIG, "--json", "--set", &data];
    let mut settings = settings(folder.path(), &s3::bucket().endpoint);
    settings.extend(postgres::setting_for(&folder.path().join("data")));
    settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
    let (code, out, log) = run(&arguments, "");
    (code, serde_json::from_str(&out).unwrap_or_else(|_| panic!("{code}: {out} {log}")))
}

/// The step of putting an object at which something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The request has left the gateway; the store has not got it.
    Requested,
    /// The store has the object; the gateway does not know.
    Stored,
    /// The gateway was just told, and goes on to its commit.
    Told,
}

/// Stands between gateway and store, lets everything through, and tells when a step is reached; before and at the first two
/// nothing passes any more.
async fn toll(step: Step, reached: Arc<Notify>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let store = s3::bucket().endpoint.replace("http://", "");
    tokio::spawn(async move {
        loop {
            let (gateway, _) = listener.accept().await.unwrap();
            let store = TcpStream::connect(&store).await.unwrap();
            tokio::spawn(pass(gateway, store, step, reached.clone()));
        }
    });
    address
}

async fn pass(gateway: TcpStream, store: TcpStream, step: Step, reached: Arc<Notify>) {
    let (mut from_gateway, mut to_gateway) = gateway.into_split();
    let (mut from_store, mut to_store) = store.into_split();
    let put = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (is_put, noted) = (put.clone(), reached.clone());
    let up = async move {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_gateway.read(&mut bytes).await {
            if bytes.starts_with(b"PUT ") {
                is_put.store(true, std::sync::atomic::Ordering::SeqCst);
                if step == Step::Requested {
                    noted.notify_one();
                    std::future::pending::<()>().await;
                }
            }
            to_store.write_all(&bytes[..read]).await.unwrap();
        }
    };
    let down = async move {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_store.read(&mut bytes).await {
            let is_put = put.load(std::sync::atomic::Ordering::SeqCst);
            if is_put && step == Step::Stored {
                reached.notify_one();
                std::future::pending::<()>().await;
            }
            if to_gateway.write_all(&bytes[..read]).await.is_err() {
                return;
            }
            if is_put {
                reached.notify_one();
            }
        }
    };
    tokio::join!(up, down);
}

/// Whatever step a kill meets, what was acknowledged is there, and nothing is half there.
#[tokio::test(flavor = "multi_thread")]
async fn attack_65_a_kill_at_each_step_of_putting_an_object() {
    for step in [Step::Requested, Step::Stored, Step::Told] {
        // One request, and one in parts.
        for size in [5_000, 20_000_000] {
            let folder = TempDir::new();
            let endpoint = s3::bucket().endpoint;
            let begun = Begun::default();
            let served = serve(&folder, &endpoint);
            accepted(&served, &begun, 4_000).await;
            drop(served);

            let reached = Arc::new(Notify::new());
            let address = toll(step, reached.clone()).await;
            let served = serve(&folder, &format!("http://{address}"));
            let documents = vec![Document::new(size), Document::new(100)];
            let submission = durability::submit(&served, &begun, documents);
            let killed = async {
                reached.notified().await;
                served.kill_now();
            };
            let (_, ()) = tokio::join!(submission, killed);
            drop(served);

            let served = serve(&folder, &endpoint);
            durability::check(&served, &begun).await;
            accepted(&served, &begun, 2_000_000).await;
            durability::check(&served, &begun).await;
            drop(served);
            let (code, found) = verified(&folder);
            assert_eq!(code, 0, "{step:?}, {size}: {found}");
        }
    }
}

/// Many senders, and a kill at any moment.
#[tokio::test(flavor = "multi_thread")]
async fn attack_65_what_was_acknowledged_survives_a_kill_with_documents_in_objects() {
    let folder = TempDir::new();
    let settings = settings(folder.path(), &s3::bucket().endpoint);
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    durability::killed_again_and_again(&folder.path().join("data"), &settings, 2).await;
    let (code, found) = verified(&folder);
    assert_eq!(code, 0, "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_64_a_store_that_is_away_refuses_submissions_and_is_told_to_the_operator() {
    let folder = TempDir::new();
    let begun = Begun::default();
    let served = serve(&folder, &format!("http://{NOBODY}"));
    let refused = durability::submit(&served, &begun, vec![Document::new(1_000)]).await.unwrap();
    assert_eq!(refused.status, Status::Failure);
    assert_eq!(refused.errors[0].code, "XDSRepositoryError");
    assert!(!refused.errors[0].context.contains("127.0.0.1"), "no internal text: {:?}", refused.errors);
    let (status, body) = served.get("/health/ready");
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("object store"), "{body}");
    durability::check(&served, &begun).await;
    let log = served.into_log();
    assert!(log.contains("the object store cannot be used"), "{log}");

    let served = serve(&folder, &s3::bucket().endpoint);
    accepted(&served, &begun, 1_000).await;
    let ready = async {
        while served.get("/health/ready").0 != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ready).await.unwrap();
}
