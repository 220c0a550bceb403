//! XPN (HL7 2.5, 2.A.88). Japanese practice: one repetition for each script, XPN-8 says which
//! (`患者^太郎^^^^^L^I~カンジャ^タロウ^^^^^L^P`).

use super::{Codes, REPRESENTATIONS, code, meaning, text};
use crate::demographics::{Name, NameKind};
use crate::wire::hl7v2::{Repetition, Value};

/// HL7 table 0200. Of codes with one meaning, the first is written.
const KINDS: Codes<NameKind> = &[
    ("L", NameKind::Legal),
    ("", NameKind::Legal),
    ("B", NameKind::Birth),
    ("M", NameKind::Birth),
    ("A", NameKind::Alias),
    ("N", NameKind::Alias),
    ("S", NameKind::Alias),
    ("U", NameKind::Other),
];

/// A name, which some send whole in XPN-1 (`山田　花子`); None where nothing of it is said (`^^^^^^S`: there is one, and it is not told).
pub(super) fn name(xpn: Repetition<'_>) -> Option<Name> {
    let mut name = Name {
        representation: meaning(REPRESENTATIONS, &text(xpn, 8)),
        kind: meaning(KINDS, &text(xpn, 7)).unwrap_or(NameKind::Other),
        family: text(xpn, 1),
        given: text(xpn, 2),
        further: text(xpn, 3),
        suffix: text(xpn, 4),
        prefix: text(xpn, 5),
    };
    if name.given.is_empty() && name.further.is_empty() {
        let whole = std::mem::take(&mut name.family);
        name.divide(&whole);
    }
    let parts = [&name.family, &name.given, &name.further];
    parts.iter().any(|part| !part.is_empty()).then_some(name)
}

pub(super) fn xpn(name: &Name) -> Value {
    let kind = code(KINDS, if name.kind == NameKind::Search { &NameKind::Other } else { &name.kind });
    let representation = name.representation.map_or("", |script| code(REPRESENTATIONS, &script));
    let Name { family, given, further, suffix, prefix, .. } = name;
    Value::from([family, given, further, suffix, prefix, "", kind, representation])
}
