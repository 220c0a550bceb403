//! The patient index: records by identifier, the persons that they belong to, and why.

use crate::demographics::{Demographics, DemographicsChange, Visit};
use crate::ids::PatientId;
use crate::store::{Migration, Store, StoreError};
use crate::transactions::identity::{DemographicsQuery, Match};

/// The index's tables.
pub const MIGRATION: Migration = Migration { room: "identity", steps: &[] };

/// The patient index of one tenant. Cheap to clone.
#[derive(Clone)]
pub struct Index {
    store: Store,
}

/// Why the index did not do something.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// No record has the identifier.
    #[error("no record has this identifier")]
    Unknown(PatientId),
    /// The identifier was subsumed by a merge.
    #[error("this identifier was subsumed by a merge")]
    Subsumed(PatientId),
    /// A merge of an identifier with itself.
    #[error("both identifiers are the same")]
    Same,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announced {
    /// A new record.
    Added,
    /// A known one, changed.
    Changed,
    /// A known one, and nothing in it is different.
    Unchanged,
}

/// Something that happened to identifiers: who keeps things that follow from them reads on from where they stopped.
#[derive(Debug, Clone)]
pub struct Event {
    /// Ascending.
    pub number: u64,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum EventKind {
    /// These are now one person's identifiers; `changed` names the domains in which that is news (ITI-10).
    Linked {
        /// All identifiers of the person.
        identifiers: Vec<PatientId>,
        /// OIDs of domains where an identifier came or went.
        changed: Vec<String>,
    },
    /// A source merged two identifiers (A40).
    Merged {
        /// Stays.
        surviving: PatientId,
        /// Ended.
        subsumed: PatientId,
    },
    /// Demographics of this record changed.
    Changed(PatientId),
}

impl Index {
    /// The index in a store that has [`MIGRATION`].
    pub fn open(store: Store, tenant: &str) -> Result<Self, StoreError> {
        let _ = tenant;
        Ok(Self { store })
    }
    /// ITI-8, ITI-44: adds or changes the records of these identifiers (one person's by declaration), matches them again, and
    /// returns when all of it is on disk.
    pub async fn announce(
        &self,
        identifiers: Vec<PatientId>,
        change: DemographicsChange,
        visit: Option<Visit>,
    ) -> Result<Announced, IndexError> {
        let _ = (&self.store, identifiers, change, visit);
        todo!()
    }
    /// A40, ITI-44 merge: `subsumed` ends for good. Refused without change if either is unknown or was subsumed, or both are
    /// the same (ITI TF-2: 3.8.4.2, 3.44.4.2).
    pub async fn merge(
        &self,
        surviving: PatientId,
        subsumed: PatientId,
        change: DemographicsChange,
    ) -> Result<(), IndexError> {
        let _ = (surviving, subsumed, change);
        todo!()
    }
    /// The other identifiers of a patient's person, and the patient's own record.
    pub async fn corresponding(
        &self,
        patient: &PatientId,
    ) -> Result<(Vec<PatientId>, Demographics), IndexError> {
        let _ = patient;
        todo!()
    }
    /// Whose current values fit a query, best first; all identifiers of each person, `wanted` is the caller's business. At
    /// most `most`, and how many there are in all (counted up to a bound).
    pub async fn find(
        &self,
        query: DemographicsQuery,
        most: usize,
    ) -> Result<(Vec<Match>, usize), IndexError> {
        let _ = (query, most);
        todo!()
    }
    /// Events behind a number, oldest first.
    pub async fn events(&self, after: u64, most: usize) -> Result<Vec<Event>, IndexError> {
        let _ = (after, most);
        todo!()
    }
}
