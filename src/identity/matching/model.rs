//! The weights, and what they make of two records.
//!
//! Fellegi and Sunter ask how much more often a level of agreement comes about between two records of one person than
//! between records of strangers. But fields do not err one by one: who moves has another postcode, city and street at once.
//! And the pairs that mislead a matcher are no strangers: relatives share surname, address and telephone, neighbours a town.
//! So there are more classes of pairs than two. Each agrees like one person's records in some fields and like strangers' in
//! the others; how common each class is, is learnt too. The probability of *same person* is that of the first two classes
//! against all others. Twins are no class: what they differ in is a given name, and that bars linking by itself.

use serde::{Deserialize, Serialize};

use super::built_in;
use super::levels::{self, FIELDS, Field, Levels, MAX_LEVELS, NAMES};
use super::prepared::{Prepared, View};
use super::readings::Readings;

/// Classes of pairs beside strangers.
pub(super) const CLASSES: usize = 4;
/// How many of them, the first ones, are one person's.
pub(super) const SAME: usize = 2;
/// In which fields each class agrees like one person's records that err independently: one person; one person who moved;
/// relatives; neighbours.
pub(super) const AGREES: [&[Field]; CLASSES] = {
    use Field::{Birth, City, FamilyName, GivenName, Number, Other, Postcode, Sex, State, Street, Telephone};
    [
        &[FamilyName, GivenName, Birth, Sex, Postcode, State, City, Street, Number, Other, Telephone],
        &[FamilyName, GivenName, Birth, Sex, Telephone],
        &[FamilyName, Postcode, State, City, Street, Number, Other, Telephone],
        &[Postcode, State, City, Street],
    ]
};
/// The version of the form in which a model is kept: fields, levels and what they mean. One of another form is not read.
pub const FORM: u32 = 1;
/// No single level counts for more than this many to one, since no sample shows what is rarer.
const MOST: f64 = 1e6;

/// How often each level comes about: between two records of one person, and by coincidence.
pub(super) type Frequencies = [[(f64, f64); MAX_LEVELS]; FIELDS];

/// What is learnt, and kept.
#[derive(Clone, Serialize, Deserialize)]
pub struct Model {
    /// Levels of each field.
    pub(super) frequencies: Frequencies,
    /// Of each class, how many records a record has on average: in the order of [`AGREES`].
    pub(super) partners: [f64; CLASSES],
    /// Records among which candidates are looked for.
    records: u64,
    /// Readings of kanji.
    pub(super) readings: Readings,
    /// Natural logarithms against strangers, from the above.
    #[serde(skip)]
    weights: Weights,
}

/// Logarithms as [`Model::score`] adds them up.
#[derive(Clone, Default)]
struct Weights {
    priors: [f32; CLASSES],
    levels: [[[f32; CLASSES]; MAX_LEVELS]; FIELDS],
}

/// What comparing two records came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Comparison {
    /// That they are one person's, 0 to 1.
    pub probability: f64,
    /// Whether a disagreement bars linking without people.
    pub barred: bool,
}

/// One field of a comparison, for people.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Explained {
    /// Which field.
    pub field: &'static str,
    /// How far it agrees.
    pub level: &'static str,
    /// Twofold so many times more likely (or, below 0, less) for one person than for strangers.
    pub weight: f64,
}

/// From which probability on a pair is linked, and from which people decide.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// Linked without people, unless barred.
    pub link: f64,
    /// In the review queue.
    pub review: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { link: 0.9, review: 0.02 }
    }
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// One person.
    Same,
    /// People decide.
    Review,
    /// Two.
    Different,
}

impl Thresholds {
    /// What follows from a comparison.
    pub fn verdict(&self, comparison: &Comparison) -> Verdict {
        match comparison {
            Comparison { probability, barred: false } if *probability >= self.link => Verdict::Same,
            Comparison { probability, .. } if *probability >= self.review => Verdict::Review,
            _ => Verdict::Different,
        }
    }
}

impl Model {
    /// The weights that are built in: for a region that has not learnt its own.
    pub fn built_in() -> Self {
        Self::new(built_in::FREQUENCIES, built_in::PARTNERS, built_in::RECORDS, Readings::default())
    }
    pub(super) fn new(
        frequencies: Frequencies,
        partners: [f64; CLASSES],
        records: u64,
        readings: Readings,
    ) -> Self {
        let mut model = Self { frequencies, partners, records, readings, weights: Weights::default() };
        model.weigh();
        model
    }
    /// The same weights among so many records: the more there are, the more strangers look alike.
    pub fn among(mut self, records: u64) -> Self {
        self.records = records;
        self.weigh();
        self
    }
    /// Learnt from a sample: a record has more partners among all of them than were drawn with it.
    pub fn drawn_from(mut self, records: u64) -> Self {
        let more = records.max(1) as f64 / self.records.max(1) as f64;
        self.partners = self.partners.map(|partners| partners * more);
        self.among(records)
    }
    /// How many pairs of one person there are among its records.
    pub fn pairs_of_one_person(&self) -> f64 {
        same(&self.partners) * self.records.saturating_sub(1) as f64 / 2.0
    }
    /// Names in kanji whose readings it knows.
    pub fn known_readings(&self) -> usize {
        self.readings.len()
    }
    /// The form in which it is kept: that of [`FORM`].
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
    /// Reads that form.
    pub fn from_json(json: &str) -> Result<Self, serde_json::Error> {
        let mut model: Self = serde_json::from_str(json)?;
        let share = |share: &f64| (0.0..=1.000_001).contains(share);
        let frequencies =
            model.frequencies.iter().flatten().all(|(same, chance)| share(same) && share(chance));
        if !frequencies || !model.partners.iter().all(|partners| (0.0..1e9).contains(partners)) {
            return Err(serde::de::Error::custom("a frequency is none"));
        }
        model.weigh();
        Ok(model)
    }
    /// Learns readings of kanji from a record that arrives.
    pub fn learn_readings<'a>(&mut self, records: impl IntoIterator<Item = &'a Prepared>) {
        self.readings.learn(records);
    }

    /// Compares two records.
    pub fn compare(&self, a: &Prepared, b: &Prepared) -> Comparison {
        let (a, b) = (a.view(), b.view());
        self.judge(&levels::of(&a, &b, &self.readings), &a, &b)
    }
    /// What the levels of two records come to.
    #[inline]
    pub(super) fn judge(&self, levels: &Levels, a: &View<'_>, b: &View<'_>) -> Comparison {
        Comparison { probability: same(&self.score(levels)), barred: levels::barred(levels, a, b) }
    }
    /// What each field that both records know counted for.
    pub fn explain(&self, a: &Prepared, b: &Prepared) -> Vec<Explained> {
        let levels = levels::of(&a.view(), &b.view(), &self.readings);
        let fields = NAMES.iter().zip(&levels).zip(&self.weights.levels);
        let known = fields.filter(|((_, level), _)| **level != levels::UNKNOWN);
        known
            .filter_map(|(((_, field, names), level), weights)| {
                let level = usize::from(*level);
                let weight = f64::from(weights.get(level)?[0]) / std::f64::consts::LN_2;
                Some(Explained { field, level: names.get(level)?, weight })
            })
            .collect()
    }

    /// What each level of each field counts for.
    pub fn weights(&self) -> impl Iterator<Item = Explained> {
        let fields = NAMES.iter().zip(&self.weights.levels);
        fields.flat_map(|((_, field, names), weights)| {
            let levels = names.iter().zip(weights).skip(usize::from(levels::UNKNOWN) + 1);
            levels.map(|(level, weights)| Explained {
                field,
                level,
                weight: f64::from(weights[0]) / std::f64::consts::LN_2,
            })
        })
    }

    /// The probability of each class.
    pub(super) fn score(&self, levels: &Levels) -> [f64; CLASSES] {
        // Plain loops: this is done for every pair.
        let mut sums = self.weights.priors;
        for (weights, level) in self.weights.levels.iter().zip(levels) {
            if let Some(weights) = weights.get(usize::from(*level)) {
                for class in 0..CLASSES {
                    sums[class] += weights[class];
                }
            }
        }
        let (mut classes, mut all) = ([0.0; CLASSES], 1.0);
        for class in 0..CLASSES {
            classes[class] = f64::from(sums[class].exp());
            all += classes[class];
        }
        for class in &mut classes {
            *class /= all;
        }
        classes
    }

    fn weigh(&mut self) {
        let records = self.records.max(2) as f64;
        self.weights.priors = self.partners.map(|partners| (partners.max(1e-9) / records).ln() as f32);
        for (field, frequencies) in self.frequencies.iter().enumerate() {
            for (level, (same, chance)) in frequencies.iter().enumerate().skip(1) {
                let ratio = (same.max(1e-9) / chance.max(1e-9)).clamp(1.0 / MOST, MOST).ln() as f32;
                let weight = AGREES.map(|fields| {
                    let agrees = fields.iter().any(|agreeing| *agreeing as usize == field);
                    if agrees { ratio } else { 0.0 }
                });
                if let Some(place) = self.weights.levels.get_mut(field).and_then(|of| of.get_mut(level)) {
                    *place = weight;
                }
            }
        }
    }
}

/// That both are one person's.
pub(super) fn same(classes: &[f64; CLASSES]) -> f64 {
    classes.iter().take(SAME).sum()
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "(Model among {} records)", self.records)
    }
}
