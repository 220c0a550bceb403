//! `sekisho verify-store` reads every document of the store and compares it with its checksums and its metadata;
//! `sekisho check --store` compares documents and metadata without reading bytes, and settles what does not fit together.
//! The service must be stopped: a store belongs to one process.

use std::collections::HashMap;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::assemble::load;
use super::output::Output;
use super::{Exit, Outcome, Stop};
use crate::config::{Mode, Settings};
use crate::registry::{self, RegisteredDocument, Registry, RegistrySettings, Tenant};
use crate::repository::{self, Condition, Opening, Repository, StoredDocument};
use crate::store::{Store, StoreError};

/// Read every stored document and compare it with its checksums and metadata.
#[derive(Debug, Args)]
pub struct VerifyStore {
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

/// What becomes of what does not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settling {
    /// It is told.
    Tell,
    /// Documents without metadata are removed, entries without document deprecated.
    Settle,
}

impl VerifyStore {
    /// Reads and tells.
    pub async fn run(self) -> Outcome {
        let output = Output::new(self.json);
        let settings = match load(self.config, self.set).await? {
            Ok((settings, _)) => settings,
            Err(problems) => return Err(Stop::new(Exit::Usage, problems.to_string())),
        };
        blocking(move || Opened::open(&settings)?.verify(output)).await
    }
}

/// Compares documents and metadata of a configuration's store.
pub async fn compare(settings: Settings, output: Output, settling: Settling) -> Outcome {
    blocking(move || Opened::open(&settings)?.compare(output, settling)).await
}

async fn blocking(work: impl FnOnce() -> Outcome + Send + 'static) -> Outcome {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Stop::new(Exit::Unavailable, error.to_string())))
}

struct Opened {
    store: Store,
    registry: Registry,
    repository: Repository,
}

/// Where documents and metadata differ. Documents by uniqueId, entries by entryUUID.
#[derive(Default)]
struct Differences {
    without_document: Vec<String>,
    without_metadata: Vec<String>,
    unlike: Vec<String>,
}

impl Opened {
    fn open(settings: &Settings) -> Result<Self, Stop> {
        let (Mode::Standalone(hosted) | Mode::Hosted(hosted)) = &settings.mode else {
            return Err(Stop::new(Exit::Usage, "a bridge stores nothing"));
        };
        let open = || -> Result<Self, StoreError> {
            let migrations = [registry::MIGRATION, repository::MIGRATION];
            let store = Store::open_in(&settings.store, &settings.data, &migrations)?;
            let tenant = Tenant(settings.community.home.to_urn().into());
            let opening = Opening::new(&settings.data, tenant.0.clone(), hosted.repository.clone());
            let repository = Repository::open(store.clone(), opening)?;
            let registry = Registry::new(store.clone(), tenant, RegistrySettings::default());
            Ok(Self { store, registry, repository })
        };
        open().map_err(|error| unusable(&error))
    }

    fn verify(self, output: Output) -> Outcome {
        let documents = self.repository.list_blocking().map_err(|error| unusable(&error))?;
        let differences = self.differences(&documents)?;
        let total = documents.iter().map(|document| document.size).sum();
        let progress = output.progress(Some(total));
        let (mut missing, mut damaged) = (Vec::new(), Vec::new());
        let verified = self.repository.verify_blocking(|document, condition| {
            match condition {
                Condition::Good => {}
                Condition::Missing => missing.push(document.unique_id.clone()),
                Condition::Damaged => damaged.push(document.unique_id.clone()),
            }
            progress.inc(document.size);
        });
        progress.finish_and_clear();
        verified.map_err(|error| unusable(&error))?;
        self.store.close();
        let mut findings =
            vec![("documents whose bytes are missing", missing), ("documents that are damaged", damaged)];
        findings.extend(differences.findings());
        Ok(told(output, documents.len(), total, findings, Vec::new()))
    }

    fn compare(self, output: Output, settling: Settling) -> Outcome {
        let documents = self.repository.list_blocking().map_err(|error| unusable(&error))?;
        let differences = self.differences(&documents)?;
        let mut settled = Vec::new();
        if settling == Settling::Settle {
            let orphans = differences.without_metadata.clone();
            let deprecated = self.registry.deprecate_blocking(differences.without_document.clone());
            deprecated.map_err(|error| unusable(&error))?;
            let also = self.registry.forget_submissions(orphans.clone());
            let runtime = tokio::runtime::Handle::current();
            let removed = runtime.block_on(self.repository.remove(orphans, also));
            removed.map_err(|error| unusable(&error))?;
            settled = vec!["entries deprecated", "documents removed"];
        }
        self.store.close();
        let total = documents.iter().map(|document| document.size).sum();
        Ok(told(output, documents.len(), total, differences.findings(), settled))
    }

    fn differences(&self, documents: &[StoredDocument]) -> Result<Differences, Stop> {
        let mut unseen: HashMap<&str, &StoredDocument> =
            documents.iter().map(|document| (&*document.unique_id, document)).collect();
        let stored = unseen.clone();
        let mut differences = Differences::default();
        let entries = self.registry.documents_blocking(self.repository.id().to_string());
        for RegisteredDocument { id, unique_id, hash, size, approved } in
            entries.map_err(|error| unusable(&error))?
        {
            unseen.remove(&*unique_id);
            match stored.get(&*unique_id) {
                None if approved => differences.without_document.push(id),
                None => {}
                Some(document) if hash != document.sha1 || size != document.size => {
                    differences.unlike.push(id);
                }
                Some(_) => {}
            }
        }
        differences.without_metadata = unseen.into_keys().map(str::to_owned).collect();
        differences.without_metadata.sort_unstable();
        Ok(differences)
    }
}

impl Differences {
    fn findings(self) -> Vec<(&'static str, Vec<String>)> {
        vec![
            ("approved entries without document", self.without_document),
            ("documents without metadata", self.without_metadata),
            ("entries whose hash or size is not the document's", self.unlike),
        ]
    }
}

/// Tells what was found, and what that means for the caller's script.
fn told(
    output: Output,
    documents: usize,
    bytes: u64,
    findings: Vec<(&'static str, Vec<String>)>,
    settled: Vec<&'static str>,
) -> Exit {
    let found: usize = findings.iter().map(|(_, ids)| ids.len()).sum();
    output.line(&format!("{documents} documents, {}", super::output::bytes(bytes)));
    for (what, ids) in findings.iter().filter(|(_, ids)| !ids.is_empty()) {
        output.line(&format!("{}: {what}", ids.len()));
        ids.iter().for_each(|id| output.line(&format!("    {id}")));
    }
    match (found, settled.is_empty()) {
        (0, _) => output.line("Everything is in order."),
        (_, false) => output.line(&format!("Settled: {}.", settled.join(", "))),
        (_, true) => {}
    }
    let findings: serde_json::Map<_, _> =
        findings.into_iter().map(|(what, ids)| (what.to_owned(), json!(ids))).collect();
    output.json(&json!({ "documents": documents, "bytes": bytes, "findings": findings, "settled": settled }));
    if found == 0 || !settled.is_empty() { Exit::Done } else { Exit::No }
}

fn unusable(error: &StoreError) -> Stop {
    Stop::new(Exit::Unavailable, format!("the store cannot be read (is the service stopped?): {error}"))
}
