//! Mutations of a right message: an attribute that is away, there twice, or of another form.

use sekisho::metadata::codes::{self, scheme};
use sekisho::metadata::rim::{Localized, Object, Submission};
use sekisho::metadata::validate::Context;
use sekisho::metadata::validate::table::{Attribute, Count, Place, Rule};
use sekisho::metadata::{Classification, Kind, Slot};

use super::examples::Example;
use super::{CONTEXTS, good};
use crate::support::example;

/// The object of a kind that a mutation is made on.
pub(super) fn object(submission: &mut Submission, kind: Kind) -> &mut Object {
    submission.objects.iter_mut().rev().find(|object| object.kind == kind).unwrap()
}

pub(super) fn entry(submission: &mut Submission) -> &mut Object {
    object(submission, Kind::DocumentEntry)
}

/// Takes an attribute away.
pub(super) fn remove(object: &mut Object, place: Place) {
    match place {
        Place::Slot(name) => object.slots.retain(|slot| slot.name != name),
        Place::Code(scheme) | Place::Author(scheme) => {
            object.classifications.retain(|c| c.scheme.as_deref() != Some(scheme));
        }
        Place::Identifier(scheme) => object.external_identifiers.retain(|e| e.scheme != scheme),
        Place::Id => object.id.clear(),
        Place::Lid => object.lid = None,
        Place::Home => object.home = None,
        Place::Status => object.status = None,
        Place::MimeType => object.mime_type = None,
        Place::ObjectType => object.object_type = None,
        Place::Version => object.version = None,
        Place::Name => object.name.clear(),
        Place::AuthorSlot(name) => author(object).slots.retain(|slot| slot.name != name),
    }
}

/// Says an attribute a second time; false where the model has no room for that.
fn repeat(object: &mut Object, place: Place) -> bool {
    match place {
        Place::Slot(name) => object.slots.iter_mut().filter(|s| s.name == name).for_each(say_again),
        Place::AuthorSlot(name) => {
            author(object).slots.iter_mut().filter(|s| s.name == name).for_each(say_again)
        }
        Place::Code(scheme) | Place::Author(scheme) => {
            let again = object.classified(scheme).next().unwrap().clone();
            object.classifications.push(again);
        }
        Place::Identifier(scheme) => {
            let again = object.external_identifiers.iter().find(|e| e.scheme == scheme).unwrap().clone();
            object.external_identifiers.push(again);
        }
        _ => return false,
    }
    true
}

pub(super) fn say_again(slot: &mut Slot) {
    slot.values.extend_from_within(..1);
}

/// Gives an attribute another value.
pub(super) fn set(object: &mut Object, place: Place, value: &str) {
    let value = value.to_owned();
    match place {
        Place::Slot(name) => object.set_slot(name, vec![value]),
        Place::AuthorSlot(name) => {
            author(object)
                .slots
                .iter_mut()
                .filter(|s| s.name == name)
                .for_each(|s| s.values = vec![value.clone()]);
        }
        Place::Identifier(scheme) => {
            object
                .external_identifiers
                .iter_mut()
                .filter(|e| e.scheme == scheme)
                .for_each(|e| e.value.clone_from(&value));
        }
        Place::Lid => object.lid = Some(value),
        Place::Home => object.home = Some(value),
        Place::Status => object.status = Some(value),
        Place::MimeType => object.mime_type = Some(value),
        Place::ObjectType => object.object_type = Some(value),
        Place::Name => object.name = vec![Localized::plain(value)],
        Place::Code(_) | Place::Author(_) | Place::Id | Place::Version => unreachable!("they have no form"),
    }
}

pub(super) fn author(object: &mut Object) -> &mut Classification {
    object.classifications.iter_mut().find(|c| c.scheme.as_deref() == Some(scheme::DE_AUTHOR)).unwrap()
}

/// A value that breaks a form, by the last part of the rule's id.
fn bad_value(rule: &Rule) -> String {
    const BAD: &[(&str, &str)] = &[
        ("approved", codes::DEPRECATED),
        ("coded", "a^b"),
        ("cx", "0001"),
        ("cxi", "A-1^^^&1.2.392&ISO"),
        ("discouraged", "PID-19|1"),
        ("dtm", "20261301"),
        ("identifier", "文書 1"),
        ("language", "ja_JP"),
        ("mime", "text"),
        ("number", "1k"),
        ("oid", "1.02"),
        ("pid", "PID-40|x"),
        ("recipient", "||"),
        ("seconds", "20261121"),
        ("sha1", "da39"),
        ("uri", "a b"),
        ("urn", "1.2.392"),
        ("uuid", "L1"),
        ("value", "Approved"),
        ("xcn", "^^健一"),
        ("xon", "関所病院^^^^^^^^^12"),
        ("xtn", "03-1234-5678"),
    ];
    let form = rule.id.rsplit('.').next().unwrap();
    if form == "length" {
        return "長".repeat(300);
    }
    BAD.iter()
        .find(|(name, _)| *name == form)
        .unwrap_or_else(|| panic!("no bad value for {form}"))
        .1
        .to_owned()
}

/// Rules that Metadata Update has otherwise, or not.
const ELSEWHERE_THAN_IN_UPDATES: [&str; 2] =
    ["submission.has-member.cardinality", "de.object-type.transaction"];

/// What else a mutation of an attribute breaks, besides the attribute's own rule.
fn beside(rule: &str) -> &'static [&'static str] {
    match rule {
        "de.id.cardinality" | "ss.id.cardinality" | "folder.id.cardinality" => &[
            "assoc.ends.symbolic",
            "cl.classified-object.reference",
            "ei.registry-object.reference",
            "submission.has-member.cardinality",
        ],
        "assoc.id.cardinality" => &["cl.classified-object.reference"],
        "de.patient-id.cx" => &["de.patient-id.same"],
        "folder.patient-id.cx" => &["folder.patient-id.same"],
        "ss.patient-id.cx" => &["de.patient-id.same", "folder.patient-id.same"],
        "de.object-type.value" => &["de.object-type.transaction"],
        _ => &[],
    }
}

/// How often an attribute is there in right messages of a context.
pub(super) fn count(attribute: &Attribute, context: Context) -> Count {
    let counts = attribute.counts;
    match context {
        Context::ProvideAndRegister => counts.provide,
        Context::Register | Context::Update | Context::RestrictedUpdate => counts.register,
        Context::RegisterOnDemand => counts.register_on_demand,
        Context::QueryResponse => counts.response,
    }
}

/// Every rule of an attribute broken, in every transaction that has it.
pub(super) fn examples_of(attribute: &'static Attribute) -> Vec<Example> {
    let mut examples = Vec::new();
    let mut broken = |rule: &'static Rule, submission: Submission, context: Context| {
        let has = |other: &&&'static str| !context.is_update() || !ELSEWHERE_THAN_IN_UPDATES.contains(other);
        let beside = match context {
            Context::QueryResponse => &[][..],
            _ => beside(rule.id),
        };
        let broken = std::iter::once(rule.id).chain(beside.iter().filter(has).copied());
        examples.push(Example::message(context, submission, broken));
    };
    for context in CONTEXTS {
        let (least, most) = count(attribute, context);
        let mutated = |mutate: &dyn Fn(&mut Object)| {
            let mut submission = good(context);
            mutate(object(&mut submission, attribute.kind));
            submission
        };
        let answers_ids = context == Context::QueryResponse && attribute.place == Place::Id;
        if least > 0 && !answers_ids {
            broken(&attribute.cardinality, mutated(&|object| remove(object, attribute.place)), context);
        }
        if most == 1 {
            let mut submission = good(context);
            if repeat(object(&mut submission, attribute.kind), attribute.place) {
                broken(&attribute.cardinality, submission, context);
            }
        }
        if most == 0 {
            let Place::Slot(name) = attribute.place else { panic!("only slots are prohibited") };
            let value = entry(&mut example::stable()).slot(name).to_vec();
            broken(&attribute.cardinality, mutated(&|object| object.set_slot(name, value.clone())), context);
            continue;
        }
        if context == Context::RegisterOnDemand || context == Context::QueryResponse {
            continue;
        }
        for (rule, _) in attribute.forms {
            broken(rule, mutated(&|object| set(object, attribute.place, &bad_value(rule))), context);
        }
    }
    examples
}
