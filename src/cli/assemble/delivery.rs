//! What a region tells others of its own accord: answers to deferred questions.

use crate::actors::deferred_discovery::DeferredDiscovery;
use crate::actors::patient_discovery::PatientDiscovery;
use crate::config::Settings;
use crate::delivery::questions::Questions;
use crate::server::{Exchange, Place, Service, Services, Written};
use crate::store::Store;
use crate::transactions::errors::Status;
use crate::transactions::iti55::{self, ITI55_DEFERRED};

/// Deferred ITI-55, and the answers to what was accepted before.
pub fn offer_deferred(
    services: &mut Services,
    settings: &Settings,
    discovery: PatientDiscovery,
    store: Option<&Store>,
    exchange: &Exchange,
) {
    let Some(store) = store else { return };
    let own = settings.community.home.clone();
    let deferred = DeferredDiscovery::new(
        discovery,
        own.clone(),
        Questions::new(store.clone(), own.to_urn().into()),
        exchange.allowed.clone(),
        exchange.client.clone(),
        settings.limits.clone(),
    );
    deferred.resume();
    services.offer(
        Place::Services,
        Service::exchange(&ITI55_DEFERRED, move |envelope, caller| {
            let received = iti55::read_request(envelope)?;
            let (deferred, envelope) = (deferred.clone(), envelope.tree.source().clone());
            Ok(async move {
                let (code, body) = deferred.accept(envelope, received, &caller).await;
                let status = if code.is_positive() { Status::Success } else { Status::Failure };
                Written { status, headers: Vec::new(), body }
            })
        }),
    );
}
