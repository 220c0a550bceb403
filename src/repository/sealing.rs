//! Encryption at rest: AES-256-GCM (NIST SP 800-38D) through OpenSSL.
//!
//! Every document has a data key of its own, which is random and used for nothing else. The data key lies beside the
//! document's row, wrapped by a key of the tenant, so that the tenant's key can be changed without a document's bytes being
//! written anew ([`super::rotating`]), and so that whoever has the bytes, or the rows, or both, has nothing without it.
//!
//! The bytes are sealed in pieces of [`limits::SEALED_CHUNK_BYTES`], the last being shorter: ciphertext, then the tag of 16
//! bytes. So a stream stays a stream, and no byte is given out that was not verified.
//!
//! | | pieces of a document | its data key |
//! |---|---|---|
//! | key | the data key | the tenant's key |
//! | nonce | the piece's number, from 0, as 12 bytes | random, before the wrapped key |
//! | bound to (AAD) | tenant, repository, the piece's number, whether it is the last | tenant, repository, uniqueId, the key's id |
//!
//! So pieces cannot be left out, repeated, put in another order, or come from another document; a document cannot be taken
//! for another's, nor a row be pointed at other bytes.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use openssl::error::ErrorStack;
use openssl::rand::rand_bytes;
use openssl::sha::sha256;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};

use crate::limits;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// A piece as it is stored.
const SEALED_BYTES: usize = limits::SEALED_CHUNK_BYTES + TAG_BYTES;

/// A tenant's keys, by their ids: the current one, with which data keys are wrapped, and older ones, which are still read.
/// Cheap to clone.
#[derive(Clone)]
pub struct Keys(Arc<TenantKeys>);

struct TenantKeys {
    current: String,
    by_id: HashMap<String, [u8; KEY_BYTES]>,
}

impl Keys {
    /// With the key that is current among them; None if it is not.
    pub fn new(current: &str, keys: impl IntoIterator<Item = (String, [u8; KEY_BYTES])>) -> Option<Self> {
        let by_id: HashMap<_, _> = keys.into_iter().collect();
        let keys = TenantKeys { current: current.to_owned(), by_id };
        keys.by_id.contains_key(current).then(|| Self(Arc::new(keys)))
    }

    /// A key as people write it: 64 hexadecimal digits, or 32 bytes in base64. Blanks around it do not count.
    pub fn parse(text: &str) -> Option<[u8; KEY_BYTES]> {
        let text = text.trim();
        if text.len() == 2 * KEY_BYTES && text.is_ascii() {
            let digits = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
            let bytes: Option<Vec<u8>> = (0..KEY_BYTES).map(|n| digits(2 * n)).collect();
            return bytes?.try_into().ok();
        }
        BASE64_STANDARD.decode(text).ok()?.try_into().ok()
    }

    /// The id of the current key.
    pub(super) fn current(&self) -> &str {
        &self.0.current
    }

    /// Something by which a key can be known again, and from which it cannot be found.
    pub(super) fn proof(&self, id: &str) -> Option<String> {
        let key = self.0.by_id.get(id)?;
        let digest = sha256(&[b"sekisho-key-proof-1".as_slice(), key].concat());
        Some(digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ids: Vec<_> = self.0.by_id.keys().collect();
        ids.sort_unstable();
        write!(f, "Keys({ids:?}, current {:?})", self.0.current)
    }
}

/// A data key, wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrapped {
    /// Id of the tenant's key.
    pub(super) key_id: String,
    /// Nonce, ciphertext and tag in base64.
    pub(super) data_key: String,
}

/// What a document is sealed with.
#[derive(Clone)]
pub(super) struct DataKey([u8; KEY_BYTES]);

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey")
    }
}

/// How the documents of one repository of one tenant are sealed.
#[derive(Debug, Clone)]
pub(super) struct Seals {
    keys: Option<Keys>,
    /// Tenant and repository, as everything is bound to them.
    owner: Arc<[u8]>,
}

impl Seals {
    pub(super) fn new(keys: Option<Keys>, tenant: &str, repository: &str) -> Self {
        Self { keys, owner: joined(&[tenant.as_bytes(), repository.as_bytes()]).into() }
    }

    pub(super) fn keys(&self) -> Option<&Keys> {
        self.keys.as_ref()
    }

    /// What seals a new document; None where documents are not encrypted.
    pub(super) fn sealer(&self) -> io::Result<Option<Sealer>> {
        if self.keys.is_none() {
            return Ok(None);
        }
        let mut key = [0; KEY_BYTES];
        rand_bytes(&mut key).map_err(failed)?;
        Ok(Some(Sealer { key: DataKey(key), owner: self.owner.clone(), number: 0, pending: BytesMut::new() }))
    }

    /// What opens a document; None for one that is not sealed.
    pub(super) fn opener(&self, unique_id: &str, wrapped: Option<&Wrapped>) -> io::Result<Option<Opener>> {
        let Some(wrapped) = wrapped else { return Ok(None) };
        let key = self.unwrap(unique_id, wrapped)?;
        Ok(Some(Opener { key, owner: self.owner.clone(), number: 0, pending: BytesMut::new() }))
    }

    /// Wraps a document's data key with the tenant's current key.
    pub(super) fn wrap(&self, unique_id: &str, key: &DataKey) -> io::Result<Wrapped> {
        let keys = self.keys.as_ref().ok_or_else(|| io::Error::other("there is no key to encrypt with"))?;
        let key_id = keys.current();
        let mut nonce = [0; NONCE_BYTES];
        rand_bytes(&mut nonce).map_err(failed)?;
        let wrapping = self.key(key_id)?;
        let sealed = seal(wrapping, &nonce, &self.data_key_aad(unique_id, key_id), &key.0)?;
        let data_key = BASE64_STANDARD.encode([&nonce[..], &sealed].concat());
        Ok(Wrapped { key_id: key_id.to_owned(), data_key })
    }

    /// A document's data key.
    pub(super) fn unwrap(&self, unique_id: &str, wrapped: &Wrapped) -> io::Result<DataKey> {
        let wrapping = self.key(&wrapped.key_id)?;
        let aad = self.data_key_aad(unique_id, &wrapped.key_id);
        let sealed = BASE64_STANDARD.decode(&wrapped.data_key).unwrap_or_default();
        let opened = match sealed.split_first_chunk::<NONCE_BYTES>() {
            Some((nonce, sealed)) => open(wrapping, nonce, &aad, sealed)?.try_into().ok(),
            None => None,
        };
        opened.map(DataKey).ok_or_else(|| damaged("the document's key is damaged"))
    }

    fn key(&self, id: &str) -> io::Result<&[u8; KEY_BYTES]> {
        let key = self.keys.as_ref().and_then(|keys| keys.0.by_id.get(id));
        key.ok_or_else(|| {
            damaged(&format!("it is encrypted with key {id:?}, which is not in the configuration"))
        })
    }

    fn data_key_aad(&self, unique_id: &str, key_id: &str) -> Vec<u8> {
        joined(&[b"sekisho-data-key-1", &self.owner, unique_id.as_bytes(), key_id.as_bytes()])
    }
}

/// How many bytes a sealed document of `size` bytes has.
pub(super) fn sealed_size(size: u64) -> u64 {
    let pieces = size.div_ceil(limits::SEALED_CHUNK_BYTES as u64).max(1);
    size + pieces * TAG_BYTES as u64
}

/// Seals one document, from its beginning to its end.
#[derive(Debug)]
pub(super) struct Sealer {
    key: DataKey,
    owner: Arc<[u8]>,
    number: u64,
    pending: BytesMut,
}

impl Sealer {
    /// Takes the next bytes; gives what is sealed so far. A piece waits until something follows it: only then it is known
    /// not to be the last.
    pub(super) fn push(&mut self, mut bytes: &[u8], sealed: &mut Vec<Bytes>) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.pending.len() == limits::SEALED_CHUNK_BYTES {
                sealed.push(self.piece(Last::No)?);
            }
            let room = limits::SEALED_CHUNK_BYTES - self.pending.len();
            let (taken, rest) = bytes.split_at(bytes.len().min(room));
            self.pending.extend_from_slice(taken);
            bytes = rest;
        }
        Ok(())
    }

    /// Seals the rest; gives the key.
    pub(super) fn finish(mut self, sealed: &mut Vec<Bytes>) -> io::Result<DataKey> {
        sealed.push(self.piece(Last::Yes)?);
        Ok(self.key)
    }

    fn piece(&mut self, last: Last) -> io::Result<Bytes> {
        let aad = piece_aad(&self.owner, self.number, last);
        let sealed = seal(&self.key.0, &nonce(self.number), &aad, &self.pending)?;
        self.pending.clear();
        self.number += 1;
        Ok(sealed.into())
    }
}

/// Opens one document, from its beginning to its end.
#[derive(Debug)]
pub(super) struct Opener {
    key: DataKey,
    owner: Arc<[u8]>,
    number: u64,
    pending: BytesMut,
}

/// Whether a piece is the last of its document, or bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    Yes,
    No,
}

impl Opener {
    /// Takes the next stored bytes; gives what they open to.
    pub(super) fn push(&mut self, sealed: &[u8], last: Last) -> io::Result<Bytes> {
        self.pending.extend_from_slice(sealed);
        let mut opened = BytesMut::new();
        while self.pending.len() > SEALED_BYTES || (last == Last::No && self.pending.len() == SEALED_BYTES) {
            let piece = self.pending.split_to(SEALED_BYTES);
            opened.extend_from_slice(&self.piece(&piece, Last::No)?);
        }
        if last == Last::Yes {
            let piece = self.pending.split();
            opened.extend_from_slice(&self.piece(&piece, Last::Yes)?);
        }
        Ok(opened.freeze())
    }

    fn piece(&mut self, sealed: &[u8], last: Last) -> io::Result<Vec<u8>> {
        let aad = piece_aad(&self.owner, self.number, last);
        let opened = open(&self.key.0, &nonce(self.number), &aad, sealed)?;
        self.number += 1;
        Ok(opened)
    }
}

fn nonce(number: u64) -> [u8; NONCE_BYTES] {
    let mut nonce = [0; NONCE_BYTES];
    nonce[NONCE_BYTES - 8..].copy_from_slice(&number.to_be_bytes());
    nonce
}

fn piece_aad(owner: &[u8], number: u64, last: Last) -> Vec<u8> {
    joined(&[b"sekisho-document-1", owner, &number.to_be_bytes(), &[u8::from(last == Last::Yes)]])
}

/// Parts, each preceded by its length, so that no two lists of parts are joined alike.
fn joined(parts: &[&[u8]]) -> Vec<u8> {
    let with_length = |part: &&[u8]| [&(part.len() as u64).to_be_bytes()[..], part].concat();
    parts.iter().flat_map(with_length).collect()
}

fn seal(key: &[u8], nonce: &[u8], aad: &[u8], plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut tag = [0; TAG_BYTES];
    let mut sealed =
        encrypt_aead(Cipher::aes_256_gcm(), key, Some(nonce), aad, plain, &mut tag).map_err(failed)?;
    sealed.extend_from_slice(&tag);
    Ok(sealed)
}

fn open(key: &[u8], nonce: &[u8], aad: &[u8], sealed: &[u8]) -> io::Result<Vec<u8>> {
    let Some((sealed, tag)) = sealed.split_last_chunk::<TAG_BYTES>() else {
        return Err(damaged("it is cut off"));
    };
    decrypt_aead(Cipher::aes_256_gcm(), key, Some(nonce), aad, sealed, tag)
        .map_err(|_| damaged("it is not what was encrypted, or was with another key"))
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn failed(error: ErrorStack) -> io::Error {
    io::Error::other(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: usize = limits::SEALED_CHUNK_BYTES;

    fn seals(tenant: &str, current: &str) -> Seals {
        let keys = ["old", "new"].map(|id| (id.to_owned(), [id.len() as u8 + id.as_bytes()[0]; KEY_BYTES]));
        Seals::new(Keys::new(current, keys), tenant, "1.2.3")
    }

    fn document(size: usize) -> Vec<u8> {
        (0..size).map(|n| (n * 31 + n / 251) as u8).collect()
    }

    fn sealed(seals: &Seals, plain: &[u8]) -> (Vec<Bytes>, Wrapped) {
        let mut sealer = seals.sealer().unwrap().unwrap();
        let mut pieces = Vec::new();
        plain.chunks(10_007).for_each(|chunk| sealer.push(chunk, &mut pieces).unwrap());
        let key = sealer.finish(&mut pieces).unwrap();
        (pieces, seals.wrap("1.1", &key).unwrap())
    }

    fn opened(seals: &Seals, id: &str, pieces: &[Bytes], wrapped: &Wrapped) -> io::Result<Vec<u8>> {
        let mut opener = seals.opener(id, Some(wrapped))?.unwrap();
        let stored = pieces.concat();
        let mut plain = Vec::new();
        let mut chunks = stored.chunks(70_001).peekable();
        loop {
            let chunk = chunks.next().unwrap_or_default();
            let last = if chunks.peek().is_none() { Last::Yes } else { Last::No };
            plain.extend_from_slice(&opener.push(chunk, last)?);
            if last == Last::Yes {
                return Ok(plain);
            }
        }
    }

    #[test]
    fn what_is_sealed_opens_to_the_same_and_to_nothing_else() {
        let seals = seals("tenant", "new");
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 17] {
            let plain = document(size);
            let (pieces, wrapped) = sealed(&seals, &plain);
            let stored: usize = pieces.iter().map(Bytes::len).sum();
            assert_eq!(stored as u64, sealed_size(size as u64), "{size}");
            assert!(opened(&seals, "1.1", &pieces, &wrapped).unwrap() == plain, "{size}");
            assert!(size < 100 || !pieces.concat().windows(32).any(|window| plain.starts_with(window)));
        }
    }

    #[test]
    fn attack_64_pieces_cannot_be_cut_off_exchanged_or_repeated() {
        let seals = seals("tenant", "new");
        let (pieces, wrapped) = sealed(&seals, &document(3 * CHUNK + 5));
        let (others, _) = sealed(&seals, &document(3 * CHUNK + 5));
        let changed = |change: &dyn Fn(&mut Vec<Bytes>)| {
            let mut pieces = pieces.clone();
            change(&mut pieces);
            opened(&seals, "1.1", &pieces, &wrapped)
        };
        assert!(changed(&|_| {}).is_ok());
        changed(&|pieces| drop(pieces.pop())).unwrap_err();
        changed(&|pieces| pieces.truncate(1)).unwrap_err();
        changed(&|pieces| pieces.clear()).unwrap_err();
        changed(&|pieces| pieces.swap(0, 1)).unwrap_err();
        changed(&|pieces| pieces[1] = pieces[0].clone()).unwrap_err();
        changed(&|pieces| pieces[1] = others[1].clone()).unwrap_err();
        changed(&|pieces| pieces.push(pieces[3].clone())).unwrap_err();
        changed(&|pieces| {
            pieces[2] = [&pieces[2][..77], &[pieces[2][77] ^ 1], &pieces[2][78..]].concat().into()
        })
        .unwrap_err();
    }

    #[test]
    fn a_data_key_is_its_documents_its_tenants_and_its_keys() {
        let old = seals("tenant", "old");
        let (pieces, wrapped) = sealed(&old, b"something");
        assert!(opened(&seals("tenant", "new"), "1.1", &pieces, &wrapped).is_ok(), "old keys are still read");
        opened(&old, "1.2", &pieces, &wrapped).unwrap_err();
        opened(&seals("another", "old"), "1.1", &pieces, &wrapped).unwrap_err();
        let renamed = Wrapped { key_id: "new".to_owned(), ..wrapped.clone() };
        opened(&old, "1.1", &pieces, &renamed).unwrap_err();
        let without = Seals::new(Keys::new("new", [("new".to_owned(), [1; 32])]), "tenant", "1.2.3");
        let error = opened(&without, "1.1", &pieces, &wrapped).unwrap_err().to_string();
        assert!(error.contains("\"old\""), "{error}");
        assert!(Keys::new("lost", [("new".to_owned(), [1; 32])]).is_none());
    }

    #[test]
    fn keys_are_written_in_hexadecimal_or_base64() {
        let key = [0xa5; KEY_BYTES];
        assert_eq!(Keys::parse(&format!(" {}\n", "a5".repeat(32))), Some(key));
        assert_eq!(Keys::parse(&BASE64_STANDARD.encode(key)), Some(key));
        for wrong in ["", "a5", &"g5".repeat(32), &"é".repeat(32), &BASE64_STANDARD.encode([1; 16])] {
            assert_eq!(Keys::parse(wrong), None, "{wrong}");
        }
    }
}
