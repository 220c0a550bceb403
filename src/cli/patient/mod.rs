//! `sekisho patient`: the patient index in an operator's hands. Works on the data directory itself, so the server is stopped
//! meanwhile; the store's lock sees to that.

mod import;
mod learn;
mod show;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;

use self::import::{Import, Receivers};
use self::learn::Learn;
use super::assemble::{self, Configured};
use super::output::Output;
use super::{Exit, Outcome, Stop};
use crate::config::Identity;
use crate::demographics::Domains;
use crate::identity::index::{Index, IndexError, Refused, Ruling};
use crate::ids::PatientId;
use crate::registry::Registry;
use crate::store::{Store, StoreError};

/// Look into the patient index and decide what the matcher must not.
#[derive(Debug, Args)]
pub struct Patient {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "sekisho.toml", global = true)]
    config: PathBuf,
    /// Override a key: path.to.key=value; may be repeated
    #[arg(long, value_name = "KEY=VALUE", global = true)]
    set: Vec<String>,
    /// Who decides; the user of this terminal if left out
    #[arg(long, value_name = "NAME", global = true)]
    operator: Option<String>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// A person: records, what links them and why, earlier values, decisions
    Show {
        /// ID^^^&OID&ISO
        patient: String,
    },
    /// Two identifiers are one person's
    Link {
        /// ID^^^&OID&ISO
        patient: String,
        /// ID^^^&OID&ISO
        other: String,
    },
    /// The persons of two identifiers are one, even if records of them were held apart
    Merge {
        /// ID^^^&OID&ISO
        patient: String,
        /// ID^^^&OID&ISO
        other: String,
    },
    /// An identifier is not of the person that it is with, and is never linked with it again; with OTHER, only not with that
    Unlink {
        /// ID^^^&OID&ISO
        patient: String,
        /// ID^^^&OID&ISO
        other: Option<String>,
    },
    /// Take a decision back, with all that it changed
    Undo {
        /// The decision's number
        decision: u64,
    },
    /// Pairs that people must decide; with NUMBER and an answer, decide one
    Review(Review),
    /// Load patients from CSV (FEBRL's too) or HL7 v2 batches
    Import(Import),
    /// Learn from the region's own records how matching weighs, and how names in kanji are read
    Learn(Learn),
    /// Match all records again, by the weights in use: after learning, or after a version that compares otherwise
    Rematch {
        /// Go on behind this record, where an earlier run stopped
        #[arg(long, value_name = "RECORD", default_value_t = 0)]
        after: u64,
    },
}

#[derive(Debug, Args)]
struct Review {
    /// A review's number
    #[arg(requires = "answer")]
    number: Option<u64>,
    /// What it is
    #[arg(value_enum)]
    answer: Option<Answer>,
    /// Show those behind this number
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    after: u64,
    /// How many are shown
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    most: usize,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Answer {
    /// One person
    Same,
    /// Two persons
    Different,
}

/// The index, open for one command.
pub(in crate::cli) struct Opened {
    pub(in crate::cli) index: Index,
    domains: Arc<Domains>,
    /// Those that the region hosts: they hear of whoever is imported.
    registries: Vec<Registry>,
    pub(in crate::cli) store: Store,
}

impl Patient {
    /// Does it.
    pub async fn run(self) -> Outcome {
        let output = Output::new(self.json);
        let opened = open(&self.config, &self.set).await?;
        let outcome = self.act(&opened, output).await;
        // What is queued is written and the file closed, whatever became of the command.
        let closed = tokio::task::spawn_blocking(move || opened.store.close()).await;
        closed.map_err(|error| Stop::new(Exit::Unavailable, format!("closing the store: {error}")))?;
        outcome
    }

    async fn act(&self, opened: &Opened, output: Output) -> Outcome {
        let index = &opened.index;
        let identifier = |text: &str| opened.identifier(text);
        match &self.action {
            Action::Show { patient } => {
                let shown = index.show(&identifier(patient)?).await.map_err(|error| stop(&error))?;
                show::person(&shown, output);
                Ok(Exit::Done)
            }
            Action::Link { patient, other } => {
                self.rule(index, Ruling::Link(identifier(patient)?, identifier(other)?), output).await
            }
            Action::Merge { patient, other } => {
                self.rule(index, Ruling::Merge(identifier(patient)?, identifier(other)?), output).await
            }
            Action::Unlink { patient, other: None } => {
                self.rule(index, Ruling::Unlink(identifier(patient)?), output).await
            }
            Action::Unlink { patient, other: Some(other) } => {
                self.rule(index, Ruling::Part(identifier(other)?, identifier(patient)?), output).await
            }
            Action::Undo { decision } => self.rule(index, Ruling::Undo(*decision), output).await,
            Action::Review(review) => self.review(index, review, output).await,
            Action::Import(import) => {
                let receivers = Receivers { index, registries: &opened.registries };
                import.run(receivers, &opened.domains, output).await
            }
            Action::Learn(learn) => {
                let operator = if learn.decides() { self.operator()? } else { String::new() };
                learn.run(index, &operator, output).await
            }
            Action::Rematch { after } => self.rematch(index, *after, output).await,
        }
    }

    async fn review(&self, index: &Index, review: &Review, output: Output) -> Outcome {
        let (Some(number), Some(answer)) = (review.number, review.answer) else {
            let reviews = index.reviews(review.after, review.most).await.map_err(|error| stop(&error))?;
            show::reviews(&reviews, output);
            return Ok(Exit::Done);
        };
        let pair = index.reviewed(number).await.map_err(|error| stop(&error))?;
        let none = || Stop::new(Exit::No, format!("there is no open review of number {number}"));
        let (one, another) = pair.ok_or_else(none)?;
        let ruling = match answer {
            Answer::Same => Ruling::Merge(one, another),
            Answer::Different => Ruling::Part(one, another),
        };
        self.rule(index, ruling, output).await
    }

    async fn rule(&self, index: &Index, ruling: Ruling, output: Output) -> Outcome {
        let operator = self.operator()?;
        match index.rule(ruling, &operator).await.map_err(|error| stop(&error))? {
            Ok(decision) => {
                output.line(&format!("Decision {decision}. sekisho patient undo {decision} takes it back."));
                output.json(&json!({ "decision": decision }));
                Ok(Exit::Done)
            }
            Err(refused @ Refused::Already) => {
                output.line(&refused.to_string());
                output.json(&json!({ "decision": null, "problem": refused.to_string() }));
                Ok(Exit::Done)
            }
            Err(refused) => Err(Stop::new(Exit::No, refused.to_string())),
        }
    }

    async fn rematch(&self, index: &Index, after: u64, output: Output) -> Outcome {
        let (bar, mut last) = (output.count(), after);
        let before = *index.watch_events().borrow();
        let stopped = loop {
            match index.rematch(last).await {
                Ok(Some(rematched)) => {
                    bar.set_length(rematched.of);
                    bar.set_position(rematched.last);
                    last = rematched.last;
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        bar.finish_and_clear();
        let changed = index.watch_events().borrow().saturating_sub(before);
        output.line(&format!("Matched again up to record {last}: {changed} persons are others than before."));
        output.json(&json!({ "record": last, "changed": changed }));
        stopped.map_or(Ok(Exit::Done), |error| Err(stop(&error)))
    }

    fn operator(&self) -> Result<String, Stop> {
        let user = || ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
        let operator = self.operator.clone().or_else(user).filter(|name| !name.trim().is_empty());
        operator.ok_or_else(|| {
            Stop::new(Exit::Usage, "who decides? Give --operator NAME: it is kept with the decision")
        })
    }
}

/// Opens the index of a configuration.
pub(in crate::cli) async fn open(file: &Path, overrides: &[String]) -> Result<Opened, Stop> {
    let configured = Configured::load(file, overrides).await?;
    let settings = configured.settings().clone();
    let identity = settings.identity.clone().unwrap_or_default();
    if !identity.has_index() {
        let text = format!(
            "{} names no identity.domains, or says identity.index = false: there is no patient index",
            file.display()
        );
        return Err(Stop::new(Exit::Usage, text));
    }
    let Identity { domains, thresholds, .. } = identity;
    let opened = tokio::task::spawn_blocking(move || {
        let store = Store::open_in(&settings.store, &settings.data, assemble::MIGRATIONS)?;
        store.hold("the patient index")?;
        let index = Index::open(store.clone(), &settings.community.home.to_urn())?;
        let domains = Arc::new(Domains::new(domains));
        index.set_domains(Arc::clone(&domains));
        index.set_thresholds(thresholds);
        let registries = assemble::registries(&settings, &store);
        Ok::<_, StoreError>(Opened { index, domains, registries, store })
    });
    match opened.await {
        Ok(Ok(opened)) => Ok(opened),
        Ok(Err(StoreError::InUse(directory))) => Err(Stop::new(
            Exit::Unavailable,
            format!(
                "the server is running on {}: stop it first; this command works on the data directory itself",
                directory.display()
            ),
        )),
        Ok(Err(error)) => {
            Err(Stop::new(Exit::Unavailable, format!("the patient index cannot be used: {error}")))
        }
        Err(error) => Err(Stop::new(Exit::Unavailable, error.to_string())),
    }
}

impl Opened {
    /// An identifier as it was typed.
    fn identifier(&self, text: &str) -> Result<PatientId, Stop> {
        let patient = PatientId::parse(text).map_err(|error| Stop::new(Exit::Usage, error.to_string()))?;
        if self.domains.refuse(&patient) {
            let text = "that is an Individual Number (My Number), which no medical network may use";
            return Err(Stop::new(Exit::Usage, text));
        }
        Ok(patient)
    }
}

fn stop(error: &IndexError) -> Stop {
    let exit = if matches!(error, IndexError::Store(_)) { Exit::Unavailable } else { Exit::No };
    Stop::new(exit, error.to_string())
}
