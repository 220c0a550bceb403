//! Where documents and metadata differ. They are compared a page at a time, and each page is of one moment: a submission that
//! another gateway is taking just then is in it as a whole or not at all.

use crate::limits;
use crate::registry::{RegisteredDocument, Registry};
use crate::repository::{Recount, Repository, StoredDocument, Usage};
use crate::store::{Connection, Store, StoreError};

/// What `--settle` deprecates.
pub(super) const WITHOUT_DOCUMENT: &str = "approved entries without document";
/// What it removes.
pub(super) const WITHOUT_METADATA: &str = "documents without metadata";
/// What is counted for a quota is not what there is.
pub(super) const MISCOUNTED: &str = "wrong counts of documents";

/// Where they differ. Documents by uniqueId, entries by entryUUID.
#[derive(Default)]
pub(super) struct Differences {
    /// With the uniqueId of the document that is not there.
    pub(super) without_document: Vec<(String, String)>,
    pub(super) without_metadata: Vec<String>,
    unlike: Vec<String>,
    recount: Recount,
}

/// What is compared.
#[derive(Clone)]
pub(super) struct Compared {
    pub(super) store: Store,
    pub(super) registry: Registry,
    pub(super) repository: Repository,
}

impl Compared {
    /// Compares everything. Blocks.
    pub(super) fn differences(&self) -> Result<Differences, StoreError> {
        let recount = self.repository.recount_blocking()?;
        let mut differences = Differences { recount, ..Differences::default() };
        let mut after = 0;
        while let Some(last) = differences.look_at_entries(self, after)? {
            after = last;
        }
        let mut after = String::new();
        while let Some(last) = differences.look_at_documents(self, after)? {
            after = last;
        }
        Ok(differences)
    }

    /// Deprecates entries without document, and removes documents without metadata: those that still are when they are
    /// written. Blocks.
    pub(super) fn settle(&self, differences: Differences) -> Result<(), StoreError> {
        let repository = self.repository.clone();
        let is_stored =
            move |connection: &Connection, unique_id: &str| repository.has_within(connection, unique_id);
        self.registry.deprecate_promises_blocking(differences.without_document, is_stored)?;
        let orphans = differences.without_metadata;
        // A submission of a document that is named by now, and stays, was accepted meanwhile.
        let registry = self.registry.clone();
        let also = move |removed| registry.forget_submissions(removed);
        let (registry, id) = (self.registry.clone(), self.repository.id().to_string());
        let is_orphan = move |connection: &Connection, unique_id: &str| {
            Ok(registry.named_within(connection, &id, vec![unique_id.to_owned()])?.is_empty())
        };
        tokio::runtime::Handle::current().block_on(self.repository.remove_if(orphans, is_orphan, also))?;
        self.repository.correct_usage_blocking()
    }

    fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Self, &Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let this = self.clone();
        self.store.read_blocking(move |connection| look(&this, connection))
    }
}

impl Differences {
    /// A page of entries, behind a number; gives the last one's.
    fn look_at_entries(&mut self, compared: &Compared, after: i64) -> Result<Option<i64>, StoreError> {
        let (entries, stored) = compared.read(move |Compared { registry, repository, .. }, connection| {
            let id = repository.id().as_str();
            let entries =
                registry.documents_within(connection, id, after, limits::VERIFIED_PAGE_DOCUMENTS)?;
            let ids = entries.iter().map(|entry| entry.unique_id.clone()).collect();
            let stored = repository.find_within(connection, ids)?;
            Ok((entries, stored))
        })?;
        let last = entries.last().map(|entry| entry.number);
        for RegisteredDocument { id, unique_id, hash, size, approved, .. } in entries {
            match stored.get(&unique_id) {
                None if approved => self.without_document.push((id, unique_id)),
                Some(document) if hash != document.sha1 || size != document.size => self.unlike.push(id),
                None | Some(_) => {}
            }
        }
        Ok(last)
    }

    /// A page of documents, behind a uniqueId; gives the last one's.
    fn look_at_documents(
        &mut self,
        compared: &Compared,
        after: String,
    ) -> Result<Option<String>, StoreError> {
        let (documents, named) =
            compared.read(move |Compared { registry, repository, .. }, connection| {
                let documents =
                    repository.list_within(connection, &after, limits::VERIFIED_PAGE_DOCUMENTS)?;
                let ids: Vec<_> =
                    documents.into_iter().map(|StoredDocument { unique_id, .. }| unique_id).collect();
                let named = registry.named_within(connection, repository.id().as_str(), ids.clone())?;
                Ok((ids, named))
            })?;
        let last = documents.last().cloned();
        self.without_metadata.extend(documents.into_iter().filter(|unique_id| !named.contains(unique_id)));
        Ok(last)
    }

    /// How much is stored.
    pub(super) fn stored(&self) -> Usage {
        self.recount.stored
    }

    /// Whether what is counted is not what is stored.
    pub(super) fn is_miscounted(&self) -> bool {
        self.recount.counted != self.recount.stored
    }

    /// How many changes settling them takes.
    pub(super) fn changes(&self) -> usize {
        self.without_document.len() + self.without_metadata.len() + usize::from(self.is_miscounted())
    }

    /// What is told of each kind.
    pub(super) fn listed(&self) -> [(&'static str, Vec<String>); 4] {
        let entries = self.without_document.iter().map(|(entry, _)| entry.clone());
        let Recount { counted, stored } = self.recount;
        let said = |usage: Usage| format!("{} documents of {} bytes", usage.documents, usage.bytes);
        let miscounted = || format!("{} are counted, and {} are stored", said(counted), said(stored));
        [
            (WITHOUT_DOCUMENT, entries.collect()),
            (WITHOUT_METADATA, self.without_metadata.clone()),
            ("entries whose hash or size is not the document's", self.unlike.clone()),
            (MISCOUNTED, self.is_miscounted().then(miscounted).into_iter().collect()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Oid;
    use crate::metadata::views::{Membership, has_member};
    use crate::metadata::{DocumentEntryBuilder, Submission, SubmissionSetBuilder};
    use crate::registry::{self, Registered, RegistrySettings, Tenant};
    use crate::repository::{self, Opening, Submitted};
    use crate::wire::stream::Content;

    /// Between looking and settling, another gateway may take the submission of a document that nobody named.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_submission_of_a_document_that_stays_is_not_forgotten() {
        let directory = std::env::temp_dir().join(format!("sekisho-{}", uuid::Uuid::new_v4().simple()));
        let store = Store::open(&directory, &[registry::MIGRATION, repository::MIGRATION]).unwrap();
        let (tenant, id) = (Tenant("region".into()), Oid::parse("1.2.3.9").unwrap());
        let opening = Opening::new(&directory, tenant.0.clone(), id);
        let repository = Repository::open(store.clone(), opening).unwrap();
        let registry = Registry::new(store.clone(), tenant, RegistrySettings::default());
        let compared = Compared { store: store.clone(), registry: registry.clone(), repository };
        for unique_id in ["1.2.3.1", "1.2.3.2"] {
            let content = Content::from_bytes(bytes::Bytes::from_static(b"document"));
            let staged = compared.repository.stage(content, 100).await.unwrap();
            let (unique_id, mime_type) = (unique_id.to_owned(), "text/plain".to_owned());
            let document = Submitted { unique_id, mime_type, staged };
            store.write(compared.repository.commit(vec![document]).await.unwrap()).await.unwrap();
        }
        let looking = compared.clone();
        let found = tokio::task::spawn_blocking(move || looking.differences()).await.unwrap().unwrap();
        assert_eq!(found.without_metadata, ["1.2.3.1", "1.2.3.2"]);

        let entry = DocumentEntryBuilder::stable("entry").patient_id("1^^^&1.2.3&ISO").unique_id("1.2.3.1");
        let set = SubmissionSetBuilder::new("set").patient_id("1^^^&1.2.3&ISO").unique_id("1.2.3.7");
        let entry = entry.repository_unique_id("1.2.3.9").build();
        let objects = vec![set.build(), entry, has_member("set", "entry", Membership::Original)];
        let submission = Submission { objects, ..Submission::default() };
        let digest = registry::digest(&submission);
        let taken = registry.register(submission.clone(), digest, None).await.unwrap();
        assert_eq!(taken, Registered::Accepted(Vec::new()));

        let settling = compared.clone();
        tokio::task::spawn_blocking(move || settling.settle(found)).await.unwrap().unwrap();
        let left = compared.repository.find(vec!["1.2.3.1".to_owned(), "1.2.3.2".to_owned()]).await.unwrap();
        assert_eq!(left.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false]);
        let again = registry.register(submission, digest, None).await.unwrap();
        assert_eq!(again, Registered::Replayed(Vec::new()));
        store.close();
        std::fs::remove_dir_all(directory).unwrap();
    }
}
