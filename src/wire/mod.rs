//! Bytes to messages and back: XML, MIME, SOAP, HTTP, HL7 v2. Knows no IHE.

pub mod hl7v2;
pub mod http;
pub mod listen;
pub mod mime;
pub mod soap;
pub mod stream;
pub mod xml;
