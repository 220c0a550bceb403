//! Documents on their way out: small ones in one read, verified before anybody sees a byte; large ones in chunks, one
//! ahead, whose last is held back until the whole was right. Reading is for threads that may block, except where the
//! bytes are in the kernel's page cache: then it is a copy of microseconds, and fetching them by way of another thread
//! would be most of the work.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use rustix::io::ReadWriteFlags;
use tokio::task::{JoinHandle, spawn_blocking};

use super::index::{Place, Row};
use super::objects::Objects;
use super::record::HEADER_BYTES;
use super::unpacking::{STEP_BYTES, Unpacking, damaged};
use super::{Retrieved, Rooms, no_object_store};
use crate::limits;
use crate::wire::stream::{ByteStream, Content, StreamError};

/// All of these documents, if each was retrieved lately and can be read without blocking; None where that is not so, or
/// where anything is wrong with one.
pub(super) fn retrieve_cached(rooms: &Rooms, unique_ids: &[String]) -> Option<Vec<Retrieved>> {
    let mut left = limits::MAX_CACHED_READ_BYTES;
    let cached = |unique_id: &String| {
        let row = rooms.recent.find(unique_id)?;
        left = left.checked_sub(row.document.size)?;
        let bytes = read_cached(rooms, &row)?;
        Some(Retrieved::Found(row.document.clone(), Content::from_bytes(bytes)))
    };
    unique_ids.iter().map(cached).collect()
}

/// A document's bytes, if they are in the page cache and right.
fn read_cached(rooms: &Rooms, row: &Row) -> Option<Bytes> {
    let Place::Segment(position) = &row.place else { return None };
    let file = rooms.segments.already_open(position.segment)?;
    let mut bytes = vec![0; row.stored_size() as usize];
    let at = position.offset + HEADER_BYTES;
    let read =
        rustix::io::preadv2(&*file, &mut [IoSliceMut::new(&mut bytes)], at, ReadWriteFlags::NOWAIT).ok()?;
    if read != bytes.len() {
        return None;
    }
    Unpacking::new(rooms, row).ok()?.push(bytes.into()).ok()
}

/// What was found under a uniqueId by who may not wait for anything but the disk.
pub(super) enum Found {
    Retrieved(Retrieved),
    /// It is in an object; whether it may be read before the answer begins.
    Object(Arc<Row>, Reading),
}

/// When a document is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    BeforeTheAnswer,
    AsItIsSent,
}

impl Reading {
    /// Small documents are read before the answer begins, as far as `eager` bytes go.
    fn of(size: u64, eager: &mut u64) -> Self {
        if size > limits::SMALL_DOCUMENT_BYTES || size > *eager {
            return Self::AsItIsSent;
        }
        *eager -= size;
        Self::BeforeTheAnswer
    }
}

/// What a row stands for. `eager` is how many bytes may still be read at once for this answer. Blocks.
pub(super) fn retrieve(rooms: &Arc<Rooms>, row: Arc<Row>, eager: &mut u64) -> Found {
    let size = row.document.size;
    let reading = Reading::of(size, eager);
    if matches!(row.place, Place::Object(_)) {
        return Found::Object(row, reading);
    }
    let content = match reading {
        Reading::BeforeTheAnswer => {
            Extent::open(rooms, &row).and_then(Extent::read_whole).map(Content::from_bytes)
        }
        Reading::AsItIsSent => promised(rooms, &row)
            .map(|()| Content::from_stream(Some(size), stream_of(rooms.clone(), row.clone()))),
    };
    Found::Retrieved(found(rooms, row, content))
}

/// What an object's row stands for.
pub(super) async fn retrieve_object(rooms: &Arc<Rooms>, row: Arc<Row>, reading: Reading) -> Retrieved {
    let size = row.document.size;
    let content = match reading {
        Reading::BeforeTheAnswer => read_object(rooms, &row).await.map(Content::from_bytes),
        Reading::AsItIsSent => promised_object(rooms, &row)
            .await
            .map(|()| Content::from_stream(Some(size), stream_of_object(rooms.clone(), row.clone()))),
    };
    found(rooms, row, content)
}

fn found(rooms: &Rooms, row: Arc<Row>, content: io::Result<Content>) -> Retrieved {
    match content {
        Ok(content) => {
            let document = row.document.clone();
            // Where documents go into objects, another gateway may remove what this one still has in files.
            if rooms.objects.is_none() {
                rooms.recent.remember(row);
            }
            Retrieved::Found(document, content)
        }
        Err(error) if is_away(&row.place, &error) => {
            tracing::error!(place = ?row.place, %error, "a stored document could not be fetched");
            Retrieved::Away
        }
        Err(error) => {
            alarm(&row.place, &error);
            Retrieved::Damaged
        }
    }
}

/// Whether it is the store that is in trouble, and not the document.
fn is_away(place: &Place, error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, NotFound, UnexpectedEof};
    matches!(place, Place::Object(_)) && !matches!(error.kind(), InvalidData | NotFound | UnexpectedEof)
}

/// Whether the bytes that a stream will read are there, as far as can be seen without reading them.
fn promised(rooms: &Rooms, row: &Row) -> io::Result<()> {
    let there = match &row.place {
        Place::Segment(position) => rooms
            .segments
            .read(position.segment)?
            .metadata()?
            .len()
            .saturating_sub(position.offset + HEADER_BYTES)
            .min(row.stored_size()),
        Place::File(name) => rooms.dock.files.size(name)?,
        Place::Object(_) => return Err(io::ErrorKind::Unsupported.into()),
    };
    if there == row.stored_size() { Ok(()) } else { Err(damaged("the length is not that of the document")) }
}

/// Part of a file that is read from its beginning to its end.
pub(super) struct Extent {
    file: Arc<File>,
    at: u64,
    unpacking: Unpacking,
    place: Place,
}

impl Extent {
    pub(super) fn open(rooms: &Rooms, row: &Row) -> io::Result<Self> {
        let (file, at) = match &row.place {
            Place::Segment(position) => {
                (rooms.segments.read(position.segment)?, position.offset + HEADER_BYTES)
            }
            Place::File(name) => (Arc::new(rooms.dock.files.read(name)?), 0),
            Place::Object(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        Ok(Self { file, at, unpacking: Unpacking::new(rooms, row)?, place: row.place.clone() })
    }

    pub(super) fn left(&self) -> u64 {
        self.unpacking.left()
    }

    /// What the next stored bytes, at most `most`, hold. The last are given only if all were right.
    pub(super) fn next(&mut self, most: u64) -> io::Result<Bytes> {
        let mut stored = vec![0; self.left().min(most) as usize];
        self.file.read_exact_at(&mut stored, self.at)?;
        self.at += stored.len() as u64;
        self.unpacking.push(stored.into())
    }

    fn read_whole(mut self) -> io::Result<Bytes> {
        self.next(self.left())
    }
}

/// The object of a row.
fn object<'r>(rooms: &'r Rooms, row: &'r Row) -> io::Result<(&'r Objects, &'r str)> {
    match (&rooms.objects, &row.place) {
        (Some(objects), Place::Object(key)) => Ok((objects, key)),
        _ => Err(no_object_store()),
    }
}

async fn promised_object(rooms: &Rooms, row: &Row) -> io::Result<()> {
    let (objects, key) = object(rooms, row)?;
    objects.promised(key, row.stored_size()).await
}

async fn read_object(rooms: &Rooms, row: &Row) -> io::Result<Bytes> {
    let mut pieces = ObjectPieces::open(rooms, row).await?;
    let mut document = BytesMut::with_capacity(row.document.size as usize);
    while let Some(piece) = pieces.next().await? {
        document.extend_from_slice(&piece);
    }
    Ok(document.freeze())
}

/// An object that is read from its beginning to its end.
pub(super) struct ObjectPieces {
    stored: BoxStream<'static, io::Result<Bytes>>,
    unpacking: Unpacking,
    place: Place,
    ended: bool,
}

impl ObjectPieces {
    pub(super) async fn open(rooms: &Rooms, row: &Row) -> io::Result<Self> {
        let unpacking = Unpacking::new(rooms, row)?;
        let (objects, key) = object(rooms, row)?;
        let stored = objects.get(key, row.stored_size()).await?;
        Ok(Self { stored, unpacking, place: row.place.clone(), ended: false })
    }

    /// The next bytes of the document; None after the last. The last are given only if all were right.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        while !self.ended {
            let stored = match self.stored.next().await {
                Some(stored) => stored?,
                None if self.unpacking.left() == 0 => Bytes::new(),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            };
            let piece = self.unpacking.push(stored)?;
            self.ended = self.unpacking.left() == 0;
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }
}

/// An object's document as a stream: nothing is read ahead of who takes it but what the connection holds.
fn stream_of_object(rooms: Arc<Rooms>, row: Arc<Row>) -> ByteStream {
    enum Progress {
        Begin(Arc<Rooms>, Arc<Row>),
        Goes(Box<ObjectPieces>),
    }
    Box::pin(stream::try_unfold(Progress::Begin(rooms, row), |progress| async {
        let opened = match progress {
            Progress::Begin(rooms, row) => ObjectPieces::open(&rooms, &row)
                .await
                .map(Box::new)
                .inspect_err(|error| broken_off(&row.place, error)),
            Progress::Goes(pieces) => Ok(pieces),
        };
        let failed = |error: io::Error| StreamError::Store(error.to_string());
        let mut pieces = opened.map_err(failed)?;
        let next = pieces.next().await.inspect_err(|error| broken_off(&pieces.place, error));
        Ok(next.map_err(failed)?.map(|piece| (piece, Progress::Goes(pieces))))
    }))
}

/// A document could not be given out to its end.
fn broken_off(place: &Place, error: &io::Error) {
    if is_away(place, error) {
        tracing::error!(?place, %error, "a stored document could not be fetched to its end");
    } else {
        alarm(place, error);
    }
}

type Job = JoinHandle<io::Result<(Extent, Bytes)>>;

/// Where a stream is.
enum Progress {
    Begin(Arc<Rooms>, Arc<Row>),
    /// The next chunk is being read.
    Ahead(Job),
    End,
}

/// A document as a stream: while one chunk is on its way out, the next is read on a blocking thread.
fn stream_of(rooms: Arc<Rooms>, row: Arc<Row>) -> ByteStream {
    Box::pin(stream::try_unfold(Progress::Begin(rooms, row), |progress| async {
        let reading = match progress {
            Progress::Begin(rooms, row) => spawn_blocking(move || {
                let place = row.place.clone();
                Extent::open(&rooms, &row).and_then(read_ahead).inspect_err(|error| alarm(&place, error))
            }),
            Progress::Ahead(reading) => reading,
            Progress::End => return Ok(None),
        };
        let failed = |error: &dyn std::error::Error| StreamError::Store(error.to_string());
        let (extent, chunk) = reading.await.map_err(|e| failed(&e))?.map_err(|e| failed(&e))?;
        let progress = match extent.left() {
            0 => Progress::End,
            _ => Progress::Ahead(spawn_blocking(move || {
                let place = extent.place.clone();
                read_ahead(extent).inspect_err(|error| alarm(&place, error))
            })),
        };
        Ok(Some((chunk, progress)))
    }))
}

fn read_ahead(mut extent: Extent) -> io::Result<(Extent, Bytes)> {
    let chunk = extent.next(STEP_BYTES)?;
    Ok((extent, chunk))
}

/// A document was stored and cannot be given out: somebody has to look at the disk.
fn alarm(place: &Place, error: &io::Error) {
    metrics::counter!("sekisho_repository_damaged_total").increment(1);
    tracing::error!(?place, %error, "a stored document is damaged and was not given out");
}
