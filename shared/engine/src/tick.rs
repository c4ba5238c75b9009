//! One tick: leases due rows, does their work, records what came of it.
//!
//! Any number of ticks may run at the same time, in any process. A tick ends when nothing is due
//! or its time is used up; what it holds by then is finished first. If it dies, its leases run
//! out within seconds and another tick takes over.

use crate::calls::{self, Begun};
use crate::driver;
use crate::handlers::Handlers;
use crate::queue_kinds::{EXECUTION, OPERATION, OPERATION_TIMEOUT};
use crate::step::{CallError, Outcome, Report};
use futures_util::FutureExt;
use futures_util::future::{Either, LocalBoxFuture, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde::Serialize;
use std::collections::VecDeque;
use std::pin::pin;
use windlass_core::db::Db;
use windlass_core::outbound::{Clock, Outbound};
use windlass_core::{Error, Kind, Result, Timestamp, ids, log};
use windlass_store::operations;
use windlass_store::queue::{self, Leased};

/// How a tick works.
#[derive(Clone, Debug)]
pub struct TickOptions {
    /// How long a lease holds without a sign of life, in milliseconds.
    pub lease_millis: i64,
    /// How long rows are taken, in milliseconds.
    pub budget_millis: i64,
    /// How many rows are held at a time.
    pub at_once: usize,
    /// How often work may fail to be done before it is given up.
    pub attempts: i64,
    /// How often whoever holds work may be gone before it is given up. Far more than `attempts`:
    /// a restart ends everything that was under way, whatever it was.
    pub deaths: i64,
    /// Whether users' URLs may lead to private addresses.
    pub allow_private: bool,
}

impl Default for TickOptions {
    fn default() -> Self {
        Self {
            lease_millis: 5_000,
            budget_millis: 20_000,
            at_once: 32,
            attempts: 10,
            deaths: 50,
            allow_private: false,
        }
    }
}

/// What a tick did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TickReport {
    /// How many rows were worked on.
    pub ran: u64,
    /// In how many milliseconds the next row becomes due; none when the queue is empty.
    #[serde(rename = "next_due_ms")]
    pub next_due: Option<i64>,
}

/// Works on due rows until there are none, or the time is used up.
///
/// # Errors
/// When the queue itself cannot be read or written. What goes wrong with one row concerns that
/// row alone.
pub async fn tick<D: Db>(
    db: &D,
    outbound: &impl Outbound,
    clock: &impl Clock,
    handlers: &impl Handlers<D>,
    options: &TickOptions,
) -> Result<TickReport> {
    let holder = ids::random_text(16);
    let mut tick = Tick {
        db,
        outbound,
        clock,
        handlers,
        options,
        holder: &holder,
        waiting: VecDeque::new(),
        under_way: FuturesUnordered::new(),
        held: Vec::new(),
        renewed: clock.now(),
        ran: 0,
    };
    tick.work().await?;
    let next = queue::next_due(db).await?;
    let now = clock.now().millis();
    Ok(TickReport {
        ran: tick.ran,
        next_due: next.map(|next| next.saturating_sub(now).max(0)),
    })
}

/// The end of work that ran next to others.
enum Finished {
    Call(Box<Begun>, Report),
    Handled(Leased, Result<()>),
}

struct Tick<'a, D: Db, O, C, H> {
    db: &'a D,
    outbound: &'a O,
    clock: &'a C,
    handlers: &'a H,
    options: &'a TickOptions,
    holder: &'a str,
    /// Leased, but not begun.
    waiting: VecDeque<Leased>,
    under_way: FuturesUnordered<LocalBoxFuture<'a, Finished>>,
    /// The keys of what is under way.
    held: Vec<i64>,
    renewed: Timestamp,
    ran: u64,
}

impl<'a, D: Db, O: Outbound, C: Clock, H: Handlers<D>> Tick<'a, D, O, C, H> {
    async fn work(&mut self) -> Result<()> {
        let begun = self.clock.now().millis();
        loop {
            let now = self.clock.now();
            let in_time = now.millis() - begun < self.options.budget_millis;
            self.renew(now).await?;
            if in_time {
                self.lease(now).await?;
            } else {
                self.return_waiting(now).await?;
            }
            if let Some(row) = self.waiting.pop_front() {
                self.run_here(row).await?;
                let finished = self.ready().await;
                self.record(finished).await?;
            } else if self.under_way.is_empty() {
                return Ok(());
            } else {
                let finished = self.next().await;
                self.record(finished).await?;
            }
        }
    }

    async fn lease(&mut self, now: Timestamp) -> Result<()> {
        let room = self
            .options
            .at_once
            .saturating_sub(self.held.len() + self.waiting.len());
        if room == 0 || !queue::is_due(self.db, now).await? {
            return Ok(());
        }
        let leased =
            match queue::lease(self.db, self.holder, room, self.options.lease_millis, now).await {
                Ok(leased) => leased,
                // Others are faster with the same rows.
                Err(error) if error.kind() == Kind::Unavailable => return Ok(()),
                Err(error) => return Err(error),
            };
        self.ran += leased.len() as u64;
        let mut calls = Vec::new();
        for row in leased {
            let is_over = row.attempts > self.options.deaths;
            if is_over {
                let why = row.last_error.clone();
                let why = why.unwrap_or_else(|| "whoever worked on it never came back".into());
                self.give_up(&row, row.attempts - 1, &why).await?;
            } else if row.kind == OPERATION {
                calls.push(row);
            } else if self.handlers.handles(&row.kind) && !self.handlers.is_local(&row.kind) {
                self.held.push(row.key);
                let (db, handlers, holder) = (self.db, self.handlers, self.holder);
                self.under_way.push(Box::pin(async move {
                    let result = handlers.run(db, holder, &row).await;
                    Finished::Handled(row, result)
                }));
            } else {
                self.waiting.push_back(row);
            }
        }
        self.begin(calls).await
    }

    async fn begin(&mut self, rows: Vec<Leased>) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let (holder, allow_private) = (self.holder, self.options.allow_private);
        let together = rows.clone();
        let begun = self
            .db
            .transaction(async |db| calls::begin(db, holder, together, allow_private, now).await)
            .await;
        let begun = match begun {
            Ok(begun) => begun,
            Err(error) if rows.len() == 1 || error.kind() == Kind::Unavailable => {
                for row in &rows {
                    self.failed(row, &error).await?;
                }
                return Ok(());
            }
            Err(_) => {
                // One of them is broken: each alone, so that the others go on.
                let mut begun = Vec::new();
                for row in rows {
                    let alone = vec![row.clone()];
                    let result = self
                        .db
                        .transaction(async |db| {
                            calls::begin(db, holder, alone, allow_private, now).await
                        })
                        .await;
                    match result {
                        Ok(more) => begun.extend(more),
                        Err(error) => self.failed(&row, &error).await?,
                    }
                }
                begun
            }
        };
        for begun in begun {
            self.held.push(begun.row.key);
            let outbound = self.outbound;
            self.under_way.push(Box::pin(async move {
                let report = calls::run(&begun, outbound).await;
                Finished::Call(Box::new(begun), report)
            }));
        }
        Ok(())
    }

    /// Does work that needs nothing but the database.
    async fn run_here(&mut self, row: Leased) -> Result<()> {
        let now = self.clock.now();
        let (holder, key, subject) = (self.holder, row.key, row.subject.as_str());
        let result = match row.kind.as_str() {
            EXECUTION => {
                self.db
                    .transaction(async |db| {
                        if queue::finish(db, holder, &[key]).await?.is_empty() {
                            return Ok(());
                        }
                        driver::drive(db, subject, Vec::new(), now).await.map(drop)
                    })
                    .await
            }
            OPERATION_TIMEOUT => {
                self.db
                    .transaction(async |db| {
                        if queue::finish(db, holder, &[key]).await?.is_empty() {
                            return Ok(());
                        }
                        calls::time_out(db, subject, now).await
                    })
                    .await
            }
            kind if self.handlers.handles(kind) => self.handlers.run(self.db, holder, &row).await,
            kind => {
                // Perhaps a newer version knows it.
                let why = format!("no component handles work of the kind `{kind}`");
                log::error("queue", &Error::internal(&why));
                let later = now.plus_seconds(60);
                return queue::give_back(self.db, holder, key, later, &why, false).await;
            }
        };
        match result {
            Ok(()) => Ok(()),
            Err(error) => self.failed(&row, &error).await,
        }
    }

    /// What has ended by now, without waiting.
    async fn ready(&mut self) -> Vec<Finished> {
        let mut finished = Vec::new();
        while let Some(Some(more)) = self.under_way.next().now_or_never() {
            finished.push(more);
        }
        finished
    }

    /// Waits until something ends or the leases want to be renewed.
    async fn next(&mut self) -> Vec<Finished> {
        let first = {
            let alarm = pin!(self.clock.sleep(self.options.lease_millis / 3));
            match select(self.under_way.next(), alarm).await {
                Either::Left((first, _)) => first,
                Either::Right(_) => None,
            }
        };
        let mut finished: Vec<Finished> = first.into_iter().collect();
        finished.extend(self.ready().await);
        finished
    }

    async fn record(&mut self, finished: Vec<Finished>) -> Result<()> {
        let mut executions: Vec<(String, Vec<(Leased, Report)>)> = Vec::new();
        for finished in finished {
            match finished {
                Finished::Handled(row, result) => {
                    self.held.retain(|key| *key != row.key);
                    if let Err(error) = result {
                        self.failed(&row, &error).await?;
                    }
                }
                Finished::Call(begun, report) => {
                    let id = begun.execution_id;
                    match executions.iter_mut().find(|(known, _)| *known == id) {
                        Some((_, reports)) => reports.push((begun.row, report)),
                        None => executions.push((id, vec![(begun.row, report)])),
                    }
                }
            }
        }
        for (id, reports) in executions {
            self.record_calls(&id, &reports).await?;
            self.held
                .retain(|key| reports.iter().all(|(row, _)| row.key != *key));
        }
        Ok(())
    }

    /// Records the ends of calls of one execution in one transaction.
    async fn record_calls(&mut self, id: &str, reports: &[(Leased, Report)]) -> Result<()> {
        for _ in 0..3 {
            let now = self.clock.now();
            let holder = self.holder;
            let result = self
                .db
                .transaction(async |db| {
                    let keys: Vec<i64> = reports.iter().map(|(row, _)| row.key).collect();
                    // What somebody else took over in the meantime is theirs to report.
                    let ours = queue::finish(db, holder, &keys).await?;
                    let reports: Vec<Report> = reports
                        .iter()
                        .filter(|(row, _)| ours.contains(&row.key))
                        .map(|(_, report)| report.clone())
                        .collect();
                    if reports.is_empty() {
                        return Ok(());
                    }
                    driver::drive(db, id, reports, now).await.map(drop)
                })
                .await;
            match result {
                Ok(()) => return Ok(()),
                // The request was sent: its end is worth waiting for a busy database.
                Err(error) if error.kind() == Kind::Unavailable => {
                    self.clock.sleep(200).await;
                    self.renewed = Timestamp::from_millis(0);
                    self.renew(self.clock.now()).await?;
                }
                Err(error) => {
                    for (row, _) in reports {
                        self.failed(row, &error).await?;
                    }
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn renew(&mut self, now: Timestamp) -> Result<()> {
        let age = now.millis() - self.renewed.millis();
        if age < self.options.lease_millis / 3 {
            return Ok(());
        }
        self.renewed = now;
        let mut keys = self.held.clone();
        keys.extend(self.waiting.iter().map(|row| row.key));
        if keys.is_empty() {
            return Ok(());
        }
        match queue::renew(self.db, self.holder, &keys, self.options.lease_millis, now).await {
            Ok(ours) => {
                self.waiting.retain(|row| ours.contains(&row.key));
                Ok(())
            }
            Err(error) if error.kind() == Kind::Unavailable => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn return_waiting(&mut self, now: Timestamp) -> Result<()> {
        while let Some(row) = self.waiting.pop_front() {
            let why = row.last_error.unwrap_or_default();
            queue::give_back(self.db, self.holder, row.key, now, &why, false).await?;
        }
        Ok(())
    }

    /// Puts a row back to be tried again, or gives it up.
    async fn failed(&self, row: &Leased, error: &Error) -> Result<()> {
        let now = self.clock.now();
        if error.kind() == Kind::Unavailable {
            let later = now.plus_seconds(1);
            let why = error.for_log();
            return queue::give_back(self.db, self.holder, row.key, later, &why, false).await;
        }
        log::error(
            "queued work failed",
            &Error::internal(format!("{} {}: {}", row.kind, row.subject, error.for_log())),
        );
        if row.attempts >= self.options.attempts {
            return self.give_up(row, row.attempts, error.message()).await;
        }
        let seconds = 1_i64 << row.attempts.clamp(0, 8);
        let later = now.plus_seconds(seconds);
        queue::give_back(self.db, self.holder, row.key, later, &error.for_log(), true).await
    }

    /// Records that work cannot be done.
    async fn give_up(&self, row: &Leased, attempts: i64, why: &str) -> Result<()> {
        let now = self.clock.now();
        let text = format!("The control plane gave up after {attempts} attempts: {why}");
        let (holder, key, subject) = (self.holder, row.key, row.subject.as_str());
        let result = match row.kind.as_str() {
            EXECUTION => {
                self.db
                    .transaction(async |db| {
                        queue::finish(db, holder, &[key]).await?;
                        driver::give_up(db, subject, &text, now).await
                    })
                    .await
            }
            OPERATION | OPERATION_TIMEOUT => self.give_up_call(row, &text, now).await,
            kind if self.handlers.handles(kind) => {
                self.handlers.give_up(self.db, holder, row, &text).await
            }
            _ => queue::finish(self.db, holder, &[key]).await.map(drop),
        };
        if let Err(error) = result {
            log::error("work could not even be given up", &error);
            let later = now.plus_seconds(300);
            queue::give_back(self.db, holder, key, later, &error.for_log(), true).await?;
        }
        Ok(())
    }

    async fn give_up_call(&self, row: &Leased, text: &str, now: Timestamp) -> Result<()> {
        let holder = self.holder;
        let reported = self
            .db
            .transaction(async |db| {
                queue::finish(db, holder, &[row.key]).await?;
                let Some(id) = operations::execution_of(db, &row.subject).await? else {
                    return Ok(());
                };
                let outcome = Outcome::Failed(CallError::fatal(text));
                let report = Report {
                    operation: row.subject.clone(),
                    outcome,
                };
                driver::drive(db, &id, vec![report], now).await.map(drop)
            })
            .await;
        if reported.is_ok() {
            return Ok(());
        }
        // Its graph cannot be read: then the whole execution is over.
        self.db
            .transaction(async |db| {
                queue::finish(db, holder, &[row.key]).await?;
                match operations::execution_of(db, &row.subject).await? {
                    Some(id) => driver::give_up(db, &id, text, now).await,
                    None => Ok(()),
                }
            })
            .await
    }
}
