//! What was acknowledged is there and whole, and what was not is there whole or not at all, whenever the process is killed
//! (attack 65).

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hyper::Uri;
use sekisho::cli::peer::{Peer, PeerError, Sink};
use sekisho::transactions::errors::{RegistryResponse, Status};
use sekisho::transactions::iti18::{ITI18, Parameter, QueryRequest, ReturnType};
use sekisho::transactions::iti43::{DocumentHead, DocumentRequest, ITI43, RetrieveRequest};
use sekisho::wire::stream::Content;

use crate::support::certs::TempDir;
use crate::support::postgres;
use crate::support::program::{Served, run};
use crate::support::submissions::{Document, any_below, submission};

pub(crate) const CONFIG: &str = "examples/standalone/sekisho.toml";
const REPOSITORY: &str = "2.25.318902478213461.10.2";
pub(crate) const PATIENT: &str = "1^^^&1.2.3&ISO";
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Often enough to meet group commits, large files and replies at different moments; a round takes about two seconds.
const KILLS: usize = 5;
pub(crate) const SENDERS: usize = 8;

/// A submission that was begun, and whether it was acknowledged.
pub(crate) type Begun = Arc<Mutex<Vec<(Vec<Document>, bool)>>>;

#[tokio::test(flavor = "multi_thread")]
async fn attack_65_what_was_acknowledged_survives_a_kill_and_nothing_is_half_there() {
    let folder = TempDir::new();
    killed_again_and_again(folder.path(), &[], KILLS).await;
    // What is counted for quotas, too.
    let data = format!("data.directory={}", folder.path().display());
    let database = postgres::setting_for(folder.path());
    let mut arguments = vec!["verify-store", "--config", CONFIG, "--set", &data];
    arguments.extend(database.iter().flat_map(|setting| ["--set", setting]));
    let (code, told, log) = run(&arguments, "");
    assert_eq!(code, 0, "{told}{log}");
    let left = std::fs::read_dir(folder.path().join("incoming")).unwrap().count();
    assert_eq!(left, 0, "what was arriving is gone");
}

/// Nothing of what finds no room is there, what was acknowledged stays, and questions are answered all the time.
#[tokio::test(flavor = "multi_thread")]
async fn attack_64_what_finds_no_room_on_the_disk_is_refused_and_nothing_else_is_lost() {
    const ROOM: u64 = 6 << 20;
    let (folder, begun) = (TempDir::new(), Begun::default());
    let served = Served::start_on_little(CONFIG, folder.path(), &[], ROOM);
    let sizes = std::iter::once(ROOM as usize + 1).chain(std::iter::repeat_n(300_000, 60));
    let mut refused = 0;
    for size in sizes {
        let answer = submit(&served, &begun, vec![Document::new(size), Document::new(100)]).await.unwrap();
        for error in &answer.errors {
            assert_eq!(error.code, "XDSRepositoryOutOfResources", "{error:?}");
            assert!(!error.context.contains("os error"), "no internal text: {error:?}");
            refused += 1;
        }
        if refused == 3 {
            break;
        }
    }
    assert_eq!(refused, 3, "there was room for everything");
    check(&served, &begun).await;
    drop(served);
    let served = Served::start(CONFIG, folder.path(), &[]);
    check(&served, &begun).await;
    usage_is_exact(&served).await;
    let more = submit(&served, &begun, vec![Document::new(ROOM as usize)]).await.unwrap();
    assert_eq!(more.errors, []);
    check(&served, &begun).await;
}

/// Kills a server that several send to, and looks at what is left; with these settings besides.
pub async fn killed_again_and_again(data: &Path, settings: &[&str], kills: usize) {
    let begun = Begun::default();
    for _ in 0..kills {
        let served = Served::start(CONFIG, data, settings);
        check(&served, &begun).await;
        let senders: Vec<_> =
            (0..SENDERS).map(|_| tokio::spawn(send(url(&served, "iti41"), begun.clone()))).collect();
        // However slow the machine is: each time something more has to be acknowledged first.
        goes_on(&begun).await;
        tokio::time::sleep(Duration::from_millis(100 + any_below(900) as u64)).await;
        // SIGKILL.
        drop(served);
        for sender in senders {
            sender.await.unwrap();
        }
    }
    let served = Served::start(CONFIG, data, settings);
    check(&served, &begun).await;
    usage_is_exact(&served).await;
    assert!(begun.lock().unwrap().iter().any(|(_, acknowledged)| *acknowledged), "nothing was tested");
}

/// Waits until something more is acknowledged.
pub(crate) async fn goes_on(begun: &Begun) {
    let acknowledged = || begun.lock().unwrap().iter().filter(|(_, yes)| *yes).count();
    let before = acknowledged();
    let waiting = async {
        while acknowledged() == before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.expect("nothing more is acknowledged");
}

/// What the quota goes by is what is there: neither a kill nor what was refused by it makes the count drift.
async fn usage_is_exact(served: &Served) {
    let entries = entries(&Peer::plain(DEADLINE).unwrap(), served).await;
    let (_, status) = served.get("/status");
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let counted = &status["tenants"][0];
    assert_eq!(counted["documents"], entries.len(), "{counted}");
    assert_eq!(counted["bytes"], entries.values().flatten().sum::<u64>(), "{counted}");
}

/// Submits one after the other until the server is gone.
pub(crate) async fn send(url: Uri, begun: Begun) {
    let peer = Peer::plain(DEADLINE).unwrap();
    loop {
        // Segments mostly, a file of its own now and then, and two in one submission.
        let size = if any_below(8) == 0 { 1_500_000 } else { any_below(200_000) };
        let documents = vec![Document::new(size), Document::new(any_below(5_000))];
        match send_one(&peer, &url, &begun, documents).await {
            Some(response) => assert_eq!(response.status, Status::Success, "{:?}", response.errors),
            None => return,
        }
    }
}

/// Submits documents; None if the server is gone before it answers.
pub async fn submit(served: &Served, begun: &Begun, documents: Vec<Document>) -> Option<RegistryResponse> {
    send_one(&Peer::plain(DEADLINE).unwrap(), &url(served, "iti41"), begun, documents).await
}

async fn send_one(
    peer: &Peer,
    url: &Uri,
    begun: &Begun,
    documents: Vec<Document>,
) -> Option<RegistryResponse> {
    let submission = submission(PATIENT, &documents);
    let parts = documents.iter().enumerate().map(|(n, document)| {
        (format!("Document{n}"), "text/plain".to_owned(), Content::from_bytes(document.bytes()))
    });
    let parts = parts.collect();
    let number = {
        let mut begun = begun.lock().unwrap();
        begun.push((documents, false));
        begun.len() - 1
    };
    let response = peer.submit(url, &submission, parts).await.ok()?;
    begun.lock().unwrap()[number].1 = response.status == Status::Success;
    Some(response)
}

/// Every submission is there whole or not at all, and every acknowledged one is there.
pub async fn check(served: &Served, begun: &Begun) {
    let begun = begun.lock().unwrap().clone();
    let peer = Peer::plain(DEADLINE).unwrap();
    let registered = entries(&peer, served).await;
    let mut known = HashSet::new();
    for (documents, acknowledged) in &begun {
        let there = documents.iter().filter(|document| registered.contains_key(&document.unique_id)).count();
        assert!(there == 0 || there == documents.len(), "{there} of {} entries", documents.len());
        assert!(there > 0 || !acknowledged, "an acknowledged submission is gone");
        known.extend(documents.iter().map(|document| document.unique_id.as_str()));
    }
    assert!(registered.keys().all(|unique_id| known.contains(unique_id.as_str())));

    let documents: Vec<_> = begun.iter().flat_map(|(documents, _)| documents).collect();
    for some in documents.chunks(50) {
        let received = retrieved(&peer, served, some).await;
        for document in some {
            let bytes = received.get(&document.unique_id);
            let size = registered.get(&document.unique_id);
            assert_eq!(bytes.is_some(), size.is_some(), "registered and retrievable are the same documents");
            if let (Some(bytes), Some(size)) = (bytes, size) {
                assert_eq!(*size, Some(bytes.len() as u64));
                assert!(*bytes == document.bytes(), "other bytes came back");
            }
        }
    }
}

/// Those of these documents that can be retrieved, by uniqueId; others are unknown, and nothing else is wrong.
pub(crate) async fn retrieved(
    peer: &Peer,
    served: &Served,
    documents: &[&Document],
) -> HashMap<String, Vec<u8>> {
    let wanted = documents.iter().map(|document| DocumentRequest {
        home: None,
        repository: REPOSITORY.to_owned(),
        document: document.unique_id.clone(),
    });
    let request = RetrieveRequest { documents: wanted.collect() };
    let mut received = Received::default();
    let head = peer.retrieve(&ITI43, &url(served, "iti43"), &request, &mut received).await.unwrap();
    assert!(head.errors.iter().all(|error| error.code == "XDSDocumentUniqueIdError"), "{:?}", head.errors);
    received.0
}

/// The registry's entries: size by uniqueId.
pub(crate) async fn entries(peer: &Peer, served: &Served) -> HashMap<String, Option<u64>> {
    let parameter =
        |name: &str, value: &str| Parameter { name: name.to_owned(), values: vec![value.to_owned()] };
    let request = QueryRequest {
        query: "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d".to_owned(),
        home: None,
        return_type: ReturnType::LeafClass,
        parameters: vec![
            parameter("$XDSDocumentEntryPatientId", &format!("'{PATIENT}'")),
            parameter("$XDSDocumentEntryStatus", "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')"),
        ],
    };
    let response = peer.query(&ITI18, &url(served, "iti18"), &request).await.unwrap();
    assert_eq!(response.status, Status::Success, "{:?}", response.errors);
    response.objects.into_iter().map(|object| (object.unique_id.unwrap(), object.size)).collect()
}

pub(crate) fn url(served: &Served, transaction: &str) -> Uri {
    served.endpoint(transaction).parse().unwrap()
}

/// Documents by uniqueId.
#[derive(Default)]
struct Received(HashMap<String, Vec<u8>>, String);

impl Sink for Received {
    async fn begin(&mut self, document: &DocumentHead) -> Result<(), PeerError> {
        self.1 = document.request.document.clone();
        self.0.insert(self.1.clone(), Vec::new());
        Ok(())
    }
    async fn chunk(&mut self, bytes: Bytes) -> Result<(), PeerError> {
        if let Some(all) = self.0.get_mut(&self.1) {
            all.extend_from_slice(&bytes);
        }
        Ok(())
    }
    async fn end(&mut self) -> Result<(), PeerError> {
        Ok(())
    }
}
