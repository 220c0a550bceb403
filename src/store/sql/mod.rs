//! SQL for the rooms above, whichever database it goes to. A room writes each statement once, in what both databases
//! understand; little that they call differently is translated (docs/storage.md, "Two databases").
//!
//! Statements are prepared once per connection and kept. What comes with a request is always bound, never part of a text.

mod asked;
mod transaction;
mod value;

use super::postgres::{Session, dialect, values as postgres};
use super::sqlite::values as sqlite;
use super::{Step, Trouble};

pub use asked::Asked;
pub(super) use transaction::Access;
pub(crate) use value::params;
pub use value::{FromSql, List, Params, ToSql, Value, ValueRef};

/// Why a statement did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite said so.
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL said so, in words that hold no value of any row.
    #[error("PostgreSQL: {0}")]
    Postgres(String, Trouble),
    /// PostgreSQL cannot be reached.
    #[error("PostgreSQL is away: {0}")]
    Away(String),
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
            Self::Postgres(_, trouble) => *trouble,
            Self::Away(_) => Trouble::Busy,
            Self::NoRow | Self::Type(_) => Trouble::Broken,
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(told) = error.as_db_error() else {
            // What is not a value that cannot be sent or read is the network.
            let reason = with_causes(&error);
            let is_ours = ["error serializing", "error deserializing", "invalid column"];
            return match is_ours.iter().any(|ours| reason.starts_with(ours)) {
                true => Self::Postgres(reason, Trouble::Broken),
                false => Self::Away(reason),
            };
        };
        let trouble = match told.code().code() {
            // Of those that find no room: whoever is too many may come again, a full disk stays full.
            "53300" => Trouble::Busy,
            code if code.starts_with("53") => Trouble::OutOfResources,
            // Somebody else's lock, a statement that took too long, a server that is going or coming.
            "55P03" | "40001" | "40P01" | "57014" => Trouble::Busy,
            code if code.starts_with("57P") || code.starts_with("08") => return Self::Away(said(told)),
            _ => Trouble::Broken,
        };
        Self::Postgres(said(told), trouble)
    }
}

/// An error with what led to it: which certificate, which address.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |words, cause| format!("{words}: {cause}"))
}

/// What PostgreSQL said, without the detail: there it shows the values.
fn said(error: &tokio_postgres::error::DbError) -> String {
    let code = error.code().code();
    match error.constraint() {
        Some(constraint) => format!("{code} by {constraint}"),
        // Class 22 is wrong data, and the message quotes it.
        None if code.starts_with("22") => code.to_owned(),
        None => format!("{code} {}", error.message()),
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
    Postgres(Box<Session>),
}

impl From<rusqlite::Connection> for Connection {
    fn from(connection: rusqlite::Connection) -> Self {
        Self(Inner::Sqlite(connection))
    }
}

impl From<Session> for Connection {
    fn from(session: Session) -> Self {
        Self(Inner::Postgres(Box::new(session)))
    }
}

impl Connection {
    /// A statement, prepared now or kept from before.
    pub fn prepare_cached(&self, sql: &str) -> Result<Statement<'_>> {
        match &self.0 {
            Inner::Sqlite(connection) => Ok(Statement::Sqlite(connection.prepare_cached(sql)?)),
            Inner::Postgres(session) => Ok(Statement::Postgres(session, session.prepare(sql)?)),
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
    /// Runs a step of a migration.
    pub(super) fn execute_step(&self, step: &Step) -> Result<()> {
        match (&self.0, step) {
            (Inner::Sqlite(_), Step::Both(script) | Step::Each { sqlite: script, .. })
            | (Inner::Postgres(_), Step::Both(script)) => self.execute_batch(script),
            (Inner::Postgres(session), Step::Each { postgres, .. }) => session.run(postgres),
        }
    }
    /// Runs statements without parameters, divided by semicolons.
    pub fn execute_batch(&self, script: &str) -> Result<()> {
        match &self.0 {
            Inner::Sqlite(connection) => Ok(connection.execute_batch(script)?),
            Inner::Postgres(session) => session.run(&dialect::script(script)),
        }
    }
}

/// A prepared statement.
pub enum Statement<'c> {
    /// Of SQLite.
    Sqlite(rusqlite::CachedStatement<'c>),
    /// Of PostgreSQL.
    Postgres(&'c Session, tokio_postgres::Statement),
}

impl Statement<'_> {
    /// Runs it; how many rows it changed.
    pub fn execute(&mut self, params: impl Params) -> Result<usize> {
        match self {
            Self::Sqlite(statement) => {
                sqlite::bind(statement, &params)?;
                Ok(statement.raw_execute()?)
            }
            Self::Postgres(session, statement) => session.execute(statement, &params),
        }
    }
    /// Runs it, however many rows it changes. That it failed may only show with a later statement, at the latest when the
    /// job ends, which has then failed with it.
    pub fn run(&mut self, params: impl Params) -> Result<()> {
        match self {
            Self::Sqlite(_) => self.execute(params).map(drop),
            Self::Postgres(session, statement) => session.send(statement, &params),
        }
    }
    /// Runs it; its rows, one after the other.
    pub fn query(&mut self, params: impl Params) -> Result<Rows<'_>> {
        match self {
            Self::Sqlite(statement) => {
                sqlite::bind(statement, &params)?;
                Ok(Rows::Sqlite(statement.raw_query()))
            }
            Self::Postgres(session, statement) => {
                Ok(Rows::Postgres(None, session.query(statement, &params)?.into_iter()))
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
    /// Of PostgreSQL: the one that is looked at, and those behind it.
    Postgres(Option<tokio_postgres::Row>, std::vec::IntoIter<tokio_postgres::Row>),
}

impl Rows<'_> {
    /// The next row.
    #[expect(clippy::should_implement_trait, reason = "a row borrows from what goes on with the next one")]
    pub fn next(&mut self) -> Result<Option<Row<'_>>> {
        match self {
            Self::Sqlite(rows) => Ok(rows.next()?.map(Row::Sqlite)),
            Self::Postgres(row, rows) => {
                *row = rows.next();
                Ok(row.as_ref().map(Row::Postgres))
            }
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
    /// Of PostgreSQL.
    Postgres(&'r tokio_postgres::Row),
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
            Self::Postgres(row) => row.len(),
        }
    }
    /// A column without a copy.
    pub fn get_ref(&self, column: usize) -> Result<ValueRef<'r>> {
        match *self {
            Self::Sqlite(row) => sqlite::column(row, column),
            Self::Postgres(row) => postgres::column(row, column),
        }
    }
}
