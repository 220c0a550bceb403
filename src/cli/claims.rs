//! `sekisho claims`: which repositories' documents lie in which gateway's folder, of several gateways on one database; and
//! what to do where one of them is gone for good.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::assemble::{MIGRATIONS, load};
use super::output::Output;
use super::{Exit, Outcome, Stop};
use crate::config::Settings;
use crate::repository::Repository;
use crate::store::{AtWork, Claim, Freed, Store, StoreError};

/// Tell which gateway's folder has which repository's documents; free those of a gateway that is gone for good
#[derive(Debug, Args)]
pub struct Claims {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "sekisho.toml")]
    config: PathBuf,
    /// Override a key: path.to.key=value; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Free this repository's documents: its gateway and its folder are gone for good
    #[arg(long, value_name = "REPOSITORY")]
    free: Option<String>,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

impl Claims {
    /// Tells, or frees.
    pub async fn run(self) -> Outcome {
        let output = Output::new(self.json);
        let (settings, _) = load(self.config, self.set)
            .await?
            .map_err(|problems| Stop::new(Exit::Usage, problems.to_string()))?;
        let free = self.free;
        let work = move || in_store(&settings, free.as_deref());
        let done = tokio::task::spawn_blocking(work).await;
        match done.map_err(|error| Stop::new(Exit::Unavailable, error.to_string()))? {
            Ok(Found::Claims(claims)) => Ok(tell(output, &claims)),
            Ok(Found::Freed(repository, freed)) => Ok(tell_freed(output, &repository, freed)),
            Err(error) => Err(Stop::new(Exit::Unavailable, format!("the store cannot be used: {error}"))),
        }
    }
}

/// What came of it.
enum Found {
    Claims(Vec<Claim>),
    Freed(String, Freed),
}

fn in_store(settings: &Settings, free: Option<&str>) -> Result<Found, StoreError> {
    let store = Store::open_in(&settings.store, &settings.data, MIGRATIONS)?;
    let found = match free {
        None => store.claims(&Repository::claim("")).map(Found::Claims),
        Some(repository) => {
            let freed = store.free(&Repository::claim(repository));
            freed.map(|freed| Found::Freed(repository.to_owned(), freed))
        }
    };
    store.close();
    found
}

fn tell(output: Output, claims: &[Claim]) -> Exit {
    let repository =
        |claim: &Claim| claim.what.strip_prefix(&Repository::claim("")).unwrap_or(&claim.what).to_owned();
    let at_work = |claim: &Claim| claim.at_work == AtWork::Yes;
    let rows: Vec<_> = claims
        .iter()
        .map(|claim| {
            let state = if at_work(claim) { "at work" } else { "not connected" };
            [repository(claim), claim.folder.clone(), state.to_owned()]
        })
        .collect();
    match rows.is_empty() {
        true => output.line("No documents are one gateway's alone in this database."),
        false => output.table(["repository", "folder (its file node)", "its gateway"], &rows),
    }
    let rows = claims.iter().map(
        |claim| json!({ "repository": repository(claim), "folder": claim.folder, "at_work": at_work(claim) }),
    );
    output.json(&json!({ "claims": rows.collect::<Vec<_>>() }));
    Exit::Done
}

fn tell_freed(output: Output, repository: &str, freed: Freed) -> Exit {
    let (exit, text) = match freed {
        Freed::Now => (
            Exit::Done,
            format!(
                "The documents of repository {repository} are in no gateway's folder any more. Retention of their \
                 metadata is the other gateways' now; a new gateway may have this repository."
            ),
        ),
        Freed::Before => {
            (Exit::No, format!("No gateway's folder has the documents of repository {repository}."))
        }
        Freed::Not => (
            Exit::No,
            format!(
                "The gateway that has the documents of repository {repository} is at work. Nothing was freed: what lies \
                 in its folder is its own."
            ),
        ),
    };
    output.line(&text);
    output.json(&json!({ "repository": repository, "freed": freed == Freed::Now }));
    exit
}
