//! Asking a PIX Manager (ITI-45) about one identifier, or a Patient Demographics Supplier (ITI-47), as the gateway does: the
//! consumer's side of both (ITI TF-2: 3.45.4.1, 3.47.4.1).

use bytes::Bytes;

use super::query::{FindQuery, write_query};
use super::registration::{RegistrationEvent, read_events};
use super::{
    CANDIDATES_FOUND, FIND_CANDIDATES, GET_IDENTIFIERS, Header, IDENTIFIERS_FOUND, Ii, Party, ResponseCode,
    Transmission, open_control_act, read_acknowledgement, read_query_ack,
};
use crate::demographics::v3::write_id;
use crate::demographics::{Authority, Identifier};
use crate::transactions::Malformed;
use crate::transactions::identity::DemographicsQuery;
use crate::wire::soap::Envelope;
use crate::wire::xml::{Ns, Writer};

/// acknowledgementDetail/code of an identifier or domain that is unknown (HL7 table 0357).
const UNKNOWN_KEY: &str = "204";

/// What became of the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// These fit; none: known, and nothing corresponds.
    People {
        /// They.
        found: Vec<RegistrationEvent>,
        /// How many are left for further pages.
        remaining: usize,
    },
    /// The identifier, or its domain, is unknown there.
    Unknown,
    /// It did not answer the question.
    Refused,
}

/// ITI-45: the corresponding identifiers in all domains.
pub fn write_pix_query(patient: &Identifier, device: &str) -> Bytes {
    let mut out = Writer::with_capacity(2048);
    let party = Party::of_device(device);
    Header::new(&party, &party).open(&mut out, &GET_IDENTIFIERS);
    open_control_act(&mut out, &GET_IDENTIFIERS);
    write_author(&mut out, device);
    write_identifier_query(&mut out, &Ii::random(), std::slice::from_ref(patient), &[]);
    out.end().end();
    out.finish().into()
}

/// Writes the queryByParameter of ITI-45.
pub fn write_identifier_query(out: &mut Writer, id: &Ii, patients: &[Identifier], wanted: &[Authority]) {
    out.start(Ns::HL7, "queryByParameter");
    id.write(out, "queryId");
    out.start(Ns::HL7, "statusCode").attr("code", "new").end();
    out.start(Ns::HL7, "responsePriorityCode").attr("code", "I").end();
    out.start(Ns::HL7, "parameterList");
    for domain in wanted {
        out.start(Ns::HL7, "dataSource");
        write_id(out, "value", &domain.universal_id, None);
        out.leaf(Ns::HL7, "semanticsText", "DataSource.id").end();
    }
    let patient = |out: &mut Writer, write: &dyn Fn(&mut Writer)| {
        out.start(Ns::HL7, "patientIdentifier");
        write(out);
        out.leaf(Ns::HL7, "semanticsText", "Patient.id").end();
    };
    for id in patients {
        patient(out, &|out| write_id(out, "value", &id.authority.universal_id, Some(&id.id)));
    }
    if patients.is_empty() {
        // The schema demands one.
        patient(out, &|out| _ = out.start(Ns::HL7, "value").attr("nullFlavor", "NI").end());
    }
    out.end().end();
}

/// ITI-47: who fits that description.
pub fn write_find_query(who: &DemographicsQuery, device: &str) -> Bytes {
    let mut out = Writer::with_capacity(2048);
    let party = Party::of_device(device);
    Header::new(&party, &party).open(&mut out, &FIND_CANDIDATES);
    open_control_act(&mut out, &FIND_CANDIDATES);
    write_query(&mut out, &Ii::random(), &FindQuery { who: who.clone(), ..FindQuery::default() });
    out.end().end();
    out.finish().into()
}

fn write_author(out: &mut Writer, device: &str) {
    out.start(Ns::HL7, "authorOrPerformer").attr("typeCode", "AUT");
    out.start(Ns::HL7, "assignedDevice").attr("classCode", "ASSIGNED");
    write_id(out, "id", device, None);
    out.end().end();
}

/// Reads either answer.
pub fn read(envelope: &Envelope) -> Result<Known, Malformed> {
    let body = envelope.body().ok_or_else(|| Malformed {
        rule: "soap.body",
        section: "ITI TF-2: V.3",
        problem: "the answer's soap:Body is empty".into(),
    })?;
    let interaction = match body.local() == IDENTIFIERS_FOUND.id {
        true => IDENTIFIERS_FOUND,
        false => CANDIDATES_FOUND,
    };
    Transmission::read(body, &interaction)?;
    let ack = read_acknowledgement(body);
    let query = read_query_ack(body);
    let failed = query
        .as_ref()
        .is_some_and(|query| matches!(query.code, ResponseCode::Error | ResponseCode::QueryError));
    let negative = ack.as_ref().is_some_and(|ack| !ack.code.is_positive());
    if failed || negative {
        let unknown = ack.is_some_and(|ack| ack.details.iter().any(|detail| detail.code == UNKNOWN_KEY));
        return Ok(if unknown { Known::Unknown } else { Known::Refused });
    }
    let remaining = query.and_then(|query| query.quantities).map_or(0, |quantities| quantities.remaining);
    Ok(Known::People { found: read_events(body), remaining })
}
