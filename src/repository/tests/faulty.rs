//! An object store in memory that fails as it is told to.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

/// What goes wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fault {
    #[default]
    None,
    /// Nothing is answered at all.
    Away,
    /// An object cannot be put.
    Put,
    /// An object is put, and nobody is told.
    PutUnanswered,
    /// The second part of an object cannot be put.
    Part,
    /// The parts cannot be made one.
    Complete,
    /// The connection breaks in the middle of an object.
    GetBreaks,
    /// An object ends too early, and nobody is told.
    GetShort,
    /// An object cannot be deleted.
    Delete,
}

/// The store.
#[derive(Debug, Default)]
pub struct Faulty {
    within: InMemory,
    fault: Mutex<Fault>,
    /// Uploads in parts that were given up.
    pub aborted: std::sync::Arc<AtomicUsize>,
}

impl Faulty {
    pub fn fails(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    fn check(&self, fault: Fault) -> Result<()> {
        let now = *self.fault.lock().unwrap();
        if now == fault || now == Fault::Away { Err(broken()) } else { Ok(()) }
    }

    fn is(&self, fault: Fault) -> bool {
        *self.fault.lock().unwrap() == fault
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

fn broken() -> object_store::Error {
    object_store::Error::Generic { store: "Faulty", source: "as it was told to".into() }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.check(Fault::Put)?;
        let put = self.within.put_opts(at, payload, options).await?;
        self.check(Fault::PutUnanswered)?;
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.check(Fault::Put)?;
        let within = self.within.put_multipart_opts(at, options).await?;
        let fault = *self.fault.lock().unwrap();
        Ok(Box::new(Parts { within, fault, parts: 0, aborted: self.aborted.clone() }))
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        if self.is(Fault::Away) {
            return Err(broken());
        }
        let got = self.within.get_opts(at, options).await?;
        if !self.is(Fault::GetBreaks) && !self.is(Fault::GetShort) {
            return Ok(got);
        }
        let (meta, range, attributes) = (got.meta.clone(), got.range.clone(), got.attributes.clone());
        let extensions = got.extensions.clone();
        let half = got.bytes().await?;
        let half = half.slice(..half.len() / 2);
        let rest = self.is(Fault::GetBreaks).then(|| Err(broken()));
        let stream = futures_util::stream::iter([Ok(half)].into_iter().chain(rest)).boxed();
        let payload = GetResultPayload::Stream(stream);
        Ok(GetResult { payload, meta, range, attributes, extensions })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.check(Fault::Delete) {
            Ok(()) => self.within.delete_stream(locations),
            Err(error) => futures_util::stream::iter([Err(error)]).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.within.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        if self.is(Fault::Away) {
            return Err(broken());
        }
        self.within.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.within.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct Parts {
    within: Box<dyn MultipartUpload>,
    fault: Fault,
    parts: usize,
    aborted: std::sync::Arc<AtomicUsize>,
}

#[async_trait]
impl MultipartUpload for Parts {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.parts += 1;
        if self.fault == Fault::Part && self.parts == 2 {
            return Box::pin(async { Err(broken()) });
        }
        self.within.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        if self.fault == Fault::Complete {
            return Err(broken());
        }
        self.within.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.aborted.fetch_add(1, Ordering::Relaxed);
        self.within.abort().await
    }
}
