//! The rules as data. Most are rows of [`ATTRIBUTES`]: where an attribute lives, how often it must be there in which
//! transaction, and what form its values have. The others, which look at an object as a whole or at several, are
//! [`RULES`], and the engine says where they are broken. A rule's id never changes: settings and peers' reports name it.

use super::Class;
use super::values::{self, Form};
use crate::metadata::codes::{identifier, scheme, slot};
use crate::metadata::rim::Kind;

/// A rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its stable name.
    pub id: &'static str,
    /// Where the Technical Framework has it.
    pub section: &'static str,
    /// What its violation becomes.
    pub class: Class,
    /// What it asks for, as a sentence without its end; of an attribute's rules, what the attribute is.
    pub text: &'static str,
}

/// An attribute of the XDS model.
#[derive(Debug)]
pub struct Attribute {
    /// Whose.
    pub kind: Kind,
    /// Where it lives.
    pub place: Place,
    /// How often it must be there, by transaction.
    pub counts: Counts,
    /// The rule of that.
    pub cardinality: Rule,
    /// The forms of its values, each with its rule.
    pub forms: &'static [(Rule, Form)],
}

/// Where an attribute lives in ebRIM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The values of a slot.
    Slot(&'static str),
    /// Classifications of a scheme that carry a code.
    Code(&'static str),
    /// Classifications of a scheme that carry an author.
    Author(&'static str),
    /// External identifiers of a scheme.
    Identifier(&'static str),
    /// The attribute `id`.
    Id,
    /// The attribute `lid`.
    Lid,
    /// The attribute `home`.
    Home,
    /// The attribute `status`.
    Status,
    /// The attribute `mimeType`.
    MimeType,
    /// The attribute `objectType`.
    ObjectType,
    /// VersionInfo.
    Version,
    /// The Name's localized strings.
    Name,
    /// A slot of an author's classification.
    AuthorSlot(&'static str),
}

/// At least, at most.
pub type Count = (usize, usize);

/// How often an attribute must be there.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    /// ITI-41.
    pub provide: Count,
    /// ITI-42.
    pub register: Count,
    /// ITI-61.
    pub register_on_demand: Count,
    /// Query answers, of stable entries and of what is no entry.
    pub response: Count,
    /// Query answers, of on-demand entries.
    pub response_on_demand: Count,
}

const NONE: Count = (0, 0);
const OPTIONAL: Count = (0, 1);
const ONE: Count = (1, 1);
const SOME: Count = (1, usize::MAX);
const MANY: Count = (0, usize::MAX);

const fn always(count: Count) -> Counts {
    in_answers(count, count)
}

const fn in_answers(submitted: Count, answered: Count) -> Counts {
    Counts {
        provide: submitted,
        register: submitted,
        register_on_demand: submitted,
        response: answered,
        response_on_demand: answered,
    }
}

/// What only a stable document can have.
const fn stable(provide: Count, register: Count, response: Count) -> Counts {
    Counts { provide, register, register_on_demand: NONE, response, response_on_demand: NONE }
}

/// What the repository adds to what its source submits (ITI TF-2: 3.41.4.1.3).
const FROM_REPOSITORY: Counts = Counts {
    provide: OPTIONAL,
    register: ONE,
    register_on_demand: ONE,
    response: ONE,
    response_on_demand: ONE,
};

macro_rules! attributes {
    ($($kind:ident $name:literal $label:literal $section:literal $place:ident $(($key:expr))?, $counts:expr;
        $($suffix:literal $form:ident),* ;)*) => {
        /// Every attribute that has rules.
        pub const ATTRIBUTES: &[Attribute] = &[$(Attribute {
            kind: Kind::$kind,
            place: Place::$place $(($key))?,
            counts: $counts,
            cardinality: Rule {
                id: concat!($name, ".cardinality"),
                section: concat!("ITI TF-3: ", $section),
                class: Class::Metadata,
                text: $label,
            },
            forms: &[$((
                Rule {
                    id: concat!($name, ".", $suffix),
                    section: concat!("ITI TF-3: ", $section),
                    class: Class::Metadata,
                    text: $label,
                },
                values::$form,
            )),*],
        }),*];
    };
}

attributes! {
    DocumentEntry "de.id" "entryUUID" "4.2.3.2.7" Id, always(ONE);;
    DocumentEntry "de.logical-id" "logicalID" "4.2.3.2" Lid, in_answers(OPTIONAL, ONE); "uuid" UUID;
    DocumentEntry "de.version" "version" "4.2.3.2" Version, in_answers(OPTIONAL, ONE);;
    DocumentEntry "de.home" "homeCommunityId" "4.2.3.2.12" Home, always(MANY); "urn" HOME;
    DocumentEntry "de.author" "author" "4.2.3.2.1" Author(scheme::DE_AUTHOR), always(MANY);;
    DocumentEntry "de.availability-status" "availabilityStatus" "4.2.3.2.2" Status, in_answers(OPTIONAL, ONE);
        "value" STATUS;
    DocumentEntry "de.class-code" "classCode" "4.2.3.2.3" Code(scheme::CLASS_CODE), always(ONE);;
    DocumentEntry "de.confidentiality-code" "confidentialityCode" "4.2.3.2.5" Code(scheme::CONFIDENTIALITY_CODE),
        always(SOME);;
    DocumentEntry "de.creation-time" "creationTime" "4.2.3.2.6" Slot(slot::CREATION_TIME),
        stable(ONE, ONE, ONE);
        "dtm" DTM;
    DocumentEntry "de.event-code" "eventCodeList" "4.2.3.2.8" Code(scheme::EVENT_CODE), always(MANY);;
    DocumentEntry "de.format-code" "formatCode" "4.2.3.2.9" Code(scheme::FORMAT_CODE), always(ONE);;
    DocumentEntry "de.hash" "hash" "4.2.3.2.10" Slot(slot::HASH), stable(OPTIONAL, ONE, ONE); "sha1" HASH;
    DocumentEntry "de.facility-type-code" "healthcareFacilityTypeCode" "4.2.3.2.11" Code(scheme::FACILITY_TYPE_CODE),
        always(ONE);;
    DocumentEntry "de.language-code" "languageCode" "4.2.3.2.13" Slot(slot::LANGUAGE_CODE), always(ONE);
        "language" LANGUAGE;
    DocumentEntry "de.legal-authenticator" "legalAuthenticator" "4.2.3.2.14" Slot(slot::LEGAL_AUTHENTICATOR),
        stable(OPTIONAL, OPTIONAL, OPTIONAL); "xcn" XCN;
    DocumentEntry "de.mime-type" "mimeType" "4.2.3.2.15" MimeType, always(ONE); "mime" MIME;
    DocumentEntry "de.patient-id" "patientId" "4.2.3.2.16" Identifier(identifier::DE_PATIENT_ID),
        always(ONE); "cx" CX;
    DocumentEntry "de.practice-setting-code" "practiceSettingCode" "4.2.3.2.17" Code(scheme::PRACTICE_SETTING_CODE),
        always(ONE);;
    DocumentEntry "de.repository-unique-id" "repositoryUniqueId" "4.2.3.2.18" Slot(slot::REPOSITORY_UNIQUE_ID),
        FROM_REPOSITORY; "oid" OID;
    DocumentEntry "de.service-start-time" "serviceStartTime" "4.2.3.2.19" Slot(slot::SERVICE_START_TIME),
        always(OPTIONAL); "dtm" DTM;
    DocumentEntry "de.service-stop-time" "serviceStopTime" "4.2.3.2.20" Slot(slot::SERVICE_STOP_TIME),
        always(OPTIONAL); "dtm" DTM;
    DocumentEntry "de.size" "size" "4.2.3.2.21" Slot(slot::SIZE), stable(OPTIONAL, ONE, ONE); "number" SIZE;
    DocumentEntry "de.source-patient-id" "sourcePatientId" "4.2.3.2.22" Slot(slot::SOURCE_PATIENT_ID),
        always(ONE);
        "cx" CX;
    DocumentEntry "de.source-patient-info" "sourcePatientInfo" "4.2.3.2.23" Slot(slot::SOURCE_PATIENT_INFO),
        always(MANY); "pid" PID, "discouraged" PID_ENCOURAGED;
    DocumentEntry "de.title" "title" "4.2.3.2.24" Name, always(MANY); "length" TITLE;
    DocumentEntry "de.type-code" "typeCode" "4.2.3.2.25" Code(scheme::TYPE_CODE), always(ONE);;
    DocumentEntry "de.unique-id" "uniqueId" "4.2.3.2.26" Identifier(identifier::DE_UNIQUE_ID), always(ONE);
        "identifier" UNIQUE_ID;
    DocumentEntry "de.uri" "URI" "4.2.3.2.27" Slot(slot::URI), always(OPTIONAL); "uri" URI;
    DocumentEntry "de.reference-id-list" "referenceIdList" "4.2.3.2.28" Slot(slot::REFERENCE_ID_LIST),
        always(MANY);
        "cxi" CXI;
    DocumentEntry "de.object-type" "objectType" "4.2.3.2.30" ObjectType, always(ONE); "value" OBJECT_TYPE;
    DocumentEntry "de.document-availability" "documentAvailability" "4.2.3.2" Slot(slot::DOCUMENT_AVAILABILITY),
        always(OPTIONAL); "value" AVAILABILITY;

    SubmissionSet "ss.id" "entryUUID" "4.2.3.3.5" Id, always(ONE);;
    SubmissionSet "ss.home" "homeCommunityId" "4.2.3.3.6" Home, always(MANY); "urn" HOME;
    SubmissionSet "ss.author" "author" "4.2.3.3.1" Author(scheme::SS_AUTHOR), always(MANY);;
    SubmissionSet "ss.availability-status" "availabilityStatus" "4.2.3.3.2" Status, in_answers(OPTIONAL, ONE);
        "approved" APPROVED;
    SubmissionSet "ss.content-type-code" "contentTypeCode" "4.2.3.3.4" Code(scheme::CONTENT_TYPE_CODE),
        always(ONE);;
    SubmissionSet "ss.intended-recipient" "intendedRecipient" "4.2.3.3.7" Slot(slot::INTENDED_RECIPIENT),
        always(MANY); "recipient" RECIPIENT;
    SubmissionSet "ss.patient-id" "patientId" "4.2.3.3.8" Identifier(identifier::SS_PATIENT_ID),
        always(ONE); "cx" CX;
    SubmissionSet "ss.source-id" "sourceId" "4.2.3.3.9" Identifier(identifier::SS_SOURCE_ID),
        always(ONE); "oid" OID;
    SubmissionSet "ss.submission-time" "submissionTime" "4.2.3.3.10" Slot(slot::SUBMISSION_TIME), always(ONE);
        "dtm" DTM;
    SubmissionSet "ss.title" "title" "4.2.3.3.11" Name, always(MANY); "length" LONG_TITLE;
    SubmissionSet "ss.unique-id" "uniqueId" "4.2.3.3.12" Identifier(identifier::SS_UNIQUE_ID),
        always(ONE); "oid" OID;

    Folder "folder.id" "entryUUID" "4.2.3.4.4" Id, always(ONE);;
    Folder "folder.logical-id" "logicalID" "4.2.3.4" Lid, in_answers(OPTIONAL, ONE); "uuid" UUID;
    Folder "folder.version" "version" "4.2.3.4" Version, in_answers(OPTIONAL, ONE);;
    Folder "folder.home" "homeCommunityId" "4.2.3.4.5" Home, always(MANY); "urn" HOME;
    Folder "folder.availability-status" "availabilityStatus" "4.2.3.4.1" Status, in_answers(OPTIONAL, ONE);
        "value" STATUS;
    Folder "folder.code" "codeList" "4.2.3.4.2" Code(scheme::FOLDER_CODE), always(SOME);;
    Folder "folder.last-update-time" "lastUpdateTime" "4.2.3.4.6" Slot(slot::LAST_UPDATE_TIME),
        in_answers(OPTIONAL, ONE); "seconds" SECONDS;
    Folder "folder.patient-id" "patientId" "4.2.3.4.7" Identifier(identifier::FOLDER_PATIENT_ID),
        always(ONE); "cx" CX;
    Folder "folder.title" "title" "4.2.3.4.8" Name, always(SOME); "length" LONG_TITLE;
    Folder "folder.unique-id" "uniqueId" "4.2.3.4.9" Identifier(identifier::FOLDER_UNIQUE_ID),
        always(ONE); "oid" OID;

    Association "assoc.id" "id" "4.2.2" Id, always(ONE);;
    Association "assoc.documentation" "association documentation" "4.2.2.2"
        Code(scheme::ASSOCIATION_DOCUMENTATION), always(OPTIONAL);;
}

macro_rules! author {
    ($($name:literal $label:literal $slot:expr, $count:expr; $suffix:literal $form:ident;)*) => {
        /// What an author's classification holds: the same for DocumentEntry and SubmissionSet.
        pub const AUTHOR: &[Attribute] = &[$(Attribute {
            kind: Kind::DocumentEntry,
            place: Place::AuthorSlot($slot),
            counts: always($count),
            cardinality: Rule {
                id: concat!($name, ".cardinality"),
                section: "ITI TF-3: 4.2.3.1.4",
                class: Class::Metadata,
                text: $label,
            },
            forms: &[(
                Rule {
                    id: concat!($name, ".", $suffix),
                    section: "ITI TF-3: 4.2.3.1.4",
                    class: Class::Metadata,
                    text: $label,
                },
                values::$form,
            )],
        }),*];
    };
}

author! {
    "author.person" "authorPerson" slot::AUTHOR_PERSON, OPTIONAL; "xcn" XCN;
    "author.institution" "authorInstitution" slot::AUTHOR_INSTITUTION, MANY; "xon" XON;
    "author.role" "authorRole" slot::AUTHOR_ROLE, MANY; "coded" CODED;
    "author.specialty" "authorSpecialty" slot::AUTHOR_SPECIALTY, MANY; "coded" CODED;
    "author.telecommunication" "authorTelecommunication" slot::AUTHOR_TELECOMMUNICATION, MANY; "xtn" XTN;
}

macro_rules! rules {
    ($($name:ident $id:literal $section:literal $class:ident $text:literal;)*) => {
        $(
            #[doc = concat!($text, ".")]
            pub const $name: Rule = Rule {
                id: $id,
                section: concat!("ITI ", $section),
                class: Class::$class,
                text: $text,
            };
        )*
        /// The rules that are no attribute's own.
        pub const RULES: &[Rule] = &[$($name),*];
    };
}

rules! {
    SLOT_NAME "slot.name.cardinality" "TF-3: 4.2.3.1.1" Metadata
        "a Slot has a name";
    SLOT_UNIQUE "slot.name.unique" "TF-3: 4.2.3.1.1" Metadata
        "no two Slots of one object or classification have one name";
    SLOT_LENGTH "slot.value.length" "TF-3: 4.2.3.1.1" Metadata
        "a Slot's value has at most 256 characters";
    SLOT_KNOWN "slot.name.known" "TF-3: 4.2.3.1.6" Metadata
        "a Slot's name is one of the model's, or that of extra metadata: a URN outside of urn:ihe:";
    LID_UNIQUE "object.lid.unique" "TF-3: 4.2.1" Metadata
        "no two objects of a submission have one lid";
    ID_UNIQUE "object.id.unique" "TF-3: 4.2.3.1.5" Metadata
        "no two objects of a message have one id";
    ID_UUID "object.id.uuid" "TF-3: 4.2.3.1.5" Metadata
        "an id that begins with urn:uuid: is a UUID; in an answer every id is";
    ID_CASE "object.id.lower-case" "TF-3: 4.2.3.1.5" Metadata
        "a UUID is written in lower case";
    OBJECT_ATTRIBUTE "object.attribute.known" "TF-3: 4.2.1" Metadata
        "an object has no other attributes than ebRIM gives it";
    TEXT_LENGTH "object.text.length" "TF-3: 4.2.1" Metadata
        "names, codes and identifiers have at most 256 characters, texts for people 1,024";
    TEXT_LANGUAGE "object.text.language" "TF-3: 4.2.1" Metadata
        "the xml:lang of a text is a language tag";
    LIMITED "object.limited-metadata.prohibited" "TF-3: 4.2.3.2.29" Metadata
        "limited metadata has no place in XDS";

    CODE "cl.code.cardinality" "TF-3: 4.2.3.1.2" Metadata
        "a classification has a code: its nodeRepresentation is not empty";
    CODING_SCHEME "cl.coding-scheme.cardinality" "TF-3: 4.2.3.1.2" Metadata
        "a classification has exactly one codingScheme, which is not empty";
    DISPLAY_NAME "cl.display-name.cardinality" "TF-3: 4.2.3.1.2" Metadata
        "a code has a display name: the classification's Name, not empty";
    CODE_LISTED "cl.code.listed" "TF-2: 3.42.4.1.3.3" Metadata
        "where the affinity domain lists an attribute's codes, code and scheme are among them";
    MIME_TYPE_LISTED "de.mime-type.listed" "TF-2: 3.42.4.1.3.3" Metadata
        "where the affinity domain lists media types, mimeType is among them";
    CLASSIFIED_OBJECT "cl.classified-object.reference" "TF-3: 4.2.3.1.2" Metadata
        "a classification's classifiedObject is the id of the object that holds it";
    CLASSIFICATION_ID "cl.id.cardinality" "TF-3: 4.2.3.1.2" Metadata
        "a classification has an id";
    AUTHOR_CODE "author.code.prohibited" "TF-3: 4.2.3.1.4" Metadata
        "an author's classification has an empty nodeRepresentation, since an author is no code";
    AUTHOR_SOMEBODY "author.identity.cardinality" "TF-3: 4.2.3.1.4" Metadata
        "an author has an authorPerson, authorInstitution or authorTelecommunication";
    IDENTIFIER_OBJECT "ei.registry-object.reference" "TF-3: 4.2.3.1.3" Metadata
        "an external identifier's registryObject is the id of the object that holds it";
    IDENTIFIER_NAME "ei.name.value" "TF-3: 4.2.3.1.3" Metadata
        "an external identifier's Name is that of its scheme, such as XDSDocumentEntry.patientId";
    IDENTIFIER_ID "ei.id.cardinality" "TF-3: 4.2.3.1.3" Metadata
        "an external identifier has an id";

    CHRONOLOGY "de.service-time.chronology" "TF-3: 4.2.3.2.20" Metadata
        "serviceStartTime is not after serviceStopTime";
    PID_REPEATED "de.source-patient-info.repetition" "TF-3: 4.2.3.2.23" Metadata
        "sourcePatientInfo has at most one PID-7 and at most one PID-8";
    TITLE_CHARSET "de.title.charset" "TF-3: 4.2.3.2.24" Metadata
        "a title's charset is UTF-8";
    ON_DEMAND "de.object-type.transaction" "TF-3: 4.2.3.2.30" Metadata
        "entries are on-demand in ITI-61, and stable in ITI-41 and ITI-42";
    FOLDER_APPROVED "folder.availability-status.approved" "TF-3: 4.2.3.4.1" Metadata
        "a folder is submitted as Approved";

    SET_COUNT "submission.set.cardinality" "TF-3: 4.1.4" Metadata
        "a submission has exactly one SubmissionSet";
    SET_HOME "submission.set.home" "RMU: 3.92.4.1.3.1" MissingHomeCommunityId
        "in ITI-92, the SubmissionSet names the community whose entry is updated";
    SET_MEMBERS "submission.has-member.cardinality" "TF-3: 4.1.4" Metadata
        "the SubmissionSet has a HasMember to every entry and folder of the submission";
    DE_PATIENT "de.patient-id.same" "TF-2: 3.42.4.1.3" PatientIdDoesNotMatch
        "an entry's patientId is the SubmissionSet's";
    FOLDER_PATIENT "folder.patient-id.same" "TF-2: 3.42.4.1.3" PatientIdDoesNotMatch
        "a folder's patientId is the SubmissionSet's";
    UNIQUE_ID_UNIQUE "submission.unique-id.unique" "TF-3: 4.2.4.1" DuplicateUniqueIdInMessage
        "no two objects of a submission have one uniqueId";
    RESPONSE_PATIENT "response.patient-id.single" "TF-2: 3.18.4.1.3" ResultNotSinglePatient
        "all objects of an answer belong to one patient";
    REF_ID "object-ref.id.cardinality" "TF-3: 4.2.1" Metadata
        "an ObjectRef has an id";

    ASSOCIATION_TYPE "assoc.type.known" "TF-3: 4.2.2" Metadata
        "an association's type is one that the transaction has";
    ASSOCIATION_ENDS "assoc.ends.cardinality" "TF-3: 4.2.2" Metadata
        "an association has a sourceObject and a targetObject";
    ASSOCIATION_SELF "assoc.ends.different" "TF-3: 4.2.2" Metadata
        "an association does not lead to where it begins";
    SYMBOLIC "assoc.ends.symbolic" "TF-3: 4.2.3.1.5" UnresolvedReference
        "a symbolic id names an object of the submission";
    DOCUMENTATION "assoc.documentation.prohibited" "TF-3: 4.2.2.2" Metadata
        "association documentation stands on RPLC, APND, XFRM and XFRM_RPLC only";
    MEMBER_SOURCE "assoc.has-member.source" "TF-3: 4.2.2.1" Metadata
        "a HasMember leads from a SubmissionSet or a folder";
    MEMBER_TARGET "assoc.has-member.target" "TF-3: 4.2.2.1" Metadata
        "a folder's HasMember leads to an entry, a SubmissionSet's to an entry, a folder or a HasMember";
    MEMBER_STATUS "assoc.has-member.status-slot" "TF-3: 4.2.1.4.1" Metadata
        "a HasMember from a SubmissionSet to an entry, in the submission or not, has exactly one SubmissionSetStatus, Original \
         or Reference";
    MEMBER_ORIGINAL "assoc.has-member.original-target" "TF-3: 4.2.1.4.1" Metadata
        "a member with SubmissionSetStatus Original is in the submission";
    MEMBER_REFERENCE "assoc.has-member.reference-target" "TF-3: 4.2.1.4.1" Metadata
        "a member with SubmissionSetStatus Reference is not in the submission";
    UPDATE_SLOTS "assoc.update-slots.prohibited" "TF-2: 3.42.4.1.3" Metadata
        "PreviousVersion and AssociationPropagation stand in Metadata Update only";
    RELATION_SOURCE "assoc.relation.source" "TF-2: 3.42.4.1.3.5" UnresolvedReference
        "an association between entries leads from an entry of the submission";
    RELATION_TARGET "assoc.relation.target" "TF-2: 3.42.4.1.3.5" UnresolvedReference
        "what RPLC, XFRM_RPLC and IsSnapshotOf lead to is in the registry, not in the submission";
    SNAPSHOT_SOURCE "assoc.snapshot.source" "TF-3: 4.2.2.2" Metadata
        "IsSnapshotOf leads from a stable entry";

    DOCUMENT_MISSING "document.of-entry.cardinality" "TF-2: 3.41.4.1.3" MissingDocument
        "every stable entry has its document in the message";
    ENTRY_MISSING "document.entry.cardinality" "TF-2: 3.41.4.1.3" MissingDocumentMetadata
        "every document has its entry in the message";
    DOCUMENT_UNIQUE "document.id.unique" "TF-2: 3.41.4.1.2" Metadata
        "no two documents of a message have one id";
    DOCUMENT_HASH "document.hash.content" "TF-2: 3.41.4.1.3" Metadata
        "an entry's hash is that of its document";
    DOCUMENT_SIZE "document.size.content" "TF-2: 3.41.4.1.3" Metadata
        "an entry's size is that of its document";
    DOCUMENT_TYPE "document.type.content" "TF-3: 4.2.3.2.15" DocumentContent
        "by its first bytes, a document is of no other media type than its entry says, and is no program; nor is what a CDA's \
         nonXMLBody holds";
    DOCUMENT_SIGNATURE "document.type.signature" "TF-3: 4.2.3.2.15" DocumentContent
        "a document of a media type that has a signature begins with it; so does what a CDA's nonXMLBody holds";
    DOCUMENT_ALLOWED "document.type.allowed" "TF-2: 3.42.4.1.3.3" DocumentContent
        "where the configuration lists what documents may be, a document, and what a CDA's nonXMLBody holds, is among it";
    CDA_READABLE "document.cda.readable" "TF-3: 4.2.3.2.15" DocumentContent
        "a CDA can be looked into: well-formed in UTF-8, its body within the first 256 KiB, its nonXMLBody in base64, uncompressed";
}

/// Slots that the model has, by whose they are; other names are extra metadata.
pub const SLOTS: &[(Kind, &[&str])] = &[
    (
        Kind::DocumentEntry,
        &[
            slot::CREATION_TIME,
            slot::DOCUMENT_AVAILABILITY,
            slot::HASH,
            slot::LANGUAGE_CODE,
            slot::LEGAL_AUTHENTICATOR,
            slot::REFERENCE_ID_LIST,
            slot::REPOSITORY_UNIQUE_ID,
            slot::SERVICE_START_TIME,
            slot::SERVICE_STOP_TIME,
            slot::SIZE,
            slot::SOURCE_PATIENT_ID,
            slot::SOURCE_PATIENT_INFO,
            slot::URI,
        ],
    ),
    (Kind::SubmissionSet, &[slot::SUBMISSION_TIME, slot::INTENDED_RECIPIENT]),
    (Kind::Folder, &[slot::LAST_UPDATE_TIME]),
    (
        Kind::Association,
        &[
            slot::SUBMISSION_SET_STATUS,
            slot::PREVIOUS_VERSION,
            slot::ASSOCIATION_PROPAGATION,
            slot::ORIGINAL_STATUS,
            slot::NEW_STATUS,
        ],
    ),
];

impl Attribute {
    /// Whether any rule can be broken by how often it is there.
    fn is_counted(&self) -> bool {
        let Counts { provide, register, register_on_demand, response, response_on_demand } = self.counts;
        [provide, register, register_on_demand, response, response_on_demand]
            .iter()
            .any(|&count| count != MANY)
    }
}

/// Every rule: its id, its section, and what it asks for.
pub fn rules() -> impl Iterator<Item = (&'static Rule, String)> {
    ATTRIBUTES
        .iter()
        .chain(AUTHOR)
        .flat_map(Attribute::rules)
        .chain(RULES.iter().map(|rule| (rule, rule.text.to_owned())))
}

impl Attribute {
    fn rules(&self) -> impl Iterator<Item = (&Rule, String)> {
        let cardinality =
            self.is_counted().then(|| (&self.cardinality, self.counts.describe(self.cardinality.text)));
        let forms =
            self.forms.iter().map(|(rule, form)| (rule, format!("{} is {}", rule.text, form.must_be)));
        cardinality.into_iter().chain(forms)
    }
}

impl Counts {
    fn describe(&self, label: &str) -> String {
        let same_in_answers = self.response == self.response_on_demand;
        let (stable, on_demand) = ("answers of stable entries", "answers of on-demand entries");
        let columns = [
            ("ITI-41", self.provide),
            ("ITI-42", self.register),
            ("ITI-61", self.register_on_demand),
            (if same_in_answers { "answers" } else { stable }, self.response),
            (if same_in_answers { "answers" } else { on_demand }, self.response_on_demand),
        ];
        let mut groups: Vec<(Count, Vec<&str>)> = Vec::new();
        for (name, count) in columns {
            match groups.iter_mut().find(|(known, _)| *known == count) {
                Some((_, names)) if names.contains(&name) => {}
                Some((_, names)) => names.push(name),
                None => groups.push((count, vec![name])),
            }
        }
        if let [(count, _)] = groups.as_slice() {
            return format!("{label} is there {}", how_often(*count));
        }
        let groups: Vec<String> = groups
            .iter()
            .map(|(count, names)| format!("{} in {}", how_often(*count), names.join(", ")))
            .collect();
        format!("{label} is there {}", groups.join("; "))
    }
}

/// A count in words.
pub fn how_often(count: Count) -> &'static str {
    match count {
        NONE => "never",
        OPTIONAL => "at most once",
        ONE => "exactly once",
        SOME => "at least once",
        _ => "any number of times",
    }
}
