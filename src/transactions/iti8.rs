//! ITI-8 Patient Identity Feed (ITI TF-2: 3.8): ADT A01, A04, A05, A08 and A40, in 2.3.1.

use super::hl7v2::structure::{ADT_A01, ADT_A39};
use super::hl7v2::{
    Parties, Transaction, Trigger, locate_field, request as header, required, system_name, wrong_type,
};
use super::identity::{Answer, ErrorCode, Feed, FeedEvent, IdentityError, Place};
use crate::demographics::{Identifier, v2};
use crate::limits;
use crate::time::{now_dtm, today};
use crate::wire::hl7v2::{Field, Location, Message, MessageWriter};

/// The transaction.
pub const TRANSACTION: Transaction = Transaction {
    id: "ITI-8",
    name: "Patient Identity Feed",
    triggers: &[
        Trigger { code: "ADT", event: "A01", structure: &ADT_A01 },
        Trigger { code: "ADT", event: "A04", structure: &ADT_A01 },
        Trigger { code: "ADT", event: "A05", structure: &ADT_A01 },
        Trigger { code: "ADT", event: "A08", structure: &ADT_A01 },
        MERGE,
    ],
    locate,
};

const MERGE: Trigger = Trigger { code: "ADT", event: "A40", structure: &ADT_A39 };

/// The version in which we send it: Open eHealth IPF takes no other.
const VERSION: &str = "2.3.1";

/// On which occasion somebody is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// A01: an admission.
    Admission,
    /// A04: a registration, usually of an outpatient.
    Registration,
    /// A05: a pre-admission.
    PreAdmission,
    /// A08: something changed.
    Update,
}

impl Occasion {
    fn event(self) -> &'static str {
        match self {
            Self::Admission => "A01",
            Self::Registration => "A04",
            Self::PreAdmission => "A05",
            Self::Update => "A08",
        }
    }
}

/// Reads a feed.
pub fn read(message: &Message) -> Answer<Feed> {
    let pid = required(message, "PID")?;
    let change = Box::new(v2::change(pid).map_err(wrong_type)?);
    let (identifiers, ended) = in_force(pid.field(3))?;
    let event = if message.field("MSH", 9).component(2).value() == MERGE.event {
        let subsumed = subsumed(required(message, "MRG")?.field(1))?;
        let (nth, surviving) = surviving(identifiers, &subsumed);
        FeedEvent::Merge { surviving, nth, subsumed, change }
    } else {
        let visit = message.segment("PV1").map(|pv1| Box::new(v2::visit(pv1)));
        FeedEvent::Announce { identifiers, ended, change, visit }
    };
    let system = |field| system_name(message.field("MSH", field));
    Ok(Feed { event, source: (system(3), system(4)) })
}

/// PID-3, and what of it has ended. An identifier whose time is over is nobody's any more (an insured person's number, say)
/// and counts as an empty one, as long as another is left.
fn in_force(field: Field<'_>) -> Answer<(Vec<Identifier>, Vec<Identifier>)> {
    let today = today();
    let mut all = v2::identifiers(field);
    if all.len() > limits::MAX_PERSON_VALUES {
        let text = format!("PID-3 has more than {} identifiers", limits::MAX_PERSON_VALUES);
        return Err(vec![IdentityError::new(ErrorCode::DataType, Place::Field("PID", 3, 0), text)]);
    }
    let mut ended = Vec::new();
    if all.iter().any(|identifier| !identifier.validity.has_ended(today) && !identifier.id.is_empty()) {
        let over = all.iter_mut().filter(|identifier| identifier.validity.has_ended(today));
        ended.extend(over.map(std::mem::take));
    }
    Ok((all, ended))
}

/// MRG-1. Of several identifiers, only one would end.
fn subsumed(field: Field<'_>) -> Answer<Identifier> {
    let mut given = v2::identifiers(field).into_iter().filter(|identifier| !identifier.id.is_empty());
    match (given.next(), given.next()) {
        (subsumed, None) => Ok(subsumed.unwrap_or_else(|| v2::identifier(field.repetition(1)))),
        (_, Some(_)) => {
            let text = "a merge subsumes one identifier; each further one needs a message of its own";
            Err(vec![IdentityError::new(ErrorCode::SegmentSequence, Place::Subsumed, text)])
        }
    }
}

/// Of several identifiers in PID-3, the one of MRG-1's domain, and which it is, from 1: only that can be meant.
fn surviving(identifiers: Vec<Identifier>, subsumed: &Identifier) -> (usize, Identifier) {
    let authority = &subsumed.authority;
    let same = identifiers.iter().position(|identifier| identifier.authority == *authority);
    // One may name the domain by its OID, the other by its namespace.
    let alike = || identifiers.iter().position(|identifier| identifier.authority.may_be(authority));
    let index = same.or_else(alike).unwrap_or_default();
    (index + 1, identifiers.into_iter().nth(index).unwrap_or_default())
}

/// Writes a feed; a merge has its own event, whatever the occasion.
pub fn request(feed: &Feed, occasion: Occasion, parties: &Parties, control_id: &str) -> MessageWriter {
    let announcement = Trigger { event: occasion.event(), ..TRANSACTION.triggers[0] };
    let (trigger, identifiers, change) = match &feed.event {
        FeedEvent::Announce { identifiers, change, .. } => (announcement, identifiers.as_slice(), change),
        FeedEvent::Merge { surviving, change, .. } => (MERGE, std::slice::from_ref(surviving), change),
    };
    let mut message = header(parties, &trigger, VERSION, control_id);
    message.segment("EVN").set(1, trigger.event).set(2, now_dtm());
    let pid = message.segment("PID");
    for identifier in identifiers {
        pid.add(3, v2::cx(identifier));
    }
    v2::set_change(change, pid);
    match &feed.event {
        FeedEvent::Announce { visit, .. } => {
            let visit = visit.as_deref().cloned().unwrap_or_default();
            v2::set_visit(&visit, message.segment("PV1"));
        }
        FeedEvent::Merge { subsumed, .. } => _ = message.segment("MRG").set(1, v2::cx(subsumed)),
    }
    message
}

/// Where errors are, here and in ITI-64.
pub(super) fn locate(place: &Place) -> Option<Location> {
    let identifier = |number: &usize| Location::field("PID", 3).repetition(*number);
    let subsumed = Location::field("MRG", 1).repetition(1);
    Some(match place {
        Place::Identifier(number) => identifier(number).component(1),
        Place::IdentifierAuthority(number) => identifier(number).component(4),
        Place::Subsumed => subsumed.component(1),
        Place::SubsumedAuthority => subsumed.component(4),
        _ => return locate_field(place),
    })
}
