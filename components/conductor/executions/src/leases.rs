//! `/operations/lease` and `/operations/leases/{lease_id}`: workers take operations, keep them, and say what
//! came of them. Workers who say so take shell steps of pipelines in the same way, and workflows.

mod outcome;
mod waiting;

use serde_json::Value;
use std::collections::HashMap;
use waiting::{Takes, Waiting, take};
use windlass_core::db::{Db, KeptDb};
use windlass_core::{
    Body, Context, Error, Permission, Response, Result, Scope, Timestamp, ids, limits, log,
    platform,
};
use windlass_engine::lease_kinds::LeaseKind;
use windlass_engine::leases::{self, Reported};
use windlass_engine::{shell_leases, workflow_leases};
use windlass_store::agents;
use windlass_store::operation_leases::Asked;

/// How long the version of a worker may be.
const LONGEST_VERSION: usize = 64;

/// The most queues that one worker serves.
const QUEUES: usize = 100;
/// The most results that are said at once.
const RESULTS: usize = 100;
/// The most bytes of one piece of console output.
const PIECE: usize = 64 << 10;

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
    let waiting = Waiting::begin(ctx.db.clone(), scope, asked, takes, wait).await;
    Ok(Response::live(200, "application/json", waiting).quiet())
}

/// `POST /operations/leases/{lease_id}/heartbeat`: keeps an operation, a step or a workflow, and tells whether it is to
/// be stopped. The first one of a step says that it begins; a workflow finds out by itself that it is cancelled.
pub async fn heartbeat(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::OperationLease)?;
    let (id, now) = (ctx.path("lease_id"), Timestamp::now());
    let (until, cancel) = match LeaseKind::of(id) {
        LeaseKind::Operation => leases::keep(&ctx.db, &scope, id, now).await?,
        LeaseKind::Step => (shell_leases::keep(&ctx.db, &scope, id, now).await?, false),
        LeaseKind::Workflow => (
            workflow_leases::keep(&ctx.db, &scope, id, now).await?,
            false,
        ),
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
    let (db, now) = (&ctx.db, Timestamp::now());
    let reported = Reported::new(id, outcome::read(&body)?, &outcome::sent(&body));
    match LeaseKind::of(id) {
        LeaseKind::Operation => leases::conclude(db, &scope, reported, now).await?,
        LeaseKind::Step => shell_leases::conclude(db, &scope, &reported, now).await?,
        LeaseKind::Workflow => workflow_leases::conclude(db, &scope, &reported, now).await?,
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
        let id = one.required_text("lease_id")?;
        reported.push(Reported::new(
            id,
            outcome::read(&one)?,
            &outcome::sent(&one),
        ));
    }
    let items = conclude(&ctx.db, &scope, reported).await?;
    platform::nudge();
    Ok(Response::json(200, &serde_json::json!({ "items": items }))?.quiet())
}

/// Ends leases of all kinds; for each, in the order of the reports, the status that it would have alone. Who
/// names one twice is told the worse.
async fn conclude(db: &impl Db, scope: &Scope, reported: Vec<Reported>) -> Result<Vec<Value>> {
    let now = Timestamp::now();
    let order: Vec<String> = reported.iter().map(|one| one.lease_id.clone()).collect();
    // Operations of one execution end together, the others one by one.
    let (mut operations, mut refused) = (Vec::new(), Vec::new());
    for one in reported {
        let done = match LeaseKind::of(&one.lease_id) {
            LeaseKind::Operation => {
                operations.push(one);
                continue;
            }
            LeaseKind::Step => shell_leases::conclude(db, scope, &one, now).await,
            LeaseKind::Workflow => workflow_leases::conclude(db, scope, &one, now).await,
        };
        refused.extend(done.err().map(|error| (one.lease_id, error)));
    }
    refused.extend(leases::conclude_all(db, scope, operations, now).await?);
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
