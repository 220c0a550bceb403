//! What a message must be before a transaction reads it: its header (ITI TF-2: C.2.2, C.2.3), its segments and fields.

use crate::transactions::hl7v2::{Trigger, VERSIONS};
use crate::transactions::identity::{Answer, ErrorCode, IdentityError, Place};
use crate::wire::hl7v2::{Message, MessageError};

/// Fields of MSH without which a message cannot be answered rightly.
const REQUIRED: [u16; 4] = [9, 10, 11, 12];
/// MSH-11 (HL7 table 0103): debugging and training are the operator's to keep apart.
const PROCESSING_IDS: [&str; 3] = ["P", "T", "D"];

/// MSH.
pub(super) fn header(message: &Message) -> Answer<()> {
    let value = |field: u16| message.field("MSH", field.into()).value();
    let missing: Vec<_> = REQUIRED
        .into_iter()
        .filter(|field| value(*field).trim().is_empty())
        .map(|field| wrong(ErrorCode::RequiredFieldMissing, field, 0, &format!("MSH-{field} is required")))
        .collect();
    if !missing.is_empty() {
        return Err(missing);
    }
    if !VERSIONS.contains(&value(12).trim()) {
        return Err(vec![wrong(ErrorCode::UnsupportedVersionId, 12, 0, "MSH-12 is no version of HL7 v2")]);
    }
    if !PROCESSING_IDS.contains(&value(11).trim()) {
        return Err(vec![wrong(ErrorCode::UnsupportedProcessingId, 11, 0, "MSH-11 must be P, T or D")]);
    }
    Ok(())
}

/// MSH-9.1 is none of ours.
pub(super) fn unsupported_type() -> Vec<IdentityError> {
    vec![wrong(ErrorCode::UnsupportedMessageType, 9, 1, "no transaction here has this message type")]
}

/// MSH-9.2 is none of ours.
pub(super) fn unsupported_event() -> Vec<IdentityError> {
    vec![wrong(ErrorCode::UnsupportedEventCode, 9, 2, "no transaction here has this event")]
}

/// Segments and fields that are due.
pub(super) fn content(message: &Message, trigger: &Trigger) -> Answer<()> {
    let lacking = trigger.structure.check(message);
    if !lacking.is_empty() {
        return Err(lacking);
    }
    let event = message.field("EVN", 1).value();
    if !event.trim().is_empty() && event.trim() != trigger.event {
        let text = "EVN-1 is another event than MSH-9.2";
        return Err(vec![IdentityError::new(ErrorCode::TableValueNotFound, Place::Field("EVN", 1, 0), text)]);
    }
    Ok(())
}

/// What could not be read.
pub(super) fn unreadable(error: &MessageError) -> IdentityError {
    let code = match error {
        MessageError::Charset(_) => ErrorCode::TableValueNotFound,
        MessageError::Empty | MessageError::NotMsh | MessageError::Batch | MessageError::Segment(_) => {
            ErrorCode::SegmentSequence
        }
        MessageError::Utf16 | MessageError::Delimiters | MessageError::TooMany { .. } => ErrorCode::DataType,
    };
    let field = error.location().and_then(|location| u16::try_from(location.field).ok());
    let place = field.map_or(Place::Message, |field| Place::Field("MSH", field, 0));
    IdentityError::new(code, place, error.to_string())
}

fn wrong(code: ErrorCode, field: u16, component: u16, text: &str) -> IdentityError {
    IdentityError::new(code, Place::Field("MSH", field, component), text)
}
