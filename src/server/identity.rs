//! The services of patient identity in HL7 V3 (ITI-44 to 47): between a message and an actor's method stands what the answer
//! repeats of the message, so that reading, asking and writing are one exchange.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{Either, ready};

use super::service::{Service, Written};
use crate::actors::pdq_supplier::PdqSupplier;
use crate::transactions::errors::Status;
use crate::transactions::hl7v3::registration::Custodian;
use crate::transactions::identity::{Answer, Corresponding, CorrespondingQuery, Feed, IdentifiersChanged};
use crate::transactions::iti44::{self, ITI44_ADD, ITI44_MERGE, ITI44_REVISE};
use crate::transactions::iti45::{self, ITI45};
use crate::transactions::iti46::{self, ITI46};
use crate::transactions::iti47::{self, ITI47_CANCEL, ITI47_CANCEL_NAMED, ITI47_CONTINUE, ITI47_FIND};
use crate::transactions::{Caller, Malformed, Transaction};
use crate::wire::xml::Element;

impl Service {
    /// ITI-44: a service for each of its three messages.
    pub fn patient_identity_feed<F>(ask: impl Fn(Feed, Caller) -> F + Send + Sync + 'static) -> Vec<Self>
    where
        F: Future<Output = Answer<()>> + Send + 'static,
    {
        let ask = Arc::new(ask);
        let services = [&ITI44_ADD, &ITI44_REVISE, &ITI44_MERGE].map(|transaction| {
            let ask = Arc::clone(&ask);
            exchange(
                transaction,
                iti44::read_request,
                move |feed, caller| ask(feed, caller),
                iti44::Reply::write,
            )
        });
        services.into()
    }

    /// ITI-45.
    pub fn pix_query<F>(
        custodian: Custodian,
        ask: impl Fn(CorrespondingQuery, Caller) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Answer<Corresponding>> + Send + 'static,
    {
        exchange(&ITI45, iti45::read_request, ask, move |reply: &iti45::Reply, answer| {
            reply.write(answer, &custodian)
        })
    }

    /// ITI-46, as the one who is told.
    pub fn pix_update_notification<F>(
        ask: impl Fn(IdentifiersChanged, Caller) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Answer<()>> + Send + 'static,
    {
        exchange(&ITI46, iti46::read_request, ask, iti46::Reply::write)
    }

    /// ITI-47: the query, its continuation, and its cancellation under both names of its element.
    pub fn patient_demographics_query(custodian: &Custodian, supplier: &PdqSupplier) -> Vec<Self> {
        let write = || {
            let custodian = custodian.clone();
            move |reply: &iti47::Reply, answer: &_| reply.write(answer, &custodian)
        };
        let actor = supplier.clone();
        let find = move |iti47::Find { query, name }: iti47::Find, caller| {
            let supplier = actor.clone();
            async move { supplier.find(query.who, query.page, &name, &caller).await }
        };
        let actor = supplier.clone();
        let more = move |iti47::Continuation { name, start, page }: iti47::Continuation, caller| {
            let supplier = actor.clone();
            async move { supplier.more(&name, start, page, &caller).await }
        };
        let mut services = vec![
            exchange(&ITI47_FIND, iti47::read_find, find, write()),
            exchange(&ITI47_CONTINUE, iti47::read_continuation, more, write()),
        ];
        services.extend([&ITI47_CANCEL, &ITI47_CANCEL_NAMED].map(|transaction| {
            let actor = supplier.clone();
            let cancel = move |continuation: iti47::Continuation, caller| {
                let supplier = actor.clone();
                async move {
                    supplier.cancel(&continuation.name, &caller).await;
                    Ok(())
                }
            };
            let write = |reply: &iti47::Reply, _: &_| reply.write_cancelled();
            exchange(transaction, iti47::read_continuation, cancel, write)
        }));
        services
    }
}

/// A service that reads a request and what its reply needs, asks an actor unless the request is wrong in itself, and writes
/// the reply.
fn exchange<Request, Reply, Response, F>(
    transaction: &'static Transaction,
    read: impl Fn(Element<'_>) -> Result<(Answer<Request>, Reply), Malformed> + Send + Sync + 'static,
    ask: impl Fn(Request, Caller) -> F + Send + Sync + 'static,
    write: impl Fn(&Reply, &Answer<Response>) -> Bytes + Send + Sync + 'static,
) -> Service
where
    Reply: Send + 'static,
    Response: Send + 'static,
    F: Future<Output = Answer<Response>> + Send + 'static,
{
    let write = Arc::new(write);
    Service::exchange(transaction, move |envelope, caller| {
        let (request, reply) = read(envelope.body().ok_or_else(no_body)?)?;
        let asked = match request {
            Ok(request) => Either::Left(ask(request, caller)),
            Err(errors) => Either::Right(ready(Err(errors))),
        };
        let write = Arc::clone(&write);
        Ok(asked.map(move |answer| {
            let status = if answer.is_ok() { Status::Success } else { Status::Failure };
            Written { status, headers: Vec::new(), body: write(&reply, &answer) }
        }))
    })
}

/// The body was matched with the transaction before, so it is there.
fn no_body() -> Malformed {
    Malformed { rule: "soap.body", section: "SOAP 1.2: 5.3", problem: "the body is empty".to_owned() }
}
