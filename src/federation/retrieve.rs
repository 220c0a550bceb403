//! Documents from many communities in one answer (ITI TF-2: 3.39.4.1.3, 3.43.4.1.3, 3.43.5).
//!
//! Every community is asked at once, in as many requests as it needs. Documents of moderate size are received whole before
//! our answer begins, so that its status is true: a community that fails in the middle of one becomes a RegistryError, and
//! the others' documents are there. Larger ones stream through, and a failure then breaks our own answer off: a document is
//! never silently short. Every DocumentRequest gets a DocumentResponse or a RegistryError.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use futures_util::future::{BoxFuture, join, join_all};

use crate::federation::fanout::ask_all;
use crate::federation::fingerprints::{Fingerprint, Fingerprints, Measure, difference};
use crate::federation::member::{Member, Oddity, Role};
use crate::federation::quirks::Verification;
use crate::federation::{Source, Unavailable, watch};
use crate::ids::HomeCommunityId;
use crate::limits;
use crate::transactions::Caller;
use crate::transactions::errors::{RegistryError, Severity, Status, code};
use crate::transactions::iti43::{DocumentRequest, RetrieveRequest, RetrieveResponse, RetrievedDocument};
use crate::wire::stream::Content;

/// What is wanted from one community.
pub struct Share {
    /// Who it is.
    pub member: Arc<Member>,
    /// Where to ask.
    pub source: Arc<dyn Source>,
    /// The documents as the consumer asked for them; no two alike.
    pub wanted: Vec<DocumentRequest>,
}

/// What came: errors with the documentUniqueId as location, and documents.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Errors and warnings.
    pub errors: Vec<RegistryError>,
    /// Documents; those of one connection are in its order, and all are to be read in this order.
    pub documents: Vec<RetrievedDocument>,
    /// Whether a document is still arriving.
    open: bool,
}

#[derive(Clone)]
struct Terms {
    caller: Arc<Caller>,
    deadline: Instant,
    fingerprints: Arc<Fingerprints>,
    /// Bytes that may still be received ahead.
    ahead: Arc<AtomicUsize>,
}

/// Fetches all shares' documents. `deadline` holds for everything that is received before the answer begins.
pub async fn gather(
    shares: Vec<Share>,
    caller: &Caller,
    deadline: Instant,
    fingerprints: &Arc<Fingerprints>,
) -> Gathered {
    let terms = Terms {
        caller: Arc::new(caller.clone()),
        deadline,
        fingerprints: Arc::clone(fingerprints),
        ahead: Arc::new(AtomicUsize::new(limits::PREFETCH_TOTAL_BYTES)),
    };
    let asked: Vec<_> =
        shares.iter().map(|share| (Arc::clone(&share.member), share.wanted.clone())).collect();
    let questions = shares
        .into_iter()
        .map(|share| {
            let terms = terms.clone();
            Box::pin(async move { share.ask(&terms).await }) as BoxFuture<'static, Vec<Gathered>>
        })
        .collect();
    let mut batches = Vec::new();
    for (answer, (member, wanted)) in ask_all(questions, deadline).await.into_iter().zip(asked) {
        match answer {
            Ok(answers) => batches.extend(answers),
            Err(why) => {
                member.failed(why);
                batches.push(Gathered::unavailable(&member, &wanted, why));
            }
        }
    }
    // Connections that are still open come first: their senders are waiting.
    batches.sort_by_key(|batch| !batch.open);
    batches.into_iter().fold(Gathered::default(), |mut all, batch| {
        all.errors.extend(batch.errors);
        all.documents.extend(batch.documents);
        all
    })
}

impl Share {
    async fn ask(&self, terms: &Terms) -> Vec<Gathered> {
        let most = self.source.max_documents().max(1);
        let requests = self.wanted.chunks(most).map(|wanted| self.ask_for(wanted, terms));
        join_all(requests).await.into_iter().flatten().collect()
    }

    /// One request; halved if the community takes fewer documents at once (user pain 50).
    fn ask_for<'a>(
        &'a self,
        wanted: &'a [DocumentRequest],
        terms: &'a Terms,
    ) -> BoxFuture<'a, Vec<Gathered>> {
        Box::pin(async move {
            let documents = wanted.iter().map(|wanted| self.as_the_source_knows_it(wanted)).collect();
            let request = RetrieveRequest { documents };
            match self.source.retrieve(request, &terms.caller, terms.deadline).await {
                Err(why) => vec![Gathered::unavailable(&self.member, wanted, why)],
                Ok(response) if refuses_the_number(wanted, &response) => {
                    let half = wanted.len().div_ceil(2);
                    let (first, second) = wanted.split_at(half);
                    let (mut came, more) =
                        join(self.ask_for(first, terms), self.ask_for(second, terms)).await;
                    came.extend(more);
                    if came.iter().any(|batch| !batch.documents.is_empty()) {
                        self.source.learn_max_documents(half);
                    }
                    came
                }
                Ok(response) => {
                    let (mut batch, documents) = settle(&self.member, wanted, response);
                    self.receive(documents, &mut batch, terms).await;
                    vec![batch]
                }
            }
        })
    }

    /// A peer must be told the community, in its URN form; a plain repository knows none.
    fn as_the_source_knows_it(&self, wanted: &DocumentRequest) -> DocumentRequest {
        let home = match self.member.role {
            Role::Own => None,
            Role::Peer => home_of(wanted).map(|home| home.to_urn()),
        };
        DocumentRequest { home, ..wanted.clone() }
    }

    /// Receives documents ahead, in their order, until one is too large for that.
    async fn receive(&self, documents: Vec<RetrievedDocument>, batch: &mut Gathered, terms: &Terms) {
        let mut broken = false;
        for RetrievedDocument { head, content } in documents {
            // What an on-demand document is made of when it is asked for, no metadata could say before.
            let said = match (&head.new_document, home_of(&head.request)) {
                (None, Some(home)) => {
                    terms.fingerprints.find(&home, &head.request.repository, &head.request.document)
                }
                _ => None,
            };
            let ahead = match batch.open {
                true => Ahead::Open(content, Vec::new()),
                false => receive_ahead(content, terms).await,
            };
            match ahead {
                Ahead::Whole(chunks) => {
                    let verdict = said.and_then(|said| compare(&said, &chunks));
                    if self.accepts(verdict, &head.request, batch) {
                        let length = chunks.iter().map(|chunk| chunk.len() as u64).sum();
                        let content = Content { length: Some(length), head: chunks, rest: None };
                        batch.documents.push(RetrievedDocument { head, content });
                    }
                }
                Ahead::Open(content, chunks) => {
                    batch.open = true;
                    let watched =
                        watch::Watched::new(Arc::clone(&self.member), Arc::clone(&self.source), said);
                    batch
                        .documents
                        .push(RetrievedDocument { head, content: watched.content(chunks, content) });
                }
                Ahead::Broken(why) => {
                    if !std::mem::replace(&mut broken, true) {
                        self.source.broke_off(why);
                    }
                    batch.errors.push(unavailable_document(&self.member, &head.request, why));
                }
            }
        }
    }

    /// Reports a document whose bytes are not those of its metadata, and says whether it is passed on.
    fn accepts(&self, verdict: Option<String>, wanted: &DocumentRequest, batch: &mut Gathered) -> bool {
        let Some(difference) = verdict else { return true };
        let member = &self.member;
        member.noticed(Oddity::WrongBytes, 1);
        let (severity, what) = match member.quirks.verification {
            Verification::Report => (Severity::Warning, "it is passed on as it came"),
            Verification::Enforce => (Severity::Error, "it is withheld"),
        };
        let context = format!(
            "{}: document {} differs from its metadata: {difference}; {what}",
            member.title(),
            wanted.document
        );
        let error = RegistryError { severity, ..RegistryError::error(code::REPOSITORY_ERROR, context) };
        batch.errors.push(error.at(wanted.document.clone()));
        severity == Severity::Warning
    }
}

impl Gathered {
    fn unavailable(member: &Member, wanted: &[DocumentRequest], why: Unavailable) -> Self {
        let errors = wanted.iter().map(|wanted| unavailable_document(member, wanted, why)).collect();
        Self { errors, ..Self::default() }
    }
}

/// The error for a document whose community could not be had.
pub fn unavailable_document(member: &Member, wanted: &DocumentRequest, why: Unavailable) -> RegistryError {
    let context =
        format!("{} is unavailable: {}; document {}", member.title(), why.reason(), wanted.document);
    RegistryError::error(code::UNAVAILABLE_COMMUNITY, context).at(wanted.document.clone())
}

fn home_of(wanted: &DocumentRequest) -> Option<HomeCommunityId> {
    HomeCommunityId::parse(wanted.home.as_deref()?).ok()
}

/// What became of a document before the answer begins.
enum Ahead {
    /// It is here.
    Whole(Vec<bytes::Bytes>),
    /// It is too large: what is here, and where the rest comes from.
    Open(Content, Vec<bytes::Bytes>),
    /// It broke off.
    Broken(Unavailable),
}

async fn receive_ahead(mut content: Content, terms: &Terms) -> Ahead {
    let mut chunks = Vec::new();
    let mut size = 0;
    if content.length.is_some_and(|length| length > limits::PREFETCH_DOCUMENT_BYTES as u64) {
        return Ahead::Open(content, chunks);
    }
    loop {
        match tokio::time::timeout_at(terms.deadline.into(), content.next()).await {
            Err(_) => return Ahead::Broken(Unavailable::TimedOut),
            Ok(Some(Err(error))) => return Ahead::Broken(Unavailable::from(&error)),
            Ok(None) => return Ahead::Whole(chunks),
            Ok(Some(Ok(chunk))) => {
                size += chunk.len();
                let fits = size <= limits::PREFETCH_DOCUMENT_BYTES && terms.take(chunk.len());
                chunks.push(chunk);
                if !fits {
                    return Ahead::Open(content, chunks);
                }
            }
        }
    }
}

impl Terms {
    fn take(&self, bytes: usize) -> bool {
        let less = |left: usize| left.checked_sub(bytes);
        self.ahead.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

fn compare(said: &Fingerprint, chunks: &[bytes::Bytes]) -> Option<String> {
    let mut measure = Measure::default();
    chunks.iter().for_each(|chunk| measure.update(chunk));
    difference(said, &measure.finish())
}

/// Whether a community took offence at how many documents were wanted at once: it gave none, and says nothing about any.
fn refuses_the_number(wanted: &[DocumentRequest], response: &RetrieveResponse) -> bool {
    const CODES: &[&str] =
        &[code::REPOSITORY_ERROR, code::TOO_MANY_RESULTS, code::REPOSITORY_OUT_OF_RESOURCES];
    wanted.len() > 1
        && response.status == Status::Failure
        && response.documents.is_empty()
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| {
            CODES.contains(&error.code.as_ref()) && document_of(error, wanted.iter().enumerate()).is_none()
        })
}

/// Assigns what came to what was wanted: documents under the identifiers that the consumer used, errors to their documents,
/// an error for every gap.
fn settle(
    member: &Member,
    wanted: &[DocumentRequest],
    response: RetrieveResponse,
) -> (Gathered, Vec<RetrievedDocument>) {
    let mut batch = Gathered::default();
    let index: HashMap<(&str, &str), usize> =
        wanted.iter().enumerate().map(|(i, w)| ((w.repository.as_str(), w.document.as_str()), i)).collect();
    let mut answered = vec![false; wanted.len()];
    let mut documents = Vec::with_capacity(response.documents.len());
    let mut odd = Odd::default();
    for mut document in response.documents {
        let came = &document.head.request;
        let place = index.get(&(came.repository.as_str(), came.document.as_str())).copied();
        match place {
            None => odd.unasked += 1,
            Some(place) if answered[place] => odd.repeated += 1,
            Some(place) => {
                match (&came.home, member.role) {
                    (Some(home), Role::Peer) if !member.is_named(home) => {
                        odd.foreign += 1;
                        continue;
                    }
                    (None, Role::Peer) => odd.without_home += 1,
                    _ => {}
                }
                answered[place] = true;
                document.head.request = wanted[place].clone();
                documents.push(document);
            }
        }
    }
    let mut general = Vec::new();
    for error in response.errors {
        if error.location.as_deref().is_none_or(str::is_empty) {
            odd.unlocated += 1;
        }
        let candidates = wanted.iter().enumerate();
        match document_of(&error, candidates).or_else(|| (wanted.len() == 1).then_some(0)) {
            Some(place) => {
                answered[place] |= error.severity == Severity::Error;
                batch.errors.push(attributed(member, error).at(wanted[place].document.clone()));
            }
            None => general.push(error),
        }
    }
    let gaps: Vec<_> =
        wanted.iter().zip(&answered).filter(|(_, answered)| !**answered).map(|(w, _)| w).collect();
    let reason = general.iter().find(|error| error.severity == Severity::Error).cloned();
    match reason {
        // What it says about all of them, it says about each.
        Some(reason) if !gaps.is_empty() => {
            general.retain(|error| *error != reason);
            let each = gaps.iter().map(|gap| attributed(member, reason.clone()).at(gap.document.clone()));
            batch.errors.extend(each);
        }
        _ => {
            odd.gaps = gaps.len() as u64;
            let each = gaps.iter().map(|gap| {
                let context = format!(
                    "{} sent neither document {} nor an error for it (ITI TF-2: 3.43.5)",
                    member.title(),
                    gap.document
                );
                RegistryError::error(code::REPOSITORY_ERROR, context).at(gap.document.clone())
            });
            batch.errors.extend(each);
        }
    }
    for mut error in general {
        if error.location.as_deref().is_none_or(str::is_empty) {
            error.location = Some(member.home().to_urn());
        }
        batch.errors.push(attributed(member, error));
    }
    if member.role == Role::Peer {
        odd.report(member, &mut batch.errors);
    }
    (batch, documents)
}

/// A peer's error with its name behind what it said, since the location is the document's.
fn attributed(member: &Member, mut error: RegistryError) -> RegistryError {
    if member.role == Role::Peer {
        error.context = format!("{} [{}]", error.context, member.title());
    }
    error
}

/// The document that an error is about: named by its location or in its codeContext; both are in use (ITI TF-2: 3.39.4.1.3).
fn document_of<'a>(
    error: &RegistryError,
    wanted: impl Iterator<Item = (usize, &'a DocumentRequest)>,
) -> Option<usize> {
    let location = error.location.as_deref().unwrap_or_default();
    wanted
        .filter(|(_, wanted)| names(location, &wanted.document) || names(&error.context, &wanted.document))
        .max_by_key(|(_, wanted)| wanted.document.len())
        .map(|(place, _)| place)
}

/// Whether a text names an identifier: as a whole, not as a part of a longer one.
fn names(text: &str, id: &str) -> bool {
    let part_of_id = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || "^-_".contains(c));
    !id.is_empty()
        && text.match_indices(id).any(|(at, _)| {
            let (before, after) = (&text[..at], &text[at + id.len()..]);
            let dotted_before = before.ends_with('.') && part_of_id(before.chars().rev().nth(1));
            let dotted_after = after.starts_with('.') && part_of_id(after.chars().nth(1));
            !part_of_id(before.chars().next_back())
                && !part_of_id(after.chars().next())
                && !dotted_before
                && !dotted_after
        })
}

/// What was odd about a peer's answer.
#[derive(Default)]
struct Odd {
    unasked: u64,
    repeated: u64,
    foreign: u64,
    without_home: u64,
    unlocated: u64,
    gaps: u64,
}

impl Odd {
    fn report(&self, member: &Member, errors: &mut Vec<RegistryError>) {
        member.noticed(Oddity::SilentGap, self.gaps);
        let table = [
            (
                Oddity::UnaskedDocument,
                self.unasked,
                code::REPOSITORY_ERROR,
                "documents that nobody asked for; they were left out",
            ),
            (
                Oddity::DuplicateDocument,
                self.repeated,
                code::REPOSITORY_ERROR,
                "documents more than once; the repetitions were left out",
            ),
            (
                Oddity::ForeignHome,
                self.foreign,
                code::REPOSITORY_ERROR,
                "documents with the home of another community; they were left out",
            ),
            (
                Oddity::MissingHome,
                self.without_home,
                code::MISSING_HOME_COMMUNITY_ID,
                "DocumentResponses without HomeCommunityId (ITI TF-2: 3.39.4.2.3)",
            ),
            (
                Oddity::MissingLocation,
                self.unlocated,
                code::REPOSITORY_ERROR,
                "RegistryErrors without location (ITI TF-2: 3.39.4.1.3)",
            ),
        ];
        for (oddity, times, code, what) in table {
            member.noticed(oddity, times);
            if times > 0 {
                let context = format!("{} sent {times} {what}", member.title());
                errors.push(RegistryError::warning(code, context).at(member.home().to_urn()));
            }
        }
    }
}
