//! ITI-21 Patient Demographics Query (ITI TF-2: 3.21): QBP^Q22, answered by RSP^K22, page by page, and its cancellation by
//! QCN^J01; in 2.5. [ITI-22](super::iti22) is the same with visits.

mod parameters;

use super::hl7v2::structure::{QBP_Q21, QCN_J01, RSP_K21};
use super::hl7v2::{
    AckCode, Parties, Refusal, Reply, Transaction, Trigger, accepted, answer as head, locate_field,
    request as header, required,
};
use super::identity::{Answer, DemographicsQuery, ErrorCode, IdentityError, Match, Page, Place};
use super::iti9::{authorities, wanted};
use crate::demographics::{Demographics, Domains, v2};
use crate::ids::{Oid, PatientId};
use crate::limits;
use crate::wire::hl7v2::{Location, Message, MessageWriter, Segment};

/// The transaction.
pub const TRANSACTION: Transaction = Transaction {
    id: "ITI-21",
    name: "Patient Demographics Query",
    triggers: &[Trigger { code: "QBP", event: "Q22", structure: &QBP_Q21 }, CANCEL],
    locate,
};

/// The end of a query, here and in ITI-22.
pub const CANCEL: Trigger = Trigger { code: "QCN", event: "J01", structure: &QCN_J01 };

const ANSWER: Trigger = Trigger { code: "RSP", event: "K22", structure: &RSP_K21 };

const VERSION: &str = "2.5";

/// A query as a message has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Whom it describes.
    pub query: DemographicsQuery,
    /// QPD-2, by which it is cancelled.
    pub tag: String,
    /// RCP-2: how many patients an answer may have.
    pub page: Option<usize>,
    /// DSC-1: where an earlier answer to it ended.
    pub pointer: Option<String>,
}

/// Reads a query.
pub fn read(message: &Message) -> Answer<Question> {
    let qpd = required(message, "QPD")?;
    let query = parameters::read(qpd.field(3))?;
    let pointer = message.field("DSC", 1).value().trim().to_owned();
    let tag = qpd.field(2).value();
    if tag.chars().nth(limits::MAX_HL7_TAG_CHARS).is_some() {
        let text = format!("QPD-2 has more than {} characters", limits::MAX_HL7_TAG_CHARS);
        return Err(vec![IdentityError::new(ErrorCode::DataType, Place::Field("QPD", 2, 0), text)]);
    }
    Ok(Question {
        query: DemographicsQuery { wanted: authorities(qpd.field(8)), ..query },
        tag: tag.into_owned(),
        page: page(message)?,
        pointer: Some(pointer).filter(|pointer| !pointer.is_empty()),
    })
}

/// RCP-2: `10^RD`. Only patients can be counted.
fn page(message: &Message) -> Answer<Option<usize>> {
    let limit = message.field("RCP", 2);
    let (count, unit) = (limit.value(), limit.component(2).value());
    match (count.trim(), unit.trim()) {
        ("", _) => Ok(None),
        (count, "RD" | "") if count.parse().is_ok_and(|count: usize| count > 0) => Ok(count.parse().ok()),
        _ => {
            let text = "RCP-2 must be a number of records (RD)";
            Err(vec![IdentityError::new(ErrorCode::DataType, Place::Field("RCP", 2, 0), text)])
        }
    }
}

/// Reads a cancellation: the tag of the query that it ends.
pub fn read_cancel(message: &Message) -> Answer<String> {
    Ok(required(message, "QID")?.field(1).value().into_owned())
}

/// Writes the answer.
pub fn answer(to: &Message, answered: Answer<Page>, domains: &Domains) -> Reply {
    answer_as(&ANSWER, &TRANSACTION, to, answered, |found, message| {
        push_patient(found, domains, message);
        push_confidence(found, message);
    })
}

/// An answer of this transaction or of ITI-22, which says more of each patient.
pub(super) fn answer_as(
    trigger: &Trigger,
    transaction: &Transaction,
    to: &Message,
    answered: Answer<Page>,
    push: impl Fn(&Match, &mut MessageWriter),
) -> Reply {
    let (page, errors) = match answered {
        Ok(page) => (page, Vec::new()),
        Err(errors) => (Page::default(), parameters::named(to.field("QPD", 3), errors)),
    };
    let code = AckCode::of(&errors);
    let mut message = head(to, trigger, Some(transaction), code.application(), &errors);
    super::iti9::push_query(&mut message, to, code, page.matches.len());
    for found in &page.matches {
        push(found, &mut message);
    }
    if let Some(pointer) = &page.pointer {
        message.segment("DSC").set(1, pointer).set(2, "I");
    }
    Reply { message, code, errors }
}

/// Adds PID of a patient who was found.
pub(super) fn push_patient(found: &Match, domains: &Domains, message: &mut MessageWriter) {
    let pid = message.segment("PID");
    for patient in &found.identifiers {
        pid.add(3, v2::patient_cx(patient, domains));
    }
    v2::set_person(&found.person, pid);
}

/// Adds QRI where the patient fits less than fully: QRI-1 is how well, of 100.
pub(super) fn push_confidence(found: &Match, message: &mut MessageWriter) {
    if found.degree < 100 {
        message.segment("QRI").set(1, found.degree.to_string());
    }
}

/// Writes a query, or asks for its next page.
pub fn request(question: &Question, parties: &Parties, control_id: &str) -> MessageWriter {
    request_as(&TRANSACTION.triggers[0], "IHE PDQ Query", question, parties, control_id)
}

pub(super) fn request_as(
    trigger: &Trigger,
    name: &str,
    question: &Question,
    parties: &Parties,
    control_id: &str,
) -> MessageWriter {
    let mut message = header(parties, trigger, VERSION, control_id);
    let qpd = message.segment("QPD");
    qpd.set(1, name).set(2, &question.tag);
    for (parameter, value) in parameters::of(&question.query) {
        qpd.add(3, [parameter, value]);
    }
    for authority in &question.query.wanted {
        qpd.add(8, wanted(authority));
    }
    let rcp = message.segment("RCP").set(1, "I");
    if let Some(page) = question.page {
        rcp.set(2, [page.to_string(), "RD".to_owned()]);
    }
    if let Some(pointer) = &question.pointer {
        message.segment("DSC").set(1, pointer).set(2, "I");
    }
    message
}

/// Writes a cancellation.
pub fn cancel(tag: &str, parties: &Parties, control_id: &str) -> MessageWriter {
    let mut message = header(parties, &CANCEL, VERSION, control_id);
    message.segment("QID").set(1, tag).set(2, "IHE PDQ Query");
    message
}

/// Reads an answer. Identifiers of domains that are not ours and name no OID are left out.
pub fn read_answer(answer: &Message, control_id: &str, domains: &Domains) -> Result<Page, Refusal> {
    accepted(answer, control_id)?;
    let mut matches: Vec<Match> = Vec::new();
    for segment in answer.segments() {
        match (segment.name(), matches.last_mut()) {
            ("PID", _) => matches.push(patient(segment, domains)),
            ("QRI", Some(found)) => {
                found.degree = segment.field(1).value().trim().parse().unwrap_or(found.degree)
            }
            ("PV1", Some(found)) => found.visit = Some(Box::new(v2::visit(segment))),
            _ => (),
        }
    }
    let pointer = answer.field("DSC", 1).value().into_owned();
    Ok(Page {
        total: matches.len(),
        matches,
        remaining: 0,
        pointer: Some(pointer).filter(|pointer| !pointer.is_empty()),
        wanted: Vec::new(),
    })
}

fn patient(pid: Segment<'_>, domains: &Domains) -> Match {
    let identifiers = v2::identifiers(pid.field(3)).into_iter().filter_map(|identifier| {
        let foreign = || Oid::parse(&identifier.authority.universal_id).ok();
        let named = domains.resolve(&identifier);
        named.or_else(|| foreign().map(|oid| PatientId::new(&identifier.id, oid)))
    });
    let mut person = Demographics::default();
    if let Ok(change) = v2::change(pid) {
        change.apply(&mut person);
    }
    Match { identifiers: identifiers.collect(), person: Box::new(person), degree: 100, visit: None }
}

/// Where errors are, here and in ITI-22.
pub(super) fn locate(place: &Place) -> Option<Location> {
    Some(match place {
        Place::Parameter(number) => Location::field("QPD", 3).repetition(*number),
        Place::Wanted(number) => Location::field("QPD", 8).repetition(*number),
        Place::Continuation => Location::field("DSC", 1),
        _ => return locate_field(place),
    })
}
