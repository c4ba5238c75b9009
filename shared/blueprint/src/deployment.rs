//! From the plan of a blueprint to the plan of a deployment: inputs get values, and functions are
//! evaluated if they do not need a running deployment.
//!
//! With runtime-only evaluation functions stay as they are, so later changes of inputs are seen.
//! Only numbers of instances are evaluated then, because instances are made from them.

use crate::error::{Error, ErrorKind, Result};
use crate::functions::{self, Context, Function, Known, Path, Scope, has_functions};
use crate::inputs::input_values;
use crate::instances::NodeInstance;
use crate::json::set;
use crate::plan::{DeploymentPlan, Fields, Operations, Part, Plan};
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// Makes the plan of a deployment. `secrets` tells whether a secret exists.
pub fn prepare_deployment(
    plan: &Plan,
    inputs: &Map<String, Value>,
    secrets: &dyn Fn(&str) -> bool,
    runtime_only: bool,
) -> Result<DeploymentPlan> {
    let inputs = input_values(plan, inputs)?;
    let mut prepared = plan.clone();
    let known = Known::new(&inputs, Some(plan));
    evaluate_nodes(&mut prepared.nodes, &known, &inputs, runtime_only)?;
    for section in ["outputs", "policies", "scaling_groups"] {
        let counts = section != "outputs";
        if !runtime_only || counts {
            evaluate_section(&mut prepared, section, &known)?;
        }
        let entries = prepared.sections.get_mut(section).filter(|_| counts);
        for (_, entry) in entries.and_then(Value::as_object_mut).into_iter().flatten() {
            if let Some(properties) = entry.get_mut("properties") {
                settle_counts(properties)?;
            }
        }
    }
    if !runtime_only {
        for section in [
            "capabilities",
            "labels",
            "deployment_settings",
            "resource_tags",
        ] {
            evaluate_section(&mut prepared, section, &known)?;
        }
    }
    check_secrets(&prepared, secrets)?;
    let dependencies = dependencies(&prepared)?;
    prepared
        .sections
        .insert("inputs".to_owned(), Value::Object(inputs));
    prepared.sections.insert(
        "inter_deployment_functions".to_owned(),
        Value::Array(dependencies),
    );
    Ok(DeploymentPlan { plan: prepared })
}

fn evaluate_section(plan: &mut Plan, name: &str, known: &Known<'_>) -> Result<()> {
    // Settings and tags have values directly under their names, other sections have maps there.
    let depth = match name {
        "deployment_settings" | "resource_tags" => 1,
        "policies" | "scaling_groups" => 3,
        _ => 2,
    };
    match plan.sections.get_mut(name) {
        Some(section) if has_functions(section) => {
            let path = [name];
            let context = Context::default();
            *section = known.evaluate_inside(section, depth, &context, &Path::start(&path))?;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Checks that the secrets exist whose names are known at this time.
fn check_secrets(plan: &Plan, exists: &dyn Fn(&str) -> bool) -> Result<()> {
    let mut missing = functions::secrets(plan)?;
    missing.retain(|name| !exists(name));
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(", ");
    Err(Error::new(
        ErrorKind::MissingSecret,
        format!("Required secrets: [{missing}] don't exist in this tenant"),
    ))
}

/// Turns numbers of instances into numbers after their functions were evaluated, and refuses other
/// values.
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
    Ok(())
}

fn evaluate_nodes(
    nodes: &mut [Fields],
    known: &Known<'_>,
    inputs: &Map<String, Value>,
    runtime_only: bool,
) -> Result<()> {
    let mut evaluated = Evaluated {
        known,
        runtime_only,
        own_inputs: inputs.values().any(has_functions),
        shared: HashMap::new(),
    };
    for node in nodes {
        let name = node.name().to_owned();
        let context = Context {
            self_instance: Some(name.clone()),
            ..Context::default()
        };
        if !runtime_only && has_functions(node.get("properties")) {
            let path = ["nodes", name.as_str(), "properties"];
            let value =
                known.evaluate_inside(node.get("properties"), 1, &context, &Path::start(&path))?;
            node.set("properties", Part::Own(value));
        }
        if has_functions(node.get("capabilities")) {
            let path = ["nodes", name.as_str(), "capabilities"];
            let path = Path::start(&path);
            let mut capabilities =
                known.evaluate_inside(node.get("capabilities"), 3, &context, &path)?;
            if let Some(properties) = capabilities.pointer_mut("/scalable/properties") {
                settle_counts(properties)?;
            }
            node.set("capabilities", Part::Own(capabilities));
        }
        let path = ["nodes", name.as_str(), "operations"];
        evaluated.field(node, "operations", &context, path)?;
        evaluated.field(node, "interfaces", &context, path)?;
        for relationship in node.relationships_mut() {
            let type_name = relationship.text("type").to_owned();
            let context = Context {
                source_instance: Some(name.clone()),
                target_instance: Some(relationship.text("target_id").to_owned()),
                ..Context::default()
            };
            if !runtime_only && has_functions(relationship.get("properties")) {
                let path = ["nodes", &name, &type_name, "properties"];
                let properties = relationship.get("properties");
                let value = known.evaluate_inside(properties, 1, &context, &Path::start(&path))?;
                relationship.set("properties", Part::Own(value));
            }
            let path = ["nodes", name.as_str(), type_name.as_str()];
            for field in [
                "source_operations",
                "target_operations",
                "source_interfaces",
                "target_interfaces",
            ] {
                evaluated.field(relationship, field, &context, path)?;
            }
        }
    }
    Ok(())
}

/// Evaluates operations. Many nodes share them, and still do afterwards, unless a function in them
/// has a different value for each node.
struct Evaluated<'a> {
    known: &'a Known<'a>,
    runtime_only: bool,
    /// Whether some inputs have functions as values. These may have a different value for each
    /// node.
    own_inputs: bool,
    shared: HashMap<usize, Arc<Value>>,
}

impl Evaluated<'_> {
    fn field(
        &mut self,
        fields: &mut Fields,
        name: &'static str,
        context: &Context,
        path: [&str; 3],
    ) -> Result<()> {
        let changed = match fields.part(name) {
            Some(Part::Operations(operations)) => self
                .operations(operations, context, path)?
                .map(|all| Part::Operations(Arc::new(all))),
            Some(Part::Interfaces(interfaces)) => {
                let mut all: Option<IndexMap<String, Operations>> = None;
                for (interface, operations) in &**interfaces {
                    if let Some(changed) = self.operations(operations, context, path)? {
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

    /// The evaluated operations, if evaluation changes any of them.
    fn operations(
        &mut self,
        operations: &Operations,
        context: &Context,
        [first, second, third]: [&str; 3],
    ) -> Result<Option<Operations>> {
        let mut all: Option<Operations> = None;
        for (name, operation) in operations {
            let address = Arc::as_ptr(operation) as usize;
            let changed = match self.shared.get(&address) {
                Some(done) => done.clone(),
                None => {
                    let path = [first, second, third, name, "inputs"];
                    self.operation(operation, address, context, &Path::start(&path))?
                }
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
        path: &Path<'_>,
    ) -> Result<Arc<Value>> {
        let inputs = &operation["inputs"];
        if !has_functions(inputs) {
            self.shared.insert(address, operation.clone());
            return Ok(operation.clone());
        }
        let everywhere_the_same =
            !self.own_inputs && !functions::uses(inputs, Function::GetProperty);
        let mut changed = (**operation).clone();
        if !self.runtime_only {
            let inputs = self.known.evaluate_inside(inputs, 1, context, path)?;
            set(&mut changed, "inputs", inputs);
        }
        if changed.get("plugin").is_some() {
            let inputs = changed.get("inputs").and_then(Value::as_object);
            let mut inputs = inputs.into_iter().flatten();
            let open = inputs.any(|(_, value)| has_functions(value));
            set(&mut changed, "has_intrinsic_functions", open);
        }
        let changed = Arc::new(changed);
        if everywhere_the_same {
            self.shared.insert(address, changed.clone());
        }
        Ok(changed)
    }
}

/// The functions that make this deployment depend on others: the place of each, and the deployment
/// that it names. The contexts hold names of nodes, because there are no instances yet.
fn dependencies(plan: &Plan) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    functions::scan(plan, &mut |value, scope, path| {
        if functions::uses(value, Function::GetCapability) {
            let context = match scope {
                Scope::Node(node) => json!({ "self": node.name() }),
                Scope::Relationship(source, relationship) => json!({
                    "self": source.name(),
                    "source": source.name(),
                    "target": relationship.text("target_id"),
                    "type": relationship.text("type"),
                }),
                Scope::Section(_) => json!({}),
            };
            note_dependencies(value, path, &context, &mut found);
        }
        Ok(())
    })?;
    Ok(found)
}

fn note_dependencies(value: &Value, path: &Path<'_>, context: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                note_dependencies(item, &path.place(place), context, found);
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                note_dependencies(item, &path.key(key), context, found);
            }
        }
        _ => {}
    }
    if let Some((Function::GetCapability, arguments)) = functions::function_of(value) {
        let target = &arguments[0];
        let known = match functions::function_of(target) {
            Some(_) => &Value::Null,
            None => target,
        };
        found.push(json!({
            "function_identifier": format!("{path}.get_capability"),
            "target_deployment": [known, target],
            "context": context,
        }));
    }
}

impl DeploymentPlan {
    /// Replaces the names of nodes in the contexts of `inter_deployment_functions` by ids of
    /// instances. A function of a node is repeated for each instance, and removed if there is none.
    pub fn bind_dependencies(&mut self, instances: &[NodeInstance]) {
        let mut by_node: HashMap<&str, Vec<&NodeInstance>> = HashMap::new();
        for instance in instances {
            by_node.entry(&instance.node_id).or_default().push(instance);
        }
        let functions = self.plan.sections.get_mut("inter_deployment_functions");
        let Some(functions) = functions.and_then(Value::as_array_mut) else {
            return;
        };
        let mut bound = Vec::with_capacity(functions.len());
        for function in functions.drain(..) {
            let in_context = |role: &str| function.get("context")?.get(role)?.as_str();
            let Some(node) = in_context("self") else {
                bound.push(function);
                continue;
            };
            for instance in by_node.get(node).into_iter().flatten() {
                let mut context = json!({ "self": instance.id });
                if in_context("source").is_some_and(|source| !source.is_empty()) {
                    let target = instance.relationships.iter().find(|one| {
                        in_context("target") == Some(one.target_name.as_str())
                            && in_context("type") == Some(one.type_name.as_str())
                    });
                    let target = target.map(|target| target.target_id.as_str());
                    set(&mut context, "source", instance.id.as_str());
                    set(&mut context, "target", target);
                }
                let mut one = function.clone();
                set(&mut one, "context", context);
                bound.push(one);
            }
        }
        *functions = bound;
    }
}
