//! Giving back the space of removed documents. The order is that of storing, turned round: first a document's row goes,
//! durably, and with the same commit it is noted that its bytes are to follow; then they are erased; then the note goes.
//! So no row ever refers to bytes that are gone, and a crash in between leaves a note, which is taken up when the repository
//! is opened, or with the next removal.
//!
//! A large document's file is deleted, and so is an object. Of a small one's record the bytes are punched out of the
//! segment: its blocks go back to the file system, and what shares a block with a neighbour reads as zeros. The segment keeps
//! its length and the record's header, so that a walk still finds the next one.
//!
//! Where documents go into objects, several gateways remove, and one of them may still have older ones in its folder: what is
//! there stays noted until that one comes by.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};

use super::files::LargeFiles;
use super::index::{Erasure, Index, Place};
use super::objects::Objects;
use super::record::HEADER_BYTES;
use super::segments::Segments;
use crate::limits;
use crate::store::{Store, StoreError};

/// Where bytes are erased.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    pub(super) segments: &'a Path,
    pub(super) files: &'a LargeFiles,
    pub(super) objects: Option<&'a Objects>,
}

/// Erases what was noted. What cannot be erased stays noted and is logged, and holds up nothing behind it. Blocks.
pub(super) fn erase_all(store: &Store, index: &Index, places: Places<'_>) -> Result<(), StoreError> {
    let mut last = None;
    let mut away = false;
    loop {
        let found = {
            let index = index.clone();
            let most = limits::MAX_ERASURES_AT_ONCE;
            store.read_blocking(move |connection| index.erasures(connection, last.as_ref(), most))?
        };
        last = found.last().cloned();
        // Records come behind everything else: where they are another gateway's, that was all.
        let is_over =
            |last: &Erasure| matches!(last.place, Place::Segment(_)) && places.are_elsewhere(&last.place);
        let is_last_page = found.len() < limits::MAX_ERASURES_AT_ONCE || last.as_ref().is_some_and(is_over);
        let mut done = Vec::new();
        for erasure in found {
            let object = matches!(erasure.place, Place::Object(_));
            // A store that is away is asked once, not a thousand times.
            if object && away {
                continue;
            }
            if erased(&erasure, places) {
                done.push(erasure);
            } else {
                away |= object;
            }
        }
        if !done.is_empty() {
            let index = index.clone();
            store.write_blocking(move |connection| {
                done.iter().try_for_each(|erasure| index.erased(connection, erasure))
            })?;
        }
        if is_last_page {
            return Ok(());
        }
    }
}

impl Places<'_> {
    /// Whether it is in another gateway's folder: ours never had any documents.
    fn are_elsewhere(self, place: &Place) -> bool {
        !matches!(place, Place::Object(_)) && self.objects.is_some() && !self.segments.exists()
    }
}

fn erased(erasure: &Erasure, places: Places<'_>) -> bool {
    if places.are_elsewhere(&erasure.place) {
        return false;
    }
    match erase(erasure, places) {
        Ok(()) => true,
        // Gone already: a crash came between erasing and noting it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => {
            metrics::counter!("sekisho_repository_alarms_total").increment(1);
            tracing::error!(place = ?erasure.place, %error, "a removed document's bytes could not be erased yet");
            false
        }
    }
}

fn erase(erasure: &Erasure, places: Places<'_>) -> io::Result<()> {
    let position = match &erasure.place {
        Place::File(name) => return fs::remove_file(places.files.path(name)),
        Place::Object(key) => {
            let objects = places.objects.ok_or_else(super::no_object_store)?;
            return objects.runtime().block_on(objects.delete(key));
        }
        Place::Segment(_) if erasure.size == 0 => return Ok(()),
        Place::Segment(position) => position,
    };
    let file = OpenOptions::new().write(true).open(Segments::path(places.segments, position.segment))?;
    let offset = position.offset + HEADER_BYTES;
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match fallocate(&file, hole, offset, erasure.size) {
        // Not every file system gives space back in the middle of a file: there the bytes go, and the space stays.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
            file.write_all_at(&vec![0; erasure.size as usize], offset)?;
        }
        punched => punched?,
    }
    file.sync_data()
}
