//! The writer: appends to one buffer, with stable conventional prefixes ([`Ns::known`]).

use std::ops::Range;

use super::Ns;

/// Writes elements into a buffer. Names are written with the prefix of their namespace; which element declares the
/// namespaces is up to the caller ([`Writer::declare`]).
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
    /// Where in `out` the open elements' names stand, outermost first.
    open: Vec<Range<usize>>,
    /// Whether the innermost start tag still takes attributes.
    tag_open: bool,
}

impl Writer {
    /// A writer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { out: Vec::with_capacity(capacity), ..Self::default() }
    }
    /// Opens an element.
    pub fn start(&mut self, ns: Ns, local: &str) -> &mut Self {
        self.close_tag();
        self.out.push(b'<');
        let name = self.out.len();
        push_name(&mut self.out, ns, local);
        self.open.push(name..self.out.len());
        self.tag_open = true;
        self
    }
    /// Declares namespaces with their known prefixes on the element just opened.
    pub fn declare(&mut self, namespaces: &[Ns]) -> &mut Self {
        debug_assert!(self.tag_open, "declarations belong on a start tag");
        for ns in namespaces {
            let (prefix, uri) = ns.known();
            push_attribute(&mut self.out, "xmlns", prefix, uri);
        }
        self
    }
    /// Adds an attribute of no namespace to the element just opened.
    pub fn attr(&mut self, local: &str, value: &str) -> &mut Self {
        self.attr_ns(Ns::NONE, local, value)
    }
    /// The same, if there is a value.
    pub fn attr_opt(&mut self, local: &str, value: Option<&str>) -> &mut Self {
        if let Some(value) = value {
            self.attr(local, value);
        }
        self
    }
    /// Adds an attribute with a namespace.
    pub fn attr_ns(&mut self, ns: Ns, local: &str, value: &str) -> &mut Self {
        debug_assert!(self.tag_open, "attributes belong on a start tag");
        push_attribute(&mut self.out, ns.known().0, local, value);
        self
    }
    /// Writes text, escaped. Characters that XML cannot carry become U+FFFD.
    pub fn text(&mut self, text: &str) -> &mut Self {
        if !text.is_empty() {
            self.close_tag();
            escape(&mut self.out, text, IN_TEXT);
        }
        self
    }
    /// Writes bytes that are XML already.
    pub fn raw(&mut self, xml: &[u8]) -> &mut Self {
        self.close_tag();
        self.out.extend_from_slice(xml);
        self
    }
    /// Closes the innermost element; `<a/>` when nothing was written in it.
    pub fn end(&mut self) -> &mut Self {
        let name = self.open.pop();
        debug_assert!(name.is_some(), "no element is open");
        if self.tag_open {
            self.out.extend_from_slice(b"/>");
            self.tag_open = false;
        } else if let Some(name) = name {
            self.out.extend_from_slice(b"</");
            self.out.extend_from_within(name);
            self.out.push(b'>');
        }
        self
    }
    /// An element that holds only text.
    pub fn leaf(&mut self, ns: Ns, local: &str, text: &str) -> &mut Self {
        self.start(ns, local).text(text).end()
    }
    /// Bytes written so far; an open start tag is closed first.
    pub fn len(&mut self) -> usize {
        self.close_tag();
        self.out.len()
    }
    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }
    /// The buffer. Every element must be closed.
    pub fn finish(self) -> Vec<u8> {
        debug_assert!(self.open.is_empty(), "an element is still open");
        self.out
    }

    fn close_tag(&mut self) {
        if self.tag_open {
            self.out.push(b'>');
            self.tag_open = false;
        }
    }
}

fn push_name(out: &mut Vec<u8>, ns: Ns, local: &str) {
    debug_assert!(
        usize::from(ns.0) < Ns::KNOWN.len(),
        "only known namespaces have a prefix to be written with"
    );
    push_prefixed(out, ns.known().0, local);
}

/// `prefix:local`, or the one that is not empty.
fn push_prefixed(out: &mut Vec<u8>, prefix: &str, local: &str) {
    out.extend_from_slice(prefix.as_bytes());
    if !prefix.is_empty() && !local.is_empty() {
        out.push(b':');
    }
    out.extend_from_slice(local.as_bytes());
}

/// ` prefix:local="value"`.
pub(super) fn push_attribute(out: &mut Vec<u8>, prefix: &str, local: &str, value: &str) {
    out.push(b' ');
    push_prefixed(out, prefix, local);
    out.extend_from_slice(b"=\"");
    escape_attribute(out, value);
    out.push(b'"');
}

/// Writes an attribute's value for double quotes, so that it reads back as it is.
pub(super) fn escape_attribute(out: &mut Vec<u8>, value: &str) {
    escape(out, value, IN_ATTRIBUTE);
}

const IN_TEXT: u8 = 1;
const IN_ATTRIBUTE: u8 = 2;

/// Where a byte cannot stand for itself, or (0xEF) may begin a character that cannot.
static ESCAPED: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'\t' | b'\n' | b'"' => IN_ATTRIBUTE,
            0..0x20 | b'&' | b'<' | b'>' | 0xEF => IN_TEXT | IN_ATTRIBUTE,
            _ => 0,
        };
        byte += 1;
    }
    table
};

fn escape(out: &mut Vec<u8>, text: &str, place: u8) {
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if ESCAPED[usize::from(byte)] & place == 0 {
            continue;
        }
        let (replacement, length): (&[u8], _) = match byte {
            b'&' => (b"&amp;", 1),
            b'<' => (b"&lt;", 1),
            b'>' => (b"&gt;", 1),
            b'"' => (b"&quot;", 1),
            b'\t' => (b"&#9;", 1),
            b'\n' => (b"&#10;", 1),
            b'\r' => (b"&#13;", 1),
            0xEF if !matches!(bytes.get(at + 1..at + 3), Some([0xBF, 0xBE | 0xBF])) => continue,
            0xEF => ("\u{FFFD}".as_bytes(), 3),
            _ => ("\u{FFFD}".as_bytes(), 1),
        };
        out.extend_from_slice(bytes.get(copied..at).unwrap_or_default());
        out.extend_from_slice(replacement);
        copied = at + length;
    }
    out.extend_from_slice(bytes.get(copied..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use crate::wire::xml::Tree;

    use super::*;

    #[test]
    fn elements_close_themselves_when_empty() {
        let mut writer = Writer::default();
        writer.start(Ns::RIM, "A").declare(&[Ns::RIM]).attr("id", "1").attr_opt("none", None);
        writer.leaf(Ns::RIM, "B", "").leaf(Ns::NONE, "C", "x").start(Ns::RIM, "D").raw(b"<e/>").end().end();
        assert_eq!(
            String::from_utf8(writer.finish()).unwrap(),
            "<rim:A xmlns:rim=\"urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0\" id=\"1\"><rim:B/><C>x</C><rim:D><e/></rim:D></rim:A>"
        );
    }

    #[test]
    fn len_is_where_the_content_begins() {
        let mut writer = Writer::default();
        assert!(writer.is_empty());
        assert_eq!(writer.start(Ns::NONE, "a").len(), 3);
        writer.end();
        assert_eq!(writer.finish(), b"<a></a>");
    }

    #[test]
    fn what_is_written_reads_back() {
        let text = "\u{A0}<&>]]>\"'\t\r\n 全角\u{FF01}\u{FFFD}\u{FEFF}";
        let mut writer = Writer::default();
        writer.start(Ns::NONE, "a").attr("b", text).text(text).end();
        let tree = Tree::parse(Bytes::from(writer.finish())).unwrap();
        assert_eq!(tree.root().text(), text);
        assert_eq!(tree.root().attr("b").unwrap(), text);
    }

    #[test]
    fn forbidden_characters_are_replaced() {
        let mut writer = Writer::default();
        writer.start(Ns::NONE, "a").attr("b", "\0\u{FFFE}x").text("\u{1}\u{FFFF}\u{1F}y").end();
        let expected = "<a b=\"\u{FFFD}\u{FFFD}x\">\u{FFFD}\u{FFFD}\u{FFFD}y</a>";
        assert_eq!(String::from_utf8(writer.finish()).unwrap(), expected);
    }
}
