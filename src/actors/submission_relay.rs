//! Submissions to a region whose registry and repository stand behind the gateway: ITI-41 and ITI-42 are passed on to them,
//! documents streaming through (ITI TF-2: 3.41.4.1, 3.42.4.1). A submission is sent once: whether one that got no answer
//! was taken is not known here, and its sender is told so (user pains 41 and 42).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hyper::Uri;
use tokio::sync::Mutex;

use crate::federation::Unavailable;
use crate::limits::{self, Limits};
use crate::metadata::{Kind, Submission};
use crate::transactions::errors::{RegistryError, RegistryResponse, code};
use crate::transactions::iti41::{self, ITI41, ProvideRequest};
use crate::transactions::iti42::{self, ITI42};
use crate::transactions::iti43::DocumentSource;
use crate::transactions::{Caller, Transaction};
use crate::wire::http::Client;
use crate::wire::soap::{Attachment, Attachments, CallError, Endpoint, Form, Outgoing, call};
use crate::wire::stream::{ByteStream, Content, StreamError};

/// The way to what stands behind.
#[derive(Clone)]
pub struct SubmissionRelay {
    client: Client,
    limits: Limits,
}

/// The parts of the submission as they arrive, for those who stream them on.
struct Arriving {
    attachments: Attachments,
    /// Whose bytes come next.
    current: Option<String>,
    /// Small parts that came before their turn.
    early: HashMap<String, Vec<Bytes>>,
    early_bytes: usize,
    /// Content-IDs that a document refers to.
    expected: Vec<String>,
    /// Why the parts ended before their end.
    failed: Option<StreamError>,
}

impl SubmissionRelay {
    /// With the client that reaches them.
    pub fn new(client: Client, limits: Limits) -> Self {
        Self { client, limits }
    }

    /// ITI-42, to the registry at `url`.
    pub async fn register_document_set(
        &self,
        url: &Uri,
        submission: &Submission,
        caller: &Caller,
    ) -> RegistryResponse {
        let body = vec![iti42::write_request(submission)];
        let sent = self.send(&ITI42, url, body, Vec::new()).await;
        sent.unwrap_or_else(|error| unanswered(&ITI42, &error, caller))
    }

    /// ITI-41, to the repository at `url`. An error means that the message did not arrive whole.
    pub async fn provide_and_register(
        &self,
        url: &Uri,
        request: ProvideRequest,
        attachments: Attachments,
        caller: &Caller,
    ) -> Result<RegistryResponse, StreamError> {
        let ProvideRequest { submission, documents } = request;
        let part = |(_, source): &(String, DocumentSource)| match source {
            DocumentSource::Part(id) => Some(id.clone()),
            DocumentSource::Inline(_) => None,
        };
        let expected = documents.iter().filter_map(part).collect();
        let arriving = Arc::new(Mutex::new(Arriving::new(attachments, expected)));
        let contents = documents.into_iter().map(|(id, source)| {
            let content = match source {
                DocumentSource::Inline(bytes) => Content::from_bytes(bytes),
                DocumentSource::Part(part) => Content::from_stream(None, stream(Arc::clone(&arriving), part)),
            };
            let mime_type = mime_type(&submission, &id);
            (id, mime_type, content)
        });
        let (body, attachments) = iti41::write_request(&submission, contents.collect(), Form::Mtom).await?;
        match self.send(&ITI41, url, body, attachments).await {
            Ok(response) => Ok(response),
            // Where our sender broke off, so did we towards the repository: it is the sender's fault that counts.
            Err(error) => match arriving.lock().await.failed.take() {
                Some(failed) => Err(failed),
                None => Ok(unanswered(&ITI41, &error, caller)),
            },
        }
    }

    async fn send(
        &self,
        transaction: &Transaction,
        url: &Uri,
        body: Vec<Bytes>,
        attachments: Vec<Attachment>,
    ) -> Result<RegistryResponse, CallError> {
        let request = Outgoing {
            form: if transaction.mtom { Form::Mtom } else { Form::Simple },
            action: transaction.action.to_owned(),
            to: Some(url.to_string()),
            body,
            attachments,
            ..Outgoing::default()
        };
        let endpoint = Endpoint { url: url.clone(), relates_to_optional: false };
        let deadline = Instant::now() + limits::SUBMISSION_DEADLINE;
        let answer = call(&self.client, &endpoint, request, &self.limits, deadline).await?;
        let read = answer.envelope.body().map(iti42::read_response);
        read.and_then(Result::ok).ok_or(CallError::Empty(200))
    }
}

/// What the sender is told when there is no answer from behind.
fn unanswered(transaction: &Transaction, error: &CallError, caller: &Caller) -> RegistryResponse {
    let id = transaction.id;
    tracing::warn!(trace = &*caller.trace, transaction = id, %error, "what stands behind the gateway gave no answer");
    let reason = Unavailable::from(error).reason();
    let outcome = match error {
        CallError::Connect(_) => "nothing was stored",
        _ => "whether it was stored is not known here: ask for it, or send the same submission again",
    };
    let code = if transaction == &ITI42 { code::REGISTRY_NOT_AVAILABLE } else { code::REPOSITORY_ERROR };
    let context = format!("{id} could not be passed on to the region's own system: {reason}; {outcome}");
    RegistryResponse::from_errors(vec![RegistryError::error(code, context)])
}

/// The media type of the entry that a document belongs to.
fn mime_type(submission: &Submission, id: &str) -> String {
    let entry = submission.of(Kind::DocumentEntry).find(|entry| entry.id == id);
    entry.and_then(|entry| entry.mime_type.clone()).unwrap_or_else(|| "application/octet-stream".to_owned())
}

/// The bytes of one part, whichever order the parts come in.
fn stream(arriving: Arc<Mutex<Arriving>>, part: String) -> ByteStream {
    Box::pin(futures_util::stream::unfold((arriving, part), |(arriving, part)| async move {
        let chunk = arriving.lock().await.chunk(&part).await?;
        Some((chunk, (arriving, part)))
    }))
}

impl Arriving {
    fn new(attachments: Attachments, expected: Vec<String>) -> Self {
        Self { attachments, current: None, early: HashMap::new(), early_bytes: 0, expected, failed: None }
    }

    async fn chunk(&mut self, part: &str) -> Option<Result<Bytes, StreamError>> {
        match self.read(part).await {
            Ok(chunk) => chunk.map(Ok),
            Err(error) => {
                self.failed = Some(error.clone());
                Some(Err(error))
            }
        }
    }

    async fn read(&mut self, part: &str) -> Result<Option<Bytes>, StreamError> {
        if let Some(chunks) = self.early.get_mut(part) {
            return Ok(if chunks.is_empty() { None } else { Some(chunks.remove(0)) });
        }
        while self.current.as_deref() != Some(part) {
            let Some(next) = self.attachments.next().await? else {
                return Err(StreamError::Malformed(format!("the part {part:?} of a document is missing")));
            };
            if next.content_id != part && self.expected.contains(&next.content_id) {
                self.keep(next.content_id).await?;
            } else {
                self.current = Some(next.content_id);
            }
        }
        self.attachments.chunk().await
    }

    /// Holds a part whose document comes later, if it is small.
    async fn keep(&mut self, part: String) -> Result<(), StreamError> {
        let mut chunks = Vec::new();
        while let Some(chunk) = self.attachments.chunk().await? {
            self.early_bytes += chunk.len();
            if self.early_bytes > limits::MAX_EARLY_PART_MEMORY {
                let limit = limits::MAX_EARLY_PART_MEMORY as u64;
                return Err(StreamError::TooLarge {
                    what: "parts that come before their document's turn",
                    limit,
                });
            }
            chunks.push(chunk);
        }
        self.early.insert(part, chunks);
        Ok(())
    }
}
