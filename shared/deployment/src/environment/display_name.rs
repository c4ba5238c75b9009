//! The name that a blueprint gives to its deployments, where its functions ask about things that
//! are known only when the deployment is there: labels, instances, capabilities of others.

use serde_json::Value;
use windlass_blueprint::functions::{Context, has_functions};
use windlass_core::db::Tx;
use windlass_core::{Error, Result, Scope};
use windlass_store::deployments::{self, Owner};

use super::world::World;

/// Evaluates the functions in a name and gives it to the deployment, which is stored with all that
/// belongs to it. The answer is why that cannot be done.
pub(super) async fn evaluate(
    tx: &impl Tx,
    scope: &Scope,
    owner: &Owner,
    name: &Value,
) -> Result<Option<String>> {
    if !has_functions(name) {
        return Ok(None);
    }
    let deployment = deployments::find_by_key(tx, &Scope::engine(), owner.key).await?;
    let deployment =
        deployment.ok_or_else(|| Error::internal("a deployment that was just made is gone"))?;
    let world = World::load_without_secrets(tx, scope, deployment, &[name]).await?;
    match world.here().evaluate(name, &Context::default()) {
        Ok(Value::String(name)) => {
            deployments::set_display_name(tx, owner, &name).await?;
            Ok(None)
        }
        // As with a name that is known before: what is no text is no name.
        Ok(_) => Ok(None),
        Err(problem) => Ok(Some(world.explain(&problem.message))),
    }
}
