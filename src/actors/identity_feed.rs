//! Who takes patient identity feeds here (ITI-8, ITI-44): the PIX Manager, the Document Registry, or both with one feed.

use super::document_registry::DocumentRegistry;
use super::pix_manager::PixManager;
use crate::transactions::Caller;
use crate::transactions::identity::{Answer, Feed, FeedEvent};

/// The receivers of feeds. Cheap to clone.
#[derive(Clone, Default)]
pub struct FeedReceivers {
    /// The cross-reference of all domains.
    pub manager: Option<PixManager>,
    /// The patients of the affinity domain.
    pub registry: Option<DocumentRegistry>,
}

impl FeedReceivers {
    /// Tells both; the PIX Manager first, which refuses more. A merge is one transaction of both, since a source that did not
    /// hear the answer is refused when it repeats one; an announcement can be repeated. A merge that is none of the
    /// registry's domain is no business of a registry beside a manager. Returns when it is on disk.
    pub async fn patient_identity_feed(&self, feed: Feed, caller: &Caller) -> Answer<()> {
        let Some(manager) = &self.manager else { return self.tell_registry(feed, caller).await };
        if let FeedEvent::Merge { surviving, subsumed, .. } = &feed.event {
            let along = self.registry.as_ref().and_then(|registry| registry.merging(surviving, subsumed));
            return manager.patient_identity_feed(feed, along, caller).await;
        }
        manager.patient_identity_feed(feed.clone(), None, caller).await?;
        self.tell_registry(feed, caller).await
    }

    async fn tell_registry(&self, feed: Feed, caller: &Caller) -> Answer<()> {
        match &self.registry {
            Some(registry) => registry.patient_identity_feed(feed, caller).await,
            None => Ok(()),
        }
    }
}
