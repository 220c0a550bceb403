//! A community of straw: it keeps what it is asked, promises later answers to patient discoveries or answers them at once,
//! and has one document of everybody.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Response};
use sekisho::demographics::{BirthTime, Demographics, Name, Representation, Sex};
use sekisho::ids::{HomeCommunityId, PatientId};
use sekisho::limits::Limits;
use sekisho::transactions::Transaction;
use sekisho::transactions::hl7v3::registration::HealthDataLocator;
use sekisho::transactions::hl7v3::{AckCode, AckDetail};
use sekisho::transactions::iti18::{QueryResponse, write_response};
use sekisho::transactions::iti38::ITI38;
use sekisho::transactions::iti44::write_acknowledgement;
use sekisho::transactions::iti55::{
    self, DiscoveryResponse, Found, ITI55, ITI55_DEFERRED, Outcome, Received, lifetime,
};
use sekisho::wire::http::{Peer, ServerHandle};
use sekisho::wire::soap::{Envelope, Outgoing, send};
use sekisho::wire::stream::Body;
use sekisho::wire::xml::Tree;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::community::{entry_xml, home, objects};
use super::http::{Answers, PATIENCE, collect, plain};
use super::messages;

/// Its home.
pub const THERE: &str = "1.2.70";

/// What the community of straw was asked.
pub struct Asked {
    pub action: String,
    pub message_id: String,
    pub text: String,
}

impl Asked {
    pub fn envelope(&self) -> Envelope {
        Envelope::read(Tree::parse(Bytes::from(self.text.clone())).unwrap()).unwrap()
    }
    pub fn received(&self) -> Received {
        iti55::read_request(&self.envelope()).unwrap()
    }
}

/// The community.
pub struct Straw {
    pub server: ServerHandle,
    asked: UnboundedReceiver<Asked>,
    /// Whether it promises later answers.
    pub promises: Arc<Mutex<bool>>,
    /// Whom it finds at once.
    pub knows: Arc<Mutex<Vec<Found>>>,
}

impl Straw {
    pub async fn new() -> Self {
        let (sender, asked) = unbounded_channel();
        let promises = Arc::new(Mutex::new(true));
        let knows = Arc::default();
        let (promising, known) = (Arc::clone(&promises), Arc::clone(&knows));
        let handler = Answers(move |_: Peer, request: Request<Body>| {
            answer(request, sender.clone(), Arc::clone(&promising), Arc::clone(&known))
        });
        Self { server: plain(Limits::default(), handler).await, asked, promises, knows }
    }

    pub async fn next(&mut self) -> Asked {
        tokio::time::timeout(PATIENCE, self.asked.recv()).await.expect("nothing was asked").unwrap()
    }

    /// The next question, which must be of that transaction.
    pub async fn expect(&mut self, transaction: &Transaction) -> Asked {
        let asked = self.next().await;
        assert_eq!(asked.action, transaction.action);
        asked
    }

    pub fn is_asked(&mut self) -> bool {
        self.asked.try_recv().is_ok()
    }
}

async fn answer(
    request: Request<Body>,
    asked: UnboundedSender<Asked>,
    promises: Arc<Mutex<bool>>,
    knows: Arc<Mutex<Vec<Found>>>,
) -> Response<Body> {
    let bytes = collect(request.into_body()).await;
    messages::keep_envelopes("deferred-question", &bytes);
    let envelope = Envelope::read(Tree::parse(bytes.clone()).unwrap()).unwrap();
    let addressing = envelope.addressing.clone();
    let (action, message_id) = (addressing.action.unwrap(), addressing.message_id.unwrap());
    let (response_action, body) = match action.as_str() {
        action if action == ITI55_DEFERRED.action => {
            let received = iti55::read_request(&envelope).unwrap();
            let unsupported = AckDetail { code: "NS250".to_owned(), ..AckDetail::default() };
            let (code, details) = match *promises.lock().unwrap() {
                true => (AckCode::Accepted, Vec::new()),
                false => (AckCode::Error, vec![unsupported]),
            };
            (ITI55_DEFERRED.response_action, write_acknowledgement(&received.transmission, code, details))
        }
        action if action == ITI55.action => {
            let received = iti55::read_request(&envelope).unwrap();
            let found = DiscoveryResponse::from(Outcome::Found(knows.lock().unwrap().clone()));
            (ITI55.response_action, iti55::write_response(&found, &received, &home(THERE)))
        }
        _ => {
            let entries = objects(&entry_xml(Some(THERE), "1.2.70.1", b"a document"));
            let found = QueryResponse::new(Vec::new(), entries);
            (ITI38.response_action, Bytes::from(write_response(&found).concat()))
        }
    };
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    asked.send(Asked { action, message_id: message_id.clone(), text }).unwrap();
    let reply = send(Outgoing {
        action: response_action.to_owned(),
        relates_to: Some(message_id),
        headers: vec![lifetime::write(Duration::from_secs(3600))],
        body: vec![body],
        ..Outgoing::default()
    });
    let mut response = Response::new(reply.body);
    response.headers_mut().insert(CONTENT_TYPE, reply.content_type.parse().unwrap());
    response
}

pub fn person(sex: Sex) -> Demographics {
    let name = Name {
        family: "関所".into(),
        given: "守".into(),
        representation: Some(Representation::Ideographic),
        ..Name::default()
    };
    Demographics {
        names: vec![name],
        birth: BirthTime::parse("19700101"),
        sex: Some(sex),
        ..Demographics::default()
    }
}

pub fn found(home: &str, id: &str) -> Found {
    Found {
        home: HomeCommunityId::parse(home).ok(),
        patient: PatientId::parse(&format!("{id}^^^&1.2.70.3&ISO")).unwrap(),
        others: Vec::new(),
        person: Box::new(person(Sex::Male)),
        degree: 100,
        locator: HealthDataLocator::NotSupported,
    }
}
