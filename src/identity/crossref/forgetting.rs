//! Forgetting, and who writes. Patients share stripes: of one stripe's patients one is written about at a time, so that what is
//! kept and what is forgotten have an order.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use metrics::counter;

use super::Inner;
use crate::ids::PatientId;
use crate::limits;

/// A share of the patients.
#[derive(Default)]
pub(super) struct Stripe {
    /// How often patients were forgotten: see [`super::Ticket`].
    pub forgotten: AtomicU64,
    /// Somebody is still to be forgotten: nothing is told meanwhile.
    silent: AtomicBool,
    writing: Mutex<ToForget>,
}

/// Patients who are to be forgotten, and could not be when it was tried, in the hands of the only one who writes.
pub(super) type ToForget = Vec<PatientId>;

impl Stripe {
    /// Whether nothing is told of its patients.
    pub fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Acquire)
    }

    /// To be held while something is written about one of its patients.
    pub fn writing(&self) -> MutexGuard<'_, ToForget> {
        // A writer who fails in sled leaves nothing half done that is guarded by it.
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// All about a patient.
    pub(super) fn forget(&self, patient: &PatientId) -> sled::Result<()> {
        let of_patient = self.key(patient, None);
        let stripe = self.stripe(&of_patient);
        let mut to_forget = stripe.writing();
        stripe.forgotten.fetch_add(1, Ordering::AcqRel);
        let keys: Vec<_> =
            self.entries.scan_prefix(of_patient.stored()).keys().collect::<sled::Result<_>>()?;
        keys.iter().try_for_each(|key| self.take(key))?;
        // Behind it, also what sled did not tell of.
        self.memory.forget(&of_patient);
        counter!("sekisho_crossref_invalidated_total").increment(keys.len() as u64);
        // A full list stays: who else belongs on it is not known.
        if to_forget.len() < limits::CROSSREF_TO_FORGET {
            to_forget.retain(|other| other != patient);
        }
        stripe.silent.store(!to_forget.is_empty(), Ordering::Release);
        Ok(())
    }

    /// Nothing is told of a patient who could not be forgotten, until that is done.
    pub(super) fn silence(&self, patient: &PatientId) {
        let stripe = self.stripe(&self.key(patient, None));
        let mut to_forget = stripe.writing();
        stripe.silent.store(true, Ordering::Release);
        if to_forget.len() < limits::CROSSREF_TO_FORGET && !to_forget.contains(patient) {
            to_forget.push(patient.clone());
        }
    }

    /// All about everybody.
    pub(super) fn forget_all(&self) -> sled::Result<()> {
        for stripe in &self.stripes {
            let _writing = stripe.writing();
            stripe.forgotten.fetch_add(1, Ordering::AcqRel);
        }
        self.memory.forget_all();
        self.entries.iter().keys().try_for_each(|key| self.take(&key?))
    }
}
