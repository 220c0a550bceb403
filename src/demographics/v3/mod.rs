//! HL7 V3: Patient and Person of PRPA_MT201301 to 201310 as [`crate::demographics`] has them, read and written (ITI TF-2:
//! 3.44 to 3.47, 3.55; Appendix E).
//!
//! Whatever the schema lets be absent may be absent, and whatever it lets repeat may repeat (user pains 79, 81). A null
//! flavour says of a value that there is none: a feed takes it away, an answer does not have it.

mod address;
mod name;
mod person;
#[cfg(test)]
mod tests;

pub use address::{read_address, read_telecom, write_address, write_telecom};
pub use name::{read_name, write_name};
pub use person::{Detail, OtherIds, PatientContent, place_name, read_patient, write_person};

use std::borrow::Cow;

use super::{Authority, BirthTime, Identifier, Representation, Sex};
use crate::limits;
use crate::wire::xml::{Element, Ns, Writer};

/// AdministrativeGender.
const GENDER_CODES: &str = "2.16.840.1.113883.5.1";

/// A value that cannot be what its element says, or that exceeds a bound. Never says the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misread {
    /// The element, by its path below Patient or the query's parameter list.
    pub element: &'static str,
    /// What is wrong.
    pub why: String,
}

impl Misread {
    fn new(element: &'static str, why: impl Into<String>) -> Self {
        Self { element, why: why.into() }
    }
}

/// Whether an element says that it has no value: a null flavour, or xsi:nil.
pub fn is_null(element: Element<'_>) -> bool {
    let nil = element.attr_ns(Ns::XSI, "nil");
    element.attr("nullFlavor").is_some() || matches!(nil.as_deref().map(str::trim), Some("true" | "1"))
}

/// Its `value`, unless there is none.
pub fn value(element: Element<'_>) -> Option<Cow<'_, str>> {
    if is_null(element) {
        return None;
    }
    element.attr("value").filter(|value| !value.trim().is_empty())
}

/// An II as an identifier: `extension^^^&root&ISO` (ITI TF-2: App. E.1). None if it is null or names nothing.
pub fn read_identifier(ii: Element<'_>) -> Option<Identifier> {
    let id = ii.attr("extension").map(|id| id.trim().to_owned()).unwrap_or_default();
    let authority = read_authority(ii).unwrap_or_default();
    let nothing = is_null(ii) || (id.is_empty() && authority.is_empty());
    (!nothing).then(|| Identifier { id, authority, ..Identifier::default() })
}

/// An II that names a domain by its root; assigningAuthorityName is for people only.
pub fn read_authority(ii: Element<'_>) -> Option<Authority> {
    let root = ii.attr("root").filter(|_| !is_null(ii))?;
    let root = root.trim();
    let oid = root.strip_prefix("urn:oid:").unwrap_or(root);
    (!oid.is_empty()).then(|| Authority::of_oid(oid))
}

/// Writes an II.
pub fn write_id(out: &mut Writer, local: &str, root: &str, extension: Option<&str>) {
    out.start(Ns::HL7, local).attr("root", root).attr_opt("extension", extension).end();
}

/// An administrative gender. None if nothing is said; every code has a meaning (user pain 82).
pub fn read_sex(code: Element<'_>) -> Option<Sex> {
    if is_null(code) {
        return Some(Sex::Unknown);
    }
    let code = code.attr("code").filter(|code| !code.trim().is_empty())?;
    Some(match code.trim().to_ascii_uppercase().as_str() {
        "M" => Sex::Male,
        "F" => Sex::Female,
        "UN" | "O" => Sex::Other,
        _ => Sex::Unknown,
    })
}

/// Writes an administrative gender.
pub fn write_sex(out: &mut Writer, local: &str, sex: Sex) {
    let code = match sex {
        Sex::Male => "M",
        Sex::Female => "F",
        Sex::Other => "UN",
        Sex::Unknown => {
            out.start(Ns::HL7, local).attr("nullFlavor", "UNK").end();
            return;
        }
    };
    out.start(Ns::HL7, local).attr("code", code).attr("codeSystem", GENDER_CODES).end();
}

/// A TS. None if it is null.
pub fn read_birth(element: Element<'_>, path: &'static str) -> Result<Option<BirthTime>, Misread> {
    let Some(text) = value(element) else { return Ok(None) };
    let time = BirthTime::parse(&text);
    time.map(Some)
        .ok_or_else(|| Misread::new(path, "its value is no date of the form YYYY[MM[DD[hhmm[ss]]]]"))
}

/// Values that repeat, each read; those that are null or empty are left out.
fn read_all<'t, T>(
    elements: impl Iterator<Item = Element<'t>>,
    path: &'static str,
    read: impl Fn(Element<'t>) -> Option<T>,
) -> Result<Vec<T>, Misread> {
    bounded(elements.filter_map(read), path)
}

fn bounded<T>(values: impl Iterator<Item = T>, path: &'static str) -> Result<Vec<T>, Misread> {
    let values: Vec<T> = values.take(limits::MAX_PERSON_VALUES + 1).collect();
    if values.len() > limits::MAX_PERSON_VALUES {
        return Err(Misread::new(path, format!("it repeats more than {} times", limits::MAX_PERSON_VALUES)));
    }
    Ok(values)
}

/// The tokens of `use`: how something is written, and what it is for.
fn read_use(element: Element<'_>) -> (Option<Representation>, Vec<String>) {
    let tokens = element.attr("use").unwrap_or_default();
    let mut representation = None;
    let mut others = Vec::new();
    for token in tokens.split_ascii_whitespace() {
        match REPRESENTATIONS.iter().find(|(code, _)| *code == token) {
            Some((_, found)) => representation = representation.or(Some(*found)),
            None => others.push(token.to_owned()),
        }
    }
    (representation, others)
}

const REPRESENTATIONS: [(&str, Representation); 3] = [
    ("IDE", Representation::Ideographic),
    ("SYL", Representation::Phonetic),
    ("ABC", Representation::Alphabetic),
];

fn representation_code(representation: Option<Representation>) -> Option<&'static str> {
    let of = |wanted| REPRESENTATIONS.iter().find(|(_, known)| *known == wanted).map(|(code, _)| *code);
    representation.and_then(of)
}

/// Writes the tokens of `use`, if there are any.
fn write_use(out: &mut Writer, tokens: &[Option<&str>]) {
    let tokens: Vec<_> = tokens.iter().flatten().copied().filter(|token| !token.is_empty()).collect();
    if !tokens.is_empty() {
        out.attr("use", &tokens.join(" "));
    }
}

/// The texts of the parts of that name, joined by a space.
fn parts(element: Element<'_>, locals: &[&str]) -> String {
    let named = element.children().filter(|part| part.ns() == Ns::HL7 && locals.contains(&part.local()));
    let texts: Vec<_> =
        named.map(|part| part.text().trim().to_owned()).filter(|text| !text.is_empty()).collect();
    texts.join(" ")
}

/// Writes a part, unless it is empty.
fn write_part(out: &mut Writer, local: &str, text: &str) {
    if !text.is_empty() {
        out.leaf(Ns::HL7, local, text);
    }
}
