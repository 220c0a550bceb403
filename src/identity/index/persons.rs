//! Persons: what hangs together by links. A person's number is its lowest record's, so that a record that is alone costs
//! nothing more, and the same links always give the same persons.

use std::collections::{BTreeMap, BTreeSet};

use super::events::EventKind;
use super::links::{Cause, Link, Pair};
use super::records::Record;
use super::schema::Tables;
use crate::ids::PatientId;
use crate::store::StoreError;

impl Tables<'_> {
    /// The records of a person, ascending.
    pub(super) fn members(self, person: i64) -> Result<Vec<i64>, StoreError> {
        let find = "SELECT record FROM identity_record WHERE record = ?1 AND person = ?1 AND survivor IS NULL
                    UNION ALL SELECT record FROM identity_record WHERE person = ?1 AND person <> record";
        let mut find = self.connection.prepare_cached(find)?;
        let mut members: Vec<i64> = find.query_map([person], |row| row.get(0))?.collect::<Result<_, _>>()?;
        members.sort_unstable();
        Ok(members)
    }
    /// The identifiers of records, those of one domain side by side; then insured persons' numbers.
    pub(super) fn identifiers(self, records: &[i64]) -> Result<Vec<PatientId>, StoreError> {
        let records = records.iter().map(|number| self.record(*number)).collect::<Result<Vec<_>, _>>()?;
        self.identifiers_of(records.iter())
    }
    fn identifiers_of<'r>(
        self,
        records: impl Iterator<Item = &'r Record>,
    ) -> Result<Vec<PatientId>, StoreError> {
        let mut named = Vec::new();
        let mut insured = BTreeSet::new();
        for record in records {
            named.push((record.domain, record.id.clone()));
            insured.extend(self.insured_numbers(record.number)?);
        }
        named.sort();
        named.into_iter().chain(insured).map(|(domain, id)| self.identifier(domain, &id)).collect()
    }

    /// Takes links away that matching found, where they and others' decisions together would join whom an operator holds
    /// apart: a merge or an undo may bring that about between records that it does not name. The surest stay, and people are
    /// asked about the others. What was decided against a bar by a source or an operator stands.
    fn hold_apart(self, records: &BTreeSet<i64>, links: &mut Vec<Link>) -> Result<(), StoreError> {
        if records.len() < 3 {
            return Ok(());
        }
        let mut bars = Vec::new();
        for &record in records {
            bars.extend(self.bars_of(record)?.into_iter().map(|bar| bar.pair));
        }
        let joined = |pair: &Pair, links: &[Link]| component(pair.0, links, |_| false).contains(&pair.1);
        if !bars.iter().any(|pair| joined(pair, links)) {
            return Ok(());
        }
        let (mut found, decided) =
            std::mem::take(links).into_iter().partition::<Vec<_>, _>(|link| link.origin.is_found());
        *links = decided;
        bars.retain(|pair| !joined(pair, links));
        let sure = |link: &Link| link.probability.unwrap_or_default();
        found.sort_by(|a, b| sure(b).total_cmp(&sure(a)).then(a.pair.cmp(&b.pair)));
        for link in found {
            let (pair, origin, probability, since) = (link.pair, link.origin, sure(&link), link.since);
            links.push(link);
            if bars.iter().any(|bar| joined(bar, links)) {
                links.pop();
                self.remove_link(pair, origin)?;
                if self.bar(pair)?.is_none() {
                    self.add_doubt(pair, Cause::Conflict, probability, since)?;
                }
            }
        }
        Ok(())
    }
}

/// The records that hang together with one, by some links.
pub(super) fn component(start: i64, links: &[Link], but: impl Fn(&Link) -> bool) -> BTreeSet<i64> {
    let mut found = BTreeSet::from([start]);
    let mut open = vec![start];
    while let Some(record) = open.pop() {
        let next = links.iter().filter(|link| link.pair.has(record) && !but(link));
        for Link { pair, .. } in next {
            let other = pair.other(record);
            if found.insert(other) {
                open.push(other);
            }
        }
    }
    found
}

/// All pairs of a record of one set and a record of another.
pub(super) fn pairs<'a>(
    one: &'a BTreeSet<i64>,
    another: &'a BTreeSet<i64>,
) -> impl Iterator<Item = Pair> + 'a {
    one.iter().flat_map(|&a| another.iter().map(move |&b| Pair::of(a, b)))
}

/// Records by number, as a regrouping found them.
type Records = BTreeMap<i64, Record>;

/// A change of links: persons as they were before, to be found anew afterwards.
pub(super) struct Regrouping<'c> {
    tables: Tables<'c>,
    before: BTreeMap<i64, Vec<i64>>,
    fresh: BTreeMap<i64, Record>,
}

impl<'c> Regrouping<'c> {
    pub(super) fn new(tables: Tables<'c>) -> Self {
        Self { tables, before: BTreeMap::new(), fresh: BTreeMap::new() }
    }
    /// A person whose links may change from here on.
    pub(super) fn touch(&mut self, person: i64) -> Result<(), StoreError> {
        if !self.fresh.contains_key(&person) && !self.before.contains_key(&person) {
            self.before.insert(person, self.tables.members(person)?);
        }
        Ok(())
    }
    /// A record that was not there before.
    pub(super) fn fresh(&mut self, record: Record) {
        self.fresh.insert(record.number, record);
    }
    /// Whether a record that was not there before is all that has changed so far.
    pub(super) fn is_all(&self, record: i64) -> bool {
        self.before.is_empty() && self.fresh.len() == 1 && self.fresh.contains_key(&record)
    }
    /// Finds the persons anew, by the links as of now.
    pub(super) fn finish(self) -> Result<(), StoreError> {
        let tables = self.tables;
        let mut records = self.fresh.clone();
        for &number in self.before.values().flatten() {
            records.insert(number, tables.record(number)?);
        }
        let active = records.values().filter(|record| record.survivor.is_none());
        let mut open: BTreeSet<i64> = active.map(|record| record.number).collect();
        let mut links = tables.links_among(&Vec::from_iter(open.iter().copied()))?;
        tables.hold_apart(&open, &mut links)?;
        while let Some(&lowest) = open.first() {
            let person = component(lowest, &links, |_| false);
            open.retain(|record| !person.contains(record));
            self.settle(lowest, &Vec::from_iter(person), &records)?;
        }
        Ok(())
    }

    /// Makes a person of records, and tells if it is news.
    fn settle(&self, person: i64, members: &[i64], records: &Records) -> Result<(), StoreError> {
        let tables = self.tables;
        if self.before.get(&person).is_some_and(|before| before == members) {
            return Ok(());
        }
        let update = "UPDATE identity_record SET person = ?2 WHERE record = ?1";
        for record in members.iter().filter_map(|member| records.get(member)) {
            if record.person != person {
                tables.connection.prepare_cached(update)?.execute([record.number, person])?;
            }
        }
        let before = self.before.values().find(|before| before.contains(&person));
        let before = before.map(|before| by_domain(before, records)).unwrap_or_default();
        let now = by_domain(members, records);
        let domains: BTreeSet<_> = before.keys().chain(now.keys()).collect();
        let changed = domains.into_iter().filter(|domain| before.get(*domain) != now.get(*domain));
        let changed = changed
            .map(|domain| Ok(tables.identifier(*domain, "")?.authority().as_str().to_owned()))
            .collect::<Result<_, StoreError>>()?;
        let members = members.iter().filter_map(|member| records.get(member));
        tables.tell(&EventKind::Linked { identifiers: tables.identifiers_of(members)?, changed })
    }
}

fn by_domain(members: &[i64], records: &Records) -> BTreeMap<i64, BTreeSet<i64>> {
    let mut domains: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
    for record in members.iter().filter_map(|member| records.get(member)) {
        domains.entry(record.domain).or_default().insert(record.number);
    }
    domains
}
