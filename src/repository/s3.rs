//! An S3-compatible store through `object_store`, with the gateway's own HTTP client, TLS and OpenSSL below it: one way out
//! of the house, one set of certificates, and no second TLS library.
//!
//! Requests are retried where the store says that it is busy or the connection breaks, a few times and not for long: a
//! sender waits for the answer.

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{
    ClientOptions, CryptoProvider, DigestAlgorithm, DigestContext, HmacContext, HttpClient, HttpConnector,
    HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService, Signer,
    SigningAlgorithm,
};
use object_store::{BackoffConfig, RetryConfig};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sha::Sha256;
use openssl::sign;

use crate::limits;
use crate::wire::http::{self, Client, ClientSettings, TlsClient};
use crate::wire::stream::{Body, StreamError};

/// Where a bucket is, and with what we are let in.
#[derive(Clone)]
pub struct S3Settings {
    /// URL of the service, without the bucket.
    pub endpoint: String,
    /// The bucket's name.
    pub bucket: String,
    /// The region that requests are signed for.
    pub region: String,
    /// What all keys begin with; may be empty.
    pub prefix: String,
    /// Whom we trust at an https endpoint, PEM.
    pub ca: Option<PathBuf>,
    /// Who we are there.
    pub access_key: String,
    /// What proves it.
    pub secret_key: String,
}

impl fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Settings({}/{})", self.endpoint, self.bucket)
    }
}

/// A client of the bucket. Nothing is sent yet.
pub(super) fn connect(settings: &S3Settings) -> Result<AmazonS3, String> {
    let tls = settings.ca.as_ref().map(|ca| TlsClient::new(ca, None)).transpose();
    let tls = tls.map_err(|error| error.to_string())?;
    let client = Client::new(&ClientSettings { tls, ..ClientSettings::default() });
    let client = client.map_err(|error| error.to_string())?;
    let encrypted = settings.endpoint.starts_with("https:");
    let backoff = BackoffConfig {
        init_backoff: limits::OBJECT_RETRY_PAUSE,
        max_backoff: limits::OBJECT_RETRY_TIMEOUT,
        base: 2.0,
    };
    AmazonS3Builder::new()
        .with_endpoint(&settings.endpoint)
        .with_bucket_name(&settings.bucket)
        .with_region(&settings.region)
        .with_access_key_id(&settings.access_key)
        .with_secret_access_key(&settings.secret_key)
        .with_allow_http(!encrypted)
        // TLS guards the bytes already: to hash them once more would cost as much as the SHA-1 of the metadata.
        .with_unsigned_payload(encrypted)
        // Not every store has the request that deletes many.
        .with_disable_bulk_delete(true)
        .with_retry(RetryConfig {
            backoff,
            max_retries: limits::MAX_OBJECT_RETRIES,
            retry_timeout: limits::OBJECT_RETRY_TIMEOUT,
        })
        .with_crypto_provider(Arc::new(OpenSsl))
        .with_http_connector(Ours(client))
        .build()
        .map_err(|error| error.to_string())
}

/// Our client, as `object_store` wants to be given one.
#[derive(Debug, Clone)]
struct Ours(Client);

impl HttpConnector for Ours {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Ours {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let body = |body: object_store::client::HttpRequestBody| {
            body.map_err(|error| StreamError::Interrupted(error.to_string())).boxed_unsync()
        };
        let deadline = Instant::now() + limits::OBJECT_REQUEST_DEADLINE;
        let response = self.0.send(request.map(body), deadline).await.map_err(|error| {
            let kind = match error {
                http::HttpError::Connect(_) => HttpErrorKind::Connect,
                http::HttpError::Deadline(_) => HttpErrorKind::Timeout,
                http::HttpError::Interrupted(_) => HttpErrorKind::Interrupted,
            };
            HttpError::new(kind, error)
        })?;
        Ok(response.map(|body| HttpResponseBody::new(Received(Mutex::new(body)))))
    }
}

/// A body that is polled by one at a time, and says so to those who want to share it.
struct Received(Mutex<Body>);

impl HttpBody for Received {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let body = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let broken = |error| HttpError::new(HttpErrorKind::Interrupted, error);
        Pin::new(body).poll_frame(context).map_err(broken)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}

/// What requests are signed with.
#[derive(Debug)]
struct OpenSsl;

impl CryptoProvider for OpenSsl {
    fn digest(&self, _: DigestAlgorithm) -> object_store::Result<Box<dyn DigestContext>> {
        Ok(Box::new(Digest(Sha256::new(), [0; 32])))
    }

    fn hmac(&self, _: DigestAlgorithm, secret: &[u8]) -> object_store::Result<Box<dyn HmacContext>> {
        let signer = PKey::hmac(secret).and_then(|key| sign::Signer::new(MessageDigest::sha256(), &key));
        Ok(Box::new(Hmac { signer: signer.map_err(refused)?, failed: None, code: Vec::new() }))
    }

    fn sign(&self, _: SigningAlgorithm, _: &[u8]) -> object_store::Result<Box<dyn Signer>> {
        Err(object_store::Error::NotSupported { source: "signing with RSA is not S3's way".into() })
    }
}

struct Digest(Sha256, [u8; 32]);

impl DigestContext for Digest {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
    fn finish(&mut self) -> object_store::Result<&[u8]> {
        self.1 = std::mem::take(&mut self.0).finish();
        Ok(&self.1)
    }
}

struct Hmac {
    signer: sign::Signer<'static>,
    failed: Option<ErrorStack>,
    code: Vec<u8>,
}

impl HmacContext for Hmac {
    fn update(&mut self, data: &[u8]) {
        if let Err(error) = self.signer.update(data) {
            self.failed = Some(error);
        }
    }
    fn finish(&mut self) -> object_store::Result<&[u8]> {
        if let Some(error) = self.failed.take() {
            return Err(refused(error));
        }
        self.code = self.signer.sign_to_vec().map_err(refused)?;
        Ok(&self.code)
    }
}

fn refused(error: ErrorStack) -> object_store::Error {
    object_store::Error::Generic { store: "S3", source: Box::new(error) }
}
