//! Typed views on objects: every attribute of the XDS model by its own name (ITI TF-3: 4.2.3.2 to 4.2.3.4), for reading,
//! and builders that make objects with the same names. Views borrow and copy nothing; what an object lacks is absent or
//! empty, and whether it may lack it is for [`super::validate`] to say. One table per kind of object says where each
//! attribute lives, for reading and for making. Called by everyone above who reads or makes metadata.

use super::codes::{self, identifier, object_type, scheme, slot};
use super::rim::{
    Association, Classification, ExternalIdentifier, Kind, Localized, Object, Slot, Submission,
};
use crate::ids::{EntryUuid, PatientId};

/// A coded value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Code {
    /// The code.
    pub code: String,
    /// The coding scheme.
    pub scheme: String,
    /// The display name.
    pub display: String,
}

/// A coded value of an object; a part that the object lacks is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CodeRef<'a> {
    /// The code.
    pub code: &'a str,
    /// The coding scheme.
    pub scheme: &'a str,
    /// The display name.
    pub display: &'a str,
}

/// An author, as its attributes were written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Author {
    /// XCN.
    pub person: Option<String>,
    /// XON values.
    pub institutions: Vec<String>,
    /// Roles.
    pub roles: Vec<String>,
    /// Specialties.
    pub specialties: Vec<String>,
    /// XTN values.
    pub telecommunications: Vec<String>,
}

/// An author of an object.
#[derive(Debug, Clone, Copy)]
pub struct AuthorRef<'a>(pub &'a Classification);

/// A DocumentEntry.
#[derive(Debug, Clone, Copy)]
pub struct DocumentEntry<'a>(pub &'a Object);

/// A SubmissionSet.
#[derive(Debug, Clone, Copy)]
pub struct SubmissionSet<'a>(pub &'a Object);

/// A Folder.
#[derive(Debug, Clone, Copy)]
pub struct Folder<'a>(pub &'a Object);

/// Makes a DocumentEntry.
#[derive(Debug, Clone)]
#[must_use]
pub struct DocumentEntryBuilder(Object);

/// Makes a SubmissionSet.
#[derive(Debug, Clone)]
#[must_use]
pub struct SubmissionSetBuilder(Object);

/// Makes a Folder.
#[derive(Debug, Clone)]
#[must_use]
pub struct FolderBuilder(Object);

/// How a SubmissionSet holds a DocumentEntry (ITI TF-3: 4.2.1.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Membership {
    /// It was submitted with the set.
    Original,
    /// It was in the registry before.
    Reference,
}

/// One attribute: how the view reads it, or how the builder sets it, by where it lives.
macro_rules! attribute {
    (read [$($doc:tt)*] $name:ident, slot, $key:expr) => {
        $($doc)*
        pub fn $name(self) -> Option<&'a str> {
            self.0.slot_value($key)
        }
    };
    (read [$($doc:tt)*] $name:ident, slots, $key:expr) => {
        $($doc)*
        pub fn $name(self) -> &'a [String] {
            self.0.slot($key)
        }
    };
    (read [$($doc:tt)*] $name:ident, number, $key:expr) => {
        $($doc)*
        pub fn $name(self) -> Option<u64> {
            self.0.slot_value($key)?.parse().ok()
        }
    };
    (read [$($doc:tt)*] $name:ident, code, $key:expr) => {
        $($doc)*
        pub fn $name(self) -> Option<CodeRef<'a>> {
            self.0.classified($key).next().map(CodeRef::of)
        }
    };
    (read [$($doc:tt)*] $name:ident, codes, $key:expr) => {
        $($doc)*
        pub fn $name(self) -> impl Iterator<Item = CodeRef<'a>> {
            self.0.classified($key).map(CodeRef::of)
        }
    };
    (read [$($doc:tt)*] $name:ident, authors, $key:expr) => {
        $($doc)*
        pub fn $name(self) -> impl Iterator<Item = AuthorRef<'a>> {
            self.0.classified($key).map(AuthorRef)
        }
    };
    (read [$($doc:tt)*] $name:ident, identifier, $key:expr) => {
        $($doc)*
        pub fn $name(self) -> Option<&'a str> {
            self.0.identifier($key)
        }
    };
    (write [$($doc:tt)*] $name:ident, slot, $key:expr) => {
        $($doc)*
        pub fn $name(self, value: impl Into<String>) -> Self {
            self.slot($key, [value])
        }
    };
    (write [$($doc:tt)*] $name:ident, slots, $key:expr) => {
        $($doc)*
        pub fn $name(self, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
            self.slot($key, values)
        }
    };
    (write [$($doc:tt)*] $name:ident, number, $key:expr) => {
        $($doc)*
        pub fn $name(self, value: u64) -> Self {
            self.slot($key, [value.to_string()])
        }
    };
    (write [$($doc:tt)*] $name:ident, code, $key:expr) => {
        $($doc)*
        pub fn $name(self, code: &Code) -> Self {
            self.classify($key, [code])
        }
    };
    (write [$($doc:tt)*] $name:ident, codes, $key:expr) => {
        $($doc)*
        pub fn $name<'c>(self, codes: impl IntoIterator<Item = &'c Code>) -> Self {
            self.classify($key, codes)
        }
    };
    (write [$($doc:tt)*] $name:ident, authors, $key:expr) => {
        $($doc)*
        pub fn $name<'c>(self, authors: impl IntoIterator<Item = &'c Author>) -> Self {
            self.classify($key, authors)
        }
    };
    (write [$($doc:tt)*] $name:ident, identifier, $key:expr) => {
        $($doc)*
        pub fn $name(self, value: impl Into<String>) -> Self {
            self.identify($key, value.into())
        }
    };
}

/// A view and a builder from one table of attributes; `Name` and the XML attributes are the same for all kinds.
macro_rules! attributes {
    ($view:ident, $builder:ident, $kind:path { $($(#[$doc:meta])* $name:ident: $form:ident($key:expr);)* }) => {
        impl<'a> $view<'a> {
            /// The view on an object of this kind; None for another.
            pub fn of(object: &'a Object) -> Option<Self> {
                (object.kind == $kind).then_some(Self(object))
            }
            /// entryUUID, or a symbolic id in a submission.
            pub fn entry_uuid(self) -> &'a str {
                &self.0.id
            }
            /// logicalID.
            pub fn logical_id(self) -> Option<&'a str> {
                self.0.lid.as_deref()
            }
            /// version.
            pub fn version(self) -> Option<&'a str> {
                self.0.version.as_deref()
            }
            /// availabilityStatus.
            pub fn availability_status(self) -> Option<&'a str> {
                self.0.status.as_deref()
            }
            /// homeCommunityId, as written.
            pub fn home_community_id(self) -> Option<&'a str> {
                self.0.home.as_deref()
            }
            /// title, in the first language that it has.
            pub fn title(self) -> Option<&'a str> {
                self.0.name.first().map(|name| name.value.as_str())
            }
            /// comments, in the first language that they have.
            pub fn comments(self) -> Option<&'a str> {
                self.0.description.first().map(|description| description.value.as_str())
            }
            /// patientId, parsed; None where it is absent or no CX.
            pub fn patient(self) -> Option<PatientId> {
                self.patient_id().and_then(|id| PatientId::parse(id).ok())
            }
            $(attribute!(read [$(#[$doc])*] $name, $form, $key);)*
        }

        impl $builder {
            /// The object.
            pub fn build(self) -> Object {
                self.0
            }
            /// logicalID.
            pub fn logical_id(mut self, lid: impl Into<String>) -> Self {
                self.0.lid = Some(lid.into());
                self
            }
            /// version.
            pub fn version(mut self, version: impl Into<String>) -> Self {
                self.0.version = Some(version.into());
                self
            }
            /// availabilityStatus.
            pub fn availability_status(mut self, status: impl Into<String>) -> Self {
                self.0.status = Some(status.into());
                self
            }
            /// homeCommunityId, in its `urn:oid:` form.
            pub fn home_community_id(mut self, home: impl Into<String>) -> Self {
                self.0.home = Some(home.into());
                self
            }
            /// title, in a language such as `ja-JP`.
            pub fn title(mut self, lang: &str, title: impl Into<String>) -> Self {
                self.0.name = vec![localized(lang, title.into())];
                self
            }
            /// comments, in a language such as `ja-JP`.
            pub fn comments(mut self, lang: &str, comments: impl Into<String>) -> Self {
                self.0.description = vec![localized(lang, comments.into())];
                self
            }
            /// Any slot: extra metadata has names that begin with `urn:`, but not `urn:ihe:` (ITI TF-3: 4.2.3.1.6).
            pub fn slot(mut self, name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
                self.0.set_slot(name, values.into_iter().map(Into::into).collect());
                self
            }
            $(attribute!(write [$(#[$doc])*] $name, $form, $key);)*

            fn classify<C: Into<Classification>>(mut self, scheme: &str, values: impl IntoIterator<Item = C>) -> Self {
                self.0.classifications.retain(|c| c.scheme.as_deref() != Some(scheme));
                for value in values {
                    let mut classification = value.into();
                    classification.scheme = Some(scheme.to_owned());
                    classification.classified_object = Some(self.0.id.clone());
                    self.0.classifications.push(classification);
                }
                self
            }
            fn identify(mut self, scheme: &str, value: String) -> Self {
                self.0.external_identifiers.retain(|identifier| identifier.scheme != scheme);
                self.0.external_identifiers.push(ExternalIdentifier {
                    id: fresh_id(),
                    scheme: scheme.to_owned(),
                    registry_object: Some(self.0.id.clone()),
                    value,
                    name: identifier::name(scheme).map(Localized::plain).into_iter().collect(),
                });
                self
            }
        }
    };
}

attributes!(DocumentEntry, DocumentEntryBuilder, Kind::DocumentEntry {
    /// author (ITI TF-3: 4.2.3.2.1).
    authors: authors(scheme::DE_AUTHOR);
    /// classCode (ITI TF-3: 4.2.3.2.3).
    class_code: code(scheme::CLASS_CODE);
    /// confidentialityCode (ITI TF-3: 4.2.3.2.5).
    confidentiality_codes: codes(scheme::CONFIDENTIALITY_CODE);
    /// creationTime, UTC (ITI TF-3: 4.2.3.2.6).
    creation_time: slot(slot::CREATION_TIME);
    /// eventCodeList (ITI TF-3: 4.2.3.2.8).
    event_codes: codes(scheme::EVENT_CODE);
    /// formatCode (ITI TF-3: 4.2.3.2.9).
    format_code: code(scheme::FORMAT_CODE);
    /// hash: SHA-1 in hex, either case (ITI TF-3: 4.2.3.2.10).
    hash: slot(slot::HASH);
    /// healthcareFacilityTypeCode (ITI TF-3: 4.2.3.2.11).
    facility_type_code: code(scheme::FACILITY_TYPE_CODE);
    /// languageCode (ITI TF-3: 4.2.3.2.13).
    language_code: slot(slot::LANGUAGE_CODE);
    /// legalAuthenticator, XCN (ITI TF-3: 4.2.3.2.14).
    legal_authenticator: slot(slot::LEGAL_AUTHENTICATOR);
    /// patientId, CX as written (ITI TF-3: 4.2.3.2.16).
    patient_id: identifier(identifier::DE_PATIENT_ID);
    /// practiceSettingCode (ITI TF-3: 4.2.3.2.17).
    practice_setting_code: code(scheme::PRACTICE_SETTING_CODE);
    /// referenceIdList, CXi values (ITI TF-3: 4.2.3.2.28).
    reference_ids: slots(slot::REFERENCE_ID_LIST);
    /// repositoryUniqueId, a bare OID (ITI TF-3: 4.2.3.2.18).
    repository_unique_id: slot(slot::REPOSITORY_UNIQUE_ID);
    /// serviceStartTime, UTC (ITI TF-3: 4.2.3.2.19).
    service_start_time: slot(slot::SERVICE_START_TIME);
    /// serviceStopTime, UTC (ITI TF-3: 4.2.3.2.20).
    service_stop_time: slot(slot::SERVICE_STOP_TIME);
    /// size in bytes (ITI TF-3: 4.2.3.2.21).
    size: number(slot::SIZE);
    /// sourcePatientId, CX as written (ITI TF-3: 4.2.3.2.22).
    source_patient_id: slot(slot::SOURCE_PATIENT_ID);
    /// sourcePatientInfo: `PID-n|…` values (ITI TF-3: 4.2.3.2.23).
    source_patient_info: slots(slot::SOURCE_PATIENT_INFO);
    /// typeCode (ITI TF-3: 4.2.3.2.25).
    type_code: code(scheme::TYPE_CODE);
    /// uniqueId (ITI TF-3: 4.2.3.2.26).
    unique_id: identifier(identifier::DE_UNIQUE_ID);
    /// URI (ITI TF-3: 4.2.3.2.27).
    uri: slot(slot::URI);
    /// documentAvailability: Online or Offline (ITI TF-3: 4.2.3.2.30).
    document_availability: slot(slot::DOCUMENT_AVAILABILITY);
});

attributes!(SubmissionSet, SubmissionSetBuilder, Kind::SubmissionSet {
    /// author (ITI TF-3: 4.2.3.3.1).
    authors: authors(scheme::SS_AUTHOR);
    /// contentTypeCode (ITI TF-3: 4.2.3.3.4).
    content_type_code: code(scheme::CONTENT_TYPE_CODE);
    /// intendedRecipient: `XON|XCN|XTN` values (ITI TF-3: 4.2.3.3.7).
    intended_recipients: slots(slot::INTENDED_RECIPIENT);
    /// patientId, CX as written (ITI TF-3: 4.2.3.3.8).
    patient_id: identifier(identifier::SS_PATIENT_ID);
    /// sourceId, an OID (ITI TF-3: 4.2.3.3.9).
    source_id: identifier(identifier::SS_SOURCE_ID);
    /// submissionTime, UTC (ITI TF-3: 4.2.3.3.10).
    submission_time: slot(slot::SUBMISSION_TIME);
    /// uniqueId, an OID (ITI TF-3: 4.2.3.3.12).
    unique_id: identifier(identifier::SS_UNIQUE_ID);
});

attributes!(Folder, FolderBuilder, Kind::Folder {
    /// codeList (ITI TF-3: 4.2.3.4.2).
    codes: codes(scheme::FOLDER_CODE);
    /// lastUpdateTime, UTC, with seconds (ITI TF-3: 4.2.3.4.6).
    last_update_time: slot(slot::LAST_UPDATE_TIME);
    /// patientId, CX as written (ITI TF-3: 4.2.3.4.7).
    patient_id: identifier(identifier::FOLDER_PATIENT_ID);
    /// uniqueId, an OID (ITI TF-3: 4.2.3.4.9).
    unique_id: identifier(identifier::FOLDER_UNIQUE_ID);
});

/// Whether hash and size are those of a stable document that is assembled when it is retrieved first, and gets its own then,
/// by an update: they are those of nothing (Delayed Document Assembly; ITI TF-1: 10.2.10, ITI TF-2: 3.42.4.1.2.1).
pub fn awaits_assembly(hash: Option<&str>, size: Option<u64>) -> bool {
    const OF_NOTHING: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
    size == Some(0) && hash.is_some_and(|hash| hash.eq_ignore_ascii_case(OF_NOTHING))
}

impl DocumentEntry<'_> {
    /// Whether its document is made when it is asked for (ITI TF-3: 4.2.3.2.15).
    pub fn is_on_demand(self) -> bool {
        self.0.object_type.as_deref() == Some(codes::ON_DEMAND)
    }
}

impl<'a> DocumentEntry<'a> {
    /// mimeType (ITI TF-3: 4.2.3.2.15).
    pub fn mime_type(self) -> Option<&'a str> {
        self.0.mime_type.as_deref()
    }
}

impl DocumentEntryBuilder {
    /// A stable document's entry. `id` is an entryUUID or a symbolic id, and names the document in ITI-41.
    pub fn stable(id: impl Into<String>) -> Self {
        Self::of_type(id, codes::STABLE)
    }
    /// An on-demand entry.
    pub fn on_demand(id: impl Into<String>) -> Self {
        Self::of_type(id, codes::ON_DEMAND)
    }
    fn of_type(id: impl Into<String>, object_type: &str) -> Self {
        Self(Object { object_type: Some(object_type.to_owned()), ..Object::new(Kind::DocumentEntry, id) })
    }
    /// mimeType.
    pub fn mime_type(mut self, mime_type: impl Into<String>) -> Self {
        self.0.mime_type = Some(mime_type.into());
        self
    }
}

impl SubmissionSetBuilder {
    /// A set with its node classification.
    pub fn new(id: impl Into<String>) -> Self {
        Self(package(Kind::SubmissionSet, codes::SUBMISSION_SET, id.into()))
    }
}

impl FolderBuilder {
    /// A folder with its node classification.
    pub fn new(id: impl Into<String>) -> Self {
        Self(package(Kind::Folder, codes::FOLDER, id.into()))
    }
}

/// An association of some type ([`codes::association`]) with a fresh id.
pub fn association(association_type: &str, source: &str, target: &str) -> Object {
    Object {
        object_type: Some(object_type::ASSOCIATION.to_owned()),
        association: Some(Association {
            association_type: association_type.to_owned(),
            source: source.to_owned(),
            target: target.to_owned(),
        }),
        ..Object::new(Kind::Association, EntryUuid::random().as_str())
    }
}

/// The HasMember by which a SubmissionSet holds a DocumentEntry.
pub fn has_member(set: &str, entry: &str, membership: Membership) -> Object {
    let mut object = association(codes::association::HAS_MEMBER, set, entry);
    object.set_slot(slot::SUBMISSION_SET_STATUS, vec![format!("{membership:?}")]);
    object
}

impl Submission {
    /// Its DocumentEntries.
    pub fn document_entries(&self) -> impl Iterator<Item = DocumentEntry<'_>> {
        self.objects.iter().filter_map(DocumentEntry::of)
    }
    /// Its SubmissionSet; the first, if there are several.
    pub fn submission_set(&self) -> Option<SubmissionSet<'_>> {
        self.objects.iter().find_map(SubmissionSet::of)
    }
    /// Its Folders.
    pub fn folders(&self) -> impl Iterator<Item = Folder<'_>> {
        self.objects.iter().filter_map(Folder::of)
    }
    /// Its Associations, each with its object.
    pub fn associations(&self) -> impl Iterator<Item = (&Object, &Association)> {
        self.objects.iter().filter_map(|object| Some((object, object.association.as_ref()?)))
    }
}

impl Code {
    /// A code from its parts.
    pub fn new(code: &str, scheme: &str, display: &str) -> Self {
        Self { code: code.to_owned(), scheme: scheme.to_owned(), display: display.to_owned() }
    }
}

impl<'a> CodeRef<'a> {
    /// The code that a classification carries.
    pub fn of(classification: &'a Classification) -> Self {
        Self {
            code: classification.node_representation.as_deref().unwrap_or_default(),
            scheme: classification.slot(slot::CODING_SCHEME).first().map_or("", String::as_str),
            display: classification.name.first().map_or("", |name| name.value.as_str()),
        }
    }
    /// A copy that stands by itself.
    pub fn to_code(self) -> Code {
        Code::new(self.code, self.scheme, self.display)
    }
}

impl<'a> AuthorRef<'a> {
    /// authorPerson, XCN.
    pub fn person(self) -> Option<&'a str> {
        self.0.slot(slot::AUTHOR_PERSON).first().map(String::as_str)
    }
    /// authorInstitution, XON values.
    pub fn institutions(self) -> &'a [String] {
        self.0.slot(slot::AUTHOR_INSTITUTION)
    }
    /// authorRole.
    pub fn roles(self) -> &'a [String] {
        self.0.slot(slot::AUTHOR_ROLE)
    }
    /// authorSpecialty.
    pub fn specialties(self) -> &'a [String] {
        self.0.slot(slot::AUTHOR_SPECIALTY)
    }
    /// authorTelecommunication, XTN values.
    pub fn telecommunications(self) -> &'a [String] {
        self.0.slot(slot::AUTHOR_TELECOMMUNICATION)
    }
    /// A copy that stands by itself.
    pub fn to_author(self) -> Author {
        Author {
            person: self.person().map(str::to_owned),
            institutions: self.institutions().to_vec(),
            roles: self.roles().to_vec(),
            specialties: self.specialties().to_vec(),
            telecommunications: self.telecommunications().to_vec(),
        }
    }
}

impl From<&Code> for Classification {
    fn from(code: &Code) -> Self {
        Self {
            id: fresh_id(),
            node_representation: Some(code.code.clone()),
            name: vec![Localized::plain(&code.display)],
            slots: vec![Slot {
                name: slot::CODING_SCHEME.to_owned(),
                slot_type: None,
                values: vec![code.scheme.clone()],
            }],
            ..Self::default()
        }
    }
}

impl From<&Author> for Classification {
    fn from(author: &Author) -> Self {
        let person: Vec<String> = author.person.iter().cloned().collect();
        let attributes = [
            (slot::AUTHOR_PERSON, &person),
            (slot::AUTHOR_INSTITUTION, &author.institutions),
            (slot::AUTHOR_ROLE, &author.roles),
            (slot::AUTHOR_SPECIALTY, &author.specialties),
            (slot::AUTHOR_TELECOMMUNICATION, &author.telecommunications),
        ];
        let slots = attributes
            .into_iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(name, values)| Slot { name: name.to_owned(), slot_type: None, values: values.clone() });
        Self {
            id: fresh_id(),
            // Required to be there and empty (ITI TF-3: 4.2.3.1.4).
            node_representation: Some(String::new()),
            slots: slots.collect(),
            ..Self::default()
        }
    }
}

fn package(kind: Kind, node: &str, id: String) -> Object {
    let classification = Classification {
        id: fresh_id(),
        node: Some(node.to_owned()),
        classified_object: Some(id.clone()),
        ..Classification::default()
    };
    Object {
        object_type: Some(object_type::REGISTRY_PACKAGE.to_owned()),
        classifications: vec![classification],
        ..Object::new(kind, id)
    }
}

fn localized(lang: &str, value: String) -> Localized {
    Localized { lang: Some(lang.to_owned()), charset: Some("UTF-8".to_owned()), value }
}

fn fresh_id() -> Option<String> {
    Some(EntryUuid::random().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_builder_sets_its_view_reads() {
        let code = Code::new("34133-9", "2.16.840.1.113883.6.1", "Summary of episode note");
        let author =
            Author {
                person: Some("^関所^太郎".into()), roles: vec!["医師".into()], ..Author::default()
            };
        let object = DocumentEntryBuilder::on_demand("Document01")
            .unique_id("1.2.3")
            .patient_id("p^^^&1.2&ISO")
            .mime_type("text/xml")
            .title("ja-JP", "退院時サマリ")
            .class_code(&Code::new("wrong", "wrong", "wrong"))
            .class_code(&code)
            .confidentiality_codes([&code, &code])
            .authors([&author])
            .size(42)
            .source_patient_info(["PID-3|p^^^&1.2&ISO", "PID-5|関所^花子"])
            .build();
        let entry = DocumentEntry::of(&object).unwrap();
        assert!(entry.is_on_demand());
        assert_eq!(entry.entry_uuid(), "Document01");
        assert_eq!(entry.unique_id(), Some("1.2.3"));
        assert_eq!(entry.patient().unwrap().id(), "p");
        assert_eq!((entry.mime_type(), entry.title()), (Some("text/xml"), Some("退院時サマリ")));
        assert_eq!(entry.class_code().unwrap().to_code(), code);
        assert_eq!(entry.confidentiality_codes().count(), 2);
        assert_eq!(entry.authors().next().unwrap().to_author(), author);
        assert_eq!(entry.size(), Some(42));
        assert_eq!(entry.source_patient_info().len(), 2);
        assert_eq!(entry.hash(), None);
        assert!(SubmissionSet::of(&object).is_none());
    }

    #[test]
    fn packages_and_associations_are_found_in_a_submission() {
        let set = SubmissionSetBuilder::new("set").source_id("1.2.4").submission_time("20261121").build();
        let folder = FolderBuilder::new("folder").codes([&Code::new("a", "1.2", "A")]).build();
        let member = has_member("set", "entry", Membership::Original);
        let submission = Submission { objects: vec![member, folder, set], ..Submission::default() };
        assert_eq!(submission.submission_set().unwrap().source_id(), Some("1.2.4"));
        assert_eq!(submission.folders().next().unwrap().codes().next().unwrap().code, "a");
        let (object, association) = submission.associations().next().unwrap();
        assert_eq!((association.source.as_str(), association.target.as_str()), ("set", "entry"));
        assert_eq!(object.slot_value(slot::SUBMISSION_SET_STATUS), Some("Original"));
        assert!(object.id.starts_with("urn:uuid:"));
    }
}
