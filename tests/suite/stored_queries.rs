//! ITI-18 and ITI-51 over a socket, row by row: what each stored query finds by each of its parameters, and what it refuses
//! with which code ([`rows`]). A row begins with the section of ITI TF-2 that it holds us to.

mod rows;

use std::path::Path;

use sekisho::cli::peer::Peer;
use sekisho::metadata::codes::association::{APND, IS_SNAPSHOT_OF, RPLC, SIGNS, XFRM};
use sekisho::metadata::codes::slot;
use sekisho::store::Store;
use sekisho::transactions::Transaction;
use sekisho::transactions::errors::{Severity, Status, code};
use sekisho::transactions::iti18::{self, ITI18, Parameter, QueryResponse, ReturnType};
use sekisho::transactions::iti51::ITI51;
use sekisho::transactions::iti61::ITI61;
use sekisho::wire::soap::Outgoing;

use rows::*;

use crate::durability;
use crate::support::certs::TempDir;
use crate::support::draft::{Draft, OTHER_PATIENT, author, code as coded, found, with_ids};
use crate::support::front::envelope;
use crate::support::hosted::Standalone;
use crate::support::postgres;
use crate::support::program::Served;
use crate::support::submissions::Document;

fn sorted(names: &str) -> String {
    let mut names: Vec<_> = names.split_whitespace().collect();
    names.sort_unstable();
    names.join(" ")
}

/// A registry with a little of everything.
async fn hosted(overrides: &[&str]) -> Standalone {
    let hosted = Standalone::start(overrides).await;
    let first = Draft::new("set1")
        .entry("alpha", |entry| {
            entry
                .class_code(&coded("class1"))
                .type_code(&coded("type1"))
                .practice_setting_code(&coded("practice1"))
                .facility_type_code(&coded("facility1"))
                .format_code(&coded("format1"))
                .creation_time("202601")
                .service_start_time("20260110")
                .service_stop_time("2026011512")
                .event_codes([&coded("A"), &coded("B")])
                .confidentiality_codes([&coded("N"), &coded("X")])
                .reference_ids([
                    "ref1^^^&1.2.3.9&ISO^urn:ihe:iti:xds:2013:order",
                    "shared^^^^urn:example:case",
                ])
                .authors([&author("1^Yamada^Taro"), &author("2^Suzuki^Hanako")])
                .unique_id("1.2.3.11")
        })
        .entry("beta", |entry| {
            entry
                .class_code(&coded("class2"))
                .creation_time("20260301120000")
                .event_codes([&coded("B"), &coded("C")])
                .unique_id("1.2.3.12")
        })
        .folder("inpatient", &["F", "G"])
        .put("inpatient", "alpha")
        .unique_id("set1", "1.2.3.21")
        .unique_id("inpatient", "1.2.3.31");
    let second = Draft::new("set2")
        .entries(&["gamma", "delta"])
        .entry("sigma", |entry| {
            entry
                .reference_ids([
                    "ref2^^^&1.2.3.9&ISO^urn:ihe:iti:xds:2013:order",
                    "shared^^^^urn:example:case",
                ])
                .authors([&author("3^O'Neil^Bob_X"), &author("4^ガリレオ^100%")])
                .creation_time("20260301120000")
        })
        .refer("beta")
        .relate(APND, "gamma", "+", "alpha")
        .relate(XFRM, "delta", "~", "alpha")
        .relate(SIGNS, "sigma", "!", "alpha")
        .change("set2", |set| {
            set.set_slot(slot::SUBMISSION_TIME, vec!["20260201".to_owned()]);
            set.external_identifiers
                .iter_mut()
                .for_each(|e| e.value = e.value.replace("1.2.3.8", "1.2.3.88"));
            let codes = set.classifications.iter_mut().filter_map(|c| c.node_representation.as_mut());
            codes.filter(|code| *code == "content").for_each(|code| "other".clone_into(code));
            let persons = set.classifications.iter_mut().flat_map(|c| &mut c.slots);
            let persons = persons.filter(|slot| slot.name == "authorPerson");
            persons.for_each(|slot| slot.values = vec!["2^Suzuki^Hanako".to_owned()]);
        });
    let replacing =
        Draft::new("set3").entries(&["zeta"]).folder("empty", &["H"]).relate(RPLC, "zeta", "/", "beta");
    hosted.accept(&first).await;
    hosted.accept(&second).await;
    hosted.accept(&replacing).await;
    let on_demand = Draft::new("set4").on_demand("omega").submission();
    assert_eq!(hosted.register(&ITI61, &on_demand).await.errors, []);
    // Twice the same document, and an addendum to one of the two.
    let twin = |set| Draft::new(set).entries(&["lambda"]);
    hosted.accept(&Draft::new("set5").entry("iota", |entry| entry.unique_id("1.2.3.77"))).await;
    hosted
        .accept(
            &twin("set6")
                .entry("kappa", |entry| entry.unique_id("1.2.3.77"))
                .relate(APND, "lambda", "+", "kappa"),
        )
        .await;
    hosted.accept(&Draft::new("set7").entries(&["snap"]).relate(IS_SNAPSHOT_OF, "snap", "@", "omega")).await;
    hosted
        .accept(
            &Draft::of(OTHER_PATIENT, "mothers")
                .entry("birth", |e| e.unique_id("1.2.3.13"))
                .folder("home", &["F"]),
        )
        .await;
    // A mother's document in her child's set (ITI TF-3: 4.2.2.1.3).
    hosted.accept(&Draft::new("set8").refer("birth")).await;
    hosted
}

#[tokio::test]
async fn every_stored_query_answers_by_each_of_its_parameters() {
    let hosted = hosted(&[]).await;
    for (section, query, parameters, expected) in ANSWERED {
        for return_type in [ReturnType::LeafClass, ReturnType::ObjectRef] {
            let answer = hosted.question(&ITI18, &query.request(parameters, return_type)).await;
            let row = format!("{section}: {} {parameters:?} as {return_type:?}", query.name);
            assert_eq!((answer.status, &*answer.errors), (Status::Success, &[][..]), "{row}");
            assert_eq!(found(&answer), sorted(expected), "{row}");
        }
    }
    hosted.stop().await;
}

/// Queries for entries have the filters of FindDocuments (3.18.4.1.2.3.7.14, 3.51.4.1.2.3.1): each of its rows holds of them
/// too, of entries with a reference where that is what they ask by.
#[tokio::test]
async fn the_filters_of_find_documents_are_those_of_its_sisters() {
    const WITH_REFERENCE: [&str; 2] = ["alpha", "sigma"];
    const ANY_REFERENCE: (&str, &str) = ("$XDSDocumentEntryReferenceIdList", "('%')");
    let hosted = hosted(&["standalone.permit.multi_patient=[\"*\"]"]).await;
    for (transaction, sister) in
        [(&ITI18, &FIND_BY_REFERENCE), (&ITI51, &FIND_FOR_SEVERAL), (&ITI51, &FIND_BY_REFERENCE_FOR_SEVERAL)]
    {
        for (section, query, parameters, expected) in ANSWERED {
            if query.name != FIND_DOCUMENTS.name {
                continue;
            }
            let mut parameters = parameters.to_vec();
            if parameters.iter().all(|(name, _)| *name != OF_ENTRIES[0].0) {
                parameters.push(OF_ENTRIES[0]);
            }
            let mut names: Vec<_> = expected.split_whitespace().collect();
            if sister.name != FIND_FOR_SEVERAL.name {
                parameters.push(ANY_REFERENCE);
                names.retain(|name| WITH_REFERENCE.contains(name));
            }
            let answer = ask(&hosted, transaction, sister, &parameters).await;
            let row = format!("{section}: {} {parameters:?} {:?}", sister.name, answer.errors);
            assert_eq!((answer.status, found(&answer)), (Status::Success, sorted(&names.join(" "))), "{row}");
        }
    }
    hosted.stop().await;
}

/// No parameter that the table of queries has is without a row, here or among those of FindDocuments (above).
#[test]
fn every_parameter_of_every_query_has_a_row() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles/stored-queries.toml");
    let table: toml::Value = toml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let names = |parameters: &toml::Value| -> Vec<String> {
        let parameters = parameters.as_array().unwrap().iter();
        parameters.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
    };
    let filters = names(&table["groups"]["entries"]);
    let mut without = Vec::new();
    for query in table["query"].as_array().unwrap() {
        let name = query["name"].as_str().unwrap();
        let groups = query.get("with").into_iter().flat_map(|with| with.as_array().unwrap());
        let of_groups = groups.flat_map(|group| names(&table["groups"][group.as_str().unwrap()]));
        let mut parameters: Vec<_> =
            query.get("parameters").into_iter().flat_map(names).chain(of_groups).collect();
        parameters.retain(|parameter| name == FIND_DOCUMENTS.name || !filters.contains(parameter));
        assert!(!parameters.is_empty(), "{name}");
        let rows = ANSWERED.iter().chain(FOR_SEVERAL).filter(|(_, query, ..)| query.name == name);
        let in_rows: Vec<_> = rows.flat_map(|(_, query, parameters, _)| query.named(parameters)).collect();
        let missing = parameters.into_iter().filter(|parameter| !in_rows.contains(&parameter.as_str()));
        without.extend(missing.map(|parameter| format!("{name} {parameter}")));
    }
    assert!(without.is_empty(), "parameters without a row: {without:#?}");
}

#[tokio::test]
async fn every_stored_query_refuses_with_its_code() {
    let hosted = hosted(&[]).await;
    for (section, query, parameters, expected) in REFUSED {
        for return_type in [ReturnType::LeafClass, ReturnType::ObjectRef] {
            let answer = hosted.question(&ITI18, &query.request(parameters, return_type)).await;
            refused(&answer, expected, &format!("{section}: {} {parameters:?}", query.name));
        }
    }
    hosted.stop().await;
}

/// A Failure with these errors, each with a part of its codeContext, and nothing else.
fn refused(answer: &QueryResponse, expected: &[(&str, &str)], row: &str) {
    assert_eq!((answer.status, answer.objects.len()), (Status::Failure, 0), "{row}");
    let codes: Vec<_> = answer.errors.iter().map(|error| &*error.code).collect();
    let expected_codes: Vec<_> = expected.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, expected_codes, "{row}: {:?}", answer.errors);
    for (error, (_, context)) in answer.errors.iter().zip(expected) {
        assert!(error.context.contains(context), "{row}: {context:?} is not in {:?}", error.context);
        assert!(!error.context.contains("123456789018"), "{row}: {:?}", error.context);
        assert_eq!((error.severity, &error.location), (Severity::Error, &None), "{row}");
    }
}

/// Whole objects are of one patient; references may be of several.
#[tokio::test]
async fn leaf_class_is_about_one_patient() {
    let hosted = hosted(&[]).await;
    for (section, query, parameters, expected) in OF_TWO_PATIENTS {
        let row = format!("{section}: {}", query.name);
        let leaf = hosted.question(&ITI18, &query.request(parameters, ReturnType::LeafClass)).await;
        refused(&leaf, &[(code::RESULT_NOT_SINGLE_PATIENT, query.name)], &row);
        let references = hosted.question(&ITI18, &query.request(parameters, ReturnType::ObjectRef)).await;
        assert_eq!((references.status, found(&references)), (Status::Success, sorted(expected)), "{row}");
    }
    hosted.stop().await;
}

#[tokio::test]
async fn multi_patient_queries_answer_and_refuse() {
    let hosted = hosted(&["standalone.permit.multi_patient=[\"*\"]"]).await;
    for (section, query, parameters, expected) in FOR_SEVERAL {
        for return_type in [ReturnType::LeafClass, ReturnType::ObjectRef] {
            let answer = hosted.question(&ITI51, &query.request(parameters, return_type)).await;
            let row = format!("{section}: {} {parameters:?} {:?}", query.name, answer.errors);
            assert_eq!((answer.status, found(&answer)), (Status::Success, sorted(expected)), "{row}");
        }
    }
    for (section, query, parameters, expected) in REFUSED_FOR_SEVERAL {
        let answer = hosted.question(&ITI51, &query.request(parameters, ReturnType::LeafClass)).await;
        refused(&answer, expected, &format!("{section}: {} {parameters:?}", query.name));
    }
    hosted.stop().await;
}

/// 3.18.4.1.2: what ebRS offers besides LeafClass and ObjectRef is refused as any other mistake in a query is, in an answer.
#[tokio::test]
async fn another_return_type_is_refused_in_an_answer() {
    let hosted = hosted(&["standalone.permit.multi_patient=[\"*\"]"]).await;
    for (transaction, query) in [(&ITI18, &FIND_DOCUMENTS), (&ITI51, &FIND_FOR_SEVERAL)] {
        let right = iti18::write_request(&query.request(&[], ReturnType::LeafClass));
        let right = String::from_utf8(right.to_vec()).unwrap();
        for other in ["RegistryObject", "LeafClassWithRepositoryItem", "leafclass", ""] {
            let body = right.replace("returnType=\"LeafClass\"", &format!("returnType=\"{other}\""));
            let message = Outgoing { body: vec![body.into()], ..Outgoing::default() };
            let message = hosted.deliver(transaction, message).await.unwrap();
            let answer = iti18::read_response(message.envelope.body().unwrap()).unwrap();
            refused(&answer, &[(code::REGISTRY_ERROR, "returnType")], other);
        }
    }
    hosted.stop().await;
}

/// The affinity domain may want unknown patients refused (3.18.4.1.3).
#[tokio::test]
async fn an_unknown_patient_is_refused_where_that_is_the_policy() {
    let hosted = hosted(&["standalone.unknown_patient_queries=\"refuse\""]).await;
    let request = FIND_DOCUMENTS
        .request(&[("$XDSDocumentEntryPatientId", "'nobody^^^&1.2.3&ISO'")], ReturnType::LeafClass);
    let answer = hosted.question(&ITI18, &request).await;
    refused(&answer, &[(code::UNKNOWN_PATIENT_ID, "nobody^^^&1.2.3&ISO")], "3.18.4.1.3");
    hosted.stop().await;
}

async fn ask(
    hosted: &Standalone,
    transaction: &Transaction,
    query: &Query,
    more: &[(&str, &str)],
) -> QueryResponse {
    hosted.question(transaction, &query.request(more, ReturnType::LeafClass)).await
}

/// Whatever a parameter holds, it is a value: quotes, comments, patterns, JSON and binds reach no statement.
#[tokio::test]
async fn attack_53_injected_values_are_values() {
    let hosted = hosted(&[]).await;
    for hostile in [
        "x'); DROP TABLE registry_object; --",
        "' OR '1'='1",
        "'); --",
        "\\",
        "\\'",
        "?1",
        "$1",
        ":a",
        "@a",
        "[\"a\"]",
        "{\"a\":1}",
        "\u{1F480}",
        "%00",
        "''",
        "x\" OR \"1\"=\"1",
        "/*",
        "`",
        "a\tb\nc",
    ] {
        let text = format!("'{}'", hostile.replace('\'', "''"));
        let coded = format!("('{}^^1.2.3.5')", hostile.replace('\'', "''").replace('^', ""));
        for (query, parameter, value) in [
            (&FIND_DOCUMENTS, "$XDSDocumentEntryClassCode", &coded),
            (&FIND_DOCUMENTS, "$XDSDocumentEntryEventCodeList", &coded),
            (&FIND_DOCUMENTS, "$XDSDocumentEntryAuthorPerson", &text),
            (&FIND_SETS, "$XDSSubmissionSetSourceId", &text),
            (&GET_DOCUMENTS, "$XDSDocumentEntryUniqueId", &text),
            (&GET_DOCUMENTS, "$XDSDocumentEntryEntryUUID", &text),
            (&GET_ASSOCIATIONS, "$uuid", &text),
        ] {
            let mut request = query.request(&[], ReturnType::LeafClass);
            request.parameters.push(Parameter { name: parameter.to_owned(), values: vec![value.clone()] });
            let answer = hosted.question(&ITI18, &request).await;
            let errors = &*answer.errors;
            assert_eq!(
                (answer.status, errors, &*found(&answer)),
                (Status::Success, &[][..], ""),
                "{parameter} {value}"
            );
        }
    }
    let everything =
        ask(&hosted, &ITI18, &FIND_DOCUMENTS, &[("$XDSDocumentEntryAuthorPerson", "('%')")]).await;
    assert_eq!(found(&everything), sorted(EVERY_ENTRY));
    hosted.stop().await;
}

/// Long lists are answered up to a bound; beyond it, what is too long is said.
#[tokio::test]
async fn attack_53_ten_thousand_values_are_answered_and_more_are_refused() {
    let hosted = hosted(&[]).await;
    let values = |count: usize, value: &dyn Fn(usize) -> String| {
        let values: Vec<_> = (0..count).map(value).collect();
        // As many to a Value element as its 256 characters hold.
        values.chunks(4).map(|some| format!("({})", some.join(","))).collect::<Vec<_>>()
    };
    let uuid = |n: usize| match n {
        0 => with_ids("'{alpha}'"),
        n => format!("'urn:uuid:00000000-0000-4000-9000-{n:012}'"),
    };
    let coded = |n: usize| if n == 0 { "'class1^^1.2.3.5'".to_owned() } else { format!("'c{n}^^1.2.3.5'") };
    let pattern = |n: usize| if n == 0 { "'%Suzuki%'".to_owned() } else { format!("'%{n}%a%'") };
    type Value<'a> = &'a dyn Fn(usize) -> String;
    let cases: [(&Query, &str, Value<'_>, usize); 3] = [
        (&GET_DOCUMENTS, "$XDSDocumentEntryEntryUUID", &uuid, 10_000),
        (&FIND_DOCUMENTS, "$XDSDocumentEntryClassCode", &coded, 10_000),
        (&FIND_DOCUMENTS, "$XDSDocumentEntryAuthorPerson", &pattern, 100),
    ];
    for (query, parameter, value, most) in cases {
        let ask = async |count| {
            let mut request = query.request(&[], ReturnType::LeafClass);
            request.parameters.push(Parameter { name: parameter.to_owned(), values: values(count, value) });
            hosted.question(&ITI18, &request).await
        };
        let answer = ask(most).await;
        assert_eq!(
            (answer.status, &*found(&answer)),
            (Status::Success, "alpha"),
            "{parameter}: {:?}",
            answer.errors
        );
        refused(&ask(most + 1).await, &[(code::REGISTRY_ERROR, "more than")], parameter);
    }
    // The same of lists that must all be met.
    for (times, expected) in [(100, Status::Success), (101, Status::Failure), (5_000, Status::Failure)] {
        let repeated = vec![("$XDSDocumentEntryEventCodeList", "('A^^1.2.3.5')"); times];
        let answer = ask(&hosted, &ITI18, &FIND_DOCUMENTS, &repeated).await;
        assert_eq!(answer.status, expected, "{times}");
        assert!(answer.errors.iter().all(|error| error.context.contains("more than 100 times")));
    }
    hosted.stop().await;
}

/// More than one answer may hold is refused, whatever part of the answer it is that goes beyond.
#[tokio::test]
async fn attack_54_too_large_an_answer_is_refused() {
    let hosted = hosted(&["limits.max_query_results=9"]).await;
    let just = ask(&hosted, &ITI18, &FIND_DOCUMENTS, &[]).await;
    assert_eq!(found(&just), sorted(EVERY_ENTRY));
    hosted.accept(&Draft::new("set10").entries(&["tenth"])).await;
    let all: Parameters = &[
        ("$patientId", P1),
        ("$XDSDocumentEntryStatus", ANY),
        ("$XDSSubmissionSetStatus", ANY),
        ("$XDSFolderStatus", ANY),
    ];
    let of_set: Parameters = &[("$XDSSubmissionSetEntryUUID", "'{set2}'")];
    for (query, parameters) in [(&FIND_DOCUMENTS, &[][..]), (&GET_ALL, all)] {
        for return_type in [ReturnType::LeafClass, ReturnType::ObjectRef] {
            let answer = hosted.question(&ITI18, &query.request(parameters, return_type)).await;
            refused(&answer, &[(code::TOO_MANY_RESULTS, "more than 9 objects")], query.name);
        }
    }
    // Nine objects: a set, its entries and their memberships.
    assert_eq!(ask(&hosted, &ITI18, &GET_SET_AND_CONTENTS, of_set).await.objects.len(), 9);
    hosted.stop().await;
}

/// However much a question finds: the database is asked for no more than an answer holds.
#[tokio::test(flavor = "multi_thread")]
async fn attack_54_memory_does_not_grow_with_what_is_found() {
    let folder = TempDir::new();
    // PostgreSQL takes its time to store so many.
    let entries = if postgres::connection_for(folder.path()).is_some() { 300_000 } else { 1_000_000 };
    let start = || {
        let settings = ["limits.max_query_results=1000"];
        Served::start("examples/standalone/sekisho.toml", folder.path(), &settings)
    };
    let document = Document::new(100);
    let served = start();
    let taken = durability::submit(&served, &durability::Begun::default(), vec![document.clone()]).await;
    assert_eq!(taken.unwrap().status, Status::Success);
    drop(served);
    multiply_entries(folder.path(), entries);

    let served = start();
    let peak = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", served.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap()
    };
    let before = peak();
    let patient = format!("'{}'", durability::PATIENT);
    let unique_id = format!("('{}')", document.unique_id);
    let of_patient = [("$XDSDocumentEntryPatientId", &*patient), ("$XDSDocumentEntryStatus", ANY)];
    let all = [
        ("$patientId", &*patient),
        ("$XDSDocumentEntryStatus", ANY),
        ("$XDSSubmissionSetStatus", ANY),
        ("$XDSFolderStatus", ANY),
    ];
    let named = [("$XDSDocumentEntryUniqueId", &*unique_id)];
    for (query, parameters) in [
        (&FIND_DOCUMENTS, &of_patient[..]),
        (&GET_ALL, &all),
        (&GET_DOCUMENTS, &named),
        (&GET_DOCUMENTS_AND_ASSOCIATIONS, &named),
    ] {
        for return_type in [ReturnType::LeafClass, ReturnType::ObjectRef] {
            let request = query.request(parameters, return_type);
            let peer = Peer::plain(durability::DEADLINE).unwrap();
            let answer = peer.query(&ITI18, &durability::url(&served, "iti18"), &request).await.unwrap();
            refused(&answer, &[(code::TOO_MANY_RESULTS, "more than 1000 objects")], query.name);
        }
    }
    // As references alone, all of them would be some hundreds of MiB.
    assert!(peak() - before < 64 << 10, "it grew by {} KiB", peak() - before);
}

/// Puts entries beside the one that a gateway has taken, which are like it in all but their ids. Most cannot be read: what
/// an answer has no room for is not even unpacked.
fn multiply_entries(data: &Path, entries: usize) {
    const MORE: &str = "
        WITH RECURSIVE more(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM more WHERE n < COUNT)
        INSERT INTO registry_object (tenant, object, kind, status, uuid, logical_id, version, patient, unique_id,
            on_demand, repository, hash, size, start, fragment)
        SELECT o.tenant, o.object + 1000 + n, o.kind, o.status, UUID, o.logical_id, o.version, o.patient, o.unique_id,
            o.on_demand, o.repository, o.hash, o.size, o.start,
            CASE WHEN n < 10000 THEN o.fragment ELSE substr(o.fragment, 1, 0) END
        FROM registry_object o, more WHERE o.kind = 0";
    let more = MORE.replace("COUNT", &entries.to_string());
    match postgres::connection_for(data) {
        Some(at) => postgres::run(&at, &more.replace("UUID", "decode(lpad(to_hex(n), 32, '0'), 'hex')")),
        None => {
            let store = Store::open(data, &[]).unwrap();
            let more = more.replace("UUID", "unhex(printf('%032x', n))");
            store.write_blocking(move |connection| Ok(connection.execute_batch(&more)?)).unwrap();
            store.close();
        }
    }
}

/// What a query does not know is passed over and counted, so that an operator learns of a consumer that misspells.
#[test]
fn unknown_parameters_are_counted() {
    let folder = TempDir::new();
    let served = Served::start("examples/standalone/sekisho.toml", folder.path(), &[]);
    let unknown = [("$Something", "'else'"), ("$XDSFolderStatus", "()")];
    let body = iti18::write_request(&FIND_DOCUMENTS.request(&unknown, ReturnType::LeafClass));
    let message = envelope(ITI18.action, "", std::str::from_utf8(&body).unwrap());
    let (status, answer) = served.post("/services/iti-18", &message);
    assert!(status == 200 && answer.contains("ResponseStatusType:Success"), "{answer}");
    let (_, metrics) = served.get("/metrics");
    let mut lines =
        metrics.lines().filter(|line| line.starts_with("sekisho_query_unknown_parameters_total{"));
    let line = lines.next().unwrap_or_default();
    assert!(line.contains("query=\"FindDocuments\"") && line.ends_with(" 2"), "{line}");
}
