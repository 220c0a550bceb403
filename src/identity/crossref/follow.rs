//! Follows the patient index: whatever changes who somebody is makes the cache forget what it knows of them. How far it has
//! come is kept in the cache itself, so that nothing is missed while the gateway is down.

use std::sync::atomic::Ordering;

use super::{Crossref, NotWritten};
use crate::identity::index::{EventKind, Index, IndexError};
use crate::ids::PatientId;
use crate::limits;

/// Why the events could not be taken up. They are the next time.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The index does not tell.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The cache does not forget.
    #[error(transparent)]
    Cache(#[from] NotWritten),
}

/// Goes on where events were followed last, and takes up those since; gives how many there were.
pub async fn catch_up(cache: &Crossref, index: &Index) -> Result<usize, FollowError> {
    resume(cache, index).await?;
    take_up(cache, index).await
}

async fn take_up(cache: &Crossref, index: &Index) -> Result<usize, FollowError> {
    let mut taken = 0;
    loop {
        let after = cache.followed().unwrap_or(0);
        let events = index.events(after, limits::CROSSREF_EVENTS_AT_ONCE).await?;
        let (Some(first), Some(last)) = (events.first(), events.last().map(|event| event.number)) else {
            return Ok(taken);
        };
        if first.number > after + 1 {
            // Events were missed that are no longer kept: anybody may have changed.
            cache.forget_all().await?;
        }
        let mut touched = Vec::new();
        for event in &events {
            touched.extend(patients(&event.kind, index).await?);
        }
        cache.follow(touched, last).await?;
        taken += events.len();
        if events.len() < limits::CROSSREF_EVENTS_AT_ONCE {
            return Ok(taken);
        }
    }
}

/// A place beyond the last event is one of another index, older data restored, say. What happened in this one is not known.
async fn resume(cache: &Crossref, index: &Index) -> Result<(), NotWritten> {
    let last = *index.watch_events().borrow();
    if cache.followed().is_some_and(|followed| followed > last) {
        cache.forget_all().await?;
        cache.has_followed(last).await?;
    }
    Ok(())
}

/// Follows whenever there is something to follow. Runs until it is dropped.
pub async fn follow(cache: Crossref, index: Index) {
    let mut events = index.watch_events();
    // Whose events were followed is asked once: later, what is followed may be ahead of what the index is known to have told.
    let mut resumed = false;
    loop {
        events.mark_unchanged();
        let caught_up = match resumed {
            false => catch_up(&cache, &index).await,
            true => take_up(&cache, &index).await,
        };
        match caught_up {
            Ok(_) => {
                resumed = true;
                cache.inner.behind.store(false, Ordering::Release);
            }
            Err(error) => {
                // Who could not be forgotten is not told of; if it was to be everybody, nobody is.
                if matches!(error, FollowError::Cache(_)) {
                    cache.await_index();
                }
                tracing::warn!(%error, "the cross-reference cache cannot follow the patient index");
            }
        }
        // After a failure there may be no further event to be woken by.
        let _ = tokio::time::timeout(limits::CROSSREF_PATIENCE, events.changed()).await;
    }
}

/// Whether everything that the index has told so far is taken up.
pub fn has_caught_up(cache: &Crossref, index: &Index) -> bool {
    let last = *index.watch_events().borrow();
    !cache.inner.behind.load(Ordering::Acquire) && cache.followed().unwrap_or(0) >= last
}

/// Whom an event is about. A person's records are asked for together, so that a change of one is a change of all.
async fn patients(event: &EventKind, index: &Index) -> Result<Vec<PatientId>, IndexError> {
    Ok(match event {
        EventKind::Linked { identifiers, .. } => identifiers.clone(),
        EventKind::Merged { surviving, subsumed } => vec![surviving.clone(), subsumed.clone()],
        EventKind::Changed(patient) => {
            let mut person = match index.corresponding(patient).await {
                Ok((person, _)) => person,
                Err(error @ IndexError::Store(_)) => return Err(error),
                Err(_) => Vec::new(),
            };
            person.push(patient.clone());
            person
        }
    })
}
