//! Segments: append-only files in which small documents lie one behind the other, so that any number of them share one
//! sync. Written by the store's writer alone; read by anyone.
//!
//! A record is a header of [`HEADER_BYTES`] and the document. Numbers are little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 0 to 8 | [`MAGIC`], whose last byte is the format's version |
//! | 8 to 16 | length of the document |
//! | 16 to 20 | CRC-32 of the document |
//! | 20 to 36 | fingerprint of tenant, repository and uniqueId |
//! | 36 to 40 | CRC-32 of the bytes 0 to 36 |

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::index::{Place, Position};
use crate::limits;

const MAGIC: [u8; 8] = *b"SEKISHO\x01";
/// Bytes before each document.
pub(super) const HEADER_BYTES: u64 = 40;

pub(super) struct Segments {
    folder: PathBuf,
    tail: Mutex<Tail>,
    /// Segments that are open for reading.
    open: Mutex<HashMap<u32, Arc<File>>>,
}

/// Where the next record goes.
struct Tail {
    end: Position,
    /// None until something is appended, and after a failure that makes the file unfit.
    file: Option<File>,
    /// Something was appended since the last sync.
    dirty: bool,
}

/// A record that a walk came across.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) fingerprint: [u8; 16],
}

impl Segments {
    /// Appends go to `end` from now on; what is before it is never written again.
    pub(super) fn new(folder: PathBuf, end: Position) -> Self {
        let tail = Mutex::new(Tail { end, file: None, dirty: false });
        Self { folder, tail, open: Mutex::default() }
    }

    /// The file of a segment.
    pub(super) fn path(folder: &Path, segment: u32) -> PathBuf {
        folder.join(format!("{segment:08}.seg"))
    }

    /// The segments of a folder, lowest number first.
    pub(super) fn list(folder: &Path) -> io::Result<Vec<u32>> {
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".seg"));
            numbers.extend(number.and_then(|number| number.parse::<u32>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Where the next record goes.
    pub(super) fn mark(&self) -> Position {
        lock(&self.tail).end
    }

    /// Appends a record. It is durable after [`Segments::sync`].
    pub(super) fn append(
        &self,
        fingerprint: [u8; 16],
        chunks: &[Bytes],
        length: u64,
        crc: u32,
    ) -> io::Result<Place> {
        let mut tail = lock(&self.tail);
        if tail.end.offset >= limits::SEGMENT_BYTES {
            self.rotate(&mut tail)?;
        }
        let position = tail.end;
        let header = header(fingerprint, length, crc);
        let file = match &mut tail.file {
            Some(file) => file,
            none => none.insert(self.open_tail(position)?),
        };
        let mut slices = Vec::with_capacity(chunks.len() + 1);
        slices.push(IoSlice::new(&header));
        slices.extend(chunks.iter().map(|chunk| IoSlice::new(chunk)));
        let written = write_all(file, &mut slices);
        tail.dirty = true;
        match written {
            Ok(()) => {
                tail.end.offset += HEADER_BYTES + length;
                Ok(Place::Segment(position))
            }
            Err(error) => {
                tail.cut(position);
                Err(error)
            }
        }
    }

    /// Takes back what was appended since `mark`, where it is still in the same segment.
    pub(super) fn rewind(&self, mark: Position) {
        let mut tail = lock(&self.tail);
        if tail.end.segment == mark.segment && tail.end.offset > mark.offset {
            tail.cut(mark);
        }
    }

    /// Makes durable what was appended: the hook before each commit.
    pub(super) fn sync(&self) -> io::Result<()> {
        let mut tail = lock(&self.tail);
        if !tail.dirty {
            return Ok(());
        }
        let synced = tail.file.as_ref().map_or(Ok(()), File::sync_data);
        if synced.is_err() {
            // After a failed sync the kernel may have dropped the pages and call the next one a success: this segment
            // is not to be trusted with more. Nothing of the group that failed refers to it.
            self.abandon(&mut tail);
        }
        tail.dirty = false;
        synced
    }

    /// A segment, for reading.
    pub(super) fn read(&self, segment: u32) -> io::Result<Arc<File>> {
        let mut open = lock(&self.open);
        if let Some(file) = open.get(&segment) {
            return Ok(file.clone());
        }
        let file = Arc::new(File::open(Self::path(&self.folder, segment))?);
        if open.len() >= limits::MAX_OPEN_SEGMENTS
            && let Some(any) = open.keys().next().copied()
        {
            open.remove(&any);
        }
        open.insert(segment, file.clone());
        Ok(file)
    }

    /// Closes the full segment, synced, and goes on in the next.
    fn rotate(&self, tail: &mut Tail) -> io::Result<()> {
        if let Some(full) = tail.file.take() {
            full.sync_data()?;
        }
        tail.end = Position { segment: tail.end.segment + 1, offset: 0 };
        Ok(())
    }

    fn abandon(&self, tail: &mut Tail) {
        tail.file = None;
        tail.end = Position { segment: tail.end.segment + 1, offset: 0 };
    }

    /// Opens the segment that is appended to; a new one is entered in the folder durably.
    fn open_tail(&self, end: Position) -> io::Result<File> {
        let file =
            OpenOptions::new().create(true).append(true).open(Self::path(&self.folder, end.segment))?;
        // A rewind that failed, or another hand, left more there than is ours: records must lie where rows say.
        if file.metadata()?.len() != end.offset {
            file.set_len(end.offset)?;
        }
        if end.offset == 0 {
            File::open(&self.folder)?.sync_all()?;
        }
        Ok(file)
    }
}

impl Tail {
    /// Ends the segment at `end`. If even that fails, the file is opened and cut anew before the next record.
    fn cut(&mut self, end: Position) {
        self.end = end;
        if let Some(file) = &self.file
            && file.set_len(end.offset).is_err()
        {
            self.file = None;
        }
    }
}

/// The whole records of a segment from `offset` on, up to the first that is not whole.
pub(super) fn walk(file: &File, mut offset: u64) -> io::Result<Vec<Record>> {
    let mut records = Vec::new();
    let end = file.metadata()?.len();
    let mut header = [0; HEADER_BYTES as usize];
    while offset + HEADER_BYTES <= end {
        file.read_exact_at(&mut header, offset)?;
        let Some((length, crc, fingerprint)) = read_header(&header) else { break };
        let whole = length <= limits::SMALL_DOCUMENT_BYTES && offset + HEADER_BYTES + length <= end;
        if !whole {
            break;
        }
        let mut document = vec![0; length as usize];
        file.read_exact_at(&mut document, offset + HEADER_BYTES)?;
        if crc32fast::hash(&document) != crc {
            break;
        }
        records.push(Record { offset, length, fingerprint });
        offset += HEADER_BYTES + length;
    }
    Ok(records)
}

fn header(fingerprint: [u8; 16], length: u64, crc: u32) -> [u8; HEADER_BYTES as usize] {
    let mut header = [0; HEADER_BYTES as usize];
    header[..8].copy_from_slice(&MAGIC);
    header[8..16].copy_from_slice(&length.to_le_bytes());
    header[16..20].copy_from_slice(&crc.to_le_bytes());
    header[20..36].copy_from_slice(&fingerprint);
    let own = crc32fast::hash(&header[..36]);
    header[36..].copy_from_slice(&own.to_le_bytes());
    header
}

/// Length, CRC and fingerprint of a header that is whole.
fn read_header(header: &[u8; HEADER_BYTES as usize]) -> Option<(u64, u32, [u8; 16])> {
    let (said, own) = header.split_last_chunk::<4>()?;
    if !said.starts_with(&MAGIC) || crc32fast::hash(said) != u32::from_le_bytes(*own) {
        return None;
    }
    let length = u64::from_le_bytes(said[8..16].try_into().ok()?);
    let crc = u32::from_le_bytes(said[16..20].try_into().ok()?);
    Some((length, crc, said[20..36].try_into().ok()?))
}

/// Writes all slices, in as few calls as the kernel makes possible.
pub(super) fn write_all(file: &mut File, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
