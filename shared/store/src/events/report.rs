//! Events and logs that clients report about an execution.

use crate::executions::Execution;
use crate::pieces::batches;
use serde::{Serialize, Serializer};
use serde_json::Value;
use windlass_core::db::Tx;
use windlass_core::{Result, Timestamp, params};

/// One row to be inserted. What it leaves open is null in the table, and absent from the JSON on
/// the way there: reading that is most of the work of inserting.
#[derive(Clone, Debug, Serialize)]
pub struct NewEvent {
    /// Whether it is a `cloudify_log`, not a `cloudify_event`.
    pub is_log: bool,
    /// Of an event: what happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// Of a log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// Of a log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logger: Option<String>,
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// A name for the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_code: Option<String>,
    /// Why a task failed: a list, or null.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub error_causes: Value,
    /// The operation's full name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// When it got here.
    #[serde(serialize_with = "millis")]
    pub timestamp: Timestamp,
    /// When it happened.
    #[serde(serialize_with = "millis")]
    pub reported_timestamp: Timestamp,
    /// The instance it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_instance_id: Option<String>,
    /// Of a relationship operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_id: Option<String>,
    /// Of a relationship operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_id: Option<String>,
    /// Who ran it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager_name: Option<String>,
    /// Who ran it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_name: Option<String>,
}

impl NewEvent {
    /// An event of this type that happens now.
    pub fn event(event_type: &str, message: String) -> Self {
        let now = Timestamp::now();
        Self {
            is_log: false,
            event_type: Some(event_type.to_owned()),
            level: None,
            logger: None,
            message: Some(message),
            message_code: None,
            error_causes: Value::Null,
            operation: None,
            timestamp: now,
            reported_timestamp: now,
            node_instance_id: None,
            source_id: None,
            target_id: None,
            manager_name: None,
            agent_name: None,
        }
    }
}

fn millis<S: Serializer>(time: &Timestamp, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_i64(time.millis())
}

/// Inserts the rows of one execution in their order. They belong to whom the
/// execution belongs to.
pub async fn insert(tx: &impl Tx, execution: &Execution, events: &[NewEvent]) -> Result<()> {
    for batch in batches(events) {
        tx.execute(
            "insert into events (execution_key, list_key, is_log, timestamp, reported_timestamp,
             event_type, level, logger, message, message_code, error_causes, operation,
             node_instance_id, node_name, source_id, target_id, manager_name, agent_name)
         select ?1, iif(?2 = 'global', -1, (select id from tenants where name = ?3)),
             e.value ->> 'is_log', e.value ->> 'timestamp',
             nullif(e.value ->> 'reported_timestamp', e.value ->> 'timestamp'),
             e.value ->> 'event_type', e.value ->> 'level', e.value ->> 'logger',
             e.value ->> 'message', e.value ->> 'message_code', e.value -> 'error_causes',
             e.value ->> 'operation', e.value ->> 'node_instance_id',
             (select i.node_id from node_instances i
              where i.tenant_name = ?3 and i.id = e.value ->> 'node_instance_id'),
             e.value ->> 'source_id', e.value ->> 'target_id', e.value ->> 'manager_name',
             e.value ->> 'agent_name'
         from json_each(?4) e",
            params![
                execution.key,
                execution.visibility,
                &execution.tenant_name,
                batch?
            ],
        )
        .await?;
    }
    Ok(())
}
