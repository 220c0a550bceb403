//! The writer: appends to one buffer, with stable conventional prefixes ([`Ns::known`]).

use super::Ns;

/// Writes elements into a buffer. Names are written with the prefix of their namespace; which element declares the
/// namespaces is up to the caller ([`Writer::declare`]).
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
    /// Names of open elements, and whether the innermost start tag is still open.
    open: Vec<(Ns, String)>,
    tag_open: bool,
}

#[allow(unused_variables)]
impl Writer {
    /// A writer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { out: Vec::with_capacity(capacity), ..Self::default() }
    }
    /// Opens an element.
    pub fn start(&mut self, ns: Ns, local: &str) -> &mut Self {
        todo!()
    }
    /// Declares namespaces with their known prefixes on the element just opened.
    pub fn declare(&mut self, namespaces: &[Ns]) -> &mut Self {
        todo!()
    }
    /// Adds an attribute of no namespace to the element just opened.
    pub fn attr(&mut self, local: &str, value: &str) -> &mut Self {
        todo!()
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
        todo!()
    }
    /// Writes text, escaped. Characters that XML cannot carry become U+FFFD.
    pub fn text(&mut self, text: &str) -> &mut Self {
        todo!()
    }
    /// Writes bytes that are XML already.
    pub fn raw(&mut self, xml: &[u8]) -> &mut Self {
        todo!()
    }
    /// Closes the innermost element; `<a/>` when nothing was written in it.
    pub fn end(&mut self) -> &mut Self {
        todo!()
    }
    /// An element that holds only text.
    pub fn leaf(&mut self, ns: Ns, local: &str, text: &str) -> &mut Self {
        self.start(ns, local).text(text).end()
    }
    /// Bytes written so far; an open start tag is closed first.
    pub fn len(&mut self) -> usize {
        todo!()
    }
    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }
    /// The buffer. Every element must be closed.
    pub fn finish(self) -> Vec<u8> {
        todo!()
    }
}
