//! A node that shares a deployment with others: it is used, and nothing else.

use super::{Described, Went, names_deployment};
use windlass_core::db::Tx;
use windlass_core::{Kind, Result};
use windlass_store::inter_deployment_dependencies::{
    self as dependencies, NewDependency, SHARED_RESOURCE, Selection, Target,
};

/// Connects an instance to the deployment that it shares.
pub(super) async fn connect(tx: &impl Tx, described: &Described) -> Result<Went> {
    let id = described.deployment_id();
    let Some(other) = described.find(tx, &id).await? else {
        return Ok(Went::Failed(format!(
            "SharedResource's deployment ID \"{id}\" does not exist, please verify the given ID."
        )));
    };
    depend(tx, described, SHARED_RESOURCE, other.owner).await?;
    Ok(match described.capabilities(tx).await? {
        Went::Done(mut properties) => {
            properties.extend(names_deployment(&id));
            Went::Done(properties)
        }
        other => other,
    })
}

/// Records that the instance uses another deployment.
pub(super) async fn depend(
    tx: &impl Tx,
    described: &Described,
    kind: &str,
    target: windlass_store::deployments::Owner,
) -> Result<()> {
    let new = NewDependency {
        creator: format!("{kind}.{}", described.instance),
        target: Target {
            deployment: Some(target),
            ..Target::default()
        },
        ..NewDependency::default()
    };
    let source = Some(&described.source);
    dependencies::insert_of(tx, &described.scope, source, &new)
        .await
        .map(drop)
}

/// The instance does not use the deployment any more.
pub(super) async fn disconnect(tx: &impl Tx, described: &Described) -> Result<Went> {
    forget(tx, described, SHARED_RESOURCE).await?;
    Ok(Went::Done(serde_json::Map::new()))
}

/// Removes the record that the instance uses another deployment, if there is one.
pub(super) async fn forget(tx: &impl Tx, described: &Described, kind: &str) -> Result<()> {
    let other = described.find(tx, &described.deployment_id()).await?;
    let creator = format!("{kind}.{}", described.instance);
    let selection = Selection {
        creator: &creator,
        source: Some(&described.source),
        target: other.as_ref().map(|other| &other.owner),
        external_source: None,
        external_target: None,
    };
    match dependencies::find_selected(tx, &described.scope, &selection).await {
        Ok(id) => dependencies::delete(tx, &described.scope, &selection, &id).await,
        // Somebody removed it already.
        Err(error) if error.kind() == Kind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
