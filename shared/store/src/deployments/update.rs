//! Changes to a deployment that is there already.

use serde_json::{Map, Value as Json};
use std::fmt::Write as _;
use windlass_core::db::{Db, Tx, Value};
use windlass_core::{Error, Result, Scope, Timestamp, Visibility, params};

use super::{DEPLOYMENT, Deployment, NewDeployment, Owner, plan_columns};
use crate::audit;
use crate::blueprints::Blueprint;
use crate::nodes;

/// What an update sets; what is absent stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The name shown to people.
    pub display_name: Option<String>,
    /// Who made it.
    pub created_by: Option<String>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// The blueprint.
    pub blueprint: Option<Blueprint>,
    /// Whether functions are left alone until somebody asks for their values.
    pub runtime_only_evaluation: Option<bool>,
    /// Parts of the plan by their names, see [`super::PLAN_COLUMNS`].
    pub plan: Map<String, Json>,
}

/// The assignments of an update. Only constants name columns.
struct Assignments {
    sql: String,
    parameters: Vec<Value>,
}

impl Assignments {
    fn set(&mut self, column: &'static str, value: impl Into<Value>) {
        self.parameters.push(value.into());
        let _ = write!(self.sql, ", {column} = ?{}", self.parameters.len());
    }

    fn set_if_given(&mut self, column: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(column, value);
        }
    }
}

/// Saves changes to a deployment and the time of this update.
pub async fn save(
    tx: &impl Tx,
    scope: &Scope,
    deployment: &Deployment,
    changes: &Changes,
) -> Result<()> {
    let mut new = Assignments {
        sql: "updated_at = ?2".to_owned(),
        parameters: params![deployment.key, Timestamp::now()].to_vec(),
    };
    new.set_if_given("display_name", changes.display_name.as_deref());
    new.set_if_given("created_by", changes.created_by.as_deref());
    new.set_if_given("created_at", changes.created_at);
    if let Some(blueprint) = &changes.blueprint {
        new.set("blueprint_key", blueprint.key);
        new.set("blueprint_id", &blueprint.id);
    }
    new.set_if_given("runtime_only_evaluation", changes.runtime_only_evaluation);
    for (column, value) in plan_columns::columns(tx, &changes.plan).await? {
        new.set(column, value);
    }
    let sql = format!("update deployments set {} where key = ?1", new.sql);
    tx.execute(&sql, &new.parameters).await?;
    let (action, id) = ("deployment_update", &deployment.id);
    audit::insert(tx, scope, action, DEPLOYMENT.name, id).await
}

/// Writes what a deployment that was stored without an environment has of its plan. Its record in the audit
/// trail tells of it.
pub async fn complete(tx: &impl Tx, owner: &Owner, new: &NewDeployment) -> Result<()> {
    let mut row = Assignments {
        sql: "updated_at = ?2".to_owned(),
        parameters: params![owner.key, Timestamp::now()].to_vec(),
    };
    row.set("display_name", &new.display_name);
    for (column, value) in plan_columns::columns(tx, &new.plan).await? {
        row.set(column, value);
    }
    let sql = format!("update deployments set {} where key = ?1", row.sql);
    tx.execute(&sql, &row.parameters).await
}

/// Gives a deployment that is being made its name. Its record in the audit trail tells of it.
pub async fn set_display_name(tx: &impl Tx, owner: &Owner, name: &str) -> Result<()> {
    tx.execute(
        "update deployments set display_name = ?2 where key = ?1",
        params![owner.key, name],
    )
    .await?;
    Ok(())
}

/// Sets who sees a deployment, and with it its nodes and instances.
pub async fn set_visibility(
    tx: &impl Tx,
    scope: &Scope,
    deployment: &Deployment,
    visibility: Visibility,
) -> Result<()> {
    tx.execute(
        "update deployments set visibility = ?2, updated_at = ?3 where key = ?1",
        params![deployment.key, visibility, Timestamp::now()],
    )
    .await?;
    nodes::set_visibility(tx, deployment, visibility).await?;
    let (action, id) = ("deployment_set_visibility", &deployment.id);
    audit::insert(tx, scope, action, DEPLOYMENT.name, id).await
}

/// Sets the scaling groups, with the numbers of their instances. What they are for tells of it in the
/// audit trail.
pub async fn set_scaling_groups(
    tx: &impl Tx,
    owner: &Owner,
    groups: &Map<String, Json>,
) -> Result<()> {
    let plan = Map::from_iter([("scaling_groups".to_owned(), Json::Object(groups.clone()))]);
    for (column, value) in plan_columns::columns(tx, &plan).await? {
        let sql = format!("update deployments set {column} = ?2 where key = ?1");
        tx.execute(&sql, &[owner.key.into(), value]).await?;
    }
    Ok(())
}

/// Sets or takes away the site that a deployment is at.
pub async fn set_site(
    tx: &impl Tx,
    scope: &Scope,
    deployment: &Deployment,
    site: Option<&str>,
) -> Result<()> {
    tx.execute(
        "update deployments set site_name = ?2, updated_at = ?3 where key = ?1",
        params![deployment.key, site, Timestamp::now()],
    )
    .await?;
    let (action, id) = ("deployment_set_site", &deployment.id);
    audit::insert(tx, scope, action, DEPLOYMENT.name, id).await
}

/// Who sees the blueprint of a deployment.
pub async fn blueprint_visibility(db: &impl Db, deployment: &Deployment) -> Result<Visibility> {
    let sql = "select json_quote(visibility) from blueprints where key = ?1";
    let visibility = db
        .first_json(sql, params![deployment.blueprint_key])
        .await?;
    visibility.ok_or_else(|| Error::internal("a deployment's blueprint exists"))
}
