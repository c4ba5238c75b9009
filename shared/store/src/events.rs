//! Events and logs: what happened, in the order it happened.
//!
//! `storage_id` grows with every row and `timestamp` never goes back within an execution, so both
//! together give the true order.

mod list;
mod report;

pub use list::{EventQuery, Kinds, delete, list};
pub use report::{NewEvent, insert};

use crate::executions::Execution;
use serde_json::Value;
use windlass_core::db::Db;
use windlass_core::{Result, Timestamp, params};

/// When the newest event of an execution happened.
pub async fn newest(db: &impl Db, execution_id: &str) -> Result<Option<Timestamp>> {
    let row = db
        .first(
            "select max(timestamp) from events where execution_id = ?1",
            params![execution_id],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    row.optional_text(0)?
        .map(|text| Timestamp::parse("timestamp", text))
        .transpose()
}

/// Inserts events of an execution in the order given. Each is a list: event type, message, node
/// instance, operation, source, target, error causes. The node's name is looked up.
pub async fn insert_all(
    db: &impl Db,
    execution: &Execution,
    events: &[Value],
    now: Timestamp,
) -> Result<()> {
    for chunk in events.chunks(4000) {
        db.execute(
            "insert into events (tenant_name, visibility, created_by, type, timestamp,
                 reported_timestamp, blueprint_id, deployment_key, deployment_id, execution_id,
                 workflow_id, event_type, message, node_instance_id, node_name, operation,
                 source_id, target_id, error_causes)
             select ?1, ?2, ?3, 'cloudify_event', ?4, ?4, ?5, ?6, ?7, ?8, ?9,
                 event.value ->> 0, event.value ->> 1, event.value ->> 2,
                 case when event.value ->> 2 is not null then (
                     select node_id from node_instances
                     where tenant_name = ?1 and id = event.value ->> 2) end,
                 event.value ->> 3, event.value ->> 4, event.value ->> 5,
                 nullif(event.value -> 6, 'null')
             from json_each(?10) as event",
            params![
                &execution.tenant_name,
                &execution.visibility,
                &execution.created_by,
                now,
                execution.blueprint_id.as_deref(),
                execution.deployment_key,
                execution.deployment_id.as_deref(),
                &execution.id,
                &execution.workflow_id,
                &Value::from(chunk),
            ],
        )
        .await?;
    }
    Ok(())
}
