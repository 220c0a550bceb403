//! The directory of communities: one file each under `communities/`, read again when it changes.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A community as its file describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommunityFile {
    /// For people.
    pub name: String,
    /// Its homeCommunityIds, `urn:oid:…`; the first is the one that we name.
    pub home: Vec<String>,
    /// Assigning authorities whose patients it knows (OIDs).
    #[serde(default)]
    pub authorities: Vec<String>,
    /// URLs by transaction: `iti38`, `iti39`.
    #[serde(default)]
    pub endpoints: BTreeMap<String, String>,
    /// Trust and identity for https.
    #[serde(default)]
    pub tls: Option<TlsFiles>,
    /// Bounds.
    #[serde(default)]
    pub limits: CommunityLimits,
    /// Names of the quirk sets that hold for it (`profiles/peers/*.toml`).
    #[serde(default)]
    pub quirks: Vec<String>,
    /// false takes it out of every fan-out.
    #[serde(default = "enabled")]
    pub enabled: bool,
}

fn enabled() -> bool {
    true
}

/// PEM files, relative to the file that names them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// Whom we trust.
    pub ca: String,
    /// Our certificate.
    #[serde(default)]
    pub certificate: Option<String>,
    /// Its key.
    #[serde(default)]
    pub key: Option<String>,
}

/// Bounds of one community; 0 takes the default of [`crate::limits`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommunityLimits {
    /// Milliseconds for one answer.
    pub deadline_ms: u64,
    /// Documents per retrieve request.
    pub max_documents_per_retrieve: usize,
    /// Requests to it at once.
    pub max_concurrent: usize,
}
