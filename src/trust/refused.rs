//! Why an assertion is not taken: one table of rules, and which fault of WS-Security each of them is (SOAP Message Security
//! 1.1, 12; SAML Token Profile 1.1, 3.6). A fault says what is wrong and by which rule, and repeats nothing of the
//! assertion, which may be somebody's name.

use crate::wire::soap::Fault;

/// A rule that an assertion may break.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// A stable name, for faults, logs and metrics.
    pub name: &'static str,
    /// The fault's subcode in the namespace of wsse.
    pub code: &'static str,
    /// What is wrong.
    pub problem: &'static str,
    /// Where it stands.
    pub section: &'static str,
}

/// An assertion that is not taken, or is missing. Nothing of the message was acted on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{} ({}; {})", rule.problem, detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default(), rule.name, rule.section)]
pub struct Refused {
    /// Which rule it breaks.
    pub rule: &'static Rule,
    /// What exactly, from our own words and configuration.
    pub detail: Option<String>,
}

impl Rule {
    pub(super) fn because(&'static self, detail: impl Into<String>) -> Refused {
        Refused { rule: self, detail: Some(detail.into()) }
    }
}

impl From<&'static Rule> for Refused {
    fn from(rule: &'static Rule) -> Self {
        Self { rule, detail: None }
    }
}

impl Refused {
    /// The fault that the sender is told.
    pub fn fault(&self) -> Fault {
        Fault::security(self.rule.code, self.to_string())
    }
}

macro_rules! rules {
    ($($const:ident $name:literal $code:literal $section:literal $problem:literal;)*) => {
        $(pub(super) const $const: &Rule = &Rule { name: $name, code: $code, section: $section, problem: $problem };)*
        /// All of them.
        pub const RULES: &[&Rule] = &[$($const),*];
    };
}

rules! {
    MISSING "xua.missing" "SecurityTokenUnavailable" "ITI TF-2: 3.40.4.1.2"
        "this request needs a SAML 2.0 assertion in wsse:Security, and has none";
    HEADER "xua.header" "InvalidSecurity" "WS-Security 1.1: 5; SAML Token Profile 1.1: 3.3"
        "one wsse:Security with one saml2:Assertion is read, and there are more";
    TOKEN "xua.token" "UnsupportedSecurityToken" "ITI TF-2: 3.40.4.1.2"
        "the token is not a SAML 2.0 assertion in clear text";
    VERSION "xua.version" "UnsupportedSecurityToken" "SAML 2.0 Core: 2.3.3"
        "the assertion's Version is not 2.0";
    LIMIT "xua.limit" "InvalidSecurityToken" "docs/xua.md"
        "the assertion exceeds a limit of this gateway";
    SHAPE "xua.shape" "InvalidSecurityToken" "SAML 2.0 Core: 2.3.3"
        "the assertion lacks, or repeats, what it must have once";
    ID "xua.id" "InvalidSecurityToken" "SAML 2.0 Core: 1.3.4"
        "the assertion's ID is missing, or another element of the SOAP header has it, too";
    UNSIGNED "xua.unsigned" "FailedCheck" "SAML 2.0 Core: 5.4; ITI TF-2: 3.40.4.1.3"
        "the assertion has no signature of its own (one ds:Signature as its child)";
    SIGNATURE_FORM "xua.signature.form" "FailedCheck" "SAML 2.0 Core: 5.4; docs/xua.md"
        "the signature is not of the one form that is read";
    ALGORITHM "xua.algorithm" "UnsupportedAlgorithm" "SAML 2.0 Core: 5.4; docs/xua.md"
        "the signature uses an algorithm that is not taken";
    REFERENCE "xua.reference" "FailedCheck" "SAML 2.0 Core: 5.4.2"
        "the signature refers to something else than the assertion that it stands in";
    ISSUER "xua.issuer" "InvalidSecurityToken" "ITI TF-2: 3.40.4.1.3"
        "this gateway is not configured to trust the assertion's Issuer";
    ISSUER_CERTIFICATE "xua.issuer.certificate" "InvalidSecurityToken" "ITI TF-2: 3.40.4.1.3"
        "no certificate that this gateway has of the assertion's Issuer is valid today";
    DIGEST "xua.digest" "FailedCheck" "XML Signature: 3.2.1"
        "the assertion is not what was signed: it was changed on its way";
    SIGNATURE "xua.signature" "FailedCheck" "XML Signature: 3.2.2"
        "the signature was not made with the key of a certificate that this gateway has of the Issuer";
    NOT_BEFORE "xua.not-before" "InvalidSecurityToken" "SAML 2.0 Core: 2.5.1.2"
        "the assertion is not valid yet";
    EXPIRED "xua.expired" "InvalidSecurityToken" "SAML 2.0 Core: 2.5.1.2"
        "the assertion is not valid any more";
    INSTANT "xua.instant" "InvalidSecurityToken" "SAML 2.0 Core: 1.3.3, 2.5.1.2"
        "a time of the assertion is missing, or is no UTC dateTime";
    CONDITION "xua.condition" "UnsupportedSecurityToken" "SAML 2.0 Core: 2.5.1; SAML Token Profile 1.1: 3.6"
        "the assertion has a condition that is not understood";
    AUDIENCE "xua.audience" "FailedAuthentication" "SAML 2.0 Core: 2.5.1.4; ITI TF-2: 3.40.4.1.2"
        "the assertion is for somebody else than this gateway";
    SUBJECT "xua.subject" "InvalidSecurityToken" "SAML 2.0 Core: 2.4.1; ITI TF-2: 3.40.4.1.2"
        "the assertion's Subject has no NameID in clear text";
    CONFIRMATION "xua.confirmation" "FailedAuthentication" "SAML 2.0 Core: 2.4.1.1; ITI TF-2: 3.40.4.1.2"
        "no SubjectConfirmation holds: bearer and holder-of-key are read";
    HOLDER "xua.holder-of-key" "FailedAuthentication" "SAML 2.0 Profiles: 3.1"
        "the assertion is for the holder of a key, and the sender of this message has not shown that certificate";
    AUTHENTICATION "xua.authentication" "InvalidSecurityToken" "ITI TF-2: 3.40.4.1.2"
        "the assertion has no AuthnStatement with AuthnContextClassRef or AuthnContextDeclRef";
}
