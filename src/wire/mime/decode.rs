//! Transfer encodings, undone chunk by chunk (RFC 2045, section 6).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::limits::MAX_MIME_PADDING_BYTES;
use crate::wire::stream::StreamError;

/// What undoes a part's Content-Transfer-Encoding.
#[derive(Debug)]
pub(super) enum Decoder {
    /// binary, 8bit, 7bit: the bytes are what they are.
    Identity,
    /// base64: characters of the group that is not complete yet, and whether padding has ended it all.
    Base64 { group: Vec<u8>, padded: bool },
    /// quoted-printable: bytes whose meaning depends on what follows them.
    QuotedPrintable { undecided: Vec<u8> },
}

impl Decoder {
    /// The decoder for a Content-Transfer-Encoding in lower case; None where there was no such header.
    pub(super) fn new(encoding: Option<&str>) -> Result<Self, StreamError> {
        match encoding.unwrap_or("binary") {
            "binary" | "8bit" | "7bit" => Ok(Self::Identity),
            "base64" => Ok(Self::Base64 { group: Vec::new(), padded: false }),
            "quoted-printable" => Ok(Self::QuotedPrintable { undecided: Vec::new() }),
            other => {
                Err(malformed(format!("the Content-Transfer-Encoding {other:?} is unknown (RFC 2045, 6)")))
            }
        }
    }

    /// Decodes the next chunk, as far as its meaning is clear.
    pub(super) fn push(&mut self, chunk: Bytes) -> Result<Bytes, StreamError> {
        match self {
            Self::Identity => Ok(chunk),
            Self::Base64 { group, padded } => base64_groups(group, padded, &chunk),
            Self::QuotedPrintable { undecided } => quoted_printable(undecided, &chunk),
        }
    }

    /// What is left at the part's end.
    pub(super) fn finish(&mut self) -> Result<Bytes, StreamError> {
        match self {
            Self::Identity => Ok(Bytes::new()),
            Self::Base64 { group, .. } if group.is_empty() => Ok(Bytes::new()),
            Self::Base64 { .. } => {
                Err(malformed("a base64 part ends within a group of four characters".to_owned()))
            }
            // The line break behind a last soft break belongs to the boundary.
            Self::QuotedPrintable { undecided } => {
                undecided.push(b'\n');
                let mut last = quoted_printable(&mut Vec::new(), &std::mem::take(undecided))?;
                last.truncate(last.strip_suffix(b"\n").map_or(last.len(), <[u8]>::len));
                Ok(last)
            }
        }
    }
}

fn malformed(problem: String) -> StreamError {
    StreamError::Malformed(problem)
}

fn base64_groups(group: &mut Vec<u8>, padded: &mut bool, chunk: &[u8]) -> Result<Bytes, StreamError> {
    let mut characters = std::mem::take(group);
    characters.reserve(chunk.len());
    characters.extend(chunk.iter().filter(|b| !b.is_ascii_whitespace()));
    if *padded && !characters.is_empty() {
        return Err(malformed("a base64 part goes on behind its padding".to_owned()));
    }
    *group = characters.split_off(characters.len() & !3);
    *padded = characters.last() == Some(&b'=');
    match STANDARD.decode(&characters) {
        Ok(bytes) => Ok(bytes.into()),
        Err(_) => Err(malformed("a part declared as base64 is not base64".to_owned())),
    }
}

fn quoted_printable(undecided: &mut Vec<u8>, chunk: &[u8]) -> Result<Bytes, StreamError> {
    let mut input = std::mem::take(undecided);
    input.extend_from_slice(chunk);
    let mut decoded = Vec::with_capacity(input.len());
    let mut rest = input.as_slice();
    while let Some(&first) = rest.first() {
        let blanks = rest.iter().skip(1).take_while(|b| is_blank(**b)).count();
        if blanks > MAX_MIME_PADDING_BYTES {
            return Err(StreamError::TooLarge {
                what: "a run of blanks in a quoted-printable part (bytes)",
                limit: MAX_MIME_PADDING_BYTES as u64,
            });
        }
        let line_end = line_end(&rest[1 + blanks..]);
        match (first, line_end, rest) {
            (b'=' | b' ' | b'\t', None, _)
                if 1 + blanks + usize::from(rest.ends_with(b"\r")) == rest.len() =>
            {
                break;
            }
            (b'=', Some(end), _) => rest = &rest[1 + blanks + end..],
            // Blanks before a line's end were added on the way (RFC 2045, 6.7 (3)).
            (b' ' | b'\t', Some(_), _) => rest = &rest[1 + blanks..],
            (b'=', None, [_, high, low, behind @ ..]) => {
                match (char::from(*high).to_digit(16), char::from(*low).to_digit(16)) {
                    (Some(high), Some(low)) => decoded.push((high << 4 | low) as u8),
                    _ => {
                        return Err(malformed(
                            "a quoted-printable part has = without two hex digits".to_owned(),
                        ));
                    }
                }
                rest = behind;
            }
            (b'=', None, _) => break,
            _ => {
                let plain = 1 + rest.iter().skip(1).take_while(|b| **b != b'=' && !is_blank(**b)).count();
                decoded.extend_from_slice(&rest[..plain]);
                rest = &rest[plain..];
            }
        }
    }
    *undecided = rest.to_vec();
    Ok(decoded.into())
}

fn is_blank(b: u8) -> bool {
    b == b' ' || b == b'\t'
}

/// The length of the line break at the start of `bytes`, if there is one.
fn line_end(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'\n', ..] => Some(1),
        [b'\r', b'\n', ..] => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(encoding: &str, encoded: &[u8], chunk: usize) -> Result<Vec<u8>, StreamError> {
        let mut decoder = Decoder::new(Some(encoding))?;
        let mut decoded = Vec::new();
        for chunk in encoded.chunks(chunk) {
            decoded.extend_from_slice(&decoder.push(Bytes::copy_from_slice(chunk))?);
        }
        decoded.extend_from_slice(&decoder.finish()?);
        Ok(decoded)
    }

    #[test]
    fn base64_in_lines_at_every_split() {
        for chunk in 1..12 {
            assert_eq!(decode("base64", b"SGVs\r\nbG8g\r\n d29ybGQ=\r\n", chunk).unwrap(), b"Hello world");
            assert_eq!(decode("base64", b" \r\n", chunk).unwrap(), b"");
        }
    }

    #[test]
    fn attack_30_invalid_base64_is_an_error_at_every_split() {
        for encoded in
            [&b"SGVs*G8="[..], b"SGVsbG8", b"SGVsbG8=SGVs", b"SGVsbG8==", b"\x00\xff\xfe\xfd", b"===="]
        {
            for chunk in 1..9 {
                assert!(decode("base64", encoded, chunk).is_err(), "{encoded:?} in chunks of {chunk}");
            }
        }
        assert!(Decoder::new(Some("x-uuencode")).is_err());
    }

    #[test]
    fn quoted_printable_at_every_split() {
        for (encoded, decoded) in [
            (&b"a=3Db=\r\nc=C3=A9 \t\r\nd  e=\n"[..], "a=bc\u{e9}\r\nd  e"),
            (b"soft= \t\r\nend=", "softend"),
            (b"blanks at the end \t ", "blanks at the end"),
            (b"=0D=0A\r\n\n=20", "\r\n\r\n\n "),
            (b"lone\rcr =41\r", "lone\rcr A\r"),
            (b"", ""),
        ] {
            for chunk in 1..30 {
                assert_eq!(
                    String::from_utf8(decode("quoted-printable", encoded, chunk).unwrap()).unwrap(),
                    decoded,
                    "{:?} in chunks of {chunk}",
                    String::from_utf8_lossy(encoded)
                );
            }
        }
        assert!(decode("quoted-printable", b"a=4", 9).is_err());
        assert!(decode("quoted-printable", b"a=ZZ", 1).is_err());
        assert!(decode("quoted-printable", &[b' '; 100_000], 1000).is_err());
    }
}
