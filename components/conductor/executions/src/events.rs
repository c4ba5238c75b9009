//! `/events`: what happened and what was said about it.
//!
//! Whatever runs an operation reports here with the token of its execution; everybody else needs
//! the permission. Clients that follow an execution read here all the time.

use crate::caller::{allow_or_execution, demand_own};
use serde_json::{Value, json};
use windlass_core::Body;
use windlass_core::db::{Db, KeptDb};
use windlass_core::list::Page;
use windlass_core::{Context, Error, Permission, Response, Result, Timestamp};
use windlass_store::events::{self, EventQuery, Kinds, NewEvent};
use windlass_store::execution_groups::{self, ExecutionGroup, GroupEvent};
use windlass_store::{deployments, executions, resource};

/// `GET /events`: a page of events, of logs or of the two.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow(Permission::EventList)?;
    let query = EventQuery::parse(&ctx.request, EventQuery::kinds(&ctx.request)?)?;
    let page = match ctx.request.query_value("execution_group_id") {
        Some(_) => execution_groups::list_events(&ctx.db, &scope, &query).await?,
        None => events::list(&ctx.db, &scope, &query).await?,
    };
    Ok(page.respond_unfiltered(&query))
}

/// `POST /events`: reports events and logs of one execution. They are a trail themselves, so
/// none is audited.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = allow_or_execution(ctx, Permission::EventCreate)?;
    let body = Body::of(ctx)?;
    let subject = reported_subject(ctx, &body)?;
    let rows = reported_rows(ctx, &body)?;
    if rows.is_empty() {
        return Ok(Response::empty(204));
    }
    let execution_id = match subject {
        Subject::Execution(id) => id,
        Subject::Group(id) => return create_of_group(ctx, &id, rows).await,
    };
    ctx.db
        .transaction(async |tx| {
            let execution = executions::find(tx, &scope, &execution_id).await?;
            demand_own(ctx, &execution.id, Permission::EventCreate)?;
            scope.demand_own_tenant(&execution.id, &execution.tenant_name)?;
            events::insert(tx, &execution, &rows).await
        })
        .await?;
    Response::json(201, &Value::Null)
}

/// `DELETE /events`: forgets the events of a deployment and, if asked, its logs. One that is gone
/// took its events along, so there are none.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::EventDelete)?;
    let deployment = ctx.request.query_value("deployment_id").unwrap_or_default();
    let kinds = EventQuery::kinds(&ctx.request)?;
    if deployment.is_empty()
        || !ctx
            .request
            .query_values("type")
            .any(|kind| kind == "cloudify_event")
    {
        return Err(Error::bad_parameters(
            "A deployment_id and the type cloudify_event must be given to delete events",
        ));
    }
    let query = EventQuery::parse(&ctx.request, kinds)?;
    let count = ctx
        .db
        .transaction(async |tx| {
            let found = deployments::find_optional(tx, &scope, deployment).await?;
            let Some(found) = found else {
                return Ok(0);
            };
            scope.demand_own_tenant(&found.id, &found.tenant_name)?;
            events::delete(tx, &scope, &found, &query).await
        })
        .await?;
    Ok(Page::of(json!([count]), 1).respond_unfiltered(&query))
}

/// Keeps what is reported about a group of executions as a whole.
async fn create_of_group(
    ctx: &Context<impl Db>,
    id: &str,
    rows: Vec<NewEvent>,
) -> Result<Response> {
    let scope = ctx.allow(Permission::EventCreate)?;
    let lines: Vec<GroupEvent> = rows
        .into_iter()
        .map(|row| GroupEvent {
            event_type: row.event_type,
            level: row.level,
            message: row.message,
        })
        .collect();
    ctx.db
        .transaction(async |tx| {
            let group: ExecutionGroup = resource::find_own(tx, &scope, id).await?;
            execution_groups::note(tx, &group, &lines, Timestamp::now()).await
        })
        .await?;
    Response::json(201, &Value::Null)
}

/// What a report is about.
enum Subject {
    Execution(String),
    Group(String),
}

/// The execution or group that a report names, else the execution that speaks.
fn reported_subject(ctx: &Context<impl Db>, body: &Body) -> Result<Subject> {
    let execution = body.filled_text("execution_id")?;
    let group = body.filled_text("execution_group_id")?;
    match (execution, group, &ctx.caller()?.execution_id) {
        (Some(_), Some(_), _) => Err(Error::conflict(
            "Pass either execution_id or execution_group_id, not both",
        )),
        (Some(id), None, _) => Ok(Subject::Execution(id.to_owned())),
        (None, Some(id), _) => Ok(Subject::Group(id.to_owned())),
        (None, None, Some(own)) => Ok(Subject::Execution(own.clone())),
        (None, None, None) => Err(Error::conflict(
            "Pass execution_id or execution_group_id, or use an execution token",
        )),
    }
}

fn reported_rows(ctx: &Context<impl Db>, body: &Body) -> Result<Vec<NewEvent>> {
    let names = (owned(body, "manager_name")?, owned(body, "agent_name")?);
    let mut rows = Vec::new();
    for (list, kind) in [("events", Kinds::Events), ("logs", Kinds::Logs)] {
        for item in body.list(list)?.into_iter().flatten() {
            let mut row = reported_row(ctx, &Body::inner(item, list)?, kind)?;
            (row.manager_name, row.agent_name) = names.clone();
            rows.push(row);
        }
    }
    Ok(rows)
}

/// One reported row. `timestamp` tells when it happened; only a restored one also tells when it
/// had arrived, as `timestamp` next to `reported_timestamp`.
fn reported_row(ctx: &Context<impl Db>, item: &Body, kind: Kinds) -> Result<NewEvent> {
    let mut row = NewEvent::event("", String::new());
    if let Some(time) = item.filled_text("timestamp")? {
        row.reported_timestamp = Timestamp::parse("timestamp", time)?;
    }
    if let Some(time) = item.filled_text("reported_timestamp")? {
        ctx.allow(Permission::SetTimestamp)?;
        if item.get("timestamp").is_some() {
            row.timestamp = row.reported_timestamp;
        }
        row.reported_timestamp = Timestamp::parse("reported_timestamp", time)?;
    }
    row.message = match item.get("message") {
        Some(Value::Object(_)) => owned(&item.inside("message")?, "text")?,
        _ => owned(item, "message")?,
    };
    row.message_code = owned(item, "message_code")?;
    row.operation = owned(item, "operation")?;
    let context = item.inside("context")?;
    // What is called a node here has always been an instance.
    row.node_instance_id = owned(&context, "node_id")?;
    row.source_id = owned(&context, "source_id")?;
    row.target_id = owned(&context, "target_id")?;
    if kind == Kinds::Events {
        row.event_type = Some(without_nul(item.required_text("event_type")?));
        let causes = context.list("task_error_causes")?;
        let causes = causes.or(item.list("error_causes")?).cloned();
        row.error_causes = causes.map_or(Value::Null, Value::Array);
        return Ok(row);
    }
    row.is_log = true;
    row.event_type = None;
    row.level = owned(item, "level")?;
    row.logger = owned(item, "logger")?;
    row.operation = owned(&context, "operation")?.or(row.operation);
    Ok(row)
}

fn owned(body: &Body, name: &str) -> Result<Option<String>> {
    Ok(body.text(name)?.map(without_nul))
}

/// Programs print what they like; a NUL would end the text for many of its readers.
fn without_nul(text: &str) -> String {
    text.replace('\0', "<NUL>")
}
