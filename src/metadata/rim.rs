//! ebRIM objects as they travel (ITI TF-3: 4.2.1, 4.2.2), lossless: slots, classifications, external identifiers and
//! attributes are kept and written again in their order, known or not. (Not kept: what XDS gives no meaning to, which is
//! ContentVersionInfo, a version's comment, and what a classification or external identifier carries as a registry object
//! of its own: lid, status, version.) Reading and writing are one pass each, since every
//! submission goes through them; what the objects mean is said by [`super::views`], what is wrong with them by
//! [`super::validate`]. Called by transactions (which hold such objects in their bodies) and by the registry.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::codes::{self, object_type};
use crate::ids::EntryUuid;
use crate::limits;
use crate::wire::xml::{Element, Ns, Writer};

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

impl RimError {
    fn at(element: Element<'_>, rule: &'static str, problem: impl Into<String>) -> Self {
        let (line, column) = element.position();
        Self { rule, problem: problem.into(), line, column }
    }
}

impl Submission {
    /// Reads an lcm:SubmitObjectsRequest, a rim:RegistryObjectList, or anything that holds one of them (an
    /// xds:ProvideAndRegisterDocumentSetRequest, a query:AdhocQueryResponse).
    ///
    /// A Classification or ExternalIdentifier that stands beside its object in the list, as many sources have it for the
    /// node classification of a SubmissionSet, is moved into the object.
    pub fn read(element: Element<'_>) -> Result<Submission, RimError> {
        let request = element.child(Ns::LCM, "SubmitObjectsRequest").unwrap_or(element);
        let list = if request.is(Ns::RIM, "RegistryObjectList") {
            request
        } else {
            request.child(Ns::RIM, "RegistryObjectList").ok_or_else(|| no_list(request))?
        };
        let request_slots = request.child(Ns::RS, "RequestSlotList").map_or_else(Vec::new, |slots| {
            slots.children().filter(|child| child.is(Ns::RIM, "Slot")).map(Slot::read).collect()
        });
        Ok(Submission { request_slots, ..read_list(list)? })
    }

    /// Writes an lcm:SubmitObjectsRequest. It declares lcm, rim and rs itself.
    pub fn write(&self, out: &mut Writer) {
        out.start(Ns::LCM, "SubmitObjectsRequest").declare(&[Ns::LCM, Ns::RIM, Ns::RS]);
        if !self.request_slots.is_empty() {
            out.start(Ns::RS, "RequestSlotList");
            self.request_slots.iter().for_each(|slot| slot.write(out));
            out.end();
        }
        out.start(Ns::RIM, "RegistryObjectList");
        for id in &self.object_refs {
            out.start(Ns::RIM, "ObjectRef").attr("id", id).end();
        }
        self.objects.iter().for_each(|object| object.write(out));
        out.end().end();
    }

    /// Objects of one kind.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(move |object| object.kind == kind)
    }
}

impl Object {
    /// An object that carries nothing yet.
    pub fn new(kind: Kind, id: impl Into<String>) -> Self {
        Self {
            kind,
            id: id.into(),
            lid: None,
            home: None,
            object_type: None,
            status: None,
            mime_type: None,
            version: None,
            other_attributes: Vec::new(),
            slots: Vec::new(),
            name: Vec::new(),
            description: Vec::new(),
            classifications: Vec::new(),
            external_identifiers: Vec::new(),
            association: None,
        }
    }

    /// Reads one rim:ExtrinsicObject, rim:RegistryPackage or rim:Association; None for any other element. A package must
    /// carry its node classification: where that may stand beside it, read the list with [`Submission::read`].
    pub fn read(element: Element<'_>) -> Result<Option<Object>, RimError> {
        let Some((mut object, is_package)) = Self::read_unsettled(element)? else { return Ok(None) };
        if is_package {
            object.kind = package_kind(&object, element)?;
        }
        Ok(Some(object))
    }

    /// Reads an object, and says whether it is a package whose kind is still open.
    fn read_unsettled(element: Element<'_>) -> Result<Option<(Object, bool)>, RimError> {
        let kind = match (element.ns(), element.local()) {
            (Ns::RIM, "ExtrinsicObject") => Kind::DocumentEntry,
            (Ns::RIM, "RegistryPackage") => Kind::Folder,
            (Ns::RIM, "Association") => Kind::Association,
            _ => return Ok(None),
        };
        let mut object = Object::new(kind, "");
        object.read_attributes(element);
        object.read_children(element)?;
        Ok(Some((object, kind == Kind::Folder)))
    }

    fn read_attributes(&mut self, element: Element<'_>) {
        let mut association = Association::default();
        for attribute in element.attributes().filter(|attribute| attribute.ns == Ns::NONE) {
            let value = attribute.value;
            match (attribute.local, self.kind) {
                ("id", _) => self.id = uri(value),
                ("lid", _) => self.lid = Some(uri(value)),
                ("home", _) => self.home = Some(uri(value)),
                ("objectType", _) => self.object_type = Some(uri(value)),
                ("status", _) => self.status = Some(uri(value)),
                ("mimeType", Kind::DocumentEntry) => self.mime_type = Some(value.into_owned()),
                ("associationType", Kind::Association) => association.association_type = uri(value),
                ("sourceObject", Kind::Association) => association.source = uri(value),
                ("targetObject", Kind::Association) => association.target = uri(value),
                (local, _) => self.other_attributes.push((local.to_owned(), value.into_owned())),
            }
        }
        if self.kind == Kind::Association {
            self.association = Some(association);
        }
    }

    fn read_children(&mut self, element: Element<'_>) -> Result<(), RimError> {
        for child in element.children().filter(|child| child.ns() == Ns::RIM) {
            match child.local() {
                "Slot" => self.slots.push(Slot::read(child)),
                "Name" => self.name.extend(Localized::read_all(child)),
                "Description" => self.description.extend(Localized::read_all(child)),
                // The schema's default, as a parser that validates would add it.
                "VersionInfo" => {
                    self.version = Some(child.attr("versionName").unwrap_or("1.1".into()).into())
                }
                "Classification" => self.classifications.push(Classification::read(child)),
                "ExternalIdentifier" => self.external_identifiers.push(ExternalIdentifier::read(child)),
                // Members belong beside their package, joined to it by associations; here they would be lost.
                "RegistryObjectList" if child.children().next().is_some() => {
                    return Err(RimError::at(
                        child,
                        "rim.nested",
                        "objects stand inside of a RegistryPackage",
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes the object in schema order, with the prefix `rim` (declared by the caller), classifications and external
    /// identifiers with their objectType (required in query results), without `home` unless it has one. Where the schema
    /// wants an id or a reference to the object that was not given, a fresh UUID or the object's id stands.
    pub fn write(&self, out: &mut Writer) {
        let local = match self.kind {
            Kind::DocumentEntry => "ExtrinsicObject",
            Kind::SubmissionSet | Kind::Folder => "RegistryPackage",
            Kind::Association => "Association",
        };
        out.start(Ns::RIM, local)
            .attr("id", &self.id)
            .attr_opt("home", self.home.as_deref())
            .attr_opt("lid", self.lid.as_deref())
            .attr_opt("objectType", self.object_type.as_deref())
            .attr_opt("status", self.status.as_deref())
            .attr_opt("mimeType", self.mime_type.as_deref());
        if let Some(association) = &self.association {
            out.attr("associationType", &association.association_type)
                .attr("sourceObject", &association.source)
                .attr("targetObject", &association.target);
        }
        for (local, value) in &self.other_attributes {
            out.attr(local, value);
        }
        self.slots.iter().for_each(|slot| slot.write(out));
        Localized::write_all("Name", &self.name, out);
        Localized::write_all("Description", &self.description, out);
        if let Some(version) = &self.version {
            out.start(Ns::RIM, "VersionInfo").attr("versionName", version).end();
        }
        self.classifications.iter().for_each(|classification| classification.write(&self.id, out));
        self.external_identifiers.iter().for_each(|identifier| identifier.write(&self.id, out));
        out.end();
    }

    /// The values of a slot; empty if it is not there.
    pub fn slot(&self, name: &str) -> &[String] {
        slot(&self.slots, name)
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
        self.classifications.iter().filter(move |c| c.scheme.as_deref() == Some(scheme))
    }
    /// Whether a node classification says that it is one (SubmissionSet, Folder, limited metadata).
    pub fn has_node(&self, node: &str) -> bool {
        self.classifications.iter().any(|c| c.node.as_deref() == Some(node))
    }
}

fn slot<'a>(slots: &'a [Slot], name: &str) -> &'a [String] {
    slots.iter().find(|slot| slot.name == name).map_or(&[], |slot| &slot.values)
}

fn no_list(request: Element<'_>) -> RimError {
    if request.children().any(|child| child.local() == "LeafRegistryObjectList") {
        RimError::at(
            request,
            "rim.version",
            "holds a LeafRegistryObjectList of ebRIM 2; ebRIM 3.0 is wanted, whose list is rim:RegistryObjectList",
        )
    } else {
        RimError::at(request, "rim.object-list", "holds no rim:RegistryObjectList")
    }
}

/// Objects in the order of the list. Packages are settled last, when everything that may say their kind was seen.
fn read_list(list: Element<'_>) -> Result<Submission, RimError> {
    let mut read = Submission::default();
    let mut packages = Vec::new();
    let mut beside = Vec::new();
    for (count, child) in list.children().enumerate() {
        if count >= limits::MAX_OBJECTS_PER_SUBMISSION {
            let problem = format!("more than {} registry objects", limits::MAX_OBJECTS_PER_SUBMISSION);
            return Err(RimError::at(child, "rim.objects", problem));
        }
        if let Some((object, is_package)) = Object::read_unsettled(child)? {
            if is_package {
                packages.push((read.objects.len(), child));
            }
            read.objects.push(object);
            continue;
        }
        match (child.ns(), child.local()) {
            (Ns::RIM, "ObjectRef") => read.object_refs.push(child.attr("id").map(uri).unwrap_or_default()),
            (Ns::RIM, "Classification" | "ExternalIdentifier") => beside.push(child),
            (_, local) => {
                let problem = format!("{local} is no registry object of XDS");
                return Err(RimError::at(child, "rim.object", problem));
            }
        }
    }
    if !beside.is_empty() {
        move_into_objects(&mut read.objects, &beside)?;
    }
    for (index, element) in packages {
        if let Some(package) = read.objects.get_mut(index) {
            package.kind = package_kind(package, element)?;
        }
    }
    Ok(read)
}

fn move_into_objects(objects: &mut [Object], beside: &[Element<'_>]) -> Result<(), RimError> {
    let mut places = HashMap::with_capacity(objects.len());
    let mut nodes = HashSet::new();
    for (place, object) in objects.iter().enumerate() {
        places.entry(object.id.clone()).or_insert(place);
        nodes.extend(object.classifications.iter().filter_map(|c| Some((place, c.node.clone()?))));
    }
    for &element in beside {
        let is_classification = element.local() == "Classification";
        let reference = if is_classification { "classifiedObject" } else { "registryObject" };
        let id = element.attr(reference).unwrap_or_default();
        let found = places.get(&*id).and_then(|&place| Some((place, objects.get_mut(place)?)));
        let Some((place, object)) = found else {
            let problem = format!("{}/@{reference} {id:?} names no object of the list", element.local());
            return Err(RimError::at(element, "rim.reference", problem));
        };
        if !is_classification {
            object.external_identifiers.push(ExternalIdentifier::read(element));
            continue;
        }
        let classification = Classification::read(element);
        // Some sources say it twice, in the package and beside it.
        let node = classification.node.clone();
        if node.is_none_or(|node| nodes.insert((place, node))) {
            object.classifications.push(classification);
        }
    }
    Ok(())
}

fn package_kind(package: &Object, element: Element<'_>) -> Result<Kind, RimError> {
    let wrong = |what| {
        let problem = format!("RegistryPackage {:?} is classified as {what}", package.id);
        Err(RimError::at(element, "rim.package", problem))
    };
    match (package.has_node(codes::SUBMISSION_SET), package.has_node(codes::FOLDER)) {
        (true, false) => Ok(Kind::SubmissionSet),
        (false, true) => Ok(Kind::Folder),
        (false, false) => wrong("neither SubmissionSet nor Folder"),
        (true, true) => wrong("both SubmissionSet and Folder"),
    }
}

fn owned(value: Option<Cow<'_, str>>) -> Option<String> {
    value.map(Cow::into_owned)
}

/// A value of the schema's type anyURI: blanks around it do not belong to it.
fn uri(value: Cow<'_, str>) -> String {
    value.trim().to_owned()
}

/// An id that was given, or a fresh one: the schema wants one, and nothing refers to it.
fn write_id(id: Option<&str>, out: &mut Writer) {
    match id {
        Some(id) => out.attr("id", id),
        None => out.attr("id", EntryUuid::random().as_str()),
    };
}

impl Slot {
    fn read(element: Element<'_>) -> Slot {
        let values = element.child(Ns::RIM, "ValueList").map_or_else(Vec::new, |list| {
            list.children().filter(|v| v.is(Ns::RIM, "Value")).map(|v| v.text().into_owned()).collect()
        });
        Slot {
            name: owned(element.attr("name")).unwrap_or_default(),
            slot_type: owned(element.attr("slotType")),
            values,
        }
    }

    fn write(&self, out: &mut Writer) {
        out.start(Ns::RIM, "Slot").attr("name", &self.name).attr_opt("slotType", self.slot_type.as_deref());
        out.start(Ns::RIM, "ValueList");
        for value in &self.values {
            out.leaf(Ns::RIM, "Value", value);
        }
        out.end().end();
    }
}

impl Localized {
    /// A text in the language that the message does not name.
    pub fn plain(value: impl Into<String>) -> Localized {
        Localized { lang: None, charset: None, value: value.into() }
    }

    fn read_all<'t>(element: Element<'t>) -> impl Iterator<Item = Localized> + 't {
        element.children().filter(|child| child.is(Ns::RIM, "LocalizedString")).map(|string| Localized {
            lang: owned(string.attr_ns(Ns::XML, "lang")),
            charset: owned(string.attr("charset")),
            value: owned(string.attr("value")).unwrap_or_default(),
        })
    }

    fn write_all(local: &str, strings: &[Localized], out: &mut Writer) {
        if strings.is_empty() {
            return;
        }
        out.start(Ns::RIM, local);
        for string in strings {
            out.start(Ns::RIM, "LocalizedString");
            if let Some(lang) = &string.lang {
                out.attr_ns(Ns::XML, "lang", lang);
            }
            out.attr_opt("charset", string.charset.as_deref()).attr("value", &string.value).end();
        }
        out.end();
    }
}

impl Classification {
    fn read(element: Element<'_>) -> Classification {
        let mut read = Classification::default();
        for attribute in element.attributes().filter(|attribute| attribute.ns == Ns::NONE) {
            let place = match attribute.local {
                "id" => &mut read.id,
                "classificationScheme" => &mut read.scheme,
                "classificationNode" => &mut read.node,
                "classifiedObject" => &mut read.classified_object,
                "nodeRepresentation" => {
                    read.node_representation = Some(attribute.value.into_owned());
                    continue;
                }
                _ => continue,
            };
            *place = Some(uri(attribute.value));
        }
        for child in element.children().filter(|child| child.ns() == Ns::RIM) {
            match child.local() {
                "Slot" => read.slots.push(Slot::read(child)),
                "Name" => read.name.extend(Localized::read_all(child)),
                "Description" => read.description.extend(Localized::read_all(child)),
                _ => {}
            }
        }
        read
    }

    fn write(&self, object: &str, out: &mut Writer) {
        out.start(Ns::RIM, "Classification");
        write_id(self.id.as_deref(), out);
        out.attr_opt("classificationScheme", self.scheme.as_deref())
            .attr_opt("classificationNode", self.node.as_deref())
            .attr("classifiedObject", self.classified_object.as_deref().unwrap_or(object))
            .attr_opt("nodeRepresentation", self.node_representation.as_deref())
            .attr("objectType", object_type::CLASSIFICATION);
        self.slots.iter().for_each(|slot| slot.write(out));
        Localized::write_all("Name", &self.name, out);
        Localized::write_all("Description", &self.description, out);
        out.end();
    }

    /// The values of a slot; empty if it is not there.
    pub fn slot(&self, name: &str) -> &[String] {
        slot(&self.slots, name)
    }
}

impl ExternalIdentifier {
    fn read(element: Element<'_>) -> ExternalIdentifier {
        let mut read = ExternalIdentifier::default();
        for attribute in element.attributes().filter(|attribute| attribute.ns == Ns::NONE) {
            let value = attribute.value;
            match attribute.local {
                "id" => read.id = Some(uri(value)),
                "identificationScheme" => read.scheme = uri(value),
                "registryObject" => read.registry_object = Some(uri(value)),
                "value" => read.value = value.into_owned(),
                _ => {}
            }
        }
        read.name =
            element.child(Ns::RIM, "Name").map_or_else(Vec::new, |name| Localized::read_all(name).collect());
        read
    }

    fn write(&self, object: &str, out: &mut Writer) {
        out.start(Ns::RIM, "ExternalIdentifier");
        write_id(self.id.as_deref(), out);
        out.attr("identificationScheme", &self.scheme)
            .attr("registryObject", self.registry_object.as_deref().unwrap_or(object))
            .attr("value", &self.value)
            .attr("objectType", object_type::EXTERNAL_IDENTIFIER);
        Localized::write_all("Name", &self.name, out);
        out.end();
    }
}
