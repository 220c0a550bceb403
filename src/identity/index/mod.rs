//! The patient index: records by identifier, the persons that they belong to, and why (ITI TF-1: 5, 8; 広域MPI, 名寄せ).
//!
//! A *record* is what a source says of one of its identifiers. A *person* is what hangs together by *links*: a source's
//! declaration, an insured person's number, the matcher, an operator. Everything follows from records, links and *bars*
//! (what operators hold apart), so that whatever people or the matcher decided can be undone in full.
//!
//! | room | what it knows |
//! |---|---|
//! | `schema`, `records`, `links`, `insured`, `groups`, `persons`, `events` | tables, and what stands in them |
//! | `jobs` | how the tables are read and written, and what follows once it is on disk |
//! | `keys`, `search_keys` | which records share a key |
//! | `memory` | records as they are compared, at hand |
//! | `candidates`, `announce`, `relink`, `conflicts`, `merge`, `rematch` | what becomes of records |
//! | `decisions`, `shown` | what operators decide, and what they see |
//! | `search`, `fits` | questions |
//! | `learning` | weights and readings learnt from the records |

mod announce;
mod candidates;
mod conflicts;
mod decisions;
mod events;
mod fits;
mod fold;
mod groups;
mod insured;
mod jobs;
mod keys;
mod learning;
mod links;
mod memory;
mod merge;
mod persons;
mod records;
mod relink;
mod rematch;
mod schema;
mod search;
mod search_keys;
mod shown;
#[cfg(test)]
mod tests;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::watch;

use self::announce::{Announcement, News};
use self::events::Latest;
use self::keys::{Keys, Marks};
use self::memory::{Memory, Room};
use self::schema::{KnownDomains, Ledger, Matcher, Tables, Tenant};
use self::search::Question;
use crate::demographics::{Demographics, DemographicsChange, Domains, Visit};
use crate::identity::matching::{Model, Thresholds};
use crate::ids::{Oid, PatientId};
use crate::limits;
use crate::store::{Connection, Found, Store, StoreError};
use crate::transactions::identity::{Answer, DemographicsQuery, IdentityError, Match};

pub use self::decisions::{Decision, Refused, Ruling};
pub use self::events::{Event, EventKind};
pub use self::insured::Dated;
pub use self::learning::{KeptModel, Learnt, Progress, Weights};
pub use self::links::{Cause, Origin};
pub use self::rematch::Rematched;
pub use self::schema::MIGRATION;
pub use self::shown::{Review, Shown, ShownLink, ShownRecord};

/// The patient index of one tenant. Cheap to clone.
#[derive(Clone)]
pub struct Index(Arc<Shared>);

struct Shared {
    store: Store,
    tenant: i64,
    keys: Keys,
    memory: Arc<Memory>,
    /// Writing jobs so far.
    jobs: AtomicU64,
    /// How far the last writing job came, if it stands.
    ledger: Mutex<Ledger>,
    /// How far records are written for certain.
    written: RwLock<Marks>,
    matcher: RwLock<Arc<Matcher>>,
    domains: RwLock<Arc<Domains>>,
    known_domains: KnownDomains,
    /// The last event's number, as far as it is known to be on disk.
    told: watch::Sender<u64>,
    latest: RwLock<Latest>,
}

/// Why the index did not do something.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// No record has the identifier.
    #[error("no record has this identifier")]
    Unknown(PatientId),
    /// The identifier was subsumed by a merge.
    #[error("this identifier was subsumed by a merge")]
    Subsumed(PatientId),
    /// A merge of an identifier with itself.
    #[error("both identifiers are the same")]
    Same,
    /// A merge of identifiers of two domains: each has its own source.
    #[error("a merge joins two identifiers of one domain")]
    TwoDomains,
    /// An announcement without an identifier that names a patient: an insured person's number is none.
    #[error("no identifier names a patient")]
    NoPatient,
    /// The room that joins a merge refuses it ([`Along`]).
    #[error("refused by who joins the merge")]
    Along(Vec<IdentityError>),
    /// A question in which nothing narrows the records down.
    #[error(
        "the question is too wide: it needs an identifier, a name, a telephone number, or a birth within five years"
    )]
    TooWide,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Another room's part in a merge or an announcement: the same transaction, so that the two cannot disagree, whatever happens in between. It
/// runs when the index finds nothing wrong, and where it refuses, nothing has changed.
pub type Along = Box<dyn FnOnce(&Connection) -> Result<Answer<()>, StoreError> + Send>;

/// What became of an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announced {
    /// A new record.
    Added,
    /// A known one, changed.
    Changed,
    /// A known one, and nothing in it is different.
    Unchanged,
}

impl Index {
    /// The index in a store that has [`MIGRATION`]. Blocks while it reads.
    pub fn open(store: Store, tenant: &str) -> Result<Self, StoreError> {
        let name = tenant.to_owned();
        let tenant = store.write_blocking(move |connection| Tenant::find_or_make(connection, &name))?;
        let number = tenant.number;
        let folder = store.directory().join("identity-keys").join(number.to_string());
        // An earlier version kept names and births there, which nothing reads any more.
        match std::fs::remove_file(folder.with_extension("slots")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let room = Room::of(limits::INDEX_MEMORY_BYTES);
        let memory = Arc::new(Memory::within(room.clone()));
        let memory_of = Arc::clone(&memory);
        let (keys, marks, told, matcher) = store.read_blocking(move |connection| {
            let matcher = Matcher { model: Model::built_in(), thresholds: Thresholds::default() };
            let (domains, ledger) = Default::default();
            let tables = Tables {
                connection,
                tenant: number,
                matcher: &matcher,
                domains: &domains,
                memory: &memory_of,
                ledger: &ledger,
            };
            let marks = tables.marks()?;
            let (keys, reached) = Keys::open(folder, tenant.generation, marks, room)?;
            tables.read_keys(&keys, reached)?;
            let told = tables.told()?;
            let model = tables.model_in_use()?.among(marks.record);
            Ok((keys, marks, told, RwLock::new(Arc::new(Matcher { model, ..matcher }))))
        })?;
        let (told, _) = watch::channel(told);
        Ok(Self(Arc::new(Shared {
            store,
            tenant: number,
            keys,
            memory,
            jobs: AtomicU64::new(0),
            ledger: Mutex::default(),
            written: RwLock::new(marks),
            matcher,
            domains: RwLock::default(),
            known_domains: KnownDomains::default(),
            told,
            latest: RwLock::default(),
        })))
    }

    /// Takes up what the region's domains are: how messages name them, and whose identifiers are insured persons' numbers.
    /// At start, and whenever the configuration changes.
    pub fn set_domains(&self, domains: Arc<Domains>) {
        *self.0.domains.write().unwrap_or_else(PoisonError::into_inner) = domains;
    }

    /// Takes up from which probabilities on records are linked or shown to people. At start.
    pub fn set_thresholds(&self, thresholds: Thresholds) {
        let mut matcher = self.0.matcher.write().unwrap_or_else(PoisonError::into_inner);
        *matcher = Arc::new(Matcher { model: matcher.model.clone(), thresholds });
    }

    /// Takes up how many bytes may be taken to have keys and records at hand as they are compared, and reads them beside. At
    /// start.
    pub fn keep_at_hand(&self, most: usize) {
        self.0.keys.room().bound(most);
        let index = Arc::clone(&self.0);
        let reading = std::thread::Builder::new().name("index-memory".to_owned());
        if let Err(error) = reading.spawn(move || index.read_ahead()) {
            tracing::warn!(%error, "the index's records are read into memory when they are asked for");
        }
    }

    /// ITI-8, ITI-44: adds or changes the records of these identifiers (one person's by declaration), matches them again, and
    /// returns when all of it is on disk. A repeated message changes nothing.
    pub async fn announce(
        &self,
        identifiers: impl IntoIterator<Item = impl Into<Dated>>,
        change: DemographicsChange,
        visit: Option<Visit>,
    ) -> Result<Announced, IndexError> {
        self.announce_along(identifiers, change, visit, None).await
    }

    /// The same, and what it means elsewhere, in one transaction.
    pub async fn announce_along(
        &self,
        identifiers: impl IntoIterator<Item = impl Into<Dated>>,
        change: DemographicsChange,
        visit: Option<Visit>,
        along: Option<Along>,
    ) -> Result<Announced, IndexError> {
        let domains = self.domains();
        let told = identifiers.into_iter().map(Into::into);
        let (insured, patients) = told.partition::<Vec<Dated>, _>(|told| domains.is_insured(&told.patient));
        let patients: Vec<_> = patients.into_iter().map(|told| told.patient).collect();
        if patients.is_empty() {
            return Err(IndexError::NoPatient);
        }
        let announcement =
            Announcement { patients, insured: insured::without_renewed(insured), change, visit };
        let (index, now) = (Arc::clone(&self.0), now());
        // Of a moment before the reader's: what is written from here on is looked at again.
        let marks = *index.written.read().unwrap_or_else(PoisonError::into_inner);
        let propose = move |connection: &Connection| {
            let proposal = index.reading(connection, |tables| {
                let mut domains = announcement.patients.iter().map(PatientId::authority);
                domains.try_for_each(|domain| tables.learn_domain(domain))?;
                tables.propose(&index.keys, &announcement, marks)
            })?;
            Ok(match proposal {
                Err(refused) => Found::Answer(Err(refused)),
                Ok(proposal) if proposal.news == News::None && along.is_none() => {
                    Found::Answer(Ok(Announced::Unchanged))
                }
                Ok(proposal) => Found::Write(index.writing(move |index, tables| {
                    tables.announce(&index.keys, &announcement, proposal, along, now)
                })),
            })
        };
        let announced = self.0.store.read_then_write(propose).await?;
        self.keep_keys();
        announced
    }

    /// A40, ITI-44 merge: `subsumed` ends for good, here and where `along` says so. Refused without change if either is
    /// unknown or was subsumed, or both are the same or of two domains (ITI TF-2: 3.8.4.2, 3.44.4.2).
    pub async fn merge(
        &self,
        surviving: PatientId,
        subsumed: PatientId,
        change: DemographicsChange,
        along: Option<Along>,
    ) -> Result<(), IndexError> {
        let now = now();
        self.write(move |index, tables| {
            let pair = match tables.mergeable(&surviving, &subsumed)? {
                Ok(pair) => pair,
                Err(refused) => return Ok(Err(refused)),
            };
            if let Some(Err(refused)) = along.map(|along| along(tables.connection)).transpose()? {
                return Ok(Err(IndexError::Along(refused)));
            }
            tables.merge(&index.keys, pair, &change, now).map(Ok)
        })
        .await?
    }

    /// The identifier that stands for a patient: their own, or the one that it was merged into in the end. None if no record
    /// has it.
    pub async fn survivor_of(&self, patient: &PatientId) -> Result<Option<PatientId>, IndexError> {
        let patient = patient.clone();
        Ok(self.read(move |_, tables| tables.survivor_of(&patient)).await?)
    }

    /// The other identifiers of a patient's person, and the patient's own record.
    pub async fn corresponding(
        &self,
        patient: &PatientId,
    ) -> Result<(Vec<PatientId>, Demographics), IndexError> {
        let patient = patient.clone();
        self.read(move |_, tables| {
            let record = match (tables.active(&patient)?, tables.only_insured(&patient)?) {
                (Ok(record), _) | (Err(_), Some(record)) => record,
                (Err(refused), None) => return Ok(Err(refused)),
            };
            let mut identifiers = tables.identifiers(&tables.members(record.person)?)?;
            identifiers.retain(|other| *other != patient);
            Ok(Ok((identifiers, tables.content(record.number)?.0)))
        })
        .await?
    }

    /// Whose current values fit a query, best first; all identifiers of each person, `wanted` is the caller's business. At
    /// most `most`, and how many there are in all (counted up to a bound). With a MinimumDegreeMatch below 100 errors are
    /// tolerated, and [`Match::degree`] says how well a person fits; else values must be equal, spelling apart.
    pub async fn find(
        &self,
        query: DemographicsQuery,
        most: usize,
    ) -> Result<(Vec<Match>, usize), IndexError> {
        let domains = self.domains();
        let resolve = |identifier: &crate::demographics::Identifier| {
            let by_oid = || Oid::parse(&identifier.authority.universal_id).ok();
            let bare = || Some(PatientId::new(&identifier.id, by_oid()?));
            domains.resolve(identifier).or_else(bare)
        };
        let identifiers: Option<Vec<_>> = query.identifiers.iter().map(resolve).collect();
        let Some(identifiers) = identifiers else { return Ok((Vec::new(), 0)) };
        let tolerant = query.minimum_degree.filter(|degree| *degree < 100);
        let question = Question { query, identifiers, tolerant };
        self.read(move |index, tables| tables.find(&index.keys, &question, most)).await?
    }

    /// The person of an identifier, with everything that makes it one.
    pub async fn show(&self, patient: &PatientId) -> Result<Shown, IndexError> {
        let patient = patient.clone();
        self.read(move |_, tables| {
            Ok(match tables.active(&patient)? {
                Ok(record) => Ok(tables.show(record.person)?),
                Err(refused) => Err(refused),
            })
        })
        .await?
    }

    /// Pairs that people must decide, behind a number.
    pub async fn reviews(&self, after: u64, most: usize) -> Result<Vec<Review>, IndexError> {
        Ok(self.read(move |_, tables| tables.reviews(after, most)).await?)
    }

    /// The pair of an open review; None if there is none of this number.
    pub async fn reviewed(&self, number: u64) -> Result<Option<(PatientId, PatientId)>, IndexError> {
        Ok(self.read(move |_, tables| tables.reviewed(number)).await?)
    }

    /// Carries an operator's ruling out; gives the number by which it can be undone.
    pub async fn rule(&self, ruling: Ruling, operator: &str) -> Result<Result<u64, Refused>, IndexError> {
        let (operator, now) = (operator.to_owned(), now());
        Ok(self.write(move |_, tables| tables.rule(&ruling, &operator, now)).await?)
    }

    /// Learns weights and readings from the records, or a sample of them; changes nothing. Takes a while.
    pub async fn learn(&self, progress: impl Fn(Progress) + Send + 'static) -> Result<Learnt, IndexError> {
        Ok(self.read(move |_, tables| tables.learn(&progress)).await?)
    }

    /// Keeps a model that was learnt from so many records (0: it is built in); it is used from the next start on.
    pub async fn keep_model(&self, model: &Model, records: u64, operator: &str) -> Result<u64, IndexError> {
        let body = model.to_json().map_err(|error| StoreError::Damaged(error.to_string()))?;
        let (operator, at) = (operator.to_owned(), now());
        Ok(self
            .write(move |_, tables| tables.keep_model(&KeptModel { number: 0, at, operator, records }, &body))
            .await?)
    }

    /// Events behind a number, oldest first.
    pub async fn events(&self, after: u64, most: usize) -> Result<Vec<Event>, IndexError> {
        let latest = self.0.latest.read().unwrap_or_else(PoisonError::into_inner).behind(after, most);
        match latest {
            Some(events) => Ok(events.iter().map(|event| Event::clone(event)).collect()),
            None => Ok(self.read(move |_, tables| tables.events(after, most)).await?),
        }
    }

    /// The last event's number, and a wake-up whenever there are more.
    pub fn watch_events(&self) -> watch::Receiver<u64> {
        self.0.told.subscribe()
    }

    /// Whether an identifier is an insured person's number: a family may share it.
    pub fn is_insured(&self, patient: &PatientId) -> bool {
        self.domains().is_insured(patient)
    }

    fn domains(&self) -> Arc<Domains> {
        self.0.domains.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Shared, Tables<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let index = Arc::clone(&self.0);
        self.0.store.read(move |connection| index.reading(connection, |tables| job(&index, tables))).await
    }

    /// Has keys written into a run when they have become many in memory; nobody waits for it.
    fn keep_keys(&self) {
        if self.0.keys.is_full() {
            let index = Arc::clone(&self.0);
            tokio::task::spawn_blocking(move || index.flush_keys());
        }
    }

    /// Runs a writing job.
    async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Shared, Tables<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = self.0.store.write_then(self.0.writing(job)).await?;
        self.keep_keys();
        Ok(done)
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
