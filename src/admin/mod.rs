//! The operator's listener: health, readiness, metrics, and the status page. Plain HTTP on loopback; it only shows, and
//! changes nothing. The wiring opens a listener on an [`Operator`] and tells it, through [`StatusSource`], what there is to
//! show.

mod page;
mod status;

use std::sync::{Arc, OnceLock};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::wire::http::{Handler, Peer};
use crate::wire::stream::Body;

use page::Language;
pub use status::{Community, Gateway, Listener, Scanner, Status, StatusSource, Tenant};

/// Bounds of the histograms of seconds: from a fast query to the request deadline.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 20.0, 60.0];

/// Why there are no metrics.
#[derive(Debug, Clone, thiserror::Error)]
#[error("metrics cannot be kept: {0}")]
pub struct MetricsError(String);

/// Starts to keep metrics, once per process however often it is called; gives the handle that renders them.
pub fn install_metrics() -> Result<PrometheusHandle, MetricsError> {
    static INSTALLED: OnceLock<Result<PrometheusHandle, MetricsError>> = OnceLock::new();
    let install = || {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .map_err(|error| MetricsError(error.to_string()))?;
        builder.install_recorder().map_err(|error| MetricsError(error.to_string()))
    };
    INSTALLED.get_or_init(install).clone()
}

/// What answers on the operator's listener.
pub struct Operator {
    source: Arc<dyn StatusSource>,
    metrics: PrometheusHandle,
}

impl Operator {
    /// An operator's listener over a source of status.
    pub fn new(source: Arc<dyn StatusSource>, metrics: PrometheusHandle) -> Self {
        Self { source, metrics }
    }

    fn answer(&self, request: &Request<Body>) -> Response<Body> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "GET only\n");
        }
        match request.uri().path() {
            "/health/live" => plain(StatusCode::OK, "live\n"),
            "/health/ready" => match self.source.ready() {
                Ok(()) => plain(StatusCode::OK, "ready\n"),
                Err(why) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
            },
            "/metrics" => {
                // Histograms and idle series are settled when they are read: nothing else calls for it.
                self.metrics.run_upkeep();
                typed(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", self.metrics.render())
            }
            "/status" => match serde_json::to_string_pretty(&self.source.status()) {
                Ok(json) => typed(StatusCode::OK, "application/json", json),
                Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "the status cannot be written\n"),
            },
            "/" => self.page(request),
            _ => plain(StatusCode::NOT_FOUND, "there are: / /status /metrics /health/live /health/ready\n"),
        }
    }

    fn page(&self, request: &Request<Body>) -> Response<Body> {
        let accepted = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let language = Language::of(request.uri().query(), accepted);
        let html = page::render(&self.source.status(), language);
        let mut response = typed(StatusCode::OK, "text/html; charset=utf-8", html);
        let headers = response.headers_mut();
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.code()));
        // The page has no scripts and fetches nothing; whatever got into it cannot either.
        let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
        headers.insert(CONTENT_SECURITY_POLICY, policy);
        response
    }
}

impl Handler for Operator {
    fn handle(&self, _peer: Peer, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        std::future::ready(self.answer(&request)).boxed()
    }
}

fn plain(status: StatusCode, text: impl Into<String>) -> Response<Body> {
    typed(status, "text/plain; charset=utf-8", text)
}

fn typed(status: StatusCode, content_type: &'static str, text: impl Into<String>) -> Response<Body> {
    let body = Full::new(text.into().into()).map_err(|never| match never {});
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
