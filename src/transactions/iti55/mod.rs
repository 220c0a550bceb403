//! ITI-55 Cross Gateway Patient Discovery (ITI TF-2: 3.55): does your community know this person, and by which identifier?
//! Immediate, and deferred in both directions (3.55.4.1.3, 3.55.4.2.1).
//!
//! A question describes a person, or names one by an identifier that both sides share, or does both. Its answer is one of five
//! ([`Outcome`]). How long either side may keep what it learnt stands in a SOAP header ([`lifetime`]).

pub mod lifetime;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::time::Duration;

use super::hl7v3::query::Priority;
use super::hl7v3::registration::HealthDataLocator;
use super::hl7v3::{Echo, Ii, Transmission};
use super::identity::{DemographicsQuery, IdentityError};
use super::{Malformed, Transaction};
use crate::demographics::{Demographics, Identifier};
use crate::ids::{HomeCommunityId, Oid, PatientId};
use crate::wire::xml::Ns;

pub use read::{read_deferred_answer, read_request, read_response};
pub use write::{Asking, acknowledge_answer, write_request, write_response};

/// The transaction.
pub const ITI55: Transaction = Transaction {
    id: "ITI-55",
    name: "Cross Gateway Patient Discovery",
    action: "urn:hl7-org:v3:PRPA_IN201305UV02:CrossGatewayPatientDiscovery",
    response_action: "urn:hl7-org:v3:PRPA_IN201306UV02:CrossGatewayPatientDiscovery",
    body: (Ns::HL7, "PRPA_IN201305UV02"),
    mtom: false,
};
/// A question whose answer may come later, on a connection of its own; it is acknowledged at once.
pub const ITI55_DEFERRED: Transaction = Transaction {
    id: "ITI-55",
    name: "Cross Gateway Patient Discovery (deferred)",
    action: "urn:hl7-org:v3:PRPA_IN201305UV02:Deferred:CrossGatewayPatientDiscovery",
    response_action: "urn:hl7-org:v3:MCCI_IN000002UV01",
    body: (Ns::HL7, "PRPA_IN201305UV02"),
    mtom: false,
};
/// Its answer, a request in its own right, which is acknowledged too.
pub const ITI55_DEFERRED_ANSWER: Transaction = Transaction {
    id: "ITI-55",
    name: "Cross Gateway Patient Discovery (deferred answer)",
    action: "urn:hl7-org:v3:PRPA_IN201306UV02:Deferred:CrossGatewayPatientDiscovery",
    response_action: "urn:hl7-org:v3:MCCI_IN000002UV01",
    body: (Ns::HL7, "PRPA_IN201306UV02"),
    mtom: false,
};

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Discovery {
    /// The person, described or named.
    pub who: DemographicsQuery,
    /// The asking community.
    pub home: Option<HomeCommunityId>,
    /// The asking community's assigning authority: an identifier of `who` with it is the asking community's own.
    pub authority: Option<Oid>,
    /// When the answer is wanted.
    pub priority: Priority,
    /// How long the answering side may keep that identifier.
    pub time_to_live: Option<Duration>,
}

impl Discovery {
    /// The asking community's own identifier of the person, if it tells one.
    pub fn own_identifier(&self) -> Option<PatientId> {
        let authority = self.authority.as_ref()?;
        let own = |id: &&Identifier| id.authority.universal_id == authority.as_str() && !id.id.is_empty();
        self.who.identifiers.iter().find(own).map(|id| PatientId::new(&id.id, authority.clone()))
    }
}

/// A question as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Its wrapper, which the answer mirrors.
    pub transmission: Transmission,
    /// Its parameters, which the answer repeats.
    pub echo: Echo,
    /// The question, or why it cannot be answered as it stands (case 5).
    pub question: Result<Discovery, Vec<IdentityError>>,
}

/// An answer that comes as a request in its own right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeferredAnswer {
    /// Its wrapper, which the acknowledgement mirrors.
    pub transmission: Transmission,
    /// The query that it names; None if it names none.
    pub query: Option<Ii>,
    /// wsa:RelatesTo: the message that it names.
    pub relates_to: Option<String>,
    /// What it says, or why that cannot be read.
    pub response: Result<DiscoveryResponse, Malformed>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoveryResponse {
    /// Which of the five.
    pub outcome: Outcome,
    /// How long the asking side may keep it; None: not at all, unless they agreed on something else.
    pub time_to_live: Option<Duration>,
}

impl From<Outcome> for DiscoveryResponse {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, time_to_live: None }
    }
}

/// The five cases (ITI TF-2: 3.55.4.2.2.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Cases 1 and 2, one person or several; case 4, nobody.
    Found(Vec<Found>),
    /// Case 3: more than one fits, and these would help.
    AskForMore(Vec<Attribute>),
    /// Case 5.
    Cannot(Reason),
}

/// A person whom a community knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which community. None only in a peer's answer that forgets to say it.
    pub home: Option<HomeCommunityId>,
    /// The identifier for further transactions with that community.
    pub patient: PatientId,
    /// Others.
    pub others: Vec<PatientId>,
    /// Who it is.
    pub person: Box<Demographics>,
    /// 0 to 100, in the sense of MinimumDegreeMatch.
    pub degree: u8,
    /// Whether the community answers ITI-56 about this patient.
    pub locator: HealthDataLocator,
}

/// What would help to tell people apart (code system 1.3.6.1.4.1.19376.1.2.27.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "their names are the codes")]
pub enum Attribute {
    Gender,
    Address,
    Telecom,
    BirthPlaceName,
    BirthPlaceAddress,
    MothersMaidenName,
}

impl Attribute {
    const CODES: [(Self, &str); 6] = [
        (Self::Gender, "LivingSubjectAdministrativeGenderRequested"),
        (Self::Address, "PatientAddressRequested"),
        (Self::Telecom, "PatientTelecomRequested"),
        (Self::BirthPlaceName, "LivingSubjectBirthPlaceNameRequested"),
        (Self::BirthPlaceAddress, "LivingSubjectBirthPlaceAddressRequested"),
        (Self::MothersMaidenName, "MothersMaidenNameRequested"),
    ];
    /// Every one.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::CODES.into_iter().map(|(attribute, _)| attribute)
    }
    /// Its code.
    pub fn code(self) -> &'static str {
        Self::CODES.iter().find(|(attribute, _)| *attribute == self).map_or("", |(_, code)| code)
    }
}

/// Why a community cannot answer (code system 1.3.6.1.4.1.19376.1.2.27.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Too much to do.
    ResponderBusy,
    /// Not to be answered: the question lacks what is required, or is not permitted.
    AnswerNotAvailable,
    /// A defect.
    InternalError,
}

impl Reason {
    const CODES: [(Self, &str); 3] = [
        (Self::ResponderBusy, "ResponderBusy"),
        (Self::AnswerNotAvailable, "AnswerNotAvailable"),
        (Self::InternalError, "InternalError"),
    ];
    /// Its code.
    pub fn code(self) -> &'static str {
        Self::CODES.iter().find(|(reason, _)| *reason == self).map_or("", |(_, code)| code)
    }
}

const ATTRIBUTE_CODES: &str = "1.3.6.1.4.1.19376.1.2.27.1";
const REASON_CODES: &str = "1.3.6.1.4.1.19376.1.2.27.3";
