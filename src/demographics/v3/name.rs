//! EN and PN (HL7 V3 data types R1, ITI TF-2: App. E): names with parts, or as one text.

use super::{is_null, parts, read_use, representation_code, write_part, write_use};
use crate::demographics::{Name, NameKind};
use crate::wire::xml::{Element, Ns, Writer};

/// name/@use. Others are [`NameKind::Other`], none is a legal name.
const KINDS: [(&str, NameKind); 5] = [
    ("L", NameKind::Legal),
    ("SRCH", NameKind::Search),
    ("P", NameKind::Alias),
    ("A", NameKind::Alias),
    ("BR", NameKind::Birth),
];
/// family/@qualifier of a name at birth, which has no code of its own in name/@use of NE2008.
const AT_BIRTH: &str = "BR";

/// Reads a name. None if it is null or empty.
pub fn read_name(element: Element<'_>) -> Option<Name> {
    if is_null(element) {
        return None;
    }
    let (representation, uses) = read_use(element);
    let given = |part: &Element<'_>| part.is(Ns::HL7, "given");
    let mut given = element.children().filter(given).map(|part| part.text().trim().to_owned());
    let mut name = Name {
        representation,
        kind: kind(element, &uses),
        family: parts(element, &["family"]),
        given: given.by_ref().find(|text| !text.is_empty()).unwrap_or_default(),
        further: given.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" "),
        prefix: parts(element, &["prefix"]),
        suffix: parts(element, &["suffix"]),
    };
    if name.family.is_empty() && name.given.is_empty() {
        name.divide(element.text().trim());
    }
    (!name.family.is_empty() || !name.given.is_empty()).then_some(name)
}

fn kind(element: Element<'_>, uses: &[String]) -> NameKind {
    let birth = |part: Element<'_>| {
        part.attr("qualifier").is_some_and(|all| all.split_ascii_whitespace().any(|code| code == AT_BIRTH))
    };
    if element.children_named(Ns::HL7, "family").any(birth) {
        return NameKind::Birth;
    }
    let known = KINDS.iter().find(|(code, _)| uses.iter().any(|given| given == code));
    match known {
        Some((_, kind)) => *kind,
        None if uses.is_empty() => NameKind::Legal,
        None => NameKind::Other,
    }
}

/// Writes a name as the content of an element of that name, `name` or `value`.
pub fn write_name(out: &mut Writer, local: &str, name: &Name) {
    let representation = representation_code(name.representation);
    let kind = match name.kind {
        // A representation alone is what peers look for; a legal name needs to say so only without it.
        NameKind::Legal => Some("L").filter(|_| representation.is_none()),
        NameKind::Search => Some("SRCH"),
        NameKind::Alias => Some("P"),
        NameKind::Birth | NameKind::Other => None,
    };
    out.start(Ns::HL7, local);
    write_use(out, &[kind, representation]);
    write_part(out, "prefix", &name.prefix);
    if !name.family.is_empty() {
        out.start(Ns::HL7, "family");
        out.attr_opt("qualifier", Some(AT_BIRTH).filter(|_| name.kind == NameKind::Birth));
        out.text(&name.family).end();
    }
    write_part(out, "given", &name.given);
    for further in name.further.split_ascii_whitespace() {
        write_part(out, "given", further);
    }
    write_part(out, "suffix", &name.suffix);
    out.end();
}
