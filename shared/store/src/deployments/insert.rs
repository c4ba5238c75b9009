//! Storing a new deployment.

use serde_json::{Map, Value as Json, json};
use windlass_core::db::{Tx, Value};
use windlass_core::{Error, Result, Scope, Timestamp, Visibility, params};

use super::{DEPLOYMENT, Owner, workflows};
use crate::audit;

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
pub(super) fn own_columns() -> impl Iterator<Item = &'static str> {
    PLAN_COLUMNS
        .into_iter()
        .filter(|column| *column != "workflows")
}

/// A value of a plan's column as it is stored; workflows are stored by a module of their own.
pub(super) fn plan_value(column: &str, plan: &Map<String, Json>) -> Value {
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
pub async fn insert(tx: &impl Tx, scope: &Scope, new: &NewDeployment) -> Result<Owner> {
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
    let row = tx
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
                already_exists(scope, &new.id)
            } else {
                error
            }
        })?;
    let row = row.ok_or_else(|| Error::internal("an insert answers its key"))?;
    audit::insert(tx, scope, "deployment_create", DEPLOYMENT.name, &new.id).await?;
    Ok(Owner {
        key: row.integer(0)?,
        id: new.id.clone(),
        tenant_name: scope.tenant().to_owned(),
        created_by: created_by.to_owned(),
        visibility: new.visibility,
    })
}

/// 409: the id is in use.
pub fn already_exists(scope: &Scope, id: &str) -> Error {
    let tenant = scope.tenant();
    Error::conflict(format!(
        "<Deployment id=`{id}` tenant=`{tenant}`> already exists on <Tenant name=`{tenant}`> \
         or with global visibility"
    ))
}
