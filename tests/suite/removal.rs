//! ITI-62 and ITI-86 over a socket: what is removed is gone, its space too, and nobody removes who may not.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sekisho::cli::peer::{Peer, PeerError, Sink};
use sekisho::ids::EntryUuid;
use sekisho::metadata::{Kind, Submission};
use sekisho::transactions::errors::{RegistryResponse, Status, code};
use sekisho::transactions::iti43::{DocumentHead, DocumentRequest, ITI43, RetrieveRequest};
use sekisho::transactions::iti62::{self, ITI62, RemoveRequest};
use sekisho::transactions::iti86::{self, ITI86};
use sekisho::wire::soap::CallError;

use crate::support::hosted::{REPOSITORY, Standalone};
use crate::support::http::PATIENCE;
use crate::support::submissions::{Document, submission};

const PATIENT: &str = "1^^^&1.2.3&ISO";

fn codes_of(response: &RegistryResponse) -> Vec<&str> {
    response.errors.iter().map(|error| &*error.code).collect()
}

/// The same with entryUUIDs instead of symbolic ids.
fn named(mut submission: Submission) -> Submission {
    let names: Vec<_> = submission.objects.iter().map(|object| object.id.clone()).collect();
    let ids: Vec<_> = names.iter().map(|_| EntryUuid::random().as_str().to_owned()).collect();
    let rename = |id: &mut String| {
        if let Some(place) = names.iter().position(|name| name == id) {
            id.clone_from(&ids[place]);
        }
    };
    for object in &mut submission.objects {
        rename(&mut object.id);
        if let Some(association) = &mut object.association {
            rename(&mut association.source);
            rename(&mut association.target);
        }
        object.classifications.iter_mut().for_each(|one| one.classified_object = Some(object.id.clone()));
        object.external_identifiers.iter_mut().for_each(|one| one.registry_object = Some(object.id.clone()));
    }
    submission
}

async fn submitted(standalone: &Standalone, documents: &[Document]) -> Submission {
    let submission = named(submission(PATIENT, documents));
    let entries = submission.objects.iter().filter(|object| object.kind == Kind::DocumentEntry);
    let parts = entries.zip(documents).map(|(entry, document)| (entry.id.clone(), document.bytes()));
    let answer = standalone.submit(&submission, parts.collect()).await;
    assert_eq!(answer.errors, []);
    submission
}

async fn remove(standalone: &Standalone, objects: Vec<String>) -> RegistryResponse {
    standalone.answered(&ITI62, iti62::write_request(&RemoveRequest { objects })).await
}

fn request(documents: &[(&str, &str)]) -> RetrieveRequest {
    let request = |(repository, document): &(&str, &str)| DocumentRequest {
        home: None,
        repository: (*repository).to_owned(),
        document: (*document).to_owned(),
    };
    RetrieveRequest { documents: documents.iter().map(request).collect() }
}

async fn remove_documents(standalone: &Standalone, documents: &[(&str, &str)]) -> RegistryResponse {
    standalone.answered(&ITI86, iti86::write_request(&request(documents))).await
}

/// Collects what is retrieved.
#[derive(Default)]
struct Collected(Vec<Vec<u8>>);

impl Sink for Collected {
    async fn begin(&mut self, _: &DocumentHead) -> Result<(), PeerError> {
        self.0.push(Vec::new());
        Ok(())
    }
    async fn chunk(&mut self, bytes: bytes::Bytes) -> Result<(), PeerError> {
        self.0.last_mut().unwrap().extend_from_slice(&bytes);
        Ok(())
    }
    async fn end(&mut self) -> Result<(), PeerError> {
        Ok(())
    }
}

/// A document's bytes, or the code of the error.
async fn retrieve(standalone: &Standalone, document: &str) -> Result<Vec<u8>, String> {
    let mut collected = Collected::default();
    let peer = Peer::plain(PATIENCE).unwrap();
    let url = standalone.url(&ITI43).unwrap();
    let answer =
        peer.retrieve(&ITI43, &url, &request(&[(REPOSITORY, document)]), &mut collected).await.unwrap();
    match answer.errors.first() {
        Some(error) => Err(error.code.to_string()),
        None => Ok(collected.0.remove(0)),
    }
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
    assert_eq!(codes_of(&remove(&standalone, vec![ids[1].clone()]).await), [code::REFERENCES_EXIST]);
    assert_eq!(codes_of(&remove(&standalone, ids[1..].to_vec()).await), [code::UNREFERENCED_OBJECT]);
    assert_eq!(standalone.entries_of(PATIENT).await.len(), 1);
    assert_eq!(remove(&standalone, ids.clone()).await.status, Status::Success);
    assert_eq!(standalone.entries_of(PATIENT).await.len(), 0);
    assert_eq!(codes_of(&remove(&standalone, ids).await), [code::UNRESOLVED_REFERENCE; 3]);
    standalone.stop().await;
}

#[tokio::test]
async fn a_removal_without_objects_is_a_fault() {
    let standalone = Standalone::start(&[]).await;
    let body = iti62::write_request(&RemoveRequest { objects: Vec::new() });
    let Err(CallError::Fault(fault)) = standalone.call(&ITI62, vec![body], Vec::new()).await else {
        panic!("no fault");
    };
    assert!(fault.reason.contains("remove.objects"), "{}", fault.reason);
    standalone.stop().await;
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
        assert_eq!(retrieve(&standalone, &document.unique_id).await.unwrap(), document.bytes());
    }
    let segment = standalone.folder.path().join("data/segments/00000001.seg");
    let content = documents[0].bytes();
    let stored = std::fs::read(&segment).unwrap();
    let place = stored.windows(content.len()).position(|window| window == content).unwrap();
    let before = used(&standalone.folder.path().join("data/segments"));

    let response =
        remove_documents(&standalone, &[(REPOSITORY, ids[0]), (REPOSITORY, ids[2]), (REPOSITORY, ids[3])])
            .await;
    assert_eq!((response.status, response.errors.len()), (Status::Success, 0));
    for removed in [0, 2, 3] {
        assert_eq!(retrieve(&standalone, ids[removed]).await.unwrap_err(), code::DOCUMENT_UNIQUE_ID_ERROR);
    }
    assert_eq!(retrieve(&standalone, ids[1]).await.unwrap(), documents[1].bytes());
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
    let response = remove_documents(&standalone, &wanted).await;
    assert_eq!(response.status, Status::PartialSuccess);
    assert_eq!(codes_of(&response), [code::DOCUMENT_UNIQUE_ID_ERROR, code::UNKNOWN_REPOSITORY_ID]);
    assert_eq!(response.errors[0].location.as_deref(), Some("1.2.3.404"));
    let again = remove_documents(&standalone, &wanted[..1]).await;
    assert_eq!((again.status, codes_of(&again)), (Status::Failure, vec![code::DOCUMENT_UNIQUE_ID_ERROR]));
    // Whoever submits the same document again brings it back.
    submitted(&standalone, std::slice::from_ref(&document)).await;
    assert_eq!(retrieve(&standalone, &document.unique_id).await.unwrap(), document.bytes());
    standalone.stop().await;
}

#[tokio::test]
async fn who_may_not_remove_removes_nothing() {
    let standalone = Standalone::start(&["standalone.permit.remove=[\"CN=administrator\"]"]).await;
    let document = Document::new(10);
    let submission = submitted(&standalone, std::slice::from_ref(&document)).await;
    let ids = submission.objects.iter().map(|object| object.id.clone()).collect();
    assert_eq!(codes_of(&remove(&standalone, ids).await), [code::LOCAL_POLICY_RESTRICTION]);
    let response = remove_documents(&standalone, &[(REPOSITORY, &document.unique_id)]).await;
    assert_eq!(codes_of(&response), [code::LOCAL_POLICY_RESTRICTION]);
    assert_eq!(retrieve(&standalone, &document.unique_id).await.unwrap(), document.bytes());
    standalone.stop().await;

    let closed = Standalone::start(&["standalone.permit.remove=[]"]).await;
    assert_eq!((closed.url(&ITI62), closed.url(&ITI86)), (None, None));
    closed.stop().await;
}
