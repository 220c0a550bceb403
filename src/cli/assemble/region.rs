//! The actors of a region, joined as its mode says (design: floors 3 and 4 meet here, and nowhere else).

use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use tokio::task::JoinHandle;

use super::super::{Exit, Stop};
use super::delivery;
use super::hosting::{Housing, MIGRATIONS, offer_gateway, offer_hosted};
use super::identity::Identity;
use super::patients::PatientActors;
use super::stocktaking::Stocktaking;
use crate::actors::initiating_gateway::InitiatingGateway;
use crate::actors::notifier::{Consumer, Notifier};
use crate::actors::own_community::OwnCommunity;
use crate::actors::patient_correlation::PatientCorrelation;
use crate::actors::responding_gateway::RespondingGateway;
use crate::actors::submission_relay::SubmissionRelay;
use crate::config::{self, Asynchronous, ClientTls, Federation, Mode, Settings};
use crate::delivery::outbox::Outbox;
use crate::federation::breaker::RetryBudget;
use crate::federation::bridge::Bridge;
use crate::federation::correlate::{CorrelationRow, CorrelationTable};
use crate::federation::directory::{Directory, DirectorySettings};
use crate::federation::line::{Line, Prudence, PrudenceSettings};
use crate::federation::member::{Member, Role};
use crate::federation::{Correlate, Source};
use crate::identity;
use crate::registry::Registry;
use crate::repository::Bucket;
use crate::server::{Exchange, Hl7Services, Place, Service, Services};
use crate::store::{Backend, Store, StoreError};
use crate::transactions::iti18::ITI18;
use crate::transactions::iti42::ITI42;
use crate::transactions::iti43::ITI43;
use crate::wire::hl7v2::Charset;
use crate::wire::http::{Client, ClientSettings, TlsClient};
use crate::wire::soap::{AllowedReplies, Endpoint, Replies};

/// A region's actors.
pub struct Region {
    store: Option<Store>,
    housing: Housing,
    relay: Option<Relay>,
    federated: Option<Federated>,
    identity: Option<Identity>,
    patients: PatientActors,
    outbox: Option<Outbox>,
    stock: Stocktaking,
}

/// Where submissions are passed on to, behind a bridge.
struct Relay {
    relay: SubmissionRelay,
    iti41: Option<Uri>,
    iti42: Option<Uri>,
}

/// What a region with federation has.
struct Federated {
    own: OwnCommunity,
    directory: Arc<Directory>,
    table: Arc<CorrelationTable>,
    /// None where the table is all that is known.
    correlation: Option<PatientCorrelation>,
    deadline: Duration,
}

impl Region {
    /// Where everything is kept.
    pub fn store(&self) -> Option<Store> {
        self.store.clone()
    }

    /// Opens the store and reads the directory.
    pub async fn open(settings: &Settings) -> Result<Self, Stop> {
        let settings = settings.clone();
        let opened = tokio::task::spawn_blocking(move || Self::open_blocking(&settings)).await;
        opened.map_err(|error| Stop::new(Exit::Unavailable, format!("starting failed: {error}")))?
    }

    fn open_blocking(settings: &Settings) -> Result<Self, Stop> {
        let community = &settings.community;
        let member = Arc::new(Member::new(Role::Own, &community.name, community.home.clone(), Vec::new()));
        let mut region = Self {
            store: None,
            housing: Housing::default(),
            relay: None,
            federated: None,
            identity: None,
            patients: PatientActors::default(),
            outbox: None,
            stock: Stocktaking::new(settings, Housing::default()),
        };
        let has_tenants = settings.own().is_some() || !settings.tenants.is_empty();
        if settings.identity.is_some() || has_tenants {
            let open = || {
                let store = Store::open_in(&settings.store, &settings.data, MIGRATIONS)?;
                Ok((Housing::open(settings, &store)?, store))
            };
            let (housing, store) = open().map_err(|error| unusable(settings, &error))?;
            region.stock = Stocktaking::new(settings, housing.clone());
            (region.housing, region.store) = (housing, Some(store));
        }
        let main: Option<Arc<dyn Source>> = match &settings.mode {
            Mode::Standalone(_) | Mode::Hosted(_) => {
                region.housing.own().map(|hosted| Arc::new(hosted.clone()) as _)
            }
            Mode::Bridge(bridge) => {
                let client = client(bridge.tls.as_ref())?;
                region.relay = Some(Relay {
                    relay: SubmissionRelay::new(client.clone(), settings.limits.clone()),
                    iti41: bridge.iti41.clone(),
                    iti42: bridge.iti42.clone(),
                });
                Some(Arc::new(lines(settings, bridge, &client, &member)))
            }
        };
        if let Some(identity) = &settings.identity {
            let room = Identity::open(settings, identity, region.store.as_ref())?;
            region.housing.set_domains(&room.domains);
            let outbox = region.store.as_ref().map(|store| delivery::outbox(settings, store));
            region.outbox = outbox.transpose()?;
            region.identity = Some(room);
        }
        let consumer = region.identity.as_ref().zip(settings.identity.as_ref());
        let consumer = consumer.and_then(|(room, identity)| room.consumer(identity));
        let registries = region.housing.registries(&community.home);
        region.patients = PatientActors::new(region.identity.as_ref(), registries, consumer);
        if let (Some(federation), Some(source)) =
            (&settings.federation, region.housing.own_source(main, settings))
        {
            let table = Arc::new(CorrelationTable::new(rows(federation)));
            let directory = directory(settings, federation)?;
            let correlation = match (&region.identity, &settings.identity) {
                (Some(room), Some(identity)) => {
                    let table = Arc::clone(&table);
                    Some(room.correlation(settings, identity, table, &directory, region.store.as_ref())?)
                }
                _ => None,
            };
            region.federated = Some(Federated {
                own: OwnCommunity { member, source, domains: Arc::new(settings.domains()) },
                directory,
                table,
                correlation,
                deadline: federation.deadline,
            });
        }
        Ok(region)
    }

    /// The object store of its documents; None where they are in files.
    pub fn bucket(&self) -> Option<&Bucket> {
        self.housing.bucket()
    }

    /// The directory of communities; None with federation off.
    pub fn directory(&self) -> Option<&Arc<Directory>> {
        self.federated.as_ref().map(|federated| &federated.directory)
    }

    /// The patient index; None without `[identity]`.
    pub fn index(&self) -> Option<&identity::index::Index> {
        self.identity.as_ref()?.index.as_ref()
    }

    /// The cross-reference cache; None without `[identity]`.
    pub fn crossref(&self) -> Option<&identity::crossref::Crossref> {
        self.identity.as_ref().map(Identity::cache)
    }

    /// How messages are exchanged asynchronously.
    pub fn exchange(&self, settings: &Settings) -> Result<Exchange, Stop> {
        let Asynchronous { reply_to, tls, .. } = &settings.asynchronous;
        let own = settings.listen.soap.as_ref().map(|soap| (soap.certificate.clone(), soap.key.clone()));
        let tls = tls.as_ref().map(|tls| {
            let identity = tls.identity.as_ref().or(own.as_ref());
            TlsClient::new(&tls.ca, identity.map(|(certificate, key)| (certificate.as_path(), key.as_path())))
        });
        Ok(Exchange {
            allowed: AllowedReplies::new(reply_to.clone()),
            client: Client::new(&ClientSettings { tls: tls.transpose()?, ..ClientSettings::default() })?,
            replies: self.directory().and_then(|directory| directory.replies().cloned()),
        })
    }

    /// What answers where (design: listeners). With federation, `/services` asks everybody and `/hosted` only what is hosted
    /// here; submissions are the same on both.
    pub fn services(&self, settings: &Settings, exchange: &Exchange) -> Services {
        let mut services = Services::new();
        if let (Some(room), Some(identity)) = (&self.identity, &settings.identity)
            && let Some(discovery) = room.offer(&mut services, settings, identity, self.directory())
        {
            delivery::offer_deferred(&mut services, settings, discovery, self.store.as_ref(), exchange);
        }
        self.patients.offer(&mut services, &settings.community.home);
        if let Some(hosted) = self.housing.own() {
            offer_hosted(&mut services, Place::Services, hosted);
        }
        if let Some(relay) = &self.relay {
            relay.offer(&mut services);
        }
        if let Some(federated) = &self.federated {
            if let Some(hosted) = self.housing.own() {
                offer_hosted(&mut services, Place::Hosted, hosted);
            }
            federated.offer(&mut services);
        }
        self.housing.offer_tenants(&mut services, settings);
        services
    }

    /// What answers over MLLP.
    pub fn hl7v2(&self, charset: Charset) -> Hl7Services {
        self.patients.hl7v2(charset)
    }

    /// Begins to tell others what happens to identifiers.
    pub fn notifier(&self, settings: &Settings) -> Result<Option<Notifier>, Stop> {
        match (&self.identity, &settings.identity, &self.outbox) {
            (Some(room), Some(identity), Some(outbox)) => {
                delivery::notifier(settings, identity, room, outbox)
            }
            _ => Ok(None),
        }
    }

    /// Whom to tell what happens to identifiers. Touches the disk.
    pub fn consumers(&self, settings: &Settings) -> Result<Vec<Consumer>, Stop> {
        match (&self.identity, &settings.identity) {
            (Some(room), Some(identity)) => delivery::consumers(settings, identity, room),
            _ => Ok(Vec::new()),
        }
    }

    /// Takes up what can change while it runs.
    pub async fn reload(&self, settings: &Settings) {
        let (Some(federated), Some(federation)) = (&self.federated, &settings.federation) else { return };
        federated.table.replace(rows(federation));
        let directory = Arc::clone(&federated.directory);
        // The directory logs its problems itself, and its status shows them.
        let _ = tokio::task::spawn_blocking(move || directory.reload()).await;
    }

    /// How much room is left.
    pub fn stock(&self) -> &Stocktaking {
        &self.stock
    }

    /// What runs beside the services.
    pub fn follow(&self) -> Vec<JoinHandle<()>> {
        let cache = self.identity.as_ref().and_then(Identity::follow);
        let retention = self.housing.retentions().map(|retention| tokio::spawn(retention.follow()));
        let stock = tokio::spawn(self.stock.clone().follow());
        cache.into_iter().chain(retention).chain([stock]).collect()
    }

    /// Closes the store, when nothing is in flight any more.
    pub async fn close(self) {
        if let Some(identity) = &self.identity {
            identity.close().await;
        }
        if let Some(store) = self.store {
            let _ = tokio::task::spawn_blocking(move || store.close()).await;
        }
    }
}

impl Relay {
    /// Without a place to pass on to, there is no such path.
    fn offer(&self, services: &mut Services) {
        if let Some(url) = self.iti41.clone() {
            let relay = self.relay.clone();
            services.offer(
                Place::Services,
                Service::provide(move |request, parts, caller| {
                    let (relay, url) = (relay.clone(), url.clone());
                    async move { relay.provide_and_register(&url, request, parts, &caller).await }
                }),
            );
        }
        if let Some(url) = self.iti42.clone() {
            let relay = self.relay.clone();
            services.offer(
                Place::Services,
                Service::register(&ITI42, move |submission, caller| {
                    let (relay, url) = (relay.clone(), url.clone());
                    async move { relay.register_document_set(&url, &submission, &caller).await }
                }),
            );
        }
    }
}

impl Federated {
    fn offer(&self, services: &mut Services) {
        let correlate: Arc<dyn Correlate> = match &self.correlation {
            Some(correlation) => Arc::new(correlation.clone()),
            None => Arc::clone(&self.table) as _,
        };
        let initiating =
            InitiatingGateway::new(self.own.clone(), Arc::clone(&self.directory), correlate, self.deadline);
        if let Some(correlation) = &self.correlation {
            delivery::offer_deferred_answers(services, correlation);
        }
        let responding = RespondingGateway::new(self.own.clone(), self.deadline);
        let (gateway, place) = (initiating.clone(), Place::Services);
        services.offer(
            place,
            Service::query(&ITI18, move |request, caller| {
                let gateway = gateway.clone();
                async move { gateway.registry_stored_query(request, &caller).await }
            }),
        );
        services.offer(
            place,
            Service::retrieve(&ITI43, move |request, caller| {
                let gateway = initiating.clone();
                async move { gateway.retrieve_document_set(request, &caller).await }
            }),
        );
        offer_gateway(services, place, responding);
    }
}

/// The registries of the region's own community that are hosted here, which hear of its patients: its own first, then those
/// of its facilities.
pub fn registries(settings: &Settings, store: &Store) -> Vec<Registry> {
    let tenants = settings.all_tenants().into_iter();
    let ours = tenants.filter(|tenant| tenant.home == settings.community.home);
    ours.map(|tenant| tenant.registry(settings, store)).collect()
}

fn unusable(settings: &Settings, error: &StoreError) -> Stop {
    let message = match (&settings.store, error) {
        (Backend::Postgres(_), StoreError::Sql(_)) => {
            format!("the database cannot be used: {error}; is it up, and is [store] right?")
        }
        _ => format!("the data directory {} cannot be used: {error}", settings.data.display()),
    };
    Stop::new(Exit::Unavailable, message)
}

/// A client towards what is there already: registry, repositories, who knows patients.
pub(super) fn client(tls: Option<&ClientTls>) -> Result<Client, Stop> {
    let tls = match tls {
        Some(ClientTls { ca, identity }) => {
            let identity = identity.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
            Some(TlsClient::new(ca, identity)?)
        }
        None => None,
    };
    Ok(Client::new(&ClientSettings { tls, ..ClientSettings::default() })?)
}

/// Lines to them.
fn lines(settings: &Settings, bridge: &config::Bridge, client: &Client, member: &Arc<Member>) -> Bridge {
    let retries = RetryBudget::new();
    let line = |url: &Uri| Line {
        member: Arc::clone(member),
        // A line of its own for each: a repository that is down takes nobody along.
        prudence: Prudence::new(&PrudenceSettings::default(), Arc::clone(&retries)),
        client: client.clone(),
        endpoint: Endpoint { url: url.clone(), relates_to_optional: false },
        channel: None,
        limits: settings.limits.clone(),
    };
    let repositories = bridge.iti43.iter().map(|(oid, url)| (oid.to_string(), line(url)));
    Bridge { registry: line(&bridge.iti18), repositories: repositories.collect() }
}

/// Where the directory of communities is, and what they share.
pub fn directory_settings(settings: &Settings, federation: &Federation) -> DirectorySettings {
    let identity = settings.listen.soap.as_ref().map(|soap| (soap.certificate.clone(), soap.key.clone()));
    DirectorySettings {
        folder: federation.communities.clone(),
        quirks: federation.quirks.clone(),
        identity,
        own: vec![settings.community.home.clone()],
        limits: settings.limits.clone(),
        replies: settings.asynchronous.replies.as_ref().map(Replies::new),
    }
}

/// Reads the directory of communities; all of its problems stop the start. Touches the disk.
pub fn directory(settings: &Settings, federation: &Federation) -> Result<Arc<Directory>, Stop> {
    Directory::load(directory_settings(settings, federation)).map_err(|problems| {
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        Stop::new(Exit::Usage, format!("the communities cannot be used:\n\n{}", problems.join("\n")))
    })
}

fn rows(federation: &Federation) -> impl Iterator<Item = CorrelationRow> {
    federation.correlation.iter().map(|row| (row.local.clone(), row.home.clone(), row.remote.clone()))
}
