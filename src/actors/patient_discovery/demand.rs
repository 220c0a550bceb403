//! What a question must say before anybody is looked for, and what would tell apart those who were found.

use crate::demographics::{BirthRange, Demographics, Name};
use crate::limits;
use crate::transactions::identity::{DemographicsQuery, Match};
use crate::transactions::iti55::Attribute;

/// Characters that are wildcards somewhere.
const WILDCARDS: [char; 6] = ['*', '%', '?', '_', '＊', '？'];

/// Name and birth are required unless there is an identifier (ITI TF-2: 3.55.4.1.2.1). More than that, they must mean one
/// person: a whole name without wildcards, and a birth within a few years. In an emergency all four items must be there, and
/// the birth may be vague.
pub(super) fn check(query: &DemographicsQuery, emergency: bool) -> Result<(), &'static str> {
    let wild = |name: &Name| [&name.family, &name.given].iter().any(|part| part.contains(WILDCARDS));
    if query.names.iter().any(wild) {
        return Err("a name has a wildcard");
    }
    if !query.identifiers.is_empty() {
        return Ok(());
    }
    let whole = |name: &Name| {
        let parted = !name.family.trim().is_empty() && !name.given.trim().is_empty();
        parted || name.family.split_whitespace().count() > 1
    };
    if query.names.is_empty() || !query.names.iter().all(whole) {
        return Err("there is no whole name (ITI TF-2: 3.55.4.1.2.1)");
    }
    match &query.birth {
        None => Err("there is no birth time (ITI TF-2: 3.55.4.1.2.1)"),
        Some(range) if !emergency && years(range) > limits::MAX_DISCOVERY_BIRTH_YEARS => {
            Err("the birth time is too vague")
        }
        Some(_) => Ok(()),
    }
}

/// How many years a range reaches over; an open end reaches over all.
fn years(range: &BirthRange) -> u16 {
    match range {
        BirthRange::Within(_) => 1,
        BirthRange::Between(Some(low), Some(high)) => high.year().saturating_sub(low.year()) + 1,
        BirthRange::Between(..) => u16::MAX,
    }
}

/// Attributes that were not asked with and are not the same for everybody who was found.
pub(super) fn discriminating(query: &DemographicsQuery, found: &[Match]) -> Vec<Attribute> {
    let asked = |attribute| match attribute {
        Attribute::Gender => query.sex.is_some(),
        Attribute::Address => !query.addresses.is_empty(),
        Attribute::Telecom => !query.telecoms.is_empty(),
        Attribute::BirthPlaceName => query.birth_place.is_some(),
        Attribute::BirthPlaceAddress => query.birth_place_address.is_some(),
        Attribute::MothersMaidenName => !query.mothers_maiden_names.is_empty(),
    };
    let differs = |attribute| {
        let mut persons = found.iter().map(|found| &*found.person);
        persons.next().is_some_and(|first| persons.any(|other| !same(attribute, first, other)))
    };
    Attribute::all().filter(|attribute| !asked(*attribute) && differs(*attribute)).collect()
}

fn same(attribute: Attribute, a: &Demographics, b: &Demographics) -> bool {
    match attribute {
        Attribute::Gender => a.sex == b.sex,
        Attribute::Address => a.addresses == b.addresses,
        Attribute::Telecom => a.telecoms == b.telecoms,
        Attribute::BirthPlaceName => a.birth_place == b.birth_place,
        Attribute::BirthPlaceAddress => a.birth_place_address == b.birth_place_address,
        Attribute::MothersMaidenName => a.mothers_maiden_names == b.mothers_maiden_names,
    }
}
