//! The limit to compare with: the thinnest hyper server that gives the same bytes, in a process of its own.

use std::convert::Infallible;
use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use openssl::ssl::{Ssl, SslAcceptor, SslFiletype, SslMethod};
use tokio::net::TcpListener;
use tokio_openssl::SslStream;

/// Serves one answer for ever: the first line of the file is its Content-Type, the rest its body. Prints `ready {…}` like
/// `serve`. With a certificate and key, over TLS.
pub async fn serve(answer: &Path, tls: Option<(&Path, &Path)>) -> Result<(), String> {
    let whole = Bytes::from(std::fs::read(answer).map_err(|error| format!("{}: {error}", answer.display()))?);
    let line = memchr::memchr(b'\n', &whole).ok_or("the answer's file has no first line")?;
    let content_type = String::from_utf8_lossy(&whole[..line]).into_owned();
    let body = whole.slice(line + 1..);
    let acceptor = tls.map(acceptor).transpose().map_err(|error| error.to_string())?;

    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let key = if acceptor.is_some() { ("soap", "https") } else { ("http", "http") };
    println!("ready {}", serde_json::json!({ key.0: format!("{}://{address}", key.1) }));
    loop {
        let (socket, _) = listener.accept().await.map_err(|error| error.to_string())?;
        let _ = socket.set_nodelay(true);
        let (content_type, body, acceptor) = (content_type.clone(), body.clone(), acceptor.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                answer_one(request, content_type.clone(), body.clone())
            });
            let http = hyper::server::conn::http1::Builder::new();
            // A client that goes away ends its connection; there is nobody to tell.
            let _ = match acceptor {
                None => http.serve_connection(TokioIo::new(socket), service).await,
                Some(acceptor) => {
                    let Ok(ssl) = Ssl::new(acceptor.context()) else { return };
                    let Ok(mut stream) = SslStream::new(ssl, socket) else { return };
                    if std::pin::Pin::new(&mut stream).accept().await.is_err() {
                        return;
                    }
                    http.serve_connection(TokioIo::new(stream), service).await
                }
            };
        });
    }
}

async fn answer_one(
    request: Request<Incoming>,
    content_type: String,
    body: Bytes,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut request = request.into_body();
    while let Some(Ok(_)) = request.frame().await {}
    let mut answer = Response::new(Full::new(body));
    if let Ok(value) = content_type.parse() {
        answer.headers_mut().insert(CONTENT_TYPE, value);
    }
    Ok(answer)
}

fn acceptor((certificate, key): (&Path, &Path)) -> Result<SslAcceptor, openssl::error::ErrorStack> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls())?;
    builder.set_certificate_chain_file(certificate)?;
    builder.set_private_key_file(key, SslFiletype::PEM)?;
    Ok(builder.build())
}
