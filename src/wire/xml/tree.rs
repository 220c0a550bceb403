//! What a document is to those who read it: elements with names, attributes, children and text, as slices of the source.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;

use super::Ns;
use super::arena::{self, Arena, Attr, Node};
use super::parse::{self, Problem};

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Why bytes are not a message that we read: the rule, where (1-based), and what stood there (names and limits only,
/// never content).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("XML, line {line}, column {column}: {problem}")]
pub struct XmlError {
    /// What is wrong.
    pub problem: String,
    /// A stable name of the rule, such as `xml.dtd`, `xml.depth`, `xml.encoding`, `xml.well-formed`.
    pub rule: &'static str,
    /// 1-based.
    pub line: u32,
    /// 1-based, in bytes.
    pub column: u32,
}

/// A parsed document that owns its bytes.
#[derive(Clone)]
pub struct Tree {
    source: Bytes,
    pub(super) arena: Arena,
}

/// An element of a tree: a copyable handle.
#[derive(Clone, Copy)]
pub struct Element<'t> {
    tree: &'t Tree,
    index: u32,
}

/// An attribute that is no namespace declaration.
#[derive(Debug, Clone)]
pub struct Attribute<'t> {
    /// Its namespace; `Ns::NONE` for unprefixed ones.
    pub ns: Ns,
    /// Its local name.
    pub local: &'t str,
    /// Its value, unescaped and normalised.
    pub value: Cow<'t, str>,
}

impl Tree {
    /// Parses a whole document. A BOM is passed over, and is not part of [`Tree::source`].
    pub fn parse(source: Bytes) -> Result<Tree, XmlError> {
        Self::parsed(source, parse::parse)
    }
    /// Parses the beginning of a document that goes on, as far as it can be read: elements that are open there end there. For
    /// looking at what nobody acts on.
    pub fn parse_beginning(source: Bytes) -> Result<Tree, XmlError> {
        Self::parsed(source, parse::parse_beginning)
    }
    fn parsed(source: Bytes, parse: fn(&[u8]) -> Result<Arena, Problem>) -> Result<Tree, XmlError> {
        let source = if source.starts_with(BOM) { source.slice(BOM.len()..) } else { source };
        match parse(&source) {
            Ok(arena) => Ok(Tree { source, arena }),
            Err(Problem { at, rule, problem }) => {
                let (line, column) = position(&source, at);
                Err(XmlError { problem, rule, line, column })
            }
        }
    }
    /// The document element.
    pub fn root(&self) -> Element<'_> {
        self.element(0)
    }
    /// The bytes.
    pub fn source(&self) -> &Bytes {
        &self.source
    }
    /// The URI of a namespace of this tree.
    pub fn uri(&self, ns: Ns) -> &str {
        let place = usize::from(ns.0).checked_sub(Ns::KNOWN.len());
        place.and_then(|place| self.arena.namespaces.get(place)).map_or(ns.uri(), |uri| uri)
    }
    /// The element with that index, as [`Element::index`] gave it: how a struct that owns the tree remembers a place.
    pub fn element(&self, index: u32) -> Element<'_> {
        Element { tree: self, index }
    }
    /// A part of the source, which begins and ends between characters.
    pub(super) fn text(&self, range: Range<usize>) -> &str {
        self.source.get(range).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

/// Sizes only: content does not belong in logs.
impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree")
            .field("bytes", &self.source.len())
            .field("elements", &self.arena.nodes.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}> (element {})", self.local(), self.index)
    }
}

impl<'t> Element<'t> {
    /// The element's number in its tree, in document order.
    pub fn index(self) -> u32 {
        self.index
    }
    /// Its tree.
    pub fn tree(self) -> &'t Tree {
        self.tree
    }
    pub(super) fn node(self) -> &'t Node {
        &self.tree.arena.nodes[self.index as usize]
    }
    pub(super) fn attribute_records(self) -> &'t [Attr] {
        let first = self.node().attributes as usize;
        self.tree
            .arena
            .attributes
            .get(first..first + usize::from(self.node().attribute_count))
            .unwrap_or_default()
    }
    /// Its namespace.
    pub fn ns(self) -> Ns {
        self.node().ns
    }
    /// Its local name.
    pub fn local(self) -> &'t str {
        self.tree.text(self.node().local_name())
    }
    /// Whether it has that name.
    pub fn is(self, ns: Ns, local: &str) -> bool {
        let node = self.node();
        node.ns == ns
            && usize::from(node.local) == local.len()
            && self.tree.source.get(node.local_name()) == Some(local.as_bytes())
    }
    /// The value of an attribute without namespace.
    pub fn attr(self, local: &str) -> Option<Cow<'t, str>> {
        self.attr_ns(Ns::NONE, local)
    }
    /// The value of an attribute with a namespace.
    pub fn attr_ns(self, ns: Ns, local: &str) -> Option<Cow<'t, str>> {
        self.find_attribute(ns, local).map(|attribute| self.tree.value(attribute))
    }
    pub(super) fn find_attribute(self, ns: Ns, local: &str) -> Option<&'t Attr> {
        self.attribute_records().iter().find(|attribute| {
            attribute.ns == ns
                && usize::from(attribute.local_length) == local.len()
                && self.tree.source.get(attribute.name()) == Some(local.as_bytes())
        })
    }
    /// All attributes that are no namespace declarations.
    pub fn attributes(self) -> impl Iterator<Item = Attribute<'t>> {
        self.attribute_records().iter().map(move |attribute| Attribute {
            ns: attribute.ns,
            local: self.tree.text(attribute.name()),
            value: self.tree.value(attribute),
        })
    }
    /// Its child elements.
    pub fn children(self) -> impl Iterator<Item = Element<'t>> {
        let end = self.node().next;
        let within = move |index: u32| (index < end).then(|| self.tree.element(index));
        std::iter::successors(within(self.index + 1), move |child| within(child.node().next))
    }
    /// All elements inside of it, in document order.
    pub fn descendants(self) -> impl Iterator<Item = Element<'t>> {
        (self.index + 1..self.node().next).map(move |index| self.tree.element(index))
    }
    /// Its child elements of that name.
    pub fn children_named(self, ns: Ns, local: &str) -> impl Iterator<Item = Element<'t>> {
        self.children().filter(move |child| child.is(ns, local))
    }
    /// The first child element of that name.
    pub fn child(self, ns: Ns, local: &str) -> Option<Element<'t>> {
        self.children().find(|child| child.is(ns, local))
    }
    /// Its own text, without that of its children: text, CDATA and references joined, comments and processing
    /// instructions left out.
    pub fn text(self) -> Cow<'t, str> {
        let node = self.node();
        let content = node.tag_end as usize..node.content_end as usize;
        let has_children = node.next > self.index + 1;
        if !has_children {
            let raw = self.tree.text(content.clone());
            if memchr::memchr3(b'<', b'&', b'\r', raw.as_bytes()).is_none() {
                return Cow::Borrowed(raw);
            }
        }
        let mut text = String::new();
        let mut from = content.start;
        for child in self.children() {
            arena::append_text(self.tree.text(from..child.range().start), &mut text);
            from = child.range().end;
        }
        arena::append_text(self.tree.text(from..content.end), &mut text);
        Cow::Owned(text)
    }
    /// Where the element stands in the source, from `<` to behind the `>` of its end.
    pub fn range(self) -> Range<usize> {
        self.node().start as usize..self.node().end as usize
    }
    /// The end of its start tag (behind `>`), as an offset into the source.
    pub fn start_tag_end(self) -> usize {
        self.node().tag_end as usize
    }
    /// Line and column of its start, 1-based.
    pub fn position(self) -> (u32, u32) {
        position(&self.tree.source, self.range().start)
    }
    /// What a prefix means at this element (`""` for the default namespace, which is `""` where none is declared): for
    /// QNames in content. None for a prefix that is not declared.
    pub fn resolve_prefix(self, prefix: &str) -> Option<&'t str> {
        let arena = &self.tree.arena;
        let binding = arena
            .in_force(self.node().scope)
            .find(|binding| self.tree.source.get(binding.prefix()) == Some(prefix.as_bytes()));
        match (binding, prefix) {
            (Some(binding), _) => Some(self.tree.uri(binding.ns)),
            (None, "") => Some(""),
            (None, "xml") => Some(Ns::XML.uri()),
            (None, _) => None,
        }
    }
}

impl Tree {
    fn value(&self, attribute: &Attr) -> Cow<'_, str> {
        arena::attribute_value(self.text(attribute.value()), attribute.plain)
    }
}

/// Line and column of an offset, 1-based.
fn position(source: &[u8], at: usize) -> (u32, u32) {
    let before = source.get(..at).unwrap_or(source);
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1) + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}
