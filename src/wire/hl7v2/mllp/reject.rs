//! The acknowledgement of what never came to a transaction: AR, with the reason, in a form that every version reads (HL7 2.5,
//! 2.9.2 and 2.15). Text without MSH gets one too: silence would hang its sender.

use bytes::Bytes;

use crate::time::now_dtm;
use crate::wire::hl7v2::{Charset, Message, MessageWriter, Value, control_id};

/// HL7 table 0357.
const INTERNAL: [&str; 3] = ["207", "Application internal error", "HL70357"];

/// Rejects a message, of which perhaps only the beginning is there. `text` is for people, and holds nothing of the message.
pub fn reject(message: &[u8], text: &str) -> Bytes {
    let received = Message::read_header(message, Charset::Ascii).ok();
    let received = received.as_ref();
    let mut answer = MessageWriter::new();
    let msh = answer.segment("MSH");
    for (ours, theirs) in [(3, 5), (4, 6), (5, 3), (6, 4), (11, 11)] {
        if let Some(received) = received {
            msh.copy(ours, received.field("MSH", theirs));
        }
    }
    let said = |field, component| {
        let value = received.map(|received| received.field("MSH", field).component(component).value());
        value.filter(|value| !value.is_empty())
    };
    if said(11, 1).is_none() {
        msh.set(11, "P");
    }
    let version = said(12, 1).unwrap_or("2.5".into()).into_owned();
    let trigger = said(9, 2).unwrap_or_default();
    msh.set(7, now_dtm()).set(9, ["ACK", &trigger, "ACK"]).set(10, control_id()).set(12, version.as_str());
    answer.segment("MSA").set(1, "AR").set(2, said(10, 1).unwrap_or_default().as_ref());
    let error = answer.segment("ERR");
    match version.as_str() {
        "2.1" | "2.2" | "2.3" | "2.3.1" | "2.4" => {
            error.set(1, Value::from(["", "", ""]).subcomponents(INTERNAL));
        }
        _ => {
            error.set(3, INTERNAL).set(4, "E").set(8, text);
        }
    }
    answer.encode(Charset::Ascii).bytes.into()
}
