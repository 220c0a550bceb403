use bytes::Bytes;

use super::*;
use crate::demographics::{Authority, BirthRange, BirthTime, Name, Representation, Sex};
use crate::transactions::hl7v3::Ii;
use crate::wire::soap::Envelope;
use crate::wire::xml::Tree;

fn envelope(body: &[u8], header: Option<Bytes>) -> Envelope {
    let header = header.unwrap_or_default();
    let text = [
        b"<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Header>".as_slice(),
        &header,
        b"</s:Header><s:Body>",
        body,
        b"</s:Body></s:Envelope>",
    ];
    Envelope::read(Tree::parse(Bytes::from(text.concat())).unwrap()).unwrap()
}

fn question() -> Discovery {
    let name = |family: &str, given: &str, representation| Name {
        family: family.into(),
        given: given.into(),
        representation: Some(representation),
        ..Name::default()
    };
    Discovery {
        who: DemographicsQuery {
            identifiers: vec![Identifier {
                id: "12".into(),
                authority: Authority::of_oid("1.2.3"),
                ..Identifier::default()
            }],
            names: vec![
                name("佐藤", "花子", Representation::Ideographic),
                name("サトウ", "ハナコ", Representation::Phonetic),
            ],
            birth: BirthTime::parse("19510314").map(BirthRange::Within),
            sex: Some(Sex::Female),
            ..DemographicsQuery::default()
        },
        home: Some(HomeCommunityId::parse("urn:oid:1.2").unwrap()),
        authority: Some(Oid::parse("1.2.3").unwrap()),
        priority: Priority::Immediate,
        time_to_live: Some(Duration::from_secs(7 * 24 * 3600)),
    }
}

fn asked() -> Received {
    let asking = Asking { query: Ii::of_root("1.9.9"), sender: "1.2.1", receiver: "1.5.1", respond_to: None };
    let header = lifetime::write(question().time_to_live.unwrap());
    read_request(&envelope(&write_request(&question(), &asking), Some(header))).unwrap()
}

#[test]
fn a_question_is_read_as_it_was_written() {
    let received = asked();
    assert_eq!(received.question, Ok(question()));
    assert_eq!(question().own_identifier(), Some(PatientId::parse("12^^^&1.2.3&ISO").unwrap()));
    let foreign = Discovery { authority: Oid::parse("1.2.4").ok(), ..question() };
    assert_eq!(foreign.own_identifier(), None);
}

#[test]
fn every_answer_is_read_as_it_was_written() {
    let own = HomeCommunityId::parse("urn:oid:1.5").unwrap();
    let found = |home: &str, id: &str, others: &[&str]| Found {
        home: HomeCommunityId::parse(home).ok(),
        patient: PatientId::parse(id).unwrap(),
        others: others.iter().map(|id| PatientId::parse(id).unwrap()).collect(),
        person: Box::new(Demographics { names: question().who.names, ..Demographics::default() }),
        degree: 97,
        locator: HealthDataLocator::Supported,
    };
    let one = found("1.5", "A^^^&1.5.3&ISO", &["B^^^&1.5.4&ISO", "C^^^&1.5.4&ISO"]);
    let two = found("1.6", "D^^^&1.6.3&ISO", &[]);
    for outcome in [
        Outcome::Found(vec![one, two]),
        Outcome::Found(Vec::new()),
        Outcome::AskForMore(vec![Attribute::Gender, Attribute::MothersMaidenName]),
        Outcome::Cannot(Reason::ResponderBusy),
        Outcome::Cannot(Reason::AnswerNotAvailable),
        Outcome::Cannot(Reason::InternalError),
    ] {
        let response = DiscoveryResponse { outcome, time_to_live: Some(Duration::from_secs(60)) };
        let body = write_response(&response, &asked(), &own);
        let header = response.time_to_live.map(lifetime::write);
        let envelope = envelope(&body, header);
        assert_eq!(read_response(&envelope, &Ii::of_root("1.9.9")).unwrap(), response);
        assert!(read_response(&envelope, &Ii::of_root("1.9.8")).is_err());
        if let Some(folder) = std::env::var_os("SEKISHO_TEST_MESSAGES") {
            let file = format!("iti55-unit-{}.xml", uuid::Uuid::new_v4());
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(std::path::Path::new(&folder).join(file), &body).unwrap();
        }
    }
}
