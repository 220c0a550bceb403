//! Migrations: numbered, forward-only, all in one transaction.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::{Migration, StoreError};

const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS store_schema (
    room TEXT PRIMARY KEY,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID";

/// Brings every room's tables up to date. A database that is newer than this program is left as it is.
pub(super) fn run(connection: &mut Connection, migrations: &[Migration]) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(VERSIONS)?;
    for Migration { room, steps } in migrations {
        let found: u32 = transaction
            .query_row("SELECT version FROM store_schema WHERE room = ?1", [room], |row| row.get(0))
            .optional()?
            .unwrap_or(0);
        let Some(due) = steps.get(found as usize..) else {
            return Err(StoreError::NewerSchema { room, found, known: steps.len() as u32 });
        };
        for step in due {
            transaction.execute_batch(step)?;
        }
        transaction.execute(
            "INSERT INTO store_schema (room, version) VALUES (?1, ?2)
             ON CONFLICT (room) DO UPDATE SET version = excluded.version",
            params![room, steps.len() as u32],
        )?;
    }
    Ok(transaction.commit()?)
}
