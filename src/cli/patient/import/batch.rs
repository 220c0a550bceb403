//! HL7 v2 messages one after the other in a file: ADT of ITI-8, with or without FHS, BHS, BTS, FTS and MLLP's frames.

use std::io::BufRead;

use super::{Entry, Item, Items, Naming, first};
use crate::demographics::Identifier;
use crate::identity::index::Dated;
use crate::ids::PatientId;
use crate::limits;
use crate::transactions::hl7v2::structure::{ADT_A01, ADT_A39};
use crate::transactions::identity::FeedEvent;
use crate::transactions::iti8;
use crate::wire::hl7v2::{AROUND_MESSAGES, Message};

/// Events that announce somebody, and the one that merges.
const EVENTS: [&str; 7] = ["A01", "A04", "A05", "A08", "A28", "A31", "A40"];

/// How many bytes of a file tell what it is: a byte order mark or an MLLP frame, and a segment's name.
pub const BEGINNING: usize = 8;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Whether a file's first bytes are a batch's.
pub fn begins(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes).trim_ascii_start();
    [b"MSH", b"FHS", b"BHS"].iter().any(|name| bytes.starts_with(*name))
}

/// Reads messages into entries.
pub fn read(mut file: impl BufRead, naming: &Naming, items: &Items) -> Result<(), String> {
    let mut message = Lines::default();
    let mut number = 0;
    loop {
        let mut line = Vec::new();
        if !next_line(&mut file, &mut line)? {
            break;
        }
        number += 1;
        let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&line).trim_ascii();
        let around = AROUND_MESSAGES.iter().any(|name| line.starts_with(name));
        if (around || line.starts_with(b"MSH")) && !message.send(naming, items) {
            return Ok(());
        }
        if !around && !line.is_empty() {
            message.push(line, number);
        }
    }
    message.send(naming, items);
    Ok(())
}

/// The lines of one message.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    first: u64,
}

impl Lines {
    fn push(&mut self, line: &[u8], number: u64) {
        if self.bytes.is_empty() {
            self.first = number;
        }
        // One that is too long is told when it is read.
        if self.bytes.len() <= limits::MAX_IMPORTED_MESSAGE_BYTES {
            self.bytes.extend_from_slice(line);
            self.bytes.push(b'\r');
        }
    }
    /// Sends what there is; whether anybody still receives.
    fn send(&mut self, naming: &Naming, items: &Items) -> bool {
        let bytes = std::mem::take(&mut self.bytes);
        bytes.is_empty()
            || items.blocking_send(Item { line: self.first, entry: entry(&bytes, naming) }).is_ok()
    }
}

/// A line, which ends with CR, LF, both, or an MLLP frame.
fn next_line(file: &mut impl BufRead, line: &mut Vec<u8>) -> Result<bool, String> {
    loop {
        let buffer = file.fill_buf().map_err(|error| error.to_string())?;
        if buffer.is_empty() {
            return Ok(!line.is_empty());
        }
        let end = buffer.iter().position(|byte| matches!(byte, b'\r' | b'\n' | 0x0b | 0x1c));
        let taken = end.map_or(buffer.len(), |end| end + 1);
        if line.len() <= limits::MAX_IMPORTED_MESSAGE_BYTES {
            line.extend_from_slice(&buffer[..end.unwrap_or(buffer.len())]);
        }
        file.consume(taken);
        if end.is_some() {
            return Ok(true);
        }
    }
}

fn entry(bytes: &[u8], naming: &Naming) -> Result<Entry, String> {
    if bytes.len() > limits::MAX_IMPORTED_MESSAGE_BYTES {
        return Err(format!("the message has more than {} bytes", limits::MAX_IMPORTED_MESSAGE_BYTES));
    }
    let message = Message::read(bytes, naming.charset).map_err(|error| error.to_string())?;
    if message.undecodable() > 0 {
        let (charset, count) = (message.charset(), message.undecodable());
        let option = "MSH-18 must name its character set; where it has none, --charset does";
        return Err(format!("{count} characters of the message are none of {charset}: {option}"));
    }
    let event = message.field("MSH", 9).component(2).value().into_owned();
    if !EVENTS.contains(&event.as_str()) {
        return Err(format!("MSH-9 is none of {}", EVENTS.join(", ")));
    }
    let structure = if event == "A40" { &ADT_A39 } else { &ADT_A01 };
    if let Some(repeated) = structure.repeated(&message).next() {
        return Err(repeated.text);
    }
    let feed = iti8::read(&message).map_err(|errors| first(&errors))?;
    feed.event.numbers().try_for_each(|(_, number)| naming.may_keep(number))?;
    let resolve = |identifier: &Identifier| {
        let known = naming.domains.resolve(identifier).or_else(|| {
            let unnamed = identifier.authority.is_empty().then_some(naming.patients.as_ref()).flatten();
            Some(PatientId::new(&identifier.id, unnamed?.clone()))
        });
        known.map(|known| naming.identifier(known.id(), known.authority())).transpose()
    };
    let known = |identifier| {
        resolve(identifier)?.ok_or("no domain of the configuration has this identifier".to_owned())
    };
    Ok(match feed.event {
        FeedEvent::Announce { identifiers, ended, change, visit } => {
            let dated = |identifier: &Identifier| {
                let validity = identifier.validity;
                Some(resolve(identifier).transpose()?.map(|patient| Dated { patient, validity }))
            };
            let mut all = identifiers.iter().filter_map(dated).collect::<Result<Vec<_>, _>>()?;
            if all.is_empty() {
                return Err("no identifier in PID-3 is of a domain of the configuration".to_owned());
            }
            let over = ended.iter().filter_map(dated).collect::<Result<Vec<_>, _>>()?;
            all.extend(over.into_iter().filter(|over| naming.domains.is_insured(&over.patient)));
            let identifiers = all;
            Entry::Announce { identifiers, change, visit }
        }
        FeedEvent::Merge { surviving, subsumed, change, .. } => {
            Entry::Merge { surviving: known(&surviving)?, subsumed: known(&subsumed)?, change }
        }
    })
}
