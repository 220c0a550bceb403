//! `[[identity.consumers]]` and `[[identity.registries]]`: who is told of changes (ITI-10, ITI-46; ITI-64).

use super::document::{Node, Value};
use super::section::{Section, Setting};
use super::settings::{ClientTls, client_tls, is_loopback};
use crate::ids::Oid;
use crate::transactions::iti10::NoName;
use crate::wire::hl7v2::Charset;

/// One of `[[identity.consumers]]`.
#[derive(Debug, Clone)]
pub struct NotifiedConsumer {
    /// Where, and how.
    pub peer: NotifiedPeer,
    /// Domains of its interest.
    pub domains: Vec<Oid>,
    /// How PID-5 says that no name is told (HL7 v2).
    pub no_name: NoName,
}

/// One of `[[identity.registries]]`.
#[derive(Debug, Clone)]
pub struct LinkChangeTarget {
    /// Where, and how.
    pub peer: NotifiedPeer,
    /// The affinity domain's authority: whose identifiers the registry's documents have.
    pub domain: Oid,
}

/// Who is told something.
#[derive(Debug, Clone)]
pub struct NotifiedPeer {
    /// For people, and to tell one from the other when the configuration changes.
    pub name: String,
    /// HL7 v2 or V3, and where.
    pub url: Destination,
    /// Trust and identity towards it.
    pub tls: Option<ClientTls>,
    /// MSH-5, or the receiving device's OID; a device that is not known is empty.
    pub application: String,
    /// MSH-6.
    pub facility: String,
    /// What HL7 v2 is sent in.
    pub charset: Charset,
}

/// Where messages go to: the scheme says in which standard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// `mllp://host:port`, `mllps://host:port`
    Mllp {
        /// A name or address.
        host: String,
        /// Its port.
        port: u16,
        /// Whether over TLS.
        tls: bool,
    },
    /// `http://…`, `https://…`
    Soap(hyper::Uri),
}

impl Destination {
    /// Reads a URL.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no URL of mllp, mllps, http or https");
        let url: hyper::Uri = text.parse().map_err(|_| wrong())?;
        let host = url.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?.to_owned();
        let tls = match url.scheme_str() {
            Some("http" | "https") => return Ok(Self::Soap(url)),
            Some("mllp") => false,
            Some("mllps") => true,
            _ => return Err(wrong()),
        };
        let port = url.port_u16().ok_or_else(|| format!("{text:?} names no port"))?;
        Ok(Self::Mllp { host, port, tls })
    }
    /// Whether it goes over TLS.
    pub fn is_tls(&self) -> bool {
        match self {
            Self::Mllp { tls, .. } => *tls,
            Self::Soap(url) => url.scheme_str() == Some("https"),
        }
    }
    fn is_loopback(&self) -> bool {
        match self {
            Self::Mllp { host, .. } => is_loopback(host),
            Self::Soap(url) => url.host().is_some_and(is_loopback),
        }
    }
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mllp { host, port, tls } => {
                write!(f, "{}://{host}:{port}", if *tls { "mllps" } else { "mllp" })
            }
            Self::Soap(url) => url.fmt(f),
        }
    }
}

impl Setting for Destination {
    const WANTED: &'static str =
        "a URL such as \"mllps://mpi.example:2576\" (HL7 v2) or \"https://mpi.example/pix\" (V3)";
    fn read(node: &Node, _: &std::path::Path) -> Result<Self, Option<String>> {
        match &node.value {
            Value::Text(text) => Self::parse(text).map_err(Some),
            _ => Err(None),
        }
    }
}

/// Reads one of the consumers; `known` says which domains there are.
pub fn consumer(section: Section<'_>, known: &dyn Fn(&Oid) -> bool) -> Option<NotifiedConsumer> {
    let peer = peer(&section);
    let domains: Vec<Oid> = section.list("domains");
    if domains.is_empty() && !section.has("domains") {
        let help = "list the OIDs of the domains whose identifiers it wants";
        section.error("domains", "it would be told nothing: no domain is of its interest", help);
    }
    let no_names = [("space", NoName::Space), ("type-s", NoName::TypeS)];
    let no_name = section.word("no_name", &no_names).unwrap_or_default();
    for stranger in domains.iter().filter(|oid| !known(oid)) {
        section.error("domains", format!("{stranger} is no domain"), "describe it in [[identity.domains]]");
    }
    section.close();
    Some(NotifiedConsumer { peer: peer?, domains, no_name })
}

/// Reads one of the registries.
pub fn registry(section: Section<'_>, known: &dyn Fn(&Oid) -> bool) -> Option<LinkChangeTarget> {
    let peer = peer(&section);
    let domain: Option<Oid> = section.required("domain");
    if let Some(stranger) = domain.as_ref().filter(|oid| !known(oid)) {
        section.error("domain", format!("{stranger} is no domain"), "describe it in [[identity.domains]]");
    }
    if let Some(NotifiedPeer { url: Destination::Soap(url), .. }) = &peer {
        section.error("url", format!("{url}: ITI-64 is HL7 v2 only"), "write mllps://host:port");
    }
    section.close();
    Some(LinkChangeTarget { peer: peer?, domain: domain? })
}

/// Whether patients' data may travel there.
pub(super) fn check_destination(
    section: &Section<'_>,
    key: &'static str,
    url: Option<&Destination>,
    insecure: bool,
    trusts: bool,
) {
    let Some(url) = url else { return };
    if url.is_tls() && !trusts && !section.has("tls") {
        let help = "add a tls table with ca, certificate and key";
        section.error(key, format!("{url} is TLS, and nothing says whom to trust"), help);
    }
    if !url.is_tls() && !insecure && !url.is_loopback() {
        let message = format!("{url} is not loopback: patients' data would travel unencrypted");
        section.error(key, message, "use mllps or https; insecure = true permits it knowingly");
    }
}

/// Reads what all who are told something have; the caller closes the section.
fn peer(section: &Section<'_>) -> Option<NotifiedPeer> {
    let name: Option<String> = section.required("name");
    let url: Option<Destination> = section.required("url");
    let insecure = section.optional("insecure").unwrap_or(false);
    let tls = section.section("tls").and_then(client_tls);
    // MSH-5 and MSH-6 are required (ITI TF-2: Appendix C); a device of V3 may be unknown.
    let called = match &url {
        Some(Destination::Mllp { .. }) => name.clone().unwrap_or_default(),
        _ => String::new(),
    };
    let application = section.optional("application").unwrap_or_else(|| called.clone());
    let facility = section.optional("facility").unwrap_or(called);
    let charset = section.optional("charset").unwrap_or_default();
    check_destination(section, "url", url.as_ref(), insecure, tls.is_some());
    Some(NotifiedPeer { name: name?, url: url?, tls, application, facility, charset })
}
