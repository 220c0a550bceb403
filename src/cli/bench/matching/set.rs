//! A set of records with the truth about them.

use std::collections::HashMap;

use crate::demographics::Demographics;

/// What went into a record that makes it harder to recognise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// Another form of a kanji.
    KanjiVariant,
    /// Other kanji of the same reading.
    OtherSpelling,
    /// A kana, or a letter, mistyped.
    KanaTyping,
    /// The birthday mistyped.
    Birthday,
    /// The postcode mistyped.
    Postcode,
    /// Another family name.
    Marriage,
    /// Another address, and for half of them another telephone number.
    Removal,
    /// A field left out.
    Missing,
    /// One record of the pair has only kanji, the other only kana or romaji.
    NoCommonScript,
}

/// Where a record comes from, in truth.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// The person.
    pub person: u32,
    /// Who lives together; 0 for nobody known.
    pub household: u32,
    /// Who was born together; 0 for nobody.
    pub twins: u32,
    /// The file, where only pairs of different files count.
    pub file: u8,
    /// What is wrong with it.
    pub errors: Vec<ErrorKind>,
    /// Kanji, kana or both, as bits 1 and 2.
    pub scripts: u8,
}

/// What a set must reach.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reach {
    /// Precision of automatic links.
    pub precision: f64,
    /// Recall of automatic links.
    pub recall: f64,
    /// F of automatic links.
    pub f: f64,
    /// True pairs linked or in review.
    pub found: f64,
    /// Review pairs per 100 records, at most.
    pub review: f64,
}

/// A set of records.
pub struct Set {
    /// For people.
    pub name: String,
    /// How it was made: rates, sources.
    pub about: String,
    /// The records, shuffled.
    pub records: Vec<Demographics>,
    /// The truth about each.
    pub truth: Vec<Truth>,
    /// What it must reach.
    pub reach: Reach,
    /// Whether links are those of the weights alone, as FEBRL is measured, or what bars linking counts.
    pub by_weights: bool,
}

impl Set {
    /// Shuffles.
    pub fn new(
        name: &str,
        about: String,
        mut rows: Vec<(Truth, Demographics)>,
        reach: Reach,
        random: &mut Random,
    ) -> Self {
        for place in (1..rows.len()).rev() {
            rows.swap(place, random.below(place + 1));
        }
        let (truth, records) = rows.into_iter().unzip();
        Self { name: name.to_owned(), about, records, truth, reach, by_weights: true }
    }
    /// Whether a pair counts at all.
    pub fn counts(&self, one: usize, two: usize) -> bool {
        let file = |record: usize| self.truth.get(record).map_or(0, |truth| truth.file);
        file(one) == 0 || file(one) != file(two)
    }
    /// Pairs that count.
    pub fn pairs(&self) -> u64 {
        let of_file = |file: u8| self.truth.iter().filter(|truth| truth.file == file).count() as u64;
        let single = of_file(0);
        single * single.saturating_sub(1) / 2 + of_file(1) * of_file(2)
    }
    /// Whether both are one person's.
    pub fn same(&self, one: usize, two: usize) -> bool {
        matches!((self.truth.get(one), self.truth.get(two)), (Some(a), Some(b)) if a.person == b.person)
    }
    /// Pairs of one person that count.
    pub fn true_pairs(&self) -> usize {
        self.all_true_pairs().len()
    }
    /// All of them.
    pub fn all_true_pairs(&self) -> Vec<(u32, u32)> {
        let mut persons: HashMap<u32, Vec<u32>> = HashMap::new();
        for (record, truth) in (0u32..).zip(&self.truth) {
            persons.entry(truth.person).or_default().push(record);
        }
        let mut pairs = Vec::new();
        for records in persons.values() {
            for (place, one) in records.iter().enumerate() {
                let others = records.iter().skip(place + 1);
                pairs.extend(
                    others.filter(|two| self.counts(*one as usize, **two as usize)).map(|two| (*one, *two)),
                );
            }
        }
        pairs.sort_unstable();
        pairs
    }
}

/// Choices that are the same in every run (SplitMix64).
pub struct Random(u64);

impl Random {
    /// Begins.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
    /// A number below a bound, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound.max(1) as u128) >> 64) as usize
    }
    /// True so often, from 0 to 1.
    pub fn chance(&mut self, rate: f64) -> bool {
        ((self.next() >> 11) as f64) < rate * (1u64 << 53) as f64
    }
    /// One of several.
    pub fn one<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }
    /// A number from a range.
    pub fn within(&mut self, from: usize, to: usize) -> usize {
        from + self.below(to.saturating_sub(from) + 1)
    }
}
