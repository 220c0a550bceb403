//! `[trust.xua]`: whose assertions are taken, and where there must be one (ITI TF-2: 3.40).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::document::Node;
use super::probe::{self, Validity};
use super::section::{Section, Setting};
use crate::limits;
use crate::trust::{Demand, Issuer, Xua};

/// `[trust.xua]`
#[derive(Debug, Clone)]
pub struct Assertions {
    /// What is checked.
    pub xua: Arc<Xua>,
    /// The files that the issuers' certificates are in.
    pub files: Vec<PathBuf>,
}

/// A listener for SOAP, by the scheme that its messages come in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Scheme(&'static str);

impl Setting for Scheme {
    const WANTED: &'static str = "\"soap\" or \"http\"";
    fn read(node: &Node, directory: &std::path::Path) -> Result<Self, Option<String>> {
        match String::read(node, directory)?.as_str() {
            "soap" => Ok(Self("https")),
            "http" => Ok(Self("http")),
            other => Err(Some(format!("{other:?} is no listener for SOAP"))),
        }
    }
}

/// A transaction that comes as SOAP.
struct TransactionId(String);

impl Setting for TransactionId {
    const WANTED: &'static str = "a transaction that comes as SOAP, such as \"ITI-44\"";
    fn read(node: &Node, directory: &std::path::Path) -> Result<Self, Option<String>> {
        const IDS: [u8; 18] = [18, 38, 39, 41, 42, 43, 44, 45, 46, 47, 51, 55, 56, 57, 61, 62, 86, 92];
        let id = String::read(node, directory)?.to_ascii_uppercase();
        let known = IDS.iter().any(|number| id == format!("ITI-{number}"));
        if known { Ok(Self(id)) } else { Err(Some(format!("{id:?} is no transaction that comes as SOAP"))) }
    }
}

/// Reads the section; without it, no notice is taken of assertions.
pub(super) fn read(top: &Section<'_>) -> Option<Assertions> {
    let trust = top.section("trust")?;
    let xua = trust.section("xua").and_then(xua);
    trust.close();
    xua
}

fn xua(section: Section<'_>) -> Option<Assertions> {
    let audiences: Vec<String> = section.list("audiences");
    if audiences.is_empty() || audiences.iter().any(|audience| audience.trim().is_empty()) {
        let help =
            "list what issuers write into AudienceRestriction for this gateway: audiences = [\"urn:oid:…\"]";
        section.error("audiences", "no assertion could be for us: `trust.xua.audiences` names nobody", help);
    }
    let schemes: Vec<Scheme> = section.list("required_on");
    let schemes = match section.has("required_on") {
        true => schemes.into_iter().map(|scheme| scheme.0).collect(),
        false => vec!["https", "http"],
    };
    let exempt: Vec<TransactionId> = section.list("exempt");
    let exempt = exempt.into_iter().map(|transaction| transaction.0).collect();
    let skew = section.optional("clock_skew_seconds").map_or(limits::CLOCK_SKEW, Duration::from_secs);
    if skew > limits::MAX_CLOCK_SKEW {
        let most = limits::MAX_CLOCK_SKEW.as_secs();
        let help = format!("{most} at most; better, synchronize both clocks");
        section.error("clock_skew_seconds", "expired assertions would be taken for long", help);
    }
    let (issuers, files) = issuers(&section);
    section.close();
    let audiences = audiences.iter().map(|audience| audience.trim().to_owned()).collect();
    let xua = Xua { issuers, audiences, skew, demand: Demand { schemes, exempt } };
    Some(Assertions { xua: Arc::new(xua), files })
}

fn issuers(section: &Section<'_>) -> (Vec<Issuer>, Vec<PathBuf>) {
    let (mut issuers, mut files, mut named) = (Vec::new(), Vec::new(), Vec::<String>::new());
    let tables = section.tables("issuers");
    if tables.is_empty() {
        let help = "add [[trust.xua.issuers]] with entity_id and certificates";
        section.error("issuers", "nobody could vouch for users: there is no trusted issuer", help);
    }
    if tables.len() > limits::MAX_ASSERTION_ISSUERS {
        let help = format!("{} at most", limits::MAX_ASSERTION_ISSUERS);
        section.error("issuers", "too many issuers", help);
    }
    for table in tables {
        let entity_id: Option<String> = table.required("entity_id");
        if entity_id.as_ref().is_some_and(|id| named.contains(id)) {
            let help = "give each issuer one table, with all of its certificates";
            table.error("entity_id", "this issuer is there already", help);
        }
        let paths: Vec<PathBuf> = table.list("certificates");
        if paths.is_empty() {
            let help = "name the PEM files of its signing certificates: certificates = [\"idp.pem\"]";
            table.error("certificates", "nothing says what this issuer signs with", help);
        }
        named.extend(entity_id.clone());
        issuers.extend(entity_id.and_then(|id| issuer(&table, id, &paths)));
        files.extend(paths);
        table.close();
    }
    (issuers, files)
}

/// An issuer whose certificates can be used, today at least one of them.
fn issuer(table: &Section<'_>, entity_id: String, paths: &[PathBuf]) -> Option<Issuer> {
    const KEY: &str = "certificates";
    let mut certificates = Vec::new();
    for path in paths {
        match probe::authorities(path) {
            Ok(found) => certificates.extend(found),
            Err(problem) => table.error(KEY, problem, "give a PEM file that this user may read"),
        }
    }
    if certificates.len() > limits::MAX_ISSUER_CERTIFICATES {
        let help = format!("{} at most: the present one and the next", limits::MAX_ISSUER_CERTIFICATES);
        table.error(KEY, "too many certificates of one issuer", help);
    }
    let dates: Vec<_> = certificates.iter().map(probe::validity).collect();
    let is_bad = |validity: &Validity| matches!(validity, Validity::Bad(_));
    let all_bad = !dates.is_empty() && dates.iter().all(is_bad);
    for date in &dates {
        match date {
            Validity::Bad(problem) if all_bad => {
                table.error(KEY, format!("a certificate {problem}"), "ask the issuer for its present one");
            }
            Validity::Bad(problem) => {
                table.warning(KEY, format!("a certificate {problem}"), "it is passed over");
            }
            Validity::EndsSoon(end) if !dates.contains(&Validity::Good) => {
                let help = "ask the issuer for its next one, and name both";
                table.warning(KEY, format!("a certificate ends on {end}"), help);
            }
            Validity::EndsSoon(_) | Validity::Good => {}
        }
    }
    Issuer::new(entity_id, &certificates)
        .map_err(|problem| {
            let help = "RSA with at least 2048 bits, or ECDSA";
            table.error(KEY, format!("assertions cannot be verified by a certificate: {problem}"), help);
        })
        .ok()
}
