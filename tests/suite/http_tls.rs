//! TLS of the wire: who gets in, who does not, and what happens when a certificate is changed while serving.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::header::HeaderValue;
use hyper::{HeaderMap, Request, Response};
use openssl::ssl::{SslAcceptor, SslConnector, SslFiletype, SslMethod, SslStream, SslVerifyMode, SslVersion};
use openssl::x509::X509;
use sekisho::limits::{self, Limits};
use sekisho::wire::http::{
    Client, ClientSettings, Handler, HttpError, Listener, Peer, ServerHandle, TlsClient, TlsServer, serve,
};
use sekisho::wire::stream::Body;

use crate::support::certs::{Authority, EXPIRED, Pair, Usage, VALID, Validity};
use crate::support::http::PATIENCE;

/// Answers with the subject of the client's certificate; on `/close`, closes the connection then; on `/long`, with
/// [`LONG`] bytes in pieces of all sizes.
struct WhoAmI;

/// More than the sockets of both sides hold.
const LONG: usize = 24 * 1024 * 1024;

/// Pieces as they come from another community: now many small ones, now a large one.
fn long() -> Body {
    let mut sent = 0;
    let pieces = std::iter::from_fn(move || {
        let size = [3, 70_000, 900, 16_384, 1, 40_000][sent % 6].min(LONG - sent);
        sent += size;
        (size > 0).then(|| Ok(Frame::data(bytes::Bytes::from(vec![b'x'; size]))))
    });
    Body::new(StreamBody::new(futures_util::stream::iter(pieces).then(async |piece| {
        tokio::task::yield_now().await;
        piece
    })))
}

impl Handler for WhoAmI {
    fn handle(&self, peer: Peer, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let subject = peer.certificate.map_or("nobody".to_owned(), |certificate| certificate.subject.clone());
        let mut answer = Response::new(full(subject));
        if request.uri().path() == "/close" {
            answer.headers_mut().insert(hyper::header::CONNECTION, HeaderValue::from_static("close"));
        }
        if request.uri().path() == "/long" {
            *answer.body_mut() = long();
        }
        async move { answer }.boxed()
    }
}

fn full(text: impl Into<bytes::Bytes>) -> Body {
    Body::new(http_body_util::Full::new(text.into()).map_err(|never| match never {}))
}

async fn listen(tls: TlsServer) -> ServerHandle {
    let address = "127.0.0.1:0".parse().unwrap();
    serve(Listener { address, tls: Some(tls), limits: Limits::default(), handler: Arc::new(WhoAmI) })
        .await
        .unwrap()
}

fn server_tls(pair: &Pair, client_ca: Option<&Path>) -> TlsServer {
    TlsServer::new(&pair.certificate, &pair.key, client_ca).unwrap()
}

fn client(ca: &Path, identity: Option<&Pair>) -> Client {
    let identity = identity.map(|pair| (pair.certificate.as_path(), pair.key.as_path()));
    let tls = Some(TlsClient::new(ca, identity).unwrap());
    Client::new(&ClientSettings { tls, ..ClientSettings::default() }).unwrap()
}

/// Asks for `host/path`.
async fn ask(client: &Client, server: &ServerHandle, where_to: &str) -> Result<String, HttpError> {
    let (host, path) = where_to.split_once('/').unwrap_or((where_to, ""));
    let url = format!("https://{host}:{}/{path}", server.address.port()).parse().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let answer = client.post(&url, HeaderMap::new(), Some(2), full("hi"), deadline).await?;
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    Ok(String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn mutual_tls_tells_who_the_client_is_by_address_and_by_name() {
    let authority = Authority::new("CA");
    let server = listen(server_tls(&authority.server(), Some(&authority.ca()))).await;
    let client = client(&authority.ca(), Some(&authority.client()));
    for host in ["127.0.0.1", "localhost"] {
        assert_eq!(ask(&client, &server, host).await.unwrap(), "C=JP, O=Test Region, CN=client");
    }
}

#[tokio::test]
async fn without_a_client_ca_nobody_is_asked_for_a_certificate() {
    let authority = Authority::new("CA");
    let server = listen(server_tls(&authority.server(), None)).await;
    let client = client(&authority.ca(), None);
    assert_eq!(ask(&client, &server, "127.0.0.1").await.unwrap(), "nobody");
}

/// OpenSSL takes a write that it could not finish again only as it was, unless it is told that bytes may have moved.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_gets_all_of_a_long_answer() {
    let authority = Authority::new("CA");
    let server = listen(server_tls(&authority.server(), None)).await;
    let mut stream = connected(&server, &authority.ca(), None).unwrap();
    stream.write_all(b"GET /long HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let (mut received, mut some) = (0, vec![0; 64 * 1024]);
    loop {
        let read = stream.read(&mut some).unwrap();
        if read == 0 {
            break;
        }
        received += some[..read].iter().filter(|byte| **byte == b'x').count();
        if received % 7 == 0 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
    assert_eq!(received, LONG);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_35_clients_without_a_good_certificate_are_refused_in_the_handshake() {
    let (authority, other) = (Authority::new("CA"), Authority::new("Other CA"));
    let server = listen(server_tls(&authority.server(), Some(&authority.ca()))).await;
    let expired = issue_unchecked(&authority, "expired", Usage::Client, EXPIRED);
    let early = issue_unchecked(&authority, "early", Usage::Client, Validity(1, 30));
    let server_usage = authority.issue("not-a-client", Usage::Server, VALID);
    let wrong_ca = other.client();
    for (what, identity) in [
        ("none", None),
        ("wrong CA", Some(&wrong_ca)),
        ("wrong usage", Some(&server_usage)),
        ("expired", Some(&expired)),
        ("not yet valid", Some(&early)),
    ] {
        let answer = raw_request(&server, &authority.ca(), identity);
        assert!(answer.is_err(), "{what}: {answer:?}");
    }
}

/// A certificate that [`TlsClient`] itself would refuse to load.
fn issue_unchecked(authority: &Authority, name: &str, usage: Usage, validity: Validity) -> Pair {
    let pair = authority.issue(name, usage, validity);
    assert!(TlsClient::new(&authority.ca(), Some((&pair.certificate, &pair.key))).is_err());
    pair
}

/// A blocking socket that does not block for ever.
fn plain(server: &ServerHandle) -> TcpStream {
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A connection of a plain OpenSSL client.
fn connected(
    server: &ServerHandle,
    ca: &Path,
    identity: Option<&Pair>,
) -> Result<SslStream<TcpStream>, String> {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
    builder.set_ca_file(ca).unwrap();
    if let Some(pair) = identity {
        builder.set_certificate_file(&pair.certificate, SslFiletype::PEM).unwrap();
        builder.set_private_key_file(&pair.key, SslFiletype::PEM).unwrap();
    }
    builder.build().connect("localhost", plain(server)).map_err(|error| format!("handshake: {error}"))
}

/// One request on a connection that goes on, to a server that knows who we are.
fn ask_again(stream: &mut SslStream<TcpStream>) {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let (mut answer, mut some) = (String::new(), [0; 4096]);
    while !answer.ends_with("CN=client") {
        let read = stream.read(&mut some).unwrap();
        assert!(read > 0, "closed behind {answer:?}");
        answer.push_str(std::str::from_utf8(&some[..read]).unwrap());
    }
}

/// One request by a plain OpenSSL client.
fn raw_request(server: &ServerHandle, ca: &Path, identity: Option<&Pair>) -> Result<String, String> {
    let mut stream = connected(server, ca, identity)?;
    // Under TLS 1.3 the client learns of the refusal when it reads.
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").map_err(|e| e.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|e| e.to_string())?;
    if answer.is_empty() { Err("closed".into()) } else { Ok(answer) }
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_35_our_client_refuses_servers_that_it_should_not_trust() {
    let (authority, other) = (Authority::new("CA"), Authority::new("Other CA"));
    let server = listen(server_tls(&authority.server(), None)).await;
    let wrong_trust = client(&other.ca(), None);
    assert!(matches!(ask(&wrong_trust, &server, "127.0.0.1").await, Err(HttpError::Connect(_))));
    let right_trust = client(&authority.ca(), None);
    let wrong_name = ask(&right_trust, &server, "127.0.0.2").await;
    assert!(matches!(wrong_name, Err(HttpError::Connect(_))), "{wrong_name:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_36_old_protocols_and_weak_ciphers_are_refused() {
    let authority = Authority::new("CA");
    let server = listen(server_tls(&authority.server(), None)).await;
    let attempt = |setup: &dyn Fn(&mut openssl::ssl::SslConnectorBuilder)| {
        let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
        builder.set_ca_file(authority.ca()).unwrap();
        // A client that would agree to anything.
        builder.set_security_level(0);
        builder.set_min_proto_version(None).unwrap();
        setup(&mut builder);
        builder.build().connect("localhost", plain(&server)).map(|_| ()).map_err(|error| error.to_string())
    };
    let only = |version: SslVersion, ciphers: &'static str| {
        move |builder: &mut openssl::ssl::SslConnectorBuilder| {
            builder.set_max_proto_version(Some(version)).unwrap();
            builder.set_cipher_list(ciphers).unwrap();
        }
    };
    for version in [SslVersion::TLS1, SslVersion::TLS1_1] {
        assert!(attempt(&only(version, "ALL:@SECLEVEL=0")).is_err(), "{version:?}");
    }
    for ciphers in ["AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "aNULL:@SECLEVEL=0"] {
        assert!(attempt(&only(SslVersion::TLS1_2, ciphers)).is_err(), "{ciphers}");
    }
    assert_eq!(attempt(&only(SslVersion::TLS1_2, "ECDHE+AESGCM")), Ok(()));
    assert_eq!(attempt(&|_| ()), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_37_a_certificate_is_replaced_while_serving() {
    let (old, new) = (Authority::new("Old CA"), Authority::new("New CA"));
    let tls = server_tls(&old.server(), Some(&old.ca()));
    let server = listen(tls.clone()).await;
    let mut before = connected(&server, &old.ca(), Some(&old.client())).unwrap();
    ask_again(&mut before);
    tls.replace(&server_tls(&new.server(), Some(&new.ca())));
    // The open connection goes on; a new one needs the new trust.
    ask_again(&mut before);
    let late = client(&old.ca(), Some(&old.client()));
    assert!(ask(&late, &server, "127.0.0.1").await.is_err());
    let after = client(&new.ca(), Some(&new.client()));
    assert_eq!(ask(&after, &server, "127.0.0.1").await.unwrap(), "C=JP, O=Test Region, CN=client");
}

#[test]
fn attack_37_sessions_are_resumed_but_not_past_a_replacement() {
    let (authority, new) = (Authority::new("CA"), Authority::new("New CA"));
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let resumed = || {
        let text = recorder.handle().render();
        text.contains("sekisho_tls_handshakes_total{resumed=\"yes\"} 1")
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let tls = server_tls(&authority.server(), Some(&authority.ca()));
            let server = listen(tls.clone()).await;
            let client = client(&authority.ca(), Some(&authority.client()));
            // Each request has a connection of its own.
            ask(&client, &server, "localhost/close").await.unwrap();
            assert!(!resumed());
            let second = ask(&client, &server, "localhost/close").await.unwrap();
            assert!(resumed());
            assert!(second.ends_with("CN=client"), "who it is stays known: {second}");
            tls.replace(&server_tls(&authority.server(), Some(&new.ca())));
            let late = ask(&client, &server, "localhost/close").await;
            assert!(late.is_err(), "a client whose CA is no longer trusted came in by its old session");
        });
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn our_client_resumes_its_sessions() {
    let authority = Authority::new("CA");
    let pair = authority.server();
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    acceptor.set_certificate_file(&pair.certificate, SslFiletype::PEM).unwrap();
    acceptor.set_private_key_file(&pair.key, SslFiletype::PEM).unwrap();
    acceptor.set_session_id_context(b"test").unwrap();
    acceptor.set_verify(SslVerifyMode::NONE);
    let acceptor = acceptor.build();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let peer = std::thread::spawn(move || {
        [(); 2].map(|()| {
            let mut stream = acceptor.accept(listener.accept().unwrap().0).unwrap();
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).unwrap() > 0);
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(answer).unwrap();
            let _ = stream.shutdown();
            stream.ssl().session_reused()
        })
    });
    let client = client(&authority.ca(), None);
    for _ in 0..2 {
        let answer = client.get(&url, Instant::now() + PATIENCE).await.unwrap();
        answer.into_body().collect().await.unwrap();
    }
    assert_eq!(peer.join().unwrap(), [false, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_38_a_chain_that_is_too_long_or_too_large_is_refused() {
    let authority = Authority::new("CA");
    let identity = authority.client();
    let server = listen(server_tls(&authority.server(), Some(&authority.ca()))).await;
    let certificate = |file: &Path| X509::from_pem(&std::fs::read(file).unwrap()).unwrap();
    let shows = |identity: &Pair, chain: Vec<X509>| {
        let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
        builder.set_ca_file(authority.ca()).unwrap();
        builder.set_certificate_file(&identity.certificate, SslFiletype::PEM).unwrap();
        builder.set_private_key_file(&identity.key, SslFiletype::PEM).unwrap();
        for link in chain {
            builder.add_extra_chain_cert(link).unwrap();
        }
        let mut stream =
            builder.build().connect("localhost", plain(&server)).map_err(|error| error.to_string())?;
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .map_err(|e| e.to_string())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(|error| error.to_string())?;
        if answer.is_empty() { Err("closed".to_owned()) } else { Ok(answer) }
    };
    let padding = certificate(&authority.issue("padding", Usage::Client, VALID).certificate);
    assert!(shows(&identity, vec![padding.clone(); 2]).is_ok());
    assert!(shows(&identity, vec![padding; 300]).is_err(), "100 KiB of certificates were taken");
    // Every link of these is good; there are only too many of them in the second.
    for (links, good) in [(2, true), (limits::MAX_TLS_CHAIN + 2, false)] {
        let mut chain = Vec::new();
        let mut last = authority.subordinate("CA 1");
        for number in 2..=links {
            chain.push(certificate(&last.ca()));
            last = last.subordinate(&format!("CA {number}"));
        }
        chain.push(certificate(&last.ca()));
        assert_eq!(shows(&last.client(), chain).is_ok(), good, "{links} links");
    }
    // And nobody else noticed.
    assert!(shows(&identity, Vec::new()).is_ok());
}

#[test]
fn the_day_of_expiry_is_known() {
    let authority = Authority::new("CA");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let expires = server_tls(&authority.server(), None).expires_at().unwrap();
    assert!((expires - now - 30 * 86_400).abs() < 3_600, "{expires}");
}

#[test]
fn what_cannot_be_used_is_refused_at_load_and_names_the_file() {
    let authority = Authority::new("CA");
    let (server, client) = (authority.server(), authority.client());
    let expired = authority.issue("old", Usage::Server, EXPIRED);
    let early = authority.issue("early", Usage::Server, Validity(1, 2));
    let nothing = authority.dir.path().join("nothing.pem");
    let garbage = authority.dir.path().join("garbage.pem");
    std::fs::write(&garbage, "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n").unwrap();
    let empty = authority.dir.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let encrypted = authority.dir.path().join("encrypted.key");
    let key = openssl::pkey::PKey::private_key_from_pem(&std::fs::read(&server.key).unwrap()).unwrap();
    let cipher = openssl::symm::Cipher::aes_256_cbc();
    std::fs::write(&encrypted, key.private_key_to_pem_pkcs8_passphrase(cipher, b"secret").unwrap()).unwrap();

    let cases: [(&Path, &Path, Option<&Path>, &str, &str); 8] = [
        (&nothing, &server.key, None, "nothing.pem", "cannot be read"),
        (&garbage, &server.key, None, "garbage.pem", "not a PEM file"),
        (&empty, &server.key, None, "empty.pem", "no PEM certificate"),
        (&expired.certificate, &expired.key, None, "old.pem", "expired on"),
        (&early.certificate, &early.key, None, "early.pem", "not valid before"),
        (&server.certificate, &client.key, None, "client.key", "does not belong"),
        (&server.certificate, &encrypted, None, "encrypted.key", "unencrypted PEM"),
        (&server.certificate, &server.key, Some(&empty), "empty.pem", "no PEM certificate"),
    ];
    for (certificate, key, ca, file, problem) in cases {
        let error = TlsServer::new(certificate, key, ca).err().unwrap().to_string();
        assert!(error.contains(file) && error.contains(problem), "{error}");
    }
}
