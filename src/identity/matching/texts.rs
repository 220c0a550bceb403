//! Texts inside a prepared record, and how far two of them are apart.

use super::sound;
use super::text::{Script, fold, squeeze};

/// Symbols of one text that are kept: what is longer is cut.
pub const MAX_SYMBOLS: usize = 32;

/// Bytes of a text's head: mask (4), where its symbols begin (2), how many bytes they are (1), script (1).
pub const HEAD: usize = 8;

/// A text as it lies in a prepared record: kanji as two bytes each, sounds and Latin as one.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// How it is written.
    pub script: Script,
    /// One bit for each symbol that occurs, by its hash: two texts are at least as many edits apart as either has bits that
    /// the other has not.
    mask: u32,
    /// The symbols.
    bytes: &'a [u8],
}

/// Texts side by side.
#[derive(Debug, Clone, Copy, Default)]
pub struct Texts<'a> {
    /// Of each.
    pub heads: &'a [[u8; HEAD]],
    /// Of all.
    pub symbols: &'a [u8],
}

/// A text to be laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    script: Script,
    bytes: Vec<u8>,
}

impl Written {
    /// A name's part by its sound, or by its ideographs.
    pub fn name(part: &str) -> Self {
        let (script, text) = squeeze(&fold(part));
        match script {
            Script::Kanji => Self::new(script, kanji_bytes(&text)),
            _ => Self::new(script, sound::key(&text).into_bytes()),
        }
    }
    /// Other text, already squeezed.
    pub fn plain(text: &str) -> Self {
        if text.is_ascii() {
            Self::new(Script::Latin, text.as_bytes().to_vec())
        } else {
            Self::new(Script::Kanji, kanji_bytes(text))
        }
    }
    fn new(script: Script, mut bytes: Vec<u8>) -> Self {
        bytes.truncate(MAX_SYMBOLS * width(script));
        Self { script, bytes }
    }
    /// Nothing is known.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
    /// Appends head and symbols.
    pub fn lay_out(&self, heads: &mut Vec<u8>, symbols: &mut Vec<u8>) {
        let mask = self.bytes.chunks_exact(width(self.script)).fold(0u32, |mask, symbol| mask | bit(symbol));
        heads.extend(mask.to_le_bytes());
        heads.extend((symbols.len() as u16).to_le_bytes());
        heads.extend([self.bytes.len() as u8, self.script as u8]);
        symbols.extend(&self.bytes);
    }
}

impl<'a> Texts<'a> {
    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = Text<'a>> + Clone + use<'a> {
        let Self { heads, symbols } = *self;
        heads.iter().map(move |head| Text::read(*head, symbols))
    }
    /// How many.
    pub fn len(&self) -> usize {
        self.heads.len()
    }
    /// None.
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }
    /// The first so many, and the others.
    pub fn split_at(&self, first: usize) -> (Self, Self) {
        let (one, two) = self.heads.split_at_checked(first).unwrap_or((self.heads, &[]));
        (Self { heads: one, ..*self }, Self { heads: two, ..*self })
    }
    /// Whether all symbols are there.
    pub fn is_whole(&self) -> bool {
        self.heads.iter().all(|[.., low, high, length, script]| {
            let from = usize::from(u16::from_le_bytes([*low, *high]));
            matches!(script, 1..=3) && from + usize::from(*length) <= self.symbols.len()
        })
    }
}

/// How far apart two texts are, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distance {
    /// One is empty, or they are in scripts that cannot be compared.
    Unknown,
    /// Equal.
    Same,
    /// Equal but for the length of vowels or voiced consonants.
    Alike,
    /// So many edits: one inserted, left out, replaced, or two neighbours exchanged.
    Edits(u8),
    /// Further apart.
    Far,
}

impl Default for Text<'_> {
    fn default() -> Self {
        Self { script: Script::Latin, mask: 0, bytes: &[] }
    }
}

impl<'a> Text<'a> {
    /// The text of a head.
    #[inline]
    pub fn read([m0, m1, m2, m3, low, high, length, script]: [u8; HEAD], symbols: &'a [u8]) -> Self {
        let from = usize::from(u16::from_le_bytes([low, high]));
        let script = match script {
            1 => Script::Kanji,
            2 => Script::Kana,
            _ => Script::Latin,
        };
        let bytes = symbols.get(from..from + usize::from(length)).unwrap_or_default();
        Self { script, mask: u32::from_le_bytes([m0, m1, m2, m3]), bytes }
    }
    /// Nothing is known.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
    /// The symbols, for hashing.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
    /// How many symbols it has.
    pub fn symbols(&self) -> usize {
        if self.script == Script::Kanji { self.bytes.len() / 2 } else { self.bytes.len() }
    }
    /// Ideographs.
    pub fn is_kanji(&self) -> bool {
        self.script == Script::Kanji
    }
    /// Kana or Latin that stands for a sound.
    pub fn is_sound(&self) -> bool {
        self.script != Script::Kanji
    }

    /// How far apart two texts are, up to two edits.
    #[inline]
    pub fn distance(&self, other: &Text<'_>) -> Distance {
        if self.is_empty() || other.is_empty() || self.is_sound() != other.is_sound() {
            return Distance::Unknown;
        }
        if self.mask == other.mask && equal(self.bytes, other.bytes) {
            return Distance::Same;
        }
        if has_three(self.mask & !other.mask) || has_three(other.mask & !self.mask) {
            return Distance::Far;
        }
        if self.is_sound() {
            return sounds_apart(self, other);
        }
        edits(self.bytes.as_chunks::<2>().0, other.bytes.as_chunks::<2>().0, <[u8; 2]>::eq)
    }

    /// How many of the fewer symbols both have, of kanji.
    pub fn shares_kanji(&self, other: &Text<'_>) -> bool {
        self.mask & other.mask != 0
            && self.bytes.chunks_exact(2).any(|one| other.bytes.chunks_exact(2).any(|two| one == two))
    }
    /// Whether one begins with the whole other, which has at least three symbols.
    pub fn begins(&self, other: &Text<'_>) -> bool {
        let (short, long) = if self.bytes.len() < other.bytes.len() { (self, other) } else { (other, self) };
        short.script == long.script && short.symbols() >= 3 && long.bytes.starts_with(short.bytes)
    }
}

/// Whether two texts are the same: they are short, and a call would cost more than the comparison.
#[inline]
fn equal(one: &[u8], two: &[u8]) -> bool {
    let (words, letters) = one.as_chunks::<4>();
    let (other_words, other_letters) = two.as_chunks::<4>();
    one.len() == two.len()
        && words.iter().zip(other_words).all(|(a, b)| u32::from_le_bytes(*a) == u32::from_le_bytes(*b))
        && letters.iter().zip(other_letters).all(|(a, b)| a == b)
}

/// Whether at least three bits are set.
fn has_three(bits: u32) -> bool {
    let but_one = bits & bits.wrapping_sub(1);
    but_one & but_one.wrapping_sub(1) != 0
}

fn sounds_apart(one: &Text<'_>, two: &Text<'_>) -> Distance {
    let latin = one.script == Script::Latin || two.script == Script::Latin;
    let (a, b) = (one.bytes, two.bytes);
    if a.len() == b.len() && (!latin || one.mask == two.mask) {
        if alike_in_front(a, b, u8::eq_ignore_ascii_case) == a.len() {
            return if latin { Distance::Same } else { Distance::Alike };
        }
        if !latin && alike_in_front(a, b, |a, b| voiceless(*a) == voiceless(*b)) == a.len() {
            return Distance::Alike;
        }
    }
    edits(a, b, u8::eq_ignore_ascii_case)
}

/// How many symbols are the same from the first on.
#[inline]
fn alike_in_front<T>(one: &[T], two: &[T], same: impl Fn(&T, &T) -> bool) -> usize {
    let most = one.len().min(two.len());
    let mut alike = 0;
    while alike < most && same(&one[alike], &two[alike]) {
        alike += 1;
    }
    alike
}

/// How many symbols are the same from the last on.
#[inline]
fn alike_behind<T>(one: &[T], two: &[T], same: impl Fn(&T, &T) -> bool) -> usize {
    let most = one.len().min(two.len());
    let mut alike = 0;
    while alike < most && same(&one[one.len() - 1 - alike], &two[two.len() - 1 - alike]) {
        alike += 1;
    }
    alike
}

/// A sound without voice and length: ザ is サ, オウ is オ.
fn voiceless(letter: u8) -> u8 {
    match letter {
        b'g' => b'k',
        b'z' => b's',
        b'j' => b'x',
        b'd' => b't',
        b'b' | b'p' => b'h',
        other => other.to_ascii_lowercase(),
    }
}

/// Symbols that an edit takes from either text: one replaced, left out, inserted, two neighbours exchanged.
const EDITS: [(usize, usize); 4] = [(1, 1), (1, 0), (0, 1), (2, 2)];

/// Edits between two texts, neighbours exchanged counted as one, up to two.
///
/// Equal ends are passed over first. What is left begins and ends with an edit; so it is one edit as a whole, or one at each
/// end and nothing between them.
#[inline]
fn edits<T>(one: &[T], two: &[T], same: impl Fn(&T, &T) -> bool + Copy) -> Distance {
    if one.len().abs_diff(two.len()) > 2 {
        return Distance::Far;
    }
    let front = alike_in_front(one, two, same);
    let (one, two) = (one.get(front..).unwrap_or_default(), two.get(front..).unwrap_or_default());
    let back = alike_behind(one, two, same);
    let one = one.get(..one.len() - back).unwrap_or_default();
    let two = two.get(..two.len() - back).unwrap_or_default();
    let exchanged = |one: &[T], two: &[T]| match (one, two) {
        ([a, b], [c, d]) => same(a, d) && same(b, c),
        _ => true,
    };
    if let ([], rest) | (rest, []) = (one, two) {
        return Distance::Edits(rest.len() as u8);
    }
    if matches!((one, two), ([_], [_]) | ([_, _], [_, _])) && exchanged(one, two) {
        return Distance::Edits(1);
    }
    for (begin_one, begin_two) in EDITS {
        for (end_one, end_two) in EDITS {
            let (end_one, end_two) = (one.len().checked_sub(end_one), two.len().checked_sub(end_two));
            let (Some(end_one), Some(end_two)) = (end_one, end_two) else { continue };
            if begin_one > end_one || end_one - begin_one != end_two.wrapping_sub(begin_two) {
                continue;
            }
            let ((begin, rest_one), (other_begin, rest_two)) =
                (one.split_at(begin_one), two.split_at(begin_two));
            let (middle_one, end) = rest_one.split_at(end_one - begin_one);
            let (middle_two, other_end) = rest_two.split_at(end_two - begin_two);
            let same_middle = alike_in_front(middle_one, middle_two, same) == middle_one.len();
            if same_middle && exchanged(begin, other_begin) && exchanged(end, other_end) {
                return Distance::Edits(2);
            }
        }
    }
    Distance::Far
}

fn kanji_bytes(text: &str) -> Vec<u8> {
    // The low half of what lies beyond the basic plane: rare, and equal where it matters.
    text.chars().flat_map(|character| (u32::from(character) as u16).to_le_bytes()).collect()
}

fn width(script: Script) -> usize {
    if script == Script::Kanji { 2 } else { 1 }
}

fn bit(symbol: &[u8]) -> u32 {
    let number = match symbol {
        [letter] => u32::from(letter.to_ascii_lowercase()) % 32,
        [low, high] => (u32::from(u16::from_le_bytes([*low, *high])).wrapping_mul(0x9e37_79b1)) >> 27,
        _ => 0,
    };
    1 << number
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn distance(one: &str, two: &str) -> Distance {
        let (mut heads, mut symbols) = (Vec::new(), Vec::new());
        for text in [one, two] {
            Written::name(text).lay_out(&mut heads, &mut symbols);
        }
        let mut texts = Texts { heads: heads.as_chunks().0, symbols: &symbols }.iter();
        texts.next().unwrap().distance(&texts.next().unwrap())
    }

    #[test]
    fn distances() {
        use Distance::*;
        for (one, two, expected) in [
            ("斎藤", "齋藤", Same),
            ("高橋", "髙橋", Same),
            ("佐藤", "加藤", Edits(1)),
            ("ヤマザキ", "ヤマサキ", Alike),
            ("オオノ", "オノ", Alike),
            ("オオノ", "Ono", Same),
            ("オノ", "Ono", Same),
            ("サトウ", "Sato", Same),
            ("サトウ", "佐藤", Unknown),
            ("", "佐藤", Unknown),
            ("ケンイチ", "ケイイチ", Edits(1)),
            ("タロウ", "ジロウ", Edits(2)),
            ("ハナコ", "ヒロシ", Far),
            ("waller", "walelr", Edits(1)),
        ] {
            assert_eq!(distance(one, two), expected, "{one} {two}");
            assert_eq!(distance(two, one), expected, "{two} {one}");
        }
    }

    /// The textbook's optimal string alignment, to compare with.
    fn textbook(one: &[u8], two: &[u8]) -> usize {
        let mut table = vec![vec![0; two.len() + 1]; one.len() + 1];
        for i in 0..=one.len() {
            for j in 0..=two.len() {
                table[i][j] = match (i, j) {
                    (0, _) => j,
                    (_, 0) => i,
                    _ => {
                        let cost = usize::from(one[i - 1] != two[j - 1]);
                        let mut best =
                            (table[i - 1][j - 1] + cost).min(table[i - 1][j] + 1).min(table[i][j - 1] + 1);
                        if i > 1 && j > 1 && one[i - 1] == two[j - 2] && one[i - 2] == two[j - 1] {
                            best = best.min(table[i - 2][j - 2] + 1);
                        }
                        best
                    }
                };
            }
        }
        table[one.len()][two.len()]
    }

    proptest! {
        #[test]
        fn edits_are_those_of_the_textbook(one in "[abc]{0,7}", two in "[abc]{0,7}") {
            let expected = match textbook(one.as_bytes(), two.as_bytes()) {
                edits @ 0..=2 => Distance::Edits(edits as u8),
                _ => Distance::Far,
            };
            prop_assert_eq!(edits(one.as_bytes(), two.as_bytes(), u8::eq), expected);
        }

        #[test]
        fn distance_is_symmetric_and_any_text_is_the_same_as_itself(one in "\\PC{0,40}", two in "[ァ-ンa-z一-龠]{0,9}") {
            prop_assert_eq!(distance(&one, &two), distance(&two, &one));
            prop_assert!(matches!(distance(&one, &one), Distance::Same | Distance::Unknown));
        }
    }
}
