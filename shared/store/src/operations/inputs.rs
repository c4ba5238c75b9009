//! The inputs of operations: as they are declared, and in what a resume would run again.

use serde_json::{Map, Value};
use windlass_core::db::Db;
use windlass_core::{Error, Result, Timestamp, params};

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
