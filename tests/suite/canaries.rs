//! No patient in logs, metrics or faults (user pain of every operator who had to shred a log): a region is run with
//! everything logged, patients' names and identifiers are sent through it in every way that is answered, refused or broken,
//! and none of them comes out anywhere but in answers.

use std::net::SocketAddr;

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
    (query, "LeafClass", "金糸雀"),
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

fn nothing_of_the_patient_is_in(text: &str, what: &str) {
    for canary in CANARIES.iter().chain([&PEERS_WORDS]) {
        let line = text.lines().find(|line| line.contains(canary));
        assert!(line.is_none(), "{canary} is in {what}: {}", line.unwrap_or_default());
    }
}
