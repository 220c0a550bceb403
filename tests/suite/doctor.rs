//! The doctor says whose fault it is; certificates and communities are taken up while a region runs.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::certs::{Authority, Pair, TempDir};
use crate::support::http::PATIENCE;
use crate::support::program::{Served, run};

/// A stand-alone that speaks mutual TLS on an address.
fn serve_tls(folder: &Path, authority: &Authority, server: &Pair, address: &str) -> Served {
    let path = |path: &Path| path.display().to_string();
    let set = [
        format!("listen.soap.address={address}"),
        format!("listen.soap.tls.certificate={}", path(&server.certificate)),
        format!("listen.soap.tls.key={}", path(&server.key)),
        format!("listen.soap.tls.client_ca={}", path(&authority.ca())),
    ];
    let set: Vec<_> = set.iter().map(String::as_str).collect();
    Served::start("examples/standalone/sekisho.toml", folder, &set)
}

/// What the doctor says of an endpoint: exit code, and findings.
fn examine(url: &str, ca: &Path, identity: Option<&Pair>) -> (i32, Vec<Value>) {
    let (ca, mut arguments) = (ca.display().to_string(), vec!["doctor".to_owned(), url.to_owned()]);
    arguments.extend(["--json".to_owned(), "--ca".to_owned(), ca]);
    if let Some(Pair { certificate, key }) = identity {
        arguments.extend(["--cert".to_owned(), certificate.display().to_string()]);
        arguments.extend(["--key".to_owned(), key.display().to_string()]);
    }
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (exit, told, log) = run(&arguments, "");
    let told: Value = serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}{log}"));
    (exit, told["peers"][0]["findings"].as_array().unwrap().clone())
}

/// The first finding that is bad: step, side and what.
fn complaint(findings: &[Value]) -> (String, String, String) {
    let bad = findings.iter().find(|finding| finding["verdict"] == "bad");
    let bad = bad.unwrap_or_else(|| panic!("nothing is bad in {findings:#?}"));
    let text = |key: &str| bad[key].as_str().unwrap().to_owned();
    (text("step"), text("side"), text("what"))
}

#[test]
fn the_doctor_looks_at_mllp_as_well() {
    let folder = TempDir::new();
    let (ours, others) = (Authority::new("Ours"), Authority::new("Others"));
    let server = ours.server();
    let set = [
        "listen.mllp.address=127.0.0.1:0".to_owned(),
        "listen.mllps.address=127.0.0.1:0".to_owned(),
        format!("listen.mllps.tls.certificate={}", server.certificate.display()),
        format!("listen.mllps.tls.key={}", server.key.display()),
        format!("listen.mllps.tls.client_ca={}", ours.ca().display()),
    ];
    let set: Vec<_> = set.iter().map(String::as_str).collect();
    let served = Served::start("examples/hosted/sekisho.toml", folder.path(), &set);
    let url = |name: &str| format!("{name}://{}", served.ready[name].as_str().unwrap());
    let said = |findings: &[Value], step: &str| {
        let finding = findings.iter().find(|finding| finding["step"] == step).unwrap();
        finding["what"].as_str().unwrap().to_owned()
    };

    let (exit, findings) = examine(&url("mllps"), &ours.ca(), Some(&ours.client()));
    assert_eq!(exit, 0, "{findings:#?}");
    assert!(said(&findings, "HL7 v2").ends_with(": AE"), "{findings:#?}");
    assert!(said(&findings, "SAN").contains("127.0.0.1"), "{findings:#?}");
    let (exit, findings) = examine(&url("mllp"), &ours.ca(), None);
    assert_eq!((exit, said(&findings, "TLS").as_str()), (0, "none: mllp"), "{findings:#?}");

    let (_, findings) = examine(&url("mllps"), &others.ca(), Some(&ours.client()));
    let (step, side, what) = complaint(&findings);
    assert_eq!((step.as_str(), side.as_str()), ("trust", "ours"), "{what}");
    let (_, findings) = examine(&url("mllps"), &ours.ca(), None);
    let (step, _, what) = complaint(&findings);
    assert!(step == "TLS" && what.contains("wants a client certificate"), "{what}");
    let (exit, findings) = examine("mllp://127.0.0.1:1", &ours.ca(), None);
    assert_eq!((exit, complaint(&findings).0.as_str()), (3, "TCP"));
    // HTTP is no MLLP.
    let http = served.ready["http"].as_str().unwrap().replace("http://", "mllp://");
    let (exit, findings) = examine(&http, &ours.ca(), None);
    assert_eq!((exit, complaint(&findings).0.as_str()), (1, "HL7 v2"), "{findings:#?}");
}

#[test]
fn the_doctor_says_whose_fault_it_is() {
    let folder = TempDir::new();
    let (ours, others) = (Authority::new("Ours"), Authority::new("Others"));
    let served = serve_tls(folder.path(), &ours, &ours.server(), "127.0.0.1:0");
    let url = served.endpoint("iti18");
    let client = ours.client();

    let (exit, findings) = examine(&url, &ours.ca(), Some(&client));
    assert_eq!(exit, 0, "{findings:#?}");
    assert!(findings.iter().all(|finding| finding["verdict"] != "bad"));

    let (exit, findings) = examine(&url, &ours.ca(), None);
    let (step, side, what) = complaint(&findings);
    assert_eq!((exit, step.as_str(), side.as_str()), (1, "TLS", "ours"), "{what}");
    assert!(what.contains("wants a client certificate"), "{what}");

    let (_, findings) = examine(&url, &ours.ca(), Some(&others.client()));
    let (step, side, what) = complaint(&findings);
    assert_eq!((step.as_str(), side.as_str()), ("TLS", "theirs"), "{what}");
    assert!(what.contains("does not take our certificate"), "{what}");

    let (_, findings) = examine(&url, &others.ca(), Some(&client));
    let (step, side, what) = complaint(&findings);
    assert_eq!((step.as_str(), side.as_str()), ("trust", "ours"), "{what}");
    assert!(what.contains("CN=Ours"), "{what}");

    let plain = served.ready["http"].as_str().unwrap().replace("http://", "https://");
    let (_, findings) = examine(&plain, &ours.ca(), Some(&client));
    assert_eq!(complaint(&findings).0, "TLS");
}

#[test]
fn the_doctor_sees_a_certificate_for_another_name() {
    let folder = TempDir::new();
    let ours = Authority::new("Ours");
    let served = serve_tls(folder.path(), &ours, &ours.server(), "127.0.0.2:0");
    let (_, findings) = examine(&served.endpoint("iti18"), &ours.ca(), Some(&ours.client()));
    let (step, side, what) = complaint(&findings);
    assert_eq!((step.as_str(), side.as_str()), ("SAN", "theirs"), "{what}");
}

#[test]
fn a_renewed_certificate_is_taken_up_on_sighup() {
    let folder = TempDir::new();
    let ours = Authority::new("Ours");
    let server = ours.server();
    let served = serve_tls(folder.path(), &ours, &server, "127.0.0.1:0");
    let renewed = ours.issue("renewed", crate::support::certs::Usage::Server, crate::support::certs::VALID);
    std::fs::copy(&renewed.certificate, &server.certificate).unwrap();
    std::fs::copy(&renewed.key, &server.key).unwrap();
    assert!(Command::new("kill").args(["-HUP", &served.pid().to_string()]).status().unwrap().success());
    let client = ours.client();
    let patience = Instant::now() + PATIENCE;
    loop {
        let (_, findings) = examine(&served.endpoint("iti18"), &ours.ca(), Some(&client));
        if findings.iter().any(|finding| finding["what"].as_str().unwrap().contains("CN=renewed")) {
            break;
        }
        assert!(Instant::now() < patience, "{findings:#?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_community_file_that_breaks_raises_the_alarm_and_the_old_one_stays() {
    let folder = TempDir::new();
    let communities = folder.path().join("communities");
    std::fs::create_dir(&communities).unwrap();
    let file = communities.join("neighbour.toml");
    std::fs::copy("examples/two-regions/east/communities/west.toml", &file).unwrap();
    let folders = format!("federation.communities={}", communities.display());
    let set = [folders.as_str(), "listen.mllp.address=127.0.0.1:0"];
    let served = Served::start("examples/two-regions/east/sekisho.toml", &folder.path().join("data"), &set);
    let operator = served.ready["operator"].as_str().unwrap();
    let status = || -> Value {
        let (_, told, log) = run(&["doctor", "--operator", operator, "--json"], "");
        let told: Value = serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {log}"));
        told["status"].clone()
    };
    assert_eq!(status()["communities"][0]["name"], "Western region");
    // On PostgreSQL without an object store there is one, which says so.
    let before = status()["problems"].as_array().unwrap().clone();
    assert!(before.iter().all(|problem| problem.as_str().unwrap().contains("store.postgres")), "{before:?}");
    std::fs::write(&file, "name = \"broken\"\nhome = [\"urn:oid:1.x\"]\n[endpoints]\n").unwrap();
    let patience = Instant::now() + PATIENCE;
    let alarmed = loop {
        let status = status();
        if status["problems"].as_array().is_some_and(|problems| problems.len() > before.len()) {
            break status;
        }
        assert!(Instant::now() < patience, "{status:#}");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(alarmed["communities"][0]["name"], "Western region");
}
