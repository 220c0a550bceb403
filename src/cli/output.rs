//! What a subcommand shows: tables for people on a terminal, tab-separated lines when piped, JSON when asked for.

use std::io::{IsTerminal, Write};

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

/// Whom the output is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// A person at a terminal.
    People,
    /// A pipe.
    Lines,
    /// A program.
    Json,
}

impl Output {
    /// JSON if it was asked for, else by what stdout is.
    pub fn new(json: bool) -> Self {
        match (json, std::io::stdout().is_terminal()) {
            (true, _) => Self::Json,
            (false, true) => Self::People,
            (false, false) => Self::Lines,
        }
    }

    /// Shows rows under a header. Not in JSON, where [`Output::json`] says everything.
    pub fn table<const N: usize>(self, header: [&str; N], rows: &[[String; N]]) {
        match self {
            Self::People => say(&aligned(header, rows)),
            Self::Lines => {
                say(&header.join("\t"));
                for row in rows {
                    let cells: Vec<_> = row.iter().map(|cell| one_line(cell)).collect();
                    say(&cells.join("\t"));
                }
            }
            Self::Json => {}
        }
    }

    /// Shows a sentence. Not in JSON.
    pub fn line(self, text: &str) {
        if self != Self::Json {
            say(text);
        }
    }

    /// Shows everything as one JSON object; only in JSON.
    pub fn json(self, value: &Value) {
        if self == Self::Json {
            say(&value.to_string());
        }
    }

    /// A bar that counts bytes, on stderr, for people only.
    pub fn progress(self, total: Option<u64>) -> ProgressBar {
        self.bar(total, "{bytes:>12} {bytes_per_sec:>14} {wide_msg}")
    }

    /// A bar that counts records, on stderr, for people only.
    pub fn count(self) -> ProgressBar {
        self.bar(None, "{human_pos:>12} of {human_len} records {wide_msg}")
    }

    /// A bar that counts files, on stderr, for people only.
    pub fn files(self, total: u64) -> ProgressBar {
        self.bar(Some(total), "{human_pos:>12} of {human_len} files {per_sec} {wide_bar} {eta}")
    }

    fn bar(self, total: Option<u64>, template: &str) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        if self != Self::People {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar
    }
}

/// A table as people like it.
pub fn aligned<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> String {
    let mut table = Table::new();
    let style = TableStyle::new().header_separator(LineStyle::new('─', '─', '─', '─'));
    table.load_style(style).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some((_, columns)) = console::Term::stdout().size_checked() {
        table.set_width(columns);
    }
    table.set_header(header);
    table.add_rows(rows.iter().map(|row| row.iter().map(|cell| one_line(cell)).collect::<Vec<_>>()));
    table.to_string()
}

/// Bytes as people read them.
pub fn bytes(count: u64) -> String {
    indicatif::HumanBytes(count).to_string()
}

/// What others sent us may hold control characters: none of them reaches the terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// A line on stdout; a reader that has gone away is no error of ours.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(one_line("a\u{1b}[31mb\tc\n"), "a [31mb c ");
    }
}
