//! Which of the links that matching found stand, where they and what was decided would together join records that
//! contradict each other: whom an operator holds apart, or who cannot be one person by what is known of them.
//!
//! The surest stand, and people are asked about the others. That is looked at anew whenever one of the records changes, those
//! that stood back included; so who is one person does not depend on whose message came first.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::groups::{Groups, pairs};
use super::links::{Cause, Doubt, Link, Origin, Pair};
use super::schema::Tables;
use crate::identity::matching::Prepared;
use crate::limits;
use crate::store::StoreError;

/// Pairs that stood back, by what people are asked about them.
pub(super) type StoodBack = BTreeMap<Pair, Doubt>;

/// Whether a pair waits because others' links stood against it.
pub(super) fn stood_back(doubt: &Doubt) -> bool {
    matches!(doubt.cause, Cause::Conflict | Cause::Key)
}

/// Something that was found: a link, or a pair that stood back.
struct Claim {
    link: Link,
    /// Whether it stands so far.
    standing: Standing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Linked,
    Back,
}

/// Records as they are compared with each other, each read once, and those that are described alike compared once.
struct Compared<'c> {
    tables: Tables<'c>,
    /// The description of each record; None: it is gone.
    records: BTreeMap<i64, Option<usize>>,
    descriptions: Vec<Prepared>,
    known: HashMap<Prepared, usize>,
    disagree: HashMap<(usize, usize), bool>,
    bars: BTreeMap<i64, BTreeSet<Pair>>,
    /// By sources and operators.
    decided: Groups,
}

impl<'c> Tables<'c> {
    /// Leaves only those links that stand; `together` says with whom a record was already when everybody there was looked at:
    /// None if it is to be looked at anew.
    pub(super) fn resolve(
        self,
        records: &BTreeSet<i64>,
        links: &mut Vec<Link>,
        stood_back: &StoodBack,
        together: impl Fn(i64) -> Option<i64>,
    ) -> Result<(), StoreError> {
        let everybody = || records.iter().copied();
        let decided = links.iter().filter(|link| !link.origin.is_found());
        let decided = Groups::linked(everybody(), decided.map(|link| link.pair));
        let mut compared = Compared::new(self, decided);
        if stood_back.is_empty() && compared.agree(records, links, together)? {
            return Ok(());
        }
        let (found, decided) =
            std::mem::take(links).into_iter().partition::<Vec<_>, _>(|link| link.origin.is_found());
        *links = decided;
        let mut groups = Groups::linked(everybody(), links.iter().map(|link| link.pair));
        for claim in self.claims(found, stood_back)? {
            let pair = claim.link.pair;
            if !groups.join_unless(pair, |pair| compared.must_not_be_one(pair))? {
                let decided = compared.held_apart(pair)?;
                self.stand_back(&claim, stood_back.get(&pair), decided)?;
                continue;
            }
            if claim.standing == Standing::Back {
                self.add_link(&claim.link)?;
            }
            if stood_back.contains_key(&pair) {
                self.remove_doubt(pair)?;
            }
            links.push(claim.link);
        }
        Ok(())
    }

    /// What was found, the surest first; of equally sure ones, by their identifiers.
    fn claims(self, found: Vec<Link>, stood_back: &StoodBack) -> Result<Vec<Claim>, StoreError> {
        let linked: BTreeSet<Pair> = found.iter().map(|link| link.pair).collect();
        let back = stood_back.values().filter(|doubt| !linked.contains(&doubt.pair)).map(|doubt| Link {
            pair: doubt.pair,
            origin: if doubt.cause == Cause::Key { Origin::Key } else { Origin::Matcher },
            probability: Some(doubt.probability),
            operator: None,
            since: doubt.since,
        });
        let back = back.map(|link| Claim { link, standing: Standing::Back });
        let linked = found.into_iter().map(|link| Claim { link, standing: Standing::Linked });
        let mut claims: Vec<Claim> = linked.chain(back).collect();
        let mut names = BTreeMap::new();
        for Claim { link: Link { pair, .. }, .. } in &claims {
            for record in [pair.0, pair.1] {
                if let Entry::Vacant(unnamed) = names.entry(record) {
                    unnamed.insert(self.identifier_of(record)?.to_cx());
                }
            }
        }
        let sure = |claim: &Claim| claim.link.probability.unwrap_or_default();
        let named = |claim: &Claim| {
            let mut both = [names.get(&claim.link.pair.0), names.get(&claim.link.pair.1)];
            both.sort_unstable();
            both
        };
        claims.sort_by(|a, b| sure(b).total_cmp(&sure(a)).then_with(|| named(a).cmp(&named(b))));
        Ok(claims)
    }

    /// A claim that others' links stand against; `doubt` is what people are asked about it already.
    fn stand_back(
        self,
        Claim { link, standing }: &Claim,
        doubt: Option<&Doubt>,
        decided: bool,
    ) -> Result<(), StoreError> {
        if *standing == Standing::Linked {
            self.remove_link(link.pair, link.origin)?;
        }
        if decided {
            return self.remove_doubt(link.pair);
        }
        let cause = if link.origin == Origin::Key { Cause::Key } else { Cause::Conflict };
        let probability = link.probability.unwrap_or_default();
        match doubt {
            Some(doubt) if doubt.cause == cause && doubt.probability == probability => Ok(()),
            _ => self.add_doubt(link.pair, cause, probability, link.since),
        }
    }
}

impl<'c> Compared<'c> {
    fn new(tables: Tables<'c>, decided: Groups) -> Self {
        let (records, bars) = Default::default();
        let (descriptions, known, disagree) = Default::default();
        Self { tables, records, descriptions, known, disagree, bars, decided }
    }

    /// Whether nobody contradicts anybody whom the links join. What a source or an operator joined is no contradiction.
    fn agree(
        &mut self,
        records: &BTreeSet<i64>,
        links: &[Link],
        together: impl Fn(i64) -> Option<i64>,
    ) -> Result<bool, StoreError> {
        // Whoever is linked was compared.
        let linked: BTreeSet<Pair> =
            links.iter().filter(|link| link.origin.is_found()).map(|link| link.pair).collect();
        let groups = Groups::linked(records.iter().copied(), links.iter().map(|link| link.pair));
        for person in groups.all() {
            if person.len() > limits::MAX_RECORDS_PER_PERSON {
                return Ok(false);
            }
            for pair in unsettled(person, &together) {
                if self.decided.are_one(pair) {
                    continue;
                }
                if self.held_apart(pair)? || !linked.contains(&pair) && self.contradict(pair)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn must_not_be_one(&mut self, pair: Pair) -> Result<bool, StoreError> {
        Ok(self.held_apart(pair)? || self.contradict(pair)?)
    }

    /// Whether an operator holds two apart.
    fn held_apart(&mut self, pair: Pair) -> Result<bool, StoreError> {
        if let Entry::Vacant(unread) = self.bars.entry(pair.0) {
            unread.insert(self.tables.bars_of(pair.0)?.into_iter().map(|bar| bar.pair).collect());
        }
        Ok(self.bars.get(&pair.0).is_some_and(|bars| bars.contains(&pair)))
    }

    /// Whether two cannot be one person, by what is known of them. It is no sign that a record is unlike others where somebody
    /// decided that it is one person's with a record that it is unlike, too: then others are judged by that one.
    fn contradict(&mut self, pair: Pair) -> Result<bool, StoreError> {
        if !self.disagree(pair)? {
            return Ok(false);
        }
        for (one, another) in [(pair.0, pair.1), (pair.1, pair.0)] {
            let decided = self.decided.with(one);
            for other in decided.into_iter().filter(|other| ![one, another].contains(other)) {
                if self.disagree(Pair::of(one, other))? && !self.disagree(Pair::of(other, another))? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn disagree(&mut self, pair: Pair) -> Result<bool, StoreError> {
        let (Some(one), Some(another)) = (self.described(pair.0)?, self.described(pair.1)?) else {
            return Ok(true);
        };
        if let Some(known) = self.disagree.get(&(one, another)) {
            return Ok(*known);
        }
        let Some((first, second)) = self.descriptions.get(one).zip(self.descriptions.get(another)) else {
            return Ok(true);
        };
        let barred = self.tables.matcher.model.compare(first, second).barred;
        self.disagree.insert((one, another), barred);
        Ok(barred)
    }

    /// The description of a record, by its place.
    fn described(&mut self, record: i64) -> Result<Option<usize>, StoreError> {
        if let Some(known) = self.records.get(&record) {
            return Ok(*known);
        }
        let description = self.tables.comparable(record)?.map(|found| {
            let new = self.descriptions.len();
            let place = *self.known.entry(found.prepared.clone()).or_insert(new);
            if place == new {
                self.descriptions.push(found.prepared);
            }
            place
        });
        self.records.insert(record, description);
        Ok(description)
    }
}

/// The pairs within a person that nobody has looked at since they came together.
fn unsettled(person: &BTreeSet<i64>, together: impl Fn(i64) -> Option<i64>) -> Vec<Pair> {
    let mut before: BTreeMap<Option<i64>, BTreeSet<i64>> = BTreeMap::new();
    for record in person {
        before.entry(together(*record)).or_default().insert(*record);
    }
    let mut unsettled = Vec::new();
    let mut others: BTreeSet<i64> = BTreeSet::new();
    for (together, group) in before {
        unsettled.extend(pairs(&group, &others));
        if together.is_none() {
            let of_itself = |&one: &i64| group.range(one + 1..).map(move |&other| Pair::of(one, other));
            unsettled.extend(group.iter().flat_map(of_itself));
        }
        others.extend(group);
    }
    unsettled
}
