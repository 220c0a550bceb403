//! The Deferred Response Option of the Responding Gateway (ITI TF-1: 27.2.2; ITI TF-2: 3.55.4.1.3): a question is accepted at
//! once, kept, and answered later by a request of ours to the address that it names. The server and the command line call it.
//!
//! Accepted means answered: the question is on disk before it is acknowledged, and is asked of the index as often as it takes
//! until the other side has taken the answer, or until [`limits::DEFERRED_LIFETIME`] has passed. Of several gateways on one
//! database each accepts questions, and one answers all of them; when that is gone, another one does.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;

use crate::actors::notifier::NotTold;
use crate::actors::patient_discovery::PatientDiscovery;
use crate::delivery::questions::{Kept, Question, Questions};
use crate::ids::HomeCommunityId;
use crate::limits::{self, Limits};
use crate::store::StoreError;
use crate::transactions::Caller;
use crate::transactions::hl7v3::{AckCode, AckDetail, read_acknowledgement};
use crate::transactions::iti44::write_acknowledgement;
use crate::transactions::iti55::{self, ITI55_DEFERRED_ANSWER, Outcome, Reason, Received, lifetime};
use crate::wire::http::Client;
use crate::wire::soap::{self, AllowedReplies, CallError, Endpoint, Envelope, Outgoing};
use crate::wire::xml::{Ns, Tree, Writer};

/// What deferred questions need; cheap to clone.
#[derive(Clone)]
pub struct DeferredDiscovery(Arc<Shared>);

struct Shared {
    discovery: PatientDiscovery,
    own: HomeCommunityId,
    questions: Questions,
    allowed: AllowedReplies,
    client: Client,
    limits: Limits,
    /// Questions that are being answered.
    working: Semaphore,
    /// Questions that are waited for here, by number.
    begun: Mutex<HashSet<i64>>,
    /// One of them is waited for no longer and is not answered.
    left_open: AtomicBool,
    /// There is a new one.
    news: Arc<Notify>,
    /// Seconds for which a question waits for the patient index.
    patience: i64,
}

/// The acknowledgement that says that the option is not there.
const UNSUPPORTED: (&str, &str, &str) = ("NS250", "2.16.840.1.113883.5.1100", "Unsupported processing mode");

impl DeferredDiscovery {
    /// Answers what `discovery` knows, to the addresses that are allowed.
    pub fn new(
        discovery: PatientDiscovery,
        own: HomeCommunityId,
        questions: Questions,
        allowed: AllowedReplies,
        client: Client,
        limits: Limits,
    ) -> Self {
        let working = Semaphore::new(limits::MAX_DEFERRED_AT_ONCE);
        let (begun, left_open, news) = (Mutex::default(), AtomicBool::default(), Arc::default());
        Self(Arc::new(Shared {
            discovery,
            own,
            questions,
            allowed,
            client,
            limits,
            working,
            begun,
            left_open,
            news,
            patience: limits::DEFERRED_PATIENCE.as_secs() as i64,
        }))
    }

    /// Takes up what is accepted, what was before we were started, and what gateways beside us leave to us: as long as
    /// somebody holds on to us.
    pub fn follow(&self) -> JoinHandle<()> {
        let (this, news) = (Arc::downgrade(&self.0), Arc::clone(&self.0.news));
        tokio::spawn(async move {
            let mut after = 0;
            while let Some(shared) = this.upgrade() {
                if shared.left_open.swap(false, Ordering::AcqRel) {
                    after = 0;
                }
                let taken_up = DeferredDiscovery(shared).take_up(after).await;
                after = taken_up.unwrap_or_else(|problem| {
                    tracing::error!(%problem, "the deferred questions cannot be read");
                    after
                });
                let _ = tokio::time::timeout(limits::DEFERRED_LOOK, news.notified()).await;
            }
        })
    }

    /// Begins what is open behind a number, if it is ours to answer; gives the last one's.
    async fn take_up(&self, mut after: i64) -> Result<i64, StoreError> {
        if !self.0.questions.are_ours().await? {
            return Ok(0);
        }
        loop {
            let open = self.0.questions.open(after).await?;
            let Some(last) = open.last() else { return Ok(after) };
            after = last.number;
            open.into_iter().for_each(|question| self.begin(question));
        }
    }

    /// A deferred question: its acknowledgement. It is positive only when the question is on disk.
    pub async fn accept(&self, envelope: Bytes, received: Received, caller: &Caller) -> (AckCode, Bytes) {
        let details = match self.keep(envelope, &received, caller).await {
            Ok(()) => {
                self.0.news.notify_one();
                counted("accepted");
                let body = write_acknowledgement(&received.transmission, AckCode::Accepted, Vec::new());
                return (AckCode::Accepted, body);
            }
            Err(why) => {
                counted("refused");
                tracing::warn!(trace = &*caller.trace, why, "a deferred question is not accepted");
                let (code, system, name) = UNSUPPORTED;
                vec![AckDetail {
                    code: code.to_owned(),
                    code_system: Some(system),
                    display: Some(name),
                    text: why.to_owned(),
                    ..AckDetail::default()
                }]
            }
        };
        (AckCode::Error, write_acknowledgement(&received.transmission, AckCode::Error, details))
    }

    async fn keep(&self, envelope: Bytes, received: &Received, caller: &Caller) -> Result<(), &'static str> {
        let address = received.transmission.respond_to.as_deref();
        let address = address.ok_or("respondTo/telecom does not say where the answer goes")?;
        self.0
            .allowed
            .find(address)
            .ok_or("respondTo/telecom is no address that we are configured to answer to")?;
        if received.question.as_ref().is_ok_and(|question| self.0.discovery.names_my_number(question)) {
            return Err("an Individual Number (My Number) must not be sent");
        }
        let message_id =
            caller.message_id.as_deref().ok_or("there is no wsa:MessageID to relate the answer to")?;
        let question = Question {
            number: 0,
            since: jiff::Timestamp::now().as_second(),
            address: address.to_owned(),
            message_id: message_id.to_owned(),
            certificate: caller.certificate.as_deref().map(str::to_owned),
            envelope,
        };
        match self.0.questions.keep(question).await {
            Ok(Kept::Yes) => Ok(()),
            Ok(Kept::Full) => Err("too many deferred questions are open; ask for an immediate answer"),
            Err(problem) => {
                tracing::error!(trace = &*caller.trace, %problem, "a deferred question cannot be kept");
                Err("the question cannot be kept at the moment; ask for an immediate answer")
            }
        }
    }

    /// Answers beside, as long as somebody holds on to us: while it waits, the question itself does not.
    fn begin(&self, question: Question) {
        if self.0.begun().insert(question.number) {
            tokio::spawn(answer(Arc::downgrade(&self.0), question));
        }
    }

    async fn try_to_answer(&self, question: &Question) -> Result<(), NotTold> {
        let Shared { discovery, own, allowed, client, limits, working, .. } = &*self.0;
        let _place = working.acquire().await.map_err(later)?;
        // The list may have been shortened since.
        let url = allowed
            .find(&question.address)
            .ok_or_else(|| NotTold::Later("its address is no longer allowed".into()))?;
        let tree = Tree::parse(question.envelope.clone()).map_err(later)?;
        let envelope = Envelope::read(tree).map_err(later)?;
        let received = iti55::read_request(&envelope).map_err(later)?;
        let caller = Caller {
            certificate: question.certificate.as_deref().map(Arc::from),
            trace: uuid::Uuid::new_v4().to_string().into(),
            message_id: Some(question.message_id.as_str().into()),
            ..Caller::default()
        };
        let response = discovery.discover(&received, &caller).await;
        let waited = jiff::Timestamp::now().as_second().saturating_sub(question.since);
        if response.outcome == Outcome::Cannot(Reason::ResponderBusy) && waited < self.0.patience {
            return Err(NotTold::Later("the patient index is busy or away".to_owned()));
        }
        let mut headers: Vec<Bytes> = response.time_to_live.map(lifetime::write).into_iter().collect();
        headers.push(relates_to(&question.message_id));
        let request = Outgoing {
            action: ITI55_DEFERRED_ANSWER.action.to_owned(),
            to: Some(question.address.clone()),
            headers,
            body: vec![iti55::write_response(&response, &received, own)],
            ..Outgoing::default()
        };
        let endpoint = Endpoint { url, relates_to_optional: true };
        let deadline = Instant::now() + limits::NOTIFY_DEADLINE;
        let taken = soap::call(client, &endpoint, request, limits, deadline).await;
        match taken {
            // Some acknowledge with HTTP alone.
            Err(CallError::Empty(200..=299)) => Ok(()),
            // A fault's reason is the peer's own text.
            Err(CallError::Fault(fault)) => Err(NotTold::Later(format!("SOAP fault, {:?}", fault.code))),
            Err(problem) => Err(later(problem)),
            Ok(message) => match message.envelope.body().and_then(read_acknowledgement).map(|ack| ack.code) {
                Some(code) if code.is_positive() => Ok(()),
                // Whoever has taken it before, or never asked, takes it at no later time.
                Some(code @ (AckCode::Error | AckCode::AcceptError)) => {
                    Err(NotTold::Refused(format!("it is acknowledged with {code:?}")))
                }
                Some(code) => Err(NotTold::Later(format!("it is acknowledged with {code:?}"))),
                None => Err(NotTold::Later("the acknowledgement cannot be read".to_owned())),
            },
        }
    }
}

impl Shared {
    /// Has a question that is still open looked for again: it may lie behind what was taken up already.
    fn leave(&self, question: &Question) {
        self.begun().remove(&question.number);
        self.left_open.store(true, Ordering::Release);
    }
    fn begun(&self) -> std::sync::MutexGuard<'_, HashSet<i64>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn later(problem: impl std::fmt::Display) -> NotTold {
    NotTold::Later(problem.to_string())
}

/// Answers, however often it takes, as long as it is ours to answer.
async fn answer(discovery: Weak<Shared>, question: Question) {
    let end = question.since.saturating_add(limits::DEFERRED_LIFETIME.as_secs() as i64);
    let mut pause = limits::NOTIFY_PAUSE;
    while let Some(shared) = discovery.upgrade() {
        let this = DeferredDiscovery(shared);
        if let Ok(false) = this.0.questions.are_ours().await {
            this.0.leave(&question);
            return;
        }
        let (outcome, problem) = match this.try_to_answer(&question).await {
            Ok(()) => ("answered", String::new()),
            Err(NotTold::Refused(problem)) => ("refused-answer", problem),
            Err(NotTold::Later(problem)) if jiff::Timestamp::now().as_second() > end => ("given-up", problem),
            Err(NotTold::Later(problem)) => {
                drop(this);
                tracing::warn!(
                    question = question.number,
                    problem,
                    "a deferred question is not answered yet; it is tried again"
                );
                tokio::time::sleep(pause).await;
                pause = (2 * pause).min(limits::MAX_NOTIFY_PAUSE);
                continue;
            }
        };
        counted(outcome);
        tracing::info!(question = question.number, outcome, problem, "deferred question");
        if let Err(problem) = this.0.questions.close(question.number).await {
            tracing::error!(question = question.number, %problem, "a deferred question will be answered once more");
            this.0.leave(&question);
        }
        this.0.begun().remove(&question.number);
        return;
    }
}

/// Beside wsa:ReplyTo: the answer is a request too.
fn relates_to(message_id: &str) -> Bytes {
    let mut w = Writer::with_capacity(128);
    w.leaf(Ns::WSA, "RelatesTo", message_id);
    w.finish().into()
}

fn counted(outcome: &'static str) {
    metrics::counter!("sekisho_deferred_questions_total", "outcome" => outcome).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::BoxFuture;

    use crate::actors::patient_discovery::{DiscoveryPolicy, People};
    use crate::actors::permits::Callers;
    use crate::demographics::{BirthRange, BirthTime, Name};
    use crate::federation::Unavailable;
    use crate::federation::managers::{Fitting, Supplier};
    use crate::identity::index::{self, Index};
    use crate::store::Store;
    use crate::transactions::hl7v3::{Echo, Ii, Transmission};
    use crate::transactions::identity::DemographicsQuery;
    use crate::transactions::iti55::{Asking, Discovery};
    use crate::wire::http::ClientSettings;

    /// An MPI that is away.
    struct Away;

    impl Supplier for Away {
        fn find<'a>(
            &'a self,
            _: &'a DemographicsQuery,
            _: &'a Caller,
            _: Instant,
        ) -> BoxFuture<'a, Result<Fitting, Unavailable>> {
            Box::pin(std::future::ready(Err(Unavailable::TimedOut)))
        }
    }

    #[tokio::test]
    async fn that_we_are_busy_is_told_when_patience_is_at_an_end() {
        let folder = std::env::temp_dir().join(format!("sekisho-deferred-{}", uuid::Uuid::new_v4()));
        let store = {
            let folder = folder.clone();
            let open = move || Store::open(&folder, &[crate::delivery::MIGRATION]).unwrap();
            tokio::task::spawn_blocking(open).await.unwrap()
        };
        let people = People::Outside { supplier: Arc::new(Away), managers: Vec::new() };
        let deferred = DeferredDiscovery::new(
            PatientDiscovery::new(people, Arc::default(), policy(), None),
            HomeCommunityId::parse("1.2.3").unwrap(),
            Questions::new(store.clone(), "region".into()),
            AllowedReplies::new(vec![AWAY.parse().unwrap()]),
            Client::new(&ClientSettings::default()).unwrap(),
            Limits::default(),
        );
        let who = DemographicsQuery {
            names: vec![Name { family: "関所".into(), given: "守".into(), ..Name::default() }],
            birth: BirthTime::parse("19700101").map(BirthRange::Within),
            ..DemographicsQuery::default()
        };
        let asking = Asking {
            query: Ii::of_root("1.2.9"),
            sender: "1.2.9",
            receiver: "1.2.3",
            respond_to: Some(AWAY),
        };
        let body = iti55::write_request(&Discovery { who, ..Discovery::default() }, &asking);
        let soap = "http://www.w3.org/2003/05/soap-envelope";
        let body = String::from_utf8(body.to_vec()).unwrap();
        let envelope = format!("<e:Envelope xmlns:e=\"{soap}\"><e:Body>{body}</e:Body></e:Envelope>");
        let patience = limits::DEFERRED_PATIENCE.as_secs() as i64;
        for (waited, told) in [(0, false), (patience - 60, false), (patience, true)] {
            let question = Question {
                number: 1,
                since: jiff::Timestamp::now().as_second() - waited,
                address: AWAY.to_owned(),
                message_id: "urn:uuid:1".to_owned(),
                certificate: None,
                envelope: envelope.clone().into(),
            };
            let Err(NotTold::Later(problem)) = deferred.try_to_answer(&question).await else { panic!() };
            // Nobody listens there, so that the answer that goes out is not taken.
            assert_eq!(!problem.contains("patient index"), told, "{waited}: {problem}");
        }
        drop(deferred);
        tokio::task::spawn_blocking(move || store.close()).await.unwrap();
        let _ = std::fs::remove_dir_all(&folder);
    }

    fn policy() -> DiscoveryPolicy {
        DiscoveryPolicy {
            communities: Vec::new(),
            several: Default::default(),
            minimum_degree: 95,
            time_to_live: None,
            per_minute: 60,
            emergency: Callers::Nobody,
        }
    }

    /// Where nobody listens.
    const AWAY: &str = "http://127.0.0.1:9/deferred";

    #[tokio::test]
    async fn one_question_too_many_is_told_to_ask_for_an_immediate_answer_and_nobody_elses_is_lost() {
        let folder = std::env::temp_dir().join(format!("sekisho-deferred-{}", uuid::Uuid::new_v4()));
        let (store, index) = {
            let folder = folder.clone();
            let open = move || {
                let store = Store::open(&folder, &[index::MIGRATION, crate::delivery::MIGRATION]).unwrap();
                (store.clone(), Index::open(store, "region").unwrap())
            };
            tokio::task::spawn_blocking(open).await.unwrap()
        };
        let questions = Questions::new(store.clone(), "region".into()).at_most(2);
        let deferred = DeferredDiscovery::new(
            PatientDiscovery::new(index, Arc::default(), policy(), None),
            HomeCommunityId::parse("1.2.3").unwrap(),
            questions.clone(),
            AllowedReplies::new(vec![AWAY.parse().unwrap()]),
            Client::new(&ClientSettings::default()).unwrap(),
            Limits::default(),
        );
        let body = "<m xmlns=\"urn:hl7-org:v3\"><controlActProcess><queryByParameter><queryId root=\"1.2\"/></queryByParameter></controlActProcess></m>";
        let tree = Tree::parse(body.into()).unwrap();
        let (_, echo) = Echo::read(tree.root()).unwrap();
        let received = Received {
            transmission: Transmission { respond_to: Some(AWAY.into()), ..Transmission::default() },
            echo,
            question: Ok(Discovery::default()),
        };
        let ask = async |id: &str| {
            let caller = Caller { message_id: Some(id.into()), ..Caller::default() };
            let (code, answer) = deferred.accept(body.into(), received.clone(), &caller).await;
            (code, String::from_utf8(answer.to_vec()).unwrap())
        };
        let open = async || -> Vec<String> {
            questions.open(0).await.unwrap().into_iter().map(|question| question.message_id).collect()
        };
        for id in ["first", "second"] {
            assert_eq!(ask(id).await.0, AckCode::Accepted);
        }
        let (code, answer) = ask("third").await;
        assert_eq!(code, AckCode::Error);
        let told = [UNSUPPORTED.0, "too many deferred questions are open; ask for an immediate answer"];
        assert!(told.iter().all(|told| answer.contains(told)), "{answer}");
        assert_eq!(open().await, ["first", "second"]);
        // As soon as one is answered there is room again.
        questions.close(questions.open(0).await.unwrap()[0].number).await.unwrap();
        assert_eq!(ask("third").await.0, AckCode::Accepted);
        assert_eq!(open().await, ["second", "third"]);
        drop(deferred);
        tokio::task::spawn_blocking(move || store.close()).await.unwrap();
        let _ = std::fs::remove_dir_all(&folder);
    }
}
