//! Message structures: which segments and fields must be there, by HL7 and by the Technical Framework, which demands more.
//! The server holds what arrives against them, the tests what we send.

use crate::transactions::identity::{ErrorCode, IdentityError, Place};
use crate::wire::hl7v2::Message;

/// A message structure.
#[derive(Debug, PartialEq, Eq)]
pub struct Structure {
    /// MSH-9.3.
    pub name: &'static str,
    /// Segments that must be there.
    pub segments: &'static [&'static str],
    /// Fields that must be there where their segment is.
    pub fields: &'static [(&'static str, u16)],
    /// Its segments in their order, as far as a message of ours has them.
    pub order: &'static [Part],
}

/// What may stand at one place of a structure.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// A segment.
    Once(&'static str),
    /// A segment, or nothing.
    Perhaps(&'static str),
    /// A segment any number of times.
    Any(&'static str),
    /// A group any number of times.
    Group(&'static [Part]),
}
use Part::{Any, Group, Once, Perhaps};

const EVN_2: (&str, u16) = ("EVN", 2);
const PID_3: (&str, u16) = ("PID", 3);
const PID_5: (&str, u16) = ("PID", 5);

/// ITI-8: A01, A04, A05, A08 (ITI TF-2: 3.8.4.1.2).
pub const ADT_A01: Structure = Structure {
    name: "ADT_A01",
    segments: &["EVN", "PID", "PV1"],
    fields: &[EVN_2, PID_3, PID_5, ("PV1", 2)],
    order: &[Once("MSH"), Once("EVN"), Once("PID"), Once("PV1")],
};
/// ITI-8: A40 (ITI TF-2: 3.8.4.2.2).
pub const ADT_A39: Structure = Structure {
    name: "ADT_A39",
    segments: &["EVN", "PID", "MRG"],
    fields: &[EVN_2, PID_3, PID_5, ("MRG", 1)],
    order: &[Once("MSH"), Once("EVN"), Once("PID"), Once("MRG"), Perhaps("PV1")],
};
/// ITI-10: A31 (ITI TF-2: 3.10.4.1.2).
pub const ADT_A05: Structure = Structure { name: "ADT_A05", ..ADT_A01 };
/// ITI-64: A43 (ITI TF-2: 3.64.4.1.2).
pub const ADT_A43: Structure =
    Structure { name: "ADT_A43", order: &[Once("MSH"), Once("EVN"), Once("PID"), Once("MRG")], ..ADT_A39 };
/// Queries (ITI TF-2: 3.9.4.1.2, 3.21.4.1.2, 3.22.4.1.2).
pub const QBP_Q21: Structure = Structure {
    name: "QBP_Q21",
    segments: &["QPD", "RCP"],
    fields: &[("QPD", 1), ("QPD", 2), ("QPD", 3), ("RCP", 1)],
    order: &[Once("MSH"), Once("QPD"), Once("RCP"), Perhaps("DSC")],
};
/// A query's end (ITI TF-2: 3.21.4.1.2.6).
pub const QCN_J01: Structure = Structure {
    name: "QCN_J01",
    segments: &["QID"],
    fields: &[("QID", 1), ("QID", 2)],
    order: &[Once("MSH"), Once("QID")],
};

const MSA_1: (&str, u16) = ("MSA", 1);
const MSA_2: (&str, u16) = ("MSA", 2);

/// Acknowledgements.
pub const ACK: Structure = Structure {
    name: "ACK",
    segments: &["MSA"],
    fields: &[MSA_1, MSA_2],
    order: &[Once("MSH"), Once("MSA"), Any("ERR")],
};
/// The answer to ITI-9 (ITI TF-2: 3.9.4.2.2).
pub const RSP_K23: Structure = Structure {
    name: "RSP_K23",
    segments: &["MSA", "QAK", "QPD"],
    fields: &[MSA_1, MSA_2, ("QAK", 1), ("QAK", 2), ("QPD", 1), ("QPD", 2), ("QPD", 3), PID_3, PID_5],
    order: &[Once("MSH"), Once("MSA"), Perhaps("ERR"), Once("QAK"), Once("QPD"), Perhaps("PID")],
};
/// The answer to ITI-21 (ITI TF-2: 3.21.4.2.2).
pub const RSP_K21: Structure = Structure {
    name: "RSP_K21",
    order: &[
        Once("MSH"),
        Once("MSA"),
        Any("ERR"),
        Once("QAK"),
        Once("QPD"),
        Group(&[Once("PID"), Perhaps("PD1"), Perhaps("QRI")]),
        Perhaps("DSC"),
    ],
    ..RSP_K23
};
/// The answer to ITI-22 (ITI TF-2: 3.22.4.2.2).
pub const RSP_ZV2: Structure = Structure {
    name: "RSP_ZV2",
    segments: RSP_K23.segments,
    fields: &[
        MSA_1,
        MSA_2,
        ("QAK", 1),
        ("QAK", 2),
        ("QPD", 1),
        ("QPD", 2),
        ("QPD", 3),
        PID_3,
        PID_5,
        ("PV1", 2),
    ],
    order: &[
        Once("MSH"),
        Once("MSA"),
        Any("ERR"),
        Once("QAK"),
        Once("QPD"),
        Group(&[Once("PID"), Perhaps("PD1"), Once("PV1"), Perhaps("PV2"), Perhaps("QRI")]),
        Perhaps("DSC"),
    ],
};

/// All of them.
pub const ALL: [&Structure; 10] =
    [&ADT_A01, &ADT_A39, &ADT_A05, &ADT_A43, &QBP_Q21, &QCN_J01, &ACK, &RSP_K23, &RSP_K21, &RSP_ZV2];

impl Structure {
    /// Whether a message has the structure's segments in their order, as often as they may stand there, and no others. Of
    /// what arrives less is asked ([`Self::check`]).
    pub fn is_ordered(&self, message: &Message) -> bool {
        let names: Vec<&str> = message.segments().map(|segment| segment.name()).collect();
        pass(self.order, &names).is_some_and(<[&str]>::is_empty)
    }
    /// Segments that are there more often than they may be. What the further ones say would be lost: of several patients, or
    /// of several pairs to be merged, each needs a message of its own (ITI TF-2: 3.8.4.2.2).
    pub fn repeated(&self, message: &Message) -> impl Iterator<Item = IdentityError> {
        let once = self.order.iter().filter_map(|part| match part {
            Once(name) | Perhaps(name) => Some(*name),
            Any(_) | Group(_) => None,
        });
        once.filter(|name| message.segments_named(name).nth(1).is_some()).map(|name| {
            let text = format!("the segment {name} may be there once ({})", self.name);
            IdentityError::new(ErrorCode::SegmentSequence, Place::Again(name), text)
        })
    }
    /// What a message lacks, or has too often.
    pub fn check(&self, message: &Message) -> Vec<IdentityError> {
        let lacks = |name: &str| message.segment(name).is_none();
        let segments = self.segments.iter().filter(|name| lacks(name)).map(|name| {
            let text = format!("the segment {name} is missing ({})", self.name);
            IdentityError::new(ErrorCode::SegmentSequence, Place::Field(name, 0, 0), text)
        });
        let empty = |(segment, field): &&(&str, u16)| {
            message.segments_named(segment).any(|segment| segment.field((*field).into()).is_absent())
        };
        let fields = self.fields.iter().filter(empty).map(|(segment, field)| {
            let text = format!("{segment}-{field} is required ({})", self.name);
            IdentityError::new(ErrorCode::RequiredFieldMissing, Place::Field(segment, *field, 0), text)
        });
        segments.chain(self.repeated(message)).chain(fields).collect()
    }
}

/// What is left of segments behind the parts of a structure; None if they are not those.
fn pass<'n, 's>(parts: &[Part], mut names: &'n [&'s str]) -> Option<&'n [&'s str]> {
    for part in parts {
        match (part, names) {
            (Once(name), [first, rest @ ..]) if first == name => names = rest,
            (Once(_), _) => return None,
            (Perhaps(name), [first, rest @ ..]) if first == name => names = rest,
            (Perhaps(_), _) => {}
            (Any(name), _) => {
                while let Some((_, rest)) = names.split_first().filter(|(first, _)| *first == name) {
                    names = rest;
                }
            }
            (Group(parts), _) => {
                while let Some(rest) = pass(parts, names).filter(|rest| rest.len() < names.len()) {
                    names = rest;
                }
            }
        }
    }
    Some(names)
}
