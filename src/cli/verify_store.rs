//! `sekisho verify-store` reads every document of the store and compares it with its checksums and its metadata;
//! `sekisho check --store` compares documents and metadata without reading bytes, and settles what does not fit together.
//! The service must be stopped: a folder belongs to one process. Where database and documents are elsewhere, they may run
//! beside gateways, with a folder of their own.

mod differences;

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::assemble::{MIGRATIONS, Shelves, load};
use super::output::Output;
use super::{Exit, Outcome, Stop};
use crate::config::{OWN, Settings, TenantSettings};
use crate::limits;
use crate::repository::{Condition, Repository, Usage};
use crate::store::{Store, StoreError};
use differences::{Compared, MISCOUNTED, WITHOUT_DOCUMENT, WITHOUT_METADATA};

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
    /// Remove bytes that no document refers to (objects only when they are older than a day), and correct wrong counts
    #[arg(long)]
    settle: bool,
}

/// What becomes of what does not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settling {
    /// It is told.
    Tell,
    /// Bytes without a document are removed, counts corrected.
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

/// What becomes of documents without metadata, and of entries without document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// They are told.
    Tell,
    /// The first are removed, the second deprecated; many of them only where somebody has said how many.
    Settle {
        /// How many changes are expected.
        confirmed: Option<usize>,
    },
}

impl Remedy {
    /// Whether so many changes are made; if not, what to say about that.
    fn permits(self, changes: usize) -> Result<bool, String> {
        let Self::Settle { confirmed } = self else { return Ok(false) };
        match confirmed {
            _ if changes == 0 => Ok(false),
            Some(expected) if expected != changes => {
                Err(format!("Nothing was changed: there are {changes} changes to make, not {expected}."))
            }
            None if changes > limits::MAX_UNCONFIRMED_CHANGES => Err(format!(
                "Nothing was changed: these are {changes} changes. If they are right, say --settle --confirm {changes}; \
                 if so many are not what you expect, a part of the data may be missing."
            )),
            _ => Ok(true),
        }
    }
}

/// Compares documents and metadata of a configuration's store.
pub async fn compare(settings: Settings, output: Output, remedy: Remedy) -> Outcome {
    blocking(move || Opened::open(&settings)?.compare(output, remedy)).await
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
    /// Its documents.
    pub repository: Repository,
    compared: Compared,
}

/// What a repository found amiss when it was opened: bytes that should be there are not.
const ALARMS: &str = "alarms at opening";
const STRAYS: &str = "bytes that no document refers to";

/// Everything that was found, over all tenants.
#[derive(Default)]
struct Findings {
    documents: u64,
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
            let shelves = Shelves::open(settings)?;
            let partition = |tenant: TenantSettings| {
                let registry = tenant.registry(settings, &store);
                let repository = tenant.repository(settings, &store, shelves.clone())?;
                let compared = Compared { store: store.clone(), registry, repository: repository.clone() };
                Ok(Partition { tenant, repository, compared })
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
        Ok(findings.told(output, settled, &[STRAYS, MISCOUNTED]))
    }

    fn compare(self, output: Output, remedy: Remedy) -> Outcome {
        let mut findings = Findings::default();
        let mut plans = Vec::new();
        for partition in &self.partitions {
            let differences = partition.compared.differences().map_err(|error| unusable(&error))?;
            findings.count(differences.stored());
            let listed = differences.listed();
            listed.into_iter().for_each(|(what, ids)| findings.add(partition, what, ids));
            findings.add(partition, ALARMS, partition.repository.settled().alarms.clone());
            plans.push((partition, differences));
        }
        let changes = plans.iter().map(|(_, differences)| differences.changes()).sum();
        let permitted = match remedy {
            Remedy::Settle { .. } if findings.has(ALARMS) => {
                Err("Nothing was changed: documents may be away; mend what the alarms say first.".to_owned())
            }
            _ => remedy.permits(changes),
        };
        let mut settled = Vec::new();
        if permitted == Ok(true) {
            for (partition, differences) in plans {
                partition.compared.settle(differences).map_err(|error| unusable(&error))?;
            }
            settled = vec!["entries deprecated", "documents removed"];
            settled.extend(findings.has(MISCOUNTED).then_some("counts corrected"));
        }
        self.close();
        let exit = findings.told(output, settled, &[WITHOUT_DOCUMENT, WITHOUT_METADATA, MISCOUNTED]);
        if let Err(refusal) = permitted {
            output.line(&refusal);
        }
        Ok(exit)
    }
}

impl Partition {
    /// Reads everything; gives what was settled.
    fn verify(
        &self,
        output: Output,
        settling: Settling,
        findings: &mut Findings,
    ) -> Result<Vec<&'static str>, StoreError> {
        let differences = self.compared.differences()?;
        let progress = output.progress(Some(findings.count(differences.stored())));
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
        findings.add(self, STRAYS, places);
        findings.add(self, ALARMS, alarms);
        differences.listed().into_iter().for_each(|(what, ids)| findings.add(self, what, ids));
        let mut settled = Vec::new();
        if settling == Settling::Settle && !strays.is_empty() {
            self.repository.erase_strays_blocking(strays)?;
            settled.push("bytes that no document refers to were removed");
        }
        if settling == Settling::Settle && differences.is_miscounted() {
            self.repository.correct_usage_blocking()?;
            settled.push("counts were corrected");
        }
        Ok(settled)
    }

    /// How a finding is called: the tenant's name leads, but for our own.
    fn named(&self, id: String) -> String {
        match self.tenant.name.as_str() {
            OWN => id,
            name => format!("{name}: {id}"),
        }
    }
}

impl Findings {
    /// Counts documents; gives their bytes.
    fn count(&mut self, Usage { documents, bytes }: Usage) -> u64 {
        self.documents += documents;
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

    fn has(&self, what: &str) -> bool {
        self.found.iter().any(|(known, ids)| *known == what && !ids.is_empty())
    }

    /// Tells what was found, and what that means for the caller's script: all is well where nothing was, or nothing but
    /// what was settled.
    fn told(self, output: Output, settled: Vec<&'static str>, settles: &[&str]) -> Exit {
        let Self { documents, bytes, removed, found } = self;
        let count: usize = found.iter().map(|(_, ids)| ids.len()).sum();
        let is_left = |what: &&str| settled.is_empty() || !settles.contains(what);
        let is_well = !found.iter().any(|(what, ids)| is_left(what) && !ids.is_empty());
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
        if is_well { Exit::Done } else { Exit::No }
    }
}

/// Why a store could not be used.
pub fn unusable(error: &StoreError) -> Stop {
    Stop::new(Exit::Unavailable, format!("the store cannot be read (is the service stopped?): {error}"))
}
