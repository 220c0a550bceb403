//! `sekisho retention`: what the rules of retention would deprecate and remove now. It changes nothing: the service does
//! what the rules say.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::assemble::{Housing, MIGRATIONS, load};
use super::output::Output;
use super::{Exit, Outcome, Stop};
use crate::actors::retention::{Earnest, Retention, RetentionRule, Tally};
use crate::config::Settings;
use crate::store::{Store, StoreError};

/// Tell what retention would do now; the service must be stopped.
#[derive(Debug, Args)]
pub struct RetentionReport {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "sekisho.toml")]
    config: PathBuf,
    /// Override a key: path.to.key=value; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Only this tenant; "own" is the region's
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

impl RetentionReport {
    /// Looks and tells.
    pub async fn run(self) -> Outcome {
        let output = Output::new(self.json);
        let (settings, _) = load(self.config, self.set)
            .await?
            .map_err(|problems| Stop::new(Exit::Usage, problems.to_string()))?;
        let (store, housing) = open(settings).await?;
        let wanted =
            |retention: &Retention| self.tenant.as_deref().is_none_or(|tenant| retention.tenant() == tenant);
        let mut rows = Vec::new();
        for retention in housing.retentions().filter(wanted) {
            let tallies = retention.pass(Earnest::Rehearsal).await.map_err(|error| unusable(&error))?;
            rows.extend(
                tallies.into_iter().map(|(rule, tally)| (retention.tenant().to_owned(), rule, tally)),
            );
        }
        drop(housing);
        let _ = tokio::task::spawn_blocking(move || store.close()).await;
        tell(output, &rows);
        Ok(Exit::Done)
    }
}

async fn open(settings: Settings) -> Result<(Store, Housing), Stop> {
    let opening = tokio::task::spawn_blocking(move || {
        let store = Store::open_in(&settings.store, &settings.data, MIGRATIONS)?;
        let housing = Housing::open(&settings, &store)?;
        Ok((store, housing))
    });
    let opened = opening.await.map_err(|error| Stop::new(Exit::Unavailable, error.to_string()))?;
    opened.map_err(|error: StoreError| unusable(&error))
}

fn tell(output: Output, rows: &[(String, RetentionRule, Tally)]) {
    let table: Vec<_> = rows
        .iter()
        .map(|(tenant, rule, tally)| {
            let class = rule.class.clone().unwrap_or_else(|| "any".to_owned());
            let numbers = [u64::from(rule.days), tally.done, tally.kept, tally.elsewhere];
            let [days, due, kept, elsewhere] = numbers.map(|number| number.to_string());
            [tenant.clone(), days, class, rule.action.label().to_owned(), due, kept, elsewhere]
        })
        .collect();
    match table.is_empty() {
        true => output.line("No tenant has rules of retention."),
        false => output.table(
            ["tenant", "days", "class", "action", "due", "needed by others", "another gateway's"],
            &table,
        ),
    }
    let rows = rows.iter().map(|(tenant, rule, tally)| {
        json!({
            "tenant": tenant, "days": rule.days, "class": rule.class, "action": rule.action.label(),
            "due": tally.done, "kept": tally.kept, "elsewhere": tally.elsewhere,
        })
    });
    output.json(&json!({ "rules": rows.collect::<Vec<_>>() }));
}

fn unusable(error: &StoreError) -> Stop {
    Stop::new(Exit::Unavailable, format!("the store cannot be read (is the service stopped?): {error}"))
}
