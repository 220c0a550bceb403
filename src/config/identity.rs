//! `[identity]`: the region's identifier domains and its patient index, and who its patients are elsewhere.

use std::time::Duration;

use hyper::Uri;

use super::notified::{self, Destination, LinkChangeTarget, NotifiedConsumer, check_destination};
use super::section::Section;
use super::settings::{ClientTls, check_url, client_tls};
use crate::actors::patient_discovery::{Answering, Several};
use crate::actors::permits::Callers;
use crate::demographics::{Domain, DomainKind, DomainSource, TwelveDigits};
use crate::identity::matching::Thresholds;
use crate::ids::{HomeCommunityId, Oid};
use crate::limits;
use crate::wire::hl7v2::Charset;

/// `[identity]`
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// The region's identifier domains.
    pub domains: Vec<Domain>,
    /// Where its patients are known.
    pub kept: Kept,
    /// From which probabilities on the index links records, or shows them to people.
    pub thresholds: Thresholds,
    /// Bytes of memory for records as they are compared.
    pub memory: usize,
    /// MSH-3 and MSH-4 of what the PIX Manager sends of itself: application, facility.
    pub sender: Sender,
    /// Who is told of corresponding identifiers (ITI-10, ITI-46).
    pub consumers: Vec<NotifiedConsumer>,
    /// Which registries are told of link changes (ITI-64).
    pub registries: Vec<LinkChangeTarget>,
    /// `[identity.manager]`: a PIX Manager or central MPI outside, ITI-9 or ITI-45.
    pub manager: Option<Outside>,
    /// `[identity.supplier]`: a Patient Demographics Supplier outside, ITI-21 or ITI-47.
    pub supplier: Option<Outside>,
    /// `[identity.cache]`
    pub cache: Cache,
    /// `[identity.discovery]`
    pub discovery: Discovery,
    /// `emergency.callers`: who may search by four items.
    pub emergency: Callers,
}

/// Where a region's patients are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kept {
    /// In the index inside, if there are domains.
    #[default]
    Inside,
    /// By a manager or supplier outside; the domains are theirs.
    Outside,
}

impl Identity {
    /// Whether there is a patient index inside.
    pub fn has_index(&self) -> bool {
        !self.domains.is_empty() && self.kept == Kept::Inside
    }
}

/// What we are called in the messages that we begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// MSH-3.
    pub application: String,
    /// MSH-4.
    pub facility: String,
}

impl Default for Sender {
    fn default() -> Self {
        Self { application: "SEKISHO".to_owned(), facility: "SEKISHO".to_owned() }
    }
}

/// A service outside that knows the region's patients.
#[derive(Debug, Clone)]
pub struct Outside {
    /// Where; the scheme says in which standard it is asked.
    pub url: Destination,
    /// Trust and identity towards it.
    pub tls: Option<ClientTls>,
    /// MSH-5.
    pub application: String,
    /// MSH-6.
    pub facility: String,
    /// What HL7 v2 is sent in.
    pub charset: Charset,
    /// Subjects of its client certificates: under these it tells of changes (ITI-10, ITI-46); none take them from whoever
    /// gets through to us.
    pub certificates: Vec<String>,
}

/// `[identity.cache]`: the cross-reference cache.
#[derive(Debug, Clone)]
pub struct Cache {
    /// Entries at most.
    pub max_entries: usize,
    /// Bytes of memory for its pages.
    pub memory: u64,
}

impl Default for Cache {
    fn default() -> Self {
        Self { max_entries: limits::MAX_CROSSREF_ENTRIES, memory: limits::CROSSREF_MEMORY_BYTES }
    }
}

/// `[identity.discovery]`: patient discovery (ITI-55), asked and answered.
#[derive(Debug, Clone)]
pub struct Discovery {
    /// Communities that we answer for besides our own, and their domains.
    pub communities: Vec<Answering>,
    /// What to do where several people fit.
    pub several: Several,
    /// From which degree on somebody is found.
    pub minimum_degree: u8,
    /// How long others may keep what we tell; None: not at all.
    pub time_to_live: Option<Duration>,
    /// Questions of one caller in a minute.
    pub per_minute: u32,
    /// Whether our questions tell our own identifier, so that the other side need not ask us.
    pub own_identifier: bool,
}

impl Default for Discovery {
    fn default() -> Self {
        Self {
            communities: Vec::new(),
            several: Several::Ask,
            minimum_degree: limits::DISCOVERY_DEGREE,
            time_to_live: Some(limits::CORRELATION_LIFE),
            per_minute: limits::DISCOVERIES_PER_MINUTE,
            own_identifier: true,
        }
    }
}

/// Reads the section; None if it is not there: the gateway then knows of patients what its table says.
pub fn read(top: &Section<'_>) -> Option<Identity> {
    let section = top.section("identity")?;
    let domains: Vec<Domain> = section.tables("domains").into_iter().filter_map(domain).collect();
    unique(&section, &domains);
    let known = |oid: &Oid| domains.iter().any(|domain| domain.oid == *oid);
    let consumers = section.tables("consumers").into_iter();
    let consumers = consumers.filter_map(|table| notified::consumer(table, &known)).collect();
    let registries = section.tables("registries").into_iter();
    let registries = registries.filter_map(|table| notified::registry(table, &known)).collect();
    let index: Option<bool> = section.optional("index");
    let identity = Identity {
        domains,
        kept: if index.unwrap_or(true) { Kept::Inside } else { Kept::Outside },
        consumers,
        registries,
        thresholds: thresholds(&section),
        memory: memory(&section),
        sender: sender(&section),
        manager: section.section("manager").and_then(|section| outside(section, "iti45")),
        supplier: section.section("supplier").and_then(|section| outside(section, "iti47")),
        cache: section.section("cache").map(cache).unwrap_or_default(),
        discovery: section.section("discovery").map(discovery).unwrap_or_default(),
        emergency: section.section("emergency").map(emergency).unwrap_or_default(),
    };
    let tells = !identity.consumers.is_empty() || !identity.registries.is_empty();
    if tells && !identity.has_index() {
        let help = "whoever keeps the index tells of changes; leave consumers and registries out";
        section.error("index", "there is no patient index inside, so that there is nothing to tell", help);
    }
    section.close();
    Some(identity)
}

fn sender(section: &Section<'_>) -> Sender {
    let Sender { application, facility } = Sender::default();
    Sender {
        application: section.optional("application").unwrap_or(application),
        facility: section.optional("facility").unwrap_or(facility),
    }
}

fn domain(section: Section<'_>) -> Option<Domain> {
    let kinds = [
        ("patients", DomainKind::Patients),
        ("insured", DomainKind::Insured),
        ("portal", DomainKind::Portal),
    ];
    let oid = section.required("oid");
    let namespace: Option<String> = section.required("namespace");
    let name = section.optional("name");
    let kind = section.word("kind", &kinds).unwrap_or_default();
    let numbers = [("my-number", TwelveDigits::MyNumber), ("own", TwelveDigits::Own)];
    let twelve_digits = section.word("twelve_digits", &numbers).unwrap_or_default();
    let source = section.section("source").map(source);
    if namespace.as_ref().is_some_and(|text| text.is_empty() || text.contains(['^', '&', '|', '~', '\\'])) {
        let help = "a short name of letters and digits: it stands in every identifier that is sent";
        section.error("namespace", "this is no namespace (HL7 2.5, 2.A.33)", help);
    }
    section.close();
    let namespace = namespace?;
    let name = name.unwrap_or_else(|| namespace.clone());
    Some(Domain { oid: oid?, name, namespace, kind, source, twelve_digits })
}

/// Who alone feeds a domain: what its messages say of it, under which certificates it comes, or both.
fn source(section: Section<'_>) -> DomainSource {
    let certificates: Vec<String> = section.list("certificates");
    let named = section.has("application") || section.has("facility");
    if !named && certificates.is_empty() {
        let help = "give application and facility, certificates, or all of them";
        section.error("certificates", "nothing says who the source is", help);
    }
    let part = |key| if named { section.required(key) } else { None };
    let system = part("application").zip(part("facility"));
    section.close();
    DomainSource { system, certificates: certificates.into_iter().map(certificate).collect() }
}

/// A certificate by its subject, or by its SHA-256 as programs show it: 64 hexadecimal digits, with colons or without.
fn certificate(named: String) -> String {
    let digits: String = named.chars().filter(|c| *c != ':').collect();
    let is_digest = digits.len() == SHA256_DIGITS && digits.chars().all(|c| c.is_ascii_hexdigit());
    if is_digest { digits.to_ascii_lowercase() } else { named }
}

const SHA256_DIGITS: usize = 64;

/// An OID or namespace names one domain.
fn unique(section: &Section<'_>, domains: &[Domain]) {
    for (index, domain) in domains.iter().enumerate() {
        let clash = |other: &&Domain| other.oid == domain.oid || other.namespace == domain.namespace;
        if let Some(other) = domains.iter().take(index).find(clash) {
            let message = format!(
                "domains {} ({}) and {} ({}) have the same OID or namespace",
                other.name, other.oid, domain.name, domain.oid
            );
            section.error("domains", message, "give each domain an OID and a namespace of its own");
        }
    }
}

fn memory(section: &Section<'_>) -> usize {
    let mb: Option<usize> = section.optional("memory_mb");
    mb.map_or(limits::INDEX_MEMORY_BYTES, |mb| mb.saturating_mul(1024 * 1024))
}

fn thresholds(section: &Section<'_>) -> Thresholds {
    let built_in = Thresholds::default();
    let probability = |key| -> Option<f64> {
        let value: f64 = section.optional(key)?;
        if !(0.0..=1.0).contains(&value) {
            section.error(key, format!("{value} is no probability"), "write a number from 0 to 1");
        }
        Some(value)
    };
    let link = probability("link").unwrap_or(built_in.link);
    let review = probability("review").unwrap_or(built_in.review);
    if review > link {
        let message = format!("`review` ({review}) is above `link` ({link})");
        section.error("review", message, "people are asked below what is linked without them");
    }
    Thresholds { link, review }
}

/// MSH-5 and MSH-6 are required (ITI TF-2: Appendix C); many do not look at them.
const OUTSIDE: &str = "MPI";

fn outside(section: Section<'_>, transaction: &'static str) -> Option<Outside> {
    let insecure = section.optional("insecure").unwrap_or(false);
    let tls = section.section("tls").and_then(client_tls);
    let by_transaction: Option<Uri> = section.optional(transaction);
    check_url(&section, transaction, by_transaction.as_ref(), insecure, tls.is_some());
    let url: Option<Destination> = match by_transaction {
        Some(url) => Some(Destination::Soap(url)),
        None => section.required("url"),
    };
    if !section.has(transaction) {
        check_destination(&section, "url", url.as_ref(), insecure, tls.is_some());
    }
    let application = section.optional("application").unwrap_or_else(|| OUTSIDE.to_owned());
    let facility = section.optional("facility").unwrap_or_else(|| application.clone());
    let charset = section.optional("charset").unwrap_or_default();
    let certificates = section.list("certificates");
    section.close();
    Some(Outside { url: url?, tls, facility, application, charset, certificates })
}

fn cache(section: Section<'_>) -> Cache {
    let default = Cache::default();
    let memory: Option<u64> = section.optional("memory_mb");
    let cache = Cache {
        max_entries: section.optional("max_entries").unwrap_or(default.max_entries),
        memory: memory.map_or(default.memory, |mb| mb.saturating_mul(1024 * 1024)),
    };
    section.close();
    cache
}

fn discovery(section: Section<'_>) -> Discovery {
    let default = Discovery::default();
    let degree: Option<u64> = section.optional("minimum_degree");
    if degree.is_some_and(|degree| degree > 100) {
        section.error("minimum_degree", "a degree is at most 100", "100 tolerates no error at all");
    }
    let degree = degree.and_then(|degree| u8::try_from(degree).ok());
    let per_minute: Option<u64> = section.optional("per_minute");
    let keep = section.optional("keep");
    let time_to_live: Option<u64> = section.optional("time_to_live_s");
    let discovery = Discovery {
        communities: communities(&section),
        several: section
            .word("several", &[("ask", Several::Ask), ("list", Several::List)])
            .unwrap_or_default(),
        minimum_degree: degree.unwrap_or(default.minimum_degree),
        time_to_live: match (keep, time_to_live) {
            (Some(false), _) => None,
            (_, Some(seconds)) => Some(Duration::from_secs(seconds)),
            _ => default.time_to_live,
        },
        per_minute: per_minute.map_or(default.per_minute, |n| u32::try_from(n).unwrap_or(u32::MAX)),
        own_identifier: section.optional("own_identifier").unwrap_or(default.own_identifier),
    };
    section.close();
    discovery
}

fn communities(section: &Section<'_>) -> Vec<Answering> {
    let mut communities: Vec<Answering> = Vec::new();
    for [home, authority] in section.rows("communities", "[\"homeCommunityId\", \"OID of a domain\"]") {
        let home: Option<HomeCommunityId> = section.value(&home, "communities");
        let authority: Option<Oid> = section.value(&authority, "communities");
        let (Some(home), Some(authority)) = (home, authority) else { continue };
        match communities.iter_mut().find(|community| community.home == home) {
            Some(community) => community.authorities.push(authority),
            None => communities.push(Answering { home, authorities: vec![authority] }),
        }
    }
    communities
}

fn emergency(section: Section<'_>) -> Callers {
    let callers: Vec<String> = section.list("callers");
    section.close();
    if callers.is_empty() { Callers::Nobody } else { Callers::Certified(callers) }
}
