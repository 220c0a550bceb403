//! Transactions, for the store's threads: rooms above are always within one.

use super::{Connection, Error, Inner, Result};
use crate::store::StoreError;

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Access {
    /// Everything is of one moment.
    Read,
    /// Nobody else writes meanwhile.
    Write,
}

impl Connection {
    /// Begins a transaction.
    pub(in crate::store) fn begin(&self, access: Access) -> Result<()> {
        match (&self.0, access) {
            (Inner::Sqlite(_), Access::Read) => self.end("BEGIN"),
            (Inner::Sqlite(_), Access::Write) => self.end("BEGIN IMMEDIATE"),
            (Inner::Postgres(session), access) => session.begin(access),
        }
    }
    /// Lets what comes in this transaction take its time.
    pub(in crate::store) fn without_haste(&self) -> Result<()> {
        match &self.0 {
            Inner::Sqlite(_) => Ok(()),
            Inner::Postgres(session) => session.without_haste(),
        }
    }
    /// Begins a part of the transaction that may be undone alone.
    pub(in crate::store) fn save(&self) -> Result<()> {
        match &self.0 {
            Inner::Sqlite(_) => self.end("SAVEPOINT job"),
            Inner::Postgres(session) => session.control("SAVEPOINT job"),
        }
    }
    /// Keeps that part. An Err says that something in it went wrong: then it can only be undone.
    pub(in crate::store) fn keep(&self) -> Result<()> {
        self.end("RELEASE job")
    }
    /// Undoes that part.
    pub(in crate::store) fn undo(&self) -> Result<()> {
        self.end("ROLLBACK TO job")?;
        self.end("RELEASE job")
    }
    /// Makes the transaction's changes durable. After an Err, nobody knows whether they are.
    pub(in crate::store) fn commit(&self) -> Result<()> {
        self.end("COMMIT")
    }
    /// Ends the transaction, if there is one, as if it had not been.
    pub(in crate::store) fn roll_back(&self) -> Result<()> {
        if self.in_transaction() { self.end("ROLLBACK") } else { Ok(()) }
    }
    /// Whether a transaction is open.
    pub(in crate::store) fn in_transaction(&self) -> bool {
        match &self.0 {
            Inner::Sqlite(connection) => !connection.is_autocommit(),
            Inner::Postgres(session) => session.in_transaction(),
        }
    }
    /// Why a transaction is over in the middle of a group.
    pub(in crate::store) fn why_ended(&self) -> StoreError {
        match &self.0 {
            Inner::Postgres(session) if session.is_lost() => {
                Error::Away("the connection was lost in the middle of a group".to_owned()).into()
            }
            _ => StoreError::Damaged("the transaction ended in the middle of a group".to_owned()),
        }
    }
    /// Rows that were changed since the connection was made.
    pub(in crate::store) fn changes(&self) -> u64 {
        match &self.0 {
            Inner::Sqlite(connection) => connection.total_changes(),
            Inner::Postgres(session) => session.changes(),
        }
    }
    /// Whether somebody is still at the other end.
    pub(in crate::store) fn is_well(&self) -> bool {
        match &self.0 {
            Inner::Sqlite(_) => true,
            Inner::Postgres(session) => session.is_well(),
        }
    }
    fn end(&self, sql: &'static str) -> Result<()> {
        match &self.0 {
            Inner::Sqlite(connection) => Ok(connection.prepare_cached(sql)?.raw_execute().map(drop)?),
            Inner::Postgres(session) => session.end(sql),
        }
    }
}
