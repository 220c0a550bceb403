//! Where a parsed document's elements, attributes and namespace bindings lie: flat vectors of offsets into the source,
//! in document order. Text is not stored: it is what stands between the tags.

use std::borrow::Cow;
use std::ops::Range;

use super::Ns;
use super::chars;
use crate::limits::MAX_XML_NAMESPACES;

/// The end of a chain of bindings.
pub(super) const NO_BINDING: u32 = u32::MAX;
/// What a registry answer has about one element and one attribute of, in bytes: the first guess for the vectors.
const BYTES_PER_NODE: usize = 64;
/// Beyond this the vectors grow as they are needed: a message may be one large base64 text.
const MAX_FIRST_NODES: usize = 64 * 1024;

#[derive(Debug, Clone, Default)]
pub(super) struct Arena {
    pub nodes: Vec<Node>,
    pub attributes: Vec<Attr>,
    pub bindings: Vec<Binding>,
    /// URIs of the namespaces that are not among [`Ns::KNOWN`], numbered after those.
    pub namespaces: Vec<Box<str>>,
}

/// An element.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Its `<`.
    pub start: u32,
    /// Behind its start tag's `>`.
    pub tag_end: u32,
    /// Its end tag's `<`; `tag_end` for `<a/>`.
    pub content_end: u32,
    /// Behind the whole.
    pub end: u32,
    /// The first node behind it that is not inside of it.
    pub next: u32,
    /// Its first attribute.
    pub attributes: u32,
    /// The innermost binding in force, its own included.
    pub scope: u32,
    pub attribute_count: u16,
    pub ns: Ns,
    /// Bytes of its prefix; 0 without one.
    pub prefix: u16,
    /// Bytes of its local name.
    pub local: u16,
}

impl Node {
    pub fn name(&self) -> Range<usize> {
        self.start as usize + 1..self.local_name().end
    }
    pub fn local_name(&self) -> Range<usize> {
        let start = self.start as usize + 1 + usize::from(self.prefix) + usize::from(self.prefix > 0);
        start..start + usize::from(self.local)
    }
}

/// An attribute that is no namespace declaration.
#[derive(Debug, Clone)]
pub(super) struct Attr {
    pub local: u32,
    pub value: u32,
    pub value_length: u32,
    pub local_length: u16,
    pub ns: Ns,
    /// Whether the value stands for itself: no references, nothing to normalise.
    pub plain: bool,
}

impl Attr {
    pub fn name(&self) -> Range<usize> {
        self.local as usize..self.local as usize + usize::from(self.local_length)
    }
    pub fn value(&self) -> Range<usize> {
        self.value as usize..self.value as usize + self.value_length as usize
    }
}

/// A namespace declaration. Those in force at a place are a chain from the innermost outwards.
#[derive(Debug, Clone)]
pub(super) struct Binding {
    pub prefix: u32,
    pub prefix_length: u16,
    pub ns: Ns,
    /// The element that declares it.
    pub element: u32,
    /// The next one outwards.
    pub outer: u32,
}

impl Binding {
    pub fn prefix(&self) -> Range<usize> {
        self.prefix as usize..self.prefix as usize + usize::from(self.prefix_length)
    }
}

/// A prefix packed into a word, for comparison without looking into the source: its first bytes and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix(u64);

impl Prefix {
    const WHOLE: usize = 7;

    pub fn new(prefix: &[u8]) -> Self {
        let length = prefix.len().min(usize::from(u8::MAX)) as u64;
        Self(prefix.iter().take(Self::WHOLE).fold(length, |packed, &byte| packed << 8 | u64::from(byte)))
    }
    /// Whether equal words mean equal prefixes.
    pub fn is_whole(self) -> bool {
        // A prefix of WHOLE bytes or more fills the word, its length on top.
        (self.0 >> 56) as usize <= Self::WHOLE
    }
}

impl Arena {
    pub fn with_room_for(bytes: usize) -> Self {
        let nodes = (bytes / BYTES_PER_NODE + 16).min(MAX_FIRST_NODES);
        Self {
            nodes: Vec::with_capacity(nodes),
            attributes: Vec::with_capacity(nodes),
            bindings: Vec::with_capacity(32),
            namespaces: Vec::new(),
        }
    }

    /// The number of a namespace; None when there are too many.
    pub fn intern(&mut self, uri: &str) -> Option<Ns> {
        if let Some(known) = Ns::KNOWN.iter().position(|(_, known)| *known == uri) {
            return Some(Ns(known as u16));
        }
        let place = self.namespaces.iter().position(|known| **known == *uri).or_else(|| {
            (self.namespaces.len() < MAX_XML_NAMESPACES).then(|| {
                self.namespaces.push(uri.into());
                self.namespaces.len() - 1
            })
        })?;
        u16::try_from(Ns::KNOWN.len() + place).ok().map(Ns)
    }

    /// The bindings in force from that one outwards; a prefix may come more than once, the first is the one that counts.
    pub fn in_force(&self, scope: u32) -> impl Iterator<Item = &Binding> {
        let at = |index: u32| self.bindings.get(index as usize);
        std::iter::successors(at(scope), move |binding| at(binding.outer))
    }
}

/// What an attribute's text means (XML 1.0, 3.3.3).
pub(super) fn attribute_value(raw: &str, plain: bool) -> Cow<'_, str> {
    if plain {
        return Cow::Borrowed(raw);
    }
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '\t', '\r', '\n']) {
        let (run, special) = rest.split_at(at);
        value.push_str(run);
        let (c, length) = match chars::reference(special) {
            Some(reference) => reference,
            None if special.starts_with("\r\n") => (' ', 2),
            None => (' ', 1),
        };
        value.push(c);
        rest = special.get(length..).unwrap_or_default();
    }
    value.push_str(rest);
    Cow::Owned(value)
}

/// What the characters between two tags mean: references resolved, line ends normalised (XML 1.0, 2.11), comments and
/// processing instructions left out, CDATA taken as it is.
pub(super) fn append_text(raw: &str, text: &mut String) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr3(b'&', b'<', b'\r', rest.as_bytes()) {
        let (run, special) = rest.split_at(at);
        text.push_str(run);
        let length = if let Some((c, length)) = chars::reference(special) {
            text.push(c);
            length
        } else if let Some(cdata) = special.strip_prefix("<![CDATA[") {
            let end = memchr::memmem::find(cdata.as_bytes(), b"]]>").unwrap_or(cdata.len());
            append_lines(cdata.get(..end).unwrap_or_default(), text);
            "<![CDATA[".len() + end + "]]>".len()
        } else if let Some(comment) = special.strip_prefix("<!--") {
            memchr::memmem::find(comment.as_bytes(), b"-->").map_or(special.len(), |end| 4 + end + 3)
        } else if special.starts_with('<') {
            memchr::memmem::find(special.as_bytes(), b"?>").map_or(special.len(), |end| end + 2)
        } else {
            text.push('\n');
            1 + usize::from(special.starts_with("\r\n"))
        };
        rest = special.get(length..).unwrap_or_default();
    }
    text.push_str(rest);
}

fn append_lines(raw: &str, text: &mut String) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\r', rest.as_bytes()) {
        let (run, end) = rest.split_at(at);
        text.push_str(run);
        text.push('\n');
        rest = end.strip_prefix("\r\n").or_else(|| end.strip_prefix('\r')).unwrap_or_default();
    }
    text.push_str(rest);
}
