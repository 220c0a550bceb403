//! Two gateways on one PostgreSQL and one bucket: one registry, one repository. One is killed in the middle of everything;
//! nothing that was acknowledged is lost, and the other has all of it (attack 65).

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sekisho::cli::peer::Peer;
use sekisho::transactions::errors::Status;
use serde_json::{Value, json};

use crate::durability::{self, Begun, CONFIG, DEADLINE, entries, retrieved};
use crate::object_store;
use crate::support::certs::TempDir;
use crate::support::program::{Served, run};
use crate::support::submissions::{Document, any_below};
use crate::support::{postgres, s3};

const SENDERS: usize = 4;

/// What the gateways share.
struct Estate {
    folder: TempDir,
    settings: Vec<String>,
}

impl Estate {
    fn new() -> Self {
        let folder = TempDir::new();
        let mut settings = object_store::settings(folder.path(), &s3::bucket().endpoint);
        settings.push(format!("store.postgres={}", postgres::schema()));
        Self { folder, settings }
    }

    /// The same with these keys of the tenant.
    fn with_keys(mut self, current: &str, ids: &[&str]) -> Self {
        self.settings.retain(|setting| !setting.starts_with("standalone.encryption."));
        self.settings.push(format!("standalone.encryption.current={current}"));
        for id in ids {
            let file = self.folder.path().join(id);
            std::fs::write(&file, format!("{:02x}", id.len()).repeat(32)).unwrap();
            let file = format!("{{ file = {:?} }}", file.display().to_string());
            self.settings.push(format!("standalone.encryption.keys.{id}={file}"));
        }
        self
    }

    /// A gateway with a folder of its own.
    fn serve(&self, name: &str) -> Arc<Served> {
        let settings: Vec<_> = self.settings.iter().map(String::as_str).collect();
        Arc::new(Served::start(CONFIG, &self.data(name), &settings))
    }

    fn data(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command beside the gateways, with a folder of its own; gives its exit code and what it tells.
    fn command(&self, command: &[&str]) -> (i32, Value) {
        let data = format!("data.directory={}", self.data("beside").display());
        let mut arguments = [command, &["--json", "--config", CONFIG, "--set", &data]].concat();
        self.settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
        let (code, told, log) = run(&arguments, "");
        (code, serde_json::from_str(&told).unwrap_or_else(|_| json!(log)))
    }
}

/// Some who submit to a gateway, one document after the other, until it is gone or they are told to stop.
struct Senders {
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    begun: Begun,
}

impl Senders {
    fn at(gateway: &Arc<Served>) -> Self {
        let (stop, begun) = (Arc::new(AtomicBool::new(false)), Begun::default());
        let send = |_| {
            let (gateway, stop, begun) = (gateway.clone(), stop.clone(), begun.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    // One request to the store mostly, parts now and then.
                    let size = if any_below(16) == 0 { 9_000_000 } else { any_below(200_000) };
                    let documents = vec![Document::new(size), Document::new(any_below(5_000))];
                    match durability::submit(&gateway, &begun, documents).await {
                        Some(response) => {
                            assert_eq!(response.status, Status::Success, "{:?}", response.errors)
                        }
                        None => return,
                    }
                }
            })
        };
        let tasks = (0..SENDERS).map(send).collect();
        Self { stop, tasks, begun }
    }

    fn acknowledged(&self) -> Vec<Document> {
        let begun = self.begun.lock().unwrap();
        begun.iter().filter(|(_, yes)| *yes).flat_map(|(documents, _)| documents.clone()).collect()
    }

    /// Waits until so many more documents are acknowledged.
    async fn go_on(&self, more: usize) {
        let enough = self.acknowledged().len() + more;
        let waiting = async {
            while self.acknowledged().len() < enough {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(DEADLINE, waiting).await.expect("nothing more is acknowledged");
    }

    async fn ended(self) -> Begun {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        self.begun
    }
}

/// All of these documents are registered and can be retrieved at a gateway.
async fn has(gateway: &Served, documents: &[Document]) {
    let peer = Peer::plain(DEADLINE).unwrap();
    let known = entries(&peer, gateway).await;
    for some in documents.chunks(20) {
        let some: Vec<_> = some.iter().collect();
        let received = retrieved(&peer, gateway, &some).await;
        for document in some {
            assert!(known.contains_key(&document.unique_id), "an acknowledged entry is not there");
            assert!(received.get(&document.unique_id) == Some(&document.bytes().to_vec()), "nor its bytes");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_65_one_of_two_gateways_on_one_bucket_is_killed_and_the_other_has_everything() {
    let estate = Estate::new();
    let (killed, staying) = (estate.serve("killed"), estate.serve("staying"));
    let (at_killed, at_staying) = (Senders::at(&killed), Senders::at(&staying));
    at_killed.go_on(10).await;
    at_staying.go_on(10).await;
    // What one has taken, the other gives out at once.
    let (of_killed, of_staying) = (at_killed.acknowledged(), at_staying.acknowledged());
    tokio::join!(has(&staying, &of_killed), has(&killed, &of_staying));
    at_killed.go_on(2).await;

    killed.kill_now();
    let begun_at_killed = at_killed.ended().await;
    at_staying.go_on(10).await;
    assert_eq!(staying.get("/health/ready").0, 200, "the other one serves on");

    // Settling beside a gateway that works, after one that died, finds nothing and takes nothing.
    for command in [&["verify-store", "--settle"][..], &["check", "--store", "--settle"]] {
        let (code, told) = estate.command(command);
        assert_eq!((code, &told["settled"]), (0, &json!([])), "{command:?}: {told}");
        at_staying.go_on(4).await;
    }

    let begun_at_staying = at_staying.ended().await;
    let all = Begun::default();
    all.lock().unwrap().extend(begun_at_killed.lock().unwrap().clone());
    all.lock().unwrap().extend(begun_at_staying.lock().unwrap().clone());
    drop(killed);
    let back = estate.serve("killed");
    for gateway in [&staying, &back] {
        durability::check(gateway, &all).await;
    }
    let (code, told) = estate.command(&["verify-store"]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(told["findings"]["wrong counts of documents"], json!([]));
}

/// While documents come in, sealed with the old key, every key that is there already is wrapped anew.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_beside_a_gateway_that_takes_submissions() {
    let old = Estate::new().with_keys("old", &["old", "newer"]);
    let gateway = old.serve("one");
    let senders = Senders::at(&gateway);
    senders.go_on(10).await;
    let rotating = old.with_keys("newer", &["old", "newer"]);
    let (code, told) = rotating.command(&["rotate-keys"]);
    assert_eq!((code, &told["damaged"]), (0, &json!(0)), "{told}");
    assert!(told["rewrapped"].as_u64().unwrap() >= 10, "{told}");
    senders.go_on(6).await;
    has(&gateway, &senders.acknowledged()).await;
    let begun = senders.ended().await;
    drop(gateway);

    // What came with the old key meanwhile still needs it, and nothing does after another turn.
    let only_new = rotating.with_keys("newer", &["newer"]);
    let (code, told) = only_new.command(&["verify-store"]);
    assert_eq!(code, 3, "{told}");
    let rotating = only_new.with_keys("newer", &["old", "newer"]);
    assert_eq!(rotating.command(&["rotate-keys"]).0, 0);
    let only_new = rotating.with_keys("newer", &["newer"]);
    let back = only_new.serve("one");
    durability::check(&back, &begun).await;
}
