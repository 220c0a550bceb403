//! Texts inside a prepared record, and how far two of them are apart.

use super::sound;
use super::text::{Script, fold, squeeze};

/// Symbols of one text that are kept: what is longer is cut.
const MAX_SYMBOLS: usize = 32;

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

impl<'a> Text<'a> {
    /// No text.
    pub const EMPTY: Text<'static> = Text { script: Script::Latin, mask: 0, bytes: &[] };

    /// Appends a name's part by its sound, or by its ideographs.
    pub fn write_name(part: &str, to: &mut Vec<u8>) {
        let (script, text) = squeeze(&fold(part));
        match script {
            Script::Kanji => write(script, &kanji_bytes(&text), to),
            _ => write(script, sound::key(&text).as_bytes(), to),
        }
    }
    /// Appends other text, already squeezed.
    pub fn write_plain(text: &str, to: &mut Vec<u8>) {
        if text.is_ascii() {
            write(Script::Latin, text.as_bytes(), to);
        } else {
            write(Script::Kanji, &kanji_bytes(text), to);
        }
    }
    /// Takes a text from the front.
    pub fn read(bytes: &mut &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<6>()?;
        let [script, length, mask @ ..] = *head;
        let script = match script {
            1 => Script::Kanji,
            2 => Script::Kana,
            3 => Script::Latin,
            _ => return None,
        };
        let (text, rest) = rest.split_at_checked(usize::from(length))?;
        *bytes = rest;
        Some(Self { script, mask: u32::from_le_bytes(mask), bytes: text })
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
    pub fn distance(&self, other: &Text<'_>) -> Distance {
        if self.is_empty() || other.is_empty() || self.is_sound() != other.is_sound() {
            return Distance::Unknown;
        }
        if self.bytes == other.bytes {
            return Distance::Same;
        }
        let only_here = (self.mask & !other.mask).count_ones();
        let only_there = (other.mask & !self.mask).count_ones();
        if only_here.max(only_there) > 2 {
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

fn sounds_apart(one: &Text<'_>, two: &Text<'_>) -> Distance {
    let latin = one.script == Script::Latin || two.script == Script::Latin;
    if one.bytes.eq_ignore_ascii_case(two.bytes) {
        return if latin { Distance::Same } else { Distance::Alike };
    }
    let mut pairs = one.bytes.iter().zip(two.bytes);
    if !latin && one.bytes.len() == two.bytes.len() && pairs.all(|(a, b)| voiceless(*a) == voiceless(*b)) {
        return Distance::Alike;
    }
    edits(one.bytes, two.bytes, u8::eq_ignore_ascii_case)
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

/// Edits between two texts, neighbours exchanged counted as one, up to two.
///
/// Equal ends are passed over first; what is left of two texts that are two edits apart is nearly always short.
fn edits<T>(one: &[T], two: &[T], same: fn(&T, &T) -> bool) -> Distance {
    if one.len().abs_diff(two.len()) > 2 {
        return Distance::Far;
    }
    let front = one.iter().zip(two).take_while(|(a, b)| same(a, b)).count();
    let (one, two) = (one.get(front..).unwrap_or_default(), two.get(front..).unwrap_or_default());
    let back = one.iter().rev().zip(two.iter().rev()).take_while(|(a, b)| same(a, b)).count();
    let one = one.get(..one.len() - back).unwrap_or_default();
    let two = two.get(..two.len() - back).unwrap_or_default();
    match budgeted(one, two, same, 2) {
        Some(count) => Distance::Edits(count),
        None => Distance::Far,
    }
}

/// The fewest edits, if they are at most `budget`.
fn budgeted<T>(one: &[T], two: &[T], same: fn(&T, &T) -> bool, budget: u8) -> Option<u8> {
    match (one, two) {
        ([], rest) | (rest, []) => u8::try_from(rest.len()).ok().filter(|edits| *edits <= budget),
        ([a, after_one @ ..], [b, after_two @ ..]) if same(a, b) => {
            budgeted(after_one, after_two, same, budget)
        }
        _ if budget == 0 => None,
        ([a, after_one @ ..], [b, after_two @ ..]) => {
            let rest = budget - 1;
            let replaced = budgeted(after_one, after_two, same, rest);
            let left_out = budgeted(after_one, two, same, rest);
            let inserted = budgeted(one, after_two, same, rest);
            let exchanged = match (after_one, after_two) {
                ([c, beyond_one @ ..], [d, beyond_two @ ..]) if same(a, d) && same(b, c) => {
                    budgeted(beyond_one, beyond_two, same, rest)
                }
                _ => None,
            };
            [replaced, left_out, inserted, exchanged].into_iter().flatten().min().map(|edits| edits + 1)
        }
    }
}

fn kanji_bytes(text: &str) -> Vec<u8> {
    // The low half of what lies beyond the basic plane: rare, and equal where it matters.
    text.chars().flat_map(|character| (u32::from(character) as u16).to_le_bytes()).collect()
}

fn write(script: Script, bytes: &[u8], to: &mut Vec<u8>) {
    let width = if script == Script::Kanji { 2 } else { 1 };
    let bytes = bytes.get(..bytes.len().min(MAX_SYMBOLS * width)).unwrap_or_default();
    let mask = bytes.chunks_exact(width).fold(0u32, |mask, symbol| mask | bit(symbol));
    to.push(script as u8);
    to.push(bytes.len() as u8);
    to.extend(mask.to_le_bytes());
    to.extend(bytes);
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
        let (mut a, mut b) = (Vec::new(), Vec::new());
        Text::write_name(one, &mut a);
        Text::write_name(two, &mut b);
        Text::read(&mut &a[..]).unwrap().distance(&Text::read(&mut &b[..]).unwrap())
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
