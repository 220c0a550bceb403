//! What the operator sees of each message: one line in the log, and metrics. Our own words on what was wrong are in it (user
//! pain 87); never content, never a patient.

use std::time::Instant;

use tracing::info;

use crate::transactions::Caller;
use crate::transactions::hl7v2::{AckCode, Reply, Transaction};
use crate::wire::hl7v2::charset::Encoded;
use crate::wire::hl7v2::{Message, MessageError};
use crate::wire::listen::Peer;

/// A message that is being answered.
pub(super) struct Seen<'a> {
    pub(super) transaction: Option<&'static Transaction>,
    pub(super) peer: &'a Peer,
    pub(super) caller: &'a Caller,
    pub(super) started: Instant,
}

impl Seen<'_> {
    /// Counts a message and writes its line.
    pub(super) fn ended(&self, message: &Message, reply: &Reply) {
        let transaction = self.transaction.map_or("unknown", |transaction| transaction.id);
        let outcome = match reply.code {
            AckCode::Accept => "success",
            AckCode::Error => "failure",
            AckCode::Reject => "fault",
        };
        count(transaction, outcome, self.started);
        for error in &reply.errors {
            let code = (error.code as u16).to_string();
            metrics::counter!("sekisho_hl7v2_errors_total", "transaction" => transaction, "code" => code)
                .increment(1);
        }
        let first = reply.errors.first();
        let code = first.map_or(0, |error| error.code as u16);
        let problem = first.map_or("", |error| error.text.as_str());
        let place = first.map(|error| format!("{:?}", error.place)).unwrap_or_default();
        let subject = self.caller.certificate.as_deref().unwrap_or_default();
        let (trace, system) = (&*self.caller.trace, self.caller.system.as_deref().unwrap_or_default());
        let (undecodable, milliseconds) = (message.undecodable(), self.started.elapsed().as_millis() as u64);
        info!(
            trace, transaction, outcome, code, place, problem, undecodable, peer = %self.peer.address, subject, system,
            milliseconds, "message"
        );
    }

    /// Counts characters that the sender's character set could not hold: a name that came back with holes is noticed.
    pub(super) fn encoded(&self, encoded: &Encoded) {
        if encoded.replaced > 0 {
            metrics::counter!("sekisho_hl7v2_replaced_characters_total").increment(encoded.replaced as u64);
            info!(
                trace = &*self.caller.trace,
                replaced = encoded.replaced,
                "the answer's character set cannot hold it"
            );
        }
    }
}

/// The same for what is no message.
pub(super) fn unreadable(error: &MessageError, peer: &Peer, trace: &str, started: Instant) {
    count("unknown", "fault", started);
    info!(trace, transaction = "unknown", outcome = "fault", problem = %error, peer = %peer.address, "message");
}

fn count(transaction: &'static str, outcome: &'static str, started: Instant) {
    metrics::counter!("sekisho_requests_total", "transaction" => transaction, "outcome" => outcome)
        .increment(1);
    metrics::histogram!("sekisho_request_seconds", "transaction" => transaction).record(started.elapsed());
}
