//! The deployments that use this one as their environment, taken down before it.
//!
//! An operation of the workflow itself, not of a node: each service has one, which starts its uninstall and
//! waits for it like the operations of a component.

use super::Went;
use super::described::Whose;
use super::other_runs::{self, Run};
use crate::start::StartRequest;
use serde_json::{Map, Value};
use windlass_core::db::Tx;
use windlass_core::{Result, Timestamp, Visibility};
use windlass_store::deployments;
use windlass_store::executions::Execution;
use windlass_store::operations::DueCall;

/// The function of the operation.
pub(crate) const UNINSTALL: &str = "cloudify_types.service.uninstall";

/// For how long the end of a service's uninstall is waited for, in seconds: the workflow sets no limit.
const PATIENCE: i64 = 365 * 24 * 3600;

/// Starts the uninstall of a service, with its own services, and waits for it.
pub(super) async fn uninstall(
    tx: &impl Tx,
    due: &DueCall,
    execution: &Execution,
    now: Timestamp,
) -> Result<Went> {
    let Some(whose) = Whose::of(tx, due, execution).await? else {
        return Ok(Went::Failed("The deployment is gone".to_owned()));
    };
    let Whose { inputs, scope, .. } = &whose;
    let id = inputs.get("deployment_id").and_then(Value::as_str);
    let id = id.unwrap_or_default();
    let found = deployments::find_optional(tx, scope, id).await?;
    let found = found.filter(|found| {
        found.owner.tenant_name == whose.source.tenant_name
            && (found.visibility != Visibility::Private || found.created_by == scope.username())
    });
    let Some(service) = found else {
        // It was deleted meanwhile.
        return Ok(Went::Done(Map::new()));
    };
    let parameters = inputs.get("parameters").and_then(Value::as_object);
    let request = StartRequest {
        deployment_id: id.to_owned(),
        workflow_id: execution.workflow_id.clone(),
        parameters: parameters.cloned().unwrap_or_default(),
        // Types of older versions declare fewer parameters.
        allow_custom_parameters: true,
        queue: true,
        ..StartRequest::default()
    };
    let run = Run {
        operation: &due.id,
        scope,
        request,
        until: now.plus_seconds(PATIENCE),
    };
    other_runs::begin(tx, service.key, run, now).await
}
