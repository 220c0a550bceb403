//! The Responding Gateway (ITI TF-1: 18.1.1.2): answers ITI-38 and ITI-39 from its own community's registry and
//! repositories, and from nowhere else: it has no way to other communities, so that a question cannot go round in circles.
//! The server calls it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::actors::own_community::OwnCommunity;
use crate::actors::permits::Callers;
use crate::federation::consolidate::{at_home, bounded};
use crate::federation::fingerprints::Fingerprints;
use crate::federation::patients;
use crate::federation::retrieve::{Share, gather};
use crate::ids::HomeCommunityId;
use crate::transactions::Caller;
use crate::transactions::errors::{RegistryError, code};
use crate::transactions::iti18::{QueryRequest, QueryResponse};
use crate::transactions::iti43::{DocumentRequest, RetrieveRequest, RetrieveResponse};

/// The Responding Gateway of one community.
#[derive(Clone)]
pub struct RespondingGateway {
    own: OwnCommunity,
    /// Empty: what our own repositories give is not compared here but where it was handed out.
    fingerprints: Arc<Fingerprints>,
    deadline: Duration,
    callers: Callers,
}

impl RespondingGateway {
    /// The gateway of that community; `deadline` holds for its registry and repositories.
    pub fn new(own: OwnCommunity, deadline: Duration) -> Self {
        Self { own, fingerprints: Arc::new(Fingerprints::new(0)), deadline, callers: Callers::Anybody }
    }

    /// The same for some callers only.
    pub fn permitting(self, callers: Callers) -> Self {
        Self { callers, ..self }
    }

    /// ITI-38: all parameters are passed on, all objects back, with `home` on each (ITI TF-2: 3.38.4.1.3).
    pub async fn cross_gateway_query(&self, request: QueryRequest, caller: &Caller) -> QueryResponse {
        tracing::debug!(trace = &*caller.trace, "another community asks");
        if let Err(refusal) = self.callers.check(caller) {
            return self.located(QueryResponse::failure(refusal));
        }
        if let Some(refusal) = request.refusal() {
            return self.located(QueryResponse::failure(refusal));
        }
        if let Err(refusal) = patients::refuse_my_number(&request, &self.own.domains) {
            return self.located(QueryResponse::failure(refusal));
        }
        match request.home.as_deref().filter(|home| !home.trim().is_empty()) {
            Some(home) if !self.own.member.is_named(home) => {
                return self.located(QueryResponse::failure(self.unknown_community(home)));
            }
            None if !patients::names_patient(&request) => {
                let context = "a query by identifiers needs AdhocQuery/@home (ITI TF-2: 3.38.4.1.2.1)";
                let error = RegistryError::error(code::MISSING_HOME_COMMUNITY_ID, context);
                return self.located(QueryResponse::failure(error));
            }
            _ => {}
        }
        let deadline = Instant::now() + self.deadline;
        let asked = self.own.source.query(QueryRequest { home: None, ..request }, caller, deadline);
        let answer = match tokio::time::timeout_at(deadline.into(), asked).await {
            Ok(answer) => answer,
            Err(_) => Err(crate::federation::Unavailable::TimedOut),
        };
        self.located(match answer {
            Ok(response) => {
                let objects = at_home(&self.own.member, response.objects);
                QueryResponse { objects, ..response }
            }
            Err(why) => {
                let context = format!("the registry of {}: {}", self.own.member.title(), why.reason());
                QueryResponse::failure(RegistryError::error(code::REGISTRY_ERROR, context))
            }
        })
    }

    /// ITI-39: each document from the repository that holds it, under the identifiers that were asked for
    /// (ITI TF-2: 3.39.4.1.3).
    pub async fn cross_gateway_retrieve(
        &self,
        request: RetrieveRequest,
        caller: &Caller,
    ) -> RetrieveResponse {
        tracing::debug!(
            trace = &*caller.trace,
            documents = request.documents.len(),
            "another community fetches"
        );
        if let Err(refusal) = self.callers.check(caller) {
            let refused =
                |wanted: DocumentRequest| self.located_document(refusal.clone().at(wanted.document));
            return RetrieveResponse::new(
                bounded(request.documents.into_iter().map(refused).collect()),
                Vec::new(),
            );
        }
        let mut errors = Vec::new();
        let mut wanted: Vec<DocumentRequest> = Vec::new();
        let mut seen = HashSet::new();
        for document in request.documents {
            match document.home.as_deref().filter(|home| !home.trim().is_empty()) {
                Some(home) if self.own.member.is_named(home) => {
                    if seen.insert((document.repository.clone(), document.document.clone())) {
                        wanted.push(document);
                    }
                }
                Some(home) => errors.push(self.unknown_community(home).at(document.document)),
                None => {
                    let context = "HomeCommunityId is missing (ITI TF-2: 3.39.4.1.2)";
                    let error = RegistryError::error(code::MISSING_HOME_COMMUNITY_ID, context);
                    errors.push(error.at(document.document));
                }
            }
        }
        let mut documents = Vec::new();
        if !wanted.is_empty() {
            let own = self.own.clone();
            let share = Share { member: own.member, source: own.source, wanted };
            let deadline = Instant::now() + self.deadline;
            let gathered = gather(vec![share], caller, deadline, &self.fingerprints).await;
            errors.extend(gathered.errors);
            documents = gathered.documents;
        }
        let errors = errors.into_iter().map(|error| self.located_document(error)).collect();
        RetrieveResponse::new(bounded(errors), documents)
    }

    fn unknown_community(&self, home: &str) -> RegistryError {
        let shown = HomeCommunityId::parse(home).map_or_else(|error| error.to_string(), |home| home.to_urn());
        let context = format!("{shown} is not this community's home, {}", self.own.member.home());
        RegistryError::error(code::UNKNOWN_COMMUNITY, context)
    }

    /// Every RegistryError's location is the bare homeCommunityId (ITI TF-2: 3.38.4.1.3).
    fn located(&self, mut response: QueryResponse) -> QueryResponse {
        let home = self.own.member.home().to_urn();
        for error in &mut response.errors {
            error.location = Some(home.clone());
        }
        response
    }

    /// The same for a document, whose uniqueId goes into the codeContext: the location has no room for both, and validators
    /// in the field refuse anything but the home (ITI TF-2: 3.39.4.1.3).
    fn located_document(&self, mut error: RegistryError) -> RegistryError {
        let home = self.own.member.home().to_urn();
        if let Some(document) = error.location.replace(home)
            && !error.context.contains(&document)
        {
            error.context = format!("{} (document {document})", error.context);
        }
        // Between communities there is no third one: what is away here is our own repository.
        if error.code == code::UNAVAILABLE_COMMUNITY {
            error.code = code::REPOSITORY_ERROR.into();
        }
        error
    }
}
