//! ITI-47 Patient Demographics Query HL7 V3 (ITI TF-2: 3.47), with continuation.

use bytes::Bytes;

use super::hl7v3::query::{self, FindQuery, locate};
use super::hl7v3::registration::{Custodian, write_degree, write_provider, write_status, write_subject};
use super::hl7v3::{
    AckCode, AckDetail, Acknowledgement, CANDIDATES_FOUND, CONTINUE_QUERY, Echo, FIND_CANDIDATES, Header, Ii,
    Quantities, QueryAck, ResponseCode, Transmission, control_act, errors_of, open_control_act,
};
use super::identity::{Answer, Match, Page};
use super::iti44::write_acknowledgement;
use super::{Malformed, Transaction};
use crate::demographics::v3::{Detail, OtherIds, value, write_id, write_person};
use crate::ids::Oid;
use crate::wire::xml::{Element, Ns, Writer};

/// The query.
pub const ITI47_FIND: Transaction = Transaction {
    id: "ITI-47",
    name: "Patient Demographics Query HL7 V3",
    action: "urn:hl7-org:v3:PRPA_IN201305UV02",
    response_action: "urn:hl7-org:v3:PRPA_IN201306UV02",
    body: (Ns::HL7, FIND_CANDIDATES.id),
    mtom: false,
};
/// Its next page.
pub const ITI47_CONTINUE: Transaction = Transaction {
    action: "urn:hl7-org:v3:QUQI_IN000003UV01_Continue",
    body: (Ns::HL7, CONTINUE_QUERY.id),
    ..ITI47_FIND
};
/// No further page is wanted.
pub const ITI47_CANCEL: Transaction = Transaction {
    action: "urn:hl7-org:v3:QUQI_IN000003UV01_Cancel",
    response_action: "urn:hl7-org:v3:MCCI_IN000002UV01",
    ..ITI47_CONTINUE
};
/// The same with the root element that some peers give it.
pub const ITI47_CANCEL_NAMED: Transaction =
    Transaction { body: (Ns::HL7, "QUQI_IN000003UV01_Cancel"), ..ITI47_CANCEL };

/// A query: who is looked for, and the first page of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Find {
    /// Who.
    pub query: FindQuery,
    /// Under what the rest of the answer is kept: the queryId.
    pub name: String,
}

/// A request for a further page, or for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continuation {
    /// Under what the rest of the answer is kept.
    pub name: String,
    /// The first record wanted, from 1.
    pub start: Option<usize>,
    /// The size of pages from now on.
    pub page: Option<usize>,
}

/// What the answer to either needs of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    transmission: Transmission,
    query: Ii,
    echo: Option<Echo>,
}

/// Reads a PRPA_IN201305UV02: what is asked, unless something in it is wrong.
pub fn read_find(body: Element<'_>) -> Result<(Answer<Find>, Reply), Malformed> {
    let transmission = Transmission::read(body, &FIND_CANDIDATES)?;
    let (asked, echo) = query::read(body)?;
    let find = asked.map(|query| Find { query, name: echo.id.key() });
    Ok((find, Reply { transmission, query: echo.id.clone(), echo: Some(echo) }))
}

/// Reads a QUQI_IN000003UV01. Its trigger event is not looked at: the Technical Framework has two (CP-ITI-455).
pub fn read_continuation(body: Element<'_>) -> Result<(Answer<Continuation>, Reply), Malformed> {
    let transmission = Transmission::read(body, &CONTINUE_QUERY)?;
    let malformed = |rule, problem: &str| Malformed {
        rule,
        section: "ITI TF-2: 3.47.4.3.2",
        problem: problem.to_owned(),
    };
    let continuation = control_act(body)?
        .child(Ns::HL7, "queryContinuation")
        .ok_or_else(|| malformed("v3.continuation", "controlActProcess has no queryContinuation"))?;
    let query = Ii::read(continuation.child(Ns::HL7, "queryId"))
        .ok_or_else(|| malformed("v3.query-id", "queryContinuation has no queryId with a root"))?;
    let number = |local| continuation.child(Ns::HL7, local).and_then(value)?.trim().parse().ok();
    let (start, page) = (number("startResultNumber"), number("continuationQuantity"));
    Ok((Ok(Continuation { name: query.key(), start, page }), Reply { transmission, query, echo: None }))
}

impl Reply {
    /// Writes a page, a PRPA_IN201306UV02.
    pub fn write(&self, answer: &Answer<Page>, custodian: &Custodian) -> Bytes {
        let Self { transmission, query, echo } = self;
        write_page(transmission, query, echo.as_ref(), answer, custodian)
    }
    /// Writes the acknowledgement of a cancellation. That nothing was open is no error.
    pub fn write_cancelled(&self) -> Bytes {
        write_acknowledgement(&self.transmission, AckCode::Accepted, Vec::new())
    }
}

fn write_page(
    request: &Transmission,
    query: &Ii,
    echo: Option<&Echo>,
    answer: &Answer<Page>,
    custodian: &Custodian,
) -> Bytes {
    let errors = errors_of(answer);
    let acknowledgement = Acknowledgement {
        code: AckCode::of_query(errors),
        target: request.message.clone(),
        details: errors
            .iter()
            .map(|error| AckDetail::of(error, |place| locate(&request.root, place)))
            .collect(),
    };
    let none = Page::default();
    let page = answer.as_ref().unwrap_or(&none);
    let code = match answer {
        Err(_) => ResponseCode::Error,
        Ok(page) if page.total == 0 => ResponseCode::NotFound,
        Ok(_) => ResponseCode::Found,
    };
    let mut out = Writer::with_capacity(4096 + 2048 * page.matches.len());
    Header::answer(request, &acknowledgement).open(&mut out, &CANDIDATES_FOUND);
    open_control_act(&mut out, &CANDIDATES_FOUND);
    for found in &page.matches {
        write_subject(&mut out, custodian, |out| write_match(out, found, &page.wanted), |_| ());
    }
    let quantities = Quantities { total: page.total, current: page.matches.len(), remaining: page.remaining };
    QueryAck { query: query.clone(), code, quantities: Some(quantities) }.write(&mut out);
    if let Some(echo) = echo {
        echo.write(&mut out);
    }
    out.end().end();
    out.finish().into()
}

/// Every identifier is a Patient.id; the wanted domains in which the patient has none are named in OtherIDs (ITI TF-2:
/// 3.47.4.2.2.4).
fn write_match(out: &mut Writer, found: &Match, wanted: &[Oid]) {
    for id in &found.identifiers {
        write_id(out, "id", id.authority().as_str(), Some(id.id()));
    }
    if found.identifiers.is_empty() {
        out.start(Ns::HL7, "id").attr("nullFlavor", "NA").end();
    }
    write_status(out, "active");
    let absent = |oid: &&Oid| found.identifiers.iter().all(|id| id.authority() != *oid);
    let absent = wanted.iter().filter(absent);
    let absent: Vec<_> = absent.map(|oid| OtherIds { root: oid.as_str(), extensions: Vec::new() }).collect();
    write_person(out, &found.person, &absent, Detail::All);
    // Optional by the schema, and demanded by peers: whoever gave the first identifier (ITI TF-2: Table 3.47.4.2.2-8).
    if let Some(first) = found.identifiers.first() {
        write_provider(out, first.authority().as_str());
    }
    write_degree(out, found.degree);
}
