//! Answers to our own requests that come on connections of their own (asynchronous web services, ITI TF-2: V.3): who waits
//! for which. The server hands in what arrives; [`super::call_through`] waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::Uri;
use tokio::sync::oneshot;

use super::Message;
use crate::limits;

/// Where answers to our asynchronous requests come, and who waits for them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Replies(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    address: String,
    waiting: Mutex<HashMap<String, Slot>>,
}

/// Somebody who waits.
#[derive(Debug)]
struct Slot {
    from: Option<Arc<str>>,
    answer: oneshot::Sender<Message>,
}

/// How a peer's answers come to us.
#[derive(Debug, Clone)]
pub struct ReplyChannel {
    /// Our address, and who waits there.
    pub replies: Replies,
    /// Subject of the certificate that the peer must show when it brings them; None takes them from whoever may connect and
    /// knows the wsa:MessageID, which nobody can guess.
    pub from: Option<Arc<str>>,
}

/// Why a message found nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undelivered {
    /// It relates to nothing.
    Unrelated,
    /// Nobody waits for it: an unknown message, a second answer, or one that came too late.
    Unknown,
    /// Somebody waits for it, but from another peer.
    Foreign,
}

impl Undelivered {
    /// For metrics and the log.
    pub fn label(self) -> &'static str {
        match self {
            Self::Unrelated => "unrelated",
            Self::Unknown => "unknown",
            Self::Foreign => "foreign",
        }
    }
}

impl Replies {
    /// Nobody waits yet; `address` is where the server takes answers.
    pub fn new(address: &Uri) -> Self {
        Self(Arc::new(Shared { address: address.to_string(), waiting: Mutex::default() }))
    }
    /// What goes into wsa:ReplyTo.
    pub fn address(&self) -> &str {
        &self.0.address
    }
    /// How many wait.
    pub fn open(&self) -> usize {
        self.waiting().len()
    }
    /// Hands an answer to the one who waits for it.
    pub fn deliver(&self, message: Message, certificate: Option<&str>) -> Result<(), Undelivered> {
        let id = message.envelope.addressing.relates_to.as_deref().ok_or(Undelivered::Unrelated)?;
        let slot = {
            let mut waiting = self.waiting();
            let slot = waiting.get(id).ok_or(Undelivered::Unknown)?;
            if slot.from.is_some() && slot.from.as_deref() != certificate {
                return Err(Undelivered::Foreign);
            }
            waiting.remove(id).ok_or(Undelivered::Unknown)?
        };
        slot.answer.send(message).map_err(|_| Undelivered::Unknown)
    }
    /// From now on somebody waits for the answer to a message; None if too many do.
    pub(super) fn expect(&self, message_id: &str, from: Option<Arc<str>>) -> Option<Awaited> {
        let mut waiting = self.waiting();
        if waiting.len() >= limits::MAX_AWAITED_REPLIES {
            return None;
        }
        let (answer, arriving) = oneshot::channel();
        waiting.insert(message_id.to_owned(), Slot { from, answer });
        Some(Awaited { replies: self.clone(), message_id: message_id.to_owned(), arriving })
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, Slot>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer that is waited for, until this is dropped.
pub(super) struct Awaited {
    replies: Replies,
    message_id: String,
    arriving: oneshot::Receiver<Message>,
}

impl Awaited {
    /// It came.
    pub(super) async fn arrived(&mut self) -> Message {
        match (&mut self.arriving).await {
            Ok(message) => message,
            // Only `Drop` below takes the slot away without an answer.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.replies.waiting().remove(&self.message_id);
    }
}
