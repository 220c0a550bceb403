//! What one gateway alone may have in a database that several use: the patient index, which is partly in memory, or the
//! documents of a repository, which lie on one disk.
//!
//! A *hold* ends with the connection that writes: the database forgets its lock then. Whoever connects anew takes it again,
//! but only if nobody had it in between, whose changes would be missing in memory. A *claim* stays until it is taken out of
//! the table.

use std::path::Path;
use std::sync::{Arc, Mutex};

use uuid::Uuid;

use super::sql::{Access, params};
use super::{Connection, StoreError, lock};

pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS store_owner (
    what TEXT PRIMARY KEY,
    owner TEXT NOT NULL
) STRICT, WITHOUT ROWID";

/// What this process holds. Shared with the writer, who takes it anew where the connection is lost.
#[derive(Clone, Default)]
pub(super) struct Holds(Arc<Mutex<Vec<Hold>>>);

/// Something, and who has it.
#[derive(Debug, Clone)]
pub(super) struct Hold {
    what: String,
    owner: String,
}

/// Whether something is taken for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taking {
    First,
    Again,
}

impl Holds {
    /// Something new to hold.
    pub(super) fn begin(&self, what: &str) -> Hold {
        let hold = Hold { what: what.to_owned(), owner: Uuid::new_v4().to_string() };
        lock(&self.0).push(hold.clone());
        hold
    }
    /// Takes everything again on a connection that was made anew.
    pub(super) fn take_again(&self, connection: &Connection) -> Result<(), StoreError> {
        let holds = lock(&self.0).clone();
        if holds.is_empty() {
            return Ok(());
        }
        connection.begin(Access::Write)?;
        holds.iter().try_for_each(|hold| hold.take(connection, Taking::Again))?;
        Ok(connection.commit()?)
    }
}

impl Hold {
    /// Of whoever has a directory, which keeps the name that it was given first.
    pub(super) fn of_directory(what: &str, directory: &Path) -> Result<Self, StoreError> {
        let file = directory.join("node");
        if !file.exists() {
            std::fs::write(&file, Uuid::new_v4().to_string())?;
        }
        Ok(Self { what: what.to_owned(), owner: std::fs::read_to_string(file)? })
    }

    /// Locks it on a connection, for as long as that lives.
    pub(super) fn take(&self, connection: &Connection, taking: Taking) -> Result<(), StoreError> {
        let mut find =
            connection.prepare_cached("SELECT 1 FROM store_owner WHERE what = ?1 AND owner = ?2")?;
        let is_ours = taking == Taking::First || find.exists(params![self.what, self.owner])?;
        let lock = "SELECT pg_try_advisory_lock(hashtext(?1), hashtext(current_schema()))";
        if !is_ours || !connection.query_row(lock, [&self.what], |row| row.get::<bool>(0))? {
            return Err(StoreError::Held(self.what.clone()));
        }
        let note = "INSERT INTO store_owner (what, owner) VALUES (?1, ?2)
                    ON CONFLICT (what) DO UPDATE SET owner = excluded.owner";
        connection.execute(note, params![self.what, self.owner])?;
        Ok(())
    }

    /// Notes it, unless another has it.
    pub(super) fn note(&self, connection: &Connection) -> Result<(), StoreError> {
        let note = "INSERT INTO store_owner (what, owner) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        connection.execute(note, params![self.what, self.owner])?;
        let mut find =
            connection.prepare_cached("SELECT 1 FROM store_owner WHERE what = ?1 AND owner = ?2")?;
        match find.exists(params![self.what, self.owner])? {
            true => Ok(()),
            false => Err(StoreError::Held(self.what.clone())),
        }
    }
}
