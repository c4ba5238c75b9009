//! How many instances: of nodes, and of scaling groups.

use super::Blueprint;
use super::schema::{self, key, since};
use super::version::Version;
use crate::error::{Error, Result, Under};
use crate::functions::has_functions;
use crate::yaml::Node;
use indexmap::{IndexMap, IndexSet};
use serde_json::{Map, Value, json};
use std::collections::HashSet;

const POLICY: &str = "cloudify.policies.scaling";
/// How deep groups may lie in groups.
const MAX_NESTING: usize = 100;

/// A node's `instances` and `capabilities`.
pub(super) fn of_node(name: &str, node: &Node, version: Version) -> Result<(Value, Value)> {
    let deploy = match node.get("instances") {
        None => None,
        Some(instances) => {
            schema::check_keys(instances, &[key("deploy")], version).under("instances")?;
            let deploy = schema::required(instances, "deploy").under("instances")?;
            let count = deploy.to_value();
            if !has_functions(&count) && count.as_u64().is_none() {
                let message = "deploy instances must be a non-negative number";
                return Err(Error::parser(1, message)
                    .at(deploy)
                    .under("deploy")
                    .under("instances"));
            }
            Some(count)
        }
    };
    let capabilities = node.get("capabilities");
    let scalable = capabilities.and_then(|node| node.get("scalable"));
    if let Some(capabilities) = capabilities {
        schema::check_keys(capabilities, &[since("scalable", 3)], version).under("capabilities")?;
        if deploy.is_some() && scalable.is_some() {
            let message = format!(
                "Node '{name}' defines both instances.deploy and capabilities.scalable (Note: instances.deploy is deprecated)"
            );
            return Err(Error::parser(209, message)
                .at(capabilities)
                .under("capabilities"));
        }
    }
    let given = match scalable {
        Some(scalable) => {
            schema::check_keys(scalable, &[key("properties")], version)
                .under("scalable")
                .under("capabilities")?;
            scalable.get("properties")
        }
        None => None,
    };
    let mut properties = properties(given)
        .under("properties")
        .under("scalable")
        .under("capabilities")?;
    let mut instances = json!({});
    if let Some(deploy) = deploy {
        for count in [
            "default_instances",
            "current_instances",
            "planned_instances",
        ] {
            properties[count] = deploy.clone();
        }
        instances = json!({ "deploy": deploy });
    }
    Ok((
        instances,
        json!({ "scalable": { "properties": properties } }),
    ))
}

/// Scaling properties with their defaults.
fn properties(given: Option<&Node>) -> Result<Value> {
    let mut properties = json!({
        "min_instances": 0,
        "max_instances": -1,
        "default_instances": 1,
    });
    if let Some(node) = given {
        let keys = [
            key("min_instances"),
            key("max_instances"),
            key("default_instances"),
        ];
        schema::check_keys(node, &keys, Version::NEWEST)?;
        for (name, entry) in schema::map(node)? {
            if !entry.is_null() {
                properties[name] = count(name, entry).under(name)?;
            }
        }
        check_order(&properties).map_err(|error| error.at(node))?;
    }
    let default = properties["default_instances"].clone();
    properties["current_instances"] = default.clone();
    properties["planned_instances"] = default;
    Ok(properties)
}

fn count(name: &str, entry: &Node) -> Result<Value> {
    let value = entry.to_value();
    if has_functions(&value) {
        return Ok(value);
    }
    let is_max = name == "max_instances";
    if is_max && let Some(text) = value.as_str() {
        if text == "UNBOUNDED" {
            return Ok(json!(-1));
        }
        let message = "The only valid string for max_instances is UNBOUNDED.";
        return Err(Error::parser(208, message).at(entry));
    }
    match value.as_i64() {
        Some(-1) if is_max => Ok(value),
        Some(number) if number < 0 || (is_max && number == 0) => {
            let kind = if is_max { "positive" } else { "non negative" };
            let message = format!("{name} should be a {kind} value.");
            Err(Error::parser(207, message).at(entry))
        }
        Some(_) => Ok(value),
        None => {
            let found = entry.type_name();
            let message = format!("Expected 'integer' type but found '{found}' type");
            Err(Error::parser(1, message).at(entry))
        }
    }
}

/// Minimum, default and maximum must be in order. Functions are checked when they have
/// become numbers.
pub(crate) fn check_order(properties: &Value) -> Result<()> {
    let number = |name: &str| properties[name].as_i64();
    let unbounded = number("max_instances") == Some(-1);
    let refuse = |message: String| Err(Error::parser(207, message));
    if let (Some(default), Some(min)) = (number("default_instances"), number("min_instances"))
        && default < min
    {
        return refuse(format!(
            "default_instances ({default}) cannot be smaller than min_instances ({min})"
        ));
    }
    if let (Some(min), Some(max)) = (number("min_instances"), number("max_instances"))
        && !unbounded
        && min > max
    {
        return refuse(format!(
            "min_instances ({min}) cannot be greater than max_instances ({max})"
        ));
    }
    if let (Some(default), Some(max)) = (number("default_instances"), number("max_instances"))
        && !unbounded
        && default > max
    {
        return refuse(format!(
            "default_instances ({default}) cannot be greater than max_instances ({max})"
        ));
    }
    Ok(())
}

/// `groups`, `policies` and `scaling_groups` of a plan.
pub(super) struct Groups {
    pub groups: Value,
    pub policies: Value,
    pub scaling_groups: Value,
}

/// Reads groups and policies.
pub(super) fn groups(blueprint: &Blueprint<'_>, nodes: &HashSet<&str>) -> Result<Groups> {
    let groups = read_groups(blueprint, nodes)?;
    let (policies, scaling) = read_policies(blueprint, &groups)?;
    let scaling_groups: Map<String, Value> = scaling
        .iter()
        .map(|(name, properties)| {
            let members = &groups[name]["members"];
            (
                name.clone(),
                json!({ "members": members, "properties": properties }),
            )
        })
        .collect();
    check_membership(blueprint, &scaling_groups)?;
    Ok(Groups {
        groups: Value::Object(groups),
        policies: Value::Object(policies),
        scaling_groups: Value::Object(scaling_groups),
    })
}

fn read_groups(blueprint: &Blueprint<'_>, nodes: &HashSet<&str>) -> Result<Map<String, Value>> {
    let mut groups = Map::new();
    let Some(section) = blueprint.section("groups") else {
        return Ok(groups);
    };
    let all = schema::map(section).under("groups")?;
    for (name, node) in all {
        let group = group(blueprint, name, node, nodes, all);
        groups.insert(name.clone(), group.under(name).under("groups")?);
    }
    Ok(groups)
}

fn group(
    blueprint: &Blueprint<'_>,
    name: &str,
    node: &Node,
    nodes: &HashSet<&str>,
    groups: &IndexMap<String, Node>,
) -> Result<Value> {
    schema::check_keys(node, &[key("members"), key("policies")], blueprint.version)?;
    if nodes.contains(name) {
        let message = format!("Both a group and a node template are named '{name}'");
        return Err(Error::parser(211, message).at(node));
    }
    let members_node = schema::required(node, "members")?;
    let mut members: IndexSet<&str> = IndexSet::new();
    for (place, member) in schema::list(members_node)
        .under("members")?
        .iter()
        .enumerate()
    {
        let text = schema::text(member).under(place).under("members")?;
        if !nodes.contains(text) && !groups.contains_key(text) {
            let message =
                format!("Member '{text}' of group '{name}' does not match any defined node");
            return Err(Error::parser(40, message)
                .at(member)
                .under(place)
                .under("members"));
        }
        members.insert(text);
    }
    if members.is_empty() {
        let message = "At least one member should be specified";
        return Err(Error::parser(1, message).at(members_node).under("members"));
    }
    let policies = match schema::value_at(node, "policies") {
        Value::Null => json!({}),
        policies => policies,
    };
    let members: Vec<&str> = members.into_iter().collect();
    Ok(json!({ "members": members, "policies": policies }))
}

type Scaling = IndexMap<String, Value>;

fn read_policies(
    blueprint: &Blueprint<'_>,
    groups: &Map<String, Value>,
) -> Result<(Map<String, Value>, Scaling)> {
    let mut policies = Map::new();
    let mut scaling = Scaling::new();
    let Some(section) = blueprint.section("policies") else {
        return Ok((policies, scaling));
    };
    blueprint
        .version
        .requires(Version(3), "policies", section)
        .under("policies")?;
    for (name, node) in schema::map(section).under("policies")? {
        let policy = policy(blueprint, name, node, groups)
            .under(name)
            .under("policies")?;
        for target in policy["targets"].as_array().into_iter().flatten() {
            let target = target.as_str().unwrap_or_default().to_owned();
            scaling
                .entry(target)
                .or_insert_with(|| policy["properties"].clone());
        }
        policies.insert(name.clone(), policy);
    }
    Ok((policies, scaling))
}

fn policy(
    blueprint: &Blueprint<'_>,
    name: &str,
    node: &Node,
    groups: &Map<String, Value>,
) -> Result<Value> {
    let keys = [key("type"), key("properties"), key("targets")];
    schema::check_keys(node, &keys, blueprint.version)?;
    let type_node = schema::required(node, "type")?;
    let type_name = schema::text(type_node).under("type")?;
    let targets_node = schema::required(node, "targets")?;
    let mut targets: IndexSet<&str> = IndexSet::new();
    for (place, target) in schema::list(targets_node)
        .under("targets")?
        .iter()
        .enumerate()
    {
        let text = schema::text(target).under(place).under("targets")?;
        if !groups.contains_key(text) {
            let known = crate::python_text::list(groups.keys());
            let message = format!(
                "'{text}' is not a valid policy target. Only groups are valid policy targets. Defined groups are {known}."
            );
            return Err(Error::parser(205, message)
                .at(target)
                .under(place)
                .under("targets"));
        }
        targets.insert(text);
    }
    if targets.is_empty() {
        let message = format!(
            "Policy '{name}' has no targets groups defined for it. At least one target group is required."
        );
        return Err(Error::parser(206, message)
            .at(targets_node)
            .under("targets"));
    }
    if type_name != POLICY {
        let message = format!(
            "'{type_name}' policy type is not implemented. Only '{POLICY}' policy type is supported."
        );
        return Err(Error::parser(204, message).at(type_node).under("type"));
    }
    let properties = properties(node.get("properties")).under("properties")?;
    let targets: Vec<&str> = targets.into_iter().collect();
    Ok(json!({ "type": type_name, "properties": properties, "targets": targets }))
}

/// A node or group is in one scaling group at most, and no group in itself.
fn check_membership(blueprint: &Blueprint<'_>, groups: &Map<String, Value>) -> Result<()> {
    let at = |error: Error| match blueprint.section("policies") {
        Some(section) => error.at(section).under("policies"),
        None => error,
    };
    let mut homes: IndexMap<&str, Vec<&str>> = IndexMap::new();
    for (name, group) in groups {
        for member in group["members"].as_array().into_iter().flatten() {
            homes
                .entry(member.as_str().unwrap_or_default())
                .or_default()
                .push(name);
        }
    }
    for (member, homes) in &homes {
        if homes.len() > 1 {
            let homes = crate::python_text::list(homes);
            let message = format!(
                "Nodes and groups cannot be members in multiple groups, but member '{member}' belongs to the following multiple groups: {homes}"
            );
            return Err(at(Error::parser(201, message)));
        }
    }
    for name in groups.keys() {
        let mut path = vec![name.as_str()];
        while let Some(home) = homes
            .get(path[path.len() - 1])
            .and_then(|homes| homes.first())
        {
            path.push(home);
            if *home == name {
                let circle = path.join(" --> ");
                let message = format!("Cyclic group membership detected: {circle}");
                return Err(at(Error::parser(200, message)));
            }
            if path.len() > MAX_NESTING {
                let message = format!("Groups are nested deeper than {MAX_NESTING}");
                return Err(at(Error::parser(200, message)));
            }
        }
    }
    Ok(())
}
