//! One suite for every place where documents are kept ([`every_place`]), with each database, and what is particular to each.
//!
//! Objects are kept in memory, where they can be made to fail, and in a real S3-compatible store ([`s3`]).

mod every_place;
mod faulty;
mod files;
mod keys;
mod objects;
#[path = "../../../tests/suite/support/s3.rs"]
mod s3;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use object_store::ObjectStore;
use openssl::hash::{MessageDigest, hash};
use uuid::Uuid;

use super::index::Position;
use super::*;
use crate::store::{Backend, testing};
use crate::wire::stream::StreamError;
use faulty::Faulty;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Where documents are kept.
#[derive(Clone)]
enum Kind {
    Files,
    Objects(Arc<Faulty>, Bucket),
    S3(Bucket),
}

impl Kind {
    fn objects() -> Self {
        let store = Arc::new(Faulty::default());
        let bucket = Bucket::of(store.clone(), "some/prefix", "the test's".to_owned());
        Self::Objects(store, bucket)
    }

    /// The real store, under a prefix that nothing else has.
    fn s3() -> Self {
        let s3::TestBucket { endpoint, bucket, access_key, secret_key } = s3::bucket();
        let bucket = Bucket::open(&S3Settings {
            endpoint,
            bucket,
            region: "us-east-1".to_owned(),
            prefix: format!("unit/{}", Uuid::new_v4().simple()),
            ca: None,
            access_key,
            secret_key,
        });
        Self::S3(bucket.unwrap())
    }
}

/// A repository with a folder of its own, which goes away with it.
struct Place {
    database: Backend,
    kind: Kind,
    keys: Option<Keys>,
    directory: PathBuf,
    store: Store,
    repository: Repository,
}

impl Place {
    fn new() -> Self {
        Self::of(Kind::Files, None)
    }

    fn of(kind: Kind, keys: Option<Keys>) -> Self {
        Self::with(Backend::Sqlite, kind, keys)
    }

    fn with(database: Backend, kind: Kind, keys: Option<Keys>) -> Self {
        let directory = std::env::temp_dir().join(format!("sekisho-{}", Uuid::new_v4().simple()));
        Self::at(directory, database, kind, keys).unwrap()
    }

    fn at(directory: PathBuf, database: Backend, kind: Kind, keys: Option<Keys>) -> Result<Self, StoreError> {
        let store = Store::open_in(&database, &directory, &[MIGRATION])?;
        let repository = open(&directory, &store, "tenant", &kind, keys.clone())?;
        Ok(Self { database, kind, keys, directory, store, repository })
    }

    /// Every kind of place, with and without encryption, and with each database; with what it is called.
    fn every() -> Vec<(String, Self)> {
        let mut places = Vec::new();
        for (encryption, keys) in [("", None), (", encrypted", Some(keys("first", &["first"])))] {
            let kinds = [("files", Kind::Files), ("objects", Kind::objects()), ("S3", Kind::s3())];
            for (name, kind) in kinds {
                places.push((format!("{name}{encryption}"), Self::of(kind, keys.clone())));
            }
        }
        for (name, kind) in [("files", Kind::Files), ("objects", Kind::objects())] {
            let place = Self::with(testing::backend("on_postgres"), kind, None);
            places.push((format!("{name}, PostgreSQL"), place));
        }
        places
    }

    /// As after a kill: another process opens what this one had on disk at this moment.
    fn crashed(&self) -> Self {
        self.reopened(self.kind.clone(), self.keys.clone()).unwrap()
    }

    /// The same, with other documents and keys configured.
    fn reopened(&self, kind: Kind, keys: Option<Keys>) -> Result<Self, StoreError> {
        Self::at(self.copied(), self.database.clone(), kind, keys)
    }

    /// A copy of the folder.
    fn copied(&self) -> PathBuf {
        let copy = std::env::temp_dir().join(format!("sekisho-{}", Uuid::new_v4().simple()));
        copy_folder(&self.directory, &copy);
        copy
    }

    async fn stage(&self, bytes: &Bytes) -> Staged {
        self.repository.stage(in_chunks(bytes, 10_000), u64::MAX).await.unwrap()
    }

    async fn submit(&self, unique_id: &str, bytes: &Bytes) -> Result<(), StoreError> {
        let staged = self.stage(bytes).await;
        self.store.write(self.repository.commit(vec![submitted(unique_id, staged)]).await?).await
    }

    async fn bytes(&self, unique_id: &str) -> Bytes {
        match self.repository.retrieve(unique_id).await.unwrap() {
            Retrieved::Found(document, content) => {
                assert_eq!(content.length, Some(document.size));
                content.collect(u64::MAX).await.unwrap()
            }
            other => panic!("{unique_id}: {other:?}"),
        }
    }

    async fn remove(&self, unique_id: &str) -> bool {
        let also: CommitJob = Box::new(|_| Ok(()));
        self.repository.remove(vec![unique_id.to_owned()], also).await.unwrap()[0]
    }

    async fn row(&self, unique_id: &str) -> Option<Row> {
        let (index, id) = (self.repository.rooms.index.clone(), unique_id.to_owned());
        self.store.read(move |connection| index.find(connection, &id)).await.unwrap()
    }

    /// The stored bytes of a document.
    async fn stored(&self, unique_id: &str) -> Vec<u8> {
        let row = self.row(unique_id).await.unwrap();
        let size = row.stored_size();
        match &row.place {
            index::Place::Segment(at) => {
                let mut bytes = vec![0; size as usize];
                let file = self.repository.rooms.segments.read(at.segment).unwrap();
                file.read_exact_at(&mut bytes, at.offset + record::HEADER_BYTES).unwrap();
                bytes
            }
            index::Place::File(name) => fs::read(self.repository.rooms.dock.files.path(name)).unwrap(),
            index::Place::Object(key) => {
                let pieces = self.objects().get(key, size).await.unwrap();
                pieces.map(|piece| piece.unwrap()).collect::<Vec<_>>().await.concat()
            }
        }
    }

    /// Puts other bytes in the place of a document's; None takes them away.
    async fn damage(&self, unique_id: &str, bytes: Option<Vec<u8>>) {
        match (self.row(unique_id).await.unwrap().place, bytes) {
            (index::Place::Segment(at), Some(bytes)) => {
                let path = Segments::path(&self.directory.join("segments"), at.segment);
                let file = fs::OpenOptions::new().write(true).open(path).unwrap();
                file.write_all_at(&bytes, at.offset + record::HEADER_BYTES).unwrap();
            }
            (index::Place::Segment(at), None) => {
                fs::remove_file(Segments::path(&self.directory.join("segments"), at.segment)).unwrap();
            }
            (index::Place::File(name), Some(bytes)) => {
                fs::write(self.repository.rooms.dock.files.path(&name), bytes).unwrap();
            }
            (index::Place::File(name), None) => {
                fs::remove_file(self.repository.rooms.dock.files.path(&name)).unwrap();
            }
            (index::Place::Object(key), bytes) => {
                self.objects().delete(&key).await.unwrap();
                if let Some(bytes) = bytes {
                    self.objects().overwrite(&key, bytes).await;
                }
            }
        }
    }

    fn objects(&self) -> &Objects {
        self.repository.rooms.objects.as_ref().unwrap()
    }

    /// Keys of all objects.
    async fn keys_of_objects(&self) -> Vec<String> {
        let Some(objects) = &self.repository.rooms.objects else { return Vec::new() };
        let mut keys = Vec::new();
        for day in objects.days().await.unwrap() {
            let pages: Vec<_> = objects.of_day(&day).collect().await;
            keys.extend(pages.into_iter().flat_map(|page| page.unwrap()).map(|object| object.key));
        }
        keys.sort_unstable();
        keys
    }

    fn files(&self, folder: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.directory.join(folder)];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = fs::read_dir(folder) else { continue };
            for entry in entries.map(|entry| entry.unwrap().path()) {
                if entry.is_dir() { folders.push(entry) } else { found.push(entry) }
            }
        }
        found
    }

    /// What is large or an object, by name.
    async fn large(&self) -> Vec<String> {
        let mut names: Vec<_> =
            self.files("large").into_iter().map(|path| path.display().to_string()).collect();
        names.extend(self.keys_of_objects().await);
        names.sort_unstable();
        names
    }

    /// What is not kept is taken away off the runtime's threads: it may take a moment.
    async fn wait_until_large_are(&self, names: &[String]) {
        for _ in 0..1_000 {
            if self.files("incoming").is_empty() && self.large().await == names {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("still there: {:?} {:?}", self.files("incoming"), self.large().await);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.store.close();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn open(
    directory: &Path,
    store: &Store,
    tenant: &str,
    kind: &Kind,
    keys: Option<Keys>,
) -> Result<Repository, StoreError> {
    let documents = match kind {
        Kind::Files => Documents::Files,
        Kind::Objects(_, bucket) | Kind::S3(bucket) => Documents::Objects(bucket.clone()),
    };
    let opening = Opening::new(directory, tenant.into(), Oid::parse("1.2.3").unwrap());
    Repository::open(store.clone(), opening.with_documents(documents).with_keys(keys))
}

/// Keys whose bytes follow from their ids.
fn keys(current: &str, ids: &[&str]) -> Keys {
    let key = |id: &&str| ((*id).to_owned(), openssl::sha::sha256(id.as_bytes()));
    Keys::new(current, ids.iter().map(key)).unwrap()
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_folder(&source, &target);
        } else if !source.ends_with("sekisho.db-shm") {
            fs::copy(source, target).unwrap();
        }
    }
}

fn submitted(unique_id: &str, staged: Staged) -> Submitted {
    Submitted { unique_id: unique_id.to_owned(), mime_type: "text/plain".to_owned(), staged }
}

fn document(size: usize) -> Bytes {
    // Of a length by which nothing else is divided: no two pieces are alike.
    let pattern: Vec<u8> = (0..65_537).map(|i| (i * 31 + i / 251) as u8).collect();
    let mut document = pattern.repeat(size / pattern.len() + 1);
    document.truncate(size);
    document.into()
}

fn in_chunks(bytes: &Bytes, size: usize) -> Content {
    let chunks: Vec<_> = bytes.chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    Content::from_stream(None, stream::iter(chunks).boxed())
}

fn sha1(bytes: &[u8]) -> String {
    hash(MessageDigest::sha1(), bytes).unwrap().iter().map(|byte| format!("{byte:02x}")).collect()
}
