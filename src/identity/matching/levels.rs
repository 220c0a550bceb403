//! How far two records agree in each field: graded levels, from the same to different.

use super::date::era_slip;
use super::prepared::{AddressView, View};
use super::readings::{Read, Readings};
use super::sound;
use super::texts::{Distance, Text, Texts};

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Field {
    FamilyName,
    GivenName,
    Birth,
    Sex,
    Postcode,
    State,
    City,
    Street,
    Number,
    Other,
    Telephone,
}

/// How many fields there are.
pub const FIELDS: usize = 11;
/// Levels of one field, 0 among them.
pub const MAX_LEVELS: usize = 12;
/// The level of every field that one of the two records does not know, or not in a script of the other's: it weighs nothing.
pub const UNKNOWN: u8 = 0;

const NAME: &[&str] = &[
    "not known",
    "same",
    "same kanji, other reading",
    "same reading",
    "same reading, other kanji",
    "a reading of these kanji",
    "reading alike, or one of several",
    "one error apart",
    "similar",
    "a former name",
    "family and given name exchanged",
    "different",
];
const TEXT: &[&str] =
    &["not known", "same", "one error apart", "similar", "street and other exchanged", "different"];
/// A field's name for people, and those of its levels.
pub const NAMES: [(Field, &str, &[&str]); FIELDS] = [
    (Field::FamilyName, "family name", NAME),
    (Field::GivenName, "given name", NAME),
    (
        Field::Birth,
        "birth",
        &[
            "not known",
            "same",
            "same as far as known",
            "one digit",
            "day and month exchanged",
            "another era",
            "two parts",
            "different",
        ],
    ),
    (Field::Sex, "sex", &["not known", "same", "different"]),
    (Field::Postcode, "postcode", &["not known", "same", "one digit", "same area", "different"]),
    (Field::State, "prefecture", &["not known", "same", "one error apart", "different"]),
    (Field::City, "city", TEXT),
    (Field::Street, "town or street", TEXT),
    (Field::Number, "number", &["not known", "same", "similar", "different"]),
    (Field::Other, "building or other", TEXT),
    (Field::Telephone, "telephone", &["not known", "same", "one digit", "different"]),
];

/// The level of each field, in the order of [`Field`].
pub type Levels = [u8; FIELDS];

mod name {
    pub const SAME: u8 = 1;
    pub const KANJI: u8 = 2;
    pub const SOUND: u8 = 3;
    pub const SPELLING: u8 = 4;
    pub const READING: u8 = 5;
    pub const ALIKE: u8 = 6;
    pub const NEAR: u8 = 7;
    pub const SIMILAR: u8 = 8;
    pub const FORMER: u8 = 9;
    pub const EXCHANGED: u8 = 10;
    pub const DIFFERENT: u8 = 11;
}
mod birth {
    pub const SAME: u8 = 1;
    pub const AS_KNOWN: u8 = 2;
    pub const DIGIT: u8 = 3;
    pub const EXCHANGED: u8 = 4;
    pub const ERA: u8 = 5;
    pub const TWO_PARTS: u8 = 6;
    pub const DIFFERENT: u8 = 7;
}
mod part {
    pub const SAME: u8 = 1;
    pub const NEAR: u8 = 2;
    pub const SIMILAR: u8 = 3;
    pub const EXCHANGED: u8 = 4;
    pub const DIFFERENT: u8 = 5;
}

/// Compares two records field by field.
pub(super) fn of(a: &View<'_>, b: &View<'_>, readings: &Readings) -> Levels {
    // Of several that agree as well the first counts: which one that is must not depend on who is compared with whom.
    let (a, b) = if b.precedes(a) { (b, a) } else { (a, b) };
    let (family, given) = names(a, b, readings);
    let [postcode, state, city, street, number, other] = best_address(a, b);
    let sex = if a.sex == 0 || b.sex == 0 { UNKNOWN } else { 1 + u8::from(a.sex != b.sex) };
    let telephone = telephones(a, b);
    [family, given, births(a.birth, b.birth), sex, postcode, state, city, street, number, other, telephone]
}

/// Whether two records disagree so that no weights may link them: given names that are not the same in any script, births
/// further apart than a typing error, another sex. A twin differs in the given name alone, and it may differ by one kana.
pub(super) fn barred(levels: &Levels, a: &View<'_>, b: &View<'_>) -> bool {
    let [_, given, birth, sex, ..] = *levels;
    let given_agrees = match given {
        name::SAME | name::KANJI | name::SOUND | name::SPELLING | name::READING | name::EXCHANGED => true,
        name::NEAR => !japanese_sounds(a.givens) && !japanese_sounds(b.givens),
        _ => false,
    };
    let birth_agrees = !matches!(birth, birth::TWO_PARTS | birth::DIFFERENT);
    !given_agrees || !birth_agrees || sex == 2
}

fn japanese_sounds(names: Texts<'_>) -> bool {
    let mut sounds = names.iter().filter(|name| name.is_sound());
    sounds.any(|name| str::from_utf8(name.bytes()).is_ok_and(sound::japanese))
}

fn names(a: &View<'_>, b: &View<'_>, readings: &Readings) -> (u8, u8) {
    let (now_a, once_a, now_b, once_b) = (a.families, a.former_families, b.families, b.former_families);
    let reader = |a: u64, b: u64| Reader { readings, in_common: a & b != 0 };
    let of_families = reader(a.family_readings, b.family_readings);
    let mut family = name_level(now_a, now_b, &of_families);
    let given = name_level(a.givens, b.givens, &reader(a.given_readings, b.given_readings));
    if matches!(family, UNKNOWN | name::SIMILAR | name::DIFFERENT)
        && !(once_a.is_empty() && once_b.is_empty())
    {
        let former = [(once_a, now_b), (now_a, once_b), (once_a, once_b)];
        let found = former.into_iter().any(|(a, b)| agrees(name_level(a, b, &of_families)));
        family = if found { name::FORMER } else { family };
    }
    let neither = |level: u8| matches!(level, UNKNOWN | name::SIMILAR | name::DIFFERENT);
    if neither(family) && neither(given) && exchanged(now_a, b.givens) && exchanged(a.givens, now_b) {
        return (name::EXCHANGED, name::EXCHANGED);
    }
    (family, given)
}

fn agrees(level: u8) -> bool {
    matches!(level, name::SAME | name::KANJI | name::SOUND | name::SPELLING | name::READING | name::ALIKE)
}

fn exchanged(families: Texts<'_>, givens: Texts<'_>) -> bool {
    let near = |a: &Text<'_>, b: &Text<'_>| match a.distance(b) {
        Distance::Same | Distance::Alike => true,
        Distance::Edits(1) => a.symbols() > 3,
        _ => false,
    };
    families.iter().any(|family| givens.iter().any(|given| near(&family, &given)))
}

/// Who knows how names are read.
struct Reader<'r> {
    readings: &'r Readings,
    /// Whether the names of the two records may have a reading in common.
    in_common: bool,
}

/// The best that names in several scripts agree in; scripts are not counted twice.
fn name_level(a: Texts<'_>, b: Texts<'_>, Reader { readings, in_common }: &Reader<'_>) -> u8 {
    let (mut kanji, mut sound) = (Closest::default(), Closest::default());
    for one in a.iter() {
        for two in b.iter() {
            if one.is_sound() == two.is_sound() {
                if one.is_sound() { &mut sound } else { &mut kanji }.compare(&one, &two);
            }
        }
    }
    use Distance::{Alike, Edits, Far, Same, Unknown};
    match (kanji.distance, sound.distance) {
        (Same, Same | Alike | Unknown) => name::SAME,
        (Same, Edits(_) | Far) => name::KANJI,
        (Unknown, Same) => name::SOUND,
        (_, Same) => name::SPELLING,
        (_, Alike) => name::ALIKE,
        (Unknown, Unknown) => by_readings(a, b, |one, two| readings.agree(one, two)),
        (Unknown, _) => sound.level(),
        // Other kanji: that they could be read so is no sign, since twins' names have a kanji or a kana in common.
        (_, Unknown) if *in_common => {
            match by_readings(a, b, |one, two| readings.agree_as_a_whole(one, two)) {
                read @ (name::READING | name::ALIKE) => read,
                _ => kanji.level(),
            }
        }
        (_, Unknown) => kanji.level(),
        // Both scripts are known and neither is the same: as near as the further of them.
        _ => kanji.level().max(sound.level()),
    }
}

fn by_readings(a: Texts<'_>, b: Texts<'_>, agree: impl Fn(&Text<'_>, &Text<'_>) -> Option<Read>) -> u8 {
    let pairs = a.iter().flat_map(|one| b.iter().map(move |two| (one, two)));
    match pairs.filter_map(|(one, two)| agree(&one, &two)).max() {
        Some(Read::UsuallySo) => name::READING,
        Some(Read::AlsoSo) => name::ALIKE,
        Some(Read::Otherwise) => name::DIFFERENT,
        None => UNKNOWN,
    }
}

/// The least distance of one script, and what goes with it.
struct Closest {
    distance: Distance,
    similar: bool,
    /// Symbols of the shorter.
    symbols: usize,
}

impl Default for Closest {
    fn default() -> Self {
        Self { distance: Distance::Unknown, similar: false, symbols: 0 }
    }
}

impl Closest {
    fn compare(&mut self, one: &Text<'_>, two: &Text<'_>) {
        let distance = one.distance(two);
        if rank(distance) < rank(self.distance) {
            let far = matches!(distance, Distance::Far | Distance::Edits(_));
            let similar = if one.is_sound() { one.begins(two) } else { one.shares_kanji(two) };
            let symbols = one.symbols().min(two.symbols());
            *self = Self { distance, similar: far && similar, symbols };
        }
    }
    /// Of an error in a short name, little is left that agrees.
    fn level(&self) -> u8 {
        match self.distance {
            Distance::Edits(1) if self.symbols > 3 => name::NEAR,
            Distance::Edits(1) if self.symbols == 3 => name::SIMILAR,
            Distance::Edits(2) if self.symbols > 5 => name::SIMILAR,
            _ if self.similar => name::SIMILAR,
            _ => name::DIFFERENT,
        }
    }
}

fn rank(distance: Distance) -> u8 {
    match distance {
        Distance::Same => 0,
        Distance::Alike => 1,
        Distance::Edits(edits) => 1 + edits,
        Distance::Far => 8,
        Distance::Unknown => 9,
    }
}

/// Births, as digits of four bits.
fn births(a: u32, b: u32) -> u8 {
    if a == 0 || b == 0 {
        return UNKNOWN;
    }
    if a == b {
        return birth::SAME;
    }
    let known = known_digits(a) & known_digits(b);
    if known != u32::MAX {
        return if (a ^ b) & known == 0 { birth::AS_KNOWN } else { birth::DIFFERENT };
    }
    if one_typing_error(u64::from(a), u64::from(b)) {
        return birth::DIGIT;
    }
    let [parts_a, parts_b] = [a, b].map(|date| (date >> 16, date >> 8 & 0xff, date & 0xff));
    let ((year_a, month_a, day_a), (year_b, month_b, day_b)) = (parts_a, parts_b);
    if year_a == year_b && month_a == day_b && day_a == month_b {
        return birth::EXCHANGED;
    }
    let same_day = month_a == month_b && day_a == day_b;
    if same_day && era_slip(decimal(year_a).abs_diff(decimal(year_b))) {
        return birth::ERA;
    }
    let agree = [year_a == year_b, month_a == month_b, day_a == day_b];
    if agree.iter().filter(|agrees| **agrees).count() == 2 { birth::TWO_PARTS } else { birth::DIFFERENT }
}

fn known_digits(date: u32) -> u32 {
    match (date & 0xffff, date & 0xff) {
        (0, _) => 0xffff_0000,
        (_, 0) => 0xffff_ff00,
        _ => u32::MAX,
    }
}

fn decimal(year: u32) -> u16 {
    (0..4).rev().fold(0, |number, place| number * 10 + (year >> (place * 4) & 0xf) as u16)
}

/// One digit differs, or two neighbours are exchanged, among digits of four bits.
fn one_typing_error(a: u64, b: u64) -> bool {
    let differ = a ^ b;
    let first = differ.trailing_zeros() / 4 * 4;
    match differ >> first {
        0x1..=0xf => true,
        0x10..=0xff => {
            let pair = |digits: u64| (digits >> first & 0xf, digits >> first >> 4 & 0xf);
            let (low, high) = pair(a);
            pair(b) == (high, low)
        }
        _ => false,
    }
}

fn telephones(a: &View<'_>, b: &View<'_>) -> u8 {
    let (a, b) = (a.telephones(), b.telephones());
    let pairs = || a.clone().flat_map(|one| b.clone().map(move |two| (one, two)));
    if a.len() == 0 || b.len() == 0 {
        UNKNOWN
    } else if pairs().any(|(one, two)| one == two) {
        1
    } else if pairs().any(|(one, two)| one_typing_error(one, two)) {
        2
    } else {
        3
    }
}

/// The levels of the two addresses that agree in most parts.
fn best_address(a: &View<'_>, b: &View<'_>) -> [u8; 6] {
    let same = |levels: &[u8; 6]| levels.iter().filter(|level| **level == part::SAME).count();
    let mut best: Option<[u8; 6]> = None;
    for one in a.addresses() {
        for two in b.addresses() {
            let levels = address(&one, &two);
            // Of several that agree as much, the first: current addresses stand first.
            if best.as_ref().is_none_or(|best| same(&levels) > same(best)) {
                best = Some(levels);
            }
        }
    }
    best.unwrap_or_default()
}

fn address(a: &AddressView<'_>, b: &AddressView<'_>) -> [u8; 6] {
    let [postcode_a, state_a, city_a, street_a, number_a, other_a] = a;
    let [postcode_b, state_b, city_b, street_b, number_b, other_b] = b;
    let mut street = text_level(street_a, street_b);
    let mut other = text_level(other_a, other_b);
    if street != part::SAME && other != part::SAME {
        let close = |a: &Text<'_>, b: &Text<'_>| matches!(text_level(a, b), part::SAME | part::NEAR);
        if close(street_a, other_b) || close(other_a, street_b) {
            (street, other) = (part::EXCHANGED, UNKNOWN);
        }
    }
    [
        postcode_level(postcode_a, postcode_b),
        match state_a.distance(state_b) {
            Distance::Unknown => UNKNOWN,
            Distance::Same | Distance::Alike => 1,
            Distance::Edits(1) => 2,
            Distance::Edits(_) | Distance::Far => 3,
        },
        text_level(city_a, city_b),
        street,
        match number_a.distance(number_b) {
            Distance::Unknown => UNKNOWN,
            Distance::Same | Distance::Alike => 1,
            Distance::Edits(1) => 2,
            _ if number_a.begins(number_b) => 2,
            Distance::Edits(_) | Distance::Far => 3,
        },
        other,
    ]
}

fn text_level(a: &Text<'_>, b: &Text<'_>) -> u8 {
    let symbols = a.symbols().min(b.symbols());
    match a.distance(b) {
        Distance::Unknown => UNKNOWN,
        Distance::Same | Distance::Alike => part::SAME,
        Distance::Edits(1) if symbols > 3 => part::NEAR,
        Distance::Edits(_) if symbols > 5 => part::SIMILAR,
        _ if a.begins(b) => part::SIMILAR,
        _ => part::DIFFERENT,
    }
}

fn postcode_level(a: &Text<'_>, b: &Text<'_>) -> u8 {
    match a.distance(b) {
        Distance::Unknown => UNKNOWN,
        Distance::Same | Distance::Alike => 1,
        Distance::Edits(1) => 2,
        _ if a.bytes().get(..3) == b.bytes().get(..3) && a.symbols() > 4 => 3,
        _ => 4,
    }
}
