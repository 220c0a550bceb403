//! Our own community, as both gateways ask it: the hosted registry and repository, or those behind a bridge
//! ([`crate::federation::bridge`]).

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;

use crate::actors::document_registry::DocumentRegistry;
use crate::actors::document_repository::DocumentRepository;
use crate::federation::member::{Member, Role};
use crate::federation::{Source, Unavailable};
use crate::ids::HomeCommunityId;
use crate::transactions::Caller;
use crate::transactions::iti18::{QueryRequest, QueryResponse};
use crate::transactions::iti43::{RetrieveRequest, RetrieveResponse};

/// Our own community: who it is, and what holds its documents.
#[derive(Clone)]
pub struct OwnCommunity {
    /// Who it is.
    pub member: Arc<Member>,
    /// Its registry and repositories.
    pub source: Arc<dyn Source>,
}

impl OwnCommunity {
    /// A community by name and homeCommunityId.
    pub fn new(name: &str, home: HomeCommunityId, source: Arc<dyn Source>) -> Self {
        Self { member: Arc::new(Member::new(Role::Own, name, home, Vec::new())), source }
    }
}

/// What the region hosts itself.
#[derive(Clone)]
pub struct Hosted {
    /// Its registry.
    pub registry: DocumentRegistry,
    /// Its repository.
    pub repository: DocumentRepository,
}

impl Source for Hosted {
    fn query<'a>(
        &'a self,
        request: QueryRequest,
        caller: &'a Caller,
        _: Instant,
    ) -> BoxFuture<'a, Result<QueryResponse, Unavailable>> {
        Box::pin(async move { Ok(self.registry.registry_stored_query(request, caller).await) })
    }

    fn retrieve<'a>(
        &'a self,
        request: RetrieveRequest,
        caller: &'a Caller,
        _: Instant,
    ) -> BoxFuture<'a, Result<RetrieveResponse, Unavailable>> {
        Box::pin(async move { Ok(self.repository.retrieve_document_set(request, caller).await) })
    }
}
