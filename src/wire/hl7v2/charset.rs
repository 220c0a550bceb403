//! Character sets: what MSH-18 and MSH-20 call them, and from and to bytes (HL7 2.5, 2.14.9.18, tables 0211 and 0356;
//! ITI TF-2: C.2.2).
//!
//! Decoding never fails: what means nothing becomes U+FFFD and is counted. Encoding never changes the structure of a message:
//! only ASCII characters become ASCII bytes outside of two-byte text, whatever tables say of `¥` and `‾`.

use std::borrow::Cow;

use encoding_rs as rs;

use super::iso2022;
use super::message::MessageError;
use super::write::SegmentWriter;
use crate::limits;

/// A character set that messages are read and written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Charset {
    /// Seven bits.
    Ascii,
    /// `UNICODE UTF-8`
    #[default]
    Utf8,
    /// `ISO IR87` and its like: ASCII, JIS X 0208 and others, switched by escape sequences.
    Iso2022Jp,
    /// `ISO IR14`: one byte, with half-width katakana.
    Jis0201,
    /// Shift_JIS as Windows has it; not in HL7's table, but sent.
    ShiftJis,
    /// EUC-JP; not in HL7's table either.
    EucJp,
    /// `8859/n`
    Latin(u8),
    /// `GB 18030-2000`
    Gb18030,
    /// `KS X 1001`
    EucKr,
    /// `BIG-5`
    Big5,
}

/// Names by capital letters and digits alone, since senders write `ISO-IR87` and `ISO 8859-1` too.
const NAMES: &[(&str, Charset)] = &[
    ("ASCII", Charset::Ascii),
    ("USASCII", Charset::Ascii),
    ("ISOIR6", Charset::Ascii),
    ("UNICODEUTF8", Charset::Utf8),
    ("UTF8", Charset::Utf8),
    ("ISOIR87", Charset::Iso2022Jp),
    ("ISOIR159", Charset::Iso2022Jp),
    ("JISX0202", Charset::Iso2022Jp),
    ("JAS2020", Charset::Iso2022Jp),
    ("ISO2022JP", Charset::Iso2022Jp),
    ("ISO2022IR87", Charset::Iso2022Jp),
    ("ISOIR13", Charset::Jis0201),
    ("ISOIR14", Charset::Jis0201),
    ("SHIFTJIS", Charset::ShiftJis),
    ("SJIS", Charset::ShiftJis),
    ("MS932", Charset::ShiftJis),
    ("CP932", Charset::ShiftJis),
    ("WINDOWS31J", Charset::ShiftJis),
    ("EUCJP", Charset::EucJp),
    ("GB180302000", Charset::Gb18030),
    ("GB18030", Charset::Gb18030),
    ("KSX1001", Charset::EucKr),
    ("EUCKR", Charset::EucKr),
    ("BIG5", Charset::Big5),
];

/// Parts of ISO 8859. Part 1 is not here: Windows-1252, which `encoding_rs` has for it, is another set.
const LATIN: &[(u8, &rs::Encoding)] = &[
    (2, &rs::ISO_8859_2_INIT),
    (3, &rs::ISO_8859_3_INIT),
    (4, &rs::ISO_8859_4_INIT),
    (5, &rs::ISO_8859_5_INIT),
    (6, &rs::ISO_8859_6_INIT),
    (7, &rs::ISO_8859_7_INIT),
    (8, &rs::ISO_8859_8_INIT),
    (9, &rs::WINDOWS_1254_INIT),
    (10, &rs::ISO_8859_10_INIT),
    (13, &rs::ISO_8859_13_INIT),
    (14, &rs::ISO_8859_14_INIT),
    (15, &rs::ISO_8859_15_INIT),
    (16, &rs::ISO_8859_16_INIT),
];

/// What Unicode has twice where JIS has one character: what we are given, and what the tables of `encoding_rs` know. The
/// first two would become ASCII bytes, that is an escape character and a repetition separator.
const TWINS: &[(char, char)] = &[
    ('¥', '￥'),
    ('‾', '￣'),
    ('〜', '～'),
    ('‖', '∥'),
    ('−', '－'),
    ('¢', '￠'),
    ('£', '￡'),
    ('¬', '￢'),
    ('—', '―'),
];

/// Text, and how much of it could not be decoded.
#[derive(Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The text.
    pub text: String,
    /// Characters that are U+FFFD in it because their bytes mean nothing.
    pub undecodable: usize,
}

/// Bytes, and how many characters they could not hold.
#[derive(Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Characters that were replaced: by ■ in Japanese sets, as gaiji are, by `?` in others.
    pub replaced: usize,
}

impl Charset {
    /// By a name of table 0211 or as senders write it.
    pub fn named(name: &str) -> Option<Self> {
        let mut letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        letters.make_ascii_uppercase();
        let part = letters.strip_prefix("ISO").unwrap_or(&letters).strip_prefix("8859");
        if let Some(part) = part.and_then(|part| part.parse().ok()) {
            return (part == 1 || LATIN.iter().any(|(known, _)| *known == part)).then_some(Self::Latin(part));
        }
        NAMES.iter().find(|(known, _)| *known == letters).map(|(_, charset)| *charset)
    }

    /// MSH-18 where we say it: its repetitions.
    pub(super) fn msh_18(self) -> Vec<Cow<'static, str>> {
        let name = match self {
            Self::Ascii => "ASCII",
            Self::Utf8 => "UNICODE UTF-8",
            // The first set is the default one, ASCII; this is how SS-MIX2 writes it.
            Self::Iso2022Jp => return vec!["".into(), "ISO IR87".into()],
            Self::Jis0201 => "ISO IR14",
            Self::ShiftJis => "SHIFT_JIS",
            Self::EucJp => "EUC-JP",
            Self::Latin(part) => return vec![format!("8859/{part}").into()],
            Self::Gb18030 => "GB 18030-2000",
            Self::EucKr => "KS X 1001",
            Self::Big5 => "BIG-5",
        };
        vec![name.into()]
    }

    /// MSH-20 beside it.
    pub(super) fn msh_20(self) -> Option<&'static str> {
        (self == Self::Iso2022Jp).then_some("ISO 2022-1994")
    }

    /// From bytes.
    pub fn decode(self, bytes: &[u8]) -> Decoded {
        if bytes.is_ascii() && !matches!(self, Self::Iso2022Jp | Self::Jis0201) {
            return Decoded::lossy(String::from_utf8_lossy(bytes));
        }
        match self {
            Self::Ascii => {
                let character = |byte: &u8| if byte.is_ascii() { char::from(*byte) } else { '\u{fffd}' };
                Decoded::lossy(bytes.iter().map(character).collect::<String>().into())
            }
            Self::Utf8 => Decoded::lossy(String::from_utf8_lossy(bytes)),
            Self::Iso2022Jp | Self::Jis0201 => iso2022::decode(bytes, None),
            _ => match self.table() {
                Some(table) => Decoded::lossy(table.decode_without_bom_handling(bytes).0),
                None => Decoded::lossy(rs::mem::decode_latin1(bytes)),
            },
        }
    }

    /// From the bytes of a whole message, in which MSH-20 may have switched escape sequences of HL7's own on.
    pub(super) fn decode_message(self, bytes: &[u8], declared: &Declared) -> Decoded {
        match self {
            Self::Iso2022Jp if declared.scheme == "2.3" => iso2022::decode(bytes, bytes.get(6).copied()),
            _ => self.decode(bytes),
        }
    }

    /// To bytes.
    pub fn encode(self, text: &str) -> Encoded {
        match self {
            Self::Utf8 => Encoded { bytes: text.as_bytes().to_vec(), replaced: 0 },
            Self::Iso2022Jp => iso2022::encode(text),
            _ => {
                let mut encoded = Encoded { bytes: Vec::with_capacity(text.len()), replaced: 0 };
                text.chars().for_each(|character| self.put(character, &mut encoded));
                encoded
            }
        }
    }

    /// Whether a text comes back as it is.
    pub fn holds(self, text: &str) -> bool {
        let Encoded { bytes, replaced } = self.encode(text);
        replaced == 0 && self.decode(&bytes).text == text
    }

    fn put(self, character: char, encoded: &mut Encoded) {
        if character.is_ascii() {
            encoded.bytes.push(character as u8);
            return;
        }
        let put = match self {
            Self::Ascii | Self::Utf8 | Self::Iso2022Jp => false,
            Self::Jis0201 => match u32::from(character) {
                katakana @ 0xff61..=0xff9f => {
                    encoded.bytes.push((katakana - 0xff61) as u8 + 0xa1);
                    true
                }
                _ => false,
            },
            _ => match self.table() {
                Some(table) => {
                    let character = if self.is_japanese() { twin(character) } else { character };
                    put_by_table(table, character, &mut encoded.bytes)
                }
                None => u8::try_from(character).map(|byte| encoded.bytes.push(byte)).is_ok(),
            },
        };
        if !put {
            encoded.replaced += 1;
            match self.table().filter(|_| self.is_japanese()) {
                Some(table) => drop(put_by_table(table, '■', &mut encoded.bytes)),
                None => encoded.bytes.push(b'?'),
            }
        }
    }

    fn is_japanese(self) -> bool {
        matches!(self, Self::Iso2022Jp | Self::Jis0201 | Self::ShiftJis | Self::EucJp)
    }

    fn table(self) -> Option<&'static rs::Encoding> {
        match self {
            Self::ShiftJis => Some(rs::SHIFT_JIS),
            Self::EucJp => Some(rs::EUC_JP),
            Self::Gb18030 => Some(rs::GB18030),
            Self::EucKr => Some(rs::EUC_KR),
            Self::Big5 => Some(rs::BIG5),
            Self::Latin(part) => LATIN.iter().find(|(known, _)| *known == part).map(|(_, table)| *table),
            Self::Ascii | Self::Utf8 | Self::Iso2022Jp | Self::Jis0201 => None,
        }
    }
}

impl std::fmt::Display for Charset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.msh_18().last().map_or("", |name| name))
    }
}

/// The character by which the tables know it.
pub(super) fn twin(character: char) -> char {
    TWINS.iter().find(|(given, _)| *given == character).map_or(character, |(_, known)| *known)
}

/// Adds a character that is not ASCII; false if the table has none such.
pub(super) fn put_by_table(table: &'static rs::Encoding, character: char, out: &mut Vec<u8>) -> bool {
    let mut utf8 = [0; 4];
    let (bytes, _, failed) = table.encode(character.encode_utf8(&mut utf8));
    let holds = !failed && !matches!(&*bytes, [byte] if byte.is_ascii());
    if holds {
        out.extend_from_slice(&bytes);
    }
    holds
}

impl Decoded {
    fn lossy(text: Cow<'_, str>) -> Self {
        let undecodable = text.matches('\u{fffd}').count();
        Self { text: text.into_owned(), undecodable }
    }
}

/// What MSH-18 and MSH-20 of a message say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Declared {
    /// The repetitions of MSH-18, empty ones too.
    names: Vec<String>,
    scheme: String,
}

impl Declared {
    /// Looks for them in a message that is not decoded yet.
    pub(super) fn find(bytes: &[u8], default: Charset) -> Self {
        let end = memchr::memchr2(b'\r', b'\n', bytes).unwrap_or(bytes.len());
        let header = &bytes[..end];
        let charset = if header.contains(&0x1b) { Charset::Iso2022Jp } else { default };
        let text = charset.decode(header).text;
        let Some(separator) = text.chars().nth(3) else { return Self::default() };
        let repetition = text.chars().nth(5).filter(|mark| *mark != separator);
        let mut fields = text.split(separator).skip(17);
        let kept = |name: &str| name.trim().chars().take(limits::MAX_HL7_CHARSET_CHARS).collect();
        let names = fields.next().unwrap_or_default();
        let names = names.split(|c| Some(c) == repetition).take(limits::MAX_HL7_CHARSETS).map(kept).collect();
        Self { names, scheme: fields.nth(1).map(kept).unwrap_or_default() }
    }

    /// The character set that is meant. Where several are declared, all but the first are reached by escape sequences: a
    /// Japanese one among them says that there are such.
    pub(super) fn charset(&self, bytes: &[u8], default: Charset) -> Result<Charset, MessageError> {
        let known =
            |name: &String| Charset::named(name).ok_or_else(|| MessageError::Charset(printable(name)));
        let given = self.names.iter().filter(|name| !name.is_empty()).map(known);
        let given = given.collect::<Result<Vec<_>, _>>()?;
        Ok(match given.first() {
            _ if given.contains(&Charset::Iso2022Jp) => Charset::Iso2022Jp,
            Some(first) => *first,
            // Not declared, but nothing else has such a sequence.
            None if memchr::memmem::find(bytes, b"\x1b$").is_some() => Charset::Iso2022Jp,
            None => default,
        })
    }

    /// Writes them into an MSH as they were.
    pub fn repeat_in(&self, msh: &mut SegmentWriter) {
        if self.names.iter().any(|name| !name.is_empty()) {
            for name in &self.names {
                msh.add(18, name);
            }
        }
        if !self.scheme.is_empty() {
            msh.set(20, &self.scheme);
        }
    }
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}
