//! Acknowledgement modes (HL7 2.5, 2.9.2 and 2.9.3). Original: always one answer. Enhanced, if MSH-15 or MSH-16 is valued:
//! the sender says which of the two it wants. It gets one of them, never both: a second one would be taken for the answer
//! to the next message on the connection.
//!
//! By the time that we answer, everything is done; so a commit acknowledgement (CA, CE, CR) says what the application's
//! would have. A query's answer is what was asked for: it goes out unless MSH-16 declines it.

use crate::transactions::hl7v2::{AckCode, Reply, Transaction, acknowledge};
use crate::wire::hl7v2::{Message, MessageWriter};

/// The answer that is due, if any.
pub(super) fn due(
    message: &Message,
    transaction: Option<&'static Transaction>,
    reply: Reply,
) -> Option<MessageWriter> {
    let [accept, application] = [15, 16].map(|field| message.field("MSH", field).value());
    if accept.trim().is_empty() && application.trim().is_empty() {
        return Some(reply.message);
    }
    let is_query = message.segment("QPD").is_some();
    if is_query && (application.trim().is_empty() || wants(&application, reply.code)) {
        return Some(reply.message);
    }
    if wants(&accept, reply.code) {
        return Some(acknowledge(message, transaction, reply.code.commit(), &reply.errors));
    }
    wants(&application, reply.code).then_some(reply.message)
}

/// HL7 table 0155.
fn wants(condition: &str, code: AckCode) -> bool {
    match condition.trim() {
        "AL" => true,
        "ER" => code != AckCode::Accept,
        "SU" => code == AckCode::Accept,
        _ => false,
    }
}
