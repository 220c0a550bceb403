//! Messages read, written, and read again; bytes that mean harm.

use proptest::prelude::*;

use super::*;

const CHARSETS: &[Charset] = &[
    Charset::Ascii,
    Charset::Utf8,
    Charset::Iso2022Jp,
    Charset::Jis0201,
    Charset::ShiftJis,
    Charset::EucJp,
    Charset::Latin(1),
    Charset::Latin(2),
    Charset::Latin(15),
    Charset::Gb18030,
    Charset::EucKr,
    Charset::Big5,
];

fn read(text: &str) -> Message {
    Message::read(text.as_bytes(), Charset::Utf8).unwrap()
}

#[test]
fn fields_are_found_by_number() {
    let message = read(
        "MSH|^~\\&|APP|FAC|||20260101||ADT^A04^ADT_A01|1|P|2.3.1\rEVN||2026\r\
         PID|||1^^^NS&1.2.3&ISO^PI~2^^^&1.2.4&ISO||A\\T\\B^C~^^^^^^S|\"\"|19600101\rZXX|a\r",
    );
    assert_eq!(
        (message.field("MSH", 3).value(), message.field("MSH", 9).component(2).value()),
        ("APP".into(), "A04".into())
    );
    let ids = message.field("PID", 3);
    assert_eq!(ids.repetitions().count(), 2);
    assert_eq!(ids.repetition(2).component(4).subcomponent(2), "1.2.4");
    assert_eq!(message.at(Location::field("PID", 3).component(4).subcomponent(1)), "NS");
    assert_eq!(message.field("PID", 5).value(), "A&B");
    let (null, absent) = (message.field("PID", 6), message.field("PID", 8));
    assert!(null.is_null() && !null.is_absent() && null.value().is_empty());
    assert!(absent.is_absent() && !absent.is_null() && absent.repetitions().count() == 0);
    assert!(message.field("NTE", 3).repetition(9).component(0).subcomponent(7).is_empty());
    assert_eq!(
        message.segments().map(|segment| segment.name()).collect::<Vec<_>>(),
        ["MSH", "EVN", "PID", "ZXX"]
    );
    assert_eq!(message.segment("PID").unwrap().last_field(), 7);
}

#[test]
fn segments_end_as_senders_end_them() {
    for end in ["\r", "\n", "\r\n", "\r\r\n\n"] {
        let message = read(&format!("\u{feff}MSH|^~\\&|A{end}PID|1{end}{end}"));
        assert_eq!(message.segments().count(), 2, "{end:?}");
        assert_eq!(message.field("PID", 1).value(), "1");
    }
    assert_eq!(read("MSH|^~\\&|A\rNTE|1||two\nlines\r").field("NTE", 3).value(), "two\nlines");
}

#[test]
fn what_is_no_message_is_told_apart() {
    let error = |bytes: &[u8]| Message::read(bytes, Charset::Utf8).unwrap_err();
    assert_eq!(error(b" \r\n"), MessageError::Empty);
    assert_eq!(error(b"\0\0"), MessageError::Empty);
    assert_eq!(error(b"PID|1"), MessageError::NotMsh);
    assert_eq!([error(b"FHS|^~\\&|"), error(b"BHS|^~\\&|")], [MessageError::Batch, MessageError::Batch]);
    assert_eq!(error(b"\xfe\xff\0M\0S\0H"), MessageError::Utf16);
    assert_eq!(error(b"M\0S\0H\0|\0"), MessageError::Utf16);
    assert_eq!(error(b"MSH|^^^^|"), MessageError::Delimiters);
    assert_eq!(error(b"MSH|^~\\&|A\rhello\r"), MessageError::Segment(2));
    assert_eq!(error(b"MSH|^~\\&||||||||||||||||KLINGON\r"), MessageError::Charset("KLINGON".into()));
    assert!(!MessageError::Charset("KLINGON".into()).to_string().contains("KLINGON"));
    assert!(Message::read_header(b"MSH|^~\\&|A\rhello\r", Charset::Utf8).is_ok());
    assert!(Message::read_header(b"MSH|^~\\&|A|||||||||||||||KLINGON\r", Charset::Utf8).is_ok());
    let wide = format!("MSH|^~\\&|A\rPID|{}", "|".repeat(crate::limits::MAX_HL7_FIELDS));
    assert!(matches!(error(wide.as_bytes()), MessageError::TooMany { .. }));
    let long = "MSH|^~\\&|A\r".repeat(crate::limits::MAX_HL7_SEGMENTS + 1);
    assert!(matches!(error(long.as_bytes()), MessageError::TooMany { .. }));
}

/// 表 and ソ are 0x95 0x5C and 0x83 0x5C in Shift_JIS; 能 is 0x47 0x3D, and ー 0x21 0x3C in JIS X 0208.
const NAME: &str = "表ソ能ー";

fn in_charset(msh_18: &str, msh_20: &str, name: &[u8]) -> Message {
    let mut bytes =
        format!("MSH|^~\\&|A|B|C|D|||ADT^A04|1|P|2.5||||||{msh_18}||{msh_20}\rPID|||1||").into_bytes();
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(b"^\\T\\|x\r");
    Message::read(&bytes, Charset::Ascii).unwrap()
}

#[test]
fn attack_61_a_message_is_decoded_before_it_is_split() {
    let forms: &[(&str, &str, Vec<u8>)] = &[
        ("UNICODE UTF-8", "", NAME.into()),
        ("~ISO IR87", "ISO 2022-1994", Charset::Iso2022Jp.encode(NAME).bytes),
        ("ISO IR87", "", Charset::Iso2022Jp.encode(NAME).bytes),
        ("ISO IR14~ISO IR87", "ISO 2022-1994", Charset::Iso2022Jp.encode(NAME).bytes),
        ("", "", Charset::Iso2022Jp.encode(NAME).bytes),
        ("SHIFT_JIS", "", Charset::ShiftJis.encode(NAME).bytes),
        ("EUC-JP", "", Charset::EucJp.encode(NAME).bytes),
    ];
    for (msh_18, msh_20, bytes) in forms {
        let message = in_charset(msh_18, msh_20, bytes);
        assert_eq!(message.field("PID", 5).value(), NAME, "{msh_18}");
        assert_eq!(
            (message.field("PID", 5).component(2).value(), message.field("PID", 6).value()),
            ("&".into(), "x".into())
        );
        assert_eq!(message.undecodable(), 0);
    }
}

#[test]
fn escape_sequences_of_hl7_2_3_switch_sets() {
    let name = b"\\M2442\\I=%=G=!<\\C2842\\";
    let message = in_charset("~ISO IR87", "2.3", name);
    assert_eq!(message.field("PID", 5).value(), NAME);
    assert_eq!(message.field("PID", 5).component(2).value(), "&");
    assert_eq!(in_charset("~ISO IR159", "2.3", b"\\M242844\\0!\\C2842\\").field("PID", 5).value(), "丂");
}

#[test]
fn escape_sequences_are_read_as_people_send_them() {
    let decoded = |bytes: &[u8]| Charset::Iso2022Jp.decode(bytes);
    for (bytes, text) in [
        (&b"\x1b$B\x1b(B|\x1b&@\x1b$BI=\x1b(J\\~|"[..], "|表\\~|"),
        (b"\x1b$BI=\rPID", "表\rPID"),
        (b"\x1b(I1\x1b(B\xb1", "ｱｱ"),
        (b"\x1b$(D0!\x1b(B", "丂"),
    ] {
        let read = decoded(bytes);
        assert_eq!((read.text.as_str(), read.undecodable), (text, 0));
    }
    for broken in [&b"\x1b$BI\r"[..], b"\x1bX", b"\x1b", b"\x1b$B\x7e\x7e\x1b(B", b"\xff"] {
        assert_eq!(decoded(broken).undecodable, 1, "{broken:?}");
    }
}

#[test]
fn only_what_every_reader_knows_is_written() {
    let written = |text: &str| Charset::Iso2022Jp.encode(text);
    assert_eq!(written("髙①").replaced, 2);
    assert_eq!(Charset::Iso2022Jp.decode(&written("ｶﾞｷﾞ〜").bytes).text, "ガギ～");
    assert!(written("表|表\r").bytes == b"\x1b$BI=\x1b(B|\x1b$BI=\x1b(B\r");
    for charset in CHARSETS {
        let Charset::Latin(_) = charset else {
            let bytes = charset.encode("¥‾").bytes;
            assert!(!bytes.contains(&b'\\') && !bytes.contains(&b'~'), "{charset:?}");
            continue;
        };
    }
    assert_eq!(Charset::Ascii.encode("表").bytes, b"?");
}

#[test]
fn names_of_character_sets() {
    for (name, charset) in [
        ("8859/1", Charset::Latin(1)),
        ("ISO 8859-15", Charset::Latin(15)),
        ("utf-8", Charset::Utf8),
        ("iso ir87", Charset::Iso2022Jp),
        ("Shift_JIS", Charset::ShiftJis),
    ] {
        assert_eq!(Charset::named(name), Some(charset), "{name}");
    }
    assert!(["8859/99", "UNICODE UTF-16", "UNICODE", ""].iter().all(|name| Charset::named(name).is_none()));
    for charset in CHARSETS {
        let mut msh = SegmentWriter::new("MSH");
        msh.set(3, "A").declare(*charset);
        let mut message = MessageWriter::new();
        message.push(msh);
        let read = Message::read(&message.encode(*charset).bytes, Charset::Big5).unwrap();
        assert_eq!(read.charset(), *charset);
        let mut repeated = SegmentWriter::new("MSH");
        repeated.set(3, "A");
        read.declared().repeat_in(&mut repeated);
        assert_eq!(MessageWriter::new().push(repeated).text(), message.text());
    }
}

#[test]
fn segments_are_written_as_short_as_they_are() {
    let mut message = MessageWriter::new();
    message.segment("MSH").set(3, "APP").set(9, ["ACK", "A04", ""]);
    message.segment("PID").add(5, "").add(5, ["", "", "", "", "", "", "S"]).set(7, Value::null()).set(9, "");
    message.segment("MSA").set(3, "\"\"").set(1, Value::default().component("a").subcomponents(["", "b"]));
    message.segment("bad").set(1, "x");
    assert_eq!(
        message.text(),
        "MSH|^~\\&|APP||||||ACK^A04\rPID|||||~^^^^^^S||\"\"\rMSA|a^&b||\\X2222\\\rZZZ|x\r"
    );
    let received = read(&message.text());
    assert_eq!(received.field("MSA", 3).value(), "\"\"");
    let mut copy = MessageWriter::new();
    for segment in received.segments() {
        copy.push(SegmentWriter::copy_of(segment));
    }
    assert_eq!(copy.text(), message.text());
}

#[test]
fn attack_61_no_value_becomes_structure() {
    let hostile = "a|b^c~d\\e&f\rPID|||2\nMSH|\u{b}\u{1c}\r¥‾";
    let mut message = MessageWriter::new();
    message.segment("MSH").set(3, hostile);
    message.segment("PID").set(5, [hostile, hostile]);
    for charset in CHARSETS {
        let bytes = message.encode(*charset).bytes;
        let read = Message::read(&bytes, *charset).unwrap();
        assert_eq!(read.segments().count(), 2, "{charset:?}");
        assert_eq!(read.field("PID", 5).repetition(1).components().count(), 2);
        assert!(!bytes.contains(&0x0b) && !bytes.contains(&0x1c));
        assert!(read.field("PID", 5).value().starts_with("a|b^c~d\\e&f\rPID|||2\nMSH|\u{b}\u{1c}\r"));
    }
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~¥‾]{0,8}",
        "[ぁ-んァ-ン一-龠表ソ能Ａ-Ｚ]{0,6}",
        "[À-ÿ]{0,4}",
        "\\PC{0,4}",
        "[\\x00-\\x1f|^~&\\\\]{0,4}",
    ]
}

type Fields = Vec<Vec<Vec<Vec<String>>>>;

fn fields() -> impl Strategy<Value = Fields> {
    let list = |inner| proptest::collection::vec(inner, 1..3);
    let parts = proptest::collection::vec(value(), 1..3).boxed();
    let components = list(parts).boxed();
    let repetitions = proptest::collection::vec(components, 1..3).boxed();
    proptest::collection::vec(repetitions, 1..5)
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(fields in fields(), charset in proptest::sample::select(CHARSETS)) {
        let mut message = MessageWriter::new();
        message.segment("MSH").set(3, "A").declare(charset);
        let pid = message.segment("PID");
        for (index, repetitions) in fields.iter().enumerate() {
            for components in repetitions {
                let value = components.iter().fold(Value::default(), |value, parts| value.subcomponents(parts.clone()));
                pid.add(index + 1, value);
            }
        }
        let read = Message::read(&message.encode(charset).bytes, Charset::Utf8).unwrap();
        prop_assert_eq!(read.segments().count(), 2);
        for (f, repetitions) in fields.iter().enumerate() {
            for (r, components) in repetitions.iter().enumerate() {
                for (c, parts) in components.iter().enumerate() {
                    for (s, part) in parts.iter().enumerate() {
                        let found = read.field("PID", f + 1).repetition(r + 1).component(c + 1).subcomponent(s + 1);
                        if charset.holds(part) {
                            prop_assert_eq!(&found, part, "{:?}", charset);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn hostile_bytes_never_panic(
        head in prop_oneof![Just(&b"MSH|^~\\&|A|B|||||||||||||~ISO IR87||2.3\r"[..]), Just(&b"MSH|^~\\&|\r"[..]), Just(&b""[..])],
        tail in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0x1b), Just(b'|'), Just(b'\r'), Just(b'\\'), Just(b'$')], 0..200),
        charset in proptest::sample::select(CHARSETS),
    ) {
        let bytes = [head, &tail].concat();
        let _ = Message::read_header(&bytes, charset);
        if let Ok(message) = Message::read(&bytes, charset) {
            let mut copy = MessageWriter::new();
            for segment in message.segments() {
                copy.push(SegmentWriter::copy_of(segment));
            }
            let again = Message::read(copy.text().as_bytes(), Charset::Utf8);
            prop_assert_eq!(again.map(|again| again.segments().count()).ok(), Some(message.segments().count()));
        }
    }
}
