//! The envelope as received: addressing, headers, body.

use crate::wire::xml::{Element, Tree};

/// The anonymous address: the reply goes back on the same connection.
pub const ANONYMOUS: &str = "http://www.w3.org/2005/08/addressing/anonymous";
/// The address that wants no reply.
pub const NONE_ADDRESS: &str = "http://www.w3.org/2005/08/addressing/none";

/// WS-Addressing headers of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addressing {
    /// wsa:Action.
    pub action: Option<String>,
    /// wsa:MessageID.
    pub message_id: Option<String>,
    /// wsa:To.
    pub to: Option<String>,
    /// wsa:ReplyTo/wsa:Address; absent counts as anonymous.
    pub reply_to: Option<String>,
    /// wsa:FaultTo/wsa:Address.
    pub fault_to: Option<String>,
    /// wsa:RelatesTo.
    pub relates_to: Option<String>,
}

/// A parsed SOAP 1.2 envelope.
#[derive(Debug)]
pub struct Envelope {
    /// The whole message.
    pub tree: Tree,
    /// Its addressing headers.
    pub addressing: Addressing,
    /// Index of the body's one child element, if it has one.
    pub(super) body_child: Option<u32>,
    /// Index of soap:Header, if there is one.
    pub(super) header: Option<u32>,
}

impl Envelope {
    /// The body's one child element.
    pub fn body(&self) -> Option<Element<'_>> {
        self.body_child.map(|index| self.tree.element(index))
    }
    /// The header block.
    pub fn header(&self) -> Option<Element<'_>> {
        self.header.map(|index| self.tree.element(index))
    }
}
