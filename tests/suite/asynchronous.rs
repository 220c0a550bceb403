//! Requests whose answers go to addresses of their own (ITI TF-2: V.3), over sockets: accepted with 202, answered later,
//! delivered again where that helps, and nowhere else than where the operator allows (attack 18).

use std::time::Duration;

use sekisho::limits::{self, Limits};
use sekisho::server::{Exchange, Front};
use sekisho::transactions::Transaction;
use sekisho::transactions::iti18::ITI18;
use sekisho::transactions::iti38::ITI38;
use sekisho::transactions::iti42::ITI42;
use sekisho::transactions::iti43::ITI43;
use sekisho::wire::http::{Client, ClientSettings, ServerHandle};
use sekisho::wire::soap::AllowedReplies;

use crate::support::front::{
    Asks, MESSAGE_ID, PANICS, QUERY, RETRIEVE, SIMPLE, STUCK, adhoc_query, envelope, mtom, services,
};
use crate::support::golden;
use crate::support::http::{PATIENCE, plain};
use crate::support::sink::Sink;

/// A front that replies to those addresses.
async fn front(limits: Limits, allowed: &[String]) -> (ServerHandle, Front) {
    let exchange = Exchange {
        allowed: AllowedReplies::new(allowed.iter().map(|url| url.parse().unwrap()).collect()),
        client: Client::new(&ClientSettings::default()).unwrap(),
        replies: None,
    };
    let front = Front::exchanging(services(), &limits, exchange);
    (plain(limits, front.clone()).await, front)
}

fn to(header: &str, address: &str) -> String {
    format!("<a:{header}><a:Address>{address}</a:Address></a:{header}>")
}

fn query(transaction: &Transaction, query: &str, headers: &str) -> String {
    envelope(transaction.action, headers, &adhoc_query(query))
}

#[tokio::test]
async fn the_answer_goes_to_reply_to_with_its_reference_parameters() {
    let mut sink = Sink::new(&[]).await;
    let (server, _front) = front(Limits::default(), &[sink.url("/replies")]).await;
    let reply_to = format!(
        "<a:ReplyTo><a:Address>{}</a:Address><a:ReferenceParameters><p:Ticket xmlns:p=\"urn:peer\">7 &amp; 8</p:Ticket>\
         </a:ReferenceParameters></a:ReplyTo>",
        sink.url("/replies/iti38?x=1&amp;y=2")
    );
    let asks = Asks::of(&server);
    let (status, body) = asks.text("/services/iti-38", SIMPLE, query(&ITI38, QUERY, &reply_to)).await;
    assert_eq!((status, body.as_str()), (202, ""));
    let answer = sink.next().await;
    assert_eq!(answer.path, "/replies/iti38");
    assert_eq!(answer.text("RelatesTo"), MESSAGE_ID);
    let port = format!(":{}", sink.server.address.port());
    let shown = format!("Content-Type: {}\n\n{}\n", answer.content_type, answer.body.replace(&port, ":PORT"));
    golden::check("asynchronous/answer.http", shown.as_bytes());
}

#[tokio::test]
async fn documents_go_as_the_request_came() {
    let mut sink = Sink::new(&[]).await;
    let (server, _front) = front(Limits::default(), &[sink.url("/")]).await;
    let asks = Asks::of(&server);
    let request = envelope(ITI43.action, &to("ReplyTo", &sink.url("/x")), RETRIEVE);
    let (content_type, body) = mtom(&request);
    assert_eq!(asks.text("/services/iti-43", &content_type, body).await.0, 202);
    let answer = sink.next().await;
    assert!(answer.content_type.starts_with("multipart/related;"), "{}", answer.content_type);
    assert!(answer.body.contains("a document") && answer.body.contains(MESSAGE_ID));
    assert_eq!(asks.text("/services/iti-43", SIMPLE, request).await.0, 202);
    let answer = sink.next().await;
    assert!(answer.content_type.starts_with("application/soap+xml"), "{}", answer.content_type);
    assert!(answer.body.contains("YSBkb2N1bWVudA=="));
}

#[tokio::test]
async fn faults_go_to_fault_to_or_reply_to_or_nowhere() {
    let mut sink = Sink::new(&[]).await;
    let limits = Limits { request_deadline_ms: 300, ..Limits::default() };
    let (server, _front) = front(limits, &[sink.url("/")]).await;
    let asks = Asks::of(&server);
    let reply = to("ReplyTo", &sink.url("/replies"));
    let fault = to("FaultTo", &sink.url("/faults"));
    for (stuck, headers, path) in [
        (STUCK, reply.clone(), "/replies"),
        (PANICS, reply.clone(), "/replies"),
        (PANICS, format!("{reply}{fault}"), "/faults"),
        (
            PANICS,
            format!("{reply}{}", to("FaultTo", "http://www.w3.org/2005/08/addressing/anonymous")),
            "/replies",
        ),
    ] {
        let (status, _) = asks.text("/services/iti-18", SIMPLE, query(&ITI18, stuck, &headers)).await;
        assert_eq!(status, 202);
        let told = sink.next().await;
        assert_eq!(told.path, path);
        assert_eq!(told.text("RelatesTo"), MESSAGE_ID);
        assert_eq!(told.text("To"), sink.url(path));
        assert!(told.body.contains("soap:Fault") && told.body.contains("[trace "), "{}", told.body);
    }
    let nobody = to("FaultTo", "http://www.w3.org/2005/08/addressing/none");
    let asked = query(&ITI18, PANICS, &format!("{reply}{nobody}"));
    assert_eq!(asks.text("/services/iti-18", SIMPLE, asked).await.0, 202);
    // What cannot be accepted is told at once, on the same connection.
    let broken = adhoc_query(QUERY).replace("AdhocQueryRequest", "Nothing");
    let (status, body) = asks.text("/services/iti-18", SIMPLE, envelope(ITI18.action, &reply, &broken)).await;
    assert!(status == 400 && body.contains("ActionNotSupported"), "{body}");
    assert!(sink.is_empty());
}

#[tokio::test]
async fn an_answer_that_nobody_wants_is_sent_nowhere() {
    let (server, _front) = front(Limits::default(), &[]).await;
    let none = to("ReplyTo", "http://www.w3.org/2005/08/addressing/none");
    let (status, body) =
        Asks::of(&server).text("/services/iti-18", SIMPLE, query(&ITI18, QUERY, &none)).await;
    assert_eq!((status, body.as_str()), (202, ""));
}

#[tokio::test]
async fn without_a_message_id_an_answer_could_relate_to_nothing() {
    let sink = Sink::new(&[]).await;
    let (server, _front) = front(Limits::default(), &[sink.url("/")]).await;
    let request = query(&ITI18, QUERY, &to("ReplyTo", &sink.url("/"))).replace("a:MessageID", "a:Nothing");
    let (status, body) = Asks::of(&server).text("/services/iti-18", SIMPLE, request).await;
    assert!(
        status == 400 && body.contains("MessageAddressingHeaderRequired") && body.contains("wsa:MessageID")
    );
}

#[tokio::test]
async fn submissions_are_answered_on_their_own_connection() {
    let mut sink = Sink::new(&[]).await;
    let (server, _front) = front(Limits::default(), &[sink.url("/")]).await;
    let body = "<l:SubmitObjectsRequest xmlns:l=\"urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0\"/>";
    let request = envelope(ITI42.action, &to("ReplyTo", &sink.url("/")), body);
    let (status, body) = Asks::of(&server).text("/hosted/iti-42", SIMPLE, request).await;
    assert!(status == 400 && body.contains("OnlyAnonymousAddressSupported"), "{body}");
    assert!(sink.is_empty());
}

/// The same message, so that whoever got it the first time knows it again.
#[tokio::test]
async fn an_answer_that_did_not_arrive_is_sent_again() {
    let mut sink = Sink::new(&[503]).await;
    let (server, _front) = front(Limits::default(), &[sink.url("/")]).await;
    let request = query(&ITI18, QUERY, &to("ReplyTo", &sink.url("/")));
    assert_eq!(Asks::of(&server).text("/services/iti-18", SIMPLE, request).await.0, 202);
    let (first, second) = (sink.next().await, sink.next().await);
    assert_eq!(first.text("MessageID"), second.text("MessageID"));
    assert!(sink.is_done());
}

#[tokio::test]
async fn attack_18_only_allowed_addresses_are_connected_to_and_no_redirect_is_followed() {
    let mut canary = Sink::new(&[]).await;
    let mut sink = Sink::new(&[307]).await;
    let (server, front) = front(Limits::default(), &[sink.url("/replies")]).await;
    let asks = Asks::of(&server);
    let (allowed, other) = (sink.server.address, canary.server.address);
    for address in [
        format!("http://{other}/"),
        format!("http://{allowed}@{other}/replies"),
        format!("http://{allowed}%40{other}/replies"),
        format!("http://{allowed}/replies/../x"),
        format!("http://{allowed}/repliesx"),
        format!("http://localhost:{}/replies", allowed.port()),
        format!("http://[::ffff:127.0.0.1]:{}/replies", allowed.port()),
        format!("http://127.0.0.1.:{}/replies", allowed.port()),
        format!("https://{allowed}/replies"),
        "http://169.254.169.254/latest".to_owned(),
        "http://127.0.0.1:9090/".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        for headers in [to("ReplyTo", &address), to("FaultTo", &address)] {
            let (status, body) = asks.text("/services/iti-18", SIMPLE, query(&ITI18, QUERY, &headers)).await;
            assert!(status == 400 && body.contains("OnlyAnonymousAddressSupported"), "{address}: {body}");
        }
    }
    assert!(sink.is_empty() && canary.is_empty());
    let request = query(&ITI18, QUERY, &to("ReplyTo", &sink.url("/replies")));
    assert_eq!(asks.text("/services/iti-18", SIMPLE, request).await.0, 202);
    assert_eq!(sink.next().await.path, "/replies");
    front.settle(PATIENCE).await;
    assert!(sink.is_empty(), "a redirect was followed");
}

#[tokio::test]
async fn requests_beyond_what_can_be_open_for_one_host_are_shed() {
    let sink = Sink::new(&[]).await;
    let (server, _front) = front(Limits::default(), &[sink.url("/")]).await;
    let asks = Asks::of(&server);
    let stuck = query(&ITI18, STUCK, &to("ReplyTo", &sink.url("/")));
    for _ in 0..limits::MAX_ASYNC_EXCHANGES_PER_HOST {
        assert_eq!(asks.text("/services/iti-18", SIMPLE, stuck.clone()).await.0, 202);
    }
    assert_eq!(asks.text("/services/iti-18", SIMPLE, stuck).await.0, 503);
    let at_once = query(&ITI18, QUERY, "");
    assert_eq!(asks.text("/services/iti-18", SIMPLE, at_once).await.0, 200, "others are answered");
}

#[tokio::test]
async fn a_shutdown_waits_for_answers_that_are_under_way() {
    let mut sink = Sink::new(&[503]).await;
    let (server, front) = front(Limits::default(), &[sink.url("/")]).await;
    let request = query(&ITI18, QUERY, &to("ReplyTo", &sink.url("/")));
    assert_eq!(Asks::of(&server).text("/services/iti-18", SIMPLE, request).await.0, 202);
    server.shutdown(Duration::from_secs(1)).await;
    front.settle(PATIENCE).await;
    assert!(!sink.is_empty() && !sink.is_empty(), "both attempts were made by then");
}
