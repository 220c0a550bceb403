//! The reader: one pass over the bytes with quick-xml, into an arena of slices.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use super::Ns;

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
#[derive(Debug, Clone)]
pub struct Tree {
    // TODO(xml): arena of nodes and attributes as u32 ranges into `source`
    source: Bytes,
}

/// An element of a tree: a copyable handle.
#[derive(Debug, Clone, Copy)]
pub struct Element<'t> {
    tree: &'t Tree,
    #[allow(dead_code)]
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

#[allow(unused_variables)]
impl Tree {
    /// Parses a whole document. A BOM is passed over.
    pub fn parse(source: Bytes) -> Result<Tree, XmlError> {
        todo!()
    }
    /// The document element.
    pub fn root(&self) -> Element<'_> {
        todo!()
    }
    /// The bytes.
    pub fn source(&self) -> &Bytes {
        &self.source
    }
    /// The URI of a namespace of this tree.
    pub fn uri(&self, ns: Ns) -> &str {
        todo!()
    }
    /// The element with that index, as [`Element::index`] gave it: how a struct that owns the tree remembers a place.
    pub fn element(&self, index: u32) -> Element<'_> {
        todo!()
    }
}

#[allow(unused_variables)]
impl<'t> Element<'t> {
    /// The element's number in its tree, in document order.
    pub fn index(self) -> u32 {
        self.index
    }
    /// Its tree.
    pub fn tree(self) -> &'t Tree {
        self.tree
    }
    /// Its namespace.
    pub fn ns(self) -> Ns {
        todo!()
    }
    /// Its local name.
    pub fn local(self) -> &'t str {
        todo!()
    }
    /// Whether it has that name.
    pub fn is(self, ns: Ns, local: &str) -> bool {
        self.ns() == ns && self.local() == local
    }
    /// The value of an attribute without namespace.
    pub fn attr(self, local: &str) -> Option<Cow<'t, str>> {
        todo!()
    }
    /// The value of an attribute with a namespace.
    pub fn attr_ns(self, ns: Ns, local: &str) -> Option<Cow<'t, str>> {
        todo!()
    }
    /// All attributes that are no namespace declarations.
    pub fn attributes(self) -> impl Iterator<Item = Attribute<'t>> {
        std::iter::empty()
    }
    /// Its child elements.
    pub fn children(self) -> impl Iterator<Item = Element<'t>> {
        std::iter::empty()
    }
    /// Its child elements of that name.
    pub fn children_named(self, ns: Ns, local: &str) -> impl Iterator<Item = Element<'t>> {
        let local = local.to_owned();
        self.children().filter(move |child| child.ns() == ns && child.local() == local)
    }
    /// The first child element of that name.
    pub fn child(self, ns: Ns, local: &str) -> Option<Element<'t>> {
        self.children().find(|child| child.is(ns, local))
    }
    /// Its own text, without that of its children: text, CDATA and references joined, comments and processing
    /// instructions left out.
    pub fn text(self) -> Cow<'t, str> {
        todo!()
    }
    /// Where the element stands in the source, from `<` to behind the `>` of its end.
    pub fn range(self) -> Range<usize> {
        todo!()
    }
    /// The end of its start tag (behind `>`), as an offset into the source.
    pub fn start_tag_end(self) -> usize {
        todo!()
    }
    /// Line and column of its start, 1-based.
    pub fn position(self) -> (u32, u32) {
        todo!()
    }
    /// What a prefix means at this element (`""` for the default namespace): for QNames in content.
    pub fn resolve_prefix(self, prefix: &str) -> Option<&'t str> {
        todo!()
    }
    /// The element's own bytes, made to stand under a root that declares the namespaces of `declared` with their known
    /// prefixes ([`Ns::known`]) and no others: what it needs besides is declared on its start tag. The first part is the
    /// start tag (rewritten where that is needed), the second the untouched rest, as slices of the source. Attributes of
    /// no namespace in `set` are added to the start tag, or replaced in it.
    pub fn detach(self, declared: &[Ns], set: &[(&str, &str)]) -> (Bytes, Bytes) {
        todo!()
    }
}
