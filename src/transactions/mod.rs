//! One file per ITI transaction: its action URIs, its typed request and response, how they are read and written. Client
//! and server share the file.

pub mod dry_run;
pub mod errors;
pub mod hl7v2;
pub mod hl7v3;
pub mod identity;
pub mod iti10;
pub mod iti18;
pub mod iti21;
pub mod iti22;
pub mod iti38;
pub mod iti39;
pub mod iti41;
pub mod iti42;
pub mod iti43;
pub mod iti44;
pub mod iti45;
pub mod iti46;
pub mod iti47;
pub mod iti51;
pub mod iti55;
pub mod iti56;
pub mod iti57;
pub mod iti61;
pub mod iti62;
pub mod iti64;
pub mod iti8;
pub mod iti86;
pub mod iti9;
pub mod iti92;
mod user;

use std::net::SocketAddr;
use std::sync::Arc;

use crate::wire::xml::Ns;

pub use user::{Coded, User};

/// What a transaction is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transaction {
    /// `ITI-18`.
    pub id: &'static str,
    /// `Registry Stored Query`.
    pub name: &'static str,
    /// wsa:Action of the request.
    pub action: &'static str,
    /// wsa:Action of the response.
    pub response_action: &'static str,
    /// The request's body element.
    pub body: (Ns, &'static str),
    /// Whether MTOM is due.
    pub mtom: bool,
}

/// Who asks. Always an explicit argument.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// Their address.
    pub address: Option<SocketAddr>,
    /// Subject of their verified certificate.
    pub certificate: Option<Arc<str>>,
    /// SHA-256 of that certificate, in lower-case hex.
    pub fingerprint: Option<Arc<str>>,
    /// Our trace id for this request.
    pub trace: Arc<str>,
    /// wsa:MessageID of the request.
    pub message_id: Option<Arc<str>>,
    /// Which system of theirs, in HL7 v2: `facility|application` of MSH-4 and MSH-3.
    pub system: Option<Arc<str>>,
    /// Which user they ask for, by a verified assertion.
    pub user: Option<Arc<User>>,
    /// For what purpose they ask; None where no assertion says it.
    pub purpose: Option<Purpose>,
    /// Whether they only want to know what would come of it.
    pub effect: dry_run::Effect,
}

impl Caller {
    /// Whether they have shown a certificate that is named by its subject, or by its SHA-256 in lower-case hex.
    pub fn shows(&self, certificate: &str) -> bool {
        [&self.certificate, &self.fingerprint].into_iter().any(|shown| shown.as_deref() == Some(certificate))
    }
}

/// Why somebody asks (PurposeOfUse of an assertion, ITI TF-2: 3.40.4.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To treat the patient.
    Treatment,
    /// To treat somebody in an emergency.
    Emergency,
    /// Any other.
    Other,
}

/// A request's body breaks the transaction's schema so that it cannot be acted on: becomes a Sender fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} ({rule}; {section})")]
pub struct Malformed {
    /// A stable rule name.
    pub rule: &'static str,
    /// Section of the Technical Framework.
    pub section: &'static str,
    /// What is wrong and where.
    pub problem: String,
}
