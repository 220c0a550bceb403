//! Records: one per identifier, with current demographics, what they were before, and the form that matching compares.

use std::collections::HashMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::schema::{Numbered, Tables};
use crate::demographics::{Demographics, Visit};
use crate::identity::matching::Prepared;
use crate::ids::PatientId;
use crate::limits;
use crate::store::sql::{List, OptionalExtension, Row, params};
use crate::store::{StoreError, sql};

/// A record without what describes the patient.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) number: i64,
    pub(super) domain: i64,
    pub(super) id: String,
    pub(super) person: i64,
    /// The record that it was merged into: it has ended.
    pub(super) survivor: Option<i64>,
    pub(super) revision: i64,
}

/// A record as matching sees it.
pub(super) struct Comparable {
    pub(super) person: i64,
    pub(super) active: Activity,
    pub(super) revision: i64,
    pub(super) prepared: Prepared,
}

/// Whether a record still stands for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    Active,
    Subsumed,
}

/// What is stored for a record's current state.
pub(super) struct Content<'a> {
    pub(super) demographics: &'a Demographics,
    pub(super) prepared: &'a Prepared,
    pub(super) visit: Option<&'a Visit>,
}

const COLUMNS: &str = "record, domain, id, person, survivor, revision";

fn record(row: &Row<'_>) -> Result<Record, sql::Error> {
    Ok(Record {
        number: row.get(0)?,
        domain: row.get(1)?,
        id: row.get(2)?,
        person: row.get(3)?,
        survivor: row.get(4)?,
        revision: row.get(5)?,
    })
}

const COMPARABLE: &str =
    "SELECT person, survivor IS NULL, revision, prepared, record FROM identity_record WHERE record";

impl Tables<'_> {
    /// The record of an identifier.
    pub(super) fn record_of(self, patient: &PatientId) -> Result<Option<Record>, StoreError> {
        let Some(domain) = self.domain(patient.authority())? else { return Ok(None) };
        let find = format!("SELECT {COLUMNS} FROM identity_record WHERE domain = ?1 AND id = ?2");
        let mut find = self.connection.prepare_cached(&find)?;
        Ok(find.query_row(params![domain, patient.id()], record).optional()?)
    }
    /// Looks at all records behind a number that a statement finds, a page of them in memory at a time. The statement is
    /// given the number, the last one, the size of a page and `more`; it finds records in their order, first their number.
    pub(super) fn each_record(
        self,
        find: &str,
        more: &[i64],
        mut after: i64,
        mut look: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let (_, last) = self.range();
        let mut find = self.connection.prepare_cached(find)?;
        loop {
            let values = [&[after, last, limits::INDEX_PAGE_RECORDS], more].concat();
            let mut rows = find.query(values)?;
            let before = after;
            while let Some(row) = rows.next()? {
                after = row.get(0)?;
                look(&row)?;
            }
            if after == before {
                return Ok(());
            }
        }
    }
    /// The record of a number.
    pub(super) fn record(self, number: i64) -> Result<Record, StoreError> {
        let find = format!("SELECT {COLUMNS} FROM identity_record WHERE record = ?1");
        Ok(self.connection.prepare_cached(&find)?.query_row([number], record)?)
    }
    /// The identifier of a record.
    pub(super) fn identifier_of(self, number: i64) -> Result<PatientId, StoreError> {
        let record = self.record(number)?;
        self.identifier(record.domain, &record.id)
    }
    /// What matching needs of a record; None if there is none.
    pub(super) fn comparable(self, number: i64) -> Result<Option<Comparable>, StoreError> {
        let mut find = self.connection.prepare_cached(&format!("{COMPARABLE} = ?1"))?;
        let mut rows = find.query([number])?;
        rows.next()?.map(|row| self.read_comparable(&row)).transpose()
    }
    /// The same of several records at once; those that there are not are left out.
    pub(super) fn comparables(self, numbers: Vec<i64>) -> Result<HashMap<i64, Comparable>, StoreError> {
        if numbers.is_empty() {
            return Ok(HashMap::new());
        }
        let find = format!("{COMPARABLE} IN (SELECT value FROM json_each(?))");
        let mut found = HashMap::with_capacity(numbers.len());
        let mut asked = self.connection.ask(&find, params![List::Integers(numbers)])?;
        let mut rows = asked.rows()?;
        while let Some(row) = rows.next()? {
            found.insert(row.get(4)?, self.read_comparable(&row)?);
        }
        Ok(found)
    }
    /// Looks at active records as they are compared, each once, in no certain order: their number, their revision and that.
    pub(super) fn each_comparable(
        self,
        records: impl IntoIterator<Item = i64>,
        mut look: impl FnMut(i64, i64, &Prepared),
    ) -> Result<(), StoreError> {
        let at_hand = self.memory.look();
        let mut unknown = Vec::new();
        for record in records {
            if at_hand.at(self.local(record), |revision, prepared| look(record, revision, prepared)).is_none()
            {
                unknown.push(record);
            }
        }
        for (record, found) in self.comparables(unknown)? {
            if found.active == Activity::Active {
                self.memory.fill(self.local(record), found.revision, &found.prepared);
                look(record, found.revision, &found.prepared);
            }
        }
        Ok(())
    }
    /// Takes a page of records behind a number into memory; the last one's number, None if there was none.
    pub(super) fn take_up(self, after: u64) -> Result<Option<u64>, StoreError> {
        let find = "SELECT record, revision, prepared FROM identity_record
                    WHERE record > ?1 AND record <= ?2 AND survivor IS NULL ORDER BY record LIMIT ?3";
        let (_, last) = self.range();
        let mut find = self.connection.prepare_cached(find)?;
        let mut rows = find.query([self.global(after), last, limits::INDEX_PAGE_RECORDS])?;
        let mut reached = None;
        while let Some(row) = rows.next()? {
            let record = self.local(row.get(0)?);
            if let Some(prepared) = row.get_ref(2)?.as_blob().ok().and_then(Prepared::from_bytes) {
                self.memory.fill(record, row.get(1)?, &prepared);
            }
            reached = Some(record);
        }
        Ok(reached)
    }
    fn read_comparable(self, row: &Row<'_>) -> Result<Comparable, StoreError> {
        let stored = row.get_ref(3)?.as_blob().ok().and_then(Prepared::from_bytes);
        Ok(Comparable {
            person: row.get(0)?,
            active: if row.get(1)? { Activity::Active } else { Activity::Subsumed },
            revision: row.get(2)?,
            prepared: stored.map_or_else(|| self.prepare(row.get(4)?), Ok)?,
        })
    }
    /// A record as it is compared, anew: it was stored by another version.
    pub(super) fn prepare(self, number: i64) -> Result<Prepared, StoreError> {
        Ok(prepared(&self.content(number)?.0, &self.former(number)?))
    }
    /// A record's current demographics and visit.
    pub(super) fn content(self, number: i64) -> Result<(Demographics, Option<Visit>), StoreError> {
        let find = "SELECT demographics, visit FROM identity_record WHERE record = ?1";
        let mut find = self.connection.prepare_cached(find)?;
        let (demographics, visit): (Vec<u8>, Option<Vec<u8>>) =
            find.query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok((decode(&demographics)?, visit.as_deref().map(decode).transpose()?))
    }
    /// Adds a record, a person of its own.
    pub(super) fn add(self, patient: &PatientId, content: &Content<'_>) -> Result<Record, StoreError> {
        let number = self.next(Numbered::Record)?;
        let domain = self.domain_or_make(patient.authority())?;
        let insert = "INSERT INTO identity_record (record, domain, id, person, revision, prepared, demographics, visit)
                      VALUES (?1, ?2, ?3, ?1, 1, ?4, ?5, ?6)";
        self.connection.prepare_cached(insert)?.execute(params![
            number,
            domain,
            patient.id(),
            content.prepared.as_bytes(),
            encode(content.demographics)?,
            content.visit.map(encode).transpose()?,
        ])?;
        self.memory.change(self.local(number), Some((1, content.prepared)));
        Ok(Record { number, domain, id: patient.id().into(), person: number, survivor: None, revision: 1 })
    }
    /// Replaces a record's content.
    pub(super) fn change(self, record: &Record, content: &Content<'_>) -> Result<(), StoreError> {
        let update = "UPDATE identity_record
                      SET revision = ?2, prepared = ?3, demographics = ?4, visit = ?5 WHERE record = ?1";
        let revision = record.revision + 1;
        self.connection.prepare_cached(update)?.execute(params![
            record.number,
            revision,
            content.prepared.as_bytes(),
            encode(content.demographics)?,
            content.visit.map(encode).transpose()?,
        ])?;
        self.memory.change(self.local(record.number), Some((revision, content.prepared)));
        Ok(())
    }
    /// Keeps what a record was like; gives the number of the change.
    pub(super) fn keep_former(self, record: i64, was: &Demographics, until: i64) -> Result<i64, StoreError> {
        let insert =
            "INSERT INTO identity_former (former, record, until, demographics) VALUES (?1, ?2, ?3, ?4)";
        let number = self.next(Numbered::Former)?;
        self.connection.prepare_cached(insert)?.execute(params![number, record, until, encode(was)?])?;
        Ok(number)
    }
    /// What a record was like before, latest first, with the second until which it was so.
    pub(super) fn former(self, record: i64) -> Result<Vec<(i64, Demographics)>, StoreError> {
        let find = "SELECT until, demographics FROM identity_former WHERE record = ?1
                    ORDER BY former DESC LIMIT ?2";
        let mut find = self.connection.prepare_cached(find)?;
        let rows = find.query_map(params![record, limits::MAX_FORMER_VERSIONS as i64], |row| {
            Ok((row.get::<i64>(0)?, row.get::<Vec<u8>>(1)?))
        })?;
        rows.map(|row| row.map_err(StoreError::from).and_then(|(until, was)| Ok((until, decode(&was)?))))
            .collect()
    }
    /// Makes what one record was like what another was like.
    pub(super) fn move_former(self, from: i64, to: i64) -> Result<(), StoreError> {
        let update = "UPDATE identity_former SET record = ?2 WHERE record = ?1";
        self.connection.prepare_cached(update)?.execute([from, to])?;
        Ok(())
    }
    /// Takes a record out of every answer: a source merged it into another.
    pub(super) fn end(self, number: i64, survivor: i64) -> Result<(), StoreError> {
        let update = "UPDATE identity_record SET survivor = ?2, person = record WHERE record = ?1";
        self.connection.prepare_cached(update)?.execute([number, survivor])?;
        self.memory.change(self.local(number), None);
        Ok(())
    }
}

/// A record as it is compared, with what it was like before.
pub(super) fn prepared(current: &Demographics, former: &[(i64, Demographics)]) -> Prepared {
    let former: Vec<Demographics> = former.iter().map(|(_, was)| was.clone()).collect();
    Prepared::with_history(current, &former)
}

/// The first byte of what is encoded: the form of the rest.
const JSON: u8 = 1;

pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    let mut bytes = vec![JSON];
    serde_json::to_writer(&mut bytes, value).map_err(|error| StoreError::Damaged(error.to_string()))?;
    Ok(bytes)
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    match bytes.split_first() {
        // What serde says of damage may hold what it read.
        Some((&JSON, json)) => {
            serde_json::from_slice(json).map_err(|_| StoreError::Damaged("a record cannot be read".into()))
        }
        _ => Err(StoreError::Damaged("a record of an unknown form".into())),
    }
}
