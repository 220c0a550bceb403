//! One connection to PostgreSQL, with a small runtime of its own: the thread that has a question drives the socket itself.
//!
//! What nobody needs the outcome of at once (the beginning of a transaction, an inserted row) is sent and not waited for:
//! its outcome comes with that of the next statement that is. A failure shows there, since PostgreSQL does nothing more in
//! a transaction in which something failed.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use futures_util::future::{join, ready, try_join_all};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Row, Statement};

use super::dialect;
use super::values::{self, Bound};
use crate::limits;
use crate::store::sql::{Access, Error, Params, Result};

/// A connection.
pub struct Session {
    runtime: Runtime,
    client: Arc<Client>,
    /// By what they are called in the rooms.
    statements: RefCell<HashMap<Box<str>, Statement>>,
    /// On their way, and not waited for yet.
    sent: RefCell<Vec<Sent>>,
    /// Within a transaction.
    open: Cell<bool>,
    changes: Cell<u64>,
    /// How long an answer is waited for.
    patience: Cell<Duration>,
    /// An answer did not come in time: whatever comes now is nobody's.
    lost: Cell<bool>,
    heard: Cell<Instant>,
    /// Something was sent since the last answer was waited for.
    sending: Cell<bool>,
    /// How often an answer was waited for that was not under way with another one.
    waits: Cell<u64>,
    /// All statements that were ever prepared, and how many values each takes.
    #[cfg(test)]
    ever: RefCell<std::collections::BTreeMap<String, usize>>,
}

type Sent = Pin<Box<dyn Future<Output = Outcome> + Send>>;
type Outcome = std::result::Result<u64, tokio_postgres::Error>;

/// Rows that were asked for. A task takes them in: what nobody reads would stop what comes behind it.
pub type Coming = JoinHandle<std::result::Result<Vec<Row>, tokio_postgres::Error>>;

impl Session {
    /// With a client whose connection is driven by the runtime.
    pub(super) fn new(runtime: Runtime, client: Client) -> Self {
        Self {
            runtime,
            client: Arc::new(client),
            statements: RefCell::default(),
            sent: RefCell::default(),
            open: Cell::new(false),
            changes: Cell::new(0),
            patience: Cell::new(limits::POSTGRES_PATIENCE),
            lost: Cell::new(false),
            heard: Cell::new(Instant::now()),
            sending: Cell::new(false),
            waits: Cell::new(0),
            #[cfg(test)]
            ever: RefCell::default(),
        }
    }

    /// A statement, prepared now or kept from before.
    pub(in crate::store) fn prepare(&self, sql: &str) -> Result<Statement> {
        if let Some(known) = self.statements.borrow().get(sql) {
            return Ok(known.clone());
        }
        let prepared = self.at_once(self.client.prepare(&dialect::statement(sql)))?;
        #[cfg(test)]
        self.ever.borrow_mut().insert(sql.to_owned(), prepared.params().len());
        let mut statements = self.statements.borrow_mut();
        if statements.len() >= limits::MAX_PREPARED_STATEMENTS {
            statements.clear();
        }
        statements.insert(sql.into(), prepared.clone());
        Ok(prepared)
    }

    /// Runs a statement; how many rows it changed.
    pub(in crate::store) fn execute(&self, statement: &Statement, params: &impl Params) -> Result<usize> {
        let bound = values::bound(params)?;
        let changed = self.at_once(self.client.execute_raw(statement, bound))?;
        self.changes.set(self.changes.get() + changed);
        Ok(changed as usize)
    }

    /// Runs a statement without waiting for it.
    pub(in crate::store) fn send(&self, statement: &Statement, params: &impl Params) -> Result<()> {
        let (client, statement, bound) =
            (Arc::clone(&self.client), statement.clone(), values::bound(params)?);
        self.go(Box::pin(async move { client.execute_raw::<_, Bound, _>(&statement, bound).await }))
    }

    /// Runs a statement; its rows.
    pub(in crate::store) fn query(&self, statement: &Statement, params: &impl Params) -> Result<Vec<Row>> {
        let bound = values::bound(params)?;
        self.at_once(async { self.client.query_raw(statement, bound).await?.try_collect().await })
    }

    /// Asks for rows without waiting for them.
    pub(in crate::store) fn ask(&self, statement: &Statement, params: &impl Params) -> Result<Coming> {
        let (client, statement, bound) =
            (Arc::clone(&self.client), statement.clone(), values::bound(params)?);
        let mut asking = Box::pin(async move {
            client.query_raw::<_, Bound, _>(&statement, bound).await?.try_collect::<Vec<_>>().await
        });
        self.sending.set(true);
        // The first poll hands it to the connection: whatever is sent later comes later.
        Ok(match asking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => self.runtime.spawn(ready(outcome)),
            Poll::Pending => self.runtime.spawn(asking),
        })
    }

    /// Waits for rows that were asked for.
    pub(in crate::store) fn answer(&self, coming: Coming) -> Result<Vec<Row>> {
        self.wait(async {
            coming.await.map_err(|error| Error::Away(error.to_string()))?.map_err(Error::from)
        })
    }

    /// Runs statements without parameters.
    pub(in crate::store) fn run(&self, script: &str) -> Result<()> {
        self.at_once(self.client.batch_execute(script))
    }

    /// Begins a transaction.
    pub(in crate::store) fn begin(&self, access: Access) -> Result<()> {
        self.open.set(true);
        match access {
            Access::Read => self.control("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
            // Groups of several gateways come one after the other. What is read after the lock is what the last one left.
            Access::Write => self.control(&format!(
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
                 SET LOCAL idle_in_transaction_session_timeout = {};
                 SELECT pg_advisory_xact_lock(hashtext('sekisho writes'), hashtext(current_schema()))",
                limits::POSTGRES_IDLE_WRITING.as_millis()
            )),
        }
    }

    /// Lets what comes in this transaction take its time: a migration of many rows.
    pub(in crate::store) fn without_haste(&self) -> Result<()> {
        self.patience.set(limits::POSTGRES_MIGRATION);
        self.control("SET LOCAL statement_timeout = 0; SET LOCAL enable_seqscan = on")
    }

    /// Ends the transaction, or a part of it.
    pub(in crate::store) fn end(&self, sql: &'static str) -> Result<()> {
        if sql.starts_with("ROLLBACK") {
            // What was sent and failed is undone with the rest.
            let _ = self.wait(ready(Ok::<_, Error>(())));
        }
        self.at_once(self.client.batch_execute(sql))?;
        self.open.set(self.open.get() && sql.ends_with("job"));
        if !self.open.get() {
            self.patience.set(limits::POSTGRES_PATIENCE);
        }
        Ok(())
    }

    /// Sends a statement without parameters and without an outcome that matters.
    pub(in crate::store) fn control(&self, sql: &str) -> Result<()> {
        let (client, sql) = (Arc::clone(&self.client), sql.to_owned());
        self.go(Box::pin(async move { client.batch_execute(&sql).await.map(|()| 0) }))
    }

    /// Whether a transaction is open.
    pub(in crate::store) fn in_transaction(&self) -> bool {
        self.open.get() && !self.is_lost()
    }

    /// Rows that were changed since the connection was made.
    pub(in crate::store) fn changes(&self) -> u64 {
        self.changes.get()
    }

    /// Whether there is nobody at the other end any more.
    pub(in crate::store) fn is_lost(&self) -> bool {
        self.lost.get() || self.client.is_closed()
    }

    /// Asks whether somebody is still there, if nothing was heard for a while.
    pub(in crate::store) fn is_well(&self) -> bool {
        if self.heard.get().elapsed() >= limits::POSTGRES_QUIET {
            let waits = self.waits.get();
            // Also a connection that closed meanwhile is only noticed here.
            let _ = self.at_once(self.client.batch_execute(""));
            // It depends on the time and not on what is asked: no wait of anybody's.
            self.waits.set(waits);
        }
        !self.is_lost()
    }

    /// Hands a statement to the connection. The first poll does that; whatever is sent later comes later.
    fn go(&self, mut sending: Sent) -> Result<()> {
        self.sending.set(true);
        match sending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => outcome.map(drop).map_err(Error::from),
            Poll::Pending => {
                self.sent.borrow_mut().push(sending);
                Ok(())
            }
        }
    }

    /// How often an answer was waited for since the connection was made.
    #[cfg(test)]
    pub(in crate::store) fn waits(&self) -> u64 {
        self.waits.get()
    }

    /// Each statement that was ever prepared, and how it is carried out, whatever is bound.
    #[cfg(test)]
    pub(in crate::store) fn plans(&self) -> Vec<(String, String)> {
        let plan = |(sql, values): (&String, &usize)| {
            let nulls = vec!["NULL"; *values].join(", ");
            let bound = if nulls.is_empty() { nulls } else { format!("({nulls})") };
            let script = format!(
                "SET plan_cache_mode = force_generic_plan; PREPARE looked_at AS {};
                 EXPLAIN EXECUTE looked_at{bound}; DEALLOCATE looked_at; RESET plan_cache_mode",
                dialect::statement(sql)
            );
            let messages = self.at_once(self.client.simple_query(&script)).unwrap();
            let lines = messages.iter().filter_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
                _ => None,
            });
            (sql.clone(), lines.collect::<Vec<_>>().join("\n"))
        };
        self.ever.borrow().iter().map(plan).collect()
    }

    /// Sends a statement and waits for it.
    fn at_once<T, E>(&self, statement: impl Future<Output = std::result::Result<T, E>>) -> Result<T>
    where
        Error: From<E>,
    {
        self.sending.set(true);
        self.wait(statement)
    }

    /// Waits for a statement, and for all that were sent before it.
    fn wait<T, E>(&self, statement: impl Future<Output = std::result::Result<T, E>>) -> Result<T>
    where
        Error: From<E>,
    {
        self.waits.set(self.waits.get() + u64::from(self.sending.replace(false)));
        let sent = try_join_all(self.sent.take());
        let both = async { tokio::time::timeout(self.patience.get(), join(sent, statement)).await };
        let Ok((sent, outcome)) = self.runtime.block_on(both) else {
            self.lost.set(true);
            return Err(Error::Away("it does not answer".to_owned()));
        };
        self.heard.set(Instant::now());
        self.changes.set(self.changes.get() + sent?.into_iter().sum::<u64>());
        Ok(outcome?)
    }
}
