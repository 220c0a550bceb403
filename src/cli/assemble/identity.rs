//! Who is who in a region: its patient index, the cross-reference cache, patient discovery, correlation.

use std::sync::Arc;

use hyper::Uri;
use tokio::task::JoinHandle;

use super::super::{Exit, Stop};
use super::delivery;
use crate::actors::patient_correlation::{PatientCorrelation, Sources};
use crate::actors::patient_discovery::{Answering, DiscoveryPolicy, Learning, PatientDiscovery, People};
use crate::actors::permits::Callers;
use crate::actors::pix_consumer::PixConsumer;
use crate::config::{self, Destination, Settings};
use crate::delivery::asked::AskedQuestions;
use crate::demographics::Domains;
use crate::federation::breaker::RetryBudget;
use crate::federation::correlate::CorrelationTable;
use crate::federation::directory::Directory;
use crate::federation::discovery::Asker;
use crate::federation::line::{Line, Prudence, PrudenceSettings};
use crate::federation::managers::v2::MllpManager;
use crate::federation::managers::v3::ManagerLine;
use crate::federation::managers::{AskedBy, Manager, Supplier};
use crate::federation::member::{Member, Role};
use crate::federation::mllp_line::MllpLine;
use crate::identity::crossref::{Crossref, CrossrefSettings, follow};
use crate::identity::index::Index;
use crate::server::{Place, Service, Services, Written};
use crate::store::{Store, StoreError};
use crate::transactions::errors::Status;
use crate::transactions::hl7v2::Parties;
use crate::transactions::iti55::{self, Discovery, ITI55, lifetime};
use crate::transactions::iti56::{self, ITI56};
use crate::wire::hl7v2::mllp::{MllpClient, MllpPeer};
use crate::wire::soap::Endpoint;

/// What a region with `[identity]` has.
pub struct Identity {
    /// Its domains.
    pub domains: Arc<Domains>,
    /// The patient index; None without domains.
    pub index: Option<Index>,
    cache: Crossref,
    outside: Outside,
}

/// Where the cross-reference cache is.
pub fn crossref_settings(settings: &Settings, identity: &config::Identity) -> CrossrefSettings {
    CrossrefSettings {
        directory: settings.data.join("crossref"),
        tenant: settings.community.home.to_urn(),
        most: identity.cache.max_entries,
        memory: identity.cache.memory,
    }
}

/// Who knows the region's patients outside.
struct Outside {
    /// The manager first, which decides what corresponds.
    managers: Vec<Arc<dyn Manager>>,
    supplier: Option<Arc<dyn Supplier>>,
}

impl Identity {
    /// Opens index and cache. Touches the disk.
    pub fn open(
        settings: &Settings,
        identity: &config::Identity,
        store: Option<&Store>,
    ) -> Result<Self, Stop> {
        let tenant = settings.community.home.to_urn();
        let domains = Arc::new(Domains::new(identity.domains.clone()));
        let index = store.filter(|_| identity.has_index()).map(|store| {
            // A part of it is in memory.
            store.hold("the patient index")?;
            let index = Index::open(store.clone(), &tenant)?;
            index.set_domains(Arc::clone(&domains));
            index.set_thresholds(identity.thresholds);
            index.keep_at_hand(identity.memory);
            Ok(index)
        });
        let index = index.transpose().map_err(|error: StoreError| {
            Stop::new(Exit::Unavailable, format!("the patient index cannot be used: {error}"))
        })?;
        let cache = Crossref::open(&crossref_settings(settings, identity));
        let cache = cache.map_err(|error| {
            Stop::new(Exit::Unavailable, format!("the cross-reference cache cannot be used: {error}"))
        })?;
        if index.is_some() {
            cache.await_index();
        }
        let outside = outside(settings, identity, &domains)?;
        Ok(Self { domains, index, cache, outside })
    }

    /// The cross-reference cache.
    pub fn cache(&self) -> &Crossref {
        &self.cache
    }

    /// What runs beside: the cache follows the index.
    pub fn follow(&self) -> Option<JoinHandle<()>> {
        let index = self.index.clone()?;
        Some(tokio::spawn(follow::follow(self.cache.clone(), index)))
    }

    /// Who our patients are elsewhere.
    pub fn correlation(
        &self,
        settings: &Settings,
        identity: &config::Identity,
        table: Arc<CorrelationTable>,
        directory: &Arc<Directory>,
        store: Option<&Store>,
    ) -> Result<PatientCorrelation, Stop> {
        let community = &settings.community;
        let config::Discovery { own_identifier, time_to_live, .. } = identity.discovery;
        let template = Discovery {
            home: Some(community.home.clone()),
            authority: community.authorities.first().filter(|_| own_identifier).cloned(),
            time_to_live: time_to_live.filter(|_| own_identifier),
            ..Discovery::default()
        };
        Ok(PatientCorrelation::new(Sources {
            table,
            cache: Some(self.cache.clone()),
            index: self.index.clone(),
            managers: self.outside.managers.clone(),
            asker: Some(Asker {
                template,
                device: community.home.oid().to_string(),
                domains: Arc::clone(&self.domains),
            }),
            asked: store.map(|store| AskedQuestions::new(store.clone(), community.home.to_urn().into())),
            directory: Some(Arc::clone(directory)),
            authorities: community.authorities.clone(),
        }))
    }

    /// Takes what a PIX Manager outside tells of changes; None without one.
    pub fn consumer(&self, identity: &config::Identity) -> Option<PixConsumer> {
        let managers = match identity.manager.as_ref()?.certificates.as_slice() {
            [] => Callers::Anybody,
            named => Callers::Certified(named.to_vec()),
        };
        Some(PixConsumer::new(self.cache.clone(), Arc::clone(&self.domains), managers))
    }

    /// ITI-55 and ITI-56 over the index, or over who knows the region's patients outside; gives what answers them.
    pub fn offer(
        &self,
        services: &mut Services,
        settings: &Settings,
        identity: &config::Identity,
        directory: Option<&Arc<Directory>>,
    ) -> Option<PatientDiscovery> {
        let people = match (&self.index, &self.outside) {
            (Some(index), _) => People::from(index.clone()),
            (None, Outside { supplier: Some(supplier), managers }) => {
                People::Outside { supplier: Arc::clone(supplier), managers: managers.clone() }
            }
            (None, Outside { supplier: None, .. }) => return None,
        };
        let config::Discovery { communities, several, minimum_degree, time_to_live, per_minute, .. } =
            identity.discovery.clone();
        let own = &settings.community;
        let mut answering = vec![Answering { home: own.home.clone(), authorities: own.authorities.clone() }];
        answering.extend(communities);
        let policy = DiscoveryPolicy {
            communities: answering,
            several,
            minimum_degree,
            time_to_live,
            per_minute,
            emergency: identity.emergency.clone(),
        };
        let cache = self.cache.clone();
        let learning = directory.map(|directory| Learning { cache, directory: Arc::clone(directory) });
        let discovery = PatientDiscovery::new(people, Arc::clone(&self.domains), policy, learning);
        offer_discovery(services, &discovery, own.home.clone());
        Some(discovery)
    }

    /// Writes what is only in memory.
    pub async fn close(&self) {
        // What is lost is followed, or asked, again; the log has why.
        let _ = self.cache.flush().await;
    }
}

fn outside(
    settings: &Settings,
    identity: &config::Identity,
    domains: &Arc<Domains>,
) -> Result<Outside, Stop> {
    let community = &settings.community;
    let member = Arc::new(Member::new(Role::Own, &community.name, community.home.clone(), Vec::new()));
    let web_service = |outside: &config::Outside, url: &Uri, asked_by| {
        let line = Line {
            member: Arc::clone(&member),
            prudence: Prudence::new(&PrudenceSettings::default(), RetryBudget::new()),
            client: super::region::client(outside.tls.as_ref())?,
            endpoint: Endpoint { url: url.clone(), relates_to_optional: false },
            channel: None,
            limits: settings.limits.clone(),
        };
        let device = community.home.oid().to_string();
        Ok::<_, Stop>(ManagerLine { line, device, domains: Arc::clone(domains), asked_by })
    };
    let mllp = |outside: &config::Outside, (host, port): (&str, u16), asked_by| {
        let tls = delivery::tls(outside.tls.as_ref())?;
        let client = MllpClient::new(&MllpPeer { host: host.to_owned(), port, tls });
        let client = client.map_err(|error| Stop::new(Exit::Usage, format!("{}: {error}", outside.url)))?;
        let config::Sender { application, facility } = identity.sender.clone();
        let parties = Parties {
            sender: (application, facility),
            receiver: (outside.application.clone(), outside.facility.clone()),
            charset: outside.charset,
        };
        let line = MllpLine::new(Arc::clone(&member), client, parties);
        Ok::<_, Stop>(MllpManager { line, domains: Arc::clone(domains), asked_by })
    };
    let mut found = Outside { managers: Vec::new(), supplier: None };
    if let Some(manager) = &identity.manager {
        found.managers.push(match &manager.url {
            Destination::Soap(url) => Arc::new(web_service(manager, url, AskedBy::PixQuery)?) as _,
            Destination::Mllp { host, port, .. } => {
                Arc::new(mllp(manager, (host, *port), AskedBy::PixQuery)?) as _
            }
        });
    }
    if let Some(supplier) = &identity.supplier {
        match &supplier.url {
            Destination::Soap(url) => {
                found.know(Arc::new(web_service(supplier, url, AskedBy::DemographicsQuery)?));
            }
            Destination::Mllp { host, port, .. } => {
                found.know(Arc::new(mllp(supplier, (host, *port), AskedBy::DemographicsQuery)?));
            }
        }
    }
    Ok(found)
}

impl Outside {
    /// A supplier answers by identifier, too.
    fn know(&mut self, supplier: Arc<impl Manager + Supplier + 'static>) {
        self.managers.push(Arc::clone(&supplier) as _);
        self.supplier = Some(supplier);
    }
}

fn offer_discovery(services: &mut Services, discovery: &PatientDiscovery, own: crate::ids::HomeCommunityId) {
    let actor = discovery.clone();
    services.offer(
        Place::Services,
        Service::exchange(&ITI55, move |envelope, caller| {
            let received = iti55::read_request(envelope)?;
            let (discovery, own) = (actor.clone(), own.clone());
            Ok(async move {
                let response = discovery.discover(&received, &caller).await;
                let status = match &response.outcome {
                    iti55::Outcome::Cannot(_) => Status::Failure,
                    _ => Status::Success,
                };
                let headers = response.time_to_live.map(lifetime::write).into_iter().collect();
                Written { status, headers, body: iti55::write_response(&response, &received, &own) }
            })
        }),
    );
    let actor = discovery.clone();
    services.offer(
        Place::Services,
        Service::exchange(&ITI56, move |envelope, caller| {
            let asked = iti56::read_request(envelope.body())?;
            let discovery = actor.clone();
            Ok(async move {
                let locations = discovery.locate(&asked, &caller).await;
                let body = iti56::write_response(&asked, &locations);
                Written { status: Status::Success, headers: Vec::new(), body }
            })
        }),
    );
}
