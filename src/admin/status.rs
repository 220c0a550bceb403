//! What there is to show: the contents of `/status`, and who provides them.

use std::net::SocketAddr;

use serde::Serialize;

use crate::actors::notifier::ConsumerStatus;

/// Knows how the gateway is. Answers at once, from memory.
pub trait StatusSource: Send + Sync + 'static {
    /// Whether requests can be answered now; else why not, in a few words.
    fn ready(&self) -> Result<(), String>;
    /// Everything that the status page shows.
    fn status(&self) -> Status;
}

/// How the gateway is.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Status {
    /// Who this is.
    pub gateway: Gateway,
    /// Where it listens.
    pub listeners: Vec<Listener>,
    /// What is hosted here, the region's own first.
    pub tenants: Vec<Tenant>,
    /// The other communities.
    pub communities: Vec<Community>,
    /// Whoever is told of changed identifiers.
    pub consumers: Vec<ConsumerStatus>,
    /// What an operator should look at, one sentence each: a configuration file that was not taken over, a certificate that
    /// expires soon.
    pub problems: Vec<String>,
}

/// Who this is.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Gateway {
    /// For people.
    pub name: String,
    /// homeCommunityId.
    pub home: String,
    /// `standalone`, `hosted`, `bridge`.
    pub mode: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// Since it was ready.
    pub uptime_seconds: u64,
}

/// One listener.
#[derive(Debug, Clone, Serialize)]
pub struct Listener {
    /// `soap`, `http`, `operator`.
    pub name: String,
    /// Where.
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Plain, or without client certificates, beyond loopback: shown in red.
    pub insecure: bool,
}

/// What is hosted for one tenant.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Tenant {
    /// What its path calls it; `own` for the region's.
    pub name: String,
    /// For people.
    pub title: String,
    /// repositoryUniqueId.
    pub repository: String,
    /// Documents in its repository.
    pub documents: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How much of its quota is used, whichever part of it is used most; None without a quota.
    pub used_percent: Option<u64>,
    /// Its malware scanner; None without one.
    pub scanner: Option<Scanner>,
}

/// Whether a malware scanner answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scanner {
    /// It does.
    Answers,
    /// It does not, and documents are refused.
    AwayRefusing,
    /// It does not, and documents are taken.
    AwayPassing,
}

/// Another community, as we meet it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Community {
    /// For people.
    pub name: String,
    /// homeCommunityId, the first if there are several.
    pub home: String,
    /// Whether it takes part in fan-outs.
    pub enabled: bool,
    /// Its breaker: `closed` (asked), `open` (not asked), `half-open` (probed).
    pub circuit: &'static str,
    /// Questions asked of it since the start.
    pub requests: u64,
    /// How many of them got no usable answer.
    pub failures: u64,
    /// When it last answered: seconds ago.
    pub last_answer_seconds_ago: Option<u64>,
    /// Why the last failure was one. Without content.
    pub last_failure: Option<String>,
    /// Retrieved documents whose hash was not the one in their metadata (user pain 111).
    pub hash_mismatches: u64,
}
