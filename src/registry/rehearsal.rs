//! Dry runs: what the registry would say of a submission, an update or a removal, of which nothing is carried out. They run
//! on a reader, which could not change anything. What others store meanwhile, the real submission will meet.

use super::prepare::{self, Holding, Prepared};
use super::rules::References;
use super::schema::TenantNumber;
use super::{Registry, Update, ask_accepted, bounded, is_accepted, remove, rules, set_id, update};
use crate::metadata::Submission;
use crate::store::{Connection, StoreError};
use crate::time;
use crate::transactions::errors::RegistryError;

impl Registry {
    /// What [`Registry::register`] would refuse a submission for; empty where it would take it, or has taken it before.
    pub async fn rehearse_registration(
        &self,
        submission: Submission,
        digest: [u8; 32],
    ) -> Result<Vec<RegistryError>, StoreError> {
        let registry = self.clone();
        let objects = prepare::prepare(submission, Holding::New, &time::now_dtm());
        self.rehearse(objects, digest, move |_, _, objects, references| {
            Ok(rules::check(&registry.settings, objects, references))
        })
        .await
    }

    /// The same for [`Registry::update`].
    pub async fn rehearse_update(
        &self,
        submission: Submission,
        digest: [u8; 32],
        update: Update,
    ) -> Result<Vec<RegistryError>, StoreError> {
        let registry = self.clone();
        let objects = prepare::prepare(submission, Holding::Versions, &time::now_dtm());
        self.rehearse(objects, digest, move |connection, tenant, objects, references| {
            let planned = update::plan(connection, tenant, &registry.settings, update, objects, references)?;
            Ok(planned.1)
        })
        .await
    }

    /// The same for [`Registry::remove`].
    pub async fn rehearse_removal(&self, objects: Vec<String>) -> Result<Vec<RegistryError>, StoreError> {
        let registry = self.clone();
        let check = move |connection: &Connection| {
            let tenant = registry.tenant(connection)?.unwrap_or(TenantNumber(0));
            Ok(bounded(remove::check(connection, tenant, &objects)?))
        };
        self.store.read(check).await
    }

    async fn rehearse(
        &self,
        objects: Vec<Prepared>,
        digest: [u8; 32],
        check: impl FnOnce(
            &Connection,
            TenantNumber,
            &[Prepared],
            &References<'_>,
        ) -> Result<Vec<RegistryError>, StoreError>
        + Send
        + 'static,
    ) -> Result<Vec<RegistryError>, StoreError> {
        let registry = self.clone();
        let rehearse = move |connection: &Connection| {
            let tenant = registry.tenant(connection)?.unwrap_or(TenantNumber(0));
            let before = ask_accepted(connection, tenant, set_id(&objects))?;
            let references = References::ask(connection, tenant, &objects)?;
            if is_accepted(before, digest)? {
                return Ok(Vec::new());
            }
            let references = references.answer(registry.settings.known_by)?;
            Ok(bounded(check(connection, tenant, &objects, &references)?))
        };
        self.store.read(rehearse).await
    }
}
