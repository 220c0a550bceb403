//! A community's file: read, checked whole, and made into a peer. Called by the directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use serde::Deserialize;
use toml::Spanned;

use crate::federation::breaker::RetryBudget;
use crate::federation::line::{Line, Prudence, PrudenceSettings};
use crate::federation::member::{Member, Role};
use crate::federation::peer::{Lines, Peer};
use crate::federation::quirks::{QuirkSets, Quirks};
use crate::ids::{HomeCommunityId, Oid};
use crate::limits::{self, Limits};
use crate::metadata::validate::{self, RuleSetting};
use crate::wire::http::{Client, ClientSettings, TlsClient};
use crate::wire::soap::{Endpoint, Replies, ReplyChannel};

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// 1-based; 0 for the file as a whole.
    pub line: usize,
    /// 1-based, in characters; 0 for the file as a whole.
    pub column: usize,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        write!(f, " {}", self.message)
    }
}

impl Problem {
    /// A problem of a file as a whole.
    pub fn of_file(file: &Path, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: 0, column: 0, message: message.into() }
    }

    /// A problem at a byte offset of a file's text.
    pub fn at(file: &Path, text: &str, offset: usize, message: impl Into<String>) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        Self { file: file.to_owned(), line, column, message: message.into() }
    }
}

/// A community as its file describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommunityFile {
    /// For people.
    name: Spanned<String>,
    /// Its homeCommunityIds, `urn:oid:…`; the first is the one that we name.
    home: Spanned<Vec<Spanned<String>>>,
    /// Assigning authorities whose patients it knows by the same identifiers as we do (OIDs).
    #[serde(default)]
    authorities: Vec<Spanned<String>>,
    /// Subjects of its client certificates.
    #[serde(default)]
    certificates: Vec<String>,
    /// How long its answers to patient discoveries hold where they do not say so, in seconds; left out, they are not kept
    /// then (ITI TF-2: 3.55.4.1.2.6, a mutual policy).
    #[serde(default)]
    time_to_live_s: Option<u64>,
    /// URLs by transaction.
    endpoints: Spanned<BTreeMap<Spanned<String>, Spanned<String>>>,
    /// Trust and identity for https.
    #[serde(default)]
    tls: Option<Spanned<TlsFiles>>,
    /// Bounds.
    #[serde(default)]
    limits: CommunityLimits,
    /// Names of the quirk sets that hold for it.
    #[serde(default)]
    quirks: Vec<Spanned<String>>,
    /// Metadata rules that its answers are held to; no other is checked.
    #[serde(default)]
    rules: BTreeMap<Spanned<String>, RuleSetting>,
    /// false takes it out of every fan-out.
    #[serde(default = "enabled")]
    enabled: bool,
    /// It is asked asynchronously: its answers come to our own address for replies.
    #[serde(default)]
    asynchronous: Option<Spanned<Asynchronous>>,
    /// It answers patient discoveries later, to our own address for replies (ITI TF-2: 3.55.4.1.3).
    #[serde(default)]
    deferred: Option<Spanned<bool>>,
}

/// Whether a community is asked asynchronously, and who brings its answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Asynchronous {
    /// `true`: whoever may connect to us and knows the message's id.
    Is(bool),
    /// The subject of the certificate under which they come.
    From(FromSubject),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FromSubject {
    subject: String,
}

fn enabled() -> bool {
    true
}

/// PEM files, relative to the file that names them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsFiles {
    /// Whom we trust.
    ca: PathBuf,
    /// Our certificate, if it is another than the gateway's.
    certificate: Option<PathBuf>,
    /// Its key.
    key: Option<PathBuf>,
}

/// Bounds of one community; what is left out takes the default of [`crate::limits`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CommunityLimits {
    deadline_ms: Option<u64>,
    connect_timeout_ms: Option<u64>,
    max_documents_per_retrieve: Option<usize>,
    max_concurrent: Option<usize>,
    attempts: Option<u32>,
    breaker_failures: Option<u32>,
    breaker_pause_ms: Option<u64>,
}

/// What every community shares.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    pub(super) quirk_sets: QuirkSets,
    /// Our certificate and key, for communities whose file names none.
    pub(super) identity: Option<(PathBuf, PathBuf)>,
    pub(super) retries: Arc<RetryBudget>,
    pub(super) limits: Limits,
    /// Where answers come that a community is asked to send there.
    pub(super) replies: Option<Replies>,
}

/// A community that came out of its file.
#[derive(Debug, Clone)]
pub(super) struct Described {
    pub(super) peer: Arc<Peer>,
    pub(super) enabled: bool,
    /// Files that it depends on.
    pub(super) files: Vec<PathBuf>,
}

/// The transactions that a community's endpoints are named by.
const TRANSACTIONS: &[&str] = &["iti38", "iti39", "iti55", "iti56"];

struct Reading<'a> {
    path: &'a Path,
    text: &'a str,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn wrong(&mut self, offset: usize, message: impl Into<String>) {
        self.problems.push(Problem::at(self.path, self.text, offset, message));
    }

    fn take<T, E: std::fmt::Display>(&mut self, offset: usize, parsed: Result<T, E>) -> Option<T> {
        parsed.map_err(|error| self.wrong(offset, error.to_string())).ok()
    }
}

/// Makes a peer of a file's text, or every problem of it.
pub(super) fn read(path: &Path, text: &str, surroundings: &Surroundings) -> Result<Described, Vec<Problem>> {
    let file: CommunityFile = toml::from_str(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        vec![Problem::at(path, text, offset, error.message())]
    })?;
    let mut reading = Reading { path, text, problems: Vec::new() };
    let member = read_member(&file, surroundings, &mut reading);
    let endpoints = read_endpoints(&file, &mut reading);
    let (client, files) = read_client(&file, surroundings, &mut reading);
    let channel = read_channel(&file, surroundings, &mut reading);
    let deferred = read_deferred(&file, surroundings, &mut reading);
    match (member, client) {
        (Some(member), Some(client)) if reading.problems.is_empty() => {
            let mut peer = assemble(&file, surroundings, member, client, endpoints, channel);
            peer.deferred = deferred;
            Ok(Described { peer: Arc::new(peer), enabled: file.enabled, files })
        }
        _ => Err(reading.problems),
    }
}

fn read_member(
    file: &CommunityFile,
    surroundings: &Surroundings,
    reading: &mut Reading<'_>,
) -> Option<Member> {
    if file.name.get_ref().trim().is_empty() {
        reading.wrong(file.name.span().start, "name is empty; write how people call the community");
    }
    let mut homes: Vec<HomeCommunityId> = Vec::new();
    for home in file.home.get_ref() {
        let parsed = HomeCommunityId::parse(home.get_ref());
        if let Some(parsed) = reading.take(home.span().start, parsed) {
            if homes.contains(&parsed) {
                reading.wrong(home.span().start, format!("{parsed} is named twice"));
            } else {
                homes.push(parsed);
            }
        }
    }
    if file.home.get_ref().is_empty() {
        reading.wrong(file.home.span().start, "home is empty; write at least one homeCommunityId, urn:oid:…");
    }
    let authorities = file
        .authorities
        .iter()
        .filter_map(|oid| reading.take(oid.span().start, Oid::parse(oid.get_ref())))
        .collect();
    let mut quirks = Quirks::default();
    for name in &file.quirks {
        match surroundings.quirk_sets.get(name.get_ref()) {
            Some(set) => quirks.apply(set),
            None => {
                let known = surroundings.quirk_sets.keys().cloned().collect::<Vec<_>>().join(", ");
                reading.wrong(
                    name.span().start,
                    format!("there is no quirk set {:?}; there are {known}", name.get_ref()),
                );
            }
        }
    }
    if let Some(most) = file.limits.max_documents_per_retrieve.filter(|most| *most > 0) {
        quirks.max_documents_per_retrieve = Some(most);
    }
    let rules = read_rules(file, reading);
    let mut homes = homes.into_iter();
    let first = homes.next()?;
    let mut member = Member::new(Role::Peer, file.name.get_ref().trim(), first, homes.collect());
    member.authorities = authorities;
    member.certificates = file.certificates.clone();
    member.quirks = quirks;
    member.rules = rules;
    Some(member)
}

fn read_rules(file: &CommunityFile, reading: &mut Reading<'_>) -> Option<validate::Settings> {
    let mut rules = validate::Settings::nothing();
    for (id, setting) in &file.rules {
        reading.take(id.span().start, rules.take(id.get_ref(), setting));
    }
    Some(rules).filter(|_| !file.rules.is_empty())
}

fn read_endpoints(file: &CommunityFile, reading: &mut Reading<'_>) -> BTreeMap<String, Uri> {
    let mut endpoints = BTreeMap::new();
    for (name, url) in file.endpoints.get_ref() {
        if !TRANSACTIONS.contains(&name.get_ref().as_str()) {
            let known = TRANSACTIONS.join(", ");
            reading.wrong(
                name.span().start,
                format!("there is no endpoint {:?}; there are {known}", name.get_ref()),
            );
            continue;
        }
        let start = url.span().start;
        let Some(uri) = reading.take(start, url.get_ref().parse::<Uri>()) else { continue };
        match uri.scheme_str() {
            Some("https") if file.tls.is_none() => {
                reading.wrong(start, "an https endpoint needs a table [tls] with ca = \"…pem\"");
            }
            Some("http" | "https") if uri.host().is_some() => {
                endpoints.insert(name.get_ref().clone(), uri);
            }
            _ => reading.wrong(start, "an endpoint must read https://HOST[:PORT]/PATH"),
        }
    }
    if file.endpoints.get_ref().is_empty() {
        reading.wrong(file.endpoints.span().start, "no endpoint; write iti38 = \"https://…\" and iti39");
    }
    endpoints
}

fn read_channel(
    file: &CommunityFile,
    surroundings: &Surroundings,
    reading: &mut Reading<'_>,
) -> Option<ReplyChannel> {
    let asynchronous = file.asynchronous.as_ref()?;
    let from = match asynchronous.get_ref() {
        Asynchronous::Is(false) => return None,
        Asynchronous::Is(true) => None,
        Asynchronous::From(FromSubject { subject }) => Some(subject.as_str().into()),
    };
    let replies = surroundings.replies.clone();
    if replies.is_none() {
        reading.wrong(
            asynchronous.span().start,
            "it cannot answer asynchronously: sekisho.toml does not say where; add replies = \"https://…/services/replies\" \
             to [async]",
        );
    }
    Some(ReplyChannel { replies: replies?, from })
}

/// Where deferred answers come, if it is asked for them.
fn read_deferred(
    file: &CommunityFile,
    surroundings: &Surroundings,
    reading: &mut Reading<'_>,
) -> Option<String> {
    let deferred = file.deferred.as_ref().filter(|deferred| *deferred.get_ref())?;
    let start = deferred.span().start;
    if !file.endpoints.get_ref().keys().any(|name| name.get_ref() == "iti55") {
        reading.wrong(start, "there is nothing to defer: it has no endpoint iti55");
    }
    if surroundings.replies.is_none() {
        reading.wrong(
            start,
            "it cannot answer later: sekisho.toml does not say where; add replies = \"https://…/services/replies\" to \
             [async]",
        );
    }
    surroundings.replies.as_ref().map(|replies| replies.address().to_owned())
}

fn read_client(
    file: &CommunityFile,
    surroundings: &Surroundings,
    reading: &mut Reading<'_>,
) -> (Option<Client>, Vec<PathBuf>) {
    let beside = reading.path.parent().unwrap_or(Path::new("."));
    let mut files = Vec::new();
    let mut tls = None;
    if let Some(named) = &file.tls {
        let (start, named) = (named.span().start, named.get_ref());
        let ca = beside.join(&named.ca);
        let own = match (&named.certificate, &named.key) {
            (Some(certificate), Some(key)) => Some((beside.join(certificate), beside.join(key))),
            (None, None) => surroundings.identity.clone(),
            _ => {
                reading.wrong(start, "certificate and key belong together; write both or neither");
                None
            }
        };
        files.push(ca.clone());
        files.extend(own.iter().flat_map(|(certificate, key)| [certificate.clone(), key.clone()]));
        let identity = own.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
        tls = reading.take(start, TlsClient::new(&ca, identity));
        if tls.is_none() {
            return (None, files);
        }
    }
    let settings = ClientSettings {
        tls,
        connect_timeout_ms: file.limits.connect_timeout_ms.unwrap_or_default(),
        body_idle_timeout_ms: surroundings.limits.body_idle_timeout_ms,
        max_idle: file.limits.max_concurrent.unwrap_or_default().min(limits::MAX_IDLE_PER_PEER),
    };
    (reading.take(0, Client::new(&settings)), files)
}

fn assemble(
    file: &CommunityFile,
    surroundings: &Surroundings,
    member: Member,
    client: Client,
    mut endpoints: BTreeMap<String, Uri>,
    channel: Option<ReplyChannel>,
) -> Peer {
    let bounds = &file.limits;
    let default = PrudenceSettings::default();
    let settings = PrudenceSettings {
        deadline: bounds.deadline_ms.map_or(default.deadline, Duration::from_millis),
        concurrent: bounds.max_concurrent.unwrap_or(default.concurrent),
        attempts: bounds.attempts.unwrap_or(default.attempts),
        breaker_failures: bounds.breaker_failures.unwrap_or(default.breaker_failures),
        breaker_pause: bounds.breaker_pause_ms.map_or(default.breaker_pause, Duration::from_millis),
    };
    let prudence = Prudence::new(&settings, Arc::clone(&surroundings.retries));
    let member = Arc::new(member);
    let mut line = |transaction: &str| {
        let url = endpoints.remove(transaction)?;
        let endpoint = Endpoint { url, relates_to_optional: member.quirks.relates_to_optional };
        Some(Line {
            member: Arc::clone(&member),
            prudence: Arc::clone(&prudence),
            client: client.clone(),
            endpoint,
            channel: channel.clone(),
            limits: surroundings.limits.clone(),
        })
    };
    let lines = Lines {
        query: line("iti38"),
        retrieve: line("iti39"),
        discovery: line("iti55"),
        location: line("iti56"),
    };
    let time_to_live = file.time_to_live_s.map(Duration::from_secs);
    Peer::new(Arc::clone(&member), lines, time_to_live)
}
