//! A region's existing registry and repositories behind the gateway: ITI-18 and ITI-43 (ITI TF-2: 3.18, 3.43).

use std::collections::HashMap;
use std::time::Instant;

use futures_util::future::{BoxFuture, join_all};

use crate::federation::line::{Line, Question};
use crate::federation::peer::{no_body, read_documents};
use crate::federation::{Source, Unavailable};
use crate::transactions::Caller;
use crate::transactions::errors::{RegistryError, code};
use crate::transactions::iti18::{self, ITI18, QueryRequest, QueryResponse};
use crate::transactions::iti43::{self, DocumentRequest, ITI43, RetrieveRequest, RetrieveResponse};
use crate::wire::soap::Form;

/// An existing registry and its repositories.
#[derive(Debug)]
pub struct Bridge {
    /// The registry's ITI-18 endpoint.
    pub registry: Line,
    /// The repositories' ITI-43 endpoints by repositoryUniqueId.
    pub repositories: HashMap<String, Line>,
}

impl Bridge {
    async fn ask_repository(
        &self,
        repository: &str,
        documents: Vec<DocumentRequest>,
        caller: &Caller,
        deadline: Instant,
    ) -> RetrieveResponse {
        let refuse = |code, problem: String| {
            let error = |wanted: &DocumentRequest| {
                RegistryError::error(code, problem.clone()).at(wanted.document.clone())
            };
            RetrieveResponse::new(documents.iter().map(error).collect(), Vec::new())
        };
        let Some(line) = self.repositories.get(repository) else {
            let problem =
                format!("repository {repository:?} is not one of this community (ITI TF-2: 3.43.5)");
            return refuse(code::UNKNOWN_REPOSITORY_ID, problem);
        };
        let body = iti43::write_request(&RetrieveRequest { documents: documents.clone() });
        let question = Question { form: Form::Mtom, ..Question::simple(&ITI43, body, caller, deadline) };
        match line.ask(question, read_documents).await {
            Ok(response) => response,
            Err(why) => refuse(
                code::REPOSITORY_ERROR,
                format!("repository {repository} is unavailable: {}", why.reason()),
            ),
        }
    }
}

impl Source for Bridge {
    fn query<'a>(
        &'a self,
        request: QueryRequest,
        caller: &'a Caller,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<QueryResponse, Unavailable>> {
        Box::pin(async move {
            let body = iti18::write_request(&request);
            let question = Question::simple(&ITI18, body, caller, deadline);
            self.registry
                .ask(question, |message| match message.envelope.body() {
                    Some(body) => iti18::read_response(body),
                    None => Err(no_body()),
                })
                .await
        })
    }

    fn retrieve<'a>(
        &'a self,
        request: RetrieveRequest,
        caller: &'a Caller,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<RetrieveResponse, Unavailable>> {
        Box::pin(async move {
            let mut by_repository: Vec<(String, Vec<DocumentRequest>)> = Vec::new();
            for wanted in request.documents {
                match by_repository.iter_mut().find(|(repository, _)| *repository == wanted.repository) {
                    Some((_, documents)) => documents.push(wanted),
                    None => by_repository.push((wanted.repository.clone(), vec![wanted])),
                }
            }
            let questions = by_repository.into_iter().map(|(repository, wanted)| async move {
                self.ask_repository(&repository, wanted, caller, deadline).await
            });
            let (mut errors, mut documents) = (Vec::new(), Vec::new());
            for answer in join_all(questions).await {
                errors.extend(answer.errors);
                documents.extend(answer.documents);
            }
            Ok(RetrieveResponse::new(errors, documents))
        })
    }
}
