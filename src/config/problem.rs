//! What is wrong with a configuration, shown so that it can be mended at once: file, line, column, the line itself, and
//! what to write instead.

use std::fmt;
use std::path::PathBuf;

/// Whether a configuration with this problem is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It is not.
    Error,
    /// It is, and the operator should know.
    Warning,
}

/// Where in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// 1-based.
    pub line: usize,
    /// 1-based, in characters.
    pub column: usize,
    /// Characters that are meant.
    pub width: usize,
    /// The line itself.
    pub text: String,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Error or warning.
    pub weight: Weight,
    /// The file, or the `--set` option.
    pub file: String,
    /// Where in it; None means the file as a whole.
    pub position: Option<Position>,
    /// One sentence.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Problem {
    /// A problem of a file as a whole.
    pub fn of_file(file: impl Into<PathBuf>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            weight: Weight::Error,
            file: file.into().display().to_string(),
            position: None,
            message: message.into(),
            help: Some(help.into()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = match self.weight {
            Weight::Error => "error",
            Weight::Warning => "warning",
        };
        match &self.position {
            None => write!(f, "{}: {weight}: {}", self.file, self.message)?,
            Some(Position { line, column, width, text }) => {
                writeln!(f, "{}:{line}:{column}: {weight}: {}", self.file, self.message)?;
                writeln!(f, "{line:>6} | {text}")?;
                write!(f, "       | {:indent$}{}", "", "^".repeat((*width).max(1)), indent = column - 1)?;
            }
        }
        match &self.help {
            Some(help) => write!(f, "\n         {help}"),
            None => Ok(()),
        }
    }
}

/// All problems of a configuration, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Whether the configuration cannot be taken.
    pub fn is_fatal(&self) -> bool {
        self.0.iter().any(|problem| problem.weight == Weight::Error)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}
