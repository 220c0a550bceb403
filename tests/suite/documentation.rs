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

/// What stands between backticks and is a name, and how many rows the tables have.
fn names_and_rows(page: &str) -> (BTreeSet<String>, usize) {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let is_name = |span: &&str| {
        span.starts_with(|c: char| c.is_ascii_lowercase())
            && span.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
    };
    let names = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).filter(is_name);
    (names.map(str::to_owned).collect(), text.lines().filter(|line| line.starts_with('|')).count())
}

#[test]
fn the_japanese_page_has_what_the_english_one_has() {
    let (english, japanese) = (names_and_rows("docs/operations.md"), names_and_rows("docs/operations.ja.md"));
    let differ: Vec<_> = english.0.symmetric_difference(&japanese.0).collect();
    assert!(
        differ.is_empty() && english.1 == japanese.1,
        "{differ:?}, {} and {} rows",
        english.1,
        japanese.1
    );
    let transactions = |page| {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
        let named = text
            .match_indices("ITI-")
            .map(|(at, _)| text[at + 4..].chars().take_while(char::is_ascii_digit).collect());
        named.collect::<BTreeSet<String>>()
    };
    assert_eq!(transactions("README.md"), transactions("docs/README.ja.md"));
}

/// A key that is not there is answered with those that are.
#[test]
fn every_key_of_a_communitys_file_is_documented() {
    let folder = TempDir::new();
    let (config, communities) = (folder.path().join("sekisho.toml"), folder.path().join("communities"));
    std::fs::create_dir(&communities).unwrap();
    let text = "[community]\nhome = \"urn:oid:1.2.3\"\nname = \"x\"\n[listen.http]\naddress = \"127.0.0.1:0\"\n\
                [hosted]\nrepository = \"1.2.3.4\"\npatients = \"any\"\n";
    std::fs::write(&config, text).unwrap();
    let page = include_str!("../../docs/configuration.md");
    let (_, page) = page.split_once("\n## Community files\n").unwrap();
    let words: BTreeSet<_> = page.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    for (table, least) in [("", 12), ("[tls]", 3), ("[limits]", 7)] {
        let file =
            format!("name = \"x\"\nhome = [\"urn:oid:1.2.4\"]\nendpoints = {{}}\n{table}\nnonsense = 1\n");
        std::fs::write(communities.join("other.toml"), file).unwrap();
        let (exit, told, _) = run(&["check", "--config", config.to_str().unwrap()], "");
        let (_, known) = told.split_once("expected one of ").unwrap_or_else(|| panic!("{exit} {told}"));
        let known: Vec<_> = known.lines().next().unwrap().split('`').skip(1).step_by(2).collect();
        assert!(known.len() >= least, "{known:?}");
        let untold: Vec<_> = known.iter().filter(|key| !words.contains(*key)).collect();
        assert!(untold.is_empty(), "docs/configuration.md does not tell of {untold:?} in {table:?}");
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
