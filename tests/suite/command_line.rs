//! The program as its users run it: examples start as they are, commands pipe into each other, the demo tells the truth.

use std::io::Read;
use std::net::TcpStream;

use serde_json::Value;

use crate::support::certs::TempDir;
use crate::support::postgres;
use crate::support::program::{Served, run};

const PATIENT: &str = "1^^^&1.2.3&ISO";

/// A GET over plain HTTP; gives the status line.
fn get(url: &str, path: &str) -> String {
    use std::io::Write;
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn examples_start_as_they_are_and_end_on_sigterm() {
    let examples = ["standalone", "hosted", "national", "bridge", "two-regions/east", "two-regions/west"];
    for example in examples {
        let data = TempDir::new();
        let config = format!("examples/{example}/sekisho.toml");
        let (exit, told, _) = run(&["check", "--config", &config, "--json"], "");
        assert_eq!((exit, &json(&told)["problems"]), (0, &Value::Array(Vec::new())), "{example}: {told}");
        let served = Served::start(&config, data.path(), &[]);
        let operator = served.ready["operator"].as_str().unwrap().to_owned();
        assert_eq!(get(&operator, "/health/ready"), "HTTP/1.1 200 OK", "{example}");
        assert_eq!(get(&operator, "/status"), "HTTP/1.1 200 OK", "{example}");
        served.endpoint("iti18");
        assert_eq!(served.terminate(), Some(0), "{example}");
    }
}

#[test]
fn submit_query_and_retrieve_pipe_into_each_other() {
    let folder = TempDir::new();
    let served = Served::start("examples/standalone/sekisho.toml", &folder.path().join("data"), &[]);
    let letter = folder.path().join("手紙.txt");
    std::fs::write(&letter, "お手紙").unwrap();
    let submit =
        ["submit", "--url", &served.endpoint("iti41"), "--patient", PATIENT, letter.to_str().unwrap()];
    let (exit, told, log) = run(&submit, "");
    assert_eq!(exit, 0, "{told}{log}");
    let ask = ["query", "--url", &served.endpoint("iti18"), "--patient", PATIENT];
    let (exit, lines, _) = run(&ask, "");
    assert_eq!(exit, 0);
    assert!(lines.starts_with("title\ttype\tdate\t"), "{lines}");
    assert!(lines.contains("手紙.txt\tSummary of episode note\t"), "{lines}");
    let (_, found, _) = run(&[&ask[..], &["--json"]].concat(), "");
    let out = folder.path().join("out");
    let retrieve = ["retrieve", "--url", &served.endpoint("iti43"), "--out", out.to_str().unwrap(), "--json"];
    let (exit, retrieved, log) = run(&retrieve, &found);
    assert_eq!(exit, 0, "{retrieved}{log}");
    assert_eq!(json(&retrieved)["documents"][0]["ok"], true);
    assert_eq!(std::fs::read_to_string(out.join("document-001.txt")).unwrap(), "お手紙");
    let unknown = [&retrieve[..5], &["--repository", "1.2.3", "--document", "1.2"]].concat();
    assert_eq!(run(&unknown, "").0, 1);
}

#[test]
fn a_query_by_entry_uuid_or_unique_id_gives_the_document() {
    let folder = TempDir::new();
    let served = Served::start("examples/standalone/sekisho.toml", folder.path(), &[]);
    let submit = ["submit", "--url", &served.endpoint("iti41"), "--patient", PATIENT, "Cargo.toml", "--json"];
    let submitted = json(&run(&submit, "").1);
    let unique_id = submitted["documents"][0]["uniqueId"].as_str().unwrap();
    let url = served.endpoint("iti18");
    let found = json(&run(&["query", "--url", &url, "--document", unique_id, "--json"], "").1);
    assert_eq!(found["documents"][0]["title"], "Cargo.toml");
    let uuid = found["documents"][0]["entryUuid"].as_str().unwrap();
    let same = json(&run(&["query", "--url", &url, "--document", uuid, "--json"], "").1);
    assert_eq!(same["documents"], found["documents"]);
    let reference = ["query", "--url", &url, "--patient", PATIENT, "--type", "objectref", "--json"];
    assert_eq!(json(&run(&reference, "").1)["objects"][0]["id"], *uuid);
}

#[test]
fn a_data_directory_has_one_process() {
    let data = TempDir::new();
    let config = "examples/standalone/sekisho.toml";
    let served = Served::start(config, data.path(), &[]);
    let directory = format!("data.directory={}", data.path().display());
    let free = "listen.http.address=127.0.0.1:0";
    let second = ["serve", "--config", config, "--set", &directory, "--set", free];
    let (exit, _, log) = run(&second, "");
    assert_eq!(exit, 3, "{log}");
    assert!(log.contains("another process uses"), "{log}");
    assert_eq!(served.terminate(), Some(0));
}

/// A database of a newer version is left as it is: by the server, too.
#[test]
fn a_newer_schema_is_refused_at_start() {
    let data = TempDir::new();
    let config = "examples/standalone/sekisho.toml";
    Served::start(config, data.path(), &[]).terminate();
    let newer = "UPDATE store_schema SET version = version + 90 WHERE room = 'registry'";
    match postgres::connection_for(data.path()) {
        Some(at) => postgres::run(&at, newer),
        None => {
            let database = rusqlite::Connection::open(data.path().join("sekisho.db")).unwrap();
            assert_eq!(database.execute(newer, []).unwrap(), 1);
        }
    }
    let refused = Served::try_start(config, data.path(), &[]).err().unwrap();
    assert!(
        refused.contains("of registry") && refused.contains("install the newer version again"),
        "{refused}"
    );
}

#[test]
fn exit_codes_tell_usage_from_unavailability() {
    assert_eq!(run(&["query", "--url", "http://127.0.0.1:1/", "--patient", "nobody"], "").0, 2);
    assert_eq!(run(&["query", "--url", "http://127.0.0.1:1/", "--patient", PATIENT], "").0, 3);
    assert_eq!(run(&["doctor", "http://127.0.0.1:1/"], "").0, 3);
    assert_eq!(run(&["no-such-command"], "").0, 2);
    assert_eq!(run(&["--version"], "").0, 0);
    let (exit, _, log) = run(&["serve", "--config", "/nowhere.toml"], "");
    assert_eq!(exit, 2);
    assert!(log.contains("/nowhere.toml"), "{log}");
}

#[test]
fn the_demo_tells_its_story_and_may_be_repeated_in_its_folder() {
    let folder = TempDir::new();
    let demo = ["demo", "--once", "--json", "--dir", folder.path().to_str().unwrap()];
    for _ in 0..2 {
        let (exit, told, log) = run(&demo, "");
        assert_eq!(exit, 0, "{told}{log}");
        let told = json(&told);
        assert_eq!(told["ok"], true);
        assert_eq!(told["asked"]["status"], "Success");
        assert_eq!(told["asked"]["documents"].as_array().unwrap().len(), 6);
        assert_eq!(told["partial"]["status"], "PartialSuccess");
        assert_eq!(told["partial"]["communities"][2]["status"], "XDSUnavailableCommunity");
    }
}

#[test]
fn a_bridge_stands_before_a_registry_that_is_there_already() {
    let folder = TempDir::new();
    let behind = Served::start("examples/standalone/sekisho.toml", &folder.path().join("behind"), &[]);
    let registry = format!("bridge.iti18={}", behind.endpoint("iti18"));
    let repository = format!("bridge.iti43.\"2.25.318902478213461.10.2\"={}", behind.endpoint("iti43"));
    let provide = format!("bridge.iti41={}", behind.endpoint("iti41"));
    let set = [registry.as_str(), repository.as_str(), provide.as_str()];
    let bridge = Served::start("examples/bridge/sekisho.toml", &folder.path().join("bridge"), &set);
    let submit =
        ["submit", "--url", &bridge.endpoint("iti41"), "--patient", PATIENT, "Cargo.toml", "Cargo.lock"];
    let (exit, told, log) = run(&submit, "");
    assert_eq!(exit, 0, "{told}{log}");
    let (exit, found, log) =
        run(&["query", "--url", &bridge.endpoint("iti18"), "--patient", PATIENT, "--json"], "");
    assert_eq!(exit, 0, "{found}{log}");
    assert_eq!(json(&found)["documents"][0]["home"], "urn:oid:2.25.318902478213461.11.1");
    let out = folder.path().join("out");
    let retrieve = ["retrieve", "--url", &bridge.endpoint("iti43"), "--out", out.to_str().unwrap()];
    let (exit, told, log) = run(&retrieve, &found);
    assert_eq!(exit, 0, "{told}{log}");
    let doctor = ["doctor", &bridge.endpoint("iti38"), "--json"];
    let (exit, told, _) = run(&doctor, "");
    assert_eq!(exit, 0, "{told}");
}
