//! The SOAP front: which service a message reaches, what the answer looks like, and what operators see of it.

use std::sync::{Arc, Mutex};

use hyper::Method;
use sekisho::limits::Limits;
use sekisho::server::{Exposure, Front, ListenError, ListenerSettings, Listeners, Place, TlsFiles};
use sekisho::transactions::iti18::ITI18;
use sekisho::transactions::iti38::ITI38;
use sekisho::transactions::iti43::ITI43;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::certs::Authority;
use crate::support::front::{
    Asks, MESSAGE_ID, QUERY, RETRIEVE, SIMPLE, adhoc_query, envelope, front, mtom, services, stored_query,
};
use crate::support::http::{PATIENCE, collect, raw, until_closed};
use crate::support::messages;

#[tokio::test]
async fn a_message_reaches_the_service_of_its_body_and_action() {
    let server = front(Limits::default()).await;
    let asks = Asks::of(&server);
    let query = adhoc_query(QUERY);
    for (path, action, expected) in [
        ("/services/iti-18", ITI18.action, "ITI-18 for urn:uuid:6d296e90"),
        ("/services/iti-18/", ITI18.action, "ITI-18 for urn:uuid:6d296e90"),
        ("/services/iti-38", ITI38.action, "ITI-38 for"),
        ("/services", ITI18.action, "ITI-18 for"),
        ("/services", ITI38.action, "ITI-38 for"),
    ] {
        let (status, text) = asks.text(path, SIMPLE, envelope(action, "", &query)).await;
        assert_eq!(status, 200, "{path} {action}: {text}");
        assert!(text.contains(expected), "{path} {action}: {text}");
        assert!(text.contains(&format!("<wsa:RelatesTo>{MESSAGE_ID}</wsa:RelatesTo>")), "{text}");
    }
    let (status, _) = asks.text("/hosted/iti-18", SIMPLE, stored_query(QUERY)).await;
    assert_eq!(status, 404, "it is not offered there");
}

#[tokio::test]
async fn an_answer_has_the_form_of_its_request_and_its_connection_goes_on() {
    let server = front(Limits::default()).await;
    let asks = Asks::of(&server);
    let retrieve = envelope(ITI43.action, "", RETRIEVE);
    let (mtom_type, mtom_body) = mtom(&retrieve);
    for (content_type, body, expected) in [
        (SIMPLE, retrieve.clone(), "application/soap+xml"),
        (mtom_type.as_str(), mtom_body.clone(), "multipart/related"),
    ] {
        let answer = asks.post("/services/iti-43", content_type, body).await;
        assert_eq!(answer.status(), 200);
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with(expected));
        assert!(!answer.headers().contains_key("connection"), "the connection was not kept");
        let length: usize = answer.headers()["content-length"].to_str().unwrap().parse().unwrap();
        let body = collect(answer.into_body()).await;
        assert_eq!(body.len(), length);
        messages::keep_envelopes("retrieve-answer", &body);
        let text = String::from_utf8_lossy(&body);
        assert!(text.contains(if expected == "multipart/related" {
            "a document"
        } else {
            "YSBkb2N1bWVudA=="
        }));
    }
}

#[tokio::test]
async fn a_message_without_message_id_is_answered_as_unspecified() {
    let server = front(Limits::default()).await;
    let nameless = stored_query(QUERY).replace(&format!("<a:MessageID>{MESSAGE_ID}</a:MessageID>"), "");
    let (status, text) = Asks::of(&server).text("/services/iti-18", SIMPLE, nameless).await;
    assert_eq!(status, 200);
    assert!(text.contains("<wsa:RelatesTo>http://www.w3.org/2005/08/addressing/unspecified</wsa:RelatesTo>"));
    assert!(!text.contains("ReplyTo"), "{text}");
}

#[tokio::test]
async fn the_paths_are_told() {
    let services = services();
    let mut paths: Vec<_> = services.paths().map(|(transaction, path)| (transaction.id, path)).collect();
    paths.sort();
    assert_eq!(
        paths,
        [
            ("ITI-18", "/services/iti-18"),
            ("ITI-38", "/services/iti-38"),
            ("ITI-41", "/hosted/iti-41"),
            ("ITI-42", "/hosted/iti-42"),
            ("ITI-43", "/services/iti-43"),
        ]
    );
    assert_eq!(Place::Hosted.path(&ITI18), "/hosted/iti-18");
}

/// Keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn logs_and_metrics_tell_of_requests_and_not_of_patients() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let kept = Kept::default();
    let writer = kept.clone();
    let lines = tracing_subscriber::fmt().json().with_writer(move || writer.clone());
    let lines = lines.with_max_level(tracing::Level::TRACE).finish();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let trace = tracing::subscriber::with_default(lines, || {
        metrics::with_local_recorder(&recorder, || {
            runtime.block_on(async {
                let server = front(Limits::default()).await;
                let asks = Asks::of(&server);
                asks.text("/services/iti-18", SIMPLE, stored_query(QUERY)).await;
                let refused = stored_query(QUERY).replace("rim:AdhocQuery", "rim:CANARY");
                let (_, fault) = asks.text("/services/iti-18", SIMPLE, refused).await;
                let (_, trace) = fault.split_once("[trace ").unwrap();
                trace.split_once(']').unwrap().0.to_owned()
            })
        })
    });
    let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    let ours: Vec<_> = log.lines().filter(|line| line.contains("sekisho")).collect();
    let requests: Vec<_> = ours.iter().filter(|line| line.contains("\"message\":\"request\"")).collect();
    assert_eq!(requests.len(), 2, "{log}");
    assert!(
        requests[0].contains("\"transaction\":\"ITI-18\"") && requests[0].contains("\"outcome\":\"failure\"")
    );
    assert!(requests[1].contains(&trace), "the fault's trace id leads to its line: {}", requests[1]);
    assert!(!ours.iter().any(|line| line.contains("CANARY")), "{log}");

    let metrics = recorder.handle().render();
    for expected in [
        "sekisho_requests_total{transaction=\"ITI-18\",outcome=\"failure\"} 1",
        "sekisho_requests_total{transaction=\"ITI-18\",outcome=\"fault\"} 1",
        "sekisho_faults_total{rule=",
        "sekisho_requests_in_flight 0",
        "sekisho_request_seconds_count{transaction=\"ITI-18\"} 2",
    ] {
        assert!(metrics.contains(expected), "{expected} is not in\n{metrics}");
    }
    assert!(!metrics.contains("CANARY"));
}

fn settings(address: &str) -> ListenerSettings {
    ListenerSettings {
        address: address.parse().unwrap(),
        tls: None,
        exposure: Exposure::Loopback,
        limits: Limits::default(),
    }
}

#[tokio::test]
async fn plain_http_is_for_loopback_unless_it_is_said_otherwise() {
    let handler = Arc::new(Front::new(services(), &Limits::default()));
    let mut listeners = Listeners::new();
    let refused = listeners.open("http", settings("0.0.0.0:0"), handler.clone()).await;
    assert!(matches!(refused, Err(ListenError::NotLoopback(_))));
    let insecure = ListenerSettings { exposure: Exposure::Insecure, ..settings("0.0.0.0:0") };
    listeners.open("insecure", insecure, handler.clone()).await.unwrap();
    listeners.open("http", settings("127.0.0.1:0"), handler.clone()).await.unwrap();
    let shown: Vec<_> = listeners.listening().iter().map(|one| (one.name, one.is_insecure())).collect();
    assert_eq!(shown, [("insecure", true), ("http", false)]);
    let taken = settings(&listeners.addresses()["http"].to_string());
    assert!(matches!(listeners.open("again", taken, handler).await, Err(ListenError::Address(..))));
    listeners.shutdown(PATIENCE).await;
}

#[tokio::test]
async fn a_reload_takes_over_new_certificates_and_keeps_the_old_where_the_new_are_bad() {
    let authority = Authority::new("CA");
    let pair = authority.server();
    let tls = TlsFiles { certificate: pair.certificate.clone(), key: pair.key.clone(), client_ca: None };
    let mut listeners = Listeners::new();
    let handler = Arc::new(Front::new(services(), &Limits::default()));
    let address = listeners
        .open("soap", ListenerSettings { tls: Some(tls), ..settings("127.0.0.1:0") }, handler)
        .await
        .unwrap();
    let served = || async move {
        let shown = tokio::task::spawn_blocking(move || {
            let mut connector = openssl::ssl::SslConnector::builder(openssl::ssl::SslMethod::tls()).unwrap();
            connector.set_verify(openssl::ssl::SslVerifyMode::NONE);
            let stream = std::net::TcpStream::connect(address).unwrap();
            let stream = connector.build().connect("localhost", stream).unwrap();
            stream.ssl().peer_certificate().unwrap().to_pem().unwrap()
        });
        shown.await.unwrap()
    };
    let first = served().await;
    authority.server();
    listeners.reload().await.unwrap();
    let second = served().await;
    assert_ne!(first, second);
    std::fs::write(&pair.certificate, "no certificate").unwrap();
    assert_eq!(listeners.reload().await.unwrap_err().len(), 1);
    assert_eq!(served().await, second);
    listeners.shutdown(PATIENCE).await;
}

/// What an HTTP answer says, if it is a 200.
fn described(answer: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("content-type: text/xml"), "{answer}");
    for event in xml::EventReader::from_str(body) {
        event.unwrap_or_else(|error| panic!("{error} in {body}"));
    }
    body.to_owned()
}

#[tokio::test]
async fn a_description_names_its_address_and_schemas_that_are_there() {
    let server = front(Limits::default()).await;
    let asks = Asks::of(&server);
    for path in
        ["/services/iti-18", "/services/iti-38", "/services/iti-43", "/hosted/iti-41", "/hosted/iti-42"]
    {
        let wsdl = described(&asks.method(Method::GET, &format!("{path}?wsdl")).await);
        assert!(wsdl.contains(&format!("location=\"http://gate.example:8443{path}\"")), "{wsdl}");
        assert_eq!(described(&asks.method(Method::GET, &format!("{path}?WSDL")).await), wsdl);
        let (mut waiting, mut seen) = (vec![wsdl], Vec::new());
        while let Some(text) = waiting.pop() {
            for location in text.split("schemaLocation=\"").skip(1) {
                let url = location.split('"').next().unwrap().to_owned();
                let schema = url.strip_prefix("http://gate.example:8443").unwrap().to_owned();
                if !seen.contains(&schema) {
                    waiting.push(described(&asks.method(Method::GET, &schema).await));
                    seen.push(schema);
                }
            }
        }
        assert!(seen.len() >= 3, "{seen:?}");
    }
    let combined = asks.method(Method::GET, "/services?wsdl").await;
    assert!(
        combined.starts_with("HTTP/1.1 404 ") && combined.contains("/services/iti-18?wsdl"),
        "{combined}"
    );
}

#[tokio::test]
async fn a_host_header_cannot_write_into_a_description() {
    let server = front(Limits::default()).await;
    let asks = Asks::of(&server);
    let missing = asks.method(Method::GET, "/services/iti-18?xsd=../../secrets.xsd").await;
    assert!(missing.starts_with("HTTP/1.1 404 "), "{missing}");
    for host in ["\"><evil/>", "a&evil;", "evil@gate", "gate\"evil"] {
        let odd = format!("GET /services/iti-18?wsdl HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = raw(server.address, odd.as_bytes()).await;
        assert!(!answer.contains("evil") && answer.contains("http://localhost/services/iti-18"), "{answer}");
    }
}

/// Each of them is within its own bound.
#[tokio::test]
async fn attack_34_large_envelopes_share_their_memory() {
    let limits =
        Limits { max_envelope_bytes: 1 << 20, max_envelope_memory_bytes: 1 << 20, ..Limits::default() };
    let server = front(limits).await;
    let mut envelope = stored_query(QUERY);
    envelope.extend(std::iter::repeat_n(' ', 900_000 - envelope.len()));
    let request = format!(
        "POST /services/iti-18 HTTP/1.1\r\nHost: x\r\nContent-Type: {SIMPLE}\r\nContent-Length: 900000\r\n\
         Connection: close\r\n\r\n{envelope}"
    );
    let mut first = TcpStream::connect(server.address).await.unwrap();
    first.write_all(&request.as_bytes()[..700_000]).await.unwrap();
    // As soon as that has arrived.
    let started = std::time::Instant::now();
    let shed = loop {
        let answer = raw(server.address, request.as_bytes()).await;
        if !answer.starts_with("HTTP/1.1 200 ") {
            break answer;
        }
        assert!(started.elapsed() < PATIENCE, "nobody was shed");
    };
    assert!(shed.starts_with("HTTP/1.1 503 ") && shed.to_lowercase().contains("retry-after: "), "{shed}");
    let small = raw(server.address, small().as_bytes()).await;
    assert!(small.starts_with("HTTP/1.1 200 "), "small ones are not kept away: {small}");
    first.write_all(&request.as_bytes()[700_000..]).await.unwrap();
    let answer = until_closed(&mut first).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let answer = raw(server.address, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "it was not given back: {answer}");
}

fn small() -> String {
    let envelope = stored_query(QUERY);
    format!(
        "POST /services/iti-18 HTTP/1.1\r\nHost: x\r\nContent-Type: {SIMPLE}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{envelope}",
        envelope.len()
    )
}
