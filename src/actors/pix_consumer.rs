//! The PIX Consumer with the PIX Update Notification Option (ITI TF-1: 5.2.1; ITI TF-2: 3.10, 3.46): a PIX Manager outside
//! tells which identifiers are one person's by now. The server calls it.
//!
//! What was found out about any of them elsewhere may be about somebody else: the cross-reference cache forgets it, and the
//! next question asks again. What the manager tells is not kept; it is asked when it is wanted.

use std::sync::Arc;

use super::permits::Callers;
use crate::demographics::Domains;
use crate::federation::managers::without_my_numbers;
use crate::identity::crossref::{Crossref, NotWritten};
use crate::ids::PatientId;
use crate::transactions::Caller;
use crate::transactions::identity::{Answer, ErrorCode, IdentifiersChanged, IdentityError, Place, Retry};

/// A PIX Consumer. Cheap to clone.
#[derive(Clone)]
pub struct PixConsumer {
    cache: Crossref,
    domains: Arc<Domains>,
    managers: Callers,
}

impl PixConsumer {
    /// A consumer that takes notifications from those managers.
    pub fn new(cache: Crossref, domains: Arc<Domains>, managers: Callers) -> Self {
        Self { cache, domains, managers }
    }

    /// The domains that notifications may name by their namespaces.
    pub fn domains(&self) -> &Arc<Domains> {
        &self.domains
    }

    /// ITI-10, ITI-46. Returns when what was known of the identifiers is gone, on disk, too.
    pub async fn update_notification(&self, changed: IdentifiersChanged, caller: &Caller) -> Answer<()> {
        let identifiers = changed.identifiers.len();
        if !self.managers.include(caller) {
            metrics::counter!("sekisho_update_notifications_total", "outcome" => "refused").increment(1);
            return Err(vec![IdentityError {
                code: ErrorCode::InternalError,
                place: Place::Message,
                text: format!("notifications are taken from the PIX Manager only (trace {})", caller.trace),
                retry: Retry::Pointless,
            }]);
        }
        let changed = without_my_numbers(&self.domains, "ITI-10, ITI-46", changed.identifiers);
        if let Err(error) = self.forget(changed).await {
            metrics::counter!("sekisho_update_notifications_total", "outcome" => "failed").increment(1);
            tracing::error!(trace = &*caller.trace, %error, "a PIX Manager told of changed identifiers in vain");
            let text = format!("what has changed cannot be noted now (trace {})", caller.trace);
            return Err(vec![IdentityError::internal(text)]);
        }
        metrics::counter!("sekisho_update_notifications_total", "outcome" => "taken").increment(1);
        tracing::info!(trace = &*caller.trace, identifiers, "a PIX Manager told of changed identifiers");
        Ok(())
    }

    async fn forget(&self, identifiers: Vec<PatientId>) -> Result<(), NotWritten> {
        self.cache.forget(identifiers).await?;
        self.cache.flush().await
    }
}
