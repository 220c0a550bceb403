//! Keys by which questions are narrowed down: what an exact question names must be equal, so one such key suffices.

use super::fold;
use crate::demographics::{BirthRange, Demographics, Name, NameKind, Telecom};
use crate::transactions::identity::DemographicsQuery;

/// Appends the keys of a person's current values.
pub(super) fn of(person: &Demographics, keys: &mut Vec<u64>) {
    for name in &person.names {
        let (family, given) = (fold::text(&name.family), fold::text(&name.given));
        if !family.is_empty() {
            keys.push(fold::hash(&["family", &family]));
            keys.push(fold::hash(&["begins", &beginning(&family)]));
        }
        if !given.is_empty() {
            keys.push(fold::hash(&["name", &family, &given]));
            keys.push(fold::hash(&["given", &given]));
        }
    }
    if let Some(birth) = &person.birth {
        keys.push(fold::hash(&["birth", birth.as_str().get(..8).unwrap_or(birth.as_str())]));
    }
    keys.extend(person.telecoms.iter().filter_map(telecom));
}

/// Sets of keys, of each of which every fitting record has one. The most selective come first.
pub(super) fn of_query(query: &DemographicsQuery) -> Vec<Vec<u64>> {
    let mut sets = Vec::new();
    let mut add = |keys: Vec<Option<u64>>| {
        if !keys.is_empty() {
            sets.extend(keys.into_iter().collect::<Option<Vec<u64>>>());
        }
    };
    add(query.telecoms.iter().map(telecom).collect());
    add(query.names.iter().map(name).collect());
    if let Some(BirthRange::Within(birth)) = &query.birth {
        // A year or month has no key: records have the key of what they know.
        add(vec![birth.date().map(|day| fold::hash(&["birth", day]))]);
    }
    sets
}

/// A name's most selective key; None if it gives too little.
fn name(name: &Name) -> Option<u64> {
    let part = |text: &str| {
        let open = name.kind == NameKind::Search || text.ends_with('*');
        (fold::text(text.trim_end_matches('*')), open)
    };
    let ((family, family_open), (given, given_open)) = (part(&name.family), part(&name.given));
    match (family.is_empty(), given.is_empty()) {
        (false, false) if !family_open && !given_open => Some(fold::hash(&["name", &family, &given])),
        (false, _) if family_open => Some(fold::hash(&["begins", &beginning(&family)])),
        (false, _) => Some(fold::hash(&["family", &family])),
        (true, false) if !given_open => Some(fold::hash(&["given", &given])),
        _ => None,
    }
}

fn telecom(telecom: &Telecom) -> Option<u64> {
    let number = fold::digits(&telecom.value);
    (!telecom.mail && number.len() >= 4).then(|| fold::hash(&["telecom", &number]))
}

fn beginning(family: &str) -> String {
    family.chars().take(1).collect()
}
