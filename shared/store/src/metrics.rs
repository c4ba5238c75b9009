//! Metrics: what clients measured about executions, and what the executions themselves tell.

mod overview;

pub use overview::{Average, Span, overview};

use crate::{audit, counts};
use windlass_core::db::{Tx, Value};
use windlass_core::list::{Field, Resource};
use windlass_core::{Error, Permission, Result, Scope, Timestamp, params};

/// An id of digits alone is shown as a number: clients sent it as one.
const ID: &str = "iif(t.id glob '[1-9]*' and t.id not glob '*[^0-9]*' and length(t.id) < 16,
     t.id, json_quote(t.id))";

static FIELDS: [Field; 7] = [
    Field::json("id", ID),
    Field::text("blueprint_id", "t.blueprint_id"),
    Field::text("deployment_id", "t.deployment_id"),
    Field::text("execution_id", "t.execution_id"),
    Field::text("timestamp", "t.timestamp"),
    Field::text("name", "t.name"),
    Field::text("value", "t.value"),
];

/// Metrics as the API shows them. What is looked for by its id is looked for by [`WITH_ID`].
pub static METRICS: Resource = Resource {
    name: "Metric",
    table: "metrics t",
    fields: &FIELDS,
    search: None,
    of_tenant: true,
    counts: &[&counts::METRICS],
};

/// The condition of one id, as it was given.
pub const WITH_ID: &str = "t.id = {}";

/// What somebody measured.
#[derive(Clone, Debug)]
pub struct Measured {
    /// What it is called.
    pub id: String,
    /// The blueprint.
    pub blueprint_id: String,
    /// Its deployment.
    pub deployment_id: String,
    /// The execution of that.
    pub execution_id: String,
    /// When it was measured.
    pub timestamp: Timestamp,
    /// What was measured.
    pub name: String,
    /// The value.
    pub value: String,
}

/// Stores what was measured. Whoever sees the execution sees it, so it is for the execution's own tenant to
/// tell.
///
/// # Errors
/// 404 for a blueprint, a deployment or an execution that the caller does not see; 400 for a global
/// execution of another tenant; 409 for an id that is in use.
pub async fn insert(tx: &impl Tx, scope: &Scope, new: &Measured) -> Result<()> {
    for (name, table, id) in [
        ("Blueprint", "blueprints", &new.blueprint_id),
        ("Deployment", "deployments", &new.deployment_id),
    ] {
        let sql = format!(
            "select 1 from {table} x where x.id = ?4 and {} limit 1",
            Scope::visible("x")
        );
        let found = tx.first(&sql, &scope.with(&[id.into()])).await?;
        found.ok_or_else(|| Error::not_found(name, id))?;
    }
    let sql = format!(
        "select x.visibility, x.tenant_name from executions x where x.id = ?4 and {}",
        Scope::visible("x")
    );
    let id = &new.execution_id;
    let execution = tx.first(&sql, &scope.with(&[id.into()])).await?;
    let execution = execution.ok_or_else(|| Error::not_found("Execution", id))?;
    let visibility = execution.text(0)?.to_owned();
    scope.demand_own_tenant(id, execution.text(1)?)?;
    let sql = "select 1 from metrics where tenant_name = ?1 and id = ?2";
    if tx
        .first(sql, params![scope.tenant(), &new.id])
        .await?
        .is_some()
    {
        return Err(Error::conflict(format!(
            "Metric with ID `{}` already exists in tenant `{}`",
            new.id,
            scope.tenant()
        )));
    }
    tx.execute(
        "insert into metrics (id, tenant_name, created_by, visibility, created_at, blueprint_id,
             deployment_id, execution_id, timestamp, name, value)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            &new.id,
            scope.tenant(),
            scope.username(),
            visibility,
            Timestamp::now(),
            &new.blueprint_id,
            &new.deployment_id,
            &new.execution_id,
            new.timestamp,
            &new.name,
            &new.value
        ],
    )
    .await?;
    let action = Permission::MetricsCreate.name();
    audit::insert(tx, scope, action, METRICS.name, &new.id).await
}

/// The value of [`WITH_ID`].
pub fn with_id(id: &str) -> [Value; 1] {
    [id.into()]
}

#[cfg(test)]
mod tests;
