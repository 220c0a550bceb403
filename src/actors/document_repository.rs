//! The Document Repository (ITI TF-1: 10.1.1.4): answers ITI-41, ITI-43 and ITI-86.
//!
//! It stands beside the hosted Document Registry, and what the Technical Framework puts in order (validate, store,
//! register, answer; ITI TF-2: 3.41.4.1.3) is here one commit: a submission's documents become retrievable and its
//! metadata findable in the same moment, or neither.

mod document_list;
mod intake;
mod on_demand;

use std::collections::HashSet;
use std::io::ErrorKind;
use std::sync::Arc;

pub use document_list::DocumentList;
pub use on_demand::{Assembled, OnDemand, OnDemandSource};

use intake::{Arrived, Received};

use super::content_gate::ContentGate;
use super::permits::Permits;
use super::rules::refusals;
use crate::ids::Oid;
use crate::limits::{self, Limits};
use crate::metadata::codes::{identifier, slot};
use crate::metadata::validate::{self, Context};
use crate::metadata::{Kind, Submission};
use crate::registry::{self, Registered, Registry};
use crate::repository::{Repository, Retrieved, StageError, Submitted, Usage};
use crate::store::StoreError;
use crate::transactions::Caller;
use crate::transactions::dry_run::{self, Effect};
use crate::transactions::errors::{Answering, RegistryError, RegistryResponse, Status, code};
use crate::transactions::iti41::ProvideRequest;
use crate::transactions::iti43::{
    DocumentHead, DocumentRequest, RetrieveRequest, RetrieveResponse, RetrievedDocument,
};
use crate::wire::aside;
use crate::wire::soap::Attachments;
use crate::wire::stream::StreamError;

/// The Document Repository of one community.
#[derive(Clone)]
pub struct DocumentRepository {
    repository: Repository,
    registry: Registry,
    limits: Limits,
    permits: Permits,
    on_demand: OnDemand,
    source: Arc<dyn OnDemandSource>,
    gate: ContentGate,
}

impl DocumentRepository {
    /// A repository whose documents are registered in `registry`, which lies in the same store.
    pub fn new(repository: Repository, registry: Registry, limits: Limits, permits: Permits) -> Self {
        let source = Arc::new(DocumentList);
        Self {
            repository,
            registry,
            limits,
            permits,
            on_demand: OnDemand::Off,
            source,
            gate: ContentGate::default(),
        }
    }

    /// The same with a gate that documents pass on their way in.
    pub fn with_gate(mut self, gate: ContentGate) -> Self {
        self.gate = gate;
        self
    }

    /// The same with documents that are made when they are asked for.
    pub fn with_on_demand(mut self, on_demand: OnDemand, source: Arc<dyn OnDemandSource>) -> Self {
        (self.on_demand, self.source) = (on_demand, source);
        self
    }

    /// What documents pass on their way in.
    pub fn gate(&self) -> &ContentGate {
        &self.gate
    }

    /// How much it holds.
    pub async fn usage(&self) -> Result<Usage, StoreError> {
        self.repository.usage().await
    }

    /// repositoryUniqueId.
    pub fn id(&self) -> &Oid {
        self.repository.id()
    }

    /// ITI-41 Provide and Register Document Set-b (ITI TF-2: 3.41.4.1.3), for those who are permitted to submit. Durable on
    /// Success; otherwise nothing is kept.
    /// An error means that the message did not arrive whole or exceeds a limit: it becomes a fault.
    pub async fn provide_and_register(
        &self,
        request: ProvideRequest,
        mut attachments: Attachments,
        caller: &Caller,
    ) -> Result<RegistryResponse, StreamError> {
        let ProvideRequest { submission, documents } = request;
        let permitted = self.permits.submit.check(caller);
        if let Err(refusal) = permitted.and_then(|()| self.permits.check_source(&submission, caller)) {
            attachments.drain().await?;
            return Ok(RegistryResponse::from_errors(vec![refusal]));
        }
        let rules = self.registry.rules_for(caller.certificate.as_deref());
        let objects = submission.objects.len();
        let mut report = aside::beyond(limits::INLINE_OBJECTS, objects, || {
            validate::check(&submission, Context::ProvideAndRegister, rules)
        });
        let ids = documents.iter().map(|(id, _)| id.as_str());
        report.extend(validate::check_documents(&submission, ids, rules));
        let mut received = match self.receive(documents, &mut attachments, caller.effect).await {
            Ok(received) => received,
            Err(StageError::Stream(error)) => return Err(error),
            Err(StageError::Store(error)) => {
                attachments.drain().await?;
                return Ok(RegistryResponse::from_errors(vec![self.store_failed(&error, caller)]));
            }
        };
        let mut found = Vec::new();
        for entry in submission.document_entries() {
            if let Some(arrived) = received.get(entry.entry_uuid()) {
                report.extend(validate::check_content(entry, arrived.size, &arrived.sha1, rules));
                report.extend(arrived.inspected.check(entry, rules));
                found.extend(arrived.inspected.refusal(entry, caller));
            }
        }
        let mut refusals = refusals(&report, Context::ProvideAndRegister, Answering::Repository, caller);
        refusals.extend(found);
        if caller.effect == Effect::DryRun {
            return Ok(self.rehearse(submission, refusals, received, caller).await);
        }
        if !refusals.is_empty() {
            return Ok(RegistryResponse::from_errors(refusals));
        }
        let submission = self.complete(submission, &received);
        let documents = submitted(&submission, &mut received);
        Ok(RegistryResponse::from_errors(self.register(submission, documents, caller).await))
    }

    /// The answer to a dry run of ITI-41.
    async fn rehearse(
        &self,
        submission: Submission,
        mut errors: Vec<RegistryError>,
        received: Received,
        caller: &Caller,
    ) -> RegistryResponse {
        let submission = self.complete(submission, &received);
        let entries = submission.document_entries();
        let fingerprints = entries.filter_map(|entry| {
            let Arrived { size, sha1, .. } = received.get(entry.entry_uuid())?;
            let unique_id = entry.unique_id().unwrap_or_default().to_owned();
            Some(Fingerprint { unique_id, size: *size, sha1: sha1.clone() })
        });
        let mut documents: Vec<_> = fingerprints.collect();
        let sizes = documents.iter().map(|document| (document.unique_id.clone(), document.size));
        let room = self.repository.has_room(sizes.collect()).await;
        let digest = registry::digest(&submission);
        let found = self.registry.rehearse_registration(submission, digest).await;
        if let Ok(found) = &found {
            // The registry knows most documents too.
            documents.retain(|document| !found.iter().any(|told| document.is_told_by(told)));
        }
        let conflicts = self.conflicts(documents).await;
        let full = |has_room: bool| if has_room { Vec::new() } else { vec![quota_exceeded()] };
        for found in [found, conflicts, room.map(full)] {
            let mut found = found.unwrap_or_else(|error| vec![self.store_failed(&error, caller)]);
            found.retain(|error| !errors.iter().any(|told| says_the_same(told, error)));
            errors.extend(found);
        }
        dry_run::response(errors, Answering::Repository)
    }

    /// ITI-43 Retrieve Document Set (ITI TF-2: 3.43.4.1.3): one DocumentResponse or one RegistryError for each
    /// DocumentRequest. For those who are permitted to ask.
    pub async fn retrieve_document_set(&self, request: RetrieveRequest, caller: &Caller) -> RetrieveResponse {
        match self.permits.query.check(caller) {
            Ok(()) => self.answer_gateway(request, caller).await,
            Err(refusal) => {
                let each = request.documents.into_iter().map(|wanted| refusal.clone().at(wanted.document));
                RetrieveResponse::new(each.collect(), Vec::new())
            }
        }
    }

    /// The same for a gateway of ours, which decides for itself whom it answers.
    pub async fn answer_gateway(&self, mut request: RetrieveRequest, caller: &Caller) -> RetrieveResponse {
        let beyond = request.take_beyond(code::TOO_MANY_RESULTS);
        let asked = request.documents;
        let ours = asked.iter().filter(|wanted| self.holds(wanted)).map(|wanted| wanted.document.clone());
        let retrieved = match self.repository.retrieve_all(ours.collect()).await {
            Ok(retrieved) => retrieved,
            Err(error) => {
                let error = self.store_failed(&error, caller);
                let each = asked.into_iter().map(|wanted| error.clone().at(wanted.document));
                return RetrieveResponse::new(each.chain(beyond).collect(), Vec::new());
            }
        };
        let mut retrieved = retrieved.into_iter();
        let (mut errors, mut documents) = (Vec::new(), Vec::new());
        for wanted in asked {
            let result = if self.holds(&wanted) { retrieved.next() } else { None };
            if matches!(result, Some(Retrieved::Unknown))
                && let Some(made) = self.make(&wanted, caller).await
            {
                match made {
                    Ok(document) => documents.push(document),
                    Err(error) => errors.push(error.at(wanted.document)),
                }
                continue;
            }
            match answer(wanted, result) {
                Ok(document) => documents.push(document),
                Err(error) => errors.push(error),
            }
        }
        errors.extend(beyond);
        RetrieveResponse::new(errors, documents)
    }

    /// ITI-86 Remove Documents (RMD: 3.86.4.1.3), for those who are permitted to remove: each document for itself. The
    /// metadata stay: they are ITI-62's to remove.
    pub async fn remove_documents(&self, mut request: RetrieveRequest, caller: &Caller) -> RegistryResponse {
        if let Err(refusal) = self.permits.remove.check(caller) {
            return RegistryResponse::from_errors(vec![refusal]);
        }
        let mut seen = HashSet::new();
        request.documents.retain(|wanted| seen.insert((wanted.repository.clone(), wanted.document.clone())));
        let beyond = request.take_beyond(code::REMOVE_DOCUMENTS);
        let asked = request.documents;
        let ours = asked.iter().filter(|wanted| self.holds(wanted)).map(|wanted| wanted.document.clone());
        let ours: Vec<_> = ours.collect();
        let removed = match caller.effect {
            Effect::Lasting => {
                let also = self.registry.forget_submissions(ours.clone());
                self.repository.remove(ours, also).await
            }
            Effect::DryRun => {
                let found = self.repository.find(ours).await;
                found.map(|found| found.iter().map(Option::is_some).collect())
            }
        };
        let removed = match removed {
            Ok(removed) => removed,
            Err(error) => {
                let mut failed = self.store_failed(&error, caller);
                failed.code = code::REMOVE_DOCUMENTS.into();
                return RegistryResponse::from_errors(vec![failed]);
            }
        };
        let any = removed.contains(&true);
        let mut removed = removed.into_iter();
        let mut errors = Vec::new();
        for wanted in asked {
            let result = if self.holds(&wanted) { removed.next() } else { None };
            let (code, problem) = match result {
                Some(true) => continue,
                Some(false) => {
                    (code::DOCUMENT_UNIQUE_ID_ERROR, "this repository has no such document".to_owned())
                }
                None => not_here(&wanted),
            };
            let context = format!("document {:?}: {problem} (RMD: 3.86.4.1.3)", shown(&wanted.document));
            errors.push(RegistryError::error(code, context).at(wanted.document));
        }
        errors.extend(beyond);
        if caller.effect == Effect::DryRun {
            errors = dry_run::response(errors, Answering::Repository).errors;
        }
        RegistryResponse { status: Status::of(&errors, any), errors }
    }

    /// Whether a request names this repository.
    fn holds(&self, wanted: &DocumentRequest) -> bool {
        wanted.repository == self.repository.id().as_str()
    }

    /// Adds what the repository adds to each entry (ITI TF-2: 3.41.4.1.3).
    fn complete(&self, mut submission: Submission, received: &Received) -> Submission {
        for entry in submission.objects.iter_mut().filter(|object| object.kind == Kind::DocumentEntry) {
            let Some(arrived) = received.get(&entry.id) else { continue };
            entry.set_slot(slot::HASH, vec![arrived.sha1.clone()]);
            entry.set_slot(slot::SIZE, vec![arrived.size.to_string()]);
            entry.set_slot(slot::REPOSITORY_UNIQUE_ID, vec![self.repository.id().to_string()]);
        }
        submission
    }

    /// Stores and registers in one commit; gives errors and warnings.
    async fn register(
        &self,
        submission: Submission,
        documents: Vec<Submitted>,
        caller: &Caller,
    ) -> Vec<RegistryError> {
        let submitted: Vec<_> = documents.iter().map(Fingerprint::of).collect();
        let digest = registry::digest(&submission);
        let commit = match self.repository.commit(documents).await {
            Ok(commit) => commit,
            Err(error) => return vec![self.store_failed(&error, caller)],
        };
        match self.registry.register(submission, digest, Some(commit)).await {
            Ok(Registered::Accepted(errors) | Registered::Replayed(errors) | Registered::Refused(errors)) => {
                errors
            }
            Err(error) if is_quota(&error) => {
                tracing::warn!(trace = &*caller.trace, "a submission is refused: the quota is used up");
                vec![quota_exceeded()]
            }
            Err(error) => match self.conflicts(submitted).await {
                Ok(conflicts) if !conflicts.is_empty() => conflicts,
                _ => vec![self.store_failed(&error, caller)],
            },
        }
    }

    /// Which of the submitted documents are stored already with other bytes (ITI TF-2: 3.41.4.1.3.2). Asked only when a
    /// commit failed: it is the commit that decides, so that of two at the same time one is refused.
    async fn conflicts(&self, submitted: Vec<Fingerprint>) -> Result<Vec<RegistryError>, StoreError> {
        let unique_ids = submitted.iter().map(|document| document.unique_id.clone()).collect();
        let stored = self.repository.find(unique_ids).await?;
        let mut errors = Vec::new();
        for (new, old) in submitted.iter().zip(stored) {
            let Some(old) = old else { continue };
            let mut differs = |code, what| {
                // Not which: who may submit may not therefore know what is stored.
                let context = format!(
                    "document {:?} is stored already with another {what} (ITI TF-2: 3.41.4.1.3.2)",
                    shown(&new.unique_id)
                );
                errors.push(RegistryError::error(code, context));
            };
            if old.size != new.size {
                differs(code::NON_IDENTICAL_SIZE, "size");
            }
            if old.sha1 != new.sha1 {
                differs(code::NON_IDENTICAL_HASH, "hash");
            }
        }
        Ok(errors)
    }

    fn store_failed(&self, error: &StoreError, caller: &Caller) -> RegistryError {
        RegistryError::from_store(error, Answering::Repository, &caller.trace)
    }
}

/// The documents of a submission, paired with their uniqueIds.
fn submitted(submission: &Submission, received: &mut Received) -> Vec<Submitted> {
    let entries = submission.objects.iter().filter(|object| object.kind == Kind::DocumentEntry);
    let paired = entries.filter_map(|entry| {
        let staged = received.remove(&entry.id)?.staged?;
        let unique_id = entry.identifier(identifier::DE_UNIQUE_ID).unwrap_or_default().to_owned();
        Some(Submitted { unique_id, mime_type: entry.mime_type.clone().unwrap_or_default(), staged })
    });
    paired.collect()
}

/// What tells one document's bytes from another's.
struct Fingerprint {
    unique_id: String,
    size: u64,
    sha1: String,
}

impl Fingerprint {
    fn of(document: &Submitted) -> Self {
        let Submitted { unique_id, staged, .. } = document;
        Self { unique_id: unique_id.clone(), size: staged.size, sha1: staged.sha1.clone() }
    }

    /// Whether an error of the registry says of this document that it is another one.
    fn is_told_by(&self, error: &RegistryError) -> bool {
        [code::NON_IDENTICAL_SIZE, code::NON_IDENTICAL_HASH].contains(&&*error.code)
            && error.context.split(' ').any(|word| word == self.unique_id)
    }
}

/// Whether it is the repository's own quota, and not one that the operating system has set.
fn is_quota(error: &StoreError) -> bool {
    matches!(error, StoreError::Io(error)
        if error.kind() == ErrorKind::QuotaExceeded && error.raw_os_error().is_none())
}

fn quota_exceeded() -> RegistryError {
    let problem = "the repository may not hold so much: its quota is used up (docs/tenants.md)";
    RegistryError::error(code::REPOSITORY_OUT_OF_RESOURCES, problem)
}

/// Whether one error has told already what another one would: the same code, of the object that the other names last.
fn says_the_same(told: &RegistryError, error: &RegistryError) -> bool {
    let object = error.context.rsplit('"').nth(1).unwrap_or(&error.context);
    told.code == error.code && told.context.contains(object)
}

/// What answers one DocumentRequest; `result` is None where it names another repository.
fn answer(wanted: DocumentRequest, result: Option<Retrieved>) -> Result<RetrievedDocument, RegistryError> {
    let (code, problem) = match result {
        Some(Retrieved::Found(stored, content)) => {
            let head = DocumentHead {
                request: wanted,
                new_repository: None,
                new_document: None,
                mime_type: stored.mime_type,
            };
            return Ok(RetrievedDocument { head, content });
        }
        Some(Retrieved::Unknown) => {
            (code::DOCUMENT_UNIQUE_ID_ERROR, "this repository has no such document".to_owned())
        }
        Some(Retrieved::Damaged) => {
            (code::REPOSITORY_ERROR, "the stored document is damaged and cannot be given out".to_owned())
        }
        Some(Retrieved::Away) => {
            (code::REPOSITORY_ERROR, "the store of the document does not answer; try again later".to_owned())
        }
        None => not_here(&wanted),
    };
    let context = format!("document {:?}: {problem} (ITI TF-2: 3.43.5)", shown(&wanted.document));
    Err(RegistryError::error(code, context).at(wanted.document))
}

fn not_here(wanted: &DocumentRequest) -> (&'static str, String) {
    (code::UNKNOWN_REPOSITORY_ID, format!("{:?} is not this repository", shown(&wanted.repository)))
}

/// A text from outside, as far as an answer repeats it.
pub(super) fn shown(text: &str) -> &str {
    const MOST: usize = 100;
    text.char_indices().nth(MOST).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests;
