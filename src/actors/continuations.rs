//! What is left of demographics queries behind their first pages (ITI TF-2: 3.21.4.1.2.5, 3.47.4.2): order and set are the
//! first answer's, whatever happens in the index meanwhile. Each is one caller's, and is kept for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::ids::Oid;
use crate::limits;
use crate::transactions::Caller;
use crate::transactions::identity::{Match, Page};

/// The open continuations. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Continuations(Arc<Mutex<HashMap<String, Session>>>);

/// A caller, as far as their pages are concerned.
#[derive(Clone, PartialEq, Eq)]
struct Owner {
    /// The certificate's subject, or else the address: who cannot be feigned.
    peer: String,
    /// Which of the peer's systems.
    system: String,
}

/// One answer.
struct Session {
    owner: Owner,
    name: String,
    matches: Arc<[Match]>,
    wanted: Arc<[Oid]>,
    total: usize,
    /// Where a caller who does not say it goes on, and how many then.
    next: usize,
    page: usize,
    used: Instant,
}

/// A whole answer, to be given page by page.
pub(super) struct Found {
    /// Everything that can be given.
    pub matches: Vec<Match>,
    /// How many the index counted.
    pub total: usize,
    /// The domains wanted.
    pub wanted: Vec<Oid>,
}

impl Continuations {
    /// The first page; what is left is kept.
    pub(super) fn begin(
        &self,
        found: Found,
        page: Option<usize>,
        name: &str,
        caller: &Caller,
        now: Instant,
    ) -> Page {
        let page = page.filter(|page| *page > 0).unwrap_or(usize::MAX);
        let mut session = Session {
            owner: Owner::of(caller),
            name: name.to_owned(),
            matches: found.matches.into(),
            wanted: found.wanted.into(),
            total: found.total,
            next: 0,
            page,
            used: now,
        };
        let id = uuid::Uuid::new_v4().simple().to_string();
        let first = session.take(0, page, &id);
        if first.remaining > 0 {
            self.keep(id, session);
        }
        first
    }

    /// A further page: behind a pointer of ours, or of the answer with this name, from `start` (counted from 1) or where the
    /// last page ended. None if nothing is kept for this caller. The same pointer gives the same page again: an answer may
    /// be lost on its way.
    pub(super) fn more(
        &self,
        pointer: &str,
        start: Option<usize>,
        page: Option<usize>,
        caller: &Caller,
        now: Instant,
    ) -> Option<Page> {
        let owner = Owner::of(caller);
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| !session.is_over(now));
        let (id, from) = match pointer.split_once('-').filter(|(id, _)| sessions.contains_key(*id)) {
            Some((id, from)) => (id.to_owned(), from.parse().ok()),
            None => {
                let (id, _) = sessions.iter().find(|(_, s)| s.owner == owner && s.name == pointer)?;
                (id.clone(), None)
            }
        };
        let session = sessions.get_mut(&id).filter(|session| session.owner == owner)?;
        session.used = now;
        let from = start.map(|start| start.saturating_sub(1)).or(from).unwrap_or(session.next);
        session.page = page.filter(|page| *page > 0).unwrap_or(session.page);
        Some(session.take(from, session.page, &id))
    }

    /// Forgets an answer, by a pointer or its name.
    pub(super) fn cancel(&self, name: &str, caller: &Caller) {
        let owner = Owner::of(caller);
        let id = name.split_once('-').map_or(name, |(id, _)| id);
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|key, session| session.owner != owner || (session.name != name && key != id));
    }

    /// Keeps an answer; one of the same name by the same caller makes way, and so do those used longest ago where a bound is
    /// reached.
    fn keep(&self, id: String, session: Session) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, old| {
            !old.is_over(session.used) && (old.owner != session.owner || old.name != session.name)
        });
        while let Some(id) = crowded_out(&sessions, &session) {
            sessions.remove(&id);
        }
        sessions.insert(id, session);
    }
}

/// Which answer a new one pushes out, where a bound is reached.
fn crowded_out(sessions: &HashMap<String, Session>, new: &Session) -> Option<String> {
    let its = || sessions.iter().filter(|(_, old)| old.owner.peer == new.owner.peer);
    if its().count() >= limits::MAX_CONTINUATIONS_PER_CALLER {
        return longest_unused(its());
    }
    let matches: usize = sessions.values().map(|old| old.matches.len()).sum();
    let full =
        sessions.len() >= limits::MAX_CONTINUATIONS || matches + new.matches.len() > limits::MAX_KEPT_MATCHES;
    full.then(|| longest_unused(sessions.iter())).flatten()
}

fn longest_unused<'a>(sessions: impl Iterator<Item = (&'a String, &'a Session)>) -> Option<String> {
    sessions.min_by_key(|(_, session)| session.used).map(|(id, _)| id.clone())
}

impl Owner {
    fn of(caller: &Caller) -> Self {
        let address = || caller.address.map(|address| address.ip().to_string()).unwrap_or_default();
        Self {
            peer: caller.certificate.as_deref().map_or_else(address, str::to_owned),
            system: caller.system.as_deref().unwrap_or_default().to_owned(),
        }
    }
}

impl Session {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.used) > limits::CONTINUATION_LIFETIME
    }

    fn take(&mut self, from: usize, most: usize, id: &str) -> Page {
        let rest = self.matches.get(from..).unwrap_or_default();
        let matches = rest.get(..most).unwrap_or(rest).to_vec();
        let remaining = rest.len() - matches.len();
        self.next = from.saturating_add(matches.len());
        Page {
            total: self.total,
            remaining,
            pointer: (remaining > 0).then(|| format!("{id}-{}", self.next)),
            wanted: self.wanted.to_vec(),
            matches,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::demographics::Demographics;
    use crate::ids::PatientId;

    fn found(count: usize) -> Found {
        let one = |number: usize| Match {
            identifiers: vec![PatientId::new(&number.to_string(), Oid::parse("1.2").unwrap())],
            person: Box::new(Demographics::default()),
            degree: 100,
            visit: None,
        };
        Found { matches: (0..count).map(one).collect(), total: count, wanted: Vec::new() }
    }
    fn caller(certificate: &str, system: &str) -> Caller {
        Caller { certificate: Some(certificate.into()), system: Some(system.into()), ..Caller::default() }
    }
    fn ids(page: &Page) -> Vec<&str> {
        page.matches.iter().map(|found| found.identifiers[0].id()).collect()
    }

    #[test]
    fn pages_follow_each_other_and_can_be_asked_for_again() {
        let (all, me, now) = (Continuations::default(), caller("CN=a", "A"), Instant::now());
        let first = all.begin(found(5), Some(2), "q", &me, now);
        assert_eq!((ids(&first), first.total, first.remaining), (vec!["0", "1"], 5, 3));
        let pointer = first.pointer.unwrap();
        for _ in 0..2 {
            let second = all.more(&pointer, None, None, &me, now).unwrap();
            assert_eq!((ids(&second), second.remaining), (vec!["2", "3"], 1));
        }
        let by_name = all.more("q", None, None, &me, now).unwrap();
        assert_eq!((ids(&by_name), by_name.remaining, &by_name.pointer), (vec!["4"], 0, &None));
        let from_start = all.more("q", Some(1), Some(4), &me, now).unwrap();
        assert_eq!((ids(&from_start).len(), from_start.remaining), (4, 1));
        assert!(all.begin(found(5), None, "r", &me, now).pointer.is_none());
    }

    #[test]
    fn a_continuation_is_one_callers_and_ends() {
        let (all, me, now) = (Continuations::default(), caller("CN=a", "A"), Instant::now());
        let pointer = all.begin(found(3), Some(1), "q", &me, now).pointer.unwrap();
        for other in [caller("CN=b", "A"), caller("CN=a", "B"), Caller::default()] {
            assert!(all.more(&pointer, None, None, &other, now).is_none());
            all.cancel(&pointer, &other);
        }
        let late = now + limits::CONTINUATION_LIFETIME;
        assert!(all.more(&pointer, None, None, &me, late).is_some());
        assert!(all.more(&pointer, None, None, &me, late + limits::CONTINUATION_LIFETIME * 2).is_none());
        for name in ["q", "pointer"] {
            let pointer = all.begin(found(3), Some(1), "q", &me, now).pointer.unwrap();
            all.cancel(if name == "q" { name } else { &pointer }, &me);
            assert!(all.more(&pointer, None, None, &me, now).is_none());
        }
    }

    #[test]
    fn a_caller_pushes_out_only_their_own() {
        let (all, other, now) = (Continuations::default(), caller("CN=b", "B"), Instant::now());
        let theirs = all.begin(found(2), Some(1), "q", &other, now).pointer.unwrap();
        let at = |number: usize| now + Duration::from_millis(number as u64 + 1);
        let mine: Vec<_> = (0..=limits::MAX_CONTINUATIONS_PER_CALLER)
            .map(|n| all.begin(found(2), Some(1), &n.to_string(), &caller("CN=a", &n.to_string()), at(n)))
            .map(|page| page.pointer.unwrap())
            .collect();
        assert_eq!(all.0.lock().unwrap().len(), limits::MAX_CONTINUATIONS_PER_CALLER + 1);
        assert!(all.more(&theirs, None, None, &other, now).is_some());
        assert!(all.more(&mine[0], None, None, &caller("CN=a", "0"), now).is_none());
        assert!(all.more(&mine[1], None, None, &caller("CN=a", "1"), now).is_some());
    }
}
