//! Operations as rows and back.
//!
//! `parameters` has the shape that clients of the operations API know; a step reads back only what
//! it needs. A row that does not fit is an error, never a guess.

use super::islands;
use crate::graph::{
    Call, Check, Graph, Operation, OperationState, Related, RetryWith, SubgraphRetry, Task,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use windlass_core::db::Tx;
use windlass_core::{Error, Result};
use windlass_store::executions::Execution;
use windlass_store::operations::{
    self, EngineOperation, NewDependencies, OpenOperation, OperationChange,
};

/// The rows of the operations from `first` on.
pub fn to_rows<'a>(
    execution: &Execution,
    graph: &'a Graph,
    first: usize,
) -> Vec<EngineOperation<'a>> {
    let id_of = |place: usize| graph.operations.get(place).map(|known| known.id.as_str());
    let islands = islands::of(graph);
    let new = graph.operations.iter().zip(islands).skip(first);
    new.map(|(operation, island)| {
        let subgraph = operation.subgraph.and_then(id_of);
        let dependencies: Vec<&str> = operation
            .dependencies
            .iter()
            .copied()
            .chain(operation.subgraph)
            .filter_map(id_of)
            .collect();
        EngineOperation {
            id: &operation.id,
            name: &operation.name,
            kind: operation.task.type_name(),
            state: operation.state,
            containing_subgraph: subgraph,
            queue: operation.call().and_then(|call| call.queue.as_deref()),
            island: Some(island).filter(|_| first == 0),
            dependencies,
            parameters: parameters(execution, operation, subgraph),
        }
    })
    .collect()
}

fn parameters(execution: &Execution, operation: &Operation, subgraph: Option<&str>) -> Value {
    let (info, task_kwargs) = match &operation.task {
        Task::Subgraph(_) => (json!({ "name": operation.name }), json!({})),
        Task::Nothing => (Value::Null, json!({})),
        Task::SetState { instance, state } => (
            json!(state),
            json!({ "node_instance_id": instance, "state": state }),
        ),
        Task::SendEvent { instance, text } => (
            json!(text),
            json!({ "node_instance_id": instance, "event": text, "additional_context": null }),
        ),
        Task::Call(call) => (
            info(call),
            json!({ "kwargs": kwargs(execution, operation, call) }),
        ),
    };
    let (retries, total) = operation.retries();
    let after = operation.call().map_or(15_000, |call| call.retry_after);
    let mut parameters = json!({
        "current_retries": retries,
        "total_retries": total,
        "retry_interval": seconds(after),
        "send_task_events": true,
        "info": info,
        "containing_subgraph": subgraph,
        "task_kwargs": task_kwargs,
    });
    match &operation.task {
        Task::Call(call) => extend(&mut parameters, handlers(call)),
        Task::Subgraph(Some(retry)) => {
            let (path, with) = match retry.with {
                RetryWith::Reinstall => (RETRY, "reinstall"),
                RetryWith::Uninstall => (RETRY, "uninstall"),
                RetryWith::Heal => (HEAL, "ignore"),
            };
            let handler = json!({ "path": path, "instance_id": retry.instance, "on_retry": with });
            extend(&mut parameters, json!({ "on_failure": handler }));
        }
        _ => {}
    }
    parameters
}

/// Whose finding the end of a check is.
fn info(call: &Call) -> Value {
    if call.check.is_none() {
        return Value::Null;
    }
    let mut info = json!({ "instance_id": call.instance });
    if let Some(related) = &call.related {
        let side = match related.is_target {
            true => "relationship_target",
            false => "relationship_source",
        };
        extend(&mut info, json!({ side: related.instance }));
    }
    info
}

/// What is unusual about a call: what its end means, and when it begins.
fn handlers(call: &Call) -> Value {
    let mut handlers = Map::new();
    if call.ignore_failure {
        handlers.insert("ignore_failure".into(), true.into());
    }
    if let Some(check) = call.check {
        let path = match check {
            Check::Status => CHECK_STATUS,
            Check::Drift => CHECK_DRIFT,
        };
        handlers.insert("on_success".into(), json!({ "path": path }));
    }
    if call.pause > 0 {
        handlers.insert("pause".into(), call.pause.into());
    }
    handlers.into()
}

/// What the original calls the handlers of checks.
const CHECK_STATUS: &str = "cloudify.plugins.workflows.check_status_on_success";
const CHECK_DRIFT: &str = "cloudify.plugins.workflows.check_drift_on_success";

/// What the original calls the handler of a heal that fails.
const HEAL: &str = "cloudify.plugins.lifecycle._on_heal_failure";

/// What the original calls the handler that tries a subgraph again.
const RETRY: &str = "cloudify.plugins.lifecycle._SubgraphOnFailure";

#[allow(clippy::cast_precision_loss, reason = "at most a year")]
fn seconds(millis: i64) -> Value {
    if millis % 1000 == 0 {
        json!(millis / 1000)
    } else {
        json!(millis as f64 / 1000.0)
    }
}

fn kwargs(execution: &Execution, operation: &Operation, call: &Call) -> Map<String, Value> {
    let mut about = json!({
        "name": call.operation,
        "retry_number": call.retries,
        "max_retries": call.total_retries,
    });
    let related = call.related.as_ref();
    let mut context = json!({
        "__cloudify_context": "0.3",
        "type": "operation",
        "task_id": operation.id,
        "task_name": operation.name,
        "execution_id": execution.id,
        "workflow_id": execution.workflow_id,
        "deployment_id": execution.deployment_id,
        "blueprint_id": execution.blueprint_id,
        "tenant": { "name": execution.tenant_name },
        "timeout": call.timeout,
        "timeout_recoverable": call.timeout_recoverable,
        "node_id": call.instance,
        "node_name": call.node,
        "host_id": call.host,
        "plugin": { "name": call.plugin },
        "has_intrinsic_functions": call.has_functions,
        "executor": call.executor,
        "task_queue": call.queue,
    });
    if let Some(related) = related {
        let side = if related.is_target {
            "source"
        } else {
            "target"
        };
        extend(&mut about, json!({ "relationship": side }));
        let (source, target) = ends(call, related);
        let ends = json!({
            "related": {
                "node_id": related.instance,
                "node_name": related.node,
                "is_target": related.is_target,
            },
            "source_id": source,
            "target_id": target,
        });
        extend(&mut context, ends);
    }
    extend(&mut context, json!({ "operation": about }));
    let mut kwargs = call.inputs.clone();
    kwargs.insert("__cloudify_context".into(), context);
    kwargs
}

/// Adds the fields of one object to another.
fn extend(object: &mut Value, with: Value) {
    if let (Value::Object(object), Value::Object(with)) = (object, with) {
        object.extend(with);
    }
}

/// Source and target of a relationship operation.
pub fn ends<'a>(call: &'a Call, related: &'a Related) -> (&'a str, &'a str) {
    if related.is_target {
        (&call.instance, &related.instance)
    } else {
        (&related.instance, &call.instance)
    }
}

#[derive(Deserialize)]
struct CallRow {
    #[serde(default)]
    current_retries: Option<i64>,
    #[serde(default)]
    total_retries: Option<i64>,
    #[serde(default)]
    retry_interval: Option<f64>,
    #[serde(default)]
    ignore_failure: Option<bool>,
    #[serde(default)]
    on_success: Option<String>,
    #[serde(default)]
    pause: Option<i64>,
    #[serde(default)]
    given_up: Option<bool>,
    #[serde(default)]
    sent_before: Option<bool>,
    #[serde(default)]
    operation: Option<String>,
    node_id: String,
    #[serde(default)]
    node_name: Option<String>,
    #[serde(default)]
    related: Option<RelatedRow>,
    #[serde(default)]
    plugin: Option<String>,
    #[serde(default)]
    timeout: Option<f64>,
    #[serde(default)]
    timeout_recoverable: Option<bool>,
}

#[derive(Deserialize)]
struct RelatedRow {
    node_id: String,
    #[serde(default)]
    node_name: Option<String>,
    #[serde(default)]
    is_target: Option<bool>,
}

#[derive(Deserialize)]
struct SubgraphRow {
    #[serde(default)]
    current_retries: Option<i64>,
    #[serde(default)]
    total_retries: Option<i64>,
    on_failure: HandlerRow,
}

#[derive(Deserialize)]
struct HandlerRow {
    path: String,
    instance_id: String,
    on_retry: String,
}

/// How a subgraph is tried again. Handlers of workflows that run outside are theirs to know.
fn retry(parameters: Value) -> Option<Box<SubgraphRetry>> {
    let row: SubgraphRow = serde_json::from_value(parameters).ok()?;
    let handler = row.on_failure;
    let with = match handler.on_retry.as_str() {
        "reinstall" if handler.path == RETRY => RetryWith::Reinstall,
        "uninstall" if handler.path == RETRY => RetryWith::Uninstall,
        "ignore" if handler.path == HEAL => RetryWith::Heal,
        _ => return None,
    };
    Some(Box::new(SubgraphRetry {
        instance: handler.instance_id,
        with,
        retries: row.current_retries.unwrap_or(0),
        total_retries: row.total_retries.unwrap_or(0),
    }))
}

/// A graph from the rows of its operations that have not ended; what they depend on and is not
/// among them is done.
///
/// # Errors
/// Internal, for a row that does not have the shape this module writes.
pub fn from_rows(rows: Vec<OpenOperation>) -> Result<Graph> {
    let places: HashMap<String, usize> = rows
        .iter()
        .enumerate()
        .map(|(place, row)| (row.id.clone(), place))
        .collect();
    let operations = rows
        .into_iter()
        .map(|row| {
            let subgraph = row.containing_subgraph;
            let subgraph = subgraph.and_then(|id| places.get(&id).copied());
            let dependencies = row
                .dependencies
                .iter()
                .filter_map(|id| places.get(id).copied())
                .filter(|place| Some(*place) != subgraph)
                .collect();
            let task = task(&row.id, &row.kind, row.queue, row.parameters)?;
            Ok(Operation {
                id: row.id,
                name: row.name,
                state: row.state,
                dependencies,
                subgraph,
                task,
                changed: false,
                error: None,
                given_up: false,
            })
        })
        .collect::<Result<_>>()?;
    Ok(Graph { operations })
}

fn broken(id: &str, why: &impl ToString) -> Error {
    Error::internal(format!(
        "the operation {id} cannot be read: {}",
        why.to_string()
    ))
}

fn task(id: &str, kind: &str, queue: Option<String>, parameters: Value) -> Result<Task> {
    let text = |key: &str| {
        let text = parameters
            .get(key)
            .and_then(Value::as_str)
            .map(str::to_owned);
        text.ok_or_else(|| broken(id, &format!("no {key}")))
    };
    Ok(match kind {
        "SubgraphTask" => Task::Subgraph(retry(parameters)),
        "SetNodeInstanceStateTask" => Task::SetState {
            instance: text("node_instance_id")?,
            state: text("state")?,
        },
        "SendNodeEventTask" => Task::SendEvent {
            instance: text("node_instance_id")?,
            text: text("event")?,
        },
        "RemoteWorkflowTask" => {
            let row: CallRow =
                serde_json::from_value(parameters).map_err(|error| broken(id, &error))?;
            let after = row.retry_interval.unwrap_or(15.0);
            Task::Call(Box::new(Call {
                instance: row.node_id,
                node: row.node_name.unwrap_or_default(),
                related: row.related.map(|related| Related {
                    instance: related.node_id,
                    node: related.node_name.unwrap_or_default(),
                    is_target: related.is_target.unwrap_or(true),
                }),
                operation: row.operation.unwrap_or_default(),
                plugin: row.plugin.unwrap_or_default(),
                queue,
                retries: row.current_retries.unwrap_or(0),
                total_retries: row.total_retries.unwrap_or(0),
                retry_after: crate::workflows::milliseconds(after),
                timeout: row.timeout,
                timeout_recoverable: row.timeout_recoverable.unwrap_or(false),
                ignore_failure: row.ignore_failure.unwrap_or(false),
                check: match row.on_success.as_deref() {
                    Some(CHECK_STATUS) => Some(Check::Status),
                    Some(CHECK_DRIFT) => Some(Check::Drift),
                    _ => None,
                },
                pause: row.pause.unwrap_or(0),
                given_up: row.given_up.unwrap_or(false),
                sent_before: row.sent_before.unwrap_or(false),
                ..Call::default()
            }))
        }
        // Anything else that was stored through the API waits for whoever stored it.
        _ => Task::Nothing,
    })
}

/// The changes of operations before `first`.
pub fn to_changes(graph: &Graph, first: usize) -> Vec<OperationChange<'_>> {
    let stored = graph.operations.iter().take(first);
    stored
        .filter(|operation| operation.changed)
        .map(|operation| OperationChange {
            id: &operation.id,
            state: operation.state,
            retries: match (operation.call(), operation.state) {
                (Some(call), OperationState::Rescheduled) => Some(call.retries),
                _ => None,
            },
            error: operation.error.as_deref(),
        })
        .collect()
}

/// The operations that a step has given up.
pub fn given_up(graph: &Graph) -> Vec<&str> {
    let given_up = graph.operations.iter().filter(|known| known.given_up);
    given_up.map(|operation| operation.id.as_str()).collect()
}

/// Stored operations that wait for new ones say so in their rows.
pub(super) async fn wait_for_new(tx: &impl Tx, graph: &Graph, stored: usize) -> Result<()> {
    let waiting: Vec<NewDependencies> = graph
        .operations
        .iter()
        .take(stored)
        .map(|operation| NewDependencies {
            id: &operation.id,
            dependencies: operation
                .dependencies
                .iter()
                .filter(|place| **place >= stored)
                .filter_map(|place| graph.operations.get(*place))
                .map(|new| new.id.as_str())
                .collect(),
        })
        .filter(|item| !item.dependencies.is_empty())
        .collect();
    operations::add_dependencies(tx, &waiting).await
}
