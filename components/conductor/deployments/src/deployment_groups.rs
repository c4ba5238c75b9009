//! `/deployment-groups`: deployments that are worked on together.

mod members;
mod new_deployments;

use members::Selection;
use serde_json::{Value, json};
use windlass_core::db::{Db, KeptDb, Tx};
use windlass_core::platform;
use windlass_core::{
    Body, Context, Kind, Permission, Response, Result, Scope, Timestamp, Visibility, ids,
};
use windlass_deployment::environment::Removal;
use windlass_deployment::groups::{self, Spec};
use windlass_store::blueprints;
use windlass_store::deployment_groups::{self, Changes, DEPLOYMENT_GROUPS, DeploymentGroup};
use windlass_store::labels::{self, Label};
use windlass_store::resource::{self, New, Origin};

/// `GET /deployment-groups`.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::DeploymentGroupList)?;
    ctx.list(&DEPLOYMENT_GROUPS, &scope).await
}

/// `GET /deployment-groups/{group_id}`.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::DeploymentGroupGet)?;
    ctx.show(&DEPLOYMENT_GROUPS, &scope, ctx.path("group_id"), 200)
        .await
}

/// `PUT /deployment-groups/{group_id}`: a new group, or changes to one. What is absent stays as it is.
pub async fn put(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::DeploymentGroupCreate)?;
    let id = ctx.path("group_id");
    let asked = Asked::read(ctx, &scope, id).await?;
    ctx.include(&DEPLOYMENT_GROUPS)?;
    ctx.db
        .transaction(async |tx| {
            let group = asked.save(tx, &scope, id).await?;
            if let Some(labels) = &asked.labels {
                let all = deployment_groups::members(tx, &Scope::engine(), &group).await?;
                deployment_groups::replace_labels(tx, &scope, &group, labels, &all).await?;
            }
            let chosen = asked.selection.find(tx, &scope).await?;
            if asked.selection.is_of_all() {
                deployment_groups::clear(tx, &group).await?;
            }
            add(tx, &scope, &group, &chosen, &asked.new_deployments).await
        })
        .await?;
    platform::nudge();
    ctx.show(&DEPLOYMENT_GROUPS, &scope, id, 200).await
}

/// `PATCH /deployment-groups/{group_id}`: members come, then members go.
pub async fn patch(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::DeploymentGroupUpdate)?;
    let id = ctx.path("group_id");
    let body = Body::of(ctx)?;
    let (added, removed) = (body.inside("add")?, body.inside("remove")?);
    let new_deployments = new_deployments::read(&added)?;
    let (added, removed) = (Selection::read(&added)?, Selection::read(&removed)?);
    ctx.include(&DEPLOYMENT_GROUPS)?;
    ctx.db
        .transaction(async |tx| {
            let group: DeploymentGroup = resource::find_own(tx, &scope, id).await?;
            let changes = Changes::default();
            let action = Permission::DeploymentGroupUpdate;
            deployment_groups::save(tx, &scope, &group, &changes, action).await?;
            let chosen = added.find(tx, &scope).await?;
            add(tx, &scope, &group, &chosen, &new_deployments).await?;
            let gone = removed.find(tx, &scope).await?;
            deployment_groups::remove(tx, &group, &gone).await
        })
        .await?;
    platform::nudge();
    ctx.show(&DEPLOYMENT_GROUPS, &scope, id, 200).await
}

/// `DELETE /deployment-groups/{group_id}`: its deployments stay, unless they are to be deleted too. Then
/// that begins in the background.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::DeploymentGroupDelete)?;
    let flag = |name| Ok(ctx.request.query_bool(name)?.unwrap_or(false));
    let removal = Removal {
        force: flag("force")?,
        recursive: flag("recursive")?,
    };
    let (deletes, delete_logs) = (flag("delete_deployments")?, flag("delete_logs")?);
    if deletes {
        scope.demand(Permission::DeploymentDelete)?;
    }
    let id = ctx.path("group_id");
    let executions = ctx
        .db
        .transaction(async |tx| {
            let group: DeploymentGroup = resource::find_own(tx, &scope, id).await?;
            let now = Timestamp::now();
            let executions = match deletes {
                true => {
                    let all =
                        groups::delete_deployments(tx, &scope, &group, removal, delete_logs, now);
                    Some(all.await?)
                }
                false => None,
            };
            deployment_groups::delete(tx, &scope, &group).await?;
            Ok(executions)
        })
        .await?;
    let Some(executions) = executions else {
        return Ok(Response::empty(204));
    };
    platform::nudge();
    ctx.ok(json!({ "execution_group_id": executions }))
}

/// Makes deployments members, those that are there and those that are to be made.
async fn add(
    tx: &impl Tx,
    scope: &Scope,
    group: &DeploymentGroup,
    chosen: &[i64],
    new_deployments: &[Spec],
) -> Result<()> {
    deployment_groups::join(tx, scope, group, chosen).await?;
    groups::create_deployments(tx, scope, group, new_deployments, Timestamp::now()).await?;
    deployment_groups::demand_room(tx, group).await
}

/// What a PUT asks for.
struct Asked {
    visibility: Option<Visibility>,
    origin: Origin,
    changes: Changes,
    labels: Option<Vec<Label>>,
    selection: Selection,
    new_deployments: Vec<Spec>,
}

impl Asked {
    async fn read(ctx: &Context<impl Db>, scope: &Scope, id: &str) -> Result<Self> {
        ids::check_characters("group_id", id)?;
        let body = Body::of(ctx)?;
        let blueprint = match body.filled_text("blueprint_id")? {
            Some(id) => Some(blueprints::find(&ctx.db, scope, id).await?.key),
            None => None,
        };
        let visibility = Visibility::of_update(&body)?;
        let inputs = body.object("default_inputs")?;
        Ok(Self {
            visibility,
            origin: Origin::read(&ctx.db, scope, &body).await?,
            changes: Changes {
                visibility,
                description: body.text("description")?.map(str::to_owned),
                default_blueprint: blueprint,
                default_inputs: inputs.cloned().map(Value::Object),
                creation_counter: body.integer("creation_counter")?,
            },
            labels: body.get("labels").map(labels::parse).transpose()?,
            selection: Selection::read(&body)?,
            new_deployments: new_deployments::read(&body)?,
        })
    }

    /// The group with what was asked for: a new one, or the one there is.
    async fn save(&self, tx: &impl Tx, scope: &Scope, id: &str) -> Result<DeploymentGroup> {
        match resource::find_own::<DeploymentGroup>(tx, scope, id).await {
            Ok(group) => {
                let action = Permission::DeploymentGroupCreate;
                deployment_groups::save(tx, scope, &group, &self.changes, action).await?;
                resource::find_own(tx, scope, id).await
            }
            Err(error) if error.kind() == Kind::NotFound => {
                let new = New {
                    id: id.to_owned(),
                    visibility: self.visibility.unwrap_or_default(),
                    origin: self.origin.clone(),
                };
                // Whoever names members that they do not see reads of those, not whether the name is taken.
                self.selection.find(tx, scope).await?;
                let columns = Changes {
                    visibility: None,
                    ..self.changes.clone()
                };
                deployment_groups::insert(tx, scope, &new, &columns).await
            }
            Err(error) => Err(error),
        }
    }
}
