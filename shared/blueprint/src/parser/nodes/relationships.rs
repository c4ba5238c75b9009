//! The relationships of a node template.

use super::{CONTAINED_IN, Draft, Parts, Ready, Templates, add, ready};
use crate::error::{Error, Result, Under};
use crate::parser::data_types::Owner;
use crate::parser::interfaces::{self, Interfaces, Site};
use crate::parser::schema::{self, key};
use crate::parser::types::Type;
use crate::plan::{Fields, Part};
use crate::yaml::Node;
use serde_json::{Value, json};
use std::collections::hash_map::Entry;
use windlass_python as python;

const ON_OPERATION: &str = "cloudify.relationships.depends_on_lifecycle_operation";

impl<'a> Templates<'a> {
    /// Reads all relationships. The draft learns in which node it is contained.
    pub(super) fn relationships(&mut self, draft: &mut Draft<'a>) -> Result<Vec<Fields>> {
        let Some(list) = draft.node.get("relationships") else {
            return Ok(Vec::new());
        };
        let mut relationships = Vec::new();
        let mut containers: Vec<(String, String)> = Vec::new();
        for (place, item) in schema::list(list)
            .under("relationships")?
            .iter()
            .enumerate()
        {
            let fields = self
                .relationship(draft, item)
                .map_err(|error| error.at(item))
                .under(place)
                .under("relationships")?;
            if fields.derives_from(CONTAINED_IN) {
                let target = fields.text("target_id").to_owned();
                containers.push((fields.text("type").to_owned(), target));
            }
            relationships.push(fields);
        }
        if containers.len() > 1 {
            let types = python::list(containers.iter().map(|(name, _)| name));
            let targets = python::list(containers.iter().map(|(_, target)| target));
            let message = format!(
                "Node '{}' has more than one relationship that is derived from '{CONTAINED_IN}' relationship. Found: {types} for targets: {targets}",
                draft.name
            );
            return Err(Error::parser(112, message).at(list).under("relationships"));
        }
        draft.container = containers.pop().map(|(_, target)| target);
        Ok(relationships)
    }

    fn relationship(&mut self, draft: &mut Draft<'a>, item: &'a Node) -> Result<Fields> {
        let name = draft.name;
        let keys = [
            key("type"),
            key("target"),
            key("properties"),
            key("source_interfaces"),
            key("target_interfaces"),
        ];
        schema::check_keys(item, &keys, self.blueprint.version)?;
        let (type_name, target, kind) = self.ends(name, item)?;
        if type_name == ON_OPERATION {
            self.check_operation(item, name, target)?;
        }
        let properties = self.properties(item, &kind.properties, Owner::Relationship(name))?;
        let ((near, near_operations, near_plugins), (far, far_operations, far_plugins)) =
            self.sides(name, item, type_name, kind)?;
        add(&mut draft.plugins, near_plugins);
        draft.target_plugins.push((target.to_owned(), far_plugins));
        let mut fields = Fields::default();
        fields.set("type", Part::Own(json!(type_name)));
        fields.set("type_hierarchy", Part::Shared(kind.hierarchy.clone()));
        fields.set("target_id", Part::Own(json!(target)));
        fields.set("properties", Part::Own(Value::Object(properties)));
        fields.set("source_interfaces", near);
        fields.set("target_interfaces", far);
        fields.set("source_operations", near_operations);
        fields.set("target_operations", far_operations);
        Ok(fields)
    }

    /// The name of a relationship's type, the node that it leads to, and the type itself.
    fn ends(&self, name: &str, item: &'a Node) -> Result<(&'a str, &'a str, &'a Type)> {
        let type_node = schema::required(item, "type")?;
        let type_name = schema::text(type_node).under("type")?;
        let target_node = schema::required(item, "target")?;
        let target = schema::text(target_node).under("target")?;
        if target == name {
            let message = format!(
                "A relationship instance under node '{name}' of type '{type_name}' illegally declares the source node as the target node"
            );
            return Err(Error::parser(23, message).at(target_node).under("target"));
        }
        if !self.templates.contains_key(target) {
            let message = format!(
                "A relationship instance under node '{name}' of type '{type_name}' declares an undefined target node '{target}'"
            );
            return Err(Error::parser(25, message).at(target_node).under("target"));
        }
        let Some(kind) = self.relationship_types.get(type_name) else {
            let message = format!(
                "A relationship instance under node '{name}' declares an undefined relationship type '{type_name}'"
            );
            return Err(Error::parser(26, message).at(type_node).under("type"));
        };
        Ok((type_name, target, kind))
    }

    /// The interfaces and operations of a relationship, on its source side and on its target side.
    fn sides(
        &mut self,
        name: &str,
        item: &Node,
        type_name: &'a str,
        kind: &Type,
    ) -> Result<(Parts, Parts)> {
        let blueprint = self.blueprint;
        let owner = format!("relationship of type '{type_name}' in node '{name}'");
        let site = Site {
            code: 19,
            owner: &owner,
            of_type: false,
        };
        let read = |field: &str| interfaces::read(item.get(field), blueprint.version).under(field);
        let (near, far) = (read("source_interfaces")?, read("target_interfaces")?);
        let made = |near: &Interfaces, far: &Interfaces| -> Result<(Ready, Ready)> {
            Ok((
                ready(blueprint, &kind.interfaces, near, site)?,
                ready(blueprint, &kind.target_interfaces, far, site)?,
            ))
        };
        if !near.is_empty() || !far.is_empty() {
            let (near, far) = made(&near, &far)?;
            return Ok((near.parts(), far.parts()));
        }
        let (near, far) = match self.ready_relationships.entry(type_name) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => free.insert(made(&near, &far)?),
        };
        Ok((near.parts(), far.parts()))
    }

    /// Checks that the target node declares the operation that a relationship waits for.
    fn check_operation(&self, item: &Node, name: &str, target: &str) -> Result<()> {
        let given = item
            .get("properties")
            .and_then(|node| node.get("operation"));
        let operation = given.and_then(Node::as_str).unwrap_or_default();
        if operation.is_empty() {
            let message = format!(
                "For \"{name}\" node, please supply \"{ON_OPERATION}\" with a defined lifecycle operation target"
            );
            return Err(Error::parser(215, message));
        }
        let declared = self
            .templates
            .get(target)
            .and_then(|node| node.get("interfaces"))
            .and_then(|node| node.get("cloudify.interfaces.lifecycle"))
            .and_then(Node::as_map);
        if declared.is_some_and(|operations| operations.contains_key(operation)) {
            return Ok(());
        }
        let message = format!(
            "Please define \"{operation}\" operation in the target node \"{target}\" for \"{name}\" node's \"{ON_OPERATION}\" relationship"
        );
        Err(Error::parser(216, message))
    }
}
