//! What matching makes of a record: links that it found before are found again or go; others' decisions stand.
//!
//! Whether what was found stands against what else is linked, is looked at when persons are found anew ([`super::conflicts`]).

use std::collections::BTreeMap;

use super::candidates::Scored;
use super::insured;
use super::links::{Cause, Doubt, Link, Origin, Pair};
use super::persons::Regrouping;
use super::schema::{Numbered, Tables};
use crate::identity::matching::{Comparison, Prepared, Verdict};
use crate::limits;
use crate::store::StoreError;

/// Somebody who may be the same, and by what.
struct Candidate {
    record: i64,
    origin: Origin,
    probability: f64,
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
        regrouping.relinked(record);
        let mut old = Vec::new();
        if !alone {
            let person = self.person_of(record)?;
            regrouping.touch(person)?;
            old = self.links_among(&self.members(person)?)?;
            old.retain(|link| link.pair.has(record) && link.origin.is_found());
        }
        let bare = regrouping.is_bare(record);
        let (candidates, doubts) = self.judge(record, prepared, scored, bare)?;
        let mut new: BTreeMap<(Pair, Origin), Link> = BTreeMap::new();
        for Candidate { record: candidate, origin, probability } in candidates {
            let pair = Pair::of(record, candidate);
            if !bare && self.bar(pair)?.is_some() {
                continue;
            }
            regrouping.touch(self.person_of(candidate)?)?;
            let link = Link { pair, origin, probability: Some(probability), operator: None, since: now };
            new.insert((pair, origin), link);
        }
        if alone {
            self.ask_first(doubts, now)?;
        } else {
            let stays = |pair: Pair| doubts.contains_key(&pair) || new.keys().any(|(new, _)| *new == pair);
            self.withdraw_doubts(record, stays)?;
            self.ask(doubts, now)?;
        }
        for link in &old {
            let again = new.get_mut(&(link.pair, link.origin));
            if again.as_ref().is_some_and(|again| again.probability == link.probability) {
                new.remove(&(link.pair, link.origin));
                continue;
            }
            self.remove_link(link.pair, link.origin)?;
            // As sure as it is by now.
            if let Some(again) = again {
                again.since = link.since;
            }
        }
        new.values().try_for_each(|link| self.add_link(link))
    }

    /// Links a pair whom nobody holds apart any more, or asks people about it, as if one of the two were announced now.
    pub(super) fn relink_pair(self, pair: Pair, now: i64) -> Result<(), StoreError> {
        let mut links = Vec::new();
        self.links_at(pair.0, &mut links)?;
        let known = links.iter().any(|link| link.pair == pair)
            || self.doubts_of(pair.0)?.iter().any(|doubt| doubt.pair == pair);
        let Some(found) = self.comparable(pair.0)?.filter(|_| !known) else { return Ok(()) };
        let comparison = self.compare_pair(pair)?;
        let scored = [Scored { record: pair.1, revision: found.revision, comparison }];
        let (same, doubts) = self.judge(pair.0, &found.prepared, &scored, false)?;
        for Candidate { origin, probability, .. } in same.into_iter().filter(|same| same.record == pair.1) {
            self.add_link(&Link {
                pair,
                origin,
                probability: Some(probability),
                operator: None,
                since: now,
            })?;
        }
        self.ask(doubts, now)
    }

    /// Who is the same as a record, the surest first, and who may be; a `bare` one has no number and no bar.
    fn judge(
        self,
        record: i64,
        prepared: &Prepared,
        scored: &[Scored],
        bare: bool,
    ) -> Result<(Vec<Candidate>, Doubts), StoreError> {
        let mut same = if bare { Vec::new() } else { self.same_by_number(record, prepared)? };
        let mut doubts = BTreeMap::new();
        for Scored { record: other, comparison, .. } in scored {
            let probability = comparison.probability;
            match self.matcher.thresholds.verdict(comparison) {
                Verdict::Same => {
                    same.push(Candidate { record: *other, origin: Origin::Matcher, probability })
                }
                Verdict::Review if bare || self.bar(Pair::of(record, *other))?.is_none() => {
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
        for mine in self.insurances(record)? {
            for (other, theirs) in self.insured_by(&self.identifier(mine.domain, &mine.id)?)? {
                if other == record || !mine.days().meets(&theirs.days()) {
                    continue;
                }
                let Some(theirs) = self.comparable(other)? else { continue };
                let comparison = self.matcher.model.compare(prepared, &theirs.prepared);
                let agree = insured::agree(&self.content(record)?.0, &self.content(other)?.0);
                if agree && !comparison.barred {
                    same.push(Candidate { record: other, origin: Origin::Key, probability: 1.0 });
                }
            }
        }
        Ok(same)
    }

    /// Compares two records as they are.
    pub(super) fn compare_pair(self, pair: Pair) -> Result<Comparison, StoreError> {
        Ok(match (self.comparable(pair.0)?, self.comparable(pair.1)?) {
            (Some(one), Some(another)) => self.matcher.model.compare(&one.prepared, &another.prepared),
            _ => Comparison { probability: 0.0, barred: true },
        })
    }

    /// No longer asks people about pairs of a record that matching found, but for those that stay.
    fn withdraw_doubts(self, record: i64, stays: impl Fn(Pair) -> bool) -> Result<(), StoreError> {
        let doubts = self.doubts_of(record)?.into_iter();
        let gone = doubts.filter(|doubt| doubt.cause != Cause::Declared && !stays(doubt.pair));
        gone.map(|doubt| doubt.pair).try_for_each(|pair| self.remove_doubt(pair))
    }

    /// Asks people about pairs of a record that was not there before.
    fn ask_first(self, doubts: Doubts, since: i64) -> Result<(), StoreError> {
        let numbered = doubts.into_iter().map(|(pair, (cause, probability))| {
            Ok(Doubt { number: self.next(Numbered::Review)?, pair, cause, probability, since })
        });
        let doubts = numbered.collect::<Result<Vec<_>, StoreError>>()?;
        doubts.iter().try_for_each(|doubt| self.insert_doubt(doubt))?;
        doubts.last().map_or(Ok(()), |last| self.note_review(last.number))
    }

    fn ask(self, doubts: Doubts, now: i64) -> Result<(), StoreError> {
        for (pair, (cause, probability)) in doubts {
            self.add_doubt(pair, cause, probability, now)?;
        }
        Ok(())
    }
}
