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
    /// Tells both; the PIX Manager first, which refuses more. A merge that is none of the registry's domain is no business of
    /// a registry beside a manager. Returns when it is on disk.
    pub async fn patient_identity_feed(&self, feed: Feed, caller: &Caller) -> Answer<()> {
        let Some(manager) = &self.manager else { return self.tell_registry(feed, caller).await };
        manager.patient_identity_feed(feed.clone(), caller).await?;
        match &feed.event {
            FeedEvent::Merge { surviving, .. }
                if !self.registry.as_ref().is_some_and(|registry| registry.serves(surviving)) =>
            {
                Ok(())
            }
            _ => self.tell_registry(feed, caller).await,
        }
    }

    async fn tell_registry(&self, feed: Feed, caller: &Caller) -> Answer<()> {
        match &self.registry {
            Some(registry) => registry.patient_identity_feed(feed, caller).await,
            None => Ok(()),
        }
    }
}
