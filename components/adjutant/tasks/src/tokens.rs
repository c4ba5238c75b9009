//! `/tokens` and `/tokens/{id}`: what somebody finishes a task with.

use crate::body::{self, notes};
use crate::{asked, gate, paging};
use serde_json::{Map, Value, json};
use windlass_adjutant::Settings;
use windlass_adjutant::filters::{Filter, Root};
use windlass_adjutant::lifecycle::{self, Brought, By};
use windlass_adjutant::tasks::{self, Task};
use windlass_adjutant::tokens::{self, Fresh, Held};
use windlass_core::db::Db;
use windlass_core::{Context, Error, Response, Result, Timestamp, platform};

/// `GET /tokens`: all tokens, newest first, also those that have expired.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::admin(ctx)?;
    let filter = Filter::parse(Root::Tokens, ctx.request.query_value("filters"))?;
    let listed = paging::read(&ctx.request, "tokens_per_page")?;
    let page = tokens::list(&ctx.db, &asker.scope, &filter, listed).await?;
    Ok(Response::json_text(200, page.envelope("tokens")).header("cache-control", "no-store"))
}

/// `POST /tokens`: another token for a task, which is mailed.
pub async fn reissue(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::moderator(ctx)?;
    let body = body::object(ctx)?;
    let Some(Value::String(task)) = body.get("task") else {
        return Err(Error::missing("task"));
    };
    if tasks::find(&ctx.db, &asker.scope, task).await?.is_none() {
        return Err(tasks::not_found());
    }
    let (settings, fresh) = (Settings::load(&ctx.db).await?, Fresh::new().await?);
    asked::count_mailing(ctx, &settings, &asker).await?;
    let by = By {
        scope: &asker.scope,
        settings: &settings,
        fresh: &fresh,
        now: Timestamp::now(),
    };
    let text = lifecycle::reissue(&ctx.db, &by, task).await?;
    platform::nudge();
    notes(200, text)
}

/// `DELETE /tokens`: forget those that have expired.
pub async fn delete_expired(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::admin(ctx)?;
    ctx.db
        .transaction(async |tx| tokens::delete_expired(tx, &asker.scope, Timestamp::now()).await)
        .await?;
    notes(200, "Deleted all expired tokens.")
}

/// `GET /tokens/{id}`: what a token is for, and what has to come with it. Open to everybody.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let (_, task) = waiting(ctx, ctx.path("id"), Timestamp::now()).await?;
    let actions: Vec<&str> = task
        .actions
        .iter()
        .map(|action| action.kind.name())
        .collect();
    let answer = ctx.ok(json!({
        "actions": actions,
        "required_fields": task.token_fields(),
        "task_type": task.task_type,
        "requires_authentication": false,
    }))?;
    Ok(answer.header("cache-control", "no-store"))
}

/// `POST /tokens/{id}`: finish the task. Open to everybody who has the token.
pub async fn submit(ctx: &Context<impl Db>) -> Result<Response> {
    let text = finish(ctx, ctx.path("id"), || body::object(ctx)).await?;
    notes(200, text)
}

/// A token, and the task that it finishes.
pub async fn waiting(ctx: &Context<impl Db>, token: &str, now: Timestamp) -> Result<(Held, Task)> {
    let held = tokens::find(&ctx.db, token, now).await?;
    let task = lifecycle::confirmable(&ctx.db, &held).await?;
    Ok((held, task))
}

/// Finishes a task with what came with its token, which is read when there is one.
pub async fn finish(
    ctx: &Context<impl Db>,
    token: &str,
    body: impl FnOnce() -> Result<Map<String, Value>>,
) -> Result<&'static str> {
    let now = Timestamp::now();
    let (held, task) = waiting(ctx, token, now).await?;
    task.demand_approved()?;
    let submitted = Brought::read(&task, &body()?)?.hashed()?;
    let (settings, fresh) = (Settings::load(&ctx.db).await?, Fresh::new().await?);
    let scope = lifecycle::holder_scope(&task);
    let by = By {
        scope: &scope,
        settings: &settings,
        fresh: &fresh,
        now,
    };
    let text = lifecycle::submit(&ctx.db, &by, &held, &submitted).await?;
    platform::nudge();
    Ok(text)
}
