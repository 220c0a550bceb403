//! The form in which an object is stored and returned: canonical ebRIM with the prefix `rim`, which a root above declares.
//!
//! Stored, it is a fifth as long: an LZ4 block against a dictionary of what all objects have in common, which costs an
//! answer about a microsecond for each object and saves it the reading of as many pages. Fragments that were stored before
//! lie there as they are returned.

use bytes::BytesMut;
use lz4_flex::block;

use crate::limits::MAX_FRAGMENT_BYTES;
use crate::metadata::Object;
use crate::store::StoreError;
use crate::wire::xml::{Ns, Tree, Writer};

/// What stands between the values of canonical objects, a line each. It never changes: a better one gets another number.
const DICTIONARY: &[u8] = include_bytes!("fragment.1.txt");
/// The first byte of what was packed with it. What is not packed begins with `<`.
const PACKED: u8 = 1;
/// Behind it: the length of the fragment, little-endian.
const HEADER: usize = 1 + size_of::<u32>();

/// An object as bytes.
pub(super) struct Fragment {
    /// Bytes of the start tag.
    pub(super) start: usize,
    /// All of it, as stored.
    pub(super) stored: Vec<u8>,
}

impl Fragment {
    pub(super) fn of(object: &Object) -> Self {
        let mut out = Writer::with_capacity(8 * 1024);
        object.write(&mut out);
        let bytes = out.finish();
        Self { start: start_tag(&bytes), stored: pack(bytes) }
    }
}

fn pack(fragment: Vec<u8>) -> Vec<u8> {
    let length = match u32::try_from(fragment.len()) {
        Ok(length) if fragment.len() <= MAX_FRAGMENT_BYTES => length,
        _ => return fragment,
    };
    let mut stored = vec![PACKED];
    stored.extend_from_slice(&length.to_le_bytes());
    stored.extend_from_slice(&block::compress_with_dict(&fragment, DICTIONARY));
    stored
}

/// Appends a fragment, as it is returned.
pub(super) fn unpack(stored: &[u8], to: &mut BytesMut) -> Result<(), StoreError> {
    let Some(packed) = packed(stored) else {
        to.extend_from_slice(stored);
        return Ok(());
    };
    let (begin, length) = (to.len(), unpacked_length(stored));
    to.resize(begin + length, 0);
    if block::decompress_into_with_dict(packed, &mut to[begin..], DICTIONARY)
        .is_ok_and(|filled| filled == length)
    {
        return Ok(());
    }
    to.truncate(begin);
    Err(StoreError::Damaged("a stored object cannot be unpacked".to_owned()))
}

/// Bytes of a stored fragment as it is returned.
pub(super) fn unpacked_length(stored: &[u8]) -> usize {
    match stored.first_chunk::<HEADER>() {
        Some([PACKED, length @ ..]) => (u32::from_le_bytes(*length) as usize).min(MAX_FRAGMENT_BYTES),
        _ => stored.len(),
    }
}

/// The block of a fragment that is packed.
fn packed(stored: &[u8]) -> Option<&[u8]> {
    stored.split_at_checked(HEADER).filter(|(header, _)| header[0] == PACKED).map(|(_, packed)| packed)
}

/// Where the first tag ends: behind its `>`, which may also stand in an attribute's value.
fn start_tag(xml: &[u8]) -> usize {
    let mut quote = None;
    for (at, &byte) in xml.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return at + 1,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    xml.len()
}

/// Reads a stored fragment back, to change the object.
pub(super) fn read(stored: &[u8]) -> Result<Object, StoreError> {
    let (prefix, uri) = Ns::RIM.known();
    let mut xml =
        BytesMut::from(format!("<{prefix}:RegistryObjectList xmlns:{prefix}=\"{uri}\">").as_bytes());
    unpack(stored, &mut xml)?;
    xml.extend_from_slice(format!("</{prefix}:RegistryObjectList>").as_bytes());
    let damaged = |why: String| StoreError::Damaged(format!("a stored object cannot be read: {why}"));
    let tree = Tree::parse(xml.freeze()).map_err(|error| damaged(error.to_string()))?;
    let element = tree.root().children().next().ok_or_else(|| damaged("it is empty".to_owned()))?;
    Object::read(element)
        .map_err(|error| damaged(error.to_string()))?
        .ok_or_else(|| damaged("it is no registry object".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_tag_ends_at_the_first_unquoted_bracket() {
        assert_eq!(start_tag(b"<rim:X a=\"1>2\" b='\">'><rim:Y/></rim:X>"), 22);
        assert_eq!(start_tag(b"<rim:X/>"), 8);
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        let fragment = format!("<rim:ExtrinsicObject id=\"urn:uuid:{}\"/>", "7".repeat(36)).into_bytes();
        let stored = pack(fragment.clone());
        assert!(stored.len() < fragment.len());
        let mut out = BytesMut::from("before".as_bytes());
        unpack(&stored, &mut out).unwrap();
        assert_eq!(out, [b"before", fragment.as_slice()].concat());
    }

    #[test]
    fn what_was_stored_before_is_read() {
        let mut out = BytesMut::new();
        unpack(b"<rim:ObjectRef/>", &mut out).unwrap();
        assert_eq!(out, b"<rim:ObjectRef/>".as_slice());
    }

    #[test]
    fn the_dictionary_is_the_one_that_fragments_were_packed_with() {
        assert_eq!(crc32fast::hash(DICTIONARY), 0x78ab02f5);
    }

    #[test]
    fn damage_is_an_error_and_leaves_nothing() {
        let stored = pack(DICTIONARY.repeat(3));
        for at in 0..stored.len() {
            for damaged in
                [stored[..at].to_vec(), [&stored[..at], &[!stored[at]], &stored[at + 1..]].concat()]
            {
                let mut out = BytesMut::new();
                if unpack(&damaged, &mut out).is_err() {
                    assert!(out.is_empty());
                }
            }
        }
        let long = [&[PACKED][..], &u32::MAX.to_le_bytes(), b"0"].concat();
        assert!(unpack(&long, &mut BytesMut::new()).is_err());
    }
}
