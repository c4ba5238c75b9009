//! The plan: the meaning of a blueprint, with all types, interfaces and imports resolved.
//!
//! In JSON, a plan repeats the operations of a type for each of its nodes. This can be tens of
//! megabytes for a few thousand nodes. In memory these parts are shared. [`Plan::to_stored`] also
//! writes them once, and `serde` writes the full form that clients expect.

mod shared;

use indexmap::IndexMap;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};
use shared::{Pool, Source, Stored, Table};
use std::sync::Arc;

/// Operations by name. Most nodes have the operations of their type, so each operation is kept
/// once.
pub type Operations = IndexMap<String, Arc<Value>>;

/// A part of a node or relationship. It has its own value or shares one with others.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// A value that belongs to this part only.
    Own(Value),
    /// A value that this part shares with others.
    Shared(Arc<Value>),
    /// Operations, such as those in the field `operations`, by full and short names.
    Operations(Arc<Operations>),
    /// Interfaces, such as those in the field `interfaces`.
    Interfaces(Arc<IndexMap<String, Operations>>),
    /// The relationships of a node.
    Relationships(Vec<Fields>),
}

/// The fields of a node or a relationship, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fields(Vec<(&'static str, Part)>);

/// How the value of a field is kept in memory.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Own,
    Shared,
    Operations,
    Interfaces,
    Relationships,
}

/// All fields that a node or a relationship can have.
const FIELDS: [(&str, Shape); 19] = [
    ("name", Shape::Own),
    ("id", Shape::Own),
    ("type", Shape::Own),
    ("type_hierarchy", Shape::Shared),
    ("properties", Shape::Own),
    ("relationships", Shape::Relationships),
    ("instances", Shape::Own),
    ("capabilities", Shape::Shared),
    ("interfaces", Shape::Interfaces),
    ("operations", Shape::Operations),
    ("host_id", Shape::Own),
    ("plugins", Shape::Shared),
    ("deployment_plugins_to_install", Shape::Shared),
    ("plugins_to_install", Shape::Shared),
    ("target_id", Shape::Own),
    ("source_interfaces", Shape::Interfaces),
    ("target_interfaces", Shape::Interfaces),
    ("source_operations", Shape::Operations),
    ("target_operations", Shape::Operations),
];

impl Part {
    /// The value. It is null for operations, interfaces and relationships.
    pub fn value(&self) -> &Value {
        match self {
            Self::Own(value) => value,
            Self::Shared(value) => value,
            _ => &Value::Null,
        }
    }

    fn read(shape: Shape, value: Value, source: &mut impl Source) -> Self {
        match (shape, value) {
            (Shape::Relationships, Value::Array(items)) => Self::Relationships(
                items
                    .into_iter()
                    .map(|item| Fields::read(item, source))
                    .collect(),
            ),
            (Shape::Operations, value @ (Value::Object(_) | Value::Number(_))) => {
                Self::Operations(source.operations(value))
            }
            (Shape::Interfaces, value @ (Value::Object(_) | Value::Number(_))) => {
                Self::Interfaces(source.interfaces(value))
            }
            (Shape::Shared, value) => Self::Shared(source.shared(value)),
            (_, value) => Self::Own(value),
        }
    }

    fn store(&self, shape: Shape, table: &mut Table) -> Value {
        let all = |operations: &Operations, table: &mut Table| -> Value {
            let entries = operations.iter();
            Value::Object(
                entries
                    .map(|(name, one)| (name.clone(), table.place(one)))
                    .collect(),
            )
        };
        match self {
            Self::Own(value) if shape == Shape::Shared => table.place(&Arc::new(value.clone())),
            Self::Own(value) => value.clone(),
            Self::Shared(value) => table.place(value),
            Self::Operations(operations) => {
                let map = all(operations, table);
                table.place_own(map)
            }
            Self::Interfaces(interfaces) => {
                let mut map = Map::new();
                for (name, operations) in &**interfaces {
                    map.insert(name.clone(), all(operations, table));
                }
                table.place_own(Value::Object(map))
            }
            Self::Relationships(items) => items.iter().map(|item| item.store(table)).collect(),
        }
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Own(value) => value.serialize(serializer),
            Self::Shared(value) => value.serialize(serializer),
            Self::Operations(operations) => All(operations).serialize(serializer),
            Self::Interfaces(interfaces) => {
                serializer.collect_map(interfaces.iter().map(|(name, one)| (name, All(one))))
            }
            Self::Relationships(items) => serializer.collect_seq(items),
        }
    }
}

/// Operations as JSON.
struct All<'a>(&'a Operations);

impl Serialize for All<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, &**value)))
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, part)| (name, part)))
    }
}

impl Fields {
    /// Sets a field. A field that exists keeps its place.
    pub fn set(&mut self, name: &'static str, part: Part) {
        match self.0.iter_mut().find(|(other, _)| *other == name) {
            Some((_, old)) => *old = part,
            None => self.0.push((name, part)),
        }
    }

    /// The part in this field, if the field exists.
    pub fn part(&self, name: &str) -> Option<&Part> {
        self.0
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, part)| part)
    }

    /// The value of a field. It is null if the field does not exist, and for operations and
    /// relationships, which have methods of their own.
    pub fn get(&self, name: &str) -> &Value {
        self.part(name).map_or(&Value::Null, Part::value)
    }

    /// The text in a field. It is empty if there is no text.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).as_str().unwrap_or_default()
    }

    /// The name of a node.
    pub fn name(&self) -> &str {
        self.text("name")
    }

    /// The relationships of a node.
    pub fn relationships(&self) -> &[Fields] {
        match self.part("relationships") {
            Some(Part::Relationships(items)) => items,
            _ => &[],
        }
    }

    /// The relationships of a node, to be changed.
    pub fn relationships_mut(&mut self) -> &mut [Fields] {
        let part = self.0.iter_mut().find(|(name, _)| *name == "relationships");
        match part {
            Some((_, Part::Relationships(items))) => items,
            _ => &mut [],
        }
    }

    /// Whether a node or relationship has this type or a type that derives from it.
    pub fn derives_from(&self, type_name: &str) -> bool {
        let hierarchy = self.get("type_hierarchy").as_array();
        hierarchy.is_some_and(|types| types.iter().any(|name| name == type_name))
    }

    /// The operations in a field: `operations` of a node, `source_operations` or
    /// `target_operations` of a relationship. They have full names, and short names where these are
    /// unique.
    pub fn operations(&self, field: &str) -> impl Iterator<Item = (&str, &Value)> {
        let operations = match self.part(field) {
            Some(Part::Operations(operations)) => Some(operations.iter()),
            _ => None,
        };
        operations
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.as_str(), &**value))
    }

    /// The definition of an operation, by its full or short name.
    pub fn operation(&self, field: &str, name: &str) -> Option<&Value> {
        match self.part(field) {
            Some(Part::Operations(operations)) => operations.get(name).map(|value| &**value),
            _ => None,
        }
    }

    /// The full JSON of the fields.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn read(value: Value, source: &mut impl Source) -> Self {
        let mut fields = Self::default();
        let Value::Object(map) = value else {
            return fields;
        };
        for (name, value) in map {
            if let Some((name, shape)) = FIELDS.into_iter().find(|(known, _)| *known == name) {
                fields.0.push((name, Part::read(shape, value, source)));
            }
        }
        fields
    }

    fn store(&self, table: &mut Table) -> Value {
        let mut map = Map::new();
        for (name, part) in &self.0 {
            let shape = FIELDS.iter().find(|(known, _)| known == name);
            let shape = shape.map_or(Shape::Own, |(_, shape)| *shape);
            map.insert((*name).to_owned(), part.store(shape, table));
        }
        Value::Object(map)
    }
}

/// The meaning of a blueprint. It serialises to the plan that clients see.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// All sections but the nodes: `inputs`, `workflows`, `scaling_groups`, ...
    pub sections: Map<String, Value>,
    /// The nodes. A container comes before the nodes that are contained in it.
    pub nodes: Vec<Fields>,
}

/// A plan for one deployment: inputs are values, and functions are evaluated as far as possible.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeploymentPlan {
    /// The plan. Its section `inputs` holds values, and it also has `inter_deployment_functions`.
    pub plan: Plan,
}

impl Plan {
    /// A section of the plan, or null if there is none of this name.
    pub fn section(&self, name: &str) -> &Value {
        self.sections.get(name).unwrap_or(&Value::Null)
    }

    /// The node of this name.
    pub fn node(&self, name: &str) -> Option<&Fields> {
        self.nodes.iter().find(|node| node.name() == name)
    }

    /// The packages that have to be installed before anything runs, each with its version if one is
    /// named. A plugin without a package is called by its own name. Some come more than once.
    pub fn packages(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        const SECTIONS: [&str; 3] = [
            "deployment_plugins_to_install",
            "workflow_plugins_to_install",
            "host_agent_plugins_to_install",
        ];
        let sections = SECTIONS.into_iter().map(|name| self.section(name));
        let plugins = sections.flat_map(|section| section.as_array().into_iter().flatten());
        plugins
            .filter(|plugin| plugin["install"].as_bool() == Some(true))
            .filter_map(|plugin| {
                let name = plugin["package_name"]
                    .as_str()
                    .or(plugin["name"].as_str())?;
                Some((name, plugin["package_version"].as_str()))
            })
    }

    /// The full JSON that clients see.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Reads a plan from the full JSON.
    pub fn from_value(value: Value) -> Option<Self> {
        let Value::Object(mut sections) = value else {
            return None;
        };
        let mut pool = Pool::default();
        let nodes = match sections.shift_remove("nodes")? {
            Value::Array(nodes) => nodes
                .into_iter()
                .map(|node| Fields::read(node, &mut pool))
                .collect(),
            _ => return None,
        };
        Some(Self { sections, nodes })
    }

    /// Makes JSON to be stored. Values that nodes share are in it once.
    pub fn to_stored(&self) -> Value {
        let mut table = Table::default();
        let nodes: Vec<Value> = self
            .nodes
            .iter()
            .map(|node| node.store(&mut table))
            .collect();
        json!({ "sections": self.sections, "nodes": nodes, "shared": table.into_values() })
    }

    /// Reads the JSON of [`Plan::to_stored`], and also the full JSON.
    pub fn from_stored(mut value: Value) -> Option<Self> {
        let map = value.as_object_mut()?;
        let Some(Value::Array(shared)) = map.shift_remove("shared") else {
            return Self::from_value(value);
        };
        let mut shared = Stored::new(shared);
        let (Some(Value::Object(sections)), Some(Value::Array(nodes))) =
            (map.shift_remove("sections"), map.shift_remove("nodes"))
        else {
            return None;
        };
        Some(Self {
            sections,
            nodes: nodes
                .into_iter()
                .map(|node| Fields::read(node, &mut shared))
                .collect(),
        })
    }
}

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.sections.len() + 1))?;
        for (name, section) in &self.sections {
            map.serialize_entry(name, section)?;
        }
        map.serialize_entry("nodes", &self.nodes)?;
        map.end()
    }
}

impl Serialize for DeploymentPlan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.plan.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Plan {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_stored(value).ok_or_else(|| serde::de::Error::custom("this is not a plan"))
    }
}

impl<'de> serde::Deserialize<'de> for DeploymentPlan {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Plan::deserialize(deserializer).map(|plan| Self { plan })
    }
}
