//! A line to somebody outside who is asked over MLLP: his connections, and the prudence with which he is asked. What
//! [`line`](super::line) is to web services.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;

use crate::federation::Unavailable;
use crate::federation::breaker::Breaker;
use crate::federation::member::Member;
use crate::limits;
use crate::transactions::Caller;
use crate::transactions::hl7v2::{Parties, Refusal, control_id};
use crate::wire::hl7v2::mllp::{MllpClient, MllpError};
use crate::wire::hl7v2::{Message, MessageWriter};

/// The line.
#[derive(Debug)]
pub struct MllpLine {
    /// MSH-3 to MSH-6, and what he reads.
    pub parties: Parties,
    member: Arc<Member>,
    client: MllpClient,
    breaker: Arc<Breaker>,
    slots: Semaphore,
}

impl MllpLine {
    /// A line; `member` is whom its failures are counted for.
    pub fn new(member: Arc<Member>, client: MllpClient, parties: Parties) -> Self {
        let breaker = Breaker::new(limits::BREAKER_FAILURES, limits::BREAKER_PAUSE);
        Self { parties, member, client, breaker, slots: Semaphore::new(limits::MAX_CONCURRENT_PER_PEER) }
    }

    /// Sends what `write` makes under an MSH-10, and reads the answer to it. Queries are safe to repeat, and nothing else may
    /// be asked this way: a connection that ended meanwhile is replaced.
    pub async fn ask<T>(
        &self,
        transaction: &'static str,
        write: impl FnOnce(&str) -> MessageWriter,
        read: impl FnOnce(&Message, &str) -> Result<T, Refusal>,
        caller: &Caller,
        deadline: Instant,
    ) -> Result<Result<T, Refusal>, Unavailable> {
        let deadline = deadline.min(Instant::now() + limits::PEER_DEADLINE);
        let slot = tokio::time::timeout_at(deadline.into(), self.slots.acquire());
        let _slot = slot.await.map_err(|_| Unavailable::Busy)?.map_err(|_| Unavailable::Internal)?;
        let id = control_id();
        let answer = self.exchange(&write(&id), deadline).await;
        match &answer {
            Ok(_) => self.member.answered(),
            Err(why) => {
                let reason = why.reason();
                tracing::warn!(trace = &*caller.trace, transaction, peer = ?self.client, reason, "no answer over MLLP");
                self.member.failed(*why);
            }
        }
        Ok(read(&answer?, &id))
    }

    async fn exchange(&self, message: &MessageWriter, deadline: Instant) -> Result<Message, Unavailable> {
        let admission = self.breaker.admit(Instant::now()).ok_or(Unavailable::Suspended)?;
        let charset = self.parties.charset;
        let answer =
            self.client.send(&message.encode(charset).bytes, deadline).await.map_err(|error| match error {
                MllpError::Connect(_) => Unavailable::NoConnection,
                MllpError::Deadline => Unavailable::TimedOut,
                MllpError::Closed => Unavailable::Interrupted,
                MllpError::Answer(_) => Unavailable::Malformed,
            });
        match &answer {
            Err(why) if why.is_outage() => admission.failed(Instant::now()),
            _ => admission.succeeded(),
        }
        Message::read(&answer?, charset).map_err(|_| Unavailable::Malformed)
    }
}
