//! The sections around the nodes: inputs, outputs, capabilities, workflows, labels, settings.

use super::Blueprint;
use super::data_types::Owner;
use super::implementation::Target;
use super::schema::{self, key, since};
use super::version::Version;
use crate::constraints;
use crate::error::{Error, ErrorKind, Result, Under};
use crate::functions::{Function, has_functions};
use crate::yaml::Node;
use serde_json::{Map, Value, json};

/// Types that name objects came with 1.4, the name of an operation with 1.5.
fn type_since(name: &str) -> Version {
    match name {
        "operation_name" => Version(5),
        "string" | "integer" | "float" | "boolean" | "list" | "dict" | "regex" => Version(0),
        name if constraints::OPEN_TYPES.contains(&name) => Version(4),
        _ => Version(0),
    }
}

impl Blueprint<'_> {
    /// Entries of a section, each read by `read`, under its name.
    fn entries(
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

    /// `inputs`: schemas, with the defaults of data types filled in.
    pub(super) fn inputs(&self) -> Result<Value> {
        self.entries("inputs", |name, node| {
            let input = self.parameter(name, node, "input")?;
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
                let type_name = node.get("type").and_then(Node::as_str).unwrap_or("None");
                if type_name != "textarea" {
                    let message = format!(
                        "`display` property defined for unsupported input type ({type_name}) for input `{name}`."
                    );
                    return Err(Error::parser(216, message).at(display).under("display"));
                }
            }
            Ok(input)
        })
    }

    /// The schema of an input or of a workflow's parameter.
    fn parameter(&self, name: &str, node: &Node, what: &str) -> Result<Value> {
        let version = self.version_of(node);
        let keys = [
            key("type"),
            since("item_type", 4),
            key("default"),
            key("description"),
            since("required", 2),
            since("constraints", 3),
            key("display_label"),
            key("hidden"),
            key("display"),
        ];
        schema::check_keys(node, &keys, version)?;
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
        self.data_types.check_type_name(node)?;
        let type_name = schema::text_at(node, "type")?;
        if let (Some(type_name), Some(at)) = (type_name, node.get("type")) {
            let what = format!("type '{type_name}'");
            version
                .requires(type_since(type_name), &what, at)
                .under("type")?;
        }
        self.check_item_type(node, type_name)?;
        if let Some(list) = node.get("constraints") {
            for (place, constraint) in schema::list(list).under("constraints")?.iter().enumerate() {
                constraints::check_definition(&constraint.to_value(), name)
                    .map_err(|error| error.at(constraint))
                    .under(place)
                    .under("constraints")?;
            }
        }
        if let (Some(default), Some(at)) = (
            parameter.get("default").cloned(),
            node.as_map().and_then(|map| map.get("default")),
        ) {
            let default = self
                .checked_default(name, &parameter, default, what)
                .map_err(|error| match error.kind {
                    ErrorKind::Parser { .. } => error.at(at).under("default"),
                    _ => error,
                })?;
            parameter.insert("default".to_owned(), default);
        }
        Ok(Value::Object(parameter))
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
            let message = format!("Illegal item_type: '{item_type}' is not a primitive type");
            return Err(Error::parser(217, message).at(at).under("item_type"));
        }
        Ok(())
    }

    fn checked_default(
        &self,
        name: &str,
        schema: &Map<String, Value>,
        default: Value,
        what: &str,
    ) -> Result<Value> {
        let owner = Owner::Other(name);
        let default = match schema.get("type").and_then(Value::as_str) {
            Some(type_name) => self
                .data_types
                .complete(type_name, &default, owner, "", false)?,
            None => default,
        };
        if let (Some(item_type), Value::Array(items)) =
            (schema.get("item_type").and_then(Value::as_str), &default)
        {
            for item in items {
                self.data_types.check(item_type, item, owner, "")?;
            }
        }
        if !default.is_null() && !has_functions(&default) {
            constraints::check(&Value::Object(schema.clone()), what, name, &default)?;
        }
        Ok(default)
    }

    /// `outputs` or `capabilities`.
    pub(super) fn outputs(&self, section: &'static str) -> Result<Value> {
        self.entries(section, |_, node| {
            schema::check_keys(node, &[key("description"), key("value")], self.version)?;
            schema::text_at(node, "description")?;
            if !node.as_map().is_some_and(|map| map.contains_key("value")) {
                schema::required(node, "value")?;
            }
            Ok(node.to_value())
        })
    }

    /// A section that is carried along as it is.
    pub(super) fn carried(&self, section: &'static str) -> Result<Value> {
        self.entries(section, |_, node| {
            schema::map(node)?;
            Ok(node.to_value())
        })
    }

    /// `workflows`.
    pub(super) fn workflows(&self) -> Result<Value> {
        self.entries("workflows", |name, node| {
            let version = self.version_of(node);
            let mapping = match node.as_str() {
                Some(mapping) => mapping,
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
                        .parameter(parameter, schema, "parameter")
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
                "availability_rules": schema::value_at(node, "availability_rules"),
            }))
        })
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
            .map_err(|unclear| unclear.refuse(unknown))?;
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

    /// `labels` or `blueprint_labels`.
    pub(super) fn labels(&self, section: &'static str) -> Result<Value> {
        if let Some(node) = self.section(section) {
            self.version
                .requires(Version(3), section, node)
                .under(section)?;
        }
        self.entries(section, |name, node| {
            schema::check_keys(node, &[key("values")], self.version)?;
            let values = schema::required(node, "values")?;
            for (place, item) in schema::list(values).under("values")?.iter().enumerate() {
                let value = item.to_value();
                if crate::functions::uses(&value, Function::GetAttribute) {
                    let message = format!(
                        "The label's value cannot be a runtime property. Please remove the `get_attribute` function from the values of {name}"
                    );
                    return Err(Error::parser(1, message).at(node));
                }
                if !value.is_string() && !has_functions(&value) {
                    schema::text(item).under(place).under("values")?;
                }
            }
            Ok(node.to_value())
        })
    }

    /// `deployment_settings`.
    pub(super) fn deployment_settings(&self) -> Result<Value> {
        let Some(node) = self.section("deployment_settings") else {
            return Ok(json!({}));
        };
        let keys = [
            key("id_template"),
            key("display_name"),
            key("default_groups"),
            key("default_schedules"),
        ];
        schema::check_keys(node, &keys, self.version).under("deployment_settings")?;
        let check = || {
            schema::text_at(node, "id_template")?;
            if let Some(groups) = node.get("default_groups") {
                schema::list(groups).under("default_groups")?;
            }
            for (name, schedule) in schema::map_at(node, "default_schedules")? {
                let keys = [
                    key("workflow"),
                    key("since"),
                    key("until"),
                    key("recurrence"),
                    key("timezone"),
                    key("weekdays"),
                    key("count"),
                    key("rrule"),
                    key("default_enabled"),
                    key("stop_on_fail"),
                    key("stop_after_fail"),
                    key("slip"),
                    key("workflow_parameters"),
                    key("execution_arguments"),
                ];
                schema::check_keys(schedule, &keys, self.version)
                    .and_then(|()| schema::required(schedule, "workflow"))
                    .and_then(|_| schema::required(schedule, "since"))
                    .under(name)
                    .under("default_schedules")?;
            }
            Ok(())
        };
        check().under("deployment_settings")?;
        let mut settings = node.to_value();
        if settings["default_schedules"].is_null() {
            settings["default_schedules"] = json!({});
        }
        if let Some(Value::Object(schedules)) = settings.get_mut("default_schedules") {
            for schedule in schedules.values_mut() {
                if let Some(schedule) = schedule.as_object_mut() {
                    schedule.entry("default_enabled").or_insert(json!(true));
                    schedule.entry("stop_after_fail").or_insert(json!(false));
                    schedule.entry("slip").or_insert(json!(0));
                }
            }
        }
        Ok(settings)
    }
}
