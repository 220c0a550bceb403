//! Patient discovery at the Responding Gateway (ITI TF-1: 27; ITI TF-2: 3.55, 3.56): whether our communities know somebody,
//! by which identifiers, and which other communities we know of. The server calls it.
//!
//! Never a guess: where several people fit, the asking side is told what would help to tell them apart (case 3), unless the
//! policy permits listing them. And never a directory: what describes too many people is refused, and who asks too much must
//! wait (attack 59).

mod demand;
mod emergency;
mod people;
mod rate;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::people::People;
use self::rate::Rates;
use crate::actors::permits::Callers;
use crate::demographics::{Domains, refused_in};
use crate::federation::directory::Directory;
use crate::identity::crossref::{self, Crossref, Decided, Digest, Entry};
use crate::ids::{HomeCommunityId, Oid, PatientId};
use crate::limits;
use crate::transactions::Caller;
use crate::transactions::hl7v3::registration::HealthDataLocator;
use crate::transactions::identity::{DemographicsQuery, Match};
use crate::transactions::iti55::{Attribute, Discovery, DiscoveryResponse, Found, Outcome, Reason, Received};
use crate::transactions::iti56::Location;

/// A community that we answer for, and the domains whose identifiers are its patients'.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answering {
    /// Its homeCommunityId.
    pub home: HomeCommunityId,
    /// Assigning authorities, the first preferred: its identifier is the one for further transactions.
    pub authorities: Vec<Oid>,
}

/// What to do where several people fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Several {
    /// Ask for what would tell them apart (case 3).
    #[default]
    Ask,
    /// List them (case 2), at most [`limits::MAX_DISCOVERED`].
    List,
}

/// How questions are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoveryPolicy {
    /// The communities that we answer for, our own first.
    pub communities: Vec<Answering>,
    /// Several people fit.
    pub several: Several,
    /// The least degree at which somebody counts as found, where the question names none or a lower one. 100 tolerates no
    /// error.
    pub minimum_degree: u8,
    /// How long the asking side may keep an answer; None: not at all.
    pub time_to_live: Option<Duration>,
    /// Questions of one caller in a minute.
    pub per_minute: u32,
    /// Who may search by the four items in an emergency (4情報検索) without saying so in an assertion.
    pub emergency: Callers,
}

/// Patient discovery over the region's index, or over somebody outside who knows its patients. Cheap to clone.
#[derive(Clone)]
pub struct PatientDiscovery {
    people: People,
    domains: Arc<Domains>,
    policy: Arc<DiscoveryPolicy>,
    rates: Arc<Rates>,
    learning: Option<Learning>,
}

/// Where it is kept what others tell of their own patients.
#[derive(Clone)]
pub struct Learning {
    /// The cache.
    pub cache: Crossref,
    /// Who may tell it.
    pub directory: Arc<Directory>,
}

impl PatientDiscovery {
    /// Discovery among those people.
    pub fn new(
        people: impl Into<People>,
        domains: Arc<Domains>,
        policy: DiscoveryPolicy,
        learning: Option<Learning>,
    ) -> Self {
        let rates = Arc::new(Rates::new(policy.per_minute));
        Self { people: people.into(), domains, policy: Arc::new(policy), rates, learning }
    }

    /// The community that answers.
    pub fn home(&self) -> Option<&HomeCommunityId> {
        self.policy.communities.first().map(|community| &community.home)
    }

    /// ITI-55.
    pub async fn discover(&self, received: &Received, caller: &Caller) -> DiscoveryResponse {
        let cannot = |reason| DiscoveryResponse::from(Outcome::Cannot(reason));
        if !self.rates.admit(caller, 1, Instant::now()) {
            tracing::warn!(trace = &*caller.trace, "a caller asks for too many patients");
            return counted(cannot(Reason::ResponderBusy));
        }
        let question = match &received.question {
            Ok(question) => question,
            Err(problems) => {
                // The texts say which parameter and why, and never its value.
                let problems: Vec<_> = problems.iter().map(|problem| problem.text.as_str()).collect();
                tracing::info!(trace = &*caller.trace, ?problems, "a patient discovery cannot be read");
                return counted(cannot(Reason::AnswerNotAvailable));
            }
        };
        let response = match self.answer(question, caller).await {
            Ok(response) => response,
            Err(reason) => cannot(reason),
        };
        let missed = match &response.outcome {
            Outcome::Found(found) => found.is_empty(),
            // Which tells nothing of anybody.
            Outcome::Cannot(Reason::ResponderBusy) => false,
            _ => true,
        };
        if missed {
            // Misses are what guessing is made of.
            self.rates.admit(caller, limits::DISCOVERY_MISS_COST, Instant::now());
        }
        counted(response)
    }

    async fn answer(&self, question: &Discovery, caller: &Caller) -> Result<DiscoveryResponse, Reason> {
        if self.names_my_number(question) {
            tracing::info!(trace = &*caller.trace, "a patient discovery names an Individual Number");
            return Err(Reason::AnswerNotAvailable);
        }
        let Some(query) = self.query(question) else { return Ok(self.lasting(Outcome::Found(Vec::new()))) };
        let emergency = emergency::applies(&query, &self.policy.emergency, caller);
        if let Err(problem) = demand::check(&query, emergency) {
            tracing::info!(trace = &*caller.trace, problem, "a patient discovery asks too widely");
            return Err(Reason::AnswerNotAvailable);
        }
        let sure = query.minimum_degree.unwrap_or(0).max(self.policy.minimum_degree);
        let least = if emergency { limits::EMERGENCY_DEGREE.min(sure) } else { sure };
        let mut matches = self.people.find(&query, least, caller).await?;
        matches.retain(|found| self.policy.communities.iter().any(|community| community.knows(found)));
        if emergency {
            emergency::record(matches.len().min(limits::MAX_EMERGENCY_ANSWERS), caller);
        }
        match (matches.as_slice(), self.policy.several) {
            ([], _) => Ok(self.lasting(Outcome::Found(Vec::new()))),
            // A candidate who would not be found otherwise is nobody to keep anything of, on either side.
            ([only], _) if !emergency || only.degree >= sure => {
                self.learn(question, only, caller).await;
                Ok(self.lasting(Outcome::Found(self.found(&matches))))
            }
            (candidates, _) if emergency => {
                let listed = candidates.get(..limits::MAX_EMERGENCY_ANSWERS).unwrap_or(candidates);
                Ok(Outcome::Found(self.found(listed)).into())
            }
            (several, Several::List) if several.len() <= limits::MAX_DISCOVERED => {
                Ok(self.lasting(Outcome::Found(self.found(several))))
            }
            (several, _) => match self.helpful(&query, several) {
                helpful if helpful.is_empty() => Err(Reason::AnswerNotAvailable),
                helpful => Ok(Outcome::AskForMore(helpful).into()),
            },
        }
    }

    /// Whether a question names somebody by an Individual Number (My Number), which nobody here may keep or pass on.
    pub fn names_my_number(&self, question: &Discovery) -> bool {
        let mut identifiers = question.who.identifiers.iter();
        identifiers.any(|id| refused_in(self.domains.find(&id.authority), &id.id))
    }

    /// What would tell them apart.
    fn helpful(&self, query: &DemographicsQuery, several: &[Match]) -> Vec<Attribute> {
        let helpful = demand::discriminating(query, several).into_iter();
        helpful.filter(|attribute| self.people.compares(*attribute)).collect()
    }

    /// What is looked for: of the identifiers those of our domains. None if only foreign ones were given, so that nobody
    /// fits.
    fn query(&self, question: &Discovery) -> Option<DemographicsQuery> {
        let mut query = question.who.clone();
        let given = query.identifiers.len();
        let ours = |oid: &str| {
            let mut authorities = self.policy.communities.iter().flat_map(|community| &community.authorities);
            authorities.any(|authority| authority.as_str() == oid)
        };
        query
            .identifiers
            .retain(|id| self.domains.find(&id.authority).is_some() || ours(&id.authority.universal_id));
        query.wanted.clear();
        let described = !query.names.is_empty() || query.birth.is_some();
        (described || given == 0 || !query.identifiers.is_empty()).then_some(query)
    }

    /// An event for each person in each community that knows them.
    fn found(&self, matches: &[Match]) -> Vec<Found> {
        let of = |found: &Match| -> Vec<Found> {
            let communities = self.policy.communities.iter();
            communities.filter_map(|community| community.found(found, &self.policy.communities)).collect()
        };
        matches.iter().flat_map(of).collect()
    }

    fn lasting(&self, outcome: Outcome) -> DiscoveryResponse {
        DiscoveryResponse { outcome, time_to_live: self.policy.time_to_live }
    }

    /// The asking community told its own identifier of the person, and how long we may keep it. It is believed only if its
    /// certificate is one that the community's file names: whoever may put words into another's mouth could make us ask
    /// for a stranger's documents.
    async fn learn(&self, question: &Discovery, person: &Match, caller: &Caller) {
        let Some(Learning { cache, directory }) = &self.learning else { return };
        let (Some(own), Some(home), Some(lifetime)) =
            (question.own_identifier(), &question.home, question.time_to_live)
        else {
            return;
        };
        let communities = directory.communities();
        let Some(community) =
            communities.find(home).filter(|community| community.peer.member.is_certified(caller))
        else {
            return;
        };
        let obtained = crossref::now();
        let entry = Entry {
            remote: vec![own],
            digest: Digest::NONE,
            score: person.degree,
            decided: Decided::Initiator,
            obtained,
            expires: obtained + lifetime.min(limits::MAX_CORRELATION_LIFE).as_secs(),
        };
        let own = self.own(&person.identifiers);
        for local in own.take(limits::MAX_IDENTITIES_PER_COMMUNITY) {
            let home = community.peer.member.home().clone();
            cache.keep(cache.ticket(local), home, entry.clone()).await;
        }
    }

    /// ITI-56: our own communities that know the patient, and those of whom we know it by discovery.
    pub async fn locate(&self, patient: &PatientId, caller: &Caller) -> Vec<Location> {
        if !self.rates.admit(caller, 1, Instant::now()) {
            return Vec::new();
        }
        let mut identifiers = match self.people.corresponding(patient, caller).await {
            Ok(Some(identifiers)) => identifiers,
            Ok(None) => {
                self.rates.admit(caller, limits::DISCOVERY_MISS_COST, Instant::now());
                return Vec::new();
            }
            Err(_) => return Vec::new(),
        };
        identifiers.insert(0, patient.clone());
        let ours = self.policy.communities.iter().filter_map(|community| {
            let patient = community.patient(&identifiers)?.clone();
            Some(Location { home: community.home.clone(), patient })
        });
        let mut locations: Vec<_> = ours.collect();
        // Who has no identifier in a community of ours is none of a caller's business here.
        if !locations.is_empty() {
            locations.extend(self.elsewhere(&identifiers));
        }
        locations
    }

    /// The identifiers that are one person's alone: a family may share an insured person's number.
    fn own<'a>(&'a self, identifiers: &'a [PatientId]) -> impl Iterator<Item = &'a PatientId> {
        identifiers.iter().filter(|id| !self.domains.is_insured(id))
    }

    fn elsewhere(&self, identifiers: &[PatientId]) -> Vec<Location> {
        let Some(Learning { cache, directory }) = &self.learning else { return Vec::new() };
        let mut locations: Vec<Location> = Vec::new();
        for community in directory.communities().all().iter().filter(|community| community.enabled) {
            let home = community.peer.member.home();
            for local in self.own(identifiers) {
                let crossref::Lookup::Hit(entry) = cache.get(local, home) else { continue };
                for patient in entry.remote {
                    let location = Location { home: home.clone(), patient };
                    if !locations.contains(&location) {
                        locations.push(location);
                    }
                }
            }
        }
        locations
    }
}

impl Answering {
    /// The identifier for further transactions.
    fn patient<'a>(&self, identifiers: &'a [PatientId]) -> Option<&'a PatientId> {
        self.authorities
            .iter()
            .find_map(|authority| identifiers.iter().find(|id| id.authority() == authority))
    }

    fn knows(&self, found: &Match) -> bool {
        self.patient(&found.identifiers).is_some()
    }

    /// The person as this community knows them. Identifiers of what is no community of ours stay here.
    fn found(&self, found: &Match, all: &[Self]) -> Option<Found> {
        let patient = self.patient(&found.identifiers)?.clone();
        let public = |id: &&PatientId| {
            **id != patient && all.iter().any(|community| community.authorities.contains(id.authority()))
        };
        Some(Found {
            home: Some(self.home.clone()),
            others: found.identifiers.iter().filter(public).cloned().collect(),
            patient,
            person: found.person.clone(),
            degree: found.degree,
            locator: HealthDataLocator::Supported,
        })
    }
}

fn counted(response: DiscoveryResponse) -> DiscoveryResponse {
    let case = match &response.outcome {
        Outcome::Found(found) => match found.len() {
            0 => "nobody",
            1 => "found",
            _ => "several",
        },
        Outcome::AskForMore(_) => "ambiguous",
        Outcome::Cannot(Reason::ResponderBusy) => "busy",
        Outcome::Cannot(Reason::AnswerNotAvailable) => "refused",
        Outcome::Cannot(Reason::InternalError) => "failed",
    };
    metrics::counter!("sekisho_discoveries_answered_total", "case" => case).increment(1);
    response
}
