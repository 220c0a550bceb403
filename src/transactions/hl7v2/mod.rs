//! What the transactions on HL7 v2 have in common (ITI TF-2: Appendix C): headers, acknowledgements, errors, and what a
//! message of each structure must have. Client and server share it.

mod acknowledge;
mod errors;
mod header;
pub mod structure;
#[cfg(test)]
mod tests;

pub(crate) use acknowledge::acknowledge;
pub use acknowledge::{AckCode, Refusal, Reported, accepted, acknowledgement, answer};
pub use errors::text_of;
pub use header::{Parties, VERSIONS, request, system_name};
pub use structure::Structure;

use super::identity::{Answer, ErrorCode, IdentityError, Place};
use crate::demographics::v2::WrongType;
use crate::wire::hl7v2::{Location, Message, MessageWriter, Segment};

pub use crate::wire::hl7v2::control_id;

/// A transaction on HL7 v2.
#[derive(Debug)]
pub struct Transaction {
    /// `ITI-8`.
    pub id: &'static str,
    /// `Patient Identity Feed`.
    pub name: &'static str,
    /// What is asked or told in it.
    pub triggers: &'static [Trigger],
    /// Where its errors are reported.
    pub locate: fn(&Place) -> Option<Location>,
}

/// A message type, as MSH-9 has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trigger {
    /// MSH-9.1.
    pub code: &'static str,
    /// MSH-9.2.
    pub event: &'static str,
    /// MSH-9.3, and what it stands for.
    pub structure: &'static Structure,
}

/// What an actor's answer is on the wire.
#[derive(Debug)]
pub struct Reply {
    /// The message.
    pub message: MessageWriter,
    /// How it ended.
    pub code: AckCode,
    /// What was wrong, if anything.
    pub errors: Vec<IdentityError>,
}

/// A segment that the structure demands; what is missing is noticed before ([`structure`]).
pub(super) fn required<'m>(message: &'m Message, name: &'static str) -> Answer<Segment<'m>> {
    message.segment(name).ok_or_else(|| {
        let text = format!("the segment {name} is missing");
        vec![IdentityError::new(ErrorCode::SegmentSequence, Place::Field(name, 0, 0), text)]
    })
}

/// A value that is not of its field's type.
pub(super) fn wrong_type(WrongType(segment, field): WrongType) -> Vec<IdentityError> {
    let text = format!("{segment}-{field} is not of the type that HL7 gives it");
    vec![IdentityError::new(ErrorCode::DataType, Place::Field(segment, field, 0), text)]
}

/// The places that are the same in every transaction.
pub(super) fn locate_field(place: &Place) -> Option<Location> {
    let field = |segment, field: u16| Location::field(segment, field.into());
    Some(match *place {
        Place::Again(segment) => Location::segment(segment, 2),
        Place::Field(segment, 0, _) => Location::segment(segment, 1),
        Place::Field(segment, number, 0) => field(segment, number),
        Place::Field(segment, number, component) => field(segment, number).component(component.into()),
        _ => return None,
    })
}
