//! The assertion that a message presents: the one in the one wsse:Security that is for us, within bounds, alone with its ID.

use std::time::Duration;

use jiff::Timestamp;

use super::refused::{HEADER, ID, LIMIT, Refused, TOKEN, VERSION};
use crate::limits;
use crate::wire::soap::Envelope;
use crate::wire::xml::{Element, Ns};

/// What an assertion is held against.
pub(super) struct Presented<'a> {
    pub(super) now: Timestamp,
    pub(super) skew: Duration,
    /// SHA-256 of the certificate that the sender of this very message has shown, lower-case hex.
    pub(super) holder: Option<&'a str>,
    pub(super) audiences: &'a [String],
}

/// Finds it. A token of another kind is refused rather than passed over: whoever sends one counts on it.
pub(super) fn assertion(envelope: &Envelope) -> Result<Option<Element<'_>>, Refused> {
    let mut headers = envelope.security();
    let Some(security) = headers.next() else { return Ok(None) };
    if headers.next().is_some() {
        return Err(HEADER.because("wsse:Security is there more than once"));
    }
    if let Some(other) = security.children().find(|child| is_other_token(*child)) {
        return Err(TOKEN.because(other.local()));
    }
    let mut assertions = security.children_named(Ns::SAML, "Assertion");
    match (assertions.next(), assertions.next()) {
        (assertion, None) => Ok(assertion),
        _ => Err(HEADER.because("wsse:Security holds more than one saml2:Assertion")),
    }
}

/// Tokens that stand for a user and are not read. Certificates, timestamps and signatures of the message stand for none.
fn is_other_token(element: Element<'_>) -> bool {
    let is_assertion = matches!(element.local(), "Assertion" | "EncryptedAssertion");
    let elsewhere = matches!(element.local(), "UsernameToken" | "SecurityTokenReference");
    is_assertion && !element.is(Ns::SAML, "Assertion") || elsewhere && element.ns() == Ns::WSSE
}

/// Checks what must be right before its signature is looked at.
pub(super) fn check(assertion: Element<'_>, envelope: &Envelope) -> Result<(), Refused> {
    if assertion.range().len() > limits::MAX_ASSERTION_BYTES {
        return Err(LIMIT.because(format!("it has more than {} bytes", limits::MAX_ASSERTION_BYTES)));
    }
    if assertion.attr("Version").as_deref() != Some("2.0") {
        return Err(VERSION.into());
    }
    let id = assertion.attr("ID").unwrap_or_default();
    if id.is_empty() || id.chars().count() > limits::MAX_ASSERTED_CHARS {
        return Err(ID.into());
    }
    // Nothing is looked up by an ID, so that a double could not mislead us; it misleads those who look at the message
    // before or after us. What carries IDs that count is in the header.
    let header = envelope.header().into_iter().flat_map(Element::descendants);
    let bearers = header.filter(|element| {
        element
            .attributes()
            .any(|attribute| attribute.local.eq_ignore_ascii_case("id") && attribute.value == id)
    });
    if bearers.count() == 1 { Ok(()) } else { Err(ID.into()) }
}
