//! From a deployment's plan to what is stored of it.

use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use windlass_blueprint::workflows::is_available;
use windlass_blueprint::{DeploymentPlan, Fields, NodeInstance, Part};
use windlass_store::deployments::SITUATIONS;
use windlass_store::node_instances::NewInstance;
use windlass_store::nodes::{Counts, NewNode};

/// Texts of parts that many nodes share, each made once.
#[derive(Default)]
struct Texts<'p> {
    shared: HashMap<*const Value, Rc<str>>,
    operations: HashMap<Vec<(&'p str, *const Value)>, Rc<str>>,
    own: HashMap<String, Rc<str>>,
}

impl<'p> Texts<'p> {
    fn of(&mut self, fields: &'p Fields, name: &str) -> Rc<str> {
        match fields.part(name) {
            Some(Part::Shared(value)) => self
                .shared
                .entry(Arc::as_ptr(value))
                .or_insert_with(|| value.to_string().into())
                .clone(),
            Some(Part::Operations(operations)) => {
                let key = operations
                    .iter()
                    .map(|(name, one)| (name.as_str(), &raw const **one));
                self.operations
                    .entry(key.collect())
                    .or_insert_with(|| text(fields.part(name)).into())
                    .clone()
            }
            part => {
                let text = part.map_or_else(|| "null".to_owned(), |part| text(Some(part)));
                self.own
                    .entry(text.clone())
                    .or_insert_with(|| text.into())
                    .clone()
            }
        }
    }

    /// The relationships of a node as they are shown, without their interfaces.
    fn relationships(&mut self, node: &'p Fields) -> String {
        let mut list = String::from("[");
        for relationship in node.relationships() {
            list.push_str(if list.len() > 1 { ", {" } else { "{" });
            let names = [
                "type",
                "target_id",
                "type_hierarchy",
                "properties",
                "source_operations",
                "target_operations",
            ];
            for (place, name) in names.into_iter().enumerate() {
                let comma = if place > 0 { ", " } else { "" };
                list.push_str(&format!("{comma}\"{name}\": "));
                match relationship.part(name) {
                    Some(Part::Shared(_) | Part::Operations(_)) => {
                        list.push_str(&self.of(relationship, name));
                    }
                    part => list.push_str(&text(part)),
                }
            }
            list.push('}');
        }
        list.push(']');
        list
    }
}

fn text(part: Option<&Part>) -> String {
    serde_json::to_string(&part).unwrap_or_else(|_| "null".to_owned())
}

/// The rows of a plan's nodes.
pub(crate) fn nodes(plan: &DeploymentPlan) -> Vec<NewNode> {
    let groups = ScalingGroups::of(plan.plan.section("scaling_groups"));
    let mut texts = Texts::default();
    plan.plan
        .nodes
        .iter()
        .map(|node| row(node, &mut texts, &groups))
        .collect()
}

fn row<'p>(node: &'p Fields, texts: &mut Texts<'p>, groups: &ScalingGroups<'_>) -> NewNode {
    let host = node.get("host_id").as_str();
    let to_install = node.get("plugins_to_install");
    NewNode {
        id: node.name().to_owned(),
        type_name: node.text("type").to_owned(),
        type_hierarchy: texts.of(node, "type_hierarchy"),
        properties: text(node.part("properties")),
        operations: texts.of(node, "operations"),
        relationships: texts.relationships(node),
        plugins: texts.of(node, "plugins"),
        plugins_to_install: (!to_install.is_null()).then(|| to_install.to_string()),
        host_id: host.map(str::to_owned),
        counts: counts(scalable(node.get("capabilities")), |planned| {
            groups.multiply(planned, node.name(), host)
        }),
    }
}

/// The numbers of instances that a node's capabilities say; none where they say nothing of it. The
/// planned number over all groups is that of the node alone.
pub fn counts_of(capabilities: &Value) -> Option<Counts> {
    let properties = scalable(capabilities);
    properties
        .is_object()
        .then(|| counts(properties, |planned| planned))
}

/// What a node's capabilities say about the number of its instances.
fn scalable(capabilities: &Value) -> &Value {
    let properties = capabilities.pointer("/scalable/properties");
    properties.unwrap_or(&Value::Null)
}

fn counts(properties: &Value, actual_planned: impl Fn(i64) -> i64) -> Counts {
    let number = |name: &str, otherwise| properties[name].as_i64().unwrap_or(otherwise);
    let deploy = number("default_instances", 1);
    let planned = number("planned_instances", deploy);
    Counts {
        number: number("current_instances", deploy),
        planned,
        deploy,
        min: number("min_instances", 0),
        max: number("max_instances", -1),
        actual_planned: actual_planned(planned),
    }
}

/// Which scaling groups hold which nodes and groups.
pub(crate) struct ScalingGroups<'p> {
    holders: HashMap<&'p str, Vec<&'p str>>,
    planned: HashMap<&'p str, i64>,
}

impl<'p> ScalingGroups<'p> {
    /// Of the section of a plan.
    pub(crate) fn of(section: &'p Value) -> Self {
        let mut groups = Self {
            holders: HashMap::new(),
            planned: HashMap::new(),
        };
        for (name, group) in section.as_object().into_iter().flatten() {
            let planned = group.pointer("/properties/planned_instances");
            let planned = planned.and_then(Value::as_i64).unwrap_or(1);
            groups.planned.insert(name, planned);
            let members = group.get("members").and_then(Value::as_array);
            for member in members.into_iter().flatten().filter_map(Value::as_str) {
                groups.holders.entry(member).or_default().push(name);
            }
        }
        groups
    }

    /// A node's planned number times that of every group around it or its host.
    pub(crate) fn multiply(&self, planned: i64, node: &str, host: Option<&str>) -> i64 {
        if self.planned.is_empty() {
            return 0;
        }
        let mut around: Vec<&str> = Vec::new();
        let mut inside: Vec<&str> = host.into_iter().chain([node]).collect();
        while let Some(name) = inside.pop() {
            for holder in self.holders.get(name).into_iter().flatten() {
                if !around.contains(holder) {
                    around.push(holder);
                    inside.push(holder);
                }
            }
        }
        let numbers = around.iter().filter_map(|name| self.planned.get(name));
        numbers.fold(planned, |product, number| product.saturating_mul(*number))
    }
}

/// A node as clients send it: in the form of a plan, with the numbers of its instances under
/// `capabilities`, or in the form in which nodes are listed.
pub fn new_node(node: &Map<String, Value>) -> NewNode {
    let get = |name: &str| node.get(name).unwrap_or(&Value::Null);
    let string = |name: &str| get(name).as_str().unwrap_or_default().to_owned();
    let or = |name: &str, otherwise: &str| match get(name) {
        Value::Null => otherwise.to_owned(),
        value => value.to_string(),
    };
    let listed = json!({
        "current_instances": get("number_of_instances"),
        "planned_instances": get("planned_number_of_instances"),
        "default_instances": get("deploy_number_of_instances"),
        "min_instances": get("min_number_of_instances"),
        "max_instances": get("max_number_of_instances"),
    });
    let planned = scalable(get("capabilities"));
    let properties = if planned.is_object() {
        planned
    } else {
        &listed
    };
    let to_install = get("plugins_to_install");
    NewNode {
        id: get("id")
            .as_str()
            .or(get("name").as_str())
            .unwrap_or_default()
            .to_owned(),
        type_name: string("type"),
        type_hierarchy: or("type_hierarchy", "[]").into(),
        properties: or("properties", "{}"),
        operations: or("operations", "{}").into(),
        relationships: or("relationships", "[]"),
        plugins: or("plugins", "null").into(),
        plugins_to_install: (!to_install.is_null()).then(|| to_install.to_string()),
        host_id: get("host_id").as_str().map(str::to_owned),
        counts: counts(properties, |_| {
            get("actual_planned_number_of_instances")
                .as_i64()
                .unwrap_or(0)
        }),
    }
}

/// The rows of node instances.
pub(crate) fn instances(made: Vec<NodeInstance>) -> Vec<NewInstance> {
    made.into_iter()
        .map(|instance| NewInstance {
            id: instance.id,
            node_id: instance.node_id,
            host_id: instance.host_id,
            index: Some(i64::from(instance.index)),
            relationships: Some(
                instance
                    .relationships
                    .into_iter()
                    .map(|relationship| {
                        Map::from_iter([
                            ("type".to_owned(), relationship.type_name.into()),
                            ("target_id".to_owned(), relationship.target_id.into()),
                            ("target_name".to_owned(), relationship.target_name.into()),
                        ])
                    })
                    .collect(),
            ),
            scaling_groups: serde_json::to_value(instance.scaling_groups).ok(),
            runtime_properties: Some(instance.runtime_properties),
        })
        .collect()
}

/// A plan's workflows as the list that is stored, see [`windlass_store::deployments`].
pub fn listed_workflows(workflows: &Value, types: &[&str]) -> Value {
    let entries = workflows.as_object().into_iter().flatten();
    entries
        .map(|(name, workflow)| {
            let rules = &workflow["availability_rules"];
            let situations = SITUATIONS.iter().enumerate().filter(|(_, states)| {
                // A rule that nobody knows is refused when the workflow is to be started.
                is_available(rules, states.iter().copied(), types.iter().copied()).unwrap_or(false)
            });
            let is_available = situations.fold(0, |set, (place, _)| set | 1 << place);
            json!({
                "name": name,
                "plugin": workflow["plugin"],
                "operation": workflow["operation"],
                "parameters": workflow.get("parameters").filter(|value| value.is_object())
                    .unwrap_or(&json!({})),
                "is_cascading": workflow["is_cascading"].as_bool().unwrap_or(false),
                "is_available": is_available,
                "availability_rules": rules,
            })
        })
        .collect()
}

/// The columns of a deployment that come from its plan.
pub(crate) fn deployment_columns(plan: &DeploymentPlan) -> Map<String, Value> {
    let plan = &plan.plan;
    let sections = [
        "description",
        "inputs",
        "outputs",
        "capabilities",
        "groups",
        "policy_types",
        "policy_triggers",
        "scaling_groups",
        "resource_tags",
    ];
    let mut columns = Map::new();
    for name in sections {
        columns.insert(name.to_owned(), plan.section(name).clone());
    }
    let types: Vec<&str> = plan
        .nodes
        .iter()
        .filter_map(|node| node.get("type_hierarchy").as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    let workflows = listed_workflows(plan.section("workflows"), &types);
    columns.insert("workflows".to_owned(), workflows);
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_around_a_node_or_its_host_multiply_its_number() {
        let section = json!({
            "racks": { "members": ["hosts"], "properties": { "planned_instances": 2 } },
            "hosts": { "members": ["vm"], "properties": { "planned_instances": 3 } },
        });
        let groups = ScalingGroups::of(&section);
        for (node, host, want) in [
            ("vm", Some("vm"), 30),
            ("app", Some("vm"), 30),
            ("lonely", None, 5),
        ] {
            assert_eq!(groups.multiply(5, node, host), want, "{node}");
        }
        assert_eq!(ScalingGroups::of(&json!({})).multiply(5, "vm", None), 0);
    }

    #[test]
    fn availability_is_a_set_of_situations() {
        let rules = |rules: Value| {
            let workflows = json!({ "w": { "availability_rules": rules } });
            let listed = listed_workflows(&workflows, &["cloudify.nodes.Root"]);
            listed[0]["is_available"].clone()
        };
        for (given, want) in [
            (Value::Null, 0b11111),
            (json!({ "available": false }), 0),
            (
                json!({ "node_instances_active": ["none", "partial"] }),
                0b11101,
            ),
            (
                json!({ "node_instances_active": ["all", "partial"] }),
                0b11011,
            ),
            (json!({ "node_instances_active": ["all"] }), 0b00011),
            (
                json!({ "node_types_required": ["cloudify.nodes.Root"] }),
                0b11111,
            ),
            (json!({ "node_types_required": ["ship"] }), 0),
            (json!({ "phase_of_the_moon": "full" }), 0),
        ] {
            assert_eq!(rules(given.clone()), want, "{given}");
        }
    }
}
