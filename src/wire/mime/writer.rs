//! The writer: exactly the form that Axis2, CXF, WCF and Metro read.

use crate::wire::stream::{Body, Content};

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
#[allow(unused_variables)]
pub fn multipart(action: &str, parts: Vec<Part>) -> (String, Option<u64>, Body) {
    todo!()
}
