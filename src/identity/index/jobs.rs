//! Jobs on the index's tables: readers', the writer's, and what follows once a writing job is on disk. And what is derived of
//! records in bulk: keys and records in memory, and runs of keys.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use super::events::Event;
use super::keys::{Keys, Marks};
use super::memory::Became;
use super::schema::{Ledger, Matcher, Tables};
use super::{Shared, records, search_keys};
use crate::identity::matching::Prepared;
use crate::store::{Connection, StoreError, Write};

/// How far a writing job came that ran well.
struct Reached {
    /// The last event's number.
    told: u64,
    marks: Marks,
    /// What it told.
    events: Vec<Event>,
}

impl Shared {
    /// Runs something on the tables, with the matcher as it is now.
    fn within<T>(
        &self,
        connection: &Connection,
        ledger: &Ledger,
        job: impl FnOnce(Tables<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let matcher = Arc::clone(&self.matcher.read().unwrap_or_else(PoisonError::into_inner));
        job(Tables {
            connection,
            tenant: self.tenant,
            matcher: &matcher,
            domains: &self.known_domains,
            memory: &self.memory,
            ledger,
        })
    }

    /// The same in a reader.
    pub(super) fn reading<T>(
        &self,
        connection: &Connection,
        job: impl FnOnce(Tables<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.within(connection, &Ledger::default(), job)
    }

    /// A writing job.
    pub(super) fn writing<T: 'static>(
        self: &Arc<Self>,
        job: impl FnOnce(&Self, Tables<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Write<T> {
        let number = self.jobs.fetch_add(1, Ordering::Relaxed);
        let (index, settling) = (Arc::clone(self), Arc::clone(self));
        let reached = Arc::new(Mutex::new(None));
        let reaching = Arc::clone(&reached);
        let job = move |connection: &Connection| {
            index.memory.begin(number);
            // A job that does not end well leaves none behind.
            let ledger = index.take_ledger();
            let done = index.within(connection, &ledger, |tables| {
                let done = job(&index, tables)?;
                let (told, marks) = (tables.told()?, tables.marks()?);
                let reached = Reached { told, marks, events: ledger.take_told() };
                *reaching.lock().unwrap_or_else(PoisonError::into_inner) = Some(reached);
                Ok(done)
            })?;
            *index.ledger.lock().unwrap_or_else(PoisonError::into_inner) = ledger;
            Ok(done)
        };
        Write::new(job, move |done| {
            let reached = reached.lock().unwrap_or_else(PoisonError::into_inner).take();
            settling.settle(number, reached, done.is_some());
        })
    }

    /// What became of a job: whoever waits for events hears of those that are on disk, whether or not whoever sent the job
    /// still waits for it.
    fn settle(&self, job: u64, reached: Option<Reached>, stands: bool) {
        let latest = || self.latest.write().unwrap_or_else(PoisonError::into_inner);
        match reached {
            Some(Reached { told, marks, events }) if stands => {
                self.memory.settle(job, Became::Durable);
                *self.written.write().unwrap_or_else(PoisonError::into_inner) = marks;
                latest().extend(events);
                self.told.send_if_modified(|known| {
                    let news = told > *known;
                    *known = told.max(*known);
                    news
                });
            }
            // Its group was not committed, or nobody knows.
            Some(_) => {
                self.take_ledger();
                latest().forget();
                self.memory.settle(job, Became::Unknown);
            }
            None => self.memory.settle(job, Became::Unknown),
        }
    }

    fn take_ledger(&self) -> Ledger {
        std::mem::take(&mut *self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads keys and records into memory, until all are there or there is no more room. Blocks.
    pub(super) fn read_ahead(self: Arc<Self>) {
        self.keys.hold();
        let mut after = 0;
        while !self.memory.is_full() {
            let index = Arc::clone(&self);
            let page =
                move |connection: &Connection| index.reading(connection, |tables| tables.take_up(after));
            match self.store.read_blocking(page) {
                Ok(Some(last)) => after = last,
                // A store that cannot be read is closing, or its readers are told why.
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Writes keys that are in memory into a run. Blocks.
    pub(super) fn flush_keys(self: Arc<Self>) {
        let index = Arc::clone(&self);
        let marks =
            self.store.read_blocking(move |connection| index.reading(connection, |tables| tables.marks()));
        if let Ok(marks) = marks {
            // The more records there are, the more strangers look alike.
            let mut matcher = self.matcher.write().unwrap_or_else(PoisonError::into_inner);
            let model = matcher.model.clone().among(marks.record);
            *matcher = Arc::new(Matcher { model, thresholds: matcher.thresholds });
        }
        // A store that cannot be read is closing: what is in memory is read anew at the next start.
        self.keys.flush(marks.ok());
    }
}

impl Tables<'_> {
    /// Inserts the keys of what was written behind some marks: of new records, then of changed ones.
    pub(super) fn read_keys(self, keys: &Keys, reached: Marks) -> Result<(), StoreError> {
        let new = "SELECT record, prepared, demographics FROM identity_record
                   WHERE record > ?1 AND record <= ?2 ORDER BY record LIMIT ?3";
        self.insert_keys(keys, new, &[], self.global(reached.record), |record| {
            if keys.is_full() {
                keys.flush(Some(Marks { record, ..reached }));
            }
        })?;
        let changed = "SELECT record, prepared, demographics FROM identity_record
                       WHERE record > ?1 AND record <= ?2 AND record IN
                           (SELECT record FROM identity_former WHERE former > ?4 AND former <= ?2)
                       ORDER BY record LIMIT ?3";
        let (first, _) = self.range();
        self.insert_keys(keys, changed, &[self.global(reached.former)], first, |_| {})?;
        if keys.is_full() {
            keys.flush(Some(self.marks()?));
        }
        Ok(())
    }
    fn insert_keys(
        self,
        keys: &Keys,
        find: &str,
        more: &[i64],
        after: i64,
        inserted: impl Fn(u64),
    ) -> Result<(), StoreError> {
        let (mut blocking, mut searches) = (Vec::new(), Vec::new());
        self.each_record(find, more, after, |row| {
            let number = row.get(0)?;
            let prepared = Prepared::from_bytes(row.get_ref(1)?.as_blob().unwrap_or_default());
            prepared.map_or_else(|| self.prepare(number), Ok)?.blocking_keys(&mut blocking);
            search_keys::of(&records::decode(&row.get::<Vec<u8>>(2)?)?, &mut searches);
            let record = self.local(number);
            keys.insert(record, &blocking);
            keys.insert(record, &searches);
            inserted(record);
            Ok(())
        })
    }
}
