//! Patient and Person: what is said of somebody, and by which identifiers.

use super::{
    Misread, bounded, is_null, read_address, read_all, read_authority, read_birth, read_identifier,
    read_name, read_sex, read_telecom, value, write_address, write_id, write_name, write_sex, write_telecom,
};
use crate::demographics::{
    Authority, BirthTime, Change, Demographics, DemographicsChange, Identifier, Validity,
};
use crate::time::{days_of, today};
use crate::wire::xml::{Element, Ns, Writer};

/// RoleCode, and in it the mother, whose name is the one at her birth (ITI TF-2: 3.44.4.1.2.2, 3.47.4.2.2.5).
const MOTHER: (&str, &str) = ("2.16.840.1.113883.5.111", "MTH");

/// What a Patient element says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PatientContent {
    /// Patient.id first, then those of patientPerson and its OtherIDs.
    pub identifiers: Vec<Identifier>,
    /// Where each of them stands, as an XPath below Patient.
    pub places: Vec<String>,
    /// Identifiers whose time is over.
    pub ended: Vec<Identifier>,
    /// What is said of the person, as a change of what is known.
    pub change: Box<DemographicsChange>,
    /// Values that could not be read; they change nothing.
    pub misread: Vec<Misread>,
}

impl PatientContent {
    /// How many of the identifiers are Patient.id.
    pub fn own(&self) -> usize {
        self.places.iter().take_while(|place| place.starts_with("id[")).count()
    }
    /// The person of an answer, who was not known before.
    pub fn person(&self) -> Demographics {
        let mut person = Demographics::default();
        self.change.apply(&mut person);
        person
    }
}

/// Reads a Patient.
pub fn read_patient(patient: Element<'_>) -> PatientContent {
    let mut content = PatientContent::default();
    content.read_identifiers(patient);
    if let Some(person) = patient.child(Ns::HL7, "patientPerson").filter(|person| !is_null(*person)) {
        content.read_person(patient, person);
    }
    content
}

impl PatientContent {
    fn read_identifiers(&mut self, patient: Element<'_>) {
        let own = numbered(patient, "id").map(|(number, id)| (format!("id[{number}]"), read_identifier(id)));
        let persons = || patient.children_named(Ns::HL7, "patientPerson");
        let personal = persons().flat_map(|person| numbered(person, "id"));
        let personal =
            personal.map(|(number, id)| (format!("patientPerson/id[{number}]"), read_identifier(id)));
        let roles = persons().flat_map(|person| numbered(person, "asOtherIDs"));
        let others = roles.flat_map(|(role_number, role)| {
            let scope = role.child(Ns::HL7, "scopingOrganization");
            let scope = scope.and_then(|scope| scope.child(Ns::HL7, "id")).and_then(read_authority);
            let validity = validity(role);
            numbered(role, "id").map(move |(number, id)| {
                let place = format!("patientPerson/asOtherIDs[{role_number}]/id[{number}]");
                let identifier = read_identifier(id).map(|identifier| scoped(identifier, scope.as_ref()));
                (place, identifier.map(|identifier| Identifier { validity, ..identifier }))
            })
        });
        let all = own.chain(personal).chain(others).filter_map(|(place, id)| Some((place, id?)));
        let today = today();
        for (place, identifier) in self.or_misread(bounded(all, "id")) {
            let same =
                |known: &Identifier| (&known.id, &known.authority) == (&identifier.id, &identifier.authority);
            if identifier.validity.has_ended(today) {
                self.ended.push(identifier);
            } else if !self.identifiers.iter().any(same) {
                self.identifiers.push(identifier);
                self.places.push(place);
            }
        }
    }

    fn read_person(&mut self, patient: Element<'_>, person: Element<'_>) {
        let one = |local| person.child(Ns::HL7, local);
        let all = |local| person.children_named(Ns::HL7, local);
        let both =
            |local| person.children_named(Ns::HL7, local).chain(patient.children_named(Ns::HL7, local));
        let mut change = DemographicsChange {
            names: self.list(all("name"), "patientPerson/name", read_name),
            birth: self.birth(one("birthTime")),
            sex: Change::of(one("administrativeGenderCode").and_then(read_sex)),
            addresses: self.list(both("addr"), "patientPerson/addr", read_address),
            telecoms: self.list(both("telecom"), "patientPerson/telecom", read_telecom),
            multiple_birth: multiple_birth(one("multipleBirthInd"), one("multipleBirthOrderNumber")),
            deceased: deceased(one("deceasedInd"), one("deceasedTime")),
            ..DemographicsChange::default()
        };
        let mothers = all("personalRelationship")
            .filter(|relationship| is_mother(*relationship))
            .filter_map(|relationship| relationship.child(Ns::HL7, "relationshipHolder1"))
            .flat_map(|mother| mother.children_named(Ns::HL7, "name"));
        change.mothers_maiden_names = self.list(mothers, "patientPerson/personalRelationship", read_name);
        match one("birthPlace") {
            Some(place) if is_null(place) => {
                change.birth_place = Change::Remove;
                change.birth_place_address = Change::Remove;
            }
            Some(role) => {
                let place = role.child(Ns::HL7, "birthplace");
                let name = place.and_then(|place| place.child(Ns::HL7, "name"));
                let addresses = [Some(role), place].into_iter().flatten();
                let mut addresses = addresses.filter_map(|holder| holder.child(Ns::HL7, "addr"));
                change.birth_place = Change::of(name.and_then(place_name));
                change.birth_place_address = Change::of(addresses.find_map(read_address));
            }
            None => {}
        }
        *self.change = change;
    }

    /// Repeated values: none keeps what is known, only null ones take it away.
    fn list<'t, T>(
        &mut self,
        elements: impl Iterator<Item = Element<'t>>,
        path: &'static str,
        read: impl Fn(Element<'t>) -> Option<T>,
    ) -> Change<Vec<T>> {
        let mut null = false;
        match read_all(elements.inspect(|element| null |= is_null(*element)), path, read) {
            Ok(values) if !values.is_empty() => Change::Set(values),
            Ok(_) if null => Change::Remove,
            Ok(_) => Change::Keep,
            Err(misread) => {
                self.misread.push(misread);
                Change::Keep
            }
        }
    }

    fn birth(&mut self, element: Option<Element<'_>>) -> Change<BirthTime> {
        let Some(element) = element else { return Change::Keep };
        if is_null(element) {
            return Change::Remove;
        }
        Change::of(self.or_misread(read_birth(element, "patientPerson/birthTime")))
    }

    fn or_misread<T: Default>(&mut self, read: Result<T, Misread>) -> T {
        read.unwrap_or_else(|misread| {
            self.misread.push(misread);
            T::default()
        })
    }
}

/// The children of that name, with their numbers in XPath.
fn numbered<'t>(element: Element<'t>, local: &'static str) -> impl Iterator<Item = (usize, Element<'t>)> {
    (1..).zip(element.children_named(Ns::HL7, local))
}

/// An identifier whose authority is, where it names none, its scoping organisation.
fn scoped(mut identifier: Identifier, scope: Option<&Authority>) -> Identifier {
    if let Some(scope) = scope.filter(|_| identifier.authority.is_empty()) {
        identifier.authority = scope.clone();
    }
    identifier
}

fn is_mother(relationship: Element<'_>) -> bool {
    let code = relationship.child(Ns::HL7, "code");
    code.is_some_and(|code| code.attr("code").is_some_and(|code| code.trim() == MOTHER.1))
}

/// The name of a place, with or without parts.
pub fn place_name(name: Element<'_>) -> Option<String> {
    let text = name.text();
    let text = text.trim();
    (!is_null(name) && !text.is_empty()).then(|| text.to_owned())
}

fn flag(element: Element<'_>) -> Option<bool> {
    match value(element)?.trim() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn multiple_birth(indicator: Option<Element<'_>>, order: Option<Element<'_>>) -> Change<u8> {
    let order = order.and_then(value).and_then(|order| order.trim().parse().ok());
    match (indicator.and_then(flag), order) {
        (Some(false), _) => Change::Remove,
        (_, Some(order)) => Change::Set(order),
        (Some(true), None) => Change::Set(0),
        (None, None) if indicator.is_some_and(is_null) => Change::Remove,
        (None, None) => Change::Keep,
    }
}

fn deceased(indicator: Option<Element<'_>>, time: Option<Element<'_>>) -> Change<bool> {
    match (indicator.and_then(flag), time.and_then(value)) {
        (Some(deceased), _) => Change::Set(deceased),
        (None, Some(_)) => Change::Set(true),
        (None, None) if indicator.is_some_and(is_null) => Change::Remove,
        (None, None) => Change::Keep,
    }
}

/// How much of a person a message's model has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Names and OtherIDs: PRPA_MT201304, the answer of ITI-45.
    Names,
    /// All that is known: PRPA_MT201301, 201302, 201303, 201310.
    All,
}

/// On which days identifiers are the person's.
fn validity(role: Element<'_>) -> Validity {
    let end = |local| {
        let time = role.child(Ns::HL7, "effectiveTime")?.child(Ns::HL7, local)?;
        time.attr("value").and_then(|days| days_of(&days))
    };
    Validity::between(end("low"), end("high"))
}

/// Identifiers of one domain in asOtherIDs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherIds<'a> {
    /// scopingOrganization.id, which is also the root of the identifiers.
    pub root: &'a str,
    /// The extensions; none is written as a null id: nobody has an identifier there.
    pub extensions: Vec<&'a str>,
}

/// Writes patientPerson.
pub fn write_person(out: &mut Writer, person: &Demographics, others: &[OtherIds<'_>], detail: Detail) {
    out.start(Ns::HL7, "patientPerson").attr("classCode", "PSN").attr("determinerCode", "INSTANCE");
    for name in &person.names {
        write_name(out, "name", name);
    }
    if person.names.is_empty() {
        // The schema demands a name.
        out.start(Ns::HL7, "name").attr("nullFlavor", "NI").end();
    }
    if detail == Detail::All {
        write_facts(out, person);
    }
    for other in others {
        write_other_ids(out, other);
    }
    if detail == Detail::All {
        write_relations(out, person);
    }
    out.end();
}

/// What the schema has before asOtherIDs.
fn write_facts(out: &mut Writer, person: &Demographics) {
    let flag = |value| if value { "true" } else { "false" };
    for telecom in &person.telecoms {
        write_telecom(out, "telecom", telecom);
    }
    if let Some(sex) = person.sex {
        write_sex(out, "administrativeGenderCode", sex);
    }
    if let Some(birth) = &person.birth {
        out.start(Ns::HL7, "birthTime").attr("value", birth.as_str()).end();
    }
    if let Some(deceased) = person.deceased {
        out.start(Ns::HL7, "deceasedInd").attr("value", flag(deceased)).end();
    }
    if let Some(order) = person.multiple_birth {
        out.start(Ns::HL7, "multipleBirthInd").attr("value", "true").end();
        if order > 0 {
            out.start(Ns::HL7, "multipleBirthOrderNumber").attr("value", &order.to_string()).end();
        }
    }
    for address in &person.addresses {
        write_address(out, "addr", address);
    }
}

fn write_other_ids(out: &mut Writer, other: &OtherIds<'_>) {
    out.start(Ns::HL7, "asOtherIDs").attr("classCode", "PAT");
    for extension in &other.extensions {
        write_id(out, "id", other.root, Some(extension));
    }
    if other.extensions.is_empty() {
        out.start(Ns::HL7, "id").attr("nullFlavor", "NA").end();
    }
    out.start(Ns::HL7, "scopingOrganization").attr("classCode", "ORG").attr("determinerCode", "INSTANCE");
    write_id(out, "id", other.root, None);
    out.end().end();
}

/// What the schema has behind asOtherIDs.
fn write_relations(out: &mut Writer, person: &Demographics) {
    if !person.mothers_maiden_names.is_empty() {
        let (code_system, code) = MOTHER;
        out.start(Ns::HL7, "personalRelationship").attr("classCode", "PRS");
        out.start(Ns::HL7, "code").attr("code", code).attr("codeSystem", code_system).end();
        out.start(Ns::HL7, "relationshipHolder1").attr("classCode", "PSN").attr("determinerCode", "INSTANCE");
        for name in &person.mothers_maiden_names {
            write_name(out, "name", name);
        }
        out.end().end();
    }
    if person.birth_place.is_none() && person.birth_place_address.is_none() {
        return;
    }
    out.start(Ns::HL7, "birthPlace").attr("classCode", "BIRTHPL");
    if let Some(address) = &person.birth_place_address {
        write_address(out, "addr", address);
    }
    if let Some(name) = &person.birth_place {
        out.start(Ns::HL7, "birthplace").attr("classCode", "PLC").attr("determinerCode", "INSTANCE");
        out.leaf(Ns::HL7, "name", name).end();
    }
    out.end();
}
