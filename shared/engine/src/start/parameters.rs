//! The parameters that an execution runs with: those of the request over the declared defaults.

use serde_json::{Map, Value};
use windlass_blueprint::functions::{Context, has_functions, uses_secrets};
use windlass_blueprint::{ObjectReference, object_references, workflows};
use windlass_core::db::Db;
use windlass_core::{Error, Kind, Result, Scope};
use windlass_deployment::environment::World;
use windlass_deployment::objects::{self, Surroundings};
use windlass_store::deployments;
use windlass_store::executions::Execution;

/// Parameters with defaults, checked, and the functions in lists and maps evaluated. What they
/// name has to be there for the scope.
pub(super) async fn merged(
    db: &impl Db,
    scope: &Scope,
    execution: &Execution,
    workflow: &Value,
) -> Result<Map<String, Value>> {
    let empty = Value::Object(Map::new());
    let declared = workflow
        .get("parameters")
        .filter(|value| value.is_object())
        .unwrap_or(&empty);
    let mut parameters = workflows::merge_parameters(
        &execution.workflow_id,
        declared,
        &execution.parameters,
        execution.allow_custom_parameters,
    )
    .map_err(|error| refused(error.message))?;
    if let Some(deployment) = execution.deployment_key {
        evaluate(db, deployment, &mut parameters).await?;
        let declared = with_constraints(db, deployment, declared).await?;
        demand_objects(db, scope, deployment, &declared, &parameters).await?;
    }
    Ok(parameters)
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(Kind::IllegalExecutionParameters, message.into())
}

/// Evaluates the functions in each of the values. They are stored then, so one that asks for a secret
/// stays a function, which is evaluated where an operation gets it as an input.
async fn evaluate(db: &impl Db, deployment: i64, values: &mut Map<String, Value>) -> Result<()> {
    let is_evaluated = |value: &Value| has_functions(value) && !uses_secrets(value);
    let mut asked = values.clone();
    asked.retain(|_, value| is_evaluated(value));
    if asked.is_empty() {
        return Ok(());
    }
    let asked = Value::Object(asked);
    let world = World::load_for_storing(db, deployment, &asked, &Context::default()).await?;
    for value in values.values_mut().filter(|value| is_evaluated(value)) {
        let evaluated = world.here().evaluate(value, &Context::default());
        *value = evaluated.map_err(|error| refused(world.explain(&error.message)))?;
    }
    Ok(())
}

/// The declared parameters, the functions in their constraints evaluated.
async fn with_constraints(db: &impl Db, deployment: i64, declared: &Value) -> Result<Value> {
    let mut declared = declared.clone();
    let parameters = declared.as_object_mut().into_iter().flatten();
    for schema in parameters.filter_map(|(_, schema)| schema.as_object_mut()) {
        let mut constraints = Map::new();
        if let Some(value) = schema.remove("constraints") {
            constraints.insert("constraints".to_owned(), value);
        }
        evaluate(db, deployment, &mut constraints).await?;
        schema.append(&mut constraints);
    }
    Ok(declared)
}

/// Demands that parameters of types such as `node_id` name what exists. What is null names nothing.
async fn demand_objects(
    db: &impl Db,
    scope: &Scope,
    deployment: i64,
    declared: &Value,
    parameters: &Map<String, Value>,
) -> Result<()> {
    let mut given = parameters.clone();
    given.retain(|_, value| !value.is_null());
    let mut references = object_references(declared, &given);
    references.retain(|reference| !reference.values.is_empty());
    if references.is_empty() {
        return Ok(());
    }
    let deployment = deployments::find_by_key(db, &Scope::engine(), deployment).await?;
    let deployment = deployment.ok_or_else(|| Error::internal("the deployment has gone"))?;
    for reference in &references {
        let here = Surroundings::Deployment(&deployment);
        let one: &[ObjectReference] = std::slice::from_ref(reference);
        if let Some(problem) = objects::find_problem(db, scope, here, one).await? {
            let refusal = workflows::breaks_constraints(&reference.name, &problem.message);
            return Err(refused(refusal.message));
        }
    }
    Ok(())
}
