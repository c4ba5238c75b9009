//! The row of an update, as clients list it and as the engine reads it.

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use windlass_core::db::{Db, Tx};
use windlass_core::list::{COMMON, Field, Resource, concat};
use windlass_core::{Permission, Result, Scope, limits, params};

use super::UpdateState;
use crate::counts;
use crate::deployments::Owner;
use crate::executions::{Execution, Status};
use crate::resource::fields::{CREATED_AT, DEPLOYMENT_ID};
use crate::resource::{self, Head, New, TenantRow};

static FIELDS: [Field; 28] = concat(
    &[
        Field::text("id", "t.id"),
        DEPLOYMENT_ID,
        Field::text("old_blueprint_id", "t.old_blueprint_id"),
        Field::text("new_blueprint_id", "t.new_blueprint_id"),
        Field::json("old_inputs", "t.old_inputs"),
        Field::json("new_inputs", "t.new_inputs"),
        Field::text("state", "t.state"),
        Field::text("execution_id", "t.execution_id"),
        Field::json("steps", "coalesce(t.shown -> '$.steps', '[]')"),
        Field::json("deployment_plan", "t.shown -> '$.deployment_plan'"),
        Field::json(
            "deployment_update_nodes",
            "t.shown -> '$.deployment_update_nodes'",
        ),
        Field::json(
            "deployment_update_node_instances",
            "t.shown -> '$.deployment_update_node_instances'",
        ),
        // The original has it no longer, and its clients still ask for it.
        Field::json("deployment_update_deployment", "null"),
        Field::json("modified_entity_ids", "t.shown -> '$.modified_entity_ids'"),
        Field::json(
            "central_plugins_to_install",
            "coalesce(t.shown -> '$.central_plugins_to_install', '[]')",
        ),
        Field::json(
            "central_plugins_to_uninstall",
            "coalesce(t.shown -> '$.central_plugins_to_uninstall', '[]')",
        ),
        Field::boolean("runtime_only_evaluation", "t.runtime_only_evaluation"),
        Field::boolean("keep_old_deployment_dependencies", "0"),
        Field::json(
            "recursive_dependencies",
            "coalesce(t.shown -> '$.recursive_dependencies', '[]')",
        ),
        Field::json(
            "schedules_to_create",
            "coalesce(t.shown -> '$.schedules_to_create', '[]')",
        ),
        Field::json(
            "schedules_to_delete",
            "coalesce(t.shown -> '$.schedules_to_delete', '[]')",
        ),
        Field::json(
            "labels_to_create",
            "coalesce(t.shown -> '$.labels_to_create', '[]')",
        ),
        CREATED_AT,
    ],
    &COMMON,
);

/// Updates of deployments as the API shows them.
pub static DEPLOYMENT_UPDATE: Resource = Resource {
    name: "DeploymentUpdate",
    table: "deployment_updates t",
    fields: &FIELDS,
    search: None,
    of_tenant: true,
    counts: &[&counts::DEPLOYMENT_UPDATES],
};

/// An update's row.
#[derive(Clone, Debug, Deserialize)]
pub struct DeploymentUpdate(Head);

impl TenantRow for DeploymentUpdate {
    const RESOURCE: &'static Resource = &DEPLOYMENT_UPDATE;

    fn head(&self) -> &Head {
        &self.0
    }
}

/// What clients are shown of the changes, by the names in [`SHOWN`].
pub type Shown = Map<String, Json>;

/// The parts of an update that tell what it changes.
pub const SHOWN: [&str; 11] = [
    "steps",
    "deployment_plan",
    "deployment_update_nodes",
    "deployment_update_node_instances",
    "modified_entity_ids",
    "central_plugins_to_install",
    "central_plugins_to_uninstall",
    "recursive_dependencies",
    "schedules_to_create",
    "schedules_to_delete",
    "labels_to_create",
];

/// What a new update is stored with, besides its id and who made it.
#[derive(Clone, Debug)]
pub struct NewUpdate<'a> {
    /// The deployment that it changes.
    pub deployment: &'a Owner,
    /// Where it stands.
    pub state: UpdateState,
    /// The execution that carries it out.
    pub execution_id: Option<&'a str>,
    /// The blueprint before it.
    pub old_blueprint_id: Option<&'a str>,
    /// The blueprint after it.
    pub new_blueprint_id: Option<&'a str>,
    /// The inputs before it.
    pub old_inputs: &'a Map<String, Json>,
    /// The inputs after it.
    pub new_inputs: &'a Map<String, Json>,
    /// Whether functions are left alone afterwards until somebody asks for their values.
    pub runtime_only_evaluation: bool,
    /// What is known of the changes.
    pub shown: &'a Shown,
}

/// Stores an update. Its inputs are the deployment's, so nobody sees it who does not see that, whatever
/// visibility is asked for. Whether the caller may make something global is for them to ask who let
/// callers choose the id.
///
/// # Errors
/// 409 when the id is in use, 413 for more than is kept as one value.
pub async fn insert(tx: &impl Tx, scope: &Scope, new: &New, update: &NewUpdate<'_>) -> Result<()> {
    let object = |map: &Map<String, Json>| Json::Object(map.clone());
    let shown = object(update.shown);
    limits::check_bytes("The description of the update", &shown)?;
    let columns = [
        ("deployment_key", update.deployment.key.into()),
        ("deployment_id", (&update.deployment.id).into()),
        ("state", update.state.into()),
        ("execution_id", update.execution_id.into()),
        ("old_blueprint_id", update.old_blueprint_id.into()),
        ("new_blueprint_id", update.new_blueprint_id.into()),
        ("old_inputs", (&object(update.old_inputs)).into()),
        ("new_inputs", (&object(update.new_inputs)).into()),
        (
            "runtime_only_evaluation",
            update.runtime_only_evaluation.into(),
        ),
        ("shown", (&shown).into()),
        ("sees_private", scope.sees_private().into()),
    ];
    let new = New {
        visibility: new.visibility.min(update.deployment.visibility),
        ..new.clone()
    };
    let action = Permission::DeploymentUpdateCreate;
    resource::insert_of::<DeploymentUpdate>(tx, scope, &new, &columns, action).await
}

/// Saves what a caller says of an update: its state, and what it changes. Parts that are not named
/// stay as they are.
///
/// # Errors
/// 413 for more than is kept as one value.
pub async fn save(
    tx: &impl Tx,
    scope: &Scope,
    update: &DeploymentUpdate,
    state: Option<UpdateState>,
    parts: &Shown,
) -> Result<()> {
    let key = update.0.key;
    let sql = "select shown from deployment_updates where key = ?1";
    let row = tx.first(sql, params![key]).await?;
    let mut shown: Shown = row.map_or_else(|| Ok(Shown::new()), |row| row.json(0))?;
    shown.extend(parts.clone());
    let shown = Json::Object(shown);
    limits::check_bytes("The description of the update", &shown)?;
    let mut columns = vec![("shown", (&shown).into())];
    columns.extend(state.map(|state| ("state", state.into())));
    let action = Permission::DeploymentUpdateUpdate;
    resource::save(tx, scope, update, None, &columns, action).await
}

/// An update as the execution that carries it out reads it.
#[derive(Clone, Debug, Deserialize)]
pub struct Running {
    /// The row.
    pub key: i64,
    /// The id.
    pub id: String,
    /// Where it stands.
    pub state: UpdateState,
    /// The blueprint that the deployment is to have.
    pub new_blueprint_id: Option<String>,
    /// The inputs that it is to have.
    pub new_inputs: Map<String, Json>,
    /// 1 when functions are left alone afterwards.
    runtime_only_evaluation: i64,
    /// 1 when whoever asked for it sees what is private of others.
    sees_private: i64,
}

impl Running {
    /// Whether functions are left alone afterwards until somebody asks for their values.
    pub const fn runtime_only_evaluation(&self) -> bool {
        self.runtime_only_evaluation != 0
    }

    /// Whether whoever asked for it sees what is private of others.
    pub const fn sees_private(&self) -> bool {
        self.sees_private != 0
    }
}

/// The update that an execution carries out.
pub async fn of_execution(db: &impl Db, execution: &Execution) -> Result<Option<Running>> {
    let sql = "select json_object('key', key, 'id', id, 'state', state,
                   'new_blueprint_id', new_blueprint_id, 'new_inputs', json(new_inputs),
                   'runtime_only_evaluation', runtime_only_evaluation,
                   'sees_private', sees_private)
               from deployment_updates where execution_id = ?1 and deployment_key = ?2";
    db.first_json(sql, params![&execution.id, execution.deployment_key])
        .await
}

/// The row of a deployment's last update, not counting previews, if that one failed: what it left undone
/// is the next one's to do.
pub async fn latest_failed(
    db: &impl Db,
    deployment: i64,
    before: Option<i64>,
) -> Result<Option<i64>> {
    let sql = "select iif(state = 'failed', key, null) from deployment_updates
               where deployment_key = ?1 and state <> 'preview' and (?2 is null or key < ?2)
                 and (state <> 'failed'
                      or exists (select 1 from deployment_update_instances i where i.update_key = key))
               order by key desc limit 1";
    let row = db.first(sql, params![deployment, before]).await?;
    row.map_or(Ok(None), |row| row.optional_integer(0))
}

/// Moves an update on, which its execution does and nobody asked for.
pub async fn set_state(tx: &impl Tx, update: i64, state: UpdateState) -> Result<()> {
    let sql = "update deployment_updates set state = ?2 where key = ?1";
    tx.execute(sql, params![update, state]).await
}

/// The steps of an update, as they are shown.
pub async fn steps(db: &impl Db, update: i64) -> Result<Vec<Json>> {
    let sql = "select coalesce(shown -> '$.steps', '[]') from deployment_updates where key = ?1";
    let steps = db.first_json(sql, params![update]).await?;
    Ok(steps.unwrap_or_default())
}

/// Tells what an update changes, and the inputs that it gives, once its execution has found out.
pub async fn set_shown(
    tx: &impl Tx,
    update: i64,
    shown: &Shown,
    inputs: &Map<String, Json>,
) -> Result<()> {
    let sql = "update deployment_updates set shown = ?2, new_inputs = ?3 where key = ?1";
    let [shown, inputs] = [shown, inputs].map(|map| Json::Object(map.clone()));
    tx.execute(sql, params![update, &shown, &inputs]).await
}

/// Has the updates of a deployment that count as running although their execution has ended, or is
/// gone, count as failed.
pub async fn reevaluate(tx: &impl Tx, deployment: &Owner) -> Result<()> {
    let ended = Status::sql_list(Status::has_ended);
    let sql = format!(
        "update deployment_updates set state = 'failed'
         where deployment_key = ?1 and state in ('updating', 'executing_workflow', 'finalizing')
           and coalesce((select x.status from executions x where x.id = execution_id), 'failed') in {ended}"
    );
    tx.execute(&sql, params![deployment.key]).await
}
