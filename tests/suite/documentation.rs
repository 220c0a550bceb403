//! What the program counts is what its operator can look up, in English and in Japanese; and the examples' pages say what
//! the examples do.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::certs::TempDir;
use crate::support::program::{Served, run};

/// Every name of a metric in a text, behind something: in Rust, the quotation mark of a literal.
fn metrics(text: &str, before: &str) -> BTreeSet<String> {
    let start = format!("{before}sekisho_");
    let names = text.match_indices(&start).map(|(at, _)| {
        let name = &text[at + before.len()..];
        let end = name.find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
        name[..end.unwrap_or(name.len())].to_owned()
    });
    names.collect()
}

fn sources(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else {
            all.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_metric_is_in_the_operators_pages_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut source = String::new();
    sources(&root.join("src"), &mut source);
    let counted = metrics(&source, "\"");
    assert!(counted.len() > 50, "{counted:?}");
    for page in ["docs/operations.md", "docs/operations.ja.md"] {
        let told = metrics(&std::fs::read_to_string(root.join(page)).unwrap(), "");
        let untold: Vec<_> = counted.difference(&told).collect();
        let strange: Vec<_> = told.difference(&counted).collect();
        assert!(
            untold.is_empty() && strange.is_empty(),
            "{page}: not told {untold:?}, not counted {strange:?}"
        );
    }
}

/// The arguments of a command line, which quotes as shells do.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (place, part) in line.split('\'').enumerate() {
        match place % 2 {
            1 => words.push(part.to_owned()),
            _ => words.extend(part.split_whitespace().map(str::to_owned)),
        }
    }
    words
}

#[test]
fn the_examples_do_what_their_pages_say() {
    for (example, address, commands) in [
        ("standalone", "http://127.0.0.1:8080", 2),
        ("hosted", "http://127.0.0.1:8082", 2),
        ("national", "http://127.0.0.1:8085", 5),
    ] {
        let config = format!("examples/{example}/sekisho.toml");
        let (exit, told, _) = run(&["check", "--config", &config], "");
        assert_eq!(exit, 0, "{told}");
        let folder = TempDir::new();
        let served = Served::start(&config, folder.path(), &[]);
        let page = std::fs::read_to_string(format!("examples/{example}/README.md")).unwrap();
        let asking =
            |line: &&str| line.contains(" --url http") && !line.contains("--json") && !line.starts_with(' ');
        let lines: Vec<_> = page.lines().filter(asking).collect();
        assert_eq!(lines.len(), commands, "{example}");
        for line in lines {
            let line = line.replace(address, served.ready["http"].as_str().unwrap());
            let words = words(&line);
            let (exit, told, log) = run(&words.iter().skip(1).map(String::as_str).collect::<Vec<_>>(), "");
            let found = told.lines().count() > 1;
            assert!(exit == 0 && found, "{line}: {told}{log}");
        }
    }
}
