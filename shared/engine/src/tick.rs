//! One tick: leases due rows, does their work, records what came of it.
//!
//! Any number of ticks may run at the same time, in any process. A tick ends when nothing is due
//! or its time is used up; what it holds by then is finished first. If it dies, its leases run
//! out within seconds and another tick takes over. What a row means is none of its business: see
//! [`crate::dispatch`].

mod beside;
mod calls;
mod leases;

use crate::dispatch::{Dispatch, Run};
use crate::step::Report;
use beside::Beside;
use calls::Calls;
use futures_util::future::{LocalBoxFuture, select};
use leases::{Fate, Leases};
use serde::Serialize;
use std::collections::VecDeque;
use std::pin::pin;
use windlass_core::db::Db;
use windlass_core::outbound::{Clock, Outbound};
use windlass_core::{Result, Timestamp, ids, log};
use windlass_store::queue::{self, Leased, Room};

/// How a tick works.
#[derive(Clone, Debug)]
pub struct TickOptions {
    /// How long a lease holds without a sign of life, in milliseconds.
    pub lease_millis: i64,
    /// How long rows are taken, in milliseconds.
    pub budget_millis: i64,
    /// How many rows a tick holds at a time, and everybody together.
    pub room: Room,
    /// How often work may fail to be done before it is given up.
    pub failures: i64,
    /// How often whoever holds work may be gone before it is given up. Far more than `failures`:
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
            room: Room {
                here: 32,
                waiting: 128,
                waiting_in_all: 256,
            },
            failures: 10,
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
    dispatch: &impl Dispatch<D>,
    options: &TickOptions,
) -> Result<TickReport> {
    let holder = ids::random_text(16);
    let beside = Beside::default();
    let mut tick = Tick {
        leases: Leases::new(db, &holder, options, clock.now()),
        calls: Calls {
            db,
            outbound,
            holder: &holder,
            allow_private: options.allow_private,
        },
        clock,
        dispatch,
        waiting: VecDeque::new(),
        beside: &beside,
        ran: 0,
    };
    // Behind a pointer, so that the types of callers do not nest as deep as the work does.
    let work: LocalBoxFuture<'_, Result<()>> = Box::pin(tick.work(options.budget_millis));
    beside.along(work).await?;
    let next = queue::next_due(db).await?;
    let now = clock.now().millis();
    Ok(TickReport {
        ran: tick.ran,
        next_due: next.map(|next| next.saturating_sub(now).max(0)),
    })
}

/// A row whose work is done here, when its turn comes.
struct Waiting<'a> {
    row: Leased,
    work: LocalBoxFuture<'a, Result<()>>,
}

/// The end of work that ran beside others.
enum Finished {
    /// A call, with the execution it belongs to.
    Call(Leased, String, Report),
    /// Anything else.
    Other(Leased, Result<()>),
}

struct Tick<'t, 'a, D: Db, O, C, W> {
    leases: Leases<'a, D>,
    calls: Calls<'a, D, O>,
    clock: &'a C,
    dispatch: &'a W,
    waiting: VecDeque<Waiting<'a>>,
    beside: &'t Beside<'a>,
    ran: u64,
}

impl<'a, D: Db, O: Outbound, C: Clock, W: Dispatch<D>> Tick<'_, 'a, D, O, C, W> {
    async fn work(&mut self, budget_millis: i64) -> Result<()> {
        let begun = self.clock.now().millis();
        loop {
            let now = self.clock.now();
            let lost = self.leases.renew(now).await?;
            self.forget(&lost);
            if now.millis() - begun < budget_millis {
                self.lease(now).await?;
            } else {
                while let Some(Waiting { row, .. }) = self.waiting.pop_front() {
                    self.leases.return_unbegun(&row, now).await?;
                }
            }
            if let Some(Waiting { row, work }) = self.waiting.pop_front() {
                let result = work.await;
                self.ended(&row, result).await?;
                self.record(self.beside.take()).await?;
            } else if self.beside.is_empty() {
                return Ok(());
            } else {
                self.wait().await;
                self.record(self.beside.take()).await?;
            }
        }
    }

    async fn lease(&mut self, now: Timestamp) -> Result<()> {
        let leased = self.leases.take(now).await?;
        self.ran += leased.len() as u64;
        let (db, holder) = (self.leases.db, self.leases.holder);
        let mut calls = Vec::new();
        for row in leased {
            if let Some(why) = self.leases.why_hopeless(&row) {
                self.give_up(&row, row.attempts - 1, why).await?;
                continue;
            }
            match self.dispatch.run(db, holder, row.clone()) {
                Run::Call => calls.push(row),
                Run::Here(work) => self.waiting.push_back(Waiting { row, work }),
                Run::Beside(work) => {
                    let work = async move { Finished::Other(row, work.await) };
                    self.beside.push(work);
                }
            }
        }
        self.begin(calls).await
    }

    async fn begin(&mut self, rows: Vec<Leased>) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let keys: Vec<i64> = rows.iter().map(|row| row.key).collect();
        let (begun, failed) = self.calls.begin(rows, self.clock.now()).await;
        // Those that are not wanted any more were finished as they began.
        for key in keys {
            let runs = begun.iter().any(|call| call.row.key == key);
            if !runs && failed.iter().all(|(row, _)| row.key != key) {
                self.leases.release(key);
            }
        }
        for (row, error) in failed {
            self.ended(&row, Err(error)).await?;
        }
        for call in begun {
            let outbound = self.calls.outbound;
            self.beside.push(async move {
                let report = crate::calls::run(&call, outbound).await;
                Finished::Call(call.row, call.execution_id, report)
            });
        }
        Ok(())
    }

    /// Waits until something ends or the leases want to be renewed.
    async fn wait(&self) {
        self.beside.turn().await;
        let alarm = pin!(self.clock.sleep(self.leases.sign_of_life()));
        select(pin!(self.beside.some()), alarm).await;
    }

    async fn record(&mut self, finished: Vec<Finished>) -> Result<()> {
        let mut executions: Vec<(String, Vec<(Leased, Report)>)> = Vec::new();
        for finished in finished {
            match finished {
                Finished::Other(row, result) => self.ended(&row, result).await?,
                Finished::Call(row, id, report) => {
                    match executions.iter_mut().find(|(known, _)| *known == id) {
                        Some((_, reports)) => reports.push((row, report)),
                        None => executions.push((id, vec![(row, report)])),
                    }
                }
            }
        }
        for (id, reports) in executions {
            self.record_calls(&id, &reports).await?;
        }
        Ok(())
    }

    /// Records the ends of calls of one execution.
    async fn record_calls(&mut self, id: &str, reports: &[(Leased, Report)]) -> Result<()> {
        for _ in 0..3 {
            let recording: LocalBoxFuture<'_, Result<()>> =
                Box::pin(self.calls.record(id, reports, self.clock.now()));
            let result = recording.await;
            if Leases::<D>::is_busy(&result) {
                // The requests were sent: their end is worth waiting for a busy database.
                self.clock.sleep(200).await;
                let lost = self.leases.renew_now(self.clock.now()).await?;
                self.forget(&lost);
                continue;
            }
            for (row, _) in reports {
                self.ended(row, result.clone()).await?;
            }
            return Ok(());
        }
        for (row, _) in reports {
            self.leases.release(row.key);
        }
        Ok(())
    }

    /// Does not begin what is somebody else's by now.
    fn forget(&mut self, lost: &[i64]) {
        let leases = &mut self.leases;
        self.waiting.retain(|waiting| {
            let key = waiting.row.key;
            if lost.contains(&key) {
                leases.release(key);
                return false;
            }
            true
        });
    }

    /// Follows the end of a row's work: one that failed is tried again, or given up.
    async fn ended(&mut self, row: &Leased, result: Result<()>) -> Result<()> {
        self.leases.release(row.key);
        let Err(error) = result else { return Ok(()) };
        match self.leases.failed(row, &error, self.clock.now()).await? {
            Fate::TriedAgain => Ok(()),
            Fate::GivenUp => self.give_up(row, row.failures + 1, error.message()).await,
        }
    }

    /// Records that work cannot be done.
    async fn give_up(&mut self, row: &Leased, attempts: i64, why: &str) -> Result<()> {
        self.leases.release(row.key);
        let (db, holder) = (self.leases.db, self.leases.holder);
        let text = format!("The control plane gave up after {attempts} attempts: {why}");
        let given_up = self.dispatch.give_up(db, holder, row, &text).await;
        if let Err(error) = given_up {
            log::error("work could not even be given up", &error);
            let now = self.clock.now();
            self.leases.put_aside(row, &error, now).await?;
        }
        Ok(())
    }
}
