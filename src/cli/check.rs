//! `sekisho check`: a configuration's problems, all at once, or a summary of what it would start.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::assemble::{directory_settings, load};
use super::output::Output;
use super::verify_store::{self, Remedy};
use super::{Exit, Outcome, Stop};
use crate::config::{
    MllpListener, MllpsListener, Mode, Outside, Position, Problem, Problems, Settings, Weight,
};
use crate::federation::directory::{self, Directory};

/// Check a configuration.
#[derive(Debug, Args)]
pub struct Check {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "sekisho.toml")]
    config: PathBuf,
    /// Override a key: path.to.key=value; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
    /// Compare stored documents with their metadata instead; the service must be stopped
    #[arg(long)]
    store: bool,
    /// With --store: remove documents without metadata, deprecate entries without document
    #[arg(long, requires = "store")]
    settle: bool,
    /// With --settle: how many changes you expect; needed where they are many
    #[arg(long, value_name = "CHANGES", requires = "settle")]
    confirm: Option<usize>,
}

impl Check {
    /// Checks and tells.
    pub async fn run(self) -> Outcome {
        let output = Output::new(self.json);
        let loaded = load(self.config, self.set).await?;
        if self.store {
            let (settings, _) = loaded.map_err(|problems| Stop::new(Exit::Usage, problems.to_string()))?;
            let remedy = match self.settle {
                true => Remedy::Settle { confirmed: self.confirm },
                false => Remedy::Tell,
            };
            return verify_store::compare(settings, output, remedy).await;
        }
        let (settings, problems) = match loaded {
            Ok((settings, warnings)) => with_communities(settings, warnings).await?,
            Err(problems) => (None, problems),
        };
        if !problems.0.is_empty() {
            output.line(&format!("{problems}\n"));
        }
        if let Some(settings) = &settings {
            summarise(output, settings);
        } else {
            let errors = problems.0.iter().filter(|problem| problem.weight == Weight::Error).count();
            output.line(&format!("{errors} errors: nothing would start"));
        }
        output.json(&json!({
            "ok": settings.is_some(),
            "problems": problems.0.iter().map(problem_json).collect::<Vec<_>>(),
        }));
        Ok(if settings.is_some() { Exit::Done } else { Exit::Usage })
    }
}

/// The community files belong to the configuration.
async fn with_communities(
    settings: Settings,
    mut problems: Problems,
) -> Result<(Option<Settings>, Problems), Stop> {
    let read = tokio::task::spawn_blocking(move || {
        problems.0.extend(community_problems(&settings));
        let good = !problems.is_fatal();
        (good.then_some(settings), problems)
    });
    read.await.map_err(|error| Stop::new(Exit::Unavailable, format!("reading the communities: {error}")))
}

fn community_problems(settings: &Settings) -> Vec<Problem> {
    let Some(federation) = &settings.federation else { return Vec::new() };
    match Directory::load(directory_settings(settings, federation)) {
        Ok(directory) => {
            let communities = directory.communities();
            let strangers = federation.correlation.iter().filter(|row| communities.find(&row.home).is_none());
            let homes: BTreeSet<_> = strangers.map(|row| row.home.to_urn()).collect();
            let stranger = |home: String| Problem {
                weight: Weight::Warning,
                ..Problem::of_file(
                    &federation.communities,
                    format!("`federation.correlation` names {home}, which no file here describes"),
                    "describe the community, or remove its rows",
                )
            };
            homes.into_iter().map(stranger).collect()
        }
        Err(problems) => problems.into_iter().map(located).collect(),
    }
}

/// A problem of a community's file, with its line.
fn located(problem: directory::Problem) -> Problem {
    let text = std::fs::read_to_string(&problem.file).unwrap_or_default();
    let line = problem.line.checked_sub(1).and_then(|index| text.lines().nth(index));
    let position = line.map(|line| Position {
        line: problem.line,
        column: problem.column.max(1),
        width: 1,
        text: line.to_owned(),
    });
    Problem {
        weight: Weight::Error,
        file: problem.file.display().to_string(),
        position,
        message: problem.message,
        help: None,
    }
}

fn summarise(output: Output, settings: &Settings) {
    let mode = match &settings.mode {
        Mode::Standalone(hosted) => format!("stand-alone registry and repository {}", hosted.repository),
        Mode::Hosted(hosted) => format!("hosted registry and repository {}, federated", hosted.repository),
        Mode::Bridge(bridge) => format!("bridge before {}", bridge.iti18),
    };
    let listen = &settings.listen;
    let mut rows = vec![
        ["community".to_owned(), format!("{} ({})", settings.community.name, settings.community.home)],
        ["mode".to_owned(), mode],
    ];
    rows.extend(settings.tenants.iter().map(|tenant| {
        let key = tenant.key();
        let is = format!("{} ({}) at /hosted/{}", tenant.title, key.0, tenant.name);
        ["tenant".to_owned(), is]
    }));
    if let Some(soap) = &listen.soap {
        let clients =
            if soap.client_ca.is_some() { "mutual TLS" } else { "TLS, clients without certificate" };
        rows.push(["SOAP".to_owned(), format!("https://{} ({clients})", soap.address)]);
    }
    if let Some(http) = &listen.http {
        rows.push(["SOAP".to_owned(), format!("http://{}", http.address)]);
    }
    if let Some(MllpsListener { listener, charset }) = &listen.mllps {
        let clients =
            if listener.client_ca.is_some() { "mutual TLS" } else { "TLS, clients without certificate" };
        rows.push(["HL7 v2".to_owned(), format!("mllps://{} ({clients}, {charset})", listener.address)]);
    }
    if let Some(MllpListener { listener, charset }) = &listen.mllp {
        rows.push(["HL7 v2".to_owned(), format!("mllp://{} ({charset})", listener.address)]);
    }
    if let Some(operator) = listen.operator {
        rows.push(["operator".to_owned(), format!("http://{operator}")]);
    }
    if let Some(identity) = settings.identity.as_ref().filter(|identity| identity.has_index()) {
        let names: Vec<_> = identity.domains.iter().map(|domain| domain.name.as_str()).collect();
        rows.push(["patient index".to_owned(), names.join(", ")]);
        let told = identity.consumers.iter().map(|consumer| &consumer.peer);
        let told = told.chain(identity.registries.iter().map(|registry| &registry.peer));
        rows.extend(told.map(|peer| ["notified".to_owned(), format!("{} at {}", peer.name, peer.url)]));
    }
    if let Some(identity) = &settings.identity {
        let outside = [("PIX manager", &identity.manager), ("PDQ supplier", &identity.supplier)];
        let there = |(what, outside): (&str, &Option<Outside>)| {
            Some([what.to_owned(), outside.as_ref()?.url.to_string()])
        };
        rows.extend(outside.into_iter().filter_map(there));
    }
    rows.push(["data".to_owned(), settings.data.display().to_string()]);
    if let Some(federation) = &settings.federation {
        rows.push(["communities".to_owned(), federation.communities.display().to_string()]);
        rows.push(["correlation".to_owned(), format!("{} rows", federation.correlation.len())]);
    }
    output.table(["what", "is"], &rows);
    output.line("The configuration is good.");
}

fn problem_json(problem: &Problem) -> serde_json::Value {
    json!({
        "weight": match problem.weight { Weight::Error => "error", Weight::Warning => "warning" },
        "file": problem.file,
        "line": problem.position.as_ref().map(|position| position.line),
        "column": problem.position.as_ref().map(|position| position.column),
        "message": problem.message,
        "help": problem.help,
    })
}
