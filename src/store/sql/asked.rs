//! Questions that are sent together. On PostgreSQL an answer is waited for when somebody needs it, and the answers of all
//! questions before it have come by then: several that do not depend on one another cost one wait.

use super::{Connection, Inner, Mapped, Params, Result, Row, Rows, sqlite};
use crate::store::postgres::{Coming, Session};

/// A question whose answer is on its way. Between asking and reading the answer, nothing is written.
#[must_use = "the answer is what it is for"]
pub enum Asked<'c> {
    /// Of SQLite: it runs when its answer is read, and nothing was waited for in vain.
    Sqlite(rusqlite::CachedStatement<'c>),
    /// Of PostgreSQL; None once the answer was read.
    Postgres(&'c Session, Option<Coming>),
}

impl Connection {
    /// Asks, and does not wait for the answer.
    pub fn ask(&self, sql: &str, params: impl Params) -> Result<Asked<'_>> {
        match &self.0 {
            Inner::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql)?;
                sqlite::bind(&mut statement, &params)?;
                Ok(Asked::Sqlite(statement))
            }
            Inner::Postgres(session) => {
                let statement = session.prepare(sql)?;
                Ok(Asked::Postgres(session, Some(session.ask(&statement, &params)?)))
            }
        }
    }
}

impl Asked<'_> {
    /// The answer's rows, once.
    pub fn rows(&mut self) -> Result<Rows<'_>> {
        Ok(match self {
            Self::Sqlite(statement) => Rows::Sqlite(statement.raw_query()),
            Self::Postgres(session, coming) => {
                let rows = coming.take().map(|coming| session.answer(coming)).transpose()?;
                Rows::Postgres(None, rows.unwrap_or_default().into_iter())
            }
        })
    }

    /// What is made of each row.
    pub fn all<T, C: FromIterator<T>>(mut self, read: impl FnMut(&Row<'_>) -> Result<T>) -> Result<C> {
        Mapped { rows: self.rows()?, read }.collect()
    }

    /// What is made of the first row, if there is one.
    pub fn first<T>(mut self, read: impl FnOnce(&Row<'_>) -> Result<T>) -> Result<Option<T>> {
        self.rows()?.next()?.map(|row| read(&row)).transpose()
    }
}

/// For tests of what costs a database that is elsewhere.
#[cfg(test)]
impl Connection {
    /// How often an answer was waited for since the connection was made.
    pub(crate) fn waits(&self) -> u64 {
        match &self.0 {
            Inner::Sqlite(_) => 0,
            Inner::Postgres(session) => session.waits(),
        }
    }

    /// Each statement that PostgreSQL has prepared, and how it is carried out, whatever is bound.
    pub(crate) fn plans(&self) -> Vec<(String, String)> {
        match &self.0 {
            Inner::Sqlite(_) => Vec::new(),
            Inner::Postgres(session) => session.plans(),
        }
    }
}
