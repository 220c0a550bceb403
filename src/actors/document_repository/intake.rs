//! Documents on their way in (ITI TF-2: 3.41.4.1.3): staged as they arrive, or, in a dry run, only measured.

use std::collections::HashMap;

use bytes::Bytes;

use super::{DocumentRepository, shown};
use crate::actors::content_gate::{Inspected, Inspection};
use crate::repository::{StageError, Staged, Staging, Weighing};
use crate::transactions::dry_run::Effect;
use crate::transactions::iti43::DocumentSource;
use crate::wire::soap::Attachments;
use crate::wire::stream::StreamError;

/// Documents by the id of their entry.
pub(super) type Received = HashMap<String, Arrived>;

/// A document that is here whole.
pub(super) struct Arrived {
    pub(super) size: u64,
    pub(super) sha1: String,
    /// Ready to be committed; None in a dry run.
    pub(super) staged: Option<Staged>,
    /// What the content gate saw of it.
    pub(super) inspected: Inspected,
}

/// A document that is arriving. The gate looks at each chunk before it is kept: a scanner that is behind holds the sender
/// up, and nothing gathers here.
struct Arriving {
    inspection: Inspection,
    taker: Taker,
}

/// What takes a document's bytes.
enum Taker {
    Kept(Box<Staging>),
    Weighed(Weighing),
}

impl DocumentRepository {
    /// Takes the documents in, those in parts as they arrive. Parts that no document refers to are passed over.
    pub(super) async fn receive(
        &self,
        documents: Vec<(String, DocumentSource)>,
        attachments: &mut Attachments,
        effect: Effect,
    ) -> Result<Received, StageError> {
        let mut received = Received::new();
        let mut expected = HashMap::new();
        for (id, source) in documents {
            match source {
                DocumentSource::Inline(bytes) => {
                    let mut arriving = self.begin(effect);
                    arriving.write(bytes).await?;
                    received.insert(id, arriving.finish().await?);
                }
                DocumentSource::Part(content_id) => {
                    if expected.contains_key(&content_id) {
                        return Err(part_problem("is referred to by two documents", &content_id).into());
                    }
                    expected.insert(content_id, id);
                }
            }
        }
        while let Some(part) = attachments.next().await? {
            let Some(id) = expected.remove(&part.content_id) else {
                metrics::counter!("sekisho_unreferenced_parts_total").increment(1);
                continue;
            };
            let mut arriving = self.begin(effect);
            while let Some(chunk) = attachments.chunk().await? {
                arriving.write(chunk).await?;
            }
            received.insert(id, arriving.finish().await?);
        }
        match expected.keys().min() {
            Some(content_id) => Err(part_problem("is not in the message", content_id).into()),
            None => Ok(received),
        }
    }

    fn begin(&self, effect: Effect) -> Arriving {
        let limit = self.limits.max_document_bytes;
        let taker = match effect {
            Effect::Lasting => Taker::Kept(Box::new(self.repository.receive(limit))),
            Effect::DryRun => Taker::Weighed(Weighing::new(limit)),
        };
        Arriving { inspection: self.gate.inspect(), taker }
    }
}

impl Arriving {
    async fn write(&mut self, chunk: Bytes) -> Result<(), StageError> {
        self.inspection.chunk(&chunk).await;
        match &mut self.taker {
            Taker::Kept(staging) => staging.write(chunk).await,
            Taker::Weighed(weighing) => Ok(weighing.write(&chunk)?),
        }
    }

    async fn finish(self) -> Result<Arrived, StageError> {
        let (size, sha1, staged) = match self.taker {
            Taker::Kept(staging) => {
                let staged = staging.finish().await?;
                (staged.size, staged.sha1.clone(), Some(staged))
            }
            Taker::Weighed(weighing) => {
                let (size, sha1) = weighing.finish();
                (size, sha1, None)
            }
        };
        Ok(Arrived { size, sha1, staged, inspected: self.inspection.finish().await })
    }
}

fn part_problem(problem: &str, content_id: &str) -> StreamError {
    StreamError::Malformed(format!("the MIME part {:?} {problem} (ITI TF-2: Appendix V)", shown(content_id)))
}
