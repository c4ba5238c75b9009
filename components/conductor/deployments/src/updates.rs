//! `/deployment-updates`: which updates of deployments there were, and how they went.

use serde_json::{Map, Value};
use windlass_core::db::{Db, KeptDb, Tx};
use windlass_core::{Body, Context, Error, Permission, Response, Result, Scope, Visibility, ids};
use windlass_store::deployment_updates::{
    self, DEPLOYMENT_UPDATE, DeploymentUpdate, NewUpdate, SHOWN, Shown, UpdateState,
};
use windlass_store::deployments;
use windlass_store::executions;
use windlass_store::resource::{self, New, Origin};

/// `GET /deployment-updates`: the updates of the tenant's deployments and of global ones.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::DeploymentUpdateList)?;
    ctx.list(&DEPLOYMENT_UPDATE, &scope).await
}

/// `GET /deployment-updates/{update_id}`.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::DeploymentUpdateGet)?;
    ctx.show(&DEPLOYMENT_UPDATE, &scope, ctx.path("update_id"), 200)
        .await
}

/// `POST /deployment-updates/{update_id}/update/finalize`: answers the update, which ends by itself. Old
/// clients still ask for it.
pub async fn finalize(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::DeploymentUpdateCreate)?;
    ctx.show(&DEPLOYMENT_UPDATE, &scope, ctx.path("update_id"), 200)
        .await
}

/// `PUT /deployment-updates/{update_id}`: the record of an update that was made elsewhere. Only
/// executions write it.
pub async fn put(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::DeploymentUpdateCreate)?;
    let id = ctx.path("update_id");
    let record = Record::of(&ctx.db, &scope, id, &Body::of(ctx)?).await?;
    ctx.include(&DEPLOYMENT_UPDATE)?;
    ctx.db
        .transaction(async |tx| {
            let deployment = deployments::find_own(tx, &scope, &record.deployment_id).await?;
            demand_execution(&scope)?;
            record.insert(tx, &scope, &deployment).await
        })
        .await?;
    ctx.show(&DEPLOYMENT_UPDATE, &scope, id, 200).await
}

fn demand_execution(scope: &Scope) -> Result<()> {
    match scope.caller()?.execution_id {
        Some(_) => Ok(()),
        None => Err(Error::forbidden(
            "Deployment update objects can only be created by executions",
        )),
    }
}

/// `POST /deployment-updates`: the records of many.
pub async fn bulk(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::DeploymentUpdateCreate)?;
    let body = Body::of(ctx)?;
    let given = body
        .objects("deployment_updates")?
        .ok_or_else(|| Error::missing("deployment_updates"))?;
    let mut records = Vec::with_capacity(given.len());
    for item in given {
        let item = Body::inner(&Value::Object(item), "deployment_updates")?;
        let id = item.text("id")?.or(item.text("update_id")?);
        let id = id.ok_or_else(|| Error::missing("id"))?;
        records.push(Record::of(&ctx.db, &scope, id, &item).await?);
    }
    if records.is_empty() {
        return Ok(Response::empty(204));
    }
    ctx.db
        .transaction(async |tx| {
            for record in &records {
                let deployment = deployments::find_own(tx, &scope, &record.deployment_id).await?;
                record.demand_ended(tx).await?;
                record.insert(tx, &scope, &deployment).await?;
            }
            Ok(())
        })
        .await?;
    Ok(Response::json_text(201, "null"))
}

/// `PATCH /deployment-updates/{update_id}`: how far it is, and what it changes.
pub async fn patch(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::DeploymentUpdateUpdate)?;
    let id = ctx.path("update_id");
    let body = Body::of(ctx)?;
    let (state, shown) = (state(&body)?, shown(&body)?);
    ctx.include(&DEPLOYMENT_UPDATE)?;
    ctx.db
        .transaction(async |tx| {
            let update: DeploymentUpdate = resource::find_own(tx, &scope, id).await?;
            deployment_updates::save(tx, &scope, &update, state, &shown).await
        })
        .await?;
    ctx.show(&DEPLOYMENT_UPDATE, &scope, id, 200).await
}

fn state(body: &Body) -> Result<Option<UpdateState>> {
    let Some(name) = body.text("state")? else {
        return Ok(None);
    };
    UpdateState::named(name).map(Some).ok_or_else(|| {
        let names = UpdateState::ALL.map(UpdateState::name).join(", ");
        Error::bad_parameters(format!("Invalid state `{name}`, it must be one of {names}"))
    })
}

/// What a body says of the changes: the fields of an update, some of which have a shorter name here.
fn shown(body: &Body) -> Result<Shown> {
    let mut shown = Shown::new();
    for field in SHOWN {
        let (name, is_list) = match field {
            "steps" => ("steps", true),
            "deployment_plan" => ("plan", false),
            "deployment_update_nodes" => ("nodes", true),
            "deployment_update_node_instances" => ("node_instances", false),
            other => (other, other != "modified_entity_ids"),
        };
        let Some((name, value)) = [name, field]
            .into_iter()
            .find_map(|name| body.get(name).map(|value| (name, value)))
        else {
            continue;
        };
        let fits = match is_list {
            true => value.is_array(),
            false => value.is_object(),
        };
        if !fits {
            let expected = if is_list { "list" } else { "dict" };
            return Err(Error::wrong_type(name, expected, value));
        }
        shown.insert(field.to_owned(), value.clone());
    }
    Ok(shown)
}

/// An update that was made elsewhere.
struct Record {
    new: New,
    deployment_id: String,
    state: UpdateState,
    execution_id: Option<String>,
    blueprints: [Option<String>; 2],
    inputs: [Map<String, Value>; 2],
    runtime_only_evaluation: bool,
    shown: Shown,
}

impl Record {
    async fn of(db: &impl Db, scope: &Scope, id: &str, body: &Body) -> Result<Self> {
        ids::check_characters("update_id", id)?;
        let text = |name: &str| Ok::<_, Error>(body.text(name)?.map(str::to_owned));
        let object = |name: &str| Ok::<_, Error>(body.object(name)?.cloned());
        let visibility = Visibility::for_creation(body.text("visibility")?, None)?;
        // The id is the caller's: that of something global says whether other tenants have it.
        visibility.demand_permitted(scope)?;
        Ok(Self {
            deployment_id: body.required_text("deployment_id")?.to_owned(),
            state: state(body)?.unwrap_or(UpdateState::Updating),
            execution_id: text("execution_id")?,
            blueprints: [
                text("old_blueprint_id")?,
                text("blueprint_id")?.or(text("new_blueprint_id")?),
            ],
            inputs: [
                object("old_inputs")?.unwrap_or_default(),
                object("inputs")?
                    .or(object("new_inputs")?)
                    .unwrap_or_default(),
            ],
            runtime_only_evaluation: body.boolean("runtime_only_evaluation")?.unwrap_or(false),
            shown: shown(body)?,
            new: New {
                id: id.to_owned(),
                visibility,
                origin: Origin::read(db, scope, body).await?,
            },
        })
    }

    /// Refuses the record of an execution that is still to run: what it reads there, it would carry out.
    async fn demand_ended(&self, tx: &impl Tx) -> Result<()> {
        let Some(id) = &self.execution_id else {
            return Ok(());
        };
        match executions::find_if_any(tx, &Scope::engine(), id).await? {
            Some(execution) if !execution.status.has_ended() => Err(Error::conflict(format!(
                "Execution `{id}` has not ended: only one that did can be recorded"
            ))),
            _ => Ok(()),
        }
    }

    async fn insert(
        &self,
        tx: &impl Tx,
        scope: &Scope,
        deployment: &deployments::Deployment,
    ) -> Result<()> {
        let [old_blueprint_id, new_blueprint_id] = &self.blueprints;
        let [old_inputs, new_inputs] = &self.inputs;
        let update = NewUpdate {
            deployment,
            state: self.state,
            execution_id: self.execution_id.as_deref(),
            old_blueprint_id: Some(
                old_blueprint_id
                    .as_deref()
                    .unwrap_or(&deployment.blueprint_id),
            ),
            new_blueprint_id: new_blueprint_id.as_deref(),
            old_inputs,
            new_inputs,
            runtime_only_evaluation: self.runtime_only_evaluation,
            shown: &self.shown,
        };
        deployment_updates::insert(tx, scope, &self.new, &update).await
    }
}
