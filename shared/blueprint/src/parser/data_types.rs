//! Data types and the schemas of properties. Defaults are filled in here, and values are checked.

use super::schema::{self, key, since};
use super::version::Version;
use crate::constraints;
use crate::error::{Error, Result, Under};
use crate::functions::function_of;
use crate::json::set;
use crate::weight;
use crate::yaml::Node;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use std::cell::Cell;
use windlass_python as python;

/// Property schemas by name, as the plan has them.
pub(super) type Schemas = Map<String, Value>;

/// All data types with their own and their inherited properties.
#[derive(Default)]
pub(super) struct DataTypes {
    pub types: IndexMap<String, Schemas>,
    /// The `data_types` of the plan.
    pub plan: Map<String, Value>,
    /// The weight of all values that were copied so far. Data types that contain data types make it
    /// grow fast.
    copied: Cell<usize>,
}

/// How much the values of all properties and inputs of a blueprint may weigh, defaults included.
const MAX_WEIGHT: usize = 500_000;

/// Whose properties are checked. The words of a refusal depend on it.
#[derive(Clone, Copy)]
pub(super) enum Owner<'a> {
    Node(&'a str),
    Relationship(&'a str),
    /// A type, when the defaults of its properties are checked.
    Type(&'a str),
    /// An input or parameter.
    Input(&'a str),
    /// A policy or trigger in a group, with the words that name it. Its properties are those of its
    /// type.
    Policy(&'a str),
}

/// How much the default of one property may weigh, with the defaults of the data types in it.
const MAX_DEFAULT_WEIGHT: usize = 20_000;

impl Owner<'_> {
    fn unknown(self, path: &str) -> Error {
        let message = match self {
            Self::Node(name) => format!(
                "'{name}' node '{path}' property is not part of the derived type properties schema"
            ),
            Self::Relationship(name) => format!(
                "'{name}' node relationship '{path}' property is not part of the derived relationship type properties schema"
            ),
            Self::Type(name) => {
                format!("Undefined property {path} in default value of type {name}")
            }
            Self::Input(name) => {
                format!("Undefined property {path} in default value of input {name}.")
            }
            Self::Policy(name) => {
                format!("{name} '{path}' property is not part of the policy type properties schema")
            }
        };
        Error::parser(106, message)
    }

    fn missing(self, path: &str) -> Error {
        let message = match self {
            Self::Node(name) | Self::Type(name) => format!(
                "'{name}' node does not provide a value for mandatory '{path}' property which is part of its type schema"
            ),
            Self::Relationship(name) => format!(
                "'{name}' node relationship does not provide a value for mandatory '{path}' property which is part of its relationship type schema"
            ),
            Self::Input(name) => format!("Value of input {name} is missing property {path}."),
            Self::Policy(name) => format!(
                "{name} does not provide a value for mandatory '{path}' property which is part of its policy type schema"
            ),
        };
        Error::parser(107, message)
    }

    fn mismatch(self, path: &str, type_name: &str, value: &Value) -> Error {
        let (Self::Node(name)
        | Self::Relationship(name)
        | Self::Type(name)
        | Self::Input(name)
        | Self::Policy(name)) = self;
        let value = python::str(value);
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

/// The name of the type that a schema demands.
pub(super) fn type_of(schema: &Value) -> Option<&str> {
    schema.get("type").and_then(Value::as_str)
}

impl DataTypes {
    /// Reads the section `data_types`.
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
                "properties": types.types.get(name),
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
            let circle = open.get(first..).unwrap_or_default().join(" --> ");
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
        let mut inherited = Schemas::new();
        if let Some(parent) = schema::text_at(node, "derived_from").under(name)? {
            self.resolve(parent, nodes, version, open)?;
            let known = self.types.get(parent).ok_or_else(|| {
                Error::parser(103, format!("Missing definition for data type '{parent}' which is declared as derived by data type '{name}'"))
                    .at(node.get("derived_from").unwrap_or(node))
                    .under("derived_from")
                    .under(name)
            })?;
            inherited.clone_from(known);
        }
        for (_, property) in schema::map_at(node, "properties").under(name)? {
            if let Some(other) = property.get("type").and_then(Node::as_str) {
                self.resolve(other, nodes, version, open)?;
            }
        }
        let own = node.get("properties");
        let properties = self.properties(own, name, version).under(name)?;
        let properties = self.derive(properties, &inherited, own).under(name)?;
        open.pop();
        self.types.insert(name.to_owned(), properties);
        Ok(())
    }

    /// Adds the properties of the parent to those of a type. Where both have a property of the same
    /// data type, the two defaults are merged, and the type's own wins. `written` is the type's
    /// section as it stands in the file.
    pub fn derive(
        &self,
        mut own: Schemas,
        parent: &Schemas,
        written: Option<&Node>,
    ) -> Result<Schemas> {
        for (name, inherited) in parent {
            let Some(schema) = own.get_mut(name) else {
                own.insert(name.clone(), inherited.clone());
                continue;
            };
            let (Some(type_name), Some(default)) = (type_of(schema), inherited.get("default"))
            else {
                continue;
            };
            if type_of(inherited) != Some(type_name) || !self.types.contains_key(type_name) {
                continue;
            }
            let written = written.and_then(|written| written.get(name));
            let written = written.and_then(|written| written.get("default"));
            let value = match written.map(Node::to_value) {
                None | Some(Value::Null) => json!({}),
                Some(value) => value,
            };
            let owner = Owner::Type(name);
            let value = self.parse(Some(type_name), &value, Some(default), owner, name, false)?;
            set(schema, "default", value);
        }
        Ok(own)
    }

    /// Reads the section `properties` of a type.
    pub fn properties(
        &self,
        node: Option<&Node>,
        owner: &str,
        version: Version,
    ) -> Result<Schemas> {
        self.named_properties(node, "properties", owner, version)
    }

    /// Reads the section of a type that holds properties and has this name.
    pub fn named_properties(
        &self,
        node: Option<&Node>,
        section: &str,
        owner: &str,
        version: Version,
    ) -> Result<Schemas> {
        let mut schemas = Schemas::new();
        let Some(node) = node else {
            return Ok(schemas);
        };
        for (name, property) in schema::map(node).under(section)? {
            let keys = [
                since("required", 2),
                key("default"),
                key("description"),
                key("type"),
            ];
            schema::check_keys(property, &keys, version)
                .and_then(|()| self.property(property, owner, name, version))
                .under(name)
                .under(section)
                .map(|schema| schemas.insert(name.clone(), schema))?;
        }
        Ok(schemas)
    }

    fn property(&self, node: &Node, owner: &str, name: &str, version: Version) -> Result<Value> {
        let mut schema = match node.to_value() {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        schema::text_at(node, "description")?;
        schema::bool_at(node, "required")?;
        self.check_type_name(node, version)?;
        let Some(type_name) = node.get("type").and_then(Node::as_str) else {
            return Ok(Value::Object(schema));
        };
        let is_data_type = self.types.contains_key(type_name);
        let default = match schema.get("default") {
            Some(Value::Null) | None if is_data_type => json!({}),
            Some(Value::Null) | None => return Ok(Value::Object(schema)),
            Some(default) => default.clone(),
        };
        let at = node.get("default").unwrap_or(node);
        let default = self.parse(
            Some(type_name),
            &default,
            None,
            Owner::Type(owner),
            name,
            false,
        );
        let default = default.map_err(|error| error.at(at).under("default"))?;
        if is_data_type && weight::of(&default) > MAX_DEFAULT_WEIGHT {
            let message = format!("The default of '{name}' is too large");
            return Err(Error::parser(105, message).at(at).under("default"));
        }
        schema.insert("default".to_owned(), default);
        Ok(Value::Object(schema))
    }

    /// Refuses a `type` that is unknown: neither the language in this version has it, nor the
    /// blueprint.
    pub fn check_type_name(&self, node: &Node, version: Version) -> Result<()> {
        let Some(type_name) = schema::text_at(node, "type")? else {
            return Ok(());
        };
        let at = node.get("type").unwrap_or(node);
        if constraints::is_primitive(type_name) {
            let since = constraints::minor_version_of(type_name);
            let what = format!("type '{type_name}'");
            return version.requires(Version(since), &what, at).under("type");
        }
        if type_name.is_empty() || self.types.contains_key(type_name) {
            return Ok(());
        }
        Err(
            Error::parser(103, format!("Illegal type name '{type_name}'"))
                .at(at)
                .under("type"),
        )
    }

    /// Checks a value against its type, and fills in the defaults of data types. Defaults in
    /// `inherited` come before those of the data type. With `strict`, required properties must be
    /// there. A function fits every type until it is evaluated.
    pub fn parse(
        &self,
        type_name: Option<&str>,
        value: &Value,
        inherited: Option<&Value>,
        owner: Owner<'_>,
        path: &str,
        strict: bool,
    ) -> Result<Value> {
        let Some(type_name) = type_name.filter(|_| function_of(value).is_none()) else {
            self.count(weight::of(value))?;
            return Ok(value.clone());
        };
        let Some(schemas) = self.types.get(type_name) else {
            self.count(weight::of(value))?;
            return match constraints::fits(type_name, value) {
                true => Ok(value.clone()),
                false => Err(owner.mismatch(path, type_name, value)),
            };
        };
        let Value::Object(given) = value else {
            return Err(owner.mismatch(path, type_name, value));
        };
        let inherited = inherited.and_then(Value::as_object);
        self.merge(schemas, given, inherited, owner, path, strict)
            .map(Value::Object)
    }

    /// The values of all properties of a schema: what was given, and defaults for the rest.
    pub fn overlay(
        &self,
        schemas: &Schemas,
        given: &Map<String, Value>,
        owner: Owner<'_>,
    ) -> Result<Map<String, Value>> {
        self.merge(schemas, given, None, owner, "", true)
    }

    fn merge(
        &self,
        schemas: &Schemas,
        given: &Map<String, Value>,
        inherited: Option<&Map<String, Value>>,
        owner: Owner<'_>,
        path: &str,
        strict: bool,
    ) -> Result<Map<String, Value>> {
        self.count(1)?;
        if let Some(name) = given.keys().find(|name| !schemas.contains_key(*name)) {
            return Err(owner.unknown(&joined(path, name)));
        }
        let default_of = |name: &str| {
            let inherited = inherited.and_then(|inherited| inherited.get(name));
            inherited.or_else(|| schemas.get(name)?.get("default"))
        };
        // Something that exists outside of the deployment need not be described.
        let external = given.get(EXTERNAL).or_else(|| default_of(EXTERNAL));
        if external.is_some_and(|external| function_of(external).is_some()) {
            return Err(Error::parser(
                219,
                "Only boolean values are allowed for `use_external_resource` property, don't use intrinsic functions.",
            ));
        }
        let strict_here = strict && !external.is_some_and(python::is_true);
        let mut values = Map::new();
        for (name, schema) in schemas {
            let path = joined(path, name);
            let default = default_of(name);
            let required = schema["required"].as_bool().unwrap_or(true);
            let value = match given.get(name).or(default) {
                Some(value) => value,
                None if strict_here && required => return Err(owner.missing(&path)),
                None => continue,
            };
            let value = self.parse(type_of(schema), value, default, owner, &path, strict)?;
            values.insert(name.clone(), value);
        }
        Ok(values)
    }

    /// Adds to the weight of what was copied, and refuses a blueprint that copies too much.
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
}

/// The property which says that something exists already.
const EXTERNAL: &str = "use_external_resource";
