//! Constants of the metadata model (ITI TF-3: 4.2.2, 4.2.3, 4.2.5).

/// DocumentEntry objectType of a stable document.
pub const STABLE: &str = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1";
/// DocumentEntry objectType of an on-demand document.
pub const ON_DEMAND: &str = "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248";
/// ClassificationNode of a SubmissionSet.
pub const SUBMISSION_SET: &str = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd";
/// ClassificationNode of a Folder.
pub const FOLDER: &str = "urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2";

/// ClassificationNodes of limited metadata (DocumentEntry, SubmissionSet, Folder): never in XDS.
pub const LIMITED_METADATA: [&str; 3] = [
    "urn:uuid:ab9b591b-83ab-4d03-8f5d-f93b1fb92e85",
    "urn:uuid:5003a9db-8d8d-49e6-bf0c-990e34ac7707",
    "urn:uuid:2c144a76-29a9-4b7c-af54-b25409fe7d03",
];

/// availabilityStatus Approved.
pub const APPROVED: &str = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved";
/// availabilityStatus Deprecated.
pub const DEPRECATED: &str = "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated";

/// documentAvailability: it can be retrieved.
pub const ONLINE: &str = "urn:ihe:iti:2010:DocumentAvailability:Online";
/// documentAvailability: it cannot be retrieved for now.
pub const OFFLINE: &str = "urn:ihe:iti:2010:DocumentAvailability:Offline";

/// objectType of what stands in an object (ITI TF-3: 4.2.3.1.2, 4.2.3.1.3).
pub mod object_type {
    /// Of a Classification.
    pub const CLASSIFICATION: &str =
        "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:Classification";
    /// Of an ExternalIdentifier.
    pub const EXTERNAL_IDENTIFIER: &str =
        "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:ExternalIdentifier";
    /// Of an Association.
    pub const ASSOCIATION: &str = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:Association";
    /// Of a RegistryPackage.
    pub const REGISTRY_PACKAGE: &str =
        "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:RegistryPackage";
}

/// Names of slots.
pub mod slot {
    /// DocumentEntry.creationTime
    pub const CREATION_TIME: &str = "creationTime";
    /// DocumentEntry.documentAvailability
    pub const DOCUMENT_AVAILABILITY: &str = "documentAvailability";
    /// DocumentEntry.hash
    pub const HASH: &str = "hash";
    /// DocumentEntry.languageCode
    pub const LANGUAGE_CODE: &str = "languageCode";
    /// DocumentEntry.legalAuthenticator
    pub const LEGAL_AUTHENTICATOR: &str = "legalAuthenticator";
    /// DocumentEntry.referenceIdList
    pub const REFERENCE_ID_LIST: &str = "urn:ihe:iti:xds:2013:referenceIdList";
    /// DocumentEntry.repositoryUniqueId
    pub const REPOSITORY_UNIQUE_ID: &str = "repositoryUniqueId";
    /// DocumentEntry.serviceStartTime
    pub const SERVICE_START_TIME: &str = "serviceStartTime";
    /// DocumentEntry.serviceStopTime
    pub const SERVICE_STOP_TIME: &str = "serviceStopTime";
    /// DocumentEntry.size
    pub const SIZE: &str = "size";
    /// DocumentEntry.sourcePatientId
    pub const SOURCE_PATIENT_ID: &str = "sourcePatientId";
    /// DocumentEntry.sourcePatientInfo
    pub const SOURCE_PATIENT_INFO: &str = "sourcePatientInfo";
    /// DocumentEntry.URI
    pub const URI: &str = "URI";
    /// SubmissionSet.submissionTime
    pub const SUBMISSION_TIME: &str = "submissionTime";
    /// SubmissionSet.intendedRecipient
    pub const INTENDED_RECIPIENT: &str = "intendedRecipient";
    /// Folder.lastUpdateTime
    pub const LAST_UPDATE_TIME: &str = "lastUpdateTime";
    /// The coding scheme of a code.
    pub const CODING_SCHEME: &str = "codingScheme";
    /// Author.authorPerson
    pub const AUTHOR_PERSON: &str = "authorPerson";
    /// Author.authorInstitution
    pub const AUTHOR_INSTITUTION: &str = "authorInstitution";
    /// Author.authorRole
    pub const AUTHOR_ROLE: &str = "authorRole";
    /// Author.authorSpecialty
    pub const AUTHOR_SPECIALTY: &str = "authorSpecialty";
    /// Author.authorTelecommunication
    pub const AUTHOR_TELECOMMUNICATION: &str = "authorTelecommunication";
    /// HasMember from a SubmissionSet: `Original` or `Reference`.
    pub const SUBMISSION_SET_STATUS: &str = "SubmissionSetStatus";
    /// Metadata Update: the version that is updated.
    pub const PREVIOUS_VERSION: &str = "PreviousVersion";
    /// Metadata Update: whether associations follow the new version.
    pub const ASSOCIATION_PROPAGATION: &str = "AssociationPropagation";
    /// Metadata Update: the status that is left.
    pub const ORIGINAL_STATUS: &str = "OriginalStatus";
    /// Metadata Update: the status that is wanted.
    pub const NEW_STATUS: &str = "NewStatus";
}

/// Classification schemes, by the attribute that they carry.
pub mod scheme {
    /// DocumentEntry.author
    pub const DE_AUTHOR: &str = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d";
    /// DocumentEntry.classCode
    pub const CLASS_CODE: &str = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a";
    /// DocumentEntry.confidentialityCode
    pub const CONFIDENTIALITY_CODE: &str = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f";
    /// DocumentEntry.eventCodeList
    pub const EVENT_CODE: &str = "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4";
    /// DocumentEntry.formatCode
    pub const FORMAT_CODE: &str = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d";
    /// DocumentEntry.healthcareFacilityTypeCode
    pub const FACILITY_TYPE_CODE: &str = "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1";
    /// DocumentEntry.practiceSettingCode
    pub const PRACTICE_SETTING_CODE: &str = "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead";
    /// DocumentEntry.typeCode
    pub const TYPE_CODE: &str = "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983";
    /// SubmissionSet.author
    pub const SS_AUTHOR: &str = "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d";
    /// SubmissionSet.contentTypeCode
    pub const CONTENT_TYPE_CODE: &str = "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500";
    /// Folder.codeList
    pub const FOLDER_CODE: &str = "urn:uuid:1ba97051-7806-41a8-a48b-8fce7af683c5";
    /// Association documentation
    pub const ASSOCIATION_DOCUMENTATION: &str = "urn:uuid:abd807a3-4432-4053-87b4-fd82c643d1f3";
}

/// Identification schemes of external identifiers.
pub mod identifier {
    /// DocumentEntry.patientId
    pub const DE_PATIENT_ID: &str = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427";
    /// DocumentEntry.uniqueId
    pub const DE_UNIQUE_ID: &str = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab";
    /// SubmissionSet.patientId
    pub const SS_PATIENT_ID: &str = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446";
    /// SubmissionSet.uniqueId
    pub const SS_UNIQUE_ID: &str = "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8";
    /// SubmissionSet.sourceId
    pub const SS_SOURCE_ID: &str = "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832";
    /// Folder.patientId
    pub const FOLDER_PATIENT_ID: &str = "urn:uuid:f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a";
    /// Folder.uniqueId
    pub const FOLDER_UNIQUE_ID: &str = "urn:uuid:75df8f67-9973-4fbe-a900-df66cefecc5a";

    /// The Name that an ExternalIdentifier of a scheme must have (ITI TF-3: 4.2.3.1.3).
    pub fn name(scheme: &str) -> Option<&'static str> {
        NAMES.iter().find(|(known, _)| *known == scheme).map(|(_, name)| *name)
    }

    const NAMES: &[(&str, &str)] = &[
        (DE_PATIENT_ID, "XDSDocumentEntry.patientId"),
        (DE_UNIQUE_ID, "XDSDocumentEntry.uniqueId"),
        (SS_PATIENT_ID, "XDSSubmissionSet.patientId"),
        (SS_UNIQUE_ID, "XDSSubmissionSet.uniqueId"),
        (SS_SOURCE_ID, "XDSSubmissionSet.sourceId"),
        (FOLDER_PATIENT_ID, "XDSFolder.patientId"),
        (FOLDER_UNIQUE_ID, "XDSFolder.uniqueId"),
    ];
}

/// Association types.
pub mod association {
    /// Membership.
    pub const HAS_MEMBER: &str = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember";
    /// Replace.
    pub const RPLC: &str = "urn:ihe:iti:2007:AssociationType:RPLC";
    /// Transform.
    pub const XFRM: &str = "urn:ihe:iti:2007:AssociationType:XFRM";
    /// Append.
    pub const APND: &str = "urn:ihe:iti:2007:AssociationType:APND";
    /// Transform and replace.
    pub const XFRM_RPLC: &str = "urn:ihe:iti:2007:AssociationType:XFRM_RPLC";
    /// Digital signature.
    pub const SIGNS: &str = "urn:ihe:iti:2007:AssociationType:signs";
    /// Stable snapshot of an on-demand entry.
    pub const IS_SNAPSHOT_OF: &str = "urn:ihe:iti:2010:AssociationType:IsSnapshotOf";
    /// Metadata Update: a change of status.
    pub const UPDATE_AVAILABILITY_STATUS: &str = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus";
    /// Metadata Update: a new association.
    pub const SUBMIT_ASSOCIATION: &str = "urn:ihe:iti:2010:AssociationType:SubmitAssociation";
    /// Metadata Update: the trace of a change that made no new version. In answers only.
    pub const NON_VERSIONING_UPDATE: &str = "urn:ihe:iti:2010:AssociationType:NonVersioningUpdate";
}
