//! A source's merges (A40; ITI-44 merge; ITI TF-2: 3.8.4.2, 3.44.4.2): the subsumed identifier ends for good, and the
//! surviving one takes its place in everything that is held: former demographics, insured numbers, links, bars.

use super::events::EventKind;
use super::keys::Keys;
use super::links::{Bar, Cause, Link, Pair};
use super::persons::Regrouping;
use super::records::{Content, Record, prepared};
use super::schema::Tables;
use super::{IndexError, search_keys};
use crate::demographics::DemographicsChange;
use crate::ids::PatientId;
use crate::store::StoreError;

/// Two records that can be merged.
pub(super) struct Merging {
    stays: Record,
    ends: Record,
}

impl Tables<'_> {
    /// The records of a merge, or why it is refused.
    pub(super) fn mergeable(
        self,
        surviving: &PatientId,
        subsumed: &PatientId,
    ) -> Result<Result<Merging, IndexError>, StoreError> {
        if surviving == subsumed {
            return Ok(Err(IndexError::Same));
        }
        if surviving.authority() != subsumed.authority() {
            return Ok(Err(IndexError::TwoDomains));
        }
        Ok(match (self.active(surviving)?, self.active(subsumed)?) {
            (Ok(stays), Ok(ends)) => Ok(Merging { stays, ends }),
            // A merge that comes again is known by what it ended.
            (_, Err(refused)) | (Err(refused), _) => Err(refused),
        })
    }

    /// Merges.
    pub(super) fn merge(
        self,
        keys: &Keys,
        Merging { stays, ends }: Merging,
        change: &DemographicsChange,
        now: i64,
    ) -> Result<(), StoreError> {
        let [surviving, subsumed] = [self.identifier_of(stays.number)?, self.identifier_of(ends.number)?];
        let mut regrouping = Regrouping::new(self);
        regrouping.touch(stays.person)?;
        regrouping.touch(ends.person)?;

        self.hand_over(&ends, &stays)?;
        self.move_former(ends.number, stays.number)?;
        let (was, visit) = self.content(stays.number)?;
        let (ended, _) = self.content(ends.number)?;
        self.keep_former(stays.number, &ended, now)?;
        let mut demographics = was.clone();
        change.apply(&mut demographics);
        if was != demographics {
            self.keep_former(stays.number, &was, now)?;
        }
        let prepared = prepared(&demographics, &self.former(stays.number)?);
        let content = Content { demographics: &demographics, prepared: &prepared, visit: visit.as_ref() };
        self.change(&stays, &content)?;
        self.end(ends.number, stays.number)?;

        let mut blocking = Vec::new();
        prepared.blocking_keys(&mut blocking);
        let mut searches = Vec::new();
        search_keys::of(&demographics, &mut searches);
        keys.write(self.local(stays.number), self.marks()?, &blocking, &searches);

        let scored = self.score_all(keys, &prepared, &blocking, Some(stays.number))?;
        self.relink(stays.number, &prepared, &scored, now, &mut regrouping)?;
        self.tell(EventKind::Merged { surviving: surviving.clone(), subsumed })?;
        regrouping.finish()?;
        if was != demographics {
            self.tell(EventKind::Changed(surviving))?;
        }
        Ok(())
    }

    /// The record of an identifier that stands for somebody.
    pub(super) fn active(self, patient: &PatientId) -> Result<Result<Record, IndexError>, StoreError> {
        Ok(match self.record_of(patient)? {
            None => Err(IndexError::Unknown(patient.clone())),
            Some(Record { survivor: Some(_), .. }) => Err(IndexError::Subsumed(patient.clone())),
            Some(record) => Ok(record),
        })
    }

    /// The identifier that stands for a patient behind all merges; None if no record has it.
    pub(super) fn survivor_of(self, patient: &PatientId) -> Result<Option<PatientId>, StoreError> {
        let Some(mut record) = self.record_of(patient)? else { return Ok(None) };
        while let Some(survivor) = record.survivor {
            record = self.record(survivor)?;
        }
        self.identifier(record.domain, &record.id).map(Some)
    }

    /// Puts one record in the place of another wherever others' decisions name it. What matching found ends: it is found
    /// again for the record that stays.
    fn hand_over(self, ends: &Record, stays: &Record) -> Result<(), StoreError> {
        for link in self.links_among(&self.members(ends.person)?)? {
            if !link.pair.has(ends.number) {
                continue;
            }
            self.remove_link(link.pair, link.origin)?;
            let other = link.pair.other(ends.number);
            if !link.origin.is_found() && other != stays.number {
                self.add_link(&Link { pair: Pair::of(other, stays.number), ..link })?;
            }
        }
        for bar in self.bars_of(ends.number)? {
            self.remove_bar(bar.pair)?;
            let other = bar.pair.other(ends.number);
            if other != stays.number {
                self.add_bar(&Bar { pair: Pair::of(other, stays.number), ..bar })?;
            }
        }
        for doubt in self.doubts_of(ends.number)? {
            self.remove_doubt(doubt.pair)?;
            let other = doubt.pair.other(ends.number);
            if doubt.cause == Cause::Declared && other != stays.number {
                self.add_doubt(Pair::of(other, stays.number), doubt.cause, doubt.probability, doubt.since)?;
            }
        }
        self.move_insured(ends.number, stays.number)
    }
}
