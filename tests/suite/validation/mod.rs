//! Every validation rule with a message that breaks it, and with messages that keep it ([`examples`]); how strictly each is
//! taken ([`levels`]); what becomes of it at the wire ([`wire`]); and that nothing of the parity list is forgotten
//! ([`list`]).

mod examples;
mod levels;
mod list;
mod mutations;
mod wire;

use std::collections::BTreeSet;

use sekisho::limits;
use sekisho::metadata::Slot;
use sekisho::metadata::codes::{identifier, slot};
use sekisho::metadata::rim::Submission;
use sekisho::metadata::validate::table::{self, Place};
use sekisho::metadata::validate::{Class, Context, Report, Settings, Violation, check, validate};

use self::examples::{SET, examples};
use self::mutations::{count, entry, object, remove, set};
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

#[test]
fn every_rule_is_broken_by_its_example_and_by_no_other() {
    let mut broken: BTreeSet<&'static str> = BTreeSet::new();
    for (number, example) in examples().iter().enumerate() {
        let found = rules_of(&example.report(&Settings::strict()).enforced);
        let context = example.message.as_ref().map(|(context, _)| context);
        assert_eq!(found, example.broken, "example {number} in {context:?}");
        broken.extend(&example.broken);
    }
    let all: BTreeSet<&'static str> = table::rules().map(|(rule, _)| rule.id).collect();
    assert_eq!(broken, all, "a rule has no bad example, or an example breaks what is no rule");
}

/// What is right is there, and not only away: every attribute that may be is, in the right message of every transaction
/// that has it; and every other rule has an example that nothing in it is wrong with (above, and [`examples`]).
#[test]
fn complete_submissions_have_every_attribute() {
    for attribute in table::ATTRIBUTES.iter().chain(table::AUTHOR) {
        let is_there = |context: &Context| {
            let mut submission = good(*context);
            let object = object(&mut submission, attribute.kind);
            let before = object.clone();
            remove(object, attribute.place);
            *object != before
        };
        let there: Vec<_> = CONTEXTS.into_iter().filter(is_there).collect();
        assert!(!there.is_empty(), "{} is in no right message", attribute.cardinality.id);
        for context in CONTEXTS {
            let (least, most) = count(attribute, context);
            let is_there = there.contains(&context);
            assert!(is_there || least == 0, "{} in {context:?}", attribute.cardinality.id);
            assert!(!is_there || most > 0, "{} in {context:?}", attribute.cardinality.id);
        }
    }
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
         What Sekisho checks in submissions (ITI-41, ITI-42, ITI-61), in updates (ITI-57, ITI-92) and in query answers. All violations of a message \
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
    page.push_str(
        "\n## What only the registry can check\n\n\
         These need what is registered already. They are no settings: what one of them refuses would leave the registry with \
         references into nothing, or with two truths. An error names them in the same way.\n\n\
         | rule | section | what it asks for |\n|---|---|---|\n",
    );
    for rule in sekisho::registry::rules() {
        page.push_str(&format!("| `{}` | {} | {} |\n", rule.id, rule.section, rule.text));
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/validation.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, page).unwrap();
    } else {
        let now = std::fs::read_to_string(path).unwrap();
        assert!(now == page, "docs/validation.md is out of date; UPDATE_GOLDEN=1 writes it");
    }
}
