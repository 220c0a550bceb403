//! MSA, and whole acknowledgements: written by the server, read by the client (HL7 2.5, 2.9, 2.13).

use super::errors::push_errors;
use super::header::{answer_header, version_of};
use super::structure::ACK;
use super::{Reply, Transaction, Trigger};
use crate::transactions::identity::{Answer, ErrorCode, IdentityError, Retry};
use crate::wire::hl7v2::{Field, Message, MessageWriter, Segment};

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
    /// What some errors come to. What MSH says and we do not take is rejected too (ITI TF-2: C.2.3).
    pub fn of(errors: &[IdentityError]) -> Self {
        let rejects = |error: &IdentityError| {
            error.retry == Retry::Later
                || matches!(
                    error.code,
                    ErrorCode::UnsupportedMessageType
                        | ErrorCode::UnsupportedEventCode
                        | ErrorCode::UnsupportedProcessingId
                        | ErrorCode::UnsupportedVersionId
                )
        };
        match errors {
            [] => Self::Accept,
            errors if errors.iter().any(rejects) => Self::Reject,
            _ => Self::Error,
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

/// The head of an answer, up to its ERR segments. MSA-2 is MSH-10 of what is answered.
pub fn answer(
    to: &Message,
    trigger: &Trigger,
    transaction: Option<&Transaction>,
    code: &'static str,
    errors: &[IdentityError],
) -> MessageWriter {
    let mut message = MessageWriter::new();
    message.push(answer_header(to, trigger));
    message.segment("MSA").set(1, code).copy(2, to.field("MSH", 10));
    push_errors(&mut message, version_of(to), transaction, errors);
    message
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

/// Why what we sent did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The answer answers another message, or says nothing in MSA-1.
    #[error("this is no answer to the message that was sent")]
    NotAnAnswer,
    /// MSA-1 is AE or AR (CE, CR), or what it demands is not there.
    #[error("the peer refused the message")]
    Refused(AckCode, Vec<Reported>),
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

/// Reads MSA and ERR of an answer to the message with this MSH-10.
pub fn accepted(answer: &Message, control_id: &str) -> Result<(), Refusal> {
    let msa = answer.segment("MSA").filter(|msa| msa.field(2).value() == control_id);
    let msa = msa.ok_or(Refusal::NotAnAnswer)?;
    let code = match msa.field(1).value().trim() {
        "AA" | "CA" => return Ok(()),
        "AE" | "CE" => AckCode::Error,
        "AR" | "CR" => AckCode::Reject,
        _ => return Err(Refusal::NotAnAnswer),
    };
    let mut errors: Vec<_> = answer.segments_named("ERR").map(reported).collect();
    let text = msa.field(3).value();
    if errors.is_empty() && !text.is_empty() {
        errors.push(Reported { location: String::new(), code: String::new(), text: text.into_owned() });
    }
    Err(Refusal::Refused(code, errors))
}

fn reported(err: Segment<'_>) -> Reported {
    let first = |texts: [String; 3]| texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let (old, code) = (err.field(1), err.field(3));
    let old_code = |part| old.component(4).subcomponent(part).into_owned();
    let place = |field: Field<'_>, most| {
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
