//! Who a community is, and what was noticed about it. A community that breaks rules is served as far as that is safe, and
//! counted here by what it did: `doctor` and the status page show it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::federation::Unavailable;
use crate::federation::quirks::Quirks;
use crate::ids::{HomeCommunityId, Oid, PatientId};
use crate::metadata::validate::Settings;
use crate::time::now_dtm;
use crate::transactions::Caller;

/// A rule that a community broke in an answer that could be used all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Oddity {
    /// An object without `home` (ITI TF-2: 3.38.4.1.3).
    MissingHome,
    /// An object or document with the `home` of another community.
    ForeignHome,
    /// A RegistryError without `location` (ITI TF-2: 3.38.4.1.3).
    MissingLocation,
    /// A DocumentEntry that lacks a required attribute (ITI TF-3: Table 4.3.1.1-3).
    InvalidMetadata,
    /// The same object twice in one answer.
    DuplicateObject,
    /// The same document twice in one answer.
    DuplicateDocument,
    /// A document that nobody asked for.
    UnaskedDocument,
    /// A document that was asked for, and neither it nor an error for it came (ITI TF-2: 3.43.5).
    SilentGap,
    /// PartialSuccess or Failure without a RegistryError.
    UnexplainedStatus,
    /// A document's bytes have another hash or size than its metadata.
    WrongBytes,
    /// A document broke off after it had begun to stream through.
    BrokenDocument,
    /// A patient of another community in an answer to a patient discovery (attack 58).
    ForeignPatient,
    /// An Individual Number (My Number) in an answer to a patient discovery, which no network may use.
    MyNumber,
}

impl Oddity {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::MissingHome,
        Self::ForeignHome,
        Self::MissingLocation,
        Self::InvalidMetadata,
        Self::DuplicateObject,
        Self::DuplicateDocument,
        Self::UnaskedDocument,
        Self::SilentGap,
        Self::UnexplainedStatus,
        Self::WrongBytes,
        Self::BrokenDocument,
        Self::ForeignPatient,
        Self::MyNumber,
    ];

    /// A stable name for metrics and status pages.
    pub fn label(self) -> &'static str {
        match self {
            Self::MissingHome => "missing-home",
            Self::ForeignHome => "foreign-home",
            Self::MissingLocation => "missing-location",
            Self::InvalidMetadata => "invalid-metadata",
            Self::DuplicateObject => "duplicate-object",
            Self::DuplicateDocument => "duplicate-document",
            Self::UnaskedDocument => "unasked-document",
            Self::SilentGap => "silent-gap",
            Self::UnexplainedStatus => "unexplained-status",
            Self::WrongBytes => "wrong-bytes",
            Self::BrokenDocument => "broken-document",
            Self::ForeignPatient => "foreign-patient",
            Self::MyNumber => "my-number",
        }
    }
}

/// Counts of what a community did since the program started, or since it came into the directory.
#[derive(Debug, Default)]
pub struct Observed {
    answers: AtomicU64,
    oddities: [AtomicU64; Oddity::ALL.len()],
    failures: [AtomicU64; Unavailable::ALL.len()],
    last_failure: Mutex<Option<(Unavailable, String)>>,
    last_answer: Mutex<Option<Instant>>,
}

/// A copy of [`Observed`] for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct ObservedCounts {
    /// Answers that could be used.
    pub answers: u64,
    /// Failures by reason; reasons that never occurred are left out.
    pub failures: Vec<(&'static str, u64)>,
    /// Broken rules by kind; kinds that never occurred are left out.
    pub oddities: Vec<(&'static str, u64)>,
    /// Reason and time (DTM) of the last failure.
    pub last_failure: Option<(&'static str, String)>,
    /// Seconds since the last answer that could be used.
    pub last_answer_seconds_ago: Option<u64>,
}

/// Which side of the gateway a community is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Our own: its registry knows nothing of `home`, which is added.
    Own,
    /// Another one: its gateway must put `home` on everything.
    Peer,
}

/// A community, as consolidation and errors need to know it.
#[derive(Debug)]
pub struct Member {
    /// Which side it is on.
    pub role: Role,
    /// For people.
    pub name: String,
    /// Its homeCommunityIds; the first is the one that we name. Never empty.
    homes: Vec<HomeCommunityId>,
    /// The first of them as URN: what nearly every object of its answers has.
    urn: String,
    /// Assigning authorities whose patients it knows by the same identifiers as we do.
    pub authorities: Vec<Oid>,
    /// Subjects of its client certificates: what it tells of its own patients is believed only from these.
    pub certificates: Vec<String>,
    /// How it differs from the rules, with the operator's consent.
    pub quirks: Quirks,
    /// The metadata rules that its answers are held to; None for none.
    pub rules: Option<Settings>,
    /// What was noticed about it.
    pub observed: Observed,
}

impl Member {
    /// A community with one homeCommunityId and, perhaps, more.
    pub fn new(
        role: Role,
        name: impl Into<String>,
        home: HomeCommunityId,
        more: Vec<HomeCommunityId>,
    ) -> Self {
        let urn = home.to_urn();
        let mut homes = vec![home];
        homes.extend(more);
        Self {
            urn,
            role,
            name: name.into(),
            homes,
            authorities: Vec::new(),
            certificates: Vec::new(),
            quirks: Quirks::default(),
            rules: None,
            observed: Observed::default(),
        }
    }

    /// The homeCommunityId that we name it by.
    pub fn home(&self) -> &HomeCommunityId {
        &self.homes[0]
    }

    /// All of its homeCommunityIds.
    pub fn homes(&self) -> &[HomeCommunityId] {
        &self.homes
    }

    /// Whether that is one of its homeCommunityIds, in whichever form.
    pub fn is(&self, home: &HomeCommunityId) -> bool {
        self.homes.contains(home)
    }

    /// The same of a text; one that is no homeCommunityId is nobody's.
    pub fn is_named(&self, home: &str) -> bool {
        home == self.urn || HomeCommunityId::parse(home).is_ok_and(|home| self.is(&home))
    }

    /// Whether it knows the patient by this very identifier.
    pub fn shares(&self, patient: &PatientId) -> bool {
        self.authorities.contains(patient.authority())
    }

    /// Whether a caller has shown one of its certificates.
    pub fn is_certified(&self, caller: &Caller) -> bool {
        let shown = caller.certificate.as_deref();
        shown.is_some_and(|subject| self.certificates.iter().any(|known| known == subject))
    }

    /// Name and homeCommunityId, as codeContext has them.
    pub fn title(&self) -> String {
        format!("community {} ({})", self.name, self.home())
    }

    /// Notes a broken rule.
    pub fn noticed(&self, oddity: Oddity, times: u64) {
        if times == 0 {
            return;
        }
        self.observed.oddities[oddity as usize].fetch_add(times, Ordering::Relaxed);
        metrics::counter!("sekisho_peer_oddities_total", "community" => self.home().to_urn(), "kind" => oddity.label())
            .increment(times);
        tracing::warn!(community = %self.home(), kind = oddity.label(), times, "a community broke a rule");
    }

    /// Notes a usable answer.
    pub fn answered(&self) {
        self.observed.answers.fetch_add(1, Ordering::Relaxed);
        *self.observed.last_answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Notes that it could not be had.
    pub fn failed(&self, why: Unavailable) {
        self.observed.failures[why as usize].fetch_add(1, Ordering::Relaxed);
        *self.observed.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some((why, now_dtm()));
        metrics::counter!("sekisho_peer_failures_total", "community" => self.home().to_urn(), "reason" => why.label())
            .increment(1);
    }
}

impl Observed {
    /// The counts at this moment.
    pub fn counts(&self) -> ObservedCounts {
        fn nonzero<K: Copy>(
            kinds: &[K],
            counts: &[AtomicU64],
            label: fn(K) -> &'static str,
        ) -> Vec<(&'static str, u64)> {
            let counted = kinds.iter().zip(counts).map(|(kind, n)| (label(*kind), n.load(Ordering::Relaxed)));
            counted.filter(|(_, n)| *n > 0).collect()
        }
        ObservedCounts {
            answers: self.answers.load(Ordering::Relaxed),
            failures: nonzero(&Unavailable::ALL, &self.failures, Unavailable::label),
            oddities: nonzero(&Oddity::ALL, &self.oddities, Oddity::label),
            last_failure: self
                .last_failure
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .as_ref()
                .map(|(why, when)| (why.label(), when.clone())),
            last_answer_seconds_ago: self
                .last_answer
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .map(|when| when.elapsed().as_secs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_community_is_known_by_each_of_its_homes_and_counts_what_it_does() {
        let home = |text| HomeCommunityId::parse(text).unwrap();
        let member = Member::new(Role::Peer, "東部", home("urn:oid:1.2.3"), vec![home("urn:oid:1.2.4")]);
        assert!(member.is_named("1.2.4") && member.is_named("urn:oid:1.2.3") && !member.is_named("1.2.5"));
        assert_eq!(member.title(), "community 東部 (urn:oid:1.2.3)");
        member.noticed(Oddity::MissingHome, 2);
        member.noticed(Oddity::SilentGap, 0);
        member.failed(Unavailable::TimedOut);
        assert_eq!(member.observed.counts().last_answer_seconds_ago, None);
        member.answered();
        let counts = member.observed.counts();
        assert!(counts.last_answer_seconds_ago.is_some());
        assert_eq!(counts.oddities, [("missing-home", 2)]);
        assert_eq!(counts.failures, [("timed-out", 1)]);
        assert_eq!(counts.last_failure.unwrap().0, "timed-out");
    }

    #[test]
    fn every_kind_has_its_own_place_and_label() {
        for (index, oddity) in Oddity::ALL.iter().enumerate() {
            assert_eq!(*oddity as usize, index);
        }
        for (index, why) in Unavailable::ALL.iter().enumerate() {
            assert_eq!(*why as usize, index);
        }
    }
}
