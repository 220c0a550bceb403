//! Migrations: numbered, forward-only, all in one transaction.

use super::sql::{Access, OptionalExtension, params};
use super::{Connection, StoreError, owner};

/// Numbered, forward-only changes to one room's tables.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Whose tables.
    pub room: &'static str,
    /// Number n brings the schema from n to n + 1. What was once released stays as it is.
    pub steps: &'static [Step],
}

/// A script.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// In SQLite's words, which have the same meaning in PostgreSQL's.
    Both(&'static str),
    /// One for each.
    Each {
        /// SQLite's.
        sqlite: &'static str,
        /// PostgreSQL's.
        postgres: &'static str,
    },
}

/// How many steps a room's tables are behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Whose tables.
    pub room: &'static str,
    /// What they are.
    pub from: u32,
    /// What they are to be.
    pub to: u32,
}

impl Due {
    pub(super) fn from_nothing(migration: &Migration) -> Self {
        Self { room: migration.room, from: 0, to: migration.steps.len() as u32 }
    }
}

/// What `sekisho migrate` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migrating {
    /// It tells.
    Look,
    /// It migrates.
    CarryOut,
}

const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS store_schema (
    room TEXT PRIMARY KEY,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID";

/// Brings every room's tables up to date. A database that is newer than this program is left as it is.
pub(super) fn run(connection: &Connection, migrations: &[Migration]) -> Result<Vec<Due>, StoreError> {
    within(connection, || {
        connection.execute_batch(VERSIONS)?;
        let due = due(connection, migrations)?;
        connection.execute_batch(owner::TABLE)?;
        for (migration, Due { room, from, to }) in migrations.iter().zip(&due) {
            for step in migration.steps.iter().skip(*from as usize) {
                connection.execute_step(step)?;
            }
            connection.execute(
                "INSERT INTO store_schema (room, version) VALUES (?1, ?2)
                 ON CONFLICT (room) DO UPDATE SET version = excluded.version",
                params![room, to],
            )?;
        }
        connection.commit()?;
        Ok(due)
    })
}

/// What [`run`] would do.
pub(super) fn look(connection: &Connection, migrations: &[Migration]) -> Result<Vec<Due>, StoreError> {
    within(connection, || {
        connection.execute_batch(VERSIONS)?;
        due(connection, migrations)
    })
}

/// Runs a part that commits itself what it wants to keep.
fn within<T>(connection: &Connection, part: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    connection.begin(Access::Write)?;
    connection.without_haste()?;
    let done = part();
    connection.roll_back()?;
    done
}

fn due(connection: &Connection, migrations: &[Migration]) -> Result<Vec<Due>, StoreError> {
    let mut find = connection.prepare_cached("SELECT version FROM store_schema WHERE room = ?1")?;
    let due = migrations.iter().map(|Migration { room, steps }| {
        let from = find.query_row([room], |row| row.get(0)).optional()?.unwrap_or(0);
        match steps.len() as u32 {
            known if known < from => Err(StoreError::NewerSchema { room, found: from, known }),
            to => Ok(Due { room, from, to }),
        }
    });
    due.collect()
}
