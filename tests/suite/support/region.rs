//! A PIX Manager and PDQ Supplier over a store of their own, behind MLLP, and messages to them over a socket.

use std::sync::Arc;
use std::time::Duration;

use sekisho::actors::document_registry::DocumentRegistry;
use sekisho::actors::identity_feed::FeedReceivers;
use sekisho::actors::pdq_supplier::PdqSupplier;
use sekisho::actors::permits::Permits;
use sekisho::actors::pix_manager::PixManager;
use sekisho::demographics::{Domain, DomainKind, DomainSource, Domains};
use sekisho::identity::index::{Index, MIGRATION};
use sekisho::ids::Oid;
use sekisho::limits::Limits;
use sekisho::registry::{self, Registry, RegistrySettings, Tenant};
use sekisho::server::{Hl7Services, Place, Service, Services};
use sekisho::store::Store;
use sekisho::transactions::hl7v3::registration::{Custodian, HealthDataLocator};
use sekisho::wire::hl7v2::Charset;
use sekisho::wire::hl7v2::mllp::{MllpListener, frame, serve};
use sekisho::wire::http::ServerHandle;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::certs::TempDir;
use super::http::PATIENCE;

/// Five domains: `HOSPITAL` 1.2.1, `CLINIC` 1.2.2, `REGION` 1.2.3, `FED` 1.2.4, which only HIS|FEDERAL feeds, and `INSURED`
/// 1.2.5 of insured persons' numbers.
pub struct Region {
    server: ServerHandle,
    receivers: FeedReceivers,
    manager: PixManager,
    supplier: PdqSupplier,
    store: Store,
    _folder: TempDir,
}

impl Region {
    pub async fn start() -> Self {
        let folder = TempDir::new();
        let store = Store::open(folder.path(), &[MIGRATION, registry::MIGRATION]).unwrap();
        let index = Index::open(store.clone(), "region").unwrap();
        let domains = Arc::new(domains());
        index.set_domains(Arc::clone(&domains));
        let manager = PixManager::new(index.clone(), Arc::clone(&domains));
        let receivers = FeedReceivers { manager: Some(manager.clone()), registries: Vec::new() };
        // The first one has no business with the region's patients.
        let registry = |tenant: &str, domain: &str| {
            let authorities = vec![Oid::parse(domain).unwrap()];
            let settings = RegistrySettings { authorities, ..RegistrySettings::default() };
            let registry = Registry::new(store.clone(), Tenant(tenant.into()), settings);
            DocumentRegistry::new(registry, Permits::default()).with_domains(Arc::clone(&domains))
        };
        let registries = vec![registry("facility", "1.2.4"), registry("region", "1.2.3")];
        let supplier = PdqSupplier::new(index, Arc::clone(&domains));
        let services = Hl7Services::new(Charset::Utf8)
            .with_feed(receivers.clone())
            .with_link_changes(FeedReceivers { manager: None, registries })
            .with_pix_manager(manager.clone())
            .with_pdq_supplier(supplier.clone());
        let address = "127.0.0.1:0".parse().unwrap();
        let listener =
            MllpListener { address, tls: None, limits: Limits::default(), handler: Arc::new(services) };
        let server = serve(listener).await.unwrap();
        Self { server, receivers, manager, supplier, store, _folder: folder }
    }

    /// The same actors behind HL7 V3.
    pub fn web_services(&self) -> Services {
        let mut services = Services::new();
        let custodian = Custodian { root: "1.2.3".into(), locator: HealthDataLocator::NotSupported };
        let (receivers, manager) = (self.receivers.clone(), self.manager.clone());
        let feed = Service::patient_identity_feed(move |feed, caller| {
            let receivers = receivers.clone();
            async move { receivers.patient_identity_feed(feed, &caller).await }
        });
        let query = Service::pix_query(custodian.clone(), move |query, caller| {
            let manager = manager.clone();
            async move { manager.pix_query(query, &caller).await }
        });
        let find = Service::patient_demographics_query(&custodian, &self.supplier);
        for service in feed.into_iter().chain([query]).chain(find) {
            services.offer(Place::Services, service);
        }
        services
    }

    /// A connection.
    pub async fn connect(&self) -> Line {
        Line(TcpStream::connect(self.server.address).await.unwrap())
    }

    /// Takes the store away.
    pub fn put_away(&self) {
        self.store.close();
    }

    pub async fn stop(self) {
        self.server.shutdown(Duration::ZERO).await;
        self.store.close();
    }
}

fn domains() -> Domains {
    let domain = |oid: &str, namespace: &str, source: Option<(&str, &str)>| Domain {
        oid: Oid::parse(oid).unwrap(),
        namespace: namespace.to_owned(),
        name: namespace.to_owned(),
        kind: if namespace == "INSURED" { DomainKind::Insured } else { DomainKind::Patients },
        source: source.map(|(application, facility)| DomainSource {
            system: Some((application.to_owned(), facility.to_owned())),
            certificates: Vec::new(),
        }),
        twelve_digits: Default::default(),
    };
    Domains::new(vec![
        domain("1.2.1", "HOSPITAL", None),
        domain("1.2.2", "CLINIC", None),
        domain("1.2.3", "REGION", None),
        domain("1.2.5", "INSURED", None),
        domain("1.2.4", "FED", Some(("HIS", "FEDERAL"))),
    ])
}

/// An MLLP connection.
pub struct Line(TcpStream);

impl Line {
    pub async fn send(&mut self, message: &[u8]) {
        self.0.write_all(&frame(message)).await.unwrap();
    }
    /// The next frame's content.
    pub async fn receive(&mut self) -> Vec<u8> {
        let mut received = Vec::new();
        while !received.ends_with(b"\x1c\r") {
            let read = tokio::time::timeout(PATIENCE, self.0.read_u8()).await.expect("no answer");
            received.push(read.expect("the connection was closed"));
        }
        received[1..received.len() - 2].to_vec()
    }
    pub async fn exchange(&mut self, message: &[u8]) -> Vec<u8> {
        self.send(message).await;
        self.receive().await
    }
}
