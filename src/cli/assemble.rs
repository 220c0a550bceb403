//! From settings to a running region: actors, services, listeners. `serve`, the demo and tests start regions through this.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::Stop;
use super::doctor::Patient;
use crate::config::{Federation, Settings};

/// Where a region listens: what `ready` tells.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Bound {
    /// SOAP over HTTPS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soap: Option<String>,
    /// SOAP over HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// The operator's pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// URLs by transaction.
    pub endpoints: BTreeMap<String, String>,
}

/// A running region.
pub struct Running {
    settings: Settings,
    bound: Bound,
}

impl Running {
    /// Starts what a configuration says; returns when everything listens.
    pub async fn start(_file: &Path, _overrides: &[String]) -> Result<Self, Stop> {
        todo!()
    }
    /// The configuration in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
    /// Where it listens.
    pub fn bound(&self) -> &Bound {
        &self.bound
    }
    /// Takes over certificates and communities anew.
    pub async fn reload(&self) {
        todo!()
    }
    /// The same, if a file has changed.
    pub async fn reload_if_changed(&self) {
        todo!()
    }
    /// Finishes what is in flight.
    pub async fn shutdown(self) {
        todo!()
    }
}

/// Every community of the directory, as `doctor` wants it.
pub async fn neighbours(_federation: &Federation) -> Result<Vec<Patient>, Stop> {
    todo!()
}
