//! Communities: who they are, who is known where, asking them at once, and one answer from many
//! (ITI TF-1: 18; ITI TF-2: 3.38, 3.39).

pub mod directory;

use futures_util::future::BoxFuture;

use crate::ids::{HomeCommunityId, PatientId};

/// Who a patient is elsewhere. Rooms that know implement it; the actor joins them.
pub trait Correlate: Send + Sync {
    /// The patient's identities in other communities; several per community are possible.
    fn identities<'a>(&'a self, patient: &'a PatientId) -> BoxFuture<'a, Vec<(HomeCommunityId, PatientId)>>;
}
