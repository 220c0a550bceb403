//! multipart/related in both directions, streaming: a tolerant reader and a strict writer (RFC 2046, RFC 2387).

mod decode;
mod header;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use header::{ContentType, decode_content_id};
pub use reader::{MultipartReader, PartHeaders};
pub use writer::{Part, multipart};
pub(crate) use writer::{line_safe, root_alone};
