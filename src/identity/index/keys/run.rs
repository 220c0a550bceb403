//! A run: keys and records in one ordered file that is never changed. Small pieces are read where they are wanted; the page
//! cache keeps what is warm.
//!
//! ```text
//! head      magic, generation of the index, marks from and to, number of entries, checksum of the head
//! entries   key (8 bytes), record (4), ascending
//! fences    the first key of each block of entries
//! sieves    a sieve of each block
//! ```
//!
//! Fences and sieves are in memory, about a byte for each entry. Most keys that are looked for are in no run: their sieve
//! says so, and nothing is read. Where there is room for it, the entries are in memory, too, in nine bytes
//! each.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufWriter, Error, ErrorKind, Read, Result, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::{Marks, Room, Sought};

/// The last byte goes up when records get other keys, or the file another form: runs with the old ones are then made anew at the start.
const MAGIC: &[u8; 8] = b"SKSKEYS3";
const HEAD: usize = 8 + 16 + 5 * 8 + 4;
const ENTRY: usize = 12;
/// Entries that are read at once where a key is looked for: a kilobyte.
const BLOCK: usize = 85;
/// Bytes that are read or written at once where all entries are.
const READ_AHEAD: usize = 256 * 1024;

/// A key and a record that has it.
pub(super) type Entry = (u64, u32);

/// Words of a block's sieve: a byte for each entry lets one of thirty keys pass that are not there.
const SIEVE: usize = 10;
const SIEVE_BYTES: usize = SIEVE * 8;
/// Bytes for each block behind the entries.
const BEHIND: u64 = (8 + SIEVE_BYTES) as u64;

/// Which keys are certainly not in a block: three bits for each that is, all in one word.
#[derive(Clone, Copy, Default)]
struct Sieve([u64; SIEVE]);

impl Sieve {
    fn add(&mut self, key: u64) {
        let (word, bits) = Self::place(key);
        self.0[word] |= bits;
    }
    fn may_hold(&self, key: u64) -> bool {
        let (word, bits) = Self::place(key);
        self.0[word] & bits == bits
    }
    /// Keys are hashes. Those of a block have their first bits in common, so the last are taken.
    fn place(key: u64) -> (usize, u64) {
        let bit = |at: u32| 1_u64 << ((key >> at) & 63);
        ((key >> 18) as usize % SIEVE, bit(0) | bit(6) | bit(12))
    }
    fn to_bytes(self) -> [u8; SIEVE_BYTES] {
        let mut bytes = [0; SIEVE_BYTES];
        for (to, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.0) {
            *to = word.to_le_bytes();
        }
        bytes
    }
    fn of_bytes(bytes: &[u8; SIEVE_BYTES]) -> Self {
        let mut sieve = Self::default();
        for (to, word) in sieve.0.iter_mut().zip(bytes.as_chunks().0) {
            *to = u64::from_le_bytes(*word);
        }
        sieve
    }
}

/// Where fences begin, by the first bits of keys: as many beginnings as there are fences, so that a key is near its own.
struct Beginnings {
    bits: u32,
    places: Vec<u32>,
}

impl Beginnings {
    fn of(fences: &[u64]) -> Self {
        let bits = fences.len().next_power_of_two().trailing_zeros();
        let mut this = Self { bits, places: vec![0; (1 << bits) + 1] };
        for fence in fences {
            let place = this.place(*fence) + 1;
            this.places[place] += 1;
        }
        let mut before = 0;
        for place in &mut this.places {
            before += *place;
            *place = before;
        }
        this
    }
    fn place(&self, key: u64) -> usize {
        key.checked_shr(u64::BITS - self.bits).unwrap_or(0) as usize
    }
    /// The fences that begin as a key does.
    fn near(&self, key: u64) -> std::ops::Range<usize> {
        let place = self.place(key);
        let at = |place: usize| self.places.get(place).map_or(0, |place| *place as usize);
        at(place)..at(place + 1)
    }
}

/// The entries of a run in memory, in groups of a few keys that begin alike: of each entry the bits of its key behind those that
/// tell its group, and the record. A key that is taken for another, one of some millions, does no harm: its record does not fit
/// then.
struct Held {
    /// Bits of a key that tell its group.
    bits: u32,
    /// Where each group begins, then where the last one ends.
    groups: Vec<u32>,
    entries: Vec<(u32, u32)>,
    /// What was taken for them.
    bytes: usize,
    room: Arc<Room>,
}

impl Held {
    /// Entries of a group, about.
    const ALIKE: usize = 4;

    /// For so many entries; None if there is no room.
    fn within(room: &Arc<Room>, count: u64) -> Option<Self> {
        let count = u32::try_from(count).ok()? as usize;
        let bytes = count * (size_of::<(u32, u32)>() + size_of::<u32>() / Self::ALIKE);
        let bits = (count / Self::ALIKE).max(1).ilog2();
        room.take(bytes).then(|| Self {
            bits,
            groups: Vec::with_capacity((1 << bits) + 1),
            entries: Vec::with_capacity(count),
            bytes,
            room: Arc::clone(room),
        })
    }
    /// Takes up the next entry of the run.
    fn push(&mut self, (key, record): Entry) {
        self.end_groups(self.group(key));
        self.entries.push((self.behind(key), record));
    }
    /// No more entries come of the groups up to one.
    fn end_groups(&mut self, group: usize) {
        self.groups.resize(self.groups.len().max(group + 1), self.entries.len() as u32);
    }
    fn group(&self, key: u64) -> usize {
        key.checked_shr(u64::BITS - self.bits).unwrap_or(0) as usize
    }
    /// The bits of a key behind those.
    fn behind(&self, key: u64) -> u32 {
        (key << self.bits >> u32::BITS) as u32
    }
    fn place(&self, group: usize) -> usize {
        self.groups.get(group).map_or(self.entries.len(), |place| *place as usize)
    }
    /// Where entries of a key would be.
    fn near(&self, key: u64) -> &[(u32, u32)] {
        let group = self.group(key);
        self.entries.get(self.place(group)..self.place(group + 1)).unwrap_or_default()
    }
    /// Looks up all that is sought.
    fn look(&self, sought: &mut Sought) {
        // Alone, each look would wait for memory; the processor has those of all keys under way at once.
        let ahead = sought.keys().filter_map(|key| Some(self.near(key).first()?.1));
        std::hint::black_box(ahead.fold(0, |all, record| all ^ record));
        sought.look(|key| {
            let (near, bits) = (self.near(key), self.behind(key));
            let first = near.partition_point(|(entry, _)| *entry < bits);
            let equal = near.iter().skip(first).take_while(move |(entry, _)| *entry == bits);
            equal.map(|(_, record)| *record)
        });
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.give_back(self.bytes);
    }
}

/// An open run.
pub(super) struct Run {
    file: File,
    path: PathBuf,
    pub(super) from: Marks,
    pub(super) to: Marks,
    pub(super) count: u64,
    fences: Vec<u64>,
    beginnings: Beginnings,
    sieves: Vec<Sieve>,
    held: OnceLock<Held>,
}

impl Run {
    /// Writes entries, which ascend, and opens the run. It is complete once it has its name: one whose entries end with an
    /// error never has.
    pub(super) fn write(
        path: PathBuf,
        generation: &[u8],
        from: Marks,
        to: Marks,
        entries: impl Iterator<Item = Result<Entry>>,
    ) -> Result<Self> {
        let unfinished = path.with_extension("new");
        let mut file = BufWriter::with_capacity(READ_AHEAD, File::create(&unfinished)?);
        file.write_all(&[0; HEAD])?;
        let (mut count, mut fences, mut sieves) = (0_u64, Vec::new(), Vec::new());
        let mut last = None;
        for entry in entries {
            let (key, record) = entry?;
            if last.replace((key, record)) == Some((key, record)) {
                continue;
            }
            if count.is_multiple_of(BLOCK as u64) {
                fences.push(key);
                sieves.push(Sieve::default());
            }
            if let Some(sieve) = sieves.last_mut() {
                sieve.add(key);
            }
            let mut bytes = [0; ENTRY];
            bytes[..8].copy_from_slice(&key.to_le_bytes());
            bytes[8..].copy_from_slice(&record.to_le_bytes());
            file.write_all(&bytes)?;
            count += 1;
        }
        for fence in &fences {
            file.write_all(&fence.to_le_bytes())?;
        }
        for sieve in &sieves {
            file.write_all(&sieve.to_bytes())?;
        }
        let file = file.into_inner().map_err(|error| error.into_error())?;
        file.write_all_at(head(generation, from, to, count).as_slice(), 0)?;
        file.sync_all()?;
        std::fs::rename(&unfinished, &path)?;
        Self::open(path, generation)
    }

    /// Opens a run of this index; InvalidData if it is another's or not whole.
    pub(super) fn open(path: PathBuf, generation: &[u8]) -> Result<Self> {
        let mut file = File::open(&path)?;
        let mut bytes = [0; HEAD];
        file.read_exact(&mut bytes)?;
        let number = |at: usize| u64_at(&bytes, 24 + 8 * at);
        let from = Marks { record: number(0), former: number(1) };
        let to = Marks { record: number(2), former: number(3) };
        let count = number(4);
        let blocks = count.div_ceil(BLOCK as u64);
        let length = count.saturating_mul(ENTRY as u64).saturating_add(blocks * BEHIND + HEAD as u64);
        if bytes != *head(generation, from, to, count) || file.metadata()?.len() != length {
            return Err(Error::new(ErrorKind::InvalidData, "not a run of this index"));
        }
        let mut behind = vec![0; (blocks * BEHIND) as usize];
        file.read_exact_at(&mut behind, length - blocks * BEHIND)?;
        let (fences, sieves) = behind.split_at(blocks as usize * 8);
        let fences: Vec<u64> = fences.as_chunks().0.iter().map(|fence| u64::from_le_bytes(*fence)).collect();
        let beginnings = Beginnings::of(&fences);
        let sieves = sieves.as_chunks().0.iter().map(Sieve::of_bytes).collect();
        Ok(Self { file, path, from, to, count, fences, beginnings, sieves, held: OnceLock::new() })
    }

    /// Takes the entries into memory if there is room. Blocks.
    pub(super) fn hold(&self, room: &Arc<Room>) -> Result<()> {
        if self.held.get().is_some() {
            return Ok(());
        }
        let Some(mut held) = Held::within(room, self.count) else { return Ok(()) };
        for entry in self.entries() {
            held.push(entry?);
        }
        held.end_groups(1 << held.bits);
        let _ = self.held.set(held);
        Ok(())
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Looks up all that is sought.
    pub(super) fn look(&self, sought: &mut Sought) -> Result<()> {
        if let Some(held) = self.held.get() {
            held.look(sought);
            return Ok(());
        }
        let failed = Cell::new(None);
        let read = |record: Result<u32>| record.map_err(|error| failed.set(Some(error))).ok();
        sought.look(|key| self.on_disk(key).map_while(read));
        failed.into_inner().map_or(Ok(()), Err)
    }

    /// The records of a key.
    fn on_disk(&self, key: u64) -> impl Iterator<Item = Result<u32>> + '_ {
        let first = self.first_fence(key).saturating_sub(1);
        let blocks =
            (first..).take_while(move |block| self.fences.get(*block).is_some_and(|fence| *fence <= key));
        let may_hold = move |block: &usize| self.sieves.get(*block).is_some_and(|sieve| sieve.may_hold(key));
        blocks.filter(may_hold).flat_map(move |block| {
            let mut bytes = [0; BLOCK * ENTRY];
            let equal = |entry: &&[u8; ENTRY]| u64_at(*entry, 0) == key;
            let records = self.read(block, &mut bytes).map(|entries| {
                let first = entries.partition_point(|entry| u64_at(entry, 0) < key);
                entries.iter().skip(first).take_while(equal).map(|entry| Ok(u32_at(entry, 8))).collect()
            });
            records.unwrap_or_else(|error| vec![Err(error)])
        })
    }

    /// The first fence that is not below a key.
    fn first_fence(&self, key: u64) -> usize {
        let near = self.beginnings.near(key);
        near.start + self.fences.get(near.clone()).unwrap_or_default().partition_point(|fence| *fence < key)
    }

    /// The entries of a block.
    fn read<'b>(&self, block: usize, bytes: &'b mut [u8]) -> Result<&'b [[u8; ENTRY]]> {
        let first = block * BLOCK;
        let bytes = &mut bytes[..(self.end_of(block) - first) * ENTRY];
        self.file.read_exact_at(bytes, (HEAD + first * ENTRY) as u64)?;
        Ok(bytes.as_chunks().0)
    }

    /// The entry behind a block's last.
    fn end_of(&self, block: usize) -> usize {
        ((block + 1) * BLOCK).min(self.count as usize)
    }

    /// All entries in order.
    pub(super) fn entries(&self) -> Entries<'_> {
        let bytes = vec![0; READ_AHEAD / ENTRY * ENTRY];
        let mut entries = Entries { run: self, at: bytes.len(), bytes, left: self.count, next: None };
        entries.next();
        entries
    }
}

/// A run's entries in order. A disk that fails ends them with an error.
pub(super) struct Entries<'r> {
    run: &'r Run,
    bytes: Vec<u8>,
    /// Where in them those begin that are still to be looked at.
    at: usize,
    /// How many there are from there on.
    left: u64,
    next: Option<Result<Entry>>,
}

impl Entries<'_> {
    /// The next one, which stays the next.
    pub(super) fn peek(&self) -> Option<&Result<Entry>> {
        self.next.as_ref()
    }
    fn look(&mut self) -> Option<Result<Entry>> {
        if self.left == 0 {
            return None;
        }
        if self.at == self.bytes.len() {
            let begin = HEAD as u64 + (self.run.count - self.left) * ENTRY as u64;
            self.bytes.truncate((self.left * ENTRY as u64).min(self.bytes.len() as u64) as usize);
            if let Err(error) = self.run.file.read_exact_at(&mut self.bytes, begin) {
                self.left = 0;
                return Some(Err(error));
            }
            self.at = 0;
        }
        let entry = self.bytes.get(self.at..self.at + ENTRY)?;
        self.at += ENTRY;
        self.left -= 1;
        Some(Ok((u64_at(entry, 0), u32_at(entry, 8))))
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry>;
    fn next(&mut self) -> Option<Result<Entry>> {
        let next = self.look();
        std::mem::replace(&mut self.next, next)
    }
}

fn head(generation: &[u8], from: Marks, to: Marks, count: u64) -> Box<[u8; HEAD]> {
    let mut head = Box::new([0; HEAD]);
    head[..8].copy_from_slice(MAGIC);
    for (to, byte) in head[8..24].iter_mut().zip(generation) {
        *to = *byte;
    }
    let numbers = [from.record, from.former, to.record, to.former, count];
    for (to, number) in head[24..64].chunks_exact_mut(8).zip(numbers) {
        to.copy_from_slice(&number.to_le_bytes());
    }
    let checksum = crc32fast::hash(&head[..64]);
    head[64..].copy_from_slice(&checksum.to_le_bytes());
    head
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}
