//! The load: a number of connections, each sending its next request when the last answer has arrived whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Uri};

use crate::wire::http::{Client, ClientSettings, TlsClient};
use crate::wire::stream::Body;

/// A request to repeat; `body` gets the number of the request, for what must differ.
#[derive(Clone)]
pub struct Shot {
    /// Where to.
    pub url: Uri,
    /// The Content-Type.
    pub content_type: String,
    /// The body of the n-th request.
    pub body: Arc<dyn Fn(u64) -> Bytes + Send + Sync>,
    /// What every answer must hold to count: so that a fast refusal is no success.
    pub expect: &'static str,
}

/// What a run came to.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Answers that held what was expected.
    pub good: u64,
    /// All others; the first one's beginning.
    pub bad: u64,
    /// The beginning of the first bad answer.
    pub first_bad: Option<String>,
    /// Wall seconds.
    pub seconds: f64,
    /// Milliseconds of each good answer, sorted.
    pub millis: Vec<f64>,
    /// Bytes of all good answers' bodies.
    pub bytes: u64,
}

impl Outcome {
    /// Good answers per second.
    pub fn rate(&self) -> f64 {
        self.good as f64 / self.seconds
    }
    /// A quantile of the answers' milliseconds, 0 to 1.
    pub fn quantile(&self, at: f64) -> f64 {
        let index = ((self.millis.len() as f64 - 1.0) * at).round().max(0.0) as usize;
        self.millis.get(index).copied().unwrap_or(f64::NAN)
    }
}

/// Runs a load of `connections` for `duration`.
pub async fn run(
    shot: &Shot,
    tls: Option<TlsClient>,
    connections: usize,
    duration: Duration,
) -> Result<Outcome, String> {
    let settings = ClientSettings { tls, max_idle: connections, ..ClientSettings::default() };
    let client = Client::new(&settings).map_err(|error| error.to_string())?;
    let number = AtomicU64::new(0);
    let start = Instant::now();
    let until = start + duration;
    let one = || async {
        let mut outcome = Outcome::default();
        while Instant::now() < until {
            let began = Instant::now();
            match exchange(&client, shot, number.fetch_add(1, Ordering::Relaxed)).await {
                Ok(answer) if holds(&answer, shot.expect) => {
                    outcome.good += 1;
                    outcome.bytes += answer.iter().map(|chunk| chunk.len() as u64).sum::<u64>();
                    outcome.millis.push(began.elapsed().as_secs_f64() * 1e3);
                }
                Ok(answer) => {
                    let beginning = answer.first().map(|chunk| chunk.slice(..chunk.len().min(2_000)));
                    outcome.fail(String::from_utf8_lossy(&beginning.unwrap_or_default()).into_owned());
                }
                Err(error) => outcome.fail(error),
            }
        }
        outcome
    };
    let mut whole = Outcome::default();
    for part in join_all((0..connections).map(|_| one())).await {
        whole.good += part.good;
        whole.bad += part.bad;
        whole.bytes += part.bytes;
        whole.first_bad = whole.first_bad.or(part.first_bad);
        whole.millis.extend(part.millis);
    }
    whole.seconds = start.elapsed().as_secs_f64();
    whole.millis.sort_by(f64::total_cmp);
    Ok(whole)
}

impl Outcome {
    fn fail(&mut self, what: String) {
        self.bad += 1;
        self.first_bad.get_or_insert(what);
    }
}

/// One exchange; the chunks of the answer.
pub async fn exchange(client: &Client, shot: &Shot, number: u64) -> Result<Vec<Bytes>, String> {
    let body = (shot.body)(number);
    let mut headers = HeaderMap::new();
    let content_type = HeaderValue::from_str(&shot.content_type).map_err(|error| error.to_string())?;
    headers.insert(CONTENT_TYPE, content_type);
    let length = body.len() as u64;
    let body = Body::new(Full::new(body).map_err(|never| match never {}));
    let deadline = Instant::now() + Duration::from_secs(60);
    let answer = client
        .post(&shot.url, headers, Some(length), body, deadline)
        .await
        .map_err(|error| error.to_string())?;
    let mut chunks = Vec::new();
    let mut body = answer.into_body();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|error| error.to_string())?.into_data() {
            chunks.push(data);
        }
    }
    Ok(chunks)
}

/// Whether the beginning of the answer holds a text. Answers say their status in their first few kilobytes.
fn holds(answer: &[Bytes], wanted: &str) -> bool {
    let mut beginning = Vec::new();
    for chunk in answer {
        beginning.extend_from_slice(chunk);
        if beginning.len() > 8 * 1024 {
            break;
        }
    }
    memchr::memmem::find(&beginning, wanted.as_bytes()).is_some()
}
