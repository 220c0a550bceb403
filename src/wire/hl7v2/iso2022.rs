//! Text with escape sequences: ISO-2022-JP as Japanese systems send it (JIS X 0202; HL7 2.5, 2.7.2). Reading takes JIS X 0212
//! and half-width katakana in seven or eight bits as well; writing keeps to ASCII and JIS X 0208, which every reader of
//! `ISO IR87` knows.
//!
//! Not left to `encoding_rs`, which reads like a browser: a backslash behind `ESC ( J` becomes `¥`, two escape sequences
//! in a row or a line that ends in two-byte text become U+FFFD. Its tables are used, through EUC-JP.

use encoding_rs::EUC_JP;
use unicode_normalization::UnicodeNormalization;

use super::charset::{Decoded, Encoded, put_by_table, twin};

const ESC: u8 = 0x1b;

/// What the bytes 0x21 to 0x7E mean.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Set {
    /// ASCII, or JIS X 0201 Roman: its ¥ and ‾ are taken for the backslash and tilde whose places they have, or escape and
    /// repetition characters would vanish.
    Roman,
    /// JIS X 0201 katakana.
    Katakana,
    /// JIS X 0208.
    Kanji,
    /// JIS X 0212.
    Supplementary,
}

/// Behind ESC, and between HL7's escape characters (MSH-20 `2.3`). None changes nothing: it is about bytes above 0x7F, which
/// are katakana always.
const SWITCHES: &[(&[u8], &[u8], Option<Set>)] = &[
    (b"(B", b"C2842", Some(Set::Roman)),
    (b"(J", b"C284A", Some(Set::Roman)),
    // A mistake of old software.
    (b"(H", b"C2848", Some(Set::Roman)),
    (b"(I", b"C2849", Some(Set::Katakana)),
    (b")I", b"C2949", None),
    (b"$@", b"M2440", Some(Set::Kanji)),
    (b"$B", b"M2442", Some(Set::Kanji)),
    (b"$(@", b"M242840", Some(Set::Kanji)),
    (b"$(B", b"M242842", Some(Set::Kanji)),
    (b"$(D", b"M242844", Some(Set::Supplementary)),
    // Announces the edition of 1990.
    (b"&@", b"C2640", None),
];

/// From bytes; `hl7_escape` is the message's escape character, where its sequences switch sets.
pub(super) fn decode(bytes: &[u8], hl7_escape: Option<u8>) -> Decoded {
    let mut text = String::with_capacity(bytes.len());
    let mut undecodable = 0;
    let mut set = Set::Roman;
    let mut rest = bytes;
    while let [byte, behind @ ..] = rest {
        if let Some((length, switched)) = switch(*byte, behind, hl7_escape) {
            set = switched.unwrap_or(set);
            rest = behind.get(length..).unwrap_or_default();
            continue;
        }
        if matches!(byte, b'\r' | b'\n') {
            set = Set::Roman;
        }
        let (character, length) = character(*byte, behind, set);
        undecodable += usize::from(character.is_none());
        text.push(character.unwrap_or('\u{fffd}'));
        rest = rest.get(length..).unwrap_or_default();
    }
    Decoded { text, undecodable }
}

/// Whether an escape sequence begins: its length behind the first byte, and to which set.
fn switch(byte: u8, behind: &[u8], hl7_escape: Option<u8>) -> Option<(usize, Option<Set>)> {
    if byte == ESC {
        let found = SWITCHES.iter().find(|(sequence, ..)| behind.starts_with(sequence))?;
        return Some((found.0.len(), found.2));
    }
    if Some(byte) != hl7_escape {
        return None;
    }
    let closes = |sequence: &[u8]| behind.starts_with(sequence) && behind.get(sequence.len()) == Some(&byte);
    let found = SWITCHES.iter().find(|(_, sequence, _)| closes(sequence))?;
    Some((found.1.len() + 1, found.2))
}

/// The next character, if it is one, and the bytes that it takes.
fn character(byte: u8, behind: &[u8], set: Set) -> (Option<char>, usize) {
    let graphic = |byte: &u8| matches!(byte, 0x21..=0x7e);
    match (set, byte, behind.first().filter(|byte| graphic(byte))) {
        (_, ESC, _) => (None, 1),
        (_, 0xa1..=0xdf, _) => (char::from_u32(0xff61 + u32::from(byte - 0xa1)), 1),
        (_, 0x80.., _) => (None, 1),
        (Set::Katakana, 0x21..=0x5f, _) => (char::from_u32(0xff61 + u32::from(byte - 0x21)), 1),
        (Set::Kanji, 0x21..=0x7e, Some(second)) => (from_euc(&[byte | 0x80, second | 0x80]), 2),
        (Set::Supplementary, 0x21..=0x7e, Some(second)) => (from_euc(&[0x8f, byte | 0x80, second | 0x80]), 2),
        // Half a character.
        (Set::Kanji | Set::Supplementary, 0x21..=0x7e, None) => (None, 1),
        _ => (Some(char::from(byte)), 1),
    }
}

fn from_euc(bytes: &[u8]) -> Option<char> {
    let text = EUC_JP.decode_without_bom_handling_and_without_replacement(bytes)?;
    text.chars().next()
}

/// To bytes. Delimiters and ends of segments are ASCII, so that the text is in ASCII there.
pub(super) fn encode(text: &str) -> Encoded {
    let mut bytes = Vec::with_capacity(text.len() * 2);
    let mut replaced = 0;
    let mut set = Set::Roman;
    let mut enter = |wanted: Set, bytes: &mut Vec<u8>| {
        if set != wanted {
            bytes.extend_from_slice(if wanted == Set::Kanji { b"\x1b$B" } else { b"\x1b(B" });
            set = wanted;
        }
    };
    for character in full_width(text).chars() {
        if character.is_ascii() {
            enter(Set::Roman, &mut bytes);
            bytes.push(character as u8);
            continue;
        }
        enter(Set::Kanji, &mut bytes);
        bytes.extend(kanji(character).unwrap_or_else(|| {
            replaced += 1;
            BLACK_SQUARE
        }));
    }
    enter(Set::Roman, &mut bytes);
    Encoded { bytes, replaced }
}

/// ■ in JIS X 0208: what Japanese systems show for a character that they do not have.
const BLACK_SQUARE: [u8; 2] = [0x22, 0x23];

/// A character's place in JIS X 0208. The tables of `encoding_rs` have the characters of NEC and IBM (①, 髙) in rows 13 and 89
/// to 92, where a strict reader has none.
fn kanji(character: char) -> Option<[u8; 2]> {
    let mut euc = Vec::new();
    put_by_table(EUC_JP, twin(character), &mut euc);
    match euc.as_slice() {
        [row @ (0xa1..=0xa8 | 0xb0..=0xf4), cell @ 0xa1..=0xfe] => Some([row & 0x7f, cell & 0x7f]),
        _ => None,
    }
}

/// Half-width katakana as full-width ones, with their voicing marks.
fn full_width(text: &str) -> String {
    let is_half = |c: char| matches!(c, '\u{ff61}'..='\u{ff9f}');
    if !text.contains(is_half) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_half) {
        let (before, half) = rest.split_at(start);
        let (half, behind) = half.split_at(half.find(|c| !is_half(c)).unwrap_or(half.len()));
        out.push_str(before);
        out.extend(half.nfkc());
        rest = behind;
    }
    out + rest
}
