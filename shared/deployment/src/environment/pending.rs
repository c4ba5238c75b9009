//! Environments that are made and taken away by executions, for deployments of groups: many of them,
//! and nobody waits for one.
//!
//! What was asked of a deployment is in the parameters of the execution that makes it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use windlass_core::db::Tx;
use windlass_core::{Error, Kind, Result, Scope};
use windlass_store::blueprints;
use windlass_store::deployments::{self, Deployment};
use windlass_store::executions::{Execution, deployment_status};
use windlass_store::labels::Label;

use super::creation::{self, Prepared, Wanted};
use super::removal::{self, Removal};

/// What was asked of a deployment that is made later.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Asked {
    /// Values for the blueprint's inputs.
    #[serde(default)]
    pub inputs: Map<String, Value>,
    /// Labels, in the form in which they are stored.
    #[serde(default)]
    pub labels: Vec<Label>,
    /// The name shown to people.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Whether plugins may be missing.
    #[serde(default)]
    pub skip_plugins_validation: bool,
}

/// Makes the environment of an execution's deployment. Answers why that cannot be done, if so.
///
/// # Errors
/// Of the database.
pub async fn make_by_execution(tx: &impl Tx, execution: &Execution) -> Result<Option<String>> {
    let scope = Scope::in_name_of(&execution.created_by, &execution.tenant_name);
    let deployment = match execution.deployment_key {
        Some(key) => deployments::find_by_key(tx, &Scope::engine(), key).await?,
        None => None,
    };
    let Some(deployment) = deployment else {
        return Ok(Some("The deployment is gone".to_owned()));
    };
    let made = tx.attempt(async |tx| {
        let wanted = wanted(tx, &scope, execution, &deployment).await?;
        let prepared = Prepared::new(tx, &scope, wanted).await?;
        creation::complete(tx, &scope, &deployment, &prepared).await
    });
    let failure = match made.await {
        Err(error) if matches!(error.kind(), Kind::Internal | Kind::Unavailable) => {
            return Err(error);
        }
        Err(refusal) => Some(refusal.message().to_owned()),
        Ok(failure) => failure,
    };
    deployment_status::recompute(tx, &deployment).await?;
    Ok(failure)
}

async fn wanted(
    tx: &impl Tx,
    scope: &Scope,
    execution: &Execution,
    deployment: &Deployment,
) -> Result<Wanted> {
    let asked = Value::Object(execution.parameters.clone());
    let asked: Asked = serde_json::from_value(asked)
        .map_err(|error| Error::bad_parameters(format!("The parameters are unusable: {error}")))?;
    Ok(Wanted {
        id: deployment.id.clone(),
        blueprint: blueprints::find(tx, scope, &deployment.blueprint_id).await?,
        inputs: asked.inputs,
        labels: asked.labels,
        visibility: deployment.visibility,
        display_name: asked.display_name,
        site_name: None,
        skip_plugins_validation: asked.skip_plugins_validation,
        runtime_only_evaluation: deployment.runtime_only_evaluation,
        created_by: None,
        created_at: None,
    })
}

/// Deletes the deployment of an execution, which goes with it. Answers why that cannot be done, if so.
///
/// # Errors
/// Of the database.
pub async fn delete_by_execution(tx: &impl Tx, execution: &Execution) -> Result<Option<String>> {
    let flag = |name: &str| execution.parameters.get(name) == Some(&Value::Bool(true));
    let removal = Removal {
        force: flag("force"),
        recursive: flag("recursive"),
    };
    let scope = Scope::system(&execution.created_by, &execution.tenant_name);
    let id = execution.deployment_id.as_deref().unwrap_or_default();
    let removed =
        tx.attempt(async |tx| removal::remove_by(tx, &scope, id, removal, &execution.id).await);
    match removed.await {
        Ok(()) => Ok(None),
        Err(error) if matches!(error.kind(), Kind::Internal | Kind::Unavailable) => Err(error),
        Err(refusal) => Ok(Some(refusal.message().to_owned())),
    }
}
