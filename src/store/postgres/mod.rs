//! PostgreSQL, which several gateways may share: connecting, and connecting anew.
//!
//! Every thread of the store has one connection. A group of writes takes a lock of the database first, so that groups of
//! several gateways run one after the other, as those of one do: the rooms' rules are checked and carried out against
//! what cannot change meanwhile. A gateway that dies or falls silent within its group loses the lock with its connection.

mod analysis;
pub(super) mod dialect;
mod session;
mod settings;
pub(super) mod values;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub(super) use session::{Coming, Session};
pub use settings::PostgresSettings;

use self::analysis::Analysis;
use super::StoreError;
use super::owner::Holds;
use super::sql::{Connection, Error};
use super::writer::Line;
use crate::limits;

/// Whether the database is away: what readiness tells.
#[derive(Clone, Default)]
pub(super) struct Away(Arc<AtomicBool>);

impl Away {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// One thread's way to the database.
pub(super) struct PostgresLine {
    settings: PostgresSettings,
    connection: Option<Connection>,
    away: Away,
    holds: Holds,
    analysis: Analysis,
    /// How long to wait after the next failure, and until when after the last one.
    pause: Duration,
    not_before: Instant,
}

impl PostgresLine {
    /// Not connected yet.
    pub(super) fn new(settings: PostgresSettings, away: Away) -> Self {
        let pause = limits::POSTGRES_FIRST_PAUSE;
        let (holds, analysis) = (Holds::default(), Analysis::default());
        Self { settings, connection: None, away, holds, analysis, pause, not_before: Instant::now() }
    }

    /// The writer's, which keeps what is this gateway's alone.
    pub(super) fn keeping(mut self, holds: Holds) -> Self {
        self.holds = holds;
        self
    }

    /// Connects and works, on a thread of its own: the caller's may be one of the runtime's, where nothing may wait.
    pub(super) fn with_connection<T: Send>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send,
    ) -> Result<T, StoreError> {
        std::thread::scope(|scope| {
            let working = scope.spawn(|| work(self.connection()?));
            working.join().unwrap_or(Err(StoreError::Panicked))
        })
    }

    fn connect(&mut self) -> Result<Connection, StoreError> {
        if Instant::now() < self.not_before {
            return Err(Error::Away("it was not there a moment ago".to_owned()).into());
        }
        let connected = self.settings.connect().and_then(|connection| {
            self.holds.take_again(&connection)?;
            Ok(connection)
        });
        self.away.0.store(connected.is_err(), Ordering::Relaxed);
        match &connected {
            Ok(_) => self.pause = limits::POSTGRES_FIRST_PAUSE,
            Err(error) => {
                tracing::error!(%error, "PostgreSQL cannot be used");
                self.not_before = Instant::now() + self.pause;
                self.pause = (2 * self.pause).min(limits::POSTGRES_LONGEST_PAUSE);
            }
        }
        connected
    }
}

impl Line for PostgresLine {
    fn connection(&mut self) -> Result<&Connection, StoreError> {
        let well = self.connection.take().filter(|connection| connection.is_well());
        let connection = match well {
            Some(connection) => connection,
            None => {
                self.analysis.begin_anew();
                self.connect()?
            }
        };
        Ok(self.connection.insert(connection))
    }

    fn written(&mut self) {
        let changes = self.connection.as_ref().map_or(0, Connection::changes);
        self.analysis.changed(changes, &self.settings);
    }
}
