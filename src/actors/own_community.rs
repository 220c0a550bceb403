//! Our own community, as both gateways ask it: the hosted registry and repository, or those behind a bridge
//! ([`crate::federation::bridge`]), and those of facilities that are hosted here besides. A community that is another's
//! tenant is one too, with a Responding Gateway of its own.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::{BoxFuture, join_all};

use crate::actors::document_registry::DocumentRegistry;
use crate::actors::document_repository::DocumentRepository;
use crate::demographics::Domains;
use crate::federation::member::{Member, Role};
use crate::federation::{Source, Unavailable};
use crate::ids::{HomeCommunityId, Oid};
use crate::limits;
use crate::transactions::Caller;
use crate::transactions::errors::{RegistryError, Status, code};
use crate::transactions::iti18::{QueryRequest, QueryResponse};
use crate::transactions::iti43::{DocumentRequest, RetrieveRequest, RetrieveResponse};

/// Our own community: who it is, and what holds its documents.
#[derive(Clone)]
pub struct OwnCommunity {
    /// Who it is.
    pub member: Arc<Member>,
    /// Its registry and repositories.
    pub source: Arc<dyn Source>,
    /// What is known of identifier domains: in which of them twelve digits are no Individual Number (My Number).
    pub domains: Arc<Domains>,
}

impl OwnCommunity {
    /// A community by name and homeCommunityId.
    pub fn new(name: &str, home: HomeCommunityId, source: Arc<dyn Source>) -> Self {
        Self {
            member: Arc::new(Member::new(Role::Own, name, home, Vec::new())),
            source,
            domains: Arc::default(),
        }
    }

    /// The same with what the configuration says of identifier domains.
    pub fn with_domains(self, domains: Domains) -> Self {
        Self { domains: Arc::new(domains), ..self }
    }
}

/// What is hosted here for one tenant.
#[derive(Clone)]
pub struct Hosted {
    /// Its registry.
    pub registry: DocumentRegistry,
    /// Its repository.
    pub repository: DocumentRepository,
}

impl Source for Hosted {
    fn query<'a>(
        &'a self,
        request: QueryRequest,
        caller: &'a Caller,
        _: Instant,
    ) -> BoxFuture<'a, Result<QueryResponse, Unavailable>> {
        Box::pin(async move { Ok(self.registry.answer_gateway(request, caller).await) })
    }

    fn retrieve<'a>(
        &'a self,
        request: RetrieveRequest,
        caller: &'a Caller,
        _: Instant,
    ) -> BoxFuture<'a, Result<RetrieveResponse, Unavailable>> {
        Box::pin(async move { Ok(self.repository.answer_gateway(request, caller).await) })
    }
}

/// Several registries and repositories of one community: everyone is asked what is asked, and a document comes from the
/// repository that is named.
pub struct Several {
    /// The community's main source, which is asked for documents of repositories that no facility has.
    main: Option<Arc<dyn Source>>,
    facilities: Vec<(Oid, Hosted)>,
    max_results: usize,
}

impl Several {
    /// A community's main source, if it has one here, with its facilities; one alone answers for itself. None if there is
    /// nothing.
    pub fn join(
        main: Option<Arc<dyn Source>>,
        facilities: Vec<Hosted>,
        max_results: usize,
    ) -> Option<Arc<dyn Source>> {
        if facilities.is_empty() {
            return main;
        }
        let max_results = if max_results == 0 { limits::MAX_QUERY_RESULTS } else { max_results };
        let facilities =
            facilities.into_iter().map(|hosted| (hosted.repository.id().clone(), hosted)).collect();
        Some(Arc::new(Self { main, facilities, max_results }))
    }

    fn sources(&self) -> impl Iterator<Item = &dyn Source> {
        let facilities = self.facilities.iter().map(|(_, hosted)| hosted as &dyn Source);
        self.main.as_deref().into_iter().chain(facilities)
    }

    /// The source that has a repository.
    fn with_repository(&self, repository: &str) -> Option<&dyn Source> {
        let facility = self.facilities.iter().find(|(id, _)| id.as_str() == repository);
        facility.map(|(_, hosted)| hosted as &dyn Source).or(self.main.as_deref())
    }
}

impl Source for Several {
    fn query<'a>(
        &'a self,
        request: QueryRequest,
        caller: &'a Caller,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<QueryResponse, Unavailable>> {
        Box::pin(async move {
            let asked = self.sources().map(|source| source.query(request.clone(), caller, deadline));
            joined(join_all(asked).await, self.max_results)
        })
    }

    fn retrieve<'a>(
        &'a self,
        request: RetrieveRequest,
        caller: &'a Caller,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<RetrieveResponse, Unavailable>> {
        Box::pin(async move {
            let mut errors = Vec::new();
            let mut by_repository: Vec<(String, Vec<DocumentRequest>)> = Vec::new();
            for wanted in request.documents {
                match by_repository.iter_mut().find(|(repository, _)| *repository == wanted.repository) {
                    Some((_, documents)) => documents.push(wanted),
                    None => by_repository.push((wanted.repository.clone(), vec![wanted])),
                }
            }
            let mut asked = Vec::new();
            for (repository, documents) in by_repository {
                match self.with_repository(&repository) {
                    Some(source) => asked.push(ask(source, documents, caller, deadline)),
                    None => errors.extend(documents.into_iter().map(unknown_repository)),
                }
            }
            let mut documents = Vec::new();
            for answer in join_all(asked).await {
                errors.extend(answer.errors);
                documents.extend(answer.documents);
            }
            Ok(RetrieveResponse::new(errors, documents))
        })
    }
}

async fn ask(
    source: &dyn Source,
    documents: Vec<DocumentRequest>,
    caller: &Caller,
    deadline: Instant,
) -> RetrieveResponse {
    let request = RetrieveRequest { documents: documents.clone() };
    source.retrieve(request, caller, deadline).await.unwrap_or_else(|why| {
        let refuse = |wanted: DocumentRequest| {
            let context = format!("repository {:?} is unavailable: {}", wanted.repository, why.reason());
            RegistryError::error(code::REPOSITORY_ERROR, context).at(wanted.document)
        };
        RetrieveResponse::new(documents.into_iter().map(refuse).collect(), Vec::new())
    })
}

fn unknown_repository(wanted: DocumentRequest) -> RegistryError {
    let context =
        format!("repository {:?} is not one of this community (ITI TF-2: 3.43.5)", wanted.repository);
    RegistryError::error(code::UNKNOWN_REPOSITORY_ID, context).at(wanted.document)
}

/// One community's answer from those of its registries. A patient whom one of them does not know is known if another knows
/// them; what all of them find wrong is said once.
fn joined(
    answers: Vec<Result<QueryResponse, Unavailable>>,
    max_results: usize,
) -> Result<QueryResponse, Unavailable> {
    let asked = answers.len();
    let (mut errors, mut objects) = (Vec::new(), Vec::new());
    let (mut succeeded, mut unknown, mut away) = (false, 0, Vec::new());
    for answer in answers {
        match answer {
            Ok(answer) => {
                succeeded |= answer.status != Status::Failure;
                unknown += usize::from(answer.errors.iter().any(is_unknown_patient));
                errors.extend(answer.errors);
                objects.extend(answer.objects);
            }
            Err(why) => {
                let context = format!("a registry of this community is unavailable: {}", why.reason());
                errors.push(RegistryError::error(code::REGISTRY_ERROR, context));
                away.push(why);
            }
        }
    }
    if let Some(why) = away.pop().filter(|_| away.len() + 1 == asked) {
        return Err(why);
    }
    if unknown < asked {
        errors.retain(|error| !is_unknown_patient(error));
    }
    let mut seen = HashSet::new();
    errors.retain(|error| seen.insert(error.clone()));
    if objects.len() > max_results {
        let context = format!("{} objects were found; an answer has at most {max_results}", objects.len());
        return Ok(QueryResponse::failure(RegistryError::error(code::TOO_MANY_RESULTS, context)));
    }
    Ok(QueryResponse { status: Status::of(&errors, succeeded), errors, objects })
}

fn is_unknown_patient(error: &RegistryError) -> bool {
    error.code == code::UNKNOWN_PATIENT_ID
}
