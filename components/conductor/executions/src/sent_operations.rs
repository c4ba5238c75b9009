//! `/executions/{execution_id}/sent-operations`: a workflow that a worker runs sends operations, and waits for what
//! comes of them, with its execution's token.

use crate::caller::{allow_or_execution, demand_own};
use crate::operations::new_operation;
use serde_json::Value;
use std::time::{Duration, Instant};
use windlass_core::Body;
use windlass_core::db::{Db, KeptDb};
use windlass_core::{
    Context, Error, NextPart, Parts, Permission, Response, Result, Timestamp, ids, limits, log,
    platform,
};
use windlass_engine::sent_operations;
use windlass_store::executions::{self, Execution};

/// How often somebody who waits looks.
const EVERY: Duration = Duration::from_millis(50);
/// How often somebody who waits is sent a blank: the head of an answer alone may be taken for a broken one.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// The longest wait, in seconds.
const LONGEST: u64 = 25;
/// Who may do so besides the execution itself: administrators.
const OTHERS: Permission = Permission::SetExecutionDetails;

/// `POST /executions/{execution_id}/sent-operations`: sends an operation, once for each id.
pub async fn send(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = allow_or_execution(ctx, OTHERS)?;
    let id = ctx.path("execution_id");
    let body = Body::of(ctx)?;
    let operation_id = body.required_text("operation_id")?;
    ids::check_characters("operation_id", operation_id)?;
    let queue = body.filled_text("queue")?;
    for name in ["parameters", "queue"] {
        if let Some(value) = body.get(name) {
            limits::check_bytes(name, value)?;
        }
    }
    let mut operation = new_operation(operation_id, &body, Timestamp::now())?;
    operation.state = "sent".to_owned();
    ctx.db
        .transaction(async |tx| {
            let execution = executions::find(tx, &scope, id).await?;
            demand_own(ctx, id, OTHERS)?;
            scope.demand_own_tenant(&execution.id, &execution.tenant_name)?;
            sent_operations::send(tx, &execution, &operation, queue).await
        })
        .await?;
    platform::nudge();
    Ok(Response::empty(204).quiet())
}

/// `GET /executions/{execution_id}/sent-operations`: what came of them, the first `after` left out. Waits for more
/// if it is asked to.
pub async fn ended(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = allow_or_execution(ctx, OTHERS)?;
    let id = ctx.path("execution_id");
    let after = number(
        ctx.request.query_value("after"),
        "after",
        u64::from(u32::MAX),
    )?;
    let wait = number(ctx.request.query_value("wait"), "wait", LONGEST)?;
    let execution = executions::find(&ctx.db, &scope, id).await?;
    demand_own(ctx, id, OTHERS)?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let items = sent_operations::ended(&ctx.db, &execution, after).await?;
    if !items.is_empty() || wait == 0 {
        return Ok(Response::json(200, &serde_json::json!({ "items": items }))?.quiet());
    }
    let waiting = Waiting {
        db: ctx.db.clone(),
        execution,
        after,
        until: Instant::now() + Duration::from_secs(wait),
        has_begun: false,
        has_ended: false,
    };
    Ok(Response::live(200, "application/json", waiting).quiet())
}

/// A whole number of the query, 0 where there is none.
fn number(given: Option<&str>, name: &str, most: u64) -> Result<u64> {
    let Some(text) = given.filter(|text| !text.is_empty()) else {
        return Ok(0);
    };
    let number: Option<u64> = text.parse().ok().filter(|number| *number <= most);
    number.ok_or_else(|| {
        let text = format!("{name} must be 0 to {most}, not {text}");
        Error::bad_parameters(text)
    })
}

/// A workflow that waits for results.
struct Waiting<D> {
    db: D,
    execution: Execution,
    after: i64,
    until: Instant,
    has_begun: bool,
    has_ended: bool,
}

impl<D: Db> Parts for Waiting<D> {
    fn next(&mut self) -> NextPart<'_> {
        Box::pin(self.part())
    }
}

impl<D: Db> Waiting<D> {
    async fn part(&mut self) -> Result<Option<Vec<u8>>> {
        if self.has_ended {
            return Ok(None);
        }
        if !std::mem::replace(&mut self.has_begun, true) {
            return Ok(Some(b"{\"items\":[".to_vec()));
        }
        let quiet_until = Instant::now() + SIGN_OF_LIFE;
        loop {
            let now = Instant::now();
            let items = self.look().await;
            if !items.is_empty() || now >= self.until {
                self.has_ended = true;
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                return Ok(Some(format!("{}]}}", items.join(",")).into_bytes()));
            }
            if now >= quiet_until {
                return Ok(Some(b" ".to_vec()));
            }
            platform::sleep(EVERY).await;
        }
    }

    /// What goes wrong here is told by the next call: this answer has begun.
    async fn look(&mut self) -> Vec<Value> {
        let found = sent_operations::ended(&self.db, &self.execution, self.after).await;
        found.unwrap_or_else(|error| {
            log::error("results of operations could not be read", &error);
            self.until = Instant::now();
            Vec::new()
        })
    }
}
