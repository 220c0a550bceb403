//! `[async]`: exchanges whose answers come on connections of their own (ITI TF-2: V.3).

use hyper::Uri;

use super::document::{Node, Value};
use super::section::{Section, Setting};
use super::settings::{ClientTls, client_tls};
use crate::wire::soap::AllowedReply;

/// `[async]`
#[derive(Debug, Clone, Default)]
pub struct Asynchronous {
    /// Addresses that answers may be sent to.
    pub reply_to: Vec<AllowedReply>,
    /// Our own address for answers, as others reach it; None: nobody is asked asynchronously.
    pub replies: Option<Uri>,
    /// Trust and identity towards those addresses; the identity is that of `[listen.soap]` if none is named.
    pub tls: Option<ClientTls>,
}

impl Setting for AllowedReply {
    const WANTED: &'static str = "the beginning of a URL, such as \"https://peer.example:8443/replies\"";
    fn read(node: &Node, _: &std::path::Path) -> Result<Self, Option<String>> {
        match &node.value {
            Value::Text(text) => text.parse().map_err(|problem| Some(format!("{text:?} {problem}"))),
            _ => Err(None),
        }
    }
}

/// Reads the section; without it, nothing is exchanged asynchronously.
pub fn read(top: &Section<'_>) -> Asynchronous {
    let Some(section) = top.section("async") else { return Asynchronous::default() };
    let reply_to: Vec<AllowedReply> = section.list("reply_to");
    let replies: Option<Uri> = section.optional("replies");
    let insecure = section.optional("insecure").unwrap_or(false);
    let tls = section.section("tls").and_then(client_tls);
    if reply_to.iter().any(AllowedReply::is_https) && tls.is_none() && !section.has("tls") {
        let help = "add [async.tls] with ca = \"…pem\": the CA of your peers' server certificates";
        section.error("reply_to", "https addresses need to know whom to trust", help);
    }
    if !insecure && !reply_to.iter().all(AllowedReply::is_confidential) {
        let message = "an http address that is not loopback: patients' data would travel unencrypted";
        section.error("reply_to", message, "use https; insecure = true permits it knowingly");
    }
    section.close();
    Asynchronous { reply_to, replies, tls }
}
