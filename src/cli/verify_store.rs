//! `sekisho verify-store` reads every document of the store and compares it with its checksums and its metadata;
//! `sekisho check --store` compares documents and metadata without reading bytes, and settles what does not fit together.
//! The service must be stopped: a store belongs to one process.

use std::collections::HashMap;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::assemble::{MIGRATIONS, documents, load};
use super::output::Output;
use super::{Exit, Outcome, Stop};
use crate::config::{OWN, Settings, TenantSettings};
use crate::registry::{RegisteredDocument, Registry};
use crate::repository::{Condition, Repository, StoredDocument};
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
    /// Remove bytes that no document refers to; objects only when they are older than a day
    #[arg(long)]
    settle: bool,
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
        let settling = if self.settle { Settling::Settle } else { Settling::Tell };
        blocking(move || Opened::open(&settings)?.verify(output, settling)).await
    }
}

/// Compares documents and metadata of a configuration's store.
pub async fn compare(settings: Settings, output: Output, settling: Settling) -> Outcome {
    blocking(move || Opened::open(&settings)?.compare(output, settling)).await
}

/// Runs what blocks on a thread that may.
pub async fn blocking(work: impl FnOnce() -> Outcome + Send + 'static) -> Outcome {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Stop::new(Exit::Unavailable, error.to_string())))
}

/// The store of a configuration, with the service stopped.
pub struct Opened {
    store: Store,
    /// Every tenant's registry and repository.
    pub partitions: Vec<Partition>,
}

/// A tenant's registry and repository.
pub struct Partition {
    tenant: TenantSettings,
    registry: Registry,
    /// Its documents.
    pub repository: Repository,
}

/// Where documents and metadata differ. Documents by uniqueId, entries by entryUUID.
#[derive(Default)]
struct Differences {
    without_document: Vec<String>,
    without_metadata: Vec<String>,
    unlike: Vec<String>,
}

/// Everything that was found, over all tenants.
#[derive(Default)]
struct Findings {
    documents: usize,
    bytes: u64,
    /// What a crash had left, and opening removed.
    removed: usize,
    found: Vec<(&'static str, Vec<String>)>,
}

impl Opened {
    /// Opens the store. Blocks.
    pub fn open(settings: &Settings) -> Result<Self, Stop> {
        let tenants = settings.all_tenants();
        if tenants.is_empty() {
            return Err(Stop::new(Exit::Usage, "a bridge stores nothing"));
        }
        let open = || -> Result<Self, StoreError> {
            let store = Store::open_in(&settings.store, &settings.data, MIGRATIONS)?;
            let documents = documents(settings)?;
            let partition = |tenant: TenantSettings| {
                let registry = tenant.registry(settings, &store);
                let repository = tenant.repository(settings, &store, documents.clone())?;
                Ok(Partition { tenant, registry, repository })
            };
            let partitions = tenants.into_iter().map(partition).collect::<Result<_, StoreError>>()?;
            Ok(Self { store, partitions })
        };
        open().map_err(|error| unusable(&error))
    }

    /// Closes it.
    pub fn close(&self) {
        self.store.close();
    }

    fn verify(self, output: Output, settling: Settling) -> Outcome {
        let mut findings = Findings::default();
        let mut settled = Vec::new();
        for partition in &self.partitions {
            let done = partition.verify(output, settling, &mut findings);
            settled.extend(done.map_err(|error| unusable(&error))?);
        }
        self.close();
        Ok(findings.told(output, settled))
    }

    fn compare(self, output: Output, settling: Settling) -> Outcome {
        let mut findings = Findings::default();
        let mut settled = Vec::new();
        for partition in &self.partitions {
            let done = partition.compare(settling, &mut findings);
            settled.extend(done.map_err(|error| unusable(&error))?);
        }
        settled.dedup();
        self.close();
        Ok(findings.told(output, settled))
    }
}

impl Partition {
    /// Reads everything; gives what was settled.
    fn verify(
        &self,
        output: Output,
        settling: Settling,
        findings: &mut Findings,
    ) -> Result<Option<&'static str>, StoreError> {
        let documents = self.repository.list_blocking()?;
        let differences = self.differences(&documents)?;
        let progress = output.progress(Some(findings.count(&documents)));
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
        verified?;
        let settled = self.repository.settled();
        findings.removed += settled.documents();
        let alarms = settled.alarms.clone();
        let strays = self.repository.strays_blocking()?;
        let places = strays.iter().map(|stray| stray.place()).collect();
        findings.add(self, "documents whose bytes are missing", missing);
        findings.add(self, "documents that are damaged", damaged);
        findings.add(self, "bytes that no document refers to", places);
        findings.add(self, "alarms at opening", alarms);
        differences.findings().into_iter().for_each(|(what, ids)| findings.add(self, what, ids));
        if settling == Settling::Tell || strays.is_empty() {
            return Ok(None);
        }
        self.repository.erase_strays_blocking(strays)?;
        Ok(Some("bytes that no document refers to were removed"))
    }

    /// Compares documents and metadata; gives what was settled.
    fn compare(&self, settling: Settling, findings: &mut Findings) -> Result<Vec<&'static str>, StoreError> {
        let documents = self.repository.list_blocking()?;
        let differences = self.differences(&documents)?;
        findings.count(&documents);
        let mut settled = Vec::new();
        if settling == Settling::Settle {
            let orphans = differences.without_metadata.clone();
            self.registry.deprecate_blocking(differences.without_document.clone())?;
            let also = self.registry.forget_submissions(orphans.clone());
            let runtime = tokio::runtime::Handle::current();
            runtime.block_on(self.repository.remove(orphans, also))?;
            settled = vec!["entries deprecated", "documents removed"];
        }
        differences.findings().into_iter().for_each(|(what, ids)| findings.add(self, what, ids));
        Ok(settled)
    }

    /// How a finding is called: the tenant's name leads, but for our own.
    fn named(&self, id: String) -> String {
        match self.tenant.name.as_str() {
            OWN => id,
            name => format!("{name}: {id}"),
        }
    }

    fn differences(&self, documents: &[StoredDocument]) -> Result<Differences, StoreError> {
        let mut unseen: HashMap<&str, &StoredDocument> =
            documents.iter().map(|document| (&*document.unique_id, document)).collect();
        let stored = unseen.clone();
        let mut differences = Differences::default();
        let entries = self.registry.documents_blocking(self.repository.id().to_string());
        for RegisteredDocument { id, unique_id, hash, size, approved } in entries? {
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

impl Findings {
    /// Counts documents; gives their bytes.
    fn count(&mut self, documents: &[StoredDocument]) -> u64 {
        let bytes = documents.iter().map(|document| document.size).sum();
        self.documents += documents.len();
        self.bytes += bytes;
        bytes
    }

    /// Adds what was found at a tenant's.
    fn add(&mut self, partition: &Partition, what: &'static str, ids: Vec<String>) {
        let ids = ids.into_iter().map(|id| partition.named(id));
        match self.found.iter_mut().find(|(known, _)| *known == what) {
            Some((_, found)) => found.extend(ids),
            None => self.found.push((what, ids.collect())),
        }
    }

    /// Tells what was found, and what that means for the caller's script.
    fn told(self, output: Output, settled: Vec<&'static str>) -> Exit {
        let Self { documents, bytes, removed, found } = self;
        let count: usize = found.iter().map(|(_, ids)| ids.len()).sum();
        output.line(&format!("{documents} documents, {}", super::output::bytes(bytes)));
        if removed > 0 {
            output.line(&format!(
                "{removed} unfinished documents of a crash were removed when the store was opened."
            ));
        }
        for (what, ids) in found.iter().filter(|(_, ids)| !ids.is_empty()) {
            output.line(&format!("{}: {what}", ids.len()));
            ids.iter().for_each(|id| output.line(&format!("    {id}")));
        }
        match (count, settled.is_empty()) {
            (0, _) => output.line("Everything is in order."),
            (_, false) => output.line(&format!("Settled: {}.", settled.join(", "))),
            (_, true) => {}
        }
        let findings: serde_json::Map<_, _> =
            found.into_iter().map(|(what, ids)| (what.to_owned(), json!(ids))).collect();
        output.json(&json!({
            "documents": documents,
            "bytes": bytes,
            "removed at opening": removed,
            "findings": findings,
            "settled": settled,
        }));
        if count == 0 || !settled.is_empty() { Exit::Done } else { Exit::No }
    }
}

/// Why a store could not be used.
pub fn unusable(error: &StoreError) -> Stop {
    Stop::new(Exit::Unavailable, format!("the store cannot be read (is the service stopped?): {error}"))
}
