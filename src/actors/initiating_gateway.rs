//! The Initiating Gateway with the XDS Affinity Domain Option (ITI TF-1: 18.1.1.1, 18.2): serves ITI-18 and ITI-43 to local
//! consumers from all communities, our own included (ITI TF-2: 3.18.4.1.3, 3.43.4.1.3). The server calls it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use crate::actors::own_community::OwnCommunity;
use crate::federation::consolidate::{Judged, Outcome, bounded, judge, merge};
use crate::federation::directory::{Communities, Community, Directory};
use crate::federation::fanout::ask_all;
use crate::federation::fingerprints::Fingerprints;
use crate::federation::member::Member;
use crate::federation::peer::Peer;
use crate::federation::retrieve::{Share, gather, unavailable_document};
use crate::federation::{Correlate, Source, Unavailable, Uncorrelated, Whereabouts, patients};
use crate::ids::{HomeCommunityId, PatientId};
use crate::limits;
use crate::transactions::Caller;
use crate::transactions::errors::{RegistryError, code};
use crate::transactions::iti18::{QueryRequest, QueryResponse};
use crate::transactions::iti43::{DocumentRequest, RetrieveRequest, RetrieveResponse};

/// The Initiating Gateway.
#[derive(Clone)]
pub struct InitiatingGateway {
    own: OwnCommunity,
    directory: Arc<Directory>,
    correlate: Arc<dyn Correlate>,
    fingerprints: Arc<Fingerprints>,
    deadline: Duration,
}

/// What one community is asked.
struct Target {
    member: Arc<Member>,
    source: Arc<dyn Source>,
    asked: Asked,
}

enum Asked {
    /// These.
    Requests(Vec<QueryRequest>),
    /// This, under each identifier of the patient there; they are found out first.
    About(QueryRequest, PatientId, Reach),
}

/// How a community is reached that may know a patient.
enum Reach {
    /// Our own: always asked under the identifier that we were asked with.
    Own,
    /// Another one.
    Peer(Arc<Peer>),
    /// One that is out of service: only if it is known already to have the patient is it missed.
    Disabled,
}

impl InitiatingGateway {
    /// A gateway of one community to those of the directory; `deadline` holds for one question over all of them.
    pub fn new(
        own: OwnCommunity,
        directory: Arc<Directory>,
        correlate: Arc<dyn Correlate>,
        deadline: Duration,
    ) -> Self {
        Self { own, directory, correlate, fingerprints: Arc::default(), deadline }
    }

    /// ITI-18 for a local consumer. A query by patient goes to every community that knows the patient, or to the one that
    /// `home` names; a query by identifiers goes to the community that `home` names.
    pub async fn registry_stored_query(&self, request: QueryRequest, caller: &Caller) -> QueryResponse {
        if let Some(refusal) = request.refusal() {
            return QueryResponse::failure(refusal);
        }
        if let Err(refusal) = patients::refuse_my_number(&request, &self.own.domains) {
            return QueryResponse::failure(refusal);
        }
        let deadline = Instant::now() + self.deadline;
        let communities = self.directory.communities();
        let targets = match self.targets(&communities, request) {
            Ok(planned) => planned,
            Err(error) => return QueryResponse::failure(error),
        };
        tracing::debug!(trace = &*caller.trace, communities = targets.len(), "a stored query is asked");
        let members: Vec<_> = targets.iter().map(|target| Arc::clone(&target.member)).collect();
        let asking = Arc::new(caller.clone());
        let question =
            |target: Target| target.question(Arc::clone(&self.correlate), Arc::clone(&asking), deadline);
        let questions = targets.into_iter().map(question).collect();
        let mut answers: Vec<Judged> = Vec::with_capacity(members.len());
        for (answer, member) in ask_all(questions, deadline).await.into_iter().zip(members) {
            answers.extend(answer.unwrap_or_else(|why| {
                member.failed(why);
                Some(judge(&member, Err(why)))
            }));
        }
        let response = merge(answers);
        self.fingerprints.remember(&response.objects);
        response
    }

    /// ITI-43 for a local consumer: each document from the community that its HomeCommunityId names.
    pub async fn retrieve_document_set(&self, request: RetrieveRequest, caller: &Caller) -> RetrieveResponse {
        let deadline = Instant::now() + self.deadline;
        let communities = self.directory.communities();
        let (shares, mut errors) = self.shares(&communities, request.documents);
        tracing::debug!(trace = &*caller.trace, communities = shares.len(), "documents are fetched");
        let gathered = gather(shares, caller, deadline, &self.fingerprints).await;
        errors.extend(gathered.errors);
        RetrieveResponse::new(bounded(errors), gathered.documents)
    }

    /// Who is asked what; an error where nobody can be asked.
    fn targets(
        &self,
        communities: &Communities,
        mut request: QueryRequest,
    ) -> Result<Vec<Target>, RegistryError> {
        let home = match request.home.as_deref().map(str::trim).filter(|home| !home.is_empty()) {
            Some(home) => Some(known_home(home)?),
            None => None,
        };
        request.home = home.as_ref().map(HomeCommunityId::to_urn);
        let Some(patient) = patients::patient_of(&request)? else {
            let home = home.ok_or_else(|| {
                let context = "a query by identifiers needs AdhocQuery/@home (ITI TF-2: 3.18.4.1.2.4)";
                RegistryError::error(code::MISSING_HOME_COMMUNITY_ID, context)
            })?;
            if self.own.member.is(&home) {
                return Ok(vec![self.own_target(Asked::Requests(vec![at_home(request)]))]);
            }
            let community = communities.find(&home).ok_or_else(|| unknown_community(&home))?;
            return Ok(vec![Target::of(community, Asked::Requests(vec![request]))]);
        };
        if let Some(home) = &home
            && !self.own.member.is(home)
            && communities.find(home).is_none()
        {
            return Err(unknown_community(home));
        }
        let wanted = |member: &Member| home.as_ref().is_none_or(|home| member.is(home));
        let mut targets = Vec::new();
        if wanted(&self.own.member) {
            let request = at_home(request.clone());
            targets.push(self.own_target(Asked::About(request, patient.clone(), Reach::Own)));
        }
        // Whoever names a community that was taken out of service is told so; nobody else misses it.
        let asked = |community: &&Community| community.enabled || home.is_some();
        let peers = communities.all().iter().filter(asked);
        for community in peers.filter(|community| wanted(&community.peer.member)) {
            let reach = match community.enabled {
                true => Reach::Peer(Arc::clone(&community.peer)),
                false => Reach::Disabled,
            };
            targets.push(Target::of(community, Asked::About(request.clone(), patient.clone(), reach)));
        }
        Ok(targets)
    }

    fn own_target(&self, asked: Asked) -> Target {
        Target { member: Arc::clone(&self.own.member), source: Arc::clone(&self.own.source), asked }
    }

    /// Documents by community; errors for those that belong to none.
    fn shares(
        &self,
        communities: &Communities,
        documents: Vec<DocumentRequest>,
    ) -> (Vec<Share>, Vec<RegistryError>) {
        let mut shares: Vec<Share> = Vec::new();
        let mut errors = Vec::new();
        let mut seen = HashSet::new();
        for wanted in documents {
            let home = match wanted.home.as_deref().map(str::trim).filter(|home| !home.is_empty()) {
                Some(home) => known_home(home),
                None => {
                    let context = format!(
                        "document {} is asked for without HomeCommunityId (ITI TF-2: 3.43.4.1.2)",
                        wanted.document
                    );
                    Err(RegistryError::error(code::MISSING_HOME_COMMUNITY_ID, context))
                }
            };
            let home = match home {
                Ok(home) => home,
                Err(error) => {
                    errors.push(error.at(wanted.document));
                    continue;
                }
            };
            if !seen.insert((home.clone(), wanted.repository.clone(), wanted.document.clone())) {
                continue;
            }
            let (member, source): (_, Arc<dyn Source>) = match communities.find(&home) {
                _ if self.own.member.is(&home) => (&self.own.member, Arc::clone(&self.own.source)),
                None => {
                    errors.push(unknown_community(&home).at(wanted.document));
                    continue;
                }
                Some(community) if !community.enabled => {
                    let member = &community.peer.member;
                    errors.push(unavailable_document(member, &wanted, Unavailable::Disabled));
                    continue;
                }
                Some(Community { peer, .. }) => (&peer.member, Arc::clone(peer) as Arc<dyn Source>),
            };
            match shares.iter_mut().find(|share| Arc::ptr_eq(&share.member, member)) {
                Some(share) => share.wanted.push(wanted),
                None => shares.push(Share { member: Arc::clone(member), source, wanted: vec![wanted] }),
            }
        }
        (shares, errors)
    }
}

impl Target {
    fn of(community: &Community, asked: Asked) -> Self {
        let source: Arc<dyn Source> = match community.enabled {
            true => Arc::clone(&community.peer) as _,
            false => Arc::new(OutOfService),
        };
        Self { member: Arc::clone(&community.peer.member), source, asked }
    }

    /// All questions to one community, judged where the answers arrive. None if the patient is not known there.
    fn question(
        self,
        correlate: Arc<dyn Correlate>,
        caller: Arc<Caller>,
        deadline: Instant,
    ) -> BoxFuture<'static, Option<Judged>> {
        Box::pin(async move {
            let Target { member, source, asked } = self;
            let requests = match asked {
                Asked::Requests(requests) => requests,
                Asked::About(request, patient, reach) => {
                    let peer = match &reach {
                        Reach::Peer(peer) => Some(peer),
                        Reach::Own | Reach::Disabled => None,
                    };
                    let (member, caller) = (&member, &*caller);
                    let about = Whereabouts { patient: &patient, member, peer, caller, deadline };
                    let always = matches!(reach, Reach::Own) || member.shares(&patient);
                    match (correlate.identities(about).await, always) {
                        (Ok(elsewhere), _) => requests_about(&request, &patient, always, &elsewhere),
                        (Err(_), true) => vec![request],
                        (Err(why), false) => return Some(unknown_patient(member, why)),
                    }
                }
            };
            let asked = requests.into_iter().map(|request| source.query(request, &caller, deadline));
            let answers = futures_util::future::join_all(asked).await;
            let judging = answers.into_iter().map(|answer| judge_aside(&member, answer));
            let judged = futures_util::future::join_all(judging).await;
            match judged.len() {
                0 | 1 => judged.into_iter().next(),
                _ => Some(Judged::join(judged)),
            }
        })
    }
}

/// Stands for a community that the operator took out.
struct OutOfService;

impl Source for OutOfService {
    fn query<'a>(
        &'a self,
        _: QueryRequest,
        _: &'a Caller,
        _: Instant,
    ) -> BoxFuture<'a, Result<QueryResponse, Unavailable>> {
        Box::pin(std::future::ready(Err(Unavailable::Disabled)))
    }

    fn retrieve<'a>(
        &'a self,
        _: RetrieveRequest,
        _: &'a Caller,
        _: Instant,
    ) -> BoxFuture<'a, Result<RetrieveResponse, Unavailable>> {
        Box::pin(std::future::ready(Err(Unavailable::Disabled)))
    }
}

/// Our own registry knows no `home`.
fn at_home(request: QueryRequest) -> QueryRequest {
    QueryRequest { home: None, ..request }
}

/// A community of which it could not be found out who the patient is there.
fn unknown_patient(member: &Member, why: Uncorrelated) -> Judged {
    if why == Uncorrelated::Pending {
        return pending(member);
    }
    let context = format!(
        "who the patient is in {} could not be found out: {} (ITI TF-2: 3.55)",
        member.title(),
        why.reason()
    );
    let error = RegistryError::error(code::UNAVAILABLE_COMMUNITY, context).at(member.home().to_urn());
    Judged { outcome: Outcome::Failed, errors: vec![error], objects: Vec::new() }
}

/// A community that tells later who the patient is there: nothing has failed, and whoever asks again then has its documents,
/// too.
fn pending(member: &Member) -> Judged {
    let context = format!(
        "{} was not asked for documents: who the patient is there it tells later (ITI TF-2: 3.55.4.1.3); ask again then",
        member.title()
    );
    let warning = RegistryError::warning(code::UNAVAILABLE_COMMUNITY, context).at(member.home().to_urn());
    Judged { outcome: Outcome::Succeeded, errors: vec![warning], objects: Vec::new() }
}

/// Judges an answer. Finding out whether it keeps to metadata rules takes a parser: not here, where others wait.
async fn judge_aside(member: &Arc<Member>, answer: Result<QueryResponse, Unavailable>) -> Judged {
    if member.rules.is_none() {
        return judge(member, answer);
    }
    let judging = tokio::task::spawn_blocking({
        let member = Arc::clone(member);
        move || judge(&member, answer)
    });
    judging.await.unwrap_or_else(|_| judge(member, Err(Unavailable::Internal)))
}

/// The question under each identifier by which a community knows the patient: those that were found out, and the one that
/// was asked with where it counts there.
fn requests_about(
    request: &QueryRequest,
    patient: &PatientId,
    always: bool,
    elsewhere: &[PatientId],
) -> Vec<QueryRequest> {
    let mut ids: Vec<&PatientId> = always.then_some(patient).into_iter().collect();
    for id in elsewhere {
        if !ids.contains(&id) && ids.len() < limits::MAX_IDENTITIES_PER_COMMUNITY {
            ids.push(id);
        }
    }
    ids.into_iter().map(|id| patients::about(request.clone(), patient, id)).collect()
}

fn known_home(home: &str) -> Result<HomeCommunityId, RegistryError> {
    HomeCommunityId::parse(home).map_err(|error| {
        let context = format!("no community has that home: {error} (ITI TF-2: 3.18.4.1.2.4)");
        RegistryError::error(code::UNKNOWN_COMMUNITY, context)
    })
}

fn unknown_community(home: &HomeCommunityId) -> RegistryError {
    let context = format!("no community with home {home} is known here (ITI TF-2: 3.18.4.1.2.4)");
    RegistryError::error(code::UNKNOWN_COMMUNITY, context)
}
