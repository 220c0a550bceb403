//! What is read, what is refused and by which rule; attacks 1 to 12 and 19 of `docs/attacks.md`.

use std::fmt::Write as _;

use bytes::Bytes;

use super::*;
use crate::limits::{
    MAX_XML_ATTRIBUTE_BYTES, MAX_XML_ATTRIBUTES, MAX_XML_BINDINGS, MAX_XML_DEPTH, MAX_XML_NAME_BYTES,
    MAX_XML_NAMESPACE_BYTES, MAX_XML_NAMESPACES,
};

fn parse(document: impl AsRef<[u8]>) -> Result<Tree, XmlError> {
    Tree::parse(Bytes::copy_from_slice(document.as_ref()))
}

fn tree(document: &str) -> Tree {
    parse(document).unwrap_or_else(|error| panic!("{document}: {error}"))
}

/// Asserts that each document is refused by the rule.
fn refused<D: AsRef<[u8]>>(rule: &str, documents: impl IntoIterator<Item = D>) {
    for document in documents {
        let document = document.as_ref();
        let start = document.get(..document.len().min(200)).unwrap_or_default().escape_ascii();
        match parse(document) {
            Ok(_) => panic!("accepted: {start}"),
            Err(error) => assert_eq!(error.rule, rule, "{start}: {error}"),
        }
    }
}

#[test]
fn names_are_namespaces_and_local_names() {
    let tree = tree(
        "<a:x xmlns:a='urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0' xmlns='urn:z' b='1' a:b='2' xml:lang='ja'>\
         <y xmlns='' c='3'/><a:x xmlns:a='urn:z'/></a:x>",
    );
    let root = tree.root();
    assert!(root.is(Ns::RIM, "x"));
    assert_eq!((root.attr("b").unwrap(), root.attr_ns(Ns::RIM, "b").unwrap()), ("1".into(), "2".into()));
    assert_eq!(root.attr_ns(Ns::XML, "lang").unwrap(), "ja");
    assert_eq!(
        root.attributes().map(|a| (a.ns, a.local)).collect::<Vec<_>>(),
        [(Ns::NONE, "b"), (Ns::RIM, "b"), (Ns::XML, "lang")]
    );
    let [y, x] = root.children().collect::<Vec<_>>()[..] else { panic!() };
    assert!(y.is(Ns::NONE, "y"));
    assert_eq!((tree.uri(x.ns()), x.local()), ("urn:z", "x"));
    assert_eq!(root.resolve_prefix(""), Some("urn:z"));
    assert_eq!((y.resolve_prefix(""), y.resolve_prefix("a")), (Some(""), Some(Ns::RIM.uri())));
    assert_eq!((x.resolve_prefix("a"), x.resolve_prefix("b")), (Some("urn:z"), None));
    assert_eq!(x.resolve_prefix("xml"), Some(Ns::XML.uri()));
}

#[test]
fn known_namespaces_have_their_own_numbers() {
    for (number, (prefix, uri)) in Ns::KNOWN.iter().enumerate().skip(2) {
        let tree = tree(&format!("<{prefix}:a xmlns:{prefix}='{uri}'/>"));
        assert_eq!(tree.root().ns(), Ns(number as u16));
        assert_eq!(tree.root().ns().known(), (*prefix, *uri));
        assert_eq!(tree.uri(tree.root().ns()), *uri);
    }
}

#[test]
fn long_prefixes_that_begin_alike_are_told_apart() {
    let tree = tree(
        "<a xmlns:prefix-1='urn:1' xmlns:prefix-2='urn:2' xmlns:prefix='urn:3'><prefix-1:b/><prefix-2:b/><prefix:b/></a>",
    );
    let uris: Vec<&str> = tree.root().children().map(|child| tree.uri(child.ns())).collect();
    assert_eq!(uris, ["urn:1", "urn:2", "urn:3"]);
}

#[test]
fn children_stand_in_document_order() {
    let tree = tree("<a><b><c/><d/></b> <b/><e/></a>");
    let root = tree.root();
    assert_eq!(root.children().map(Element::local).collect::<String>(), "bbe");
    assert_eq!(root.children().map(Element::index).collect::<Vec<_>>(), [1, 4, 5]);
    assert_eq!(root.children_named(Ns::NONE, "b").count(), 2);
    let b = root.child(Ns::NONE, "b").unwrap();
    assert_eq!(b.children().map(Element::local).collect::<String>(), "cd");
    assert!(root.child(Ns::NONE, "c").is_none());
    assert_eq!(tree.element(3).local(), "d");
}

#[test]
fn elements_know_their_place() {
    let document = "<?xml version='1.0'?>\n<a>\n  <b x='>'>t</b >\n</a>";
    let tree = tree(&format!("\u{FEFF}{document}"));
    assert_eq!(tree.source(), document);
    let b = tree.root().child(Ns::NONE, "b").unwrap();
    assert_eq!(&document[b.range()], "<b x='>'>t</b >");
    assert_eq!(&document[b.range().start..b.start_tag_end()], "<b x='>'>");
    assert_eq!(b.position(), (3, 3));
    assert_eq!(tree.root().position(), (2, 1));
}

#[test]
fn text_is_joined_and_normalised() {
    for (content, text) in [
        ("", ""),
        ("plain", "plain"),
        ("a&amp;b&#x3042;&lt;&#13;", "a&b\u{3042}<\r"),
        ("1\r\n2\r3\n4\r\r\n5", "1\n2\n3\n4\n\n5"),
        ("<![CDATA[<&amp;\r\n]]]]><![CDATA[>]]>", "<&amp;\n]]>"),
        ("a<!-- b -->c<?d e?>f<g>h</g>i", "acfi"),
        ("\n <g/>\n", "\n \n"),
    ] {
        assert_eq!(tree(&format!("<x>{content}</x>")).root().text(), text, "{content}");
    }
}

#[test]
fn attribute_values_are_normalised() {
    let tree = tree("<x a='1\r\n2\r3\n4\t5' b='&#13;&#10;&#9;&quot;&apos;' c=\"'\" d = '&lt;患者>'/>");
    for (name, value) in [("a", "1 2 3 4 5"), ("b", "\r\n\t\"'"), ("c", "'"), ("d", "<患者>")] {
        assert_eq!(tree.root().attr(name).unwrap(), value);
    }
    assert!(tree.root().attr("e").is_none());
}

#[test]
fn whatever_is_well_formed_is_read() {
    for document in [
        "<a/>",
        "<?xml version=\"1.0\" encoding='utf-8' standalone = 'yes' ?><a/>",
        "<?xml version='1.0' standalone='no'?><!-- x --><?y z?>\n<a></a><!----><?y?>\n",
        "<?xmlfoo?><a/>",
        "<患者 氏名='山田'/>",
        "<a>]] > ]]&gt;</a>",
        "<a b='>' c=']]>'/>",
        "<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xmlns:b='' ></a>"
            .replace(" xmlns:b=''", "")
            .as_str(),
        "<a xmlns:b='urn:1' xmlns:c='urn:1' b:x='' x=''/>",
        "<a xml:space='preserve'/>",
        "<a\u{A}b\n=\n''\n/>",
        "<a>\u{10FFFF}\u{85}\u{2028}</a>",
    ] {
        tree(document);
    }
}

#[test]
fn whatever_is_not_well_formed_is_refused() {
    refused(
        "xml.well-formed",
        [
            "",
            " ",
            "<!-- -->",
            "text",
            "<",
            "<>",
            "<a",
            "<a>",
            "<a></a",
            "<a></b>",
            "<a><b></a></b>",
            "</a>",
            "<a/></a>",
            "<a/><b/>",
            "<a/>x",
            "x<a/>",
            "<a/>&amp;",
            "<a/><![CDATA[x]]>",
            "<![CDATA[]]><a/>",
            "\u{200B}<a/>",
            "<a b/>",
            "<a b=c/>",
            "<a b='c/>",
            "<a b='c'd='e'/>",
            "<a 'b'/>",
            "<a b='<'/>",
            "<a b='1' b='2'/>",
            "<a / >",
            "<a/ >",
            "<a b='1'/ >",
            "< a/>",
            "<1/>",
            "<a:/>",
            "<:a/>",
            "<a:b:c xmlns:a='urn:a'/>",
            "<a></a b=''>",
            "<a></ a>",
            "<a>]]></a>",
            "<a><!-- -- --></a>",
            "<a><!-- ---></a>",
            "<a><!-- </a>",
            "<a><!--></a>",
            "<a><!---></a>",
            "<a><![CDATA[</a>",
            "<a><![cdata[]]></a>",
            "<a><!></a>",
            "<a><?></a>",
            "<a><??></a>",
            "<a><? x?></a>",
            "<a><?x</a>",
            "<a><?x:y?></a>",
            "<a><?xml version='1.0'?></a>",
            "<a><?XML x?></a>",
            "<a/><?xml version='1.0'?>",
            " <?xml version='1.0'?><a/>",
            "<?xml?><a/>",
            "<?xml ?><a/>",
            "<?xml encoding='UTF-8'?><a/>",
            "<?xml version='1.0'encoding='UTF-8'?><a/>",
            "<?xml version='1.0' standalone='yes' encoding='UTF-8'?><a/>",
            "<?xml version='1.0' version='1.0'?><a/>",
            "<?xml version='1.0' standalone='maybe'?><a/>",
            "<?xml version='1.0' x='y'?><a/>",
            "<?xml version='1.0'",
            "<a>& b</a>",
            "<a>&b</a>",
            "<a>a & b;</a>".trim_end_matches(";</a>"),
            "<a b='1' xmlns:p='urn:p' p:b='' p:b=''/>",
            "<a xmlns:p='urn:p' xmlns:q='urn:p' p:b='' q:b=''/>",
            "<!ELEMENT a ANY><a/>",
        ],
    );
    refused(
        "xml.version",
        ["<?xml version='1.1'?><a/>", "<?xml version='2.0'?><a/>", "<?xml version=''?><a/>"],
    );
    refused(
        "xml.entity",
        [
            "<a>&nbsp;</a>",
            "<a b='&nbsp;'/>",
            "<a b='&'/>",
            "<a b='& '/>",
            "<a>&#x;</a>",
            "<a>& b;</a>",
            "<a b='&lt'/>",
        ],
    );
    refused(
        "xml.namespace",
        [
            "<p:a/>",
            "<a p:b=''/>",
            "<a><b xmlns:p='urn:p'/><p:c/></a>",
            "<a xmlns:p=''/>",
            "<xmlns:a/>",
            "<a xmlns:xml='urn:x'/>",
            "<a xmlns:xmlns='urn:x'/>",
            "<a xmlns:x='http://www.w3.org/XML/1998/namespace'/>",
            "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
            "<a xmlns:p='urn:1' xmlns:p='urn:1'/>",
            "<a xmlns='urn:1' xmlns='urn:1'/>",
        ],
    );
}

#[test]
fn an_error_says_where() {
    let error = parse("<a>\r\n  <b c='1' c='2'/>\n</a>").unwrap_err();
    assert_eq!(error.to_string(), "XML, line 2, column 12: an attribute is given twice");
}

#[test]
fn what_is_not_known_survives_byte_for_byte() {
    let extension = "<v:x  xmlns:v = 'urn:v' b=\"&#x31;\"\t><![CDATA[ & ]]><!-- c --><?pi?>\r\n<y/></v:x >";
    let document = format!("<a>{extension}</a>");
    let tree = tree(&document);
    let (tag, rest) = tree.root().children().next().unwrap().detach(&[], &[]);
    assert_eq!([tag, rest].concat(), extension.as_bytes());
}

#[test]
fn debug_output_shows_no_content() {
    let tree = tree("<a b='secret'>secret</a>");
    assert!(!format!("{tree:?} {:?}", tree.root()).contains("secret"));
}

#[test]
fn attack_01_doctype() {
    refused(
        "xml.dtd",
        [
            "<!DOCTYPE a><a/>",
            "<!DOCTYPE a []><a/>",
            "<!DOCTYPE a PUBLIC '-//X' 'x.dtd'><a/>",
            "<!DOCTYPE",
            "<!DOCTYPE a [ <!ENTITY",
            "<!doctype html><a/>",
            "<?xml version='1.0'?><!-- --><!DOCTYPE a><a/>",
            "<a><!DOCTYPE a></a>",
            "<a/><!DOCTYPE a>",
        ],
    );
}

#[test]
fn attack_02_billion_laughs() {
    let mut document = String::from("<!DOCTYPE a [<!ENTITY l0 'ha'>");
    for level in 1..10 {
        write!(document, "<!ENTITY l{level} '{}'>", format!("&l{};", level - 1).repeat(10)).unwrap();
    }
    refused("xml.dtd", [document + "]><a>&l9;</a>"]);
    refused("xml.entity", ["<a>&l9;</a>"]);
}

#[test]
fn attack_03_quadratic_blow_up() {
    let document =
        format!("<!DOCTYPE a [<!ENTITY b '{}'>]><a>{}</a>", "b".repeat(100_000), "&b;".repeat(10_000));
    refused("xml.dtd", [document]);
    // Predefined entities only ever shrink.
    let document = format!("<a>{}</a>", "&amp;".repeat(100_000));
    assert_eq!(tree(&document).root().text().len(), 100_000);
}

#[test]
fn attack_04_external_entity() {
    refused(
        "xml.dtd",
        [
            "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
            "<!DOCTYPE a [<!ENTITY x SYSTEM 'http://127.0.0.1:1/'>]><a b='&x;'/>",
        ],
    );
}

#[test]
fn attack_05_parameter_entity() {
    refused("xml.dtd", ["<!DOCTYPE a [<!ENTITY % x SYSTEM 'http://127.0.0.1:1/x.dtd'> %x;]><a/>"]);
    assert_eq!(tree("<a>%x;</a>").root().text(), "%x;");
}

#[test]
fn attack_06_xinclude_and_stylesheets_are_not_acted_on() {
    let tree = tree(
        "<?xml-stylesheet href='file:///etc/passwd' type='text/xsl'?>\
         <a xmlns:xi='http://www.w3.org/2001/XInclude'>x<xi:include href='file:///etc/passwd' parse='text'/></a>",
    );
    assert_eq!(tree.root().text(), "x");
    let include = tree.root().children().next().unwrap();
    assert_eq!((include.local(), include.children().count(), &*include.text()), ("include", 0, ""));
}

#[test]
fn attack_07_depth() {
    refused("xml.depth", ["<a>".repeat(100_000), "<a>".repeat(MAX_XML_DEPTH + 1)]);
    tree(&("<a>".repeat(MAX_XML_DEPTH) + &"</a>".repeat(MAX_XML_DEPTH)));
}

#[test]
fn attack_08_attributes() {
    let with = |count: usize| {
        let attributes: String = (0..count).map(|number| format!(" a{number}=''")).collect();
        format!("<a{attributes}/>")
    };
    refused("xml.attributes", [with(1_000_000), with(MAX_XML_ATTRIBUTES + 1)]);
    assert_eq!(tree(&with(MAX_XML_ATTRIBUTES)).root().attributes().count(), MAX_XML_ATTRIBUTES);
}

#[test]
fn attack_09_attribute_value_and_names() {
    let with = |length: usize| format!("<a b='{}'/>", "x".repeat(length));
    refused("xml.attribute-length", [with(10_000_000), with(MAX_XML_ATTRIBUTE_BYTES + 1)]);
    tree(&with(MAX_XML_ATTRIBUTE_BYTES));
    let long = "n".repeat(MAX_XML_NAME_BYTES + 1);
    refused(
        "xml.name-length",
        [format!("<{long}/>"), format!("<a {long}=''/>"), format!("<a xmlns:{long}='urn:x'/>")],
    );
    tree(&format!("<{}/>", &long[1..]));
}

#[test]
fn attack_10_namespace_declarations() {
    let on_one: String = (0..1_000_000).map(|number| format!(" xmlns:p{number}='urn:x'")).collect();
    refused("xml.attributes", [format!("<a{on_one}/>")]);
    let in_force: String =
        (0..=MAX_XML_BINDINGS).map(|number| format!("<a xmlns:p{number}='urn:x'><b/>")).collect();
    refused("xml.depth", [&in_force]);
    let wide =
        |from: usize| -> String { (from..from + 60).map(|n| format!(" xmlns:p{n}='urn:x'")).collect() };
    refused("xml.namespaces", [format!("<a{}><b{}><c{}/></b></a>", wide(0), wide(60), wide(120))]);
    let distinct = |count: usize| {
        let elements: String = (0..count).map(|number| format!("<b xmlns='urn:{number}'/>")).collect();
        format!("<a>{elements}</a>")
    };
    refused("xml.namespaces", [distinct(100_000), distinct(MAX_XML_NAMESPACES + 1)]);
    tree(&distinct(MAX_XML_NAMESPACES));
    let long = |bytes: usize| format!("<a xmlns:p='{}'/>", "n".repeat(bytes));
    refused("xml.namespace-length", [long(MAX_XML_NAMESPACE_BYTES + 1)]);
    tree(&long(MAX_XML_NAMESPACE_BYTES));
}

#[test]
fn attack_11_encodings() {
    let utf16 =
        |document: &str, to_bytes: fn(u16) -> [u8; 2]| document.encode_utf16().flat_map(to_bytes).collect();
    let documents: [Vec<u8>; 10] = [
        utf16("\u{FEFF}<a/>", u16::to_be_bytes),
        utf16("\u{FEFF}<a/>", u16::to_le_bytes),
        utf16("<?xml version='1.0' encoding='UTF-16'?><a/>", u16::to_be_bytes),
        utf16("<a/>", u16::to_le_bytes),
        b"<?xml version='1.0' encoding='UTF-7'?>+ADw-a/+AD4-".to_vec(),
        b"+ADw-a/+AD4-".to_vec(),
        b"<?xml version='1.0' encoding='UTF-16'?><a/>".to_vec(),
        b"<?xml version='1.0' encoding='Shift_JIS'?><a>\x8E\x52</a>".to_vec(),
        // "<?xml" in EBCDIC.
        b"\x4C\x6F\xA7\x94\x93".to_vec(),
        b"<?xml version='1.0' encoding='IBM037'?><a/>".to_vec(),
    ];
    refused("xml.encoding", documents);
    let error = parse("<?xml version='1.0' encoding='Shift_JIS'?><a/>").unwrap_err();
    assert_eq!(error.problem, "the encoding must be UTF-8; Shift_JIS is declared");
    tree("\u{FEFF}<?xml version='1.0' encoding='utf-8'?><a/>");
    // A second byte-order mark is a character like any other.
    refused("xml.well-formed", ["\u{FEFF}\u{FEFF}<a/>"]);
}

#[test]
fn attack_12_bytes_and_characters() {
    refused(
        "xml.utf8",
        [
            b"<a>\xFF</a>".as_slice(),
            b"<a b='\xC0\xBC'/>",
            b"<a>\xE0\x80\xBC</a>",
            b"<a>\xF0\x80\x80\xBC</a>",
            b"<a>\xED\xA0\x80</a>",
            b"<a>\xF4\x90\x80\x80</a>",
            b"<a>\xE3\x81</a>",
            b"<\x80/>",
            b"<!--\xFE--><a/>",
        ],
    );
    refused(
        "xml.character",
        ["<a>\0</a>", "<a b='\u{1}'/>", "<a>\u{FFFE}</a>", "<a><![CDATA[\u{B}]]></a>", "<!--\u{FFFF}--><a/>"],
    );
    refused(
        "xml.entity",
        ["<a>&#0;</a>", "<a>&#xD800;</a>", "<a b='&#xDFFF;'/>", "<a b='&#xFFFE;'/>", "<a>&#x110000;</a>"],
    );
}

#[test]
fn attack_19_split_values() {
    let id = "urn:uuid:5e1f1b9c-6a0f-4ee6-9d0a-6a7a5f0c2b11";
    for split in [
        "urn:uuid:5e1f1b9c<!-- -->-6a0f-4ee6-9d0a-6a7a5f0c2b11",
        "urn:uuid:<?x?>5e1f1b9c-6a0f-4ee6-9d0a-<![CDATA[6a7a5f0c2b11]]>",
        "<![CDATA[urn:uuid:]]><![CDATA[]]>5e1f1b9c-6a0f-4ee6-9d0a&#45;6a7a5f0c2b11<!---->",
    ] {
        assert_eq!(tree(&format!("<id>{split}</id>")).root().text(), id);
    }
}

#[test]
fn the_beginning_of_a_document_is_read_as_far_as_it_goes() {
    let whole =
        "<?xml version=\"1.0\"?><a xmlns=\"urn:x\"><b c=\"1\">text &amp; more</b><d>日本語<e/></d></a>";
    for end in whole.find("<b").unwrap()..=whole.len() {
        let tree = Tree::parse_beginning(Bytes::copy_from_slice(&whole.as_bytes()[..end])).unwrap();
        let root = tree.root();
        assert_eq!(root.local(), "a");
        for child in root.children() {
            assert!(["b", "d"].contains(&child.local()), "{end}");
            assert!("text & more日本語".contains(&*child.text()), "{end} {:?}", child.text());
        }
    }
    for refused in ["", "<a", "text", "<!DOCTYPE a><a>", "\u{feff}"] {
        assert!(Tree::parse_beginning(Bytes::from_static(refused.as_bytes())).is_err(), "{refused}");
    }
    assert!(Tree::parse_beginning(Bytes::from_static(b"<a>\xff\xff</a>")).is_err());
}
