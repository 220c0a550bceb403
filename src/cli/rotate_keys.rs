//! `sekisho rotate-keys` wraps the data keys of all encrypted documents with the current key of their tenant, after which
//! older keys may be taken out of the configuration (docs/storage.md). No document's bytes are written. The service must be
//! stopped: a store belongs to one process.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::assemble::load;
use super::output::Output;
use super::verify_store::{Opened, blocking, unusable};
use super::{Exit, Outcome, Stop};
use crate::repository::Rotated;

/// Wrap the keys of all encrypted documents with the current key.
#[derive(Debug, Args)]
pub struct RotateKeys {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "sekisho.toml")]
    config: PathBuf,
    /// Override a key: path.to.key=value; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

impl RotateKeys {
    /// Rotates and tells.
    pub async fn run(self) -> Outcome {
        let output = Output::new(self.json);
        let settings = match load(self.config, self.set).await? {
            Ok((settings, _)) => settings,
            Err(problems) => return Err(Stop::new(Exit::Usage, problems.to_string())),
        };
        if settings.all_tenants().iter().all(|tenant| tenant.hosted.keys.is_none()) {
            return Err(Stop::new(Exit::Usage, "nothing is encrypted here: no [….encryption] is configured"));
        }
        blocking(move || rotate(&Opened::open(&settings)?, output)).await
    }
}

fn rotate(opened: &Opened, output: Output) -> Outcome {
    let mut all = Rotated::default();
    for partition in &opened.partitions {
        let usage = tokio::runtime::Handle::current().block_on(partition.repository.usage());
        let progress = output.progress(Some(usage.map_err(|error| unusable(&error))?.documents));
        let rotated = partition.repository.rotate_keys_blocking(|documents| progress.inc(documents));
        progress.finish_and_clear();
        let Rotated { rewrapped, current, unencrypted, damaged } =
            rotated.map_err(|error| unusable(&error))?;
        all.rewrapped += rewrapped;
        all.current += current;
        all.unencrypted += unencrypted;
        all.damaged += damaged;
    }
    opened.close();
    let Rotated { rewrapped, current, unencrypted, damaged } = all;
    output.line(&format!(
        "{rewrapped} keys were wrapped anew; {current} were wrapped with the current key already."
    ));
    if unencrypted > 0 {
        output
            .line(&format!("{unencrypted} documents are from before there were keys, and stay as they are."));
    }
    if damaged > 0 {
        output.line(&format!("{damaged} documents have damaged keys: sekisho verify-store names them."));
    }
    output.json(&json!({
        "rewrapped": rewrapped,
        "current": current,
        "unencrypted": unencrypted,
        "damaged": damaged,
    }));
    Ok(if damaged == 0 { Exit::Done } else { Exit::No })
}
