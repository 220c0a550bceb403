//! Attack 56: patients are merged while others submit to and ask about both of them, in a process of its own: MLLP, ITI-41
//! and ITI-18 at once. What was accepted for the subsumed identifier belongs to the surviving one, whole and at one moment.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::Uri;
use sekisho::cli::peer::Peer;
use sekisho::metadata::codes::association::RPLC;
use sekisho::metadata::views::association;
use sekisho::transactions::errors::{RegistryResponse, Status, code};
use sekisho::transactions::iti18::{ITI18, Parameter, QueryRequest, ReturnType};
use sekisho::wire::hl7v2::mllp::frame;
use sekisho::wire::stream::Content;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::certs::TempDir;
use crate::support::hosted::APPROVED;
use crate::support::program::{FED, Served};
use crate::support::submissions::{Document, submission};

const ROUNDS: usize = 3;
const SENDERS: usize = 4;

struct Region {
    served: Served,
    peer: Peer,
    _folder: TempDir,
}

fn cx(patient: &str) -> String {
    format!("{patient}^^^&1.2.3.10&ISO")
}

impl Region {
    fn start() -> Self {
        let folder = TempDir::new();
        let config = folder.path().join("sekisho.toml");
        std::fs::write(&config, FED).unwrap();
        let served = Served::start(config.to_str().unwrap(), &folder.path().join("data"), &[]);
        Self { served, peer: Peer::plain(Duration::from_secs(60)).unwrap(), _folder: folder }
    }
    fn url(&self, transaction: &str) -> Uri {
        self.served.endpoint(transaction).parse().unwrap()
    }
    /// Sends an ADT; gives MSA-1.
    async fn feed(&self, event: &str, patient: &str, subsumed: Option<&str>) -> String {
        let end = match subsumed {
            Some(subsumed) => format!("MRG|{}\r", cx(subsumed)),
            None => "PV1||N\r".to_owned(),
        };
        let message = format!(
            "MSH|^~\\&|A|B|C|D|20260101||ADT^{event}|{event}-{patient}|P|2.3.1||||||UNICODE UTF-8\rEVN||20260101\r\
             PID|||{}||YAMADA^TARO||19600101|M\r{end}",
            cx(patient)
        );
        let mut line = TcpStream::connect(self.served.ready["mllp"].as_str().unwrap()).await.unwrap();
        line.write_all(&frame(message.as_bytes())).await.unwrap();
        line.shutdown().await.unwrap();
        let mut answer = String::new();
        line.read_to_string(&mut answer).await.unwrap();
        answer.split("MSA|").nth(1).and_then(|msa| msa.split('|').next()).unwrap_or_default().to_owned()
    }
    async fn submit(&self, patient: &str, replaces: Option<&str>) -> (String, RegistryResponse) {
        let document = Document::new(100);
        let (unique_id, bytes) = (document.unique_id.clone(), document.bytes());
        let mut submission = submission(&cx(patient), &[document]);
        submission.objects.extend(replaces.map(|original| association(RPLC, "Document0", original)));
        let parts = vec![("Document0".to_owned(), "text/plain".to_owned(), Content::from_bytes(bytes))];
        (unique_id, self.peer.submit(&self.url("iti41"), &submission, parts).await.unwrap())
    }
    /// A patient's approved documents: entryUUID and uniqueId. Each says that it is this patient's.
    async fn documents(&self, patient: &str) -> Vec<(String, String)> {
        let parameter = |name: &str, value: String| Parameter { name: name.to_owned(), values: vec![value] };
        let request = QueryRequest {
            query: "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d".to_owned(),
            home: None,
            return_type: ReturnType::LeafClass,
            parameters: vec![
                parameter("$XDSDocumentEntryPatientId", format!("'{}'", cx(patient))),
                parameter("$XDSDocumentEntryStatus", APPROVED.to_owned()),
            ],
        };
        let answer = self.peer.query(&ITI18, &self.url("iti18"), &request).await.unwrap();
        assert_eq!(answer.status, Status::Success, "{:?}", answer.errors);
        let of_patient = |object: sekisho::transactions::iti18::RegistryObject| {
            assert_eq!(object.patient_id.as_deref(), Some(&*cx(patient)));
            (object.id, object.unique_id.unwrap())
        };
        answer.objects.into_iter().map(of_patient).collect()
    }
}

/// Submits for a patient until that is refused; gives what was accepted.
async fn submit_until_refused(region: Arc<Region>, patient: String) -> Vec<String> {
    let mut accepted = Vec::new();
    loop {
        let (unique_id, answer) = region.submit(&patient, None).await;
        if answer.status == Status::Failure {
            assert_eq!(answer.errors[0].code, code::UNKNOWN_PATIENT_ID);
            assert!(answer.errors[0].context.contains(&cx(&patient)));
            return accepted;
        }
        assert_eq!(answer.errors, []);
        accepted.push(unique_id);
    }
}

/// Asks about a patient to whom documents come, until told to stop: nothing is ever missing again, nor seen in part.
async fn ask_about_the_survivor(region: Arc<Region>, patient: String, stop: Arc<AtomicBool>) {
    let mut seen = BTreeSet::new();
    while !stop.load(Ordering::Relaxed) {
        let found: BTreeSet<_> = region.documents(&patient).await.into_iter().collect();
        assert!(found.is_superset(&seen), "{} of {} are left", found.len(), seen.len());
        seen = found;
    }
}

/// Asks about a patient who is subsumed meanwhile: all at once there is nothing more.
async fn ask_about_the_subsumed(region: Arc<Region>, patient: String, stop: Arc<AtomicBool>) {
    let (mut seen, mut gone) = (BTreeSet::new(), false);
    while !stop.load(Ordering::Relaxed) {
        let found: BTreeSet<_> = region.documents(&patient).await.into_iter().collect();
        assert!(!gone || found.is_empty(), "a subsumed patient is back");
        gone = gone || (found.is_empty() && !seen.is_empty());
        assert!(gone || found.is_superset(&seen), "{} of {} are left", found.len(), seen.len());
        seen = found;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_56_a_merge_among_submissions_and_queries_happens_at_one_moment() {
    let region = Arc::new(Region::start());
    for round in 0..ROUNDS {
        let (subsumed, survivor) = (format!("S{round}"), format!("T{round}"));
        for patient in [&subsumed, &survivor] {
            assert_eq!(region.feed("A04", patient, None).await, "AA");
        }
        let (own, answer) = region.submit(&survivor, None).await;
        assert_eq!(answer.errors, []);
        let stop = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| tokio::spawn(submit_until_refused(region.clone(), subsumed.clone())))
            .collect();
        let asking = [
            tokio::spawn(ask_about_the_survivor(region.clone(), survivor.clone(), stop.clone())),
            tokio::spawn(ask_about_the_subsumed(region.clone(), subsumed.clone(), stop.clone())),
        ];
        while region.documents(&subsumed).await.len() < SENDERS {
            tokio::task::yield_now().await;
        }
        assert_eq!(region.feed("A40", &survivor, Some(&subsumed)).await, "AA");
        let mut accepted = BTreeSet::from([own]);
        for sender in senders {
            accepted.extend(sender.await.unwrap());
        }
        stop.store(true, Ordering::Relaxed);
        for asking in asking {
            asking.await.unwrap();
        }
        let found: BTreeSet<_> = region.documents(&survivor).await.into_iter().map(|(_, id)| id).collect();
        assert_eq!(found, accepted, "round {round}");
        assert_eq!(region.documents(&subsumed).await, []);
    }
}

/// 3.18.4.1.2.3.9, 3.42.4.1.3.5, 3.44.4.2.4: through a chain of merges, the last survivor has everything; what was
/// registered under another identifier can be replaced under this one; the others are of no use any more.
#[tokio::test]
async fn a_chain_of_merges_ends_at_its_last_survivor() {
    let region = Region::start();
    for patient in ["A", "B", "C"] {
        assert_eq!(region.feed("A04", patient, None).await, "AA");
        assert_eq!(region.submit(patient, None).await.1.errors, []);
    }
    let first = region.documents("A").await.remove(0);
    assert_eq!(region.feed("A40", "B", Some("A")).await, "AA");
    assert_eq!(region.documents("B").await.len(), 2);
    assert_eq!(region.feed("A40", "C", Some("B")).await, "AA");
    let all = region.documents("C").await;
    assert_eq!((all.len(), all.contains(&first)), (3, true));
    for gone in ["A", "B"] {
        assert_eq!(region.documents(gone).await, []);
        assert_eq!(region.submit(gone, None).await.1.errors[0].code, code::UNKNOWN_PATIENT_ID);
        // Neither is merged again, nor into whom it was merged, nor fed.
        for (event, surviving, subsumed) in
            [("A40", "C", Some(gone)), ("A40", gone, Some("C")), ("A04", gone, None)]
        {
            assert_eq!(
                region.feed(event, surviving, subsumed).await,
                "AE",
                "{event} {surviving} {subsumed:?}"
            );
        }
    }
    assert_eq!(region.feed("A40", "C", Some("C")).await, "AE");
    assert_eq!(region.feed("A40", "C", Some("nobody")).await, "AE");
    let (new, answer) = region.submit("C", Some(&first.0)).await;
    assert_eq!(answer.errors, []);
    let now: Vec<_> = region.documents("C").await.into_iter().map(|(_, unique_id)| unique_id).collect();
    assert!(now.len() == 3 && now.contains(&new) && !now.contains(&first.1));
    // Whoever was never announced is refused.
    assert_eq!(region.submit("D", None).await.1.errors[0].code, code::UNKNOWN_PATIENT_ID);
}
