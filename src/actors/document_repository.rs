//! The Document Repository (ITI TF-1: 10.1.1.4): answers ITI-41, ITI-43 and ITI-86.
//!
//! It stands beside the hosted Document Registry, and what the Technical Framework puts in order (validate, store,
//! register, answer; ITI TF-2: 3.41.4.1.3) is here one commit: a submission's documents become retrievable and its
//! metadata findable in the same moment, or neither.

mod document_list;
mod on_demand;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

pub use document_list::DocumentList;
pub use on_demand::{Assembled, OnDemand, OnDemandSource};

use super::permits::Permits;
use super::rules::refusals;
use crate::limits::{self, Limits};
use crate::metadata::codes::{identifier, slot};
use crate::metadata::validate::{self, Context};
use crate::metadata::{Kind, Submission};
use crate::registry::{self, Registered, Registry};
use crate::repository::{Repository, Retrieved, StageError, Staged, Submitted};
use crate::store::StoreError;
use crate::transactions::Caller;
use crate::transactions::errors::{Answering, RegistryError, RegistryResponse, Status, code};
use crate::transactions::iti41::ProvideRequest;
use crate::transactions::iti43::{
    DocumentHead, DocumentRequest, DocumentSource, RetrieveRequest, RetrieveResponse, RetrievedDocument,
};
use crate::wire::soap::Attachments;
use crate::wire::stream::{Content, StreamError};

/// The Document Repository of one community.
#[derive(Clone)]
pub struct DocumentRepository {
    repository: Repository,
    registry: Registry,
    limits: Limits,
    permits: Permits,
    on_demand: OnDemand,
    source: Arc<dyn OnDemandSource>,
}

/// Documents by the id of their entry.
type Received = HashMap<String, Staged>;

impl DocumentRepository {
    /// A repository whose documents are registered in `registry`, which lies in the same store.
    pub fn new(repository: Repository, registry: Registry, limits: Limits, permits: Permits) -> Self {
        let source = Arc::new(DocumentList);
        Self { repository, registry, limits, permits, on_demand: OnDemand::Off, source }
    }

    /// The same with documents that are made when they are asked for.
    pub fn with_on_demand(mut self, on_demand: OnDemand, source: Arc<dyn OnDemandSource>) -> Self {
        (self.on_demand, self.source) = (on_demand, source);
        self
    }

    /// ITI-41 Provide and Register Document Set-b (ITI TF-2: 3.41.4.1.3). Durable on Success; otherwise nothing is kept.
    /// An error means that the message did not arrive whole or exceeds a limit: it becomes a fault.
    pub async fn provide_and_register(
        &self,
        request: ProvideRequest,
        mut attachments: Attachments,
        caller: &Caller,
    ) -> Result<RegistryResponse, StreamError> {
        let ProvideRequest { submission, documents } = request;
        let rules = self.registry.rules();
        let mut report = validate::check(&submission, Context::ProvideAndRegister, rules);
        let ids = documents.iter().map(|(id, _)| id.as_str());
        report.extend(validate::check_documents(&submission, ids, rules));
        let mut received = match self.receive(documents, &mut attachments).await {
            Ok(received) => received,
            Err(StageError::Stream(error)) => return Err(error),
            Err(StageError::Store(error)) => {
                attachments.drain().await?;
                return Ok(RegistryResponse::from_errors(vec![self.store_failed(&error, caller)]));
            }
        };
        for entry in submission.document_entries() {
            if let Some(staged) = received.get(entry.entry_uuid()) {
                report.extend(validate::check_content(entry, staged.size, &staged.sha1, rules));
            }
        }
        let refusals = refusals(&report, Context::ProvideAndRegister, Answering::Repository, caller);
        if !refusals.is_empty() {
            return Ok(RegistryResponse::from_errors(refusals));
        }
        let (submission, documents) = self.complete(submission, &mut received);
        Ok(RegistryResponse::from_errors(self.register(submission, documents, caller).await))
    }

    /// ITI-43 Retrieve Document Set (ITI TF-2: 3.43.4.1.3): one DocumentResponse or one RegistryError for each
    /// DocumentRequest.
    pub async fn retrieve_document_set(&self, request: RetrieveRequest, caller: &Caller) -> RetrieveResponse {
        let asked = request.documents;
        if asked.len() > limits::MAX_DOCUMENTS_PER_RETRIEVE {
            let most = limits::MAX_DOCUMENTS_PER_RETRIEVE;
            let context = format!("{} documents are asked for; at most {most} can be at once", asked.len());
            return RetrieveResponse::new(
                vec![RegistryError::error(code::REPOSITORY_ERROR, context)],
                Vec::new(),
            );
        }
        let ours = asked.iter().filter(|wanted| self.holds(wanted)).map(|wanted| wanted.document.clone());
        let retrieved = match self.repository.retrieve_all(ours.collect()).await {
            Ok(retrieved) => retrieved,
            Err(error) => {
                let error = self.store_failed(&error, caller);
                let each = asked.into_iter().map(|wanted| error.clone().at(wanted.document));
                return RetrieveResponse::new(each.collect(), Vec::new());
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
        RetrieveResponse::new(errors, documents)
    }

    /// ITI-86 Remove Documents (RMD: 3.86.4.1.3), for those who are permitted to remove: each document for itself. The
    /// metadata stay: they are ITI-62's to remove.
    pub async fn remove_documents(&self, request: RetrieveRequest, caller: &Caller) -> RegistryResponse {
        if let Err(refusal) = self.permits.remove.check(caller) {
            return RegistryResponse::from_errors(vec![refusal]);
        }
        let mut seen = HashSet::new();
        let mut asked = request.documents;
        asked.retain(|wanted| seen.insert((wanted.repository.clone(), wanted.document.clone())));
        let ours = asked.iter().filter(|wanted| self.holds(wanted)).map(|wanted| wanted.document.clone());
        let ours: Vec<_> = ours.collect();
        let also = self.registry.forget_submissions(ours.clone());
        let removed = match self.repository.remove(ours, also).await {
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
        RegistryResponse { status: Status::of(&errors, any), errors }
    }

    /// Whether a request names this repository.
    fn holds(&self, wanted: &DocumentRequest) -> bool {
        wanted.repository == self.repository.id().as_str()
    }

    /// Takes the documents in, those in parts as they arrive. Parts that no document refers to are passed over.
    async fn receive(
        &self,
        documents: Vec<(String, DocumentSource)>,
        attachments: &mut Attachments,
    ) -> Result<Received, StageError> {
        let limit = self.limits.max_document_bytes;
        let mut received = Received::new();
        let mut expected = HashMap::new();
        for (id, source) in documents {
            match source {
                DocumentSource::Inline(bytes) => {
                    let staged = self.repository.stage(Content::from_bytes(bytes), limit).await?;
                    received.insert(id, staged);
                }
                DocumentSource::Part(content_id) => {
                    if expected.contains_key(&content_id) {
                        return Err(part_problem("is referred to by two documents", &content_id).into());
                    }
                    expected.insert(content_id, id);
                }
            }
        }
        while let Some(part) = attachments.next().await? {
            let Some(id) = expected.remove(&part.content_id) else {
                metrics::counter!("sekisho_unreferenced_parts_total").increment(1);
                continue;
            };
            let mut staging = self.repository.receive(limit);
            while let Some(chunk) = attachments.chunk().await? {
                staging.write(chunk).await?;
            }
            received.insert(id, staging.finish().await?);
        }
        match expected.keys().min() {
            Some(content_id) => Err(part_problem("is not in the message", content_id).into()),
            None => Ok(received),
        }
    }

    /// Adds what the repository adds to each entry (ITI TF-2: 3.41.4.1.3), and pairs documents with their uniqueIds.
    fn complete(&self, mut submission: Submission, received: &mut Received) -> (Submission, Vec<Submitted>) {
        let mut documents = Vec::with_capacity(received.len());
        for entry in submission.objects.iter_mut().filter(|object| object.kind == Kind::DocumentEntry) {
            let Some(staged) = received.remove(&entry.id) else { continue };
            entry.set_slot(slot::HASH, vec![staged.sha1.clone()]);
            entry.set_slot(slot::SIZE, vec![staged.size.to_string()]);
            entry.set_slot(slot::REPOSITORY_UNIQUE_ID, vec![self.repository.id().to_string()]);
            documents.push(Submitted {
                unique_id: entry.identifier(identifier::DE_UNIQUE_ID).unwrap_or_default().to_owned(),
                mime_type: entry.mime_type.clone().unwrap_or_default(),
                staged,
            });
        }
        (submission, documents)
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
            let mut differs = |code, what, old: String, new_value: String| {
                let context = format!(
                    "document {:?} is stored already with {what} {old}, and was now submitted with {new_value} \
                     (ITI TF-2: 3.41.4.1.3.2)",
                    shown(&new.unique_id)
                );
                errors.push(RegistryError::error(code, context));
            };
            if old.size != new.size {
                differs(code::NON_IDENTICAL_SIZE, "size", old.size.to_string(), new.size.to_string());
            }
            if old.sha1 != new.sha1 {
                differs(code::NON_IDENTICAL_HASH, "hash", old.sha1, new.sha1.clone());
            }
        }
        Ok(errors)
    }

    fn store_failed(&self, error: &StoreError, caller: &Caller) -> RegistryError {
        RegistryError::from_store(error, Answering::Repository, &caller.trace)
    }
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
        None => not_here(&wanted),
    };
    let context = format!("document {:?}: {problem} (ITI TF-2: 3.43.5)", shown(&wanted.document));
    Err(RegistryError::error(code, context).at(wanted.document))
}

fn not_here(wanted: &DocumentRequest) -> (&'static str, String) {
    (code::UNKNOWN_REPOSITORY_ID, format!("{:?} is not this repository", shown(&wanted.repository)))
}

fn part_problem(problem: &str, content_id: &str) -> StreamError {
    StreamError::Malformed(format!("the MIME part {:?} {problem} (ITI TF-2: Appendix V)", shown(content_id)))
}

/// A text from outside, as far as an answer repeats it.
fn shown(text: &str) -> &str {
    const MOST: usize = 100;
    text.char_indices().nth(MOST).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests;
