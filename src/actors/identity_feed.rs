//! Who takes patient identity feeds here (ITI-8, ITI-44): the PIX Manager, the Document Registries of our community, or all
//! of them with one feed.

use super::document_registry::DocumentRegistry;
use super::pix_manager::PixManager;
use crate::demographics::Identifier;
use crate::identity::index::Along;
use crate::transactions::Caller;
use crate::transactions::identity::{Answer, Feed, FeedEvent, IdentityError, Place, Retry};
use crate::transactions::iti64::LinkChange;

/// The receivers of feeds. Cheap to clone.
#[derive(Clone, Default)]
pub struct FeedReceivers {
    /// The cross-reference of all domains.
    pub manager: Option<PixManager>,
    /// The registries that know patients of the affinity domain: the region's own, and those of its facilities.
    pub registries: Vec<DocumentRegistry>,
}

impl FeedReceivers {
    /// Tells all, in one transaction: what one refuses, none takes, but a further registry's refusal of a merge. What is none
    /// of the registries' domain is no business of a registry beside a manager. Returns when it is on disk.
    pub async fn patient_identity_feed(&self, feed: Feed, caller: &Caller) -> Answer<()> {
        let nth = match feed.event {
            FeedEvent::Merge { nth, .. } => Some(nth),
            FeedEvent::Announce { .. } => None,
        };
        self.tell_all(feed, caller).await.map_err(|errors| located(errors, nth))
    }

    async fn tell_all(&self, feed: Feed, caller: &Caller) -> Answer<()> {
        let Some(manager) = &self.manager else { return self.tell_registries(feed, caller).await };
        let along = match &feed.event {
            FeedEvent::Merge { surviving, subsumed, .. } => {
                in_order(merging(&self.registries, surviving, subsumed))
            }
            FeedEvent::Announce { identifiers, .. } => {
                let parts =
                    self.registries.iter().map(|registry| registry.announcing(identifiers, &feed, caller));
                all_of(parts.filter_map(Answer::transpose).collect::<Answer<_>>()?)
            }
        };
        manager.patient_identity_feed(feed, along, caller).await
    }

    /// ITI-64: all registries, each of which moves what it has. Refused where one refuses it and nothing moved anywhere;
    /// one that cannot at present has the message sent again, which does no harm where it was taken.
    pub async fn link_change(&self, change: LinkChange, caller: &Caller) -> Answer<()> {
        let serves =
            |registry: &&DocumentRegistry| registry.serves(&change.new) || registry.serves(&change.local);
        let mut concerned: Vec<_> = self.registries.iter().filter(serves).collect();
        if concerned.is_empty() {
            // They say why.
            concerned.extend(&self.registries);
        }
        let (mut moved, mut refused) = (0, None);
        for registry in concerned {
            match registry.link_change(change.clone(), caller).await {
                Ok(entries) => moved += entries,
                Err(errors) if errors.iter().any(|error| error.retry == Retry::Later) => return Err(errors),
                Err(errors) => _ = refused.get_or_insert(errors),
            }
        }
        match refused {
            Some(errors) if moved == 0 => Err(errors),
            Some(_) => {
                tracing::warn!(trace = %caller.trace, "a link change was refused by one registry and carried out by another");
                Ok(())
            }
            None => Ok(()),
        }
    }

    async fn tell_registries(&self, feed: Feed, caller: &Caller) -> Answer<()> {
        let FeedEvent::Merge { surviving, subsumed, .. } = &feed.event else {
            for registry in &self.registries {
                registry.patient_identity_feed(feed.clone(), None, caller).await?;
            }
            return Ok(());
        };
        // One decides, whose domain it is; the others follow.
        let serves = |registry: &DocumentRegistry| registry.serves(surviving) && registry.serves(subsumed);
        let mut following = self.registries.clone();
        let deciding = following.iter().position(serves).unwrap_or(0);
        if following.is_empty() {
            return Ok(());
        }
        let deciding = following.remove(deciding);
        let along = in_order(merging(&following, surviving, subsumed));
        deciding.patient_identity_feed(feed, along, caller).await
    }
}

/// Where errors are in the message: who merges knows of one surviving identifier, which may be a further one there.
fn located(mut errors: Vec<IdentityError>, nth: Option<usize>) -> Vec<IdentityError> {
    for error in &mut errors {
        if let (Place::Identifier(number) | Place::IdentifierAuthority(number), Some(nth)) =
            (&mut error.place, nth)
        {
            *number = nth;
        }
    }
    errors
}

/// The parts of registries in a merge.
fn merging(registries: &[DocumentRegistry], surviving: &Identifier, subsumed: &Identifier) -> Vec<Along> {
    registries.iter().filter_map(|registry| registry.merging(surviving, subsumed)).collect()
}

/// Several parts as one, of which each decides.
pub fn all_of(parts: Vec<Along>) -> Option<Along> {
    if parts.is_empty() {
        return None;
    }
    Some(Box::new(move |connection| {
        for part in parts {
            if let Err(refused) = part(connection)? {
                return Ok(Err(refused));
            }
        }
        Ok(Ok(()))
    }))
}

/// Several parts as one, of which the first decides: a further registry where the subsumed identifier ended before has
/// nothing left to do.
pub fn in_order(parts: Vec<Along>) -> Option<Along> {
    let mut parts = parts.into_iter();
    let first = parts.next()?;
    Some(Box::new(move |connection| {
        let answer = first(connection)?;
        if answer.is_ok() {
            for part in parts {
                // A refusal changes nothing there.
                let _ = part(connection)?;
            }
        }
        Ok(answer)
    }))
}
