//! Graphs and operations that clients make and change themselves: workflows that run outside keep
//! their books here. The numbers of operations of the execution follow every change.

use crate::executions::Execution;
use serde::Serialize;
use serde_json::{Map, Value};
use windlass_core::db::Db;
use windlass_core::{Error, Result, Scope, Timestamp, params};

/// The states in which an operation has ended.
const TERMINATED: [&str; 3] = ["rescheduled", "succeeded", "failed"];

/// The type of operations that do nothing, which no progress counts.
const NOTHING: &str = "NOPLocalWorkflowTask";

/// A graph that the caller can see.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The order of creation.
    pub key: i64,
    /// What clients call it.
    pub id: String,
    /// The execution it belongs to.
    pub execution_id: String,
}

/// An operation that the caller can see.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The order of creation.
    pub key: i64,
    /// What clients call it.
    pub id: String,
    /// The name that events show.
    pub name: String,
    /// Such as `RemoteWorkflowTask`.
    pub kind: String,
    /// Any text; [`Self::has_terminated`] knows those that mean an end.
    pub state: String,
    /// What a workflow needs to make the operation again.
    pub parameters: Map<String, Value>,
    /// The execution it belongs to.
    pub execution_id: String,
}

impl Operation {
    /// Whether progress counts it.
    pub fn counts(&self) -> bool {
        self.kind != NOTHING
    }

    /// Whether it has ended.
    pub fn has_terminated(&self) -> bool {
        TERMINATED.contains(&self.state.as_str())
    }
}

/// An operation to be inserted.
#[derive(Clone, Debug, Serialize)]
pub struct NewOperation {
    /// The client chooses it.
    pub id: String,
    /// The name that events show.
    pub name: String,
    /// Such as `RemoteWorkflowTask`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The state to begin with.
    pub state: String,
    /// The ids of operations that have to end first.
    pub dependencies: Vec<Value>,
    /// What a workflow needs to make the operation again.
    pub parameters: Map<String, Value>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A graph that the caller can see.
///
/// # Errors
/// 404 when there is none.
pub async fn find_graph(db: &impl Db, scope: &Scope, id: &str) -> Result<Graph> {
    let sql = format!(
        "select key, id, execution_id from tasks_graphs where {} and id = ?4",
        Scope::VISIBLE
    );
    let row = db.first(&sql, &scope.with(&[id.into()])).await?;
    let row = row.ok_or_else(|| Error::not_found("TasksGraph", id))?;
    Ok(Graph {
        key: row.integer(0)?,
        id: row.text(1)?.to_owned(),
        execution_id: row.text(2)?.to_owned(),
    })
}

/// An operation that the caller can see.
///
/// # Errors
/// 404 when there is none.
pub async fn find(db: &impl Db, scope: &Scope, id: &str) -> Result<Operation> {
    let sql = format!(
        "select key, id, name, type, state, parameters,
             (select e.id from executions e where e.key = operations.execution_key)
         from operations where {} and id = ?4",
        Scope::VISIBLE
    );
    let row = db.first(&sql, &scope.with(&[id.into()])).await?;
    let row = row.ok_or_else(|| Error::not_found("Operation", id))?;
    Ok(Operation {
        key: row.integer(0)?,
        id: row.text(1)?.to_owned(),
        name: row.text(2)?.to_owned(),
        kind: row.text(3)?.to_owned(),
        state: row.text(4)?.to_owned(),
        parameters: row.json(5)?,
        execution_id: row.text(6)?.to_owned(),
    })
}

/// Inserts a graph of an execution and answers it.
///
/// # Errors
/// 409 when the id is taken.
pub async fn insert_graph(
    db: &impl Db,
    execution: &Execution,
    id: &str,
    name: &str,
    created_at: Timestamp,
) -> Result<Graph> {
    let inserted = db
        .first(
            "insert into tasks_graphs
                 (id, execution_key, execution_id, name, tenant_name, created_by, visibility, created_at)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) returning key",
            params![
                id,
                execution.key,
                &execution.id,
                name,
                &execution.tenant_name,
                &execution.created_by,
                &execution.visibility,
                created_at
            ],
        )
        .await;
    let row = inserted.map_err(|error| taken(error, "tasks graph", id))?;
    let row = row.ok_or_else(|| Error::internal("an insert answered no key"))?;
    Ok(Graph {
        key: row.integer(0)?,
        id: id.to_owned(),
        execution_id: execution.id.clone(),
    })
}

/// Inserts operations into a graph of an execution, in their order, and counts them.
///
/// # Errors
/// 409 when an id is taken.
pub async fn insert(
    db: &impl Db,
    execution: &Execution,
    graph: &Graph,
    operations: &[NewOperation],
) -> Result<()> {
    let json = serde_json::to_string(operations).map_err(Error::internal)?;
    let inserted = db
        .execute(
            "insert into operations (id, tasks_graph_key, tasks_graph_id, execution_key, name,
                 type, state, containing_subgraph, dependencies, parameters, tenant_name,
                 created_by, visibility, created_at)
             select o.value ->> 'id', ?1, ?2, ?3, o.value ->> 'name', o.value ->> 'type',
                 o.value ->> 'state', o.value ->> '$.parameters.containing_subgraph',
                 o.value -> 'dependencies', o.value -> 'parameters', ?4, ?5, ?6,
                 o.value ->> 'created_at'
             from json_each(?7) o",
            params![
                graph.key,
                &graph.id,
                execution.key,
                &execution.tenant_name,
                &execution.created_by,
                &execution.visibility,
                json
            ],
        )
        .await;
    let ids: Vec<&str> = operations
        .iter()
        .map(|operation| operation.id.as_str())
        .collect();
    inserted.map_err(|error| taken(error, "operation", &ids.join(", ")))?;
    let counted = operations
        .iter()
        .filter(|operation| operation.kind != NOTHING);
    let (mut total, mut finished) = (0, 0);
    for operation in counted {
        total += 1;
        finished += i64::from(TERMINATED.contains(&operation.state.as_str()));
    }
    count(db, &execution.id, total, finished).await
}

/// Moves an operation to a state and notes who ran it; progress follows when that ends it.
pub async fn set_state(
    db: &impl Db,
    operation: &Operation,
    state: &str,
    manager_name: Option<&str>,
    agent_name: Option<&str>,
) -> Result<()> {
    db.execute(
        "update operations set state = ?2, manager_name = ?3, agent_name = ?4, updated_at = ?5
         where key = ?1",
        params![
            operation.key,
            state,
            manager_name,
            agent_name,
            Timestamp::now()
        ],
    )
    .await?;
    let ends = TERMINATED.contains(&state) && !operation.has_terminated();
    if ends && operation.counts() {
        count(db, &operation.execution_id, 0, 1).await?;
    }
    Ok(())
}

/// Deletes an operation; progress forgets it.
pub async fn delete(db: &impl Db, operation: &Operation) -> Result<()> {
    db.execute(
        "delete from operations where key = ?1",
        params![operation.key],
    )
    .await?;
    if !operation.counts() {
        return Ok(());
    }
    count(
        db,
        &operation.execution_id,
        -1,
        -i64::from(operation.has_terminated()),
    )
    .await
}

/// Where an operation is declared: at a node, or at one of its relationships.
#[derive(Clone, Copy, Debug)]
pub struct Declared<'a> {
    /// The deployment's row.
    pub deployment_key: i64,
    /// The node.
    pub node_id: &'a str,
    /// The operation's full name.
    pub operation: &'a str,
    /// The place of the relationship, and which of its two lists of operations is meant.
    pub relationship: Option<(usize, &'a str)>,
}

/// The node that runs a declared operation, and the inputs it is declared with. A target operation
/// of a relationship runs on the node at its other end.
///
/// # Errors
/// 404 for an unknown node.
pub async fn declared_inputs(
    db: &impl Db,
    declared: &Declared<'_>,
) -> Result<(String, Map<String, Value>)> {
    let row = db
        .first(
            "select operations, relationships from nodes where deployment_key = ?1 and id = ?2",
            params![declared.deployment_key, declared.node_id],
        )
        .await?;
    let row = row.ok_or_else(|| Error::not_found("Node", declared.node_id))?;
    let mut node_id = declared.node_id.to_owned();
    let operations = match declared.relationship {
        None => row.json(0)?,
        Some((place, list)) => {
            let relationships: Value = row.json(1)?;
            let relationship = relationships.get(place).cloned().unwrap_or_default();
            if list == "target_operations"
                && let Some(target) = relationship.get("target_id").and_then(Value::as_str)
            {
                target.clone_into(&mut node_id);
            }
            relationship.get(list).cloned().unwrap_or_default()
        }
    };
    let inputs = operations
        .get(declared.operation)
        .and_then(|found| found.get("inputs"));
    Ok((
        node_id,
        inputs
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default(),
    ))
}

/// Gives new inputs to the operations of a deployment that a resume would run again: those of
/// this node and this name that wait or failed, in executions that may be resumed. They are
/// marked as holding functions, so that these are evaluated. Answers how many there were.
pub async fn set_inputs(
    db: &impl Db,
    deployment_key: i64,
    node_id: &str,
    operation: &str,
    inputs: &Map<String, Value>,
) -> Result<usize> {
    let rows = db
        .query(
            "select key, parameters from operations
             where execution_key in (
                     select key from executions where deployment_key = ?1
                     and status in ('pending', 'started', 'cancelled', 'failed'))
               and state in ('pending', 'rescheduled', 'failed')
               and parameters ->> '$.task_kwargs.kwargs.__cloudify_context.node_name' = ?2
               and parameters ->> '$.task_kwargs.kwargs.__cloudify_context.operation.name' = ?3",
            params![deployment_key, node_id, operation],
        )
        .await?;
    for row in &rows {
        let mut parameters: Value = row.json(1)?;
        let Some(Value::Object(kwargs)) = parameters.pointer_mut("/task_kwargs/kwargs") else {
            continue;
        };
        kwargs.extend(inputs.clone());
        if let Some(Value::Object(context)) = kwargs.get_mut("__cloudify_context") {
            context.insert("has_intrinsic_functions".into(), true.into());
        }
        db.execute(
            "update operations set parameters = ?2, updated_at = ?3 where key = ?1",
            params![row.integer(0)?, &parameters, Timestamp::now()],
        )
        .await?;
    }
    Ok(rows.len())
}

/// Whether an instance belongs to the deployment of an execution.
pub async fn owns_instance(db: &impl Db, execution: &Execution, id: &str) -> Result<bool> {
    let row = db
        .first(
            "select 1 from node_instances where tenant_name = ?1 and id = ?2 and deployment_key = ?3",
            params![&execution.tenant_name, id, execution.deployment_key],
        )
        .await?;
    Ok(row.is_some())
}

async fn count(db: &impl Db, execution_id: &str, total: i64, finished: i64) -> Result<()> {
    if total == 0 && finished == 0 {
        return Ok(());
    }
    db.execute(
        "update executions set total_operations = total_operations + ?2,
             finished_operations = finished_operations + ?3 where id = ?1",
        params![execution_id, total, finished],
    )
    .await
}

fn taken(error: Error, what: &str, id: &str) -> Error {
    if error.is_unique_violation() {
        return Error::conflict(format!("The {what} with ID `{id}` already exists"));
    }
    error
}
