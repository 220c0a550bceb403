use super::*;
use crate::demographics::{
    Authority, BirthRange, BirthTime, Change, Demographics, DemographicsChange, Domain, Domains, Identifier,
    Name, Sex,
};
use crate::ids::{Oid, PatientId};
use crate::transactions::identity::{
    Corresponding, CorrespondingQuery, DemographicsQuery, Feed, FeedEvent, IdentifiersChanged, Match, Page,
    Retry,
};
use crate::transactions::iti8::Occasion;
use crate::transactions::iti10::NoName;
use crate::transactions::iti21::Question;
use crate::transactions::iti64::LinkChange;
use crate::transactions::{iti8, iti9, iti10, iti21, iti22, iti64};
use crate::wire::hl7v2::Charset;

fn parties() -> Parties {
    let side = |name: &str| (format!("{name} app"), format!("{name} facility"));
    Parties { sender: side("our"), receiver: side("their"), charset: Charset::Utf8 }
}

fn domains() -> Domains {
    let domain = |oid: &str, namespace: &str| Domain {
        oid: Oid::parse(oid).unwrap(),
        namespace: namespace.to_owned(),
        name: String::new(),
        kind: Default::default(),
        source: None,
        twelve_digits: Default::default(),
    };
    Domains::new(vec![domain("1.2.3", "HOSPITAL"), domain("1.2.4", "REGION")])
}

fn identifier(id: &str, oid: &str) -> Identifier {
    Identifier { id: id.to_owned(), authority: Authority::of_oid(oid), ..Identifier::default() }
}

fn patient(id: &str, oid: &str) -> PatientId {
    PatientId::new(id, Oid::parse(oid).unwrap())
}

fn name() -> Name {
    Name { family: "患者".to_owned(), given: "太郎".to_owned(), ..Name::default() }
}

fn change() -> DemographicsChange {
    DemographicsChange {
        names: Change::Set(vec![name()]),
        sex: Change::Remove,
        ..DemographicsChange::default()
    }
}

/// Reads what was written, which has what its structure demands.
#[track_caller]
fn sent(message: &MessageWriter) -> Message {
    let message = Message::read(message.text().as_bytes(), Charset::Ascii).unwrap();
    let name = message.field("MSH", 9).component(3).value().into_owned();
    let event = message.field("MSH", 9).component(1).value().into_owned();
    let name = if name.is_empty() { event } else { name };
    let structure = structure::ALL.into_iter().find(|known| known.name == name).unwrap();
    assert_eq!(structure.check(&message), [], "{name}");
    assert!(structure.is_ordered(&message), "{name}");
    for field in [3, 4, 5, 6, 7, 9, 10, 11, 12] {
        assert!(!message.field("MSH", field).is_absent(), "MSH-{field} of {name}");
    }
    message
}

#[test]
fn feeds_are_read_as_they_are_written() {
    let source = ("our app".to_owned(), "our facility".to_owned());
    let announce = FeedEvent::Announce {
        identifiers: vec![identifier("1", "1.2.3"), identifier("2", "1.2.4")],
        ended: Vec::new(),
        change: Box::new(change()),
        visit: Some(Box::new(crate::demographics::Visit { class: "I".to_owned(), ..Default::default() })),
    };
    let merge = FeedEvent::Merge {
        surviving: identifier("1", "1.2.3"),
        nth: 1,
        subsumed: identifier("9", "1.2.3"),
        change: Box::new(change()),
    };
    for event in [announce, merge] {
        for occasion in
            [Occasion::Admission, Occasion::Registration, Occasion::PreAdmission, Occasion::Update]
        {
            let feed = Feed { event: event.clone(), source: source.clone() };
            let message = sent(&iti8::request(&feed, occasion, &parties(), "C1"));
            assert_eq!(message.field("MSH", 10).value(), "C1");
            assert_eq!(message.field("MSH", 12).value(), "2.3.1");
            assert_eq!(iti8::read(&message), Ok(feed));
        }
    }
}

#[test]
fn the_surviving_identifier_is_of_the_subsumed_ones_domain() {
    for (pid_3, mrg_1, survives) in [
        ("1^^^&1.2.4&ISO~2^^^&1.2.3&ISO", "9^^^&1.2.3&ISO", (2, "2")),
        ("1^^^B&1.2.4&ISO~2^^^A", "9^^^&1.2.3&ISO", (2, "2")),
        ("1^^^B&1.2.4&ISO~2^^^&1.2.3&ISO", "9^^^A&1.2.3&ISO", (2, "2")),
        ("1^^^B~2^^^A", "9^^^A&1.2.3&ISO", (2, "2")),
        ("1^^^B~2^^^C", "9^^^A", (1, "1")),
    ] {
        let text = format!("MSH|^~\\&|A|B|C|D|1||ADT^A40|1|P|2.3.1\rPID|||{pid_3}\rMRG|{mrg_1}\r");
        let message = Message::read(text.as_bytes(), Charset::Utf8).unwrap();
        let Feed { event: FeedEvent::Merge { surviving, nth, .. }, .. } = iti8::read(&message).unwrap()
        else {
            panic!()
        };
        assert_eq!((nth, surviving.id.as_str()), survives, "{pid_3}");
    }
}

#[test]
fn pix_queries_and_answers() {
    let query = CorrespondingQuery {
        patient: identifier("1", "1.2.3"),
        wanted: vec![
            Authority::of_oid("1.2.4"),
            Authority { namespace: "X".to_owned(), ..Authority::default() },
        ],
    };
    let question = sent(&iti9::request(&query, "T1", &parties(), "C1"));
    assert_eq!(iti9::read(&question), Ok(query));

    let found = Corresponding {
        identifiers: vec![patient("7", "1.2.4"), patient("8", "1.2.4")],
        person: Box::new(Demographics { names: vec![name()], ..Demographics::default() }),
    };
    let reply = iti9::answer(&question, Ok(found), &domains());
    let answer = sent(&reply.message);
    let text = reply.message.text();
    assert!(text.contains("\rPID|||7^^^REGION&1.2.4&ISO~8^^^REGION&1.2.4&ISO||~^^^^^^S\r"), "{text}");
    assert!(!text.contains("患者"));
    assert_eq!(answer.field("MSH", 3).value(), "their app");
    let ids = |answer: &Message| {
        iti9::read_answer(answer, "C1").map(|ids| ids.into_iter().map(|one| one.id).collect())
    };
    assert_eq!(ids(&answer), Ok(vec!["7".to_owned(), "8".to_owned()]));
    assert_eq!(iti9::read_answer(&answer, "C2"), Err(Refusal::NotAnAnswer));

    let unknown = |place| Err(vec![IdentityError::unknown_key(place, "why")]);
    for (place, location) in [
        (Place::Asked, "QPD^1^3^1^1"),
        (Place::AskedAuthority, "QPD^1^3^1^4"),
        (Place::Wanted(2), "QPD^1^4^2"),
    ] {
        let reply = iti9::answer(&question, unknown(place), &domains());
        let reported =
            Reported { location: location.to_owned(), code: "204".to_owned(), text: "why".to_owned() };
        assert_eq!(ids(&sent(&reply.message)), Err(Refusal::Refused(AckCode::Error, vec![reported])));
    }
    let both = vec![
        IdentityError::unknown_key(Place::Wanted(1), "a"),
        IdentityError::unknown_key(Place::Wanted(2), "b"),
    ];
    let reply = iti9::answer(&question, Err(both), &domains());
    assert_eq!(reply.message.text().matches("\rERR|").count(), 1);
}

#[test]
fn demographics_queries_are_read_as_they_are_written() {
    let query = DemographicsQuery {
        identifiers: vec![identifier("1", "1.2.3"), identifier("2", "1.2.4")],
        names: vec![name(), Name { family: "カンジャ".to_owned(), ..Name::default() }],
        birth: BirthTime::parse("1960").map(BirthRange::Within),
        sex: Some(Sex::Female),
        wanted: vec![Authority::of_oid("1.2.4")],
        birth_place: Some("京都".to_owned()),
        ..DemographicsQuery::default()
    };
    let question = Question { query, tag: "T1".to_owned(), page: Some(10), pointer: Some("P1".to_owned()) };
    let message = sent(&iti21::request(&question, &parties(), "C1"));
    assert_eq!(iti21::read(&message), Ok(question.clone()));
    let message = sent(&iti22::request(&question, &parties(), "C1"));
    assert_eq!(iti22::read(&message), Ok(question));
    let cancelled = sent(&iti21::cancel("T1", &parties(), "C1"));
    assert_eq!(iti21::read_cancel(&cancelled), Ok("T1".to_owned()));
}

#[test]
fn segments_of_ours_stand_in_their_order_and_no_others() {
    let ordered = |structure: &Structure, segments: &str| {
        let text = format!("MSH|^~\\&|A|B|C|D|1||X|1|P|2.5\r{}\r", segments.replace(' ', "|1\r"));
        structure.is_ordered(&Message::read(text.as_bytes(), Charset::Utf8).unwrap())
    };
    for (segments, expected) in [
        ("MSA QAK QPD", true),
        ("MSA ERR ERR QAK QPD", true),
        ("MSA QAK QPD PID QRI PID PD1 DSC", true),
        ("MSA QPD QAK", false),
        ("MSA QAK QPD PD1 PID", false),
        ("MSA QAK QPD PID DSC PID", false),
        ("MSA QAK", false),
        ("MSA QAK QPD ZZZ", false),
    ] {
        assert_eq!(ordered(&structure::RSP_K21, segments), expected, "{segments}");
    }
    assert!(
        !ordered(&structure::RSP_ZV2, "MSA QAK QPD PID QRI")
            && ordered(&structure::RSP_ZV2, "MSA QAK QPD PID PV1")
    );
}

fn asked(parameters: &str) -> Message {
    let text = format!("MSH|^~\\&|A|B|C|D|1||QBP^Q22|1|P|2.5\rQPD|IHE PDQ Query|T|{parameters}\rRCP|I\r");
    Message::read(text.as_bytes(), Charset::Utf8).unwrap()
}

#[test]
fn parameters_that_cannot_be_compared_are_refused_where_they_stand() {
    use ErrorCode::{DataType, RequiredFieldMissing, TableValueNotFound};
    for (parameters, number, code) in [
        ("@PID.8^M~@PID.3.1^7", 2, RequiredFieldMissing),
        ("@PID.8^M~@PID.7^19601399", 2, DataType),
        ("@PID.99^x", 1, TableValueNotFound),
        ("@PID.5.1.1^A~@OBX.5^x", 2, TableValueNotFound),
        ("PID.5^A", 1, TableValueNotFound),
        ("@PID.5.1.1.1^A", 1, TableValueNotFound),
        ("@PID.5.4000000000^A", 1, TableValueNotFound),
    ] {
        let errors = iti21::read(&asked(parameters)).unwrap_err();
        assert_eq!((errors[0].code, &errors[0].place), (code, &Place::Parameter(number)), "{parameters}");
    }
    let empty = iti21::read(&asked("@PID.5.1.1^~@PID.8")).unwrap();
    assert_eq!(empty.query, DemographicsQuery::default());
}

#[test]
fn a_visit_can_be_asked_about() {
    let question = iti22::read(&asked("@PV1.2^I~@PV1.3.1^W1~@PV1.7.2.1^山田")).unwrap();
    let visit = question.query.visit.unwrap();
    assert_eq!(
        (visit.class.as_str(), visit.location.as_str(), visit.attending.as_str()),
        ("I", "W1", "^山田")
    );
}

#[test]
fn demographics_answers() {
    let question = asked("@PID.5.1.1^患者");
    let found = |id, degree| Match {
        identifiers: vec![patient(id, "1.2.3")],
        person: Box::new(Demographics { names: vec![name()], ..Demographics::default() }),
        degree,
        visit: None,
    };
    let page = Page {
        matches: vec![found("1", 100), found("2", 80)],
        total: 3,
        remaining: 1,
        pointer: Some("P".to_owned()),
        wanted: Vec::new(),
    };
    type Write = fn(&Message, Answer<Page>, &Domains) -> Reply;
    type Read = fn(&Message, &str, &Domains) -> Result<Page, Refusal>;
    let both: [(Write, Read); 2] = [(iti21::answer, iti21::read_answer), (iti22::answer, iti22::read_answer)];
    for (answer, read_answer) in both {
        let reply = answer(&question, Ok(page.clone()), &domains());
        let read = read_answer(&sent(&reply.message), "1", &domains()).unwrap();
        assert_eq!(read.matches.iter().map(|found| found.degree).collect::<Vec<_>>(), [100, 80]);
        assert_eq!(read.matches[1].identifiers, [patient("2", "1.2.3")]);
        assert_eq!(read.pointer.as_deref(), Some("P"));
        let nobody = answer(&question, Ok(Page::default()), &domains());
        assert!(nobody.message.text().contains("\rMSA|AA|1\rQAK|T|NF|IHE PDQ Query\r"));
        let errors = (1..3).map(|n| IdentityError::unknown_key(Place::Wanted(n), "")).collect();
        let refused = answer(&question, Err(errors), &domains());
        let text = refused.message.text();
        assert!(text.contains("\rERR||QPD^1^8^1|204") && text.contains("\rERR||QPD^1^8^2|204"), "{text}");
        sent(&refused.message);
    }
}

#[test]
fn notifications_tell_no_name() {
    let changed = IdentifiersChanged {
        identifiers: vec![patient("1", "1.2.3"), patient("2", "1.2.4")],
        person: Box::new(Demographics { names: vec![name()], ..Demographics::default() }),
    };
    for (no_name, pid_5) in [(NoName::Space, " "), (NoName::TypeS, "^^^^^^S")] {
        let message = iti10::request(&changed, no_name, &domains(), &parties(), "C1");
        let pid = format!("\rPID|||1^^^HOSPITAL&1.2.3&ISO~2^^^REGION&1.2.4&ISO||{pid_5}\rPV1||N\r");
        let text = message.text();
        assert!(text.contains(&pid), "{text}");
        sent(&message);
    }
}

#[test]
fn link_changes_are_read_as_they_are_written() {
    let change = LinkChange {
        new: identifier("N", "1.2.4"),
        local: identifier("L", "1.2.3"),
        previous: identifier("P", "1.2.4"),
        subsumed_local: Some(identifier("S", "1.2.3")),
        source: "1.2.9".to_owned(),
    };
    let message = sent(&iti64::request(&change, &parties(), "C1"));
    assert_eq!(iti64::read(&message), Ok(change.clone()));
    let unlinked = LinkChange { subsumed_local: None, source: "MPI".to_owned(), ..change };
    let message = sent(&iti64::request(&unlinked, &parties(), "C1"));
    assert_eq!(iti64::read(&message), Ok(unlinked));
}

#[test]
fn acknowledgements_are_in_the_version_of_the_message() {
    let errors = || Err(vec![IdentityError::unknown_key(Place::SubsumedAuthority, "why")]);
    for (version, message_type, err) in [
        ("2.3.1", "|ACK^A40|", "\rERR|MRG^1^1^204&Unknown key identifier&HL70357\r"),
        ("2.5", "|ACK^A40^ACK|", "\rERR||MRG^1^1^1^4|204^Unknown key identifier^HL70357|E||||why\r"),
    ] {
        let text = format!("MSH|^~\\&|A|B|C|D|1||ADT^A40|X|T|{version}||||||ISO IR87||ISO 2022-1994\r");
        let message = Message::read(text.as_bytes(), Charset::Utf8).unwrap();
        let reply = acknowledgement(&message, Some(&iti8::TRANSACTION), errors());
        let text = reply.message.text();
        assert!(text.contains(message_type) && text.contains(err), "{text}");
        assert!(text.contains(&format!("|T|{version}||||||ISO IR87||ISO 2022-1994\rMSA|AE|X\r")), "{text}");
        assert!(text.starts_with("MSH|^~\\&|C|D|A|B|"), "{text}");
        let refused = accepted(&sent(&reply.message), "X").unwrap_err();
        let Refusal::Refused(AckCode::Error, reported) = refused else { panic!("{refused:?}") };
        assert_eq!((reported.len(), reported[0].code.as_str()), (1, "204"));
    }
    let later = IdentityError::internal("busy");
    assert_eq!(later.retry, Retry::Later);
    assert_eq!(AckCode::of(&[later]).application(), "AR");
}

#[test]
fn an_identifier_whose_time_is_over_is_nobodys() {
    let read = |pid_3: &str| {
        let text = format!(
            "MSH|^~\\&|A|B|C|D|20260101||ADT^A01|1|P|2.5\rEVN||20260101\rPID|||{pid_3}||A^B\rPV1||I\r"
        );
        let message = Message::read(text.as_bytes(), Charset::Utf8).unwrap();
        let FeedEvent::Announce { identifiers, ended, .. } = iti8::read(&message).unwrap().event else {
            panic!()
        };
        let ids = |all: Vec<Identifier>| all.into_iter().map(|identifier| identifier.id).collect::<Vec<_>>();
        (ids(identifiers), ids(ended))
    };
    let told = |identifiers: &[&str], ended: &[&str]| {
        let owned = |all: &[&str]| all.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        (owned(identifiers), owned(ended))
    };
    let one_is_over = read("1^^^A~9^^^I^^^^20200331~8^^^I^^^^29991231");
    assert_eq!(one_is_over, told(&["1", "", "8"], &["9"]), "the others keep their numbers");
    assert_eq!(read("1^^^A^^^^20200331"), told(&["1"], &[]), "without it there would be nobody");
    assert_eq!(read("1^^^A~9^^^I^^^^2020"), told(&["1", ""], &["9"]), "a year ends with its last day");
}
