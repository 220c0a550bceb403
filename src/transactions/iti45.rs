//! ITI-45 PIXV3 Query (ITI TF-2: 3.45): which identifiers correspond to one.

use bytes::Bytes;

use super::hl7v3::known::write_identifier_query;
use super::hl7v3::registration::{Custodian, write_status, write_subject};
use super::hl7v3::{
    AckCode, AckDetail, Acknowledgement, Echo, GET_IDENTIFIERS, Header, IDENTIFIERS_FOUND, Ii, QueryAck,
    ResponseCode, Transmission, errors_of, open_control_act,
};
use super::identity::{Answer, Corresponding, CorrespondingQuery, ErrorCode, IdentityError, Place};
use super::{Malformed, Transaction};
use crate::demographics::Authority;
use crate::demographics::v3::{Detail, read_authority, read_identifier, write_id, write_person};
use crate::ids::Oid;
use crate::limits;
use crate::wire::xml::{Element, Ns, Writer};

/// The transaction.
pub const ITI45: Transaction = Transaction {
    id: "ITI-45",
    name: "PIXV3 Query",
    action: "urn:hl7-org:v3:PRPA_IN201309UV02",
    response_action: "urn:hl7-org:v3:PRPA_IN201310UV02",
    body: (Ns::HL7, GET_IDENTIFIERS.id),
    mtom: false,
};

const PATIENT: &str = "patientIdentifier";
const WANTED: &str = "dataSource";

/// What the answer to a query needs of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    transmission: Transmission,
    echo: Echo,
}

/// Reads a PRPA_IN201309UV02: what is asked, unless something in it is wrong.
pub fn read_request(body: Element<'_>) -> Result<(Answer<CorrespondingQuery>, Reply), Malformed> {
    let transmission = Transmission::read(body, &GET_IDENTIFIERS)?;
    let (query, echo) = Echo::read(body)?;
    let asked = read_query(query);
    let echo = echo.valid(&asked, |out, id| write_what_can_be_read(out, id, query));
    Ok((asked, Reply { transmission, echo }))
}

/// The values of a parameter.
fn values<'t>(query: Element<'t>, parameter: &'static str) -> impl Iterator<Item = Element<'t>> + use<'t> {
    let lists = query.children_named(Ns::HL7, "parameterList");
    let named = lists.flat_map(move |list| list.children_named(Ns::HL7, parameter));
    named.flat_map(|parameter| parameter.children_named(Ns::HL7, "value"))
}

fn write_what_can_be_read(out: &mut Writer, id: &Ii, query: Element<'_>) {
    let by_oid = |authority: &Authority| Oid::parse(&authority.universal_id).is_ok();
    let most = limits::MAX_V3_PARAMETER_VALUES;
    let patients = values(query, PATIENT).filter_map(read_identifier).filter(|id| by_oid(&id.authority));
    let wanted = values(query, WANTED).filter_map(read_authority).filter(by_oid);
    let (patients, wanted): (Vec<_>, Vec<_>) = (patients.take(most).collect(), wanted.take(most).collect());
    write_identifier_query(out, id, &patients, &wanted);
}

fn read_query(query: Element<'_>) -> Answer<CorrespondingQuery> {
    let refuse = |code, place, text: String| Err(vec![IdentityError::new(code, place, text)]);
    let mut patients = values(query, PATIENT);
    let (Some(patient), None) = (patients.next(), patients.next()) else {
        let text = "the query must name one patientIdentifier".to_owned();
        return refuse(ErrorCode::RequiredFieldMissing, Place::Asked, text);
    };
    let Some(patient) = read_identifier(patient) else {
        return refuse(
            ErrorCode::RequiredFieldMissing,
            Place::Asked,
            "patientIdentifier has no value".to_owned(),
        );
    };
    // A value that names no domain keeps its place: errors are told by number.
    let most = limits::MAX_V3_PARAMETER_VALUES;
    let wanted: Vec<_> = values(query, WANTED)
        .map(|domain| read_authority(domain).unwrap_or_default())
        .take(most + 1)
        .collect();
    if wanted.len() > most {
        let text = format!("dataSource repeats more than {most} times");
        return refuse(ErrorCode::DataType, Place::Wanted(most + 1), text);
    }
    Ok(CorrespondingQuery { patient, wanted })
}

/// The XPath of a place in the query.
fn locate(place: &Place) -> Option<String> {
    let parameter =
        |name| format!("/PRPA_IN201309UV02/controlActProcess/queryByParameter/parameterList/{name}/value");
    match place {
        Place::Asked | Place::AskedAuthority => Some(parameter("patientIdentifier".to_owned())),
        Place::Wanted(number) => Some(parameter(format!("dataSource[{number}]"))),
        _ => None,
    }
}

impl Reply {
    /// Writes the answer, a PRPA_IN201310UV02: all corresponding identifiers as Patient.id of one registration event, or none
    /// (ITI TF-2: 3.45.4.2.3).
    pub fn write(&self, answer: &Answer<Corresponding>, custodian: &Custodian) -> Bytes {
        let errors = errors_of(answer);
        let acknowledgement = Acknowledgement {
            code: AckCode::of_query(errors),
            target: self.transmission.message.clone(),
            details: errors.iter().map(|error| AckDetail::of(error, locate)).collect(),
        };
        let found = answer.as_ref().ok().filter(|found| !found.identifiers.is_empty());
        let code = match (answer, found) {
            (Err(_), _) => ResponseCode::Error,
            (Ok(_), None) => ResponseCode::NotFound,
            (Ok(_), Some(_)) => ResponseCode::Found,
        };
        let mut out = Writer::with_capacity(4096);
        Header::answer(&self.transmission, &acknowledgement).open(&mut out, &IDENTIFIERS_FOUND);
        open_control_act(&mut out, &IDENTIFIERS_FOUND);
        if let Some(Corresponding { identifiers, person }) = found {
            let patient = |out: &mut Writer| {
                for id in identifiers {
                    write_id(out, "id", id.authority().as_str(), Some(id.id()));
                }
                write_status(out, "active");
                write_person(out, person, &[], Detail::Names);
            };
            write_subject(&mut out, custodian, patient, |_| ());
        }
        QueryAck { query: self.echo.id.clone(), code, quantities: None }.write(&mut out);
        self.echo.write(&mut out);
        out.end().end();
        out.finish().into()
    }
}
