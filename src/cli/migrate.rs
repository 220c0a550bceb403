//! `sekisho migrate` brings the database up to date with this program, as `serve` does at its start; with `--dry-run` it says
//! what it would do. Of an embedded database the service must be stopped; one in PostgreSQL may be migrated before the
//! gateways are replaced.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::assemble::{MIGRATIONS, load};
use super::output::Output;
use super::{Exit, Outcome, Stop};
use crate::store::{Due, Migrating, Store, StoreError};

/// Bring the database up to date with this program
#[derive(Debug, Args)]
pub struct Migrate {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "sekisho.toml")]
    config: PathBuf,
    /// Override a key: path.to.key=value; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

impl Migrate {
    /// Migrates, or tells.
    pub async fn run(self) -> Outcome {
        let output = Output::new(self.json);
        let settings = match load(self.config, self.set).await? {
            Ok((settings, _)) => settings,
            Err(problems) => return Err(Stop::new(Exit::Usage, problems.to_string())),
        };
        let migrating = if self.dry_run { Migrating::Look } else { Migrating::CarryOut };
        let work =
            move || Store::migrate(&settings.store, &settings.data, MIGRATIONS, migrating).map_err(refused);
        let done = tokio::task::spawn_blocking(work).await;
        let rooms = done.map_err(|error| Stop::new(Exit::Unavailable, error.to_string()))??;
        tell(output, &rooms, migrating);
        Ok(Exit::Done)
    }
}

fn tell(output: Output, rooms: &[Due], migrating: Migrating) {
    let rows: Vec<_> = rooms
        .iter()
        .map(|Due { room, from, to }| [(*room).to_owned(), from.to_string(), to.to_string()])
        .collect();
    output.table(["tables of", "are at", "are to be at"], &rows);
    let behind = rooms.iter().any(|due| due.from < due.to);
    output.line(match (behind, migrating) {
        (false, _) => "The database is up to date.",
        (true, Migrating::Look) => "Nothing was done.",
        (true, Migrating::CarryOut) => "The database is up to date now.",
    });
    let rooms: Vec<_> =
        rooms.iter().map(|due| json!({ "room": due.room, "from": due.from, "to": due.to })).collect();
    output.json(&json!({ "rooms": rooms, "migrated": behind && migrating == Migrating::CarryOut }));
}

fn refused(error: StoreError) -> Stop {
    let exit = if matches!(error, StoreError::NewerSchema { .. }) { Exit::No } else { Exit::Unavailable };
    Stop::new(exit, error.to_string())
}
