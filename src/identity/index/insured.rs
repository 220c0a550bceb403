//! Insured persons' numbers (被保険者番号): insurer, symbol, number, branch. A key for linking, of which a record may have
//! had several; a family may share all of it but the branch, so the number alone links nobody.
//!
//! Numbers come and go with employers. Two records share one if both had it on some day; answers tell what holds today.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;

use super::records::Record;
use super::schema::Tables;
use crate::demographics::{Demographics, Validity};
use crate::ids::PatientId;
use crate::limits;
use crate::store::sql::{OptionalExtension, Row, params};
use crate::store::{StoreError, sql};
use crate::time::{CIVIL_ZONE, day_at, today};

/// An identifier as it is announced, and on which days it is the person's: of insured persons' numbers that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated {
    /// The identifier.
    pub patient: PatientId,
    /// Its days.
    pub validity: Validity,
}

impl From<PatientId> for Dated {
    fn from(patient: PatientId) -> Self {
        Self { patient, validity: Validity::default() }
    }
}

/// A number of a record.
pub(super) struct Insurance {
    pub(super) domain: i64,
    /// As sent.
    pub(super) id: String,
    /// As told.
    pub(super) validity: Validity,
    /// When it was told first, in seconds since 1970.
    since: i64,
}

impl Insurance {
    fn of(row: &Row<'_>) -> Result<Self, sql::Error> {
        let validity = Validity { from: row.get(3)?, until: row.get(4)? };
        Ok(Self { domain: row.get(0)?, id: row.get(1)?, since: row.get(2)?, validity })
    }
    /// The days on which the record had it for certain: where no first one was told, from when it was told.
    pub(super) fn days(&self) -> Validity {
        Validity { from: self.validity.from.or(Some(day_at(self.since))), ..self.validity }
    }
    /// Whether it only goes on, where it is told from a day on: no day lies between.
    fn goes_on(&self, from: i64) -> bool {
        let Validity { from: first, until } = self.days();
        first.is_none_or(|first| first <= from) && until.is_none_or(|until| from <= until.saturating_add(1))
    }
}

/// What news of a number means to those who are told a person's identifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Renewal {
    /// It came, or it went.
    Number {
        /// In this domain.
        domain: i64,
    },
    /// Its days only.
    Days,
}

/// A number in one spelling: width and case folded, and whatever separates the parts is the same.
pub(super) fn spelling(id: &str) -> String {
    let mut spelling = String::with_capacity(id.len());
    for character in id.nfkc().flat_map(char::to_uppercase) {
        match character {
            ':' | '-' | '/' | '・' | '.' | '‐' | '−' | '―' | '_' if !spelling.ends_with(':') => {
                spelling.push(':');
            }
            character if character.is_alphanumeric() => spelling.push(character),
            _ => {}
        }
    }
    spelling
}

/// Whether two persons with one number are the same: born on one day, which is known.
pub(super) fn agree(a: &Demographics, b: &Demographics) -> bool {
    let day = |person: &Demographics| Some(person.birth.as_ref()?.date()?.to_owned());
    day(a).is_some_and(|day_of_a| day(b) == Some(day_of_a))
}

/// Leaves out what is told as over of numbers that are told as current, too: those hold.
pub(super) fn without_renewed(mut told: Vec<Dated>) -> Vec<Dated> {
    let today = today();
    let over = |told: &Dated| told.validity.has_ended(today);
    let number = |told: &Dated| (told.patient.authority().as_str().to_owned(), spelling(told.patient.id()));
    let current: BTreeSet<_> = told.iter().filter(|told| !over(told)).map(number).collect();
    told.retain(|told| !over(told) || !current.contains(&number(told)));
    told
}

impl Tables<'_> {
    /// Gives a record a number, or renews it; None if that is no news.
    pub(super) fn insure(self, record: i64, told: &Dated, since: i64) -> Result<Option<Renewal>, StoreError> {
        let Some(renewed) = self.renewal(record, told)? else { return Ok(None) };
        let (today, Validity { from, until }) = (today(), renewed);
        let had = self.insurance(record, &told.patient)?.is_some_and(|known| known.validity.holds(today));
        let insert =
            "INSERT INTO identity_insured (domain, number, record, id, since, valid_from, valid_until)
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (domain, number, record) DO UPDATE
                      SET valid_from = excluded.valid_from, valid_until = excluded.valid_until";
        let Dated { patient, .. } = told;
        let domain = self.domain_or_make(patient.authority())?;
        let values = params![domain, spelling(patient.id()), record, patient.id(), since, from, until];
        self.connection.prepare_cached(insert)?.execute(values)?;
        Ok(Some(if renewed.holds(today) == had { Renewal::Days } else { Renewal::Number { domain } }))
    }
    /// What is to be kept of a number that is told of a record; None if it is known so, or was over before it was known.
    pub(super) fn renewal(self, record: i64, told: &Dated) -> Result<Option<Validity>, StoreError> {
        let (today, Validity { from, until }) = (today(), told.validity);
        let Some(known) = self.insurance(record, &told.patient)? else {
            return Ok(Some(told.validity).filter(|told| !told.has_ended(today)));
        };
        let had = known.validity;
        // Whoever tells a number without its end tells that it is not over; so does who tells it from behind its end on.
        let still = |end: &i64| !had.has_ended(today) && from.is_none_or(|from| from <= *end);
        let renewed = Validity {
            from: from.filter(|from| !known.goes_on(*from)).or(had.from),
            until: until.or(had.until.filter(still)),
        };
        Ok(Some(renewed).filter(|renewed| *renewed != had))
    }
    fn insurance(self, record: i64, number: &PatientId) -> Result<Option<Insurance>, StoreError> {
        let Some(domain) = self.domain(number.authority())? else { return Ok(None) };
        let find = "SELECT domain, id, since, valid_from, valid_until FROM identity_insured
                    WHERE domain = ?1 AND number = ?2 AND record = ?3";
        let mut find = self.connection.prepare_cached(find)?;
        let values = params![domain, spelling(number.id()), record];
        Ok(find.query_row(values, Insurance::of).optional()?)
    }
    /// Records that have or had a number, each with its own.
    pub(super) fn insured_by(self, number: &PatientId) -> Result<Vec<(i64, Insurance)>, StoreError> {
        let Some(domain) = self.domain(number.authority())? else { return Ok(Vec::new()) };
        let find = "SELECT domain, id, since, valid_from, valid_until, record FROM identity_insured
                    WHERE domain = ?1 AND number = ?2 LIMIT ?3";
        let mut find = self.connection.prepare_cached(find)?;
        let values = params![domain, spelling(number.id()), limits::MAX_INSURED_ALIKE as i64];
        let insured = find.query_map(values, |row| Ok((row.get(5)?, Insurance::of(row)?)))?;
        Ok(insured.collect::<Result<_, _>>()?)
    }
    /// Records that have a number today.
    pub(super) fn insured_today(self, number: &PatientId) -> Result<Vec<i64>, StoreError> {
        let (today, insured) = (today(), self.insured_by(number)?.into_iter());
        Ok(insured.filter(|(_, had)| had.validity.holds(today)).map(|(record, _)| record).collect())
    }
    /// A record of the only person with a number; None if several share it.
    pub(super) fn only_insured(self, number: &PatientId) -> Result<Option<Record>, StoreError> {
        let records = self.insured_today(number)?.into_iter().map(|record| self.record(record));
        let records: Vec<Record> = records.collect::<Result<_, _>>()?;
        let one = records.iter().all(|record| record.person == records[0].person);
        Ok(records.into_iter().next().filter(|_| one))
    }
    /// A record's numbers, those that ended too.
    pub(super) fn insurances(self, record: i64) -> Result<Vec<Insurance>, StoreError> {
        let find =
            "SELECT domain, id, since, valid_from, valid_until FROM identity_insured WHERE record = ?1";
        let mut find = self.connection.prepare_cached(find)?;
        Ok(find.query_map([record], Insurance::of)?.collect::<Result<_, _>>()?)
    }
    /// Moves numbers to another record. One that it has, too, is its own from the earlier first day to the later last one; no
    /// first day told means the one on which it was told, and no last one that it is not over.
    pub(super) fn move_insured(self, from: i64, to: i64) -> Result<(), StoreError> {
        let copy = "INSERT INTO identity_insured (domain, number, record, id, since, valid_from, valid_until)
                    SELECT domain, number, ?2, id, since, valid_from, valid_until FROM identity_insured
                    WHERE record = ?1 ON CONFLICT (domain, number, record) DO UPDATE SET
                    since = CASE WHEN COALESCE(excluded.valid_from, (excluded.since + ?3) / 86400)
                        < COALESCE(identity_insured.valid_from, (identity_insured.since + ?3) / 86400)
                        THEN excluded.since ELSE identity_insured.since END,
                    valid_from = CASE WHEN COALESCE(excluded.valid_from, (excluded.since + ?3) / 86400)
                        < COALESCE(identity_insured.valid_from, (identity_insured.since + ?3) / 86400)
                        THEN excluded.valid_from ELSE identity_insured.valid_from END,
                    valid_until = CASE WHEN identity_insured.valid_until IS NULL
                        OR identity_insured.valid_until > excluded.valid_until
                        THEN identity_insured.valid_until ELSE excluded.valid_until END";
        self.connection.prepare_cached(copy)?.execute([from, to, 60 * i64::from(CIVIL_ZONE)])?;
        self.connection.prepare_cached("DELETE FROM identity_insured WHERE record = ?1")?.execute([from])?;
        Ok(())
    }
}
