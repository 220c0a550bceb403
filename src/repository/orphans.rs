//! Objects that no row refers to: what a crash between putting an object and committing its row leaves behind.
//!
//! An object that was just put has no row yet, perhaps of a submission to another gateway: so only what is older than
//! [`limits::ORPHAN_GRACE`] is an orphan. At the start and then once a day the last days' objects are looked at, and
//! orphans deleted; `sekisho verify-store` looks at all days. A crash leaves no more than what was in flight: where there is
//! more, the rows are older than the objects (a backup was restored), and everything stays.
//!
//! To a second database under the same prefix everything is an orphan. So the first one leaves its name beside the objects,
//! and to any other they are taboo: a gateway that is tried out with the configuration of another deletes nothing.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::TryStreamExt;

use super::objects::{Listed, Objects};
use super::{Repository, Rooms};
use crate::limits;
use crate::store::{Connection, Store, StoreError};

/// Which days are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Days {
    All,
    /// Those of [`limits::ORPHAN_DAYS`].
    Last,
}

/// Settles now and then what crashes leave in the object store, and erases what could not be erased before.
pub(super) fn look_after(repository: &Repository) {
    let Some(objects) = &repository.rooms.objects else { return };
    let rooms = Arc::downgrade(&repository.rooms);
    let (store, id, segments) =
        (repository.store.clone(), repository.id.clone(), repository.segments.clone());
    let again = move |rooms: &Weak<Rooms>| {
        let rooms = rooms.upgrade()?;
        Some(Repository { rooms, store: store.clone(), id: id.clone(), segments: segments.clone() })
    };
    objects.runtime().spawn(async move {
        while let Some(repository) = again(&rooms) {
            let erasing = repository.clone();
            let _ = tokio::task::spawn_blocking(move || erasing.erase()).await;
            match repository.settle_objects(limits::ORPHAN_GRACE).await {
                Ok(0) => {}
                Ok(settled) => {
                    metrics::counter!("sekisho_repository_settled_total").increment(settled as u64);
                    tracing::warn!(settled, "objects that no submission refers to were removed");
                }
                Err(error) => tracing::error!(%error, "objects without documents could not be looked for"),
            }
            drop(repository);
            tokio::time::sleep(limits::ORPHAN_PERIOD).await;
        }
    });
}

impl Repository {
    /// Removes the last days' orphans; how many they were.
    pub(super) async fn settle_objects(&self, grace: Duration) -> Result<usize, StoreError> {
        let Some(objects) = &self.rooms.objects else { return Ok(0) };
        let orphans = self.orphans(Days::Last, grace).await?;
        if orphans.len() > limits::MAX_SETTLED_FILES {
            metrics::counter!("sekisho_repository_alarms_total").increment(1);
            tracing::error!(
                orphans = orphans.len(),
                "more objects have no row than a crash can leave: the index is older than the objects; they stay"
            );
            return Ok(0);
        }
        for orphan in &orphans {
            objects.delete(&orphan.key).await?;
        }
        Ok(orphans.len())
    }

    /// Objects that are old enough to have a row, and have none.
    pub(super) async fn orphans(&self, days: Days, grace: Duration) -> Result<Vec<Listed>, StoreError> {
        let Some(objects) = &self.rooms.objects else { return Ok(Vec::new()) };
        if !self.owns(objects).await? {
            return Err(io::Error::other(format!(
                "{objects:?} belong to another database: give this one a prefix of its own; if that one is gone for good, \
                 delete the object `owner` there"
            ))
            .into());
        }
        let now = jiff::Timestamp::now();
        let grace = grace.as_secs() as i64;
        let first = match days {
            Days::All => String::new(),
            Days::Last => jiff::Timestamp::from_second(now.as_second() - limits::ORPHAN_DAYS * 86_400)
                .map_or_else(|_| String::new(), |day| day.strftime("%Y-%m-%d").to_string()),
        };
        let mut orphans = Vec::new();
        for day in objects.days().await?.into_iter().filter(|day| *day >= first) {
            let mut pages = objects.of_day(&day);
            while let Some(mut page) = pages.try_next().await? {
                page.retain(|object| now.as_second() - object.written_at >= grace);
                orphans.extend(without_row(&self.store, &self.rooms, page).await?);
            }
        }
        Ok(orphans)
    }

    /// Whether the objects are our database's. Where nobody has said so, they are if there are none, or if we know some. Our
    /// own name is on disk before anybody else can read it there.
    async fn owns(&self, objects: &Objects) -> Result<bool, StoreError> {
        let index = self.rooms.index.clone();
        let name = self.store.write(move |connection| index.name(connection)).await?;
        if let Some(owner) = objects.owner().await? {
            return Ok(owner == name);
        }
        // Where there are files only, this goes through all rows: not in the writer, and only until somebody has said so.
        let index = self.rooms.index.clone();
        let known = self.store.read(move |connection| index.has_objects(connection)).await?;
        let ours = known || objects.days().await?.is_empty();
        if ours {
            objects.take_ownership(&name).await?;
        }
        Ok(ours)
    }
}

/// The objects of these that no row refers to.
async fn without_row(
    store: &Store,
    rooms: &Arc<Rooms>,
    page: Vec<Listed>,
) -> Result<Vec<Listed>, StoreError> {
    let index = rooms.index.clone();
    let missing = move |connection: &Connection| {
        let mut missing = Vec::new();
        for object in page {
            if !index.has_file(connection, &object.key)? {
                missing.push(object);
            }
        }
        Ok(missing)
    };
    store.read(missing).await
}
