//! Whether two records describe one person: normalised features, blocking keys, field comparators, and a Fellegi-Sunter
//! model whose weights are learnt from the records themselves. Pure: no store, no clock.
//!
//! Three outcomes. What the model is sure of is linked; what it is sure against is left apart; between them people decide.
//! Some disagreements bar linking whatever the weights say, since what is learnt on a region's own data may be the
//! household: given names that are not the same in any script, birthdays further apart than a typing error, and another sex
//! go to review at most.
//!
//! ```text
//! Demographics ─ text, sound, address, date ─▶ Prepared ─ blocking ─▶ keys ─▶ candidates
//!                                                 └─ levels ─▶ model ─▶ Comparison ─ Thresholds ─▶ Verdict
//! ```

mod address;
mod blocking;
mod built_in;
pub mod date;
mod hash;
mod learn;
mod levels;
mod model;
mod packed;
mod parts;
mod prepared;
mod readings;
mod sound;
#[cfg(test)]
mod tests;
mod text;
mod texts;

pub use blocking::{candidates, most_sharing};
pub use learn::Training;
pub use levels::{FIELDS, Field, Levels};
pub use model::{Comparison, Explained, FORM, Model, Thresholds, Verdict};
pub use packed::Packed;
pub use prepared::Prepared;
pub use readings::Readings;
