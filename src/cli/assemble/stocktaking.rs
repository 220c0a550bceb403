//! Looks from time to time how much room is left, and how much of its quota each tenant has used: for readiness, the status
//! page and metrics, none of which may wait for a disk or a database.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Settings;
use crate::limits;

/// What was found last.
#[derive(Debug, Clone, Default)]
pub struct Stock {
    /// Free bytes where the data directory is; None if nobody can tell.
    pub free: Option<u64>,
}

/// Takes stock.
#[derive(Clone)]
pub struct Stocktaking {
    data: PathBuf,
    least: u64,
    latest: Arc<Mutex<Stock>>,
}

impl Stocktaking {
    /// Of a region; nothing is known yet.
    pub fn new(settings: &Settings) -> Self {
        let (data, least) = (settings.data.clone(), settings.limits.min_free_disk_bytes);
        Self { data, least, latest: Arc::default() }
    }

    /// What was found last.
    pub fn latest(&self) -> Stock {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Stock { free };
    }
}

fn free_bytes(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}
