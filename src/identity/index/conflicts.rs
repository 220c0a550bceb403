//! Which of the links that matching found stand, where they and what was decided would together join records that
//! contradict each other: whom an operator holds apart, or who cannot be one person by what is known of them.
//!
//! The surest stand, and people are asked about the others. That is looked at anew whenever one of the records changes, those
//! that stood back included; so who is one person does not depend on whose message came first.

use std::collections::{BTreeMap, BTreeSet};

use super::links::{Cause, Doubt, Link, Origin, Pair};
use super::persons::{component, pairs};
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

/// Records as they are compared with each other, each read once.
struct Compared<'c> {
    tables: Tables<'c>,
    records: BTreeMap<i64, Option<Prepared>>,
    bars: BTreeMap<i64, BTreeSet<Pair>>,
    /// By sources and operators.
    decided: Vec<Link>,
}

impl<'c> Tables<'c> {
    /// Leaves only those links that stand; `unsettled` says which pairs nobody has looked at since they were last together.
    pub(super) fn resolve(
        self,
        records: &BTreeSet<i64>,
        links: &mut Vec<Link>,
        stood_back: &StoodBack,
        unsettled: impl Fn(Pair) -> bool,
    ) -> Result<(), StoreError> {
        let decided = links.iter().filter(|link| !link.origin.is_found()).cloned().collect();
        let mut compared =
            Compared { tables: self, records: BTreeMap::new(), bars: BTreeMap::new(), decided };
        if stood_back.is_empty() && compared.agree(records, links, unsettled)? {
            return Ok(());
        }
        let (found, decided) =
            std::mem::take(links).into_iter().partition::<Vec<_>, _>(|link| link.origin.is_found());
        *links = decided;
        for claim in self.claims(found, stood_back)? {
            let one = component(claim.pair.0, links, |_| false);
            let joined = one.contains(&claim.pair.1);
            if joined || compared.may_join(&one, &component(claim.pair.1, links, |_| false))? {
                self.add_link(&claim)?;
                if stood_back.contains_key(&claim.pair) {
                    self.remove_doubt(claim.pair)?;
                }
                links.push(claim);
            } else {
                self.stand_back(&claim)?;
            }
        }
        Ok(())
    }

    /// What was found, the surest first; of equally sure ones, by their identifiers.
    fn claims(self, found: Vec<Link>, stood_back: &StoodBack) -> Result<Vec<Link>, StoreError> {
        let linked: BTreeSet<Pair> = found.iter().map(|link| link.pair).collect();
        let others = stood_back.values().filter(|doubt| !linked.contains(&doubt.pair)).map(|doubt| Link {
            pair: doubt.pair,
            origin: if doubt.cause == Cause::Key { Origin::Key } else { Origin::Matcher },
            probability: Some(doubt.probability),
            operator: None,
            since: doubt.since,
        });
        let claims = found.into_iter().chain(others).map(|link| {
            let mut names =
                [self.identifier_of(link.pair.0)?.to_cx(), self.identifier_of(link.pair.1)?.to_cx()];
            names.sort_unstable();
            Ok((link, names))
        });
        let mut claims: Vec<(Link, [String; 2])> = claims.collect::<Result<_, StoreError>>()?;
        let sure = |link: &Link| link.probability.unwrap_or_default();
        claims.sort_by(|(a, x), (b, y)| sure(b).total_cmp(&sure(a)).then_with(|| x.cmp(y)));
        Ok(claims.into_iter().map(|(link, _)| link).collect())
    }

    fn stand_back(self, claim: &Link) -> Result<(), StoreError> {
        self.remove_link(claim.pair, claim.origin)?;
        if self.bar(claim.pair)?.is_some() {
            // That is decided.
            return self.remove_doubt(claim.pair);
        }
        let cause = if claim.origin == Origin::Key { Cause::Key } else { Cause::Conflict };
        self.add_doubt(claim.pair, cause, claim.probability.unwrap_or_default(), claim.since)
    }
}

impl Compared<'_> {
    /// Whether nobody contradicts anybody whom the links join. What a source or an operator joined is no contradiction.
    fn agree(
        &mut self,
        records: &BTreeSet<i64>,
        links: &[Link],
        unsettled: impl Fn(Pair) -> bool,
    ) -> Result<bool, StoreError> {
        let mut open = records.clone();
        while let Some(&first) = open.first() {
            let person = component(first, links, |_| false);
            open.retain(|record| !person.contains(record));
            if person.len() > limits::MAX_RECORDS_PER_PERSON {
                return Ok(false);
            }
            for (&one, &another) in
                person.iter().flat_map(|one| person.range(one + 1..).map(move |another| (one, another)))
            {
                let pair = Pair::of(one, another);
                if !unsettled(pair) {
                    continue;
                }
                // Whoever is linked was compared.
                let linked = links.iter().any(|link| link.pair == pair && link.origin.is_found());
                let contradict = self.held_apart(pair)? || !linked && self.contradict(pair)?;
                if contradict && !self.decided_with(one).contains(&another) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn may_join(&mut self, one: &BTreeSet<i64>, another: &BTreeSet<i64>) -> Result<bool, StoreError> {
        if one.len() + another.len() > limits::MAX_RECORDS_PER_PERSON {
            return Ok(false);
        }
        for pair in pairs(one, another) {
            if self.held_apart(pair)? || self.contradict(pair)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn held_apart(&mut self, pair: Pair) -> Result<bool, StoreError> {
        if !self.bars.contains_key(&pair.0) {
            let bars = self.tables.bars_of(pair.0)?.into_iter().map(|bar| bar.pair).collect();
            self.bars.insert(pair.0, bars);
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
            for other in self.decided_with(one).into_iter().filter(|other| ![one, another].contains(other)) {
                if self.disagree(Pair::of(one, other))? && !self.disagree(Pair::of(other, another))? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Whom somebody decided to be one person with a record, itself included.
    fn decided_with(&self, record: i64) -> BTreeSet<i64> {
        component(record, &self.decided, |_| false)
    }

    fn disagree(&mut self, pair: Pair) -> Result<bool, StoreError> {
        self.read(pair.0)?;
        self.read(pair.1)?;
        let record = |number| self.records.get(&number).and_then(Option::as_ref);
        let (Some(one), Some(another)) = (record(pair.0), record(pair.1)) else { return Ok(true) };
        Ok(self.tables.matcher.model.compare(one, another).barred)
    }

    fn read(&mut self, record: i64) -> Result<(), StoreError> {
        if !self.records.contains_key(&record) {
            let found = self.tables.comparable(record)?.map(|found| found.prepared);
            self.records.insert(record, found);
        }
        Ok(())
    }
}
