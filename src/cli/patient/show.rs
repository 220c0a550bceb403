//! What `sekisho patient` shows of persons and reviews.

use serde_json::{Value, json};

use crate::cli::output::Output;
use crate::demographics::{Demographics, Sex};
use crate::identity::index::{Dated, Review, Shown};
use crate::identity::matching::Explained;
use crate::ids::PatientId;
use crate::time::date_of;

/// Shows a person.
pub fn person(shown: &Shown, output: Output) {
    let records: Vec<[String; 5]> =
        shown.records.iter().map(|record| row(&record.patient, &record.demographics)).collect();
    output.table(["identifier", "name", "birth", "sex", "address"], &records);
    for (record, Dated { patient, validity }) in
        shown.records.iter().flat_map(|record| record.insured.iter().map(move |number| (record, number)))
    {
        let from = validity.from.map(|day| format!(" from {}", date_of(day))).unwrap_or_default();
        let until = validity.until.map(|day| format!(" until {}", date_of(day))).unwrap_or_default();
        output.line(&format!("{} is insured as {}{from}{until}", record.patient.to_cx(), patient.to_cx()));
    }
    let links = shown.links.iter().map(|link| {
        let by = match (&link.operator, link.probability) {
            (Some(operator), _) => operator.clone(),
            (None, Some(probability)) => format!("{probability:.4}"),
            (None, None) => String::new(),
        };
        let (one, another) = &link.patients;
        [
            one.to_cx(),
            another.to_cx(),
            name_of(&link.origin),
            format!("{by} {}", time(link.since)),
            fields(&link.fields),
        ]
    });
    let links: Vec<[String; 5]> = links.collect();
    section(output, "Linked, by whom and why", !links.is_empty());
    output.table(["identifier", "with", "by", "who, when", "why"], &links);
    let former = shown.records.iter().flat_map(|record| {
        record.former.iter().map(|(until, was)| {
            let mut row = row(&record.patient, was);
            row[0] = format!("{} until {}", row[0], time(*until));
            row
        })
    });
    let former: Vec<[String; 5]> = former.collect();
    section(output, "Earlier values", !former.is_empty());
    if !former.is_empty() {
        output.table(["identifier", "name", "birth", "sex", "address"], &former);
    }
    for (one, another, operator) in &shown.bars {
        output.line(&format!("{} is held apart from {} by {operator}", one.to_cx(), another.to_cx()));
    }
    for review in &shown.reviews {
        let (one, another) = &review.patients;
        output.line(&format!("review {}: {} and {}", review.number, one.to_cx(), another.to_cx()));
    }
    for decision in &shown.decisions {
        let undone = decision.undone.map_or(String::new(), |by| format!(", undone by {by}"));
        let undoes = decision.undoes.map_or(String::new(), |number| format!(" of decision {number}, about"));
        let patients: Vec<String> = decision.patients.iter().map(PatientId::to_cx).collect();
        output.line(&format!(
            "decision {}: {}{} {} by {} {}{undone}",
            decision.number,
            decision.kind,
            if undoes.is_empty() { " of" } else { &undoes },
            patients.join(" and "),
            decision.operator,
            time(decision.at)
        ));
    }
    output.json(&person_json(shown));
}

/// Shows reviews, both records of each under the other.
pub fn reviews(reviews: &[Review], output: Output) {
    let rows = reviews.iter().flat_map(|review| {
        let (one, another) = &review.patients;
        let [identifier, name, birth, sex, address] = row(one, &review.demographics.0);
        let why = format!("{} {:.4}", name_of(&review.cause), review.probability);
        let first = [review.number.to_string(), identifier, name, birth, sex, address, why];
        let [identifier, name, birth, sex, address] = row(another, &review.demographics.1);
        [first, [String::new(), identifier, name, birth, sex, address, fields(&review.fields)]]
    });
    let rows: Vec<[String; 7]> = rows.collect();
    match reviews.last() {
        None => output.line("No pair waits for a decision."),
        Some(last) => {
            output.table(["review", "identifier", "name", "birth", "sex", "address", "why"], &rows);
            output.line(&format!(
                "sekisho patient review NUMBER same, or NUMBER different, decides; --after {} shows what follows.",
                last.number
            ));
        }
    }
    let reviews = reviews.iter().map(review_json);
    output.json(&json!({ "reviews": reviews.collect::<Vec<_>>() }));
}

fn section(output: Output, title: &str, there: bool) {
    if there && output == Output::People {
        output.line(&format!("\n{title}"));
    }
}

fn row(patient: &PatientId, person: &Demographics) -> [String; 5] {
    let names = person.names.iter().map(|name| format!("{} {}", name.family, name.given).trim().to_owned());
    let birth = person.birth.as_ref().map_or("", |birth| birth.as_str());
    let address = person.addresses.first().map_or(String::new(), |address| {
        [&address.postcode, &address.state, &address.city, &address.street, &address.text]
            .map(String::as_str)
            .join(" ")
    });
    let address = address.split_whitespace().collect::<Vec<_>>().join(" ");
    [patient.to_cx(), names.collect::<Vec<_>>().join(" / "), birth.into(), sex(person.sex).into(), address]
}

fn sex(sex: Option<Sex>) -> &'static str {
    match sex {
        Some(Sex::Male) => "M",
        Some(Sex::Female) => "F",
        Some(Sex::Other) => "O",
        Some(Sex::Unknown) => "U",
        None => "",
    }
}

fn fields(fields: &[Explained]) -> String {
    let one = |field: &Explained| format!("{} {} ({:+.1})", field.field, field.level, field.weight);
    fields.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A moment as people read it.
pub fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

/// The name under which an enum's value is written.
fn name_of(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn insurance_json(Dated { patient, validity }: &Dated) -> Value {
    let day = |day: Option<i64>| day.map(date_of);
    json!({ "identifier": patient.to_cx(), "from": day(validity.from), "until": day(validity.until) })
}

fn person_json(shown: &Shown) -> Value {
    let pair = |(one, another): &(PatientId, PatientId)| [one.to_cx(), another.to_cx()];
    json!({
        "records": shown.records.iter().map(|record| json!({
            "identifier": record.patient.to_cx(),
            "demographics": record.demographics,
            "insured": record.insured.iter().map(insurance_json).collect::<Vec<_>>(),
            "former": record.former.iter().map(|(until, was)| json!({ "until": time(*until), "demographics": was })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "links": shown.links.iter().map(|link| json!({
            "identifiers": pair(&link.patients),
            "by": link.origin,
            "operator": link.operator,
            "probability": link.probability,
            "since": time(link.since),
            "fields": link.fields,
        })).collect::<Vec<_>>(),
        "held_apart": shown.bars.iter().map(|(one, another, operator)| json!({
            "identifiers": [one.to_cx(), another.to_cx()],
            "operator": operator,
        })).collect::<Vec<_>>(),
        "reviews": shown.reviews.iter().map(review_json).collect::<Vec<_>>(),
        "decisions": shown.decisions.iter().map(|decision| json!({
            "number": decision.number,
            "kind": decision.kind,
            "identifiers": decision.patients.iter().map(PatientId::to_cx).collect::<Vec<_>>(),
            "operator": decision.operator,
            "at": time(decision.at),
            "undone": decision.undone,
            "undoes": decision.undoes,
        })).collect::<Vec<_>>(),
    })
}

fn review_json(review: &Review) -> Value {
    let (one, another) = &review.patients;
    json!({
        "number": review.number,
        "identifiers": [one.to_cx(), another.to_cx()],
        "demographics": [review.demographics.0, review.demographics.1],
        "cause": review.cause,
        "probability": review.probability,
        "since": time(review.since),
        "fields": review.fields,
    })
}
