//! What one gateway alone may have, or do, in a database that several use: the patient index, which is partly in memory; the
//! documents of a repository, which lie on one disk; the retention of a tenant.
//!
//! A *hold* ends with the connection that writes: the database forgets its lock then. Whoever connects anew takes it again,
//! but only if nobody had it in between, whose changes would be missing in memory. A *duty* ends likewise, and is whosever
//! asks next. A *claim* stays until it is taken out of the table.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use uuid::Uuid;

use super::sql::{Access, params};
use super::{Connection, Store, StoreError, lock};

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

/// Something that one gateway of several does. It is whoever's asks first, until that one is gone. Cheap to clone.
#[derive(Clone)]
pub struct Duty {
    store: Store,
    what: String,
}

impl Duty {
    pub(super) fn of(store: Store, what: &str) -> Self {
        Self { store, what: what.to_owned() }
    }

    /// Whether it is ours. Whoever does it asks before every step: with the connection that writes, it may have gone to
    /// another gateway.
    pub async fn is_ours(&self) -> Result<bool, StoreError> {
        if self.store.0.holds.is_none() {
            return Ok(true);
        }
        let what = self.what.clone();
        self.store.write(move |connection| locked(connection, &what)).await
    }
}

/// Whether a lock is this connection's, which it then stays for as long as that lives.
fn locked(connection: &Connection, what: &str) -> Result<bool, StoreError> {
    let lock = "SELECT pg_try_advisory_lock(hashtext(?1), hashtext(current_schema()))";
    Ok(connection.query_row(lock, [what], |row| row.get(0))?)
}

impl Holds {
    /// Something that is to be held from now on.
    pub(super) fn begin(&self, what: &str) -> Hold {
        let hold = Hold { what: what.to_owned(), owner: Uuid::new_v4().to_string() };
        lock(&self.0).push(hold.clone());
        hold
    }
    /// It could not be had.
    pub(super) fn forget(&self, hold: &Hold) {
        lock(&self.0).retain(|held| held.owner != hold.owner);
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
    /// Of whoever has a directory, which keeps the name that it was given first: it is on disk before anybody goes by it.
    pub(super) fn of_directory(what: &str, directory: &Path) -> Result<Self, StoreError> {
        let (file, fresh) = (directory.join("node"), directory.join("node.new"));
        if !file.exists() {
            let mut name = File::create(&fresh)?;
            name.write_all(Uuid::new_v4().to_string().as_bytes())?;
            name.sync_all()?;
            std::fs::rename(&fresh, &file)?;
            File::open(directory)?.sync_all()?;
        }
        Ok(Self { what: what.to_owned(), owner: std::fs::read_to_string(file)? })
    }

    /// Locks it on a connection, for as long as that lives.
    pub(super) fn take(&self, connection: &Connection, taking: Taking) -> Result<(), StoreError> {
        let mut find =
            connection.prepare_cached("SELECT 1 FROM store_owner WHERE what = ?1 AND owner = ?2")?;
        let is_ours = taking == Taking::First || find.exists(params![self.what, self.owner])?;
        if !is_ours || !locked(connection, &self.what)? {
            return Err(StoreError::Held(self.what.clone()));
        }
        let note = "INSERT INTO store_owner (what, owner) VALUES (?1, ?2)
                    ON CONFLICT (what) DO UPDATE SET owner = excluded.owner";
        connection.execute(note, params![self.what, self.owner])?;
        Ok(())
    }

    /// Whether it was noted for another.
    pub(super) fn is_anothers(&self, connection: &Connection) -> Result<bool, StoreError> {
        let mut find =
            connection.prepare_cached("SELECT 1 FROM store_owner WHERE what = ?1 AND owner <> ?2")?;
        Ok(find.exists(params![self.what, self.owner])?)
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
