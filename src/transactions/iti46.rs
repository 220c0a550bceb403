//! ITI-46 PIXV3 Update Notification (ITI TF-2: 3.46): the revise message of ITI-44, the other way. Both sides: a PIX Manager
//! writes it, a PIX Consumer reads it. On the wire only the endpoint tells the two transactions apart.

use bytes::Bytes;

use super::hl7v3::registration::{Custodian, read_events, write_status, write_subject};
use super::hl7v3::{
    AckCode, AckDetail, Acknowledgement, Header, Ii, Party, RECORD_REVISED, Transmission, errors_of,
    open_control_act, read_acknowledgement,
};
use super::identity::{Answer, ErrorCode, IdentifiersChanged, IdentityError, Place};
use super::iti44::{ITI44_REVISE, write_acknowledgement};
use super::{Malformed, Transaction};
use crate::demographics::Identifier;
use crate::demographics::v3::{Detail, write_id, write_person};
use crate::ids::{Oid, PatientId};
use crate::wire::xml::{Element, Writer};

/// The transaction.
pub const ITI46: Transaction =
    Transaction { id: "ITI-46", name: "PIXV3 Update Notification", ..ITI44_REVISE };

/// Writes a notification under that message id: all identifiers that are one person's, as Patient.id.
pub fn write_request(
    message: Ii,
    changed: &IdentifiersChanged,
    sender: &Party,
    receiver: &Party,
    custodian: &Custodian,
) -> Bytes {
    let mut out = Writer::with_capacity(4096);
    Header { message, ..Header::new(sender, receiver) }.open(&mut out, &RECORD_REVISED);
    open_control_act(&mut out, &RECORD_REVISED);
    let patient = |out: &mut Writer| {
        for id in &changed.identifiers {
            write_id(out, "id", id.authority().as_str(), Some(id.id()));
        }
        write_status(out, "active");
        write_person(out, &changed.person, &[], Detail::Names);
    };
    write_subject(&mut out, custodian, patient, |_| ());
    out.end().end();
    out.finish().into()
}

/// Reads the acknowledgement of a notification; `CA` and `AA` mean that it arrived.
pub fn read_response(body: Element<'_>) -> Result<Acknowledgement, Malformed> {
    read_acknowledgement(body).ok_or_else(|| Malformed {
        rule: "v3.acknowledgement",
        section: "ITI TF-2: 3.46.4.1.3",
        problem: format!("{} has no acknowledgement with a code", body.local()),
    })
}

/// What the acknowledgement of a notification needs of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    transmission: Transmission,
}

/// Reads a notification: what it tells, unless something in it is wrong.
pub fn read_request(body: Element<'_>) -> Result<(Answer<IdentifiersChanged>, Reply), Malformed> {
    let transmission = Transmission::read(body, &RECORD_REVISED)?;
    let mut events = read_events(body).into_iter();
    let (Some(event), None) = (events.next(), events.next()) else {
        return Err(Malformed {
            rule: "v3.subject",
            section: "ITI TF-2: 3.46.4.1.2",
            problem: "the message must have one registrationEvent with a patient".to_owned(),
        });
    };
    let by_oid = |id: &Identifier| {
        let authority = Oid::parse(&id.authority.universal_id).ok()?;
        (!id.id.is_empty()).then(|| PatientId::new(&id.id, authority))
    };
    let identifiers: Vec<_> = event.patient.identifiers.iter().filter_map(by_oid).collect();
    let changed = if identifiers.is_empty() {
        let text = "the patient has no id with an OID as root";
        Err(vec![IdentityError::new(ErrorCode::RequiredFieldMissing, Place::Identifier(1), text)])
    } else {
        Ok(IdentifiersChanged { identifiers, person: Box::new(event.patient.person()) })
    };
    Ok((changed, Reply { transmission }))
}

impl Reply {
    /// Writes the acknowledgement.
    pub fn write(&self, answer: &Answer<()>) -> Bytes {
        const PATIENT_ID: &str =
            "/PRPA_IN201302UV02/controlActProcess/subject/registrationEvent/subject1/patient/id";
        let locate = |place: &Place| matches!(place, Place::Identifier(_)).then(|| PATIENT_ID.to_owned());
        let errors = errors_of(answer);
        let details = errors.iter().map(|error| AckDetail::of(error, locate)).collect();
        write_acknowledgement(&self.transmission, AckCode::of_message(errors), details)
    }
}
