//! The rules of single objects: their attributes as the table has them, then what it has no column for.

use std::collections::HashSet;

use super::Context;
use super::ebrim;
use super::findings::Findings;
use super::table::{self, Attribute, Count, Counts, Place};
use super::values::pid_field;
use crate::metadata::codes::{self, identifier, slot};
use crate::metadata::rim::{Classification, ExternalIdentifier, Kind, Object, Slot};
use crate::metadata::views::DocumentEntry;
use crate::time::is_dtm;

/// Checks an object for itself.
pub(super) fn check(object: &Object, context: Context, found: &mut Findings<'_>) {
    let on_demand = object.object_type.as_deref() == Some(codes::ON_DEMAND);
    for attribute in table::ATTRIBUTES.iter().filter(|attribute| attribute.kind == object.kind) {
        let count = attribute.counts.of(context, on_demand);
        check_attribute(attribute, count, &object.id, |each| visit(object, attribute.place, each), found);
    }
    ebrim::check(object, found);
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
        check_classification(classification, object, context, found);
    }
    for external in &object.external_identifiers {
        check_external_identifier(external, object, found);
    }
    match object.kind {
        Kind::DocumentEntry => check_entry(DocumentEntry(object), context, found),
        Kind::Folder
            if context != Context::QueryResponse
                && !context.is_update()
                && object.status.as_deref() == Some(codes::DEPRECATED) =>
        {
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

fn check_entry(entry: DocumentEntry<'_>, context: Context, found: &mut Findings<'_>) {
    let id = entry.entry_uuid();
    if let (Some(start), Some(stop)) = (entry.service_start_time(), entry.service_stop_time())
        && is_dtm(start, 4)
        && is_dtm(stop, 4)
        && format!("{start:0<14}") > format!("{stop:9<14}")
    {
        found.add(&table::CHRONOLOGY, id, start, "serviceStartTime is after serviceStopTime");
    }
    for field in [7, 8] {
        let mut values = entry.source_patient_info().iter().filter(|value| pid_field(value) == Some(field));
        if let Some(second) = values.nth(1) {
            let message = format!("sourcePatientInfo has more than one PID-{field}");
            found.add(&table::PID_REPEATED, id, second, message);
        }
    }
    if let Some(mime_type) = entry.mime_type().filter(|mime_type| !found.codes().has_mime_type(mime_type)) {
        let message = format!("mimeType {mime_type:?} is not in the affinity domain's list");
        found.add(&table::MIME_TYPE_LISTED, id, mime_type, message);
    }
    for charset in entry.0.name.iter().filter_map(|name| name.charset.as_deref()) {
        if !["UTF-8", "UTF8"].iter().any(|utf8| charset.eq_ignore_ascii_case(utf8)) {
            found.add(&table::TITLE_CHARSET, id, charset, "the title's charset is not UTF-8");
        }
    }
    let wanted = match context {
        Context::ProvideAndRegister | Context::Register => codes::STABLE,
        Context::RegisterOnDemand => codes::ON_DEMAND,
        // A new version is of what its object is.
        Context::Update | Context::RestrictedUpdate | Context::QueryResponse => return,
    };
    if let Some(found_type) = entry.0.object_type.as_deref().filter(|found_type| *found_type != wanted) {
        found.add(&table::ON_DEMAND, id, found_type, format!("the transaction wants objectType {wanted}"));
    }
}

fn check_classification(of: &Classification, object: &Object, context: Context, found: &mut Findings<'_>) {
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
        Some(Attribute { place: Place::Author(_), .. }) => check_author(of, context, id, found),
        Some(attribute) => check_code(of, attribute.cardinality.text, id, found),
        None => {}
    }
}

impl Counts {
    fn of(&self, context: Context, on_demand: bool) -> Count {
        match context {
            Context::ProvideAndRegister => self.provide,
            Context::Register => self.register,
            Context::RegisterOnDemand => self.register_on_demand,
            Context::Update | Context::RestrictedUpdate if on_demand => self.register_on_demand,
            Context::Update | Context::RestrictedUpdate => self.register,
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

/// Checks the Slots of an object, a classification or a request.
pub(super) fn check_slots(slots: &[Slot], object: &str, found: &mut Findings<'_>) {
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
    let scheme = schemes.first().copied().unwrap_or_default();
    // A code or scheme that is not there is another rule's.
    if !code.is_empty() && !scheme.is_empty() && !found.codes().has(label, code, scheme) {
        let message = format!(
            "{label} has the code {code:?} of scheme {scheme:?}, which is not in the affinity domain's list"
        );
        found.add(&table::CODE_LISTED, object, code, message);
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
