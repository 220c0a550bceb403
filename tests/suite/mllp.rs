//! MLLP over real sockets: what senders do, what attackers do, TLS, and our own client.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sekisho::limits::{self, Limits};
use sekisho::wire::hl7v2::mllp::{
    FrameHandler, MllpClient, MllpError, MllpListener, MllpPeer, frame, reject, serve,
};
use sekisho::wire::hl7v2::{Charset, Message};
use sekisho::wire::http::{Peer, ServerHandle, TlsClient, TlsServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::certs::Authority;
use super::support::http::{PATIENCE, until_closed};

/// Gives messages back; `PANIC`, `SLEEP` and `WHO` do something else. Counts what it was asked.
#[derive(Clone, Default)]
struct Echo(Arc<AtomicUsize>);

impl FrameHandler for Echo {
    fn answer(&self, peer: Peer, message: Bytes) -> BoxFuture<'static, Option<Bytes>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        async move {
            match &message[..] {
                b"PANIC" => panic!("as asked"),
                b"SLEEP" => tokio::time::sleep(PATIENCE).await,
                b"WHO" => {
                    let subject = peer.certificate.map(|certificate| certificate.subject.clone());
                    return Some(format!("{} {}", peer.scheme, subject.unwrap_or_default()).into());
                }
                _ => {}
            }
            Some(message)
        }
        .boxed()
    }
}

async fn listen(limits: Limits, tls: Option<TlsServer>) -> (ServerHandle, Echo) {
    let echo = Echo::default();
    let address = "127.0.0.1:0".parse().unwrap();
    let listener = MllpListener { address, tls, limits, handler: Arc::new(echo.clone()) };
    (serve(listener).await.unwrap(), echo)
}

fn quick() -> Limits {
    Limits { body_idle_timeout_ms: 300, request_deadline_ms: 300, ..Limits::default() }
}

async fn connect(server: &ServerHandle) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

/// The next `bytes.len()` bytes are these.
async fn expect(stream: &mut TcpStream, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut read)).await.expect("no answer").unwrap();
    assert!(read == bytes, "{:?}", String::from_utf8_lossy(&read));
}

/// The acknowledgement in what came until the connection was closed.
fn acknowledgement(answer: &str) -> (String, String) {
    let message =
        Message::read(answer.trim_matches(['\u{b}', '\u{1c}', '\r']).as_bytes(), Charset::Utf8).unwrap();
    (message.field("MSA", 1).value().into_owned(), message.field("ERR", 8).value().into_owned())
}

#[tokio::test]
async fn a_connection_serves_many_messages_in_order_with_junk_between() {
    let (server, echo) = listen(Limits::default(), None).await;
    let mut stream = connect(&server).await;
    stream.write_all(b"\0\0\r\n\x0bone\x1c\r\0\0\x0btwo\x1c\r").await.unwrap();
    expect(&mut stream, b"\x0bone\x1c\r\x0btwo\x1c\r").await;
    for byte in b"\x0bth\x1cree\x1c\r" {
        stream.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    expect(&mut stream, b"\x0bth\x1cree\x1c\r").await;
    // Without the CR, and nothing behind it.
    stream.write_all(b"\x0bfour\x1c").await.unwrap();
    expect(&mut stream, b"\x0bfour\x1c\r").await;
    assert_eq!(echo.0.load(Ordering::Relaxed), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_60_ten_thousand_pipelined_frames_are_all_answered() {
    let (server, echo) = listen(Limits::default(), None).await;
    let stream = connect(&server).await;
    let (mut reading, mut writing) = stream.into_split();
    let message = vec![b'x'; 1000];
    let all: Vec<u8> = (0..10_000).flat_map(|_| frame(&message)).collect();
    let length = all.len();
    let sending = tokio::spawn(async move {
        writing.write_all(&all).await.unwrap();
        writing
    });
    let mut answers = vec![0; length];
    tokio::time::timeout(PATIENCE, reading.read_exact(&mut answers)).await.expect("lost answers").unwrap();
    assert!(answers.chunks(message.len() + 3).all(|answer| answer == frame(&message)));
    assert_eq!(echo.0.load(Ordering::Relaxed), 10_000);
    drop(sending.await.unwrap());
}

#[tokio::test]
async fn attack_60_a_message_without_end_is_refused_and_the_connection_closed() {
    let (server, echo) = listen(quick(), None).await;
    let mut stalled = connect(&server).await;
    stalled.write_all(b"\x0bMSH|^~\\&|A|B|C|D|||ADT^A01|7|P|2.5\rPID").await.unwrap();
    let (code, text) = acknowledgement(&until_closed(&mut stalled).await);
    assert_eq!(code, "AR");
    assert!(text.contains("end block"), "{text}");

    let mut half_open = connect(&server).await;
    half_open.write_all(b"\x0bMSH|^~\\&|A\rPID").await.unwrap();
    half_open.shutdown().await.unwrap();
    assert_eq!(until_closed(&mut half_open).await, "");

    let mut polite = connect(&server).await;
    polite.write_all(b"\x0bwhole\x1c").await.unwrap();
    polite.shutdown().await.unwrap();
    assert_eq!(until_closed(&mut polite).await, "\u{b}whole\u{1c}\r");
    assert_eq!(echo.0.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn attack_60_a_frame_that_another_begins_within_is_refused_and_the_other_answered() {
    let (server, _) = listen(Limits::default(), None).await;
    let mut stream = connect(&server).await;
    stream.write_all(b"\x0bMSH|^~\\&|A\r\x0bMSH|^~\\&|B\x1c\r").await.unwrap();
    stream.shutdown().await.unwrap();
    let answers = until_closed(&mut stream).await;
    let (refusal, echoed) = answers.split_once("\u{1c}\r").unwrap();
    assert_eq!(acknowledgement(refusal).0, "AR");
    assert_eq!(echoed, "\u{b}MSH|^~\\&|B\u{1c}\r");
}

#[tokio::test]
async fn attack_60_a_huge_frame_is_given_up_early() {
    let (server, echo) = listen(Limits::default(), None).await;
    let mut stream = connect(&server).await;
    let chunk = vec![b'x'; 64 * 1024];
    stream.write_all(b"\x0bMSH|^~\\&|A|B|C|D|||ADT^A01|7|P|2.5\rZZZ|").await.unwrap();
    let mut sent = 0usize;
    while sent < 64 * limits::MAX_HL7_MESSAGE_BYTES && stream.write_all(&chunk).await.is_ok() {
        sent += chunk.len();
    }
    assert!(sent < 64 * limits::MAX_HL7_MESSAGE_BYTES, "it took {sent} bytes");
    assert_eq!(echo.0.load(Ordering::Relaxed), 0);

    let mut just_too_large = connect(&server).await;
    let message =
        [b"MSH|^~\\&|A|B|C|D|||ADT^A01|7|P|2.5\rZZZ|", &vec![b'x'; limits::MAX_HL7_MESSAGE_BYTES][..]];
    just_too_large.write_all(&frame(&message.concat())).await.unwrap();
    let (code, text) = acknowledgement(&until_closed(&mut just_too_large).await);
    assert_eq!(code, "AR");
    assert!(text.contains("larger than"), "{text}");
}

#[tokio::test]
async fn attack_60_another_protocol_is_not_listened_to_for_long() {
    let (server, _) = listen(Limits::default(), None).await;
    let mut stream = connect(&server).await;
    let junk = b"GET / HTTP/1.1\r\n".repeat(limits::MAX_MLLP_JUNK_BYTES / 16 + 1);
    stream.write_all(&junk).await.unwrap();
    let (code, text) = acknowledgement(&until_closed(&mut stream).await);
    assert_eq!(code, "AR");
    assert!(text.contains("start block"), "{text}");
}

#[tokio::test]
async fn attack_31_a_frame_that_trickles_in_is_given_up() {
    let (server, _) = listen(quick(), None).await;
    let mut stream = connect(&server).await;
    let (mut reading, mut writing) = stream.split();
    let trickle = async {
        while writing.write_all(b"\x0b").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut answer = Vec::new();
    let closed = async {
        let mut buffer = [0; 1024];
        while let Ok(read @ 1..) = reading.read(&mut buffer).await {
            answer.extend_from_slice(&buffer[..read]);
        }
    };
    tokio::select! {
        () = trickle => {}
        closed = tokio::time::timeout(PATIENCE, closed) => closed.expect("never given up"),
    }
}

#[tokio::test]
async fn a_handler_that_panics_or_hangs_rejects_its_message_only() {
    let (server, _) = listen(quick(), None).await;
    let mut stream = connect(&server).await;
    stream.write_all(b"\x0bPANIC\x1c\r\x0bSLEEP\x1c\r\x0bnext\x1c\r").await.unwrap();
    stream.shutdown().await.unwrap();
    let answers = until_closed(&mut stream).await;
    let answers: Vec<_> = answers.split_terminator("\u{1c}\r").collect();
    assert_eq!(answers.len(), 3);
    assert_eq!(
        (acknowledgement(answers[0]).0.as_str(), acknowledgement(answers[1]).0.as_str()),
        ("AR", "AR")
    );
    assert_eq!(answers[2], "\u{b}next");
}

#[tokio::test]
async fn a_shutdown_lets_go_of_idle_connections_at_once() {
    let (server, _) = listen(Limits::default(), None).await;
    let mut stream = connect(&server).await;
    stream.write_all(&frame(b"one")).await.unwrap();
    expect(&mut stream, &frame(b"one")).await;
    tokio::time::timeout(PATIENCE, server.shutdown(2 * PATIENCE))
        .await
        .expect("it waited for an idle connection");
    assert_eq!(until_closed(&mut stream).await, "");
}

#[tokio::test]
async fn attack_31_too_many_connections_are_closed_at_once() {
    let (server, _) = listen(Limits { max_connections: 1, ..Limits::default() }, None).await;
    let mut first = connect(&server).await;
    first.write_all(&frame(b"one")).await.unwrap();
    expect(&mut first, &frame(b"one")).await;
    assert_eq!(until_closed(&mut connect(&server).await).await, "");
}

fn client(server: &ServerHandle, host: &str, tls: Option<TlsClient>) -> MllpClient {
    MllpClient::new(&MllpPeer { host: host.to_owned(), port: server.address.port(), tls }).unwrap()
}

async fn ask(client: &MllpClient, message: &[u8]) -> Result<Bytes, MllpError> {
    client.send(message, Instant::now() + PATIENCE).await
}

#[tokio::test]
async fn mutual_tls_tells_who_the_sender_is() {
    let (authority, other) = (Authority::new("CA"), Authority::new("Other"));
    let pair = authority.server();
    let tls = TlsServer::new(&pair.certificate, &pair.key, Some(&authority.ca())).unwrap();
    let (server, echo) = listen(Limits::default(), Some(tls)).await;
    let tls = |ca: &Authority, identity: &Authority| {
        let pair = identity.client();
        Some(TlsClient::new(&ca.ca(), Some((&pair.certificate, &pair.key))).unwrap())
    };
    for host in ["127.0.0.1", "localhost"] {
        let client = client(&server, host, tls(&authority, &authority));
        assert_eq!(ask(&client, b"WHO").await.unwrap(), "mllps C=JP, O=Test Region, CN=client");
    }
    let refused = client(&server, "127.0.0.1", tls(&authority, &other));
    assert!(ask(&refused, b"WHO").await.is_err());
    let distrusting = client(&server, "127.0.0.1", tls(&other, &authority));
    let error = ask(&distrusting, b"WHO").await.unwrap_err();
    assert!(matches!(&error, MllpError::Connect(why) if why.contains("certificate")), "{error}");
    let plain = client(&server, "127.0.0.1", None);
    assert_eq!(ask(&plain, b"WHO").await, Err(MllpError::Closed));
    assert_eq!(echo.0.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn the_client_keeps_its_connection_and_replaces_one_that_was_closed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = MllpClient::new(&MllpPeer { host: "127.0.0.1".into(), port, tls: None }).unwrap();
    // Two answers on a connection, then it is closed; with the third message too, the client does not notice before.
    let server = tokio::spawn(async move {
        let mut answered = Vec::new();
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 64];
            let mut count = 0;
            while count < 2 && stream.read(&mut buffer).await.unwrap() > 0 {
                stream.write_all(&frame(b"ok")).await.unwrap();
                count += 1;
            }
            answered.push(count);
        }
        answered
    });
    for _ in 0..4 {
        assert_eq!(ask(&client, b"hello").await.unwrap(), "ok");
    }
    assert_eq!(server.await.unwrap(), [2, 2]);
    assert!(matches!(ask(&client, b"hello").await, Err(MllpError::Connect(_))));
}

#[tokio::test]
async fn the_client_waits_no_longer_than_it_was_told() {
    let (server, _) = listen(Limits::default(), None).await;
    let client = client(&server, "127.0.0.1", None);
    let deadline = Instant::now() + Duration::from_millis(100);
    assert_eq!(client.send(b"SLEEP", deadline).await, Err(MllpError::Deadline));
    assert_eq!(ask(&client, b"next").await.unwrap(), "next");
}

#[test]
fn a_refusal_names_the_message() {
    let refusal = reject(b"MSH|^~\\&|A|B|C|D|||ADT^A01|7\\F\\8|P|2.5\r", "why | not");
    let message = Message::read(&refusal, Charset::Utf8).unwrap();
    assert_eq!(
        (message.field("MSA", 2).value(), message.field("ERR", 8).value()),
        ("7|8".into(), "why | not".into())
    );
}
