//! The pooled client against servers that behave, and servers that do not.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::header::CONTENT_LENGTH;
use hyper::{HeaderMap, Request, Response, Uri};
use sekisho::limits::Limits;
use sekisho::wire::http::{Client, ClientSettings, HttpError};
use sekisho::wire::stream::{Body, StreamError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::http::{Answers, NOBODY, PATIENCE, collect, plain, whole};

fn client() -> Client {
    let settings =
        ClientSettings { connect_timeout_ms: 2_000, body_idle_timeout_ms: 200, ..Default::default() };
    Client::new(&settings).unwrap()
}

fn url(address: SocketAddr) -> Uri {
    format!("http://{address}/").parse().unwrap()
}

async fn post(address: SocketAddr, patience: Duration) -> Result<Response<Body>, HttpError> {
    client().post(&url(address), HeaderMap::new(), Some(2), whole("hi"), Instant::now() + patience).await
}

/// A server that does with every connection what it is told, after it has read something.
async fn badly<F, A>(behave: F) -> SocketAddr
where
    F: Fn(TcpStream) -> A + Send + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            tokio::spawn(behave(stream));
        }
    });
    address
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let peers = Arc::new(Mutex::new(HashSet::new()));
    let answers = Answers({
        let peers = Arc::clone(&peers);
        move |peer: sekisho::wire::http::Peer, request: Request<Body>| {
            peers.lock().unwrap().insert(peer.address);
            async move { Response::new(whole(collect(request.into_body()).await)) }
        }
    });
    let server = plain(Limits::default(), answers).await;
    let client = client();
    for _ in 0..5 {
        let deadline = Instant::now() + PATIENCE;
        let answer = client
            .post(&url(server.address), HeaderMap::new(), Some(2), whole("hi"), deadline)
            .await
            .unwrap();
        assert_eq!(collect(answer.into_body()).await, "hi");
    }
    assert_eq!(peers.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_meanwhile_costs_nothing() {
    let address = badly(|mut stream| async move {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        stream.write_all(answer).await.unwrap();
    })
    .await;
    let client = client();
    for _ in 0..5 {
        let answer = client.get(&url(address), Instant::now() + PATIENCE).await.unwrap();
        assert_eq!(collect(answer.into_body()).await, "ok");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_streamed_body_has_its_length_when_that_is_known() {
    let answers = Answers(async |_, request: Request<Body>| {
        let length = request.headers().get(CONTENT_LENGTH).map(|length| length.to_str().unwrap().to_owned());
        let body = collect(request.into_body()).await;
        Response::new(whole(format!("{length:?} {}", body.len())))
    });
    let server = plain(Limits::default(), answers).await;
    for (length, expected) in [(Some(6), "Some(\"6\") 6"), (None, "None 6")] {
        let chunks = futures_util::stream::iter(["ab", "cd", "ef"]);
        let chunks = futures_util::StreamExt::map(chunks, |chunk| Ok(Frame::data(Bytes::from(chunk))));
        let body = Body::new(StreamBody::new(chunks));
        let deadline = Instant::now() + PATIENCE;
        let answer =
            client().post(&url(server.address), HeaderMap::new(), length, body, deadline).await.unwrap();
        assert_eq!(collect(answer.into_body()).await, expected);
    }
}

#[tokio::test]
async fn nothing_was_sent_where_nobody_listens() {
    assert!(matches!(post(NOBODY, PATIENCE).await, Err(HttpError::Connect(_))));
    let https = format!("https://{NOBODY}/").parse().unwrap();
    let refused = client().get(&https, Instant::now() + PATIENCE).await;
    assert!(matches!(refused, Err(HttpError::Connect(why)) if why.contains("CA")));
}

#[tokio::test]
async fn silence_ends_at_the_deadline_and_a_closed_connection_at_once() {
    let silent = badly(|stream| async move {
        let _held = stream;
        std::future::pending().await
    })
    .await;
    assert!(matches!(post(silent, Duration::from_millis(100)).await, Err(HttpError::Deadline(_))));
    let closes = badly(|stream| async move { drop(stream) }).await;
    assert!(matches!(post(closes, PATIENCE).await, Err(HttpError::Interrupted(_))));
    let garbage = badly(|mut stream| async move {
        let _ = stream.write_all(b"220 smtp.example ESMTP\r\n").await;
    })
    .await;
    assert!(matches!(post(garbage, PATIENCE).await, Err(HttpError::Interrupted(_))));
}

#[tokio::test]
async fn attack_31_a_server_that_is_slow_with_its_answer_is_cut_off() {
    for chunk in [&b""[..], b"1\r\nx\r\n"] {
        let address = badly(move |mut stream| async move {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            while stream.write_all(chunk).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        let answer = post(address, PATIENCE).await.unwrap();
        let ended = tokio::time::timeout(PATIENCE, answer.into_body().collect()).await.unwrap();
        assert!(matches!(ended, Err(StreamError::Idle(200))), "{ended:?}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_whole_answer() {
    for head in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let address = badly(move |mut stream| async move {
            let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n5\r\nhalf\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let answer = post(address, PATIENCE).await.unwrap();
        let ended = answer.into_body().collect().await;
        assert!(matches!(ended, Err(StreamError::Interrupted(_))), "{head}: {ended:?}");
    }
}
