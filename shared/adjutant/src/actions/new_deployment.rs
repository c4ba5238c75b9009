//! A deployment that a new project begins with. The settings name the blueprint, which every tenant has
//! to see.

use super::{ActionKind, Run};
use crate::environments::{self, ORDERED, Order};
use crate::mails::text::{self, Values};
use crate::task_type::TaskType;
use crate::tasks::Action;
use serde_json::{Map, Value, json};
use windlass_core::db::Tx;
use windlass_core::{Result, Scope, ids};
use windlass_store::blueprints;

const KIND: ActionKind = ActionKind::NewDeployment;

/// What the deployment is called where the settings do not say.
const USUAL_NAME: &str = "{{project_name}}";

pub(super) async fn prepare(run: &mut Run<'_, impl Tx>, action: &mut Action) -> Result<()> {
    action.valid = look(run).await?.is_some();
    Ok(())
}

/// What is to be ordered, as far as it is known before the project is there.
async fn look(run: &mut Run<'_, impl Tx>) -> Result<Option<Order>> {
    let of = run.task.task_type;
    if of != TaskType::CreateProjectAndUser {
        run.note(KIND, "ERROR: Only new projects begin with a deployment.");
        return Ok(None);
    }
    let order = order(run);
    if let Err(fault) = ids::check_characters("deployment_id", &order.deployment) {
        run.note(KIND, format!("ERROR: {}", fault.message()));
        return Ok(None);
    }
    let (id, scope) = (&order.blueprint, Scope::system("", &order.project));
    let found = match id.is_empty() {
        true => None,
        false => blueprints::find_optional(run.tx, &scope, id).await?,
    };
    if !found.is_some_and(|blueprint| blueprint.state.is_usable()) {
        let text = format!("ERROR: Blueprint: '{id}' is not there for all tenants.");
        run.note(KIND, text);
        return Ok(None);
    }
    run.note(KIND, format!("Blueprint: '{id}' exists."));
    Ok(Some(order))
}

fn order(run: &Run<'_, impl Tx>) -> Order {
    let setting = |name| run.settings.of_action(run.task.task_type, KIND, name);
    let values = &run.asked;
    let named = |name| setting(name).and_then(Value::as_str);
    let inputs = setting("inputs").and_then(Value::as_object);
    let inputs: Map<String, Value> = inputs
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), filled(value, values)))
        .collect();
    Order {
        project: values.get("project_name").cloned().unwrap_or_default(),
        // Until the project is made nobody has to be known.
        owner: run.made.owner.clone().unwrap_or_default(),
        blueprint: named("blueprint").unwrap_or_default().to_owned(),
        deployment: text::fill(named("deployment").unwrap_or(USUAL_NAME), values, false),
        inputs,
        install: setting("install").and_then(Value::as_bool).unwrap_or(true),
    }
}

/// A value in which texts may name what was asked for.
fn filled(value: &Value, values: &Values) -> Value {
    match value {
        Value::String(text) => text::fill(text, values, false).into(),
        Value::Array(items) => items.iter().map(|item| filled(item, values)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), filled(value, values)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

pub(super) async fn approve(run: &mut Run<'_, impl Tx>, action: &mut Action) -> Result<()> {
    if action.made(ORDERED).is_some() {
        run.note(KIND, "Deployment already ordered.");
        return Ok(());
    }
    let order = look(run).await?;
    action.valid = order.is_some();
    let Some(order) = order else {
        return Ok(());
    };
    environments::order(run.tx, &run.task, &order, run.now).await?;
    let (deployment, blueprint) = (&order.deployment, &order.blueprint);
    let text = format!("Deployment '{deployment}' of blueprint '{blueprint}' ordered.");
    run.note(KIND, text);
    action.cache.insert(ORDERED.into(), json!(deployment));
    Ok(())
}
