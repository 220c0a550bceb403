//! What we handed out about documents: hash and size of recent answers' entries, to compare with the bytes that are
//! retrieved later. Communities that wrap or re-save documents at retrieve exist (user pain 111), and a difference must not
//! be silent. A bounded cache: what it has forgotten is not compared.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use openssl::sha::Sha1;

use crate::ids::HomeCommunityId;
use crate::limits;
use crate::metadata::views::awaits_assembly;
use crate::transactions::iti18::{ObjectKind, RegistryObject};

/// Hash and size of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// SHA-1.
    pub sha1: [u8; 20],
    /// Bytes.
    pub size: u64,
}

/// Home, repository and document, as two independent keyed hashes: 128 bits.
type Key = (u64, u64);

/// The cache: two generations, of which the older is dropped when the younger is half of the bound.
pub struct Fingerprints {
    keys: (RandomState, RandomState),
    generations: Mutex<Generations>,
    bound: usize,
}

#[derive(Default)]
struct Generations {
    young: HashMap<Key, Fingerprint>,
    old: HashMap<Key, Fingerprint>,
}

impl std::fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fingerprints")
    }
}

impl Default for Fingerprints {
    fn default() -> Self {
        Self::new(limits::MAX_FINGERPRINTS)
    }
}

impl Fingerprints {
    /// A cache of at most `bound` documents.
    pub fn new(bound: usize) -> Self {
        Self {
            keys: (RandomState::new(), RandomState::new()),
            generations: Mutex::new(Generations::default()),
            bound,
        }
    }

    /// Remembers the document entries of an answer.
    pub fn remember(&self, objects: &[RegistryObject]) {
        let known: Vec<_> = objects.iter().filter_map(|object| self.entry(object)).collect();
        if known.is_empty() {
            return;
        }
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, fingerprint) in known {
            if generations.young.len() >= self.bound / 2 {
                generations.old = std::mem::take(&mut generations.young);
            }
            generations.young.insert(key, fingerprint);
        }
    }

    /// What was handed out about a document.
    pub fn find(&self, home: &HomeCommunityId, repository: &str, document: &str) -> Option<Fingerprint> {
        let key = self.key(home, repository, document);
        let generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.young.get(&key).or_else(|| generations.old.get(&key)).copied()
    }

    fn entry(&self, object: &RegistryObject) -> Option<(Key, Fingerprint)> {
        // One that is assembled when it is retrieved has the hash and size of nothing until then.
        if object.kind != ObjectKind::DocumentEntry || awaits_assembly(object.hash.as_deref(), object.size) {
            return None;
        }
        let home = HomeCommunityId::parse(object.home.as_deref()?).ok()?;
        let key = self.key(&home, object.repository.as_deref()?, object.unique_id.as_deref()?);
        Some((key, Fingerprint { sha1: sha1_of(object.hash.as_deref()?)?, size: object.size? }))
    }

    fn key(&self, home: &HomeCommunityId, repository: &str, document: &str) -> Key {
        let parts = (home.oid(), repository, document);
        (self.keys.0.hash_one(parts), self.keys.1.hash_one(parts))
    }
}

/// Forty hexadecimal digits of either case.
fn sha1_of(hex: &str) -> Option<[u8; 20]> {
    let hex = hex.as_bytes();
    let mut sha1 = [0; 20];
    if hex.len() != 40 {
        return None;
    }
    for (byte, digits) in sha1.iter_mut().zip(hex.chunks_exact(2)) {
        let [high, low] = digits else { return None };
        let digit = |d: u8| char::from(d).to_digit(16);
        *byte = (digit(*high)? * 16 + digit(*low)?) as u8;
    }
    Some(sha1)
}

/// A document's fingerprint in the making.
pub struct Measure {
    sha1: Sha1,
    size: u64,
}

impl Default for Measure {
    fn default() -> Self {
        Self { sha1: Sha1::new(), size: 0 }
    }
}

impl Measure {
    /// The next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.sha1.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// The fingerprint of what came.
    pub fn finish(self) -> Fingerprint {
        Fingerprint { sha1: self.sha1.finish(), size: self.size }
    }
}

/// How bytes differ from what was said about them, for errors and logs. None if they do not.
pub fn difference(said: &Fingerprint, found: &Fingerprint) -> Option<String> {
    if said.size != found.size {
        Some(format!("its metadata say {} bytes, {} came", said.size, found.size))
    } else if said.sha1 != found.sha1 {
        let hex = |sha1: [u8; 20]| sha1.iter().map(|b| format!("{b:02x}")).collect::<String>();
        Some(format!("its metadata say hash {}, the bytes have {}", hex(said.sha1), hex(found.sha1)))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: usize) -> RegistryObject {
        RegistryObject {
            kind: ObjectKind::DocumentEntry,
            id: format!("urn:uuid:{id}"),
            home: Some("urn:oid:1.2".into()),
            unique_id: Some(format!("1.9.{id}")),
            repository: Some("1.3".into()),
            hash: Some("86F7E437FAA5A7FCE15D1DDCB9EAEAEA377667B8".into()),
            size: Some(1),
            patient_id: None,
            xml: Default::default(),
        }
    }

    #[test]
    fn remembers_what_was_handed_out_by_oid_and_folds_case() {
        let cache = Fingerprints::default();
        cache.remember(&[entry(1)]);
        let home = HomeCommunityId::parse("1.2").unwrap();
        let said = cache.find(&home, "1.3", "1.9.1").unwrap();
        let measured = |bytes| {
            let mut measure = Measure::default();
            measure.update(bytes);
            measure.finish()
        };
        assert_eq!(difference(&said, &measured(b"a")), None);
        assert!(difference(&said, &measured(b"xy")).unwrap().contains("1 bytes, 2 came"));
        assert_eq!(cache.find(&home, "1.3", "1.9.2"), None);
        assert_eq!(cache.find(&home, "1.4", "1.9.1"), None);
    }

    #[test]
    fn what_is_assembled_late_is_not_compared() {
        let cache = Fingerprints::default();
        let hash = Some("DA39A3EE5E6B4B0D3255BFEF95601890AFD80709".to_owned());
        cache.remember(&[RegistryObject { hash, size: Some(0), ..entry(1) }]);
        assert_eq!(cache.find(&HomeCommunityId::parse("1.2").unwrap(), "1.3", "1.9.1"), None);
    }

    #[test]
    fn is_bounded_and_forgets_the_oldest() {
        let cache = Fingerprints::new(10);
        let home = HomeCommunityId::parse("1.2").unwrap();
        for id in 0..1_000 {
            cache.remember(&[entry(id)]);
        }
        let kept = (0..1_000).filter(|id| cache.find(&home, "1.3", &format!("1.9.{id}")).is_some()).count();
        assert!((5..=10).contains(&kept), "{kept}");
        assert!(cache.find(&home, "1.3", "1.9.999").is_some());
    }

    #[test]
    fn a_hash_that_is_none_is_not_remembered() {
        assert_eq!(sha1_of("xyz"), None);
        assert_eq!(sha1_of(&"g".repeat(40)), None);
        assert_eq!(sha1_of(&"aB".repeat(20)), Some([0xab; 20]));
    }
}
