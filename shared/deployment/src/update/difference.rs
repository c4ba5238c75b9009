//! What is different between two shapes of a deployment.

use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use windlass_store::nodes::NewNode;

use super::nodes;
use super::steps::{Action, EntityType, Step, in_order};

/// What an update compares: a deployment as it is, or as a plan and inputs would make it.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// The columns of the deployment, see [`windlass_store::deployments::PLAN_COLUMNS`].
    pub columns: Map<String, Value>,
    /// The nodes, in the order of their plan.
    pub nodes: Vec<NewNode>,
}

/// What is different.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Difference {
    /// In the order in which they are told.
    pub steps: Vec<Step>,
    /// What no update can change, as paths. An update that would is refused.
    pub unsupported: Vec<String>,
}

/// An update that would change what no update can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported(pub String);

impl Difference {
    /// Demands that an update can make these changes.
    ///
    /// # Errors
    /// The text of the original, with the paths of what it cannot change.
    pub fn demand_supported(&self) -> Result<(), Unsupported> {
        if self.unsupported.is_empty() {
            return Ok(());
        }
        Err(Unsupported(format!(
            "The blueprint you provided for the deployment update contains changes currently \
             unsupported by the deployment update mechanism.\nUnsupported changes: {}",
            self.unsupported.join("\n")
        )))
    }

    /// The nodes that are in both shapes but as different ones: of another type, or contained in
    /// something else. They are removed and added again.
    pub fn replaced(&self) -> HashSet<&str> {
        let nodes = |action| {
            let steps = self.steps.iter().filter(move |step| {
                step.action == action
                    && step.entity_type == EntityType::Node
                    && step.entity_id.len() == 2
            });
            steps.filter_map(Step::node)
        };
        let removed: HashSet<&str> = nodes(Action::Remove).collect();
        nodes(Action::Add)
            .filter(|node| removed.contains(node))
            .collect()
    }

    /// The nodes that stay and have something different in them.
    pub fn changed_nodes(&self) -> BTreeSet<&str> {
        let inside = self.steps.iter().filter(|step| step.entity_id.len() > 2);
        inside.filter_map(Step::node).collect()
    }
}

/// The sections of a plan that are compared entry by entry, and whether an update can change them.
const SECTIONS: [(&str, EntityType, bool); 4] = [
    ("outputs", EntityType::Output, true),
    ("groups", EntityType::Group, false),
    ("policy_types", EntityType::PolicyType, false),
    ("policy_triggers", EntityType::PolicyTrigger, false),
];

/// The steps from one shape to another.
pub fn difference(old: &Shape, new: &Shape) -> Difference {
    let mut found = Difference::default();
    nodes::compare(&old.nodes, &new.nodes, &mut found.steps);
    for (section, entity_type, is_supported) in SECTIONS {
        let (old, new) = (
            entries(&old.columns, section),
            entries(&new.columns, section),
        );
        for step in entry_steps(&[section], entity_type, &old, &new) {
            if is_supported {
                found.steps.push(step);
            } else {
                found.unsupported.push(step.entity_id.join(":"));
            }
        }
    }
    let (before, after) = (workflows(&old.columns), workflows(&new.columns));
    let steps = entry_steps(&["workflows"], EntityType::Workflow, &before, &after);
    found.steps.extend(steps);
    found.steps.extend(description(&old.columns, &new.columns));
    plugins(&old.nodes, &new.nodes, &mut found);
    in_order(&mut found.steps);
    found
}

type Entries<'a> = BTreeMap<&'a str, std::borrow::Cow<'a, Value>>;

fn entries<'a>(columns: &'a Map<String, Value>, section: &str) -> Entries<'a> {
    let section = columns.get(section).and_then(Value::as_object);
    let entries = section.into_iter().flatten();
    entries
        .map(|(name, value)| (name.as_str(), std::borrow::Cow::Borrowed(value)))
        .collect()
}

/// The workflows by name, without what depends on the states of instances.
fn workflows(columns: &Map<String, Value>) -> Entries<'_> {
    let list = columns.get("workflows").and_then(Value::as_array);
    let mut entries = Entries::new();
    for workflow in list.into_iter().flatten() {
        let mut definition = workflow.clone();
        if let Some(definition) = definition.as_object_mut() {
            definition.shift_remove("is_available");
        }
        let name = workflow["name"].as_str().unwrap_or_default();
        entries.insert(name, std::borrow::Cow::Owned(definition));
    }
    entries
}

/// The steps between the entries of a section.
fn entry_steps(
    path: &[&str],
    entity_type: EntityType,
    old: &Entries<'_>,
    new: &Entries<'_>,
) -> Vec<Step> {
    let names: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let steps = names.into_iter().filter_map(|name| {
        let action = action(old.get(name), new.get(name))?;
        let path: Vec<&str> = path.iter().copied().chain([name]).collect();
        Some(Step::new(action, entity_type, &path))
    });
    steps.collect()
}

/// What makes one of the other; nothing where they are the same.
pub(super) fn action<T: PartialEq>(old: Option<&T>, new: Option<&T>) -> Option<Action> {
    match (old, new) {
        (Some(old), Some(new)) if old != new => Some(Action::Modify),
        (Some(_), None) => Some(Action::Remove),
        (None, Some(_)) => Some(Action::Add),
        _ => None,
    }
}

fn description(old: &Map<String, Value>, new: &Map<String, Value>) -> Option<Step> {
    fn text(columns: &Map<String, Value>) -> Option<&Value> {
        columns.get("description").filter(|text| !text.is_null())
    }
    let action = action(text(old), text(new))?;
    let path = ["description"];
    Some(Step::new(action, EntityType::Description, &path))
}

/// Compares the plugins that the operations of all nodes use. One that is got from somewhere else is
/// refused: it would have to be installed again under operations that run.
fn plugins(old: &[NewNode], new: &[NewNode], found: &mut Difference) {
    let (old, new) = (plugins_of(old), plugins_of(new));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let (before, after) = (old.get(name), new.get(name));
        let path = ["plugins_to_install", name.as_str()];
        match (before, after) {
            (Some(before), Some(after)) if before["source"] != after["source"] => {
                found.unsupported.push(path.join(":"));
            }
            _ => {
                if let Some(action) = action(before, after) {
                    let step = Step::new(action, EntityType::Plugin, &path);
                    found.steps.push(step);
                }
            }
        }
    }
}

fn plugins_of(nodes: &[NewNode]) -> BTreeMap<String, Value> {
    // Most nodes have the same text.
    let texts: BTreeSet<&str> = nodes.iter().map(|node| &*node.plugins).collect();
    let mut plugins = BTreeMap::new();
    for text in texts {
        let list: Vec<Value> = serde_json::from_str(text).unwrap_or_default();
        for plugin in list {
            let name = plugin.get("name").and_then(Value::as_str);
            let name = name.unwrap_or_default().to_owned();
            plugins.insert(name, plugin);
        }
    }
    plugins
}
