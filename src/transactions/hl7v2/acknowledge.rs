//! MSA, and whole acknowledgements: written by the server, read by the client (HL7 2.5, 2.9, 2.13).

use super::header::version_of;
use super::structure::ACK;
use super::{Reply, Transaction, Trigger, answer_header, push_errors};
use crate::transactions::identity::{Answer, IdentityError, Retry};
use crate::wire::hl7v2::{Message, MessageWriter};

/// How a message was received (HL7 table 0008).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckCode {
    /// AA, CA: done.
    Accept,
    /// AE, CE: not to be sent again as it is.
    Error,
    /// AR, CR: rejected, or not possible now.
    Reject,
}

impl AckCode {
    /// What some errors come to.
    pub fn of(errors: &[IdentityError]) -> Self {
        match errors {
            [] => Self::Accept,
            errors if errors.iter().all(|error| error.retry == Retry::Pointless) => Self::Error,
            _ => Self::Reject,
        }
    }
    /// In original mode and for application acknowledgements.
    pub fn application(self) -> &'static str {
        match self {
            Self::Accept => "AA",
            Self::Error => "AE",
            Self::Reject => "AR",
        }
    }
    /// In enhanced mode.
    pub fn commit(self) -> &'static str {
        match self {
            Self::Accept => "CA",
            Self::Error => "CE",
            Self::Reject => "CR",
        }
    }
}

/// The head of an answer, up to its ERR segments.
pub fn answer(
    to: &Message,
    trigger: &Trigger,
    transaction: Option<&Transaction>,
    code: &'static str,
    errors: &[IdentityError],
) -> MessageWriter {
    let mut message = MessageWriter::new();
    message.push(answer_header(to, trigger));
    set_msa(&mut message, to, code);
    push_errors(&mut message, version_of(to), transaction, errors);
    message
}

/// Adds MSA; MSA-2 is MSH-10 of what is answered.
pub fn set_msa(message: &mut MessageWriter, to: &Message, code: &'static str) {
    message.segment("MSA").set(1, code).copy(2, to.field("MSH", 10));
}

/// `ACK`, with the event of what is acknowledged.
pub fn acknowledgement(
    to: &Message,
    transaction: Option<&'static Transaction>,
    answered: Answer<()>,
) -> Reply {
    let errors = answered.err().unwrap_or_default();
    let code = AckCode::of(&errors);
    let message = acknowledge(to, transaction, code.application(), &errors);
    Reply { message, code, errors }
}

/// The same with any code.
pub(crate) fn acknowledge(
    to: &Message,
    transaction: Option<&Transaction>,
    code: &'static str,
    errors: &[IdentityError],
) -> MessageWriter {
    let event = to.field("MSH", 9).component(2).value();
    let known = transaction.into_iter().flat_map(|transaction| transaction.triggers);
    let event = known.map(|trigger| trigger.event).find(|known| *known == event).unwrap_or_default();
    answer(to, &Trigger { code: "ACK", event, structure: &ACK }, transaction, code, errors)
}

/// What a peer's answer says of what we sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// MSA-1, in either mode.
    pub code: AckCode,
    /// What it reports.
    pub errors: Vec<Reported>,
}

/// An error that a peer reports. Its text is a peer's: for the operator, who may have to mend something by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// ERR-2 or ERR-1 as one text, `PID^1^3`; empty if it names no place.
    pub location: String,
    /// Of table 0357; empty if it names none.
    pub code: String,
    /// ERR-8, ERR-3.2 or MSA-3.
    pub text: String,
}

/// Reads MSA and ERR. None if there is no MSA-1 that means something, or if it answers another message than the one with
/// this MSH-10.
pub fn acknowledged(answer: &Message, control_id: &str) -> Option<Acknowledged> {
    let msa = answer.segment("MSA")?;
    if msa.field(2).value() != control_id {
        return None;
    }
    let code = match msa.field(1).value().trim() {
        "AA" | "CA" => AckCode::Accept,
        "AE" | "CE" => AckCode::Error,
        "AR" | "CR" => AckCode::Reject,
        _ => return None,
    };
    let mut errors: Vec<_> = answer.segments_named("ERR").map(reported).collect();
    let text = msa.field(3).value();
    if errors.is_empty() && !text.is_empty() {
        errors.push(Reported { location: String::new(), code: String::new(), text: text.into_owned() });
    }
    Some(Acknowledged { code, errors })
}

fn reported(err: crate::wire::hl7v2::Segment<'_>) -> Reported {
    let first = |texts: [String; 3]| texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let (old, code) = (err.field(1), err.field(3));
    let old_code = |part| old.component(4).subcomponent(part).into_owned();
    let place = |field: crate::wire::hl7v2::Field<'_>, most| {
        let parts = field.repetition(1).components().take(most);
        let parts: Vec<_> = parts.map(|part| part.value().into_owned()).collect();
        parts.join("^").trim_matches('^').to_owned()
    };
    Reported {
        location: first([place(err.field(2), 6), place(old, 3), String::new()]),
        code: first([code.value().into_owned(), old_code(1), String::new()]),
        text: first([err.field(8).value().into_owned(), code.component(2).value().into_owned(), old_code(2)]),
    }
}
