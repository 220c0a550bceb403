//! Whether two records describe one person: normalised features, blocking keys, field comparators, and a Fellegi-Sunter
//! model whose weights are learnt from the records themselves. Pure: no store, no clock.
//!
//! Three outcomes. What the model is sure of is linked; what it is sure against is left apart; between them people decide.
//! Some disagreements bar linking whatever the weights say, since what EM learns on a region's own data may be the
//! household: clearly different given names, or birthdays further apart than a typing error, go to review at most.

use crate::demographics::Demographics;

/// A record, normalised for comparison once and kept beside it: a compact form that is quick to compare.
#[derive(Clone, PartialEq, Eq)]
pub struct Prepared {
    // to be designed by the matching room
    bytes: Vec<u8>,
}

impl Prepared {
    /// Normalises a record.
    pub fn of(person: &Demographics) -> Self {
        let _ = person;
        todo!()
    }
    /// The form in which it is stored; begins with a format version.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// Reads the stored form; None for another version (the record is then prepared anew) or damage.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let _ = bytes;
        todo!()
    }
    /// Keys under which candidates are found: two records of one person share at least one, even with an error in any one
    /// field. At most [`crate::limits`]' number of them; equal keys are adjacent nowhere (sorted, deduplicated).
    pub fn blocking_keys(&self, keys: &mut Vec<u64>) {
        let _ = keys;
        todo!()
    }
}

/// The weights.
#[derive(Debug, Clone)]
pub struct Model;

impl Model {
    /// The weights that are built in: for a region that has not learnt its own.
    pub fn built_in() -> Self {
        todo!()
    }
    /// Compares two records.
    pub fn compare(&self, a: &Prepared, b: &Prepared) -> Comparison {
        let _ = (a, b);
        todo!()
    }
}

/// What comparing two records came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// That they are one person's, 0 to 1.
    pub probability: f64,
    /// Whether a disagreement bars linking without people.
    pub barred: bool,
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
