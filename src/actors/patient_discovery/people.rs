//! Where the communities' patients are looked up: the region's own index, or, for a region that has an MPI of its own, a
//! Patient Demographics Supplier outside.

use std::sync::Arc;
use std::time::Instant;

use crate::demographics::Sex;
use crate::federation::Unavailable;
use crate::federation::managers::{Manager, Supplier};
use crate::identity::index::{Index, IndexError};
use crate::ids::PatientId;
use crate::limits;
use crate::transactions::Caller;
use crate::transactions::identity::{DemographicsQuery, Match};
use crate::transactions::iti55::{Attribute, Reason};

/// Who knows the people. Cheap to clone.
#[derive(Clone)]
pub enum People {
    /// The region's index.
    Index(Index),
    /// Somebody outside.
    Outside {
        /// Finds people.
        supplier: Arc<dyn Supplier>,
        /// Tell which identifiers are one person's, asked in this order.
        managers: Vec<Arc<dyn Manager>>,
    },
}

impl From<Index> for People {
    fn from(index: Index) -> Self {
        Self::Index(index)
    }
}

impl People {
    /// All who fit, with at least that degree. The region has more people than our communities know: a part of them would not
    /// tell whether somebody is the only one.
    pub(super) async fn find(
        &self,
        query: &DemographicsQuery,
        least: u8,
        caller: &Caller,
    ) -> Result<Vec<Match>, Reason> {
        match self {
            Self::Index(index) => find_in(index, query, least, caller).await,
            Self::Outside { supplier, .. } => {
                let asked = DemographicsQuery {
                    minimum_degree: query.minimum_degree.map(|degree| degree.max(least)),
                    ..query.clone()
                };
                let deadline = Instant::now() + limits::FAN_OUT_DEADLINE;
                let found = supplier.find(&asked, caller, deadline).await;
                let found = found.map_err(|why| away(why, caller))?;
                if found.remaining > 0 || found.matches.len() > limits::MAX_DEMOGRAPHICS_MATCHES {
                    return Err(Reason::AnswerNotAvailable);
                }
                let fits = |found: &Match| found.degree >= least && !contradicts(query, found);
                Ok(found.matches.into_iter().filter(fits).collect())
            }
        }
    }

    /// The patient's other identifiers; None if nobody knows the patient.
    pub(super) async fn corresponding(
        &self,
        patient: &PatientId,
        caller: &Caller,
    ) -> Result<Option<Vec<PatientId>>, Reason> {
        match self {
            Self::Index(index) => match index.corresponding(patient).await {
                Ok((identifiers, _)) => Ok(Some(identifiers)),
                Err(error @ IndexError::Store(_)) => Err(trouble(&error, caller)),
                Err(_) => Ok(None),
            },
            Self::Outside { managers, .. } => {
                let deadline = Instant::now() + limits::FAN_OUT_DEADLINE;
                for manager in managers {
                    let person = manager.person(patient, caller, deadline).await;
                    if let Some(person) = person.map_err(|why| away(why, caller))? {
                        return Ok(Some(person.identifiers));
                    }
                }
                Ok(None)
            }
        }
    }

    /// Whether asking with an attribute would help: suppliers need not know all of them (ITI TF-2: 3.47.4.1.2.3).
    pub(super) fn compares(&self, attribute: Attribute) -> bool {
        match self {
            Self::Index(_) => true,
            Self::Outside { .. } => matches!(attribute, Attribute::Gender | Attribute::Address),
        }
    }
}

/// Exactly first; with errors tolerated where nobody fits so.
async fn find_in(
    index: &Index,
    query: &DemographicsQuery,
    least: u8,
    caller: &Caller,
) -> Result<Vec<Match>, Reason> {
    for degree in [None, Some(least).filter(|degree| *degree < 100)] {
        let asked = DemographicsQuery { minimum_degree: degree, ..query.clone() };
        let found = index.find(asked, limits::MAX_DEMOGRAPHICS_MATCHES).await;
        let (matches, total) = found.map_err(|error| trouble(&error, caller))?;
        if total > matches.len() {
            // Whether one of ours is the only one cannot be said.
            return Err(Reason::AnswerNotAvailable);
        }
        if !matches.is_empty() || degree.is_some() || least >= 100 {
            return Ok(matches);
        }
    }
    Ok(Vec::new())
}

/// A supplier may be more tolerant than we are: sex or birth are known, and others than was asked for.
fn contradicts(query: &DemographicsQuery, found: &Match) -> bool {
    let known = |sex: Option<Sex>| sex.filter(|sex| matches!(sex, Sex::Male | Sex::Female));
    let sexes = known(query.sex).zip(known(found.person.sex));
    let births = query.birth.as_ref().zip(found.person.birth.as_ref());
    sexes.is_some_and(|(asked, found)| asked != found)
        || births.is_some_and(|(asked, found)| !asked.admits(found))
}

fn trouble(error: &IndexError, caller: &Caller) -> Reason {
    if matches!(error, IndexError::TooWide) {
        tracing::info!(trace = &*caller.trace, %error, "a patient discovery asks too widely");
        return Reason::AnswerNotAvailable;
    }
    tracing::error!(trace = &*caller.trace, %error, "the patient index failed");
    match error {
        IndexError::Store(error) if error.trouble() == crate::store::Trouble::Busy => Reason::ResponderBusy,
        _ => Reason::InternalError,
    }
}

/// Whoever is away or drowning may be asked again.
fn away(why: Unavailable, caller: &Caller) -> Reason {
    tracing::error!(
        trace = &*caller.trace,
        reason = why.reason(),
        "who knows the region's patients does not answer"
    );
    match why {
        Unavailable::Busy | Unavailable::Suspended => Reason::ResponderBusy,
        why if why.is_outage() => Reason::ResponderBusy,
        _ => Reason::InternalError,
    }
}
