//! Communities: who they are, who is known where, asking them at once, and one answer from many
//! (ITI TF-1: 18; ITI TF-2: 3.38, 3.39). The gateways in [`crate::actors`] call it; it knows none of them.
//!
//! | file | what it knows |
//! |---|---|
//! | [`directory`], [`quirks`] | the files that describe communities, read again when they change |
//! | [`correlate`], [`patients`] | which patient is which elsewhere; which patient a query is about |
//! | [`managers`], [`mllp_line`] | asking a PIX Manager or PDQ Supplier outside, in HL7 V3 or v2 |
//! | [`discovery`] | asking a community who a patient is there |
//! | [`member`] | who a community is, and what was noticed about it |
//! | [`mod@line`], [`breaker`] | calling one remote service: pool, deadline, retries, circuit breaker |
//! | [`peer`], [`bridge`] | a community's Responding Gateway; a region's own registry and repositories |
//! | [`fanout`] | asking all at once under one deadline |
//! | [`consolidate`] | one QueryResponse from many |
//! | [`retrieve`], [`parts`], [`fingerprints`] | documents from many communities, streamed and compared |

pub mod breaker;
pub mod bridge;
mod community_file;
pub mod consolidate;
pub mod correlate;
pub mod directory;
pub mod discovery;
pub mod fanout;
pub mod fingerprints;
pub mod line;
pub mod managers;
pub mod member;
pub mod mllp_line;
pub mod parts;
pub mod patients;
pub mod peer;
pub mod quirks;
pub mod retrieve;
mod rules;
mod unavailable;
mod watch;

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;

use crate::federation::member::Member;
use crate::federation::peer::Peer;
use crate::ids::PatientId;
use crate::transactions::Caller;
use crate::transactions::iti18::{QueryRequest, QueryResponse};
use crate::transactions::iti43::{RetrieveRequest, RetrieveResponse};

pub use discovery::Uncorrelated;
pub use unavailable::Unavailable;

/// Who a patient is in a community. Rooms that know implement it; the actor joins them.
pub trait Correlate: Send + Sync {
    /// The patient's identifiers there, several perhaps; none if the community does not know the patient, or nobody can say.
    fn identities<'a>(
        &'a self,
        asked: Whereabouts<'a>,
    ) -> BoxFuture<'a, Result<Vec<PatientId>, Uncorrelated>>;
}

/// Who is looked for, and where.
#[derive(Debug, Clone, Copy)]
pub struct Whereabouts<'a> {
    /// A patient of ours.
    pub patient: &'a PatientId,
    /// The community.
    pub member: &'a Arc<Member>,
    /// How it can be asked; None: it must not be, and only what is known already counts.
    pub peer: Option<&'a Arc<Peer>>,
    /// On whose behalf.
    pub caller: &'a Caller,
    /// Until when.
    pub deadline: Instant,
}

/// Whoever holds registry objects and documents and answers for them: a peer's Responding Gateway, a region's existing
/// registry and repositories behind a bridge, or the hosted ones.
pub trait Source: Send + Sync {
    /// Answers a stored query. Patient ids are the source's own already.
    fn query<'a>(
        &'a self,
        request: QueryRequest,
        caller: &'a Caller,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<QueryResponse, Unavailable>>;

    /// Answers a retrieve. `deadline` holds for the head of the answer; the documents follow as they are read, which must
    /// be done in their order.
    fn retrieve<'a>(
        &'a self,
        request: RetrieveRequest,
        caller: &'a Caller,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<RetrieveResponse, Unavailable>>;

    /// How many documents it takes in one retrieve request.
    fn max_documents(&self) -> usize {
        crate::limits::MAX_DOCUMENTS_PER_RETRIEVE
    }

    /// It refused a request for more than `most` documents.
    fn learn_max_documents(&self, most: usize) {
        let _ = most;
    }

    /// An answer of it broke off after its head.
    fn broke_off(&self, why: Unavailable) {
        let _ = why;
    }
}
