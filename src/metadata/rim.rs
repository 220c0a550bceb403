//! ebRIM objects, lossless: whatever an object carries, known or not, is kept and written again.

use crate::wire::xml::{Element, Writer};

/// What a registry object is in XDS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// ExtrinsicObject.
    DocumentEntry,
    /// RegistryPackage classified as SubmissionSet.
    SubmissionSet,
    /// RegistryPackage classified as Folder.
    Folder,
    /// Association.
    Association,
}

/// A Slot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// slotType, rarely used.
    pub slot_type: Option<String>,
    /// Its values in order.
    pub values: Vec<String>,
}

/// A localized string of a Name or Description.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Localized {
    /// xml:lang.
    pub lang: Option<String>,
    /// charset.
    pub charset: Option<String>,
    /// value.
    pub value: String,
}

/// A Classification of an object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Classification {
    /// id.
    pub id: Option<String>,
    /// classificationScheme (external).
    pub scheme: Option<String>,
    /// classificationNode (internal: SubmissionSet, Folder, limited metadata).
    pub node: Option<String>,
    /// classifiedObject.
    pub classified_object: Option<String>,
    /// nodeRepresentation: the code.
    pub node_representation: Option<String>,
    /// Display name.
    pub name: Vec<Localized>,
    /// Description, rarely used.
    pub description: Vec<Localized>,
    /// codingScheme, or the author's attributes.
    pub slots: Vec<Slot>,
}

/// An ExternalIdentifier of an object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExternalIdentifier {
    /// id.
    pub id: Option<String>,
    /// identificationScheme.
    pub scheme: String,
    /// registryObject.
    pub registry_object: Option<String>,
    /// value.
    pub value: String,
    /// Name.
    pub name: Vec<Localized>,
}

/// What an Association has besides what every object has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Association {
    /// associationType.
    pub association_type: String,
    /// sourceObject.
    pub source: String,
    /// targetObject.
    pub target: String,
}

/// A registry object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// id: the entryUUID, or a symbolic id in a submission.
    pub id: String,
    /// lid.
    pub lid: Option<String>,
    /// home.
    pub home: Option<String>,
    /// objectType.
    pub object_type: Option<String>,
    /// status.
    pub status: Option<String>,
    /// mimeType (DocumentEntry).
    pub mime_type: Option<String>,
    /// VersionInfo/@versionName.
    pub version: Option<String>,
    /// isOpaque and whatever other attributes there are, by local name.
    pub other_attributes: Vec<(String, String)>,
    /// Slots in order.
    pub slots: Vec<Slot>,
    /// Name: the title.
    pub name: Vec<Localized>,
    /// Description: the comments.
    pub description: Vec<Localized>,
    /// Classifications in order; for packages the node classification is among them wherever it stood in the message.
    pub classifications: Vec<Classification>,
    /// External identifiers in order.
    pub external_identifiers: Vec<ExternalIdentifier>,
    /// For associations.
    pub association: Option<Association>,
}

/// The objects of a SubmitObjectsRequest (or of a query's answer).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Submission {
    /// All objects in the order of the message.
    pub objects: Vec<Object>,
    /// rim:ObjectRef ids.
    pub object_refs: Vec<String>,
    /// Slots of the request itself (such as homeCommunityId of XCDR).
    pub request_slots: Vec<Slot>,
}

/// Why ebRIM cannot be read at all: an element that must be there is not, a bound is exceeded. What is merely against the
/// rules is read, and reported by [`super::validate`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem} ({rule})")]
pub struct RimError {
    /// A stable rule name.
    pub rule: &'static str,
    /// What is wrong.
    pub problem: String,
    /// 1-based.
    pub line: u32,
    /// 1-based.
    pub column: u32,
}

#[allow(unused_variables)]
impl Submission {
    /// Reads an lcm:SubmitObjectsRequest, a rim:RegistryObjectList, or anything that holds one.
    pub fn read(element: Element<'_>) -> Result<Submission, RimError> {
        todo!()
    }
    /// Writes an lcm:SubmitObjectsRequest. It declares lcm, rim and rs itself.
    pub fn write(&self, out: &mut Writer) {
        todo!()
    }
    /// Objects of one kind.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(move |object| object.kind == kind)
    }
}

#[allow(unused_variables)]
impl Object {
    /// Reads one rim:ExtrinsicObject, rim:RegistryPackage or rim:Association; None for any other element.
    pub fn read(element: Element<'_>) -> Result<Option<Object>, RimError> {
        todo!()
    }
    /// Writes the object in schema order, with the prefix `rim` (declared by the caller), classifications and external
    /// identifiers with their objectType (required in query results), without `home` unless it has one.
    pub fn write(&self, out: &mut Writer) {
        todo!()
    }
    /// The values of a slot; empty if it is not there.
    pub fn slot(&self, name: &str) -> &[String] {
        self.slots.iter().find(|slot| slot.name == name).map_or(&[], |slot| &slot.values)
    }
    /// The first value of a slot.
    pub fn slot_value(&self, name: &str) -> Option<&str> {
        self.slot(name).first().map(String::as_str)
    }
    /// Replaces a slot's values, or adds the slot.
    pub fn set_slot(&mut self, name: &str, values: Vec<String>) {
        match self.slots.iter_mut().find(|slot| slot.name == name) {
            Some(slot) => slot.values = values,
            None => self.slots.push(Slot { name: name.to_owned(), slot_type: None, values }),
        }
    }
    /// The value of an external identifier.
    pub fn identifier(&self, scheme: &str) -> Option<&str> {
        self.external_identifiers.iter().find(|e| e.scheme == scheme).map(|e| e.value.as_str())
    }
    /// Classifications of one scheme.
    pub fn classified(&self, scheme: &str) -> impl Iterator<Item = &Classification> {
        let scheme = scheme.to_owned();
        self.classifications.iter().filter(move |c| c.scheme.as_deref() == Some(&scheme))
    }
}
