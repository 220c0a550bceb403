//! The Patient Identifier Cross-reference Manager (ITI TF-1: 5.1; PIX and PIXV3): takes feeds, answers which identifiers
//! correspond.

use std::sync::Arc;

use crate::demographics::Domains;
use crate::identity::index::Index;
use crate::transactions::Caller;
use crate::transactions::identity::{Answer, Corresponding, CorrespondingQuery, Feed};

/// A PIX Manager. Cheap to clone.
#[derive(Clone)]
pub struct PixManager {
    index: Index,
    domains: Arc<Domains>,
}

impl PixManager {
    /// A manager of those domains.
    pub fn new(index: Index, domains: Arc<Domains>) -> Self {
        Self { index, domains }
    }
    /// ITI-8, ITI-44. Returns when it is on disk.
    pub async fn patient_identity_feed(&self, feed: Feed, caller: &Caller) -> Answer<()> {
        let _ = (&self.index, &self.domains, feed, caller);
        todo!()
    }
    /// ITI-9, ITI-45.
    pub async fn pix_query(&self, query: CorrespondingQuery, caller: &Caller) -> Answer<Corresponding> {
        let _ = (query, caller);
        todo!()
    }
}
