//! The configuration file, `sekisho.toml`: read into typed settings, with every problem at once, each with file, line,
//! column and a suggestion. `docs/configuration.md` describes the keys. Only the command line calls this.
//!
//! A configuration that has an error is never taken; warnings are for the operator.

mod asynchronous;
mod content;
mod document;
#[cfg(test)]
mod documented;
mod documents;
mod hosted;
mod identity;
mod listen;
mod notified;
pub mod probe;
mod problem;
mod section;
mod settings;
mod store;
mod tenants;
mod trust;

use std::path::Path;

pub use asynchronous::Asynchronous;
pub use content::Content;
pub use document::quoted;
pub use hosted::{Hosted, Patients, SenderRules};
pub use identity::{Cache, Discovery, Identity, Kept, Outside, Sender};
pub use listen::{Listen, MllpListener, MllpsListener, PlainListener, TlsListener};
pub use notified::{Destination, LinkChangeTarget, NotifiedConsumer, NotifiedPeer};
pub use problem::{Position, Problem, Problems, Weight};
pub use settings::{Bridge, ClientTls, Community, Correlation, Federation, Log, LogFormat, Mode, Settings};
pub use tenants::{Federated, OWN, TenantSettings};
pub use trust::Assertions;

/// Reads a configuration, with `path.to.key=value` overrides laid over it. Touches the disk: not for the runtime's threads.
/// With the settings come the warnings.
pub fn load(file: &Path, overrides: &[String]) -> Result<(Settings, Problems), Problems> {
    let (document, problems) = document::Document::read(file, overrides)?;
    let report = section::Report::new(&document, problems);
    let settings = settings::read(&report);
    let mut problems = Problems(report.into_problems());
    problems.0.sort_by_key(|problem| {
        (problem.file.clone(), problem.position.as_ref().map(|position| (position.line, position.column)))
    });
    match settings {
        Some(settings) if !problems.is_fatal() => Ok((settings, problems)),
        _ => Err(problems),
    }
}

#[cfg(test)]
mod tests;
