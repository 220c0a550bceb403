//! Documents in an S3-compatible store: an object each, `[prefix/]tenant/repository/day/uuid`.
//!
//! Objects are never written twice and never renamed. Several gateways share a bucket, since no two of them name an object
//! alike; several tenants do, since the tenant leads every key. The day is that of the upload (UTC): whoever looks for what
//! a crash left behind looks at a few days, not at everything ([`super::orphans`]). Nothing that came in a message is part
//! of a key. Beside the days lies an object `owner`: the name of the database whose rows refer to them.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream::{BoxStream, FuturesUnordered};
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    GetOptions, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions,
    PutPayload,
};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::files::Unkept;
use super::s3::{self, S3Settings};
use crate::ids::Oid;
use crate::limits;

const OWNER: &str = "owner";
const OWNER_BYTES: u64 = uuid::fmt::Hyphenated::LENGTH as u64;

/// A bucket that documents are kept in. Cheap to clone; one for all tenants.
#[derive(Clone)]
pub struct Bucket(Arc<Shared>);

struct Shared {
    store: Arc<dyn ObjectStore>,
    /// What all keys begin with.
    prefix: Path,
    /// For people.
    name: String,
    /// Why the store cannot be used at present.
    trouble: Mutex<Option<String>>,
    /// Parts of large documents that are in memory at once.
    parts: Semaphore,
    /// For what is done when a value is dropped, on whatever thread.
    runtime: Handle,
}

impl Bucket {
    /// A bucket of an S3-compatible store. Nothing is asked of it yet, but somebody looks after it from now on. Called on
    /// a thread of a runtime.
    pub fn open(settings: &S3Settings) -> Result<Self, String> {
        let store = s3::connect(settings)?;
        let name = format!("{}/{}", settings.endpoint, settings.bucket);
        let bucket = Self::of(Arc::new(store), &settings.prefix, name);
        bucket.watch();
        Ok(bucket)
    }

    pub(super) fn of(store: Arc<dyn ObjectStore>, prefix: &str, name: String) -> Self {
        Self(Arc::new(Shared {
            store,
            prefix: Path::from(prefix),
            name,
            trouble: Mutex::default(),
            parts: Semaphore::new(limits::MAX_PARTS_IN_MEMORY),
            runtime: Handle::current(),
        }))
    }

    /// Whether the store answers; else why not, in a few words.
    pub fn ready(&self) -> Result<(), String> {
        match &*self.0.trouble() {
            None => Ok(()),
            Some(trouble) => Err(format!("the object store {} cannot be used: {trouble}", self.0.name)),
        }
    }

    #[cfg(test)]
    pub(super) fn free_parts(&self) -> usize {
        self.0.parts.available_permits()
    }

    /// Asks now and then whether the store is there, so that it is known before a message needs it.
    fn watch(&self) {
        let shared = Arc::downgrade(&self.0);
        self.0.runtime.spawn(async move {
            while let Some(shared) = shared.upgrade() {
                // There is no such object: to be told so is all that is wanted.
                let _ = shared.heard(shared.store.head(&shared.prefix.clone().join("nobody")).await);
                drop(shared);
                tokio::time::sleep(limits::OBJECT_STORE_WATCH_PERIOD).await;
            }
        });
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({})", self.0.name)
    }
}

impl Shared {
    fn trouble(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of how the store answered. An object that is not there is an answer.
    fn heard<T>(&self, result: object_store::Result<T>) -> io::Result<T> {
        let error = match result {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {
                if self.trouble().take().is_some() {
                    tracing::info!(store = self.name, "the object store answers again");
                }
                return result.map_err(|error| io::Error::new(io::ErrorKind::NotFound, error));
            }
            Err(error) => error,
        };
        metrics::counter!("sekisho_object_store_failures_total").increment(1);
        let words = causes(&error);
        if self.trouble().replace(words.clone()).is_none() {
            tracing::error!(store = self.name, error = words, "the object store cannot be used");
        }
        Err(io::Error::other(format!("the object store {}: {words}", self.name)))
    }
}

/// The objects of one repository of one tenant. Cheap to clone.
#[derive(Clone)]
pub(super) struct Objects {
    bucket: Bucket,
    root: Path,
}

/// An object as a listing shows it.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    /// `day/uuid`
    pub(super) key: String,
    pub(super) size: u64,
    /// Seconds since 1970.
    pub(super) written_at: i64,
}

impl Objects {
    pub(super) fn new(bucket: Bucket, tenant: &str, repository: &Oid) -> Self {
        let root = bucket.0.prefix.clone().join(segment(tenant)).join(segment(repository.as_str()));
        Self { bucket, root }
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.bucket.0.runtime
    }

    /// Puts bytes that are in memory; they are durable when this returns.
    pub(super) async fn put(&self, chunks: Vec<Bytes>) -> io::Result<Unlinked> {
        let (unlinked, path) = self.name();
        let shared = &self.bucket.0;
        let payload = PutPayload::from_iter(chunks);
        shared.heard(shared.store.put_opts(&path, payload, PutOptions::default()).await)?;
        Ok(unlinked)
    }

    /// Puts a file of `size` bytes, in parts where it has more than one.
    pub(super) async fn put_file(&self, file: Unkept, size: u64) -> io::Result<Unlinked> {
        let mut source = Source { file: Arc::new(file.read()?), _unkept: file, at: 0, left: size };
        let shared = &self.bucket.0;
        if size <= limits::OBJECT_PART_BYTES {
            let _part = shared.parts.acquire().await.map_err(io::Error::other)?;
            let bytes = source.next().await?;
            return self.put(vec![bytes]).await;
        }
        let (unlinked, path) = self.name();
        let begun = shared.store.put_multipart_opts(&path, PutMultipartOptions::default()).await;
        let mut upload = Upload {
            begun: Some(shared.heard(begun)?),
            runtime: shared.runtime.clone(),
            unlinked: Some(unlinked),
        };
        let mut sending = FuturesUnordered::new();
        while source.left > 0 || !sending.is_empty() {
            if source.left > 0 && sending.len() < limits::MAX_PARTS_PER_DOCUMENT {
                // What this one sends already may be all that others wait for: never wait for both.
                let part = match shared.parts.try_acquire() {
                    Ok(part) => Some(part),
                    Err(_) if sending.is_empty() => {
                        Some(shared.parts.acquire().await.map_err(io::Error::other)?)
                    }
                    Err(_) => None,
                };
                if let Some(part) = part {
                    let sent = upload.begun()?.put_part(source.next().await?.into());
                    sending.push(async move {
                        let _part = part;
                        sent.await
                    });
                    continue;
                }
            }
            shared.heard(sending.try_next().await)?;
        }
        drop(sending);
        shared.heard(upload.begun()?.complete().await)?;
        upload.finished()
    }

    /// An object's bytes as they arrive; NotFound if there is none, InvalidData if it has not the `size` that it should.
    pub(super) async fn get(
        &self,
        key: &str,
        size: u64,
    ) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
        let shared = self.bucket.0.clone();
        let got = shared.heard(shared.store.get_opts(&self.path(key), GetOptions::default()).await)?;
        as_expected(got.meta.size, size)?;
        Ok(got.into_stream().map(move |chunk| shared.heard(chunk)).boxed())
    }

    /// Whether an object is there with its size, without its bytes.
    pub(super) async fn promised(&self, key: &str, size: u64) -> io::Result<()> {
        let shared = &self.bucket.0;
        let meta = shared.heard(shared.store.head(&self.path(key)).await)?;
        as_expected(meta.size, size)
    }

    #[cfg(test)]
    pub(super) async fn overwrite(&self, key: &str, bytes: Vec<u8>) {
        self.bucket.0.store.put(&self.path(key), bytes.into()).await.unwrap();
    }

    /// Deletes an object; one that is gone is deleted.
    pub(super) async fn delete(&self, key: &str) -> io::Result<()> {
        match self.bucket.0.heard(self.bucket.0.store.delete(&self.path(key)).await) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            deleted => deleted,
        }
    }

    /// The name of the database that the objects belong to; None if nobody has said so yet.
    pub(super) async fn owner(&self) -> io::Result<Option<String>> {
        let shared = &self.bucket.0;
        let got = match shared.heard(shared.store.get_opts(&self.path(OWNER), GetOptions::default()).await) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            got => got?,
        };
        // A store that writes in place leaves it empty where the one who said it was cut off.
        if got.meta.size == 0 {
            return Ok(None);
        }
        as_expected(got.meta.size, OWNER_BYTES)?;
        let name = shared.heard(got.bytes().await)?;
        Ok(Some(String::from_utf8_lossy(&name).into_owned()))
    }

    /// Says that they belong to a database of that name, a UUID.
    pub(super) async fn take_ownership(&self, name: &str) -> io::Result<()> {
        let (shared, payload) = (&self.bucket.0, PutPayload::from(name.to_owned()));
        shared.heard(shared.store.put_opts(&self.path(OWNER), payload, PutOptions::default()).await)?;
        Ok(())
    }

    /// The days that have objects, in their order.
    pub(super) async fn days(&self) -> io::Result<Vec<String>> {
        let shared = &self.bucket.0;
        let listed = shared.heard(shared.store.list_with_delimiter(Some(&self.root)).await)?;
        let day = |path: Path| path.filename().map(str::to_owned);
        let mut days: Vec<_> = listed.common_prefixes.into_iter().filter_map(day).collect();
        days.sort_unstable();
        Ok(days)
    }

    /// The objects of a day, a page at a time.
    pub(super) fn of_day(&self, day: &str) -> BoxStream<'static, io::Result<Vec<Listed>>> {
        let (shared, day) = (self.bucket.0.clone(), day.to_owned());
        let objects = shared.store.list(Some(&self.root.clone().join(day.as_str())));
        let listed = move |meta: ObjectMeta| Listed {
            key: format!("{day}/{}", meta.location.filename().unwrap_or_default()),
            size: meta.size,
            written_at: meta.last_modified.timestamp(),
        };
        let pages = objects.map_ok(listed).try_chunks(limits::VERIFIED_PAGE_DOCUMENTS);
        pages.map(move |page| shared.heard(page.map_err(|error| error.1))).boxed()
    }

    fn name(&self) -> (Unlinked, Path) {
        let day = jiff::Timestamp::now().strftime("%Y-%m-%d");
        let key = format!("{day}/{}", Uuid::new_v4().simple());
        let path = self.path(&key);
        (Unlinked { objects: self.clone(), key: Some(key) }, path)
    }

    fn path(&self, key: &str) -> Path {
        key.split('/').fold(self.root.clone(), |path, part| path.join(part))
    }
}

/// An object that no row refers to yet. It goes away unless it is linked.
#[derive(Debug)]
pub(super) struct Unlinked {
    objects: Objects,
    key: Option<String>,
}

impl Unlinked {
    /// Its key.
    pub(super) fn key(&self) -> &str {
        self.key.as_deref().unwrap_or_default()
    }

    /// A row refers to it, or will.
    pub(super) fn link(mut self) {
        self.key = None;
    }
}

impl Drop for Unlinked {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let objects = self.objects.clone();
        self.objects.runtime().spawn(async move {
            if let Err(error) = objects.delete(&key).await {
                tracing::warn!(%error, key, "a document that was not kept is still in the object store");
            }
        });
    }
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Objects({})", self.root)
    }
}

/// An object that is being put in parts. Unless it is finished, its parts go away.
struct Upload {
    begun: Option<Box<dyn MultipartUpload>>,
    unlinked: Option<Unlinked>,
    runtime: Handle,
}

impl Upload {
    fn begun(&mut self) -> io::Result<&mut Box<dyn MultipartUpload>> {
        self.begun.as_mut().ok_or_else(|| io::Error::other("the upload has ended"))
    }

    /// The object is whole.
    fn finished(mut self) -> io::Result<Unlinked> {
        self.begun = None;
        self.unlinked.take().ok_or_else(|| io::Error::other("the upload has ended"))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(mut upload) = self.begun.take() else { return };
        self.runtime.spawn(async move {
            if let Err(error) = upload.abort().await {
                let error = causes(&error);
                tracing::warn!(error, "parts of a document that was not kept are still in the object store");
            }
        });
    }
}

/// A file that is sent in parts, and goes away when it was.
struct Source {
    file: Arc<File>,
    _unkept: Unkept,
    at: u64,
    left: u64,
}

impl Source {
    /// The next part.
    async fn next(&mut self) -> io::Result<Bytes> {
        let (file, at) = (self.file.clone(), self.at);
        let length = self.left.min(limits::OBJECT_PART_BYTES);
        (self.at, self.left) = (at + length, self.left - length);
        let read = move || {
            let mut part = vec![0; length as usize];
            file.read_exact_at(&mut part, at)?;
            Ok(part.into())
        };
        tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
    }
}

/// An error with what led to it, on one line.
fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(error.source(), |error| error.source());
    let words: Vec<_> = std::iter::once(error.to_string()).chain(chain.map(ToString::to_string)).collect();
    words.join(": ").replace(['\r', '\n'], " ")
}

/// Whether an object has the size that it should have.
fn as_expected(found: u64, size: u64) -> io::Result<()> {
    let wrong =
        || io::Error::new(io::ErrorKind::InvalidData, format!("it has {found} bytes instead of {size}"));
    if found == size { Ok(()) } else { Err(wrong()) }
}

/// An identifier as part of a key: what not every store takes in a key is written as `_` and two hexadecimal digits, so
/// that no two are written alike.
fn segment(identifier: &str) -> String {
    let mut segment = String::with_capacity(identifier.len());
    for byte in identifier.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => segment.push(byte.into()),
            // Not at the beginning: `.` and `..` are no names.
            b'.' if !segment.is_empty() => segment.push('.'),
            _ => segment.push_str(&format!("_{byte:02x}")),
        }
    }
    segment
}
