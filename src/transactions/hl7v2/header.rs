//! MSH: of what we ask and of what we answer (HL7 2.5, 2.14.9; ITI TF-2: C.2.2).

use super::Trigger;
use crate::ids::Oid;
use crate::limits;
use crate::time::now_dtm;
use crate::wire::hl7v2::{Charset, Field, Message, MessageWriter, SegmentWriter, Value, control_id};

/// The versions of HL7 v2 (table 0104). All of them are read: what later ones add stands behind what earlier ones have.
pub const VERSIONS: [&str; 15] = [
    "2.0", "2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1",
    "2.8.2", "2.9",
];

/// The version in which we answer what says none that we know.
const OUR_VERSION: &str = "2.5";

/// Who sends a message, and to whom: application and facility each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parties {
    /// MSH-3 and MSH-4.
    pub sender: (String, String),
    /// MSH-5 and MSH-6.
    pub receiver: (String, String),
    /// The character set that the receiver reads.
    pub charset: Charset,
}

/// A message of ours with its MSH, for the other segments to follow. `control_id` is MSH-10, by which its answer is known.
pub fn request(parties: &Parties, trigger: &Trigger, version: &str, control_id: &str) -> MessageWriter {
    let mut message = MessageWriter::new();
    let msh = message.segment("MSH");
    for (field, name) in
        (3..).zip([&parties.sender.0, &parties.sender.1, &parties.receiver.0, &parties.receiver.1])
    {
        msh.set(field, designator(name));
    }
    msh.set(7, now()).set(9, [trigger.code, trigger.event, trigger.structure.name]);
    msh.set(10, control_id).set(11, "P").set(12, version).declare(parties.charset);
    message
}

/// MSH of an answer: in the version and character set of what it answers, sender and receiver swapped.
pub fn answer_header(to: &Message, answer: &Trigger) -> SegmentWriter {
    let mut msh = SegmentWriter::new("MSH");
    for (field, swapped) in [(3, 5), (4, 6), (5, 3), (6, 4)] {
        msh.copy(field, to.field("MSH", swapped));
    }
    let (version, processing) = (version_of(to), to.field("MSH", 11));
    // 2.3.1 does not need the structure, and some who speak it do not read it.
    let message_type = [answer.code, answer.event, answer.structure.name];
    match has_structures(version) {
        true => msh.set(9, message_type),
        false => msh.set(9, [answer.code, answer.event]),
    };
    msh.set(7, now()).set(10, control_id()).set(12, version);
    match processing.value().trim() {
        "" => msh.set(11, "P"),
        _ => msh.copy(11, processing),
    };
    match to.field("MSH", 18).is_absent() {
        true => _ = msh.declare(to.charset()),
        false => to.declared().repeat_in(&mut msh),
    }
    msh
}

/// What an HD calls a system: its namespace, or else its universal id.
pub fn system_name(hd: Field<'_>) -> String {
    let [namespace, universal_id] = [1, 2].map(|component| hd.component(component).value());
    let name = if namespace.trim().is_empty() { universal_id } else { namespace };
    name.trim().chars().take(limits::MAX_HL7_SYSTEM_CHARS).collect()
}

/// The version of a message, if we know it; else ours.
pub(super) fn version_of(message: &Message) -> &'static str {
    let version = message.field("MSH", 12).value();
    VERSIONS.into_iter().find(|known| *known == version.trim()).unwrap_or(OUR_VERSION)
}

/// MSH-9.3 is part of the message type since 2.4.
fn has_structures(version: &str) -> bool {
    version >= "2.4"
}

/// An HD: a name, or an OID with its type.
fn designator(name: &str) -> Value {
    match Oid::parse(name) {
        Ok(oid) => Value::from(["", oid.as_str(), "ISO"]),
        Err(_) => Value::from(name),
    }
}

fn now() -> String {
    format!("{}+0000", now_dtm())
}
