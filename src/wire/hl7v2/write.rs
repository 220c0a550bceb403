//! Messages that are sent. Values go in as they are meant and are escaped as they are written, so that none of them can
//! become a delimiter, a segment or the end of a frame (attack 61).

use super::charset::{Charset, Encoded};
use super::escape::escape_into;
use super::message::{Field, Repetition, Segment};
use crate::limits;

/// Characters of MSH-10: all versions allow so many.
const CONTROL_ID_CHARS: usize = 20;

/// A new MSH-10.
pub fn control_id() -> String {
    let mut id = uuid::Uuid::new_v4().simple().to_string();
    id.truncate(CONTROL_ID_CHARS);
    id
}

/// A message that is being written, with the delimiters `|^~\&`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct MessageWriter {
    segments: Vec<SegmentWriter>,
}

/// A segment that is being written.
#[derive(Clone, PartialEq, Eq)]
pub struct SegmentWriter {
    name: String,
    /// From field 1; each has its repetitions.
    fields: Vec<Vec<Value>>,
}

/// One repetition of a field: components of subcomponents. Made from a text (one component), from an array of texts
/// (components), or step by step.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Value {
    components: Vec<Component>,
}

#[derive(Clone, PartialEq, Eq)]
enum Component {
    Parts(Vec<String>),
    /// `""`.
    Null,
}

impl MessageWriter {
    /// Empty: the first segment is to be MSH.
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds a segment; its fields are set through what is returned. MSH-1 and MSH-2 write themselves.
    pub fn segment(&mut self, name: &str) -> &mut SegmentWriter {
        let at = self.segments.len();
        self.segments.push(SegmentWriter::new(name));
        &mut self.segments[at]
    }
    /// Adds a segment that was made elsewhere.
    pub fn push(&mut self, segment: SegmentWriter) -> &mut Self {
        self.segments.push(segment);
        self
    }
    /// The message as text, each segment ended by CR.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for segment in &self.segments {
            segment.write(&mut out);
            out.push('\r');
        }
        out
    }
    /// The message in a character set. What it cannot hold is replaced and counted; MSH-18 is the caller's to set
    /// ([`SegmentWriter::declare`]).
    pub fn encode(&self, charset: Charset) -> Encoded {
        charset.encode(&self.text())
    }
}

impl SegmentWriter {
    /// An empty segment. A name that is none becomes `ZZZ`.
    pub fn new(name: &str) -> Self {
        let good = name.len() == 3 && name.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        Self { name: if good { name } else { "ZZZ" }.to_owned(), fields: Vec::new() }
    }
    /// A copy of a segment that was received, its values as they are meant.
    pub fn copy_of(segment: Segment<'_>) -> Self {
        let mut copy = Self::new(segment.name());
        for number in 1..=segment.last_field() {
            copy.copy(number, segment.field(number));
        }
        copy
    }
    /// Sets a field (from 1) to one repetition.
    pub fn set(&mut self, number: usize, value: impl Into<Value>) -> &mut Self {
        *self.field(number) = vec![value.into()];
        self
    }
    /// Adds a repetition to a field (from 1). An empty one keeps its place.
    pub fn add(&mut self, number: usize, value: impl Into<Value>) -> &mut Self {
        self.field(number).push(value.into());
        self
    }
    /// Sets a field to what another message has there.
    pub fn copy(&mut self, number: usize, field: Field<'_>) -> &mut Self {
        *self.field(number) = field.repetitions().map(Value::from).collect();
        self
    }
    /// Sets MSH-18 and MSH-20 to what a character set is called.
    pub fn declare(&mut self, charset: Charset) -> &mut Self {
        for name in charset.msh_18() {
            self.add(18, name.into_owned());
        }
        match charset.msh_20() {
            Some(scheme) => self.set(20, scheme),
            None => self,
        }
    }

    fn field(&mut self, number: usize) -> &mut Vec<Value> {
        let index = number.saturating_sub(1).min(limits::MAX_HL7_FIELDS);
        if self.fields.len() <= index {
            self.fields.resize_with(index + 1, Vec::new);
        }
        &mut self.fields[index]
    }

    fn write(&self, out: &mut String) {
        out.push_str(&self.name);
        let filled = self.fields.iter().rposition(|field| !field.iter().all(Value::is_empty));
        let mut fields = self.fields.iter().take(filled.map_or(0, |last| last + 1));
        if self.name == "MSH" {
            out.push_str("|^~\\&");
            let _ = (fields.next(), fields.next());
        }
        for field in fields {
            out.push('|');
            for (index, repetition) in field.iter().enumerate() {
                if index > 0 {
                    out.push('~');
                }
                repetition.write(out);
            }
        }
    }
}

impl Value {
    /// `""`: what is known is to be removed.
    pub fn null() -> Self {
        Self { components: vec![Component::Null] }
    }
    /// With one more component.
    pub fn component(mut self, text: impl Into<String>) -> Self {
        self.components.push(Component::Parts(vec![text.into()]));
        self
    }
    /// With one more component, of several subcomponents.
    pub fn subcomponents<T: Into<String>>(mut self, parts: impl IntoIterator<Item = T>) -> Self {
        self.components.push(Component::Parts(parts.into_iter().map(Into::into).collect()));
        self
    }
    /// Nothing in it.
    pub fn is_empty(&self) -> bool {
        self.components.iter().all(Component::is_empty)
    }

    fn write(&self, out: &mut String) {
        let filled = self.components.iter().rposition(|component| !component.is_empty());
        for (index, component) in self.components.iter().take(filled.map_or(0, |last| last + 1)).enumerate() {
            if index > 0 {
                out.push('^');
            }
            component.write(out);
        }
    }
}

impl Component {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Parts(parts) if parts.iter().all(String::is_empty))
    }
    fn write(&self, out: &mut String) {
        let Self::Parts(parts) = self else {
            out.push_str("\"\"");
            return;
        };
        let filled = parts.iter().rposition(|part| !part.is_empty());
        for (index, part) in parts.iter().take(filled.map_or(0, |last| last + 1)).enumerate() {
            if index > 0 {
                out.push('&');
            }
            // Two quotes as they stand would remove instead.
            match part.as_str() {
                "\"\"" => out.push_str("\\X2222\\"),
                text => escape_into(text, out),
            }
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::default().component(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::default().component(text.as_str())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::default().component(text)
    }
}

impl<T: Into<String>, const N: usize> From<[T; N]> for Value {
    fn from(components: [T; N]) -> Self {
        components.into_iter().fold(Self::default(), Self::component)
    }
}

impl From<Repetition<'_>> for Value {
    fn from(repetition: Repetition<'_>) -> Self {
        let component = |component: super::message::Component<'_>| match component.is_null() {
            true => Component::Null,
            false => Component::Parts(component.subcomponents().map(|part| part.into_owned()).collect()),
        };
        Self { components: repetition.components().map(component).collect() }
    }
}

macro_rules! without_content {
    ($($type:ident),*) => {$(
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!("(", stringify!($type), ")"))
            }
        }
    )*};
}
without_content!(MessageWriter, SegmentWriter, Value);
