//! RegistryErrors: codes, severities, the response status, and the one table that says what an error becomes
//! (ITI TF-3: 4.2.4).

use std::borrow::Cow;

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
    macro_rules! codes { ($($name:ident $text:literal;)*) => { $(#[doc = $text] pub const $name: &str = $text;)* } }
    codes! {
        UNRESOLVED_REFERENCE "UnresolvedReferenceException";
        DOCUMENT_UNIQUE_ID_ERROR "XDSDocumentUniqueIdError";
        DUPLICATE_UNIQUE_ID_IN_REGISTRY "XDSDuplicateUniqueIdInRegistry";
        EXTRA_METADATA_NOT_SAVED "XDSExtraMetadataNotSaved";
        MISSING_DOCUMENT "XDSMissingDocument";
        MISSING_DOCUMENT_METADATA "XDSMissingDocumentMetadata";
        MISSING_HOME_COMMUNITY_ID "XDSMissingHomeCommunityId";
        NON_IDENTICAL_HASH "XDSNonIdenticalHash";
        NON_IDENTICAL_SIZE "XDSNonIdenticalSize";
        PATIENT_ID_DOES_NOT_MATCH "XDSPatientIdDoesNotMatch";
        REGISTRY_BUSY "XDSRegistryBusy";
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
    }
}

/// A RegistryError.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// The same with a location.
    pub fn at(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
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
