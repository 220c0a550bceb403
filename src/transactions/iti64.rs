//! ITI-64 Notify XAD-PID Link Change (ITI TF-2: 3.64): ADT^A43 from a PIX Manager to a Document Registry, in 2.5.

use super::hl7v2::structure::ADT_A43;
use super::hl7v2::{Parties, Transaction, Trigger, request as header, required, system_name};
use super::identity::{Answer, ErrorCode, IdentityError, Place};
use super::iti8;
use crate::demographics::{Identifier, v2};
use crate::time::now_dtm;
use crate::wire::hl7v2::{Message, MessageWriter};

/// The transaction.
pub const TRANSACTION: Transaction = Transaction {
    id: "ITI-64",
    name: "Notify XAD-PID Link Change",
    triggers: &[LINK_CHANGE],
    locate: iti8::locate,
};

const LINK_CHANGE: Trigger = Trigger { code: "ADT", event: "A43", structure: &ADT_A43 };

const VERSION: &str = "2.5";

/// A facility's patient is linked to another patient of the affinity domain, or two of the facility's identifiers turned
/// out to be one patient's (ADT^A43).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkChange {
    /// The patient of the affinity domain to whom the local one is linked now (PID-3, first).
    pub new: Identifier,
    /// The facility's patient: sourcePatientId of the documents concerned (PID-3, second).
    pub local: Identifier,
    /// The patient of the affinity domain to whom it was linked (MRG-1, first). The same as `new` where only local
    /// identifiers are merged.
    pub previous: Identifier,
    /// The facility's identifier that the local one stands for from now on (MRG-1, second).
    pub subsumed_local: Option<Identifier>,
    /// OID of the sending PIX Manager (MSH-3): sourceId of the submission set that records the change.
    pub source: String,
}

/// Reads a link change.
pub fn read(message: &Message) -> Answer<LinkChange> {
    let pair = |field| {
        let mut identifiers =
            v2::identifiers(field).into_iter().filter(|identifier| !identifier.id.is_empty());
        (identifiers.next(), identifiers.next())
    };
    let (new, local) = pair(required(message, "PID")?.field(3));
    let (previous, subsumed_local) = pair(required(message, "MRG")?.field(1));
    let due = |identifier: Option<Identifier>, place, text| {
        identifier.ok_or_else(|| vec![IdentityError::new(ErrorCode::RequiredFieldMissing, place, text)])
    };
    Ok(LinkChange {
        new: due(new, Place::Identifier(1), "PID-3 must have the affinity domain's new identifier")?,
        local: due(
            local,
            Place::Identifier(2),
            "PID-3 must have the affinity domain's and the local identifier",
        )?,
        previous: due(
            previous,
            Place::Subsumed,
            "MRG-1 must have the affinity domain's previous identifier",
        )?,
        subsumed_local,
        source: source(message),
    })
}

/// MSH-3: its universal id, or where a sender puts the OID in the first component, that.
fn source(message: &Message) -> String {
    let application = message.field("MSH", 3);
    match application.component(2).value().trim() {
        "" => system_name(application),
        oid => oid.to_owned(),
    }
}

/// Writes a link change; the sender's application in `parties` is the OID in `source`.
pub fn request(change: &LinkChange, parties: &Parties, control_id: &str) -> MessageWriter {
    let mut parties = parties.clone();
    parties.sender.0.clone_from(&change.source);
    let mut message = header(&parties, &LINK_CHANGE, VERSION, control_id);
    message.segment("EVN").set(2, now_dtm());
    message.segment("PID").add(3, v2::cx(&change.new)).add(3, v2::cx(&change.local)).set(5, " ");
    let mrg = message.segment("MRG").add(1, v2::cx(&change.previous));
    if let Some(subsumed) = &change.subsumed_local {
        mrg.add(1, v2::cx(subsumed));
    }
    message
}
