//! What the engine has to know of the deployment that a workflow runs on.

use serde::Deserialize;
use serde_json::{Map, Value};
use windlass_core::db::Db;
use windlass_core::visibility::Visibility;
use windlass_core::{Caller, Error, Permission, Result, Scope, params};

use super::{Execution, Status};

/// A deployment on which a workflow is to run.
#[derive(Clone, Debug, Deserialize)]
pub struct DeploymentToRun {
    /// The deployment's row.
    pub key: i64,
    /// What clients call it.
    pub id: String,
    /// The tenant it belongs to.
    pub tenant_name: String,
    /// Who sees it; executions are seen by the same people unless a request says otherwise.
    pub visibility: Visibility,
    /// The blueprint it was made from.
    pub blueprint_id: String,
    /// The status of the execution that made its environment; none for a restored deployment.
    pub create_status: Option<Status>,
}

/// A deployment that the caller can see and may run something on.
///
/// # Errors
/// 404 when there is none, 403 for a global one of another tenant.
pub async fn deployment_to_run(db: &impl Db, scope: &Scope, id: &str) -> Result<DeploymentToRun> {
    let sql = format!(
        "select json_object('key', key, 'id', id, 'tenant_name', tenant_name,
             'visibility', visibility, 'blueprint_id', blueprint_id, 'create_status',
             (select status from executions where executions.id = create_execution))
         from deployments where {} and id = ?4 order by tenant_name <> ?1 limit 1",
        Scope::VISIBLE
    );
    let found: Option<DeploymentToRun> = db.first_json(&sql, &scope.with(&[id.into()])).await?;
    let deployment = found.ok_or_else(|| Error::not_found("Deployment", id))?;
    let may = |caller: &Caller| caller.holds_in(scope.tenant(), Permission::ExecuteGlobalWorkflow);
    if deployment.tenant_name != scope.tenant() && !scope.caller().is_ok_and(may) {
        return Err(Error::forbidden(format!(
            "User `{}` is not permitted to execute workflows on the global deployment `{id}` of \
             the tenant `{}`",
            scope.username(),
            deployment.tenant_name
        )));
    }
    Ok(deployment)
}

/// The workflow of an execution, as it stands in its deployment.
pub async fn workflow(db: &impl Db, execution: &Execution) -> Result<Option<Value>> {
    let Some(deployment_key) = execution.deployment_key else {
        return Ok(None);
    };
    db.first_json(
        "select workflow.value from deployments, json_each(deployments.workflows) as workflow
         where deployments.key = ?1
           and coalesce(workflow.value ->> '$.name', workflow.key) = ?2 limit 1",
        params![deployment_key, &execution.workflow_id],
    )
    .await
}

/// What functions may ask about a deployment itself.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct DeploymentFacts {
    /// What clients call it.
    pub id: String,
    /// The name shown to people.
    pub display_name: String,
    /// The blueprint it was made from.
    pub blueprint_id: String,
    /// The user who made it.
    pub created_by: String,
    /// The tenant it belongs to.
    pub tenant_name: String,
    /// The inputs' values.
    pub inputs: Map<String, Value>,
}

/// What functions may ask about the deployment of this key; nothing when it is gone.
pub async fn deployment_facts(
    db: &impl Db,
    deployment_key: i64,
) -> Result<Option<DeploymentFacts>> {
    db.first_json(
        "select json_object('id', id, 'display_name', display_name, 'blueprint_id', blueprint_id,
             'created_by', created_by, 'tenant_name', tenant_name, 'inputs', json(inputs))
         from deployments where key = ?1",
        params![deployment_key],
    )
    .await
}
