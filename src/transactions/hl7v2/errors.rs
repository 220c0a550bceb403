//! ERR: where an error is, which it is, and what people should know (HL7 2.5, 2.14.5; ITI TF-2: C.2.3).

use super::Transaction;
use crate::transactions::identity::{ErrorCode, IdentityError};
use crate::wire::hl7v2::{Location, MessageWriter, Value};

const TABLE: &str = "HL70357";

/// What HL7 table 0357 calls an error.
pub fn text_of(code: ErrorCode) -> &'static str {
    use ErrorCode as E;
    match code {
        E::SegmentSequence => "Segment sequence error",
        E::RequiredFieldMissing => "Required field missing",
        E::DataType => "Data type error",
        E::TableValueNotFound => "Table value not found",
        E::UnsupportedMessageType => "Unsupported message type",
        E::UnsupportedEventCode => "Unsupported event code",
        E::UnsupportedProcessingId => "Unsupported processing id",
        E::UnsupportedVersionId => "Unsupported version id",
        E::UnknownKeyIdentifier => "Unknown key identifier",
        E::DuplicateKeyIdentifier => "Duplicate key identifier",
        E::InternalError => "Application internal error",
    }
}

/// Adds a segment ERR for each error; before 2.5 there is one, with one field.
pub fn push_errors(
    message: &mut MessageWriter,
    version: &str,
    transaction: Option<&Transaction>,
    errors: &[IdentityError],
) {
    let located = errors.iter().map(|error| {
        let by_transaction = transaction.and_then(|transaction| (transaction.locate)(&error.place));
        (error, by_transaction.or_else(|| super::locate_field(&error.place)))
    });
    match version >= "2.5" {
        true => located.for_each(|(error, location)| err(message, error, location)),
        false => located.take(1).for_each(|(error, location)| err_1(message, error, location)),
    }
}

fn err(message: &mut MessageWriter, error: &IdentityError, location: Option<Location>) {
    let code = (error.code as u16).to_string();
    let err = message.segment("ERR");
    if let Some(location) = location {
        err.set(2, location.erl());
    }
    err.set(3, [code.as_str(), text_of(error.code), TABLE]).set(4, "E").set(8, error.text.as_str());
}

/// `PID^1^3^204&Unknown key identifier&HL70357`
fn err_1(message: &mut MessageWriter, error: &IdentityError, location: Option<Location>) {
    let code = (error.code as u16).to_string();
    let number = |number: usize| if number == 0 { String::new() } else { number.to_string() };
    let place = location.map_or_else(Default::default, |location| {
        [location.segment.to_owned(), number(location.sequence), number(location.field)]
    });
    let value = Value::from(place).subcomponents([code.as_str(), text_of(error.code), TABLE]);
    message.segment("ERR").set(1, value);
}
