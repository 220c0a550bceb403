//! ITI-62 and ITI-86 over a socket: what is removed is gone, its space too, and nobody removes who may not.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sekisho::metadata::codes::association::XFRM_RPLC;
use sekisho::metadata::{Kind, Submission, codes};
use sekisho::transactions::errors::{Status, code};
use sekisho::transactions::iti62::{self, ITI62, RemoveRequest};
use sekisho::transactions::iti86::ITI86;
use sekisho::wire::soap::{CallError, Outgoing};

use crate::support::draft::{Draft, id};
use crate::support::hosted::{REPOSITORY, Standalone, codes_of};
use crate::support::submissions::{Document, named, submission};

const PATIENT: &str = "1^^^&1.2.3&ISO";

async fn submitted(standalone: &Standalone, documents: &[Document]) -> Submission {
    let submission = named(submission(PATIENT, documents));
    let entries = submission.objects.iter().filter(|object| object.kind == Kind::DocumentEntry);
    let parts = entries.zip(documents).map(|(entry, document)| (entry.id.clone(), document.bytes()));
    let answer = standalone.submit(&submission, parts.collect()).await;
    assert_eq!(answer.errors, []);
    submission
}

fn files(folder: &Path) -> usize {
    let count = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() { files(&entry.path()) } else { 1 }
    };
    std::fs::read_dir(folder).unwrap().map(count).sum()
}

/// Bytes that a folder's files take on the disk.
fn used(folder: &Path) -> u64 {
    let size = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            used(&entry.path())
        } else {
            entry.metadata().unwrap().blocks() * 512
        }
    };
    std::fs::read_dir(folder).unwrap().map(size).sum()
}

#[tokio::test]
async fn a_submission_is_removed_whole() {
    let standalone = Standalone::start(&[]).await;
    let submission = submitted(&standalone, &[Document::new(10)]).await;
    let ids: Vec<_> = submission.objects.iter().map(|object| object.id.clone()).collect();
    assert_eq!(codes_of(&standalone.remove(vec![ids[1].clone()]).await), [code::REFERENCES_EXIST]);
    assert_eq!(codes_of(&standalone.remove(ids[1..].to_vec()).await), [code::UNREFERENCED_OBJECT]);
    assert_eq!(standalone.entries_of(PATIENT).await.len(), 1);
    let written =
        ids.iter().map(|id| format!(" {}\n", id.to_uppercase().replacen("URN:UUID", "urn:uuid", 1)));
    assert_eq!(standalone.remove(written.collect()).await.status, Status::Success);
    assert_eq!(standalone.entries_of(PATIENT).await.len(), 0);
    assert_eq!(codes_of(&standalone.remove(ids).await), [code::UNRESOLVED_REFERENCE; 3]);
    standalone.stop().await;
}

/// 3.62.4.1.2: entryUUIDs, at least one; no query by which more would go, and no scope in which less would.
#[tokio::test]
async fn a_removal_that_says_otherwise_what_goes_is_a_fault() {
    let standalone = Standalone::start(&[]).await;
    let submission = submitted(&standalone, &[Document::new(10)]).await;
    let objects = submission.objects.iter().map(|object| object.id.clone()).collect();
    let written = |objects| {
        let body = iti62::write_request(&RemoveRequest { objects });
        String::from_utf8(body.to_vec()).unwrap()
    };
    let (nothing, all) = (written(Vec::new()), written(objects));
    let query = "<rim:AdhocQuery id=\"urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d\"/><rim:ObjectRefList>";
    let scope = "urn:oasis:names:tc:ebxml-regrep:DeletionScopeType:DeleteRepositoryItemOnly";
    for (body, rule) in [
        (nothing, "remove.objects"),
        (all.replacen("<rim:ObjectRefList>", query, 1), "remove.adhoc-query"),
        (
            all.replacen(" xmlns:lcm", &format!(" deletionScope=\"{scope}\" xmlns:lcm"), 1),
            "remove.deletion-scope",
        ),
    ] {
        let message = Outgoing { body: vec![body.into()], ..Outgoing::default() };
        let Err(CallError::Fault(fault)) = standalone.deliver(&ITI62, message).await else {
            panic!("{rule}: no fault");
        };
        assert!(fault.reason.contains(rule), "{}", fault.reason);
    }
    assert_eq!(standalone.entries_of(PATIENT).await.len(), 1);
    standalone.stop().await;
}

/// 3.62.4.1.3: nothing but what is named goes, and nothing else changes.
#[tokio::test]
async fn what_a_removed_replacement_replaced_stays_deprecated() {
    let hosted = Standalone::start(&[]).await;
    hosted.accept(&Draft::new("first").entries(&["old"])).await;
    hosted.accept(&Draft::new("second").entries(&["new"]).relate(XFRM_RPLC, "new", "/", "old")).await;
    let replacement = ["second", "new", "second>new", "new/old"].map(id);
    assert_eq!(hosted.remove(replacement.to_vec()).await.errors, []);
    assert_eq!(hosted.object("old").await.status.as_deref(), Some(codes::DEPRECATED));
    hosted.stop().await;
}

#[tokio::test]
async fn removed_documents_are_gone_and_their_neighbours_are_not() {
    let standalone = Standalone::start(&[]).await;
    // Small ones share a segment, the last has a file of its own.
    let documents =
        [Document::new(100_000), Document::new(100_000), Document::new(0), Document::new(2_000_000)];
    let submission = submitted(&standalone, &documents).await;
    let ids: Vec<_> = documents.iter().map(|document| document.unique_id.as_str()).collect();
    for document in &documents {
        assert_eq!(standalone.document(REPOSITORY, &document.unique_id).await.unwrap(), document.bytes());
    }
    let segment = standalone.folder.path().join("data/segments/00000001.seg");
    let content = documents[0].bytes();
    let stored = std::fs::read(&segment).unwrap();
    let place = stored.windows(content.len()).position(|window| window == content).unwrap();
    let before = used(&standalone.folder.path().join("data/segments"));

    let response = standalone
        .remove_documents(&[(REPOSITORY, ids[0]), (REPOSITORY, ids[2]), (REPOSITORY, ids[3])])
        .await;
    assert_eq!((response.status, response.errors.len()), (Status::Success, 0));
    for removed in [0, 2, 3] {
        assert_eq!(
            standalone.document(REPOSITORY, ids[removed]).await.unwrap_err(),
            code::DOCUMENT_UNIQUE_ID_ERROR
        );
    }
    assert_eq!(standalone.document(REPOSITORY, ids[1]).await.unwrap(), documents[1].bytes());
    let left = &std::fs::read(&segment).unwrap()[place..place + content.len()];
    assert!(left.iter().all(|byte| *byte == 0), "the bytes are still there");
    let data = standalone.folder.path().join("data");
    assert!(used(&data.join("segments")) < before, "the space is not given back");
    assert_eq!(files(&data.join("large")), 0);

    // The metadata stay, and the submission is not answered as if its documents were there.
    assert_eq!(standalone.entries_of(PATIENT).await.len(), 4);
    let entries = submission.objects.iter().filter(|object| object.kind == Kind::DocumentEntry);
    let parts = entries.zip(&documents).map(|(entry, document)| (entry.id.clone(), document.bytes()));
    let again = standalone.submit(&submission, parts.collect()).await;
    assert!(codes_of(&again).contains(&code::DUPLICATE_UNIQUE_ID_IN_REGISTRY), "{again:?}");
    standalone.stop().await;
}

#[tokio::test]
async fn each_document_is_removed_for_itself() {
    let standalone = Standalone::start(&[]).await;
    let document = Document::new(10);
    submitted(&standalone, std::slice::from_ref(&document)).await;
    let wanted = [
        (REPOSITORY, document.unique_id.as_str()),
        // Twice the same is once.
        (REPOSITORY, document.unique_id.as_str()),
        (REPOSITORY, "1.2.3.404"),
        ("1.2.3.4.5", "1.2.3.404"),
    ];
    let response = standalone.remove_documents(&wanted).await;
    assert_eq!(response.status, Status::PartialSuccess);
    assert_eq!(codes_of(&response), [code::DOCUMENT_UNIQUE_ID_ERROR, code::UNKNOWN_REPOSITORY_ID]);
    assert_eq!(response.errors[0].location.as_deref(), Some("1.2.3.404"));
    let again = standalone.remove_documents(&wanted[..1]).await;
    assert_eq!((again.status, codes_of(&again)), (Status::Failure, vec![code::DOCUMENT_UNIQUE_ID_ERROR]));
    // Whoever submits the same document again brings it back.
    submitted(&standalone, std::slice::from_ref(&document)).await;
    assert_eq!(standalone.document(REPOSITORY, &document.unique_id).await.unwrap(), document.bytes());
    standalone.stop().await;
}

#[tokio::test]
async fn who_may_not_remove_removes_nothing() {
    let standalone = Standalone::start(&["standalone.permit.remove=[\"CN=administrator\"]"]).await;
    let document = Document::new(10);
    let submission = submitted(&standalone, std::slice::from_ref(&document)).await;
    let ids = submission.objects.iter().map(|object| object.id.clone()).collect();
    assert_eq!(codes_of(&standalone.remove(ids).await), [code::LOCAL_POLICY_RESTRICTION]);
    let response = standalone.remove_documents(&[(REPOSITORY, &document.unique_id)]).await;
    assert_eq!(codes_of(&response), [code::LOCAL_POLICY_RESTRICTION]);
    assert_eq!(standalone.document(REPOSITORY, &document.unique_id).await.unwrap(), document.bytes());
    standalone.stop().await;

    let closed = Standalone::start(&["standalone.permit.remove=[]"]).await;
    assert_eq!((closed.url(&ITI62), closed.url(&ITI86)), (None, None));
    closed.stop().await;
}
