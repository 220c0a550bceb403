//! The writer: exactly the form that Axis2, CXF, WCF and Metro read.
//!
//! Peers match parts of it as text, so nothing here is free: the order of the parameters, the quotes, the brackets in
//! `start` and in Content-ID, CRLF everywhere, the three headers of a part (user pains 1, 6, 10, 99).

use crate::wire::stream::{self, Body, Content};

/// A part to write.
#[derive(Debug)]
pub struct Part {
    /// Without brackets.
    pub content_id: String,
    /// Its Content-Type.
    pub content_type: String,
    /// Its bytes.
    pub content: Content,
}

/// A multipart/related message: the Content-Type header, its length where every part's is known, and the body. The first
/// part is the root.
pub fn multipart(action: &str, parts: Vec<Part>) -> (String, Option<u64>, Body) {
    let boundary = new_boundary();
    let start = parts.first().map(|root| root.content_id.as_str()).unwrap_or_default();
    let content_type = content_type(action, start, &boundary);
    let mut contents = Vec::with_capacity(2 * parts.len() + 1);
    let mut before = "";
    for part in parts {
        contents.push(Content::from_bytes(
            before.to_owned() + &part_head(&boundary, &part.content_type, &part.content_id),
        ));
        contents.push(part.content);
        before = "\r\n";
    }
    contents.push(Content::from_bytes(format!("{before}--{boundary}--\r\n")));
    let (length, body) = stream::body(contents);
    (content_type, length, body)
}

/// A multipart/related message that is only its root part: the Content-Type header and the body.
pub(crate) fn root_alone(
    action: &str,
    content_id: &str,
    part_type: &str,
    content: &[u8],
) -> (String, Vec<u8>) {
    let boundary = new_boundary();
    let head = part_head(&boundary, part_type, content_id);
    let end = format!("\r\n--{boundary}--\r\n");
    (content_type(action, content_id, &boundary), [head.as_bytes(), content, end.as_bytes()].concat())
}

/// A boundary that stands in no document, since nobody can know it beforehand: 49 of the 70 characters allowed.
fn new_boundary() -> String {
    format!("MIMEBoundary_{}", uuid::Uuid::new_v4())
}

fn content_type(action: &str, start: &str, boundary: &str) -> String {
    format!(
        "multipart/related; type=\"application/xop+xml\"; start=\"<{}>\"; start-info=\"application/soap+xml\"; \
         action=\"{}\"; boundary=\"{boundary}\"",
        line_safe(start),
        line_safe(action),
    )
}

fn part_head(boundary: &str, content_type: &str, content_id: &str) -> String {
    format!(
        "--{boundary}\r\nContent-Type: {}\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <{}>\r\n\r\n",
        header_safe(content_type),
        line_safe(content_id),
    )
}

/// A value as it may stand in quotes or brackets: visible ASCII without what would end it. Values are ours, or were
/// received as identifiers; what is dropped here could only be an attempt to write headers.
pub(crate) fn line_safe(value: &str) -> String {
    value.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '<' | '>')).collect()
}

/// A whole header value: printable ASCII.
fn header_safe(value: &str) -> String {
    value.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect()
}
