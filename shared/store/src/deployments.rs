//! Deployments: what a blueprint becomes with inputs, and what its workflows run on.
//!
//! A deployment's tenant, creator and visibility are copied into its nodes and node instances, so
//! that their lists need no join. Parents and consumers are known by labels, which are
//! looked up by value: `csys-obj-parent` on a child names its parent.

mod creation;
mod fields;
mod listing;
mod relatives;
pub(crate) mod site;
pub(crate) mod subs;
mod workflows;

pub use creation::{CREATE_WORKFLOW, Creation, record_creation};
pub use fields::{DEPLOYMENT, DEPLOYMENT_SHALLOW};
pub use listing::DEPLOYMENT_LIST;
pub use relatives::{
    children, consumers, find_keys, find_parents, is_below, label_values, link_parents,
    only_dependencies_of, parent_ids, unlink_parents,
};
pub(crate) use site::move_to_site;
pub use site::{demand_site, demand_site_as_wide};
pub use workflows::{SITUATIONS, of_each as workflows_of_each};

use crate::resource::{self, Head, TenantRow};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use windlass_core::db::{Db, Value};
use windlass_core::list::{Field, ListQuery, Resource, page};
use windlass_core::{Error, Result, Scope, Timestamp, Visibility, params};

/// Whose nodes and instances these are: what their rows repeat.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The deployment's row.
    pub key: i64,
    /// The deployment's id.
    pub id: String,
    /// Its tenant.
    pub tenant_name: String,
    /// Who made it.
    pub created_by: String,
    /// Who sees it.
    pub visibility: Visibility,
}

/// A deployment as far as code needs it.
#[derive(Clone, Debug, Deserialize)]
pub struct Deployment {
    /// The row.
    pub key: i64,
    /// The id.
    pub id: String,
    /// The tenant.
    pub tenant_name: String,
    /// Who made it.
    pub created_by: String,
    /// Who sees it.
    pub visibility: Visibility,
    /// The name shown to people.
    pub display_name: String,
    /// The blueprint's row.
    pub blueprint_key: i64,
    /// The blueprint's id.
    pub blueprint_id: String,
    /// The text from the plan.
    pub description: Option<String>,
    /// The inputs' values.
    pub inputs: Map<String, Json>,
    /// The outputs' definitions.
    pub outputs: Json,
    /// The capabilities' definitions.
    pub capabilities: Json,
    /// Tags from the plan.
    pub resource_tags: Option<Json>,
    /// Whether functions are left alone until somebody asks for their values.
    #[serde(deserialize_with = "number_as_bool")]
    pub runtime_only_evaluation: bool,
}

fn number_as_bool<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    i64::deserialize(deserializer).map(|number| number != 0)
}

impl Deployment {
    /// What its nodes and instances repeat.
    pub fn owner(&self) -> Owner {
        Owner {
            key: self.key,
            id: self.id.clone(),
            tenant_name: self.tenant_name.clone(),
            created_by: self.created_by.clone(),
            visibility: self.visibility,
        }
    }
}

/// The JSON from which [`Deployment`] is read.
const RECORD: &str = "json_object('key', key, 'id', id, 'tenant_name', tenant_name,
    'created_by', created_by, 'visibility', visibility, 'display_name', display_name,
    'blueprint_key', blueprint_key, 'blueprint_id', blueprint_id, 'description', description,
    'inputs', json(inputs), 'outputs', json(outputs), 'capabilities', json(capabilities),
    'resource_tags', json(resource_tags), 'runtime_only_evaluation', runtime_only_evaluation)";

/// A deployment that the caller can see. One of another tenant is not found, never forbidden.
///
/// # Errors
/// 404.
pub async fn find(db: &impl Db, scope: &Scope, id: &str) -> Result<Deployment> {
    find_optional(db, scope, id)
        .await?
        .ok_or_else(|| Error::not_found("Deployment", id))
}

/// As [`find`], with nothing instead of a refusal.
pub async fn find_optional(db: &impl Db, scope: &Scope, id: &str) -> Result<Option<Deployment>> {
    let sql = format!(
        "select {RECORD} from deployments where {} and id = ?4
         order by tenant_name = ?1 desc limit 1",
        Scope::VISIBLE
    );
    db.first_json(&sql, &scope.with(params![id])).await
}

/// A deployment by its row, which the caller got from a statement under its scope.
pub async fn by_key(db: &impl Db, key: i64) -> Result<Option<Deployment>> {
    db.first_json(
        &format!("select {RECORD} from deployments where key = ?1"),
        params![key],
    )
    .await
}

impl TenantRow for Deployment {
    const RESOURCE: &'static Resource = &DEPLOYMENT;

    fn head(&self) -> Head {
        Head {
            key: self.key,
            id: self.id.clone(),
            tenant_name: self.tenant_name.clone(),
            created_by: self.created_by.clone(),
            visibility: self.visibility,
        }
    }
}

/// What a new deployment is stored with.
#[derive(Clone, Debug, Default)]
pub struct NewDeployment {
    /// The id.
    pub id: String,
    /// Who sees it.
    pub visibility: Visibility,
    /// Who made it; the caller when absent.
    pub created_by: Option<String>,
    /// When it was made; now when absent.
    pub created_at: Option<Timestamp>,
    /// The blueprint's row.
    pub blueprint_key: i64,
    /// The blueprint's id.
    pub blueprint_id: String,
    /// The name shown to people.
    pub display_name: String,
    /// The site it is at.
    pub site_name: Option<String>,
    /// Whether functions are left alone until somebody asks for their values.
    pub runtime_only_evaluation: bool,
    /// Parts of the plan by the name of their column, see [`PLAN_COLUMNS`].
    pub plan: Map<String, Json>,
}

/// The columns that come from the plan. All but `description` hold JSON. In `workflows`,
/// `is_available` is the set of [`SITUATIONS`] in which it is true, a bit for each.
pub const PLAN_COLUMNS: [&str; 10] = [
    "description",
    "inputs",
    "outputs",
    "capabilities",
    "groups",
    "policy_types",
    "policy_triggers",
    "scaling_groups",
    "workflows",
    "resource_tags",
];

/// The columns that are stored as they come.
fn own_columns() -> impl Iterator<Item = &'static str> {
    PLAN_COLUMNS
        .into_iter()
        .filter(|column| *column != "workflows")
}

/// A value of a plan's column as it is stored; workflows are stored by a module of their own.
fn plan_value(column: &str, plan: &Map<String, Json>) -> Value {
    let value = plan.get(column).filter(|value| !value.is_null());
    match (column, value) {
        ("description", Some(Json::String(text))) => Value::from(text),
        ("description" | "resource_tags", None) => Value::Null,
        (_, None) => Value::from("{}"),
        (_, Some(value)) => Value::from(value),
    }
}

/// Stores a new deployment.
///
/// # Errors
/// 409 when somebody else was faster with the id.
pub async fn insert(db: &impl Db, scope: &Scope, new: &NewDeployment) -> Result<Owner> {
    let created_by = new.created_by.as_deref().unwrap_or(scope.username());
    let created_at = new.created_at.unwrap_or_else(Timestamp::now);
    let mut parameters = params![
        &new.id,
        scope.tenant(),
        created_by,
        new.visibility,
        created_at,
        new.blueprint_key,
        &new.blueprint_id,
        &new.display_name,
        new.site_name.as_deref(),
        new.runtime_only_evaluation,
    ]
    .to_vec();
    let (situations, workflows) = workflows::split(new.plan.get("workflows").unwrap_or(&json!([])));
    parameters.extend([Value::from(&situations), Value::from(&workflows)]);
    parameters.extend(own_columns().map(|column| plan_value(column, &new.plan)));
    let row = db
        .first(
            "insert into deployments (id, tenant_name, created_by, visibility, created_at,
                 updated_at, blueprint_key, blueprint_id, display_name, site_name,
                 runtime_only_evaluation, workflow_situations, workflows, description, inputs,
                 outputs, capabilities, groups, policy_types, policy_triggers, scaling_groups,
                 resource_tags)
             values (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
                 ?17, ?18, ?19, ?20, ?21) returning key",
            &parameters,
        )
        .await
        .map_err(|error| {
            if error.is_unique_violation() {
                resource::already_exists::<Deployment>(scope, &new.id)
            } else {
                error
            }
        })?;
    let row = row.ok_or_else(|| Error::internal("an insert answers its key"))?;
    Ok(Owner {
        key: row.integer(0)?,
        id: new.id.clone(),
        tenant_name: scope.tenant().to_owned(),
        created_by: created_by.to_owned(),
        visibility: new.visibility,
    })
}

/// Sets parts of the plan by the names of their columns; others stay.
pub async fn save_plan(db: &impl Db, key: i64, plan: &Map<String, Json>) -> Result<()> {
    if let Some(list) = plan.get("workflows") {
        workflows::save(db, key, list).await?;
    }
    for column in own_columns().filter(|column| plan.contains_key(*column)) {
        let sql = format!("update deployments set {column} = ?2 where key = ?1");
        db.execute(&sql, &[key.into(), plan_value(column, plan)])
            .await?;
    }
    Ok(())
}

/// Sets one attribute, and the time of change. Only constants may name the column.
async fn set(db: &impl Db, key: i64, column: &'static str, value: Value) -> Result<()> {
    let sql = format!("update deployments set {column} = ?2, updated_at = ?3 where key = ?1");
    db.execute(&sql, &[key.into(), value, Timestamp::now().into()])
        .await
}

/// Sets the name shown to people.
pub async fn set_display_name(db: &impl Db, key: i64, name: &str) -> Result<()> {
    set(db, key, "display_name", name.into()).await
}

/// Sets who sees it.
pub async fn set_visibility(db: &impl Db, key: i64, visibility: Visibility) -> Result<()> {
    set(db, key, "visibility", visibility.into()).await?;
    crate::nodes::set_visibility(db, key, visibility.name()).await
}

/// Who sees the blueprint of a deployment.
pub async fn blueprint_visibility(db: &impl Db, blueprint_key: i64) -> Result<Visibility> {
    let sql = "select visibility from blueprints where key = ?1";
    let row = db.first(sql, params![blueprint_key]).await?;
    let row = row.ok_or_else(|| Error::internal("a deployment's blueprint exists"))?;
    Visibility::parse(row.text(0)?, &Visibility::ALL)
}

/// Sets the blueprint.
pub async fn set_blueprint(db: &impl Db, key: i64, blueprint_key: i64, id: &str) -> Result<()> {
    set(db, key, "blueprint_key", blueprint_key.into()).await?;
    set(db, key, "blueprint_id", id.into()).await
}

/// Sets or takes away the site.
pub async fn set_site(db: &impl Db, key: i64, site: Option<&str>) -> Result<()> {
    set(db, key, "site_name", site.into()).await
}

/// Sets whether functions are left alone until somebody asks for their values.
pub async fn set_runtime_only(db: &impl Db, key: i64, value: bool) -> Result<()> {
    set(db, key, "runtime_only_evaluation", value.into()).await
}

/// Sets who made it, or when.
pub async fn set_origin(
    db: &impl Db,
    key: i64,
    created_by: Option<&str>,
    created_at: Option<Timestamp>,
) -> Result<()> {
    db.execute(
        "update deployments set created_by = coalesce(?2, created_by),
             created_at = coalesce(?3, created_at) where key = ?1",
        params![key, created_by, created_at],
    )
    .await
}

/// Notes that a deployment was changed.
pub async fn touch(db: &impl Db, key: i64) -> Result<()> {
    db.execute(
        "update deployments set updated_at = ?2 where key = ?1",
        params![key, Timestamp::now()],
    )
    .await
}

/// Deletes a deployment with its labels, nodes, instances and executions, and with its events,
/// which no foreign key takes along.
pub async fn delete(db: &impl Db, key: i64) -> Result<()> {
    db.execute("delete from events where deployment_key = ?1", params![key])
        .await?;
    db.execute("delete from deployments where key = ?1", params![key])
        .await
}

/// Whether the only thing that ever happened to a deployment is that it could not be made.
pub async fn is_failed_creation(db: &impl Db, key: i64) -> Result<bool> {
    let row = db
        .first(
            "select count(*), coalesce(sum(workflow_id = 'create_deployment_environment'
                 and status = 'failed'), 0) from executions where deployment_key = ?1",
            params![key],
        )
        .await?;
    row.map_or(Ok(false), |row| {
        Ok(row.integer(0)? == 1 && row.integer(1)? == 1)
    })
}

/// The ids of executions that keep a deployment from being deleted.
pub async fn unfinished_executions(db: &impl Db, key: i64) -> Result<Vec<String>> {
    let rows = db
        .query(
            "select id from executions where deployment_key = ?1 and status in ('pending',
                 'started', 'cancelling', 'force_cancelling', 'kill_cancelling', 'queued')
             order by key",
            params![key],
        )
        .await?;
    rows.iter()
        .map(|row| row.text(0).map(str::to_owned))
        .collect()
}

/// The ids of node instances that run, or may.
pub async fn live_instances(db: &impl Db, key: i64) -> Result<Vec<String>> {
    let rows = db
        .query(
            "select id from node_instances where deployment_key = ?1
                 and state not in ('uninitialized', 'deleted') order by key",
            params![key],
        )
        .await?;
    rows.iter()
        .map(|row| row.text(0).map(str::to_owned))
        .collect()
}

/// Whether the execution with this id is one that may change what others may not: an update.
pub async fn is_update_execution(db: &impl Db, execution: &str) -> Result<bool> {
    let row = db
        .first(
            "select 1 from executions where id = ?1
                 and workflow_id in ('update', 'csys_new_deployment_update')",
            params![execution],
        )
        .await?;
    Ok(row.is_some())
}

/// Whether the execution with this id was asked to stop.
pub async fn is_cancelling(db: &impl Db, execution: &str) -> Result<bool> {
    let row = db
        .first(
            "select 1 from executions where id = ?1
                 and status in ('cancelling', 'force_cancelling', 'kill_cancelling')",
            params![execution],
        )
        .await?;
    Ok(row.is_some())
}

static KEY: Field = Field::integer("key", "t.key");
static BLUEPRINT_KEY: Field = Field::integer("blueprint_key", "t.blueprint_key");

/// The first deployment of each blueprint among those a query selects: deployments of a
/// blueprint have the same workflows.
pub async fn first_of_each_blueprint(
    db: &impl Db,
    scope: &Scope,
    query: &ListQuery,
) -> Result<Vec<i64>> {
    #[derive(Deserialize)]
    struct Pair {
        key: i64,
        blueprint_key: i64,
    }
    let mut query = query.clone();
    query.include = Some(vec![&KEY, &BLUEPRINT_KEY]);
    query.paging.all_results = true;
    query.paging.offset = 0;
    let pairs: Vec<Pair> = page(db, &DEPLOYMENT.page_statement(scope, &query))
        .await?
        .parse()?;
    let mut seen = std::collections::HashSet::new();
    let first = pairs
        .into_iter()
        .filter(|pair| seen.insert(pair.blueprint_key));
    Ok(first.map(|pair| pair.key).collect())
}

#[cfg(test)]
#[path = "deployments/tests.rs"]
mod tests;
