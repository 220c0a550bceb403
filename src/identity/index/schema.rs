//! The index's tables, and the numbers that stand in them for tenants and domains.
//!
//! The tenant leads every key: it is the upper part of every number.

use std::cell::{Cell, RefCell};
use std::sync::{PoisonError, RwLock};

use super::events::Event;
use super::memory::Memory;
use crate::identity::matching::{Model, Thresholds};
use crate::ids::{Oid, PatientId};
use crate::store::sql::{Connection, OptionalExtension, params};
use crate::store::{Migration, Step, StoreError, sql};

/// The index's tables.
pub const MIGRATION: Migration = Migration {
    room: "identity",
    steps: &[Step::Both(FIRST), Step::Both(LEARNT), Step::Both(DATED), Step::Both(REVIEWED)],
};

const FIRST: &str = "
CREATE TABLE identity_tenant (
    tenant INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    generation BLOB NOT NULL               -- tells one index from another: derived files name it
) STRICT;

CREATE TABLE identity_domain (
    domain INTEGER PRIMARY KEY,            -- tenant << 40 | n
    oid TEXT NOT NULL
) STRICT;

-- Who was announced, by identifier. Current values only.
CREATE TABLE identity_record (
    record INTEGER PRIMARY KEY,            -- tenant << 40 | n
    domain INTEGER NOT NULL,
    id TEXT NOT NULL,
    person INTEGER NOT NULL,               -- the lowest record of the person
    survivor INTEGER,                      -- the record that a source merged this one into: it is in no answer
    revision INTEGER NOT NULL,             -- goes up with every change
    prepared BLOB NOT NULL,                -- as matching compares it, former names included
    demographics BLOB NOT NULL,
    visit BLOB
) STRICT;
CREATE UNIQUE INDEX identity_record_id ON identity_record (domain, id);
CREATE INDEX identity_record_person ON identity_record (person) WHERE person <> record;

-- What records were like before: serves linking, never a query.
CREATE TABLE identity_former (
    former INTEGER PRIMARY KEY,            -- tenant << 40 | n, in the order of change
    record INTEGER NOT NULL,
    until INTEGER NOT NULL,
    demographics BLOB NOT NULL
) STRICT;
CREATE INDEX identity_former_record ON identity_former (record);

-- Insured persons' numbers of records: keys for linking.
CREATE TABLE identity_insured (
    domain INTEGER NOT NULL,
    number TEXT NOT NULL,                  -- in one spelling
    record INTEGER NOT NULL,
    id TEXT NOT NULL,                      -- as sent
    since INTEGER NOT NULL,
    PRIMARY KEY (domain, number, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX identity_insured_record ON identity_insured (record);

-- Why two records are one person. Persons are what hangs together by these.
CREATE TABLE identity_link (
    record INTEGER NOT NULL,               -- the later of the two
    other INTEGER NOT NULL,
    origin INTEGER NOT NULL,               -- 0 source, 1 deterministic key, 2 matcher, 3 operator
    probability REAL,
    operator TEXT,
    since INTEGER NOT NULL,
    PRIMARY KEY (record, other, origin)
) STRICT, WITHOUT ROWID;

-- Two records that an operator holds apart.
CREATE TABLE identity_bar (
    record INTEGER NOT NULL,               -- the later of the two
    other INTEGER NOT NULL,
    operator TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (record, other)
) STRICT, WITHOUT ROWID;
CREATE INDEX identity_bar_other ON identity_bar (other);

-- Pairs that people must decide.
CREATE TABLE identity_review (
    review INTEGER PRIMARY KEY,            -- tenant << 40 | n
    record INTEGER NOT NULL,               -- the later of the two
    other INTEGER NOT NULL,
    cause INTEGER NOT NULL,
    probability REAL NOT NULL,
    since INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX identity_review_pair ON identity_review (record, other);
CREATE INDEX identity_review_other ON identity_review (other);

-- What operators decided, with what it changed, so that it can be undone.
CREATE TABLE identity_decision (
    decision INTEGER PRIMARY KEY,          -- tenant << 40 | n
    at INTEGER NOT NULL,
    operator TEXT NOT NULL,
    kind TEXT NOT NULL,
    record INTEGER NOT NULL,
    other INTEGER,
    effect TEXT NOT NULL,
    undone INTEGER                         -- by this decision
) STRICT;

-- What happened to identifiers, for those who keep what follows from them.
CREATE TABLE identity_event (
    event INTEGER PRIMARY KEY,             -- tenant << 40 | n
    body TEXT NOT NULL
) STRICT;
";

const LEARNT: &str = "
-- What matching learnt from the region's own records. The last one holds, from the next start on.
CREATE TABLE identity_model (
    model INTEGER PRIMARY KEY,             -- tenant << 40 | n
    at INTEGER NOT NULL,
    operator TEXT NOT NULL,
    records INTEGER NOT NULL,              -- that it was learnt from; 0: built in
    form INTEGER NOT NULL,                 -- one of another form is not read
    body TEXT NOT NULL
) STRICT;
";

const DATED: &str = "
-- The first and the last day on which a number is the person's, from 1970 on; NULL: nothing is said.
ALTER TABLE identity_insured ADD COLUMN valid_from INTEGER;
ALTER TABLE identity_insured ADD COLUMN valid_until INTEGER;
";

const REVIEWED: &str = "
-- The last number that a review was given: people note it, so no other pair gets it when the review is gone.
ALTER TABLE identity_tenant ADD COLUMN reviewed INTEGER NOT NULL DEFAULT 0;
UPDATE identity_tenant SET reviewed =
    COALESCE((SELECT max(review) FROM identity_review WHERE review >> 40 = identity_tenant.tenant), 0);
";

/// Bits of a number below the tenant's.
const TENANT_SHIFT: u32 = 40;

/// The index's tables, within one job, and whose part of them it is.
#[derive(Clone, Copy)]
pub(super) struct Tables<'c> {
    pub(super) connection: &'c Connection,
    pub(super) tenant: i64,
    pub(super) matcher: &'c Matcher,
    pub(super) domains: &'c KnownDomains,
    pub(super) memory: &'c Memory,
    pub(super) ledger: &'c Ledger,
}

/// Domains and their numbers, as far as they are on disk: what a transaction gave that did not stand is not among them.
#[derive(Default)]
pub(super) struct KnownDomains(RwLock<Vec<(Oid, i64)>>);

impl KnownDomains {
    fn find<T>(&self, of: impl Fn(&(Oid, i64)) -> Option<T>) -> Option<T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().find_map(of)
    }
    fn add(&self, oid: &Oid, number: i64) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !known.iter().any(|(_, known)| *known == number) {
            known.push((oid.clone(), number));
        }
    }
}

/// Who decides how alike two records are, and what follows.
pub(super) struct Matcher {
    pub(super) model: Model,
    pub(super) thresholds: Thresholds,
}

/// A tenant, as opened.
pub(super) struct Tenant {
    pub(super) number: i64,
    pub(super) generation: Vec<u8>,
}

impl Tenant {
    /// The tenant of a name, made now if there is none.
    pub(super) fn find_or_make(connection: &Connection, name: &str) -> Result<Self, StoreError> {
        let find = "SELECT tenant, generation FROM identity_tenant WHERE name = ?1";
        let tenant = |row: &sql::Row<'_>| Ok(Self { number: row.get(0)?, generation: row.get(1)? });
        if let Some(found) = connection.query_row(find, [name], tenant).optional()? {
            return Ok(found);
        }
        let generation = uuid::Uuid::new_v4().into_bytes();
        let insert = "INSERT INTO identity_tenant (name, generation) VALUES (?1, ?2)";
        connection.execute(insert, params![name, generation])?;
        Ok(connection.query_row(find, [name], tenant)?)
    }
}

/// Tables whose rows are numbered within the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbered {
    Domain,
    Record,
    Former,
    Review,
    Decision,
    Event,
    Model,
}

/// A job's accounts: with its numbers the next job goes on, if it stands.
#[derive(Default)]
pub(super) struct Ledger {
    /// The greatest numbers in use, as far as they were asked for.
    numbers: [Cell<Option<i64>>; Numbered::ALL],
    /// What it told.
    told: RefCell<Vec<Event>>,
}

impl Ledger {
    fn number(&self, table: Numbered) -> Option<&Cell<Option<i64>>> {
        self.numbers.get(table as usize)
    }
    /// Notes what was told.
    pub(super) fn tell(&self, event: Event) {
        self.told.borrow_mut().push(event);
    }
    /// What was told, once.
    pub(super) fn take_told(&self) -> Vec<Event> {
        self.told.take()
    }
}

impl Numbered {
    const ALL: usize = Self::Model as usize + 1;
    /// How the greatest number is asked for.
    fn greatest(self) -> &'static str {
        match self {
            Self::Domain => "SELECT max(domain) FROM identity_domain WHERE domain BETWEEN ?1 AND ?2",
            Self::Record => "SELECT max(record) FROM identity_record WHERE record BETWEEN ?1 AND ?2",
            Self::Former => "SELECT max(former) FROM identity_former WHERE former BETWEEN ?1 AND ?2",
            // Whether it is still open or not.
            Self::Review => "SELECT max(reviewed) FROM identity_tenant WHERE reviewed BETWEEN ?1 AND ?2",
            Self::Decision => "SELECT max(decision) FROM identity_decision WHERE decision BETWEEN ?1 AND ?2",
            Self::Event => "SELECT max(event) FROM identity_event WHERE event BETWEEN ?1 AND ?2",
            Self::Model => "SELECT max(model) FROM identity_model WHERE model BETWEEN ?1 AND ?2",
        }
    }
}

impl Tables<'_> {
    /// The tenant's first number, which no row has, and its last.
    pub(super) fn range(self) -> (i64, i64) {
        let first = self.tenant << TENANT_SHIFT;
        (first, first | ((1 << TENANT_SHIFT) - 1))
    }
    /// The greatest number in use; the first of the range if there is none.
    pub(super) fn last(self, table: Numbered) -> Result<i64, StoreError> {
        if let Some(known) = self.ledger.number(table).and_then(Cell::get) {
            return Ok(known);
        }
        let (first, last) = self.range();
        let mut greatest = self.connection.prepare_cached(table.greatest())?;
        let greatest: Option<i64> = greatest.query_row([first, last], |row| row.get(0))?;
        let greatest = greatest.unwrap_or(first);
        self.note(table, greatest);
        Ok(greatest)
    }
    /// The last event's number.
    pub(super) fn told(self) -> Result<u64, StoreError> {
        Ok(self.local(self.last(Numbered::Event)?))
    }
    /// The next free number, which is in use from here on.
    pub(super) fn next(self, table: Numbered) -> Result<i64, StoreError> {
        match self.last(table)? {
            full if full >= self.range().1 => Err(StoreError::Damaged("a tenant ran out of numbers".into())),
            greatest => {
                self.note(table, greatest + 1);
                Ok(greatest + 1)
            }
        }
    }
    fn note(self, table: Numbered, greatest: i64) {
        if let Some(known) = self.ledger.number(table) {
            known.set(Some(greatest));
        }
    }
    /// The number of a new review.
    pub(super) fn next_review(self) -> Result<i64, StoreError> {
        let number = self.next(Numbered::Review)?;
        self.note_review(number)?;
        Ok(number)
    }
    /// Notes the last number that a review was given.
    pub(super) fn note_review(self, number: i64) -> Result<(), StoreError> {
        let update = "UPDATE identity_tenant SET reviewed = ?2 WHERE tenant = ?1";
        self.connection.prepare_cached(update)?.execute([self.tenant, number])?;
        Ok(())
    }
    /// The part of a number below the tenant's.
    pub(super) fn local(self, number: i64) -> u64 {
        (number - self.range().0) as u64
    }
    /// The number of a local part.
    pub(super) fn global(self, local: u64) -> i64 {
        self.range().0 | local as i64
    }
    /// Remembers the number of a domain. A reader's, since it sees only what was committed.
    pub(super) fn learn_domain(self, oid: &Oid) -> Result<(), StoreError> {
        if self.domains.find(|(known, _)| (known == oid).then_some(())).is_none()
            && let Some(number) = self.domain(oid)?
        {
            self.domains.add(oid, number);
        }
        Ok(())
    }
    /// The number of a domain, if anything of it was ever announced.
    pub(super) fn domain(self, oid: &Oid) -> Result<Option<i64>, StoreError> {
        if let Some(known) = self.domains.find(|(known, number)| (known == oid).then_some(*number)) {
            return Ok(Some(known));
        }
        let (first, last) = self.range();
        let find = "SELECT domain FROM identity_domain WHERE domain BETWEEN ?1 AND ?2 AND oid = ?3";
        let mut find = self.connection.prepare_cached(find)?;
        Ok(find.query_row(params![first, last, oid.as_str()], |row| row.get(0)).optional()?)
    }
    /// The number of a domain, given now if it has none.
    pub(super) fn domain_or_make(self, oid: &Oid) -> Result<i64, StoreError> {
        if let Some(found) = self.domain(oid)? {
            return Ok(found);
        }
        let number = self.next(Numbered::Domain)?;
        let insert = "INSERT INTO identity_domain (domain, oid) VALUES (?1, ?2)";
        self.connection.execute(insert, params![number, oid.as_str()])?;
        Ok(number)
    }
    /// The identifier of a domain's number and an id.
    pub(super) fn identifier(self, domain: i64, id: &str) -> Result<PatientId, StoreError> {
        if let Some(oid) = self.domains.find(|(oid, known)| (*known == domain).then(|| oid.clone())) {
            return Ok(PatientId::new(id, oid));
        }
        let mut find = self.connection.prepare_cached("SELECT oid FROM identity_domain WHERE domain = ?1")?;
        let oid: String = find.query_row([domain], |row| row.get(0))?;
        let oid = Oid::parse(&oid).map_err(|_| StoreError::Damaged("a domain without an OID".into()))?;
        Ok(PatientId::new(id, oid))
    }
}
