//! What happened to a group as a whole, not to one of its executions. It is listed as events are.

use serde::Serialize;
use windlass_core::db::{KeptDb, Tx};
use windlass_core::list::{OpenPage, Resource};
use windlass_core::{Result, Scope, Timestamp, params};

use super::ExecutionGroup;
use crate::events::{EventQuery, LISTED};
use crate::pieces::batches;
use crate::resource::TenantRow;

/// A line about a group.
#[derive(Clone, Debug, Default, Serialize)]
pub struct GroupEvent {
    /// Of an event; none for a log.
    pub event_type: Option<String>,
    /// Of a log, such as `warning`.
    pub level: Option<String>,
    /// The text that people read.
    pub message: Option<String>,
}

impl GroupEvent {
    /// Something that somebody may want to look into.
    pub fn warning(message: String) -> Self {
        Self {
            event_type: None,
            level: Some("warning".to_owned()),
            message: Some(message),
        }
    }
}

/// Keeps lines about a group.
pub async fn note(
    tx: &impl Tx,
    group: &ExecutionGroup,
    events: &[GroupEvent],
    now: Timestamp,
) -> Result<()> {
    for batch in batches(events) {
        tx.execute(
            "insert into execution_group_events
                 (execution_group_key, timestamp, event_type, level, message)
             select ?1, ?2, value ->> 'event_type', value ->> 'level', value ->> 'message'
             from json_each(?3)",
            params![group.head().key, now.millis(), batch?],
        )
        .await?;
    }
    Ok(())
}

/// One page of the lines about groups, as a list of events asks for them.
pub async fn list_events<D: KeptDb>(
    db: &D,
    scope: &Scope,
    query: &EventQuery,
) -> Result<OpenPage<D>> {
    EVENTS.open_page(db, scope, query.query()).await
}

pub(super) static EVENTS: Resource = Resource {
    name: "Event",
    table: "whole_execution_group_events t",
    fields: &LISTED,
    search: None,
    of_tenant: true,
    counts: &[],
};
