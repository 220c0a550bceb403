//! The query of PRPA_IN201305UV02 (PRPA_MT201306UV02; ITI TF-2: 3.47.4.1.2, 3.55.4.1.2): who is looked for. ITI-47 and ITI-55
//! ask in the same words.

use super::{Echo, Ii};
use crate::demographics::v3::{
    Misread, place_name, read_address, read_authority, read_birth, read_identifier, read_name, read_sex,
    read_telecom, value, write_address, write_id, write_name, write_sex, write_telecom,
};
use crate::demographics::{BirthRange, Identifier};
use crate::ids::Oid;
use crate::limits;
use crate::transactions::Malformed;
use crate::transactions::identity::{Answer, DemographicsQuery, ErrorCode, IdentityError, Place, Retry};
use crate::wire::xml::{Element, Ns, Writer};

/// Parameters and their semanticsText, in the order of the schema.
const GENDER: (&str, &str) = ("livingSubjectAdministrativeGender", "LivingSubject.administrativeGender");
const BIRTH_PLACE_ADDRESS: (&str, &str) = ("livingSubjectBirthPlaceAddress", "LivingSubject.BirthPlace.Addr");
const BIRTH_PLACE_NAME: (&str, &str) = ("livingSubjectBirthPlaceName", "LivingSubject.BirthPlace.Place.Name");
const BIRTH_TIME: (&str, &str) = ("livingSubjectBirthTime", "LivingSubject.birthTime");
const ID: (&str, &str) = ("livingSubjectId", "LivingSubject.id");
const NAME: (&str, &str) = ("livingSubjectName", "LivingSubject.name");
const MOTHERS_MAIDEN_NAME: (&str, &str) = ("mothersMaidenName", "Person.MothersMaidenName");
const SCOPING_ORGANIZATION: (&str, &str) = ("otherIDsScopingOrganization", "OtherIDs.scopingOrganization.id");
const ADDRESS: (&str, &str) = ("patientAddress", "Patient.addr");
const TELECOM: (&str, &str) = ("patientTelecom", "Patient.telecom");

/// responsePriorityCode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Priority {
    /// `I`: now.
    #[default]
    Immediate,
    /// `D`: later, to respondTo (ITI-55).
    Deferred,
}

/// A query as it stands in a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FindQuery {
    /// Who is looked for.
    pub who: DemographicsQuery,
    /// initialQuantity: the page (ITI-47).
    pub page: Option<usize>,
    /// When the answer is wanted.
    pub priority: Priority,
}

/// Reads the query of a message, and what an answer repeats of it.
pub fn read(body: Element<'_>) -> Result<(Answer<FindQuery>, Echo), Malformed> {
    let (query, echo) = Echo::read(body)?;
    let (read, errors) = read_query(query);
    let asked = if errors.is_empty() { Ok(read.clone()) } else { Err(errors) };
    let echo = echo.valid(&asked, |out, id| write_query(out, id, &nameable(read)));
    Ok((asked, echo))
}

/// Without what names no domain as V3 does: it has no place in a valid message.
fn nameable(mut query: FindQuery) -> FindQuery {
    let by_oid = |root: &str| Oid::parse(root).is_ok();
    query.who.identifiers.retain(|id: &Identifier| by_oid(&id.authority.universal_id));
    query.who.wanted.retain(|domain| by_oid(&domain.universal_id));
    query
}

/// Reads a queryByParameter. Parameters that no transaction of ours has are passed over; a value that cannot be read is an
/// error, because without it others would be found than were asked for.
pub fn read_query(query: Element<'_>) -> (FindQuery, Vec<IdentityError>) {
    let number = |local| {
        query.child(Ns::HL7, local).and_then(value).and_then(|text| text.trim().parse::<usize>().ok())
    };
    let priority = query.child(Ns::HL7, "responsePriorityCode").and_then(|code| code.attr("code"));
    let degree = query
        .child(Ns::HL7, "matchCriterionList")
        .and_then(|list| list.child(Ns::HL7, "minimumDegreeMatch"))
        .and_then(|degree| degree.child(Ns::HL7, "value"))
        .and_then(value)
        .and_then(|degree| degree.trim().parse::<u8>().ok());
    let mut parameters = Parameters { query, errors: Vec::new() };
    let who = DemographicsQuery {
        identifiers: parameters.all(ID, read_identifier),
        names: parameters.all(NAME, read_name),
        birth: parameters.birth(),
        sex: parameters.all(GENDER, read_sex).into_iter().next(),
        addresses: parameters.all(ADDRESS, read_address),
        telecoms: parameters.all(TELECOM, read_telecom),
        mothers_maiden_names: parameters.all(MOTHERS_MAIDEN_NAME, read_name),
        birth_place: parameters.all(BIRTH_PLACE_NAME, place_name).into_iter().next(),
        birth_place_address: parameters.all(BIRTH_PLACE_ADDRESS, read_address).into_iter().next(),
        // A value that names no domain keeps its place: errors are told by number.
        wanted: parameters
            .all(SCOPING_ORGANIZATION, |domain| Some(read_authority(domain).unwrap_or_default())),
        minimum_degree: degree.map(|degree| degree.min(100)),
        ..DemographicsQuery::default()
    };
    let priority = match priority.as_deref().map(str::trim) {
        Some("D") => Priority::Deferred,
        _ => Priority::Immediate,
    };
    let page = number("initialQuantity");
    (FindQuery { who, page, priority }, parameters.errors)
}

struct Parameters<'t> {
    query: Element<'t>,
    errors: Vec<IdentityError>,
}

impl<'t> Parameters<'t> {
    fn values(&self, parameter: &'static str) -> impl Iterator<Item = Element<'t>> + use<'t> {
        let lists = self.query.children_named(Ns::HL7, "parameterList");
        let named = lists.flat_map(move |list| list.children_named(Ns::HL7, parameter));
        named.flat_map(|parameter| parameter.children_named(Ns::HL7, "value"))
    }
    fn all<T>(
        &mut self,
        (parameter, _): (&'static str, &str),
        read: impl Fn(Element<'t>) -> Option<T>,
    ) -> Vec<T> {
        let most = limits::MAX_V3_PARAMETER_VALUES;
        let values: Vec<T> = self.values(parameter).filter_map(read).take(most + 1).collect();
        if values.len() > most {
            let text = format!("{parameter} repeats more than {most} times");
            self.errors.push(wrong(parameter, ErrorCode::DataType, text));
        }
        values
    }
    fn birth(&mut self) -> Option<BirthRange> {
        let ranges: Vec<_> = self.values(BIRTH_TIME.0).map(read_range).collect();
        let mut found = None;
        for range in ranges {
            match range {
                Ok(range) => found = found.or(range),
                Err(Misread { element, why }) => {
                    let text = format!("{element}: {why}");
                    self.errors.push(wrong(BIRTH_TIME.0, ErrorCode::DataType, text));
                }
            }
        }
        found
    }
}

/// An IVL_TS: one value, or a range.
fn read_range(interval: Element<'_>) -> Result<Option<BirthRange>, Misread> {
    let end = |local| {
        let end = interval.child(Ns::HL7, local).map(|end| read_birth(end, BIRTH_TIME.0));
        end.transpose().map(Option::flatten)
    };
    if let Some(time) = read_birth(interval, BIRTH_TIME.0)? {
        return Ok(Some(BirthRange::Within(time)));
    }
    if let Some(center) = end("center")? {
        return Ok(Some(BirthRange::Within(center)));
    }
    let (low, high) = (end("low")?, end("high")?);
    Ok((low.is_some() || high.is_some()).then_some(BirthRange::Between(low, high)))
}

fn wrong(parameter: &'static str, code: ErrorCode, text: String) -> IdentityError {
    IdentityError { code, place: Place::Field(parameter, 0, 0), text, retry: Retry::Pointless }
}

/// The XPath of a place in a message with that root element.
pub fn locate(root: &str, place: &Place) -> Option<String> {
    let parameter = |name: &str, number: Option<usize>| {
        let number = number.map(|number| format!("[{number}]")).unwrap_or_default();
        Some(format!("/{root}/controlActProcess/queryByParameter/parameterList/{name}{number}/value"))
    };
    match place {
        Place::Asked | Place::AskedAuthority => parameter(ID.0, None),
        Place::Identifier(number) | Place::IdentifierAuthority(number) | Place::Parameter(number) => {
            parameter(ID.0, Some(*number))
        }
        Place::Wanted(number) => parameter(SCOPING_ORGANIZATION.0, Some(*number)),
        // Actors speak of HL7 v2 where there is a number: PID-3 is who is looked for, QPD-3 all of the query.
        Place::Field("PID", 3, _) => parameter(ID.0, None),
        Place::Field(name, 0, _) => parameter(name, None),
        Place::Field(..) => Some(format!("/{root}/controlActProcess/queryByParameter/parameterList")),
        Place::Continuation => Some(format!("/{root}/controlActProcess/queryContinuation/queryId")),
        Place::Subsumed | Place::SubsumedAuthority | Place::Again(_) | Place::Message => None,
    }
}

/// Writes a queryByParameter.
pub fn write_query(out: &mut Writer, id: &Ii, query: &FindQuery) {
    let code = |out: &mut Writer, local, code| {
        out.start(Ns::HL7, local).attr("code", code).end();
    };
    let FindQuery { who, page, priority } = query;
    out.start(Ns::HL7, "queryByParameter");
    id.write(out, "queryId");
    code(out, "statusCode", "new");
    code(out, "responseModalityCode", "R");
    code(out, "responsePriorityCode", if *priority == Priority::Deferred { "D" } else { "I" });
    if let Some(page) = page {
        out.start(Ns::HL7, "initialQuantity").attr("value", &page.to_string()).end();
        code(out, "initialQuantityCode", "RD");
    }
    if let Some(degree) = who.minimum_degree {
        out.start(Ns::HL7, "matchCriterionList").start(Ns::HL7, "minimumDegreeMatch");
        out.start(Ns::HL7, "value")
            .attr_ns(Ns::XSI, "type", "hl7:INT")
            .attr("value", &degree.to_string())
            .end();
        out.leaf(Ns::HL7, "semanticsText", "MinimumDegreeMatch").end().end();
    }
    out.start(Ns::HL7, "parameterList");
    write_parameters(out, who);
    out.end().end();
}

fn write_parameters(out: &mut Writer, who: &DemographicsQuery) {
    each(out, GENDER, &who.sex, |out, sex| write_sex(out, "value", *sex));
    each(out, BIRTH_PLACE_ADDRESS, &who.birth_place_address, |out, address| {
        write_address(out, "value", address)
    });
    each(out, BIRTH_PLACE_NAME, &who.birth_place, |out, name| {
        out.leaf(Ns::HL7, "value", name);
    });
    each(out, BIRTH_TIME, &who.birth, write_range);
    each(out, ID, &who.identifiers, |out, id| {
        write_id(out, "value", &id.authority.universal_id, Some(&id.id));
    });
    each(out, NAME, &who.names, |out, name| write_name(out, "value", name));
    each(out, MOTHERS_MAIDEN_NAME, &who.mothers_maiden_names, |out, name| write_name(out, "value", name));
    each(out, SCOPING_ORGANIZATION, &who.wanted, |out, domain| {
        write_id(out, "value", &domain.universal_id, None);
    });
    each(out, ADDRESS, &who.addresses, |out, address| write_address(out, "value", address));
    each(out, TELECOM, &who.telecoms, |out, telecom| write_telecom(out, "value", telecom));
}

fn each<'a, T: 'a>(
    out: &mut Writer,
    (parameter, semantics): (&str, &str),
    values: impl IntoIterator<Item = &'a T>,
    write: impl Fn(&mut Writer, &T),
) {
    for value in values {
        out.start(Ns::HL7, parameter);
        write(out, value);
        out.leaf(Ns::HL7, "semanticsText", semantics).end();
    }
}

fn write_range(out: &mut Writer, range: &BirthRange) {
    out.start(Ns::HL7, "value");
    match range {
        BirthRange::Within(time) => {
            out.attr("value", time.as_str());
        }
        BirthRange::Between(low, high) => {
            for (local, time) in [("low", low), ("high", high)] {
                if let Some(time) = time {
                    out.start(Ns::HL7, local).attr("value", time.as_str()).end();
                }
            }
        }
    }
    out.end();
}
