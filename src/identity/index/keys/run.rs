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
//! says so, and nothing is read. Where there is room for it, the entries are in memory, too, in eight bytes each.

use std::fs::File;
use std::io::{BufWriter, Error, ErrorKind, Read, Result, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::{Marks, Room};

/// The last byte goes up when records get other keys, or the file another form: runs with the old ones are then made anew at the start.
const MAGIC: &[u8; 8] = b"SKSKEYS3";
const HEAD: usize = 8 + 16 + 5 * 8 + 4;
const ENTRY: usize = 12;
/// Entries that are read at once: a kilobyte.
const BLOCK: usize = 85;

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

/// The entries of a run in memory: of each key the bits that tell it from others nearby, and the record. A key that is taken
/// for another, one of some millions, does no harm: its record does not fit then.
struct Held {
    bits: u32,
    keys: Vec<u32>,
    records: Vec<u32>,
    room: Arc<Room>,
}

impl Held {
    const EACH: usize = size_of::<u32>() * 2;
    fn bits_of(&self, key: u64) -> u32 {
        // A block may reach beyond the keys that begin as its first one does.
        (key << self.bits.saturating_sub(4) >> u32::BITS) as u32
    }
    /// Appends up to `most` records with a key among the entries of a block.
    fn find(&self, block: std::ops::Range<usize>, key: u64, most: usize, into: &mut Vec<u32>) {
        let bits = self.bits_of(key);
        let (keys, records) = (self.keys.get(block.clone()), self.records.get(block));
        let entries = keys.unwrap_or_default().iter().zip(records.unwrap_or_default());
        into.extend(entries.filter(|(key, _)| **key == bits).map(|(_, record)| *record).take(most));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.give_back(self.keys.len() * Self::EACH);
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
    /// Writes entries, which ascend, and opens the run. It is complete once it has its name.
    pub(super) fn write(
        path: PathBuf,
        generation: &[u8],
        from: Marks,
        to: Marks,
        entries: impl Iterator<Item = Entry>,
    ) -> Result<Self> {
        let unfinished = path.with_extension("new");
        let mut file = BufWriter::with_capacity(256 * 1024, File::create(&unfinished)?);
        file.write_all(&[0; HEAD])?;
        let (mut count, mut fences, mut sieves) = (0_u64, Vec::new(), Vec::new());
        let mut last = None;
        for entry in entries.filter(|entry| last.replace(*entry) != Some(*entry)) {
            if count.is_multiple_of(BLOCK as u64) {
                fences.push(entry.0);
                sieves.push(Sieve::default());
            }
            if let Some(sieve) = sieves.last_mut() {
                sieve.add(entry.0);
            }
            file.write_all(&entry.0.to_le_bytes())?;
            file.write_all(&entry.1.to_le_bytes())?;
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
        let count = self.count as usize;
        if self.held.get().is_some() || !room.take(count * Held::EACH) {
            return Ok(());
        }
        let (keys, records) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut held = Held { bits: self.beginnings.bits, keys, records, room: room.clone() };
        let read = self.entries().try_for_each(|entry| {
            let (key, record) = entry?;
            held.keys.push(held.bits_of(key));
            held.records.push(record);
            Ok(())
        });
        // What was taken is given back as a whole.
        held.keys.resize(count, 0);
        read.map(|()| _ = self.held.set(held))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends up to `most` records with a key.
    pub(super) fn find(&self, key: u64, most: usize, into: &mut Vec<u32>) -> Result<()> {
        let mut block = self.first_fence(key).saturating_sub(1);
        let mut bytes = [0; BLOCK * ENTRY];
        let mut room = most;
        while self.fences.get(block).is_some_and(|fence| *fence <= key) {
            if !self.sieves.get(block).is_some_and(|sieve| sieve.may_hold(key)) {
                block += 1;
                continue;
            }
            let before = into.len();
            if let Some(held) = self.held.get() {
                held.find(block * BLOCK..self.end_of(block), key, room, into);
            } else {
                let entries = self.read(block, &mut bytes)?;
                let first = entries.partition_point(|entry| u64_at(entry, 0) < key);
                let equal = entries.iter().skip(first).take_while(|entry| u64_at(*entry, 0) == key);
                into.extend(equal.take(room).map(|entry| u32_at(entry, 8)));
            }
            room -= into.len() - before;
            if room == 0 {
                break;
            }
            block += 1;
        }
        Ok(())
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

    /// All entries in order. A disk that fails ends them: what is written of them then has another length and is not used.
    pub(super) fn entries(&self) -> impl Iterator<Item = Result<Entry>> + '_ {
        let mut bytes = vec![0; BLOCK * ENTRY];
        (0..self.fences.len()).flat_map(move |block| {
            let entries: Vec<Result<Entry>> = match self.read(block, &mut bytes) {
                Ok(entries) => entries.iter().map(|entry| Ok((u64_at(entry, 0), u32_at(entry, 8)))).collect(),
                Err(error) => vec![Err(error)],
            };
            entries
        })
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
