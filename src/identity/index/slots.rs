//! Records as they are compared, beside the database: each in a slot of one file, at its number's place. A candidate costs
//! one small read then, instead of a way through a B-tree whose pages every commit makes a reader read again.
//!
//! The database holds the truth, and whatever is not certain is asked there:
//! - A slot is filled by whoever first reads its record there, or by the writer once a change is committed.
//! - While a change is under way, and for good where nobody knows what became of it, its slot is not read.
//! - The file is taken up at the next start only if it was closed by us, and the database is as it was then.
//!
//! So what a reader finds is never older than the moment of its transaction. It may be newer: then the writer sees, by what
//! was written since, that it has to look again.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::identity::matching::Prepared;

/// Bytes of a slot. Four fifths of them are what most people take.
const SLOT: usize = 256;
/// Before what is compared: a checksum, the revision, the length.
const BEFORE: usize = 4 + 4 + 2;
/// The length in a slot that nobody fills but the writer.
const CLOSED: u16 = u16::MAX;
/// The last byte goes up when records are compared in another form.
const MAGIC: &[u8; 8] = b"SKSLOTS1";

/// The slots of one index.
pub(super) struct Slots {
    file: File,
    generation: Vec<u8>,
    changing: Mutex<Changing>,
}

/// What the writer changes, from when a job does so until it is known what became of it.
#[derive(Default)]
struct Changing {
    /// The job that runs.
    job: u64,
    jobs: HashMap<u64, Vec<u32>>,
    slots: HashMap<u32, Change>,
    /// The index's last event, as far as we know what became of it.
    told: Option<u64>,
}

#[derive(Default)]
struct Change {
    jobs: usize,
    /// What the slot will hold; None: it is closed.
    slot: Option<Box<[u8; SLOT]>>,
}

/// A look at the slots from one moment on.
pub(super) struct Look<'s> {
    slots: &'s Slots,
    changing: Vec<u32>,
}

/// What a slot says.
pub(super) enum Slot {
    /// The record's revision, and how it is compared.
    Filled(i64, Prepared),
    /// Nothing yet.
    Empty,
    /// Ask the database.
    Closed,
}

impl Slots {
    /// Opens the file of an index. Blocks.
    pub(super) fn open(path: &Path, generation: &[u8]) -> io::Result<Self> {
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        Ok(Self { file, generation: generation.to_vec(), changing: Mutex::default() })
    }

    /// Takes up what is in the file, if it was closed when this was the index's last event; or forgets it. Before anything
    /// else. Blocks.
    pub(super) fn take_up(&self, told: u64) -> io::Result<()> {
        let mut found = [0; SLOT];
        let read = self.file.read_exact_at(&mut found, 0);
        if read.is_err() || found != head(&self.generation, Some(told)) {
            self.file.set_len(0)?;
        }
        self.changing().told = Some(told);
        self.file.write_all_at(&head(&self.generation, None), 0)?;
        self.file.sync_all()
    }

    /// Says that all of the file may be taken up, if that is so. Nobody may change anything any more. Blocks.
    pub(super) fn close(&self) {
        let changing = self.changing();
        let whole = changing.told.filter(|_| changing.slots.is_empty());
        let Some(head) = whole.map(|told| head(&self.generation, Some(told))) else { return };
        let synced = || self.file.sync_data();
        if let Err(error) = synced().and_then(|()| self.file.write_all_at(&head, 0)).and_then(|()| synced()) {
            tracing::warn!(%error, "the index's slots were not closed; they are made anew at the next start");
        }
    }

    /// Looks at the slots from now on. A reader's transaction must have begun before.
    pub(super) fn look(&self) -> Look<'_> {
        Look { slots: self, changing: self.changing().slots.keys().copied().collect() }
    }

    /// Fills an empty slot with what the database says.
    pub(super) fn fill(&self, record: u64, revision: i64, prepared: &Prepared) {
        let Some(number) = number(record) else { return };
        let changing = self.changing();
        if !changing.slots.contains_key(&number) && matches!(self.read(number), Slot::Empty) {
            self.write(number, slot(number, revision, prepared).as_deref());
        }
    }

    /// A writing job runs from here on.
    pub(super) fn begin(&self, job: u64) {
        self.changing().job = job;
    }

    /// The job that runs changes a record, or ends it.
    pub(super) fn change(&self, record: u64, to: Option<(i64, &Prepared)>) {
        let Some(number) = number(record) else { return };
        let mut changing = self.changing();
        let job = changing.job;
        changing.jobs.entry(job).or_default().push(number);
        let change = changing.slots.entry(number).or_default();
        change.jobs += 1;
        change.slot = to.and_then(|(revision, prepared)| slot(number, revision, prepared));
    }

    /// What became of a job: the index's last event then, or None if its changes do not stand, or may not. Jobs are settled in
    /// the order in which they ran.
    pub(super) fn settle(&self, job: u64, stands: Option<u64>) {
        let mut changing = self.changing();
        let changed = changing.jobs.remove(&job).unwrap_or_default();
        changing.told = stands.or(changing.told.filter(|_| changed.is_empty()));
        for number in changed {
            let Some(change) = changing.slots.get_mut(&number) else { continue };
            change.jobs -= 1;
            if stands.is_none() {
                change.slot = None;
            }
            if change.jobs == 0 {
                self.write(number, change.slot.as_deref());
                changing.slots.remove(&number);
            }
        }
    }

    fn changing(&self) -> MutexGuard<'_, Changing> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, number: u32) -> Slot {
        let mut bytes = [0; SLOT];
        match self.file.read_exact_at(&mut bytes, place(number)) {
            Ok(()) => filled(number, &bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Slot::Empty,
            Err(_) => Slot::Closed,
        }
    }

    /// Writes a slot, or closes it. On a disk that fails nobody knows what it holds, unless the checksum says so.
    fn write(&self, number: u32, slot: Option<&[u8; SLOT]>) {
        let written = self.file.write_all_at(slot.unwrap_or(&closed()), place(number));
        if let Err(error) = written {
            tracing::warn!(%error, "the index's slots cannot be written; they are made anew at the next start");
            let _ = self.file.set_len(0);
        }
    }
}

impl Look<'_> {
    /// What is known of a record.
    pub(super) fn at(&self, record: u64) -> Slot {
        match number(record).filter(|number| !self.changing.contains(number)) {
            Some(number) => self.slots.read(number),
            None => Slot::Closed,
        }
    }
}

/// Keys know records by 32 bits, too.
fn number(record: u64) -> Option<u32> {
    u32::try_from(record).ok()
}

/// The head has the first place; no record has the number 0.
fn place(number: u32) -> u64 {
    u64::from(number) * SLOT as u64
}

/// What stands at the beginning of a file that is in use, or was closed when this was the index's last event.
fn head(generation: &[u8], told: Option<u64>) -> [u8; SLOT] {
    let mut head = [0; SLOT];
    let closed = told.map(|told| (told + 1).to_le_bytes()).unwrap_or_default();
    let bytes = MAGIC.iter().chain(&closed).chain(generation);
    head.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
    head
}

fn closed() -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    slot[8..BEFORE].copy_from_slice(&CLOSED.to_le_bytes());
    slot
}

/// A slot with what is compared; None if it does not fit.
fn slot(number: u32, revision: i64, prepared: &Prepared) -> Option<Box<[u8; SLOT]>> {
    let bytes = prepared.as_bytes();
    let revision = u32::try_from(revision).ok()?;
    let length = u16::try_from(bytes.len()).ok()?;
    let mut slot = Box::new([0; SLOT]);
    slot.get_mut(BEFORE..BEFORE + bytes.len())?.copy_from_slice(bytes);
    slot[4..8].copy_from_slice(&revision.to_le_bytes());
    slot[8..BEFORE].copy_from_slice(&length.to_le_bytes());
    let checksum = checksum(number, &slot);
    slot[..4].copy_from_slice(&checksum.to_le_bytes());
    Some(slot)
}

fn filled(number: u32, slot: &[u8; SLOT]) -> Slot {
    let [a, b, c, d, e, f, g, h, i, j, rest @ ..] = slot;
    let length = u16::from_le_bytes([*i, *j]);
    if length == 0 {
        return Slot::Empty;
    }
    let whole = u32::from_le_bytes([*a, *b, *c, *d]) == checksum(number, slot);
    let revision = i64::from(u32::from_le_bytes([*e, *f, *g, *h]));
    let prepared = rest.get(..usize::from(length)).filter(|_| whole).and_then(Prepared::from_bytes);
    prepared.map_or(Slot::Closed, |prepared| Slot::Filled(revision, prepared))
}

fn checksum(number: u32, slot: &[u8; SLOT]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(&slot[4..]);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demographics::{BirthTime, Demographics, Name};

    const GENERATION: &[u8] = &[7; 16];

    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("sekisho-slots-{}", uuid::Uuid::new_v4()));
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }
        fn open(&self, generation: &[u8], told: u64) -> Slots {
            let slots = Slots::open(&self.0.join("1.slots"), generation).unwrap();
            slots.take_up(told).unwrap();
            slots
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn person(family: &str) -> Prepared {
        let name = Name { family: family.into(), given: "花子".into(), ..Name::default() };
        let birth = BirthTime::parse("19600229");
        Prepared::of(&Demographics { names: vec![name], birth, ..Demographics::default() })
    }

    fn revision(slots: &Slots, record: u64) -> Option<i64> {
        match slots.look().at(record) {
            Slot::Filled(revision, _) => Some(revision),
            Slot::Empty => Some(0),
            Slot::Closed => None,
        }
    }

    #[test]
    fn what_was_closed_is_taken_up_and_nothing_else() {
        let folder = Folder::new();
        let slots = folder.open(GENERATION, 5);
        slots.fill(3, 9, &person("山田"));
        assert!(matches!(slots.look().at(3), Slot::Filled(9, found) if found == person("山田")));
        slots.close();
        assert_eq!(revision(&folder.open(GENERATION, 5), 3), Some(9));
        // Nobody has closed it since.
        let slots = folder.open(GENERATION, 5);
        assert_eq!(revision(&slots, 3), Some(0));
        for (generation, told) in [(GENERATION, 4), (GENERATION, 6), (&[8; 16], 5)] {
            let slots = folder.open(GENERATION, 5);
            slots.fill(3, 9, &person("山田"));
            slots.close();
            assert_eq!(revision(&folder.open(generation, told), 3), Some(0), "{told}");
        }
    }

    #[test]
    fn a_slot_is_closed_while_its_record_changes_and_where_nobody_knows_what_became_of_it() {
        let folder = Folder::new();
        let slots = folder.open(GENERATION, 5);
        slots.fill(3, 1, &person("山田"));
        slots.begin(1);
        slots.change(3, Some((2, &person("鈴木"))));
        slots.change(4, Some((1, &person("佐藤"))));
        slots.fill(4, 1, &person("高橋"));
        assert_eq!((revision(&slots, 3), revision(&slots, 4)), (None, None));
        slots.begin(2);
        slots.change(3, Some((3, &person("田中"))));
        slots.settle(1, Some(6));
        assert_eq!((revision(&slots, 3), revision(&slots, 4)), (None, Some(1)));
        slots.settle(2, Some(7));
        assert!(matches!(slots.look().at(3), Slot::Filled(3, found) if found == person("田中")));

        slots.begin(3);
        slots.change(3, Some((4, &person("鈴木"))));
        slots.settle(3, None);
        slots.fill(3, 3, &person("田中"));
        assert_eq!(revision(&slots, 3), None);
        // The next change is known again, but not the last event before it was.
        slots.close();
        assert_eq!(revision(&folder.open(GENERATION, 7), 4), Some(0));
    }

    #[test]
    fn what_does_not_fit_or_is_damaged_is_asked_in_the_database() {
        let folder = Folder::new();
        let slots = folder.open(GENERATION, 5);
        let name = |number: usize| Name {
            family: format!("{number}Kachozakurayashiki"),
            given: format!("{number}Komachinosukezaemon"),
            ..Name::default()
        };
        let names = (0..6).map(name).collect();
        let long = Prepared::of(&Demographics { names, ..Demographics::default() });
        assert!(long.as_bytes().len() > SLOT);
        slots.fill(1, 1, &long);
        slots.fill(2, i64::MAX, &person("山田"));
        slots.fill(3, 1, &person("山田"));
        slots.fill(u64::MAX, 1, &person("山田"));
        let mut bytes = [0; SLOT];
        slots.file.read_exact_at(&mut bytes, place(3)).unwrap();
        slots.file.write_all_at(&bytes, place(5)).unwrap();
        bytes[40] ^= 1;
        slots.file.write_all_at(&bytes, place(6)).unwrap();
        for record in [1, 2, 5, 6, u64::MAX] {
            assert_eq!(revision(&slots, record), None, "{record}");
        }
        assert_eq!((revision(&slots, 3), revision(&slots, 4)), (Some(1), Some(0)));
    }
}
