//! What the engine has to know of the deployment that a workflow runs on.

use serde::Deserialize;
use serde_json::Value;
use windlass_core::db::Db;
use windlass_core::{Caller, Error, Permission, Result, Scope, params};

use super::{Execution, Status};
use crate::deployments::Owner;
use crate::plan_parts::WORKFLOWS;

/// A deployment on which a workflow is to run.
#[derive(Clone, Debug, Deserialize)]
pub struct DeploymentToRun {
    /// Which one it is. Executions are seen by the same people unless a request says otherwise.
    pub owner: Owner,
    /// The name shown to people.
    pub display_name: String,
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
        "select json_object('owner', json_object('key', key, 'id', id, 'tenant_name', tenant_name,
                 'created_by', created_by, 'visibility', visibility),
             'display_name', display_name, 'blueprint_id', blueprint_id, 'create_status', (select status from executions where executions.id = create_execution))
         from deployments where {} and id = ?4 order by tenant_name <> ?1 limit 1",
        Scope::VISIBLE
    );
    let found: Option<DeploymentToRun> = db.first_json(&sql, &scope.with(&[id.into()])).await?;
    let deployment = found.ok_or_else(|| Error::not_found("Deployment", id))?;
    let may = |caller: &Caller| caller.holds_in(scope.tenant(), Permission::ExecuteGlobalWorkflow);
    if deployment.owner.tenant_name != scope.tenant() && !scope.caller().is_ok_and(may) {
        return Err(Error::forbidden(format!(
            "User `{}` is not permitted to execute workflows on the global deployment `{id}` of \
             the tenant `{}`",
            scope.username(),
            deployment.owner.tenant_name
        )));
    }
    Ok(deployment)
}

/// The workflow of an execution, as it stands in its deployment.
pub async fn workflow(db: &impl Db, execution: &Execution) -> Result<Option<Value>> {
    let Some(deployment_key) = execution.deployment_key else {
        return Ok(None);
    };
    let sql = format!(
        "select workflow.value from deployments t, json_each({WORKFLOWS}) as workflow
         where t.key = ?1 and coalesce(workflow.value ->> '$.name', workflow.key) = ?2 limit 1"
    );
    db.first_json(&sql, params![deployment_key, &execution.workflow_id])
        .await
}
