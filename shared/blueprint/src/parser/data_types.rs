//! Data types and the schemas of properties: filling in defaults, checking values.

use super::schema::{self, key, since};
use super::version::Version;
use crate::constraints;
use crate::error::{Error, Result, Under};
use crate::functions::function_of;
use crate::python_text::display;
use crate::weight;
use crate::yaml::Node;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use std::cell::Cell;

/// Property schemas by name, as the plan has them.
pub(super) type Schemas = Map<String, Value>;

/// All data types with the properties that they have and inherit.
#[derive(Default)]
pub(super) struct DataTypes {
    pub types: IndexMap<String, Schemas>,
    /// The `data_types` of the plan.
    pub plan: Map<String, Value>,
    /// What all values weigh that were copied so far: types of types of types grow fast.
    copied: Cell<usize>,
}

/// What the values of a blueprint's properties and inputs may weigh, defaults included.
const MAX_WEIGHT: usize = 500_000;

/// Whose properties are checked: it decides the words of a refusal.
#[derive(Clone, Copy)]
pub(super) enum Owner<'a> {
    Node(&'a str),
    Relationship(&'a str),
    Other(&'a str),
}

/// What the default of one property may weigh, with those of the data types in it.
const MAX_DEFAULT_WEIGHT: usize = 20_000;

impl Owner<'_> {
    fn name(self) -> String {
        match self {
            Self::Node(name) | Self::Relationship(name) | Self::Other(name) => name.to_owned(),
        }
    }

    fn unknown(self, path: &str) -> Error {
        let name = self.name();
        let message = match self {
            Self::Relationship(_) => format!(
                "'{name}' node relationship '{path}' property is not part of the derived relationship type properties schema"
            ),
            _ => format!(
                "'{name}' node '{path}' property is not part of the derived type properties schema"
            ),
        };
        Error::parser(106, message)
    }

    fn missing(self, path: &str) -> Error {
        let name = self.name();
        let message = match self {
            Self::Relationship(_) => format!(
                "'{name}' node relationship does not provide a value for mandatory '{path}' property which is part of its relationship type schema"
            ),
            _ => format!(
                "'{name}' node does not provide a value for mandatory '{path}' property which is part of its type schema"
            ),
        };
        Error::parser(107, message)
    }

    fn mismatch(self, path: &str, type_name: &str, value: &Value) -> Error {
        let (name, value) = (self.name(), display(value));
        let subject = match path {
            "" => "the defined type".to_owned(),
            path => format!("property '{path}' type"),
        };
        Error::parser(
            105,
            format!(
                "Property type validation failed in '{name}': {subject} is '{type_name}', yet it was assigned with the value '{value}'"
            ),
        )
    }
}

fn joined(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

/// What a schema says about its type.
pub(super) fn type_of(schema: &Value) -> Option<&str> {
    schema.get("type").and_then(Value::as_str)
}

impl DataTypes {
    /// Reads the section.
    pub fn read(section: Option<&Node>, version: Version) -> Result<Self> {
        let mut types = Self::default();
        let Some(section) = section else {
            return Ok(types);
        };
        let nodes = schema::map(section).under("data_types")?;
        for name in nodes.keys() {
            types
                .resolve(name, nodes, version, &mut Vec::new())
                .under("data_types")?;
        }
        for (name, node) in nodes {
            let entry = json!({
                "properties": types.types[name],
                "description": schema::value_at(node, "description"),
                "derived_from": schema::value_at(node, "derived_from"),
                "version": schema::value_at(node, "version"),
            });
            types.plan.insert(name.clone(), entry);
        }
        Ok(types)
    }

    fn resolve(
        &mut self,
        name: &str,
        nodes: &IndexMap<String, Node>,
        version: Version,
        open: &mut Vec<String>,
    ) -> Result<()> {
        if self.types.contains_key(name) {
            return Ok(());
        }
        let Some(node) = nodes.get(name) else {
            return Ok(());
        };
        if let Some(first) = open.iter().position(|other| other == name) {
            let circle = open[first..].join(" --> ");
            let message =
                format!("Parsing failed. Circular dependency detected: {circle} --> {name}");
            return Err(Error::parser(100, message));
        }
        if open.len() > 100 {
            return Err(Error::parser(
                100,
                "Data types derive from each other too deeply",
            ));
        }
        if constraints::is_primitive(name) {
            let message = format!("Can't redefine primitive type {name}");
            return Err(Error::parser(104, message).at(node).under(name));
        }
        let keys = [
            key("properties"),
            key("description"),
            key("derived_from"),
            key("version"),
        ];
        schema::check_keys(node, &keys, version).under(name)?;
        open.push(name.to_owned());
        let mut properties = Schemas::new();
        if let Some(parent) = schema::text_at(node, "derived_from").under(name)? {
            self.resolve(parent, nodes, version, open)?;
            let inherited = self.types.get(parent).ok_or_else(|| {
                Error::parser(103, format!("Missing definition for type '{parent}' which is declared as derived by type '{name}'"))
                    .at(node.get("derived_from").unwrap_or(node))
                    .under("derived_from")
                    .under(name)
            })?;
            properties.clone_from(inherited);
        }
        for (_, property) in schema::map_at(node, "properties").under(name)? {
            if let Some(other) = property.get("type").and_then(Node::as_str) {
                self.resolve(other, nodes, version, open)?;
            }
        }
        let own = self
            .properties(node.get("properties"), name, version)
            .under(name)?;
        properties.extend(own);
        open.pop();
        self.types.insert(name.to_owned(), properties);
        Ok(())
    }

    /// Reads `properties` of a type.
    pub fn properties(
        &self,
        node: Option<&Node>,
        owner: &str,
        version: Version,
    ) -> Result<Schemas> {
        let mut schemas = Schemas::new();
        let Some(node) = node else {
            return Ok(schemas);
        };
        for (name, property) in schema::map(node).under("properties")? {
            let keys = [
                since("required", 2),
                key("default"),
                key("description"),
                key("type"),
                key("item_type"),
                key("display_label"),
                key("hidden"),
                key("constraints"),
            ];
            schema::check_keys(property, &keys, version)
                .and_then(|()| self.property(property, owner, name))
                .under(name)
                .under("properties")
                .map(|schema| schemas.insert(name.clone(), schema))?;
        }
        Ok(schemas)
    }

    fn property(&self, node: &Node, owner: &str, name: &str) -> Result<Value> {
        let mut schema = match node.to_value() {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        self.check_type_name(node)?;
        let Some(type_name) = node.get("type").and_then(Node::as_str) else {
            return Ok(Value::Object(schema));
        };
        let at = node.get("default").unwrap_or(node);
        let owner = Owner::Other(owner);
        if self.types.contains_key(type_name) {
            let default = schema.get("default").cloned().unwrap_or(json!({}));
            let default = self.complete(type_name, &default, owner, name, false);
            let default = default.map_err(|error| error.at(at).under("default"))?;
            if weight::of(&default) > MAX_DEFAULT_WEIGHT {
                let message = format!("The default of '{name}' is too large");
                return Err(Error::parser(105, message).at(at).under("default"));
            }
            schema.insert("default".to_owned(), default);
        } else if let Some(default) = schema.get("default") {
            self.check(type_name, default, owner, name)
                .map_err(|error| error.at(at).under("default"))?;
        }
        Ok(Value::Object(schema))
    }

    /// Refuses a `type` that is neither the language's nor the blueprint's.
    pub fn check_type_name(&self, node: &Node) -> Result<()> {
        let Some(type_name) = schema::text_at(node, "type")? else {
            return Ok(());
        };
        if constraints::is_primitive(type_name) || self.types.contains_key(type_name) {
            return Ok(());
        }
        let at = node.get("type").unwrap_or(node);
        Err(
            Error::parser(103, format!("Illegal type name '{type_name}'"))
                .at(at)
                .under("type"),
        )
    }

    /// Whether a value fits a primitive type. Functions fit every type until they are
    /// evaluated, and null is no value at all.
    pub fn check(
        &self,
        type_name: &str,
        value: &Value,
        owner: Owner<'_>,
        path: &str,
    ) -> Result<()> {
        if function_of(value).is_some() || value.is_null() || constraints::fits(type_name, value) {
            return Ok(());
        }
        Err(owner.mismatch(path, type_name, value))
    }

    /// A value of a type: checked, and with the defaults of data types filled in.
    /// With `strict`, required properties have to be there.
    pub fn complete(
        &self,
        type_name: &str,
        value: &Value,
        owner: Owner<'_>,
        path: &str,
        strict: bool,
    ) -> Result<Value> {
        let Some(schemas) = self.types.get(type_name) else {
            self.check(type_name, value, owner, path)?;
            return Ok(value.clone());
        };
        if function_of(value).is_some() || (value.is_null() && !strict) {
            return Ok(value.clone());
        }
        let Value::Object(given) = value else {
            return Err(owner.mismatch(path, type_name, value));
        };
        self.overlay(schemas, given, owner, path, strict)
            .map(Value::Object)
    }

    /// Values for all properties of a schema: what was given over the defaults.
    pub fn overlay(
        &self,
        schemas: &Schemas,
        given: &Map<String, Value>,
        owner: Owner<'_>,
        path: &str,
        strict: bool,
    ) -> Result<Map<String, Value>> {
        self.count(1)?;
        if let Some(name) = given.keys().find(|name| !schemas.contains_key(*name)) {
            return Err(owner.unknown(&joined(path, name)));
        }
        let mut values = Map::new();
        for (name, schema) in schemas {
            let path = joined(path, name);
            let type_name = type_of(schema);
            let required = schema
                .get("required")
                .and_then(Value::as_bool)
                .unwrap_or(true);
            let default = schema.get("default");
            let value = match (given.get(name), default) {
                (Some(value), Some(default)) if self.is_data_type(type_name) => {
                    merged(default, value)
                }
                (Some(value), _) => value.clone(),
                (None, Some(default)) => default.clone(),
                (None, None) if strict && required => return Err(owner.missing(&path)),
                (None, None) => continue,
            };
            // A default was completed when its schema was read; only whether something
            // required is missing in it is still open.
            let settled = !strict && !given.contains_key(name);
            let strict = strict && (required || given.contains_key(name));
            let value = match type_name {
                Some(type_name) if !settled => {
                    self.complete(type_name, &value, owner, &path, strict)?
                }
                _ => value,
            };
            if settled || !self.is_data_type(type_name) {
                self.count(weight::of(&value))?;
            }
            values.insert(name.clone(), value);
        }
        Ok(values)
    }

    /// Counts what is copied, and refuses a blueprint that copies too much.
    pub fn count(&self, weight: usize) -> Result<()> {
        self.copied.set(self.copied.get().saturating_add(weight));
        match self.copied.get() > MAX_WEIGHT {
            true => Err(Error::parser(
                105,
                "The values of properties and inputs are too large",
            )),
            false => Ok(()),
        }
    }

    fn is_data_type(&self, type_name: Option<&str>) -> bool {
        type_name.is_some_and(|name| self.types.contains_key(name))
    }
}

/// A map over a map, key by key all the way down; anything else replaces.
fn merged(under: &Value, over: &Value) -> Value {
    match (under, over) {
        (Value::Object(below), Value::Object(above))
            if function_of(under).is_none() && function_of(over).is_none() =>
        {
            let mut map = below.clone();
            for (name, value) in above {
                let value = match below.get(name) {
                    Some(old) => merged(old, value),
                    None => value.clone(),
                };
                map.insert(name.clone(), value);
            }
            Value::Object(map)
        }
        _ => over.clone(),
    }
}
