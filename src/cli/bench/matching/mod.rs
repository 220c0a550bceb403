//! `sekisho bench matching`: how well records of one person are found, on the public FEBRL sets and on a generated Japanese
//! one. The truth is looked at only when counting; the model learns from the records alone, as a region's would.

mod errors;
mod febrl;
mod japanese;
mod measure;
mod names;
mod set;

use std::path::PathBuf;

use super::super::output::Output;
use super::super::{Exit, Outcome, Stop};
use measure::Measured;
use set::Set;

/// Measure how well records of one person are found.
#[derive(Debug, clap::Args)]
pub struct Matching {
    /// Folder with FEBRL's dataset1.csv, dataset2.csv, dataset3.csv, dataset4a.csv and dataset4b.csv
    #[arg(long)]
    febrl: Option<PathBuf>,
    /// The generated Japanese set; names from the data set in this folder, or from a small table that is built in
    #[arg(long, num_args = 0..=1, value_name = "DIR")]
    japanese: Option<Option<PathBuf>>,
    /// Persons of the Japanese set
    #[arg(long, default_value_t = 100_000)]
    persons: usize,
    /// Where random choices begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the model that the last set taught, as JSON
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Show so many wrong and missed pairs of each set, by the levels of their fields
    #[arg(long, default_value_t = 0)]
    show: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Matching {
    /// Measures, and prints.
    pub fn run(self) -> Outcome {
        let output = Output::new(self.json);
        let unavailable = |problem: String| Stop::new(Exit::Unavailable, problem);
        let mut rows = Vec::new();
        for set in self.sets().map_err(unavailable)? {
            output.line(&format!(
                "{}: {} records, {} true pairs. {}",
                set.name,
                set.records.len(),
                set.true_pairs(),
                set.about
            ));
            let (measured, model) = Measured::of(&set, self.show);
            measured.show(output);
            rows.push(measured);
            if let Some(file) = &self.model {
                let json = model.to_json().map_err(|error| unavailable(error.to_string()))?;
                std::fs::write(file, json)
                    .map_err(|error| unavailable(format!("{}: {error}", file.display())))?;
            }
        }
        output.json(&serde_json::json!({ "sets": rows }));
        Ok(if rows.iter().all(Measured::met) { Exit::Done } else { Exit::No })
    }

    fn sets(&self) -> Result<Vec<Set>, String> {
        let mut sets = Vec::new();
        if let Some(folder) = &self.febrl {
            sets.extend(febrl::read(folder, self.seed)?);
        }
        if let Some(names) = &self.japanese {
            sets.push(japanese::generate(names.as_deref(), self.persons, self.seed)?);
        }
        if sets.is_empty() {
            sets.push(japanese::generate(None, self.persons, self.seed)?);
        }
        Ok(sets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_learnt_from_a_small_region_links_and_does_not_link_twins() {
        let set = japanese::generate(None, 300, 7).unwrap();
        let (measured, _) = Measured::of(&set, 0);
        let (precision, recall) = measured.precision_and_recall();
        assert!(precision > 0.99 && recall > 0.9, "precision {precision}, recall {recall}");
    }

    #[test]
    fn the_same_seed_makes_the_same_set() {
        let [one, two] = [1, 1].map(|seed| japanese::generate(None, 50, seed).unwrap());
        assert!(one.records == two.records);
        assert!(one.records != japanese::generate(None, 50, 2).unwrap().records);
    }
}
