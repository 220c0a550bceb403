//! Under which keys candidates are found.
//!
//! Each key joins two or three fields, so that few strangers share it, and the keys are chosen so that an error in any one
//! field, or the loss of it, leaves at least two of them.

use super::hash::Hash;
use super::prepared::{Prepared, View};
use super::texts::Text;
use crate::limits::{MAX_BLOCKING_KEYS, MAX_RECORDS_PER_KEY, MAX_RECORDS_PER_NAME};

/// What a key is made of; stored keys change if these numbers do.
#[derive(Clone, Copy)]
enum Kind {
    BirthAndName = 1,
    NamesAndDay = 2,
    NamesAndYear = 3,
    BirthAndPostcode = 4,
    BirthAndStreet = 5,
    TelephoneAndYear = 6,
    BirthAndSex = 7,
    TelephoneAndGiven = 8,
    PostcodeAndGiven = 9,
    StreetAndGiven = 10,
    House = 11,
    NameAndSuburb = 12,
    NamesAndCity = 13,
    WithinSuburb = 14,
    TelephoneAndDay = 15,
    Names = 16,
}

/// Letters at the start of a name or street that make a key: two kana.
const START: usize = 4;

impl Prepared {
    /// Keys under which candidates are found: two records of one person share at least one, even with an error in any one
    /// field. At most [`MAX_BLOCKING_KEYS`], sorted, none twice.
    pub fn blocking_keys(&self, keys: &mut Vec<u64>) {
        keys.clear();
        let view = self.view();
        of_birth(&view, keys);
        of_names(&view, keys);
        of_places(&view, keys);
        keys.iter_mut().for_each(|key| *key &= !RARE);
        of_rare_names(&view, keys);
        // What comes last is least: former names, second addresses.
        keys.truncate(MAX_BLOCKING_KEYS);
        keys.sort_unstable();
        keys.dedup();
    }
}

/// The bit of a key that has those with little else in common: beyond few records that share it, it says nothing.
const RARE: u64 = 1;

/// How many records may share a key, beyond which it says nothing of them.
pub fn most_sharing(key: u64) -> usize {
    if key & RARE == 0 { MAX_RECORDS_PER_KEY } else { MAX_RECORDS_PER_NAME }
}

fn key(kind: Kind) -> Hash {
    Hash::new(kind as u8)
}

fn of_birth(view: &View<'_>, keys: &mut Vec<u64>) {
    if view.birth & 0xff == 0 {
        return;
    }
    let with_birth = |kind| key(kind).bytes(&view.birth.to_le_bytes());
    // Family and given names make the same kind of key: they may have been exchanged.
    let names = view.all_families().chain(view.givens.iter());
    keys.extend(names.map(|name| start(with_birth(Kind::BirthAndName), name).finish()));
    for [postcode, _, _, street, ..] in view.addresses() {
        keys.extend(known(postcode).map(|code| text(with_birth(Kind::BirthAndPostcode), code).finish()));
        keys.extend(known(street).map(|street| start(with_birth(Kind::BirthAndStreet), street).finish()));
    }
    // Kanji on one side and kana on the other share no name.
    if view.sex != 0 && (one_script(view.givens.iter()) || one_script(view.all_families())) {
        keys.push(with_birth(Kind::BirthAndSex).byte(view.sex).finish());
    }
}

fn one_script<'a>(mut names: impl Iterator<Item = Text<'a>>) -> bool {
    names.next().is_none_or(|first| names.all(|name| name.is_sound() == first.is_sound()))
}

fn of_names(view: &View<'_>, keys: &mut Vec<u64>) {
    let (year, day) = (view.birth >> 16, view.birth & 0xffff);
    for family in view.all_families() {
        for given in view.givens.iter().filter(|given| given.is_sound() == family.is_sound()) {
            let both = |of: fn(Hash, Text<'_>) -> Hash| both(family, given, of);
            if day != 0 {
                keys.push(key(Kind::NamesAndDay).bytes(&both(start)).bytes(&day.to_le_bytes()).finish());
            }
            for [_, _, city, ..] in view.addresses().take(1) {
                let city =
                    known(city).map(|city| text(key(Kind::NamesAndCity).bytes(&both(text)), city).finish());
                keys.extend(city);
            }
            if year != 0 {
                keys.push(key(Kind::NamesAndYear).bytes(&both(text)).bytes(&year.to_le_bytes()).finish());
            }
        }
    }
}

/// A family and a given name; the sum is the same whichever is which.
fn both(family: Text<'_>, given: Text<'_>, of: fn(Hash, Text<'_>) -> Hash) -> [u8; 8] {
    let one = |name| of(Hash::new(0), name).finish();
    one(family).wrapping_add(one(given)).to_le_bytes()
}

/// Names alone: who moved, and whose birth one of the two does not know, is found by a rare one. Not of who is nothing but a
/// name.
fn of_rare_names(view: &View<'_>, keys: &mut Vec<u64>) {
    if view.birth == 0 && view.addresses().next().is_none() {
        return;
    }
    for family in view.families.iter() {
        let givens = view.givens.iter().filter(|given| given.is_sound() == family.is_sound());
        keys.extend(givens.map(|given| key(Kind::Names).bytes(&both(family, given, text)).finish() | RARE));
    }
}

fn of_places(view: &View<'_>, keys: &mut Vec<u64>) {
    let (year, day) = (view.birth >> 16, view.birth & 0xffff);
    for number in view.telephones() {
        // An error in a birthday leaves one of them, also where kanji and kana share no name.
        let with_part = |kind, part: u32| {
            let key = key(kind).bytes(&number.to_le_bytes()).bytes(&part.to_le_bytes());
            (part != 0).then(|| key.finish())
        };
        keys.extend(with_part(Kind::TelephoneAndYear, year));
        keys.extend(with_part(Kind::TelephoneAndDay, day));
        let telephone = key(Kind::TelephoneAndGiven).bytes(&number.to_le_bytes());
        keys.extend(view.givens.iter().map(|given| start(telephone, given).finish()));
    }
    for [postcode, _, city, street, number, other] in view.addresses() {
        if let Some(postcode) = known(postcode) {
            let postcode = text(key(Kind::PostcodeAndGiven), postcode);
            keys.extend(view.givens.iter().map(|given| text(postcode, given).finish()));
        }
        if !street.is_kanji() && !city.is_kanji() {
            of_small_places(view, [postcode, city, street, number, other], keys);
        }
        if let Some(street) = known(street) {
            // A town of one name is in many a city.
            let within = if street.is_kanji() { city } else { Text::default() };
            let town = |kind| text(start(key(kind), street), within);
            keys.extend(view.givens.iter().map(|name| text(town(Kind::StreetAndGiven), name).finish()));
            keys.extend(known(number).map(|number| text(town(Kind::House), number).finish()));
        }
    }
}

/// Japanese cities and towns are too large to be a key with one other field; a suburb or street elsewhere is not. Street and
/// other make the same kind of key: they may have been exchanged.
fn of_small_places(
    view: &View<'_>,
    [postcode, city, street, number, other]: [Text<'_>; 5],
    keys: &mut Vec<u64>,
) {
    let names = || view.all_families().chain(view.givens.iter());
    for place in [city, postcode].into_iter().filter_map(known) {
        let place = start(key(Kind::NameAndSuburb), place);
        keys.extend(names().map(|name| start(place, name).finish()));
    }
    for place in [street, other].into_iter().filter_map(known) {
        let place = start(key(Kind::WithinSuburb), place);
        let beside = names().chain([city, postcode, number].into_iter().filter_map(known));
        keys.extend(beside.map(|beside| start(place, beside).finish()));
    }
}

fn known(text: Text<'_>) -> Option<Text<'_>> {
    (!text.is_empty()).then_some(text)
}

/// Without the length of vowels.
fn text(hash: Hash, text: Text<'_>) -> Hash {
    if text.is_kanji() {
        return hash.bytes(text.bytes());
    }
    text.bytes().iter().fold(hash, |hash, letter| hash.byte(letter.to_ascii_lowercase())).byte(0xfe)
}

/// The first symbols of a sound or Latin text: what is mistyped behind them does no harm. Kanji are short anyway.
fn start(hash: Hash, whole: Text<'_>) -> Hash {
    if whole.is_kanji() {
        return hash.bytes(whole.bytes());
    }
    let letters = whole.bytes().iter().take(START);
    letters.fold(hash, |hash, letter| hash.byte(letter.to_ascii_lowercase())).byte(0xfd)
}

/// All candidate pairs of a set in memory, sorted, none twice: for learning and for measuring. What too many records share is
/// no key ([`most_sharing`]).
pub fn candidates(records: &[Prepared]) -> Vec<(u32, u32)> {
    let mut keyed = Vec::new();
    let mut keys = Vec::new();
    for (number, record) in (0u32..).zip(records) {
        record.blocking_keys(&mut keys);
        keyed.extend(keys.iter().map(|key| (*key, number)));
    }
    keyed.sort_unstable();
    let mut pairs = Vec::new();
    let groups = keyed.chunk_by(|a, b| a.0 == b.0);
    for group in
        groups.filter(|group| group.first().is_some_and(|(key, _)| group.len() <= most_sharing(*key)))
    {
        for (place, (_, one)) in group.iter().enumerate() {
            pairs.extend(group.iter().skip(place + 1).map(|(_, two)| (*one, *two)));
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}
