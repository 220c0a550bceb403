//! The HL7 v2 front: from MSH-9 to the actor and back (ITI TF-2: Appendix C; HL7 2.5, 2.9). Behind an MLLP listener:
//!
//! ```text
//! frame -> message -> MSH -> structure -> transaction's reader -> actor -> its writer -> acknowledgement mode -> frame
//! ```
//!
//! Every message gets one answer, which names its MSH-10, or none if it asks for none. An acknowledgement with AA or CA
//! means that what was told is on disk.

mod check;
mod mode;
mod observe;
mod services;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use uuid::Uuid;

use self::observe::Seen;
use self::services::Service;
use crate::transactions::Caller;
use crate::transactions::hl7v2::{Reply, Trigger, acknowledgement, system_name};
use crate::transactions::identity::Answer;
use crate::wire::hl7v2::mllp::{FrameHandler, reject};
use crate::wire::hl7v2::{Charset, Message, MessageError};
use crate::wire::listen::Peer;

/// What is answered on an MLLP listener. Filled with the actors there are; cheap to clone.
#[derive(Clone, Default)]
pub struct Hl7Services {
    services: Arc<[Service]>,
    charset: Charset,
}

impl Hl7Services {
    /// Answers a frame's content; None where no answer is wanted.
    pub async fn answer(&self, peer: Peer, frame: &[u8]) -> Option<Bytes> {
        let started = Instant::now();
        let trace: Arc<str> = Uuid::new_v4().to_string().into();
        let message = match Message::read(frame, self.charset) {
            Ok(message) => Arc::new(message),
            Err(error) => {
                observe::unreadable(&error, &peer, &trace, started);
                return Some(self.unreadable(frame, &error));
            }
        };
        let found = self.find(&message);
        let transaction = found.as_ref().ok().map(|(service, _)| service.transaction);
        let caller = caller_of(&message, &peer, &trace);
        let seen = Seen { transaction, peer: &peer, caller: &caller, started };
        let reply = match found {
            Ok((service, trigger)) => {
                let checked = check::content(&message, trigger);
                service.serve(Arc::clone(&message), checked, caller.clone()).await
            }
            Err(errors) => acknowledgement(&message, None, Err(errors)),
        };
        seen.ended(&message, &reply);
        let answer = mode::due(&message, transaction, reply)?;
        let encoded = answer.encode(message.charset());
        seen.encoded(&encoded);
        Some(encoded.bytes.into())
    }

    /// Who answers a message; or why nobody does.
    fn find(&self, message: &Message) -> Answer<(&Service, &'static Trigger)> {
        check::header(message)?;
        let message_type = message.field("MSH", 9);
        let [code, event] = [1, 2].map(|component| message_type.component(component).value());
        let triggers =
            || self.services.iter().flat_map(|service| service.triggers().map(move |one| (service, one)));
        let mut of_code = triggers().filter(|(_, trigger)| trigger.code == code.trim()).peekable();
        if of_code.peek().is_none() {
            return Err(check::unsupported_type());
        }
        of_code.find(|(_, trigger)| trigger.event == event.trim()).ok_or_else(check::unsupported_event)
    }

    /// Answers what is no message, if its MSH says whom.
    fn unreadable(&self, frame: &[u8], error: &MessageError) -> Bytes {
        match Message::read_header(frame, self.charset) {
            Ok(header) => {
                let Reply { message, .. } =
                    acknowledgement(&header, None, Err(vec![check::unreadable(error)]));
                message.encode(header.charset()).bytes.into()
            }
            Err(_) => reject(frame, &error.to_string()),
        }
    }
}

impl FrameHandler for Hl7Services {
    fn answer(&self, peer: Peer, message: Bytes) -> BoxFuture<'static, Option<Bytes>> {
        let services = self.clone();
        async move { services.answer(peer, &message).await }.boxed()
    }
}

fn caller_of(message: &Message, peer: &Peer, trace: &Arc<str>) -> Caller {
    let [application, facility] = [3, 4].map(|field| system_name(message.field("MSH", field)));
    Caller {
        address: Some(peer.address),
        certificate: peer.certificate.as_ref().map(|certificate| certificate.subject.as_str().into()),
        fingerprint: peer.certificate.as_ref().map(|certificate| certificate.fingerprint.as_str().into()),
        trace: Arc::clone(trace),
        message_id: Some(message.field("MSH", 10).value().into()),
        system: Some(format!("{facility}|{application}").into()),
        ..Caller::default()
    }
}
