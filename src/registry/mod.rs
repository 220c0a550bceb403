//! The hosted Document Registry's store and stored-query engine (ITI TF-2: 3.18.4, 3.42.4).
//!
//! A submission is prepared ([`prepare`]), checked against the registry ([`mod@rules`]) and stored with its effects
//! ([`submit`]), the last two in one job of the store's writer. Every object lies in the store in the very bytes in which
//! a query returns it ([`fragment`]), with columns beside it for what queries ask ([`schema`], [`rows`]): answering builds
//! no model ([`query`]). Called by actors.

mod digest;
mod fragment;
mod my_numbers;
mod on_demand;
mod patients;
mod prepare;
mod query;
mod rehearsal;
mod relink;
mod remove;
mod retention;
mod revise;
mod rows;
mod rules;
mod schema;
mod stock;
mod submit;
mod update;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::demographics::Domains;
use crate::ids::{HomeCommunityId, Oid, PatientId};
use crate::limits;
use crate::metadata::validate;
use crate::metadata::views::SubmissionSet;
use crate::metadata::{Code, Kind, Submission};
use crate::store::sql::{Asked, params};
use crate::store::{Connection, Store, StoreError};
use crate::time;
use crate::transactions::errors::{RegistryError, code};
use crate::transactions::identity::{Answer, Place};
use crate::transactions::iti18::{QueryRequest, QueryResponse};

pub use digest::digest;
pub use on_demand::OnDemandEntry;
pub use patients::{KnownBy, UnknownPatient};
use prepare::{Holding, Prepared};
use query::AskedBy;
pub use relink::{Left, Relinking};
pub use retention::{Age, Aged, Standing, Window};
use rules::References;
pub use rules::Rule;
pub use schema::MIGRATION;
use schema::{FreeNumbers, TenantNumber};
pub use stock::RegisteredDocument;
pub use update::Update;

/// Whose data: a community, or a facility of one. Part of every key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tenant(pub Arc<str>);

impl Tenant {
    /// The tenant of a community, or of a facility in it.
    pub fn new(home: &HomeCommunityId, facility: Option<&Oid>) -> Self {
        match facility {
            None => Self(home.to_urn().into()),
            Some(facility) => Self(format!("{}/{facility}", home.to_urn()).into()),
        }
    }

    /// Its community's homeCommunityId.
    pub fn home(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }
}

/// What the registry of one tenant demands.
#[derive(Debug, Clone, Default)]
pub struct RegistrySettings {
    /// Only patients of these assigning authorities; empty accepts any.
    pub authorities: Vec<Oid>,
    /// What the configuration says of identifier domains.
    pub domains: Domains,
    /// By what patients are known.
    pub known_by: KnownBy,
    /// What a query about an unknown patient is answered with.
    pub unknown_patient: UnknownPatient,
    /// contentTypeCode of the SubmissionSet that records a change of a patient's link; None for the built-in one.
    pub relinking_content_type: Option<Code>,
    /// Objects of one answer; 0 takes the default.
    pub max_results: usize,
    /// How strictly metadata is taken; None for the built-in levels.
    pub rules: Option<validate::Settings>,
    /// How strictly that of single senders is, by the subject of their certificate.
    pub senders: HashMap<String, validate::Settings>,
}

impl RegistrySettings {
    /// Whether a patient's authority is one of the affinity domain's.
    pub fn serves(&self, cx: &str) -> bool {
        self.authorities.is_empty()
            || PatientId::parse(cx).is_ok_and(|id| self.authorities.contains(id.authority()))
    }
}

/// The rules that need the registry, for listings: of registrations, updates and removals.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [rules::RULES, my_numbers::RULES, update::RULES, remove::RULES].into_iter().flatten()
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// Stored; warnings may be there.
    Accepted(Vec<RegistryError>),
    /// The same submission was accepted before: its reply again.
    Replayed(Vec<RegistryError>),
    /// Nothing was stored.
    Refused(Vec<RegistryError>),
}

/// Work of another room that joins a submission's transaction.
pub type Also = Box<dyn FnOnce(&Connection) -> Result<(), StoreError> + Send>;

/// Work of the registry that joins another room's transaction.
pub type Joined = Box<dyn FnOnce(&Connection) -> Result<Answer<()>, StoreError> + Send>;

/// The registry of one tenant.
#[derive(Clone)]
pub struct Registry {
    store: Store,
    tenant: Tenant,
    settings: Arc<RegistrySettings>,
    /// Known once a reader has seen it: what the writer gave may still be taken back.
    number: Arc<OnceLock<TenantNumber>>,
}

impl Registry {
    /// The registry of a tenant in a store.
    pub fn new(store: Store, tenant: Tenant, settings: RegistrySettings) -> Self {
        Self { store, tenant, settings: Arc::new(settings), number: Arc::default() }
    }

    /// How strictly metadata is taken here.
    pub fn rules(&self) -> &validate::Settings {
        self.settings.rules.as_ref().unwrap_or(validate::Settings::built_in())
    }

    /// How strictly a sender's metadata is taken, whose verified certificate has a subject.
    pub fn rules_for(&self, certificate: Option<&str>) -> &validate::Settings {
        certificate.and_then(|subject| self.settings.senders.get(subject)).unwrap_or_else(|| self.rules())
    }

    /// Registers a submission that [`Registry::rules`] let pass, as it is the actors' to check: references, symbolic ids,
    /// life cycle. All or nothing, durable on return. `digest` tells a submission that is sent again ([`digest()`]). `also`
    /// runs in the same transaction once the submission is accepted: the repository makes its documents retrievable there,
    /// so that both become visible in one commit.
    pub async fn register(
        &self,
        submission: Submission,
        digest: [u8; 32],
        also: Option<Also>,
    ) -> Result<Registered, StoreError> {
        let now = time::now_dtm();
        let objects = prepare::prepare(submission, Holding::New, &now);
        self.look_up_tenant().await?;
        let registry = self.clone();
        self.store
            .write(move |connection| registry.register_prepared(connection, &objects, digest, &now, also))
            .await
    }

    /// The part of [`Registry::register`] that runs in the writer.
    fn register_prepared(
        &self,
        connection: &Connection,
        objects: &[Prepared],
        digest: [u8; 32],
        now: &str,
        also: Option<Also>,
    ) -> Result<Registered, StoreError> {
        // Number 0 is no tenant's: a refused submission leaves nothing behind, the tenant included.
        let known = self.tenant_for_writing(connection)?;
        let tenant = known.unwrap_or(TenantNumber(0));
        let set_id = set_id(objects);
        // Whatever the database is asked, before the first answer is waited for.
        let before = ask_accepted(connection, tenant, set_id)?;
        let references = References::ask(connection, tenant, objects)?;
        let free = FreeNumbers::ask(connection, tenant, rules::patients(objects))?;
        if is_accepted(before, digest)? {
            return Ok(Registered::Replayed(Vec::new()));
        }
        let references = references.answer(self.settings.known_by)?;
        let errors = rules::check(&self.settings, objects, &references);
        if !errors.is_empty() {
            return Ok(Registered::Refused(bounded(errors)));
        }
        let free = match known {
            Some(_) => free,
            None => {
                let made = TenantNumber::find_or_make(connection, &self.tenant.0)?;
                FreeNumbers::ask(connection, made, rules::patients(objects))?
            }
        };
        let tenant = free.tenant();
        submit::store(connection, free, objects, &references, now)?;
        accept(connection, tenant, set_id, digest)?;
        if let Some(also) = also {
            also(connection)?;
        }
        Ok(Registered::Accepted(Vec::new()))
    }

    /// Updates what is registered, as a submission asks for that [`Registry::rules`] let pass. All or nothing, durable on
    /// return; the same update sent again is answered again.
    pub async fn update(
        &self,
        submission: Submission,
        digest: [u8; 32],
        update: Update,
    ) -> Result<Registered, StoreError> {
        let now = time::now_dtm();
        let objects = prepare::prepare(submission, Holding::Versions, &now);
        let registry = self.clone();
        self.store
            .write(move |connection| registry.update_prepared(connection, objects, digest, update, &now))
            .await
    }

    /// The part of [`Registry::update`] that runs in the writer.
    fn update_prepared(
        &self,
        connection: &Connection,
        objects: Vec<Prepared>,
        digest: [u8; 32],
        update: Update,
        now: &str,
    ) -> Result<Registered, StoreError> {
        // A tenant without a number has nothing that could be updated.
        let tenant = self.tenant_for_writing(connection)?.unwrap_or(TenantNumber(0));
        let set_id = set_id(&objects).to_owned();
        let before = ask_accepted(connection, tenant, &set_id)?;
        let references = References::ask(connection, tenant, &objects)?;
        if is_accepted(before, digest)? {
            return Ok(Registered::Replayed(Vec::new()));
        }
        let references = references.answer(self.settings.known_by)?;
        let (plan, errors) = update::plan(connection, tenant, &self.settings, update, &objects, &references)?;
        if !errors.is_empty() {
            return Ok(Registered::Refused(bounded(errors)));
        }
        let numbers = submit::Numbers::of(&references);
        drop(references);
        let tenant = TenantNumber::find_or_make(connection, &self.tenant.0)?;
        revise::carry_out(connection, tenant, objects, numbers, &plan, now)?;
        accept(connection, tenant, &set_id, digest)?;
        Ok(Registered::Accepted(Vec::new()))
    }

    /// Makes patients known, each with its place in the message, or none of them (ITI TF-2: 3.8.4.1.3). Durable on return.
    pub async fn announce(&self, patients: Vec<(Place, PatientId)>) -> Result<Answer<()>, StoreError> {
        self.store.write(self.announcing(patients)).await
    }

    /// The same as a part of somebody's transaction.
    pub fn announcing(&self, patients: Vec<(Place, PatientId)>) -> Joined {
        let registry = self.clone();
        Box::new(move |connection| {
            let tenant = TenantNumber::find_or_make(connection, &registry.tenant.0)?;
            patients::announce(connection, tenant, &patients)
        })
    }

    /// Merges a patient into another, with everything that is registered (ITI TF-2: 3.8.4.2.3). Durable on return; where it
    /// is refused, nothing has changed. `along` is other registries' part in the same transaction, whose refusal changes
    /// nothing here.
    pub async fn merge(
        &self,
        surviving: PatientId,
        subsumed: PatientId,
        along: Option<Joined>,
    ) -> Result<Answer<()>, StoreError> {
        let registry = self.clone();
        let merge = move |connection: &Connection| {
            let tenant = TenantNumber::find(connection, &registry.tenant.0)?.unwrap_or(TenantNumber(0));
            let merged = patients::merge(connection, tenant, &registry.settings, &surviving, &subsumed)?;
            if let (Ok(()), Some(along)) = (&merged, along) {
                let _ = along(connection)?;
            }
            Ok(merged)
        };
        self.store.write(merge).await
    }

    /// The same as a part of somebody's transaction, who knows both patients: whom this registry has not heard of, imported
    /// ones say, it hears of now, so that the subsumed identifier ends here too.
    pub fn merging(&self, surviving: PatientId, subsumed: PatientId) -> Joined {
        let registry = self.clone();
        Box::new(move |connection| {
            let tenant = TenantNumber::find_or_make(connection, &registry.tenant.0)?;
            let both = [(Place::Identifier(1), surviving), (Place::Subsumed, subsumed)];
            if let Err(refused) = patients::announce(connection, tenant, &both)? {
                return Ok(Err(refused));
            }
            let [(_, surviving), (_, subsumed)] = both;
            patients::merge(connection, tenant, &registry.settings, &surviving, &subsumed)
        })
    }

    /// Lets a local patient's documents follow its link (ITI TF-2: 3.64.4.1.3). Durable on return; where it is refused,
    /// nothing has changed.
    pub async fn relink(&self, relinking: Relinking) -> Result<Answer<Left>, StoreError> {
        let now = time::now_dtm();
        let registry = self.clone();
        let relink = move |connection: &Connection| {
            let tenant = TenantNumber::find(connection, &registry.tenant.0)?.unwrap_or(TenantNumber(0));
            relinking.carry_out(connection, tenant, &registry.settings, &now)
        };
        self.store.write(relink).await
    }

    /// The on-demand entry of a uniqueId in a repository, with what its document is made of.
    pub async fn on_demand(
        &self,
        unique_id: String,
        repository: String,
    ) -> Result<Option<OnDemandEntry>, StoreError> {
        let registry = self.clone();
        let find = move |connection: &Connection| match registry.tenant(connection)? {
            Some(tenant) => OnDemandEntry::find(connection, tenant, &unique_id, &repository),
            None => Ok(None),
        };
        self.store.read(find).await
    }

    /// Whose registry it is.
    pub fn whose(&self) -> &Tenant {
        &self.tenant
    }

    /// What this registry demands.
    pub fn settings(&self) -> &RegistrySettings {
        &self.settings
    }

    /// Removes objects by entryUUID, all of them or, where anything is wrong with that, none. Durable on return.
    pub async fn remove(&self, objects: Vec<String>) -> Result<Vec<RegistryError>, StoreError> {
        let registry = self.clone();
        let remove = move |connection: &Connection| {
            let tenant = TenantNumber::find(connection, &registry.tenant.0)?.unwrap_or(TenantNumber(0));
            remove::remove(connection, tenant, &objects)
        };
        Ok(bounded(self.store.write(remove).await?))
    }

    /// The job that lets submissions of these documents (by uniqueId) be looked at anew when they are sent again: their
    /// bytes are gone, and the answer of then would be wrong. For the transaction that removes the bytes.
    pub fn forget_submissions(&self, documents: Vec<String>) -> Also {
        let registry = self.clone();
        Box::new(move |connection| {
            let Some(tenant) = TenantNumber::find(connection, &registry.tenant.0)? else { return Ok(()) };
            for document in &documents {
                remove::forget_submissions(connection, tenant, document)?;
            }
            Ok(())
        })
    }

    /// Answers a stored query of ITI-18. Every refusal is in the response.
    pub async fn query(&self, request: QueryRequest) -> Result<QueryResponse, StoreError> {
        self.answer(request, AskedBy::Iti18).await
    }

    /// Answers a stored query of ITI-51, about any number of patients. Every refusal is in the response.
    pub async fn query_several_patients(&self, request: QueryRequest) -> Result<QueryResponse, StoreError> {
        self.answer(request, AskedBy::Iti51).await
    }

    async fn answer(&self, request: QueryRequest, asked_by: AskedBy) -> Result<QueryResponse, StoreError> {
        let question = match query::Question::read(&request, asked_by, &self.settings.domains)? {
            Ok(question) => question,
            Err(errors) => return Ok(QueryResponse::new(bounded(errors), Vec::new())),
        };
        let most = match self.settings.max_results {
            0 => limits::MAX_QUERY_RESULTS,
            most => most,
        };
        let registry = self.clone();
        let answer = move |connection: &Connection| {
            // Number 0 is no tenant's, and nothing is found there.
            let tenant = registry.tenant(connection)?.unwrap_or(TenantNumber(0));
            match question.unknown_patient(connection, tenant, &registry.settings)? {
                Some(error) => Ok(QueryResponse::failure(error)),
                None => question.answer(connection, tenant, most),
            }
        };
        self.store.read(answer).await
    }

    /// The tenant's number, if anything was ever stored for it. For readers, who see only what is committed.
    fn tenant(&self, connection: &Connection) -> Result<Option<TenantNumber>, StoreError> {
        if let Some(&known) = self.number.get() {
            return Ok(Some(known));
        }
        let found = TenantNumber::find(connection, &self.tenant.0)?;
        Ok(found.map(|found| *self.number.get_or_init(|| found)))
    }

    /// Sees to it that the writer need not ask for the tenant's number, if there is one.
    async fn look_up_tenant(&self) -> Result<(), StoreError> {
        if self.number.get().is_none() {
            let registry = self.clone();
            self.store.read(move |connection| registry.tenant(connection)).await?;
        }
        Ok(())
    }

    /// The tenant's number in the writer, whose own rows may still be taken back: it is not remembered.
    fn tenant_for_writing(&self, connection: &Connection) -> Result<Option<TenantNumber>, StoreError> {
        match self.number.get() {
            Some(&known) => Ok(Some(known)),
            None => TenantNumber::find(connection, &self.tenant.0),
        }
    }
}

/// uniqueId of a submission's set.
fn set_id(objects: &[Prepared]) -> &str {
    let set = objects.iter().find(|new| new.object.kind == Kind::SubmissionSet);
    set.and_then(|new| SubmissionSet(&new.object).unique_id()).unwrap_or_default()
}

/// Asks for the digest of the submission that was accepted with a set's uniqueId.
fn ask_accepted<'c>(
    connection: &'c Connection,
    tenant: TenantNumber,
    set_id: &str,
) -> Result<Asked<'c>, StoreError> {
    let find = "SELECT digest FROM registry_submission WHERE tenant = ?1 AND unique_id = ?2";
    Ok(connection.ask(find, params![tenant.0, set_id])?)
}

/// Whether it is this very submission.
fn is_accepted(before: Asked<'_>, digest: [u8; 32]) -> Result<bool, StoreError> {
    Ok(before.first(|row| row.get(0))? == Some(digest))
}

/// Notes that a submission is accepted, by its set's uniqueId. One without (where the rules are off) is never known again.
fn accept(
    connection: &Connection,
    tenant: TenantNumber,
    set_id: &str,
    digest: [u8; 32],
) -> Result<(), StoreError> {
    if set_id.is_empty() {
        return Ok(());
    }
    connection
        .prepare_cached("INSERT INTO registry_submission (tenant, unique_id, digest) VALUES (?1, ?2, ?3)")?
        .run(params![tenant.0, set_id, digest])?;
    Ok(())
}

/// At most so many errors as an answer holds; the last one counts the rest.
fn bounded(mut errors: Vec<RegistryError>) -> Vec<RegistryError> {
    let beyond = errors.len().saturating_sub(limits::MAX_ERRORS_PER_ANSWER);
    if beyond > 0 {
        errors.truncate(limits::MAX_ERRORS_PER_ANSWER - 1);
        errors.push(RegistryError::error(code::REGISTRY_ERROR, format!("{} further errors", beyond + 1)));
    }
    errors
}

#[cfg(test)]
mod tests;
