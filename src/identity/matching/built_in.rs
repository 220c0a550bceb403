//! Weights for a region that has not learnt its own, and where learning starts: per field and level of [`super::levels`], how
//! often it comes about between two records of one person, and how often by coincidence. Set once, by what is known of such
//! registers; not fitted to any set that they are measured with.

use super::model::{CLASSES, Frequencies};

/// Records of a small region.
pub const RECORDS: u64 = 250_000;
/// Records of the same person, of the same before or after a removal, of relatives, and of neighbours that a record has.
pub const PARTNERS: [f64; CLASSES] = [1.3, 0.2, 0.3, 10.0];
const NO: (f64, f64) = (0.0, 0.0);

/// Levels of each field.
pub const FREQUENCIES: Frequencies = [
    // family name
    [
        NO,
        (0.60, 3e-3),
        (0.01, 1e-4),
        (0.25, 3e-3),
        (0.02, 2e-3),
        (0.03, 2e-3),
        (0.01, 1e-3),
        (0.02, 4e-3),
        (0.01, 2e-2),
        (0.01, 1e-4),
        (0.004, 5e-5),
        (0.036, 0.96),
    ],
    // given name
    [
        NO,
        (0.60, 5e-4),
        (0.01, 1e-4),
        (0.25, 2e-3),
        (0.02, 2e-3),
        (0.03, 2e-3),
        (0.01, 1e-3),
        (0.02, 4e-3),
        (0.01, 2e-2),
        (1e-6, 1e-6),
        (0.004, 5e-5),
        (0.036, 0.96),
    ],
    // birth
    [
        NO,
        (0.95, 3e-5),
        (0.005, 1e-3),
        (0.02, 5e-4),
        (0.003, 1e-5),
        (0.002, 1e-4),
        (0.01, 4e-3),
        (0.01, 0.99),
        NO,
        NO,
        NO,
        NO,
    ],
    // sex
    [NO, (0.99, 0.5), (0.01, 0.5), NO, NO, NO, NO, NO, NO, NO, NO, NO],
    // postcode
    [NO, (0.80, 1e-3), (0.03, 3e-3), (0.04, 2e-2), (0.13, 0.97), NO, NO, NO, NO, NO, NO, NO],
    // state
    [NO, (0.94, 0.2), (0.02, 2e-2), (0.04, 0.78), NO, NO, NO, NO, NO, NO, NO, NO],
    // city
    [NO, (0.84, 5e-3), (0.04, 1e-3), (0.02, 5e-3), (0.002, 1e-4), (0.10, 0.98), NO, NO, NO, NO, NO, NO],
    // street
    [NO, (0.78, 2e-3), (0.04, 1e-3), (0.02, 5e-3), (0.01, 1e-5), (0.15, 0.98), NO, NO, NO, NO, NO, NO],
    // number
    [NO, (0.80, 1e-2), (0.05, 8e-2), (0.15, 0.91), NO, NO, NO, NO, NO, NO, NO, NO],
    // other
    [NO, (0.75, 1e-3), (0.05, 1e-3), (0.02, 5e-3), (0.01, 1e-5), (0.17, 0.98), NO, NO, NO, NO, NO, NO],
    // telephone
    [NO, (0.80, 1e-6), (0.03, 1e-5), (0.17, 0.99999), NO, NO, NO, NO, NO, NO, NO, NO],
];
