//! `/execution-groups`: a workflow on all members of a deployment group.

use serde_json::{Map, Value};
use std::collections::HashMap;
use windlass_core::db::{Db, KeptDb};
use windlass_core::{
    Body, Context, Error, Permission, Response, Result, Scope, Timestamp, Visibility, ids,
    platform, python,
};
use windlass_engine::control::Action;
use windlass_engine::execution_groups::{self, GroupStart};
use windlass_store::execution_groups::{EXECUTION_GROUPS, only_of_deployment_group};
use windlass_store::resource::{New, Origin};

/// How many executions of a group run at a time where nobody says otherwise.
const CONCURRENCY: i64 = 5;

/// What may be asked of a group.
const ACTIONS: [Action; 5] = [
    Action::Cancel,
    Action::ForceCancel,
    Action::Kill,
    Action::Resume,
    Action::ForceResume,
];

/// `GET /execution-groups`.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::ExecutionGroupList)?;
    let mut query = ctx.list_query(&EXECUTION_GROUPS, &["deployment_group_id"])?;
    if let Some(id) = ctx.request.query_value("deployment_group_id") {
        only_of_deployment_group(&mut query, id);
    }
    ctx.page(&EXECUTION_GROUPS, &scope, &query).await
}

/// `GET /execution-groups/{execution_group_id}`.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::ExecutionGroupGet)?;
    let id = ctx.path("execution_group_id");
    ctx.show(&EXECUTION_GROUPS, &scope, id, 200).await
}

/// `POST /execution-groups`: starts a workflow on each member of a deployment group.
pub async fn start(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::ExecutionGroupCreate)?;
    let body = Body::of(ctx)?;
    let request = request(&scope, &body)?;
    let id = body.filled_text("id")?;
    if let Some(id) = id {
        scope.demand(Permission::SetExecutionGroupDetails)?;
        ids::check_characters("id", id)?;
    }
    let new = New {
        id: id.map_or_else(ids::new_uuid, str::to_owned),
        // Those who see the deployment group see this one.
        visibility: Visibility::default(),
        origin: Origin::read(&ctx.db, &scope, &body).await?,
    };
    ctx.include(&EXECUTION_GROUPS)?;
    let id = new.id.clone();
    ctx.db
        .transaction(async |tx| {
            execution_groups::start(tx, &scope, new.clone(), &request, Timestamp::now()).await
        })
        .await?;
    platform::nudge();
    ctx.show(&EXECUTION_GROUPS, &scope, &id, 200).await
}

/// `POST /execution-groups/{execution_group_id}`: stops its executions or lets them go on.
pub async fn act(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::ExecutionGroupCancel)?;
    ctx.include(&EXECUTION_GROUPS)?;
    let id = ctx.path("execution_group_id");
    let body = Body::of(ctx)?;
    let word = body.required_text("action")?;
    let action = ACTIONS.into_iter().find(|action| action.name() == word);
    let action = action.ok_or_else(|| {
        Error::bad_parameters(format!(
            "Invalid action: {word}, Valid action values are: {}",
            python::list(ACTIONS.map(Action::name))
        ))
    })?;
    ctx.db
        .transaction(async |tx| {
            execution_groups::act(tx, &scope, action, id, Timestamp::now()).await
        })
        .await?;
    platform::nudge();
    ctx.show(&EXECUTION_GROUPS, &scope, id, 200).await
}

/// `PATCH /execution-groups/{execution_group_id}`: how many run at a time, and where deployments go by what became of
/// their executions.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::ExecutionGroupUpdate)?;
    ctx.include(&EXECUTION_GROUPS)?;
    let id = ctx.path("execution_group_id");
    let body = Body::of(ctx)?;
    let concurrency = concurrency(&body)?;
    let targets = (
        body.filled_text("success_group_id")?,
        body.filled_text("failure_group_id")?,
    );
    ctx.db
        .transaction(async |tx| {
            execution_groups::set_targets(tx, &scope, id, targets).await?;
            match concurrency {
                Some(number) => {
                    let now = Timestamp::now();
                    execution_groups::set_concurrency(tx, &scope, id, number, now).await
                }
                None => Ok(()),
            }
        })
        .await?;
    platform::nudge();
    ctx.show(&EXECUTION_GROUPS, &scope, id, 200).await
}

fn concurrency(body: &Body) -> Result<Option<i64>> {
    let refuse = || {
        Err(Error::bad_parameters(
            "concurrency must be an integer greater than or equal to 0",
        ))
    };
    match body.get("concurrency") {
        None => Ok(None),
        Some(value) => match value.as_i64() {
            Some(number) if number >= 0 => Ok(Some(number)),
            _ => refuse(),
        },
    }
}

fn request(scope: &Scope, body: &Body) -> Result<GroupStart> {
    let objects = |name: &str| -> Result<Map<String, Value>> {
        Ok(body.object(name)?.cloned().unwrap_or_default())
    };
    let mut parameters = HashMap::new();
    for (deployment, value) in objects("parameters")? {
        match value {
            Value::Object(own) => drop(parameters.insert(deployment, own)),
            Value::Null => {}
            other => return Err(Error::wrong_type("parameters", "dict of dict", &other)),
        }
    }
    let mut restored = None;
    if let Some(items) = body.list("associated_executions")? {
        scope.demand(Permission::SetExecutionGroupDetails)?;
        let id = |item: &Value| match item.as_str() {
            Some(id) => Ok(id.to_owned()),
            None => Err(Error::wrong_type(
                "associated_executions",
                "list of str",
                item,
            )),
        };
        restored = Some(items.iter().map(id).collect::<Result<Vec<_>>>()?);
    }
    Ok(GroupStart {
        deployment_group_id: body.required_text("deployment_group_id")?.to_owned(),
        workflow_id: body.required_text("workflow_id")?.to_owned(),
        default_parameters: objects("default_parameters")?,
        parameters,
        force: body.flag("force")?.unwrap_or(false),
        concurrency: concurrency(body)?.unwrap_or(CONCURRENCY),
        restored,
    })
}
