//! Documents on their way out: small ones in one read, verified before anybody sees a byte; large ones in chunks, one
//! ahead, whose last is held back until the whole was right. Reading is for threads that may block, except where the
//! bytes are in the kernel's page cache: then it is a copy of microseconds, and fetching them by way of another thread
//! would be most of the work.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use rustix::io::ReadWriteFlags;
use tokio::task::{JoinHandle, spawn_blocking};

use super::index::{Place, Row};
use super::record::HEADER_BYTES;
use super::{Retrieved, Rooms};
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
    let mut bytes = vec![0; row.document.size as usize];
    let at = position.offset + HEADER_BYTES;
    let read =
        rustix::io::preadv2(&*file, &mut [IoSliceMut::new(&mut bytes)], at, ReadWriteFlags::NOWAIT).ok()?;
    (read == bytes.len() && crc32fast::hash(&bytes) == row.crc).then(|| bytes.into())
}

/// What a row stands for. `eager` is how many bytes may still be read at once for this answer. Blocks.
pub(super) fn retrieve(rooms: &Arc<Rooms>, row: Arc<Row>, eager: &mut u64) -> Retrieved {
    let size = row.document.size;
    let content = if size <= limits::SMALL_DOCUMENT_BYTES && size <= *eager {
        *eager -= size;
        Extent::open(rooms, &row).and_then(Extent::read_whole).map(Content::from_bytes)
    } else {
        promised(rooms, &row)
            .map(|()| Content::from_stream(Some(size), stream_of(rooms.clone(), row.clone())))
    };
    match content {
        Ok(content) => {
            let document = row.document.clone();
            rooms.recent.remember(row);
            Retrieved::Found(document, content)
        }
        Err(error) => {
            alarm(&row.place, &error);
            Retrieved::Damaged
        }
    }
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
            .min(row.document.size),
        Place::File(name) => rooms.files.size(name)?,
    };
    if there == row.document.size { Ok(()) } else { Err(damaged("the length is not that of the document")) }
}

/// Part of a file that is read from its beginning to its end.
struct Extent {
    file: Arc<File>,
    at: u64,
    left: u64,
    crc: crc32fast::Hasher,
    expected: u32,
    place: Place,
}

impl Extent {
    fn open(rooms: &Rooms, row: &Row) -> io::Result<Self> {
        let (file, at) = match &row.place {
            Place::Segment(position) => {
                (rooms.segments.read(position.segment)?, position.offset + HEADER_BYTES)
            }
            Place::File(name) => (Arc::new(rooms.files.read(name)?), 0),
        };
        let (left, place) = (row.document.size, row.place.clone());
        Ok(Self { file, at, left, crc: crc32fast::Hasher::new(), expected: row.crc, place })
    }

    /// The next chunk of at most `most` bytes. The last one is given only if all of it was right.
    fn next(&mut self, most: u64) -> io::Result<Bytes> {
        let mut chunk = vec![0; self.left.min(most) as usize];
        self.file.read_exact_at(&mut chunk, self.at)?;
        self.crc.update(&chunk);
        self.at += chunk.len() as u64;
        self.left -= chunk.len() as u64;
        if self.left == 0 && self.crc.clone().finalize() != self.expected {
            return Err(damaged("the checksum is not that of the document"));
        }
        Ok(chunk.into())
    }

    fn read_whole(mut self) -> io::Result<Bytes> {
        self.next(self.left)
    }
}

type Reading = JoinHandle<io::Result<(Extent, Bytes)>>;

/// Where a stream is.
enum Progress {
    Begin(Arc<Rooms>, Arc<Row>),
    /// The next chunk is being read.
    Ahead(Reading),
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
        let progress = match extent.left {
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
    let chunk = extent.next(limits::CHUNK_BYTES as u64)?;
    Ok((extent, chunk))
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// A document was stored and cannot be given out: somebody has to look at the disk.
fn alarm(place: &Place, error: &io::Error) {
    metrics::counter!("sekisho_repository_damaged_total").increment(1);
    tracing::error!(?place, %error, "a stored document is damaged and was not given out");
}
