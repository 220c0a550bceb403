//! Odd messages that are legal, or as old stacks send them, at the wire: what is meant is what is kept (ITI TF-2: Appendix C;
//! HL7 2.5, chapter 2); where it cannot be known, the answer says why.

use super::hl7v2_identity::told;
use super::support::golden;
use super::support::region::{Line, Region};

const HANAKO: &str = "EVN||20260101\rPID|||1^^^&1.2.1&ISO||山田^花子||19600229|F\rPV1||O\r";

fn message(event: &str, msh: &str, segments: &str) -> String {
    format!(
        "MSH|^~\\&|HIS|CENTRAL|SEKISHO|GATE|20260101||{event}|M1|P|2.3.1||||||{msh}\r{}",
        segments.replace('\n', "\r")
    )
}

fn utf8(segments: &str) -> String {
    message("ADT^A04", "UNICODE UTF-8", segments)
}

/// Hanako's message with one thing written otherwise.
fn but(what: &str, instead: &str) -> String {
    assert!(HANAKO.contains(what), "{what}");
    utf8(&HANAKO.replacen(what, instead, 1))
}

async fn code(line: &mut Line, message: &[u8]) -> String {
    let answer = String::from_utf8_lossy(&line.exchange(message).await).into_owned();
    answer.split("MSA|").nth(1).unwrap_or(&answer).replace('\r', " ")
}

/// Whether patient 1 is found as Hanako, born on that day.
async fn is_hanako(line: &mut Line) -> bool {
    let parameters = "@PID.3.1^1~@PID.3.4.2^1.2.1~@PID.5.1^山田~@PID.5.2^花子~@PID.7^19600229~@PID.8^F";
    let query = message("QBP^Q22^QBP_Q21", "UNICODE UTF-8", &format!("QPD|Q|T1|{parameters}\nRCP|I\n"));
    let answer = line.exchange(query.replace("2.3.1", "2.5").as_bytes()).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains("MSA|AA|"), "{answer:?}");
    answer.contains("QAK|T1|OK")
}

#[tokio::test]
async fn odd_messages_mean_what_they_say() {
    let plain = utf8(HANAKO);
    let mut forms: Vec<(&str, Vec<u8>)> = [
        ("LF", plain.replace('\r', "\n")),
        ("CR LF", plain.replace('\r', "\r\n")),
        ("no end at the end", plain.trim_end().to_owned()),
        ("blanks at the end", plain.clone() + "  "),
        ("a NUL at the end", plain.clone() + "\0"),
        ("a byte order mark", format!("\u{feff}{plain}")),
        ("Z segments anywhere", but("PV1", "ZPD|1|a^b\rZab\rPV1").replace("EVN|", "ZA1|x\rEVN|") + "ZZZ\r"),
        ("other segments of ADT", but("PV1", "PD1||||\rNK1|1|山田^一郎\rPV1") + "PV2|||\rOBX|1||x\rAL1|1\r"),
        ("nothing in PV1 but null", but("PV1||O", "PV1||\"\"")),
        (
            "trailing delimiters",
            but("&1.2.1&ISO||山田^花子|", "&1.2.1&ISO^^^^~~||山田^花子^^^^^^~^^^^~&|")
                .replace("||O\r", "||O|^^~||\r"),
        ),
        ("an identifier that ended", but("1^^^", "0^^^&1.2.1&ISO^PI^^19990101^20000101~1^^^")),
        ("an empty identifier", but("1^^^", "^^^&1.2.1&ISO~1^^^")),
        ("one identifier twice", but("1^^^&1.2.1&ISO", "1^^^&1.2.1&ISO~1^^^HOSPITAL~ 1 ^^^&1.2.1&ISO^PI")),
        ("the OID as namespace", but("&1.2.1&ISO", "1.2.1")),
        ("the OID in both places", but("&1.2.1&ISO", "1.2.1&1.2.1&ISO")),
        ("highlighting", but("花子", "\\H\\花\\N\\子")),
        ("hexadecimal", but("花子", "\\XE88AB1\\\\XE5AD90\\")),
        ("a name as one text", but("山田^花子", "山田　花子")),
        ("with a blank", but("山田^花子", "山田 花子^^^^^^L^I")),
        (
            "in three representations",
            but("山田^花子", "YAMADA^HANAKO^^^^^L^A~ヤマダ^ハナコ^^^^^L^P~山田^花子^^^^^L^I"),
        ),
        ("a birth with a time", but("19600229", "196002290000")),
        ("with a fraction and zone", but("19600229", "19600229000000.0000+0900")),
        ("a day with a zone", but("19600229", "19600229+0900")),
        ("a birth with its precision", but("19600229", "19600229^D")),
        ("a version with its country", plain.replacen("|2.3.1|", "|2.3.1^JPN^2.3.1|", 1)),
        ("a mode of processing", plain.replacen("|P|", "|P^T|", 1)),
        ("a structure of another version", plain.replacen("ADT^A04", "ADT^A04^ADT_A04", 1)),
        ("an MSH as short as may be", plain.replacen("^~\\&", "^~", 1).replace("&1.2.1&ISO", "HOSPITAL")),
        ("MSH-18 twice", message("ADT^A04", "UNICODE UTF-8~UNICODE UTF-8", HANAKO)),
        ("MSH-18 behind nothing", message("ADT^A04", "~UNICODE UTF-8", HANAKO)),
    ]
    .map(|(name, text)| (name, text.into_bytes()))
    .into();
    let jis = sekisho::wire::hl7v2::Charset::Iso2022Jp;
    for msh_18 in
        ["~ISO IR87", "ASCII~ISO IR87~ISO IR159", "ISO IR6~ISO IR13~ISO IR87", "ISO IR87", "ISO-2022-JP"]
    {
        forms.push((
            msh_18,
            jis.encode(&message("ADT^A04", &format!("{msh_18}||ISO 2022-1994"), HANAKO)).bytes,
        ));
    }
    for msh_18 in ["SHIFT_JIS", "Windows-31J", "MS932"] {
        let bytes = sekisho::wire::hl7v2::Charset::ShiftJis.encode(&message("ADT^A04", msh_18, HANAKO)).bytes;
        forms.push((msh_18, bytes));
    }
    let region = Region::start().await;
    let line = &mut region.connect().await;
    for (name, message) in forms {
        // Somebody else under that number, so that nothing is found which was told before.
        let other =
            HANAKO.replace("山田^花子", "鈴木^桜").replace("19600229", "19991231").replace("|F\r", "|M\r");
        assert!(code(line, utf8(&other).as_bytes()).await.starts_with("AA"));
        assert!(!is_hanako(line).await, "{name}");
        let answer = code(line, &message).await;
        assert!(answer.starts_with("AA"), "{name}: {answer}");
        assert!(is_hanako(line).await, "{name}");
    }
    region.stop().await;
}

/// What cannot be meant otherwise than wrongly is refused, and says why.
#[tokio::test]
async fn odd_messages_that_mean_nothing_are_refused() {
    let region = Region::start().await;
    let line = &mut region.connect().await;
    for (name, message) in [
        ("birth-with-hyphens", but("19600229", "1960-02-29")),
        ("birth-with-slashes", but("19600229", "1960/02/29")),
        ("birth-of-zeros", but("19600229", "00000000")),
        ("segments-on-one-line", plain_with_lf_between()),
        ("empty-visit", but("PV1||O", "PV1")),
    ] {
        let message = message.replace("|2.3.1|", "|2.5|");
        let answer = told(&format!("odd-{name}"), &line.exchange(message.as_bytes()).await);
        assert_eq!(answer.field("MSA", 1).value(), "AE", "{name}");
    }
    let batch = format!("FHS|^~\\&|A\rBHS|^~\\&|A\r{}BTS|1\rFTS|1\r", utf8(HANAKO));
    for (name, batch) in [("file", batch.as_str()), ("batch", batch.strip_prefix("FHS|^~\\&|A\r").unwrap())] {
        let answer = String::from_utf8(line.exchange(batch.as_bytes()).await).unwrap();
        let shown = golden::segments(&answer, &[("MSH", 6, "TIME"), ("MSH", 9, "ID")]);
        assert!(shown.contains("MSA|AR"), "{name}: {shown}");
        golden::check(&format!("hl7v2/rejected-{name}.hl7"), shown.as_bytes());
    }
    region.stop().await;
}

/// Ends of two kinds in one message: the LF is no end then, and what stands behind it is missed.
fn plain_with_lf_between() -> String {
    utf8(HANAKO).replacen("\rPV1", "\nPV1", 1)
}
