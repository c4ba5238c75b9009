//! Groups of nodes, and the policies on them.
//!
//! Only scaling policies have an effect: the group that one of them names is scaled as a whole.

use super::Blueprint;
use super::data_types::Owner;
use super::scaling::properties;
use super::schema::{self, key};
use super::version::Version;
use crate::error::{Error, Result, Under};
use crate::plan::Fields;
use crate::yaml::Node;
use indexmap::{IndexMap, IndexSet};
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use windlass_python as python;

const POLICY: &str = "cloudify.policies.scaling";
const CONTAINED_IN: &str = "cloudify.relationships.contained_in";
/// How many groups may be inside each other.
const MAX_NESTING: usize = 100;

/// The sections of a plan that come from groups and policies.
pub(super) struct Groups {
    pub groups: Value,
    pub policies: Value,
    pub scaling_groups: Value,
    pub policy_types: Value,
    pub policy_triggers: Value,
}

/// Reads groups and policies.
pub(super) fn read(blueprint: &Blueprint<'_>, nodes: &[Fields]) -> Result<Groups> {
    let kinds = Kinds {
        types: kinds(blueprint, "policy_types", "properties")?,
        triggers: kinds(blueprint, "policy_triggers", "parameters")?,
    };
    let names: HashSet<&str> = nodes.iter().map(Fields::name).collect();
    let groups = read_groups(blueprint, &names, &kinds)?;
    let (policies, scaling) = read_policies(blueprint, &groups)?;
    let mut members = Members::of(&groups, &scaling, nodes);
    let at = |error: Error| match blueprint.section("policies") {
        Some(section) => error.at(section).under("policies"),
        None => error,
    };
    members.check().map_err(at)?;
    members.leave_out_contained();
    let scaling_groups: Map<String, Value> = scaling
        .iter()
        .map(|(name, properties)| {
            let members = members.of_group.get(name.as_str());
            let group = json!({ "members": members, "properties": properties });
            (name.clone(), group)
        })
        .collect();
    Ok(Groups {
        groups: Value::Object(groups),
        policies: Value::Object(policies),
        scaling_groups: Value::Object(scaling_groups),
        policy_types: Value::Object(kinds.types),
        policy_triggers: Value::Object(kinds.triggers),
    })
}

/// The types of policies and of triggers that the blueprint defines.
struct Kinds {
    types: Map<String, Value>,
    triggers: Map<String, Value>,
}

fn kinds(
    blueprint: &Blueprint<'_>,
    section: &'static str,
    schema: &'static str,
) -> Result<Map<String, Value>> {
    let mut kinds = Map::new();
    let Some(node) = blueprint.section(section) else {
        return Ok(kinds);
    };
    for (name, node) in schema::map(node).under(section)? {
        let kind = kind(blueprint, name, node, schema);
        kinds.insert(name.clone(), kind.under(name).under(section)?);
    }
    Ok(kinds)
}

fn kind(blueprint: &Blueprint<'_>, name: &str, node: &Node, schema: &'static str) -> Result<Value> {
    if node.is_null() {
        return Ok(json!({}));
    }
    let version = blueprint.version_of(node);
    schema::check_keys(node, &[key(schema), key("source")], version)?;
    let source = schema::text(schema::required(node, "source")?).under("source")?;
    let types = &blueprint.data_types;
    let properties = types.named_properties(node.get(schema), schema, name, version)?;
    Ok(json!({ schema: properties, "source": source }))
}

fn read_groups(
    blueprint: &Blueprint<'_>,
    nodes: &HashSet<&str>,
    kinds: &Kinds,
) -> Result<Map<String, Value>> {
    let mut groups = Map::new();
    let Some(section) = blueprint.section("groups") else {
        return Ok(groups);
    };
    let all = schema::map(section).under("groups")?;
    let mut reader = GroupReader {
        blueprint,
        nodes,
        kinds,
        groups: all,
    };
    for (name, node) in all {
        let group = reader.group(name, node);
        groups.insert(name.clone(), group.under(name).under("groups")?);
    }
    Ok(groups)
}

struct GroupReader<'a> {
    blueprint: &'a Blueprint<'a>,
    nodes: &'a HashSet<&'a str>,
    kinds: &'a Kinds,
    groups: &'a IndexMap<String, Node>,
}

impl GroupReader<'_> {
    fn group(&mut self, name: &str, node: &Node) -> Result<Value> {
        let version = self.blueprint.version;
        schema::check_keys(node, &[key("members"), key("policies")], version)?;
        if self.nodes.contains(name) {
            let message = format!("Both a group and a node template are named '{name}'");
            return Err(Error::parser(211, message).at(node));
        }
        let members_node = schema::required(node, "members")?;
        let mut members: IndexSet<&str> = IndexSet::new();
        let list = schema::list(members_node).under("members")?;
        for (place, member) in list.iter().enumerate() {
            let text = schema::text(member).under(place).under("members")?;
            if !self.nodes.contains(text) && !self.groups.contains_key(text) {
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
        let mut policies = Map::new();
        for (policy, node) in schema::map_at(node, "policies")? {
            let value = self.policy(name, policy, node);
            policies.insert(policy.clone(), value.under(policy).under("policies")?);
        }
        let members: Vec<&str> = members.into_iter().collect();
        Ok(json!({ "members": members, "policies": policies }))
    }

    fn policy(&self, group: &str, name: &str, node: &Node) -> Result<Value> {
        let version = self.blueprint.version;
        let keys = [key("type"), key("properties"), key("triggers")];
        if node.is_null() {
            return Ok(json!({}));
        }
        schema::check_keys(node, &keys, version)?;
        let type_node = schema::required(node, "type")?;
        let type_name = schema::text(type_node).under("type")?;
        let Some(kind) = self.kinds.types.get(type_name) else {
            let message = format!(
                "Policy '{name}' of group '{group}' references a non existent policy type '{type_name}'"
            );
            return Err(Error::parser(41, message).at(type_node).under("type"));
        };
        let owner = format!("group '{group}', policy '{name}'");
        let properties = self.values(node, "properties", kind, &owner)?;
        let mut triggers = Map::new();
        for (trigger, node) in schema::map_at(node, "triggers")? {
            let value = self.trigger(group, name, trigger, node);
            triggers.insert(trigger.clone(), value.under(trigger).under("triggers")?);
        }
        Ok(json!({ "type": type_name, "properties": properties, "triggers": triggers }))
    }

    fn trigger(&self, group: &str, policy: &str, name: &str, node: &Node) -> Result<Value> {
        if node.is_null() {
            return Ok(json!({}));
        }
        let keys = [key("type"), key("parameters")];
        schema::check_keys(node, &keys, self.blueprint.version)?;
        let type_node = schema::required(node, "type")?;
        let type_name = schema::text(type_node).under("type")?;
        let Some(kind) = self.kinds.triggers.get(type_name) else {
            let message = format!(
                "Trigger '{name}' of policy '{policy}' of group '{group}' references a non existent 'policy trigger '{type_name}'"
            );
            return Err(Error::parser(42, message).at(type_node).under("type"));
        };
        let owner = format!("group '{group}', policy '{policy}' trigger '{name}'");
        let parameters = self.values(node, "parameters", kind, &owner)?;
        Ok(json!({ "type": type_name, "parameters": parameters }))
    }

    /// The values of a policy or trigger, checked against the schema of its type.
    fn values(&self, node: &Node, field: &str, kind: &Value, owner: &str) -> Result<Value> {
        let mut given = Map::new();
        for (name, value) in schema::map_at(node, field)? {
            given.insert(name.clone(), value.to_value());
        }
        let none = Map::new();
        let schemas = kind[field].as_object().unwrap_or(&none);
        let at = node.get(field).unwrap_or(node);
        let values = self
            .blueprint
            .data_types
            .overlay(schemas, &given, Owner::Policy(owner));
        values
            .map(Value::Object)
            .map_err(|error| error.at(at).under(field))
    }
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
        // If two policies name the same group, the later one wins.
        let properties = policy.get("properties").cloned().unwrap_or_default();
        let targets = policy.get("targets").and_then(Value::as_array);
        for target in targets.into_iter().flatten().filter_map(Value::as_str) {
            scaling.insert(target.to_owned(), properties.clone());
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
    if type_name != POLICY {
        let message = format!(
            "'{type_name}' policy type is not implemented. Only '{POLICY}' policy type is supported."
        );
        return Err(Error::parser(204, message).at(type_node).under("type"));
    }
    let targets_node = schema::required(node, "targets")?;
    let mut targets: Vec<&str> = Vec::new();
    let list = schema::list(targets_node).under("targets")?;
    for (place, target) in list.iter().enumerate() {
        let text = schema::text(target).under(place).under("targets")?;
        if !groups.contains_key(text) {
            let known = python::list(groups.keys());
            let message = format!(
                "'{text}' is not a valid policy target. Only groups are valid policy targets. Defined groups are {known}."
            );
            return Err(Error::parser(205, message)
                .at(target)
                .under(place)
                .under("targets"));
        }
        targets.push(text);
    }
    if targets.is_empty() {
        let message = format!(
            "Policy '{name}' has no targets groups defined for it. At least one target group is required."
        );
        return Err(Error::parser(206, message)
            .at(targets_node)
            .under("targets"));
    }
    let properties = properties(node.get("properties")).under("properties")?;
    Ok(json!({ "type": type_name, "properties": properties, "targets": targets }))
}

/// The members of each scaling group, and the containers of each node.
struct Members<'a> {
    of_group: IndexMap<&'a str, Vec<String>>,
    /// The groups that each member is in. After the checks there is only one.
    homes: IndexMap<String, Vec<&'a str>>,
    /// The node in which each node is contained.
    containers: HashMap<&'a str, Option<&'a str>>,
}

impl<'a> Members<'a> {
    fn of(groups: &Map<String, Value>, scaling: &'a Scaling, nodes: &'a [Fields]) -> Self {
        let mut of_group = IndexMap::new();
        let mut homes: IndexMap<String, Vec<&'a str>> = IndexMap::new();
        for name in scaling.keys() {
            let members = groups.get(name).and_then(|group| group.get("members"));
            let members = members.and_then(Value::as_array).into_iter().flatten();
            let members: Vec<String> = members
                .filter_map(|member| member.as_str().map(str::to_owned))
                .collect();
            for member in &members {
                homes.entry(member.clone()).or_default().push(name);
            }
            of_group.insert(name.as_str(), members);
        }
        let container = |node: &'a Fields| {
            let mut relationships = node.relationships().iter();
            relationships
                .find(|one| one.derives_from(CONTAINED_IN))
                .map(|one| one.text("target_id"))
        };
        Self {
            of_group,
            homes,
            containers: nodes
                .iter()
                .map(|node| (node.name(), container(node)))
                .collect(),
        }
    }

    /// Checks that no group is inside itself, that a member is in one group only, and that the
    /// members of a group are contained in the same node.
    fn check(&self) -> Result<()> {
        for name in self.of_group.keys() {
            let mut way = vec![*name];
            let mut here = *name;
            while let Some(home) = self.home(here) {
                if home == *name {
                    way.reverse();
                    let circle = python::repr(&json!([way]));
                    let message = format!("Illegal group cycles found: {circle}");
                    return Err(Error::parser(200, message));
                }
                // This group leads to a circle without being in it. The circle is found from its groups.
                if way.contains(&home) {
                    break;
                }
                if way.len() > MAX_NESTING {
                    let message = format!("Groups are nested deeper than {MAX_NESTING}");
                    return Err(Error::parser(200, message));
                }
                way.push(home);
                here = home;
            }
        }
        for (member, homes) in &self.homes {
            if homes.len() > 1 {
                let homes = python::list(homes);
                let message = format!(
                    "Nodes and groups cannot be members in multiple groups, but member '{member}' belongs to the following multiple groups: {homes}"
                );
                return Err(Error::parser(201, message));
            }
        }
        self.check_containers()
    }

    fn home(&self, member: &str) -> Option<&'a str> {
        self.homes.get(member)?.first().copied()
    }

    /// The node, the node that contains it, the node that contains that one, and so on.
    fn around<'m>(&'m self, node: &'m str) -> impl Iterator<Item = &'m str> {
        std::iter::successors(Some(node), |node| {
            self.containers.get(node).copied().flatten()
        })
        .take(self.containers.len().max(1))
    }

    /// The groups around a member, the innermost first.
    fn groups_around<'m>(&'m self, member: &'m str) -> impl Iterator<Item = &'a str> + 'm {
        std::iter::successors(self.home(member), |group| self.home(group)).take(MAX_NESTING + 1)
    }

    /// Checks every group: all members that are contained in nodes have the same outermost node.
    /// Members without a container must be in a group together with that node.
    fn check_containers(&self) -> Result<()> {
        let mut nodes: IndexMap<&str, Vec<&str>> = IndexMap::new();
        for member in self.homes.keys().filter(|name| self.is_node(name)) {
            for group in self.groups_around(member) {
                nodes.entry(group).or_default().push(member);
            }
        }
        let together = |one: &str, other: &str| {
            let mut groups = self.groups_around(one);
            groups.any(|group| self.groups_around(other).any(|known| known == group))
        };
        for members in nodes.values() {
            // Each member with its outermost container, which may be the member itself.
            let outermost = |node| self.around(node).last().unwrap_or(node);
            let roots = || members.iter().map(|member| (*member, outermost(member)));
            let Some((first, root)) = roots().find(|(member, root)| member != root) else {
                continue;
            };
            for (member, own_root) in roots() {
                let is_outermost = member == own_root;
                if own_root == root || (is_outermost && together(member, root)) {
                    continue;
                }
                let (one, other) = (first.min(member), first.max(member));
                let message = format!(
                    "Node '{one}' and '{other}' belong to some shared group but they are not contained in any shared node, nor is any ancestor node of theirs."
                );
                return Err(Error::parser(202, message));
            }
        }
        Ok(())
    }

    fn is_node(&self, name: &str) -> bool {
        self.containers.contains_key(name)
    }

    /// Removes members that are contained in another member. They are scaled with their container.
    fn leave_out_contained(&mut self) {
        let mut left_out: Vec<(&'a str, String)> = Vec::new();
        for member in self.homes.keys().filter(|name| self.is_node(name)) {
            let groups: Vec<&str> = self.groups_around(member).collect();
            for container in self.around(member).skip(1) {
                let of_container: Vec<&str> = self.groups_around(container).collect();
                // What to remove from their innermost shared group: the member, or the group around it.
                let mut inner = member.as_str();
                for group in &groups {
                    if of_container.contains(group) {
                        left_out.push((group, inner.to_owned()));
                        break;
                    }
                    inner = group;
                }
            }
        }
        for (group, who) in left_out {
            if let Some(members) = self.of_group.get_mut(group) {
                members.retain(|member| *member != who);
            }
        }
    }
}
