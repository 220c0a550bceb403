//! A community as its Responding Gateway shows it: ITI-38 and ITI-39 (ITI TF-2: 3.38, 3.39).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use crate::federation::line::{Line, Question};
use crate::federation::member::Member;
use crate::federation::patients::FIND_DOCUMENTS;
use crate::federation::quirks::{NeedsDateRange, RequestForm};
use crate::federation::{Source, Unavailable, parts};
use crate::limits;
use crate::transactions::iti18::{Parameter, QueryRequest, QueryResponse};
use crate::transactions::iti38::{self, ITI38};
use crate::transactions::iti39::{self, ITI39};
use crate::transactions::iti43::{RetrieveRequest, RetrieveResponse};
use crate::transactions::{Caller, Malformed};
use crate::wire::soap::{Form, Message};

/// A remote community.
#[derive(Debug)]
pub struct Peer {
    /// Who it is.
    pub member: Arc<Member>,
    /// Its endpoints.
    pub lines: Lines,
    /// How long its answers to discoveries hold where they do not say so; None: not at all.
    pub time_to_live: Option<Duration>,
    /// Where its answers to patient discoveries come, if it is asked for deferred ones.
    pub deferred: Option<String>,
    max_documents: AtomicUsize,
}

/// A community's endpoints; None for a transaction that it does not offer.
#[derive(Debug, Default)]
pub struct Lines {
    /// ITI-38.
    pub query: Option<Line>,
    /// ITI-39.
    pub retrieve: Option<Line>,
    /// ITI-55.
    pub discovery: Option<Line>,
    /// ITI-56.
    pub location: Option<Line>,
}

impl Lines {
    /// Those that are there, by the transaction's name in the community's file.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &Line)> {
        let all = [
            ("iti38", &self.query),
            ("iti39", &self.retrieve),
            ("iti55", &self.discovery),
            ("iti56", &self.location),
        ];
        all.into_iter().filter_map(|(name, line)| Some((name, line.as_ref()?)))
    }
}

impl Peer {
    /// A community with those lines.
    pub fn new(member: Arc<Member>, lines: Lines, time_to_live: Option<Duration>) -> Self {
        let most = member.quirks.max_documents_per_retrieve.unwrap_or(limits::MAX_DOCUMENTS_PER_RETRIEVE);
        Self { member, lines, time_to_live, deferred: None, max_documents: AtomicUsize::new(most.max(1)) }
    }
}

impl Source for Peer {
    fn query<'a>(
        &'a self,
        request: QueryRequest,
        caller: &'a Caller,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<QueryResponse, Unavailable>> {
        Box::pin(async move {
            let line = self.lines.query.as_ref().ok_or(Unavailable::NoEndpoint)?;
            let request = with_date_range(request, self.member.quirks.needs_date_range);
            let body = iti38::write_request(&request);
            let question = Question::simple(&ITI38, body, caller, deadline);
            line.ask(question, |message| match message.envelope.body() {
                Some(body) => iti38::read_response(body),
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
            let line = self.lines.retrieve.as_ref().ok_or(Unavailable::NoEndpoint)?;
            let form = match self.member.quirks.request_form {
                RequestForm::Mtom => Form::Mtom,
                RequestForm::Simple => Form::Simple,
            };
            let body = iti39::write_request(&request);
            let question = Question { form, ..Question::simple(&ITI39, body, caller, deadline) };
            line.ask(question, read_documents).await
        })
    }

    fn max_documents(&self) -> usize {
        self.max_documents.load(Ordering::Relaxed)
    }

    fn learn_max_documents(&self, most: usize) {
        let before = self.max_documents.fetch_min(most.max(1), Ordering::Relaxed);
        if most < before {
            tracing::info!(community = %self.member.home(), most, "learned how many documents it takes per request");
        }
    }

    fn broke_off(&self, why: Unavailable) {
        self.member.failed(why);
        if let Some(line) = &self.lines.retrieve {
            line.prudence.broke_off(why);
        }
    }
}

/// Reads the head of an answer with documents (ITI-39 and ITI-43 alike) and joins it with its parts.
pub(super) fn read_documents(message: Message) -> Result<RetrieveResponse, Malformed> {
    let head = match message.envelope.body() {
        Some(body) => iti39::read_response(body)?,
        None => return Err(no_body()),
    };
    Ok(parts::join(head, message.attachments))
}

pub(super) fn no_body() -> Malformed {
    Malformed {
        rule: "soap.body",
        section: "ITI TF-2: V.3",
        problem: "the answer's soap:Body is empty".into(),
    }
}

/// Some national hubs refuse FindDocuments without a range of times: one that excludes nothing is added.
fn with_date_range(mut request: QueryRequest, needs: NeedsDateRange) -> QueryRequest {
    let (from, to) = match needs {
        NeedsDateRange::None => return request,
        NeedsDateRange::CreationTime => {
            ("$XDSDocumentEntryCreationTimeFrom", "$XDSDocumentEntryCreationTimeTo")
        }
        NeedsDateRange::ServiceStartTime => {
            ("$XDSDocumentEntryServiceStartTimeFrom", "$XDSDocumentEntryServiceStartTimeTo")
        }
    };
    let ranged = request.parameters.iter().any(|p| p.name == from || p.name == to);
    if request.query == FIND_DOCUMENTS && !ranged {
        for (name, value) in [(from, "19000101000000"), (to, "99991231235959")] {
            request.parameters.push(Parameter { name: name.to_owned(), values: vec![value.to_owned()] });
        }
    }
    request
}
