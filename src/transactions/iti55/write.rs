//! Writing ITI-55, in the order of the schemas of the Normative Edition 2008.

use bytes::Bytes;

use super::{ATTRIBUTE_CODES, Discovery, DiscoveryResponse, Found, Outcome, REASON_CODES, Received};
use crate::demographics::v3::{Detail, OtherIds, write_id, write_person};
use crate::ids::{HomeCommunityId, PatientId};
use crate::transactions::hl7v3::query::{FindQuery, write_query};
use crate::transactions::hl7v3::registration::{Custodian, write_degree, write_status, write_subject};
use crate::transactions::hl7v3::{
    AckCode, AckDetail, Acknowledgement, CANDIDATES_FOUND, FIND_CANDIDATES, Header, Ii, Party, QueryAck,
    ResponseCode, Transmission, errors_of, open_control_act,
};
use crate::transactions::identity::{Answer, Place};
use crate::transactions::iti44::write_acknowledgement;
use crate::wire::xml::{Ns, Writer};

/// detectedIssueEvent/code, whatever the issue.
const ISSUE: (&str, &str) = ("_ActAdministrativeDetectedIssueManagementCode", "2.16.840.1.113883.5.4");

/// Between whom a question is sent, and under which id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking<'a> {
    /// queryId: the answer names it.
    pub query: Ii,
    /// The device that asks.
    pub sender: &'a str,
    /// The device that is asked.
    pub receiver: &'a str,
    /// respondTo: where a deferred answer goes.
    pub respond_to: Option<&'a str>,
}

/// Writes a question; it declares its namespaces.
pub fn write_request(question: &Discovery, asking: &Asking<'_>) -> Bytes {
    let home = question.home.as_ref().map(|home| home.oid().as_str().to_owned());
    let sender = Party { organization: home, ..Party::of_device(asking.sender) };
    let receiver = Party::of_device(asking.receiver);
    let mut out = Writer::with_capacity(4096);
    let header = Header { respond_to: asking.respond_to, ..Header::new(&sender, &receiver) };
    header.open(&mut out, &FIND_CANDIDATES);
    open_control_act(&mut out, &FIND_CANDIDATES);
    if let Some(authority) = &question.authority {
        out.start(Ns::HL7, "authorOrPerformer").attr("typeCode", "AUT");
        out.start(Ns::HL7, "assignedDevice").attr("classCode", "ASSIGNED");
        write_id(&mut out, "id", authority.as_str(), None);
        out.end().end();
    }
    let find = FindQuery { who: question.who.clone(), page: None, priority: question.priority };
    write_query(&mut out, &asking.query, &find);
    out.end().end();
    Bytes::from(out.finish())
}

/// Writes the answer to a question; `own` is the community that answers. It declares its namespaces.
pub fn write_response(response: &DiscoveryResponse, asked: &Received, own: &HomeCommunityId) -> Bytes {
    let (ack, code) = match &response.outcome {
        Outcome::Found(found) if found.is_empty() => (AckCode::Answered, ResponseCode::NotFound),
        Outcome::Found(_) | Outcome::AskForMore(_) => (AckCode::Answered, ResponseCode::Found),
        Outcome::Cannot(_) => (AckCode::Error, ResponseCode::Error),
    };
    let target = asked.transmission.message.clone();
    let acknowledgement = Acknowledgement { code: ack, target, details: Vec::new() };
    let mut out = Writer::with_capacity(8192);
    let organization = Some(own.oid().as_str().to_owned());
    let sender = Party { organization, ..asked.transmission.receiver.clone() };
    let header = Header { sender: &sender, ..Header::answer(&asked.transmission, &acknowledgement) };
    header.open(&mut out, &CANDIDATES_FOUND);
    open_control_act(&mut out, &CANDIDATES_FOUND);
    match &response.outcome {
        Outcome::Found(found) => found.iter().for_each(|found| write_found(&mut out, found, own)),
        Outcome::AskForMore(attributes) => {
            let act = ("triggerFor", "TRIG", "actOrderRequired", "RQO");
            write_issue(&mut out, act, attributes.iter().map(|attribute| attribute.code()), ATTRIBUTE_CODES);
        }
        Outcome::Cannot(reason) => {
            let act = ("mitigatedBy", "MITGT", "detectedIssueManagement", "EVN");
            write_issue(&mut out, act, [reason.code()], REASON_CODES);
        }
    }
    QueryAck { query: asked.echo.id.clone(), code, quantities: None }.write(&mut out);
    asked.echo.write(&mut out);
    out.end().end();
    Bytes::from(out.finish())
}

/// Writes the acknowledgement of a deferred answer.
pub fn acknowledge_answer(answer: &Transmission, taken: &Answer<()>) -> Bytes {
    const QUERY_ID: &str = "/PRPA_IN201306UV02/controlActProcess/queryAck/queryId";
    let locate = |place: &Place| matches!(place, Place::Continuation).then(|| QUERY_ID.to_owned());
    let errors = errors_of(taken);
    let details = errors.iter().map(|error| AckDetail::of(error, locate)).collect();
    write_acknowledgement(answer, AckCode::of_message(errors), details)
}

fn write_found(out: &mut Writer, found: &Found, own: &HomeCommunityId) {
    let home = found.home.as_ref().unwrap_or(own);
    let custodian = Custodian { root: home.oid().as_str().to_owned(), locator: found.locator };
    let patient = |out: &mut Writer| {
        write_id(out, "id", found.patient.authority().as_str(), Some(found.patient.id()));
        write_status(out, "active");
        write_person(out, &found.person, &by_domain(&found.others), Detail::All);
        write_degree(out, found.degree.min(100));
    };
    write_subject(out, &custodian, patient, |_| {});
}

fn by_domain(ids: &[PatientId]) -> Vec<OtherIds<'_>> {
    let mut domains: Vec<OtherIds<'_>> = Vec::new();
    for id in ids {
        let root = id.authority().as_str();
        match domains.iter_mut().find(|domain| domain.root == root) {
            Some(domain) => domain.extensions.push(id.id()),
            None => domains.push(OtherIds { root, extensions: vec![id.id()] }),
        }
    }
    domains
}

fn write_issue<'a>(
    out: &mut Writer,
    (link, type_code, act, mood): (&str, &str, &str, &str),
    codes: impl IntoIterator<Item = &'a str>,
    code_system: &str,
) {
    out.start(Ns::HL7, "reasonOf").attr("typeCode", "RSON");
    out.start(Ns::HL7, "detectedIssueEvent").attr("classCode", "ALRT").attr("moodCode", "EVN");
    out.start(Ns::HL7, "code").attr("code", ISSUE.0).attr("codeSystem", ISSUE.1).end();
    for code in codes {
        out.start(Ns::HL7, link).attr("typeCode", type_code);
        out.start(Ns::HL7, act).attr("classCode", "ACT").attr("moodCode", mood);
        out.start(Ns::HL7, "code").attr("code", code).attr("codeSystem", code_system).end();
        out.end().end();
    }
    out.end().end();
}
