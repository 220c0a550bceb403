//! The table of paths: which services answer where, and which of them a message is for.
//!
//! A path per transaction, `/services/iti-18`, and `/services` for all of them (user pain 39). What is meant follows from the
//! body's element; where two transactions share it, from wsa:Action, which must fit in any case (attack 15).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::faults::Refusal;
use super::service::Service;
use crate::transactions::{Transaction, dry_run};
use crate::wire::soap::{Envelope, Fault};
use crate::wire::xml::Element;

/// Where a service is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// `/services/iti-NN`, and `/services`.
    Services,
    /// `/services/iti-NN` only: for a message that would be taken for another's at the common path (ITI-46 for ITI-44).
    OwnPath,
    /// `/hosted/iti-NN`: what the region hosts itself, without federation.
    Hosted,
    /// `/hosted/NAME/iti-NN`: what is hosted for a tenant. Nothing else in a request says whose data are meant.
    Tenant(&'a str),
    /// Where answers to our own requests come: for those that are requests in their own right (deferred ITI-55).
    Replies,
}

/// Where everything of [`Place::Services`] is offered at once.
const COMMON_PATH: &str = "/services";
/// The path of [`Place::Replies`].
pub(super) const REPLIES: &str = "/services/replies";

impl Place<'_> {
    /// The path of a transaction here.
    pub fn path(self, transaction: &Transaction) -> String {
        let id = transaction.id.to_ascii_lowercase();
        match self {
            Self::Services | Self::OwnPath => format!("{COMMON_PATH}/{id}"),
            Self::Hosted => format!("/hosted/{id}"),
            Self::Tenant(name) => format!("/hosted/{name}/{id}"),
            Self::Replies => REPLIES.to_owned(),
        }
    }
}

/// Paths and what answers there.
#[derive(Default)]
pub struct Services {
    endpoints: BTreeMap<String, Vec<Arc<Service>>>,
}

impl Services {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }
    /// Offers a service. Another one for the same transaction at the same place is replaced.
    pub fn offer(&mut self, place: Place<'_>, service: Service) -> &mut Self {
        let service = Arc::new(service);
        let mut paths = vec![place.path(service.transaction)];
        if place == Place::Services {
            paths.push(COMMON_PATH.to_owned());
        }
        for path in paths {
            let there = self.endpoints.entry(path).or_default();
            there.retain(|other| other.transaction != service.transaction);
            there.push(Arc::clone(&service));
        }
        self
    }
    /// The paths of single transactions, for those who ask where everything is.
    pub fn paths(&self) -> impl Iterator<Item = (&'static Transaction, &str)> {
        let single =
            self.endpoints.iter().filter(|(path, _)| ![COMMON_PATH, REPLIES].contains(&path.as_str()));
        single.flat_map(|(path, there)| there.iter().map(move |service| (service.transaction, path.as_str())))
    }
    /// What answers at a path, with or without a slash at its end. Paths are compared as they came: nothing in them is
    /// decoded, and no other spelling of one leads anywhere (attack 49).
    pub(super) fn at(&self, path: &str) -> Option<&[Arc<Service>]> {
        self.endpoints.get(path.strip_suffix('/').unwrap_or(path)).map(Vec::as_slice)
    }
}

/// The service among those of a path that a message is for; its headers are checked by then.
pub(super) fn dispatch(there: &[Arc<Service>], envelope: &Envelope) -> Result<Arc<Service>, Refusal> {
    let body = envelope.body().ok_or_else(Refusal::empty_body)?;
    let fitting: Vec<_> = there.iter().filter(|service| is_of(body, service.transaction)).collect();
    let action = envelope.addressing.action.as_deref();
    if fitting.is_empty() {
        return Err(not_offered(there, action).into());
    }
    let actions: Vec<_> = fitting.iter().map(|service| service.transaction.action).collect();
    envelope.check(&actions, &[dry_run::BLOCK])?;
    let meant = fitting.into_iter().find(|service| Some(service.transaction.action) == action);
    meant.cloned().ok_or_else(|| not_offered(there, action).into())
}

/// Whether a message is a request to one of those services, and no answer to a request of ours.
pub(super) fn asks(there: &[Arc<Service>], envelope: &Envelope) -> bool {
    let action = envelope.addressing.action.as_deref();
    let fits = |body| {
        there
            .iter()
            .any(|service| is_of(body, service.transaction) && action == Some(service.transaction.action))
    };
    envelope.body().is_some_and(fits)
}

fn is_of(body: Element<'_>, transaction: &Transaction) -> bool {
    body.is(transaction.body.0, transaction.body.1)
}

fn not_offered(there: &[Arc<Service>], action: Option<&str>) -> Box<Fault> {
    let offered = there.iter().map(|service| {
        let Transaction { id, name, body: (_, element), .. } = service.transaction;
        format!("{id} {name} ({element})")
    });
    let offered = offered.collect::<Vec<_>>().join(", ");
    Box::new(Fault::action_not_supported(
        action,
        format!("the message's body is of no transaction of this endpoint, which offers {offered}"),
    ))
}
