//! Taking an element out of its document so that it can stand in another, byte for byte but for its start tag.

use bytes::Bytes;

use super::arena::{Attr, Binding};
use super::write::{escape_attribute, push_attribute};
use super::{Element, Ns};

impl<'t> Element<'t> {
    /// The element's own bytes, made to stand under a root that declares the namespaces of `declared` with their known
    /// prefixes ([`Ns::known`]) and no others: what it needs besides is declared on its start tag. The first part is the
    /// start tag (rewritten where that is needed), the second the untouched rest, as slices of the source. Attributes of
    /// no namespace in `set` are added to the start tag, or replaced in it.
    pub fn detach(self, declared: &[Ns], set: &[(&str, &str)]) -> (Bytes, Bytes) {
        let source = self.tree().source();
        let range = self.range();
        let tag = range.start..self.start_tag_end();
        let rest = source.slice(tag.end..range.end);
        let mut added = Vec::new();
        for binding in self.to_declare(declared).into_iter().rev() {
            added.extend_from_slice(if binding.prefix().is_empty() { b" xmlns" } else { b" xmlns:" });
            added.extend_from_slice(source.get(binding.prefix()).unwrap_or_default());
            added.extend_from_slice(b"=\"");
            escape_attribute(&mut added, self.tree().uri(binding.ns));
            added.push(b'"');
        }
        let mut replaced: Vec<(&Attr, &str)> = Vec::new();
        for &(local, value) in set {
            match self.find_attribute(Ns::NONE, local) {
                None => push_attribute(&mut added, "", local, value),
                Some(_) if self.attr(local).as_deref() == Some(value) => {}
                Some(attribute) => replaced.push((attribute, value)),
            }
        }
        if added.is_empty() && replaced.is_empty() {
            return (source.slice(tag), rest);
        }
        replaced.sort_unstable_by_key(|(attribute, _)| attribute.value);
        let mut out = Vec::with_capacity(tag.len() + added.len() + replaced.len() * 64);
        let mut copied = self.node().name().end;
        out.extend_from_slice(source.get(tag.start..copied).unwrap_or_default());
        out.extend_from_slice(&added);
        for (attribute, value) in replaced {
            // With the quotes, which may have been single ones.
            let quoted = attribute.value().start - 1..attribute.value().end + 1;
            out.extend_from_slice(source.get(copied..quoted.start).unwrap_or_default());
            out.push(b'"');
            escape_attribute(&mut out, value);
            out.push(b'"');
            copied = quoted.end;
        }
        out.extend_from_slice(source.get(copied..tag.end).unwrap_or_default());
        (out.into(), rest)
    }

    /// The bindings that the element inherits, needs, and would lose; innermost first.
    fn to_declare(self, declared: &[Ns]) -> Vec<&'t Binding> {
        let source = self.tree().source();
        let fragment = source.get(self.range()).unwrap_or_default();
        let mut seen: Vec<&[u8]> = Vec::new();
        let mut needed = Vec::new();
        for binding in self.tree().arena.in_force(self.node().scope) {
            let prefix = source.get(binding.prefix()).unwrap_or_default();
            if seen.contains(&prefix) {
                continue;
            }
            seen.push(prefix);
            let own = binding.element == self.index();
            let kept = declared.iter().any(|ns| *ns == binding.ns && ns.known().0.as_bytes() == prefix);
            if !own && !kept && binding.ns != Ns::NONE && may_use(fragment, prefix) {
                needed.push(binding);
            }
        }
        needed
    }
}

/// Whether a prefix may be in use: in names, or in content that is a QName (xsi:type and the like). Whoever uses one
/// writes it with its colon; that it stands there for another reason costs only a declaration too many.
fn may_use(fragment: &[u8], prefix: &[u8]) -> bool {
    prefix.is_empty()
        || memchr::memmem::find_iter(fragment, prefix)
            .any(|at| fragment.get(at + prefix.len()) == Some(&b':'))
}

#[cfg(test)]
mod tests {
    use crate::wire::xml::Tree;

    use super::*;

    fn detach(document: &str, declared: &[Ns], set: &[(&str, &str)]) -> (String, bool) {
        let tree = Tree::parse(Bytes::copy_from_slice(document.as_bytes())).unwrap();
        let element = tree.root().children().next().unwrap();
        let (head, rest) = element.detach(declared, set);
        let copied = head.as_ptr() != tree.source()[element.range()].as_ptr();
        assert_eq!(rest.as_ptr(), tree.source()[element.start_tag_end()..].as_ptr(), "the rest is a slice");
        (String::from_utf8([head, rest].concat()).unwrap(), copied)
    }

    const RIM: &str = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0";

    #[test]
    fn nothing_is_copied_when_the_new_root_declares_it_all() {
        let (fragment, copied) = detach(
            &format!(
                "<r xmlns:rim='{RIM}' xmlns:soap='http://www.w3.org/2003/05/soap-envelope'><rim:A id='1'><rim:B/></rim:A></r>"
            ),
            &[Ns::RIM],
            &[("id", "1")],
        );
        assert_eq!((fragment.as_str(), copied), ("<rim:A id='1'><rim:B/></rim:A>", false));
    }

    #[test]
    fn a_fragment_takes_along_what_it_uses_and_only_that() {
        let (fragment, _) = detach(
            &format!(
                "<r xmlns='{RIM}' xmlns:a='urn:a&amp;b' xmlns:b='urn:b' xmlns:c='urn:c'><A a:x=''><q t='c:T'/></A></r>"
            ),
            &[Ns::RIM],
            &[],
        );
        assert_eq!(
            fragment,
            format!("<A xmlns=\"{RIM}\" xmlns:a=\"urn:a&amp;b\" xmlns:c=\"urn:c\" a:x=''><q t='c:T'/></A>")
        );
    }

    #[test]
    fn the_same_prefix_with_another_meaning_is_declared() {
        let (fragment, _) = detach("<r xmlns:rim='urn:other'><rim:A/></r>", &[Ns::RIM], &[]);
        assert_eq!(fragment, "<rim:A xmlns:rim=\"urn:other\"/>");
    }

    #[test]
    fn shadowed_and_own_declarations_are_not_repeated() {
        let (fragment, copied) =
            detach("<r xmlns='urn:x' xmlns:a='urn:a'><A xmlns='' xmlns:a='urn:b'><a:b/></A></r>", &[], &[]);
        assert_eq!((fragment.as_str(), copied), ("<A xmlns='' xmlns:a='urn:b'><a:b/></A>", false));
    }

    #[test]
    fn attributes_are_set_in_place_or_added() {
        let (fragment, _) = detach(
            "<r><A home='x' b = 'y'  c=\"z\" >t</A></r>",
            &[],
            &[("c", "1"), ("home", "it's \"<\n"), ("new", "&")],
        );
        assert_eq!(fragment, "<A new=\"&amp;\" home=\"it's &quot;&lt;&#10;\" b = 'y'  c=\"1\" >t</A>");
    }
}
