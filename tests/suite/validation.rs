//! Every validation rule with a message that breaks it, and with messages that keep it: one table of mutations on complete
//! submissions. The rules of attributes are mutated from the rules' own table, the others by hand.

use std::collections::BTreeSet;

use sekisho::limits;
use sekisho::metadata::codes::{self, association, identifier, scheme, slot};
use sekisho::metadata::rim::{ExternalIdentifier, Localized, Object, Submission};
use sekisho::metadata::validate::table::{self, Attribute, Place, Rule};
use sekisho::metadata::validate::{
    Beginning, Class, CodeLists, Context, Report, Settings, Violation, check, check_content, check_documents,
    check_media_type, validate,
};
use sekisho::metadata::views::{Membership, association, has_member};
use sekisho::metadata::{Classification, DocumentEntry, Kind, Slot};

use crate::support::example;

const CONTEXTS: [Context; 6] = [
    Context::ProvideAndRegister,
    Context::Register,
    Context::RegisterOnDemand,
    Context::Update,
    Context::RestrictedUpdate,
    Context::QueryResponse,
];

/// A right message of a context.
fn good(context: Context) -> Submission {
    match context {
        Context::ProvideAndRegister | Context::Register => example::stable(),
        Context::Update | Context::RestrictedUpdate => example::update(),
        Context::RegisterOnDemand => example::on_demand(),
        Context::QueryResponse => example::answered(example::stable()),
    }
}

fn rules_of(violations: &[Violation]) -> Vec<&'static str> {
    let rules: BTreeSet<&'static str> = violations.iter().map(|violation| violation.rule).collect();
    rules.into_iter().collect()
}

fn broken(submission: &Submission, context: Context) -> Vec<&'static str> {
    rules_of(&check(submission, context, &Settings::strict()).enforced)
}

#[test]
fn complete_submissions_break_no_rule() {
    for context in CONTEXTS {
        assert_eq!(check(&good(context), context, &Settings::strict()), Report::default(), "{context:?}");
    }
    let on_demand = example::answered(example::on_demand());
    assert_eq!(broken(&on_demand, Context::QueryResponse), [""; 0]);
}

/// What Metadata Update alone may say, and what it may leave away.
#[test]
fn updates_have_slots_and_associations_of_their_own() {
    let update = example::update();
    let broken = broken(&update, Context::Register);
    assert_eq!(broken, ["assoc.type.known", "assoc.update-slots.prohibited"]);
    let mut on_demand = example::on_demand();
    on_demand.objects[1].lid = update.objects[1].lid.clone();
    assert_eq!(check(&on_demand, Context::Update, &Settings::strict()), Report::default());
}

#[test]
fn documents_of_other_transactions_lack_what_the_repository_adds() {
    let mut provided = example::stable();
    provided.objects[1]
        .slots
        .retain(|s| ![slot::HASH, slot::SIZE, slot::REPOSITORY_UNIQUE_ID].contains(&s.name.as_str()));
    assert_eq!(broken(&provided, Context::ProvideAndRegister), [""; 0]);
    assert_eq!(
        broken(&provided, Context::Register),
        ["de.hash.cardinality", "de.repository-unique-id.cardinality", "de.size.cardinality"]
    );
}

/// The object of a kind that a mutation is made on.
fn object(submission: &mut Submission, kind: Kind) -> &mut Object {
    submission.objects.iter_mut().rev().find(|object| object.kind == kind).unwrap()
}

fn entry(submission: &mut Submission) -> &mut Object {
    object(submission, Kind::DocumentEntry)
}

/// Takes an attribute away.
fn remove(object: &mut Object, place: Place) {
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

fn say_again(slot: &mut Slot) {
    slot.values.extend_from_within(..1);
}

/// Gives an attribute another value.
fn set(object: &mut Object, place: Place, value: &str) {
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

fn author(object: &mut Object) -> &mut Classification {
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

/// Breaks every rule of an attribute, in every transaction that has it.
fn break_attribute(attribute: &'static Attribute, broken_rules: &mut BTreeSet<&'static str>) {
    let kind = attribute.kind;
    let mut expect = |rule: &'static Rule, submission: &Submission, context: Context| {
        let mut wanted = vec![rule.id];
        if context != Context::QueryResponse {
            let has = |other: &&&str| !context.is_update() || !ELSEWHERE_THAN_IN_UPDATES.contains(other);
            wanted.extend(beside(rule.id).iter().filter(has));
        }
        wanted.sort_unstable();
        assert_eq!(broken(submission, context), wanted, "{} in {context:?}", rule.id);
        broken_rules.insert(rule.id);
    };
    let counts = attribute.counts;
    for context in CONTEXTS {
        let (least, most) = match context {
            Context::ProvideAndRegister => counts.provide,
            Context::Register | Context::Update | Context::RestrictedUpdate => counts.register,
            Context::RegisterOnDemand => counts.register_on_demand,
            Context::QueryResponse => counts.response,
        };
        let mutated = |mutate: &dyn Fn(&mut Object)| {
            let mut submission = good(context);
            mutate(object(&mut submission, kind));
            submission
        };
        let answers_ids = context == Context::QueryResponse && attribute.place == Place::Id;
        if least > 0 && !answers_ids {
            expect(&attribute.cardinality, &mutated(&|object| remove(object, attribute.place)), context);
        }
        if most == 1 {
            let mut submission = good(context);
            if repeat(object(&mut submission, kind), attribute.place) {
                expect(&attribute.cardinality, &submission, context);
            }
        }
        if most == 0 {
            let Place::Slot(name) = attribute.place else { panic!("only slots are prohibited") };
            let value = entry(&mut example::stable()).slot(name).to_vec();
            expect(&attribute.cardinality, &mutated(&|object| object.set_slot(name, value.clone())), context);
            continue;
        }
        if context == Context::RegisterOnDemand || context == Context::QueryResponse {
            continue;
        }
        for (rule, _) in attribute.forms {
            expect(rule, &mutated(&|object| set(object, attribute.place, &bad_value(rule))), context);
        }
    }
}

/// A mutation of a right message that breaks a rule, and the rules that it breaks.
struct Case {
    context: Context,
    mutate: fn(&mut Submission),
    broken: &'static [&'static str],
}

const fn register(mutate: fn(&mut Submission), broken: &'static [&'static str]) -> Case {
    Case { context: Context::Register, mutate, broken }
}

const fn answer(mutate: fn(&mut Submission), broken: &'static [&'static str]) -> Case {
    Case { context: Context::QueryResponse, mutate, broken }
}

/// Where things stand in [`example::stable`].
const SET: usize = 0;
const ENTRY: usize = 1;
const FOLDER: usize = 2;
const SET_TO_ENTRY: usize = 3;
const SET_TO_FOLDER: usize = 4;
const FOLDER_TO_ENTRY: usize = 5;
const REPLACES: usize = 7;

const ELSEWHERE: &str = "urn:uuid:0b4c2b3e-0b7a-4b4a-9d3e-9a3f0a6f1aff";

fn relate(s: &mut Submission, association_type: &str, source: &str, target: &str) {
    s.objects.push(association(association_type, source, target));
}

fn first_code(s: &mut Submission) -> &mut Classification {
    entry(s).classifications.iter_mut().find(|c| c.scheme.as_deref() == Some(scheme::CLASS_CODE)).unwrap()
}

const CASES: &[Case] = &[
    register(|s| entry(s).slots.push(Slot::default()), &["slot.name.cardinality"]),
    register(|s| entry(s).slots.push(Slot { name: "urn:x:a".into(), ..Slot::default() }), &[]),
    register(
        |s| {
            let twice = entry(s).slots[0].clone();
            entry(s).slots.push(Slot { values: vec![], ..twice });
        },
        &["slot.name.unique"],
    ),
    register(
        |s| first_code(s).slots.push(Slot { name: slot::CODING_SCHEME.into(), ..Slot::default() }),
        &["slot.name.unique"],
    ),
    register(|s| s.request_slots = vec![Slot::default(); 2], &["slot.name.cardinality"]),
    register(|s| entry(s).set_slot("urn:x:a", vec!["長".repeat(256)]), &[]),
    register(|s| entry(s).set_slot("urn:x:a", vec!["長".repeat(257)]), &["slot.value.length"]),
    register(|s| entry(s).set_slot("colour", vec![]), &["slot.name.known"]),
    register(|s| entry(s).set_slot(&format!("urn:{}", "x".repeat(252)), vec![]), &[]),
    register(|s| entry(s).set_slot(&format!("urn:{}", "x".repeat(253)), vec![]), &["object.text.length"]),
    register(|s| first_code(s).node_representation = Some("x".repeat(257)), &["object.text.length"]),
    register(|s| first_code(s).name[0].value = "名".repeat(1024), &[]),
    register(|s| first_code(s).name[0].value = "名".repeat(1025), &["object.text.length"]),
    register(|s| first_code(s).name[0].lang = Some("ja JP".into()), &["object.text.language"]),
    register(|s| entry(s).other_attributes = vec![("isOpaque".into(), "true".into())], &[]),
    register(
        |s| entry(s).other_attributes = vec![("isOpaque".into(), "maybe".into())],
        &["object.attribute.known"],
    ),
    register(
        |s| s.objects[SET].other_attributes = vec![("isOpaque".into(), "true".into())],
        &["object.attribute.known"],
    ),
    register(|s| entry(s).set_slot("urn:ihe:iti:x", vec![]), &["slot.name.known"]),
    register(
        |s| {
            s.objects[SET].lid = Some(ELSEWHERE.into());
            s.objects[ENTRY].lid = Some(ELSEWHERE.into());
        },
        &["object.lid.unique"],
    ),
    register(|s| s.objects[SET_TO_FOLDER].id = s.objects[SET_TO_ENTRY].id.clone(), &["object.id.unique"]),
    register(|s| s.objects[SET_TO_FOLDER].id = "urn:uuid:1".into(), &["object.id.uuid"]),
    answer(|s| s.objects[SET_TO_FOLDER].id = "association".into(), &["object.id.uuid"]),
    register(|s| s.objects[SET_TO_FOLDER].id = ELSEWHERE.replace("ff", "FF"), &["object.id.lower-case"]),
    register(
        |s| first_code(s).node = Some(codes::LIMITED_METADATA[0].into()),
        &["object.limited-metadata.prohibited"],
    ),
    // Codes, authors, external identifiers.
    register(|s| first_code(s).node_representation = None, &["cl.code.cardinality"]),
    register(|s| first_code(s).slots.clear(), &["cl.coding-scheme.cardinality"]),
    register(|s| first_code(s).slots[0].values = vec![String::new()], &["cl.coding-scheme.cardinality"]),
    register(|s| say_again(&mut first_code(s).slots[0]), &["cl.coding-scheme.cardinality"]),
    register(|s| first_code(s).name.clear(), &["cl.display-name.cardinality"]),
    register(
        |s| first_code(s).classified_object = Some("another".into()),
        &["cl.classified-object.reference"],
    ),
    register(|s| first_code(s).classified_object = None, &["cl.classified-object.reference"]),
    register(|s| first_code(s).id = None, &["cl.id.cardinality"]),
    register(|s| first_code(s).scheme = Some("urn:uuid:unknown".into()), &["de.class-code.cardinality"]),
    register(|s| author(entry(s)).node_representation = None, &[]),
    register(|s| author(entry(s)).node_representation = Some("a".into()), &["author.code.prohibited"]),
    register(
        |s| author(entry(s)).slots.retain(|slot| slot.name == slot::AUTHOR_ROLE),
        &["author.identity.cardinality"],
    ),
    register(|s| author(entry(s)).slots.retain(|slot| slot.name == slot::AUTHOR_TELECOMMUNICATION), &[]),
    register(|s| entry(s).external_identifiers[0].registry_object = None, &["ei.registry-object.reference"]),
    register(|s| entry(s).external_identifiers[0].name.clear(), &["ei.name.value"]),
    register(|s| entry(s).external_identifiers[0].id = None, &["ei.id.cardinality"]),
    register(
        |s| {
            let foreign = ExternalIdentifier {
                id: Some("e".into()),
                scheme: "urn:uuid:foreign".into(),
                registry_object: Some("Document01".into()),
                ..ExternalIdentifier::default()
            };
            entry(s).external_identifiers.push(foreign);
        },
        &[],
    ),
    // Entries and folders.
    register(
        |s| entry(s).set_slot(slot::SERVICE_START_TIME, vec!["20261121".into()]),
        &["de.service-time.chronology"],
    ),
    register(|s| entry(s).set_slot(slot::SERVICE_START_TIME, vec!["202611201530".into()]), &[]),
    register(|s| entry(s).set_slot(slot::SERVICE_STOP_TIME, vec!["2026".into()]), &[]),
    register(
        |s| entry(s).set_slot(slot::SOURCE_PATIENT_INFO, vec!["PID-8|F".into(), "PID-8|M".into()]),
        &["de.source-patient-info.repetition"],
    ),
    register(|s| entry(s).name[0].charset = Some("Shift_JIS".into()), &["de.title.charset"]),
    register(|s| entry(s).name[0].charset = Some("utf8".into()), &[]),
    register(
        |s| s.objects[FOLDER].status = Some(codes::DEPRECATED.into()),
        &["folder.availability-status.approved"],
    ),
    answer(|s| s.objects[FOLDER].status = Some(codes::DEPRECATED.into()), &[]),
    Case {
        context: Context::RegisterOnDemand,
        mutate: |s| entry(s).object_type = Some(codes::STABLE.into()),
        broken: &["de.object-type.transaction"],
    },
    // The message as a whole.
    register(
        |s| {
            s.objects.remove(SET);
        },
        &["assoc.ends.symbolic", "submission.set.cardinality"],
    ),
    register(
        |s| {
            let mut second = s.objects[SET].clone();
            second.id = ELSEWHERE.into();
            second.classifications.iter_mut().for_each(|c| c.classified_object = Some(ELSEWHERE.into()));
            second.external_identifiers.iter_mut().for_each(|e| e.registry_object = Some(ELSEWHERE.into()));
            s.objects.push(second);
        },
        &["submission.set.cardinality", "submission.unique-id.unique"],
    ),
    register(
        |s| {
            s.objects.remove(SET_TO_ENTRY);
        },
        &["submission.has-member.cardinality"],
    ),
    register(
        |s| set(entry(s), Place::Identifier(identifier::DE_PATIENT_ID), "9^^^&1.2&ISO"),
        &["de.patient-id.same"],
    ),
    register(
        |s| set(entry(s), Place::Identifier(identifier::DE_PATIENT_ID), &format!("{}^^", example::PATIENT)),
        &[],
    ),
    register(
        |s| set(&mut s.objects[FOLDER], Place::Identifier(identifier::FOLDER_PATIENT_ID), "9^^^&1.2&ISO"),
        &["folder.patient-id.same"],
    ),
    answer(
        |s| set(entry(s), Place::Identifier(identifier::DE_PATIENT_ID), "9^^^&1.2&ISO"),
        &["response.patient-id.single"],
    ),
    answer(|s| s.object_refs = vec![String::new()], &["object-ref.id.cardinality"]),
    // Associations.
    register(|s| relate(s, "urn:x", "Document01", ELSEWHERE), &["assoc.type.known"]),
    register(
        |s| relate(s, association::SUBMIT_ASSOCIATION, "SubmissionSet01", ELSEWHERE),
        &["assoc.type.known"],
    ),
    register(|s| relate(s, association::APND, "", ELSEWHERE), &["assoc.ends.cardinality"]),
    register(|s| relate(s, association::APND, "Document01", "Document01"), &["assoc.ends.different"]),
    register(|s| relate(s, association::APND, "Document01", "Document99"), &["assoc.ends.symbolic"]),
    register(|s| relate(s, association::APND, "Document01", ELSEWHERE), &[]),
    register(|s| relate(s, association::SIGNS, "Document01", ELSEWHERE), &[]),
    register(|s| relate(s, association::IS_SNAPSHOT_OF, "Document01", ELSEWHERE), &[]),
    register(|s| relate(s, association::XFRM, ELSEWHERE, "Document01"), &["assoc.relation.source"]),
    register(|s| relate(s, association::XFRM_RPLC, "Folder01", ELSEWHERE), &["assoc.relation.source"]),
    answer(|s| relate(s, association::XFRM, ELSEWHERE, example::REPLACED), &[]),
    register(
        |s| {
            let mut other = s.objects[ENTRY].clone();
            other.id = ELSEWHERE.into();
            other.classifications.iter_mut().for_each(|c| c.classified_object = Some(ELSEWHERE.into()));
            other.external_identifiers.iter_mut().for_each(|e| e.registry_object = Some(ELSEWHERE.into()));
            set(&mut other, Place::Identifier(identifier::DE_UNIQUE_ID), "2.25.99");
            s.objects.push(other);
            s.objects.push(has_member("SubmissionSet01", ELSEWHERE, Membership::Original));
            relate(s, association::XFRM, "Document01", ELSEWHERE);
            relate(s, association::RPLC, "Document01", ELSEWHERE);
        },
        &["assoc.relation.target"],
    ),
    Case {
        context: Context::RegisterOnDemand,
        mutate: |s| relate(s, association::IS_SNAPSHOT_OF, "Document01", ELSEWHERE),
        broken: &["assoc.snapshot.source"],
    },
    register(
        |s| {
            let documentation = s.objects[REPLACES].classifications.remove(0);
            let member = &mut s.objects[SET_TO_ENTRY];
            let classified_object = Some(member.id.clone());
            member.classifications.push(Classification { classified_object, ..documentation });
        },
        &["assoc.documentation.prohibited"],
    ),
    register(|s| relate(s, association::HAS_MEMBER, "Document01", ELSEWHERE), &["assoc.has-member.source"]),
    register(
        |s| relate(s, association::HAS_MEMBER, "Folder01", "SubmissionSet01"),
        &["assoc.has-member.target"],
    ),
    register(|s| relate(s, association::HAS_MEMBER, ELSEWHERE, "Document01"), &[]),
    register(|s| s.objects[SET_TO_ENTRY].slots.clear(), &["assoc.has-member.status-slot"]),
    register(|s| say_again(&mut s.objects[SET_TO_ENTRY].slots[0]), &["assoc.has-member.status-slot"]),
    register(
        |s| s.objects[SET_TO_ENTRY].slots[0].values = vec!["original".into()],
        &["assoc.has-member.status-slot"],
    ),
    register(|s| s.objects[FOLDER_TO_ENTRY].slots.clear(), &[]),
    register(
        |s| s.objects.push(has_member("SubmissionSet01", ELSEWHERE, Membership::Original)),
        &["assoc.has-member.original-target"],
    ),
    register(|s| s.objects.push(has_member("SubmissionSet01", ELSEWHERE, Membership::Reference)), &[]),
    register(
        |s| s.objects[SET_TO_ENTRY].slots[0].values = vec!["Reference".into()],
        &["assoc.has-member.reference-target"],
    ),
    register(
        |s| s.objects[SET_TO_ENTRY].set_slot(slot::PREVIOUS_VERSION, vec!["1".into()]),
        &["assoc.update-slots.prohibited"],
    ),
];

#[test]
fn every_rule_is_broken_by_its_example_and_by_no_other() {
    let mut broken_rules: BTreeSet<&'static str> = BTreeSet::new();
    for attribute in table::ATTRIBUTES.iter().chain(table::AUTHOR) {
        break_attribute(attribute, &mut broken_rules);
    }
    for (number, Case { context, mutate, broken: wanted }) in CASES.iter().enumerate() {
        let mut submission = good(*context);
        mutate(&mut submission);
        assert_eq!(broken(&submission, *context), *wanted, "case {number} in {context:?}");
        broken_rules.extend(*wanted);
    }
    broken_rules.extend(broken_by_documents());
    broken_rules.extend(broken_by_code_lists());
    let all: BTreeSet<&'static str> = table::rules().map(|(rule, _)| rule.id).collect();
    let untried: Vec<_> = all.difference(&broken_rules).collect();
    assert!(untried.is_empty(), "rules without a bad example: {untried:?}");
    assert!(broken_rules.is_subset(&all));
}

/// The rules of documents, each with its bad example.
fn broken_by_documents() -> Vec<&'static str> {
    let (submission, strict) = (example::stable(), Settings::strict());
    let documents =
        |ids: &[&'static str]| rules_of(&check_documents(&submission, ids.iter().copied(), &strict).enforced);
    assert_eq!(documents(&["Document01"]), [""; 0]);
    assert_eq!(documents(&[]), ["document.of-entry.cardinality"]);
    assert_eq!(documents(&["Document01", "x"]), ["document.entry.cardinality"]);
    assert_eq!(documents(&["Document01", "Document01"]), ["document.id.unique"]);

    let entry = DocumentEntry::of(&submission.objects[ENTRY]).unwrap();
    let empty = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
    let content = |size, sha1: &str| rules_of(&check_content(entry, size, sha1, &strict).enforced);
    assert_eq!(content(0, &empty.to_uppercase()), [""; 0]);
    assert_eq!(content(1, empty), ["document.size.content"]);
    assert_eq!(content(0, &"0".repeat(40)), ["document.hash.content"]);
    let kinds = broken_by_contents();
    let mut broken = vec![
        "document.of-entry.cardinality",
        "document.entry.cardinality",
        "document.id.unique",
        "document.size.content",
        "document.hash.content",
    ];
    broken.extend(kinds);
    broken
}

/// The rules of what documents are, each with a good and a bad example.
fn broken_by_contents() -> Vec<&'static str> {
    let broken = |media_type: &str, document: &[u8], allowed: &[&str]| {
        let mut entry = example::stable().objects.swap_remove(ENTRY);
        entry.mime_type = Some(media_type.to_owned());
        let mut beginning = Beginning::default();
        beginning.look(&bytes::Bytes::copy_from_slice(document));
        let settings = Settings::strict().with_contents(allowed.iter().map(|name| (*name).into()).collect());
        rules_of(&check_media_type(DocumentEntry::of(&entry).unwrap(), &beginning, &settings).enforced)
    };
    let cda = |body: &str| -> Vec<u8> {
        let text = "text mediaType=\"application/pdf\" representation=\"B64\"";
        format!(
            "<ClinicalDocument xmlns=\"urn:hl7-org:v3\"><component><nonXMLBody><{text}>{body}</text></nonXMLBody>\
             </component></ClinicalDocument>"
        )
        .into()
    };
    type Example = (&'static str, Vec<u8>, &'static [&'static str], &'static [&'static str]);
    let cases: [Example; 6] = [
        ("application/pdf", b"%PDF-1.7".into(), &["application/pdf"], &[]),
        ("text/xml", cda("JVBERi0xLjcK"), &[], &[]),
        ("text/xml", cda("iVBORw0KGgo="), &[], &["document.type.content"]),
        ("application/pdf", b"hello".into(), &[], &["document.type.signature"]),
        ("application/pdf", b"%PDF-1.7".into(), &["text/xml"], &["document.type.allowed"]),
        ("text/xml", cda("%%%%"), &[], &["document.cda.readable"]),
    ];
    for (media_type, document, allowed, expected) in &cases {
        assert_eq!(broken(media_type, document, allowed), *expected);
    }
    cases.iter().flat_map(|case| case.3).copied().collect()
}

/// The rules of code lists, each with its bad example.
fn broken_by_code_lists() -> Vec<&'static str> {
    let mut submission = example::stable();
    let (code, scheme) = {
        let class = first_code(&mut submission);
        (class.node_representation.clone().unwrap(), class.slots[0].values[0].clone())
    };
    let with = |lists: &str| {
        let settings = Settings::strict().with_codes(CodeLists::parse(lists).unwrap());
        check(&submission, Context::Register, &settings).enforced
    };
    assert_eq!(with(&format!("[classCode]\n{scheme:?} = [{code:?}]")), []);
    let found = with("[classCode]\n\"1.2.3\" = [\"another\"]");
    assert!(found[0].message.contains("classCode") && found[0].message.contains(&scheme), "{found:?}");
    assert_eq!((rules_of(&found), &found[0].value), (vec!["cl.code.listed"], &code));
    assert_eq!(rules_of(&with("mimeType = [\"image/x\"]")), ["de.mime-type.listed"]);
    vec!["cl.code.listed", "de.mime-type.listed"]
}

#[test]
fn all_violations_of_a_message_are_told_with_section_object_and_value() {
    let mut submission = example::stable();
    entry(&mut submission).set_slot(slot::CREATION_TIME, vec!["20261301".into()]);
    entry(&mut submission).mime_type = None;
    set(&mut submission.objects[SET], Place::Identifier(identifier::SS_SOURCE_ID), "1.02");
    let violations = validate(&submission, Context::Register);
    assert_eq!(
        rules_of(&violations),
        ["de.creation-time.dtm", "de.mime-type.cardinality", "ss.source-id.oid"]
    );
    let time = violations.iter().find(|violation| violation.rule == "de.creation-time.dtm").unwrap();
    assert_eq!(
        *time,
        Violation {
            rule: "de.creation-time.dtm",
            section: "ITI TF-3: 4.2.3.2.6",
            class: Class::Metadata,
            object: "Document01".into(),
            value: "20261301".into(),
            message: "creationTime must be a UTC time: YYYY[MM[DD[hh[mm[ss]]]]], each part in its range"
                .into(),
        }
    );
}

#[test]
fn levels_decide_what_is_refused() {
    let mut submission = example::stable();
    first_code(&mut submission).name.clear();
    entry(&mut submission).mime_type = Some("text".into());
    let built_in = check(&submission, Context::Register, Settings::built_in());
    assert_eq!(rules_of(&built_in.enforced), ["de.mime-type.mime"]);
    assert_eq!(rules_of(&built_in.reported), ["cl.display-name.cardinality"]);
    let off = Settings::parse("\"de.mime-type.mime\" = { level = \"off\" }").unwrap();
    assert_eq!(
        rules_of(&check(&submission, Context::Register, &off).enforced),
        ["cl.display-name.cardinality"]
    );
}

#[test]
fn a_message_full_of_violations_cannot_fill_memory() {
    let mut submission = example::stable();
    entry(&mut submission).slots = vec![Slot { name: "colour".into(), ..Slot::default() }; 100_000];
    let report = check(&submission, Context::Register, Settings::built_in());
    assert_eq!(report.enforced.len(), limits::MAX_VIOLATIONS_PER_MESSAGE);
    assert_eq!(report.reported.len(), limits::MAX_VIOLATIONS_PER_MESSAGE);
}

#[test]
fn the_documentation_lists_every_rule() {
    let mut page = String::from(
        "# Metadata validation rules\n\n\
         What Sekisho checks in submissions (ITI-41, ITI-42, ITI-61) and in query answers. All violations of a message \
         are told, each by rule, section, object and value. `profiles/validation.toml` has the default levels: *enforce* \
         refuses the message, *report* counts and logs the violation, *off* does not check. With `from = \"2027-04-01\"` beside \
         `level = \"enforce\"`, a rule is reported until that day and enforced from it on. \
         `[rules]` changes them, in `sekisho.toml` for submissions and in a community's file for its answers: see \
         [configuration.md](configuration.md).\n\n\
         **Code lists.** `codes = \"codes.toml\"` in `[hosted]` or `[standalone]` names a file with the codes that the affinity \
         domain allows. `cl.code.listed` and `de.mime-type.listed` compare with it; attributes that the file does not name \
         take any code, and display names are never compared. The attributes are called as in the table below; a list of \
         codes stands under its coding scheme:\n\n\
         ```toml\n\
         mimeType = [\"text/xml\", \"application/pdf\"]\n\n\
         [classCode]\n\
         \"2.16.840.1.113883.6.1\" = [\"34133-9\", \"18842-5\"]\n\n\
         [confidentialityCode]\n\
         \"2.16.840.1.113883.5.25\" = [\"N\", \"R\"]\n\
         ```\n\n\
         This table is made from the rules' own: `UPDATE_GOLDEN=1 cargo test --test suite validation` writes it anew.\n\n\
         | rule | section | what it asks for | level |\n|---|---|---|---|\n",
    );
    let levels: sekisho::metadata::validate::RuleSettings = toml::from_str(Settings::BUILT_IN_TEXT).unwrap();
    for (rule, text) in table::rules() {
        let level = format!("{:?}", levels[rule.id].level).to_lowercase();
        page.push_str(&format!(
            "| `{}` | {} | {} | {level} |\n",
            rule.id,
            rule.section,
            text.replace('|', "\\|")
        ));
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/validation.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, page).unwrap();
    } else {
        let now = std::fs::read_to_string(path).unwrap();
        assert!(now == page, "docs/validation.md is out of date; UPDATE_GOLDEN=1 writes it");
    }
}
