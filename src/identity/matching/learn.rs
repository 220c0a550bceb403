//! Learning the weights from the records themselves.
//!
//! How often fields agree by coincidence is counted in random pairs. How often they agree between records of one person is
//! learnt by expectation maximisation over the candidate pairs: guess which are the same person's, count, guess again. If
//! coincidence were learnt there too, the class that stands out would be the *household*.

use std::collections::HashMap;

use super::built_in;
use super::levels::{FIELDS, Levels, MAX_LEVELS, UNKNOWN};
use super::model::{AGREES, CLASSES, Frequencies, Model, SAME, same};
use super::packed::Packed;
use super::prepared::Prepared;
use super::readings::Readings;
use crate::limits::{MAX_LEARNING_ROUNDS, MAX_RANDOM_PAIRS};

/// What is built in counts like so many pairs of one person, so that a level that a region has not shown yet is not
/// impossible.
const PRIOR_PAIRS: f64 = 20.0;
/// The same for coincidences.
const PRIOR_COINCIDENCE: f64 = 0.5;
/// A class of pairs is believed in beyond this part of the pairs of one person: some of those look like relatives because
/// they have many errors.
const SHARE_OF_A_CLASS: f64 = 0.05;
/// A round that changes the expected pairs of one person by less than this part of them is the last.
const SETTLED: f64 = 1e-6;

/// What to learn from.
#[derive(Debug, Clone, Copy)]
pub struct Training<'a> {
    /// The records.
    pub records: &'a [Prepared],
    /// Candidate pairs among them.
    pub candidates: &'a [(u32, u32)],
    /// How many pairs there are in all; candidates are those of them that share a key.
    pub pairs: u64,
}

/// How often each pattern of levels occurs.
type Patterns = Vec<(Levels, f64)>;

impl Model {
    /// Learns weights, how common matches and relatives are, and readings. The same records give the same model.
    pub fn learn(training: &Training<'_>) -> Self {
        let mut readings = Readings::default();
        readings.learn(training.records);
        readings.learn_parts(training.records);
        let records = Packed::of(training.records, &readings);
        let candidates = patterns(&records, &readings, training.candidates);
        let chosen: Vec<_> = random_pairs(records.len(), training.pairs).collect();
        let random = patterns(&records, &readings, &chosen);
        let records = training.records.len() as u64;
        let pairs = training.pairs.max(1) as f64;
        let mut frequencies = built_in::FREQUENCIES;
        let mut partners = built_in::PARTNERS;
        let mut expected = 0.0;
        for _ in 0..MAX_LEARNING_ROUNDS {
            // Priors are per pair: partners of a record among the records that it is paired with.
            let model = Model::new(frequencies, partners, records, Readings::default());
            let one_person = Counts::of(&candidates, |levels, field| {
                let classes = model.score(levels).into_iter().zip(AGREES).take(SAME);
                classes
                    .filter(|(_, fields)| fields.iter().any(|of| *of as usize == field))
                    .map(|(p, _)| p)
                    .sum()
            });
            let chance = Counts::of(&random, |levels, _| 1.0 - model.score(levels).iter().sum::<f64>());
            frequencies = joined(&one_person, &chance);
            let classes = per_class(&candidates, &model);
            let now = same(&classes);
            let enough = SHARE_OF_A_CLASS * now;
            partners = classes.map(|count| (count - enough).max(0.0) / pairs * records as f64);
            // What is one person's is there by itself; the others must show themselves.
            partners[0] = classes[0] / pairs * records as f64;
            if (now - expected).abs() <= SETTLED * now {
                break;
            }
            expected = now;
        }
        Model::new(frequencies, partners, records, readings)
    }
}

fn patterns(records: &Packed, readings: &Readings, pairs: &[(u32, u32)]) -> Patterns {
    let mut counts: HashMap<Levels, f64> = HashMap::new();
    records.levels(pairs, readings, |_, levels, _, _| *counts.entry(levels).or_default() += 1.0);
    let mut patterns: Patterns = counts.into_iter().collect();
    // Sums of floats depend on their order.
    patterns.sort_unstable_by_key(|(levels, _)| *levels);
    patterns
}

/// Pairs of different records, the same ones for the same count.
fn random_pairs(records: usize, pairs: u64) -> impl Iterator<Item = (u32, u32)> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (((state >> 32) * records as u64) >> 32) as u32
    };
    let wanted = if records < 2 { 0 } else { MAX_RANDOM_PAIRS.min(pairs as usize) };
    std::iter::repeat_with(move || (next(), next())).filter(|(one, two)| one != two).take(wanted)
}

/// Weighted counts of each level, and of the field where it is known.
struct Counts {
    levels: [[f64; MAX_LEVELS]; FIELDS],
}

impl Counts {
    fn of(patterns: &Patterns, weight: impl Fn(&Levels, usize) -> f64) -> Self {
        let mut counts = Self { levels: [[0.0; MAX_LEVELS]; FIELDS] };
        for (levels, count) in patterns {
            for (number, (field, level)) in counts.levels.iter_mut().zip(levels).enumerate() {
                if let Some(place) = field.get_mut(usize::from(*level)) {
                    *place += count * weight(levels, number);
                }
            }
        }
        counts
    }
    fn known(field: &[f64; MAX_LEVELS]) -> f64 {
        field.iter().skip(usize::from(UNKNOWN) + 1).sum()
    }
}

fn joined(same: &Counts, chance: &Counts) -> Frequencies {
    let mut frequencies = built_in::FREQUENCIES;
    let fields = frequencies.iter_mut().zip(&same.levels).zip(&chance.levels);
    for ((field, same), chance) in fields {
        let (all_same, all_chance) = (Counts::known(same), Counts::known(chance));
        for ((place, same), chance) in field.iter_mut().zip(same).zip(chance).skip(1) {
            let (built_in, _) = *place;
            *place = (
                (same + PRIOR_PAIRS * built_in) / (all_same + PRIOR_PAIRS),
                (chance + PRIOR_COINCIDENCE) / (all_chance + PRIOR_COINCIDENCE * MAX_LEVELS as f64),
            );
        }
    }
    frequencies
}

fn per_class(candidates: &Patterns, model: &Model) -> [f64; CLASSES] {
    candidates.iter().fold([0.0; CLASSES], |mut sums, (levels, count)| {
        sums.iter_mut().zip(model.score(levels)).for_each(|(sum, probability)| *sum += count * probability);
        sums
    })
}
