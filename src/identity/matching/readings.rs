//! Which readings a name in kanji has: learnt from records that carry both, and asked where one record has only kanji and
//! the other only kana or romaji.

use std::collections::HashMap;

use super::hash::Hash;
use super::prepared::Prepared;
use super::texts::Text;

/// Kanji and their readings, by hashes. A kanji that is not there has readings that nobody knows.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Readings {
    by_kanji: HashMap<u64, Vec<u32>>,
}

/// Readings of one name that are kept: the most have one or two.
const MAX_READINGS: usize = 16;

impl Readings {
    /// Learns from records: a record's kanji are read as its kana and romaji.
    pub fn learn<'a>(&mut self, records: impl IntoIterator<Item = &'a Prepared>) {
        for record in records {
            let view = record.view();
            self.pair(view.families().get(..view.current_families()).unwrap_or_default());
            self.pair(view.givens());
        }
    }
    fn pair(&mut self, names: &[Text<'_>]) {
        let of_script = |sound: bool| names.iter().filter(move |name| name.is_sound() == sound);
        // With one spelling and one reading, each belongs to the other.
        let mut kanji = of_script(false);
        if let (Some(kanji), None) = (kanji.next(), kanji.next()) {
            for sound in of_script(true) {
                let readings = self.by_kanji.entry(of_kanji(kanji)).or_default();
                let sound = of_sound(sound);
                if !readings.contains(&sound) && readings.len() < MAX_READINGS {
                    readings.push(sound);
                }
            }
        }
    }
    /// Whether a sound is a reading of these kanji; None if no reading of them is known.
    pub(super) fn knows(&self, kanji: &Text<'_>, sound: &Text<'_>) -> Option<bool> {
        if kanji.is_sound() || !sound.is_sound() {
            return None;
        }
        let readings = self.by_kanji.get(&of_kanji(kanji))?;
        Some(readings.contains(&of_sound(sound)))
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

fn of_kanji(kanji: &Text<'_>) -> u64 {
    Hash::new(0).bytes(kanji.bytes()).finish()
}

/// Without the length of vowels, since romaji may lack it.
fn of_sound(sound: &Text<'_>) -> u32 {
    sound.bytes().iter().fold(Hash::new(1), |hash, letter| hash.byte(letter.to_ascii_lowercase())).finish()
        as u32
}
