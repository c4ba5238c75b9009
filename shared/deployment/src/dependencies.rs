//! The dependencies that a deployment's functions make: whoever reads a capability of another one uses
//! it.
//!
//! Which one that is may be known only when the function is evaluated, and may change with whatever the
//! deployment does. So such a dependency keeps its function and is looked at again after each execution.

use serde_json::{Value, json};
use windlass_blueprint::functions::Context;
use windlass_core::db::{Db, Tx};
use windlass_core::{Kind, Result, Scope, Visibility};
use windlass_store::deployments::{self, Deployment, Owner};
use windlass_store::inter_deployment_dependencies::{
    self as dependencies, NewDependency, Target, ToEvaluate,
};

use crate::environment::World;

/// Stores the dependencies of a new deployment: the plan's `inter_deployment_functions`, with the
/// instances they are evaluated for.
///
/// # Errors
/// Of the database.
pub async fn of_functions(
    tx: &impl Tx,
    scope: &Scope,
    owner: &Owner,
    functions: &[Value],
) -> Result<()> {
    for function in functions {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let Some(creator) = text(&function["function_identifier"]) else {
            continue;
        };
        let target = &function["target_deployment"];
        let (known, written) = (&target[0], &target[1]);
        let about = json!({ "function": written, "context": &function["context"] });
        let target = match known {
            Value::Null => evaluated(tx, owner, &about).await?,
            known => found(tx, scope, owner, known).await?,
        };
        let is_final = known.is_string() && target.is_some();
        let new = NewDependency {
            creator,
            target: Target {
                deployment: target,
                function: (!is_final).then_some(about),
                external: None,
            },
            ..NewDependency::default()
        };
        if !is_own(owner, known) {
            dependencies::insert_of(tx, scope, Some(owner), &new).await?;
        }
    }
    Ok(())
}

/// What uses itself depends on nobody.
fn is_own(owner: &Owner, known: &Value) -> bool {
    known.as_str() == Some(owner.id.as_str())
}

/// Looks again which deployments the functions of one name. One that cannot be found out, or would use
/// its user, is nobody's.
///
/// # Errors
/// Of the database.
pub async fn evaluate_again(tx: &impl Tx, deployment_key: i64) -> Result<()> {
    let all = dependencies::to_evaluate(tx, deployment_key).await?;
    if all.is_empty() {
        return Ok(());
    }
    let deployment = deployments::find_by_key(tx, &Scope::engine(), deployment_key).await?;
    let Some(Deployment { owner, .. }) = deployment else {
        return Ok(());
    };
    let scope = Scope::system(&owner.created_by, &owner.tenant_name);
    for dependency in &all {
        evaluate_one(tx, &scope, &owner, dependency).await?;
    }
    Ok(())
}

async fn evaluate_one(
    tx: &impl Tx,
    scope: &Scope,
    owner: &Owner,
    dependency: &ToEvaluate,
) -> Result<()> {
    let mut target = evaluated(tx, owner, &dependency.target_deployment_func).await?;
    if target.as_ref().map(|target| target.key) == dependency.target_key {
        return Ok(());
    }
    if let Some(found) = &target
        && let Err(refusal) = dependencies::demand_no_cycle(tx, owner, found).await
    {
        if refusal.kind() != Kind::Conflict {
            return Err(refusal);
        }
        target = None;
    }
    dependencies::set_target(tx, scope, owner, dependency, target.as_ref()).await
}

/// The deployment that a function names at present: `function`, and whom it is evaluated for in
/// `context`; or the function itself, as clients may store it.
async fn evaluated(db: &impl Db, owner: &Owner, about: &Value) -> Result<Option<Owner>> {
    let function = about.get("function").unwrap_or(about);
    let instance = |name: &str| {
        about["context"]
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let source = instance("source");
    let context = Context {
        self_instance: instance("self").filter(|_| source.is_none()),
        target_instance: instance("target"),
        source_instance: source,
    };
    let world = World::load_for_engine(db, owner.key, function, &context).await?;
    // What is wrong with it is told to whoever asks for its value.
    let Ok(value) = world.here().evaluate(function, &context) else {
        return Ok(None);
    };
    let scope = Scope::system(&owner.created_by, &owner.tenant_name);
    found(db, &scope, owner, &value).await
}

/// The deployment of this id, if the source's creator may see it and it is not the source.
async fn found(db: &impl Db, scope: &Scope, owner: &Owner, id: &Value) -> Result<Option<Owner>> {
    let Some(id) = id.as_str() else {
        return Ok(None);
    };
    let found = deployments::find_optional(db, scope, id).await?;
    let found = found.map(|found| found.owner);
    Ok(found.filter(|found| {
        let is_seen =
            found.visibility != Visibility::Private || found.created_by == owner.created_by;
        is_seen && found.key != owner.key
    }))
}
