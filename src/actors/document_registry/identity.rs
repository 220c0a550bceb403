//! What the Document Registry hears about patients: the Patient Identity Feed (ITI-8, ITI-44; ITI TF-2: 3.8.4.1.3,
//! 3.44.4.1.3) and Notify XAD-PID Link Change (ITI-64; ITI TF-2: 3.64.4.1.3). HL7 v2 and V3 come here as the same.
//!
//! The registry keeps identifiers of the affinity domain only; what a feed says of other domains is no business of its own.

use std::mem::swap;

use super::DocumentRegistry;
use crate::actors::identifiers::{ANOTHER_SOURCE, Teller, refuse_my_number};
use crate::demographics::Identifier;
use crate::identity::index::Along;
use crate::ids::{Oid, PatientId};
use crate::limits;
use crate::registry::{Left, Relinking};
use crate::store::StoreError;
use crate::transactions::Caller;
use crate::transactions::identity::{Answer, ErrorCode, Feed, FeedEvent, IdentityError, Place, Retry};
use crate::transactions::iti64::LinkChange;

/// Identifiers that count, each with its place, and the refusal of those that do not.
type Known = (Vec<(Place, PatientId)>, Option<Vec<IdentityError>>);

impl DocumentRegistry {
    /// ITI-44 at a tenant's own path, for those who are permitted to tell of its patients.
    pub async fn permitted_feed(&self, feed: Feed, caller: &Caller) -> Answer<()> {
        if !self.permits().feed.include(caller) {
            let text = "this caller is not permitted to tell of patients here";
            return Err(vec![IdentityError::new(ErrorCode::InternalError, Place::Message, text)]);
        }
        self.patient_identity_feed(feed, None, caller).await
    }

    /// ITI-8, ITI-44. Durable on return; where it is refused, nothing has changed. `along` is what a merge means to other
    /// registries that hear the same feed.
    pub async fn patient_identity_feed(
        &self,
        feed: Feed,
        along: Option<Along>,
        caller: &Caller,
    ) -> Answer<()> {
        let answered = match &feed.event {
            FeedEvent::Announce { identifiers, .. } => {
                match self.known(identifiers, Teller::of(&feed, caller))? {
                    (known, Some(refused)) if known.is_empty() => return Err(refused),
                    (known, None) if known.is_empty() => return Ok(()),
                    (known, _) => self.registry.announce(known).await,
                }
            }
            FeedEvent::Merge { surviving, subsumed, .. } => {
                self.refuse_my_number([(Place::Identifier(1), surviving), (Place::Subsumed, subsumed)])?;
                let (into, from) = (self.resolve(surviving), self.resolve(subsumed));
                let (Some(into), Some(from)) = (&into, &from) else {
                    let places = [
                        (into.is_none(), Place::IdentifierAuthority(1)),
                        (from.is_none(), Place::SubsumedAuthority),
                    ];
                    let foreign = places.into_iter().filter(|(is_foreign, _)| *is_foreign);
                    return Err(foreign.map(|(_, place)| self::foreign(place)).collect());
                };
                self.check_source(into, Teller::of(&feed, caller), 1)?;
                self.registry.merge(into.clone(), from.clone(), along).await
            }
        };
        answered.unwrap_or_else(|error| Err(vec![failed(&error, caller)]))
    }

    /// Those of the identifiers that are the affinity domain's, and this source's to tell of; and why others are not.
    fn known(&self, identifiers: &[Identifier], teller: Teller<'_>) -> Answer<Known> {
        self.refuse_my_number((1..).map(Place::Identifier).zip(identifiers))?;
        let (mut known, mut refused) = (Vec::new(), None);
        for (place, identifier) in (1..).zip(identifiers) {
            let Some(patient) = self.resolve(identifier) else { continue };
            match self.check_source(&patient, teller, place) {
                Ok(()) => known.push((Place::Identifier(place), patient)),
                Err(errors) => _ = refused.get_or_insert(errors),
            }
        }
        Ok((known, refused))
    }

    /// An announcement as the registry's part in one that a PIX Manager beside it takes, which refuses it where nothing of it
    /// is this source's; None if nothing of it is the affinity domain's.
    pub fn announcing(
        &self,
        identifiers: &[Identifier],
        feed: &Feed,
        caller: &Caller,
    ) -> Answer<Option<Along>> {
        let (known, _) = self.known(identifiers, Teller::of(feed, caller))?;
        Ok((!known.is_empty()).then(|| self.registry.announcing(known)))
    }

    /// A merge as the registry's part in one that a PIX Manager beside it carries out, which has checked the source; None if
    /// it is none of the affinity domain's.
    pub fn merging(&self, surviving: &Identifier, subsumed: &Identifier) -> Option<Along> {
        Some(self.registry.merging(self.resolve(surviving)?, self.resolve(subsumed)?))
    }

    /// ITI-64: how many entries moved. Durable on return; where it is refused, nothing has changed. Some send the two
    /// identifiers of a field the other way round: which one is the affinity domain's is told by its authority.
    pub async fn link_change(&self, change: LinkChange, caller: &Caller) -> Answer<usize> {
        let LinkChange { mut new, mut local, mut previous, mut subsumed_local, source } = change;
        let own =
            [(Place::Identifier(1), &new), (Place::Identifier(2), &local), (Place::Subsumed, &previous)];
        let subsumed = subsumed_local.as_ref().map(|subsumed| (Place::Field("MRG", 1, 1), subsumed));
        self.refuse_my_number(own.into_iter().chain(subsumed))?;
        if !self.serves(&new) && self.serves(&local) {
            swap(&mut new, &mut local);
        }
        if let Some(subsumed) = &mut subsumed_local
            && !self.serves(&previous)
            && self.serves(subsumed)
        {
            swap(&mut previous, subsumed);
        }
        let subsumed_local = subsumed_local.filter(|subsumed| *subsumed != local);
        let new = self.resolve(&new).ok_or_else(|| vec![foreign(Place::IdentifierAuthority(1))])?;
        let relinking = Relinking {
            local: self.named(&local).ok_or_else(|| vec![foreign(Place::IdentifierAuthority(2))])?,
            previous: self.resolve(&previous).ok_or_else(|| vec![foreign(Place::SubsumedAuthority)])?,
            subsumed_local: match &subsumed_local {
                Some(id) => Some(self.named(id).ok_or_else(|| vec![foreign(Place::Field("MRG", 1, 4))])?),
                None => None,
            },
            // MSH-3 is to be an OID; for a manager that calls itself otherwise, the domain that it manages stands.
            source: Oid::parse(&source).unwrap_or_else(|_| new.authority().clone()),
            new,
        };
        match self.registry.relink(relinking).await {
            Ok(Ok(left)) => {
                report(&left, caller);
                Ok(left.entries)
            }
            Ok(Err(errors)) => Err(errors),
            Err(error) => Err(vec![failed(&error, caller)]),
        }
    }

    fn refuse_my_number<'a>(
        &self,
        identifiers: impl IntoIterator<Item = (Place, &'a Identifier)>,
    ) -> Answer<()> {
        refuse_my_number(|authority| self.domains.find(authority), identifiers)
    }

    /// Whether an identifier is of the affinity domain.
    pub fn serves(&self, identifier: &Identifier) -> bool {
        self.resolve(identifier).is_some()
    }

    /// The patient for whom an identifier stands; None if it is not of the affinity domain, or can be no patientId.
    fn resolve(&self, identifier: &Identifier) -> Option<PatientId> {
        self.named(identifier).filter(|patient| self.registry.settings().serves(&patient.to_cx()))
    }

    /// The patient of any domain for whom an identifier stands.
    fn named(&self, identifier: &Identifier) -> Option<PatientId> {
        let authority = &identifier.authority;
        let patient = match self.domains.resolve(identifier) {
            Some(patient) => patient,
            // A domain of which the configuration says more must be named rightly.
            None if self.domains.by_oid(&authority.universal_id).is_some() => return None,
            None if !matches!(authority.universal_id_type.as_str(), "ISO" | "") => return None,
            None => PatientId::new(&identifier.id, Oid::parse(&authority.universal_id).ok()?),
        };
        // What metadata could not carry is nobody's patientId.
        PatientId::parse(&patient.to_cx()).ok().filter(|read| *read == patient)
    }

    /// A domain has one source (ITI TF-2: 3.8.4.1.1).
    fn check_source(&self, patient: &PatientId, teller: Teller<'_>, place: usize) -> Answer<()> {
        let domain = self.domains.by_oid(patient.authority().as_str());
        match domain.and_then(|domain| domain.source.as_ref()) {
            Some(source) if !teller.is(source) => {
                Err(vec![IdentityError::unknown_key(Place::IdentifierAuthority(place), ANOTHER_SOURCE)])
            }
            _ => Ok(()),
        }
    }
}

fn foreign(place: Place) -> IdentityError {
    IdentityError::unknown_key(
        place,
        "this registry serves no such assigning authority (ITI TF-2: 3.8.4.2.3)",
    )
}

/// Tells what an operator should look at: nobody else would (ITI TF-2: 3.64.4.1.3.2).
fn report(left: &Left, caller: &Caller) {
    for (relation, associations) in [("folder", &left.memberships), ("association", &left.associations)] {
        if associations.is_empty() {
            continue;
        }
        metrics::counter!("sekisho_link_change_left_total", "relation" => relation)
            .increment(associations.len() as u64);
        let (trace, count) = (&*caller.trace, associations.len());
        let associations: Vec<_> = associations.iter().take(limits::MAX_ERRORS_PER_ANSWER).collect();
        tracing::warn!(
            trace,
            relation,
            count,
            ?associations,
            "a link change left relations to other patients"
        );
    }
}

/// The store could not do it; says so and no more.
fn failed(error: &StoreError, caller: &Caller) -> IdentityError {
    tracing::error!(%error, trace = &*caller.trace, "the store failed");
    IdentityError {
        code: ErrorCode::InternalError,
        place: Place::Message,
        text: format!("the registry's store cannot take this now (trace {})", caller.trace),
        retry: Retry::Later,
    }
}
