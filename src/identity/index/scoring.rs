//! Preparing and comparing records. Until the matching room is there: equal names and birthdays, nothing else.

use crate::demographics::Demographics;
use crate::identity::matching::{Comparison, Verdict};

use super::fold;

/// The form that is stored beside a record.
pub(super) fn prepare(person: &Demographics) -> Vec<u8> {
    let names = person.names.iter().map(|name| fold::text(&format!("{}|{}", name.family, name.given)));
    let birth = person.birth.as_ref().map_or("", |birth| birth.as_str());
    names.fold(birth.to_owned(), |all, name| format!("{all}\n{name}")).into_bytes()
}

/// Keys under which candidates are found.
pub(super) fn blocking_keys(prepared: &[u8], keys: &mut Vec<u64>) {
    let Some((birth, names)) = parts(prepared) else { return };
    keys.extend(names.iter().map(|name| fold::hash(&["block", birth, name])));
    keys.sort_unstable();
    keys.dedup();
}

/// Compares two prepared records.
pub(super) fn compare(a: &[u8], b: &[u8]) -> Comparison {
    let (Some((birth, names)), Some((other_birth, other_names))) = (parts(a), parts(b)) else {
        return Comparison { probability: 0.0, barred: true };
    };
    let named = names.iter().any(|name| other_names.contains(name));
    let born = !birth.is_empty() && birth == other_birth;
    Comparison { probability: if named && born { 1.0 } else { 0.0 }, barred: !named || !born }
}

/// Why: field by field.
pub(super) fn explain(a: &[u8], b: &[u8]) -> Vec<(String, String)> {
    let comparison = compare(a, b);
    vec![("all".to_owned(), if comparison.barred { "different" } else { "same" }.to_owned())]
}

/// What follows from a comparison.
pub(super) fn verdict(comparison: &Comparison) -> Verdict {
    match comparison {
        Comparison { probability, barred: false } if *probability >= 0.99 => Verdict::Same,
        Comparison { probability, .. } if *probability >= 0.5 => Verdict::Review,
        _ => Verdict::Different,
    }
}

fn parts(prepared: &[u8]) -> Option<(&str, Vec<&str>)> {
    let mut lines = std::str::from_utf8(prepared).ok()?.lines();
    Some((lines.next()?, lines.collect()))
}
