//! `sekisho patient learn`: weights and readings from the region's own records, and what they change.

use std::collections::HashMap;

use clap::Args;
use serde_json::{Value, json};

use super::{show, stop};
use crate::cli::output::Output;
use crate::cli::{Exit, Outcome};
use crate::identity::index::{Index, KeptModel, Learnt, Progress, Weights};
use crate::identity::matching::Model;

/// Weights that differ by less look the same.
const DIFFERENT: f64 = 0.1;

/// Learn.
#[derive(Debug, Args)]
pub struct Learn {
    /// Show what would change, and keep nothing
    #[arg(long)]
    dry_run: bool,
    /// Go back to the weights that are built in
    #[arg(long, conflicts_with = "dry_run")]
    built_in: bool,
}

impl Learn {
    /// Whether it keeps something, so that it must be known who.
    pub fn decides(&self) -> bool {
        !self.dry_run
    }

    /// Learns, shows and keeps.
    pub async fn run(&self, index: &Index, operator: &str, output: Output) -> Outcome {
        if self.built_in {
            let kept = index.keep_model(&Model::built_in(), 0, operator).await;
            return Ok(told(kept.map_err(|error| stop(&error))?, output));
        }
        let bar = output.count();
        let shown = bar.clone();
        let learnt = index.learn(move |progress| match progress {
            Progress::Reading(done, of) => {
                shown.set_length(of);
                shown.set_position(done);
            }
            Progress::Learning => shown.set_message("learning"),
            Progress::Comparing => shown.set_message("comparing"),
        });
        let learnt = learnt.await.map_err(|error| stop(&error));
        bar.finish_and_clear();
        let learnt = learnt?;
        lines(&learnt, output);
        if self.dry_run {
            output.line("Nothing is kept.");
            output.json(&described(&learnt, None));
            return Ok(Exit::Done);
        }
        let kept = index.keep_model(&learnt.after, learnt.sampled, operator).await;
        let kept = kept.map_err(|error| stop(&error))?;
        if output == Output::Json {
            output.json(&described(&learnt, Some(kept)));
            return Ok(Exit::Done);
        }
        Ok(told(kept, output))
    }
}

fn told(kept: u64, output: Output) -> Exit {
    output.line(&format!(
        "Kept as model {kept}. It is used from the next start on, for records that are announced or changed; links that \
         are there stay until `sekisho patient rematch` looks at all records again."
    ));
    output.json(&json!({ "model": kept }));
    Exit::Done
}

fn lines(learnt: &Learnt, output: Output) {
    let before = learnt.kept.as_ref().map_or_else(|| "what is built in".to_owned(), named);
    output.line(&format!("Before: {before}"));
    output.line(&format!(
        "Now: {} of {} records, {:.0} pairs of one person, readings of {} names in kanji",
        learnt.sampled,
        learnt.records,
        learnt.pairs,
        learnt.after.known_readings()
    ));
    if learnt.weights == Weights::BuiltIn {
        output.line("Too few records are of one person: the weights are those that are built in.");
    }
    let changed =
        weights(learnt).into_iter().filter(|(.., before, after)| (before - after).abs() >= DIFFERENT);
    let rows = changed.map(|(field, level, before, after)| {
        [field.to_owned(), level.to_owned(), format!("{before:+.1}"), format!("{after:+.1}")]
    });
    let rows: Vec<[String; 4]> = rows.collect();
    if !rows.is_empty() {
        output.table(["field", "level", "weight before", "weight now"], &rows);
    }
    let [before, after] = learnt.outcomes;
    let row = |what: &str, before: u64, after: u64| [what.to_owned(), before.to_string(), after.to_string()];
    let rows = [
        row("linked", before.linked, after.linked),
        row("for review", before.review, after.review),
        row("apart", before.apart, after.apart),
    ];
    output.table(["pairs compared", "before", "now"], &rows);
}

fn named(model: &KeptModel) -> String {
    let KeptModel { number, at, operator, records } = model;
    let at = show::time(*at);
    match records {
        0 => format!("model {number}: what is built in, by {operator}, {at}"),
        records => format!("model {number} by {operator}, {at}, from {records} records"),
    }
}

/// Field, level, weight before and now.
fn weights(learnt: &Learnt) -> Vec<(&'static str, &'static str, f64, f64)> {
    let before: HashMap<_, _> =
        learnt.before.weights().map(|weight| ((weight.field, weight.level), weight.weight)).collect();
    let after = learnt.after.weights();
    let paired = after.filter_map(|weight| {
        let before = before.get(&(weight.field, weight.level))?;
        Some((weight.field, weight.level, *before, weight.weight))
    });
    paired.collect()
}

fn described(learnt: &Learnt, kept: Option<u64>) -> Value {
    let weights = weights(learnt).into_iter().map(|(field, level, before, after)| {
        json!({ "field": field, "level": level, "before": before, "now": after })
    });
    let [before, after] = learnt.outcomes;
    json!({
        "model": kept,
        "records": learnt.records,
        "sampled": learnt.sampled,
        "pairs_of_one_person": learnt.pairs,
        "weights_from": learnt.weights,
        "readings": { "before": learnt.before.known_readings(), "now": learnt.after.known_readings() },
        "before": learnt.kept.as_ref().map(|model| json!({
            "model": model.number,
            "at": show::time(model.at),
            "operator": model.operator,
            "records": model.records,
        })),
        "weights": weights.collect::<Vec<_>>(),
        "pairs_compared": { "before": before, "now": after },
    })
}
