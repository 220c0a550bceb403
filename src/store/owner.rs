//! What one gateway alone may have, or do, in a database that several use: the patient index, which is partly in memory; the
//! documents of a repository, which lie on one disk; the retention of a tenant.
//!
//! A *hold* ends with the connection that writes: the database forgets its lock then. Whoever connects anew takes it again,
//! but only if nobody had it in between, whose changes would be missing in memory. A *duty* ends likewise, and is whosever
//! asks next. A *claim* is a folder's, and stays when its gateway ends: it is freed by hand, once that is gone for good.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use uuid::Uuid;

use super::sql::{Access, OptionalExtension, params};
use super::{Connection, Store, StoreError, lock};

pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS store_owner (
    what TEXT PRIMARY KEY,
    owner TEXT NOT NULL
) STRICT, WITHOUT ROWID";

/// What this process holds. Shared with the writer, who takes it anew where the connection is lost.
#[derive(Clone, Default)]
pub(super) struct Holds {
    held: Arc<Mutex<Vec<Hold>>>,
    /// Whose claims this gateway goes by, once there are some.
    folder: Arc<OnceLock<String>>,
}

/// Something, and who has it.
#[derive(Debug, Clone)]
pub(super) struct Hold {
    what: String,
    owner: String,
}

/// Something that lies in a gateway's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// What.
    pub what: String,
    /// The folder's name, from its file `node`.
    pub folder: String,
    /// Whether a gateway with that folder is connected now.
    pub at_work: AtWork,
}

/// Whether somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtWork {
    /// A gateway with that folder is connected.
    Yes,
    /// None is.
    No,
}

/// What became of a claim that was to be freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freed {
    /// It is nobody's now.
    Now,
    /// It was nobody's.
    Before,
    /// Its gateway is at work, and keeps it.
    Not,
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

/// The opposite of [`locked`].
fn let_go(connection: &Connection, what: &str) -> Result<(), StoreError> {
    let let_go = "SELECT pg_advisory_unlock(hashtext(?1), hashtext(current_schema()))";
    Ok(connection.query_row(let_go, [what], |_| Ok(()))?)
}

/// What a gateway locks for as long as it lives, so that others know that it does.
fn life_of(folder: &str) -> String {
    format!("the folder {folder}")
}

/// Whether a gateway with a folder is connected. If not, that folder's lock is this connection's now.
fn at_work(connection: &Connection, folder: &str) -> Result<AtWork, StoreError> {
    Ok(if locked(connection, &life_of(folder))? { AtWork::No } else { AtWork::Yes })
}

impl Holds {
    /// Something that is to be held from now on.
    pub(super) fn begin(&self, what: &str) -> Hold {
        let hold = Hold { what: what.to_owned(), owner: Uuid::new_v4().to_string() };
        lock(&self.held).push(hold.clone());
        hold
    }
    /// It could not be had.
    pub(super) fn forget(&self, hold: &Hold) {
        lock(&self.held).retain(|held| held.owner != hold.owner);
    }
    /// Takes everything again on a connection that was made anew.
    pub(super) fn take_again(&self, connection: &Connection) -> Result<(), StoreError> {
        let (holds, folder) = (lock(&self.held).clone(), self.folder.get());
        if holds.is_empty() && folder.is_none() {
            return Ok(());
        }
        connection.begin(Access::Write)?;
        holds.iter().try_for_each(|hold| hold.take(connection, Taking::Again))?;
        folder.map(|folder| at_work(connection, folder)).transpose()?;
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

    /// Notes it, unless another has it. The folder's lock is only for others to see: where the database has not yet heard
    /// of this gateway's last end, that connection still has it.
    pub(super) fn note(&self, connection: &Connection, holds: &Holds) -> Result<(), StoreError> {
        at_work(connection, holds.folder.get_or_init(|| self.owner.clone()))?;
        let note = "INSERT INTO store_owner (what, owner) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        connection.execute(note, params![self.what, self.owner])?;
        let mut find =
            connection.prepare_cached("SELECT 1 FROM store_owner WHERE what = ?1 AND owner = ?2")?;
        match find.exists(params![self.what, self.owner])? {
            true => Ok(()),
            false => Err(StoreError::Claimed(self.what.clone())),
        }
    }
}

impl Store {
    /// What gateways have claimed for their folders, of what begins so. Blocks.
    pub fn claims(&self, beginning: &str) -> Result<Vec<Claim>, StoreError> {
        let beginning = beginning.to_owned();
        self.in_shared_database(Vec::new(), move |connection| {
            let mut find = connection.prepare_cached("SELECT what, owner FROM store_owner ORDER BY what")?;
            let all = find.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
            let all: Vec<(String, String)> = all.collect::<Result<_, _>>()?;
            let claims = all.into_iter().filter(|(what, _)| what.starts_with(&beginning));
            let look = |(what, folder): (String, String)| {
                let at_work = at_work(connection, &folder)?;
                if at_work == AtWork::No {
                    let_go(connection, &life_of(&folder))?;
                }
                Ok(Claim { what, folder, at_work })
            };
            claims.map(look).collect()
        })
    }

    /// Frees a claim of a gateway that is gone. Blocks.
    pub fn free(&self, what: &str) -> Result<Freed, StoreError> {
        let what = what.to_owned();
        self.in_shared_database(Freed::Before, move |connection| {
            let find = "SELECT owner FROM store_owner WHERE what = ?1";
            let folder: Option<String> =
                connection.prepare_cached(find)?.query_row([what.as_str()], |row| row.get(0)).optional()?;
            let Some(folder) = folder else { return Ok(Freed::Before) };
            if at_work(connection, &folder)? == AtWork::Yes {
                return Ok(Freed::Not);
            }
            connection.execute("DELETE FROM store_owner WHERE what = ?1", [what.as_str()])?;
            Ok(Freed::Now)
        })
    }

    /// Works with what several gateways share; gives `otherwise` where the database is one gateway's. Locks that are taken
    /// go with the store.
    fn in_shared_database<T: Send + 'static>(
        &self,
        otherwise: T,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.0.holds.is_none() { Ok(otherwise) } else { self.write_blocking(work) }
    }
}
