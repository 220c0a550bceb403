//! The public sets of the FEBRL project: Australian names and addresses with errors of every kind. The records' own
//! identifier tells the truth and is looked at for nothing else; the social security number is not read.

use std::path::Path;

use super::set::{Random, Reach, Set, Truth};
use crate::demographics::{Address, BirthTime, Demographics, Name};

/// Sets: name, files, what automatic links must reach in F (precision is 0.999 for all).
const SETS: [(&str, &[&str], f64); 4] = [
    ("febrl1", &["dataset1.csv"], 0.0),
    ("febrl2", &["dataset2.csv"], 0.998),
    ("febrl3", &["dataset3.csv"], 0.996),
    ("febrl4", &["dataset4a.csv", "dataset4b.csv"], 0.999),
];
const COLUMNS: [&str; 10] = [
    "rec_id",
    "given_name",
    "surname",
    "street_number",
    "address_1",
    "address_2",
    "suburb",
    "postcode",
    "state",
    "date_of_birth",
];

/// Reads all four.
pub fn read(folder: &Path, seed: u64) -> Result<Vec<Set>, String> {
    SETS.iter().map(|(name, files, f)| one(folder, name, files, *f, seed)).collect()
}

fn one(folder: &Path, name: &str, files: &[&str], f: f64, seed: u64) -> Result<Set, String> {
    let mut rows = Vec::new();
    let two_files = files.len() > 1;
    for (number, file) in (1u8..).zip(files) {
        let path = folder.join(file);
        let problem = |error: String| format!("{}: {error}", path.display());
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_path(&path)
            .map_err(|error| problem(error.to_string()))?;
        let header = reader.headers().map_err(|error| problem(error.to_string()))?.clone();
        let place = |column: &str| header.iter().position(|name| name == column);
        let places: Option<Vec<_>> = COLUMNS.iter().map(|column| place(column)).collect();
        let places = places.ok_or_else(|| problem(format!("columns must be {}", COLUMNS.join(", "))))?;
        for row in reader.records() {
            let row = row.map_err(|error| problem(error.to_string()))?;
            let mut fields = places.iter().map(|place| row.get(*place).unwrap_or_default());
            let mut next = || fields.next().unwrap_or_default().to_owned();
            let person = entity(&next()).ok_or_else(|| problem("rec_id without a number".to_owned()))?;
            let truth = Truth { person, file: if two_files { number } else { 0 }, ..Truth::default() };
            let name = Name { given: next(), family: next(), ..Name::default() };
            let address = Address {
                house_number: next(),
                street: next(),
                other: next(),
                city: next(),
                postcode: next(),
                state: next(),
                ..Address::default()
            };
            let birth = BirthTime::parse(&next());
            rows.push((
                truth,
                Demographics {
                    names: vec![name],
                    addresses: vec![address],
                    birth,
                    ..Demographics::default()
                },
            ));
        }
    }
    let reach = Reach { precision: 0.999, f, review: f64::INFINITY, ..Reach::default() };
    Ok(Set::new(name, String::new(), rows, reach, &mut Random::new(seed)))
}

/// `rec-223-dup-0` is of 223.
fn entity(id: &str) -> Option<u32> {
    id.split('-').nth(1)?.parse().ok()
}
