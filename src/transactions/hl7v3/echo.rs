//! The query that an answer repeats (PRPA_MT201306UV02, PRPA_MT201307UV02; ITI TF-2: 3.45.4.2, 3.47.4.2, 3.55.4.2): byte for
//! byte as it came. Queries that the schema does not allow are answered, too; of such a one what could be read is written
//! anew, since an answer of ours is valid whatever was asked.

use bytes::Bytes;

use super::{Ii, control_act, malformed};
use crate::transactions::Malformed;
use crate::wire::xml::{Element, Ns, Writer};

/// A query as its answer repeats it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Echo {
    /// queryId.
    pub id: Ii,
    xml: (Bytes, Bytes),
    /// Whether it has the elements of the schema.
    regular: bool,
}

impl Echo {
    /// The queryByParameter of a message, and what an answer says of it.
    pub fn read(body: Element<'_>) -> Result<(Element<'_>, Self), Malformed> {
        let query = control_act(body)?.child(Ns::HL7, "queryByParameter").ok_or_else(|| {
            malformed("v3.query", format!("{} has no controlActProcess/queryByParameter", body.local()))
        })?;
        let id = Ii::read(query.child(Ns::HL7, "queryId"));
        let id =
            id.ok_or_else(|| malformed("v3.query-id", "queryByParameter has no queryId with a root".into()))?;
        Ok((query, Self { id, xml: query.detach(&[Ns::HL7, Ns::XSI], &[]), regular: is_regular(query) }))
    }
    /// Itself, if the query is as the schema has it and all of it could be read; else with what `write` makes of what could.
    pub fn valid<T, E>(self, read: &Result<T, E>, write: impl FnOnce(&mut Writer, &Ii)) -> Self {
        if self.regular && read.is_ok() {
            return self;
        }
        let mut out = Writer::default();
        write(&mut out, &self.id);
        Self { xml: (out.finish().into(), Bytes::new()), ..self }
    }
    /// Writes it.
    pub fn write(&self, out: &mut Writer) {
        out.raw(&self.xml.0).raw(&self.xml.1);
    }
}

/// An element's name, and how often it must and may stand there.
type Occurs = (&'static str, usize, usize);

const MANY: usize = usize::MAX;
/// What may stand before everything.
const INFRASTRUCTURE: [Occurs; 3] = [("realmCode", 0, MANY), ("typeId", 0, 1), ("templateId", 0, MANY)];
const QUERY: [Occurs; 12] = [
    ("queryId", 1, 1),
    ("statusCode", 1, 1),
    ("modifyCode", 0, 1),
    ("responseElementGroupId", 0, MANY),
    ("responseModalityCode", 0, 1),
    ("responsePriorityCode", 0, 1),
    ("initialQuantity", 0, 1),
    ("initialQuantityCode", 0, 1),
    ("executionAndDeliveryTime", 0, 1),
    ("matchCriterionList", 0, 1),
    ("parameterList", 1, 1),
    ("sortControl", 0, MANY),
];
/// Of ITI-45, then of ITI-47 and 55.
const PARAMETERS: [Occurs; 17] = [
    ("id", 0, 1),
    ("dataSource", 0, MANY),
    ("patientIdentifier", 0, MANY),
    ("livingSubjectAdministrativeGender", 0, MANY),
    ("livingSubjectBirthPlaceAddress", 0, MANY),
    ("livingSubjectBirthPlaceName", 0, MANY),
    ("livingSubjectBirthTime", 0, MANY),
    ("livingSubjectDeceasedTime", 0, MANY),
    ("livingSubjectId", 0, MANY),
    ("livingSubjectName", 0, MANY),
    ("mothersMaidenName", 0, MANY),
    ("otherIDsScopingOrganization", 0, MANY),
    ("patientAddress", 0, MANY),
    ("patientStatusCode", 0, MANY),
    ("patientTelecom", 0, MANY),
    ("principalCareProviderId", 0, MANY),
    ("principalCareProvisionId", 0, MANY),
];
const PARAMETER: [Occurs; 2] = [("value", 1, MANY), ("semanticsText", 1, 1)];

/// Whether a query has the elements that the schema demands, in its order, and no others.
fn is_regular(query: Element<'_>) -> bool {
    let lists = || query.children_named(Ns::HL7, "parameterList");
    let mut parameters = lists().flat_map(|list| list.children()).filter(|parameter| {
        !INFRASTRUCTURE.iter().chain(&[("id", 0, 1)]).any(|(name, ..)| parameter.is(Ns::HL7, name))
    });
    is_sequence(query, &QUERY)
        && lists().all(|list| is_sequence(list, &PARAMETERS))
        && parameters.all(|parameter| is_sequence(parameter, &PARAMETER))
}

fn is_sequence(element: Element<'_>, sequence: &[Occurs]) -> bool {
    let mut children = element.children().peekable();
    let occur = INFRASTRUCTURE.iter().chain(sequence).all(|(name, least, most)| {
        let mut times = 0;
        while times < *most && children.next_if(|child| child.is(Ns::HL7, name)).is_some() {
            times += 1;
        }
        times >= *least
    });
    occur && children.next().is_none()
}
