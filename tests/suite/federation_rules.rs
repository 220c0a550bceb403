//! The rules of both gateways (ITI TF-2: 3.18.4.1.3, 3.38, 3.39, 3.43): who is asked what, what is passed on, what is
//! reported.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use sekisho::actors::own_community::OwnCommunity;
use sekisho::actors::responding_gateway::RespondingGateway;
use sekisho::demographics::{Domain, DomainKind, Domains, TwelveDigits};
use sekisho::federation::Unavailable;
use sekisho::federation::consolidate::{judge, merge};
use sekisho::federation::member::{Member, Role};
use sekisho::ids::Oid;
use sekisho::transactions::Caller;
use sekisho::transactions::errors::{RegistryError, Severity, Status, code};
use sekisho::transactions::iti18::{QueryRequest, QueryResponse, ReturnType, write_response};
use sekisho::transactions::iti43::RetrieveRequest;

use crate::support::community::{
    Behaviour, GET_DOCUMENTS, Gateway, InMemory, OWN, PATIENT, Scripted, collected, entry_xml,
    find_documents, found, home, objects, patient, stored_query, uuid_of, wanted,
};
use crate::support::{golden, messages};

const EAST: &str = "1.2.200";
const WEST: &str = "1.2.300";

async fn two(east: Behaviour, west: Behaviour) -> (Scripted, Scripted, Gateway) {
    let (east, west) = (Scripted::new(EAST, east).await, Scripted::new(WEST, west).await);
    let gateway = Gateway::new(&[east.file(""), west.file("")]);
    (east, west, gateway)
}

fn codes(errors: &[RegistryError]) -> Vec<(&str, Severity)> {
    errors.iter().map(|e| (e.code.as_ref(), e.severity)).collect()
}

#[tokio::test]
async fn every_community_that_knows_the_patient_is_in_the_answer_with_its_home() {
    let (_east, _west, gateway) = two(Behaviour::Right, Behaviour::Right).await;
    let response = gateway.find().await;
    assert_eq!((response.status, response.errors.len()), (Status::Success, 0));
    assert_eq!(found(&response).len(), 5);
    for object in &response.objects {
        let unique_id = object.unique_id.as_deref().unwrap();
        let home = object.home.as_deref().unwrap();
        assert!(unique_id.starts_with(home.strip_prefix("urn:oid:").unwrap()), "{unique_id} at {home}");
    }
}

#[tokio::test]
async fn the_patient_is_asked_for_by_each_communitys_own_identifiers() {
    let (east, west, _) = two(Behaviour::Right, Behaviour::Right).await;
    let (_, file) = east.file("");
    let foreign = |(name, file): (String, String)| (name, file.replace("1.2.392.1\"", "1.2.392.9\""));
    let gateway = Gateway::correlating(
        &[foreign((EAST.to_owned(), file)), foreign(west.file(""))],
        [
            (patient(PATIENT), home(EAST), patient("E1^^^&1.2.392.9&ISO")),
            (patient(PATIENT), home(EAST), patient("E2^^^&1.2.392.9&ISO")),
        ],
    );
    let response = gateway.find().await;
    assert_eq!(response.status, Status::Success);
    assert_eq!(found(&response).len(), 3, "what both identities share is there once");
    assert_eq!((east.count(), west.count()), (2, 0), "nobody is asked about a stranger");
    assert!(east.last_request().contains("^^^&amp;1.2.392.9&amp;ISO'"));
    assert!(east.last_request().contains("$XDSDocumentEntryStatus"), "all parameters are passed on");
    let own = gateway.own.queries.lock().unwrap()[0].clone();
    assert_eq!(own, find_documents(PATIENT));
}

#[tokio::test]
async fn a_patient_whom_nobody_knows_is_an_empty_success() {
    let (east, west, gateway) = two(Behaviour::UnknownPatient, Behaviour::UnknownPatient).await;
    let response = gateway.find().await;
    assert_eq!((response.status, response.errors.len()), (Status::Success, 0));
    assert_eq!(found(&response), ["1.2.100.1"]);
    assert_eq!((east.count(), west.count()), (1, 1));
}

#[tokio::test]
async fn a_query_by_identifiers_goes_to_the_community_that_home_names() {
    let (east, west, gateway) = two(Behaviour::Right, Behaviour::Right).await;
    let ask = |home: Option<&str>| {
        let request = stored_query(GET_DOCUMENTS, home, &[("$XDSDocumentEntryEntryUUID", "('urn:uuid:1')")]);
        let gateway = &gateway.gateway;
        async move { gateway.registry_stored_query(request, &Caller::default()).await }
    };
    let response = ask(Some("urn:oid:1.2.300")).await;
    assert_eq!((response.status, found(&response).len()), (Status::Success, 2));
    assert_eq!((east.count(), west.count()), (0, 1));
    assert!(west.last_request().contains(r#"home="urn:oid:1.2.300""#));
    assert_eq!(found(&ask(Some("urn:oid:1.2.100")).await), ["1.2.100.1"]);
    for (home, expected) in [
        (None, "XDSMissingHomeCommunityId"),
        (Some(""), "XDSMissingHomeCommunityId"),
        (Some("urn:oid:1.2.999"), "XDSUnknownCommunity"),
        (Some("nobody"), "XDSUnknownCommunity"),
    ] {
        let response = ask(home).await;
        assert_eq!(response.status, Status::Failure);
        assert_eq!(codes(&response.errors), [(expected, Severity::Error)]);
    }
}

#[tokio::test]
async fn a_query_by_patient_with_home_goes_to_that_community_only() {
    let (east, west, gateway) = two(Behaviour::Right, Behaviour::Right).await;
    let mut request = find_documents(PATIENT);
    request.home = Some("1.2.200".to_owned());
    let response = gateway.gateway.registry_stored_query(request.clone(), &Caller::default()).await;
    assert_eq!(found(&response), ["1.2.200.1", "1.2.200.2"]);
    assert_eq!((east.count(), west.count()), (1, 0));
    request.home = Some("urn:oid:1.2.100".to_owned());
    let response = gateway.gateway.registry_stored_query(request, &Caller::default()).await;
    assert_eq!(found(&response), ["1.2.100.1"]);
}

#[tokio::test]
async fn attack_58_a_community_cannot_speak_for_another() {
    let (_east, _west, gateway) = two(Behaviour::Spoofs(WEST), Behaviour::Right).await;
    let response = gateway.find().await;
    assert_eq!(response.status, Status::PartialSuccess);
    assert_eq!(found(&response), ["1.2.100.1", "1.2.300.1", "1.2.300.2"], "nothing of what it made up");
    assert_eq!(codes(&response.errors), [("XDSRegistryError", Severity::Error)]);
    assert_eq!(response.errors[0].location.as_deref(), Some("urn:oid:1.2.200"));
    assert_eq!(gateway.oddities(EAST), [("foreign-home", 2)]);
    // Not for our own either.
    let (_east, _west, gateway) = two(Behaviour::Spoofs(OWN), Behaviour::Right).await;
    assert_eq!(found(&gateway.find().await), ["1.2.100.1", "1.2.300.1", "1.2.300.2"]);
}

#[tokio::test]
async fn broken_rules_that_harm_nobody_are_reported_as_warnings_that_name_the_community() {
    for (behaviour, oddity, documents) in
        [(Behaviour::Twice, ("duplicate-object", 2), 5), (Behaviour::NoLanguage, ("invalid-metadata", 2), 5)]
    {
        let (_east, _west, gateway) = two(behaviour, Behaviour::Right).await;
        let response = gateway.find().await;
        assert_eq!(response.status, Status::Success, "{behaviour:?}");
        assert_eq!(found(&response).len(), documents, "{behaviour:?}");
        assert_eq!(codes(&response.errors), [("XDSRegistryError", Severity::Warning)]);
        assert!(response.errors[0].context.contains("urn:oid:1.2.200"));
        assert_eq!(gateway.oddities(EAST), [oddity]);
    }
}

#[tokio::test]
async fn a_peers_own_errors_are_kept_and_get_a_location() {
    let (_east, _west, gateway) = two(Behaviour::NoLocation, Behaviour::Right).await;
    let response = gateway.find().await;
    assert_eq!((response.status, found(&response).len()), (Status::PartialSuccess, 5));
    assert_eq!(
        codes(&response.errors),
        [("XDSRegistryError", Severity::Error), ("XDSRegistryError", Severity::Warning)]
    );
    assert_eq!(response.errors[0].context, "the peer says so");
    assert!(response.errors.iter().all(|e| e.location.as_deref() == Some("urn:oid:1.2.200")));
    assert_eq!(gateway.oddities(EAST), [("missing-location", 1)]);
}

#[tokio::test]
async fn quirks_change_what_becomes_of_a_community() {
    let east = Scripted::new(EAST, Behaviour::NoHome).await;
    let gateway = Gateway::new(&[east.file("quirks = [\"fill-home\", \"date-range\"]")]);
    let response = gateway.find().await;
    assert_eq!((response.status, found(&response).len()), (Status::Success, 3));
    assert!(response.objects.iter().all(|o| o.home.is_some()));
    assert_eq!(codes(&response.errors), [("XDSMissingHomeCommunityId", Severity::Warning)]);
    assert!(east.last_request().contains("$XDSDocumentEntryCreationTimeFrom"));

    let east = Scripted::new(EAST, Behaviour::NoLanguage).await;
    let gateway = Gateway::new(&[east.file("quirks = [\"drop-invalid-metadata\"]")]);
    assert_eq!(found(&gateway.find().await), ["1.2.100.1"]);

    let east = Scripted::new(EAST, Behaviour::Right).await;
    let gateway = Gateway::new(&[east.file("enabled = false")]);
    let response = gateway.find().await;
    assert_eq!((response.status, found(&response).len(), east.count()), (Status::Success, 1, 0));
    let response = gateway.fetch(&[(EAST, "1.2.200.1")]).await;
    assert_eq!(codes(&response.errors), [("XDSUnavailableCommunity", Severity::Error)]);
}

#[tokio::test]
async fn answers_are_held_to_the_rules_of_their_communitys_file() {
    const RULE: &str = "de.creation-time.cardinality";
    let (east, west, _) = two(Behaviour::Right, Behaviour::Right).await;
    let enforced = east.file(&format!("[rules]\n{RULE:?} = \"enforce\""));
    let reported =
        west.file(&format!("[rules]\n{RULE:?} = {{ level = \"enforce\", from = \"2999-01-01\" }}"));
    let gateway = Gateway::new(&[enforced, reported]);
    let response = gateway.find().await;
    assert_eq!(response.status, Status::PartialSuccess);
    assert_eq!(found(&response), ["1.2.100.1", "1.2.300.1", "1.2.300.2"]);
    let [error] = response.errors.as_slice() else { panic!("{:?}", response.errors) };
    let expected = format!(
        "community Region {EAST} (urn:oid:{EAST}) sent 2 objects that break {RULE}; they were left out"
    );
    assert_eq!((error.context.as_str(), error.location.as_deref()), (&*expected, Some("urn:oid:1.2.200")));
    assert_eq!(
        [EAST, WEST].map(|of| gateway.oddities(of)),
        [[("invalid-metadata", 2)], [("invalid-metadata", 2)]]
    );
}

/// Each level of a rule, as a community's file may say it: what is left of two objects that break it, and whether that is
/// noticed.
#[tokio::test]
async fn a_communitys_rules_are_off_reported_enforced_or_announced() {
    for (level, objects, noticed) in [
        ("\"off\"", 2, 0),
        ("\"report\"", 2, 2),
        ("\"enforce\"", 0, 2),
        ("{ level = \"enforce\", from = \"2000-01-01\" }", 0, 2),
        ("{ level = \"enforce\", from = \"2999-01-01\" }", 2, 2),
    ] {
        let east = Scripted::new(EAST, Behaviour::Right).await;
        let gateway =
            Gateway::new(&[east.file(&format!("[rules]\n\"de.creation-time.cardinality\" = {level}"))]);
        let response = gateway.find().await;
        assert_eq!(found(&response).len(), 1 + objects, "{level}");
        assert_eq!(response.errors.len(), usize::from(objects == 0), "{level}");
        let oddities = gateway.oddities(EAST).iter().map(|(_, count)| *count).sum::<u64>();
        assert_eq!(oddities, noticed, "{level}");
    }
}

#[tokio::test]
async fn documents_come_under_the_identifiers_that_were_asked_for() {
    let (_east, west, gateway) = two(Behaviour::Right, Behaviour::Right).await;
    let mut bare = wanted(WEST, "1.2.300.1");
    bare.home = Some("1.2.300".to_owned());
    let mut homeless = wanted(EAST, "1.2.200.1");
    homeless.home = None;
    let documents = vec![
        bare.clone(),
        wanted(OWN, "1.2.100.1"),
        wanted(EAST, "1.2.200.2"),
        homeless,
        wanted("1.2.999", "1.2.999.1"),
        wanted(OWN, "1.2.100.7"),
        wanted(EAST, "1.2.200.7"),
    ];
    let request = RetrieveRequest { documents };
    let response = gateway.gateway.retrieve_document_set(request, &Caller::default()).await;
    assert_eq!(response.status, Status::PartialSuccess);
    let mut errors: Vec<_> =
        response.errors.iter().map(|e| (e.location.as_deref().unwrap(), e.code.as_ref())).collect();
    errors.sort_unstable();
    assert_eq!(
        errors,
        [
            ("1.2.100.7", "XDSDocumentUniqueIdError"),
            ("1.2.200.1", "XDSMissingHomeCommunityId"),
            ("1.2.200.7", "XDSRepositoryError"),
            ("1.2.999.1", "XDSUnknownCommunity"),
        ]
    );
    let echoed: Vec<_> = response.documents.iter().map(|d| d.head.request.clone()).collect();
    assert!(echoed.contains(&bare) && echoed.contains(&wanted(OWN, "1.2.100.1")), "{echoed:?}");
    assert!(west.last_request().contains(">urn:oid:1.2.300<"), "peers are told the URN form");
    assert_eq!(collected(response).await.len(), 3);
}

#[tokio::test]
async fn a_gap_in_a_peers_answer_is_an_error_and_a_repetition_is_left_out() {
    let (_east, _west, gateway) = two(Behaviour::Forgets, Behaviour::Twice).await;
    let response = gateway
        .fetch(&[(EAST, "1.2.200.1"), (EAST, "1.2.200.2"), (WEST, "1.2.300.1"), (WEST, "1.2.300.1")])
        .await;
    assert_eq!(
        codes(&response.errors),
        [("XDSRepositoryError", Severity::Error), ("XDSRepositoryError", Severity::Warning)]
    );
    assert_eq!(response.errors[0].location.as_deref(), Some("1.2.200.1"));
    assert_eq!(collected(response).await.len(), 2);
    assert_eq!(gateway.oddities(EAST), [("silent-gap", 1)]);
    assert_eq!(gateway.oddities(WEST), [("duplicate-document", 1)]);
}

#[tokio::test]
async fn parts_in_another_order_than_their_documents_are_read_all_the_same() {
    for size in [100_000, 3_000_000] {
        let east = Scripted::new(EAST, Behaviour::Backwards).await;
        let ids: Vec<String> = (10..13).map(|n| format!("1.2.200.{n}")).collect();
        for (id, fill) in ids.iter().zip(["a", "b", "c"]) {
            east.add(id, fill.repeat(size));
        }
        let all: Vec<(&str, &str)> = ids.iter().map(|id| (EAST, id.as_str())).collect();
        let gateway = Gateway::new(&[east.file("")]);
        let response = gateway.fetch(&all).await;
        assert_eq!(response.status, Status::Success, "{:#?}", response.errors);
        let documents = collected(response).await;
        for (id, fill) in ids.iter().zip(["a", "b", "c"]) {
            assert!(documents[id] == fill.repeat(size), "{id}");
        }
    }
}

#[tokio::test]
async fn a_part_that_is_not_there_costs_no_other_document() {
    let (_east, _west, gateway) = two(Behaviour::NoPart, Behaviour::Right).await;
    let response = gateway.fetch(&[(EAST, "1.2.200.1"), (EAST, "1.2.200.2"), (WEST, "1.2.300.1")]).await;
    assert_eq!(response.status, Status::PartialSuccess);
    assert_eq!(codes(&response.errors), [("XDSUnavailableCommunity", Severity::Error)]);
    assert_eq!(response.errors[0].location.as_deref(), Some("1.2.200.1"));
    assert_eq!(collected(response).await.len(), 2);
}

#[tokio::test]
async fn how_many_documents_a_community_takes_is_learned() {
    let east = Scripted::new(EAST, Behaviour::AtMost(3)).await;
    let gateway = Gateway::new(&[east.file("")]);
    let ids: Vec<String> = (10..18).map(|n| format!("1.2.200.{n}")).collect();
    ids.iter().for_each(|id| east.add(id, format!("document {id}")));
    let all: Vec<(&str, &str)> = ids.iter().map(|id| (EAST, id.as_str())).collect();
    let response = gateway.fetch(&all).await;
    assert_eq!(response.status, Status::Success, "{:#?}", response.errors);
    assert_eq!(collected(response).await.len(), 8);
    assert_eq!(gateway.directory.status().communities[0].max_documents_per_retrieve, 2);
    let before = east.count();
    assert_eq!(collected(gateway.fetch(&all).await).await.len(), 8);
    assert_eq!(east.count() - before, 4, "no more refusals");
}

#[tokio::test]
async fn bytes_that_differ_from_the_metadata_are_reported_or_withheld() {
    for (quirks, status, severity, documents) in [
        ("", Status::Success, Severity::Warning, 1),
        ("quirks = [\"enforce-hash\"]", Status::Failure, Severity::Error, 0),
    ] {
        let east = Scripted::new(EAST, Behaviour::OtherBytes).await;
        let gateway = Gateway::new(&[east.file(quirks)]);
        // What nobody was told about cannot differ.
        assert_eq!(gateway.fetch(&[(EAST, "1.2.200.1")]).await.errors, []);
        gateway.find().await;
        let response = gateway.fetch(&[(EAST, "1.2.200.1")]).await;
        assert_eq!(response.status, status);
        assert_eq!(codes(&response.errors), [("XDSRepositoryError", severity)]);
        assert!(response.errors[0].context.contains("urn:oid:1.2.200"));
        assert_eq!(response.documents.len(), documents);
        assert_eq!(gateway.oddities(EAST), [("wrong-bytes", 1)]);
    }
}

fn responding() -> (Arc<InMemory>, RespondingGateway) {
    let source = Arc::new(InMemory::with(&["1.2.100.1"]));
    let own = OwnCommunity::new("Own Region", home(OWN), Arc::clone(&source) as _);
    (source, RespondingGateway::new(own, Duration::from_millis(500)))
}

#[tokio::test]
async fn the_responding_gateway_answers_for_its_own_home_and_names_it_everywhere() {
    let (source, gateway) = responding();
    let caller = Caller::default();
    let response = gateway.cross_gateway_query(find_documents(PATIENT), &caller).await;
    assert_eq!(response.objects[0].home.as_deref(), Some("urn:oid:1.2.100"));
    assert_eq!(source.queries.lock().unwrap()[0], find_documents(PATIENT), "all parameters are passed on");
    for (home, expected) in
        [(None, "XDSMissingHomeCommunityId"), (Some("urn:oid:1.2.7"), "XDSUnknownCommunity")]
    {
        let response = gateway.cross_gateway_query(stored_query(GET_DOCUMENTS, home, &[]), &caller).await;
        assert_eq!(response.status, Status::Failure);
        assert_eq!(response.errors[0].code, expected);
        assert_eq!(response.errors[0].location.as_deref(), Some("urn:oid:1.2.100"));
    }
    let request = stored_query(GET_DOCUMENTS, Some("1.2.100"), &[]);
    assert_eq!(gateway.cross_gateway_query(request.clone(), &caller).await.status, Status::Success);
    let request = QueryRequest { return_type: ReturnType::Unsupported, ..request };
    let response = gateway.cross_gateway_query(request, &caller).await;
    assert_eq!(codes(&response.errors), [("XDSRegistryError", Severity::Error)]);
    assert_eq!(response.errors[0].location.as_deref(), Some("urn:oid:1.2.100"));
}

#[tokio::test]
async fn nobody_is_asked_for_what_no_stored_query_gives() {
    let (east, west, gateway) = two(Behaviour::Right, Behaviour::Right).await;
    let request = QueryRequest { return_type: ReturnType::Unsupported, ..find_documents(PATIENT) };
    let response = gateway.gateway.registry_stored_query(request, &Caller::default()).await;
    assert_eq!((response.status, response.objects.len()), (Status::Failure, 0));
    assert_eq!(codes(&response.errors), [("XDSRegistryError", Severity::Error)]);
    assert_eq!((east.count(), west.count()), (0, 0));
}

/// A My Number (Act 27 of 2013, article 20) is no patient id: neither communities nor our own registry hear it, and the
/// refusal does not repeat it.
#[tokio::test]
async fn nobody_is_asked_about_a_my_number() {
    const MY_NUMBER: &str = "123456789018^^^&1.2.392.1&ISO";
    let (east, west, gateway) = two(Behaviour::Right, Behaviour::Right).await;
    let (source, responding) = responding();
    let caller = Caller::default();
    for target in [None, Some("urn:oid:1.2.100")] {
        let request = QueryRequest { home: target.map(str::to_owned), ..find_documents(MY_NUMBER) };
        for (name, answer) in [
            ("iti18", gateway.gateway.registry_stored_query(request.clone(), &caller).await),
            ("iti38", responding.cross_gateway_query(request.clone(), &caller).await),
        ] {
            let written = write_response(&answer).concat();
            messages::keep("my-number-query-response", &written);
            golden::check(&format!("federation/my-number-{name}.xml"), &written);
        }
    }
    assert_eq!((east.count(), west.count()), (0, 0));
    assert_eq!(gateway.own.queries.lock().unwrap().len() + source.queries.lock().unwrap().len(), 0);

    // Where the domain's own numbers have twelve digits, it is a patient.
    let domain = Domain {
        oid: Oid::parse("1.2.392.1").unwrap(),
        namespace: "EAST".to_owned(),
        name: String::new(),
        kind: DomainKind::Patients,
        source: None,
        twelve_digits: TwelveDigits::Own,
    };
    let own = OwnCommunity::new("Own Region", home(OWN), Arc::clone(&source) as _);
    let own = own.with_domains(Domains::new(vec![domain]));
    let responding = RespondingGateway::new(own, Duration::from_millis(500));
    let answer = responding.cross_gateway_query(find_documents(MY_NUMBER), &caller).await;
    assert_eq!((answer.status, source.queries.lock().unwrap().len()), (Status::Success, 1));
}

#[tokio::test]
async fn the_responding_gateway_retrieves_and_names_documents_in_the_code_context() {
    let (_, gateway) = responding();
    let mut homeless = wanted(OWN, "1.2.100.3");
    homeless.home = None;
    let mut bare = wanted(OWN, "1.2.100.1");
    bare.home = Some("1.2.100".to_owned());
    let documents = vec![bare.clone(), wanted(OWN, "1.2.100.2"), homeless, wanted("1.2.7", "1.2.7.1")];
    let response = gateway.cross_gateway_retrieve(RetrieveRequest { documents }, &Caller::default()).await;
    assert_eq!(response.status, Status::PartialSuccess);
    let mut errors: Vec<_> = response.errors.iter().map(|e| e.code.as_ref()).collect();
    errors.sort_unstable();
    assert_eq!(errors, ["XDSDocumentUniqueIdError", "XDSMissingHomeCommunityId", "XDSUnknownCommunity"]);
    for error in &response.errors {
        assert_eq!(error.location.as_deref(), Some("urn:oid:1.2.100"));
        assert!(
            error.context.contains("1.2.100.2")
                || error.context.contains("1.2.100.3")
                || error.context.contains("1.2.7.1")
        );
    }
    assert_eq!(response.documents[0].head.request, bare);
}

/// What each of three communities answers, by a number.
fn answer(member: &Member, kind: u8) -> Result<QueryResponse, Unavailable> {
    let oid = member.home().oid().as_str();
    let home = (member.role == Role::Peer).then_some(oid);
    let own = format!("{oid}.1");
    let entries =
        |ids: &[&str]| objects(&ids.iter().map(|id| entry_xml(home, id, id.as_bytes())).collect::<String>());
    let error = RegistryError::error(code::REGISTRY_BUSY, "come back later").at(format!("urn:oid:{oid}"));
    let unknown = RegistryError::error(code::UNKNOWN_PATIENT_ID, "who is that?");
    Ok(match kind {
        0 => QueryResponse::new(Vec::new(), entries(&[&own, "1.2.3.4"])),
        1 => QueryResponse::new(Vec::new(), Vec::new()),
        2 => QueryResponse::new(vec![error], entries(&[&own])),
        3 => QueryResponse::failure(error),
        4 => QueryResponse::failure(unknown),
        5 => QueryResponse::new(Vec::new(), objects(&entry_xml(Some("1.2.666"), "1.2.666.1", b"x"))),
        6 => return Err(Unavailable::TimedOut),
        _ => return Err(Unavailable::Fault),
    })
}

fn members() -> [Member; 3] {
    let member = |role, oid: &str| Member::new(role, format!("Region {oid}"), home(oid), Vec::new());
    [member(Role::Own, OWN), member(Role::Peer, EAST), member(Role::Peer, WEST)]
}

#[test]
fn consolidated_answers() {
    for (name, kinds) in [
        ("all", [0, 0, 0]),
        ("empty", [1, 4, 1]),
        ("partial", [0, 2, 6]),
        ("failure", [3, 6, 7]),
        ("spoofed", [0, 5, 1]),
    ] {
        let answers = members().iter().zip(kinds).map(|(m, kind)| judge(m, answer(m, kind))).collect();
        let written = write_response(&merge(answers)).concat();
        messages::keep("federated-query-response", &written);
        golden::check(&format!("federation/{name}.xml"), &written);
    }
}

#[test]
fn a_document_that_two_communities_have_is_marked_in_the_later_one() {
    let answers = members().iter().map(|m| judge(m, answer(m, 0))).collect();
    let response = merge(answers);
    assert_eq!(response.objects.len(), 6);
    let marked: Vec<_> = response
        .objects
        .iter()
        .filter(|o| String::from_utf8_lossy(&o.xml.1).contains("urn:sekisho:2026:duplicateOf"))
        .map(|o| (o.unique_id.as_deref().unwrap(), o.home.as_deref().unwrap()))
        .collect();
    assert_eq!(marked, [("1.2.3.4", "urn:oid:1.2.200"), ("1.2.3.4", "urn:oid:1.2.300")]);
    let original = format!("urn:oid:1.2.100|{}", uuid_of("1.2.3.4"));
    assert!(String::from_utf8_lossy(&response.objects[3].xml.1).contains(&original));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn status_counts_communities_and_the_order_of_arrival_changes_nothing(
        kinds in proptest::array::uniform3(0u8..8), delays in proptest::array::uniform3(0usize..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let raced = runtime.block_on(async {
            let ask = |(index, delay): (usize, usize)| Box::pin(async move {
                for _ in 0..delay {
                    tokio::task::yield_now().await;
                }
                let members = members();
                judge(&members[index], answer(&members[index], kinds[index]))
            }) as futures_util::future::BoxFuture<'static, _>;
            let questions = delays.into_iter().enumerate().map(ask).collect();
            let deadline = std::time::Instant::now() + Duration::from_secs(30);
            let answers = sekisho::federation::fanout::ask_all(questions, deadline).await;
            merge(answers.into_iter().map(Result::unwrap).collect())
        });
        let ordered = merge(members().iter().zip(kinds).map(|(m, kind)| judge(m, answer(m, kind))).collect());
        prop_assert_eq!(&raced, &ordered);

        // A foreign home means nothing to our own registry, which knows none.
        let failed = |(index, kind): (usize, &u8)| matches!((index, kind), (_, 3 | 6 | 7) | (1.., 5));
        let clean = |(index, kind): (usize, &u8)| matches!((index, kind), (_, 0 | 1 | 4) | (0, 5));
        let expected = if kinds.iter().enumerate().all(clean) {
            Status::Success
        } else if kinds.iter().enumerate().all(failed) {
            Status::Failure
        } else {
            Status::PartialSuccess
        };
        prop_assert_eq!(ordered.status, expected);
        prop_assert_eq!(ordered.status == Status::Success, ordered.errors.iter().all(|e| e.severity == Severity::Warning));
        prop_assert!(ordered.objects.iter().all(|o| o.home.is_some()));
        prop_assert!(!ordered.errors.iter().any(|e| e.code == code::UNKNOWN_PATIENT_ID));
    }
}
