//! Bytes to messages and back: XML, MIME, SOAP, HTTP, HL7 v2; malware scanners' protocols. Knows no IHE.

pub mod aside;
pub mod hl7v2;
pub mod http;
pub mod listen;
pub mod media;
pub mod mime;
pub mod scanner;
pub mod soap;
pub mod stream;
pub mod xml;
