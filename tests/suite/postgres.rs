//! Two gateways on one PostgreSQL: one registry, each with a repository of its own.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sekisho::cli::peer::Peer;
use sekisho::transactions::errors::Status;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::durability::{self, Begun, CONFIG, DEADLINE, entries, goes_on, send, url};
use crate::support::certs::{Authority, TempDir};
use crate::support::http::unused_port;
use crate::support::postgres;
use crate::support::program::{Served, run};
use crate::support::submissions::Document;
use crate::support::waiting::until;

const SENDERS: usize = 4;
const OTHER_REPOSITORY: &str = "standalone.repository=2.25.318902478213461.10.3";

/// Asks a gateway as long as it is told, and gives how many answers there were.
async fn ask(gateway: &Served, rounds: usize) -> usize {
    let peer = Peer::plain(DEADLINE).unwrap();
    let mut before = HashSet::new();
    for _ in 0..rounds {
        let now: HashSet<String> = entries(&peer, gateway).await.into_keys().collect();
        assert!(before.is_subset(&now), "what was there once is there ever after");
        before = now;
    }
    before.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_gateways_is_killed_nothing_is_lost_and_the_other_serves_on() {
    let store = format!("store.postgres={}", postgres::schema());
    let (one, other) = (TempDir::new(), TempDir::new());
    let killed = Served::start(CONFIG, one.path(), &[&store]);
    let staying = Served::start(CONFIG, other.path(), &[&store, OTHER_REPOSITORY]);
    let (begun_at_killed, begun_at_staying) = (Begun::default(), Begun::default());
    let senders = |gateway: &Served, begun: &Begun| -> Vec<_> {
        (0..SENDERS).map(|_| tokio::spawn(send(url(gateway, "iti41"), begun.clone()))).collect()
    };
    let at_killed = senders(&killed, &begun_at_killed);
    let at_staying = senders(&staying, &begun_at_staying);
    tokio::join!(ask(&killed, 10), ask(&staying, 10));
    // However slow the machine is: something is acknowledged first.
    tokio::join!(goes_on(&begun_at_killed), goes_on(&begun_at_staying));

    // SIGKILL, in the middle of whatever it does.
    drop(killed);
    for sender in at_killed {
        sender.await.unwrap();
    }
    ask(&staying, 10).await;
    goes_on(&begun_at_staying).await;
    assert_eq!(staying.get("/health/ready").0, 200);

    // It comes back, and both know the same.
    let back = Served::start(CONFIG, one.path(), &[&store]);
    drop(staying);
    for sender in at_staying {
        sender.await.unwrap();
    }
    let staying = Served::start(CONFIG, other.path(), &[&store, OTHER_REPOSITORY]);
    let peer = Peer::plain(DEADLINE).unwrap();
    let known = entries(&peer, &back).await;
    assert_eq!(known, entries(&peer, &staying).await);
    let mut begun = begun_at_killed.lock().unwrap().clone();
    begun.extend(begun_at_staying.lock().unwrap().clone());
    for (documents, acknowledged) in &begun {
        let there = documents.iter().filter(|document| known.contains_key(&document.unique_id)).count();
        assert!(there == 0 || there == documents.len(), "{there} of {} entries", documents.len());
        assert!(there > 0 || !acknowledged, "an acknowledged submission is gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_are_made_anew() {
    let schema = postgres::schema();
    let folder = TempDir::new();
    let setting = format!("store.postgres={schema} application_name=cut_{}", std::process::id());
    let gateway = Served::start(CONFIG, folder.path(), &[&setting]);
    assert_eq!(ask(&gateway, 1).await, 0);
    // All of its connections end, as when the server is started anew.
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cut_PID'";
    postgres::run(&schema, &cut.replace("PID", &std::process::id().to_string()));
    // What was silent for a moment is tried before it is relied upon.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(ask(&gateway, 20).await, 0);
    let begun = Begun::default();
    let sending = tokio::spawn(send(url(&gateway, "iti41"), begun.clone()));
    goes_on(&begun).await;
    assert_eq!(gateway.get("/health/ready").0, 200);
    drop(gateway);
    sending.await.unwrap();
}

/// Both are configured for it, and one does it.
#[tokio::test(flavor = "multi_thread")]
async fn retention_is_one_gateways() {
    let schema = postgres::schema();
    let store = format!("store.postgres={schema}");
    let (one, other) = (TempDir::new(), TempDir::new());
    let begun = Begun::default();
    let before = Served::start(CONFIG, one.path(), &[&store]);
    for _ in 0..3 {
        let taken = durability::submit(&before, &begun, vec![Document::new(100)]).await.unwrap();
        assert_eq!(taken.status, Status::Success, "{:?}", taken.errors);
    }
    drop(before);
    postgres::run(&schema, "UPDATE registry_day SET day = day - 31");

    let rules = "standalone.retention=[{ days = 30, action = \"deprecate\" }]";
    let gateways = [
        Served::start(CONFIG, one.path(), &[&store, rules]),
        Served::start(CONFIG, other.path(), &[&store, rules, OTHER_REPOSITORY]),
    ];
    let peer = Peer::plain(DEADLINE).unwrap();
    let ended = async {
        while !entries(&peer, &gateways[0]).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(DEADLINE, ended).await.expect("nobody does it");
    let counts = |gateway: &&Served| gateway.get("/metrics").1.contains("sekisho_retention_total{");
    let done = async {
        while !gateways.iter().any(|gateway| counts(&gateway)) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(DEADLINE, done).await.expect("nobody counts it");
    // Whoever had come second would have made its pass long before.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(gateways.iter().filter(counts).count(), 1);
}

/// Where each has a folder of its own, each removes what lies there, whoever has the duty.
#[tokio::test(flavor = "multi_thread")]
async fn each_gateway_removes_what_lies_in_its_folder() {
    let schema = postgres::schema();
    let store = format!("store.postgres={schema}");
    let (one, other) = (TempDir::new(), TempDir::new());
    let rules = "standalone.retention=[{ days = 30, action = \"remove\" }]";
    let start = |rules: &[&str]| {
        let settings = |more: &'static [&'static str]| [&[&*store][..], rules, more].concat();
        [
            Served::start(CONFIG, one.path(), &settings(&[])),
            Served::start(CONFIG, other.path(), &settings(&[OTHER_REPOSITORY])),
        ]
    };
    let before = start(&[]);
    let begun = Begun::default();
    for gateway in &before {
        // A large one is a file, which is gone when it is.
        let taken = durability::submit(gateway, &begun, vec![Document::new(3 << 20)]).await.unwrap();
        assert_eq!(taken.status, Status::Success, "{:?}", taken.errors);
    }
    drop(before);
    postgres::run(&schema, "UPDATE registry_day SET day = day - 31");
    let large = |folder: &TempDir| count_files(&folder.path().join("large"));
    assert!(large(&one) == 1 && large(&other) == 1);

    let gateways = start(&[rules]);
    let peer = Peer::plain(DEADLINE).unwrap();
    let removed = async {
        while !entries(&peer, &gateways[0]).await.is_empty() || large(&one) + large(&other) > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(DEADLINE, removed).await.expect("somebody's document is still there");
}

/// A gateway that is gone for good, with its folder, keeps nobody from anything once its claim is freed.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_had_that_is_gone_for_good_can_be_freed() {
    const REPOSITORY: &str = "2.25.318902478213461.10.2";
    let schema = postgres::schema();
    let store = format!("store.postgres={schema}");
    let (lost, other, aside) = (TempDir::new(), TempDir::new(), TempDir::new());
    let data = format!("data.directory={}", aside.path().display());
    let sekisho = |command: &[&str]| {
        let settings = ["--config", CONFIG, "--json", "--set", &store, "--set", &data];
        let (exit, told, log) = run(&[command, &settings].concat(), "");
        (exit, serde_json::from_str::<Value>(&told).unwrap_or_else(|_| panic!("{told}{log}")))
    };
    let claims = |free: &[&str]| sekisho(&[&["claims"], free].concat());
    let at_work = || claims(&[]).1["claims"][0]["at_work"].clone();
    let free = ["--free", REPOSITORY];

    let gateway = Served::start(CONFIG, lost.path(), &[&store]);
    let taken = durability::submit(&gateway, &Begun::default(), vec![Document::new(100)]).await.unwrap();
    assert_eq!(taken.status, Status::Success, "{:?}", taken.errors);
    assert_eq!((at_work(), claims(&free).0), (true.into(), 1), "it is at work");
    // Its connection is made anew, and it is at work all the same.
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
        AND objid = (hashtext(current_schema())::bigint & 4294967295)::oid";
    postgres::run(&schema, cut);
    until("it is at work again", async || at_work() == true).await;
    drop(gateway);
    until("it is gone", async || at_work() == false).await;
    postgres::run(&schema, "UPDATE registry_day SET day = day - 31");
    let rules = "standalone.retention=[{ days = 30, action = \"remove\" }]";
    let third = "standalone.repository=2.25.318902478213461.10.4";
    let (_, told) = sekisho(&["retention", "--set", rules, "--set", third]);
    assert_eq!((&told["rules"][0]["due"], &told["rules"][0]["elsewhere"]), (&0.into(), &1.into()), "{told}");

    // Neither a new folder nor another gateway's retention has what is the lost one's.
    let refused = Served::try_start(CONFIG, other.path(), &[&store]).err().unwrap();
    assert!(refused.contains(REPOSITORY) && refused.contains("sekisho claims"), "{refused}");
    let staying = Served::start(CONFIG, other.path(), &[&store, rules, OTHER_REPOSITORY]);
    let peer = Peer::plain(DEADLINE).unwrap();
    until("a pass was made", async || staying.get("/metrics").1.contains("sekisho_retention_total{")).await;
    assert_eq!(entries(&peer, &staying).await.len(), 1);
    drop(staying);
    assert_eq!(claims(&["--free", "1.2.3.99"]).0, 1, "nobody has it");
    assert_eq!(claims(&free), (0, json!({ "repository": REPOSITORY, "freed": true })));
    assert_eq!(claims(&free).0, 1, "it is nobody's");

    let staying = Served::start(CONFIG, other.path(), &[&store, rules, OTHER_REPOSITORY]);
    until("its metadata are gone", async || entries(&peer, &staying).await.is_empty()).await;
    drop(Served::start(CONFIG, lost.path(), &[&store]));
}

fn count_files(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { count_files(&path) } else { 1 }).sum()
}

/// A server of a test's own.
struct Server(PathBuf);

impl Drop for Server {
    fn drop(&mut self) {
        postgres::control("stop", &self.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_reached_by_tls_and_a_password_and_only_if_its_certificate_is_right() {
    let (authority, stranger) = (Authority::new("ours"), Authority::new("a stranger"));
    let pair = authority.server();
    let port = unused_port().to_string();
    let server = Server(std::env::temp_dir().join(format!("sekisho-tls-{}", Uuid::new_v4().simple())));
    let [certificate, key] = [&pair.certificate, &pair.key].map(|file| file.to_str().unwrap());
    let socket = postgres::control_with("tls", &server.0, &[&port, certificate, key]);
    postgres::run(&socket, "ALTER ROLE sekisho PASSWORD 'open sesame'");

    let folder = TempDir::new();
    let secret = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        format!("store.password={{ file = {:?} }}", folder.path().join(name).display().to_string())
    };
    let (right, wrong) = (secret("right", "open sesame\n"), secret("wrong", "open barley"));
    let [ours, theirs] =
        [&authority, &stranger].map(|authority| format!("store.ca={}", authority.ca().display()));
    let [tls, plain, misnamed] = ["localhost sslmode=require", "localhost", "db.example sslmode=require"]
        .map(|host| {
            format!("store.postgres=host={host} hostaddr=127.0.0.1 port={port} user=sekisho dbname=postgres")
        });
    let serve = |settings: [&str; 3]| Served::try_start(CONFIG, &folder.path().join("data"), &settings);
    for (why, settings, expected) in [
        ("no password", [&*tls, &*ours, "log.level=info"], "password missing"),
        ("another password", [&*tls, &*ours, &*wrong], "28P01"),
        ("an authority that we do not trust", [&*tls, &*theirs, &*right], "certificate verify failed"),
        ("a certificate for another name", [&*misnamed, &*ours, &*right], "certificate verify failed"),
        ("no TLS", [&*plain, &*ours, &*right], "28000"),
    ] {
        let refused = serve(settings).err().unwrap_or_else(|| panic!("{why} is good enough"));
        assert!(refused.contains(expected) && !refused.contains("sesame"), "{why}: {refused}");
    }
    let served = serve([&*tls, &*ours, &*right]).unwrap();
    let begun = Begun::default();
    let taken = durability::submit(&served, &begun, vec![Document::new(1_000)]).await.unwrap();
    assert_eq!(taken.status, Status::Success, "{:?}", taken.errors);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_told_and_what_was_acknowledged_is_there_when_it_is_back() {
    let server = Server(std::env::temp_dir().join(format!("sekisho-away-{}", Uuid::new_v4().simple())));
    let store = format!("store.postgres={}", postgres::control("start", &server.0));
    let folder = TempDir::new();
    let gateway = Served::start(CONFIG, folder.path(), &[&store]);
    let begun = Begun::default();
    let sending = tokio::spawn(send(url(&gateway, "iti41"), begun.clone()));
    goes_on(&begun).await;

    postgres::control("halt", &server.0);
    // A sender is told that nothing was stored: its submission is refused, which `send` takes for the end.
    assert!(sending.await.is_err());
    let ready = async |expected: u16| {
        let started = Instant::now();
        while gateway.get("/health/ready").0 != expected {
            assert!(started.elapsed() < DEADLINE, "readiness is not {expected}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    ready(503).await;
    postgres::control("start", &server.0);
    ready(200).await;

    let known = entries(&Peer::plain(DEADLINE).unwrap(), &gateway).await;
    let begun = begun.lock().unwrap().clone();
    for (documents, acknowledged) in &begun {
        let there = documents.iter().filter(|document| known.contains_key(&document.unique_id)).count();
        assert!(there == documents.len() || (there == 0 && !acknowledged));
    }
    drop(gateway);
}

#[test]
fn the_patient_index_is_one_gateways_and_a_repositorys_documents_stay_where_they_are() {
    let store = format!("store.postgres={}", postgres::schema());
    let (one, other) = (TempDir::new(), TempDir::new());
    let index = "identity.domains=[{ oid = \"1.2.3\", namespace = \"A\", name = \"A\" }]";
    let own = "standalone.patients=own";
    let authorities = "community.authorities=[\"1.2.3\"]";
    let settings = |more: &[&'static str]| [&[index, own, authorities], more].concat();
    let serves = |folder: &TempDir, more: &[&'static str]| -> Result<Served, String> {
        let mut all = settings(more);
        all.push(&store);
        Served::try_start(CONFIG, folder.path(), &all)
    };
    let first = serves(&one, &[]).unwrap();
    let refused = serves(&other, &[]).err().unwrap();
    assert!(refused.contains("the documents of repository"), "{refused}");
    let refused = serves(&other, &[OTHER_REPOSITORY]).err().unwrap();
    assert!(refused.contains("the patient index"), "{refused}");
    // SIGKILL: the other one takes over.
    drop(first);
    drop(serves(&other, &[OTHER_REPOSITORY]).unwrap());
    drop(serves(&one, &[]).unwrap());
}

#[test]
fn migrate_tells_does_and_refuses() {
    let (schema, folder) = (postgres::schema(), TempDir::new());
    let store = format!("store.postgres={schema}");
    let data = format!("data.directory={}", folder.path().display());
    let migrate = |more: &[&str]| {
        run(&[&["migrate", "--config", CONFIG, "--set", &store, "--set", &data], more].concat(), "")
    };
    let (code, out, _) = migrate(&["--dry-run"]);
    assert_eq!(code, 0);
    assert!(out.contains("Nothing was done."), "{out}");
    let (code, out, _) = migrate(&[]);
    assert_eq!(code, 0);
    assert!(out.contains("The database is up to date now."), "{out}");
    let (code, out, _) = migrate(&["--json"]);
    assert_eq!(code, 0);
    assert!(out.contains("\"migrated\":false"), "{out}");
    postgres::run(&schema, "UPDATE store_schema SET version = 99 WHERE room = 'registry'");
    for dry_run in [&["--dry-run"][..], &[]] {
        let (code, _, error) = migrate(dry_run);
        assert_eq!(code, 1);
        assert!(error.contains("schema 99 of registry"), "{error}");
    }
}
