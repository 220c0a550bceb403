//! The Document Registry (ITI TF-1: 10.1.1.3): answers ITI-18, ITI-42, ITI-51, ITI-57, ITI-61, ITI-62 and ITI-92,
//! and hears of patients by ITI-8, ITI-44 and ITI-64 ([`identity`]).
//!
//! It decides little: what holds for submissions and queries lies in [`crate::registry`]. What it adds is the reply, and
//! that a failing store becomes an error that says so and no more.

mod identity;

use std::sync::Arc;

use super::permits::Permits;
use super::rules::refusals;
use crate::demographics::Domains;
use crate::ids::HomeCommunityId;
use crate::limits;
use crate::metadata::Submission;
use crate::metadata::validate::{self, Context, Report};
use crate::registry::{self, Registered, Registry, Update};
use crate::store::StoreError;
use crate::transactions::Caller;
use crate::transactions::dry_run::{self, Effect};
use crate::transactions::errors::{Answering, RegistryError, RegistryResponse, code};
use crate::transactions::iti18::{QueryRequest, QueryResponse};
use crate::transactions::iti62::RemoveRequest;
use crate::wire::aside;

/// The Document Registry of one community.
#[derive(Clone)]
pub struct DocumentRegistry {
    registry: Registry,
    permits: Permits,
    domains: Arc<Domains>,
}

impl DocumentRegistry {
    /// The actor before a registry.
    pub fn new(registry: Registry, permits: Permits) -> Self {
        Self { registry, permits, domains: Arc::default() }
    }

    /// The same with what the configuration says of identifier domains: their namespaces and their sources. Without it, an
    /// authority is known by its OID.
    pub fn with_domains(mut self, domains: Arc<Domains>) -> Self {
        self.domains = domains;
        self
    }

    /// Who may do what here.
    pub fn permits(&self) -> &Permits {
        &self.permits
    }

    /// ITI-18 Registry Stored Query (ITI TF-2: 3.18.4.1.3), for those who are permitted to ask. `home` means nothing to a
    /// registry and is passed over.
    pub async fn registry_stored_query(&self, request: QueryRequest, caller: &Caller) -> QueryResponse {
        match self.permits.query.check(caller) {
            Ok(()) => self.answer_gateway(request, caller).await,
            Err(refusal) => QueryResponse::failure(refusal),
        }
    }

    /// The same for a gateway of ours, which decides for itself whom it answers.
    pub async fn answer_gateway(&self, request: QueryRequest, caller: &Caller) -> QueryResponse {
        let answer = self.registry.query(request).await;
        answer.unwrap_or_else(|error| QueryResponse::failure(failed(&error, caller)))
    }

    /// ITI-51 Multi-Patient Stored Query (ITI TF-2: 3.51.4.1.3), for those who are permitted to ask it.
    pub async fn multi_patient_stored_query(&self, request: QueryRequest, caller: &Caller) -> QueryResponse {
        if let Err(refusal) = self.permits.multi_patient.check(caller) {
            return QueryResponse::failure(refusal);
        }
        let answer = self.registry.query_several_patients(request).await;
        answer.unwrap_or_else(|error| QueryResponse::failure(failed(&error, caller)))
    }

    /// ITI-42 Register Document Set-b (ITI TF-2: 3.42.4.1.3). Durable on Success; otherwise nothing is kept.
    pub async fn register_document_set(&self, submission: Submission, caller: &Caller) -> RegistryResponse {
        self.register(submission, Context::Register, caller).await
    }

    /// ITI-61 Register On-Demand Document Entry (ITI TF-2: 3.61.4.1.3), with the same promise.
    pub async fn register_on_demand_document_entry(
        &self,
        submission: Submission,
        caller: &Caller,
    ) -> RegistryResponse {
        self.register(submission, Context::RegisterOnDemand, caller).await
    }

    /// ITI-57 Update Document Set (XDS Metadata Update: 3.57.4.1.3), for those who are permitted to update.
    pub async fn update_document_set(&self, submission: Submission, caller: &Caller) -> RegistryResponse {
        self.update(submission, Update::Full, caller).await
    }

    /// ITI-92 Restricted Update Document Set (RMU: 3.92.4.1.3), for the same callers.
    pub async fn restricted_update_document_set(
        &self,
        submission: Submission,
        caller: &Caller,
    ) -> RegistryResponse {
        self.update(submission, Update::Restricted, caller).await
    }

    /// ITI-62 Remove Metadata (RMD: 3.62.4.1.3), for those who are permitted to remove. All or nothing.
    pub async fn remove_metadata(&self, request: RemoveRequest, caller: &Caller) -> RegistryResponse {
        if let Err(refusal) = self.permits.remove.check(caller) {
            return RegistryResponse::from_errors(vec![refusal]);
        }
        if caller.effect == Effect::DryRun {
            let found = self.registry.rehearse_removal(request.objects).await;
            return rehearsed(Vec::new(), found, caller);
        }
        let removed = self.registry.remove(request.objects).await;
        RegistryResponse::from_errors(removed.unwrap_or_else(|error| vec![failed(&error, caller)]))
    }

    async fn register(&self, submission: Submission, context: Context, caller: &Caller) -> RegistryResponse {
        let permitted = self.permits.submit.check(caller);
        if let Err(refusal) = permitted.and_then(|()| self.permits.check_source(&submission, caller)) {
            return RegistryResponse::from_errors(vec![refusal]);
        }
        let (report, digest) = self.look_at(&submission, context, caller);
        let refusals = refusals(&report, context, Answering::Registry, caller);
        if caller.effect == Effect::DryRun {
            let found = self.registry.rehearse_registration(submission, digest).await;
            return rehearsed(refusals, found, caller);
        }
        if !refusals.is_empty() {
            return RegistryResponse::from_errors(refusals);
        }
        answer(self.registry.register(submission, digest, None).await, caller)
    }

    /// What the metadata rules say of a submission, and what it is known again by. Of a large one, aside.
    fn look_at(&self, submission: &Submission, context: Context, caller: &Caller) -> (Report, [u8; 32]) {
        let rules = self.registry.rules_for(caller.certificate.as_deref());
        aside::beyond(limits::INLINE_OBJECTS, submission.objects.len(), || {
            (validate::check(submission, context, rules), registry::digest(submission))
        })
    }

    /// The refusal of a restricted update that its SubmissionSet addresses to another community, which a responder that
    /// forwards none does not know (RMU: 3.92.4.1.3.1). That it addresses one at all, only who forwards must demand: here
    /// that is a rule, `submission.set.home`.
    fn other_community(&self, submission: &Submission, update: Update) -> Option<RegistryError> {
        let home = submission.submission_set()?.home_community_id()?;
        let ours = HomeCommunityId::parse(self.registry.whose().home()).ok()?;
        let is_ours = HomeCommunityId::parse(home).is_ok_and(|home| home == ours);
        if update == Update::Full || is_ours {
            return None;
        }
        let problem =
            format!("the SubmissionSet's homeCommunityId {home:?} is not this community (RMU: 3.92.4.1.3.1)");
        Some(RegistryError::error(code::UNKNOWN_COMMUNITY, problem))
    }

    async fn update(&self, submission: Submission, update: Update, caller: &Caller) -> RegistryResponse {
        let permitted = self.permits.update.check(caller);
        if let Err(refusal) = permitted.and_then(|()| self.permits.check_source(&submission, caller)) {
            return RegistryResponse::from_errors(vec![refusal]);
        }
        let context = match update {
            Update::Full => Context::Update,
            Update::Restricted => Context::RestrictedUpdate,
        };
        if let Some(error) = self.other_community(&submission, update) {
            return RegistryResponse::from_errors(vec![error]);
        }
        let (report, digest) = self.look_at(&submission, context, caller);
        let refusals = refusals(&report, context, Answering::Registry, caller);
        if caller.effect == Effect::DryRun {
            let found = self.registry.rehearse_update(submission, digest, update).await;
            return rehearsed(refusals, found, caller);
        }
        if !refusals.is_empty() {
            return RegistryResponse::from_errors(refusals);
        }
        answer(self.registry.update(submission, digest, update).await, caller)
    }
}

/// The answer to a dry run: what the message itself is refused for, and what the registry would say besides.
fn rehearsed(
    mut errors: Vec<RegistryError>,
    found: Result<Vec<RegistryError>, StoreError>,
    caller: &Caller,
) -> RegistryResponse {
    errors.extend(found.unwrap_or_else(|error| vec![failed(&error, caller)]));
    dry_run::response(errors, Answering::Registry)
}

fn answer(registered: Result<Registered, StoreError>, caller: &Caller) -> RegistryResponse {
    RegistryResponse::from_errors(match registered {
        Ok(Registered::Accepted(errors) | Registered::Replayed(errors) | Registered::Refused(errors)) => {
            errors
        }
        Err(error) => vec![failed(&error, caller)],
    })
}

fn failed(error: &StoreError, caller: &Caller) -> RegistryError {
    RegistryError::from_store(error, Answering::Registry, &caller.trace)
}

#[cfg(test)]
mod tests;
