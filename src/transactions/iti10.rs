//! ITI-10 PIX Update Notification (ITI TF-2: 3.10): ADT^A31 to a consumer when the identifiers of a patient changed. Both
//! sides: a PIX Manager writes it, a PIX Consumer reads it.

use super::hl7v2::structure::ADT_A05;
use super::hl7v2::{Parties, Transaction, Trigger, request as header, required};
use super::identity::{Answer, IdentifiersChanged, IdentityError, Place};
use super::iti8;
use crate::demographics::{Domains, Identifier, v2};
use crate::ids::{Oid, PatientId};
use crate::time::now_dtm;
use crate::wire::hl7v2::{Message, MessageWriter, Value};

/// The transaction.
pub const TRANSACTION: Transaction =
    Transaction { id: "ITI-10", name: "PIX Update Notification", triggers: &[UPDATE], locate: iti8::locate };

const UPDATE: Trigger = Trigger { code: "ADT", event: "A31", structure: &ADT_A05 };

const VERSION: &str = "2.5";

/// How PID-5 says that no name is told: what a consumer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoName {
    /// One space (ITI TF-2: 3.10.4.1.2.4).
    #[default]
    Space,
    /// `^^^^^^S`: consumers built on Open eHealth IPF demand a name type.
    TypeS,
}

/// Writes a notification. The identifiers are of the domains that concern this consumer, those of one domain side by side.
pub fn request(
    changed: &IdentifiersChanged,
    no_name: NoName,
    domains: &Domains,
    parties: &Parties,
    control_id: &str,
) -> MessageWriter {
    let mut message = header(parties, &UPDATE, VERSION, control_id);
    message.segment("EVN").set(2, now_dtm());
    let pid = message.segment("PID");
    for patient in &changed.identifiers {
        pid.add(3, v2::patient_cx(patient, domains));
    }
    pid.set(5, no_name.value());
    message.segment("PV1").set(2, "N");
    message
}

/// Reads a notification: the identifiers that are one person's by now. Those of authorities that are neither a domain of ours
/// nor named by an OID are passed over, as long as one is left.
pub fn read(message: &Message, domains: &Domains) -> Answer<IdentifiersChanged> {
    let told = v2::identifiers(required(message, "PID")?.field(3));
    let by_oid = |id: &Identifier| {
        let authority = Oid::parse(&id.authority.universal_id).ok()?;
        (!id.id.is_empty()).then(|| PatientId::new(&id.id, authority))
    };
    let identifiers: Vec<_> =
        told.iter().filter_map(|id| domains.resolve(id).or_else(|| by_oid(id))).collect();
    if identifiers.is_empty() {
        let text = "no identifier in PID-3 has an assigning authority that is known here or has an OID";
        return Err(vec![IdentityError::unknown_key(Place::IdentifierAuthority(1), text)]);
    }
    Ok(IdentifiersChanged { identifiers, person: Box::default() })
}

impl NoName {
    fn value(self) -> Value {
        match self {
            Self::Space => Value::from(" "),
            Self::TypeS => Value::from(["", "", "", "", "", "", "S"]),
        }
    }
}
