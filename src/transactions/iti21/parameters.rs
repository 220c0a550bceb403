//! Query parameters in QPD-3, `@PID.5.1.1^患者`: a segment, field, component and subcomponent, and the value that is to be
//! there. Put where they say, they make PID and PV1 segments, which are read like any others.

use std::collections::BTreeMap;

use crate::demographics::{
    Address, Authority, BirthRange, Change, DemographicsChange, Name, Representation, Sex, v2,
};
use crate::transactions::hl7v2::wrong_type;
use crate::transactions::identity::{Answer, DemographicsQuery, ErrorCode, IdentityError, Place};
use crate::wire::hl7v2::{Charset, Field, Message, MessageWriter, Value};

/// What can be asked about: a field and those of its components that mean something here. The first seven are due in ITI-21
/// (ITI TF-2: Table 3.21.4.1.2-1), PV1 in ITI-22 (Table 3.22.4.1.2-1).
const KNOWN: &[(&str, usize, &[usize])] = &[
    ("PID", 3, &[1, 4, 5]),
    ("PID", 5, &[1, 2, 3, 4, 5, 7, 8]),
    ("PID", 7, &[1]),
    ("PID", 8, &[1]),
    ("PID", 11, &[1, 2, 3, 4, 5, 6, 7, 8, 11]),
    ("PID", 18, &[1, 4, 5]),
    ("PID", 6, &[1, 2, 3, 4, 5, 7, 8]),
    ("PID", 13, &[1, 2, 3, 4, 5, 6, 7, 8, 12]),
    ("PID", 14, &[1, 2, 3, 4, 5, 6, 7, 8, 12]),
    ("PID", 23, &[1]),
    ("PV1", 2, &[1]),
    ("PV1", 3, &[1, 2, 3, 4, 9]),
    ("PV1", 7, &[1, 2, 3]),
    ("PV1", 8, &[1, 2, 3]),
    ("PV1", 9, &[1, 2, 3]),
    ("PV1", 10, &[1]),
    ("PV1", 17, &[1, 2, 3]),
    ("PV1", 19, &[1, 4, 5]),
];

/// Subcomponents that mean something: SAD and HD have three.
const SUBCOMPONENTS: usize = 3;

/// Where a parameter's value is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Path {
    segment: &'static str,
    field: usize,
    component: usize,
    subcomponent: usize,
}

/// Components of subcomponents.
type Grid = Vec<Vec<String>>;

/// Reads the parameters. An empty value asks nothing; what is asked for and cannot be compared is refused, since an answer
/// that passes over it would tell of people who were not asked about.
pub(super) fn read(parameters: Field<'_>) -> Answer<DemographicsQuery> {
    let mut fields: BTreeMap<(&str, usize), Vec<Grid>> = BTreeMap::new();
    let mut times: BTreeMap<Path, usize> = BTreeMap::new();
    for (number, parameter) in (1..).zip(parameters.repetitions()) {
        let value = parameter.component(2).value();
        if value.trim().is_empty() {
            continue;
        }
        let path = path(&parameter.value()).ok_or_else(|| {
            let text = "no such query parameter is supported here";
            vec![IdentityError::new(ErrorCode::TableValueNotFound, Place::Parameter(number), text)]
        })?;
        // A parameter that comes again belongs to the next repetition of its field.
        let time = times.entry(path).or_default();
        put(fields.entry((path.segment, path.field)).or_default(), *time, path, value.trim());
        *time += 1;
    }
    let query = question(&as_message(&fields)).map_err(|errors| named(parameters, errors))?;
    if query.identifiers.iter().any(|identifier| identifier.authority.is_empty()) {
        let text = "@PID.3.1 needs @PID.3.4, the domain of the identifier (ITI TF-2: 3.21.4.1.2.3)";
        let error = IdentityError::new(ErrorCode::RequiredFieldMissing, Place::Field("PID", 3, 4), text);
        return Err(named(parameters, vec![error]));
    }
    Ok(query)
}

/// Errors with the parameters' numbers in place of the fields that they are about.
pub(super) fn named(parameters: Field<'_>, mut errors: Vec<IdentityError>) -> Vec<IdentityError> {
    for error in &mut errors {
        let Place::Field(segment, field, _) = error.place else { continue };
        let is_about = |path: Path| path.segment == segment && path.field == usize::from(field);
        let mut numbered = (1..).zip(parameters.repetitions());
        if let Some((number, _)) = numbered.find(|(_, one)| path(&one.value()).is_some_and(is_about)) {
            error.place = Place::Parameter(number);
        }
    }
    errors
}

/// `@PID.5.1.1`
fn path(name: &str) -> Option<Path> {
    let (segment, numbers) = name.trim().strip_prefix('@')?.split_once('.')?;
    let mut numbers = numbers.split('.').map(|number| number.parse::<usize>().ok());
    let field = numbers.next()??;
    let component = numbers.next().unwrap_or(Some(1))?;
    let subcomponent = numbers.next().unwrap_or(Some(1))?;
    let (segment, field, components) =
        KNOWN.iter().find(|(known, number, _)| *known == segment && *number == field)?;
    let is_known = components.contains(&component) && (1..=SUBCOMPONENTS).contains(&subcomponent);
    (is_known && numbers.next().is_none()).then_some(Path { segment, field: *field, component, subcomponent })
}

fn put(repetitions: &mut Vec<Grid>, time: usize, path: Path, value: &str) {
    fn grown<T: Default>(list: &mut Vec<T>, index: usize) -> &mut T {
        if list.len() <= index {
            list.resize_with(index + 1, T::default);
        }
        &mut list[index]
    }
    let component = grown(grown(repetitions, time), path.component - 1);
    value.clone_into(grown(component, path.subcomponent - 1));
}

/// The fields as a message with PID and PV1.
fn as_message(fields: &BTreeMap<(&str, usize), Vec<Grid>>) -> MessageWriter {
    let mut message = MessageWriter::new();
    message.segment("MSH");
    for segment in ["PID", "PV1"] {
        let writer = message.segment(segment);
        for ((_, field), repetitions) in fields.iter().filter(|((name, _), _)| *name == segment) {
            for grid in repetitions {
                writer.add(*field, grid.iter().fold(Value::default(), Value::subcomponents));
            }
        }
    }
    message
}

fn question(message: &MessageWriter) -> Answer<DemographicsQuery> {
    let unreadable = |_| vec![IdentityError::internal("the parameters could not be read")];
    let message = Message::read(message.text().as_bytes(), Charset::Utf8).map_err(unreadable)?;
    let mut query = DemographicsQuery::default();
    if let Some(pid) = message.segment("PID") {
        let change = v2::change(pid).map_err(wrong_type)?;
        query = describing(change);
        query.identifiers = v2::identifiers(pid.field(3));
    }
    query.visit =
        message.segment("PV1").map(v2::visit).filter(|visit| *visit != Default::default()).map(Box::new);
    Ok(query)
}

/// The query for a person of whom this is known.
fn describing(change: DemographicsChange) -> DemographicsQuery {
    fn set<T>(change: Change<T>) -> Option<T> {
        match change {
            Change::Set(value) => Some(value),
            Change::Keep | Change::Remove => None,
        }
    }
    DemographicsQuery {
        names: set(change.names).unwrap_or_default(),
        birth: set(change.birth).map(BirthRange::Within),
        sex: set(change.sex),
        addresses: set(change.addresses).unwrap_or_default(),
        telecoms: set(change.telecoms).unwrap_or_default(),
        mothers_maiden_names: set(change.mothers_maiden_names).unwrap_or_default(),
        birth_place: set(change.birth_place),
        account: set(change.account),
        ..DemographicsQuery::default()
    }
}

/// A query as parameters. Of a range of births only what lies within one day, month or year can be said.
pub(super) fn of(query: &DemographicsQuery) -> Vec<(String, String)> {
    let mut said = Vec::new();
    let mut say = |name: String, value: &str| {
        if !value.is_empty() {
            said.push((name, value.to_owned()));
        }
    };
    let authority = |say: &mut dyn FnMut(String, &str), field: &str, authority: &Authority| {
        say(format!("{field}.4.1"), &authority.namespace);
        say(format!("{field}.4.2"), &authority.universal_id);
        say(format!("{field}.4.3"), &authority.universal_id_type);
    };
    for (field, identifier) in query
        .identifiers
        .iter()
        .map(|identifier| ("@PID.3", identifier))
        .chain(query.account.iter().map(|account| ("@PID.18", account)))
    {
        say(format!("{field}.1"), &identifier.id);
        authority(&mut say, field, &identifier.authority);
    }
    let names = query.names.iter().map(|name| ("@PID.5", name));
    for (field, name) in names.chain(query.mothers_maiden_names.iter().map(|name| ("@PID.6", name))) {
        let Name { family, given, further, representation, .. } = name;
        say(format!("{field}.1.1"), family);
        say(format!("{field}.2"), given);
        say(format!("{field}.3"), further);
        say(format!("{field}.8"), representation.map_or("", script));
    }
    if let Some(BirthRange::Within(birth)) = &query.birth {
        say("@PID.7".to_owned(), birth.as_str());
    }
    say("@PID.8".to_owned(), query.sex.map_or("", sex));
    for Address { street, city, state, postcode, country, text, .. } in &query.addresses {
        for (component, value) in
            ["1.1", "3", "4", "5", "6", "8"].iter().zip([street, city, state, postcode, country, text])
        {
            say(format!("@PID.11.{component}"), value);
        }
    }
    for telecom in &query.telecoms {
        say(format!("@PID.13.{}", if telecom.mail { 4 } else { 1 }), &telecom.value);
    }
    say("@PID.23".to_owned(), query.birth_place.as_deref().unwrap_or_default());
    said
}

fn script(representation: Representation) -> &'static str {
    match representation {
        Representation::Ideographic => "I",
        Representation::Phonetic => "P",
        Representation::Alphabetic => "A",
    }
}

fn sex(sex: Sex) -> &'static str {
    match sex {
        Sex::Male => "M",
        Sex::Female => "F",
        Sex::Other => "O",
        Sex::Unknown => "U",
    }
}
