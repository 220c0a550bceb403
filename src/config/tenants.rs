//! `[[tenants]]`: registries and repositories of others in this gateway, each a partition of its own (docs/tenants.md), and
//! the region's own one in the same form.

use super::hosted::{Hosted, Patients, Whose, holding};
use super::section::Section;
use super::settings::{Community, Mode, Settings, laid_over};
use crate::actors::permits::Callers;
use crate::demographics::Domains;
use crate::ids::{HomeCommunityId, Oid};
use crate::limits;
use crate::metadata::validate;

/// The name of the region's own tenant.
pub const OWN: &str = "own";

/// One tenant: a community, or a facility of one.
#[derive(Debug, Clone)]
pub struct TenantSettings {
    /// What its path, metrics and folders call it; [`OWN`] for the region's own.
    pub name: String,
    /// For people.
    pub title: String,
    /// Its community.
    pub home: HomeCommunityId,
    /// Which facility of the community; None for the community as a whole.
    pub facility: Option<Oid>,
    /// The assigning authorities of its patients.
    pub authorities: Vec<Oid>,
    /// Whether the gateway of its community answers from it.
    pub federation: Federated,
    /// Its registry and repository.
    pub hosted: Hosted,
    /// How strictly metadata is taken, where it is otherwise than built in.
    pub rules: Option<validate::Settings>,
}

/// Whether a gateway answers from a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Federated {
    /// It does.
    Yes,
    /// The tenant is reached by its own path only.
    No,
}

impl Settings {
    /// The region's identifier domains; none without `[identity]`.
    pub fn domains(&self) -> Domains {
        Domains::new(self.identity.as_ref().map(|identity| identity.domains.clone()).unwrap_or_default())
    }

    /// The region's own tenant; None in bridge mode.
    pub fn own(&self) -> Option<TenantSettings> {
        let (Mode::Standalone(hosted) | Mode::Hosted(hosted)) = &self.mode else { return None };
        Some(TenantSettings {
            name: OWN.to_owned(),
            title: self.community.name.clone(),
            home: self.community.home.clone(),
            facility: None,
            authorities: self.community.authorities.clone(),
            federation: Federated::Yes,
            hosted: hosted.clone(),
            rules: self.rules.clone(),
        })
    }

    /// Every tenant, the region's own first.
    pub fn all_tenants(&self) -> Vec<TenantSettings> {
        self.own().into_iter().chain(self.tenants.iter().cloned()).collect()
    }
}

/// Reads them, and checks that they stay apart.
pub(super) fn read(
    top: &Section<'_>,
    community: Option<&Community>,
    mode: Option<&Mode>,
    rules: Option<&validate::Settings>,
) -> Vec<TenantSettings> {
    let sections = top.tables("tenants");
    if sections.len() > limits::MAX_TENANTS {
        let message = format!("{} tenants; one gateway has at most {}", sections.len(), limits::MAX_TENANTS);
        top.error("tenants", message, "divide them among several gateways");
    }
    let own: Vec<&Oid> = match mode {
        Some(Mode::Standalone(hosted) | Mode::Hosted(hosted)) => vec![&hosted.repository],
        Some(Mode::Bridge(bridge)) => bridge.iti43.iter().map(|(repository, _)| repository).collect(),
        None => Vec::new(),
    };
    let mut tenants: Vec<TenantSettings> = Vec::new();
    for section in sections {
        let Some(tenant) = community.and_then(|community| tenant(&section, community, rules)) else {
            continue;
        };
        stays_apart(&section, &tenant, &tenants, community, &own);
        section.close();
        tenants.push(tenant);
    }
    let has_gateway = |home: &HomeCommunityId| {
        community.is_some_and(|own| own.home == *home)
            || tenants.iter().any(|tenant| {
                tenant.home == *home && tenant.facility.is_none() && tenant.federation == Federated::Yes
            })
    };
    for tenant in tenants.iter().filter(|tenant| tenant.federation == Federated::Yes) {
        if !has_gateway(&tenant.home) {
            let message =
                format!("tenant {:?} is federated, and its community has no gateway here", tenant.name);
            let help = "add the community itself as a federated tenant: its path is the gateway's";
            top.error("tenants", message, help);
        }
    }
    tenants
}

fn tenant(
    section: &Section<'_>,
    community: &Community,
    rules: Option<&validate::Settings>,
) -> Option<TenantSettings> {
    let name = section.required("name").filter(|name| is_name(section, name));
    let home: Option<HomeCommunityId> = section.optional("home");
    let is_ours = home.as_ref().is_none_or(|home| *home == community.home);
    let facility = section.optional("facility");
    let authorities = match section.has("authorities") {
        false if is_ours => community.authorities.clone(),
        _ => section.list("authorities"),
    };
    let federation = match section.optional("federated").unwrap_or(is_ours) {
        true => Federated::Yes,
        false => Federated::No,
    };
    let hosted = holding(section, Whose::Tenant);
    let rules = match section.section("rules") {
        Some(own) => Some(laid_over(rules, &own)),
        None => rules.cloned(),
    };
    let title = section.optional("title");
    let (name, hosted): (String, Hosted) = (name?, hosted?);
    if hosted.patients != Patients::Any && authorities.is_empty() {
        let help =
            "name the assigning authorities of its patients, or accept everybody with patients = \"any\"";
        section.error("authorities", "its registry would accept nobody", help);
    }
    if hosted.permits.submit == Callers::Nobody && hosted.permits.query == Callers::Nobody {
        let help = "permit = { submit = [\"subject of a certificate\"], query = [\"…\"] }";
        section.warning("permit", "nobody may submit to this tenant, and nobody ask it", help);
    }
    Some(TenantSettings {
        title: title.unwrap_or_else(|| name.clone()),
        name,
        home: home.unwrap_or_else(|| community.home.clone()),
        facility,
        authorities,
        federation,
        rules: hosted.rules(rules),
        hosted,
    })
}

/// A name is a part of paths, and told apart at a glance: no look-alikes, no case.
fn is_name(section: &Section<'_>, name: &String) -> bool {
    let fits = name.len() <= limits::MAX_TENANT_NAME_BYTES
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !name.starts_with("iti-")
        && name != OWN;
    if !fits {
        let help = format!(
            "small letters, digits and hyphens, a letter first, at most {}; not \"{OWN}\", not \"iti-…\"",
            limits::MAX_TENANT_NAME_BYTES
        );
        section.error("name", "this cannot be a tenant's name", help);
    }
    fits
}

/// What tells tenants apart, each of which must.
fn stays_apart(
    section: &Section<'_>,
    tenant: &TenantSettings,
    others: &[TenantSettings],
    community: Option<&Community>,
    own_repositories: &[&Oid],
) {
    if others.iter().any(|other| other.name == tenant.name) {
        section.error("name", "another tenant has this name", "each has its own");
    }
    let repository = &tenant.hosted.repository;
    let is_theirs = |other: &TenantSettings| other.hosted.repository == *repository;
    if own_repositories.contains(&repository) || others.iter().any(is_theirs) {
        let help = "a repositoryUniqueId is one repository's, in the whole world";
        section.error("repository", "another repository here has this repositoryUniqueId", help);
    }
    let is_own = tenant.facility.is_none() && community.is_some_and(|own| own.home == tenant.home);
    if is_own {
        let help = "its own tenant is [hosted] or [standalone]; name a facility, or another community's home";
        section.error("home", "this is the region itself", help);
    }
    if others.iter().any(|other| (&other.home, &other.facility) == (&tenant.home, &tenant.facility)) {
        section.error("home", "another tenant is the same community and facility", "each is one tenant");
    }
}
