//! Identifiers as types: each parses once, compares by meaning, and keeps its original text so that it can
//! be echoed byte for byte (ITI TF-3: 4.2.3.1.7; user pains 55 to 57: prefixes added and stripped in the wrong places).

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::limits;

/// Why a text is not the identifier that it should be. Says the rule, never the surrounding data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not digits and dots, an arc with a leading zero, or fewer than two arcs.
    #[error("{0:?} is no OID: digits and dots, at least two arcs, no leading zeros")]
    Oid(String),
    /// Longer than 64 characters.
    #[error("the OID has {0} characters; at most 64 are allowed")]
    OidTooLong(usize),
    /// A CX that is not `id^^^&OID&ISO`.
    #[error("{0:?} is no patient id: it must read id^^^&OID&ISO")]
    PatientId(String),
    /// Not `urn:uuid:` and 32 hexadecimal digits in five groups.
    #[error("{0:?} is no UUID URN")]
    Uuid(String),
}

/// An object identifier in dotted form, without `urn:oid:`. First arcs 0 to 2 are all legal.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Oid(Box<str>);

impl Oid {
    /// Reads a bare OID of at most 64 characters (ITI TF-3: Table 4.2.3.1.7-2).
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.len() > limits::MAX_OID_CHARS {
            return Err(IdError::OidTooLong(text.len()));
        }
        let arc = |arc: &str| {
            !arc.is_empty()
                && arc.bytes().all(|b| b.is_ascii_digit())
                && (arc == "0" || !arc.starts_with('0'))
        };
        if text.contains('.') && text.split('.').all(arc) && matches!(text.as_bytes()[0], b'0'..=b'2') {
            Ok(Self(text.into()))
        } else {
            Err(IdError::Oid(text.to_owned()))
        }
    }
    /// The dotted form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The identifier of a community: an OID, written `urn:oid:…` on XDS and XCA and bare on XCPD. Compared by its OID;
/// [`fmt::Display`] writes the `urn:oid:` form.
#[derive(Clone)]
pub struct HomeCommunityId {
    oid: Oid,
    original: Box<str>,
}

impl HomeCommunityId {
    /// Reads either form.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let trimmed = text.trim();
        let bare = match trimmed.get(..8) {
            Some(prefix) if prefix.eq_ignore_ascii_case("urn:oid:") => &trimmed[8..],
            _ => trimmed,
        };
        Ok(Self { oid: Oid::parse(bare)?, original: text.into() })
    }
    /// The bare OID.
    pub fn oid(&self) -> &Oid {
        &self.oid
    }
    /// The text that was parsed, for echoing (ITI TF-2: 3.39.4.2.2).
    pub fn original(&self) -> &str {
        &self.original
    }
    /// The `urn:oid:` form.
    pub fn to_urn(&self) -> String {
        format!("urn:oid:{}", self.oid.0)
    }
}

impl PartialEq for HomeCommunityId {
    fn eq(&self, other: &Self) -> bool {
        self.oid == other.oid
    }
}
impl Eq for HomeCommunityId {}
impl Hash for HomeCommunityId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.oid.hash(state);
    }
}
impl PartialOrd for HomeCommunityId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for HomeCommunityId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.oid.cmp(&other.oid)
    }
}

/// A patient identifier with its assigning authority: the CX of XDS, `id^^^&OID&ISO` (ITI TF-3: Table 4.2.3.1.7-2).
/// Compared by identifier and authority.
#[derive(Clone)]
pub struct PatientId {
    id: Box<str>,
    authority: Oid,
    original: Box<str>,
}

impl PatientId {
    /// Makes one from its parts.
    pub fn new(id: &str, authority: Oid) -> Self {
        let original = format!("{id}^^^&{}&ISO", authority.0).into();
        Self { id: id.into(), authority, original }
    }
    /// Reads a CX. Components 2, 3 and the namespace must be empty; trailing delimiters are passed over.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let wrong = || IdError::PatientId(text.to_owned());
        let mut components = text.trim().trim_end_matches('^').split('^');
        let (id, check, scheme, authority) =
            (components.next(), components.next(), components.next(), components.next());
        let (Some(id), Some(""), Some(""), Some(authority), None) =
            (id, check, scheme, authority, components.next())
        else {
            return Err(wrong());
        };
        let mut parts = authority.trim_end_matches('&').split('&');
        let (Some(""), Some(oid), Some("ISO"), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        if id.is_empty() {
            return Err(wrong());
        }
        Ok(Self { id: id.into(), authority: Oid::parse(oid).map_err(|_| wrong())?, original: text.into() })
    }
    /// The identifier itself (CX-1).
    pub fn id(&self) -> &str {
        &self.id
    }
    /// The assigning authority (CX-4.2).
    pub fn authority(&self) -> &Oid {
        &self.authority
    }
    /// The text that was parsed.
    pub fn original(&self) -> &str {
        &self.original
    }
    /// The canonical CX.
    pub fn to_cx(&self) -> String {
        format!("{}^^^&{}&ISO", self.id, self.authority.0)
    }
}

impl PartialEq for PatientId {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.authority == other.authority
    }
}
impl Eq for PatientId {}
impl Hash for PatientId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
        self.authority.hash(state);
    }
}

/// The entryUUID of a registry object: `urn:uuid:` and a UUID, lower case (ITI TF-3: Table 4.2.3.1.7-2). Upper case is
/// read and folded.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryUuid(Box<str>);

impl EntryUuid {
    /// A new random one.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().urn().to_string().into())
    }
    /// Reads a UUID URN.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let wrong = || IdError::Uuid(text.to_owned());
        let prefix = text.get(..9).filter(|p| p.eq_ignore_ascii_case("urn:uuid:")).ok_or_else(wrong)?;
        let uuid = &text[prefix.len()..];
        let groups = [8, 4, 4, 4, 12];
        let shaped = uuid.split('-').map(str::len).eq(groups)
            && uuid.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit());
        if shaped { Ok(Self(text.to_ascii_lowercase().into())) } else { Err(wrong()) }
    }
    /// The URN, lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! text_of {
    ($($type:ty => $text:expr),* $(,)?) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text: fn(&$type) -> String = $text;
                f.write_str(&text(self))
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}
text_of! {
    Oid => |oid| oid.0.to_string(),
    HomeCommunityId => HomeCommunityId::to_urn,
    EntryUuid => |uuid| uuid.0.to_string(),
    // A patient's identifier never reaches a log by accident: ask for `to_cx` where it is wanted.
    PatientId => |patient| format!("(patient)^^^&{}&ISO", patient.authority.0),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oids_as_the_technical_framework_has_them() {
        for good in ["1.2.3", "0.4.0.127.0.16", "2.25.264517193285127", "1.3.6.1.4.1.21367.2005.3.7"] {
            assert_eq!(Oid::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "1", "1.", ".1", "1..2", "1.02", "3.1", "1.2.x", "urn:oid:1.2", "1.2 "] {
            assert!(Oid::parse(bad).is_err(), "{bad}");
        }
        assert!(Oid::parse(&format!("1.{}", "1".repeat(63))).is_err());
    }

    #[test]
    fn a_home_community_id_reads_both_forms_and_compares_by_oid() {
        let urn = HomeCommunityId::parse("urn:oid:1.2.3").unwrap();
        let bare = HomeCommunityId::parse("1.2.3").unwrap();
        assert_eq!(urn, bare);
        assert_eq!(bare.to_urn(), "urn:oid:1.2.3");
        assert_eq!(bare.original(), "1.2.3");
    }

    #[test]
    fn a_patient_id_is_a_cx_with_an_oid_authority() {
        let patient = PatientId::parse("12^^^&1.2.3&ISO").unwrap();
        assert_eq!((patient.id(), patient.authority().as_str()), ("12", "1.2.3"));
        assert_eq!(PatientId::parse("12^^^&1.2.3&ISO^^").unwrap(), patient);
        for bad in [
            "",
            "12",
            "12^^^1.2.3",
            "^^^&1.2.3&ISO",
            "12^^^NS&1.2.3&ISO",
            "12^^^&1.2.3&ISO^PI",
            "12^^^&1.2.3&DNS",
        ] {
            assert!(PatientId::parse(bad).is_err(), "{bad}");
        }
        assert!(!format!("{patient}").contains("12^"));
    }

    #[test]
    fn an_entry_uuid_is_folded_to_lower_case() {
        let uuid = EntryUuid::parse("urn:uuid:A7AE438B-4BC2-4642-93E9-BE891F7BB155").unwrap();
        assert_eq!(uuid.as_str(), "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155");
        assert!(EntryUuid::parse("Document01").is_err());
        assert!(EntryUuid::parse("urn:uuid:a7ae438b4bc2464293e9be891f7bb155").is_err());
    }
}
