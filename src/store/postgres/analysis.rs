//! What PostgreSQL knows of our tables. It looks at them by itself about once a minute, which is late for a database that is
//! filled from empty, and never for one that was restored and is only read: then it takes them for small, and reads them
//! through where it should go by a key. So whoever writes has them looked at when they have doubled, beside the writing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::PostgresSettings;
use crate::limits;
use crate::store::StoreError;

/// All tables of ours; other schemas are others'.
const TABLES: &str = "SELECT string_agg(quote_ident(relname), ', ' ORDER BY relname) FROM pg_class
    WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace";

/// When the tables are looked at next.
pub(super) struct Analysis {
    /// Changes of this connection.
    due: u64,
    step: u64,
    running: Arc<AtomicBool>,
}

impl Default for Analysis {
    fn default() -> Self {
        // What was there before the first change may have been restored.
        Self { due: 1, step: limits::POSTGRES_FIRST_ANALYZED, running: Arc::default() }
    }
}

impl Analysis {
    /// The next connection counts its changes from 0, and does not know what others have changed.
    pub(super) fn begin_anew(&mut self) {
        *self = Self { running: Arc::clone(&self.running), ..Self::default() };
    }

    /// So many rows were changed by now: has the tables looked at, if it is time.
    pub(super) fn changed(&mut self, changes: u64, settings: &PostgresSettings) {
        if changes < self.due || self.running.swap(true, Ordering::AcqRel) {
            return;
        }
        (self.due, self.step) = (changes + self.step, 2 * self.step);
        let (settings, running) = (settings.clone(), Arc::clone(&self.running));
        let analyze = move || {
            if let Err(error) = analyze(&settings) {
                tracing::debug!(%error, "PostgreSQL could not look at the tables");
            }
            running.store(false, Ordering::Release);
        };
        let _ = thread::Builder::new().name("store-analysis".to_owned()).spawn(analyze);
    }
}

fn analyze(settings: &PostgresSettings) -> Result<(), StoreError> {
    let connection = settings.connect()?;
    let tables: Option<String> = connection.query_row(TABLES, (), |row| row.get(0))?;
    if let Some(tables) = tables {
        connection.without_haste()?;
        connection.execute_batch(&format!("SET statement_timeout = 0; ANALYZE {tables}"))?;
    }
    Ok(())
}
