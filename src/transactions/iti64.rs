//! ITI-64 Notify XAD-PID Link Change (ITI TF-2: 3.64).

use crate::demographics::Identifier;

/// A facility's patient is linked to another patient of the affinity domain, or two of the facility's identifiers turned
/// out to be one patient's (ADT^A43).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkChange {
    /// The patient of the affinity domain to whom the local one is linked now (PID-3, first).
    pub new: Identifier,
    /// The facility's patient: sourcePatientId of the documents concerned (PID-3, second).
    pub local: Identifier,
    /// The patient of the affinity domain to whom it was linked (MRG-1, first). The same as `new` where only local
    /// identifiers are merged.
    pub previous: Identifier,
    /// The facility's identifier that the local one stands for from now on (MRG-1, second).
    pub subsumed_local: Option<Identifier>,
    /// OID of the sending PIX Manager (MSH-3): sourceId of the submission set that records the change.
    pub source: String,
}
