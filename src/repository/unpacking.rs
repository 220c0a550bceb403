//! From stored bytes back to the document: counted, checked, opened where they are sealed. The last bytes are given only if
//! all of them were right.

use std::io;

use bytes::Bytes;

use super::Rooms;
use super::index::Row;
use super::sealing::{Last, Opener};
use crate::limits;

/// How many stored bytes are best read at once: a chunk, or what a chunk is when it is sealed.
pub(super) const STEP_BYTES: u64 = limits::CHUNK_BYTES as u64;

/// A document that is being read.
pub(super) struct Unpacking {
    left: u64,
    crc: crc32fast::Hasher,
    expected: u32,
    opener: Option<Opener>,
}

impl Unpacking {
    pub(super) fn new(rooms: &Rooms, row: &Row) -> io::Result<Self> {
        let opener = rooms.dock.seals.opener(&row.document.unique_id, row.wrapped.as_ref())?;
        Ok(Self { left: row.stored_size(), crc: crc32fast::Hasher::new(), expected: row.crc, opener })
    }

    /// Stored bytes that are still to come.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Takes the next stored bytes; gives those of the document, which may be none yet.
    pub(super) fn push(&mut self, stored: Bytes) -> io::Result<Bytes> {
        let left = self.left.checked_sub(stored.len() as u64);
        self.left = left.ok_or_else(|| damaged("there is more than was stored"))?;
        self.crc.update(&stored);
        if self.left == 0 && self.crc.clone().finalize() != self.expected {
            return Err(damaged("the checksum is not that of the document"));
        }
        match &mut self.opener {
            Some(opener) => opener.push(&stored, if self.left == 0 { Last::Yes } else { Last::No }),
            None => Ok(stored),
        }
    }
}

/// What is stored is not what was.
pub(super) fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
