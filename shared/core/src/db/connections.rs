//! The connections of an instance, and what is tried again.
//!
//! A connection runs one statement at a time: servers of libSQL freeze when a second one arrives while
//! the first is under way. So whoever wants a statement takes a connection for it, and a transaction
//! takes one for all of its statements. Both are bounded, apart from each other: a transaction never
//! waits for a connection that another transaction holds while that one waits for a statement.
//!
//! What is tried again, before anybody was told anything: a busy database, with longer and longer
//! pauses up to [`BUSY_LIMIT`]; a connection that the server knows no more, once, on a new one; what
//! only reads, and the beginning of a transaction, once, when the connection broke.

use super::slots::{Slot, Slots};
use super::trouble::Trouble;
use super::{Row, Value, failure};
use crate::error::{Error, Kind, Result};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Single statements under way at once: as many as an instance has requests, on the usual hosts. Who has
/// to wait for a connection looks again only after a millisecond, which is longer than most statements take.
const STATEMENTS: usize = 16;
/// Transactions under way at once. The database lets one of them write, in the order in which they ask.
const TRANSACTIONS: usize = 16;
/// How long a busy database is waited for.
pub(super) const BUSY_LIMIT: Duration = Duration::from_secs(20);
/// The first and the longest pause before a busy database is asked again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));

/// A platform's way to a database. Errors are the database's own text.
pub(super) trait Driver {
    /// An open connection. Dropping it closes it and rolls back.
    type Connection;

    async fn open(&self) -> Result<Self::Connection, String>;

    /// Runs one statement to its end and reads all rows.
    async fn run(
        &self,
        connection: &Self::Connection,
        sql: &str,
        parameters: &[Value],
    ) -> Result<Vec<Row>, String>;

    async fn sleep(&self, time: Duration);
}

/// The connections of one instance.
pub(super) struct Connections<D: Driver> {
    driver: D,
    idle: RefCell<Vec<D::Connection>>,
    statements: Rc<Slots>,
    transactions: Rc<Slots>,
}

/// A connection that somebody has to themselves. One that was left in the middle of a statement is
/// never used again.
pub(super) struct Leased<D: Driver> {
    connections: Rc<Connections<D>>,
    connection: D::Connection,
    is_under_way: Cell<bool>,
    slot: Slot,
}

impl<D: Driver> Connections<D> {
    pub(super) fn new(driver: D) -> Rc<Self> {
        Rc::new(Self {
            driver,
            idle: RefCell::default(),
            statements: Slots::new(STATEMENTS),
            transactions: Slots::new(TRANSACTIONS),
        })
    }

    /// Runs a single statement.
    pub(super) async fn query(
        self: &Rc<Self>,
        sql: &str,
        parameters: &[Value],
    ) -> Result<Vec<Row>> {
        let (rows, leased) = self.attempt(&self.statements, sql, parameters).await?;
        leased.give_back();
        Ok(rows)
    }

    /// Begins a transaction with a statement that does, on a connection of its own.
    pub(super) async fn begin(self: &Rc<Self>, begin: &str) -> Result<Leased<D>> {
        let (_, leased) = self.attempt(&self.transactions, begin, &[]).await?;
        Ok(leased)
    }

    /// Runs a statement on a connection, as often as it makes sense.
    async fn attempt(
        self: &Rc<Self>,
        slots: &Rc<Slots>,
        sql: &str,
        parameters: &[Value],
    ) -> Result<(Vec<Row>, Leased<D>)> {
        let sleep = async |time| self.driver.sleep(time).await;
        let mut slot = slots.take(sleep).await;
        let mut patience = Patience::default();
        let mut is_second = false;
        loop {
            let leased = match self.lease(slot).await {
                Ok(leased) => leased,
                Err((text, again)) => {
                    slot = again;
                    if Trouble::of(&text) == Trouble::Busy && patience.pause(&self.driver).await {
                        continue;
                    }
                    return Err(failure(&text, "opening the database"));
                }
            };
            let text = match leased.run(sql, parameters).await {
                Ok(rows) => return Ok((rows, leased)),
                Err(text) => text,
            };
            let trouble = Trouble::of(&text);
            slot = leased.end(trouble);
            let again = match trouble {
                Trouble::Busy => patience.pause(&self.driver).await,
                _ => !is_second && trouble.may_be_sent_again(sql),
            };
            if !again {
                return Err(failure(&text, sql));
            }
            is_second |= trouble != Trouble::Busy;
        }
    }

    async fn lease(self: &Rc<Self>, slot: Slot) -> Result<Leased<D>, (String, Slot)> {
        // The one that was used last: its statements are still prepared.
        let idle = self.idle.borrow_mut().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => match self.driver.open().await {
                Ok(connection) => connection,
                Err(text) => return Err((text, slot)),
            },
        };
        Ok(Leased {
            connections: self.clone(),
            connection,
            is_under_way: Cell::new(false),
            slot,
        })
    }
}

impl<D: Driver> Leased<D> {
    /// Runs a statement; the error is the database's text.
    async fn run(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, String> {
        if self.is_under_way.replace(true) {
            return Err(
                "stream closed: a statement before this one was not read to its end".into(),
            );
        }
        let driver = &self.connections.driver;
        let rows = driver.run(&self.connection, sql, parameters).await;
        self.is_under_way.set(false);
        rows
    }

    /// Runs a statement of a transaction. None is sent twice: what came before is lost with the
    /// connection.
    pub(super) async fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>> {
        let rows = self.run(sql, parameters).await;
        rows.map_err(|text| failure(&text, sql))
    }

    /// Ends the transaction. A busy database is asked again: the transaction is still there.
    pub(super) async fn commit(self) -> Result<()> {
        let mut patience = Patience::default();
        loop {
            let Err(text) = self.run("commit", &[]).await else {
                self.give_back();
                return Ok(());
            };
            match Trouble::of(&text) {
                Trouble::Busy if patience.pause(&self.connections.driver).await => {}
                Trouble::Broken | Trouble::Interrupted => {
                    let text = format!("{text} in: commit");
                    return Err(Error::new(Kind::Unavailable, UNKNOWN).context(text));
                }
                _ => return Err(failure(&text, "commit")),
            }
        }
    }

    /// Takes the transaction back. A connection that cannot do even that is closed, which does.
    pub(super) async fn roll_back(self) {
        if self.run("rollback", &[]).await.is_ok() {
            self.give_back();
        }
    }

    /// Keeps the connection for the next one, if it has a future; its slot goes on.
    fn end(self, trouble: Trouble) -> Slot {
        let mut idle = self.connections.idle.borrow_mut();
        if trouble.costs_the_connection() {
            // What happened to one has happened to those that did nothing meanwhile.
            idle.clear();
        } else if !self.is_under_way.get() {
            idle.push(self.connection);
        }
        self.slot
    }

    fn give_back(self) {
        drop(self.end(Trouble::Statement));
    }
}

/// What is said when a connection broke at the very end.
const UNKNOWN: &str =
    "The database did not answer: look whether the change was made before you try again";

/// How long somebody has waited for a busy database.
#[derive(Default)]
struct Patience {
    /// When it was busy for the first time. To look at the clock is a call to the platform.
    begun: Option<Instant>,
    waited: Duration,
}

impl Patience {
    /// Waits a little; no when it has been long enough.
    async fn pause(&mut self, driver: &impl Driver) -> bool {
        let begun = *self.begun.get_or_insert_with(Instant::now);
        if self.waited.max(begun.elapsed()) >= BUSY_LIMIT {
            return false;
        }
        // Twice as long each time: as long as it was waited for so far.
        let pause = self.waited.clamp(PAUSES.0, PAUSES.1);
        driver.sleep(pause).await;
        self.waited += pause;
        true
    }
}

#[cfg(test)]
mod tests;
