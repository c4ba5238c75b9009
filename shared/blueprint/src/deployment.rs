//! From a blueprint's plan to a deployment's: inputs become values, and functions that can be
//! evaluated without a running deployment are.
//!
//! With runtime-only evaluation they stay, so that a later change of an input shows; only
//! numbers of instances are evaluated then, because instances are made from them.

use crate::error::{Error, ErrorKind, Result};
use crate::functions::{self, Context, Function, Hybrid, evaluate_known, has_functions};
use crate::inputs::input_values;
use crate::instances::NodeInstance;
use crate::parser::scaling::check_order;
use crate::plan::{DeploymentPlan, Fields, Operations, Part, Plan};
use crate::python_text;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Makes a deployment's plan. `secrets` tells whether a secret exists.
pub fn prepare_deployment(
    plan: &Plan,
    inputs: &Map<String, Value>,
    secrets: &dyn Fn(&str) -> bool,
    runtime_only: bool,
) -> Result<DeploymentPlan> {
    let inputs = input_values(plan, inputs)?;
    check_secrets(plan, &inputs, secrets)?;
    let mut prepared = plan.clone();
    let known = Knowledge {
        inputs: &inputs,
        nodes: plan.nodes.iter().map(|node| (node.name(), node)).collect(),
        left: functions::allowance(),
    };
    for node in &mut prepared.nodes {
        let context = Context {
            self_instance: Some(node.name().to_owned()),
            ..Context::default()
        };
        let capabilities = node.get("capabilities");
        if has_functions(capabilities) {
            let mut capabilities = evaluate_known(capabilities, &context, &known)?;
            settle_counts(&mut capabilities["scalable"]["properties"])?;
            node.set("capabilities", Part::Own(capabilities));
        }
    }
    for section in ["scaling_groups", "policies"] {
        if let Some(section) = prepared.sections.get_mut(section)
            && has_functions(section)
        {
            *section = evaluate_known(section, &Context::default(), &known)?;
            for (_, group) in section.as_object_mut().into_iter().flatten() {
                settle_counts(&mut group["properties"])?;
            }
        }
    }
    if !runtime_only {
        for section in [
            "outputs",
            "capabilities",
            "labels",
            "resource_tags",
            "deployment_settings",
        ] {
            if let Some(section) = prepared.sections.get_mut(section)
                && has_functions(section)
            {
                *section = evaluate_known(section, &Context::default(), &known)?;
            }
        }
    }
    evaluate_nodes(&mut prepared.nodes, &known, runtime_only)?;
    let dependencies = dependencies(&prepared);
    prepared
        .sections
        .insert("inputs".to_owned(), Value::Object(inputs));
    prepared.sections.insert(
        "inter_deployment_functions".to_owned(),
        Value::Array(dependencies),
    );
    Ok(DeploymentPlan { plan: prepared })
}

/// What is known when a deployment is made.
pub(crate) struct Knowledge<'a> {
    pub inputs: &'a Map<String, Value>,
    pub nodes: HashMap<&'a str, &'a Fields>,
    pub left: Cell<usize>,
}

impl Hybrid for Knowledge<'_> {
    fn input(&self, name: &str) -> Option<Value> {
        self.inputs.get(name).cloned()
    }

    fn properties(&self, node: &str) -> Option<&Value> {
        self.nodes.get(node).map(|node| node.get("properties"))
    }

    fn left(&self) -> &Cell<usize> {
        &self.left
    }
}

fn check_secrets(
    plan: &Plan,
    inputs: &Map<String, Value>,
    exists: &dyn Fn(&str) -> bool,
) -> Result<()> {
    let listed = plan.section("requirements")["secrets"].as_array();
    let mut names: BTreeSet<String> = listed
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    for value in inputs.values() {
        names.extend(functions::secret_names(value));
    }
    let missing: Vec<String> = names.into_iter().filter(|name| !exists(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing = python_text::list(missing);
    Err(Error::new(
        ErrorKind::MissingSecret,
        format!("Required secrets: {missing} don't exist in this tenant"),
    ))
}

/// Counts that were functions are numbers now, or cannot be used.
fn settle_counts(properties: &mut Value) -> Result<()> {
    for (name, value) in properties.as_object_mut().into_iter().flatten() {
        if let Some(text) = value.as_str() {
            *value = match text {
                "UNBOUNDED" if name == "max_instances" => json!(-1),
                text => text.trim().parse::<i64>().map_or(Value::Null, Value::from),
            };
        }
        let number = value.as_i64().unwrap_or(i64::MIN);
        if number < 0 && !(name == "max_instances" && number == -1) {
            let message = format!("{name} should be a non negative value.");
            return Err(Error::parser(207, message));
        }
    }
    check_order(properties)
}

fn evaluate_nodes(nodes: &mut [Fields], known: &Knowledge<'_>, runtime_only: bool) -> Result<()> {
    let mut evaluated = Evaluated {
        known,
        runtime_only,
        shared: HashMap::new(),
    };
    for node in nodes {
        let name = node.name().to_owned();
        let context = Context {
            self_instance: Some(name.clone()),
            ..Context::default()
        };
        if !runtime_only && has_functions(node.get("properties")) {
            let value = evaluate_known(node.get("properties"), &context, known)?;
            node.set("properties", Part::Own(value));
        }
        evaluated.field(node, "interfaces", &context)?;
        evaluated.field(node, "operations", &context)?;
        for relationship in node.relationships_mut() {
            let context = Context {
                source_instance: Some(name.clone()),
                target_instance: Some(relationship.text("target_id").to_owned()),
                ..Context::default()
            };
            if !runtime_only && has_functions(relationship.get("properties")) {
                let value = evaluate_known(relationship.get("properties"), &context, known)?;
                relationship.set("properties", Part::Own(value));
            }
            for field in [
                "source_interfaces",
                "target_interfaces",
                "source_operations",
                "target_operations",
            ] {
                evaluated.field(relationship, field, &context)?;
            }
        }
    }
    Ok(())
}

/// Operations are shared by many nodes, and stay so unless a function in them means another
/// thing to each node.
struct Evaluated<'a> {
    known: &'a Knowledge<'a>,
    runtime_only: bool,
    shared: HashMap<usize, Arc<Value>>,
}

impl Evaluated<'_> {
    fn field(&mut self, fields: &mut Fields, name: &'static str, context: &Context) -> Result<()> {
        let changed = match fields.part(name) {
            Some(Part::Operations(operations)) => self
                .operations(operations, context)?
                .map(|all| Part::Operations(Arc::new(all))),
            Some(Part::Interfaces(interfaces)) => {
                let mut all: Option<IndexMap<String, Operations>> = None;
                for (interface, operations) in &**interfaces {
                    if let Some(changed) = self.operations(operations, context)? {
                        let all = all.get_or_insert_with(|| (**interfaces).clone());
                        all.insert(interface.clone(), changed);
                    }
                }
                all.map(|all| Part::Interfaces(Arc::new(all)))
            }
            _ => None,
        };
        if let Some(changed) = changed {
            fields.set(name, changed);
        }
        Ok(())
    }

    /// The operations, if any of them changes.
    fn operations(
        &mut self,
        operations: &Operations,
        context: &Context,
    ) -> Result<Option<Operations>> {
        let mut all: Option<Operations> = None;
        for (name, operation) in operations {
            let address = Arc::as_ptr(operation) as usize;
            let changed = match self.shared.get(&address) {
                Some(done) => done.clone(),
                None => self.operation(operation, address, context)?,
            };
            if !Arc::ptr_eq(&changed, operation) {
                all.get_or_insert_with(|| operations.clone())
                    .insert(name.clone(), changed);
            }
        }
        Ok(all)
    }

    fn operation(
        &mut self,
        operation: &Arc<Value>,
        address: usize,
        context: &Context,
    ) -> Result<Arc<Value>> {
        let inputs = &operation["inputs"];
        if !has_functions(inputs) {
            self.shared.insert(address, operation.clone());
            return Ok(operation.clone());
        }
        let everywhere_the_same = !functions::uses(inputs, Function::GetProperty);
        let mut changed = (**operation).clone();
        if !self.runtime_only {
            changed["inputs"] = evaluate_known(inputs, context, self.known)?;
        }
        if changed.get("plugin").is_some() {
            changed["has_intrinsic_functions"] = json!(has_functions(&changed["inputs"]));
        }
        let changed = Arc::new(changed);
        if everywhere_the_same {
            self.shared.insert(address, changed.clone());
        }
        Ok(changed)
    }
}

/// The functions that make this deployment depend on others: where each stands, and which
/// deployment it names. Contexts hold names of nodes until there are instances.
fn dependencies(plan: &Plan) -> Vec<Value> {
    let mut found = Vec::new();
    for node in &plan.nodes {
        let name = node.name();
        let context = json!({ "self": name });
        let mut note = |value: &Value, path: String, context: &Value| {
            if functions::uses(value, Function::GetCapability) {
                note_dependencies(value, &path, context, &mut found);
            }
        };
        note(
            node.get("properties"),
            format!("nodes.{name}.properties"),
            &context,
        );
        for (path, operation) in node.operations("operations") {
            note(
                &operation["inputs"],
                format!("nodes.{name}.operations.{path}.inputs"),
                &context,
            );
        }
        for relationship in node.relationships() {
            let target = relationship.text("target_id");
            let context = json!({ "self": name, "source": name, "target": target });
            let start = format!("nodes.{name}.{}", relationship.text("type"));
            note(
                relationship.get("properties"),
                format!("{start}.properties"),
                &context,
            );
            for field in ["source_operations", "target_operations"] {
                for (path, operation) in relationship.operations(field) {
                    note(
                        &operation["inputs"],
                        format!("{start}.{path}.inputs"),
                        &context,
                    );
                }
            }
        }
    }
    for section in ["outputs", "capabilities"] {
        note_dependencies(plan.section(section), section, &json!({}), &mut found);
    }
    found
}

fn note_dependencies(value: &Value, path: &str, context: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                note_dependencies(item, &format!("{path}[{place}]"), context, found);
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                note_dependencies(item, &format!("{path}.{key}"), context, found);
            }
        }
        _ => {}
    }
    if let Some((Function::GetCapability, arguments)) = functions::function_of(value) {
        let target = &arguments[0];
        let known = if has_functions(target) {
            &Value::Null
        } else {
            target
        };
        found.push(json!({
            "function_identifier": format!("{path}.get_capability"),
            "target_deployment": [known, target],
            "context": context,
        }));
    }
}

impl DeploymentPlan {
    /// Puts instances where the contexts of `inter_deployment_functions` still name nodes:
    /// the first instance of each.
    pub fn bind_dependencies(&mut self, instances: &[NodeInstance]) {
        let mut first: HashMap<&str, &str> = HashMap::new();
        for instance in instances {
            first.entry(&instance.node_id).or_insert(&instance.id);
        }
        let functions = self.plan.sections.get_mut("inter_deployment_functions");
        for function in functions
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            for (_, name) in function["context"].as_object_mut().into_iter().flatten() {
                if let Some(id) = name.as_str().and_then(|name| first.get(name)) {
                    *name = json!(id);
                }
            }
        }
    }
}
