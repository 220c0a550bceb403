//! Keys by which questions are narrowed down: what an exact question names must be equal, so one such key suffices.

use std::collections::BTreeSet;

use super::fold;
use crate::demographics::{BirthRange, BirthTime, Demographics, Name, NameKind, Telecom};
use crate::limits::MAX_BIRTH_DAYS;
use crate::transactions::identity::DemographicsQuery;

/// Numbers that a month has here, 0 among them.
const DAYS: u32 = 32;

/// The keys of a person's current values, none twice.
pub(super) fn of(person: &Demographics, keys: &mut Vec<u64>) {
    keys.clear();
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
    keys.sort_unstable();
    keys.dedup();
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
    if let Some(births) = query.birth.as_ref().and_then(births) {
        sets.push(births.iter().map(|birth| fold::hash(&["birth", birth])).collect());
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

/// All that records may know of a birth within a range: its days, their months and years, and nothing else. None if the
/// range is open or too long.
fn births(range: &BirthRange) -> Option<BTreeSet<String>> {
    let (low, high) = match range {
        BirthRange::Within(birth) => (birth, birth),
        BirthRange::Between(low, high) => (low.as_ref()?, high.as_ref()?),
    };
    let number = |birth: &BirthTime, month: u16, day: u16| {
        let (month, day) = (birth.month().unwrap_or(month), birth.day().unwrap_or(day));
        (u32::from(birth.year()) * 12 + u32::from(month.saturating_sub(1))) * DAYS + u32::from(day)
    };
    let days = number(low, 1, 1)..=number(high, 12, 31);
    if days.end().saturating_sub(*days.start()) > MAX_BIRTH_DAYS {
        return None;
    }
    let mut births = BTreeSet::new();
    // Days that no calendar has find nobody.
    for number in days.filter(|number| number % DAYS != 0) {
        let (month, day) = (number / DAYS, number % DAYS);
        let year = format!("{:04}", month / 12);
        let month = format!("{year}{:02}", month % 12 + 1);
        births.insert(format!("{month}{day:02}"));
        births.insert(month);
        births.insert(year);
    }
    Some(births)
}

fn telecom(telecom: &Telecom) -> Option<u64> {
    let number = fold::digits(&telecom.value);
    (!telecom.mail && number.len() >= 4).then(|| fold::hash(&["telecom", &number]))
}

fn beginning(family: &str) -> String {
    family.chars().take(1).collect()
}
