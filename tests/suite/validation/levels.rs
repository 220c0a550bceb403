//! How strictly each rule is taken: off, reported, enforced, or announced with a day; of submissions by `[rules]` and by a
//! sender's own table, of a community's answers by its file.

use std::collections::HashMap;
use std::sync::Arc;

use sekisho::actors::document_registry::DocumentRegistry;
use sekisho::actors::permits::Permits;
use sekisho::metadata::Submission;
use sekisho::metadata::codes::identifier;
use sekisho::metadata::validate::{Context, RuleSettings, Settings, check};
use sekisho::registry::{MIGRATION, Registry, RegistrySettings, Tenant};
use sekisho::store::Store;
use sekisho::transactions::Caller;
use sekisho::transactions::errors::{RegistryResponse, code};

use super::examples::{examples, first_code};
use super::mutations::entry;
use super::{broken, rules_of};
use crate::support::certs::TempDir;
use crate::support::example;
use crate::support::submissions::oid;

/// What a configuration says of a rule, and whether that refuses and whether it reports.
const LEVELS: &[(&str, bool, bool)] = &[
    ("\"off\"", false, false),
    ("\"report\"", false, true),
    ("\"enforce\"", true, false),
    ("{ level = \"enforce\", from = \"2000-01-01\" }", true, false),
    ("{ level = \"enforce\", from = \"2999-01-01\" }", false, true),
];

fn setting(rule: &str, level: &str) -> RuleSettings {
    toml::from_str(&format!("{rule:?} = {level}")).unwrap()
}

/// Alone, as in a community's file, where nothing else is checked; and against the rules that all others keep, as in
/// `[rules]` and in a sender's table.
#[test]
fn every_rule_can_be_off_reported_enforced_and_announced() {
    for example in examples() {
        for &rule in &example.broken {
            let others: Vec<_> = example.broken.iter().copied().filter(|other| *other != rule).collect();
            for (level, is_enforced, is_reported) in LEVELS {
                let changes = setting(rule, level);
                let mine = |is_there: bool| if is_there { vec![rule] } else { Vec::new() };
                let alone = example.report(&Settings::nothing().with(&changes).unwrap());
                let found = (rules_of(&alone.enforced), rules_of(&alone.reported));
                assert_eq!(found, (mine(*is_enforced), mine(*is_reported)), "{rule} = {level} alone");
                let among = example.report(&Settings::strict().with(&changes).unwrap());
                let mut refused = [others.clone(), mine(*is_enforced)].concat();
                refused.sort_unstable();
                let found = (rules_of(&among.enforced), rules_of(&among.reported));
                assert_eq!(found, (refused, mine(*is_reported)), "{rule} = {level} among all");
            }
        }
    }
}

#[test]
fn the_built_in_levels_report_what_the_field_leaves_out_without_harm() {
    let mut submission = example::stable();
    first_code(&mut submission).name.clear();
    entry(&mut submission).mime_type = Some("text".into());
    let built_in = check(&submission, Context::Register, Settings::built_in());
    assert_eq!(rules_of(&built_in.enforced), ["de.mime-type.mime"]);
    assert_eq!(rules_of(&built_in.reported), ["cl.display-name.cardinality"]);
}

/// Two senders whose rules are their own, and anybody else, at the same registry: of every rule, one sender's violation is
/// refused, the other's not.
#[tokio::test]
async fn every_rule_can_be_taken_otherwise_for_one_sender() {
    let all = || super::table::rules().map(|(rule, _)| rule.id);
    let file = |level: &str| -> RuleSettings {
        let lines: String = all().map(|rule| format!("{rule:?} = {level}\n")).collect();
        toml::from_str(&lines).unwrap()
    };
    let senders = [("CN=lenient", "\"off\""), ("CN=reported", "\"report\"")];
    let settings = RegistrySettings {
        rules: Some(Settings::strict()),
        senders: senders
            .into_iter()
            .map(|(subject, level)| (subject.to_owned(), Settings::strict().with(&file(level)).unwrap()))
            .collect(),
        ..RegistrySettings::default()
    };
    let folder = TempDir::new();
    let store = Store::open(folder.path(), &[MIGRATION]).unwrap();
    let registry = Registry::new(store, Tenant(Arc::from("urn:oid:1.2.3")), settings);
    let actor = DocumentRegistry::new(registry, Permits::default());
    let ask = async |certificate: Option<&str>, context: Context, submission: Submission| {
        let caller = Caller { certificate: certificate.map(Into::into), ..Caller::default() };
        match context {
            Context::Register => actor.register_document_set(submission, &caller).await,
            Context::RegisterOnDemand => actor.register_on_demand_document_entry(submission, &caller).await,
            _ => unreachable!("others are not asked"),
        }
    };
    let named = |answer: &RegistryResponse| -> Vec<&'static str> {
        let is_named = |rule: &&str| {
            let by = format!("({rule}; ");
            answer.errors.iter().any(|error| error.context.contains(&by))
        };
        let mut named: Vec<_> = all().filter(is_named).collect();
        named.sort_unstable();
        named
    };
    for example in examples().into_iter().filter(|example| !example.broken.is_empty()) {
        let Some((context @ (Context::Register | Context::RegisterOnDemand), submission)) = example.message
        else {
            continue;
        };
        assert_eq!(broken(&submission, context), example.broken);
        for (certificate, expected) in [
            (None, &example.broken[..]),
            (Some("CN=somebody else"), &example.broken),
            (Some("CN=lenient"), &[]),
            (Some("CN=reported"), &[]),
        ] {
            let answer = ask(certificate, context, anew(&submission, context)).await;
            assert_eq!(named(&answer), expected, "{certificate:?}: {answer:?}");
            // Whatever comes through, the registry can cope with it.
            let failed = answer.errors.iter().any(|error| error.code == code::REGISTRY_ERROR);
            assert!(!failed, "{:?} off: {answer:?}", example.broken);
        }
    }
}

/// The same submission as another one, which refers to nothing in the registry unless that is what is wrong with it.
fn anew(submission: &Submission, context: Context) -> Submission {
    let mut new = submission.clone();
    new.objects.retain(|object| {
        object.association.as_ref().is_none_or(|between| between.target != example::REPLACED)
    });
    if broken(&new, context) != broken(submission, context) {
        new.objects.clone_from(&submission.objects);
    }
    let known = [identifier::SS_UNIQUE_ID, identifier::FOLDER_UNIQUE_ID, identifier::DE_UNIQUE_ID];
    let named = new.objects.iter_mut().flat_map(|object| &mut object.external_identifiers);
    let mut names = HashMap::new();
    for unique_id in named.filter(|one| known.contains(&one.scheme.as_str()) && one.value.len() > 10) {
        let other = names.entry(unique_id.value.clone()).or_insert_with(oid);
        unique_id.value.clone_from(other);
    }
    new
}
