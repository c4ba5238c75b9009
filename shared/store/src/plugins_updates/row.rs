//! The row of an update, as clients list it and as the engine reads it.

use serde::Deserialize;
use windlass_core::db::{Db, Tx};
use windlass_core::list::{COMMON, Field, Resource, concat};
use windlass_core::{Error, Permission, Result, Scope, params};

use super::{PluginsUpdateState, adopt};
use crate::audit::{self, Operation};
use crate::blueprints::Blueprint;
use crate::counts;
use crate::executions::{Execution, Status};
use crate::resource::fields::CREATED_AT;
use crate::resource::{self, Head, New, TenantRow};

const DEPLOYMENTS: &str = "(select json_group_array(deployment_id) from (
     select d.deployment_id from plugins_update_deployments d
     where d.update_key = t.key and t.all_tenants = 0 order by d.key))";

const BY_TENANT: &str = "(select json_group_object(tenant_name, json(ids)) from (
     select d.tenant_name, json_group_array(d.deployment_id) as ids from plugins_update_deployments d
     where d.update_key = t.key and t.all_tenants group by d.tenant_name))";

static FIELDS: [Field; 15] = concat(
    &[
        Field::text("id", "t.id"),
        Field::text("state", "t.state"),
        Field::text("blueprint_id", "t.blueprint_id"),
        Field::text("temp_blueprint_id", "t.temp_blueprint_id"),
        Field::text("execution_id", "t.execution_id"),
        Field::json("deployments_to_update", DEPLOYMENTS),
        Field::json("deployments_per_tenant", BY_TENANT),
        Field::boolean("forced", "t.forced"),
        Field::boolean("all_tenants", "t.all_tenants"),
        CREATED_AT,
    ],
    &COMMON,
);

/// Updates of plugins as the API shows them.
pub static PLUGINS_UPDATE: Resource = Resource {
    name: "PluginsUpdate",
    table: "plugins_updates t",
    fields: &FIELDS,
    search: None,
    of_tenant: true,
    counts: &[&counts::PLUGINS_UPDATES],
};

/// An update's row.
#[derive(Clone, Debug, Deserialize)]
pub struct PluginsUpdate(Head);

impl TenantRow for PluginsUpdate {
    const RESOURCE: &'static Resource = &PLUGINS_UPDATE;

    fn head(&self) -> &Head {
        &self.0
    }
}

/// What a new update is stored with, besides its id and who made it.
#[derive(Clone, Debug)]
pub struct NewPluginsUpdate<'a> {
    /// The blueprint that gets other plugins.
    pub blueprint: &'a Blueprint,
    /// The row of its copy.
    pub temp_blueprint_key: Option<i64>,
    /// The id of its copy, which may be gone.
    pub temp_blueprint_id: Option<&'a str>,
    /// Where the update stands.
    pub state: PluginsUpdateState,
    /// The execution that carries it out.
    pub execution_id: Option<&'a str>,
    /// Whether those who depend on the deployments are passed over.
    pub forced: bool,
    /// Whether deployments in other tenants are meant too.
    pub all_tenants: bool,
}

/// Stores an update, and answers its key. Nobody sees it who does not see the blueprint.
///
/// # Errors
/// 409 when the id is in use.
pub async fn insert(
    tx: &impl Tx,
    scope: &Scope,
    new: &New,
    update: &NewPluginsUpdate<'_>,
) -> Result<i64> {
    let columns = [
        ("blueprint_key", update.blueprint.key.into()),
        ("blueprint_id", (&update.blueprint.id).into()),
        ("temp_blueprint_key", update.temp_blueprint_key.into()),
        ("temp_blueprint_id", update.temp_blueprint_id.into()),
        ("state", update.state.into()),
        ("execution_id", update.execution_id.into()),
        ("forced", update.forced.into()),
        ("all_tenants", update.all_tenants.into()),
    ];
    let new = New {
        visibility: new.visibility.min(update.blueprint.visibility),
        ..new.clone()
    };
    let action = Permission::PluginsUpdateCreate;
    resource::insert_of::<PluginsUpdate>(tx, scope, &new, &columns, action).await?;
    let sql = "select key from plugins_updates where id = ?1 and tenant_name = ?2";
    let row = tx.first(sql, params![&new.id, scope.tenant()]).await?;
    row.ok_or_else(|| Error::internal("what was inserted can be read"))?
        .integer(0)
}

/// An update as the execution that carries it out reads it.
#[derive(Clone, Debug, Deserialize)]
pub struct Running {
    /// The row.
    pub key: i64,
    /// The id.
    pub id: String,
    /// Its tenant.
    pub tenant_name: String,
    /// Who asked for it.
    pub created_by: String,
    /// Where it stands.
    pub state: PluginsUpdateState,
    /// The blueprint that gets other plugins.
    pub blueprint_key: i64,
    /// Its id.
    pub blueprint_id: String,
    /// Its copy with these plugins; none when that is gone.
    pub temp_blueprint_key: Option<i64>,
    /// The copy's id.
    pub temp_blueprint_id: Option<String>,
    /// The execution that carries it out.
    pub execution_id: Option<String>,
}

const RUNNING: &str = "json_object('key', key, 'id', id, 'tenant_name', tenant_name,
    'created_by', created_by, 'state', state, 'blueprint_key', blueprint_key,
    'blueprint_id', blueprint_id, 'temp_blueprint_key', temp_blueprint_key,
    'temp_blueprint_id', temp_blueprint_id, 'execution_id', execution_id)";

/// The update that an execution carries out.
pub async fn of_execution(db: &impl Db, execution: &Execution) -> Result<Option<Running>> {
    let sql = format!(
        "select {RUNNING} from plugins_updates where execution_id = ?1 and tenant_name = ?2
         order by key limit 1"
    );
    let values = params![&execution.id, &execution.tenant_name];
    db.first_json(&sql, values).await
}

/// What the engine would read of an update.
pub async fn running(db: &impl Db, update: &PluginsUpdate) -> Result<Running> {
    let sql = format!("select {RUNNING} from plugins_updates where key = ?1");
    let found = db.first_json(&sql, params![update.0.key]).await?;
    found.ok_or_else(|| Error::not_found(PLUGINS_UPDATE.name, &update.0.id))
}

/// The ids of the updates of a blueprint that have not ended, but for one of them.
pub async fn active(db: &impl Db, blueprint: i64, but_for: Option<i64>) -> Result<Vec<String>> {
    let sql = format!(
        "select json_quote(id) from plugins_updates
         where blueprint_key = ?1 and state in {} and key is not ?2 order by key limit 100",
        PluginsUpdateState::ACTIVE
    );
    db.json_rows(&sql, params![blueprint, but_for]).await
}

/// Moves an update on, which its execution does and nobody asked for.
pub async fn set_state(tx: &impl Tx, update: i64, state: PluginsUpdateState) -> Result<()> {
    let sql = "update plugins_updates set state = ?2 where key = ?1";
    tx.execute(sql, params![update, state]).await
}

/// Ends an update whose deployments all have the copy, for a caller who asks for that.
pub async fn finalize(tx: &impl Tx, scope: &Scope, update: &Running) -> Result<()> {
    adopt(tx, update).await?;
    set_state(tx, update.key, PluginsUpdateState::Successful).await?;
    let action = Permission::PluginsUpdateCreate.name();
    let (name, operation) = (PLUGINS_UPDATE.name, Operation::Update);
    audit::insert_as(tx, scope, operation, action, name, &update.id).await
}

/// Has the updates of a blueprint that count as running although their execution has ended, or is gone,
/// count as failed.
pub async fn reevaluate(tx: &impl Tx, blueprint: &Blueprint) -> Result<()> {
    let sql = format!(
        "update plugins_updates set state = 'failed' where blueprint_key = ?1 and state in {}
           and coalesce((select x.status from executions x where x.id = execution_id), 'failed') in {}",
        PluginsUpdateState::ACTIVE,
        Status::sql_list(Status::has_ended)
    );
    tx.execute(&sql, params![blueprint.key]).await
}
