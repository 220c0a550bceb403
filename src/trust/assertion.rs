//! What a verified assertion says, and whether it holds here and now: conditions, the confirmation of its subject, how the
//! user proved who they are (ITI TF-2: 3.40.4.1.2; SAML 2.0 Core, 2.4 to 2.7). All of it is read from the verified node.

use openssl::hash::{MessageDigest, hash};

use super::attributes;
use super::instant;
use super::issuer::issuer_name;
use super::presented::Presented;
use super::refused::{
    AUDIENCE, AUTHENTICATION, CONDITION, CONFIRMATION, HOLDER, LIMIT, Refused, SHAPE, SUBJECT,
};
use super::signature::{Verified, binary};
use crate::limits;
use crate::transactions::User;
use crate::wire::xml::{Element, Ns};

const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
const HOLDER_OF_KEY: &str = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key";
/// Says for whom a delegate acts; whom it names is not read yet (SAML 2.0 Condition for Delegation Restriction).
const DELEGATION: (&str, &str) =
    ("urn:oasis:names:tc:SAML:2.0:conditions:delegation", "DelegationRestrictionType");

/// The user of an assertion that holds.
pub(super) fn read(verified: Verified<'_>, presented: &Presented<'_>) -> Result<User, Refused> {
    let assertion = verified.assertion();
    conditions(once(assertion, "Conditions")?, presented)?;
    let subject = once(assertion, "Subject")?;
    confirmed(subject, presented)?;
    let mut user = User {
        issuer: issuer_name(assertion)?,
        authentication: authenticated(assertion, presented)?,
        ..named(subject)?
    };
    attributes::read(verified, &mut user)?;
    Ok(user)
}

/// The one child of that name.
fn once<'t>(parent: Element<'t>, name: &'static str) -> Result<Element<'t>, Refused> {
    let mut children = parent.children_named(Ns::SAML, name);
    match (children.next(), children.next()) {
        (Some(child), None) => Ok(child),
        _ => Err(SHAPE.because(format!("saml2:{name}"))),
    }
}

/// All children of that name, as many as there may be.
fn several<'t>(parent: Element<'t>, name: &'static str) -> Result<Vec<Element<'t>>, Refused> {
    let most = limits::MAX_ASSERTION_PARTS;
    let all: Vec<_> = parent.children_named(Ns::SAML, name).take(most + 1).collect();
    if all.len() > most { Err(LIMIT.because(format!("more than {most} saml2:{name}"))) } else { Ok(all) }
}

/// Every condition must hold, and be understood (SAML 2.0 Core, 2.5.1). OneTimeUse and ProxyRestriction are passed over, as
/// the Technical Framework allows: this gateway passes no assertion on.
fn conditions(conditions: Element<'_>, presented: &Presented<'_>) -> Result<(), Refused> {
    instant::check_ended(conditions, presented.now, presented.skew)?;
    let restrictions = several(conditions, "AudienceRestriction")?;
    let is_known = |condition: Element<'_>| match condition.local() {
        _ if condition.ns() != Ns::SAML => false,
        "AudienceRestriction" | "OneTimeUse" | "ProxyRestriction" => true,
        "Condition" => is_delegation(condition),
        _ => false,
    };
    if !conditions.children().all(is_known) {
        return Err(CONDITION.into());
    }
    for restriction in &restrictions {
        let audiences = several(*restriction, "Audience")?;
        let is_ours =
            |audience: &Element<'_>| presented.audiences.iter().any(|own| *own == audience.text().trim());
        if !audiences.iter().any(is_ours) {
            return Err(AUDIENCE.because(our_names(presented)));
        }
    }
    if restrictions.is_empty() { Err(AUDIENCE.because(our_names(presented))) } else { Ok(()) }
}

fn our_names(presented: &Presented<'_>) -> String {
    format!("AudienceRestriction must name {}", presented.audiences.join(" or "))
}

fn is_delegation(condition: Element<'_>) -> bool {
    let kind = condition.attr_ns(Ns::XSI, "type").unwrap_or_default();
    let (prefix, local) = kind.trim().split_once(':').unwrap_or(("", kind.trim()));
    condition.resolve_prefix(prefix).is_some_and(|uri| (uri, local) == DELEGATION)
}

/// One confirmation must hold: whoever sends the message is the subject, or may act for it (SAML 2.0 Core, 2.4.1.1).
fn confirmed(subject: Element<'_>, presented: &Presented<'_>) -> Result<(), Refused> {
    let mut problem = Refused::from(CONFIRMATION);
    for confirmation in several(subject, "SubjectConfirmation")? {
        match confirms(confirmation, presented) {
            Ok(()) => return Ok(()),
            Err(why) => problem = why,
        }
    }
    Err(problem)
}

fn confirms(confirmation: Element<'_>, presented: &Presented<'_>) -> Result<(), Refused> {
    let data = confirmation.child(Ns::SAML, "SubjectConfirmationData");
    if let Some(data) = data {
        instant::check(data, presented.now, presented.skew)?;
    }
    match confirmation.attr("Method").as_deref().map(str::trim) {
        Some(BEARER) => Ok(()),
        Some(HOLDER_OF_KEY) => held(data, presented.holder),
        _ => Err(CONFIRMATION.into()),
    }
}

/// The certificate in the KeyInfo must be the one that was shown on this very connection: byte for byte, since another one
/// with the same name or key is another holder's, or of another time.
fn held(data: Option<Element<'_>>, shown: Option<&str>) -> Result<(), Refused> {
    let Some(shown) = shown else { return Err(HOLDER.because("it came without mutual TLS")) };
    let infos = data.into_iter().flat_map(|data| data.children_named(Ns::DS, "KeyInfo"));
    let held = infos
        .flat_map(|info| info.children_named(Ns::DS, "X509Data"))
        .flat_map(|data| data.children_named(Ns::DS, "X509Certificate"))
        .take(limits::MAX_ASSERTION_PARTS)
        .collect::<Vec<_>>();
    if held.is_empty() {
        return Err(HOLDER.because("SubjectConfirmationData has no KeyInfo with an X509Certificate"));
    }
    for certificate in held {
        let digest =
            hash(MessageDigest::sha256(), &binary(certificate)?).map_err(|_| Refused::from(HOLDER))?;
        if digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>() == shown {
            return Ok(());
        }
    }
    Err(HOLDER.because("the TLS client certificate is another one"))
}

/// Who it is about.
fn named(subject: Element<'_>) -> Result<User, Refused> {
    let mut names = subject.children_named(Ns::SAML, "NameID");
    let (Some(name), None) = (names.next(), names.next()) else { return Err(SUBJECT.into()) };
    let attribute = |local| name.attr(local).map(|value| attributes::bounded(&value)).transpose();
    let user = User {
        name_id: attributes::bounded(&name.text())?,
        name_id_format: attribute("Format")?,
        name_qualifier: attribute("NameQualifier")?,
        alias: attribute("SPProvidedID")?,
        ..User::default()
    };
    if user.name_id.is_empty() { Err(SUBJECT.into()) } else { Ok(user) }
}

/// How they proved it: at least once, and in sessions that have not ended.
fn authenticated(assertion: Element<'_>, presented: &Presented<'_>) -> Result<Vec<String>, Refused> {
    let mut classes = Vec::new();
    for statement in several(assertion, "AuthnStatement")? {
        instant::check(statement, presented.now, presented.skew)?;
        let contexts = statement.children_named(Ns::SAML, "AuthnContext").flat_map(Element::children);
        let named = contexts.filter(|class| {
            class.is(Ns::SAML, "AuthnContextClassRef") || class.is(Ns::SAML, "AuthnContextDeclRef")
        });
        for class in named.take(limits::MAX_ASSERTION_PARTS) {
            classes.push(attributes::bounded(&class.text())?);
        }
    }
    classes.retain(|class| !class.is_empty());
    if classes.is_empty() { Err(AUTHENTICATION.into()) } else { Ok(classes) }
}
