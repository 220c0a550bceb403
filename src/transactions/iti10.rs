//! ITI-10 PIX Update Notification (ITI TF-2: 3.10): ADT^A31 to a consumer when the identifiers of a patient changed.

use super::hl7v2::structure::ADT_A05;
use super::hl7v2::{Parties, Transaction, Trigger, locate_field, request as header};
use super::identity::IdentifiersChanged;
use crate::demographics::{Domains, v2};
use crate::time::now_dtm;
use crate::wire::hl7v2::{MessageWriter, Value};

/// The transaction.
pub const TRANSACTION: Transaction =
    Transaction { id: "ITI-10", name: "PIX Update Notification", triggers: &[UPDATE], locate: locate_field };

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

impl NoName {
    fn value(self) -> Value {
        match self {
            Self::Space => Value::from(" "),
            Self::TypeS => Value::from(["", "", "", "", "", "", "S"]),
        }
    }
}
