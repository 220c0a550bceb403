//! Announcements: what a message makes of its records. Candidates are looked for and compared on a reader, before the
//! writer's turn; the writer checks that nothing of it has become untrue meanwhile, and writes.

use std::collections::{BTreeMap, BTreeSet};

use super::candidates::Scored;
use super::events::EventKind;
use super::groups::Groups;
use super::insured::Dated;
use super::keys::{Keys, Marks};
use super::links::{Cause, Link, Origin, Pair};
use super::persons::Regrouping;
use super::records::{Content, Record, prepared};
use super::schema::{Numbered, Tables};
use super::{Along, Announced, IndexError, search_keys};
use crate::demographics::{Demographics, DemographicsChange, Visit};
use crate::identity::matching::Prepared;
use crate::ids::PatientId;
use crate::limits;
use crate::store::StoreError;

/// What a message says.
pub(super) struct Announcement {
    /// Of patients.
    pub(super) patients: Vec<PatientId>,
    /// Of insured persons.
    pub(super) insured: Vec<Dated>,
    pub(super) change: DemographicsChange,
    pub(super) visit: Option<Visit>,
}

/// What would become of a record, as far as it can be known before the writer's turn.
pub(super) struct Proposed {
    pub(super) patient: PatientId,
    /// The record, if there is one, and what it is like now.
    pub(super) known: Option<(Record, Demographics, Option<Visit>)>,
    pub(super) demographics: Demographics,
    pub(super) visit: Option<Visit>,
    pub(super) prepared: Prepared,
    pub(super) blocking: Vec<u64>,
    pub(super) searches: Vec<u64>,
    /// None if nothing changes that matching looks at.
    pub(super) scored: Option<Vec<Scored>>,
}

/// A proposal for all records of an announcement, and when it was made.
pub(super) struct Proposal {
    pub(super) marks: Marks,
    pub(super) records: Vec<Proposed>,
    /// Whether the announcement says nothing new.
    pub(super) news: News,
}

/// Whether an announcement changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    Some,
    None,
}

impl Proposed {
    fn content(&self) -> Content<'_> {
        Content { demographics: &self.demographics, prepared: &self.prepared, visit: self.visit.as_ref() }
    }
    fn is_unchanged(&self) -> bool {
        self.known.as_ref().is_some_and(|(_, was, visit)| *was == self.demographics && *visit == self.visit)
    }
}

impl Tables<'_> {
    /// How far records are written.
    pub(super) fn marks(self) -> Result<Marks, StoreError> {
        Ok(Marks {
            record: self.local(self.last(Numbered::Record)?),
            former: self.local(self.last(Numbered::Former)?),
        })
    }

    /// What would become of an announcement's records; `marks` are of this moment or an earlier one.
    pub(super) fn propose(
        self,
        keys: &Keys,
        announcement: &Announcement,
        marks: Marks,
    ) -> Result<Result<Proposal, IndexError>, StoreError> {
        let mut records: Vec<Proposed> = Vec::with_capacity(announcement.patients.len());
        for patient in &announcement.patients {
            let known = match self.record_of(patient)? {
                Some(Record { survivor: Some(_), .. }) => {
                    return Ok(Err(IndexError::Subsumed(patient.clone())));
                }
                Some(record) => {
                    let (demographics, visit) = self.content(record.number)?;
                    Some((record, demographics, visit))
                }
                None => None,
            };
            records.push(self.propose_record(keys, announcement, patient, known, &records)?);
        }
        let news = self.news(announcement, &records)?;
        Ok(Ok(Proposal { marks, records, news }))
    }

    fn propose_record(
        self,
        keys: &Keys,
        announcement: &Announcement,
        patient: &PatientId,
        known: Option<(Record, Demographics, Option<Visit>)>,
        before: &[Proposed],
    ) -> Result<Proposed, StoreError> {
        let (mut demographics, visit) = match &known {
            Some((_, was, visit)) => (was.clone(), visit.clone()),
            None => Default::default(),
        };
        announcement.change.apply(&mut demographics);
        let visit = announcement.visit.clone().or(visit);
        let own = known.as_ref().map(|(record, ..)| record.number);
        let mut former = own.map(|own| self.former(own)).transpose()?.unwrap_or_default();
        if let Some((_, was, _)) = known.as_ref().filter(|(_, was, _)| *was != demographics) {
            former.insert(0, (0, was.clone()));
        }
        let prepared = prepared(&demographics, &former);
        let mut blocking = Vec::new();
        prepared.blocking_keys(&mut blocking);
        let mut searches = Vec::new();
        search_keys::of(&demographics, &mut searches);
        let as_before = match own {
            Some(own) => self.comparable(own)?.is_some_and(|was| was.prepared == prepared),
            None => false,
        };
        // Identifiers of one message describe one person: whoever is like the first is like all.
        let repeated = before.iter().any(|other| other.prepared == prepared && other.scored.is_some());
        let scored = match (as_before, repeated) {
            (true, _) => None,
            (false, true) => Some(Vec::new()),
            (false, false) => Some(self.score_all(keys, &prepared, &blocking, own)?),
        };
        Ok(Proposed {
            patient: patient.clone(),
            known,
            demographics,
            visit,
            prepared,
            blocking,
            searches,
            scored,
        })
    }

    fn news(self, announcement: &Announcement, records: &[Proposed]) -> Result<News, StoreError> {
        if !records.iter().all(Proposed::is_unchanged) {
            return Ok(News::Some);
        }
        let numbers: Vec<i64> =
            records.iter().filter_map(|known| Some(known.known.as_ref()?.0.number)).collect();
        let persons: BTreeSet<i64> =
            records.iter().filter_map(|known| Some(known.known.as_ref()?.0.person)).collect();
        for told in &announcement.insured {
            for &record in &numbers {
                if self.renewal(record, told)?.is_some() {
                    return Ok(News::Some);
                }
            }
        }
        Ok(if persons.len() > 1 { News::Some } else { News::None })
    }

    /// Writes an announcement, with a proposal that may have been made before others wrote.
    pub(super) fn announce(
        self,
        keys: &Keys,
        announcement: &Announcement,
        proposal: Proposal,
        along: Option<Along>,
        now: i64,
    ) -> Result<Result<Announced, IndexError>, StoreError> {
        let proposal = match self.renew(keys, announcement, proposal)? {
            Ok(proposal) => proposal,
            Err(refused) => return Ok(Err(refused)),
        };
        if let Some(Err(refused)) = along.map(|along| along(self.connection)).transpose()? {
            return Ok(Err(IndexError::Along(refused)));
        }
        if proposal.news == News::None {
            return Ok(Ok(Announced::Unchanged));
        }
        let mut regrouping = Regrouping::new(self);
        let mut announced = Announced::Changed;
        let mut numbers = Vec::with_capacity(proposal.records.len());
        let mut changed = Vec::new();
        let mut marks = self.marks()?;
        for proposed in &proposal.records {
            let number = match &proposed.known {
                None => {
                    announced = Announced::Added;
                    let record = self.add(&proposed.patient, &proposed.content())?;
                    let number = record.number;
                    marks.record = self.local(number);
                    regrouping.fresh(record);
                    number
                }
                Some((record, was, _)) => {
                    regrouping.touch(record.person)?;
                    if !proposed.is_unchanged() {
                        self.change(record, &proposed.content())?;
                    }
                    if *was != proposed.demographics {
                        marks.former = self.local(self.keep_former(record.number, was, now)?);
                        changed.push(EventKind::Changed(proposed.patient.clone()));
                    }
                    record.number
                }
            };
            numbers.push(number);
            keys.write(self.local(number), marks, &proposed.blocking, &proposed.searches);
        }
        let mut renewed_keys = Vec::new();
        for &number in &numbers {
            for told in &announcement.insured {
                if let Some(renewal) = self.insure(number, told, now)? {
                    regrouping.insured_anew(number, renewal);
                    renewed_keys.push(number);
                }
            }
        }
        self.declare(&numbers, now, &mut regrouping)?;
        for (proposed, &number) in proposal.records.iter().zip(&numbers) {
            match &proposed.scored {
                Some(scored) => {
                    let scored = self.refresh(keys, &proposal.marks, proposed, number, scored)?;
                    self.relink(number, &proposed.prepared, &scored, now, &mut regrouping)?;
                }
                None if renewed_keys.contains(&number) => {
                    let scored =
                        self.score_all(keys, &proposed.prepared, &proposed.blocking, Some(number))?;
                    self.relink(number, &proposed.prepared, &scored, now, &mut regrouping)?;
                }
                None => {}
            }
        }
        regrouping.finish()?;
        changed.into_iter().try_for_each(|event| self.tell(event))?;
        Ok(Ok(announced))
    }

    /// The proposal, or a new one if the records themselves are no longer what they were.
    fn renew(
        self,
        keys: &Keys,
        announcement: &Announcement,
        proposal: Proposal,
    ) -> Result<Result<Proposal, IndexError>, StoreError> {
        for proposed in &proposal.records {
            let now = self.record_of(&proposed.patient)?;
            let same = match (&now, &proposed.known) {
                (None, None) => true,
                (Some(now), Some((was, ..))) => {
                    now.revision == was.revision && now.person == was.person && now.survivor.is_none()
                }
                _ => false,
            };
            if !same || keys.written_since(proposal.marks, &[]).is_none() {
                return self.propose(keys, announcement, self.marks()?);
            }
        }
        Ok(Ok(proposal))
    }

    /// Brings a record's scored candidates up to the moment: what was written since is compared, and what has changed again.
    fn refresh(
        self,
        keys: &Keys,
        marks: &Marks,
        proposed: &Proposed,
        own: i64,
        scored: &[Scored],
    ) -> Result<Vec<Scored>, StoreError> {
        let since = keys.written_since(*marks, &proposed.blocking).unwrap_or_default();
        let since = since.into_iter().map(|record| self.global(record));
        let known: BTreeMap<i64, &Scored> = scored.iter().map(|scored| (scored.record, scored)).collect();
        let others: BTreeSet<i64> =
            known.keys().copied().chain(since).filter(|record| *record != own).collect();
        let mut fresh = Vec::with_capacity(scored.len());
        self.each_comparable(others, |record, revision, other| match known.get(&record) {
            Some(known) if known.revision == revision => fresh.push((*known).clone()),
            _ => fresh.extend(self.score(&proposed.prepared, record, revision, other)),
        })?;
        Ok(fresh)
    }

    /// A source says that these are one person's.
    fn declare(self, numbers: &[i64], now: i64, regrouping: &mut Regrouping<'_>) -> Result<(), StoreError> {
        let Some((&first, others)) = numbers.split_first() else { return Ok(()) };
        for &other in others.iter().filter(|other| **other != first) {
            let pair = Pair::of(first, other);
            let (one, another) = (self.person_of(first)?, self.person_of(other)?);
            regrouping.touch(one)?;
            regrouping.touch(another)?;
            let mut links = self.links_among(&self.members(one)?)?;
            links.extend(self.links_among(&self.members(another)?)?);
            // As it stands before this message: what the declaration joins may be held apart.
            let groups = Groups::linked([first, other], links.iter().map(|link| link.pair));
            let (mine, theirs) = (groups.with(first), groups.with(other));
            let too_many = mine.len() + theirs.len() > limits::MAX_RECORDS_PER_PERSON;
            let barred = || Ok::<_, StoreError>(!self.bars_among(&mine, &theirs)?.is_empty());
            let held_apart = !groups.are_one(pair) && (too_many || barred()?);
            if held_apart {
                self.add_doubt(pair, Cause::Declared, 1.0, now)?;
            } else {
                let link =
                    Link { pair, origin: Origin::Source, probability: None, operator: None, since: now };
                self.add_link(&link)?;
                self.remove_doubt(pair)?;
            }
        }
        Ok(())
    }

    pub(super) fn person_of(self, record: i64) -> Result<i64, StoreError> {
        Ok(self.record(record)?.person)
    }
}
