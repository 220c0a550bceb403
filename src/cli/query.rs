//! `sekisho query`: a stored query at a registry or gateway (ITI-18), or at a Responding Gateway (ITI-38), shown as tables.

use bytes::Bytes;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::named::Naming;
use super::output::{Output, bytes};
use super::peer::PeerOptions;
use super::{Exit, Outcome, Stop};
use crate::ids::{EntryUuid, HomeCommunityId, PatientId};
use crate::metadata::{DocumentEntry, Object, codes};
use crate::transactions::errors::{RegistryError, Severity, Status};
use crate::transactions::iti18::{
    ITI18, ObjectKind, Parameter, QueryRequest, QueryResponse, RegistryObject, ReturnType,
};
use crate::transactions::iti38::ITI38;
use crate::wire::xml::{Ns, Tree};

/// Stored query FindDocuments (ITI TF-2: 3.18.4.1.2.4).
pub const FIND_DOCUMENTS: &str = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d";
/// Stored query GetDocuments (ITI TF-2: 3.18.4.1.2.4).
pub const GET_DOCUMENTS: &str = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4";

/// Ask for a patient's documents.
#[derive(Debug, Args)]
pub struct Query {
    #[command(flatten)]
    peer: PeerOptions,
    #[command(flatten)]
    naming: Naming,
    /// Ask a Responding Gateway (ITI-38) instead of a registry or Initiating Gateway (ITI-18)
    #[arg(long)]
    cross: bool,
    /// The patient, as ID^^^&OID&ISO: FindDocuments. Of a --demo, the patient of its story is the default
    #[arg(long, value_name = "CX")]
    patient: Option<String>,
    /// A document by uniqueId or urn:uuid: entryUUID: GetDocuments; may be repeated
    #[arg(long, value_name = "ID", conflicts_with = "patient")]
    document: Vec<String>,
    /// The community to ask, urn:oid:…
    #[arg(long, value_name = "URN")]
    home: Option<String>,
    /// Another stored query than the one that --patient or --document means
    #[arg(long, value_name = "UUID")]
    query: Option<String>,
    /// A further parameter of the stored query, its value as it stands in the message; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    param: Vec<Parameter>,
    /// What to return
    #[arg(long = "type", value_name = "TYPE", value_enum, default_value_t = Returned::Leafclass)]
    returned: Returned,
    /// One JSON object instead of tables
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Returned {
    /// Whole metadata
    Leafclass,
    /// Identifiers
    Objectref,
}

impl Query {
    /// Asks and shows. A Failure is exit code 1; a PartialSuccess is an answer, and its errors are shown.
    pub async fn run(self) -> Outcome {
        let (transaction, endpoint) = if self.cross { (&ITI38, "iti38") } else { (&ITI18, "iti18") };
        let place = self.peer.place(endpoint)?;
        let request = self.request(place.patient.as_deref())?;
        let response = place.peer.query(transaction, &place.url, &request).await?;
        show(Output::new(self.json), &response);
        Ok(match response.status {
            Status::Failure => Exit::No,
            Status::Success | Status::PartialSuccess => Exit::Done,
        })
    }

    fn request(&self, default_patient: Option<&str>) -> Result<QueryRequest, Stop> {
        let usage = |error: &dyn std::fmt::Display| Stop::new(Exit::Usage, error.to_string());
        let mut request = if self.document.is_empty() {
            let patient = self.patient.as_deref().or(default_patient);
            match (patient, &self.query) {
                (Some(patient), _) => find_documents(&self.naming.patient(patient)?),
                (None, Some(_)) => stored_query(FIND_DOCUMENTS, Vec::new()),
                (None, None) => return Err(usage(&"say what to ask for: --patient, --document or --query")),
            }
        } else {
            get_documents(&self.document)
        };
        if let Some(home) = &self.home {
            request.home = Some(HomeCommunityId::parse(home).map_err(|e| usage(&e))?.to_urn());
        }
        if let Some(query) = &self.query {
            request.query = query.clone();
        }
        if matches!(self.returned, Returned::Objectref) {
            request.return_type = ReturnType::ObjectRef;
        }
        request.parameters.extend(self.param.iter().cloned());
        Ok(request)
    }
}

/// FindDocuments for the approved documents of a patient.
pub fn find_documents(patient: &PatientId) -> QueryRequest {
    let parameters = vec![
        value("$XDSDocumentEntryPatientId", quoted(&patient.to_cx())),
        value("$XDSDocumentEntryStatus", format!("({})", quoted(codes::APPROVED))),
    ];
    stored_query(FIND_DOCUMENTS, parameters)
}

fn get_documents(documents: &[String]) -> QueryRequest {
    let is_uuid = |id: &&String| EntryUuid::parse(id).is_ok();
    let list = |ids: Vec<&String>| {
        format!("({})", ids.into_iter().map(|id| quoted(id)).collect::<Vec<_>>().join(","))
    };
    let uuids: Vec<_> = documents.iter().filter(is_uuid).collect();
    let parameter = if uuids.len() == documents.len() {
        value("$XDSDocumentEntryEntryUUID", list(uuids))
    } else {
        value("$XDSDocumentEntryUniqueId", list(documents.iter().collect()))
    };
    stored_query(GET_DOCUMENTS, vec![parameter])
}

fn stored_query(query: &str, parameters: Vec<Parameter>) -> QueryRequest {
    QueryRequest { query: query.to_owned(), home: None, return_type: ReturnType::LeafClass, parameters }
}

fn value(name: &str, value: String) -> Parameter {
    Parameter { name: name.to_owned(), values: vec![value] }
}

/// A string of a stored query: in single quotes, which are doubled inside (ITI TF-2: 3.18.4.1.2.3.5).
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn parameter(text: &str) -> Result<Parameter, String> {
    let (name, text) = text.split_once('=').ok_or("write NAME=VALUE")?;
    let name = if name.starts_with('$') { name.to_owned() } else { format!("${name}") };
    Ok(value(&name, text.to_owned()))
}

/// A document of an answer, as far as people and `sekisho retrieve` want it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct FoundDocument {
    /// entryUUID.
    pub entry_uuid: String,
    /// title.
    pub title: String,
    /// typeCode's display name, or the code.
    pub type_name: String,
    /// typeCode.
    pub type_code: String,
    /// creationTime.
    pub creation_time: String,
    /// homeCommunityId.
    pub home: Option<String>,
    /// repositoryUniqueId.
    pub repository: Option<String>,
    /// uniqueId.
    pub unique_id: Option<String>,
    /// mimeType.
    pub mime_type: String,
    /// size.
    pub size: Option<u64>,
    /// hash, SHA-1.
    pub hash: Option<String>,
}

impl FoundDocument {
    /// From an object of an answer; what its metadata lacks is empty.
    pub fn of(object: &RegistryObject) -> Self {
        let read = metadata(object);
        let entry = read.as_ref().and_then(DocumentEntry::of);
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        let kind = entry.and_then(DocumentEntry::type_code);
        Self {
            entry_uuid: object.id.clone(),
            title: text(entry.and_then(DocumentEntry::title)),
            type_name: text(kind.map(|kind| if kind.display.is_empty() { kind.code } else { kind.display })),
            type_code: text(kind.map(|kind| kind.code)),
            creation_time: text(entry.and_then(DocumentEntry::creation_time)),
            home: object.home.clone(),
            repository: object.repository.clone(),
            unique_id: object.unique_id.clone(),
            mime_type: text(entry.and_then(DocumentEntry::mime_type)),
            size: object.size,
            hash: object.hash.clone(),
        }
    }
}

/// An object's metadata: its slices stand under a root that declares `rim`.
fn metadata(object: &RegistryObject) -> Option<Object> {
    let (prefix, uri) = Ns::RIM.known();
    let root = format!("<root xmlns:{prefix}=\"{uri}\">");
    let parts: [&[u8]; 4] = [root.as_bytes(), &object.xml.0, &object.xml.1, b"</root>"];
    let tree = Tree::parse(Bytes::from(parts.concat())).ok()?;
    let element = tree.root().children().next()?;
    Object::read(element).ok().flatten()
}

/// Shows an answer.
fn show(output: Output, response: &QueryResponse) {
    let documents: Vec<_> = response
        .objects
        .iter()
        .filter(|o| o.kind == ObjectKind::DocumentEntry)
        .map(FoundDocument::of)
        .collect();
    let others: Vec<_> = response.objects.iter().filter(|o| o.kind != ObjectKind::DocumentEntry).collect();
    output.json(&json!({
        "status": status(response.status),
        "documents": documents,
        "objects": others.iter().map(|o| json!({ "id": o.id, "home": o.home, "kind": format!("{:?}", o.kind) }))
            .collect::<Vec<_>>(),
        "errors": errors_json(&response.errors),
    }));
    if !documents.is_empty() {
        let rows: Vec<_> = documents.iter().map(row).collect();
        let header = ["title", "type", "date", "community", "repository", "uniqueId", "size"];
        output.table(header, &rows);
    }
    if !others.is_empty() {
        let rows: Vec<_> = others
            .iter()
            .map(|o| [format!("{:?}", o.kind), o.id.clone(), o.home.clone().unwrap_or_default()])
            .collect();
        output.table(["object", "id", "community"], &rows);
    }
    show_errors(output, &response.errors);
    if output == Output::People {
        output.line(&format!("{}: {} documents", status(response.status), documents.len() + others.len()));
    }
}

fn row(document: &FoundDocument) -> [String; 7] {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    [
        document.title.clone(),
        document.type_name.clone(),
        document.creation_time.get(..8).unwrap_or(&document.creation_time).to_owned(),
        text(&document.home),
        text(&document.repository),
        text(&document.unique_id),
        document.size.map(bytes).unwrap_or_default(),
    ]
}

/// Shows errors and warnings in a table of their own.
pub fn show_errors(output: Output, errors: &[RegistryError]) {
    if errors.is_empty() {
        return;
    }
    let row = |error: &RegistryError| {
        [
            severity(error).to_owned(),
            error.code.to_string(),
            error.location.clone().unwrap_or_default(),
            error.context.clone(),
        ]
    };
    output.table(["severity", "error", "location", "what"], &errors.iter().map(row).collect::<Vec<_>>());
}

/// Errors as JSON.
pub fn errors_json(errors: &[RegistryError]) -> Value {
    let error = |error: &RegistryError| {
        json!({
            "code": error.code,
            "severity": severity(error),
            "context": error.context,
            "location": error.location,
        })
    };
    errors.iter().map(error).collect()
}

/// A status by its name.
pub fn status(status: Status) -> &'static str {
    match status {
        Status::Success => "Success",
        Status::PartialSuccess => "PartialSuccess",
        Status::Failure => "Failure",
    }
}

fn severity(error: &RegistryError) -> &'static str {
    match error.severity {
        Severity::Error => "Error",
        Severity::Warning => "Warning",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_in_identifiers_are_doubled() {
        assert_eq!(quoted("O'Hara"), "'O''Hara'");
    }

    #[test]
    fn documents_are_asked_for_by_uuid_or_by_unique_id() {
        let uuid = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155".to_owned();
        let by_uuid = get_documents(std::slice::from_ref(&uuid));
        assert_eq!(by_uuid.parameters[0].name, "$XDSDocumentEntryEntryUUID");
        assert_eq!(by_uuid.parameters[0].values, [format!("('{uuid}')")]);
        let mixed = get_documents(&[uuid, "1.2.3^4".to_owned()]);
        assert_eq!(mixed.parameters[0].name, "$XDSDocumentEntryUniqueId");
    }
}
