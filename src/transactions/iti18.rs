//! ITI-18 Registry Stored Query (ITI TF-2: 3.18). ITI-38 has the same bodies.

use bytes::Bytes;

use super::errors::{RegistryError, Status};
use super::{Malformed, Transaction};
use crate::wire::xml::{Element, Ns};

/// The transaction.
pub const ITI18: Transaction = Transaction {
    id: "ITI-18",
    name: "Registry Stored Query",
    action: "urn:ihe:iti:2007:RegistryStoredQuery",
    response_action: "urn:ihe:iti:2007:RegistryStoredQueryResponse",
    body: (Ns::QUERY, "AdhocQueryRequest"),
    mtom: false,
};

/// ResponseOption/@returnType.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReturnType {
    /// Whole objects.
    LeafClass,
    /// Identifiers only.
    ObjectRef,
}

/// A Slot of the AdhocQuery as sent: a gateway passes all of them on, known or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// `$XDSDocumentEntryPatientId` and the like.
    pub name: String,
    /// The Value elements' texts, quotes and parentheses included.
    pub values: Vec<String>,
}

/// A stored query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryRequest {
    /// AdhocQuery/@id, as sent.
    pub query: String,
    /// AdhocQuery/@home (or the $homeCommunityId slot that some send), as sent.
    pub home: Option<String>,
    /// What to return.
    pub return_type: ReturnType,
    /// Slots in order. The same name may repeat (AND).
    pub parameters: Vec<Parameter>,
}

/// What a returned object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// rim:ExtrinsicObject
    DocumentEntry,
    /// rim:RegistryPackage (SubmissionSet or Folder)
    Package,
    /// rim:Association
    Association,
    /// rim:ObjectRef
    ObjectRef,
    /// Anything else that the schema allows.
    Other,
}

/// An object of a query's answer: the few attributes that gateways need, and its XML as slices, which stand under a root
/// that declares `rim` (and nothing else).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryObject {
    /// What it is.
    pub kind: ObjectKind,
    /// id.
    pub id: String,
    /// home, as it stands in the XML.
    pub home: Option<String>,
    /// DocumentEntry.uniqueId, of document entries.
    pub unique_id: Option<String>,
    /// repositoryUniqueId, of document entries.
    pub repository: Option<String>,
    /// hash, of document entries.
    pub hash: Option<String>,
    /// size, of document entries.
    pub size: Option<u64>,
    /// patientId, of document entries and packages.
    pub patient_id: Option<String>,
    /// Start tag, and the rest.
    pub xml: (Bytes, Bytes),
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryResponse {
    /// The status.
    pub status: Status,
    /// Errors and warnings.
    pub errors: Vec<RegistryError>,
    /// Objects.
    pub objects: Vec<RegistryObject>,
}

impl QueryResponse {
    /// From errors and objects, with the status that follows.
    pub fn new(errors: Vec<RegistryError>, objects: Vec<RegistryObject>) -> Self {
        Self { status: Status::of(&errors, !objects.is_empty()), errors, objects }
    }
    /// A Failure with one error.
    pub fn failure(error: RegistryError) -> Self {
        Self::new(vec![error], Vec::new())
    }
}

/// Reads a query:AdhocQueryRequest.
#[allow(unused_variables)]
pub fn read_request(body: Element<'_>) -> Result<QueryRequest, Malformed> {
    todo!()
}
/// Writes one; it declares its namespaces.
#[allow(unused_variables)]
pub fn write_request(request: &QueryRequest) -> Bytes {
    todo!()
}
/// Reads a query:AdhocQueryResponse. Objects are slices of the received bytes.
#[allow(unused_variables)]
pub fn read_response(body: Element<'_>) -> Result<QueryResponse, Malformed> {
    todo!()
}
/// Writes one, as slices.
#[allow(unused_variables)]
pub fn write_response(response: &QueryResponse) -> Vec<Bytes> {
    todo!()
}
/// An object with other `home`: its start tag is rewritten, the rest is untouched.
#[allow(unused_variables)]
pub fn with_home(object: RegistryObject, home: &str) -> RegistryObject {
    todo!()
}
