//! Under which key an entry lies.
//!
//! ```text
//! (length 4, tenant) (length 4, domain) (length 4, patient) community
//! ```
//!
//! A patient's entries stand together, and no patient's key begins another's.

use crate::ids::{HomeCommunityId, Oid, PatientId};

/// Key of an entry, or what the keys of a patient's entries begin with.
#[derive(Debug, Clone)]
pub(super) struct Key {
    bytes: Vec<u8>,
    tenant: usize,
    patient: usize,
}

impl Key {
    /// Of a patient in a community; without one what the patient's keys begin with.
    pub fn new(tenant: &str, local: &PatientId, community: Option<&HomeCommunityId>) -> Self {
        let community = community.map_or("", |community| community.oid().as_str());
        let parts = [tenant, local.authority().as_str(), local.id()];
        let patient = parts.iter().map(|part| 4 + part.len()).sum();
        let mut bytes = Vec::with_capacity(patient + community.len());
        for part in parts {
            bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes.extend_from_slice(community.as_bytes());
        Self { bytes, tenant: 4 + tenant.len(), patient }
    }

    /// One that was stored; None for what is none of this tenant.
    pub fn read(bytes: &[u8], tenant: &str) -> Option<Self> {
        let mut rest = bytes;
        let of = part(&mut rest)?;
        let (_domain, _patient) = (part(&mut rest)?, part(&mut rest)?);
        let patient = bytes.len() - rest.len();
        (of == tenant).then(|| Self { bytes: bytes.to_vec(), tenant: 4 + tenant.len(), patient })
    }

    /// As it is stored.
    pub fn stored(&self) -> &[u8] {
        &self.bytes
    }

    /// What the keys of the patient's entries begin with.
    pub fn of_patient(&self) -> &[u8] {
        self.bytes.get(..self.patient).unwrap_or_default()
    }

    /// All but the tenant, which is the same for all.
    pub fn in_tenant(&self) -> &[u8] {
        self.bytes.get(self.tenant..).unwrap_or_default()
    }

    /// Which of so many shares the patient falls into.
    pub fn share_of(&self, shares: usize) -> usize {
        crc32fast::hash(self.of_patient()) as usize % shares
    }

    /// Whose it is, and where; None if it was damaged.
    pub fn parts(&self) -> Option<(PatientId, HomeCommunityId)> {
        let mut rest = self.in_tenant();
        let (authority, id) = (part(&mut rest)?, part(&mut rest)?);
        let local = PatientId::new(id, Oid::parse(authority).ok()?);
        Some((local, HomeCommunityId::parse(std::str::from_utf8(rest).ok()?).ok()?))
    }
}

fn part<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let (length, behind) = rest.split_first_chunk::<4>()?;
    let (text, behind) = behind.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rest = behind;
    std::str::from_utf8(text).ok()
}
