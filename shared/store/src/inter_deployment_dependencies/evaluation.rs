//! Dependencies whose target a function names: what that says changes with what the source does.

use serde::Deserialize;
use serde_json::Value as Json;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, params};

use super::{creation, removal};
use crate::deployments::Owner;
use crate::pieces;

/// A dependency to be looked at again.
#[derive(Clone, Debug, Deserialize)]
pub struct ToEvaluate {
    /// Which one.
    pub key: i64,
    /// The present target.
    pub target_key: Option<i64>,
    /// `function` with the function, `context` with what `self`, `source` and `target` mean.
    pub target_deployment_func: Json,
}

/// The dependencies of a deployment whose target a function names.
pub async fn to_evaluate(db: &impl Db, source: i64) -> Result<Vec<ToEvaluate>> {
    pieces::read(db, TO_EVALUATE, params![source]).await
}

pub(super) const TO_EVALUATE: &str = "select json_object('key', key, 'target_key', target_key,
         'target_deployment_func', json(target_deployment_func)) as item
     from inter_deployment_dependencies
     where source_key = ?1 and target_deployment_func is not null order by key";

/// Gives a dependency another target, or none.
pub async fn set_target(
    tx: &impl Tx,
    scope: &Scope,
    source: &Owner,
    dependency: &ToEvaluate,
    target: Option<&Owner>,
) -> Result<()> {
    tx.execute(
        "update inter_deployment_dependencies set target_key = ?2, target_deployment_id = ?3
         where key = ?1",
        params![
            dependency.key,
            target.map(|target| target.key),
            target.map(|target| target.id.as_str())
        ],
    )
    .await?;
    if let Some(former) = dependency.target_key {
        removal::unlink(tx, source, &[former]).await?;
    }
    match target {
        Some(target) => creation::link(tx, scope, source, target).await,
        None => Ok(()),
    }
}
