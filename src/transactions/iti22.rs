//! ITI-22 Patient Demographics and Visit Query (ITI TF-2: 3.22): QBP^ZV1, answered by RSP^ZV2. What is not said here is as
//! in [ITI-21](super::iti21).

use super::hl7v2::structure::{QBP_Q21, RSP_ZV2};
use super::hl7v2::{Parties, Refusal, Reply, Transaction, Trigger};
use super::identity::{Answer, Page};
use super::iti21::{self, Question};
use crate::demographics::{Domains, v2};
use crate::wire::hl7v2::{Message, MessageWriter};

/// The transaction.
pub const TRANSACTION: Transaction = Transaction {
    id: "ITI-22",
    name: "Patient Demographics and Visit Query",
    triggers: &[Trigger { code: "QBP", event: "ZV1", structure: &QBP_Q21 }, iti21::CANCEL],
    locate: iti21::locate,
};

const ANSWER: Trigger = Trigger { code: "RSP", event: "ZV2", structure: &RSP_ZV2 };

/// Reads a query.
pub fn read(message: &Message) -> Answer<Question> {
    iti21::read(message)
}

/// Writes the answer: each patient with a visit.
pub fn answer(to: &Message, answered: Answer<Page>, domains: &Domains) -> Reply {
    iti21::answer_as(&ANSWER, &TRANSACTION, to, answered, |found, message| {
        iti21::push_patient(found, domains, message);
        let visit = found.visit.as_deref().cloned().unwrap_or_default();
        v2::set_visit(&visit, message.segment("PV1"));
        iti21::push_confidence(found, message);
    })
}

/// Writes a query, or asks for its next page.
pub fn request(question: &Question, parties: &Parties, control_id: &str) -> MessageWriter {
    iti21::request_as(&TRANSACTION.triggers[0], "IHE PDVQ Query", question, parties, control_id)
}

/// Reads an answer.
pub fn read_answer(answer: &Message, control_id: &str, domains: &Domains) -> Result<Page, Refusal> {
    iti21::read_answer(answer, control_id, domains)
}
