//! `content` of `[hosted]`, `[standalone]` and `[[tenants]]`: what documents may be, and who looks for malware in them.

use std::sync::Arc;

use super::section::Section;
use crate::actors::content_gate::Away;
use crate::wire::scanner::Address;

/// The content gate of one repository.
#[derive(Debug, Clone, Default)]
pub struct Content {
    /// Media types that documents may be of; none allows all.
    pub allow: Vec<Arc<str>>,
    /// A malware scanner, and what is done without its verdict.
    pub scanner: Option<(Address, Away)>,
}

/// Reads it.
pub(super) fn read(section: Section<'_>) -> Content {
    let allow: Vec<String> = section.list("allow");
    for name in allow.iter().filter(|name| name.split('/').count() != 2 || name.contains([';', ' '])) {
        let help = "write it as type/subtype, without parameters";
        section.error("allow", format!("{name:?} is no media type"), help);
    }
    let policies = [("refuse", Away::Refuse), ("pass", Away::Pass)];
    let away = section.word("scanner_away", &policies);
    let url: Option<String> = section.optional("scanner");
    if url.is_none() && away.is_some() {
        section.error(
            "scanner_away",
            "there is no scanner that could be away",
            "name it: scanner = \"clamd://…\"",
        );
    }
    let address = url.and_then(|url| match Address::parse(&url) {
        Ok(address) => Some(address),
        Err(problem) => {
            section.error("scanner", problem, "give the URL of a scanner");
            None
        }
    });
    section.close();
    Content {
        allow: allow.into_iter().map(Arc::from).collect(),
        scanner: address.map(|address| (address, away.unwrap_or_default())),
    }
}
