//! A record as it is compared: every text normalised once, laid out so that two of them are read side by side quickly.
//!
//! ```text
//! fixed       version 1, sex 1, birth 4, how many of each: families, former families, given names, addresses, telephones
//! heads       of each text 8 bytes: families, former families, given names, six parts of each address ([`texts`](super::texts))
//! telephones  8 bytes each
//! symbols     of all texts
//! ```

use super::address::Parts;
use super::text::fold;
use super::texts::{HEAD, Text, Texts, Written};
use crate::demographics::{Address, Demographics, Name, NameKind, Sex, Telecom};

/// The layout's version: another one is prepared anew from the record.
pub const VERSION: u8 = 2;
/// Bytes of the fixed part.
const FIXED: usize = 11;
/// Parts of one address.
const PARTS: usize = 6;
/// Family names of one record, and given names: two or three scripts, and former ones.
pub(super) const MAX_NAMES: usize = 6;
/// Addresses of one record: the current ones first.
pub(super) const MAX_ADDRESSES: usize = 2;
/// Telephone numbers of one record.
pub(super) const MAX_TELEPHONES: usize = 3;
/// Digits that a telephone number has at least, and that are kept of it (from behind).
const TELEPHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=12;

/// A record, normalised for comparison once and kept beside it: a compact form that is quick to compare.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Prepared {
    bytes: Box<[u8]>,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(Prepared)")
    }
}

impl Prepared {
    /// Normalises a record, or what a query says of somebody: what is not known weighs nothing.
    pub fn of(person: &Demographics) -> Self {
        Self::with_history(person, &[])
    }
    /// The same, with what was once so: former names, addresses and telephone numbers serve linking.
    pub fn with_history(person: &Demographics, former: &[Demographics]) -> Self {
        let mut parts = Collected::default();
        parts.person(person, Time::Now);
        for once in former {
            parts.person(once, Time::Once);
        }
        Self { bytes: parts.written(person).into() }
    }
    /// The form in which it is stored; begins with a format version.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// Reads the stored form; None for another version (the record is then prepared anew) or damage.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        View::read(bytes)?.is_whole().then(|| Self { bytes: bytes.into() })
    }
    pub(super) fn view(&self) -> View<'_> {
        View::read(&self.bytes).unwrap_or_default()
    }
}

/// Whether something is so, or was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Time {
    Now,
    Once,
}

/// Texts as they are written, current before former, none twice.
#[derive(Default)]
struct Collected {
    families: Vec<Written>,
    former_families: Vec<Written>,
    givens: Vec<Written>,
    addresses: Vec<[Written; PARTS]>,
    telephones: Vec<u64>,
}

impl Collected {
    fn person(&mut self, person: &Demographics, time: Time) {
        for name in &person.names {
            self.name(name, time);
        }
        for address in &person.addresses {
            push_new(&mut self.addresses, written_address(address));
        }
        for number in person.telecoms.iter().filter_map(telephone) {
            push_new(&mut self.telephones, Some(number));
        }
    }
    fn name(&mut self, name: &Name, time: Time) {
        let (family, given) = split(name);
        let written = |part: &str| Some(Written::name(part)).filter(|name| !name.is_empty());
        let former = time == Time::Once || matches!(name.kind, NameKind::Birth | NameKind::Alias);
        let families = if former { &mut self.former_families } else { &mut self.families };
        push_new(families, written(&family));
        push_new(&mut self.givens, written(&given));
    }
    fn written(mut self, person: &Demographics) -> Vec<u8> {
        self.families.truncate(MAX_NAMES);
        self.former_families.retain(|former| !self.families.contains(former));
        self.former_families.truncate(MAX_NAMES - self.families.len());
        self.givens.truncate(MAX_NAMES);
        self.addresses.truncate(MAX_ADDRESSES);
        self.telephones.truncate(MAX_TELEPHONES);
        let sex = match person.sex {
            Some(Sex::Male) => 1,
            Some(Sex::Female) => 2,
            Some(Sex::Other | Sex::Unknown) | None => 0,
        };
        let birth = person.birth.as_ref().map_or(0, |birth| {
            let digits = birth.as_str().bytes().map(Some).chain(std::iter::repeat(None)).take(8);
            digits.fold(0, |bcd, digit| bcd << 4 | u32::from(digit.map_or(0, |digit| digit & 0xf)))
        });
        let mut bytes = vec![VERSION, sex];
        bytes.extend(birth.to_le_bytes());
        let counts = [
            self.families.len(),
            self.former_families.len(),
            self.givens.len(),
            self.addresses.len(),
            self.telephones.len(),
        ];
        bytes.extend(counts.map(|count| count as u8));
        let names = [self.families, self.former_families, self.givens];
        let texts = names.iter().flatten().chain(self.addresses.iter().flatten());
        let mut symbols = Vec::new();
        texts.for_each(|text| text.lay_out(&mut bytes, &mut symbols));
        bytes.extend(self.telephones.iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend(symbols);
        bytes
    }
}

fn push_new<T: PartialEq>(all: &mut Vec<T>, one: Option<T>) {
    all.extend(one.filter(|one| !all.contains(one)).into_iter().collect::<Vec<_>>());
}

/// A name that came as one text is cut at its first space.
fn split(name: &Name) -> (String, String) {
    let whole = match (name.family.trim(), name.given.trim()) {
        (whole, "") | ("", whole) => fold(whole),
        (family, given) => return (family.to_owned(), given.to_owned()),
    };
    match whole.trim().split_once([' ', ',']) {
        Some((family, given)) => (family.to_owned(), given.trim().to_owned()),
        None => (name.family.clone(), name.given.clone()),
    }
}

fn written_address(address: &Address) -> Option<[Written; PARTS]> {
    let Parts { state, city, street, number, other, postcode } = Parts::of(address);
    let parts = [postcode, state, city, street, number, other].map(|part| Written::plain(&part));
    parts.iter().any(|part| !part.is_empty()).then_some(parts)
}

/// The digits of a telephone number in four bits each, behind a 1 so that leading zeros count.
fn telephone(telecom: &Telecom) -> Option<u64> {
    if telecom.mail || telecom.value.contains('@') {
        return None;
    }
    let folded = fold(&telecom.value);
    let national = folded.strip_prefix("+81").map(|rest| format!("0{}", rest.trim_start_matches("(0)")));
    let digits: String = national.unwrap_or(folded).chars().filter(char::is_ascii_digit).collect();
    let kept = digits.len().min(*TELEPHONE_DIGITS.end());
    let number =
        digits.bytes().skip(digits.len() - kept).fold(1, |bcd, digit| bcd << 4 | u64::from(digit & 0xf));
    (digits.len() >= *TELEPHONE_DIGITS.start()).then_some(number)
}

/// An address: postcode, state, city, street, number, other.
pub(super) type AddressView<'a> = [Text<'a>; PARTS];

/// A prepared record, read where it lies.
#[derive(Clone, Copy, Default)]
pub(super) struct View<'a> {
    /// 1 male, 2 female, 0 not known.
    pub sex: u8,
    /// `YYYYMMDD` in four bits each, zeros for what is not known.
    pub birth: u32,
    /// Family names that are not former ones.
    pub families: Texts<'a>,
    /// Family names that were.
    pub former_families: Texts<'a>,
    /// Given names.
    pub givens: Texts<'a>,
    /// A bit for each reading that the family names may have, former ones included: without one in common there is no reading
    /// in common. All, where that was not looked up.
    pub family_readings: u64,
    /// The same of the given names.
    pub given_readings: u64,
    addresses: Texts<'a>,
    telephones: &'a [[u8; 8]],
}

impl<'a> View<'a> {
    #[inline]
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (fixed, rest) = bytes.split_first_chunk::<FIXED>()?;
        let [version, sex, b0, b1, b2, b3, current, former, givens, addresses, telephones] = *fixed;
        if version != VERSION {
            return None;
        }
        let (current, former, givens) = (usize::from(current), usize::from(former), usize::from(givens));
        let texts = current + former + givens + PARTS * usize::from(addresses);
        let (heads, rest) = rest.split_at_checked(texts * HEAD)?;
        let (telephones, symbols) = rest.split_at_checked(usize::from(telephones) * 8)?;
        let all = Texts { heads: heads.as_chunks().0, symbols };
        let (families, rest) = all.split_at(current);
        let (former_families, rest) = rest.split_at(former);
        let (givens, addresses) = rest.split_at(givens);
        let birth = u32::from_le_bytes([b0, b1, b2, b3]);
        let telephones = telephones.as_chunks().0;
        let (family_readings, given_readings) = (u64::MAX, u64::MAX);
        Some(Self {
            sex,
            birth,
            families,
            former_families,
            givens,
            family_readings,
            given_readings,
            addresses,
            telephones,
        })
    }
    /// Whether it is as it was written: bytes from a disk may be damaged.
    fn is_whole(&self) -> bool {
        let texts = [self.families, self.former_families, self.givens, self.addresses];
        self.families.len() + self.former_families.len() <= MAX_NAMES
            && self.givens.len() <= MAX_NAMES
            && self.addresses.len() <= MAX_ADDRESSES * PARTS
            && self.telephones.len() <= MAX_TELEPHONES
            && texts.iter().all(Texts::is_whole)
    }
    /// An order of records, whatever it means.
    pub fn precedes(&self, other: &Self) -> bool {
        (self.birth, self.families.symbols) < (other.birth, other.families.symbols)
    }
    /// All family names, the former ones last.
    pub fn all_families(&self) -> impl Iterator<Item = Text<'a>> + use<'a> {
        self.families.iter().chain(self.former_families.iter())
    }
    /// Addresses, the current ones first.
    pub fn addresses(&self) -> impl Iterator<Item = AddressView<'a>> + Clone + use<'a> {
        let Texts { heads, symbols } = self.addresses;
        heads.as_chunks::<PARTS>().0.iter().map(move |[postcode, state, city, street, number, other]| {
            let text = |head: &[u8; HEAD]| Text::read(*head, symbols);
            [text(postcode), text(state), text(city), text(street), text(number), text(other)]
        })
    }
    /// Telephone numbers.
    pub fn telephones(&self) -> impl ExactSizeIterator<Item = u64> + Clone + use<'a> {
        self.telephones.iter().map(|number| u64::from_le_bytes(*number))
    }
}
