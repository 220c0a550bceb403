//! The faults of the SOAP front, one golden for each cause; every one of them carries the trace id and relates to the
//! request as far as that could be read.

use hyper::Method;
use sekisho::limits::Limits;
use sekisho::transactions::iti18::ITI18;
use sekisho::transactions::iti38::ITI38;
use sekisho::transactions::iti43::ITI43;

use crate::support::front::{
    Asks, PANICS, QUERY, RETRIEVE, SIMPLE, STUCK, adhoc_query, envelope, front, mtom, shown, stored_query,
};
use crate::support::golden;

fn limits() -> Limits {
    Limits { max_envelope_bytes: 20_000, ..Limits::default() }
}

/// Posts, and compares the whole answer.
async fn fault(name: &str, path: &str, content_type: &str, body: impl Into<bytes::Bytes>) {
    fault_within(limits(), name, path, content_type, body).await;
}

async fn fault_within(
    limits: Limits,
    name: &str,
    path: &str,
    content_type: &str,
    body: impl Into<bytes::Bytes>,
) {
    let server = front(limits).await;
    let answer = Asks::of(&server).post(path, content_type, body).await;
    let answer = shown(answer).await;
    golden::check(&format!("faults/{name}.http"), answer.as_bytes());
}

const ITI_18: &str = "/services/iti-18";

#[tokio::test]
async fn http() {
    fault("unknown-path", "/services/iti-99", SIMPLE, stored_query(QUERY)).await;
    fault("content-type", ITI_18, "application/json", "{}").await;
    fault("no-content-type", ITI_18, "", "hello").await;
    fault("empty", ITI_18, SIMPLE, "").await;
    fault("too-large", ITI_18, SIMPLE, stored_query(QUERY) + &" ".repeat(30_000)).await;
    let (content_type, body) = mtom(&(stored_query(QUERY) + &" ".repeat(30_000)));
    fault("too-large-mtom", ITI_18, &content_type, body).await;
}

#[tokio::test]
async fn methods() {
    let server = front(limits()).await;
    let asks = Asks::of(&server);
    let name = |method: &Method| format!("faults/method-{}.http", method.as_str().to_ascii_lowercase());
    for method in [
        Method::GET,
        Method::HEAD,
        Method::PUT,
        Method::DELETE,
        Method::TRACE,
        Method::OPTIONS,
        Method::PATCH,
    ] {
        let said = asks.method(method.clone(), ITI_18).await;
        let said: String = said.split_inclusive("\r\n").filter(|line| !line.starts_with("date: ")).collect();
        golden::check(&name(&method), said.as_bytes());
    }
}

#[tokio::test]
async fn xml_and_soap() {
    fault("malformed-xml", ITI_18, SIMPLE, "<a><b></a>").await;
    fault("doctype", ITI_18, SIMPLE, "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>")
        .await;
    fault("not-an-envelope", ITI_18, SIMPLE, "<html/>").await;
    let old = stored_query(QUERY)
        .replace("http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/");
    fault("soap-1.1", ITI_18, "text/xml", old).await;
    fault("empty-body", ITI_18, SIMPLE, envelope(ITI18.action, "", "")).await;
}

#[tokio::test]
async fn addressing() {
    let query = adhoc_query(QUERY);
    fault("action-mismatch", ITI_18, SIMPLE, envelope(ITI43.action, "", &query)).await;
    fault("action-of-sibling", ITI_18, SIMPLE, envelope(ITI38.action, "", &query)).await;
    let no_action = stored_query(QUERY).replace("a:Action", "a:Nothing");
    fault("action-missing", ITI_18, SIMPLE, no_action).await;
    fault("wrong-body", ITI_18, SIMPLE, envelope(ITI18.action, "", RETRIEVE)).await;
    fault("wrong-body-combined", "/services", SIMPLE, envelope("urn:x", "", "<x/>")).await;
    let unknown = "<t:Ticket xmlns:t=\"urn:tickets\" e:mustUnderstand=\"true\"/>";
    fault("must-understand", ITI_18, SIMPLE, envelope(ITI18.action, unknown, &query)).await;
    let elsewhere = "<a:ReplyTo><a:Address>http://169.254.169.254/</a:Address></a:ReplyTo>";
    fault("reply-to", ITI_18, SIMPLE, envelope(ITI18.action, elsewhere, &query)).await;
}

#[tokio::test]
async fn transaction() {
    let body = adhoc_query(QUERY).replace("rim:AdhocQuery", "rim:Other");
    fault("malformed-query", ITI_18, SIMPLE, envelope(ITI18.action, "", &body)).await;
    let none = "<x:RetrieveDocumentSetRequest xmlns:x=\"urn:ihe:iti:xds-b:2007\"/>";
    fault("malformed-retrieve", "/services/iti-43", SIMPLE, envelope(ITI43.action, "", none)).await;
    let (content_type, body) = mtom(&envelope(ITI43.action, "", none));
    fault("mtom", "/services/iti-43", &content_type, body).await;
}

#[tokio::test]
async fn inside() {
    fault("internal", ITI_18, SIMPLE, stored_query(PANICS)).await;
    let impatient = Limits { request_deadline_ms: 300, ..limits() };
    fault_within(impatient, "deadline", ITI_18, SIMPLE, stored_query(STUCK)).await;
}

#[tokio::test]
async fn attack_34_requests_beyond_the_limit_are_shed() {
    let limits = Limits { max_concurrent_requests: 1, max_queued_requests: 0, ..Limits::default() };
    let server = front(limits).await;
    let stuck = Asks::of(&server);
    let stuck = tokio::spawn(async move { stuck.post(ITI_18, SIMPLE, stored_query(STUCK)).await });
    let asks = Asks::of(&server);
    let shed = async {
        loop {
            // Until the stuck one is in, there is a place.
            let answer = asks.post(ITI_18, SIMPLE, stored_query(QUERY)).await;
            if answer.status() == 503 {
                break answer;
            }
        }
    };
    let answer = tokio::time::timeout(crate::support::http::PATIENCE, shed).await.unwrap();
    golden::check("faults/shed.http", shown(answer).await.as_bytes());
    stuck.abort();
}

/// Answers that nobody reads must not pile up in memory, however many connections they are for.
#[tokio::test]
async fn attack_31_answers_that_are_not_read_keep_others_waiting_and_no_more_memory() {
    let limits = Limits { max_answer_memory_bytes: 12 << 20, ..Limits::default() };
    let server = front(limits).await;
    // What is asked for is repeated in the answer: 8 MB, more than the sockets' buffers take.
    let (head, document) = RETRIEVE.split_at(RETRIEVE.find("<x:DocumentRequest>").unwrap());
    let (document, tail) = document.split_at(document.find("</x:Retrieve").unwrap());
    let documents = document.replace("1.2.3.4", &"4".repeat(8_000)).repeat(1_000);
    let request = format!("{head}{documents}{tail}");
    let message = envelope(ITI43.action, "", &request);
    let unread = Asks::of(&server).post("/services/iti-43", SIMPLE, message.clone()).await;
    assert_eq!(unread.status(), 200);
    let asks = Asks::of(&server);
    let mut second = Box::pin(asks.post("/services/iti-43", SIMPLE, message));
    let answered = tokio::time::timeout(std::time::Duration::from_secs(2), &mut second).await;
    assert!(answered.is_err(), "answered into memory that is not there");
    let small = Asks::of(&server).post(ITI_18, SIMPLE, stored_query(QUERY)).await;
    assert_eq!(small.status(), 200);
    drop(unread);
    assert_eq!(second.await.status(), 200);
}
