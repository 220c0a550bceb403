//! Reading typed values out of a table: what is missing, of the wrong kind or unknown is collected, never thrown, so that
//! one run tells everything.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hyper::Uri;

use super::document::{Document, Entry, Node, Place, Value};
use super::problem::{Problem, Weight};
use crate::ids::{HomeCommunityId, Oid, PatientId};
use crate::metadata::validate::RuleSetting;

/// The document, and the problems found so far.
pub struct Report<'d> {
    document: &'d Document,
    problems: RefCell<Vec<Problem>>,
    /// Every key that was asked for, whether it is there or not: the schema.
    #[cfg(test)]
    pub(super) asked: RefCell<std::collections::BTreeSet<String>>,
}

impl<'d> Report<'d> {
    /// With the problems of syntax.
    pub fn new(document: &'d Document, problems: Vec<Problem>) -> Self {
        Self {
            document,
            problems: RefCell::new(problems),
            #[cfg(test)]
            asked: RefCell::default(),
        }
    }
    /// The top table.
    pub fn top(&self) -> Section<'_> {
        let entries = match &self.document.root.value {
            Value::Table(entries) => entries.as_slice(),
            _ => &[],
        };
        let place = self.document.root.place;
        Section { report: self, path: String::new(), entries, place, known: RefCell::default() }
    }
    /// Where relative paths start.
    pub fn directory(&self) -> &Path {
        &self.document.directory
    }
    /// Everything that was found.
    pub fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }
    /// Takes over a problem of another file.
    pub fn add(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }
    fn at(&self, weight: Weight, place: Place, message: impl Into<String>, help: Option<String>) {
        self.add(self.document.problem(weight, place, message.into(), help));
    }
}

/// A setting's type: how it is read from a TOML value.
pub trait Setting: Sized {
    /// What the value should have been, for people.
    const WANTED: &'static str;
    /// Reads it; the error says what is wrong with a value of the right kind, None that the kind is wrong.
    fn read(node: &Node, directory: &Path) -> Result<Self, Option<String>>;
}

macro_rules! settings_from_text {
    ($($type:ty, $wanted:literal, $parse:expr;)*) => {$(
        impl Setting for $type {
            const WANTED: &'static str = $wanted;
            fn read(node: &Node, directory: &Path) -> Result<Self, Option<String>> {
                let parse: fn(&str, &Path) -> Result<$type, String> = $parse;
                match &node.value {
                    Value::Text(text) => parse(text, directory).map_err(Some),
                    _ => Err(None),
                }
            }
        }
    )*};
}

settings_from_text! {
    String, "a string", |text, _| Ok(text.to_owned());
    PathBuf, "a path, relative to this file", |text, directory| Ok(directory.join(text));
    Oid, "an OID such as \"1.2.392.200250.1\"", |text, _| Oid::parse(text).map_err(|e| e.to_string());
    HomeCommunityId, "a homeCommunityId such as \"urn:oid:1.2.392.200250.1\"",
        |text, _| HomeCommunityId::parse(text).map_err(|e| e.to_string());
    PatientId, "a patient identifier such as \"12345^^^&1.2.392.200250.2&ISO\"",
        |text, _| PatientId::parse(text).map_err(|_| "this is no patient identifier".to_owned());
    SocketAddr, "an address with a port, such as \"127.0.0.1:8443\"",
        |text, _| text.parse().map_err(|_| format!("{text:?} is no IP address with a port"));
    Uri, "a URL such as \"https://registry.example/iti18\"", |text, _| url(text);
}

impl Setting for bool {
    const WANTED: &'static str = "true or false";
    fn read(node: &Node, _: &Path) -> Result<Self, Option<String>> {
        match node.value {
            Value::Flag(flag) => Ok(flag),
            _ => Err(None),
        }
    }
}

impl Setting for u64 {
    const WANTED: &'static str = "an integer above 0";
    fn read(node: &Node, _: &Path) -> Result<Self, Option<String>> {
        match node.value {
            Value::Integer(integer) => u64::try_from(integer)
                .ok()
                .filter(|n| *n > 0)
                .ok_or(Some(format!("{integer} is not above 0"))),
            _ => Err(None),
        }
    }
}

impl Setting for f64 {
    const WANTED: &'static str = "a number";
    fn read(node: &Node, _: &Path) -> Result<Self, Option<String>> {
        match node.value {
            Value::Number(number) => Ok(number),
            Value::Integer(integer) => Ok(integer as f64),
            _ => Err(None),
        }
    }
}

impl Setting for usize {
    const WANTED: &'static str = u64::WANTED;
    fn read(node: &Node, directory: &Path) -> Result<Self, Option<String>> {
        u64::read(node, directory).and_then(|n| Self::try_from(n).map_err(|e| Some(e.to_string())))
    }
}

impl Setting for RuleSetting {
    const WANTED: &'static str =
        "\"off\", \"report\", \"enforce\" or { level = \"enforce\", from = \"2027-04-01\" }";
    fn read(node: &Node, _: &Path) -> Result<Self, Option<String>> {
        let value = match &node.value {
            Value::Text(level) => toml::Value::from(level.as_str()),
            Value::Table(entries) => {
                let texts = entries.iter().map(|entry| match &entry.node.value {
                    Value::Text(text) => Ok((entry.key.clone(), toml::Value::from(text.as_str()))),
                    other => Err(Some(format!("`{}` is {}", entry.key, other.kind()))),
                });
                toml::Value::Table(texts.collect::<Result<_, _>>()?)
            }
            _ => return Err(None),
        };
        value.try_into().map_err(|problem: toml::de::Error| Some(problem.message().to_owned()))
    }
}

fn url(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|error| format!("{text:?} is no URL: {error}"))?;
    match (uri.scheme_str(), uri.host()) {
        (Some("http" | "https"), Some(_)) => Ok(uri),
        _ => Err(format!("{text:?} is no http or https URL")),
    }
}

/// A table that is being read. What was not asked for by [`Section::close`] is unknown.
pub struct Section<'r> {
    report: &'r Report<'r>,
    path: String,
    entries: &'r [Entry],
    place: Place,
    known: RefCell<Vec<&'static str>>,
}

impl<'r> Section<'r> {
    /// The report that it writes to.
    pub fn report(&self) -> &'r Report<'r> {
        self.report
    }

    /// A value that must be there; if it is not, or not of its type, the report says so and the answer is None.
    pub fn required<T: Setting>(&self, key: &'static str) -> Option<T> {
        if self.entry(key).is_none() {
            self.missing(key, T::WANTED);
        }
        self.optional(key)
    }

    /// A value that may be there.
    pub fn optional<T: Setting>(&self, key: &'static str) -> Option<T> {
        self.entry(key).and_then(|entry| self.value(&entry.node, key))
    }

    /// An array, empty if it is not there.
    pub fn list<T: Setting>(&self, key: &'static str) -> Vec<T> {
        self.items(key).iter().filter_map(|item| self.value(item, key)).collect()
    }

    /// An array of arrays that have `N` values each.
    pub fn rows<const N: usize>(&self, key: &'static str, shape: &str) -> Vec<[Node; N]> {
        let row = |item: &Node| match &item.value {
            Value::List(cells) => <[Node; N]>::try_from(cells.clone()).ok(),
            _ => None,
        };
        let mut rows = Vec::new();
        for item in self.items(key) {
            match row(item) {
                Some(cells) => rows.push(cells),
                None => self.report.at(
                    Weight::Error,
                    item.place,
                    format!("each item of `{}` has the form {shape}", self.name(key)),
                    None,
                ),
            }
        }
        rows
    }

    /// A cell of [`Section::rows`], or an item of an array.
    pub fn value<T: Setting>(&self, node: &Node, key: &str) -> Option<T> {
        T::read(node, &self.report.document.directory)
            .map_err(|problem| {
                let message =
                    problem.unwrap_or_else(|| format!("`{}` is {}", self.name(key), node.value.kind()));
                let help = Some(format!("`{}` must be {}", self.name(key), T::WANTED));
                self.report.at(Weight::Error, node.place, message, help);
            })
            .ok()
    }

    /// One of a few words.
    pub fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let node = &self.entry(key)?.node;
        let text: String = self.value(node, key)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            let message = format!("{text:?} is not known for `{}`", self.name(key));
            self.report.at(Weight::Error, node.place, message, Some(choice(&text, &known)));
        }
        found
    }

    /// A table in this one, if it is there.
    pub fn section(&self, key: &'static str) -> Option<Section<'r>> {
        let entry = self.entry(key)?;
        match &entry.node.value {
            Value::Table(entries) => Some(Section {
                report: self.report,
                path: self.name(key),
                entries,
                place: entry.place,
                known: RefCell::default(),
            }),
            other => {
                let message = format!("`{}` is {}", self.name(key), other.kind());
                let help = Some(format!("write a table: [{}]", self.name(key)));
                self.report.at(Weight::Error, entry.node.place, message, help);
                None
            }
        }
    }

    /// The tables of an array, `[[…]]`; none if it is not there.
    pub fn tables(&self, key: &'static str) -> Vec<Section<'r>> {
        let table = |item: &'r Node| match &item.value {
            Value::Table(entries) => Some(Section {
                report: self.report,
                path: self.name(key),
                entries,
                place: item.place,
                known: RefCell::default(),
            }),
            other => {
                let message = format!("`{}` has {} in it", self.name(key), other.kind());
                let help = Some(format!("write a table for each: [[{}]]", self.name(key)));
                self.report.at(Weight::Error, item.place, message, help);
                None
            }
        };
        self.items(key).iter().filter_map(table).collect()
    }

    /// A table that must be there.
    pub fn required_section(&self, key: &'static str, wanted: &str) -> Option<Section<'r>> {
        if self.entry(key).is_none() {
            self.missing(key, wanted);
        }
        self.section(key)
    }

    /// All keys and values: for tables whose keys are data. Nothing of it is unknown then.
    pub fn pairs<T: Setting>(&self) -> Vec<(&'r Entry, T)> {
        self.entries
            .iter()
            .filter_map(|entry| self.value(&entry.node, &entry.key).map(|value| (entry, value)))
            .collect()
    }

    /// Whether a key is written here.
    pub fn has(&self, key: &'static str) -> bool {
        self.entry(key).is_some()
    }

    /// An error at a key's value (or at the table, where the key is not written).
    pub fn error(&self, key: &'static str, message: impl Into<String>, help: impl Into<String>) {
        self.report.at(Weight::Error, self.place_of(key), message, Some(help.into()));
    }

    /// A warning at a key's value.
    pub fn warning(&self, key: &'static str, message: impl Into<String>, help: impl Into<String>) {
        self.report.at(Weight::Warning, self.place_of(key), message, Some(help.into()));
    }

    /// An error at a place.
    pub fn error_at(&self, place: Place, message: impl Into<String>, help: impl Into<String>) {
        self.report.at(Weight::Error, place, message, Some(help.into()));
    }

    /// Reports every key that was not asked for.
    pub fn close(self) {
        let known = self.known.borrow();
        for entry in self.entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let message = match self.path.as_str() {
                "" => format!("unknown key `{}`", entry.key),
                path => format!("unknown key `{}` in [{path}]", entry.key),
            };
            let help = Some(choice(&entry.key, &known));
            self.report.at(Weight::Error, entry.place, message, help);
        }
    }

    fn entry(&self, key: &'static str) -> Option<&'r Entry> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        #[cfg(test)]
        self.report.asked.borrow_mut().insert(self.name(key));
        self.entries.iter().find(|entry| entry.key == key)
    }

    fn items(&self, key: &'static str) -> &'r [Node] {
        match self.entry(key).map(|entry| &entry.node) {
            None => &[],
            Some(Node { value: Value::List(items), .. }) => items,
            Some(node) => {
                let message = format!("`{}` is {}", self.name(key), node.value.kind());
                self.report.at(Weight::Error, node.place, message, Some("write an array: [ … ]".into()));
                &[]
            }
        }
    }

    fn missing(&self, key: &str, wanted: &str) {
        let message = format!("`{}` is missing", self.name(key));
        self.report.at(Weight::Error, self.place, message, Some(format!("add `{key}`: {wanted}")));
    }

    fn place_of(&self, key: &'static str) -> Place {
        self.entry(key).map_or(self.place, |entry| entry.node.place)
    }

    fn name(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }
}

/// "did you mean", or the list of what is known.
fn choice(written: &str, known: &[&str]) -> String {
    let nearest = known.iter().map(|word| (strsim::levenshtein(written, word), word)).min();
    match nearest {
        Some((distance, word)) if distance <= (written.chars().count() / 3).max(2) => {
            format!("did you mean `{word}`?")
        }
        _ => format!("known here: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_suggested() {
        assert_eq!(choice("adress", &["address", "tls"]), "did you mean `address`?");
        assert_eq!(choice("zzz", &["address", "tls"]), "known here: address, tls");
    }
}
