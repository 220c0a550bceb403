//! A document far larger than what it may take of memory, through the program in both directions.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use openssl::sha::Sha256;
use sekisho::cli::peer::{Peer, PeerError, Sink};
use sekisho::transactions::errors::Status;
use sekisho::transactions::iti43::{DocumentHead, DocumentRequest, ITI43, RetrieveRequest};
use sekisho::wire::stream::Content;

use crate::support::certs::TempDir;
use crate::support::program::Served;
use crate::support::submissions::{Document, submission};

const REPOSITORY: &str = "2.25.318902478213461.10.2";
const PATIENT: &str = "1^^^&1.2.3&ISO";
const MIB: u64 = 1024 * 1024;
const SIZE: u64 = 64 * MIB;
/// What one document on its way in or out may add to resident memory: buffers of the connection, two batches, two chunks.
const GROWTH: u64 = 16 * MIB;

#[tokio::test(flavor = "multi_thread")]
async fn a_large_document_passes_in_bounded_memory_both_ways() {
    let folder = TempDir::new();
    let served = Served::start("examples/standalone/sekisho.toml", folder.path(), &[]);
    let peer = Peer::plain(Duration::from_secs(60)).unwrap();
    let url = |transaction: &str| served.endpoint(transaction).parse().unwrap();

    for size in [1_000, SIZE] {
        let before = peak_resident(&served);
        let document = Document::new(size as usize);
        let content = Content::from_stream(Some(size), stream::iter(chunks(size).map(Ok)).boxed());
        let parts = vec![("Document0".to_owned(), "application/dicom".to_owned(), content)];
        let submission = submission(PATIENT, std::slice::from_ref(&document));
        let response = peer.submit(&url("iti41"), &submission, parts).await.unwrap();
        assert_eq!(response.status, Status::Success, "{:?}", response.errors);

        let wanted = DocumentRequest {
            home: None,
            repository: REPOSITORY.to_owned(),
            document: document.unique_id.clone(),
        };
        let request = RetrieveRequest { documents: vec![wanted] };
        let mut received = Hashed { size: 0, hash: Sha256::new() };
        let head = peer.retrieve(&ITI43, &url("iti43"), &request, &mut received).await.unwrap();
        assert_eq!((head.status, received.size), (Status::Success, size));
        assert_eq!(received.hash.finish(), expected(size));
        let growth = peak_resident(&served) - before;
        assert!(growth <= GROWTH, "{growth} bytes more for a document of {size}");
    }
}

/// A document's bytes, made as they are sent.
fn chunks(size: u64) -> impl Iterator<Item = Bytes> {
    const CHUNK: u64 = 100_003;
    (0..size.div_ceil(CHUNK)).map(move |n| {
        let length = CHUNK.min(size - n * CHUNK);
        Bytes::from(vec![(n * 31) as u8; length as usize])
    })
}

fn expected(size: u64) -> [u8; 32] {
    let mut hash = Sha256::new();
    chunks(size).for_each(|chunk| hash.update(&chunk));
    hash.finish()
}

/// The most that the program ever had in memory, in bytes.
fn peak_resident(served: &Served) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", served.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

struct Hashed {
    size: u64,
    hash: Sha256,
}

impl Sink for Hashed {
    async fn begin(&mut self, _: &DocumentHead) -> Result<(), PeerError> {
        Ok(())
    }
    async fn chunk(&mut self, bytes: Bytes) -> Result<(), PeerError> {
        self.size += bytes.len() as u64;
        self.hash.update(&bytes);
        Ok(())
    }
    async fn end(&mut self) -> Result<(), PeerError> {
        Ok(())
    }
}
