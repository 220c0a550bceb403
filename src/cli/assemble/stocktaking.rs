//! Looks from time to time how much room is left, how much of its quota each tenant has used, and whether malware scanners
//! answer: for readiness, the status page and metrics, none of which may wait for a disk, a database or a scanner.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;

use super::hosting::{Housed, Housing};
use crate::actors::content_gate::Away;
use crate::admin;
use crate::config::Settings;
use crate::limits;
use crate::repository::Usage;
use crate::wire::scanner::{Address, Patience, Scanner};

/// What was found last.
#[derive(Debug, Clone, Default)]
pub struct Stock {
    /// Free bytes where the data directory is; None if nobody can tell.
    pub free: Option<u64>,
    /// What tenants hold.
    pub tenants: Vec<admin::Tenant>,
    /// Scanners that do not answer.
    away: HashSet<Address>,
}

/// Takes stock.
#[derive(Clone)]
pub struct Stocktaking {
    data: PathBuf,
    least: u64,
    housing: Housing,
    latest: Arc<Mutex<Stock>>,
}

impl Stocktaking {
    /// Of a region; nothing is known yet.
    pub fn new(settings: &Settings, housing: Housing) -> Self {
        let (data, least) = (settings.data.clone(), settings.limits.min_free_disk_bytes);
        Self { data, least, housing, latest: Arc::default() }
    }

    /// What was found last.
    pub fn latest(&self) -> Stock {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the operator should look at: quotas that are nearly used up, scanners that are away.
    pub fn warnings(&self) -> Vec<String> {
        let nearly = |tenant: &admin::Tenant| {
            let percent = tenant.used_percent.filter(|percent| *percent >= limits::QUOTA_WARNING_PERCENT)?;
            Some(format!("tenant {} has used {percent} % of its quota", tenant.name))
        };
        let unscanned = |tenant: &admin::Tenant| {
            let (becomes, next) = match tenant.scanner? {
                admin::Scanner::Answers => return None,
                admin::Scanner::AwayRefusing => ("refused", "mend content.scanner"),
                admin::Scanner::AwayPassing => ("taken UNSCANNED", "set scanner_away = \"refuse\""),
            };
            let name = &tenant.name;
            Some(format!(
                "the malware scanner of tenant {name} is away, and documents are {becomes}: start it, or {next}"
            ))
        };
        let tenants = self.latest().tenants;
        tenants.iter().flat_map(|tenant| [nearly(tenant), unscanned(tenant)]).flatten().collect()
    }

    /// Why the gateway should be sent nothing: less room than there must be.
    pub fn shortage(&self) -> Option<String> {
        let free = self.latest().free.filter(|free| *free < self.least)?;
        let (free, least) = (free >> 20, self.least >> 20);
        Some(format!("the disk of the data directory has {free} MiB left, less than {least}"))
    }

    /// Looks again and again; never ends.
    pub async fn follow(self) {
        loop {
            self.look().await;
            tokio::time::sleep(limits::STOCKTAKING_INTERVAL).await;
        }
    }

    /// Looks once.
    pub async fn look(&self) {
        let data = self.data.clone();
        let free = tokio::task::spawn_blocking(move || free_bytes(&data)).await.ok().flatten();
        if let Some(free) = free {
            metrics::gauge!("sekisho_disk_free_bytes").set(free as f64);
        }
        let away = self.silent_scanners().await;
        let mut tenants = Vec::new();
        for housed in self.housing.all() {
            match housed.hosted.repository.usage().await {
                Ok(usage) => tenants.push(shown(housed, usage, &away)),
                Err(error) => {
                    tracing::warn!(%error, tenant = housed.tenant.name, "how much a tenant holds cannot be told");
                }
            }
        }
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Stock { free, tenants, away };
    }

    /// Scanners that do not answer. Each is asked once, whoever shares it; what changes is logged.
    async fn silent_scanners(&self) -> HashSet<Address> {
        let gates = self.housing.all().iter().filter_map(|housed| housed.hosted.repository.gate().scanner());
        let addresses: HashSet<_> = gates.map(|(address, _)| address.clone()).collect();
        let asked = addresses.into_iter().map(|address| async move {
            let answer = Scanner::new(address.clone(), Patience::default()).ping().await;
            (address, answer)
        });
        let before = self.latest().away;
        let mut away = HashSet::new();
        for (address, answer) in join_all(asked).await {
            match answer {
                Ok(()) if before.contains(&address) => {
                    tracing::info!(%address, "the malware scanner answers")
                }
                Ok(()) => {}
                Err(error) => {
                    if !before.contains(&address) {
                        tracing::error!(%address, %error, "the malware scanner is away");
                    }
                    away.insert(address);
                }
            }
        }
        away
    }
}

fn free_bytes(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

fn shown(housed: &Housed, usage: Usage, scanners_away: &HashSet<Address>) -> admin::Tenant {
    let Housed { tenant, hosted, .. } = housed;
    let scanner = hosted.repository.gate().scanner().map(|(address, away)| {
        match (scanners_away.contains(address), away) {
            (false, _) => admin::Scanner::Answers,
            (true, Away::Refuse) => admin::Scanner::AwayRefusing,
            (true, Away::Pass) => admin::Scanner::AwayPassing,
        }
    });
    let answers = scanner.map(|scanner| u64::from(scanner == admin::Scanner::Answers));
    let quota = tenant.hosted.quota;
    let used = [(usage.documents, quota.documents), (usage.bytes, quota.bytes)];
    let percent = |(used, most): (u64, Option<u64>)| Some(used.saturating_mul(100) / most?.max(1));
    let used_percent = used.into_iter().filter_map(percent).max();
    for (gauge, value) in [
        ("sekisho_tenant_documents", Some(usage.documents)),
        ("sekisho_tenant_bytes", Some(usage.bytes)),
        ("sekisho_tenant_quota_used_percent", used_percent),
        ("sekisho_tenant_scanner_up", answers),
    ] {
        if let Some(value) = value {
            metrics::gauge!(gauge, "tenant" => tenant.name.clone()).set(value as f64);
        }
    }
    admin::Tenant {
        name: tenant.name.clone(),
        title: tenant.title.clone(),
        repository: tenant.hosted.repository.to_string(),
        documents: usage.documents,
        bytes: usage.bytes,
        used_percent,
        scanner,
    }
}
