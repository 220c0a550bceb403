//! Any bytes into the XML parser; whatever is accepted is read in full, taken apart, and must be accepted again.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sekisho::wire::xml::{Element, Ns, Tree};

fuzz_target!(|data: &[u8]| {
    let Ok(tree) = Tree::parse(Bytes::copy_from_slice(data)) else { return };
    visit(tree.root());
    canonical(tree.root());
});

/// The canonical form says what the element says, and is its own canonical form.
fn canonical(element: Element<'_>) {
    let Ok(form) = element.canonical(None, &[]) else { return };
    match Tree::parse(Bytes::from(form.clone())) {
        Ok(again) => {
            assert_eq!(again.root().text(), element.text());
            assert_eq!(again.root().canonical(None, &[]).as_deref(), Ok(&*form));
        }
        // Declarations are written where they are used.
        Err(error) => assert!(matches!(error.rule, "xml.attributes" | "xml.attribute-length"), "{error}"),
    }
}

fn visit(element: Element<'_>) {
    let mut fragment = Vec::from("<r>");
    let (tag, rest) = element.detach(&[], &[("home", "\"urn:oid:1.2.3\"")]);
    fragment.extend([&tag[..], &rest, b"</r>"].concat());
    match Tree::parse(fragment.into()) {
        Ok(again) => {
            let moved = again.root().children().next().expect("the detached element");
            assert_eq!(again.uri(moved.ns()), element.tree().uri(element.ns()));
            assert_eq!((moved.local(), moved.text()), (element.local(), element.text()));
            assert_eq!(moved.attr("home").as_deref(), Some("\"urn:oid:1.2.3\""));
        }
        // Attributes and root come on top of what was within the bounds.
        Err(error) => {
            assert!(matches!(error.rule, "xml.attributes" | "xml.depth" | "xml.namespaces"), "{error}")
        }
    }
    for attribute in element.attributes() {
        assert!(element.attr_ns(attribute.ns, attribute.local).is_some_and(|value| value == attribute.value));
    }
    let (line, column) = element.position();
    assert!(line > 0 && column > 0 && element.range().len() >= "<a/>".len());
    let _ = element.child(Ns::RIM, "Slot");
    element.children().for_each(visit);
}
