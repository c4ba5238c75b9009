//! Events and logs: what happened, in the order it happened.
//!
//! `storage_id` grows with every row and `timestamp` never goes back within an execution, so both
//! together give the true order.
//!
//! There are more of these than of anything else, so a row has only what no other row says. Whom it
//! belongs to and which deployment it is about is its execution's to say: `whole_events` has both. Times
//! are milliseconds since 1970.

mod list;
mod live;
mod report;
mod retention;

pub(crate) use list::LISTED;
pub use list::{EventQuery, Kinds, delete, list};
pub use live::{Followed, News, Standing, Told, ids_after, newest_id, news, standing, told};
pub use report::{NewEvent, insert};
pub use retention::forget_old;
pub(crate) use retention::forget_some_of;

use crate::executions::Execution;
use crate::pieces::batches;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Timestamp, params};

/// When the newest event of an execution happened.
pub async fn newest(db: &impl Db, execution: &Execution) -> Result<Option<Timestamp>> {
    let row = db
        .first(
            "select max(timestamp) from events where execution_key = ?1",
            params![execution.key],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(row.optional_integer(0)?.map(Timestamp::from_millis))
}

/// Something that the control plane did with an execution. What it leaves open is null in the table,
/// and absent from the JSON on the way there: reading that is most of the work of inserting.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct EngineEvent {
    /// Such as `workflow_started`.
    pub event_type: Cow<'static, str>,
    /// The text that people read.
    pub message: String,
    /// The instance it is about; the node's name is looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_instance_id: Option<String>,
    /// The full name of the operation it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The source of a relationship operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_id: Option<String>,
    /// The target of a relationship operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_id: Option<String>,
    /// Why a task failed: a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_causes: Option<Value>,
}

impl EngineEvent {
    /// An event about a whole execution.
    pub fn of_execution(event_type: &'static str, message: impl Into<String>) -> Self {
        Self {
            event_type: event_type.into(),
            message: message.into(),
            ..Self::default()
        }
    }
}

/// Inserts what the control plane did with an execution, in the order given.
pub async fn insert_all(
    tx: &impl Tx,
    execution: &Execution,
    events: &[EngineEvent],
    now: Timestamp,
) -> Result<()> {
    for batch in batches(events) {
        tx.execute(
            "insert into events (execution_key, list_key, is_log, timestamp, event_type, message,
                 node_instance_id, node_name, operation, source_id, target_id, error_causes)
             select ?1, iif(?2 = 'global', -1, (select id from tenants where name = ?3)), 0, ?4,
                 event.value ->> 'event_type', event.value ->> 'message',
                 event.value ->> 'node_instance_id',
                 case when event.value ->> 'node_instance_id' is not null then (
                     select node_id from node_instances
                     where tenant_name = ?3 and id = event.value ->> 'node_instance_id') end,
                 event.value ->> 'operation', event.value ->> 'source_id',
                 event.value ->> 'target_id', event.value -> 'error_causes'
             from json_each(?5) as event",
            params![
                execution.key,
                execution.visibility,
                &execution.tenant_name,
                now.millis(),
                batch?,
            ],
        )
        .await?;
    }
    Ok(())
}
