//! Where the rules are broken: one walk over each object for what it holds, then the message as a whole, then the
//! associations. Nothing is decided here about how bad that is.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::table::{self, Attribute, Count, Counts, Place, Rule};
use super::values::{self, pid_field};
use super::{Context, Level, Report, Settings, Violation};
use crate::ids::PatientId;
use crate::limits;
use crate::metadata::codes::{self, association, identifier, slot};
use crate::metadata::rim::{Association, Classification, ExternalIdentifier, Kind, Object, Slot, Submission};
use crate::metadata::views::DocumentEntry;
use crate::time::is_dtm;

/// Checks a submission or an answer against every rule that is not off.
pub fn check(submission: &Submission, context: Context, settings: &Settings) -> Report {
    let message = Message::of(submission, context);
    let mut found = Findings::new(settings);
    for object in &submission.objects {
        message.check_object(object, &mut found);
    }
    message.check_ids(&mut found);
    match context {
        Context::QueryResponse => message.check_answer(&mut found),
        _ => message.check_submission(&mut found),
    }
    for (object, association) in submission.associations() {
        message.check_association(object, association, &mut found);
    }
    found.report
}

/// Checks that the stable entries of an ITI-41 and its documents (the ids of its xds:Document elements) are the same ones.
pub fn check_documents<'a>(
    submission: &'a Submission,
    documents: impl IntoIterator<Item = &'a str>,
    settings: &Settings,
) -> Report {
    let mut found = Findings::new(settings);
    let entries: HashSet<&str> =
        submission.document_entries().filter(|e| !e.is_on_demand()).map(DocumentEntry::entry_uuid).collect();
    let mut seen = HashSet::new();
    for id in documents {
        if !seen.insert(id) {
            found.add(&table::DOCUMENT_UNIQUE, id, id, "two documents have this id");
        } else if !entries.contains(id) {
            found.add(&table::ENTRY_MISSING, id, id, "no entry of the submission has this document's id");
        }
    }
    for entry in submission.document_entries() {
        if !entry.is_on_demand() && !seen.contains(entry.entry_uuid()) {
            let unique_id = entry.unique_id().unwrap_or_default();
            found.add(&table::DOCUMENT_MISSING, entry.entry_uuid(), unique_id, "the entry has no document");
        }
    }
    found.report
}

/// Checks what an entry says of its document against the document: its size in bytes and its SHA-1 in hex. What the entry
/// does not say is right.
pub fn check_content(entry: DocumentEntry<'_>, size: u64, sha1: &str, settings: &Settings) -> Report {
    let mut found = Findings::new(settings);
    let unique_id = entry.unique_id().unwrap_or_default();
    if let Some(said) = entry.hash().filter(|said| !said.eq_ignore_ascii_case(sha1)) {
        let message = format!("the hash of document {unique_id:?} is {sha1}, not what its entry says");
        found.add(&table::DOCUMENT_HASH, entry.entry_uuid(), said, message);
    }
    // A size that is no number is another rule's.
    if let Some(said) = entry.size().filter(|said| *said != size) {
        let message = format!("document {unique_id:?} has {size} bytes, not what its entry says");
        found.add(&table::DOCUMENT_SIZE, entry.entry_uuid(), &said.to_string(), message);
    }
    found.report
}

/// Violations as they are found, sorted by how strictly their rules are taken.
struct Findings<'s> {
    settings: &'s Settings,
    today: Date,
    report: Report,
}

impl<'s> Findings<'s> {
    fn new(settings: &'s Settings) -> Self {
        Self { settings, today: Timestamp::now().to_zoned(TimeZone::UTC).date(), report: Report::default() }
    }

    fn add(&mut self, rule: &'static Rule, object: &str, value: &str, message: impl Into<String>) {
        const VALUE_CHARS: usize = 100;
        let Report { enforced, reported } = &mut self.report;
        if enforced.len() + reported.len() >= limits::MAX_VIOLATIONS_PER_MESSAGE {
            return;
        }
        let list = match self.settings.level(rule.id, self.today) {
            Level::Off => return,
            Level::Report => reported,
            Level::Enforce => enforced,
        };
        list.push(Violation {
            rule: rule.id,
            section: rule.section,
            class: rule.class,
            object: object.chars().take(limits::MAX_VIOLATION_ID_CHARS).collect(),
            value: value.chars().take(VALUE_CHARS).collect(),
            message: message.into(),
        });
    }
}

/// A message under check, with what several rules ask of it.
struct Message<'a> {
    submission: &'a Submission,
    context: Context,
    by_id: HashMap<&'a str, &'a Object>,
    set: Option<&'a Object>,
}

impl<'a> Message<'a> {
    fn of(submission: &'a Submission, context: Context) -> Self {
        Self {
            submission,
            context,
            by_id: submission.objects.iter().map(|object| (object.id.as_str(), object)).collect(),
            set: submission.of(Kind::SubmissionSet).next(),
        }
    }

    fn is_answer(&self) -> bool {
        self.context == Context::QueryResponse
    }

    fn check_object(&self, object: &Object, found: &mut Findings<'_>) {
        let on_demand = object.object_type.as_deref() == Some(codes::ON_DEMAND);
        for attribute in table::ATTRIBUTES.iter().filter(|attribute| attribute.kind == object.kind) {
            let count = attribute.counts.of(self.context, on_demand);
            check_attribute(attribute, count, &object.id, |each| visit(object, attribute.place, each), found);
        }
        check_slots(&object.slots, &object.id, found);
        let known =
            table::SLOTS.iter().find(|(kind, _)| *kind == object.kind).map_or(&[][..], |(_, names)| names);
        for unknown in object.slots.iter().filter(|slot| !is_known_slot(&slot.name, known)) {
            found.add(
                &table::SLOT_KNOWN,
                &object.id,
                &unknown.name,
                "this Slot is neither of the model nor a URN",
            );
        }
        for classification in &object.classifications {
            self.check_classification(classification, object, found);
        }
        for external in &object.external_identifiers {
            check_external_identifier(external, object, found);
        }
        match object.kind {
            Kind::DocumentEntry => self.check_entry(DocumentEntry(object), found),
            Kind::Folder if !self.is_answer() && object.status.as_deref() == Some(codes::DEPRECATED) => {
                found.add(
                    &table::FOLDER_APPROVED,
                    &object.id,
                    codes::DEPRECATED,
                    "a folder is submitted as Approved",
                );
            }
            _ => {}
        }
    }

    fn check_entry(&self, entry: DocumentEntry<'_>, found: &mut Findings<'_>) {
        let id = entry.entry_uuid();
        if let (Some(start), Some(stop)) = (entry.service_start_time(), entry.service_stop_time())
            && is_dtm(start, 4)
            && is_dtm(stop, 4)
            && format!("{start:0<14}") > format!("{stop:9<14}")
        {
            found.add(&table::CHRONOLOGY, id, start, "serviceStartTime is after serviceStopTime");
        }
        for field in [7, 8] {
            let mut values =
                entry.source_patient_info().iter().filter(|value| pid_field(value) == Some(field));
            if let Some(second) = values.nth(1) {
                let message = format!("sourcePatientInfo has more than one PID-{field}");
                found.add(&table::PID_REPEATED, id, second, message);
            }
        }
        for charset in entry.0.name.iter().filter_map(|name| name.charset.as_deref()) {
            if !["UTF-8", "UTF8"].iter().any(|utf8| charset.eq_ignore_ascii_case(utf8)) {
                found.add(&table::TITLE_CHARSET, id, charset, "the title's charset is not UTF-8");
            }
        }
        let wanted = match self.context {
            Context::ProvideAndRegister | Context::Register => codes::STABLE,
            Context::RegisterOnDemand => codes::ON_DEMAND,
            Context::QueryResponse => return,
        };
        if let Some(found_type) = entry.0.object_type.as_deref().filter(|found_type| *found_type != wanted) {
            found.add(
                &table::ON_DEMAND,
                id,
                found_type,
                format!("the transaction wants objectType {wanted}"),
            );
        }
    }

    fn check_classification(&self, of: &Classification, object: &Object, found: &mut Findings<'_>) {
        let id = &object.id;
        if of.id.as_deref().unwrap_or_default().is_empty() {
            found.add(&table::CLASSIFICATION_ID, id, "", "a classification has no id");
        }
        let classified = of.classified_object.as_deref().unwrap_or_default();
        if classified != id {
            let message = "a classification's classifiedObject is not the id of its object";
            found.add(&table::CLASSIFIED_OBJECT, id, classified, message);
        }
        if let Some(node) = of.node.as_deref().filter(|node| codes::LIMITED_METADATA.contains(node)) {
            found.add(&table::LIMITED, id, node, "limited metadata has no place in XDS");
        }
        check_slots(&of.slots, id, found);
        let place = table::ATTRIBUTES.iter().filter(|a| a.kind == object.kind).find(|a| match a.place {
            Place::Code(scheme) | Place::Author(scheme) => of.scheme.as_deref() == Some(scheme),
            _ => false,
        });
        match place {
            Some(Attribute { place: Place::Author(_), .. }) => check_author(of, self.context, id, found),
            Some(attribute) => check_code(of, attribute.cardinality.text, id, found),
            None => {}
        }
    }

    fn check_ids(&self, found: &mut Findings<'_>) {
        let mut ids = HashSet::new();
        for object in &self.submission.objects {
            let id = object.id.as_str();
            if id.is_empty() {
                continue;
            }
            if !ids.insert(id) {
                found.add(&table::ID_UNIQUE, id, id, "two objects of the message have this id");
            }
            let claims = id.get(..9).is_some_and(|prefix| prefix.eq_ignore_ascii_case("urn:uuid:"));
            if !claims && !self.is_answer() {
                continue;
            }
            if (values::UUID.check)(id).is_err() {
                found.add(&table::ID_UUID, id, id, format!("the id must be {}", values::UUID.must_be));
            } else if (values::LOWER_CASE_UUID.check)(id).is_err() {
                found.add(&table::ID_CASE, id, id, "the id must be in lower case");
            }
        }
        for _ in self.submission.object_refs.iter().filter(|id| id.is_empty()) {
            found.add(&table::REF_ID, "", "", "an ObjectRef has no id");
        }
        check_slots(&self.submission.request_slots, "", found);
    }

    fn check_answer(&self, found: &mut Findings<'_>) {
        let mut patients =
            self.submission.objects.iter().filter_map(|object| Some((object, patient_of(object)?)));
        let Some((_, first)) = patients.next() else { return };
        for (object, patient) in patients {
            if !is_same_patient(first, patient) {
                found.add(
                    &table::RESPONSE_PATIENT,
                    &object.id,
                    patient,
                    "the answer holds another patient's objects",
                );
            }
        }
    }

    fn check_submission(&self, found: &mut Findings<'_>) {
        let sets = self.submission.of(Kind::SubmissionSet).count();
        if sets != 1 {
            let message = format!("a submission has exactly one SubmissionSet, and this one has {sets}");
            found.add(&table::SET_COUNT, self.set.map_or("", |set| &set.id), "", message);
        }
        let (mut lids, mut unique_ids) = (HashSet::new(), HashSet::new());
        for object in &self.submission.objects {
            if let Some(lid) = object.lid.as_deref().filter(|lid| !lids.insert(*lid)) {
                found.add(&table::LID_UNIQUE, &object.id, lid, "two objects of the submission have this lid");
            }
            if let Some(unique_id) = unique_id_of(object).filter(|id| !unique_ids.insert(*id)) {
                let message = format!("two objects of the submission have the uniqueId {unique_id:?}");
                found.add(&table::UNIQUE_ID_UNIQUE, &object.id, unique_id, message);
            }
        }
        let Some(set) = self.set else { return };
        self.check_patients(set, found);
        self.check_members(set, found);
    }

    fn check_patients(&self, set: &Object, found: &mut Findings<'_>) {
        let Some(wanted) = patient_of(set) else { return };
        for object in &self.submission.objects {
            let rule = match object.kind {
                Kind::DocumentEntry => &table::DE_PATIENT,
                Kind::Folder => &table::FOLDER_PATIENT,
                Kind::SubmissionSet | Kind::Association => continue,
            };
            if let Some(patient) = patient_of(object).filter(|patient| !is_same_patient(wanted, patient)) {
                found.add(rule, &object.id, patient, "the patientId is not the SubmissionSet's");
            }
        }
    }

    fn check_members(&self, set: &Object, found: &mut Findings<'_>) {
        let members: HashSet<&str> = self
            .submission
            .associations()
            .filter(|(_, a)| a.association_type == association::HAS_MEMBER && a.source == set.id)
            .map(|(_, a)| a.target.as_str())
            .collect();
        for object in &self.submission.objects {
            let counts = matches!(object.kind, Kind::DocumentEntry | Kind::Folder);
            if counts && !members.contains(object.id.as_str()) {
                found.add(
                    &table::SET_MEMBERS,
                    &object.id,
                    "",
                    "no HasMember leads to it from the SubmissionSet",
                );
            }
        }
    }

    fn check_association(&self, object: &Object, between: &Association, found: &mut Findings<'_>) {
        let Association { association_type, source, target } = between;
        let kind = Relation::of(association_type);
        if kind.is_none() {
            let message = "the association's type is none that the transaction has";
            found.add(&table::ASSOCIATION_TYPE, &object.id, association_type, message);
        }
        if source.is_empty() || target.is_empty() {
            let message = "an association has a sourceObject and a targetObject";
            found.add(&table::ASSOCIATION_ENDS, &object.id, "", message);
            return;
        }
        if source == target {
            found.add(
                &table::ASSOCIATION_SELF,
                &object.id,
                source,
                "the association leads to where it begins",
            );
            return;
        }
        if let Some(documentation) = object.classified(codes::scheme::ASSOCIATION_DOCUMENTATION).next()
            && !kind.is_some_and(|kind| kind.can_be_documented())
        {
            let value = documentation.node_representation.as_deref().unwrap_or_default();
            found.add(
                &table::DOCUMENTATION,
                &object.id,
                value,
                "this type of association cannot be documented",
            );
        }
        let unresolved =
            |end: &&String| !end.starts_with("urn:uuid:") && !self.by_id.contains_key(end.as_str());
        if !self.is_answer()
            && let Some(symbolic) = [source, target].into_iter().find(unresolved)
        {
            found.add(
                &table::SYMBOLIC,
                &object.id,
                symbolic,
                "no object of the submission has this symbolic id",
            );
            return;
        }
        let ends = Ends {
            source: self.by_id.get(source.as_str()).copied(),
            target: self.by_id.get(target.as_str()).copied(),
        };
        match kind {
            Some(Relation::HasMember) => self.check_member(object, between, ends, found),
            Some(kind) if !self.is_answer() => check_relation(kind, object, between, ends, found),
            _ => {}
        }
    }

    fn check_member(&self, object: &Object, between: &Association, ends: Ends<'_>, found: &mut Findings<'_>) {
        let id = &object.id;
        let source = ends.source.map(|source| source.kind);
        let target = ends.target.map(|target| target.kind);
        let by_set = source == Some(Kind::SubmissionSet);
        if matches!(source, Some(Kind::DocumentEntry | Kind::Association)) {
            let message = "a HasMember leads from a SubmissionSet or a folder";
            found.add(&table::MEMBER_SOURCE, id, &between.source, message);
        } else if target.is_some_and(|target| !can_be_member(by_set, target)) {
            let message = "the HasMember's target cannot be a member of its source";
            found.add(&table::MEMBER_TARGET, id, &between.target, message);
        }
        let status = object.slot(slot::SUBMISSION_SET_STATUS);
        let is_right = matches!(status, [one] if (values::MEMBERSHIP.check)(one).is_ok());
        let is_due = by_set && target == Some(Kind::DocumentEntry);
        if !is_right && (is_due || !status.is_empty()) {
            let message = "SubmissionSetStatus must be there exactly once, as Original or Reference";
            found.add(&table::MEMBER_STATUS, id, &status.join(", "), message);
        } else if is_right && by_set && !self.is_answer() {
            match (status.first().map(String::as_str), target) {
                (Some("Original"), None) => {
                    let message = "the member is Original, and not in the submission";
                    found.add(&table::MEMBER_ORIGINAL, id, &between.target, message);
                }
                (Some("Reference"), Some(_)) => {
                    let message = "the member is Reference, and in the submission";
                    found.add(&table::MEMBER_REFERENCE, id, &between.target, message);
                }
                _ => {}
            }
        }
        for name in [slot::PREVIOUS_VERSION, slot::ASSOCIATION_PROPAGATION] {
            if !self.is_answer() && object.slots.iter().any(|slot| slot.name == name) {
                found.add(&table::UPDATE_SLOTS, id, name, "this Slot belongs to Metadata Update");
            }
        }
    }
}

/// The ends of an association, where they are in the message.
#[derive(Clone, Copy)]
struct Ends<'m> {
    source: Option<&'m Object>,
    target: Option<&'m Object>,
}

/// The association types of ITI-41, ITI-42 and ITI-61.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Relation {
    HasMember,
    Replace,
    Transform,
    Append,
    TransformReplace,
    Signs,
    IsSnapshotOf,
}

impl Relation {
    fn of(association_type: &str) -> Option<Self> {
        const TYPES: &[(&str, Relation)] = &[
            (association::HAS_MEMBER, Relation::HasMember),
            (association::RPLC, Relation::Replace),
            (association::XFRM, Relation::Transform),
            (association::APND, Relation::Append),
            (association::XFRM_RPLC, Relation::TransformReplace),
            (association::SIGNS, Relation::Signs),
            (association::IS_SNAPSHOT_OF, Relation::IsSnapshotOf),
        ];
        TYPES.iter().find(|(urn, _)| *urn == association_type).map(|(_, relation)| *relation)
    }
    fn can_be_documented(self) -> bool {
        matches!(self, Self::Replace | Self::Transform | Self::Append | Self::TransformReplace)
    }
    fn has_target_in_registry(self) -> bool {
        matches!(self, Self::Replace | Self::TransformReplace | Self::IsSnapshotOf)
    }
}

fn can_be_member(by_set: bool, target: Kind) -> bool {
    match target {
        Kind::DocumentEntry => true,
        Kind::Folder | Kind::Association => by_set,
        Kind::SubmissionSet => false,
    }
}

fn check_relation(
    kind: Relation,
    object: &Object,
    between: &Association,
    ends: Ends<'_>,
    found: &mut Findings<'_>,
) {
    match ends.source.filter(|source| source.kind == Kind::DocumentEntry) {
        None => {
            let message = "the association leads from no entry of the submission";
            found.add(&table::RELATION_SOURCE, &object.id, &between.source, message);
        }
        Some(source) if kind == Relation::IsSnapshotOf && DocumentEntry(source).is_on_demand() => {
            found.add(&table::SNAPSHOT_SOURCE, &object.id, &between.source, "a snapshot is a stable entry");
        }
        Some(_) => {}
    }
    if kind.has_target_in_registry() && ends.target.is_some() {
        let message = "what this association leads to is in the registry already, not in the submission";
        found.add(&table::RELATION_TARGET, &object.id, &between.target, message);
    }
}

impl Counts {
    fn of(&self, context: Context, on_demand: bool) -> Count {
        match context {
            Context::ProvideAndRegister => self.provide,
            Context::Register => self.register,
            Context::RegisterOnDemand => self.register_on_demand,
            Context::QueryResponse if on_demand => self.response_on_demand,
            Context::QueryResponse => self.response,
        }
    }
}

/// Shows every value of an attribute; of codes and authors only that they are there.
fn visit<'a>(object: &'a Object, place: Place, each: &mut dyn FnMut(&'a str)) {
    let optional = |value: &'a Option<String>, each: &mut dyn FnMut(&'a str)| {
        value.as_deref().into_iter().for_each(each)
    };
    match place {
        Place::Slot(name) => visit_slot(&object.slots, name, each),
        Place::Code(scheme) | Place::Author(scheme) => object.classified(scheme).for_each(|_| each("")),
        Place::Identifier(scheme) => {
            object.external_identifiers.iter().filter(|e| e.scheme == scheme).for_each(|e| each(&e.value));
        }
        Place::Id if object.id.is_empty() => {}
        Place::Id => each(&object.id),
        Place::Lid => optional(&object.lid, each),
        Place::Home => optional(&object.home, each),
        Place::Status => optional(&object.status, each),
        Place::MimeType => optional(&object.mime_type, each),
        Place::ObjectType => optional(&object.object_type, each),
        Place::Version => optional(&object.version, each),
        Place::Name => object.name.iter().for_each(|name| each(&name.value)),
        Place::AuthorSlot(_) => {}
    }
}

fn visit_slot<'a>(slots: &'a [Slot], name: &str, each: &mut dyn FnMut(&'a str)) {
    for slot in slots.iter().filter(|slot| slot.name == name) {
        slot.values.iter().for_each(|value| each(value));
    }
}

fn check_attribute<'a>(
    attribute: &'static Attribute,
    (least, most): Count,
    object: &str,
    visit: impl FnOnce(&mut dyn FnMut(&'a str)),
    found: &mut Findings<'_>,
) {
    let mut count = 0;
    visit(&mut |value| {
        count += 1;
        for (rule, form) in attribute.forms {
            if let Err(detail) = (form.check)(value) {
                let separator = if detail.is_empty() { "" } else { ": " };
                let message = format!("{} must be {}{separator}{detail}", rule.text, form.must_be);
                found.add(rule, object, value, message);
            }
        }
    });
    if count < least || count > most {
        let rule = &attribute.cardinality;
        let wanted = table::how_often((least, most));
        let message = format!("{} must be there {wanted}, and is there {count} times", rule.text);
        found.add(rule, object, "", message);
    }
}

fn check_slots(slots: &[Slot], object: &str, found: &mut Findings<'_>) {
    const VALUE_CHARS: usize = 256;
    let mut names = HashSet::new();
    for slot in slots {
        if slot.name.is_empty() {
            found.add(&table::SLOT_NAME, object, "", "a Slot has no name");
        } else if slots.len() > 1 && !names.insert(slot.name.as_str()) {
            found.add(&table::SLOT_UNIQUE, object, &slot.name, "two Slots of one object have this name");
        }
        for value in slot.values.iter().filter(|value| value.len() > VALUE_CHARS) {
            let chars = value.chars().count();
            if chars > VALUE_CHARS {
                let message =
                    format!("a value of Slot {:?} has {chars} characters; 256 are allowed", slot.name);
                found.add(&table::SLOT_LENGTH, object, value, message);
            }
        }
    }
}

fn is_known_slot(name: &str, known: &[&str]) -> bool {
    known.contains(&name) || (name.starts_with("urn:") && !name.starts_with("urn:ihe:")) || name.is_empty()
}

fn check_code(of: &Classification, label: &str, object: &str, found: &mut Findings<'_>) {
    let code = of.node_representation.as_deref().unwrap_or_default();
    if code.is_empty() {
        found.add(&table::CODE, object, "", format!("{label} has no nodeRepresentation, which is the code"));
    }
    let mut schemes = Vec::new();
    visit_slot(&of.slots, slot::CODING_SCHEME, &mut |scheme| schemes.push(scheme));
    if !matches!(schemes.as_slice(), [scheme] if !scheme.is_empty()) {
        let message = format!("{label} must have one codingScheme, not empty");
        found.add(&table::CODING_SCHEME, object, code, message);
    }
    if of.name.first().is_none_or(|name| name.value.is_empty()) {
        found.add(&table::DISPLAY_NAME, object, code, format!("{label} has no display name"));
    }
}

fn check_author(of: &Classification, context: Context, object: &str, found: &mut Findings<'_>) {
    if let Some(code) = of.node_representation.as_deref().filter(|code| !code.is_empty()) {
        found.add(&table::AUTHOR_CODE, object, code, "an author has a nodeRepresentation");
    }
    for attribute in table::AUTHOR {
        let Place::AuthorSlot(name) = attribute.place else { continue };
        let count = attribute.counts.of(context, false);
        check_attribute(attribute, count, object, |each| visit_slot(&of.slots, name, each), found);
    }
    let names = [slot::AUTHOR_PERSON, slot::AUTHOR_INSTITUTION, slot::AUTHOR_TELECOMMUNICATION];
    if names.iter().all(|name| of.slot(name).is_empty()) {
        let message = "an author has neither authorPerson, authorInstitution nor authorTelecommunication";
        found.add(&table::AUTHOR_SOMEBODY, object, "", message);
    }
}

fn check_external_identifier(of: &ExternalIdentifier, object: &Object, found: &mut Findings<'_>) {
    let id = &object.id;
    if of.id.as_deref().unwrap_or_default().is_empty() {
        found.add(&table::IDENTIFIER_ID, id, &of.scheme, "an external identifier has no id");
    }
    let registry_object = of.registry_object.as_deref().unwrap_or_default();
    if registry_object != id {
        let message = "an external identifier's registryObject is not the id of its object";
        found.add(&table::IDENTIFIER_OBJECT, id, registry_object, message);
    }
    let name = of.name.first().map_or("", |name| &name.value);
    if let Some(wanted) = identifier::name(&of.scheme).filter(|wanted| *wanted != name) {
        found.add(
            &table::IDENTIFIER_NAME,
            id,
            name,
            format!("the external identifier's Name must be {wanted}"),
        );
    }
}

fn unique_id_of(object: &Object) -> Option<&str> {
    identifier_of(object, [identifier::DE_UNIQUE_ID, identifier::SS_UNIQUE_ID, identifier::FOLDER_UNIQUE_ID])
}

fn patient_of(object: &Object) -> Option<&str> {
    identifier_of(
        object,
        [identifier::DE_PATIENT_ID, identifier::SS_PATIENT_ID, identifier::FOLDER_PATIENT_ID],
    )
}

fn identifier_of<'a>(object: &'a Object, [entry, set, folder]: [&str; 3]) -> Option<&'a str> {
    object.identifier(match object.kind {
        Kind::DocumentEntry => entry,
        Kind::SubmissionSet => set,
        Kind::Folder => folder,
        Kind::Association => return None,
    })
}

/// Two spellings of one CX are the same patient.
fn is_same_patient(one: &str, other: &str) -> bool {
    one == other
        || matches!((PatientId::parse(one), PatientId::parse(other)), (Ok(one), Ok(other)) if one == other)
}
