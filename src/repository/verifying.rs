//! Reading everything that is stored, to see whether it is what was stored: for `sekisho verify-store`. Blocks.

use std::io;
use std::os::unix::fs::FileExt;

use openssl::sha::Sha1;

use super::index::{Place, Row};
use super::record::{self, HEADER_BYTES};
use super::{Repository, StoredDocument};
use crate::limits;
use crate::store::{Connection, StoreError};

/// How a stored document was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Every byte, checksum and hash is right.
    Good,
    /// Its bytes are not there, or not all of them.
    Missing,
    /// Its bytes, or the record around them, are not what was stored.
    Damaged,
}

impl Repository {
    /// What is stored, without its bytes.
    pub fn list_blocking(&self) -> Result<Vec<StoredDocument>, StoreError> {
        let mut listed = Vec::new();
        self.each(|rows| listed.extend(rows.into_iter().map(|row| row.document)))?;
        Ok(listed)
    }

    /// Reads every document and tells how it was found.
    pub fn verify_blocking(
        &self,
        mut tell: impl FnMut(&StoredDocument, Condition),
    ) -> Result<(), StoreError> {
        self.each(|rows| {
            for row in rows {
                let condition = match self.verify(&row) {
                    Ok(true) => Condition::Good,
                    Ok(false) => Condition::Damaged,
                    Err(_) => Condition::Missing,
                };
                tell(&row.document, condition);
            }
        })
    }

    /// All rows, a page at a time.
    fn each(&self, mut page: impl FnMut(Vec<Row>)) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let (rooms, last) = (self.rooms.clone(), after.clone());
            let read = move |connection: &Connection| {
                rooms.index.after(connection, &last, limits::VERIFIED_PAGE_DOCUMENTS)
            };
            let rows = self.store.read_blocking(read)?;
            let Some(last) = rows.last() else { return Ok(()) };
            after.clone_from(&last.document.unique_id);
            page(rows);
        }
    }

    fn verify(&self, row: &Row) -> io::Result<bool> {
        let (file, at) = match &row.place {
            Place::Segment(position) => {
                let file = self.rooms.segments.read(position.segment)?;
                let mut header = [0; HEADER_BYTES as usize];
                file.read_exact_at(&mut header, position.offset)?;
                let fingerprint = self.rooms.index.fingerprint(&row.document.unique_id);
                if header != record::header(fingerprint, row.document.size, row.crc) {
                    return Ok(false);
                }
                (file, position.offset + HEADER_BYTES)
            }
            Place::File(name) => {
                let file = self.rooms.files.read(name)?;
                if file.metadata()?.len() > row.document.size {
                    return Ok(false);
                }
                (file.into(), 0)
            }
        };
        let (mut crc, mut sha1) = (crc32fast::Hasher::new(), Sha1::new());
        let mut chunk = vec![0; limits::CHUNK_BYTES];
        let (mut at, mut left) = (at, row.document.size);
        while left > 0 {
            let length = left.min(chunk.len() as u64) as usize;
            let Some(bytes) = chunk.get_mut(..length) else { break };
            file.read_exact_at(bytes, at)?;
            crc.update(bytes);
            sha1.update(bytes);
            at += length as u64;
            left -= length as u64;
        }
        let hash: String = sha1.finish().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(crc.finalize() == row.crc && hash == row.document.sha1)
    }
}
