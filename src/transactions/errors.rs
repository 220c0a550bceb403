//! RegistryErrors: codes, severities, the response status, and the one table that says what an error becomes
//! (ITI TF-3: 4.2.4).

use std::borrow::Cow;

use crate::metadata::validate::{Class, Violation};
use crate::store::{StoreError, Trouble};

use super::Malformed;
use crate::limits;
use crate::wire::xml::{Element, Ns, Writer};

/// Error or warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// `…:ErrorSeverityType:Error`
    Error,
    /// `…:ErrorSeverityType:Warning`
    Warning,
}

/// The status of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// All went well, or warnings only.
    Success,
    /// Errors, and results.
    PartialSuccess,
    /// Errors, no results.
    Failure,
}

/// An error code: ours are constants of [`code`], peers' are kept as they are.
pub type ErrorCode = Cow<'static, str>;

/// The codes of ITI TF-3: Table 4.2.4.1-2 that we emit.
pub mod code {
    macro_rules! codes {
        ($($name:ident $text:literal;)*) => {
            $(#[doc = $text] pub const $name: &str = $text;)*
            /// All of them, each with the name of its constant.
            pub const ALL: &[(&str, &str)] = &[$((stringify!($name), $text)),*];
        };
    }
    codes! {
        UNRESOLVED_REFERENCE "UnresolvedReferenceException";
        DOCUMENT_UNIQUE_ID_ERROR "XDSDocumentUniqueIdError";
        DUPLICATE_UNIQUE_ID_IN_REGISTRY "XDSDuplicateUniqueIdInRegistry";
        EXTRA_METADATA_NOT_SAVED "XDSExtraMetadataNotSaved";
        LOCAL_POLICY_RESTRICTION "LocalPolicyRestrictionError";
        INVALID_DOCUMENT_CONTENT "InvalidDocumentContent";
        INVALID_REQUEST "XDSInvalidRequestException";
        METADATA_ANNOTATION "XDSMetadataAnnotationError";
        METADATA_IDENTIFIER "XDSMetadataIdentifierError";
        METADATA_UPDATE "XDSMetadataUpdateError";
        METADATA_UPDATE_OPERATION "XDSMetadataUpdateOperationError";
        METADATA_VERSION "XDSMetadataVersionError";
        METADATA_MODEL "XDSMetadataModelException";
        MISSING_DOCUMENT "XDSMissingDocument";
        MISSING_DOCUMENT_METADATA "XDSMissingDocumentMetadata";
        MISSING_HOME_COMMUNITY_ID "XDSMissingHomeCommunityId";
        NON_IDENTICAL_HASH "XDSNonIdenticalHash";
        NON_IDENTICAL_SIZE "XDSNonIdenticalSize";
        OBJECT_TYPE "XDSObjectTypeError";
        PATIENT_ID_RECONCILIATION "XDSPatientIDReconciliationError";
        PATIENT_ID_DOES_NOT_MATCH "XDSPatientIdDoesNotMatch";
        REFERENCES_EXIST "ReferencesExistException";
        REGISTRY_BUSY "XDSRegistryBusy";
        REMOVE_DOCUMENTS "XDSRemoveDocumentsError";
        REPOSITORY_BUSY "XDSRepositoryBusy";
        REGISTRY_DEPRECATED_DOCUMENT "XDSRegistryDeprecatedDocumentError";
        REGISTRY_DUPLICATE_UNIQUE_ID_IN_MESSAGE "XDSRegistryDuplicateUniqueIdInMessage";
        REPOSITORY_DUPLICATE_UNIQUE_ID_IN_MESSAGE "XDSRepositoryDuplicateUniqueIdInMessage";
        REGISTRY_ERROR "XDSRegistryError";
        REPOSITORY_ERROR "XDSRepositoryError";
        REGISTRY_METADATA_ERROR "XDSRegistryMetadataError";
        REPOSITORY_METADATA_ERROR "XDSRepositoryMetadataError";
        REGISTRY_NOT_AVAILABLE "XDSRegistryNotAvailable";
        REGISTRY_OUT_OF_RESOURCES "XDSRegistryOutOfResources";
        REPOSITORY_OUT_OF_RESOURCES "XDSRepositoryOutOfResources";
        RESULT_NOT_SINGLE_PATIENT "XDSResultNotSinglePatient";
        STORED_QUERY_MISSING_PARAM "XDSStoredQueryMissingParam";
        STORED_QUERY_PARAM_NUMBER "XDSStoredQueryParamNumber";
        TOO_MANY_RESULTS "XDSTooManyResults";
        UNAVAILABLE_COMMUNITY "XDSUnavailableCommunity";
        UNKNOWN_COMMUNITY "XDSUnknownCommunity";
        UNKNOWN_PATIENT_ID "XDSUnknownPatientId";
        UNKNOWN_REPOSITORY_ID "XDSUnknownRepositoryId";
        UNKNOWN_STORED_QUERY "XDSUnknownStoredQuery";
        UNMODIFIABLE_METADATA "UnmodifiableMetadataError";
        UNREFERENCED_OBJECT "XDSUnreferencedObjectException";
    }
}

/// Who answers: registry and repository say some things with codes of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answering {
    /// ITI-18, 38, 42.
    Registry,
    /// ITI-39, 41, 43.
    Repository,
}

impl Answering {
    fn pick(self, registry: &'static str, repository: &'static str) -> &'static str {
        match self {
            Self::Registry => registry,
            Self::Repository => repository,
        }
    }
    /// What a broken metadata rule becomes.
    fn metadata(self, class: Class) -> &'static str {
        match class {
            Class::Metadata => self.pick(code::REGISTRY_METADATA_ERROR, code::REPOSITORY_METADATA_ERROR),
            Class::PatientIdDoesNotMatch => code::PATIENT_ID_DOES_NOT_MATCH,
            Class::DuplicateUniqueIdInMessage => self.pick(
                code::REGISTRY_DUPLICATE_UNIQUE_ID_IN_MESSAGE,
                code::REPOSITORY_DUPLICATE_UNIQUE_ID_IN_MESSAGE,
            ),
            Class::UnresolvedReference => code::UNRESOLVED_REFERENCE,
            Class::DocumentContent => code::INVALID_DOCUMENT_CONTENT,
            Class::MissingHomeCommunityId => code::MISSING_HOME_COMMUNITY_ID,
            Class::MissingDocument => code::MISSING_DOCUMENT,
            Class::MissingDocumentMetadata => code::MISSING_DOCUMENT_METADATA,
            Class::ResultNotSinglePatient => code::RESULT_NOT_SINGLE_PATIENT,
        }
    }
    /// What trouble of the store becomes.
    fn trouble(self, trouble: Trouble) -> (&'static str, &'static str) {
        match trouble {
            Trouble::Busy => (
                self.pick(code::REGISTRY_BUSY, code::REPOSITORY_BUSY),
                "too much work at once; try again later",
            ),
            Trouble::OutOfResources => (
                self.pick(code::REGISTRY_OUT_OF_RESOURCES, code::REPOSITORY_OUT_OF_RESOURCES),
                "storage is used up; nothing was changed",
            ),
            Trouble::Broken => (
                self.pick(code::REGISTRY_ERROR, code::REPOSITORY_ERROR),
                "the store failed; nothing was changed",
            ),
        }
    }
}

/// A RegistryError.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RegistryError {
    /// errorCode.
    pub code: ErrorCode,
    /// codeContext: what is wrong, where, by which rule.
    pub context: String,
    /// severity.
    pub severity: Severity,
    /// location: the documentUniqueId on ITI-43, the homeCommunityId on gateways.
    pub location: Option<String>,
}

impl RegistryError {
    /// An error.
    pub fn error(code: &'static str, context: impl Into<String>) -> Self {
        Self { code: Cow::Borrowed(code), context: context.into(), severity: Severity::Error, location: None }
    }
    /// A warning.
    pub fn warning(code: &'static str, context: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, context) }
    }
    /// What a broken rule of the metadata becomes: rule, section, object and value are in its codeContext.
    pub fn from_violation(violation: &Violation, by: Answering) -> Self {
        let Violation { rule, section, class, object, value, message } = violation;
        let mut context = format!("{message} ({rule}; {section}): object {object:?}");
        if !value.is_empty() {
            context.push_str(&format!(", value {value:?}"));
        }
        Self::error(by.metadata(*class), context)
    }
    /// What a failure of the store becomes. The error itself goes to the log, under the trace id that the peer is told.
    pub fn from_store(error: &StoreError, by: Answering, trace: &str) -> Self {
        tracing::error!(%error, trace, "the store failed");
        let (code, text) = by.trouble(error.trouble());
        Self::error(code, format!("{text} (trace {trace})"))
    }
    /// The same with a location.
    pub fn at(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }
}

impl Severity {
    /// Its URN.
    pub fn urn(self) -> &'static str {
        match self {
            Self::Error => "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error",
            Self::Warning => "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Warning",
        }
    }
}

impl Status {
    /// The status that errors and results together make (ITI TF-3: Table 4.2.4.2-3): warnings alone are no errors.
    pub fn of(errors: &[RegistryError], results: bool) -> Self {
        match (errors.iter().any(|e| e.severity == Severity::Error), results) {
            (false, _) => Self::Success,
            (true, true) => Self::PartialSuccess,
            (true, false) => Self::Failure,
        }
    }
    /// Reads a status URN; some peers leave the `urn:…:` away or take the other namespace.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().rsplit(':').next() {
            Some("Success") => Some(Self::Success),
            Some("PartialSuccess") => Some(Self::PartialSuccess),
            Some("Failure") => Some(Self::Failure),
            _ => None,
        }
    }
    /// Its URN.
    pub fn urn(self) -> &'static str {
        match self {
            Self::Success => "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success",
            Self::PartialSuccess => "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess",
            Self::Failure => "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure",
        }
    }
}

/// A response that is only a status and errors: ITI-41, 42.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryResponse {
    /// The status.
    pub status: Status,
    /// Errors and warnings.
    pub errors: Vec<RegistryError>,
}

impl RegistryResponse {
    /// From errors: no PartialSuccess on submissions.
    pub fn from_errors(errors: Vec<RegistryError>) -> Self {
        Self { status: Status::of(&errors, false), errors }
    }
}

/// Reads the `status` attribute of any RegistryResponse.
pub(super) fn read_status(response: Element<'_>) -> Result<Status, Malformed> {
    let text = response.attr("status").unwrap_or_default();
    Status::parse(&text).ok_or_else(|| Malformed {
        rule: "response.status",
        section: "ITI TF-3: 4.2.4.2",
        problem: format!("{}/@status is {text:?}, which is no response status", response.local()),
    })
}

/// Reads the rs:RegistryErrorList of any RegistryResponse. An error without severity counts as an error.
pub(super) fn read_errors(response: Element<'_>) -> Vec<RegistryError> {
    let lists = response.children_named(Ns::RS, "RegistryErrorList");
    let errors = lists.flat_map(|list| list.children_named(Ns::RS, "RegistryError"));
    errors
        .take(limits::MAX_ERRORS_READ)
        .map(|error| RegistryError {
            code: Cow::Owned(error.attr("errorCode").unwrap_or_default().into_owned()),
            context: error.attr("codeContext").unwrap_or_default().into_owned(),
            severity: match error.attr("severity") {
                Some(text) if text.ends_with(":Warning") => Severity::Warning,
                _ => Severity::Error,
            },
            location: error.attr("location").filter(|l| !l.is_empty()).map(Cow::into_owned),
        })
        .collect()
}

/// Writes the rs:RegistryErrorList, if there are errors: at most [`limits::MAX_ERRORS_PER_ANSWER`], the worst first kept.
pub(super) fn write_errors(out: &mut Writer, errors: &[RegistryError]) {
    let Some(worst) = errors.iter().map(|e| e.severity).min_by_key(|s| *s == Severity::Warning) else {
        return;
    };
    out.start(Ns::RS, "RegistryErrorList").attr("highestSeverity", worst.urn());
    for error in errors.iter().take(limits::MAX_ERRORS_PER_ANSWER) {
        write_error(out, error);
    }
    if let Some(left) = errors.len().checked_sub(limits::MAX_ERRORS_PER_ANSWER).filter(|left| *left > 0) {
        let last = RegistryError {
            code: Cow::Borrowed(code::REGISTRY_ERROR),
            context: format!(
                "{left} more errors are not listed; an answer lists at most {}",
                limits::MAX_ERRORS_PER_ANSWER
            ),
            severity: worst,
            location: None,
        };
        write_error(out, &last);
    }
    out.end();
}

fn write_error(out: &mut Writer, error: &RegistryError) {
    out.start(Ns::RS, "RegistryError")
        .attr("errorCode", &error.code)
        .attr("codeContext", &error.context)
        .attr("severity", error.severity.urn())
        .attr_opt("location", error.location.as_deref())
        .end();
}
