//! Databases for the tests of all rooms. A room's tests stand in a file that two modules name, `on_sqlite` and `on_postgres`.

use std::path::Path;

use super::{Backend, Connection, Migration, PostgresSettings, StoreError, migrate};

#[path = "../../tests/suite/support/postgres.rs"]
pub mod postgres;

/// The database that a test's module is named after, empty.
pub fn backend(module: &str) -> Backend {
    match module.contains("on_postgres") {
        true => Backend::Postgres(PostgresSettings::parse(&postgres::schema()).unwrap()),
        false => Backend::Sqlite,
    }
}

/// The database of a folder: SQLite, unless `SEKISHO_TEST_DATABASE=postgres` wants tests on the other one.
pub fn chosen(folder: &Path) -> Backend {
    postgres::connection_for(folder)
        .map_or(Backend::Sqlite, |at| Backend::Postgres(PostgresSettings::parse(&at).unwrap()))
}

/// SQLite without a file.
pub fn in_memory(migrations: &[Migration]) -> Result<Connection, StoreError> {
    let connection = rusqlite::Connection::open_in_memory()?.into();
    migrate::run(&connection, migrations)?;
    Ok(connection)
}
