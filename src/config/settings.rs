//! The typed configuration, and how each section is read and checked. A section's own checks stand beside its reading, so
//! that every problem has its place in the file.

use std::path::PathBuf;
use std::time::Duration;

use hyper::Uri;

use super::asynchronous::{self, Asynchronous};
use super::document::Node;
use super::documents;
use super::hosted::{Hosted, Patients, hosted};
use super::identity::{self, Identity};
use super::listen::{self, Listen};
use super::probe::{self, Validity};
use super::section::{Report, Section};
use super::store;
use super::tenants::{self, TenantSettings};
use super::trust::{self, Assertions};
use crate::demographics::Domains;
use crate::ids::{HomeCommunityId, Oid, PatientId};
use crate::limits::{self, Limits};
use crate::metadata::validate;
use crate::repository::S3Settings;
use crate::store::Backend;

/// A whole configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who we are.
    pub community: Community,
    /// Where we listen.
    pub listen: Listen,
    /// Where everything that is kept lies.
    pub data: PathBuf,
    /// The database.
    pub store: Backend,
    /// The object store that documents are kept in; None keeps them in files.
    pub s3: Option<S3Settings>,
    /// What stands behind the gateway.
    pub mode: Mode,
    /// Whose registries and repositories are here besides.
    pub tenants: Vec<TenantSettings>,
    /// How other communities are asked; None with federation off.
    pub federation: Option<Federation>,
    /// Who is who; None where the gateway knows only what its table says.
    pub identity: Option<Identity>,
    /// Whose assertions are taken; None takes no notice of any.
    pub assertions: Option<Assertions>,
    /// Exchanges whose answers come on connections of their own.
    pub asynchronous: Asynchronous,
    /// How strictly the metadata of submissions is taken, where it is otherwise than built in.
    pub rules: Option<validate::Settings>,
    /// Bounds.
    pub limits: Limits,
    /// The log.
    pub log: Log,
}

/// `[community]`
#[derive(Debug, Clone)]
pub struct Community {
    /// homeCommunityId.
    pub home: HomeCommunityId,
    /// For people.
    pub name: String,
    /// The assigning authorities of its patients.
    pub authorities: Vec<Oid>,
}

/// What stands behind the gateway.
#[derive(Debug, Clone)]
pub enum Mode {
    /// `[standalone]`: registry and repository inside, federation off.
    Standalone(Hosted),
    /// `[hosted]`: registry and repository inside, federated.
    Hosted(Hosted),
    /// `[bridge]`: the region's own registry and repositories.
    Bridge(Box<Bridge>),
}

/// `[bridge]`
#[derive(Debug, Clone)]
pub struct Bridge {
    /// The existing registry's ITI-18.
    pub iti18: Uri,
    /// The existing repositories' ITI-43, by repositoryUniqueId.
    pub iti43: Vec<(Oid, Uri)>,
    /// Where submissions are passed on to.
    pub iti41: Option<Uri>,
    /// Where registrations are passed on to.
    pub iti42: Option<Uri>,
    /// Trust and identity towards them.
    pub tls: Option<ClientTls>,
}

/// Trust and identity towards a server.
#[derive(Debug, Clone)]
pub struct ClientTls {
    /// Whom we trust, PEM.
    pub ca: PathBuf,
    /// Our certificate and its key, PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// `[federation]`
#[derive(Debug, Clone)]
pub struct Federation {
    /// The folder of the community files.
    pub communities: PathBuf,
    /// A folder of quirk sets besides those compiled in.
    pub quirks: Option<PathBuf>,
    /// For one question over all communities.
    pub deadline: Duration,
    /// Who is who elsewhere.
    pub correlation: Vec<Correlation>,
}

/// One row of `federation.correlation`.
#[derive(Debug, Clone)]
pub struct Correlation {
    /// Our patient.
    pub local: PatientId,
    /// Another community.
    pub home: HomeCommunityId,
    /// The same person there.
    pub remote: PatientId,
}

/// `[log]`
#[derive(Debug, Clone, Copy)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// What is left out.
    pub level: tracing::Level,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For collectors.
    Json,
}

/// Reads everything; None if something that is needed could not be read (the report says what).
pub fn read(report: &Report<'_>) -> Option<Settings> {
    let top = report.top();
    let community =
        top.required_section("community", "a table with home, name and authorities").map(community);
    let listen =
        top.required_section("listen", "a table with soap, http, mllps, mllp and operator").map(listen::read);
    let data = data(&top);
    let s3 = documents::read(&top);
    let store = store::read(&top, s3.as_ref());
    let mode = mode(&top);
    let identity = identity::read(&top);
    let domains = Domains::new(identity.as_ref().map(|room| room.domains.clone()).unwrap_or_default());
    let federation = federation(&top, mode.as_ref(), &domains);
    let assertions = trust::read(&top);
    let asynchronous = asynchronous::read(&top);
    let rules = rules(&top, mode.as_ref());
    let tenants =
        tenants::read(&top, community.as_ref().and_then(Option::as_ref), mode.as_ref(), rules.as_ref());
    let rules = match &mode {
        Some(Mode::Hosted(hosted) | Mode::Standalone(hosted)) => hosted.rules(rules),
        _ => rules,
    };
    let limits = top.section("limits").map(limits).unwrap_or_default();
    let log = log(top.section("log"));
    if let (Some(Some(community)), Some(Mode::Hosted(hosted) | Mode::Standalone(hosted))) =
        (&community, &mode)
    {
        own_patients_have_an_authority(&top, community, hosted);
    }
    let has_index = identity.as_ref().is_some_and(Identity::has_index);
    let is_told = identity.as_ref().is_some_and(|identity| identity.manager.is_some());
    let has_patients = has_index
        || is_told
        || tenants.iter().any(|tenant| {
            community.as_ref().and_then(Option::as_ref).is_some_and(|community| community.home == tenant.home)
        });
    if let (Some(listen), Some(Mode::Bridge(_)), false) = (&listen, &mode, has_patients) {
        listen.mllp_has_an_actor(&top);
    }
    if let (Some(listen), Some(identity)) = (&listen, &identity) {
        listen.sources_show_certificates(&top, &identity.domains);
    }
    top.close();
    let (community, listen, mode) = (community??, listen?, mode?);
    Some(Settings {
        community,
        listen,
        data,
        store,
        s3,
        mode,
        tenants,
        federation,
        identity,
        assertions,
        asynchronous,
        rules,
        limits,
        log,
    })
}

fn community(section: Section<'_>) -> Option<Community> {
    let home = section.required("home");
    let name = section.required("name");
    let authorities = section.list("authorities");
    section.close();
    Some(Community { home: home?, name: name?, authorities })
}

fn own_patients_have_an_authority(top: &Section<'_>, community: &Community, hosted: &Hosted) {
    if hosted.patients != Patients::Any && community.authorities.is_empty() {
        top.error(
            "community",
            "the registry would accept nobody: `community.authorities` is empty",
            "name the assigning authorities of your patients, or accept everybody with patients = \"any\"",
        );
    }
}

fn data(top: &Section<'_>) -> PathBuf {
    let section = top.section("data");
    let directory = section
        .as_ref()
        .and_then(|section| section.optional("directory"))
        .unwrap_or_else(|| top.report().directory().join("data"));
    if let Err(problem) = probe::data_directory(&directory) {
        let help = "name a directory on a local disk that this user may write";
        match &section {
            Some(section) => section.error("directory", problem, help),
            None => top.error("data", problem, help),
        }
    }
    if probe::is_open_to_others(&directory) {
        let problem = format!("every user of this machine may look into {}", directory.display());
        let help = "chmod 700 it: patients' documents are in there";
        match &section {
            Some(section) => section.warning("directory", problem, help),
            None => top.warning("data", problem, help),
        }
    }
    if let Some(section) = section {
        section.close();
    }
    directory
}

/// Certificate and key exist, belong together, and hold today.
pub(super) fn check_identity(section: &Section<'_>, certificate: Option<&PathBuf>, key: Option<&PathBuf>) {
    let certificate = certificate.and_then(|file| {
        probe::certificate(file)
            .map_err(|problem| {
                section.error("certificate", problem, "give a PEM file that this user may read")
            })
            .ok()
    });
    let key = key.and_then(|file| {
        if probe::is_open_to_others(file) {
            section.warning("key", "every user of this machine may read this key", "chmod 600 it");
        }
        probe::key(file)
            .map_err(|problem| section.error("key", problem, "give a PEM file that this user may read"))
            .ok()
    });
    let Some(certificate) = certificate else { return };
    match probe::validity(&certificate) {
        Validity::Good => {}
        Validity::EndsSoon(end) => {
            section.warning("certificate", format!("the certificate ends on {end}"), "renew it in time");
        }
        Validity::Bad(problem) => {
            section.error("certificate", format!("the certificate {problem}"), "peers refuse it: renew it");
        }
    }
    if key.is_some_and(|key| !probe::belong_together(&certificate, &key)) {
        section.error("key", "the key is not the certificate's", "give the pair that was made together");
    }
}

pub(super) fn check_authorities(section: &Section<'_>, key: &'static str, file: Option<&PathBuf>) {
    let Some(file) = file else { return };
    match probe::authorities(file) {
        Err(problem) => section.error(key, problem, "give a PEM file that this user may read"),
        Ok(authorities) => {
            for authority in authorities {
                if let Validity::Bad(problem) = probe::validity(&authority) {
                    section.error(
                        key,
                        format!("a CA certificate {problem}"),
                        "ask the CA for its present one",
                    );
                }
            }
        }
    }
}

fn mode(top: &Section<'_>) -> Option<Mode> {
    let standalone = top.section("standalone").map(|s| hosted(s).map(Mode::Standalone));
    let hosted = top.section("hosted").map(|s| hosted(s).map(Mode::Hosted));
    let bridge = top.section("bridge").map(|s| bridge(s).map(Box::new).map(Mode::Bridge));
    let mut modes = [standalone, hosted, bridge].into_iter().flatten();
    let help = "write exactly one: [standalone] (registry and repository without federation), [hosted] (the same \
                with federation), [bridge] (before an existing registry)";
    match (modes.next(), modes.next()) {
        (Some(mode), None) => mode,
        (None, _) => {
            top.error("hosted", "nothing says what stands behind the gateway", help);
            None
        }
        (Some(_), Some(_)) => {
            top.error("hosted", "more than one of [standalone], [hosted] and [bridge] is there", help);
            None
        }
    }
}

/// `[rules]`: the built-in levels of the metadata rules, and what is otherwise.
fn rules(top: &Section<'_>, mode: Option<&Mode>) -> Option<validate::Settings> {
    let section = top.section("rules")?;
    if matches!(mode, Some(Mode::Bridge(_))) {
        let help = "leave it out: what is submitted goes to the registry behind; rules for a community's answers stand in \
                    its own file, those of a tenant in its table";
        top.error("rules", "a bridge checks no submissions", help);
    }
    Some(laid_over(None, &section))
}

/// Levels of rules, laid over others.
pub(super) fn laid_over(below: Option<&validate::Settings>, section: &Section<'_>) -> validate::Settings {
    let mut rules = below.unwrap_or(validate::Settings::built_in()).clone();
    for (entry, setting) in section.pairs() {
        if let Err(problem) = rules.take(&entry.key, &setting) {
            section.error_at(entry.place, problem.to_string(), "docs/validation.md lists all rules");
        }
    }
    rules
}

fn bridge(section: Section<'_>) -> Option<Bridge> {
    let insecure = section.optional("insecure").unwrap_or(false);
    let tls = section.section("tls").and_then(client_tls);
    let iti18 = section.required("iti18");
    let iti43 =
        section.required_section("iti43", "a table of \"repositoryUniqueId\" = \"URL\"").map(repositories);
    let iti41 = section.optional("iti41");
    let iti42 = section.optional("iti42");
    for (key, url) in [("iti18", &iti18), ("iti41", &iti41), ("iti42", &iti42)] {
        check_url(&section, key, url.as_ref(), insecure, tls.is_some());
    }
    for (_, url) in iti43.iter().flatten() {
        check_url(&section, "iti43", Some(url), insecure, tls.is_some());
    }
    section.close();
    Some(Bridge { iti18: iti18?, iti43: iti43?, iti41, iti42, tls })
}

fn repositories(section: Section<'_>) -> Vec<(Oid, Uri)> {
    let mut repositories = Vec::new();
    for (entry, url) in section.pairs() {
        match Oid::parse(&entry.key) {
            Ok(oid) => repositories.push((oid, url)),
            Err(error) => {
                section.error_at(
                    entry.place,
                    error.to_string(),
                    "the key is the repositoryUniqueId, in quotes",
                );
            }
        }
    }
    repositories
}

/// https needs somebody to trust; http stays on this machine unless it is permitted.
pub(super) fn check_url(
    section: &Section<'_>,
    key: &'static str,
    url: Option<&Uri>,
    insecure: bool,
    trusts: bool,
) {
    let Some(url) = url else { return };
    let https = url.scheme_str() == Some("https");
    if https && !trusts {
        let help = "add a tls table with ca, certificate and key";
        section.error(key, format!("{url} is https, and nothing says whom to trust"), help);
    }
    if !https && !insecure && !url.host().is_some_and(is_loopback) {
        let message = format!("{url} is not loopback: patients' data would travel unencrypted");
        section.error(key, message, "use https; insecure = true permits it knowingly");
    }
}

pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

pub(super) fn client_tls(section: Section<'_>) -> Option<ClientTls> {
    let ca: Option<PathBuf> = section.required("ca");
    let certificate: Option<PathBuf> = section.optional("certificate");
    let key: Option<PathBuf> = section.optional("key");
    check_authorities(&section, "ca", ca.as_ref());
    if certificate.is_some() != key.is_some() {
        section.error("key", "`certificate` and `key` go together", "give both, or neither");
    }
    check_identity(&section, certificate.as_ref(), key.as_ref());
    section.close();
    Some(ClientTls { ca: ca?, identity: certificate.zip(key) })
}

fn federation(top: &Section<'_>, mode: Option<&Mode>, domains: &Domains) -> Option<Federation> {
    let section = top.section("federation");
    if matches!(mode, Some(Mode::Standalone(_))) {
        if let Some(section) = section {
            let help = "remove it, or write [hosted] instead of [standalone]";
            top.error("federation", "[standalone] does not federate", help);
            drop(section);
        }
        return None;
    }
    let communities = top.report().directory().join("communities");
    let Some(section) = section else {
        let deadline = limits::FAN_OUT_DEADLINE;
        return Some(Federation { communities, quirks: None, deadline, correlation: Vec::new() });
    };
    let federation = Federation {
        communities: section.optional("communities").unwrap_or(communities),
        quirks: section.optional("quirks"),
        deadline: section.optional("deadline_ms").map_or(limits::FAN_OUT_DEADLINE, Duration::from_millis),
        correlation: correlation(&section, domains),
    };
    let folders = [("communities", Some(&federation.communities)), ("quirks", federation.quirks.as_ref())];
    for (key, folder) in folders {
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            let message = format!("{} is no folder", folder.display());
            section.error(key, message, "make it, and put one file for each into it");
        }
    }
    section.close();
    Some(federation)
}

fn correlation(section: &Section<'_>, domains: &Domains) -> Vec<Correlation> {
    let shape = "[\"local patient\", \"homeCommunityId\", \"patient there\"]";
    let mut correlation = Vec::new();
    for [local, home, remote] in section.rows("correlation", shape) {
        let patient = |node: &Node| {
            let patient: PatientId = section.value(node, "correlation")?;
            if domains.refuse(&patient) {
                let help = "name the patient by another identifier; if the domain's own numbers have twelve digits, say \
                            twelve_digits = \"own\" in [[identity.domains]]";
                section.error_at(
                    node.place,
                    "an Individual Number (My Number), which no network may use",
                    help,
                );
            }
            Some(patient)
        };
        let (local, remote) = (patient(&local), patient(&remote));
        let home = section.value(&home, "correlation");
        if let (Some(local), Some(home), Some(remote)) = (local, home, remote) {
            correlation.push(Correlation { local, home, remote });
        }
    }
    correlation
}

fn limits(section: Section<'_>) -> Limits {
    let mut limits = Limits::default();
    macro_rules! take { ($($field:ident)*) => {$(
        if let Some(value) = section.optional(stringify!($field)) {
            limits.$field = value;
        }
    )*} }
    take! {
        max_envelope_bytes max_document_bytes max_connections max_concurrent_requests max_queued_requests
        max_answer_memory_bytes max_envelope_memory_bytes min_free_disk_bytes max_query_results header_timeout_ms body_idle_timeout_ms request_deadline_ms shutdown_grace_ms
    }
    section.close();
    limits
}

fn log(section: Option<Section<'_>>) -> Log {
    use tracing::Level;
    let mut log = Log { format: LogFormat::Text, level: Level::INFO };
    let Some(section) = section else { return log };
    if let Some(format) = section.word("format", &[("text", LogFormat::Text), ("json", LogFormat::Json)]) {
        log.format = format;
    }
    let levels = [
        ("error", Level::ERROR),
        ("warn", Level::WARN),
        ("info", Level::INFO),
        ("debug", Level::DEBUG),
        ("trace", Level::TRACE),
    ];
    if let Some(level) = section.word("level", &levels) {
        log.level = level;
    }
    section.close();
    log
}
