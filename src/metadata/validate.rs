//! The validation rules (ITI TF-3: 4.2.3; the transactions' own sections): every violation of a message is reported, each
//! with its rule id, the section of the Technical Framework, the object and the value. What the rules are is data
//! ([`table`], [`values`]); how strictly each is taken is settings ([`Settings`]): of submissions by `[rules]` in
//! `sekisho.toml`, of a peer's answers by `[rules]` in its community's file. Called by the actors on submissions, and by
//! federation on answers.
//!
//! The limited metadata of other profiles has no place in XDS.

mod associations;
mod code_lists;
mod content;
mod ebrim;
mod engine;
mod findings;
mod message;
mod objects;
mod settings;
pub mod table;
pub mod values;

pub use code_lists::{CodeLists, CodeListsError};
pub use content::{Beginning, check_media_type};
pub use engine::{check, check_content, check_documents};
pub use settings::{RuleSetting, RuleSettings, Settings, SettingsError};

use std::collections::BTreeSet;

use crate::metadata::rim::Submission;

/// What is checked: rules differ by transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// ITI-41.
    ProvideAndRegister,
    /// ITI-42.
    Register,
    /// ITI-61.
    RegisterOnDemand,
    /// ITI-57. What it asks of what is registered, the registry checks.
    Update,
    /// ITI-92.
    RestrictedUpdate,
    /// An answer to ITI-18 or ITI-38.
    QueryResponse,
}

/// What a violation becomes on the wire, besides the general metadata error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// XDSRegistryMetadataError or XDSRepositoryMetadataError.
    Metadata,
    /// XDSPatientIdDoesNotMatch.
    PatientIdDoesNotMatch,
    /// XDSRegistryDuplicateUniqueIdInMessage or XDSRepositoryDuplicateUniqueIdInMessage.
    DuplicateUniqueIdInMessage,
    /// UnresolvedReferenceException.
    UnresolvedReference,
    /// InvalidDocumentContent.
    DocumentContent,
    /// XDSMissingHomeCommunityId.
    MissingHomeCommunityId,
    /// XDSMissingDocument.
    MissingDocument,
    /// XDSMissingDocumentMetadata.
    MissingDocumentMetadata,
    /// XDSResultNotSinglePatient.
    ResultNotSinglePatient,
}

/// One violation. `object` and `value` are what the peer sent: they go back to it, and never into a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Such as `de.creation-time.cardinality`.
    pub rule: &'static str,
    /// Such as `ITI TF-3: 4.2.3.2.6`.
    pub section: &'static str,
    /// What it becomes.
    pub class: Class,
    /// The object's id, as submitted.
    pub object: String,
    /// The offending value, cut to 100 characters; empty where there is none.
    pub value: String,
    /// One sentence.
    pub message: String,
}

/// How strictly a rule is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Not checked.
    Off,
    /// Counted and logged, not refused.
    Report,
    /// Refused.
    Enforce,
}

/// What is wrong with a message; at most
/// [`MAX_VIOLATIONS_PER_MESSAGE`](crate::limits::MAX_VIOLATIONS_PER_MESSAGE) in each list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Why the message is refused; empty where it is not.
    pub enforced: Vec<Violation>,
    /// What is only counted and logged.
    pub reported: Vec<Violation>,
}

impl Context {
    /// Whether it is a Metadata Update: new versions of what is registered.
    pub fn is_update(self) -> bool {
        matches!(self, Self::Update | Self::RestrictedUpdate)
    }
    /// The transaction in metrics and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::ProvideAndRegister => "ITI-41",
            Self::Register => "ITI-42",
            Self::RegisterOnDemand => "ITI-61",
            Self::Update => "ITI-57",
            Self::RestrictedUpdate => "ITI-92",
            Self::QueryResponse => "answer",
        }
    }
}

impl Report {
    /// Adds what another check of the same message found.
    pub fn extend(&mut self, other: Report) {
        self.enforced.extend(other.enforced);
        self.reported.extend(other.reported);
    }

    /// Counts every violation by its rule.
    pub fn count(&self, context: Context) {
        for (level, violations) in [("enforce", &self.enforced), ("report", &self.reported)] {
            for violation in violations {
                let (transaction, rule) = (context.label(), violation.rule);
                metrics::counter!("sekisho_metadata_violations_total", "transaction" => transaction, "rule" => rule, "level" => level)
                    .increment(1);
            }
        }
    }

    /// The rules that are broken and enforced, each once.
    pub fn enforced_rules(&self) -> String {
        rules_of(&self.enforced)
    }

    /// The rules that are broken and only reported, each once: for the log, which never has a violation's object or value.
    pub fn reported_rules(&self) -> String {
        rules_of(&self.reported)
    }
}

fn rules_of(violations: &[Violation]) -> String {
    let rules: BTreeSet<_> = violations.iter().map(|violation| violation.rule).collect();
    Vec::from_iter(rules).join(", ")
}

/// Checks a submission or an answer against every rule that the built-in settings enforce; an empty list means that it is
/// right.
pub fn validate(submission: &Submission, context: Context) -> Vec<Violation> {
    check(submission, context, Settings::built_in()).enforced
}
