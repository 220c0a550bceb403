//! What a small document looks like in a segment, so that a walk can tell what is there without the index.
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
//!
//! Records lie one behind the other. Each group of records begins on a multiple of [`BLOCK_BYTES`]; before it are zeros.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::sealing::sealed_size;
use crate::limits;

const MAGIC: [u8; 8] = *b"SEKISHO\x01";
/// Bytes before each document.
pub(super) const HEADER_BYTES: u64 = 40;
/// What is written at once begins and ends on a multiple of this.
pub(super) const BLOCK_BYTES: u64 = 4096;

/// A record that a walk came across.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) fingerprint: [u8; 16],
}

/// The whole records of a segment from `offset` on, up to the first that is not whole.
pub(super) fn walk(file: &File, mut offset: u64) -> io::Result<Vec<Record>> {
    let mut records = Vec::new();
    let end = file.metadata()?.len();
    let mut header = [0; HEADER_BYTES as usize];
    while offset + HEADER_BYTES <= end {
        file.read_exact_at(&mut header, offset)?;
        let Some((length, crc, fingerprint)) = read_header(&header) else {
            // Zeros up to the next block, or the end of what can be read.
            if header[0] != 0 || offset.is_multiple_of(BLOCK_BYTES) {
                break;
            }
            offset = offset.next_multiple_of(BLOCK_BYTES);
            continue;
        };
        if length > sealed_size(limits::SMALL_DOCUMENT_BYTES) || offset + HEADER_BYTES + length > end {
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

/// The records of a segment as far as their headers tell, whether or not the bytes behind them are right. Where a header is
/// not right, the next group of records is looked for.
pub(super) fn headers(file: &File) -> io::Result<Vec<Record>> {
    let mut records = Vec::new();
    let end = file.metadata()?.len();
    let (mut offset, mut header) = (0, [0; HEADER_BYTES as usize]);
    while offset + HEADER_BYTES <= end {
        file.read_exact_at(&mut header, offset)?;
        offset = match read_header(&header) {
            Some((length, _, fingerprint)) if length <= end - offset - HEADER_BYTES => {
                records.push(Record { offset, length, fingerprint });
                offset + HEADER_BYTES + length
            }
            _ => (offset + 1).next_multiple_of(BLOCK_BYTES),
        };
    }
    Ok(records)
}

/// Whether nothing is left of a record but its header.
pub(super) fn is_erased(file: &File, record: &Record) -> io::Result<bool> {
    let mut document = vec![0; record.length as usize];
    file.read_exact_at(&mut document, record.offset + HEADER_BYTES)?;
    Ok(document.iter().all(|byte| *byte == 0))
}

/// The bytes before a document.
pub(super) fn header(fingerprint: [u8; 16], length: u64, crc: u32) -> [u8; HEADER_BYTES as usize] {
    let mut header = [0; HEADER_BYTES as usize];
    header[..8].copy_from_slice(&MAGIC);
    header[8..16].copy_from_slice(&length.to_le_bytes());
    header[16..20].copy_from_slice(&crc.to_le_bytes());
    header[20..36].copy_from_slice(&fingerprint);
    let own = crc32fast::hash(&header[..36]);
    header[36..].copy_from_slice(&own.to_le_bytes());
    header
}

/// Length, CRC and fingerprint of a header that is whole: of what is stored, sealed or not.
fn read_header(header: &[u8; HEADER_BYTES as usize]) -> Option<(u64, u32, [u8; 16])> {
    let (said, own) = header.split_last_chunk::<4>()?;
    if !said.starts_with(&MAGIC) || crc32fast::hash(said) != u32::from_le_bytes(*own) {
        return None;
    }
    let length = u64::from_le_bytes(said[8..16].try_into().ok()?);
    let crc = u32::from_le_bytes(said[16..20].try_into().ok()?);
    Some((length, crc, said[20..36].try_into().ok()?))
}
