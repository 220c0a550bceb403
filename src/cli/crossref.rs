//! `sekisho crossref`: the cross-reference cache as a file of lines, to look at it, to move it, or to bring in what a region
//! knows already. Works on the data directory itself, so the server is stopped meanwhile.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::assemble::{Configured, crossref_settings};
use super::output::Output;
use super::{Exit, Outcome, Stop};
use crate::demographics::Domains;
use crate::identity::crossref::transfer::TransferError;
use crate::identity::crossref::{Crossref as Cache, CrossrefSettings};

/// Export and import the cross-reference cache.
#[derive(Debug, Args)]
pub struct Crossref {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "sekisho.toml", global = true)]
    config: PathBuf,
    /// Override a key: path.to.key=value; may be repeated
    #[arg(long, value_name = "KEY=VALUE", global = true)]
    set: Vec<String>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write every entry that holds, a line of JSON each. The file holds patients' identifiers
    Export {
        /// A new file
        file: PathBuf,
    },
    /// Take in a file of such lines; an entry replaces the one of the same patient and community
    Import {
        /// The file
        file: PathBuf,
    },
}

impl Crossref {
    /// Does it.
    pub async fn run(self) -> Outcome {
        let output = Output::new(self.json);
        let configured = Configured::load(&self.config, &self.set).await?;
        let settings = configured.settings();
        let Some(identity) = &settings.identity else {
            let text =
                format!("{} has no [identity]: there is no cross-reference cache", self.config.display());
            return Err(Stop::new(Exit::Usage, text));
        };
        let cache = crossref_settings(settings, identity);
        let domains = Domains::new(identity.domains.clone());
        let done = tokio::task::spawn_blocking(move || self.action.on(&cache, &domains)).await;
        let done = done.map_err(|error| Stop::new(Exit::Unavailable, error.to_string()))??;
        let Done { cache, entries, expired, exported } = done;
        // What was taken in is on disk before anybody is told so.
        cache.flush().await.map_err(|error| Stop::new(Exit::Unavailable, error.to_string()))?;
        let what = if exported { "exported" } else { "imported" };
        let passed =
            if exported { String::new() } else { format!("; {expired} had expired and were passed over") };
        output.line(&format!("{entries} entries {what}{passed}."));
        output.json(&json!({ what: entries, "expired": expired }));
        Ok(Exit::Done)
    }
}

struct Done {
    cache: Cache,
    entries: u64,
    expired: u64,
    exported: bool,
}

impl Action {
    /// Touches the disk.
    fn on(&self, settings: &CrossrefSettings, domains: &Domains) -> Result<Done, Stop> {
        let cache = Cache::open(settings).map_err(|error| {
            let text = format!(
                "the cross-reference cache cannot be used: {error}; is the server running? Stop it first"
            );
            Stop::new(Exit::Unavailable, text)
        })?;
        match self {
            Self::Export { file } => {
                let mut out = BufWriter::new(create(file)?);
                let entries = cache.export(&mut out).map_err(|error| stop(file, &error))?;
                out.flush()
                    .and_then(|()| out.get_ref().sync_all())
                    .map_err(|error| stop(file, &error.into()))?;
                Ok(Done { cache, entries, expired: 0, exported: true })
            }
            Self::Import { file } => {
                let lines = BufReader::new(File::open(file).map_err(|error| stop(file, &error.into()))?);
                let imported = cache
                    .import_but(lines, |patient| domains.refuse(patient))
                    .map_err(|error| stop(file, &error))?;
                Ok(Done { cache, entries: imported.taken, expired: imported.expired, exported: false })
            }
        }
    }
}

/// A new file that only its owner reads: an old one is not written over.
fn create(file: &Path) -> Result<File, Stop> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    created.map_err(|error| stop(file, &error.into()))
}

fn stop(file: &Path, error: &TransferError) -> Stop {
    let exit = match error {
        TransferError::Line(..) => Exit::No,
        TransferError::Io(_) => Exit::Usage,
        TransferError::Cache => Exit::Unavailable,
    };
    Stop::new(exit, format!("{}: {error}", file.display()))
}
