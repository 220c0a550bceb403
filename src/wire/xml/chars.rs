//! What XML 1.0 (fifth edition) says about characters, names and references: tables and small scanners.

/// May start a name (no colon).
pub(super) const NAME_START: u8 = 1;
/// May stand in a name (no colon).
pub(super) const NAME: u8 = 2;
/// White space.
pub(super) const SPACE: u8 = 4;

/// What each ASCII byte may be; bytes of longer characters are looked up as characters.
static CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        let c = byte as u8;
        let mut class = 0;
        if c.is_ascii_alphabetic() || c == b'_' {
            class |= NAME_START | NAME;
        }
        if c.is_ascii_digit() || c == b'-' || c == b'.' {
            class |= NAME;
        }
        if matches!(c, b' ' | b'\t' | b'\r' | b'\n') {
            class |= SPACE;
        }
        table[byte] = class;
        byte += 1;
    }
    table
};

/// Whether an ASCII byte is of that class.
pub(super) fn is(byte: u8, class: u8) -> bool {
    CLASS[usize::from(byte)] & class != 0
}

/// Whether an attribute's value has no references and nothing to normalise. Without a branch: the compiler makes vector
/// instructions of it.
pub(super) fn stands_for_itself(value: &[u8]) -> bool {
    !value.iter().fold(false, |special, &byte| special | (byte < b' ') | (byte == b'&') | (byte == b'<'))
}

/// Where the white space that begins at `at` ends.
pub(super) fn skip_space(bytes: &[u8], at: usize) -> usize {
    bytes.iter().skip(at).position(|&byte| !is(byte, SPACE)).map_or(bytes.len(), |run| at + run)
}

/// Where the NCName that begins at `at` ends; `at` itself if none does.
pub(super) fn ncname_end(text: &str, at: usize) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    let plain = rest.iter().position(|&byte| !is(byte, NAME)).unwrap_or(rest.len());
    match rest.first() {
        Some(&first) if first < 128 && !is(first, NAME_START) => at,
        _ if rest.get(plain).is_none_or(|&byte| byte < 128) => at + plain,
        _ => name_end_beyond_ascii(text, at, at + plain),
    }
}

/// Goes on at a character beyond ASCII at `from`, in a name that begins at `start`.
#[cold]
fn name_end_beyond_ascii(text: &str, start: usize, from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let in_name = |at: usize, c: char| match u8::try_from(c) {
        Ok(byte) if byte < 128 => is(byte, NAME),
        _ => name_start_beyond_ascii(c) || at > start && name_beyond_ascii(c),
    };
    rest.char_indices().find(|&(at, c)| !in_name(from + at, c)).map_or(text.len(), |(at, _)| from + at)
}

/// `NameStartChar` beyond ASCII.
fn name_start_beyond_ascii(c: char) -> bool {
    matches!(c,
        '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}'
        | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
        | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

/// What `NameChar` has beyond ASCII and `NameStartChar`.
fn name_beyond_ascii(c: char) -> bool {
    matches!(c, '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Whether XML 1.0 can carry the character (production `Char`).
pub(super) fn allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

/// Where the first character stands that XML 1.0 forbids. One quick pass over the whole document, so that nothing after
/// it has to look.
pub(super) fn first_forbidden(text: &str) -> Option<usize> {
    const BLOCK: usize = 64;
    // The fold without a branch is what the compiler turns into vector instructions.
    let control = |byte: &u8| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r');
    let bytes = text.as_bytes();
    let controls = bytes
        .chunks(BLOCK)
        .position(|block| block.iter().fold(false, |found, byte| found | control(byte)))
        .and_then(|block| {
            let start = block * BLOCK;
            bytes.iter().skip(start).position(control).map(|at| start + at)
        });
    // U+FFFE and U+FFFF are EF BF BE and EF BF BF; nothing else begins with EF BF B[EF].
    let non_characters = memchr::memmem::find_iter(bytes, b"\xEF\xBF")
        .find(|&at| matches!(bytes.get(at + 2), Some(0xBE | 0xBF)));
    match (controls, non_characters) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Reads the reference that `text` begins with (`&…;`): the character that it stands for and the reference's length.
/// None for an entity other than XML's five, for a character that XML forbids, and for what is no reference.
pub(super) fn reference(text: &str) -> Option<(char, usize)> {
    let name = text.strip_prefix('&')?;
    let end = memchr::memchr(b';', name.as_bytes())?;
    let name = name.get(..end)?;
    let c = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => numbered(name.strip_prefix('#')?)?,
    };
    Some((c, end + 2))
}

fn numbered(digits: &str) -> Option<char> {
    let (digits, radix) = digits.strip_prefix('x').map_or((digits, 10), |hex| (hex, 16));
    if digits.is_empty() {
        return None;
    }
    let mut code = 0_u32;
    for digit in digits.chars() {
        code = code.saturating_mul(radix).saturating_add(digit.to_digit(radix)?);
    }
    char::from_u32(code).filter(|&c| allowed(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_the_five_and_allowed_characters() {
        for (text, expected) in [
            ("&amp;x", Some(('&', 5))),
            ("&apos;", Some(('\'', 6))),
            ("&#65;", Some(('A', 5))),
            ("&#x0000041;", Some(('A', 11))),
            ("&#x1F600;", Some(('😀', 9))),
            ("&#0;", None),
            ("&#xD800;", None),
            ("&#xFFFE;", None),
            ("&#x110000;", None),
            ("&#99999999999999999999;", None),
            ("&#;", None),
            ("&#x;", None),
            ("&#X41;", None),
            ("&#-1;", None),
            ("&;", None),
            ("&nbsp;", None),
            ("&amp", None),
        ] {
            assert_eq!(reference(text), expected, "{text}");
        }
    }

    #[test]
    fn names_follow_the_fifth_edition() {
        for (text, end) in
            [("a-b.c_1 ", 7), ("1a", 0), ("患者:a", 6), ("-a", 0), ("a·b", 4), ("·a", 0), ("", 0), ("×", 0)]
        {
            assert_eq!(ncname_end(text, 0), end, "{text}");
        }
    }

    #[test]
    fn forbidden_characters_are_found_anywhere() {
        assert_eq!(first_forbidden("tab\tline\nreturn\rカナ\u{FFFD}\u{FFEF}"), None);
        for forbidden in ['\0', '\u{1}', '\u{B}', '\u{1F}', '\u{FFFE}', '\u{FFFF}'] {
            for before in [0, 1, 63, 64, 65, 200] {
                let text = format!("{}{forbidden}\u{1}", "x".repeat(before));
                assert_eq!(first_forbidden(&text), Some(before), "{forbidden:?}");
            }
        }
    }
}
