//! How consumers are told: over MLLP (ITI-10, ITI-64) or as a web service (ITI-46).

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;

use super::{Channel, NotTold, Notice};
use crate::demographics::Domains;
use crate::limits::{self, Limits};
use crate::transactions::hl7v2::{self, Parties, Refusal};
use crate::transactions::hl7v3::registration::{Custodian, HealthDataLocator};
use crate::transactions::hl7v3::{AckCode, Ii, Party};
use crate::transactions::iti10::NoName;
use crate::transactions::{iti10, iti46, iti64};
use crate::wire::hl7v2::Message;
use crate::wire::hl7v2::mllp::{MllpClient, MllpError};
use crate::wire::http::Client;
use crate::wire::soap::{self, CallError, Endpoint, FaultCode, Outgoing};

/// A consumer of ITI-10, or a registry that wants ITI-64, over MLLP.
pub struct Mllp {
    /// `ITI-10` or `ITI-64`.
    pub transaction: &'static str,
    /// To it.
    pub client: MllpClient,
    /// MSH-3 to MSH-6, and what it reads.
    pub parties: Parties,
    /// How it is told that no name is told.
    pub no_name: NoName,
    /// How messages name the region's domains.
    pub domains: Arc<Domains>,
}

/// A consumer of ITI-46.
pub struct WebService {
    /// To it.
    pub client: Client,
    /// Where.
    pub endpoint: Endpoint,
    /// Who we are: the device, and the organisation that keeps the index.
    pub sender: Party,
    /// Who it is.
    pub receiver: Party,
    /// Bounds of its answers.
    pub limits: Limits,
}

impl Channel for Mllp {
    fn transaction(&self) -> &'static str {
        self.transaction
    }
    fn tell<'a>(&'a self, id: &'a str, notice: &'a Notice) -> BoxFuture<'a, Result<(), NotTold>> {
        Box::pin(async move {
            let message = match notice {
                Notice::Identifiers(changed) => {
                    iti10::request(changed, self.no_name, &self.domains, &self.parties, id)
                }
                Notice::Link(change) => iti64::request(change, &self.parties, id),
            };
            let encoded = message.encode(self.parties.charset);
            let deadline = Instant::now() + limits::NOTIFY_DEADLINE;
            let answer = self.client.send(&encoded.bytes, deadline).await.map_err(|error| later(&error))?;
            let answer = Message::read(&answer, self.parties.charset)
                .map_err(|_| NotTold::Later("the acknowledgement cannot be read".to_owned()))?;
            hl7v2::accepted(&answer, id).map_err(refused)
        })
    }
}

impl Channel for WebService {
    fn transaction(&self) -> &'static str {
        iti46::ITI46.id
    }
    fn tell<'a>(&'a self, id: &'a str, notice: &'a Notice) -> BoxFuture<'a, Result<(), NotTold>> {
        Box::pin(async move {
            let Notice::Identifiers(changed) = notice else {
                return Err(NotTold::Refused("ITI-64 has no web service".to_owned()));
            };
            let message = Ii { root: self.sender.device.root.clone(), extension: Some(id.to_owned()) };
            let custodian =
                Custodian { root: self.sender.device.root.clone(), locator: HealthDataLocator::NotSupported };
            let body = iti46::write_request(message, changed, &self.sender, &self.receiver, &custodian);
            let request = Outgoing {
                action: iti46::ITI46.action.to_owned(),
                to: Some(self.endpoint.url.to_string()),
                body: vec![body],
                ..Outgoing::default()
            };
            let deadline = Instant::now() + limits::NOTIFY_DEADLINE;
            let answer = soap::call(&self.client, &self.endpoint, request, &self.limits, deadline);
            let answer = answer.await.map_err(|error| unanswered(&error))?;
            let acknowledgement = answer.envelope.body().map(iti46::read_response);
            match acknowledgement.and_then(Result::ok).map(|acknowledgement| acknowledgement.code) {
                Some(code) if code.is_positive() => Ok(()),
                Some(AckCode::Rejected | AckCode::AcceptRejected) => {
                    Err(NotTold::Later("it rejects the notification for now".to_owned()))
                }
                Some(_) => Err(NotTold::Refused("it answers with an error".to_owned())),
                None => Err(NotTold::Later("the acknowledgement cannot be read".to_owned())),
            }
        })
    }
}

fn later(error: &MllpError) -> NotTold {
    NotTold::Later(error.to_string())
}

/// AE is for good, AR may be tried again (ITI TF-2: C.2.3). Their texts are the peer's own, and stay there.
fn refused(refusal: Refusal) -> NotTold {
    match refusal {
        Refusal::NotAnAnswer => NotTold::Later(refusal.to_string()),
        Refusal::Refused(code, errors) => {
            let plain = |text: &str| {
                text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '^').take(20).collect()
            };
            let errors = errors.iter().take(limits::MAX_NOT_UNDERSTOOD);
            let said: Vec<String> =
                errors.flat_map(|error| [plain(&error.code), plain(&error.location)]).collect();
            let said = format!("{} {}", code.application(), said.join(" ")).trim().to_owned();
            match code {
                hl7v2::AckCode::Reject => NotTold::Later(said),
                hl7v2::AckCode::Accept | hl7v2::AckCode::Error => NotTold::Refused(said),
            }
        }
    }
}

/// A fault of the sender's making comes again as often as it is sent; a fault's reason is the peer's own text.
fn unanswered(error: &CallError) -> NotTold {
    match error {
        CallError::Fault(fault) if fault.code == FaultCode::Receiver => {
            NotTold::Later("it answers with a SOAP fault, Receiver".to_owned())
        }
        CallError::Fault(fault) => {
            NotTold::Refused(format!("it answers with a SOAP fault, {:?}", fault.code))
        }
        other => NotTold::Later(other.to_string()),
    }
}
