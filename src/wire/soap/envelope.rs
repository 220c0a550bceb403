//! The envelope as received: its shape (SOAP 1.2 Part 1, 5), its addressing (WS-Addressing 1.0 SOAP Binding; ITI TF-2:
//! V.3.2), and what an endpoint demands of both.

use super::fault::{ACTION_MISMATCH, INVALID_HEADER};
use super::{Fault, FaultCode, SoapError};
use crate::limits;
use crate::wire::xml::{Element, Ns, Tree};

/// The anonymous address: the reply goes back on the same connection.
pub const ANONYMOUS: &str = "http://www.w3.org/2005/08/addressing/anonymous";
/// The address that wants no reply.
pub const NONE_ADDRESS: &str = "http://www.w3.org/2005/08/addressing/none";

/// RelationshipType of wsa:RelatesTo on a reply; also what its absence means.
const REPLY: &str = "http://www.w3.org/2005/08/addressing/reply";
/// Roles in which we act. Header blocks for others are not for us (SOAP 1.2 Part 1, 2.2).
const OUR_ROLES: [&str; 3] = [
    "",
    "http://www.w3.org/2003/05/soap-envelope/role/next",
    "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver",
];
/// Header blocks that are understood at every endpoint, beside all of WS-Addressing: wsse:Security is verified where
/// assertions are ([`crate::trust`]), and passed over where they are not (user pain 27).
const UNDERSTOOD: [(Ns, &str); 1] = [(Ns::WSSE, "Security")];

/// WS-Addressing headers of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addressing {
    /// wsa:Action.
    pub action: Option<String>,
    /// wsa:MessageID.
    pub message_id: Option<String>,
    /// wsa:To.
    pub to: Option<String>,
    /// wsa:ReplyTo/wsa:Address; absent counts as anonymous. Empty where the header has no address.
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

    /// The wsse:Security blocks that are for us.
    pub fn security(&self) -> impl Iterator<Item = Element<'_>> {
        for_us(self.header()).filter(|block| block.is(Ns::WSSE, "Security"))
    }

    /// Finds header and body, and reads the addressing.
    pub fn read(tree: Tree) -> Result<Envelope, SoapError> {
        let (header, body) = header_and_body(tree.root())?;
        let addressing = header.map(Addressing::read).transpose()?.unwrap_or_default();
        let body_child = body.children().next().map(Element::index);
        let header = header.map(Element::index);
        Ok(Envelope { addressing, body_child, header, tree })
    }

    /// What every endpoint demands of a request's headers, before its body is looked at: header blocks that must be
    /// understood are (those of `understood`, as namespace and local name, besides the ones that always are), there is a
    /// wsa:Action and it is one of `actions`. Where the answer goes is [`Envelope::route`]'s.
    ///
    /// Dispatch on the body's element and give the actions that belong to it: then a message whose action says something
    /// else than its body is refused (CVE-2012-3451). The `action` parameter of the Content-Type and a SOAPAction header
    /// decide nothing (ITI TF-2: V.3.2).
    pub fn check(&self, actions: &[&str], understood: &[(&str, &str)]) -> Result<(), Box<Fault>> {
        self.all_understood(understood)?;
        let Some(action) = &self.addressing.action else {
            return Err(Box::new(Fault::header_required("wsa:Action", "V.3.2.2")));
        };
        if !actions.contains(&action.as_str()) {
            let reason = format!(
                "wsa:Action is {action:?}; the message's body needs {} (ITI TF-2: V.3.2.2)",
                actions.join(" or ")
            );
            let mut fault = Fault::addressing(&[INVALID_HEADER, ACTION_MISMATCH], reason);
            fault.problem_action = Some(action.clone());
            return Err(Box::new(fault));
        }
        if self.addressing.message_id.is_none() {
            metrics::counter!("sekisho_soap_requests_without_message_id_total").increment(1);
        }
        Ok(())
    }

    fn all_understood(&self, understood: &[(&str, &str)]) -> Result<(), Box<Fault>> {
        let not_understood: Vec<_> = for_us(self.header())
            .filter(|block| {
                let must = block.attr_ns(Ns::SOAP, "mustUnderstand");
                matches!(must.as_deref().map(str::trim), Some("1" | "true"))
            })
            .map(|block| (block.ns(), self.tree.uri(block.ns()), block.local()))
            .filter(|(ns, uri, local)| {
                *ns != Ns::WSA && !UNDERSTOOD.contains(&(*ns, local)) && !understood.contains(&(uri, local))
            })
            .map(|(_, uri, local)| (uri.to_owned(), local.to_owned()))
            .take(limits::MAX_NOT_UNDERSTOOD)
            .collect();
        if not_understood.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = not_understood.iter().map(|(uri, local)| format!("{{{uri}}}{local}")).collect();
        let mut fault = Fault::new(
            FaultCode::MustUnderstand,
            format!(
                "these header blocks must be understood and are not: {} (SOAP 1.2 Part 1, 5.4.8)",
                names.join(", ")
            ),
        );
        fault.not_understood = not_understood;
        Err(Box::new(fault))
    }
}

/// soap:Header, if there is one, and soap:Body of an envelope that has the shape of SOAP 1.2.
fn header_and_body(root: Element<'_>) -> Result<(Option<Element<'_>>, Element<'_>), SoapError> {
    if root.is(Ns::SOAP11, "Envelope") {
        return Err(SoapError::Version);
    }
    if !root.is(Ns::SOAP, "Envelope") {
        return Err(broken("soap.envelope", "the document element is not soap:Envelope of SOAP 1.2"));
    }
    let mut children = root.children().peekable();
    let header = children.next_if(|child| child.is(Ns::SOAP, "Header"));
    let body = match children.next() {
        Some(body) if body.is(Ns::SOAP, "Body") => body,
        Some(_) => {
            return Err(broken("soap.body", "soap:Envelope holds something else before its soap:Body"));
        }
        None => return Err(broken("soap.body", "soap:Envelope has no soap:Body")),
    };
    if children.next().is_some() {
        return Err(broken("soap.body", "soap:Envelope holds something behind its soap:Body"));
    }
    if body.children().nth(1).is_some() {
        return Err(broken("soap.body", "soap:Body holds more than one element"));
    }
    if [Some(root), header, Some(body)].into_iter().flatten().any(|e| !e.text().trim().is_empty()) {
        return Err(broken("soap.text", "soap:Envelope, soap:Header and soap:Body hold elements only"));
    }
    Ok((header, body))
}

/// The header blocks that are for us.
pub(super) fn for_us(header: Option<Element<'_>>) -> impl Iterator<Item = Element<'_>> {
    header.into_iter().flat_map(Element::children).filter(|block| {
        let role = block.attr_ns(Ns::SOAP, "role");
        OUR_ROLES.contains(&role.as_deref().map_or("", str::trim))
    })
}

impl Addressing {
    fn read(header: Element<'_>) -> Result<Addressing, SoapError> {
        let mut addressing = Addressing::default();
        let mut from = None;
        for block in for_us(Some(header)).filter(|block| block.ns() == Ns::WSA) {
            let (name, place) = match block.local() {
                "Action" => ("wsa:Action", &mut addressing.action),
                "MessageID" => ("wsa:MessageID", &mut addressing.message_id),
                "To" => ("wsa:To", &mut addressing.to),
                "From" => ("wsa:From", &mut from),
                "ReplyTo" => ("wsa:ReplyTo", &mut addressing.reply_to),
                "FaultTo" => ("wsa:FaultTo", &mut addressing.fault_to),
                // The one header that may stand there several times: one for each kind of relationship.
                "RelatesTo" if block.attr("RelationshipType").is_none_or(|kind| kind == REPLY) => {
                    let relates_to = block.text();
                    within_bounds("wsa:RelatesTo", Some(&relates_to))?;
                    addressing.relates_to.get_or_insert_with(|| relates_to.trim().to_owned());
                    continue;
                }
                _ => continue,
            };
            let endpoint = matches!(block.local(), "From" | "ReplyTo" | "FaultTo");
            let value = match endpoint {
                true => block.child(Ns::WSA, "Address").map(|address| address.text().trim().to_owned()),
                false => Some(block.text().trim().to_owned()).filter(|text| !text.is_empty()),
            };
            if place.is_some() {
                return Err(SoapError::DuplicateHeader(name));
            }
            within_bounds(name, value.as_deref())?;
            *place = if endpoint { Some(value.unwrap_or_default()) } else { value };
        }
        Ok(addressing)
    }
}

/// Addresses and identifiers are repeated in answers: a large one would cost several times its size.
fn within_bounds(header: &'static str, value: Option<&str>) -> Result<(), SoapError> {
    const MOST: usize = limits::MAX_ADDRESSING_BYTES;
    match value {
        Some(value) if value.len() > MOST => {
            Err(broken("soap.addressing-length", &format!("{header} is longer than {MOST} bytes")))
        }
        _ => Ok(()),
    }
}

fn broken(rule: &'static str, problem: &str) -> SoapError {
    SoapError::Envelope(rule, problem.to_owned())
}
