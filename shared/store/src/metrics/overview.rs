//! How long workflows and tasks took, and how often they succeeded: averages over what has ended.

use crate::executions::Status;
use serde::{Deserialize, Serialize};
use windlass_core::db::Db;
use windlass_core::{Result, Scope, Timestamp};

/// What of one kind came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Average {
    /// Its kind: `workflow` or `task`.
    pub event_type: String,
    /// The workflow or the task.
    pub event_id: String,
    /// How long it took, in seconds, to the microsecond.
    pub average_duration: f64,
    /// How much of it succeeded, from 0 to 1.
    pub success_rate: f64,
}

/// What an overview is about.
#[derive(Clone, Debug, Default)]
pub struct Span {
    /// From when on executions and tasks count, by their creation.
    pub since: Option<Timestamp>,
    /// Until when they do; both moments are part of it.
    pub until: Option<Timestamp>,
    /// Only this workflow, and no task.
    pub workflow_id: Option<String>,
    /// Only this task, and no workflow.
    pub task_name: Option<String>,
}

/// The averages of the workflows and tasks that have ended, of the executions that the caller sees in
/// their tenant: workflows first, each kind in the order of names.
pub async fn overview(db: &impl Db, scope: &Scope, span: &Span) -> Result<Vec<Average>> {
    let mut averages = Vec::new();
    let bounds = scope.with(&[
        span.since.into(),
        span.until.into(),
        span.workflow_id.as_deref().into(),
        span.task_name.as_deref().into(),
    ]);
    if span.task_name.is_none() {
        averages.extend(db.json_rows(&workflows(), &bounds).await?);
    }
    if span.workflow_id.is_none() {
        averages.extend(db.json_rows(&tasks(), &bounds).await?);
    }
    Ok(averages)
}

/// Of the tenant's executions, along the index by creation.
fn workflows() -> String {
    format!(
        "select json_object('event_type', 'workflow', 'event_id', workflow_id,
             'average_duration', {SECONDS}, 'success_rate', avg(status = 'terminated')) from (
             select x.workflow_id, x.status, {} as seconds from executions x
             where {} and {CREATED} and (?6 is null or x.workflow_id = ?6) and ?7 is null
                 and x.status in {} and x.started_at is not null and x.ended_at is not null)
         group by workflow_id order by workflow_id",
        seconds_between("x.started_at", "x.ended_at"),
        Scope::own("x"),
        Status::sql_list(Status::has_ended)
    )
}

/// Of the operations of those executions, which are found by their execution.
fn tasks() -> String {
    format!(
        "select json_object('event_type', 'task', 'event_id', name,
             'average_duration', {SECONDS}, 'success_rate', avg(state = 'succeeded')) from (
             select o.name, o.state, {} as seconds
             from executions x cross join operations o on o.execution_key = x.key
             where {} and {CREATED} and ?6 is null and (?7 is null or o.name = ?7)
                 and o.type = 'RemoteWorkflowTask' and o.state in ('succeeded', 'failed')
                 and o.updated_at is not null)
         group by name order by name",
        seconds_between("o.created_at", "o.updated_at"),
        Scope::own("x"),
    )
}

const SECONDS: &str = "round(avg(seconds), 6)";

/// Whether an execution was made in the span.
const CREATED: &str = "(?4 is null or x.created_at >= ?4) and (?5 is null or x.created_at <= ?5)";

fn seconds_between(from: &str, to: &str) -> String {
    format!("max(0, unixepoch({to}, 'subsec') - unixepoch({from}, 'subsec'))")
}
