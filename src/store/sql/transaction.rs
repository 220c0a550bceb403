//! Transactions, for the store's threads: rooms above are always within one.

use super::{Connection, Inner, Result};

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
        self.control(match access {
            Access::Read => "BEGIN",
            Access::Write => "BEGIN IMMEDIATE",
        })
    }
    /// Begins a part of the transaction that may be undone alone.
    pub(in crate::store) fn save(&self) -> Result<()> {
        self.control("SAVEPOINT job")
    }
    /// Keeps that part.
    pub(in crate::store) fn keep(&self) -> Result<()> {
        self.control("RELEASE job")
    }
    /// Undoes that part.
    pub(in crate::store) fn undo(&self) -> Result<()> {
        self.control("ROLLBACK TO job")?;
        self.control("RELEASE job")
    }
    /// Makes the transaction's changes durable.
    pub(in crate::store) fn commit(&self) -> Result<()> {
        self.control("COMMIT")
    }
    /// Ends the transaction, if there is one, as if it had not been.
    pub(in crate::store) fn roll_back(&self) -> Result<()> {
        if self.in_transaction() { self.control("ROLLBACK") } else { Ok(()) }
    }
    /// Whether a transaction is open.
    pub(in crate::store) fn in_transaction(&self) -> bool {
        match &self.0 {
            Inner::Sqlite(connection) => !connection.is_autocommit(),
        }
    }
    /// Rows that were changed since the connection was made.
    pub(in crate::store) fn changes(&self) -> u64 {
        match &self.0 {
            Inner::Sqlite(connection) => connection.total_changes(),
        }
    }
    fn control(&self, sql: &str) -> Result<()> {
        self.prepare_cached(sql)?.execute(()).map(drop)
    }
}
