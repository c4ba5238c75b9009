//! What a step wants done, collected and written with few statements.

use super::{findings, rows};
use crate::graph::{Call, Graph, Operation, OperationState};
use crate::step::{Command, End, Finding};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use windlass_core::db::Tx;
use windlass_core::{Result, Timestamp};
use windlass_store::events::{self, EngineEvent};
use windlass_store::executions::Execution;
use windlass_store::node_instances::{self, InstanceChange};
use windlass_store::queue::{self, Due, Work};

/// Everything that one transaction writes besides operations and the execution itself.
pub struct Effects {
    now: Timestamp,
    dry_run: bool,
    events: Vec<EngineEvent>,
    changes: BTreeMap<String, Changed>,
    calls: Vec<Due>,
    timeouts: Vec<Due>,
    withdrawn: Vec<String>,
}

/// What happens to an instance. Its properties are only known when they are written.
struct Changed {
    change: InstanceChange,
    properties: Map<String, Value>,
    findings: Vec<Finding>,
}

impl Effects {
    /// Nothing yet. In a dry run only events are kept.
    pub fn new(now: Timestamp, dry_run: bool) -> Self {
        Self {
            now,
            dry_run,
            events: Vec::new(),
            changes: BTreeMap::new(),
            calls: Vec::new(),
            timeouts: Vec::new(),
            withdrawn: Vec::new(),
        }
    }

    /// An event about the whole execution.
    pub fn tell(&mut self, event_type: &'static str, text: &str) {
        self.events
            .push(EngineEvent::of_execution(event_type, text));
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
                    let call = graph.operations.get(operation).and_then(Operation::call);
                    self.events.push(event_of(call, event.name(), text, causes));
                }
                Command::TellInstance { instance, text } => {
                    self.events.push(match instance.is_empty() {
                        true => EngineEvent::of_execution("workflow_event", text),
                        false => EngineEvent {
                            node_instance_id: Some(instance),
                            ..EngineEvent::of_execution("workflow_node_event", text)
                        },
                    });
                }
                Command::SetState { instance, state } => self.set_state(instance, state),
                Command::SetProperties {
                    instance,
                    properties,
                } => {
                    let changed = self.changed(instance);
                    changed.change.times += 1;
                    changed.properties.extend(properties);
                }
                Command::Found { instance, finding } => {
                    let changed = self.changed(instance);
                    changed.change.times += 1;
                    changed.findings.push(finding);
                }
                Command::Call { operation, after } => {
                    let Some(operation) = graph.operations.get(operation) else {
                        continue;
                    };
                    let Some(call) = operation.call() else {
                        continue;
                    };
                    let mut due = Due {
                        subject: operation.id.clone(),
                        not_before: self.now.plus_millis(after),
                    };
                    // One that is tried again at once is sent to its worker by the tick, like any other.
                    let is_again = operation.state == OperationState::Rescheduled;
                    if call.queue.is_none() || after > 0 || is_again {
                        self.calls.push(due);
                    } else if let Some(timeout) = call.timeout {
                        let millis = crate::workflows::milliseconds(timeout);
                        due.not_before = due.not_before.plus_millis(millis);
                        self.timeouts.push(due);
                    }
                }
                Command::Withdraw { operation } => {
                    let known = graph.operations.get(operation);
                    self.withdrawn.extend(known.map(|known| known.id.clone()));
                }
                Command::End(end) => ended = Some(end),
            }
        }
        ended
    }

    fn set_state(&mut self, instance: String, state: String) {
        let change = &mut self.changed(instance).change;
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

    fn changed(&mut self, instance: String) -> &mut Changed {
        let entry = self.changes.entry(instance);
        entry.or_insert_with_key(|instance| Changed {
            change: InstanceChange {
                id: instance.clone(),
                ..InstanceChange::default()
            },
            properties: Map::new(),
            findings: Vec::new(),
        })
    }

    /// Removes work on operations that are not wanted any more.
    pub fn withdraw(&mut self, operations: impl IntoIterator<Item = String>) {
        self.withdrawn.extend(operations);
    }

    /// Writes what was collected so far.
    pub async fn write(&mut self, tx: &impl Tx, execution: &Execution) -> Result<()> {
        let events = std::mem::take(&mut self.events);
        if !events.is_empty() {
            events::insert_all(tx, execution, &events, self.now).await?;
        }
        let changes = std::mem::take(&mut self.changes);
        if !changes.is_empty() && !self.dry_run {
            self.write_instances(tx, execution, changes).await?;
        }
        let withdrawn = std::mem::take(&mut self.withdrawn);
        let withdrawn: Vec<&str> = withdrawn.iter().map(String::as_str).collect();
        let calls = std::mem::take(&mut self.calls);
        let timeouts = std::mem::take(&mut self.timeouts);
        queue::remove_all(tx, Work::Operation, &withdrawn).await?;
        queue::remove_all(tx, Work::OperationTimeout, &withdrawn).await?;
        queue::push_all(tx, Work::Operation, &calls, self.now).await?;
        queue::push_all(tx, Work::OperationTimeout, &timeouts, self.now).await
    }

    async fn write_instances(
        &self,
        tx: &impl Tx,
        execution: &Execution,
        changes: BTreeMap<String, Changed>,
    ) -> Result<()> {
        let touched: Vec<&str> = changes
            .iter()
            .filter(|(_, changed)| !changed.properties.is_empty())
            .map(|(id, _)| id.as_str())
            .collect();
        let mut known = if touched.is_empty() {
            HashMap::new()
        } else {
            node_instances::runtime_properties(tx, execution, &touched).await?
        };
        let looked_at: Vec<&str> = changes
            .iter()
            .filter(|(_, changed)| !changed.findings.is_empty())
            .map(|(id, _)| id.as_str())
            .collect();
        let mut of_system = if looked_at.is_empty() {
            HashMap::new()
        } else {
            node_instances::system_properties(tx, execution, &looked_at).await?
        };
        let changes: Vec<InstanceChange> = changes
            .into_values()
            .map(
                |Changed {
                     mut change,
                     properties,
                     findings,
                 }| {
                    if !findings.is_empty() {
                        let mut known = of_system.remove(&change.id).unwrap_or_default();
                        for finding in findings {
                            findings::keep(&mut known, finding, self.now);
                        }
                        change.system_properties = Some(known);
                    }
                    if !properties.is_empty() {
                        let mut merged = known.remove(&change.id).unwrap_or_default();
                        merged.extend(properties);
                        change.runtime_properties = Some(merged);
                    }
                    change
                },
            )
            .collect();
        node_instances::update_all(tx, execution, &changes, self.now).await
    }
}

/// The event about a task: of a call with its instance, of a subgraph without.
pub fn event_of(
    call: Option<&Call>,
    event_type: &'static str,
    text: String,
    causes: Option<Value>,
) -> EngineEvent {
    let mut event = EngineEvent::of_execution(event_type, text);
    event.error_causes = causes;
    if let Some(call) = call {
        // An operation of the workflow itself has none.
        event.node_instance_id = Some(call.instance.clone()).filter(|id| !id.is_empty());
        event.operation = Some(call.operation.clone());
        if let Some(related) = &call.related {
            let (source, target) = rows::ends(call, related);
            event.source_id = Some(source.to_owned());
            event.target_id = Some(target.to_owned());
        }
    }
    event
}
