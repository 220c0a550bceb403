//! What matching makes of a record: links that it found before are found again or go; others' decisions stand.
//!
//! A record that matches two persons joins them only if no record of the one contradicts a record of the other; else people
//! decide. So a chain of likenesses never links what would not be linked by itself against its members.

use std::collections::{BTreeMap, BTreeSet};

use super::candidates::Scored;
use super::insured;
use super::links::{Cause, Link, Origin, Pair};
use super::persons::{Regrouping, component, pairs};
use super::schema::Tables;
use crate::identity::matching::{Comparison, Prepared, Verdict};
use crate::limits;
use crate::store::StoreError;

/// Somebody who may be the same, and by what.
struct Candidate {
    record: i64,
    origin: Origin,
    probability: f64,
}

/// What joining two groups of records would come to.
enum Joining {
    Possible,
    /// The pair itself is held apart: that is decided.
    Decided,
    Contradicts,
}

/// Pairs for people to decide: why, and how probable.
type Doubts = BTreeMap<Pair, (Cause, f64)>;

impl Tables<'_> {
    /// Finds a record's links again.
    pub(super) fn relink(
        self,
        record: i64,
        prepared: &Prepared,
        scored: &[Scored],
        now: i64,
        regrouping: &mut Regrouping<'_>,
    ) -> Result<(), StoreError> {
        let alone = regrouping.is_all(record);
        let members = if alone {
            vec![record]
        } else {
            let person = self.person_of(record)?;
            regrouping.touch(person)?;
            self.members(person)?
        };
        let links = self.links_among(&members)?;
        let found_before = |link: &Link| link.pair.has(record) && link.origin.is_found();
        let (old, mut links): (Vec<_>, Vec<_>) = links.into_iter().partition(found_before);

        let (candidates, mut doubts) = self.judge(record, prepared, scored)?;
        let mut group = component(record, &links, |_| false);
        let mut new: BTreeMap<(Pair, Origin), Link> = BTreeMap::new();
        for Candidate { record: candidate, origin, probability } in candidates {
            let pair = Pair::of(record, candidate);
            if !group.contains(&candidate) {
                let theirs = self.group_of(candidate, record, regrouping, &mut links)?;
                match self.joining(pair, &group, &theirs)? {
                    Joining::Possible => group.extend(theirs),
                    Joining::Decided => continue,
                    Joining::Contradicts => {
                        doubts.insert(pair, (Cause::Conflict, probability));
                        continue;
                    }
                }
            }
            let link = Link { pair, origin, probability: Some(probability), operator: None, since: now };
            new.insert((pair, origin), link);
        }
        for link in &old {
            if new.remove(&(link.pair, link.origin)).is_none() {
                self.remove_link(link.pair, link.origin)?;
            }
        }
        for link in new.values() {
            self.add_link(link)?;
        }
        doubts.retain(|pair, _| !group.contains(&pair.other(record)));
        match alone {
            true => self.ask(doubts, now),
            false => self.renew_doubts(record, doubts, now),
        }
    }

    /// Who is the same as a record, the surest first, and who may be.
    fn judge(
        self,
        record: i64,
        prepared: &Prepared,
        scored: &[Scored],
    ) -> Result<(Vec<Candidate>, Doubts), StoreError> {
        let mut same = self.same_by_number(record, prepared)?;
        let mut doubts = BTreeMap::new();
        for Scored { record: other, comparison, .. } in scored {
            let probability = comparison.probability;
            match self.matcher.thresholds.verdict(comparison) {
                Verdict::Same => {
                    same.push(Candidate { record: *other, origin: Origin::Matcher, probability })
                }
                Verdict::Review if self.bar(Pair::of(record, *other))?.is_none() => {
                    doubts.insert(Pair::of(record, *other), (Cause::Unsure, probability));
                }
                Verdict::Review | Verdict::Different => {}
            }
        }
        same.sort_by(|a, b| b.probability.total_cmp(&a.probability).then(a.record.cmp(&b.record)));
        same.truncate(limits::MAX_LINKS_FOUND);
        Ok((same, doubts))
    }

    /// Who has the same insured person's number and agrees otherwise. Relatives may have the number in common.
    fn same_by_number(self, record: i64, prepared: &Prepared) -> Result<Vec<Candidate>, StoreError> {
        let mut same = Vec::new();
        for (domain, id) in self.insured_numbers(record)? {
            for other in self.insured_by(&self.identifier(domain, &id)?)? {
                let Some(theirs) = self.comparable(other)?.filter(|_| other != record) else { continue };
                let comparison = self.matcher.model.compare(prepared, &theirs.prepared);
                let agree = insured::agree(&self.content(record)?.0, &self.content(other)?.0);
                if agree && !comparison.barred {
                    same.push(Candidate { record: other, origin: Origin::Key, probability: 1.0 });
                }
            }
        }
        Ok(same)
    }

    /// The records that hang together with a candidate, without what was found for `record`. Their links join the others.
    fn group_of(
        self,
        candidate: i64,
        record: i64,
        regrouping: &mut Regrouping<'_>,
        links: &mut Vec<Link>,
    ) -> Result<BTreeSet<i64>, StoreError> {
        let person = self.person_of(candidate)?;
        regrouping.touch(person)?;
        for link in self.links_among(&self.members(person)?)? {
            let found_anew = link.pair.has(record) && link.origin.is_found();
            if !found_anew && !links.contains(&link) {
                links.push(link);
            }
        }
        Ok(component(candidate, links, |_| false))
    }

    fn joining(
        self,
        pair: Pair,
        one: &BTreeSet<i64>,
        another: &BTreeSet<i64>,
    ) -> Result<Joining, StoreError> {
        if self.bar(pair)?.is_some() {
            return Ok(Joining::Decided);
        }
        if one.len() + another.len() > limits::MAX_RECORDS_PER_PERSON || self.any_bar(one, another)? {
            return Ok(Joining::Contradicts);
        }
        for other in pairs(one, another).filter(|other| *other != pair) {
            if self.compare_pair(other)?.barred {
                return Ok(Joining::Contradicts);
            }
        }
        Ok(Joining::Possible)
    }

    /// Compares two records as they are.
    pub(super) fn compare_pair(self, pair: Pair) -> Result<Comparison, StoreError> {
        Ok(match (self.comparable(pair.0)?, self.comparable(pair.1)?) {
            (Some(one), Some(another)) => self.matcher.model.compare(&one.prepared, &another.prepared),
            _ => Comparison { probability: 0.0, barred: true },
        })
    }

    /// Asks people about these pairs of a record, and no longer about others that matching found.
    fn renew_doubts(self, record: i64, doubts: Doubts, now: i64) -> Result<(), StoreError> {
        for old in self.doubts_of(record)? {
            if old.cause != Cause::Declared && !doubts.contains_key(&old.pair) {
                self.remove_doubt(old.pair)?;
            }
        }
        self.ask(doubts, now)
    }

    fn ask(self, doubts: Doubts, now: i64) -> Result<(), StoreError> {
        for (pair, (cause, probability)) in doubts {
            self.add_doubt(pair, cause, probability, now)?;
        }
        Ok(())
    }
}
