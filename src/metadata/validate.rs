//! The validation rules as a table: every violation of a message is reported, each with its rule id, the section of the
//! Technical Framework, the object and the value.

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
    /// XDSMissingDocument.
    MissingDocument,
    /// XDSMissingDocumentMetadata.
    MissingDocumentMetadata,
}

/// One violation.
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

/// Checks a submission or an answer against every rule; an empty list means that it is right.
#[allow(unused_variables)]
pub fn validate(submission: &Submission, context: Context) -> Vec<Violation> {
    todo!()
}
