//! What runs, or ran, on a deployment, as far as it decides about the deployment.

use serde::Deserialize;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, params};

use super::Owner;
use crate::executions::Status;

/// The workflow that makes a deployment's environment.
pub const CREATE_WORKFLOW: &str = "create_deployment_environment";

/// The workflow that takes a deployment away.
pub const DELETE_WORKFLOW: &str = "delete_deployment_environment";

/// The workflows that update a deployment.
const UPDATES: [&str; 2] = ["update", "csys_new_deployment_update"];

/// What an execution is, for those that call.
#[derive(Deserialize)]
struct Calling {
    workflow_id: String,
    status: Status,
}

/// Whether the only thing that ever happened to a deployment is that it could not be made.
pub async fn is_failed_creation(db: &impl Db, deployment: &Owner) -> Result<bool> {
    let all: Vec<Calling> = db
        .first_json(
            "select json_group_array(json_object('workflow_id', workflow_id, 'status', status))
             from (select * from executions where deployment_key = ?1 limit 2)",
            params![deployment.key],
        )
        .await?
        .unwrap_or_default();
    let is_failed =
        |one: &Calling| one.workflow_id == CREATE_WORKFLOW && one.status == Status::Failed;
    Ok(matches!(all.as_slice(), [one] if is_failed(one)))
}

/// The ids of executions that keep a deployment from being deleted. `besides` is one that deletes it: to
/// that one others that would delete it too are not in the way.
pub async fn unfinished_executions(
    db: &impl Db,
    deployment: &Owner,
    besides: Option<&str>,
) -> Result<Vec<String>> {
    let sql = format!(
        "select json_group_array(id) from (select id from executions
         where deployment_key = ?1 and status in {}
             and (?2 is null or id <> ?2 and workflow_id <> '{DELETE_WORKFLOW}') order by key)",
        Status::sql_list(Status::is_in_progress)
    );
    let ids = db
        .first_json(&sql, params![deployment.key, besides])
        .await?;
    Ok(ids.unwrap_or_default())
}

async fn calling(db: &impl Db, scope: &Scope) -> Result<Option<Calling>> {
    let Some(execution) = &scope.caller()?.execution_id else {
        return Ok(None);
    };
    let sql = "select json_object('workflow_id', workflow_id, 'status', status)
               from executions where id = ?1";
    db.first_json(sql, params![execution]).await
}

/// Whether the caller is an execution that may change what others may not: an update.
pub async fn is_update_calling(db: &impl Db, scope: &Scope) -> Result<bool> {
    let calling = calling(db, scope).await?;
    Ok(calling.is_some_and(|execution| UPDATES.contains(&execution.workflow_id.as_str())))
}

/// Whether the caller is an execution that was asked to stop.
pub async fn is_cancelled_calling(db: &impl Db, scope: &Scope) -> Result<bool> {
    let calling = calling(db, scope).await?;
    Ok(calling.is_some_and(|execution| execution.status.is_cancelling()))
}

/// Says which execution made a deployment; it is the latest one too.
pub async fn set_creation(tx: &impl Tx, deployment: &Owner, execution_id: &str) -> Result<()> {
    tx.execute(
        "update deployments set create_execution = ?2, latest_execution = ?2 where key = ?1",
        params![deployment.key, execution_id],
    )
    .await
}
