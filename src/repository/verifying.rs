//! Reading everything that is stored, to see whether it is what was stored, and whether anything else is: for
//! `sekisho verify-store`. Blocks; called on a thread of a runtime that may.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use openssl::sha::Sha1;
use tokio::runtime::Handle;

use super::index::{Erasure, Place, Position, Row};
use super::orphans::Days;
use super::reading::{Extent, ObjectPieces};
use super::record::{self, HEADER_BYTES};
use super::segments::Segments;
use super::unpacking::STEP_BYTES;
use super::{Recount, Repository, StoredDocument};
use crate::limits;
use crate::store::{Connection, StoreError};

/// How a stored document was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Every byte, checksum and hash is right.
    Good,
    /// Its bytes are not there, or not all of them.
    Missing,
    /// Its bytes, or what is around them, are not what was stored; or they cannot be decrypted.
    Damaged,
}

/// Bytes that no document's row refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray(Erasure);

impl Stray {
    /// Where they are, for people.
    pub fn place(&self) -> String {
        match &self.0.place {
            Place::Segment(position) => {
                format!("segments/{:08}.seg at {}", position.segment, position.offset)
            }
            Place::File(name) => format!("large/{}/{name}", name.get(..2).unwrap_or_default()),
            Place::Object(key) => format!("object {key}"),
        }
    }
}

impl Repository {
    /// Reads every document and tells how it was found. An object store that does not answer ends it.
    pub fn verify_blocking(
        &self,
        mut tell: impl FnMut(&StoredDocument, Condition),
    ) -> Result<(), StoreError> {
        self.each(|rows| {
            let (objects, local): (Vec<_>, Vec<_>) =
                rows.into_iter().partition(|row| matches!(row.place, Place::Object(_)));
            for row in local {
                tell(&row.document, condition(self.verify(&row), Strict::No)?);
            }
            if objects.is_empty() {
                return Ok(());
            }
            Handle::current().block_on(async {
                let verify = |row: Row| async move { (self.verify_object(&row).await, row) };
                let mut verified =
                    stream::iter(objects).map(verify).buffer_unordered(limits::MAX_OBJECTS_AT_ONCE);
                while let Some((result, row)) = verified.next().await {
                    tell(&row.document, condition(result, Strict::Yes)?);
                }
                Ok(())
            })
        })
    }

    /// Bytes without a row, wherever documents are kept. Objects count only when they are older than
    /// [`limits::ORPHAN_GRACE`].
    pub fn strays_blocking(&self) -> Result<Vec<Stray>, StoreError> {
        self.strays(limits::ORPHAN_GRACE)
    }

    pub(super) fn strays(&self, grace: Duration) -> Result<Vec<Stray>, StoreError> {
        let mut strays = self.stray_records()?;
        let finished = self.rooms.dock.files.finished()?;
        let index = self.rooms.index.clone();
        let files = self.store.read_blocking(move |connection| {
            let mut strays = Vec::new();
            for name in finished {
                if !index.has_file(connection, &name)? {
                    strays.push(Erasure { place: Place::File(name), size: 0 });
                }
            }
            Ok(strays)
        })?;
        strays.extend(files);
        let orphans = Handle::current().block_on(self.orphans(Days::All, grace))?;
        strays.extend(
            orphans.into_iter().map(|object| Erasure { size: object.size, place: Place::Object(object.key) }),
        );
        Ok(strays.into_iter().map(Stray).collect())
    }

    /// How much is stored, counted anew.
    pub fn recount_blocking(&self) -> Result<Recount, StoreError> {
        let rooms = self.rooms.clone();
        self.store.read_blocking(move |connection| rooms.index.recount(connection))
    }

    /// Makes the count what is stored.
    pub fn correct_usage_blocking(&self) -> Result<(), StoreError> {
        let rooms = self.rooms.clone();
        self.store.write_blocking(move |connection| rooms.index.correct_usage(connection))
    }

    /// Erases strays. What cannot be erased now is noted, and is when the repository is opened again.
    pub fn erase_strays_blocking(&self, strays: Vec<Stray>) -> Result<(), StoreError> {
        let index = self.rooms.index.clone();
        self.store.write_blocking(move |connection| {
            for Stray(erasure) in &strays {
                // Nobody has come to refer to it since.
                let referred = match &erasure.place {
                    Place::File(name) | Place::Object(name) => index.has_file(connection, name)?,
                    Place::Segment(_) => false,
                };
                if !referred {
                    index.note_erasure(connection, erasure)?;
                }
            }
            Ok(())
        })?;
        self.erase();
        Ok(())
    }

    /// All rows, a page at a time.
    pub(super) fn each(
        &self,
        mut page: impl FnMut(Vec<Row>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let (rooms, last) = (self.rooms.clone(), after.clone());
            let read = move |connection: &Connection| {
                rooms.index.after(connection, &last, limits::VERIFIED_PAGE_DOCUMENTS)
            };
            let rows = self.store.read_blocking(read)?;
            let Some(last) = rows.last() else { return Ok(()) };
            after.clone_from(&last.document.unique_id);
            page(rows)?;
        }
    }

    fn verify(&self, row: &Row) -> io::Result<bool> {
        match &row.place {
            Place::Segment(position) => {
                let file = self.rooms.segments.read(position.segment)?;
                let mut header = [0; HEADER_BYTES as usize];
                file.read_exact_at(&mut header, position.offset)?;
                let fingerprint = self.rooms.index.fingerprint(&row.document.unique_id);
                if header != record::header(fingerprint, row.stored_size(), row.crc) {
                    return Ok(false);
                }
            }
            Place::File(name) if self.rooms.dock.files.size(name)? > row.stored_size() => return Ok(false),
            Place::File(_) | Place::Object(_) => {}
        }
        let mut extent = Extent::open(&self.rooms, row)?;
        let mut found = Found::default();
        while extent.left() > 0 {
            found.push(&extent.next(STEP_BYTES)?);
        }
        Ok(found.is(&row.document))
    }

    async fn verify_object(&self, row: &Row) -> io::Result<bool> {
        let mut pieces = ObjectPieces::open(&self.rooms, row).await?;
        let mut found = Found::default();
        while let Some(piece) = pieces.next().await? {
            found.push(&piece);
        }
        Ok(found.is(&row.document))
    }

    /// Records of the segments that no row refers to, but for those that were erased.
    fn stray_records(&self) -> Result<Vec<Erasure>, StoreError> {
        let mut known: HashMap<u32, Vec<u64>> = HashMap::new();
        self.each(|rows| {
            for row in rows {
                if let Place::Segment(Position { segment, offset }) = row.place {
                    known.entry(segment).or_default().push(offset);
                }
            }
            Ok(())
        })?;
        let mut strays = Vec::new();
        for segment in Segments::list(&self.segments)? {
            let mut offsets = known.remove(&segment).unwrap_or_default();
            offsets.sort_unstable();
            let file = self.rooms.segments.read(segment)?;
            for record in record::headers(&file)? {
                if offsets.binary_search(&record.offset).is_err() && !record::is_erased(&file, &record)? {
                    let place = Place::Segment(Position { segment, offset: record.offset });
                    strays.push(Erasure { place, size: record.length });
                }
            }
        }
        Ok(strays)
    }
}

/// What was read of a document.
#[derive(Default)]
struct Found {
    sha1: Sha1,
    size: u64,
}

impl Found {
    fn push(&mut self, piece: &[u8]) {
        self.sha1.update(piece);
        self.size += piece.len() as u64;
    }

    fn is(self, document: &StoredDocument) -> bool {
        let hash: String = self.sha1.finish().iter().map(|byte| format!("{byte:02x}")).collect();
        hash == document.sha1 && self.size == document.size
    }
}

/// Whether an error that says nothing of the document ends the reading: one of a disk concerns one file, one of an object
/// store all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strict {
    Yes,
    No,
}

fn condition(verified: io::Result<bool>, strict: Strict) -> Result<Condition, StoreError> {
    match verified {
        Ok(true) => Ok(Condition::Good),
        Ok(false) => Ok(Condition::Damaged),
        Err(error) => match error.kind() {
            ErrorKind::InvalidData => Ok(Condition::Damaged),
            ErrorKind::NotFound | ErrorKind::UnexpectedEof => Ok(Condition::Missing),
            _ if strict == Strict::Yes => Err(error.into()),
            _ => Ok(Condition::Missing),
        },
    }
}
