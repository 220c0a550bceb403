//! Links, bars and reviews between two records. A pair is stored once, under the later record: that is the one that was
//! being written when the pair was found.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::schema::Tables;
use crate::store::sql::{OptionalExtension, Row, params};
use crate::store::{StoreError, sql};

/// Who decided that two records are one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A source: both identifiers in one message.
    Source = 0,
    /// The same insured person's number.
    Key = 1,
    /// The matcher.
    Matcher = 2,
    /// An operator.
    Operator = 3,
}

impl Origin {
    fn of(number: i64) -> Result<Self, StoreError> {
        [Self::Source, Self::Key, Self::Matcher, Self::Operator]
            .into_iter()
            .find(|origin| *origin as i64 == number)
            .ok_or_else(|| StoreError::Damaged(format!("a link of origin {number}")))
    }
    /// Whether matching again may take the link back.
    pub(super) fn is_found(self) -> bool {
        matches!(self, Self::Key | Self::Matcher)
    }
}

/// Two records, the later one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Pair(pub(super) i64, pub(super) i64);

impl Pair {
    pub(super) fn of(one: i64, another: i64) -> Self {
        Self(one.max(another), one.min(another))
    }
    /// The one of the two that is not `record`.
    pub(super) fn other(self, record: i64) -> i64 {
        if self.0 == record { self.1 } else { self.0 }
    }
    pub(super) fn has(self, record: i64) -> bool {
        self.0 == record || self.1 == record
    }
}

/// Why two records are one person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Link {
    pub(super) pair: Pair,
    pub(super) origin: Origin,
    pub(super) probability: Option<f64>,
    pub(super) operator: Option<String>,
    pub(super) since: i64,
}

/// Two records that an operator holds apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bar {
    pub(super) pair: Pair,
    pub(super) operator: String,
    pub(super) since: i64,
}

/// Why people must decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The matcher is not sure.
    Unsure = 0,
    /// They match, but linking them would join records that contradict each other.
    Conflict = 1,
    /// A source declares one person what an operator holds apart.
    Declared = 2,
    /// They have one insured person's number, and do not agree otherwise.
    Key = 3,
}

impl Cause {
    pub(super) fn of(number: i64) -> Result<Self, StoreError> {
        [Self::Unsure, Self::Conflict, Self::Declared, Self::Key]
            .into_iter()
            .find(|cause| *cause as i64 == number)
            .ok_or_else(|| StoreError::Damaged(format!("a review of cause {number}")))
    }
}

/// A pair for people to decide.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Doubt {
    pub(super) number: i64,
    pub(super) pair: Pair,
    pub(super) cause: Cause,
    pub(super) probability: f64,
    pub(super) since: i64,
}

/// Pair, origin, probability, operator, since.
type LinkRow = (Pair, i64, Option<f64>, Option<String>, i64);

fn link(row: &Row<'_>) -> Result<LinkRow, sql::Error> {
    Ok((Pair(row.get(0)?, row.get(1)?), row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
}

impl Tables<'_> {
    /// Links whose later record this is.
    pub(super) fn links_at(self, record: i64, into: &mut Vec<Link>) -> Result<(), StoreError> {
        let find =
            "SELECT record, other, origin, probability, operator, since FROM identity_link WHERE record = ?1";
        let mut find = self.connection.prepare_cached(find)?;
        for row in find.query_map([record], link)? {
            let (pair, origin, probability, operator, since) = row?;
            into.push(Link { pair, origin: Origin::of(origin)?, probability, operator, since });
        }
        Ok(())
    }
    /// All links within a set of records that holds whole persons.
    pub(super) fn links_among(self, records: &[i64]) -> Result<Vec<Link>, StoreError> {
        let mut links = Vec::new();
        for &record in records {
            self.links_at(record, &mut links)?;
        }
        Ok(links)
    }
    /// Adds a link; one that is there already stays as it is.
    pub(super) fn add_link(self, link: &Link) -> Result<(), StoreError> {
        let insert = "INSERT INTO identity_link (record, other, origin, probability, operator, since)
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
        let Link { pair, origin, probability, operator, since } = link;
        let values = params![pair.0, pair.1, *origin as i64, probability, operator, since];
        self.connection.prepare_cached(insert)?.execute(values)?;
        Ok(())
    }
    /// Takes a link away.
    pub(super) fn remove_link(self, pair: Pair, origin: Origin) -> Result<(), StoreError> {
        let delete = "DELETE FROM identity_link WHERE record = ?1 AND other = ?2 AND origin = ?3";
        self.connection.prepare_cached(delete)?.execute(params![pair.0, pair.1, origin as i64])?;
        Ok(())
    }
    /// The bar between two records.
    pub(super) fn bar(self, pair: Pair) -> Result<Option<Bar>, StoreError> {
        let find = "SELECT operator, since FROM identity_bar WHERE record = ?1 AND other = ?2";
        let mut find = self.connection.prepare_cached(find)?;
        let bar = find
            .query_row([pair.0, pair.1], |row| Ok(Bar { pair, operator: row.get(0)?, since: row.get(1)? }));
        Ok(bar.optional()?)
    }
    /// All bars of a record.
    pub(super) fn bars_of(self, record: i64) -> Result<Vec<Bar>, StoreError> {
        let find = "SELECT record, other, operator, since FROM identity_bar WHERE record = ?1 UNION ALL
                    SELECT record, other, operator, since FROM identity_bar WHERE other = ?1";
        let mut find = self.connection.prepare_cached(find)?;
        let bars = find.query_map([record], |row| {
            Ok(Bar { pair: Pair(row.get(0)?, row.get(1)?), operator: row.get(2)?, since: row.get(3)? })
        })?;
        Ok(bars.collect::<Result<_, _>>()?)
    }
    /// What holds records of one set and records of another apart.
    pub(super) fn bars_among(
        self,
        one: &BTreeSet<i64>,
        another: &BTreeSet<i64>,
    ) -> Result<Vec<Bar>, StoreError> {
        let (few, many) = if one.len() < another.len() { (one, another) } else { (another, one) };
        let mut bars = Vec::new();
        for record in few {
            let others = self.bars_of(*record)?.into_iter();
            bars.extend(others.filter(|bar| many.contains(&bar.pair.other(*record))));
        }
        bars.sort_unstable_by_key(|bar| bar.pair);
        bars.dedup_by_key(|bar| bar.pair);
        Ok(bars)
    }
    /// Holds two records apart.
    pub(super) fn add_bar(self, bar: &Bar) -> Result<(), StoreError> {
        let insert = "INSERT INTO identity_bar (record, other, operator, since) VALUES (?1, ?2, ?3, ?4)
                      ON CONFLICT DO NOTHING";
        let values = params![bar.pair.0, bar.pair.1, bar.operator, bar.since];
        self.connection.prepare_cached(insert)?.execute(values)?;
        Ok(())
    }
    /// No longer holds two records apart.
    pub(super) fn remove_bar(self, pair: Pair) -> Result<(), StoreError> {
        let delete = "DELETE FROM identity_bar WHERE record = ?1 AND other = ?2";
        self.connection.prepare_cached(delete)?.execute([pair.0, pair.1])?;
        Ok(())
    }
    /// Asks people about a pair; one that is asked about already keeps its number.
    pub(super) fn add_doubt(
        self,
        pair: Pair,
        cause: Cause,
        probability: f64,
        since: i64,
    ) -> Result<(), StoreError> {
        if self.changed_doubt(pair, cause, probability)? {
            return Ok(());
        }
        let number = self.next_review()?;
        self.insert_doubt(&Doubt { number, pair, cause, probability, since })
    }
    /// Asks people about a pair again, under the number that it had.
    pub(super) fn ask_again(self, doubt: &Doubt) -> Result<(), StoreError> {
        match self.changed_doubt(doubt.pair, doubt.cause, doubt.probability)? {
            true => Ok(()),
            false => self.insert_doubt(doubt),
        }
    }
    /// Says anew why people are asked about a pair; false if they are not.
    fn changed_doubt(self, pair: Pair, cause: Cause, probability: f64) -> Result<bool, StoreError> {
        let update =
            "UPDATE identity_review SET cause = ?3, probability = ?4 WHERE record = ?1 AND other = ?2";
        let values = params![pair.0, pair.1, cause as i64, probability];
        Ok(self.connection.prepare_cached(update)?.execute(values)? > 0)
    }
    /// Adds a pair that people are asked about.
    pub(super) fn insert_doubt(self, doubt: &Doubt) -> Result<(), StoreError> {
        let insert = "INSERT INTO identity_review (review, record, other, cause, probability, since)
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let Doubt { number, pair, cause, probability, since } = doubt;
        let values = params![number, pair.0, pair.1, *cause as i64, probability, since];
        self.connection.prepare_cached(insert)?.execute(values)?;
        Ok(())
    }
    /// No longer asks about a pair.
    pub(super) fn remove_doubt(self, pair: Pair) -> Result<(), StoreError> {
        let delete = "DELETE FROM identity_review WHERE record = ?1 AND other = ?2";
        self.connection.prepare_cached(delete)?.execute([pair.0, pair.1])?;
        Ok(())
    }
    /// The pairs of a record that people are asked about.
    pub(super) fn doubts_of(self, record: i64) -> Result<Vec<Doubt>, StoreError> {
        let find = "SELECT review, record, other, cause, probability, since FROM identity_review
                    WHERE record = ?1 UNION ALL
                    SELECT review, record, other, cause, probability, since FROM identity_review WHERE other = ?1";
        self.doubts(find, params![record])
    }
    /// Pairs that people are asked about, behind a number.
    pub(super) fn doubts_after(self, after: i64, most: usize) -> Result<Vec<Doubt>, StoreError> {
        let find = "SELECT review, record, other, cause, probability, since FROM identity_review
                    WHERE review > ?1 AND review <= ?2 ORDER BY review LIMIT ?3";
        self.doubts(find, params![after, self.range().1, most as i64])
    }
    fn doubts(self, find: &str, values: &[&dyn sql::ToSql]) -> Result<Vec<Doubt>, StoreError> {
        let mut find = self.connection.prepare_cached(find)?;
        let mut rows = find.query(values)?;
        let mut doubts = Vec::new();
        while let Some(row) = rows.next()? {
            doubts.push(Doubt {
                number: row.get(0)?,
                pair: Pair(row.get(1)?, row.get(2)?),
                cause: Cause::of(row.get(3)?)?,
                probability: row.get(4)?,
                since: row.get(5)?,
            });
        }
        Ok(doubts)
    }
}
