//! `sekisho feed` and a region that listens for HL7 v2: from the configuration to the patient index and the registry.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sekisho::wire::hl7v2::mllp::frame;
use sekisho::wire::hl7v2::{Charset, Message, MessageWriter, SegmentWriter, Value};
use serde_json::Value as Json;

use crate::support::certs::TempDir;
use crate::support::http::NOBODY;
use crate::support::program::{FED, Served, run};

const IDENTITY: &str = r#"
[[identity.domains]]
oid = "1.2.3.10"
namespace = "REGION"
[[identity.domains]]
oid = "1.2.3.11"
namespace = "CLINIC"
name = "診療所"
"#;

const REGIONAL: &str = "A1^^^&1.2.3.10&ISO";
const CLINICAL: &str = "77^^^&1.2.3.11&ISO";

struct Region {
    served: Served,
    folder: TempDir,
}

impl Region {
    fn start(parts: &[&str]) -> Self {
        let folder = TempDir::new();
        let config = folder.path().join("sekisho.toml");
        std::fs::write(&config, parts.concat()).unwrap();
        let served = Served::start(config.to_str().unwrap(), &folder.path().join("data"), &[]);
        Self { served, folder }
    }
    fn address(&self) -> String {
        self.served.ready["mllp"].as_str().unwrap().to_owned()
    }
    fn feed(&self, arguments: &[&str]) -> (i32, Json) {
        let url = format!("mllp://{}", self.address());
        let (exit, told, log) = run(&[&["feed", "--url", &url, "--json"], arguments].concat(), "");
        (exit, serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}{log}")))
    }
    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
    /// Sends a message and gives the answer.
    fn ask(&self, message: &[u8]) -> Message {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.write_all(&frame(message)).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = answer.strip_prefix(b"\x0b").and_then(|rest| rest.strip_suffix(b"\x1c\r")).unwrap();
        Message::read(answer, Charset::Utf8).unwrap()
    }
    /// The identifiers that correspond (ITI-9).
    fn corresponding(&self, id: &str, oid: &str) -> Vec<String> {
        let question = format!(
            "MSH|^~\\&|A|B|C|D|20260101||QBP^Q23^QBP_Q21|9|P|2.5||||||UNICODE UTF-8\r\
             QPD|IHE PIX Query|q|{id}^^^&{oid}&ISO\rRCP|I\r"
        );
        let answer = self.ask(question.as_bytes());
        let ids = answer.segment("PID").into_iter().flat_map(|pid| pid.field(3).repetitions());
        ids.map(|id| id.value().into_owned()).collect()
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_feed_reaches_the_index_and_the_registry() {
    let region = Region::start(&[FED, IDENTITY]);
    let person = ["--name", "山田^花子", "--name", "ヤマダ^ハナコ", "--birth", "19600229", "--sex", "F"];
    let (exit, told) = region.feed(&[&["--id", REGIONAL, "--id", CLINICAL], &person[..]].concat());
    assert_eq!(
        (exit, &told["accepted"], &told["messages"][0]["event"]),
        (0, &1.into(), &"A04".into()),
        "{told}"
    );
    assert_eq!(region.corresponding("77", "1.2.3.11"), ["A1"]);

    let (exit, told) = region.feed(&["--id", "1^^^&1.9.9&ISO"]);
    assert_eq!((exit, &told["messages"][0]["answer"]), (1, &"AE".into()), "{told}");
    assert!(told["messages"][0]["problem"].as_str().unwrap().starts_with("PID^1^3 204 "), "{told}");

    let submit = |patient: &str| {
        let file = region.file("letter.txt", b"letter");
        let url = region.served.endpoint("iti41");
        run(&["submit", "--url", &url, "--patient", patient, path(&file)], "")
    };
    assert_eq!(submit(REGIONAL).0, 0);
    let (exit, told, _) = submit("A2^^^&1.2.3.10&ISO");
    assert!(exit == 1 && told.contains("XDSUnknownPatientId"), "{told}");

    region.feed(&["--id", "A2^^^&1.2.3.10&ISO"]);
    let (exit, told) = region.feed(&["--id", "A2^^^&1.2.3.10&ISO", "--subsumed", REGIONAL]);
    assert_eq!((exit, &told["messages"][0]["event"]), (0, &"A40".into()), "{told}");
    assert_eq!(region.corresponding("77", "1.2.3.11"), ["A2"]);
}

#[test]
fn a_my_number_is_sent_to_nobody_but_where_a_domain_has_such_numbers() {
    const TWELVE_DIGITS: &str = "123456789018^^^&1.2.3.11&ISO";
    let own = IDENTITY.replace("name = \"診療所\"", "twelve_digits = \"own\"");
    let region = Region::start(&[FED, &own]);
    let url = format!("mllp://{}", region.address());
    let iti18 = region.served.endpoint("iti18");
    let letter = region.file("letter.txt", b"letter");
    for (command, url) in [
        (vec!["feed", "--id", TWELVE_DIGITS], &url),
        (vec!["feed", "--id", CLINICAL, "--subsumed", TWELVE_DIGITS], &url),
        (vec!["query", "--patient", TWELVE_DIGITS], &iti18),
        (vec!["submit", path(&letter), "--patient", TWELVE_DIGITS], &iti18),
    ] {
        let (exit, told, problem) = run(&[&command[..], &["--url", url]].concat(), "");
        assert!(exit == 2 && problem.contains("My Number"), "{command:?}: {told}{problem}");
        assert!(!told.contains("123456789018") && !problem.contains("123456789018"), "{told}{problem}");
    }
    let (exit, told) = region.feed(&["--id", TWELVE_DIGITS, "--twelve-digits", "own"]);
    assert_eq!((exit, &told["accepted"]), (0, &1.into()), "{told}");
}

/// What one sender tells: somebody new under two identifiers, and after every fourth, that it was the one before.
fn told_by(sender: usize, number: usize) -> Vec<(String, String)> {
    let head = |event: &str| {
        format!(
            "MSH|^~\\&|A|B|C|D|20260101||ADT^{event}|{event}-{sender}-{number}|P|2.3.1||||||UNICODE UTF-8\rEVN||20260101\r"
        )
    };
    let id = |number: usize, oid: &str| format!("S{sender}N{number}^^^&{oid}&ISO");
    let both = format!("{}~{}", id(number, "1.2.3.10"), id(number, "1.2.3.11"));
    let birth = format!("19{:02}{:02}{:02}", 10 + number % 80, 1 + sender, 1 + number % 28);
    let admission =
        format!("{}PID|||{both}||家{sender}之{number}^名{number}||{birth}|F\rPV1||N\r", head("A04"));
    let mut all = vec![("A04".to_owned(), admission)];
    if number % 4 == 3 {
        let (surviving, subsumed) = (id(number, "1.2.3.10"), id(number - 1, "1.2.3.10"));
        let merge =
            format!("{}PID|||{surviving}||家{sender}之{number}^名{number}\rMRG|{subsumed}\r", head("A40"));
        all.push(("A40".to_owned(), merge));
    }
    all
}

/// Feeds one message after the other on one connection until it breaks; gives those that were accepted.
fn feed_until_it_breaks(address: &str, sender: usize, told: &AtomicUsize) -> Vec<(String, usize)> {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut accepted = Vec::new();
    for number in 0.. {
        for (event, message) in told_by(sender, number) {
            let mut answer = Vec::new();
            let mut byte = [0];
            if stream.write_all(&frame(message.as_bytes())).is_err() {
                return accepted;
            }
            while !answer.ends_with(b"\x1c\r") {
                match stream.read(&mut byte) {
                    Ok(1) => answer.push(byte[0]),
                    _ => return accepted,
                }
            }
            assert!(
                String::from_utf8_lossy(&answer).contains("MSA|AA"),
                "{}",
                String::from_utf8_lossy(&answer)
            );
            accepted.push((event, number));
            told.fetch_add(1, Ordering::SeqCst);
        }
    }
    accepted
}

#[test]
fn attack_65_no_accepted_feed_is_lost_to_a_kill_and_none_is_applied_twice() {
    const SENDERS: usize = 4;
    let Region { served, folder } = Region::start(&[FED, IDENTITY]);
    let address = served.ready["mllp"].as_str().unwrap().to_owned();
    let told = Arc::new(AtomicUsize::new(0));
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let (address, told) = (address.clone(), Arc::clone(&told));
            std::thread::spawn(move || feed_until_it_breaks(&address, sender, &told))
        })
        .collect();
    // Until each of them has told enough, however slow the machine and the database are.
    for _ in 0..1_200 {
        if told.load(Ordering::SeqCst) >= 12 * SENDERS {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    // SIGKILL.
    drop(served);
    let accepted: Vec<_> = senders.into_iter().map(|sender| sender.join().unwrap()).collect();
    assert!(
        accepted.iter().all(|one| one.len() > 4),
        "{:?}",
        accepted.iter().map(Vec::len).collect::<Vec<_>>()
    );

    let config = folder.path().join("sekisho.toml");
    let served = Served::start(path(&config), &folder.path().join("data"), &[]);
    let region = Region { served, folder };
    for (sender, accepted) in accepted.iter().enumerate() {
        let merged = |number: usize| accepted.contains(&("A40".to_owned(), number));
        let last = accepted.last().unwrap().1;
        for (event, number) in accepted.iter().filter(|(_, number)| number + 8 > last) {
            let name = |number: usize| format!("S{sender}N{number}");
            let message = told_by(sender, *number).into_iter().find(|(told, _)| told == event).unwrap().1;
            let again = region.ask(message.as_bytes());
            // Whether the merge of the next message was carried out before the kill is known only if it was accepted.
            if event == "A40" {
                assert_eq!(again.field("MSA", 1).value(), "AE", "{sender} {number}: subsumed once");
                let mut all = region.corresponding(&name(number - 1), "1.2.3.11");
                all.sort_unstable();
                let mut expected = vec![name(*number), name(*number)];
                expected.sort_unstable();
                assert_eq!(all, expected, "{sender} {number}");
            } else if !merged(*number) && !merged(number + 1) && number + 2 < last {
                assert_eq!(again.field("MSA", 1).value(), "AA", "{sender} {number}");
                assert_eq!(region.corresponding(&name(*number), "1.2.3.11"), [name(*number)]);
            }
        }
    }
}

#[test]
fn a_registry_alone_takes_feeds_too() {
    let region = Region::start(&[FED]);
    let (exit, told) = region.feed(&["--id", REGIONAL, "--event", "A01"]);
    assert_eq!((exit, &told["messages"][0]["event"]), (0, &"A01".into()), "{told}");
    let unknown =
        region.ask(b"MSH|^~\\&|A|B|C|D|20260101||QBP^Q23^QBP_Q21|9|P|2.5\rQPD|IHE PIX Query|q|1\rRCP|I\r");
    assert_eq!(unknown.field("MSA", 1).value(), "AR", "no PIX Manager is there");
}

#[test]
fn files_are_sent_as_they_are_in_their_character_sets() {
    let region = Region::start(&[FED, IDENTITY]);
    let message = |charset: Charset, id: &str, names: &[&str]| {
        let mut message = MessageWriter::new();
        message
            .segment("MSH")
            .set(3, "A")
            .set(4, "B")
            .set(5, "C")
            .set(6, "D")
            .set(7, "20260101")
            .set(9, ["ADT", "A04"])
            .set(10, format!("id-{id}"))
            .set(11, "P")
            .set(12, "2.3.1")
            .declare(charset);
        message.segment("EVN").set(2, "20260101");
        let mut pid = SegmentWriter::new("PID");
        for oid in ["1.2.3.10", "1.2.3.11"] {
            pid.add(3, Value::from([id, "", ""]).subcomponents(["", oid, "ISO"]));
        }
        for name in names {
            pid.add(5, [*name, "太郎"]);
        }
        message.push(pid).segment("PV1").set(2, "N");
        message.encode(charset).bytes
    };
    // 表 holds a backslash in Shift_JIS, 能 and ー hold others in JIS X 0208.
    let names = ["表能ー", "ソ|^~\\&"];
    let japanese =
        [message(Charset::Iso2022Jp, "1", &names), message(Charset::ShiftJis, "2", &names)].concat();
    let utf8 = String::from_utf8(message(Charset::Utf8, "3", &names)).unwrap().replace('\r', "\r\n");
    let files = [region.file("japanese.hl7", &japanese), region.file("utf8.hl7", utf8.as_bytes())];
    let (exit, told) = region.feed(&[path(&files[0]), path(&files[1])]);
    assert_eq!((exit, &told["accepted"]), (0, &3.into()), "{told}");
    assert_eq!(told["messages"][1]["message"], "id-2");
    for id in ["1", "2", "3"] {
        let question = format!(
            "MSH|^~\\&|A|B|C|D|20260101||QBP^Q22^QBP_Q21|9|P|2.5||||||UNICODE UTF-8\r\
             QPD|IHE PDQ Query|q|@PID.3.1^{id}~@PID.3.4.2^1.2.3.10~@PID.3.4.3^ISO\rRCP|I\r"
        );
        let answer = region.ask(question.as_bytes());
        let found: Vec<_> =
            answer.field("PID", 5).repetitions().map(|name| name.value().into_owned()).collect();
        assert_eq!(found, names, "{id}");
    }
}

/// MSH-18 says in what a message is; where it says nothing, the listener does.
#[test]
fn a_character_set_is_the_messages_or_the_listeners() {
    let mllp = "[listen.mllp]\naddress = \"127.0.0.1:0\"\n";
    let listener = FED.replace(mllp, &format!("{mllp}charset = \"Shift_JIS\"\n"));
    assert_ne!(listener, FED);
    let region = Region::start(&[&listener, IDENTITY]);
    for (id, declared, charset, name) in [
        ("1", "", Charset::ShiftJis, "表能ー"),
        ("2", "ISO IR14", Charset::Jis0201, "ﾔﾏﾀﾞ"),
        ("3", "8859/1", Charset::Latin(1), "MÜLLER"),
        ("4", "SHIFT_JIS", Charset::ShiftJis, "ソ十"),
        ("5", "~ISO IR87||ISO 2022-1994", Charset::Iso2022Jp, "高橋"),
    ] {
        let message = format!(
            "MSH|^~\\&|A|B|C|D|20260101||ADT^A04|{id}|P|2.3.1||||||{declared}\rEVN||20260101\r\
             PID|||{id}^^^&1.2.3.10&ISO||{name}^A\rPV1||N\r"
        );
        let taken = region.ask(&charset.encode(&message).bytes);
        assert_eq!(taken.field("MSA", 1).value(), "AA", "{declared:?}");
        let question = format!(
            "MSH|^~\\&|A|B|C|D|20260101||QBP^Q22^QBP_Q21|9|P|2.5||||||UNICODE UTF-8\r\
             QPD|IHE PDQ Query|q|@PID.3.1^{id}~@PID.3.4.2^1.2.3.10~@PID.3.4.3^ISO\rRCP|I\r"
        );
        let found = region.ask(question.as_bytes());
        assert_eq!(found.field("PID", 5).value(), name, "{declared:?}");
    }
}

#[test]
fn attack_61_what_an_acknowledgement_repeats_is_escaped() {
    let region = Region::start(&[FED, IDENTITY]);
    for (message, control_id, code) in [
        (&b"MSH*!%$@*A*B*C*D*2026**ADT!A04*7|8\rMSA^1~2*P*2.3.1\rEVN**2026\rPID***1!!!@1.2.3.10@ISO**N\rPV1**N\r"[..], "7|8", "AE"),
        (b"MSH|^~\\&|A|B|C|D|2026||ADT^A04|7\\F\\8\\X0D\\MSA\\F\\AE|P|2.3.1\rEVN||2026\rPID|||1^^^&1.2.3.10&ISO||N\rPV1||N\r", "7|8\rMSA|AE", "AA"),
    ] {
        let answer = region.ask(message);
        assert_eq!(answer.segments_named("MSA").count(), 1);
        let said = [1, 2].map(|field| answer.field("MSA", field).value().into_owned());
        assert_eq!(said, [code, control_id]);
    }
}

#[test]
fn nobody_there_is_told_apart_from_a_refusal() {
    let url = format!("mllp://{NOBODY}");
    let (exit, told, _) = run(&["feed", "--url", &url, "--id", REGIONAL], "");
    assert_eq!(exit, 3);
    assert!(told.contains("no connection"), "{told}");
    for (url, problem) in
        [("http://127.0.0.1:1", "mllp://"), ("mllp://127.0.0.1", "port"), ("mllps://127.0.0.1:1", "--ca")]
    {
        let (exit, _, log) = run(&["feed", "--url", url, "--id", REGIONAL], "");
        assert!(exit == 2 && log.contains(problem), "{log}");
    }
    let (exit, _, log) = run(&["feed", "--url", &url, "--id", "1^^^&9.9&ISO"], "");
    assert!(exit == 2 && log.contains("ID^^^&OID&ISO"), "{log}");
}
