//! The transactions that a listener answers, each with the actor behind it.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::Hl7Services;
use crate::actors::identity_feed::FeedReceivers;
use crate::actors::pdq_supplier::PdqSupplier;
use crate::actors::pix_consumer::PixConsumer;
use crate::actors::pix_manager::PixManager;
use crate::demographics::Domains;
use crate::transactions::hl7v2::{Reply, Transaction, Trigger, acknowledgement};
use crate::transactions::identity::{Answer, Page};
use crate::transactions::iti21::{CANCEL, Question};
use crate::transactions::{Caller, iti8, iti9, iti10, iti21, iti22, iti64};
use crate::wire::hl7v2::{Charset, Message};

/// A message that came to its transaction.
struct Received {
    message: Arc<Message>,
    /// Whether it has what its structure demands.
    checked: Answer<()>,
    caller: Caller,
}

impl Received {
    fn read<T>(&self, read: impl FnOnce(&Message) -> Answer<T>) -> Answer<T> {
        self.checked.clone().and_then(|()| read(&self.message))
    }
}

type Serve = Arc<dyn Fn(Received) -> BoxFuture<'static, Reply> + Send + Sync>;

/// A transaction with who answers it.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) transaction: &'static Transaction,
    serve: Serve,
}

impl Service {
    /// What comes to it.
    pub(super) fn triggers(&self) -> impl Iterator<Item = &'static Trigger> + use<> {
        self.transaction.triggers.iter()
    }
    /// Answers a message.
    pub(super) fn serve(
        &self,
        message: Arc<Message>,
        checked: Answer<()>,
        caller: Caller,
    ) -> BoxFuture<'static, Reply> {
        (self.serve)(Received { message, checked, caller })
    }
}

impl Hl7Services {
    /// None yet; `charset` is meant where MSH-18 says nothing.
    pub fn new(charset: Charset) -> Self {
        Self { charset, ..Self::default() }
    }

    /// ITI-8.
    pub fn with_feed(self, receivers: FeedReceivers) -> Self {
        self.with(&iti8::TRANSACTION, move |received| {
            let receivers = receivers.clone();
            async move {
                let told = match received.read(iti8::read) {
                    Ok(feed) => receivers.patient_identity_feed(feed, &received.caller).await,
                    Err(errors) => Err(errors),
                };
                acknowledgement(&received.message, Some(&iti8::TRANSACTION), told)
            }
        })
    }

    /// ITI-9.
    pub fn with_pix_manager(self, manager: PixManager) -> Self {
        self.with(&iti9::TRANSACTION, move |received| {
            let manager = manager.clone();
            async move {
                let answered = match received.read(iti9::read) {
                    Ok(query) => manager.pix_query(query, &received.caller).await,
                    Err(errors) => Err(errors),
                };
                iti9::answer(&received.message, answered, manager.domains())
            }
        })
    }

    /// ITI-21 and ITI-22, and the cancellation that they share.
    pub fn with_pdq_supplier(self, supplier: PdqSupplier) -> Self {
        self.with_query(&iti21::TRANSACTION, &supplier, iti21::read, iti21::answer).with_query(
            &iti22::TRANSACTION,
            &supplier,
            iti22::read,
            iti22::answer,
        )
    }

    /// ITI-10, as the one who is told.
    pub fn with_update_notifications(self, consumer: PixConsumer) -> Self {
        self.with(&iti10::TRANSACTION, move |received| {
            let consumer = consumer.clone();
            async move {
                let told = match received.read(|message| iti10::read(message, consumer.domains())) {
                    Ok(changed) => consumer.update_notification(changed, &received.caller).await,
                    Err(errors) => Err(errors),
                };
                acknowledgement(&received.message, Some(&iti10::TRANSACTION), told)
            }
        })
    }

    /// ITI-64.
    pub fn with_link_changes(self, receivers: FeedReceivers) -> Self {
        self.with(&iti64::TRANSACTION, move |received| {
            let receivers = receivers.clone();
            async move {
                let told = match received.read(iti64::read) {
                    Ok(change) => receivers.link_change(change, &received.caller).await,
                    Err(errors) => Err(errors),
                };
                acknowledgement(&received.message, Some(&iti64::TRANSACTION), told)
            }
        })
    }

    fn with_query(
        self,
        transaction: &'static Transaction,
        supplier: &PdqSupplier,
        read: fn(&Message) -> Answer<Question>,
        answer: fn(&Message, Answer<Page>, &Domains) -> Reply,
    ) -> Self {
        let supplier = supplier.clone();
        self.with(transaction, move |received| {
            let supplier = supplier.clone();
            async move {
                if received.message.field("MSH", 9).component(1).value() == CANCEL.code {
                    return cancel(&supplier, transaction, &received).await;
                }
                let answered = match received.read(read) {
                    Ok(question) => ask(&supplier, question, &received.caller).await,
                    Err(errors) => Err(errors),
                };
                answer(&received.message, answered, supplier.domains())
            }
        })
    }

    fn with<F, A>(mut self, transaction: &'static Transaction, serve: F) -> Self
    where
        F: Fn(Received) -> A + Send + Sync + 'static,
        A: Future<Output = Reply> + Send + 'static,
    {
        let serve: Serve = Arc::new(move |received| serve(received).boxed());
        let all = self.services.iter().cloned().chain([Service { transaction, serve }]);
        self.services = all.collect();
        self
    }
}

async fn ask(supplier: &PdqSupplier, question: Question, caller: &Caller) -> Answer<Page> {
    let Question { query, tag, page, pointer } = question;
    match pointer {
        Some(pointer) => supplier.more(&pointer, None, page, caller).await,
        None => supplier.find(query, page, &tag, caller).await,
    }
}

async fn cancel(supplier: &PdqSupplier, transaction: &'static Transaction, received: &Received) -> Reply {
    let told = match received.read(iti21::read_cancel) {
        Ok(tag) => {
            supplier.cancel(&tag, &received.caller).await;
            Ok(())
        }
        Err(errors) => Err(errors),
    };
    acknowledgement(&received.message, Some(transaction), told)
}
