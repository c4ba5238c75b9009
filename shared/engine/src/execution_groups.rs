//! Execution groups: a workflow on all members of a deployment group, so many at a time.
//!
//! All executions are stored as waiting; those that may begin do so at once, the others when one of the
//! group has ended. A member on which the workflow cannot run does not keep the others from theirs.

use crate::control::{self, Action};
use crate::dequeue;
use serde_json::{Map, Value};
use std::collections::HashMap;
use windlass_core::db::Tx;
use windlass_core::{Result, Scope, Timestamp, ids};
use windlass_store::deployment_groups::{self, DeploymentGroup};
use windlass_store::execution_groups::{self, ExecutionGroup, GroupEvent, NewExecution, NewGroup};
use windlass_store::executions::{Execution, Status, deployment_status};
use windlass_store::quotas::{self, Limited};
use windlass_store::resource::{self, New, TenantRow};

/// What a caller asks for.
#[derive(Clone, Debug, Default)]
pub struct GroupStart {
    /// The deployment group's id.
    pub deployment_group_id: String,
    /// The workflow's name.
    pub workflow_id: String,
    /// Parameters of all executions.
    pub default_parameters: Map<String, Value>,
    /// Parameters over those, by the ids of deployments.
    pub parameters: HashMap<String, Map<String, Value>>,
    /// Whether dependents and availability are passed over.
    pub force: bool,
    /// How many run at a time.
    pub concurrency: i64,
    /// The ids of executions that are there already and are the group's: of one that is restored.
    pub restored: Option<Vec<String>>,
}

/// Stores a group with its executions, and lets the first of them begin. `new` says what it is called and
/// who made it; it is seen by those who see the deployment group.
///
/// # Errors
/// 404 for the deployment group; 403 when the tenant may not have so many executions.
pub async fn start(
    tx: &impl Tx,
    scope: &Scope,
    mut new: New,
    request: &GroupStart,
    now: Timestamp,
) -> Result<()> {
    let members_of: DeploymentGroup =
        resource::find_own(tx, scope, &request.deployment_group_id).await?;
    new.visibility = members_of.head().visibility;
    let columns = NewGroup {
        workflow_id: &request.workflow_id,
        deployment_group: members_of.head().key,
        concurrency: request.concurrency,
    };
    let group = execution_groups::insert(tx, scope, &new, columns).await?;
    if let Some(ids) = &request.restored {
        return execution_groups::take_over(tx, scope, &group, ids).await;
    }
    let workflow = request.workflow_id.as_str();
    let key = members_of.head().key;
    let members = execution_groups::with_workflow(tx, scope, key, workflow).await?;
    let (mut executions, mut skipped) = (Vec::new(), Vec::new());
    for member in members {
        // One whose environment is still being made waits for that, and finds out then.
        if member.has_workflow != Some(1) && member.is_being_made == 0 {
            let id = &member.id;
            let text = format!("Workflow {workflow} does not exist in the deployment {id}");
            skipped.push(GroupEvent::warning(text));
            continue;
        }
        let mut parameters = request.default_parameters.clone();
        parameters.extend(
            request
                .parameters
                .get(&member.id)
                .cloned()
                .unwrap_or_default(),
        );
        executions.push(NewExecution {
            id: ids::new_uuid(),
            deployment_key: member.key,
            parameters,
        });
    }
    quotas::demand_room_for(tx, scope.tenant(), Limited::Executions, executions.len()).await?;
    let what = (workflow, request.force);
    execution_groups::insert_waiting(tx, scope, &group, what, &executions).await?;
    execution_groups::note(tx, &group, &skipped, now).await?;
    dequeue::start_up_to(tx, at_once(request.concurrency), now).await
}

fn at_once(concurrency: i64) -> usize {
    usize::try_from(concurrency).unwrap_or(0)
}

/// Does to all executions of a group that the caller sees what may be asked of one. Those of which it cannot
/// be asked are left as they are; that there are none is no error.
///
/// # Errors
/// 404.
pub async fn act(
    tx: &impl Tx,
    scope: &Scope,
    action: Action,
    id: &str,
    now: Timestamp,
) -> Result<()> {
    let group: ExecutionGroup = resource::find_own(tx, scope, id).await?;
    match action {
        Action::Resume | Action::ForceResume => {
            let ended = |status| matches!(status, Status::Failed | Status::Cancelled);
            for id in execution_groups::ids_in(tx, scope, &group, ended).await? {
                control::queue_again(tx, scope, action, &id, now).await?;
            }
            let (running, concurrency) = execution_groups::running(tx, &group).await?;
            dequeue::start_up_to(tx, at_once(concurrency - running), now).await
        }
        Action::Cancel | Action::ForceCancel | Action::Kill | Action::Requeue => {
            // First what waits, so that nothing begins while the others are stopped.
            for key in execution_groups::cancel_waiting(tx, scope, &group, now).await? {
                deployment_status::recompute_by_key(tx, key).await?;
            }
            let running = |status| action.may_stop(status);
            for id in execution_groups::ids_in(tx, scope, &group, running).await? {
                control::act(tx, scope, action, &id, now).await?;
            }
            dequeue::start_waiting(tx, now).await
        }
    }
}

/// Sets how many executions of a group run at a time. With 0 none begins any more; with more, more do.
///
/// # Errors
/// 404.
pub async fn set_concurrency(
    tx: &impl Tx,
    scope: &Scope,
    id: &str,
    concurrency: i64,
    now: Timestamp,
) -> Result<()> {
    let group: ExecutionGroup = resource::find_own(tx, scope, id).await?;
    execution_groups::set_concurrency(tx, scope, &group, concurrency).await?;
    dequeue::start_up_to(tx, at_once(concurrency), now).await
}

/// Sets where deployments go by what becomes of their executions. Those of executions that have ended go
/// there at once.
///
/// # Errors
/// 404 for the groups, 400 for one that becomes too large.
pub async fn set_targets(
    tx: &impl Tx,
    scope: &Scope,
    id: &str,
    (success, failure): (Option<&str>, Option<&str>),
) -> Result<()> {
    let group: ExecutionGroup = resource::find_own(tx, scope, id).await?;
    let mut keys = [None, None];
    let wanted = [(success, Status::Terminated), (failure, Status::Failed)];
    for ((target, status), key) in wanted.into_iter().zip(&mut keys) {
        let Some(target) = target else { continue };
        let target: DeploymentGroup = resource::find_own(tx, scope, target).await?;
        *key = Some(target.head().key);
        let ended = execution_groups::ended_deployments(tx, &group, status).await?;
        deployment_groups::join(tx, scope, &target, &ended).await?;
        deployment_groups::demand_room(tx, &target).await?;
    }
    let [success, failure] = keys;
    execution_groups::set_targets(tx, scope, &group, (success, failure)).await
}

/// Puts the deployment of an execution that ended where its group says. A group that is full takes no more.
///
/// # Errors
/// Of the database.
pub(crate) async fn follow_end(tx: &impl Tx, execution: &Execution) -> Result<()> {
    let Some(deployment) = execution.deployment_key else {
        return Ok(());
    };
    let Some(target) = execution_groups::targets_of(tx, execution).await? else {
        return Ok(());
    };
    if !deployment_groups::has_room(tx, &target).await? {
        return Ok(());
    }
    let scope = Scope::system(&execution.created_by, &execution.tenant_name);
    match deployment_groups::join(tx, &scope, &target, &[deployment]).await {
        // Labels of the group that this deployment cannot have are no reason to undo what was done.
        Err(refusal) if refusal.kind().wire().0 < 500 => Ok(()),
        other => other,
    }
}
