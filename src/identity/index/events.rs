//! What happened to identifiers, in the same transaction as that it happened: notifications and caches follow from here,
//! and lose nothing if they stop in between.

use serde::{Deserialize, Serialize};

use super::schema::{Numbered, Tables};
use crate::ids::{Oid, PatientId};
use crate::limits;
use crate::store::StoreError;
use crate::store::sql::params;

/// Something that happened to identifiers: who keeps things that follow from them reads on from where they stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Ascending, without gaps: a first number that is not the next one tells that older events are no longer kept.
    pub number: u64,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// These are now one person's identifiers; `changed` names the domains in which that is news (ITI-10).
    Linked {
        /// All identifiers of the person.
        identifiers: Vec<PatientId>,
        /// OIDs of domains where an identifier came or went.
        changed: Vec<String>,
    },
    /// A source merged two identifiers (A40).
    Merged {
        /// Stays.
        surviving: PatientId,
        /// Ended.
        subsumed: PatientId,
    },
    /// Demographics of this record changed.
    Changed(PatientId),
}

/// An identifier as it is stored: OID and id.
#[derive(Serialize, Deserialize)]
struct Stored(String, String);

impl Stored {
    fn of(patient: &PatientId) -> Self {
        Self(patient.authority().as_str().to_owned(), patient.id().to_owned())
    }
    fn read(self) -> Result<PatientId, StoreError> {
        let oid = Oid::parse(&self.0).map_err(|_| damaged())?;
        Ok(PatientId::new(&self.1, oid))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Body {
    Linked { identifiers: Vec<Stored>, changed: Vec<String> },
    Merged { surviving: Stored, subsumed: Stored },
    Changed(Stored),
}

impl Body {
    fn of(kind: &EventKind) -> Self {
        match kind {
            EventKind::Linked { identifiers, changed } => Self::Linked {
                identifiers: identifiers.iter().map(Stored::of).collect(),
                changed: changed.clone(),
            },
            EventKind::Merged { surviving, subsumed } => {
                Self::Merged { surviving: Stored::of(surviving), subsumed: Stored::of(subsumed) }
            }
            EventKind::Changed(patient) => Self::Changed(Stored::of(patient)),
        }
    }
    fn read(self) -> Result<EventKind, StoreError> {
        Ok(match self {
            Self::Linked { identifiers, changed } => EventKind::Linked {
                identifiers: identifiers.into_iter().map(Stored::read).collect::<Result<_, _>>()?,
                changed,
            },
            Self::Merged { surviving, subsumed } => {
                EventKind::Merged { surviving: surviving.read()?, subsumed: subsumed.read()? }
            }
            Self::Changed(patient) => EventKind::Changed(patient.read()?),
        })
    }
}

fn damaged() -> StoreError {
    StoreError::Damaged("an event of the index cannot be read".into())
}

impl Tables<'_> {
    /// Tells what happened, and forgets what happened long ago.
    pub(super) fn tell(self, kind: &EventKind) -> Result<(), StoreError> {
        let number = self.next(Numbered::Event)?;
        let body = serde_json::to_string(&Body::of(kind)).map_err(|_| damaged())?;
        let insert = "INSERT INTO identity_event (event, body) VALUES (?1, ?2)";
        self.connection.prepare_cached(insert)?.execute(params![number, body])?;
        if self.local(number) > limits::MAX_KEPT_EVENTS {
            let delete = "DELETE FROM identity_event WHERE event = ?1";
            self.connection.prepare_cached(delete)?.execute([number - limits::MAX_KEPT_EVENTS as i64])?;
        }
        Ok(())
    }
    /// Events behind a number, oldest first.
    pub(super) fn events(self, after: u64, most: usize) -> Result<Vec<Event>, StoreError> {
        let find =
            "SELECT event, body FROM identity_event WHERE event > ?1 AND event <= ?2 ORDER BY event LIMIT ?3";
        let mut find = self.connection.prepare_cached(find)?;
        let rows = find.query_map(params![self.global(after), self.range().1, most as i64], |row| {
            Ok((row.get::<i64>(0)?, row.get::<String>(1)?))
        })?;
        rows.map(|row| {
            let (number, body) = row?;
            let body: Body = serde_json::from_str(&body).map_err(|_| damaged())?;
            Ok(Event { number: self.local(number), kind: body.read()? })
        })
        .collect()
    }
}
