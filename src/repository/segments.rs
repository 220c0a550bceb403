//! Segments: append-only files in which small documents lie one behind the other, so that any number of them share one
//! sync. Written by the store's writer alone, a group at a time; read by anyone. What a record looks like is in
//! [`super::record`].

use std::collections::HashMap;
use std::fs::{File, OpenOptions, remove_file};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rustix::fs::OFlags;

use super::index::{Place, Position};
use super::record::{self, BLOCK_BYTES};
use crate::limits;

pub(super) struct Segments {
    folder: PathBuf,
    tail: Mutex<Tail>,
    /// Segments that are open for reading.
    open: Mutex<HashMap<u32, Arc<File>>>,
}

/// Where the next record goes. A group's records are gathered and written past the page cache: to let fresh pages be
/// filled only to be written once costs several times what the rest of a commit does (docs/storage.md).
struct Tail {
    /// Where the gathered bytes go: on a block.
    at: Position,
    /// The end of what a sync has made durable: rows refer to nothing behind it.
    durable: Position,
    gathered: Gathered,
    file: Option<TailFile>,
    /// Something was written since the last sync.
    dirty: bool,
    /// Something of this group could not be written: the group must fail.
    failed: bool,
}

struct TailFile {
    file: File,
    path: PathBuf,
    caching: Caching,
}

/// Whether writes go past the page cache. Not every file system can do that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caching {
    Bypassed,
    Used,
}

impl Segments {
    /// Appends go to the block `at` or behind from now on; what is before it is never written again.
    pub(super) fn new(folder: PathBuf, at: Position) -> Self {
        let tail =
            Tail { at, durable: at, gathered: Gathered::new(), file: None, dirty: false, failed: false };
        Self { folder, tail: Mutex::new(tail), open: Mutex::default() }
    }

    /// The file of a segment.
    pub(super) fn path(folder: &Path, segment: u32) -> PathBuf {
        folder.join(format!("{segment:08}.seg"))
    }

    /// The segments of a folder, lowest number first.
    pub(super) fn list(folder: &Path) -> io::Result<Vec<u32>> {
        let mut numbers = Vec::new();
        if !folder.exists() {
            return Ok(numbers);
        }
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
        lock(&self.tail).end()
    }

    /// Appends a record. It is on the disk after [`Segments::sync`].
    pub(super) fn append(
        &self,
        fingerprint: [u8; 16],
        chunks: &[Bytes],
        length: u64,
        crc: u32,
    ) -> io::Result<Place> {
        let mut tail = lock(&self.tail);
        let appended = self.append_to(&mut tail, &record::header(fingerprint, length, crc), chunks);
        tail.failed |= appended.is_err();
        Ok(Place::Segment(appended?))
    }

    fn append_to(&self, tail: &mut Tail, header: &[u8], chunks: &[Bytes]) -> io::Result<Position> {
        if tail.end().offset >= limits::SEGMENT_BYTES {
            self.write(tail, Blocks::All)?;
            tail.sync()?;
            tail.go_to_next_segment();
        }
        let position = tail.end();
        for mut bytes in [header].into_iter().chain(chunks.iter().map(|chunk| &chunk[..])) {
            while !bytes.is_empty() {
                bytes = tail.gathered.push(bytes);
                if !bytes.is_empty() {
                    self.write(tail, Blocks::Whole)?;
                }
            }
        }
        Ok(position)
    }

    /// Takes back what was appended since `mark`, as far as it is not written yet.
    pub(super) fn rewind(&self, mark: Position) {
        let mut tail = lock(&self.tail);
        if tail.at.segment == mark.segment && tail.at.offset <= mark.offset {
            let kept = (mark.offset - tail.at.offset) as usize;
            tail.gathered.truncate(kept);
        }
    }

    /// Makes durable what was appended: the hook before each commit.
    pub(super) fn sync(&self) -> io::Result<()> {
        let mut tail = lock(&self.tail);
        let synced = if std::mem::take(&mut tail.failed) {
            Err(io::Error::other("a document of this group could not be written"))
        } else {
            self.write(&mut tail, Blocks::All).and_then(|()| tail.sync())
        };
        match synced {
            Ok(()) => tail.durable = tail.at,
            Err(_) => self.abandon(&mut tail),
        }
        synced
    }

    /// Gives up what was written since the last sync: its group fails, so no row will refer to it, and on a full disk it is
    /// room that others wait for. After a failed sync the kernel may have dropped the pages and call the next one a success:
    /// the segment is not to be trusted with more.
    fn abandon(&self, tail: &mut Tail) {
        let Position { segment, offset } = tail.durable;
        let taken_back = (segment + 1..=tail.at.segment)
            .map(|begun| remove_file(Self::path(&self.folder, begun)))
            .chain([truncate(&Self::path(&self.folder, segment), offset)]);
        for error in taken_back.filter_map(Result::err).filter(|error| error.kind() != ErrorKind::NotFound) {
            tracing::warn!(%error, "what a failed group had written stays until the next start");
        }
        tail.at.segment = segment;
        tail.go_to_next_segment();
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

    /// A segment that is open for reading already.
    pub(super) fn already_open(&self, segment: u32) -> Option<Arc<File>> {
        lock(&self.open).get(&segment).cloned()
    }

    /// Writes what is gathered: its whole blocks, or all of it.
    fn write(&self, tail: &mut Tail, which: Blocks) -> io::Result<()> {
        let blocks = tail.gathered.blocks(which);
        if blocks.is_empty() {
            return Ok(());
        }
        let file = match &mut tail.file {
            Some(file) => file,
            none => none.insert(self.open_tail(tail.at)?),
        };
        file.write(blocks, tail.at.offset)?;
        tail.dirty = true;
        tail.at.offset += blocks.len() as u64;
        tail.gathered.written(which);
        Ok(())
    }

    /// Opens the segment that is appended to; a new one is entered in the folder durably.
    fn open_tail(&self, at: Position) -> io::Result<TailFile> {
        let file = TailFile::open(Self::path(&self.folder, at.segment), Caching::Bypassed)?;
        if at.offset == 0 {
            super::files::sync_folder(&self.folder)?;
        }
        Ok(file)
    }
}

impl Tail {
    fn end(&self) -> Position {
        Position { offset: self.at.offset + self.gathered.length as u64, ..self.at }
    }

    fn sync(&mut self) -> io::Result<()> {
        match &self.file {
            Some(tail) if std::mem::take(&mut self.dirty) => tail.file.sync_data(),
            _ => Ok(()),
        }
    }

    fn go_to_next_segment(&mut self) {
        self.at = Position { segment: self.at.segment + 1, offset: 0 };
        self.gathered.truncate(0);
        self.file = None;
        self.dirty = false;
    }
}

impl TailFile {
    fn open(path: PathBuf, caching: Caching) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        if caching == Caching::Bypassed {
            options.custom_flags(OFlags::DIRECT.bits() as i32);
        }
        match options.open(&path) {
            Err(error) if caching == Caching::Bypassed && error.kind() == ErrorKind::InvalidInput => {
                Self::open(path, Caching::Used)
            }
            opened => Ok(Self { file: opened?, path, caching }),
        }
    }

    fn write(&mut self, blocks: &[u8], at: u64) -> io::Result<()> {
        match self.file.write_all_at(blocks, at) {
            // Some file systems accept the flag and refuse the write.
            Err(error) if self.caching == Caching::Bypassed && error.kind() == ErrorKind::InvalidInput => {
                *self = Self::open(self.path.clone(), Caching::Used)?;
                self.file.write_all_at(blocks, at)
            }
            written => written,
        }
    }
}

/// Which of the gathered blocks: those that are full, or the last one too, filled up with zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blocks {
    Whole,
    All,
}

/// Bytes that wait to be written, in memory that begins on a block, as writing past the page cache demands.
struct Gathered {
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl Gathered {
    fn new() -> Self {
        let memory = vec![0; limits::SEGMENT_BUFFER_BYTES + BLOCK_BYTES as usize];
        let start = memory.as_ptr().align_offset(BLOCK_BYTES as usize);
        Self { memory, start, length: 0 }
    }

    /// Takes what there is room for; gives the rest back.
    fn push<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let room = limits::SEGMENT_BUFFER_BYTES - self.length;
        let (taken, rest) = bytes.split_at(bytes.len().min(room));
        let end = self.start + self.length;
        self.memory[end..end + taken.len()].copy_from_slice(taken);
        self.length += taken.len();
        rest
    }

    fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    fn blocks(&mut self, which: Blocks) -> &[u8] {
        let block = BLOCK_BYTES as usize;
        let length = match which {
            Blocks::Whole => self.length - self.length % block,
            Blocks::All => self.length.next_multiple_of(block),
        };
        let end = self.start + length;
        if which == Blocks::All {
            self.memory[self.start + self.length..end].fill(0);
        }
        &self.memory[self.start..end]
    }

    /// Forgets the blocks that were written.
    fn written(&mut self, which: Blocks) {
        let left = if which == Blocks::All { 0 } else { self.length % BLOCK_BYTES as usize };
        let end = self.start + self.length;
        self.memory.copy_within(end - left..end, self.start);
        self.length = left;
    }
}

/// Takes off what lies behind `length`, if anything does.
fn truncate(path: &Path, length: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    if file.metadata()?.len() > length { file.set_len(length) } else { Ok(()) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk on which nothing can be written must not fill up with what could not be written.
    #[test]
    fn attack_64_a_failed_group_leaves_neither_bytes_nor_files() {
        let folder = std::env::temp_dir().join(format!("sekisho-segments-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir_all(&folder).unwrap();
        let segments = Segments::new(folder.clone(), Position { segment: 1, offset: 0 });
        let large = Bytes::from(vec![7; limits::SEGMENT_BUFFER_BYTES + 1]);
        let append =
            || segments.append([0; 16], std::slice::from_ref(&large), large.len() as u64, 0).unwrap();
        let lengths = || {
            let length = |n: u32| std::fs::metadata(Segments::path(&folder, n)).unwrap().len();
            Segments::list(&folder).unwrap().into_iter().map(length).collect::<Vec<_>>()
        };
        append();
        segments.sync().unwrap();
        let durable = lengths();
        for _ in 0..3 {
            append();
            assert_ne!(lengths(), durable, "part of it is written already");
            lock(&segments.tail).failed = true;
            segments.sync().unwrap_err();
            assert_eq!(lengths(), durable);
            assert_eq!(segments.mark(), Position { segment: 2, offset: 0 });
        }
        append();
        segments.sync().unwrap();
        assert_eq!(lengths(), [durable[0], durable[0]]);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
