//! What a region tells others of its own accord: notifications, and answers to deferred questions.

use std::sync::Arc;

use super::super::{Exit, Stop};
use super::identity::Identity;
use crate::actors::deferred_discovery::DeferredDiscovery;
use crate::actors::notifier::send::{Mllp, WebService};
use crate::actors::notifier::{Channel, Consumer, Interest, Notifier};
use crate::actors::patient_correlation::PatientCorrelation;
use crate::actors::patient_discovery::PatientDiscovery;
use crate::config::{
    self, ClientTls, Destination, LinkChangeTarget, NotifiedConsumer, NotifiedPeer, Settings,
};
use crate::delivery::outbox::Outbox;
use crate::delivery::questions::Questions;
use crate::server::{Exchange, Place, Service, Services, Written};
use crate::store::Store;
use crate::transactions::errors::Status;
use crate::transactions::hl7v2::Parties;
use crate::transactions::hl7v3::Party;
use crate::transactions::iti10::NoName;
use crate::transactions::iti55::{self, ITI55_DEFERRED, ITI55_DEFERRED_ANSWER};
use crate::wire::hl7v2::mllp::{MllpClient, MllpPeer};
use crate::wire::http::{Client, ClientSettings, TlsClient};
use crate::wire::soap::Endpoint;

/// How far everybody was told. Touches the disk.
pub fn outbox(settings: &Settings, store: &Store) -> Result<Outbox, Stop> {
    Outbox::open(store.clone(), &settings.community.home.to_urn())
        .map_err(|error| Stop::new(Exit::Unavailable, format!("the outbox cannot be used: {error}")))
}

/// Begins to tell consumers and registries what happens to identifiers; None without a patient index.
pub fn notifier(
    settings: &Settings,
    configured: &config::Identity,
    identity: &Identity,
    outbox: &Outbox,
) -> Result<Option<Notifier>, Stop> {
    let Some(index) = &identity.index else { return Ok(None) };
    Ok(Some(Notifier::start(index, outbox, consumers(settings, configured, identity)?)))
}

/// Whom to tell. Touches the disk: certificates are read.
pub fn consumers(
    settings: &Settings,
    configured: &config::Identity,
    identity: &Identity,
) -> Result<Vec<Consumer>, Stop> {
    let telling = Telling { settings, configured, identity };
    let consumers = configured.consumers.iter().map(|consumer| telling.consumer(consumer));
    consumers.chain(configured.registries.iter().map(|registry| telling.registry(registry))).collect()
}

struct Telling<'s> {
    settings: &'s Settings,
    configured: &'s config::Identity,
    identity: &'s Identity,
}

impl Telling<'_> {
    fn consumer(&self, consumer: &NotifiedConsumer) -> Result<Consumer, Stop> {
        let NotifiedConsumer { peer, domains, no_name } = consumer;
        let channel: Box<dyn Channel> = match &peer.url {
            Destination::Mllp { host, port, .. } => {
                Box::new(self.mllp("ITI-10", peer, (host, *port), *no_name)?)
            }
            Destination::Soap(url) => Box::new(WebService {
                client: Client::new(&ClientSettings {
                    tls: tls(peer.tls.as_ref())?,
                    ..ClientSettings::default()
                })?,
                endpoint: Endpoint { url: url.clone(), relates_to_optional: true },
                sender: Party::of_device(self.settings.community.home.oid().as_str()),
                receiver: Party::of_device(&peer.application),
                limits: self.settings.limits.clone(),
            }),
        };
        Ok(Consumer { name: peer.name.clone(), interest: Interest::Identifiers(domains.clone()), channel })
    }

    fn registry(&self, registry: &LinkChangeTarget) -> Result<Consumer, Stop> {
        let LinkChangeTarget { peer, domain } = registry;
        let Destination::Mllp { host, port, .. } = &peer.url else {
            return Err(Stop::new(Exit::Usage, format!("{}: ITI-64 is HL7 v2 only", peer.name)));
        };
        let source = self.settings.community.home.oid().clone();
        Ok(Consumer {
            name: peer.name.clone(),
            interest: Interest::Links { affinity: domain.clone(), source },
            channel: Box::new(self.mllp("ITI-64", peer, (host, *port), NoName::default())?),
        })
    }

    fn mllp(
        &self,
        transaction: &'static str,
        peer: &NotifiedPeer,
        (host, port): (&str, u16),
        no_name: NoName,
    ) -> Result<Mllp, Stop> {
        let client = MllpClient::new(&MllpPeer { host: host.to_owned(), port, tls: tls(peer.tls.as_ref())? });
        let client = client.map_err(|error| Stop::new(Exit::Usage, format!("{}: {error}", peer.name)))?;
        let sender = &self.configured.sender;
        Ok(Mllp {
            transaction,
            client,
            parties: Parties {
                sender: (sender.application.clone(), sender.facility.clone()),
                receiver: (peer.application.clone(), peer.facility.clone()),
                charset: peer.charset,
            },
            no_name,
            domains: Arc::clone(&self.identity.domains),
        })
    }
}

/// Trust and identity as they are used.
pub fn tls(tls: Option<&ClientTls>) -> Result<Option<TlsClient>, Stop> {
    let Some(ClientTls { ca, identity }) = tls else { return Ok(None) };
    let identity = identity.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
    Ok(Some(TlsClient::new(ca, identity)?))
}

/// Answers to our deferred ITI-55, beside those to our asynchronous requests.
pub fn offer_deferred_answers(services: &mut Services, correlation: &PatientCorrelation) {
    let correlation = correlation.clone();
    services.offer(
        Place::Replies,
        Service::exchange(&ITI55_DEFERRED_ANSWER, move |envelope, caller| {
            let answer = iti55::read_deferred_answer(envelope)?;
            let correlation = correlation.clone();
            Ok(async move {
                let transmission = answer.transmission.clone();
                let taken = correlation.deferred_answer(answer, &caller).await;
                let status = if taken.is_ok() { Status::Success } else { Status::Failure };
                Written {
                    status,
                    headers: Vec::new(),
                    body: iti55::acknowledge_answer(&transmission, &taken),
                }
            })
        }),
    );
}

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
    deferred.follow();
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
