//! The one pass that turns bytes into an [`Arena`], and checks whatever XML 1.0 (fifth edition) and Namespaces in XML 1.0
//! ask of a document without a document type declaration.

use memchr::memmem;

use super::Ns;
use super::arena::{Arena, Attr, Binding, NO_BINDING, Node, Prefix};
use super::chars::{self, SPACE};
use crate::limits::{
    MAX_XML_ATTRIBUTE_BYTES, MAX_XML_ATTRIBUTES, MAX_XML_BINDINGS, MAX_XML_DEPTH, MAX_XML_NAME_BYTES,
    MAX_XML_NAMESPACE_BYTES, MAX_XML_NAMESPACES, MAX_XML_NODES,
};

const XMLNS_URI: &str = "http://www.w3.org/2000/xmlns/";
/// Longer names of encodings are cut in errors.
const MAX_ENCODING_NAME: usize = 40;

/// What is wrong, and at which byte.
#[derive(Debug)]
pub(super) struct Problem {
    pub at: usize,
    pub rule: &'static str,
    pub problem: String,
}

type Outcome<T> = Result<T, Problem>;

fn fail<T>(at: usize, rule: &'static str, problem: impl Into<String>) -> Outcome<T> {
    Err(Problem { at, rule, problem: problem.into() })
}

fn ill_formed<T>(at: usize, problem: &'static str) -> Outcome<T> {
    fail(at, "xml.well-formed", problem)
}

/// Parses a whole document without its byte-order mark.
pub(super) fn parse(source: &[u8]) -> Outcome<Arena> {
    if u32::try_from(source.len()).is_err() {
        return fail(0, "xml.size", "a message must be smaller than 4 GiB");
    }
    refuse_other_encodings(source)?;
    let declaration = read_declaration(source)?;
    let text = match std::str::from_utf8(source) {
        Ok(text) => text,
        Err(error) => return fail(error.valid_up_to(), "xml.utf8", "the bytes are not UTF-8"),
    };
    if let Some(at) = chars::first_forbidden(text) {
        return fail(at, "xml.character", "XML 1.0 does not allow this character");
    }
    let mut pass = Pass::new(text);
    pass.run(declaration)?;
    Ok(pass.arena)
}

/// Parses the beginning of a document, as far as it can be read: what is open there ends there.
pub(super) fn parse_beginning(source: &[u8]) -> Outcome<Arena> {
    refuse_other_encodings(source)?;
    let declaration = read_declaration(source)?;
    let text = match std::str::from_utf8(source) {
        Ok(text) => text,
        // The last character may be cut.
        Err(error) if error.error_len().is_none() => {
            let whole = source.get(..error.valid_up_to()).unwrap_or_default();
            std::str::from_utf8(whole).unwrap_or_default()
        }
        Err(error) => return fail(error.valid_up_to(), "xml.utf8", "the bytes are not UTF-8"),
    };
    if let Some(at) = chars::first_forbidden(text) {
        return fail(at, "xml.character", "XML 1.0 does not allow this character");
    }
    let mut pass = Pass::new(text);
    let mut at = declaration;
    while at < text.len() {
        match pass.step(at) {
            Ok(next) => at = next,
            Err(problem) if pass.arena.nodes.is_empty() => return Err(problem),
            Err(_) => break,
        }
    }
    pass.close(at);
    if pass.arena.nodes.is_empty() {
        return ill_formed(at, "there is no document element");
    }
    Ok(pass.arena)
}

/// Byte patterns that documents in other encodings begin with (XML 1.0, appendix F).
fn refuse_other_encodings(source: &[u8]) -> Outcome<()> {
    const SIGNATURES: [(&[u8], &str); 11] = [
        (b"\x00\x00\xFE\xFF", "UTF-32"),
        (b"\xFF\xFE\x00\x00", "UTF-32"),
        (b"\x00\x00\x00<", "UTF-32"),
        (b"<\x00\x00\x00", "UTF-32"),
        (b"\xFE\xFF", "UTF-16"),
        (b"\xFF\xFE", "UTF-16"),
        (b"\x00<", "UTF-16"),
        (b"<\x00", "UTF-16"),
        (b"\x4C\x6F\xA7\x94", "EBCDIC"),
        (b"+/v", "UTF-7"),
        (b"+ADw", "UTF-7"),
    ];
    match SIGNATURES.iter().find(|(signature, _)| source.starts_with(signature)) {
        Some((_, name)) => {
            fail(0, "xml.encoding", format!("the encoding must be UTF-8; the bytes look like {name}"))
        }
        None => Ok(()),
    }
}

/// Checks the XML declaration, if there is one, and says where it ends. It is read before the bytes are known to be
/// UTF-8, so that a document in another encoding is refused by that encoding's name.
fn read_declaration(source: &[u8]) -> Outcome<usize> {
    let Some(rest) = source.strip_prefix(b"<?xml") else { return Ok(0) };
    if !rest.first().is_some_and(|&byte| chars::is(byte, SPACE) || byte == b'?') {
        return Ok(0);
    }
    let mut at = b"<?xml".len();
    let mut seen = [false; 3];
    loop {
        let next = chars::skip_space(source, at);
        if source.get(next..).is_some_and(|rest| rest.starts_with(b"?>")) {
            return match seen {
                [true, ..] => Ok(next + 2),
                _ => ill_formed(next, "the XML declaration has no version"),
            };
        }
        let Some((name, value, end)) = pseudo_attribute(source, next).filter(|_| next > at) else {
            return ill_formed(next, "the XML declaration is malformed");
        };
        let slot = match (name, value) {
            (b"version", b"1.0") => 0,
            (b"version", _) => return fail(next, "xml.version", "only XML 1.0 is read"),
            (b"encoding", _)
                if value.eq_ignore_ascii_case(b"utf-8") || value.eq_ignore_ascii_case(b"utf8") =>
            {
                1
            }
            (b"encoding", _) => {
                let shown =
                    value.get(..value.len().min(MAX_ENCODING_NAME)).unwrap_or_default().escape_ascii();
                return fail(
                    next,
                    "xml.encoding",
                    format!("the encoding must be UTF-8; {shown} is declared"),
                );
            }
            (b"standalone", b"yes" | b"no") => 2,
            _ => return ill_formed(next, "the XML declaration is malformed"),
        };
        // Each once, in this order.
        if seen.iter().skip(slot).any(|&seen| seen) {
            return ill_formed(next, "the XML declaration is malformed");
        }
        seen[slot] = true;
        at = end;
    }
}

/// `name = "value"`: name, value, and the end.
fn pseudo_attribute(source: &[u8], at: usize) -> Option<(&[u8], &[u8], usize)> {
    let length = source.get(at..)?.iter().position(|byte| !byte.is_ascii_lowercase())?;
    let equals = chars::skip_space(source, at + length);
    source.get(equals).filter(|&&byte| byte == b'=')?;
    let open = chars::skip_space(source, equals + 1);
    let quote = *source.get(open).filter(|byte| matches!(byte, b'"' | b'\''))?;
    let value = source.get(open + 1..)?;
    let close = memchr::memchr(quote, value)?;
    Some((source.get(at..at + length)?, value.get(..close)?, open + close + 2))
}

/// A name as it stands in the source.
#[derive(Clone, Copy)]
struct QName {
    start: usize,
    /// 0 without prefix.
    prefix: usize,
    end: usize,
}

impl QName {
    fn local(self) -> usize {
        self.start + self.prefix + usize::from(self.prefix > 0)
    }
}

/// An element whose end tag has not come yet.
struct Open {
    node: u32,
    /// How many bindings were in force around it.
    bindings: usize,
}

struct Pass<'s> {
    text: &'s str,
    bytes: &'s [u8],
    arena: Arena,
    open: Vec<Open>,
    /// What is in force here, innermost last: indices into `arena.bindings`, with the prefix beside them for quick
    /// comparison.
    in_force: Vec<(Prefix, u32)>,
    /// Names of the attributes of the tag at hand whose prefix must still be resolved, parallel to the arena's end.
    names: Vec<QName>,
}

impl<'s> Pass<'s> {
    fn new(text: &'s str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            arena: Arena::with_room_for(text.len()),
            open: Vec::with_capacity(MAX_XML_DEPTH),
            in_force: Vec::with_capacity(32),
            names: Vec::with_capacity(MAX_XML_ATTRIBUTES),
        }
    }

    /// Reads everything after the XML declaration, which ends at `at`.
    fn run(&mut self, mut at: usize) -> Outcome<()> {
        while at < self.bytes.len() {
            at = self.step(at)?;
        }
        if !self.open.is_empty() {
            return ill_formed(at, "the document ends before its elements do");
        }
        if self.arena.nodes.is_empty() {
            return ill_formed(at, "there is no document element");
        }
        Ok(())
    }

    /// Reads what begins at `at`; gives its end.
    fn step(&mut self, at: usize) -> Outcome<usize> {
        match self.rest(at) {
            [b'<', b'/', ..] => self.end_tag(at),
            [b'<', b'!', ..] => self.declared(at),
            [b'<', b'?', ..] => self.processing_instruction(at),
            [b'<', ..] => self.start_tag(at),
            _ => self.character_data(at),
        }
    }

    /// Ends every element that is open.
    fn close(&mut self, at: usize) {
        let next = self.arena.nodes.len() as u32;
        for Open { node, .. } in self.open.drain(..) {
            if let Some(node) = self.arena.nodes.get_mut(node as usize) {
                (node.content_end, node.end, node.next) = (at as u32, at as u32, next);
            }
        }
    }

    fn rest(&self, at: usize) -> &'s [u8] {
        self.bytes.get(at..).unwrap_or_default()
    }

    /// Reads the text at `start`; gives its end, as all that follow do.
    fn character_data(&self, start: usize) -> Outcome<usize> {
        let rest = self.rest(start);
        let length = memchr::memchr(b'<', rest).unwrap_or(rest.len());
        let text = rest.get(..length).unwrap_or_default();
        if self.open.is_empty() {
            return match text.iter().position(|&byte| !chars::is(byte, SPACE)) {
                Some(at) => outside_of_everything(start + at),
                None => Ok(start + length),
            };
        }
        for at in memchr::memchr2_iter(b'&', b'>', text) {
            if text.get(at) == Some(&b'&') {
                match self.text.get(start + at..start + length).and_then(chars::reference) {
                    Some(_) => {}
                    None if text.iter().skip(at).any(|&byte| byte == b';') => {
                        return bad_reference(start + at);
                    }
                    None => return ill_formed(start + at, "an & that begins no reference"),
                }
            } else if text.get(..at).is_some_and(|text| text.ends_with(b"]]")) {
                return ill_formed(start + at - 2, "]]> outside of a CDATA section");
            }
        }
        Ok(start + length)
    }

    /// Reads what begins with `<!`: a comment or a CDATA section.
    fn declared(&self, start: usize) -> Outcome<usize> {
        const COMMENT: &[u8] = b"<!--";
        const CDATA: &[u8] = b"<![CDATA[";
        let rest = self.rest(start);
        if let Some(comment) = rest.strip_prefix(COMMENT) {
            let Some(length) = memmem::find(comment, b"--") else {
                return ill_formed(start, "a comment does not end");
            };
            if comment.get(length + 2) != Some(&b'>') {
                return ill_formed(start, "-- inside of a comment");
            }
            return Ok(start + COMMENT.len() + length + 3);
        }
        if let Some(cdata) = rest.strip_prefix(CDATA) {
            if self.open.is_empty() {
                return outside_of_everything(start);
            }
            return match memmem::find(cdata, b"]]>") {
                Some(length) => Ok(start + CDATA.len() + length + 3),
                None => ill_formed(start, "a CDATA section does not end"),
            };
        }
        match rest {
            [_, _, b'D' | b'd', ..] => document_type(start),
            _ => ill_formed(start, "this begins neither a comment nor a CDATA section"),
        }
    }

    fn processing_instruction(&self, start: usize) -> Outcome<usize> {
        let target = start + 2;
        let end = chars::ncname_end(self.text, target);
        let name = self.bytes.get(target..end).unwrap_or_default();
        let rest = self.rest(end);
        let followed = rest.first().is_some_and(|&byte| chars::is(byte, SPACE)) || rest.starts_with(b"?>");
        if name.is_empty() || !followed {
            return ill_formed(start, "a processing instruction needs a target that is a name without colon");
        }
        if name == b"xml" {
            return ill_formed(start, "an XML declaration must be the first thing in the document");
        }
        if name.eq_ignore_ascii_case(b"xml") {
            return ill_formed(start, "no processing instruction may be called xml");
        }
        match memmem::find(rest, b"?>") {
            Some(length) => Ok(end + length + 2),
            None => ill_formed(start, "a processing instruction does not end"),
        }
    }

    fn start_tag(&mut self, start: usize) -> Outcome<usize> {
        if self.open.is_empty() && !self.arena.nodes.is_empty() {
            return ill_formed(start, "a second document element");
        }
        if self.open.len() >= MAX_XML_DEPTH {
            return fail(start, "xml.depth", format!("elements are nested deeper than {MAX_XML_DEPTH}"));
        }
        if self.arena.nodes.len() >= MAX_XML_NODES {
            return fail(start, "xml.nodes", format!("more than {MAX_XML_NODES} elements"));
        }
        let index = self.arena.nodes.len() as u32;
        let bindings = self.in_force.len();
        let first = self.arena.attributes.len();
        let name = self.qname(start + 1)?;
        let stop = self.attributes(name.end, index)?;
        self.resolve_attributes(first)?;
        let prefix = self.bytes.get(name.start..name.start + name.prefix).unwrap_or_default();
        let ns = self.resolve(prefix, name.start)?;
        let empty = self.bytes.get(stop) == Some(&b'/');
        let tag_end = stop + 1 + usize::from(empty);
        self.arena.nodes.push(Node {
            start: start as u32,
            tag_end: tag_end as u32,
            content_end: tag_end as u32,
            end: tag_end as u32,
            next: index + 1,
            attributes: first as u32,
            attribute_count: (self.arena.attributes.len() - first) as u16,
            scope: self.in_force.last().map_or(NO_BINDING, |(_, binding)| *binding),
            ns,
            prefix: name.prefix as u16,
            local: (name.end - name.local()) as u16,
        });
        if empty {
            self.in_force.truncate(bindings);
        } else {
            self.open.push(Open { node: index, bindings });
        }
        Ok(tag_end)
    }

    /// Reads an end tag, and closes the innermost element with it.
    fn end_tag(&mut self, start: usize) -> Outcome<usize> {
        let next = self.arena.nodes.len() as u32;
        // It stays open where its end tag is none: the beginning of a document may be cut there.
        let Some(&Open { node, bindings }) = self.open.last() else {
            return ill_formed(start, "an end tag without a start tag");
        };
        let Some(node) = self.arena.nodes.get_mut(node as usize) else {
            return ill_formed(start, "an end tag without a start tag");
        };
        let found = start + 2;
        let name = found..found + node.name().len();
        let stop = chars::skip_space(self.bytes, name.end);
        if self.bytes.get(name) != self.bytes.get(node.name()) || self.bytes.get(stop) != Some(&b'>') {
            return ill_formed(start, "the end tag does not have the name of its start tag");
        }
        self.open.pop();
        self.in_force.truncate(bindings);
        node.content_end = start as u32;
        node.end = (stop + 1) as u32;
        node.next = next;
        Ok(stop + 1)
    }

    fn qname(&self, start: usize) -> Outcome<QName> {
        let mut end = chars::ncname_end(self.text, start);
        let mut prefix = 0;
        if self.bytes.get(end) == Some(&b':') && end > start {
            prefix = end - start;
            let local = end + 1;
            end = chars::ncname_end(self.text, local);
            if end == local {
                return ill_formed(start, "a prefix without a local name");
            }
        }
        if end == start {
            return ill_formed(start, "a name must begin here");
        }
        if end - start > MAX_XML_NAME_BYTES {
            return fail(
                start,
                "xml.name-length",
                format!("a name is longer than {MAX_XML_NAME_BYTES} bytes"),
            );
        }
        Ok(QName { start, prefix, end })
    }

    /// Reads the attributes from `at` on, up to the tag's `>` or `/>`: declarations become bindings, others wait in `names`
    /// until all bindings of the tag are known.
    fn attributes(&mut self, mut at: usize, element: u32) -> Outcome<usize> {
        let before = self.in_force.len();
        let mut count = 0;
        self.names.clear();
        loop {
            let start = chars::skip_space(self.bytes, at);
            match self.rest(start) {
                [b'>', ..] | [b'/', b'>', ..] => return Ok(start),
                [] => return ill_formed(start, "a tag does not end"),
                _ if start == at => return ill_formed(at, "white space must stand before an attribute"),
                _ => {}
            }
            count += 1;
            if count > MAX_XML_ATTRIBUTES {
                return fail(
                    start,
                    "xml.attributes",
                    format!("an element has more than {MAX_XML_ATTRIBUTES} attributes"),
                );
            }
            let name = self.qname(start)?;
            let equals = chars::skip_space(self.bytes, name.end);
            if self.bytes.get(equals) != Some(&b'=') {
                return ill_formed(equals, "an attribute must have a value");
            }
            let value = self.value(chars::skip_space(self.bytes, equals + 1))?;
            at = value.end + 1;
            let prefix = self.bytes.get(name.start..name.start + name.prefix).unwrap_or_default();
            let local = self.bytes.get(name.local()..name.end).unwrap_or_default();
            match (prefix, local) {
                (b"xmlns", _) => self.bind(name.local()..name.end, value, element, before)?,
                (b"", b"xmlns") => self.bind(name.end..name.end, value, element, before)?,
                _ => {
                    if self.arena.attributes.len() >= MAX_XML_NODES {
                        return fail(start, "xml.nodes", format!("more than {MAX_XML_NODES} attributes"));
                    }
                    self.names.push(name);
                    self.arena.attributes.push(Attr {
                        local: name.local() as u32,
                        local_length: (name.end - name.local()) as u16,
                        ns: Ns::NONE,
                        value: value.start as u32,
                        value_length: (value.end - value.start) as u32,
                        plain: value.plain,
                    });
                }
            }
        }
    }

    /// Reads the quoted value that begins at `open`.
    fn value(&self, open: usize) -> Outcome<Value> {
        let (quote, rest) = match self.rest(open) {
            [quote @ (b'"' | b'\''), rest @ ..] => (*quote, rest),
            _ => return ill_formed(open, "an attribute's value must stand in quotes"),
        };
        let start = open + 1;
        let within = rest.get(..=MAX_XML_ATTRIBUTE_BYTES).unwrap_or(rest);
        let Some(value) = memchr::memchr(quote, within).and_then(|end| rest.get(..end)) else {
            if within.len() == rest.len() {
                return ill_formed(open, "an attribute's value does not end");
            }
            let problem = format!("an attribute's value is longer than {MAX_XML_ATTRIBUTE_BYTES} bytes");
            return fail(open, "xml.attribute-length", problem);
        };
        let plain = chars::stands_for_itself(value);
        if !plain {
            self.check_references(value, start)?;
        }
        Ok(Value { start, end: start + value.len(), plain })
    }

    /// Checks a value that begins at `start` and does not stand for itself.
    fn check_references(&self, value: &[u8], start: usize) -> Outcome<()> {
        for at in memchr::memchr2_iter(b'<', b'&', value) {
            let here = start + at;
            if value.get(at) == Some(&b'<') {
                return ill_formed(here, "< in an attribute's value");
            }
            match self.text.get(here..start + value.len()).and_then(chars::reference) {
                Some(_) => {}
                None => return bad_reference(here),
            }
        }
        Ok(())
    }

    /// Takes a namespace declaration into force; `before` is how many there were before this tag.
    fn bind(
        &mut self,
        name: std::ops::Range<usize>,
        value: Value,
        element: u32,
        before: usize,
    ) -> Outcome<()> {
        let at = name.start;
        let prefix = self.bytes.get(name.clone()).unwrap_or_default();
        let raw = self.text.get(value.start..value.end).unwrap_or_default();
        let uri = super::arena::attribute_value(raw, value.plain);
        match (prefix, &*uri) {
            (b"xml", uri) if uri == Ns::XML.uri() => return Ok(()),
            (b"xml", _) => return fail(at, "xml.namespace", "the prefix xml cannot mean anything else"),
            (b"xmlns", _) => return fail(at, "xml.namespace", "the prefix xmlns cannot be declared"),
            (_, uri) if uri == Ns::XML.uri() || uri == XMLNS_URI => {
                return fail(at, "xml.namespace", "this namespace cannot have another prefix");
            }
            (prefix, "") if !prefix.is_empty() => {
                return fail(at, "xml.namespace", "a prefix cannot be declared for no namespace");
            }
            _ => {}
        }
        let packed = Prefix::new(prefix);
        if self.find(packed, prefix).is_some_and(|place| place >= before) {
            return fail(at, "xml.namespace", "a prefix is declared twice on one element");
        }
        if uri.len() > MAX_XML_NAMESPACE_BYTES {
            let problem = format!("a namespace's name is longer than {MAX_XML_NAMESPACE_BYTES} bytes");
            return fail(at, "xml.namespace-length", problem);
        }
        if self.in_force.len() >= MAX_XML_BINDINGS {
            let problem = format!("more than {MAX_XML_BINDINGS} namespace declarations are in force");
            return fail(at, "xml.namespaces", problem);
        }
        let Some(ns) = self.arena.intern(&uri) else {
            return fail(at, "xml.namespaces", format!("more than {MAX_XML_NAMESPACES} namespaces"));
        };
        if self.arena.bindings.len() >= MAX_XML_NODES {
            return fail(at, "xml.nodes", format!("more than {MAX_XML_NODES} namespace declarations"));
        }
        let outer = self.in_force.last().map_or(NO_BINDING, |(_, binding)| *binding);
        self.in_force.push((packed, self.arena.bindings.len() as u32));
        self.arena.bindings.push(Binding {
            prefix: name.start as u32,
            prefix_length: prefix.len() as u16,
            ns,
            element,
            outer,
        });
        Ok(())
    }

    /// Gives the attributes from `first` on their namespaces and compares them with each other.
    fn resolve_attributes(&mut self, first: usize) -> Outcome<()> {
        for (offset, name) in self.names.iter().enumerate() {
            if name.prefix == 0 {
                continue;
            }
            let prefix = self.bytes.get(name.start..name.start + name.prefix).unwrap_or_default();
            let ns = self.resolve(prefix, name.start)?;
            if let Some(attribute) = self.arena.attributes.get_mut(first + offset) {
                attribute.ns = ns;
            }
        }
        let attributes = self.arena.attributes.get(first..).unwrap_or_default();
        for (place, one) in attributes.iter().enumerate().skip(1) {
            let twin = attributes.iter().take(place).any(|other| {
                one.local_length == other.local_length
                    && one.ns == other.ns
                    && self.bytes.get(one.name()) == self.bytes.get(other.name())
            });
            if twin {
                return ill_formed(one.local as usize, "an attribute is given twice");
            }
        }
        Ok(())
    }

    /// What a prefix means here; `at` is where it stands.
    fn resolve(&self, prefix: &[u8], at: usize) -> Outcome<Ns> {
        match self.find(Prefix::new(prefix), prefix) {
            Some(place) => {
                let binding =
                    self.in_force.get(place).and_then(|(_, index)| self.arena.bindings.get(*index as usize));
                Ok(binding.map_or(Ns::NONE, |binding| binding.ns))
            }
            None if prefix.is_empty() => Ok(Ns::NONE),
            None if prefix == b"xml" => Ok(Ns::XML),
            None => fail(at, "xml.namespace", "the prefix is not declared"),
        }
    }

    /// The innermost place in `in_force` that binds the prefix.
    fn find(&self, packed: Prefix, prefix: &[u8]) -> Option<usize> {
        self.in_force.iter().rposition(|(candidate, index)| {
            *candidate == packed
                && (packed.is_whole()
                    || self
                        .arena
                        .bindings
                        .get(*index as usize)
                        .is_some_and(|binding| self.bytes.get(binding.prefix()) == Some(prefix)))
        })
    }
}

/// An attribute's value without its quotes; `plain` if it stands for itself.
struct Value {
    start: usize,
    end: usize,
    plain: bool,
}

fn outside_of_everything<T>(at: usize) -> Outcome<T> {
    ill_formed(at, "text outside of the document element")
}

fn document_type<T>(at: usize) -> Outcome<T> {
    fail(at, "xml.dtd", "a document type declaration is not allowed (SOAP 1.2 Part 1, 5)")
}

fn bad_reference<T>(at: usize) -> Outcome<T> {
    fail(at, "xml.entity", "a reference to none of XML's five entities nor to a character that XML allows")
}
