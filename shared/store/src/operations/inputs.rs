//! The inputs of operations: as they are declared, and in what a resume would run again.

use serde::Deserialize;
use serde_json::{Map, Value};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Timestamp, params};

use super::OperationState;
use crate::deployments::Owner;
use crate::executions::Status;
use crate::{audit, pieces};

/// Where an operation is declared: at a node, or at one of its relationships.
#[derive(Clone, Copy, Debug)]
pub struct Declared<'a> {
    /// The node.
    pub node_id: &'a str,
    /// The operation's full name.
    pub operation: &'a str,
    /// The place of the relationship, and which of its two lists of operations is meant.
    pub relationship: Option<(usize, &'a str)>,
}

/// The inputs that an operation is declared with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeclaredInputs {
    /// The node that runs the operation.
    pub node_id: String,
    /// The operation's full name.
    pub operation: String,
    /// What the blueprint gives it.
    pub inputs: Map<String, Value>,
}

/// The inputs of an operation that a deployment declares. A target operation of a relationship runs
/// on the node at its other end.
///
/// # Errors
/// 404 for an unknown node.
pub async fn declared_inputs(
    db: &impl Db,
    deployment: &Owner,
    declared: &Declared<'_>,
) -> Result<DeclaredInputs> {
    #[derive(Deserialize)]
    struct Node {
        operations: Value,
        relationships: Value,
    }
    let node: Option<Node> = db
        .first_json(
            "select json_object('operations', json(operations),
                 'relationships', json(relationships))
             from whole_nodes where deployment_key = ?1 and id = ?2",
            params![deployment.key, declared.node_id],
        )
        .await?;
    let node = node.ok_or_else(|| Error::not_found("Node", declared.node_id))?;
    let mut node_id = declared.node_id.to_owned();
    let operations = match declared.relationship {
        None => node.operations,
        Some((place, list)) => {
            let relationship = node.relationships.get(place).cloned().unwrap_or_default();
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
        .and_then(|found| found.get("inputs"))
        .and_then(Value::as_object);
    Ok(DeclaredInputs {
        node_id,
        operation: declared.operation.to_owned(),
        inputs: inputs.cloned().unwrap_or_default(),
    })
}

/// Gives declared inputs to the operations of a deployment that a resume would run again: those of
/// this node and this name that wait or failed, in executions that may be resumed. They are
/// marked as holding functions, so that these are evaluated. Answers how many there were.
pub async fn set_inputs(
    tx: &impl Tx,
    scope: &Scope,
    deployment: &Owner,
    declared: &DeclaredInputs,
) -> Result<usize> {
    let executions = Status::sql_list(|status| {
        use Status::{Cancelled, Failed, Pending, Started};
        matches!(status, Pending | Started | Cancelled | Failed)
    });
    let operations = OperationState::sql_list(|state| {
        use OperationState::{Failed, Pending, Rescheduled};
        matches!(state, Pending | Rescheduled | Failed)
    });
    #[derive(Deserialize)]
    struct Again {
        key: i64,
        parameters: Value,
    }
    let sql = format!(
        "select json_object('key', key, 'parameters', json(parameters)) as item
         from operations
         where execution_key in (
                 select key from executions where deployment_key = ?1 and status in {executions})
           and state in {operations}
           and parameters ->> '$.task_kwargs.kwargs.__cloudify_context.node_name' = ?2
           and parameters ->> '$.task_kwargs.kwargs.__cloudify_context.operation.name' = ?3"
    );
    let about = params![deployment.key, &declared.node_id, &declared.operation];
    let again: Vec<Again> = pieces::read(tx, &sql, about).await?;
    let count = again.len();
    for Again {
        key,
        mut parameters,
    } in again
    {
        let Some(Value::Object(kwargs)) = parameters.pointer_mut("/task_kwargs/kwargs") else {
            continue;
        };
        kwargs.extend(declared.inputs.clone());
        if let Some(Value::Object(context)) = kwargs.get_mut("__cloudify_context") {
            context.insert("has_intrinsic_functions".into(), true.into());
        }
        tx.execute(
            "update operations set parameters = ?2, updated_at = ?3 where key = ?1",
            params![key, &parameters, Timestamp::now()],
        )
        .await?;
    }
    audit::insert(tx, scope, "operations", "Deployment", &deployment.id).await?;
    Ok(count)
}
