//! From a body and its documents to an HTTP message.

use bytes::Bytes;
use uuid::Uuid;

use super::ANONYMOUS;
use crate::wire::mime::{self, Part, line_safe};
use crate::wire::soap::Form;
use crate::wire::stream::{self, Body, Content};
use crate::wire::xml::{Ns, Writer};

/// Content-ID of the root part. One per message is enough: it is only looked for within the message.
pub(super) const ROOT_CONTENT_ID: &str = "root.message@sekisho";
/// Content-Type of the root part (XOP 1.0, 4.1; MTOM's HTTP binding, 3).
pub(super) const ROOT_CONTENT_TYPE: &str =
    "application/xop+xml; charset=UTF-8; type=\"application/soap+xml\"";

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
#[derive(Debug, Default)]
pub struct Outgoing {
    /// How it travels.
    pub form: Form,
    /// wsa:Action.
    pub action: String,
    /// wsa:To; None leaves it out (replies to anonymous).
    pub to: Option<String>,
    /// The message's own wsa:MessageID; a new one if None.
    pub message_id: Option<String>,
    /// wsa:RelatesTo, on replies; empty on one to a message without wsa:MessageID, which then relates to nothing. None
    /// means that this is a request: wsa:ReplyTo is written.
    pub relates_to: Option<String>,
    /// Where the answer to a request shall come; None is the anonymous address. On replies it says nothing.
    pub reply_to: Option<String>,
    /// Header blocks behind those of the addressing: whole elements, each declares every namespace that it uses but
    /// `soap` and `wsa`.
    pub headers: Vec<Bytes>,
    /// The body's child element as slices: it declares every namespace that it uses.
    pub body: Vec<Bytes>,
    /// Documents.
    pub attachments: Vec<Attachment>,
}

impl Outgoing {
    /// The same message once more, with the same wsa:MessageID if it has one; None where a document is not in memory.
    pub fn again(&self) -> Option<Self> {
        let again = |attachment: &Attachment| {
            Some(Attachment {
                content_id: attachment.content_id.clone(),
                content_type: attachment.content_type.clone(),
                content: attachment.content.again()?,
            })
        };
        Some(Self {
            form: self.form,
            action: self.action.clone(),
            to: self.to.clone(),
            message_id: self.message_id.clone(),
            relates_to: self.relates_to.clone(),
            reply_to: self.reply_to.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
            attachments: self.attachments.iter().map(again).collect::<Option<_>>()?,
        })
    }
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
pub fn send(message: Outgoing) -> Reply {
    let message_id = message.message_id.unwrap_or_else(|| format!("urn:uuid:{}", Uuid::new_v4()));
    let headers = Headers {
        action: &message.action,
        message_id: &message_id,
        to: message.to.as_deref(),
        relates_to: message.relates_to.as_deref(),
        reply_to: message.reply_to.as_deref(),
        more: &message.headers,
    };
    let envelope = headers.envelope(message.body);
    let (content_type, length, body) = match message.form {
        Form::Simple => {
            debug_assert!(message.attachments.is_empty(), "a simple message holds its documents inline");
            let (length, body) = stream::body([envelope]);
            (simple_content_type(&message.action), length, body)
        }
        Form::Mtom => {
            let root = Part {
                content_id: ROOT_CONTENT_ID.to_owned(),
                content_type: ROOT_CONTENT_TYPE.to_owned(),
                content: envelope,
            };
            let documents = message.attachments.into_iter().map(|attachment| Part {
                content_id: attachment.content_id,
                content_type: attachment.content_type,
                content: attachment.content,
            });
            mime::multipart(&message.action, std::iter::once(root).chain(documents).collect())
        }
    };
    Reply { content_type, length, body, message_id }
}

/// The Content-Type of a message without parts.
pub(super) fn simple_content_type(action: &str) -> String {
    format!("application/soap+xml; charset=UTF-8; action=\"{}\"", line_safe(action))
}

/// The addressing of a message that we write.
pub(super) struct Headers<'a> {
    pub(super) action: &'a str,
    pub(super) message_id: &'a str,
    pub(super) to: Option<&'a str>,
    pub(super) relates_to: Option<&'a str>,
    pub(super) reply_to: Option<&'a str>,
    pub(super) more: &'a [Bytes],
}

impl Headers<'_> {
    /// Writes the envelope's start up to the addressing headers; soap:Header is left open for others.
    pub(super) fn start(&self, w: &mut Writer) {
        w.start(Ns::SOAP, "Envelope").declare(&[Ns::SOAP, Ns::WSA]).start(Ns::SOAP, "Header");
        // On answers too: there are requesters who insist (user pain 23).
        w.start(Ns::WSA, "Action").attr_ns(Ns::SOAP, "mustUnderstand", "1").text(self.action).end();
        w.leaf(Ns::WSA, "MessageID", self.message_id);
        if let Some(to) = self.to {
            w.leaf(Ns::WSA, "To", to);
        }
        match self.relates_to {
            Some("") => {}
            Some(relates_to) => {
                w.leaf(Ns::WSA, "RelatesTo", relates_to);
            }
            None => {
                let address = self.reply_to.unwrap_or(ANONYMOUS);
                w.start(Ns::WSA, "ReplyTo").leaf(Ns::WSA, "Address", address).end();
            }
        }
        for block in self.more {
            w.raw(block);
        }
    }

    /// The whole envelope, `body` untouched in its middle.
    fn envelope(&self, body: Vec<Bytes>) -> Content {
        let mut w = Writer::with_capacity(1024);
        self.start(&mut w);
        w.end().start(Ns::SOAP, "Body");
        let before = w.len();
        w.end().end();
        let frame = Bytes::from(w.finish());
        let mut head = Vec::with_capacity(body.len() + 2);
        head.push(frame.slice(..before));
        head.extend(body);
        head.push(frame.slice(before..));
        let length = head.iter().map(|slice| slice.len() as u64).sum();
        Content { length: Some(length), head, rest: None }
    }
}
