//! HL7 v2: PID, MRG, PV1 and their data types (CX, XPN, XAD, XTN) as [`crate::demographics`] has them, read and written
//! (HL7 2.3.1 and 2.5, chapters 2.A and 3; ITI TF-2: 3.8, 3.21, 3.22). The structures of both versions are read alike: what
//! 2.5 added stands behind what 2.3.1 had.

mod name;
mod person;
mod place;
mod telecom;
#[cfg(test)]
mod tests;
mod visit;

pub use person::{change, set_change, set_person};
pub use visit::{set_visit, visit};

use super::{Authority, Domains, Identifier, Validity};
use crate::ids::PatientId;
use crate::time::days_of;
use crate::wire::hl7v2::{Component, Field, Repetition, Value};

/// A field that holds what its type does not allow: PID or PV1, and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongType(pub &'static str, pub u16);

/// PID-3, MRG-1: all repetitions, so that each keeps its number; an empty one has an empty id.
pub fn identifiers(field: Field<'_>) -> Vec<Identifier> {
    field.repetitions().map(identifier).collect()
}

/// A CX.
pub fn identifier(cx: Repetition<'_>) -> Identifier {
    let days = |component| days_of(&cx.component(component).value());
    Identifier {
        id: text(cx, 1),
        authority: authority(cx.component(4)),
        type_code: text(cx, 5),
        validity: Validity::between(days(7), days(8)),
    }
}

/// An HD within a field, such as CX-4.
pub fn authority(hd: Component<'_>) -> Authority {
    let part = |number| hd.subcomponent(number).trim().to_owned();
    Authority { namespace: part(1), universal_id: part(2), universal_id_type: part(3) }
}

/// A CX as it was told us.
pub fn cx(identifier: &Identifier) -> Value {
    let Identifier { id, authority, type_code, .. } = identifier;
    Value::from([id.as_str(), "", ""]).subcomponents(parts(authority)).component(type_code.as_str())
}

/// A patient's CX with all three parts of its authority, as ours must have (ITI TF-2: 3.9.4.2.2.6).
pub fn patient_cx(patient: &PatientId, domains: &Domains) -> Value {
    let oid = patient.authority().as_str();
    let namespace = domains.by_oid(oid).map_or("", |domain| domain.namespace.as_str());
    Value::from([patient.id(), "", ""]).subcomponents([namespace, oid, "ISO"])
}

fn parts(authority: &Authority) -> [&str; 3] {
    [&authority.namespace, &authority.universal_id, &authority.universal_id_type]
}

/// A component's text, without blanks around it.
fn text(repetition: Repetition<'_>, component: usize) -> String {
    repetition.component(component).value().trim().to_owned()
}

/// Code of a table in an HL7 field and what it stands for in our model.
type Codes<T> = &'static [(&'static str, T)];

/// What a code stands for.
fn meaning<T: Copy>(codes: Codes<T>, code: &str) -> Option<T> {
    codes.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)).map(|(_, meaning)| *meaning)
}

/// The first code that stands for something.
fn code<T: PartialEq>(codes: Codes<T>, meaning: &T) -> &'static str {
    codes.iter().find(|(_, known)| known == meaning).map_or("", |(code, _)| code)
}

/// HL7 table 4000: how names and addresses are written.
const REPRESENTATIONS: Codes<super::Representation> = &[
    ("I", super::Representation::Ideographic),
    ("P", super::Representation::Phonetic),
    ("A", super::Representation::Alphabetic),
];
