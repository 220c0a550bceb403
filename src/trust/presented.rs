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

/// Finds it. A token of another kind in its place is refused rather than passed over: whoever sends one counts on it.
pub(super) fn assertion(envelope: &Envelope) -> Result<Option<Element<'_>>, Refused> {
    let mut headers = envelope.security();
    let Some(security) = headers.next() else { return Ok(None) };
    if headers.next().is_some() {
        return Err(HEADER.because("wsse:Security is there more than once"));
    }
    let mut assertions = security.children_named(Ns::SAML, "Assertion");
    let assertion = assertions.next();
    if assertions.next().is_some() {
        return Err(HEADER.because("wsse:Security holds more than one saml2:Assertion"));
    }
    let other = security.children().find(|token| stands_for_a_user(*token, assertion.is_some()));
    other.map_or(Ok(assertion), |other| Err(TOKEN.because(other.local())))
}

/// Whether a token stands for a user and is not read. Beside an assertion, only another one does: some stacks refer to it
/// there, or name an application. Certificates, timestamps and signatures of the message stand for nobody.
fn stands_for_a_user(token: Element<'_>, beside_an_assertion: bool) -> bool {
    match token.local() {
        "Assertion" | "EncryptedAssertion" => !token.is(Ns::SAML, "Assertion"),
        "UsernameToken" | "SecurityTokenReference" => token.ns() == Ns::WSSE && !beside_an_assertion,
        _ => false,
    }
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
