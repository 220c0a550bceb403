//! Attack 66: what a failing community does to an answer that others are in. For each fault, with real sockets: the answer
//! is there in time, holds what every live community has, and names the failed one with the right code.

use std::time::{Duration, Instant};

use sekisho::federation::breaker::BreakerState;
use sekisho::transactions::errors::{Severity, Status};

use crate::support::community::{Behaviour, Gateway, OWN, Scripted, collected, community_file, found};
use crate::support::http::NOBODY;

const LIVE: &str = "1.2.200";
const FAILED: &str = "1.2.300";

/// Longer than any deadline of these tests, and far shorter than what an unbounded wait would take.
const IN_TIME: Duration = Duration::from_secs(10);

/// A query and a retrieve over our own region, a live community, and one that fails.
async fn named_and_nobody_else_lost(behaviour: Behaviour, reason: &str) {
    let live = Scripted::new(LIVE, Behaviour::Right).await;
    let failed = Scripted::new(FAILED, behaviour).await;
    let gateway = Gateway::new(&[live.file(""), failed.file("")]);
    query_names(&gateway, reason).await;
    retrieve_names(&gateway, reason).await;
}

async fn query_names(gateway: &Gateway, reason: &str) {
    let started = Instant::now();
    let response = gateway.find().await;
    assert!(started.elapsed() < IN_TIME);
    assert_eq!(response.status, Status::PartialSuccess);
    assert_eq!(found(&response), ["1.2.100.1", "1.2.200.1", "1.2.200.2"]);
    let [error] = &response.errors[..] else { panic!("{:#?}", response.errors) };
    assert_eq!((error.code.as_ref(), error.severity), ("XDSUnavailableCommunity", Severity::Error));
    assert_eq!(error.location.as_deref(), Some("urn:oid:1.2.300"));
    assert!(error.context.contains("Region 1.2.300 (urn:oid:1.2.300)"), "{}", error.context);
    assert!(error.context.contains(reason), "{}", error.context);
    assert!(!error.context.contains("P1"), "no patient in {}", error.context);
}

async fn retrieve_names(gateway: &Gateway, reason: &str) {
    let started = Instant::now();
    let response = gateway
        .fetch(&[(FAILED, "1.2.300.1"), (LIVE, "1.2.200.2"), (OWN, "1.2.100.1"), (FAILED, "1.2.300.2")])
        .await;
    assert!(started.elapsed() < IN_TIME);
    assert_eq!(response.status, Status::PartialSuccess, "{:#?}", response.errors);
    let mut failed: Vec<_> = response.errors.iter().map(|e| e.location.as_deref().unwrap()).collect();
    failed.sort_unstable();
    assert_eq!(failed, ["1.2.300.1", "1.2.300.2"], "{:#?}", response.errors);
    for error in &response.errors {
        assert_eq!(error.code, "XDSUnavailableCommunity");
        assert!(error.context.contains("urn:oid:1.2.300") && error.context.contains(reason), "{error:?}");
    }
    let documents = collected(response).await;
    assert_eq!(documents.len(), 2);
    assert_eq!(documents["1.2.200.2"], "document 1.2.200.2");
    assert_eq!(documents["1.2.100.1"], "document 1.2.100.1");
}

#[tokio::test]
async fn attack_66_connection_refused() {
    let live = Scripted::new(LIVE, Behaviour::Right).await;
    let file = (FAILED.to_owned(), community_file(FAILED, NOBODY, "").replace("breaker_failures = 3", ""));
    let gateway = Gateway::new(&[live.file(""), file]);
    query_names(&gateway, "no connection").await;
    // Two questions of three attempts each are enough for the breaker; either reason is right.
    retrieve_names(&gateway, "").await;
}

#[tokio::test]
async fn attack_66_reset_in_the_middle_of_the_body() {
    let live = Scripted::new(LIVE, Behaviour::Right).await;
    let failed = Scripted::new(FAILED, Behaviour::ResetsMidBody).await;
    let patient = |(name, text): (String, String)| (name, text.replace("breaker_failures = 3", ""));
    let gateway = Gateway::new(&[live.file(""), patient(failed.file(""))]);
    query_names(&gateway, "the connection broke").await;
    retrieve_names(&gateway, "").await;
}

#[tokio::test]
async fn attack_66_stall() {
    named_and_nobody_else_lost(Behaviour::Stalls, "no answer in time").await;
}

#[tokio::test]
async fn attack_66_garbage() {
    named_and_nobody_else_lost(Behaviour::Garbage, "the answer is malformed").await;
}

#[tokio::test]
async fn attack_66_status_200_with_html() {
    let live = Scripted::new(LIVE, Behaviour::Right).await;
    let failed = Scripted::new(FAILED, Behaviour::Html).await;
    let gateway = Gateway::new(&[live.file(""), failed.file("")]);
    query_names(&gateway, "the answer is no SOAP message").await;
    retrieve_names(&gateway, "").await;
}

#[tokio::test]
async fn attack_66_empty_status_200() {
    let live = Scripted::new(LIVE, Behaviour::Right).await;
    let failed = Scripted::new(FAILED, Behaviour::Empty).await;
    let gateway = Gateway::new(&[live.file(""), failed.file("")]);
    query_names(&gateway, "the answer is empty").await;
    retrieve_names(&gateway, "").await;
}

#[tokio::test]
async fn attack_66_truncated_mtom() {
    // Half of this answer ends within its second document: the first one is here, and is kept.
    let live = Scripted::new(LIVE, Behaviour::Right).await;
    let failed = Scripted::new(FAILED, Behaviour::TruncatedMtom).await;
    failed.add("1.2.300.2", "x".repeat(20_000));
    let gateway = Gateway::new(&[live.file(""), failed.file("")]);
    let response = gateway.fetch(&[(FAILED, "1.2.300.1"), (FAILED, "1.2.300.2"), (LIVE, "1.2.200.1")]).await;
    assert_eq!(response.status, Status::PartialSuccess);
    let [error] = &response.errors[..] else { panic!("{:#?}", response.errors) };
    assert_eq!(error.code, "XDSUnavailableCommunity");
    assert_eq!(error.location.as_deref(), Some("1.2.300.2"));
    assert!(error.context.contains("urn:oid:1.2.300"), "{}", error.context);
    let documents = collected(response).await;
    let mut ids: Vec<_> = documents.keys().collect();
    ids.sort();
    assert_eq!(ids, ["1.2.200.1", "1.2.300.1"]);
}

#[tokio::test]
async fn attack_66_wrong_relates_to() {
    named_and_nobody_else_lost(Behaviour::WrongRelatesTo, "wsa:RelatesTo").await;
}

#[tokio::test]
async fn attack_66_soap_fault() {
    named_and_nobody_else_lost(Behaviour::Fault, "SOAP fault").await;
}

#[tokio::test]
async fn attack_66_ten_times_slower_than_the_others() {
    named_and_nobody_else_lost(Behaviour::Slow(Duration::from_secs(15)), "no answer in time").await;
}

#[tokio::test]
async fn attack_66_missing_home() {
    let live = Scripted::new(LIVE, Behaviour::Right).await;
    let failed = Scripted::new(FAILED, Behaviour::NoHome).await;
    let gateway = Gateway::new(&[live.file(""), failed.file("")]);
    let response = gateway.find().await;
    assert_eq!(response.status, Status::PartialSuccess);
    assert_eq!(found(&response), ["1.2.100.1", "1.2.200.1", "1.2.200.2"]);
    let [error] = &response.errors[..] else { panic!("{:#?}", response.errors) };
    assert_eq!(error.code, "XDSMissingHomeCommunityId");
    assert!(error.context.contains("urn:oid:1.2.300") && error.context.contains("ExtrinsicObject"));
    assert_eq!(gateway.oddities(FAILED), [("missing-home", 2)]);
}

#[tokio::test]
async fn the_breaker_opens_and_closes_again_by_probing() {
    let live = Scripted::new(LIVE, Behaviour::Right).await;
    let failed = Scripted::new(FAILED, Behaviour::Closes).await;
    let (name, text) = failed.file("");
    let failed_file = (name, text.replace("breaker_pause_ms = 200", "breaker_pause_ms = 3000"));
    let gateway = Gateway::new(&[live.file(""), failed_file]);
    let breaker = || gateway.directory.status().communities[1].breaker;
    assert_eq!(breaker(), BreakerState::Closed);
    while breaker() != BreakerState::Open {
        gateway.find().await;
    }
    let asked = failed.count();
    query_names(&gateway, "not asked for a while").await;
    assert_eq!(failed.count(), asked, "an open breaker asks nobody");

    failed.set(Behaviour::Right);
    while breaker() != BreakerState::HalfOpen {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let response = gateway.find().await;
    assert_eq!(response.status, Status::Success);
    assert_eq!(found(&response).len(), 5);
    assert_eq!(breaker(), BreakerState::Closed);
}

#[tokio::test]
async fn a_fault_does_not_take_a_community_from_everybody() {
    let failed = Scripted::new(FAILED, Behaviour::Fault).await;
    let gateway = Gateway::new(&[failed.file("")]);
    for _ in 0..10 {
        gateway.find().await;
    }
    assert_eq!(gateway.directory.status().communities[0].breaker, BreakerState::Closed);
    assert_eq!(failed.count(), 10, "and faults are not retried");
}

#[tokio::test]
async fn one_closed_connection_is_retried_and_not_noticed() {
    let flaky = Scripted::new(LIVE, Behaviour::Closes).await;
    let gateway = Gateway::new(&[flaky.file("")]);
    let (response, ()) = tokio::join!(gateway.find(), async {
        while flaky.count() == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        flaky.set(Behaviour::Right);
    });
    assert_eq!(response.status, Status::Success, "{:#?}", response.errors);
    assert_eq!(found(&response).len(), 3);
}
