//! How single kanji are read in names: learnt by splitting names that are known in both scripts where the parts fit others'
//! best, so that a name that nobody has sent in both scripts yet can be read all the same.

use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasherDefault;

use super::readings::{Hashed, Read};

/// Kanji and how they are read: letters, and in which part of the names that have it.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Parts {
    by_kanji: ByKanji,
}

type ByKanji = HashMap<u16, Vec<(Letters, f32)>, BuildHasherDefault<Hashed>>;

/// Names in kanji (two bytes each) and how they are read (small letters).
pub type Names = BTreeSet<(Vec<u8>, Vec<u8>)>;

/// Up to eight letters in one number.
type Letters = u64;

/// Kanji of a name that is split; longer ones are rare.
const MAX_KANJI: usize = 4;
/// Letters of such a name.
const MAX_LETTERS: usize = 20;
/// How often splits are weighed anew: they settle within a few.
const ROUNDS: usize = 6;
/// Different names in which a kanji must have been read so.
const SEEN: f64 = 1.5;
/// A kanji is usually read so if at least this part of the names that have it is.
const USUAL: f32 = 0.05;

/// A name with all the ways to split it.
struct Splits {
    kanji: Vec<u16>,
    ways: Vec<Vec<Letters>>,
}

impl Parts {
    /// Learns from names in both scripts.
    pub fn learn(names: &Names) -> Self {
        let splits: Vec<Splits> = names.iter().filter_map(|(kanji, letters)| split(kanji, letters)).collect();
        let mut counts = HashMap::new();
        let mut all = HashMap::new();
        for _ in 0..ROUNDS {
            (counts, all) = weighed(&splits, &counts, &all);
        }
        let mut by_kanji = ByKanji::default();
        for ((kanji, part), count) in counts.into_iter().filter(|(_, count)| *count >= SEEN) {
            let all = all.get(&kanji).copied().unwrap_or(count);
            by_kanji.entry(kanji).or_default().push((part, (count / all) as f32));
        }
        by_kanji.values_mut().for_each(|readings| readings.sort_by_key(|(part, _)| *part));
        Self { by_kanji }
    }

    /// Whether a name in kanji can be read so, kanji by kanji; None if that is not known.
    pub fn read(&self, kanji: &[u8], letters: &[u8]) -> Option<Read> {
        match self.best(kanji, letters) {
            share if share >= USUAL => Some(Read::UsuallySo),
            share if share > 0.0 => Some(Read::AlsoSo),
            _ => None,
        }
    }

    /// Of the way that fits best, how usual its rarest part is.
    fn best(&self, kanji: &[u8], letters: &[u8]) -> f32 {
        let Some(([low, high], after)) = kanji.split_first_chunk() else {
            return if letters.is_empty() { 1.0 } else { 0.0 };
        };
        let known = self.by_kanji.get(&u16::from_le_bytes([*low, *high]));
        let ways = known.into_iter().flatten().filter_map(|(part, share)| {
            let rest = letters.get(length(*part)..)?;
            (packed(letters.get(..length(*part))?) == Some(*part)).then(|| share.min(self.best(after, rest)))
        });
        ways.fold(0.0, f32::max)
    }
}

type Counts = HashMap<(u16, Letters), f64>;

/// Counts how often each kanji is read how, when each name is split as the counts so far have it.
fn weighed(splits: &[Splits], so_far: &Counts, of_kanji: &HashMap<u16, f64>) -> (Counts, HashMap<u16, f64>) {
    let (mut counts, mut all) = (Counts::new(), HashMap::new());
    for Splits { kanji, ways } in splits {
        let share = |kanji: &u16, part: &Letters| {
            let all = of_kanji.get(kanji).copied().unwrap_or(1.0);
            if so_far.is_empty() { 1.0 } else { so_far.get(&(*kanji, *part)).copied().unwrap_or(0.0) / all }
        };
        let weights = ways.iter().map(|way| kanji.iter().zip(way).map(|(k, part)| share(k, part)).product());
        let weights: Vec<f64> = weights.collect();
        let sum: f64 = weights.iter().sum();
        for (way, weight) in ways.iter().zip(&weights).filter(|_| sum > 0.0) {
            for (kanji, part) in kanji.iter().zip(way) {
                *counts.entry((*kanji, *part)).or_default() += weight / sum;
                *all.entry(*kanji).or_default() += weight / sum;
            }
        }
    }
    (counts, all)
}

fn split(kanji: &[u8], letters: &[u8]) -> Option<Splits> {
    let kanji: Vec<u16> = kanji.as_chunks().0.iter().map(|kanji| u16::from_le_bytes(*kanji)).collect();
    if kanji.is_empty() || kanji.len() > MAX_KANJI || letters.len() > MAX_LETTERS {
        return None;
    }
    let mut ways = Vec::new();
    split_on(letters, kanji.len() - 1, &mut Vec::new(), &mut ways);
    Some(Splits { kanji, ways })
}

/// Splits behind syllables.
fn split_on(letters: &[u8], times: usize, before: &mut Vec<Letters>, ways: &mut Vec<Vec<Letters>>) {
    if times == 0 {
        ways.extend(packed(letters).map(|last| [before.as_slice(), &[last]].concat()));
        return;
    }
    for at in 1..letters.len() {
        let (part, rest) = letters.split_at(at);
        if let (Some(b'a' | b'e' | b'i' | b'o' | b'u' | b'n'), Some(packed)) = (part.last(), packed(part)) {
            before.push(packed);
            split_on(rest, times - 1, before, ways);
            before.pop();
        }
    }
}

fn packed(letters: &[u8]) -> Option<Letters> {
    let fits = (1..=8).contains(&letters.len());
    fits.then(|| letters.iter().fold(0, |packed, letter| packed << 8 | Letters::from(*letter)))
}

fn length(part: Letters) -> usize {
    8 - part.leading_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kanji(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn names_are_read_that_were_never_seen() {
        let seen = [
            ("裕子", "yuko"),
            ("裕一", "yuichi"),
            ("裕美", "hiromi"),
            ("裕之", "hiroyuki"),
            ("和美", "kazumi"),
            ("和子", "kazuko"),
            ("和之", "kazuyuki"),
            ("健一", "kenichi"),
            ("健", "ken"),
        ];
        let names = seen.iter().map(|(name, letters)| (kanji(name), letters.as_bytes().to_vec())).collect();
        let parts = Parts::learn(&names);
        for (name, letters, expected) in [
            ("裕美", "yumi", Some(Read::UsuallySo)),
            ("健美", "kenmi", Some(Read::UsuallySo)),
            ("和一", "kazuichi", Some(Read::UsuallySo)),
            ("和一", "kenichi", None),
            ("花子", "hanako", None),
            ("和", "kazuko", None),
        ] {
            assert_eq!(parts.read(&kanji(name), letters.as_bytes()), expected, "{name} {letters}");
        }
    }
}
