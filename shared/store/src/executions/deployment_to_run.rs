//! What has to be known of a deployment before a workflow runs on it.

use serde_json::Value;
use windlass_core::db::Db;
use windlass_core::{Caller, Error, Permission, Result, Scope, params};

/// What has to be known of a deployment to run something on it.
#[derive(Clone, Debug)]
pub struct DeploymentToRun {
    /// Its key.
    pub key: i64,
    /// Its id.
    pub id: String,
    /// Its tenant.
    pub tenant_name: String,
    /// Its visibility.
    pub visibility: String,
    /// Its blueprint.
    pub blueprint_id: String,
    /// The status of the execution that made its environment.
    pub create_status: Option<String>,
}

/// A deployment that the caller can see, to run something on it.
///
/// # Errors
/// 404 when there is none, 403 for a global one of another tenant.
pub async fn deployment_to_run(db: &impl Db, scope: &Scope, id: &str) -> Result<DeploymentToRun> {
    let sql = format!(
        "select key, id, tenant_name, visibility, blueprint_id,
             (select status from executions where executions.id = create_execution)
         from deployments where {} and id = ?4 order by tenant_name <> ?1 limit 1",
        Scope::VISIBLE
    );
    let row = db.first(&sql, &scope.with(&[id.into()])).await?;
    let row = row.ok_or_else(|| Error::not_found("Deployment", id))?;
    let deployment = DeploymentToRun {
        key: row.integer(0)?,
        id: row.text(1)?.to_owned(),
        tenant_name: row.text(2)?.to_owned(),
        visibility: row.text(3)?.to_owned(),
        blueprint_id: row.text(4)?.to_owned(),
        create_status: row.optional_text(5)?.map(str::to_owned),
    };
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

/// A workflow of a deployment by its name, as it stands in the deployment.
pub async fn workflow(db: &impl Db, deployment_key: i64, name: &str) -> Result<Option<Value>> {
    db.first_json(
        "select workflow.value from deployments, json_each(deployments.workflows) as workflow
         where deployments.key = ?1
           and coalesce(workflow.value ->> '$.name', workflow.key) = ?2 limit 1",
        params![deployment_key, name],
    )
    .await
}
