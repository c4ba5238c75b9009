//! The schedules that the new blueprint of a deployment gives it.
//!
//! Each is known with what its blueprint said of it. So one that somebody has changed since stays as it is
//! until the blueprint says something else, and one that people made is never touched.

use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use windlass_blueprint::DeploymentPlan;
use windlass_core::db::{Db, Tx};
use windlass_core::{Scope, Timestamp};
use windlass_store::deployments::Deployment;
use windlass_store::execution_schedules::{self as store, Known};

use super::Shape;
use crate::environment::NotMade;
use crate::environment::default_schedules::{self, Given};

/// What becomes of the schedules of a deployment.
#[derive(Clone, Debug, Default)]
pub(super) struct ScheduleChanges {
    /// What the blueprint says of all that it gives.
    definitions: Map<String, Value>,
    /// Those that are new, or are something else from now on.
    created: Vec<String>,
    /// Those that go, or are something else.
    deleted: Vec<String>,
}

impl ScheduleChanges {
    /// All that the blueprint gives.
    pub fn definitions(&self) -> Value {
        Value::Object(self.definitions.clone())
    }

    /// What clients are shown: those that are made, those that go.
    pub fn shown(&self) -> [Value; 2] {
        let created = self.created.iter().map(|id| {
            let mut schedule = json!({ "id": id });
            if let (Some(schedule), Some(Value::Object(definition))) =
                (schedule.as_object_mut(), self.definitions.get(id))
            {
                schedule.extend(definition.clone());
            }
            schedule
        });
        [created.collect(), json!(self.deleted)]
    }
}

/// Finds out what a plan means for the schedules of a deployment.
///
/// # Errors
/// For what cannot be a schedule, and for a workflow that the plan does not have.
pub(super) async fn changes(
    db: &impl Db,
    scope: &Scope,
    deployment: &Deployment,
    (plan, new): (&DeploymentPlan, &Shape),
) -> Result<ScheduleChanges, NotMade> {
    let settings = plan.plan.section("deployment_settings");
    let given = default_schedules::read(settings, scope.username(), Timestamp::now())
        .map_err(|refusal| NotMade::Impossible(refusal.message().to_owned()))?;
    let workflows = new.columns.get("workflows").and_then(Value::as_array);
    let names: HashSet<&str> = workflows
        .into_iter()
        .flatten()
        .filter_map(|workflow| workflow["name"].as_str())
        .collect();
    for Given { schedule, .. } in &given {
        if !names.contains(schedule.workflow_id.as_str()) {
            let text = default_schedules::without_workflow(schedule, deployment);
            return Err(NotMade::Impossible(text));
        }
    }
    let known = store::known(db, deployment).await?;
    let definitions: Map<String, Value> = given
        .into_iter()
        .map(|given| (given.schedule.id, given.definition))
        .collect();
    let mut changes = ScheduleChanges::default();
    for (id, definition) in &definitions {
        match known.iter().find(|known| known.id == *id) {
            None => changes.created.push(id.clone()),
            Some(known) if known.definition.is_null() || known.definition == *definition => {}
            Some(_) => {
                changes.created.push(id.clone());
                changes.deleted.push(id.clone());
            }
        }
    }
    let gone = known
        .into_iter()
        .filter(|known| !known.definition.is_null() && !definitions.contains_key(&known.id));
    changes.deleted.extend(gone.map(|known| known.id));
    changes.definitions = definitions;
    Ok(changes)
}

/// Reads what was kept of the schedules. Or why that cannot be any more.
pub(super) fn read(scope: &Scope, definitions: Value) -> Result<Vec<Given>, String> {
    let settings = json!({ "default_schedules": definitions });
    // Times that count from now begin when the update has succeeded.
    let given = default_schedules::read(&settings, scope.username(), Timestamp::now());
    given.map_err(|refusal| refusal.message().to_owned())
}

/// Gives a deployment the schedules of its new blueprint, and takes those away that it had from the old
/// one.
pub(super) async fn settle(
    tx: &impl Tx,
    scope: &Scope,
    deployment: &Deployment,
    given: &[Given],
) -> windlass_core::Result<()> {
    let known = store::known(tx, deployment).await?;
    let by_id: HashMap<&str, &Known> = known
        .iter()
        .map(|known| (known.id.as_str(), known))
        .collect();
    for Given {
        schedule,
        definition,
    } in given
    {
        let new = (schedule, definition);
        match by_id.get(schedule.id.as_str()) {
            None => store::insert_default(tx, scope, deployment, new).await?,
            Some(known) if known.definition.is_null() || known.definition == *definition => {}
            Some(known) => store::redefine(tx, scope, known, new).await?,
        }
    }
    let stays: HashSet<&str> = given
        .iter()
        .map(|given| given.schedule.id.as_str())
        .collect();
    for known in &known {
        if !known.definition.is_null() && !stays.contains(known.id.as_str()) {
            store::delete_default(tx, scope, known).await?;
        }
    }
    Ok(())
}
