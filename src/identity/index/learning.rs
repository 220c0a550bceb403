//! Weights and readings learnt from the region's own records, and how they are kept: the last model holds from the next
//! start on. One that this version cannot read is passed over with an alarm; matching then goes by what is built in.

use super::schema::{Numbered, Tables};
use crate::identity::matching::{FORM, Model, Prepared, Thresholds, Training, Verdict, candidates};
use crate::limits::{MAX_KEPT_MODELS, MAX_LEARNING_RECORDS, MIN_LEARNING_PAIRS};
use crate::store::StoreError;
use crate::store::sql::{OptionalExtension, params};

/// How far learning has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So many records of so many were looked at.
    Reading(u64, u64),
    /// Weights are learnt; nobody knows how long it takes.
    Learning,
    /// Pairs are compared, before and after.
    Comparing,
}

/// Where weights come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    /// The records.
    Learnt,
    /// Built in: too few records are of one person. Readings are learnt all the same.
    BuiltIn,
}

/// A model in the store, without what it knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptModel {
    /// From 1.
    pub number: u64,
    /// When, in seconds since 1970.
    pub at: i64,
    /// Who had it learnt.
    pub operator: String,
    /// From how many records; 0: it is the one that is built in.
    pub records: u64,
}

/// What learning came to.
#[derive(Debug)]
pub struct Learnt {
    /// Records that stand for somebody.
    pub records: u64,
    /// How many of them were learnt from.
    pub sampled: u64,
    /// Where the weights come from.
    pub weights: Weights,
    /// Pairs of one person among those learnt from, as far as the records tell.
    pub pairs: f64,
    /// The model that was kept before, whether or not it can be read.
    pub kept: Option<KeptModel>,
    /// What matching went by so far.
    pub before: Model,
    /// What was learnt.
    pub after: Model,
    /// What becomes of the pairs that are compared: before and after.
    pub outcomes: [Outcomes; 2],
}

/// Pairs by what becomes of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Outcomes {
    /// Linked without people.
    pub linked: u64,
    /// People decide.
    pub review: u64,
    /// Two persons.
    pub apart: u64,
}

impl Outcomes {
    fn of(records: &[Prepared], pairs: &[(u32, u32)], model: &Model, thresholds: &Thresholds) -> Self {
        let mut outcomes = Self::default();
        model.compare_all(&model.pack(records), pairs, |_, comparison| {
            *match thresholds.verdict(&comparison) {
                Verdict::Same => &mut outcomes.linked,
                Verdict::Review => &mut outcomes.review,
                Verdict::Different => &mut outcomes.apart,
            } += 1;
        });
        outcomes
    }
}

impl Tables<'_> {
    /// The model that holds: the last one kept, or the one that is built in.
    pub(super) fn model_in_use(self) -> Result<Model, StoreError> {
        let find = "SELECT form, body FROM identity_model WHERE model = ?1";
        let last = self.last(Numbered::Model)?;
        let found = self.connection.query_row(find, [last], |row| Ok((row.get(0)?, row.get(1)?)));
        let Some((form, body)): Option<(u32, String)> = found.optional()? else {
            return Ok(Model::built_in());
        };
        let problem = match Model::from_json(&body) {
            Ok(model) if form == FORM => return Ok(model),
            Ok(_) => format!("its form is {form}, and this version reads {FORM}"),
            Err(error) => error.to_string(),
        };
        metrics::counter!("sekisho_matching_models_unreadable_total").increment(1);
        tracing::error!(
            model = self.local(last),
            problem,
            "the model that matching learnt cannot be read: built-in weights are used; `sekisho patient learn` makes another"
        );
        Ok(Model::built_in())
    }

    /// The last model that was kept.
    fn kept_model(self) -> Result<Option<KeptModel>, StoreError> {
        let last = self.last(Numbered::Model)?;
        let find = "SELECT at, operator, records FROM identity_model WHERE model = ?1";
        let found = self.connection.query_row(find, [last], |row| {
            let records: i64 = row.get(2)?;
            Ok(KeptModel {
                number: self.local(last),
                at: row.get(0)?,
                operator: row.get(1)?,
                records: records.unsigned_abs(),
            })
        });
        Ok(found.optional()?)
    }

    /// Keeps a model; gives its number. Models long since replaced go.
    pub(super) fn keep_model(self, model: &KeptModel, body: &str) -> Result<u64, StoreError> {
        let number = self.next(Numbered::Model)?;
        let KeptModel { at, operator, records, .. } = model;
        let insert = "INSERT INTO identity_model (model, at, operator, records, form, body)
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.connection.execute(insert, params![number, at, operator, *records as i64, FORM, body])?;
        let outdated = "DELETE FROM identity_model WHERE model > ?1 AND model <= ?2";
        self.connection.execute(outdated, [self.range().0, number - MAX_KEPT_MODELS])?;
        Ok(self.local(number))
    }

    /// Learns from the records, or a sample of them.
    pub(super) fn learn(self, progress: &impl Fn(Progress)) -> Result<Learnt, StoreError> {
        let (sample, records) = self.sample(progress)?;
        // Before the work that takes minutes: the database need not wait for it.
        let kept = self.kept_model()?;
        progress(Progress::Learning);
        let compared = candidates(&sample);
        let count = sample.len() as u64;
        let pairs = count * count.saturating_sub(1) / 2;
        let learnt = Model::learn(&Training { records: &sample, candidates: &compared, pairs });
        let of_one = learnt.pairs_of_one_person();
        let (weights, after) = if of_one < MIN_LEARNING_PAIRS {
            let mut built_in = Model::built_in();
            built_in.learn_readings(&sample);
            (Weights::BuiltIn, built_in.among(records))
        } else {
            (Weights::Learnt, learnt.drawn_from(records))
        };
        progress(Progress::Comparing);
        let before = self.matcher.model.clone();
        let outcomes =
            [&before, &after].map(|model| Outcomes::of(&sample, &compared, model, &self.matcher.thresholds));
        Ok(Learnt { records, sampled: count, weights, pairs: of_one, kept, before, after, outcomes })
    }

    /// Records that stand for somebody, as many as are learnt from, and how many there are.
    fn sample(self, progress: &impl Fn(Progress)) -> Result<(Vec<Prepared>, u64), StoreError> {
        let (first, _) = self.range();
        let all = self.marks()?.record;
        let one_in = all.div_ceil(MAX_LEARNING_RECORDS as u64).max(1);
        let find = "SELECT record, prepared FROM identity_record
                    WHERE record > ?1 AND record <= ?2 AND survivor IS NULL ORDER BY record LIMIT ?3";
        let (mut sample, mut records) = (Vec::new(), 0);
        self.each_record(find, &[], first, |row| {
            let number = row.get(0)?;
            records += 1;
            if scattered(self.local(number)).is_multiple_of(one_in) && sample.len() < MAX_LEARNING_RECORDS {
                let stored = row.get_ref(1)?.as_blob().ok().and_then(Prepared::from_bytes);
                sample.push(stored.map_or_else(|| self.prepare(number), Ok)?);
            }
            progress(Progress::Reading(records, all));
            Ok(())
        })?;
        Ok((sample, records))
    }
}

/// Numbers in no order: sources may have sent their records by turns.
fn scattered(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}
