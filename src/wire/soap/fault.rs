//! Faults: SOAP 1.2's own and WS-Addressing's, written in schema order and read under any status and prefix
//! (SOAP 1.2 Part 1, 5.4; WS-Addressing 1.0 SOAP Binding, 6).

use uuid::Uuid;

use super::send::{Headers, ROOT_CONTENT_ID, ROOT_CONTENT_TYPE, simple_content_type};
use crate::limits;
use crate::wire::mime;
use crate::wire::soap::{Destination, Form};
use crate::wire::xml::{Element, Ns, Writer};

/// env:Code/env:Value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultCode {
    /// Not SOAP 1.2.
    VersionMismatch,
    /// A header that must be understood is not.
    MustUnderstand,
    /// An encoding that is not read.
    DataEncodingUnknown,
    /// The message is at fault; HTTP 400.
    Sender,
    /// We are; HTTP 500.
    Receiver,
}

impl FaultCode {
    /// Names in SOAP 1.2, and in 1.1 where it has others.
    const NAMES: [(&'static str, FaultCode); 7] = [
        ("VersionMismatch", FaultCode::VersionMismatch),
        ("MustUnderstand", FaultCode::MustUnderstand),
        ("DataEncodingUnknown", FaultCode::DataEncodingUnknown),
        ("Sender", FaultCode::Sender),
        ("Receiver", FaultCode::Receiver),
        ("Client", FaultCode::Sender),
        ("Server", FaultCode::Receiver),
    ];

    /// The code of a QName in content. Some stacks bind no prefix, or a wrong one: the local name decides. What is unknown
    /// is the other side's failure. SOAP 1.1 allows `Client.Detail`.
    fn read(qname: &str) -> FaultCode {
        let local = qname.rsplit(':').next().unwrap_or_default().trim();
        let local = local.split('.').next().unwrap_or_default();
        Self::NAMES.iter().find(|(name, _)| *name == local).map_or(FaultCode::Receiver, |(_, code)| *code)
    }

    fn local(self) -> &'static str {
        Self::NAMES.iter().find(|(_, code)| *code == self).map_or("Receiver", |(name, _)| name)
    }
}

/// A subcode, outermost first in [`Fault::subcodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subcode(
    /// Its namespace.
    pub Ns,
    /// Its local name, such as `InvalidAddressingHeader`.
    pub &'static str,
);

pub(super) const INVALID_HEADER: Subcode = Subcode(Ns::WSA, "InvalidAddressingHeader");
pub(super) const INVALID_CARDINALITY: Subcode = Subcode(Ns::WSA, "InvalidCardinality");
pub(super) const ACTION_MISMATCH: Subcode = Subcode(Ns::WSA, "ActionMismatch");
pub(super) const MISSING_ADDRESS: Subcode = Subcode(Ns::WSA, "MissingAddressInEPR");
pub(super) const INVALID_EPR: Subcode = Subcode(Ns::WSA, "InvalidEPR");
const ONLY_ANONYMOUS: Subcode = Subcode(Ns::WSA, "OnlyAnonymousAddressSupported");
const HEADER_REQUIRED: Subcode = Subcode(Ns::WSA, "MessageAddressingHeaderRequired");
const ACTION_NOT_SUPPORTED: Subcode = Subcode(Ns::WSA, "ActionNotSupported");

/// Subcodes that are recognised in peers' faults.
const KNOWN_SUBCODES: [Subcode; 20] = [
    INVALID_HEADER,
    INVALID_CARDINALITY,
    ACTION_MISMATCH,
    MISSING_ADDRESS,
    ONLY_ANONYMOUS,
    HEADER_REQUIRED,
    ACTION_NOT_SUPPORTED,
    Subcode(Ns::WSA, "InvalidAddress"),
    INVALID_EPR,
    Subcode(Ns::WSA, "DuplicateMessageID"),
    Subcode(Ns::WSA, "OnlyNonAnonymousAddressSupported"),
    Subcode(Ns::WSA, "DestinationUnreachable"),
    Subcode(Ns::WSA, "EndpointUnavailable"),
    Subcode(Ns::WSSE, "UnsupportedSecurityToken"),
    Subcode(Ns::WSSE, "UnsupportedAlgorithm"),
    Subcode(Ns::WSSE, "InvalidSecurity"),
    Subcode(Ns::WSSE, "InvalidSecurityToken"),
    Subcode(Ns::WSSE, "FailedAuthentication"),
    Subcode(Ns::WSSE, "FailedCheck"),
    Subcode(Ns::WSSE, "SecurityTokenUnavailable"),
];

/// A fault to send, or one that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The code.
    pub code: FaultCode,
    /// Subcodes, outermost first.
    pub subcodes: Vec<Subcode>,
    /// One sentence for people: what is wrong, where, by which rule. Never patient data, never internal text.
    pub reason: String,
    /// wsa:ProblemHeaderQName (as `prefix:local`) in the detail.
    pub problem_header: Option<&'static str>,
    /// wsa:ProblemAction in the detail.
    pub problem_action: Option<String>,
    /// Header blocks that were not understood: (namespace, local name); each becomes a soap:NotUnderstood header.
    pub not_understood: Vec<(String, String)>,
    /// The trace id, written into the detail and the reason's end.
    pub trace: Option<String>,
    /// Overrides the HTTP status that follows from the code (415 where MTOM is insisted on, 503 when shedding).
    pub status: Option<u16>,
}

impl Fault {
    /// The message is at fault.
    pub fn sender(reason: impl Into<String>) -> Self {
        Self::new(FaultCode::Sender, reason)
    }
    /// We are.
    pub fn receiver(reason: impl Into<String>) -> Self {
        Self::new(FaultCode::Receiver, reason)
    }
    /// A fault with that code.
    pub fn new(code: FaultCode, reason: impl Into<String>) -> Self {
        Self {
            code,
            subcodes: Vec::new(),
            reason: reason.into(),
            problem_header: None,
            problem_action: None,
            not_understood: Vec::new(),
            trace: None,
            status: None,
        }
    }
    /// The endpoint has no operation for this action, or for this body.
    pub fn action_not_supported(action: Option<&str>, reason: impl Into<String>) -> Self {
        let mut fault = Self::addressing(&[ACTION_NOT_SUPPORTED], reason);
        fault.problem_action = action.map(str::to_owned);
        fault
    }
    /// The sender's security token is not taken, by a code of WS-Security (SOAP Message Security 1.1, 12).
    pub fn security(code: &'static str, reason: impl Into<String>) -> Self {
        Self { subcodes: vec![Subcode(Ns::WSSE, code)], ..Self::sender(reason) }
    }
    /// A fault of the message's addressing.
    pub(super) fn addressing(subcodes: &[Subcode], reason: impl Into<String>) -> Self {
        Self { subcodes: subcodes.to_vec(), ..Self::sender(reason) }
    }
    /// An addressing header is missing that `section` of ITI TF-2 requires.
    pub fn header_required(header: &'static str, section: &str) -> Self {
        let mut fault = Self::addressing(
            &[HEADER_REQUIRED],
            format!("the message has no {header} (ITI TF-2: {section})"),
        );
        fault.problem_header = Some(header);
        fault
    }
    /// An addressing header wants the answer elsewhere. The address is not repeated: it is the peer's.
    pub fn only_anonymous(header: &'static str) -> Self {
        let mut fault = Self::addressing(
            &[INVALID_HEADER, ONLY_ANONYMOUS],
            format!(
                "{header} is neither the anonymous address nor one that this endpoint is configured to reply to"
            ),
        );
        fault.problem_header = Some(header);
        fault
    }
    /// The same with a trace id.
    pub fn traced(mut self, trace: impl Into<String>) -> Self {
        self.trace = Some(trace.into());
        self
    }
    /// The same with an HTTP status of its own.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// 400 for Sender, 500 for the others (SOAP 1.2 Part 2, 7.5.2.2), unless overridden.
    pub fn http_status(&self) -> u16 {
        self.status.unwrap_or(if self.code == FaultCode::Sender { 400 } else { 500 })
    }
    /// `…/addressing/fault` for WS-Addressing's faults, `…/addressing/soap/fault` for others.
    pub fn action(&self) -> &'static str {
        match self.subcodes.first() {
            Some(Subcode(Ns::WSA, _)) => "http://www.w3.org/2005/08/addressing/fault",
            _ => "http://www.w3.org/2005/08/addressing/soap/fault",
        }
    }

    /// The whole envelope as bytes.
    pub fn envelope(&self, relates_to: Option<&str>) -> Vec<u8> {
        self.envelope_to(None, relates_to)
    }

    fn envelope_to(&self, destination: Option<&Destination>, relates_to: Option<&str>) -> Vec<u8> {
        let mut w = Writer::with_capacity(2048);
        let message_id = format!("urn:uuid:{}", Uuid::new_v4());
        let headers = Headers {
            action: self.action(),
            message_id: &message_id,
            to: destination.map(|destination| destination.address.as_str()),
            relates_to: relates_to.or(Some("")),
            reply_to: None,
            more: destination.map_or(&[], |destination| &destination.parameters),
        };
        headers.start(&mut w);
        for (uri, local) in &self.not_understood {
            w.start(Ns::SOAP, "NotUnderstood");
            match uri.as_str() {
                "" => w.attr("qname", local),
                uri => w.attr("qname", &format!("n:{local}")).attr("xmlns:n", uri),
            };
            w.end();
        }
        if self.code == FaultCode::VersionMismatch {
            w.start(Ns::SOAP, "Upgrade").start(Ns::SOAP, "SupportedEnvelope");
            w.attr("qname", "soap:Envelope").end().end();
        }
        w.end().start(Ns::SOAP, "Body").start(Ns::SOAP, "Fault");
        self.write_code(&mut w);
        w.start(Ns::SOAP, "Reason").start(Ns::SOAP, "Text").attr_ns(Ns::XML, "lang", "en").text(&self.reason);
        if let Some(trace) = &self.trace {
            w.text(" [trace ").text(trace).text("]");
        }
        w.end().end();
        self.write_detail(&mut w);
        w.end().end().end();
        w.finish()
    }

    fn write_code(&self, w: &mut Writer) {
        w.start(Ns::SOAP, "Code").leaf(Ns::SOAP, "Value", &format!("soap:{}", self.code.local()));
        for Subcode(ns, local) in &self.subcodes {
            w.start(Ns::SOAP, "Subcode").start(Ns::SOAP, "Value");
            if !matches!(*ns, Ns::SOAP | Ns::WSA) {
                w.declare(&[*ns]);
            }
            w.text(&format!("{}:{local}", ns.known().0)).end();
        }
        for _ in &self.subcodes {
            w.end();
        }
        w.end();
    }

    fn write_detail(&self, w: &mut Writer) {
        if self.problem_header.is_none() && self.problem_action.is_none() && self.trace.is_none() {
            return;
        }
        w.start(Ns::SOAP, "Detail");
        if let Some(header) = self.problem_header {
            w.leaf(Ns::WSA, "ProblemHeaderQName", header);
        }
        if let Some(action) = &self.problem_action {
            w.start(Ns::WSA, "ProblemAction").leaf(Ns::WSA, "Action", action).end();
        }
        if let Some(trace) = &self.trace {
            w.start(Ns::SEKISHO, "Trace").declare(&[Ns::SEKISHO]).text(trace).end();
        }
        w.end();
    }

    /// The answer as (status, Content-Type, body), in the form of the request.
    pub fn answer(&self, form: Form, relates_to: Option<&str>) -> (u16, String, Vec<u8>) {
        let (content_type, body) = self.formed(form, self.envelope(relates_to));
        (self.http_status(), content_type, body)
    }
    /// The message that tells it on a connection of its own, as (Content-Type, body).
    pub fn message(&self, form: Form, destination: &Destination, relates_to: &str) -> (String, Vec<u8>) {
        self.formed(form, self.envelope_to(Some(destination), Some(relates_to)))
    }
    fn formed(&self, form: Form, envelope: Vec<u8>) -> (String, Vec<u8>) {
        match form {
            Form::Simple => (simple_content_type(self.action()), envelope),
            Form::Mtom => mime::root_alone(self.action(), ROOT_CONTENT_ID, ROOT_CONTENT_TYPE, &envelope),
        }
    }

    /// Reads a soap:Fault element (1.2, or 1.1 from old stacks).
    pub fn read(element: Element<'_>) -> Fault {
        let mut fault =
            if element.ns() == Ns::SOAP11 { Self::read_11(element) } else { Self::read_12(element) };
        fault.reason = fault.reason.trim().chars().take(limits::MAX_FAULT_REASON_CHARS).collect();
        fault
    }

    fn read_12(element: Element<'_>) -> Fault {
        let child = |parent: Element<'_>, local| parent.child(Ns::SOAP, local).map(|child| child.index());
        let at = |index| element.tree().element(index);
        let value = |code| child(at(code), "Value").map(|value| at(value).text()).unwrap_or_default();
        let mut fault = Fault::receiver("");
        let mut code = child(element, "Code");
        fault.code = code.map_or(FaultCode::Receiver, |code| FaultCode::read(&value(code)));
        while let Some(subcode) = code.and_then(|code| child(at(code), "Subcode")) {
            let value = value(subcode);
            let local = value.rsplit(':').next().unwrap_or_default().trim();
            fault.subcodes.extend(KNOWN_SUBCODES.iter().find(|known| known.1 == local));
            code = Some(subcode);
        }
        let mut texts = element.child(Ns::SOAP, "Reason").into_iter().flat_map(Element::children).peekable();
        let first = texts.peek().copied();
        let english =
            texts.find(|text| text.attr_ns(Ns::XML, "lang").is_some_and(|lang| lang.starts_with("en")));
        fault.reason = english.or(first).map(|text| text.text().into_owned()).unwrap_or_default();
        if let Some(detail) = element.child(Ns::SOAP, "Detail") {
            fault.trace = detail.child(Ns::SEKISHO, "Trace").map(|trace| trace.text().trim().to_owned());
            let action = detail.child(Ns::WSA, "ProblemAction").and_then(|p| p.child(Ns::WSA, "Action"));
            fault.problem_action = action.map(|action| action.text().trim().to_owned());
        }
        fault.not_understood = not_understood(element);
        fault
    }

    fn read_11(element: Element<'_>) -> Fault {
        // Its children have no namespace; some stacks give them the envelope's.
        let text = |local| element.children().find(|child| child.local() == local).map(Element::text);
        Fault::new(
            FaultCode::read(&text("faultcode").unwrap_or_default()),
            text("faultstring").unwrap_or_default(),
        )
    }
}

/// The header blocks that a MustUnderstand fault names beside itself (SOAP 1.2 Part 1, 5.4.8).
fn not_understood(fault: Element<'_>) -> Vec<(String, String)> {
    let header = fault.tree().root().child(Ns::SOAP, "Header");
    let blocks = header.into_iter().flat_map(|header| header.children_named(Ns::SOAP, "NotUnderstood"));
    blocks
        .map(|block| {
            let qname = block.attr("qname").unwrap_or_default();
            let (prefix, local) = qname.trim().split_once(':').unwrap_or(("", qname.trim()));
            (block.resolve_prefix(prefix).unwrap_or_default().to_owned(), local.to_owned())
        })
        .collect()
}
