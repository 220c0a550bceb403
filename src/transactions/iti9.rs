//! ITI-9 PIX Query (ITI TF-2: 3.9): QBP^Q23, answered by RSP^K23, in 2.5.

use super::hl7v2::structure::{QBP_Q21, RSP_K23};
use super::hl7v2::{
    AckCode, Parties, Refusal, Reply, Transaction, Trigger, accepted, answer as head, locate_field,
    request as header, required,
};
use super::identity::{Answer, Corresponding, CorrespondingQuery, ErrorCode, IdentityError, Place};
use crate::demographics::{Authority, Domains, Identifier, v2};
use crate::wire::hl7v2::{Field, Location, Message, MessageWriter, SegmentWriter, Value};

/// The transaction.
pub const TRANSACTION: Transaction =
    Transaction { id: "ITI-9", name: "PIX Query", triggers: &[QUERY], locate };

const QUERY: Trigger = Trigger { code: "QBP", event: "Q23", structure: &QBP_Q21 };
const ANSWER: Trigger = Trigger { code: "RSP", event: "K23", structure: &RSP_K23 };

const VERSION: &str = "2.5";

/// Reads a query.
pub fn read(message: &Message) -> Answer<CorrespondingQuery> {
    let qpd = required(message, "QPD")?;
    let patient = v2::identifier(qpd.field(3).repetition(1));
    if patient.id.is_empty() {
        let text = "QPD-3.1 must be a patient identifier";
        return Err(vec![IdentityError::new(ErrorCode::RequiredFieldMissing, Place::Asked, text)]);
    }
    Ok(CorrespondingQuery { patient, wanted: authorities(qpd.field(4)) })
}

/// Domains wanted: CX with only the authority, in QPD-4 and QPD-8.
pub(super) fn authorities(field: Field<'_>) -> Vec<Authority> {
    let all = field.repetitions().map(|cx| v2::authority(cx.component(4)));
    all.filter(|authority| !authority.is_empty()).collect()
}

/// Writes the answer. Of several unknown domains it names one (ITI TF-2: 3.9.4.2.2.6, case 5).
pub fn answer(to: &Message, answered: Answer<Corresponding>, domains: &Domains) -> Reply {
    let (found, mut errors) = match answered {
        Ok(found) => (found.identifiers, Vec::new()),
        Err(errors) => (Vec::new(), errors),
    };
    errors.truncate(1);
    let code = AckCode::of(&errors);
    let mut message = head(to, &ANSWER, Some(&TRANSACTION), code.application(), &errors);
    push_query(&mut message, to, code, found.len());
    if !found.is_empty() {
        let pid = message.segment("PID");
        for patient in &found {
            pid.add(3, v2::patient_cx(patient, domains));
        }
        // No name is told: the first repetition is empty, the second says so (ITI TF-2: 3.9.4.2.2.5).
        pid.add(5, "").add(5, ["", "", "", "", "", "", "S"]);
    }
    Reply { message, code, errors }
}

/// Adds QAK and the question's QPD; gives QAK for more to be said in it.
pub(super) fn push_query(message: &mut MessageWriter, to: &Message, code: AckCode, count: usize) {
    let mut qak = SegmentWriter::new("QAK");
    qak.copy(1, to.field("QPD", 2)).copy(3, to.field("QPD", 1)).set(
        2,
        match (code, count) {
            (AckCode::Accept, 0) => "NF",
            (AckCode::Accept, _) => "OK",
            (AckCode::Error, _) => "AE",
            (AckCode::Reject, _) => "AR",
        },
    );
    message.push(qak);
    if let Some(qpd) = to.segment("QPD") {
        message.push(SegmentWriter::copy_of(qpd));
    }
}

/// Writes a query; `tag` is QPD-2.
pub fn request(query: &CorrespondingQuery, tag: &str, parties: &Parties, control_id: &str) -> MessageWriter {
    let mut message = header(parties, &QUERY, VERSION, control_id);
    let qpd = message.segment("QPD");
    qpd.set(1, "IHE PIX Query").set(2, tag).set(3, v2::cx(&query.patient));
    for authority in &query.wanted {
        qpd.add(4, wanted(authority));
    }
    message.segment("RCP").set(1, "I");
    message
}

/// A domain that is wanted.
pub(super) fn wanted(authority: &Authority) -> Value {
    v2::cx(&Identifier { authority: authority.clone(), ..Identifier::default() })
}

/// Reads an answer: none means that the patient is known and nothing is linked.
pub fn read_answer(answer: &Message, control_id: &str) -> Result<Vec<Identifier>, Refusal> {
    accepted(answer, control_id)?;
    let identifiers = answer.segments_named("PID").flat_map(|pid| v2::identifiers(pid.field(3)));
    Ok(identifiers.filter(|identifier| !identifier.id.is_empty()).collect())
}

fn locate(place: &Place) -> Option<Location> {
    Some(match place {
        Place::Asked => Location::field("QPD", 3).component(1),
        Place::AskedAuthority => Location::field("QPD", 3).component(4),
        Place::Wanted(number) => Location::field("QPD", 4).repetition(*number),
        _ => return locate_field(place),
    })
}
