//! What the HL7 V3 transactions (ITI-44 to 47, 55) have in common: the transmission wrapper and control act ([`Transmission`],
//! [`Header`]), the query of PRPA_IN201305 ([`query`]) and the registration events that answer it ([`registration`])
//! (ITI TF-2: App. O; schemas of the Normative Edition 2008, whose order of elements is kept).

mod acknowledge;
mod echo;
pub mod known;
pub mod query;
pub mod registration;
#[cfg(test)]
mod tests;

pub use acknowledge::{
    AckCode, AckDetail, Acknowledgement, Quantities, QueryAck, ResponseCode, errors_of, read_acknowledgement,
    read_query_ack,
};
pub use echo::Echo;

use super::Malformed;
use crate::demographics::v3::{is_null, write_id};
use crate::limits;
use crate::wire::xml::{Element, Ns, Writer};

/// Codes of interactions and trigger events.
const HL7_INTERACTIONS: &str = "2.16.840.1.113883.1.6";
/// The section on the wrappers.
const SECTION: &str = "ITI TF-2: App. O.1";

/// A kind of message: its root element and interactionId, and its trigger event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interaction {
    /// `PRPA_IN201301UV02`.
    pub id: &'static str,
    /// `PRPA_TE201301UV02`; empty for acknowledgements, which have no control act.
    pub trigger: &'static str,
    /// acceptAckCode: requests want an acknowledgement (`AL`), answers none (`NE`).
    pub accept: &'static str,
}

macro_rules! interactions {
    ($($(#[$doc:meta])* $name:ident $id:literal $trigger:literal $accept:literal;)*) => {
        $($(#[$doc])* pub const $name: Interaction = Interaction { id: $id, trigger: $trigger, accept: $accept };)*
    };
}
interactions! {
    /// Patient registry record added (ITI-44).
    RECORD_ADDED "PRPA_IN201301UV02" "PRPA_TE201301UV02" "AL";
    /// Patient registry record revised (ITI-44, ITI-46).
    RECORD_REVISED "PRPA_IN201302UV02" "PRPA_TE201302UV02" "AL";
    /// Patient registry duplicates resolved (ITI-44).
    DUPLICATES_RESOLVED "PRPA_IN201304UV02" "PRPA_TE201304UV02" "AL";
    /// Find candidates (ITI-47, ITI-55).
    FIND_CANDIDATES "PRPA_IN201305UV02" "PRPA_TE201305UV02" "AL";
    /// Their answer.
    CANDIDATES_FOUND "PRPA_IN201306UV02" "PRPA_TE201306UV02" "NE";
    /// Corresponding identifiers (ITI-45).
    GET_IDENTIFIERS "PRPA_IN201309UV02" "PRPA_TE201309UV02" "AL";
    /// Their answer.
    IDENTIFIERS_FOUND "PRPA_IN201310UV02" "PRPA_TE201310UV02" "NE";
    /// Continuation and cancellation of a query (ITI-47). The trigger event is that of ITI TF-2: Table 3.47.4.3.2-2; the text
    /// above the table has another one, and readers take both.
    CONTINUE_QUERY "QUQI_IN000003UV01" "PRPA_TE000003UV01" "AL";
    /// Accept acknowledgement.
    ACKNOWLEDGED "MCCI_IN000002UV01" "" "NE";
}

/// An instance identifier of messages, queries and devices: an OID or UUID as root, with or without an extension.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Ii {
    /// Empty where the message gives none.
    pub root: String,
    /// None where there is none.
    pub extension: Option<String>,
}

impl Ii {
    /// Of an OID alone.
    pub fn of_root(root: &str) -> Self {
        Self { root: root.to_owned(), extension: None }
    }
    /// A new one, a random UUID.
    pub fn random() -> Self {
        Self::of_root(&uuid::Uuid::new_v4().to_string())
    }
    /// Reads one. None for an element that is absent, null, without root, or beyond a bound.
    pub fn read(element: Option<Element<'_>>) -> Option<Self> {
        let element = element.filter(|element| !is_null(*element))?;
        let text = |name| element.attr(name).map(|text| text.trim().to_owned());
        let ii = Self { root: text("root")?, extension: text("extension") };
        let short = |text: &str| text.len() <= limits::MAX_V3_ID_CHARS;
        let bounded = short(&ii.root) && ii.extension.as_deref().is_none_or(short);
        (!ii.root.is_empty() && bounded).then_some(ii)
    }
    /// Writes it; as null if it is empty, where the schema demands one.
    pub fn write(&self, out: &mut Writer, local: &str) {
        if self.root.is_empty() {
            out.start(Ns::HL7, local).attr("nullFlavor", "NI").end();
        } else {
            write_id(out, local, &self.root, self.extension.as_deref());
        }
    }
    /// As one text, for what is kept under it.
    pub fn key(&self) -> String {
        format!("{}^{}", self.root, self.extension.as_deref().unwrap_or_default())
    }
}

/// A sender or receiver.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Party {
    /// device/id.
    pub device: Ii,
    /// device/asAgent/representedOrganization/id/@root: in ITI-55 the homeCommunityId as a bare OID.
    pub organization: Option<String>,
}

impl Party {
    /// A device by its OID.
    pub fn of_device(oid: &str) -> Self {
        Self { device: Ii::of_root(oid), organization: None }
    }
    fn read(role: Option<Element<'_>>) -> Self {
        let Some(device) = role.and_then(|role| role.child(Ns::HL7, "device")) else {
            return Self::default();
        };
        let organization = device.child(Ns::HL7, "asAgent");
        let organization = organization.and_then(|agent| agent.child(Ns::HL7, "representedOrganization"));
        let organization = organization.and_then(|organization| Ii::read(organization.child(Ns::HL7, "id")));
        let device = Ii::read(device.child(Ns::HL7, "id")).unwrap_or_default();
        Self { device, organization: organization.map(|id| id.root) }
    }
    fn write(&self, out: &mut Writer, local: &str, type_code: &str) {
        out.start(Ns::HL7, local).attr("typeCode", type_code);
        out.start(Ns::HL7, "device").attr("classCode", "DEV").attr("determinerCode", "INSTANCE");
        self.device.write(out, "id");
        if let Some(organization) = &self.organization {
            out.start(Ns::HL7, "asAgent").attr("classCode", "AGNT");
            out.start(Ns::HL7, "representedOrganization");
            out.attr("classCode", "ORG").attr("determinerCode", "INSTANCE");
            write_id(out, "id", organization, None);
            out.end().end();
        }
        out.end().end();
    }
}

/// The transmission wrapper of a message as received.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transmission {
    /// The message's id, which its answer names.
    pub message: Ii,
    /// processingCode: `P`, `T` or `D`.
    pub processing: String,
    /// Who sent it.
    pub sender: Party,
    /// For whom it is.
    pub receiver: Party,
    /// respondTo/telecom/@value: where a deferred answer goes (ITI-55).
    pub respond_to: Option<String>,
    /// The local name of its root element: XPaths begin with it.
    pub root: String,
}

impl Transmission {
    /// Reads the wrapper of a body that is of one of those interactions.
    pub fn read(body: Element<'_>, interaction: &Interaction) -> Result<Self, Malformed> {
        let message = Ii::read(body.child(Ns::HL7, "id")).ok_or_else(|| {
            malformed(
                "v3.message-id",
                format!("{} has no id with a root, so that no answer could name it", body.local()),
            )
        })?;
        let named = body.child(Ns::HL7, "interactionId").and_then(|id| id.attr("extension"));
        if let Some(named) = named.filter(|named| ![interaction.id, body.local()].contains(&named.trim())) {
            let problem =
                format!("interactionId is {:?}, but the element is {}", clipped(&named), body.local());
            return Err(malformed("v3.interaction", problem));
        }
        let receivers = body.children_named(Ns::HL7, "receiver").count();
        if receivers > 1 {
            let problem = format!("the message has {receivers} receivers; there must be one");
            return Err(malformed("v3.receiver", problem));
        }
        let code = body.child(Ns::HL7, "processingCode").and_then(|code| code.attr("code"));
        let processing = code.filter(|code| ["P", "T", "D"].contains(&code.as_ref()));
        let respond_to = body.child(Ns::HL7, "respondTo").and_then(|role| role.child(Ns::HL7, "telecom"));
        Ok(Self {
            message,
            processing: processing.as_deref().unwrap_or("P").to_owned(),
            sender: Party::read(body.child(Ns::HL7, "sender")),
            receiver: Party::read(body.child(Ns::HL7, "receiver")),
            respond_to: respond_to.and_then(|telecom| telecom.attr("value")).map(|url| url.trim().to_owned()),
            root: body.local().to_owned(),
        })
    }
}

/// What the wrapper of a message that we write says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its id.
    pub message: Ii,
    /// processingCode.
    pub processing: &'a str,
    /// For whom it is.
    pub receiver: &'a Party,
    /// Where a deferred answer goes.
    pub respond_to: Option<&'a str>,
    /// Who sends it.
    pub sender: &'a Party,
    /// What it acknowledges.
    pub acknowledgement: Option<&'a Acknowledgement>,
}

impl<'a> Header<'a> {
    /// A new message.
    pub fn new(sender: &'a Party, receiver: &'a Party) -> Self {
        let message = Ii::random();
        Self { message, processing: "P", receiver, respond_to: None, sender, acknowledgement: None }
    }
    /// The answer to a message: sender and receiver change places.
    pub fn answer(request: &'a Transmission, acknowledgement: &'a Acknowledgement) -> Self {
        Self {
            processing: &request.processing,
            acknowledgement: Some(acknowledgement),
            ..Self::new(&request.receiver, &request.sender)
        }
    }
    /// Opens the message's element, which declares `hl7` and `xsi`, and writes the wrapper up to the control act. The caller
    /// closes it.
    pub fn open(&self, out: &mut Writer, interaction: &Interaction) {
        out.start(Ns::HL7, interaction.id).declare(&[Ns::HL7, Ns::XSI]).attr("ITSVersion", "XML_1.0");
        self.message.write(out, "id");
        out.start(Ns::HL7, "creationTime").attr("value", &crate::time::now_dtm()).end();
        write_id(out, "interactionId", HL7_INTERACTIONS, Some(interaction.id));
        let codes = [
            ("processingCode", self.processing),
            ("processingModeCode", "T"),
            ("acceptAckCode", interaction.accept),
        ];
        for (local, code) in codes {
            out.start(Ns::HL7, local).attr("code", code).end();
        }
        self.receiver.write(out, "receiver", "RCV");
        if let Some(url) = self.respond_to {
            out.start(Ns::HL7, "respondTo").attr("typeCode", "RSP");
            out.start(Ns::HL7, "telecom").attr("value", url).end();
            out.start(Ns::HL7, "entityRsp").attr("classCode", "ENT").attr("determinerCode", "INSTANCE");
            out.attr_ns(Ns::XSI, "nil", "true").end().end();
        }
        self.sender.write(out, "sender", "SND");
        if let Some(acknowledgement) = self.acknowledgement {
            acknowledgement.write(out);
        }
    }
}

/// Opens controlActProcess and writes its code. The caller writes the rest and closes it.
pub fn open_control_act(out: &mut Writer, interaction: &Interaction) {
    out.start(Ns::HL7, "controlActProcess").attr("classCode", "CACT").attr("moodCode", "EVN");
    out.start(Ns::HL7, "code").attr("code", interaction.trigger).attr("codeSystem", HL7_INTERACTIONS).end();
}

/// The control act of a message.
pub fn control_act(body: Element<'_>) -> Result<Element<'_>, Malformed> {
    body.child(Ns::HL7, "controlActProcess")
        .ok_or_else(|| malformed("v3.control-act", format!("{} has no controlActProcess", body.local())))
}

fn malformed(rule: &'static str, problem: String) -> Malformed {
    Malformed { rule, section: SECTION, problem }
}

/// The beginning of what a peer wrote, for a message about it.
fn clipped(text: &str) -> &str {
    let end = text.char_indices().nth(limits::MAX_VIOLATION_VALUE_CHARS).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or_default()
}
