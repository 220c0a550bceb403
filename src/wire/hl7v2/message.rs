//! A message that was received: text, and where its segments are. Fields and what they hold are found when they are asked
//! for; asking for what is not there gives something empty.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::charset::{Charset, Declared};
use super::delimiters::Delimiters;
use super::escape::unescape;
use super::location::Location;
use crate::limits;

/// A message. Unknown segments are kept like all others.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    text: String,
    segments: Vec<Range<usize>>,
    rules: Rules,
    declared: Declared,
    undecodable: usize,
}

/// How its values are read.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Rules {
    delimiters: Delimiters,
    charset: Charset,
}

/// Why bytes are no message that we read. Holds nothing of the message but the name of a character set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Nothing, or only white space.
    #[error("the message is empty")]
    Empty,
    /// Two bytes for each character.
    #[error("the message is in UTF-16, which no transaction here allows: send UTF-8 (HL7 table 0211)")]
    Utf16,
    /// Another beginning.
    #[error("the message does not begin with the segment MSH (HL7 2.5, 2.5.2)")]
    NotMsh,
    /// FHS or BHS.
    #[error(
        "this is a batch (FHS, BHS), and one message is due: send each in a frame of its own (ITI TF-2: C.2.1)"
    )]
    Batch,
    /// MSH-1 or MSH-2.
    #[error("MSH-1 and MSH-2 are not five distinct delimiters such as |^~\\& (HL7 2.5, 2.5.4)")]
    Delimiters,
    /// MSH-18. The text does not quote it: in a message whose fields are shifted it may be anything.
    #[error("MSH-18 names a character set that is not supported (HL7 table 0211)")]
    Charset(String),
    /// A line that is no segment.
    #[error("segment {0} does not begin with a segment's name and the field separator (HL7 2.5, 2.5.2)")]
    Segment(usize),
    /// Beyond a bound.
    #[error("the message has more than {limit} {what}")]
    TooMany {
        /// Of what: bytes, segments, fields of a segment, …
        what: &'static str,
        /// How many are read.
        limit: usize,
    },
}

impl MessageError {
    /// The place that is to blame, if it can be said.
    pub fn location(&self) -> Option<Location> {
        match self {
            Self::Delimiters => Some(Location::field("MSH", 2)),
            Self::Charset(_) => Some(Location::field("MSH", 18)),
            Self::Empty | Self::Utf16 | Self::NotMsh | Self::Batch => Some(Location::segment("MSH", 1)),
            Self::Segment(_) | Self::TooMany { .. } => None,
        }
    }
}

impl Message {
    /// Reads a message; `default` is the character set where MSH-18 says nothing.
    pub fn read(bytes: &[u8], default: Charset) -> Result<Self, MessageError> {
        Self::read_up_to(bytes, default, limits::MAX_HL7_SEGMENTS)
    }
    /// Reads only MSH: to answer what cannot be read as a whole.
    pub fn read_header(bytes: &[u8], default: Charset) -> Result<Self, MessageError> {
        let start = trimmed(bytes)?;
        let end = memchr::memchr2(b'\r', b'\n', start).unwrap_or(start.len());
        Self::read_up_to(&start[..end], default, 1).or_else(|error| match error {
            // Its other fields may still say whom to answer.
            MessageError::Charset(_) => Self::split(Charset::Ascii.decode(&start[..end]), Rules::ascii, 1),
            _ => Err(error),
        })
    }

    fn read_up_to(bytes: &[u8], default: Charset, segments: usize) -> Result<Self, MessageError> {
        within("bytes", bytes.len(), limits::MAX_HL7_MESSAGE_BYTES)?;
        let bytes = trimmed(bytes)?;
        let declared = Declared::find(bytes, default);
        let charset = declared.charset(bytes, default)?;
        let decoded = charset.decode_message(bytes, &declared);
        let mut message = Self::split(decoded, |delimiters| Rules { delimiters, charset }, segments)?;
        message.declared = declared;
        Ok(message)
    }

    fn split(
        decoded: super::charset::Decoded,
        rules: impl FnOnce(Delimiters) -> Rules,
        most: usize,
    ) -> Result<Self, MessageError> {
        let super::charset::Decoded { text, undecodable } = decoded;
        let rules = rules(Delimiters::read(&text).ok_or(MessageError::Delimiters)?);
        let mut segments = Vec::new();
        for line in lines(&text) {
            within("segments", segments.len() + 1, most)?;
            let number = segments.len() + 1;
            check_segment(text.get(line.clone()).unwrap_or_default(), &rules.delimiters, number)?;
            segments.push(line);
        }
        Ok(Self { text, segments, rules, declared: Declared::default(), undecodable })
    }

    /// All segments, in order.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        self.segments
            .iter()
            .filter_map(|line| Some(Segment { raw: self.text.get(line.clone())?, rules: &self.rules }))
    }
    /// The segments of a name.
    pub fn segments_named<'m>(&'m self, name: &'m str) -> impl Iterator<Item = Segment<'m>> {
        self.segments().filter(move |segment| segment.name() == name)
    }
    /// The first segment of a name.
    pub fn segment(&self, name: &str) -> Option<Segment<'_>> {
        self.segments().find(|segment| segment.name() == name)
    }
    /// A field of the first segment of a name; empty if either is not there.
    pub fn field(&self, segment: &str, field: usize) -> Field<'_> {
        self.segment(segment).map_or(Field(self.nothing()), |segment| segment.field(field))
    }
    /// The value at a place; of what the place does not say, the first.
    pub fn at(&self, place: Location) -> Cow<'_, str> {
        let segment = self.segments_named(place.segment).nth(place.sequence.saturating_sub(1));
        let field = segment.map_or(Field(self.nothing()), |segment| segment.field(place.field));
        let component = field.repetition(place.repetition.max(1)).component(place.component.max(1));
        component.subcomponent(place.subcomponent.max(1))
    }
    /// How values are separated.
    pub fn delimiters(&self) -> &Delimiters {
        &self.rules.delimiters
    }
    /// The character set that it was read in: an answer is written in the same.
    pub fn charset(&self) -> Charset {
        self.rules.charset
    }
    /// What MSH-18 and MSH-20 say, for an answer to repeat.
    pub fn declared(&self) -> &Declared {
        &self.declared
    }
    /// How many characters could not be decoded; each stands as U+FFFD.
    pub fn undecodable(&self) -> usize {
        self.undecodable
    }

    fn nothing(&self) -> Piece<'_> {
        Piece { raw: "", rules: &self.rules }
    }
}

impl Rules {
    fn ascii(delimiters: Delimiters) -> Self {
        Self { delimiters, charset: Charset::Ascii }
    }
}

/// Without what may stand around a message: white space, a byte order mark, the NUL that ends a text in C.
fn trimmed(bytes: &[u8]) -> Result<&[u8], MessageError> {
    match bytes {
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0, b'M', ..] | [b'M', 0, ..] => {
            return Err(MessageError::Utf16);
        }
        _ => {}
    }
    let mut bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    while let [rest @ .., 0] = bytes {
        bytes = rest;
    }
    match bytes {
        [] => Err(MessageError::Empty),
        [b'F' | b'B', b'H', b'S', ..] => Err(MessageError::Batch),
        [b'M', b'S', b'H', ..] => Ok(bytes),
        _ => Err(MessageError::NotMsh),
    }
}

/// Segments end with CR. Where a message has none, they end with LF; an LF behind a CR is passed over.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let end = if text.contains('\r') { '\r' } else { '\n' };
    let mut start = 0;
    text.split(end).filter_map(move |line| {
        let from = start + (line.len() - line.trim_start_matches('\n').len());
        let line_end = start + line.len();
        start = line_end + 1;
        (from < line_end && !text.get(from..line_end)?.trim().is_empty()).then_some(from..line_end)
    })
}

fn check_segment(segment: &str, delimiters: &Delimiters, number: usize) -> Result<(), MessageError> {
    let name_is_good = match segment.as_bytes() {
        [first, second, third, behind @ ..] => {
            // What a site defines for itself is written as it likes.
            let may_be = |c: &u8| {
                c.is_ascii_uppercase() || c.is_ascii_digit() || *first == b'Z' && c.is_ascii_lowercase()
            };
            first.is_ascii_uppercase()
                && [second, third].iter().all(|c| may_be(c))
                && behind.first().is_none_or(|separator| char::from(*separator) == delimiters.field)
        }
        _ => false,
    };
    if !name_is_good {
        return Err(MessageError::Segment(number));
    }
    let mut fields = 0;
    for field in segment.split(delimiters.field) {
        fields += 1;
        within("fields in a segment", fields, limits::MAX_HL7_FIELDS)?;
        let count = |mark: Option<char>| mark.map_or(0, |mark| field.matches(mark).count()) + 1;
        within("repetitions of a field", count(delimiters.repetition), limits::MAX_HL7_REPETITIONS)?;
        within("components in a field", count(Some(delimiters.component)), limits::MAX_HL7_COMPONENTS)?;
        within("subcomponents in a field", count(delimiters.subcomponent), limits::MAX_HL7_COMPONENTS)?;
    }
    Ok(())
}

fn within(what: &'static str, count: usize, limit: usize) -> Result<(), MessageError> {
    if count > limit { Err(MessageError::TooMany { what, limit }) } else { Ok(()) }
}

/// A segment of a message.
#[derive(Clone, Copy)]
pub struct Segment<'m> {
    raw: &'m str,
    rules: &'m Rules,
}

impl<'m> Segment<'m> {
    /// Its three characters.
    pub fn name(&self) -> &'m str {
        self.raw.get(..3).unwrap_or_default()
    }
    /// A field, from 1; empty if it is not there. MSH-1 and MSH-2 are the delimiters themselves.
    pub fn field(&self, number: usize) -> Field<'m> {
        let at = if self.name() == "MSH" { number.checked_sub(1) } else { Some(number) };
        let raw = match at {
            // MSH-1, and no field at all.
            None | Some(0) => "",
            Some(at) => self.raw.split(self.rules.delimiters.field).nth(at).unwrap_or_default(),
        };
        Field(Piece { raw, rules: self.rules })
    }
    /// Number of the last field that is there.
    pub fn last_field(&self) -> usize {
        let behind_name = self.raw.split(self.rules.delimiters.field).count() - 1;
        if self.name() == "MSH" { behind_name + 1 } else { behind_name }
    }
}

/// A piece of a message.
#[derive(Clone, Copy)]
struct Piece<'m> {
    raw: &'m str,
    rules: &'m Rules,
}

impl<'m> Piece<'m> {
    fn parts(self, mark: Option<char>) -> impl Iterator<Item = Self> {
        self.raw.split(move |c| Some(c) == mark).map(move |raw| Self { raw, ..self })
    }
    fn part(self, mark: Option<char>, number: usize) -> Self {
        let found = number.checked_sub(1).and_then(|index| self.parts(mark).nth(index));
        found.unwrap_or(Self { raw: "", ..self })
    }
    fn is_absent(&self) -> bool {
        let delimiters = &self.rules.delimiters;
        let separates = |c| {
            c == delimiters.component || [delimiters.repetition, delimiters.subcomponent].contains(&Some(c))
        };
        self.raw.chars().all(separates)
    }
    fn is_null(&self) -> bool {
        self.raw == "\"\""
    }
    fn value(&self) -> Cow<'m, str> {
        if self.is_null() {
            return Cow::Borrowed("");
        }
        unescape(self.raw, &self.rules.delimiters, self.rules.charset)
    }
}

macro_rules! presence {
    ($($type:ident)*) => {$(
        impl $type<'_> {
            /// Nothing is there, or only delimiters: what was known stays as it is (HL7 2.5, 2.5.3).
            pub fn is_absent(&self) -> bool {
                self.0.is_absent()
            }
            /// `""`: what was known is to be removed.
            pub fn is_null(&self) -> bool {
                self.0.is_null()
            }
        }

        impl fmt::Debug for $type<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!("(", stringify!($type), ")"))
            }
        }
    )*};
}
presence!(Field Repetition Component);

/// A field.
#[derive(Clone, Copy)]
pub struct Field<'m>(Piece<'m>);

impl<'m> Field<'m> {
    /// Its repetitions; an absent field has none.
    pub fn repetitions(self) -> impl Iterator<Item = Repetition<'m>> {
        let mark = self.0.rules.delimiters.repetition;
        self.0.parts(mark).map(Repetition).filter(move |_| !self.0.raw.is_empty())
    }
    /// A repetition, from 1.
    pub fn repetition(self, number: usize) -> Repetition<'m> {
        Repetition(self.0.part(self.0.rules.delimiters.repetition, number))
    }
    /// A component of the first repetition, from 1.
    pub fn component(self, number: usize) -> Component<'m> {
        self.repetition(1).component(number)
    }
    /// The first component of the first repetition, as it is meant.
    pub fn value(self) -> Cow<'m, str> {
        self.repetition(1).value()
    }
}

/// A repetition of a field.
#[derive(Clone, Copy)]
pub struct Repetition<'m>(Piece<'m>);

impl<'m> Repetition<'m> {
    /// Its components.
    pub fn components(self) -> impl Iterator<Item = Component<'m>> {
        self.0.parts(Some(self.0.rules.delimiters.component)).map(Component)
    }
    /// A component, from 1.
    pub fn component(self, number: usize) -> Component<'m> {
        Component(self.0.part(Some(self.0.rules.delimiters.component), number))
    }
    /// The first component, as it is meant.
    pub fn value(self) -> Cow<'m, str> {
        self.component(1).value()
    }
}

/// A component.
#[derive(Clone, Copy)]
pub struct Component<'m>(Piece<'m>);

impl<'m> Component<'m> {
    /// Its subcomponents, as they are meant.
    pub fn subcomponents(self) -> impl Iterator<Item = Cow<'m, str>> {
        self.0.parts(self.0.rules.delimiters.subcomponent).map(|part| part.value())
    }
    /// A subcomponent, from 1, as it is meant.
    pub fn subcomponent(self, number: usize) -> Cow<'m, str> {
        self.0.part(self.0.rules.delimiters.subcomponent, number).value()
    }
    /// The first subcomponent, as it is meant.
    pub fn value(self) -> Cow<'m, str> {
        self.subcomponent(1)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(Message of {} segments)", self.segments.len())
    }
}

impl fmt::Debug for Segment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({})", self.name())
    }
}
