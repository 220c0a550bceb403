use super::*;
use crate::demographics::{Change, Demographics, DemographicsChange, NameKind, Representation, Sex, Visit};
use crate::ids::Oid;
use crate::limits;
use crate::wire::hl7v2::{Charset, Message, MessageWriter};

const MSH: &str = "MSH|^~\\&|A|B|C|D|20260101||ADT^A04^ADT_A01|1|P|2.5||||||UNICODE UTF-8\r";

fn message(segment: &str) -> Message {
    Message::read(format!("{MSH}{segment}\r").as_bytes(), Charset::Utf8).unwrap()
}

fn read(pid: &str) -> Result<DemographicsChange, WrongType> {
    change(message(pid).segment("PID").unwrap())
}

fn person(pid: &str) -> Demographics {
    let mut person = Demographics::default();
    read(pid).unwrap().apply(&mut person);
    person
}

fn written(set: impl FnOnce(&mut crate::wire::hl7v2::SegmentWriter), name: &str) -> String {
    let mut message = MessageWriter::new();
    set(message.segment(name));
    message.text().trim_end().to_owned()
}

const FULL: &str = "PID|||1^^^&1.2.3&ISO||患者^太郎^^^^^L^I~カンジャ^タロウ^^^^^L^P~Kanja^Taro^^^^^L^A|旧姓^花子^^^^^M|19600229|M|||\
    1丁目2番3号^コーポ101^千代田区^東京都^100-0001^JPN^H||03-1234-5678^PRN^PH~^NET^Internet^taro@example.jp|\
    03-9999-0000^WPN^PH||||77^^^ACC&1.2.9&ISO^AN|||||京都市|Y|2|||||N";

#[test]
fn a_whole_pid_is_read_and_written_again() {
    let read = person(FULL);
    assert_eq!(read.names.len(), 3);
    let name = |index: usize| {
        let name = &read.names[index];
        (name.family.as_str(), name.given.as_str(), name.representation, name.kind)
    };
    assert_eq!(name(0), ("患者", "太郎", Some(Representation::Ideographic), NameKind::Legal));
    assert_eq!(name(1), ("カンジャ", "タロウ", Some(Representation::Phonetic), NameKind::Legal));
    assert_eq!(name(2), ("Kanja", "Taro", Some(Representation::Alphabetic), NameKind::Legal));
    assert!(read.sex == Some(Sex::Male) && read.birth.as_ref().unwrap().as_str() == "19600229");
    assert!(read.multiple_birth == Some(2) && read.deceased == Some(false));
    assert_eq!(
        read.telecoms.iter().map(|one| (one.kind.as_str(), one.mail)).collect::<Vec<_>>(),
        [("PRN", false), ("NET", true), ("WPN", false)]
    );
    assert_eq!(read.addresses[0].city, "千代田区");
    assert_eq!(read.account.as_ref().unwrap().authority.universal_id, "1.2.9");
    let again = written(|pid| set_person(&read, pid), "PID");
    assert!(person(&again) == read, "{again}");
    let change = DemographicsChange::set(&read);
    assert!(person(&written(|pid| set_change(&change, pid), "PID")) == read);
}

#[test]
fn a_name_that_came_whole_is_divided_where_that_is_certain() {
    for (xpn, family, given) in [
        ("山田　花子", "山田", "花子"),
        ("山田 花子^^^^^^L^I", "山田", "花子"),
        ("YAMADA, HANAKO^^^^^^L^A", "YAMADA", "HANAKO"),
        ("VAN DYKE", "VAN DYKE", ""),
        ("山田 花子^太郎", "山田 花子", "太郎"),
        ("山田", "山田", ""),
    ] {
        let read = person(&format!("PID|||1||{xpn}"));
        assert_eq!((read.names[0].family.as_str(), read.names[0].given.as_str()), (family, given), "{xpn}");
    }
}

#[test]
fn an_absent_field_keeps_and_two_quotes_remove() {
    let kept = read("PID|||1").unwrap();
    assert_eq!(kept, DemographicsChange::default());
    let removed = read("PID|||1||\"\"|\"\"|\"\"|\"\"|||\"\"||\"\"|||||\"\"|||||\"\"|\"\"||||||\"\"").unwrap();
    let all_removed = DemographicsChange {
        names: Change::Remove,
        birth: Change::Remove,
        sex: Change::Remove,
        addresses: Change::Remove,
        telecoms: Change::Remove,
        mothers_maiden_names: Change::Remove,
        birth_place: Change::Remove,
        birth_place_address: Change::Keep,
        account: Change::Remove,
        multiple_birth: Change::Remove,
        deceased: Change::Remove,
    };
    assert_eq!(removed, all_removed);
    let again = written(|pid| set_change(&all_removed, pid), "PID");
    assert_eq!(read(&again).unwrap(), all_removed, "{again}");
}

#[test]
fn japanese_and_older_habits() {
    let name = &person("PID|||1||患者　太郎^^^^^^L^I").names[0];
    assert_eq!((name.family.as_str(), name.given.as_str()), ("患者", "太郎"));
    let address = &person("PID|||1||A||||||^^^^100-0001^JPN^H^東京都千代田区１−２−３").addresses[0];
    assert_eq!((address.text.as_str(), address.kind.as_str()), ("東京都千代田区１−２−３", "H"));
    let address = &person("PID|||1||A||||||3-2-1&銀座通り&3^^中央区").addresses[0];
    assert_eq!((address.street.as_str(), address.house_number.as_str()), ("3-2-1", "3"));
    for (xtn, value) in [
        ("(03)1234-5678", "(03)1234-5678"),
        ("^PRN^PH^^81^3^12345678", "+81-3-12345678"),
        ("^PRN^PH^^^03^1234-5678^9", "03-1234-5678x9"),
        ("^PRN^PH^^^^^^^^^03 1234 5678", "03 1234 5678"),
    ] {
        assert_eq!(person(&format!("PID|||1||A||||||||{xtn}")).telecoms[0].value, value, "{xtn}");
    }
    assert_eq!(person("PID|||1||A|||||||||03-1").telecoms[0].kind, "WPN");
    // There is a name, and it is not told.
    assert_eq!(read("PID|||1||~^^^^^^S").unwrap().names, Change::Keep);
    assert!(read("PID|||1||A|||X").unwrap().sex == Change::Set(Sex::Unknown));
    assert_eq!(person("PID|||1||A||||||||||||||||||||||||20200101").deceased, Some(true));
}

#[test]
fn a_date_or_number_that_is_none_is_wrong() {
    assert_eq!(read("PID|||1||A||S350229").unwrap_err(), WrongType("PID", 7));
    assert_eq!(read("PID|||1||A||19601301").unwrap_err(), WrongType("PID", 7));
    assert_eq!(read(&format!("PID|||1||A|{}Y|x", "|".repeat(18))).unwrap_err(), WrongType("PID", 25));
}

#[test]
fn of_too_many_names_and_addresses_the_first_count() {
    let many = |one: &str| vec![one; limits::MAX_PERSON_VALUES + 1].join("~");
    let pid = format!("PID|||1||First^A~{}||||||{}", many("Further^B"), many("1-2-3^^Town"));
    let read = person(&pid);
    assert_eq!(
        (read.names.len(), read.addresses.len()),
        (limits::MAX_PERSON_VALUES, limits::MAX_PERSON_VALUES)
    );
    assert_eq!(read.names[0].family, "First");
}

#[test]
fn identifiers_keep_their_numbers() {
    let message = message("PID|||1^^^A~~3^^^&1.2.3&ISO^PI");
    let read = identifiers(message.field("PID", 3));
    assert_eq!(read.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["1", "", "3"]);
    assert_eq!((read[0].authority.namespace.as_str(), read[2].type_code.as_str()), ("A", "PI"));
    let ours = written(|pid| _ = pid.set(3, cx(&read[2])), "PID");
    assert_eq!(ours, "PID|||3^^^&1.2.3&ISO^PI");
    let domain = crate::demographics::Domain {
        oid: Oid::parse("1.2.3").unwrap(),
        namespace: "A&B".to_owned(),
        name: String::new(),
        kind: Default::default(),
        source: None,
        twelve_digits: Default::default(),
    };
    let patient = PatientId::new("7|8", domain.oid.clone());
    let domains = Domains::new(vec![domain]);
    let ours = written(|pid| _ = pid.set(3, patient_cx(&patient, &domains)), "PID");
    assert_eq!(ours, "PID|||7\\F\\8^^^A\\T\\B&1.2.3&ISO");
}

#[test]
fn a_visit_is_read_and_written_again() {
    let pv1 = "PV1||I|W1^R2^B3||||77^Doe&von^Jane|||CAR|||||||88^Roe||V1^^^&1.2.9&ISO";
    let read = visit(message(pv1).segment("PV1").unwrap());
    assert_eq!((read.class.as_str(), read.location.as_str()), ("I", "W1^R2^B3"));
    assert_eq!((read.attending.as_str(), read.service.as_str()), ("77^Doe&von^Jane", "CAR"));
    assert_eq!(written(|pv1| set_visit(&read, pv1), "PV1"), pv1);
    assert_eq!(written(|pv1| set_visit(&Visit::default(), pv1), "PV1"), "PV1||U");
}

#[test]
fn identifiers_hold_from_the_first_of_some_days_to_the_last_of_others() {
    let cx = |from: &str, until: &str| {
        let pid = message(&format!("PID|||1^^^&1.2.3&ISO^^^{from}^{until}"));
        identifiers(pid.field("PID", 3)).remove(0).validity
    };
    let day = |text: &str| days_of(text).map(|(first, _)| first);
    for (from, until, first, last) in [
        ("20240215", "20240229", day("20240215"), day("20240229")),
        ("202402", "202402", day("20240201"), day("20240229")),
        ("2024", "2024", day("20240101"), day("20241231")),
        ("20240215120000+0900", "20240228230000-0100", day("20240215"), day("20240229")),
        ("", "99999999", None, None),
    ] {
        assert_eq!(cx(from, until), Validity { from: first, until: last }, "{from} {until}");
    }
}
