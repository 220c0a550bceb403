//! The Patient Demographics Supplier (ITI TF-1: 8.1; PDQ and PDQV3): who fits a description, page by page.

use std::sync::Arc;

use crate::demographics::Domains;
use crate::identity::index::Index;
use crate::transactions::Caller;
use crate::transactions::identity::{Answer, DemographicsQuery, Page};

/// A Patient Demographics Supplier. Cheap to clone; clones share the open continuations.
#[derive(Clone)]
pub struct PdqSupplier {
    index: Index,
    domains: Arc<Domains>,
}

impl PdqSupplier {
    /// A supplier over an index.
    pub fn new(index: Index, domains: Arc<Domains>) -> Self {
        Self { index, domains }
    }
    /// ITI-21, 22, 47: the first page, of at most `page` matches (None: as many as the bound allows). What is left is kept
    /// for this caller for a while, in the order and set of this answer, under `name` (QAK-1 or queryId).
    pub async fn find(
        &self,
        query: DemographicsQuery,
        page: Option<usize>,
        name: &str,
        caller: &Caller,
    ) -> Answer<Page> {
        let _ = (&self.index, &self.domains, query, page, name, caller);
        todo!()
    }
    /// The next page behind a pointer (v2) or of a queryId (V3, with startResultNumber and a new page size).
    pub async fn more(
        &self,
        pointer: &str,
        start: Option<usize>,
        page: Option<usize>,
        caller: &Caller,
    ) -> Answer<Page> {
        let _ = (pointer, start, page, caller);
        todo!()
    }
    /// Forgets what is kept under a pointer or name; nothing open is no error.
    pub async fn cancel(&self, name: &str, caller: &Caller) {
        let _ = (name, caller);
    }
}
