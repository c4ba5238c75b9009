//! What a step wants done, collected and written with few statements.

use super::rows;
use crate::graph::Graph;
use crate::step::{Command, End};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use windlass_core::db::Db;
use windlass_core::{Result, Timestamp};
use windlass_store::executions::Execution;
use windlass_store::queue::{self, Due, Work};
use windlass_store::{events, node_instances};

/// Everything that one transaction writes besides operations and the execution itself.
pub struct Effects {
    now: Timestamp,
    dry_run: bool,
    events: Vec<Value>,
    changes: Vec<(String, InstanceChange)>,
    places: HashMap<String, usize>,
    calls: Vec<Due>,
    timeouts: Vec<Due>,
    withdrawn: Vec<String>,
}

#[derive(Default)]
struct InstanceChange {
    first_state: Option<String>,
    state: Option<String>,
    times: i64,
    properties: Map<String, Value>,
    was_started: bool,
    was_configured: bool,
}

impl Effects {
    /// Nothing yet. In a dry run only events are kept.
    pub fn new(now: Timestamp, dry_run: bool) -> Self {
        Self {
            now,
            dry_run,
            events: Vec::new(),
            changes: Vec::new(),
            places: HashMap::new(),
            calls: Vec::new(),
            timeouts: Vec::new(),
            withdrawn: Vec::new(),
        }
    }

    /// An event about the whole execution.
    pub fn tell(&mut self, event_type: &str, text: &str) {
        self.events
            .push(json!([event_type, text, null, null, null, null, null]));
    }

    /// Takes over the commands of a step; answers how the run ended, if it did.
    pub fn take(&mut self, graph: &Graph, commands: Vec<Command>) -> Option<End> {
        let mut ended = None;
        for command in commands {
            match command {
                Command::Tell {
                    operation,
                    event,
                    text,
                    causes,
                } => {
                    let call = graph.operations[operation].call();
                    self.events
                        .push(event_of(call, event.name(), &text, causes));
                }
                Command::TellInstance { instance, text } => {
                    let event = "workflow_node_event";
                    self.events
                        .push(json!([event, text, instance, null, null, null, null]));
                }
                Command::SetState { instance, state } => self.set_state(instance, state),
                Command::SetProperties {
                    instance,
                    properties,
                } => {
                    let change = self.change(instance);
                    change.times += 1;
                    change.properties.extend(properties);
                }
                Command::Call { operation, after } => {
                    let operation = &graph.operations[operation];
                    let Some(call) = operation.call() else {
                        continue;
                    };
                    let mut due = Due {
                        subject: operation.id.clone(),
                        not_before: self.now.plus_millis(after),
                    };
                    if call.queue.is_none() || after > 0 {
                        self.calls.push(due);
                    } else if let Some(timeout) = call.timeout {
                        let millis = crate::workflows::milliseconds(timeout);
                        due.not_before = due.not_before.plus_millis(millis);
                        self.timeouts.push(due);
                    }
                }
                Command::Withdraw { operation } => {
                    self.withdrawn.push(graph.operations[operation].id.clone());
                }
                Command::End(end) => ended = Some(end),
            }
        }
        ended
    }

    fn set_state(&mut self, instance: String, state: String) {
        let change = self.change(instance);
        match &change.state {
            Some(known) if *known == state => return,
            Some(_) => {}
            // With properties before it, only the state itself tells whether it is a change.
            None => change.first_state = Some(state.clone()),
        }
        change.times += 1;
        change.was_started |= state == "started";
        change.was_configured |= state == "configured";
        change.state = Some(state);
    }

    fn change(&mut self, instance: String) -> &mut InstanceChange {
        let place = *self.places.entry(instance).or_insert_with_key(|instance| {
            self.changes
                .push((instance.clone(), InstanceChange::default()));
            self.changes.len() - 1
        });
        &mut self.changes[place].1
    }

    /// Removes work on operations that are not wanted any more.
    pub fn withdraw(&mut self, operations: impl IntoIterator<Item = String>) {
        self.withdrawn.extend(operations);
    }

    /// Writes what was collected so far.
    pub async fn write(&mut self, db: &impl Db, execution: &Execution) -> Result<()> {
        let events = std::mem::take(&mut self.events);
        if !events.is_empty() {
            events::insert_all(db, execution, &events, self.now).await?;
        }
        let changes = std::mem::take(&mut self.changes);
        self.places.clear();
        if !changes.is_empty() && !self.dry_run {
            self.write_instances(db, &execution.tenant_name, changes)
                .await?;
        }
        let withdrawn = std::mem::take(&mut self.withdrawn);
        let withdrawn: Vec<&str> = withdrawn.iter().map(String::as_str).collect();
        queue::remove_all(db, Work::Operation, &withdrawn).await?;
        queue::remove_all(db, Work::OperationTimeout, &withdrawn).await?;
        queue::push_all(
            db,
            Work::Operation,
            &std::mem::take(&mut self.calls),
            self.now,
        )
        .await?;
        queue::push_all(
            db,
            Work::OperationTimeout,
            &std::mem::take(&mut self.timeouts),
            self.now,
        )
        .await
    }

    async fn write_instances(
        &self,
        db: &impl Db,
        tenant: &str,
        changes: Vec<(String, InstanceChange)>,
    ) -> Result<()> {
        let touched: Vec<&str> = changes
            .iter()
            .filter(|(_, change)| !change.properties.is_empty())
            .map(|(id, _)| id.as_str())
            .collect();
        let mut properties = if touched.is_empty() {
            HashMap::new()
        } else {
            node_instances::runtime_properties(db, tenant, &touched).await?
        };
        let changes: Vec<Value> = changes
            .iter()
            .map(|(id, change)| {
                let properties = (!change.properties.is_empty()).then(|| {
                    let mut merged = properties.remove(id).unwrap_or_default();
                    merged.extend(change.properties.clone());
                    Value::Object(merged).to_string()
                });
                json!([
                    id,
                    change.state,
                    change.times,
                    properties,
                    change.was_started,
                    change.was_configured,
                    change.first_state
                ])
            })
            .collect();
        node_instances::update_all(db, tenant, &changes, self.now).await
    }
}

/// The row of an event about a task: of a call with its instance, of a subgraph without.
pub fn event_of(
    call: Option<&crate::graph::Call>,
    event_type: &str,
    text: &str,
    causes: Option<Value>,
) -> Value {
    let Some(call) = call else {
        return json!([event_type, text, null, null, null, null, causes]);
    };
    let ends = call
        .related
        .as_ref()
        .map(|related| rows::ends(call, related));
    let (source, target) = ends.unzip();
    json!([
        event_type,
        text,
        call.instance,
        call.operation,
        source,
        target,
        causes
    ])
}
