//! The configuration file: every problem at once, with file, line, column and a suggestion.
