//! PIX and PDQ over HL7 v2 at the wire: every case and error of ITI TF-2: 3.8, 3.9, 3.21 and 3.22 over an MLLP socket, the
//! answers as files under `tests/golden/hl7v2/`.

use sekisho::transactions::hl7v2::structure;
use sekisho::wire::hl7v2::{Charset, Message};

use super::support::golden;
use super::support::region::{Line, Region};

const TARO: &str = "患者^太郎^^^^^L^I~カンジャ^タロウ^^^^^L^P~KANJA^TARO^^^^^L^A||19600229|M|||\
    1-2-3^^千代田区^東京都^100-0001^JPN^H||03-1234-5678";
const HANAKO: &str =
    "別人^花子^^^^^L^I~ベツジン^ハナコ^^^^^L^P||19851111|F|||9-9-9^^札幌市^北海道^060-0001^JPN^H";

fn message(message_type: &str, version: &str, segments: &str) -> String {
    format!(
        "MSH|^~\\&|HIS|CENTRAL|SEKISHO|GATE|20260101000000+0900||{message_type}|M1|P|{version}||||||UNICODE UTF-8\r{}",
        segments.replace('\n', "\r")
    )
}

fn feed(event: &str, identifiers: &str, person: &str) -> String {
    let segments = format!("EVN|{event}|20260101\nPID|||{identifiers}||{person}\nPV1||O\n");
    message(&format!("ADT^{event}^ADT_A01"), "2.3.1", &segments)
}

fn merge(surviving: &str, subsumed: &str) -> String {
    let segments = format!("EVN|A40|20260101\nPID|||{surviving}||{TARO}\nMRG|{subsumed}\n");
    message("ADT^A40^ADT_A39", "2.3.1", &segments)
}

fn pix(patient: &str, wanted: &str) -> String {
    message("QBP^Q23^QBP_Q21", "2.5", &format!("QPD|IHE PIX Query|T1|{patient}|{wanted}\nRCP|I\n"))
}

fn pdq(event: &str, parameters: &str, wanted: &str, behind: &str) -> String {
    let segments = format!("QPD|IHE PDQ Query|T1|{parameters}|||||{wanted}\nRCP|I{behind}\n");
    message(&format!("QBP^{event}^QBP_Q21"), "2.5", &segments)
}

/// What an answer says, with what differs every time replaced; its structure is checked.
#[track_caller]
pub fn told(name: &str, answer: &[u8]) -> Message {
    let message = Message::read(answer, Charset::Utf8).unwrap();
    let msh_9 = message.field("MSH", 9);
    let [code, structure] = [1, 3].map(|component| msh_9.component(component).value());
    let structure_name = if structure.is_empty() { &code } else { &structure };
    let structure = structure::ALL.into_iter().find(|known| known.name == structure_name).unwrap();
    if name != "header-no-control-id" {
        assert_eq!(structure.check(&message), [], "{name}");
    }
    assert!(structure.is_ordered(&message), "{name}");
    let mut lines: Vec<String> =
        Charset::Utf8.decode(answer).text.split_terminator('\r').map(str::to_owned).collect();
    for line in &mut lines {
        let mut fields: Vec<&str> = line.split('|').collect();
        match fields[0] {
            "MSH" => (fields[6], fields[9]) = ("TIME", "ID"),
            "DSC" => fields[1] = "POINTER",
            // Our trace id is the last word.
            "ERR" if line.contains("(trace ") => {
                *fields.last_mut().unwrap() = fields[8].split(" (trace ").next().unwrap();
            }
            _ => (),
        }
        *line = fields.join("|");
    }
    golden::check(&format!("hl7v2/{name}.hl7"), (lines.join("\n") + "\n").as_bytes());
    message
}

/// A message that is refused, in the version of ERR-1 and in that of the other fields of ERR.
async fn refuse(line: &mut Line, name: &str, message: &str) {
    for (name, message) in
        [(name.to_owned(), message.to_owned()), (format!("{name}-2.5"), message.replace("|2.3.1|", "|2.5|"))]
    {
        let answer = check(line, &name, &message).await;
        assert_eq!(answer.field("MSA", 1).value(), "AE", "{name}");
    }
}

async fn check(line: &mut Line, name: &str, message: &str) -> Message {
    let answer = line.exchange(message.as_bytes()).await;
    told(name, &answer)
}

const H1: &str = "H1^^^HOSPITAL&1.2.1&ISO";
const H2: &str = "H2^^^HOSPITAL&1.2.1&ISO";
const H3: &str = "H3^^^&1.2.1&ISO";
/// No network may have it.
const MY_NUMBER: &str = "123456789018^^^&1.2.1&ISO";

/// TARO with an account (PID-18).
fn with_account(number: &str) -> String {
    format!("{TARO}{}{number}", "|".repeat(5))
}

#[tokio::test]
async fn feeds_and_their_refusals() {
    let region = Region::start().await;
    let mut line = region.connect().await;
    let line = &mut line;
    let taro = |event: &str, id: &str| feed(event, id, TARO);
    let accepted = [
        ("feed-a01", feed("A01", &format!("{H1}~C1^^^&1.2.2&ISO"), TARO)),
        ("feed-a04", feed("A04", H2, HANAKO)),
        ("feed-a05", taro("A05", "H5^^^HOSPITAL")),
        ("feed-a08-of-somebody-unknown", taro("A08", H3)),
        ("feed-unknown-domain-beside-a-known-one", taro("A04", "X^^^&9.9.9&ISO~H6^^^&1.2.1&ISO")),
        ("feed-without-structure", taro("A04", H1).replace("^ADT_A01", "")),
        ("feed-in-2.5", taro("A04", H1).replace("2.3.1", "2.5")),
        ("feed-z-segment", taro("A04", H1) + "ZXX|1\r"),
        ("feed-other-delimiters", taro("A04", H1).replace('|', "!").replace('^', "$")),
        ("feed-authority-by-source", taro("A04", "F1").replace("|CENTRAL|", "|FEDERAL|")),
    ];
    for (name, message) in accepted {
        let answer = check(line, name, &message).await;
        assert_eq!(answer.field("MSA", 1).value(), "AA", "{name}");
    }
    for version in ["2.3.1", "2.5"] {
        let refused = [
            ("unknown-domain", taro("A04", "1^^^&9.9.9&ISO")),
            ("namespace-of-another", taro("A04", "1^^^CLINIC&1.2.1&ISO")),
            ("no-authority", taro("A04", "1")),
            ("another-source", taro("A04", "F2^^^FED&1.2.4&ISO")),
            ("no-identifier", taro("A04", "")),
            ("empty-identifier", taro("A04", "^^^&1.2.1&ISO")),
            ("my-number", taro("A04", MY_NUMBER)),
            ("my-number-account", feed("A04", H1, &with_account(MY_NUMBER))),
            (
                "my-number-visit",
                taro("A04", H1).replace("PV1||O", &format!("PV1||O{}{MY_NUMBER}", "|".repeat(17))),
            ),
            ("too-many-identifiers", taro("A04", &[H1; 65].join("~"))),
            ("two-patients", taro("A04", H1) + &format!("PID|||{H2}||{HANAKO}\r")),
            ("two-messages", taro("A04", H1) + &taro("A04", H2)),
            ("no-name", feed("A04", H1, "")),
            ("no-visit", taro("A04", H1).replace("PV1||O\r", "")),
            ("no-event-time", taro("A04", H1).replace("|20260101\r", "\r")),
            ("another-event", taro("A04", H1).replace("EVN|A04", "EVN|A08")),
            ("wrong-date", taro("A04", H1).replace("|19600229|", "|S350229|")),
        ];
        for (name, message) in refused {
            let name = format!("feed-refused-{name}-{version}");
            let answer = check(line, &name, &message.replace("|2.3.1|", &format!("|{version}|"))).await;
            assert_eq!(answer.field("MSA", 1).value(), "AE", "{name}");
        }
    }
    region.stop().await;
}

#[tokio::test]
async fn headers_and_acknowledgement_modes() {
    let region = Region::start().await;
    let mut line = region.connect().await;
    let line = &mut line;
    let good = feed("A04", H1, TARO);
    let rejected = [
        ("type", good.replace("ADT^A04^ADT_A01", "SIU^S12^SIU_S12")),
        ("event", good.replace("ADT^A04^ADT_A01", "ADT^A60^ADT_A60")),
        ("version", good.replace("2.3.1", "3.0")),
        ("processing-id", good.replace("|P|", "|X|")),
        ("type-2.5", good.replace("ADT^A04^ADT_A01", "SIU^S12^SIU_S12").replace("2.3.1", "2.5")),
        ("event-2.5", good.replace("ADT^A04^ADT_A01", "ADT^A60^ADT_A60").replace("2.3.1", "2.5")),
    ];
    for (name, message) in rejected {
        let answer = check(line, &format!("header-{name}"), &message).await;
        assert_eq!(answer.field("MSA", 1).value(), "AR", "{name}");
    }
    let errors = [
        ("no-control-id", good.replace("|M1|", "||")),
        ("charset", good.replace("UNICODE UTF-8", "KLINGON")),
        ("segment", good.clone() + "no segment\r"),
    ];
    for (name, message) in errors {
        let answer = check(line, &format!("header-{name}"), &message).await;
        assert_eq!(answer.field("MSA", 1).value(), "AE", "{name}");
    }
    for (name, message) in [
        ("not-hl7", "GET / HTTP/1.1\r".to_owned()),
        ("segments-before-it", "EVN|A04\r".to_owned() + &good),
        ("delimiters", good.replace("|^~\\&|", "|^^^^|")),
        ("fields", good.replace("|M1|", &format!("|M1{}|", "|".repeat(600)))),
    ] {
        let answer = line.exchange(message.as_bytes()).await;
        let answer =
            golden::segments(&String::from_utf8(answer).unwrap(), &[("MSH", 6, "TIME"), ("MSH", 9, "ID")]);
        assert!(answer.contains("MSA|A"), "{name}: {answer}");
        golden::check(&format!("hl7v2/rejected-{name}.hl7"), answer.as_bytes());
    }
    let mode = |message: &str, accept: &str, application: &str| {
        message.replacen("||||||UNICODE", &format!("|||{accept}|{application}||UNICODE"), 1)
    };
    let bad = feed("A04", "1^^^&9.9.9&ISO", TARO);
    for (name, message) in [
        ("ca", mode(&good, "AL", "NE")),
        ("ca-for-both", mode(&good, "AL", "AL")),
        ("ce", mode(&bad, "AL", "NE")),
        ("ce-on-error", mode(&bad, "ER", "NE")),
        ("cr", mode(&good, "AL", "NE").replace("2.3.1", "3.0")),
        ("application-only", mode(&good, "NE", "AL")),
        ("query", mode(&pix(H1, ""), "AL", "AL")),
    ] {
        check(line, &format!("mode-{name}"), &message).await;
    }
    for silent in [mode(&good, "NE", "NE"), mode(&good, "ER", "ER"), mode(&bad, "SU", "NE")] {
        line.send(silent.as_bytes()).await;
    }
    let next = line.exchange(good.replace("|M1|", "|M2|").as_bytes()).await;
    assert_eq!(Message::read(&next, Charset::Utf8).unwrap().field("MSA", 2).value(), "M2");
    region.stop().await;
}

#[tokio::test]
async fn pix_queries_and_merges() {
    let region = Region::start().await;
    let mut line = region.connect().await;
    let line = &mut line;
    let several = format!("{H1}~C1^^^&1.2.2&ISO~R1^^^&1.2.3&ISO~C2^^^&1.2.2&ISO");
    for message in [feed("A01", &several, TARO), feed("A04", H2, HANAKO)] {
        assert!(line.exchange(message.as_bytes()).await.windows(6).any(|bytes| bytes == b"MSA|AA"));
    }
    for (name, message) in [
        ("pix-1-found", pix(H1, "^^^&1.2.3&ISO")),
        ("pix-1-by-namespace", pix("H1^^^HOSPITAL", "^^^REGION")),
        ("pix-2-none-in-wanted", pix(H1, "^^^FED&1.2.4&ISO")),
        ("pix-2-no-link", pix(H2, "")),
        ("pix-3-unknown-id", pix("nobody^^^&1.2.1&ISO", "")),
        ("pix-4-unknown-domain", pix("1^^^&9.9.9&ISO", "")),
        ("pix-4-no-domain", pix("1", "")),
        ("pix-5-unknown-wanted", pix(H1, "^^^&1.2.3&ISO~^^^&9.9.8&ISO~^^^&9.9.9&ISO")),
        ("pix-6-several", pix(H1, "")),
        ("pix-no-id", pix("^^^&1.2.1&ISO", "")),
        ("pix-no-query", pix(H1, "").replace("RCP|I\r", "")),
        ("pix-my-number", pix("1234-5678-9018^^^&1.2.1&ISO", "")),
    ] {
        check(line, name, &message).await;
    }
    for (name, message) in [
        ("unknown-subsumed", merge(H1, "X^^^&1.2.1&ISO")),
        ("unknown-surviving", merge("X^^^&1.2.1&ISO", H2)),
        ("unknown-second", merge("C1^^^CLINIC&1.2.2&ISO~X^^^HOSPITAL", H2)),
        ("equal", merge(H1, H1)),
        ("of-two-domains", merge(H1, "C1^^^&1.2.2&ISO")),
        ("unknown-domain", merge(H1, "1^^^&9.9.9&ISO")),
        ("into-an-unknown-domain", merge("1^^^&9.9.9&ISO", H2)),
        ("without-mrg", merge(H1, H2).replace("MRG|", "ZRG|")),
        ("of-several", merge(H1, &format!("{H2}~C2^^^&1.2.2&ISO"))),
        ("of-two-pairs", merge(H1, H2) + &format!("PID|||{H1}||{TARO}\rMRG|C1^^^&1.2.2&ISO\r")),
        ("my-number", merge(H1, MY_NUMBER)),
        ("my-number-account", merge(H1, H2).replace(TARO, &with_account(MY_NUMBER))),
    ] {
        refuse(line, &format!("merge-{name}"), &message).await;
    }
    // One names the domain by its namespace, the other by its OID; another identifier of the patient stands before.
    check(line, "merge", &merge("C1^^^CLINIC&1.2.2&ISO~H1^^^HOSPITAL", "H2^^^&1.2.1&ISO")).await;
    refuse(line, "merge-again", &merge(H1, H2)).await;
    refuse(line, "merge-feed-for-the-subsumed", &feed("A08", H2, HANAKO)).await;
    for (name, message) in [
        ("merge-query-by-the-subsumed", pix(H2, "")),
        ("merge-query-by-the-surviving", pix("C1^^^&1.2.2&ISO", "^^^&1.2.1&ISO")),
    ] {
        check(line, name, &message).await;
    }
    region.stop().await;
}

#[tokio::test]
async fn an_insured_number_ends_with_the_month_or_year_that_is_told() {
    let region = Region::start().await;
    let mut line = region.connect().await;
    let mut told = async |days: &str| {
        let feed = feed("A08", &format!("{H1}~06138012:12:34^^^&1.2.5&ISO^^^{days}"), TARO);
        let answer = line.exchange(feed.as_bytes()).await;
        assert!(answer.windows(6).any(|bytes| bytes == b"MSA|AA"));
        let answer = line.exchange(pix(H1, "^^^&1.2.5&ISO").as_bytes()).await;
        let answer = Message::read(&answer, Charset::Utf8).unwrap();
        answer.field("PID", 3).component(1).value().into_owned()
    };
    assert_eq!(told("2020^2999").await, "06138012:12:34");
    assert_eq!(told("2020^202403").await, "", "it ended with March");
    assert_eq!(told("2020^2024").await, "", "nor does a year bring it back");
    assert_eq!(told("2999^").await, "", "nor that it will be given again");
    region.stop().await;
}

#[tokio::test]
async fn demographics_queries() {
    let region = Region::start().await;
    let mut line = region.connect().await;
    let line = &mut line;
    let brothers =
        [("一郎", "イチロウ", "ICHIRO"), ("次郎", "ジロウ", "JIRO"), ("三郎", "サブロウ", "SABURO")];
    let brother = |n: usize| {
        let (kanji, kana, romaji) = brothers[n - 1];
        let named = TARO.replace("太郎", kanji).replace("タロウ", kana).replace("TARO", romaji);
        named.replace("19600229", &format!("19{n}50{n}1{n}"))
    };
    let mut feeds = vec![feed("A01", &format!("{H1}~R1^^^&1.2.3&ISO"), TARO), feed("A04", H2, HANAKO)];
    feeds.extend((1..4).map(|n| feed("A04", &format!("C{n}^^^&1.2.2&ISO"), &brother(n))));
    for message in feeds {
        assert!(line.exchange(message.as_bytes()).await.windows(6).any(|bytes| bytes == b"MSA|AA"));
    }
    const BY_ID: &str = "@PID.3.1^H1~@PID.3.4.2^1.2.1~@PID.3.4.3^ISO";
    const HERS: &str = "@PID.5.1.1^別人~@PID.5.2^花子";
    for (name, message) in [
        ("pdq-1-found", pdq("Q22", BY_ID, "", "")),
        ("pdq-1-by-name", pdq("Q22", HERS, "", "")),
        ("pdq-2-wanted", pdq("Q22", BY_ID, "^^^&1.2.3&ISO", "")),
        ("pdq-2-none-in-wanted", pdq("Q22", HERS, "^^^&1.2.3&ISO", "")),
        ("pdq-3-unknown-wanted", pdq("Q22", BY_ID, "^^^&9.9.8&ISO~^^^&1.2.3&ISO~^^^&9.9.9&ISO", "")),
        ("pdq-nobody", pdq("Q22", "@PID.5.1.1^誰モイナイ", "", "")),
        ("pdq-unknown-domain", pdq("Q22", "@PID.3.1^1~@PID.3.4.2^9.9.9", "", "")),
        ("pdq-id-without-domain", pdq("Q22", "@PID.8^M~@PID.3.1^H1", "", "")),
        ("pdq-unknown-parameter", pdq("Q22", "@PID.8^M~@PID.10^X", "", "")),
        ("pdq-wrong-date", pdq("Q22", "@PID.7^S350229", "", "")),
        ("pdq-my-number", pdq("Q22", "@PID.3.1^123456789018~@PID.3.4.2^1.2.1", "", "")),
        ("pdq-my-number-account", pdq("Q22", "@PID.8^M~@PID.18.1^123456789018~@PID.18.4.2^1.2.1", "", "")),
        ("pdq-long-tag", pdq("Q22", HERS, "", "").replace("|T1|", &format!("|{}|", "T".repeat(257)))),
        ("pdq-nothing-asked", pdq("Q22", "@PID.5.1.1^", "", "")),
        ("pdq-wrong-page", pdq("Q22", HERS, "", "|5^LI")),
        ("pdq-no-pointer", pdq("Q22", HERS, "", "|1^RD\nDSC|nothing|I")),
        ("pdvq-found", pdq("ZV1", HERS, "", "")),
        ("pdvq-by-class", pdq("ZV1", &format!("{HERS}~@PV1.2^O"), "", "")),
        ("pdvq-other-class", pdq("ZV1", &format!("{HERS}~@PV1.2^I"), "", "")),
        ("pdvq-by-its-own-name", pdq("ZV1", HERS, "", "").replace("IHE PDQ Query", "IHE PDVQ Query")),
        ("pdvq-nobody", pdq("ZV1", "@PID.5.1.1^誰モイナイ", "", "")),
        ("pdvq-unknown-wanted", pdq("ZV1", HERS, "^^^&9.9.8&ISO", "")),
    ] {
        check(line, name, &message).await;
    }

    let family = |behind: &str| pdq("Q22", "@PID.5.1.1^患者", "", behind);
    let first = check(line, "pdq-page-1", &family("|2^RD")).await;
    let pointer = first.field("DSC", 1).value().into_owned();
    assert!(!pointer.is_empty());
    let behind = format!("|2^RD\nDSC|{pointer}|I");
    let stranger = family(&behind).replace("|HIS|", "|OTHER|");
    check(line, "pdq-page-of-another", &stranger).await;
    for _again in 0..2 {
        check(line, "pdq-page-2", &family(&behind)).await;
    }
    let cancel = message("QCN^J01^QCN_J01", "2.5", "QID|T1|IHE PDQ Query\n");
    for _again in 0..2 {
        check(line, "pdq-cancel", &cancel).await;
    }
    check(line, "pdq-page-after-cancel", &family(&behind)).await;
    check(line, "pdq-cancel-of-nothing", &cancel.replace("QID|T1|", "QID||")).await;

    let visits = |behind: &str| pdq("ZV1", "@PID.5.1.1^患者", "", behind).replace("PDQ", "PDVQ");
    let first = check(line, "pdvq-page-1", &visits("|3^RD")).await;
    let behind = format!("|3^RD\nDSC|{}|I", first.field("DSC", 1).value());
    check(line, "pdvq-page-2", &visits(&behind)).await;
    check(line, "pdvq-cancel", &cancel.replace("PDQ", "PDVQ")).await;
    check(line, "pdvq-page-after-cancel", &visits(&behind)).await;
    region.stop().await;
}

#[tokio::test]
async fn answers_are_in_the_character_set_of_the_question() {
    let region = Region::start().await;
    let mut line = region.connect().await;
    let declared = |text: String| text.replace("UNICODE UTF-8", "~ISO IR87||ISO 2022-1994");
    for message in [feed("A04", H1, TARO), pdq("Q22", "@PID.5.1.1^患者", "", "")] {
        let answer = line.exchange(&Charset::Iso2022Jp.encode(&declared(message)).bytes).await;
        assert!(answer.is_ascii());
        let answer = Message::read(&answer, Charset::Ascii).unwrap();
        assert_eq!(answer.field("MSA", 1).value(), "AA");
        assert_eq!(answer.field("MSH", 18).repetition(2).value(), "ISO IR87");
        if let Some(pid) = answer.segment("PID") {
            assert_eq!(pid.field(5).component(2).value(), "太郎");
        }
    }
    region.stop().await;
}

#[tokio::test]
async fn link_changes_and_their_refusals() {
    let region = Region::start().await;
    let mut line = region.connect().await;
    let change = |new: &str, previous: &str| {
        message("ADT^A43^ADT_A43", "2.5", &format!("EVN||20260101\nPID|||{new}|| \nMRG|{previous}\n"))
    };
    let (one, another) = ("R1^^^&1.2.3&ISO", "R2^^^&1.2.3&ISO");
    let both = format!("{one}~{H1}");
    for (name, message) in [
        ("moved", change(&both, another)),
        ("merged", change(&both, &format!("{one}~{H2}"))),
        ("of-nothing", change(&both, one)),
        ("of-two-local-domains", change(&both, &format!("{one}~C1^^^&1.2.2&ISO"))),
        ("foreign", change(&format!("C1^^^&1.2.2&ISO~{H1}"), another)),
        ("foreign-previous", change(&both, "C1^^^&1.2.2&ISO")),
        ("no-local", change(one, another)),
        ("no-previous", change(&both, "")),
        ("without-mrg", change(&both, another).replace("\rMRG|", "\rZRG|")),
        ("my-number", change(&format!("{one}~123456789018^^^&1.2.1&ISO"), another)),
        ("my-number-subsumed", change(&both, &format!("{one}~123456789018^^^&1.2.1&ISO"))),
    ] {
        check(&mut line, &format!("link-change-{name}"), &message).await;
    }
    region.stop().await;
}

#[tokio::test]
async fn what_cannot_be_done_at_present_is_rejected_and_may_come_again() {
    let region = Region::start().await;
    let mut line = region.connect().await;
    let line = &mut line;
    check(line, "feed-a04", &feed("A04", H2, HANAKO)).await;
    region.put_away();
    for (name, message) in [
        ("feed", feed("A04", H1, TARO)),
        ("feed-2.5", feed("A04", H1, TARO).replace("2.3.1", "2.5")),
        ("merge", merge(H1, H2)),
        ("pix", pix(H2, "")),
        ("pdq", pdq("Q22", "@PID.5.1.1^別人", "", "")),
        ("pdvq", pdq("ZV1", "@PID.5.1.1^別人", "", "")),
        (
            "link-change",
            message(
                "ADT^A43^ADT_A43",
                "2.5",
                &format!("EVN||20260101\nPID|||R1^^^&1.2.3&ISO~{H1}|| \nMRG|R2^^^&1.2.3&ISO\n"),
            ),
        ),
    ] {
        let answer = check(line, &format!("away-{name}"), &message).await;
        assert_eq!(answer.field("MSA", 1).value(), "AR", "{name}");
    }
    region.stop().await;
}
