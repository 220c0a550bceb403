//! A large document on its way through: hashed as it passes, and missed if it breaks off.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;

use crate::federation::fingerprints::{Fingerprint, Measure, difference};
use crate::federation::member::{Member, Oddity};
use crate::federation::quirks::Verification;
use crate::federation::{Source, Unavailable};
use crate::wire::stream::{Content, StreamError};

/// Whose document streams through, and what its metadata said.
pub(super) struct Watched {
    member: Arc<Member>,
    source: Arc<dyn Source>,
    said: Option<(Fingerprint, Measure)>,
}

impl Watched {
    pub(super) fn new(member: Arc<Member>, source: Arc<dyn Source>, said: Option<Fingerprint>) -> Self {
        Self { member, source, said: said.map(|said| (said, Measure::default())) }
    }

    /// The document's content: the chunks that are here, then the rest as it is watched.
    pub(super) fn content(mut self, chunks: Vec<Bytes>, rest: Content) -> Content {
        chunks.iter().for_each(|chunk| self.passes(chunk));
        let length = rest.length;
        let rest = stream::unfold(Some((self, rest)), |state| async move {
            let (mut watched, mut rest) = state?;
            match rest.next().await {
                Some(Ok(chunk)) => {
                    watched.passes(&chunk);
                    Some((Ok(chunk), Some((watched, rest))))
                }
                Some(Err(error)) => {
                    watched.broke_off(&error);
                    Some((Err(error), None))
                }
                None => watched.ended().map(|error| (Err(error), None)),
            }
        });
        Content { length, head: chunks, rest: Some(Box::pin(rest)) }
    }

    fn passes(&mut self, chunk: &[u8]) {
        if let Some((_, measure)) = &mut self.said {
            measure.update(chunk);
        }
    }

    fn broke_off(&self, error: &StreamError) {
        self.member.noticed(Oddity::BrokenDocument, 1);
        self.source.broke_off(Unavailable::from(error));
        tracing::warn!(community = %self.member.home(), %error, "a document broke off; so does our answer");
    }

    /// At the end: an error if the bytes are not those of the metadata, and such documents are withheld.
    fn ended(self) -> Option<StreamError> {
        let (said, measure) = self.said?;
        let difference = difference(&said, &measure.finish())?;
        self.member.noticed(Oddity::WrongBytes, 1);
        tracing::warn!(community = %self.member.home(), difference, "a document differs from its metadata");
        match self.member.quirks.verification {
            Verification::Report => None,
            Verification::Enforce => {
                Some(StreamError::Malformed("document differs from its metadata".into()))
            }
        }
    }
}
