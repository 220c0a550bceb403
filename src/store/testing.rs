//! Databases for the tests of all rooms. A room's tests stand in a file that two modules name, `on_sqlite` and `on_postgres`.

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

/// SQLite without a file.
pub fn in_memory(migrations: &[Migration]) -> Result<Connection, StoreError> {
    let connection = rusqlite::Connection::open_in_memory()?.into();
    migrate::run(&connection, migrations)?;
    Ok(connection)
}
