//! The Initiating Gateway with the XDS Affinity Domain Option (ITI TF-1: 18.1.1.1, 18.2): serves ITI-18 and ITI-43 to local
//! consumers from all communities, our own included (ITI TF-2: 3.18.4.1.3, 3.43.4.1.3). The server calls it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use crate::actors::own_community::OwnCommunity;
use crate::federation::consolidate::{Judged, Outcome, bounded, judge, merge, unavailable};
use crate::federation::directory::{Communities, Community, Directory};
use crate::federation::fanout::ask_all;
use crate::federation::fingerprints::Fingerprints;
use crate::federation::member::Member;
use crate::federation::retrieve::{Share, gather, unavailable_document};
use crate::federation::{Correlate, Source, Unavailable, patients};
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
    /// One question per identity of the patient there.
    requests: Vec<QueryRequest>,
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
        let deadline = Instant::now() + self.deadline;
        let communities = self.directory.communities();
        let (targets, refused) = match self.targets(&communities, request, deadline).await {
            Ok(planned) => planned,
            Err(error) => return QueryResponse::failure(error),
        };
        tracing::debug!(trace = &*caller.trace, communities = targets.len(), "a stored query is asked");
        let members: Vec<_> = targets.iter().map(|target| Arc::clone(&target.member)).collect();
        let asking = Arc::new(caller.clone());
        let question = |target: Target| target.question(Arc::clone(&asking), deadline);
        let questions = targets.into_iter().map(question).collect();
        let mut answers: Vec<Judged> = Vec::with_capacity(members.len() + refused.len());
        for (answer, member) in ask_all(questions, deadline).await.into_iter().zip(members) {
            answers.push(answer.unwrap_or_else(|why| {
                member.failed(why);
                judge(&member, Err(why))
            }));
        }
        answers.extend(refused);
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

    /// Who is asked what, and who is refused; an error where nobody can be asked.
    async fn targets(
        &self,
        communities: &Communities,
        mut request: QueryRequest,
        deadline: Instant,
    ) -> Result<(Vec<Target>, Vec<Judged>), RegistryError> {
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
                return Ok((vec![self.own_target(vec![request])], Vec::new()));
            }
            let community = communities.find(&home).ok_or_else(|| unknown_community(&home))?;
            let mut plan = (Vec::new(), Vec::new());
            plan_community(community, vec![request], &mut plan);
            return Ok(plan);
        };
        if let Some(home) = &home
            && !self.own.member.is(home)
            && communities.find(home).is_none()
        {
            return Err(unknown_community(home));
        }
        let looked_up = tokio::time::timeout_at(deadline.into(), self.correlate.identities(&patient));
        let identities = looked_up.await.unwrap_or_else(|_| {
            tracing::warn!("the patient's identities elsewhere did not come in time");
            Vec::new()
        });
        let requests_of = |member: &Member, always: bool| -> Vec<QueryRequest> {
            if home.as_ref().is_some_and(|home| !member.is(home)) {
                return Vec::new();
            }
            let ids = identities_at(member, &patient, &identities, always);
            ids.into_iter().map(|id| patients::about(request.clone(), &patient, id)).collect()
        };
        let mut plan = (Vec::new(), Vec::new());
        let own = requests_of(&self.own.member, true);
        if !own.is_empty() {
            plan.0.push(self.own_target(own));
        }
        for community in communities.all() {
            let requests = requests_of(&community.peer.member, false);
            let wanted = community.enabled || home.is_some();
            if !requests.is_empty() && wanted {
                plan_community(community, requests, &mut plan);
            }
        }
        Ok(plan)
    }

    /// Our own registry knows no `home`.
    fn own_target(&self, requests: Vec<QueryRequest>) -> Target {
        let requests = requests.into_iter().map(|request| QueryRequest { home: None, ..request }).collect();
        Target { member: Arc::clone(&self.own.member), source: Arc::clone(&self.own.source), requests }
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
    /// All questions to one community, judged where the answers arrive.
    fn question(self, caller: Arc<Caller>, deadline: Instant) -> BoxFuture<'static, Judged> {
        Box::pin(async move {
            let Target { member, source, requests } = self;
            let asked = requests.into_iter().map(|request| source.query(request, &caller, deadline));
            let answers = futures_util::future::join_all(asked).await;
            let judging = answers.into_iter().map(|answer| judge_aside(&member, answer));
            let mut judged = futures_util::future::join_all(judging).await;
            match (judged.pop(), judged.is_empty()) {
                (Some(only), true) => only,
                (last, _) => Judged::join(judged.into_iter().chain(last).collect()),
            }
        })
    }
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

fn plan_community(community: &Community, requests: Vec<QueryRequest>, plan: &mut (Vec<Target>, Vec<Judged>)) {
    let member = &community.peer.member;
    if community.enabled {
        let source = Arc::clone(&community.peer) as Arc<dyn Source>;
        plan.0.push(Target { member: Arc::clone(member), source, requests });
    } else {
        let errors = vec![unavailable(member, Unavailable::Disabled)];
        plan.1.push(Judged { outcome: Outcome::Failed, errors, objects: Vec::new() });
    }
}

/// By which identifiers a community knows the patient: those of the correlation, and the one that was asked for where the
/// community shares its authority. Our own registry is always asked about that one.
fn identities_at<'a>(
    member: &Member,
    patient: &'a PatientId,
    elsewhere: &'a [(HomeCommunityId, PatientId)],
    always: bool,
) -> Vec<&'a PatientId> {
    let mut ids: Vec<&PatientId> = Vec::new();
    if always || member.shares(patient) {
        ids.push(patient);
    }
    for (_, id) in elsewhere.iter().filter(|(home, _)| member.is(home)) {
        if !ids.contains(&id) && ids.len() < limits::MAX_IDENTITIES_PER_COMMUNITY {
            ids.push(id);
        }
    }
    ids
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
