//! `sekisho doctor`: which side is wrong. Goes the way of a request (name, address, TLS, certificates, HTTP, SOAP, clock) and
//! says of every step whether it holds, whose business it is where it does not, and what to do (user pains 91 and 93).

mod mllp;
mod steps;
mod tls;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hyper::Uri;
use serde::Serialize;
use serde_json::{Value, json};

use super::assemble::directory;
use super::assemble::load;
use super::output::Output;
use super::peer::Peer;
use super::{Exit, Outcome, Stop};
use crate::config::{ClientTls, Destination, Identity, Mode, Settings};
use crate::federation::directory::Community;
use crate::wire::http::{Client, ClientSettings};

/// Find out which side is wrong.
#[derive(Debug, Args)]
pub struct Doctor {
    /// The peer's endpoint; a path that ends in iti-38 or iti38 is asked by ITI-38, any other by ITI-18; mllp://HOST:PORT and
    /// mllps://HOST:PORT are asked in HL7 v2
    #[arg(value_name = "URL", required_unless_present_any = ["config", "operator"])]
    url: Option<Uri>,
    /// Every peer of a configuration: communities, and the registry behind a bridge
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    config: Option<PathBuf>,
    /// Override a key of the configuration; may be repeated
    #[arg(long, value_name = "KEY=VALUE", requires = "config")]
    set: Vec<String>,
    /// The operator's address of a running gateway: what it saw of its peers
    #[arg(long, value_name = "URL")]
    operator: Option<Uri>,
    /// Whom to trust, PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Our certificate, PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Its key, PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Seconds for each step
    #[arg(long, value_name = "S", default_value_t = 10)]
    timeout: u64,
    /// One JSON object instead of tables
    #[arg(long)]
    json: bool,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It holds.
    Ok,
    /// It holds, and somebody should know.
    Note,
    /// It does not.
    Bad,
}

/// Whose business a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Nobody's.
    None,
    /// Ours.
    Ours,
    /// The peer's.
    Theirs,
    /// What lies between.
    Network,
}

/// What one step found.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// `DNS`, `TCP`, `TLS`, …
    pub step: &'static str,
    /// How it went.
    pub verdict: Verdict,
    /// Whose business it is.
    pub side: Side,
    /// What was seen.
    pub what: String,
    /// What to do; empty where nothing is to be done.
    pub next: String,
}

impl Finding {
    /// It holds.
    pub fn ok(step: &'static str, what: impl Into<String>) -> Self {
        Self { step, verdict: Verdict::Ok, side: Side::None, what: what.into(), next: String::new() }
    }
    /// It holds, and somebody should know.
    pub fn note(step: &'static str, side: Side, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { step, verdict: Verdict::Note, side, what: what.into(), next: next.into() }
    }
    /// It does not hold.
    pub fn bad(step: &'static str, side: Side, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { step, verdict: Verdict::Bad, side, what: what.into(), next: next.into() }
    }
}

/// A peer to look at.
pub struct Patient {
    /// For people.
    pub name: String,
    /// Where.
    pub url: Uri,
    /// Trust and identity.
    pub tls: Option<ClientTls>,
    /// Its homeCommunityId, for gateways.
    pub home: Option<String>,
    /// Its MSH-5 and MSH-6.
    pub system: Option<(String, String)>,
}

impl Doctor {
    /// Looks at every peer that is meant, and tells. Something bad is exit code 1, somebody unreachable 3.
    pub async fn run(self) -> Outcome {
        let output = Output::new(self.json);
        let deadline = Duration::from_secs(self.timeout);
        let mut told = Vec::new();
        let mut exit = Exit::Done;
        for patient in self.patients().await? {
            let findings = match patient.url.scheme_str() {
                Some(scheme) if mllp::SCHEMES.contains(&scheme) => mllp::examine(&patient, deadline).await,
                _ => steps::examine(&patient, deadline).await,
            };
            output.line(&format!("{} ({})", patient.name, patient.url));
            show(output, &findings);
            exit = worse(exit, &findings);
            told.push(json!({ "peer": patient.name, "url": patient.url.to_string(), "findings": findings }));
        }
        let seen = match &self.operator {
            Some(operator) => Some(seen_by_gateway(operator, deadline).await?),
            None => None,
        };
        if let Some(peers) = &seen {
            show_seen(output, peers);
        }
        output.json(&json!({ "peers": told, "status": seen }));
        Ok(exit)
    }

    async fn patients(&self) -> Result<Vec<Patient>, Stop> {
        let mut patients = Vec::new();
        if let Some(url) = &self.url {
            let identity = self.cert.clone().zip(self.key.clone());
            let tls = self.ca.clone().map(|ca| ClientTls { ca, identity });
            let name = "peer".to_owned();
            patients.push(Patient { name, url: url.clone(), tls, home: None, system: None });
        }
        if let Some(file) = &self.config {
            let loaded = load(file.clone(), self.set.clone()).await?;
            let (settings, _) = loaded.map_err(|problems| Stop::new(Exit::Usage, problems.to_string()))?;
            let named = tokio::task::spawn_blocking(move || configured(&settings)).await;
            patients.extend(named.map_err(|error| Stop::new(Exit::Unavailable, error.to_string()))??);
        }
        Ok(patients)
    }
}

/// Every peer that a configuration names. Touches the disk.
fn configured(settings: &Settings) -> Result<Vec<Patient>, Stop> {
    let mut patients = Vec::new();
    if let Mode::Bridge(bridge) = &settings.mode {
        let name = "the registry behind the bridge".to_owned();
        let (url, tls) = (bridge.iti18.clone(), bridge.tls.clone());
        patients.push(Patient { name, url, tls, home: None, system: None });
    }
    patients.extend(settings.identity.iter().flat_map(of_identity));
    if let Some(federation) = &settings.federation {
        let own = settings.listen.soap.as_ref().map(|soap| (soap.certificate.clone(), soap.key.clone()));
        let directory = directory(settings, federation)?;
        let communities = directory.communities();
        patients.extend(communities.all().iter().filter_map(|community| neighbour(community, own.clone())));
    }
    Ok(patients)
}

/// Whoever is told of changes, or knows patients outside, over MLLP.
fn of_identity(identity: &Identity) -> Vec<Patient> {
    let told = identity.consumers.iter().map(|consumer| &consumer.peer);
    let told = told.chain(identity.registries.iter().map(|registry| &registry.peer));
    let told = told.map(|peer| (peer.name.as_str(), &peer.url, &peer.tls, &peer.application, &peer.facility));
    let outside = [("the PIX Manager", &identity.manager), ("the PDQ Supplier", &identity.supplier)];
    let known = outside.iter().filter_map(|(name, outside)| {
        let outside = outside.as_ref()?;
        Some((*name, &outside.url, &outside.tls, &outside.application, &outside.facility))
    });
    let over_mllp = told.chain(known).filter_map(|(name, url, tls, application, facility)| {
        let Destination::Mllp { .. } = url else { return None };
        Some(Patient {
            name: name.to_owned(),
            url: url.to_string().parse().ok()?,
            tls: tls.clone(),
            home: None,
            system: Some((application.clone(), facility.clone())),
        })
    });
    over_mllp.collect()
}

/// What the doctor reads of a community's file, which the directory has found to be right.
#[derive(serde::Deserialize)]
struct TrustOfCommunity {
    tls: Option<TlsOfCommunity>,
}

#[derive(serde::Deserialize)]
struct TlsOfCommunity {
    ca: PathBuf,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

/// None where the community has no ITI-38, or is not asked anyway.
fn neighbour(community: &Community, own: Option<(PathBuf, PathBuf)>) -> Option<Patient> {
    let url = community.peer.lines.query.as_ref().filter(|_| community.enabled)?.endpoint.url.clone();
    let text = std::fs::read_to_string(&community.file).ok()?;
    let beside = community.file.parent()?;
    let tls = toml::from_str::<TrustOfCommunity>(&text).ok()?.tls.map(|tls| {
        let named = tls.certificate.zip(tls.key);
        let identity = named.map(|(certificate, key)| (beside.join(certificate), beside.join(key))).or(own);
        ClientTls { ca: beside.join(tls.ca), identity }
    });
    let member = &community.peer.member;
    let home = Some(member.home().to_urn());
    Some(Patient { name: member.name.clone(), url, tls, home, system: None })
}

fn worse(exit: Exit, findings: &[Finding]) -> Exit {
    let bad = |finding: &Finding| finding.verdict == Verdict::Bad;
    let unreachable = |finding: &Finding| bad(finding) && matches!(finding.step, "DNS" | "TCP");
    if exit == Exit::Unavailable || findings.iter().any(unreachable) {
        Exit::Unavailable
    } else if findings.iter().any(bad) {
        Exit::No
    } else {
        exit
    }
}

fn show(output: Output, findings: &[Finding]) {
    let row = |finding: &Finding| {
        let verdict = match finding.verdict {
            Verdict::Ok => "ok",
            Verdict::Note => "note",
            Verdict::Bad => "BAD",
        };
        let side = match finding.side {
            Side::None => "",
            Side::Ours => "ours",
            Side::Theirs => "theirs",
            Side::Network => "between",
        };
        [finding.step, verdict, side, &finding.what, &finding.next].map(str::to_owned)
    };
    output.table(["step", "", "side", "what", "what to do"], &findings.iter().map(row).collect::<Vec<_>>());
    output.line("");
}

/// The status that a running gateway shows its operator.
async fn seen_by_gateway(operator: &Uri, deadline: Duration) -> Result<Value, Stop> {
    let base = operator.to_string();
    let unusable = |problem: String| {
        Stop::new(
            Exit::Unavailable,
            format!("{base} shows no status ({problem}); is this `listen.operator`?"),
        )
    };
    let url: Uri = format!("{}/status", base.trim_end_matches('/'))
        .parse()
        .map_err(|error: hyper::http::uri::InvalidUri| unusable(error.to_string()))?;
    let client = Client::new(&ClientSettings::default())?;
    let answer = client.get(&url, std::time::Instant::now() + deadline).await?;
    let body = http_body_util::BodyExt::collect(http_body_util::Limited::new(answer.into_body(), 4 << 20))
        .await
        .map_err(|error| unusable(error.to_string()))?;
    serde_json::from_slice(&body.to_bytes()).map_err(|error| unusable(error.to_string()))
}

/// What the gateway saw of its peers, hash differences above all: they are never silent.
fn show_seen(output: Output, status: &Value) {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let peers = status.get("communities").and_then(Value::as_array);
    let row = |peer: &Value| {
        ["name", "home", "circuit", "requests", "failures", "hash_mismatches"]
            .map(|key| peer.get(key).map(text).unwrap_or_default())
    };
    let rows: Vec<_> = peers.into_iter().flatten().map(row).collect();
    output.table(
        ["community", "homeCommunityId", "circuit", "requests", "failures", "hash differences"],
        &rows,
    );
}

/// The client that asks over SOAP.
fn soap_client(patient: &Patient, deadline: Duration) -> Result<Peer, Stop> {
    match &patient.tls {
        Some(ClientTls { ca, identity }) => {
            let identity = identity.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
            Peer::new(ca, identity, deadline)
        }
        None => Peer::plain(deadline),
    }
}
