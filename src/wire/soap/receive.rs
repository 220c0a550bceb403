//! From an HTTP body to a message: the envelope is parsed while the parts behind it are still arriving.

use crate::limits::Limits;
use crate::wire::soap::{Fault, Message};
use crate::wire::stream::{Body, StreamError};
use crate::wire::xml::XmlError;

/// Why bytes are no SOAP message for us. [`SoapError::fault`] says what the sender is told.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SoapError {
    /// No or another Content-Type than SOAP 1.2's or multipart/related; holds what was there.
    #[error(
        "Content-Type {0:?} is neither application/soap+xml nor multipart/related with application/xop+xml"
    )]
    ContentType(String),
    /// Content-Encoding is not read.
    #[error("Content-Encoding {0:?} is not accepted; send the message unencoded")]
    ContentEncoding(String),
    /// There was no body at all.
    #[error("the message is empty")]
    Empty,
    /// Not XML, or beyond a bound.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// Not an envelope, two bodies, and the like: the rule's name and what is wrong.
    #[error("{1} ({0})")]
    Envelope(&'static str, String),
    /// A SOAP 1.1 envelope.
    #[error("this is a SOAP 1.1 envelope; SOAP 1.2 is required")]
    Version,
    /// MIME rules broken, a limit exceeded, or the connection ended.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

impl SoapError {
    /// The fault that the sender is told.
    pub fn fault(&self) -> Fault {
        todo!()
    }
}

/// Reads a message up to the end of its envelope.
#[allow(unused_variables)]
pub async fn receive(headers: &hyper::HeaderMap, body: Body, limits: &Limits) -> Result<Message, SoapError> {
    todo!()
}
