//! Which readings a name in kanji has: learnt from records that carry both, and asked where one record has only kanji and
//! the other only kana or romaji.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::hash::Hash;
use super::parts::{Names, Parts};
use super::prepared::Prepared;
use super::texts::{MAX_SYMBOLS, Text, Texts};

/// Kanji and how often each reading of them was seen, by hashes. What is not there has readings that nobody knows.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Readings {
    by_kanji: HashMap<u64, Vec<(u32, u32)>, BuildHasherDefault<Hashed>>,
    /// How single kanji are read.
    #[serde(default)]
    parts: Parts,
}

/// Readings of one name that are kept: the most have one or two.
const MAX_READINGS: usize = 16;
/// Kanji are read in this way if at least this part of those who are written so are.
const USUAL: f64 = 0.2;
/// The same where different kanji are compared by their readings: both must mostly be read so.
const MOSTLY: f64 = 0.5;

/// Whether names that are written in different ways can be read the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Read {
    /// Not so, as far as is known.
    Otherwise,
    /// As one of several readings.
    AlsoSo,
    /// As they are usually read.
    UsuallySo,
}

impl Readings {
    /// Learns from records: a record's kanji are read as its kana and romaji.
    pub fn learn<'a>(&mut self, records: impl IntoIterator<Item = &'a Prepared>) {
        for record in records {
            let view = record.view();
            self.pair(view.families);
            self.pair(view.givens);
        }
    }
    /// Learns from records, all there are, how single kanji are read.
    pub fn learn_parts<'a>(&mut self, records: impl IntoIterator<Item = &'a Prepared>) {
        let mut names = Names::new();
        for record in records {
            let view = record.view();
            for (kanji, sounds) in [view.families, view.givens].into_iter().filter_map(one_kanji) {
                names.extend(
                    sounds.map(|sound| {
                        (kanji.bytes().to_vec(), letters(&sound, &mut [0; MAX_SYMBOLS]).to_vec())
                    }),
                );
            }
        }
        self.parts = Parts::learn(&names);
    }
    fn pair(&mut self, names: Texts<'_>) {
        if let Some((kanji, sounds)) = one_kanji(names) {
            for sound in sounds.map(|sound| of_sound(&sound)) {
                let readings = self.by_kanji.entry(of_kanji(&kanji)).or_default();
                if let Some((_, seen)) = readings.iter_mut().find(|(reading, _)| *reading == sound) {
                    *seen = seen.saturating_add(1);
                } else if readings.len() < MAX_READINGS {
                    readings.push((sound, 1));
                }
            }
        }
    }
    /// Whether a sound is a reading of kanji, as a whole or kanji by kanji, or two names in kanji have a reading in common;
    /// None if that is not known.
    pub(super) fn agree(&self, one: &Text<'_>, two: &Text<'_>) -> Option<Read> {
        let whole = self.agree_as_a_whole(one, two);
        let by_kanji = |kanji: &Text<'_>, sound: &Text<'_>| {
            let mut small = [0; MAX_SYMBOLS];
            whole.max(self.parts.read(kanji.bytes(), letters(sound, &mut small)))
        };
        match (whole, one.is_kanji(), two.is_kanji()) {
            (Some(Read::UsuallySo), ..) => whole,
            (_, true, false) => by_kanji(one, two),
            (_, false, true) => by_kanji(two, one),
            _ => whole,
        }
    }
    /// The same by readings of whole names alone.
    pub(super) fn agree_as_a_whole(&self, one: &Text<'_>, two: &Text<'_>) -> Option<Read> {
        let readings = |kanji: &Text<'_>| self.by_kanji.get(&of_kanji(kanji)).map(Vec::as_slice);
        match (one.is_kanji(), two.is_kanji()) {
            (true, false) => Some(read_as(readings(one)?, of_sound(two), USUAL)),
            (false, true) => Some(read_as(readings(two)?, of_sound(one), USUAL)),
            (true, true) => {
                let (one, two) = (readings(one)?, readings(two)?);
                let both = |reading| read_as(one, reading, MOSTLY).min(read_as(two, reading, MOSTLY));
                one.iter().map(|(reading, _)| both(*reading)).max()
            }
            (false, false) => None,
        }
    }
    /// A bit for each reading that names may have: kanji as they are known to be read, sounds as they are.
    pub(super) fn bits<'a>(&self, names: impl Iterator<Item = Text<'a>>) -> u64 {
        let bit = |reading: u32| 1u64 << (reading % u64::BITS);
        names.fold(0, |bits, name| match name.is_kanji() {
            true => {
                let known = self.by_kanji.get(&of_kanji(&name)).into_iter().flatten();
                known.fold(bits, |bits, (reading, _)| bits | bit(*reading))
            }
            false => bits | bit(of_sound(&name)),
        })
    }
    /// Names in kanji that it knows.
    pub fn len(&self) -> usize {
        self.by_kanji.len()
    }
    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.by_kanji.is_empty()
    }
}

/// With one spelling and one reading, each belongs to the other.
fn one_kanji(names: Texts<'_>) -> Option<(Text<'_>, impl Iterator<Item = Text<'_>>)> {
    let mut kanji = names.iter().filter(Text::is_kanji);
    match (kanji.next(), kanji.next()) {
        (Some(kanji), None) => Some((kanji, names.iter().filter(Text::is_sound))),
        _ => None,
    }
}

/// Without the length of vowels.
fn letters<'b>(sound: &Text<'_>, small: &'b mut [u8; MAX_SYMBOLS]) -> &'b [u8] {
    let length = sound.bytes().len().min(MAX_SYMBOLS);
    for (small, letter) in small.iter_mut().zip(sound.bytes()) {
        *small = letter.to_ascii_lowercase();
    }
    small.get(..length).unwrap_or_default()
}

fn read_as(readings: &[(u32, u32)], sound: u32, part: f64) -> Read {
    let all: u32 = readings.iter().map(|(_, seen)| seen).sum();
    match readings.iter().find(|(reading, _)| *reading == sound) {
        Some((_, seen)) if f64::from(*seen) > part * f64::from(all) => Read::UsuallySo,
        Some(_) => Read::AlsoSo,
        None => Read::Otherwise,
    }
}

/// Keys are hashes already, or kanji, which are spread.
#[derive(Default, Clone)]
pub(super) struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash << 8 | u64::from(*byte));
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
    fn write_u16(&mut self, kanji: u16) {
        self.0 = u64::from(kanji).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

fn of_kanji(kanji: &Text<'_>) -> u64 {
    Hash::new(0).bytes(kanji.bytes()).finish()
}

/// Without the length of vowels, since romaji may lack it.
fn of_sound(sound: &Text<'_>) -> u32 {
    sound.bytes().iter().fold(Hash::new(1), |hash, letter| hash.byte(letter.to_ascii_lowercase())).finish()
        as u32
}
