//! Matching again what was matched before: by weights that were learnt since, by another version of the program, or among
//! records that came later. Records are looked at in their order, a few at a time, as if each were announced once more; so it
//! may stop anywhere and go on from there.

use super::keys::Keys;
use super::persons::Regrouping;
use super::records::prepared;
use super::schema::Tables;
use super::{Index, IndexError, now};
use crate::limits;
use crate::store::StoreError;
use crate::store::sql::params;

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rematched {
    /// The last record that was matched again: go on behind it.
    pub last: u64,
    /// The last one there is.
    pub of: u64,
}

impl Index {
    /// Matches a few records behind a number again; None if there are none. Links that are not found again go, and people are
    /// asked about other pairs; what sources and operators decided stands.
    pub async fn rematch(&self, after: u64) -> Result<Option<Rematched>, IndexError> {
        let now = now();
        Ok(self.write(move |index, tables| tables.rematch(&index.keys, after, now)).await?)
    }
}

impl Tables<'_> {
    fn rematch(self, keys: &Keys, after: u64, now: i64) -> Result<Option<Rematched>, StoreError> {
        let find =
            "SELECT record FROM identity_record WHERE record > ?1 AND record <= ?2 AND survivor IS NULL
                    ORDER BY record LIMIT ?3";
        let values = [self.global(after), self.range().1, limits::REMATCHED_AT_ONCE];
        let mut find = self.connection.prepare_cached(find)?;
        let numbers: Vec<i64> = find.query_map(values, |row| row.get(0))?.collect::<Result<_, _>>()?;
        let Some(&last) = numbers.last() else { return Ok(None) };
        for number in numbers {
            self.rematch_record(keys, number, now)?;
        }
        Ok(Some(Rematched { last: self.local(last), of: self.marks()?.record }))
    }

    fn rematch_record(self, keys: &Keys, number: i64, now: i64) -> Result<(), StoreError> {
        let prepared = prepared(&self.content(number)?.0, &self.former(number)?);
        let update = "UPDATE identity_record SET prepared = ?2 WHERE record = ?1 AND prepared <> ?2";
        let values = params![number, prepared.as_bytes()];
        if self.connection.prepare_cached(update)?.execute(values)? > 0 {
            self.memory.change(self.local(number), Some((self.record(number)?.revision, &prepared)));
        }
        let mut blocking = Vec::new();
        prepared.blocking_keys(&mut blocking);
        let scored = self.score_all(keys, &prepared, &blocking, Some(number))?;
        let mut regrouping = Regrouping::new(self);
        self.relink(number, &prepared, &scored, now, &mut regrouping)?;
        regrouping.finish()
    }
}
