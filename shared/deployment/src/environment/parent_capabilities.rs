//! Capabilities that a blueprint wants of the environment it is deployed in.

use serde_json::Value;
use windlass_blueprint::DeploymentPlan;
use windlass_blueprint::functions::has_functions;
use windlass_core::db::Db;
use windlass_core::{Result, Scope, python};
use windlass_store::deployments;
use windlass_store::labels::Label;

use super::creation::NotMade;
use super::world::World;

/// Demands that the parent has all the capabilities that the blueprint says it uses.
pub(crate) async fn check(
    db: &impl Db,
    scope: &Scope,
    plan: &DeploymentPlan,
    labels: &[Label],
) -> Result<(), NotMade> {
    let required = plan.plan.section("requirements")["parent_capabilities"].as_array();
    // A path with functions in it is known only later.
    let required = required.into_iter().flatten();
    let required: Vec<&Value> = required.filter(|path| !has_functions(path)).collect();
    if required.is_empty() {
        return Ok(());
    }
    let parent = match deployments::parent_ids(labels).next() {
        Some(id) => deployments::find_optional(db, scope, id).await?,
        None => None,
    };
    let Some(parent) = parent else {
        return Err(NotMade::Impossible(format!(
            "Environment not found, but environment capabilities are required: {}",
            paths_text(required)
        )));
    };
    let (id, definitions) = (parent.id.clone(), parent.capabilities.clone());
    let world = World::load(db, scope, parent, &[&definitions]).await?;
    let there = Value::Object(world.outputs(&definitions).unwrap_or_default());
    let missing = required.into_iter().filter(|path| !leads(path, &there));
    let missing: Vec<&Value> = missing.collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(NotMade::Impossible(format!(
        "Environment {id} does not have the required capabilities: {}",
        paths_text(missing)
    )))
}

/// Whether a path, which is a capability's name and the keys and indexes below it, leads to a value.
fn leads(path: &Value, capabilities: &Value) -> bool {
    let mut here = Some(capabilities);
    for step in path.as_array().into_iter().flatten() {
        here = here.and_then(|value| match step {
            Value::String(key) => value.get(key),
            step => value.get(usize::try_from(step.as_u64()?).ok()?),
        });
    }
    here.is_some()
}

/// Paths as people read them, each once: `berth, crane.hooks.0`.
fn paths_text<'a>(paths: impl IntoIterator<Item = &'a Value>) -> String {
    let mut texts: Vec<String> = Vec::new();
    for path in paths {
        let steps = path.as_array().into_iter().flatten();
        let text = steps.map(python::str).collect::<Vec<_>>().join(".");
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts.join(", ")
}
