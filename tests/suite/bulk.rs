//! `sekisho submit DIR`: a folder becomes documents, from a CSV, from JSON and from CDA headers; what stops it loses nothing,
//! and starting again sends nothing twice.

use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use crate::support::certs::TempDir;
use crate::support::http::PATIENCE;
use crate::support::program::{Served, run};

const PATIENT: &str = "1^^^&1.2.3&ISO";
const STANDALONE: &str = "examples/standalone/sekisho.toml";

fn cda(id: &str, patient: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ClinicalDocument xmlns=\"urn:hl7-org:v3\">\
         <templateId root=\"1.3.6.1.4.1.19376.1.5.3.1.1.2\"/><id root=\"1.2.3.44\" extension=\"{id}\"/>\
         <code code=\"18842-5\" codeSystem=\"2.16.840.1.113883.6.1\" displayName=\"退院時サマリー\"/>\
         <title>退院時サマリー</title><effectiveTime value=\"20260115093000+0900\"/>\
         <confidentialityCode code=\"R\" codeSystem=\"2.16.840.1.113883.5.25\"/><languageCode code=\"ja-JP\"/>\
         <recordTarget><patientRole><id root=\"1.2.9\" extension=\"K-7\"/><id root=\"1.2.3\" extension=\"{patient}\"/>\
         </patientRole></recordTarget>\
         <author><assignedAuthor><id root=\"1.2.5\" extension=\"D1\"/><assignedPerson><name><family>佐藤</family>\
         <given>健一</given></name></assignedPerson></assignedAuthor></author>\
         <component><structuredBody/></component></ClinicalDocument>"
    )
}

/// A folder with a letter that the table knows, one with JSON, and a CDA in a folder of its own.
fn filled() -> TempDir {
    let folder = TempDir::new();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("cda")).unwrap();
    write("letter.txt", "お手紙");
    write(
        "metadata.csv",
        "\u{feff}file,patient,title,type\nletter.txt,1^^^&1.2.3&ISO,紹介状,57133-1^紹介状^2.16.840.1.113883.6.1\n",
    );
    write("image.txt", "所見");
    write(
        "image.txt.json",
        "{\"patient\": \"1^^^&1.2.3&ISO\", \"title\": \"所見\", \"created\": \"20260114\"}",
    );
    write("cda/summary.xml", &cda("7", "1"));
    write(".hidden", "x");
    folder
}

struct Loads {
    served: Served,
    _data: TempDir,
}

impl Loads {
    fn new(set: &[&str]) -> Self {
        let data = TempDir::new();
        Self { served: Served::start(STANDALONE, data.path(), set), _data: data }
    }

    fn submit(&self, folder: &Path, more: &[&str]) -> (i32, Value) {
        let url = self.served.endpoint("iti41");
        let given = ["submit", "--url", &url, "--authority", "1.2.3", "--json", folder.to_str().unwrap()];
        let (exit, told, log) = run(&[&given[..], more].concat(), "");
        let told = serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}{log}"));
        (exit, told)
    }

    /// What the registry has, by title.
    fn documents(&self) -> Vec<Value> {
        let url = self.served.endpoint("iti18");
        let (_, told, _) = run(&["query", "--url", &url, "--patient", PATIENT, "--json"], "");
        let mut found =
            serde_json::from_str::<Value>(&told).unwrap()["documents"].as_array().unwrap().clone();
        found.sort_by_key(|document| document["title"].as_str().unwrap().to_owned());
        found
    }
}

fn outcome<'a>(told: &'a Value, file: &str) -> &'a str {
    let documents = told["documents"].as_array().unwrap();
    let found = documents.iter().find(|document| document["file"] == file);
    found.unwrap_or_else(|| panic!("{file}: {told}"))["outcome"].as_str().unwrap()
}

#[test]
fn a_folder_becomes_documents_once() {
    let loads = Loads::new(&[]);
    let folder = filled();
    let map = folder.path().join(".map.toml");
    std::fs::write(
        &map,
        "[format]\n\"1.3.6.1.4.1.19376.1.5.3.1.1.2\" = \"urn:ihe:pcc:xds-ms:2007^XDS-MS^1.3.6.1.4.1.19376.1.2.3\"\n",
    )
    .unwrap();
    let map = ["--map", map.to_str().unwrap()];

    let (exit, told) = loads.submit(folder.path(), &[&map[..], &["--dry-run"]].concat());
    assert_eq!((exit, &told["counts"]["accepted"], &told["dryRun"]), (0, &3.into(), &true.into()), "{told}");
    assert!(loads.documents().is_empty() && !folder.path().join(".sekisho-submit").exists());

    let (exit, told) = loads.submit(folder.path(), &map);
    assert_eq!((exit, &told["counts"]["accepted"], &told["files"]), (0, &3.into(), &3.into()), "{told}");
    let found = loads.documents();
    let titles: Vec<_> = found.iter().map(|document| document["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["所見", "紹介状", "退院時サマリー"]);
    let summary = &found[2];
    assert_eq!(summary["uniqueId"], "1.2.3.44^7");
    let shown = summary.to_string();
    for said in ["20260115003000", "18842-5"] {
        assert!(shown.contains(said), "{said}: {shown}");
    }

    // Again, and again without its journal: the same documents.
    let (exit, told) = loads.submit(folder.path(), &map);
    assert_eq!((exit, &told["counts"]["there already"]), (0, &3.into()), "{told}");
    std::fs::remove_file(folder.path().join(".sekisho-submit")).unwrap();
    let (exit, told) = loads.submit(folder.path(), &map);
    assert_eq!((exit, &told["counts"]["there already"]), (0, &3.into()), "{told}");
    assert_eq!(loads.documents().len(), 3);

    // What is new, or has other bytes, is sent.
    std::fs::write(folder.path().join("letter.txt"), "別のお手紙").unwrap();
    std::fs::write(folder.path().join("cda/next.xml"), cda("8", "1")).unwrap();
    let (exit, told) = loads.submit(folder.path(), &map);
    assert_eq!(
        (exit, outcome(&told, "letter.txt"), outcome(&told, "cda/next.xml")),
        (0, "accepted", "accepted")
    );
    assert_eq!(loads.documents().len(), 5);
}

#[test]
fn each_file_is_told_for_itself_and_what_to_do_next() {
    let loads = Loads::new(&["standalone.patients=own", "community.authorities=[\"1.2.3\"]"]);
    let folder = filled();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("nobody.txt", "x");
    write("stranger.txt", "x");
    write("stranger.txt.json", "{\"patient\": \"1^^^&1.2.77&ISO\"}");
    write("wrong.txt", "x");
    write("wrong.txt.json", "{\"patient\": \"1\", \"created\": \"yesterday\", \"class\": \"x\"}");
    // Whoever wrote the table took the wrong line.
    write("anothers.xml", &cda("9", "1"));
    write("anothers.xml.json", "{\"patient\": \"2^^^&1.2.3&ISO\"}");
    write("also.xml", &cda("10", "1"));
    write("also.xml.json", "{\"patient\": \"1^^^&1.2.3&ISO\"}");
    write("unread.txt", "x");
    write("unread.txt.json", "{\"titel\": \"\"}");
    let (exit, told) = loads.submit(folder.path(), &[]);
    assert_eq!(exit, 1, "{told}");
    for (file, expected, problems) in [
        ("letter.txt", "accepted", 0),
        ("cda/summary.xml", "accepted", 0),
        ("nobody.txt", "not sent", 1),
        ("stranger.txt", "refused", 1),
        ("wrong.txt", "not sent", 3),
        ("unread.txt", "not sent", 1),
        ("anothers.xml", "not sent", 1),
        ("also.xml", "accepted", 0),
    ] {
        assert_eq!(outcome(&told, file), expected);
        let found = told["documents"].as_array().unwrap().iter().find(|document| document["file"] == file);
        assert_eq!(found.unwrap()["errors"].as_array().unwrap().len(), problems, "{told}");
        assert_eq!(found.unwrap()["next"].as_array().unwrap().is_empty(), problems == 0);
    }

    // In a pipe, a line for each.
    let url = loads.served.endpoint("iti41");
    let (exit, lines, _) =
        run(&["submit", "--url", &url, "--authority", "1.2.3", folder.path().to_str().unwrap()], "");
    assert_eq!((exit, lines.lines().count()), (1, 9), "{lines}");
    assert!(lines.lines().any(
        |line| line.starts_with("refused\tstranger.txt\t") && line.contains("announce the patient first")
    ));

    let table = folder.path().join("metadata.csv");
    for (text, expected) in [
        ("file,titel\n", "there is no column \"titel\""),
        ("title\nx\n", "a column \"file\""),
        ("file,title\na.txt,x\na.txt,y\n", "has a row already"),
    ] {
        std::fs::write(&table, text).unwrap();
        let (exit, _, log) = run(&["submit", "--url", &url, folder.path().to_str().unwrap()], "");
        assert!(exit == 2 && log.contains(expected), "{expected}: {log}");
    }
}

/// Neither the table nor the map is a document, however they are named; a link leads nowhere; and what one registry has
/// accepted, another one has not.
#[test]
fn nothing_is_sent_that_is_no_document_and_nothing_is_left_out() {
    let loads = Loads::new(&[]);
    let folder = filled();
    let elsewhere = TempDir::new();
    let secret = elsewhere.path().join("secret.txt");
    std::fs::write(&secret, "secret").unwrap();
    let within = |name: &str| folder.path().join(name);
    std::fs::rename(within("metadata.csv"), within("table.csv")).unwrap();
    std::fs::write(within("metadata.csv"), "an old table").unwrap();
    std::fs::write(within("codes.toml"), "").unwrap();
    std::os::unix::fs::symlink(&secret, within("link.txt")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), within("linked")).unwrap();
    let rows =
        ["../secret.txt", secret.to_str().unwrap(), "cda/../letter.txt"].map(|file| format!("{file},,,\n"));
    let text = std::fs::read_to_string(within("table.csv")).unwrap();
    std::fs::write(within("table.csv"), text + &rows.concat()).unwrap();
    let spelled = |name: &str| folder.path().join("cda/..").join(name).display().to_string();
    let (table, map, journal) = (spelled("table.csv"), spelled("codes.toml"), spelled("journal"));
    let more = ["--csv", &table, "--map", &map, "--journal", &journal, "--patient", PATIENT];
    let (exit, told) = loads.submit(folder.path(), &more);
    assert_eq!(
        (exit, &told["counts"]["accepted"], &told["counts"]["not sent"]),
        (1, &3.into(), &5.into()),
        "{told}"
    );
    for file in ["link.txt", "linked"] {
        assert_eq!(outcome(&told, file), "not sent");
    }
    assert_eq!(loads.documents().len(), 3);
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(within("journal")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "who reads the journal reads how files are named");

    let others = Loads::new(&[]);
    let (_, told) = others.submit(folder.path(), &more);
    assert_eq!(told["counts"]["accepted"], 3, "{told}");
    let (_, told) = loads.submit(folder.path(), &more);
    assert_eq!(told["counts"]["there already"], 3, "{told}");
}

#[test]
fn a_server_that_dies_loses_nothing_and_gets_nothing_twice() {
    let folder = TempDir::new();
    for number in 0..60 {
        std::fs::write(folder.path().join(format!("{number}.txt")), format!("document {number}")).unwrap();
    }
    let data = TempDir::new();
    let served = Served::start(STANDALONE, data.path(), &[]);
    let url = served.endpoint("iti41");
    let arguments =
        ["submit", "--url", &url, "--patient", PATIENT, "--json", folder.path().to_str().unwrap()];
    let child =
        crate::support::program::sekisho(&arguments).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let journal = folder.path().join(".sekisho-submit");
    let lines = || std::fs::read_to_string(&journal).unwrap_or_default().lines().count();
    let started = Instant::now();
    while lines() < 6 {
        assert!(started.elapsed() < PATIENCE, "nothing is accepted");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    served.kill();
    let output = child.wait_with_output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let finished = told["counts"]["accepted"] == 60;
    assert_eq!(output.status.code(), Some(if finished { 0 } else { 3 }), "{}", told["counts"]);

    let served = Served::start(STANDALONE, data.path(), &[]);
    let url = served.endpoint("iti41");
    let arguments =
        ["submit", "--url", &url, "--patient", PATIENT, "--json", folder.path().to_str().unwrap()];
    let (exit, told, _) = run(&arguments, "");
    assert_eq!(exit, 0, "{told}");
    let asked = ["query", "--url", &served.endpoint("iti18"), "--patient", PATIENT, "--json"];
    let found: Value = serde_json::from_str(&run(&asked, "").1).unwrap();
    assert_eq!(found["documents"].as_array().unwrap().len(), 60);
}
