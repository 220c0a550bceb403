//! Questions: whose current values fit. Exact ones are narrowed down by the fewest records that share a key with them;
//! tolerant ones go the way of matching, and tell how well a record fits.

use std::collections::{BTreeMap, BTreeSet};

use super::IndexError;
use super::candidates::candidates;
use super::fits::fits;
use super::keys::{Keys, Sought};
use super::records::Activity;
use super::schema::Tables;
use super::search_keys;
use crate::demographics::{BirthRange, Demographics};
use crate::identity::matching::Prepared;
use crate::ids::PatientId;
use crate::limits;
use crate::store::StoreError;
use crate::transactions::identity::{DemographicsQuery, Match};

/// A question, its identifiers resolved.
pub(super) struct Question {
    pub(super) query: DemographicsQuery,
    /// All must be the patient's.
    pub(super) identifiers: Vec<PatientId>,
    /// The degree from which on a record fits; None asks for exact equality.
    pub(super) tolerant: Option<u8>,
}

/// A record that fits.
struct Fitting {
    record: i64,
    degree: u8,
}

impl Tables<'_> {
    /// Whose current values fit, best first, and how many there are in all.
    pub(super) fn find(
        self,
        keys: &Keys,
        question: &Question,
        most: usize,
    ) -> Result<Result<(Vec<Match>, usize), IndexError>, StoreError> {
        let fitting = match (question.identifiers.as_slice(), question.tolerant) {
            ([], None) => self.find_exact(keys, &question.query)?,
            ([], Some(degree)) => self.find_alike(keys, &question.query, degree)?,
            (identifiers, tolerant) => Some(self.find_identified(identifiers, &question.query, tolerant)?),
        };
        let Some(fitting) = fitting else { return Ok(Err(IndexError::TooWide)) };
        // The best record of each person stands for it.
        let mut persons: BTreeMap<i64, Fitting> = BTreeMap::new();
        for fit in fitting {
            let Some(record) = self.comparable(fit.record)? else { continue };
            let known = persons.get(&record.person).is_some_and(|known| known.degree >= fit.degree);
            if !known {
                persons.insert(record.person, fit);
            }
        }
        let mut persons: Vec<(i64, Fitting)> = persons.into_iter().collect();
        persons.sort_by(|(a, x), (b, y)| y.degree.cmp(&x.degree).then(a.cmp(b)));
        let total = persons.len();
        let matches = persons.into_iter().take(most).map(|(person, fit)| self.answer(person, &fit));
        Ok(Ok((matches.collect::<Result<_, _>>()?, total)))
    }

    fn answer(self, person: i64, fit: &Fitting) -> Result<Match, StoreError> {
        let (demographics, visit) = self.content(fit.record)?;
        Ok(Match {
            identifiers: self.identifiers(&self.members(person)?)?,
            person: Box::new(demographics),
            degree: fit.degree,
            visit: visit.map(Box::new),
        })
    }

    /// Of the persons with these identifiers, the records that fit what else was asked.
    fn find_identified(
        self,
        identifiers: &[PatientId],
        query: &DemographicsQuery,
        tolerant: Option<u8>,
    ) -> Result<Vec<Fitting>, StoreError> {
        let mut common: Option<BTreeSet<i64>> = None;
        for identifier in identifiers {
            let persons = self.persons_of(identifier)?;
            common = Some(match common {
                None => persons,
                Some(common) => common.intersection(&persons).copied().collect(),
            });
        }
        let mut fitting = Vec::new();
        for person in common.unwrap_or_default() {
            // The record that was named speaks first.
            let named = self.record_of(&identifiers[0])?.map(|record| record.number);
            let mut members = self.members(person)?;
            members.sort_by_key(|member| Some(*member) != named);
            for member in members {
                fitting.extend(self.fit(member, query, tolerant)?);
            }
        }
        Ok(fitting)
    }

    /// The persons that an identifier stands for: several share an insured person's number.
    fn persons_of(self, identifier: &PatientId) -> Result<BTreeSet<i64>, StoreError> {
        let mut persons = BTreeSet::new();
        if let Some(record) = self.record_of(identifier)?.filter(|record| record.survivor.is_none()) {
            persons.insert(record.person);
        }
        for record in self.insured_today(identifier)? {
            persons.insert(self.person_of(record)?);
        }
        Ok(persons)
    }

    /// None if nothing in the query narrows the records down.
    fn find_exact(self, keys: &Keys, query: &DemographicsQuery) -> Result<Option<Vec<Fitting>>, StoreError> {
        let mut best: Option<Vec<u32>> = None;
        for set in search_keys::of_query(query) {
            let room = best.as_ref().map_or(limits::MAX_SEARCHED_RECORDS, Vec::len);
            let mut found = Vec::new();
            for some in set.chunks(limits::MAX_BLOCKING_KEYS) {
                let left = room.saturating_sub(found.len());
                let mut sought = Sought::of(some.iter().map(|key| (*key, left)));
                keys.find(&mut sought);
                found.extend(sought.all().take(left));
                if found.len() >= room {
                    break;
                }
            }
            if best.as_ref().is_none_or(|best| found.len() < best.len()) {
                best = Some(found);
            }
        }
        let Some(best) = best else { return Ok(None) };
        let records: BTreeSet<u32> = best.into_iter().collect();
        let mut fitting = Vec::new();
        for record in records {
            fitting.extend(self.fit(self.global(u64::from(record)), query, None)?);
        }
        Ok(Some(fitting))
    }

    fn find_alike(
        self,
        keys: &Keys,
        query: &DemographicsQuery,
        degree: u8,
    ) -> Result<Option<Vec<Fitting>>, StoreError> {
        let asked = Prepared::of(&described(query));
        let mut blocking = Vec::new();
        asked.blocking_keys(&mut blocking);
        if blocking.is_empty() {
            // It says too little for an error to be told from another person.
            return self.find_exact(keys, query);
        }
        let at_hand = self.memory.look();
        let mut fitting = Vec::new();
        for record in candidates(keys, &blocking).into_iter().map(u64::from) {
            let reached = at_hand.at(record, |_, other| self.degree(&asked, other));
            // Whoever is alike must still be so in the database.
            if reached.is_none_or(|reached| reached >= degree) {
                fitting.extend(self.alike(self.global(record), &asked, degree)?);
            }
        }
        Ok(Some(fitting))
    }

    fn fit(
        self,
        record: i64,
        query: &DemographicsQuery,
        tolerant: Option<u8>,
    ) -> Result<Option<Fitting>, StoreError> {
        let described = described(query);
        match tolerant {
            Some(degree) if described != Demographics::default() => {
                self.alike(record, &Prepared::of(&described), degree)
            }
            _ => {
                let active = self.comparable(record)?.is_some_and(|found| found.active == Activity::Active);
                if !active {
                    return Ok(None);
                }
                let (person, visit) = self.content(record)?;
                Ok(fits(query, &person, visit.as_ref()).then_some(Fitting { record, degree: 100 }))
            }
        }
    }

    fn alike(self, record: i64, asked: &Prepared, degree: u8) -> Result<Option<Fitting>, StoreError> {
        let Some(found) = self.comparable(record)? else { return Ok(None) };
        if found.active == Activity::Subsumed {
            return Ok(None);
        }
        self.memory.fill(self.local(record), found.revision, &found.prepared);
        let reached = self.degree(asked, &found.prepared);
        Ok((reached >= degree).then_some(Fitting { record, degree: reached }))
    }

    /// How well somebody fits, in hundredths.
    fn degree(self, asked: &Prepared, other: &Prepared) -> u8 {
        let probability = self.matcher.model.compare(asked, other).probability;
        (probability * 100.0).floor().clamp(0.0, 100.0) as u8
    }
}

/// The person that a query describes.
pub(super) fn described(query: &DemographicsQuery) -> Demographics {
    let query = query.clone();
    Demographics {
        names: query.names,
        birth: query.birth.and_then(|range| match range {
            BirthRange::Within(birth) => Some(birth),
            BirthRange::Between(Some(low), Some(high)) if low == high => Some(low),
            BirthRange::Between(..) => None,
        }),
        sex: query.sex,
        addresses: query.addresses,
        telecoms: query.telecoms,
        mothers_maiden_names: query.mothers_maiden_names,
        birth_place: query.birth_place,
        birth_place_address: query.birth_place_address,
        ..Demographics::default()
    }
}
