//! Persons: what hangs together by links. A person's number is its lowest record's, so that a record that is alone costs
//! nothing more, and the same links always give the same persons.

use std::collections::{BTreeMap, BTreeSet};

use super::conflicts::{StoodBack, stood_back};
use super::events::EventKind;
use super::groups::Groups;
use super::insured::Renewal;
use super::records::Record;
use super::schema::Tables;
use crate::ids::PatientId;
use crate::limits;
use crate::store::StoreError;
use crate::time::today;

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
        self.identifiers_of(records.iter(), |_| true)
    }
    fn identifiers_of<'r>(
        self,
        records: impl Iterator<Item = &'r Record>,
        may_be_insured: impl Fn(i64) -> bool,
    ) -> Result<Vec<PatientId>, StoreError> {
        let mut named = Vec::new();
        let (mut insured, today) = (BTreeSet::new(), today());
        for record in records {
            named.push((record.domain, record.id.clone()));
            if !may_be_insured(record.number) {
                continue;
            }
            let numbers = self.insurances(record.number)?.into_iter();
            insured.extend(numbers.filter(|has| has.validity.holds(today)).map(|has| (has.domain, has.id)));
        }
        named.sort();
        named.into_iter().chain(insured).map(|(domain, id)| self.identifier(domain, &id)).collect()
    }
}

/// Records by number, as a regrouping found them.
type Records = BTreeMap<i64, Record>;

/// A change of links: persons as they were before, to be found anew afterwards.
pub(super) struct Regrouping<'c> {
    tables: Tables<'c>,
    before: BTreeMap<i64, Vec<i64>>,
    fresh: BTreeMap<i64, Record>,
    relinked: BTreeSet<i64>,
    /// Records of whose insured persons' numbers there is news, and the domains in which one came or went.
    insured: BTreeMap<i64, BTreeSet<i64>>,
    /// By an operator.
    ruled: bool,
}

impl<'c> Regrouping<'c> {
    pub(super) fn new(tables: Tables<'c>) -> Self {
        let (before, fresh, relinked, insured) = Default::default();
        Self { tables, before, fresh, relinked, insured, ruled: false }
    }
    /// By an operator's ruling: that may take away what kept two together who contradict each other, or put a bar between
    /// those who are one person, so everybody is looked at anew.
    pub(super) fn ruled(tables: Tables<'c>) -> Self {
        Self { ruled: true, ..Self::new(tables) }
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
    /// A record whose links were found anew.
    pub(super) fn relinked(&mut self, record: i64) {
        self.relinked.insert(record);
    }
    /// A record of whose insured persons' numbers there is news: that concerns whoever keeps what follows from its identifiers.
    pub(super) fn insured_anew(&mut self, record: i64, renewal: Renewal) {
        let domains = self.insured.entry(record).or_default();
        if let Renewal::Number { domain } = renewal {
            domains.insert(domain);
        }
    }
    /// Whether the tables have nothing of a record but what this change has written: no bar, no insured person's number, and
    /// so no pair that stood back.
    pub(super) fn is_bare(&self, record: i64) -> bool {
        self.fresh.contains_key(&record) && !self.insured.contains_key(&record)
    }
    /// Whether a record that was not there before is all that has changed so far.
    pub(super) fn is_all(&self, record: i64) -> bool {
        self.before.is_empty() && self.fresh.len() == 1 && self.fresh.contains_key(&record)
    }
    /// Finds the persons anew, by the links as of now.
    pub(super) fn finish(mut self) -> Result<(), StoreError> {
        let tables = self.tables;
        // Nobody was touched whom it could have been linked with.
        if self.before.is_empty()
            && self.fresh.len() == 1
            && let Some(&alone) = self.fresh.keys().next()
        {
            return self.settle(alone, &[alone], None, &self.fresh);
        }
        let stood_back = self.stood_back()?;
        let mut records = self.fresh.clone();
        for &number in self.before.values().flatten() {
            records.insert(number, tables.record(number)?);
        }
        let active = records.values().filter(|record| record.survivor.is_none());
        let active: BTreeSet<i64> = active.map(|record| record.number).collect();
        let mut links = tables.links_among(&Vec::from_iter(active.iter().copied()))?;
        let before = self.person_before();
        tables.resolve(&active, &mut links, &stood_back, |record| {
            let looked_at = !self.ruled && !self.relinked.contains(&record);
            before.get(&record).copied().filter(|_| looked_at)
        })?;
        let persons = Groups::linked(active, links.iter().map(|link| link.pair));
        for person in persons.all() {
            let members = Vec::from_iter(person.iter().copied());
            let Some(lowest) = members.first() else { continue };
            let before = before.get(lowest).and_then(|person| self.before.get(person));
            self.settle(*lowest, &members, before, &records)?;
        }
        Ok(())
    }

    /// Of which person each record was.
    fn person_before(&self) -> BTreeMap<i64, i64> {
        let persons = self.before.iter();
        persons.flat_map(|(person, members)| members.iter().map(move |member| (*member, *person))).collect()
    }

    /// The pairs that stood back behind links of these persons: what has changed may make room for them. Whom they concern is
    /// looked at, too, as far as they are not too many.
    fn stood_back(&mut self) -> Result<StoodBack, StoreError> {
        let mut found = StoodBack::new();
        let may_have = |record: &&i64| !self.is_bare(**record);
        let mut open: Vec<i64> =
            self.before.values().flatten().chain(self.fresh.keys()).filter(may_have).copied().collect();
        let mut known: BTreeSet<i64> = open.iter().chain(self.fresh.keys()).copied().collect();
        while let Some(record) = open.pop() {
            for doubt in self.tables.doubts_of(record)?.into_iter().filter(stood_back) {
                let other = doubt.pair.other(record);
                if !known.contains(&other) {
                    if known.len() > limits::MAX_RECORDS_REGROUPED {
                        continue;
                    }
                    let person = self.tables.person_of(other)?;
                    self.touch(person)?;
                    let members = self.before.get(&person).into_iter().flatten();
                    open.extend(members.copied().filter(|member| known.insert(*member)));
                }
                found.insert(doubt.pair, doubt);
            }
        }
        Ok(found)
    }

    /// Makes a person of records, and tells if it is news; `before` is what the lowest of them belonged to.
    fn settle(
        &self,
        person: i64,
        members: &[i64],
        before: Option<&Vec<i64>>,
        records: &Records,
    ) -> Result<(), StoreError> {
        let tables = self.tables;
        let insured: Vec<_> = members.iter().filter_map(|member| self.insured.get(member)).collect();
        if insured.is_empty() && self.before.get(&person).is_some_and(|before| before == members) {
            return Ok(());
        }
        let update = "UPDATE identity_record SET person = ?2 WHERE record = ?1";
        for record in members.iter().filter_map(|member| records.get(member)) {
            if record.person != person {
                tables.connection.prepare_cached(update)?.execute([record.number, person])?;
            }
        }
        let before = before.map(|before| by_domain(before, records)).unwrap_or_default();
        let now = by_domain(members, records);
        let domains: BTreeSet<_> = before.keys().chain(now.keys()).collect();
        let changed = domains.into_iter().filter(|domain| before.get(*domain) != now.get(*domain));
        let changed: BTreeSet<_> = changed.chain(insured.into_iter().flatten()).collect();
        let changed = changed
            .into_iter()
            .map(|domain| Ok(tables.identifier(*domain, "")?.authority().as_str().to_owned()))
            .collect::<Result<_, StoreError>>()?;
        let members = members.iter().filter_map(|member| records.get(member));
        tables.tell(EventKind::Linked {
            identifiers: tables.identifiers_of(members, |record| !self.is_bare(record))?,
            changed,
        })
    }
}

fn by_domain(members: &[i64], records: &Records) -> BTreeMap<i64, BTreeSet<i64>> {
    let mut domains: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
    for record in members.iter().filter_map(|member| records.get(member)) {
        domains.entry(record.domain).or_default().insert(record.number);
    }
    domains
}
