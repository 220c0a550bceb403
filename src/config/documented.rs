//! `docs/configuration.md` says all that there is to say, and nothing that is not there: every key that the program asks
//! for is in the page's table of its section, and every key of the tables is asked for.

use std::collections::BTreeSet;

use super::document::Document;
use super::section::Report;
use super::settings;
use super::tests::Folder;

const PAGE: &str = include_str!("../../docs/configuration.md");

/// A configuration that is wrong in many ways, and has every table.
const EVERYTHING: &str = r#"
[community]
home = "urn:oid:1.2.3"
name = "x"
[listen.soap.tls]
[listen.http]
[listen.mllps.tls]
[listen.mllp]
[listen.operator]
[data]
[documents.s3]
[store]
[hosted]
quota = {}
link_change_code = {}
permit = {}
content = {}
encryption = { keys = {} }
senders = [{ rules = {} }]
retention = [{}]
[bridge.tls]
[[tenants]]
rules = {}
quota = {}
permit = {}
content = {}
encryption = { keys = {} }
[federation]
[[identity.domains]]
source = {}
[[identity.consumers]]
tls = {}
[[identity.registries]]
tls = {}
[identity.cache]
[identity.discovery]
[identity.emergency]
[identity.manager.tls]
[identity.supplier.tls]
[trust.xua]
[[trust.xua.issuers]]
[async.tls]
[rules]
[limits]
[log]
"#;

/// A section of the page.
struct Part {
    /// The tables that its heading names, `hosted` or `identity.cache`.
    tables: Vec<String>,
    lines: Vec<&'static str>,
}

/// What stands between backticks.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

fn parts() -> Vec<Part> {
    let (_, keys) = PAGE.split_once("\n## Keys\n").unwrap();
    let (keys, _) = keys.split_once("\n## ").unwrap();
    let part = |text: &'static str| {
        let (heading, text) = text.split_once('\n').unwrap();
        let tables = spans(heading).map(|name| name.trim_matches(['[', ']']).to_owned()).collect();
        Part { tables, lines: text.lines().collect() }
    };
    keys.split("\n### ").skip(1).map(part).collect()
}

impl Part {
    /// A key as this part would write it: without its table, or with a part of it (`cache.max_entries`).
    fn written<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.tables.iter().flat_map(move |table| {
            let top = table.split('.').next().unwrap_or_default();
            [top, table].into_iter().filter_map(move |table| key.strip_prefix(table)?.strip_prefix('.'))
        })
    }

    /// Whether a line tells of a key: by its name, by what it begins with (`mllps.tls.…`), or beside the table that it is in.
    fn tells(&self, key: &str) -> bool {
        let words = |span: &str, word: &str| {
            span.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|one| one == word)
        };
        self.written(key).any(|key| {
            let (table, last) = key.rsplit_once('.').unwrap_or(("", key));
            self.lines.iter().any(|line| {
                spans(line).any(|span| span.split(" = ").next() == Some(key))
                    || spans(line)
                        .any(|span| span.strip_suffix('…').is_some_and(|start| key.starts_with(start)))
                    || (spans(line).any(|span| span == table) && spans(line).any(|span| words(span, last)))
            })
        })
    }
}

/// Every key that the program asks for, but for tables.
fn schema() -> BTreeSet<String> {
    let folder = Folder::with(EVERYTHING);
    let (document, problems) = Document::read(&folder.0.join("sekisho.toml"), &[]).unwrap();
    let report = Report::new(&document, problems);
    settings::read(&report);
    let all = report.asked.borrow().clone();
    let is_table = |key: &String| all.iter().any(|other| other.starts_with(&format!("{key}.")));
    all.iter().filter(|key| !is_table(key) && key.contains('.')).cloned().collect()
}

#[test]
fn every_key_is_documented() {
    let (parts, keys) = (parts(), schema());
    assert!(keys.len() > 130 && keys.contains("listen.soap.tls.client_ca"), "{keys:?}");
    // What tables have in common is told once.
    let told = |key: &String| {
        let same = [("tenants.", "hosted."), ("identity.registries.", "identity.consumers.")];
        let same =
            same.iter().find_map(|(table, other)| Some(format!("{other}{}", key.strip_prefix(table)?)));
        parts.iter().any(|part| part.tells(key) || same.as_ref().is_some_and(|key| part.tells(key)))
    };
    let untold: Vec<_> = keys.iter().filter(|key| !told(key)).collect();
    assert!(untold.is_empty(), "docs/configuration.md does not tell of {untold:#?}");
}

#[test]
fn every_documented_key_is_there() {
    let keys = schema();
    for part in parts() {
        let rows = part.lines.iter().filter(|line| line.starts_with("| `"));
        let cells = rows.filter_map(|line| line.split('|').nth(1));
        for written in cells.flat_map(spans).filter(|written| !written.ends_with('…')) {
            let is_there = keys.iter().any(|key| {
                part.written(key).any(|key| {
                    key == written || key.strip_prefix(written).is_some_and(|rest| rest.starts_with('.'))
                })
            });
            assert!(is_there, "docs/configuration.md tells of {written:?} in {:?}", part.tables);
        }
    }
}
