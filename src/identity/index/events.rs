//! What happened to identifiers, in the same transaction as that it happened: notifications and caches follow from here,
//! and lose nothing if they stop in between.

use std::collections::VecDeque;
use std::sync::Arc;

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

/// The latest events, all of them on disk: whoever follows closely needs no database.
#[derive(Default)]
pub(super) struct Latest(VecDeque<Arc<Event>>);

impl Latest {
    /// Takes up what was told next. Where some are missing in between, those before go.
    pub(super) fn extend(&mut self, events: Vec<Event>) {
        for event in events {
            if self.0.back().is_some_and(|last| last.number + 1 != event.number) {
                self.0.clear();
            }
            self.0.push_back(Arc::new(event));
            if self.0.len() > limits::MAX_EVENTS_AT_HAND {
                self.0.pop_front();
            }
        }
    }
    /// Knows none any more: what became of the last ones is not certain.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
    /// Events behind a number; None: ask the database.
    pub(super) fn behind(&self, after: u64, most: usize) -> Option<Vec<Arc<Event>>> {
        let first = after.checked_add(1)?.checked_sub(self.0.front()?.number)? as usize;
        (first <= self.0.len()).then(|| self.0.iter().skip(first).take(most).cloned().collect())
    }
}

fn damaged() -> StoreError {
    StoreError::Damaged("an event of the index cannot be read".into())
}

impl Tables<'_> {
    /// Tells what happened, and forgets what happened long ago.
    pub(super) fn tell(self, kind: EventKind) -> Result<(), StoreError> {
        let number = self.next(Numbered::Event)?;
        let body = serde_json::to_string(&Body::of(&kind)).map_err(|_| damaged())?;
        let insert = "INSERT INTO identity_event (event, body) VALUES (?1, ?2)";
        self.connection.prepare_cached(insert)?.execute(params![number, body])?;
        let told = self.local(number);
        if told > limits::MAX_KEPT_EVENTS && told.is_multiple_of(limits::EVENTS_FORGOTTEN_AT_ONCE) {
            let delete = "DELETE FROM identity_event WHERE event > ?1 AND event <= ?2";
            let last = self.global(told - limits::MAX_KEPT_EVENTS);
            self.connection.prepare_cached(delete)?.execute([self.range().0, last])?;
        }
        self.ledger.tell(Event { number: told, kind });
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

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64) -> Event {
        Event {
            number,
            kind: EventKind::Changed(PatientId::new(&number.to_string(), Oid::parse("1.2").unwrap())),
        }
    }

    #[test]
    fn the_latest_are_told_where_none_is_missing() {
        let mut latest = Latest::default();
        let behind = |latest: &Latest, after| {
            let events = latest.behind(after, 3)?;
            Some(events.into_iter().map(|event| event.number).collect::<Vec<_>>())
        };
        assert_eq!(behind(&latest, 0), None);
        latest.extend((5..10).map(event).collect());
        assert_eq!(behind(&latest, 3), None);
        assert_eq!(behind(&latest, 4), Some(vec![5, 6, 7]));
        assert_eq!(behind(&latest, 8), Some(vec![9]));
        assert_eq!(behind(&latest, 9), Some(vec![]));
        // Beyond the last one: of another index.
        assert_eq!((behind(&latest, 10), behind(&latest, u64::MAX)), (None, None));
        latest.extend(vec![event(11)]);
        assert_eq!((behind(&latest, 9), behind(&latest, 10)), (None, Some(vec![11])));
        latest.forget();
        assert_eq!(behind(&latest, 11), None);
        let most = limits::MAX_EVENTS_AT_HAND as u64;
        latest.extend((1..=most + 1).map(event).collect());
        assert_eq!((behind(&latest, 0), behind(&latest, 1)), (None, Some(vec![2, 3, 4])));
    }
}
