//! Acknowledgements: of a message (MCCI), and of a query (queryAck) (ITI TF-2: App. O.1.2, O.2).

use super::{Ii, clipped};
use crate::demographics::v3::value;
use crate::limits;
use crate::transactions::identity::{Answer, IdentityError, Place, Retry};
use crate::wire::xml::{Element, Ns, Writer};

/// acknowledgement/typeCode. Peers mix the two families: read both wherever one is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckCode {
    /// `AA`: a query was answered.
    Answered,
    /// `AE`: it was not, and would not be if it came again.
    Error,
    /// `AR`: it was not, and may come again.
    Rejected,
    /// `CA`: a message is taken.
    Accepted,
    /// `CE`: it is not, and would not be if it came again.
    AcceptError,
    /// `CR`: it is not, and may come again.
    AcceptRejected,
}

const ACK_CODES: [(AckCode, &str); 6] = [
    (AckCode::Answered, "AA"),
    (AckCode::Error, "AE"),
    (AckCode::Rejected, "AR"),
    (AckCode::Accepted, "CA"),
    (AckCode::AcceptError, "CE"),
    (AckCode::AcceptRejected, "CR"),
];

impl AckCode {
    /// `AA` or `CA`.
    pub fn is_positive(self) -> bool {
        matches!(self, Self::Answered | Self::Accepted)
    }
    /// What a query with those errors gets.
    pub fn of_query(errors: &[IdentityError]) -> Self {
        match worst(errors) {
            None => Self::Answered,
            Some(Retry::Later) => Self::Rejected,
            Some(Retry::Pointless) => Self::Error,
        }
    }
    /// What a message with those errors gets.
    pub fn of_message(errors: &[IdentityError]) -> Self {
        match worst(errors) {
            None => Self::Accepted,
            Some(Retry::Later) => Self::AcceptRejected,
            Some(Retry::Pointless) => Self::AcceptError,
        }
    }
}

/// What is wrong, if an actor found something.
pub fn errors_of<T>(answer: &Answer<T>) -> &[IdentityError] {
    answer.as_ref().err().map(Vec::as_slice).unwrap_or_default()
}

/// Pointless as soon as one error would come again.
fn worst(errors: &[IdentityError]) -> Option<Retry> {
    let pointless = errors.iter().any(|error| error.retry == Retry::Pointless);
    (!errors.is_empty()).then_some(if pointless { Retry::Pointless } else { Retry::Later })
}

/// An acknowledgement of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// How it went.
    pub code: AckCode,
    /// The message that is acknowledged.
    pub target: Ii,
    /// Why it went so.
    pub details: Vec<AckDetail>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AckDetail {
    /// `204`, `NS250`; empty if none.
    pub code: String,
    /// Of the code, where it has one.
    pub code_system: Option<&'static str>,
    /// The code's name.
    pub display: Option<&'static str>,
    /// For people.
    pub text: String,
    /// XPaths of what is wrong.
    pub locations: Vec<String>,
}

impl AckDetail {
    /// What an actor finds wrong; `locate` is the transaction's table of XPaths.
    pub fn of(error: &IdentityError, locate: impl Fn(&Place) -> Option<String>) -> Self {
        Self {
            code: (error.code as u16).to_string(),
            text: error.text.clone(),
            locations: locate(&error.place).into_iter().collect(),
            ..Self::default()
        }
    }
}

impl Acknowledgement {
    pub(super) fn write(&self, out: &mut Writer) {
        let code = ACK_CODES.iter().find(|(code, _)| *code == self.code).map_or("AE", |(_, text)| text);
        out.start(Ns::HL7, "acknowledgement");
        out.start(Ns::HL7, "typeCode").attr("code", code).end();
        out.start(Ns::HL7, "targetMessage");
        self.target.write(out, "id");
        out.end();
        for detail in &self.details {
            out.start(Ns::HL7, "acknowledgementDetail").attr("typeCode", "E");
            if !detail.code.is_empty() {
                out.start(Ns::HL7, "code").attr("code", &detail.code);
                out.attr_opt("codeSystem", detail.code_system).attr_opt("displayName", detail.display).end();
            }
            if !detail.text.is_empty() {
                out.leaf(Ns::HL7, "text", &detail.text);
            }
            for location in &detail.locations {
                out.leaf(Ns::HL7, "location", location);
            }
            out.end();
        }
        out.end();
    }
}

/// Reads the acknowledgement of a message, if it has one with a code that is known. Its details are a peer's: text for
/// operators, cut to a bound.
pub fn read_acknowledgement(body: Element<'_>) -> Option<Acknowledgement> {
    let element = body.child(Ns::HL7, "acknowledgement")?;
    // Drafts of the schema had typeCode as an attribute, and some peers still write it so.
    let type_code = element.child(Ns::HL7, "typeCode").and_then(|code| code.attr("code"));
    let type_code = type_code.or_else(|| element.attr("typeCode"))?;
    let code = ACK_CODES.iter().find(|(_, text)| *text == type_code.trim()).map(|(code, _)| *code)?;
    let target =
        element.child(Ns::HL7, "targetMessage").and_then(|target| Ii::read(target.child(Ns::HL7, "id")));
    let details =
        element.children_named(Ns::HL7, "acknowledgementDetail").take(limits::MAX_V3_PARAMETER_VALUES);
    let detail = |element: Element<'_>| {
        let child = |local| element.child(Ns::HL7, local);
        let code = child("code").and_then(|code| code.attr("code")).unwrap_or_default();
        let text =
            child("text").map(|text| text.text().trim().chars().take(limits::MAX_V3_DETAIL_CHARS).collect());
        AckDetail { code: clipped(&code).to_owned(), text: text.unwrap_or_default(), ..AckDetail::default() }
    };
    Some(Acknowledgement { code, target: target.unwrap_or_default(), details: details.map(detail).collect() })
}

/// queryAck/queryResponseCode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseCode {
    /// `OK`: something was found.
    Found,
    /// `NF`: nothing was.
    NotFound,
    /// `AE`: the answerer failed or refused.
    Error,
    /// `QE`: the query is wrong.
    QueryError,
}

const RESPONSE_CODES: [(ResponseCode, &str); 4] = [
    (ResponseCode::Found, "OK"),
    (ResponseCode::NotFound, "NF"),
    (ResponseCode::Error, "AE"),
    (ResponseCode::QueryError, "QE"),
];

/// How many results there are (ITI-47).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quantities {
    /// Of the whole answer.
    pub total: usize,
    /// In this message.
    pub current: usize,
    /// Behind it.
    pub remaining: usize,
}

/// What an answer says of the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryAck {
    /// The query's id.
    pub query: Ii,
    /// What became of it.
    pub code: ResponseCode,
    /// Only ITI-47 has them.
    pub quantities: Option<Quantities>,
}

impl QueryAck {
    /// Writes it.
    pub fn write(&self, out: &mut Writer) {
        let code = RESPONSE_CODES.iter().find(|(code, _)| *code == self.code).map_or("AE", |(_, text)| text);
        let delivered = matches!(self.code, ResponseCode::Found | ResponseCode::NotFound);
        out.start(Ns::HL7, "queryAck");
        self.query.write(out, "queryId");
        let status = if delivered { "deliveredResponse" } else { "aborted" };
        out.start(Ns::HL7, "statusCode").attr("code", status).end();
        out.start(Ns::HL7, "queryResponseCode").attr("code", code).end();
        if let Some(Quantities { total, current, remaining }) = self.quantities {
            for (which, number) in [("Total", total), ("Current", current), ("Remaining", remaining)] {
                let local = format!("result{which}Quantity");
                out.start(Ns::HL7, &local).attr("value", &number.to_string()).end();
            }
        }
        out.end();
    }
}

/// Reads the queryAck of an answer, if it has one with a code that is known.
pub fn read_query_ack(body: Element<'_>) -> Option<QueryAck> {
    let ack = body.child(Ns::HL7, "controlActProcess")?.child(Ns::HL7, "queryAck")?;
    let code = ack.child(Ns::HL7, "queryResponseCode")?.attr("code")?;
    let code = RESPONSE_CODES.iter().find(|(_, text)| *text == code.trim()).map(|(code, _)| *code)?;
    let number = |which: &str| {
        let element = ack.child(Ns::HL7, &format!("result{which}Quantity"))?;
        value(element)?.trim().parse().ok()
    };
    let quantities = || {
        Some(Quantities {
            total: number("Total")?,
            current: number("Current")?,
            remaining: number("Remaining")?,
        })
    };
    let query = Ii::read(ack.child(Ns::HL7, "queryId")).unwrap_or_default();
    Some(QueryAck { query, code, quantities: quantities() })
}
