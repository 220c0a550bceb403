//! A server that takes whatever is posted to it, and answers as told.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, LOCATION};
use hyper::{Request, Response};
use sekisho::limits::Limits;
use sekisho::wire::http::{Handler, Peer, ServerHandle};
use sekisho::wire::stream::Body;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::http::{Answers, PATIENCE, collect, plain};
use super::messages;

/// What came.
pub struct Posted {
    pub path: String,
    pub content_type: String,
    pub body: String,
}

impl Posted {
    /// The text of the first element with that local name.
    pub fn text(&self, local: &str) -> &str {
        let (_, rest) =
            self.body.split_once(&format!(":{local}>")).unwrap_or_else(|| panic!("{local}: {}", self.body));
        rest.split('<').next().unwrap()
    }
}

pub struct Sink {
    pub server: ServerHandle,
    came: UnboundedReceiver<Posted>,
    statuses: Arc<Mutex<Vec<u16>>>,
}

impl Sink {
    /// Answers with these statuses, one after the other, and then with 202.
    pub async fn new(statuses: &[u16]) -> Self {
        let statuses = Arc::new(Mutex::new(statuses.iter().rev().copied().collect()));
        let (sender, came) = unbounded_channel();
        let server = plain(Limits::default(), handler(sender, Arc::clone(&statuses))).await;
        Self { server, came, statuses }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address)
    }

    /// The next message.
    pub async fn next(&mut self) -> Posted {
        tokio::time::timeout(PATIENCE, self.came.recv()).await.expect("nothing came").unwrap()
    }

    /// Whether nothing has come (that was not taken).
    pub fn is_empty(&mut self) -> bool {
        self.came.try_recv().is_err()
    }

    /// Whether all statuses were answered.
    pub fn is_done(&self) -> bool {
        self.statuses.lock().unwrap().is_empty()
    }
}

fn handler(sender: UnboundedSender<Posted>, statuses: Arc<Mutex<Vec<u16>>>) -> impl Handler {
    Answers(move |_: Peer, request: Request<Body>| {
        let (sender, statuses) = (sender.clone(), Arc::clone(&statuses));
        async move {
            let (head, body) = request.into_parts();
            let body: Bytes = collect(body).await;
            messages::keep_envelopes("asynchronous", &body);
            let content_type = head.headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap().to_owned());
            let status = statuses.lock().unwrap().pop().unwrap_or(202);
            let _ = sender.send(Posted {
                path: head.uri.path().to_owned(),
                content_type: content_type.unwrap_or_default(),
                body: String::from_utf8_lossy(&body).into_owned(),
            });
            let mut answer = Response::new(Body::default());
            *answer.status_mut() = status.try_into().unwrap();
            if (300..400).contains(&status) {
                answer.headers_mut().insert(LOCATION, "/elsewhere".parse().unwrap());
            }
            answer
        }
    })
}
