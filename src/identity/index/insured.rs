//! Insured persons' numbers (被保険者番号): insurer, symbol, number, branch. A key for linking, of which a record may have
//! had several; a family may share all of it but the branch, so the number alone links nobody.

use unicode_normalization::UnicodeNormalization;

use super::records::Record;
use super::schema::Tables;
use crate::demographics::Demographics;
use crate::ids::PatientId;
use crate::limits;
use crate::store::StoreError;
use crate::store::sql::params;

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

impl Tables<'_> {
    /// Gives a record a number; whether that is news.
    pub(super) fn insure(self, record: i64, number: &PatientId, since: i64) -> Result<bool, StoreError> {
        let insert =
            "INSERT INTO identity_insured (domain, number, record, id, since) VALUES (?1, ?2, ?3, ?4, ?5)
                      ON CONFLICT DO NOTHING";
        let domain = self.domain_or_make(number.authority())?;
        let values = params![domain, spelling(number.id()), record, number.id(), since];
        Ok(self.connection.prepare_cached(insert)?.execute(values)? > 0)
    }
    /// Whether a record has a number.
    pub(super) fn is_insured(self, record: i64, number: &PatientId) -> Result<bool, StoreError> {
        Ok(self.insured_by(number)?.contains(&record))
    }
    /// Records with a number.
    pub(super) fn insured_by(self, number: &PatientId) -> Result<Vec<i64>, StoreError> {
        let Some(domain) = self.domain(number.authority())? else { return Ok(Vec::new()) };
        let find = "SELECT record FROM identity_insured WHERE domain = ?1 AND number = ?2 LIMIT ?3";
        let mut find = self.connection.prepare_cached(find)?;
        let values = params![domain, spelling(number.id()), limits::MAX_INSURED_ALIKE as i64];
        Ok(find.query_map(values, |row| row.get(0))?.collect::<Result<_, _>>()?)
    }
    /// A record of the only person with a number; None if several share it.
    pub(super) fn only_insured(self, number: &PatientId) -> Result<Option<Record>, StoreError> {
        let records = self.insured_by(number)?.into_iter().map(|record| self.record(record));
        let records: Vec<Record> = records.collect::<Result<_, _>>()?;
        let one = records.iter().all(|record| record.person == records[0].person);
        Ok(records.into_iter().next().filter(|_| one))
    }
    /// A record's numbers: domain and number as sent.
    pub(super) fn insured_numbers(self, record: i64) -> Result<Vec<(i64, String)>, StoreError> {
        let find = "SELECT domain, id FROM identity_insured WHERE record = ?1";
        let mut find = self.connection.prepare_cached(find)?;
        Ok(find.query_map([record], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
    }
    /// Moves numbers to another record.
    pub(super) fn move_insured(self, from: i64, to: i64) -> Result<(), StoreError> {
        let copy = "INSERT INTO identity_insured (domain, number, record, id, since)
                    SELECT domain, number, ?2, id, since FROM identity_insured WHERE record = ?1
                    ON CONFLICT DO NOTHING";
        self.connection.prepare_cached(copy)?.execute([from, to])?;
        self.connection.prepare_cached("DELETE FROM identity_insured WHERE record = ?1")?.execute([from])?;
        Ok(())
    }
}
