//! The registry actor without sockets: whose metadata is taken how strictly.

use std::collections::BTreeMap;

use super::*;
use crate::metadata::validate::{Level, RuleSetting, Settings};
use crate::metadata::views::{Membership, has_member};
use crate::metadata::{Author, Code, DocumentEntryBuilder, SubmissionSetBuilder};
use crate::registry::{RegistrySettings, Tenant};
use crate::store::Store;
use crate::transactions::errors::Status;

/// A submission whose title is too long (`de.title.length`), and that breaks no other rule.
fn submission() -> Submission {
    let code = |code: &str| Code::new(code, "1.2.3.5", code);
    let patient = "1^^^&1.2.3&ISO";
    let oid = || format!("2.25.{}", uuid::Uuid::new_v4().as_u128());
    let author = Author { person: Some("D0001^佐藤^健一".to_owned()), ..Author::default() };
    let set = SubmissionSetBuilder::new("set")
        .authors([&author])
        .content_type_code(&code("1"))
        .patient_id(patient)
        .source_id("1.2.3.8")
        .submission_time("20260116093000")
        .unique_id(oid());
    let entry = DocumentEntryBuilder::stable("entry")
        .mime_type("text/plain")
        .title("ja-JP", "題".repeat(200))
        .class_code(&code("1"))
        .confidentiality_codes([&code("N")])
        .creation_time("20260115")
        .facility_type_code(&code("1"))
        .format_code(&code("1"))
        .hash("0".repeat(40))
        .size(1)
        .repository_unique_id("1.2.3.4")
        .language_code("ja-JP")
        .patient_id(patient)
        .practice_setting_code(&code("1"))
        .source_patient_id(patient)
        .type_code(&code("1"))
        .unique_id(oid());
    let objects = vec![set.build(), entry.build(), has_member("set", "entry", Membership::Original)];
    Submission { objects, ..Submission::default() }
}

#[tokio::test]
async fn a_sender_has_rules_of_its_own() {
    let directory = std::env::temp_dir().join(format!("sekisho-senders-{}", uuid::Uuid::new_v4()));
    let store = Store::open(&directory, &[registry::MIGRATION]).unwrap();
    let taken = |level, from: Option<&str>| {
        let setting = RuleSetting { level, from: from.map(str::to_owned), section: None };
        let changes = BTreeMap::from([("de.title.length".to_owned(), setting)]);
        Settings::built_in().with(&changes).unwrap()
    };
    let senders = [
        ("CN=old", taken(Level::Off, None)),
        ("CN=late", taken(Level::Enforce, Some("2999-01-01"))),
        ("CN=past", taken(Level::Enforce, Some("2020-01-01"))),
    ];
    let settings = RegistrySettings {
        senders: senders.into_iter().map(|(subject, rules)| (subject.to_owned(), rules)).collect(),
        ..RegistrySettings::default()
    };
    let registry = Registry::new(store.clone(), Tenant("urn:oid:1.2.3".into()), settings);
    let actor = DocumentRegistry::new(registry, Permits::default());
    for (certificate, expected) in [
        (None, Status::Failure),
        (Some("CN=other"), Status::Failure),
        (Some("CN=past"), Status::Failure),
        (Some("CN=late"), Status::Success),
        (Some("CN=old"), Status::Success),
    ] {
        let caller = Caller { certificate: certificate.map(Into::into), ..Caller::default() };
        let response = actor.register_document_set(submission(), &caller).await;
        assert_eq!(response.status, expected, "{certificate:?}: {response:?}");
    }
    store.close();
    std::fs::remove_dir_all(directory).unwrap();
}
