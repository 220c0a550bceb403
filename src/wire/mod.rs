//! Bytes to messages and back: XML, MIME, SOAP, HTTP. Knows no IHE.

pub mod http;
pub mod mime;
pub mod soap;
pub mod stream;
pub mod xml;
