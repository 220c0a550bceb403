//! Exclusive XML Canonicalization 1.0 without comments, of one element: the bytes that a signature's digest is made of.
//! Whoever verifies a signature calls it; it works on the tree that is read afterwards, so that what was signed and what is
//! read cannot be two things.

use std::borrow::Cow;
use std::ops::Range;

use super::arena::{self, Attr};
use super::{Element, Ns, Tree};
use crate::limits;

/// Why an element has no canonical form here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCanonical {
    /// They would be part of it, and nobody who reads a value sees them.
    #[error("there is a processing instruction in it")]
    ProcessingInstruction,
    /// Declarations are repeated where they are used: a small element may have a large form.
    #[error("its canonical form is longer than {} bytes", limits::MAX_CANONICAL_BYTES)]
    TooLong,
}

impl Element<'_> {
    /// Its canonical form, without one of its children (the signature that it envelops). `prefixes` are those of an
    /// InclusiveNamespaces PrefixList, `#default` among them.
    pub fn canonical(self, without: Option<Element<'_>>, prefixes: &[&str]) -> Result<Vec<u8>, NotCanonical> {
        let mut form = Form {
            tree: self.tree(),
            without: without.map(Element::index),
            inclusive: prefixes
                .iter()
                .map(|prefix| if *prefix == "#default" { "" } else { prefix })
                .collect(),
            rendered: Vec::new(),
            out: Vec::with_capacity(self.range().len()),
        };
        form.element(self)?;
        Ok(form.out)
    }
}

struct Form<'t, 'p> {
    tree: &'t Tree,
    without: Option<u32>,
    inclusive: Vec<&'p str>,
    /// Declarations that were written, on the open elements: the last one of a prefix is in force.
    rendered: Vec<(&'t str, Ns)>,
    out: Vec<u8>,
}

impl<'t> Form<'t, '_> {
    /// As deep as the parser lets elements be.
    fn element(&mut self, element: Element<'t>) -> Result<(), NotCanonical> {
        let outer = self.rendered.len();
        let name = self.tree.text(element.node().name());
        self.out.push(b'<');
        self.out.extend_from_slice(name.as_bytes());
        self.declarations(element);
        self.attributes(element);
        self.out.push(b'>');
        let mut from = element.start_tag_end();
        for child in element.children() {
            self.text(from..child.range().start)?;
            if self.without != Some(child.index()) {
                self.element(child)?;
            }
            from = child.range().end;
        }
        self.text(from..element.node().content_end as usize)?;
        self.out.extend_from_slice(b"</");
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b'>');
        self.rendered.truncate(outer);
        if self.out.len() > limits::MAX_CANONICAL_BYTES { Err(NotCanonical::TooLong) } else { Ok(()) }
    }

    /// The declarations that the start tag itself uses, and those of the PrefixList, where the last one written says
    /// something else (Exclusive XML Canonicalization, 3).
    fn declarations(&mut self, element: Element<'t>) {
        let name = element.node().name().start;
        let prefix = self.tree.text(name..name + usize::from(element.node().prefix));
        let mut used = vec![(prefix, element.ns())];
        let qualified = element.attribute_records().iter().filter(|attribute| attribute.ns != Ns::NONE);
        used.extend(qualified.map(|attribute| (self.prefix(attribute), attribute.ns)));
        used.extend(self.inclusive.iter().filter_map(|wanted| self.in_scope(element, wanted)));
        used.sort_unstable_by_key(|(prefix, _)| *prefix);
        used.dedup();
        for (prefix, ns) in used {
            let written = self.rendered.iter().rfind(|(other, _)| *other == prefix);
            if prefix == "xml" || written.map_or(Ns::NONE, |(_, ns)| *ns) == ns {
                continue;
            }
            self.out.extend_from_slice(if prefix.is_empty() { b" xmlns" } else { b" xmlns:" });
            self.out.extend_from_slice(prefix.as_bytes());
            self.value(self.tree.uri(ns));
            self.rendered.push((prefix, ns));
        }
    }

    /// What a prefix of the PrefixList means here. One that is declared nowhere is passed over.
    fn in_scope(&self, element: Element<'t>, prefix: &str) -> Option<(&'t str, Ns)> {
        let mut bindings = self.tree.arena.in_force(element.node().scope);
        let binding = bindings.find(|binding| self.tree.text(binding.prefix()) == prefix);
        match binding {
            Some(binding) => Some((self.tree.text(binding.prefix()), binding.ns)),
            None => prefix.is_empty().then_some(("", Ns::NONE)),
        }
    }

    /// Attributes by namespace and name, those of no namespace first.
    fn attributes(&mut self, element: Element<'t>) {
        let mut sorted: Vec<_> = element.attribute_records().iter().collect();
        sorted.sort_unstable_by_key(|attribute| {
            (self.tree.uri(attribute.ns), self.tree.text(attribute.name()))
        });
        for attribute in sorted {
            self.out.push(b' ');
            let prefix = self.prefix(attribute);
            self.out.extend_from_slice(prefix.as_bytes());
            if !prefix.is_empty() {
                self.out.push(b':');
            }
            self.out.extend_from_slice(self.tree.text(attribute.name()).as_bytes());
            self.value(&arena::attribute_value(self.tree.text(attribute.value()), attribute.plain));
        }
    }

    /// The prefix that an attribute is written with: what stands between white space and its local name's colon.
    fn prefix(&self, attribute: &Attr) -> &'t str {
        if attribute.ns == Ns::NONE {
            return "";
        }
        let before = self.tree.source().get(..attribute.name().start.saturating_sub(1)).unwrap_or_default();
        let start = before.iter().rposition(u8::is_ascii_whitespace).map_or(0, |at| at + 1);
        self.tree.text(start..before.len())
    }

    fn value(&mut self, value: &str) {
        self.out.extend_from_slice(b"=\"");
        escape(&mut self.out, value, &IN_ATTRIBUTE);
        self.out.push(b'"');
    }

    fn text(&mut self, range: Range<usize>) -> Result<(), NotCanonical> {
        let raw = self.tree.text(range);
        if has_instruction(raw) {
            return Err(NotCanonical::ProcessingInstruction);
        }
        let plain = memchr::memchr3(b'<', b'&', b'\r', raw.as_bytes()).is_none();
        let text = if plain {
            Cow::Borrowed(raw)
        } else {
            let mut text = String::with_capacity(raw.len());
            arena::append_text(raw, &mut text);
            Cow::Owned(text)
        };
        escape(&mut self.out, &text, &IN_TEXT);
        Ok(())
    }
}

/// Whether the characters between two tags hold a processing instruction: neither in a comment nor in CDATA.
fn has_instruction(raw: &str) -> bool {
    let mut rest = raw;
    while let Some(at) = rest.find('<') {
        let special = rest.get(at..).unwrap_or_default();
        let end = match special {
            _ if special.starts_with("<!--") => "-->",
            _ if special.starts_with("<![CDATA[") => "]]>",
            _ => return true,
        };
        // Behind its beginning: `<!-->` ends nothing.
        let inside = special.get(4..).unwrap_or_default();
        rest = inside.split_once(end).map_or("", |(_, rest)| rest);
    }
    false
}

const IN_TEXT: [(u8, &str); 4] = [(b'&', "&amp;"), (b'<', "&lt;"), (b'>', "&gt;"), (b'\r', "&#xD;")];
const IN_ATTRIBUTE: [(u8, &str); 6] =
    [(b'&', "&amp;"), (b'<', "&lt;"), (b'"', "&quot;"), (b'\t', "&#x9;"), (b'\n', "&#xA;"), (b'\r', "&#xD;")];

fn escape(out: &mut Vec<u8>, text: &str, replaced: &[(u8, &str)]) {
    let mut copied = 0;
    for (at, byte) in text.bytes().enumerate() {
        if let Some((_, replacement)) = replaced.iter().find(|(special, _)| *special == byte) {
            out.extend_from_slice(text.as_bytes().get(copied..at).unwrap_or_default());
            out.extend_from_slice(replacement.as_bytes());
            copied = at + 1;
        }
    }
    out.extend_from_slice(text.as_bytes().get(copied..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// Documents and their forms as another implementation (libxml2's) gives them, with the PrefixList before each:
    /// entities, CDATA, comments, white space, prefixes that are shadowed, undeclared, or in the list only.
    const PAIRS: &str = include_str!("../../../tests/golden/xua/canonical.txt");

    #[test]
    fn attack_48_the_form_is_what_another_implementation_gives() {
        let mut pairs = 0;
        for pair in PAIRS.split("\u{1e}").filter(|pair| !pair.is_empty()) {
            let [prefixes, document, expected] = pair.split('\u{1f}').collect::<Vec<_>>()[..] else {
                panic!("{pair}");
            };
            let tree = Tree::parse(Bytes::copy_from_slice(document.as_bytes())).unwrap();
            let apex = tree.root().children().next().unwrap();
            let prefixes: Vec<_> = prefixes.split_ascii_whitespace().collect();
            let form = String::from_utf8(apex.canonical(None, &prefixes).unwrap()).unwrap();
            assert_eq!(form, expected, "of {document} with {prefixes:?}");
            let again = Tree::parse(Bytes::from(form.clone())).unwrap();
            let again = again.root().canonical(None, &[]).unwrap();
            assert!(!prefixes.is_empty() || again == form.as_bytes(), "the form's form is itself: {form}");
            pairs += 1;
        }
        assert!(pairs > 100, "{pairs}");
    }

    #[test]
    fn one_child_may_be_left_out() {
        let tree = Tree::parse(Bytes::from_static(b"<a> <b/>x<c><b/></c></a>")).unwrap();
        let b = tree.root().children().next();
        assert_eq!(tree.root().canonical(b, &[]).unwrap(), b"<a> x<c><b></b></c></a>");
    }

    /// Of the default namespace in a PrefixList, which that implementation cannot be asked for.
    #[test]
    fn the_default_namespace_is_rendered_as_the_list_says() {
        let document = "<r xmlns='urn:d'><p:a xmlns:p='urn:p'><p:b xmlns=''><c/></p:b></p:a></r>";
        let tree = Tree::parse(Bytes::from_static(document.as_bytes())).unwrap();
        let apex = tree.root().children().next().unwrap();
        let form = |prefixes: &[&str]| String::from_utf8(apex.canonical(None, prefixes).unwrap()).unwrap();
        assert_eq!(form(&[]), "<p:a xmlns:p=\"urn:p\"><p:b><c></c></p:b></p:a>");
        assert_eq!(
            form(&["#default"]),
            "<p:a xmlns=\"urn:d\" xmlns:p=\"urn:p\"><p:b xmlns=\"\"><c></c></p:b></p:a>"
        );
    }

    #[test]
    fn instructions_have_no_form_and_what_looks_like_them_does() {
        let form = |text: &str| {
            let tree = Tree::parse(Bytes::from(format!("<a>{text}</a>"))).unwrap();
            tree.root().canonical(None, &[])
        };
        assert_eq!(form("x<?y z?>"), Err(NotCanonical::ProcessingInstruction));
        assert_eq!(form("<b/><?y?>"), Err(NotCanonical::ProcessingInstruction));
        assert_eq!(form("<!--<?y?>--><![CDATA[<?]]>").unwrap(), b"<a>&lt;?</a>");
    }

    #[test]
    fn the_form_is_bounded_where_declarations_multiply() {
        let uri = "u".repeat(limits::MAX_XML_NAMESPACE_BYTES);
        let document = format!("<a xmlns:p='{uri}'>{}</a>", "<p:b/>".repeat(10_000));
        let tree = Tree::parse(Bytes::from(document)).unwrap();
        assert_eq!(tree.root().canonical(None, &[]), Err(NotCanonical::TooLong));
    }
}
