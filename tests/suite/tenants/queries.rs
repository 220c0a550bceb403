//! Every stored query, by every identifier that it takes.

use sekisho::transactions::Transaction;
use sekisho::transactions::iti18::{ITI18, QueryResponse};
use sekisho::transactions::iti51::ITI51;

use super::estate::{
    FIRST_SET, FIRST_SET_UID, FOLDER, FOLDER_UID, PATIENT, REFERENCE_ID, REPORT, REPORT_UID,
};
use crate::support::hosted::{APPROVED, Standalone};

/// A stored query and its parameters; `{…}` stands for a text, `({…})` for a list of one.
pub struct Query {
    pub name: &'static str,
    parameters: &'static [(&'static str, &'static str)],
}

const fn query(name: &'static str, parameters: &'static [(&'static str, &'static str)]) -> Query {
    Query { name, parameters }
}

const ANY: &str = "('urn:ihe:iti:2007:AssociationType:APND','urn:ihe:iti:2007:AssociationType:RPLC')";
const TYPES: (&str, &str) = (
    "$XDSDocumentEntryType",
    "('urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1','urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248')",
);

pub const QUERIES: &[Query] = &[
    query(
        "FindDocuments",
        &[("$XDSDocumentEntryPatientId", PATIENT), ("$XDSDocumentEntryStatus", APPROVED), TYPES],
    ),
    query(
        "FindSubmissionSets",
        &[("$XDSSubmissionSetPatientId", PATIENT), ("$XDSSubmissionSetStatus", APPROVED)],
    ),
    query("FindFolders", &[("$XDSFolderPatientId", PATIENT), ("$XDSFolderStatus", APPROVED)]),
    query(
        "GetAll",
        &[
            ("$patientId", PATIENT),
            ("$XDSDocumentEntryStatus", APPROVED),
            ("$XDSSubmissionSetStatus", APPROVED),
            ("$XDSFolderStatus", APPROVED),
            TYPES,
        ],
    ),
    query("GetDocuments", &[("$XDSDocumentEntryEntryUUID", REPORT)]),
    query("GetDocuments", &[("$XDSDocumentEntryUniqueId", REPORT_UID)]),
    query("GetDocuments", &[("$XDSDocumentEntryLogicalID", REPORT), ("$MetadataLevel", "2")]),
    query("GetFolders", &[("$XDSFolderEntryUUID", FOLDER)]),
    query("GetFolders", &[("$XDSFolderUniqueId", FOLDER_UID)]),
    query("GetFolders", &[("$XDSFolderLogicalID", FOLDER), ("$MetadataLevel", "2")]),
    query("GetAssociations", &[("$uuid", FIRST_SET)]),
    query("GetAssociations", &[("$uuid", REPORT)]),
    query("GetAssociations", &[("$uuid", FOLDER)]),
    query("GetDocumentsAndAssociations", &[("$XDSDocumentEntryEntryUUID", REPORT)]),
    query("GetDocumentsAndAssociations", &[("$XDSDocumentEntryUniqueId", REPORT_UID)]),
    query("GetSubmissionSets", &[("$uuid", REPORT)]),
    query("GetSubmissionSets", &[("$uuid", FOLDER)]),
    query("GetSubmissionSetAndContents", &[("$XDSSubmissionSetEntryUUID", FIRST_SET)]),
    query("GetSubmissionSetAndContents", &[("$XDSSubmissionSetUniqueId", FIRST_SET_UID)]),
    query("GetFolderAndContents", &[("$XDSFolderEntryUUID", FOLDER)]),
    query("GetFolderAndContents", &[("$XDSFolderUniqueId", FOLDER_UID)]),
    query("GetFoldersForDocument", &[("$XDSDocumentEntryEntryUUID", REPORT)]),
    query("GetFoldersForDocument", &[("$XDSDocumentEntryUniqueId", REPORT_UID)]),
    query("GetRelatedDocuments", &[("$XDSDocumentEntryEntryUUID", REPORT), ("$AssociationTypes", ANY)]),
    query("GetRelatedDocuments", &[("$XDSDocumentEntryUniqueId", REPORT_UID), ("$AssociationTypes", ANY)]),
    query(
        "FindDocumentsByReferenceId",
        &[
            ("$XDSDocumentEntryPatientId", PATIENT),
            ("$XDSDocumentEntryStatus", APPROVED),
            ("$XDSDocumentEntryReferenceIdList", REFERENCE_ID),
        ],
    ),
    query(
        "FindDocumentsForMultiplePatients",
        &[("$XDSDocumentEntryPatientId", PATIENT), ("$XDSDocumentEntryStatus", APPROVED)],
    ),
    query(
        "FindDocumentsForMultiplePatients",
        &[("$XDSDocumentEntryClassCode", "18842-5^^1.2.3.5"), ("$XDSDocumentEntryStatus", APPROVED)],
    ),
    query(
        "FindFoldersForMultiplePatients",
        &[("$XDSFolderCodeList", "1^^1.2.3.5"), ("$XDSFolderStatus", APPROVED)],
    ),
    query(
        "FindDocumentsByReferenceIdForMultiplePatients",
        &[("$XDSDocumentEntryReferenceIdList", REFERENCE_ID), ("$XDSDocumentEntryStatus", APPROVED)],
    ),
];

/// Parameters that take one value, not a list.
const SINGLE: [&str; 4] =
    ["$XDSSubmissionSetEntryUUID", "$XDSSubmissionSetUniqueId", "$patientId", "$MetadataLevel"];

/// Names and ids of all stored queries that there are, with the transaction that asks them.
pub fn catalog() -> Vec<(String, String, &'static Transaction)> {
    let file: toml::Table = toml::from_str(include_str!("../../../profiles/stored-queries.toml")).unwrap();
    let text = |query: &toml::Value, key: &str| query[key].as_str().unwrap().to_owned();
    let queries = file["query"].as_array().unwrap().iter();
    queries
        .map(|query| {
            let transaction = if query.get("asked-by").is_some() { &ITI51 } else { &ITI18 };
            (text(query, "name"), text(query, "id"), transaction)
        })
        .collect()
}

impl Query {
    /// Asks it of a tenant.
    pub async fn ask(&self, tenant: &Standalone) -> QueryResponse {
        let catalog = catalog();
        let (_, id, transaction) = catalog.iter().find(|(name, ..)| name == self.name).unwrap();
        let parameters: Vec<_> =
            self.parameters.iter().map(|(name, value)| (*name, self.value(name, value))).collect();
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        tenant.ask(transaction, id, &parameters).await
    }

    fn value(&self, name: &str, value: &str) -> String {
        let of_one =
            matches!(self.name, "GetFolderAndContents" | "GetFoldersForDocument" | "GetRelatedDocuments")
                || self.name.starts_with("Find")
                    && name.ends_with("PatientId")
                    && !self.name.contains("Multiple");
        match value {
            list if list.starts_with('(') => list.to_owned(),
            number if number.parse::<u32>().is_ok() => number.to_owned(),
            text if of_one || SINGLE.contains(&name) => format!("'{text}'"),
            text => format!("('{text}')"),
        }
    }
}

/// What a query says, to compare it: status, errors, and objects in a fixed order.
pub fn said(response: &QueryResponse) -> String {
    let mut objects: Vec<_> = response.objects.iter().map(xml).collect();
    objects.sort_unstable();
    format!("{:?} {:?}\n{}", response.status, response.errors, objects.join("\n"))
}

/// An object as it came.
pub fn xml(object: &sekisho::transactions::iti18::RegistryObject) -> String {
    let (start, rest) = &object.xml;
    String::from_utf8([start.as_ref(), rest.as_ref()].concat()).unwrap()
}
