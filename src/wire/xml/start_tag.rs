//! Changing one attribute of a start tag that is known to be well-formed, without touching anything else.

use super::write::{escape_attribute, push_attribute};

/// The start tag with the attribute set to the value: replaced in place, or added behind the element's name.
pub fn set_attribute(start_tag: &[u8], name: &str, value: &str) -> Vec<u8> {
    let name_end =
        start_tag.iter().position(|b| b.is_ascii_whitespace() || matches!(b, b'>' | b'/')).unwrap_or(0);
    let mut out = Vec::with_capacity(start_tag.len() + name.len() + value.len() + 16);
    match value_of(start_tag, name_end, name) {
        Some((from, to)) => {
            out.extend_from_slice(&start_tag[..from]);
            out.push(b'"');
            escape_attribute(&mut out, value);
            out.push(b'"');
            out.extend_from_slice(&start_tag[to..]);
        }
        None => {
            out.extend_from_slice(&start_tag[..name_end]);
            push_attribute(&mut out, "", name, value);
            out.extend_from_slice(&start_tag[name_end..]);
        }
    }
    out
}

/// Where the value of an attribute stands, with its quotes, which may be single ones.
fn value_of(tag: &[u8], mut at: usize, wanted: &str) -> Option<(usize, usize)> {
    loop {
        let skip = |from: usize, stop: fn(&u8) -> bool| {
            tag.get(from..).and_then(|rest| rest.iter().position(stop)).map(|n| from + n)
        };
        let name_from = skip(at, |b| !b.is_ascii_whitespace())?;
        let equals = skip(name_from, |b| *b == b'=')?;
        let quote_at = skip(equals, |b| matches!(b, b'"' | b'\''))?;
        let quote = *tag.get(quote_at)?;
        let end = quote_at + 1 + memchr::memchr(quote, tag.get(quote_at + 1..)?)?;
        if tag[name_from..equals].trim_ascii() == wanted.as_bytes() {
            return Some((quote_at, end + 1));
        }
        at = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::set_attribute;

    fn set(tag: &str, value: &str) -> String {
        String::from_utf8(set_attribute(tag.as_bytes(), "home", value)).unwrap()
    }

    #[test]
    fn an_attribute_is_replaced_or_added() {
        assert_eq!(set("<a>", "x"), "<a home=\"x\">");
        assert_eq!(set("<a/>", "x"), "<a home=\"x\"/>");
        assert_eq!(
            set("<n:a id = 'home=\"1\"' home='old' z=\"1\">", "a&b"),
            "<n:a id = 'home=\"1\"' home=\"a&amp;b\" z=\"1\">"
        );
        assert_eq!(set("<a\n  home\n=\n\"\"\n>", "x"), "<a\n  home\n=\n\"x\"\n>");
        assert_eq!(set("<a x:home=\"1\">", "x"), "<a home=\"x\" x:home=\"1\">");
    }
}
