//! The sections around the nodes: inputs, outputs, capabilities, workflows, labels, settings.

use super::Blueprint;
use super::data_types::Owner;
use super::implementation::Target;
use super::schema::{self, key, since};
use super::version::Version;
use crate::constraints;
use crate::error::{Error, Result, Under};
use crate::yaml::Node;
use serde_json::{Map, Value, json};
use windlass_python as python;

/// What a schema belongs to. Both kinds have types, defaults and constraints.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Schema {
    Input,
    Parameter,
}

impl Blueprint<'_> {
    /// Reads each entry of a section with `read`. Refusals name the entry.
    pub(super) fn entries(
        &self,
        section: &'static str,
        mut read: impl FnMut(&str, &Node) -> Result<Value>,
    ) -> Result<Value> {
        let mut entries = Map::new();
        if let Some(node) = self.section(section) {
            for (name, entry) in schema::map(node).under(section)? {
                entries.insert(name.clone(), read(name, entry).under(name).under(section)?);
            }
        }
        Ok(Value::Object(entries))
    }

    /// Reads the section `inputs`: schemas, in which the defaults of data types are filled in.
    pub(super) fn inputs(&self) -> Result<Value> {
        self.entries("inputs", |name, node| {
            let input = self.input(name, node)?;
            // Parameters of workflows may have defaults that break their constraints.
            if let Some(default) = input.get("default") {
                constraints::check(&input, name, default)?;
            }
            Ok(input)
        })
    }

    /// Reads the schema of an input, of a deployment or of an operation.
    pub(super) fn input(&self, name: &str, node: &Node) -> Result<Value> {
        let input = self.schema(name, node, Schema::Input)?;
        let set = |key: &str| input.get(key).and_then(Value::as_bool);
        if set("hidden") == Some(true)
            && set("required") != Some(false)
            && input.get("default").is_none()
        {
            let message = format!(
                "Input is both hidden and required thus it should have a default value: '{name}'."
            );
            return Err(Error::parser(215, message).at(node));
        }
        if let Some(display) = node.get("display") {
            let wrong = |error: Error| error.under("display");
            schema::check_keys(display, &[key("rows")], self.version_of(node)).map_err(wrong)?;
            if let Some(rows) = display.get("rows") {
                schema::integer(rows).map_err(|error| wrong(error.under("rows")))?;
            }
            let type_name = node.get("type").and_then(Node::as_str).unwrap_or("None");
            if type_name != "textarea" {
                let message = format!(
                    "`display` property defined for unsupported input type ({type_name}) for input `{name}`."
                );
                return Err(Error::parser(216, message).at(display).under("display"));
            }
        }
        Ok(input)
    }

    /// Reads the schema of an input or of a workflow's parameter.
    fn schema(&self, name: &str, node: &Node, what: Schema) -> Result<Value> {
        let version = self.version_of(node);
        let keys = [
            since("required", 2),
            key("default"),
            key("description"),
            key("type"),
            since("item_type", 4),
            key("constraints"),
            since("display_label", 3),
            since("hidden", 3),
            key("display"),
        ];
        let keys = match what {
            Schema::Input => &keys[..],
            Schema::Parameter => &keys[..6],
        };
        schema::check_keys(node, keys, version)?;
        let mut parameter = match node.to_value() {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        for text in ["description", "display_label"] {
            schema::text_at(node, text)?;
        }
        for flag in ["required", "hidden"] {
            schema::bool_at(node, flag)?;
        }
        self.data_types.check_type_name(node, version)?;
        let type_name = schema::text_at(node, "type")?;
        self.check_item_type(node, type_name)?;
        if let Some(list) = node.get("constraints") {
            for (place, constraint) in schema::list(list).under("constraints")?.iter().enumerate() {
                self.constraint(name, constraint, what)
                    .map_err(|error| error.at(constraint))
                    .under(place)
                    .under("constraints")?;
            }
        }
        let default = parameter.get("default").filter(|value| !value.is_null());
        if let (Some(default), Some(at)) = (default, node.get("default")) {
            let owner = Owner::Input(name);
            let default = self
                .data_types
                .parse(type_name, default, None, owner, "", true)
                .map_err(|error| error.at(at).under("default"))?;
            parameter.insert("default".to_owned(), default);
        }
        Ok(Value::Object(parameter))
    }

    fn constraint(&self, name: &str, node: &Node, what: Schema) -> Result<()> {
        if schema::map(node)?.len() > 1 {
            if what == Schema::Parameter {
                let message = "Each constraint operator dict must be in its own list item.";
                return Err(Error::parser(103, message));
            }
            if self.version_of(node) < Version(5) {
                let version = self.version_of(node).name();
                let added = Version(5).name();
                let message = format!(
                    "Constraint's additional attributes are not supported in version {version}, they were added in {added}"
                );
                return Err(Error::parser(102, message));
            }
        }
        constraints::check_definition(&node.to_value(), name)
    }

    fn check_item_type(&self, node: &Node, type_name: Option<&str>) -> Result<()> {
        let Some(item_type) = schema::text_at(node, "item_type")? else {
            return Ok(());
        };
        let at = node.get("item_type").unwrap_or(node);
        if type_name != Some("list") {
            let type_name = type_name.unwrap_or("None");
            let message = format!("Property item_type defined for unsupported type: '{type_name}'");
            return Err(Error::parser(218, message).at(at).under("item_type"));
        }
        if !constraints::is_primitive(item_type) {
            let message = format!("Illegal item_type '{item_type}'");
            return Err(Error::parser(217, message).at(at).under("item_type"));
        }
        Ok(())
    }

    /// Reads the section `outputs` or the section `capabilities`.
    pub(super) fn outputs(&self, section: &'static str) -> Result<Value> {
        self.entries(section, |_, node| {
            schema::check_keys(node, &[key("description"), key("value")], self.version)?;
            schema::text_at(node, "description")?;
            schema::required(node, "value")?;
            Ok(node.to_value())
        })
    }

    /// Reads the section `workflows`.
    pub(super) fn workflows(&self) -> Result<Value> {
        self.entries("workflows", |name, node| {
            let version = self.version_of(node);
            let mapping = match node.as_str() {
                Some(mapping) => mapping,
                None if node.is_null() => {
                    let message = format!("'{name}' key is required but it is currently missing");
                    return Err(Error::parser(1, message).at(node));
                }
                None => {
                    let keys = [
                        key("mapping"),
                        key("parameters"),
                        key("is_cascading"),
                        since("availability_rules", 4),
                    ];
                    schema::check_keys(node, &keys, version)?;
                    schema::text(schema::required(node, "mapping")?).under("mapping")?
                }
            };
            let mut parameters = Map::new();
            if node.as_str().is_none() {
                for (parameter, schema) in schema::map_at(node, "parameters")? {
                    let value = self
                        .schema(parameter, schema, Schema::Parameter)
                        .under(parameter)
                        .under("parameters")?;
                    parameters.insert(parameter.clone(), value);
                }
            }
            let (plugin, operation) = self.mapping(name, node, mapping, &mut parameters)?;
            Ok(json!({
                "plugin": plugin,
                "operation": operation,
                "parameters": parameters,
                "is_cascading": schema::bool_at(node, "is_cascading")?.unwrap_or(false),
                "availability_rules": self.availability_rules(node, version)?,
            }))
        })
    }

    /// Reads the rules that say when a workflow is available. Null means always.
    fn availability_rules(&self, node: &Node, version: Version) -> Result<Value> {
        let Some(rules) = node.get("availability_rules") else {
            return Ok(Value::Null);
        };
        let check = || {
            let keys = [
                key("available"),
                key("node_instances_active"),
                key("node_types_required"),
            ];
            schema::check_keys(rules, &keys, version)?;
            schema::bool_at(rules, "available")?;
            if let Some(active) = rules.get("node_instances_active") {
                let allowed = ["all", "partial", "none"].map(Some);
                let known = |word: &Node| allowed.contains(&word.as_str());
                if !schema::list(active)?.iter().all(known) {
                    let message = format!(
                        "Invalid definition of 'active_node_instances' availability rule: '{}'. Allowed values: ('all', 'partial', 'none')",
                        python::repr(&active.to_value())
                    );
                    return Err(Error::parser(103, message)
                        .at(active)
                        .under("node_instances_active"));
                }
            }
            if let Some(types) = rules.get("node_types_required") {
                let texts = schema::list(types)?.iter().map(schema::text);
                texts
                    .collect::<Result<Vec<_>>>()
                    .under("node_types_required")?;
            }
            Ok(())
        };
        check().under("availability_rules")?;
        Ok(rules.to_value())
    }

    fn mapping(
        &self,
        name: &str,
        node: &Node,
        mapping: &str,
        parameters: &mut Map<String, Value>,
    ) -> Result<(String, String)> {
        let unknown = |mapping: &str| {
            let message = format!(
                "Could not extract plugin or a script resource is not found from workflow mapping/script-path '{mapping}', which is declared for workflow '{name}'."
            );
            Error::parser(21, message).at(node)
        };
        let target = self
            .implementation(mapping)
            .map_err(|unclear| unclear.refuse(name, unknown))?;
        match target {
            Target::Nothing => Err(unknown(mapping)),
            Target::Plugin { plugin, operation } => Ok((plugin, operation)),
            Target::Script {
                plugin,
                input,
                value,
            } => {
                for taken in ["script_path", "script_source"] {
                    if parameters.contains_key(taken) {
                        let message = format!(
                            "Cannot define '{taken}' property in '{value}' for workflow '{name}'"
                        );
                        return Err(Error::parser(60, message).at(node));
                    }
                }
                let Some(plugin) = plugin else {
                    let message = format!(
                        "Script plugin is not defined but it is required for mapping 'script_runner.tasks.execute_workflow' of workflow '{name}'"
                    );
                    return Err(Error::parser(61, message).at(node));
                };
                let description = "Workflow script executed by the script plugin";
                let schema = json!({ "default": value, "description": description });
                parameters.insert(input.to_owned(), schema);
                Ok((plugin, "script_runner.tasks.execute_workflow".to_owned()))
            }
        }
    }
}
