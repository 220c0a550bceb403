//! The attributes of a verified assertion. Issuers differ in names, in case, and in how they write a coded value: as HL7's
//! element, as its escaped text, or as text alone; all are read, and what is repeated within an attribute, across attributes
//! and across statements is one list (ITI TF-2: 3.40.4.1.2).

use bytes::Bytes;

use super::refused::{LIMIT, Refused};
use super::signature::Verified;
use crate::ids::HomeCommunityId;
use crate::limits;
use crate::transactions::{Coded, User};
use crate::wire::xml::{Element, Ns, Tree};

/// Where the values of an attribute go.
enum Goes {
    Texts(fn(&mut User) -> &mut Vec<String>),
    Codes(fn(&mut User) -> &mut Vec<Coded>),
    Communities,
}

/// Attributes by their names in lower case.
const ATTRIBUTES: [(&str, Goes); 18] = [
    ("urn:oasis:names:tc:xspa:1.0:subject:subject-id", Goes::Texts(|user| &mut user.names)),
    ("urn:oasis:names:tc:xacml:1.0:subject:subject-id", Goes::Texts(|user| &mut user.names)),
    ("urn:oasis:names:tc:xspa:1.0:subject:organization", Goes::Texts(|user| &mut user.organizations)),
    ("urn:oasis:names:tc:xspa:1.0:subject:organization-id", Goes::Texts(|user| &mut user.organization_ids)),
    ("urn:ihe:iti:xca:2010:homecommunityid", Goes::Communities),
    ("urn:nhin:names:saml:homecommunityid", Goes::Communities),
    ("urn:oasis:names:tc:xacml:2.0:subject:role", Goes::Codes(|user| &mut user.roles)),
    ("urn:oasis:names:tc:xspa:1.0:subject:role", Goes::Codes(|user| &mut user.roles)),
    ("urn:oasis:names:tc:xspa:1.0:subject:purposeofuse", Goes::Codes(|user| &mut user.purposes)),
    ("urn:oasis:names:tc:xacml:2.0:action:purpose", Goes::Codes(|user| &mut user.purposes)),
    ("urn:nhin:names:saml:purposeofuse", Goes::Codes(|user| &mut user.purposes)),
    ("urn:oasis:names:tc:xspa:1.0:subject:npi", Goes::Codes(|user| &mut user.provider_ids)),
    ("urn:oasis:names:tc:xspa:2.0:subject:npi", Goes::Codes(|user| &mut user.provider_ids)),
    ("urn:ihe:iti:xua:2017:subject:provider-identifier", Goes::Codes(|user| &mut user.provider_ids)),
    ("urn:oasis:names:tc:xacml:2.0:resource:resource-id", Goes::Texts(|user| &mut user.patients)),
    ("urn:oasis:names:tc:xacml:1.0:resource:resource-id", Goes::Texts(|user| &mut user.patients)),
    ("urn:ihe:iti:bppc:2007:docid", Goes::Texts(|user| &mut user.consents)),
    ("urn:ihe:iti:xua:2012:acp", Goes::Texts(|user| &mut user.policies)),
];

/// Reads all that are known into a user; others say nothing to us.
pub(super) fn read(verified: Verified<'_>, user: &mut User) -> Result<(), Refused> {
    let statements = verified.assertion().children_named(Ns::SAML, "AttributeStatement");
    let attributes = statements.flat_map(|statement| statement.children_named(Ns::SAML, "Attribute"));
    let values = attributes.flat_map(|attribute| {
        let name = attribute.attr("Name").unwrap_or_default().trim().to_ascii_lowercase();
        attribute.children_named(Ns::SAML, "AttributeValue").map(move |value| (name.clone(), value))
    });
    for (count, (name, value)) in values.enumerate() {
        if count >= limits::MAX_ASSERTED_VALUES {
            return Err(LIMIT.because(format!("more than {} attribute values", limits::MAX_ASSERTED_VALUES)));
        }
        let Some((_, goes)) = ATTRIBUTES.iter().find(|(known, _)| *known == name) else { continue };
        match goes {
            Goes::Texts(list) => list(user).extend(text(value)?),
            Goes::Codes(list) => list(user).extend(coded(value)?),
            Goes::Communities => {
                user.communities.extend(text(value)?.and_then(|home| HomeCommunityId::parse(&home).ok()));
            }
        }
    }
    // Some write CX escaped twice.
    user.patients.iter_mut().for_each(|patient| *patient = patient.replace("&amp;", "&"));
    Ok(())
}

/// A text without white space around it, within bounds.
pub(super) fn bounded(text: &str) -> Result<String, Refused> {
    let (text, most) = (text.trim(), limits::MAX_ASSERTED_CHARS);
    if text.chars().nth(most).is_some() {
        return Err(LIMIT.because(format!("a value has more than {most} characters")));
    }
    Ok(text.to_owned())
}

/// A value's text; None where there is none, which some say by `xsi:nil`.
fn text(value: Element<'_>) -> Result<Option<String>, Refused> {
    Ok(Some(bounded(&value.text())?).filter(|text| !text.is_empty()))
}

/// A coded value or identifier, in any of its three forms.
fn coded(value: Element<'_>) -> Result<Option<Coded>, Refused> {
    if let Some(child) = value.children().next() {
        return attributes_of(child);
    }
    let text = value.text();
    let text = text.trim();
    if !text.starts_with('<') {
        let plain = bounded(text)?;
        return Ok(Some(plain)
            .filter(|code| !code.is_empty())
            .map(|code| Coded { code, ..Coded::default() }));
    }
    // It is within the verified node. Some use `xsi:` without declaring it.
    let escaped = format!("<v xmlns:xsi=\"{}\">{text}</v>", Ns::XSI.uri());
    match Tree::parse(Bytes::from(escaped)) {
        Ok(tree) => tree.root().children().next().map_or(Ok(None), attributes_of),
        Err(_) => Ok(None),
    }
}

fn attributes_of(element: Element<'_>) -> Result<Option<Coded>, Refused> {
    let one = |names: [&str; 2]| names.into_iter().find_map(|name| element.attr(name)).unwrap_or_default();
    let code = bounded(&one(["code", "extension"]))?;
    let system = bounded(&one(["codeSystem", "root"]))?;
    let display = element.attr("displayName").map(|display| bounded(&display)).transpose()?;
    let system = system.strip_prefix("urn:oid:").unwrap_or(&system).to_owned();
    Ok((!code.is_empty()).then_some(Coded { code, system, display }))
}
