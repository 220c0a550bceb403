//! The actors of patient identity and where they answer: HL7 V3 on the SOAP listeners, HL7 v2 over MLLP. One feed reaches
//! the patient index and the hosted registry alike.

use std::sync::Arc;

use super::identity::Identity;
use crate::actors::document_registry::DocumentRegistry;
use crate::actors::identity_feed::FeedReceivers;
use crate::actors::pdq_supplier::PdqSupplier;
use crate::actors::pix_consumer::PixConsumer;
use crate::actors::pix_manager::PixManager;
use crate::ids::HomeCommunityId;
use crate::server::{Hl7Services, Place, Service, Services};
use crate::transactions::hl7v3::registration::{Custodian, HealthDataLocator};
use crate::wire::hl7v2::Charset;

/// Who knows of patients here; none of them in a bridge without an index.
#[derive(Clone, Default)]
pub struct PatientActors {
    manager: Option<PixManager>,
    supplier: Option<PdqSupplier>,
    /// Those of our own community; the first is the region's own, if it has one here.
    registries: Vec<DocumentRegistry>,
    consumer: Option<PixConsumer>,
}

impl PatientActors {
    /// Those of a region.
    pub fn new(
        identity: Option<&Identity>,
        registries: Vec<DocumentRegistry>,
        consumer: Option<PixConsumer>,
    ) -> Self {
        let index = identity.and_then(|room| Some((room.index.clone()?, Arc::clone(&room.domains))));
        Self {
            manager: index.clone().map(|(index, domains)| PixManager::new(index, domains)),
            supplier: index.map(|(index, domains)| PdqSupplier::new(index, domains)),
            registries,
            consumer,
        }
    }

    /// ITI-44, 45 and 47; ITI-46 as the one who is told.
    pub fn offer(&self, services: &mut Services, home: &HomeCommunityId) {
        // ITI-56, which tells of a patient's locations, is offered wherever there is an index.
        let custodian = Custodian { root: home.oid().to_string(), locator: HealthDataLocator::Supported };
        let mut offered = Vec::new();
        if let Some(receivers) = self.receivers() {
            offered.extend(Service::patient_identity_feed(move |feed, caller| {
                let receivers = receivers.clone();
                async move { receivers.patient_identity_feed(feed, &caller).await }
            }));
        }
        if let Some(manager) = self.manager.clone() {
            offered.push(Service::pix_query(custodian.clone(), move |query, caller| {
                let manager = manager.clone();
                async move { manager.pix_query(query, &caller).await }
            }));
        }
        if let Some(supplier) = &self.supplier {
            offered.extend(Service::patient_demographics_query(&custodian, supplier));
        }
        for service in offered {
            services.offer(Place::Services, service);
        }
        if let Some(consumer) = self.consumer.clone() {
            let notified = Service::pix_update_notification(move |changed, caller| {
                let consumer = consumer.clone();
                async move { consumer.update_notification(changed, &caller).await }
            });
            services.offer(Place::OwnPath, notified);
        }
    }

    /// ITI-8, 9, 21, 22 and 64, ITI-10 as the one who is told; `charset` is what messages are in that do not say it.
    pub fn hl7v2(&self, charset: Charset) -> Hl7Services {
        let mut services = Hl7Services::new(charset);
        if let Some(receivers) = self.receivers() {
            services = services.with_feed(receivers);
        }
        if let Some(manager) = self.manager.clone() {
            services = services.with_pix_manager(manager);
        }
        if let Some(supplier) = self.supplier.clone() {
            services = services.with_pdq_supplier(supplier);
        }
        if let Some(consumer) = self.consumer.clone() {
            services = services.with_update_notifications(consumer);
        }
        match self.receivers().filter(|receivers| !receivers.registries.is_empty()) {
            Some(receivers) => services.with_link_changes(receivers),
            None => services,
        }
    }

    fn receivers(&self) -> Option<FeedReceivers> {
        let (manager, registries) = (self.manager.clone(), self.registries.clone());
        (manager.is_some() || !registries.is_empty()).then_some(FeedReceivers { manager, registries })
    }
}
