//! `[identity]`: the region's identifier domains and its patient index, and who its patients are elsewhere.

use std::time::Duration;

use super::document::{Node, Value};
use super::section::Section;
use crate::actors::patient_discovery::{Answering, Several};
use crate::actors::permits::Callers;
use crate::demographics::{Domain, DomainKind};
use crate::ids::{HomeCommunityId, Oid};
use crate::limits;

/// `[identity]`
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// The region's identifier domains; without any, there is no patient index inside.
    pub domains: Vec<Domain>,
    /// `[identity.cache]`
    pub cache: Cache,
    /// `[identity.discovery]`
    pub discovery: Discovery,
    /// `emergency.callers`: who may search by four items.
    pub emergency: Callers,
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
    let identity = Identity {
        domains: domains(&section),
        cache: section.section("cache").map(cache).unwrap_or_default(),
        discovery: section.section("discovery").map(discovery).unwrap_or_default(),
        emergency: section.section("emergency").map(emergency).unwrap_or_default(),
    };
    section.close();
    Some(identity)
}

const KINDS: [(&str, DomainKind); 3] =
    [("patients", DomainKind::Patients), ("insured", DomainKind::Insured), ("portal", DomainKind::Portal)];

/// Each domain a row; `sources` says who alone may feed one.
fn domains(section: &Section<'_>) -> Vec<Domain> {
    let mut domains: Vec<Domain> = Vec::new();
    let shape = "[\"OID\", \"namespace\", \"name\", \"patients\"], or insured or portal at the end";
    for [oid, namespace, name, kind] in section.rows("domains", shape) {
        let place = oid.place;
        let kind = kind_of(section, &kind);
        let (Some(oid), Some(namespace), Some(name), Some(kind)) = (
            section.value::<Oid>(&oid, "domains"),
            section.value::<String>(&namespace, "domains"),
            section.value(&name, "domains"),
            kind,
        ) else {
            continue;
        };
        let twice =
            |known: &Domain| known.oid == oid || (!namespace.is_empty() && known.namespace == namespace);
        if domains.iter().any(twice) {
            section.error_at(
                place,
                "a domain with this OID or namespace is there already",
                "remove one of them",
            );
        } else {
            domains.push(Domain { oid, namespace, name, kind, source: None });
        }
    }
    let shape = "[\"OID\", \"application\", \"facility\"] of MSH-3 and MSH-4";
    for [oid, application, facility] in section.rows("sources", shape) {
        let place = oid.place;
        let (Some(oid), Some(application), Some(facility)) = (
            section.value::<Oid>(&oid, "sources"),
            section.value(&application, "sources"),
            section.value(&facility, "sources"),
        ) else {
            continue;
        };
        match domains.iter_mut().find(|domain| domain.oid == oid) {
            Some(domain) => domain.source = Some((application, facility)),
            None => section.error_at(place, "no domain has this OID", "list it in `identity.domains`"),
        }
    }
    domains
}

fn kind_of(section: &Section<'_>, node: &Node) -> Option<DomainKind> {
    let known = match &node.value {
        Value::Text(text) => KINDS.iter().find(|(word, _)| word == text).map(|(_, kind)| *kind),
        _ => None,
    };
    if known.is_none() {
        section.error_at(
            node.place,
            "this is no kind of domain",
            "write \"patients\", \"insured\" or \"portal\"",
        );
    }
    known
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
