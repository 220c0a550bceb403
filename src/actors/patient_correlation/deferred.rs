//! Deferred discovery, in the asking role (ITI TF-1: 27.2.2, Deferred Response Option; ITI TF-2: 3.55.4.1.3, 3.55.4.2): a
//! community whose file says `deferred` is asked once; its answer comes hours later as a request of its own, and fills the
//! cross-reference cache for whoever asks then.
//!
//! An answer is judged like an immediate one. It must be to a question that is open, from the community that was asked, and
//! about somebody who still is who they were then.

use std::sync::Arc;
use std::time::Instant;

use uuid::Uuid;

use super::{Inner, Known, Sources, crossref};
use crate::delivery::asked::{AskedQuestion, AskedState, Kept};
use crate::federation::discovery::{Asker, Deferral, Next, first_question, follow, key_of};
use crate::federation::peer::Peer;
use crate::federation::{Unavailable, Uncorrelated};
use crate::identity::crossref::Digest;
use crate::ids::PatientId;
use crate::limits;
use crate::store::StoreError;
use crate::transactions::Caller;
use crate::transactions::identity::{Answer, DemographicsQuery, IdentityError, Place};
use crate::transactions::iti55::{DeferredAnswer, Discovery};

/// What became of an answer, for metrics and the log.
const KNOWN: &str = "known";
const ASKED_AGAIN: &str = "asked-again";
const CHANGED: &str = "changed";
const REPEATED: &str = "repeated";
const UNKNOWN: &str = "unknown";
const FOREIGN: &str = "foreign";

/// Why an answer is not taken.
enum NotTaken {
    /// Nobody asked for it, or not this peer.
    Unasked(&'static str),
    /// It may come again.
    NotNow,
}

impl From<StoreError> for NotTaken {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the deferred questions cannot be read or written");
        Self::NotNow
    }
}

impl super::PatientCorrelation {
    /// Takes the answer to a deferred question. Whoever sends what nobody asked for learns nothing: not even whether a
    /// question of that name is open.
    pub async fn deferred_answer(&self, answer: DeferredAnswer, caller: &Caller) -> Answer<()> {
        let taken = self.inner.take(answer, caller).await;
        let outcome = match taken {
            Ok(outcome) | Err(NotTaken::Unasked(outcome)) => outcome,
            Err(NotTaken::NotNow) => "not-now",
        };
        metrics::counter!("sekisho_deferred_answers_total", "outcome" => outcome).increment(1);
        tracing::info!(trace = &*caller.trace, outcome, "the answer to a deferred question");
        taken.map(drop).map_err(|why| {
            vec![match why {
                NotTaken::Unasked(_) => {
                    let text =
                        "no question of ours to this community is open under this queryId and wsa:RelatesTo";
                    IdentityError::unknown_key(Place::Continuation, text)
                }
                NotTaken::NotNow => IdentityError::internal("not at present; send it again"),
            }]
        })
    }
}

impl Inner {
    /// Asks for a deferred answer, unless one is awaited already or said lately that there is none. A promise of an answer is
    /// [`Uncorrelated::Pending`]; a community that does not answer later is to be asked for an immediate answer.
    pub(super) async fn defer(
        &self,
        about: (&PatientId, &Known),
        peer: &Arc<Peer>,
        caller: &Caller,
        deadline: Instant,
    ) -> Result<(), Uncorrelated> {
        let (patient, known) = about;
        let Some(asked) = &self.sources.asked else { return Ok(()) };
        let before = asked.about(patient, peer.member.home(), crossref::now()).await.map_err(internal)?;
        let digest = Digest::of(&known.person.demographics).to_hex();
        match before.filter(|question| question.digest == digest).map(|question| question.state) {
            Some(AskedState::Open) => return Err(Uncorrelated::Pending),
            Some(AskedState::Unresolved(why)) => return Err(Uncorrelated::of_label(&why)),
            Some(AskedState::Sent | AskedState::Answered) | None => {}
        }
        let who = first_question(&known.person.demographics, self.own_identifier(patient, known));
        match self.send(about, peer, (1, who), caller, deadline).await? {
            Deferral::Promised => Err(Uncorrelated::Pending),
            Deferral::Declined => {
                tracing::warn!(community = %peer.member.home(), "a community does not answer later; it is asked at once");
                Ok(())
            }
        }
    }

    /// Sends a question that is on disk by then.
    async fn send(
        &self,
        (patient, known): (&PatientId, &Known),
        peer: &Arc<Peer>,
        (round, who): (u32, DemographicsQuery),
        caller: &Caller,
        deadline: Instant,
    ) -> Result<Deferral, Uncorrelated> {
        let Sources { asked: Some(asked), asker: Some(Asker { template, device, .. }), .. } = &self.sources
        else {
            return Ok(Deferral::Declined);
        };
        let Some(address) = &peer.deferred else { return Ok(Deferral::Declined) };
        let (key, now) = (Uuid::new_v4().to_string(), crossref::now());
        let question = AskedQuestion {
            key: key.clone(),
            patient: patient.clone(),
            community: peer.member.home().clone(),
            round,
            digest: Digest::of(&known.person.demographics).to_hex(),
            state: AskedState::Sent,
            until: now + limits::ASKED_LIFETIME.as_secs(),
        };
        if asked.keep(question, now).await.map_err(internal)? == Kept::Full {
            tracing::warn!("too many deferred questions are open");
            return Err(Uncorrelated::Away(Unavailable::Busy));
        }
        let question = Discovery { who, ..template.clone() };
        let deferral = peer.defer(&question, device, (&key, address), caller, deadline).await;
        let outcome = match &deferral {
            Ok(Deferral::Promised) => "promised",
            Ok(Deferral::Declined) => "declined",
            Err(_) => "failed",
        };
        metrics::counter!("sekisho_deferred_asked_total", "outcome" => outcome).increment(1);
        let deferral = deferral.map_err(Uncorrelated::Away)?;
        if deferral == Deferral::Promised {
            asked.promised(&key).await.map_err(internal)?;
        }
        Ok(deferral)
    }

    async fn take(
        self: &Arc<Self>,
        answer: DeferredAnswer,
        caller: &Caller,
    ) -> Result<&'static str, NotTaken> {
        let Sources { asked: Some(asked), directory: Some(directory), .. } = &self.sources else {
            return Err(NotTaken::Unasked(UNKNOWN));
        };
        let key = key_of(&answer).ok_or(NotTaken::Unasked(UNKNOWN))?.to_owned();
        let question = asked.of_key(&key, crossref::now()).await?.ok_or(NotTaken::Unasked(UNKNOWN))?;
        let communities = directory.communities();
        let community = communities.find(&question.community).ok_or(NotTaken::Unasked(UNKNOWN))?;
        let peer = &community.peer;
        if !peer.answers(&answer, caller) {
            let certificate = caller.certificate.as_deref().unwrap_or_default();
            let community = peer.member.home();
            tracing::warn!(%community, certificate, "somebody else answers a deferred question");
            return Err(NotTaken::Unasked(FOREIGN));
        }
        if !matches!(question.state, AskedState::Sent | AskedState::Open) {
            return Ok(REPEATED);
        }
        let deadline = Instant::now() + limits::FAN_OUT_DEADLINE;
        let known = self.person(&question.patient, caller, deadline).await.map_err(|_| NotTaken::NotNow)?;
        let same = |known: &Arc<Known>| Digest::of(&known.person.demographics).to_hex() == question.digest;
        let until = crossref::now() + limits::ANSWERED_LIFETIME.as_secs();
        let ends = async |state| asked.answered(&key, state, until).await;
        let Some(known) = known.filter(same) else {
            ends(AskedState::Answered).await?;
            return Ok(CHANGED);
        };
        let next = self.weigh(&question, &known, peer, answer);
        let state = match &next {
            Ok(_) => AskedState::Answered,
            Err(why) => AskedState::Unresolved(why.label().to_owned()),
        };
        if !ends(state).await? {
            return Ok(REPEATED);
        }
        match next {
            Err(why) => Ok(why.label()),
            Ok(Next::Known(mut discovered)) => {
                discovered.time_to_live.get_or_insert(limits::DEFERRED_ANSWER_LIFE);
                self.keep(&known, peer, &discovered).await;
                Ok(KNOWN)
            }
            Ok(Next::Ask(who)) => {
                self.ask_aside(question, known, peer, who, caller);
                Ok(ASKED_AGAIN)
            }
        }
    }

    /// The same judgement as of an immediate answer.
    fn weigh(
        &self,
        question: &AskedQuestion,
        known: &Known,
        peer: &Peer,
        answer: DeferredAnswer,
    ) -> Result<Next, Uncorrelated> {
        let response = answer.response.map_err(|malformed| {
            let community = peer.member.home();
            tracing::warn!(%community, problem = %malformed, "a deferred answer cannot be read");
            Uncorrelated::Away(Unavailable::Malformed)
        });
        match &response {
            Ok(_) => peer.member.answered(),
            Err(_) => peer.member.failed(Unavailable::Malformed),
        }
        let person = &known.person.demographics;
        let asked = first_question(person, self.own_identifier(&question.patient, known));
        // Whoever asked nobody has no answers.
        let asker = self.sources.asker.as_ref().ok_or(Uncorrelated::Away(Unavailable::NoEndpoint))?;
        match follow(peer, asker, person, &asked, response?)? {
            Next::Ask(_) if question.round >= limits::MAX_DISCOVERY_ROUNDS => Err(Uncorrelated::Ambiguous),
            next => Ok(next),
        }
    }

    /// What the community wished to know goes out when its answer has been acknowledged.
    fn ask_aside(
        self: &Arc<Self>,
        question: AskedQuestion,
        known: Arc<Known>,
        peer: &Arc<Peer>,
        who: DemographicsQuery,
        caller: &Caller,
    ) {
        let (inner, peer, caller) = (Arc::clone(self), Arc::clone(peer), caller.clone());
        tokio::spawn(async move {
            let deadline = Instant::now() + limits::FAN_OUT_DEADLINE;
            let next = (question.round + 1, who);
            let sent = inner.send((&question.patient, &known), &peer, next, &caller, deadline).await;
            if let Err(why) = sent {
                let community = peer.member.home();
                tracing::warn!(%community, problem = why.reason(), "a second deferred question was not sent");
            }
        });
    }
}

fn internal(error: StoreError) -> Uncorrelated {
    tracing::error!(%error, "the deferred questions cannot be read or written");
    Uncorrelated::Away(Unavailable::Internal)
}
