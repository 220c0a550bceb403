//! A record as it is compared: every text normalised once, laid out so that two of them are read side by side quickly.

use super::address::Parts;
use super::text::fold;
use super::texts::Text;
use crate::demographics::{Address, Demographics, Name, NameKind, Sex, Telecom};

/// The layout's version: another one is prepared anew from the record.
const VERSION: u8 = 1;
/// Family names of one record, and given names: two or three scripts, and former ones.
pub(super) const MAX_NAMES: usize = 6;
/// Addresses of one record: the current ones first.
pub(super) const MAX_ADDRESSES: usize = 2;
/// Telephone numbers of one record.
pub(super) const MAX_TELEPHONES: usize = 3;
/// Digits that a telephone number has at least, and that are kept of it (from behind).
const TELEPHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=12;

/// A record, normalised for comparison once and kept beside it: a compact form that is quick to compare.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Prepared {
    bytes: Vec<u8>,
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
        Self { bytes: parts.written(person) }
    }
    /// The form in which it is stored; begins with a format version.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// Reads the stored form; None for another version (the record is then prepared anew) or damage.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        View::read(bytes)?;
        Some(Self { bytes: bytes.to_vec() })
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
    families: Vec<Vec<u8>>,
    former_families: Vec<Vec<u8>>,
    givens: Vec<Vec<u8>>,
    addresses: Vec<Vec<u8>>,
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
        let written = |part: &str| {
            let mut bytes = Vec::new();
            Text::write_name(part, &mut bytes);
            let empty = Text::read(&mut &bytes[..]).is_none_or(|text| text.is_empty());
            (!empty).then_some(bytes)
        };
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
        bytes.extend(self.families.concat());
        bytes.extend(self.former_families.concat());
        bytes.extend(self.givens.concat());
        bytes.extend(self.addresses.concat());
        bytes.extend(self.telephones.iter().flat_map(|number| number.to_le_bytes()));
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

fn written_address(address: &Address) -> Option<Vec<u8>> {
    let Parts { state, city, street, number, other, postcode } = Parts::of(address);
    let parts = [postcode, state, city, street, number, other];
    let mut bytes = Vec::new();
    parts.iter().for_each(|part| Text::write_plain(part, &mut bytes));
    parts.iter().any(|part| !part.is_empty()).then_some(bytes)
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

/// Parts of an address, in the order in which they are written.
pub(super) type AddressView<'a> = [Text<'a>; 6];

/// A prepared record, read.
pub(super) struct View<'a> {
    /// 1 male, 2 female, 0 not known.
    pub sex: u8,
    /// `YYYYMMDD` in four bits each, zeros for what is not known.
    pub birth: u32,
    families: Few<Text<'a>, MAX_NAMES>,
    current: usize,
    givens: Few<Text<'a>, MAX_NAMES>,
    addresses: Few<AddressView<'a>, MAX_ADDRESSES>,
    telephones: Few<u64, MAX_TELEPHONES>,
}

/// Up to N, without memory of their own.
struct Few<T, const N: usize> {
    all: [T; N],
    count: usize,
}

impl<T: Copy, const N: usize> Few<T, N> {
    #[inline]
    fn read(count: usize, empty: T, mut next: impl FnMut() -> Option<T>) -> Option<Self> {
        let mut all = [empty; N];
        for place in all.get_mut(..count)? {
            *place = next()?;
        }
        Some(Self { all, count })
    }
    fn as_slice(&self) -> &[T] {
        self.all.get(..self.count).unwrap_or_default()
    }
}

impl<'a> View<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (head, mut rest) = bytes.split_first_chunk::<11>()?;
        let [version, sex, b0, b1, b2, b3, current, former, givens, addresses, telephones] = *head;
        if version != VERSION {
            return None;
        }
        let count = |count: u8| usize::from(count);
        let mut text = || Text::read(&mut rest);
        let families = Few::read(count(current) + count(former), Text::EMPTY, &mut text)?;
        let givens = Few::read(count(givens), Text::EMPTY, &mut text)?;
        let addresses = Few::read(count(addresses), [Text::EMPTY; 6], || {
            Some([text()?, text()?, text()?, text()?, text()?, text()?])
        })?;
        let telephones = Few::read(count(telephones), 0, || {
            let (number, behind) = rest.split_first_chunk::<8>()?;
            rest = behind;
            Some(u64::from_le_bytes(*number))
        })?;
        let birth = u32::from_le_bytes([b0, b1, b2, b3]);
        rest.is_empty().then_some(Self {
            sex,
            birth,
            families,
            current: count(current),
            givens,
            addresses,
            telephones,
        })
    }
    /// Family names, the former ones last.
    pub fn families(&self) -> &[Text<'a>] {
        self.families.as_slice()
    }
    /// How many of the family names are not former ones.
    pub fn current_families(&self) -> usize {
        self.current
    }
    /// Given names.
    pub fn givens(&self) -> &[Text<'a>] {
        self.givens.as_slice()
    }
    /// Addresses: postcode, state, city, street, number, other.
    pub fn addresses(&self) -> &[AddressView<'a>] {
        self.addresses.as_slice()
    }
    /// Telephone numbers.
    pub fn telephones(&self) -> &[u64] {
        self.telephones.as_slice()
    }
}

impl Default for View<'_> {
    fn default() -> Self {
        Self {
            sex: 0,
            birth: 0,
            families: Few { all: [Text::EMPTY; MAX_NAMES], count: 0 },
            current: 0,
            givens: Few { all: [Text::EMPTY; MAX_NAMES], count: 0 },
            addresses: Few { all: [[Text::EMPTY; 6]; MAX_ADDRESSES], count: 0 },
            telephones: Few { all: [0; MAX_TELEPHONES], count: 0 },
        }
    }
}
