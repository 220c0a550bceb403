//! The Patient Identifier Cross-reference Manager (ITI TF-1: 5.1; PIX and PIXV3): takes feeds, answers which identifiers
//! correspond.
//!
//! Each domain has one source, and what a source says of its own identifiers holds. An announcement may name others beside
//! them, of domains that are not here or not that source's: those are passed over, as long as one is left that counts.

use std::sync::Arc;

use super::identifiers::{ANOTHER_SOURCE, Teller, by_domain, refuse_my_number, trouble, wanted};
use crate::demographics::{Authority, Domain, Domains, Identifier};
use crate::identity::index::{Along, Dated, Index, IndexError};
use crate::ids::PatientId;
use crate::transactions::Caller;
use crate::transactions::identity::{
    Answer, Corresponding, CorrespondingQuery, ErrorCode, Feed, FeedEvent, IdentityError, Place,
};

/// A PIX Manager. Cheap to clone.
#[derive(Clone)]
pub struct PixManager {
    index: Index,
    domains: Arc<Domains>,
}

impl PixManager {
    /// A manager of those domains.
    pub fn new(index: Index, domains: Arc<Domains>) -> Self {
        Self { index, domains }
    }

    /// The domains that it manages.
    pub fn domains(&self) -> &Arc<Domains> {
        &self.domains
    }

    /// ITI-8, ITI-44. Returns when it is on disk. `along` is what a merge means to who else hears the feed.
    pub async fn patient_identity_feed(
        &self,
        feed: Feed,
        along: Option<Along>,
        caller: &Caller,
    ) -> Answer<()> {
        let Feed { event, source } = feed;
        let teller = Teller { system: &source, caller };
        let domain_of = |authority: &Authority| self.domain_of(authority, teller);
        refuse_my_number(domain_of, event.numbers())?;
        match event {
            FeedEvent::Announce { identifiers, ended, change, visit } => {
                let numbered = (1..).map(Place::Identifier).zip(&identifiers);
                let over = ended.iter().map(|over| (Place::Field("PID", 3, 0), over));
                refuse_my_number(domain_of, numbered.chain(over))?;
                let announced = self.announced(&identifiers, teller)?;
                let told = announced.iter().map(|(number, id)| Dated {
                    patient: id.clone(),
                    validity: identifiers.get(number - 1).map(|told| told.validity).unwrap_or_default(),
                });
                let told = told.chain(self.ended(&ended, teller)).collect::<Vec<_>>();
                let done = self.index.announce_along(told, *change, visit.map(|visit| *visit), along).await;
                done.map(drop).map_err(|error| {
                    let place = |id: &PatientId| announced.iter().find(|(_, known)| known == id);
                    let place =
                        |id: &PatientId| Place::Identifier(place(id).map_or(1, |(number, _)| *number));
                    refusal(error, place, caller)
                })
            }
            FeedEvent::Merge { surviving, subsumed, change, .. } => {
                let [identifier, prior] = [Place::Identifier(1), Place::Subsumed];
                let both = [(identifier, &surviving), (prior, &subsumed)];
                refuse_my_number(domain_of, both)?;
                let surviving = self.sources_own(&surviving, teller, Place::IdentifierAuthority(1))?;
                let subsumed = self.sources_own(&subsumed, teller, Place::SubsumedAuthority)?;
                let done = self.index.merge(surviving.clone(), subsumed, *change, along).await;
                done.map_err(|error| {
                    let place = |id: &PatientId| {
                        if *id == surviving { Place::Identifier(1) } else { Place::Subsumed }
                    };
                    refusal(error, place, caller)
                })
            }
        }
    }

    /// ITI-9, ITI-45: the six cases of ITI TF-2: 3.9.4.2.2.6.
    pub async fn pix_query(&self, query: CorrespondingQuery, caller: &Caller) -> Answer<Corresponding> {
        refuse_my_number(|authority| self.domains.find(authority), [(Place::Asked, &query.patient)])?;
        let Some(domain) = self.domains.find(&query.patient.authority) else {
            let text = "the assigning authority is not one of this region's domains";
            return Err(vec![IdentityError::unknown_key(Place::AskedAuthority, text)]);
        };
        let wanted = wanted(&self.domains, &query.wanted)?;
        let patient = PatientId::new(&query.patient.id, domain.oid.clone());
        let (mut identifiers, person) = self
            .index
            .corresponding(&patient)
            .await
            .map_err(|error| refusal(error, |_| Place::Asked, caller))?;
        identifiers.retain(|id| *id != patient);
        by_domain(&self.domains, &wanted, &mut identifiers);
        Ok(Corresponding { identifiers, person: Box::new(person) })
    }

    /// The announced identifiers that count, each with its number.
    fn announced(&self, identifiers: &[Identifier], teller: Teller<'_>) -> Answer<Vec<(usize, PatientId)>> {
        let (mut counting, mut refused) = (Vec::new(), None);
        for (number, identifier) in (1..).zip(identifiers) {
            match self.sources_own(identifier, teller, Place::IdentifierAuthority(number)) {
                Ok(id) if counting.iter().all(|(_, other)| *other != id) => counting.push((number, id)),
                Ok(_) => (),
                Err(errors) => _ = refused.get_or_insert(errors),
            }
        }
        match refused {
            Some(errors) if counting.is_empty() => Err(errors),
            _ if counting.is_empty() => Err(vec![missing(Place::Identifier(1))]),
            _ => Ok(counting),
        }
    }

    /// The insured persons' numbers among identifiers whose time is over, as far as this source may tell of them.
    fn ended(&self, identifiers: &[Identifier], teller: Teller<'_>) -> impl Iterator<Item = Dated> {
        let own = |told: &Identifier| {
            let patient = self.sources_own(told, teller, Place::Message).ok()?;
            let insured = self.domains.is_insured(&patient) && !self.domains.refuse(&patient);
            insured.then_some(Dated { patient, validity: told.validity })
        };
        identifiers.iter().filter_map(own).collect::<Vec<_>>().into_iter()
    }

    /// An identifier that this source may tell of, or what is wrong at the authority's place.
    fn sources_own(&self, identifier: &Identifier, teller: Teller<'_>, place: Place) -> Answer<PatientId> {
        let refuse = |text: &str| Err(vec![IdentityError::unknown_key(place.clone(), text)]);
        if identifier.id.is_empty() {
            return Err(vec![missing(valueless(&place))]);
        }
        let Some(domain) = self.domain_of(&identifier.authority, teller) else {
            return refuse("the assigning authority is not one of this region's domains");
        };
        if domain.source.as_ref().is_some_and(|source| !teller.is(source)) {
            return refuse(ANOTHER_SOURCE);
        }
        Ok(PatientId::new(&identifier.id, domain.oid.clone()))
    }

    /// The domain that an authority names; where it is left out, the one that the source tells of, if that is only one
    /// (ITI TF-2: 3.8.4.1.2.3).
    fn domain_of(&self, authority: &Authority, teller: Teller<'_>) -> Option<&Domain> {
        if !authority.is_empty() {
            return self.domains.find(authority);
        }
        let is_its = |domain: &&Domain| domain.source.as_ref().is_some_and(|source| teller.is(source));
        let mut its = self.domains.iter().filter(is_its);
        its.next().filter(|_| its.next().is_none())
    }
}

/// The place of the identifier whose authority's place this is.
fn valueless(place: &Place) -> Place {
    match place {
        Place::IdentifierAuthority(number) => Place::Identifier(*number),
        _ => Place::Subsumed,
    }
}

fn missing(place: Place) -> IdentityError {
    IdentityError::new(ErrorCode::RequiredFieldMissing, place, "a patient identifier is due here")
}

/// What the index refuses, or cannot do.
fn refusal(error: IndexError, place: impl Fn(&PatientId) -> Place, caller: &Caller) -> Vec<IdentityError> {
    vec![match &error {
        IndexError::Along(refused) => return refused.clone(),
        IndexError::Unknown(id) => {
            IdentityError::unknown_key(place(id), "no such patient identifier is known")
        }
        IndexError::Subsumed(id) => IdentityError::unknown_key(
            place(id),
            "this patient identifier was subsumed by another in a merge",
        ),
        IndexError::Same => IdentityError::new(
            ErrorCode::DuplicateKeyIdentifier,
            Place::Subsumed,
            "an identifier cannot be merged with itself",
        ),
        IndexError::TwoDomains => IdentityError::unknown_key(Place::SubsumedAuthority, error.to_string()),
        IndexError::NoPatient => missing(Place::Identifier(1)),
        _ => return trouble(&error, caller),
    }]
}
