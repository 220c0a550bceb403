//! From a body and its documents to an HTTP message.

use bytes::Bytes;

use crate::wire::soap::Form;
use crate::wire::stream::{Body, Content};

/// A document part. The body refers to it by `cid:` + `content_id` in an xop:Include; in [`Form::Simple`] there are no
/// attachments: the body holds base64.
#[derive(Debug)]
pub struct Attachment {
    /// Without brackets; characters that need no percent-encoding.
    pub content_id: String,
    /// Its media type; `application/octet-stream` where nothing better is known.
    pub content_type: String,
    /// Its bytes.
    pub content: Content,
}

/// A message to send.
#[derive(Debug)]
pub struct Outgoing {
    /// How it travels.
    pub form: Form,
    /// wsa:Action.
    pub action: String,
    /// wsa:To; None leaves it out (replies to anonymous).
    pub to: Option<String>,
    /// The message's own wsa:MessageID; a new one if None.
    pub message_id: Option<String>,
    /// wsa:RelatesTo, on replies. None means that this is a request: wsa:ReplyTo anonymous is written.
    pub relates_to: Option<String>,
    /// The body's child element as slices: it declares every namespace that it uses.
    pub body: Vec<Bytes>,
    /// Documents.
    pub attachments: Vec<Attachment>,
}

/// What goes to hyper.
pub struct Reply {
    /// The Content-Type header.
    pub content_type: String,
    /// The length, where it is known.
    pub length: Option<u64>,
    /// The bytes.
    pub body: Body,
    /// The wsa:MessageID that was written.
    pub message_id: String,
}

/// Serialises a message.
#[allow(unused_variables)]
pub fn send(message: Outgoing) -> Reply {
    todo!()
}
