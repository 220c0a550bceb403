//! The Document Repository (ITI TF-1: 10.1.1.4): answers ITI-41 and ITI-43.
//!
//! It stands beside the hosted Document Registry, and what the Technical Framework puts in order (validate, store,
//! register, answer; ITI TF-2: 3.41.4.1.3) is here one commit: a submission's documents become retrievable and its
//! metadata findable in the same moment, or neither.

use std::collections::{HashMap, HashSet};

use openssl::sha::Sha256;

use crate::limits::{self, Limits};
use crate::metadata::codes::{identifier, slot};
use crate::metadata::validate::{Context, validate};
use crate::metadata::{Kind, Submission};
use crate::registry::{Registered, Registry};
use crate::repository::{Repository, Retrieved, StageError, Staged, Submitted};
use crate::store::StoreError;
use crate::transactions::Caller;
use crate::transactions::errors::{Answering, RegistryError, RegistryResponse, code};
use crate::transactions::iti41::ProvideRequest;
use crate::transactions::iti43::{
    DocumentHead, DocumentRequest, DocumentSource, RetrieveRequest, RetrieveResponse, RetrievedDocument,
};
use crate::wire::soap::Attachments;
use crate::wire::stream::{Content, StreamError};
use crate::wire::xml::Writer;

/// The Document Repository of one community.
#[derive(Clone)]
pub struct DocumentRepository {
    repository: Repository,
    registry: Registry,
    limits: Limits,
}

/// Documents by the id of their entry.
type Received = HashMap<String, Staged>;

impl DocumentRepository {
    /// A repository whose documents are registered in `registry`, which lies in the same store.
    pub fn new(repository: Repository, registry: Registry, limits: Limits) -> Self {
        Self { repository, registry, limits }
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
        let entries: HashSet<_> = submission.of(Kind::DocumentEntry).map(|entry| entry.id.as_str()).collect();
        let mut errors = unpaired(&submission, &entries, &documents);
        let expected = documents.into_iter().filter(|(id, _)| entries.contains(id.as_str())).collect();
        let mut received = match self.receive(expected, &mut attachments).await {
            Ok(received) => received,
            Err(StageError::Stream(error)) => return Err(error),
            Err(StageError::Store(error)) => {
                attachments.drain().await?;
                return Ok(RegistryResponse::from_errors(vec![self.store_failed(&error, caller)]));
            }
        };
        errors.extend(mismatches(&submission, &received));
        let violations = validate(&submission, Context::ProvideAndRegister);
        errors.extend(violations.iter().map(|v| RegistryError::from_violation(v, Answering::Repository)));
        if !errors.is_empty() {
            return Ok(RegistryResponse::from_errors(errors));
        }
        let digest = digest(&submission, &received);
        let (submission, documents) = self.complete(submission, &mut received);
        Ok(RegistryResponse::from_errors(self.register(submission, digest, documents, caller).await))
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
            match answer(wanted, result) {
                Ok(document) => documents.push(document),
                Err(error) => errors.push(error),
            }
        }
        RetrieveResponse::new(errors, documents)
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
        digest: [u8; 32],
        documents: Vec<Submitted>,
        caller: &Caller,
    ) -> Vec<RegistryError> {
        let submitted: Vec<_> = documents.iter().map(Fingerprint::of).collect();
        let commit = self.repository.commit(documents);
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

/// Each document must have its entry, each stable entry its document (ITI TF-2: 3.41.4.1.2).
fn unpaired(
    submission: &Submission,
    entries: &HashSet<&str>,
    documents: &[(String, DocumentSource)],
) -> Vec<RegistryError> {
    let mut errors = Vec::new();
    let mut seen = HashMap::with_capacity(documents.len());
    for (id, _) in documents {
        let times = seen.entry(id.as_str()).or_insert(0);
        *times += 1;
        if *times == 2 {
            let context =
                format!("more than one xds:Document has the id {:?} (ITI TF-2: 3.41.4.1.2)", shown(id));
            errors.push(RegistryError::error(code::REPOSITORY_METADATA_ERROR, context));
        }
        if !entries.contains(id.as_str()) {
            let context = format!(
                "xds:Document {:?} has no rim:ExtrinsicObject with that id (ITI TF-2: 3.41.4.1.2)",
                shown(id)
            );
            errors.push(RegistryError::error(code::MISSING_DOCUMENT_METADATA, context));
        }
    }
    for entry in submission.document_entries().filter(|entry| !entry.is_on_demand()) {
        if !seen.contains_key(entry.entry_uuid()) {
            let context = format!(
                "rim:ExtrinsicObject {:?} has no xds:Document with that id (ITI TF-2: 3.41.4.1.2)",
                shown(entry.entry_uuid())
            );
            errors.push(RegistryError::error(code::MISSING_DOCUMENT, context));
        }
    }
    errors
}

/// Where hash or size of an entry are not those of its document (ITI TF-2: 3.41.4.1.3). A size that is no number is for
/// the metadata's rules.
fn mismatches(submission: &Submission, received: &Received) -> Vec<RegistryError> {
    let mut errors = Vec::new();
    for entry in submission.document_entries() {
        let Some(staged) = received.get(entry.entry_uuid()) else { continue };
        let mut differs = |what, declared: &str, found: &str| {
            let context = format!(
                "{what} of document {:?} (entry {:?}) is declared as {:?}, but its bytes have {found} \
                 (ITI TF-2: 3.41.4.1.3)",
                shown(entry.unique_id().unwrap_or_default()),
                shown(entry.entry_uuid()),
                shown(declared),
            );
            errors.push(RegistryError::error(code::REPOSITORY_METADATA_ERROR, context));
        };
        if let Some(size) = entry.size().filter(|size| *size != staged.size) {
            differs("the size", &size.to_string(), &staged.size.to_string());
        }
        if let Some(hash) = entry.hash().filter(|hash| !hash.eq_ignore_ascii_case(&staged.sha1)) {
            differs("the hash", hash, &staged.sha1);
        }
    }
    errors
}

/// What tells one submission from another: its metadata as submitted, and its documents' hashes. The same once more is
/// answered as before.
fn digest(submission: &Submission, received: &Received) -> [u8; 32] {
    let mut metadata = Writer::with_capacity(8 * 1024);
    submission.write(&mut metadata);
    let mut hasher = Sha256::new();
    hasher.update(&metadata.finish());
    for entry in submission.of(Kind::DocumentEntry) {
        hasher.update(received.get(&entry.id).map_or(&[], |staged| staged.sha1.as_bytes()));
    }
    hasher.finish()
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
        None => {
            (code::UNKNOWN_REPOSITORY_ID, format!("{:?} is not this repository", shown(&wanted.repository)))
        }
    };
    let context = format!("document {:?}: {problem} (ITI TF-2: 3.43.5)", shown(&wanted.document));
    Err(RegistryError::error(code, context).at(wanted.document))
}

fn part_problem(problem: &str, content_id: &str) -> StreamError {
    StreamError::Malformed(format!("the MIME part {:?} {problem} (ITI TF-2: Appendix V)", shown(content_id)))
}

/// A text from outside, as far as an answer repeats it.
fn shown(text: &str) -> &str {
    const MOST: usize = 100;
    text.char_indices().nth(MOST).map_or(text, |(end, _)| &text[..end])
}
