//! No patient in logs, metrics or faults (user pain of every operator who had to shred a log): a region is run with
//! everything logged, patients' names and identifiers are sent through it in every way that is answered, refused or broken,
//! and none of them comes out anywhere but in answers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use sekisho::wire::hl7v2::mllp::frame;

use crate::support::certs::TempDir;
use crate::support::community::{Behaviour, Scripted, community_file};
use crate::support::program::Served;

/// What identifies the patient: identifiers, names in three scripts, a birthday, a document's words.
const CANARIES: [&str; 7] =
    ["CANARY-4711", "金糸雀", "カナリヤ", "KANARIYA", "19310203", "6YeR57O46ZuA", "2.25.471147114711"];
/// What a peer of straw says in its faults.
const PEERS_WORDS: &str = "out of order";

/// The sample submission, of the canary.
fn submission() -> String {
    let sample = std::fs::read_to_string("schemas/samples/iti-41.xml").unwrap();
    let info = "<rim:Value>PID-5|金糸雀^花子</rim:Value><rim:Value>PID-5|カナリヤ^ハナコ</rim:Value>\
                <rim:Value>PID-5|KANARIYA^HANAKO</rim:Value><rim:Value>PID-7|19310203</rim:Value>";
    let (before, rest) = sample.split_once("<rim:Slot name=\"sourcePatientInfo\">").unwrap();
    let (_, after) = rest.split_once("</rim:Slot>").unwrap();
    let sample = format!(
        "{before}<rim:Slot name=\"sourcePatientInfo\"><rim:ValueList>{info}</rim:ValueList></rim:Slot>{after}"
    );
    let (before, rest) = sample.split_once("<xds:Document id=\"document\">").unwrap();
    let (_, after) = rest.split_once("</xds:Document>").unwrap();
    format!("{before}<xds:Document id=\"document\">6YeR57O46ZuA</xds:Document>{after}")
        .replace("P-0001^^^&amp;2.999.1.3&amp;ISO", "CANARY-4711^^^&amp;1.2.392.1&amp;ISO")
        .replace("2.999.1.4.41.", "2.25.471147114711.")
        .replace("value=\"退院時サマリー\"", "value=\"金糸雀花子 退院時サマリー\"")
}

fn query() -> String {
    std::fs::read_to_string("schemas/samples/iti-18.xml")
        .unwrap()
        .replace("P-0001^^^&amp;2.999.1.3&amp;ISO", "CANARY-4711^^^&amp;1.2.392.1&amp;ISO")
}

fn retrieve() -> String {
    std::fs::read_to_string("schemas/samples/iti-43.xml")
        .unwrap()
        .replace("2.999.1.4.41.1", "2.25.471147114711.1")
}

/// What a request is made from, what of it is replaced, and by what.
type Change = (fn() -> String, &'static str, &'static str);

/// The patient where patients stand, in requests that each another room refuses: no fault may quote it.
const BROKEN: &[(&str, Change)] = &[
    ("/services/iti-18", (query, "&amp;ISO'", "&amp;ISO")),
    ("/services/iti-18", (query, "'CANARY-4711^^^", "'CANARY-4711^金糸雀^")),
    ("/services/iti-18", (query, "14d4debf", "CANARY-4711")),
    ("/services/iti-18", (query, "$XDSDocumentEntryStatus", "$KANARIYA")),
    ("/services/iti-18", (query, "addressing/anonymous", "CANARY-4711")),
    ("/services/iti-18", (query, "urn:uuid:5b0d2e86", "urn:CANARY-4711:5b0d2e86")),
    ("/services/iti-18", (query, "<query:AdhocQueryRequest", "<query:KANARIYA")),
    ("/services/iti-18", (query, "</soap:Body>", "<金糸雀")),
    ("/services/iti-18", (query, "<soap:Header>", "<soap:Header><!DOCTYPE 金糸雀>")),
    ("/services/iti-18", (query, "<soap:Header>", "&CANARY-4711;<soap:Header>")),
    ("/services/CANARY-4711", (query, "", "")),
    ("/services/iti-18?金糸雀=CANARY-4711", (query, "", "")),
    ("/services/iti-43", (retrieve, "", "")),
    ("/services/iti-18", (query, "LeafClass", "金糸雀")),
    ("/services/iti-43", (retrieve, "DocumentUniqueId", "カナリヤ")),
    ("/hosted/iti-41", (submission, "id=\"document\"", "id=\"金糸雀\"")),
    ("/hosted/iti-41", (submission, "CANARY-4711^^^", "CANARY-4711^金糸雀^")),
    ("/hosted/iti-41", (submission, "sourceObject=\"submission\"", "sourceObject=\"カナリヤ\"")),
    ("/hosted/iti-41", (submission, ">6YeR57O46ZuA<", ">KANARIYA!<")),
    ("/hosted/iti-41", (submission, "HasMember", "KANARIYA")),
    ("/hosted/iti-41", (submission, "value=\"金糸雀", "value=\"カナリヤ")),
    ("/hosted/iti-41", (submission, "rim:RegistryObjectList", "rim:金糸雀")),
];

/// The patient in place of the protocol's own words: faults must quote those (SOAP 1.2, WS-Addressing 1.0), to who sent
/// them.
const MISPLACED: &[Change] = &[
    (query, "RegistryStoredQuery<", "金糸雀<"),
    (
        query,
        "<soap:Header>",
        "<soap:Header><x:金糸雀 xmlns:x=\"urn:CANARY-4711\" soap:mustUnderstand=\"1\"/>",
    ),
];

fn made((of, from, to): &Change) -> String {
    let message = of();
    assert!(message.contains(from), "{from} is not in the sample");
    message.replace(from, to)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_patient_comes_into_logs_metrics_or_faults() {
    let folder = TempDir::new();
    let communities = folder.path().join("communities");
    std::fs::create_dir(&communities).unwrap();
    let (right, faulting) =
        (Scripted::new("1.2.200", Behaviour::Right).await, Scripted::new("1.2.300", Behaviour::Fault).await);
    let nowhere: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let files = [
        right.file("[rules]\n\"de.creation-time.cardinality\" = \"report\""),
        faulting.file(""),
        ("1.2.400".to_owned(), community_file("1.2.400", nowhere, "")),
    ];
    for (name, text) in files {
        std::fs::write(communities.join(name + ".toml"), text).unwrap();
    }
    let communities = format!("federation.communities={}", communities.display());
    let served = Served::start(
        "examples/hosted/sekisho.toml",
        folder.path(),
        &[&communities, "log.level=trace", "rules.\"de.creation-time.dtm\"=report"],
    );
    tokio::task::spawn_blocking(move || run(served)).await.unwrap();
}

fn run(served: Served) {
    let (_, accepted) = served.post("/hosted/iti-41", &submission());
    assert!(accepted.contains("ResponseStatusType:Success"), "{accepted}");
    let (_, reported) = served.post(
        "/hosted/iti-41",
        &submission()
            .replace(".471147114711.", ".471147114711.9")
            .replace(">20240401010000<", ">19310203KANARIYA<"),
    );
    assert!(reported.contains("ResponseStatusType:Success"), "{reported}");
    let (_, found) = served.post("/services/iti-18", &query());
    assert!(found.contains("ResponseStatusType:PartialSuccess") && found.contains("金糸雀"), "{found}");
    let (_, document) =
        served.post("/hosted/iti-43", &retrieve().replace("2.999.1.2<", "2.25.318902478213461.12.2<"));
    assert!(document.contains("6YeR57O46ZuA"), "{document}");
    for (path, change) in BROKEN {
        let (status, answer) = served.post(path, &made(change));
        assert!(matches!(status, 200 | 400 | 404 | 500), "{status} {path}: {answer}");
        // A RegistryError goes to the application that asked, and names the value; a fault goes to whoever is on the way.
        if answer.contains("soap:Fault>") {
            nothing_of_the_patient_is_in(&answer, "a fault");
        }
    }
    for change in MISPLACED {
        let (_, answer) = served.post("/services/iti-18", &made(change));
        assert!(answer.contains("soap:Fault>"), "{answer}");
    }
    let odd = "POST /services/iti-18 HTTP/1.1\r\nContent-Type: text/CANARY-4711\r\nUser-Agent: KANARIYA";
    assert_eq!(served.request("http", odd, "カナリヤ").0, 415);
    for page in ["/metrics", "/status", "/"] {
        nothing_of_the_patient_is_in(&served.get(page).1, page);
    }
    let (_, metrics) = served.get("/metrics");
    for counted in [
        "sekisho_metadata_violations_total{transaction=\"ITI-41\",rule=\"de.creation-time.dtm\",level=\"report\"} ",
        "sekisho_metadata_violations_total{transaction=\"answer\",rule=\"de.creation-time.cardinality\",level=\"report\"} ",
    ] {
        assert!(metrics.contains(counted), "{metrics}");
    }
    let log = served.into_log();
    assert!(
        log.contains("rules=\"de.creation-time.dtm\"") && log.contains("community=urn:oid:1.2.300"),
        "{log}"
    );
    nothing_of_the_patient_is_in(&log, "the log");
}

/// The patient as PID-5 to PID-13 have them.
const PERSON: &str = "金糸雀^花子^^^^^L^I~カナリヤ^ハナコ^^^^^L^P~KANARIYA^HANAKO^^^^^L^A||19310203|F|||^^カナリヤ町||CANARY-4711";
/// Type, version and segments behind MSH of HL7 v2 messages that are answered, refused or broken; `@` is the authority of
/// the region's patients, `PERSON` the patient.
const HL7V2: &[(&str, &str, &str)] = &[
    ("ADT^A04", "2.3.1", "EVN||2026\rPID|||CANARY-4711^^^@||PERSON\rPV1||N"),
    ("ADT^A08", "2.3.1", "EVN||2026\rPID|||CANARY-4711^^^@~CANARY-4711B^^^@||PERSON\rPV1||N"),
    ("ADT^A04", "2.3.1", "EVN||2026\rPID|||CANARY-4711^^^金糸雀&9.9&ISO||PERSON\rPV1||N"),
    ("ADT^A04", "2.3.1", "EVN||2026\rPID|||CANARY-4711^^^@||金糸雀^花子||KANARIYA19310203|金糸雀\rPV1||N"),
    ("ADT^A04", "2.3.1", "金糸雀|CANARY-4711"),
    ("ADT^金糸雀", "2.3.1", "EVN||2026\rPID|||CANARY-4711^^^@||PERSON\rPV1||N"),
    ("ADT^A04", "金糸雀", "EVN||2026\rPID|||CANARY-4711^^^@||PERSON\rPV1||N"),
    ("ADT^A40", "2.3.1", "EVN||2026\rPID|||CANARY-4711^^^@||PERSON\rMRG|CANARY-4711B^^^@"),
    ("ADT^A40", "2.3.1", "EVN||2026\rPID|||CANARY-4711^^^@||PERSON\rMRG|CANARY-4711B^^^@"),
    ("ADT^A40", "2.3.1", "EVN||2026\rPID|||CANARY-4711^^^@||PERSON\rMRG|CANARY-4711^^^金糸雀&9.9&ISO"),
    ("QBP^Q23^QBP_Q21", "2.5", "QPD|IHE PIX Query|CANARY-4711|CANARY-4711^^^@\rRCP|I"),
    ("QBP^Q23^QBP_Q21", "2.5", "QPD|IHE PIX Query|1|CANARY-4711X^^^@|^^^金糸雀&9.9\rRCP|I"),
    ("QBP^Q22^QBP_Q21", "2.5", "QPD|IHE PDQ Query|1|@PID.5.1.1^金糸雀~@PID.7.1^19310203\rRCP|I"),
    (
        "QBP^Q22^QBP_Q21",
        "2.5",
        "QPD|IHE PDQ Query|1|@金糸雀^KANARIYA~@PID.7.1^KANARIYA\rRCP|I\rDSC|CANARY-4711|I",
    ),
    ("QCN^J01^QCN_J01", "2.5", "QID|CANARY-4711|IHE PDQ Query"),
    (
        "ADT^A43^ADT_A43",
        "2.5",
        "EVN||2026\rPID|||CANARY-4711^^^@~金糸雀^^^&9.9&ISO||KANARIYA\rMRG|CANARY-4711^^^@",
    ),
];
/// HL7 V3 messages, likewise.
const HL7V3: &[(&str, &str, &str)] = &[
    ("iti-55", "urn:hl7-org:v3:PRPA_IN201305UV02:CrossGatewayPatientDiscovery", "PRPA_IN201305UV02"),
    ("iti-47", "urn:hl7-org:v3:PRPA_IN201305UV02", "PRPA_IN201305UV02"),
    ("iti-45", "urn:hl7-org:v3:PRPA_IN201309UV02", "PRPA_IN201309UV02"),
    ("iti-44", "urn:hl7-org:v3:PRPA_IN201301UV02", "PRPA_IN201301UV02"),
];

/// A question with the patient wherever a parameter stands; to those that ask otherwise, a broken message.
fn question(action: &str, element: &str) -> String {
    // What is asked comes back with the answer.
    let asked = match element {
        "PRPA_IN201309UV02" => {
            "<responsePriorityCode code=\"I\"/><parameterList>\
             <patientIdentifier><value root=\"1.2.9\" extension=\"CANARY-4711\"/><semanticsText>Patient.id</semanticsText></patientIdentifier>\
             </parameterList>"
        }
        _ => {
            "<responseModalityCode code=\"R\"/><responsePriorityCode code=\"I\"/><parameterList>\
             <livingSubjectBirthTime><value value=\"19310203\"/><semanticsText>LivingSubject.birthTime</semanticsText></livingSubjectBirthTime>\
             <livingSubjectName><value><family>金糸雀</family><given>花子</given></value><semanticsText>LivingSubject.name</semanticsText></livingSubjectName>\
             </parameterList>"
        }
    };
    format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:a=\"http://www.w3.org/2005/08/addressing\">\
         <s:Header><a:Action s:mustUnderstand=\"1\">{action}</a:Action><a:MessageID>urn:uuid:6b1d2c7e-0000-4000-8000-000000000001</a:MessageID></s:Header>\
         <s:Body><{element} xmlns=\"urn:hl7-org:v3\" ITSVersion=\"XML_1.0\"><id root=\"1.2.3\" extension=\"CANARY-4711\"/><creationTime value=\"20260101\"/>\
         <interactionId root=\"2.16.840.1.113883.1.6\" extension=\"{element}\"/><processingCode code=\"P\"/><processingModeCode code=\"T\"/><acceptAckCode code=\"AL\"/>\
         <receiver typeCode=\"RCV\"><device classCode=\"DEV\" determinerCode=\"INSTANCE\"><id root=\"1.2.4\"/></device></receiver>\
         <sender typeCode=\"SND\"><device classCode=\"DEV\" determinerCode=\"INSTANCE\"><id root=\"1.2.5\"/></device></sender>\
         <controlActProcess classCode=\"CACT\" moodCode=\"EVN\"><code code=\"PRPA_TE201305UV02\"/><queryByParameter><queryId root=\"1.2.9\" extension=\"CANARY-4711\"/>\
         <statusCode code=\"new\"/>{asked}</queryByParameter></controlActProcess></{element}></s:Body></s:Envelope>"
    )
}

#[test]
fn no_patient_of_feeds_and_questions_comes_into_logs_or_metrics() {
    let folder = TempDir::new();
    let served = Served::start(
        "examples/two-regions/west/sekisho.toml",
        folder.path(),
        &["listen.mllp.address=127.0.0.1:0", "log.level=trace"],
    );
    let mut stream = TcpStream::connect(served.ready["mllp"].as_str().unwrap()).unwrap();
    let mut accepted = 0;
    for (kind, version, segments) in HL7V2 {
        let segments =
            segments.replace("^^^@", "^^^&2.25.318902478213461.14.3&ISO").replace("PERSON", PERSON);
        let head = format!("MSH|^~\\&|A|B|C|D|20260101||{kind}|CANARY-4711|P|{version}||||||UNICODE UTF-8");
        stream.write_all(&frame(format!("{head}\r{segments}\r").as_bytes())).unwrap();
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\x1c\r") {
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        accepted += usize::from(String::from_utf8_lossy(&answer).contains("MSA|AA"));
    }
    // Both kinds were among them.
    assert!((4..HL7V2.len() - 4).contains(&accepted), "{accepted}");
    for (path, action, element) in HL7V3 {
        let (status, answer) = served.post(&format!("/services/{path}"), &question(action, element));
        assert!(matches!(status, 200 | 400 | 500), "{status} {path}: {answer}");
        if answer.contains("soap:Fault>") {
            nothing_of_the_patient_is_in(&answer, "a fault");
        }
    }
    for page in ["/metrics", "/status", "/"] {
        nothing_of_the_patient_is_in(&served.get(page).1, page);
    }
    let log = served.into_log();
    assert!(log.contains("ITI-8") && log.contains("ITI-55"), "{log}");
    nothing_of_the_patient_is_in(&log, "the log");
}

fn nothing_of_the_patient_is_in(text: &str, what: &str) {
    for canary in CANARIES.iter().chain([&PEERS_WORDS]) {
        let line = text.lines().find(|line| line.contains(canary));
        assert!(line.is_none(), "{canary} is in {what}: {}", line.unwrap_or_default());
    }
}
