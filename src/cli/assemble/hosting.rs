//! Registries and repositories that are hosted here: the region's own and those of tenants, each with its own rows, folder
//! and permits (docs/tenants.md). All of them share one store.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::actors::content_gate::ContentGate;
use crate::actors::document_registry::DocumentRegistry;
use crate::actors::document_repository::{DocumentList, DocumentRepository};
use crate::actors::own_community::{Hosted, OwnCommunity, Several};
use crate::actors::responding_gateway::RespondingGateway;
use crate::actors::retention::Retention;
use crate::config::{Federated, OWN, Patients, SenderRules, Settings, TenantSettings};
use crate::demographics::Domains;
use crate::federation::Source;
use crate::identity;
use crate::ids::HomeCommunityId;
use crate::metadata::validate;
use crate::registry::{self, KnownBy, Registry, RegistrySettings, Tenant};
use crate::repository::{self, Bucket, Documents, Opening, Repository, StagingMemory};
use crate::server::{Place, Service, Services};
use crate::store::{Migration, Store, StoreError};
use crate::transactions::iti18::ITI18;
use crate::transactions::iti38::ITI38;
use crate::transactions::iti39::ITI39;
use crate::transactions::iti42::ITI42;
use crate::transactions::iti43::ITI43;
use crate::transactions::iti51::ITI51;
use crate::transactions::iti57::ITI57;
use crate::transactions::iti61::ITI61;
use crate::transactions::iti92::ITI92;

/// The tables of every room that keeps some.
pub const MIGRATIONS: &[Migration] =
    &[registry::MIGRATION, repository::MIGRATION, identity::index::MIGRATION, crate::delivery::MIGRATION];

/// A tenant, and what is hosted for it.
#[derive(Clone)]
pub struct Housed {
    /// Whose it is.
    pub tenant: TenantSettings,
    /// What is hosted.
    pub hosted: Hosted,
    /// What ends what has been kept for long enough.
    pub retention: Option<Retention>,
}

/// Everything that is hosted here.
#[derive(Clone, Default)]
pub struct Housing {
    housed: Vec<Housed>,
    bucket: Option<Bucket>,
}

impl TenantSettings {
    /// Its key in the store.
    pub fn key(&self) -> Tenant {
        Tenant::new(&self.home, self.facility.as_ref())
    }

    /// Where its documents lie: the region's own in the data directory itself, another's in a folder that is named after its
    /// repository, which it keeps for life.
    pub fn folder(&self, settings: &Settings) -> PathBuf {
        match self.name.as_str() {
            OWN => settings.data.clone(),
            _ => settings.data.join("tenants").join(self.hosted.repository.as_str()),
        }
    }

    /// Its registry in a store.
    pub fn registry(&self, settings: &Settings, store: &Store) -> Registry {
        let mode = &self.hosted;
        let demands = RegistrySettings {
            authorities: match mode.patients {
                Patients::Any => Vec::new(),
                Patients::Own | Patients::Fed => self.authorities.clone(),
            },
            domains: settings.domains(),
            known_by: match mode.patients {
                Patients::Fed => KnownBy::Feed,
                Patients::Own | Patients::Any => KnownBy::Submissions,
            },
            unknown_patient: mode.unknown_patient,
            relinking_content_type: mode.link_change_code.clone(),
            max_results: settings.limits.max_query_results,
            rules: self.rules.clone(),
            senders: self.sender_rules(),
        };
        Registry::new(store.clone(), self.key(), demands)
    }

    /// Its repository in a store, with new documents kept there. Blocks.
    pub fn repository(
        &self,
        settings: &Settings,
        store: &Store,
        Shelves { documents, memory }: Shelves,
    ) -> Result<Repository, StoreError> {
        let folder = self.folder(settings);
        std::fs::create_dir_all(&folder)?;
        if let Documents::Files = documents {
            store.claim(&Repository::claim(self.hosted.repository.as_str()))?;
        }
        let opening = Opening::new(folder, self.key().0, self.hosted.repository.clone());
        let keys = self.hosted.keys.clone();
        let opening = opening.with_documents(documents).with_memory(memory);
        let opening = opening.with_keys(keys).with_quota(self.hosted.quota);
        Repository::open(store.clone(), opening)
    }

    /// How strictly the metadata of single senders is taken.
    fn sender_rules(&self) -> HashMap<String, validate::Settings> {
        let rules = self.rules.as_ref().unwrap_or(validate::Settings::built_in());
        let laid_over =
            |sender: &SenderRules| Some((sender.certificate.clone(), rules.with(&sender.changes).ok()?));
        self.hosted.rules_of_senders.iter().filter_map(laid_over).collect()
    }

    /// What its documents pass on their way in.
    fn gate(&self) -> ContentGate {
        match self.hosted.content.scanner.clone() {
            Some((address, away)) => ContentGate::scanning(address, away),
            None => ContentGate::default(),
        }
    }

    /// Its actors. Blocks.
    fn house(&self, settings: &Settings, store: &Store, shelves: Shelves) -> Result<Housed, StoreError> {
        let registry = self.registry(settings, store);
        let repository = self.repository(settings, store, shelves)?;
        let permits = &self.hosted.permits;
        let rules = self.hosted.retention.clone();
        let duty = store.duty(&format!("the retention of {}", self.key().0));
        let retention = Retention::new(&self.name, registry.clone(), repository.clone(), rules, duty);
        let repository =
            DocumentRepository::new(repository, registry.clone(), settings.limits.clone(), permits.clone())
                .with_gate(self.gate())
                .with_on_demand(self.hosted.on_demand, Arc::new(DocumentList));
        let registry = DocumentRegistry::new(registry, permits.clone());
        Ok(Housed { tenant: self.clone(), hosted: Hosted { registry, repository }, retention })
    }
}

/// What the repositories of all tenants share.
#[derive(Clone)]
pub struct Shelves {
    /// Where new documents are kept.
    documents: Documents,
    memory: StagingMemory,
}

impl Shelves {
    /// Those of a configuration. Called on a thread of a runtime.
    pub fn open(settings: &Settings) -> Result<Self, StoreError> {
        let refused = |error| std::io::Error::other(format!("[documents.s3]: {error}"));
        let documents = match &settings.s3 {
            Some(s3) => Documents::Objects(Bucket::open(s3).map_err(refused)?),
            None => Documents::Files,
        };
        Ok(Self { documents, memory: StagingMemory::default() })
    }
}

impl Housing {
    /// Opens everything that is hosted in a store. Blocks.
    pub fn open(settings: &Settings, store: &Store) -> Result<Self, StoreError> {
        let shelves = Shelves::open(settings)?;
        let tenants = settings.all_tenants();
        let housed = tenants.iter().map(|tenant| tenant.house(settings, store, shelves.clone()));
        let housed = housed.collect::<Result<_, _>>()?;
        let bucket = match shelves.documents {
            Documents::Files => None,
            Documents::Objects(bucket) => Some(bucket),
        };
        Ok(Self { housed, bucket })
    }

    /// The object store of all documents; None where they are in files.
    pub fn bucket(&self) -> Option<&Bucket> {
        self.bucket.as_ref()
    }

    /// All, the region's own first.
    pub fn all(&self) -> &[Housed] {
        &self.housed
    }

    /// The retention of those tenants that have rules.
    pub fn retentions(&self) -> impl Iterator<Item = Retention> {
        self.housed.iter().filter_map(|housed| housed.retention.clone())
    }

    /// The region's own.
    pub fn own(&self) -> Option<&Hosted> {
        self.housed.iter().find(|housed| housed.tenant.name == OWN).map(|housed| &housed.hosted)
    }

    /// Those of a community, the community's own before its facilities'.
    pub fn of_community<'a>(&'a self, home: &HomeCommunityId) -> Vec<&'a Housed> {
        let mut found: Vec<_> = self.housed.iter().filter(|housed| housed.tenant.home == *home).collect();
        found.sort_by_key(|housed| housed.tenant.facility.is_some());
        found
    }

    /// Lets every registry know what the configuration says of identifier domains.
    pub fn set_domains(&mut self, domains: &Arc<Domains>) {
        for Housed { hosted, .. } in &mut self.housed {
            hosted.registry = hosted.registry.clone().with_domains(Arc::clone(domains));
        }
    }

    /// The registries of a community, which hear of its patients by one feed.
    pub fn registries(&self, home: &HomeCommunityId) -> Vec<DocumentRegistry> {
        self.of_community(home).into_iter().map(|housed| housed.hosted.registry.clone()).collect()
    }

    /// What the region's gateway asks: its main source with the facilities whose tenants are federated.
    pub fn own_source(&self, main: Option<Arc<dyn Source>>, settings: &Settings) -> Option<Arc<dyn Source>> {
        let home = &settings.community.home;
        Several::join(main, self.federated_facilities(home), settings.limits.max_query_results)
    }

    fn federated_facilities(&self, home: &HomeCommunityId) -> Vec<Hosted> {
        let is_one =
            |housed: &&Housed| housed.tenant.facility.is_some() && housed.tenant.federation == Federated::Yes;
        self.of_community(home).into_iter().filter(is_one).map(|housed| housed.hosted.clone()).collect()
    }

    /// Offers every tenant's services at its own path; that of another community has its Responding Gateway there.
    pub fn offer_tenants(&self, services: &mut Services, settings: &Settings) {
        for Housed { tenant, hosted, .. } in self.housed.iter().filter(|housed| housed.tenant.name != OWN) {
            let place = Place::Tenant(&tenant.name);
            offer_hosted(services, place, hosted);
            if hosted.registry.permits().feed.any() {
                offer_feed(services, place, &hosted.registry);
            }
            let Some(federation) = &settings.federation else { continue };
            if tenant.federation == Federated::Yes && tenant.facility.is_none() {
                let main: Arc<dyn Source> = Arc::new(hosted.clone());
                let facilities = self.federated_facilities(&tenant.home);
                let most = settings.limits.max_query_results;
                let Some(source) = Several::join(Some(main), facilities, most) else { continue };
                let community = OwnCommunity::new(&tenant.title, tenant.home.clone(), source)
                    .with_domains(settings.domains());
                let gateway = RespondingGateway::new(community, federation.deadline);
                let callers = tenant.hosted.permits.gateway.clone();
                offer_gateway(services, place, gateway.permitting(callers));
            }
        }
    }
}

/// Offers what a Responding Gateway answers.
pub(super) fn offer_gateway(services: &mut Services, place: Place<'_>, responding: RespondingGateway) {
    let gateway = responding.clone();
    services.offer(
        place,
        Service::query(&ITI38, move |request, caller| {
            let gateway = gateway.clone();
            async move { gateway.cross_gateway_query(request, &caller).await }
        }),
    );
    services.offer(
        place,
        Service::retrieve(&ITI39, move |request, caller| {
            let gateway = responding.clone();
            async move { gateway.cross_gateway_retrieve(request, &caller).await }
        }),
    );
}

/// Offers a tenant's own Patient Identity Feed.
fn offer_feed(services: &mut Services, place: Place<'_>, registry: &DocumentRegistry) {
    let registry = registry.clone();
    let feed = Service::patient_identity_feed(move |feed, caller| {
        let registry = registry.clone();
        async move { registry.permitted_feed(feed, &caller).await }
    });
    for service in feed {
        services.offer(place, service);
    }
}

/// Offers what a registry and repository do, as far as anybody is permitted to ask for it.
pub(super) fn offer_hosted(services: &mut Services, place: Place<'_>, hosted: &Hosted) {
    let Hosted { registry, repository } = hosted.clone();
    let permits = registry.permits().clone();
    if permits.remove.any() {
        let actor = registry.clone();
        services.offer(
            place,
            Service::remove_metadata(move |request, caller| {
                let registry = actor.clone();
                async move { registry.remove_metadata(request, &caller).await }
            })
            .rehearsing(),
        );
        let actor = repository.clone();
        services.offer(
            place,
            Service::remove_documents(move |request, caller| {
                let repository = actor.clone();
                async move { repository.remove_documents(request, &caller).await }
            })
            .rehearsing(),
        );
    }
    if permits.update.any() {
        let actor = registry.clone();
        services.offer(
            place,
            Service::register(&ITI57, move |submission, caller| {
                let registry = actor.clone();
                async move { registry.update_document_set(submission, &caller).await }
            })
            .rehearsing(),
        );
        let actor = registry.clone();
        services.offer(
            place,
            Service::register(&ITI92, move |submission, caller| {
                let registry = actor.clone();
                async move { registry.restricted_update_document_set(submission, &caller).await }
            })
            .rehearsing(),
        );
    }
    if permits.multi_patient.any() {
        let actor = registry.clone();
        services.offer(
            place,
            Service::query(&ITI51, move |request, caller| {
                let registry = actor.clone();
                async move { registry.multi_patient_stored_query(request, &caller).await }
            }),
        );
    }
    if permits.query.any() {
        let actor = registry.clone();
        services.offer(
            place,
            Service::query(&ITI18, move |request, caller| {
                let registry = actor.clone();
                async move { registry.registry_stored_query(request, &caller).await }
            }),
        );
        let actor = repository.clone();
        services.offer(
            place,
            Service::retrieve(&ITI43, move |request, caller| {
                let repository = actor.clone();
                async move { repository.retrieve_document_set(request, &caller).await }
            }),
        );
    }
    if permits.submit.any() {
        offer_submissions(services, place, registry, repository);
    }
}

fn offer_submissions(
    services: &mut Services,
    place: Place<'_>,
    registry: DocumentRegistry,
    repository: DocumentRepository,
) {
    let actor = registry.clone();
    services.offer(
        place,
        Service::register(&ITI42, move |submission, caller| {
            let registry = actor.clone();
            async move { registry.register_document_set(submission, &caller).await }
        })
        .rehearsing(),
    );
    services.offer(
        place,
        Service::register(&ITI61, move |submission, caller| {
            let registry = registry.clone();
            async move { registry.register_on_demand_document_entry(submission, &caller).await }
        })
        .rehearsing(),
    );
    services.offer(
        place,
        Service::provide(move |request, parts, caller| {
            let repository = repository.clone();
            async move { repository.provide_and_register(request, parts, &caller).await }
        })
        .rehearsing(),
    );
}
