//! Escape sequences in values (HL7 2.5, 2.7), both ways.

use std::borrow::Cow;

use super::charset::Charset;
use super::delimiters::Delimiters;

/// A value as it is meant. What is no escape sequence that we know stays as it is: nothing is lost.
pub(super) fn unescape<'t>(text: &'t str, delimiters: &Delimiters, charset: Charset) -> Cow<'t, str> {
    let Some(escape) = delimiters.escape.filter(|escape| text.contains(*escape)) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(escape) {
        out.push_str(before);
        match behind.split_once(escape) {
            Some((sequence, after)) if meaning(sequence, delimiters, charset, &mut out) => rest = after,
            _ => {
                out.push(escape);
                rest = behind;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Adds what an escape sequence (without its escape characters) stands for; false if we do not know it.
fn meaning(sequence: &str, delimiters: &Delimiters, charset: Charset, out: &mut String) -> bool {
    let mark = match sequence {
        "F" => Some(delimiters.field),
        "S" => Some(delimiters.component),
        "R" => delimiters.repetition,
        "T" => delimiters.subcomponent,
        "E" => delimiters.escape,
        "P" => delimiters.truncation,
        ".br" | ".sp" => Some('\n'),
        _ => None,
    };
    if let Some(mark) = mark {
        out.push(mark);
        return true;
    }
    match sequence.split_at_checked(1) {
        Some(("X", digits)) => match bytes_of(digits) {
            Some(bytes) => out.push_str(&charset.decode(&bytes).text),
            None => return false,
        },
        // Highlighting, and switches of the character set that the decoder has not used: they add no text.
        Some(("H" | "N", "")) => {}
        Some(("C", digits)) if digits.len() == 4 && bytes_of(digits).is_some() => {}
        Some(("M", digits)) if matches!(digits.len(), 4 | 6) && bytes_of(digits).is_some() => {}
        _ => return false,
    }
    true
}

fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let pairs = digits.as_bytes().chunks_exact(2);
    let digit = |byte: u8| char::from(byte).to_digit(16);
    pairs
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
            _ => None,
        })
        .collect()
}

/// Adds a value so that nothing in it is a delimiter, ends a segment or ends a frame. With [`Delimiters::RECOMMENDED`].
pub(super) fn escape_into(value: &str, out: &mut String) {
    for character in value.chars() {
        let sequence = match character {
            '|' => "\\F\\",
            '^' => "\\S\\",
            '&' => "\\T\\",
            '~' => "\\R\\",
            '\\' => "\\E\\",
            '\n' => "\\.br\\",
            control if control.is_ascii_control() => {
                out.push_str(&format!("\\X{:02X}\\", u32::from(control)));
                continue;
            }
            other => {
                out.push(other);
                continue;
            }
        };
        out.push_str(sequence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        unescape(text, &Delimiters::RECOMMENDED, Charset::Utf8).into_owned()
    }

    #[test]
    fn sequences_are_read() {
        for (written, meant) in [
            ("a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f", "a|b^c&d~e\\f"),
            ("\\X0D\\", "\r"),
            ("\\XE8A1A8\\", "表"),
            ("one\\.br\\two", "one\ntwo"),
            ("\\H\\bold\\N\\", "bold"),
            ("\\C2842\\a\\M242844\\", "a"),
            ("\\M24", "\\M24"),
            ("\\Xzz\\", "\\Xzz\\"),
            ("\\Z1\\E\\", "\\Z1\\"),
            ("\\\\F\\", "\\|"),
            ("end\\", "end\\"),
            ("\\P\\", "\\P\\"),
        ] {
            assert_eq!(read(written), meant, "{written}");
        }
    }

    #[test]
    fn what_is_written_has_no_delimiter_and_is_read_again() {
        let every: String = (0..=255).filter_map(char::from_u32).chain("表¥‾ー".chars()).collect();
        let mut written = String::new();
        escape_into(&every, &mut written);
        assert!(!written.contains(['|', '^', '~', '&', '\r', '\n', '\u{b}', '\u{1c}']));
        assert_eq!(read(&written), every);
    }
}
