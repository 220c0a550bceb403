//! Attack 32: messages whose end a proxy before us may see elsewhere. Each is refused, or answered once and the connection
//! closed; what hides in it never reaches a handler.

use std::sync::{Arc, Mutex};

use hyper::{Request, Response};
use sekisho::limits::Limits;
use sekisho::wire::stream::Body;

use crate::support::http::{Answers, collect, plain, raw, whole};

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

/// Sends bytes to a fresh server; gives its statuses and the paths that its handler saw.
async fn statuses_and_paths(bytes: String) -> (Vec<String>, Vec<String>) {
    let paths = Arc::new(Mutex::new(Vec::new()));
    let answers = Answers({
        let paths = Arc::clone(&paths);
        move |_, request: Request<Body>| {
            paths.lock().unwrap().push(request.uri().path().to_owned());
            async move {
                let _ = http_body_util::BodyExt::collect(request.into_body()).await;
                Response::new(whole(""))
            }
        }
    });
    let server = plain(Limits { header_timeout_ms: 200, ..Limits::default() }, answers).await;
    let said = raw(server.address, bytes.as_bytes()).await;
    let statuses =
        said.lines().filter(|line| line.starts_with("HTTP/1.1")).map(|line| line[9..12].to_owned());
    let paths = paths.lock().unwrap().clone();
    (statuses.collect(), paths)
}

#[tokio::test]
async fn attack_32_messages_of_doubtful_length_are_refused() {
    let inner = SMUGGLED.len();
    for (what, headers) in [
        ("two lengths", format!("Content-Length: 0\r\nContent-Length: {inner}\r\n")),
        ("a list of lengths", format!("Content-Length: 0, {inner}\r\n")),
        ("a signed length", "Content-Length: +0\r\n".to_owned()),
        ("a negative length", "Content-Length: -1\r\n".to_owned()),
        ("a huge length", "Content-Length: 99999999999999999999999\r\n".to_owned()),
        ("chunked, but not last", "Transfer-Encoding: chunked, identity\r\n".to_owned()),
        ("an unknown coding", "Transfer-Encoding: xchunked\r\n".to_owned()),
        ("a folded header", "X: 1\r\n Transfer-Encoding: chunked\r\n".to_owned()),
        ("a folded coding", "Transfer-Encoding:\r\n chunked\r\n".to_owned()),
        ("a space before the colon", format!("Content-Length : {inner}\r\n")),
        ("a control character", "Transfer-Encoding: \x0bchunked\r\n".to_owned()),
        ("a bare CR", "X: a\rTransfer-Encoding: chunked\r\n".to_owned()),
    ] {
        let (statuses, paths) =
            statuses_and_paths(format!("POST /outer HTTP/1.1\r\nHost: x\r\n{headers}\r\n{SMUGGLED}")).await;
        assert_eq!(statuses, ["400"], "{what}");
        assert_eq!(paths, [""; 0], "{what}");
    }
}

#[tokio::test]
async fn attack_32_a_length_beside_chunks_ends_the_connection() {
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ] {
        let request = format!("POST /outer HTTP/1.1\r\nHost: x\r\n{headers}\r\n0\r\n\r\n{SMUGGLED}");
        let (statuses, paths) = statuses_and_paths(request).await;
        assert_eq!(statuses, ["200"], "{headers}");
        assert_eq!(paths, ["/outer"], "{headers}");
    }
}

#[tokio::test]
async fn attack_32_chunks_that_lie_are_refused() {
    for (what, chunks) in [
        ("an overflowing size", format!("fffffffffffffffff\r\n\r\n{SMUGGLED}")),
        ("a signed size", format!("+0\r\n\r\n{SMUGGLED}")),
        ("a hexadecimal prefix", format!("0x0\r\n\r\n{SMUGGLED}")),
        ("more than its size", format!("1\r\nab\r\n0\r\n\r\n{SMUGGLED}")),
        ("a line feed alone", format!("0\n\n{SMUGGLED}")),
    ] {
        let request =
            format!("POST /outer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        let (_, paths) = statuses_and_paths(request).await;
        assert_eq!(paths, ["/outer"], "{what}");
    }
}

#[tokio::test]
async fn attack_32_http_1_0_has_no_chunks() {
    let request = format!("POST /outer HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}");
    assert_eq!(statuses_and_paths(request).await, (vec!["400".to_owned()], vec![]));
}

#[tokio::test]
async fn pipelined_requests_of_clear_length_are_answered_in_order() {
    let answers = Answers(async |_, request: Request<Body>| {
        let path = request.uri().path().to_owned();
        let body = collect(request.into_body()).await;
        Response::new(whole(format!("{path}={}", String::from_utf8_lossy(&body))))
    });
    let server = plain(Limits::default(), answers).await;
    let said = raw(
        server.address,
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1\
          POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n2\r\n0\r\n\r\n\
          GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    .await;
    let places: Vec<_> = ["/a=1", "/b=2", "/c="].iter().map(|answer| said.find(answer)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{said}");
}
