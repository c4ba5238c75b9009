//! `/tasks` and `/tasks/{uuid}`: what was asked for, and what becomes of it.

use crate::body::{self, notes};
use crate::{gate, paging};
use serde_json::Value;
use windlass_adjutant::filters::{Filter, Root};
use windlass_adjutant::lifecycle::{self, By};
use windlass_adjutant::tokens::Fresh;
use windlass_adjutant::{Settings, tasks};
use windlass_core::db::Db;
use windlass_core::{Context, Error, Response, Result, Timestamp, platform};

/// `GET /tasks`: all tasks, newest first, or those that a filter leaves.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::admin(ctx)?;
    let filter = Filter::parse(Root::Tasks, ctx.request.query_value("filters"))?;
    let listed = paging::read(&ctx.request, "tasks_per_page")?;
    let page = tasks::list(&ctx.db, &asker.scope, &filter, listed).await?;
    Ok(Response::json_text(200, page.envelope("tasks")))
}

/// `GET /tasks/{uuid}`: one task, for administrators and for who looks after its project.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::moderator(ctx)?;
    let task = tasks::show(&ctx.db, &asker.scope, ctx.path("uuid")).await?;
    Ok(Response::json_text(200, task))
}

/// `PUT /tasks/{uuid}`: another request in the place of one that nobody has approved.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::moderator(ctx)?;
    let body = body::object(ctx)?;
    let (settings, fresh) = (Settings::load(&ctx.db).await?, Fresh::new().await?);
    let by = By {
        scope: &asker.scope,
        settings: &settings,
        fresh: &fresh,
        now: Timestamp::now(),
    };
    let text = lifecycle::update(&ctx.db, &by, ctx.path("uuid"), &body, &asker.roles).await?;
    platform::nudge();
    notes(200, text)
}

/// `POST /tasks/{uuid}`: approve, once or again.
pub async fn approve(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::admin(ctx)?;
    let body = body::object_or_nothing(ctx)?;
    if body.get("approved") != Some(&Value::Bool(true)) {
        let error = Error::bad_parameters("The task is not approved");
        return Err(error.field("approved", "this is a required boolean field."));
    }
    let (settings, fresh) = (Settings::load(&ctx.db).await?, Fresh::new().await?);
    let by = By {
        scope: &asker.scope,
        settings: &settings,
        fresh: &fresh,
        now: Timestamp::now(),
    };
    let text = lifecycle::approve(&ctx.db, &by, ctx.path("uuid"), &asker.identity).await?;
    platform::nudge();
    notes(200, text)
}

/// `DELETE /tasks/{uuid}`: call a task off.
pub async fn cancel(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::moderator(ctx)?;
    let text = lifecycle::cancel(&ctx.db, &asker.scope, ctx.path("uuid")).await?;
    notes(200, text)
}
