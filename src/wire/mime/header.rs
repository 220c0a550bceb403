//! Content-Type and its parameters, Content-ID and cid: URLs, as tolerant as the field needs.

/// A parsed Content-Type: type in lower case, parameters by lower-case name, in any order and quoting.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContentType {
    /// `multipart/related`, lower case.
    pub essence: String,
    /// Parameters: lower-case names, unquoted values.
    pub parameters: Vec<(String, String)>,
}

#[allow(unused_variables)]
impl ContentType {
    /// Reads a header value. None where there is no type at all.
    pub fn parse(value: &str) -> Option<ContentType> {
        todo!()
    }
    /// A parameter's value, by its lower-case name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// The identifier that a Content-ID header (`<…>` or bare) or a `cid:` URL (percent-encoded or not) names, for comparing.
#[allow(unused_variables)]
pub fn decode_content_id(text: &str) -> String {
    todo!()
}
