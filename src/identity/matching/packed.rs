//! Records side by side in memory, for comparing pairs by the million: learning, and measuring.
//!
//! A pair's second record may be anywhere in memory, and fetching it takes as long as comparing it. So pairs are taken a few
//! at a time, and the records of all of them are touched before the first two are compared: then they arrive together.
//! What a record's kanji may be read as is kept beside it, a bit for each reading: most records have none in common, and need
//! not be looked up.

use std::hint::black_box;

use super::levels::{self, Levels};
use super::model::{Comparison, Model};
use super::prepared::{Prepared, View};
use super::readings::Readings;

/// Pairs whose records are fetched together: more than processors fetch at once, few enough for their fastest memory.
const TOGETHER: usize = 32;
/// Bytes that are fetched at once.
const LINE: usize = 64;
/// Bytes before a record: readings of family names and of given names.
const READINGS: usize = 16;

/// Records in one piece, by their place.
#[derive(Default)]
pub struct Packed {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl Packed {
    /// Packs records; whether their names have readings in common is told by these.
    pub(super) fn of<'a>(records: impl IntoIterator<Item = &'a Prepared>, readings: &Readings) -> Self {
        let mut packed = Self { bytes: Vec::new(), starts: vec![0] };
        for record in records {
            let view = record.view();
            for names in [readings.bits(view.all_families()), readings.bits(view.givens.iter())] {
                packed.bytes.extend(names.to_le_bytes());
            }
            packed.bytes.extend(record.as_bytes());
            packed.starts.push(packed.bytes.len());
        }
        packed
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The levels of pairs; those that name no record are passed over.
    pub(super) fn levels(
        &self,
        pairs: &[(u32, u32)],
        readings: &Readings,
        mut each: impl FnMut((u32, u32), Levels, &View<'_>, &View<'_>),
    ) {
        let mut first = (u32::MAX, View::default());
        for pairs in pairs.chunks(TOGETHER) {
            self.fetch(pairs);
            for &(one, two) in pairs {
                if first.0 != one {
                    let Some(view) = self.view(one) else { continue };
                    first = (one, view);
                }
                let Some(second) = self.view(two) else { continue };
                each((one, two), levels::of(&first.1, &second, readings), &first.1, &second);
            }
        }
    }

    fn fetch(&self, pairs: &[(u32, u32)]) {
        let mut touched = 0u8;
        for range in pairs.iter().filter_map(|(_, two)| self.range(*two)) {
            for line in range.step_by(LINE) {
                touched ^= self.bytes.get(line).copied().unwrap_or_default();
            }
        }
        // Nothing is done with it; but it must not be left out for that.
        black_box(touched);
    }

    fn range(&self, record: u32) -> Option<std::ops::Range<usize>> {
        let record = record as usize;
        Some(*self.starts.get(record)?..*self.starts.get(record + 1)?)
    }

    fn view(&self, record: u32) -> Option<View<'_>> {
        let (readings, record) = self.bytes.get(self.range(record)?)?.split_first_chunk::<READINGS>()?;
        let [families, givens] = [0, 8].map(|at| {
            let bits = readings.get(at..at + 8).and_then(|bits| bits.try_into().ok());
            bits.map_or(u64::MAX, u64::from_le_bytes)
        });
        let mut view = View::read(record)?;
        (view.family_readings, view.given_readings) = (families, givens);
        Some(view)
    }
}

impl Model {
    /// Packs records for comparing many pairs of them.
    pub fn pack<'a>(&self, records: impl IntoIterator<Item = &'a Prepared>) -> Packed {
        Packed::of(records, &self.readings)
    }

    /// Compares pairs of packed records: quickest where pairs with the same first record follow each other.
    pub fn compare_all(
        &self,
        records: &Packed,
        pairs: &[(u32, u32)],
        mut each: impl FnMut((u32, u32), Comparison),
    ) {
        records.levels(pairs, &self.readings, |pair, levels, one, two| {
            each(pair, self.judge(&levels, one, two));
        });
    }
}
