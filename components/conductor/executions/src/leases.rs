//! `/operations/lease` and `/operations/leases/{lease_id}`: workers take operations, keep them, and say what
//! came of them. Workers who say so take shell steps of pipelines in the same way, and workflows.
//!
//! Who waits for operations is answered in two parts: the head and the beginning of the list leave at once,
//! so a thousand workers that wait hold none of the places of a core and no connection to the database. They take
//! turns in looking: the more wait for the same queues, the less often each does.

use serde_json::Value;
use std::cell::Cell;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use windlass_core::Body;
use windlass_core::db::{Db, KeptDb};
use windlass_core::{
    Context, Error, NextPart, Parts, Permission, Response, Result, Scope, Timestamp, ids, limits,
    log, platform,
};
use windlass_engine::leases::{self, Reported};
use windlass_engine::step::{CallError, Outcome};
use windlass_engine::{shell_leases, workflow_leases};
use windlass_store::agents;
use windlass_store::operation_leases::{self, Asked};
use windlass_store::{shell_steps, workflow_leases as stored_workflows};

/// How long the version of a worker may be.
const LONGEST_VERSION: usize = 64;

/// How often an instance looks for operations, whoever in it waits.
const EVERY: Duration = Duration::from_millis(25);
/// How long one of many who wait in an instance goes without looking.
const SELDOM: Duration = Duration::from_millis(500);
/// How often one of all who wait looks, wherever they do.
const ALL_TOGETHER: Duration = Duration::from_millis(10);
/// How often somebody who waits is sent a blank: who is gone is to be given nothing.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// The most queues that one worker serves.
const QUEUES: usize = 100;
/// The most results that are said at once.
const RESULTS: usize = 100;
/// The most bytes of one piece of console output.
const PIECE: usize = 64 << 10;
/// The longest a plugin may put its next try off, in seconds: a year.
const LONGEST_PAUSE: f64 = 31_536_000.0;

thread_local! {
    /// How many wait in this instance.
    static WAITING: Cell<u32> = const { Cell::new(0) };
}

/// `POST /operations/lease`: takes operations of some queues, and waits for them if it is asked to.
pub async fn lease(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow(Permission::OperationLease)?;
    let body = Body::of(ctx)?;
    let asked = asked(&body)?;
    let wait = within(&body, "wait", 0, 0, 25)?;
    let takes = Takes::of(&body)?;
    let version = body.text("version")?;
    if version.is_some_and(|version| version.len() > LONGEST_VERSION) {
        let text = format!("version must have at most {LONGEST_VERSION} characters");
        return Err(Error::bad_parameters(text));
    }
    let worker = (&*asked.worker, &*asked.queues, version);
    // It is a list that shows it, for which nobody goes without work.
    if let Err(error) = agents::see_worker(&ctx.db, &scope, worker, Timestamp::now()).await {
        log::error("that a worker is there could not be noted", &error);
    }
    let items = take(&ctx.db, &scope, &asked, takes).await?;
    if !items.is_empty() || wait == 0 {
        return Ok(Response::json(200, &serde_json::json!({ "items": items }))?.quiet());
    }
    let seconds = wait.unsigned_abs();
    let (now, worker) = (Timestamp::now(), (&*asked.worker, &*asked.queues));
    let times = (now, now.plus_seconds(wait));
    let all = agents::worker_waits(&ctx.db, &scope, worker, times).await;
    let all = all.unwrap_or_else(|error| {
        log::error("that a worker waits could not be noted", &error);
        1
    });
    let pause = ALL_TOGETHER.saturating_mul(u32::try_from(all).unwrap_or(u32::MAX));
    let waiting = Waiting {
        db: ctx.db.clone(),
        scope,
        asked,
        takes,
        until: Instant::now() + Duration::from_secs(seconds),
        pause: pause.min(SIGN_OF_LIFE),
        at: Step::Begins,
        is_there: false,
        _seat: Seat::take(),
    };
    Ok(Response::live(200, "application/json", waiting).quiet())
}

/// What a worker takes.
#[derive(Clone, Copy)]
enum Takes {
    /// Operations, and shell steps if it says so.
    Operations { steps: bool },
    /// Workflows and nothing else: they wait for operations, so they need places of their own.
    Workflows,
}

impl Takes {
    fn of(body: &Body) -> Result<Self> {
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
async fn take(db: &impl Db, scope: &Scope, asked: &Asked, takes: Takes) -> Result<Vec<Value>> {
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

/// `POST /operations/leases/{lease_id}/heartbeat`: keeps an operation, a step or a workflow, and tells whether it is to
/// be stopped. The first one of a step says that it begins; a workflow finds out by itself that it is cancelled.
pub async fn heartbeat(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::OperationLease)?;
    let (id, now) = (ctx.path("lease_id"), Timestamp::now());
    let (until, cancel) = if shell_leases::is_one(id) {
        (shell_leases::keep(&ctx.db, &scope, id, now).await?, false)
    } else if workflow_leases::is_one(id) {
        (
            workflow_leases::keep(&ctx.db, &scope, id, now).await?,
            false,
        )
    } else {
        leases::keep(&ctx.db, &scope, id, now).await?
    };
    let answer = serde_json::json!({ "expires_at": until, "cancel": cancel });
    Ok(Response::json(200, &answer)?.quiet())
}

/// `POST /operations/leases/{lease_id}/console`: what a step's script has printed since. It also keeps the
/// lease. Answers how many bytes more are kept.
pub async fn console(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::OperationLease)?;
    let id = ctx.path("lease_id");
    let body = Body::of(ctx)?;
    let text = body.text("text")?.ok_or_else(|| Error::missing("text"))?;
    if text.len() > PIECE {
        return Err(limits::too_large(PIECE));
    }
    let offset = within(&body, "offset", 0, 0, i64::from(u32::MAX) << 8)?;
    let room = shell_leases::print(&ctx.db, &scope, id, (offset, text), Timestamp::now()).await?;
    Ok(Response::json(200, &serde_json::json!({ "room": room }))?.quiet())
}

/// `POST /operations/leases/{lease_id}/result`: says what came of an operation, a step or a workflow.
pub async fn result(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::OperationLease)?;
    let id = ctx.path("lease_id");
    let body = Body::of(ctx)?;
    let outcome = outcome(&body)?;
    let (reported, now) = (Reported::new(id, outcome, &sent(&body)), Timestamp::now());
    if shell_leases::is_one(id) {
        shell_leases::conclude(&ctx.db, &scope, &reported, now).await?;
    } else if workflow_leases::is_one(id) {
        workflow_leases::conclude(&ctx.db, &scope, &reported, now).await?;
    } else {
        leases::conclude(&ctx.db, &scope, reported, now).await?;
    }
    platform::nudge();
    Ok(Response::empty(204).quiet())
}

/// `POST /operations/leases/results`: says what came of many. Each is answered as it would be alone; a body
/// that is wrong anywhere is refused as a whole.
pub async fn results(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::OperationLease)?;
    let body = Body::of(ctx)?;
    let list = body
        .list("results")?
        .ok_or_else(|| Error::missing("results"))?;
    if list.is_empty() || list.len() > RESULTS {
        let text = format!("results must have 1 to {RESULTS} items");
        return Err(Error::bad_parameters(text));
    }
    let mut reported = Vec::with_capacity(list.len());
    for item in list {
        let Value::Object(fields) = item else {
            return Err(Error::wrong_type("results", "list of dict", item));
        };
        let one = Body::from(fields.clone());
        let outcome = outcome(&one)?;
        let id = one.required_text("lease_id")?;
        reported.push(Reported::new(id, outcome, &sent(&one)));
    }
    let items = conclude(&ctx.db, &scope, reported).await?;
    platform::nudge();
    Ok(Response::json(200, &serde_json::json!({ "items": items }))?.quiet())
}

/// What was sent of a result, the same whether it came alone or with others: who does not know whether it
/// arrived may tell it again in either way.
fn sent(body: &Body) -> String {
    let of_the_result = ["status", "result", "error"].map(|name| body.get(name));
    serde_json::json!(of_the_result).to_string()
}

/// Ends leases of all kinds; for each, in the order of the reports, the status that it would have alone. Who
/// names one twice is told the worse.
async fn conclude(db: &impl Db, scope: &Scope, reported: Vec<Reported>) -> Result<Vec<Value>> {
    let now = Timestamp::now();
    let order: Vec<String> = reported.iter().map(|one| one.lease_id.clone()).collect();
    let (operations, others): (Vec<Reported>, Vec<Reported>) =
        reported.into_iter().partition(|one| {
            !shell_leases::is_one(&one.lease_id) && !workflow_leases::is_one(&one.lease_id)
        });
    let mut refused = leases::conclude_all(db, scope, operations, now).await?;
    for one in others {
        let done = match shell_leases::is_one(&one.lease_id) {
            true => shell_leases::conclude(db, scope, &one, now).await,
            false => workflow_leases::conclude(db, scope, &one, now).await,
        };
        refused.extend(done.err().map(|error| (one.lease_id, error)));
    }
    let refused: HashMap<String, Error> = refused.into_iter().collect();
    let answer = |id: String| match refused.get(&id) {
        None => serde_json::json!({ "lease_id": id, "status": 204 }),
        Some(error) => {
            let (status, code) = error.kind().wire();
            serde_json::json!({
                "lease_id": id, "status": status, "error_code": code, "message": error.message(),
            })
        }
    };
    Ok(order.into_iter().map(answer).collect())
}

fn asked(body: &Body) -> Result<Asked> {
    let worker = body.required_text("worker")?.to_owned();
    ids::check_name("worker", &worker)?;
    let list = body
        .list("queues")?
        .ok_or_else(|| Error::missing("queues"))?;
    let queues: Vec<String> = list
        .iter()
        .map(|queue| match queue.as_str() {
            Some(queue) if !queue.is_empty() => Ok(queue.to_owned()),
            _ => Err(Error::wrong_type("queues", "list of str", queue)),
        })
        .collect::<Result<_>>()?;
    if queues.is_empty() || queues.len() > QUEUES {
        let text = format!("queues must name 1 to {QUEUES} queues");
        return Err(Error::bad_parameters(text));
    }
    let most = within(body, "max", 1, 1, 100)?;
    Ok(Asked {
        worker,
        queues,
        most: usize::try_from(most).unwrap_or(1),
        seconds: within(body, "lease_seconds", 60, 10, 600)?,
    })
}

/// A whole number that has to be in a range.
fn within(body: &Body, name: &str, default: i64, least: i64, most: i64) -> Result<i64> {
    let number = body.integer(name)?.unwrap_or(default);
    if (least..=most).contains(&number) {
        return Ok(number);
    }
    let text = format!("{name} must be {least} to {most}, not {number}");
    Err(Error::bad_parameters(text))
}

/// What a result says. An `error` is wanted of everything but a success.
fn outcome(body: &Body) -> Result<Outcome> {
    let status = body.required_text("status")?;
    if let Some(result) = body.get("result") {
        limits::check_bytes("result", result)?;
    }
    if status == "succeeded" {
        return Ok(Outcome::Succeeded {
            result: match body.get("result") {
                // Events show it, and a NUL would end the text for many of their readers.
                Some(Value::String(text)) => text.replace('\0', "<NUL>").into(),
                other => other.cloned().unwrap_or_default(),
            },
            runtime_properties: Default::default(),
        });
    }
    let failed: fn(CallError) -> Outcome = match status {
        "failed" => Outcome::Failed,
        "rescheduled" => Outcome::Rescheduled,
        _ => {
            let text =
                format!("Invalid status: {status}, valid are succeeded, failed and rescheduled");
            return Err(Error::bad_parameters(text));
        }
    };
    if let Some(error) = body.get("error") {
        limits::check_bytes("error", error)?;
    }
    let error = body
        .object("error")?
        .ok_or_else(|| Error::missing("error"))?;
    Ok(failed(call_error(&Body::from(error.clone()))?))
}

fn call_error(error: &Body) -> Result<CallError> {
    let text = |name| -> Result<Option<String>> {
        Ok(error.text(name)?.map(|text| text.replace('\0', "<NUL>")))
    };
    let retry_after = match error.get("retry_after") {
        None => None,
        Some(value) => match value.as_f64() {
            Some(seconds) if (0.0..=LONGEST_PAUSE).contains(&seconds) => {
                Some(windlass_engine::workflows::milliseconds(seconds))
            }
            _ => return Err(Error::wrong_type("retry_after", "number of seconds", value)),
        },
    };
    Ok(CallError {
        kind: text("type")?.unwrap_or_else(|| "RecoverableError".into()),
        message: text("message")?.ok_or_else(|| Error::missing("message"))?,
        traceback: text("traceback")?,
        recoverable: error.boolean("recoverable")?.unwrap_or(true),
        retry_after,
    })
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
struct Waiting<D> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_the_same_alone_and_with_others() {
        let read = |text: &str| {
            let value: Value = serde_json::from_str(text).unwrap();
            sent(&Body::from(value.as_object().unwrap().clone()))
        };
        let alone = read(r#"{"status": "succeeded", "result": [7]}"#);
        let with_others = read(r#"{"lease_id": "l", "result": [7], "status": "succeeded"}"#);
        assert_eq!(alone, with_others);
        assert_ne!(alone, read(r#"{"status": "succeeded", "result": [8]}"#));
        assert_ne!(alone, read(r#"{"status": "succeeded", "error": [7]}"#));
    }

    #[test]
    fn an_error_is_no_larger_than_one_value_may_be() {
        let told = |length: usize| {
            let error = serde_json::json!({ "message": "wet", "traceback": "x".repeat(length) });
            let body = serde_json::json!({ "status": "failed", "error": error });
            outcome(&Body::from(body.as_object().unwrap().clone())).map(drop)
        };
        assert!(told(1000).is_ok());
        let refusal = told(1 << 20).unwrap_err();
        assert_eq!(refusal.kind(), windlass_core::Kind::PayloadTooLarge);
        assert!(
            refusal.message().starts_with("error has "),
            "{}",
            refusal.message()
        );
    }
}
