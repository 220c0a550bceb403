//! Who asks: Cross-Enterprise User Assertions on the receiving side (XUA, X-Service Provider; ITI TF-2: 3.40).
//!
//! A SAML 2.0 assertion in wsse:Security is verified before anything of the message's body is acted on. What may be said of
//! the user is read from the node that was verified, and there is no other way to it: [`signature`] alone makes a
//! `Verified`, and the reader takes nothing else. Verification and reading work on the one tree that the message was parsed
//! into; no element is ever looked up by its ID.
//!
//! The server asks here for every message ([`Xua::authenticate`]); the configuration makes the [`Xua`]; the actors see
//! [`crate::transactions::User`]. `docs/xua.md` tells operators what is checked, and who mends what.

mod assertion;
mod attributes;
mod instant;
mod issuer;
mod presented;
mod refused;
mod signature;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;

use crate::transactions::iti55::ITI55_DEFERRED_ANSWER;
use crate::transactions::{Transaction, User};
use crate::wire::http::Peer;
use crate::wire::soap::Envelope;

use self::presented::Presented;

pub use issuer::{Issuer, UnfitKey};
pub use refused::{RULES, Refused, Rule};

/// Whose assertions are taken, and where there must be one.
#[derive(Debug, Clone)]
pub struct Xua {
    /// Who may vouch for users.
    pub issuers: Vec<Issuer>,
    /// What names us in an AudienceRestriction.
    pub audiences: Vec<String>,
    /// How far an issuer's clock may be off.
    pub skew: Duration,
    /// Where there must be an assertion. Elsewhere, one that is there is verified all the same.
    pub demand: Demand,
}

/// Where there must be an assertion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demand {
    /// Listeners, by the scheme that messages come in by: `https`, `http`.
    pub schemes: Vec<&'static str>,
    /// Transactions that need none there: `ITI-44`. Systems send them on nobody's behalf.
    pub exempt: Vec<String>,
}

impl Demand {
    /// An answer to our own question is sent by a gateway on nobody's behalf.
    fn includes(&self, scheme: &str, transaction: &Transaction) -> bool {
        *transaction != ITI55_DEFERRED_ANSWER
            && self.schemes.contains(&scheme)
            && !self.exempt.iter().any(|id| id.eq_ignore_ascii_case(transaction.id))
    }
}

impl Xua {
    /// The user on whose behalf a message is sent; None where it has no assertion and needs none.
    ///
    /// This is work for a tenth of a millisecond, of which half is RSA or ECDSA, on at most
    /// [`crate::limits::MAX_ASSERTION_BYTES`]: less than a TLS handshake, and like one it runs on the runtime's threads.
    pub fn authenticate(
        &self,
        envelope: &Envelope,
        peer: &Peer,
        transaction: &Transaction,
        now: Timestamp,
    ) -> Result<Option<User>, Refused> {
        let Some(assertion) = presented::assertion(envelope)? else {
            let demanded = self.demand.includes(peer.scheme, transaction);
            return if demanded { Err(refused::MISSING.into()) } else { Ok(None) };
        };
        presented::check(assertion, envelope)?;
        let issuer = self.issuer_of(assertion)?;
        let verified = signature::verify(assertion, &issuer.keys_at(now)?)?;
        let holder = peer.certificate.as_ref().map(|certificate| certificate.fingerprint.as_str());
        let presented = Presented { now, skew: self.skew, holder, audiences: &self.audiences };
        assertion::read(verified, &presented).map(Some)
    }
}
