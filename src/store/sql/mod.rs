//! SQL for the rooms above, whichever database it goes to. A room writes each statement once, in what both databases
//! understand; little that they call differently is translated (docs/storage.md, "Two databases").
//!
//! Statements are prepared once per connection and kept. What comes with a request is always bound, never part of a text.

mod transaction;
mod value;

use super::Trouble;
use super::sqlite::values as sqlite;

pub(super) use transaction::Access;
pub(crate) use value::params;
pub use value::{FromSql, List, Params, ToSql, Value, ValueRef};

/// Why a statement did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite said so.
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A row was expected.
    #[error("there is no such row")]
    NoRow,
    /// A value is of another type; holds the one that was expected.
    #[error("a value is not {0}")]
    Type(&'static str),
}

/// The outcome of a statement.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What kind of trouble this is.
    pub(super) fn trouble(&self) -> Trouble {
        use rusqlite::ErrorCode;
        match self {
            Self::Sqlite(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DiskFull | ErrorCode::OutOfMemory) => Trouble::OutOfResources,
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Trouble::Busy,
                _ => Trouble::Broken,
            },
            Self::NoRow | Self::Type(_) => Trouble::Broken,
        }
    }
}

/// None where a row was asked for and there is none.
pub trait OptionalExtension<T> {
    /// Some of what was found.
    fn optional(self) -> Result<Option<T>>;
}

impl<T> OptionalExtension<T> for Result<T> {
    fn optional(self) -> Result<Option<T>> {
        match self {
            Err(Error::NoRow) => Ok(None),
            other => other.map(Some),
        }
    }
}

/// A connection to the database, within the transaction of a job.
pub struct Connection(Inner);

enum Inner {
    Sqlite(rusqlite::Connection),
}

impl From<rusqlite::Connection> for Connection {
    fn from(connection: rusqlite::Connection) -> Self {
        Self(Inner::Sqlite(connection))
    }
}

impl Connection {
    /// A statement, prepared now or kept from before.
    pub fn prepare_cached(&self, sql: &str) -> Result<Statement<'_>> {
        match &self.0 {
            Inner::Sqlite(connection) => Ok(Statement::Sqlite(connection.prepare_cached(sql)?)),
        }
    }
    /// Runs a statement that gives no rows; how many it changed.
    pub fn execute(&self, sql: &str, params: impl Params) -> Result<usize> {
        self.prepare_cached(sql)?.execute(params)
    }
    /// Reads the first row of a statement.
    pub fn query_row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        self.prepare_cached(sql)?.query_row(params, read)
    }
    /// Runs statements without parameters, divided by semicolons.
    pub fn execute_batch(&self, script: &str) -> Result<()> {
        match &self.0 {
            Inner::Sqlite(connection) => Ok(connection.execute_batch(script)?),
        }
    }
}

/// A prepared statement.
pub enum Statement<'c> {
    /// Of SQLite.
    Sqlite(rusqlite::CachedStatement<'c>),
}

impl Statement<'_> {
    /// Runs it; how many rows it changed.
    pub fn execute(&mut self, params: impl Params) -> Result<usize> {
        match self {
            Self::Sqlite(statement) => {
                sqlite::bind(statement, &params)?;
                Ok(statement.raw_execute()?)
            }
        }
    }
    /// Runs it; its rows, one after the other.
    pub fn query(&mut self, params: impl Params) -> Result<Rows<'_>> {
        match self {
            Self::Sqlite(statement) => {
                sqlite::bind(statement, &params)?;
                Ok(Rows::Sqlite(statement.raw_query()))
            }
        }
    }
    /// Runs it; what is made of each row.
    pub fn query_map<T, F>(&mut self, params: impl Params, read: F) -> Result<Mapped<'_, F>>
    where
        F: FnMut(&Row<'_>) -> Result<T>,
    {
        Ok(Mapped { rows: self.query(params)?, read })
    }
    /// Runs it; what is made of the first row. [`Error::NoRow`] if there is none.
    pub fn query_row<T>(
        &mut self,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        read(&self.query(params)?.next()?.ok_or(Error::NoRow)?)
    }
    /// Whether it has a row.
    pub fn exists(&mut self, params: impl Params) -> Result<bool> {
        Ok(self.query(params)?.next()?.is_some())
    }
}

/// Rows that are being read.
pub enum Rows<'s> {
    /// Of SQLite.
    Sqlite(rusqlite::Rows<'s>),
}

impl Rows<'_> {
    /// The next row.
    #[expect(clippy::should_implement_trait, reason = "a row borrows from what goes on with the next one")]
    pub fn next(&mut self) -> Result<Option<Row<'_>>> {
        match self {
            Self::Sqlite(rows) => Ok(rows.next()?.map(Row::Sqlite)),
        }
    }
}

/// Rows of which something is made: see [`Statement::query_map`].
pub struct Mapped<'s, F> {
    rows: Rows<'s>,
    read: F,
}

impl<T, F: FnMut(&Row<'_>) -> Result<T>> Iterator for Mapped<'_, F> {
    type Item = Result<T>;
    fn next(&mut self) -> Option<Result<T>> {
        match self.rows.next() {
            Ok(Some(row)) => Some((self.read)(&row)),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

/// One row.
#[derive(Clone, Copy)]
pub enum Row<'r> {
    /// Of SQLite.
    Sqlite(&'r rusqlite::Row<'r>),
}

impl<'r> Row<'r> {
    /// A column, counted from 0.
    pub fn get<T: FromSql>(&self, column: usize) -> Result<T> {
        T::from_sql(self.get_ref(column)?).ok_or(Error::Type(T::EXPECTED))
    }
    /// How many there are.
    #[cfg(test)]
    pub fn columns(&self) -> usize {
        match *self {
            Self::Sqlite(row) => row.as_ref().column_count(),
        }
    }
    /// A column without a copy.
    pub fn get_ref(&self, column: usize) -> Result<ValueRef<'r>> {
        match *self {
            Self::Sqlite(row) => sqlite::column(row, column),
        }
    }
}
