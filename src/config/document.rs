//! A TOML file and its `--set` overrides as one tree, in which every key and value remembers where it was written.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Position, Problem, Problems, Weight};

/// Where something was written: bytes `start..end` of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    source: usize,
    start: usize,
    end: usize,
}

/// A value and its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where it is.
    pub place: Place,
}

/// What TOML knows, as far as a configuration uses it.
#[derive(Debug, Clone)]
pub enum Value {
    /// A string.
    Text(String),
    /// An integer.
    Integer(i64),
    /// true or false.
    Flag(bool),
    /// An array.
    List(Vec<Node>),
    /// A table.
    Table(Vec<Entry>),
    /// A float.
    Number(f64),
    /// A time, which no setting is.
    Other,
}

impl Value {
    /// As a sentence about it would call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Flag(_) => "true or false",
            Self::List(_) => "an array",
            Self::Table(_) => "a table",
            Self::Number(_) => "a number",
            Self::Other => "a time",
        }
    }
}

/// A key and what it holds.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where it is.
    pub place: Place,
    /// What it holds.
    pub node: Node,
}

#[derive(Debug)]
struct Source {
    name: String,
    text: String,
}

/// The tree and the texts that it was made from.
#[derive(Debug)]
pub struct Document {
    sources: Vec<Source>,
    /// The top table.
    pub root: Node,
    /// Where relative paths start.
    pub directory: PathBuf,
}

impl Document {
    /// Reads a file and lays the overrides (`path.to.key=value`) over it; with everything that is wrong with their syntax.
    pub fn read(file: &Path, overrides: &[String]) -> Result<(Self, Vec<Problem>), Problems> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            let help = "give the file's path with --config";
            Problems(vec![Problem::of_file(file, format!("cannot be read: {error}"), help)])
        })?;
        let directory = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut document = Self {
            sources: Vec::new(),
            root: Node { value: Value::Table(Vec::new()), place: Place { source: 0, start: 0, end: 0 } },
            directory: directory.to_owned(),
        };
        let mut problems = Vec::new();
        document.root = document.parse(file.display().to_string(), text, &mut problems);
        for text in overrides {
            document.lay_over(text, &mut problems);
        }
        Ok((document, problems))
    }

    /// A problem at a place.
    pub fn problem(&self, weight: Weight, place: Place, message: String, help: Option<String>) -> Problem {
        let Some(source) = self.sources.get(place.source) else {
            return Problem { weight, file: String::new(), position: None, message, help };
        };
        Problem { weight, file: source.name.clone(), position: source.position(place), message, help }
    }

    fn parse(&mut self, name: String, text: String, problems: &mut Vec<Problem>) -> Node {
        let index = self.sources.len();
        let (table, errors) = DeTable::parse_recoverable(&text);
        let place = place_of(index, &table);
        let root = Node { value: table_of(index, table.get_ref()), place };
        let errors: Vec<_> =
            errors.iter().map(|e| (e.span().unwrap_or_default(), e.message().to_owned())).collect();
        self.sources.push(Source { name, text });
        problems.extend(errors.into_iter().map(|(span, message)| {
            let place = Place { source: index, start: span.start, end: span.end };
            self.problem(Weight::Error, place, format!("not TOML: {message}"), None)
        }));
        root
    }

    fn lay_over(&mut self, text: &str, problems: &mut Vec<Problem>) {
        let name = format!("--set {text}");
        let Some((path, value)) = text.split_once('=') else {
            let help = "write --set path.to.key=value";
            problems.push(Problem::of_file(name, "has no `=`", help));
            return;
        };
        // What is no TOML value is meant as a string, so that shells need no double quoting.
        let value = value.trim();
        let line = match DeValue::parse(value) {
            Ok(_) => format!("{path} = {value}"),
            Err(_) => format!("{path} = {}", quoted(value)),
        };
        let node = self.parse(name, line, problems);
        merge(&mut self.root, node);
    }
}

impl Source {
    fn position(&self, place: Place) -> Option<Position> {
        let before = self.text.get(..place.start)?;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let text = self.text.get(line_start..)?.lines().next().unwrap_or_default();
        // Problems are told in logs and on the status page, and patients' identifiers stay out of these.
        let text = if text.contains("^^^") { "(a line with a patient's identifier)" } else { text };
        let meant = self.text.get(place.start..place.end)?.lines().next().unwrap_or_default();
        Some(Position {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..)?.chars().count() + 1,
            width: meant.chars().count(),
            text: text.to_owned(),
        })
    }
}

/// A TOML basic string that holds `text`.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if control.is_control() => out.push_str(&format!("\\u{:04X}", control as u32)),
            other => out.push(other),
        }
    }
    out + "\""
}

fn place_of<T>(source: usize, spanned: &Spanned<T>) -> Place {
    let span = spanned.span();
    Place { source, start: span.start, end: span.end }
}

fn table_of(source: usize, table: &DeTable<'_>) -> Value {
    let entry = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| Entry {
        key: key.get_ref().to_string(),
        place: place_of(source, key),
        node: node_of(source, value),
    };
    Value::Table(table.iter().map(entry).collect())
}

fn node_of(source: usize, spanned: &Spanned<DeValue<'_>>) -> Node {
    let value = match spanned.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(integer) => {
            i64::from_str_radix(integer.as_str(), integer.radix()).map_or(Value::Other, Value::Integer)
        }
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Array(items) => Value::List(items.iter().map(|item| node_of(source, item)).collect()),
        DeValue::Table(table) => table_of(source, table),
        DeValue::Float(float) => float.as_str().parse().map_or(Value::Other, Value::Number),
        DeValue::Datetime(_) => Value::Other,
    };
    Node { value, place: place_of(source, spanned) }
}

/// Tables are merged key by key; anything else is replaced.
fn merge(below: &mut Node, above: Node) {
    match (&mut below.value, above.value) {
        (Value::Table(entries), Value::Table(over)) => {
            for entry in over {
                match entries.iter_mut().find(|old| old.key == entry.key) {
                    Some(old) => merge(&mut old.node, entry.node),
                    None => entries.push(entry),
                }
            }
        }
        (_, value) => *below = Node { value, place: above.place },
    }
}
