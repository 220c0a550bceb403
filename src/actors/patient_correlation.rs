//! Who a patient of ours is in another community: whatever the gateway knows is asked in turn, from the cheapest on
//! (ITI TF-1: 27.3). The Initiating Gateway calls it, once for each community, so that one that is slow keeps nobody waiting.
//!
//! 1. the operator's table;
//! 2. the cross-reference cache;
//! 3. the region's index: identifiers of the same person in domains that the community shares;
//! 4. a PIX Manager or central MPI behind the region ([`Manager`]);
//! 5. the community itself, by patient discovery (ITI-55), at once or for an answer that comes later ([`deferred`]).
//!
//! Concurrent questions about one patient and community are one ([`Flights`]).

mod deferred;
mod flights;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use self::flights::Flights;
use crate::delivery::asked::AskedQuestions;
use crate::demographics::Demographics;
use crate::federation::correlate::CorrelationTable;
use crate::federation::directory::Directory;
use crate::federation::discovery::{Asker, Discovered, discover};
use crate::federation::managers::{Manager, Person};
use crate::federation::member::{Member, Role};
use crate::federation::peer::Peer;
use crate::federation::{Correlate, Unavailable, Uncorrelated, Whereabouts};
use crate::identity::crossref::{self, Crossref, Decided, Digest, Entry, Lookup, Ticket};
use crate::identity::index::{Index, IndexError};
use crate::ids::{HomeCommunityId, Oid, PatientId};
use crate::limits;
use crate::transactions::Caller;

/// What correlation is made of. Whatever a region lacks is left out.
#[derive(Default)]
pub struct Sources {
    /// The operator's.
    pub table: Arc<CorrelationTable>,
    /// What was found out before.
    pub cache: Option<Crossref>,
    /// The region's own index.
    pub index: Option<Index>,
    /// A PIX Manager or central MPI, and a PDQ Supplier: asked in this order for what those before them did not know.
    pub managers: Vec<Arc<dyn Manager>>,
    /// How communities are asked; None: they are not.
    pub asker: Option<Asker>,
    /// Questions that are answered later; None: nobody is asked such.
    pub asked: Option<AskedQuestions>,
    /// The communities, for answers that come by themselves.
    pub directory: Option<Arc<Directory>>,
    /// The assigning authorities of our own community.
    pub authorities: Vec<Oid>,
}

/// Correlation. Cheap to clone.
#[derive(Clone)]
pub struct PatientCorrelation {
    inner: Arc<Inner>,
}

struct Inner {
    sources: Sources,
    persons: Flights<PatientId, Result<Option<Arc<Known>>, Unavailable>>,
    /// By whom is asked about, as described, and where.
    discoveries: Flights<(PatientId, Digest, HomeCommunityId), Result<Discovered, Uncorrelated>>,
}

/// Who a patient is.
struct Known {
    person: Person,
    /// From before anybody looked: what follows from who the patient was then is not kept for who they are now.
    ticket: Option<Ticket>,
}

impl PatientCorrelation {
    /// Correlation from those sources.
    pub fn new(sources: Sources) -> Self {
        let inner = Inner { sources, persons: Flights::default(), discoveries: Flights::default() };
        Self { inner: Arc::new(inner) }
    }
}

impl Correlate for PatientCorrelation {
    fn identities<'a>(
        &'a self,
        asked: Whereabouts<'a>,
    ) -> BoxFuture<'a, Result<Vec<PatientId>, Uncorrelated>> {
        Box::pin(async move {
            let by_deadline = tokio::time::timeout_at(asked.deadline.into(), find(&self.inner, asked));
            by_deadline.await.unwrap_or(Err(Uncorrelated::Away(Unavailable::TimedOut)))
        })
    }
}

async fn find(inner: &Arc<Inner>, asked: Whereabouts<'_>) -> Result<Vec<PatientId>, Uncorrelated> {
    let Whereabouts { patient, member, peer, caller, deadline } = asked;
    let Sources { table, cache, .. } = &inner.sources;
    let listed = table.find(patient, member);
    if !listed.is_empty() {
        return Ok(listed);
    }
    if member.role == Role::Own {
        return Ok(inner.person(patient, caller, deadline).await.map_or_else(
            |_| Vec::new(),
            |known| known.map_or_else(Vec::new, |known| shared(&known.person, &inner.sources.authorities)),
        ));
    }
    if let Some(known) = cache.as_ref().and_then(|cache| cached(cache, patient, member))
        && inner.is_current(patient, &known).await
    {
        return Ok(known.remote);
    }
    let known = inner.person(patient, caller, deadline).await.map_err(Uncorrelated::Away)?;
    let Some(known) = known else { return Ok(Vec::new()) };
    let linked = shared(&known.person, &member.authorities);
    if !linked.is_empty() {
        return Ok(linked);
    }
    match peer.filter(|peer| peer.discovers()) {
        Some(peer) => inner.discovered(patient, &known, peer, caller, deadline).await,
        None => Ok(Vec::new()),
    }
}

/// What the cache has, "nobody" included.
fn cached(cache: &Crossref, patient: &PatientId, member: &Member) -> Option<Entry> {
    match cache.get(patient, member.home()) {
        Lookup::Hit(entry) => Some(entry),
        Lookup::Stale | Lookup::Miss => None,
    }
}

/// A person's identifiers in those domains.
fn shared(person: &Person, authorities: &[Oid]) -> Vec<PatientId> {
    person.identifiers.iter().filter(|id| authorities.contains(id.authority())).cloned().collect()
}

impl Inner {
    /// Whether an entry is about who the patient is now. The cache forgets whom the index changed a moment after that was
    /// acknowledged: in between, the index itself tells.
    async fn is_current(&self, patient: &PatientId, entry: &Entry) -> bool {
        let Some(index) = &self.sources.index else { return true };
        match index.corresponding(patient).await {
            Ok((_, person)) => [Digest::NONE, Digest::of(&person)].contains(&entry.digest),
            // Nobody of ours: by the operator's word, or a manager's. But an insured person's number is unknown, too, once it
            // is over or several share it.
            Err(IndexError::Unknown(_)) => !index.is_insured(patient),
            Err(_) => false,
        }
    }

    /// Who the patient is, from the index or from whom the region asks.
    async fn person(
        self: &Arc<Self>,
        patient: &PatientId,
        caller: &Caller,
        deadline: Instant,
    ) -> Result<Option<Arc<Known>>, Unavailable> {
        let asking = || {
            let (inner, patient, caller) = (Arc::clone(self), patient.clone(), caller.clone());
            async move {
                let ticket = inner.sources.cache.as_ref().map(|cache| cache.ticket(&patient));
                let person = inner.look_up(&patient, &caller, deadline).await?;
                Ok(person.map(|person| Arc::new(Known { person, ticket })))
            }
            .boxed()
        };
        self.persons.join(patient.clone(), asking).await
    }

    async fn look_up(
        &self,
        patient: &PatientId,
        caller: &Caller,
        deadline: Instant,
    ) -> Result<Option<Person>, Unavailable> {
        if let Some(index) = &self.sources.index {
            match index.corresponding(patient).await {
                Ok((identifiers, demographics)) => {
                    return Ok(Some(Person { identifiers, demographics }));
                }
                Err(IndexError::Store(error)) => {
                    tracing::error!(trace = &*caller.trace, %error, "the patient index failed");
                    return Err(Unavailable::Internal);
                }
                Err(_) => {}
            }
        }
        let mut known: Option<Person> = None;
        for manager in &self.sources.managers {
            let Some(more) = manager.person(patient, caller, deadline).await? else { continue };
            let known = known.get_or_insert_default();
            let new = more.identifiers.into_iter().filter(|id| !known.identifiers.contains(id));
            let new: Vec<_> = new.collect();
            known.identifiers.extend(new);
            if known.demographics == Demographics::default() {
                known.demographics = more.demographics;
            }
        }
        Ok(known)
    }

    /// Asks the community, and keeps what it says for as long as it permits.
    async fn discovered(
        self: &Arc<Self>,
        patient: &PatientId,
        known: &Arc<Known>,
        peer: &Arc<Peer>,
        caller: &Caller,
        deadline: Instant,
    ) -> Result<Vec<PatientId>, Uncorrelated> {
        if self.sources.asker.is_none() || known.person.demographics.names.is_empty() {
            return Ok(Vec::new());
        }
        let asking = || {
            let (inner, patient, known) = (Arc::clone(self), patient.clone(), Arc::clone(known));
            let (peer, caller) = (Arc::clone(peer), caller.clone());
            async move { inner.ask(&patient, &known, &peer, &caller, deadline).await }.boxed()
        };
        let digest = Digest::of(&known.person.demographics);
        let key = (patient.clone(), digest, peer.member.home().clone());
        Ok(self.discoveries.join(key, asking).await?.patients)
    }

    async fn ask(
        &self,
        patient: &PatientId,
        known: &Known,
        peer: &Arc<Peer>,
        caller: &Caller,
        deadline: Instant,
    ) -> Result<Discovered, Uncorrelated> {
        let Some(asker) = &self.sources.asker else { return Ok(Discovered::default()) };
        if peer.deferred.is_some() {
            self.defer((patient, known), peer, caller, deadline).await?;
        }
        let own = self.own_identifier(patient, known);
        let answer = discover(peer, asker, &known.person.demographics, own, caller, deadline).await;
        let outcome = match &answer {
            Ok(discovered) if discovered.patients.is_empty() => "nobody",
            Ok(_) => "found",
            Err(Uncorrelated::Ambiguous) => "ambiguous",
            Err(_) => "failed",
        };
        metrics::counter!("sekisho_discoveries_asked_total", "outcome" => outcome).increment(1);
        let discovered = answer?;
        self.keep(known, peer, &discovered).await;
        Ok(discovered)
    }

    /// Our own identifier of a patient, if it may be told.
    fn own_identifier<'a>(&self, patient: &'a PatientId, known: &'a Known) -> Option<&'a PatientId> {
        let authority = self.sources.asker.as_ref()?.template.authority.as_ref()?;
        let mut all = std::iter::once(patient).chain(&known.person.identifiers);
        all.find(|id| id.authority() == authority)
    }

    /// Keeps what a community said of its own patients, for as long as it permits.
    async fn keep(&self, Known { person, ticket }: &Known, peer: &Peer, discovered: &Discovered) {
        let (Some(cache), Some(ticket), Some(life)) =
            (&self.sources.cache, ticket.clone(), discovered.time_to_live)
        else {
            return;
        };
        let obtained = crossref::now();
        let entry = Entry {
            remote: discovered.patients.clone(),
            digest: Digest::of(&person.demographics),
            score: discovered.degree,
            decided: Decided::Community,
            obtained,
            expires: obtained + life.min(limits::MAX_CORRELATION_LIFE).as_secs(),
        };
        cache.keep(ticket, peer.member.home().clone(), entry).await;
    }
}
