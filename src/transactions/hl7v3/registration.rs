//! Registration events: a subject of the control act with a patient and the custodian of the record (MFMI_MT700701UV01,
//! MFMI_MT700711UV01; ITI TF-2: 3.44 to 3.47, 3.55.4.2.2).

use crate::demographics::v3::{PatientContent, read_patient, value, write_id};
use crate::limits;
use crate::wire::xml::{Element, Ns, Writer};

use super::Ii;

/// Codes of custodians (ITI TF-2: 3.55.4.2.2.4).
const CUSTODIAN_CODES: &str = "1.3.6.1.4.1.19376.1.2.27.2";

/// Who keeps a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Custodian {
    /// custodian/assignedEntity/id/@root: an organisation's OID; the homeCommunityId, bare, in ITI-55.
    pub root: String,
    /// Whether ITI-56 is answered for the patient.
    pub locator: HealthDataLocator,
}

/// Whether a custodian answers ITI-56 for a patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HealthDataLocator {
    /// `SupportsHealthDataLocator`.
    Supported,
    /// `NotHealthDataLocator`.
    #[default]
    NotSupported,
}

impl HealthDataLocator {
    fn code(self) -> &'static str {
        match self {
            Self::Supported => "SupportsHealthDataLocator",
            Self::NotSupported => "NotHealthDataLocator",
        }
    }
}

/// Writes a subject: a registration event whose patient's content `patient` writes, in `<patient>`, from the first id on;
/// `behind` writes what comes behind the custodian.
pub fn write_subject(
    out: &mut Writer,
    custodian: &Custodian,
    patient: impl FnOnce(&mut Writer),
    behind: impl FnOnce(&mut Writer),
) {
    out.start(Ns::HL7, "subject").attr("typeCode", "SUBJ").attr("contextConductionInd", "false");
    out.start(Ns::HL7, "registrationEvent").attr("classCode", "REG").attr("moodCode", "EVN");
    out.start(Ns::HL7, "id").attr("nullFlavor", "NA").end();
    write_status(out, "active");
    out.start(Ns::HL7, "subject1").attr("typeCode", "SBJ");
    out.start(Ns::HL7, "patient").attr("classCode", "PAT");
    patient(out);
    out.end().end();
    out.start(Ns::HL7, "custodian").attr("typeCode", "CST");
    out.start(Ns::HL7, "assignedEntity").attr("classCode", "ASSIGNED");
    write_id(out, "id", &custodian.root, None);
    out.start(Ns::HL7, "code")
        .attr("code", custodian.locator.code())
        .attr("codeSystem", CUSTODIAN_CODES)
        .end();
    out.end().end();
    behind(out);
    out.end().end();
}

/// Writes a statusCode.
pub fn write_status(out: &mut Writer, code: &str) {
    out.start(Ns::HL7, "statusCode").attr("code", code).end();
}

/// Writes providerOrganization: by its OID, and with a contact of which nothing is said, since one is demanded.
pub fn write_provider(out: &mut Writer, root: &str) {
    out.start(Ns::HL7, "providerOrganization").attr("classCode", "ORG").attr("determinerCode", "INSTANCE");
    write_id(out, "id", root, None);
    out.start(Ns::HL7, "contactParty").attr("classCode", "CON");
    out.start(Ns::HL7, "telecom").attr("nullFlavor", "NI").end();
    out.end().end();
}

/// Writes subjectOf1 of an answer's patient: how well it matches, 0 to 100.
pub fn write_degree(out: &mut Writer, degree: u8) {
    out.start(Ns::HL7, "subjectOf1").start(Ns::HL7, "queryMatchObservation");
    out.attr("classCode", "OBS").attr("moodCode", "EVN");
    out.start(Ns::HL7, "code").attr("code", "IHE_PDQ").end();
    out.start(Ns::HL7, "value").attr_ns(Ns::XSI, "type", "hl7:INT").attr("value", &degree.to_string()).end();
    out.end().end();
}

/// A registration event as received. All of it may be missing (user pain 81).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegistrationEvent {
    /// Its patient.
    pub patient: PatientContent,
    /// Its custodian's OID.
    pub custodian: Option<String>,
    /// Whether the custodian answers ITI-56.
    pub locator: HealthDataLocator,
    /// How well the patient matches, where that is said.
    pub degree: Option<u8>,
}

/// The registration events of a message, up to a bound; those without a patient are left out.
pub fn read_events(body: Element<'_>) -> Vec<RegistrationEvent> {
    events(body)
        .filter_map(|event| read_event(event, patient_of(event)?))
        .take(limits::MAX_QUERY_RESULTS)
        .collect()
}

/// The registrationEvent elements of a message.
pub fn events(body: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    let acts = body.children_named(Ns::HL7, "controlActProcess");
    let subjects = acts.flat_map(|act| act.children_named(Ns::HL7, "subject"));
    subjects.flat_map(|subject| subject.children_named(Ns::HL7, "registrationEvent"))
}

/// The patient of a registration event.
pub fn patient_of(event: Element<'_>) -> Option<Element<'_>> {
    event.child(Ns::HL7, "subject1")?.child(Ns::HL7, "patient")
}

fn read_event(event: Element<'_>, patient: Element<'_>) -> Option<RegistrationEvent> {
    let custodian = event.child(Ns::HL7, "custodian");
    let entity = custodian.and_then(|custodian| custodian.child(Ns::HL7, "assignedEntity"));
    let code = entity.and_then(|entity| entity.child(Ns::HL7, "code")).and_then(|code| code.attr("code"));
    let supported = code.is_some_and(|code| code == HealthDataLocator::Supported.code());
    let observations = patient.children_named(Ns::HL7, "subjectOf1");
    let mut observations = observations.flat_map(|of| of.children_named(Ns::HL7, "queryMatchObservation"));
    let degree = observations.find_map(|of| value(of.child(Ns::HL7, "value")?)?.trim().parse::<f64>().ok());
    Some(RegistrationEvent {
        patient: read_patient(patient),
        custodian: entity.and_then(|entity| Ii::read(entity.child(Ns::HL7, "id"))).map(|id| id.root),
        locator: if supported { HealthDataLocator::Supported } else { HealthDataLocator::NotSupported },
        degree: degree.map(|degree| degree.clamp(0.0, 100.0) as u8),
    })
}
