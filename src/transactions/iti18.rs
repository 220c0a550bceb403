//! ITI-18 Registry Stored Query (ITI TF-2: 3.18). ITI-38 has the same bodies.

use bytes::Bytes;

use super::errors::{RegistryError, Status, code, read_errors, read_status, write_errors};
use super::{Malformed, Transaction};
use crate::limits;
use crate::metadata::codes::identifier;
use crate::wire::xml::{Element, Ns, Writer, set_attribute};

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
    /// RegistryObject and LeafClassWithRepositoryItem, which ebRS has and no stored query gives, and whatever else is written
    /// there. Actors refuse it, in an answer.
    Unsupported,
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

impl QueryRequest {
    /// Why nobody answers it, whichever query it is.
    pub fn refusal(&self) -> Option<RegistryError> {
        let problem = "ResponseOption/@returnType is neither LeafClass nor ObjectRef (ITI TF-2: 3.18.4.1.2)";
        (self.return_type == ReturnType::Unsupported)
            .then(|| RegistryError::error(code::REGISTRY_ERROR, problem))
    }
    /// The values of a parameter, quotes and parentheses included; empty if it is not there.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.parameters.iter().filter(move |p| p.name == name);
        named.flat_map(|p| p.values.iter().map(String::as_str))
    }
}

/// Reads a query:AdhocQueryRequest.
pub fn read_request(body: Element<'_>) -> Result<QueryRequest, Malformed> {
    let malformed = |rule, problem: String| Malformed { rule, section: "ITI TF-2: 3.18.4.1.2", problem };
    let return_type =
        match body.child(Ns::QUERY, "ResponseOption").and_then(|o| o.attr("returnType")).as_deref() {
            Some("LeafClass") => ReturnType::LeafClass,
            Some("ObjectRef") => ReturnType::ObjectRef,
            _ => ReturnType::Unsupported,
        };
    let query = body
        .child(Ns::RIM, "AdhocQuery")
        .ok_or_else(|| malformed("query.adhoc-query", "AdhocQueryRequest holds no rim:AdhocQuery".into()))?;
    let mut parameters = Vec::new();
    // Both attributes are URIs: blanks around them do not belong to them (ebRIM's schema).
    let uri = |name| query.attr(name).map(|value| value.trim().to_owned());
    let mut home = uri("home").filter(|home| !home.is_empty());
    for slot in query.children_named(Ns::RIM, "Slot") {
        let name = slot.attr("name").unwrap_or_default().into_owned();
        let lists = slot.children_named(Ns::RIM, "ValueList");
        let values: Vec<String> = lists
            .flat_map(|l| l.children_named(Ns::RIM, "Value"))
            .map(|v| v.text().trim().to_owned())
            .collect();
        // Some peers send the community as a parameter; it belongs into the attribute.
        if name == "$homeCommunityId" {
            home = home.or_else(|| values.first().map(|v| v.trim_matches(['\'', '"', '(', ')']).to_owned()));
        } else {
            parameters.push(Parameter { name, values });
        }
    }
    if parameters.len() > limits::MAX_QUERY_VALUES {
        return Err(malformed(
            "query.parameters",
            format!("more than {} parameters", limits::MAX_QUERY_VALUES),
        ));
    }
    Ok(QueryRequest { query: uri("id").unwrap_or_default(), home, return_type, parameters })
}

/// Writes one; it declares its namespaces.
pub fn write_request(request: &QueryRequest) -> Bytes {
    let mut out = Writer::with_capacity(2048);
    out.start(Ns::QUERY, "AdhocQueryRequest").declare(&[Ns::QUERY, Ns::RIM]);
    let return_type = match request.return_type {
        ReturnType::LeafClass => "LeafClass",
        ReturnType::ObjectRef => "ObjectRef",
        ReturnType::Unsupported => "RegistryObject",
    };
    out.start(Ns::QUERY, "ResponseOption")
        .attr("returnComposedObjects", "true")
        .attr("returnType", return_type)
        .end();
    out.start(Ns::RIM, "AdhocQuery").attr("id", &request.query).attr_opt("home", request.home.as_deref());
    for parameter in &request.parameters {
        out.start(Ns::RIM, "Slot").attr("name", &parameter.name).start(Ns::RIM, "ValueList");
        for value in &parameter.values {
            out.leaf(Ns::RIM, "Value", value);
        }
        out.end().end();
    }
    out.end().end();
    out.finish().into()
}

/// Reads a query:AdhocQueryResponse. Objects are slices of the received bytes.
pub fn read_response(body: Element<'_>) -> Result<QueryResponse, Malformed> {
    let lists = body.children_named(Ns::RIM, "RegistryObjectList");
    let objects = lists.flat_map(|list| list.children()).map(read_object).collect();
    Ok(QueryResponse { status: read_status(body)?, errors: read_errors(body), objects })
}

fn read_object(element: Element<'_>) -> RegistryObject {
    let attr = |name| element.attr(name).map(|value| value.into_owned());
    let kind = match (element.ns(), element.local()) {
        (Ns::RIM, "ExtrinsicObject") => ObjectKind::DocumentEntry,
        (Ns::RIM, "RegistryPackage") => ObjectKind::Package,
        (Ns::RIM, "Association") => ObjectKind::Association,
        (Ns::RIM, "ObjectRef") => ObjectKind::ObjectRef,
        _ => ObjectKind::Other,
    };
    let mut object = RegistryObject {
        kind,
        id: attr("id").unwrap_or_default(),
        home: attr("home").filter(|home| !home.is_empty()),
        unique_id: None,
        repository: None,
        hash: None,
        size: None,
        patient_id: None,
        xml: element.detach(&[Ns::RIM], &[]),
    };
    if !matches!(kind, ObjectKind::DocumentEntry | ObjectKind::Package) {
        return object;
    }
    for child in element.children().filter(|child| child.ns() == Ns::RIM) {
        match child.local() {
            "Slot" => {
                let value = || {
                    Some(child.child(Ns::RIM, "ValueList")?.child(Ns::RIM, "Value")?.text().trim().to_owned())
                };
                match child.attr("name").as_deref() {
                    Some("repositoryUniqueId") => object.repository = value(),
                    Some("hash") => object.hash = value(),
                    Some("size") => object.size = value().and_then(|size| size.parse().ok()),
                    _ => {}
                }
            }
            "ExternalIdentifier" => {
                let value = || child.attr("value").map(|value| value.into_owned());
                match child.attr("identificationScheme").as_deref() {
                    Some(identifier::DE_UNIQUE_ID) => object.unique_id = value(),
                    Some(
                        identifier::DE_PATIENT_ID | identifier::SS_PATIENT_ID | identifier::FOLDER_PATIENT_ID,
                    ) => {
                        object.patient_id = value();
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    object
}

/// Writes one, as slices. The list of objects is always there, empty or not: the schema wants it.
pub fn write_response(response: &QueryResponse) -> Vec<Bytes> {
    let mut out = Writer::with_capacity(1024 + 300 * response.errors.len());
    out.start(Ns::QUERY, "AdhocQueryResponse")
        .declare(&[Ns::QUERY, Ns::RIM, Ns::RS])
        .attr("status", response.status.urn());
    write_errors(&mut out, &response.errors);
    out.start(Ns::RIM, "RegistryObjectList");
    // The objects' slices go between here and the end tags.
    let split = out.len();
    out.end().end();
    let whole = Bytes::from(out.finish());
    let mut slices = Vec::with_capacity(2 + 2 * response.objects.len());
    slices.push(whole.slice(..split));
    for object in &response.objects {
        let (start, rest) = &object.xml;
        slices.extend([start, rest].into_iter().filter(|slice| !slice.is_empty()).cloned());
    }
    slices.push(whole.slice(split..));
    slices
}

/// An object with another `home`: its start tag is rewritten, the rest is untouched.
pub fn with_home(mut object: RegistryObject, home: &str) -> RegistryObject {
    if object.home.as_deref() != Some(home) {
        object.xml.0 = set_attribute(&object.xml.0, "home", home).into();
        object.home = Some(home.to_owned());
    }
    object
}
