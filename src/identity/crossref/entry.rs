//! An entry of the cache and its bytes.
//!
//! ```text
//! version 1 | decided 1 | score 1 | identifiers 1 | obtained 8 | expires 8 | digest 16 | (length 2, authority, length 2, id)*
//! ```

use openssl::sha::sha256;

use crate::demographics::Demographics;
use crate::ids::{HomeCommunityId, Oid, PatientId};
use crate::limits;

const VERSION: u8 = 1;

/// Of the demographics by which somebody was found: if they are others now, the answer says nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 16]);

impl Digest {
    /// Of a person as described now.
    pub fn of(person: &Demographics) -> Self {
        let text = serde_json::to_vec(person).unwrap_or_default();
        let mut digest = [0; 16];
        digest.copy_from_slice(&sha256(&text)[..16]);
        Self(digest)
    }
    /// Nobody was described: the answer was found by an identifier.
    pub const NONE: Self = Self([0; 16]);

    /// As text.
    pub fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
    pub(super) fn from_hex(text: &str) -> Option<Self> {
        let value = u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32)?;
        Some(Self(value.to_be_bytes()))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(Digest)")
    }
}

/// Who said that this is who the patient is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// The community itself, asked by us (ITI-55).
    Community = 1,
    /// The community itself, when it asked us and told its own identifier.
    Initiator = 2,
    /// A PIX Manager or central MPI.
    Manager = 3,
    /// An operator, by import.
    Operator = 4,
}

impl Decided {
    pub(super) const ALL: [(Self, &'static str); 4] = [
        (Self::Community, "community"),
        (Self::Initiator, "initiator"),
        (Self::Manager, "manager"),
        (Self::Operator, "operator"),
    ];
}

/// Who a patient is in one community.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The identifiers there; none: nobody there is this patient.
    pub remote: Vec<PatientId>,
    /// Of the demographics that were asked with.
    pub digest: Digest,
    /// Degree of the match, 0 to 100.
    pub score: u8,
    /// Who decided.
    pub decided: Decided,
    /// When, in seconds since 1970.
    pub obtained: u64,
    /// When it ends, in seconds since 1970.
    pub expires: u64,
}

impl Entry {
    /// Its bytes; of more identifiers than [`limits::MAX_IDENTITIES_PER_COMMUNITY`] the first. None if one is too long to be
    /// an identifier: it is asked again.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let remote: Vec<_> = self.remote.iter().take(limits::MAX_IDENTITIES_PER_COMMUNITY).collect();
        let mut bytes = Vec::with_capacity(36 + remote.len() * 64);
        bytes.extend([VERSION, self.decided as u8, self.score, remote.len() as u8]);
        bytes.extend(self.obtained.to_be_bytes());
        bytes.extend(self.expires.to_be_bytes());
        bytes.extend(self.digest.0);
        for text in remote.iter().flat_map(|id| [id.authority().as_str(), id.id()]) {
            bytes.extend(u16::try_from(text.len()).ok()?.to_be_bytes());
            bytes.extend(text.bytes());
        }
        Some(bytes)
    }

    /// Reads them; None for another version, or damage.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut bytes = bytes;
        let [version, decided, score, identifiers] = array(&mut bytes)?;
        if version != VERSION {
            return None;
        }
        let (decided, _) = Decided::ALL.into_iter().find(|(kind, _)| *kind as u8 == decided)?;
        let obtained = u64::from_be_bytes(array(&mut bytes)?);
        let expires = u64::from_be_bytes(array(&mut bytes)?);
        let digest = Digest(array(&mut bytes)?);
        let mut remote =
            Vec::with_capacity(usize::from(identifiers).min(limits::MAX_IDENTITIES_PER_COMMUNITY));
        for _ in 0..identifiers {
            let authority = Oid::parse(text(&mut bytes)?).ok()?;
            remote.push(PatientId::new(text(&mut bytes)?, authority));
        }
        bytes.is_empty().then_some(Self { remote, digest, score, decided, obtained, expires })
    }

    /// The identities in the form of the main job.
    pub fn identities(&self, community: &HomeCommunityId) -> Vec<(HomeCommunityId, PatientId)> {
        self.remote.iter().map(|id| (community.clone(), id.clone())).collect()
    }
}

fn array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (array, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*array)
}

fn text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::from(u16::from_be_bytes(array(bytes)?));
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    std::str::from_utf8(text).ok()
}
