//! The rules over sockets: what is right is accepted, and what breaks a rule is refused with the code of the rule's class,
//! with rule, section, object and value, all rules at once.

use std::collections::BTreeSet;

use bytes::Bytes;
use sekisho::cli::peer::Peer;
use sekisho::metadata::codes::{association, identifier};
use sekisho::metadata::rim::Submission;
use sekisho::metadata::validate::table::{self, Rule};
use sekisho::metadata::validate::{Class, Context};
use sekisho::metadata::views::{Membership, association, has_member};
use sekisho::transactions::Transaction;
use sekisho::transactions::errors::{RegistryError, RegistryResponse, Status, code};
use sekisho::transactions::iti41::ITI41;
use sekisho::transactions::iti42::{self, ITI42};
use sekisho::transactions::iti57::ITI57;
use sekisho::transactions::iti61::ITI61;
use sekisho::transactions::iti92::ITI92;
use sekisho::wire::stream::Content;
use sekisho::wire::xml::Tree;

use super::examples::{ENTRY, SET, examples};
use super::{broken, good};
use crate::support::certs::{Authority, Usage, VALID};
use crate::support::example;
use crate::support::hosted::{CONFIG, Standalone, codes_of};
use crate::support::http::PATIENCE;
use crate::support::submissions::{Document, oid, rename, submission};

/// Rules that no submission can break at the wire.
const ELSEWHERE: &[&str] = &[
    // Of answers.
    "de.availability-status.cardinality",
    "de.logical-id.cardinality",
    "de.version.cardinality",
    "folder.availability-status.cardinality",
    "folder.logical-id.cardinality",
    "folder.version.cardinality",
    "response.patient-id.single",
    "ss.availability-status.cardinality",
    // Of documents, and of what a configuration lists: below.
    "cl.code.listed",
    "de.mime-type.listed",
    "document.cda.readable",
    "document.entry.cardinality",
    "document.hash.content",
    "document.id.unique",
    "document.of-entry.cardinality",
    "document.size.content",
    "document.type.allowed",
    "document.type.content",
    "document.type.signature",
];

fn transaction(context: Context) -> Option<&'static Transaction> {
    Some(match context {
        Context::ProvideAndRegister => &ITI41,
        Context::Register => &ITI42,
        Context::RegisterOnDemand => &ITI61,
        Context::Update => &ITI57,
        Context::RestrictedUpdate => &ITI92,
        Context::QueryResponse => return None,
    })
}

/// A registry and repository that enforce every rule, of the examples' community.
async fn strict(overrides: &[&str]) -> Standalone {
    let levels: String = table::rules().map(|(rule, _)| format!("{:?} = \"enforce\"\n", rule.id)).collect();
    let configuration = CONFIG.replace("\"urn:oid:1.2.3\"", "\"urn:oid:1.2.392.200270.4.99.1\"");
    assert_ne!(configuration, CONFIG);
    Standalone::configured(&format!("{configuration}[rules]\n{levels}"), overrides).await
}

/// What a broken rule becomes.
fn code_of(rule: &Rule, context: Context) -> &'static str {
    let by_repository = context == Context::ProvideAndRegister;
    match rule.class {
        Class::Metadata if by_repository => code::REPOSITORY_METADATA_ERROR,
        Class::Metadata => code::REGISTRY_METADATA_ERROR,
        Class::DuplicateUniqueIdInMessage if by_repository => code::REPOSITORY_DUPLICATE_UNIQUE_ID_IN_MESSAGE,
        Class::DuplicateUniqueIdInMessage => code::REGISTRY_DUPLICATE_UNIQUE_ID_IN_MESSAGE,
        Class::PatientIdDoesNotMatch => code::PATIENT_ID_DOES_NOT_MATCH,
        Class::UnresolvedReference => code::UNRESOLVED_REFERENCE,
        Class::DocumentContent => code::INVALID_DOCUMENT_CONTENT,
        Class::MissingHomeCommunityId => code::MISSING_HOME_COMMUNITY_ID,
        Class::MissingDocument => code::MISSING_DOCUMENT,
        Class::MissingDocumentMetadata => code::MISSING_DOCUMENT_METADATA,
        Class::ResultNotSinglePatient => code::RESULT_NOT_SINGLE_PATIENT,
    }
}

/// The rules that an error names, with rule, section and code as they belong together.
fn rule_of(error: &RegistryError, context: Context) -> &'static str {
    let named = table::rules()
        .find(|(rule, _)| error.context.contains(&format!("({}; {}): object ", rule.id, rule.section)));
    let Some((rule, _)) = named else { panic!("no rule is named: {error:?}") };
    assert_eq!(error.code, code_of(rule, context), "{error:?}");
    rule.id
}

async fn send(to: &Standalone, context: Context, submission: &Submission) -> RegistryResponse {
    match context {
        Context::ProvideAndRegister => {
            let ids: BTreeSet<_> = submission.document_entries().map(|entry| entry.entry_uuid()).collect();
            let ids = ids.into_iter().filter(|id| !id.is_empty());
            let documents = ids.map(|id| (id.to_owned(), Bytes::new()));
            to.submit_invalid(submission, documents.collect()).await
        }
        _ => to.register_invalid(transaction(context).unwrap(), submission).await,
    }
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_with_the_rules_code_and_name() {
    let strict = strict(&[]).await;
    let mut seen: BTreeSet<&'static str> = ELSEWHERE.iter().copied().collect();
    for example in examples() {
        let Some((context, submission)) = &example.message else { continue };
        if transaction(*context).is_none() || example.broken.is_empty() {
            continue;
        }
        // As it is on the wire: what the schema wants and the model leaves away, the writer adds.
        let written = Tree::parse(iti42::write_request(submission)).unwrap();
        let Ok(arrives) = Submission::read(written.root()) else { continue };
        if broken(&arrives, *context) != example.broken {
            continue;
        }
        let answer = send(&strict, *context, submission).await;
        let codes = codes_of(&answer);
        // Whom a restricted update is meant for is looked at before anything else.
        if *context == Context::RestrictedUpdate && example.broken == ["ss.home.urn"] {
            assert_eq!(codes, [code::UNKNOWN_COMMUNITY]);
            continue;
        }
        assert_eq!(answer.status, Status::Failure, "{:?} in {context:?}", example.broken);
        let rules = answer.errors.iter().map(|error| rule_of(error, *context));
        // An empty document is nothing but empty.
        let rules: BTreeSet<_> = rules.filter(|rule| !rule.starts_with("document.")).collect();
        assert_eq!(Vec::from_iter(rules), example.broken, "in {context:?}: {answer:?}");
        seen.extend(&example.broken);
    }
    let unseen: Vec<_> =
        table::rules().map(|(rule, _)| rule.id).filter(|rule| !seen.contains(rule)).collect();
    assert_eq!(unseen, [""; 0], "rules that nothing broke at the wire");
    assert_eq!(strict.entries_of(example::PATIENT).await, [""; 0]);
    strict.stop().await;
}

/// A rule of documents, broken over a socket: what is sent, and the rule.
type OfDocument = (&'static str, fn(&mut Submission, &mut Vec<(String, Bytes)>), &'static str);

#[rustfmt::skip]
const OF_DOCUMENTS: &[OfDocument] = &[
    ("application/pdf", |_, documents| documents[0].1 = Bytes::from_static(b"%PDF-1.7"), ""),
    ("application/pdf", |_, documents| documents.clear(), "document.of-entry.cardinality"),
    ("application/pdf", |_, documents| documents.push(("x".to_owned(), Bytes::from_static(b"%PDF-1.7"))), "document.entry.cardinality"),
    ("application/pdf", |said, _| said.objects[ENTRY].set_slot("hash", vec!["0".repeat(40)]), "document.hash.content"),
    ("application/pdf", |said, _| said.objects[ENTRY].set_slot("size", vec!["7".to_owned()]), "document.size.content"),
    ("application/pdf", |_, documents| documents[0].1 = Bytes::from_static(b"GIF89a"), "document.type.content"),
    ("application/pdf", |_, documents| documents[0].1 = Bytes::from_static(b"hello"), "document.type.signature"),
    ("image/gif", |_, documents| documents[0].1 = Bytes::from_static(b"GIF89a"), "document.type.allowed"),
    ("text/xml", |_, documents| documents[0].1 = Bytes::from_static(b"<ClinicalDocument xmlns=\"urn:hl7-org:v3\">"), "document.cda.readable"),
    ("text/html", |_, documents| documents[0].1 = Bytes::from_static(b"<html/>"), "de.mime-type.listed"),
    ("application/pdf", |said, _| {
        let codes = said.objects[ENTRY].classifications.iter_mut().filter_map(|one| one.node_representation.as_mut());
        codes.for_each(|code| "another".clone_into(code));
    }, "cl.code.listed"),
];

/// 3.42.4.1.3.3: codes and media types of the affinity domain's lists, and documents that are what their entries say.
#[tokio::test]
async fn what_breaks_a_rule_of_documents_or_of_the_affinity_domains_lists_is_refused() {
    let lists = "mimeType = [\"application/pdf\", \"text/xml\", \"image/gif\"]\n[classCode]\n\"1.2.3.5\" = [\"18842-5\"]\n";
    let file = std::env::temp_dir().join(format!("sekisho-codes-{}.toml", std::process::id()));
    std::fs::write(&file, lists).unwrap();
    let codes = format!("standalone.codes={}", file.display());
    let allowed = "standalone.content.allow=[\"application/pdf\", \"text/xml\", \"text/html\"]";
    let strict = strict(&[&codes, allowed]).await;
    for (media_type, change, rule) in OF_DOCUMENTS {
        let document = Document::new(0);
        let mut said = submission("1^^^&1.2.3&ISO", &[document]);
        said.objects[ENTRY].mime_type = Some((*media_type).to_owned());
        let mut documents = vec![("Document0".to_owned(), Bytes::from_static(b"%PDF-1.7"))];
        change(&mut said, &mut documents);
        let answer = strict.submit_invalid(&said, documents).await;
        let context = Context::ProvideAndRegister;
        let rules: BTreeSet<_> = answer.errors.iter().map(|error| rule_of(error, context)).collect();
        let expected = BTreeSet::from([*rule]);
        assert!(rules == expected || (rule.is_empty() && rules.is_empty()), "{rule}: {answer:?}");
        // The same metadata by ITI-42: what is of the lists is refused there too.
        if rule.ends_with(".listed") {
            said.objects[ENTRY].set_slot("hash", vec!["0".repeat(40)]);
            said.objects[ENTRY].set_slot("size", vec!["1".to_owned()]);
            said.objects[ENTRY].set_slot("repositoryUniqueId", vec!["1.2.3.4".to_owned()]);
            let answer = strict.register(&ITI42, &said).await;
            let rules: Vec<_> = answer.errors.iter().map(|error| rule_of(error, Context::Register)).collect();
            assert_eq!((answer.status, rules), (Status::Failure, vec![*rule]));
        }
    }
    strict.stop().await;
    std::fs::remove_file(file).unwrap();
}

/// The submission that [`example`]'s replaces a document of.
fn replaced() -> Submission {
    let mut first = example::stable();
    first.objects.truncate(ENTRY + 1);
    for (object, id) in first.objects.iter_mut().zip(["set", example::REPLACED]) {
        rename(object, id);
        let unique_ids = [identifier::SS_UNIQUE_ID, identifier::DE_UNIQUE_ID];
        let unique_id = object.external_identifiers.iter_mut().find(|one| unique_ids.contains(&&*one.scheme));
        unique_id.unwrap().value = oid();
    }
    first.objects.push(has_member("set", example::REPLACED, Membership::Original));
    first
}

/// Every attribute of the model, a folder, a replacement with documentation, extra metadata: accepted, and nothing to report.
#[tokio::test]
async fn complete_submissions_are_accepted() {
    for context in [Context::ProvideAndRegister, Context::Register, Context::RegisterOnDemand] {
        let strict = strict(&["rules.\"document.type.signature\"=\"report\""]).await;
        assert_eq!(strict.register(&ITI42, &replaced()).await.errors, []);
        let answer = send(&strict, context, &good(context)).await;
        assert_eq!((answer.status, &answer.errors[..]), (Status::Success, &[][..]), "{context:?}");
        strict.stop().await;
    }
}

/// TF-3 4.2.2.1.1: what a set holds from elsewhere is an entry, by reference.
#[tokio::test]
async fn members_that_are_registered_already_are_references() {
    let hosted = Standalone::start(&[]).await;
    assert_eq!(hosted.register(&ITI42, &replaced()).await.errors, []);
    let mut said = submission(example::PATIENT, &[]);
    said.objects.truncate(SET + 1);
    said.objects.push(association(association::HAS_MEMBER, "set", example::REPLACED));
    let answer = hosted.register(&ITI42, &said).await;
    let rules: Vec<_> = answer.errors.iter().map(|error| rule_of(error, Context::Register)).collect();
    assert_eq!(rules, ["assoc.has-member.status-slot"]);
    said.objects[1].set_slot("SubmissionSetStatus", vec!["Reference".to_owned()]);
    assert_eq!(hosted.register(&ITI42, &said).await.errors, []);
    hosted.stop().await;
}

/// A sender is known by its certificate, and its own table lies over everybody's rules.
#[tokio::test]
async fn a_senders_rules_are_its_own() {
    let authority = Authority::new("Region");
    let server = authority.server();
    let sender = |name: &str, rules: &str| {
        format!("{{certificate=\"C=JP, O=Test Region, CN={name}\", rules={{{rules}}}}}")
    };
    let senders = [
        sender("old", "\"de.title.length\"=\"off\""),
        sender("announced", "\"de.title.length\"={level=\"enforce\", from=\"2999-01-01\"}"),
        sender("new", "\"cl.display-name.cardinality\"={level=\"enforce\", from=\"2000-01-01\"}"),
    ];
    let set = [
        "listen.soap.address=127.0.0.1:0".to_owned(),
        format!("listen.soap.tls.certificate={}", server.certificate.display()),
        format!("listen.soap.tls.key={}", server.key.display()),
        format!("listen.soap.tls.client_ca={}", authority.ca().display()),
        format!("standalone.senders=[{}]", senders.join(", ")),
    ];
    let region = Standalone::start(&set.each_ref().map(String::as_str)).await;
    let url = format!("{}/services/iti-41", region.running().bound().soap.as_ref().unwrap()).parse().unwrap();
    for (name, expected) in [
        ("somebody", &["de.title.length"][..]),
        ("old", &[]),
        ("announced", &[]),
        ("new", &["cl.display-name.cardinality", "de.title.length"]),
    ] {
        let pair = authority.issue(name, Usage::Client, VALID);
        let identity = Some((&*pair.certificate, &*pair.key));
        let peer = Peer::new(&authority.ca(), identity, PATIENCE).map_err(|stop| stop.message).unwrap();
        let document = ("Document0".to_owned(), "text/plain".to_owned(), Content::from_bytes(Bytes::new()));
        let mut said = submission("1^^^&1.2.3&ISO", &[Document::new(0)]);
        said.objects[ENTRY].name[0].value = "題".repeat(200);
        said.objects[ENTRY].classifications[0].name.clear();
        let answer = peer.submit(&url, &said, vec![document]).await.unwrap();
        let context = Context::ProvideAndRegister;
        let rules: BTreeSet<_> = answer.errors.iter().map(|error| rule_of(error, context)).collect();
        assert_eq!(Vec::from_iter(rules), expected, "{name}: {answer:?}");
    }
    region.stop().await;
}
