//! What operators decide about persons, as a log: each decision keeps what it changed, so that it can be undone in full. An
//! undo is a decision like any other. What a source merged is final and no part of this.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::conflicts::stood_back;
use super::links::{Bar, Cause, Doubt, Link, Origin, Pair};
use super::persons::Regrouping;
use super::records::Record;
use super::schema::{Numbered, Tables};
use crate::identity::matching::Verdict;
use crate::ids::PatientId;
use crate::limits;
use crate::store::sql::{OptionalExtension, Row, params};
use crate::store::{StoreError, sql};

/// What an operator decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// These two are one person's. Refused if an operator holds anybody of the two persons apart.
    Link(PatientId, PatientId),
    /// The persons of these two are one, whoever was held apart.
    Merge(PatientId, PatientId),
    /// This one is not of the person that it is with; nobody of them is linked with it again.
    Unlink(PatientId),
    /// These two are never linked.
    Part(PatientId, PatientId),
    /// Takes a decision back.
    Undo(u64),
}

/// Why a ruling was not carried out. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No record has the identifier.
    #[error("no record has one of these identifiers")]
    Unknown(PatientId),
    /// The identifier was subsumed by a source's merge, which is final.
    #[error("one of these identifiers was subsumed by its source, which is final")]
    Subsumed(PatientId),
    /// Both identifiers are the same.
    #[error("both identifiers are the same")]
    Same,
    /// It is so already.
    #[error("nothing would change: it is so already")]
    Already,
    /// An operator holds records of the two persons apart.
    #[error("an operator holds records of these two persons apart; merge them to overrule that")]
    HeldApart,
    /// A later decision stands that changed the same.
    #[error("decision {0} changed the same since; undo it first")]
    Later(u64),
    /// There is no such decision, or it was undone.
    #[error("there is no such decision, or it was undone already")]
    NoDecision,
}

/// A decision, as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Its number.
    pub number: u64,
    /// Seconds since 1970.
    pub at: i64,
    /// Who.
    pub operator: String,
    /// `link`, `merge`, `unlink`, `part`, `undo`.
    pub kind: String,
    /// About whom.
    pub patients: Vec<PatientId>,
    /// The decision that undid it; None where it stands again.
    pub undone: Option<u64>,
    /// The decision that it undid.
    pub undoes: Option<u64>,
}

/// What a decision changed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Effect {
    linked: Vec<Link>,
    unlinked: Vec<Link>,
    barred: Vec<Bar>,
    unbarred: Vec<Bar>,
    /// What people are no longer asked.
    answered: Vec<Asked>,
    /// What they are asked again.
    asked: Vec<Asked>,
}

/// What people were asked about a pair.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Asked {
    pair: Pair,
    cause: Cause,
    probability: f64,
    /// The review's number, which it gets back; decisions of earlier versions do not say it.
    #[serde(default)]
    number: Option<i64>,
}

impl From<&Doubt> for Asked {
    fn from(doubt: &Doubt) -> Self {
        let Doubt { number, pair, cause, probability, .. } = *doubt;
        Self { pair, cause, probability, number: Some(number) }
    }
}

impl Effect {
    fn is_empty(&self) -> bool {
        self.linked.is_empty()
            && self.unlinked.is_empty()
            && self.barred.is_empty()
            && self.unbarred.is_empty()
    }
    fn read(json: &str) -> Result<Self, StoreError> {
        serde_json::from_str(json).map_err(|_| StoreError::Damaged("a decision cannot be read".into()))
    }
    /// The pairs whose links and bars it changed.
    fn pairs(&self) -> impl Iterator<Item = Pair> {
        let links = self.linked.iter().chain(&self.unlinked).map(|link| link.pair);
        links.chain(self.barred.iter().chain(&self.unbarred).map(|bar| bar.pair))
    }
    fn inverse(self) -> Self {
        Self {
            linked: self.unlinked,
            unlinked: self.linked,
            barred: self.unbarred,
            unbarred: self.barred,
            answered: self.asked,
            asked: self.answered,
        }
    }
    fn records(&self) -> BTreeSet<i64> {
        self.pairs().flat_map(|Pair(a, b)| [a, b]).collect()
    }
}

/// Kind and subjects of a decision, as they are logged.
struct Subject {
    kind: &'static str,
    record: i64,
    other: Option<i64>,
    /// The decision that it takes back.
    undoes: Option<i64>,
}

impl Subject {
    fn new(kind: &'static str, record: i64, other: Option<i64>) -> Self {
        Self { kind, record, other, undoes: None }
    }
}

/// Within one decision: by whom and when.
struct By<'a> {
    operator: &'a str,
    now: i64,
}

/// What a ruling would do, or why it is refused.
type Planned = Result<Result<(Subject, Effect), Refused>, StoreError>;

impl Tables<'_> {
    /// Carries a ruling out, or refuses it; gives the decision's number.
    pub(super) fn rule(
        self,
        ruling: &Ruling,
        operator: &str,
        now: i64,
    ) -> Result<Result<u64, Refused>, StoreError> {
        let by = By { operator, now };
        let planned = match ruling {
            Ruling::Link(a, b) => self.plan_pair(a, b, &by, Self::plan_link)?,
            Ruling::Merge(a, b) => self.plan_pair(a, b, &by, Self::plan_merge)?,
            Ruling::Part(a, b) => self.plan_pair(a, b, &by, Self::plan_part)?,
            Ruling::Unlink(patient) => self.plan_unlink(patient, &by)?,
            Ruling::Undo(number) => self.plan_undo(*number)?,
        };
        let (subject, effect) = match planned {
            Ok((_, effect)) if effect.is_empty() => return Ok(Err(Refused::Already)),
            Ok(planned) => planned,
            Err(refused) => return Ok(Err(refused)),
        };
        self.carry_out(&subject, &effect, now)?;
        let number = self.log(&subject, &effect, &by)?;
        if let Some(undone) = subject.undoes {
            let update = "UPDATE identity_decision SET undone = ?2 WHERE decision = ?1";
            self.connection.execute(update, [undone, self.global(number)])?;
        }
        Ok(Ok(number))
    }

    fn known(self, patient: &PatientId) -> Result<Result<Record, Refused>, StoreError> {
        Ok(match self.record_of(patient)? {
            None => Err(Refused::Unknown(patient.clone())),
            Some(Record { survivor: Some(_), .. }) => Err(Refused::Subsumed(patient.clone())),
            Some(record) => Ok(record),
        })
    }

    fn plan_pair(
        self,
        a: &PatientId,
        b: &PatientId,
        by: &By<'_>,
        plan: fn(Self, &Record, &Record, &By<'_>) -> Planned,
    ) -> Planned {
        if a == b {
            return Ok(Err(Refused::Same));
        }
        match (self.known(a)?, self.known(b)?) {
            (Ok(a), Ok(b)) => plan(self, &a, &b, by),
            (Err(refused), _) | (_, Err(refused)) => Ok(Err(refused)),
        }
    }

    fn plan_link(self, a: &Record, b: &Record, by: &By<'_>) -> Planned {
        if a.person != b.person && !self.bars_between(a, b)?.is_empty() {
            return Ok(Err(Refused::HeldApart));
        }
        self.joined("link", a, b, Vec::new(), by)
    }

    fn plan_merge(self, a: &Record, b: &Record, by: &By<'_>) -> Planned {
        let bars = self.bars_between(a, b)?;
        self.joined("merge", a, b, bars, by)
    }

    fn joined(self, kind: &'static str, a: &Record, b: &Record, unbarred: Vec<Bar>, by: &By<'_>) -> Planned {
        let pair = Pair::of(a.number, b.number);
        let links = self.links_among(&self.members(a.person)?)?;
        if links.iter().any(|link| link.pair == pair && link.origin == Origin::Operator) {
            return Ok(Err(Refused::Already));
        }
        let operator = Some(by.operator.to_owned());
        let link = Link { pair, origin: Origin::Operator, probability: None, operator, since: by.now };
        let answered = self.doubt_about(pair)?;
        let effect = Effect { linked: vec![link], unbarred, answered, ..Effect::default() };
        Ok(Ok((Subject::new(kind, a.number, Some(b.number)), effect)))
    }

    fn plan_part(self, a: &Record, b: &Record, by: &By<'_>) -> Planned {
        let pair = Pair::of(a.number, b.number);
        let mut effect = Effect { answered: self.doubt_about(pair)?, ..Effect::default() };
        if self.bar(pair)?.is_none() {
            effect.barred.push(Bar { pair, operator: by.operator.to_owned(), since: by.now });
        }
        if a.person == b.person {
            // They hang together, by whatever chain: the second leaves.
            effect.unlinked = self.links_of(b)?;
        }
        Ok(Ok((Subject::new("part", a.number, Some(b.number)), effect)))
    }

    fn plan_unlink(self, patient: &PatientId, by: &By<'_>) -> Planned {
        let record = match self.known(patient)? {
            Ok(record) => record,
            Err(refused) => return Ok(Err(refused)),
        };
        let mut effect = Effect { unlinked: self.links_of(&record)?, ..Effect::default() };
        // Whoever stood back before the person's other records would be joined in their place.
        let doubts = self.doubts_of(record.number)?;
        let instead =
            doubts.iter().filter(|doubt| stood_back(doubt)).map(|doubt| doubt.pair.other(record.number));
        let mut others: BTreeSet<i64> = self.members(record.person)?.into_iter().chain(instead).collect();
        others.remove(&record.number);
        for other in others {
            let pair = Pair::of(record.number, other);
            effect.answered.extend(self.doubt_about(pair)?);
            if self.bar(pair)?.is_none() {
                effect.barred.push(Bar { pair, operator: by.operator.to_owned(), since: by.now });
            }
        }
        Ok(Ok((Subject::new("unlink", record.number, None), effect)))
    }

    fn plan_undo(self, number: u64) -> Planned {
        let Some(standing) = self.standing(self.global(number))? else { return Ok(Err(Refused::NoDecision)) };
        let find = "SELECT record, other, effect FROM identity_decision WHERE decision = ?1";
        let (record, other, effect) = self.connection.query_row(find, [standing], |row| {
            Ok((row.get::<i64>(0)?, row.get::<Option<i64>>(1)?, row.get::<String>(2)?))
        })?;
        let effect = Effect::read(&effect)?;
        if let Some(later) = self.later(self.local(standing), &effect)? {
            return Ok(Err(Refused::Later(later)));
        }
        let effect = self.with_what_was_declared(effect.inverse())?;
        Ok(Ok((Subject { undoes: Some(standing), ..Subject::new("undo", record, other) }, effect)))
    }

    /// By which decision a decision stands: itself, or whatever took its undo back. None if it does not stand.
    fn standing(self, number: i64) -> Result<Option<i64>, StoreError> {
        let find = "SELECT undone FROM identity_decision WHERE decision = ?1";
        let mut find = self.connection.prepare_cached(find)?;
        let mut undone = |number: i64| find.query_row([number], |row| row.get::<Option<i64>>(0)).optional();
        let mut standing = number;
        loop {
            match undone(standing)? {
                None => return Ok(None),
                Some(None) => return Ok(Some(standing)),
                Some(Some(undo)) => match undone(undo)?.flatten() {
                    None => return Ok(None),
                    Some(again) => standing = again,
                },
            }
        }
    }

    /// With what sources declared one person's while nothing but the bars stood against it that go now.
    fn with_what_was_declared(self, mut effect: Effect) -> Result<Effect, StoreError> {
        let barred = effect.unbarred.iter().map(|bar| self.survivors(bar.pair));
        let barred: BTreeSet<Pair> = barred.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        let members =
            |record| Ok::<_, StoreError>(BTreeSet::from_iter(self.members(self.person_of(record)?)?));
        let mut concerned = BTreeSet::new();
        for Pair(one, another) in &barred {
            concerned.extend(members(*one)?);
            concerned.extend(members(*another)?);
        }
        let mut declared = BTreeMap::new();
        for record in concerned {
            let doubts = self.doubts_of(record)?.into_iter();
            declared.extend(
                doubts.filter(|doubt| doubt.cause == Cause::Declared).map(|doubt| (doubt.pair, doubt)),
            );
        }
        for (pair, doubt) in declared {
            let (one, another) = (members(pair.0)?, members(pair.1)?);
            let bars = self.bars_among(&one, &another)?;
            let few = one.union(&another).count() <= limits::MAX_RECORDS_PER_PERSON;
            if few && bars.iter().all(|bar| barred.contains(&bar.pair)) {
                let (origin, since) = (Origin::Source, doubt.since);
                effect.linked.push(Link { pair, origin, probability: None, operator: None, since });
                effect.answered.push(Asked::from(&doubt));
            }
        }
        Ok(effect)
    }

    /// The last decision that stands and changed what an earlier one changed: the earlier one cannot be taken back before it.
    fn later(self, number: u64, effect: &Effect) -> Result<Option<u64>, StoreError> {
        let find = "SELECT decision, undone, effect FROM identity_decision
                    WHERE decision > ?1 AND decision <= ?2 ORDER BY decision DESC";
        let mut find = self.connection.prepare_cached(find)?;
        let rows = find.query_map([self.global(number), self.range().1], |row| {
            Ok((row.get::<i64>(0)?, row.get::<Option<i64>>(1)?, row.get::<String>(2)?))
        })?;
        let later: Vec<_> = rows.collect::<Result<_, _>>()?;
        let undoing: BTreeSet<i64> = later.iter().filter_map(|(_, undone, _)| *undone).collect();
        let alive = |effect: &Effect| {
            let pairs = effect.pairs().map(|pair| self.survivors(pair));
            Ok::<BTreeSet<Pair>, StoreError>(
                pairs.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect(),
            )
        };
        let pairs = alive(effect)?;
        let mut in_force = BTreeMap::new();
        for (decision, undone, changed) in &later {
            // Whoever undoes an undo brings back what it undid.
            let stands = undone.is_none_or(|by| !in_force.get(&by).copied().unwrap_or(true));
            in_force.insert(*decision, stands);
            if stands && !undoing.contains(decision) && !alive(&Effect::read(changed)?)?.is_disjoint(&pairs) {
                return Ok(Some(self.local(*decision)));
            }
        }
        Ok(None)
    }

    fn links_of(self, record: &Record) -> Result<Vec<Link>, StoreError> {
        let mut links = self.links_among(&self.members(record.person)?)?;
        links.retain(|link| link.pair.has(record.number));
        Ok(links)
    }

    fn bars_between(self, a: &Record, b: &Record) -> Result<Vec<Bar>, StoreError> {
        let group = |record: &Record| Ok::<_, StoreError>(BTreeSet::from_iter(self.members(record.person)?));
        self.bars_among(&group(a)?, &group(b)?)
    }

    fn doubt_about(self, pair: Pair) -> Result<Vec<Asked>, StoreError> {
        let doubts = self.doubts_of(pair.0)?;
        Ok(doubts.iter().filter(|doubt| doubt.pair == pair).map(Asked::from).collect())
    }

    /// The pair in which two records live on: a source may have merged one of them since. None if into each other.
    fn survivors(self, pair: Pair) -> Result<Option<Pair>, StoreError> {
        let follow = |mut number: i64| {
            while let Some(survivor) = self.record(number)?.survivor {
                number = survivor;
            }
            Ok::<_, StoreError>(number)
        };
        let (one, another) = (follow(pair.0)?, follow(pair.1)?);
        Ok((one != another).then(|| Pair::of(one, another)))
    }

    fn carry_out(self, subject: &Subject, effect: &Effect, now: i64) -> Result<(), StoreError> {
        let mut regrouping = Regrouping::ruled(self);
        for record in effect.records() {
            let mut record = self.record(record)?;
            while let Some(survivor) = record.survivor {
                record = self.record(survivor)?;
            }
            regrouping.touch(record.person)?;
        }
        for link in &effect.unlinked {
            if let Some(pair) = self.survivors(link.pair)? {
                self.remove_link(pair, link.origin)?;
            }
        }
        for link in &effect.linked {
            if let Some(pair) = self.survivors(link.pair)?
                && self.still_holds(link, pair)?
            {
                self.add_link(&Link { pair, ..link.clone() })?;
            }
        }
        for bar in &effect.unbarred {
            if let Some(pair) = self.survivors(bar.pair)? {
                self.remove_bar(pair)?;
            }
        }
        for bar in &effect.barred {
            if let Some(pair) = self.survivors(bar.pair)? {
                self.add_bar(&Bar { pair, ..bar.clone() })?;
                // That is decided.
                if self.doubt_about(pair)?.iter().any(|asked| asked.cause != Cause::Declared) {
                    self.remove_doubt(pair)?;
                }
            }
        }
        for Asked { pair, .. } in &effect.answered {
            self.remove_doubt(*pair)?;
        }
        for &Asked { pair, cause, probability, number } in &effect.asked {
            if self.survivors(pair)? != Some(pair) {
                continue;
            }
            match number {
                Some(number) => self.ask_again(&Doubt { number, pair, cause, probability, since: now })?,
                None => self.add_doubt(pair, cause, probability, now)?,
            }
        }
        if subject.undoes.is_some() {
            // As if the bars had never been.
            for bar in &effect.unbarred {
                if let Some(pair) = self.survivors(bar.pair)? {
                    self.relink_pair(pair, now)?;
                }
            }
        }
        regrouping.finish()
    }

    /// Whether a link that is put back would be found now: its records may have changed since it was taken away.
    fn still_holds(self, link: &Link, pair: Pair) -> Result<bool, StoreError> {
        Ok(match link.origin {
            Origin::Source | Origin::Operator => true,
            Origin::Key => !self.compare_pair(pair)?.barred,
            Origin::Matcher => self.matcher.thresholds.verdict(&self.compare_pair(pair)?) == Verdict::Same,
        })
    }

    fn log(self, subject: &Subject, effect: &Effect, by: &By<'_>) -> Result<u64, StoreError> {
        let insert = "INSERT INTO identity_decision (decision, at, operator, kind, record, other, effect)
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let number = self.next(Numbered::Decision)?;
        let effect = serde_json::to_string(effect).map_err(|error| StoreError::Damaged(error.to_string()))?;
        let Subject { kind, record, other, .. } = subject;
        self.connection.execute(insert, params![number, by.now, by.operator, kind, record, other, effect])?;
        Ok(self.local(number))
    }

    /// Decisions about any of some records, oldest first.
    pub(super) fn decisions(self, records: &[i64]) -> Result<Vec<Decision>, StoreError> {
        let find = "SELECT decision, at, operator, kind, record, other, undone FROM identity_decision
                    WHERE decision BETWEEN ?2 AND ?3 AND (record = ?1 OR other = ?1)";
        let mut find = self.connection.prepare_cached(find)?;
        let (first, last) = self.range();
        let mut decisions: Vec<Decision> = Vec::new();
        let mut undoes = BTreeMap::new();
        for record in records {
            let rows = find.query_map([*record, first, last], Logged::of)?;
            for row in rows {
                let logged = row?;
                undoes.extend(logged.undone.map(|undo| (self.local(undo), self.local(logged.number))));
                let decision = self.read_decision(logged)?;
                if !decisions.iter().any(|known| known.number == decision.number) {
                    decisions.push(decision);
                }
            }
        }
        // An undo is about the same records.
        for decision in &mut decisions {
            decision.undoes = undoes.get(&decision.number).copied();
        }
        decisions.sort_by_key(|decision| decision.number);
        Ok(decisions)
    }

    fn read_decision(self, logged: Logged) -> Result<Decision, StoreError> {
        let records = [Some(logged.record), logged.other].into_iter().flatten();
        // Whoever undoes an undo brings back what it undid.
        let undone = if self.standing(logged.number)?.is_some() { None } else { logged.undone };
        Ok(Decision {
            number: self.local(logged.number),
            at: logged.at,
            operator: logged.operator,
            kind: logged.kind,
            patients: records.map(|record| self.identifier_of(record)).collect::<Result<_, _>>()?,
            undone: undone.map(|number| self.local(number)),
            undoes: None,
        })
    }
}

/// A row of the log.
struct Logged {
    number: i64,
    at: i64,
    operator: String,
    kind: String,
    record: i64,
    other: Option<i64>,
    undone: Option<i64>,
}

impl Logged {
    fn of(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            number: row.get(0)?,
            at: row.get(1)?,
            operator: row.get(2)?,
            kind: row.get(3)?,
            record: row.get(4)?,
            other: row.get(5)?,
            undone: row.get(6)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_of_an_earlier_version_is_read() {
        let json = r#"{"linked":[],"unlinked":[],"barred":[],"unbarred":[],"answered":[[[2,1],"unsure",0.5]],"asked":[]}"#;
        let [asked] = Effect::read(json).unwrap().answered[..] else { panic!() };
        assert_eq!((asked.pair, asked.cause, asked.number), (Pair(2, 1), Cause::Unsure, None));
    }
}
