//! Content-Type and its parameters, Content-ID and cid: URLs, as tolerant as the field needs (RFC 2045, RFC 2392).

use std::borrow::Cow;

/// A parsed Content-Type: type in lower case, parameters by lower-case name, in any order and quoting.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContentType {
    /// `multipart/related`, lower case.
    pub essence: String,
    /// Parameters: lower-case names, unquoted values.
    pub parameters: Vec<(String, String)>,
}

impl ContentType {
    /// Reads a header value. None where there is no type at all.
    ///
    /// Never fails otherwise: an unquoted value ends at the next semicolon whatever it holds (`type=application/xop+xml`
    /// and `boundary=uuid:1+id=1` are seen in the field), an unterminated quote at the end of the header.
    pub fn parse(value: &str) -> Option<ContentType> {
        let (essence, mut rest) = value.split_once(';').unwrap_or((value, ""));
        let essence = essence.trim().to_ascii_lowercase();
        if essence.is_empty() {
            return None;
        }
        let mut parameters = Vec::new();
        loop {
            rest = rest.trim_start_matches([';', ' ', '\t', '\r', '\n']);
            if rest.is_empty() {
                return Some(ContentType { essence, parameters });
            }
            let name_end = rest.find(['=', ';']).unwrap_or(rest.len());
            let (name, behind) = rest.split_at(name_end);
            rest = behind;
            if let Some(behind) = rest.strip_prefix('=') {
                let (value, behind) = parameter_value(behind.trim_start());
                parameters.push((name.trim().to_ascii_lowercase(), value));
                rest = behind;
            }
        }
    }

    /// A parameter's value, by its lower-case name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// A parameter's value at the start of `text`, and what stands behind it, up to and without the next semicolon.
fn parameter_value(text: &str) -> (String, &str) {
    let to_semicolon = |text: &str| text.find(';').unwrap_or(text.len());
    let Some(mut quoted) = text.strip_prefix('"') else {
        let (value, behind) = text.split_at(to_semicolon(text));
        return (value.trim().to_owned(), behind);
    };
    let mut value = String::new();
    while let Some((run, behind)) = quoted.find(['"', '\\']).map(|end| quoted.split_at(end)) {
        value.push_str(run);
        let mut behind = behind.chars();
        if behind.next() == Some('"') {
            let behind = behind.as_str();
            return (value, &behind[to_semicolon(behind)..]);
        }
        value.extend(behind.next());
        quoted = behind.as_str();
    }
    value.push_str(quoted);
    (value, "")
}

/// The identifier that a Content-ID header (`<…>` or bare) or a `cid:` URL (percent-encoded or not) names, for comparing.
///
/// Stacks disagree on which side is percent-encoded, and how often (CXF encodes the header's namespace part and then,
/// in some versions, the URL again): both sides are decoded until nothing changes.
pub fn decode_content_id(text: &str) -> String {
    let text = text.trim();
    let text = match text.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("cid:") => text[4..].trim(),
        _ => text,
    };
    let text = text.strip_prefix('<').unwrap_or(text);
    let mut id = text.strip_suffix('>').unwrap_or(text).trim().to_owned();
    for _ in 0..MAX_PERCENT_LAYERS {
        match percent_decode(&id) {
            Cow::Owned(decoded) => id = decoded,
            Cow::Borrowed(_) => break,
        }
    }
    id
}

/// Percent-encoding over percent-encoding: two layers are known to exist.
const MAX_PERCENT_LAYERS: usize = 3;

/// Undoes one layer of percent-encoding; borrowed where there is none, or where the result would not be UTF-8.
fn percent_decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let hex = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16)).map(|d| d as u8);
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&b) = bytes.get(at) {
        match (b, hex(bytes.get(at + 1)), hex(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high << 4 | low);
                at += 3;
            }
            _ => {
                decoded.push(b);
                at += 1;
            }
        }
    }
    match String::from_utf8(decoded) {
        Ok(decoded) if decoded.len() < text.len() => Cow::Owned(decoded),
        _ => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_in_any_order_case_and_quoting() {
        for text in [
            r#"multipart/related; type="application/xop+xml"; start="<a@b>"; boundary="x:y+z=1""#,
            r#"Multipart/Related;BOUNDARY=x:y+z=1;Start=<a@b>;TYPE=application/xop+xml;"#,
            "multipart/related ;\r\n\tboundary = \"x:y+z=1\" ; start=\"<a@b>\" junk; type = application/xop+xml ; ;",
        ] {
            let parsed = ContentType::parse(text).unwrap();
            assert_eq!(parsed.essence, "multipart/related", "{text}");
            assert_eq!(parsed.parameter("boundary"), Some("x:y+z=1"), "{text}");
            assert_eq!(parsed.parameter("start"), Some("<a@b>"), "{text}");
            assert_eq!(parsed.parameter("type"), Some("application/xop+xml"), "{text}");
        }
    }

    #[test]
    fn quotes_may_be_escaped_hold_semicolons_and_never_end() {
        let parsed = ContentType::parse(r#"a/b; x="1;2\"3\\"; y="open; z=1"#).unwrap();
        assert_eq!(parsed.parameter("x"), Some(r#"1;2"3\"#));
        assert_eq!(parsed.parameter("y"), Some("open; z=1"));
        assert_eq!(ContentType::parse("a/b; flag; y=1").unwrap().parameter("y"), Some("1"));
        assert_eq!(ContentType::parse(r#"a/b; y="\"#).unwrap().parameter("y"), Some(""));
    }

    #[test]
    fn no_type_is_none() {
        assert_eq!(ContentType::parse(""), None);
        assert_eq!(ContentType::parse(" ; boundary=x"), None);
    }

    #[test]
    fn content_ids_compare_whatever_their_dress() {
        for text in [
            "<http://tempuri.org/0>",
            "http://tempuri.org/0",
            "cid:http%3A%2F%2Ftempuri.org%2F0",
            "CID:http%3a%2f%2ftempuri.org%2f0",
            " <http%3A%2F%2Ftempuri.org%2F0> ",
            "cid:http%253A%252F%252Ftempuri.org%252F0",
        ] {
            assert_eq!(decode_content_id(text), "http://tempuri.org/0", "{text}");
        }
        assert_eq!(decode_content_id("cid:100%"), "100%");
        assert_eq!(decode_content_id("cid:%ff"), "%ff");
        assert_eq!(decode_content_id("a+b@c"), "a+b@c");
        assert_eq!(decode_content_id("ééé"), "ééé");
    }
}
