//! ITI-44 Patient Identity Feed HL7 V3 (ITI TF-2: 3.44): a record added, a record revised, duplicates resolved. Three
//! messages, which have nothing but their answer in common on the wire, and are one [`Feed`] behind it.

use bytes::Bytes;

use super::hl7v3::registration::{events, patient_of};
use super::hl7v3::{
    ACKNOWLEDGED, AckCode, AckDetail, Acknowledgement, DUPLICATES_RESOLVED, Header, Interaction,
    RECORD_ADDED, RECORD_REVISED, Transmission, errors_of,
};
use super::identity::{Answer, ErrorCode, Feed, FeedEvent, IdentityError, Place};
use super::{Malformed, Transaction};
use crate::demographics::Identifier;
use crate::demographics::v3::{Misread, PatientContent, read_identifier, read_patient};
use crate::wire::xml::{Element, Ns, Writer};

const NAME: &str = "Patient Identity Feed HL7 V3";
/// wsa:Action of the answers to all three.
const ANSWER: &str = "urn:hl7-org:v3:MCCI_IN000002UV01";

/// A record is added.
pub const ITI44_ADD: Transaction = Transaction {
    id: "ITI-44",
    name: NAME,
    action: "urn:hl7-org:v3:PRPA_IN201301UV02",
    response_action: ANSWER,
    body: (Ns::HL7, RECORD_ADDED.id),
    mtom: false,
};
/// A record is revised.
pub const ITI44_REVISE: Transaction = Transaction {
    action: "urn:hl7-org:v3:PRPA_IN201302UV02",
    body: (Ns::HL7, RECORD_REVISED.id),
    ..ITI44_ADD
};
/// Duplicates are resolved: a merge.
pub const ITI44_MERGE: Transaction = Transaction {
    action: "urn:hl7-org:v3:PRPA_IN201304UV02",
    body: (Ns::HL7, DUPLICATES_RESOLVED.id),
    ..ITI44_ADD
};

/// What the acknowledgement of a message needs of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    transmission: Transmission,
    /// Where the patient's identifiers stand, below Patient.
    places: Vec<String>,
}

/// Reads one of the three messages: what it tells, unless something in it is wrong.
pub fn read_request(body: Element<'_>) -> Result<(Answer<Feed>, Reply), Malformed> {
    let interaction = interaction(body);
    let transmission = Transmission::read(body, interaction)?;
    let mut events = events(body);
    let (Some(event), second) = (events.next(), events.next()) else {
        return Err(malformed("v3.subject", format!("{} has no registrationEvent", interaction.id)));
    };
    let patient = patient_of(event)
        .ok_or_else(|| malformed("v3.patient", "registrationEvent has no subject1/patient".to_owned()))?;
    let content = read_patient(patient);
    let places = content.places.clone();
    let source = (transmission.sender.device.root.clone(), String::new());
    let event = match second {
        // Which of them an acknowledgement was about could not be told (user pain 78).
        Some(_) => {
            let text = "the message tells of several patients; each needs a message of its own";
            Err(vec![IdentityError::new(ErrorCode::SegmentSequence, Place::Field(SUBJECT, 0, 0), text)])
        }
        None if content.misread.is_empty() => feed_event(interaction, event, content),
        None => Err(content.misread.iter().map(misread).collect()),
    };
    Ok((event.map(|event| Feed { event, source }), Reply { transmission, places }))
}

/// The place of all subjects.
const SUBJECT: &str = "subject";

fn interaction(body: Element<'_>) -> &'static Interaction {
    match body.local() {
        local if local == RECORD_ADDED.id => &RECORD_ADDED,
        local if local == RECORD_REVISED.id => &RECORD_REVISED,
        _ => &DUPLICATES_RESOLVED,
    }
}

fn feed_event(interaction: &Interaction, event: Element<'_>, content: PatientContent) -> Answer<FeedEvent> {
    let own = content.own();
    let PatientContent { identifiers, ended, change, .. } = content;
    if own == 0 {
        let text = "the patient has no id, which is what a feed is about";
        return Err(vec![IdentityError::new(ErrorCode::RequiredFieldMissing, Place::Identifier(1), text)]);
    }
    let subsumed = subsumed(event);
    if *interaction != DUPLICATES_RESOLVED {
        return match subsumed {
            Ok(None) => Ok(FeedEvent::Announce { identifiers, ended, change, visit: None }),
            _ => Err(vec![IdentityError::new(
                ErrorCode::UnsupportedEventCode,
                Place::Subsumed,
                "a replaced registration belongs in PRPA_IN201304UV02",
            )]),
        };
    }
    let subsumed = subsumed?.ok_or_else(|| {
        let text = "a merge names the subsumed identifier";
        vec![IdentityError::new(ErrorCode::RequiredFieldMissing, Place::Subsumed, text)]
    })?;
    // Of several ids that survive, the one of the same domain is meant.
    let mut own = identifiers.into_iter().take(own).collect::<Vec<_>>();
    let survivor = own.iter().position(|id| id.authority == subsumed.authority).unwrap_or(0);
    Ok(FeedEvent::Merge { surviving: own.swap_remove(survivor), nth: survivor + 1, subsumed, change })
}

/// The identifier in replacementOf, if there is one; several are an error.
fn subsumed(event: Element<'_>) -> Answer<Option<Identifier>> {
    let mut ids = event
        .children_named(Ns::HL7, "replacementOf")
        .flat_map(|element| element.children_named(Ns::HL7, "priorRegistration"))
        .flat_map(|element| element.children_named(Ns::HL7, "subject1"))
        .flat_map(|element| element.children_named(Ns::HL7, "priorRegisteredRole"))
        .flat_map(|element| element.children_named(Ns::HL7, "id"))
        .filter_map(read_identifier);
    match (ids.next(), ids.next()) {
        (id, None) => Ok(id),
        (_, Some(_)) => Err(vec![IdentityError::new(
            ErrorCode::SegmentSequence,
            Place::Subsumed,
            "a merge subsumes one identifier; each further one needs a message of its own",
        )]),
    }
}

fn misread(misread: &Misread) -> IdentityError {
    let text = format!("{}: {}", misread.element, misread.why);
    IdentityError::new(ErrorCode::DataType, Place::Field(misread.element, 0, 0), text)
}

impl Reply {
    /// The XPath of a place in this message.
    fn locate(&self, place: &Place) -> Option<String> {
        let root = &self.transmission.root;
        let event = format!("/{root}/controlActProcess/subject/registrationEvent");
        let patient = |path: &str| Some(format!("{event}/subject1/patient/{path}"));
        match place {
            Place::Identifier(number) | Place::IdentifierAuthority(number) => {
                let recorded = number.checked_sub(1).and_then(|index| self.places.get(index));
                patient(recorded.map_or("id", String::as_str))
            }
            Place::Subsumed | Place::SubsumedAuthority => {
                Some(format!("{event}/replacementOf/priorRegistration/subject1/priorRegisteredRole/id"))
            }
            Place::Field(SUBJECT, ..) => Some(format!("/{root}/controlActProcess/subject")),
            Place::Field(path, 0, _) => patient(path),
            _ => None,
        }
    }
    /// Writes the acknowledgement: taken, or what is wrong.
    pub fn write(&self, answer: &Answer<()>) -> Bytes {
        let errors = errors_of(answer);
        let details = errors.iter().map(|error| AckDetail::of(error, |place| self.locate(place))).collect();
        write_acknowledgement(&self.transmission, AckCode::of_message(errors), details)
    }
}

/// Writes an accept acknowledgement.
pub fn write_acknowledgement(request: &Transmission, code: AckCode, details: Vec<AckDetail>) -> Bytes {
    let acknowledgement = Acknowledgement { code, target: request.message.clone(), details };
    let mut out = Writer::with_capacity(2048);
    Header::answer(request, &acknowledgement).open(&mut out, &ACKNOWLEDGED);
    out.end();
    out.finish().into()
}

fn malformed(rule: &'static str, problem: String) -> Malformed {
    Malformed { rule, section: "ITI TF-2: 3.44.4", problem }
}
