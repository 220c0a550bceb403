//! PID: what it changes of a person, and a person as PID.

use super::name::{name, xpn};
use super::place::{address, xad};
use super::telecom::{self, telecom, xtn};
use super::{Codes, WrongType, code, cx, identifier, meaning};
use crate::demographics::{BirthTime, Change, Demographics, DemographicsChange, Sex, Telecom};
use crate::limits;
use crate::wire::hl7v2::{Field, Repetition, Segment, SegmentWriter, Value};

/// HL7 table 0001; whatever else is sent is [`Sex::Unknown`].
const SEXES: Codes<Sex> = &[("M", Sex::Male), ("F", Sex::Female), ("O", Sex::Other), ("U", Sex::Unknown)];

/// What PID changes: an absent field nothing, `""` removes (ITI TF-2: C.2.6). PID-13 and PID-14 are one list here: where one
/// of them is sent, the other counts as sent too.
pub fn change(pid: Segment<'_>) -> Result<DemographicsChange, WrongType> {
    let names = |field| list(pid.field(field), name);
    Ok(DemographicsChange {
        names: names(5),
        birth: birth(pid.field(7))?,
        sex: one(pid.field(8), |code| Some(meaning(SEXES, &code.value()).unwrap_or(Sex::Unknown))),
        addresses: list(pid.field(11), address),
        telecoms: telecoms(pid.field(13), pid.field(14)),
        mothers_maiden_names: names(6),
        birth_place: one(pid.field(23), |place| Some(place.value().trim().to_owned())),
        birth_place_address: Change::Keep,
        account: one(pid.field(18), |cx| Some(identifier(cx))),
        multiple_birth: multiple_birth(pid.field(24), pid.field(25))?,
        deceased: deceased(pid.field(29), pid.field(30)),
    })
}

/// Writes what is known of a person. PID-5 is always there: `^^^^^^U` stands for no name.
pub fn set_person(person: &Demographics, pid: &mut SegmentWriter) {
    for name in &person.names {
        pid.add(5, xpn(name));
    }
    if person.names.is_empty() {
        pid.set(5, ["", "", "", "", "", "", "U"]);
    }
    for name in &person.mothers_maiden_names {
        pid.add(6, xpn(name));
    }
    for address in &person.addresses {
        pid.add(11, xad(address));
    }
    for telecom in &person.telecoms {
        pid.add(telecom::field(telecom), xtn(telecom));
    }
    let texts = [
        (7, person.birth.as_ref().map(BirthTime::as_str)),
        (8, person.sex.map(|sex| code(SEXES, &sex))),
        (23, person.birth_place.as_deref()),
        (24, person.multiple_birth.map(|_| "Y")),
        (30, person.deceased.map(|dead| if dead { "Y" } else { "N" })),
    ];
    for (field, text) in texts {
        if let Some(text) = text {
            pid.set(field, text);
        }
    }
    if let Some(account) = &person.account {
        pid.set(18, cx(account));
    }
    if let Some(order) = person.multiple_birth.filter(|order| *order > 0) {
        pid.set(25, order.to_string());
    }
}

/// Writes a change: what stays is left out, what is to go is `""`.
pub fn set_change(change: &DemographicsChange, pid: &mut SegmentWriter) {
    let mut person = Demographics::default();
    change.apply(&mut person);
    set_person(&person, pid);
    let removed = [
        (5, change.names == Change::Remove),
        (6, change.mothers_maiden_names == Change::Remove),
        (7, change.birth == Change::Remove),
        (8, change.sex == Change::Remove),
        (11, change.addresses == Change::Remove),
        (13, change.telecoms == Change::Remove),
        (18, change.account == Change::Remove),
        (23, change.birth_place == Change::Remove),
        (24, change.multiple_birth == Change::Remove),
        (30, change.deceased == Change::Remove),
    ];
    for (field, _) in removed.into_iter().filter(|(_, is_removed)| *is_removed) {
        pid.set(field, Value::null());
    }
}

/// One value of the first repetition.
fn one<T: Clone>(field: Field<'_>, read: impl FnOnce(Repetition<'_>) -> Option<T>) -> Change<T> {
    match (field.is_null(), field.is_absent()) {
        (true, _) => Change::Remove,
        (_, true) => Change::Keep,
        _ => Change::of(read(field.repetition(1))),
    }
}

/// All repetitions that say something, up to the bound of a person's values: the first ones are the preferred ones.
fn list<T>(field: Field<'_>, read: impl Fn(Repetition<'_>) -> Option<T>) -> Change<Vec<T>> {
    if field.is_null() {
        return Change::Remove;
    }
    let values: Vec<T> = field.repetitions().filter_map(read).take(limits::MAX_PERSON_VALUES).collect();
    if values.is_empty() { Change::Keep } else { Change::Set(values) }
}

/// PID-13 and PID-14.
fn telecoms(home: Field<'_>, work: Field<'_>) -> Change<Vec<Telecom>> {
    match (list(home, telecom), list(work, telecom::at_work)) {
        (Change::Set(home), Change::Set(work)) => Change::Set([home, work].concat()),
        (Change::Set(some), _) | (_, Change::Set(some)) => Change::Set(some),
        (Change::Remove, _) | (_, Change::Remove) => Change::Remove,
        (Change::Keep, Change::Keep) => Change::Keep,
    }
}

fn birth(field: Field<'_>) -> Result<Change<BirthTime>, WrongType> {
    match one(field, |time| Some(BirthTime::parse(&time.value()))) {
        Change::Set(None) => Err(WrongType("PID", 7)),
        Change::Set(Some(birth)) => Ok(Change::Set(birth)),
        Change::Remove => Ok(Change::Remove),
        Change::Keep => Ok(Change::Keep),
    }
}

/// PID-24 and PID-25: whether, and as which.
fn multiple_birth(indicator: Field<'_>, order: Field<'_>) -> Result<Change<u8>, WrongType> {
    let order = match order.value().trim() {
        "" => 0,
        digits => digits.parse().map_err(|_| WrongType("PID", 25))?,
    };
    Ok(match indicator.value().trim() {
        "Y" => Change::Set(order),
        "N" => Change::Remove,
        _ if indicator.is_null() => Change::Remove,
        _ if order > 0 => Change::Set(order),
        _ => Change::Keep,
    })
}

/// PID-30; where it says nothing, a time of death (PID-29) does.
fn deceased(time: Field<'_>, indicator: Field<'_>) -> Change<bool> {
    match indicator.value().trim() {
        "Y" => Change::Set(true),
        "N" => Change::Set(false),
        _ if indicator.is_null() => Change::Remove,
        _ if !time.value().trim().is_empty() => Change::Set(true),
        _ => Change::Keep,
    }
}
