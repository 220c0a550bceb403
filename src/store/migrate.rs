//! Migrations: numbered, forward-only, all in one transaction.

use super::sql::{OptionalExtension, params};
use super::{Connection, Migration, StoreError};

const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS store_schema (
    room TEXT PRIMARY KEY,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID";

/// Brings every room's tables up to date, in the transaction that is open. A database that is newer than this program is
/// left as it is.
pub(super) fn run(connection: &Connection, migrations: &[Migration]) -> Result<(), StoreError> {
    connection.execute_batch(VERSIONS)?;
    for Migration { room, steps } in migrations {
        let found: u32 = connection
            .query_row("SELECT version FROM store_schema WHERE room = ?1", [room], |row| row.get(0))
            .optional()?
            .unwrap_or(0);
        let Some(due) = steps.get(found as usize..) else {
            return Err(StoreError::NewerSchema { room, found, known: steps.len() as u32 });
        };
        for step in due {
            connection.execute_batch(step)?;
        }
        connection.execute(
            "INSERT INTO store_schema (room, version) VALUES (?1, ?2)
             ON CONFLICT (room) DO UPDATE SET version = excluded.version",
            params![room, steps.len() as u32],
        )?;
    }
    Ok(())
}
