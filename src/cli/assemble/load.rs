//! Reading the configuration, which works on the disk: never on the runtime's threads.

use std::path::PathBuf;

use crate::cli::{Exit, Stop};
use crate::config::{self, Problems, Settings};

/// Reads a configuration off the runtime's threads.
pub async fn load(
    file: PathBuf,
    overrides: Vec<String>,
) -> Result<Result<(Settings, Problems), Problems>, Stop> {
    tokio::task::spawn_blocking(move || config::load(&file, &overrides))
        .await
        .map_err(|error| Stop::new(Exit::Unavailable, format!("reading the configuration: {error}")))
}
