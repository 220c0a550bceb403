//! The server's limits on sockets: slow peers, floods, panics, and shutdown.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::{Response, StatusCode};
use sekisho::limits::Limits;
use sekisho::wire::stream::{Body, StreamError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::support::http::{Answers, PATIENCE, collect, plain, raw, until_closed, whole};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
/// A pause that a slow peer makes: shorter than every limit here, so that only the sum of them can be what counts.
const DRIP: Duration = Duration::from_millis(20);

fn impatient() -> Limits {
    Limits { header_timeout_ms: 200, body_idle_timeout_ms: 200, ..Limits::default() }
}

/// Sends a byte now and then until the other side closes; gives what it said.
async fn drip(mut stream: TcpStream, byte: &'static [u8]) -> String {
    let (mut reader, mut writer) = stream.split();
    let mut said = Vec::new();
    let dripping = async {
        while writer.write_all(byte).await.is_ok() {
            tokio::time::sleep(DRIP).await;
        }
    };
    let reading = async {
        let _ = reader.read_to_end(&mut said).await;
    };
    let closed = async {
        tokio::select! {
            () = dripping => (),
            () = reading => (),
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.expect("the slow client was never cut off");
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn attack_31_slow_headers_are_cut_off() {
    let server = plain(impatient(), Answers(async |_, _| panic!("nothing to answer"))).await;
    let silent = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(drip(silent, b"").await, "");
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
    assert_eq!(drip(slow, b"x").await, "");
}

#[tokio::test]
async fn attack_31_slow_headers_of_a_second_request_are_cut_off() {
    let server = plain(impatient(), Answers(async |_, _| Response::new(whole("once")))).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nG").await.unwrap();
    let said = drip(stream, b"E").await;
    assert_eq!(said.matches("once").count(), 1, "{said}");
}

#[tokio::test]
async fn attack_31_a_slow_body_is_cut_off() {
    let answers = Answers(async |_, request: hyper::Request<Body>| {
        let mut response = Response::new(whole("read"));
        if let Err(error) = request.into_body().collect().await {
            assert!(matches!(error, StreamError::Idle(200)), "{error}");
            *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
        }
        response
    });
    let server = plain(impatient(), answers).await;
    for pace in [&b""[..], b"x"] {
        let mut slow = TcpStream::connect(server.address).await.unwrap();
        slow.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n").await.unwrap();
        assert!(drip(slow, pace).await.starts_with("HTTP/1.1 408 "));
    }
}

#[tokio::test]
async fn attack_31_a_slow_reader_is_cut_off() {
    let gone = Arc::new(Notify::new());
    let answers = Answers({
        let gone = Arc::clone(&gone);
        move |_, _| {
            let guard = NotifyOnDrop(Arc::clone(&gone));
            async move { Response::new(endless(guard)) }
        }
    });
    let server = plain(impatient(), answers).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(GET).await.unwrap();
    // Reads nothing: the sockets' buffers fill, and then the server waits.
    tokio::time::timeout(PATIENCE, gone.notified()).await.expect("the answer was held for ever");
    let said = until_closed(&mut stream).await;
    assert!(!said.ends_with("0\r\n\r\n"), "an answer that was broken off must not look whole");
}

struct NotifyOnDrop(Arc<Notify>);

impl Drop for NotifyOnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

fn endless(guard: NotifyOnDrop) -> Body {
    let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
    let chunks = futures_util::stream::repeat_with(move || {
        let _held = &guard;
        Ok::<_, StreamError>(Frame::data(chunk.clone()))
    });
    Body::new(StreamBody::new(chunks))
}

#[tokio::test]
async fn too_many_or_too_large_headers_are_refused() {
    let server = plain(Limits::default(), Answers(async |_, _| Response::new(whole("in")))).await;
    let many: String = (0..101).map(|number| format!("X-{number}: 1\r\n")).collect();
    let large = format!("X: {}\r\n", "x".repeat(70 * 1024));
    for headers in [many, large] {
        let said = raw(server.address, format!("GET / HTTP/1.1\r\n{headers}\r\n").as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
    }
}

#[tokio::test]
async fn attack_33_http2_is_not_spoken() {
    let answers = Answers(async |_, request: hyper::Request<Body>| {
        Response::new(whole(format!("{:?}", request.version())))
    });
    let server = plain(impatient(), answers).await;
    let upgrade = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n\
                   HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n";
    let said = raw(server.address, upgrade.as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 200 ") && said.ends_with("HTTP/1.1"), "{said}");
    let said = raw(server.address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    assert!(!said.contains("200 OK"), "{said}");
}

#[tokio::test]
async fn attack_34_connections_beyond_the_limit_are_closed_and_others_served() {
    let limits = Limits { max_connections: 2, ..Limits::default() };
    let server = plain(limits, Answers(async |_, _| Response::new(whole("served")))).await;
    let held = [
        TcpStream::connect(server.address).await.unwrap(),
        TcpStream::connect(server.address).await.unwrap(),
    ];
    for _ in 0..20 {
        assert_eq!(raw(server.address, GET).await, "");
    }
    drop(held);
    // As soon as the server has noticed, there is room again.
    let served = async {
        while !raw(server.address, GET).await.ends_with("served") {
            tokio::time::sleep(DRIP).await;
        }
    };
    tokio::time::timeout(PATIENCE, served).await.expect("no room came back");
}

#[tokio::test]
async fn a_panic_is_the_end_of_one_request_only() {
    let answers = Answers(|_, request: hyper::Request<Body>| {
        assert!(request.uri().path() != "/at-once", "before the first await");
        async move {
            tokio::task::yield_now().await;
            assert!(request.uri().path() != "/later", "behind the first await");
            Response::new(whole("fine"))
        }
    });
    let server = plain(Limits::default(), answers).await;
    for path in ["/at-once", "/later"] {
        let said = raw(server.address, format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 500 ") && said.contains("connection: close"), "{said}");
    }
    assert!(raw(server.address, GET).await.ends_with("fine"));
}

#[tokio::test]
async fn shutdown_finishes_what_is_in_flight() {
    let (begun, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let answers = Answers({
        let (begun, finish) = (Arc::clone(&begun), Arc::clone(&finish));
        move |_, request: hyper::Request<Body>| {
            let (begun, finish) = (Arc::clone(&begun), Arc::clone(&finish));
            async move {
                begun.notify_one();
                finish.notified().await;
                Response::new(whole(collect(request.into_body()).await))
            }
        }
    });
    let server = plain(Limits::default(), answers).await;
    let address = server.address;
    let mut busy = TcpStream::connect(address).await.unwrap();
    busy.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf").await.unwrap();
    begun.notified().await;
    let mut idle = TcpStream::connect(address).await.unwrap();

    let shutdown = tokio::spawn(server.shutdown(PATIENCE));
    // Who has sent nothing is not waited for; who comes now does not get in.
    assert_eq!(until_closed(&mut idle).await, "");
    assert!(TcpStream::connect(address).await.is_err());
    busy.write_all(b"done").await.unwrap();
    finish.notify_one();
    let said = until_closed(&mut busy).await;
    assert!(said.starts_with("HTTP/1.1 200 ") && said.ends_with("halfdone"), "{said}");
    drop(busy);
    shutdown.await.unwrap();
}

#[tokio::test]
async fn shutdown_cuts_off_what_does_not_finish_in_its_grace() {
    let begun = Arc::new(Notify::new());
    let answers = Answers({
        let begun = Arc::clone(&begun);
        move |_, _| {
            begun.notify_one();
            std::future::pending()
        }
    });
    let server = plain(Limits::default(), answers).await;
    let mut stuck = TcpStream::connect(server.address).await.unwrap();
    stuck.write_all(GET).await.unwrap();
    begun.notified().await;
    server.shutdown(Duration::from_millis(50)).await;
    assert_eq!(until_closed(&mut stuck).await, "");
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_is_still_sending() {
    let answered = Arc::new(AtomicUsize::new(0));
    let answers = Answers({
        let answered = Arc::clone(&answered);
        move |_, _| {
            answered.fetch_add(1, Ordering::Relaxed);
            async { Response::new(whole("no, thank you")) }
        }
    });
    let server = plain(Limits::default(), answers).await;
    let mut request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n".to_vec();
    request.resize(request.len() + 4_000_000, b'x');
    let said = raw(server.address, &request).await;
    assert!(said.ends_with("no, thank you"), "{said}");
    assert_eq!(answered.load(Ordering::Relaxed), 1, "the rest of the body was taken for a request");
}
