//! Documents that are made when they are asked for: the On-Demand Document Source beside the repository (ITI TF-1:
//! 10.1.1.7; ITI TF-2: 3.43.4.2).
//!
//! The new document's uniqueId is told by its content, so that the same content always has the same one: a consumer sees
//! whether anything is new. With persistence, a document is stored and registered as a snapshot before it is answered, and
//! replaces the snapshot before it; where nothing has changed, there is nothing to store.

use bytes::Bytes;
use openssl::sha::Sha256;

use super::DocumentRepository;
use crate::metadata::codes::{self, identifier, slot};
use crate::metadata::views::{self, DocumentEntry, Membership, SubmissionSetBuilder};
use crate::metadata::{Object, Submission};
use crate::registry::{self, OnDemandEntry, Registered};
use crate::repository::{StageError, Submitted};
use crate::store::StoreError;
use crate::time;
use crate::transactions::Caller;
use crate::transactions::errors::{RegistryError, code};
use crate::transactions::iti43::{DocumentHead, DocumentRequest, RetrievedDocument};
use crate::wire::stream::Content;

/// What the repository does when somebody retrieves an on-demand document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDemand {
    /// It has none.
    #[default]
    Off,
    /// It makes one.
    Assemble,
    /// It makes one and keeps it as a snapshot (Persistence of Retrieved Documents Option).
    Persist,
}

/// Makes documents. The same entry and the same documents must give the same bytes.
pub trait OnDemandSource: Send + Sync {
    /// The document of an entry; None where this source makes none of its mimeType.
    fn assemble(&self, asked: &OnDemandEntry) -> Option<Assembled>;
}

/// A document that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assembled {
    /// Its media type.
    pub mime_type: String,
    /// Its bytes.
    pub bytes: Bytes,
}

impl DocumentRepository {
    /// Answers a request for what is no stored document: None if it is no on-demand entry either.
    pub(super) async fn make(
        &self,
        wanted: &DocumentRequest,
        caller: &Caller,
    ) -> Option<Result<RetrievedDocument, RegistryError>> {
        if self.on_demand == OnDemand::Off {
            return None;
        }
        let found = self.registry.on_demand(wanted.document.clone(), wanted.repository.clone()).await;
        match found {
            Ok(None) => None,
            Ok(Some(asked)) => Some(self.answer_with(asked, wanted, caller).await),
            Err(error) => Some(Err(self.store_failed(&error, caller))),
        }
    }

    async fn answer_with(
        &self,
        asked: OnDemandEntry,
        wanted: &DocumentRequest,
        caller: &Caller,
    ) -> Result<RetrievedDocument, RegistryError> {
        let source = self.source.clone();
        let made = tokio::task::spawn_blocking(move || (source.assemble(&asked), asked)).await;
        let (Some(made), asked) = made.map_err(|_| self.store_failed(&StoreError::Panicked, caller))? else {
            let context = "no source here makes on-demand documents of this entry's mimeType";
            return Err(RegistryError::error(code::REPOSITORY_ERROR, context));
        };
        let new_document = named_after(&wanted.document, &made.bytes);
        let mut new_repository = None;
        if self.on_demand == OnDemand::Persist {
            self.keep(&asked, &made, &new_document, caller).await?;
            new_repository = Some(self.repository.id().to_string());
        }
        let head = DocumentHead {
            request: wanted.clone(),
            new_repository,
            new_document: Some(new_document),
            mime_type: made.mime_type,
        };
        Ok(RetrievedDocument { head, content: Content::from_bytes(made.bytes) })
    }

    /// Stores a document and registers it as a snapshot, unless that was done before. Where somebody else who asks at the
    /// same time replaces the snapshot before it first, it is tried once more with theirs.
    async fn keep(
        &self,
        asked: &OnDemandEntry,
        made: &Assembled,
        unique_id: &str,
        caller: &Caller,
    ) -> Result<(), RegistryError> {
        let refusal = match self.try_to_keep(asked, made, unique_id, caller).await? {
            None => return Ok(()),
            Some(refusal) => refusal,
        };
        let wanted = DocumentEntry(&asked.entry).unique_id().unwrap_or_default().to_owned();
        let again = self.registry.on_demand(wanted, self.repository.id().to_string()).await;
        let Some(asked) = again.map_err(|error| self.store_failed(&error, caller))? else {
            return Err(refusal);
        };
        self.try_to_keep(&asked, made, unique_id, caller).await?.map_or(Ok(()), Err)
    }

    /// Gives the registry's refusal, if it is one.
    async fn try_to_keep(
        &self,
        asked: &OnDemandEntry,
        made: &Assembled,
        unique_id: &str,
        caller: &Caller,
    ) -> Result<Option<RegistryError>, RegistryError> {
        if self.is_kept(unique_id, caller).await? {
            return Ok(None);
        }
        let content = Content::from_bytes(made.bytes.clone());
        let staged = match self.repository.stage(content, self.limits.max_document_bytes).await {
            Ok(staged) => staged,
            Err(StageError::Store(error)) => return Err(self.store_failed(&error, caller)),
            Err(StageError::Stream(error)) => {
                return Err(RegistryError::error(code::REPOSITORY_ERROR, error.to_string()));
            }
        };
        let mut submission = snapshot(asked, unique_id, self.repository.id().as_str());
        if let Some(entry) = submission.objects.iter_mut().find(|object| object.id == ENTRY) {
            entry.mime_type = Some(made.mime_type.clone());
            entry.set_slot(slot::HASH, vec![staged.sha1.clone()]);
            entry.set_slot(slot::SIZE, vec![staged.size.to_string()]);
        }
        let document =
            Submitted { unique_id: unique_id.to_owned(), mime_type: made.mime_type.clone(), staged };
        let digest = registry::digest(&submission);
        let commit = self.repository.commit(vec![document]).await;
        let commit = commit.map_err(|error| self.store_failed(&error, caller))?;
        match self.registry.register(submission, digest, Some(commit)).await {
            Ok(Registered::Accepted(_) | Registered::Replayed(_)) => Ok(None),
            Ok(Registered::Refused(errors)) => Ok(errors.into_iter().next()),
            Err(error) => Err(self.store_failed(&error, caller)),
        }
    }

    async fn is_kept(&self, unique_id: &str, caller: &Caller) -> Result<bool, RegistryError> {
        match self.repository.find(vec![unique_id.to_owned()]).await {
            Ok(found) => Ok(found.iter().any(Option::is_some)),
            Err(error) => Err(self.store_failed(&error, caller)),
        }
    }
}

const SET: &str = "set";
const ENTRY: &str = "entry";

/// An OID that only this content of this entry has.
fn named_after(on_demand: &str, bytes: &[u8]) -> String {
    let mut sha = Sha256::new();
    sha.update(&(on_demand.len() as u64).to_le_bytes());
    sha.update(on_demand.as_bytes());
    sha.update(bytes);
    let mut half = [0; 16];
    half.copy_from_slice(&sha.finish()[..16]);
    format!("2.25.{}", u128::from_be_bytes(half))
}

/// The submission of a snapshot (ITI TF-2: 3.43.4.2.3): set, stable entry, and what it is a snapshot of. The set's uniqueId
/// follows from the document's and from the snapshot before it, so that of two at the same time one is refused, and that a
/// document whose bytes somebody removed can be kept once more.
fn snapshot(asked: &OnDemandEntry, unique_id: &str, repository: &str) -> Submission {
    let on_demand = DocumentEntry(&asked.entry);
    let now = time::now_dtm();
    let mut entry = asked.entry.clone();
    entry.id = ENTRY.to_owned();
    entry.object_type = Some(codes::STABLE.to_owned());
    (entry.lid, entry.version, entry.status, entry.home) = (None, None, None, None);
    for classification in &mut entry.classifications {
        classification.id = None;
    }
    for external in &mut entry.external_identifiers {
        external.id = None;
        if external.scheme == identifier::DE_UNIQUE_ID {
            unique_id.clone_into(&mut external.value);
        }
    }
    entry.set_slot(slot::CREATION_TIME, vec![now.clone()]);
    entry.set_slot(slot::REPOSITORY_UNIQUE_ID, vec![repository.to_owned()]);
    let mut set = SubmissionSetBuilder::new(SET)
        .patient_id(on_demand.patient_id().unwrap_or_default())
        .source_id(repository)
        .submission_time(now)
        .unique_id(named_after(unique_id, asked.snapshot.as_deref().unwrap_or_default().as_bytes()));
    if let Some(class) = on_demand.class_code() {
        set = set.content_type_code(&class.to_code());
    }
    let relate = |relation, target: &str| views::association(relation, ENTRY, target);
    let mut objects: Vec<Object> = vec![
        set.build(),
        entry,
        views::has_member(SET, ENTRY, Membership::Original),
        relate(codes::association::IS_SNAPSHOT_OF, &asked.entry.id),
    ];
    objects.extend(asked.snapshot.iter().map(|before| relate(codes::association::RPLC, before)));
    Submission { objects, ..Submission::default() }
}
