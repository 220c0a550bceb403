//! Who knows a region's patients outside of this gateway: a PIX Manager or central MPI, asked which identifiers are one
//! person's (ITI-9, ITI-45), and a Patient Demographics Supplier, asked who somebody is, or who fits a description (ITI-21,
//! ITI-47) (ITI TF-2: 3.9, 3.21, 3.45, 3.47). In HL7 V3 ([`v3`]) or HL7 v2 ([`v2`]).

pub mod v2;
pub mod v3;

use std::time::Instant;

use futures_util::future::BoxFuture;

use crate::demographics::{Authority, Demographics, Domains, Identifier, refused_in};
use crate::federation::Unavailable;
use crate::ids::{Oid, PatientId};
use crate::transactions::Caller;
use crate::transactions::identity::{DemographicsQuery, Match};

/// Somebody who knows which identifiers are one person's.
pub trait Manager: Send + Sync {
    /// The other identifiers of a patient, and what is known of them; None if it does not know the patient. Nobody is asked
    /// about an Individual Number (My Number).
    fn person<'a>(
        &'a self,
        patient: &'a PatientId,
        caller: &'a Caller,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Option<Person>, Unavailable>>;
}

/// Somebody who finds people by a description.
pub trait Supplier: Send + Sync {
    /// Who fits.
    fn find<'a>(
        &'a self,
        who: &'a DemographicsQuery,
        caller: &'a Caller,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Fitting, Unavailable>>;
}

/// A person whom somebody knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Person {
    /// Other identifiers than the one that was asked with.
    pub identifiers: Vec<PatientId>,
    /// What is known.
    pub demographics: Demographics,
}

/// People who fit a description.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fitting {
    /// They.
    pub matches: Vec<Match>,
    /// How many more the supplier keeps for further pages, at least.
    pub remaining: usize,
}

/// How somebody outside is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedBy {
    /// A PIX Manager, by ITI-9 or ITI-45.
    PixQuery,
    /// A Patient Demographics Supplier, by ITI-21 or ITI-47.
    DemographicsQuery,
}

/// A description as questions that every supplier understands: with what the transactions demand to be supported (ITI TF-2:
/// 3.21.4.1.2.3, 3.47.4.1.2.3), and with one name each, since several in one question are alternatives to some and demands
/// to others. The same of several addresses, of which none is asked with then.
fn questions(who: &DemographicsQuery) -> Vec<DemographicsQuery> {
    let without_names = DemographicsQuery {
        identifiers: who.identifiers.clone(),
        birth: who.birth.clone(),
        sex: who.sex,
        addresses: who.addresses.first().filter(|_| who.addresses.len() == 1).into_iter().cloned().collect(),
        wanted: who.wanted.clone(),
        minimum_degree: who.minimum_degree,
        ..DemographicsQuery::default()
    };
    let named = |name| DemographicsQuery { names: vec![name], ..without_names.clone() };
    match who.names.is_empty() {
        true => vec![without_names],
        false => who.names.iter().cloned().map(named).collect(),
    }
}

/// What several questions found, everybody once: who has an identifier in common is one.
fn together(answers: Vec<Fitting>) -> Fitting {
    let mut all = Fitting::default();
    for Fitting { matches, remaining } in answers {
        all.remaining += remaining;
        for found in matches {
            let same = |other: &&mut Match| other.identifiers.iter().any(|id| found.identifiers.contains(id));
            match all.matches.iter_mut().find(same) {
                Some(other) => other.degree = other.degree.max(found.degree),
                None => all.matches.push(found),
            }
        }
    }
    all
}

/// The one whom a question by an identifier found; several people under one identifier are nobody: none is chosen.
fn only(patient: &PatientId, mut matches: Vec<Match>) -> Option<Person> {
    let (Some(only), true) = (matches.pop(), matches.is_empty()) else { return None };
    let identifiers = only.identifiers.into_iter().filter(|id| id != patient).collect();
    Some(Person { identifiers, demographics: *only.person })
}

/// Of what a supplier found by an identifier, those who have it: one that asks less of people than it was asked to names
/// strangers.
fn having(patient: &PatientId, mut matches: Vec<Match>) -> Vec<Match> {
    matches.retain(|found| found.identifiers.contains(patient));
    matches
}

/// Of what somebody outside tells, what may be kept and passed on: no Individual Number (My Number). Those are counted by the
/// transaction, and never shown.
pub fn without_my_numbers(
    domains: &Domains,
    transaction: &'static str,
    mut identifiers: Vec<PatientId>,
) -> Vec<PatientId> {
    let told = identifiers.len();
    identifiers.retain(|id| !domains.refuse(id));
    let dropped = told - identifiers.len();
    if dropped > 0 {
        metrics::counter!("sekisho_my_numbers_dropped_total", "transaction" => transaction)
            .increment(dropped as u64);
        tracing::warn!(transaction, dropped, "an Individual Number (My Number) was told, and dropped");
    }
    identifiers
}

/// The same of somebody who was found.
fn match_without_my_numbers(domains: &Domains, transaction: &'static str, mut found: Match) -> Match {
    found.identifiers = without_my_numbers(domains, transaction, found.identifiers);
    let account = found.person.account.take();
    found.person.account = account.filter(|told| !refused_in(domains.find(&told.authority), &told.id));
    found
}

/// By OID: what every manager understands.
fn identifier(patient: &PatientId) -> Identifier {
    Identifier {
        id: patient.id().to_owned(),
        authority: Authority::of_oid(patient.authority().as_str()),
        ..Identifier::default()
    }
}

/// An identifier whose authority is named by an OID.
fn by_oid(identifier: &Identifier) -> Option<PatientId> {
    let authority = Oid::parse(&identifier.authority.universal_id).ok()?;
    (!identifier.id.is_empty()).then(|| PatientId::new(&identifier.id, authority))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demographics::{Address, BirthRange, BirthTime, Name, Telecom};

    fn found(ids: &[&str], degree: u8) -> Match {
        let identifiers = ids.iter().map(|id| PatientId::parse(id).unwrap()).collect();
        Match { identifiers, person: Box::default(), degree, visit: None }
    }

    #[test]
    fn each_name_is_a_question_of_what_every_supplier_understands() {
        let name = |family: &str| Name { family: family.into(), ..Name::default() };
        let who = DemographicsQuery {
            names: vec![name("関所"), name("セキショ")],
            birth: BirthTime::parse("1970").map(BirthRange::Within),
            addresses: vec![Address::default(), Address { city: "関".into(), ..Address::default() }],
            telecoms: vec![Telecom::default()],
            birth_place: Some("関".into()),
            ..DemographicsQuery::default()
        };
        let asked = questions(&who);
        assert_eq!(
            asked.iter().map(|one| one.names[0].family.as_str()).collect::<Vec<_>>(),
            ["関所", "セキショ"]
        );
        let [first, _] = &asked[..] else { panic!() };
        assert!(first.birth.is_some() && first.addresses.is_empty());
        assert!(first.telecoms.is_empty() && first.birth_place.is_none());
        let nameless =
            DemographicsQuery { addresses: vec![Address::default()], ..DemographicsQuery::default() };
        assert_eq!(questions(&nameless), [nameless]);
    }

    #[test]
    fn whoever_is_found_by_several_names_is_found_once() {
        let one = Fitting {
            matches: vec![found(&["A^^^&1.2&ISO"], 80), found(&["B^^^&1.2&ISO"], 90)],
            remaining: 1,
        };
        let other = Fitting { matches: vec![found(&["X^^^&1.3&ISO", "A^^^&1.2&ISO"], 95)], remaining: 0 };
        let all = together(vec![one, other]);
        assert_eq!(all.matches.iter().map(|found| found.degree).collect::<Vec<_>>(), [95, 90]);
        assert_eq!(all.remaining, 1);
        let patient = PatientId::parse("A^^^&1.2&ISO").unwrap();
        assert_eq!(only(&patient, all.matches), None);
        assert_eq!(only(&patient, vec![found(&["A^^^&1.2&ISO"], 100)]), Some(Person::default()));
        let stranger = found(&["B^^^&1.2&ISO", "A^^^&1.3&ISO"], 100);
        assert_eq!(having(&patient, vec![stranger.clone(), found(&["A^^^&1.2&ISO"], 90)]).len(), 1);
        assert_eq!(only(&patient, having(&patient, vec![stranger])), None);
    }
}
