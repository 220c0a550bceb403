//! Reading ITI-55. What the schema lets be absent may be absent (user pain 81).

use super::lifetime;
use super::{Attribute, DeferredAnswer, Discovery, DiscoveryResponse, Found, Outcome, Reason, Received};
use crate::demographics::Identifier;
use crate::ids::{HomeCommunityId, Oid, PatientId};
use crate::limits;
use crate::transactions::Malformed;
use crate::transactions::hl7v3::query;
use crate::transactions::hl7v3::registration::{RegistrationEvent, read_events};
use crate::transactions::hl7v3::{
    CANDIDATES_FOUND, FIND_CANDIDATES, Ii, ResponseCode, Transmission, control_act, read_acknowledgement,
    read_query_ack,
};
use crate::wire::soap::Envelope;
use crate::wire::xml::{Element, Ns};

const SECTION: &str = "ITI TF-2: 3.55.4";

fn malformed(rule: &'static str, problem: impl Into<String>) -> Malformed {
    Malformed { rule, section: SECTION, problem: problem.into() }
}

fn body(envelope: &Envelope) -> Result<Element<'_>, Malformed> {
    envelope.body().ok_or_else(|| malformed("soap.body", "soap:Body is empty"))
}

/// Reads a question, immediate or deferred.
pub fn read_request(envelope: &Envelope) -> Result<Received, Malformed> {
    let body = body(envelope)?;
    let transmission = Transmission::read(body, &FIND_CANDIDATES)?;
    let (asked, echo) = query::read(body)?;
    let question = asked.map(|find| Discovery {
        who: find.who,
        home: transmission.sender.organization.as_deref().and_then(|home| HomeCommunityId::parse(home).ok()),
        authority: authority(body),
        priority: find.priority,
        time_to_live: lifetime::read(envelope),
    });
    Ok(Received { transmission, echo, question })
}

/// `authorOrPerformer[@typeCode='AUT']/assignedDevice/id/@root`.
fn authority(body: Element<'_>) -> Option<Oid> {
    let authors = control_act(body).ok()?.children_named(Ns::HL7, "authorOrPerformer");
    let mut authors = authors.filter(|author| author.attr("typeCode").is_some_and(|code| code == "AUT"));
    let id =
        authors.find_map(|author| Ii::read(author.child(Ns::HL7, "assignedDevice")?.child(Ns::HL7, "id")))?;
    Oid::parse(&id.root).ok()
}

/// Reads an answer to the query of that id.
pub fn read_response(envelope: &Envelope, query: &Ii) -> Result<DiscoveryResponse, Malformed> {
    let DeferredAnswer { query: answered, response, .. } = read_deferred_answer(envelope)?;
    // Some peers leave the id away. A wrong one is the answer to somebody else's question (user pain 80).
    if answered.is_some_and(|other| other.key() != query.key()) {
        return Err(malformed("xcpd.query-id", "queryAck/queryId is not that of the query"));
    }
    response
}

/// Reads an answer that came by itself; to which question is told by what it names.
pub fn read_deferred_answer(envelope: &Envelope) -> Result<DeferredAnswer, Malformed> {
    let body = body(envelope)?;
    let transmission = Transmission::read(body, &CANDIDATES_FOUND)?;
    let query = read_query_ack(body).map(|ack| ack.query).filter(|query| !query.root.is_empty());
    let relates_to = envelope.addressing.relates_to.clone();
    Ok(DeferredAnswer { transmission, query, relates_to, response: read_outcome(envelope, body) })
}

fn read_outcome(envelope: &Envelope, body: Element<'_>) -> Result<DiscoveryResponse, Malformed> {
    let ack = read_query_ack(body);
    let positive = read_acknowledgement(body).is_none_or(|ack| ack.code.is_positive());
    let failed = matches!(ack.map(|ack| ack.code), Some(ResponseCode::Error | ResponseCode::QueryError));
    let outcome = if !positive || failed {
        Outcome::Cannot(reason(body).unwrap_or(Reason::InternalError))
    } else {
        let found = read_found(body)?;
        let wanted = wanted(body);
        if found.is_empty() && !wanted.is_empty() {
            Outcome::AskForMore(wanted)
        } else {
            Outcome::Found(found)
        }
    };
    Ok(DiscoveryResponse { outcome, time_to_live: lifetime::read(envelope) })
}

fn read_found(body: Element<'_>) -> Result<Vec<Found>, Malformed> {
    read_events(body).into_iter().map(found).collect()
}

/// Patient.id is the identifier for everything further: without one that can be used, a match says nothing.
fn found(event: RegistrationEvent) -> Result<Found, Malformed> {
    let no_id =
        || malformed("xcpd.patient-id", "a match has no Patient.id with an OID as root and an extension");
    let own = event.patient.identifiers.iter().take(event.patient.own());
    let patient = own.clone().find_map(patient_id).ok_or_else(no_id)?;
    let others =
        event.patient.identifiers.iter().filter_map(patient_id).filter(|id| *id != patient).collect();
    let home = match event.custodian.as_deref() {
        Some(root) => Some(
            HomeCommunityId::parse(root)
                .map_err(|_| malformed("xcpd.custodian", "custodian/assignedEntity/id/@root is no OID"))?,
        ),
        None => None,
    };
    let person = Box::new(event.patient.person());
    let degree = event.degree.unwrap_or(100);
    Ok(Found { home, patient, others, person, degree, locator: event.locator })
}

fn patient_id(id: &Identifier) -> Option<PatientId> {
    let authority = Oid::parse(&id.authority.universal_id).ok()?;
    (!id.id.is_empty()).then(|| PatientId::new(&id.id, authority))
}

/// The detected issues of an answer.
fn issues(body: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    let acts = body.children_named(Ns::HL7, "controlActProcess");
    let reasons = acts.flat_map(|act| act.children_named(Ns::HL7, "reasonOf"));
    reasons.filter_map(|reason| reason.child(Ns::HL7, "detectedIssueEvent"))
}

fn codes<'t>(
    body: Element<'t>,
    link: &'static str,
    act: &'static str,
) -> impl Iterator<Item = String> + use<'t> {
    let links = issues(body).flat_map(move |issue| issue.children_named(Ns::HL7, link));
    let acts = links.filter_map(move |link| link.child(Ns::HL7, act));
    let codes = acts.filter_map(|act| Some(act.child(Ns::HL7, "code")?.attr("code")?.trim().to_owned()));
    codes.take(limits::MAX_V3_PARAMETER_VALUES)
}

fn wanted(body: Element<'_>) -> Vec<Attribute> {
    let codes: Vec<_> = codes(body, "triggerFor", "actOrderRequired").collect();
    Attribute::all().filter(|attribute| codes.iter().any(|code| code == attribute.code())).collect()
}

fn reason(body: Element<'_>) -> Option<Reason> {
    let codes: Vec<_> = codes(body, "mitigatedBy", "detectedIssueManagement").collect();
    let known = Reason::CODES.into_iter().find(|(_, text)| codes.iter().any(|code| code == text));
    known.map(|(reason, _)| reason)
}
