//! HL7 v2 on the wire: ER7 with any delimiters, character sets, MLLP (HL7 2.5 chapter 2; ITI TF-2: C.2). Knows no IHE.
//!
//! A [`Message`] is decoded as a whole and then split where somebody looks: in Japanese character sets the bytes of
//! delimiters are halves of kanji. A [`MessageWriter`] takes values and escapes them all: no value can become structure.
//! Nothing of a message is shown by `Debug` or told by an error.

pub mod charset;
mod delimiters;
mod escape;
mod iso2022;
mod location;
mod message;
pub mod mllp;
mod write;

pub use charset::{Charset, Declared};
pub use delimiters::Delimiters;
pub use location::Location;
pub use message::{Component, Field, Message, MessageError, Repetition, Segment};
pub use write::{MessageWriter, SegmentWriter, Value, control_id};

#[cfg(test)]
mod tests;

/// Segments that stand around the messages of a batch or a file (HL7 2.5, 2.10.3).
pub const AROUND_MESSAGES: [&[u8]; 4] = [b"FHS", b"BHS", b"BTS", b"FTS"];
