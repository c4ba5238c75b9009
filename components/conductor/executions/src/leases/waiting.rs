//! Workers that wait for something to do.
//!
//! Each is answered in two parts: the head and the beginning of the list leave at once, so a thousand workers that
//! wait hold none of the places of a core and no connection to the database. They take turns in looking: the more
//! wait for the same queues, the less often each does.

use serde_json::Value;
use std::cell::Cell;
use std::time::{Duration, Instant};
use windlass_core::db::Db;
use windlass_core::{Body, Error, NextPart, Parts, Result, Scope, Timestamp, log, platform};
use windlass_engine::{leases, shell_leases, workflow_leases};
use windlass_store::agents;
use windlass_store::operation_leases::{self, Asked};
use windlass_store::{shell_steps, workflow_leases as stored_workflows};

/// How often an instance looks for operations, whoever in it waits.
const EVERY: Duration = Duration::from_millis(25);
/// How long one of many who wait in an instance goes without looking.
const SELDOM: Duration = Duration::from_millis(500);
/// How often one of all who wait looks, wherever they do.
const ALL_TOGETHER: Duration = Duration::from_millis(10);
/// How often somebody who waits is sent a blank: who is gone is to be given nothing.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

thread_local! {
    /// How many wait in this instance.
    static WAITING: Cell<u32> = const { Cell::new(0) };
}

/// What a worker takes.
#[derive(Clone, Copy)]
pub enum Takes {
    /// Operations, and shell steps if it says so.
    Operations { steps: bool },
    /// Workflows and nothing else: they wait for operations, so they need places of their own.
    Workflows,
}

impl Takes {
    /// What the body of a call says.
    pub fn of(body: &Body) -> Result<Self> {
        let steps = body.boolean("shell_steps")?.unwrap_or(false);
        match body.text("kind")?.unwrap_or("operation") {
            "operation" => Ok(Self::Operations { steps }),
            "workflow" => Ok(Self::Workflows),
            other => {
                let text = format!("Invalid kind: {other}, valid are operation and workflow");
                Err(Error::bad_parameters(text))
            }
        }
    }

    /// Whether there is anything for it: a read, so that those who wait lock nobody out.
    async fn finds_one(self, db: &impl Db, scope: &Scope, queues: &[String]) -> Result<bool> {
        match self {
            Self::Workflows => stored_workflows::is_one_waiting(db, scope, queues).await,
            Self::Operations { steps } => Ok(operation_leases::is_one_waiting(db, scope, queues)
                .await?
                || steps && shell_steps::is_one_waiting(db, scope, queues).await?),
        }
    }
}

/// What a worker is given: workflows, or shell steps, if it takes them, and operations for the room that is left.
pub async fn take(db: &impl Db, scope: &Scope, asked: &Asked, takes: Takes) -> Result<Vec<Value>> {
    let now = Timestamp::now();
    let mut items = match takes {
        Takes::Workflows => return workflow_leases::lease(db, scope, asked, now).await,
        Takes::Operations { steps: false } => return leases::lease(db, scope, asked, now).await,
        Takes::Operations { steps: true } => shell_leases::lease(db, scope, asked, now).await?,
    };
    let most = asked.most.saturating_sub(items.len());
    if most > 0 {
        let rest = Asked {
            most,
            ..asked.clone()
        };
        items.extend(leases::lease(db, scope, &rest, now).await?);
    }
    Ok(items)
}

/// A place among those who wait in an instance, given back when its owner goes.
struct Seat;

impl Seat {
    fn take() -> Self {
        WAITING.set(WAITING.get() + 1);
        Self
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        WAITING.set(WAITING.get().saturating_sub(1));
    }
}

/// How far an answer is.
enum Step {
    Begins,
    Waits,
    Ended,
}

/// What somebody who waits finds.
enum Found {
    /// Operations, leased.
    Leases(Vec<Value>),
    /// Something that may still be there when the worker has proven to be.
    Perhaps,
    Nothing,
}

/// A worker that waits for operations.
pub struct Waiting<D> {
    db: D,
    scope: Scope,
    asked: Asked,
    takes: Takes,
    until: Instant,
    /// How long it goes without looking at least, because others look as well.
    pause: Duration,
    at: Step,
    /// Whether something waits, and the worker has taken a blank since.
    is_there: bool,
    _seat: Seat,
}

impl<D: Db> Parts for Waiting<D> {
    fn next(&mut self) -> NextPart<'_> {
        Box::pin(self.part())
    }
}

impl<D: Db> Waiting<D> {
    /// Waits for some seconds at most. That a worker waits is noted for the sake of others.
    pub async fn begin(db: D, scope: Scope, asked: Asked, takes: Takes, seconds: i64) -> Self {
        let now = Timestamp::now();
        let worker = (&*asked.worker, &*asked.queues);
        let times = (now, now.plus_seconds(seconds));
        let all = agents::worker_waits(&db, &scope, worker, times).await;
        let all = all.unwrap_or_else(|error| {
            log::error("that a worker waits could not be noted", &error);
            1
        });
        let pause = ALL_TOGETHER.saturating_mul(u32::try_from(all).unwrap_or(u32::MAX));
        Self {
            db,
            scope,
            asked,
            takes,
            until: Instant::now() + Duration::from_secs(seconds.unsigned_abs()),
            pause: pause.min(SIGN_OF_LIFE),
            at: Step::Begins,
            is_there: false,
            _seat: Seat::take(),
        }
    }

    async fn part(&mut self) -> Result<Option<Vec<u8>>> {
        match self.at {
            Step::Begins => {
                self.at = Step::Waits;
                Ok(Some(b"{\"items\":[".to_vec()))
            }
            Step::Waits => self.some().await.map(Some),
            Step::Ended => Ok(None),
        }
    }

    /// The leases that came, the end of an empty list, or a blank. A blank goes before leases too: when it
    /// cannot be sent the worker is gone, and takes nothing with it.
    async fn some(&mut self) -> Result<Vec<u8>> {
        let quiet_until = Instant::now() + SIGN_OF_LIFE;
        loop {
            let now = Instant::now();
            // What goes wrong here is told by the next call: this answer has begun.
            let found = self.look().await.unwrap_or_else(|error| {
                log::error("operations could not be leased", &error);
                self.until = now;
                Found::Nothing
            });
            match found {
                Found::Leases(items) => return Ok(self.end(&items)),
                Found::Perhaps => return Ok(b" ".to_vec()),
                Found::Nothing if now >= self.until => return Ok(self.end(&[])),
                Found::Nothing if now >= quiet_until => return Ok(b" ".to_vec()),
                Found::Nothing => {}
            }
            let left = self.until.saturating_duration_since(now);
            let pause = (EVERY * WAITING.get().max(1)).min(SELDOM).max(self.pause);
            platform::sleep(pause.min(left)).await;
        }
    }

    async fn look(&mut self) -> Result<Found> {
        if std::mem::take(&mut self.is_there) {
            let leased = take(&self.db, &self.scope, &self.asked, self.takes).await?;
            return Ok(match leased.is_empty() {
                true => Found::Nothing,
                false => {
                    self.waits_no_longer().await;
                    Found::Leases(leased)
                }
            });
        }
        let queues = &self.asked.queues;
        self.is_there = self.takes.finds_one(&self.db, &self.scope, queues).await?;
        Ok(match self.is_there {
            true => Found::Perhaps,
            false => Found::Nothing,
        })
    }

    /// Notes that others are to look more often. Whoever has operations already is given them in any case.
    async fn waits_no_longer(&self) {
        let told = agents::worker_has_work(&self.db, &self.scope, &self.asked.worker).await;
        if let Err(error) = told {
            log::error("that a worker has work could not be noted", &error);
        }
    }

    fn end(&mut self, items: &[Value]) -> Vec<u8> {
        self.at = Step::Ended;
        let items: Vec<String> = items.iter().map(ToString::to_string).collect();
        format!("{}]}}", items.join(",")).into_bytes()
    }
}
