//! Persons: what hangs together by links. A person's number is its lowest record's, so that a record that is alone costs
//! nothing more, and the same links always give the same persons.

use std::collections::{BTreeMap, BTreeSet};

use super::events::EventKind;
use super::links::{Link, Pair};
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
        let mut named = Vec::with_capacity(records.len());
        let mut insured = BTreeSet::new();
        for &number in records {
            let record = self.record(number)?;
            named.push((record.domain, record.id));
            insured.extend(self.insured_numbers(number)?);
        }
        named.sort();
        named.into_iter().chain(insured).map(|(domain, id)| self.identifier(domain, &id)).collect()
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

/// A change of links: persons as they were before, to be found anew afterwards.
pub(super) struct Regrouping<'c> {
    tables: Tables<'c>,
    before: BTreeMap<i64, Vec<i64>>,
    fresh: BTreeSet<i64>,
}

impl<'c> Regrouping<'c> {
    pub(super) fn new(tables: Tables<'c>) -> Self {
        Self { tables, before: BTreeMap::new(), fresh: BTreeSet::new() }
    }
    /// A person whose links may change from here on.
    pub(super) fn touch(&mut self, person: i64) -> Result<(), StoreError> {
        if !self.fresh.contains(&person) && !self.before.contains_key(&person) {
            self.before.insert(person, self.tables.members(person)?);
        }
        Ok(())
    }
    /// A record that was not there before.
    pub(super) fn fresh(&mut self, record: i64) {
        self.fresh.insert(record);
    }
    /// The records of a person as of now, with links added since.
    pub(super) fn finish(self) -> Result<(), StoreError> {
        let tables = self.tables;
        let known: BTreeSet<i64> = self.before.values().flatten().chain(&self.fresh).copied().collect();
        let mut open = BTreeSet::new();
        for &record in &known {
            if tables.record(record)?.survivor.is_none() {
                open.insert(record);
            }
        }
        let links = tables.links_among(&Vec::from_iter(open.iter().copied()))?;
        while let Some(&lowest) = open.first() {
            let person = component(lowest, &links, |_| false);
            open.retain(|record| !person.contains(record));
            self.settle(lowest, &Vec::from_iter(person))?;
        }
        Ok(())
    }

    /// Makes a person of records, and tells if it is news.
    fn settle(&self, person: i64, members: &[i64]) -> Result<(), StoreError> {
        let tables = self.tables;
        if self.before.get(&person).is_some_and(|before| before == members) {
            return Ok(());
        }
        let update = "UPDATE identity_record SET person = ?2 WHERE record = ?1 AND person <> ?2";
        let mut update = tables.connection.prepare_cached(update)?;
        for &record in members {
            update.execute([record, person])?;
        }
        let before = self.before.values().find(|before| before.contains(&person));
        let before = before.map(|before| self.by_domain(before)).transpose()?.unwrap_or_default();
        let now = self.by_domain(members)?;
        let domains: BTreeSet<_> = before.keys().chain(now.keys()).collect();
        let changed = domains.into_iter().filter(|domain| before.get(*domain) != now.get(*domain));
        let changed = changed
            .map(|domain| Ok(tables.identifier(*domain, "")?.authority().as_str().to_owned()))
            .collect::<Result<_, StoreError>>()?;
        tables.tell(&EventKind::Linked { identifiers: tables.identifiers(members)?, changed })
    }

    fn by_domain(&self, records: &[i64]) -> Result<BTreeMap<i64, BTreeSet<i64>>, StoreError> {
        let mut domains: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
        for &number in records {
            domains.entry(self.tables.record(number)?.domain).or_default().insert(number);
        }
        Ok(domains)
    }
}
