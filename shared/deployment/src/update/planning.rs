//! What an update would do, found out without changing anything.

use serde_json::{Map, Value, json};
use std::collections::HashMap;
use windlass_blueprint::{DeploymentPlan, NodeInstance, Part, Wanted, check_inputs, correct_types};
use windlass_core::db::Db;
use windlass_core::{Error, Kind, Result, Scope, limits};
use windlass_store::blueprints::Blueprint;
use windlass_store::deployment_updates::work::{self, Item};
use windlass_store::deployment_updates::{self, Shown};
use windlass_store::deployments::{self, Deployment};
use windlass_store::labels::{self, Label};
use windlass_store::{node_instances, nodes};

use super::instances::{self, Before, InstanceChanges};
use super::schedules::{self, ScheduleChanges};
use super::{Difference, Shape, Unsupported, difference, plugins};
use crate::environment::{self, NotMade, plan_rows};

/// What a deployment is to become.
#[derive(Clone, Debug)]
pub struct Goal {
    /// The blueprint, which was uploaded completely.
    pub blueprint: Blueprint,
    /// The inputs that were given, over those of the deployment.
    pub inputs: Map<String, Value>,
    /// Whether functions are left alone afterwards until somebody asks for their values.
    pub runtime_only_evaluation: bool,
    /// Whether texts among the inputs may stand for the numbers and truth values that the blueprint wants.
    pub auto_correct_types: bool,
    /// Whether nodes that stay get the plugins of the new blueprint. Else they keep those of the same name
    /// that they have.
    pub update_plugins: bool,
    /// The row of the update that is to reach it; none for a preview. What the one before left undone
    /// is its too.
    pub update: Option<i64>,
}

/// An update that was thought through.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What is different.
    pub difference: Difference,
    pub(super) new: Shape,
    pub(super) old_nodes: Vec<nodes::NewNode>,
    pub(super) instances: InstanceChanges,
    /// The labels that the deployment gets.
    pub(super) labels: Vec<Label>,
    /// The schedules that the blueprint gives it.
    pub(super) schedules: ScheduleChanges,
    /// The inputs that it gets, defaults filled in.
    pub inputs: Map<String, Value>,
}

impl Planned {
    /// Whether the deployment has a workflow after it.
    pub fn has_workflow(&self, name: &str) -> bool {
        let workflows = self.new.columns.get("workflows").and_then(Value::as_array);
        let mut workflows = workflows.into_iter().flatten();
        workflows.any(|workflow| workflow["name"] == name)
    }

    /// What clients are shown of it.
    pub fn shown(&self) -> Shown {
        let labels = self
            .labels
            .iter()
            .map(|label| json!({ &label.key: label.value }));
        let mut shown = Shown::new();
        shown.insert("steps".to_owned(), json!(self.difference.shown_steps()));
        shown.insert("labels_to_create".to_owned(), labels.collect());
        let [create, delete] = self.schedules.shown();
        shown.insert("schedules_to_create".to_owned(), create);
        shown.insert("schedules_to_delete".to_owned(), delete);
        let [install, uninstall] = plugins::central_changes(&self.old_nodes, &self.new.nodes);
        shown.insert("central_plugins_to_install".to_owned(), install);
        shown.insert("central_plugins_to_uninstall".to_owned(), uninstall);
        shown.insert(
            "modified_entity_ids".to_owned(),
            self.difference.modified_entities(),
        );
        shown
    }
}

/// The inputs of a deployment after an update: its own as far as the blueprint still has them, under
/// those that were given.
pub fn inputs_after(
    old: &Map<String, Value>,
    given: &Map<String, Value>,
    declared: &Value,
) -> Map<String, Value> {
    let is_declared = |name: &String| declared.get(name).is_some();
    let mut inputs: Map<String, Value> = old
        .iter()
        .filter(|(name, _)| is_declared(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    inputs.extend(given.clone());
    inputs
}

/// Thinks an update through. What the blueprint or the inputs make impossible is a text for people.
///
/// # Errors
/// Of the database.
pub async fn plan(
    db: &impl Db,
    scope: &Scope,
    deployment: &Deployment,
    goal: &Goal,
) -> Result<Result<Planned, String>> {
    match planned(db, scope, deployment, goal).await {
        Ok(planned) => Ok(Ok(planned)),
        Err(NotMade::Impossible(reason)) => Ok(Err(reason)),
        Err(NotMade::Unknown(error)) => Err(error),
    }
}

async fn planned(
    db: &impl Db,
    scope: &Scope,
    deployment: &Deployment,
    goal: &Goal,
) -> Result<Planned, NotMade> {
    let uploaded = environment::uploaded_plan(db, scope, &goal.blueprint).await?;
    let mut inputs = inputs_after(&deployment.inputs, &goal.inputs, uploaded.section("inputs"));
    if goal.auto_correct_types {
        correct_types(&uploaded, &mut inputs);
    }
    if let Err(problem) = check_inputs(&uploaded, &inputs) {
        let refusal = environment::refused_inputs(&problem);
        return Err(NotMade::Impossible(refusal.message().to_owned()));
    }
    let runtime_only = goal.runtime_only_evaluation;
    let mut plan =
        environment::deployment_plan(db, scope, &uploaded, &inputs, runtime_only).await?;
    let old = Shape {
        columns: deployments::plan_of(db, deployment).await?,
        nodes: nodes::of_deployment(db, deployment).await?,
    };
    let counts = settle_counts(&mut plan, &old);
    let mut new = Shape {
        columns: plan_rows::deployment_columns(&plan),
        nodes: plan_rows::nodes(&plan),
    };
    if !goal.update_plugins {
        plugins::keep(&old.nodes, &mut new.nodes);
    }
    demand_small(&new)?;
    let difference = difference(&old, &new);
    difference
        .demand_supported()
        .map_err(|Unsupported(text)| NotMade::Impossible(text))?;
    let before = Before {
        instances: node_instances::for_update::<NodeInstance>(db, deployment).await?,
        left: &left_undone(db, deployment, goal.update).await?,
        counts,
    };
    let random = &mut environment::random_numbers();
    let instances = instances::changes(&plan, &before, &difference, random)?;
    let labels = new_labels(db, scope, deployment, &plan).await?;
    let schedules = schedules::changes(db, scope, deployment, (&plan, &new)).await?;
    let inputs = plan.plan.section("inputs").as_object().cloned();
    Ok(Planned {
        difference,
        new,
        old_nodes: old.nodes,
        instances,
        labels,
        schedules,
        inputs: inputs.unwrap_or_default(),
    })
}

/// Refuses what could not be kept, before anything is written.
fn demand_small(shape: &Shape) -> Result<(), NotMade> {
    let mut columns = shape.columns.iter();
    nodes::check(&shape.nodes)
        .and_then(|()| columns.try_for_each(|(name, value)| limits::check_bytes(name, value)))
        .map_err(|refusal| NotMade::Impossible(refusal.message().to_owned()))
}

async fn left_undone(
    db: &impl Db,
    deployment: &Deployment,
    before: Option<i64>,
) -> Result<Vec<Item>> {
    match deployment_updates::latest_failed(db, deployment.key, before).await? {
        Some(update) => work::find(db, update).await,
        None => Ok(Vec::new()),
    }
}

/// The labels of the plan that the deployment does not have yet. Their parents have to exist.
async fn new_labels(
    db: &impl Db,
    scope: &Scope,
    deployment: &Deployment,
    plan: &DeploymentPlan,
) -> Result<Vec<Label>, NotMade> {
    let impossible = |refusal: Error| NotMade::Impossible(refusal.message().to_owned());
    let there = labels::find(db, deployment).await?;
    let mut labels = environment::all_labels(plan, &there).map_err(impossible)?;
    environment::parent_capabilities::check(db, scope, plan, &labels).await?;
    labels.retain(|label| !there.contains(label));
    let parents: Vec<&str> = deployments::parent_ids(&labels).collect();
    match deployments::find_parents(db, scope, &deployment.id, &parents).await {
        Ok(_) => Ok(labels),
        Err(error) if error.kind() == Kind::Internal => Err(error.into()),
        Err(refusal) => Err(impossible(refusal)),
    }
}

/// Has nodes and scaling groups keep the numbers of instances to which they were scaled, unless the
/// blueprint begins with another number than before. Answers the numbers that are new.
fn settle_counts(plan: &mut DeploymentPlan, old: &Shape) -> HashMap<String, Wanted> {
    let mut wanted = HashMap::new();
    let number = |count: i64| usize::try_from(count).unwrap_or(0);
    let known: HashMap<&str, &nodes::NewNode> = old
        .nodes
        .iter()
        .map(|node| (node.id.as_str(), node))
        .collect();
    for node in &mut plan.plan.nodes {
        let Some(counts) = known.get(node.name()).map(|node| node.counts) else {
            continue;
        };
        let mut capabilities = node.get("capabilities").clone();
        let properties = capabilities.pointer_mut("/scalable/properties");
        let Some(properties) = properties.and_then(Value::as_object_mut) else {
            continue;
        };
        let of = |name: &str| properties.get(name).and_then(Value::as_i64).unwrap_or(1);
        let deploy = of("default_instances");
        if deploy != counts.deploy {
            let instances = number(of("current_instances"));
            wanted.insert(node.name().to_owned(), wanted_number(instances));
        } else if (counts.number, counts.planned) != (deploy, deploy) {
            properties.insert("current_instances".to_owned(), counts.number.into());
            properties.insert("planned_instances".to_owned(), counts.planned.into());
            node.set("capabilities", Part::Own(capabilities));
        }
    }
    let groups = plan.plan.sections.get_mut("scaling_groups");
    for (name, group) in groups.and_then(Value::as_object_mut).into_iter().flatten() {
        let before = old.columns.get("scaling_groups");
        let before = before.and_then(|groups| groups.get(name)?.get("properties")?.as_object());
        let properties = group.get_mut("properties").and_then(Value::as_object_mut);
        let (Some(before), Some(properties)) = (before, properties) else {
            continue;
        };
        if properties.get("default_instances") != before.get("default_instances") {
            let instances = properties.get("current_instances").and_then(Value::as_i64);
            wanted.insert(name.clone(), wanted_number(number(instances.unwrap_or(1))));
            continue;
        }
        for name in ["current_instances", "planned_instances"] {
            if let Some(count) = before.get(name) {
                properties.insert(name.to_owned(), count.clone());
            }
        }
    }
    wanted
}

fn wanted_number(instances: usize) -> Wanted {
    Wanted {
        instances,
        ..Wanted::default()
    }
}
