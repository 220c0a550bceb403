//! What the actors on patient identity share: identifiers and domains looked up, the index's trouble told to peers.

use crate::demographics::{Authority, Domain, DomainSource, Domains, Identifier, refused_in};
use crate::identity::index::IndexError;
use crate::ids::{Oid, PatientId};
use crate::transactions::Caller;
use crate::transactions::identity::{Answer, Feed, IdentityError, Place};

/// The domains that a query wants, none meaning all; or one error for each that is unknown.
pub(super) fn wanted(domains: &Domains, authorities: &[Authority]) -> Answer<Vec<Oid>> {
    let (mut oids, mut errors) = (Vec::new(), Vec::new());
    for (number, authority) in (1..).zip(authorities) {
        match domains.find(authority) {
            Some(domain) => oids.push(domain.oid.clone()),
            None => errors.push(IdentityError::unknown_key(
                Place::Wanted(number),
                "the wanted domain is not one of this region's",
            )),
        }
    }
    if errors.is_empty() { Ok(oids) } else { Err(errors) }
}

/// The refusal of who does not feed a domain.
pub(super) const ANOTHER_SOURCE: &str = "another source feeds this domain (ITI TF-2: 3.8.4.1.1)";

/// Who tells of patients: what their message says of itself, and what they have shown.
#[derive(Clone, Copy)]
pub(super) struct Teller<'a> {
    /// [`Feed::source`].
    pub(super) system: &'a (String, String),
    /// They.
    pub(super) caller: &'a Caller,
}

impl<'a> Teller<'a> {
    /// Who told this.
    pub(super) fn of(feed: &'a Feed, caller: &'a Caller) -> Self {
        Self { system: &feed.source, caller }
    }
    /// Whether they are a domain's source.
    pub(super) fn is(self, source: &DomainSource) -> bool {
        let DomainSource { system, certificates } = source;
        system.as_ref().is_none_or(|system| system == self.system)
            && (certificates.is_empty() || certificates.iter().any(|its| self.caller.shows(its)))
    }
}

/// Refuses an Individual Number where an identifier is due; `domain` is the one that an authority names.
pub(super) fn refuse_my_number<'a, 'd>(
    domain: impl Fn(&Authority) -> Option<&'d Domain>,
    identifiers: impl IntoIterator<Item = (Place, &'a Identifier)>,
) -> Answer<()> {
    for (place, identifier) in identifiers {
        if refused_in(domain(&identifier.authority), &identifier.id) {
            let text = "an Individual Number (My Number) is no patient identifier and must not be sent";
            return Err(vec![IdentityError::unknown_key(place, text)]);
        }
    }
    Ok(())
}

/// Only those of these domains, if any are named; those of one domain side by side, domains in the order configured.
pub(super) fn by_domain(domains: &Domains, oids: &[Oid], identifiers: &mut Vec<PatientId>) {
    identifiers.retain(|id| oids.is_empty() || oids.contains(id.authority()));
    identifiers.sort_by_cached_key(|id| {
        let place = domains.iter().position(|domain| domain.oid == *id.authority());
        (place.unwrap_or(usize::MAX), id.authority().clone())
    });
}

/// What went wrong in the index and is not the sender's fault: they may try again.
pub(super) fn trouble(error: &IndexError, caller: &Caller) -> Vec<IdentityError> {
    tracing::error!(trace = &*caller.trace, %error, "the patient index failed");
    vec![IdentityError::internal(format!("not available at present (trace {})", caller.trace))]
}
