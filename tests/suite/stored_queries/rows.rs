//! The rows: what each stored query finds and refuses, over what [`super::hosted`] has registered.

use sekisho::transactions::errors::code;
use sekisho::transactions::iti18::{Parameter, QueryRequest, ReturnType};

use crate::support::draft::with_ids;
use crate::support::hosted::APPROVED;

pub(super) type Parameters = &'static [(&'static str, &'static str)];

pub(super) const P1: &str = "'P1^^^&1.2.3&ISO'";
pub(super) const ANY: &str = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved',\
                   'urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated')";
pub(super) const DEPRECATED: &str = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated')";
pub(super) const STABLE: &str = "('urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1')";
pub(super) const ON_DEMAND: &str = "('urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248')";
pub(super) const BOTH: &str =
    "('urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1','urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248')";

pub(super) const OF_ENTRIES: Parameters =
    &[("$XDSDocumentEntryPatientId", P1), ("$XDSDocumentEntryStatus", APPROVED)];
pub(super) const OF_SETS: Parameters =
    &[("$XDSSubmissionSetPatientId", P1), ("$XDSSubmissionSetStatus", APPROVED)];
pub(super) const OF_FOLDERS: Parameters = &[("$XDSFolderPatientId", P1), ("$XDSFolderStatus", APPROVED)];

/// A stored query: its name, its id, and the parameters to which a row of it adds its own.
pub(super) struct Query {
    pub(super) name: &'static str,
    id: &'static str,
    parameters: Parameters,
}

pub(super) const fn query(name: &'static str, id: &'static str, parameters: Parameters) -> Query {
    Query { name, id, parameters }
}

pub(super) const FIND_DOCUMENTS: Query =
    query("FindDocuments", "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d", OF_ENTRIES);
pub(super) const FIND_SETS: Query =
    query("FindSubmissionSets", "urn:uuid:f26abbcb-ac74-4422-8a30-edb644bbc1a9", OF_SETS);
pub(super) const FIND_FOLDERS: Query =
    query("FindFolders", "urn:uuid:958f3006-baad-4929-a4de-ff1114824431", OF_FOLDERS);
pub(super) const GET_ALL: Query = query("GetAll", "urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3", &[]);
pub(super) const GET_DOCUMENTS: Query =
    query("GetDocuments", "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4", &[]);
pub(super) const GET_FOLDERS: Query =
    query("GetFolders", "urn:uuid:5737b14c-8a1a-4539-b659-e03a34a5e1e4", &[]);
pub(super) const GET_ASSOCIATIONS: Query =
    query("GetAssociations", "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155", &[]);
pub(super) const GET_DOCUMENTS_AND_ASSOCIATIONS: Query =
    query("GetDocumentsAndAssociations", "urn:uuid:bab9529a-4a10-40b3-a01f-f68a615d247a", &[]);
pub(super) const GET_SETS: Query =
    query("GetSubmissionSets", "urn:uuid:51224314-5390-4169-9b91-b1980040715a", &[]);
pub(super) const GET_SET_AND_CONTENTS: Query =
    query("GetSubmissionSetAndContents", "urn:uuid:e8e3cb2c-e39c-46b9-99e4-c12f57260b83", &[]);
pub(super) const GET_FOLDER_AND_CONTENTS: Query =
    query("GetFolderAndContents", "urn:uuid:b909a503-523d-4517-8acf-8e5834dfc4c7", &[]);
pub(super) const GET_FOLDERS_FOR_DOCUMENT: Query =
    query("GetFoldersForDocument", "urn:uuid:10cae35a-c7f9-4cf5-b61e-fc3278ffb578", &[]);
pub(super) const GET_RELATED: Query =
    query("GetRelatedDocuments", "urn:uuid:d90e5407-b356-4d91-a89f-873917b4b0e6", &[]);
pub(super) const FIND_BY_REFERENCE: Query =
    query("FindDocumentsByReferenceId", "urn:uuid:12941a89-e02e-4be5-967c-ce4bfc8fe492", OF_ENTRIES);
pub(super) const FIND_FOR_SEVERAL: Query = query(
    "FindDocumentsForMultiplePatients",
    "urn:uuid:3d1bdb10-39a2-11de-89c2-2f44d94eaa9f",
    &[("$XDSDocumentEntryStatus", APPROVED)],
);
pub(super) const FIND_FOLDERS_FOR_SEVERAL: Query = query(
    "FindFoldersForMultiplePatients",
    "urn:uuid:50d3f5ac-39a2-11de-a1ca-b366239e58df",
    &[("$XDSFolderStatus", APPROVED)],
);
pub(super) const FIND_BY_REFERENCE_FOR_SEVERAL: Query = query(
    "FindDocumentsByReferenceIdForMultiplePatients",
    "urn:uuid:1191642d-86c4-42d8-b784-f95445f9f0d5",
    &[("$XDSDocumentEntryStatus", APPROVED)],
);

impl Query {
    /// The parameters of a row.
    pub(super) fn named(&self, more: Parameters) -> impl Iterator<Item = &'static str> {
        self.parameters.iter().chain(more).map(|(name, _)| *name)
    }

    /// The request. `|` parts a parameter's Value elements, `{name}` is an entryUUID, and an empty parameter takes away
    /// what every row has.
    pub(super) fn request(&self, more: &[(&str, &str)], return_type: ReturnType) -> QueryRequest {
        let is_replaced = |name: &str| more.iter().any(|(other, _)| *other == name);
        let usual = self.parameters.iter().filter(|(name, _)| !is_replaced(name));
        let parameter = |(name, value): &(&str, &str)| Parameter {
            name: (*name).to_owned(),
            values: with_ids(value).split('|').filter(|value| !value.is_empty()).map(str::to_owned).collect(),
        };
        QueryRequest {
            query: self.id.to_owned(),
            home: None,
            return_type,
            parameters: usual.chain(more).map(parameter).collect(),
        }
    }
}

/// All approved and stable entries of the usual patient.
pub(super) const EVERY_ENTRY: &str = "alpha delta gamma iota kappa lambda sigma snap zeta";
pub(super) const CONTENTS_OF_SET1: &str =
    "set1 alpha beta inpatient set1>alpha set1>beta set1>inpatient inpatient>alpha set1>inpatient>alpha";

/// Section, query, more parameters, and the names of what is found.
#[rustfmt::skip]
pub(super) const ANSWERED: &[(&str, Query, Parameters, &str)] = &[
    // FindDocuments.
    ("3.18.4.1.2.3.7.1", FIND_DOCUMENTS, &[], EVERY_ENTRY),
    ("3.18.4.1.2.3.7.1", FIND_DOCUMENTS, &[("$XDSDocumentEntryStatus", DEPRECATED)], "beta"),
    ("3.18.4.1.2.3.7.1", FIND_DOCUMENTS, &[("$XDSDocumentEntryPatientId", "'P2^^^&1.2.3&ISO'")], "birth"),
    ("3.18.4.1.2.3.7.1", FIND_DOCUMENTS, &[("$XDSDocumentEntryClassCode", "('class1^^1.2.3.5')")], "alpha"),
    ("3.18.4.1.2.3.7.1", FIND_DOCUMENTS, &[("$XDSDocumentEntryTypeCode", "('type1^^1.2.3.5')")], "alpha"),
    ("3.18.4.1.2.3.7.1", FIND_DOCUMENTS, &[("$XDSDocumentEntryPracticeSettingCode", "('practice1^^1.2.3.5')")], "alpha"),
    ("3.18.4.1.2.3.7.1", FIND_DOCUMENTS, &[("$XDSDocumentEntryHealthcareFacilityTypeCode", "('facility1^^1.2.3.5')")], "alpha"),
    ("3.18.4.1.2.3.7.1", FIND_DOCUMENTS, &[("$XDSDocumentEntryFormatCode", "('format1^^1.2.3.5')")], "alpha"),
    ("3.18.4.1.2.3.7.1", FIND_DOCUMENTS, &[("$XDSDocumentEntryEventCodeList", "('A^^1.2.3.5')")], "alpha"),
    ("3.18.4.1.2.3.7.1", FIND_DOCUMENTS, &[("$XDSDocumentEntryConfidentialityCode", "('N^^1.2.3.5')")], "alpha"),
    ("3.18.4.1.2.3.7.1", FIND_DOCUMENTS, &[("$XDSDocumentEntryTypeCode", "('type1^^1.2.3.5')"), ("$XDSDocumentEntryFormatCode", "('format^^1.2.3.5')")], ""),
    // Times: the lower bound belongs to the range, the upper does not, and a short time is its earliest moment.
    ("3.18.4.1.2.3.3", FIND_DOCUMENTS, &[("$XDSDocumentEntryCreationTimeFrom", "20260101")], "alpha sigma"),
    ("3.18.4.1.2.3.3", FIND_DOCUMENTS, &[("$XDSDocumentEntryCreationTimeFrom", "20260101000001")], "sigma"),
    ("3.18.4.1.2.3.3", FIND_DOCUMENTS, &[("$XDSDocumentEntryCreationTimeFrom", "'20260301120000'")], "sigma"),
    ("3.18.4.1.2.3.3", FIND_DOCUMENTS, &[("$XDSDocumentEntryCreationTimeFrom", "2026"), ("$XDSDocumentEntryCreationTimeTo", "20260301120000")], "alpha"),
    ("3.18.4.1.2.3.3", FIND_DOCUMENTS, &[("$XDSDocumentEntryCreationTimeFrom", "2026"), ("$XDSDocumentEntryCreationTimeTo", "20260301120001")], "alpha sigma"),
    ("3.18.4.1.2.3.3", FIND_DOCUMENTS, &[("$XDSDocumentEntryCreationTimeFrom", "2027")], ""),
    // An entry that has no such time is not filtered by it.
    ("3.18.4.1.2.3.3.1", FIND_DOCUMENTS, &[("$XDSDocumentEntryServiceStartTimeFrom", "20260111")], "delta gamma iota kappa lambda sigma snap zeta"),
    ("3.18.4.1.2.3.3.1", FIND_DOCUMENTS, &[("$XDSDocumentEntryServiceStartTimeTo", "20260111")], EVERY_ENTRY),
    ("3.18.4.1.2.3.3.1", FIND_DOCUMENTS, &[("$XDSDocumentEntryServiceStopTimeFrom", "2026011512")], EVERY_ENTRY),
    ("3.18.4.1.2.3.3.1", FIND_DOCUMENTS, &[("$XDSDocumentEntryServiceStopTimeTo", "2026011512")], "delta gamma iota kappa lambda sigma snap zeta"),
    ("3.18.4.1.2.3.7.1 note 6", FIND_DOCUMENTS, &[("$XDSDocumentEntryType", ON_DEMAND), ("$XDSDocumentEntryCreationTimeTo", "2000")], "omega"),
    // Codes.
    ("3.18.4.1.2.3.4", FIND_DOCUMENTS, &[("$XDSDocumentEntryClassCode", "('class1^^1.2.3.5','class2^^1.2.3.5')")], "alpha"),
    ("3.18.4.1.2.3.4", FIND_DOCUMENTS, &[("$XDSDocumentEntryClassCode", "('class1^^1.2.3.99')")], ""),
    ("3.18.4.1.2.3.4", FIND_DOCUMENTS, &[("$XDSDocumentEntryClassCode", "('class1^shown^1.2.3.5')")], "alpha"),
    ("3.18.4.1.2.3.4", FIND_DOCUMENTS, &[("$XDSDocumentEntryClassCode", "('CLASS1^^1.2.3.5')")], ""),
    // How values are written.
    ("3.18.4.1.2.3.5", FIND_DOCUMENTS, &[("$XDSDocumentEntryClassCode", "('class1^^1.2.3.5')|('x^^1.2.3.5')")], "alpha"),
    ("3.18.4.1.2.3.5", FIND_DOCUMENTS, &[("$XDSDocumentEntryClassCode", "('w^^1.2.3.5','x^^1.2.3.5')|('y^^1.2.3.5','class1^^1.2.3.5')")], "alpha"),
    ("3.18.4.1.2.3.5", FIND_DOCUMENTS, &[("$XDSDocumentEntryClassCode", " ( 'class1^^1.2.3.5' , 'x^^1.2.3.5' ) ")], "alpha"),
    ("3.18.4.1.2.3.5", FIND_DOCUMENTS, &[("$XDSDocumentEntryClassCode", "(\"class1^^1.2.3.5\")")], "alpha"),
    ("3.18.4.1.2.3.5", FIND_DOCUMENTS, &[("$XDSDocumentEntryClassCode", "class1^^1.2.3.5")], "alpha"),
    ("3.18.4.1.2.3.5", FIND_DOCUMENTS, &[("$XDSDocumentEntryClassCode", "")], EVERY_ENTRY),
    ("3.18.4.1.2.3.5", FIND_DOCUMENTS, &[("$XDSDocumentEntryClassCode", "()")], EVERY_ENTRY),
    ("3.18.4.1.2.3.5", FIND_DOCUMENTS, &[("$XDSDocumentEntryPatientId", "P2^^^&1.2.3&ISO")], "birth"),
    ("3.18.4.1.2.3.5", FIND_DOCUMENTS, &[("$XDSDocumentEntryPatientId", "('P2^^^&1.2.3&ISO^^')")], "birth"),
    // OR within a Slot, AND between Slots.
    ("3.18.4.1.2.3.5 OR", FIND_DOCUMENTS, &[("$XDSDocumentEntryStatus", ANY), ("$XDSDocumentEntryEventCodeList", "('A^^1.2.3.5')|('C^^1.2.3.5')")], "alpha beta"),
    ("3.18.4.1.2.3.5 AND", FIND_DOCUMENTS, &[("$XDSDocumentEntryStatus", ANY), ("$XDSDocumentEntryEventCodeList", "('B^^1.2.3.5')"), ("$XDSDocumentEntryEventCodeList", "('C^^1.2.3.5')")], "beta"),
    ("3.18.4.1.2.3.5 AND", FIND_DOCUMENTS, &[("$XDSDocumentEntryStatus", ANY), ("$XDSDocumentEntryEventCodeList", "('A^^1.2.3.5')"), ("$XDSDocumentEntryEventCodeList", "('C^^1.2.3.5')")], ""),
    ("3.18.4.1.2.3.5 OR, AND", FIND_DOCUMENTS, &[("$XDSDocumentEntryStatus", ANY), ("$XDSDocumentEntryEventCodeList", "('A^^1.2.3.5','C^^1.2.3.5')"), ("$XDSDocumentEntryEventCodeList", "('B^^1.2.3.5')")], "alpha beta"),
    ("3.18.4.1.2.3.5 OR, AND", FIND_DOCUMENTS, &[("$XDSDocumentEntryConfidentialityCode", "('N^^1.2.3.5','U^^1.2.3.5')"), ("$XDSDocumentEntryConfidentialityCode", "('X^^1.2.3.5')")], "alpha"),
    // LIKE.
    ("3.18.4.1.2.3.5 LIKE", FIND_DOCUMENTS, &[("$XDSDocumentEntryAuthorPerson", "('%Suzuki%')")], "alpha"),
    ("3.18.4.1.2.3.5 LIKE", FIND_DOCUMENTS, &[("$XDSDocumentEntryAuthorPerson", "('%suzuki%')")], ""),
    ("3.18.4.1.2.3.5 LIKE", FIND_DOCUMENTS, &[("$XDSDocumentEntryAuthorPerson", "('%Suzuki%','%Neil%')")], "alpha sigma"),
    ("3.18.4.1.2.3.5 LIKE", FIND_DOCUMENTS, &[("$XDSDocumentEntryAuthorPerson", "('%Suzuki%')|('%Neil%')")], "alpha sigma"),
    ("3.18.4.1.2.3.5 LIKE", FIND_DOCUMENTS, &[("$XDSDocumentEntryAuthorPerson", "('Suzuki')")], ""),
    ("3.18.4.1.2.3.5 LIKE", FIND_DOCUMENTS, &[("$XDSDocumentEntryAuthorPerson", "('3^O''Neil^Bob_X')")], "sigma"),
    ("3.18.4.1.2.3.5 LIKE", FIND_DOCUMENTS, &[("$XDSDocumentEntryAuthorPerson", "('_^O''N__l^%')")], "sigma"),
    ("3.18.4.1.2.3.5 LIKE", FIND_DOCUMENTS, &[("$XDSDocumentEntryAuthorPerson", "('%100%')")], "sigma"),
    // SQL's LIKE has no escape unless a statement names one, and other pattern languages mean nothing.
    ("3.18.4.1.2.3.5 LIKE", FIND_DOCUMENTS, &[("$XDSDocumentEntryAuthorPerson", "('%Bob\\_X')")], ""),
    ("3.18.4.1.2.3.5 LIKE", FIND_DOCUMENTS, &[("$XDSDocumentEntryAuthorPerson", "('%100\\%')")], ""),
    ("3.18.4.1.2.3.5 LIKE", FIND_DOCUMENTS, &[("$XDSDocumentEntryAuthorPerson", "('[1-4]^*')")], ""),
    ("3.18.4.1.2.3.5 LIKE", FIND_DOCUMENTS, &[("$XDSDocumentEntryAuthorPerson", "('*')")], ""),
    ("3.18.4.1.2.3.5 LIKE", FIND_DOCUMENTS, &[("$XDSDocumentEntryAuthorPerson", "('4^___リ%')")], ""),
    ("3.18.4.1.2.3.5 LIKE", FIND_DOCUMENTS, &[("$XDSDocumentEntryAuthorPerson", "('4^_リ%')")], "sigma"),
    // Composed or not, it is the same character.
    ("Appendix F", FIND_DOCUMENTS, &[("$XDSDocumentEntryAuthorPerson", "('%カ\u{3099}リレオ%')")], "sigma"),
    // Statuses: what is not understood is passed over.
    ("3.18.4.1.2.3.6", FIND_DOCUMENTS, &[("$XDSDocumentEntryStatus", "('urn:example:Lost','urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated')")], "beta"),
    ("3.18.4.1.2.3.6", FIND_DOCUMENTS, &[("$XDSDocumentEntryStatus", ANY)], "alpha beta delta gamma iota kappa lambda sigma snap zeta"),
    // Types.
    ("3.18.4.1.2.3.6.2", FIND_DOCUMENTS, &[("$XDSDocumentEntryType", STABLE)], EVERY_ENTRY),
    ("3.18.4.1.2.3.6.2", FIND_DOCUMENTS, &[("$XDSDocumentEntryType", ON_DEMAND)], "omega"),
    ("3.18.4.1.2.3.6.2", FIND_DOCUMENTS, &[("$XDSDocumentEntryType", "('urn:uuid:34268E47-FDF5-41A6-BA33-82133C465248')")], "omega"),
    ("3.18.4.1.2.3.6.2", FIND_DOCUMENTS, &[("$XDSDocumentEntryType", BOTH), ("$XDSDocumentEntryClassCode", "('class^^1.2.3.5')")], "delta gamma iota kappa lambda omega sigma snap zeta"),
    // Whatever a query does not know is passed over; home means nothing here.
    ("3.18.4.1.3", FIND_DOCUMENTS, &[("$XDSDocumentEntryClassCode", "('class1^^1.2.3.5')"), ("$Something", "'else'"), ("$XDSFolderStatus", "()")], "alpha"),
    ("3.18.4.1.2.3.8", FIND_DOCUMENTS, &[("$XDSDocumentEntryClassCode", "('class1^^1.2.3.5')"), ("$homeCommunityId", "'urn:oid:9.9'")], "alpha"),
    ("3.18.4.1.3", FIND_DOCUMENTS, &[("$XDSDocumentEntryPatientId", "'nobody^^^&1.2.3&ISO'")], ""),
    ("3.18.4.1.3", FIND_DOCUMENTS, &[("$XDSDocumentEntryPatientId", "'P1^^^&1.2.4&ISO'")], ""),
    // XDS Metadata Update: nothing was updated, and entries are online.
    ("MU $MetadataLevel", FIND_DOCUMENTS, &[("$MetadataLevel", "2"), ("$XDSDocumentEntryClassCode", "('class1^^1.2.3.5')")], "alpha"),
    ("MU availability", FIND_DOCUMENTS, &[("$XDSDocumentEntryDocumentAvailability", "('urn:ihe:iti:2010:DocumentAvailability:Online')"), ("$XDSDocumentEntryClassCode", "('class1^^1.2.3.5')")], "alpha"),
    ("MU availability", FIND_DOCUMENTS, &[("$XDSDocumentEntryDocumentAvailability", "('urn:ihe:iti:2010:DocumentAvailability:Offline')")], ""),

    // FindDocumentsByReferenceId.
    ("3.18.4.1.2.3.7.14", FIND_BY_REFERENCE, &[("$XDSDocumentEntryReferenceIdList", "('ref1^^^&1.2.3.9&ISO^urn:ihe:iti:xds:2013:order')")], "alpha"),
    ("3.18.4.1.2.3.7.14", FIND_BY_REFERENCE, &[("$XDSDocumentEntryReferenceIdList", "('ref1')")], ""),
    ("3.18.4.1.2.3.7.14 LIKE", FIND_BY_REFERENCE, &[("$XDSDocumentEntryReferenceIdList", "('ref_^%order')")], "alpha sigma"),
    ("3.18.4.1.2.3.7.14 OR", FIND_BY_REFERENCE, &[("$XDSDocumentEntryReferenceIdList", "('shared^^^^urn:example:case','none')")], "alpha sigma"),
    ("3.18.4.1.2.3.7.14 AND", FIND_BY_REFERENCE, &[("$XDSDocumentEntryReferenceIdList", "('shared^^^^urn:example:case')"), ("$XDSDocumentEntryReferenceIdList", "('ref2^%')")], "sigma"),
    ("3.18.4.1.2.3.7.14", FIND_BY_REFERENCE, &[("$XDSDocumentEntryReferenceIdList", "('%')"), ("$XDSDocumentEntryClassCode", "('class1^^1.2.3.5')")], "alpha"),

    // FindSubmissionSets.
    ("3.18.4.1.2.3.7.2", FIND_SETS, &[], "set1 set2 set3 set4 set5 set6 set7 set8"),
    ("3.18.4.1.2.3.7.2", FIND_SETS, &[("$XDSSubmissionSetStatus", DEPRECATED)], ""),
    ("3.18.4.1.2.3.7.2", FIND_SETS, &[("$XDSSubmissionSetSourceId", "('1.2.3.88')")], "set2"),
    ("3.18.4.1.2.3.7.2", FIND_SETS, &[("$XDSSubmissionSetSourceId", "('1.2.3.88','1.2.3.89')")], "set2"),
    ("3.18.4.1.2.3.7.2", FIND_SETS, &[("$XDSSubmissionSetSubmissionTimeFrom", "20260201")], "set2"),
    ("3.18.4.1.2.3.7.2", FIND_SETS, &[("$XDSSubmissionSetSubmissionTimeTo", "20260201")], "set1 set3 set4 set5 set6 set7 set8"),
    ("3.18.4.1.2.3.7.2", FIND_SETS, &[("$XDSSubmissionSetAuthorPerson", "'%Suzuki%'")], "set2"),
    ("3.18.4.1.2.3.7.2", FIND_SETS, &[("$XDSSubmissionSetContentType", "('other^^1.2.3.5')")], "set2"),
    ("3.18.4.1.2.3.7.2", FIND_SETS, &[("$XDSSubmissionSetPatientId", "'P2^^^&1.2.3&ISO'")], "mothers"),

    // FindFolders.
    ("3.18.4.1.2.3.7.3", FIND_FOLDERS, &[], "empty inpatient"),
    ("3.18.4.1.2.3.7.3", FIND_FOLDERS, &[("$XDSFolderStatus", DEPRECATED)], ""),
    ("3.18.4.1.2.3.7.3 OR", FIND_FOLDERS, &[("$XDSFolderCodeList", "('F^^1.2.3.5','H^^1.2.3.5')")], "empty inpatient"),
    ("3.18.4.1.2.3.7.3 AND", FIND_FOLDERS, &[("$XDSFolderCodeList", "('F^^1.2.3.5','H^^1.2.3.5')"), ("$XDSFolderCodeList", "('G^^1.2.3.5')")], "inpatient"),
    ("3.18.4.1.2.3.7.3", FIND_FOLDERS, &[("$XDSFolderLastUpdateTimeFrom", "2026")], "empty inpatient"),
    ("3.18.4.1.2.3.7.3", FIND_FOLDERS, &[("$XDSFolderLastUpdateTimeTo", "2026")], ""),

    // GetAll.
    ("3.18.4.1.2.3.7.4", GET_ALL, &[("$patientId", "'P2^^^&1.2.3&ISO'"), ("$XDSDocumentEntryStatus", APPROVED), ("$XDSSubmissionSetStatus", APPROVED), ("$XDSFolderStatus", APPROVED)],
        "mothers birth home mothers>birth mothers>home set8>birth"),
    ("3.18.4.1.2.3.7.4", GET_ALL, &[("$patientId", "'P2^^^&1.2.3&ISO'"), ("$XDSDocumentEntryStatus", APPROVED), ("$XDSSubmissionSetStatus", DEPRECATED), ("$XDSFolderStatus", DEPRECATED)],
        "birth mothers>birth set8>birth"),
    ("3.18.4.1.2.3.7.4", GET_ALL, &[("$patientId", P1), ("$XDSDocumentEntryStatus", DEPRECATED), ("$XDSSubmissionSetStatus", DEPRECATED), ("$XDSFolderStatus", DEPRECATED)],
        "beta set1>beta set2>beta zeta/beta"),
    ("3.18.4.1.2.3.7.4", GET_ALL, &[("$patientId", P1), ("$XDSDocumentEntryStatus", APPROVED), ("$XDSSubmissionSetStatus", DEPRECATED), ("$XDSFolderStatus", DEPRECATED), ("$XDSDocumentEntryFormatCode", "('format1^^1.2.3.5')")],
        "alpha set1>alpha inpatient>alpha gamma+alpha delta~alpha sigma!alpha"),
    ("3.18.4.1.2.3.7.4 AND", GET_ALL, &[("$patientId", P1), ("$XDSDocumentEntryStatus", APPROVED), ("$XDSSubmissionSetStatus", DEPRECATED), ("$XDSFolderStatus", DEPRECATED), ("$XDSDocumentEntryConfidentialityCode", "('N^^1.2.3.5')"), ("$XDSDocumentEntryConfidentialityCode", "('U^^1.2.3.5')")], ""),
    ("3.18.4.1.2.3.7.4", GET_ALL, &[("$patientId", P1), ("$XDSDocumentEntryStatus", APPROVED), ("$XDSSubmissionSetStatus", DEPRECATED), ("$XDSFolderStatus", DEPRECATED), ("$XDSDocumentEntryType", ON_DEMAND)],
        "omega set4>omega snap@omega"),

    ("MU status", GET_ALL, &[("$patientId", "'P2^^^&1.2.3&ISO'"), ("$XDSDocumentEntryStatus", APPROVED), ("$XDSSubmissionSetStatus", APPROVED), ("$XDSFolderStatus", APPROVED), ("$XDSAssociationStatus", DEPRECATED)],
        "mothers birth home"),

    // GetDocuments.
    ("3.18.4.1.2.3.7.5", GET_DOCUMENTS, &[("$XDSDocumentEntryEntryUUID", "('{alpha}','{beta}')|('{omega}')")], "alpha beta omega"),
    ("3.18.4.1.2.3.7.5", GET_DOCUMENTS, &[("$XDSDocumentEntryEntryUUID", "('{alpha}','{alpha}')")], "alpha"),
    ("3.18.4.1.2.3.7.5", GET_DOCUMENTS, &[("$XDSDocumentEntryEntryUUID", "({alpha},{gamma})")], "alpha gamma"),
    ("3.18.4.1.2.3.7.5", GET_DOCUMENTS, &[("$XDSDocumentEntryEntryUUID", "(' {alpha} ')")], "alpha"),
    ("3.18.4.1.2.3.7.5", GET_DOCUMENTS, &[("$XDSDocumentEntryEntryUUID", "('{set1}','{inpatient}','{nothing}','no uuid')")], ""),
    ("3.18.4.1.2.3.7.5", GET_DOCUMENTS, &[("$XDSDocumentEntryUniqueId", "('1.2.3.11','1.2.3.12','9.9')")], "alpha beta"),
    ("3.18.4.1.2.3.7.5", GET_DOCUMENTS, &[("$XDSDocumentEntryUniqueId", "('1.2.3.77')")], "iota kappa"),
    ("3.18.4.1.2.3.7.5", GET_DOCUMENTS, &[("$XDSDocumentEntryUniqueId", "('1.2.3.21')")], ""),
    ("MU logicalID", GET_DOCUMENTS, &[("$XDSDocumentEntryLogicalID", "('{alpha}')")], "alpha"),

    // GetFolders.
    ("3.18.4.1.2.3.7.6", GET_FOLDERS, &[("$XDSFolderEntryUUID", "('{inpatient}','{empty}','{alpha}')")], "empty inpatient"),
    ("3.18.4.1.2.3.7.6", GET_FOLDERS, &[("$XDSFolderUniqueId", "('1.2.3.31')")], "inpatient"),
    ("MU logicalID", GET_FOLDERS, &[("$XDSFolderLogicalID", "('{empty}')")], "empty"),

    // GetAssociations.
    ("3.18.4.1.2.3.7.7", GET_ASSOCIATIONS, &[("$uuid", "('{inpatient}')")], "set1>inpatient inpatient>alpha"),
    ("3.18.4.1.2.3.7.7", GET_ASSOCIATIONS, &[("$uuid", "('{inpatient>alpha}')")], "set1>inpatient>alpha"),
    ("3.18.4.1.2.3.7.7", GET_ASSOCIATIONS, &[("$uuid", "('{beta}','{set3}')")], "set1>beta set2>beta zeta/beta set3>zeta set3>empty"),
    ("MU status", GET_ASSOCIATIONS, &[("$uuid", "('{inpatient}')"), ("$XDSAssociationStatus", DEPRECATED)], ""),

    // GetDocumentsAndAssociations.
    ("3.18.4.1.2.3.7.8", GET_DOCUMENTS_AND_ASSOCIATIONS, &[("$XDSDocumentEntryEntryUUID", "('{zeta}')")], "zeta set3>zeta zeta/beta"),
    ("3.18.4.1.2.3.7.8", GET_DOCUMENTS_AND_ASSOCIATIONS, &[("$XDSDocumentEntryUniqueId", "('1.2.3.11')")], "alpha set1>alpha inpatient>alpha gamma+alpha delta~alpha sigma!alpha"),

    ("MU status", GET_DOCUMENTS_AND_ASSOCIATIONS, &[("$XDSDocumentEntryEntryUUID", "('{zeta}')"), ("$XDSAssociationStatus", DEPRECATED)], "zeta"),
    ("MU status", GET_DOCUMENTS_AND_ASSOCIATIONS, &[("$XDSDocumentEntryEntryUUID", "('{zeta}')"), ("$XDSAssociationStatus", ANY)], "zeta set3>zeta zeta/beta"),

    // GetSubmissionSets.
    ("3.18.4.1.2.3.7.9", GET_SETS, &[("$uuid", "('{beta}')")], "set1 set2 set1>beta set2>beta"),
    ("3.18.4.1.2.3.7.9", GET_SETS, &[("$uuid", "('{inpatient}','{zeta}')")], "set1 set3 set1>inpatient set3>zeta"),
    ("3.18.4.1.2.3.7.9", GET_SETS, &[("$uuid", "('{nothing}')")], ""),

    ("MU status", GET_SETS, &[("$uuid", "('{beta}')"), ("$XDSAssociationStatus", DEPRECATED)], ""),

    // GetSubmissionSetAndContents.
    ("3.18.4.1.2.3.7.10", GET_SET_AND_CONTENTS, &[("$XDSSubmissionSetEntryUUID", "'{set1}'")], CONTENTS_OF_SET1),
    ("3.18.4.1.2.3.7.10", GET_SET_AND_CONTENTS, &[("$XDSSubmissionSetUniqueId", "'1.2.3.21'")], CONTENTS_OF_SET1),
    ("3.18.4.1.2.3.7.10", GET_SET_AND_CONTENTS, &[("$XDSSubmissionSetEntryUUID", "'{set1}'"), ("$XDSDocumentEntryFormatCode", "('format^^1.2.3.5')")], "set1 beta inpatient set1>beta set1>inpatient"),
    ("3.18.4.1.2.3.7.10", GET_SET_AND_CONTENTS, &[("$XDSSubmissionSetEntryUUID", "'{set1}'"), ("$XDSDocumentEntryConfidentialityCode", "('N^^1.2.3.5')"), ("$XDSDocumentEntryConfidentialityCode", "('X^^1.2.3.5')")],
        "set1 alpha inpatient set1>alpha set1>inpatient inpatient>alpha set1>inpatient>alpha"),
    ("3.18.4.1.2.3.7.10", GET_SET_AND_CONTENTS, &[("$XDSSubmissionSetEntryUUID", "'{set2}'")],
        "set2 gamma delta sigma beta set2>gamma set2>delta set2>sigma set2>beta"),
    ("3.18.4.1.2.3.7.10", GET_SET_AND_CONTENTS, &[("$XDSSubmissionSetEntryUUID", "'{set4}'")], "set4"),
    ("3.18.4.1.2.3.7.10", GET_SET_AND_CONTENTS, &[("$XDSSubmissionSetEntryUUID", "'{set4}'"), ("$XDSDocumentEntryType", ON_DEMAND)], "set4 omega set4>omega"),
    ("3.18.4.1.2.3.7.10", GET_SET_AND_CONTENTS, &[("$XDSSubmissionSetEntryUUID", "'{alpha}'")], ""),

    ("MU status", GET_SET_AND_CONTENTS, &[("$XDSSubmissionSetEntryUUID", "'{set1}'"), ("$XDSAssociationStatus", DEPRECATED)], "set1"),

    // GetFolderAndContents.
    ("3.18.4.1.2.3.7.11", GET_FOLDER_AND_CONTENTS, &[("$XDSFolderEntryUUID", "'{inpatient}'")], "inpatient alpha inpatient>alpha"),
    ("3.18.4.1.2.3.7.11", GET_FOLDER_AND_CONTENTS, &[("$XDSFolderUniqueId", "'1.2.3.31'"), ("$XDSDocumentEntryFormatCode", "('format1^^1.2.3.5')")], "inpatient alpha inpatient>alpha"),
    ("3.18.4.1.2.3.7.11", GET_FOLDER_AND_CONTENTS, &[("$XDSFolderEntryUUID", "'{inpatient}'"), ("$XDSDocumentEntryFormatCode", "('x^^1.2.3.5')")], "inpatient"),
    ("3.18.4.1.2.3.7.11", GET_FOLDER_AND_CONTENTS, &[("$XDSFolderEntryUUID", "'{inpatient}'"), ("$XDSDocumentEntryConfidentialityCode", "('U^^1.2.3.5')")], "inpatient"),
    ("3.18.4.1.2.3.7.11", GET_FOLDER_AND_CONTENTS, &[("$XDSFolderEntryUUID", "'{inpatient}'"), ("$XDSDocumentEntryType", ON_DEMAND)], "inpatient"),
    ("3.18.4.1.2.3.7.11", GET_FOLDER_AND_CONTENTS, &[("$XDSFolderEntryUUID", "'{empty}'")], "empty"),

    ("MU status", GET_FOLDER_AND_CONTENTS, &[("$XDSFolderEntryUUID", "'{inpatient}'"), ("$XDSAssociationStatus", DEPRECATED)], "inpatient"),

    // GetFoldersForDocument.
    ("3.18.4.1.2.3.7.12", GET_FOLDERS_FOR_DOCUMENT, &[("$XDSDocumentEntryEntryUUID", "'{alpha}'")], "inpatient"),
    ("3.18.4.1.2.3.7.12", GET_FOLDERS_FOR_DOCUMENT, &[("$XDSDocumentEntryUniqueId", "'1.2.3.11'")], "inpatient"),
    ("3.18.4.1.2.3.7.12", GET_FOLDERS_FOR_DOCUMENT, &[("$XDSDocumentEntryEntryUUID", "'{beta}'")], ""),

    ("MU status", GET_FOLDERS_FOR_DOCUMENT, &[("$XDSDocumentEntryEntryUUID", "'{alpha}'"), ("$XDSAssociationStatus", DEPRECATED)], ""),

    // GetRelatedDocuments: one step, between entries.
    ("3.18.4.1.2.3.7.13", GET_RELATED, &[("$XDSDocumentEntryEntryUUID", "'{alpha}'"), ("$AssociationTypes", "('urn:ihe:iti:2007:AssociationType:APND','urn:ihe:iti:2007:AssociationType:XFRM')")], "alpha gamma delta gamma+alpha delta~alpha"),
    ("3.18.4.1.2.3.7.13", GET_RELATED, &[("$XDSDocumentEntryUniqueId", "'1.2.3.11'"), ("$AssociationTypes", "('urn:ihe:iti:2007:AssociationType:signs')")], "alpha sigma sigma!alpha"),
    ("3.18.4.1.2.3.7.13", GET_RELATED, &[("$XDSDocumentEntryEntryUUID", "'{gamma}'"), ("$AssociationTypes", "('urn:ihe:iti:2007:AssociationType:APND')")], "alpha gamma gamma+alpha"),
    ("3.18.4.1.2.3.7.13", GET_RELATED, &[("$XDSDocumentEntryEntryUUID", "'{zeta}'"), ("$AssociationTypes", "('urn:ihe:iti:2007:AssociationType:RPLC')")], "beta zeta zeta/beta"),
    ("3.18.4.1.2.3.7.13", GET_RELATED, &[("$XDSDocumentEntryEntryUUID", "'{alpha}'"), ("$AssociationTypes", "('urn:ihe:iti:2007:AssociationType:RPLC')")], ""),
    ("3.18.4.1.2.3.7.13", GET_RELATED, &[("$XDSDocumentEntryEntryUUID", "'{alpha}'"), ("$AssociationTypes", "('urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember')")], ""),
    ("3.18.4.1.2.3.7.13", GET_RELATED, &[("$XDSDocumentEntryUniqueId", "'1.2.3.77'"), ("$AssociationTypes", "('urn:ihe:iti:2007:AssociationType:APND')")], "kappa lambda lambda+kappa"),
    ("3.18.4.1.2.3.7.13", GET_RELATED, &[("$XDSDocumentEntryEntryUUID", "'{snap}'"), ("$AssociationTypes", "('urn:ihe:iti:2010:AssociationType:IsSnapshotOf')")], ""),
    ("3.18.4.1.2.3.7.13", GET_RELATED, &[("$XDSDocumentEntryEntryUUID", "'{snap}'"), ("$AssociationTypes", "('urn:ihe:iti:2010:AssociationType:IsSnapshotOf')"), ("$XDSDocumentEntryType", BOTH)], "omega snap snap@omega"),
    ("MU status", GET_RELATED, &[("$XDSDocumentEntryEntryUUID", "'{gamma}'"), ("$AssociationTypes", "('urn:ihe:iti:2007:AssociationType:APND')"), ("$XDSAssociationStatus", DEPRECATED)], ""),
];

/// Section, query, parameters; codes with a part of their codeContext.
type Refused = (&'static str, Query, Parameters, &'static [(&'static str, &'static str)]);

/// Section, query, more parameters, and the errors: code, and a part of the codeContext.
#[rustfmt::skip]
pub(super) const REFUSED: &[Refused] = &[
    ("3.18.4.1.3", query("none", "urn:uuid:00000000-0000-0000-0000-000000000000", &[]), &[], &[(code::UNKNOWN_STORED_QUERY, "urn:uuid:00000000-0000-0000-0000-000000000000")]),
    ("3.18.4.1.2.4", query("without urn:uuid:", "14d4debf-8f97-4251-9a74-a90016b0af0d", OF_ENTRIES), &[], &[(code::UNKNOWN_STORED_QUERY, "14d4debf")]),
    ("3.18.4.1.2.4", query("of ITI-51", FIND_FOR_SEVERAL.id, OF_ENTRIES), &[], &[(code::UNKNOWN_STORED_QUERY, "3d1bdb10")]),
    // Required parameters.
    ("3.18.4.1.3", FIND_DOCUMENTS, &[("$XDSDocumentEntryPatientId", "")], &[(code::STORED_QUERY_MISSING_PARAM, "$XDSDocumentEntryPatientId")]),
    ("3.18.4.1.3", FIND_DOCUMENTS, &[("$XDSDocumentEntryPatientId", ""), ("$XDSDocumentEntryStatus", "()")], &[(code::STORED_QUERY_MISSING_PARAM, "$XDSDocumentEntryPatientId"), (code::STORED_QUERY_MISSING_PARAM, "$XDSDocumentEntryStatus")]),
    ("3.18.4.1.2.3.6", FIND_DOCUMENTS, &[("$XDSDocumentEntryStatus", "('urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Approved')")], &[(code::STORED_QUERY_MISSING_PARAM, "no value that is known")]),
    ("3.18.4.1.3", FIND_BY_REFERENCE, &[], &[(code::STORED_QUERY_MISSING_PARAM, "$XDSDocumentEntryReferenceIdList")]),
    ("3.18.4.1.3", FIND_SETS, &[("$XDSSubmissionSetStatus", "")], &[(code::STORED_QUERY_MISSING_PARAM, "$XDSSubmissionSetStatus")]),
    ("3.18.4.1.3", FIND_FOLDERS, &[("$XDSFolderPatientId", "")], &[(code::STORED_QUERY_MISSING_PARAM, "$XDSFolderPatientId")]),
    ("3.18.4.1.3", GET_ALL, &[], &[(code::STORED_QUERY_MISSING_PARAM, "$patientId"), (code::STORED_QUERY_MISSING_PARAM, "$XDSDocumentEntryStatus"), (code::STORED_QUERY_MISSING_PARAM, "$XDSSubmissionSetStatus"), (code::STORED_QUERY_MISSING_PARAM, "$XDSFolderStatus")]),
    ("3.18.4.1.3", GET_DOCUMENTS, &[], &[(code::STORED_QUERY_MISSING_PARAM, "$XDSDocumentEntryEntryUUID")]),
    ("3.18.4.1.3", GET_FOLDERS, &[("$XDSFolderEntryUUID", "()")], &[(code::STORED_QUERY_MISSING_PARAM, "$XDSFolderEntryUUID")]),
    ("3.18.4.1.3", GET_ASSOCIATIONS, &[], &[(code::STORED_QUERY_MISSING_PARAM, "$uuid")]),
    ("3.18.4.1.3", GET_DOCUMENTS_AND_ASSOCIATIONS, &[], &[(code::STORED_QUERY_MISSING_PARAM, "$XDSDocumentEntryUniqueId")]),
    ("3.18.4.1.3", GET_SETS, &[("$uuid", "")], &[(code::STORED_QUERY_MISSING_PARAM, "$uuid")]),
    ("3.18.4.1.3", GET_SET_AND_CONTENTS, &[], &[(code::STORED_QUERY_MISSING_PARAM, "$XDSSubmissionSetEntryUUID")]),
    ("3.18.4.1.3", GET_FOLDER_AND_CONTENTS, &[], &[(code::STORED_QUERY_MISSING_PARAM, "$XDSFolderEntryUUID")]),
    ("3.18.4.1.3", GET_FOLDERS_FOR_DOCUMENT, &[], &[(code::STORED_QUERY_MISSING_PARAM, "$XDSDocumentEntryEntryUUID")]),
    ("3.18.4.1.3", GET_RELATED, &[("$XDSDocumentEntryEntryUUID", "'{alpha}'")], &[(code::STORED_QUERY_MISSING_PARAM, "$AssociationTypes")]),
    // One of two.
    ("3.18.4.1.2.3.7.5 note 1", GET_DOCUMENTS, &[("$XDSDocumentEntryEntryUUID", "('{alpha}')"), ("$XDSDocumentEntryUniqueId", "('1.2.3.11')")], &[(code::STORED_QUERY_PARAM_NUMBER, "exactly one")]),
    ("3.18.4.1.2.3.7.6 note 1", GET_FOLDERS, &[("$XDSFolderEntryUUID", "('{empty}')"), ("$XDSFolderUniqueId", "('1.2.3.31')")], &[(code::STORED_QUERY_PARAM_NUMBER, "exactly one")]),
    ("3.18.4.1.2.3.7.8 note 1", GET_DOCUMENTS_AND_ASSOCIATIONS, &[("$XDSDocumentEntryEntryUUID", "('{alpha}')"), ("$XDSDocumentEntryUniqueId", "('1.2.3.11')")], &[(code::STORED_QUERY_PARAM_NUMBER, "exactly one")]),
    ("3.18.4.1.2.3.7.10 note 1", GET_SET_AND_CONTENTS, &[("$XDSSubmissionSetEntryUUID", "'{set1}'"), ("$XDSSubmissionSetUniqueId", "'1.2.3.21'")], &[(code::STORED_QUERY_PARAM_NUMBER, "exactly one")]),
    ("3.18.4.1.2.3.7.11 note 1", GET_FOLDER_AND_CONTENTS, &[("$XDSFolderEntryUUID", "'{empty}'"), ("$XDSFolderUniqueId", "'1.2.3.31'")], &[(code::STORED_QUERY_PARAM_NUMBER, "exactly one")]),
    ("3.18.4.1.2.3.7.12 note 1", GET_FOLDERS_FOR_DOCUMENT, &[("$XDSDocumentEntryEntryUUID", "'{alpha}'"), ("$XDSDocumentEntryUniqueId", "'1.2.3.11'")], &[(code::STORED_QUERY_PARAM_NUMBER, "exactly one")]),
    ("3.18.4.1.2.3.7.13 note 1", GET_RELATED, &[("$XDSDocumentEntryEntryUUID", "'{alpha}'"), ("$XDSDocumentEntryUniqueId", "'1.2.3.11'"), ("$AssociationTypes", "('urn:ihe:iti:2007:AssociationType:RPLC')")], &[(code::STORED_QUERY_PARAM_NUMBER, "exactly one")]),
    // Several values where one is meant; Slots repeated whose attribute has one value.
    ("TF-3 4.2.4.1", FIND_DOCUMENTS, &[("$XDSDocumentEntryPatientId", "('P1^^^&1.2.3&ISO','P2^^^&1.2.3&ISO')")], &[(code::STORED_QUERY_PARAM_NUMBER, "$XDSDocumentEntryPatientId")]),
    ("TF-3 4.2.4.1", FIND_DOCUMENTS, &[("$XDSDocumentEntryPatientId", "'P1^^^&1.2.3&ISO'|'P2^^^&1.2.3&ISO'")], &[(code::STORED_QUERY_PARAM_NUMBER, "2 values")]),
    ("TF-3 4.2.4.1", FIND_DOCUMENTS, &[("$XDSDocumentEntryCreationTimeTo", "2026|2027")], &[(code::STORED_QUERY_PARAM_NUMBER, "$XDSDocumentEntryCreationTimeTo")]),
    ("TF-3 4.2.4.1", FIND_SETS, &[("$XDSSubmissionSetAuthorPerson", "('%a%','%b%')")], &[(code::STORED_QUERY_PARAM_NUMBER, "$XDSSubmissionSetAuthorPerson")]),
    ("TF-3 4.2.4.1", GET_SET_AND_CONTENTS, &[("$XDSSubmissionSetUniqueId", "('1.2','1.3')")], &[(code::STORED_QUERY_PARAM_NUMBER, "$XDSSubmissionSetUniqueId")]),
    ("TF-3 4.2.4.1", GET_FOLDER_AND_CONTENTS, &[("$XDSFolderEntryUUID", "('{inpatient}','{empty}')")], &[(code::STORED_QUERY_PARAM_NUMBER, "$XDSFolderEntryUUID")]),
    ("TF-3 4.2.4.1", GET_FOLDERS_FOR_DOCUMENT, &[("$XDSDocumentEntryUniqueId", "('1.2','1.3')")], &[(code::STORED_QUERY_PARAM_NUMBER, "$XDSDocumentEntryUniqueId")]),
    ("TF-3 4.2.4.1", GET_RELATED, &[("$XDSDocumentEntryEntryUUID", "('{alpha}','{beta}')"), ("$AssociationTypes", "('urn:ihe:iti:2007:AssociationType:RPLC')")], &[(code::STORED_QUERY_PARAM_NUMBER, "$XDSDocumentEntryEntryUUID")]),
    ("3.18.4.1.2.3.5 AND", FIND_DOCUMENTS, &[("$XDSDocumentEntryClassCode", "('a^^1.2')"), ("$XDSDocumentEntryClassCode", "('b^^1.2')")], &[(code::STORED_QUERY_PARAM_NUMBER, "several times")]),
    ("3.18.4.1.2.3.5 AND", GET_DOCUMENTS, &[("$XDSDocumentEntryEntryUUID", "('{alpha}')"), ("$XDSDocumentEntryEntryUUID", "('{beta}')")], &[(code::STORED_QUERY_PARAM_NUMBER, "several times")]),
    // What cannot be read, all of it at once.
    ("3.18.4.1.2.3.4", FIND_DOCUMENTS, &[("$XDSDocumentEntryClassCode", "('a')")], &[(code::REGISTRY_ERROR, "code^^scheme")]),
    ("3.18.4.1.2.3.4", FIND_DOCUMENTS, &[("$XDSDocumentEntryClassCode", "('a^^')")], &[(code::REGISTRY_ERROR, "code^^scheme")]),
    ("3.18.4.1.2.3.4", FIND_DOCUMENTS, &[("$XDSDocumentEntryClassCode", "('^^1.2.3.5')")], &[(code::REGISTRY_ERROR, "code^^scheme")]),
    ("3.18.4.1.2.3.4", FIND_DOCUMENTS, &[("$XDSDocumentEntryClassCode", "('^^a^^1.2.3.5')")], &[(code::REGISTRY_ERROR, "code^^scheme")]),
    ("3.18.4.1.2.3.4", FIND_DOCUMENTS, &[("$XDSDocumentEntryClassCode", "('a^^1.2.3.5^^')")], &[(code::REGISTRY_ERROR, "code^^scheme")]),
    ("3.18.4.1.2.3.4", FIND_DOCUMENTS, &[("$XDSDocumentEntryEventCodeList", "('')")], &[(code::REGISTRY_ERROR, "code^^scheme")]),
    ("3.18.4.1.2.3.5", FIND_DOCUMENTS, &[("$XDSDocumentEntryClassCode", "('a^^1.2'"), ("$XDSDocumentEntryTypeCode", "('a^^1.2)")], &[(code::REGISTRY_ERROR, "does not end with )"), (code::REGISTRY_ERROR, "quote is not closed")]),
    ("3.18.4.1.2.3.5", FIND_DOCUMENTS, &[("$XDSDocumentEntryClassCode", "('a^^1.2' 'b^^1.2')")], &[(code::REGISTRY_ERROR, "closing quote")]),
    ("Act 27 of 2013, article 20", FIND_DOCUMENTS, &[("$XDSDocumentEntryPatientId", "'123456789018^^^&1.2.3&ISO'")], &[(code::REGISTRY_ERROR, "My Number")]),
    ("3.18.4.1.2.3.5", FIND_DOCUMENTS, &[("$XDSDocumentEntryPatientId", "'P1'")], &[(code::REGISTRY_ERROR, "id^^^&OID&ISO")]),
    ("3.18.4.1.2.3.5", FIND_DOCUMENTS, &[("$XDSDocumentEntryPatientId", "'P1^^^NAME&1.2.3&ISO'")], &[(code::REGISTRY_ERROR, "id^^^&OID&ISO")]),
    ("3.18.4.1.2.3.5", FIND_DOCUMENTS, &[("$XDSDocumentEntryPatientId", "'P1^^^\\T\\1.2.3\\T\\ISO'")], &[(code::REGISTRY_ERROR, "id^^^&OID&ISO")]),
    ("3.18.4.1.2.3.3", FIND_DOCUMENTS, &[("$XDSDocumentEntryCreationTimeFrom", "2026-01-01")], &[(code::REGISTRY_ERROR, "DTM")]),
    ("3.18.4.1.2.3.3", FIND_DOCUMENTS, &[("$XDSDocumentEntryServiceStartTimeTo", "20260101000000+0900")], &[(code::REGISTRY_ERROR, "DTM")]),
    ("MU $MetadataLevel", FIND_DOCUMENTS, &[("$MetadataLevel", "'two'")], &[(code::REGISTRY_ERROR, "integer")]),
];

/// What is refused as whole objects, and found as references.
#[rustfmt::skip]
pub(super) const OF_TWO_PATIENTS: &[(&str, Query, Parameters, &str)] = &[
    ("3.18.4.1.2.3.7.5 note 3", GET_DOCUMENTS, &[("$XDSDocumentEntryEntryUUID", "('{alpha}','{birth}')")], "alpha birth"),
    ("3.18.4.1.2.3.7.5 note 3", GET_DOCUMENTS, &[("$XDSDocumentEntryUniqueId", "('1.2.3.11','1.2.3.13')")], "alpha birth"),
    ("3.18.4.1.2.3.7.6 note 3", GET_FOLDERS, &[("$XDSFolderEntryUUID", "('{empty}','{home}')")], "empty home"),
    ("3.18.4.1.2.3.7.8 note 3", GET_DOCUMENTS_AND_ASSOCIATIONS, &[("$XDSDocumentEntryEntryUUID", "('{zeta}','{birth}')")], "zeta set3>zeta zeta/beta birth mothers>birth set8>birth"),
    ("3.18.4.1.2.3.7.9 note 2", GET_SETS, &[("$uuid", "('{birth}')")], "mothers set8 mothers>birth set8>birth"),
    ("3.18.4.1.2.3.7.10 note 5", GET_SET_AND_CONTENTS, &[("$XDSSubmissionSetEntryUUID", "'{set8}'")], "set8 birth set8>birth"),
];

/// The same as [`ANSWERED`], of ITI-51.
#[rustfmt::skip]
pub(super) const FOR_SEVERAL: &[(&str, Query, Parameters, &str)] = &[
    ("3.51.4.1.2.3.1", FIND_FOR_SEVERAL, &[("$XDSDocumentEntryPatientId", "('P1^^^&1.2.3&ISO','P2^^^&1.2.3&ISO')"), ("$XDSDocumentEntryConfidentialityCode", "('N^^1.2.3.5','U^^1.2.3.5')")], "alpha birth delta gamma iota kappa lambda sigma snap zeta"),
    ("3.51.4.1.2.3.1", FIND_FOR_SEVERAL, &[("$XDSDocumentEntryPatientId", "('P1^^^&1.2.3&ISO')|('P2^^^&1.2.3&ISO')"), ("$XDSDocumentEntryCreationTimeTo", "2026")], "birth delta gamma iota kappa lambda snap zeta"),
    ("3.51.4.1.2.3.1", FIND_FOR_SEVERAL, &[("$XDSDocumentEntryClassCode", "('class1^^1.2.3.5')")], "alpha"),
    ("3.51.4.1.2.3.1", FIND_FOR_SEVERAL, &[("$XDSDocumentEntryEventCodeList", "('A^^1.2.3.5')"), ("$XDSDocumentEntryEventCodeList", "('B^^1.2.3.5')")], "alpha"),
    ("3.51.4.1.2.3.1", FIND_FOR_SEVERAL, &[("$XDSDocumentEntryHealthcareFacilityTypeCode", "('facility1^^1.2.3.5')")], "alpha"),
    ("3.51.4.1.2.3.1", FIND_FOR_SEVERAL, &[("$XDSDocumentEntryPatientId", "('P2^^^&1.2.3&ISO','nobody^^^&1.2.3&ISO')")], "birth"),
    ("3.51.4.1.2.3.2", FIND_FOLDERS_FOR_SEVERAL, &[("$XDSFolderPatientId", "('P1^^^&1.2.3&ISO','P2^^^&1.2.3&ISO')")], "empty home inpatient"),
    ("3.51.4.1.2.3.2", FIND_FOLDERS_FOR_SEVERAL, &[("$XDSFolderCodeList", "('F^^1.2.3.5')")], "home inpatient"),
    ("3.51.4.1.2.3.2", FIND_FOLDERS_FOR_SEVERAL, &[("$XDSFolderCodeList", "('F^^1.2.3.5')"), ("$XDSFolderCodeList", "('G^^1.2.3.5')"), ("$XDSFolderLastUpdateTimeFrom", "2026")], "inpatient"),
    ("3.51.4.1.2.3.2", FIND_FOLDERS_FOR_SEVERAL, &[("$XDSFolderCodeList", "('F^^1.2.3.5')"), ("$XDSFolderLastUpdateTimeTo", "2026")], ""),
    ("3.51.4.1.2.3.2", FIND_FOLDERS_FOR_SEVERAL, &[("$XDSFolderCodeList", "('F^^1.2.3.5')"), ("$XDSFolderStatus", DEPRECATED)], ""),
    ("3.51 (peers)", FIND_BY_REFERENCE_FOR_SEVERAL, &[("$XDSDocumentEntryReferenceIdList", "('shared^^^^urn:example:case')"), ("$XDSDocumentEntryPatientId", "('P2^^^&1.2.3&ISO')")], ""),
    ("3.51 (peers)", FIND_BY_REFERENCE_FOR_SEVERAL, &[("$XDSDocumentEntryReferenceIdList", "('shared^^^^urn:example:case')")], "alpha sigma"),
];

/// The same as [`REFUSED`], of ITI-51.
#[rustfmt::skip]
pub(super) const REFUSED_FOR_SEVERAL: &[Refused] = &[
    ("Act 27 of 2013, article 20", FIND_FOR_SEVERAL, &[("$XDSDocumentEntryPatientId", "('P1^^^&1.2.3&ISO','123456789018^^^&1.2.3&ISO')")], &[(code::REGISTRY_ERROR, "My Number")]),
    ("3.51.4.1.2.3.1", FIND_FOR_SEVERAL, &[], &[(code::STORED_QUERY_MISSING_PARAM, "at least one of")]),
    ("3.51.4.1.2.3.1", FIND_FOR_SEVERAL, &[("$XDSDocumentEntryTypeCode", "('type1^^1.2.3.5')")], &[(code::STORED_QUERY_MISSING_PARAM, "at least one of")]),
    ("3.51.4.1.2.3.1", FIND_FOR_SEVERAL, &[("$XDSDocumentEntryPatientId", P1), ("$XDSDocumentEntryStatus", "")], &[(code::STORED_QUERY_MISSING_PARAM, "$XDSDocumentEntryStatus")]),
    ("3.51.4.1.2.3.2", FIND_FOLDERS_FOR_SEVERAL, &[], &[(code::STORED_QUERY_MISSING_PARAM, "$XDSFolderCodeList")]),
    ("3.51.4.1.2.3", FIND_DOCUMENTS, &[], &[(code::UNKNOWN_STORED_QUERY, "3.51.4.1.2.3")]),
];
