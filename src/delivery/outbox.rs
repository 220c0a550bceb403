//! How far each consumer of notifications has been told. The events themselves are the index's: this keeps places in them, so
//! that a consumer that is away costs nothing but its place, and nobody else anything.

use std::sync::Arc;

use uuid::Uuid;

use crate::ids::PatientId;
use crate::store::sql::{OptionalExtension as _, params};
use crate::store::{Store, StoreError, sql};

/// The places of one tenant's consumers. Cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    store: Store,
    tenant: Arc<str>,
    epoch: Arc<str>,
}

/// A local patient, and the patient of the affinity domain to whom it is linked.
pub type Link = (PatientId, PatientId);

impl Outbox {
    /// The outbox in a store that has [`super::MIGRATION`]. Blocks.
    pub fn open(store: Store, tenant: &str) -> Result<Self, StoreError> {
        let tenant: Arc<str> = tenant.into();
        let of = Arc::clone(&tenant);
        let epoch: String = store.write_blocking(move |connection| {
            let [a, b, c, ..] = Uuid::new_v4().into_bytes();
            let fresh = format!("{a:02x}{b:02x}{c:02x}");
            connection.execute(
                "INSERT INTO delivery_epoch VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                params![&*of, fresh],
            )?;
            let find = "SELECT epoch FROM delivery_epoch WHERE tenant = ?1";
            Ok(connection.query_row(find, [&*of], |row| row.get(0))?)
        })?;
        Ok(Self { store, tenant, epoch: epoch.into() })
    }

    /// What the ids of this outbox's notices begin with: they are the same when a notice is repeated, and no other's.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The last event that a consumer has been told of; `otherwise` for a new one, which it then has.
    pub async fn position(&self, consumer: &str, otherwise: u64) -> Result<u64, StoreError> {
        let (tenant, consumer) = (Arc::clone(&self.tenant), consumer.to_owned());
        let find = "SELECT event FROM delivery_position WHERE tenant = ?1 AND consumer = ?2";
        let known = self.store.read(move |connection| {
            let place = |row: &sql::Row<'_>| row.get::<i64>(0);
            Ok(connection.query_row(find, params![&*tenant, consumer], place).optional()?)
        });
        match known.await? {
            Some(event) => Ok(u64::try_from(event).unwrap_or_default()),
            None => Ok(otherwise),
        }
    }

    /// A consumer has been told of everything up to an event, and knows these links from it. Returns when that is on disk.
    pub async fn advance(&self, consumer: &str, event: u64, links: Vec<Link>) -> Result<(), StoreError> {
        let (tenant, consumer) = (Arc::clone(&self.tenant), consumer.to_owned());
        let write = self.store.write(move |connection| {
            let place = "INSERT INTO delivery_position VALUES (?1, ?2, ?3)
                         ON CONFLICT (tenant, consumer) DO UPDATE SET event = excluded.event";
            let event = i64::try_from(event).unwrap_or(i64::MAX);
            connection.prepare_cached(place)?.execute(params![&*tenant, consumer, event])?;
            let mut link = connection.prepare_cached(
                "INSERT INTO delivery_link VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (tenant, consumer, local) DO UPDATE SET patient = excluded.patient",
            )?;
            for (local, patient) in links {
                link.execute(params![&*tenant, consumer, local.to_cx(), patient.to_cx()])?;
            }
            Ok(())
        });
        write.await
    }

    /// To whom a consumer believes a local patient to be linked.
    pub async fn linked_to(
        &self,
        consumer: &str,
        local: &PatientId,
    ) -> Result<Option<PatientId>, StoreError> {
        let (tenant, consumer, local) = (Arc::clone(&self.tenant), consumer.to_owned(), local.to_cx());
        let find = "SELECT patient FROM delivery_link WHERE tenant = ?1 AND consumer = ?2 AND local = ?3";
        let read = self.store.read(move |connection| {
            let patient = |row: &sql::Row<'_>| row.get::<String>(0);
            Ok(connection
                .prepare_cached(find)?
                .query_row(params![&*tenant, consumer, local], patient)
                .optional()?)
        });
        match read.await? {
            None => Ok(None),
            Some(patient) => match PatientId::parse(&patient) {
                Ok(patient) => Ok(Some(patient)),
                Err(_) => Err(StoreError::Damaged("a link of the outbox cannot be read".into())),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::MIGRATION;

    #[tokio::test]
    async fn places_and_links_survive_and_belong_to_one_consumer_of_one_tenant() {
        let folder = std::env::temp_dir().join(format!("sekisho-outbox-{}", Uuid::new_v4()));
        let open = |tenant: &'static str| {
            let folder = folder.clone();
            tokio::task::spawn_blocking(move || {
                let store = Store::open(&folder, &[MIGRATION]).unwrap();
                (Outbox::open(store.clone(), tenant).unwrap(), store)
            })
        };
        let id = |cx: &str| PatientId::parse(cx).unwrap();
        let (local, patient) = (id("7^^^&1.2.3&ISO"), id("A^^^&1.2.4&ISO"));
        let (outbox, store) = open("one").await.unwrap();
        assert_eq!(outbox.position("a", 41).await.unwrap(), 41);
        outbox.advance("a", 42, vec![(local.clone(), patient.clone())]).await.unwrap();
        let epoch = outbox.epoch().to_owned();
        drop(outbox);
        tokio::task::spawn_blocking(move || store.close()).await.unwrap();

        let (outbox, store) = open("one").await.unwrap();
        assert_eq!(outbox.epoch(), epoch);
        assert_eq!(outbox.position("a", 0).await.unwrap(), 42);
        assert_eq!(outbox.linked_to("a", &local).await.unwrap(), Some(patient));
        assert_eq!(outbox.linked_to("b", &local).await.unwrap(), None);
        assert_eq!(outbox.position("b", 7).await.unwrap(), 7);
        let other = Outbox { tenant: "two".into(), ..outbox };
        assert_eq!(other.position("a", 9).await.unwrap(), 9);
        tokio::task::spawn_blocking(move || store.close()).await.unwrap();
        let _ = std::fs::remove_dir_all(&folder);
    }
}
