//! Values of inputs and parameters that name objects: what they name has to exist, and to fulfil
//! the constraints.
//!
//! Only what the scope sees exists. A capability whose value is a secret is no candidate: comparing would
//! tell it.

use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use windlass_blueprint::{
    Candidate, Error as Problem, Fields, ObjectPlace, ObjectReference, Plan, Within,
};
use windlass_core::db::Db;
use windlass_core::list::ListQuery;
use windlass_core::{Kind, Result, Scope};
use windlass_store::blueprints::{self, BLUEPRINTS};
use windlass_store::deployments::{self, DEPLOYMENT, Deployment, named};
use windlass_store::filters::{self, Target, selection};
use windlass_store::labels::{self, Label};
use windlass_store::secrets;

use crate::environment::World;

/// What the values are for, in which names without an owner are looked for.
#[derive(Clone, Copy)]
pub enum Surroundings<'a> {
    /// A deployment that is to be made of this plan.
    Plan(&'a Plan),
    /// A deployment that is there.
    Deployment(&'a Deployment),
}

impl Surroundings<'_> {
    fn within(&self) -> Within {
        match self {
            Self::Plan(_) => Within::Blueprint,
            Self::Deployment(_) => Within::Deployment,
        }
    }
}

/// The first reason why values do not name what they should; nothing if all of them do.
///
/// # Errors
/// What kept it from being found out.
pub async fn find_problem(
    db: &impl Db,
    scope: &Scope,
    surroundings: Surroundings<'_>,
    references: &[ObjectReference],
) -> Result<Option<Problem>> {
    for reference in references {
        let problem = match reference.place(surroundings.within()) {
            Ok(place) => {
                let found = Found::look(db, scope, surroundings, reference, place).await?;
                match found.check(reference, surroundings.within()) {
                    Ok(()) => filter_problem(db, scope, reference).await?,
                    Err(problem) => Some(problem),
                }
            }
            Err(problem) => Some(problem),
        };
        if problem.is_some() {
            return Ok(problem);
        }
    }
    Ok(None)
}

/// The objects that values may name.
#[derive(Default)]
struct Found {
    by_text: HashMap<String, Vec<Candidate>>,
    /// Capabilities whose values are no texts.
    others: Vec<Candidate>,
}

impl FromIterator<Candidate> for Found {
    fn from_iter<T: IntoIterator<Item = Candidate>>(candidates: T) -> Self {
        let mut found = Self::default();
        for candidate in candidates {
            match &candidate.value {
                Value::String(text) => {
                    let same = found.by_text.entry(text.clone()).or_default();
                    same.push(candidate);
                }
                _ => found.others.push(candidate),
            }
        }
        found
    }
}

impl Found {
    fn check(&self, reference: &ObjectReference, within: Within) -> Result<(), Problem> {
        for value in &reference.values {
            let named: Vec<&Candidate> = match value {
                Value::String(text) => self.by_text.get(text).into_iter().flatten().collect(),
                value => {
                    let others = self.others.iter();
                    others
                        .filter(|one| windlass_core::python::equal(&one.value, value))
                        .collect()
                }
            };
            if named.is_empty() {
                return Err(reference.names_nothing(value, within));
            }
            let mut allowed = false;
            for candidate in named {
                allowed |= reference.allows(candidate)?;
            }
            if !allowed {
                return Err(reference.breaks_constraints(value));
            }
        }
        Ok(())
    }

    async fn look(
        db: &impl Db,
        scope: &Scope,
        surroundings: Surroundings<'_>,
        reference: &ObjectReference,
        place: ObjectPlace<'_>,
    ) -> Result<Self> {
        match (place, surroundings) {
            (ObjectPlace::Anywhere, _) => owners(db, scope, reference).await,
            (ObjectPlace::Here, Surroundings::Plan(plan)) => Ok(in_plan(plan, &reference.kind)),
            (ObjectPlace::Here, Surroundings::Deployment(deployment)) => {
                in_deployment(db, scope, deployment, reference).await
            }
            (ObjectPlace::Deployment(id), _) => {
                match deployments::find_optional(db, scope, id).await? {
                    Some(deployment) => in_deployment(db, scope, &deployment, reference).await,
                    None => Ok(Self::default()),
                }
            }
            (ObjectPlace::Blueprint(id), _) => {
                let Some(blueprint) = blueprints::find_optional(db, scope, id).await? else {
                    return Ok(Self::default());
                };
                let plan = Plan::from_stored(blueprints::plan(db, &blueprint).await?);
                Ok(plan.map_or_else(Self::default, |plan| in_plan(&plan, &reference.kind)))
            }
        }
    }
}

/// Whether a filter that the constraints name leaves out what the values name.
async fn filter_problem(
    db: &impl Db,
    scope: &Scope,
    reference: &ObjectReference,
) -> Result<Option<Problem>> {
    let Some(filter) = reference.constraint("filter_id").and_then(Value::as_str) else {
        return Ok(None);
    };
    let (target, resource) = match reference.kind.as_str() {
        "blueprint_id" => (Target::Blueprints, &BLUEPRINTS),
        _ => (Target::Deployments, &DEPLOYMENT),
    };
    let rules = match filters::rules_of(db, scope, target, filter).await {
        Err(error) if error.kind() == Kind::NotFound => {
            return Ok(Some(reference.refusal(error.message())));
        }
        found => found?,
    };
    for value in &reference.values {
        let mut query = ListQuery::everything();
        query.and("t.id = {}", [value.as_str().unwrap_or_default().into()]);
        selection::add(target, &rules, &mut query);
        if resource.total(db, scope, &query).await? == 0 {
            return Ok(Some(reference.breaks_constraints(value)));
        }
    }
    Ok(None)
}

/// The blueprints, deployments or secrets that the values name.
async fn owners(db: &impl Db, scope: &Scope, reference: &ObjectReference) -> Result<Found> {
    let mut found = Vec::new();
    for id in reference.values.iter().filter_map(Value::as_str) {
        let candidate = match reference.kind.as_str() {
            "blueprint_id" => match blueprints::find_optional(db, scope, id).await? {
                Some(blueprint) => Some(Candidate {
                    labels: pairs(labels::find(db, &blueprint).await?),
                    tenant: Some(blueprint.tenant_name),
                    ..named_by(&blueprint.id)
                }),
                None => None,
            },
            "deployment_id" => match deployments::find_optional(db, scope, id).await? {
                Some(deployment) => Some(Candidate {
                    labels: pairs(labels::find(db, &deployment).await?),
                    tenant: Some(deployment.tenant_name.clone()),
                    name: deployment.display_name.clone(),
                    ..named_by(&deployment.id)
                }),
                None => None,
            },
            "secret_key" => secrets::missing(db, scope, &[id])
                .await?
                .is_empty()
                .then(|| named_by(id)),
            _ => None,
        };
        found.extend(candidate);
    }
    Ok(found.into_iter().collect())
}

fn pairs(labels: Vec<Label>) -> Vec<(String, String)> {
    let labels = labels.into_iter();
    labels.map(|label| (label.key, label.value)).collect()
}

/// An object that its name names.
fn named_by(name: &str) -> Candidate {
    Candidate {
        value: name.into(),
        name: name.to_owned(),
        listed_as: vec![name.into()],
        ..Candidate::default()
    }
}

/// A type and those that it derives from, each of which a value may name.
fn types(hierarchy: &[String]) -> impl Iterator<Item = Candidate> {
    (1..).zip(hierarchy).map(|(depth, name)| Candidate {
        listed_as: hierarchy
            .iter()
            .take(depth)
            .map(|name| Value::from(name.as_str()))
            .collect(),
        ..named_by(name)
    })
}

fn hierarchy(node: &Fields) -> Vec<String> {
    let names = node.get("type_hierarchy").as_array().into_iter().flatten();
    let names = names.filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}

fn in_plan(plan: &Plan, kind: &str) -> Found {
    match kind {
        "node_id" => plan
            .nodes
            .iter()
            .map(|node| named_by(node.name()))
            .collect(),
        // Nodes are many, their types and operations few.
        "node_type" => {
            let hierarchies: BTreeSet<Vec<String>> = plan.nodes.iter().map(hierarchy).collect();
            let hierarchies = hierarchies.iter();
            hierarchies.flat_map(|one| types(one)).collect()
        }
        "operation_name" => {
            let nodes = plan.nodes.iter();
            let names: BTreeSet<&str> = nodes
                .flat_map(|node| node.operations("operations"))
                .map(|(name, _)| name)
                .collect();
            names.into_iter().map(named_by).collect()
        }
        "scaling_group" => {
            let groups = plan.section("scaling_groups").as_object();
            let names = groups.into_iter().flat_map(|groups| groups.keys());
            names.map(|name| named_by(name)).collect()
        }
        _ => Found::default(),
    }
}

async fn in_deployment(
    db: &impl Db,
    scope: &Scope,
    deployment: &Deployment,
    reference: &ObjectReference,
) -> Result<Found> {
    let names = match reference.kind.as_str() {
        "node_id" => named::node_ids(db, deployment, &reference.values).await?,
        "node_instance" => named::node_instance_ids(db, deployment, &reference.values).await?,
        "operation_name" => named::operation_names(db, deployment).await?,
        "scaling_group" => named::scaling_groups(db, deployment).await?,
        "node_type" => {
            let hierarchies = named::type_hierarchies(db, deployment).await?;
            let hierarchies = hierarchies.iter();
            return Ok(hierarchies.flat_map(|one| types(one)).collect());
        }
        _ => return capabilities(db, scope, deployment).await,
    };
    Ok(names.iter().map(|name| named_by(name)).collect())
}

/// The values of a deployment's capabilities. One that cannot be evaluated is none.
async fn capabilities(db: &impl Db, scope: &Scope, deployment: &Deployment) -> Result<Found> {
    let definitions = &deployment.capabilities;
    let world = World::load_without_secrets(db, scope, deployment.clone(), &[definitions]).await?;
    let definitions = definitions.as_object().into_iter().flatten();
    let values = definitions.filter_map(|(name, definition)| {
        let value = definition.get("value").unwrap_or(&Value::Null);
        let value = world.here().evaluate(value, &Default::default()).ok()?;
        Some(Candidate {
            listed_as: vec![value.clone()],
            value,
            ..named_by(name)
        })
    });
    Ok(values.collect())
}
