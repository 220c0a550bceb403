//! ebRIM's own bounds on what every object may hold, whatever XDS makes of it. A registry answers with what was submitted:
//! what its schema does not allow would make every later answer about that patient an invalid message.

use super::findings::Findings;
use super::table;
use super::values::is_language;
use crate::metadata::rim::{Kind, Localized, Object, Slot};

/// Characters of a LongName: names, codes, identifiers.
const LONG_NAME: usize = 256;
/// Characters of a FreeFormText: what is for people to read.
const FREE_FORM_TEXT: usize = 1024;

/// Checks an object against the schema's bounds.
pub(super) fn check(object: &Object, found: &mut Findings<'_>) {
    let id = &object.id;
    check_attributes(object, found);
    check_names(&object.slots, id, found);
    for text in [&object.name, &object.description] {
        check_texts(text, id, found);
    }
    for classification in &object.classifications {
        check_length(
            "nodeRepresentation",
            classification.node_representation.as_deref(),
            LONG_NAME,
            id,
            found,
        );
        check_names(&classification.slots, id, found);
        check_texts(&classification.name, id, found);
        check_texts(&classification.description, id, found);
    }
    for identifier in &object.external_identifiers {
        check_length("ExternalIdentifier", Some(&identifier.value), LONG_NAME, id, found);
        check_texts(&identifier.name, id, found);
    }
}

fn check_attributes(object: &Object, found: &mut Findings<'_>) {
    for (name, value) in &object.other_attributes {
        let opaque = object.kind == Kind::DocumentEntry && name == "isOpaque";
        if !(opaque && matches!(value.trim(), "true" | "false" | "1" | "0")) {
            let message =
                format!("the attribute {name:?} is none that ebRIM gives to this object, or no such value");
            found.add(&table::OBJECT_ATTRIBUTE, &object.id, value, message);
        }
    }
}

fn check_names(slots: &[Slot], object: &str, found: &mut Findings<'_>) {
    for slot in slots {
        check_length("a Slot's name", Some(&slot.name), LONG_NAME, object, found);
    }
}

fn check_texts(texts: &[Localized], object: &str, found: &mut Findings<'_>) {
    for text in texts {
        check_length("a LocalizedString", Some(&text.value), FREE_FORM_TEXT, object, found);
        if let Some(lang) = text.lang.as_deref().filter(|lang| !is_language(lang)) {
            found.add(&table::TEXT_LANGUAGE, object, lang, "xml:lang is no language tag such as ja-JP");
        }
    }
}

fn check_length(what: &str, text: Option<&str>, most: usize, object: &str, found: &mut Findings<'_>) {
    // Bytes are at least as many: counting characters is for the few that are long.
    let Some(text) = text.filter(|text| text.len() > most) else { return };
    let chars = text.chars().count();
    if chars > most {
        let message = format!("{what} has {chars} characters; {most} are allowed");
        found.add(&table::TEXT_LENGTH, object, text, message);
    }
}
