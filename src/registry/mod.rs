//! The hosted Document Registry's store and stored-query engine (ITI TF-2: 3.18.4, 3.42.4).

use std::sync::Arc;

use crate::ids::Oid;
use crate::metadata::Submission;
use crate::store::{Connection, Migration, Store, StoreError};
use crate::transactions::errors::RegistryError;
use crate::transactions::iti18::{QueryRequest, QueryResponse};

/// The registry's tables.
pub const MIGRATION: Migration = Migration { room: "registry", steps: &[] };

/// Whose data: a community. Part of every key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tenant(pub Arc<str>);

/// What the registry of one tenant demands.
#[derive(Debug, Clone, Default)]
pub struct RegistrySettings {
    /// Only patients of these assigning authorities; empty accepts any.
    pub authorities: Vec<Oid>,
    /// Objects of one answer; 0 takes the default.
    pub max_results: usize,
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// Stored; warnings may be there.
    Accepted(Vec<RegistryError>),
    /// The same submission was accepted before: its stored reply.
    Replayed(Vec<RegistryError>),
    /// Nothing was stored.
    Refused(Vec<RegistryError>),
}

/// The registry of one tenant.
#[derive(Clone)]
pub struct Registry {}

#[allow(unused_variables)]
impl Registry {
    /// The registry of a tenant in a store.
    pub fn new(store: Store, tenant: Tenant, settings: RegistrySettings) -> Self {
        todo!()
    }
    /// Registers a (schema-readable) submission: rules, references, symbolic ids, life cycle. All or nothing, durable on
    /// return. `also` runs in the same transaction once the submission is accepted: the repository makes its documents
    /// retrievable there, so that both become visible in one commit.
    pub async fn register(
        &self,
        submission: Submission,
        digest: [u8; 32],
        also: Option<Box<dyn FnOnce(&Connection) -> Result<(), StoreError> + Send>>,
    ) -> Result<Registered, StoreError> {
        todo!()
    }
    /// Answers a stored query. Every refusal is in the response.
    pub async fn query(&self, request: QueryRequest) -> Result<QueryResponse, StoreError> {
        todo!()
    }
}
