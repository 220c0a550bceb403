//! Who may vouch for users: the EntityID and the certificates that the operator has of each identity provider. A certificate
//! that comes with an assertion (ds:KeyInfo) proves nothing, and is never looked at.

use jiff::Timestamp;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::pkey::{Id, PKey, Public};
use openssl::x509::X509;

use super::Xua;
use super::refused::{ISSUER, ISSUER_CERTIFICATE, Refused, SHAPE};
use crate::limits;
use crate::wire::xml::{Element, Ns};

/// An identity provider.
#[derive(Clone)]
pub struct Issuer {
    entity_id: String,
    keys: Vec<IssuerKey>,
}

#[derive(Clone)]
struct IssuerKey {
    key: PKey<Public>,
    /// From and until when its certificate holds, in seconds since 1970.
    validity: (i64, i64),
}

/// Why assertions cannot be verified with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnfitKey {
    /// Neither RSA nor ECDSA.
    #[error("its key is neither RSA nor an elliptic curve's")]
    Kind,
    /// A short key.
    #[error(
        "its key has fewer than {} bits (RSA) or {} (elliptic curve)",
        limits::MIN_RSA_BITS,
        limits::MIN_CURVE_BITS
    )]
    Short,
    /// OpenSSL cannot read it.
    #[error("its key or dates cannot be read")]
    Unreadable,
}

impl Issuer {
    /// An issuer by its EntityID and certificates.
    pub fn new(entity_id: impl Into<String>, certificates: &[X509]) -> Result<Self, UnfitKey> {
        let keys = certificates.iter().map(IssuerKey::of).collect::<Result<_, _>>()?;
        Ok(Self { entity_id: entity_id.into(), keys })
    }

    /// The keys of certificates that hold now.
    pub(super) fn keys_at(&self, now: Timestamp) -> Result<Vec<&PKey<Public>>, Refused> {
        let now = now.as_second();
        let valid = self.keys.iter().filter(|key| key.validity.0 <= now && now <= key.validity.1);
        let keys: Vec<_> = valid.map(|key| &key.key).collect();
        if keys.is_empty() { Err(ISSUER_CERTIFICATE.into()) } else { Ok(keys) }
    }
}

impl IssuerKey {
    fn of(certificate: &X509) -> Result<Self, UnfitKey> {
        let key = certificate.public_key().map_err(|_| UnfitKey::Unreadable)?;
        match key.id() {
            Id::RSA if key.bits() < limits::MIN_RSA_BITS => return Err(UnfitKey::Short),
            Id::EC if key.bits() < limits::MIN_CURVE_BITS => return Err(UnfitKey::Short),
            Id::RSA | Id::EC => {}
            _ => return Err(UnfitKey::Kind),
        }
        let dates = seconds(certificate.not_before()).zip(seconds(certificate.not_after()));
        Ok(Self { key, validity: dates.ok_or(UnfitKey::Unreadable)? })
    }
}

fn seconds(time: &Asn1TimeRef) -> Option<i64> {
    let since = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    Some(i64::from(since.days) * 86_400 + i64::from(since.secs))
}

impl Xua {
    /// The issuer that an assertion names. Whether it is the issuer's, the signature shows.
    pub(super) fn issuer_of(&self, assertion: Element<'_>) -> Result<&Issuer, Refused> {
        let name = issuer_name(assertion)?;
        self.issuers.iter().find(|issuer| issuer.entity_id == name).ok_or_else(|| ISSUER.into())
    }
}

/// The text of an assertion's one Issuer.
pub(super) fn issuer_name(assertion: Element<'_>) -> Result<String, Refused> {
    let mut issuers = assertion.children_named(Ns::SAML, "Issuer").map(Element::text);
    match (issuers.next(), issuers.next()) {
        (Some(name), None) => Ok(name.trim().to_owned()),
        _ => Err(SHAPE.because("saml2:Issuer")),
    }
}

/// Keys are as long as they are dull.
impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer").field("entity_id", &self.entity_id).field("keys", &self.keys.len()).finish()
    }
}
